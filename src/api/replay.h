/* What the model wrote, kept as tokens, so that the next turn's prompt holds exactly these although
 * clients send their own spelling of it back: arguments serialised anew, reasoning left out.
 *
 * An answer is found again by the ids of its tool calls, the signature of its reasoning, or all
 * that was said up to it; and only if what came back means the same. */
#ifndef GS_API_REPLAY_H
#define GS_API_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/compiler.h"
#include "genset/chat.h"

struct gs_replay;
struct gs_replay_store;

/* Beyond max_bytes the answers longest unused are dropped. thread: all calls below, any. */
GS_MUST_CHECK enum gs_status
gs_replay_store_create(size_t max_bytes, struct gs_replay_store **out_s, struct gs_error *err);
void gs_replay_store_free(struct gs_replay_store *s); /* after all matches are released */

/* ---- recording one answer. thread: one at a time ---- */

/* `opening`: what the prompt of `chat` put between the header of the model's turn and the answer.
 */
GS_MUST_CHECK enum gs_status gs_replay_begin(const struct gs_replay_store *s,
                                             const struct gs_chat *chat, struct gs_slice opening,
                                             struct gs_replay **out_r, struct gs_error *err);
void gs_replay_take_token(struct gs_replay *r, int32_t id);
void gs_replay_take_event(struct gs_replay *r, const struct gs_event *ev);
/* Opaque; for the answer's blocks of reasoning. */
struct gs_slice gs_replay_signature(const struct gs_replay *r);
/* The answer is whole: it is the store's from now on. Where memory is short it is forgotten. */
void gs_replay_keep(struct gs_replay_store *s, struct gs_replay *r);
/* The answer is not worth keeping. NULL is allowed. */
void gs_replay_free(struct gs_replay *r);

/* ---- finding ---- */

struct gs_replay_match {
    size_t message_idx;
    struct gs_replay *replay;
    struct gs_slice opening;
    const int32_t *tokens; /* without the one that ended the turn */
    size_t n_tokens;
};

/* The messages of `chat` that are answers kept here, in `a`; release them also if there are none.
 */
GS_MUST_CHECK enum gs_status gs_replay_find(struct gs_replay_store *s, const struct gs_chat *chat,
                                            struct gs_arena *a, struct gs_replay_match **out_m,
                                            size_t *out_n, struct gs_error *err);
void gs_replay_release(struct gs_replay_store *s, const struct gs_replay_match *m, size_t n);

#endif
