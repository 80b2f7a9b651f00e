/* Where a turn of the model begins and ends in the text that a template makes.
 *
 * Templates respell what the model wrote: they drop its reasoning, set white space, write calls
 * their own way. To put the model's own tokens there instead, its turn is rendered with a mark for
 * content, and what stands between the seams around the mark is cut out. What the seams look like
 * is found by rendering small conversations once. */
#ifndef GS_CHAT_SEAMS_H
#define GS_CHAT_SEAMS_H

#include "chat/prompt.h"

struct gs_prompter;

/* Who speaks before or after the model. */
enum gs_chat_side { GS_SIDE_USER, GS_SIDE_TOOL, GS_SIDE_SYSTEM, GS_SIDES };

struct gs_chat_seams {
    struct gs_arena a;
    struct gs_slice header[GS_SIDES];  /* from this speaker's text to the model's; empty: unknown */
    struct gs_slice trailer[GS_SIDES]; /* from the model's text to this speaker's; empty: unknown */
};

/* Fill p->seams, whose traits are known. Want of memory leaves them unknown. */
void gs_chat_seams_learn(struct gs_prompter *p);

/* Render with replays (gs_prompter_shape), but for an open last turn. */
GS_MUST_CHECK enum gs_status gs_chat_seams_render(const struct gs_prompter *p,
                                                  const struct gs_chat *chat, int64_t now_us,
                                                  struct gs_prompt_shape *shape, struct gs_buf *b,
                                                  struct gs_error *err);

#endif
