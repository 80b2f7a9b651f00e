/* Building grammars. Characters become the byte ranges of their UTF-8 encoding (RFC 3629). */
#include "constraint/grammar.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/slice.h"

void gs_grammar_init(struct gs_grammar *g)
{
    *g = (struct gs_grammar){.failed = false};
    for (uint32_t kind = GS_NODE_END; kind <= GS_NODE_FAIL; kind++) {
        struct gs_node *nodes = gs_realloc(g->nodes, (kind + 1) * sizeof(*nodes));
        if (!nodes) {
            g->failed = true;
            return;
        }
        g->nodes = nodes;
        g->nodes[kind] = (struct gs_node){.kind = kind};
        g->n_nodes = g->cap_nodes = kind + 1;
    }
}

void gs_grammar_clear(struct gs_grammar *g)
{
    gs_free(g->nodes);
    gs_free(g->sets);
    gs_free(g->repeats);
    gs_free(g->rules);
    *g = (struct gs_grammar){.failed = true};
}

/* Room for one more item of `bytes` in *items. */
static bool grow(struct gs_grammar *g, void **items, uint32_t n, uint32_t *cap, size_t bytes)
{
    if (g->failed || n >= GS_GRAMMAR_MAX_NODES) {
        g->failed = true;
        return false;
    }
    if (n < *cap)
        return true;
    const uint32_t bigger = *cap ? 2 * *cap : 64;
    void *p = gs_realloc(*items, bigger * bytes);
    if (!p) {
        g->failed = true;
        return false;
    }
    *items = p;
    *cap = bigger;
    return true;
}

static uint32_t add(struct gs_grammar *g, enum gs_node_kind kind, uint32_t a, uint32_t next)
{
    void *items = g->nodes;

    if (!grow(g, &items, g->n_nodes, &g->cap_nodes, sizeof(*g->nodes)))
        return GS_GRAMMAR_FAIL;
    g->nodes = items;
    g->nodes[g->n_nodes] = (struct gs_node){kind, a, next};
    return g->n_nodes++;
}

/* ---- bytes ---- */

uint32_t gs_grammar_byte(struct gs_grammar *g, uint8_t byte, uint32_t next)
{
    return next == GS_GRAMMAR_FAIL ? next : add(g, GS_NODE_BYTE, byte, next);
}

uint32_t gs_grammar_set(struct gs_grammar *g, uint8_t lo, uint8_t hi, uint32_t next)
{
    struct gs_byte_set set = {{0}};
    void *items = g->sets;
    uint32_t i = 0;

    if (next == GS_GRAMMAR_FAIL || lo > hi)
        return GS_GRAMMAR_FAIL;
    if (lo == hi)
        return gs_grammar_byte(g, lo, next);
    for (unsigned b = lo; b <= hi; b++)
        set.bits[b >> 6] |= (uint64_t)1 << (b & 63);
    while (i < g->n_sets && memcmp(&g->sets[i], &set, sizeof(set)) != 0)
        i++;
    if (i == g->n_sets) {
        if (!grow(g, &items, g->n_sets, &g->cap_sets, sizeof(set)))
            return GS_GRAMMAR_FAIL;
        g->sets = items;
        g->sets[g->n_sets++] = set;
    }
    return add(g, GS_NODE_SET, i, next);
}

uint32_t gs_grammar_text(struct gs_grammar *g, struct gs_slice text, uint32_t next)
{
    for (size_t i = text.len; i-- > 0;)
        next = gs_grammar_byte(g, (uint8_t)text.ptr[i], next);
    return next;
}

/* Any n continuation bytes. */
static uint32_t any_tail(struct gs_grammar *g, size_t n, uint32_t next)
{
    while (n-- > 0)
        next = gs_grammar_set(g, 0x80, 0xbf, next);
    return next;
}

