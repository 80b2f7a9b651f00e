/* Building the internal form out of JSON: what the readers of all dialects share. Private to
 * dialect/.
 *
 * A reader is sticky: the first failure is kept in `status` (and its words in `err`), later calls
 * do nothing, and gs_dialect_reader_finish() returns it. */
#ifndef GS_DIALECT_READER_H
#define GS_DIALECT_READER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "genset/chat.h"
#include "json/json.h"

struct gs_dialect_reader {
    struct gs_arena *a;
    struct gs_error *err;
    enum gs_status status;
    struct gs_message *messages;
    size_t n_messages, messages_cap;
    struct gs_block *blocks; /* of the message being built */
    size_t n_blocks, blocks_cap;
};

/* Parse the body, which must be an object. */
enum gs_status gs_dialect_parse(struct gs_slice body, struct gs_arena *a, struct gs_json *out,
                                struct gs_error *err);

/* A failure to say; the reader's status becomes GS_EINVAL. */
void gs_dialect_reader_fail(struct gs_dialect_reader *r, const char *fmt, ...) GS_PRINTF(2, 3);
/* There is no memory for the request. */
void gs_dialect_reader_nomem(struct gs_dialect_reader *r);
/* Put "key[idx]: " before the words of a failure that just happened. */
void gs_dialect_reader_at(struct gs_dialect_reader *r, const char *key, size_t idx);

/* Append to the message being built. The block is valid until the next one; NULL after a failure.
 * Empty texts add nothing. */
struct gs_block *gs_dialect_add_block(struct gs_dialect_reader *r, enum gs_block_kind kind);
void gs_dialect_add_text(struct gs_dialect_reader *r, enum gs_block_kind kind,
                         struct gs_slice text);
/* `content` of a message: a string becomes text, parts go to read_part one by one. */
void gs_dialect_read_content(struct gs_dialect_reader *r, const struct gs_json *content,
                             void (*read_part)(struct gs_dialect_reader *r,
                                               const struct gs_json *part));
/* "data:image/png;base64,..." becomes media type and data; another URL stays whole. */
void gs_dialect_add_image(struct gs_dialect_reader *r, struct gs_slice url);
/* Of a call, by Google (ai.google.dev/gemini-api/docs/thought-signatures); empty: it has none. */
struct gs_slice gs_dialect_call_signature(const struct gs_json *call);
/* Of a signature that has another and the reasoning's text in it (gs_dialect_write_signature), the
 * other, and the text. */
void gs_dialect_open_signature(struct gs_dialect_reader *r, struct gs_slice *signature,
                               struct gs_slice *out_text);
/* Reasoning, with the signature that came back with it; where its text did not, it is read from a
 * signature that has it. Without text and signature it adds nothing. */
void gs_dialect_add_reasoning(struct gs_dialect_reader *r, struct gs_slice text,
                              struct gs_slice signature);
/* The cache_control of what was read into the blocks from `first` on. */
void gs_dialect_mark_block(struct gs_dialect_reader *r, size_t first, const struct gs_json *v);
void gs_dialect_end_message(struct gs_dialect_reader *r, enum gs_role role);

/* Hand the messages to the chat, name the tool results after the calls they answer, and see
 * whether the last message is to be continued. */
enum gs_status gs_dialect_reader_finish(struct gs_dialect_reader *r, struct gs_chat *chat);

/* ---- values ---- */

/* Members by kind; absent and null leave *out alone. */
void gs_dialect_get_bool(struct gs_dialect_reader *r, const struct gs_json *v, const char *key,
                         bool *out);
void gs_dialect_get_string(struct gs_dialect_reader *r, const struct gs_json *v, const char *key,
                           struct gs_slice *out);
void gs_dialect_get_int(struct gs_dialect_reader *r, const struct gs_json *v, const char *key,
                        int64_t min, int64_t max, int64_t *out);
void gs_dialect_get_float(struct gs_dialect_reader *r, const struct gs_json *v, const char *key,
                          double min, double max, float *out);
/* The member if it is an array; NULL if absent or null; a failure otherwise. */
const struct gs_json *gs_dialect_get_array(struct gs_dialect_reader *r, const struct gs_json *v,
                                           const char *key);
/* The member as a string that need not be there: "" if absent or of another kind. */
struct gs_slice gs_dialect_peek_string(const struct gs_json *v, const char *key);
/* The member is there and not null. */
bool gs_dialect_has(const struct gs_json *v, const char *key);
/* The sampling settings that a client left open: bits of enum gs_sampling_setting. */
uint32_t gs_dialect_left_open(const struct gs_json *settings);
bool gs_dialect_peek_bool(const struct gs_json *v, const char *key);

/* A string, or an array of strings. */
void gs_dialect_read_stops(struct gs_dialect_reader *r, const struct gs_json *v, const char *key,
                           struct gs_chat *chat);
/* An array of token ids; `key`, if there is one, names it in errors. */
void gs_dialect_read_tokens(struct gs_dialect_reader *r, const struct gs_json *list,
                            const char *key, struct gs_embed_input *out);
/* {"name": ..., "description": ..., "parameters": ...}; false if there is none. */
bool gs_dialect_read_function(struct gs_dialect_reader *r, const struct gs_json *f,
                              struct gs_tool *out);
/* {"type": "function", "function": {...}}: the tools of OpenAI and Ollama; other types are
 * ignored. */
void gs_dialect_read_functions(struct gs_dialect_reader *r, const struct gs_json *tools,
                               struct gs_chat *chat);
/* A call's arguments as the text of an object, from an object or from such a text; what is
 * neither becomes {"arguments": "..."}. */
struct gs_slice gs_dialect_read_args(struct gs_dialect_reader *r, const struct gs_json *v);
/* {"reasoning_effort": "low"} and its kin: "none" and "minimal" switch thinking off, or down to the
 * least there is. */
void gs_dialect_set_effort(struct gs_chat *chat, struct gs_slice effort);

/* The answer must be JSON that `schema` describes; NULL: any object. */
void gs_dialect_set_schema(struct gs_dialect_reader *r, struct gs_chat *chat,
                           const struct gs_json *schema);

/* The text of a value, in the arena. */
struct gs_slice gs_dialect_json_text(struct gs_dialect_reader *r, const struct gs_json *v);
struct gs_slice gs_dialect_keep(struct gs_dialect_reader *r, const struct gs_buf *b);
/* The text that base64 spells, in the arena; empty where it spells none. */
struct gs_slice gs_dialect_decode_base64(struct gs_dialect_reader *r, struct gs_slice text);

#endif
