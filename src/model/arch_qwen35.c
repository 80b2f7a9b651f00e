/* Qwen3.5, 3.6 and 3.8 (qwen35 dense, qwen35moe with experts): three layers of four are gated delta
 * nets, every fourth is gated attention with partial rope.
 *
 *     a  = x + Mix_i(RMS(x; attn_norm))
 *     x' = a + FFN_i(RMS(a; post_attention_norm))
 *     logits = W_out RMS(x_L; output_norm)
 *
 * For text all three position ids of the interleaved M-RoPE are equal, which makes it plain rope.
 * A trailing block for multi-token prediction is only of use to speculation: not loaded. */
#include "model/block.h"

struct layer {
    const float *attn_norm, *ffn_norm; /* [D] */
    bool recurrent;
    struct gs_attn attn;       /* or */
    struct gs_delta_net delta; /* if recurrent */
    struct gs_ffn ffn;
};

struct body {
    struct gs_ends ends;
    struct gs_rope rope;
    struct layer *layers;
};

/* A table of the newer converters, or the rule of every n-th. */
static bool is_recurrent(struct gs_loader *ld, uint32_t i)
{
    if (gs_load_has_key(ld, "attention.recurrent_layers"))
        return gs_load_u32_at(ld, "attention.recurrent_layers", i, 0, 1) != 0;
    return (i + 1) % gs_load_u32_or(ld, "full_attention_interval", 4, 1, GS_LOAD_MAX_LAYERS) != 0;
}

static void load_layer(struct gs_loader *ld, uint32_t i, struct body *b, struct layer *l)
{
    const struct gs_attn_spec attn = {
        .flags = GS_ATTN_QK_NORM | GS_ATTN_GATED, .rope = &b->rope, .eps = b->ends.eps};
    const uint32_t d = ld->model->params.n_embd;

    gs_load_enter_layer(ld, i);
    l->attn_norm = gs_load_vector(ld, "attn_norm.weight", d);
    l->recurrent = is_recurrent(ld, i);
    if (l->recurrent)
        gs_block_delta_net_load(ld, b->ends.eps, &l->delta);
    else
        gs_block_attn_load(ld, i, &attn, &l->attn);
    l->ffn_norm = gs_load_vector(ld, "post_attention_norm.weight", d);
    gs_block_ffn_load(ld, i, &(struct gs_ffn_spec){0}, &l->ffn);
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
    gs_block_rope_load(ld, GS_ROPE_HALVES, &b->rope);
    b->layers = gs_load_alloc(ld, m->params.n_layers, sizeof(*b->layers));
    for (uint32_t i = 0; i < m->params.n_layers && ld->st == GS_OK; i++)
        load_layer(ld, i, b, &b->layers[i]);
}

static void plan(const struct gs_model *m, struct gs_work w, size_t n_out)
{
    const struct body *b = m->body;

    gs_block_stream_take(&b->ends, &b->rope, &w);
    for (uint32_t i = 0; i < m->params.n_layers; i++) {
        const struct layer *l = &b->layers[i];

        if (l->recurrent)
            gs_block_delta_net_plan(&l->delta, w, m->params.n_embd);
        else
            gs_block_attn_plan(&l->attn, w, m->params.n_embd);
        gs_block_ffn_plan(&l->ffn, w, m->params.n_embd);
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

        const struct gs_normed for_mix = {s.x, l->attn_norm, b->ends.eps};
        const struct gs_normed for_ffn = {s.x, l->ffn_norm, b->ends.eps};

        if (l->recurrent)
            gs_block_delta_net(lane, &l->delta, batch, sum, for_mix, w);
        else
            gs_block_attn(lane, &l->attn, batch, s.angles, sum, for_mix, w);
        gs_block_ffn(lane, &l->ffn, sum, for_ffn, w);
    }
    gs_block_head(lane, &b->ends, batch, s.x, w);
}

const struct gs_arch gs_arch_qwen35 = {"qwen35", load, plan, forward};
const struct gs_arch gs_arch_qwen35moe = {"qwen35moe", load, plan, forward};
