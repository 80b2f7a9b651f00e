/* A note becomes a row. */
#include "ledger/ledger_write.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/slice.h"
#include "ledger/ledger_days.h"

#define KEEP_SUMS_DAYS 1100 /* three years */
#define KEEP_SIGNED    8192
#define MANY_ROWS      2048 /* of a transaction: more wait */
#define ROWS_AT_ONCE   48
#define PAUSE_US       300 /* as long as these take */
#define LONG_PAUSE_US  2000

static const char request_sql[] =
    "INSERT INTO request (id, at_us, api, model, served_by, status, stream, outcome, error,"
    " prompt_tokens, cached_tokens, answer_tokens, reasoning_tokens, first_us, total_us, attempts,"
    " cost_nanousd, is_estimated, left_bytes, privacy, redacted, key)"
    " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";

static const char attempt_sql[] =
    "INSERT INTO attempt (request, number, provider, model, at_us, connected_us, head_us, first_us,"
    " total_us, fault, is_uplink, is_continuation, status, sent_bytes, received_bytes,"
    " prompt_tokens, cached_tokens, cache_write_tokens, answer_tokens, cost_nanousd, is_estimated,"
    " retry_after_us, ended_us, is_against)"
    " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";

static const char breaker_sql[] =
    "INSERT OR REPLACE INTO breaker (key, failures, opens, until_us, fault) VALUES (?,?,?,?,?)";
static const char forget_sql[] = "DELETE FROM breaker WHERE key = ?";
static const char signed_sql[] = "INSERT OR REPLACE INTO signed (signature, maker) VALUES (?,?)";

/* ---- one row ---- */

static enum gs_status write_request(struct gs_ledger_writer *w, const struct gs_ledger_request *r,
                                    struct gs_error *err)
{
    struct gs_ledger_binder b = {.s = w->request};

    w->served_us += r->total_us;
    gs_ledger_bind_text(&b, r->id);
    gs_ledger_bind_int(&b, r->at_us);
    gs_ledger_bind_text(&b, r->api);
    gs_ledger_bind_text(&b, r->model);
    gs_ledger_bind_text(&b, r->served_by);
    gs_ledger_bind_int(&b, r->status);
    gs_ledger_bind_int(&b, r->stream);
    gs_ledger_bind_int(&b, (int64_t)r->outcome);
    gs_ledger_bind_text(&b, r->error);
    gs_ledger_bind_int(&b, r->prompt_tokens);
    gs_ledger_bind_int(&b, r->cached_tokens);
    gs_ledger_bind_int(&b, r->answer_tokens);
    gs_ledger_bind_int(&b, r->reasoning_tokens);
    gs_ledger_bind_int(&b, r->first_us);
    gs_ledger_bind_int(&b, r->total_us);
    gs_ledger_bind_int(&b, r->n_attempts);
    gs_ledger_bind_int(&b, r->cost_nanousd);
    gs_ledger_bind_int(&b, r->is_estimated);
    gs_ledger_bind_int(&b, r->left_bytes);
    gs_ledger_bind_text(&b, r->privacy);
    gs_ledger_bind_text(&b, r->found);
    gs_ledger_bind_text(&b, r->key);
    return gs_ledger_db_step(w->db, b.s, err);
}

/* ---- attempts ---- */

static enum gs_status insert_attempt(struct gs_ledger_writer *w, const struct gs_ledger_attempt *a,
                                     struct gs_error *err)
{
    struct gs_ledger_binder b = {.s = w->attempt};

    gs_ledger_bind_text(&b, a->request);
    gs_ledger_bind_int(&b, a->number);
    gs_ledger_bind_text(&b, a->provider);
    gs_ledger_bind_text(&b, a->model);
    gs_ledger_bind_int(&b, a->at_us);
    gs_ledger_bind_int(&b, a->connected_us);
    gs_ledger_bind_int(&b, a->head_us);
    gs_ledger_bind_int(&b, a->first_us);
    gs_ledger_bind_int(&b, a->total_us);
    gs_ledger_bind_text(&b, gs_slice_str(gs_fault_word(a->fault)));
    gs_ledger_bind_int(&b, a->is_uplink);
    gs_ledger_bind_int(&b, a->is_continuation);
    gs_ledger_bind_int(&b, a->status);
    gs_ledger_bind_int(&b, a->sent_bytes);
    gs_ledger_bind_int(&b, a->received_bytes);
    gs_ledger_bind_int(&b, a->prompt_tokens);
    gs_ledger_bind_int(&b, a->cached_tokens);
    gs_ledger_bind_int(&b, a->cache_write_tokens);
    gs_ledger_bind_int(&b, a->answer_tokens);
    gs_ledger_bind_int(&b, a->cost_nanousd);
    gs_ledger_bind_int(&b, a->is_estimated);
    gs_ledger_bind_int(&b, a->retry_after_us);
    gs_ledger_bind_int(&b, gs_ledger_ended_us(a));
    gs_ledger_bind_int(&b, gs_ledger_judge(a) == GS_LEDGER_VERDICT_DOWN);
    return gs_ledger_db_step(w->db, b.s, err);
}

