/* /api/genset/: what the ledger tells, read on its thread and answered by the loop when it comes,
 * beside what only the running server knows. Whoever asks may go meanwhile.
 *
 *     status?days=N                   providers, breakers; uptime, incidents, speed
 *     cost?days=N                     by day, provider and model
 *     log?limit=N&failed=1&days=N     requests, the latest first
 *     log/ID                          one request and its attempts
 *     trace/ID                        what happened to it, while it is remembered */
#include <assert.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/queue.h"
#include "base/slice.h"
#include "http/loop.h"
#include "ledger/ledger.h"
#include "server/state.h"
#include "switch/switch.h"

#define MAX_PENDING   16
#define US_PER_DAY    ((int64_t)24 * 3600 * 1000000)
#define STATUS_DAYS   7 /* that speed is told of */
#define COST_DAYS     30
#define DEFAULT_LIMIT 20
#define MAX_LIMIT     1000
#define MAX_DAYS      3650

/* A question on its way to the ledger and back. */
struct inquiry {
    struct gs_server *server;
    struct gs_http_request *http; /* NULL: nobody waits any more */
    enum gs_ledger_subject subject;
    char id[GS_SERVER_ID_BYTES];
    struct gs_buf json;
    struct gs_error err;
    bool has_failed;
};

static void refuse(struct gs_server *s, struct gs_http_request *r, const char *id, int status,
                   const struct gs_error *err)
{
    gs_server_reply_error(s, r, &gs_dialect_ollama, id, status, err);
}

/* ---- the answer ---- */

/* What the switch knows first, then what the ledger told: the rest of an object, or "}" alone. */
static void reply_status(struct gs_server *s, struct gs_http_request *r, struct gs_slice told)
{
    struct gs_buf b;

    gs_buf_init(&b, GS_MAX_RESPONSE_BYTES);
    gs_buf_putc(&b, '{');
    gs_switch_write_state(s->sw, &b);
    gs_buf_puts(&b, told.len > 1 ? "," : "");
    gs_buf_slice(&b, told);
    gs_server_reply_json(s, r, &b);
}

static void reply(struct inquiry *q)
{
    struct gs_server *s = q->server;

    gs_http_request_watch(q->http, NULL, NULL, NULL);
    if (q->has_failed)
        refuse(s, q->http, q->id, q->err.code == GS_ENOTFOUND ? 404 : 500, &q->err);
    else if (q->subject == GS_LEDGER_HISTORY)
        reply_status(s, q->http, gs_slice_sub(gs_buf_view(&q->json), 1, q->json.len));
    else
        gs_server_reply_json(s, q->http, &q->json);
}

static void inquiry_free(struct inquiry *q)
{
    q->server->admin.n_pending--;
    gs_buf_clear(&q->json);
    gs_free(q);
}

static void take_told(void *ud)
{
    struct gs_server *s = ud;

    for (struct inquiry *q = gs_queue_try_pop(s->admin.told); q;
         q = gs_queue_try_pop(s->admin.told)) {
        if (q->http)
            reply(q);
        inquiry_free(q);
    }
}

/* On the ledger's thread. */
static void told(void *ud, struct gs_buf *json, const struct gs_error *err)
{
    struct inquiry *q = ud;

    q->has_failed = err != NULL;
    if (err)
        q->err = *err;
    if (json) { /* moved */
        q->json = *json;
        gs_buf_init(json, json->max);
    }
    const bool fits = gs_queue_push(q->server->admin.told, q); /* no more than are pending */
    assert(fits);
    (void)fits;
}

/* ---- the question ---- */

static void gone(void *ud)
{
    struct inquiry *q = ud;

    q->http = NULL;
}

static void ask(struct gs_server *s, struct gs_http_request *r, enum gs_ledger_subject subject,
                const struct gs_ledger_query *query, const char *id)
{
    struct inquiry *q = s->admin.n_pending < MAX_PENDING ? gs_alloc_zero(sizeof(*q)) : NULL;
    struct gs_error err = {0};

    if (q) {
        *q = (struct inquiry){.server = s, .http = r, .subject = subject};
        gs_buf_init(&q->json, GS_MAX_RESPONSE_BYTES);
        snprintf(q->id, sizeof(q->id), "%s", id);
        s->admin.n_pending++;
        if (gs_ledger_ask(s->opt.ledger, subject, query, told, q)) {
            gs_http_request_watch(r, gone, NULL, q);
            return;
        }
        inquiry_free(q);
    }
    gs_error_set(&err, GS_EBUSY, "too many ask what the ledger has");
    refuse(s, r, id, 503, &err);
}

