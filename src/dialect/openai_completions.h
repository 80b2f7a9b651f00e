/* The two halves of the OpenAI Completions dialect meet here. Private to dialect/. */
#ifndef GS_DIALECT_OPENAI_COMPLETIONS_H
#define GS_DIALECT_OPENAI_COMPLETIONS_H

#include "dialect/openai_chat.h"

/* gs_dialect_context.own */
struct gs_dialect_openai_completion {
    struct gs_dialect_openai_request common;
    const struct gs_slice *echo; /* [prompt]: what answers begin with; or NULL */
    uint32_t n_each;             /* answers to a prompt */
};

enum gs_status gs_dialect_openai_completions_read(struct gs_chat *out_chat,
                                                  struct gs_dialect_context *out_ctx,
                                                  struct gs_slice text, const char *path,
                                                  struct gs_arena *a, struct gs_error *err);

#endif
