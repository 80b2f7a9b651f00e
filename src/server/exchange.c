/* One chat, or texts to be vectors, from request to last byte. The switch has it answered; its
 * events are spelled by the dialect, and what an upstream spelled in the client's own API goes out
 * as it is, while the dialect's writer follows in silence: whoever goes on with the answer, it can
 * write the next byte.
 *
 * Output waiting in http/ holds a slow client's answer: beyond GS_HTTP_HIGH_BYTES the switch is
 * told to hold back. A streamed answer's head leaves with the first event, which of an answer of
 * this machine precedes the prefill; until then an error still gets its own HTTP status. If even
 * that takes long, the head leaves with the first sign of life. */
#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/format.h"
#include "base/limits.h"
#include "base/slice.h"
#include "base/thread.h"
#include "http/loop.h"
#include "ledger/ledger.h"
#include "server/state.h"
#include "switch/switch.h"
#include "json/json.h"

#define MAX_REQUEST_ARENA_BYTES (16 * GS_MAX_REQUEST_BYTES) /* JSON trees are larger than JSON */
#define STATUS_LEFT             499  /* nginx has it so: the client closed the connection */
#define REST_MS                 5000 /* nobody was answered for so long: time to tidy up */
#define MAX_IGNORED_BYTES       512

/* ---- life ---- */

static void drop_body(struct gs_server_exchange *ex)
{
    if (ex->server->http)
        gs_http_server_drop_body(ex->server->http, &ex->body);
    gs_buf_clear(&ex->body);
}

static void exchange_free(struct gs_server_exchange *ex)
{
    struct gs_server *s = ex->server;

    *(ex->prev ? &ex->prev->next : &s->exchanges) = ex->next;
    if (ex->next)
        ex->next->prev = ex->prev;
    s->asked_us = gs_clock_mono_us();
    if (--s->n_exchanges == 0)
        gs_http_timer_start(s->rest, REST_MS);
    if (ex->state)
        ex->dialect->clear_state(ex->state);
    gs_free(ex->state);
    gs_buf_clear(&ex->out);
    gs_switch_judgement_free(ex->judgement);
    gs_arena_clear(&ex->arena);
    drop_body(ex);
    gs_free(ex);
}

/* The switch's last word. */
static void call_released(void *ud)
{
    exchange_free(ud);
}

/* The client is done with, one way or another. */
static void exchange_end(struct gs_server_exchange *ex)
{
    struct gs_switch_call *call = ex->call;

    ex->http = NULL;
    ex->call = NULL;
    if (call)
        gs_switch_call_free(call, call_released, ex);
}

/* What became of it, for the ledger. */
static void record_end(const struct gs_server_exchange *ex, int status,
                       enum gs_ledger_outcome outcome, const char *error)
{
    const int64_t took_us = gs_clock_mono_us() - ex->started_us;
    struct gs_switch_outcome came_of = {0};

    if (ex->call) {
        gs_switch_call_outcome(ex->call, &came_of);
        gs_switch_call_told(ex->call, status, ex->n_told);
    }
    const struct gs_ledger_request row = {
        .id = gs_slice_str(ex->id),
        .at_us = gs_clock_wall_us() - took_us,
        .api = gs_slice_str(ex->dialect->name),
        .model = ex->ctx.model,
        .key = gs_slice_str(ex->key_name),
        .served_by = came_of.served_by,
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
        .n_attempts = came_of.n_attempts,
        .cost_nanousd = came_of.cost_nanousd,
        .is_estimated = came_of.is_estimated,
        .left_bytes = came_of.sent_bytes,
        .privacy = gs_slice_str(
            came_of.privacy == GS_PRIVACY_ANY ? "" : gs_switch_privacy_word(came_of.privacy)),
        .found = came_of.found,
    };

    if (ex->server->opt.ledger && !ex->ctx.is_count && !ex->ctx.errand)
        gs_ledger_record(ex->server->opt.ledger, &row);
}

