/* The stack of activations. Sizes come from checked tensors times the caller's rows, and still may
 * overflow on a hostile file: the counter then stays at SIZE_MAX. */
#include "model/work.h"

#include "base/alloc.h"

#define ALIGN_BYTES ((size_t)64)

void *gs_work_bytes(struct gs_work *w, size_t n)
{
    const size_t at = w->used;

    if (!gs_add_size(at, n, &w->used) || !gs_add_size(w->used, ALIGN_BYTES - 1, &w->used))
        w->used = SIZE_MAX;
    else
        w->used &= ~(ALIGN_BYTES - 1);
    if (w->peak && *w->peak < w->used)
        *w->peak = w->used;
    return w->base ? w->base + at : NULL;
}

struct gs_rows gs_work_rows(struct gs_work *w, size_t n, size_t dim)
{
    size_t bytes;

    if (!gs_mul_size(n, dim, &bytes) || !gs_mul_size(bytes, sizeof(float), &bytes))
        bytes = SIZE_MAX;
    return gs_rows(gs_work_bytes(w, bytes), n, dim);
}

struct gs_act gs_work_act(struct gs_work *w, struct gs_rows x)
{
    return gs_act(x, gs_work_bytes(w, gs_act_bytes(x.n, x.dim)));
}

struct gs_act gs_work_act_normed(struct gs_work *w, struct gs_normed x)
{
    struct gs_act a = gs_work_act(w, x.x);

    a.norm = x.norm;
    a.eps = x.eps;
    a.normed = gs_work_rows(w, x.x.n, x.x.dim).p;
    return a;
}
