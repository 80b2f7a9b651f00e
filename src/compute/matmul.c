/* Matrix products, and what becomes of their rows while they are in cache.
 *
 * The output rows (weight rows) of all products form one space, cut into units at fixed places: a
 * head, or as many rows as have weights enough to stay in cache while all tokens pass by. Tokens
 * pass GS_DOT_TOKENS at a time, or in panels, for which weights are unpacked first, if there are
 * enough to pay for that. Both ways use the same integers and differ in how they round their sums,
 * as little as 1e-6 of |w||x|; which one is taken depends on the number of tokens, never on the
 * number of lanes. */
#include "compute/ops.h"

#include <assert.h>

#include "base/limits.h"
#include "compute/heads.h"
#include "compute/kernels.h"
#include "compute/matmul.h"
#include "compute/piece.h"
#include "compute/pool.h"

#define CHUNK_BYTES (32 * GS_KIB)  /* of weights, that every token passes by */
#define CHUNK_ROWS  GS_PIECE       /* at most */
#define PANEL_BYTES (512 * GS_KIB) /* of unpacked weights: they stay in the second cache */
#define PANEL_GRAIN 12             /* rows, of which chunks are multiples */
#define FEW_TOKENS  32             /* that cost less than the reading of weights */
#define NEXT_BYTES  (8 * GS_KIB)   /* asked for at the start of the next unit: a kernel's lead */

size_t gs_op_matmul_chunk_rows(const struct gs_tensor *w)
{
    return GS_MIN(GS_MAX(CHUNK_BYTES / w->row_bytes, (size_t)4), (size_t)CHUNK_ROWS);
}

/* Few tokens pass by once, and the weights are unpacked for them in bites. */
size_t gs_op_matmul_panel_rows(size_t dim, size_t n)
{
    const size_t groups = dim / GS_ACT_GROUP + (dim % GS_ACT_GROUP != 0);
    const size_t row = groups * GS_PANEL_ROW_BYTES;
    const size_t room = n > FEW_TOKENS ? PANEL_BYTES : GS_LANE_MIN_SCRATCH;
    const size_t fit = room / row / PANEL_GRAIN * PANEL_GRAIN;

    if (PANEL_GRAIN * row > GS_LANE_MIN_SCRATCH)
        return 0;
    return GS_MIN(GS_MAX(fit, (size_t)PANEL_GRAIN), (size_t)GS_PANEL_MAX_ROWS);
}

/* Weight rows of which a lane holds the results for n tokens. */
static size_t tile_rows(size_t n)
{
    return n < GS_PANEL_MIN_TOKENS ? CHUNK_ROWS : GS_PANEL_MAX_ROWS;
}

/* Unpacked weights or a lane's own input, then a tile of results. */
size_t gs_op_matmul_scratch_bytes(size_t n)
{
    const size_t few = GS_MIN(n, (size_t)GS_PANEL_MIN_TOKENS - 1);

    return GS_LANE_MIN_SCRATCH + GS_MAX(n * tile_rows(n), few * tile_rows(few)) * sizeof(float);
}

/* ---- rows ---- */

/* A product to be made: out[token][row - begin] = w x + bias. */
struct part {
    const struct gs_tensor *w;
    const float *bias;
    float *out;
    size_t stride;
    const uint8_t *next; /* weights that are read after these, or NULL */
};

/* Weight rows [begin, end) for all tokens. */
static void dot_rows(const struct gs_kernels *k, const struct gs_act *x, const struct part *p,
                     size_t begin, size_t end)
{
    struct gs_dot d = {.w = p->w->data + begin * p->w->row_bytes,
                       .w_stride = p->w->row_bytes,
                       .n_rows = end - begin,
                       .n = (size_t)p->w->ne[0]};

    for (size_t t = 0; t < x->x.n; t += d.n_tokens) {
        d.n_tokens = GS_MIN(x->x.n - t, (size_t)GS_DOT_TOKENS);
        for (size_t i = 0; i < d.n_tokens; i++) {
            d.x[i] = gs_act_row(x, p->w->type, t + i);
            d.out[i] = p->out + (t + i) * p->stride;
        }
        k->dot[p->w->type](&d);
        for (size_t i = 0; p->bias && i < d.n_tokens; i++)
            k->blend(d.out[i], 1, p->bias + begin, 1, d.n_rows);
    }
}

