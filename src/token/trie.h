/* A set of byte strings, each with an id, walked one byte at a time: the way to find the longest
 * token, or all tokens, that start at some place of a text.
 *
 * Edges live in one hash table keyed by (node, byte), so a quarter of a million tokens are put in
 * without sorting. Node 0 is the root, and "no such child". */
#ifndef GS_TOKEN_TRIE_H
#define GS_TOKEN_TRIE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "genset/slice.h"

struct gs_token_edge {
    uint32_t key;   /* node << 8 | byte */
    uint32_t child; /* 0 = free entry */
};

struct gs_token_trie {
    struct gs_token_edge *edges;
    uint32_t mask; /* entries - 1 */
    uint32_t n_edges;
    uint32_t seed;
    int32_t *ids; /* of the node, -1 where no string ends */
    uint32_t n_nodes, cap_nodes;
};

/* Empty; `expect_bytes` is a guess at the length of all strings together. false: no memory. */
GS_MUST_CHECK bool gs_token_trie_init(struct gs_token_trie *trie, size_t expect_bytes);
void gs_token_trie_clear(struct gs_token_trie *trie);
/* Add `s` (not empty) with an id; the first id of a string stays. false: no memory, or full. */
GS_MUST_CHECK bool gs_token_trie_put(struct gs_token_trie *trie, struct gs_slice s, int32_t id);

static inline uint32_t gs_token_trie_slot(const struct gs_token_trie *trie, uint32_t key)
{
    const uint32_t h = (key ^ trie->seed) * 0x9E3779B1u;
    return (h ^ h >> 15) & trie->mask;
}

/* The child of `node` by `byte`, or 0. */
static inline uint32_t gs_token_trie_next(const struct gs_token_trie *trie, uint32_t node,
                                          unsigned char byte)
{
    const uint32_t key = node << 8 | byte;
    uint32_t i = gs_token_trie_slot(trie, key);

    while (trie->edges[i].child != 0 && trie->edges[i].key != key)
        i = (i + 1) & trie->mask;
    return trie->edges[i].child;
}

#endif
