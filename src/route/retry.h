/* When to ask again: what a refusal's headers say, and how many further attempts all requests
 * together may make. Pure. */
#ifndef GS_ROUTE_RETRY_H
#define GS_ROUTE_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "genset/slice.h"

/* Value of a header (name in lower case), or an empty slice. */
typedef struct gs_slice gs_retry_header_fn(void *ud, const char *name);

/* How long to wait, in microseconds, by the headers of a refusal (429, 503, 529...); -1: they do
 * not say. In this order: retry-after-ms, x-ms-retry-after-ms, retry-after; the end of a
 * subscription's window (anthropic-ratelimit-unified-reset); the latest end of those limits of
 * which nothing remains (anthropic-ratelimit-*-reset, x-ratelimit-reset*). */
int64_t gs_retry_after_us(gs_retry_header_fn *get, void *ud, int64_t wall_us);

/* One such value: seconds ("1.5"), a duration ("6m0s", "12ms"), seconds or milliseconds since 1970,
 * RFC 3339, or a date of HTTP (RFC 9110, all three forms). -1: none of them. A time that is over is
 * 0. */
int64_t gs_retry_value_us(struct gs_slice value, int64_t wall_us);

/* Further attempts are at most a fifth of the requests and 10 a second, so that an outage does not
 * become a storm. Plain data; zeroed is not valid. */
struct gs_retry_budget {
    double tokens;
    int64_t at_us;
};

void gs_retry_budget_init(struct gs_retry_budget *b, int64_t now_us);
void gs_retry_budget_request(struct gs_retry_budget *b); /* a request came */
/* May another attempt beyond this machine be made for some request? */
bool gs_retry_budget_take(struct gs_retry_budget *b, int64_t now_us);

#endif
