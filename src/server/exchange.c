/* One chat, or texts to be vectors, from request to last byte. Events arrive in the mailbox from
 * the engine's thread; the loop takes them, has the dialect spell them, and writes.
 *
 * Two bounds hold a slow client's answer: the output waiting in http/ (beyond it the mailbox is
 * left alone), and the mailbox (beyond it the engine is told to pause). A streamed answer's head
 * leaves with the first event, which precedes the prefill; until then an error still gets its own
 * HTTP status. If even that takes long, the head leaves with the first sign of life. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/queue.h"
#include "base/slice.h"
#include "base/thread.h"
#include "http/loop.h"
#include "ledger/ledger.h"
#include "server/state.h"

#define MAX_REQUEST_ARENA_BYTES (16 * GS_MAX_REQUEST_BYTES) /* JSON trees are larger than JSON */
#define STATUS_LEFT             499 /* nginx has it so: the client closed the connection */
#define MAX_IGNORED_BYTES       512
#define MAX_INLINE_BYTES        (256 * GS_KIB) /* of a body read on the loop: at most 5 ms */

/* ---- life ---- */

static void exchange_free(struct gs_server_exchange *ex)
{
    struct gs_server *s = ex->server;

    *(ex->prev ? &ex->prev->next : &s->exchanges) = ex->next;
    if (ex->next)
        ex->next->prev = ex->prev;
    s->n_exchanges--;
    s->asked_us = gs_clock_mono_us();
    if (ex->state)
        ex->dialect->clear_state(ex->state);
    gs_free(ex->state);
    gs_buf_clear(&ex->out);
    gs_arena_clear(&ex->arena);
    gs_arena_clear(&ex->mail);
    gs_server_mailbox_clear(&ex->mailbox);
    gs_free(ex);
}

/* The backend's last word, on its thread. */
static void call_released(void *ud)
{
    struct gs_server_exchange *ex = ud;
    struct gs_queue *wake = ex->server->wake;

    if (gs_server_mailbox_release(&ex->mailbox)) {
        const bool fits = gs_queue_push(wake, ex); /* each exchange at most once: room for all */
        assert(fits);
        (void)fits;
    }
}

/* The client is done with, one way or another. */
static void exchange_end(struct gs_server_exchange *ex)
{
    void *call = ex->call;

    ex->http = NULL;
    ex->call = NULL;
    gs_server_mailbox_close(&ex->mailbox);
    if (call)
        ex->server->opt.backend.free_call(call, call_released, ex);
}

/* What became of it, for the ledger. */
static void record_end(const struct gs_server_exchange *ex, int status,
                       enum gs_ledger_outcome outcome, const char *error)
{
    const int64_t took_us = gs_clock_mono_us() - ex->started_us;
    const struct gs_ledger_request row = {
        .id = gs_slice_str(ex->id),
        .at_us = gs_clock_wall_us() - took_us,
        .api = gs_slice_str(ex->dialect->name),
        .model = ex->ctx.model,
        .served_by = ex->served_by,
        .status = status,
        .stream = ex->ctx.stream,
        .outcome = outcome,
        .error = gs_slice_str(outcome == GS_LEDGER_FAILED ? error : ""),
        .prompt_tokens = ex->usage.prompt_tokens,
        .cached_tokens = ex->usage.cached_tokens,
        .answer_tokens = ex->usage.answer_tokens,
        .reasoning_tokens = ex->usage.reasoning_tokens,
        .first_us = ex->first_us ? ex->first_us - ex->started_us : -1,
        .total_us = took_us,
    };

    if (ex->server->opt.ledger && !ex->ctx.is_count && !ex->ctx.errand)
        gs_ledger_record(ex->server->opt.ledger, &row);
}

