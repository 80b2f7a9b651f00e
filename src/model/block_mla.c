/* Multi-head latent attention (DeepSeek-AI 2024, "DeepSeek-V2", section 2.1), absorbed form: the
 * cache holds one latent and one turned key per token for all heads, and the products with W_kb and
 * W_vb are done on the side of the queries and outputs.
 *
 *     q = W_qb RMS(W_qa x), or W_q x; per head [q_nope | q_rot]
 *     [c | k_rot] = W_kva x, c = RMS(c);   cached: rank + d_rot values per token
 *     score = scale (W_kb^T q_nope . c + rope(q_rot) . rope(k_rot))
 *     out = W_o W_vb (sum softmax(score) c) */
#include "model/block.h"

#include <math.h>

static void load_sizes(struct gs_loader *ld, uint32_t layer, struct gs_mla *a)
{
    struct gs_model_params *p = &ld->model->params;
    const uint32_t d_k = gs_load_u32(ld, "attention.key_length_mla", 1, GS_LOAD_MAX_HEAD_DIM);

    a->n_head = gs_load_u32_at(ld, "attention.head_count", layer, 1, GS_LOAD_MAX_HEADS);
    a->d_v = gs_load_u32(ld, "attention.value_length_mla", 1, GS_LOAD_MAX_HEAD_DIM);
    a->rank = gs_load_u32(ld, "attention.kv_lora_rank", 1, GS_LOAD_MAX_HEAD_DIM);
    a->d_rot = a->rope->p.n_rot;
    if (a->d_rot >= d_k)
        gs_load_fail(ld, GS_EFORMAT, "cannot rotate %u dimensions of heads of %u", a->d_rot, d_k);
    a->d_nope = d_k - a->d_rot;
    if (p->n_head == 0) {
        p->n_head = a->n_head;
        p->n_head_kv = 1;
    }
}

/* YaRN's stretch is not in cos and sin (see arch_deepseek2.c) but, squared, in the scores. */
static float score_scale(const struct gs_mla *a)
{
    const float stretch = gs_block_rope_stretch(a->rope->factor, 10 * a->rope->log_mul);

    return stretch * stretch / sqrtf((float)(a->d_nope + a->d_rot));
}

void gs_block_mla_load(struct gs_loader *ld, uint32_t layer, const struct gs_rope *rope, float eps,
                       struct gs_mla *out)
{
    struct gs_mla *a = out;
    const uint64_t d = ld->model->params.n_embd;
    uint64_t q_in = d;

    *a = (struct gs_mla){.rope = rope, .eps = eps};
    load_sizes(ld, layer, a);
    a->scale = score_scale(a);
    const uint64_t q_out = (uint64_t)a->n_head * (a->d_nope + a->d_rot);
    if (gs_load_has(ld, "attn_q_a.weight")) {
        q_in = gs_load_u32(ld, "attention.q_lora_rank", 1, GS_LOAD_MAX_DIM);
        a->q_a = gs_load_matrix(ld, "attn_q_a.weight", d, q_in);
        a->q_a_norm = gs_load_vector(ld, "attn_q_a_norm.weight", q_in);
    }
    a->q = gs_load_matrix(ld, a->q_a ? "attn_q_b.weight" : "attn_q.weight", q_in, q_out);
    a->kv_a = gs_load_matrix(ld, "attn_kv_a_mqa.weight", d, (uint64_t)a->rank + a->d_rot);
    a->kv_a_norm = gs_load_vector(ld, "attn_kv_a_norm.weight", a->rank);
    a->k_b = gs_load_experts(ld, "attn_k_b.weight", a->d_nope, a->rank, a->n_head);
    a->v_b = gs_load_experts(ld, "attn_v_b.weight", a->rank, a->d_v, a->n_head);
    a->o = gs_load_matrix(ld, "attn_output.weight", (uint64_t)a->n_head * a->d_v, d);
    a->kv = gs_load_kv_layer(ld, (struct gs_kv_shape){1, a->rank + a->d_rot, a->rank, true}, 0);
    gs_load_attention_scratch(ld, a->n_head, a->rank + a->d_rot, a->rank);
}

struct acts {
    struct gs_act x;
    struct gs_rows q_a;    /* [row][q_rank] */
    struct gs_act q_a_act; /* likewise */
    struct gs_rows q;      /* [row][n_head][d_nope + d_rot] */
    struct gs_act q_nope;  /* [row n_head][d_nope] */
    struct gs_rows k;      /* [row][rank + d_rot] */
    struct gs_rows qk;     /* [row][n_head][rank + d_rot] what is compared with k */
    struct gs_rows c;      /* [row][n_head][rank] mixed latents */
    struct gs_act c_act;   /* [row n_head][rank] */
    struct gs_rows o;      /* [row][n_head][d_v] */
    struct gs_act o_act;
};