static void log_answer(struct gs_server_exchange *ex, int status, const char *how)
{
    char detail[256];
    const int64_t took_us = gs_clock_mono_us() - ex->started_us;

    gs_format(detail, sizeof(detail), "%s model=%.*s in=%lld cached=%lld out=%lld ms=%lld%s%s",
              ex->dialect->name, (int)GS_MIN(ex->ctx.model.len, 80), ex->ctx.model.ptr,
              (long long)ex->usage.prompt_tokens, (long long)ex->usage.cached_tokens,
              (long long)ex->usage.answer_tokens, (long long)(took_us / 1000), *how ? " " : "",
              how);
    gs_server_reply_log(ex->server, ex->method, gs_slice_str(ex->path), status, ex->id, detail);
    gs_server_gauges_count(ex->server, &ex->usage, *how && status == 200 ? 500 : status);
}

static void log_end(struct gs_server_exchange *ex, int status, const char *how)
{
    log_answer(ex, status, how);
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

static void number_header(struct gs_http_request *r, const char *name, int64_t n)
{
    char text[24];

    if (!name)
        return;
    gs_format(text, sizeof(text), "%lld", (long long)n);
    gs_http_header(r, name, gs_slice_str(text));
}

/* How many more may be asked here; an upstream that answers has said how many there. */
static void tell_limits(const struct gs_server *s, struct gs_http_request *r,
                        const struct gs_dialect *dialect)
{
    number_header(r, dialect->limit_header, (int64_t)s->opt.max_exchanges);
    number_header(r, dialect->remaining_header, (int64_t)(s->opt.max_exchanges - s->n_exchanges));
}

/* The head of its answer leaves. */
static void end_head(struct gs_server_exchange *ex)
{
    if (!ex->has_limits)
        tell_limits(ex->server, ex->http, ex->dialect);
}

static void stream_begin(struct gs_server_exchange *ex, const char *type)
{
    if (ex->is_streaming)
        return;
    ex->is_streaming = true;
    end_head(ex);
    gs_http_header(ex->http, "Cache-Control", GS_SLICE_LIT("no-cache"));
    gs_http_stream_begin(ex->http, 200, type);
}

/* The dialect's writer begins with the first that is written: an answer that comes whole and goes
 * out as it is has none. */
static bool has_writer(struct gs_server_exchange *ex)
{
    if (!ex->state)
        ex->state = gs_alloc_zero(ex->dialect->state_bytes);
    ex->out.failed = ex->out.failed || !ex->state;
    return ex->state;
}

/* What the dialect has to say of an event; of one that is spelled already its writer takes note. */
static void write_event(struct gs_server_exchange *ex, const struct gs_event *ev, bool is_spelled)
{
    if (!has_writer(ex))
        return;
    ex->out.drops = is_spelled;
    ex->dialect->write_event(ex->state, &ex->ctx, ev, &ex->out);
    ex->out.drops = false;
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
        ex->n_told += ex->out.len;
        ex->is_silent = false;
        gs_buf_reset(&ex->out);
    }
    /* until the client has read, even if less waits before */
    ex->is_blocked = ex->is_blocked || gs_http_stream_waiting_bytes(ex->http) >= GS_HTTP_HIGH_BYTES;
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
        end_head(ex);
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
    write_event(ex, &ev, false);
    if (!stream_flush(ex))
        return;
    log_end(ex, 200, err->msg);
    gs_server_again_fail(ex->server, r);
    exchange_end(ex);
    if (ex->dialect->fails_in_stream)
        gs_http_stream_end(r);
    else
        gs_http_stream_break(r, false);
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
        ex->n_told += ex->out.len;
        log_end(ex, 200, "");
        exchange_end(ex);
        gs_http_stream_write(r, gs_buf_view(&ex->out));
        gs_http_stream_end(r);
    } else {
        ex->n_told = ex->out.len;
        gs_http_request_watch(r, NULL, NULL, NULL);
        tell_usage(ex);
        end_head(ex);
        gs_http_respond(r, 200, "application/json", gs_buf_view(&ex->out));
        log_end(ex, 200, "");
        exchange_end(ex);
    }
}

/* ---- events ---- */

