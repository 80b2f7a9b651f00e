/* The local thread: it opens and closes models, starts answers and texts, and releases calls.
 *
 *     caller's thread --start, release--> inbox --> local thread --> gs_llm_answer()
 *                                                        |                |
 *                                       errors <---------+    events <----+ engine's thread
 *                                                        |
 *                                                        +--> texts thread (local_texts.c) -->
 * events
 *
 * A call's messages are part of the call, and the inbox has room for all of them, so that releasing
 * one cannot fail. */
#include "provider/local.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/os.h"
#include "base/queue.h"
#include "base/slice.h"
#include "base/thread.h"
#include "provider/catalog.h"
#include "provider/local_texts.h"

#define MAX_CALLS    512
#define MAX_PRELOADS 8
/* Weights of all open models together, in hundredths of the machine's memory. */
#define MEMORY_SHARE 80

enum message_kind { MSG_ANSWER, MSG_COUNT, MSG_TEXTS, MSG_RELEASE, MSG_PRELOAD };

struct message {
    enum message_kind kind;
    void *subject; /* struct gs_local_call or struct preload */
};

/* A caller that waits for a model to be open. */
struct preload {
    struct message message;
    struct gs_slice name;
    pthread_mutex_t lock; /* guards the rest */
    pthread_cond_t done;
    bool is_done;
    enum gs_status status;
    struct gs_error err;
};

/* Beside catalog.models[i]. */
struct slot {
    gs_llm *llm;           /* NULL: not open */
    atomic_bool is_loaded; /* llm != NULL, for other threads */
    _Atomic int64_t fit_tokens;
    size_t n_calls; /* that use it */
    uint64_t last_used;
};

struct gs_local {
    /* fixed at creation */
    struct gs_local_catalog catalog;
    struct gs_llm_options llm;
    struct gs_slice default_model; /* as given */
    struct gs_slice cpu;           /* of llm */
    bool any_name;
    pthread_t thread;
    bool has_thread;

    /* any thread */
    struct gs_queue *inbox;
    struct gs_local_texts *texts;
    atomic_int n_calls;
    atomic_bool closing;

    /* the local thread */
    struct slot *slots;
    uint64_t uses;
    struct gs_local_call *calls; /* all that live */
};

struct gs_local_call {
    struct gs_local *l;           /* NULL once the provider is gone */
    const struct gs_chat *chat;   /* NULL: */
    const struct gs_texts *texts; /* this it is about */
    gs_event_fn *on_event;
    void *ud;
    struct message start, release;
    atomic_bool cancelled;
    void (*on_free)(void *ud); /* set before release is sent */
    void *free_ud;

    pthread_mutex_t lock; /* guards what follows */
    gs_answer *answer;
    bool resumed;         /* before the answer was there */
    bool has_job;         /* the texts thread does */
    bool release_is_late; /* asked for while it did */
    struct gs_local_job job;

    /* the local thread */
    struct gs_local_call *next, **link;
    struct slot *slot; /* it uses, or NULL */
    int64_t load_us;   /* set before the answer starts */
    bool is_told;      /* STOP or ERROR was sent */
};

/* ---- events ---- */

static enum gs_flow on_event(void *ud, const struct gs_event *ev)
{
    struct gs_local_call *c = ud;
    struct gs_event told = *ev;

    if (atomic_load(&c->cancelled))
        return GS_FLOW_CANCEL;
    told.usage.load_us = c->load_us;
    c->is_told = ev->kind == GS_EVENT_ERROR || (ev->kind == GS_EVENT_STOP && ev->n_left == 0);
    return c->on_event(c->ud, &told);
}

static void emit_error(struct gs_local_call *c, const struct gs_error *err)
{
    on_event(c, &(struct gs_event){.kind = GS_EVENT_ERROR, .error = err});
}

/* ---- models ---- */

/* A model made for `purpose`, rather one that is open. */
static size_t find_purpose(const struct gs_local *l, enum gs_local_purpose purpose)
{
    size_t found = SIZE_MAX;

    for (size_t i = 0; i < l->catalog.n; i++) {
        if (l->catalog.models[i].purpose != purpose)
            continue;
        if (l->slots[i].llm)
            return i;
        found = GS_MIN(found, i);
    }
    return found;
}

static size_t find_model(const struct gs_local *l, struct gs_slice name,
                         enum gs_local_purpose purpose)
{
    size_t idx = gs_local_catalog_find(&l->catalog, name);

