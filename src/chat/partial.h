/* An answer that broke off, in the words of a model that is to go on with it. */
#ifndef GS_CHAT_PARTIAL_H
#define GS_CHAT_PARTIAL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "chat/parser.h"
#include "chat/prompt.h"
#include "genset/chat.h"

/* A piece of the text, by where it ends. Markup is the family's own; all else is what somebody
 * wrote, and never a special token, whatever it looks like. */
struct gs_chat_piece {
    size_t end;
    bool is_markup;
};

/* The text goes behind a prompt that ends where the model's answer begins. What was open at the
 * break is open at its end. */
struct gs_chat_partial {
    struct gs_buf text;
    struct gs_chat_piece *pieces;
    size_t n_pieces;
};

/* The last block of `m` is a call whose arguments are not complete. */
bool gs_chat_call_is_open(const struct gs_message *m);
/* How a call is written, of which somebody else wrote the beginning: its arguments are JSON. */
const struct gs_tool_spelling *gs_chat_call_spelling(const struct gs_prompt_traits *traits);

/* Write the blocks of `m`. Reasoning of a model that has none is left out; `opens_reasoning` as of
 * gs_prompter_render(). errors: GS_EUNSUPPORTED (what broke off is no text, reasoning or call),
 * GS_ENOMEM. */
GS_MUST_CHECK enum gs_status gs_chat_partial_write(const struct gs_prompt_traits *traits,
                                                   const struct gs_message *m, bool opens_reasoning,
                                                   struct gs_chat_partial *out_p,
                                                   struct gs_error *err);
void gs_chat_partial_clear(struct gs_chat_partial *p);

#endif
