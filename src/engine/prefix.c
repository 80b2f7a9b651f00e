/* The tree in arrays with a node for every page. A child block begins like no other of its parent,
 * or goes another way at some token; so a search compares with each child once. */
#include "engine/prefix.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "compute/ops.h"
#include "engine/lru.h"
#include "model/exec.h"

#define BLOCK GS_KV_PAGE_TOKENS
#define NONE  GS_LRU_NONE

struct node {
    uint32_t parent;
    uint32_t child;      /* first; children are a list */
    uint32_t prev, next; /* of the same parent */
    uint32_t snapshot;   /* first that lies in the block; a list */
    uint32_t n;          /* tokens; all BLOCK if there are children */
};

struct snapshot {
    uint32_t node;
    uint32_t next;
    uint32_t n; /* tokens of the block */
};

struct gs_prefix {
    struct gs_exec *exec;
    bool by_snapshot; /* only what ends in one is stored, and they are what is parted with */
    uint32_t root;
    struct node *nodes;         /* [pages, root] */
    int32_t (*tokens)[BLOCK];   /* [page] */
    struct snapshot *snapshots; /* [slot] */
    uint32_t *path;             /* [pages of the longest sequence] */
    struct gs_lru lru;          /* of snapshots, or of nodes */
};

/* ---- life ---- */

static enum gs_status init(struct gs_prefix *p, struct gs_error *err)
{
    const uint32_t n = gs_exec_page_count(p->exec);
    const uint32_t n_items = p->by_snapshot ? gs_exec_slot_count(p->exec) : n;

    if (n >= NONE - 2)
        return gs_error_nomem(err, "keep what was computed");
    p->root = n;
    p->nodes = gs_alloc_array((size_t)n + 1, sizeof(*p->nodes));
    p->tokens = gs_alloc_array(n, sizeof(*p->tokens));
    p->snapshots = gs_alloc_array(gs_exec_slot_count(p->exec), sizeof(*p->snapshots));
    p->path = gs_alloc_array(n, sizeof(*p->path));
    if (!p->nodes || !p->tokens || !p->snapshots || !p->path)
        return gs_error_nomem(err, "keep what was computed");
    p->nodes[n] = (struct node){NONE, NONE, NONE, NONE, NONE, BLOCK};
    return gs_lru_init(&p->lru, n_items, n_items / 4 * 3, err);
}

enum gs_status gs_prefix_create(struct gs_exec *e, struct gs_prefix **out_p, struct gs_error *err)
{
    struct gs_prefix *p = gs_alloc_zero(sizeof(*p));

    if (!p)
        return gs_error_nomem(err, "keep what was computed");
    p->exec = e;
    p->by_snapshot = gs_exec_needs_snapshots(e);
    const enum gs_status st = init(p, err);
    if (st != GS_OK) {
        gs_prefix_free(p);
        return st;
    }
    *out_p = p;
    return GS_OK;
}

void gs_prefix_free(struct gs_prefix *p)
{
    if (!p)
        return;
    if (p->lru.links)
        while (gs_prefix_evict(p))
            ;
    gs_lru_clear(&p->lru);
    gs_free(p->nodes);
    gs_free(p->tokens);
    gs_free(p->snapshots);
    gs_free(p->path);
    gs_free(p);
}

/* ---- search ---- */

static size_t count_same(const int32_t *a, const int32_t *b, size_t n)
{
    size_t i = 0;

    while (i < n && a[i] == b[i])
        i++;
    return i;
}

/* A block after `past` others has `same` tokens in common with those that are looked for. */
static void consider(const struct gs_prefix *p, uint32_t node, size_t past, size_t same,
                     struct gs_prefix_match *best)
{
    if (!p->by_snapshot && past + same > best->n_tokens)
        *best = (struct gs_prefix_match){past + same, node, NONE, false};
    if (!p->by_snapshot)
        return;
    for (uint32_t s = p->nodes[node].snapshot; s != NONE; s = p->snapshots[s].next)
        if (p->snapshots[s].n <= same && past + p->snapshots[s].n > best->n_tokens)
            *best = (struct gs_prefix_match){past + p->snapshots[s].n, node, s, false};
}

struct gs_prefix_match gs_prefix_find(const struct gs_prefix *p, const int32_t *tokens, size_t n)
{
    struct gs_prefix_match best = {0, NONE, NONE, false};
    uint32_t at = p->root;

