/* The local thread: it opens and closes models, starts answers and texts, and releases calls. What
 * needs files but no open model the shelf's thread does.
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
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/queue.h"
#include "base/slice.h"
#include "base/thread.h"
#include "provider/local_errand.h"
#include "provider/local_open.h"
#include "provider/local_short.h"
#include "provider/local_texts.h"
#include "provider/shelf.h"
#include "provider/shelf_files.h"

#define MAX_CALLS    512
#define MAX_PRELOADS 8

enum message_kind {
    MSG_ANSWER,
    MSG_COUNT,
    MSG_TEXTS,
    MSG_ERRAND,
    MSG_RELEASE,
    MSG_PRELOAD,
    MSG_TIDY
};

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

struct gs_local {
    /* fixed at creation */
    char *cpu, *beginnings_dir; /* of the options */
    pthread_t thread;
    bool has_thread;

    /* any thread */
    struct gs_queue *inbox;
    struct gs_local_texts *texts;
    struct gs_local_shelf *shelf;
    atomic_int n_calls;
    atomic_bool closing;
    atomic_bool is_tidy_due; /* the message is on its way */
    struct message tidy;

    /* the local thread */
    struct gs_local_opened opened;
    struct gs_local_call *calls; /* all that live */
};

struct gs_local_call {
    struct gs_local *l;           /* NULL once the provider is gone */
    const struct gs_chat *chat;   /* one of these three */
    const struct gs_texts *texts; /* is what it is */
    struct gs_errand *errand;     /* about */
    gs_event_fn *on_event;
    void *ud;
    struct message start, release;
    atomic_bool cancelled;
    void (*on_free)(void *ud); /* set before release is sent */
    void *free_ud;

    pthread_mutex_t lock; /* guards what follows */
    gs_answer *answer;
    bool resumed;         /* before the answer was there */
    size_t n_jobs;        /* that the texts thread has, or the disk thread */
    bool release_is_late; /* asked for while it did */
    struct gs_local_job job;
    struct gs_local_chore chore;

    /* the local thread */
    struct gs_local_call *next, **link;
    struct gs_local_open *model; /* it uses, or NULL */
    int64_t load_us;             /* set before the answer starts */
    struct gs_local_short_of short_of;
    bool is_told; /* STOP or ERROR was sent */
};

/* ---- events ---- */

static enum gs_flow on_event(void *ud, const struct gs_event *ev)
{
    struct gs_local_call *c = ud;
    struct gs_event told = *ev;
    char served_by[256];

    if (atomic_load(&c->cancelled))
        return GS_FLOW_CANCEL;
    told.usage.load_us = c->load_us;
    if (c->model && (ev->kind == GS_EVENT_START || ev->kind == GS_EVENT_STOP)) {
        snprintf(served_by, sizeof(served_by), "local/%s", c->model->model.name);
        told.served_by = gs_slice_str(served_by);
        if (ev->kind == GS_EVENT_START)
            told.short_of = gs_slice_str(c->short_of.text);
    }
    c->is_told = ev->kind == GS_EVENT_ERROR || (ev->kind == GS_EVENT_STOP && ev->n_left == 0);
    return c->on_event(c->ud, &told);
}

static void emit_error(struct gs_local_call *c, const struct gs_error *err)
{
    on_event(c, &(struct gs_event){.kind = GS_EVENT_ERROR, .error = err});
}

/* ---- the local thread ---- */

static enum gs_status start_answer(struct gs_local_call *c, struct gs_error *err)
{
    gs_answer *answer;
    const enum gs_status st = gs_llm_answer(c->model->llm, c->chat, on_event, c, &answer, err);

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
    const enum gs_status st = gs_llm_count(c->model->llm, c->chat, &ev.usage.prompt_tokens, err);

    if (st != GS_OK)
        return st;
    on_event(c, &ev);
    ev.kind = GS_EVENT_STOP;
    on_event(c, &ev);
    return GS_OK;
}

