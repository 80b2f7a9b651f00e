/* One wire API as two mappings: bytes of a request -> chat or texts, events -> bytes of an answer.
 *
 * A dialect knows nothing of sockets, providers or the engine, and nothing outside this room tests
 * which one is in use. A new dialect is two files and a row of the server's route table. */
#ifndef GS_DIALECT_DIALECT_H
#define GS_DIALECT_DIALECT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/compiler.h"
#include "genset/chat.h"

struct gs_errand;

/* An answer that later requests can name and build on. */
struct gs_dialect_record {
    struct gs_slice id;       /* "resp_..." */
    struct gs_slice previous; /* id of the record it builds on; may be empty */
    struct gs_slice input;    /* what was asked, beyond what `previous` holds */
    struct gs_slice body;     /* the answer */
};

/* Where they are kept, by the caller of a dialect. thread: any. */
struct gs_dialect_store {
    void *self;
    /* A copy, in `a`. errors: GS_ENOTFOUND (not there, or no longer), GS_ENOMEM. */
    enum gs_status (*find)(void *self, struct gs_slice id, struct gs_arena *a,
                           struct gs_dialect_record *out_record);
    /* Copies. It may keep nothing: what is kept is bounded. */
    void (*keep)(void *self, const struct gs_dialect_record *record);
};

/* What the answer of one request needs to know of the request. */
struct gs_dialect_context {
    struct gs_slice model;       /* echoed as the client spelled it */
    struct gs_slice request_id;  /* "req_..."; set by the caller */
    int64_t created_us;          /* wall clock; set by the caller */
    struct gs_slice fingerprint; /* of the program; set by the caller, may be empty */
    bool stream;
    bool include_usage;   /* OpenAI stream_options */
    bool marks_cache;     /* Anthropic cache_control: what is kept for later is told apart */
    bool omits_reasoning; /* Anthropic thinking.display: its text is not shown */
    bool is_generate;     /* Ollama /api/generate */
    bool is_count;        /* only the prompt's tokens are asked for, or that the model loads */
    const struct gs_texts *texts;         /* not NULL: this is asked for, and there is no chat */
    struct gs_errand *errand;             /* the same */
    bool streams_at_once;                 /* even what is refused is told in the stream */
    bool builds_on_kept;                  /* part of the chat was kept, and is not in the body */
    const struct gs_dialect_store *store; /* set by the caller before reading; may be NULL */
    const void *own;                      /* of the dialect's reader, for its writer */
};

struct gs_dialect {
    const char *name;                /* "anthropic" */
    const char *stream_content_type; /* "text/event-stream" */
    size_t state_bytes;              /* per answer, zeroed, dropped by the caller after finish */
    int overload_status;             /* HTTP status of "too busy, try again" */
    const char *limit_header;        /* names of header lines that tell how many requests may run */
    const char *remaining_header;    /* at once, and how many more; NULL: the API has none */
    bool fails_in_stream; /* a stream that fails has an end of its own, which is a clean one, and
                             even a prompt that does not fit is told of in it */

    bool has_comments; /* its streams may hold lines that begin with ':' and say nothing */
    bool takes_pieces; /* the body is no JSON: it follows the request in pieces */

    /* Parse a request body into *out_chat, or out_ctx->texts or errand, and *out_ctx; everything
     * lives in `a`, `path` too. Unknown fields are ignored. errors: GS_EINVAL, GS_EFORMAT,
     * GS_EUNSUPPORTED, GS_ENOMEM.
     */
    enum gs_status (*read_request)(struct gs_chat *out_chat, struct gs_dialect_context *out_ctx,
                                   struct gs_slice body, const char *path, struct gs_arena *a,
                                   struct gs_error *err);
    /* Append the bytes that spell `ev` to b. When ctx->stream is false the event is collected in
     * the state and the whole body is written at STOP; ERROR is then the caller's business. */
    void (*write_event)(void *state, const struct gs_dialect_context *ctx,
                        const struct gs_event *ev, struct gs_buf *b);
    /* Bytes that keep a silent stream alive. keepalive_opens: at its beginning they open the
     * answer, under an id of ours. */
    bool keepalive_opens;
    void (*write_keepalive)(void *state, const struct gs_dialect_context *ctx, struct gs_buf *b);
    /* Release what the state holds. */
    void (*clear_state)(void *state);
    /* Append the body of an error that happened before the answer began and goes out with this
     * HTTP status. */
    void (*write_error)(int status, const struct gs_error *err, struct gs_slice request_id,
                        struct gs_buf *b);
};

extern const struct gs_dialect gs_dialect_anthropic;
extern const struct gs_dialect gs_dialect_openai_chat;
extern const struct gs_dialect gs_dialect_openai_completions;
extern const struct gs_dialect gs_dialect_openai_responses;
extern const struct gs_dialect gs_dialect_ollama;
extern const struct gs_dialect gs_dialect_llama; /* llama-server's completions */
/* Errands. */
extern const struct gs_dialect gs_dialect_ollama_models;
extern const struct gs_dialect gs_dialect_ollama_blob; /* POST /api/blobs/DIGEST */
extern const struct gs_dialect gs_dialect_llama_errands;
/* Vectors and scores instead of answers; errors as of their APIs' chats. */
extern const struct gs_dialect gs_dialect_openai_embed;
extern const struct gs_dialect gs_dialect_ollama_embed;
extern const struct gs_dialect gs_dialect_rerank;

/* What led to the response `id`, as a list of items: GET /v1/responses/ID/input_items?QUERY.
 * errors: GS_ENOTFOUND, GS_ENOMEM. */
GS_MUST_CHECK enum gs_status gs_dialect_responses_list(const struct gs_dialect_store *store,
                                                       struct gs_slice id, struct gs_slice query,
                                                       struct gs_buf *b, struct gs_error *err);

/* The HTTP status of an error. */
int gs_dialect_status(const struct gs_dialect *d, const struct gs_error *err);

#endif
