/* The life of one connection. Bytes come through conn_read(), which steps through the phases for
 * as long as the input lasts; a handler may answer inside the step or any time later. While an
 * answer is due we keep reading, so that a client's leaving is noticed at once; what it pipelines
 * waits in the input buffer, up to MAX_PIPELINE_BYTES. */
#include "http/conn.h"

#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/format.h"
#include "base/slice.h"
#include "http/loop.h"
#include "http/tls.h"

#define MAX_PIPELINE_BYTES    ((size_t)64 << 10)
#define MAX_PIECE_BYTES       ((size_t)256 << 10)
#define MAX_ANSWER_HEAD_BYTES ((size_t)16 << 10)
#define EMPTY_LINE_BYTES      2 /* may precede a request: RFC 9112, 2.2 */

void gs_http_server_drop_body(struct gs_http_server *s, struct gs_buf *body)
{
    s->bodies_bytes -= body->len;
    gs_buf_clear(body);
}

static void drop_body(struct gs_http_conn *c)
{
    gs_http_server_drop_body(c->server, &c->request.body);
}

static void conn_free(struct gs_http_conn *c)
{
    drop_body(c);
    gs_http_server_forget(c->server, c);
    gs_buf_clear(&c->request.head_text);
    gs_buf_clear(&c->request.headers);
    gs_http_timer_free(c->timer);
    if (c->bev)
        bufferevent_free(c->bev);
    gs_free(c);
}

/* The tap's last word. */
static void end_tap(struct gs_http_request *r, bool is_clean)
{
    const struct gs_http_tap tap = r->tap;

    r->tap = (struct gs_http_tap){0};
    if (tap.on_end)
        tap.on_end(tap.ud, is_clean);
}

/* False: nobody wants an answer without its client. */
static bool outlive(struct gs_http_conn *c)
{
    struct gs_http_request *r = &c->request;

    if (!r->tap.on_left || !r->on_gone || c->is_left || c->is_torn || c->server->is_closing ||
        !r->tap.on_left(r->tap.ud))
        return false;
    c->is_left = true;
    c->is_last = true;
    gs_http_timer_stop(c->timer);
    bufferevent_disable(c->bev, EV_READ | EV_WRITE);
    if (r->is_streaming && r->on_drain)
        r->on_drain(r->ud);
    return true;
}

void gs_http_conn_close(struct gs_http_conn *c)
{
    void (*const on_gone)(void *ud) = c->request.on_gone;
    void *const ud = c->request.ud;

    if (c->is_dead || outlive(c))
        return;
    c->is_dead = true;
    gs_http_timer_stop(c->timer);
    bufferevent_disable(c->bev, EV_READ | EV_WRITE);
    c->request.on_gone = NULL;
    c->request.on_drain = NULL;
    if (on_gone)
        on_gone(ud);
    end_tap(&c->request, false);
    if (!c->is_stepping)
        conn_free(c);
}

