/* A conversation: what was said, and the request it makes. */
#ifndef GS_CLI_TALK_H
#define GS_CLI_TALK_H

#include "base/arena.h"
#include "config/config.h"
#include "genset/genset.h"

struct gs_cli_talk {
    struct gs_arena arena;
    struct gs_message *messages;
    size_t len, cap;
};

void gs_cli_talk_init(struct gs_cli_talk *t);
void gs_cli_talk_clear(struct gs_cli_talk *t); /* forget everything; usable again */
/* Append a turn; the texts are copied. `reasoning` may be empty. errors: GS_ENOMEM. */
GS_MUST_CHECK enum gs_status gs_cli_talk_add(struct gs_cli_talk *t, enum gs_role role,
                                             struct gs_slice text, struct gs_slice reasoning,
                                             struct gs_error *err);
/* Take the last turn back. */
void gs_cli_talk_undo(struct gs_cli_talk *t);
/* The conversation as a request with the settings of `c`; lives until the next change. `is_raw`:
 * the last turn is a text to be continued. */
GS_MUST_CHECK enum gs_status gs_cli_talk_chat(struct gs_cli_talk *t, const struct gs_config *c,
                                              bool is_raw, struct gs_chat *out_chat,
                                              struct gs_error *err);

#endif
