/* Reading hyperparameters and finding tensors, for the architectures.
 *
 * The first failure sticks: later calls do nothing and return a harmless value (the minimum of a
 * number, NULL for a tensor), so that an architecture loads as a plain list. Every message names
 * the key or tensor and says what was expected and what was found. */
#ifndef GS_MODEL_LOADER_H
#define GS_MODEL_LOADER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "model/arch.h"

#define GS_LOAD_NAME_BYTES 128

/* Ceilings of hyperparameters: an order of magnitude above any known model. */
#define GS_LOAD_MAX_LAYERS   4096
#define GS_LOAD_MAX_DIM      (1u << 22)
#define GS_LOAD_MAX_HEADS    (1u << 16)
#define GS_LOAD_MAX_HEAD_DIM (1u << 16)
#define GS_LOAD_MAX_EXPERTS  (1u << 16)

struct gs_loader {
    struct gs_model *model;
    const struct gs_gguf *file;
    enum gs_status st; /* of the first failure */
    struct gs_error *err;
    char scope[32]; /* put before tensor names: "", "blk.7." */
};

void gs_load_fail(struct gs_loader *ld, enum gs_status st, const char *fmt, ...) GS_PRINTF(3, 4);
/* Zeroed memory that lives as long as the model; NULL on failure. */
void *gs_load_alloc(struct gs_loader *ld, size_t n, size_t item_bytes);

/* ---- keys, without the "ARCH." before them; required unless _or gives a default ---- */

bool gs_load_has_key(const struct gs_loader *ld, const char *key);
uint32_t gs_load_u32(struct gs_loader *ld, const char *key, uint32_t min, uint32_t max);
uint32_t gs_load_u32_or(struct gs_loader *ld, const char *key, uint32_t dflt, uint32_t min,
                        uint32_t max);
/* A number for all layers, or an array with one per layer. */
uint32_t gs_load_u32_at(struct gs_loader *ld, const char *key, uint32_t layer, uint32_t min,
                        uint32_t max);
float gs_load_f32(struct gs_loader *ld, const char *key, float min, float max);
float gs_load_f32_or(struct gs_loader *ld, const char *key, float dflt, float min, float max);

/* ---- tensors ---- */

/* The tensors that follow are those of block `layer`. */
void gs_load_enter_layer(struct gs_loader *ld, uint32_t layer);
bool gs_load_has(const struct gs_loader *ld, const char *name);
/* {in, out}, used where it lies. */
const struct gs_tensor *gs_load_matrix(struct gs_loader *ld, const char *name, uint64_t in,
                                       uint64_t out);
/* Rows [first, first + out) of a matrix {in, n_rows} that holds several one after another. */
const struct gs_tensor *gs_load_matrix_part(struct gs_loader *ld, const char *name, uint64_t in,
                                            uint64_t n_rows, uint64_t first, uint64_t out);
const struct gs_tensor *gs_load_experts(struct gs_loader *ld, const char *name, uint64_t in,
                                        uint64_t out, uint64_t n_expert);
/* {n}, or {in, n}, as floats: where they lie if they are F32, else converted once. */
const float *gs_load_vector(struct gs_loader *ld, const char *name, uint64_t n);
const float *gs_load_vector_opt(struct gs_loader *ld, const char *name, uint64_t n);
const float *gs_load_floats(struct gs_loader *ld, const char *name, uint64_t in, uint64_t n);

/* ---- memory of sequences ---- */

/* Declare the next attention layer, which sees `window` tokens (0: all), or recurrent layer. */
struct gs_kv_at gs_load_kv_layer(struct gs_loader *ld, struct gs_kv_shape shape, uint32_t window);
/* Lanes need scratch memory for attention of these sizes. */
void gs_load_attention_scratch(struct gs_loader *ld, uint32_t n_head, uint32_t d_k, uint32_t d_v);
uint32_t gs_load_state_layer(struct gs_loader *ld, struct gs_state_shape shape);

#endif
