/* Attention of an encoder, without a cache:
 *
 *     q, k, v = W_q x, W_k x, W_v x        (+ biases; q and k normed; rope)
 *     out = W_o softmax(scale q k^T - slope |i - j|) v + b_o */
#include "model/block_encoder.h"

#include <math.h>

static void load_heads(struct gs_loader *ld, struct gs_encoder_attn *a)
{
    struct gs_model_params *p = &ld->model->params;

    a->n_head = gs_load_u32(ld, "attention.head_count", 1, GS_LOAD_MAX_HEADS);
    a->n_head_kv = gs_load_u32_or(ld, "attention.head_count_kv", a->n_head, 1, GS_LOAD_MAX_HEADS);
    if (a->n_head % a->n_head_kv != 0)
        gs_load_fail(ld, GS_EFORMAT, "%u key heads do not divide %u query heads", a->n_head_kv,
                     a->n_head);
    a->d = gs_block_head_dim(ld, "attention.key_length", a->n_head);
    p->n_head = a->n_head;
    p->n_head_kv = a->n_head_kv;
}

/* Three matrices and their biases, or one that holds the rows of all. */
static void load_qkv(struct gs_loader *ld, struct gs_encoder_attn *a)
{
    const uint64_t d = ld->model->params.n_embd;
    const uint64_t q = (uint64_t)a->n_head * a->d;
    const uint64_t k = (uint64_t)a->n_head_kv * a->d;

    if (gs_load_has(ld, "attn_qkv.weight")) {
        const float *bias = gs_load_vector_opt(ld, "attn_qkv.bias", q + 2 * k);
        a->q = gs_load_matrix_part(ld, "attn_qkv.weight", d, q + 2 * k, 0, q);
        a->k = gs_load_matrix_part(ld, "attn_qkv.weight", d, q + 2 * k, q, k);
        a->v = gs_load_matrix_part(ld, "attn_qkv.weight", d, q + 2 * k, q + k, k);
        a->q_bias = bias;
        a->k_bias = bias ? bias + q : NULL;
        a->v_bias = bias ? bias + q + k : NULL;
        return;
    }
    a->q = gs_load_matrix(ld, "attn_q.weight", d, q);
    a->k = gs_load_matrix(ld, "attn_k.weight", d, k);
    a->v = gs_load_matrix(ld, "attn_v.weight", d, k);
    a->q_bias = gs_load_vector_opt(ld, "attn_q.bias", q);
    a->k_bias = gs_load_vector_opt(ld, "attn_k.bias", k);
    a->v_bias = gs_load_vector_opt(ld, "attn_v.bias", k);
}

void gs_block_encoder_attn_load(struct gs_loader *ld, enum gs_encoder_attn_norm norms,
                                const struct gs_rope *rope, float eps, struct gs_encoder_attn *out)
{
    struct gs_encoder_attn *a = out;
    const uint64_t d = ld->model->params.n_embd;

    *a = (struct gs_encoder_attn){.eps = eps, .norms = norms, .rope = rope};
    load_heads(ld, a);
    if (rope && rope->p.n_rot > a->d)
        gs_load_fail(ld, GS_EFORMAT, "cannot rotate %u dimensions of heads of %u", rope->p.n_rot,
                     a->d);
    load_qkv(ld, a);
    a->o = gs_load_matrix(ld, "attn_output.weight", (uint64_t)a->n_head * a->d, d);
    a->o_bias = gs_load_vector_opt(ld, "attn_output.bias", d);
    if (norms == GS_ENCODER_NORM_HEADS) {
        a->q_norm.weight = gs_load_vector(ld, "attn_q_norm.weight", a->d);
        a->k_norm.weight = gs_load_vector(ld, "attn_k_norm.weight", a->d);
    } else {
        a->q_norm = gs_block_norm_load_opt(ld, "attn_q_norm", (uint64_t)a->n_head * a->d);
        a->k_norm = gs_block_norm_load_opt(ld, "attn_k_norm", (uint64_t)a->n_head_kv * a->d);
    }
    const size_t scratch = gs_attention_both_scratch_bytes(a->d, a->d);
    if (ld->st == GS_OK && ld->model->lane_scratch_bytes < scratch)
        ld->model->lane_scratch_bytes = scratch;
}

struct acts {
    struct gs_act x;
    struct gs_rows q, k, v; /* [row][head][d] */
    struct gs_rows o;       /* [row][n_head][d] */
    struct gs_act o_act;
};

static struct acts take(const struct gs_encoder_attn *a, struct gs_work *w, struct gs_rows x)
{
    struct acts t = {.x = gs_work_act(w, x)};

    t.q = gs_work_rows(w, w->n_rows, a->q->ne[1]);
    t.k = gs_work_rows(w, w->n_rows, a->k->ne[1]);
    t.v = gs_work_rows(w, w->n_rows, a->v->ne[1]);
    t.o = gs_work_rows(w, w->n_rows, a->o->ne[0]);
    t.o_act = gs_work_act(w, t.o);
    return t;
}

void gs_block_encoder_attn_plan(const struct gs_encoder_attn *a, struct gs_work w, size_t n_embd)
{
    take(a, &w, gs_rows(NULL, w.n_rows, n_embd));
}

static void norm(struct gs_lane *lane, const struct gs_encoder_attn *a, struct gs_rows x,
                 struct gs_norm n)
{
    const struct gs_rows heads = gs_rows(x.p, x.n * (x.dim / a->d), a->d);

    if (!n.weight)
        return;
    if (a->norms == GS_ENCODER_NORM_HEADS)
        gs_op_rms_norm(lane, heads, heads, n.weight, a->eps);
    else
        gs_block_norm(lane, x, x, n, a->eps);
}

void gs_block_encoder_attn(struct gs_lane *lane, const struct gs_encoder_attn *a,
                           const struct gs_batch *b, const float *angles, struct gs_rows out,
                           struct gs_rows x, struct gs_work w)
{
    struct acts t = take(a, &w, x);
    const struct gs_matmul qkv[] = {
        {.out = t.q, .w = a->q, .bias = a->q_bias},
        {.out = t.k, .w = a->k, .bias = a->k_bias},
        {.out = t.v, .w = a->v, .bias = a->v_bias},
    };
    const struct gs_matmul o = {.out = out, .w = a->o, .bias = a->o_bias};

    gs_op_matmul(lane, &t.x, qkv, GS_COUNT_OF(qkv));
    norm(lane, a, t.q, a->q_norm);
    norm(lane, a, t.k, a->k_norm);
    if (a->rope) {
        gs_op_rope(lane, t.q, a->n_head, a->d, &a->rope->p, angles);
        gs_op_rope(lane, t.k, a->n_head_kv, a->d, &a->rope->p, angles);
    }
    gs_op_attention_both(lane, t.o,
                         &(struct gs_attention_both){
                             .q = t.q,
                             .k = t.k,
                             .v = t.v,
                             .runs = b->kv[GS_KV_FULL].runs,
                             .n_runs = b->n_runs,
                             .n_head = a->n_head,
                             .n_head_kv = a->n_head_kv,
                             .d_k = a->d,
                             .d_v = a->d,
                             .scale = 1.0f / sqrtf((float)a->d),
                             .reach = a->reach,
                             .max_bias = a->max_bias,
                         });
    gs_op_matmul(lane, &t.o_act, &o, 1);
}
