/* The input of matrix products: normed and quantised, as rows, or, for many tokens, as panels
 * of 16.
 *
 * Lanes share the work by groups of GS_ACT_GROUP values and meet in a barrier, but for a single
 * row: making that anew on every lane takes less than waiting for each other. */
#include "compute/ops.h"

#include <math.h>
#include <string.h>

#include "compute/kernels.h"
#include "compute/matmul.h"
#include "compute/pool.h"

/* In gs_act.forms: the form itself (as rows), the same as panels, and normed floats. Panels lie
 * where the rows of their form would. */
#define FORM_NORMED (1u << 16)
/* Float weights take floats as they lie in panels, too: all that is noted is that they shall. */
#define FORM_FLOAT_PANELS (1u << 17)

static unsigned form_bit(enum gs_act_form form, bool panels)
{
    return form == GS_ACT_F32 ? FORM_NORMED : panels ? (unsigned)form << 8 : (unsigned)form;
}

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
    const size_t of = n < GS_PANEL_MIN_TOKENS ? 1 : GS_PANEL_TOKENS;

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

/* First gs_q8, then gs_q8k; both have groups of the same size. */
static uint8_t *form_base(const struct gs_act *x, enum gs_act_form form)
{
    _Static_assert(sizeof(struct gs_q8) == sizeof(struct gs_q8k), "one size of groups");
    return (uint8_t *)x->q +
           (form == GS_ACT_Q8K ? padded_rows(x->x.n) * gs_act_row_bytes(x->x.dim) : 0);
}

const void *gs_act_panels(const struct gs_act *x, enum gs_type type)
{
    const enum gs_act_form form = gs_kernels_act_form(type);

    return form == GS_ACT_F32 ? gs_act_row(x, type, 0) : form_base(x, form);
}

size_t gs_act_float_stride(const struct gs_act *x)
{
    return x->norm ? x->x.dim : x->x.stride;
}

const void *gs_act_row(const struct gs_act *x, enum gs_type type, size_t row)
{
    const enum gs_act_form form = gs_kernels_act_form(type);

    if (form != GS_ACT_F32)
        return form_base(x, form) + row * gs_act_row_bytes(x->x.dim);
    return (x->norm ? x->normed : x->x.p) + row * gs_act_float_stride(x);
}

bool gs_act_has_panels(const struct gs_act *x, enum gs_type type)
{
    const enum gs_act_form form = gs_kernels_act_form(type);

    return x->forms & (form == GS_ACT_F32 ? FORM_FLOAT_PANELS : form_bit(form, true));
}

/* ---- making ---- */

/* What a row is multiplied with to be normed, but for the weights. */
static float norm_scale(const struct gs_kernels *k, const struct gs_act *x, size_t row)
{
    const float *from = x->x.p + row * x->x.stride;

    return x->norm ? 1 / sqrtf(k->sum_squares(from, x->x.dim) / (float)x->x.dim + x->eps) : 1;
}

static gs_quantise_fn *quantiser(const struct gs_kernels *k, enum gs_act_form form)
{
    return form == GS_ACT_Q8 ? k->quantise_q8 : k->quantise_q8k;
}

/* Group g of a row, in its form. */
static void make_group(const struct gs_kernels *k, const struct gs_act *x, enum gs_act_form form,
                       size_t row, size_t g, float scale, void *out)
{
    const size_t first = g * GS_ACT_GROUP;
    const size_t n = GS_MIN(x->x.dim - first, (size_t)GS_ACT_GROUP);
    const float *from = x->x.p + row * x->x.stride + first;
    GS_ALIGNED(64) float values[GS_ACT_GROUP];

    if (form == GS_ACT_F32) {
        k->scale(out, from, x->norm + first, scale, n);
        return;
    }
    if (x->norm) {
        k->scale(values, from, x->norm + first, scale, n);
        from = values;
    }
    quantiser(k, form)(from, out, n);
}

