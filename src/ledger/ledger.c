/* The writing side: rows wait in a queue; the ledger's thread takes what is there and writes it in
 * one transaction. Now and then it deletes what is too old or too much. */
#include "ledger/ledger.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/queue.h"
#include "base/slice.h"
#include "base/thread.h"
#include "ledger/ledger_db.h"

#define MAX_NAME_BYTES  256
#define MAX_ERROR_BYTES 512
#define ROWS_AT_ONCE    256 /* of one transaction */
#define ROWS_TO_PRUNE   1000
#define US_PER_DAY      ((int64_t)24 * 3600 * 1000000)

static const char insert_sql[] = "INSERT INTO request (id, at_us, api, model, served_by, status,"
                                 " stream, outcome, error, prompt_tokens, cached_tokens,"
                                 " answer_tokens, reasoning_tokens, first_us, total_us)"
                                 " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";

struct row {
    struct gs_ledger_request r;
    char text[]; /* what its slices point into */
};

struct gs_ledger {
    struct gs_ledger_options opt; /* but path */
    struct gs_queue *queue;
    atomic_ullong n_lost;
    pthread_t thread;
    bool has_thread;

    /* the ledger's thread */
    sqlite3 *db;
    sqlite3_stmt *insert;
    int64_t n_unpruned; /* rows written since the last pruning */
    uint64_t n_told;    /* of n_lost */
    bool is_failing;
};

/* ---- the ledger's thread ---- */

static void bind_text(sqlite3_stmt *s, int at, struct gs_slice text)
{
    sqlite3_bind_text(s, at, text.ptr ? text.ptr : "", (int)text.len, SQLITE_STATIC);
}

static enum gs_status insert(struct gs_ledger *l, const struct gs_ledger_request *r,
                             struct gs_error *err)
{
    sqlite3_stmt *s = l->insert;

    bind_text(s, 1, r->id);
    sqlite3_bind_int64(s, 2, r->at_us);
    bind_text(s, 3, r->api);
    bind_text(s, 4, r->model);
    bind_text(s, 5, r->served_by);
    sqlite3_bind_int(s, 6, r->status);
    sqlite3_bind_int(s, 7, r->stream);
    sqlite3_bind_int(s, 8, (int)r->outcome);
    bind_text(s, 9, r->error);
    sqlite3_bind_int64(s, 10, r->prompt_tokens);
    sqlite3_bind_int64(s, 11, r->cached_tokens);
    sqlite3_bind_int64(s, 12, r->answer_tokens);
    sqlite3_bind_int64(s, 13, r->reasoning_tokens);
    sqlite3_bind_int64(s, 14, r->first_us);
    sqlite3_bind_int64(s, 15, r->total_us);
    const int rc = sqlite3_step(s);
    const enum gs_status st =
        rc == SQLITE_DONE ? GS_OK : gs_ledger_db_error(l->db, "write to the ledger", err);
    sqlite3_reset(s);
    return st;
}

static enum gs_status write_rows(struct gs_ledger *l, struct row *const *rows, size_t n,
                                 struct gs_error *err)
{
    enum gs_status st = gs_ledger_db_run(l->db, "BEGIN IMMEDIATE", "write to the ledger", err);

    if (st != GS_OK)
        return st;
    for (size_t i = 0; i < n && st == GS_OK; i++)
        st = insert(l, &rows[i]->r, err);
    if (st == GS_OK)
        st = gs_ledger_db_run(l->db, "COMMIT", "write to the ledger", err);
    if (st != GS_OK)
        sqlite3_exec(l->db, "ROLLBACK", NULL, NULL, NULL);
    return st;
}

static enum gs_status delete_where(struct gs_ledger *l, const char *sql, int64_t bound,
                                   struct gs_error *err)
{
    sqlite3_stmt *s;
    enum gs_status st = gs_ledger_db_prepare(l->db, sql, &s, err);

    if (st != GS_OK)
        return st;
    sqlite3_bind_int64(s, 1, bound);
    if (sqlite3_step(s) != SQLITE_DONE)
        st = gs_ledger_db_error(l->db, "shorten the ledger", err);
    sqlite3_finalize(s);
    return st;
}

