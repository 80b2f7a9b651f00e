/* Walking JSON by recursive descent; what is no JSON is refused, so that nothing hides behind it.
 * Only strings with escapes are copied. */
#include "privacy/walk.h"

#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/slice.h"
#include "privacy/scan.h"

#define ONES       UINT64_C(0x0101010101010101)
#define HIGHS      UINT64_C(0x8080808080808080)
#define MIN_BINARY 512

enum mode {
    MODE_API,    /* structure: members are told apart by their names */
    MODE_NAME,   /* one of those names: is looked at and may not be changed */
    MODE_DATA,   /* all of it is looked at and may be changed */
    MODE_FIXED,  /* is looked at, and may not */
    MODE_OPAQUE, /* strings are passed over */
};

struct walker {
    struct gs_slice text;
    size_t at;
    int depth;
    bool is_turn;             /* in the messages */
    gs_privacy_string_fn *fn; /* NULL: find out whether it is JSON */
    void *ud;
    struct gs_buf *decoded;          /* [0] of the body's strings, [1] of JSON in one */
    struct gs_privacy_cursor *outer; /* JSON in a string */
    struct gs_error *err;
};

static enum gs_status walk_value(struct walker *w, enum mode mode, struct gs_slice key);

/* ---- members of the APIs ---- */

static bool is_among(struct gs_slice key, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (gs_slice_eq_str(key, names[i]))
            return true;
    return false;
}

/* What the provider made up or has to find again. */
static bool is_opaque(struct gs_slice key)
{
    static const char *const names[] = {
        "model",       "id",           "type",
        "role",        "name",         "object",
        "status",      "call_id",      "tool_use_id",
        "item_id",     "signature",    "tool_call_id",
        "response_id", "media_type",   "encrypted_content",
        "mime_type",   "images",       "previous_response_id",
        "file_id",     "conversation", "thought_signature",
        "mimeType",    "b64_json",     "thoughtSignature",
        "container",   "tool_name",    "finish_reason",
    };
    return is_among(key, names, GS_COUNT_OF(names));
}

/* What the provider has to make use of. */
static bool is_fixed(struct gs_slice key)
{
    static const char *const names[] = {
        "url",      "image_url", "authorization", "authorization_token",
        "file_url", "headers",   "server_url"};
    return is_among(key, names, GS_COUNT_OF(names));
}

static bool is_data(struct gs_slice key)
{
    static const char *const names[] = {"arguments", "args",       "parameters", "input_schema",
                                        "schema",    "properties", "input"};
    return is_among(key, names, GS_COUNT_OF(names));
}

/* Of a member's value in the structure, of which `first` is the first byte. */
static enum mode mode_of(struct gs_slice key, char first)
{
    if (is_opaque(key))
        return first == '"' || (first == '[' && gs_slice_eq_str(key, "images")) ? MODE_OPAQUE
                                                                                : MODE_API;
    if (is_fixed(key))
        return first == '{' && gs_slice_eq_str(key, "image_url") ? MODE_API : MODE_FIXED;
    return first == '{' && is_data(key) ? MODE_DATA : MODE_API;
}

static bool is_base64(struct gs_slice s)
{
    for (size_t i = 0; i < s.len; i++) /* '/' may be escaped */
        if (!gs_privacy_is(s.ptr[i], GS_PRIVACY_WORD | GS_PRIVACY_PLUS) && s.ptr[i] != '\\')
            return false;
    return true;
}

/* An image or the like: a data: URL, or what is too long for a key where the APIs have base64. */
static bool is_binary(struct gs_slice raw, struct gs_slice key, enum mode mode)
{
    if (gs_slice_starts(raw, GS_SLICE_LIT("data:"))) {
        const struct gs_slice mark = GS_SLICE_LIT(";base64,");
        const size_t at = gs_slice_find(gs_slice_sub(raw, 0, 128), mark, 0);
        return at != SIZE_MAX && is_base64(gs_slice_sub(raw, at + mark.len, raw.len));
    }
    return mode == MODE_API && raw.len >= MIN_BINARY && gs_slice_eq_str(key, "data") &&
           is_base64(raw);
}

