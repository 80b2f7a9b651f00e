/* What the ledger tells about providers: when they were up, what they cost, how fast they are; and
 * all it tells, as JSON. Readers give rows to a function until it returns false; everything in a
 * row is valid during the call. Their errors are those of gs_ledger_read(). */
#ifndef GS_LEDGER_HISTORY_H
#define GS_LEDGER_HISTORY_H

#include "ledger/ledger.h"

struct gs_buf;

/* ---- uptime ---- */

#define GS_LEDGER_UPTIME_DAYS 90

/* Minutes of a day in which somebody asked, and those of them in which a provider failed. */
struct gs_ledger_minutes {
    int64_t n_known, n_down;
};

struct gs_ledger_uptime {
    struct gs_slice provider;
    int64_t first_day;                    /* of the local calendar, in days since 1970 */
    const struct gs_ledger_minutes *days; /* [GS_LEDGER_UPTIME_DAYS], the last one is today */
    struct gs_ledger_minutes all;
};
typedef bool gs_ledger_uptime_fn(void *ud, const struct gs_ledger_uptime *u);

GS_MUST_CHECK enum gs_status gs_ledger_read_uptime(const char *path, gs_ledger_uptime_fn *fn,
                                                   void *ud, struct gs_error *err);

/* Minutes in which a provider was down, with none between in which it was up. */
struct gs_ledger_incident {
    struct gs_slice provider;
    int64_t begin_us, end_us; /* wall clock, whole minutes; the end of the last one known */
    bool is_over;             /* it was up since */
    int64_t n_failed;         /* attempts, as far as they are kept */
    int64_t n_requests;       /* that these were for */
    int64_t n_rescued;        /* of them, answered to the end */
    struct gs_slice faults;   /* "overloaded 12, stall 3" */
    struct gs_slice rescuers; /* "local 10, garage 4" */
};
typedef bool gs_ledger_incident_fn(void *ud, const struct gs_ledger_incident *i);

#define GS_LEDGER_MAX_INCIDENTS 64

/* The latest `limit` of the last GS_LEDGER_UPTIME_DAYS, the latest first. */
GS_MUST_CHECK enum gs_status gs_ledger_read_incidents(const char *path, size_t limit,
                                                      gs_ledger_incident_fn *fn, void *ud,
                                                      struct gs_error *err);

/* ---- costs and speed ---- */

enum gs_ledger_group {
    GS_LEDGER_BY_DAY,
    GS_LEDGER_BY_PROVIDER,
    GS_LEDGER_BY_MODEL, /* and provider */
    GS_LEDGER_BY_ALL,   /* day, provider and model */
};

struct gs_ledger_cost {
    int64_t day;                     /* of the local calendar; -1: of many */
    struct gs_slice provider, model; /* empty: of many; or of attempts that nobody answered */
    int64_t n, n_failed;             /* attempts */
    int64_t prompt_tokens, cached_tokens, cache_write_tokens, answer_tokens;
    int64_t cost_nanousd;
    int64_t n_estimated; /* attempts whose cost is a guess */
};
typedef bool gs_ledger_cost_fn(void *ud, const struct gs_ledger_cost *c);

/* The latest day, or the dearest, first; of the query only since_us counts, in whole days. */
GS_MUST_CHECK enum gs_status gs_ledger_read_costs(const char *path, const struct gs_ledger_query *q,
                                                  enum gs_ledger_group by, gs_ledger_cost_fn *fn,
                                                  void *ud, struct gs_error *err);

/* "2026-11-21", of a day's number. */
void gs_ledger_format_day(int64_t day, char *out, size_t cap);

/* Of the latest 10,000 answers of a model. */
struct gs_ledger_speed {
    struct gs_slice provider, model;
    int64_t n;
    int64_t first_p50_us, first_p95_us;
    double tokens_per_s; /* from the first token on; 0: unknown */
};
typedef bool gs_ledger_speed_fn(void *ud, const struct gs_ledger_speed *s);

/* Of the query only since_us counts. */
GS_MUST_CHECK enum gs_status gs_ledger_read_speeds(const char *path,
                                                   const struct gs_ledger_query *q,
                                                   gs_ledger_speed_fn *fn, void *ud,
                                                   struct gs_error *err);

/* ---- what a server remembers ---- */

/* gs_ledger_restore() of a file. */
GS_MUST_CHECK enum gs_status gs_ledger_recall(const char *path, const struct gs_ledger_memory *m,
                                              struct gs_error *err);

/* ---- JSON ---- */

/* "answered" */
const char *gs_ledger_outcome_name(enum gs_ledger_outcome outcome);

/* Append an object: as of gs_ledger_ask(). errors: GS_ENOTFOUND too, for a request that is not
 * there. */
GS_MUST_CHECK enum gs_status gs_ledger_write_json(const char *path, enum gs_ledger_subject subject,
                                                  const struct gs_ledger_query *q, struct gs_buf *b,
                                                  struct gs_error *err);
/* Append one as an object, after a comma if one ends before it. */
void gs_ledger_put_request(struct gs_buf *b, const struct gs_ledger_request *r);
void gs_ledger_put_attempt(struct gs_buf *b, const struct gs_ledger_attempt *a);
void gs_ledger_put_cost(struct gs_buf *b, const struct gs_ledger_cost *c);

#endif
