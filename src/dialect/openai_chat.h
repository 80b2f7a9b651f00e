/* What the parts of the OpenAI dialects (Chat Completions, Completions, Responses) share. Private
 * to dialect/. */
#ifndef GS_DIALECT_OPENAI_CHAT_H
#define GS_DIALECT_OPENAI_CHAT_H

#include "dialect/dialect.h"

struct gs_dialect_names;
struct gs_dialect_reader;
struct gs_json;

#define GS_DIALECT_OPENAI_MAX_CHOICES 16 /* answers to one chat */

/* gs_dialect_context.own: what answers need of their request besides. */
struct gs_dialect_openai_request {
    bool usage_always;  /* every chunk says the usage so far */
    bool has_functions; /* as before 2023-11: a call is a function_call, and there is one at most */
    const struct gs_slice *custom; /* tools that take a text, by name */
    size_t n_custom;
};

enum gs_status gs_dialect_openai_chat_read(struct gs_chat *out_chat,
                                           struct gs_dialect_context *out_ctx, struct gs_slice text,
                                           const char *path, struct gs_arena *a,
                                           struct gs_error *err);

/* ---- requests ---- */

/* tools, functions, tool_choice, function_call. */
void gs_dialect_openai_read_tools(struct gs_dialect_reader *r, const struct gs_json *body,
                                  struct gs_chat *chat, struct gs_dialect_openai_request *q);
/* What a custom tool takes: a text. A regular expression for it ({"syntax": "regex", "definition":
 * ...}) is enforced, another grammar is not. */
struct gs_slice gs_dialect_openai_custom_schema(struct gs_dialect_reader *r,
                                                const struct gs_json *grammar);
/* The arguments of a custom tool's call: its text as the member `input`. */
struct gs_slice gs_dialect_openai_custom_args(struct gs_dialect_reader *r, struct gs_slice input);

void gs_dialect_openai_read_sampling(struct gs_dialect_reader *r, const struct gs_json *body,
                                     struct gs_sampling *s);
/* A number of tokens; -1, which LM Studio and llama-server know, is no limit. */
void gs_dialect_openai_read_limit(struct gs_dialect_reader *r, const struct gs_json *body,
                                  const char *key, int64_t *out);
/* reasoning_effort is OpenAI's; `reasoning` OpenRouter's, `thinking` DeepSeek's and GLM's,
 * enable_thinking and thinking_budget Qwen's, the last two within chat_template_kwargs vLLM's. */
void gs_dialect_openai_read_thinking(struct gs_dialect_reader *r, const struct gs_json *body,
                                     struct gs_chat *chat);
/* response_format, and what vLLM and llama-server say instead of it. */
void gs_dialect_openai_read_format(struct gs_dialect_reader *r, const struct gs_json *body,
                                   struct gs_chat *chat);
/* stream, stream_options. */
void gs_dialect_openai_read_stream(struct gs_dialect_reader *r, const struct gs_json *body,
                                   struct gs_dialect_context *ctx,
                                   struct gs_dialect_openai_request *q);

/* ---- answers ---- */

/* `{"id":"PREFIX...","object":...,"created":...,"model":...,"system_fingerprint":...` */
void gs_dialect_openai_write_head(struct gs_buf *b, const struct gs_dialect_names *names,
                                  const struct gs_dialect_context *ctx, const char *prefix,
                                  const char *object);
/* `{"cached_tokens":2,"cache_write_tokens":1}`, the second where there are any. */
void gs_dialect_openai_write_cached(struct gs_buf *b, const struct gs_usage *u);
/* `"usage":{...}` */
void gs_dialect_openai_write_usage(struct gs_buf *b, const struct gs_usage *u);
/* As gs_dialect.write_error; of all of these APIs. `source` of what is invalid or not found is the
 * code to say. */
void gs_dialect_openai_chat_write_error(int status, const struct gs_error *err,
                                        struct gs_slice request_id, struct gs_buf *b);
/* The same as an event of a stream. */
void gs_dialect_openai_stream_error(const struct gs_error *err, struct gs_slice request_id,
                                    struct gs_buf *b);

#endif
