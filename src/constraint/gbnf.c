/* GBNF, the grammar notation of llama.cpp (its grammars/README.md):
 *
 *     root  ::= "yes" | "no" reason?     # rules, one starting point
 *     reason ::= ", " [a-z ]{1,40} (
 *         "!" | "." )
 *
 * A rule ends with its line, but for lines within parentheses and behind a "|" or "::=". */
#include "constraint/compile.h"
#include "constraint/pattern.h"

#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/slice.h"

struct rule {
    struct gs_slice name;
    uint32_t id; /* in the grammar */
    struct gs_pattern *body;
    struct rule *next;
};

struct reader {
    struct gs_slice text;
    size_t at;
    size_t depth;
    struct gs_arena a;
    struct gs_map by_name;
    struct rule *rules;
    struct gs_grammar g;
    struct gs_error *err;
    enum gs_status st;
};

static void fail(struct reader *r, const char *what)
{
    size_t line = 1;

    for (size_t i = 0; i < r->at && i < r->text.len; i++)
        line += r->text.ptr[i] == '\n';
    if (r->st == GS_OK)
        r->st = gs_error_set(r->err, GS_EFORMAT, "grammar, line %zu: %s", line, what);
}

static void fail_nomem(struct reader *r)
{
    if (r->st == GS_OK)
        r->st = gs_error_nomem(r->err, "read a grammar");
}

static struct gs_pattern *new_pattern(struct reader *r, enum gs_pattern_kind kind)
{
    struct gs_pattern *p = gs_pattern_new(&r->a, kind);

    if (!p)
        fail_nomem(r);
    return p;
}

static void add_range(struct reader *r, struct gs_pattern *p, uint32_t lo, uint32_t hi)
{
    if (p && !gs_pattern_add_range(&r->a, p, lo, hi))
        fail_nomem(r);
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

/* White space and comments; over line ends only with `lines`. */
static void skip_space(struct reader *r, bool lines)
{
    for (;;) {
        const int c = peek(r);
        if (c == '#') {
            while (peek(r) >= 0 && peek(r) != '\n')
                r->at++;
        } else if (c == ' ' || c == '\t' || (lines && (c == '\n' || c == '\r'))) {
            r->at++;
        } else {
            return;
        }
    }
}

/* ---- names ---- */

static bool is_name_char(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

static struct gs_slice take_name(struct reader *r)
{
    const size_t from = r->at;

    while (is_name_char(peek(r)))
        r->at++;
    return gs_slice_sub(r->text, from, r->at);
}

/* The rule of this name; made when it is first heard of. */
static struct rule *rule_named(struct reader *r, struct gs_slice name)
{
    struct rule *rule = gs_map_get(&r->by_name, name);

    if (rule)
        return rule;
    rule = gs_arena_alloc(&r->a, sizeof(*rule));
    if (!rule || !gs_map_put(&r->by_name, name, rule)) {
        fail_nomem(r);
        return NULL;
    }
    *rule = (struct rule){.name = name, .id = gs_grammar_rule(&r->g), .next = r->rules};
    r->rules = rule;
    return rule;
}

/* ---- characters ---- */

static uint32_t take_hex(struct reader *r, size_t digits)
{
    uint32_t v = 0;

    for (size_t i = 0; i < digits; i++) {
        const int c = peek(r);
        const char *at = c > 0 ? strchr("0123456789abcdefABCDEF", c) : NULL;
        if (!at) {
            fail(r, "a hexadecimal digit is missing");
            return 0;
        }
        const unsigned d = (unsigned)(at - strchr("0123456789abcdefABCDEF", '0'));
        v = 16 * v + (d < 16 ? d : d - 6);
        r->at++;
    }
    if (v > GS_CODE_POINT_LAST)
        fail(r, "a code point is not one");
    return v;
}

static uint32_t take_char(struct reader *r)
{
    uint32_t c = 0;

    if (peek(r) < 0 || peek(r) == '\n') {
        fail(r, "a quote or bracket is not closed");
        return 0;
    }
    if (!take(r, '\\')) {
        r->at += gs_utf8_decode(r->text, r->at, &c);
        return c;
    }
    const int e = peek(r);
    r->at += e >= 0;
    switch (e) {
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'x':
        return take_hex(r, 2);
    case 'u':
        return take_hex(r, 4);
    case 'U':
        return take_hex(r, 8);
    case '\\':
    case '"':
    case '[':
    case ']':
    case '^':
    case '-':
        return (uint32_t)e;
    default:
        fail(r, "this escape is not known");
        return 0;
    }
}

static struct gs_pattern *read_literal(struct reader *r)
{
    struct gs_pattern *seq = new_pattern(r, GS_PATTERN_SEQ);

    while (r->st == GS_OK && !take(r, '"')) {
        struct gs_pattern *p = new_pattern(r, GS_PATTERN_CHARS);
        const uint32_t c = take_char(r);
        add_range(r, p, c, c);
        gs_pattern_add(seq, p);
    }
    return seq;
}

static struct gs_pattern *read_set(struct reader *r)
{
    struct gs_pattern *p = new_pattern(r, GS_PATTERN_CHARS);
    const bool is_negated = take(r, '^');

    while (r->st == GS_OK && !take(r, ']')) {
        const uint32_t lo = take_char(r);
        uint32_t hi = lo;
        if (peek(r) == '-' && r->at + 1 < r->text.len && r->text.ptr[r->at + 1] != ']') {
            r->at++;
            hi = take_char(r);
        }
        if (hi < lo)
            fail(r, "a range is upside down");
        add_range(r, p, lo, hi);
    }
    if (is_negated && p && !gs_pattern_negate(&r->a, p))
        fail_nomem(r);
    return p;
}

/* ---- structure ---- */

static struct gs_pattern *read_alternatives(struct reader *r, bool nested);

static struct gs_pattern *read_atom(struct reader *r)
{
    struct gs_pattern *p = NULL;

    if (take(r, '"'))
        return read_literal(r);
    if (take(r, '['))
        return read_set(r);
    if (take(r, '.')) {
        p = new_pattern(r, GS_PATTERN_CHARS);
        add_range(r, p, 0, GS_CODE_POINT_LAST);
        return p;
    }
    if (take(r, '(')) {
        p = read_alternatives(r, true);
        if (!take(r, ')'))
            fail(r, "a \"(\" is not closed");
        return p;
    }
    const struct gs_slice name = take_name(r);
    if (name.len == 0) {
        fail(r, "expected a literal, a set, a group or a name");
        return NULL;
    }
    const struct rule *rule = rule_named(r, name);
    p = new_pattern(r, GS_PATTERN_RULE);
    if (p && rule)
        p->rule = rule->id;
    return p;
}

static uint32_t take_number(struct reader *r, uint32_t otherwise)
{
    uint32_t v = 0;

    if (peek(r) < '0' || peek(r) > '9')
        return otherwise;
    while (peek(r) >= '0' && peek(r) <= '9' && v <= GS_PATTERN_MAX_REPEAT)
        v = 10 * v + (uint32_t)(r->text.ptr[r->at++] - '0');
    if (v > GS_PATTERN_MAX_REPEAT)
        fail(r, "too many repetitions");
    return v;
}

static struct gs_pattern *read_repeated(struct reader *r)
{
    struct gs_pattern *p = read_atom(r);
    uint32_t min;
    uint32_t max;

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
        } else if (take(r, '{')) {
            min = take_number(r, 0);
            max = take(r, ',') ? take_number(r, GS_GRAMMAR_MANY) : min;
            if (!take(r, '}') || min > max)
                fail(r, "the bounds of a repetition are not right");
        } else {
            break;
        }
        p = gs_pattern_repeat(&r->a, p, min, max);
        if (!p)
            fail_nomem(r);
    }
    return p;
}