static void log_end(struct gs_server_exchange *ex, int status, const char *how)
{
    char detail[256];
    const int64_t took_us = gs_clock_mono_us() - ex->started_us;

    snprintf(detail, sizeof(detail), "%s model=%.*s in=%lld cached=%lld out=%lld ms=%lld%s%s",
             ex->dialect->name, (int)GS_MIN(ex->ctx.model.len, 80), ex->ctx.model.ptr,
             (long long)ex->usage.prompt_tokens, (long long)ex->usage.cached_tokens,
             (long long)ex->usage.answer_tokens, (long long)(took_us / 1000), *how ? " " : "", how);
    gs_server_reply_log(ex->server, gs_http_request_head(ex->http), status, ex->id, detail);
    gs_server_gauges_count(ex->server, &ex->usage, *how && status == 200 ? 500 : status);
    record_end(ex, status,
               status == STATUS_LEFT ? GS_LEDGER_LEFT
               : *how                ? GS_LEDGER_FAILED
                                     : GS_LEDGER_ANSWERED,
               how);
}

static void client_gone(void *ud)
{
    struct gs_server_exchange *ex = ud;

    log_end(ex, STATUS_LEFT, "the client left");
    exchange_end(ex);
}

/* ---- out ---- */

static void stream_begin(struct gs_server_exchange *ex, const char *type)
{
    if (ex->is_streaming)
        return;
    ex->is_streaming = true;
    gs_http_header(ex->http, "Cache-Control", GS_SLICE_LIT("no-cache"));
    gs_http_stream_begin(ex->http, 200, type);
}

/* Hand over what the dialect wrote. False: it could not, and the exchange has ended. */
static bool stream_flush(struct gs_server_exchange *ex)
{
    if (!gs_buf_ok(&ex->out)) {
        struct gs_http_request *r = ex->http;
        log_end(ex, 200, "the answer broke off: no memory");
        exchange_end(ex);
        gs_http_stream_break(r, true);
        return false;
    }
    if (ex->out.len > 0) {
        gs_http_stream_write(ex->http, gs_buf_view(&ex->out));
        ex->is_silent = false;
        gs_buf_reset(&ex->out);
    }
    ex->is_blocked = gs_http_stream_waiting_bytes(ex->http) >= GS_HTTP_HIGH_BYTES;
    return true;
}

void gs_server_exchange_fail(struct gs_server_exchange *ex, const struct gs_error *err)
{
    const struct gs_event ev = {.kind = GS_EVENT_ERROR, .error = err};
    struct gs_http_request *r = ex->http;

    if (!r)
        return;
    if (ex->dialect->fails_in_stream && ex->ctx.stream && err->code == GS_ECONTEXT)
        stream_begin(ex, ex->dialect->stream_content_type);
    if (!ex->is_streaming) {
        record_end(ex, gs_dialect_status(ex->dialect, err), GS_LEDGER_FAILED, err->msg);
        exchange_end(ex);
        gs_server_reply_failure(ex->server, r, ex->dialect, ex->id, err);
        return;
    }
    if (!ex->ctx.stream) { /* a whole answer whose head has left: there is no other way to say it */
        log_end(ex, 200, err->msg);
        exchange_end(ex);
        gs_http_stream_break(r, true);
        return;
    }
    ex->dialect->write_event(ex->state, &ex->ctx, &ev, &ex->out);
    if (!stream_flush(ex))
        return;
    log_end(ex, 200, err->msg);
    exchange_end(ex);
    if (ex->dialect->fails_in_stream)
        gs_http_stream_end(r);
    else
        gs_http_stream_break(r, false);
}

static void number_header(struct gs_http_request *r, const char *name, int64_t n)
{
    char text[24];

    if (!name)
        return;
    snprintf(text, sizeof(text), "%lld", (long long)n);
    gs_http_header(r, name, gs_slice_str(text));
}

/* What was not computed again; and nothing is cut without a word. */
static void tell_usage(struct gs_server_exchange *ex)
{
    if (ex->usage.cut_texts > 0)
        number_header(ex->http, "x-genset-truncated", ex->usage.cut_texts);
    if (ex->ctx.texts || ex->ctx.errand || ex->ctx.is_count)
        return;
    number_header(ex->http, "x-genset-prompt-tokens", ex->usage.prompt_tokens);
    number_header(ex->http, "x-genset-cached-tokens", ex->usage.cached_tokens);
}

