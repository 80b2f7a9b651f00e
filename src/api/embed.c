/* Texts to vectors. The encoder is made when it is first needed, with lanes of its own, so that
 * vectors and answers do not wait for each other. */
#include <math.h>
#include <string.h>

#include "api/llm.h"
#include "base/alloc.h"
#include "base/error.h"
#include "compute/lane.h"
#include "model/encoder.h"
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

/* embed_lock is held. */
static enum gs_status need_encoder(gs_llm *llm, struct gs_error *err)
{
    enum gs_status st = GS_OK;

    if (llm->encoder)
        return GS_OK;
    if (!llm->compute)
        return gs_error_set(err, GS_EINVAL, "model \"%s\" was opened without its weights",
                            llm->name.ptr);
    if (llm->engine && !llm->embed_compute)
        st = gs_compute_create(llm->opt.n_threads, llm->opt.cpu, &llm->embed_compute, err);
    if (st != GS_OK)
        return st;
    return gs_encoder_create(llm->model, llm->embed_compute ? llm->embed_compute : llm->compute,
                             &llm->encoder, err);
}

/* The inputs as tokens: all ids one after another. */
struct batch {
    struct gs_token_ids ids;
    struct gs_encoder_text *texts;
    size_t n;
};

static enum gs_status append(struct batch *b, const struct gs_llm *llm,
                             const struct gs_embed_input *in, struct gs_error *err)
{
    if (!in->tokens) {
        const enum gs_status st = gs_llm_need_tokenizer(llm, err);
        return st == GS_OK ? gs_token_encode(llm->tok, in->text, GS_TOKEN_ADD_SPECIAL, &b->ids, err)
                           : st;
    }
    const size_t len = b->ids.len + in->n_tokens;
    if (len > b->ids.cap) {
        int32_t *ids = gs_realloc(b->ids.ids, 2 * len * sizeof(*ids));
        if (!ids)
            return gs_error_nomem(err, "hold the tokens");
        b->ids.ids = ids;
        b->ids.cap = 2 * len;
    }
    if (in->n_tokens > 0)
        memcpy(b->ids.ids + b->ids.len, in->tokens, in->n_tokens * sizeof(*in->tokens));
    b->ids.len = len;
    return GS_OK;
}

/* Cut to the context what is longer, but keep the last token, which may end every text. */
static void truncate(struct batch *b, size_t first, uint64_t ctx)
{
    if (b->ids.len - first <= ctx)
        return;
    b->ids.ids[first + ctx - 1] = b->ids.ids[b->ids.len - 1];
    b->ids.len = first + ctx;
}

static enum gs_status encode(struct batch *b, const struct gs_llm *llm,
                             const struct gs_embed_input *inputs, size_t n, bool cut,
                             struct gs_error *err)
{
    const uint64_t ctx = gs_model_params(llm->model)->ctx_train_tokens;
    enum gs_status st = GS_OK;

    b->texts = gs_alloc_array(n, sizeof(*b->texts));
    if (!b->texts)
        return gs_error_nomem(err, "hold the texts");
    for (; b->n < n && st == GS_OK; b->n++) {
        const size_t first = b->ids.len;
        st = append(b, llm, &inputs[b->n], err);
        if (cut)
            truncate(b, first, ctx);
        if (b->ids.len - first > INT32_MAX)
            st = gs_error_set(err, GS_ELIMIT, "input %zu has more than 2147483647 tokens", b->n);
        b->texts[b->n].n = (uint32_t)(b->ids.len - first);
    }
    const int32_t *at = b->ids.ids;
    for (size_t i = 0; i < b->n; i++) {
        b->texts[i].tokens = at;
        at += b->texts[i].n;
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

static enum gs_status run(gs_llm *llm, const struct batch *b, float *out, struct gs_error *err)
{
    const struct gs_encoder_job job = {.texts = b->texts, .n = b->n};

    pthread_mutex_lock(&llm->embed_lock);
    enum gs_status st = need_encoder(llm, err);
    if (st == GS_OK)
        st = gs_encoder_run(llm->encoder, &job, out, err);
    pthread_mutex_unlock(&llm->embed_lock);
    return st;
}

enum gs_status gs_llm_embed(gs_llm *llm, const struct gs_embed_input *inputs, size_t n,
                            const struct gs_embed_options *options, struct gs_vectors *out_vectors,
                            struct gs_error *err)
{
    struct gs_embed_options opt;
    struct batch b = {0};

    gs_embed_options_init(&opt);
    memcpy(&opt, options, GS_MIN(options->struct_size, sizeof(opt)));
    if (!llm->model)
        return gs_error_set(err, GS_EINVAL, "model \"%s\" was opened without its weights",
                            llm->name.ptr);
    const struct gs_model_params *p = gs_model_params(llm->model);
    struct gs_vectors v = {.n = n, .dims = p->n_pooled};
    if (opt.dims < 0 || (size_t)opt.dims > v.dims)
        return gs_error_set(err, GS_EINVAL, "dimensions: expected 1 to %zu, found %d", v.dims,
                            opt.dims);
    enum gs_status st = encode(&b, llm, inputs, n, opt.truncate, err);
    if (st == GS_OK) {
        v.values = gs_alloc_array(n, v.dims * sizeof(*v.values));
        st = v.values ? run(llm, &b, v.values, err) : gs_error_nomem(err, "hold the vectors");
    }
    if (st == GS_OK) {
        v.n_tokens = (int64_t)b.ids.len;
        if (opt.dims > 0)
            shorten(&v, (size_t)opt.dims);
        if (!opt.raw && p->pooling != GS_POOLING_RANK)
            normalise(&v);
        *out_vectors = v;
        v.values = NULL;
    }
    gs_free(v.values);
    gs_token_ids_clear(&b.ids);
    gs_free(b.texts);
    return st;
}