/* Close so that the client gets a reset, not an end of file. */
static void conn_reset(struct gs_http_conn *c)
{
    const struct linger now = {.l_onoff = 1, .l_linger = 0};

    setsockopt(bufferevent_getfd(c->bev), SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    gs_http_conn_close(c);
}

bool gs_http_conn_is_idle(const struct gs_http_conn *c)
{
    return c->phase == GS_HTTP_PHASE_HEAD && !c->has_first_byte &&
           evbuffer_get_length(bufferevent_get_output(c->bev)) == 0;
}

/* ---- phases ---- */

static void enter_head(struct gs_http_conn *c)
{
    struct gs_http_request *r = &c->request;

    c->phase = GS_HTTP_PHASE_HEAD;
    c->scan = 0;
    c->has_first_byte = false;
    drop_body(c);
    gs_buf_reset(&r->head_text);
    gs_buf_reset(&r->headers);
    gs_http_head_clear(&r->head);
    r->chunks = (struct gs_http_chunks){0};
    r->is_streaming = false;
    r->on_piece = NULL;
    r->piece_bytes = 0;
    r->is_held = false;
    gs_http_timer_start(c->timer,
                        c->has_answered ? c->server->opt.idle_ms : c->server->opt.head_ms);
}

static void enter_linger(struct gs_http_conn *c)
{
    c->phase = GS_HTTP_PHASE_LINGER;
    if (c->server->tls)
        gs_http_tls_end(c->bev);
    shutdown(bufferevent_getfd(c->bev), SHUT_WR);
    bufferevent_setwatermark(c->bev, EV_READ, 0, 0);
    bufferevent_enable(c->bev, EV_READ);
    gs_http_timer_start(c->timer, c->server->opt.linger_ms);
}

static void enter_flush(struct gs_http_conn *c)
{
    c->phase = GS_HTTP_PHASE_FLUSH;
    gs_http_timer_stop(c->timer); /* the write timeout stays */
    bufferevent_setwatermark(c->bev, EV_WRITE, 0, 0);
    if (evbuffer_get_length(bufferevent_get_output(c->bev)) == 0)
        enter_linger(c);
}

static void enter_answer(struct gs_http_conn *c)
{
    c->phase = GS_HTTP_PHASE_ANSWER;
    c->is_last = c->is_last || !c->request.head.keep_alive || c->server->is_draining;
    gs_http_timer_stop(c->timer);
    bufferevent_setwatermark(c->bev, EV_READ, 0, MAX_PIPELINE_BYTES);
    c->server->opt.handler.on_request(c->server->opt.handler.ud, &c->request);
    drop_body(c); /* it may be large, and the answer long */
}

static void refuse(struct gs_http_conn *c, int status, const struct gs_error *err)
{
    const struct gs_http_handler *h = &c->server->opt.handler;

    c->phase = GS_HTTP_PHASE_ANSWER;
    c->is_last = true;
    gs_http_timer_stop(c->timer);
    h->on_refuse(h->ud, &c->request, status, err);
}

static void refuse_text(struct gs_http_conn *c, int status, const char *why)
{
    struct gs_error err = {0};

    gs_error_set(&err, status == 413 ? GS_ELIMIT : GS_EINVAL, "%s", why);
    refuse(c, status, &err);
}

static void refuse_body(struct gs_http_conn *c, uint64_t needed)
{
    const size_t max = c->server->opt.max_body_bytes;
    struct gs_error err = {0};

    gs_error_set(&err, GS_ELIMIT, "the request body is larger than %zu bytes", max);
    gs_error_amounts(&err, (long long)needed, (long long)max);
    refuse(c, 413, &err);
}

/* Whether the bodies being received leave room for n bytes more; if not, the request is refused. */
static bool has_room(struct gs_http_conn *c, size_t n)
{
    struct gs_error err = {0};

    if (n <= c->server->opt.max_bodies_bytes - c->server->bodies_bytes)
        return true;
    gs_error_set(&err, GS_EBUSY, "too many large requests are being received");
    refuse(c, 503, &err);
    return false;
}

static void say_go_on(struct gs_http_conn *c)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";

    if (c->request.head.expects_continue && evbuffer_get_length(bufferevent_get_input(c->bev)) == 0)
        bufferevent_write(c->bev, go_on, sizeof(go_on) - 1);
}

/* The handler answers at once, or calls gs_http_request_receive(). */
static void begin_pieces(struct gs_http_conn *c)
{
    const struct gs_http_handler *h = &c->server->opt.handler;

    gs_buf_init(&c->request.body, 2 * MAX_PIECE_BYTES);
    c->phase = GS_HTTP_PHASE_PIECES;
    c->is_last = c->is_last || !c->request.head.keep_alive || c->server->is_draining;
    bufferevent_setwatermark(c->bev, EV_READ, 0, MAX_PIECE_BYTES);
    gs_http_timer_start(c->timer, c->server->opt.body_ms);
    h->on_request(h->ud, &c->request);
}

