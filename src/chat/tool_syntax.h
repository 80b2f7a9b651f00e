/* How tool calls are spelled in model text: where a call region begins, where it ends, and what it
 * says. One row per syntax; the parser (chat/parser.c) knows none of them. */
#ifndef GS_CHAT_TOOL_SYNTAX_H
#define GS_CHAT_TOOL_SYNTAX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/compiler.h"
#include "chat/prompt.h"
#include "genset/chat.h"

#define GS_SYNTAX_MAX_TRIGGERS 2

struct gs_tool_call {
    struct gs_slice name;
    struct gs_slice args; /* a JSON object, compact */
};

/* The types of tool parameters, for syntaxes that write values as bare text. */
struct gs_tool_types;

struct gs_tool_syntax {
    const char *triggers[GS_SYNTAX_MAX_TRIGGERS]; /* text that opens a region; NULL = none */
    bool bare_json; /* a '{' at the very start of the answer opens one too */
    /* Length of the region at the start of s (its trigger included), 0 while it is unfinished. */
    size_t (*region_len)(struct gs_slice s);
    /* Read all calls of a region into *out_calls (in `a`). False if it is malformed. */
    bool (*read)(struct gs_slice region, const struct gs_tool_types *types, struct gs_arena *a,
                 struct gs_tool_call **out_calls, size_t *out_n);
};

const struct gs_tool_syntax *gs_chat_tool_syntax(enum gs_chat_syntax syntax);

/* Copy what the schemas say of parameter types into `a`; bad schemas say nothing. NULL = no
 * memory. */
GS_MUST_CHECK const struct gs_tool_types *gs_chat_tool_types(const struct gs_tool *tools, size_t n,
                                                             struct gs_arena *a);

#endif
