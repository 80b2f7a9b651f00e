/* Grouped-query attention over the paged cache:
 *
 *     q, k, v = W_q x, W_k x, W_v x        (+ biases; q, k normed per head; rope)
 *     o = softmax(scale q k^T) v           (query head j reads kv head j / (n_head / n_head_kv))
 *     out = W_o o                          (gated: W_o (o * sigmoid(gate)), [q | gate] = W_q x) */
#include "model/block.h"

#include <math.h>

uint32_t gs_block_head_dim(struct gs_loader *ld, const char *key, uint32_t n_head)
{
    const uint32_t n_embd = ld->model->params.n_embd;

    if (!gs_load_has_key(ld, key) && n_embd % n_head != 0)
        gs_load_fail(ld, GS_EFORMAT, "%u heads do not divide an embedding of %u", n_head, n_embd);
    return gs_load_u32_or(ld, key, n_embd / n_head, 1, GS_LOAD_MAX_HEAD_DIM);
}

static void load_heads(struct gs_loader *ld, uint32_t layer, struct gs_attn *a)
{
    struct gs_model_params *p = &ld->model->params;

    a->n_head = gs_load_u32_at(ld, "attention.head_count", layer, 1, GS_LOAD_MAX_HEADS);
    a->n_head_kv = a->n_head;
    if (gs_load_has_key(ld, "attention.head_count_kv"))
        a->n_head_kv = gs_load_u32_at(ld, "attention.head_count_kv", layer, 1, GS_LOAD_MAX_HEADS);
    if (a->n_head % a->n_head_kv != 0)
        gs_load_fail(ld, GS_EFORMAT, "%u key heads do not divide %u query heads", a->n_head_kv,
                     a->n_head);
    a->d_k = gs_block_head_dim(ld, "attention.key_length", a->n_head);
    a->d_v = gs_block_head_dim(ld, "attention.value_length", a->n_head);
    if (p->n_head == 0) {
        p->n_head = a->n_head;
        p->n_head_kv = a->n_head_kv;
    }
}

static const float *load_bias(struct gs_loader *ld, const char *name, uint64_t n, unsigned flags)
{
    return flags & GS_ATTN_QKV_BIAS ? gs_load_vector(ld, name, n) : gs_load_vector_opt(ld, name, n);
}

void gs_block_attn_load(struct gs_loader *ld, uint32_t layer, unsigned flags,
                        const struct gs_rope_params *rope, float eps, struct gs_attn *out)
{
    struct gs_attn *a = out;
    const uint64_t d = ld->model->params.n_embd;

    *a = (struct gs_attn){.eps = eps, .gated = (flags & GS_ATTN_GATED) != 0};
    load_heads(ld, layer, a);
    if (rope->n_rot > a->d_k)
        gs_load_fail(ld, GS_EFORMAT, "cannot rotate %u dimensions of heads of %u", rope->n_rot,
                     a->d_k);
    const uint64_t q_dim = (uint64_t)a->n_head * a->d_k;
    const uint64_t k_dim = (uint64_t)a->n_head_kv * a->d_k;
    const uint64_t v_dim = (uint64_t)a->n_head_kv * a->d_v;
    const uint64_t o_dim = (uint64_t)a->n_head * a->d_v;
    const uint64_t q_out = a->gated ? 2 * q_dim : q_dim;

    if (a->gated && a->d_k != a->d_v)
        gs_load_fail(ld, GS_EFORMAT, "gated attention has keys of %u and values of %u", a->d_k,
                     a->d_v);
    a->scale = gs_load_f32_or(ld, "attention.scale", 1.0f / sqrtf((float)a->d_k), 0, 1e6f);
    a->q = gs_load_matrix(ld, "attn_q.weight", d, q_out);
    a->k = gs_load_matrix(ld, "attn_k.weight", d, k_dim);
    a->v = gs_load_matrix(ld, "attn_v.weight", d, v_dim);
    a->o = gs_load_matrix(ld, "attn_output.weight", o_dim, d);
    a->q_bias = load_bias(ld, "attn_q.bias", q_out, flags);
    a->k_bias = load_bias(ld, "attn_k.bias", k_dim, flags);
    a->v_bias = load_bias(ld, "attn_v.bias", v_dim, flags);
    a->o_bias = gs_load_vector_opt(ld, "attn_output.bias", d);
    if (flags & GS_ATTN_QK_NORM) {
        a->q_norm = gs_load_vector(ld, "attn_q_norm.weight", a->d_k);
        a->k_norm = gs_load_vector(ld, "attn_k_norm.weight", a->d_k);
    }
    a->kv_idx = gs_load_kv_layer(ld, (struct gs_kv_shape){a->n_head_kv, a->d_k, a->d_v});

    const size_t scratch = gs_attention_scratch_bytes(a->n_head, a->d_k, a->d_v);
    if (ld->st == GS_OK && ld->model->lane_scratch_bytes < scratch)
        ld->model->lane_scratch_bytes = scratch;
}

