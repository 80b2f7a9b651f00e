/* Matrix products and the quantised forms of their inputs.
 *
 * The output rows (weight rows) of all products form one space. Lanes take chunks of it small
 * enough that a chunk's weights stay in cache while all tokens pass by: GS_DOT_TOKENS at a time, or
 * in panels, for which a chunk is unpacked first, if there are tokens enough to pay for that. Both
 * ways use the same integers and differ in how they round their sums, as little as 1e-6 of |w||x|;
 * which one is taken depends on the number of tokens, never on the number of lanes. */
#include "compute/ops.h"

#include <assert.h>
#include <string.h>

#include "base/limits.h"
#include "compute/kernels.h"
#include "compute/matmul.h"
#include "compute/pool.h"

#define CHUNK_BYTES      (32 * GS_KIB)  /* of weights, that every token passes by */
#define PANEL_MIN_TOKENS 16             /* measured: fewer do not pay for the unpacking */
#define PANEL_BYTES      (512 * GS_KIB) /* of unpacked weights: they stay in the second cache */
#define PANEL_GRAIN      12             /* rows, of which chunks are multiples */

/* ---- activations ---- */

static size_t groups_of(size_t dim)
{
    return dim / GS_ACT_GROUP + (dim % GS_ACT_GROUP != 0);
}

size_t gs_act_row_bytes(size_t dim)
{
    return groups_of(dim) * sizeof(struct gs_q8k);
}

/* Rows of memory that a form of n rows takes: panels are padded. */
static size_t padded_rows(size_t n)
{
    const size_t of = n < PANEL_MIN_TOKENS ? 1 : GS_PANEL_TOKENS;

    return (n + of - 1) / of * of;
}

size_t gs_act_bytes(size_t n, size_t dim)
{
    return 2 * padded_rows(n) * gs_act_row_bytes(dim);
}

struct gs_act gs_act(struct gs_rows x, void *q)
{
    return (struct gs_act){.x = x, .q = q};
}

/* Start of a form, as rows or as panels: first gs_q8, then gs_q8k; both have groups of the same
 * size. */
static uint8_t *form_base(const struct gs_act *x, enum gs_act_form form)
{
    _Static_assert(sizeof(struct gs_q8) == sizeof(struct gs_q8k), "one size of groups");
    return (uint8_t *)x->q +
           (form == GS_ACT_Q8K ? padded_rows(x->x.n) * gs_act_row_bytes(x->x.dim) : 0);
}

static gs_quantise_fn *quantiser(const struct gs_lane *lane, enum gs_act_form form)
{
    return form == GS_ACT_Q8 ? lane->k->quantise_q8 : lane->k->quantise_q8k;
}

static void quantise(struct gs_lane *lane, const struct gs_act *x, enum gs_act_form form)
{
    gs_quantise_fn *fn = quantiser(lane, form);
    const size_t groups = groups_of(x->x.dim);
    uint8_t *base = form_base(x, form);
    size_t begin;
    size_t end;

    gs_lane_share(lane, x->x.n * groups, 1, &begin, &end);
    while (begin < end) {
        const size_t row = begin / groups;
        const size_t g = begin % groups;
        const size_t n = GS_MIN(groups - g, end - begin);
        const size_t first = g * GS_ACT_GROUP;
        fn(x->x.p + row * x->x.stride + first,
           base + row * gs_act_row_bytes(x->x.dim) + g * sizeof(struct gs_q8k),
           GS_MIN(n * GS_ACT_GROUP, x->x.dim - first));
        begin += n;
    }
}

