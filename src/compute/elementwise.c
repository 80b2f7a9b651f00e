/* Norms and element-wise operations.
 *
 * Rows are divided into pieces (piece.h), never by the number of lanes. */
#include "compute/ops.h"

#include <math.h>
#include <string.h>

#include "compute/kernels.h"
#include "compute/piece.h"

/* ---- norms ---- */

static void norm_row(const struct gs_kernels *k, float *out, const float *x, const float *weight,
                     float eps, size_t n)
{
    const float mean = k->sum_squares(x, n) / (float)n;

    k->scale(out, x, weight, 1 / sqrtf(mean + eps), n);
}

void gs_op_rms_norm(struct gs_lane *lane, struct gs_rows out, struct gs_rows x, const float *weight,
                    float eps)
{
    size_t begin;
    size_t end;

    gs_lane_share(lane, x.n, 1, &begin, &end);
    for (size_t r = begin; r < end; r++) {
        norm_row(lane->k, out.p + r * out.stride, x.p + r * x.stride, weight, eps, x.dim);
    }
    gs_lane_sync(lane);
}

void gs_op_rms_norm_gated(struct gs_lane *lane, struct gs_rows x, const float *weight, float eps,
                          struct gs_rows gate)
{
    size_t begin;
    size_t end;

    gs_lane_share(lane, x.n, 1, &begin, &end);
    for (size_t r = begin; r < end; r++) {
        float *row = x.p + r * x.stride;
        norm_row(lane->k, row, row, weight, eps, x.dim);
        lane->k->swiglu(row, gate.p + r * gate.stride, row, x.dim);
    }
    gs_lane_sync(lane);
}

/* ---- element-wise ---- */

void gs_op_add(struct gs_lane *lane, struct gs_rows x, struct gs_rows y)
{
    size_t begin;
    size_t end;

    gs_op_share_pieces(lane, x.n, x.dim, &begin, &end);
    for (size_t i = begin; i < end; i++) {
        const struct gs_piece p = gs_op_piece_at(i, x.dim);
        lane->k->blend(gs_op_piece(&x, &p), 1, gs_op_piece(&y, &p), 1, p.n);
    }
    gs_lane_sync(lane);
}

void gs_op_add_normed(struct gs_lane *lane, struct gs_rows x, struct gs_normed y)
{
    float values[GS_PIECE];
    float scale = 1;
    size_t begin;
    size_t end;

    gs_op_share_pieces(lane, x.n, x.dim, &begin, &end);
    for (size_t i = begin; i < end; i++) {
        const struct gs_piece p = gs_op_piece_at(i, x.dim);
        const float *from = y.x.p + p.row * y.x.stride;
        if (i == begin || p.col == 0)
            scale = 1 / sqrtf(lane->k->sum_squares(from, x.dim) / (float)x.dim + y.eps);
        lane->k->scale(values, from + p.col, y.norm ? y.norm + p.col : NULL, scale, p.n);
        lane->k->blend(gs_op_piece(&x, &p), 1, values, 1, p.n);
    }
    gs_lane_sync(lane);
}

void gs_op_swiglu(struct gs_lane *lane, struct gs_rows out, struct gs_rows gate, struct gs_rows up)
{
    size_t begin;
    size_t end;

    gs_op_share_pieces(lane, out.n, out.dim, &begin, &end);
    for (size_t i = begin; i < end; i++) {
        const struct gs_piece p = gs_op_piece_at(i, out.dim);
        lane->k->swiglu(gs_op_piece(&out, &p), gs_op_piece(&gate, &p), gs_op_piece(&up, &p), p.n);
    }
    gs_lane_sync(lane);
}

void gs_op_sigmoid_gate(struct gs_lane *lane, struct gs_rows x, struct gs_rows gate)
{
    size_t begin;
    size_t end;

    gs_op_share_pieces(lane, x.n, x.dim, &begin, &end);
    for (size_t i = begin; i < end; i++) {
        const struct gs_piece p = gs_op_piece_at(i, x.dim);
        float *to = gs_op_piece(&x, &p);
        if (gate.dim == 1)
            lane->k->scale(to, to, NULL, 1 / (1 + expf(-gate.p[p.row * gate.stride])), p.n);
        else
            lane->k->sigmoid_mul(to, to, gs_op_piece(&gate, &p), p.n);
    }
    gs_lane_sync(lane);
}

void gs_op_copy(struct gs_lane *lane, struct gs_rows out, struct gs_rows x)
{
    size_t begin;
    size_t end;

    gs_op_share_pieces(lane, x.n, x.dim, &begin, &end);
    for (size_t i = begin; i < end; i++) {
        const struct gs_piece p = gs_op_piece_at(i, x.dim);
        memcpy(gs_op_piece(&out, &p), gs_op_piece(&x, &p), p.n * sizeof(float));
    }
    gs_lane_sync(lane);
}
