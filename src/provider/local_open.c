/* Weights are mapped, so the system would let two models that do not fit together push each other
 * out of memory for ever: what is open is counted here, and what is idle closed to make room. */
#include "provider/local_open.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/os.h"
#include "provider/shelf.h"

/* Weights of all open models together, in hundredths of the machine's memory. */
#define MEMORY_SHARE 80

/* ---- closing ---- */

static void free_open(struct gs_local_open *m)
{
    gs_llm_close(m->llm);
    gs_arena_clear(&m->a);
    gs_free(m);
}

static void close_model(struct gs_local_opened *o, struct gs_local_open *m)
{
    struct gs_local_open **link = &o->first;

    while (*link != m)
        link = &(*link)->next;
    *link = m->next;
    gs_local_shelf_mark(o->shelf, m->model.path, 0, 0);
    free_open(m);
}

/* Close the open model that nobody uses and that was used longest ago; false if there is none. */
static bool close_one(struct gs_local_opened *o)
{
    struct gs_local_open *oldest = NULL;

    for (struct gs_local_open *m = o->first; m; m = m->next) {
        if (m->n_users == 0 && (!oldest || m->last_used < oldest->last_used))
            oldest = m;
    }
    if (oldest)
        close_model(o, oldest);
    return oldest != NULL;
}

int64_t gs_local_open_expire(struct gs_local_opened *o)
{
    const int64_t now_us = gs_clock_mono_us();
    int64_t next_us = INT64_MAX;
    struct gs_local_open *next;

    for (struct gs_local_open *m = o->first; m; m = next) {
        next = m->next;
        if (m->n_users > 0)
            continue;
        if (m->is_leaving || m->close_us <= now_us)
            close_model(o, m);
        else
            next_us = GS_MIN(next_us, m->close_us);
    }
    return next_us;
}

void gs_local_open_tidy(struct gs_local_opened *o)
{
    for (struct gs_local_open *m = o->first; m; m = m->next)
        m->is_leaving |= !gs_local_shelf_has(o->shelf, m->model.path, m->model.version);
}

void gs_local_open_close_all(struct gs_local_opened *o)
{
    while (o->first)
        close_model(o, o->first);
}

/* ---- opening ---- */

static int64_t open_bytes(const struct gs_local_opened *o)
{
    int64_t bytes = 0;

    for (const struct gs_local_open *m = o->first; m; m = m->next)
        bytes += m->model.file_bytes;
    return bytes;
}

static enum gs_status make_room(struct gs_local_opened *o, const struct gs_local_model *m,
                                struct gs_error *err)
{
    const int64_t total = gs_os_memory_total_bytes();

    while (total > 0 && open_bytes(o) > 0 &&
           open_bytes(o) + m->file_bytes > total / 100 * MEMORY_SHARE) {
        if (close_one(o))
            continue;
        gs_error_set(err, GS_EBUSY, "no memory for model \"%s\" while other models are answering",
                     m->name);
        gs_error_hint(err, "Try again when their answers are complete.");
        gs_error_amounts(err, m->file_bytes, total / 100 * MEMORY_SHARE - open_bytes(o));
        return GS_EBUSY;
    }
    return GS_OK;
}

/* As it is to be, if need be with all memory that idle ones have; or else smaller. */
static enum gs_status open_llm(struct gs_local_opened *o, struct gs_local_open *m,
                               int64_t least_ctx_tokens, struct gs_error *err)
{
    struct gs_llm_options opt = o->llm;
    struct gs_llm_info info;
    enum gs_status st = make_room(o, &m->model, err);

    if (st != GS_OK)
        return st;
    opt.least_ctx_tokens = least_ctx_tokens;
    st = gs_llm_open(m->model.path, &opt, &m->llm, err);
    while (st == GS_ENOMEM && close_one(o))
        st = gs_llm_open(m->model.path, &opt, &m->llm, err);
    opt.takes_less = least_ctx_tokens > 0;
    if (st == GS_ENOMEM && opt.takes_less)
        st = gs_llm_open(m->model.path, &opt, &m->llm, err);
    if (st != GS_OK)
        return st;
    gs_llm_info(m->llm, &info);
    m->fit_tokens = info.ctx_tokens;
    m->next = o->first;
    o->first = m;
    return GS_OK;
}

/* Not their weights: those are mapped, and the system takes their memory back by itself. */
int64_t gs_local_open_idle_bytes(const struct gs_local_opened *o)
{
    int64_t bytes = 0;

    for (const struct gs_local_open *m = o->first; m; m = m->next) {
        struct gs_llm_info info;
        if (m->n_users > 0)
            continue;
        gs_llm_info(m->llm, &info);
        bytes += info.kv_bytes + info.scratch_bytes;
    }
    return bytes;
}

