/* Requests to other computers, on the loop: bytes out, bytes in, and what went wrong on the way.
 * Hides libcurl. Knows nothing of what is asked.
 *
 *     gs_upstream_create(loop, &options, &up, &err);
 *     gs_upstream_call_create(up, &request, &sink, &call, &err);
 *     ... sink.on_head, sink.on_bytes..., sink.on_end on the loop, never within the call above ...
 *     gs_upstream_call_free(call);   // at any time, in a sink's function too: no word comes after
 *
 * thread: everything here belongs to the loop. Names are resolved beside it. */
#ifndef GS_UPSTREAM_UPSTREAM_H
#define GS_UPSTREAM_UPSTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "genset/fault.h"
#include "genset/slice.h"
#include "genset/status.h"

struct gs_http_loop;
struct gs_upstream;
struct gs_upstream_call;

struct gs_upstream_header {
    struct gs_slice name, value;
};

struct gs_upstream_options {
    size_t max_connections;         /* kept open, of all hosts together */
    size_t max_connections_of_host; /* at once */
    const char *user_agent;         /* where a request has none of its own */
    bool
        wants_http2; /* with a libcurl that is not good at it, too: docs/decisions/008-libcurl.md */
};

void gs_upstream_options_init(struct gs_upstream_options *opt);
/* Load libcurl, which takes some milliseconds, for those who are created later. thread: any, but
 * not beside their creation. errors: GS_ENOTFOUND, GS_EINTERNAL. */
GS_MUST_CHECK enum gs_status gs_upstream_load(struct gs_error *err);
/* errors: GS_ENOTFOUND (libcurl is not installed), GS_ENOMEM. */
GS_MUST_CHECK enum gs_status gs_upstream_create(struct gs_http_loop *loop,
                                                const struct gs_upstream_options *opt,
                                                struct gs_upstream **out_up, struct gs_error *err);
/* Not before all calls are freed or let go. NULL is allowed. */
void gs_upstream_free(struct gs_upstream *up);
/* The network is not what it was (a laptop woke up, an address changed): connections that stand
 * idle and names that were resolved are forgotten. */
void gs_upstream_forget(struct gs_upstream *up);

/* Everything is copied but the body. */
struct gs_upstream_request {
    const char *method;                       /* "POST", "GET" */
    const char *url;                          /* http or https, no credentials in it */
    const struct gs_upstream_header *headers; /* Host, lengths and Connection are not among them */
    size_t n_headers;
    struct gs_slice body; /* must live until the call is freed */
    const char *proxy;    /* URL; NULL: what the environment says; "": none */
    const char *ca_file;  /* PEM, instead of the system's; or NULL */
    int64_t connect_ms;   /* name, connection and TLS together; 0 in any of these: no limit */
    int64_t headers_ms;   /* from then until the answer's head */
    int64_t total_ms;
};

/* Of an answer. A redirect is not followed; it is an end with GS_FAULT_REDIRECT. */
struct gs_upstream_head {
    int status;
    const struct gs_upstream_header *headers; /* names in lower case, during the call */
    size_t n_headers;
};
/* Value of the first header of that name (lower case), or an empty slice with NULL ptr. */
struct gs_slice gs_upstream_head_get(const struct gs_upstream_head *h, const char *name);

/* Where the time went, from the start of the call; -1: it never came to that. */
struct gs_upstream_times {
    int64_t connected_us; /* connection and TLS were there; 0: one was open already */
    int64_t head_us;
    int64_t end_us;
    int64_t sent_bytes, received_bytes; /* heads and bodies */
};

struct gs_upstream_end {
    enum gs_fault fault; /* NONE: the body is whole, as its head said it would be; else DNS,
                            REFUSED, CONNECT_TIMEOUT, TLS, PROXY, RESET (no head came), REDIRECT,
                            HEADERS_TIMEOUT, TOTAL_TIMEOUT, CUT (after the head), MALFORMED, OURS */
    struct gs_error err; /* says more, without URL parameters or credentials */
    struct gs_upstream_times times;
};

struct gs_upstream_sink {
    void *ud;
    void (*on_head)(void *ud, const struct gs_upstream_head *head); /* once, not of 1xx */
    void (*on_bytes)(void *ud, struct gs_slice bytes);              /* of the body, decoded */
    void (*on_end)(void *ud, const struct gs_upstream_end *end);    /* once, the last word */
};

/* Send it. A connection that stood open and turns out to be closed is replaced once, silently.
 * errors: GS_EINVAL (a URL that is none), GS_ENOMEM; no word comes then. */
GS_MUST_CHECK enum gs_status gs_upstream_call_create(struct gs_upstream *up,
                                                     const struct gs_upstream_request *r,
                                                     const struct gs_upstream_sink *sink,
                                                     struct gs_upstream_call **out_call,
                                                     struct gs_error *err);
/* Receive no more (the sender is held by TCP or HTTP/2 flow control), and go on. */
void gs_upstream_call_pause(struct gs_upstream_call *c);
void gs_upstream_call_resume(struct gs_upstream_call *c);
/* How far it has come; what was sent is told at its end. */
struct gs_upstream_times gs_upstream_call_times(const struct gs_upstream_call *c);
/* Ends the transfer now, if it goes on. NULL is allowed. */
void gs_upstream_call_free(struct gs_upstream_call *c);
/* The same for who has all that is wanted of an answer but not its end, which is then waited for in
 * vain or not, unseen and not for long, so that its connection serves the next request. */
void gs_upstream_call_let_end(struct gs_upstream_call *c);

#endif
