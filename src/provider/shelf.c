/* The catalog is replaced whole: a search reads the folders without a lock that others wait for,
 * then takes the place of what was known. Which models are open is noted beside it. Whoever asks
 * gets copies, so that nothing is held while it changes. */
#include "provider/shelf.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/queue.h"
#include "base/slice.h"
#include "base/thread.h"
#include "provider/shelf_files.h"

/* An open model. */
struct mark {
    char *path;
    int64_t fit_tokens, expires_us;
};

struct gs_local_shelf {
    /* fixed at creation */
    struct gs_arena strings;
    struct gs_local_places places;
    struct gs_slice default_model;
    bool any_name;
    void (*on_change)(void *ud);
    void *ud;
    pthread_t thread;
    bool has_thread;

    struct gs_queue *inbox; /* of chores */
    atomic_bool is_closing;

    pthread_mutex_t
        search_lock;      /* held by who looks through the folders and replaces the catalog */
    pthread_mutex_t lock; /* guards what follows; a leaf */
    struct gs_local_catalog catalog;
    struct mark *marks;
    size_t n_marks, marks_cap;
    uint64_t edition; /* of all this */

    /* whoever calls gs_local_shelf_models() */
    struct gs_arena shown;
    const struct gs_local_model *shown_models;
    size_t n_shown;
    uint64_t shown_edition;
};

/* ---- searching ---- */

static bool same_models(const struct gs_local_catalog *a, const struct gs_local_catalog *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++) {
        if (a->models[i].version != b->models[i].version ||
            strcmp(a->models[i].path, b->models[i].path) != 0)
            return false;
    }
    return true;
}

/* Bring the catalog up to date. Where that fails what was known is still there. */
static void refresh(struct gs_local_shelf *s)
{
    struct gs_local_catalog found;

    pthread_mutex_lock(&s->search_lock);
    bool is_new = gs_local_catalog_init(&found, &s->places, &s->catalog, NULL) == GS_OK &&
                  !same_models(&found, &s->catalog);
    if (is_new) {
        pthread_mutex_lock(&s->lock);
        const struct gs_local_catalog old = s->catalog;
        s->catalog = found;
        s->edition++;
        pthread_mutex_unlock(&s->lock);
        found = old;
    }
    gs_local_catalog_clear(&found);
    pthread_mutex_unlock(&s->search_lock);
    if (is_new && s->on_change)
        s->on_change(s->ud);
}

/* ---- finding; what is called here is called with the lock held ---- */

static struct mark *find_mark(const struct gs_local_shelf *s, const char *path)
{
    for (size_t i = 0; i < s->n_marks; i++) {
        if (strcmp(s->marks[i].path, path) == 0)
            return &s->marks[i];
    }
    return NULL;
}

/* A copy of a model with what is noted of it; false if memory is short. */
static bool copy_model(const struct gs_local_shelf *s, size_t idx, struct gs_arena *a,
                       struct gs_local_model *out)
{
    const struct gs_local_model *m = &s->catalog.models[idx];
    const struct mark *mark = find_mark(s, m->path);

    if (!gs_local_catalog_copy(a, m, out))
        return false;
    if (mark) {
        out->is_loaded = true;
        out->fit_tokens = mark->fit_tokens;
        out->expires_us = mark->expires_us;
    }
    return true;
}

/* A model made for `purpose`, rather one that is open. */
static size_t find_purpose(const struct gs_local_shelf *s, enum gs_local_purpose purpose)
{
    const struct gs_local_catalog *c = &s->catalog;
    size_t found = SIZE_MAX;

    for (size_t i = 0; i < c->n; i++) {
        if (c->models[i].purpose != purpose)
            continue;
        if (find_mark(s, c->models[i].path))
            return i;
        found = GS_MIN(found, i);
    }
    return found;
}

