/* A GGUF file, open for reading. Everything in it is checked against the file's size before use;
 * after gs_gguf_open() succeeds every tensor lies inside a mapping.
 *
 * Format: ggml docs/gguf.md, versions 2 and 3, little-endian. A split model
 * ("name-00001-of-00003.gguf") is opened by its first file and reads as one. */
#ifndef GS_GGUF_GGUF_H
#define GS_GGUF_GGUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "genset/slice.h"
#include "genset/status.h"
#include "gguf/type.h"

#define GS_GGUF_MAX_DIMS 4

/* Metadata value types; the numbers are the format's. */
enum gs_gguf_kind {
    GS_GGUF_U8,
    GS_GGUF_I8,
    GS_GGUF_U16,
    GS_GGUF_I16,
    GS_GGUF_U32,
    GS_GGUF_I32,
    GS_GGUF_F32,
    GS_GGUF_BOOL,
    GS_GGUF_STRING,
    GS_GGUF_ARRAY,
    GS_GGUF_U64,
    GS_GGUF_I64,
    GS_GGUF_F64,
};

struct gs_gguf;

struct gs_gguf_value {
    struct gs_slice key;
    enum gs_gguf_kind kind;
    enum gs_gguf_kind item_kind; /* GS_GGUF_ARRAY; arrays of arrays are refused */
    uint64_t n_items;            /* GS_GGUF_ARRAY; else 1 */
    const uint8_t *data;         /* in the mapping, unaligned; string: its bytes */
    size_t data_bytes;
    const struct gs_slice *strings; /* array of strings: n_items slices */
};

struct gs_gguf_tensor {
    struct gs_slice name;
    enum gs_type type;
    uint32_t n_dims;
    uint64_t dims[GS_GGUF_MAX_DIMS]; /* fastest first; missing ones are 1 */
    const uint8_t *data;             /* in the mapping; aligned to general.alignment in the file */
    size_t n_bytes;
    uint64_t file_off; /* of the data in its file */
    uint32_t file_idx; /* which split file */
};

/* errors: GS_ENOTFOUND, GS_EIO, GS_EFORMAT (says what is wrong and where), GS_EUNSUPPORTED
 *         (version, big-endian, tensor type id), GS_ENOMEM. */
GS_MUST_CHECK enum gs_status gs_gguf_open(const char *path, struct gs_gguf **out_file,
                                          struct gs_error *err);
/* The same, with the files read into huge pages instead of mapped (gs_os_map_copy_huge()). */
GS_MUST_CHECK enum gs_status gs_gguf_open_huge(const char *path, struct gs_gguf **out_file,
                                               struct gs_error *err);
/* The same for bytes in memory (tests, fuzzing, embedded models); never split. `bytes` must
 * outlive the file. `name` is quoted in errors. */
GS_MUST_CHECK enum gs_status gs_gguf_open_memory(const char *name, const void *bytes, size_t n,
                                                 struct gs_gguf **out_file, struct gs_error *err);
void gs_gguf_close(struct gs_gguf *f);

const char *gs_gguf_path(const struct gs_gguf *f);
uint32_t gs_gguf_version(const struct gs_gguf *f);
size_t gs_gguf_bytes(const struct gs_gguf *f); /* of all its files */
/* Of all its bytes, one file after the other: bring [off, off + n) into memory; the part that is
 * there, by a sample; keep all there (errors: GS_ENOMEM). Bytes in memory are there already. */
void gs_gguf_touch(const struct gs_gguf *f, size_t off, size_t n);
double gs_gguf_resident(const struct gs_gguf *f);
GS_MUST_CHECK enum gs_status gs_gguf_lock(const struct gs_gguf *f, struct gs_error *err);

size_t gs_gguf_value_count(const struct gs_gguf *f);
const struct gs_gguf_value *gs_gguf_value_at(const struct gs_gguf *f, size_t idx);
const struct gs_gguf_value *gs_gguf_find(const struct gs_gguf *f, const char *key); /* or NULL */

/* Typed reads. Absent key: true, *out untouched (set the default first). Wrong kind or a value
 * that does not fit: false, err set. Integers of any width read as u64/i64. */
GS_MUST_CHECK bool gs_gguf_get_u64(const struct gs_gguf *f, const char *key, uint64_t *out,
                                   struct gs_error *err);
GS_MUST_CHECK bool gs_gguf_get_u32(const struct gs_gguf *f, const char *key, uint32_t *out,
                                   struct gs_error *err);
GS_MUST_CHECK bool gs_gguf_get_f32(const struct gs_gguf *f, const char *key, float *out,
                                   struct gs_error *err);
GS_MUST_CHECK bool gs_gguf_get_bool(const struct gs_gguf *f, const char *key, bool *out,
                                    struct gs_error *err);
GS_MUST_CHECK bool gs_gguf_get_string(const struct gs_gguf *f, const char *key,
                                      struct gs_slice *out, struct gs_error *err);

/* Item `i` (< n_items) of a number, or array of numbers/bools; checked kinds are the caller's. */
int64_t gs_gguf_item_i64(const struct gs_gguf_value *v, uint64_t i);
double gs_gguf_item_f64(const struct gs_gguf_value *v, uint64_t i);
bool gs_gguf_kind_is_integer(enum gs_gguf_kind k); /* also GS_GGUF_BOOL */
const char *gs_gguf_kind_name(enum gs_gguf_kind k);

size_t gs_gguf_tensor_count(const struct gs_gguf *f);
const struct gs_gguf_tensor *gs_gguf_tensor_at(const struct gs_gguf *f, size_t idx);
const struct gs_gguf_tensor *gs_gguf_tensor_find(const struct gs_gguf *f, const char *name);

/* "Q4_K_M" by general.file_type, else the type of most bytes; "" without tensors. Static. */
const char *gs_gguf_quant_name(const struct gs_gguf *f);
uint64_t gs_gguf_param_count(const struct gs_gguf *f); /* values of all tensors */

#endif
