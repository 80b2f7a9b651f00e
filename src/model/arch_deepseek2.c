/* DeepSeek V2, V3, R1, Kimi K2 and GLM-4.7-Flash: latent attention, and after some dense layers a
 * mixture of many small experts, of which groups are chosen first, beside shared ones.
 *
 *     a  = x + MLA(RMS(x; attn_norm))
 *     x' = a + FFN_i(RMS(a; ffn_norm))
 *     logits = W_out RMS(x_L; output_norm) */
#include "model/block.h"

struct layer {
    const float *attn_norm, *ffn_norm; /* [D] */
    struct gs_mla attn;
    struct gs_ffn ffn;
};

struct body {
    struct gs_ends ends;
    struct gs_rope rope;
    struct layer *layers;
};

/* Files from before expert_gating_func: routers with a bias are of V3, whose weights are sigmoids;
 * those without are of V2, a softmax. */
static struct gs_ffn_spec ffn_spec(const struct gs_loader *ld)
{
    return (struct gs_ffn_spec){
        .sigmoid = gs_load_has(ld, "exp_probs_b.bias"),
        .raw_weights = true,
    };
}

static void load_layer(struct gs_loader *ld, uint32_t i, struct body *b, struct layer *l)
{
    const uint32_t d = ld->model->params.n_embd;

    gs_load_enter_layer(ld, i);
    const struct gs_ffn_spec ffn = ffn_spec(ld);
    l->attn_norm = gs_load_vector(ld, "attn_norm.weight", d);
    gs_block_mla_load(ld, i, &b->rope, b->ends.eps, &l->attn);
    l->ffn_norm = gs_load_vector(ld, "ffn_norm.weight", d);
    gs_block_ffn_load(ld, i, &ffn, &l->ffn);
}

static void load(struct gs_loader *ld, struct gs_model *m)
{
    const uint32_t n_blocks = m->params.n_layers;
    const uint32_t n_mtp = gs_load_u32_or(ld, "nextn_predict_layers", 0, 0, n_blocks - 1);
    struct body *b = gs_load_alloc(ld, 1, sizeof(*b));

    if (!b)
        return;
    m->body = b;
    m->params.n_layers = n_blocks - n_mtp;
    gs_block_ends_load(ld, &b->ends);
    gs_block_rope_load(ld, GS_ROPE_ADJACENT, &b->rope);
    /* cos and sin keep their magnitude: what YaRN adds to it is in the scale of the scores. */
    b->rope.p.attn_factor = 1 / gs_block_rope_stretch(b->rope.factor, 1);
    b->layers = gs_load_alloc(ld, m->params.n_layers, sizeof(*b->layers));
    for (uint32_t i = 0; i < m->params.n_layers && ld->st == GS_OK; i++)
        load_layer(ld, i, b, &b->layers[i]);
}

static void plan(const struct gs_model *m, struct gs_work w, size_t n_out)
{
    const struct body *b = m->body;

    gs_block_stream_take(&b->ends, &b->rope, &w);
    for (uint32_t i = 0; i < m->params.n_layers; i++) {
        gs_block_mla_plan(&b->layers[i].attn, w, m->params.n_embd);
        gs_block_ffn_plan(&b->layers[i].ffn, w, m->params.n_embd);
    }
    gs_block_head_plan(&b->ends, w, n_out);
}

static void forward(struct gs_lane *lane, const struct gs_model *m, const struct gs_batch *batch,
                    struct gs_work w)
{
    const struct body *b = m->body;
    const struct gs_stream s = gs_block_stream_take(&b->ends, &b->rope, &w);
    const struct gs_sum sum = {s.x, 1};

    gs_block_embed(lane, &b->ends, batch, s.x);
    gs_block_angles(lane, &b->rope, batch, s.angles);
    for (uint32_t i = 0; i < m->params.n_layers; i++) {
        if (gs_exec_is_abandoned(lane, batch, i))
            return;
        const struct layer *l = &b->layers[i];

        const struct gs_normed for_attn = {s.x, l->attn_norm, b->ends.eps};
        const struct gs_normed for_ffn = {s.x, l->ffn_norm, b->ends.eps};

        gs_block_mla(lane, &l->attn, batch, s.angles, sum, for_attn, w);
        gs_block_ffn(lane, &l->ffn, sum, for_ffn, w);
    }
    gs_block_head(lane, &b->ends, batch, s.x, w);
}

const struct gs_arch gs_arch_deepseek2 = {"deepseek2", load, plan, forward};