/* The model that `name` means; for NULL purpose the default whatever that is made for. */
static size_t find_meant(const struct gs_local_shelf *s, struct gs_slice name,
                         const enum gs_local_purpose *purpose)
{
    const struct gs_local_catalog *c = &s->catalog;
    size_t idx = gs_local_catalog_find(c, name);

    if (idx != SIZE_MAX || (name.len > 0 && !s->any_name))
        return idx;
    if (s->default_model.len > 0)
        idx = gs_local_catalog_find(c, s->default_model);
    if (idx != SIZE_MAX && (!purpose || c->models[idx].purpose == *purpose))
        return idx;
    const size_t made_for_it = find_purpose(s, purpose ? *purpose : GS_LOCAL_WRITING);
    if (made_for_it != SIZE_MAX)
        return made_for_it;
    return idx == SIZE_MAX && c->n > 0 ? 0 : idx;
}

static const char *purpose_name(enum gs_local_purpose purpose)
{
    static const char *const names[] = {"writing", "embedding texts", "ranking documents"};

    return names[purpose];
}

/* Vectors of a model made for something else are of no use to anybody. */
static enum gs_status check_purpose(const struct gs_local_model *m, enum gs_local_purpose purpose,
                                    struct gs_error *err)
{
    if (m->purpose == purpose || (purpose == GS_LOCAL_WRITING && m->purpose != GS_LOCAL_RANKING))
        return GS_OK; /* whether it has words of its own it will say itself */
    gs_error_set(err, GS_EUNSUPPORTED, "model \"%s\" is made for %s, not for %s", m->name,
                 purpose_name(m->purpose), purpose_name(purpose));
    if (purpose == GS_LOCAL_EMBEDDING)
        gs_error_hint(err, "Name an embedding model, such as nomic-embed-text, bge-m3 or "
                           "Qwen3-Embedding.");
    if (purpose == GS_LOCAL_RANKING)
        gs_error_hint(err, "Name a reranker, such as bge-reranker-v2-m3 or Qwen3-Reranker.");
    return GS_EUNSUPPORTED;
}

static enum gs_status find_locked(struct gs_local_shelf *s, struct gs_slice name,
                                  const enum gs_local_purpose *purpose, struct gs_arena *a,
                                  struct gs_local_model *out_model, struct gs_error *err)
{
    const size_t idx = find_meant(s, name, purpose);

    if (idx == SIZE_MAX)
        return gs_local_catalog_not_found(&s->catalog, name, err);
    const struct gs_local_model *m = &s->catalog.models[idx];
    if (purpose && check_purpose(m, *purpose, err) != GS_OK)
        return GS_EUNSUPPORTED;
    return copy_model(s, idx, a, out_model) ? GS_OK : gs_error_nomem(err, "find a model");
}

static enum gs_status find(struct gs_local_shelf *s, struct gs_slice name,
                           const enum gs_local_purpose *purpose, struct gs_arena *a,
                           struct gs_local_model *out_model, struct gs_error *err)
{
    pthread_mutex_lock(&s->lock);
    const bool is_known = name.len == 0 || gs_local_catalog_find(&s->catalog, name) != SIZE_MAX;
    pthread_mutex_unlock(&s->lock);
    if (!is_known)
        refresh(s); /* perhaps it came since */
    pthread_mutex_lock(&s->lock);
    const enum gs_status st = find_locked(s, name, purpose, a, out_model, err);
    pthread_mutex_unlock(&s->lock);
    return st;
}

enum gs_status gs_local_shelf_find(struct gs_local_shelf *s, struct gs_slice name,
                                   enum gs_local_purpose purpose, struct gs_arena *a,
                                   struct gs_local_model *out_model, struct gs_error *err)
{
    return find(s, name, &purpose, a, out_model, err);
}

enum gs_status gs_local_shelf_find_any(struct gs_local_shelf *s, struct gs_slice name,
                                       struct gs_arena *a, struct gs_local_model *out_model,
                                       struct gs_error *err)
{
    return find(s, name, NULL, a, out_model, err);
}

bool gs_local_shelf_is_name(struct gs_local_shelf *s, struct gs_slice name)
{
    pthread_mutex_lock(&s->lock);
    const bool is_name = name.len > 0 && gs_local_catalog_find(&s->catalog, name) != SIZE_MAX;
    pthread_mutex_unlock(&s->lock);
    return is_name;
}