static enum gs_status write_attempt(struct gs_ledger_writer *w, const struct gs_ledger_attempt *a,
                                    struct gs_error *err)
{
    const enum gs_status st = insert_attempt(w, a, err);

    return st == GS_OK ? gs_ledger_sums_add(&w->sums, a, err) : st;
}

/* ---- breakers ---- */

static enum gs_status write_breaker(struct gs_ledger_writer *w, const struct gs_ledger_breaker *br,
                                    struct gs_error *err)
{
    const bool is_known = br->n_failures || br->n_opens || br->until_us;
    struct gs_ledger_binder b = {.s = is_known ? w->breaker : w->forget};

    gs_ledger_bind_text(&b, br->key);
    if (is_known) {
        gs_ledger_bind_int(&b, br->n_failures);
        gs_ledger_bind_int(&b, br->n_opens);
        gs_ledger_bind_int(&b, br->until_us);
        gs_ledger_bind_text(&b, gs_slice_str(gs_fault_word(br->fault)));
    }
    return gs_ledger_db_step(w->db, b.s, err);
}

/* ---- signatures ---- */

static enum gs_status write_signed(struct gs_ledger_writer *w, const struct gs_ledger_signed *made,
                                   struct gs_error *err)
{
    struct gs_ledger_binder b = {.s = w->made};

    gs_ledger_bind_int(&b, (int64_t)made->signature);
    gs_ledger_bind_int(&b, (int64_t)made->maker);
    return gs_ledger_db_step(w->db, b.s, err);
}

/* ---- all ---- */

static enum gs_status write_note(struct gs_ledger_writer *w, const struct gs_ledger_note *note,
                                 struct gs_error *err)
{
    switch (note->kind) {
    case GS_LEDGER_NOTE_REQUEST:
        return write_request(w, &note->u.request, err);
    case GS_LEDGER_NOTE_ATTEMPT:
        return write_attempt(w, &note->u.attempt, err);
    case GS_LEDGER_NOTE_BREAKER:
        return write_breaker(w, &note->u.breaker, err);
    case GS_LEDGER_NOTE_SIGNED:
        break;
    }
    return write_signed(w, &note->u.made, err);
}

/* Whether requests were answered at the same time since the last batch: a thread that does so never
 * sleeps then, and one of few would only meet this one more often if it paused. */
static bool were_many(struct gs_ledger_writer *w)
{
    const int64_t now_us = gs_clock_mono_us();
    const bool were = w->served_us > 2 * (now_us - w->since_us);

    w->since_us = now_us;
    w->served_us = 0;
    return were;
}

/* Let whoever answers requests have this processor: it waits for as long as this thread has had
 * less than its share of it, some milliseconds. False: the processors are busy, and rows would wait
 * too long. */
static bool give_way(void)
{
    static const struct timespec pause = {.tv_nsec = PAUSE_US * 1000};
    const int64_t from_us = gs_clock_mono_us();

    nanosleep(&pause, NULL);
    return gs_clock_mono_us() - from_us < LONG_PAUSE_US;
}

enum gs_status gs_ledger_write(struct gs_ledger_writer *w, struct gs_ledger_batch *batch,
                               struct gs_error *err)
{
    bool gives_way = (were_many(w) || w->gives_way) && batch->n < MANY_ROWS;
    size_t n = 0;
    enum gs_status st = gs_ledger_db_run(w->db, "BEGIN IMMEDIATE", "write to the ledger", err);

    if (st != GS_OK)
        return st;
    gs_ledger_sums_drop(&w->sums);
    for (const struct gs_ledger_note *note = gs_ledger_batch_next(batch); note && st == GS_OK;
         note = gs_ledger_batch_next(batch)) {
        st = write_note(w, note, err);
        if (++n % ROWS_AT_ONCE == 0 && gives_way)
            gives_way = give_way();
    }
    if (st == GS_OK)
        st = gs_ledger_sums_write(&w->sums, err);
    if (st == GS_OK)
        st = gs_ledger_db_run(w->db, "COMMIT", "write to the ledger", err);
    if (st != GS_OK)
        sqlite3_exec(w->db, "ROLLBACK", NULL, NULL, NULL);
    return st;
}

