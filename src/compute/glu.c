/* Gated units (Shazeer 2020, "GLU Variants Improve Transformer"), and what else is done to rows
 * value by value, made of the same few vector kernels. */
#include "compute/ops.h"

#include <math.h>

#include "compute/kernels.h"
#include "compute/piece.h"

#define OAI_SLOPE 1.702f
#define OAI_LIMIT 7.0f

static void gelu_mul(const struct gs_kernels *k, float *out, const float *g, const float *u,
                     size_t n)
{
    float z[GS_PIECE];

    gs_op_gelu_piece(k, g, z, n);
    k->scale(out, z, u, 1, n);
}

static void clamped_mul(const struct gs_kernels *k, float *out, const float *g, const float *u,
                        size_t n)
{
    float z[GS_PIECE];
    float lin[GS_PIECE];
    float own[GS_PIECE];

    for (size_t i = 0; i < n; i++) {
        own[i] = GS_MIN(g[i], OAI_LIMIT);
        z[i] = OAI_SLOPE * own[i];
        lin[i] = GS_MAX(GS_MIN(u[i], OAI_LIMIT), -OAI_LIMIT) + 1;
    }
    k->sigmoid_mul(z, own, z, n);
    k->scale(out, z, lin, 1, n);
}

void gs_op_glu_piece(const struct gs_kernels *k, enum gs_glu kind, float *out, const float *g,
                     const float *u, size_t n)
{
    switch (kind) {
    case GS_GLU_SILU:
        k->swiglu(out, g, u, n);
        break;
    case GS_GLU_GELU:
        gelu_mul(k, out, g, u, n);
        break;
    case GS_GLU_CLAMPED:
        clamped_mul(k, out, g, u, n);
        break;
    }
}

void gs_op_glu(struct gs_lane *lane, enum gs_glu kind, struct gs_rows out, struct gs_rows gate,
               struct gs_rows up)
{
    size_t begin;
    size_t end;

    gs_op_share_pieces(lane, out.n, out.dim, &begin, &end);
    for (size_t i = begin; i < end; i++) {
        const struct gs_piece p = gs_op_piece_at(i, out.dim);
        gs_op_glu_piece(lane->k, kind, gs_op_piece(&out, &p), gs_op_piece(&gate, &p),
                        gs_op_piece(&up, &p), p.n);
    }
    gs_lane_sync(lane);
}

/* ---- scales ---- */

void gs_op_scale(struct gs_lane *lane, struct gs_rows x, float s)
{
    size_t begin;
    size_t end;

    gs_op_share_pieces(lane, x.n, x.dim, &begin, &end);
    for (size_t i = begin; i < end; i++) {
        const struct gs_piece p = gs_op_piece_at(i, x.dim);
        lane->k->scale(gs_op_piece(&x, &p), gs_op_piece(&x, &p), NULL, s, p.n);
    }
    gs_lane_sync(lane);
}

void gs_op_softcap(struct gs_lane *lane, struct gs_rows x, float cap)
{
    size_t begin;
    size_t end;

    gs_op_share_pieces(lane, x.n, x.dim, &begin, &end);
    for (size_t i = begin; i < end; i++) {
        const struct gs_piece p = gs_op_piece_at(i, x.dim);
        float *to = gs_op_piece(&x, &p);
        for (size_t j = 0; j < p.n; j++)
            to[j] = cap * tanhf(to[j] / cap);
    }
    gs_lane_sync(lane);
}
