/* A few entries, searched from the first: a moment has few providers and models. */
#include "ledger/ledger_sums.h"

#include <string.h>

#include "base/error.h"
#include "base/slice.h"
#include "ledger/ledger_days.h"

static const char spent_sql[] =
    "INSERT INTO spent (day, provider, model, n, n_failed, prompt_tokens, cached_tokens,"
    " cache_write_tokens, answer_tokens, cost_nanousd, n_estimated) VALUES (?,?,?,?,?,?,?,?,?,?,?)"
    " ON CONFLICT DO UPDATE SET n = n + excluded.n, n_failed = n_failed + excluded.n_failed,"
    " prompt_tokens = prompt_tokens + excluded.prompt_tokens,"
    " cached_tokens = cached_tokens + excluded.cached_tokens,"
    " cache_write_tokens = cache_write_tokens + excluded.cache_write_tokens,"
    " answer_tokens = answer_tokens + excluded.answer_tokens,"
    " cost_nanousd = cost_nanousd + excluded.cost_nanousd,"
    " n_estimated = n_estimated + excluded.n_estimated";

static const char spent_key_sql[] =
    "INSERT INTO spent_key (day, key, cost_nanousd) VALUES (?,?,?)"
    " ON CONFLICT DO UPDATE SET cost_nanousd = cost_nanousd + excluded.cost_nanousd";

static const char get_uptime_sql[] = "SELECT up, down FROM uptime WHERE provider = ? AND day = ?";
static const char put_uptime_sql[] =
    "INSERT OR REPLACE INTO uptime (provider, day, up, down) VALUES (?,?,?,?)";

/* ---- attempts ---- */

enum gs_ledger_verdict gs_ledger_judge(const struct gs_ledger_attempt *a)
{
    if (a->fault == GS_FAULT_NONE)
        return GS_LEDGER_VERDICT_UP;
    switch (gs_fault_blame(a->fault)) {
    case GS_BLAME_PROVIDER:
        return GS_LEDGER_VERDICT_DOWN;
    case GS_BLAME_NETWORK:
        return a->is_uplink ? GS_LEDGER_VERDICT_NONE : GS_LEDGER_VERDICT_DOWN;
    case GS_BLAME_NOBODY:
    case GS_BLAME_CREDENTIAL:
    case GS_BLAME_REQUEST:
    case GS_BLAME_TARGET:
        break;
    }
    return GS_LEDGER_VERDICT_NONE;
}

int64_t gs_ledger_ended_us(const struct gs_ledger_attempt *a)
{
    return GS_MAX(0, a->at_us + GS_MAX(0, a->total_us));
}

/* ---- sums ---- */

static enum gs_status write_sum(struct gs_ledger_sums *s, const struct gs_ledger_sum *sum,
                                struct gs_error *err)
{
    struct gs_ledger_binder b = {.s = s->spent};

    gs_ledger_bind_int(&b, sum->day);
    gs_ledger_bind_text(&b, sum->provider);
    gs_ledger_bind_text(&b, sum->model);
    gs_ledger_bind_int(&b, sum->n);
    gs_ledger_bind_int(&b, sum->n_failed);
    gs_ledger_bind_int(&b, sum->prompt_tokens);
    gs_ledger_bind_int(&b, sum->cached_tokens);
    gs_ledger_bind_int(&b, sum->cache_write_tokens);
    gs_ledger_bind_int(&b, sum->answer_tokens);
    gs_ledger_bind_int(&b, sum->cost_nanousd);
    gs_ledger_bind_int(&b, sum->n_estimated);
    return gs_ledger_db_step(s->db, b.s, err);
}

/* The day of a minute; the calendar is asked once for each. */
static int64_t day_of(struct gs_ledger_sums *s, int64_t ended_us)
{
    const int64_t minute = gs_ledger_minute(ended_us);

    if (minute != s->minute) {
        s->minute = minute;
        s->day = gs_ledger_day(ended_us);
    }
    return s->day;
}

/* Names that nobody answered to have no sums of their own: a client may make up any number. */
static enum gs_status add_sum(struct gs_ledger_sums *s, const struct gs_ledger_attempt *a,
                              struct gs_error *err)
{
    const bool is_real = a->fault == GS_FAULT_NONE || a->cost_nanousd > 0;
    const struct gs_slice model = is_real ? a->model : gs_slice("", 0);
    const int64_t day = day_of(s, gs_ledger_ended_us(a));
    size_t at = 0;

    while (at < s->n_sums &&
           !(s->sums[at].day == day && gs_slice_eq(s->sums[at].provider, a->provider) &&
             gs_slice_eq(s->sums[at].model, model)))
        at++;
    if (at == GS_LEDGER_MAX_SUMS) {
        const enum gs_status st = gs_ledger_sums_write(s, err);
        if (st != GS_OK)
            return st;
        at = 0;
    }
    struct gs_ledger_sum *const sum = &s->sums[at];
    if (at == s->n_sums) {
        *sum = (struct gs_ledger_sum){.day = day, .provider = a->provider, .model = model};
        s->n_sums++;
    }
    sum->n++;
    sum->n_failed += a->fault != GS_FAULT_NONE && a->fault != GS_FAULT_CANCELLED;
    sum->n_estimated += a->is_estimated;
    sum->prompt_tokens += a->prompt_tokens;
    sum->cached_tokens += a->cached_tokens;
    sum->cache_write_tokens += a->cache_write_tokens;
    sum->answer_tokens += a->answer_tokens;
    sum->cost_nanousd += a->cost_nanousd;
    return GS_OK;
}