    if (idx != SIZE_MAX || (name.len > 0 && !l->any_name))
        return idx;
    if (l->default_model.len > 0)
        idx = gs_local_catalog_find(&l->catalog, l->default_model);
    if (idx != SIZE_MAX && l->catalog.models[idx].purpose == purpose)
        return idx;
    const size_t made_for_it = find_purpose(l, purpose);
    if (made_for_it != SIZE_MAX)
        return made_for_it;
    return idx == SIZE_MAX && l->catalog.n > 0 ? 0 : idx;
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

static void close_model(struct slot *s)
{
    gs_llm_close(s->llm);
    s->llm = NULL;
    atomic_store(&s->is_loaded, false);
    atomic_store(&s->fit_tokens, 0);
}

/* Close the open model that nobody uses and that was used longest ago; false if there is none. */
static bool close_one(struct gs_local *l)
{
    struct slot *oldest = NULL;

    for (size_t i = 0; i < l->catalog.n; i++) {
        struct slot *s = &l->slots[i];
        if (s->llm && s->n_calls == 0 && (!oldest || s->last_used < oldest->last_used))
            oldest = s;
    }
    if (oldest)
        close_model(oldest);
    return oldest != NULL;
}

static int64_t open_bytes(const struct gs_local *l)
{
    int64_t bytes = 0;

    for (size_t i = 0; i < l->catalog.n; i++)
        bytes += l->slots[i].llm ? l->catalog.models[i].file_bytes : 0;
    return bytes;
}

/* Weights are mapped, so the system would let two models that do not fit together push each other
 * out of memory for ever: count them ourselves, and close what is idle. */
static enum gs_status make_room(struct gs_local *l, size_t idx, struct gs_error *err)
{
    const struct gs_local_model *m = &l->catalog.models[idx];
    const int64_t total = gs_os_memory_total_bytes();

    while (total > 0 && open_bytes(l) > 0 &&
           open_bytes(l) + m->file_bytes > total / 100 * MEMORY_SHARE) {
        if (close_one(l))
            continue;
        gs_error_set(err, GS_EBUSY, "no memory for model \"%s\" while other models are answering",
                     m->name);
        gs_error_hint(err, "Try again when their answers are complete.");
        gs_error_amounts(err, m->file_bytes, total / 100 * MEMORY_SHARE - open_bytes(l));
        return GS_EBUSY;
    }
    return GS_OK;
}

/* The model that `name` means, open. *out_load_us is 0 if it was. */
static enum gs_status need_model(struct gs_local *l, struct gs_slice name,
                                 enum gs_local_purpose purpose, struct slot **out_slot,
                                 int64_t *out_load_us, struct gs_error *err)
{
    const int64_t began_us = gs_clock_mono_us();
    const size_t idx = find_model(l, name, purpose);

    if (idx == SIZE_MAX)
        return gs_local_catalog_not_found(&l->catalog, name, err);
    if (check_purpose(&l->catalog.models[idx], purpose, err) != GS_OK)
        return GS_EUNSUPPORTED;
    struct slot *s = &l->slots[idx];
    s->last_used = ++l->uses;
    *out_load_us = 0;
    if (!s->llm) {
        enum gs_status st = make_room(l, idx, err);
        if (st != GS_OK)
            return st;
        const char *path = l->catalog.models[idx].path;
        st = gs_llm_open(path, &l->llm, &s->llm, err);
        while (st == GS_ENOMEM && close_one(l))
            st = gs_llm_open(path, &l->llm, &s->llm, err);
        if (st != GS_OK)
            return st;
        struct gs_llm_info info;
        gs_llm_info(s->llm, &info);
        atomic_store(&s->fit_tokens, info.ctx_tokens);
        atomic_store(&s->is_loaded, true);
        *out_load_us = GS_MAX(1, gs_clock_mono_us() - began_us);
    }
    *out_slot = s;
    return GS_OK;
}

/* ---- the local thread ---- */

static enum gs_status start_answer(struct gs_local_call *c, struct gs_error *err)
{
    gs_answer *answer;
    const enum gs_status st = gs_llm_answer(c->slot->llm, c->chat, on_event, c, &answer, err);

    if (st != GS_OK)
        return st;
    pthread_mutex_lock(&c->lock);
    c->answer = answer;
    if (c->resumed)
        gs_answer_resume(answer);
    if (atomic_load(&c->cancelled))
        gs_answer_cancel(answer);
    pthread_mutex_unlock(&c->lock);
    return GS_OK;
}

static enum gs_status count_tokens(struct gs_local_call *c, struct gs_error *err)
{
    struct gs_event ev = {.kind = GS_EVENT_START};
    const enum gs_status st = gs_llm_count(c->slot->llm, c->chat, &ev.usage.prompt_tokens, err);

