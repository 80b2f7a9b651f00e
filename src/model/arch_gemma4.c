/* Gemma 4: dense, with a mixture of experts, and with embeddings for each layer (the E models).
 *
 *     x_0 = sqrt(D) embed
 *     a  = x + RMS(Attn_i(RMS(x; attn_norm)); post_attention_norm)
 *     y  = FFN(RMS(a; ffn_norm))
 *     y  = RMS(y; post_ffw_norm_1) + RMS(MoE(RMS(a; pre_ffw_norm_2), r); post_ffw_norm_2) (experts)
 *          routed by r = RMS(a; ffn_gate_inp.scale) / sqrt(D)
 *     x' = a + RMS(y; post_ffw_norm)
 *     x' = x' + RMS(W_proj (gelu(W_inp_gate x') * p_i); post_norm)             (layer embeddings)
 *     x' = layer_output_scale x'
 *     logits = cap(W_out RMS(x_L; output_norm))
 *
 * with p = (RMS(W_model_proj x_0 / sqrt(D); per_layer_proj_norm) + sqrt(d) embed') / sqrt(2), d
 * values for each layer. Scores are not scaled; values are normed; layers with a window have heads
 * and a rope of their own. The last shared_kv_layers read the cache of the last one of their kind
 * before them. */
#include "model/block.h"

#include <math.h>

struct layer {
    const float *attn_norm, *attn_post_norm;   /* [D] */
    const float *ffn_norm, *ffn_post_norm;     /* [D] */
    const float *dense_post_norm;              /* [D] or NULL: no experts */
    const float *moe_norm, *moe_post_norm;     /* [D] */
    const float *router_norm;                  /* [D] */
    const struct gs_tensor *input_gate, *proj; /* {D, d}, {d, D}; NULL: no layer embeddings */
    const float *proj_post_norm;               /* [D] */
    float output_scale;
    bool local; /* sees a window */
    struct gs_attn attn;
    struct gs_ffn dense, moe;
};

struct body {
    struct gs_ends ends;
    struct gs_rope rope;
    struct gs_rope local_rope;
    uint32_t n_own_kv;                    /* layers that have keys and values */
    struct gs_kv_at last_kv[GS_KV_KINDS]; /* of them */
    bool has_kv[GS_KV_KINDS];
    uint32_t d_input;                   /* of a layer's embedding; 0: none */
    const struct gs_tensor *input_embd; /* {layers d, vocab} */
    const struct gs_tensor *input_proj; /* {D, layers d} */
    const float *input_norm;            /* [d] */
    struct layer *layers;
};

/* ---- load ---- */

static void load_attn(struct gs_loader *ld, uint32_t i, struct body *b, struct layer *l)
{
    const enum gs_kv_kind kind = l->local ? GS_KV_WINDOW : GS_KV_FULL;
    struct gs_attn_spec spec = {
        .flags = GS_ATTN_QK_NORM | GS_ATTN_V_NORM | GS_ATTN_V_IS_K,
        .rope = l->local ? &b->local_rope : &b->rope,
        .eps = b->ends.eps,
        .scale = 1,
        .kv = i < b->n_own_kv ? NULL : &b->last_kv[kind],
    };

    if (l->local) {
        spec.window = gs_load_u32(ld, "attention.sliding_window", 1, INT32_MAX);
        spec.head_dim = gs_load_u32(ld, "attention.key_length_swa", 1, GS_LOAD_MAX_HEAD_DIM);
    }
    if (spec.kv && !b->has_kv[kind]) {
        gs_load_fail(ld, GS_EFORMAT, "block %u has no keys, nor has one of its kind before it", i);
        return;
    }
    gs_block_attn_load(ld, i, &spec, &l->attn);
    b->last_kv[kind] = l->attn.kv;
    b->has_kv[kind] = true;
}

