/* Texts to vectors: an encoder runs whole texts through a model and pools the states of their
 * tokens as the file says. Any model will do, also one that was made to write. */
#ifndef GS_MODEL_ENCODER_H
#define GS_MODEL_ENCODER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "genset/status.h"

struct gs_compute;
struct gs_encoder;
struct gs_model;

struct gs_encoder_text {
    const int32_t *tokens;
    uint32_t n;          /* 1..the model's context */
    uint32_t segment_at; /* where the second text of a pair begins; 0 = one text */
};

struct gs_encoder_job {
    const struct gs_encoder_text *texts;
    size_t n;
    bool (*is_cancelled)(void *ud); /* asked between steps; may be NULL */
    void *ud;
};

/* owns: borrows the model and the lanes; memory is taken as texts need it. errors: GS_ENOMEM. */
GS_MUST_CHECK enum gs_status gs_encoder_create(const struct gs_model *m, struct gs_compute *c,
                                               struct gs_encoder **out_e, struct gs_error *err);
void gs_encoder_free(struct gs_encoder *e);

/* out[n][n_pooled of the model's parameters], not normalised. A text's values do not depend on the
 * others. errors: GS_EINVAL (no tokens, or outside the vocabulary), GS_ECONTEXT (needed/available;
 *         the longest text), GS_ENOMEM, GS_ECANCELLED. */
GS_MUST_CHECK enum gs_status gs_encoder_run(struct gs_encoder *e, const struct gs_encoder_job *job,
                                            float *out, struct gs_error *err);

#endif
