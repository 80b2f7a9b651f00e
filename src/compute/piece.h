/* The pieces into which element-wise operations divide their rows: at fixed places, never by the
 * number of lanes, because a kernel may treat the tail of what it gets differently from its
 * body. */
#ifndef GS_COMPUTE_PIECE_H
#define GS_COMPUTE_PIECE_H

#include "compute/ops.h"

#define GS_PIECE 256

/* One piece of a row: where, and how long. */
struct gs_piece {
    size_t row, col, n;
};

/* Pieces [*out_begin, *out_end) of n rows of dim are this lane's. */
static inline void gs_op_share_pieces(const struct gs_lane *lane, size_t n, size_t dim,
                                      size_t *out_begin, size_t *out_end)
{
    gs_lane_share(lane, n * ((dim + GS_PIECE - 1) / GS_PIECE), 1, out_begin, out_end);
}

static inline struct gs_piece gs_op_piece_at(size_t idx, size_t dim)
{
    const size_t per_row = (dim + GS_PIECE - 1) / GS_PIECE;
    const size_t col = idx % per_row * GS_PIECE;

    return (struct gs_piece){idx / per_row, col, GS_MIN(dim - col, (size_t)GS_PIECE)};
}

static inline float *gs_op_piece(const struct gs_rows *x, const struct gs_piece *p)
{
    return x->p + p->row * x->stride + p->col;
}

/* out = the gated unit of g and u, for n <= GS_PIECE; out may be g or u (glu.c). */
void gs_op_glu_piece(const struct gs_kernels *k, enum gs_glu kind, float *out, const float *g,
                     const float *u, size_t n);
/* out = gelu(x) between float16 values, for n <= GS_PIECE; out must not be x (gelu_half.c). */
void gs_op_gelu_piece(const struct gs_kernels *k, const float *x, float *out, size_t n);

#endif