/* Encodings of n bytes between lo and hi. */
static uint32_t between(struct gs_grammar *g, const uint8_t *lo, const uint8_t *hi, size_t n,
                        uint32_t next)
{
    static const uint8_t first[3] = {0x80, 0x80, 0x80};
    static const uint8_t last[3] = {0xbf, 0xbf, 0xbf};

    if (n == 1)
        return gs_grammar_set(g, lo[0], hi[0], next);
    if (lo[0] == hi[0])
        return gs_grammar_byte(g, lo[0], between(g, lo + 1, hi + 1, n - 1, next));
    const bool whole_lo = memcmp(lo + 1, first, n - 1) == 0;
    const bool whole_hi = memcmp(hi + 1, last, n - 1) == 0;
    const unsigned from = lo[0] + !whole_lo;
    const unsigned to = hi[0] - !whole_hi;
    uint32_t node = GS_GRAMMAR_FAIL;
    if (from <= to)
        node = gs_grammar_set(g, (uint8_t)from, (uint8_t)to, any_tail(g, n - 1, next));
    if (!whole_lo)
        node = gs_grammar_fork(g, gs_grammar_byte(g, lo[0], between(g, lo + 1, last, n - 1, next)),
                               node);
    if (!whole_hi)
        node = gs_grammar_fork(g, node,
                               gs_grammar_byte(g, hi[0], between(g, first, hi + 1, n - 1, next)));
    return node;
}

uint32_t gs_grammar_char(struct gs_grammar *g, uint32_t lo, uint32_t hi, uint32_t next)
{
    /* Code points of one encoded length; without the surrogates. */
    static const uint32_t spans[][2] = {
        {0, 0x7f}, {0x80, 0x7ff}, {0x800, 0xd7ff}, {0xe000, 0xffff}, {0x10000, GS_CODE_POINT_LAST}};
    uint32_t node = GS_GRAMMAR_FAIL;

    for (size_t i = 0; i < GS_COUNT_OF(spans); i++) {
        const uint32_t from = GS_MAX(lo, spans[i][0]);
        const uint32_t to = GS_MIN(hi, spans[i][1]);
        char a[4];
        char b[4];
        if (from > to)
            continue;
        const size_t n = gs_utf8_encode(from, a);
        gs_utf8_encode(to, b);
        node =
            gs_grammar_fork(g, node, between(g, (const uint8_t *)a, (const uint8_t *)b, n, next));
    }
    return node;
}

/* ---- structure ---- */

uint32_t gs_grammar_fork(struct gs_grammar *g, uint32_t a, uint32_t b)
{
    if (a == GS_GRAMMAR_FAIL || a == b)
        return b;
    return b == GS_GRAMMAR_FAIL ? a : add(g, GS_NODE_FORK, a, b);
}

uint32_t gs_grammar_any(struct gs_grammar *g, const uint32_t *nodes, size_t n)
{
    if (n == 0)
        return GS_GRAMMAR_FAIL;
    if (n == 1)
        return nodes[0];
    const uint32_t half = gs_grammar_any(g, nodes, n / 2);
    return gs_grammar_fork(g, half, gs_grammar_any(g, nodes + n / 2, n - n / 2));
}

static int by_text(const void *a, const void *b)
{
    const struct gs_slice *x = a;
    const struct gs_slice *y = b;
    const size_t n = GS_MIN(x->len, y->len);
    const int order = n > 0 ? memcmp(x->ptr, y->ptr, n) : 0;

    return order != 0 ? order : (x->len > y->len) - (x->len < y->len);
}

/* The sorted texts from byte `at` on, before which they are alike. */
static uint32_t branch(struct gs_grammar *g, const struct gs_slice *texts, size_t n, size_t at,
                       uint32_t next)
{
    uint32_t node = GS_GRAMMAR_FAIL;
    size_t i = 0;

    for (; i < n && texts[i].len == at; i++)
        node = next;
    while (i < n) {
        size_t end = i + 1;
        size_t same = at + 1;
        while (end < n && texts[end].ptr[at] == texts[i].ptr[at])
            end++;
        const struct gs_slice a = texts[i];
        const struct gs_slice b = texts[end - 1];
        while (same < GS_MIN(a.len, b.len) && a.ptr[same] == b.ptr[same])
            same++;
        const uint32_t rest = end == i + 1 ? next : branch(g, texts + i, end - i, same, next);
        const struct gs_slice alike = gs_slice_sub(a, at, end == i + 1 ? a.len : same);
        node = gs_grammar_fork(g, node, gs_grammar_text(g, alike, rest));
        i = end;
    }
    return node;
}