static void begin_body(struct gs_http_conn *c)
{
    struct gs_http_request *r = &c->request;
    const struct gs_http_handler *h = &c->server->opt.handler;

    if (h->wants_pieces && h->wants_pieces(h->ud, &r->head)) {
        begin_pieces(c);
        return;
    }
    if (r->head.body_bytes > c->server->opt.max_body_bytes) {
        refuse_body(c, r->head.body_bytes);
        return;
    }
    gs_buf_init(&r->body, c->server->opt.max_body_bytes);
    if (!r->head.is_chunked && r->head.body_bytes == 0) {
        enter_answer(c);
        return;
    }
    c->phase = GS_HTTP_PHASE_BODY;
    gs_http_timer_start(c->timer, c->server->opt.body_ms);
    say_go_on(c);
}

/* Each of these takes what it can from the input; false: it needs more, or the connection is no
 * longer reading. */
static bool step_head(struct gs_http_conn *c, struct evbuffer *in)
{
    struct gs_http_request *r = &c->request;
    const size_t max = c->server->opt.max_head_bytes;
    const size_t len = GS_MIN(evbuffer_get_length(in), max);
    const char *p = (const char *)evbuffer_pullup(in, (ev_ssize_t)len);

    if (len == 0)
        return false;
    if (!p) {
        gs_http_conn_close(c);
        return false;
    }
    if (!c->has_first_byte) {
        c->has_first_byte = true;
        gs_http_timer_start(c->timer, c->server->opt.head_ms);
    }
    const size_t end = gs_http_head_end(gs_slice(p, len), &c->scan);
    if (end == EMPTY_LINE_BYTES) {
        evbuffer_drain(in, end);
        c->scan = 0;
        return true;
    }
    if (end == SIZE_MAX) {
        refuse_text(c, 400, "a line of the request does not end in carriage return, line feed");
        return false;
    }
    if (end == 0) {
        if (len == max)
            refuse_text(c, 431, "the request's header lines are too long");
        return false;
    }
    gs_buf_put(&r->head_text, p, end);
    evbuffer_drain(in, end);
    if (!gs_buf_ok(&r->head_text)) {
        gs_http_conn_close(c);
        return false;
    }
    struct gs_error err = {0};
    const int status = gs_http_head_parse(gs_buf_view(&r->head_text), &r->head, &err);
    if (status)
        refuse(c, status, &err);
    else
        begin_body(c);
    return true;
}

static bool step_body_chunked(struct gs_http_conn *c, struct evbuffer *in)
{
    struct gs_http_request *r = &c->request;
    const size_t len = evbuffer_get_contiguous_space(in);
    const char *p = (const char *)evbuffer_pullup(in, (ev_ssize_t)len);

    if (len == 0 || !p || !has_room(c, len))
        return false;
    const size_t before = r->body.len;
    const size_t used = gs_http_chunks_feed(&r->chunks, gs_slice(p, len), &r->body);
    c->server->bodies_bytes += r->body.len - before;
    evbuffer_drain(in, used);
    if (r->chunks.state == GS_HTTP_CHUNK_BAD) {
        refuse_text(c, 400, "the chunked body is malformed");
    } else if (!gs_buf_ok(&r->body)) {
        refuse_body(c, r->body.len + r->chunks.left);
    } else if (r->chunks.state == GS_HTTP_CHUNK_DONE) {
        enter_answer(c);
    }
    return true;
}

static bool step_body(struct gs_http_conn *c, struct evbuffer *in)
{
    struct gs_http_request *r = &c->request;
    size_t n = evbuffer_get_length(in);

    if (n == 0)
        return false;
    gs_http_timer_start(c->timer, c->server->opt.body_ms);
    if (r->head.is_chunked)
        return step_body_chunked(c, in);
    n = GS_MIN(n, (size_t)r->head.body_bytes - r->body.len);
    if (!has_room(c, n))
        return false;
    char *to = gs_buf_reserve(&r->body, n);
    if (!to || evbuffer_remove(in, to, n) != (int)n) {
        gs_http_conn_close(c);
        return false;
    }
    gs_buf_grow(&r->body, n);
    c->server->bodies_bytes += n;
    if (r->body.len == r->head.body_bytes)
        enter_answer(c);
    return true;
}

