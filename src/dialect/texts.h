/* What the APIs for vectors and scores share. Private to dialect/. */
#ifndef GS_DIALECT_TEXTS_H
#define GS_DIALECT_TEXTS_H

#include "dialect/dialect.h"
#include "dialect/reader.h"

/* The member as inputs: a string, an array of strings, an array of token ids, or an array of such
 * arrays. Absent: a failure. */
void gs_dialect_read_inputs(struct gs_dialect_reader *r, const struct gs_json *body,
                            const char *key, struct gs_texts *texts);
/* "model", which must be there, and "dimensions". */
void gs_dialect_read_texts(struct gs_dialect_reader *r, const struct gs_json *body,
                           struct gs_texts *texts);
/* Room for n inputs; NULL after a failure. */
struct gs_embed_input *gs_dialect_add_inputs(struct gs_dialect_reader *r, struct gs_texts *texts,
                                             size_t n);
/* What a reader ends with: `texts` lives in the arena. */
struct gs_dialect_context gs_dialect_texts_context(const struct gs_texts *texts);

/* Vectors are collected, comma-separated, in the state of all these APIs. */
struct gs_dialect_vectors {
    struct gs_buf items;
    size_t n;
};

void gs_dialect_vectors_clear(void *state);
/* `[0.25,-1]` */
void gs_dialect_write_vector(struct gs_buf *b, const float *values, size_t n);
void gs_dialect_write_float(struct gs_buf *b, float x);
/* Nothing of these is streamed. */
/* A state that holds nothing. */
void gs_dialect_no_state(void *state);
void gs_dialect_no_keepalive(void *state, const struct gs_dialect_context *ctx, struct gs_buf *b);

#endif