static enum gs_status delete_where(struct gs_ledger_writer *w, const char *sql, int64_t bound,
                                   struct gs_error *err)
{
    sqlite3_stmt *s;
    enum gs_status st = gs_ledger_db_prepare(w->db, sql, &s, err);

    if (st != GS_OK)
        return st;
    sqlite3_bind_int64(s, 1, bound);
    if (sqlite3_step(s) != SQLITE_DONE)
        st = gs_ledger_db_error(w->db, "shorten the ledger", err);
    sqlite3_finalize(s);
    return st;
}

/* Attempts come in the order of their ends, so those before the first to be kept go. */
enum gs_status gs_ledger_prune(struct gs_ledger_writer *w, int64_t keep_days, int64_t keep_rows,
                               struct gs_error *err)
{
    const int64_t now_us = gs_clock_wall_us();
    const int64_t since_us = now_us - keep_days * GS_LEDGER_US_PER_DAY;
    enum gs_status st = GS_OK;

    if (keep_days > 0)
        st = delete_where(w, "DELETE FROM request WHERE at_us < ?", since_us, err);
    if (st == GS_OK && keep_days > 0)
        st = delete_where(
            w,
            "DELETE FROM attempt WHERE n < coalesce((SELECT n FROM attempt"
            " WHERE ended_us >= ? ORDER BY n LIMIT 1), (SELECT max(n) + 1 FROM attempt))",
            since_us, err);
    if (st == GS_OK && keep_rows > 0)
        st = delete_where(w, "DELETE FROM request WHERE n <= (SELECT max(n) FROM request) - ?",
                          keep_rows, err);
    if (st == GS_OK && keep_rows > 0)
        st = delete_where(w, "DELETE FROM attempt WHERE n <= (SELECT max(n) FROM attempt) - 2 * ?",
                          keep_rows, err);
    if (st == GS_OK)
        st = delete_where(w, "DELETE FROM signed WHERE n <= (SELECT max(n) FROM signed) - ?",
                          KEEP_SIGNED, err);
    if (st == GS_OK)
        st = delete_where(w, "DELETE FROM spent WHERE day < ?",
                          gs_ledger_day(now_us) - KEEP_SUMS_DAYS, err);
    if (st == GS_OK)
        st = delete_where(w, "DELETE FROM spent_key WHERE day < ?",
                          gs_ledger_day(now_us) - KEEP_SUMS_DAYS, err);
    if (st == GS_OK)
        st = delete_where(w, "DELETE FROM uptime WHERE day < ?",
                          now_us / GS_LEDGER_US_PER_DAY - KEEP_SUMS_DAYS, err);
    if (st == GS_OK)
        st = gs_ledger_db_run(w->db, "PRAGMA incremental_vacuum", "shorten the ledger", err);
    return st;
}

/* ---- life ---- */

enum gs_status gs_ledger_writer_open(struct gs_ledger_writer *w, const char *path,
                                     struct gs_error *err)
{
    enum gs_status st = gs_ledger_db_open(path, true, &w->db, err);

    if (st == GS_OK)
        st = gs_ledger_db_prepare(w->db, request_sql, &w->request, err);
    if (st == GS_OK)
        st = gs_ledger_db_prepare(w->db, attempt_sql, &w->attempt, err);
    if (st == GS_OK)
        st = gs_ledger_sums_open(&w->sums, w->db, err);
    if (st == GS_OK)
        st = gs_ledger_db_prepare(w->db, breaker_sql, &w->breaker, err);
    if (st == GS_OK)
        st = gs_ledger_db_prepare(w->db, forget_sql, &w->forget, err);
    if (st == GS_OK)
        st = gs_ledger_db_prepare(w->db, signed_sql, &w->made, err);
    return st;
}

void gs_ledger_writer_close(struct gs_ledger_writer *w)
{
    sqlite3_finalize(w->request);
    sqlite3_finalize(w->attempt);
    gs_ledger_sums_close(&w->sums);
    sqlite3_finalize(w->breaker);
    sqlite3_finalize(w->forget);
    sqlite3_finalize(w->made);
    sqlite3_close(w->db);
}