uint32_t gs_grammar_texts(struct gs_grammar *g, struct gs_slice *texts, size_t n, uint32_t next)
{
    if (n > 1)
        qsort(texts, n, sizeof(*texts), by_text);
    return branch(g, texts, n, 0, next);
}

uint32_t gs_grammar_rule(struct gs_grammar *g)
{
    void *items = g->rules;

    if (!grow(g, &items, g->n_rules, &g->cap_rules, sizeof(*g->rules)))
        return 0;
    g->rules = items;
    g->rules[g->n_rules] = GS_GRAMMAR_FAIL;
    return g->n_rules++;
}

void gs_grammar_define(struct gs_grammar *g, uint32_t rule, uint32_t first)
{
    if (rule < g->n_rules)
        g->rules[rule] = first;
}

uint32_t gs_grammar_call(struct gs_grammar *g, uint32_t rule, uint32_t next)
{
    return next == GS_GRAMMAR_FAIL ? next : add(g, GS_NODE_CALL, rule, next);
}

uint32_t gs_grammar_repeat(struct gs_grammar *g, uint32_t rule, uint32_t min, uint32_t max,
                           uint32_t next)
{
    void *items = g->repeats;

    if (next == GS_GRAMMAR_FAIL || min > max)
        return GS_GRAMMAR_FAIL;
    if (max == 0)
        return next;
    if (min == 1 && max == 1)
        return gs_grammar_call(g, rule, next);
    if (!grow(g, &items, g->n_repeats, &g->cap_repeats, sizeof(*g->repeats)))
        return GS_GRAMMAR_FAIL;
    g->repeats = items;
    g->repeats[g->n_repeats] = (struct gs_repeat){rule, min, max};
    return add(g, GS_NODE_REPEAT, g->n_repeats++, next);
}

/* ---- checking ---- */

/* What is known of a node or rule while nullable rules and left recursion are looked for. */
enum { UNSEEN, OPEN, READS, EMPTY };

struct checker {
    const struct gs_grammar *g;
    uint8_t *rules; /* what is known of each */
    uint8_t *nodes;
    size_t depth;
    bool too_deep, left_recursive;
};

#define MAX_CHECK_DEPTH 4000

static bool is_empty(struct checker *c, uint32_t node);

static bool rule_is_empty(struct checker *c, uint32_t rule)
{
    if (c->rules[rule] == OPEN)
        c->left_recursive = true;
    if (c->rules[rule] == UNSEEN) {
        c->rules[rule] = OPEN;
        c->rules[rule] = is_empty(c, c->g->rules[rule]) ? EMPTY : READS;
    }
    return c->rules[rule] == EMPTY;
}

/* Whether the end can be reached from the node without reading. Visits all that is reached so. */
static bool look(struct checker *c, uint32_t node)
{
    const struct gs_node *n = &c->g->nodes[node];
    bool empty;

    switch ((enum gs_node_kind)n->kind) {
    case GS_NODE_END:
        return true;
    case GS_NODE_FAIL:
    case GS_NODE_BYTE:
    case GS_NODE_SET:
        return false;
    case GS_NODE_FORK:
        empty = is_empty(c, n->a);
        return is_empty(c, n->next) || empty;
    case GS_NODE_CALL:
        return rule_is_empty(c, n->a) && is_empty(c, n->next);
    case GS_NODE_REPEAT:
        empty = rule_is_empty(c, c->g->repeats[n->a].rule);
        return (c->g->repeats[n->a].min == 0 || empty) && is_empty(c, n->next);
    }
    return false;
}

static bool is_empty(struct checker *c, uint32_t node)
{
    if (c->nodes[node] == UNSEEN && c->depth < MAX_CHECK_DEPTH) {
        c->depth++;
        c->nodes[node] = look(c, node) ? EMPTY : READS;
        c->depth--;
    }
    c->too_deep |= c->nodes[node] == UNSEEN;
    return c->nodes[node] == EMPTY;
}

