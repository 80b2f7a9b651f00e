/* What attempts add to that outlives their rows: the sums of what they cost and for whom, the maps
 * of minutes in which providers were up or down. Those of a transaction are gathered here, because
 * each is written once then. Private to ledger/. */
#ifndef GS_LEDGER_LEDGER_SUMS_H
#define GS_LEDGER_LEDGER_SUMS_H

#include "ledger/ledger.h"
#include "ledger/ledger_db.h"

enum gs_ledger_verdict { GS_LEDGER_VERDICT_NONE, GS_LEDGER_VERDICT_UP, GS_LEDGER_VERDICT_DOWN };

/* What an attempt tells about its provider. */
enum gs_ledger_verdict gs_ledger_judge(const struct gs_ledger_attempt *a);
/* What happened counts when it was known: at the end. */
int64_t gs_ledger_ended_us(const struct gs_ledger_attempt *a);

/* Of a day, provider and model. */
struct gs_ledger_sum {
    int64_t day;
    struct gs_slice provider, model;
    int64_t n, n_failed, n_estimated;
    int64_t prompt_tokens, cached_tokens, cache_write_tokens, answer_tokens, cost_nanousd;
};

struct gs_ledger_mark {
    struct gs_slice provider;
    int64_t minute;
    enum gs_ledger_verdict verdict;
};

#define GS_LEDGER_MAX_SUMS 32

struct gs_ledger_sums {
    sqlite3 *db;
    sqlite3_stmt *spent, *spent_key, *get_uptime, *put_uptime;
    struct gs_ledger_sum sums[GS_LEDGER_MAX_SUMS];
    size_t n_sums;
    struct gs_ledger_mark marks[GS_LEDGER_MAX_SUMS];
    size_t n_marks;
    int64_t minute, day; /* the latest of which the day was asked */
};

/* *s is closed by gs_ledger_sums_close() after an error too. */
GS_MUST_CHECK enum gs_status gs_ledger_sums_open(struct gs_ledger_sums *s, sqlite3 *db,
                                                 struct gs_error *err);
void gs_ledger_sums_close(struct gs_ledger_sums *s);
/* Count an attempt, whose texts must last until all is written; writes what is in the way. */
GS_MUST_CHECK enum gs_status gs_ledger_sums_add(struct gs_ledger_sums *s,
                                                const struct gs_ledger_attempt *a,
                                                struct gs_error *err);
GS_MUST_CHECK enum gs_status gs_ledger_sums_write(struct gs_ledger_sums *s, struct gs_error *err);
/* Forget what was not written. */
void gs_ledger_sums_drop(struct gs_ledger_sums *s);

#endif
