/* Going through a text, and what the detectors ask about it. */
#include "privacy/scan.h"

#include <assert.h>
#include <string.h>

#include "base/compiler.h"
#include "base/slice.h"

#define U (GS_PRIVACY_UPPER)
#define L (GS_PRIVACY_LOWER)
#define X (GS_PRIVACY_HEX)
#define D (GS_PRIVACY_DIGIT | GS_PRIVACY_HEX)

const uint8_t gs_privacy_class[256] = {
    ['\t'] = GS_PRIVACY_SPACE,
    ['\n'] = GS_PRIVACY_SPACE,
    ['\r'] = GS_PRIVACY_SPACE,
    [' '] = GS_PRIVACY_SPACE,
    ['+'] = GS_PRIVACY_PLUS,
    ['/'] = GS_PRIVACY_PLUS,
    ['='] = GS_PRIVACY_PLUS,
    ['-'] = GS_PRIVACY_DASH,
    ['_'] = GS_PRIVACY_DASH,
    ['.'] = GS_PRIVACY_DOT,
    ['0'] = D,
    ['1'] = D,
    ['2'] = D,
    ['3'] = D,
    ['4'] = D,
    ['5'] = D,
    ['6'] = D,
    ['7'] = D,
    ['8'] = D,
    ['9'] = D,
    ['A'] = U | X,
    ['B'] = U | X,
    ['C'] = U | X,
    ['D'] = U | X,
    ['E'] = U | X,
    ['F'] = U | X,
    ['G'] = U,
    ['H'] = U,
    ['I'] = U,
    ['J'] = U,
    ['K'] = U,
    ['L'] = U,
    ['M'] = U,
    ['N'] = U,
    ['O'] = U,
    ['P'] = U,
    ['Q'] = U,
    ['R'] = U,
    ['S'] = U,
    ['T'] = U,
    ['U'] = U,
    ['V'] = U,
    ['W'] = U,
    ['X'] = U,
    ['Y'] = U,
    ['Z'] = U,
    ['a'] = L | X,
    ['b'] = L | X,
    ['c'] = L | X,
    ['d'] = L | X,
    ['e'] = L | X,
    ['f'] = L | X,
    ['g'] = L,
    ['h'] = L,
    ['i'] = L,
    ['j'] = L,
    ['k'] = L,
    ['l'] = L,
    ['m'] = L,
    ['n'] = L,
    ['o'] = L,
    ['p'] = L,
    ['q'] = L,
    ['r'] = L,
    ['s'] = L,
    ['t'] = L,
    ['u'] = L,
    ['v'] = L,
    ['w'] = L,
    ['x'] = L,
    ['y'] = L,
    ['z'] = L,
};

#undef U
#undef L
#undef X
#undef D

#define LOOK_HEAD 64 /* bytes that tell a placeholder */

/* ---- the tables ---- */

static void widen(uint64_t table[256], const char *bytes, uint64_t bit)
{
    for (; *bytes; bytes++)
        table[(unsigned char)*bytes] |= bit;
}

void gs_privacy_scan_widen(struct gs_privacy_scan *s, const char *first, const char *second,
                           const char *third)
{
    const uint64_t bit = UINT64_C(1) << (s->n_groups - 1);

    widen(s->first, first, bit);
    widen(s->second, second, bit);
    widen(s->third, third, bit);
}

void gs_privacy_scan_group(struct gs_privacy_scan *s, gs_privacy_look_fn *look, const char *first,
                           const char *second, const char *third)
{
    assert(s->n_groups < GS_PRIVACY_GROUPS);
    s->look[s->n_groups++] = look;
    gs_privacy_scan_widen(s, first, second, third);
}

/* A placeholder that the client has written. */
static size_t look_placeholder(struct gs_privacy_scan *s, size_t at)
{
    unsigned word;
    enum gs_detector d;
    size_t number, end;

    if (!gs_privacy_names_read(s->text, at, &word, &d, &number, &end))
        return at + 1;
    uint32_t *taken = word <= GS_PRIVACY_MAX_WORDS ? &s->taken[word - 1][d] : NULL;
    if (taken && (*taken == 0 || number < *taken))
        *taken = (uint32_t)number;
    return end;
}

void gs_privacy_scan_init(struct gs_privacy_scan *s, unsigned wanted)
{
    memset(s, 0, sizeof(*s));
    s->wanted = wanted;
    gs_privacy_scan_group(s, look_placeholder, "rR", "eE", "dD");
    gs_privacy_scan_keys(s);
    gs_privacy_scan_words(s);
    gs_privacy_scan_numbers(s);
    gs_privacy_scan_mail(s);
}

/* The first place from `at` on that may begin something, or where fewer than three bytes are left.
 */
