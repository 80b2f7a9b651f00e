/* The two halves of the Anthropic dialect meet here. Private to dialect/. */
#ifndef GS_DIALECT_ANTHROPIC_H
#define GS_DIALECT_ANTHROPIC_H

#include "dialect/dialect.h"

enum gs_status gs_dialect_anthropic_read(struct gs_chat *out_chat,
                                         struct gs_dialect_context *out_ctx, struct gs_slice text,
                                         const char *path, struct gs_arena *a,
                                         struct gs_error *err);

#endif
