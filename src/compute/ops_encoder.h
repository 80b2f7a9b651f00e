/* Operations of models that read a text in both directions (the BERT family): as in ops.h, called
 * by all lanes with the same arguments, complete on return. */
#ifndef GS_COMPUTE_OPS_ENCODER_H
#define GS_COMPUTE_OPS_ENCODER_H

#include "compute/ops.h"

/* out = weight * (x - mean) / sqrt(variance + eps) + bias, per row (Ba et al. 2016); bias may be
 * NULL (zeros); out may be x. */
void gs_op_layer_norm(struct gs_lane *lane, struct gs_rows out, struct gs_rows x,
                      const float *weight, const float *bias, float eps);

/* out = gelu(x) * up, the tanh approximation; up.p NULL: ones; out may be x or up. x and gelu(x)
 * are rounded to float16 where |x| < 10, as by the table from which ggml reads them: vectors of
 * texts are stored for years, and must match those that others computed. */
void gs_op_gelu_half(struct gs_lane *lane, struct gs_rows out, struct gs_rows x, struct gs_rows up);

/* Attention of every token of a run to all tokens of its run, before and after it. There is no
 * cache: keys and values are rows of the batch. Heads of a row are adjacent. */
struct gs_attention_both {
    struct gs_rows q, k, v;       /* [row][head][d_k], [row][head_kv][d_k], [row][head_kv][d_v] */
    const struct gs_kv_run *runs; /* row and n */
    size_t n_runs;
    uint32_t n_head, n_head_kv; /* head j reads kv head j / (n_head / n_head_kv) */
    uint32_t d_k, d_v;
    float scale;
    uint32_t reach; /* 0 = all; else keys at most so many positions away */
    float max_bias; /* of ALiBi (Press et al. 2022): score -= slope(head) * distance; 0 = none */
};

/* out [row][n_head][d_v]. Scratch: gs_attention_both_scratch_bytes per lane. */
void gs_op_attention_both(struct gs_lane *lane, struct gs_rows out,
                          const struct gs_attention_both *a);
size_t gs_attention_both_scratch_bytes(uint32_t d_k, uint32_t d_v);

#endif
