/* The ledger: what was asked of this machine, who was asked to answer it and what came of it, in an
 * SQLite file. Prompts and answers are never in it.
 *
 * Writing is a message to a thread of the ledger's own and blocks nobody; a full queue drops the
 * row and says so. Reading opens the file by itself, so that a command may read while a server
 * writes. What it tells of providers: history.h.
 */
#ifndef GS_LEDGER_LEDGER_H
#define GS_LEDGER_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "genset/fault.h"
#include "genset/slice.h"
#include "genset/status.h"

struct gs_buf;
struct gs_ledger;

enum gs_ledger_outcome {
    GS_LEDGER_ANSWERED,
    GS_LEDGER_FAILED, /* refused or broken off */
    GS_LEDGER_LEFT,   /* the client did not wait for the end */
};

struct gs_ledger_request {
    struct gs_slice id;        /* "req_..." */
    int64_t at_us;             /* wall clock: when it came */
    struct gs_slice api;       /* "anthropic" */
    struct gs_slice model;     /* as the client named it */
    struct gs_slice key;       /* name of the key that it came with; empty: it has none */
    struct gs_slice served_by; /* "local/qwen3-4b"; empty: nobody */
    int status;                /* of HTTP, as sent */
    bool stream;
    enum gs_ledger_outcome outcome;
    struct gs_slice error; /* one line; empty unless it failed */
    int64_t prompt_tokens, cached_tokens, answer_tokens, reasoning_tokens;
    int64_t first_us;        /* from its coming until the first of the answer; -1: there was none */
    int64_t total_us;        /* until the end */
    int64_t n_attempts;      /* to have somebody answer; 0: none were counted */
    int64_t cost_nanousd;    /* of all attempts */
    bool is_estimated;       /* the cost, at least in part */
    int64_t left_bytes;      /* that left this machine because of it */
    struct gs_slice privacy; /* its class, "redact"; empty: any */
    struct gs_slice found;   /* by the privacy rules, and how often: "email 2, api-key 1" */
    struct gs_slice faults;  /* when reading: of its attempts, in order, "anthropic overloaded" */
};

/* One try to have a provider answer a request. */
struct gs_ledger_attempt {
    struct gs_slice request;  /* its id */
    int number;               /* from 1 */
    struct gs_slice provider; /* as configured; "local" is this machine */
    struct gs_slice model;    /* as it is called there */
    struct gs_slice key;      /* as of the request; only sums are kept of it */
    int64_t at_us;            /* wall clock: when it began */
    /* From its beginning; -1: it did not come so far. */
    int64_t connected_us, head_us, first_us;
    int64_t total_us;
    enum gs_fault fault;  /* GS_FAULT_NONE: it answered to the end */
    bool is_uplink;       /* a fault of our network, not held against the provider */
    bool is_continuation; /* it took over in the middle of an answer */
    int status;           /* of HTTP; 0: none came */
    int64_t sent_bytes, received_bytes;
    int64_t prompt_tokens, cached_tokens, cache_write_tokens, answer_tokens;
    int64_t cost_nanousd;
    bool is_estimated;      /* the tokens, or no price is known */
    int64_t retry_after_us; /* as it asked for; -1: it did not */
};

/* What is known of a circuit breaker; all zero but the key: nothing against it, it is forgotten. */
struct gs_ledger_breaker {
    struct gs_slice key;
    int64_t n_failures;  /* in a row */
    int64_t n_opens;     /* in a row */
    int64_t until_us;    /* wall clock: not asked before */
    enum gs_fault fault; /* the last one */
};

/* Who signed a piece of reasoning: digests of the signature and of a provider's name. */
struct gs_ledger_signed {
    uint64_t signature, maker;
};

/* ---- writing ---- */

struct gs_ledger_options {
    const char *path;   /* made if it is not there; its folder must be */
    int64_t keep_days;  /* older rows are deleted; 0: none */
    int64_t keep_rows;  /* rows at most, the oldest are deleted; 0: any number */
    size_t max_waiting; /* rows queued at most */
    /* Rows could not be written, `n_lost` so far; once for each run of failures. On the ledger's
     * thread; may be NULL. */
    void (*on_loss)(void *ud, const struct gs_error *err, uint64_t n_lost);
    /* `n_written` rows are committed, since it was opened. On the ledger's thread; may be NULL. */
    void (*on_written)(void *ud, uint64_t n_written);
    void *ud;
};

/* A file of an older genset is brought up to date. errors: GS_EIO (cannot be opened or made),
 *         GS_EFORMAT (no ledger, or a damaged one), GS_EUNSUPPORTED (of a newer genset), GS_ENOMEM.
 */
GS_MUST_CHECK enum gs_status gs_ledger_open(const struct gs_ledger_options *opt,
                                            struct gs_ledger **out_l, struct gs_error *err);
