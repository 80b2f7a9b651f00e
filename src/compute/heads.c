/* What becomes of the heads of a product as soon as they are made: a norm, a turn, a place in the
 * cache. The lane that made a head finishes it. */
#include "compute/heads.h"

#include <math.h>

static void norm_head(const struct gs_kernels *k, const struct gs_heads *h, float *head)
{
    const float mean = k->sum_squares(head, h->dim) / (float)h->dim;

    k->scale(head, head, h->norm, 1 / sqrtf(mean + h->eps), h->dim);
}

/* Queries that see far are made sharper: times 1 + beta ln(1 + floor(pos / span)). */
static void temper_head(const struct gs_kernels *k, const struct gs_heads *h, int32_t pos,
                        float *head)
{
    const uint32_t spans = (uint32_t)pos / h->temper_span; /* whole ones */

    k->scale(head, head, NULL, (float)(1 + h->temper_beta * log1p(spans)), h->dim);
}

/* The run that row r is of: `run`, or one behind it. */
static const struct gs_kv_run *run_of(const struct gs_kv_run *run, size_t r)
{
    while (r >= run->row + run->n)
        run++;
    return run;
}

void gs_op_finish_heads(const struct gs_kernels *k, const struct gs_heads *h, struct gs_rows x,
                        size_t begin, size_t end)
{
    const struct gs_kv_run *run = h->runs;

    for (size_t r = 0; r < x.n; r++) {
        if (h->cache)
            run = run_of(run, r);
        for (size_t at = begin; at < end; at += h->stride) {
            float *head = x.p + r * x.stride + at;
            if (h->normed)
                norm_head(k, h, head);
            if (h->rope)
                gs_op_rope_head(head, h->rope, h->angles + r * h->rope->n_rot);
            if (h->temper_beta > 0)
                temper_head(k, h, h->pos[r], head);
            if (h->cache)
                gs_op_kv_store(k, h->cache, run->pages, run->n_past + (r - run->row),
                               at / h->stride, h->is_v, head);
        }
    }
}
