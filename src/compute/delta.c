/* The gated delta rule (Yang et al. 2024, "Gated Delta Networks") in its recurrent form, and what
 * it reads: a short convolution, norms and gates, for which lanes meet once.
 *
 * Channels of the values are independent: a work item is one head and GS_DELTA_SLICE channels of
 * one run, whose slice of the state stays in cache for the whole run. */
#include "compute/ops.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "compute/kernels.h"
#include "compute/pool.h"

#define CONV_CHANNELS 64 /* per work item */

/* ---- convolution ---- */

/* One token: out = sum of taps, then SiLU. in[j] is the input j - (taps - 1) tokens ago. */
static void conv_token(const struct gs_kernels *k, float *out, const float *const *in,
                       float w[GS_CONV_MAX_TAPS][CONV_CHANNELS], size_t taps, size_t n)
{
    float sum[CONV_CHANNELS] = {0};

    for (size_t j = 0; j < taps; j++)
        for (size_t c = 0; c < n; c++)
            sum[c] += w[j][c] * in[j][c];
    k->sigmoid_mul(out, sum, sum, n);
}

/* Channels [ch, ch + n) of one run. */
static void conv_run(const struct gs_kernels *k, struct gs_rows out, struct gs_rows u,
                     const float *w, size_t taps, const struct gs_state_run *run, size_t ch,
                     size_t n)
{
    const size_t past = taps - 1;
    float by_tap[GS_CONV_MAX_TAPS][CONV_CHANNELS];
    float history[GS_CONV_MAX_TAPS][CONV_CHANNELS]; /* the state, which is overwritten in the end */

    for (size_t j = 0; j < taps; j++)
        for (size_t c = 0; c < n; c++)
            by_tap[j][c] = w[(ch + c) * taps + j];
    for (size_t j = 0; j < past; j++)
        memcpy(history[j], run->conv + j * u.dim + ch, n * sizeof(float));
    for (size_t t = 0; t < run->n; t++) {
        const float *in[GS_CONV_MAX_TAPS];
        for (size_t j = 0; j < taps; j++)
            in[j] = t + j < past ? history[t + j] : u.p + (run->row + t + j - past) * u.stride + ch;
        conv_token(k, out.p + (run->row + t) * out.stride + ch, in, by_tap, taps, n);
    }
    for (size_t j = 0; j < past; j++) /* the last inputs */
        memcpy(run->conv + j * u.dim + ch,
               run->n + j < past ? history[run->n + j]
                                 : u.p + (run->row + run->n + j - past) * u.stride + ch,
               n * sizeof(float));
}

/* Channels [ch, ch + n), any number. */
static void conv_channels(const struct gs_kernels *k, const struct gs_delta_inputs *p,
                          const struct gs_state_run *run, size_t ch, size_t n)
{
    for (size_t i = 0; i < n; i += CONV_CHANNELS)
        conv_run(k, p->out, p->u, p->w, p->taps, run, ch + i, GS_MIN((size_t)CONV_CHANNELS, n - i));
}

/* A head that is normed. */
static void conv_head(const struct gs_kernels *k, const struct gs_delta_inputs *p,
                      const struct gs_state_run *run, size_t head)
{
    const size_t ch = head * p->d;

    conv_channels(k, p, run, ch, p->d);
    for (size_t t = 0; t < run->n; t++) {
        float *x = p->out.p + (run->row + t) * p->out.stride + ch;
        const float norm = sqrtf(k->sum_squares(x, p->d));
        k->scale(x, x, NULL, 1 / GS_MAX(norm, p->eps), p->d);
    }
}

/* ---- gates ---- */

/* log(1 + e^x) */
static float softplus(float x)
{
    return x > 20 ? x : log1pf(expf(x));
}

static void open_gates(const struct gs_delta_inputs *p, size_t row)
{
    float *g = p->g.p + row * p->g.stride;
    float *beta = p->beta.p + row * p->beta.stride;

    for (size_t i = 0; i < p->g.dim; i++) {
        g[i] = p->a[i] * softplus(g[i] + p->dt[i]);
        beta[i] = 1 / (1 + expf(-beta[i]));
    }
}

