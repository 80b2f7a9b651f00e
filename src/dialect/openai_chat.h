/* The two halves of the OpenAI Chat Completions dialect meet here. Private to dialect/. */
#ifndef GS_DIALECT_OPENAI_CHAT_H
#define GS_DIALECT_OPENAI_CHAT_H

#include "dialect/dialect.h"

enum gs_status gs_dialect_openai_chat_read(struct gs_chat *out_chat,
                                           struct gs_dialect_context *out_ctx, struct gs_slice text,
                                           const char *path, struct gs_arena *a,
                                           struct gs_error *err);

#endif