static void answer_done(struct gs_server_exchange *ex)
{
    struct gs_http_request *r = ex->http;
    struct gs_error err = {0};

    if (ex->ctx.stream) {
        if (!stream_flush(ex))
            return;
        log_end(ex, 200, "");
        exchange_end(ex);
        gs_http_stream_end(r);
    } else if (!gs_buf_ok(&ex->out)) {
        gs_error_nomem(&err, "hold the answer");
        gs_server_exchange_fail(ex, &err);
    } else if (ex->is_streaming) {
        log_end(ex, 200, "");
        exchange_end(ex);
        gs_http_stream_write(r, gs_buf_view(&ex->out));
        gs_http_stream_end(r);
    } else {
        log_end(ex, 200, "");
        tell_usage(ex);
        exchange_end(ex);
        gs_http_respond(r, 200, "application/json", gs_buf_view(&ex->out));
    }
}

/* ---- events ---- */

static enum gs_flow on_event(void *ud, const struct gs_event *ev)
{
    struct gs_server_exchange *ex = ud;
    struct gs_queue *wake = ex->server->wake;
    bool is_due;
    const enum gs_flow flow = gs_server_mailbox_put(&ex->mailbox, ev, &is_due);

    if (is_due) {
        const bool fits = gs_queue_push(wake, ex);
        assert(fits);
        (void)fits;
    }
    return flow;
}

/* Who answers is told as long as a header can be. */
static void note_server(struct gs_server_exchange *ex, struct gs_slice name)
{
    if (!gs_arena_dup(&ex->arena, name, &ex->served_by))
        return;
    if (name.len && !ex->is_streaming)
        gs_http_header(ex->http, "x-genset-served-by", name);
}

static void handle_event(struct gs_server_exchange *ex, const struct gs_event *ev)
{
    if (ev->kind == GS_EVENT_ERROR) {
        gs_server_exchange_fail(ex, ev->error);
        return;
    }
    if (ev->kind == GS_EVENT_PROGRESS) {
        gs_server_upload_go_on(ex);
        return;
    }
    if (ev->kind == GS_EVENT_STOP && ex->ctx.errand)
        gs_buf_reset(&ex->out); /* a piece of an upload */
    if (ev->usage.prompt_tokens > 0 || ev->kind == GS_EVENT_STOP)
        ex->usage = ev->usage;
    if (ev->kind == GS_EVENT_START || ev->kind == GS_EVENT_STOP) {
        if (!ex->served_by.len)
            note_server(ex, ev->served_by);
    } else if (!ex->first_us) {
        ex->first_us = gs_clock_mono_us();
    }
    if (ev->ignored.len)
        gs_http_header(ex->http, "x-genset-ignored",
                       gs_slice_sub(ev->ignored, 0, MAX_IGNORED_BYTES)); /* a client's words */
    if (ev->usage.cached_tokens > 0 && ex->ctx.stream && !ex->is_streaming)
        tell_usage(ex);
    if (ex->ctx.stream)
        stream_begin(ex, ex->dialect->stream_content_type);
    ex->has_started = true;
    ex->dialect->write_event(ex->state, &ex->ctx, ev, &ex->out);
    if (ev->kind == GS_EVENT_STOP && ev->n_left == 0)
        answer_done(ex);
}

static void handle_mail(struct gs_server_exchange *ex)
{
    const struct gs_server_post post = gs_server_mailbox_take(&ex->mailbox, &ex->mail);
    struct gs_error err = {0};

    for (const struct gs_server_mail *m = post.first; m && ex->http; m = m->next)
        handle_event(ex, &m->event);
    if (ex->http && post.has_failed) {
        gs_error_nomem(&err, "hold the answer");
        gs_server_exchange_fail(ex, &err);
    }
    if (ex->http && ex->is_streaming && ex->ctx.stream && !stream_flush(ex))
        return;
    ex->is_paused = ex->is_paused || post.was_paused;
    if (ex->http && ex->is_paused && !ex->is_blocked) {
        ex->is_paused = false;
        ex->server->opt.backend.resume(ex->call);
    }
}

