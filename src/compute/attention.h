/* Inside of attention: the two ways of computing it, and what they share. Which way a run of tokens
 * goes depends on its length alone. */
#ifndef GS_COMPUTE_ATTENTION_H
#define GS_COMPUTE_ATTENTION_H

#include "compute/ops.h"

#define GS_ATTENTION_MANY 16 /* tokens of a run, from which on it goes by attention_many.c */

/* Row of token t and a KV head. */
static inline uint8_t *gs_kv_row(const struct gs_kv_layer *kv, const uint32_t *pages, size_t t,
                                 size_t head, bool is_v)
{
    const size_t row = head * GS_KV_PAGE_TOKENS + t % GS_KV_PAGE_TOKENS;

    return kv->base + pages[t / GS_KV_PAGE_TOKENS] * kv->page_stride +
           (is_v ? kv->v_off + row * kv->v_row_bytes : kv->k_off + row * kv->k_row_bytes);
}

/* The first key that the token after `past` others sees. */
static inline size_t gs_attention_first_key(const struct gs_attention *a, size_t past)
{
    return a->window > 0 && past + 1 > a->window ? past + 1 - a->window : 0;
}

/* All runs of the kind; on return the lane has met the others. */
void gs_op_attention_many(struct gs_lane *lane, struct gs_rows out, struct gs_rows q,
                          const struct gs_attention *a);
void gs_op_attention_few(struct gs_lane *lane, struct gs_rows out, struct gs_rows q,
                         const struct gs_attention *a);
size_t gs_attention_many_scratch_bytes(uint32_t d_k, uint32_t d_v);
size_t gs_attention_few_scratch_bytes(uint32_t n_head, uint32_t d_k, uint32_t d_v);

#endif
