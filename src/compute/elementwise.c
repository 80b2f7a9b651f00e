/* Norms and element-wise operations.
 *
 * A row is divided at fixed places (multiples of PIECE), never by the number of lanes: a kernel may
 * treat the tail of what it gets differently from its body. */
#include "compute/ops.h"

#include <math.h>
#include <string.h>

#include "compute/kernels.h"

#define PIECE 256

/* One piece of a row: where, and how long. */
struct piece {
    size_t row, col, n;
};

/* Pieces [*out_begin, *out_end) of n rows of dim are this lane's. */
static void share_pieces(const struct gs_lane *lane, size_t n, size_t dim, size_t *out_begin,
                         size_t *out_end)
{
    gs_lane_share(lane, n * ((dim + PIECE - 1) / PIECE), 1, out_begin, out_end);
}

static struct piece piece_at(size_t idx, size_t dim)
{
    const size_t per_row = (dim + PIECE - 1) / PIECE;
    const size_t col = idx % per_row * PIECE;

    return (struct piece){idx / per_row, col, GS_MIN(dim - col, (size_t)PIECE)};
}

static float *at(const struct gs_rows *x, const struct piece *p)
{
    return x->p + p->row * x->stride + p->col;
}

/* ---- norms ---- */

void gs_op_rms_norm(struct gs_lane *lane, struct gs_rows out, struct gs_rows x, const float *weight,
                    float eps)
{
    size_t begin;
    size_t end;

    gs_lane_share(lane, x.n, 1, &begin, &end);
    for (size_t r = begin; r < end; r++) {
        const float *from = x.p + r * x.stride;
        const float mean = lane->k->sum_squares(from, x.dim) / (float)x.dim;
        lane->k->scale(out.p + r * out.stride, from, weight, 1 / sqrtf(mean + eps), x.dim);
    }
    gs_lane_sync(lane);
}

void gs_op_l2_norm(struct gs_lane *lane, struct gs_rows x, float eps)
{
    size_t begin;
    size_t end;

    gs_lane_share(lane, x.n, 1, &begin, &end);
    for (size_t r = begin; r < end; r++) {
        float *row = x.p + r * x.stride;
        const float norm = sqrtf(lane->k->sum_squares(row, x.dim));
        lane->k->scale(row, row, NULL, 1 / GS_MAX(norm, eps), x.dim);
    }
    gs_lane_sync(lane);
}

/* ---- element-wise ---- */

void gs_op_add(struct gs_lane *lane, struct gs_rows x, struct gs_rows y)
{
    size_t begin;
    size_t end;

    share_pieces(lane, x.n, x.dim, &begin, &end);
    for (size_t i = begin; i < end; i++) {
        const struct piece p = piece_at(i, x.dim);
        lane->k->blend(at(&x, &p), 1, at(&y, &p), 1, p.n);
    }
    gs_lane_sync(lane);
}

void gs_op_swiglu(struct gs_lane *lane, struct gs_rows out, struct gs_rows gate, struct gs_rows up)
{
    size_t begin;
    size_t end;

    share_pieces(lane, out.n, out.dim, &begin, &end);
    for (size_t i = begin; i < end; i++) {
        const struct piece p = piece_at(i, out.dim);
        lane->k->swiglu(at(&out, &p), at(&gate, &p), at(&up, &p), p.n);
    }
    gs_lane_sync(lane);
}

void gs_op_sigmoid_gate(struct gs_lane *lane, struct gs_rows x, struct gs_rows gate)
{
    size_t begin;
    size_t end;

    share_pieces(lane, x.n, x.dim, &begin, &end);
    for (size_t i = begin; i < end; i++) {
        const struct piece p = piece_at(i, x.dim);
        float *to = at(&x, &p);
        if (gate.dim == 1)
            lane->k->scale(to, to, NULL, 1 / (1 + expf(-gate.p[p.row * gate.stride])), p.n);
        else
            lane->k->sigmoid_mul(to, to, at(&gate, &p), p.n);
    }
    gs_lane_sync(lane);
}

void gs_op_silu_gate(struct gs_lane *lane, struct gs_rows x, struct gs_rows gate)
{
    gs_op_swiglu(lane, x, gate, x);
}

void gs_op_copy(struct gs_lane *lane, struct gs_rows out, struct gs_rows x)
{
    size_t begin;
    size_t end;

    share_pieces(lane, x.n, x.dim, &begin, &end);
    for (size_t i = begin; i < end; i++) {
        const struct piece p = piece_at(i, x.dim);
        memcpy(at(&out, &p), at(&x, &p), p.n * sizeof(float));
    }
    gs_lane_sync(lane);
}