void gs_server_exchange_wake(struct gs_server_exchange *ex)
{
    gs_assert_thread(GS_THREAD_LOOP);
    const bool is_released = gs_server_mailbox_unqueue(&ex->mailbox);

    if (ex->http && !ex->is_blocked)
        handle_mail(ex);
    else if (is_released)
        exchange_free(ex);
}

/* The client has read: on with what waited in the mailbox, and with who paused before it. */
static void client_drained(void *ud)
{
    struct gs_server_exchange *ex = ud;

    if (!ex->is_blocked)
        return;
    ex->is_blocked = false;
    handle_mail(ex);
}

/* White space may precede JSON: it keeps an answer alive that comes whole. Its head leaves late,
 * because afterwards an error has no status of its own, and only once the prompt was accepted. */
static void whole_tick(struct gs_server_exchange *ex)
{
    const int64_t waited_ms = (gs_clock_mono_us() - ex->started_us) / 1000;

    if (!ex->has_started || ex->ctx.texts || waited_ms < ex->server->opt.patience_ms)
        return;
    stream_begin(ex, "application/json");
    gs_http_stream_write(ex->http, GS_SLICE_LIT(" "));
}

void gs_server_exchange_tick(struct gs_server_exchange *ex)
{
    if (!ex->http || ex->reading || ex->is_blocked)
        return;
    if (!ex->ctx.stream) {
        whole_tick(ex);
        return;
    }
    if (!ex->is_silent) {
        ex->is_silent = true;
        return;
    }
    stream_begin(ex, ex->dialect->stream_content_type);
    ex->dialect->write_keepalive(ex->state, &ex->ctx, &ex->out);
    if (stream_flush(ex))
        ex->is_silent = true;
}

/* ---- begin ---- */

static struct gs_server_exchange *exchange_create(struct gs_server *s, struct gs_http_request *r,
                                                  const struct gs_dialect *dialect)
{
    struct gs_server_exchange *ex = gs_alloc_zero(sizeof(*ex));

    if (!ex)
        return NULL;
    ex->state = gs_alloc_zero(dialect->state_bytes);
    if (!ex->state) {
        gs_free(ex);
        return NULL;
    }
    ex->server = s;
    ex->http = r;
    ex->dialect = dialect;
    ex->started_us = gs_clock_mono_us();
    gs_arena_init(&ex->arena, MAX_REQUEST_ARENA_BYTES);
    gs_arena_init(&ex->mail, 0);
    gs_buf_init(&ex->out, GS_MAX_RESPONSE_BYTES);
    gs_server_mailbox_init(&ex->mailbox);
    ex->next = s->exchanges;
    if (ex->next)
        ex->next->prev = ex;
    s->exchanges = ex;
    if (s->n_exchanges++ == 0)
        gs_http_timer_start(s->tick, s->opt.keepalive_ms);
    return ex;
}

static enum gs_status call_backend(struct gs_server_exchange *ex, struct gs_error *err)
{
    const struct gs_server_backend *backend = &ex->server->opt.backend;

    if (ex->ctx.errand)
        return backend->errand(backend->self, ex->ctx.errand, on_event, ex, &ex->call, err);
    if (ex->ctx.texts)
        return backend->embed(backend->self, ex->ctx.texts, on_event, ex, &ex->call, err);
    return (ex->ctx.is_count ? backend->count : backend->answer)(backend->self, &ex->chat, on_event,
                                                                 ex, &ex->call, err);
}

/* The request was read: have it answered. */
static enum gs_status exchange_start(struct gs_server_exchange *ex, struct gs_error *err)
{

    ex->ctx.request_id = gs_slice_str(ex->id);
    ex->ctx.created_us = gs_clock_wall_us();
    ex->ctx.fingerprint = GS_SLICE_LIT("genset-" GENSET_VERSION);
    const enum gs_status st = call_backend(ex, err);
    if (st == GS_OK && ex->dialect->takes_pieces)
        gs_server_upload_begin(ex);
    if (st == GS_OK && ex->ctx.streams_at_once)
        stream_begin(ex, ex->dialect->stream_content_type);
    return st;
}

