/* The pieces architectures are made of. Each has a load (find its tensors), a plan (take from the
 * work memory what a run takes) and a run: out = Block(x), or out += r Block(x), where x may stand
 * for the norm of rows. Which sums and norms there are belongs to the architecture, where families
 * differ.
 *
 * Notation of shapes: D = n_embd, h = d_k. Weights are {in, out}. */
#ifndef GS_MODEL_BLOCK_H
#define GS_MODEL_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "model/arch.h"
#include "model/loader.h"

/* Where a block's result y goes: x = y, or (add != 0) x += add y. */
struct gs_sum {
    struct gs_rows x;
    float add;
};

/* ---- embedding and head ---- */

struct gs_ends {
    const struct gs_tensor *token_embd; /* {D, vocab} */
    const float *output_norm;           /* [D] */
    const struct gs_tensor *output;     /* {D, vocab}; the embedding if the file has no other */
    float eps;                          /* of every RMS norm */
    float embed_scale;                  /* of the embedding; 1 = none */
    float logit_scale;                  /* what logits are divided by; 1 = none */
    float softcap;                      /* of the logits after that; 0 = none */
};

void gs_block_ends_load(struct gs_loader *ld, struct gs_ends *out);
/* x = the batch's tokens. */
void gs_block_embed(struct gs_lane *lane, const struct gs_ends *e, const struct gs_batch *b,
                    struct gs_rows x);
void gs_block_head_plan(const struct gs_ends *e, struct gs_work w, size_t n_out);
/* Logits of the wanted rows of x. */
void gs_block_head(struct gs_lane *lane, const struct gs_ends *e, const struct gs_batch *b,
                   struct gs_rows x, struct gs_work w);

/* ---- rotary embedding ---- */

struct gs_rope {
    struct gs_rope_params p;
    const float *long_factors; /* [n_rot/2] for p.freq_factors in a context beyond p.ctx_orig */
    float factor;              /* of YaRN; 1 = none */
    float log_mul;             /* YaRN's log multiplier; 0 = none */
};

/* Dimensions, base and scaling: none, linear, YaRN, or factors for each frequency. */
void gs_block_rope_load(struct gs_loader *ld, enum gs_rope_pairs pairs, struct gs_rope *out);
/* How much YaRN stretches by `factor`: 1 + 0.1 mul ln(factor). */
float gs_block_rope_stretch(float factor, float mul);
/* The cos and sin of each row's position, [row][n_rot]. */
float *gs_block_angles_take(const struct gs_rope *rope, struct gs_work *w);
void gs_block_angles(struct gs_lane *lane, const struct gs_rope *rope, const struct gs_batch *b,
                     float *angles);

/* The residual stream and its companions, which live through all layers. */
struct gs_stream {
    struct gs_rows x; /* [row][D] */
    struct gs_rows y; /* [row][D] the output of a block that is not added to x as it is */
    float *angles;    /* of `rope` */
};

struct gs_stream gs_block_stream_take(const struct gs_ends *e, const struct gs_rope *rope,
                                      struct gs_work *w);

/* ---- attention ---- */

enum gs_attn_flags {
    GS_ATTN_QKV_BIAS = 1, /* must have biases; without the flag they are used where they exist */
    GS_ATTN_QK_NORM = 2,  /* must have RMS norms of each q and k head, before rope; likewise */
    GS_ATTN_V_NORM = 4,   /* RMS norm of each v head, without weights */
    GS_ATTN_V_IS_K = 8,   /* v is k, before norm and rope, if there is no W_v */
    GS_ATTN_GATED = 16,   /* W_q gives [q | gate] per head; the output is times sigmoid(gate) */
};

struct gs_attn_spec {
    unsigned flags;             /* enum gs_attn_flags */
    const struct gs_rope *rope; /* NULL: none */
    float eps;
    float scale;               /* of scores; 0: what the file says, or 1/sqrt(h) */
    float softcap;             /* of scores; 0 = none */
    uint32_t window;           /* 0 = all */
    uint32_t head_dim;         /* of keys and values; 0: what the file says */
    const struct gs_kv_at *kv; /* the layer whose keys and values this one reads; NULL: its own */
};

struct gs_attn {
    uint32_t n_head, n_head_kv;
    uint32_t d_k, d_v;
    struct gs_attn_spec spec;
    float scale;
    float temper_beta; /* queries times 1 + beta ln(1 + floor(pos / span)); 0 = none */
    uint32_t temper_span;
    struct gs_kv_at kv;
    const struct gs_tensor *q, *k, *v, *o;          /* no k: another layer's; no v: it is k */
    const float *q_bias, *k_bias, *v_bias, *o_bias; /* NULL: none */
    const float *q_norm, *k_norm;                   /* [h] or NULL */
    const float *sinks;                             /* [n_head] or NULL */
};

void gs_block_attn_load(struct gs_loader *ld, uint32_t layer, const struct gs_attn_spec *spec,
                        struct gs_attn *out);