/* Hand on a piece; the last one makes the answer due. */
static void give_piece(struct gs_http_conn *c, struct gs_slice piece, bool is_last)
{
    struct gs_http_request *r = &c->request;

    r->piece_bytes += piece.len;
    if (is_last) {
        c->phase = GS_HTTP_PHASE_ANSWER;
        bufferevent_setwatermark(c->bev, EV_READ, 0, MAX_PIPELINE_BYTES);
        gs_http_timer_stop(c->timer);
    }
    r->is_held = true;
    const bool goes_on = r->on_piece(r->piece_ud, piece, is_last);
    if (c->phase != GS_HTTP_PHASE_PIECES)
        return;
    r->is_held = !goes_on;
    if (r->is_held)
        gs_http_timer_stop(c->timer); /* it is not the client who is waited for */
}

static bool step_pieces_chunked(struct gs_http_conn *c, struct evbuffer *in, struct gs_slice bytes)
{
    struct gs_http_request *r = &c->request;
    const size_t used = gs_http_chunks_feed(&r->chunks, bytes, &r->body);

    evbuffer_drain(in, used);
    if (r->chunks.state == GS_HTTP_CHUNK_BAD || !gs_buf_ok(&r->body)) {
        gs_http_conn_close(c);
        return false;
    }
    const bool is_last = r->chunks.state == GS_HTTP_CHUNK_DONE;
    if (r->body.len > 0 || is_last)
        give_piece(c, gs_buf_view(&r->body), is_last);
    gs_buf_reset(&r->body);
    return true;
}

static bool step_pieces(struct gs_http_conn *c, struct evbuffer *in)
{
    struct gs_http_request *r = &c->request;
    const uint64_t left = r->head.body_bytes - r->piece_bytes;
    const size_t len = evbuffer_get_contiguous_space(in);

    if (r->is_held || !r->on_piece || (len == 0 && (r->head.is_chunked || left > 0)))
        return false;
    gs_http_timer_start(c->timer, c->server->opt.body_ms);
    const size_t take = r->head.is_chunked ? len : (size_t)GS_MIN((uint64_t)len, left);
    const char *p = (const char *)evbuffer_pullup(in, (ev_ssize_t)take);
    if (take > 0 && !p) {
        gs_http_conn_close(c);
        return false;
    }
    if (r->head.is_chunked)
        return step_pieces_chunked(c, in, gs_slice(p, take));
    give_piece(c, gs_slice(p, take), take == left);
    if (!c->is_dead)
        evbuffer_drain(in, take);
    return true;
}

static bool step(struct gs_http_conn *c)
{
    struct evbuffer *in = bufferevent_get_input(c->bev);

    switch (c->phase) {
    case GS_HTTP_PHASE_HEAD:
        return step_head(c, in);
    case GS_HTTP_PHASE_BODY:
        return step_body(c, in);
    case GS_HTTP_PHASE_PIECES:
        return step_pieces(c, in);
    case GS_HTTP_PHASE_ANSWER:
    case GS_HTTP_PHASE_FLUSH:
        return false;
    case GS_HTTP_PHASE_LINGER:
        evbuffer_drain(in, evbuffer_get_length(in));
        return false;
    }
    return false;
}

static void conn_read(struct bufferevent *bev, void *ud)
{
    struct gs_http_conn *c = ud;

    (void)bev;
    c->is_stepping = true;
    while (!c->is_dead && step(c))
        ;
    c->is_stepping = false;
    if (c->is_dead)
        conn_free(c);
}

static void conn_wrote(struct bufferevent *bev, void *ud)
{
    struct gs_http_conn *c = ud;

    (void)bev;
    if (c->phase == GS_HTTP_PHASE_FLUSH)
        enter_linger(c);
    else if (c->request.is_streaming && c->request.on_drain)
        c->request.on_drain(c->request.ud);
}

/* End of file, an error, or output that nobody reads. A client that only closed its side between
 * two requests still gets what we owe it; one that waits for an answer has left. */
static void conn_event(struct bufferevent *bev, short what, void *ud)
{
    struct gs_http_conn *c = ud;
    const bool is_owed =
        c->phase == GS_HTTP_PHASE_FLUSH ||
        (c->phase == GS_HTTP_PHASE_HEAD && evbuffer_get_length(bufferevent_get_output(bev)) > 0);

    if (what & BEV_EVENT_CONNECTED) /* TLS was agreed on */
        return;
    if ((what & BEV_EVENT_EOF) && is_owed) {
        bufferevent_disable(bev, EV_READ);
        enter_flush(c);
        return;
    }
    gs_http_conn_close(c);
}

