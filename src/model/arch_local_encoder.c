/* Encoders with norms before the blocks, most of whose layers see only what is near: modern-bert
 * (Warner et al. 2024) and gemma-embedding (EmbeddingGemma, 2025: the body of gemma3 that reads
 * both ways).
 *
 *     modern-bert:     a = x + Attn(LN(x)),           x' = a + FFN(LN(a)),  LN at both ends
 *     gemma-embedding: a = x + RMS(Attn(RMS(x))),     x' = a + RMS(FFN(RMS(a))),
 *                      x_0 = sqrt(D) E[token], RMS at the end
 *
 * The first layer of modern-bert has no norm: that of the embedding is its own. Local layers reach
 * half a window to each side, and rotate with a base of their own. */
#include "model/block_encoder.h"

#include <math.h>

struct layer {
    struct gs_norm attn_norm; /* NULLs: none */
    struct gs_encoder_attn attn;
    struct gs_norm attn_post_norm; /* NULLs: none */
    struct gs_norm ffn_norm;
    struct gs_encoder_ffn ffn;
    struct gs_norm ffn_post_norm; /* NULLs: none */
};

struct body {
    struct gs_encoder_embd embd;
    bool is_gemma;
    float embd_scale;         /* 1 = none */
    struct gs_rope far, near; /* of global and local layers */
    struct gs_norm out_norm;
    struct layer *layers;
};

/* One of `period` layers is global: the first of them (modern-bert), or the last (gemma). */
static bool is_local(struct gs_loader *ld, const struct body *b, uint32_t i)
{
    const uint32_t period = gs_load_u32_or(ld, "attention.sliding_window_pattern",
                                           b->is_gemma ? 6 : 3, 1, GS_LOAD_MAX_LAYERS);

    return b->is_gemma ? i % period != period - 1 : i % period != 0;
}

static void load_layer(struct gs_loader *ld, uint32_t i, const struct body *b, struct layer *l)
{
    const uint32_t d = ld->model->params.n_embd;
    const bool local = is_local(ld, b, i);

    gs_load_enter_layer(ld, i);
    l->attn_norm = i == 0 && !b->is_gemma ? gs_block_norm_load_opt(ld, "attn_norm", d)
                                          : gs_block_norm_load(ld, "attn_norm", d);
    gs_block_encoder_attn_load(ld, b->is_gemma ? GS_ENCODER_NORM_HEADS : GS_ENCODER_NORM_ROWS,
                               local ? &b->near : &b->far, b->embd.eps, &l->attn);
    if (local)
        l->attn.reach = gs_load_u32(ld, "attention.sliding_window", 2, INT32_MAX) / 2;
    l->ffn_norm = gs_block_norm_load(ld, "ffn_norm", d);
    gs_block_encoder_ffn_load(ld, GS_ENCODER_GELU, &l->ffn);
    if (b->is_gemma) {
        l->attn_post_norm = gs_block_norm_load(ld, "post_attention_norm", d);
        l->ffn_post_norm = gs_block_norm_load(ld, "post_ffw_norm", d);
    }
}

static void load(struct gs_loader *ld, struct gs_model *m, bool is_gemma)
{
    struct body *b = gs_load_alloc(ld, 1, sizeof(*b));

    if (!b)
        return;
    m->body = b;
    b->is_gemma = is_gemma;
    b->embd_scale = is_gemma ? sqrtf((float)m->params.n_embd) : 1;
    gs_block_encoder_embd_load(
        ld, is_gemma ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon",
        &b->embd);
    gs_block_rope_load(ld, GS_ROPE_HALVES, &b->far);
    b->near = b->far;
    b->near.p.freq_base = gs_load_f32_or(ld, "rope.freq_base_swa",
                                         is_gemma ? 10000.0f : b->far.p.freq_base, 1.0f, 1e12f);
    if (is_gemma)
        b->near.p.freq_scale = 1;
    b->out_norm = gs_block_norm_load(ld, "output_norm", m->params.n_embd);
    b->layers = gs_load_alloc(ld, m->params.n_layers, sizeof(*b->layers));
    for (uint32_t i = 0; i < m->params.n_layers && ld->st == GS_OK; i++)
        load_layer(ld, i, b, &b->layers[i]);
}

static void load_modern_bert(struct gs_loader *ld, struct gs_model *m)
{
    load(ld, m, false);
}

static void load_gemma(struct gs_loader *ld, struct gs_model *m)
{
    load(ld, m, true);
}

struct acts {
    struct gs_rows x, n, y; /* [row][D] */
    float *far, *near;      /* angles */
};

static struct acts take(const struct gs_model *m, struct gs_work *w)
{
    const struct body *b = m->body;
    struct acts t;

    t.x = gs_work_rows(w, w->n_rows, m->params.n_embd);
    t.n = gs_work_rows(w, w->n_rows, m->params.n_embd);
    t.y = gs_work_rows(w, w->n_rows, m->params.n_embd);
    t.far = gs_block_angles_take(&b->far, w);
    t.near = gs_block_angles_take(&b->near, w);
    return t;
}

static void plan(const struct gs_model *m, struct gs_work w, size_t n_out)
{
    const struct body *b = m->body;

    (void)n_out;
    take(m, &w);
    for (uint32_t i = 0; i < m->params.n_layers; i++) {
        gs_block_encoder_attn_plan(&b->layers[i].attn, w, m->params.n_embd);
        gs_block_encoder_ffn_plan(&b->layers[i].ffn, w, m->params.n_embd);
    }
}

/* out = the family's norm of x, or x where there is none. */
static void norm(struct gs_lane *lane, const struct body *b, struct gs_rows out, struct gs_rows x,
                 struct gs_norm n)
{
    if (b->is_gemma)
        gs_op_rms_norm(lane, out, x, n.weight, b->embd.eps);
    else if (n.weight)
        gs_block_norm(lane, out, x, n, b->embd.eps);
    else
        gs_op_copy(lane, out, x);
}

static void forward(struct gs_lane *lane, const struct gs_model *m, const struct gs_batch *batch,
                    struct gs_work w)
{
    const struct body *b = m->body;
    const struct acts t = take(m, &w);

    gs_block_encoder_embd(lane, &b->embd, batch, t.x, t.y);
    if (b->embd_scale != 1)
        gs_op_scale(lane, t.x, b->embd_scale);
    gs_block_angles(lane, &b->far, batch, t.far);
    gs_block_angles(lane, &b->near, batch, t.near);
    for (uint32_t i = 0; i < m->params.n_layers; i++) {
        const struct layer *l = &b->layers[i];

        norm(lane, b, t.n, t.x, l->attn_norm);
        gs_block_encoder_attn(lane, &l->attn, batch, l->attn.rope == &b->near ? t.near : t.far, t.y,
                              t.n, w);
        if (b->is_gemma)
            norm(lane, b, t.y, t.y, l->attn_post_norm);
        gs_op_add(lane, t.x, t.y);

        norm(lane, b, t.n, t.x, l->ffn_norm);
        gs_block_encoder_ffn(lane, &l->ffn, t.y, t.n, w);
        if (b->is_gemma)
            norm(lane, b, t.y, t.y, l->ffn_post_norm);
        gs_op_add(lane, t.x, t.y);
    }
    norm(lane, b, t.x, t.x, b->out_norm);
    gs_block_encoder_out(lane, batch, t.x);
}

const struct gs_arch gs_arch_modern_bert = {"modern-bert", load_modern_bert, plan, forward};
const struct gs_arch gs_arch_gemma_embedding = {"gemma-embedding", load_gemma, plan, forward};
