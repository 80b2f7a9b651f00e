/* Spelling placeholders, and reading them where a model spelled them. */
#include "privacy/names.h"

#include <string.h>

#include "base/alloc.h"
#include "base/compiler.h"
#include "base/slice.h"
#include "privacy/scan.h"

#define MIN_TORN 4 /* bytes of a secret that tell something in the middle of a word */

void gs_privacy_names_free(struct gs_privacy_names *names)
{
    if (!names)
        return;
    gs_buf_clear(&names->bytes);
    gs_free(names->values);
    gs_free(names);
}

size_t gs_privacy_names_count(const struct gs_privacy_names *names)
{
    return names ? names->n : 0;
}

const char *gs_privacy_names_kind(enum gs_detector d)
{
    static const char *const kinds[] = {"PATH",  "PRIVATE_KEY", "API_KEY", "TOKEN", "PASSWORD",
                                        "EMAIL", "CARD",        "IBAN",    "PHONE", "IP"};
    return kinds[d];
}

void gs_privacy_names_write(const struct gs_privacy_names *names, enum gs_detector d, size_t number,
                            struct gs_buf *b)
{
    gs_buf_putc(b, '[');
    gs_buf_puts(b, names->word);
    gs_buf_putc(b, '_');
    gs_buf_puts(b, gs_privacy_names_kind(d));
    gs_buf_putc(b, '_');
    gs_buf_int(b, (int64_t)number);
    gs_buf_putc(b, ']');
}

static bool continues_word(char c)
{
    return gs_privacy_is(c, GS_PRIVACY_ALNUM) || c == '_';
}

bool gs_privacy_names_tear(const struct gs_privacy_names *names, struct gs_slice text)
{
    for (size_t i = 0; names && i < names->n; i++) {
        const struct gs_slice value = names->values[i];
        const size_t most = GS_MIN(text.len + 1, value.len);
        for (size_t n = 1; n < most; n++)
            if (gs_slice_ends(text, gs_slice_sub(value, 0, n)) &&
                (n >= MIN_TORN || n == text.len || !continues_word(text.ptr[text.len - n - 1])))
                return true;
    }
    return false;
}

/* ---- reading ---- */

struct reader {
    struct gs_slice text;
    size_t at;
    bool is_exact;
    bool is_markdown;
    bool is_cut; /* the text ended while it was read */
};

static char peek(struct reader *r)
{
    r->is_cut |= r->at >= r->text.len;
    return r->at < r->text.len ? r->text.ptr[r->at] : '\0';
}

/* Read this byte, perhaps with a backslash in front of it. */
static bool read_sign(struct reader *r, char sign)
{
    const size_t begin = r->at;

    if (r->is_markdown && peek(r) == '\\')
        r->at++;
    if (peek(r) == sign) {
        r->at++;
        return true;
    }
    r->at = begin;
    return false;
}

static bool read_word(struct reader *r, const char *word)
{
    for (; *word; word++) {
        if (*word == '_') {
            if (!read_sign(r, '_'))
                return false;
            continue;
        }
        const char c = peek(r);
        if (c != *word && (r->is_exact || !gs_privacy_is(c, GS_PRIVACY_LOWER) || c - 0x20 != *word))
            return false;
        r->at++;
    }
    return true;
}

/* The number of a placeholder, as it is written: 0 if there is none. */
static size_t read_number(struct reader *r)
{
    size_t n = 0;

    for (int i = 0; i < GS_PRIVACY_MAX_DIGITS; i++) {
        const char c = peek(r);
        if (!gs_privacy_is(c, GS_PRIVACY_DIGIT) || (i == 0 && c == '0'))
            break;
        n = n * 10 + (size_t)(c - '0');
        r->at++;
    }
    return n;
}

/* KIND_number, of a detector that `names` has placeholders of, or of any. */
static bool read_kind(struct reader *r, const struct gs_privacy_names *names,
                      enum gs_detector *out_d, size_t *out_number)
{
    const struct reader from = *r;
    bool is_cut = false;

    for (int d = GS_DETECT_PRIVATE_KEY; d < GS_PRIVACY_DETECTORS; d++) {
        if (names && names->first[d + 1] == names->first[d])
            continue;
        *r = from;
        if (read_word(r, gs_privacy_names_kind((enum gs_detector)d)) && read_word(r, "_")) {
            *out_d = (enum gs_detector)d;
            *out_number = read_number(r);
            return *out_number > 0;
        }
        is_cut |= r->is_cut;
    }
    r->is_cut |= is_cut;
    return false;
}

/* One that `names` has: word_KIND_number. */
static bool read_name(struct reader *r, const struct gs_privacy_names *names,
                      struct gs_slice *out_value)
{
    enum gs_detector d;
    size_t number;

    if (!read_word(r, names->word) || !read_word(r, "_") || !read_kind(r, names, &d, &number) ||
        number > names->first[d + 1] - names->first[d])
        return false;
    *out_value = names->values[names->first[d] + number - 1];
    return true;
}

bool gs_privacy_names_read(struct gs_slice text, size_t at, unsigned *out_word,
                           enum gs_detector *out_d, size_t *out_number, size_t *out_end)
{
    struct reader r = {.text = text, .at = at, .is_markdown = true};

    if (!read_word(&r, GS_PRIVACY_STEM))
        return false;
    const size_t word = read_number(&r);
    *out_word = word == 0 ? 1 : (unsigned)GS_MIN(word, (size_t)GS_PRIVACY_MAX_WORDS + 1);
    const bool does = read_word(&r, "_") && read_kind(&r, NULL, out_d, out_number);
    *out_end = r.at;
    return does;
}

enum gs_privacy_match gs_privacy_names_match(const struct gs_privacy_names *names,
                                             enum gs_block_kind kind, struct gs_slice text,
                                             size_t at, char before, bool is_end, size_t *out_len,
                                             struct gs_slice *out_value)
{
    struct reader r = {.text = text,
                       .at = at,
                       .is_exact = kind == GS_BLOCK_REASONING,
                       .is_markdown = kind == GS_BLOCK_TEXT};
    const bool has_bracket = read_sign(&r, '[');
    const bool is_escaped = has_bracket && r.at == at + 2;
    bool does = (has_bracket || (!r.is_exact && !continues_word(before))) &&
                read_name(&r, names, out_value);

    const size_t name_end = r.at;
    if (does && has_bracket) /* a backslash before one bracket only is the text's own */
        does = read_sign(&r, ']') && (r.at == name_end + 2) == is_escaped;
    else if (does)
        does = !continues_word(peek(&r)) && !gs_privacy_is(peek(&r), GS_PRIVACY_DIGIT);
    *out_len = r.at - at;
    if (r.is_cut && !is_end)
        return GS_PRIVACY_PART;
    return does ? GS_PRIVACY_MATCH : GS_PRIVACY_NO_MATCH;
}
