/* The reading side: requests, their attempts, for people and programs that ask. */
#include "ledger/ledger_read.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/slice.h"
#include "ledger/history.h"
#include "ledger/ledger_days.h"

#define ROW_COLUMNS                                                                                \
    "SELECT id, at_us, api, model, served_by, status, stream, outcome, error, prompt_tokens,"      \
    " cached_tokens, answer_tokens, reasoning_tokens, first_us, total_us, attempts, cost_nanousd," \
    " is_estimated, left_bytes, privacy, redacted, key,"                                           \
    " CASE WHEN attempts > 0 THEN (SELECT group_concat(what, ', ') FROM"                           \
    " (SELECT provider || ' ' || fault AS what FROM attempt WHERE request = id"                    \
    " AND fault <> 'none' ORDER BY number)) END FROM request"

static const char rows_sql[] = ROW_COLUMNS " WHERE at_us >= ?1 ORDER BY n DESC LIMIT ?2";
static const char failed_sql[] = ROW_COLUMNS /* 1: GS_LEDGER_FAILED, as the index has it */
    " INDEXED BY request_failed WHERE outcome = 1 AND at_us >= ?1 ORDER BY n DESC LIMIT ?2";
/* An id may be cut short, as people are shown it: the latest one that begins so. */
#define ID_OF "(SELECT id FROM request WHERE id >= ?1 AND id < ?1 || '~' ORDER BY n DESC LIMIT 1)"
static const char row_sql[] = ROW_COLUMNS " WHERE id = " ID_OF " ORDER BY n DESC LIMIT ?2";

static const char attempts_sql[] =
    "SELECT request, number, provider, model, at_us, connected_us, head_us, first_us, total_us,"
    " fault, is_uplink, is_continuation, status, sent_bytes, received_bytes, prompt_tokens,"
    " cached_tokens, cache_write_tokens, answer_tokens, cost_nanousd, is_estimated, retry_after_us"
    " FROM attempt WHERE request = coalesce(" ID_OF ", ?1) ORDER BY number, n";

static const char breakers_sql[] =
    "SELECT key, failures, opens, until_us, fault FROM breaker ORDER BY key";

static const char signed_sql[] = "SELECT signature, maker FROM signed ORDER BY n";

static const char spent_sql[] =
    "SELECT provider, sum(CASE WHEN day = ?1 THEN cost_nanousd ELSE 0 END), sum(cost_nanousd)"
    " FROM spent WHERE day >= ?2 GROUP BY provider ORDER BY provider";
static const char spent_key_sql[] =
    "SELECT key, sum(CASE WHEN day = ?1 THEN cost_nanousd ELSE 0 END), sum(cost_nanousd)"
    " FROM spent_key WHERE day >= ?2 GROUP BY key ORDER BY key";

