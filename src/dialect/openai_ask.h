/* Asking servers of OpenAI's chat APIs: what Chat Completions and Responses share. Private to
 * dialect/. */
#ifndef GS_DIALECT_OPENAI_ASK_H
#define GS_DIALECT_OPENAI_ASK_H

#include "dialect/client.h"

/* gs_dialect_client.write_request */
enum gs_status gs_dialect_openai_chat_ask(const struct gs_chat *chat,
                                          const struct gs_dialect_to *to, struct gs_buf *b,
                                          struct gs_error *err);
enum gs_status gs_dialect_openai_responses_ask(const struct gs_chat *chat,
                                               const struct gs_dialect_to *to, struct gs_buf *b,
                                               struct gs_error *err);

/* A request being written. */
struct gs_dialect_openai_asker {
    const struct gs_chat *chat;
    const struct gs_dialect_to *to;
    struct gs_buf *b;
    size_t before;               /* what b held */
    unsigned n_calls, n_results; /* without an id: numbered, each result answers the next call */
};

/* What neither API can say: GS_EUNSUPPORTED. */
enum gs_status gs_dialect_openai_ask_check(const struct gs_dialect_openai_asker *k,
                                           struct gs_error *err);
/* The whole is written, or it failed: then nothing is. GS_ENOMEM if the buffer failed. */
enum gs_status gs_dialect_openai_ask_finish(const struct gs_dialect_openai_asker *k,
                                            enum gs_status st, struct gs_error *err);

/* Says that a last message of the assistant's is open, to vLLM and who follows it. */
#define GS_DIALECT_OPENAI_GOES_ON "\"continue_final_message\":true,\"add_generation_prompt\":false"

/* OpenAI's models that reason, told by their names: gpt-5 and later, o1 and later. They refuse
 * sampling settings and max_tokens. */
bool gs_dialect_openai_reasons(struct gs_slice model);

/* The texts of these blocks as one JSON string, a blank line between them. */
void gs_dialect_openai_ask_texts(struct gs_dialect_openai_asker *k, const struct gs_block *blocks,
                                 size_t n, enum gs_block_kind kind);
bool gs_dialect_openai_ask_has(const struct gs_block *blocks, size_t n, enum gs_block_kind kind);
/* An image's URL as a JSON string. */
void gs_dialect_openai_ask_image(struct gs_dialect_openai_asker *k, const struct gs_block *image);
/* `"KEY":"call_1"`: the id of a call or a result. */
void gs_dialect_openai_ask_id(struct gs_dialect_openai_asker *k, const char *key,
                              const struct gs_block *block);
/* `,"tools":[...],"tool_choice":...,"parallel_tool_calls":...`. A function is wrapped in Chat
 * Completions ({"type":"function","function":{...}}), not in Responses. */
void gs_dialect_openai_ask_tools(struct gs_dialect_openai_asker *k, bool is_wrapped);
/* `{"type":"json_schema",...}`, wrapped or not. */
enum gs_status gs_dialect_openai_ask_format(struct gs_dialect_openai_asker *k, bool is_wrapped,
                                            struct gs_error *err);
/* `,"temperature":0.5`... */
void gs_dialect_openai_ask_sampling(struct gs_dialect_openai_asker *k);
/* Penalties, seed and biases, which Responses does not have. */
void gs_dialect_openai_ask_penalties(struct gs_dialect_openai_asker *k);
/* The effort to ask for; empty: none. */
struct gs_slice gs_dialect_openai_ask_effort(const struct gs_dialect_openai_asker *k);
/* `,"chat_template_kwargs":{"enable_thinking":false}` where that is how it is said. */
void gs_dialect_openai_ask_thinking(struct gs_dialect_openai_asker *k);

#endif
