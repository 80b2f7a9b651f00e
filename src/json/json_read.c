/* Reading JSON (RFC 8259) in one pass, straight into the arena.
 *
 * Members and items of open objects and arrays wait on one stack; when one closes, its part of the
 * stack moves to the arena. Two things that real clients send are taken although strict readers
 * refuse them: whole numbers beyond int64 (they become REAL) and lone surrogate escapes, which
 * JavaScript strings may hold (they become U+FFFD). */
#include "json/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/slice.h"

#define FEW_MEMBERS 16 /* looked through one by one for duplicates */

struct reader {
    struct gs_slice text;
    size_t at;
    int depth;
    struct gs_arena *a;
    struct gs_buf stack; /* of struct gs_json_member; items of arrays have no key */
    struct gs_error *err;
};

static enum gs_status read_value(struct reader *r, struct gs_json *out);

static enum gs_status no_memory(struct reader *r)
{
    return gs_error_nomem(r->err, "read JSON");
}

static enum gs_status refuse_at(struct reader *r, size_t at, const char *why)
{
    struct gs_error where = {.code = GS_OK};

    gs_error_pos_in(&where, "JSON", r->text, at);
    gs_error_set(r->err, GS_EFORMAT, "invalid JSON at line %d, column %d: %s", where.line,
                 where.col, why);
    gs_error_pos(r->err, "JSON", where.line, where.col);
    return GS_EFORMAT;
}

static enum gs_status refuse(struct reader *r, const char *why)
{
    return refuse_at(r, r->at, r->at < r->text.len ? why : "the text ends too early");
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void skip_space(struct reader *r)
{
    while (r->at < r->text.len && is_space(r->text.ptr[r->at]))
        r->at++;
}

/* The next byte after white space, 0 at the end. */
static char peek(struct reader *r)
{
    skip_space(r);
    return r->at < r->text.len ? r->text.ptr[r->at] : '\0';
}

/* ---- strings ---- */

static bool read_hex4(struct gs_slice s, size_t at, uint32_t *out)
{
    uint32_t v = 0;

    if (s.len < 4 || at > s.len - 4)
        return false;
    for (size_t i = at; i < at + 4; i++) {
        const char c = s.ptr[i];
        const char lower = (char)(c | 0x20);
        if (c >= '0' && c <= '9')
            v = v << 4 | (uint32_t)(c - '0');
        else if (lower >= 'a' && lower <= 'f')
            v = v << 4 | (uint32_t)(lower - 'a' + 10);
        else
            return false;
    }
    *out = v;
    return true;
}

/* Decode the \u escape whose digits begin at *at; its low half, if it has one, too. */
static bool read_unicode(struct gs_slice s, size_t *at, char *out, size_t *n)
{
    uint32_t cp;
    uint32_t low;

    if (!read_hex4(s, *at, &cp))
        return false;
    *at += 4;
    if (cp >= 0xD800 && cp <= 0xDBFF &&
        gs_slice_starts(gs_slice_sub(s, *at, s.len), GS_SLICE_LIT("\\u")) &&
        read_hex4(s, *at + 2, &low) && low >= 0xDC00 && low <= 0xDFFF) {
        cp = 0x10000 + ((cp - 0xD800) << 10) + (low - 0xDC00);
        *at += 6;
    }
    if (cp >= 0xD800 && cp <= 0xDFFF)
        cp = 0xFFFD;
    *n += gs_utf8_encode(cp, out + *n);
    return true;
}

/* Decode the escapes of raw into out, which has room for raw.len bytes; false for a bad escape,
 * *at_bad its offset. */
static bool unescape(struct gs_slice raw, char *out, size_t *out_len, size_t *at_bad)
{
    static const char names[] = "\"\\/bfnrt";
    static const char values[] = "\"\\/\b\f\n\r\t";
    size_t n = 0;

    for (size_t i = 0; i < raw.len;) {
        const char *const mark = memchr(raw.ptr + i, '\\', raw.len - i);
        const size_t plain = mark ? (size_t)(mark - raw.ptr) - i : raw.len - i;
        memcpy(out + n, raw.ptr + i, plain);
        n += plain;
        i += plain;
        if (!mark)
            break;
        *at_bad = i;
        const char c = raw.ptr[i + 1]; /* a string never ends in a lone backslash */
        const char *name = memchr(names, c, sizeof(names) - 1);
        i += 2;
        if (name)
            out[n++] = values[name - names];
        else if (c != 'u' || !read_unicode(raw, &i, out, &n))
            return false;
    }
    *out_len = n;
    return true;
}

/* Find the quote that ends the string whose text begins at `at`. */
static enum gs_status find_end(struct reader *r, size_t at, size_t *out_end, bool *out_escaped)
{
    const struct gs_slice text = r->text;
    uint32_t cp;

