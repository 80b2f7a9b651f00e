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

/* What every caller may ask; architecture-specific values stay in the architecture's file. */
struct gs_model_params {
    struct gs_slice arch; /* general.architecture */
    uint32_t n_vocab;
    uint32_t n_layers; /* computed; blocks used only for speculation are not counted */
    uint32_t n_embd;
    uint32_t n_head, n_head_kv; /* of the first attention layer */
    uint64_t ctx_train_tokens;
    uint64_t n_params;
    bool is_recurrent; /* has state that cannot be rolled back */
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
