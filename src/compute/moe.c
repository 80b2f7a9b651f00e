/* Mixture of experts: the products. Routing is in moe_route.c.
 *
 * A pair is one token and one of its experts. Pairs are sorted by expert into slots, so that an
 * expert's weights are read once for all its tokens: unpacked for panels if there are many, else
 * GS_DOT_TOKENS at a time. A task of the first phase makes one group of an expert's hidden values:
 * gate, up, the gated unit, and the quantised group that `down` reads. A task of the second makes
 * rows of `down`; the third phase adds a token's pairs in rank order. Lanes take tasks as they
 * come: which one takes a task changes nothing. */
#include "compute/ops.h"

#include <assert.h>
#include <string.h>

#include "compute/matmul.h"
#include "compute/piece.h"
#include "compute/pool.h"

#define PANEL_MIN_PAIRS 16   /* of an expert; measured: fewer do not pay for the unpacking */
#define DOWN_GRAIN      48   /* rows, of which tasks are multiples */
#define DOWN_TASKS      8    /* for each lane, so that all end at the same time */
#define HEAD_BYTES      8192 /* of a task's weights, fetched during the one before it */

/* One that was chosen. Its slots are followed by unused ones up to a multiple of a panel's tokens,
 * if it has enough for panels. */
struct expert {
    uint32_t id;
    uint32_t n;
    size_t slot;
};

/* Shared memory of one call. */
struct work {
    struct expert *experts; /* by id; the first with n = 0 ends them */
    uint32_t *slot_of;      /* [pair], a pair being row * n_used + rank */
    uint32_t *row_of;       /* [slot] */
    uint8_t *x;             /* [slot] panels of inputs */
    uint8_t *q;             /* [slot] quantised hidden values, as rows or panels */
    float *hidden;          /* [slot][2 ff] gate and up; the gate half becomes act(gate) up */
    float *out;             /* [slot][out]; where `hidden` was, if `down` reads q */
};

static size_t hidden_dim(const struct gs_moe *m)
{
    return (size_t)m->down->ne[0];
}

static const struct gs_tensor *gate_of(const struct gs_moe *m)
{
    return m->gate_up ? m->gate_up : m->gate;
}

static const struct gs_tensor *up_of(const struct gs_moe *m)
{
    return m->gate_up ? m->gate_up : m->up;
}

static bool quantised(const struct gs_tensor *w)
{
    return gs_kernels_act_form(w->type) != GS_ACT_F32;
}

static size_t slots_for(size_t n_rows, const struct gs_moe *m)
{
    const size_t pairs = n_rows * m->n_used;

    return pairs + GS_MIN(pairs / PANEL_MIN_PAIRS, (size_t)m->n_expert) * (GS_PANEL_TOKENS - 1);
}

/* The next `bytes` of a memory of which *used are taken. */
static void *take(uint8_t *memory, size_t *used, size_t bytes)
{
    void *at = memory ? memory + *used : NULL;

    *used += (bytes + 63) & ~(size_t)63;
    return at;
}

/* Where everything lies in `memory` (or would); returns how much it takes. */
static size_t lay_out(uint8_t *memory, size_t n_rows, const struct gs_moe *m, struct work *w)
{
    const size_t pairs = n_rows * m->n_used;
    const size_t slots = slots_for(n_rows, m);
    const size_t x = slots * gs_act_row_bytes((size_t)gate_of(m)->ne[0]);
    const size_t hidden = slots * 2 * hidden_dim(m) * sizeof(float);
    const size_t out = slots * (size_t)m->down->ne[1] * sizeof(float);
    size_t used = 0;

    w->experts = take(memory, &used, (m->n_expert + 1) * sizeof(struct expert));
    w->slot_of = take(memory, &used, pairs * sizeof(uint32_t));
    w->row_of = take(memory, &used, slots * sizeof(uint32_t));
    w->x = take(memory, &used, pairs < PANEL_MIN_PAIRS ? 0 : x);
    w->q = take(memory, &used, slots * gs_act_row_bytes(hidden_dim(m)));
    w->hidden = take(memory, &used, quantised(m->down) ? GS_MAX(hidden, out) : hidden);
    w->out = quantised(m->down) ? w->hidden : take(memory, &used, out);
    return used;
}

