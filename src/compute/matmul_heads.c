/* A product in which every head has a matrix of its own: latent attention's way between the heads
 * and the latent space. Pieces of a head's rows are shared out; tokens pass by GS_DOT_TOKENS at a
 * time. */
#include "compute/ops.h"

#include <assert.h>

#include "compute/kernels.h"
#include "compute/matmul.h"

/* Rows [begin, end) of one head's matrix, for all tokens. */
static void head_rows(const struct gs_kernels *k, const struct gs_act *x, struct gs_rows out,
                      const struct gs_tensor *w, size_t head, size_t begin, size_t end)
{
    const size_t heads = (size_t)w->ne[2];
    struct gs_dot d = {.w = w->data + (head * (size_t)w->ne[1] + begin) * w->row_bytes,
                       .w_stride = w->row_bytes,
                       .n_rows = end - begin,
                       .n = (size_t)w->ne[0]};

    for (size_t t = 0; t < x->x.n / heads; t += d.n_tokens) {
        d.n_tokens = GS_MIN(x->x.n / heads - t, (size_t)GS_DOT_TOKENS);
        for (size_t i = 0; i < d.n_tokens; i++) {
            const size_t row = (t + i) * heads + head;
            d.x[i] = gs_act_row(x, w->type, row);
            d.out[i] = out.p + row * out.stride + begin;
        }
        k->dot[w->type](&d);
    }
}

void gs_op_matmul_heads(struct gs_lane *lane, struct gs_act *x, struct gs_rows out,
                        const struct gs_tensor *w)
{
    const size_t rows = (size_t)w->ne[1];
    const size_t chunk = gs_op_matmul_chunk_rows(w);
    const size_t chunks = (rows + chunk - 1) / chunk;
    size_t begin;
    size_t end;

    assert(w->ne[0] == x->x.dim && rows == out.dim && x->x.n % w->ne[2] == 0);
    gs_act_prepare(lane, x, w->type);
    gs_lane_share(lane, (size_t)w->ne[2] * chunks, 1, &begin, &end);
    for (size_t i = begin; i < end; i++) {
        const size_t first = i % chunks * chunk;
        head_rows(lane->k, x, out, w, i / chunks, first, GS_MIN(first + chunk, rows));
    }
    gs_lane_sync(lane);
}
