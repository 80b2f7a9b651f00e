/* The reading side: rows and totals, for people and programs that ask. */
#include "base/error.h"
#include "ledger/ledger.h"
#include "ledger/ledger_db.h"

static const char rows_sql[] =
    "SELECT id, at_us, api, model, served_by, status, stream, outcome, error, prompt_tokens,"
    " cached_tokens, answer_tokens, reasoning_tokens, first_us, total_us FROM request"
    " WHERE at_us >= ?1 AND (NOT ?2 OR outcome = ?3) ORDER BY n DESC LIMIT ?4";

/* Of answers that began, the time from the first token to the end; "timed" tokens are theirs. */
static const char sums_sql[] =
    "SELECT served_by, count(*) AS n, sum(outcome = ?2), sum(outcome = ?3), sum(prompt_tokens),"
    " sum(cached_tokens), sum(answer_tokens), sum(first_us >= 0),"
    " sum(CASE WHEN first_us >= 0 AND answer_tokens > 1 THEN answer_tokens - 1 ELSE 0 END),"
    " sum(CASE WHEN first_us >= 0 AND answer_tokens > 1 THEN total_us - first_us ELSE 0 END)"
    " FROM request WHERE at_us >= ?1 GROUP BY served_by ORDER BY n DESC";

static const char first_sql[] =
    "SELECT first_us FROM request WHERE at_us >= ?1 AND served_by = ?2 AND first_us >= 0"
    " ORDER BY first_us LIMIT 1 OFFSET ?3";

/* Valid until the next step. */
static struct gs_slice text_at(sqlite3_stmt *s, int column)
{
    const char *text = (const char *)sqlite3_column_text(s, column);
    const int n = sqlite3_column_bytes(s, column);

    return text ? (struct gs_slice){text, (size_t)n} : (struct gs_slice){"", 0};
}

static struct gs_ledger_request row_of(sqlite3_stmt *s)
{
    return (struct gs_ledger_request){
        .id = text_at(s, 0),
        .at_us = sqlite3_column_int64(s, 1),
        .api = text_at(s, 2),
        .model = text_at(s, 3),
        .served_by = text_at(s, 4),
        .status = sqlite3_column_int(s, 5),
        .stream = sqlite3_column_int(s, 6) != 0,
        .outcome = (enum gs_ledger_outcome)sqlite3_column_int(s, 7),
        .error = text_at(s, 8),
        .prompt_tokens = sqlite3_column_int64(s, 9),
        .cached_tokens = sqlite3_column_int64(s, 10),
        .answer_tokens = sqlite3_column_int64(s, 11),
        .reasoning_tokens = sqlite3_column_int64(s, 12),
        .first_us = sqlite3_column_int64(s, 13),
        .total_us = sqlite3_column_int64(s, 14),
    };
}

/* Give each row to `row`, until it returns false. */
static enum gs_status step_through(sqlite3 *db, sqlite3_stmt *s,
                                   bool (*row)(void *ud, sqlite3_stmt *s), void *ud,
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
    st = gs_ledger_db_prepare(db, rows_sql, &s, err);
    if (st == GS_OK) {
        sqlite3_bind_int64(s, 1, q->since_us);
        sqlite3_bind_int(s, 2, q->failed);
        sqlite3_bind_int(s, 3, GS_LEDGER_FAILED);
        sqlite3_bind_int64(s, 4, q->limit > 0 ? q->limit : -1);
        st = step_through(db, s, give_row, &reader, err);
    }
    sqlite3_finalize(s);
    sqlite3_close(db);
    return st;
}

/* The value that `share` hundredths of the n first times do not pass: nearest rank. */
static int64_t percentile(sqlite3_stmt *s, int64_t since_us, struct gs_slice served_by, int64_t n,
                          int share)
{
    int64_t us = -1;

    if (n <= 0)
        return us;
    sqlite3_bind_int64(s, 1, since_us);
    sqlite3_bind_text(s, 2, served_by.ptr, (int)served_by.len, SQLITE_STATIC);
    sqlite3_bind_int64(s, 3, (n * share + 99) / 100 - 1);
    if (sqlite3_step(s) == SQLITE_ROW)
        us = sqlite3_column_int64(s, 0);
    sqlite3_reset(s);
    return us;
}

static struct gs_ledger_total total_of(sqlite3_stmt *s, sqlite3_stmt *first, int64_t since_us)
{
    const struct gs_slice served_by = text_at(s, 0);
    const int64_t n_begun = sqlite3_column_int64(s, 7);
    const int64_t timed_us = sqlite3_column_int64(s, 9);

    return (struct gs_ledger_total){
        .served_by = served_by,
        .n = sqlite3_column_int64(s, 1),
        .n_failed = sqlite3_column_int64(s, 2),
        .n_left = sqlite3_column_int64(s, 3),
        .prompt_tokens = sqlite3_column_int64(s, 4),
        .cached_tokens = sqlite3_column_int64(s, 5),
        .answer_tokens = sqlite3_column_int64(s, 6),
        .first_p50_us = percentile(first, since_us, served_by, n_begun, 50),
        .first_p95_us = percentile(first, since_us, served_by, n_begun, 95),
        .tokens_per_s =
            timed_us > 0 ? (double)sqlite3_column_int64(s, 8) * 1e6 / (double)timed_us : 0,
    };
}

struct total_reader {
    sqlite3_stmt *first;
    int64_t since_us;
    gs_ledger_total_fn *fn;
    void *ud;
};

static bool give_total(void *ud, sqlite3_stmt *s)
{
    const struct total_reader *r = ud;
    const struct gs_ledger_total total = total_of(s, r->first, r->since_us);

    return r->fn(r->ud, &total);
}

enum gs_status gs_ledger_sum(const char *path, const struct gs_ledger_query *q,
                             gs_ledger_total_fn *fn, void *ud, struct gs_error *err)
{
    struct total_reader reader = {.since_us = q->since_us, .fn = fn, .ud = ud};
    sqlite3 *db;
    sqlite3_stmt *s = NULL;
    enum gs_status st = gs_ledger_db_open(path, false, &db, err);

    if (st != GS_OK)
        return st;
    st = gs_ledger_db_prepare(db, sums_sql, &s, err);
    if (st == GS_OK)
        st = gs_ledger_db_prepare(db, first_sql, &reader.first, err);
    if (st == GS_OK) {
        sqlite3_bind_int64(s, 1, q->since_us);
        sqlite3_bind_int(s, 2, GS_LEDGER_FAILED);
        sqlite3_bind_int(s, 3, GS_LEDGER_LEFT);
        st = step_through(db, s, give_total, &reader, err);
    }
    sqlite3_finalize(reader.first);
    sqlite3_finalize(s);
    sqlite3_close(db);
    return st;
}
