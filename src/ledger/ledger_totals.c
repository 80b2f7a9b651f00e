/* What each server of answers did: one pass over the requests, as grouping in SQL would sort them
 * all. Medians are of the latest of them, so that a tally stays small. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/map.h"
#include "base/slice.h"
#include "ledger/ledger_read.h"

#define MAX_TIMED 10000 /* requests that times are told from */

/* Since ever the table is read as it lies. */
#define COLUMNS                                                                                    \
    "SELECT served_by, outcome, prompt_tokens, cached_tokens, answer_tokens, first_us, total_us"   \
    " FROM request "
static const char all_sql[] = COLUMNS "NOT INDEXED ORDER BY n";
static const char since_sql[] = COLUMNS "INDEXED BY request_at WHERE at_us >= ?1";

struct tally {
    struct tally *next;
    struct gs_ledger_total total;
    int64_t timed_tokens, timed_us; /* of answers that began, from the first token on */
    size_t n_first;
    int64_t *first_us; /* ring of the latest, [first_cap] */
    size_t first_cap;
    char served_by[];
};

struct tallies {
    struct gs_map map; /* by served_by */
    struct tally *first;
    struct tally *last_used; /* most often the next one too */
    size_t n;
    bool has_failed;
};

static struct tally *new_tally(struct tallies *t, struct gs_slice served_by)
{
    struct tally *tally = gs_alloc(sizeof(*tally) + served_by.len + 1);

    if (!tally)
        return NULL;
    *tally = (struct tally){.next = t->first};
    memcpy(tally->served_by, served_by.ptr, served_by.len);
    tally->served_by[served_by.len] = '\0';
    tally->total.served_by = gs_slice(tally->served_by, served_by.len);
    if (!gs_map_put(&t->map, tally->total.served_by, tally)) {
        gs_free(tally);
        return NULL;
    }
    t->first = tally;
    t->n++;
    return tally;
}

static struct tally *find_tally(struct tallies *t, struct gs_slice served_by)
{
    struct tally *tally = t->last_used;

    if (!tally || !gs_slice_eq(tally->total.served_by, served_by))
        tally = gs_map_get(&t->map, served_by);
    if (!tally)
        tally = new_tally(t, served_by);
    t->last_used = tally;
    return tally;
}

static bool add_first(struct tally *t, int64_t first_us)
{
    if (t->n_first == t->first_cap && t->first_cap < MAX_TIMED) {
        const size_t cap = GS_MIN(GS_MAX(64, 2 * t->first_cap), MAX_TIMED);
        int64_t *bigger = gs_realloc(t->first_us, cap * sizeof(*bigger));
        if (!bigger)
            return false;
        t->first_us = bigger;
        t->first_cap = cap;
    }
    t->first_us[t->n_first++ % t->first_cap] = first_us;
    return true;
}

static bool add_row(void *ud, sqlite3_stmt *s)
{
    struct tallies *t = ud;
    struct tally *tally = find_tally(t, gs_ledger_text_at(s, 0));
    const int outcome = sqlite3_column_int(s, 1);
    const int64_t n_tokens = sqlite3_column_int64(s, 4);
    const int64_t first_us = sqlite3_column_int64(s, 5);

    t->has_failed = !tally || (first_us >= 0 && !add_first(tally, first_us));
    if (t->has_failed)
        return false;
    tally->total.n++;
    tally->total.n_failed += outcome == GS_LEDGER_FAILED;
    tally->total.n_left += outcome == GS_LEDGER_LEFT;
    tally->total.prompt_tokens += sqlite3_column_int64(s, 2);
    tally->total.cached_tokens += sqlite3_column_int64(s, 3);
    tally->total.answer_tokens += n_tokens;
    if (first_us >= 0 && n_tokens > 1) {
        tally->timed_tokens += n_tokens - 1;
        tally->timed_us += sqlite3_column_int64(s, 6) - first_us;
    }
    return true;
}

static void finish(struct tally *t)
{
    const size_t n = GS_MIN(t->n_first, t->first_cap);

    t->total.first_p50_us = gs_ledger_percentile(t->first_us, n, 50);
    t->total.first_p95_us = gs_ledger_percentile(t->first_us, n, 95);
    t->total.tokens_per_s =
        t->timed_us > 0 ? (double)t->timed_tokens * 1e6 / (double)t->timed_us : 0;
}

static int busiest_first(const void *a, const void *b)
{
    const struct tally *x = *(struct tally *const *)a;
    const struct tally *y = *(struct tally *const *)b;

    if (x->total.n != y->total.n)
        return x->total.n < y->total.n ? 1 : -1;
    return strcmp(x->served_by, y->served_by);
}

static enum gs_status give(struct tallies *t, gs_ledger_total_fn *fn, void *ud,
                           struct gs_error *err)
{
    struct tally **sorted = gs_alloc_array(t->n, sizeof(struct tally *));
    size_t n = 0;

    if (!sorted)
        return gs_error_nomem(err, "read the ledger");
    for (struct tally *tally = t->first; tally; tally = tally->next)
        sorted[n++] = tally;
    qsort(sorted, n, sizeof(struct tally *), busiest_first);
    for (size_t i = 0; i < n; i++) {
        finish(sorted[i]);
        if (!fn(ud, &sorted[i]->total))
            break;
    }
    gs_free(sorted);
    return GS_OK;
}

static void tallies_clear(struct tallies *t)
{
    while (t->first) {
        struct tally *next = t->first->next;
        gs_free(t->first->first_us);
        gs_free(t->first);
        t->first = next;
    }
    gs_map_clear(&t->map);
}

enum gs_status gs_ledger_sum(const char *path, const struct gs_ledger_query *q,
                             gs_ledger_total_fn *fn, void *ud, struct gs_error *err)
{
    struct tallies tallies = {0};
    sqlite3 *db;
    sqlite3_stmt *s = NULL;
    enum gs_status st = gs_ledger_db_open(path, false, &db, err);

    if (st != GS_OK)
        return st;
    gs_map_init(&tallies.map, 16);
    st = gs_ledger_db_prepare(db, q->since_us > 0 ? since_sql : all_sql, &s, err);
    if (st == GS_OK) {
        sqlite3_bind_int64(s, 1, q->since_us);
        st = gs_ledger_step_through(db, s, add_row, &tallies, err);
    }
    if (st == GS_OK && tallies.has_failed)
        st = gs_error_nomem(err, "read the ledger");
    if (st == GS_OK)
        st = give(&tallies, fn, ud, err);
    tallies_clear(&tallies);
    sqlite3_finalize(s);
    sqlite3_close(db);
    return st;
}
