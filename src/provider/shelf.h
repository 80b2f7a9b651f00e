/* The shelf: which models there are, for all threads, and the thread ("disk") that does what needs
 * their files: looking for new ones, showing, copying and deleting them. Private to provider/. */
#ifndef GS_PROVIDER_SHELF_H
#define GS_PROVIDER_SHELF_H

#include "base/arena.h"
#include "base/compiler.h"
#include "genset/models.h"
#include "provider/catalog.h"

struct gs_local_shelf;
struct gs_local_upload;

struct gs_local_shelf_options {
    struct gs_local_places places;
    const char *default_model; /* name or path, or NULL */
    bool any_name;             /* names nobody has mean the default model */
    size_t max_chores;
    void (*on_change)(void *ud); /* other models than before; on any thread but the caller's */
    void *ud;
};

/* An errand for the disk thread. */
struct gs_local_chore {
    struct gs_errand *errand;
    struct gs_slice piece; /* of GS_ERRAND_BLOB_ADD, done piece by piece */
    bool is_last;
    struct gs_local_upload *upload; /* its state: the owner's to free */
    /* The disk thread's last word on it, unless the shelf is closed before. */
    void (*on_end)(void *ud, enum gs_status st, const struct gs_error *err);
    void *ud;
};

/* Strings are copied. errors as of gs_local_create(). */
GS_MUST_CHECK enum gs_status gs_local_shelf_create(const struct gs_local_shelf_options *opt,
                                                   struct gs_local_shelf **out_s,
                                                   struct gs_error *err);
/* End the disk thread after the chore it is at; the others are let go of without a word. */
void gs_local_shelf_close(struct gs_local_shelf *s);
void gs_local_shelf_free(struct gs_local_shelf *s); /* NULL is allowed */

/* What follows is for any thread, but for the loop only where said so. */

/* Copy what is known of the model that is meant into `a`.
 * errors: GS_ENOTFOUND, GS_EUNSUPPORTED (made for something else), GS_ENOMEM. */
GS_MUST_CHECK enum gs_status gs_local_shelf_find(struct gs_local_shelf *s, struct gs_slice name,
                                                 enum gs_local_purpose purpose, struct gs_arena *a,
                                                 struct gs_local_model *out_model,
                                                 struct gs_error *err);
/* The same, of whatever it is made for. */
GS_MUST_CHECK enum gs_status gs_local_shelf_find_any(struct gs_local_shelf *s, struct gs_slice name,
                                                     struct gs_arena *a,
                                                     struct gs_local_model *out_model,
                                                     struct gs_error *err);
/* Whether a model is called so, by the client's own words. */
bool gs_local_shelf_is_name(struct gs_local_shelf *s, struct gs_slice name);
/* The largest model made for writing with a file smaller than that and room for so many tokens; of
 * those that are open only, if asked so. False: there is none. */
bool gs_local_shelf_smaller(struct gs_local_shelf *s, int64_t file_bytes, int64_t ctx_tokens,
                            bool is_open, struct gs_arena *a, struct gs_local_model *out_model);
/* Whether this version of the file at `path` is still there. thread: any. */
bool gs_local_shelf_has(struct gs_local_shelf *s, const char *path, uint64_t version);
/* Say what became of a model. */
void gs_local_shelf_mark(struct gs_local_shelf *s, const char *path, int64_t fit_tokens,
                         int64_t expires_us);
/* All models, by name; until the next call. thread: any, one at a time. */
size_t gs_local_shelf_models(struct gs_local_shelf *s, const struct gs_local_model **out_models);
/* thread: any. False: too many, or closed. */
GS_MUST_CHECK bool gs_local_shelf_start(struct gs_local_shelf *s, struct gs_local_chore *chore);

#endif
