/* Uptime and incidents, from the maps of minutes: one pass over some 100 KB per provider. Only the
 * incidents that are told are looked up among the attempts. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/slice.h"
#include "ledger/history.h"
#include "ledger/ledger_days.h"
#include "ledger/ledger_read.h"

#define MAX_NAME_BYTES 256
#define MAX_WORDS      GS_KIB

static const char maps_sql[] =
    "SELECT provider, day, up, down FROM uptime WHERE day >= ?1 ORDER BY provider, day";

static const char faults_sql[] =
    "SELECT fault, count(*) AS n FROM attempt INDEXED BY attempt_against WHERE provider = ?1"
    " AND is_against AND ended_us >= ?2 AND ended_us < ?3 GROUP BY fault ORDER BY n DESC, fault";

static const char requests_sql[] =
    "SELECT count(DISTINCT request) FROM attempt INDEXED BY attempt_against WHERE provider = ?1"
    " AND is_against AND ended_us >= ?2 AND ended_us < ?3";

static const char rescuers_sql[] =
    "SELECT provider, count(DISTINCT request) AS n FROM attempt INDEXED BY attempt_request"
    " WHERE fault = 'none' AND request IN (SELECT request FROM attempt INDEXED BY attempt_against"
    " WHERE provider = ?1 AND is_against AND ended_us >= ?2 AND ended_us < ?3)"
    " GROUP BY provider ORDER BY n DESC, provider";

/* ---- minutes ---- */

enum state { STATE_UNKNOWN, STATE_UP, STATE_DOWN };

/* Receives the minutes of one provider after the other, in order, but unknown ones. */
struct minutes_reader {
    int64_t first_minute;
    bool (*begin)(void *ud, struct gs_slice provider);
    void (*minute)(void *ud, int64_t minute, enum state state);
    bool (*end)(void *ud);
    void *ud;
    char name[MAX_NAME_BYTES]; /* of the provider now */
    size_t name_len;
    bool has_provider;
};

static enum state state_of(const unsigned char *up, const unsigned char *down, size_t i)
{
    const unsigned bit = 1U << i % 8;

    return up[i / 8] & bit ? STATE_UP : down[i / 8] & bit ? STATE_DOWN : STATE_UNKNOWN;
}

/* A new provider; false when enough was read. */
static bool change_provider(struct minutes_reader *r, struct gs_slice name)
{
    if (r->has_provider && !r->end(r->ud))
        return false;
    r->has_provider = true;
    r->name_len = GS_MIN(name.len, sizeof(r->name));
    memcpy(r->name, name.ptr, r->name_len);
    return r->begin(r->ud, gs_slice(r->name, r->name_len));
}

static bool read_map(void *ud, sqlite3_stmt *s)
{
    struct minutes_reader *r = ud;
    const struct gs_slice name = gs_ledger_text_at(s, 0);
    const int64_t first = sqlite3_column_int64(s, 1) * GS_LEDGER_MINUTES_PER_DAY;
    const unsigned char *up = sqlite3_column_blob(s, 2);
    const unsigned char *down = sqlite3_column_blob(s, 3);

    if ((!r->has_provider || !gs_slice_eq(name, gs_slice(r->name, r->name_len))) &&
        !change_provider(r, name))
        return false;
    if (!up || !down || sqlite3_column_bytes(s, 2) != GS_LEDGER_MAP_BYTES ||
        sqlite3_column_bytes(s, 3) != GS_LEDGER_MAP_BYTES)
        return true;
    for (size_t i = 0; i < GS_LEDGER_MINUTES_PER_DAY; i++) {
        const enum state state = state_of(up, down, i);
        if (state != STATE_UNKNOWN && first + (int64_t)i >= r->first_minute)
            r->minute(r->ud, first + (int64_t)i, state);
    }
    return true;
}

static enum gs_status read_minutes(sqlite3 *db, struct minutes_reader *r, struct gs_error *err)
{
    sqlite3_stmt *s = NULL;
    enum gs_status st = gs_ledger_db_prepare(db, maps_sql, &s, err);