static struct gs_pattern *read_sequence(struct reader *r, bool nested)
{
    struct gs_pattern *seq = new_pattern(r, GS_PATTERN_SEQ);

    for (;;) {
        skip_space(r, nested);
        const int c = peek(r);
        if (r->st != GS_OK || c < 0 || c == '|' || c == ')' || c == '\n' || c == '\r')
            return seq;
        gs_pattern_add(seq, read_repeated(r));
    }
}

static struct gs_pattern *read_alternatives(struct reader *r, bool nested)
{
    struct gs_pattern *alt = new_pattern(r, GS_PATTERN_ALT);

    if (++r->depth > GS_PATTERN_MAX_DEPTH)
        fail(r, "it is nested too deep");
    do {
        skip_space(r, true);
        gs_pattern_add(alt, read_sequence(r, nested));
    } while (r->st == GS_OK && take(r, '|'));
    r->depth--;
    return alt;
}

static void read_rule(struct reader *r)
{
    const struct gs_slice name = take_name(r);
    struct rule *rule = name.len ? rule_named(r, name) : NULL;

    skip_space(r, false);
    if (name.len == 0 || !take(r, ':') || !take(r, ':') || !take(r, '=')) {
        fail(r, "expected a rule: NAME ::= ...");
        return;
    }
    if (rule && rule->body)
        fail(r, "this rule is there already");
    struct gs_pattern *body = read_alternatives(r, false);
    if (rule)
        rule->body = body;
    if (peek(r) == ')')
        fail(r, "a \")\" closes nothing");
}

static enum gs_status link(struct reader *r)
{
    const struct rule *root = gs_map_get(&r->by_name, GS_SLICE_LIT("root"));

    if (!root)
        return gs_error_set(r->err, GS_EFORMAT, "the grammar has no rule \"root\"");
    r->g.root = root->id;
    for (const struct rule *rule = r->rules; rule; rule = rule->next) {
        if (!rule->body)
            return gs_error_set(r->err, GS_EFORMAT, "the grammar has no rule \"%.*s\"",
                                (int)GS_MIN(rule->name.len, (size_t)100), rule->name.ptr);
        gs_grammar_define(&r->g, rule->id,
                          gs_pattern_emit(&r->g, rule->body, GS_PATTERN_PLAIN, GS_GRAMMAR_END));
    }
    return GS_OK;
}

enum gs_status gs_constraint_from_gbnf(struct gs_slice text, struct gs_constraint **out_c,
                                       struct gs_error *err)
{
    struct reader r = {.text = text, .err = err};

    gs_arena_init(&r.a, 64 * GS_MIB);
    gs_map_init(&r.by_name, 64);
    gs_grammar_init(&r.g);
    for (skip_space(&r, true); r.st == GS_OK && peek(&r) >= 0; skip_space(&r, true))
        read_rule(&r);
    if (r.st == GS_OK)
        r.st = link(&r);
    if (r.st == GS_OK)
        r.st = gs_constraint_create(&r.g, out_c, err);
    else
        gs_grammar_clear(&r.g);
    gs_map_clear(&r.by_name);
    gs_arena_clear(&r.a);
    return r.st;
}
