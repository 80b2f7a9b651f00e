/* The two halves of the Ollama dialect meet here. Private to dialect/. */
#ifndef GS_DIALECT_OLLAMA_H
#define GS_DIALECT_OLLAMA_H

#include "dialect/dialect.h"
#include "dialect/reader.h"

enum gs_status gs_dialect_ollama_read(struct gs_chat *out_chat, struct gs_dialect_context *out_ctx,
                                      struct gs_slice text, const char *path, struct gs_arena *a,
                                      struct gs_error *err);

struct gs_dialect_to;

/* As gs_dialect_client.write_request. */
enum gs_status gs_dialect_ollama_ask(const struct gs_chat *chat, const struct gs_dialect_to *to,
                                     struct gs_buf *b, struct gs_error *err);

/* "keep_alive". */
void gs_dialect_ollama_read_keep(struct gs_dialect_reader *r, const struct gs_json *body,
                                 struct gs_keep *keep);

/* As gs_dialect.write_error; of all of this API. */
void gs_dialect_ollama_write_error(int status, const struct gs_error *err,
                                   struct gs_slice request_id, struct gs_buf *b);

#endif