void gs_block_attn_plan(const struct gs_attn *a, struct gs_work w, size_t n_embd);
/* A head's size: the key's value, else an equal part of the embedding. */
uint32_t gs_block_head_dim(struct gs_loader *ld, const char *key, uint32_t n_head);
void gs_block_attn(struct gs_lane *lane, const struct gs_attn *a, const struct gs_batch *b,
                   const float *angles, struct gs_sum out, struct gs_normed x, struct gs_work w);

/* ---- latent attention ---- */

struct gs_mla {
    uint32_t n_head;
    uint32_t d_nope, d_rot; /* of a head: without position, and turned by rope */
    uint32_t d_v;
    uint32_t rank; /* of the latent */
    float eps;
    float scale; /* of scores */
    const struct gs_rope *rope;
    struct gs_kv_at kv;
    const struct gs_tensor *q_a;  /* {D, q_rank} or NULL */
    const float *q_a_norm;        /* [q_rank] */
    const struct gs_tensor *q;    /* {q_rank or D, n_head (d_nope + d_rot)} */
    const struct gs_tensor *kv_a; /* {D, rank + d_rot} */
    const float *kv_a_norm;       /* [rank] */
    const struct gs_tensor *k_b;  /* {d_nope, rank, n_head} */
    const struct gs_tensor *v_b;  /* {rank, d_v, n_head} */
    const struct gs_tensor *o;    /* {n_head d_v, D} */
};

void gs_block_mla_load(struct gs_loader *ld, uint32_t layer, const struct gs_rope *rope, float eps,
                       struct gs_mla *out);
void gs_block_mla_plan(const struct gs_mla *a, struct gs_work w, size_t n_embd);
void gs_block_mla(struct gs_lane *lane, const struct gs_mla *a, const struct gs_batch *b,
                  const float *angles, struct gs_sum out, struct gs_normed x, struct gs_work w);

/* ---- feed-forward: dense, or a mixture of experts with an optional shared one ---- */

struct gs_ffn_spec {
    enum gs_glu glu;
    bool gate_in_up;  /* dense: W_up holds the rows of W_gate and then its own */
    bool sigmoid;     /* experts: weights are sigmoids, unless the file says otherwise */
    bool raw_weights; /* experts: weights are not renormalised, unless the file says so */
};

struct gs_dense {
    enum gs_glu glu;
    const struct gs_tensor *gate, *up;            /* {D, ff} */
    const struct gs_tensor *down;                 /* {ff, D} */
    const float *gate_bias, *up_bias, *down_bias; /* NULL: none */
};

struct gs_ffn {
    struct gs_dense dense; /* without experts: all of it; with: the shared expert, or NULLs */
    const struct gs_tensor *router;      /* {D, n_expert}; NULL: no experts */
    const float *router_bias;            /* [n_expert] or NULL */
    const struct gs_tensor *shared_gate; /* {D, 1} or NULL */
    struct gs_moe moe;
};

/* Experts if the file counts some and the layer is not dense all the same. */
void gs_block_ffn_load(struct gs_loader *ld, uint32_t layer, const struct gs_ffn_spec *spec,
                       struct gs_ffn *out);
void gs_block_dense_load(struct gs_loader *ld, uint32_t layer, const struct gs_ffn_spec *spec,
                         struct gs_ffn *out);
void gs_block_experts_load(struct gs_loader *ld, const struct gs_ffn_spec *spec,
                           struct gs_ffn *out);
void gs_block_ffn_plan(const struct gs_ffn *f, struct gs_work w, size_t n_embd);
void gs_block_ffn(struct gs_lane *lane, const struct gs_ffn *f, struct gs_sum out,
                  struct gs_normed x, struct gs_work w);
/* The same where the router reads `r` instead of x. */
void gs_block_ffn_routed(struct gs_lane *lane, const struct gs_ffn *f, struct gs_sum out,
                         struct gs_normed x, struct gs_normed r, struct gs_work w);

/* ---- gated delta net ---- */

struct gs_delta_net {
    uint32_t n_k, n_v, d; /* heads of keys and values, and their size */
    uint32_t taps;        /* of the convolution */
    float eps;
    uint32_t state_idx;                   /* among the recurrent layers */
    const struct gs_tensor *qkv;          /* {D, channels}: all q, all k, all v */
    const struct gs_tensor *z;            /* {D, n_v d} */
    const struct gs_tensor *alpha, *beta; /* {D, n_v} */
    const float *conv;                    /* [channels][taps] */
    const float *a, *dt;                  /* [n_v] */
    const float *norm;                    /* [d] */
    const struct gs_tensor *out;          /* {n_v d, D} */
};

void gs_block_delta_net_load(struct gs_loader *ld, float eps, struct gs_delta_net *out);
void gs_block_delta_net_plan(const struct gs_delta_net *n, struct gs_work w, size_t n_embd);
void gs_block_delta_net(struct gs_lane *lane, const struct gs_delta_net *n,
                        const struct gs_batch *b, struct gs_sum out, struct gs_normed x,
                        struct gs_work w);

#endif