    if (st != GS_OK)
        return st;
    on_event(c, &ev);
    ev.kind = GS_EVENT_STOP;
    on_event(c, &ev);
    return GS_OK;
}

/* The texts thread's last word on a call. */
static void texts_done(void *ud)
{
    struct gs_local_call *c = ud;
    struct gs_queue *inbox = c->l->inbox;

    pthread_mutex_lock(&c->lock);
    c->has_job = false;
    const bool is_late = c->release_is_late;
    pthread_mutex_unlock(&c->lock);
    if (is_late && !gs_queue_push(inbox, &c->release))
        return; /* closed: end_all() releases it */
}

static enum gs_status start_texts(struct gs_local *l, struct gs_local_call *c, struct gs_error *err)
{
    c->job = (struct gs_local_job){.texts = c->texts,
                                   .llm = c->slot->llm,
                                   .on_event = on_event,
                                   .on_end = texts_done,
                                   .ud = c};
    pthread_mutex_lock(&c->lock);
    c->has_job = !atomic_load(&c->cancelled);
    const bool fits = !c->has_job || gs_local_texts_start(l->texts, &c->job);
    c->has_job = c->has_job && fits;
    pthread_mutex_unlock(&c->lock);
    return fits ? GS_OK : gs_error_set(err, GS_EBUSY, "too many requests are being answered");
}

static enum gs_local_purpose purpose_of(const struct gs_local_call *c)
{
    if (c->chat)
        return GS_LOCAL_WRITING;
    return c->texts->is_ranking ? GS_LOCAL_RANKING : GS_LOCAL_EMBEDDING;
}

static enum gs_status start_kind(struct gs_local *l, struct gs_local_call *c,
                                 enum message_kind kind, struct gs_error *err)
{
    if (kind == MSG_TEXTS)
        return start_texts(l, c, err);
    return kind == MSG_ANSWER ? start_answer(c, err) : count_tokens(c, err);
}

static void start_call(struct gs_local *l, struct gs_local_call *c, enum message_kind kind)
{
    const struct gs_slice model = c->chat ? c->chat->model : c->texts->model;
    struct gs_error err = {0};

    c->next = l->calls;
    c->link = &l->calls;
    if (l->calls)
        l->calls->link = &c->next;
    l->calls = c;
    if (atomic_load(&c->cancelled) || atomic_load(&l->closing))
        return;
    enum gs_status st = need_model(l, model, purpose_of(c), &c->slot, &c->load_us, &err);
    if (st == GS_OK) {
        c->slot->n_calls++;
        st = start_kind(l, c, kind, &err);
    }
    if (st != GS_OK)
        emit_error(c, &err);
}

static void destroy_call(struct gs_local_call *c)
{
    if (c->on_free)
        c->on_free(c->free_ud);
    pthread_mutex_destroy(&c->lock);
    gs_free(c);
}

/* Stop using the model; nothing is delivered afterwards. */
static void end_answer(struct gs_local_call *c)
{
    pthread_mutex_lock(&c->lock);
    gs_answer *answer = c->answer;
    c->answer = NULL;
    pthread_mutex_unlock(&c->lock);
    gs_answer_free(answer);
}

/* True if the texts thread must be done with the call first; it is released again then. */
static bool must_wait(struct gs_local_call *c)
{
    pthread_mutex_lock(&c->lock);
    const bool waits = c->has_job;
    c->release_is_late = true;
    pthread_mutex_unlock(&c->lock);
    return waits;
}

static void release_call(struct gs_local *l, struct gs_local_call *c)
{
    end_answer(c);
    gs_local_texts_clear(&c->job);
    if (c->slot)
        c->slot->n_calls--;
    *c->link = c->next;
    if (c->next)
        c->next->link = c->link;
    destroy_call(c);
    atomic_fetch_sub(&l->n_calls, 1);
}

static void do_preload(struct gs_local *l, struct preload *p)
{
    struct slot *slot;
    int64_t load_us;
    struct gs_error err = {0};
    const size_t idx = find_model(l, p->name, GS_LOCAL_WRITING);
    const enum gs_local_purpose purpose =
        idx == SIZE_MAX ? GS_LOCAL_WRITING : l->catalog.models[idx].purpose;
    const enum gs_status st = need_model(l, p->name, purpose, &slot, &load_us, &err);

    pthread_mutex_lock(&p->lock);
    p->status = st;
    p->err = err;
    p->is_done = true;
    pthread_cond_signal(&p->done);
    pthread_mutex_unlock(&p->lock);
}

/* Closing a model tells its answers; then every call is let go of. */
static void end_all(struct gs_local *l)
{
    struct gs_local_call *next;
    struct gs_error err = {0};

    gs_error_set(&err, GS_ECANCELLED, "genset is closing");
    gs_local_texts_free(l->texts);
    for (size_t i = 0; i < l->catalog.n; i++)
        close_model(&l->slots[i]);
    for (struct gs_local_call *c = l->calls; c; c = next) {
        next = c->next;
        end_answer(c);
        pthread_mutex_lock(&c->lock);
        const bool is_released = c->release_is_late;
        c->has_job = false;
        pthread_mutex_unlock(&c->lock);
        gs_local_texts_clear(&c->job);
        if (!c->is_told)
            emit_error(c, &err);
        c->l = NULL;
        if (is_released)
            destroy_call(c);
    }
}

static void run(void *arg)
{
    struct gs_local *l = arg;

    gs_assert_thread(GS_THREAD_LOCAL);
    for (;;) {
        const struct message *m = gs_queue_pop(l->inbox);
        if (!m)
            break;
        switch (m->kind) {
        case MSG_ANSWER:
        case MSG_COUNT:
        case MSG_TEXTS:
            start_call(l, m->subject, m->kind);
            break;
        case MSG_RELEASE:
            if (!must_wait(m->subject))
                release_call(l, m->subject);
            break;
        case MSG_PRELOAD:
            do_preload(l, m->subject);
            break;
        }
    }
    end_all(l);
}

/* ---- what other threads call ---- */

static enum gs_status copy_options(struct gs_local *l, const struct gs_local_options *opt,
                                   struct gs_error *err)
{
    l->llm = opt->llm;
    l->any_name = opt->any_name;
    if (opt->default_model &&
        !gs_arena_dup(&l->catalog.a, gs_slice_str(opt->default_model), &l->default_model))
        return gs_error_nomem(err, "list models");
    if (opt->llm.cpu) {
        if (!gs_arena_dup(&l->catalog.a, gs_slice_str(opt->llm.cpu), &l->cpu))
            return gs_error_nomem(err, "list models");
        l->llm.cpu = l->cpu.ptr;
    }
    return GS_OK;
}

enum gs_status gs_local_create(const struct gs_local_options *opt, struct gs_local **out_l,
                               struct gs_error *err)
{
    struct gs_local *l = gs_alloc_zero(sizeof(*l));

