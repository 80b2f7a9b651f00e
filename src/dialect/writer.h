/* Spelling answers: what the writers of all dialects share. Private to dialect/. */
#ifndef GS_DIALECT_WRITER_H
#define GS_DIALECT_WRITER_H

#include "base/buf.h"
#include "base/slice.h"
#include "genset/chat.h"

struct gs_dialect_context;
struct gs_dialect_to;

/* Ready a buffer of a zeroed state for its first use. */
void gs_dialect_writer_ready(struct gs_buf *b);
/* A failed buffer of the state fails the answer. */
void gs_dialect_writer_check(const struct gs_buf *state, struct gs_buf *b);

/* What an answer and its model are called by the upstream that gives it. Zeroed; either may be
 * empty. */
struct gs_dialect_names {
    struct gs_buf id, model;
};

/* As START says. Memory that is short fails b. */
void gs_dialect_names_take(struct gs_dialect_names *n, const struct gs_event *start,
                           struct gs_buf *b);
void gs_dialect_names_clear(struct gs_dialect_names *n);
/* The answer's id in quotes: the upstream's, or the prefix with what makes the request's unique. */
void gs_dialect_write_id(struct gs_buf *b, const struct gs_dialect_names *n,
                         const struct gs_dialect_context *ctx, const char *prefix);
/* `"model":...`: the upstream's, or as the client spelled it. */
void gs_dialect_write_model(struct gs_buf *b, const struct gs_dialect_names *n,
                            const struct gs_dialect_context *ctx);

/* `"key":"value"`, with both in quotes. */
void gs_dialect_write_member(struct gs_buf *b, const char *key, struct gs_slice value);
/* The text of an object as it is or, if it is none, {"arguments": text}. */
void gs_dialect_write_object(struct gs_buf *b, struct gs_slice text);
/* The part of "req_0123" that makes it unique, for ids of another prefix. */
struct gs_slice gs_dialect_id_tail(struct gs_slice request_id);
/* Bytes in base64 (RFC 4648, section 4), without quotes. */
void gs_dialect_write_base64(struct gs_buf *b, const void *p, size_t n);
/* The event's tokens as items of a list, comma-separated:
 * `{"token":"a","logprob":-0.1,"bytes":[97],"top_logprobs":[...]}`, with "id" first if asked for.
 */
void gs_dialect_write_logprobs(struct gs_buf *b, const struct gs_event *ev, bool with_ids);
/* `[1,2]` */
void gs_dialect_write_tokens(struct gs_buf *b, const int32_t *tokens, size_t n);
/* Reasoning that the client is not shown, or may drop, in a text that it hands back:
 * "genset1", its signature in base64, '.', the reasoning in base64; with quotes, and without. */
#define GS_DIALECT_SIGNATURE GS_SLICE_LIT("genset1")
void gs_dialect_write_signature(struct gs_buf *b, struct gs_slice signature,
                                struct gs_slice reasoning);
void gs_dialect_put_signature(struct gs_buf *b, struct gs_slice signature,
                              struct gs_slice reasoning);
/* Whether it refuses a history in which the first call of several is not signed, as Google does
 * from Gemini 3 on, but for this word in calls that it did not make
 * (ai.google.dev/gemini-api/docs/thought-signatures). */
bool gs_dialect_wants_signed_call(const struct gs_dialect_to *to);
#define GS_DIALECT_UNSIGNED_CALL                                                                   \
    "\"extra_content\":{\"google\":{\"thought_signature\":\"skip_thought_signature_validator\"}}"
/* What a signature begins with that names its maker (gs_dialect_sign). */
#define GS_DIALECT_MARK GS_SLICE_LIT("genset:")
/* A member of Ollama's messages that only we know: such a signature. */
#define GS_DIALECT_OLLAMA_SIGNATURE "thinking_signature"
/* Whether it names its maker, and is more than the name: worth to be kept where the API has no
 * place for signatures. */
bool gs_dialect_is_signed(struct gs_slice signature);
/* Message, then hint. */
void gs_dialect_write_words(struct gs_buf *b, const struct gs_error *err);

#endif
