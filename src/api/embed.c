/* Texts to vectors. */
#include <math.h>
#include <string.h>

#include "api/batch.h"
#include "base/alloc.h"
#include "base/error.h"
#include "model/model.h"

void gs_embed_options_init(struct gs_embed_options *opt)
{
    *opt = (struct gs_embed_options){.struct_size = sizeof(*opt)};
}

void gs_vectors_clear(struct gs_vectors *v)
{
    if (!v)
        return;
    gs_free(v->values);
    *v = (struct gs_vectors){0};
}

static enum gs_status append(struct gs_token_ids *ids, const struct gs_llm *llm,
                             const struct gs_embed_input *in, struct gs_error *err)
{
    if (!in->tokens) {
        const enum gs_status st = gs_llm_need_tokenizer(llm, err);
        return st == GS_OK ? gs_token_encode(llm->tok, in->text, GS_TOKEN_ADD_SPECIAL, ids, err)
                           : st;
    }
    const size_t len = ids->len + in->n_tokens;
    if (len > ids->cap) {
        int32_t *grown = gs_realloc(ids->ids, 2 * len * sizeof(*grown));
        if (!grown)
            return gs_error_nomem(err, "hold the tokens");
        ids->ids = grown;
        ids->cap = 2 * len;
    }
    if (in->n_tokens > 0)
        memcpy(ids->ids + ids->len, in->tokens, in->n_tokens * sizeof(*in->tokens));
    ids->len = len;
    return GS_OK;
}

/* Cut to the context what is longer, but keep the last token, which may end every text. */
static void truncate(struct gs_llm_batch *b, size_t first, uint64_t ctx)
{
    if (b->ids.len - first <= ctx)
        return;
    b->ids.ids[first + ctx - 1] = b->ids.ids[b->ids.len - 1];
    b->ids.len = first + ctx;
    b->n_cut++;
}

static enum gs_status encode(struct gs_llm_batch *b, const struct gs_llm *llm,
                             const struct gs_embed_input *inputs, size_t n, bool cut,
                             struct gs_error *err)
{
    enum gs_status st = gs_llm_batch_init(b, n, err);

    for (size_t i = 0; i < n && st == GS_OK; i++) {
        const size_t first = b->ids.len;
        st = append(&b->ids, llm, &inputs[i], err);
        if (st == GS_OK && cut)
            truncate(b, first, gs_model_params(llm->model)->ctx_train_tokens);
        if (st == GS_OK)
            st = gs_llm_batch_end_text(b, first, 0, err);
    }
    return st;
}

/* Keep the first `dims` of each vector's values. */
static void shorten(struct gs_vectors *v, size_t dims)
{
    for (size_t i = 0; v->values && i < v->n; i++)
        memmove(v->values + i * dims, v->values + i * v->dims, dims * sizeof(*v->values));
    v->dims = dims;
}

/* Scale each vector to length 1; one of zeros stays as it is. */
static void normalise(struct gs_vectors *v)
{
    for (size_t i = 0; v->values && i < v->n; i++) {
        float *x = v->values + i * v->dims;
        double sum = 0;
        for (size_t j = 0; j < v->dims; j++)
            sum += (double)x[j] * (double)x[j];
        const float scale = sum > 0 ? (float)(1 / sqrt(sum)) : 0;
        for (size_t j = 0; j < v->dims; j++)
            x[j] *= scale;
    }
}

enum gs_status gs_llm_embed(gs_llm *llm, const struct gs_embed_input *inputs, size_t n,
                            const struct gs_embed_options *options, struct gs_vectors *out_vectors,
                            struct gs_error *err)
{
    const struct gs_embed_options opt = gs_llm_embed_options(options);
    struct gs_llm_batch b = {.n = 0};
    enum gs_status st = gs_llm_need_model(llm, err);

    if (st != GS_OK)
        return st;
    const struct gs_model_params *p = gs_model_params(llm->model);
    struct gs_vectors v = {.n = n, .dims = p->n_pooled};
    if (opt.dims < 0 || (size_t)opt.dims > v.dims)
        return gs_error_set(err, GS_EINVAL, "dimensions: expected 1 to %zu, found %d", v.dims,
                            opt.dims);
    st = encode(&b, llm, inputs, n, opt.truncate, err);
    if (st == GS_OK) {
        v.values = gs_alloc_array(n, v.dims * sizeof(*v.values));
        st = v.values ? gs_llm_batch_run(&b, llm, &opt, v.values, err)
                      : gs_error_nomem(err, "hold the vectors");
    }
    if (st == GS_OK) {
        v.n_tokens = (int64_t)b.ids.len;
        v.n_cut = b.n_cut;
        if (opt.dims > 0)
            shorten(&v, (size_t)opt.dims);
        if (!opt.raw && p->pooling != GS_POOLING_RANK)
            normalise(&v);
        *out_vectors = v;
        v.values = NULL;
    }
    gs_free(v.values);
    gs_llm_batch_clear(&b);
    return st;
}
