/* The feed-forward half of a layer.
 *
 *     dense:   out = W_down glu(W_gate x, W_up x), glu(g, u) = silu(g) u, or as the family has it
 *     experts: p = softmax(W_router x), or sigmoid; the n_used largest, renormalised or not;
 *              out = sum_e p_e FFN_e(x) [+ FFN_shared(x), maybe times sigmoid(w_shared x)] */
#include "model/block.h"

void gs_block_dense_load(struct gs_loader *ld, uint32_t layer, const struct gs_ffn_spec *spec,
                         struct gs_ffn *out)
{
    const uint64_t d = ld->model->params.n_embd;
    const uint64_t ff = gs_load_u32_at(ld, "feed_forward_length", layer, 1, GS_LOAD_MAX_DIM);
    struct gs_dense *f = &out->dense;

    *out = (struct gs_ffn){.dense.glu = spec->glu};
    if (spec->gate_in_up) {
        f->gate = gs_load_matrix_part(ld, "ffn_up.weight", d, 2 * ff, 0, ff);
        f->up = gs_load_matrix_part(ld, "ffn_up.weight", d, 2 * ff, ff, ff);
    } else {
        f->gate = gs_load_matrix(ld, "ffn_gate.weight", d, ff);
        f->up = gs_load_matrix(ld, "ffn_up.weight", d, ff);
        f->gate_bias = gs_load_vector_opt(ld, "ffn_gate.bias", ff);
        f->up_bias = gs_load_vector_opt(ld, "ffn_up.bias", ff);
    }
    f->down = gs_load_matrix(ld, "ffn_down.weight", ff, d);
    f->down_bias = gs_load_vector_opt(ld, "ffn_down.bias", d);
}

/* `n` experts of this size side by side, as one, for every token. */
static void load_shared(struct gs_loader *ld, uint32_t n, uint32_t ff_expert, struct gs_ffn *out)
{
    const uint64_t d = ld->model->params.n_embd;
    const char *width = "expert_shared_feed_forward_length";
    const uint64_t ff = gs_load_has_key(ld, width) ? gs_load_u32(ld, width, 1, GS_LOAD_MAX_DIM)
                                                   : (uint64_t)n * ff_expert;

    out->dense.gate = gs_load_matrix(ld, "ffn_gate_shexp.weight", d, ff);
    out->dense.up = gs_load_matrix(ld, "ffn_up_shexp.weight", d, ff);
    out->dense.down = gs_load_matrix(ld, "ffn_down_shexp.weight", ff, d);
    if (gs_load_has(ld, "ffn_gate_inp_shexp.weight"))
        out->shared_gate = gs_load_matrix(ld, "ffn_gate_inp_shexp.weight", d, 1);
}

static const float *load_expert_bias(struct gs_loader *ld, const char *name, uint64_t dim,
                                     uint64_t n)
{
    return gs_load_has(ld, name) ? gs_load_floats(ld, name, dim, n) : NULL;
}

static void load_expert_weights(struct gs_loader *ld, uint32_t ff, struct gs_moe *m)
{
    const uint64_t d = ld->model->params.n_embd;
    const uint64_t n = m->n_expert;

    if (gs_load_has(ld, "ffn_gate_up_exps.weight")) {
        m->gate_up = gs_load_experts(ld, "ffn_gate_up_exps.weight", d, 2 * (uint64_t)ff, n);
    } else {
        m->gate = gs_load_experts(ld, "ffn_gate_exps.weight", d, ff, n);
        m->up = gs_load_experts(ld, "ffn_up_exps.weight", d, ff, n);
        m->gate_bias = load_expert_bias(ld, "ffn_gate_exps.bias", ff, n);
        m->up_bias = load_expert_bias(ld, "ffn_up_exps.bias", ff, n);
    }
    m->down = gs_load_experts(ld, "ffn_down_exps.weight", ff, d, n);
    m->down_bias = load_expert_bias(ld, "ffn_down_exps.bias", d, n);
    m->expert_scale = gs_load_vector_opt(ld, "ffn_down_exps.scale", n);
}

/* Functions of the router's logits, as expert_gating_func counts them. */
enum { GATING_NONE, GATING_SOFTMAX, GATING_SIGMOID, GATING_SOFTMAX_OF_CHOSEN };