static void conn_timeout(void *ud)
{
    struct gs_http_conn *c = ud;
    const bool is_mid_request = c->phase == GS_HTTP_PHASE_BODY || c->has_first_byte;

    if (c->phase == GS_HTTP_PHASE_LINGER || c->phase == GS_HTTP_PHASE_PIECES || !is_mid_request)
        gs_http_conn_close(c);
    else
        refuse_text(c, 408, "the request did not arrive in time");
}

bool gs_http_conn_open(struct gs_http_server *s, evutil_socket_t fd)
{
    struct gs_http_conn *c = gs_alloc_zero(sizeof(*c));
    const struct timeval write_tv = {.tv_sec = s->opt.write_ms / 1000,
                                     .tv_usec = s->opt.write_ms % 1000 * 1000};

    if (!c || gs_http_timer_create(s->loop, conn_timeout, c, &c->timer, NULL) != GS_OK) {
        gs_free(c);
        evutil_closesocket(fd);
        return false;
    }
    struct event_base *base = gs_http_loop_base(s->loop);
    c->bev = s->tls ? gs_http_tls_accept(s->tls, base, fd)
                    : bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
    if (!c->bev) {
        gs_http_timer_free(c->timer);
        gs_free(c);
        evutil_closesocket(fd);
        return false;
    }
    c->server = s;
    c->request.conn = c;
    gs_buf_init(&c->request.head_text, s->opt.max_head_bytes);
    gs_buf_init(&c->request.headers, MAX_ANSWER_HEAD_BYTES);
    gs_http_server_add(s, c);
    bufferevent_setcb(c->bev, conn_read, conn_wrote, conn_event, c);
    bufferevent_setwatermark(c->bev, EV_WRITE, GS_HTTP_LOW_BYTES, 0);
    bufferevent_set_timeouts(c->bev, NULL, &write_tv);
    bufferevent_enable(c->bev, EV_READ | EV_WRITE);
    enter_head(c);
    return true;
}

/* ---- answers ---- */

static const char *reason(int status)
{
    static const struct {
        int status;
        const char *text;
    } reasons[] = {
        {200, "OK"},
        {204, "No Content"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {505, "HTTP Version Not Supported"},
        {529, "Overloaded"},
    };

    for (size_t i = 0; i < GS_COUNT_OF(reasons); i++) {
        if (reasons[i].status == status)
            return reasons[i].text;
    }
    return "Unknown";
}

void gs_http_header(struct gs_http_request *r, const char *name, struct gs_slice value)
{
    if (r->tap.on_header)
        r->tap.on_header(r->tap.ud, name, value);
    gs_buf_puts(&r->headers, name);
    gs_buf_puts(&r->headers, ": ");
    char *const to = gs_buf_reserve(&r->headers, value.len);
    for (size_t i = 0; to && i < value.len; i++)
        to[i] = value.ptr[i] < ' ' || value.ptr[i] > '~' ? '?' : value.ptr[i];
    if (to)
        gs_buf_grow(&r->headers, value.len);
    gs_buf_puts(&r->headers, "\r\n");
}

/* RFC 9110, 5.6.7: "Sun, 06 Nov 1994 08:49:37 GMT". */
static const char *date_line(struct gs_http_server *s)
{
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const time_t now = time(NULL);
    struct tm tm;

    if (now != s->date_s && gmtime_r(&now, &tm)) {
        gs_format(s->date, sizeof(s->date), "Date: %s, %02d %s %d %02d:%02d:%02d GMT\r\n",
                  days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon], 1900 + tm.tm_year, tm.tm_hour,
                  tm.tm_min, tm.tm_sec);
        s->date_s = now;
    }
    return s->date;
}

/* Output is lost for want of memory: let nothing more through, and end as by an error. */
static void tear(struct gs_http_conn *c)
{
    c->is_torn = true;
    bufferevent_trigger_event(c->bev, BEV_EVENT_ERROR, BEV_OPT_DEFER_CALLBACKS);
}