static void load_ffn(struct gs_loader *ld, uint32_t i, struct layer *l)
{
    const struct gs_ffn_spec spec = {.glu = GS_GLU_GELU};
    const uint32_t d = ld->model->params.n_embd;

    l->ffn_norm = gs_load_vector(ld, "ffn_norm.weight", d);
    gs_block_dense_load(ld, i, &spec, &l->dense);
    l->ffn_post_norm = gs_load_vector(ld, "post_ffw_norm.weight", d);
    if (!gs_load_has(ld, "ffn_gate_inp.weight"))
        return;
    l->dense_post_norm = gs_load_vector(ld, "post_ffw_norm_1.weight", d);
    l->moe_norm = gs_load_vector(ld, "pre_ffw_norm_2.weight", d);
    l->router_norm = gs_load_vector(ld, "ffn_gate_inp.scale", d);
    gs_block_experts_load(ld, &spec, &l->moe);
    l->moe_post_norm = gs_load_vector(ld, "post_ffw_norm_2.weight", d);
}

static void load_layer(struct gs_loader *ld, uint32_t i, struct body *b, struct layer *l)
{
    const uint32_t d = ld->model->params.n_embd;

    gs_load_enter_layer(ld, i);
    l->local = gs_load_u32_at(ld, "attention.sliding_window_pattern", i, 0, 1) != 0;
    l->attn_norm = gs_load_vector(ld, "attn_norm.weight", d);
    load_attn(ld, i, b, l);
    l->attn_post_norm = gs_load_vector(ld, "post_attention_norm.weight", d);
    load_ffn(ld, i, l);
    if (b->d_input > 0) {
        l->input_gate = gs_load_matrix(ld, "inp_gate.weight", d, b->d_input);
        l->proj = gs_load_matrix(ld, "proj.weight", b->d_input, d);
        l->proj_post_norm = gs_load_vector(ld, "post_norm.weight", d);
    }
    const float *scale = gs_load_vector_opt(ld, "layer_output_scale.weight", 1);
    l->output_scale = scale ? *scale : 1;
}

static void load_inputs(struct gs_loader *ld, struct body *b)
{
    const struct gs_model_params *p = &ld->model->params;

    b->d_input = gs_load_u32_or(ld, "embedding_length_per_layer_input", 0, 0, GS_LOAD_MAX_DIM);
    if (b->d_input == 0)
        return;
    const uint64_t all = (uint64_t)p->n_layers * b->d_input;
    b->input_embd = gs_load_matrix(ld, "per_layer_token_embd.weight", all, p->n_vocab);
    b->input_proj = gs_load_matrix(ld, "per_layer_model_proj.weight", p->n_embd, all);
    b->input_norm = gs_load_vector(ld, "per_layer_proj_norm.weight", b->d_input);
}

static void load_ropes(struct gs_loader *ld, struct body *b)
{
    struct gs_rope_params *local = &b->local_rope.p;

    gs_block_rope_load(ld, GS_ROPE_HALVES, &b->rope);
    b->local_rope = b->rope;
    local->n_rot = gs_load_u32(ld, "rope.dimension_count_swa", 2, GS_LOAD_MAX_HEAD_DIM);
    local->freq_base = gs_load_f32_or(ld, "rope.freq_base_swa", 10000, 1, 1e12f);
    local->freq_scale = 1;
    local->freq_factors = NULL;
    if (local->n_rot % 2 != 0)
        gs_load_fail(ld, GS_EFORMAT, "cannot rotate %u dimensions: pairs are needed", local->n_rot);
}

static void load(struct gs_loader *ld, struct gs_model *m)
{
    struct body *b = gs_load_alloc(ld, 1, sizeof(*b));

    if (!b)
        return;
    m->body = b;
    gs_block_ends_load(ld, &b->ends);
    b->ends.embed_scale = sqrtf((float)m->params.n_embd);
    load_ropes(ld, b);
    load_inputs(ld, b);
    b->n_own_kv = m->params.n_layers -
                  gs_load_u32_or(ld, "attention.shared_kv_layers", 0, 0, m->params.n_layers - 1);
    b->layers = gs_load_alloc(ld, m->params.n_layers, sizeof(*b->layers));
    for (uint32_t i = 0; i < m->params.n_layers && ld->st == GS_OK; i++)
        load_layer(ld, i, b, &b->layers[i]);
}

