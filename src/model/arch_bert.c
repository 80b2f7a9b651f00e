/* Encoders with norms after the sums: bert (also XLM-R: bge-m3, e5), nomic-bert and jina-bert-v2.
 *
 *     x  = LN(E[token] + T[segment] + P[position])
 *     a  = LN(x + Attn(x))
 *     x' = LN(a + FFN(a))
 *
 * Positions are learned (bert), rotated (nomic-bert) or distances in the scores (jina-bert-v2,
 * ALiBi); the feed-forward is plain, or gated by SiLU or GELU. XLM-R's offset of positions is gone
 * once a file is converted: its table begins with the row of the first token. Jina's models for
 * code add the layer's input a second time, with a norm of its own. */
#include "model/block_encoder.h"

struct layer {
    struct gs_encoder_attn attn;
    struct gs_norm attn_norm;
    struct gs_norm attn_norm_2; /* NULLs: none */
    struct gs_encoder_ffn ffn;
    struct gs_norm out_norm;
};

struct body {
    struct gs_encoder_embd embd;
    struct gs_rope rope;
    bool has_rope;
    struct layer *layers;
};

/* What sets one member of the family apart. */
struct traits {
    bool has_rope;
    float max_bias; /* of ALiBi, unless the file says otherwise; 0 = none */
    enum gs_encoder_act act;
};

static void load_layer(struct gs_loader *ld, uint32_t i, const struct traits *t,
                       const struct body *b, struct layer *l)
{
    const uint32_t d = ld->model->params.n_embd;

    gs_load_enter_layer(ld, i);
    gs_block_encoder_attn_load(ld, GS_ENCODER_NORM_ROWS, b->has_rope ? &b->rope : NULL, b->embd.eps,
                               &l->attn);
    if (t->max_bias > 0)
        l->attn.max_bias = gs_load_f32_or(ld, "attention.max_alibi_bias", t->max_bias, 0, 1000.0f);
    l->attn_norm = gs_block_norm_load(ld, "attn_output_norm", d);
    l->attn_norm_2 = gs_block_norm_load_opt(ld, "attn_norm_2", d);
    gs_block_encoder_ffn_load(ld, t->act, &l->ffn);
    l->out_norm = gs_block_norm_load(ld, "layer_output_norm", d);
}

static void load(struct gs_loader *ld, struct gs_model *m, const struct traits *t)
{
    struct body *b = gs_load_alloc(ld, 1, sizeof(*b));

    if (!b)
        return;
    m->body = b;
    gs_block_encoder_embd_load(ld, "attention.layer_norm_epsilon", &b->embd);
    b->has_rope = t->has_rope;
    if (b->has_rope)
        gs_block_rope_load(ld, GS_ROPE_HALVES, &b->rope);
    else if (t->max_bias == 0 && !b->embd.position)
        gs_load_fail(ld, GS_EFORMAT, "tensor \"position_embd.weight\" is missing");
    b->layers = gs_load_alloc(ld, m->params.n_layers, sizeof(*b->layers));
    for (uint32_t i = 0; i < m->params.n_layers && ld->st == GS_OK; i++)
        load_layer(ld, i, t, b, &b->layers[i]);
}

static void load_bert(struct gs_loader *ld, struct gs_model *m)
{
    load(ld, m, &(struct traits){.act = GS_ENCODER_GELU});
}

static void load_nomic(struct gs_loader *ld, struct gs_model *m)
{
    load(ld, m, &(struct traits){.has_rope = true, .act = GS_ENCODER_SILU});
}

static void load_jina(struct gs_loader *ld, struct gs_model *m)
{
    load(ld, m, &(struct traits){.max_bias = 8.0f, .act = GS_ENCODER_GELU});
}

struct acts {
    struct gs_rows x, y; /* [row][D] */
    struct gs_rows x_in; /* [row][D] the layer's input, if it is added twice */
    float *angles;
};

static struct acts take(const struct gs_model *m, struct gs_work *w)
{
    const struct body *b = m->body;
    struct acts t = {.angles = NULL};

    t.x = gs_work_rows(w, w->n_rows, m->params.n_embd);
    t.y = gs_work_rows(w, w->n_rows, m->params.n_embd);
    t.x_in = gs_work_rows(w, w->n_rows, m->params.n_embd);
    if (b->has_rope)
        t.angles = gs_block_angles_take(&b->rope, w);
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

static void forward(struct gs_lane *lane, const struct gs_model *m, const struct gs_batch *batch,
                    struct gs_work w)
{
    const struct body *b = m->body;
    const struct acts t = take(m, &w);
    const float eps = b->embd.eps;

    gs_block_encoder_embd(lane, &b->embd, batch, t.x, t.y);
    if (b->has_rope)
        gs_block_angles(lane, &b->rope, batch, t.angles);
    for (uint32_t i = 0; i < m->params.n_layers; i++) {
        const struct layer *l = &b->layers[i];

        if (l->attn_norm_2.weight)
            gs_op_copy(lane, t.x_in, t.x);
        gs_block_encoder_attn(lane, &l->attn, batch, t.angles, t.y, t.x, w);
        gs_op_add(lane, t.x, t.y);
        gs_block_norm(lane, t.x, t.x, l->attn_norm, eps);
        if (l->attn_norm_2.weight) {
            gs_op_add(lane, t.x, t.x_in);
            gs_block_norm(lane, t.x, t.x, l->attn_norm_2, eps);
        }

        gs_block_encoder_ffn(lane, &l->ffn, t.y, t.x, w);
        gs_op_add(lane, t.x, t.y);
        gs_block_norm(lane, t.x, t.x, l->out_norm, eps);
    }
    gs_block_encoder_out(lane, batch, t.x);
}

const struct gs_arch gs_arch_bert = {"bert", load_bert, plan, forward};
const struct gs_arch gs_arch_nomic_bert = {"nomic-bert", load_nomic, plan, forward};
const struct gs_arch gs_arch_jina_bert_v2 = {"jina-bert-v2", load_jina, plan, forward};
