/* The operations of which an architecture is written.
 *
 * Every op is called by all lanes with the same arguments, when its inputs are complete, and
 * returns on each lane after a barrier: its output is complete then. Each output value is computed
 * by one lane in a fixed order, so results do not depend on the number of lanes. Activations are
 * float32, [row][dim], rows being the tokens of the batch. Weights are used where they lie. */
#ifndef GS_COMPUTE_OPS_H
#define GS_COMPUTE_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compute/lane.h"
#include "compute/tensor.h"

/* n rows of dim floats, `stride` floats apart. A row may be a token or one head of a token. */
struct gs_rows {
    float *p;
    size_t n;
    size_t dim;
    size_t stride;
};

static inline struct gs_rows gs_rows(float *p, size_t n, size_t dim)
{
    return (struct gs_rows){p, n, dim, dim};
}

/* ---- matrices ---- */

/* Gated units. */
enum gs_glu {
    GS_GLU_SILU,    /* silu(g) u */
    GS_GLU_GELU,    /* gelu(g) u, the tanh approximation */
    GS_GLU_CLAMPED, /* g sigmoid(1.702 g) (u + 1), g <= 7 and -7 <= u <= 7: gpt-oss */
};

/* Rows, or (unless norm is NULL) their RMS norm: norm * x / sqrt(mean(x^2) + eps). */
struct gs_normed {
    struct gs_rows x;
    const float *norm; /* [dim] or NULL */
    float eps;
};

/* The input of matrix products and the forms that products ask for, normed and quantised: made once
 * and shared by all products that read it; of a single row, by each lane for itself. Each lane
 * holds its own copy of this struct. */
struct gs_act {
    struct gs_rows x;
    const float *norm; /* as in struct gs_normed */
    float eps;
    float *normed;  /* [row][dim] of shared memory, if there is a norm */
    void *q;        /* gs_act_bytes(rows, dim) of shared memory, 64-aligned */
    unsigned forms; /* forms already made; 0 when x has changed */
};

/* Memory for every quantised form of n rows of dim. */
size_t gs_act_bytes(size_t n, size_t dim);
struct gs_act gs_act(struct gs_rows x, void *q);

struct gs_heads; /* below */

/* out[r][j] = y = sum_i w[j][i] x[r][i] + bias[j]; bias may be NULL. Or, by the lane that has made
 * y and while y is in its cache,
 *     add:   out += add * y
 *     up:    out = glu(y, up x + up_bias)
 *     heads: out = y, and then its heads are finished. */
struct gs_matmul {
    struct gs_rows out;
    const struct gs_tensor *w; /* {in, out} */
    const float *bias;
    float add;                  /* 0: none */
    const struct gs_tensor *up; /* of w's shape; NULL: none */
    const float *up_bias;
    enum gs_glu glu;
    const struct gs_heads *heads; /* NULL: none */
};

#define GS_MATMUL_MAX 4

/* One or several products (at most GS_MATMUL_MAX) of the same input, as one space of rows. */
void gs_op_matmul(struct gs_lane *lane, struct gs_act *x, const struct gs_matmul *m, size_t n_m);
/* Scratch memory that products of up to n rows take. */
size_t gs_op_matmul_scratch_bytes(size_t n);

/* Rows of x and out are the heads of the tokens, [row][head]; w is {in, out, head}:
 * out[r][h] = w[h] x[r][h]. */
void gs_op_matmul_heads(struct gs_lane *lane, struct gs_act *x, struct gs_rows out,
                        const struct gs_tensor *w);

/* out[r] = row ids[r] of w, as float. */
void gs_op_embed(struct gs_lane *lane, struct gs_rows out, const struct gs_tensor *w,
                 const int32_t *ids);

/* ---- element-wise and norms ---- */

/* out = weight * x / sqrt(mean(x^2) + eps), per row; weight[dim] may be NULL (ones); out may be x.
 */
void gs_op_rms_norm(struct gs_lane *lane, struct gs_rows out, struct gs_rows x, const float *weight,
                    float eps);
/* x = silu(gate) * (the same of x), per row, in place. */
void gs_op_rms_norm_gated(struct gs_lane *lane, struct gs_rows x, const float *weight, float eps,
                          struct gs_rows gate);
/* x += y */
void gs_op_add(struct gs_lane *lane, struct gs_rows x, struct gs_rows y);
/* x += y, normed */
void gs_op_add_normed(struct gs_lane *lane, struct gs_rows x, struct gs_normed y);
/* out = silu(gate) * up; out may be gate or up. */
void gs_op_swiglu(struct gs_lane *lane, struct gs_rows out, struct gs_rows gate, struct gs_rows up);