    for (size_t past = 0; at != NONE; past += BLOCK) {
        uint32_t whole = NONE;
        for (uint32_t c = p->nodes[at].child; c != NONE; c = p->nodes[c].next) {
            const size_t most = GS_MIN((size_t)p->nodes[c].n, n - past);
            const size_t same = count_same(p->tokens[c], tokens + past, most);
            if (same > 0)
                consider(p, c, past, same, &best);
            if (same == BLOCK)
                whole = c;
        }
        at = whole;
    }
    best.is_end = best.node != NONE && p->nodes[best.node].child == NONE &&
                  (best.n_tokens - 1) % BLOCK + 1 == p->nodes[best.node].n;
    return best;
}

/* The pages of a match, first to last, in p->path. */
static size_t list_pages(const struct gs_prefix *p, const struct gs_prefix_match *m)
{
    const size_t n = (m->n_tokens + BLOCK - 1) / BLOCK;
    uint32_t node = m->node;

    for (size_t i = n; i > 0; i--) {
        p->path[i - 1] = node;
        node = p->nodes[node].parent;
    }
    return n;
}

size_t gs_prefix_spare_pages(const struct gs_prefix *p, const struct gs_prefix_match *m)
{
    const size_t n = list_pages(p, m);
    size_t n_spare = 0;

    for (size_t i = 0; i < n; i++)
        n_spare += gs_exec_page_is_spare(p->exec, p->path[i]);
    return n_spare;
}

void gs_prefix_resume(struct gs_prefix *p, const struct gs_prefix_match *m, struct gs_seq *s)
{
    list_pages(p, m);
    gs_seq_resume(s, p->path, m->n_tokens, m->snapshot);
    if (p->by_snapshot)
        gs_lru_use(&p->lru, m->snapshot);
    else /* leaves before what they grow on */
        for (uint32_t node = m->node; node != p->root; node = p->nodes[node].parent)
            gs_lru_use(&p->lru, node);
}

/* ---- change ---- */

static void unlink_node(struct gs_prefix *p, uint32_t node)
{
    const struct node *n = &p->nodes[node];

    if (n->prev != NONE)
        p->nodes[n->prev].next = n->next;
    else
        p->nodes[n->parent].child = n->next;
    if (n->next != NONE)
        p->nodes[n->next].prev = n->prev;
}

static void remove_node(struct gs_prefix *p, uint32_t node)
{
    assert(p->nodes[node].child == NONE && p->nodes[node].snapshot == NONE);
    unlink_node(p, node);
    gs_exec_drop_page(p->exec, node);
}

static void fill_node(struct gs_prefix *p, uint32_t node, const int32_t *tokens, size_t n)
{
    memcpy(p->tokens[node], tokens, n * sizeof(*tokens));
    p->nodes[node].n = (uint32_t)n;
}

static uint32_t add_node(struct gs_prefix *p, uint32_t parent, struct gs_seq *s, size_t block)
{
    const uint32_t node = gs_seq_page(s, block);
    const uint32_t next = p->nodes[parent].child;

    gs_seq_keep_page(s, block);
    p->nodes[node] = (struct node){parent, NONE, NONE, next, NONE, 0};
    if (next != NONE)
        p->nodes[next].prev = node;
    p->nodes[parent].child = node;
    return node;
}

/* Let a longer block take the place of one that is its beginning, and so a leaf. */
static void replace_node(struct gs_prefix *p, uint32_t old, uint32_t node)
{
    p->nodes[node].snapshot = p->nodes[old].snapshot;
    p->nodes[old].snapshot = NONE;
    for (uint32_t i = p->nodes[node].snapshot; i != NONE; i = p->snapshots[i].next)
        p->snapshots[i].node = node;
    if (!p->by_snapshot)
        gs_lru_replace(&p->lru, old, node);
    remove_node(p, old);
}

/* The node of s's block, whose n tokens follow `parent`: one that is there, one that is there and
 * grows, or a new one. */