    if (!l)
        return gs_error_nomem(err, "list models");
    enum gs_status st =
        gs_local_catalog_init(&l->catalog, opt->paths, opt->n_paths, opt->default_model, err);
    if (st != GS_OK)
        goto fail;
    st = copy_options(l, opt, err);
    if (st != GS_OK)
        goto fail;
    if (l->default_model.len > 0 &&
        gs_local_catalog_find(&l->catalog, l->default_model) == SIZE_MAX) {
        st = gs_local_catalog_not_found(&l->catalog, l->default_model, err);
        goto fail;
    }
    l->slots = gs_alloc_array(l->catalog.n, sizeof(*l->slots));
    if (!l->slots) {
        st = gs_error_nomem(err, "list models");
        goto fail;
    }
    st = gs_queue_create(2 * MAX_CALLS + MAX_PRELOADS, &l->inbox, err);
    if (st != GS_OK)
        goto fail;
    st = gs_local_texts_create(MAX_CALLS, &l->texts, err);
    if (st != GS_OK)
        goto fail;
    st = gs_thread_start(&l->thread, GS_THREAD_LOCAL, run, l, err);
    if (st != GS_OK) {
        gs_local_texts_free(l->texts);
        goto fail;
    }
    l->has_thread = true;
    *out_l = l;
    return GS_OK;
fail:
    gs_local_free(l);
    return st;
}

void gs_local_free(struct gs_local *l)
{
    if (!l)
        return;
    if (l->has_thread) {
        atomic_store(&l->closing, true);
        gs_queue_close(l->inbox);
        pthread_join(l->thread, NULL);
    }
    gs_queue_free(l->inbox);
    gs_free(l->slots);
    gs_local_catalog_clear(&l->catalog);
    gs_free(l);
}

size_t gs_local_models(const struct gs_local *l, const struct gs_local_model **out_models)
{
    for (size_t i = 0; i < l->catalog.n; i++) {
        l->catalog.models[i].is_loaded = atomic_load(&l->slots[i].is_loaded);
        l->catalog.models[i].fit_tokens = atomic_load(&l->slots[i].fit_tokens);
    }
    *out_models = l->catalog.models;
    return l->catalog.n;
}

enum gs_status gs_local_preload(struct gs_local *l, const char *name, struct gs_error *err)
{
    struct preload p = {.name = gs_slice_str(name)};

