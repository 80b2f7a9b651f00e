/* One file of a model, checked: what gguf.c joins to a whole. Private to gguf/.
 *
 * Layout of a file (ggml docs/gguf.md), all numbers little-endian:
 *
 *     "GGUF" | u32 version | u64 n_tensors | u64 n_values
 *     values:  string key | u32 kind | payload         (array: u32 kind | u64 n | items)
 *     tensors: string name | u32 n_dims | u64 dims[] | u32 type | u64 offset into the data
 *     padding to general.alignment | data
 *
 * A string is u64 length and its bytes. */
#ifndef GS_GGUF_GGUF_PART_H
#define GS_GGUF_GGUF_PART_H

#include "base/arena.h"
#include "base/map.h"
#include "gguf/gguf.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "tensors are used where they lie, so the machine must be little-endian"
#endif

#define GS_GGUF_MAGIC             "GGUF"
#define GS_GGUF_KEY_ALIGNMENT     "general.alignment"
#define GS_GGUF_DEFAULT_ALIGNMENT 32
#define GS_GGUF_MIN_ALIGNMENT     8
#define GS_GGUF_MAX_NAME_BYTES    65535

struct gs_gguf_part {
    const uint8_t *bytes;
    size_t n_bytes;
    uint32_t version;
    struct gs_gguf_value *values;
    size_t n_values;
    struct gs_map keys; /* key -> value */
    struct gs_gguf_tensor *tensors;
    size_t n_tensors;
};

/* Check part->bytes and fill in the rest; `idx` becomes the tensors' file_idx. What is found is
 * kept in `a`. The part must be cleared also after an error. */
GS_MUST_CHECK enum gs_status gs_gguf_part_read(struct gs_gguf_part *part, uint32_t idx,
                                               struct gs_arena *a, struct gs_error *err);
void gs_gguf_part_clear(struct gs_gguf_part *part);

/* As gs_gguf_get_u64(). */
GS_MUST_CHECK bool gs_gguf_part_get_u64(const struct gs_gguf_part *part, const char *key,
                                        uint64_t *out, struct gs_error *err);

/* false for a number the format does not define. */
bool gs_gguf_kind_known(uint32_t kind);
/* Bytes of one value; 0 for strings and arrays. */
size_t gs_gguf_kind_bytes(enum gs_gguf_kind k);
/* Bytes of a tensor; false if a dimension is 0, dims[0] is no multiple of the block length, or
 * the product overflows. */
bool gs_gguf_tensor_bytes(enum gs_type type, const uint64_t *dims, uint32_t n_dims, size_t *out,
                          struct gs_error *err);
/* A key or tensor name: not empty, not too long, UTF-8 without control bytes. */
bool gs_gguf_name_valid(struct gs_slice name);

#endif