/* out = the gated unit of gate and up; out may be gate or up. */
void gs_op_glu(struct gs_lane *lane, enum gs_glu kind, struct gs_rows out, struct gs_rows gate,
               struct gs_rows up);
/* x *= sigmoid(gate); a gate of dim 1 scales its whole row. */
void gs_op_sigmoid_gate(struct gs_lane *lane, struct gs_rows x, struct gs_rows gate);
/* out = x, between different strides. */
void gs_op_copy(struct gs_lane *lane, struct gs_rows out, struct gs_rows x);
/* x *= s */
void gs_op_scale(struct gs_lane *lane, struct gs_rows x, float s);
/* x = cap tanh(x / cap) */
void gs_op_softcap(struct gs_lane *lane, struct gs_rows x, float cap);

/* ---- rotary position embedding (Su et al. 2021; YaRN: Peng et al. 2023) ---- */

enum gs_rope_pairs {
    GS_ROPE_ADJACENT, /* dims (2m, 2m+1): llama */
    GS_ROPE_HALVES,   /* dims (m, m + n_rot/2): "neox" */
};

struct gs_rope_params {
    enum gs_rope_pairs pairs;
    uint32_t n_rot; /* rotated dims, even; the rest of a head is untouched */
    float freq_base;
    float freq_scale;  /* linear scaling: 1/factor; 1 = none */
    float ext_factor;  /* YaRN: 1 = on, 0 = off */
    float attn_factor; /* multiplies cos and sin, before YaRN's own magnitude */
    float beta_fast, beta_slow;
    uint32_t ctx_orig;         /* original context of YaRN */
    const float *freq_factors; /* [n_rot/2] divisors of the angles, or NULL */
};

/* table[row][n_rot/2][2] = cos, sin of each row's position. */
void gs_op_rope_table(struct gs_lane *lane, float *table, const struct gs_rope_params *p,
                      const int32_t *pos, size_t n);
/* Rotate n_head heads of each row in place; heads are head_stride floats apart in the row. */
void gs_op_rope(struct gs_lane *lane, struct gs_rows x, size_t n_head, size_t head_stride,
                const struct gs_rope_params *p, const float *table);

/* ---- paged KV cache and attention ---- */

#define GS_KV_PAGE_TOKENS 32

/* One layer's part of every page. The K row of token t (of a sequence with page table `pages`),
 * head h, is at base + pages[t / P] * page_stride + k_off + (h * P + t % P) * k_row_bytes,
 * P = GS_KV_PAGE_TOKENS; V likewise. Rows are F32, F16 or Q8_0 (d_k, d_v multiples of 32). */
struct gs_kv_layer {
    uint8_t *base;
    size_t page_stride;
    size_t k_off, v_off;
    size_t k_row_bytes, v_row_bytes;
    enum gs_type type;
    uint32_t n_head_kv;
    uint32_t d_k, d_v;
};

/* Rows [row, row + n) of the batch are tokens n_past.. of one sequence. */
struct gs_kv_run {
    const uint32_t *pages;
    size_t n_past;
    size_t row;
    size_t n;
};

/* Write the K [row][head_kv][d_k] and V [row][head_kv][d_v] of all runs. */
void gs_op_kv_append(struct gs_lane *lane, const struct gs_kv_layer *kv,
                     const struct gs_kv_run *runs, size_t n_runs, struct gs_rows k,
                     struct gs_rows v);

/* What is done to every head of a product's output. */
struct gs_heads {
    size_t dim;    /* of a head */
    size_t stride; /* floats between heads; what lies between them is left alone */
    bool normed;   /* RMS norm, with weights norm[dim] or (NULL) without */
    const float *norm;
    float eps;
    const struct gs_rope_params *rope; /* NULL: none */
    const float *angles;               /* of gs_op_rope_table() */
    const int32_t *pos;                /* of the rows, for temper */
    float temper_beta; /* times 1 + beta ln(1 + floor(pos / span)): queries that see far are made
                          sharper; 0 = none */
    uint32_t temper_span;
    const struct gs_kv_layer *cache; /* written to last; NULL: not */
    bool is_v;                       /* as values */
    const struct gs_kv_run *runs;    /* of all rows, in order */
};

struct gs_attention {
    const struct gs_kv_layer *kv;
    const struct gs_kv_run *runs;
    size_t n_runs;
    uint32_t n_head;      /* query heads; head j reads kv head j / (n_head / n_head_kv) */
    size_t q_head_stride; /* floats between the heads of a q row */
    float scale;
    float softcap;      /* 0 = none: cap * tanh(score / cap) */
    uint32_t window;    /* 0 = all; else keys in (pos - window, pos] */
    const float *sinks; /* [n_head] logits that join the denominator, or NULL */
};