size_t gs_moe_work_bytes(size_t n_rows, const struct gs_moe *m)
{
    struct work w;

    return lay_out(NULL, n_rows, m, &w);
}

/* Counting sort, stable. */
static void sort_pairs(const struct work *w, const int32_t *ids, size_t n_rows,
                       const struct gs_moe *m)
{
    const size_t pairs = n_rows * m->n_used;
    struct expert *to = w->experts;
    size_t slot = 0;

    for (uint32_t e = 0; e <= m->n_expert; e++)
        w->experts[e] = (struct expert){.id = e};
    for (size_t p = 0; p < pairs; p++)
        w->experts[ids[p]].n++;
    for (uint32_t e = 0; e < m->n_expert; e++) {
        const size_t n = w->experts[e].n;
        const size_t of = n < PANEL_MIN_PAIRS ? 1 : GS_PANEL_TOKENS;
        w->experts[e].slot = slot;
        w->experts[e].n = 0;
        slot += (n + of - 1) / of * of;
    }
    for (size_t p = 0; p < pairs; p++) {
        struct expert *e = &w->experts[ids[p]];
        w->slot_of[p] = (uint32_t)(e->slot + e->n++);
        w->row_of[w->slot_of[p]] = (uint32_t)(p / m->n_used);
    }
    for (uint32_t e = 0; e < m->n_expert; e++)
        if (w->experts[e].n > 0)
            *to++ = w->experts[e];
    to->n = 0;
}

/* ---- products ---- */

/* A product of every expert's slots with rows [first, first + dim) of its own matrix. */
struct product {
    const struct gs_tensor *w;
    size_t first, dim;
    const float *bias;   /* [expert][dim] or NULL */
    const uint8_t *rows; /* what it reads */
    size_t row_bytes;
    const uint32_t *row_of; /* [slot] which of them; NULL: that of its own number */
    const uint8_t *panels;  /* [slot] the same in panels; NULL: not to be used */
    float *out;             /* [slot] */
    size_t out_stride;
};

struct call {
    const struct gs_moe *m;
    struct work w;
    struct product gate, up, down;
};

static const uint8_t *weights_at(const struct product *p, const struct expert *e, size_t row)
{
    return p->w->data + (e->id * (size_t)p->w->ne[1] + p->first + row) * p->w->row_bytes;
}

static bool takes_panels(const struct product *p, const struct expert *e)
{
    return p->panels && e->n >= PANEL_MIN_PAIRS;
}

/* Rows [begin, end) for all slots of e. */
static void product_panels(struct gs_lane *lane, const struct product *p, const struct expert *e,
                           size_t begin, size_t end)
{
    const size_t row_bytes = gs_act_row_bytes((size_t)p->w->ne[0]);
    const struct gs_panel panel = {
        .w = weights_at(p, e, begin),
        .w_stride = p->w->row_bytes,
        .n_rows = end - begin,
        .n = (size_t)p->w->ne[0],
        .n_tokens = e->n,
        .x = p->panels + e->slot * row_bytes,
        .out = p->out + e->slot * p->out_stride + begin,
        .out_stride = p->out_stride,
        .bias = p->bias ? p->bias + e->id * p->dim + begin : NULL,
        .scratch = gs_lane_scratch(lane, GS_LANE_MIN_SCRATCH),
    };

    lane->k->panel[p->w->type](&panel);
}

