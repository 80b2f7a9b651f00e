/* Several answers behind one: those of a chat that wants more than one, and of the chats that
 * follow it (gs_chat.next). */
#ifndef GS_API_CHOICES_H
#define GS_API_CHOICES_H

#include "genset/genset.h"

struct gs_choices;

static inline bool gs_choices_wanted(const struct gs_chat *chat)
{
    return chat->n_answers > 1 || chat->next;
}

/* As gs_llm_answer(). errors: also GS_ELIMIT beyond GS_MAX_ANSWERS. */
GS_MUST_CHECK enum gs_status gs_choices_create(gs_llm *llm, const struct gs_chat *chat,
                                               gs_event_fn *on_event, void *ud,
                                               struct gs_choices **out_c, struct gs_error *err);
/* As gs_answer_cancel() and its kin. */
void gs_choices_cancel(struct gs_choices *c);
void gs_choices_resume(struct gs_choices *c);
void gs_choices_wait(struct gs_choices *c);
void gs_choices_free(struct gs_choices *c);

#endif
