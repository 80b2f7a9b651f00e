/* Writing GGUF v3: collect metadata and tensor descriptions, then stream the data in order. */
#ifndef GS_GGUF_GGUF_WRITE_H
#define GS_GGUF_GGUF_WRITE_H

#include "gguf/gguf.h"

struct gs_gguf_writer;

GS_MUST_CHECK enum gs_status gs_gguf_writer_create(struct gs_gguf_writer **out_w,
                                                   struct gs_error *err);
void gs_gguf_writer_free(struct gs_gguf_writer *w); /* an unfinished file stays as it is */

/* Metadata; errors are remembered and returned by gs_gguf_writer_begin(). */
void gs_gguf_writer_u32(struct gs_gguf_writer *w, const char *key, uint32_t v);
void gs_gguf_writer_u64(struct gs_gguf_writer *w, const char *key, uint64_t v);
void gs_gguf_writer_f32(struct gs_gguf_writer *w, const char *key, float v);
void gs_gguf_writer_bool(struct gs_gguf_writer *w, const char *key, bool v);
void gs_gguf_writer_string(struct gs_gguf_writer *w, const char *key, struct gs_slice v);
void gs_gguf_writer_strings(struct gs_gguf_writer *w, const char *key, const struct gs_slice *v,
                            size_t n);
/* `v` holds n items of a fixed-size kind, packed. */
void gs_gguf_writer_array(struct gs_gguf_writer *w, const char *key, enum gs_gguf_kind item_kind,
                          const void *v, size_t n);
/* Copy a value of another file under the same key. */
void gs_gguf_writer_copy(struct gs_gguf_writer *w, const struct gs_gguf_value *v);

/* Describe the next tensor. dims[0] must be a multiple of the type's block length. */
void gs_gguf_writer_tensor(struct gs_gguf_writer *w, const char *name, enum gs_type type,
                           const uint64_t *dims, uint32_t n_dims);

/* Create the file and write everything but the data. */
GS_MUST_CHECK enum gs_status gs_gguf_writer_begin(struct gs_gguf_writer *w, const char *path,
                                                  struct gs_error *err);
/* Data, in the order of the descriptions, in pieces of any size; padding is added between. */
GS_MUST_CHECK enum gs_status gs_gguf_writer_data(struct gs_gguf_writer *w, const void *p, size_t n,
                                                 struct gs_error *err);
/* Check that all data came, close the file. */
GS_MUST_CHECK enum gs_status gs_gguf_writer_end(struct gs_gguf_writer *w, struct gs_error *err);

#endif
