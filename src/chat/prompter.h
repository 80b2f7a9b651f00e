/* A compiled template and what was found out about it; shared by prompt.c and seams.c. */
#ifndef GS_CHAT_PROMPTER_H
#define GS_CHAT_PROMPTER_H

#include "chat/prompt.h"
#include "chat/seams.h"

struct gs_prompter {
    struct gs_template *tpl;
    struct gs_prompt_traits traits;
    struct gs_chat_seams seams;
    char *bos, *eos;
};

/* Append what the template makes of `chat` under the assumptions `traits`. `marks` as of
 * struct gs_chat_vars. */
GS_MUST_CHECK enum gs_status gs_chat_render(const struct gs_prompter *p,
                                            const struct gs_prompt_traits *traits,
                                            const struct gs_chat *chat,
                                            const struct gs_slice *marks, bool add_prompt,
                                            int64_t now_us, struct gs_buf *b, struct gs_error *err);

#endif