static struct acts take(const struct gs_mla *a, struct gs_work *w, struct gs_normed x)
{
    const size_t n = w->n_rows;
    const size_t d_q = (size_t)a->d_nope + a->d_rot;
    const size_t d_k = (size_t)a->rank + a->d_rot;
    struct acts t = {0};

    t.x = gs_work_act_normed(w, x);
    if (a->q_a) {
        t.q_a = gs_work_rows(w, n, a->q_a->ne[1]);
        t.q_a_act = gs_work_act_normed(w, (struct gs_normed){t.q_a, a->q_a_norm, a->eps});
    }
    t.q = gs_work_rows(w, n, a->n_head * d_q);
    t.q_nope = gs_work_act(w, (struct gs_rows){t.q.p, n * a->n_head, a->d_nope, d_q});
    t.k = gs_work_rows(w, n, d_k);
    t.qk = gs_work_rows(w, n, a->n_head * d_k);
    t.c = gs_work_rows(w, n, (size_t)a->n_head * a->rank);
    t.c_act = gs_work_act(w, gs_rows(t.c.p, n * a->n_head, a->rank));
    t.o = gs_work_rows(w, n, (size_t)a->n_head * a->d_v);
    t.o_act = gs_work_act(w, t.o);
    return t;
}

void gs_block_mla_plan(const struct gs_mla *a, struct gs_work w, size_t n_embd)
{
    take(a, &w, (struct gs_normed){.x = gs_rows(NULL, w.n_rows, n_embd)});
}

/* q and k, turned. */
static void project(struct gs_lane *lane, const struct gs_mla *a, struct acts *t,
                    const float *angles)
{
    const size_t d_q = (size_t)a->d_nope + a->d_rot;
    const struct gs_rows latent = {t->k.p, t->k.n, a->rank, t->k.stride};
    const struct gs_rows k_rot = {t->k.p + a->rank, t->k.n, a->d_rot, t->k.stride};
    const struct gs_rows q_rot = {t->q.p + a->d_nope, t->q.n, a->d_rot, t->q.stride};
    const struct gs_matmul in[] = {
        {.out = t->k, .w = a->kv_a},
        {.out = a->q_a ? t->q_a : t->q, .w = a->q_a ? a->q_a : a->q},
    };
    const struct gs_matmul q_b = {.out = t->q, .w = a->q};

    gs_op_matmul(lane, &t->x, in, GS_COUNT_OF(in));
    if (a->q_a)
        gs_op_matmul(lane, &t->q_a_act, &q_b, 1);
    gs_op_rms_norm(lane, latent, latent, a->kv_a_norm, a->eps);
    gs_op_rope(lane, q_rot, a->n_head, d_q, &a->rope->p, angles);
    gs_op_rope(lane, k_rot, 1, a->d_rot, &a->rope->p, angles);
}

void gs_block_mla(struct gs_lane *lane, const struct gs_mla *a, const struct gs_batch *b,
                  const float *angles, struct gs_sum out, struct gs_normed x, struct gs_work w)
{
    struct acts t = take(a, &w, x);
    const size_t heads = w.n_rows * a->n_head;
    const size_t d_q = (size_t)a->d_nope + a->d_rot;
    const size_t d_k = (size_t)a->rank + a->d_rot;
    const struct gs_rows q_rot = {t.q.p + a->d_nope, heads, a->d_rot, d_q};
    const struct gs_rows qk_nope = {t.qk.p, heads, a->rank, d_k};
    const struct gs_rows qk_rot = {t.qk.p + a->rank, heads, a->d_rot, d_k};
    const struct gs_rows latent = {t.k.p, t.k.n, a->rank, t.k.stride};
    const struct gs_batch_kv *kv = &b->kv[a->kv.kind];
    const struct gs_kv_layer *cache = &kv->layers[a->kv.idx];
    const struct gs_matmul o = {.out = out.x, .w = a->o, .add = out.add};

    project(lane, a, &t, angles);
    gs_op_matmul_heads(lane, &t.q_nope, qk_nope, a->k_b);
    gs_op_copy(lane, qk_rot, q_rot);
    gs_op_kv_append(lane, cache, kv->runs, b->n_runs, t.k, latent);
    gs_op_attention(lane, t.c, t.qk,
                    &(struct gs_attention){
                        .kv = cache,
                        .runs = kv->runs,
                        .n_runs = b->n_runs,
                        .n_head = a->n_head,
                        .q_head_stride = d_k,
                        .scale = a->scale,
                    });
    gs_op_matmul_heads(lane, &t.c_act, gs_rows(t.o.p, heads, a->d_v), a->v_b);
    gs_op_matmul(lane, &t.o_act, &o, 1);
}
