/* Patterns, and the nodes they become. */
#include "constraint/pattern.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/slice.h"

/* ---- building ---- */

struct gs_pattern *gs_pattern_new(struct gs_arena *a, enum gs_pattern_kind kind)
{
    struct gs_pattern *p = gs_arena_alloc(a, sizeof(*p));

    if (p)
        p->kind = kind;
    return p;
}

bool gs_pattern_add_range(struct gs_arena *a, struct gs_pattern *p, uint32_t lo, uint32_t hi)
{
    struct gs_char_ranges *r = &p->chars;

    if (r->n == r->cap) {
        const size_t cap = r->cap ? 2 * r->cap : 4;
        struct gs_char_range *bigger = gs_arena_array(a, cap, sizeof(*bigger));
        if (!bigger)
            return false;
        if (r->n)
            memcpy(bigger, r->items, r->n * sizeof(*bigger));
        r->items = bigger;
        r->cap = cap;
    }
    r->items[r->n++] = (struct gs_char_range){lo, hi};
    return true;
}

static int by_start(const void *a, const void *b)
{
    const struct gs_char_range *x = a;
    const struct gs_char_range *y = b;

    return (x->lo > y->lo) - (x->lo < y->lo);
}

bool gs_pattern_negate(struct gs_arena *a, struct gs_pattern *p)
{
    const struct gs_char_ranges in = p->chars;
    uint32_t from = 0;

    if (in.n)
        qsort(in.items, in.n, sizeof(*in.items), by_start);
    p->chars = (struct gs_char_ranges){0};
    for (size_t i = 0; i < in.n; i++) {
        if (in.items[i].lo > from && !gs_pattern_add_range(a, p, from, in.items[i].lo - 1))
            return false;
        from = GS_MAX(from, in.items[i].hi + 1);
    }
    return from > GS_CODE_POINT_LAST || gs_pattern_add_range(a, p, from, GS_CODE_POINT_LAST);
}

void gs_pattern_add(struct gs_pattern *parent, struct gs_pattern *child)
{
    if (!parent || !child)
        return;
    if (parent->last)
        parent->last->sibling = child;
    else
        parent->child = child;
    parent->last = child;
}

struct gs_pattern *gs_pattern_repeat(struct gs_arena *a, struct gs_pattern *child, uint32_t min,
                                     uint32_t max)
{
    struct gs_pattern *p = child ? gs_pattern_new(a, GS_PATTERN_REPEAT) : NULL;

    if (!p)
        return NULL;
    p->min = min;
    p->max = max;
    gs_pattern_add(p, child);
    return p;
}

/* ---- nodes ---- */

/* A character as JSON must write it: an escape, or NULL if it stands for itself (RFC 8259). */
static const char *escape_of(uint32_t c, char text[8])
{
    static const char digits[] = "0123456789abcdef";
    static const char *const named[] = {
        ['\b'] = "\\b", ['\t'] = "\\t", ['\n'] = "\\n", ['\f'] = "\\f", ['\r'] = "\\r"};

    if (c == '"' || c == '\\') {
        memcpy(text, "\\?", 3);
        text[1] = (char)c;
        return text;
    }
    if (c >= 0x20)
        return NULL;
    if (c < GS_COUNT_OF(named) && named[c])
        return named[c];
    memcpy(text, "\\u00??", 7);
    text[4] = digits[c >> 4];
    text[5] = digits[c & 15];
    return text;
}

static uint32_t emit_range(struct gs_grammar *g, struct gs_char_range r, enum gs_pattern_form form,
                           uint32_t next)
{
    /* Spans that need no escapes in JSON. */
    static const struct gs_char_range bare[] = {
        {0x20, '"' - 1}, {'"' + 1, '\\' - 1}, {'\\' + 1, GS_CODE_POINT_LAST}};
    uint32_t node = GS_GRAMMAR_FAIL;
    char text[8];

    if (form == GS_PATTERN_PLAIN)
        return gs_grammar_char(g, r.lo, r.hi, next);
    for (size_t i = 0; i < GS_COUNT_OF(bare); i++) {
        const uint32_t lo = GS_MAX(r.lo, bare[i].lo);
        const uint32_t hi = GS_MIN(r.hi, bare[i].hi);
        if (lo <= hi)
            node = gs_grammar_fork(g, node, gs_grammar_char(g, lo, hi, next));
    }
    for (uint32_t c = r.lo; c <= r.hi && c <= '\\'; c++) {
        const char *escape = escape_of(c, text);
        if (escape)
            node = gs_grammar_fork(g, node, gs_grammar_text(g, gs_slice_str(escape), next));
    }
    return node;
}

static uint32_t emit_chars(struct gs_grammar *g, const struct gs_char_ranges *chars,
                           enum gs_pattern_form form, uint32_t next)
{
    uint32_t node = GS_GRAMMAR_FAIL;

    if (chars->n)
        qsort(chars->items, chars->n, sizeof(*chars->items), by_start);
    for (size_t i = 0; i < chars->n;) {
        struct gs_char_range r = chars->items[i++];
        while (i < chars->n && chars->items[i].lo <= r.hi + 1) {
            r.hi = GS_MAX(r.hi, chars->items[i].hi);
            i++;
        }
        node = gs_grammar_fork(g, node, emit_range(g, r, form, next));
    }
    return node;
}

/* The siblings from p on, in order. */
static uint32_t emit_seq(struct gs_grammar *g, const struct gs_pattern *p,
                         enum gs_pattern_form form, uint32_t next)
{
    const struct gs_pattern *order[64];
    size_t n = 0;

    for (; p && n < GS_COUNT_OF(order); p = p->sibling)
        order[n++] = p;
    if (p) /* a long one, in pieces */
        next = emit_seq(g, p, form, next);
    while (n-- > 0)
        next = gs_pattern_emit(g, order[n], form, next);
    return next;
}

static uint32_t emit_repeat(struct gs_grammar *g, const struct gs_pattern *p,
                            enum gs_pattern_form form, uint32_t next)
{
    if (p->max == 1) {
        const uint32_t once = gs_pattern_emit(g, p->child, form, next);
        return p->min == 0 ? gs_grammar_fork(g, once, next) : once;
    }
    const uint32_t rule = gs_grammar_rule(g);
    gs_grammar_define(g, rule, gs_pattern_emit(g, p->child, form, GS_GRAMMAR_END));
    return gs_grammar_repeat(g, rule, p->min, p->max, next);
}

uint32_t gs_pattern_emit(struct gs_grammar *g, const struct gs_pattern *p,
                         enum gs_pattern_form form, uint32_t next)
{
    uint32_t node = GS_GRAMMAR_FAIL;

    switch (p->kind) {
    case GS_PATTERN_CHARS:
        return emit_chars(g, &p->chars, form, next);
    case GS_PATTERN_SEQ:
        return emit_seq(g, p->child, form, next);
    case GS_PATTERN_ALT:
        for (const struct gs_pattern *c = p->child; c; c = c->sibling)
            node = gs_grammar_fork(g, node, gs_pattern_emit(g, c, form, next));
        return node;
    case GS_PATTERN_REPEAT:
        return emit_repeat(g, p, form, next);
    case GS_PATTERN_RULE:
        return gs_grammar_call(g, p->rule, next);
    case GS_PATTERN_BEGIN:
    case GS_PATTERN_END:
        return next;
    }
    return node;
}