static struct gs_local_open *find_open(const struct gs_local_opened *o,
                                       const struct gs_local_model *model)
{
    for (struct gs_local_open *m = o->first; m; m = m->next) {
        if (m->model.version == model->version && strcmp(m->model.path, model->path) == 0)
            return m;
    }
    return NULL;
}

bool gs_local_open_is(const struct gs_local_opened *o, const struct gs_local_model *model)
{
    return find_open(o, model) != NULL;
}

/* Say until when it stays. */
static void mark(struct gs_local_opened *o, const struct gs_local_open *m)
{
    gs_local_shelf_mark(o->shelf, m->model.path, m->fit_tokens,
                        m->keep_ms < 0 ? INT64_MAX : gs_clock_wall_us() + m->keep_ms * 1000);
}

static enum gs_status find(struct gs_local_opened *o, struct gs_slice name,
                           const enum gs_local_purpose *purpose, struct gs_arena *a,
                           struct gs_local_model *out_model, struct gs_error *err)
{
    return purpose ? gs_local_shelf_find(o->shelf, name, *purpose, a, out_model, err)
                   : gs_local_shelf_find_any(o->shelf, name, a, out_model, err);
}

/* A model that is found, and open; its own copy is dropped if it was open already. */
static enum gs_status need(struct gs_local_opened *o, struct gs_slice name,
                           const enum gs_local_purpose *purpose, int64_t least_ctx_tokens,
                           struct gs_local_open **out_open, int64_t *out_load_us,
                           struct gs_error *err)
{
    const int64_t began_us = gs_clock_mono_us();
    struct gs_local_open *m = gs_alloc_zero(sizeof(*m));

    if (!m)
        return gs_error_nomem(err, "open a model");
    gs_arena_init(&m->a, 0);
    enum gs_status st = find(o, name, purpose, &m->a, &m->model, err);
    struct gs_local_open *open = st == GS_OK ? find_open(o, &m->model) : NULL;
    int64_t load_us = 0;
    if (st == GS_OK && !open) {
        st = open_llm(o, m, least_ctx_tokens, err);
        load_us = GS_MAX(1, gs_clock_mono_us() - began_us);
    }
    if (st != GS_OK || open)
        free_open(m);
    if (st != GS_OK)
        return st;
    *out_open = open ? open : m;
    *out_load_us = load_us;
    return GS_OK;
}

enum gs_status gs_local_open_use(struct gs_local_opened *o, struct gs_slice name,
                                 const enum gs_local_purpose *purpose, struct gs_keep keep,
                                 int64_t least_ctx_tokens, struct gs_local_open **out_open,
                                 int64_t *out_load_us, struct gs_error *err)
{
    struct gs_local_open *m = NULL;
    const enum gs_status st = need(o, name, purpose, least_ctx_tokens, &m, out_load_us, err);

    if (st != GS_OK)
        return st;
    m->n_users++;
    m->last_used = ++o->uses;
    m->keep_ms = keep.is_set ? keep.ms : -1;
    m->is_leaving = !gs_local_shelf_has(o->shelf, m->model.path, m->model.version);
    mark(o, m);
    *out_open = m;
    return GS_OK;
}

bool gs_local_open_has(struct gs_local_opened *o, struct gs_slice name,
                       enum gs_local_purpose purpose)
{
    struct gs_local_model model;
    struct gs_arena a;

    gs_arena_init(&a, 0);
    const bool is_known = gs_local_shelf_find(o->shelf, name, purpose, &a, &model, NULL) == GS_OK;
    const bool is_open = is_known && find_open(o, &model);
    gs_arena_clear(&a);
    return is_open;
}

void gs_local_open_release(struct gs_local_opened *o, struct gs_local_open *m)
{
    if (--m->n_users > 0)
        return;
    m->close_us = m->keep_ms < 0 ? INT64_MAX : gs_clock_mono_us() + m->keep_ms * 1000;
    mark(o, m);
}

void gs_local_open_leave(struct gs_local_opened *o, struct gs_local_open *m)
{
    m->n_users--;
    if (m->n_users == 0)
        close_model(o, m);
}

enum gs_status gs_local_open_close(struct gs_local_opened *o, struct gs_slice name,
                                   struct gs_arena *a, struct gs_error *err)
{
    struct gs_local_model model;
    const enum gs_status st = gs_local_shelf_find_any(o->shelf, name, a, &model, err);

    if (st != GS_OK)
        return st;
    struct gs_local_open *m = find_open(o, &model);
    if (m && m->n_users == 0)
        close_model(o, m);
    else if (m)
        m->is_leaving = true;
    return GS_OK;
}