static void load_routing(struct gs_loader *ld, const struct gs_ffn_spec *spec, struct gs_moe *m)
{
    const uint32_t gating = gs_load_u32_or(ld, "expert_gating_func", GATING_NONE, GATING_NONE,
                                           GATING_SOFTMAX_OF_CHOSEN);

    m->sigmoid = gating == GATING_NONE ? spec->sigmoid : gating == GATING_SIGMOID;
    /* A softmax of the chosen is that of all, renormalised. */
    m->renormalise = gating == GATING_SOFTMAX_OF_CHOSEN ||
                     gs_load_u32_or(ld, "expert_weights_norm", !spec->raw_weights, 0, 1);
    m->weight_scale = gs_load_f32_or(ld, "expert_weights_scale", 1, 0, 1e6f);
    if (m->weight_scale == 0)
        m->weight_scale = 1;
    m->choice_bias = gs_load_vector_opt(ld, "exp_probs_b.bias", m->n_expert);
    m->n_group = gs_load_u32_or(ld, "expert_group_count", 0, 0, GS_MOE_MAX_GROUPS);
    if (m->n_group <= 1) {
        m->n_group = 0;
        return;
    }
    m->n_group_used = gs_load_u32(ld, "expert_group_used_count", 1, m->n_group);
    if (m->n_expert % m->n_group != 0 || m->n_expert / m->n_group * m->n_group_used < m->n_used)
        gs_load_fail(ld, GS_EFORMAT,
                     "%u experts cannot be chosen from %u of %u groups of %u experts", m->n_used,
                     m->n_group_used, m->n_group, m->n_expert);
}

void gs_block_experts_load(struct gs_loader *ld, const struct gs_ffn_spec *spec, struct gs_ffn *out)
{
    const uint32_t n = gs_load_u32(ld, "expert_count", 1, GS_LOAD_MAX_EXPERTS);
    const uint32_t n_used = gs_load_u32(ld, "expert_used_count", 1, n);
    const uint32_t n_shared = gs_load_u32_or(ld, "expert_shared_count", 1, 0, GS_LOAD_MAX_EXPERTS);
    const char *width = gs_load_has_key(ld, "expert_feed_forward_length")
                            ? "expert_feed_forward_length"
                            : "feed_forward_length";
    const uint32_t ff = gs_load_u32(ld, width, 1, GS_LOAD_MAX_DIM);

    *out = (struct gs_ffn){
        .dense.glu = spec->glu,
        .moe = {.n_expert = n, .n_used = n_used, .glu = spec->glu},
    };
    load_routing(ld, spec, &out->moe);
    out->router = gs_load_matrix(ld, "ffn_gate_inp.weight", ld->model->params.n_embd, n);
    out->router_bias = gs_load_vector_opt(ld, "ffn_gate_inp.bias", n);
    load_expert_weights(ld, ff, &out->moe);
    if (gs_load_has(ld, "ffn_up_shexp.weight"))
        load_shared(ld, n_shared, ff, out);
}

void gs_block_ffn_load(struct gs_loader *ld, uint32_t layer, const struct gs_ffn_spec *spec,
                       struct gs_ffn *out)
{
    const uint32_t n_expert = gs_load_u32_or(ld, "expert_count", 0, 0, GS_LOAD_MAX_EXPERTS);

    if (n_expert > 0 && !gs_load_has(ld, "ffn_gate.weight"))
        gs_block_experts_load(ld, spec, out);
    else
        gs_block_dense_load(ld, layer, spec, out);
}

/* ---- dense ---- */

/* glu(W_gate x, W_up x): [row][ff] */
static struct gs_act take_hidden(const struct gs_dense *f, struct gs_work *w)
{
    return gs_work_act(w, gs_work_rows(w, w->n_rows, f->gate->ne[1]));
}

static void dense(struct gs_lane *lane, const struct gs_dense *f, struct gs_sum out,
                  struct gs_act *x, struct gs_work w)
{
    struct gs_act h = take_hidden(f, &w);
    const struct gs_matmul gate_up = {.out = h.x,
                                      .w = f->gate,
                                      .bias = f->gate_bias,
                                      .up = f->up,
                                      .up_bias = f->up_bias,
                                      .glu = f->glu};
    const struct gs_matmul down = {
        .out = out.x, .w = f->down, .bias = f->down_bias, .add = out.add};

    gs_op_matmul(lane, x, &gate_up, 1);
    gs_op_matmul(lane, &h, &down, 1);
}

/* ---- experts ---- */