enum gs_status gs_grammar_check(const struct gs_grammar *g, struct gs_error *err)
{
    struct checker c = {.g = g};

    if (g->n_nodes >= GS_GRAMMAR_MAX_NODES)
        return gs_error_set(err, GS_ELIMIT, "the grammar has more than %u parts",
                            GS_GRAMMAR_MAX_NODES);
    if (!g->failed) {
        c.rules = gs_alloc_array(g->n_rules, 1);
        c.nodes = gs_alloc_array(g->n_nodes, 1);
    }
    const bool has_memory = c.rules && c.nodes;
    for (uint32_t r = 0; has_memory && r < g->n_rules; r++)
        rule_is_empty(&c, r);
    gs_free(c.rules);
    gs_free(c.nodes);
    if (!has_memory)
        return gs_error_nomem(err, "build a grammar");
    if (c.too_deep)
        return gs_error_set(err, GS_ELIMIT, "the grammar is too deep");
    if (c.left_recursive)
        return gs_error_set(err, GS_EUNSUPPORTED, "a rule of the grammar begins with itself");
    return GS_OK;
}

/* ---- pruning ---- */

/* What a node waits for besides its next, if anything: the end node is always there. */
static uint32_t other_target(const struct gs_grammar *g, const struct gs_node *n)
{
    switch ((enum gs_node_kind)n->kind) {
    case GS_NODE_FORK:
        return n->a;
    case GS_NODE_CALL:
        return g->rules[n->a];
    case GS_NODE_REPEAT:
        return g->rules[g->repeats[n->a].rule];
    default:
        return GS_GRAMMAR_END;
    }
}

/* Whether a way leads from the node to its end, as far as is known. */
static bool can_end(const struct gs_grammar *g, const struct gs_node *n, const uint8_t *live)
{
    const bool next = live[n->next];
    const bool other = live[other_target(g, n)];

    switch ((enum gs_node_kind)n->kind) {
    case GS_NODE_FAIL:
        return false;
    case GS_NODE_FORK:
        return next || other;
    case GS_NODE_REPEAT:
        return next && (other || g->repeats[n->a].min == 0);
    default:
        return next && other;
    }
}

/* From the end backwards: `waiting` are the nodes that wait for each, from `first` on. */
static void spread(const struct gs_grammar *g, const uint32_t *first, const uint32_t *waiting,
                   uint32_t *queue, uint8_t *live)
{
    uint32_t n = 0;

    live[GS_GRAMMAR_END] = 1;
    queue[n++] = GS_GRAMMAR_END;
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = first[queue[i]]; k < first[queue[i] + 1]; k++) {
            const uint32_t at = waiting[k];
            if (live[at] || !can_end(g, &g->nodes[at], live))
                continue;
            live[at] = 1;
            queue[n++] = at;
        }
}

bool gs_grammar_prune(struct gs_grammar *g)
{
    const uint32_t n = g->n_nodes;
    uint32_t *first = gs_alloc_array((size_t)n + 2, sizeof(*first));
    uint32_t *waiting = gs_alloc_array((size_t)n * 2, sizeof(*waiting));
    uint32_t *queue = gs_alloc_array(n, sizeof(*queue));
    uint8_t *live = gs_alloc_array(n, 1);
    const bool ok = first && waiting && queue && live;

    for (uint32_t i = 0; ok && i < n; i++) { /* counts, one place late */
        first[g->nodes[i].next + 2]++;
        first[other_target(g, &g->nodes[i]) + 2]++;
    }
    for (uint32_t i = 2; ok && i < n + 2; i++)
        first[i] += first[i - 1];
    for (uint32_t i = 0; ok && i < n; i++) {
        waiting[first[g->nodes[i].next + 1]++] = i;
        waiting[first[other_target(g, &g->nodes[i]) + 1]++] = i;
    }
    if (ok)
        spread(g, first, waiting, queue, live);
    for (uint32_t i = 0; ok && i < n; i++)
        if (!live[i])
            g->nodes[i] = (struct gs_node){.kind = GS_NODE_FAIL};
    gs_free(first);
    gs_free(waiting);
    gs_free(queue);
    gs_free(live);
    return ok;
}