/* The same with x in panels; next: weights that follow. */
static void panel_rows(struct gs_lane *lane, const struct gs_act *x, const struct part *p,
                       size_t begin, size_t end, const uint8_t *next)
{
    lane->k->panel[p->w->type](&(struct gs_panel){
        .w = p->w->data + begin * p->w->row_bytes,
        .w_stride = p->w->row_bytes,
        .n_rows = end - begin,
        .n = (size_t)p->w->ne[0],
        .n_tokens = x->x.n,
        .x = gs_act_panels(x, p->w->type),
        .x_stride = gs_act_float_stride(x),
        .out = p->out,
        .out_stride = p->stride,
        .bias = p->bias ? p->bias + begin : NULL,
        .next = next,
        .scratch = gs_lane_scratch(lane, GS_LANE_MIN_SCRATCH),
    });
}

/* Rows [begin, end), as many at a time as may be. */
static void part_rows(struct gs_lane *lane, const struct gs_act *x, struct part p, size_t begin,
                      size_t end)
{
    const bool panels = gs_act_has_panels(x, p.w->type);
    const size_t step =
        panels ? gs_op_matmul_panel_rows(x->x.dim, x->x.n) : gs_op_matmul_chunk_rows(p.w);

    for (size_t r = begin; r < end; r += step, p.out += step) {
        const size_t stop = GS_MIN(r + step, end);
        if (panels)
            panel_rows(lane, x, &p, r, stop, stop < end ? NULL : p.next);
        else
            dot_rows(lane->k, x, &p, r, stop);
    }
}

/* ---- units ---- */

static size_t unit_rows(const struct gs_act *x, const struct gs_matmul *m)
{
    if (m->heads)
        return m->heads->stride;
    return gs_act_has_panels(x, m->w->type)
               ? gs_op_matmul_panel_rows(x->x.dim, x->x.n)
               : GS_MIN(gs_op_matmul_chunk_rows(m->w), tile_rows(x->x.n));
}

static size_t count_units(const struct gs_act *x, const struct gs_matmul *m)
{
    const size_t rows = unit_rows(x, m);

    return ((size_t)m->w->ne[1] + rows - 1) / rows;
}

/* Rows [begin, end), and what becomes of them; next: weights that follow. */
static void finish_rows(struct gs_lane *lane, const struct gs_act *x, const struct gs_matmul *m,
                        size_t begin, size_t end, const uint8_t *next)
{
    const size_t n = end - begin;
    const uint8_t *after = m->up ? m->up->data + begin * m->up->row_bytes : next;
    const struct part direct = {m->w, m->bias, m->out.p + begin, m->out.stride, after};
    const bool tiled = m->add != 0 || m->up;
    float *tile = NULL;

    if (tiled)
        tile = (float *)(void *)((uint8_t *)gs_lane_scratch(lane, GS_LANE_MIN_SCRATCH +
                                                                      x->x.n * n * sizeof(float)) +
                                 GS_LANE_MIN_SCRATCH);
    if (m->add == 0)
        part_rows(lane, x, direct, begin, end);
    if (tiled)
        part_rows(lane, x,
                  (struct part){m->up ? m->up : m->w, m->up ? m->up_bias : m->bias, tile, n, next},
                  begin, end);
    for (size_t t = 0; tiled && t < x->x.n; t++) {
        float *out = direct.out + t * m->out.stride;
        if (m->up)
            gs_op_glu_piece(lane->k, m->glu, out, out, tile + t * n, n);
        else
            lane->k->blend(out, 1, tile + t * n, m->add, n);
    }
    if (m->heads)
        gs_op_finish_heads(lane->k, m->heads, m->out, begin, end);
}

/* Products as one space of units. */
struct space {
    const struct gs_act *x;
    const struct gs_matmul *m;
    size_t n_m;
    size_t first[GS_MATMUL_MAX + 1]; /* units of each */
};

static struct space space_of(const struct gs_act *x, const struct gs_matmul *m, size_t n_m)
{
    struct space s = {.x = x, .m = m, .n_m = n_m};

    for (size_t i = 0; i < n_m; i++)
        s.first[i + 1] = s.first[i] + count_units(x, &m[i]);
    return s;
}

/* The product that a unit is of, and its first row there. */
static const struct gs_matmul *unit_at(const struct space *s, size_t unit, size_t *out_row)
{
    size_t i = 0;

    while (unit >= s->first[i + 1])
        i++;
    *out_row = (unit - s->first[i]) * unit_rows(s->x, &s->m[i]);
    return &s->m[i];
}

/* Where a unit's weights begin; NULL beyond the last. */
static const uint8_t *unit_weights(const struct space *s, size_t unit)
{
    size_t row;

    if (unit >= s->first[s->n_m])
        return NULL;
    const struct gs_matmul *m = unit_at(s, unit, &row);
    return m->w->data + row * m->w->row_bytes;
}

