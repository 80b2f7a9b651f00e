/* The trie's table of edges: linear probing, at most half full. */
#include "token/trie.h"

#include <string.h>

#include "base/alloc.h"
#include "base/os.h"

#define MIN_EDGES ((uint32_t)64)
#define MAX_NODES ((uint32_t)1 << 24) /* node << 8 | byte must fit 32 bits */

static bool add_node(struct gs_token_trie *trie, uint32_t *out_node)
{
    if (trie->n_nodes == trie->cap_nodes) {
        const uint32_t cap = trie->cap_nodes * 2;
        if (cap > MAX_NODES)
            return false;
        int32_t *ids = gs_realloc(trie->ids, cap * sizeof(*ids));
        if (!ids)
            return false;
        trie->ids = ids;
        trie->cap_nodes = cap;
    }
    trie->ids[trie->n_nodes] = -1;
    *out_node = trie->n_nodes++;
    return true;
}

bool gs_token_trie_init(struct gs_token_trie *trie, size_t expect_bytes)
{
    uint32_t cap = MIN_EDGES;
    uint32_t root;

    while (cap < MAX_NODES && cap < expect_bytes)
        cap *= 2;
    *trie = (struct gs_token_trie){
        .mask = cap - 1,
        .seed = (uint32_t)gs_os_random_u64(),
        .edges = gs_alloc_array(cap, sizeof(*trie->edges)),
        .ids = gs_alloc_array(MIN_EDGES, sizeof(*trie->ids)),
        .cap_nodes = MIN_EDGES,
    };
    if (trie->edges && trie->ids && add_node(trie, &root))
        return true;
    gs_token_trie_clear(trie);
    return false;
}

void gs_token_trie_clear(struct gs_token_trie *trie)
{
    if (!trie)
        return;
    gs_free(trie->edges);
    gs_free(trie->ids);
    *trie = (struct gs_token_trie){0};
}

static void place(struct gs_token_trie *trie, struct gs_token_edge edge)
{
    uint32_t i = gs_token_trie_slot(trie, edge.key);

    while (trie->edges[i].child != 0)
        i = (i + 1) & trie->mask;
    trie->edges[i] = edge;
}

static bool grow(struct gs_token_trie *trie)
{
    struct gs_token_edge *const old = trie->edges;
    const uint32_t old_mask = trie->mask;
    struct gs_token_edge *const edges = gs_alloc_array(((size_t)old_mask + 1) * 2, sizeof(*edges));

    if (!edges)
        return false;
    trie->edges = edges;
    trie->mask = old_mask * 2 + 1;
    for (uint32_t i = 0; i <= old_mask; i++)
        if (old[i].child != 0)
            place(trie, old[i]);
    gs_free(old);
    return true;
}

static bool add_edge(struct gs_token_trie *trie, uint32_t node, unsigned char byte,
                     uint32_t *out_child)
{
    if (trie->n_edges >= trie->mask / 2 && !grow(trie))
        return false;
    if (!add_node(trie, out_child))
        return false;
    place(trie, (struct gs_token_edge){node << 8 | byte, *out_child});
    trie->n_edges++;
    return true;
}

bool gs_token_trie_put(struct gs_token_trie *trie, struct gs_slice s, int32_t id)
{
    uint32_t node = 0;

    for (size_t i = 0; i < s.len; i++) {
        const unsigned char byte = (unsigned char)s.ptr[i];
        uint32_t child = gs_token_trie_next(trie, node, byte);
        if (child == 0 && !add_edge(trie, node, byte, &child))
            return false;
        node = child;
    }
    if (trie->ids[node] < 0)
        trie->ids[node] = id;
    return true;
}