struct acts {
    struct gs_act x;
    struct gs_rows q; /* [row][n_head][h], gated: [row][n_head][2][h] */
    struct gs_rows k; /* [row][n_head_kv][h] */
    struct gs_rows v; /* [row][n_head_kv][d_v] */
    struct gs_rows o; /* [row][n_head][d_v] */
    struct gs_act o_act;
};

static struct acts take(const struct gs_attn *a, struct gs_work *w, struct gs_rows x)
{
    const size_t n = w->n_rows;
    struct acts t;

    t.x = gs_work_act(w, x);
    t.q = gs_work_rows(w, n, a->q->ne[1]);
    t.k = gs_work_rows(w, n, a->k->ne[1]);
    t.v = gs_work_rows(w, n, a->v->ne[1]);
    t.o = gs_work_rows(w, n, a->o->ne[0]);
    t.o_act = gs_work_act(w, t.o);
    return t;
}

void gs_block_attn_plan(const struct gs_attn *a, struct gs_work w, size_t n_embd)
{
    take(a, &w, gs_rows(NULL, w.n_rows, n_embd));
}

/* Each head of each row as a row of its own; heads are `stride` floats apart. */
static struct gs_rows heads(struct gs_rows x, size_t n_head, size_t dim, size_t stride)
{
    return (struct gs_rows){x.p, x.n * n_head, dim, stride};
}

void gs_block_attn(struct gs_lane *lane, const struct gs_attn *a, const struct gs_batch *b,
                   const struct gs_rope_params *rope, const float *angles, struct gs_rows out,
                   struct gs_rows x, struct gs_work w)
{
    struct acts t = take(a, &w, x);
    const size_t q_stride = a->gated ? 2 * a->d_k : a->d_k;
    const struct gs_rows q_heads = heads(t.q, a->n_head, a->d_k, q_stride);
    const struct gs_rows k_heads = heads(t.k, a->n_head_kv, a->d_k, a->d_k);
    const struct gs_kv_layer *kv = &b->kv[a->kv_idx];
    const struct gs_matmul qkv[] = {
        {t.q, a->q, a->q_bias},
        {t.k, a->k, a->k_bias},
        {t.v, a->v, a->v_bias},
    };
    const struct gs_matmul o = {out, a->o, a->o_bias};

    gs_op_matmul(lane, &t.x, qkv, GS_COUNT_OF(qkv));
    if (a->q_norm) {
        gs_op_rms_norm(lane, q_heads, q_heads, a->q_norm, a->eps);
        gs_op_rms_norm(lane, k_heads, k_heads, a->k_norm, a->eps);
    }
    gs_op_rope(lane, t.q, a->n_head, q_stride, rope, angles);
    gs_op_rope(lane, t.k, a->n_head_kv, a->d_k, rope, angles);
    gs_op_kv_append(lane, kv, b->kv_runs, b->n_runs, t.k, t.v);
    gs_op_attention(lane, t.o, t.q,
                    &(struct gs_attention){
                        .kv = kv,
                        .runs = b->kv_runs,
                        .n_runs = b->n_runs,
                        .n_head = a->n_head,
                        .q_head_stride = q_stride,
                        .scale = a->scale,
                    });
    if (a->gated) {
        const struct gs_rows gate = {t.q.p + a->d_k, q_heads.n, a->d_k, q_stride};
        gs_op_sigmoid_gate(lane, heads(t.o, a->n_head, a->d_v, a->d_v), gate);
    }
    gs_op_matmul(lane, &t.o_act, &o, 1);
}