    if (st == GS_OK) {
        sqlite3_bind_int64(s, 1, r->first_minute / GS_LEDGER_MINUTES_PER_DAY);
        st = gs_ledger_step_through(db, s, read_map, r, err);
    }
    if (st == GS_OK && r->has_provider)
        r->end(r->ud);
    sqlite3_finalize(s);
    return st;
}

static int64_t first_day(void)
{
    return gs_ledger_day(gs_clock_wall_us()) - GS_LEDGER_UPTIME_DAYS + 1;
}

/* ---- uptime ---- */

struct uptime_reader {
    struct gs_ledger_uptime uptime;
    struct gs_ledger_minutes days[GS_LEDGER_UPTIME_DAYS];
    int64_t begins[GS_LEDGER_UPTIME_DAYS + 1]; /* minutes */
    size_t day;
    gs_ledger_uptime_fn *fn;
    void *ud;
};

static bool uptime_begin(void *ud, struct gs_slice provider)
{
    struct uptime_reader *r = ud;

    memset(r->days, 0, sizeof(r->days));
    r->day = 0;
    r->uptime.provider = provider;
    r->uptime.all = (struct gs_ledger_minutes){0};
    return true;
}

static void uptime_minute(void *ud, int64_t minute, enum state state)
{
    struct uptime_reader *r = ud;

    while (r->day < GS_LEDGER_UPTIME_DAYS && minute >= r->begins[r->day + 1])
        r->day++;
    if (r->day == GS_LEDGER_UPTIME_DAYS) /* of tomorrow: the clock was set back */
        return;
    r->days[r->day].n_known++;
    r->days[r->day].n_down += state == STATE_DOWN;
    r->uptime.all.n_known++;
    r->uptime.all.n_down += state == STATE_DOWN;
}

static bool uptime_end(void *ud)
{
    struct uptime_reader *r = ud;

    r->uptime.days = r->days;
    return r->uptime.all.n_known == 0 || r->fn(r->ud, &r->uptime);
}

enum gs_status gs_ledger_read_uptime(const char *path, gs_ledger_uptime_fn *fn, void *ud,
                                     struct gs_error *err)
{
    struct uptime_reader r = {.fn = fn, .ud = ud, .uptime.first_day = first_day()};
    struct minutes_reader reader = {
        .begin = uptime_begin, .minute = uptime_minute, .end = uptime_end, .ud = &r};
    sqlite3 *db;
    enum gs_status st = gs_ledger_db_open(path, false, &db, err);

    if (st != GS_OK)
        return st;
    for (int i = 0; i <= GS_LEDGER_UPTIME_DAYS; i++)
        r.begins[i] = gs_ledger_day_begin(r.uptime.first_day + i);
    reader.first_minute = r.begins[0];
    st = read_minutes(db, &reader, err);
    sqlite3_close(db);
    return st;
}

/* ---- incidents ---- */

/* A run of minutes that were down. */
struct run {
    char name[MAX_NAME_BYTES];
    size_t name_len;
    int64_t begin, end; /* minutes; the one after the last that was down */
    bool is_over;
};

struct incident_reader {
    struct run runs[GS_LEDGER_MAX_INCIDENTS]; /* the latest, by their begin */
    size_t n, most;
    struct run now; /* end 0: none */
};

/* Sort it in among the latest. */
static void add_run(struct incident_reader *r)
{
    size_t i = r->n;

    if (r->n == r->most && (r->most == 0 || r->runs[r->n - 1].begin >= r->now.begin))
        return;
    if (r->n == r->most)
        i--;
    else
        r->n++;
    for (; i > 0 && r->runs[i - 1].begin < r->now.begin; i--)
        r->runs[i] = r->runs[i - 1];
    r->runs[i] = r->now;
}

static bool incidents_begin(void *ud, struct gs_slice provider)
{
    struct incident_reader *r = ud;

    r->now = (struct run){.name_len = provider.len};
    memcpy(r->now.name, provider.ptr, provider.len);
    return true;
}

static void incidents_minute(void *ud, int64_t minute, enum state state)
{
    struct incident_reader *r = ud;

    if (state == STATE_DOWN) {
        if (r->now.end == 0)
            r->now.begin = minute;
        r->now.end = minute + 1;
    } else if (r->now.end != 0) {
        r->now.is_over = true;
        add_run(r);
        r->now.end = 0;
        r->now.is_over = false;
    }
}

