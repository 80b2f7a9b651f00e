/* Regular expressions (ECMA-262, 22.2) as patterns. Anchors are allowed where an alternative of the
 * whole expression begins and ends; everything that is not regular is refused by name. */
#include "constraint/compile.h"
#include "constraint/pattern.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/slice.h"

struct reader {
    struct gs_slice text;
    size_t at;
    size_t depth;
    struct gs_arena *a;
    struct gs_error *err;
    enum gs_status st;
};

static enum gs_status fail(struct reader *r, enum gs_status st, const char *what)
{
    if (r->st == GS_OK)
        r->st = gs_error_set(r->err, st, "regular expression, at byte %zu: %s", r->at, what);
    return r->st;
}

static struct gs_pattern *new_pattern(struct reader *r, enum gs_pattern_kind kind)
{
    struct gs_pattern *p = gs_pattern_new(r->a, kind);

    if (!p && r->st == GS_OK)
        r->st = gs_error_nomem(r->err, "read a regular expression");
    return p;
}

static void add_range(struct reader *r, struct gs_pattern *p, uint32_t lo, uint32_t hi)
{
    if (p && !gs_pattern_add_range(r->a, p, lo, hi) && r->st == GS_OK)
        r->st = gs_error_nomem(r->err, "read a regular expression");
}

static void negate(struct reader *r, struct gs_pattern *p)
{
    if (p && !gs_pattern_negate(r->a, p) && r->st == GS_OK)
        r->st = gs_error_nomem(r->err, "read a regular expression");
}

static int peek(const struct reader *r)
{
    return r->at < r->text.len ? (unsigned char)r->text.ptr[r->at] : -1;
}

static bool take(struct reader *r, char c)
{
    if (peek(r) != c)
        return false;
    r->at++;
    return true;
}

static bool take_text(struct reader *r, const char *s)
{
    if (!gs_slice_starts(gs_slice_sub(r->text, r->at, r->text.len), gs_slice_str(s)))
        return false;
    r->at += gs_slice_str(s).len;
    return true;
}

static uint32_t take_char(struct reader *r)
{
    uint32_t c = 0;

    if (r->at < r->text.len)
        r->at += gs_utf8_decode(r->text, r->at, &c);
    return c;
}

/* ---- escapes ---- */

