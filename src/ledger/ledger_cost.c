/* Costs, from the sums of days; speed, from the latest answers of each model. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/slice.h"
#include "ledger/history.h"
#include "ledger/ledger_days.h"
#include "ledger/ledger_read.h"

#define MAX_TIMED       10000 /* answers that speed is told from */
#define IN_ONE_PIECE_US 1000  /* what takes no longer from its first token on came at once */

#define SUMS                                                                                       \
    " sum(n), sum(n_failed), sum(prompt_tokens), sum(cached_tokens), sum(cache_write_tokens),"     \
    " sum(answer_tokens), sum(cost_nanousd) AS cost, sum(n_estimated) FROM spent WHERE day >= ?1 "

static const char *const costs_sql[] = {
    [GS_LEDGER_BY_DAY] = "SELECT day, '', ''," SUMS "GROUP BY day ORDER BY day DESC",
    [GS_LEDGER_BY_PROVIDER] =
        "SELECT -1, provider, ''," SUMS "GROUP BY provider ORDER BY cost DESC, provider",
    [GS_LEDGER_BY_MODEL] = "SELECT -1, provider, model," SUMS
                           "GROUP BY provider, model ORDER BY cost DESC, provider, model",
    [GS_LEDGER_BY_ALL] =
        "SELECT day, provider, model," SUMS
        "GROUP BY day, provider, model ORDER BY day DESC, cost DESC, provider, model",
};

static const char models_sql[] = "SELECT DISTINCT provider, model FROM spent WHERE day >= ?1"
                                 " AND n > n_failed ORDER BY provider, model";

static const char timed_sql[] =
    "SELECT first_us, total_us, answer_tokens, ended_us FROM attempt INDEXED BY attempt_timed"
    " WHERE fault = 'none' AND provider = ?1 AND model = ?2 ORDER BY n DESC LIMIT ?3";

void gs_ledger_format_day(int64_t day, char *out, size_t cap)
{
    gs_ledger_day_format(day, out, cap);
}

/* ---- costs ---- */

struct cost_reader {
    gs_ledger_cost_fn *fn;
    void *ud;
};

static bool give_cost(void *ud, sqlite3_stmt *s)
{
    const struct cost_reader *r = ud;
    const struct gs_ledger_cost cost = {
        .day = sqlite3_column_int64(s, 0),
        .provider = gs_ledger_text_at(s, 1),
        .model = gs_ledger_text_at(s, 2),
        .n = sqlite3_column_int64(s, 3),
        .n_failed = sqlite3_column_int64(s, 4),
        .prompt_tokens = sqlite3_column_int64(s, 5),
        .cached_tokens = sqlite3_column_int64(s, 6),
        .cache_write_tokens = sqlite3_column_int64(s, 7),
        .answer_tokens = sqlite3_column_int64(s, 8),
        .cost_nanousd = sqlite3_column_int64(s, 9),
        .n_estimated = sqlite3_column_int64(s, 10),
    };

    return r->fn(r->ud, &cost);
}

enum gs_status gs_ledger_read_costs(const char *path, const struct gs_ledger_query *q,
                                    enum gs_ledger_group by, gs_ledger_cost_fn *fn, void *ud,
                                    struct gs_error *err)
{
    struct cost_reader reader = {fn, ud};
    sqlite3 *db;
    sqlite3_stmt *s = NULL;
    enum gs_status st = gs_ledger_db_open(path, false, &db, err);

    if (st != GS_OK)
        return st;
    st = gs_ledger_db_prepare(db, costs_sql[by], &s, err);
    if (st == GS_OK) {
        sqlite3_bind_int64(s, 1, gs_ledger_day(q->since_us));
        st = gs_ledger_step_through(db, s, give_cost, &reader, err);
    }
    sqlite3_finalize(s);
    sqlite3_close(db);
    return st;
}

/* ---- speed ---- */

struct speed_reader {
    sqlite3 *db;
    sqlite3_stmt *timed;
    int64_t since_us;
    int64_t *first_us; /* [MAX_TIMED] */
    size_t n;          /* of the model now */
    int64_t n_tokens, tokens_us;
    enum gs_status st;
    struct gs_error *err;
    gs_ledger_speed_fn *fn;
    void *ud;
};

static bool add_timed(void *ud, sqlite3_stmt *s)
{
    struct speed_reader *r = ud;
    const int64_t first_us = sqlite3_column_int64(s, 0);
    const int64_t total_us = sqlite3_column_int64(s, 1);
    const int64_t n_tokens = sqlite3_column_int64(s, 2);

    if (sqlite3_column_int64(s, 3) < r->since_us) /* and so are those before it */
        return false;
    if (first_us < 0 || total_us - first_us < IN_ONE_PIECE_US) /* its first token came unseen */
        return true;
    r->first_us[r->n++] = first_us;
    if (n_tokens > 1) {
        r->n_tokens += n_tokens - 1;
        r->tokens_us += total_us - first_us;
    }
    return true;
}

static bool give_speed(void *ud, sqlite3_stmt *s)
{
    struct speed_reader *r = ud;
    struct gs_ledger_speed speed = {.provider = gs_ledger_text_at(s, 0),
                                    .model = gs_ledger_text_at(s, 1)};

    r->n = 0;
    r->n_tokens = r->tokens_us = 0;
    sqlite3_bind_text(r->timed, 1, speed.provider.ptr, (int)speed.provider.len, SQLITE_STATIC);
    sqlite3_bind_text(r->timed, 2, speed.model.ptr, (int)speed.model.len, SQLITE_STATIC);
    sqlite3_bind_int(r->timed, 3, MAX_TIMED);
    r->st = gs_ledger_step_through(r->db, r->timed, add_timed, r, r->err);
    sqlite3_reset(r->timed);
    if (r->st != GS_OK)
        return false;
    if (r->n == 0)
        return true;
    speed.n = (int64_t)r->n;
    speed.first_p50_us = gs_ledger_percentile(r->first_us, r->n, 50);
    speed.first_p95_us = gs_ledger_percentile(r->first_us, r->n, 95);
    speed.tokens_per_s = r->tokens_us ? (double)r->n_tokens * 1e6 / (double)r->tokens_us : 0;
    return r->fn(r->ud, &speed);
}

enum gs_status gs_ledger_read_speeds(const char *path, const struct gs_ledger_query *q,
                                     gs_ledger_speed_fn *fn, void *ud, struct gs_error *err)
{
    struct speed_reader r = {.since_us = q->since_us, .err = err, .fn = fn, .ud = ud};
    sqlite3_stmt *models = NULL;
    enum gs_status st = gs_ledger_db_open(path, false, &r.db, err);

    if (st != GS_OK)
        return st;
    r.first_us = gs_alloc(MAX_TIMED * sizeof(*r.first_us));
    if (!r.first_us)
        st = gs_error_nomem(err, "read the ledger");
    if (st == GS_OK)
        st = gs_ledger_db_prepare(r.db, timed_sql, &r.timed, err);
    if (st == GS_OK)
        st = gs_ledger_db_prepare(r.db, models_sql, &models, err);
    if (st == GS_OK) {
        sqlite3_bind_int64(models, 1, gs_ledger_day(q->since_us));
        st = gs_ledger_step_through(r.db, models, give_speed, &r, err);
    }
    sqlite3_finalize(models);
    sqlite3_finalize(r.timed);
    sqlite3_close(r.db);
    gs_free(r.first_us);
    return st == GS_OK ? r.st : st;
}
