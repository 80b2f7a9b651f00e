/* The models that are open. Everything here is the local thread's. Private to provider/. */
#ifndef GS_PROVIDER_LOCAL_OPEN_H
#define GS_PROVIDER_LOCAL_OPEN_H

#include "base/arena.h"
#include "base/compiler.h"
#include "genset/genset.h"
#include "genset/models.h"

struct gs_local_shelf;

struct gs_local_open {
    struct gs_arena a;
    struct gs_local_model model; /* as it was found; its strings live in a */
    gs_llm *llm;
    int64_t fit_tokens;

    struct gs_local_open *next; /* what follows is local_open.c's business */
    size_t n_users;
    uint64_t last_used;
    int64_t keep_ms;  /* once nobody uses it; negative: until memory is needed */
    int64_t close_us; /* monotonic: when it is closed, while nobody uses it */
    bool is_leaving;  /* closed as soon as nobody uses it */
};

struct gs_local_opened {
    struct gs_local_shelf *shelf;
    struct gs_llm_options llm; /* how models are opened */
    struct gs_local_open *first;
    uint64_t uses;
    uint64_t poor;         /* version of the model that got no memory last */
    int64_t poor_until_us; /* monotonic: nobody who takes another asks for it before */
};

/* A context of any length, where memory is short. */
#define GS_LOCAL_ANY_CTX 1

/* The model that `name` means, open, made for `purpose`, or, if that is NULL, for anything; used
 * from now on. If memory is short it may have less than is configured, but a context of so many
 * tokens; 0: no less. *out_load_us is 0 if it was open already.
 * errors: as of gs_local_shelf_find() and gs_llm_open(); GS_EBUSY: no memory while others are used.
 */
GS_MUST_CHECK enum gs_status gs_local_open_use(struct gs_local_opened *o, struct gs_slice name,
                                               const enum gs_local_purpose *purpose,
                                               struct gs_keep keep, int64_t least_ctx_tokens,
                                               struct gs_local_open **out_open,
                                               int64_t *out_load_us, struct gs_error *err);
/* What closing those that nobody uses would give back, at most. */
int64_t gs_local_open_idle_bytes(const struct gs_local_opened *o);
/* Whether this model is. */
bool gs_local_open_is(const struct gs_local_opened *o, const struct gs_local_model *model);
/* Whether the model that `name` means is open. */
bool gs_local_open_has(struct gs_local_opened *o, struct gs_slice name,
                       enum gs_local_purpose purpose);
/* No longer used by one of those who did. */
void gs_local_open_release(struct gs_local_opened *o, struct gs_local_open *m);
/* The same, and it is closed at once if nobody else uses it. */
void gs_local_open_leave(struct gs_local_opened *o, struct gs_local_open *m);
/* Close the model that `name` means once nobody uses it; it need not be open. */
GS_MUST_CHECK enum gs_status gs_local_open_close(struct gs_local_opened *o, struct gs_slice name,
                                                 struct gs_arena *a, struct gs_error *err);
/* Files went away or were replaced: so do the models made of them. */
void gs_local_open_tidy(struct gs_local_opened *o);
/* Close what is due; when (monotonic) to be called next, INT64_MAX = never. */
int64_t gs_local_open_expire(struct gs_local_opened *o);
void gs_local_open_close_all(struct gs_local_opened *o);

#endif
