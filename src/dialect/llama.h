/* llama-server's own API: what its dialects share. Private to dialect/. */
#ifndef GS_DIALECT_LLAMA_H
#define GS_DIALECT_LLAMA_H

#include "dialect/dialect.h"

/* gs_dialect_context.own of a completion: what the answer repeats of its request. */
struct gs_dialect_llama_request {
    struct gs_slice prompt; /* the text, if it is one */
    struct gs_sampling sampling;
    int64_t n_predict;
    const struct gs_slice *stops;
    size_t n_stops;
    int32_t n_probs;
};

enum gs_status gs_dialect_llama_read(struct gs_chat *out_chat, struct gs_dialect_context *out_ctx,
                                     struct gs_slice text, const char *path, struct gs_arena *a,
                                     struct gs_error *err);

#endif