bool gs_local_shelf_smaller(struct gs_local_shelf *s, int64_t file_bytes, int64_t ctx_tokens,
                            bool is_open, struct gs_arena *a, struct gs_local_model *out_model)
{
    const struct gs_local_catalog *c = &s->catalog;
    size_t best = SIZE_MAX;

    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < c->n; i++) {
        const struct gs_local_model *m = &c->models[i];
        if (m->purpose == GS_LOCAL_WRITING && m->file_bytes < file_bytes &&
            m->ctx_tokens >= ctx_tokens && (!is_open || find_mark(s, m->path)) &&
            (best == SIZE_MAX || m->file_bytes > c->models[best].file_bytes))
            best = i;
    }
    const bool is_there = best != SIZE_MAX && copy_model(s, best, a, out_model);
    pthread_mutex_unlock(&s->lock);
    return is_there;
}

bool gs_local_shelf_has(struct gs_local_shelf *s, const char *path, uint64_t version)
{
    bool is_there = false;

    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->catalog.n && !is_there; i++)
        is_there =
            s->catalog.models[i].version == version && strcmp(s->catalog.models[i].path, path) == 0;
    pthread_mutex_unlock(&s->lock);
    return is_there;
}

/* A mark for the path, or NULL: then the model is listed as not open, no harm is done. */
static struct mark *add_mark(struct gs_local_shelf *s, const char *path)
{
    if (s->n_marks == s->marks_cap) {
        const size_t cap = s->marks_cap ? 2 * s->marks_cap : 8;
        struct mark *grown = gs_realloc(s->marks, cap * sizeof(*grown));
        if (!grown)
            return NULL;
        s->marks = grown;
        s->marks_cap = cap;
    }
    char *copy = gs_alloc_str(path);
    if (!copy)
        return NULL;
    s->marks[s->n_marks] = (struct mark){.path = copy};
    return &s->marks[s->n_marks++];
}

void gs_local_shelf_mark(struct gs_local_shelf *s, const char *path, int64_t fit_tokens,
                         int64_t expires_us)
{
    pthread_mutex_lock(&s->lock);
    struct mark *mark = find_mark(s, path);
    if (!mark && expires_us)
        mark = add_mark(s, path);
    if (mark && expires_us) {
        mark->fit_tokens = fit_tokens;
        mark->expires_us = expires_us;
    } else if (mark) {
        gs_free(mark->path);
        *mark = s->marks[--s->n_marks];
    }
    s->edition++;
    pthread_mutex_unlock(&s->lock);
}

/* ---- listing ---- */

/* Copies of all models in `a`; false if memory is short. With the lock held. */
static bool copy_all(const struct gs_local_shelf *s, struct gs_arena *a,
                     const struct gs_local_model **out_models)
{
    struct gs_local_model *copy = gs_arena_array(a, GS_MAX(s->catalog.n, 1), sizeof(*copy));
    bool fits = copy != NULL;

    for (size_t i = 0; fits && i < s->catalog.n; i++)
        fits = copy_model(s, i, a, &copy[i]);
    if (fits)
        *out_models = copy;
    return fits;
}

size_t gs_local_shelf_models(struct gs_local_shelf *s, const struct gs_local_model **out_models)
{
    struct gs_arena fresh;
    const struct gs_local_model *models;

    gs_arena_init(&fresh, 0);
    pthread_mutex_lock(&s->lock);
    const bool is_new = s->shown_edition != s->edition && copy_all(s, &fresh, &models);
    if (is_new) {
        s->shown_edition = s->edition;
        s->n_shown = s->catalog.n;
    }
    pthread_mutex_unlock(&s->lock);
    if (is_new) {
        gs_arena_clear(&s->shown);
        s->shown = fresh;
        s->shown_models = models;
    } else {
        gs_arena_clear(&fresh);
    }
    *out_models = s->shown_models;
    return s->n_shown;
}

/* ---- the disk thread ---- */

static enum gs_status list(struct gs_local_shelf *s, struct gs_errand *e, struct gs_error *err)
{
    refresh(s);
    pthread_mutex_lock(&s->lock);
    const bool fits = copy_all(s, e->arena, &e->models);
    e->n_models = fits ? s->catalog.n : 0;
    pthread_mutex_unlock(&s->lock);
    return fits ? GS_OK : gs_error_nomem(err, "list models");
}

