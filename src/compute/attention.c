/* The paged KV cache, and the choice of how to attend over it. */
#include "compute/attention.h"

#include <string.h>

#include "compute/heads.h"
#include "compute/kernels.h"

/* ---- cache ---- */

static void store_row(const struct gs_kernels *k, enum gs_type type, const float *x, void *row,
                      size_t n)
{
    if (type == GS_TYPE_F16)
        k->to_f16(x, row, n);
    else if (type == GS_TYPE_Q8_0)
        k->to_q8_0(x, row, n);
    else
        memcpy(row, x, n * sizeof(float));
}

void gs_op_kv_store(const struct gs_kernels *k, const struct gs_kv_layer *kv, const uint32_t *pages,
                    size_t t, size_t head, bool is_v, const float *x)
{
    store_row(k, kv->type, x, gs_kv_row(kv, pages, t, head, is_v), is_v ? kv->d_v : kv->d_k);
}

void gs_op_kv_append(struct gs_lane *lane, const struct gs_kv_layer *kv,
                     const struct gs_kv_run *runs, size_t n_runs, struct gs_rows k,
                     struct gs_rows v)
{
    const size_t heads = kv->n_head_kv;

    for (size_t i = 0; i < n_runs; i++) {
        const struct gs_kv_run *run = &runs[i];
        size_t begin;
        size_t end;
        gs_lane_share(lane, run->n * heads, 1, &begin, &end);
        for (size_t j = begin; j < end; j++) {
            const size_t t = j / heads;
            const size_t h = j % heads;
            const float *kx = k.p + (run->row + t) * k.stride + h * kv->d_k;
            const float *vx = v.p + (run->row + t) * v.stride + h * kv->d_v;
            gs_op_kv_store(lane->k, kv, run->pages, run->n_past + t, h, false, kx);
            gs_op_kv_store(lane->k, kv, run->pages, run->n_past + t, h, true, vx);
        }
    }
    gs_lane_sync(lane);
}

/* ---- attention ---- */

size_t gs_attention_scratch_bytes(uint32_t n_head, uint32_t d_k, uint32_t d_v)
{
    return GS_MAX(gs_attention_many_scratch_bytes(d_k, d_v),
                  gs_attention_few_scratch_bytes(n_head, d_k, d_v));
}

void gs_op_attention(struct gs_lane *lane, struct gs_rows out, struct gs_rows q,
                     const struct gs_attention *a)
{
    size_t n_many = 0;

    for (size_t i = 0; i < a->n_runs; i++)
        n_many += a->runs[i].n >= GS_ATTENTION_MANY;
    if (n_many > 0)
        gs_op_attention_many(lane, out, q, a);
    if (n_many < a->n_runs)
        gs_op_attention_few(lane, out, q, a);
}