static uint32_t store_block(struct gs_prefix *p, uint32_t parent, struct gs_seq *s, size_t block,
                            const int32_t *tokens, size_t n)
{
    uint32_t shorter = NONE;

    for (uint32_t c = p->nodes[parent].child; c != NONE; c = p->nodes[c].next) {
        const size_t same = count_same(p->tokens[c], tokens, GS_MIN((size_t)p->nodes[c].n, n));
        if (same == n)
            return c;
        if (same == p->nodes[c].n)
            shorter = c;
    }
    if (shorter != NONE && shorter == gs_seq_page(s, block)) {
        fill_node(p, shorter, tokens, n);
        return shorter;
    }
    const uint32_t node = add_node(p, parent, s, block);
    fill_node(p, node, tokens, n);
    if (shorter != NONE)
        replace_node(p, shorter, node);
    else if (!p->by_snapshot)
        gs_lru_add(&p->lru, node);
    return node;
}

static uint32_t store_all(struct gs_prefix *p, struct gs_seq *s, const int32_t *tokens, size_t n)
{
    uint32_t node = p->root;

    for (size_t at = 0; at < n; at += BLOCK)
        node = store_block(p, node, s, at / BLOCK, tokens + at, GS_MIN(n - at, (size_t)BLOCK));
    return node;
}

static void keep_pages(struct gs_prefix *p, struct gs_seq *s, const int32_t *tokens, size_t n,
                       unsigned flags)
{
    uint32_t node = store_all(p, s, tokens, n);

    for (; node != p->root; node = p->nodes[node].parent) {
        if (flags & GS_PREFIX_AGAIN)
            gs_lru_use(&p->lru, node);
        else
            gs_lru_touch(&p->lru, node);
    }
}

static void keep_snapshot(struct gs_prefix *p, struct gs_seq *s, const int32_t *tokens, size_t n,
                          unsigned flags)
{
    const struct gs_prefix_match m = gs_prefix_find(p, tokens, n);
    uint32_t i;

    if (m.n_tokens == n) {
        gs_lru_touch(&p->lru, m.snapshot);
        return;
    }
    if (gs_exec_spare_pages(p->exec) < gs_exec_snapshot_pages(p->exec))
        return; /* parting with everything would not do */
    while (!gs_seq_snapshot(s, flags & GS_PREFIX_LAST, &i))
        if (!gs_prefix_evict(p))
            return;
    const uint32_t node = store_all(p, s, tokens, n);
    p->snapshots[i] = (struct snapshot){
        .node = node, .next = p->nodes[node].snapshot, .n = (uint32_t)((n - 1) % BLOCK + 1)};
    p->nodes[node].snapshot = i;
    gs_lru_add(&p->lru, i);
    if (flags & GS_PREFIX_AGAIN)
        gs_lru_use(&p->lru, i);
}

void gs_prefix_keep(struct gs_prefix *p, struct gs_seq *s, const int32_t *tokens, unsigned flags)
{
    const size_t n = (size_t)gs_seq_len(s);

    if (n == 0)
        return;
    if (p->by_snapshot)
        keep_snapshot(p, s, tokens, n, flags);
    else
        keep_pages(p, s, tokens, n, flags);
}

/* ---- giving way ---- */

/* A snapshot, and the blocks that only led to it. */
static void remove_snapshot(struct gs_prefix *p, uint32_t snapshot)
{
    uint32_t node = p->snapshots[snapshot].node;
    uint32_t *at = &p->nodes[node].snapshot;

    while (*at != snapshot)
        at = &p->snapshots[*at].next;
    *at = p->snapshots[snapshot].next;
    gs_lru_remove(&p->lru, snapshot);
    gs_exec_drop_snapshot(p->exec, snapshot);
    while (node != p->root && p->nodes[node].child == NONE && p->nodes[node].snapshot == NONE) {
        const uint32_t parent = p->nodes[node].parent;
        remove_node(p, node);
        node = parent;
    }
}

bool gs_prefix_evict(struct gs_prefix *p)
{
    const uint32_t item = gs_lru_first(&p->lru);

    if (item == NONE)
        return false;
    if (p->by_snapshot) {
        remove_snapshot(p, item);
    } else {
        gs_lru_remove(&p->lru, item);
        remove_node(p, item);
    }
    return true;
}

void gs_prefix_make_room(struct gs_prefix *p, uint64_t n_pages)
{
    if (gs_exec_spare_pages(p->exec) < n_pages)
        return;
    while (gs_exec_free_pages(p->exec) < n_pages && gs_prefix_evict(p))
        ;
}