/* The other thread's last word on a call. */
static void job_done(void *ud)
{
    struct gs_local_call *c = ud;
    struct gs_queue *inbox = c->l->inbox;

    pthread_mutex_lock(&c->lock);
    c->n_jobs--;
    const bool is_late = c->release_is_late;
    pthread_mutex_unlock(&c->lock);
    if (is_late && !gs_queue_push(inbox, &c->release))
        return; /* closed: end_all() releases it */
}

static enum gs_status start_texts(struct gs_local *l, struct gs_local_call *c, struct gs_error *err)
{
    c->job = (struct gs_local_job){
        .texts = c->texts, .llm = c->model->llm, .on_event = on_event, .on_end = job_done, .ud = c};
    pthread_mutex_lock(&c->lock);
    const bool is_wanted = !atomic_load(&c->cancelled);
    const bool fits = !is_wanted || gs_local_texts_start(l->texts, &c->job);
    c->n_jobs = is_wanted && fits;
    pthread_mutex_unlock(&c->lock);
    return fits ? GS_OK : gs_error_set(err, GS_EBUSY, "too many requests are being answered");
}

/* The disk thread's last word. */
static void chore_done(void *ud, enum gs_status st, const struct gs_error *err)
{
    struct gs_local_call *c = ud;

    if (st != GS_OK)
        emit_error(c, err);
    else if (c->errand->kind == GS_ERRAND_BLOB_ADD && !c->chore.is_last)
        on_event(c, &(struct gs_event){.kind = GS_EVENT_PROGRESS});
    else
        on_event(c, &(struct gs_event){.kind = GS_EVENT_STOP});
    job_done(c);
}

static bool is_for_disk(enum gs_errand_kind kind)
{
    switch (kind) {
    case GS_ERRAND_OPEN:
    case GS_ERRAND_CLOSE:
    case GS_ERRAND_TOKENIZE:
    case GS_ERRAND_DETOKENIZE:
    case GS_ERRAND_RENDER:
    case GS_ERRAND_FACTS:
        return false;
    case GS_ERRAND_LIST:
    case GS_ERRAND_FIND:
    case GS_ERRAND_SHOW:
    case GS_ERRAND_COPY:
    case GS_ERRAND_DELETE:
    case GS_ERRAND_CREATE:
    case GS_ERRAND_BLOB_FIND:
    case GS_ERRAND_BLOB_ADD:
        break;
    }
    return true;
}

static enum gs_status do_errand(struct gs_local *l, struct gs_local_call *c, struct gs_error *err)
{
    struct gs_errand *e = c->errand;
    enum gs_status st;

    if (e->kind == GS_ERRAND_CLOSE)
        st = gs_local_open_close(&l->opened, e->model, e->arena, err);
    else
        st = gs_local_errand_do(c->model, l->opened.llm.max_sequences, e, err);
    if (st == GS_OK)
        on_event(c, &(struct gs_event){.kind = GS_EVENT_STOP});
    return st;
}

/* Use the model the call is about. */
static enum gs_status use_model(struct gs_local *l, struct gs_local_call *c, struct gs_error *err)
{
    enum gs_local_purpose purpose = GS_LOCAL_WRITING;

    if (c->errand && c->errand->kind == GS_ERRAND_CLOSE)
        return GS_OK;
    if (c->errand)
        return gs_local_open_use(&l->opened, c->errand->model, NULL, c->errand->keep,
                                 GS_LOCAL_ANY_CTX, &c->model, &c->load_us, err);
    if (c->chat && c->chat->prefill_only && l->opened.first &&
        !gs_local_open_has(&l->opened, c->chat->model, purpose))
        return gs_error_set(err, GS_EBUSY, "the model is not open, but another is");
    if (c->chat)
        return gs_local_short_use(&l->opened, c->chat, &c->model, &c->load_us, &c->short_of, err);
    purpose = c->texts->is_ranking ? GS_LOCAL_RANKING : GS_LOCAL_EMBEDDING;
    return gs_local_open_use(&l->opened, c->texts->model, &purpose, c->texts->keep,
                             GS_LOCAL_ANY_CTX, &c->model, &c->load_us, err);
}

