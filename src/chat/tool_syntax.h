/* How tool calls are spelled in model text: where a region of markup begins, where it ends, and
 * what it says. One row per syntax; the parser (chat/parser.c) knows none of them. */
#ifndef GS_CHAT_TOOL_SYNTAX_H
#define GS_CHAT_TOOL_SYNTAX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/compiler.h"
#include "chat/parser.h"
#include "chat/prompt.h"
#include "genset/chat.h"

#define GS_SYNTAX_MAX_TRIGGERS  5
#define GS_SYNTAX_MAX_SPELLINGS 4
#define GS_SYNTAX_MAX_CALLS     128 /* of one region */

struct gs_tool_call {
    struct gs_slice name;
    struct gs_slice args; /* a JSON object, compact */
};

/* The types of tool parameters, for syntaxes that write values as bare text. */
struct gs_tool_types;

/* The arguments of a call that has opened, as their JSON text grows. */
struct gs_tool_stream {
    /* Append what `region`, of which `at` bytes were read before, adds to the arguments. */
    void (*feed)(struct gs_tool_stream *s, struct gs_slice region, struct gs_buf *b);
    const struct gs_tool_types *types;
    size_t name_at, name_len; /* of the region */
    size_t at;
    bool is_done; /* the arguments are complete */
    size_t depth; /* of brackets */
    bool in_string, is_escaped;
    size_t n_pairs; /* of tags around a key and its value */
    size_t key_at, key_len;
    bool in_value, has_begun; /* the value has; it is text */
    bool is_wrapped;          /* the call stands in an outer tag */
};

/* What a region says. */
struct gs_tool_region {
    struct gs_arena *a;                /* the calls live here */
    const struct gs_tool_types *types; /* or NULL */
    struct gs_tool_call calls[GS_SYNTAX_MAX_CALLS];
    size_t n_calls;
    bool opens_reasoning; /* what follows is reasoning */
};

struct gs_tool_syntax {
    const char *triggers[GS_SYNTAX_MAX_TRIGGERS]; /* text that opens a region; NULL = none */
    struct gs_tool_spelling spellings[GS_SYNTAX_MAX_SPELLINGS]; /* none: begin NULL */
    const struct gs_tool_notation *notation;                    /* of arguments; NULL: JSON */
    const char *certain; /* a region that holds this is a call; NULL: every region is */
    const char *bare;    /* this at the very start of the answer opens one too; or NULL */
    bool channels;       /* regions also say what is text and what reasoning, tools or not */
    /* Length of the region at the start of s (its trigger included), 0 while it is unfinished. */
    size_t (*region_len)(struct gs_slice s);
    /* Whether the next call at or after s->at has opened: its name and the beginning of its
     * arguments are certain. Sets up `s`. What does not open so is read when the region is over. */
    bool (*open)(struct gs_slice region, struct gs_tool_stream *s);
    /* Read a region, which ends where it was cut off if it is unfinished. False if malformed. */
    bool (*read)(struct gs_slice s, struct gs_tool_region *out);
    /* Control tokens it is written with, beyond those with tell-tale names; NULL-terminated. */
    const char *const *controls;
};

const struct gs_tool_syntax *gs_chat_tool_syntax(enum gs_chat_syntax syntax);

/* The feed of arguments that are JSON. */
void gs_chat_feed_json(struct gs_tool_stream *s, struct gs_slice region, struct gs_buf *b);

/* Copy what the schemas say of parameter types into `a`; bad schemas say nothing. NULL = no
 * memory. */
GS_MUST_CHECK const struct gs_tool_types *gs_chat_tool_types(const struct gs_tool *tools, size_t n,
                                                             struct gs_arena *a);

#endif