void gs_op_delta_inputs(struct gs_lane *lane, const struct gs_delta_inputs *p)
{
    const size_t heads = p->n_normed > 0 ? p->n_normed / p->d : 0;
    const size_t width = heads > 0 ? p->d : CONV_CHANNELS; /* of the others: items as large */
    const size_t per_run = heads + (p->u.dim - p->n_normed + width - 1) / width;
    size_t begin;
    size_t end;

    assert(p->taps >= 1 && p->taps <= GS_CONV_MAX_TAPS);
    gs_lane_share(lane, p->n_runs * per_run, 1, &begin, &end);
    for (size_t i = begin; i < end; i++) {
        const struct gs_state_run *run = &p->runs[i / per_run];
        const size_t item = i % per_run;
        const size_t ch = p->n_normed + (item - heads) * width;
        if (item < heads)
            conv_head(lane->k, p, run, item);
        else
            conv_channels(lane->k, p, run, ch, GS_MIN(width, p->u.dim - ch));
    }
    gs_lane_share(lane, p->g.n, 1, &begin, &end);
    for (size_t r = begin; r < end; r++)
        open_gates(p, r);
    gs_lane_sync(lane);
}

/* ---- delta rule ---- */

/* From this many tokens on the slice of the state is worked on apart, where its rows lie close. */
#define COPY_TOKENS 4

static void copy_rows(float *to, size_t to_stride, const float *from, size_t from_stride, size_t n,
                      size_t rows)
{
    for (size_t i = 0; i < rows; i++)
        memcpy(to + i * to_stride, from + i * from_stride, n * sizeof(float));
}

static void delta_run(struct gs_lane *lane, struct gs_rows out, const struct gs_delta_rule *p,
                      const struct gs_state_run *run, size_t head, size_t ch)
{
    const size_t d = p->d;
    const size_t n = GS_MIN((size_t)GS_DELTA_SLICE, d - ch);
    const size_t key = head % p->n_k * d;
    float *state = run->delta + head * d * d + ch;
    const size_t slice_bytes = d * GS_DELTA_SLICE * sizeof(float);
    const bool copy = run->n >= COPY_TOKENS && slice_bytes <= GS_LANE_MIN_SCRATCH;
    float *slice = copy ? gs_lane_scratch(lane, slice_bytes) : NULL;

    if (copy)
        copy_rows(slice, GS_DELTA_SLICE, state, d, n, d);
    lane->k->delta(&(struct gs_delta){
        .s = copy ? slice : state,
        .stride = copy ? GS_DELTA_SLICE : d,
        .d_k = d,
        .n = n,
        .n_tokens = run->n,
        .q = p->q.p + run->row * p->q.stride + key,
        .k = p->k.p + run->row * p->k.stride + key,
        .v = p->v.p + run->row * p->v.stride + head * d + ch,
        .g = p->g.p + run->row * p->g.stride + head,
        .beta = p->beta.p + run->row * p->beta.stride + head,
        .q_stride = p->q.stride,
        .k_stride = p->k.stride,
        .v_stride = p->v.stride,
        .g_stride = p->g.stride,
        .beta_stride = p->beta.stride,
        .scale = 1 / sqrtf((float)d),
        .out = out.p + run->row * out.stride + head * d + ch,
        .out_stride = out.stride,
    });
    if (copy)
        copy_rows(state, d, slice, GS_DELTA_SLICE, n, d);
}

void gs_op_delta_rule(struct gs_lane *lane, struct gs_rows out, const struct gs_delta_rule *p)
{
    const size_t slices = (p->d + GS_DELTA_SLICE - 1) / GS_DELTA_SLICE;
    const size_t per_run = p->n_v * slices;

    for (size_t i = gs_lane_next(lane); i < p->n_runs * per_run; i = gs_lane_next(lane))
        delta_run(lane, out, p, &p->runs[i / per_run], i % per_run / slices,
                  i % slices * GS_DELTA_SLICE);
    gs_lane_sync(lane);
}
