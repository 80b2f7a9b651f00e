/* The encoder is made when it is first needed, with lanes of its own, so that vectors and answers
 * do not wait for each other. */
#include "api/batch.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "compute/lane.h"
#include "model/model.h"

enum gs_status gs_llm_batch_init(struct gs_llm_batch *b, size_t n, struct gs_error *err)
{
    *b = (struct gs_llm_batch){.texts = gs_alloc_array(n, sizeof(*b->texts))};
    return b->texts ? GS_OK : gs_error_nomem(err, "hold the texts");
}

void gs_llm_batch_clear(struct gs_llm_batch *b)
{
    gs_token_ids_clear(&b->ids);
    gs_free(b->texts);
}

enum gs_status gs_llm_batch_end_text(struct gs_llm_batch *b, size_t first, size_t segment_at,
                                     struct gs_error *err)
{
    const size_t n = b->ids.len - first;

    if (n > INT32_MAX)
        return gs_error_set(err, GS_ELIMIT, "a text has more than 2147483647 tokens");
    b->texts[b->n++] =
        (struct gs_encoder_text){.n = (uint32_t)n, .segment_at = (uint32_t)segment_at};
    return GS_OK;
}

struct gs_embed_options gs_llm_embed_options(const struct gs_embed_options *options)
{
    struct gs_embed_options opt;

    gs_embed_options_init(&opt);
    memcpy(&opt, options, GS_MIN(options->struct_size, sizeof(opt)));
    return opt;
}

enum gs_status gs_llm_need_model(const gs_llm *llm, struct gs_error *err)
{
    if (llm->compute)
        return GS_OK;
    return gs_error_set(err, GS_EINVAL, "model \"%s\" was opened without its weights",
                        llm->name.ptr);
}

/* embed_lock is held. */
static enum gs_status need_encoder(gs_llm *llm, struct gs_error *err)
{
    enum gs_status st = GS_OK;

    if (llm->encoder)
        return GS_OK;
    if (llm->engine && !llm->embed_compute)
        st = gs_compute_create(llm->opt.n_threads, llm->opt.cpu, &llm->embed_compute, err);
    if (st != GS_OK)
        return st;
    return gs_encoder_create(llm->model, llm->embed_compute ? llm->embed_compute : llm->compute,
                             &llm->encoder, err);
}

enum gs_status gs_llm_batch_run(struct gs_llm_batch *b, gs_llm *llm,
                                const struct gs_embed_options *opt, float *out,
                                struct gs_error *err)
{
    const struct gs_encoder_job job = {
        .texts = b->texts, .n = b->n, .is_cancelled = opt->is_cancelled, .ud = opt->ud};
    const int32_t *at = b->ids.ids;

    for (size_t i = 0; i < b->n; i++) {
        b->texts[i].tokens = at;
        at += b->texts[i].n;
    }
    pthread_mutex_lock(&llm->embed_lock);
    enum gs_status st = need_encoder(llm, err);
    if (st == GS_OK)
        st = gs_encoder_run(llm->encoder, &job, out, err);
    pthread_mutex_unlock(&llm->embed_lock);
    return st;
}
