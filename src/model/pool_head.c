/* The layers over pooled states. Names of tensors and keys: as llama.cpp writes them. */
#include "model/pool_head.h"

#include <math.h>

#include "base/slice.h"
#include "compute/ops_encoder.h"
#include "gguf/gguf.h"
#include "model/loader.h"

/* ---- loading ---- */

/* A matrix of `in` columns and as many rows as the file has. */
static const struct gs_tensor *load_any(struct gs_loader *ld, const char *name, uint64_t in)
{
    const struct gs_gguf_tensor *t = gs_gguf_tensor_find(ld->file, name);

    if (!t)
        return NULL;
    if (t->dims[1] < 1 || t->dims[1] > GS_LOAD_MAX_DIM) {
        gs_load_fail(ld, GS_EFORMAT, "tensor \"%s\" has no rows, or more than %u", name,
                     GS_LOAD_MAX_DIM);
        return NULL;
    }
    return gs_load_matrix(ld, name, in, t->dims[1]);
}

static uint64_t load_dense(struct gs_loader *ld, struct gs_pool_head *h, uint64_t dim)
{
    static const char *const names[] = {"dense_2.weight", "dense_3.weight"};

    for (size_t i = 0; i < GS_COUNT_OF(names); i++) {
        h->dense[i] = load_any(ld, names[i], dim);
        dim = h->dense[i] ? h->dense[i]->ne[1] : dim;
    }
    return dim;
}

static uint64_t load_classifier(struct gs_loader *ld, struct gs_pool_head *h, uint64_t dim)
{
    h->cls = load_any(ld, "cls.weight", dim);
    if (h->cls) {
        dim = h->cls->ne[1];
        h->cls_bias = gs_load_vector_opt(ld, "cls.bias", dim);
        h->cls_norm = gs_load_vector_opt(ld, "cls.norm.weight", dim);
    }
    h->cls_out = load_any(ld, "cls.output.weight", dim);
    if (h->cls_out) {
        dim = h->cls_out->ne[1];
        h->cls_out_bias = gs_load_vector_opt(ld, "cls.output.bias", dim);
    }
    if (!h->cls && !h->cls_out)
        gs_load_fail(ld, GS_EFORMAT,
                     "pooling is by rank, but tensor \"cls.output.weight\" is missing");
    return dim;
}

void gs_load_pool_head(struct gs_loader *ld, struct gs_model *m)
{
    const bool both_ways = m->params.is_encoder;
    const uint32_t otherwise = both_ways ? GS_POOLING_MEAN : GS_POOLING_LAST;
    const uint32_t kind = gs_load_u32_or(ld, "pooling_type", otherwise, 0, GS_POOLING_RANK);
    struct gs_pool_head *h = gs_load_alloc(ld, 1, sizeof(*h));
    uint64_t dim = m->params.n_embd;

    if (!h)
        return;
    m->pool_head = h;
    ld->scope[0] = '\0';
    h->pooling = (enum gs_pooling)(kind == GS_POOLING_NONE ? otherwise : kind);
    h->reads_last = !both_ways;
    h->act = gs_slice_eq_str(m->params.arch, "modern-bert") ? GS_POOL_ACT_GELU : GS_POOL_ACT_TANH;
    h->eps = gs_load_f32_or(ld, "attention.layer_norm_epsilon", 1e-5f, 0, 1);
    if (h->pooling == GS_POOLING_RANK) {
        dim = load_classifier(ld, h, dim);
        h->softmax = !both_ways && dim > 1;
    } else {
        dim = load_dense(ld, h, dim);
    }
    m->params.pooling = h->pooling;
    m->params.n_pooled = (uint32_t)dim;
}

/* ---- computing ---- */

/* The input of the next layer, or of none. */
struct stage {
    struct gs_rows x;
    struct gs_act act;
};

static struct stage take(struct gs_work *w, struct gs_rows x)
{
    return (struct stage){x, gs_work_act(w, x)};
}

/* One layer, if there is one, to the next stage. */
static struct stage layer(struct gs_lane *lane, struct stage s, const struct gs_tensor *weight,
                          const float *bias, struct gs_work *w)
{
    if (!weight)
        return s;
    struct stage next = take(w, gs_work_rows(w, s.x.n, weight->ne[1]));
    if (lane)
        gs_op_matmul(lane, &s.act, &(struct gs_matmul){.out = next.x, .w = weight, .bias = bias},
                     1);
    return next;
}

static void activate(struct gs_lane *lane, const struct gs_pool_head *h, struct gs_rows x)
{
    size_t begin;
    size_t end;

    if (h->act == GS_POOL_ACT_GELU) {
        gs_op_gelu_half(lane, x, x, (struct gs_rows){0});
    } else {
        gs_lane_share(lane, x.n, 1, &begin, &end);
        for (size_t i = begin * x.dim; i < end * x.dim; i++)
            x.p[i] = tanhf(x.p[i]);
        gs_lane_sync(lane);
    }
    if (h->cls_norm)
        gs_op_layer_norm(lane, x, x, h->cls_norm, NULL, h->eps);
}

static void softmax(struct gs_lane *lane, struct gs_rows x)
{
    size_t begin;
    size_t end;

    gs_lane_share(lane, x.n, 1, &begin, &end);
    for (size_t r = begin; r < end; r++) {
        float *row = x.p + r * x.stride;
        float max = row[0];
        float sum = 0;
        for (size_t i = 1; i < x.dim; i++)
            max = GS_MAX(max, row[i]);
        for (size_t i = 0; i < x.dim; i++) {
            row[i] = expf(row[i] - max);
            sum += row[i];
        }
        for (size_t i = 0; i < x.dim; i++)
            row[i] /= sum;
    }
    gs_lane_sync(lane);
}

/* All layers; without a lane only their memory is taken. */
static struct gs_rows run(struct gs_lane *lane, const struct gs_pool_head *h, struct gs_rows pooled,
                          struct gs_work *w)
{
    struct stage s = take(w, pooled);

    for (size_t i = 0; i < GS_COUNT_OF(h->dense); i++)
        s = layer(lane, s, h->dense[i], NULL, w);
    s = layer(lane, s, h->cls, h->cls_bias, w);
    if (lane && h->cls)
        activate(lane, h, s.x);
    return layer(lane, s, h->cls_out, h->cls_out_bias, w).x;
}

void gs_block_pool_head_plan(const struct gs_model *m, struct gs_work w)
{
    run(NULL, m->pool_head, gs_rows(NULL, w.n_rows, m->params.n_embd), &w);
}

void gs_block_pool_head(struct gs_lane *lane, const struct gs_model *m, struct gs_rows out,
                        struct gs_rows pooled, struct gs_work w)
{
    const struct gs_rows x = run(lane, m->pool_head, pooled, &w);

    gs_op_copy(lane, out, x);
    if (m->pool_head->softmax)
        softmax(lane, out);
}
