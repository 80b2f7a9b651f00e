/* Mixture of experts: the products. Routing is in moe_route.c.
 *
 * A pair is one token and one of its experts; pair p = row * n_used + rank. Pairs are sorted by
 * expert, so that an expert's weights are read once for all its tokens, GS_DOT_TOKENS at a time;
 * every lane takes its share of each expert's rows. The outputs of a token's pairs are added in
 * rank order. */
#include "compute/ops.h"

#include <assert.h>
#include <math.h>

#include "compute/matmul.h"
#include "compute/pool.h"

/* Shared memory of one call. */
struct work {
    size_t n_pairs;
    uint32_t *start; /* [n_expert + 1] first of the expert's sorted pairs */
    uint32_t *pairs; /* [n_pairs] sorted by expert */
    float *hidden;   /* [pair][2 ff]: gate, up; the gate half becomes act(gate) up */
    float *out;      /* [pair][out] */
    void *q;         /* quantised forms of hidden */
};

static size_t hidden_dim(const struct gs_moe *m)
{
    return (size_t)m->down->ne[0];
}

static size_t align64(size_t n)
{
    return (n + 63) & ~(size_t)63;
}

size_t gs_moe_work_bytes(size_t n_rows, const struct gs_moe *m)
{
    const size_t pairs = n_rows * m->n_used;
    const size_t ff = hidden_dim(m);

    return align64((m->n_expert + 1) * sizeof(uint32_t)) + align64(pairs * sizeof(uint32_t)) +
           align64(pairs * 2 * ff * sizeof(float)) +
           align64(pairs * (size_t)m->down->ne[1] * sizeof(float)) + gs_act_bytes(pairs, ff);
}

static struct work work_at(void *memory, size_t n_rows, const struct gs_moe *m)
{
    const size_t pairs = n_rows * m->n_used;
    uint8_t *p = memory;
    struct work w = {.n_pairs = pairs};

    w.start = (uint32_t *)(void *)p;
    p += align64((m->n_expert + 1) * sizeof(uint32_t));
    w.pairs = (uint32_t *)(void *)p;
    p += align64(pairs * sizeof(uint32_t));
    w.hidden = (float *)(void *)p;
    p += align64(pairs * 2 * hidden_dim(m) * sizeof(float));
    w.out = (float *)(void *)p;
    p += align64(pairs * (size_t)m->down->ne[1] * sizeof(float));
    w.q = p;
    return w;
}

/* ---- experts ---- */

/* Counting sort, stable. */
static void sort_pairs(const struct work *w, const int32_t *ids, const struct gs_moe *m)
{
    uint32_t *start = w->start;

    for (uint32_t e = 0; e <= m->n_expert; e++)
        start[e] = 0;
    for (size_t p = 0; p < w->n_pairs; p++)
        start[ids[p] + 1]++;
    for (uint32_t e = 0; e < m->n_expert; e++)
        start[e + 1] += start[e];
    for (size_t p = 0; p < w->n_pairs; p++)
        w->pairs[start[ids[p]]++] = (uint32_t)p;
    for (uint32_t e = m->n_expert; e > 0; e--)
        start[e] = start[e - 1];
    start[0] = 0;
}

/* A product of every expert's pairs with its own matrix: out[pair] = w[expert] x[pair / div]. */
struct expert_matmul {
    const struct gs_tensor *w;
    const float *bias; /* [expert][out] or NULL */
    const struct gs_act *x;
    size_t div;
    float *out;
    size_t out_stride;
};

/* Rows [begin, end) of expert e. */
static void expert_rows(const struct gs_kernels *k, const struct work *w,
                        const struct expert_matmul *m, size_t e, size_t begin, size_t end)
{
    const size_t row_bytes = m->w->row_bytes;
    struct gs_dot d = {.w = m->w->data + (e * (size_t)m->w->ne[1] + begin) * row_bytes,
                       .w_stride = row_bytes,
                       .n_rows = end - begin,
                       .n = (size_t)m->w->ne[0]};

    for (size_t i = w->start[e]; i < w->start[e + 1]; i += d.n_tokens) {
        d.n_tokens = GS_MIN(w->start[e + 1] - i, (size_t)GS_DOT_TOKENS);
        for (size_t j = 0; j < d.n_tokens; j++) {
            const size_t pair = w->pairs[i + j];
            d.x[j] = gs_act_row(m->x, m->w->type, pair / m->div);
            d.out[j] = m->out + pair * m->out_stride + begin;
        }
        k->dot[m->w->type](&d);
        for (size_t j = 0; m->bias && j < d.n_tokens; j++)
            k->blend(d.out[j], 1, m->bias + e * (size_t)m->w->ne[1] + begin, 1, d.n_rows);
    }
}