static enum gs_status start_kind(struct gs_local *l, struct gs_local_call *c,
                                 enum message_kind kind, struct gs_error *err)
{
    if (kind == MSG_TEXTS)
        return start_texts(l, c, err);
    if (kind == MSG_ERRAND)
        return do_errand(l, c, err);
    return kind == MSG_ANSWER ? start_answer(c, err) : count_tokens(c, err);
}

static void start_call(struct gs_local *l, struct gs_local_call *c, enum message_kind kind)
{
    struct gs_error err = {0};

    c->next = l->calls;
    c->link = &l->calls;
    if (l->calls)
        l->calls->link = &c->next;
    l->calls = c;
    if (atomic_load(&c->cancelled) || atomic_load(&l->closing) ||
        (c->errand && is_for_disk(c->errand->kind)))
        return;
    enum gs_status st = use_model(l, c, &err);
    if (st == GS_OK)
        st = start_kind(l, c, kind, &err);
    if (st != GS_OK)
        emit_error(c, &err);
}

static void destroy_call(struct gs_local_call *c)
{
    gs_local_upload_free(c->chore.upload);
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

/* True if another thread must be done with the call first; it is released again then. */
static bool must_wait(struct gs_local_call *c)
{
    pthread_mutex_lock(&c->lock);
    const bool waits = c->n_jobs > 0;
    c->release_is_late = true;
    pthread_mutex_unlock(&c->lock);
    return waits;
}

static void release_call(struct gs_local *l, struct gs_local_call *c)
{
    end_answer(c);
    gs_local_texts_clear(&c->job);
    if (c->model)
        gs_local_open_release(&l->opened, c->model);
    *c->link = c->next;
    if (c->next)
        c->next->link = c->link;
    destroy_call(c);
    atomic_fetch_sub(&l->n_calls, 1);
}

static void do_preload(struct gs_local *l, struct preload *p)
{
    struct gs_local_open *model;
    int64_t load_us;
    struct gs_error err = {0};
    const enum gs_status st = gs_local_open_use(&l->opened, p->name, NULL, (struct gs_keep){0}, 0,
                                                &model, &load_us, &err);

    if (st == GS_OK)
        gs_local_open_release(&l->opened, model);
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
    gs_local_shelf_close(l->shelf);
    gs_local_open_close_all(&l->opened);
    for (struct gs_local_call *c = l->calls; c; c = next) {
        next = c->next;
        end_answer(c);
        pthread_mutex_lock(&c->lock);
        const bool is_released = c->release_is_late;
        c->n_jobs = 0;
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
        bool is_over;
        const struct message *m =
            gs_queue_pop_until(l->inbox, gs_local_open_expire(&l->opened), &is_over);
        if (is_over)
            break;
        if (!m)
            continue;
        switch (m->kind) {
        case MSG_ANSWER:
        case MSG_COUNT:
        case MSG_TEXTS:
        case MSG_ERRAND:
            start_call(l, m->subject, m->kind);
            break;
        case MSG_RELEASE:
            if (!must_wait(m->subject))
                release_call(l, m->subject);
            break;
        case MSG_PRELOAD:
            do_preload(l, m->subject);
            break;
        case MSG_TIDY:
            atomic_store(&l->is_tidy_due, false);
            gs_local_open_tidy(&l->opened);
            break;
        }
    }
    end_all(l);
}

/* ---- what other threads call ---- */

/* There are other files than before. thread: any. */
static void files_changed(void *ud)
{
    struct gs_local *l = ud;

    if (!atomic_exchange(&l->is_tidy_due, true) && !gs_queue_push(l->inbox, &l->tidy))
        return; /* closed: all models are */
}

static enum gs_status create_shelf(struct gs_local *l, const struct gs_local_options *opt,
                                   struct gs_error *err)
{
    const struct gs_local_shelf_options shelf = {
        .places = {.paths = opt->paths,
                   .n_paths = opt->n_paths,
                   .extra = opt->default_model,
                   .own = opt->own_folder},
        .default_model = opt->default_model,
        .any_name = opt->any_name,
        .max_chores = MAX_CALLS,
        .on_change = files_changed,
        .ud = l,
    };
    const enum gs_status st = gs_local_shelf_create(&shelf, &l->shelf, err);

    l->opened = (struct gs_local_opened){.shelf = l->shelf, .llm = opt->llm};
    if (st != GS_OK)
        return st;
    l->cpu = opt->llm.cpu ? gs_alloc_str(opt->llm.cpu) : NULL;
    l->beginnings_dir = opt->llm.beginnings_dir ? gs_alloc_str(opt->llm.beginnings_dir) : NULL;
    l->opened.llm.cpu = l->cpu;
    l->opened.llm.beginnings_dir = l->beginnings_dir;
    if ((opt->llm.cpu && !l->cpu) || (opt->llm.beginnings_dir && !l->beginnings_dir))
        return gs_error_nomem(err, "list models");
    return GS_OK;
}

enum gs_status gs_local_create(const struct gs_local_options *opt, struct gs_local **out_l,
                               struct gs_error *err)
{
    struct gs_local *l = gs_alloc_zero(sizeof(*l));

    if (!l)
        return gs_error_nomem(err, "list models");
    l->tidy = (struct message){MSG_TIDY, NULL};
    enum gs_status st = gs_queue_create(2 * MAX_CALLS + MAX_PRELOADS + 1, &l->inbox, err);
    if (st == GS_OK)
        st = create_shelf(l, opt, err);
    if (st == GS_OK)
        st = gs_local_texts_create(MAX_CALLS, &l->texts, err);
    if (st == GS_OK)
        st = gs_thread_start(&l->thread, GS_THREAD_LOCAL, run, l, err);
    if (st != GS_OK) {
        gs_local_texts_free(l->texts);
        gs_local_free(l);
        return st;
    }
    l->has_thread = true;
    *out_l = l;
    return GS_OK;
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
    gs_local_shelf_free(l->shelf);
    gs_queue_free(l->inbox);
    gs_free(l->cpu);
    gs_free(l->beginnings_dir);
    gs_free(l);
}

size_t gs_local_models(const struct gs_local *l, const struct gs_local_model **out_models)
{
    return gs_local_shelf_models(l->shelf, out_models);
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

enum gs_status gs_local_errand(struct gs_local *l, struct gs_errand *errand, gs_event_fn *fn,
                               void *ud, struct gs_local_call **out_call, struct gs_error *err)
{
    struct gs_local_call *c = create_call(l, fn, ud, err);

    if (!c)
        return GS_ENOMEM;
    c->errand = errand;
    c->chore = (struct gs_local_chore){.errand = errand, .on_end = chore_done, .ud = c};
    const bool is_for_shelf = is_for_disk(errand->kind) && errand->kind != GS_ERRAND_BLOB_ADD;
    c->n_jobs = is_for_shelf;
    const enum gs_status st = start(l, MSG_ERRAND, c, out_call, err);
    if (st == GS_OK && is_for_shelf) {
        const bool is_taken = gs_local_shelf_start(l->shelf, &c->chore); /* room for all calls */
        assert(is_taken);
        (void)is_taken;
    }
    return st;
}

void gs_local_call_feed(struct gs_local_call *c, struct gs_slice bytes, bool is_last)
{
    c->chore.piece = bytes;
    c->chore.is_last = is_last;
    pthread_mutex_lock(&c->lock);
    c->n_jobs += c->l && gs_local_shelf_start(c->l->shelf, &c->chore);
    pthread_mutex_unlock(&c->lock);
}

void gs_local_call_resume(struct gs_local_call *c)
{
    pthread_mutex_lock(&c->lock);
    c->resumed = true;
    if (c->answer)
        gs_answer_resume(c->answer);
    if (c->n_jobs > 0 && c->texts)
        gs_local_texts_resume(&c->job);
    pthread_mutex_unlock(&c->lock);
}

void gs_local_call_cancel(struct gs_local_call *c)
{
    atomic_store(&c->cancelled, true);
    pthread_mutex_lock(&c->lock);
    if (c->answer)
        gs_answer_cancel(c->answer);
    if (c->n_jobs > 0 && c->texts)
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