static size_t next_place(const struct gs_privacy_scan *s, size_t at, uint64_t *out_groups)
{
    const unsigned char *p = (const unsigned char *)s->text.ptr;
    const size_t n = s->text.len;

    for (; at + 6 <= n; at += 4) {
        const uint64_t a = s->first[p[at]] & s->second[p[at + 1]] & s->third[p[at + 2]];
        const uint64_t b = s->first[p[at + 1]] & s->second[p[at + 2]] & s->third[p[at + 3]];
        const uint64_t c = s->first[p[at + 2]] & s->second[p[at + 3]] & s->third[p[at + 4]];
        const uint64_t d = s->first[p[at + 3]] & s->second[p[at + 4]] & s->third[p[at + 5]];
        if (a | b | c | d)
            break;
    }
    for (; at + 3 <= n; at++) {
        *out_groups = s->first[p[at]] & s->second[p[at + 1]] & s->third[p[at + 2]];
        if (*out_groups)
            break;
    }
    return at;
}

void gs_privacy_scan_text(struct gs_privacy_scan *s, struct gs_slice text, struct gs_slice key,
                          struct gs_buf *hits)
{
    size_t at = 0;

    s->text = text;
    s->hits = hits;
    s->floor = s->run_begin = s->run_end = 0;
    if (key.len > 0 && gs_privacy_scan_member(s, key))
        return;
    for (;;) {
        uint64_t groups = 0;
        at = next_place(s, at, &groups);
        if (at + 3 > text.len)
            return;
        size_t next = at + 1;
        const size_t n_before = hits->len;
        gs_privacy_look_fn *last = NULL;
        for (size_t i = 0; groups; i++, groups >>= 1)
            if (groups & 1 && s->look[i] != last) {
                const size_t end = s->look[i](s, at);
                last = s->look[i];
                next = GS_MAX(next, end);
            }
        if (hits->len > n_before && next > at + 1)
            s->floor = next;
        at = next;
    }
}

size_t gs_privacy_scan_hit(struct gs_privacy_scan *s, size_t begin, size_t end, enum gs_detector d)
{
    const struct gs_privacy_hit hit = {begin, end, d};

    if (gs_privacy_scan_wants(s, d))
        gs_buf_put(s->hits, &hit, sizeof(hit));
    return end;
}

/* ---- looking ---- */

bool gs_privacy_has(const struct gs_privacy_scan *s, size_t at, const char *what)
{
    const size_t n = strlen(what);
    return at <= s->text.len && n <= s->text.len - at && memcmp(s->text.ptr + at, what, n) == 0;
}

bool gs_privacy_has_any_case(const struct gs_privacy_scan *s, size_t at, const char *what)
{
    for (; *what; what++, at++) {
        const char c = gs_privacy_at(s, at);
        if ((gs_privacy_is(c, GS_PRIVACY_UPPER) ? (char)(c | 0x20) : c) != *what)
            return false;
    }
    return true;
}

size_t gs_privacy_skip(const struct gs_privacy_scan *s, size_t at, unsigned classes, size_t max)
{
    const size_t end = GS_MIN(s->text.len - at, max) + at;

    while (at < end && gs_privacy_is(s->text.ptr[at], classes))
        at++;
    return at;
}

size_t gs_privacy_word_end(struct gs_privacy_scan *s, size_t at)
{
    if (at < s->run_begin || at >= s->run_end) {
        s->run_begin = at;
        s->run_end = gs_privacy_skip(s, at, GS_PRIVACY_WORD, SIZE_MAX - at);
    }
    return s->run_end;
}

/* Is the letter at `at` that of an escape? */
static bool is_escape(const struct gs_privacy_scan *s, size_t at)
{
    const char c = gs_privacy_at(s, at);
    size_t n = 0;

    if (c != 'n' && c != 't' && c != 'r')
        return false;
    while (n < at && n < 8 && s->text.ptr[at - n - 1] == '\\')
        n++;
    return n % 2 == 1 || n == 8;
}

bool gs_privacy_begins_word(const struct gs_privacy_scan *s, size_t at)
{
    return at == 0 || !gs_privacy_is(s->text.ptr[at - 1], GS_PRIVACY_ALNUM) || is_escape(s, at - 1);
}

size_t gs_privacy_past_escape(const struct gs_privacy_scan *s, size_t at)
{
    return is_escape(s, at) ? at + 1 : at;
}

/* ---- what a value is like ---- */

bool gs_privacy_is_varied(struct gs_slice s, size_t n)
{
    bool seen[256] = {false};
    size_t found = 0;

    for (size_t i = 0; i < s.len && found < n; i++) {
        bool *was = &seen[(unsigned char)s.ptr[i]];
        found += !*was;
        *was = true;
    }
    return found >= n;
}

