/* Grouped-query attention over the paged cache:
 *
 *     q, k, v = W_q x, W_k x, W_v x        (+ biases; q, k, v normed per head; q, k turned by rope)
 *     o = softmax(scale q k^T) v           (query head j reads kv head j / (n_head / n_head_kv))
 *     out = W_o o                          (gated: W_o (o * sigmoid(gate)), [q | gate] = W_q x)
 *
 * A layer may see only a window of the last tokens, have a sink (one more logit per head that takes
 * its part of the softmax), or read the keys and values of a layer before it. */
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
    a->d_k = a->d_v = a->spec.head_dim;
    if (a->d_k == 0) {
        a->d_k = gs_block_head_dim(ld, "attention.key_length", a->n_head);
        a->d_v = gs_block_head_dim(ld, "attention.value_length", a->n_head);
    }
    if (p->n_head == 0) {
        p->n_head = a->n_head;
        p->n_head_kv = a->n_head_kv;
    }
}

static void check_heads(struct gs_loader *ld, const struct gs_attn *a)
{
    if (a->spec.rope && a->spec.rope->p.n_rot > a->d_k)
        gs_load_fail(ld, GS_EFORMAT, "cannot rotate %u dimensions of heads of %u",
                     a->spec.rope->p.n_rot, a->d_k);
    if ((a->spec.flags & GS_ATTN_GATED) && a->d_k != a->d_v)
        gs_load_fail(ld, GS_EFORMAT, "gated attention has keys of %u and values of %u", a->d_k,
                     a->d_v);
}

/* Required with the flag, else taken where it exists. */
static const float *load_flagged(struct gs_loader *ld, const char *name, uint64_t n, bool required)
{
    return required ? gs_load_vector(ld, name, n) : gs_load_vector_opt(ld, name, n);
}

/* W_q, W_k and W_v: three tensors, or one with the rows of all. */
static void load_qkv(struct gs_loader *ld, struct gs_attn *a, uint64_t q_out)
{
    const bool bias = (a->spec.flags & GS_ATTN_QKV_BIAS) != 0;
    const uint64_t d = ld->model->params.n_embd;
    const uint64_t k_dim = (uint64_t)a->n_head_kv * a->d_k;
    const uint64_t v_dim = (uint64_t)a->n_head_kv * a->d_v;
    const uint64_t all = q_out + k_dim + v_dim;

    if (gs_load_has(ld, "attn_qkv.weight")) {
        a->q = gs_load_matrix_part(ld, "attn_qkv.weight", d, all, 0, q_out);
        a->k = gs_load_matrix_part(ld, "attn_qkv.weight", d, all, q_out, k_dim);
        a->v = gs_load_matrix_part(ld, "attn_qkv.weight", d, all, q_out + k_dim, v_dim);
        return;
    }
    a->q = gs_load_matrix(ld, "attn_q.weight", d, q_out);
    a->q_bias = load_flagged(ld, "attn_q.bias", q_out, bias);
    if (a->spec.kv)
        return;
    a->k = gs_load_matrix(ld, "attn_k.weight", d, k_dim);
    a->k_bias = load_flagged(ld, "attn_k.bias", k_dim, bias);
    if ((a->spec.flags & GS_ATTN_V_IS_K) && !gs_load_has(ld, "attn_v.weight"))
        return;
    a->v = gs_load_matrix(ld, "attn_v.weight", d, v_dim);
    a->v_bias = load_flagged(ld, "attn_v.bias", v_dim, bias);
}

/* The other layer's keys and values must be of this one's shape. */
static struct gs_kv_at share_cache(struct gs_loader *ld, const struct gs_attn *a)
{
    const struct gs_kv_at at = *a->spec.kv;
    const struct gs_kv_shape *s = &ld->model->kv[at.kind].shapes[at.idx];

    if (s->n_head_kv != a->n_head_kv || s->d_k != a->d_k || s->d_v != a->d_v)
        gs_load_fail(ld, GS_EFORMAT, "%u key heads of %u cannot be read from a layer with %u of %u",
                     a->n_head_kv, a->d_k, s->n_head_kv, s->d_k);
    return at;
}

static void load_cache(struct gs_loader *ld, struct gs_attn *a)
{
    const struct gs_kv_shape shape = {a->n_head_kv, a->d_k, a->d_v, false};

    a->kv = a->spec.kv ? share_cache(ld, a) : gs_load_kv_layer(ld, shape, a->spec.window);
    gs_load_attention_scratch(ld, a->n_head, a->d_k, a->d_v);
}

void gs_block_attn_load(struct gs_loader *ld, uint32_t layer, const struct gs_attn_spec *spec,
                        struct gs_attn *out)
{
    struct gs_attn *a = out;
    const bool norm = (spec->flags & GS_ATTN_QK_NORM) != 0;
    const uint64_t d = ld->model->params.n_embd;

    *a = (struct gs_attn){.spec = *spec, .scale = spec->scale, .temper_span = 1};
    load_heads(ld, layer, a);
    check_heads(ld, a);
    const uint64_t q_dim = (uint64_t)a->n_head * a->d_k;

