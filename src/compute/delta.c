/* The gated delta rule (Yang et al. 2024, "Gated Delta Networks") in its recurrent form, and the
 * short convolution before it.
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

void gs_op_conv_silu(struct gs_lane *lane, struct gs_rows out, struct gs_rows u, const float *w,
                     size_t taps, const struct gs_state_run *runs, size_t n_runs)
{
    const size_t pieces = (u.dim + CONV_CHANNELS - 1) / CONV_CHANNELS;
    size_t begin;
    size_t end;

    assert(taps >= 1 && taps <= GS_CONV_MAX_TAPS);
    gs_lane_share(lane, n_runs * pieces, 1, &begin, &end);
    for (size_t i = begin; i < end; i++) {
        const size_t ch = i % pieces * CONV_CHANNELS;
        conv_run(lane->k, out, u, w, taps, &runs[i / pieces], ch,
                 GS_MIN((size_t)CONV_CHANNELS, u.dim - ch));
    }
    gs_lane_sync(lane);
}

/* ---- delta rule ---- */

static void delta_run(const struct gs_kernels *k, struct gs_rows out, const struct gs_delta_rule *p,
                      const struct gs_state_run *run, size_t head, size_t ch)
{
    const size_t d = p->d;
    const size_t key = head % p->n_k * d;
    struct gs_delta_step step = {.s = run->delta + head * d * d + ch,
                                 .stride = d,
                                 .d_k = d,
                                 .n = GS_MIN((size_t)GS_DELTA_SLICE, d - ch),
                                 .scale = 1 / sqrtf((float)d)};

    for (size_t t = run->row; t < run->row + run->n; t++) {
        step.q = p->q.p + t * p->q.stride + key;
        step.k = p->k.p + t * p->k.stride + key;
        step.v = p->v.p + t * p->v.stride + head * d + ch;
        step.alpha = expf(p->g.p[t * p->g.stride + head]);
        step.beta = p->beta.p[t * p->beta.stride + head];
        step.out = out.p + t * out.stride + head * d + ch;
        k->delta_step(&step);
    }
}

void gs_op_delta_rule(struct gs_lane *lane, struct gs_rows out, const struct gs_delta_rule *p)
{
    const size_t slices = (p->d + GS_DELTA_SLICE - 1) / GS_DELTA_SLICE;
    const size_t per_run = p->n_v * slices;

    for (size_t i = gs_lane_next(lane); i < p->n_runs * per_run; i = gs_lane_next(lane))
        delta_run(lane->k, out, p, &p->runs[i / per_run], i % per_run / slices,
                  i % slices * GS_DELTA_SLICE);
    gs_lane_sync(lane);
}

/* log(1 + e^x) */
static float softplus(float x)
{
    return x > 20 ? x : log1pf(expf(x));
}

void gs_op_delta_gates(struct gs_lane *lane, struct gs_rows x, struct gs_rows b, const float *a,
                       const float *dt)
{
    size_t begin;
    size_t end;

    gs_lane_share(lane, x.n, 1, &begin, &end);
    for (size_t r = begin; r < end; r++) {
        float *g = x.p + r * x.stride;
        float *beta = b.p + r * b.stride;
        for (size_t i = 0; i < x.dim; i++) {
            g[i] = a[i] * softplus(g[i] + dt[i]);
            beta[i] = 1 / (1 + expf(-beta[i]));
        }
    }
    gs_lane_sync(lane);
}