/* Panel idx: of one group of values of 16 tokens, those behind the last being zeros. */
static void quantise_panel(struct gs_lane *lane, const struct gs_act *x, enum gs_act_form form,
                           size_t idx)
{
    GS_ALIGNED(64) uint8_t rows[GS_PANEL_BYTES];
    const size_t groups = groups_of(x->x.dim);
    const size_t token = idx / groups * GS_PANEL_TOKENS;
    const size_t first = idx % groups * GS_ACT_GROUP;
    const size_t n = GS_MIN(x->x.n - token, (size_t)GS_PANEL_TOKENS);
    const size_t row_bytes = sizeof(struct gs_q8k);

    for (size_t t = 0; t < n; t++)
        quantiser(lane, form)(x->x.p + (token + t) * x->x.stride + first, rows + t * row_bytes,
                              GS_MIN(x->x.dim - first, (size_t)GS_ACT_GROUP));
    memset(rows + n * row_bytes, 0, (GS_PANEL_TOKENS - n) * row_bytes);
    (form == GS_ACT_Q8 ? lane->k->panel_of_q8
                       : lane->k->panel_of_q8k)(rows, form_base(x, form) + idx * GS_PANEL_BYTES);
}

static void quantise_panels(struct gs_lane *lane, const struct gs_act *x, enum gs_act_form form)
{
    size_t begin;
    size_t end;

    gs_lane_share(lane, padded_rows(x->x.n) / GS_PANEL_TOKENS * groups_of(x->x.dim), 1, &begin,
                  &end);
    for (size_t i = begin; i < end; i++)
        quantise_panel(lane, x, form, i);
}

/* In gs_act.forms: that a form is there as panels. They lie where its rows would. */
static unsigned panels_bit(enum gs_act_form form)
{
    return (unsigned)form << 2;
}

static void prepare(struct gs_lane *lane, struct gs_act *x, enum gs_type type, bool panels)
{
    const enum gs_act_form form = gs_kernels_act_form(type);
    const unsigned bit = panels ? panels_bit(form) : (unsigned)form;

    if (form == GS_ACT_F32 || (x->forms & bit))
        return;
    if (panels)
        quantise_panels(lane, x, form);
    else
        quantise(lane, x, form);
    gs_lane_sync(lane);
    x->forms = (x->forms & ~(panels_bit(form) | (unsigned)form)) | bit;
}

void gs_act_prepare(struct gs_lane *lane, struct gs_act *x, enum gs_type type)
{
    prepare(lane, x, type, false);
}

const void *gs_act_row(const struct gs_act *x, enum gs_type type, size_t row)
{
    const enum gs_act_form form = gs_kernels_act_form(type);

    if (form == GS_ACT_F32)
        return x->x.p + row * x->x.stride;
    return form_base(x, form) + row * gs_act_row_bytes(x->x.dim);
}

/* ---- products ---- */

/* Weight rows [begin, end) of one product, for all tokens. */
static void matmul_rows(const struct gs_kernels *k, const struct gs_act *x,
                        const struct gs_matmul *m, size_t begin, size_t end)
{
    const struct gs_tensor *w = m->w;
    struct gs_dot d = {.w = w->data + begin * w->row_bytes,
                       .w_stride = w->row_bytes,
                       .n_rows = end - begin,
                       .n = (size_t)w->ne[0]};

    for (size_t t = 0; t < x->x.n; t += d.n_tokens) {
        d.n_tokens = GS_MIN(x->x.n - t, (size_t)GS_DOT_TOKENS);
        for (size_t i = 0; i < d.n_tokens; i++) {
            d.x[i] = gs_act_row(x, w->type, t + i);
            d.out[i] = m->out.p + (t + i) * m->out.stride + begin;
        }
        k->dot[w->type](&d);
        for (size_t i = 0; m->bias && i < d.n_tokens; i++)
            for (size_t r = begin; r < end; r++)
                d.out[i][r - begin] += m->bias[r];
    }
}

/* The same with x in panels; at most gs_op_matmul_panel_rows() rows. */
static void matmul_panels(struct gs_lane *lane, const struct gs_act *x, const struct gs_matmul *m,
                          size_t begin, size_t end)
{
    const struct gs_tensor *w = m->w;
    const struct gs_panel p = {.w = w->data + begin * w->row_bytes,
                               .w_stride = w->row_bytes,
                               .n_rows = end - begin,
                               .n = (size_t)w->ne[0],
                               .n_tokens = x->x.n,
                               .x = form_base(x, gs_kernels_act_form(w->type)),
                               .out = m->out.p + begin,
                               .out_stride = m->out.stride,
                               .bias = m->bias ? m->bias + begin : NULL,
                               .scratch = gs_lane_scratch(lane, GS_LANE_MIN_SCRATCH)};

    lane->k->panel[w->type](&p);
}

