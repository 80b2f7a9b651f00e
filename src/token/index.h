/* From spellings to ids: a hash table of four bytes an entry, small enough to stay in cache while a
 * vocabulary is loaded. The spellings themselves are the caller's array. */
#ifndef GS_TOKEN_INDEX_H
#define GS_TOKEN_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "genset/slice.h"

#define GS_TOKEN_INDEX_MAX ((uint32_t)1 << 23)

struct gs_token_index {
    const struct gs_slice *spellings; /* borrowed */
    uint32_t *entries;                /* 8 bits of the hash, then id + 1; 0 is free */
    size_t mask;                      /* entries - 1 */
    uint64_t seed;
};

/* All n (at most GS_TOKEN_INDEX_MAX) spellings that are not empty; of equal ones the first. false:
 * no memory. */
GS_MUST_CHECK bool gs_token_index_init(struct gs_token_index *x, const struct gs_slice *spellings,
                                       uint32_t n);
void gs_token_index_clear(struct gs_token_index *x);
/* The id, or -1. */
int32_t gs_token_index_get(const struct gs_token_index *x, struct gs_slice s);

#endif