/* A number of the query, from 1 to `most`. */
static int64_t number(const struct gs_http_request *r, const char *key, int64_t preset,
                      int64_t most)
{
    char text[32];
    int64_t n;

    if (!gs_server_query_get(gs_http_request_head(r), key, text, sizeof(text)) ||
        !gs_slice_to_i64(gs_slice_str(text), &n) || n < 1)
        return preset;
    return GS_MIN(n, most);
}

static int64_t since(const struct gs_http_request *r, int64_t preset_days)
{
    const int64_t days = number(r, "days", preset_days, MAX_DAYS);

    return days > 0 ? gs_clock_wall_us() - days * US_PER_DAY : 0;
}

static void reply_trace(struct gs_server *s, struct gs_http_request *r, struct gs_slice of,
                        const char *id)
{
    struct gs_error err = {0};
    struct gs_buf b;

    gs_buf_init(&b, GS_MAX_RESPONSE_BYTES);
    if (gs_switch_write_trace(s->sw, of, &b)) {
        gs_server_reply_json(s, r, &b);
        return;
    }
    gs_buf_clear(&b);
    gs_error_set(&err, GS_ENOTFOUND, "there is no trace of request \"%.*s\"",
                 (int)GS_MIN(of.len, 100), of.ptr);
    gs_error_hint(&err, "Only the latest requests since the server was started have one.");
    refuse(s, r, id, 404, &err);
}

void gs_server_admin_request(struct gs_server *s, struct gs_http_request *r, struct gs_slice what,
                             const char *id)
{
    static const struct gs_slice log = {"log/", 4};
    static const struct gs_slice trace = {"trace/", 6};
    struct gs_ledger_query q = {0};
    struct gs_error err = {0};

    if (gs_slice_starts(what, trace)) {
        reply_trace(s, r, gs_slice_sub(what, trace.len, what.len), id);
    } else if (!s->opt.ledger && gs_slice_eq_str(what, "status")) {
        reply_status(s, r, GS_SLICE_LIT("}"));
    } else if (!s->opt.ledger) {
        gs_error_set(&err, GS_ENOTFOUND, "this server keeps no ledger");
        refuse(s, r, id, 404, &err);
    } else if (gs_slice_eq_str(what, "status")) {
        q.since_us = since(r, STATUS_DAYS);
        ask(s, r, GS_LEDGER_HISTORY, &q, id);
    } else if (gs_slice_eq_str(what, "cost")) {
        q.since_us = since(r, COST_DAYS);
        ask(s, r, GS_LEDGER_COST, &q, id);
    } else if (gs_slice_eq_str(what, "log")) {
        q.since_us = since(r, 0);
        q.limit = number(r, "limit", DEFAULT_LIMIT, MAX_LIMIT);
        q.failed = number(r, "failed", 0, 1) == 1;
        ask(s, r, GS_LEDGER_LOG, &q, id);
    } else if (gs_slice_starts(what, log)) {
        q.id = gs_slice_sub(what, log.len, what.len);
        ask(s, r, GS_LEDGER_LOG, &q, id);
    } else {
        gs_error_set(&err, GS_ENOTFOUND, "there is nothing at /api/genset/%.*s",
                     (int)GS_MIN(what.len, 100), what.ptr);
        refuse(s, r, id, 404, &err);
    }
}

/* ---- life ---- */

enum gs_status gs_server_admin_start(struct gs_server *s, struct gs_error *err)
{
    enum gs_status st = gs_queue_create(MAX_PENDING, &s->admin.told, err);

    if (st == GS_OK)
        st = gs_http_watch_create(s->loop, gs_queue_fd(s->admin.told), take_told, s,
                                  &s->admin.watch, err);
    return st;
}

void gs_server_admin_stop(struct gs_server *s)
{
    while (s->admin.n_pending > 0)
        inquiry_free(gs_queue_pop(s->admin.told));
    gs_http_watch_free(s->admin.watch);
    gs_queue_free(s->admin.told);
}