/* The model of this name, in e->models; one that is to be deleted has exactly this name. */
static enum gs_status find_named(struct gs_local_shelf *s, struct gs_errand *e,
                                 struct gs_error *err)
{
    struct gs_local_model *m = gs_arena_alloc(e->arena, sizeof(*m));
    enum gs_status st = GS_OK;

    if (!m)
        return gs_error_nomem(err, "find a model");
    refresh(s);
    pthread_mutex_lock(&s->lock);
    const size_t idx = (e->kind == GS_ERRAND_DELETE ? gs_local_catalog_find_exact
                                                    : gs_local_catalog_find)(&s->catalog, e->model);
    if (idx == SIZE_MAX)
        st = gs_local_catalog_not_found(&s->catalog, e->model, err);
    else if (!copy_model(s, idx, e->arena, m))
        st = gs_error_nomem(err, "find a model");
    pthread_mutex_unlock(&s->lock);
    if (st == GS_OK) {
        e->models = m;
        e->n_models = 1;
    }
    return st;
}

/* A name is taken by a file that is not ours to replace? */
static enum gs_status check_target(struct gs_local_shelf *s, struct gs_slice name,
                                   struct gs_error *err)
{
    enum gs_status st = GS_OK;

    pthread_mutex_lock(&s->lock);
    const size_t idx = gs_local_catalog_find_exact(&s->catalog, name);
    const struct gs_local_model *m = idx == SIZE_MAX ? NULL : &s->catalog.models[idx];
    if (m && !m->is_own) {
        st = gs_error_set(err, GS_EINVAL, "model \"%s\" is there already, outside genset's folder",
                          m->name);
        gs_error_hint(err, "Choose another name.");
    }
    pthread_mutex_unlock(&s->lock);
    return st;
}

static enum gs_status show(struct gs_local_shelf *s, struct gs_errand *e, struct gs_error *err)
{
    struct gs_local_model *m = gs_arena_alloc(e->arena, sizeof(*m));

    if (!m)
        return gs_error_nomem(err, "show a model");
    const enum gs_status st = find(s, e->model, NULL, e->arena, m, err);
    if (st != GS_OK)
        return st;
    e->models = m;
    e->n_models = 1;
    return gs_local_card_fill(e, err);
}

static enum gs_status do_errand(struct gs_local_shelf *s, struct gs_errand *e, struct gs_error *err)
{
    enum gs_status st = GS_OK;

    switch (e->kind) {
    case GS_ERRAND_LIST:
        return list(s, e, err);
    case GS_ERRAND_FIND:
        return find_named(s, e, err);
    case GS_ERRAND_SHOW:
        return e->n_remotes > 0 ? GS_OK : show(s, e, err);
    case GS_ERRAND_DELETE:
        st = find_named(s, e, err);
        break;
    case GS_ERRAND_COPY:
    case GS_ERRAND_CREATE:
        if (!e->digest.len)
            st = find_named(s, e, err);
        if (st == GS_OK)
            st = check_target(s, e->target, err);
        break;
    case GS_ERRAND_BLOB_FIND:
        break;
    case GS_ERRAND_BLOB_ADD:
    case GS_ERRAND_OPEN:
    case GS_ERRAND_CLOSE:
    case GS_ERRAND_TOKENIZE:
    case GS_ERRAND_DETOKENIZE:
    case GS_ERRAND_RENDER:
    case GS_ERRAND_FACTS:
        return gs_error_set(err, GS_EINTERNAL, "no errand for the disk");
    }
    if (st == GS_OK)
        st = gs_local_files_do(s->places.own, e, err);
    refresh(s);
    return st;
}

static enum gs_status take_piece(struct gs_local_shelf *s, struct gs_local_chore *chore,
                                 struct gs_error *err)
{
    enum gs_status st = GS_OK;

    if (!chore->upload)
        st = gs_local_upload_create(s->places.own, chore->errand->digest, &chore->upload, err);
    if (st == GS_OK)
        st = gs_local_upload_write(chore->upload, chore->piece, err);
    if (st == GS_OK && chore->is_last)
        st = gs_local_upload_finish(chore->upload, err);
    if (st != GS_OK || chore->is_last) {
        gs_local_upload_free(chore->upload); /* who is told that it failed finds nothing of it */
        chore->upload = NULL;
    }
    return st;
}

