/* Norms on both sides of each block: gemma2 and gemma3 (every second, or five of six, layers see a
 * window; gemma3 turns them by a rope of their own), and glm4.
 *
 *     x_0 = sqrt(D) embed                                             (gemma)
 *     a  = x + RMS(Attn_i(RMS(x; attn_norm)); post_attention_norm)
 *     x' = a + RMS(FFN(RMS(a; ffn_norm)); post_ffw_norm)
 *     logits = cap(W_out RMS(x_L; output_norm))
 *
 * Norm weights of the files already contain the 1 that gemma adds to them. */
#include "model/block.h"

#include <math.h>

struct layer {
    const float *attn_norm, *attn_post_norm; /* [D] */
    const float *ffn_norm, *ffn_post_norm;   /* [D] */
    bool local;                              /* turned by the local rope */
    struct gs_attn attn;
    struct gs_ffn ffn;
};

struct body {
    struct gs_ends ends;
    struct gs_rope rope;
    struct gs_rope local_rope;
    struct layer *layers;
};

/* What sets one member of the family apart. */
struct traits {
    enum gs_rope_pairs pairs;
    unsigned attn;            /* enum gs_attn_flags */
    uint32_t full_every;      /* layers n - 1, 2n - 1... see all tokens, others a window; 0 = all */
    uint32_t window;          /* if the file does not say */
    uint32_t n_layers_of_27b; /* whose scores are scaled by 1/sqrt(D / n_head) */
    bool scale_embedding;
    bool local_rope; /* in layers with a window: base 10000, no scaling */
    struct gs_ffn_spec ffn;
};

static float score_scale(struct gs_loader *ld, const struct traits *t)
{
    const struct gs_model_params *p = &ld->model->params;
    const uint32_t n_head = gs_load_u32_at(ld, "attention.head_count", 0, 1, GS_LOAD_MAX_HEADS);

    return p->n_layers == t->n_layers_of_27b ? sqrtf((float)n_head / (float)p->n_embd) : 0;
}

static void load_layer(struct gs_loader *ld, uint32_t i, const struct traits *t, struct body *b,
                       struct layer *l)
{
    const uint32_t d = ld->model->params.n_embd;
    const bool full = t->full_every == 0 || (i + 1) % t->full_every == 0;
    struct gs_attn_spec attn = {.flags = t->attn, .eps = b->ends.eps};

    l->local = t->local_rope && !full;
    attn.rope = l->local ? &b->local_rope : &b->rope;
    attn.scale = score_scale(ld, t);
    attn.softcap = gs_load_f32_or(ld, "attn_logit_softcapping", 0, 0, 1e6f);
    if (!full)
        attn.window = gs_load_u32_or(ld, "attention.sliding_window", t->window, 1, INT32_MAX);

    gs_load_enter_layer(ld, i);
    l->attn_norm = gs_load_vector(ld, "attn_norm.weight", d);
    gs_block_attn_load(ld, i, &attn, &l->attn);
    l->attn_post_norm = gs_load_vector(ld, "post_attention_norm.weight", d);
    l->ffn_norm = gs_load_vector(ld, "ffn_norm.weight", d);
    gs_block_ffn_load(ld, i, &t->ffn, &l->ffn);
    l->ffn_post_norm = gs_load_vector(ld, "post_ffw_norm.weight", d);
}

static void load(struct gs_loader *ld, struct gs_model *m, const struct traits *t)
{
    struct body *b = gs_load_alloc(ld, 1, sizeof(*b));

    if (!b)
        return;
    m->body = b;
    gs_block_ends_load(ld, &b->ends);
    if (t->scale_embedding)
        b->ends.embed_scale = sqrtf((float)m->params.n_embd);
    gs_block_rope_load(ld, t->pairs, &b->rope);
    b->local_rope = b->rope;
    b->local_rope.p.freq_base = gs_load_f32_or(ld, "rope.freq_base_swa", 10000, 1, 1e12f);
    b->local_rope.p.freq_scale = 1;
    b->layers = gs_load_alloc(ld, m->params.n_layers, sizeof(*b->layers));
    for (uint32_t i = 0; i < m->params.n_layers && ld->st == GS_OK; i++)
        load_layer(ld, i, t, b, &b->layers[i]);
}

static void load_gemma2(struct gs_loader *ld, struct gs_model *m)
{
    load(ld, m,
         &(struct traits){
             .pairs = GS_ROPE_HALVES,
             .full_every = 2,
             .window = 4096,
             .n_layers_of_27b = 46,
             .scale_embedding = true,
             .ffn.glu = GS_GLU_GELU,
         });
}

static void load_gemma3(struct gs_loader *ld, struct gs_model *m)
{
    load(ld, m,
         &(struct traits){
             .pairs = GS_ROPE_HALVES,
             .attn = GS_ATTN_QK_NORM,
             .full_every = 6,
             .window = 1024,
             .n_layers_of_27b = 62,
             .scale_embedding = true,
             .local_rope = true,
             .ffn.glu = GS_GLU_GELU,
         });
}

static void load_glm4(struct gs_loader *ld, struct gs_model *m)
{
    load(ld, m, &(struct traits){.pairs = GS_ROPE_ADJACENT, .ffn.gate_in_up = true});
}

/* The angles of layers with a window. */
static float *take_local(const struct body *b, struct gs_work *w)
{
    return gs_block_angles_take(&b->local_rope, w);
}

static void plan(const struct gs_model *m, struct gs_work w, size_t n_out)
{
    const struct body *b = m->body;

    gs_block_stream_take(&b->ends, &b->rope, &w);
    take_local(b, &w);
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
    const struct gs_sum y = {.x = s.y};
    float *local_angles = take_local(b, &w);

    gs_block_embed(lane, &b->ends, batch, s.x);
    gs_block_angles(lane, &b->rope, batch, s.angles);
    gs_block_angles(lane, &b->local_rope, batch, local_angles);
    for (uint32_t i = 0; i < m->params.n_layers; i++) {
        if (gs_exec_is_abandoned(lane, batch, i))
            return;
        const struct layer *l = &b->layers[i];
        const float *angles = l->local ? local_angles : s.angles;

        const struct gs_normed for_attn = {s.x, l->attn_norm, b->ends.eps};
        const struct gs_normed for_ffn = {s.x, l->ffn_norm, b->ends.eps};

        gs_block_attn(lane, &l->attn, batch, angles, y, for_attn, w);
        gs_op_add_normed(lane, s.x, (struct gs_normed){s.y, l->attn_post_norm, b->ends.eps});
        gs_block_ffn(lane, &l->ffn, y, for_ffn, w);
        gs_op_add_normed(lane, s.x, (struct gs_normed){s.y, l->ffn_post_norm, b->ends.eps});
    }
    gs_block_head(lane, &b->ends, batch, s.x, w);
}

const struct gs_arch gs_arch_gemma2 = {"gemma2", load_gemma2, plan, forward};
const struct gs_arch gs_arch_gemma3 = {"gemma3", load_gemma3, plan, forward};
const struct gs_arch gs_arch_glm4 = {"glm4", load_glm4, plan, forward};