/* ---- strings ---- */

static uint64_t has_byte(uint64_t v, unsigned char c)
{
    const uint64_t x = v ^ (ONES * c);
    return (x - ONES) & ~x & HIGHS;
}

/* Which byte of a word that was loaded from memory has the first high bit. Those behind it may be
 * wrong, so that the order of bytes matters. */
static size_t first_byte(uint64_t highs)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return (size_t)__builtin_ctzll(highs) / 8;
#else
#error "bytes of a word are looked at from its low end"
#endif
}

/* The first '"' or '\\' at or after `at`; text.len if there is none. */
static size_t find_special(struct gs_slice s, size_t at)
{
    for (; s.len - at >= 8; at += 8) {
        uint64_t v;
        memcpy(&v, s.ptr + at, 8);
        const uint64_t found = has_byte(v, '"') | has_byte(v, '\\');
        if (found)
            return at + first_byte(found);
    }
    while (at < s.len && s.ptr[at] != '"' && s.ptr[at] != '\\')
        at++;
    return at;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four digits of \uXXXX at `at`, or -1. */
static int32_t hex4(struct gs_slice s, size_t at)
{
    int32_t v = 0;

    if (s.len < 4 || at > s.len - 4)
        return -1;
    for (size_t i = at; i < at + 4; i++) {
        const int digit = hex_value(s.ptr[i]);
        if (digit < 0)
            return -1;
        v = v << 4 | digit;
    }
    return v;
}

/* \uXXXX, or two of them that are one character. */
static size_t read_unicode(struct gs_slice s, size_t at, char out[4], size_t *out_n)
{
    int32_t high = hex4(s, at + 2);
    size_t len = 6;

    if (high < 0)
        return 0;
    if (high >= 0xd800 && high < 0xe000) {
        const bool has_low =
            high < 0xdc00 && s.len - at >= 12 && s.ptr[at + 6] == '\\' && s.ptr[at + 7] == 'u';
        const int32_t low = has_low ? hex4(s, at + 8) : -1;
        const bool is_pair = low >= 0xdc00 && low < 0xe000;
        high = is_pair ? 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00) : 0xfffd;
        len = is_pair ? 12 : 6;
    }
    *out_n = gs_utf8_encode((uint32_t)high, out);
    return len;
}