static void expert_matmul(struct gs_lane *lane, const struct work *w, const struct expert_matmul *m,
                          uint32_t n_expert)
{
    const size_t chunk = gs_op_matmul_chunk_rows(m->w);
    size_t begin;
    size_t end;

    gs_lane_share(lane, (size_t)m->w->ne[1], 4, &begin, &end);
    for (uint32_t e = 0; e < n_expert; e++)
        for (size_t r = begin; r < end; r += chunk)
            expert_rows(lane->k, w, m, e, r, GS_MIN(r + chunk, end));
}

/* hidden = gate x, up x for all pairs. */
static void gate_up(struct gs_lane *lane, const struct work *w, struct gs_act *x,
                    const struct gs_moe *m)
{
    const size_t ff = hidden_dim(m);
    struct expert_matmul em = {.x = x, .div = m->n_used, .out = w->hidden, .out_stride = 2 * ff};

    if (m->gate_up) {
        em.w = m->gate_up;
        expert_matmul(lane, w, &em, m->n_expert);
        return;
    }
    em.w = m->gate;
    em.bias = m->gate_bias;
    expert_matmul(lane, w, &em, m->n_expert);
    em.w = m->up;
    em.bias = m->up_bias;
    em.out += ff;
    expert_matmul(lane, w, &em, m->n_expert);
}

/* out[row] = sum over ranks of weight * pair's output. */
static void sum_pairs(struct gs_lane *lane, const struct work *w, struct gs_rows out,
                      const float *weights, const struct gs_moe *m)
{
    const size_t cols = 64;
    const size_t pieces = (out.dim + cols - 1) / cols;
    size_t begin;
    size_t end;

    gs_lane_share(lane, out.n * pieces, 1, &begin, &end);
    for (size_t i = begin; i < end; i++) {
        const size_t row = i / pieces;
        const size_t col = i % pieces * cols;
        const size_t n = GS_MIN(cols, out.dim - col);
        const float *from = w->out + row * m->n_used * out.dim + col;
        const float *weight = weights + row * m->n_used;
        float *to = out.p + row * out.stride + col;
        lane->k->scale(to, from, NULL, weight[0], n);
        for (size_t rank = 1; rank < m->n_used; rank++)
            lane->k->blend(to, 1, from + rank * out.dim, weight[rank], n);
    }
}

void gs_op_moe(struct gs_lane *lane, struct gs_rows out, struct gs_act *x, const int32_t *ids,
               const float *weights, const struct gs_moe *m, void *memory)
{
    const struct work w = work_at(memory, x->x.n, m);
    const size_t ff = hidden_dim(m);
    struct gs_rows gate = {w.hidden, w.n_pairs, ff, 2 * ff};
    const struct gs_rows up = {w.hidden + ff, w.n_pairs, ff, 2 * ff};
    struct gs_act hidden = gs_act(gate, w.q);

    if (lane->idx == 0)
        sort_pairs(&w, ids, m);
    if (m->gate_up) {
        gs_act_prepare(lane, x, m->gate_up->type);
    } else {
        gs_act_prepare(lane, x, m->gate->type);
        gs_act_prepare(lane, x, m->up->type);
    }
    gs_lane_sync(lane);
    gate_up(lane, &w, x, m);
    gs_lane_sync(lane);
    gs_op_glu(lane, m->glu, gate, gate, up);
    gs_act_prepare(lane, &hidden, m->down->type);
    expert_matmul(lane, &w,
                  &(struct expert_matmul){.w = m->down,
                                          .bias = m->down_bias,
                                          .x = &hidden,
                                          .div = 1,
                                          .out = w.out,
                                          .out_stride = out.dim},
                  m->n_expert);
    gs_lane_sync(lane);
    sum_pairs(lane, &w, out, weights, m);
    gs_lane_sync(lane);
}
