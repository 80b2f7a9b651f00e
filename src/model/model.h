/* A loaded model: hyperparameters, tensors (where they lie in the file), and its architecture. */
#ifndef GS_MODEL_MODEL_H
#define GS_MODEL_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "compute/tensor.h"
#include "genset/slice.h"
#include "genset/status.h"

struct gs_gguf;
struct gs_model;

/* How the states of a text's tokens become one vector; numbered as in files. */
enum gs_pooling {
    GS_POOLING_NONE,
    GS_POOLING_MEAN,
    GS_POOLING_FIRST, /* "cls" */
    GS_POOLING_LAST,
    GS_POOLING_RANK, /* of a pair of texts: the scores of a classifier */
};

/* What every caller may ask; architecture-specific values stay in the architecture's file. */
struct gs_model_params {
    struct gs_slice arch; /* general.architecture */
    uint32_t n_vocab;
    uint32_t n_layers; /* computed; blocks used only for speculation are not counted */
    uint32_t n_embd;
    uint32_t n_head, n_head_kv; /* of the first attention layer */
    uint64_t ctx_train_tokens;
    uint64_t n_params;
    bool is_recurrent;   /* has state that cannot be rolled back */
    bool is_encoder;     /* reads both ways: no next token, only vectors of whole texts */
    uint32_t n_segments; /* that an encoder tells apart, such as query and document; else 0 */
    enum gs_pooling pooling;
    uint32_t n_pooled; /* values of a text's vector, or scores */
};

/* Read hyperparameters and find every tensor the architecture needs, checking shapes and types.
 *
 * owns:   borrows `f`, which must outlive the model.
 * errors: GS_EUNSUPPORTED names the architecture or tensor type we do not have; GS_EFORMAT names
 *         the missing or misshapen tensor or key. */
GS_MUST_CHECK enum gs_status gs_model_load(const struct gs_gguf *f, struct gs_model **out_m,
                                           struct gs_error *err);
void gs_model_free(struct gs_model *m);
const struct gs_model_params *gs_model_params(const struct gs_model *m);

#endif