static void on_event(void *ud, const struct gs_event *ev, bool is_spelled)
{
    struct gs_server_exchange *ex = ud;

    if (!ex->http)
        return;
    if (ev->kind == GS_EVENT_ERROR) {
        gs_server_exchange_fail(ex, ev->error);
        return;
    }
    if (ev->kind == GS_EVENT_PROGRESS) {
        if (is_spelled) /* the client has what no event tells of */
            write_event(ex, ev, true);
        else if (ev->total == 0)
            gs_server_upload_go_on(ex);
        return;
    }
    if (ev->kind == GS_EVENT_STOP && ex->ctx.errand)
        gs_buf_reset(&ex->out); /* a piece of an upload */
    if (ev->usage.prompt_tokens > 0 || ev->kind == GS_EVENT_STOP)
        ex->usage = ev->usage;
    if (ev->kind != GS_EVENT_START && ev->kind != GS_EVENT_STOP && !ex->first_us)
        ex->first_us = gs_clock_mono_us();
    if (ev->ignored.len)
        gs_http_header(ex->http, "x-genset-ignored",
                       gs_slice_sub(ev->ignored, 0, MAX_IGNORED_BYTES)); /* a client's words */
    if (ev->usage.cached_tokens > 0 && ex->ctx.stream && !ex->is_streaming)
        tell_usage(ex);
    if (ex->ctx.stream)
        stream_begin(ex, ex->dialect->stream_content_type);
    ex->has_started = true;
    write_event(ex, ev, is_spelled);
    if (ev->kind == GS_EVENT_STOP && ev->n_left == 0)
        answer_done(ex);
}

static void on_bytes(void *ud, struct gs_slice bytes)
{
    struct gs_server_exchange *ex = ud;

    if (!ex->http)
        return;
    stream_begin(ex, ex->dialect->stream_content_type);
    gs_buf_slice(&ex->out, bytes);
}

static bool is_name(const char *header, const char *name)
{
    return header && strcmp(header, name) == 0;
}

static void on_header(void *ud, const char *name, struct gs_slice value)
{
    struct gs_server_exchange *ex = ud;

    if (!ex->http || ex->is_streaming)
        return;
    ex->has_limits = ex->has_limits || is_name(ex->dialect->limit_header, name) ||
                     is_name(ex->dialect->remaining_header, name);
    gs_http_header(ex->http, name, value);
}

static void reply_in_stream(struct gs_server_exchange *ex, const struct gs_switch_reply *reply)
{
    struct gs_http_request *r = ex->http;
    struct gs_error err = {0};

    if (reply->status != 200) { /* its own status is out of reach by now */
        gs_error_set(&err, GS_EUPSTREAM, "%.*s", (int)GS_MIN(reply->error.len, (size_t)400),
                     reply->error.ptr);
        gs_server_exchange_fail(ex, &err);
        return;
    }
    ex->n_told += reply->body.len;
    log_end(ex, 200, "");
    gs_http_stream_write(r, reply->body);
    exchange_end(ex);
    gs_http_stream_end(r);
}

static void on_reply(void *ud, const struct gs_switch_reply *reply)
{
    struct gs_server_exchange *ex = ud;
    struct gs_http_request *r = ex->http;
    char type[128];
    char error[GS_ERROR_MSG_BYTES];
    const char *const how = reply->status == 200 ? "" : error;

    if (!r)
        return;
    ex->usage = reply->usage;
    if (ex->is_streaming) {
        reply_in_stream(ex, reply);
        return;
    }
    gs_format(type, sizeof(type), "%.*s", (int)GS_MIN(reply->type.len, sizeof(type) - 1),
              reply->type.ptr ? reply->type.ptr : "");
    gs_format(error, sizeof(error), "%.*s", (int)GS_MIN(reply->error.len, sizeof(error) - 1),
              reply->error.ptr ? reply->error.ptr : "");
    ex->n_told = reply->body.len;
    gs_http_request_watch(r, NULL, NULL, NULL);
    end_head(ex);
    gs_http_respond(r, reply->status, *type ? type : "application/json", reply->body);
    log_answer(ex, reply->status, how);
    record_end(ex, reply->status, *how ? GS_LEDGER_FAILED : GS_LEDGER_ANSWERED, how);
    exchange_end(ex);
}

/* The switch has no more for now: what there is leaves. */
static void on_pause(void *ud)
{
    struct gs_server_exchange *ex = ud;

    if (ex->http && ex->is_streaming && ex->ctx.stream && stream_flush(ex) && ex->is_blocked)
        gs_switch_call_block(ex->call, true);
}

