/* The feed-forward half of a layer.
 *
 *     dense:   out = W_down (silu(W_gate x) * W_up x)
 *     experts: p = softmax(W_router x), the n_used largest renormalised;
 *              out = sum_e p_e FFN_e(x) [+ sigmoid(w_shared x) FFN_shared(x)] */
#include "model/block.h"

static void load_swiglu(struct gs_loader *ld, const char *const names[3], uint64_t ff,
                        struct gs_swiglu *out)
{
    const uint64_t d = ld->model->params.n_embd;

    out->gate = gs_load_matrix(ld, names[0], d, ff);
    out->up = gs_load_matrix(ld, names[1], d, ff);
    out->down = gs_load_matrix(ld, names[2], ff, d);
}

static void load_dense(struct gs_loader *ld, uint32_t layer, struct gs_ffn *out)
{
    static const char *const names[] = {"ffn_gate.weight", "ffn_up.weight", "ffn_down.weight"};
    const uint64_t ff = gs_load_u32_at(ld, "feed_forward_length", layer, 1, GS_LOAD_MAX_DIM);

    *out = (struct gs_ffn){0};
    load_swiglu(ld, names, ff, &out->dense);
    out->dense.gate_bias = gs_load_vector_opt(ld, "ffn_gate.bias", ff);
    out->dense.up_bias = gs_load_vector_opt(ld, "ffn_up.bias", ff);
    out->dense.down_bias = gs_load_vector_opt(ld, "ffn_down.bias", ld->model->params.n_embd);
}

static void load_shared(struct gs_loader *ld, uint32_t ff_expert, struct gs_ffn *out)
{
    static const char *const names[] = {"ffn_gate_shexp.weight", "ffn_up_shexp.weight",
                                        "ffn_down_shexp.weight"};
    const uint64_t ff =
        gs_load_u32_or(ld, "expert_shared_feed_forward_length", ff_expert, 1, GS_LOAD_MAX_DIM);

    load_swiglu(ld, names, ff, &out->dense);
    out->shared_gate = gs_load_matrix(ld, "ffn_gate_inp_shexp.weight", ld->model->params.n_embd, 1);
}

static void load_experts(struct gs_loader *ld, uint32_t n, struct gs_ffn *out)
{
    const uint64_t d = ld->model->params.n_embd;
    const uint32_t n_used = gs_load_u32(ld, "expert_used_count", 1, n);
    const char *width = gs_load_has_key(ld, "expert_feed_forward_length")
                            ? "expert_feed_forward_length"
                            : "feed_forward_length";
    const uint32_t ff = gs_load_u32(ld, width, 1, GS_LOAD_MAX_DIM);

    *out = (struct gs_ffn){
        .moe = {.n_expert = n, .n_used = n_used, .renormalise = true, .weight_scale = 1.0f},
    };
    out->router = gs_load_matrix(ld, "ffn_gate_inp.weight", d, n);
    if (gs_load_has(ld, "ffn_gate_up_exps.weight")) {
        out->moe.gate_up = gs_load_experts(ld, "ffn_gate_up_exps.weight", d, 2 * (uint64_t)ff, n);
    } else {
        out->moe.gate = gs_load_experts(ld, "ffn_gate_exps.weight", d, ff, n);
        out->moe.up = gs_load_experts(ld, "ffn_up_exps.weight", d, ff, n);
    }
    out->moe.down = gs_load_experts(ld, "ffn_down_exps.weight", ff, d, n);
    if (gs_load_has(ld, "ffn_gate_inp_shexp.weight"))
        load_shared(ld, ff, out);
}

void gs_block_ffn_load(struct gs_loader *ld, uint32_t layer, struct gs_ffn *out)
{
    const uint32_t n_expert = gs_load_u32_or(ld, "expert_count", 0, 0, GS_LOAD_MAX_EXPERTS);

    if (n_expert > 0 && !gs_load_has(ld, "ffn_gate.weight"))
        load_experts(ld, n_expert, out);
    else
        load_dense(ld, layer, out);
}

/* ---- dense ---- */

struct dense_acts {
    struct gs_rows gate, up; /* [row][ff] */
    struct gs_act h;
};

static struct dense_acts take_dense(const struct gs_swiglu *f, struct gs_work *w)
{
    struct dense_acts t;

    t.gate = gs_work_rows(w, w->n_rows, f->gate->ne[1]);
    t.up = gs_work_rows(w, w->n_rows, f->up->ne[1]);
    t.h = gs_work_act(w, t.gate);
    return t;
}

static void swiglu(struct gs_lane *lane, const struct gs_swiglu *f, struct gs_rows out,
                   struct gs_act *x, struct gs_work w)
{
    struct dense_acts t = take_dense(f, &w);
    const struct gs_matmul gate_up[] = {{t.gate, f->gate, f->gate_bias}, {t.up, f->up, f->up_bias}};
    const struct gs_matmul down = {out, f->down, f->down_bias};

    gs_op_matmul(lane, x, gate_up, GS_COUNT_OF(gate_up));
    gs_op_swiglu(lane, t.gate, t.gate, t.up);
    gs_op_matmul(lane, &t.h, &down, 1);
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
                    struct gs_act *x, struct gs_work w)
{
    const struct moe_acts t = take_moe(f, &w);
    const struct gs_matmul router = {t.logits, f->router, NULL};

    gs_op_matmul(lane, x, &router, 1);
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
    const struct shared_acts t = take_shared(&w, out.dim);
    const struct gs_matmul gate = {t.gate, f->shared_gate, NULL};

    gs_op_matmul(lane, x, &gate, 1);
    swiglu(lane, &f->dense, t.y, x, w);
    gs_op_sigmoid_gate(lane, t.y, t.gate);
    gs_op_add(lane, out, t.y);
}

void gs_block_ffn_plan(const struct gs_ffn *f, struct gs_work w, size_t n_embd)
{
    gs_work_act(&w, gs_rows(NULL, w.n_rows, n_embd));
    if (f->router) {
        struct gs_work moe = w;
        take_moe(f, &moe);
    }
    if (f->shared_gate)
        take_shared(&w, n_embd);
    if (f->dense.gate)
        take_dense(&f->dense, &w);
}

void gs_block_ffn(struct gs_lane *lane, const struct gs_ffn *f, struct gs_rows out,
                  struct gs_rows x, struct gs_work w)
{
    struct gs_act act = gs_work_act(&w, x);

    if (!f->router) {
        swiglu(lane, &f->dense, out, &act, w);
        return;
    }
    experts(lane, f, out, &act, w);
    if (f->shared_gate)
        add_shared(lane, f, out, &act, w);
}