/* ---- embeddings of each layer ---- */

/* p of all layers: [row][layers][d]. */
static struct gs_rows take_inputs(const struct body *b, struct gs_work *w)
{
    return gs_work_rows(w, w->n_rows, b->d_input > 0 ? b->input_embd->ne[0] : 0);
}

struct input_acts {
    struct gs_act x;
    struct gs_rows embd; /* [row][layers][d] */
};

static struct input_acts take_input_acts(const struct body *b, struct gs_work *w, struct gs_rows x)
{
    struct input_acts t;

    t.x = gs_work_act(w, x);
    t.embd = take_inputs(b, w);
    return t;
}

static void make_inputs(struct gs_lane *lane, const struct body *b, const struct gs_batch *batch,
                        struct gs_rows p, struct gs_rows x, struct gs_work w)
{
    struct input_acts t = take_input_acts(b, &w, x);
    const struct gs_matmul proj = {.out = p, .w = b->input_proj};
    const struct gs_rows each = gs_rows(p.p, p.n * (p.dim / b->d_input), b->d_input);

    gs_op_matmul(lane, &t.x, &proj, 1);
    /* The norm of y / sqrt(D) is that of y with an eps D times as large. */
    gs_op_rms_norm(lane, each, each, b->input_norm, b->ends.eps * (float)x.dim);
    gs_op_embed(lane, t.embd, b->input_embd, batch->tokens);
    gs_op_scale(lane, t.embd, sqrtf((float)b->d_input));
    gs_op_add(lane, p, t.embd);
    gs_op_scale(lane, p, sqrtf(0.5f));
}

struct gate_acts {
    struct gs_act x;
    struct gs_rows h; /* [row][d] */
    struct gs_act h_act;
};

static struct gate_acts take_gate_acts(const struct body *b, struct gs_work *w, struct gs_rows x)
{
    struct gate_acts t;

    t.x = gs_work_act(w, x);
    t.h = gs_work_rows(w, w->n_rows, b->d_input);
    t.h_act = gs_work_act(w, t.h);
    return t;
}

/* y = W_proj (gelu(W_inp_gate x) * p) */
static void gate_input(struct gs_lane *lane, const struct body *b, const struct layer *l,
                       struct gs_rows y, struct gs_rows x, struct gs_rows p, struct gs_work w)
{
    struct gate_acts t = take_gate_acts(b, &w, x);
    const struct gs_matmul gate = {.out = t.h, .w = l->input_gate};
    const struct gs_matmul proj = {.out = y, .w = l->proj};

    gs_op_matmul(lane, &t.x, &gate, 1);
    gs_op_glu(lane, GS_GLU_GELU, t.h, t.h, p);
    gs_op_matmul(lane, &t.h_act, &proj, 1);
}

/* ---- forward ---- */

struct acts {
    struct gs_stream s;
    float *local_angles;
    struct gs_rows p;     /* [row][layers][d] */
    struct gs_rows r, ye; /* [row][D] what the router reads, and what experts say */
};

static struct acts take(const struct body *b, struct gs_work *w)
{
    struct acts t;

    t.s = gs_block_stream_take(&b->ends, &b->rope, w);
    t.local_angles = gs_block_angles_take(&b->local_rope, w);
    t.p = take_inputs(b, w);
    t.r = gs_work_rows(w, w->n_rows, t.s.x.dim);
    t.ye = gs_work_rows(w, w->n_rows, t.s.x.dim);
    return t;
}

