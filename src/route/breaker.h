/* Breakers: whom not to ask for a while. There is one for each model of a provider, one for each
 * credential, and one for a model as that credential may use it (rate limits and quotas are an
 * account's: those of one client must not bench the model for another).
 *
 *              3 failures in a row, or half of >= 5 in 30 s
 *     closed ----------------------------------------------> open, min(15 s * 2^n, 120 s) +- 10 %
 *       ^  <-- success -- half open: one probe <-- lapsed --  |
 *                             '-- failure, n + 1 -----------> '
 *
 * Attempts are reported when they have ended, streams at their end: who holds a pass of
 * gs_breakers_enter() reports it once. Pure: time comes as `now_us`, of the monotonic clock.
 *
 * thread: one at a time. */
#ifndef GS_ROUTE_BREAKER_H
#define GS_ROUTE_BREAKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "genset/fault.h"
#include "genset/slice.h"

#define GS_BREAKERS_MAX       512 /* entries; beyond it the least worth is forgotten */
#define GS_BREAKER_KEY_BYTES  192 /* longer names share the entry of their beginning */
#define GS_BREAKER_CREDENTIAL 20  /* bytes of a credential's name, with the zero */

struct gs_breakers;

/* Whom an attempt asks. Slices are read during the call. */
struct gs_breaker_who {
    struct gs_slice provider, model;
    struct gs_slice credential; /* of gs_breaker_credential(), never the secret; may be empty */
};

/* A name for a secret that cannot be turned back into it; "" for an empty one. */
void gs_breaker_credential(struct gs_slice secret, char out[GS_BREAKER_CREDENTIAL]);

enum gs_breaker_verdict {
    GS_BREAKER_GO,
    GS_BREAKER_PROBE, /* the one attempt that finds out */
    GS_BREAKER_WAIT,
};

/* Leave to make one attempt. Plain data: to be kept with it. */
struct gs_breaker_pass {
    uint64_t probes[3]; /* of model, credential, and both: 0 = not a probe of it */
};

/* How an attempt ended. */
struct gs_breaker_report {
    enum gs_fault fault;    /* NONE: answered, to its end */
    int64_t retry_after_us; /* as it was told, negative = was not */
    int64_t ttft_us;        /* until the first token; negative = there was none */
    uint64_t talk;          /* hash of the conversation's beginning; 0 = unknown */
    bool is_uplink;         /* a NETWORK fault of our own network: gs_uplink_fault() */
};

/* `seed` of the jitter and the table. NULL: no memory. */
GS_MUST_CHECK struct gs_breakers *gs_breakers_create(uint64_t seed);
void gs_breakers_free(struct gs_breakers *b); /* NULL is allowed */

/* What gs_breakers_enter() would say; takes nothing. `out_wait_us` (may be NULL): until it is worth
 * asking again, 0 unless WAIT; also while somebody else's probe is out, then a guess. */
enum gs_breaker_verdict gs_breakers_look(const struct gs_breakers *b,
                                         const struct gs_breaker_who *who, int64_t now_us,
                                         int64_t *out_wait_us);
/* What went wrong before the wait that is the longest; NONE: it need not wait, or for a probe. */
enum gs_fault gs_breakers_why(const struct gs_breakers *b, const struct gs_breaker_who *who,
                              int64_t now_us);
/* Begin an attempt. The pass is zeroed unless the answer is PROBE. */
enum gs_breaker_verdict gs_breakers_enter(struct gs_breakers *b, const struct gs_breaker_who *who,
                                          int64_t now_us, struct gs_breaker_pass *out_pass,
                                          int64_t *out_wait_us);
/* End it. Faults that are not the provider's or the credential's count for nothing, but a probe
 * gives its place back with any report. */
void gs_breakers_report(struct gs_breakers *b, const struct gs_breaker_who *who,
                        const struct gs_breaker_pass *pass, const struct gs_breaker_report *r,
                        int64_t now_us);

/* Times to the first token of a provider's model, of late. False: fewer than 5 are known. */
bool gs_breakers_ttft(const struct gs_breakers *b, const struct gs_breaker_who *who,
                      int64_t *out_p50_us, int64_t *out_p95_us);
/* How long to wait for it: max(3 s, 4 * p95), at most 60 s; 10 s while p95 is unknown. */
int64_t gs_breakers_first_token_us(const struct gs_breakers *b, const struct gs_breaker_who *who);

/* The network is back, or (slept_us > 0) the machine woke up: what the network was blamed for, or
 * any cooldown that nobody told us, may be probed now; times we were told go by what was slept. */
void gs_breakers_woke(struct gs_breakers *b, int64_t slept_us, int64_t now_us);

/* ---- to be shown, and kept over a restart ---- */

enum gs_breaker_stand { GS_BREAKER_CLOSED, GS_BREAKER_OPEN, GS_BREAKER_HALF_OPEN };
const char *gs_breaker_stand_word(enum gs_breaker_stand s); /* "half-open" */

struct gs_breaker_state {
    struct gs_slice key; /* "anthropic/claude-opus-5", "anthropic#1f..", both */
    enum gs_breaker_stand stand;
    enum gs_fault why;       /* the last that counted; NONE: none did */
    int32_t n_failed;        /* in a row */
    int32_t n_opened;        /* in a row, without a quiet time between */
    int32_t n_recent;        /* attempts in the last 30 s */
    int32_t n_recent_failed; /* of them */
    int64_t wait_us;         /* until it may be asked; 0 = now */
    int64_t p50_us, p95_us;  /* -1 unknown */
};

/* Everything in `s` is valid during the call; must not call back into the breakers. */
typedef void gs_breaker_state_fn(void *ud, const struct gs_breaker_state *s);

/* Every entry, in no order. */
void gs_breakers_walk(const struct gs_breakers *b, int64_t now_us, gs_breaker_state_fn *fn,
                      void *ud);
/* Be told whenever one opens, closes or becomes half open, or is forgotten (all zero then, but its
 * key): to record it. NULL: nobody. */
void gs_breakers_on_change(struct gs_breakers *b, gs_breaker_state_fn *fn, void *ud);
/* Put back what was open before a restart (key, why, n_failed, n_opened, wait_us as it is by the
 * wall clock: until minus now). A time that is over, or makes no sense, leaves a probe. */
void gs_breakers_restore(struct gs_breakers *b, const struct gs_breaker_state *s, int64_t now_us);

#endif