    *out_escaped = false;
    for (;;) {
        at = gs_slice_plain_end(text, at);
        if (at >= text.len)
            return refuse_at(r, r->at, "a string that does not end");
        const unsigned char c = (unsigned char)text.ptr[at];
        if (c == '"')
            break;
        if (c < 0x20)
            return refuse_at(r, at, "a control character in a string");
        if (c == '\\') {
            const char next = at + 1 < text.len ? text.ptr[at + 1] : '\0';
            *out_escaped = true;
            at += next == '"' || next == '\\' ? 2 : 1;
            continue;
        }
        const size_t n = gs_utf8_decode(text, at, &cp);
        if (cp == 0xFFFD && n == 1)
            return refuse_at(r, at, "a string that is not UTF-8");
        at += n;
    }
    *out_end = at;
    return GS_OK;
}

/* A string whose opening quote is at r->at. */
static enum gs_status read_string(struct reader *r, struct gs_slice *out)
{
    const size_t begin = r->at + 1;
    size_t end = begin;
    size_t at_bad;
    bool escaped;

    const enum gs_status st = find_end(r, begin, &end, &escaped);
    if (st != GS_OK)
        return st;
    const struct gs_slice raw = gs_slice_sub(r->text, begin, end);
    r->at = end + 1;
    if (!escaped)
        return gs_arena_dup(r->a, raw, out) ? GS_OK : no_memory(r);
    char *text = gs_arena_alloc(r->a, raw.len + 1);
    if (!text)
        return no_memory(r);
    if (!unescape(raw, text, &out->len, &at_bad))
        return refuse_at(r, begin + at_bad, "an escape that JSON does not have");
    text[out->len] = '\0';
    out->ptr = text;
    return GS_OK;
}

/* ---- numbers ---- */

static size_t skip_digits(struct gs_slice s, size_t at)
{
    while (at < s.len && s.ptr[at] >= '0' && s.ptr[at] <= '9')
        at++;
    return at;
}

/* End of the number at `at`, or `at` if there is none; *is_whole: no fraction, no exponent. */
static size_t number_end(struct gs_slice s, size_t at, bool *is_whole)
{
    const size_t digits = at + (at < s.len && s.ptr[at] == '-');
    size_t end = skip_digits(s, digits);

    *is_whole = true;
    if (end == digits || (s.ptr[digits] == '0' && end > digits + 1))
        return at;
    if (end < s.len && s.ptr[end] == '.') {
        const size_t fraction = end + 1;
        end = skip_digits(s, fraction);
        *is_whole = false;
        if (end == fraction)
            return at;
    }
    if (end < s.len && (s.ptr[end] | 0x20) == 'e') {
        size_t exponent = end + 1;
        exponent += exponent < s.len && (s.ptr[exponent] == '+' || s.ptr[exponent] == '-');
        end = skip_digits(s, exponent);
        *is_whole = false;
        if (end == exponent)
            return at;
    }
    return end;
}

static enum gs_status read_number(struct reader *r, struct gs_json *out)
{
    bool is_whole;
    const size_t end = number_end(r->text, r->at, &is_whole);
    const struct gs_slice s = gs_slice_sub(r->text, r->at, end);
    struct gs_slice copy; /* strtod wants a terminator */

    if (s.len == 0)
        return refuse(r, "expected a value");
    if (is_whole && gs_slice_to_i64(s, &out->u.integer)) {
        out->kind = GS_JSON_INT;
        r->at = end;
        return GS_OK;
    }
    if (!gs_arena_dup(r->a, s, &copy))
        return no_memory(r);
    out->u.real = strtod(copy.ptr, NULL);
    if (isinf(out->u.real))
        return refuse(r, "a number too large");
    out->kind = GS_JSON_REAL;
    r->at = end;
    return GS_OK;
}

/* ---- arrays and objects ---- */

static size_t stack_len(const struct reader *r)
{
    return r->stack.len / sizeof(struct gs_json_member);
}

static struct gs_json_member *stack_from(const struct reader *r, size_t base)
{
    return (struct gs_json_member *)(void *)r->stack.ptr + base;
}

static enum gs_status close_array(struct reader *r, size_t base, struct gs_json *out)
{
    const size_t n = stack_len(r) - base;
    struct gs_json *items = gs_arena_array(r->a, n, sizeof(*items));