static enum gs_status prune(struct gs_ledger *l, struct gs_error *err)
{
    enum gs_status st = GS_OK;

    l->n_unpruned = 0;
    if (l->opt.keep_days > 0)
        st = delete_where(l, "DELETE FROM request WHERE at_us < ?",
                          gs_clock_wall_us() - l->opt.keep_days * US_PER_DAY, err);
    if (st == GS_OK && l->opt.keep_rows > 0)
        st = delete_where(l, "DELETE FROM request WHERE n <= (SELECT max(n) FROM request) - ?",
                          l->opt.keep_rows, err);
    if (st == GS_OK)
        st = gs_ledger_db_run(l->db, "PRAGMA incremental_vacuum", "shorten the ledger", err);
    return st;
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

static void run(void *arg)
{
    struct gs_ledger *l = arg;
    struct row *rows[ROWS_AT_ONCE];
    struct gs_error err;

    gs_assert_thread(GS_THREAD_LEDGER);
    for (;;) {
        size_t n = 0;
        rows[n] = gs_queue_pop(l->queue);
        if (!rows[n])
            return;
        do
            n++;
        while (n < ROWS_AT_ONCE && (rows[n] = gs_queue_try_pop(l->queue)) != NULL);
        enum gs_status st = write_rows(l, rows, n, &err);
        if (st != GS_OK)
            atomic_fetch_add(&l->n_lost, n);
        for (size_t i = 0; i < n; i++)
            gs_free(rows[i]);
        l->n_unpruned += (int64_t)n;
        if (st == GS_OK && l->n_unpruned >= ROWS_TO_PRUNE)
            st = prune(l, &err);
        tell_loss(l, st == GS_OK ? NULL : &err);
    }
}

/* ---- other threads ---- */

enum gs_status gs_ledger_open(const struct gs_ledger_options *opt, struct gs_ledger **out_l,
                              struct gs_error *err)
{
    struct gs_ledger *l = gs_alloc_zero(sizeof(*l));
    enum gs_status st;

    if (!l)
        return gs_error_nomem(err, "open the ledger");
    l->opt = *opt;
    l->opt.path = NULL;
    st = gs_ledger_db_open(opt->path, true, &l->db, err);
    if (st == GS_OK)
        st = gs_ledger_db_prepare(l->db, insert_sql, &l->insert, err);
    if (st == GS_OK)
        st = prune(l, err);
    if (st == GS_OK)
        st = gs_queue_create(GS_MAX(1, opt->max_waiting), &l->queue, err);
    if (st == GS_OK)
        st = gs_thread_start(&l->thread, GS_THREAD_LEDGER, run, l, err);
    l->has_thread = st == GS_OK;
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
        gs_queue_close(l->queue);
        pthread_join(l->thread, NULL);
    }
    gs_queue_free(l->queue);
    sqlite3_finalize(l->insert);
    sqlite3_close(l->db);
    gs_free(l);
}

/* Copy at most `most` bytes of *s to *at, and point it there. */
static void keep(struct gs_slice *s, size_t most, char **at)
{
    const struct gs_slice text = gs_slice_sub(*s, 0, GS_MIN(s->len, most));

    if (text.len > 0)
        memcpy(*at, text.ptr, text.len);
    *s = gs_slice(*at, text.len);
    *at += text.len;
}

void gs_ledger_record(struct gs_ledger *l, const struct gs_ledger_request *r)
{
    struct row *row = gs_alloc(sizeof(*row) + 4 * MAX_NAME_BYTES + MAX_ERROR_BYTES);

    if (row) {
        char *at = row->text;
        row->r = *r;
        keep(&row->r.id, MAX_NAME_BYTES, &at);
        keep(&row->r.api, MAX_NAME_BYTES, &at);
        keep(&row->r.model, MAX_NAME_BYTES, &at);
        keep(&row->r.served_by, MAX_NAME_BYTES, &at);
        keep(&row->r.error, MAX_ERROR_BYTES, &at);
        if (gs_queue_push(l->queue, row))
            return;
        gs_free(row);
    }
    atomic_fetch_add(&l->n_lost, 1); /* the thread tells */
}