static int hex_of(int c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static uint32_t take_hex(struct reader *r, size_t digits)
{
    uint32_t v = 0;

    for (size_t i = 0; i < digits; i++) {
        const int d = hex_of(peek(r));
        if (d < 0) {
            fail(r, GS_EFORMAT, "a hexadecimal digit is missing");
            return 0;
        }
        v = 16 * v + (uint32_t)d;
        r->at++;
    }
    return v;
}

/* \u0041, \u{1F600}, or a pair of surrogates. */
static uint32_t take_unicode(struct reader *r)
{
    if (take(r, '{')) {
        uint32_t v = 0;
        while (hex_of(peek(r)) >= 0 && v <= GS_CODE_POINT_LAST)
            v = 16 * v + (uint32_t)hex_of((unsigned char)r->text.ptr[r->at++]);
        if (!take(r, '}') || v > GS_CODE_POINT_LAST)
            fail(r, GS_EFORMAT, "a code point is not one");
        return v;
    }
    const uint32_t v = take_hex(r, 4);
    if (v >= 0xd800 && v < 0xdc00 && take_text(r, "\\u")) {
        const uint32_t low = take_hex(r, 4);
        if (low >= 0xdc00 && low < 0xe000)
            return 0x10000 + ((v - 0xd800) << 10) + (low - 0xdc00);
        fail(r, GS_EFORMAT, "half of a surrogate pair");
    }
    return v;
}

/* The ranges of \d, \w, \s; false if c is none of them. */
static bool add_class(struct reader *r, struct gs_pattern *p, uint32_t c)
{
    switch (c) {
    case 'd':
        add_range(r, p, '0', '9');
        return true;
    case 'w':
        add_range(r, p, 'a', 'z');
        add_range(r, p, 'A', 'Z');
        add_range(r, p, '0', '9');
        add_range(r, p, '_', '_');
        return true;
    case 's':
        add_range(r, p, '\t', '\r');
        add_range(r, p, ' ', ' ');
        add_range(r, p, 0xa0, 0xa0);
        add_range(r, p, 0x2028, 0x2029);
        return true;
    default:
        return false;
    }
}

/* The character that an escape stands for; the backslash is taken. */
static uint32_t take_escaped(struct reader *r)
{
    const uint32_t c = take_char(r);

    switch (c) {
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'f':
        return '\f';
    case 'v':
        return '\v';
    case '0':
        return 0;
    case 'x':
        return take_hex(r, 2);
    case 'u':
        return take_unicode(r);
    case 'c':
        return take_char(r) & 31;
    default:
        if ((c >= '1' && c <= '9') || c == 'k')
            fail(r, GS_EUNSUPPORTED, "back references are not supported");
        else if (c == 'p' || c == 'P')
            fail(r, GS_EUNSUPPORTED, "Unicode properties are not supported");
        else if (c == 'b' || c == 'B')
            fail(r, GS_EUNSUPPORTED, "word boundaries are not supported");
        return c;
    }
}

/* Behind a backslash: a class (maybe negated), added to p; or a character, *out_c. */
static bool take_class(struct reader *r, struct gs_pattern *p)
{
    const int c = peek(r);
    const bool is_negated = c == 'D' || c == 'W' || c == 'S';

    if (!is_negated) {
        const bool is_class = (c == 'd' || c == 'w' || c == 's') && add_class(r, p, (uint32_t)c);
        r->at += is_class;
        return is_class;
    }
    struct gs_pattern *rest = new_pattern(r, GS_PATTERN_CHARS);
    add_class(r, rest, (uint32_t)(c - 'A' + 'a'));
    negate(r, rest);
    for (size_t i = 0; rest && i < rest->chars.n; i++)
        add_range(r, p, rest->chars.items[i].lo, rest->chars.items[i].hi);
    r->at++;
    return true;
}

/* ---- atoms ---- */

/* One end of a range in brackets; false if it was a class. */
static bool take_set_char(struct reader *r, struct gs_pattern *p, uint32_t *out_c)
{
    if (!take(r, '\\')) {
        *out_c = take_char(r);
        return true;
    }
    if (take_class(r, p))
        return false;
    *out_c = take(r, 'b') ? '\b' : take_escaped(r);
    return true;
}

static struct gs_pattern *read_set(struct reader *r)
{
    struct gs_pattern *p = new_pattern(r, GS_PATTERN_CHARS);
    const bool is_negated = take(r, '^');

    while (r->st == GS_OK && !take(r, ']')) {
        uint32_t lo;
        uint32_t hi;
        if (peek(r) < 0) {
            fail(r, GS_EFORMAT, "a \"[\" is not closed");
            break;
        }
        if (!take_set_char(r, p, &lo))
            continue;
        hi = lo;
        if (peek(r) == '-' && r->at + 1 < r->text.len && r->text.ptr[r->at + 1] != ']') {
            r->at++;
            if (!take_set_char(r, p, &hi)) { /* [a-\d]: the dash stands for itself */
                add_range(r, p, '-', '-');
                hi = lo;
            }
        }
        if (hi < lo)
            fail(r, GS_EFORMAT, "a range is upside down");
        add_range(r, p, lo, hi);
    }
    if (is_negated)
        negate(r, p);
    return p;
}

static struct gs_pattern *read_alternatives(struct reader *r);

static struct gs_pattern *read_group(struct reader *r)
{
    if (take_text(r, "?:")) {
        /* groups are not captured anyway */
    } else if (take_text(r, "?=") || take_text(r, "?!") || take_text(r, "?<=") ||
               take_text(r, "?<!")) {
        fail(r, GS_EUNSUPPORTED, "look-around is not supported");
        return NULL;
    } else if (take_text(r, "?<")) {
        while (peek(r) >= 0 && !take(r, '>'))
            r->at++;
    }
    struct gs_pattern *p = read_alternatives(r);
    if (!take(r, ')'))
        fail(r, GS_EFORMAT, "a \"(\" is not closed");
    return p;
}

static struct gs_pattern *read_atom(struct reader *r)
{
    struct gs_pattern *p;

    if (take(r, '('))
        return read_group(r);
    if (take(r, '['))
        return read_set(r);
    if (take(r, '^'))
        return new_pattern(r, GS_PATTERN_BEGIN);
    if (take(r, '$'))
        return new_pattern(r, GS_PATTERN_END);
    p = new_pattern(r, GS_PATTERN_CHARS);
    if (take(r, '.')) {
        add_range(r, p, '\n', '\n');
        add_range(r, p, '\r', '\r');
        add_range(r, p, 0x2028, 0x2029);
        negate(r, p);
        return p;
    }
    if (take(r, '\\')) {
        if (!take_class(r, p)) {
            const uint32_t c = take_escaped(r);
            add_range(r, p, c, c);
        }
        return p;
    }
    if (peek(r) == '*' || peek(r) == '+' || peek(r) == '?')
        fail(r, GS_EFORMAT, "there is nothing to repeat");
    const uint32_t c = take_char(r);
    add_range(r, p, c, c);
    return p;
}

/* ---- repetition, sequence, alternatives ---- */

static bool take_number(struct reader *r, uint32_t *out)
{
    uint32_t v = 0;
    const size_t from = r->at;

    while (peek(r) >= '0' && peek(r) <= '9' && v <= GS_PATTERN_MAX_REPEAT)
        v = 10 * v + (uint32_t)(r->text.ptr[r->at++] - '0');
    if (v > GS_PATTERN_MAX_REPEAT)
        fail(r, GS_EUNSUPPORTED, "too many repetitions");
    *out = v;
    return r->at > from;
}

/* {m}, {m,}, {m,n}; false, and nothing taken, if the brace stands for itself. */
static bool take_bounds(struct reader *r, uint32_t *out_min, uint32_t *out_max)
{
    const size_t from = r->at;

    if (take(r, '{') && take_number(r, out_min)) {
        *out_max = *out_min;
        if (take(r, ',') && !take_number(r, out_max))
            *out_max = GS_GRAMMAR_MANY;
        if (take(r, '}'))
            return true;
    }
    r->at = from;
    return false;
}

static struct gs_pattern *read_repeated(struct reader *r)
{
    struct gs_pattern *p = read_atom(r);
    uint32_t min = 0;
    uint32_t max = GS_GRAMMAR_MANY;

    while (r->st == GS_OK) {
        if (take(r, '*')) {
            min = 0;
            max = GS_GRAMMAR_MANY;
        } else if (take(r, '+')) {
            min = 1;
            max = GS_GRAMMAR_MANY;
        } else if (take(r, '?')) {
            min = 0;
            max = 1;
        } else if (peek(r) != '{' || !take_bounds(r, &min, &max)) {
            break;
        }
        take(r, '?'); /* lazy or not, the language is the same */
        if (p && (p->kind == GS_PATTERN_BEGIN || p->kind == GS_PATTERN_END || min > max))
            fail(r, GS_EFORMAT, "this cannot be repeated");
        p = gs_pattern_repeat(r->a, p, min, max);
        if (!p && r->st == GS_OK)
            r->st = gs_error_nomem(r->err, "read a regular expression");
    }
    return p;
}

static struct gs_pattern *read_sequence(struct reader *r)
{
    struct gs_pattern *seq = new_pattern(r, GS_PATTERN_SEQ);

    while (r->st == GS_OK && peek(r) >= 0 && peek(r) != '|' && peek(r) != ')')
        gs_pattern_add(seq, read_repeated(r));
    return seq;
}

static struct gs_pattern *read_alternatives(struct reader *r)
{
    struct gs_pattern *alt = new_pattern(r, GS_PATTERN_ALT);

    if (++r->depth > GS_PATTERN_MAX_DEPTH)
        fail(r, GS_ELIMIT, "it is nested too deep");
    do {
        gs_pattern_add(alt, read_sequence(r));
    } while (r->st == GS_OK && take(r, '|'));
    r->depth--;
    return alt;
}

/* ---- anchors ---- */

static bool has_anchor(const struct gs_pattern *p)
{
    for (const struct gs_pattern *c = p->child; c; c = c->sibling)
        if (c->kind == GS_PATTERN_BEGIN || c->kind == GS_PATTERN_END || has_anchor(c))
            return true;
    return false;
}

static struct gs_pattern *anything(struct reader *r)
{
    struct gs_pattern *p = new_pattern(r, GS_PATTERN_CHARS);

    add_range(r, p, 0, GS_CODE_POINT_LAST);
    return gs_pattern_repeat(r->a, p, 0, GS_GRAMMAR_MANY);
}

/* A sequence whose open ends let anything pass. */
static struct gs_pattern *bound(struct reader *r, struct gs_pattern *seq, bool search)
{
    struct gs_pattern *out = new_pattern(r, GS_PATTERN_SEQ);
    struct gs_pattern *c = seq->child;
    bool ends = false;

    if (c && c->kind == GS_PATTERN_BEGIN)
        c = c->sibling;
    else if (search)
        gs_pattern_add(out, anything(r));
    for (struct gs_pattern *next; c; c = next) {
        next = c->sibling;
        c->sibling = NULL;
        ends = c->kind == GS_PATTERN_END && !next;
        if ((c->kind == GS_PATTERN_END && next) || c->kind == GS_PATTERN_BEGIN || has_anchor(c))
            fail(r, GS_EUNSUPPORTED, "anchors are supported only at the ends");
        if (!ends)
            gs_pattern_add(out, c);
    }
    if (!ends && search)
        gs_pattern_add(out, anything(r));
    return out;
}

enum gs_status gs_pattern_from_regex(struct gs_slice text, bool search, struct gs_arena *a,
                                     struct gs_pattern **out_p, struct gs_error *err)
{
    struct reader r = {.text = text, .a = a, .err = err};
    struct gs_pattern *read = read_alternatives(&r);
    struct gs_pattern *alt = new_pattern(&r, GS_PATTERN_ALT);

    if (r.st == GS_OK && r.at < text.len)
        fail(&r, GS_EFORMAT, "a \")\" closes nothing");
    for (struct gs_pattern *seq = read ? read->child : NULL; r.st == GS_OK && seq;
         seq = seq->sibling)
        gs_pattern_add(alt, bound(&r, seq, search));
    *out_p = alt;
    return r.st;
}

enum gs_status gs_constraint_from_regex(struct gs_slice pattern, struct gs_constraint **out_c,
                                        struct gs_error *err)
{
    struct gs_grammar g;
    struct gs_pattern *p;
    struct gs_arena a;

    gs_arena_init(&a, 64 * GS_MIB);
    enum gs_status st = gs_pattern_from_regex(pattern, false, &a, &p, err);
    if (st == GS_OK) {
        gs_grammar_init(&g);
        g.root = gs_grammar_rule(&g);
        gs_grammar_define(&g, g.root, gs_pattern_emit(&g, p, GS_PATTERN_PLAIN, GS_GRAMMAR_END));
        st = gs_constraint_create(&g, out_c, err);
    }
    gs_arena_clear(&a);
    return st;
}
