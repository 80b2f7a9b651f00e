/* Layer normalisation: rows are centred, scaled by their deviation, and moved by a bias. */
#include "compute/ops_encoder.h"

#include <math.h>

#include "compute/kernels.h"

static float mean_of(const float *x, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += (double)x[i];
    return (float)(sum / (double)n);
}

void gs_op_layer_norm(struct gs_lane *lane, struct gs_rows out, struct gs_rows x,
                      const float *weight, const float *bias, float eps)
{
    size_t begin;
    size_t end;

    gs_lane_share(lane, x.n, 1, &begin, &end);
    for (size_t r = begin; r < end; r++) {
        const float *from = x.p + r * x.stride;
        float *to = out.p + r * out.stride;
        const float mean = mean_of(from, x.dim);
        for (size_t i = 0; i < x.dim; i++)
            to[i] = from[i] - mean;
        const float variance = lane->k->sum_squares(to, x.dim) / (float)x.dim;
        lane->k->scale(to, to, weight, 1 / sqrtf(variance + eps), x.dim);
        for (size_t i = 0; bias && i < x.dim; i++)
            to[i] += bias[i];
    }
    gs_lane_sync(lane);
}
