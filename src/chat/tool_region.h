/* Common to the readers of tool-call syntaxes: finding the ends of things, adding calls. */
#ifndef GS_CHAT_TOOL_REGION_H
#define GS_CHAT_TOOL_REGION_H

#include "chat/tool_syntax.h"
#include "json/json.h"

/* ---- extents ---- */

/* Offset of `text` at or after `from`, or SIZE_MAX. */
size_t gs_chat_find(struct gs_slice s, const char *text, size_t from);
/* Length of s up to and with the first `end`; 0 if there is none. */
size_t gs_chat_len_to(struct gs_slice s, const char *end);
/* The same for the first `end` behind `from` that stands in no JSON string. */
size_t gs_chat_len_past_json(struct gs_slice s, size_t from, const char *end);
/* End of the JSON value whose first bracket is at or after `from`; 0 if unfinished. */
size_t gs_chat_json_end(struct gs_slice s, size_t from);
/* s trimmed, and without `begin` in front and `end` behind, where they are there. */
struct gs_slice gs_chat_strip(struct gs_slice s, const char *begin, const char *end);

/* ---- calls; false if what is given is no call, or memory is short ---- */

/* `args` may be NULL (none), an object, or a string that holds one. */
bool gs_chat_add_json(struct gs_tool_region *r, struct gs_slice name, const struct gs_json *args);
/* `args` is JSON text; empty: none. */
bool gs_chat_add_text(struct gs_tool_region *r, struct gs_slice name, struct gs_slice args);
/* JSON text: {"name": ..., "arguments" or "parameters": {...}}, or an array of such, not empty. */
bool gs_chat_add_described(struct gs_tool_region *r, struct gs_slice text);

/* Bare text as the value of a tool's parameter: as it stands where the schema says string, else
 * what it parses to (in `a`), else a string. */
struct gs_json gs_chat_typed_value(const struct gs_tool_types *types, struct gs_slice tool,
                                   struct gs_slice key, struct gs_slice text, struct gs_arena *a);
/* The schema says string. */
bool gs_chat_is_text(const struct gs_tool_types *types, struct gs_slice tool, struct gs_slice key);

/* ---- calls that are still being written ---- */

/* Offset of the first byte at or after `at` that is none of `chars`; s.len if there is none. */
size_t gs_chat_skip(struct gs_slice s, size_t at, const char *chars);
/* A call of this name (in `region`), whose arguments are JSON, from `args_at` on; false if it has
 * no name. */
bool gs_chat_open_json(struct gs_tool_stream *s, struct gs_slice region, struct gs_slice name,
                       size_t args_at);
/* The same for arguments that `feed` reads. */
bool gs_chat_open(struct gs_tool_stream *s, struct gs_slice region, struct gs_slice name,
                  size_t args_at,
                  void (*feed)(struct gs_tool_stream *, struct gs_slice, struct gs_buf *));
/* {"name": "NAME", "arguments": {, or as an item of a list of such; what comes before the name and
 * the arguments is short strings. */
bool gs_chat_open_described(struct gs_tool_stream *s, struct gs_slice region, size_t from);
/* Append a piece of a string literal, without quotes. */
void gs_chat_write_piece(struct gs_buf *b, struct gs_slice text);

/* ---- the syntaxes, by file ---- */

extern const struct gs_tool_syntax gs_chat_syntax_tool_call, gs_chat_syntax_qwen_xml,
    gs_chat_syntax_function_tag, gs_chat_syntax_glm; /* tool_tags.c */
extern const struct gs_tool_syntax gs_chat_syntax_llama, gs_chat_syntax_mistral,
    gs_chat_syntax_deepseek, gs_chat_syntax_pipe;          /* tool_json.c */
extern const struct gs_tool_syntax gs_chat_syntax_gemma;   /* tool_gemma.c */
extern const struct gs_tool_syntax gs_chat_syntax_harmony; /* tool_harmony.c */

#endif