static void plan(const struct gs_model *m, struct gs_work w, size_t n_out)
{
    const struct body *b = m->body;
    const struct acts t = take(b, &w);

    if (b->d_input > 0) {
        struct gs_work inputs = w;
        struct gs_work gate = w;
        take_input_acts(b, &inputs, t.s.x);
        take_gate_acts(b, &gate, t.s.x);
    }
    for (uint32_t i = 0; i < m->params.n_layers; i++) {
        gs_block_attn_plan(&b->layers[i].attn, w, m->params.n_embd);
        gs_block_ffn_plan(&b->layers[i].dense, w, m->params.n_embd);
        if (b->layers[i].dense_post_norm)
            gs_block_ffn_plan(&b->layers[i].moe, w, m->params.n_embd);
    }
    gs_block_head_plan(&b->ends, w, n_out);
}

/* s.y = the layer's feed-forward of s.x */
static void feed_forward(struct gs_lane *lane, const struct body *b, const struct layer *l,
                         const struct acts *t, struct gs_work w)
{
    const struct gs_stream *s = &t->s;
    const float eps = b->ends.eps;

    gs_block_ffn(lane, &l->dense, (struct gs_sum){.x = s->y},
                 (struct gs_normed){s->x, l->ffn_norm, eps}, w);
    if (!l->dense_post_norm)
        return;
    gs_op_rms_norm(lane, s->y, s->y, l->dense_post_norm, eps);
    gs_op_rms_norm(lane, t->r, s->x, l->router_norm, eps);
    gs_op_scale(lane, t->r, 1 / sqrtf((float)s->x.dim));
    gs_block_ffn_routed(lane, &l->moe, (struct gs_sum){.x = t->ye},
                        (struct gs_normed){s->x, l->moe_norm, eps}, (struct gs_normed){.x = t->r},
                        w);
    gs_op_add_normed(lane, s->y, (struct gs_normed){t->ye, l->moe_post_norm, eps});
}

static void run_layer(struct gs_lane *lane, const struct body *b, size_t i, const struct acts *t,
                      const struct gs_batch *batch, struct gs_work w)
{
    const struct layer *l = &b->layers[i];
    const struct gs_stream *s = &t->s;
    const float eps = b->ends.eps;

    gs_block_attn(lane, &l->attn, batch, l->local ? t->local_angles : s->angles,
                  (struct gs_sum){.x = s->y}, (struct gs_normed){s->x, l->attn_norm, eps}, w);
    gs_op_add_normed(lane, s->x, (struct gs_normed){s->y, l->attn_post_norm, eps});

    feed_forward(lane, b, l, t, w);
    gs_op_add_normed(lane, s->x, (struct gs_normed){s->y, l->ffn_post_norm, eps});

    if (b->d_input > 0) {
        const struct gs_rows p = {t->p.p + i * b->d_input, t->p.n, b->d_input, t->p.stride};
        gate_input(lane, b, l, s->y, s->x, p, w);
        gs_op_add_normed(lane, s->x, (struct gs_normed){s->y, l->proj_post_norm, eps});
    }
    if (l->output_scale != 1)
        gs_op_scale(lane, s->x, l->output_scale);
}

static void forward(struct gs_lane *lane, const struct gs_model *m, const struct gs_batch *batch,
                    struct gs_work w)
{
    const struct body *b = m->body;
    const struct acts t = take(b, &w);

    gs_block_embed(lane, &b->ends, batch, t.s.x);
    gs_block_angles(lane, &b->rope, batch, t.s.angles);
    gs_block_angles(lane, &b->local_rope, batch, t.local_angles);
    if (b->d_input > 0)
        make_inputs(lane, b, batch, t.p, t.s.x, w);
    for (uint32_t i = 0; i < m->params.n_layers; i++) {
        if (gs_exec_is_abandoned(lane, batch, i))
            return;
        run_layer(lane, b, i, &t, batch, w);
    }
    gs_block_head(lane, &b->ends, batch, t.s.x, w);
}

const struct gs_arch gs_arch_gemma4 = {"gemma4", load, plan, forward};