bool gs_privacy_is_random(struct gs_slice s)
{
    size_t n_digits = 0, n_letters = 0, run = 0, longest = 0;

    if (s.len < 16 || !gs_privacy_is_varied(s, 8))
        return false;
    for (size_t i = 0; i < s.len; i++) {
        const bool is_lower = gs_privacy_is(s.ptr[i], GS_PRIVACY_LOWER);
        const bool goes_on = i > 0 && gs_privacy_is(s.ptr[i], GS_PRIVACY_LETTER) &&
                             gs_privacy_is(s.ptr[i - 1], GS_PRIVACY_LETTER) &&
                             is_lower == gs_privacy_is(s.ptr[i - 1], GS_PRIVACY_LOWER);
        n_digits += gs_privacy_is(s.ptr[i], GS_PRIVACY_DIGIT);
        n_letters += gs_privacy_is(s.ptr[i], GS_PRIVACY_LETTER);
        run = goes_on ? run + 1 : 1;
        longest = GS_MAX(longest, run);
    }
    return n_digits >= 2 && n_letters >= 4 && longest <= 7 + s.len / 16;
}

static bool is_one_of(struct gs_slice s, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct gs_slice word = gs_slice_str(words[i]);
        size_t at = 0;
        while (at < s.len && at < word.len && (s.ptr[at] | 0x20) == word.ptr[at])
            at++;
        if (at == s.len && at == word.len)
            return true;
    }
    return false;
}

/* Has it one of these, whatever the case? Lower case letters only; `s` is short. */
static bool holds(struct gs_slice s, const char *word)
{
    const struct gs_slice w = gs_slice_str(word);

    for (size_t i = 0; i + w.len <= s.len; i++) {
        size_t at = 0;
        while (at < w.len && (s.ptr[i + at] | 0x20) == w.ptr[at])
            at++;
        if (at == w.len)
            return true;
    }
    return false;
}

static bool has_digit(struct gs_slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (gs_privacy_is(s.ptr[i], GS_PRIVACY_DIGIT))
            return true;
    return false;
}

/* ${VAR}, $VAR, <password>, {{ password }}, %VAR%, %s, [password], (none), a...b */
static bool is_reference(struct gs_slice s)
{
    static const char opening[] = "<{[(%", closing[] = ">}])%";
    const char *found = s.ptr[0] ? strchr(opening, s.ptr[0]) : NULL;
    size_t name = s.ptr[0] == '$';

    if (found && (s.ptr[s.len - 1] == closing[found - opening] || s.ptr[1] == '('))
        return true;
    while (name > 0 && name < s.len &&
           (gs_privacy_is(s.ptr[name], GS_PRIVACY_ALNUM) || s.ptr[name] == '_'))
        name++;
    return name == s.len || gs_slice_find(s, GS_SLICE_LIT("${"), 0) != SIZE_MAX ||
           gs_slice_find(s, GS_SLICE_LIT("{{"), 0) != SIZE_MAX ||
           gs_slice_find(s, GS_SLICE_LIT("$("), 0) != SIZE_MAX ||
           gs_slice_find(s, GS_SLICE_LIT("..."), 0) != SIZE_MAX;
}

bool gs_privacy_is_placeholder(struct gs_slice s)
{
    /* with bit 0x20 set, as is_one_of() compares: '_' is 0x7f */
    static const char *const words[] = {
        "password",  "passwd",   "pass",      "pwd",      "passwort", "kennwort",  "passphrase",
        "secret",    "changeme", "change-me", "string",   "text",     "example",   "sample",
        "test",      "testing",  "dummy",     "none",     "null",     "undefined", "true",
        "false",     "required", "optional",  "hidden",   "unknown",  "default",   "token",
        "value",     "username", "user",      "admin",    "root",     "empty",     "local",
        "foobar",    "object",   "boolean",   "number",   "bearer",   "basic",     "plain",
        "plaintext", "current",  "enabled",   "disabled", "invalid",  "missing",   "placeholder",
    };
    static const char *const parts[] = {"redacted", "your",  "placeholder", "example", "change",
                                        "xxxx",     "dummy", "process.env", "environ", "getenv"};

    if (s.len < 4 || !gs_privacy_is_varied(s, 3) || is_reference(s))
        return true;
    if (is_one_of(s, words, GS_COUNT_OF(words)))
        return true;
    const struct gs_slice head = gs_slice_sub(s, 0, LOOK_HEAD);
    for (size_t i = 0; i < GS_COUNT_OF(parts); i++)
        if (holds(head, parts[i]))
            return true;
    return !has_digit(head) && (holds(head, "password") || holds(head, "passwd"));
}
