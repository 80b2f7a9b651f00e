/* From a chat to the variables of a template. */
#ifndef GS_CHAT_VARS_H
#define GS_CHAT_VARS_H

#include "base/arena.h"
#include "base/compiler.h"
#include "chat/prompt.h"
#include "genset/chat.h"
#include "json/json.h"

struct gs_chat_vars {
    const struct gs_prompt_traits *traits;
    struct gs_slice bos, eos;
    bool add_generation_prompt;
    const struct gs_slice *marks; /* [n_messages], or NULL: an assistant's message whose mark is not
                                     empty says nothing but that, in its text or its arguments */
};

/* Build the object of variables (messages, tools, bos_token, ...) in `a`; slices of the chat are
 * borrowed. errors: GS_EUNSUPPORTED (an image), GS_EINVAL (a schema that is no JSON), GS_ENOMEM. */
GS_MUST_CHECK enum gs_status gs_chat_vars_build(const struct gs_chat_vars *opt,
                                                const struct gs_chat *chat, struct gs_arena *a,
                                                struct gs_json *out_vars, struct gs_error *err);

#endif
