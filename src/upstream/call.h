/* Inside of the room: one handle of libcurl's multi interface, and the calls on it.
 *
 * libcurl may not be called from its own callbacks, and a sink may call everything. So callbacks
 * only take down what was heard, and call it a news; gs_upstream_tell() passes it on when libcurl
 * has returned.
 *
 *     CONNECTING -- connection is there --> ASKING -- final head --> ANSWERING --> DONE
 *          ^                                  |
 *          +---- the old one was closed ------+        (each may also go straight to DONE)
 *
 * A call that was let go before it is DONE may be draining: it belongs to nobody then. */
#ifndef GS_UPSTREAM_CALL_H
#define GS_UPSTREAM_CALL_H

#include "base/buf.h"
#include "upstream/libcurl.h"
#include "upstream/upstream.h"

#define GS_UPSTREAM_MAX_HEADERS    128
#define GS_UPSTREAM_MAX_HEAD_BYTES ((size_t)64 << 10)

#define GS_UPSTREAM_SPARE_WATCHES 64

struct gs_http_ready;
struct gs_http_timer;

enum gs_upstream_phase {
    GS_UPSTREAM_CONNECTING,
    GS_UPSTREAM_ASKING,
    GS_UPSTREAM_ANSWERING,
    GS_UPSTREAM_DONE
};

struct gs_upstream_call {
    struct gs_upstream *up;
    struct gs_upstream_call *prev, *next; /* among those with news, or draining; next: or idle */
    CURL *easy;
    struct gs_http_timer *timer;
    struct gs_upstream_sink sink;

    /* the request; what a pooled call had before is kept where the next one has the same */
    char *url, *proxy, *ca_file;
    CURLU *parts;       /* of the URL: libcurl copies them for each transfer, which is cheaper than
                           reading */
    int port;           /* of the URL */
    char where[128];    /* host of the URL, and port if it names one: for messages */
    bool is_loopback;   /* that host is this machine */
    struct gs_buf text; /* header lines, each with a zero */
    struct curl_slist *lines;
    size_t lines_cap;

    enum gs_upstream_phase phase;
    int64_t started_us;
    int64_t connect_us, headers_us;                 /* limits; 0: none */
    int64_t connect_at_us, head_at_us, total_at_us; /* deadlines; INT64_MAX: none */
    size_t request_bytes;                           /* of its body */
    int64_t armed_us;                /* when the timer is due; INT64_MAX: it stands */
    bool was_resolving, was_opening; /* a connection of its own */
    bool was_retried;
    int tried_port; /* that one's */

    /* the answer */
    struct gs_buf head; /* lines of the head being received, then its names and values */
    struct gs_upstream_header headers[GS_UPSTREAM_MAX_HEADERS];
    size_t n_headers;
    int status;
    bool has_head;      /* the final one */
    struct gs_buf body; /* not yet told */
    struct gs_upstream_end end;
    char curl_says[CURL_ERROR_SIZE];

    bool is_added;  /* to the multi handle */
    bool has_news;  /* is in the list */
    bool is_paused; /* by the caller */
    bool is_held;   /* libcurl was told not to receive */
    bool told_head, told_end;
    bool is_freed; /* by its own sink, just now */
    bool is_draining;
    int64_t drain_to_bytes; /* received in all */
};

struct gs_upstream {
    struct gs_http_loop *loop;
    struct gs_upstream_libcurl curl;
    struct gs_upstream_options opt;
    char *user_agent, *ca_file;
    CURLM *multi;
    CURLSH *share;               /* TLS sessions */
    struct gs_http_timer *timer; /* libcurl's */
    struct gs_http_timer *soon;  /* for news that no turn of libcurl's will tell */
    struct gs_http_ready *spare[GS_UPSTREAM_SPARE_WATCHES];
    size_t n_spare;
    struct gs_upstream_call *first, *last; /* with news */
    struct gs_upstream_call *telling;      /* whose sink is being called */
    struct gs_upstream_call *idle;
    size_t n_idle;
    struct gs_upstream_call *draining;
    size_t n_draining;
    size_t n_calls;
    bool use_http2;
    bool has_proxies;  /* in the environment */
    int64_t forgot_us; /* 0: never */
};

/* It has something to tell. */
void gs_upstream_call_news(struct gs_upstream_call *c);
/* Or not any more. */
void gs_upstream_call_no_news(struct gs_upstream_call *c);
/* Tell all news. Not within libcurl. */
void gs_upstream_tell(struct gs_upstream *up);
/* Ask again on a connection of its own if the one it was given died without a word; false if that
 * is not how it ended. libcurl does the same, but not of every such end. */
bool gs_upstream_call_retry(struct gs_upstream_call *c, CURLcode code);
/* libcurl is done with it. */
void gs_upstream_call_finish(struct gs_upstream_call *c, CURLcode code);
/* Of an idle one. */
void gs_upstream_call_destroy(struct gs_upstream_call *c);

/* ---- drain.c ---- */

/* Whether what was received since is not too much for the sake of a connection. */
bool gs_upstream_drain_may_receive(const struct gs_upstream_call *c);
/* Of a draining one: back to the pool. */
void gs_upstream_drain_end(struct gs_upstream_call *c);

/* ---- verdict.c ---- */

/* What it comes to that libcurl ends with `code`: fault and error of c->end, where they are not
 * set. */
void gs_upstream_judge(struct gs_upstream_call *c, CURLcode code);
/* The same when a deadline has passed. */
void gs_upstream_judge_late(struct gs_upstream_call *c, bool is_total);
/* A final head: false if nothing more must be received, with fault and error set. */
bool gs_upstream_judge_head(struct gs_upstream_call *c);
/* What is no head at all. */
void gs_upstream_judge_malformed(struct gs_upstream_call *c, const char *why);

#endif