    if (a->scale == 0)
        a->scale = gs_load_f32_or(ld, "attention.scale", 1.0f / sqrtf((float)a->d_k), 0, 1e6f);
    load_qkv(ld, a, spec->flags & GS_ATTN_GATED ? 2 * q_dim : q_dim);
    a->o = gs_load_matrix(ld, "attn_output.weight", (uint64_t)a->n_head * a->d_v, d);
    a->o_bias = gs_load_vector_opt(ld, "attn_output.bias", d);
    a->q_norm = load_flagged(ld, "attn_q_norm.weight", a->d_k, norm);
    if (a->k)
        a->k_norm = load_flagged(ld, "attn_k_norm.weight", a->d_k, norm);
    a->sinks = gs_load_vector_opt(ld, "attn_sinks.weight", a->n_head);
    load_cache(ld, a);
}

struct acts {
    struct gs_act x;
    struct gs_rows q; /* [row][n_head][h], gated: [row][n_head][2][h] */
    struct gs_rows k; /* [row][n_head_kv][h] */
    struct gs_rows v; /* [row][n_head_kv][d_v]; k and v none: another layer's */
    struct gs_rows o; /* [row][n_head][d_v] */
    struct gs_act o_act;
};

static struct acts take(const struct gs_attn *a, struct gs_work *w, struct gs_normed x)
{
    const size_t n = w->n_rows;
    struct acts t = {0};

    t.x = gs_work_act_normed(w, x);
    t.q = gs_work_rows(w, n, a->q->ne[1]);
    if (a->k) {
        t.k = gs_work_rows(w, n, (size_t)a->n_head_kv * a->d_k);
        t.v = gs_work_rows(w, n, (size_t)a->n_head_kv * a->d_v);
    }
    t.o = gs_work_rows(w, n, a->o->ne[0]);
    t.o_act = gs_work_act(w, t.o);
    return t;
}

void gs_block_attn_plan(const struct gs_attn *a, struct gs_work w, size_t n_embd)
{
    take(a, &w, (struct gs_normed){.x = gs_rows(NULL, w.n_rows, n_embd)});
}

/* q, k and v: every head normed and turned, keys and values in the cache. */
static void project(struct gs_lane *lane, const struct gs_attn *a, const struct gs_batch *b,
                    struct acts *t, const float *angles)
{
    const struct gs_batch_kv *kv = &b->kv[a->kv.kind];
    const struct gs_kv_layer *cache = &kv->layers[a->kv.idx];
    const struct gs_rope_params *rope = a->spec.rope ? &a->spec.rope->p : NULL;
    const struct gs_heads heads[] = {
        {.dim = a->d_k,
         .stride = t->q.dim / a->n_head,
         .normed = a->q_norm != NULL,
         .norm = a->q_norm,
         .eps = a->spec.eps,
         .rope = rope,
         .angles = angles,
         .pos = b->pos,
         .temper_beta = a->temper_beta,
         .temper_span = a->temper_span},
        {.dim = a->d_k,
         .stride = a->d_k,
         .normed = a->k_norm != NULL,
         .norm = a->k_norm,
         .eps = a->spec.eps,
         .rope = rope,
         .angles = angles,
         .cache = cache,
         .runs = kv->runs},
        {.dim = a->d_v,
         .stride = a->d_v,
         .normed = (a->spec.flags & GS_ATTN_V_NORM) != 0,
         .eps = a->spec.eps,
         .cache = cache,
         .is_v = true,
         .runs = kv->runs},
    };
    const struct gs_matmul qkv[] = {
        {.out = t->q, .w = a->q, .bias = a->q_bias, .heads = &heads[0]},
        {.out = t->k, .w = a->k, .bias = a->k_bias, .heads = &heads[1]},
        {.out = t->v,
         .w = a->v ? a->v : a->k,
         .bias = a->v ? a->v_bias : a->k_bias,
         .heads = &heads[2]},
    };

    gs_op_matmul(lane, &t->x, qkv, a->k ? 3 : 1);
}

void gs_block_attn(struct gs_lane *lane, const struct gs_attn *a, const struct gs_batch *b,
                   const float *angles, struct gs_sum out, struct gs_normed x, struct gs_work w)
{
    struct acts t = take(a, &w, x);
    const struct gs_batch_kv *kv = &b->kv[a->kv.kind];
    const size_t q_stride = t.q.dim / a->n_head;
    const struct gs_matmul o = {.out = out.x, .w = a->o, .bias = a->o_bias, .add = out.add};

    project(lane, a, b, &t, angles);
    gs_op_attention(lane, t.o, t.q,
                    &(struct gs_attention){
                        .kv = &kv->layers[a->kv.idx],
                        .runs = kv->runs,
                        .n_runs = b->n_runs,
                        .n_head = a->n_head,
                        .q_head_stride = q_stride,
                        .scale = a->scale,
                        .softcap = a->spec.softcap,
                        .window = a->spec.window,
                        .sinks = a->sinks,
                    });
    if (a->spec.flags & GS_ATTN_GATED) {
        const struct gs_rows heads = gs_rows(t.o.p, t.o.n * a->n_head, a->d_v);
        const struct gs_rows gate = {t.q.p + a->d_k, heads.n, a->d_k, q_stride};
        gs_op_sigmoid_gate(lane, heads, gate);
    }
    gs_op_matmul(lane, &t.o_act, &o, 1);
}
