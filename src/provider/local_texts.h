/* The thread that turns texts into vectors and scores. Requests take turns, so that a short one
 * does not wait for a long one. Private to provider/. */
#ifndef GS_PROVIDER_LOCAL_TEXTS_H
#define GS_PROVIDER_LOCAL_TEXTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "genset/genset.h"

struct gs_local_texts;

/* One request. What it points to lives until on_end. */
struct gs_local_job {
    const struct gs_texts *texts;
    gs_llm *llm;
    gs_event_fn *on_event;
    void (*on_end)(void *ud); /* the thread's last word on it; not if the thread was freed before */
    void *ud;                 /* of both */

    struct gs_local_texts *owner; /* what follows is its business */
    atomic_bool is_cancelled;
    bool is_resting, is_due; /* paused; resumed before it was */
    size_t next;             /* input */
    struct gs_vectors ready; /* of inputs before it */
    size_t n_told;           /* of these */
    struct gs_usage usage;
};

/* For n jobs at once. errors: GS_ENOMEM. */
GS_MUST_CHECK enum gs_status gs_local_texts_create(size_t n, struct gs_local_texts **out_t,
                                                   struct gs_error *err);
/* Ends within a step; jobs are let go of without a word. NULL is allowed. */
void gs_local_texts_free(struct gs_local_texts *t);

/* False: more jobs than were agreed on, or the thread is ending. */
GS_MUST_CHECK bool gs_local_texts_start(struct gs_local_texts *t, struct gs_local_job *job);
/* Go on after GS_FLOW_PAUSE. thread: any, between start and on_end. */
void gs_local_texts_resume(struct gs_local_job *job);
/* End within a step; on_end follows. thread: as of resume. */
void gs_local_texts_cancel(struct gs_local_job *job);
/* Release what a job holds that the thread is done with. */
void gs_local_texts_clear(struct gs_local_job *job);

#endif