/* Not gathered: what costs something takes its time to come. */
static enum gs_status write_key(struct gs_ledger_sums *s, const struct gs_ledger_attempt *a,
                                struct gs_error *err)
{
    struct gs_ledger_binder b = {.s = s->spent_key};

    if (a->key.len == 0 || a->cost_nanousd <= 0)
        return GS_OK;
    gs_ledger_bind_int(&b, day_of(s, gs_ledger_ended_us(a)));
    gs_ledger_bind_text(&b, a->key);
    gs_ledger_bind_int(&b, a->cost_nanousd);
    return gs_ledger_db_step(s->db, b.s, err);
}

/* ---- marks ---- */

static void read_map(sqlite3_stmt *s, int column, unsigned char map[GS_LEDGER_MAP_BYTES])
{
    const void *bytes = sqlite3_column_blob(s, column);

    if (bytes && sqlite3_column_bytes(s, column) == GS_LEDGER_MAP_BYTES)
        memcpy(map, bytes, GS_LEDGER_MAP_BYTES);
}

static enum gs_status write_mark(struct gs_ledger_sums *s, const struct gs_ledger_mark *m,
                                 struct gs_error *err)
{
    const size_t of_day = (size_t)(m->minute % GS_LEDGER_MINUTES_PER_DAY);
    unsigned char up[GS_LEDGER_MAP_BYTES] = {0};
    unsigned char down[GS_LEDGER_MAP_BYTES] = {0};
    unsigned char *byte = (m->verdict == GS_LEDGER_VERDICT_UP ? up : down) + of_day / 8;
    const unsigned char bit = (unsigned char)(1U << of_day % 8);
    struct gs_ledger_binder b = {.s = s->get_uptime};

    gs_ledger_bind_text(&b, m->provider);
    gs_ledger_bind_int(&b, m->minute / GS_LEDGER_MINUTES_PER_DAY);
    const int rc = sqlite3_step(s->get_uptime);
    if (rc == SQLITE_ROW) {
        read_map(s->get_uptime, 0, up);
        read_map(s->get_uptime, 1, down);
    }
    sqlite3_reset(s->get_uptime);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return gs_ledger_db_error(s->db, "write to the ledger", err);
    if (*byte & bit)
        return GS_OK;
    *byte |= bit;
    b = (struct gs_ledger_binder){.s = s->put_uptime};
    gs_ledger_bind_text(&b, m->provider);
    gs_ledger_bind_int(&b, m->minute / GS_LEDGER_MINUTES_PER_DAY);
    sqlite3_bind_blob(b.s, 3, up, sizeof(up), SQLITE_STATIC);
    sqlite3_bind_blob(b.s, 4, down, sizeof(down), SQLITE_STATIC);
    return gs_ledger_db_step(s->db, b.s, err);
}

static enum gs_status add_mark(struct gs_ledger_sums *s, const struct gs_ledger_attempt *a,
                               struct gs_error *err)
{
    const struct gs_ledger_mark mark = {.provider = a->provider,
                                        .minute = gs_ledger_minute(gs_ledger_ended_us(a)),
                                        .verdict = gs_ledger_judge(a)};

    if (mark.verdict == GS_LEDGER_VERDICT_NONE)
        return GS_OK;
    for (size_t i = 0; i < s->n_marks; i++)
        if (s->marks[i].minute == mark.minute && s->marks[i].verdict == mark.verdict &&
            gs_slice_eq(s->marks[i].provider, mark.provider))
            return GS_OK;
    if (s->n_marks == GS_LEDGER_MAX_SUMS) {
        const enum gs_status st = gs_ledger_sums_write(s, err);
        if (st != GS_OK)
            return st;
    }
    s->marks[s->n_marks++] = mark;
    return GS_OK;
}

/* ---- all ---- */

enum gs_status gs_ledger_sums_add(struct gs_ledger_sums *s, const struct gs_ledger_attempt *a,
                                  struct gs_error *err)
{
    enum gs_status st = add_sum(s, a, err);

    if (st == GS_OK)
        st = write_key(s, a, err);
    return st == GS_OK ? add_mark(s, a, err) : st;
}

enum gs_status gs_ledger_sums_write(struct gs_ledger_sums *s, struct gs_error *err)
{
    enum gs_status st = GS_OK;

    for (size_t i = 0; i < s->n_sums && st == GS_OK; i++)
        st = write_sum(s, &s->sums[i], err);
    for (size_t i = 0; i < s->n_marks && st == GS_OK; i++)
        st = write_mark(s, &s->marks[i], err);
    gs_ledger_sums_drop(s);
    return st;
}

void gs_ledger_sums_drop(struct gs_ledger_sums *s)
{
    s->n_sums = s->n_marks = 0;
}

enum gs_status gs_ledger_sums_open(struct gs_ledger_sums *s, sqlite3 *db, struct gs_error *err)
{
    *s = (struct gs_ledger_sums){.db = db, .minute = -1};
    enum gs_status st = gs_ledger_db_prepare(db, spent_sql, &s->spent, err);

    if (st == GS_OK)
        st = gs_ledger_db_prepare(db, spent_key_sql, &s->spent_key, err);
    if (st == GS_OK)
        st = gs_ledger_db_prepare(db, get_uptime_sql, &s->get_uptime, err);
    if (st == GS_OK)
        st = gs_ledger_db_prepare(db, put_uptime_sql, &s->put_uptime, err);
    return st;
}

void gs_ledger_sums_close(struct gs_ledger_sums *s)
{
    sqlite3_finalize(s->spent);
    sqlite3_finalize(s->spent_key);
    sqlite3_finalize(s->get_uptime);
    sqlite3_finalize(s->put_uptime);
}