static void put(struct gs_http_conn *c, const void *p, size_t n)
{
    if (!c->is_torn && !c->is_left && n > 0 &&
        evbuffer_add(bufferevent_get_output(c->bev), p, n) != 0)
        tear(c);
}

/* What the socket takes at once need not wait for the loop to find that it may be written to,
 * unless more has happened in this turn: answers that leave together wake their reader once. The
 * head of a stream leaves with its first bytes. Not by sendmsg(), which a hermit must not. */
static size_t send_now(struct gs_http_conn *c, const struct iovec *parts, size_t n)
{
    if (c->server->tls || c->is_torn || c->is_left || c->request.is_streaming ||
        evbuffer_get_length(bufferevent_get_output(c->bev)) > 0 ||
        event_base_get_num_events(bufferevent_get_base(c->bev), EVENT_BASE_COUNT_ACTIVE) > 0)
        return 0;
    const ssize_t sent = writev(bufferevent_getfd(c->bev), parts, (int)n);
    return sent > 0 ? (size_t)sent : 0; /* an error comes again when libevent writes */
}

static void put_parts(struct gs_http_conn *c, const struct iovec *parts, size_t n)
{
    size_t sent = send_now(c, parts, n);

    for (size_t i = 0; i < n; i++) {
        const size_t done = GS_MIN(sent, parts[i].iov_len);
        if (done < parts[i].iov_len)
            put(c, (const char *)parts[i].iov_base + done, parts[i].iov_len - done);
        sent -= done;
    }
}

/* Status line and headers, then the body; body_bytes < 0 means a stream. */
static void send_head(struct gs_http_request *r, int status, const char *type, int64_t body_bytes,
                      struct gs_slice body)
{
    struct gs_http_conn *c = r->conn;
    char line[64];

    if (r->tap.on_head)
        r->tap.on_head(r->tap.ud, status, type, body_bytes < 0);
    r->tap.on_header = NULL; /* what follows is this connection's affair */
    const int line_len =
        gs_format(line, sizeof(line), "HTTP/1.1 %d %s\r\n", status, reason(status));
    gs_buf_puts(&r->headers, date_line(c->server));
    if (type)
        gs_http_header(r, "Content-Type", gs_slice_str(type));
    if (body_bytes < 0 && r->sends_chunks)
        gs_http_header(r, "Transfer-Encoding", GS_SLICE_LIT("chunked"));
    if (body_bytes >= 0 && status != 204)
        gs_buf_printf(&r->headers, "Content-Length: %lld\r\n", (long long)body_bytes);
    if (c->is_last)
        gs_http_header(r, "Connection", GS_SLICE_LIT("close"));
    else if (r->head.is_http10)
        gs_http_header(r, "Connection", GS_SLICE_LIT("keep-alive"));
    gs_buf_puts(&r->headers, "\r\n");
    if (!gs_buf_ok(&r->headers))
        tear(c);
    const struct iovec parts[] = {{line, (size_t)line_len},
                                  {r->headers.ptr, r->headers.len},
                                  {(char *)(uintptr_t)body.ptr, body.len}}; /* only read */
    put_parts(c, parts, GS_COUNT_OF(parts));
}

/* The answer is in the output buffer; the request is over. */
static void answered(struct gs_http_conn *c)
{
    c->request.on_gone = NULL;
    c->request.on_drain = NULL;
    if (c->is_torn || c->is_left) {
        conn_reset(c);
        return;
    }
    if (c->is_last || c->server->is_draining) {
        enter_flush(c);
        return;
    }
    bufferevent_setwatermark(c->bev, EV_READ, 0, 0);
    c->has_answered = true;
    gs_http_server_touch(c->server, c);
    enter_head(c);
    if (!c->is_stepping && evbuffer_get_length(bufferevent_get_input(c->bev)) > 0)
        bufferevent_trigger(c->bev, EV_READ, BEV_OPT_DEFER_CALLBACKS);
}