/* A unit, before which comes the beginning of the next one's weights. */
static void run_unit(struct gs_lane *lane, const struct space *s, size_t unit, size_t next)
{
    size_t row;
    const struct gs_matmul *m = unit_at(s, unit, &row);

    finish_rows(lane, s->x, m, row, GS_MIN(row + unit_rows(s->x, m), (size_t)m->w->ne[1]),
                unit_weights(s, next));
}

/* Ask for the beginning of a unit's weights. */
static void prefetch_unit(const struct space *s, size_t unit)
{
    const uint8_t *p = unit_weights(s, unit);

    for (size_t i = 0; p && i < NEXT_BYTES; i += 64)
        __builtin_prefetch(p + i, 0, 2);
}

/* All units: of few tokens, first a long run of weights for each lane, then a rest for whoever is
 * early. A lane takes a unit while it still has one, to know what it will read. */
static void run_units(struct gs_lane *lane, const struct space *s)
{
    const size_t total = s->first[s->n_m];
    const size_t fixed = s->x->x.n > FEW_TOKENS ? 0 : total / 4 * 3;
    size_t unit;
    size_t end;

    gs_lane_share(lane, fixed, 1, &unit, &end);
    if (unit == end)
        unit = fixed + gs_lane_next(lane);
    while (unit < total) {
        const bool is_fixed = unit + 1 < end;
        const size_t next = is_fixed ? unit + 1 : fixed + gs_lane_next(lane);
        if (!is_fixed)
            prefetch_unit(s, next);
        run_unit(lane, s, unit, next);
        unit = next;
    }
    gs_lane_sync(lane);
}

/* Products of one input in one form are all made from panels or all from rows. */
static bool wants_panels(const struct gs_lane *lane, const struct gs_act *x,
                         const struct gs_matmul *m, size_t n_m)
{
    bool any = false;

    if (x->x.n < GS_PANEL_MIN_TOKENS || gs_op_matmul_panel_rows(x->x.dim, x->x.n) == 0)
        return false;
    for (size_t i = 0; i < n_m; i++) {
        const struct gs_tensor *w[2] = {m[i].w, m[i].up ? m[i].up : m[i].w};
        for (size_t j = 0; j < 2; j++) {
            const bool has = lane->k->panel[w[j]->type] != NULL;
            if (gs_kernels_act_form(w[j]->type) != GS_ACT_F32 && !has)
                return false;
            any |= has;
        }
    }
    return any;
}

static void check(const struct gs_act *x, const struct gs_matmul *m)
{
    assert(m->w->ne[0] == x->x.dim && m->w->ne[1] == m->out.dim);
    assert(!m->up || (m->up->ne[0] == m->w->ne[0] && m->up->ne[1] == m->w->ne[1]));
    assert(!m->heads || m->out.dim % m->heads->stride == 0);
    (void)x;
    (void)m;
}

void gs_op_matmul(struct gs_lane *lane, struct gs_act *x, const struct gs_matmul *m, size_t n_m)
{
    const bool panels = wants_panels(lane, x, m, n_m);
    const bool alone = x->x.n == 1 && gs_act_own_bytes(x->x.dim) <= GS_LANE_MIN_SCRATCH;
    struct gs_act own = {0};

    assert(n_m <= GS_MATMUL_MAX);
    if (alone)
        own = gs_act_own(x, gs_lane_scratch(lane, GS_LANE_MIN_SCRATCH));
    for (size_t i = 0; i < n_m; i++) {
        const struct gs_tensor *w[2] = {m[i].w, m[i].up ? m[i].up : m[i].w};
        check(x, &m[i]);
        for (size_t j = 0; j < 2; j++) {
            if (alone)
                gs_act_make_own(lane->k, &own, w[j]->type);
            else
                gs_act_make(lane, x, w[j]->type, panels);
        }
    }
    const struct space s = space_of(alone ? &own : x, m, n_m);
    run_units(lane, &s);
}

void gs_op_embed(struct gs_lane *lane, struct gs_rows out, const struct gs_tensor *w,
                 const int32_t *ids)
{
    size_t begin;
    size_t end;

    gs_lane_share(lane, out.n, 1, &begin, &end);
    for (size_t r = begin; r < end; r++) {
        const size_t id = (size_t)ids[r];
        assert(id < w->ne[1]);
        lane->k->dequant[w->type](w->data + id * w->row_bytes, out.p + r * out.stride, out.dim);
    }
    gs_lane_sync(lane);
}