/* Decode the escape at `at`: its length, 0 if it is none; *out_n bytes are put in `out`. */
static size_t read_escape(struct gs_slice s, size_t at, char out[4], size_t *out_n)
{
    static const char bytes[256] = {['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
                                    ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t'};

    if (s.len - at < 2)
        return 0;
    out[0] = bytes[(unsigned char)s.ptr[at + 1]];
    *out_n = 1;
    if (out[0])
        return 2;
    return s.ptr[at + 1] == 'u' ? read_unicode(s, at, out, out_n) : 0;
}

static enum gs_status refuse(struct walker *w, const char *why)
{
    return gs_error_set(w->err, GS_EFORMAT, "invalid JSON at byte %zu: %s", w->at, why);
}

/* The string that begins at w->at, without its quotes. */
static enum gs_status read_raw(struct walker *w, struct gs_slice *out_raw, bool *out_escaped)
{
    const size_t begin = w->at + 1;
    size_t at = find_special(w->text, begin);

    *out_escaped = false;
    while (at < w->text.len && w->text.ptr[at] == '\\') {
        char bytes[4];
        size_t n;
        const size_t len = read_escape(w->text, at, bytes, &n);
        w->at = at;
        if (len == 0)
            return refuse(w, "an escape that there is not");
        *out_escaped = true;
        at = find_special(w->text, at + len);
    }
    if (at >= w->text.len || w->text.ptr[at] != '"')
        return refuse(w, "a string does not end");
    *out_raw = gs_slice(w->text.ptr + begin, at - begin);
    w->at = at + 1;
    return GS_OK;
}

static enum gs_status decode(struct walker *w, struct gs_slice raw, struct gs_slice *out_text)
{
    struct gs_buf *b = w->decoded;
    size_t at = 0;

    gs_buf_reset(b);
    char *to = gs_buf_reserve(b, raw.len);
    if (!to)
        return gs_error_nomem(w->err, "read a string");
    const char *begin = to;
    while (at < raw.len) {
        const size_t next = find_special(raw, at);
        memcpy(to, raw.ptr + at, next - at);
        to += next - at;
        at = next;
        if (at >= raw.len)
            break;
        char bytes[4];
        size_t n = 0;
        at += read_escape(raw, at, bytes, &n);
        memcpy(to, bytes, n);
        to += n;
    }
    *out_text = gs_slice(begin, (size_t)(to - begin));
    return GS_OK;
}

/* ---- values ---- */

static void skip_space(struct walker *w)
{
    while (w->at < w->text.len && (w->text.ptr[w->at] == ' ' || w->text.ptr[w->at] == '\n' ||
                                   w->text.ptr[w->at] == '\r' || w->text.ptr[w->at] == '\t'))
        w->at++;
}

/* The next byte after white space, 0 at the end. */
static char peek(struct walker *w)
{
    skip_space(w);
    return w->at < w->text.len ? w->text.ptr[w->at] : '\0';
}

static enum gs_status walk_text(struct walker *w, enum mode mode)
{
    enum gs_status st = walk_value(w, mode, (struct gs_slice){0});
    if (st == GS_OK && peek(w) != '\0')
        st = refuse(w, "there is more behind the value");
    if (st == GS_OK && w->at < w->text.len)
        st = refuse(w, "a zero byte");
    return st;
}

/* GS_ELIMIT: it may be, and what is in it cannot be told. */
static enum gs_status is_json(struct gs_slice text, struct gs_error *err, bool *out_is)
{
    struct walker w = {.text = text, .err = err};
    const char first = peek(&w);
    const enum gs_status st = first == '{' || first == '[' ? walk_text(&w, MODE_DATA) : GS_EFORMAT;

    *out_is = st == GS_OK;
    return st == GS_EFORMAT ? GS_OK : st;
}

static enum gs_status say(struct walker *w, struct gs_slice raw, bool is_escaped,
                          struct gs_slice key, enum mode mode)
{
    struct gs_privacy_string s = {
        .text = raw,
        .key = key,
        .is_fixed = mode == MODE_FIXED || mode == MODE_NAME,
        .is_name = mode == MODE_NAME,
        .is_turn = w->is_turn,
        .own = {.raw = raw, .begin = (size_t)(raw.ptr - w->text.ptr)},
        .outer = w->outer,
    };
    enum gs_status st = GS_OK;
    bool is_inner = false;

    if (is_escaped)
        st = decode(w, raw, &s.text);
    if (st == GS_OK && !w->outer && mode == MODE_API && gs_slice_eq_str(key, "arguments"))
        st = is_json(s.text, w->err, &is_inner);
    if (st != GS_OK)
        return st;
    if (is_inner) {
        struct walker inner = {.text = s.text,
                               .fn = w->fn,
                               .ud = w->ud,
                               .is_turn = w->is_turn,
                               .decoded = w->decoded + 1,
                               .outer = &s.own,
                               .err = w->err};
        return walk_text(&inner, MODE_DATA);
    }
    return w->fn(w->ud, &s);
}

static enum gs_status walk_string(struct walker *w, enum mode mode, struct gs_slice key)
{
    struct gs_slice raw;
    bool is_escaped;
    const enum gs_status st = read_raw(w, &raw, &is_escaped);

    if (st != GS_OK || !w->fn || mode == MODE_OPAQUE || raw.len == 0 || is_binary(raw, key, mode))
        return st;
    return say(w, raw, is_escaped, key, mode);
}

/* Numbers are told as texts that cannot be changed; words (true, null) are not. */
static enum gs_status walk_scalar(struct walker *w, struct gs_slice key)
{
    const size_t begin = w->at;

    while (w->at < w->text.len && !strchr(",]} \n\r\t\":[{", w->text.ptr[w->at]))
        w->at++;
    const struct gs_slice raw = gs_slice(w->text.ptr + begin, w->at - begin);
    const char first = raw.len > 0 ? raw.ptr[0] : '\0';
    if (first == '-' || (first >= '0' && first <= '9'))
        return w->fn ? say(w, raw, false, key, MODE_FIXED) : GS_OK;
    if (gs_slice_eq_str(raw, "true") || gs_slice_eq_str(raw, "false") ||
        gs_slice_eq_str(raw, "null"))
        return GS_OK;
    w->at = begin;
    return refuse(w, "expected a value");
}

static enum gs_status walk_member(struct walker *w, enum mode mode)
{
    struct gs_slice key;
    bool is_escaped;

    if (peek(w) != '"')
        return refuse(w, "expected a name");
    enum gs_status st = read_raw(w, &key, &is_escaped);
    if (st == GS_OK && w->fn && mode != MODE_OPAQUE && key.len > 0)
        st = say(w, key, is_escaped, (struct gs_slice){0},
                 mode == MODE_DATA ? MODE_DATA : MODE_NAME);
    if (st != GS_OK)
        return st;
    if (peek(w) != ':')
        return refuse(w, "expected a colon");
    w->at++;
    if (w->depth == 1 && !w->outer)
        w->is_turn = gs_slice_eq_str(key, "messages") || gs_slice_eq_str(key, "input");
    return walk_value(w, mode == MODE_API ? mode_of(key, peek(w)) : mode, key);
}

static enum gs_status walk_items(struct walker *w, enum mode mode, struct gs_slice key)
{
    const bool is_object = w->text.ptr[w->at] == '{';
    const char end = is_object ? '}' : ']';
    enum gs_status st = GS_OK;

    if (++w->depth > GS_MAX_JSON_DEPTH)
        return gs_error_set(w->err, GS_ELIMIT, "JSON is nested more than %d deep",
                            GS_MAX_JSON_DEPTH);
    w->at++;
    if (peek(w) != end) {
        for (;;) {
            st = is_object ? walk_member(w, mode) : walk_value(w, mode, key);
            if (st != GS_OK)
                return st;
            if (peek(w) != ',')
                break;
            w->at++;
        }
        if (peek(w) != end)
            return refuse(w, "expected a comma or the end");
    }
    w->at++;
    w->depth--;
    return GS_OK;
}

static enum gs_status walk_value(struct walker *w, enum mode mode, struct gs_slice key)
{
    switch (peek(w)) {
    case '{':
    case '[':
        return walk_items(w, mode, key);
    case '"':
        return walk_string(w, mode, key);
    default:
        return walk_scalar(w, key);
    }
}

enum gs_status gs_privacy_walk(struct gs_slice body, bool is_data, gs_privacy_string_fn *fn,
                               void *ud, struct gs_error *err)
{
    struct gs_buf decoded[2];
    struct walker w = {.text = body, .fn = fn, .ud = ud, .decoded = decoded, .err = err};

    for (size_t i = 0; i < GS_COUNT_OF(decoded); i++)
        gs_buf_init(&decoded[i], GS_MAX_TEXT_BYTES);
    const enum gs_status st = walk_text(&w, is_data ? MODE_DATA : MODE_API);
    for (size_t i = 0; i < GS_COUNT_OF(decoded); i++)
        gs_buf_clear(&decoded[i]);
    return st;
}

/* ---- places ---- */

static size_t follow(struct gs_privacy_cursor *c, size_t off)
{
    while (c->text_at < off && c->at < c->raw.len) {
        char bytes[4];
        size_t n = 1, len = 1;
        if (c->raw.ptr[c->at] == '\\')
            len = read_escape(c->raw, c->at, bytes, &n);
        c->at += len;
        c->text_at += n;
    }
    return c->begin + c->at;
}

size_t gs_privacy_place(struct gs_privacy_string *s, size_t off)
{
    const size_t place = follow(&s->own, off);
    return s->outer ? follow(s->outer, place) : place;
}
