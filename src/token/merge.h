/* Merging neighbours: the algorithm that byte-pair encoding and SentencePiece share. A word starts
 * as a chain of symbols; of all neighbours that may merge, the best pair does, the leftmost of
 * equals, until none may. A heap of candidates keeps it at O(n log n) for a word of any length. */
#ifndef GS_TOKEN_MERGE_H
#define GS_TOKEN_MERGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

#define GS_TOKEN_NO_SYMBOL UINT32_MAX

struct gs_token_symbol {
    uint32_t prev, next; /* GS_TOKEN_NO_SYMBOL at the ends */
    uint32_t off, len;   /* bytes of the word; len 0 = merged into its left neighbour */
    int32_t id;          /* -1: these bytes are no token */
};

struct gs_token_candidate {
    uint32_t order; /* lowest first */
    uint32_t left;  /* symbol that takes in its right neighbour */
    uint32_t len;   /* of both: tells a candidate that the past has overtaken */
    int32_t id;     /* what they become */
};

/* Memory of the merging, kept from word to word. Zero-initialise. */
struct gs_token_merger {
    struct gs_token_symbol *symbols;
    size_t n_symbols, cap_symbols;
    struct gs_token_candidate *heap;
    size_t n_heap, cap_heap;
};

/* May these neighbours merge? Then set order and id of *out. */
typedef bool gs_token_pair_fn(const void *ctx, const struct gs_token_symbol *left,
                              const struct gs_token_symbol *right, struct gs_token_candidate *out);

void gs_token_merger_clear(struct gs_token_merger *m);
/* Begin a word of at most `max_symbols`. false: no memory. */
GS_MUST_CHECK bool gs_token_merger_begin(struct gs_token_merger *m, size_t max_symbols);
void gs_token_merger_add(struct gs_token_merger *m, int32_t id, uint32_t off, uint32_t len);
/* Merge; then symbols[0] heads the chain of what is left. At least one symbol must have been
 * added. false: no memory. */
GS_MUST_CHECK bool gs_token_merger_run(struct gs_token_merger *m, gs_token_pair_fn *pair,
                                       const void *ctx);

#endif