static void product_dots(struct gs_lane *lane, const struct product *p, const struct expert *e,
                         size_t begin, size_t end)
{
    struct gs_dot d = {.w = weights_at(p, e, begin),
                       .w_stride = p->w->row_bytes,
                       .n_rows = end - begin,
                       .n = (size_t)p->w->ne[0]};

    for (size_t i = 0; i < e->n; i += d.n_tokens) {
        d.n_tokens = GS_MIN(e->n - i, (size_t)GS_DOT_TOKENS);
        for (size_t j = 0; j < d.n_tokens; j++) {
            const size_t slot = e->slot + i + j;
            d.x[j] = p->rows + (p->row_of ? p->row_of[slot] : slot) * p->row_bytes;
            d.out[j] = p->out + slot * p->out_stride + begin;
        }
        lane->k->dot[p->w->type](&d);
        for (size_t j = 0; p->bias && j < d.n_tokens; j++)
            lane->k->blend(d.out[j], 1, p->bias + e->id * p->dim + begin, 1, d.n_rows);
    }
}

static void product(struct gs_lane *lane, const struct product *p, const struct expert *e,
                    size_t begin, size_t end)
{
    const bool panels = takes_panels(p, e);
    const size_t chunk = panels ? gs_op_matmul_panel_rows((size_t)p->w->ne[0], e->n)
                         : e->n <= GS_DOT_TOKENS ? end - begin
                                                 : gs_op_matmul_chunk_rows(p->w);

    for (size_t r = begin; r < end; r += chunk)
        (panels ? product_panels : product_dots)(lane, p, e, r, GS_MIN(r + chunk, end));
}

/* ---- inputs in panels ---- */

/* Rows of one group of values of n tokens, which lie in memory for GS_PANEL_TOKENS, to a panel. */
static void make_panel(const struct gs_kernels *k, enum gs_act_form form, uint8_t *rows, size_t n,
                       uint8_t *panel)
{
    memset(rows + n * sizeof(struct gs_q8k), 0, (GS_PANEL_TOKENS - n) * sizeof(struct gs_q8k));
    (form == GS_ACT_Q8 ? k->panel_of_q8 : k->panel_of_q8k)(rows, panel);
}

/* Group g of the inputs of e. */
static void gather(const struct gs_kernels *k, const struct call *c, const struct expert *e,
                   size_t g)
{
    const size_t row_bytes = gs_act_row_bytes((size_t)c->gate.w->ne[0]);
    const size_t group = sizeof(struct gs_q8k);

    for (size_t i = 0; i < e->n; i += GS_PANEL_TOKENS) {
        GS_ALIGNED(64) uint8_t rows[GS_PANEL_BYTES];
        const size_t slot = e->slot + i;
        const size_t n = GS_MIN(e->n - i, (size_t)GS_PANEL_TOKENS);
        for (size_t t = 0; t < n; t++)
            memcpy(rows + t * group,
                   c->gate.rows + c->w.row_of[slot + t] * c->gate.row_bytes + g * group, group);
        make_panel(k, gs_kernels_act_form(c->gate.w->type), rows, n,
                   c->w.x + slot * row_bytes + g * GS_PANEL_BYTES);
    }
}

static void gather_inputs(struct gs_lane *lane, const struct call *c)
{
    const size_t groups = gs_act_row_bytes((size_t)c->gate.w->ne[0]) / sizeof(struct gs_q8k);
    size_t first = 0;
    size_t i = gs_lane_next(lane);

    for (const struct expert *e = c->w.experts; e->n > 0; e++) {
        if (!takes_panels(&c->gate, e))
            continue;
        for (; i < first + groups; i = gs_lane_next(lane))
            gather(lane->k, c, e, i - first);
        first += groups;
    }
    gs_lane_sync(lane);
}

/* ---- hidden values ---- */

/* Group g of the quantised hidden values of n slots, at most a panel's. */
static void quantise_group(const struct gs_kernels *k, const struct call *c, size_t slot, size_t n,
                           size_t g, bool panel)
{
    const enum gs_act_form form = gs_kernels_act_form(c->down.w->type);
    const size_t ff = hidden_dim(c->m);
    const size_t group = sizeof(struct gs_q8k);
    const size_t row_bytes = gs_act_row_bytes(ff);
    GS_ALIGNED(64) uint8_t rows[GS_PANEL_BYTES];
    uint8_t *to = panel ? rows : c->w.q + slot * row_bytes + g * group;

    for (size_t i = 0; i < n; i++)
        (form == GS_ACT_Q8 ? k->quantise_q8
                           : k->quantise_q8k)(c->w.hidden + (slot + i) * 2 * ff + g * GS_ACT_GROUP,
                                              to + i * (panel ? group : row_bytes),
                                              GS_MIN(ff - g * GS_ACT_GROUP, (size_t)GS_ACT_GROUP));
    if (panel)
        make_panel(k, form, rows, n, c->w.q + slot * row_bytes + g * GS_PANEL_BYTES);
}

