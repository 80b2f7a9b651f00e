/* A note becomes a row; an attempt also counts in the sums and maps that outlive it. */
#include "ledger/ledger_write.h"

#include <sched.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/slice.h"
#include "ledger/ledger_days.h"

#define KEEP_SUMS_DAYS 1100  /* three years */
#define MANY_ROWS      512   /* of a transaction: more wait */
#define PAUSE_US       500   /* at most; and */
#define PAUSES_US      20000 /* those of one transaction */

static const char request_sql[] =
    "INSERT INTO request (id, at_us, api, model, served_by, status, stream, outcome, error,"
    " prompt_tokens, cached_tokens, answer_tokens, reasoning_tokens, first_us, total_us, attempts,"
    " cost_nanousd, is_estimated, left_bytes, privacy, redacted)"
    " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";

static const char attempt_sql[] =
    "INSERT INTO attempt (request, number, provider, model, at_us, connected_us, head_us, first_us,"
    " total_us, fault, is_uplink, is_continuation, status, sent_bytes, received_bytes,"
    " prompt_tokens, cached_tokens, cache_write_tokens, answer_tokens, cost_nanousd, is_estimated,"
    " retry_after_us, ended_us, is_against)"
    " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";

static const char spent_sql[] =
    "INSERT INTO spent (day, provider, model, n, n_failed, prompt_tokens, cached_tokens,"
    " cache_write_tokens, answer_tokens, cost_nanousd, n_estimated) VALUES (?,?,?,1,?,?,?,?,?,?,?)"
    " ON CONFLICT DO UPDATE SET n = n + 1, n_failed = n_failed + excluded.n_failed,"
    " prompt_tokens = prompt_tokens + excluded.prompt_tokens,"
    " cached_tokens = cached_tokens + excluded.cached_tokens,"
    " cache_write_tokens = cache_write_tokens + excluded.cache_write_tokens,"
    " answer_tokens = answer_tokens + excluded.answer_tokens,"
    " cost_nanousd = cost_nanousd + excluded.cost_nanousd,"
    " n_estimated = n_estimated + excluded.n_estimated";

static const char get_uptime_sql[] = "SELECT up, down FROM uptime WHERE provider = ? AND day = ?";
static const char put_uptime_sql[] =
    "INSERT OR REPLACE INTO uptime (provider, day, up, down) VALUES (?,?,?,?)";
static const char breaker_sql[] =
    "INSERT OR REPLACE INTO breaker (key, failures, opens, until_us, fault) VALUES (?,?,?,?,?)";
static const char forget_sql[] = "DELETE FROM breaker WHERE key = ?";

/* ---- one row ---- */

/* Values bound one after the other. */
struct binder {
    sqlite3_stmt *s;
    int at; /* of the last */
};

static void bind_text(struct binder *b, struct gs_slice text)
{
    sqlite3_bind_text(b->s, ++b->at, text.ptr ? text.ptr : "", (int)text.len, SQLITE_STATIC);
}

static void bind_int(struct binder *b, int64_t n)
{
    sqlite3_bind_int64(b->s, ++b->at, n);
}

static enum gs_status finish(struct gs_ledger_writer *w, sqlite3_stmt *s, struct gs_error *err)
{
    const int rc = sqlite3_step(s);
    const enum gs_status st =
        rc == SQLITE_DONE ? GS_OK : gs_ledger_db_error(w->db, "write to the ledger", err);

    sqlite3_reset(s);
    return st;
}

static enum gs_status write_request(struct gs_ledger_writer *w, const struct gs_ledger_request *r,
                                    struct gs_error *err)
{
    struct binder b = {.s = w->request};

    bind_text(&b, r->id);
    bind_int(&b, r->at_us);
    bind_text(&b, r->api);
    bind_text(&b, r->model);
    bind_text(&b, r->served_by);
    bind_int(&b, r->status);
    bind_int(&b, r->stream);
    bind_int(&b, (int64_t)r->outcome);
    bind_text(&b, r->error);
    bind_int(&b, r->prompt_tokens);
    bind_int(&b, r->cached_tokens);
    bind_int(&b, r->answer_tokens);
    bind_int(&b, r->reasoning_tokens);
    bind_int(&b, r->first_us);
    bind_int(&b, r->total_us);
    bind_int(&b, r->n_attempts);
    bind_int(&b, r->cost_nanousd);
    bind_int(&b, r->is_estimated);
    bind_int(&b, r->left_bytes);
    bind_text(&b, r->privacy);
    bind_text(&b, r->found);
    return finish(w, b.s, err);
}