    assert(gs_thread_current() != GS_THREAD_LOCAL);
    p.message = (struct message){MSG_PRELOAD, &p};
    pthread_mutex_init(&p.lock, NULL);
    pthread_cond_init(&p.done, NULL);
    if (gs_queue_push(l->inbox, &p.message)) {
        pthread_mutex_lock(&p.lock);
        while (!p.is_done)
            pthread_cond_wait(&p.done, &p.lock);
        pthread_mutex_unlock(&p.lock);
    } else {
        p.status = gs_error_set(&p.err, GS_EBUSY, "too many requests are waiting for models");
    }
    pthread_cond_destroy(&p.done);
    pthread_mutex_destroy(&p.lock);
    if (p.status != GS_OK && err)
        *err = p.err;
    return p.status;
}

static struct gs_local_call *create_call(struct gs_local *l, gs_event_fn *fn, void *ud,
                                         struct gs_error *err)
{
    struct gs_local_call *c = gs_alloc_zero(sizeof(*c));

    if (!c) {
        gs_error_nomem(err, "answer a request");
        return NULL;
    }
    c->l = l;
    c->on_event = fn;
    c->ud = ud;
    c->release = (struct message){MSG_RELEASE, c};
    pthread_mutex_init(&c->lock, NULL);
    return c;
}

static enum gs_status start(struct gs_local *l, enum message_kind kind, struct gs_local_call *c,
                            struct gs_local_call **out_call, struct gs_error *err)
{
    c->start = (struct message){kind, c};
    const bool has_room = atomic_fetch_add(&l->n_calls, 1) < MAX_CALLS;
    if (!has_room || !gs_queue_push(l->inbox, &c->start)) {
        atomic_fetch_sub(&l->n_calls, 1);
        pthread_mutex_destroy(&c->lock);
        gs_free(c);
        gs_error_set(err, GS_EBUSY, "too many requests are being answered");
        gs_error_hint(err, "Try again when some of the %d requests are answered.", MAX_CALLS);
        return GS_EBUSY;
    }
    *out_call = c;
    return GS_OK;
}

enum gs_status gs_local_answer(struct gs_local *l, const struct gs_chat *chat, gs_event_fn *fn,
                               void *ud, struct gs_local_call **out_call, struct gs_error *err)
{
    struct gs_local_call *c = create_call(l, fn, ud, err);

    if (!c)
        return GS_ENOMEM;
    c->chat = chat;
    return start(l, MSG_ANSWER, c, out_call, err);
}

enum gs_status gs_local_count(struct gs_local *l, const struct gs_chat *chat, gs_event_fn *fn,
                              void *ud, struct gs_local_call **out_call, struct gs_error *err)
{
    struct gs_local_call *c = create_call(l, fn, ud, err);

    if (!c)
        return GS_ENOMEM;
    c->chat = chat;
    return start(l, MSG_COUNT, c, out_call, err);
}

enum gs_status gs_local_embed(struct gs_local *l, const struct gs_texts *texts, gs_event_fn *fn,
                              void *ud, struct gs_local_call **out_call, struct gs_error *err)
{
    struct gs_local_call *c = create_call(l, fn, ud, err);

    if (!c)
        return GS_ENOMEM;
    c->texts = texts;
    return start(l, MSG_TEXTS, c, out_call, err);
}

void gs_local_call_resume(struct gs_local_call *c)
{
    pthread_mutex_lock(&c->lock);
    c->resumed = true;
    if (c->answer)
        gs_answer_resume(c->answer);
    if (c->has_job)
        gs_local_texts_resume(&c->job);
    pthread_mutex_unlock(&c->lock);
}

void gs_local_call_cancel(struct gs_local_call *c)
{
    atomic_store(&c->cancelled, true);
    pthread_mutex_lock(&c->lock);
    if (c->answer)
        gs_answer_cancel(c->answer);
    if (c->has_job)
        gs_local_texts_cancel(&c->job);
    pthread_mutex_unlock(&c->lock);
}

void gs_local_call_free(struct gs_local_call *c, void (*on_free)(void *ud), void *ud)
{
    gs_local_call_cancel(c);
    c->on_free = on_free;
    c->free_ud = ud;
    if (!c->l) {
        destroy_call(c);
        return;
    }
    const bool is_sent = gs_queue_push(c->l->inbox, &c->release); /* there is room for it */
    assert(is_sent);
    (void)is_sent;
}