/* Causal softmax attention: out [row][n_head][d_v]. Scratch: gs_attention_scratch_bytes per lane.
 */
void gs_op_attention(struct gs_lane *lane, struct gs_rows out, struct gs_rows q,
                     const struct gs_attention *a);
/* Of any call with these limits. */
size_t gs_attention_scratch_bytes(uint32_t n_head, uint32_t d_k, uint32_t d_v);

/* ---- mixture of experts ---- */

#define GS_MOE_MAX_GROUPS 64

struct gs_moe {
    uint32_t n_expert, n_used;
    bool sigmoid;                   /* weights are sigmoids, not a softmax, of the logits */
    const float *choice_bias;       /* [n_expert] added to weights only to choose; or NULL */
    uint32_t n_group, n_group_used; /* equal groups, of which few may be chosen from; 0 = none */
    bool renormalise;               /* chosen weights sum to 1 */
    float weight_scale;             /* 1 = none */
    const float *expert_scale;      /* [n_expert] of each one's output, or NULL */
    enum gs_glu glu;
    const struct gs_tensor *gate, *up; /* {in, ff, expert} */
    const struct gs_tensor *gate_up;   /* or fused: {in, 2 ff, expert}, gate rows first */
    const struct gs_tensor *down;      /* {ff, out, expert} */
    const float *gate_bias, *up_bias;  /* [expert][ff] or NULL; not with gate_up */
    const float *down_bias;            /* [expert][out] or NULL */
};

/* Choose experts from the router's logits [row][n_expert]: the n_used largest weights (ties: lower
 * id first), in descending order. A group counts by the sum of its two largest. ids/weights are
 * [row][n_used]; the logits are overwritten. */
void gs_op_moe_route(struct gs_lane *lane, int32_t *ids, float *weights, struct gs_rows logits,
                     const struct gs_moe *m);
/* out = sum over the chosen experts of weight * down(glu(gate x, up x)), summed in rank order.
 * `work` is gs_moe_work_bytes() of shared memory. */
void gs_op_moe(struct gs_lane *lane, struct gs_rows out, struct gs_act *x, const int32_t *ids,
               const float *weights, const struct gs_moe *m, void *work);
size_t gs_moe_work_bytes(size_t n_rows, const struct gs_moe *m);

/* ---- gated delta rule (Yang et al. 2024, "Gated Delta Networks") ---- */

/* Rows [row, row + n) belong to the sequence whose state this is. */
struct gs_state_run {
    float *conv;  /* [taps - 1][channels]: the last inputs, oldest first */
    float *delta; /* [n_v][d_k][d_v] */
    size_t row;
    size_t n;
};

#define GS_CONV_MAX_TAPS 8

/* What the rule reads. A causal depthwise convolution and SiLU:
 *     out[t][ch] = silu(sum_j w[ch][j] u[t - taps + 1 + j][ch]);
 * inputs before the run come from, and the last ones go to, the state. Then each head of d of the
 * channels [0, n_normed) becomes x / max(||x||, eps). And the gates, which become
 *     g = a softplus(g + dt), beta = sigmoid(beta). */
struct gs_delta_inputs {
    struct gs_rows out, u; /* [row][channel]; not the same */
    const float *w;        /* [channel][taps] */
    size_t taps;
    size_t n_normed, d;
    float eps;
    struct gs_rows g, beta; /* [row][n_v] */
    const float *a, *dt;    /* [n_v] */
    const struct gs_state_run *runs;
    size_t n_runs;
};

void gs_op_delta_inputs(struct gs_lane *lane, const struct gs_delta_inputs *p);

struct gs_delta_rule {
    uint32_t n_k, n_v;   /* key heads, value heads; value head j uses key head j % n_k */
    uint32_t d;          /* of keys and values */
    struct gs_rows q, k; /* [row][n_k][d], L2-normalised */
    struct gs_rows v;    /* [row][n_v][d] */
    struct gs_rows g;    /* [row][n_v] log-decay <= 0 */
    struct gs_rows beta; /* [row][n_v] in (0, 1) */
    const struct gs_state_run *runs;
    size_t n_runs;
};

/* S <- e^g S; u = beta (v - S k); S <- S + u k^T; out = S q / sqrt(d). out [row][n_v][d]. */
void gs_op_delta_rule(struct gs_lane *lane, struct gs_rows out, const struct gs_delta_rule *p);
#endif
