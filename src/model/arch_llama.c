/* The plain pre-norm transformer, and the many families that keep its equations:
 *
 *     a  = x + r Attn(RMS(x; attn_norm))
 *     x' = a + r FFN(RMS(a; ffn_norm))
 *     logits = W_out RMS(x_L; output_norm)
 *
 * llama (also Mistral, Mixtral and most derivatives), granite (a residual scale r, scales of
 * embedding, scores and logits), smollm3 (no rope in every fourth layer), mistral3 (queries made
 * sharper with their position), qwen2, qwen3, qwen3moe, phi3 (q, k, v and gate, up in one tensor),
 * glm4moe (leading dense layers, then experts of sigmoids beside a shared one) and gpt-oss (sinks,
 * a window in every other layer, clamped units). Blocks for multi-token prediction at the end of a
 * file are only of use to speculation: not loaded. */
#include "model/block.h"

struct layer {
    const float *attn_norm, *ffn_norm; /* [D] */
    struct gs_attn attn;
    struct gs_ffn ffn;
};

struct body {
    struct gs_ends ends;
    struct gs_rope rope;
    float residual_scale;
    struct layer *layers;
};

/* What sets one member of the family apart. */
struct traits {
    enum gs_rope_pairs pairs;
    unsigned attn;          /* enum gs_attn_flags */
    const char *ffn_norm;   /* its tensor, if not ffn_norm.weight */
    uint32_t no_rope_every; /* layers n - 1, 2n - 1...; 0 = none */
    bool windows;           /* in layers 0, 2, 4... */
    struct gs_ffn_spec ffn;
};

static void load_layer(struct gs_loader *ld, uint32_t i, const struct traits *t, struct body *b,
                       struct layer *l)
{
    const uint32_t d = ld->model->params.n_embd;
    const bool no_rope = t->no_rope_every > 0 && (i + 1) % t->no_rope_every == 0;
    const bool window = t->windows && i % 2 == 0;
    const struct gs_attn_spec attn = {
        .flags = t->attn,
        .rope = no_rope ? NULL : &b->rope,
        .eps = b->ends.eps,
        .window = window ? gs_load_u32(ld, "attention.sliding_window", 1, INT32_MAX) : 0,
    };

    gs_load_enter_layer(ld, i);
    l->attn_norm = gs_load_vector(ld, "attn_norm.weight", d);
    gs_block_attn_load(ld, i, &attn, &l->attn);
    l->attn.temper_beta = gs_load_f32_or(ld, "attention.temperature_scale", 0, 0, 1e6f);
    l->attn.temper_span = b->rope.p.ctx_orig;
    l->ffn_norm = gs_load_vector(ld, t->ffn_norm ? t->ffn_norm : "ffn_norm.weight", d);
    gs_block_ffn_load(ld, i, &t->ffn, &l->ffn);
}

static void load(struct gs_loader *ld, struct gs_model *m, const struct traits *t)
{
    const uint32_t n_blocks = m->params.n_layers;
    const uint32_t n_mtp = gs_load_u32_or(ld, "nextn_predict_layers", 0, 0, n_blocks - 1);
    struct body *b = gs_load_alloc(ld, 1, sizeof(*b));

    if (!b)
        return;
    m->body = b;
    m->params.n_layers = n_blocks - n_mtp;
    gs_block_ends_load(ld, &b->ends);
    gs_block_rope_load(ld, t->pairs, &b->rope);
    b->residual_scale = gs_load_f32_or(ld, "residual_scale", 1, 1e-6f, 1e6f);
    b->layers = gs_load_alloc(ld, m->params.n_layers, sizeof(*b->layers));
    for (uint32_t i = 0; i < m->params.n_layers && ld->st == GS_OK; i++)
        load_layer(ld, i, t, b, &b->layers[i]);
}

static void load_llama(struct gs_loader *ld, struct gs_model *m)
{
    load(ld, m, &(struct traits){.pairs = GS_ROPE_ADJACENT});
}

static void load_smollm3(struct gs_loader *ld, struct gs_model *m)
{
    load(ld, m, &(struct traits){.pairs = GS_ROPE_ADJACENT, .no_rope_every = 4});
}

static void load_qwen2(struct gs_loader *ld, struct gs_model *m)
{
    load(ld, m, &(struct traits){.pairs = GS_ROPE_HALVES, .attn = GS_ATTN_QKV_BIAS});
}

static void load_qwen3(struct gs_loader *ld, struct gs_model *m)
{
    load(ld, m, &(struct traits){.pairs = GS_ROPE_HALVES, .attn = GS_ATTN_QK_NORM});
}

static void load_phi3(struct gs_loader *ld, struct gs_model *m)
{
    load(ld, m, &(struct traits){.pairs = GS_ROPE_HALVES, .ffn.gate_in_up = true});
}

static void load_glm4moe(struct gs_loader *ld, struct gs_model *m)
{
    load(ld, m,
         &(struct traits){
             .pairs = GS_ROPE_HALVES,
             .ffn_norm = "post_attention_norm.weight",
             .ffn = {.sigmoid = true, .raw_weights = true},
         });
}

static void load_gpt_oss(struct gs_loader *ld, struct gs_model *m)
{
    load(ld, m,
         &(struct traits){
             .pairs = GS_ROPE_HALVES,
             .attn = GS_ATTN_QKV_BIAS,
             .ffn_norm = "post_attention_norm.weight",
             .windows = true,
             .ffn.glu = GS_GLU_CLAMPED,
         });
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
    const struct gs_sum sum = {s.x, b->residual_scale};

    gs_block_embed(lane, &b->ends, batch, s.x);
    gs_block_angles(lane, &b->rope, batch, s.angles);
    for (uint32_t i = 0; i < m->params.n_layers; i++) {
        if (gs_exec_is_abandoned(lane, batch, i))
            return;
        const struct layer *l = &b->layers[i];

        const struct gs_normed for_attn = {s.x, l->attn_norm, b->ends.eps};
        const struct gs_normed for_ffn = {s.x, l->ffn_norm, b->ends.eps};

        gs_block_attn(lane, &l->attn, batch, s.angles, sum, for_attn, w);
        gs_block_ffn(lane, &l->ffn, sum, for_ffn, w);
    }
    gs_block_head(lane, &b->ends, batch, s.x, w);
}

const struct gs_arch gs_arch_llama = {"llama", load_llama, plan, forward};
const struct gs_arch gs_arch_granite = {"granite", load_llama, plan, forward};
const struct gs_arch gs_arch_smollm3 = {"smollm3", load_smollm3, plan, forward};
const struct gs_arch gs_arch_mistral3 = {"mistral3", load_llama, plan, forward};
const struct gs_arch gs_arch_qwen2 = {"qwen2", load_qwen2, plan, forward};
const struct gs_arch gs_arch_qwen3 = {"qwen3", load_qwen3, plan, forward};
const struct gs_arch gs_arch_qwen3moe = {"qwen3moe", load_qwen3, plan, forward};
const struct gs_arch gs_arch_phi3 = {"phi3", load_phi3, plan, forward};
const struct gs_arch gs_arch_glm4moe = {"glm4moe", load_glm4moe, plan, forward};
const struct gs_arch gs_arch_gpt_oss = {"gpt-oss", load_gpt_oss, plan, forward};