struct moe_acts {
    struct gs_rows logits; /* [row][n_expert] */
    int32_t *ids;          /* [row][n_used] */
    float *weights;        /* [row][n_used] */
    void *work;
};

static struct moe_acts take_moe(const struct gs_ffn *f, struct gs_work *w)
{
    const size_t n_chosen = w->n_rows * f->moe.n_used;
    struct moe_acts t;

    t.logits = gs_work_rows(w, w->n_rows, f->moe.n_expert);
    t.ids = gs_work_bytes(w, n_chosen * sizeof(int32_t));
    t.weights = gs_work_bytes(w, n_chosen * sizeof(float));
    t.work = gs_work_bytes(w, gs_moe_work_bytes(w->n_rows, &f->moe));
    return t;
}

static void experts(struct gs_lane *lane, const struct gs_ffn *f, struct gs_rows out,
                    struct gs_act *x, struct gs_act *r, struct gs_work w)
{
    const struct moe_acts t = take_moe(f, &w);
    const struct gs_matmul router = {.out = t.logits, .w = f->router, .bias = f->router_bias};

    gs_op_matmul(lane, r, &router, 1);
    gs_op_moe_route(lane, t.ids, t.weights, t.logits, &f->moe);
    gs_op_moe(lane, out, x, t.ids, t.weights, &f->moe, t.work);
}

/* ---- shared expert ---- */

struct shared_acts {
    struct gs_rows y;    /* [row][D] */
    struct gs_rows gate; /* [row][1] */
};

static struct shared_acts take_shared(struct gs_work *w, size_t n_embd)
{
    struct shared_acts t;

    t.y = gs_work_rows(w, w->n_rows, n_embd);
    t.gate = gs_work_rows(w, w->n_rows, 1);
    return t;
}

static void add_shared(struct gs_lane *lane, const struct gs_ffn *f, struct gs_rows out,
                       struct gs_act *x, struct gs_work w)
{
    if (!f->shared_gate) {
        dense(lane, &f->dense, (struct gs_sum){out, 1}, x, w);
        return;
    }
    const struct shared_acts t = take_shared(&w, out.dim);
    const struct gs_matmul gate = {.out = t.gate, .w = f->shared_gate};

    dense(lane, &f->dense, (struct gs_sum){.x = t.y}, x, w);
    gs_op_matmul(lane, x, &gate, 1);
    gs_op_sigmoid_gate(lane, t.y, t.gate);
    gs_op_add(lane, out, t.y);
}

/* ---- all of it ---- */

struct acts {
    struct gs_act x, r; /* what experts and router read */
    struct gs_rows y;   /* [row][D] what experts say, to be added */
};

static struct acts take(const struct gs_ffn *f, struct gs_work *w, struct gs_normed x,
                        struct gs_normed r)
{
    struct acts t = {.x = gs_work_act_normed(w, x)};

    if (f->router) {
        t.r = gs_work_act_normed(w, r);
        t.y = gs_work_rows(w, w->n_rows, x.x.dim);
    }
    return t;
}

void gs_block_ffn_plan(const struct gs_ffn *f, struct gs_work w, size_t n_embd)
{
    const struct gs_normed x = {.x = gs_rows(NULL, w.n_rows, n_embd)};

    take(f, &w, x, x);
    if (f->router) {
        struct gs_work moe = w;
        take_moe(f, &moe);
        take_shared(&w, n_embd);
    }
    if (f->dense.gate)
        take_hidden(&f->dense, &w);
}

void gs_block_ffn_routed(struct gs_lane *lane, const struct gs_ffn *f, struct gs_sum out,
                         struct gs_normed x, struct gs_normed r, struct gs_work w)
{
    struct acts t = take(f, &w, x, r);
    const bool same = r.x.p == x.x.p && r.norm == x.norm;

    if (!f->router) {
        dense(lane, &f->dense, out, &t.x, w);
        return;
    }
    const struct gs_rows y = out.add != 0 ? t.y : out.x;
    experts(lane, f, y, &t.x, same ? &t.x : &t.r, w);
    if (f->dense.gate)
        add_shared(lane, f, y, &t.x, w);
    if (out.add == 0)
        return;
    if (out.add != 1)
        gs_op_scale(lane, y, out.add);
    gs_op_add(lane, out.x, y);
}

void gs_block_ffn(struct gs_lane *lane, const struct gs_ffn *f, struct gs_sum out,
                  struct gs_normed x, struct gs_work w)
{
    gs_block_ffn_routed(lane, f, out, x, x, w);
}