/* Groups [begin, end) of all rows. */
static void make_rows(const struct gs_kernels *k, const struct gs_act *x, enum gs_act_form form,
                      size_t begin, size_t end)
{
    const size_t groups = groups_of(x->x.dim);
    float scale = 1;

    for (size_t i = begin; i < end; i++) {
        const size_t row = i / groups;
        const size_t g = i % groups;
        if (i == begin || g == 0)
            scale = norm_scale(k, x, row);
        make_group(k, x, form, row, g, scale,
                   form == GS_ACT_F32 ? (void *)(x->normed + row * x->x.dim + g * GS_ACT_GROUP)
                                      : form_base(x, form) + i * sizeof(struct gs_q8k));
    }
}

/* Panels [begin, end): a panel is one group of 16 tokens, those behind the last being zeros. */
static void make_panels(const struct gs_kernels *k, const struct gs_act *x, enum gs_act_form form,
                        size_t begin, size_t end)
{
    GS_ALIGNED(64) uint8_t rows[GS_PANEL_BYTES];
    const size_t groups = groups_of(x->x.dim);
    const size_t row_bytes = sizeof(struct gs_q8k);
    float scale[GS_PANEL_TOKENS];

    for (size_t i = begin; i < end; i++) {
        const size_t token = i / groups * GS_PANEL_TOKENS;
        const size_t n = GS_MIN(x->x.n - token, (size_t)GS_PANEL_TOKENS);
        for (size_t t = 0; t < n && (i == begin || i % groups == 0); t++)
            scale[t] = norm_scale(k, x, token + t);
        for (size_t t = 0; t < n; t++)
            make_group(k, x, form, token + t, i % groups, scale[t], rows + t * row_bytes);
        memset(rows + n * row_bytes, 0, (GS_PANEL_TOKENS - n) * row_bytes);
        (form == GS_ACT_Q8 ? k->panel_of_q8
                           : k->panel_of_q8k)(rows, form_base(x, form) + i * GS_PANEL_BYTES);
    }
}

/* True if the form is there, or rows are read as they are. */
static bool is_made(const struct gs_act *x, enum gs_act_form form, bool panels)
{
    return (form == GS_ACT_F32 && !x->norm) || (x->forms & form_bit(form, panels));
}

void gs_act_make(struct gs_lane *lane, struct gs_act *x, enum gs_type type, bool panels)
{
    const enum gs_act_form form = gs_kernels_act_form(type);
    const bool as_panels = panels && form != GS_ACT_F32;
    const size_t rows = as_panels ? padded_rows(x->x.n) / GS_PANEL_TOKENS : x->x.n;
    size_t begin;
    size_t end;

    if (form == GS_ACT_F32 && panels && lane->k->panel[type])
        x->forms |= FORM_FLOAT_PANELS;
    if (is_made(x, form, as_panels))
        return;
    gs_lane_share(lane, rows * groups_of(x->x.dim), 1, &begin, &end);
    (as_panels ? make_panels : make_rows)(lane->k, x, form, begin, end);
    gs_lane_sync(lane);
    if (form != GS_ACT_F32)
        x->forms &= ~(form_bit(form, false) | form_bit(form, true));
    x->forms |= form_bit(form, as_panels);
}

void gs_act_prepare(struct gs_lane *lane, struct gs_act *x, enum gs_type type)
{
    gs_act_make(lane, x, type, false);
}

size_t gs_act_own_bytes(size_t dim)
{
    return gs_act_bytes(1, dim) + groups_of(dim) * GS_ACT_GROUP * sizeof(float);
}

struct gs_act gs_act_own(const struct gs_act *x, void *memory)
{
    struct gs_act own = *x;

    own.q = memory;
    own.normed = (float *)(void *)((uint8_t *)memory + gs_act_bytes(1, x->x.dim));
    own.forms = 0;
    return own;
}

void gs_act_make_own(const struct gs_kernels *k, struct gs_act *x, enum gs_type type)
{
    const enum gs_act_form form = gs_kernels_act_form(type);

    if (is_made(x, form, false))
        return;
    make_rows(k, x, form, 0, groups_of(x->x.dim));
    x->forms |= form_bit(form, false);
}
