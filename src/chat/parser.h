/* The one parser from model text to events: text, reasoning, tool calls, stop strings.
 *
 * Text is held back only while it may still turn out to be markup or a stop string. */
#ifndef GS_CHAT_PARSER_H
#define GS_CHAT_PARSER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "chat/prompt.h"
#include "genset/chat.h"

struct gs_parser;

/* How a call is written: begin NAME between ARGUMENTS end. */
struct gs_tool_spelling {
    const char *begin, *between, *end;
};

/* How arguments are written that are no JSON: a key and its value between tags, or with a quote
 * {KEY:VALUE,...} where strings stand between two of that. */
struct gs_tool_notation {
    const char *key_begin, *key_end;
    const char *value_begin; /* "" = directly behind the key's end */
    const char *value_end;
    const char *quote; /* or NULL */
};

/* The spellings of a template's family. */
const struct gs_tool_spelling *gs_parser_spellings(const struct gs_prompt_traits *traits,
                                                   size_t *out_n);
/* NULL: JSON. */
const struct gs_tool_notation *gs_parser_notation(const struct gs_prompt_traits *traits);
/* What opens a call in running text. */
const char *const *gs_parser_triggers(const struct gs_prompt_traits *traits, size_t *out_n);

struct gs_parser_options {
    const struct gs_prompt_traits *traits; /* borrowed */
    bool opens_reasoning;                  /* the prompt left a reasoning block open */
    bool one_call;                         /* stop after the first complete tool call */
    bool tools;                            /* tool calls are expected; else their markup is text */
    const struct gs_tool *tool;            /* the tools, for the types of their parameters; */
    size_t n_tools;                        /* read during create only */
    const struct gs_slice *stops;          /* copied */
    size_t n_stops;
    uint64_t id_seed;                 /* tool call ids are made from it */
    const struct gs_message *partial; /* what is there of the answer: its last block goes on, what
                                       * is fed follows it; or NULL. Read during create only */
};

/* Events go to `on_event`; its answer is handed back by the calls below. */
GS_MUST_CHECK enum gs_status gs_parser_create(const struct gs_parser_options *opt,
                                              gs_event_fn *on_event, void *ud,
                                              struct gs_parser **out_p, struct gs_error *err);
void gs_parser_free(struct gs_parser *p);

/* Feed text (whole characters). `lp` are the log-probabilities of its tokens, or none: they are
 * copied (their texts borrowed), ride on the delta that completes their text, and go with markup
 * that is no text. After a stop string, or after the one call that may come, gs_parser_stopped() is
 * true and further text is dropped. */
enum gs_flow gs_parser_feed(struct gs_parser *p, struct gs_slice text, const struct gs_logprob *lp,
                            size_t n_lp);
/* The text is over: release what is held, end the open block. What opens like a tool call but is
 * none comes out as text, so nothing is lost; a call whose arguments had begun ends as it is. */
enum gs_flow gs_parser_finish(struct gs_parser *p);

/* The same where a limit cut the text off: what lacks of a call is not made up for. */
enum gs_flow gs_parser_break_off(struct gs_parser *p);

/* *out_stop: the stop string; empty after the one call. */
bool gs_parser_stopped(const struct gs_parser *p, struct gs_slice *out_stop);
size_t gs_parser_tool_calls(const struct gs_parser *p); /* completed so far */
/* Whether the parser wants to see the control token spelled so: some families write tool calls,
 * reasoning and channels with them. All others are scaffolding of the conversation. */
bool gs_parser_reads_token(const struct gs_prompt_traits *traits, struct gs_slice spelling);
bool gs_parser_in_reasoning(const struct gs_parser *p);
/* The region of tool calls that is being written; empty outside of one, and where it may still
 * come to mean something else. Until the next feed. */
struct gs_slice gs_parser_region(const struct gs_parser *p);
/* Calls were passed over after the one that may come. */
bool gs_parser_dropped_calls(const struct gs_parser *p);
bool gs_parser_failed(const struct gs_parser *p); /* out of memory */

#endif
