/* The plain pre-norm transformer: llama (also Mistral, Mixtral and most derivatives), qwen2, qwen3
 * and qwen3moe. They differ in the pairing of rope, in biases, in norms of the heads, and in
 * whether the feed-forward is a mixture of experts.
 *
 *     a  = x + Attn(RMS(x; attn_norm))
 *     x' = a + FFN(RMS(a; ffn_norm))
 *     logits = W_out RMS(x_L; output_norm) */
#include "model/block.h"

struct layer {
    const float *attn_norm, *ffn_norm; /* [D] */
    struct gs_attn attn;
    struct gs_ffn ffn;
};

struct body {
    struct gs_ends ends;
    struct gs_rope_params rope;
    struct layer *layers;
};

/* What sets one member of the family apart. */
struct traits {
    enum gs_rope_pairs pairs;
    unsigned attn; /* enum gs_attn_flags */
};

static void load_layer(struct gs_loader *ld, uint32_t i, const struct traits *t, struct body *b,
                       struct layer *l)
{
    const uint32_t d = ld->model->params.n_embd;

    gs_load_enter_layer(ld, i);
    l->attn_norm = gs_load_vector(ld, "attn_norm.weight", d);
    gs_block_attn_load(ld, i, t->attn, &b->rope, b->ends.eps, &l->attn);
    l->ffn_norm = gs_load_vector(ld, "ffn_norm.weight", d);
    gs_block_ffn_load(ld, i, &l->ffn);
}

static void load(struct gs_loader *ld, struct gs_model *m, const struct traits *t)
{
    struct body *b = gs_load_alloc(ld, 1, sizeof(*b));

    if (!b)
        return;
    m->body = b;
    gs_block_ends_load(ld, &b->ends);
    gs_block_rope_load(ld, t->pairs, &b->rope);
    b->layers = gs_load_alloc(ld, m->params.n_layers, sizeof(*b->layers));
    for (uint32_t i = 0; i < m->params.n_layers && ld->st == GS_OK; i++)
        load_layer(ld, i, t, b, &b->layers[i]);
}

static void load_llama(struct gs_loader *ld, struct gs_model *m)
{
    load(ld, m, &(struct traits){GS_ROPE_ADJACENT, 0});
}

static void load_qwen2(struct gs_loader *ld, struct gs_model *m)
{
    load(ld, m, &(struct traits){GS_ROPE_HALVES, GS_ATTN_QKV_BIAS});
}

static void load_qwen3(struct gs_loader *ld, struct gs_model *m)
{
    load(ld, m, &(struct traits){GS_ROPE_HALVES, GS_ATTN_QK_NORM});
}

static void plan(const struct gs_model *m, struct gs_work w, size_t n_out)
{
    const struct body *b = m->body;

    gs_block_stream_take(&b->ends, &b->rope, &w);
    for (uint32_t i = 0; i < m->params.n_layers; i++) {
        gs_block_attn_plan(&b->layers[i].attn, w, m->params.n_embd);
        gs_block_ffn_plan(&b->layers[i].ffn, w, m->params.n_embd);
    }
    gs_block_head_plan(&b->ends, w, n_out);
}

static void forward(struct gs_lane *lane, const struct gs_model *m, const struct gs_batch *batch,
                    struct gs_work w)
{
    const struct body *b = m->body;
    const struct gs_stream s = gs_block_stream_take(&b->ends, &b->rope, &w);

    gs_op_embed(lane, s.x, b->ends.token_embd, batch->tokens);
    gs_op_rope_table(lane, s.angles, &b->rope, batch->pos, batch->n_rows);
    for (uint32_t i = 0; i < m->params.n_layers; i++) {
        const struct layer *l = &b->layers[i];

        gs_op_rms_norm(lane, s.n, s.x, l->attn_norm, b->ends.eps);
        gs_block_attn(lane, &l->attn, batch, &b->rope, s.angles, s.y, s.n, w);
        gs_op_add(lane, s.x, s.y);

        gs_op_rms_norm(lane, s.n, s.x, l->ffn_norm, b->ends.eps);
        gs_block_ffn(lane, &l->ffn, s.y, s.n, w);
        gs_op_add(lane, s.x, s.y);
    }
    gs_block_head(lane, &b->ends, batch, s.x, w);
}

const struct gs_arch gs_arch_llama = {"llama", load_llama, plan, forward};
const struct gs_arch gs_arch_qwen2 = {"qwen2", load_qwen2, plan, forward};
const struct gs_arch gs_arch_qwen3 = {"qwen3", load_qwen3, plan, forward};
const struct gs_arch gs_arch_qwen3moe = {"qwen3moe", load_qwen3, plan, forward};