/* It never got as far as the backend. */
static void refuse(struct gs_server_exchange *ex, const struct gs_error *err)
{
    struct gs_http_request *r = ex->http;
    const struct gs_dialect *dialect = ex->dialect;
    char id[GS_SERVER_ID_BYTES];

    memcpy(id, ex->id, sizeof(id));
    struct gs_server *s = ex->server;
    gs_http_request_watch(r, NULL, NULL, NULL);
    exchange_free(ex);
    gs_server_reply_failure(s, r, dialect, id, err);
}

/* What the reader found. */
static enum gs_status start_read(struct gs_server_exchange *ex,
                                 const struct gs_server_reading *reading, struct gs_error *err)
{
    ex->chat = reading->chat;
    ex->ctx = reading->ctx;
    *err = reading->err;
    return reading->status == GS_OK ? exchange_start(ex, err) : reading->status;
}

void gs_server_exchange_read(struct gs_server_exchange *ex)
{
    struct gs_server_reading *reading = ex->reading;
    struct gs_error err = {0};

    gs_assert_thread(GS_THREAD_LOOP);
    ex->reading = NULL;
    if (!ex->http) /* left, or given up, meanwhile */
        exchange_free(ex);
    else if (start_read(ex, reading, &err) != GS_OK)
        refuse(ex, &err);
    gs_server_reading_free(reading);
}

static enum gs_status note_asked(void *self, struct gs_slice id, struct gs_arena *a,
                                 struct gs_dialect_record *out_record)
{
    bool *const has_asked = self;

    (void)id;
    (void)a;
    (void)out_record;
    *has_asked = true;
    return GS_ENOTFOUND;
}

/* Read a body here. *out_is_long: it builds on answers that are kept, which may be many, and is
 * still to be read. */
static enum gs_status read_here(struct gs_server_exchange *ex, bool *out_is_long,
                                struct gs_error *err)
{
    const struct gs_dialect_store store = {.self = out_is_long, .find = note_asked};

    ex->ctx.store = &store;
    const enum gs_status st = ex->dialect->read_request(
        &ex->chat, &ex->ctx, gs_http_request_body(ex->http), ex->path, &ex->arena, err);
    ex->ctx.store = &ex->server->responses.store;
    return st;
}

/* Have it read, here or beside the loop, and answered. */
static enum gs_status read_body(struct gs_server_exchange *ex, struct gs_error *err)
{
    bool is_long = gs_http_request_body(ex->http).len > MAX_INLINE_BYTES;
    const enum gs_status st = is_long ? GS_OK : read_here(ex, &is_long, err);

    if (is_long)
        return gs_server_reader_give(ex) ? GS_OK : gs_error_nomem(err, "read the request");
    return st == GS_OK ? exchange_start(ex, err) : st;
}

void gs_server_exchange_begin(struct gs_server *s, struct gs_http_request *r,
                              const struct gs_dialect *dialect, const char *path, const char *id)
{
    struct gs_error err = {0};
    struct gs_server_exchange *ex = NULL;
    struct gs_slice kept;

    if (s->n_exchanges >= s->opt.max_exchanges)
        gs_error_set(&err, GS_EBUSY, "%zu requests are being answered already", s->n_exchanges);
    else
        ex = exchange_create(s, r, dialect);
    number_header(r, dialect->limit_header, (int64_t)s->opt.max_exchanges);
    number_header(r, dialect->remaining_header, (int64_t)(s->opt.max_exchanges - s->n_exchanges));
    if (!ex) {
        if (err.code == GS_OK)
            gs_error_nomem(&err, "answer the request");
        gs_server_reply_failure(s, r, dialect, id, &err);
        return;
    }
    snprintf(ex->id, sizeof(ex->id), "%s", id);
    const bool has_path = gs_arena_dup(&ex->arena, gs_slice_str(path), &kept);
    ex->path = has_path ? kept.ptr : "";
    gs_http_request_watch(r, client_gone, client_drained, ex);
    if (!has_path)
        gs_error_nomem(&err, "answer the request");
    if (!has_path || read_body(ex, &err) != GS_OK)
        refuse(ex, &err);
}