/* The client has read. */
static void client_drained(void *ud)
{
    struct gs_server_exchange *ex = ud;

    if (!ex->is_blocked)
        return;
    ex->is_blocked = false;
    if (ex->call)
        gs_switch_call_block(ex->call, false);
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
    if (ex->dialect->keepalive_opens && ex->call)
        gs_switch_call_opened(ex->call);
    if (has_writer(ex))
        ex->dialect->write_keepalive(ex->state, &ex->ctx, &ex->out);
    if (stream_flush(ex))
        ex->is_silent = true;
}

/* ---- begin ---- */

struct gs_switch_ask gs_server_ask_of(const struct gs_server_exchange *ex,
                                      const struct gs_dialect_context *ctx,
                                      const struct gs_chat *chat, const struct gs_error *unread,
                                      struct gs_slice body)
{
    return (struct gs_switch_ask){
        .id = gs_slice_str(ex->id),
        .dialect = ex->dialect,
        .ctx = ctx,
        .chat = ctx->errand || ctx->texts || unread ? NULL : chat,
        .unread = unread,
        .model = ctx->texts ? ctx->texts->model : ctx->model,
        .path = gs_slice_str(ex->path),
        .body = body,
        .n_bytes = ex->n_bytes,
        .key = gs_slice_str(ex->key_name),
        .is_key_ours = ex->server->opt.n_api_keys > 0,
        .privacy = ex->privacy,
        .ends_on_break = ex->ends_on_break,
    };
}

static struct gs_server_exchange *exchange_create(struct gs_server *s, struct gs_http_request *r,
                                                  const struct gs_dialect *dialect)
{
    struct gs_server_exchange *ex = gs_alloc_zero(sizeof(*ex));

    if (!ex)
        return NULL;
    ex->server = s;
    ex->http = r;
    ex->dialect = dialect;
    ex->started_us = gs_clock_mono_us();
    gs_arena_init(&ex->arena, MAX_REQUEST_ARENA_BYTES);
    gs_buf_init(&ex->out, GS_MAX_RESPONSE_BYTES);
    gs_buf_init(&ex->body, GS_MAX_REQUEST_BYTES);
    ex->next = s->exchanges;
    if (ex->next)
        ex->next->prev = ex;
    s->exchanges = ex;
    if (s->n_exchanges++ == 0)
        gs_http_timer_start(s->tick, s->opt.keepalive_ms);
    return ex;
}

/* `unread`: why it could not be read; or NULL. */
static enum gs_status call_switch(struct gs_server_exchange *ex, const struct gs_error *unread,
                                  struct gs_error *err)
{
    const struct gs_http_head *head = gs_http_request_head(ex->http);
    struct gs_switch_ask ask =
        gs_server_ask_of(ex, &ex->ctx, &ex->chat, unread, gs_buf_view(&ex->body));
    const struct gs_switch_sink sink = {
        .ud = ex,
        .on_header = on_header,
        .on_event = on_event,
        .on_bytes = on_bytes,
        .on_reply = on_reply,
        .on_pause = on_pause,
    };

    ask.query = head->query;
    ask.head = head;
    ask.judgement = ex->judgement;
    ex->judgement = NULL;
    const enum gs_status st = gs_switch_call_create(ex->server->sw, &ask, &sink, &ex->call, err);
    if (st == GS_OK)
        gs_server_privacy_tell(ex->http, ex->call);
    return st;
}

/* The request was read: have it answered. */
static enum gs_status exchange_start(struct gs_server_exchange *ex, const struct gs_error *unread,
                                     struct gs_error *err)
{
    ex->ctx.request_id = gs_slice_str(ex->id);
    ex->ctx.created_us = gs_clock_wall_us();
    ex->ctx.fingerprint = GS_SLICE_LIT("genset-" GENSET_VERSION);
    if (ex->ctx.errand)
        gs_server_models_remote(ex->server, ex->ctx.errand);
    const enum gs_status st = call_switch(ex, unread, err);
    if (st == GS_OK && ex->dialect->takes_pieces)
        gs_server_upload_begin(ex);
    if (st == GS_OK && ex->ctx.streams_at_once)
        stream_begin(ex, ex->dialect->stream_content_type);
    return st;
}

/* What this program cannot read may be for somebody who speaks the client's API better: then all
 * that need be known is who is meant, and whether the answer comes in pieces. */
