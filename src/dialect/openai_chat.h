/* The two halves of the OpenAI Chat Completions dialect meet here. Private to dialect/. */
#ifndef GS_DIALECT_OPENAI_CHAT_H
#define GS_DIALECT_OPENAI_CHAT_H

#include "dialect/dialect.h"

enum gs_status gs_dialect_openai_chat_read(struct gs_chat *out_chat,
                                           struct gs_dialect_context *out_ctx, struct gs_slice text,
                                           const char *path, struct gs_arena *a,
                                           struct gs_error *err);

/* As gs_dialect.write_error; of all of this API. */
void gs_dialect_openai_chat_write_error(int status, const struct gs_error *err,
                                        struct gs_slice request_id, struct gs_buf *b);

#endif