/* Write what waits, then close. NULL is allowed. */
void gs_ledger_close(struct gs_ledger *l);
/* Queue a row; texts are copied, long ones cut. thread: any. */
void gs_ledger_record(struct gs_ledger *l, const struct gs_ledger_request *r);
/* The same for an attempt, once it has ended; also before its request. */
void gs_ledger_record_attempt(struct gs_ledger *l, const struct gs_ledger_attempt *a);
/* Remember a breaker in the place of what was remembered of this key. thread: any. */
void gs_ledger_save_breaker(struct gs_ledger *l, const struct gs_ledger_breaker *b);
/* The same of a signature; the latest 8192 are remembered. thread: any. */
void gs_ledger_save_signed(struct gs_ledger *l, const struct gs_ledger_signed *s);

/* What was spent today and this month, by the local calendar: on a provider, or for a client's key.
 */
struct gs_ledger_spent {
    struct gs_slice provider, key; /* one of both */
    int64_t day_nanousd, month_nanousd;
};

/* Receives what is remembered; each pointer may be NULL. The texts are valid during the call. */
struct gs_ledger_memory {
    void (*on_breaker)(void *ud, const struct gs_ledger_breaker *b);
    void (*on_spent)(void *ud, const struct gs_ledger_spent *s);   /* of each provider */
    void (*on_key)(void *ud, const struct gs_ledger_spent *s);     /* of each key */
    void (*on_signed)(void *ud, const struct gs_ledger_signed *s); /* the latest last */
    void *ud;
};

/* Read it all now, before serving: this one waits for the disk. */
GS_MUST_CHECK enum gs_status
gs_ledger_restore(struct gs_ledger *l, const struct gs_ledger_memory *m, struct gs_error *err);

/* ---- reading ---- */

struct gs_ledger_query {
    int64_t since_us;   /* wall clock */
    int64_t limit;      /* rows at most, the latest; 0: any number */
    bool failed;        /* only those that failed */
    struct gs_slice id; /* only this request, or the latest whose id begins so; empty: all */
};

/* False ends the reading. Everything in `r` is valid during the call. */
typedef bool gs_ledger_request_fn(void *ud, const struct gs_ledger_request *r);

/* Rows, the latest first. errors: GS_ENOTFOUND (there is no file), and those of opening. */
GS_MUST_CHECK enum gs_status gs_ledger_read(const char *path, const struct gs_ledger_query *q,
                                            gs_ledger_request_fn *fn, void *ud,
                                            struct gs_error *err);

/* False ends the reading. Everything in `a` is valid during the call. */
typedef bool gs_ledger_attempt_fn(void *ud, const struct gs_ledger_attempt *a);

/* The attempts of request q->id, in their order. */
GS_MUST_CHECK enum gs_status gs_ledger_read_attempts(const char *path,
                                                     const struct gs_ledger_query *q,
                                                     gs_ledger_attempt_fn *fn, void *ud,
                                                     struct gs_error *err);

/* What one server of answers did. */
struct gs_ledger_total {
    struct gs_slice served_by;
    int64_t n, n_failed, n_left;
    int64_t prompt_tokens, cached_tokens, answer_tokens;
    int64_t first_p50_us, first_p95_us; /* of those that began; -1: none did */
    double tokens_per_s;                /* of answers, from the first token on; 0: unknown */
};
typedef bool gs_ledger_total_fn(void *ud, const struct gs_ledger_total *t);

/* A total for each server, the busiest first; of the query only since_us counts. */
GS_MUST_CHECK enum gs_status gs_ledger_sum(const char *path, const struct gs_ledger_query *q,
                                           gs_ledger_total_fn *fn, void *ud, struct gs_error *err);

/* ---- asking a server's ledger ---- */

enum gs_ledger_subject {
    GS_LEDGER_HISTORY, /* {"uptime":[...],"incidents":[...],"speed":[...],"remembered":[...]}: the
                          last, breakers */
    GS_LEDGER_COST,    /* {"days":[...]} */
    GS_LEDGER_LOG,     /* {"requests":[...]}; of one, with its "attempts" */
};

/* The answer, a JSON object: *json may be taken with gs_buf_take(). Or `err`, and json is NULL.
 * On the thread that reads. */
typedef void gs_ledger_answer_fn(void *ud, struct gs_buf *json, const struct gs_error *err);

/* Ask on a thread of the ledger's own, of all that was recorded before; the answer comes by
 * on_answer, which is called in any case, at the latest by gs_ledger_close(). The id of `q` is
 * copied, and cut as in a record. thread: any. False, and it is not called: too many ask, or no
 * memory. */
GS_MUST_CHECK bool gs_ledger_ask(struct gs_ledger *l, enum gs_ledger_subject subject,
                                 const struct gs_ledger_query *q, gs_ledger_answer_fn *on_answer,
                                 void *ud);

#endif