void gs_http_respond(struct gs_http_request *r, int status, const char *type, struct gs_slice body)
{
    struct gs_http_conn *c = r->conn;

    if (c->is_dead)
        return;
    c->is_last = c->is_last || c->phase == GS_HTTP_PHASE_PIECES; /* what follows is no request */
    send_head(r, status, type, (int64_t)body.len,
              r->head.method == GS_HTTP_HEAD ? gs_slice(NULL, 0) : body);
    if (r->tap.on_bytes)
        r->tap.on_bytes(r->tap.ud, body);
    end_tap(r, true);
    answered(c);
}

void gs_http_stream_begin(struct gs_http_request *r, int status, const char *type)
{
    if (r->conn->is_dead)
        return;
    r->is_streaming = true;
    r->sends_chunks = !r->head.is_http10;
    if (r->head.is_http10)
        r->conn->is_last = true; /* the end of file ends the body */
    send_head(r, status, type, -1, gs_slice(NULL, 0));
}

void gs_http_stream_write(struct gs_http_request *r, struct gs_slice bytes)
{
    struct gs_http_conn *c = r->conn;
    char size[24];

    if (c->is_dead || bytes.len == 0)
        return;
    if (r->tap.on_bytes)
        r->tap.on_bytes(r->tap.ud, bytes);
    if (r->sends_chunks)
        put(c, size, (size_t)gs_format(size, sizeof(size), "%zx\r\n", bytes.len));
    put(c, bytes.ptr, bytes.len);
    if (r->sends_chunks)
        put(c, "\r\n", 2);
}

size_t gs_http_stream_waiting_bytes(const struct gs_http_request *r)
{
    return r->conn->is_left ? 0 : evbuffer_get_length(bufferevent_get_output(r->conn->bev));
}

void gs_http_stream_end(struct gs_http_request *r)
{
    if (r->conn->is_dead)
        return;
    if (r->sends_chunks)
        put(r->conn, "0\r\n\r\n", 5);
    end_tap(r, true);
    answered(r->conn);
}

void gs_http_stream_break(struct gs_http_request *r, bool reset)
{
    struct gs_http_conn *c = r->conn;

    if (c->is_dead)
        return;
    r->on_gone = NULL;
    r->on_drain = NULL;
    end_tap(r, false);
    if (reset || !r->sends_chunks) {
        conn_reset(c);
        return;
    }
    c->is_last = true;
    answered(c);
}

void gs_http_request_tap(struct gs_http_request *r, const struct gs_http_tap *tap)
{
    r->tap = *tap;
}

void gs_http_request_drop(struct gs_http_request *r)
{
    r->tap = (struct gs_http_tap){0};
    gs_http_conn_close(r->conn);
}

const struct gs_http_head *gs_http_request_head(const struct gs_http_request *r)
{
    return &r->head;
}

struct gs_slice gs_http_request_body(const struct gs_http_request *r)
{
    return gs_buf_view(&r->body);
}

void gs_http_request_take_body(struct gs_http_request *r, struct gs_buf *out_body)
{
    *out_body = r->body;
    gs_buf_init(&r->body, 0);
}

void gs_http_request_receive(struct gs_http_request *r,
                             bool (*on_piece)(void *ud, struct gs_slice piece, bool is_last),
                             void *ud)
{
    r->on_piece = on_piece;
    r->piece_ud = ud;
    say_go_on(r->conn);
}

void gs_http_request_more(struct gs_http_request *r)
{
    struct gs_http_conn *c = r->conn;

    if (c->is_dead || c->phase != GS_HTTP_PHASE_PIECES || !r->is_held)
        return;
    r->is_held = false;
    gs_http_timer_start(c->timer, c->server->opt.body_ms);
    if (!c->is_stepping)
        bufferevent_trigger(c->bev, EV_READ, BEV_OPT_DEFER_CALLBACKS | BEV_TRIG_IGNORE_WATERMARKS);
}

void gs_http_request_watch(struct gs_http_request *r, void (*on_gone)(void *ud),
                           void (*on_drain)(void *ud), void *ud)
{
    r->on_gone = on_gone;
    r->on_drain = on_drain;
    r->ud = ud;
}
