/* The pieces of models that read a text in both directions (the BERT family): as in block.h, each
 * has a load, a plan and a run, out = Block(x). A text is one run of the batch, complete. */
#ifndef GS_MODEL_BLOCK_ENCODER_H
#define GS_MODEL_BLOCK_ENCODER_H

#include <stdbool.h>
#include <stdint.h>

#include "compute/ops_encoder.h"
#include "model/block.h"

/* ---- layer norm ---- */

struct gs_norm {
    const float *weight, *bias; /* [n]; bias NULL: zeros */
};

/* "NAME.weight" and, if it is there, "NAME.bias". */
struct gs_norm gs_block_norm_load(struct gs_loader *ld, const char *name, uint64_t n);
/* Nothing but NULLs if there is no weight. */
struct gs_norm gs_block_norm_load_opt(struct gs_loader *ld, const char *name, uint64_t n);
void gs_block_norm(struct gs_lane *lane, struct gs_rows out, struct gs_rows x, struct gs_norm norm,
                   float eps);

/* ---- embedding ---- */

/* E[token] + T[segment] + P[position], normed; tables that the file lacks add nothing. */
struct gs_encoder_embd {
    const struct gs_tensor *token;    /* {D, vocab} */
    const struct gs_tensor *type;     /* {D, segments} or NULL */
    const struct gs_tensor *position; /* {D, context} or NULL */
    struct gs_norm norm;              /* NULLs: none */
    float eps;                        /* of every norm */
};

/* `eps_key` names the key of eps. */
void gs_block_encoder_embd_load(struct gs_loader *ld, const char *eps_key,
                                struct gs_encoder_embd *out);
/* y is a row of the same shape, overwritten. */
void gs_block_encoder_embd(struct gs_lane *lane, const struct gs_encoder_embd *e,
                           const struct gs_batch *b, struct gs_rows x, struct gs_rows y);
/* The rows of x that are wanted, to b->logits. */
void gs_block_encoder_out(struct gs_lane *lane, const struct gs_batch *b, struct gs_rows x);

/* ---- attention ---- */

enum gs_encoder_attn_norm {
    GS_ENCODER_NORM_ROWS, /* layer norm of whole q and k rows, if the file has it (Jina) */
    GS_ENCODER_NORM_HEADS /* RMS norm of each head (Gemma) */
};

struct gs_encoder_attn {
    uint32_t n_head, n_head_kv;
    uint32_t d; /* of a head */
    float eps;
    float max_bias; /* of ALiBi, 0 = none */
    uint32_t reach; /* 0 = all */
    enum gs_encoder_attn_norm norms;
    const struct gs_rope *rope; /* NULL: none */
    const struct gs_tensor *q, *k, *v, *o;
    const float *q_bias, *k_bias, *v_bias, *o_bias; /* NULL: none */
    struct gs_norm q_norm, k_norm;                  /* NULLs: none */
};

/* max_bias and reach are the caller's to set. */
void gs_block_encoder_attn_load(struct gs_loader *ld, enum gs_encoder_attn_norm norms,
                                const struct gs_rope *rope, float eps, struct gs_encoder_attn *out);
void gs_block_encoder_attn_plan(const struct gs_encoder_attn *a, struct gs_work w, size_t n_embd);
/* `angles` are of the layer's rope. */
void gs_block_encoder_attn(struct gs_lane *lane, const struct gs_encoder_attn *a,
                           const struct gs_batch *b, const float *angles, struct gs_rows out,
                           struct gs_rows x, struct gs_work w);

/* ---- feed-forward ---- */

enum gs_encoder_act { GS_ENCODER_GELU, GS_ENCODER_SILU };

/* W_down act(W_up x), or gated: W_down (act(W_gate x) * W_up x). */
struct gs_encoder_ffn {
    enum gs_encoder_act act;
    const struct gs_tensor *gate; /* {D, ff}; GELU: or NULL */
    const struct gs_tensor *up, *down;
    const float *gate_bias, *up_bias, *down_bias; /* NULL: none */
};

void gs_block_encoder_ffn_load(struct gs_loader *ld, enum gs_encoder_act act,
                               struct gs_encoder_ffn *out);
void gs_block_encoder_ffn_plan(const struct gs_encoder_ffn *f, struct gs_work w, size_t n_embd);
void gs_block_encoder_ffn(struct gs_lane *lane, const struct gs_encoder_ffn *f, struct gs_rows out,
                          struct gs_rows x, struct gs_work w);

#endif
