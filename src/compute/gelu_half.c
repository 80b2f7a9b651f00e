/* GELU between float16 values: gelu(x) = x sigmoid(2 z), z = sqrt(2/pi) (x + 0.044715 x^3).
 *
 * ggml, by which models with it are measured, looks gelu up in a table of half precision; beyond 10
 * it is x or 0. The same rounding here keeps us within 1e-4 of it instead of 5e-4. */
#include "compute/ops_encoder.h"

#include "compute/kernels.h"
#include "compute/piece.h"

#define GELU_2Z   1.5957691216057308f /* 2 sqrt(2/pi) */
#define GELU_CUBE 0.044715f
#define LINEAR    10.0f /* beyond it gelu(x) is x or 0 */

static void round_half(const struct gs_kernels *k, const float *x, float *out, size_t n)
{
    uint16_t half[GS_PIECE];

    k->to_f16(x, half, n);
    k->dequant[GS_TYPE_F16](half, out, n);
}

void gs_op_gelu_piece(const struct gs_kernels *k, const float *x, float *out, size_t n)
{
    float h[GS_PIECE];
    float y[GS_PIECE];

    round_half(k, x, h, n);
    for (size_t i = 0; i < n; i++)
        y[i] = GELU_2Z * (h[i] + GELU_CUBE * h[i] * h[i] * h[i]);
    k->sigmoid_mul(y, h, y, n);
    round_half(k, y, y, n);
    for (size_t i = 0; i < n; i++)
        out[i] = x[i] >= LINEAR ? x[i] : x[i] <= -LINEAR ? 0 : y[i];
}

void gs_op_gelu_half(struct gs_lane *lane, struct gs_rows out, struct gs_rows x, struct gs_rows up)
{
    float y[GS_PIECE];
    size_t begin;
    size_t end;

    gs_op_share_pieces(lane, out.n, out.dim, &begin, &end);
    for (size_t i = begin; i < end; i++) {
        const struct gs_piece p = gs_op_piece_at(i, out.dim);
        gs_op_gelu_piece(lane->k, gs_op_piece(&x, &p), y, p.n);
        lane->k->scale(gs_op_piece(&out, &p), y, up.p ? gs_op_piece(&up, &p) : NULL, 1, p.n);
    }
    gs_lane_sync(lane);
}
