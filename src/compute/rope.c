/* Rotary position embedding (Su et al. 2021), with linear scaling, per-pair divisors, and YaRN
 * (Peng et al. 2023) as llama.cpp spells it: between the pairs that turn more than beta_fast times
 * in the original context and those that turn less than beta_slow times, a ramp leads from the
 * unscaled to the scaled angle. */
#include "compute/ops.h"

#include <math.h>

#include "compute/heads.h"

#define PI 3.14159265358979323846

/* The pair (a real number) that turns `turns` times within the original context. */
static double pair_of_turns(const struct gs_rope_params *p, double turns)
{
    return p->n_rot * log(p->ctx_orig / (turns * 2 * PI)) / (2 * log((double)p->freq_base));
}

/* Share of the unscaled angle in pair m: 1 for fast pairs, 0 for slow ones. */
static double ramp(const struct gs_rope_params *p, size_t m)
{
    const double fast = fmax(0, floor(pair_of_turns(p, p->beta_fast)));
    const double slow = fmin(p->n_rot - 1, ceil(pair_of_turns(p, p->beta_slow)));
    const double y = ((double)m - fast) / fmax(0.001, slow - fast);

    return 1 - fmin(1, fmax(0, y));
}

/* Angle of pair m per position. */
static double frequency(const struct gs_rope_params *p, size_t m)
{
    const double base = pow(p->freq_base, -2.0 * (double)m / p->n_rot);
    const double unscaled = p->freq_factors ? base / p->freq_factors[m] : base;
    const double scaled = unscaled * p->freq_scale;

    if (p->ext_factor == 0)
        return scaled;
    const double mix = ramp(p, m) * p->ext_factor;
    return scaled * (1 - mix) + unscaled * mix;
}

static double magnitude(const struct gs_rope_params *p)
{
    const double yarn = p->ext_factor != 0 ? 1 + 0.1 * log(1 / (double)p->freq_scale) : 1;

    return p->attn_factor * yarn;
}

void gs_op_rope_table(struct gs_lane *lane, float *table, const struct gs_rope_params *p,
                      const int32_t *pos, size_t n)
{
    const size_t pairs = p->n_rot / 2;
    const double mag = magnitude(p);
    size_t begin;
    size_t end;

    gs_lane_share(lane, pairs, 1, &begin, &end);
    for (size_t m = begin; m < end; m++) {
        const double freq = frequency(p, m);
        for (size_t r = 0; r < n; r++) {
            float *to = table + (r * pairs + m) * 2;
            to[0] = (float)(mag * cos(pos[r] * freq));
            to[1] = (float)(mag * sin(pos[r] * freq));
        }
    }
    gs_lane_sync(lane);
}

/* Rotate one head; pair m is (x[m * step], x[m * step + other]). */
static void rotate(float *x, size_t pairs, size_t step, size_t other, const float *table)
{
    for (size_t m = 0; m < pairs; m++) {
        float *a = x + m * step;
        const float c = table[2 * m];
        const float s = table[2 * m + 1];
        const float x0 = a[0];
        const float x1 = a[other];
        a[0] = x0 * c - x1 * s;
        a[other] = x0 * s + x1 * c;
    }
}

void gs_op_rope_head(float *head, const struct gs_rope_params *p, const float *angles)
{
    const size_t pairs = p->n_rot / 2;

    if (p->pairs == GS_ROPE_HALVES)
        rotate(head, pairs, 1, pairs, angles);
    else
        rotate(head, pairs, 2, 1, angles);
}

void gs_op_rope(struct gs_lane *lane, struct gs_rows x, size_t n_head, size_t head_stride,
                const struct gs_rope_params *p, const float *table)
{
    size_t begin;
    size_t end;

    gs_lane_share(lane, x.n * n_head, 1, &begin, &end);
    for (size_t i = begin; i < end; i++)
        gs_op_rope_head(x.p + i / n_head * x.stride + i % n_head * head_stride, p,
                        table + i / n_head * p->n_rot);
    gs_lane_sync(lane);
}