size_t gs_op_matmul_panel_rows(size_t dim)
{
    const size_t row = groups_of(dim) * GS_PANEL_ROW_BYTES;
    const size_t fit = PANEL_BYTES / row / PANEL_GRAIN * PANEL_GRAIN;

    if (PANEL_GRAIN * row > GS_LANE_MIN_SCRATCH)
        return 0;
    return GS_MIN(GS_MAX(fit, (size_t)PANEL_GRAIN), (size_t)GS_PANEL_MAX_ROWS);
}

/* Products of one input in one form are all made from panels or all from rows. */
static bool wants_panels(const struct gs_lane *lane, const struct gs_act *x,
                         const struct gs_matmul *m, size_t n_m)
{
    bool any = false;

    if (x->x.n < PANEL_MIN_TOKENS || gs_op_matmul_panel_rows(x->x.dim) == 0)
        return false;
    for (size_t i = 0; i < n_m; i++) {
        const enum gs_type type = m[i].w->type;
        if (gs_kernels_act_form(type) != GS_ACT_F32 && !lane->k->panel[type])
            return false;
        any |= lane->k->panel[type] != NULL;
    }
    return any;
}

size_t gs_op_matmul_chunk_rows(const struct gs_tensor *w)
{
    return GS_MAX(CHUNK_BYTES / w->row_bytes, (size_t)4);
}

/* Rows [begin, end) of the common space. */
static void matmul_span(struct gs_lane *lane, const struct gs_act *x, const struct gs_matmul *m,
                        size_t n_m, size_t begin, size_t end)
{
    size_t base = 0; /* of product i */

    for (size_t i = 0; i < n_m; i++) {
        const enum gs_act_form form = gs_kernels_act_form(m[i].w->type);
        const bool panels = x->forms & panels_bit(form);
        const size_t rows = (size_t)m[i].w->ne[1];
        const size_t chunk =
            panels ? gs_op_matmul_panel_rows(x->x.dim) : gs_op_matmul_chunk_rows(m[i].w);
        const size_t last = end > base ? GS_MIN(end - base, rows) : 0;
        for (size_t r = begin > base ? begin - base : 0; r < last; r += chunk) {
            if (panels)
                matmul_panels(lane, x, &m[i], r, GS_MIN(r + chunk, last));
            else
                matmul_rows(lane->k, x, &m[i], r, GS_MIN(r + chunk, last));
        }
        base += rows;
    }
}

void gs_op_matmul(struct gs_lane *lane, struct gs_act *x, const struct gs_matmul *m, size_t n_m)
{
    const bool panels = wants_panels(lane, x, m, n_m);
    const size_t grab =
        panels ? gs_op_matmul_panel_rows(x->x.dim) : gs_op_matmul_chunk_rows(m[0].w);
    size_t total = 0;
    size_t begin;
    size_t end;

    for (size_t i = 0; i < n_m; i++) {
        assert(m[i].w->ne[0] == x->x.dim && m[i].w->ne[1] == m[i].out.dim);
        prepare(lane, x, m[i].w->type, panels);
        total += (size_t)m[i].w->ne[1];
    }
    /* Few tokens: long runs of weights for the prefetch, and a rest for whoever is early. */
    const size_t fixed = x->x.n > GS_DOT_TOKENS ? 0 : total / 4 * 3;
    gs_lane_share(lane, fixed, 4, &begin, &end);
    matmul_span(lane, x, m, n_m, begin, end);
    for (;;) {
        begin = fixed + gs_lane_next(lane) * grab;
        if (begin >= total)
            break;
        matmul_span(lane, x, m, n_m, begin, GS_MIN(begin + grab, total));
    }
    gs_lane_sync(lane);
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
