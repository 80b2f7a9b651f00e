/* When to have somebody ready beside the one who answers. Pure. */
#ifndef GS_ROUTE_HEDGE_H
#define GS_ROUTE_HEDGE_H

#include <stdbool.h>
#include <stdint.h>

/* Policy hedge: how long the first has for itself before the second is asked too. `route_us` as the
 * route says, 0 = not; `p95_us` of the first's first tokens, negative = unknown: then 2 s. */
int64_t gs_hedge_after_us(int64_t route_us, int64_t p95_us);

/* What is to be seen of an answer that is under way. */
struct gs_hedge_signs {
    int64_t started_us; /* when it was asked for */
    int64_t token_us;   /* when the last token came; 0: none did yet */
    int64_t p95_us;     /* as above */
    bool is_probe;      /* its breaker is half open */
};

/* From when on the answer is suspicious, and the local model should read the prompt so that it can
 * take over at once: from the start for a probe; when the first token is later than most, or the
 * next one, by 2 s. Asked again after each token. */
int64_t gs_hedge_suspect_at_us(const struct gs_hedge_signs *s);

#endif
