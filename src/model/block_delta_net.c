/* Gated delta net (Yang et al. 2024, "Gated Delta Networks"): attention replaced by one matrix of
 * state per value head.
 *
 *     [q | k | v] = silu(conv(W_qkv x)), z = W_z x
 *     q, k = q / |q|, k / |k| per head
 *     g = a softplus(W_alpha x + dt), beta = sigmoid(W_beta x)
 *     S <- e^g S + beta (v - e^g S k) k^T,  o = S q / sqrt(d)
 *     out = W_out (RMS(o; norm) * silu(z)) */
#include "model/block.h"

void gs_block_delta_net_load(struct gs_loader *ld, float eps, struct gs_delta_net *out)
{
    struct gs_delta_net *n = out;
    const uint64_t d_embd = ld->model->params.n_embd;

    *n = (struct gs_delta_net){
        .n_k = gs_load_u32(ld, "ssm.group_count", 1, GS_LOAD_MAX_HEADS),
        .n_v = gs_load_u32(ld, "ssm.time_step_rank", 1, GS_LOAD_MAX_HEADS),
        .d = gs_load_u32(ld, "ssm.state_size", 1, GS_LOAD_MAX_HEAD_DIM),
        .taps = gs_load_u32(ld, "ssm.conv_kernel", 2, GS_CONV_MAX_TAPS),
        .eps = eps,
    };
    const uint64_t v_dim = (uint64_t)n->n_v * n->d;
    const uint64_t channels = 2 * (uint64_t)n->n_k * n->d + v_dim;
    const uint32_t inner = gs_load_u32(ld, "ssm.inner_size", 1, UINT32_MAX);

    if (inner != v_dim)
        gs_load_fail(ld, GS_EFORMAT, "inner size %u is not %u value heads of %u", inner, n->n_v,
                     n->d);
    if (n->n_v % n->n_k != 0)
        gs_load_fail(ld, GS_EFORMAT, "%u key heads do not divide %u value heads", n->n_k, n->n_v);
    n->qkv = gs_load_matrix(ld, "attn_qkv.weight", d_embd, channels);
    n->z = gs_load_matrix(ld, "attn_gate.weight", d_embd, v_dim);
    n->alpha = gs_load_matrix(ld, "ssm_alpha.weight", d_embd, n->n_v);
    n->beta = gs_load_matrix(ld, "ssm_beta.weight", d_embd, n->n_v);
    n->conv = gs_load_floats(ld, "ssm_conv1d.weight", n->taps, channels);
    n->a = gs_load_vector(ld, "ssm_a", n->n_v);
    n->dt = gs_load_vector(ld, "ssm_dt.bias", n->n_v);
    n->norm = gs_load_vector(ld, "ssm_norm.weight", n->d);
    n->out = gs_load_matrix(ld, "ssm_out.weight", v_dim, d_embd);
    n->state_idx = gs_load_state_layer(ld, (struct gs_state_shape){
                                               .conv_floats = (n->taps - 1) * channels,
                                               .delta_floats = (size_t)v_dim * n->d,
                                           });
}

struct acts {
    struct gs_act x;
    struct gs_rows u, c;        /* [row][channels] before and after the convolution */
    struct gs_rows z, o;        /* [row][n_v][d] */
    struct gs_rows alpha, beta; /* [row][n_v] */
    struct gs_act o_act;
};

static struct acts take(const struct gs_delta_net *n, struct gs_work *w, struct gs_normed x)
{
    const size_t rows = w->n_rows;
    struct acts t;

    t.x = gs_work_act_normed(w, x);
    t.u = gs_work_rows(w, rows, n->qkv->ne[1]);
    t.c = gs_work_rows(w, rows, n->qkv->ne[1]);
    t.z = gs_work_rows(w, rows, n->z->ne[1]);
    t.o = gs_work_rows(w, rows, n->z->ne[1]);
    t.alpha = gs_work_rows(w, rows, n->n_v);
    t.beta = gs_work_rows(w, rows, n->n_v);
    t.o_act = gs_work_act(w, t.o);
    return t;
}

void gs_block_delta_net_plan(const struct gs_delta_net *n, struct gs_work w, size_t n_embd)
{
    take(n, &w, (struct gs_normed){.x = gs_rows(NULL, w.n_rows, n_embd)});
}

void gs_block_delta_net(struct gs_lane *lane, const struct gs_delta_net *n,
                        const struct gs_batch *b, struct gs_sum out, struct gs_normed x,
                        struct gs_work w)
{
    struct acts t = take(n, &w, x);
    const struct gs_state_run *states = b->states + n->state_idx * b->n_runs;
    const size_t rows = w.n_rows;
    const size_t k_dim = (size_t)n->n_k * n->d;
    const size_t v_dim = (size_t)n->n_v * n->d;
    const struct gs_rows o_heads = gs_rows(t.o.p, rows * n->n_v, n->d);
    const struct gs_rows z_heads = gs_rows(t.z.p, rows * n->n_v, n->d);
    const struct gs_matmul in[] = {
        {.out = t.u, .w = n->qkv},
        {.out = t.z, .w = n->z},
        {.out = t.alpha, .w = n->alpha},
        {.out = t.beta, .w = n->beta},
    };
    const struct gs_matmul o = {.out = out.x, .w = n->out, .add = out.add};

    gs_op_matmul(lane, &t.x, in, GS_COUNT_OF(in));
    gs_op_delta_inputs(lane, &(struct gs_delta_inputs){
                                 .out = t.c,
                                 .u = t.u,
                                 .w = n->conv,
                                 .taps = n->taps,
                                 .n_normed = 2 * k_dim,
                                 .d = n->d,
                                 .eps = n->eps,
                                 .g = t.alpha,
                                 .beta = t.beta,
                                 .a = n->a,
                                 .dt = n->dt,
                                 .runs = states,
                                 .n_runs = b->n_runs,
                             });
    gs_op_delta_rule(lane, t.o,
                     &(struct gs_delta_rule){
                         .n_k = n->n_k,
                         .n_v = n->n_v,
                         .d = n->d,
                         .q = {t.c.p, rows, k_dim, t.c.stride},
                         .k = {t.c.p + k_dim, rows, k_dim, t.c.stride},
                         .v = {t.c.p + 2 * k_dim, rows, v_dim, t.c.stride},
                         .g = t.alpha,
                         .beta = t.beta,
                         .runs = states,
                         .n_runs = b->n_runs,
                     });
    gs_op_rms_norm_gated(lane, o_heads, n->norm, n->eps, z_heads);
    gs_op_matmul(lane, &t.o_act, &o, 1);
}