/* Hidden values [begin, end), a group, of e: from gate and up to what `down` reads. */
static void finish_hidden(const struct gs_kernels *k, const struct call *c, const struct expert *e,
                          size_t begin, size_t end)
{
    const size_t ff = hidden_dim(c->m);
    const size_t at_once = GS_PANEL_TOKENS;

    for (size_t i = 0; i < e->n; i += at_once) {
        const size_t slot = e->slot + i;
        const size_t n = GS_MIN(e->n - i, at_once);
        for (size_t j = 0; j < n; j++) {
            float *h = c->w.hidden + (slot + j) * 2 * ff + begin;
            gs_op_glu_piece(k, c->m->glu, h, h, h + ff, end - begin);
        }
        if (quantised(c->down.w))
            quantise_group(k, c, slot, n, begin / GS_ACT_GROUP, takes_panels(&c->down, e));
    }
}

/* ---- phases ---- */

static void fetch(const uint8_t *p)
{
    for (size_t i = 0; i < HEAD_BYTES; i += 64)
        __builtin_prefetch(p + i, 0, 2);
}

static size_t count_experts(const struct work *w)
{
    size_t n = 0;

    while (w->experts[n].n > 0)
        n++;
    return n;
}

static void all_hidden(struct gs_lane *lane, const struct call *c)
{
    const size_t groups = (hidden_dim(c->m) + GS_ACT_GROUP - 1) / GS_ACT_GROUP;
    const size_t n = count_experts(&c->w) * groups;
    size_t next;

    for (size_t i = gs_lane_next(lane); i < n; i = next) {
        const struct expert *e = &c->w.experts[i / groups];
        const size_t begin = i % groups * GS_ACT_GROUP;
        const size_t end = GS_MIN(begin + GS_ACT_GROUP, c->gate.dim);
        next = gs_lane_next(lane);
        fetch(weights_at(&c->up, e, begin));
        product(lane, &c->gate, e, begin, end);
        if (next < n)
            fetch(weights_at(&c->gate, &c->w.experts[next / groups], next % groups * GS_ACT_GROUP));
        product(lane, &c->up, e, begin, end);
        finish_hidden(lane->k, c, e, begin, end);
    }
    gs_lane_sync(lane);
}

static void all_down(struct gs_lane *lane, const struct call *c)
{
    const size_t n_experts = count_experts(&c->w);
    const size_t share = n_experts * c->down.dim / ((size_t)lane->n * DOWN_TASKS);
    const size_t rows = GS_MIN(share / DOWN_GRAIN + 1, c->down.dim / DOWN_GRAIN + 1) * DOWN_GRAIN;
    const size_t pieces = (c->down.dim + rows - 1) / rows;
    const size_t n = n_experts * pieces;
    size_t next;

    for (size_t i = gs_lane_next(lane); i < n; i = next) {
        const size_t begin = i % pieces * rows;
        next = gs_lane_next(lane);
        if (next < n)
            fetch(weights_at(&c->down, &c->w.experts[next / pieces], next % pieces * rows));
        product(lane, &c->down, &c->w.experts[i / pieces], begin,
                GS_MIN(begin + rows, c->down.dim));
    }
    gs_lane_sync(lane);
}