static int by_value(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a;
    const int64_t y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

int64_t gs_ledger_percentile(int64_t *values, size_t n, int share)
{
    if (n == 0)
        return -1;
    qsort(values, n, sizeof(*values), by_value);
    return values[(n * (size_t)share + 99) / 100 - 1];
}

struct gs_slice gs_ledger_text_at(sqlite3_stmt *s, int column)
{
    const char *text = (const char *)sqlite3_column_text(s, column);
    const int n = sqlite3_column_bytes(s, column);

    return text ? (struct gs_slice){text, (size_t)n} : (struct gs_slice){"", 0};
}

enum gs_fault gs_ledger_fault_at(sqlite3_stmt *s, int column)
{
    const char *word = (const char *)sqlite3_column_text(s, column);
    enum gs_fault fault;

    return word && gs_fault_find(word, &fault) ? fault : GS_FAULT_OURS;
}

static struct gs_ledger_request row_of(sqlite3_stmt *s)
{
    return (struct gs_ledger_request){
        .id = gs_ledger_text_at(s, 0),
        .at_us = sqlite3_column_int64(s, 1),
        .api = gs_ledger_text_at(s, 2),
        .model = gs_ledger_text_at(s, 3),
        .served_by = gs_ledger_text_at(s, 4),
        .status = sqlite3_column_int(s, 5),
        .stream = sqlite3_column_int(s, 6) != 0,
        .outcome = (enum gs_ledger_outcome)sqlite3_column_int(s, 7),
        .error = gs_ledger_text_at(s, 8),
        .prompt_tokens = sqlite3_column_int64(s, 9),
        .cached_tokens = sqlite3_column_int64(s, 10),
        .answer_tokens = sqlite3_column_int64(s, 11),
        .reasoning_tokens = sqlite3_column_int64(s, 12),
        .first_us = sqlite3_column_int64(s, 13),
        .total_us = sqlite3_column_int64(s, 14),
        .n_attempts = sqlite3_column_int64(s, 15),
        .cost_nanousd = sqlite3_column_int64(s, 16),
        .is_estimated = sqlite3_column_int(s, 17) != 0,
        .left_bytes = sqlite3_column_int64(s, 18),
        .privacy = gs_ledger_text_at(s, 19),
        .found = gs_ledger_text_at(s, 20),
        .key = gs_ledger_text_at(s, 21),
        .faults = gs_ledger_text_at(s, 22),
    };
}

enum gs_status gs_ledger_step_through(sqlite3 *db, sqlite3_stmt *s, gs_ledger_row_fn *row, void *ud,
                                      struct gs_error *err)
{
    int rc;

    do
        rc = sqlite3_step(s);
    while (rc == SQLITE_ROW && row(ud, s));
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? GS_OK : gs_ledger_db_error(db, "read it", err);
}

struct row_reader {
    gs_ledger_request_fn *fn;
    void *ud;
};

static bool give_row(void *ud, sqlite3_stmt *s)
{
    const struct row_reader *r = ud;
    const struct gs_ledger_request row = row_of(s);

    return r->fn(r->ud, &row);
}

enum gs_status gs_ledger_read(const char *path, const struct gs_ledger_query *q,
                              gs_ledger_request_fn *fn, void *ud, struct gs_error *err)
{
    struct row_reader reader = {fn, ud};
    sqlite3 *db;
    sqlite3_stmt *s = NULL;
    enum gs_status st = gs_ledger_db_open(path, false, &db, err);

    if (st != GS_OK)
        return st;
    st = gs_ledger_db_prepare(db, q->id.len ? row_sql : q->failed ? failed_sql : rows_sql, &s, err);
    if (st == GS_OK) {
        if (q->id.len)
            sqlite3_bind_text(s, 1, q->id.ptr, (int)q->id.len, SQLITE_STATIC);
        else
            sqlite3_bind_int64(s, 1, q->since_us);
        sqlite3_bind_int64(s, 2, q->limit > 0 ? q->limit : -1);
        st = gs_ledger_step_through(db, s, give_row, &reader, err);
    }
    sqlite3_finalize(s);
    sqlite3_close(db);
    return st;
}

/* ---- attempts ---- */

static struct gs_ledger_attempt attempt_of(sqlite3_stmt *s)
{
    return (struct gs_ledger_attempt){
        .request = gs_ledger_text_at(s, 0),
        .number = sqlite3_column_int(s, 1),
        .provider = gs_ledger_text_at(s, 2),
        .model = gs_ledger_text_at(s, 3),
        .at_us = sqlite3_column_int64(s, 4),
        .connected_us = sqlite3_column_int64(s, 5),
        .head_us = sqlite3_column_int64(s, 6),
        .first_us = sqlite3_column_int64(s, 7),
        .total_us = sqlite3_column_int64(s, 8),
        .fault = gs_ledger_fault_at(s, 9),
        .is_uplink = sqlite3_column_int(s, 10) != 0,
        .is_continuation = sqlite3_column_int(s, 11) != 0,
        .status = sqlite3_column_int(s, 12),
        .sent_bytes = sqlite3_column_int64(s, 13),
        .received_bytes = sqlite3_column_int64(s, 14),
        .prompt_tokens = sqlite3_column_int64(s, 15),
        .cached_tokens = sqlite3_column_int64(s, 16),
        .cache_write_tokens = sqlite3_column_int64(s, 17),
        .answer_tokens = sqlite3_column_int64(s, 18),
        .cost_nanousd = sqlite3_column_int64(s, 19),
        .is_estimated = sqlite3_column_int(s, 20) != 0,
        .retry_after_us = sqlite3_column_int64(s, 21),
    };
}

struct attempt_reader {
    gs_ledger_attempt_fn *fn;
    void *ud;
};

static bool give_attempt(void *ud, sqlite3_stmt *s)
{
    const struct attempt_reader *r = ud;
    const struct gs_ledger_attempt attempt = attempt_of(s);

    return r->fn(r->ud, &attempt);
}

enum gs_status gs_ledger_read_attempts(const char *path, const struct gs_ledger_query *q,
                                       gs_ledger_attempt_fn *fn, void *ud, struct gs_error *err)
{
    struct attempt_reader reader = {fn, ud};
    sqlite3 *db;
    sqlite3_stmt *s = NULL;
    enum gs_status st = gs_ledger_db_open(path, false, &db, err);

    if (st != GS_OK)
        return st;
    st = gs_ledger_db_prepare(db, attempts_sql, &s, err);
    if (st == GS_OK) {
        sqlite3_bind_text(s, 1, q->id.ptr, (int)q->id.len, SQLITE_STATIC);
        st = gs_ledger_step_through(db, s, give_attempt, &reader, err);
    }
    sqlite3_finalize(s);
    sqlite3_close(db);
    return st;
}

/* ---- what a server remembers ---- */

static bool give_breaker(void *ud, sqlite3_stmt *s)
{
    const struct gs_ledger_memory *m = ud;
    const struct gs_ledger_breaker b = {
        .key = gs_ledger_text_at(s, 0),
        .n_failures = sqlite3_column_int64(s, 1),
        .n_opens = sqlite3_column_int64(s, 2),
        .until_us = sqlite3_column_int64(s, 3),
        .fault = gs_ledger_fault_at(s, 4),
    };

    m->on_breaker(m->ud, &b);
    return true;
}

static struct gs_ledger_spent amounts_at(sqlite3_stmt *s)
{
    return (struct gs_ledger_spent){
        .day_nanousd = sqlite3_column_int64(s, 1),
        .month_nanousd = sqlite3_column_int64(s, 2),
    };
}

static bool give_spent(void *ud, sqlite3_stmt *s)
{
    const struct gs_ledger_memory *m = ud;
    struct gs_ledger_spent spent = amounts_at(s);

    spent.provider = gs_ledger_text_at(s, 0);
    m->on_spent(m->ud, &spent);
    return true;
}

static bool give_key(void *ud, sqlite3_stmt *s)
{
    const struct gs_ledger_memory *m = ud;
    struct gs_ledger_spent spent = amounts_at(s);

    spent.key = gs_ledger_text_at(s, 0);
    m->on_key(m->ud, &spent);
    return true;
}

static bool give_signed(void *ud, sqlite3_stmt *s)
{
    const struct gs_ledger_memory *m = ud;
    const struct gs_ledger_signed made = {
        .signature = (uint64_t)sqlite3_column_int64(s, 0),
        .maker = (uint64_t)sqlite3_column_int64(s, 1),
    };

    m->on_signed(m->ud, &made);
    return true;
}

static enum gs_status read_rows(sqlite3 *db, const char *sql, gs_ledger_row_fn *row,
                                const struct gs_ledger_memory *m, struct gs_error *err)
{
    struct gs_ledger_memory copy = *m;
    sqlite3_stmt *s = NULL;
    enum gs_status st = gs_ledger_db_prepare(db, sql, &s, err);

    if (st == GS_OK)
        st = gs_ledger_step_through(db, s, row, &copy, err);
    sqlite3_finalize(s);
    return st;
}

static enum gs_status read_spent(sqlite3 *db, const char *sql, gs_ledger_row_fn *row,
                                 const struct gs_ledger_memory *m, struct gs_error *err)
{
    struct gs_ledger_memory copy = *m;
    const int64_t now_us = gs_clock_wall_us();
    sqlite3_stmt *s = NULL;
    enum gs_status st = gs_ledger_db_prepare(db, sql, &s, err);

    if (st == GS_OK) {
        sqlite3_bind_int64(s, 1, gs_ledger_day(now_us));
        sqlite3_bind_int64(s, 2, gs_ledger_month(now_us));
        st = gs_ledger_step_through(db, s, row, &copy, err);
    }
    sqlite3_finalize(s);
    return st;
}

enum gs_status gs_ledger_recall(const char *path, const struct gs_ledger_memory *m,
                                struct gs_error *err)
{
    sqlite3 *db;
    enum gs_status st = gs_ledger_db_open(path, false, &db, err);

    if (st != GS_OK)
        return st;
    if (m->on_breaker)
        st = read_rows(db, breakers_sql, give_breaker, m, err);
    if (st == GS_OK && m->on_spent)
        st = read_spent(db, spent_sql, give_spent, m, err);
    if (st == GS_OK && m->on_key)
        st = read_spent(db, spent_key_sql, give_key, m, err);
    if (st == GS_OK && m->on_signed)
        st = read_rows(db, signed_sql, give_signed, m, err);
    sqlite3_close(db);
    return st;
}