/* ---- attempts ---- */

enum verdict { VERDICT_NONE, VERDICT_UP, VERDICT_DOWN };

/* What an attempt tells about its provider. */
static enum verdict judge(const struct gs_ledger_attempt *a)
{
    if (a->fault == GS_FAULT_NONE)
        return VERDICT_UP;
    switch (gs_fault_blame(a->fault)) {
    case GS_BLAME_PROVIDER:
        return VERDICT_DOWN;
    case GS_BLAME_NETWORK:
        return a->is_uplink ? VERDICT_NONE : VERDICT_DOWN;
    case GS_BLAME_NOBODY:
    case GS_BLAME_CREDENTIAL:
    case GS_BLAME_REQUEST:
    case GS_BLAME_TARGET:
        break;
    }
    return VERDICT_NONE;
}

/* What happened counts when it was known: at the end. */
static int64_t ended_us(const struct gs_ledger_attempt *a)
{
    return GS_MAX(0, a->at_us + GS_MAX(0, a->total_us));
}

static enum gs_status insert_attempt(struct gs_ledger_writer *w, const struct gs_ledger_attempt *a,
                                     struct gs_error *err)
{
    struct binder b = {.s = w->attempt};

    bind_text(&b, a->request);
    bind_int(&b, a->number);
    bind_text(&b, a->provider);
    bind_text(&b, a->model);
    bind_int(&b, a->at_us);
    bind_int(&b, a->connected_us);
    bind_int(&b, a->head_us);
    bind_int(&b, a->first_us);
    bind_int(&b, a->total_us);
    bind_text(&b, gs_slice_str(gs_fault_word(a->fault)));
    bind_int(&b, a->is_uplink);
    bind_int(&b, a->is_continuation);
    bind_int(&b, a->status);
    bind_int(&b, a->sent_bytes);
    bind_int(&b, a->received_bytes);
    bind_int(&b, a->prompt_tokens);
    bind_int(&b, a->cached_tokens);
    bind_int(&b, a->cache_write_tokens);
    bind_int(&b, a->answer_tokens);
    bind_int(&b, a->cost_nanousd);
    bind_int(&b, a->is_estimated);
    bind_int(&b, a->retry_after_us);
    bind_int(&b, ended_us(a));
    bind_int(&b, judge(a) == VERDICT_DOWN);
    return finish(w, b.s, err);
}

/* Names that nobody answered to have no sums of their own: a client may make up any number. */
static enum gs_status add_spent(struct gs_ledger_writer *w, const struct gs_ledger_attempt *a,
                                struct gs_error *err)
{
    const bool is_real = a->fault == GS_FAULT_NONE || a->cost_nanousd > 0;
    struct binder b = {.s = w->spent};

    bind_int(&b, gs_ledger_day(ended_us(a)));
    bind_text(&b, a->provider);
    bind_text(&b, is_real ? a->model : gs_slice("", 0));
    bind_int(&b, a->fault != GS_FAULT_NONE && a->fault != GS_FAULT_CANCELLED);
    bind_int(&b, a->prompt_tokens);
    bind_int(&b, a->cached_tokens);
    bind_int(&b, a->cache_write_tokens);
    bind_int(&b, a->answer_tokens);
    bind_int(&b, a->cost_nanousd);
    bind_int(&b, a->is_estimated);
    return finish(w, b.s, err);
}

static void read_map(sqlite3_stmt *s, int column, unsigned char map[GS_LEDGER_MAP_BYTES])
{
    const void *bytes = sqlite3_column_blob(s, column);

    if (bytes && sqlite3_column_bytes(s, column) == GS_LEDGER_MAP_BYTES)
        memcpy(map, bytes, GS_LEDGER_MAP_BYTES);
}

static enum gs_status mark_minute(struct gs_ledger_writer *w, const struct gs_ledger_attempt *a,
                                  struct gs_error *err)
{
    const enum verdict verdict = judge(a);
    const int64_t minute = gs_ledger_minute(ended_us(a));
    const size_t of_day = (size_t)(minute % GS_LEDGER_MINUTES_PER_DAY);
    unsigned char up[GS_LEDGER_MAP_BYTES] = {0};
    unsigned char down[GS_LEDGER_MAP_BYTES] = {0};
    unsigned char *byte = (verdict == VERDICT_UP ? up : down) + of_day / 8;
    const unsigned char bit = (unsigned char)(1U << of_day % 8);