    if (!items)
        return no_memory(r);
    for (size_t i = 0; i < n; i++)
        items[i] = stack_from(r, base)[i].value;
    *out = (struct gs_json){.kind = GS_JSON_ARRAY, .u.array = {.items = items, .len = n}};
    return GS_OK;
}

/* The earlier member of this key, or NULL; many members are found through `map`. */
static struct gs_json_member *earlier(struct gs_map *map, struct gs_json_member *members, size_t n,
                                      struct gs_slice key)
{
    if (map->entries)
        return gs_map_get(map, key);
    for (size_t i = 0; i < n; i++)
        if (gs_slice_eq(members[i].key, key))
            return &members[i];
    return NULL;
}

/* Of duplicate keys the last value wins, in the first one's place. */
static enum gs_status close_object(struct reader *r, size_t base, struct gs_json *out)
{
    const size_t n = stack_len(r) - base;
    struct gs_json_member *members = gs_arena_array(r->a, n, sizeof(*members));
    enum gs_status st = GS_OK;
    struct gs_map map;
    size_t kept = 0;

    if (!members)
        return no_memory(r);
    gs_map_init(&map, n);
    for (size_t i = 0; i < n && st == GS_OK; i++) {
        const struct gs_json_member *m = &stack_from(r, base)[i];
        struct gs_json_member *old = earlier(&map, members, kept, m->key);
        if (old) {
            old->value = m->value;
            continue;
        }
        members[kept] = *m;
        if (n > FEW_MEMBERS && !gs_map_put(&map, m->key, &members[kept]))
            st = no_memory(r);
        kept++;
    }
    gs_map_clear(&map);
    *out = (struct gs_json){.kind = GS_JSON_OBJECT, .u.object = {.members = members, .len = kept}};
    return st;
}

static enum gs_status read_member(struct reader *r, bool is_object)
{
    struct gs_json_member m = {.key = {NULL, 0}};

    if (is_object) {
        if (peek(r) != '"')
            return refuse(r, "expected a key in quotes");
        const enum gs_status st = read_string(r, &m.key);
        if (st != GS_OK)
            return st;
        if (peek(r) != ':')
            return refuse(r, "expected ':'");
        r->at++;
    }
    const enum gs_status st = read_value(r, &m.value);
    if (st != GS_OK)
        return st;
    gs_buf_put(&r->stack, &m, sizeof(m));
    return gs_buf_ok(&r->stack) ? GS_OK : no_memory(r);
}

static enum gs_status read_container(struct reader *r, struct gs_json *out)
{
    const bool is_object = r->text.ptr[r->at] == '{';
    const char close = is_object ? '}' : ']';
    const size_t base = stack_len(r);
    enum gs_status st;

    if (r->depth == GS_MAX_JSON_DEPTH)
        return gs_error_set(r->err, GS_ELIMIT, "JSON is nested deeper than %d levels",
                            GS_MAX_JSON_DEPTH);
    r->depth++;
    r->at++;
    for (bool is_first = true; peek(r) != close || !is_first; is_first = false) {
        st = read_member(r, is_object);
        if (st != GS_OK)
            return st;
        const char next = peek(r);
        if (next == close)
            break;
        if (next != ',')
            return refuse(r, is_object ? "expected ',' or '}'" : "expected ',' or ']'");
        r->at++;
    }
    r->at++;
    r->depth--;
    st = is_object ? close_object(r, base, out) : close_array(r, base, out);
    r->stack.len = base * sizeof(struct gs_json_member);
    return st;
}

/* ---- values ---- */

static enum gs_status read_word(struct reader *r, struct gs_json *out)
{
    static const struct {
        struct gs_slice word;
        struct gs_json value;
    } words[] = {
        {{"null", 4}, {.kind = GS_JSON_NULL}},
        {{"true", 4}, {.kind = GS_JSON_BOOL, .u.boolean = true}},
        {{"false", 5}, {.kind = GS_JSON_BOOL, .u.boolean = false}},
    };

    for (size_t i = 0; i < GS_COUNT_OF(words); i++) {
        if (gs_slice_starts(gs_slice_sub(r->text, r->at, r->text.len), words[i].word)) {
            *out = words[i].value;
            r->at += words[i].word.len;
            return GS_OK;
        }
    }
    return refuse(r, "expected a value");
}

static enum gs_status read_value(struct reader *r, struct gs_json *out)
{
    switch (peek(r)) {
    case '{':
    case '[':
        return read_container(r, out);
    case '"':
        out->kind = GS_JSON_STRING;
        return read_string(r, &out->u.string);
    case 'n':
    case 't':
    case 'f':
        return read_word(r, out);
    default:
        return read_number(r, out);
    }
}

enum gs_status gs_json_parse(struct gs_slice text, struct gs_arena *a, struct gs_json *out,
                             struct gs_error *err)
{
    struct reader r = {.text = text, .a = a, .err = err};
    struct gs_json top = {.kind = GS_JSON_NULL};

    gs_buf_init(&r.stack, SIZE_MAX / 2);
    enum gs_status st = read_value(&r, &top);
    skip_space(&r);
    if (st == GS_OK && r.at < text.len)
        st = refuse(&r, "expected the end of the text");
    gs_buf_clear(&r.stack);
    if (st == GS_OK)
        *out = top;
    return st;
}