/* out[row] = sum over ranks of weight * the pair's output. */
static void sum_pairs(struct gs_lane *lane, const struct call *c, struct gs_rows out,
                      const float *weights)
{
    const size_t used = c->m->n_used;
    size_t begin;
    size_t end;

    gs_op_share_pieces(lane, out.n, out.dim, &begin, &end);
    for (size_t i = begin; i < end; i++) {
        const struct gs_piece p = gs_op_piece_at(i, out.dim);
        float *to = gs_op_piece(&out, &p);
        for (size_t rank = 0; rank < used; rank++) {
            const size_t pair = p.row * used + rank;
            const float *from = c->w.out + c->w.slot_of[pair] * out.dim + p.col;
            if (rank == 0)
                lane->k->scale(to, from, NULL, weights[pair], p.n);
            else
                lane->k->blend(to, 1, from, weights[pair], p.n);
        }
    }
    gs_lane_sync(lane);
}

/* ---- all of it ---- */

static bool panels_fit(const struct gs_kernels *k, const struct gs_tensor *w)
{
    return quantised(w) && k->panel[w->type] && gs_op_matmul_panel_rows((size_t)w->ne[0], 1) > 0;
}

/* Bytes between the rows of x that products with w read. */
static size_t act_stride(const struct gs_act *x, const struct gs_tensor *w)
{
    return (size_t)((const uint8_t *)gs_act_row(x, w->type, 1) -
                    (const uint8_t *)gs_act_row(x, w->type, 0));
}

static struct call call_of(const struct gs_kernels *k, const struct gs_act *x, struct gs_rows out,
                           const struct gs_moe *m, const struct work *w)
{
    const struct gs_tensor *gate = gate_of(m);
    const struct gs_tensor *up = up_of(m);
    const size_t ff = hidden_dim(m);
    /* gate and up share the gathered panels */
    const bool panels = panels_fit(k, gate) && panels_fit(k, up) &&
                        gs_kernels_act_form(gate->type) == gs_kernels_act_form(up->type);
    struct call c = {.m = m, .w = *w};

    c.gate = (struct product){.w = gate,
                              .dim = ff,
                              .bias = m->gate_bias,
                              .rows = gs_act_row(x, gate->type, 0),
                              .row_bytes = quantised(gate) ? gs_act_row_bytes(x->x.dim)
                                                           : x->x.stride * sizeof(float),
                              .row_of = w->row_of,
                              .panels = panels ? w->x : NULL,
                              .out = w->hidden,
                              .out_stride = 2 * ff};
    c.up = c.gate;
    c.up.w = up;
    c.up.first = m->gate_up ? ff : 0;
    c.up.bias = m->up_bias;
    c.up.rows = gs_act_row(x, up->type, 0);
    c.up.row_bytes = act_stride(x, up);
    c.up.out = w->hidden + ff;
    c.down = (struct product){.w = m->down,
                              .dim = out.dim,
                              .bias = m->down_bias,
                              .rows = quantised(m->down) ? w->q : (const uint8_t *)w->hidden,
                              .row_bytes = quantised(m->down) ? gs_act_row_bytes(ff)
                                                              : 2 * ff * sizeof(float),
                              .panels = panels_fit(k, m->down) ? w->q : NULL,
                              .out = w->out,
                              .out_stride = out.dim};
    return c;
}

void gs_op_moe(struct gs_lane *lane, struct gs_rows out, struct gs_act *x, const int32_t *ids,
               const float *weights, const struct gs_moe *m, void *memory)
{
    struct work w;

    lay_out(memory, x->x.n, m, &w);
    assert(gate_of(m)->ne[0] == x->x.dim && m->down->ne[1] == out.dim);
    if (lane->idx == 0)
        sort_pairs(&w, ids, x->x.n, m);
    gs_act_prepare(lane, x, gate_of(m)->type);
    gs_act_prepare(lane, x, up_of(m)->type);
    gs_lane_sync(lane);
    const struct call c = call_of(lane->k, x, out, m, &w);
    if (c.gate.panels && x->x.n * m->n_used >= PANEL_MIN_PAIRS)
        gather_inputs(lane, &c);
    all_hidden(lane, &c);
    all_down(lane, &c);
    sum_pairs(lane, &c, out, weights);
}
