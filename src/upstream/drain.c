/* Calls of which nothing more is wanted, but whose answer is not at its last byte: over a network
 * what ends a body often comes a moment after what ends its sense. Their rest is received and
 * thrown away for a short while, so that the next request finds an open connection. */
#include "http/loop.h"
#include "upstream/call.h"

#define MAX_DRAINING    32
#define MAX_DRAIN_BYTES ((int64_t)16 << 10)
#define MAX_DRAIN_MS    1000

/* An answer may come before all of the request is sent, and its body is not ours. */
static bool is_sent(const struct gs_upstream_call *c)
{
    curl_off_t n = 0;

    c->up->curl.easy_getinfo(c->easy, CURLINFO_SIZE_UPLOAD_T, &n);
    return n >= 0 && (uint64_t)n >= c->request_bytes;
}

void gs_upstream_call_let_end(struct gs_upstream_call *c)
{
    if (!c || !c->is_added || c->phase != GS_UPSTREAM_ANSWERING || c->is_held ||
        c->up->n_draining == MAX_DRAINING || !is_sent(c)) {
        gs_upstream_call_free(c);
        return;
    }
    gs_upstream_call_no_news(c);
    c->is_draining = true;
    c->drain_to_bytes = c->end.times.received_bytes + MAX_DRAIN_BYTES;
    c->prev = NULL;
    c->next = c->up->draining;
    if (c->next)
        c->next->prev = c;
    c->up->draining = c;
    c->up->n_draining++;
    gs_http_timer_start(c->timer, MAX_DRAIN_MS);
}

bool gs_upstream_drain_may_receive(const struct gs_upstream_call *c)
{
    return c->end.times.received_bytes <= c->drain_to_bytes;
}

void gs_upstream_drain_end(struct gs_upstream_call *c)
{
    struct gs_upstream *up = c->up;

    if (c->prev)
        c->prev->next = c->next;
    else
        up->draining = c->next;
    if (c->next)
        c->next->prev = c->prev;
    up->n_draining--;
    gs_upstream_call_free(c);
}