    if (verdict == VERDICT_NONE)
        return GS_OK;
    sqlite3_reset(w->get_uptime);
    struct binder b = {.s = w->get_uptime};
    bind_text(&b, a->provider);
    bind_int(&b, minute / GS_LEDGER_MINUTES_PER_DAY);
    const int rc = sqlite3_step(w->get_uptime);
    if (rc == SQLITE_ROW) {
        read_map(w->get_uptime, 0, up);
        read_map(w->get_uptime, 1, down);
    }
    sqlite3_reset(w->get_uptime);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return gs_ledger_db_error(w->db, "write to the ledger", err);
    if (*byte & bit)
        return GS_OK;
    *byte |= bit;
    b = (struct binder){.s = w->put_uptime};
    bind_text(&b, a->provider);
    bind_int(&b, minute / GS_LEDGER_MINUTES_PER_DAY);
    sqlite3_bind_blob(b.s, 3, up, sizeof(up), SQLITE_STATIC);
    sqlite3_bind_blob(b.s, 4, down, sizeof(down), SQLITE_STATIC);
    return finish(w, b.s, err);
}

static enum gs_status write_attempt(struct gs_ledger_writer *w, const struct gs_ledger_attempt *a,
                                    struct gs_error *err)
{
    enum gs_status st = insert_attempt(w, a, err);

    if (st == GS_OK)
        st = add_spent(w, a, err);
    if (st == GS_OK)
        st = mark_minute(w, a, err);
    return st;
}

/* ---- breakers ---- */

static enum gs_status write_breaker(struct gs_ledger_writer *w, const struct gs_ledger_breaker *br,
                                    struct gs_error *err)
{
    const bool is_known = br->n_failures || br->n_opens || br->until_us;
    struct binder b = {.s = is_known ? w->breaker : w->forget};

    bind_text(&b, br->key);
    if (is_known) {
        bind_int(&b, br->n_failures);
        bind_int(&b, br->n_opens);
        bind_int(&b, br->until_us);
        bind_text(&b, gs_slice_str(gs_fault_word(br->fault)));
    }
    return finish(w, b.s, err);
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
        break;
    }
    return write_breaker(w, &note->u.breaker, err);
}

/* Let whoever answers requests have this processor: it would wait for a whole transaction
 * otherwise, because a thread that wakes does not interrupt its equals. False: the processors are
 * busy, and rows would wait too long. */
static bool give_way(int64_t until_us)
{
    const int64_t from_us = gs_clock_mono_us();

    sched_yield();
    const int64_t now_us = gs_clock_mono_us();
    return now_us - from_us < PAUSE_US && now_us < until_us;
}

enum gs_status gs_ledger_write(struct gs_ledger_writer *w, struct gs_ledger_note *const *notes,
                               size_t n, struct gs_error *err)
{
    const int64_t until_us = gs_clock_mono_us() + PAUSES_US;
    bool gives_way = n < MANY_ROWS;
    enum gs_status st = gs_ledger_db_run(w->db, "BEGIN IMMEDIATE", "write to the ledger", err);

    if (st != GS_OK)
        return st;
    for (size_t i = 0; i < n && st == GS_OK; i++) {
        st = write_note(w, notes[i], err);
        gives_way = gives_way && give_way(until_us);
    }
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
        st = delete_where(w, "DELETE FROM spent WHERE day < ?",
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
        st = gs_ledger_db_prepare(w->db, spent_sql, &w->spent, err);
    if (st == GS_OK)
        st = gs_ledger_db_prepare(w->db, get_uptime_sql, &w->get_uptime, err);
    if (st == GS_OK)
        st = gs_ledger_db_prepare(w->db, put_uptime_sql, &w->put_uptime, err);
    if (st == GS_OK)
        st = gs_ledger_db_prepare(w->db, breaker_sql, &w->breaker, err);
    if (st == GS_OK)
        st = gs_ledger_db_prepare(w->db, forget_sql, &w->forget, err);
    return st;
}

void gs_ledger_writer_close(struct gs_ledger_writer *w)
{
    sqlite3_finalize(w->request);
    sqlite3_finalize(w->attempt);
    sqlite3_finalize(w->spent);
    sqlite3_finalize(w->get_uptime);
    sqlite3_finalize(w->put_uptime);
    sqlite3_finalize(w->breaker);
    sqlite3_finalize(w->forget);
    sqlite3_close(w->db);
}
