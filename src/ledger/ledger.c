/* The writing side: rows wait in an inbox; the ledger's thread takes what is there and writes it in
 * one transaction. Now and then it deletes what is too old or too much. */
#include "ledger/ledger.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/os.h"
#include "base/slice.h"
#include "base/thread.h"
#include "ledger/history.h"
#include "ledger/ledger_ask.h"
#include "ledger/ledger_inbox.h"
#include "ledger/ledger_write.h"

#define MAX_PATH_BYTES 4096
#define ENOUGH_ROWS    1024   /* to wait for no more */
#define GATHER_US      250000 /* to wait for more at most */
#define ROWS_TO_PRUNE  1000

struct gs_ledger {
    struct gs_ledger_options opt; /* its path is the copy below */
    char path[MAX_PATH_BYTES];
    struct gs_ledger_inbox inbox;
    atomic_ullong n_lost;
    pthread_t thread;
    bool has_thread;
    struct gs_ledger_asker asker;

    /* the ledger's thread */
    struct gs_ledger_writer writer;
    struct gs_ledger_batch batch;
    uint64_t n_written;
    int64_t n_unpruned; /* rows written since the last pruning */
    uint64_t n_told;    /* of n_lost */
    bool is_failing;
};

/* ---- the ledger's thread ---- */

static enum gs_status prune(struct gs_ledger *l, struct gs_error *err)
{
    l->n_unpruned = 0; /* also if it fails: then after as many rows again */
    return gs_ledger_prune(&l->writer, l->opt.keep_days, l->opt.keep_rows, err);
}

/* Tell of rows that were lost since it was told last: for want of room, or for `err`, whose later
 * failures go without saying. */
static void tell_loss(struct gs_ledger *l, const struct gs_error *err)
{
    const uint64_t n_lost = atomic_load(&l->n_lost);
    const bool is_known = n_lost == l->n_told || (err && l->is_failing);
    struct gs_error full;

    l->n_told = n_lost;
    l->is_failing = err != NULL;
    if (is_known || !l->opt.on_loss)
        return;
    gs_error_set(&full, GS_EBUSY, "requests ended faster than they could be written");
    l->opt.on_loss(l->opt.ud, err ? err : &full, n_lost);
}

static void tell_written(struct gs_ledger *l, size_t n)
{
    l->n_written += n;
    if (l->opt.on_written)
        l->opt.on_written(l->opt.ud, l->n_written);
}

/* Rows that come soon after one another share a transaction, which costs what thirty rows do, and
 * the caches of who answers requests: where a thousand are answered in a second, fewer than one in
 * a hundred may meet it. */
static void run(void *arg)
{
    struct gs_ledger *l = arg;
    struct gs_error err;

    gs_assert_thread(GS_THREAD_LEDGER);
    l->writer.gives_way = !gs_os_thread_defer();
    while (gs_ledger_inbox_take(&l->inbox, GATHER_US, ENOUGH_ROWS, &l->batch)) {
        enum gs_status st = gs_ledger_write(&l->writer, &l->batch, &err);
        if (st == GS_OK)
            tell_written(l, l->batch.n);
        else
            atomic_fetch_add(&l->n_lost, l->batch.n);
        tell_loss(l, st == GS_OK ? NULL : &err);
        l->n_unpruned += (int64_t)l->batch.n;
        if (st == GS_OK && l->n_unpruned >= ROWS_TO_PRUNE)
            (void)!prune(l, NULL);
    }
}

/* ---- other threads ---- */

static enum gs_status keep_path(struct gs_ledger *l, const char *path, struct gs_error *err)
{
    const int n = snprintf(l->path, sizeof(l->path), "%s", path);

    if (n > 0 && (size_t)n < sizeof(l->path))
        return GS_OK;
    return gs_error_set(err, GS_EIO, "could not open the ledger: its path is too long");
}

enum gs_status gs_ledger_open(const struct gs_ledger_options *opt, struct gs_ledger **out_l,
                              struct gs_error *err)
{
    struct gs_ledger *l = gs_alloc_zero(sizeof(*l));
    enum gs_status st;

    if (!l)
        return gs_error_nomem(err, "open the ledger");
    l->opt = *opt;
    gs_ledger_inbox_init(&l->inbox, GS_MAX(1, opt->max_waiting));
    gs_ledger_batch_init(&l->batch);
    l->opt.path = l->path;
    st = keep_path(l, opt->path, err);
    if (st == GS_OK)
        st = gs_ledger_writer_open(&l->writer, l->path, err);
    if (st == GS_OK)
        st = prune(l, err);
    if (st == GS_OK)
        st = gs_thread_start(&l->thread, GS_THREAD_LEDGER, run, l, err);
    l->has_thread = st == GS_OK;
    if (st == GS_OK)
        st = gs_ledger_asker_start(&l->asker, l->path, &l->inbox, err);
    if (st != GS_OK) {
        gs_ledger_close(l);
        return st;
    }
    *out_l = l;
    return GS_OK;
}

void gs_ledger_close(struct gs_ledger *l)
{
    if (!l)
        return;
    if (l->has_thread) {
        gs_ledger_inbox_close(&l->inbox);
        pthread_join(l->thread, NULL);
    }
    gs_ledger_asker_stop(&l->asker);
    gs_ledger_inbox_clear(&l->inbox);
    gs_ledger_batch_clear(&l->batch);
    gs_ledger_writer_close(&l->writer);
    gs_free(l);
}

static void send(struct gs_ledger *l, struct gs_ledger_note *note)
{
    if (!gs_ledger_inbox_put(&l->inbox, note))
        atomic_fetch_add(&l->n_lost, 1); /* which the thread tells */
}

void gs_ledger_record(struct gs_ledger *l, const struct gs_ledger_request *r)
{
    struct gs_ledger_note note = {.kind = GS_LEDGER_NOTE_REQUEST, .u.request = *r};

    send(l, &note);
}

void gs_ledger_record_attempt(struct gs_ledger *l, const struct gs_ledger_attempt *a)
{
    struct gs_ledger_note note = {.kind = GS_LEDGER_NOTE_ATTEMPT, .u.attempt = *a};

    send(l, &note);
}

void gs_ledger_save_breaker(struct gs_ledger *l, const struct gs_ledger_breaker *b)
{
    struct gs_ledger_note note = {.kind = GS_LEDGER_NOTE_BREAKER, .u.breaker = *b};

    send(l, &note);
}

void gs_ledger_save_signed(struct gs_ledger *l, const struct gs_ledger_signed *s)
{
    struct gs_ledger_note note = {.kind = GS_LEDGER_NOTE_SIGNED, .u.made = *s};

    send(l, &note);
}

enum gs_status gs_ledger_restore(struct gs_ledger *l, const struct gs_ledger_memory *m,
                                 struct gs_error *err)
{
    return gs_ledger_recall(l->path, m, err);
}

bool gs_ledger_ask(struct gs_ledger *l, enum gs_ledger_subject subject,
                   const struct gs_ledger_query *q, gs_ledger_answer_fn *on_answer, void *ud)
{
    return gs_ledger_asker_ask(&l->asker, subject, q, on_answer, ud);
}
