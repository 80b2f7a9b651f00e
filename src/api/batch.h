/* Texts as tokens on their way through the encoder. Private to api/. */
#ifndef GS_API_BATCH_H
#define GS_API_BATCH_H

#include "api/llm.h"
#include "model/encoder.h"

struct gs_llm_batch {
    struct gs_token_ids ids; /* of all texts, one after another */
    struct gs_encoder_text *texts;
    size_t n, n_cut;
};

/* Room for n texts; clear it also after an error. */
GS_MUST_CHECK enum gs_status gs_llm_batch_init(struct gs_llm_batch *b, size_t n,
                                               struct gs_error *err);
void gs_llm_batch_clear(struct gs_llm_batch *b);
/* The ids from `first` on are a text, whose second segment begins at `segment_at` (0: it has none).
 */
GS_MUST_CHECK enum gs_status gs_llm_batch_end_text(struct gs_llm_batch *b, size_t first,
                                                   size_t segment_at, struct gs_error *err);
/* out[n][n_pooled]. Waits for the calls before it. */
GS_MUST_CHECK enum gs_status gs_llm_batch_run(struct gs_llm_batch *b, gs_llm *llm,
                                              const struct gs_embed_options *opt, float *out,
                                              struct gs_error *err);

/* `options` of a caller that may know fewer of them. */
struct gs_embed_options gs_llm_embed_options(const struct gs_embed_options *options);
/* GS_OK, or why the model makes no vectors. */
GS_MUST_CHECK enum gs_status gs_llm_need_model(const gs_llm *llm, struct gs_error *err);

#endif