bool gs_server_peek(struct gs_slice body, struct gs_arena *a, struct gs_dialect_context *ctx)
{
    struct gs_slice model;
    struct gs_slice stream;

    if (!gs_json_find_member(body, "model", &model) || model.len < 2 || model.ptr[0] != '"' ||
        !gs_arena_dup(a, gs_slice_sub(model, 1, model.len - 1), &ctx->model))
        return false;
    ctx->stream = gs_json_find_member(body, "stream", &stream) &&
                  gs_slice_starts(stream, GS_SLICE_LIT("true"));
    ctx->texts = NULL;
    return true;
}

static enum gs_status exchange_start_unread(struct gs_server_exchange *ex, struct gs_error *err)
{
    const struct gs_error why = *err;

    if (!ex->ctx.model.len && !gs_server_peek(gs_buf_view(&ex->body), &ex->arena, &ex->ctx))
        return err->code;
    ex->unread = why;
    return exchange_start(ex, &ex->unread, err);
}

/* The body was read with this result. */
static enum gs_status go_on(struct gs_server_exchange *ex, enum gs_status st, struct gs_error *err)
{
    if (st == GS_OK)
        return exchange_start(ex, NULL, err);
    if ((st == GS_EINVAL || st == GS_EUNSUPPORTED || st == GS_ENOTFOUND) && ex->body.len > 0)
        return exchange_start_unread(ex, err);
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
    if (ex->ctx.model.len > 0) /* else nobody knows what was asked */
        record_end(ex, gs_dialect_status(dialect, err), GS_LEDGER_FAILED, err->msg);
    end_head(ex);
    exchange_free(ex);
    gs_server_reply_failure(s, r, dialect, id, err);
}

/* What the reader found. */
static enum gs_status start_read(struct gs_server_exchange *ex, struct gs_server_reading *reading,
                                 struct gs_error *err)
{
    ex->chat = reading->chat;
    ex->ctx = reading->ctx;
    *err = reading->err;
    ex->judgement = reading->judgement;
    reading->judgement = NULL;
    if (gs_switch_wants_bytes(ex->server->sw)) {
        ex->body = reading->body;
        gs_buf_init(&reading->body, 0);
    }
    return go_on(ex, reading->status, err);
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
    const size_t inline_bytes = gs_switch_inline_bytes(ex->server->sw);
    bool is_long = ex->n_bytes > inline_bytes;
    const enum gs_status st = is_long ? GS_OK : read_here(ex, &is_long, err);

    if (is_long)
        return gs_server_reader_give(ex) ? GS_OK : gs_error_nomem(err, "read the request");
    if (!ex->dialect->takes_pieces && gs_switch_wants_bytes(ex->server->sw))
        gs_http_request_take_body(ex->http, &ex->body);
    return go_on(ex, st, err);
}

void gs_server_exchange_begin(struct gs_server *s, struct gs_http_request *r,
                              const struct gs_dialect *dialect, const char *path, const char *id,
                              const char *key_name)
{
    struct gs_error err = {0};
    struct gs_server_exchange *ex = NULL;
    struct gs_slice kept;

    if (s->n_exchanges >= s->opt.max_exchanges)
        gs_switch_reap(s->sw); /* some may be over */
    if (s->n_exchanges >= s->opt.max_exchanges)
        gs_error_set(&err, GS_EBUSY, "%zu requests are being answered already", s->n_exchanges);
    else
        ex = exchange_create(s, r, dialect);
    if (!ex) {
        tell_limits(s, r, dialect);
        if (err.code == GS_OK)
            gs_error_nomem(&err, "answer the request");
        gs_server_reply_failure(s, r, dialect, id, &err);
        return;
    }
    gs_format(ex->id, sizeof(ex->id), "%s", id);
    ex->method = gs_http_request_head(r)->method;
    ex->key_name = key_name;
    ex->n_bytes = gs_http_request_body(r).len;
    const bool has_path = gs_arena_dup(&ex->arena, gs_slice_str(path), &kept);
    ex->path = has_path ? kept.ptr : "";
    gs_http_request_watch(r, client_gone, client_drained, ex);
    if (!has_path)
        gs_error_nomem(&err, "answer the request");
    if (!has_path || !gs_server_privacy_read(gs_http_request_head(r), &ex->privacy, &err) ||
        !gs_server_break_read(gs_http_request_head(r), &ex->ends_on_break, &err) ||
        read_body(ex, &err) != GS_OK)
        refuse(ex, &err);
}
