/* The KV cache of all sequences, for the attention layers of one kind: one reservation of address
 * space, cut into pages of GS_KV_PAGE_TOKENS tokens. A page holds the K and V of those tokens for
 * every layer of the kind:
 *
 *     page: | K layer 0 | V layer 0 | K layer 1 | ...      K: [head_kv][token][d_k]
 *
 * Pages get memory when they are first written. Pages given back are reused first; beyond a small
 * stock their memory returns to the system.* A page is counted: many may hold it, and it is free
 * when the last gives it back. Holders that are no sequences are its keepers; pages that only
 * keepers hold are spare. */
#ifndef GS_MODEL_KV_POOL_H
#define GS_MODEL_KV_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "compute/ops.h"

struct gs_kv_layers;

struct gs_kv_pool {
    uint8_t *base;
    size_t bytes;
    size_t page_stride;
    struct gs_kv_layer *layers; /* [layer of the kind] */
    uint32_t *free;             /* stack of n_free pages; the lowest n_clean hold no memory */
    uint32_t *holders;          /* [page] how many */
    uint32_t *keepers;          /* [page] how many of them */
    uint32_t n_pages;
    uint32_t n_kept, n_spare;
    uint32_t n_free, n_clean;
};

/* Bytes of one page: layers aligned to 64, the page to the system's pages. */
size_t gs_kv_page_bytes(const struct gs_kv_layers *layers, enum gs_type type);
/* errors: GS_ENOMEM; the pool is clear then. */
GS_MUST_CHECK enum gs_status gs_kv_pool_init(struct gs_kv_pool *p,
                                             const struct gs_kv_layers *layers, enum gs_type type,
                                             uint32_t n_pages, struct gs_error *err);
void gs_kv_pool_clear(struct gs_kv_pool *p);

uint32_t gs_kv_pool_take(struct gs_kv_pool *p);             /* n_free > 0 */
void gs_kv_pool_share(struct gs_kv_pool *p, uint32_t page); /* one more holder */
void gs_kv_pool_give(struct gs_kv_pool *p, uint32_t page);  /* one less */
/* Hold a page as a keeper, and no longer. */
void gs_kv_pool_keep(struct gs_kv_pool *p, uint32_t page);
void gs_kv_pool_drop(struct gs_kv_pool *p, uint32_t page);
void gs_kv_pool_copy(const struct gs_kv_pool *p, uint32_t to, uint32_t from);

#endif