static bool incidents_end(void *ud)
{
    struct incident_reader *r = ud;

    if (r->now.end != 0)
        add_run(r);
    return true;
}

/* "overloaded 12, stall 3", and how many together. */
struct words {
    struct gs_buf *b;
    int64_t sum;
};

static bool put_word(void *ud, sqlite3_stmt *s)
{
    struct words *w = ud;

    w->sum += sqlite3_column_int64(s, 1);
    gs_buf_puts(w->b, w->b->len ? ", " : "");
    gs_buf_slice(w->b, gs_ledger_text_at(s, 0));
    gs_buf_putc(w->b, ' ');
    gs_buf_int(w->b, sqlite3_column_int64(s, 1));
    return true;
}

static bool put_count(void *ud, sqlite3_stmt *s)
{
    *(int64_t *)ud = sqlite3_column_int64(s, 0);
    return true;
}

static enum gs_status ask_about(sqlite3 *db, const char *sql, const struct run *run,
                                gs_ledger_row_fn *row, void *ud, struct gs_error *err)
{
    sqlite3_stmt *s = NULL;
    enum gs_status st = gs_ledger_db_prepare(db, sql, &s, err);

    if (st == GS_OK) {
        sqlite3_bind_text(s, 1, run->name, (int)run->name_len, SQLITE_STATIC);
        sqlite3_bind_int64(s, 2, run->begin * GS_LEDGER_US_PER_MINUTE);
        sqlite3_bind_int64(s, 3, run->end * GS_LEDGER_US_PER_MINUTE);
        st = gs_ledger_step_through(db, s, row, ud, err);
    }
    sqlite3_finalize(s);
    return st;
}

static enum gs_status tell_incident(sqlite3 *db, const struct run *run, gs_ledger_incident_fn *fn,
                                    void *ud, bool *out_more, struct gs_error *err)
{
    struct gs_buf faults, rescuers;
    struct words failed = {.b = &faults};
    struct words rescued = {.b = &rescuers};
    int64_t n_requests = 0;

    gs_buf_init(&faults, MAX_WORDS);
    gs_buf_init(&rescuers, MAX_WORDS);
    enum gs_status st = ask_about(db, faults_sql, run, put_word, &failed, err);
    if (st == GS_OK)
        st = ask_about(db, requests_sql, run, put_count, &n_requests, err);
    if (st == GS_OK)
        st = ask_about(db, rescuers_sql, run, put_word, &rescued, err);
    if (st == GS_OK) {
        const struct gs_ledger_incident incident = {
            .provider = gs_slice(run->name, run->name_len),
            .begin_us = run->begin * GS_LEDGER_US_PER_MINUTE,
            .end_us = run->end * GS_LEDGER_US_PER_MINUTE,
            .is_over = run->is_over,
            .n_failed = failed.sum,
            .n_requests = n_requests,
            .n_rescued = rescued.sum,
            .faults = gs_buf_view(&faults),
            .rescuers = gs_buf_view(&rescuers),
        };
        *out_more = fn(ud, &incident);
    }
    gs_buf_clear(&faults);
    gs_buf_clear(&rescuers);
    return st;
}

enum gs_status gs_ledger_read_incidents(const char *path, size_t limit, gs_ledger_incident_fn *fn,
                                        void *ud, struct gs_error *err)
{
    struct incident_reader r = {.most = GS_MIN(limit, GS_LEDGER_MAX_INCIDENTS)};
    struct minutes_reader reader = {.first_minute = gs_ledger_day_begin(first_day()),
                                    .begin = incidents_begin,
                                    .minute = incidents_minute,
                                    .end = incidents_end,
                                    .ud = &r};
    bool more = true;
    sqlite3 *db;
    enum gs_status st = gs_ledger_db_open(path, false, &db, err);

    if (st != GS_OK)
        return st;
    st = read_minutes(db, &reader, err);
    for (size_t i = 0; st == GS_OK && more && i < r.n; i++)
        st = tell_incident(db, &r.runs[i], fn, ud, &more, err);
    sqlite3_close(db);
    return st;
}
