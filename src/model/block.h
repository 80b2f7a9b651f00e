/* The pieces architectures are made of. Each has a load (find its tensors), a plan (take from the
 * work memory what a run takes) and a run: out = Block(x), x already normalised; residual sums and
 * norms belong to the architecture, where families differ.
 *
 * Notation of shapes: D = n_embd, h = d_k. Weights are {in, out}. */
#ifndef GS_MODEL_BLOCK_H
#define GS_MODEL_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "model/arch.h"
#include "model/loader.h"

/* ---- embedding and head ---- */

struct gs_ends {
    const struct gs_tensor *token_embd; /* {D, vocab} */
    const float *output_norm;           /* [D] */
    const struct gs_tensor *output;     /* {D, vocab}; the embedding if the file has no other */
    float eps;                          /* of every RMS norm */
};

void gs_block_ends_load(struct gs_loader *ld, struct gs_ends *out);
void gs_block_head_plan(const struct gs_ends *e, struct gs_work w, size_t n_out);
/* Logits of the wanted rows of x. */
void gs_block_head(struct gs_lane *lane, const struct gs_ends *e, const struct gs_batch *b,
                   struct gs_rows x, struct gs_work w);

/* The residual stream and its companions, which live through all layers. */
struct gs_stream {
    struct gs_rows x; /* [row][D] */
    struct gs_rows n; /* [row][D] x, normalised: the input of a block */
    struct gs_rows y; /* [row][D] the output of a block, to be added to x */
    float *angles;    /* [row][n_rot] cos and sin of each row's position */
};

struct gs_stream gs_block_stream_take(const struct gs_ends *e, const struct gs_rope_params *rope,
                                      struct gs_work *w);

/* ---- rotary embedding ---- */

/* Dimensions, base and scaling: none, linear, YaRN, or a factor per frequency. */
void gs_block_rope_load(struct gs_loader *ld, enum gs_rope_pairs pairs, struct gs_rope_params *out);

/* ---- attention ---- */

enum gs_attn_flags {
    GS_ATTN_QKV_BIAS = 1, /* must have biases; without the flag they are used where they exist */
    GS_ATTN_QK_NORM = 2,  /* RMS norm of each q and k head, before rope */
    GS_ATTN_GATED = 4,    /* W_q gives [q | gate] per head; the output is times sigmoid(gate) */
};

struct gs_attn {
    uint32_t n_head, n_head_kv;
    uint32_t d_k, d_v;
    bool gated;
    float scale;
    float eps;
    uint32_t kv_idx; /* among the attention layers */
    const struct gs_tensor *q, *k, *v, *o;
    const float *q_bias, *k_bias, *v_bias, *o_bias; /* NULL: none */
    const float *q_norm, *k_norm;                   /* [h] or NULL */
};

void gs_block_attn_load(struct gs_loader *ld, uint32_t layer, unsigned flags,
                        const struct gs_rope_params *rope, float eps, struct gs_attn *out);
void gs_block_attn_plan(const struct gs_attn *a, struct gs_work w, size_t n_embd);
/* A head's size: the key's value, else an equal part of the embedding. */
uint32_t gs_block_head_dim(struct gs_loader *ld, const char *key, uint32_t n_head);
void gs_block_attn(struct gs_lane *lane, const struct gs_attn *a, const struct gs_batch *b,
                   const struct gs_rope_params *rope, const float *angles, struct gs_rows out,
                   struct gs_rows x, struct gs_work w);

/* ---- feed-forward: dense, or a mixture of experts with an optional shared one ---- */

struct gs_swiglu {
    const struct gs_tensor *gate, *up;            /* {D, ff} */
    const struct gs_tensor *down;                 /* {ff, D} */
    const float *gate_bias, *up_bias, *down_bias; /* NULL: none */
};

struct gs_ffn {
    struct gs_swiglu dense; /* without experts: all of it; with: the shared expert, or NULLs */
    const struct gs_tensor *router;      /* {D, n_expert}; NULL: no experts */
    const struct gs_tensor *shared_gate; /* {D, 1} or NULL */
    struct gs_moe moe;
};

/* Experts if the file counts some and the layer is not dense all the same. */
void gs_block_ffn_load(struct gs_loader *ld, uint32_t layer, struct gs_ffn *out);
void gs_block_ffn_plan(const struct gs_ffn *f, struct gs_work w, size_t n_embd);
void gs_block_ffn(struct gs_lane *lane, const struct gs_ffn *f, struct gs_rows out,
                  struct gs_rows x, struct gs_work w);

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
                        const struct gs_batch *b, struct gs_rows out, struct gs_rows x,
                        struct gs_work w);

#endif