static void run(void *arg)
{
    struct gs_local_shelf *s = arg;

    gs_assert_thread(GS_THREAD_DISK);
    for (;;) {
        struct gs_local_chore *chore = gs_queue_pop(s->inbox);
        struct gs_error err = {0};
        if (!chore || atomic_load(&s->is_closing))
            break;
        const enum gs_status st = chore->errand->kind == GS_ERRAND_BLOB_ADD
                                      ? take_piece(s, chore, &err)
                                      : do_errand(s, chore->errand, &err);
        chore->on_end(chore->ud, st, &err);
    }
}

bool gs_local_shelf_start(struct gs_local_shelf *s, struct gs_local_chore *chore)
{
    return gs_queue_push(s->inbox, chore);
}

/* ---- life ---- */

static bool copy_string(struct gs_arena *a, const char **s)
{
    struct gs_slice copy;

    if (!*s)
        return true;
    if (!gs_arena_dup(a, gs_slice_str(*s), &copy))
        return false;
    *s = copy.ptr;
    return true;
}

static bool copy_options(struct gs_local_shelf *s, const struct gs_local_shelf_options *opt)
{
    const size_t n = opt->places.n_paths;
    const char **paths = gs_arena_array(&s->strings, GS_MAX(n, 1), sizeof(*paths));
    bool fits = paths != NULL;

    s->any_name = opt->any_name;
    s->on_change = opt->on_change;
    s->ud = opt->ud;
    s->places = opt->places;
    for (size_t i = 0; fits && i < n; i++) {
        paths[i] = opt->places.paths[i];
        fits = copy_string(&s->strings, &paths[i]);
    }
    s->places.paths = paths;
    const char *default_model = opt->default_model;
    fits = fits && copy_string(&s->strings, &s->places.extra) &&
           copy_string(&s->strings, &s->places.own) && copy_string(&s->strings, &default_model);
    s->default_model = gs_slice_str(default_model);
    return fits;
}

enum gs_status gs_local_shelf_create(const struct gs_local_shelf_options *opt,
                                     struct gs_local_shelf **out_s, struct gs_error *err)
{
    struct gs_local_shelf *s = gs_alloc_zero(sizeof(*s));

    if (!s)
        return gs_error_nomem(err, "list models");
    gs_arena_init(&s->strings, 0);
    gs_arena_init(&s->shown, 0);
    pthread_mutex_init(&s->lock, NULL);
    pthread_mutex_init(&s->search_lock, NULL);
    s->edition = 1;
    enum gs_status st = copy_options(s, opt) ? GS_OK : gs_error_nomem(err, "list models");
    if (st == GS_OK)
        st = gs_local_catalog_init(&s->catalog, &s->places, NULL, err);
    if (st == GS_OK && s->default_model.len > 0 &&
        gs_local_catalog_find(&s->catalog, s->default_model) == SIZE_MAX)
        st = gs_local_catalog_not_found(&s->catalog, s->default_model, err);
    if (st == GS_OK)
        st = gs_queue_create(opt->max_chores, &s->inbox, err);
    if (st == GS_OK)
        st = gs_thread_start(&s->thread, GS_THREAD_DISK, run, s, err);
    s->has_thread = st == GS_OK;
    if (st != GS_OK) {
        gs_local_shelf_free(s);
        return st;
    }
    *out_s = s;
    return GS_OK;
}

void gs_local_shelf_close(struct gs_local_shelf *s)
{
    if (!s->has_thread)
        return;
    atomic_store(&s->is_closing, true);
    gs_queue_close(s->inbox);
    pthread_join(s->thread, NULL);
    s->has_thread = false;
}

void gs_local_shelf_free(struct gs_local_shelf *s)
{
    if (!s)
        return;
    gs_local_shelf_close(s);
    gs_queue_free(s->inbox);
    gs_local_catalog_clear(&s->catalog);
    for (size_t i = 0; i < s->n_marks; i++)
        gs_free(s->marks[i].path);
    gs_free(s->marks);
    pthread_mutex_destroy(&s->search_lock);
    pthread_mutex_destroy(&s->lock);
    gs_arena_clear(&s->shown);
    gs_arena_clear(&s->strings);
    gs_free(s);
}
