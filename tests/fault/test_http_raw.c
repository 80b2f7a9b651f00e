/* The HTTP server against raw sockets: requests that are malformed, too large, too slow or too
 * many, clients that leave or do not read. The handler here answers by path. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/select.h>

#include "base/os.h"
#include "base/thread.h"
#include "http/http.h"
#include "http/loop.h"
#include "net_test.h"

#define FLOOD_BYTES ((size_t)8 << 20)

struct fixture {
    struct gs_http_loop *loop;
    struct gs_http_server *server;
    struct gs_http_watch *stop_watch;
    int stop_fd;
    pthread_t thread;
    int port;
    struct gs_http_request *flood;
    size_t flood_sent;
    atomic_size_t flood_most; /* output that waited at most */
    atomic_int n_drains;
    int gone_fd; /* signalled when a held request's client leaves */
    struct gs_http_request *pieces;
    size_t pieces_bytes;
    struct gs_http_timer *more;
};

/* ---- handler ---- */

static void held_gone(void *ud)
{
    struct fixture *f = ud;

    gs_os_event_signal(f->gone_fd);
}

static void flood_more(void *ud)
{
    struct fixture *f = ud;
    static char block[16384];

    atomic_fetch_add(&f->n_drains, 1);
    while (f->flood_sent < FLOOD_BYTES) {
        const size_t waiting = gs_http_stream_waiting_bytes(f->flood);
        if (waiting > atomic_load(&f->flood_most))
            atomic_store(&f->flood_most, waiting);
        if (waiting >= GS_HTTP_HIGH_BYTES)
            return;
        gs_http_stream_write(f->flood, gs_slice(block, sizeof(block)));
        f->flood_sent += sizeof(block);
    }
    gs_http_stream_end(f->flood);
}

/* ---- bodies in pieces: /pieces takes them as they come, /pieces/slow one by one; /pieces/full
 * answers at the first ---- */

static bool wants_pieces(void *ud, const struct gs_http_head *head)
{
    (void)ud;
    return gs_slice_starts(head->path, GS_SLICE_LIT("/pieces"));
}

static void more_pieces(void *ud)
{
    struct fixture *f = ud;

    if (f->pieces)
        gs_http_request_more(f->pieces);
}

static void pieces_gone(void *ud)
{
    struct fixture *f = ud;

    f->pieces = NULL;
    held_gone(f);
}

static bool on_piece(void *ud, struct gs_slice piece, bool is_last)
{
    struct fixture *f = ud;
    struct gs_http_request *r = f->pieces;
    const struct gs_slice path = gs_http_request_head(r)->path;
    const bool is_slow = gs_slice_eq_str(path, "/pieces/slow");
    char text[32];

    f->pieces_bytes += piece.len;
    if (gs_slice_eq_str(path, "/pieces/full")) {
        f->pieces = NULL;
        gs_http_respond(r, 500, "text/plain", GS_SLICE_LIT("full"));
        return true;
    }
    if (is_last) {
        f->pieces = NULL;
        snprintf(text, sizeof(text), "%zu bytes", f->pieces_bytes);
        gs_http_respond(r, 200, "text/plain", gs_slice_str(text));
        return true;
    }
    if (is_slow)
        gs_http_timer_start(f->more, 0);
    return !is_slow;
}

static void begin_pieces(struct fixture *f, struct gs_http_request *r)
{
    f->pieces = r;
    f->pieces_bytes = 0;
    if (gs_slice_eq_str(gs_http_request_head(r)->path, "/pieces/refused")) {
        f->pieces = NULL;
        gs_http_respond(r, 403, "text/plain", GS_SLICE_LIT("no"));
        return;
    }
    gs_http_request_watch(r, pieces_gone, NULL, f);
    gs_http_request_receive(r, on_piece, f);
}

/* Far more than a socket takes at once; no two of its parts are the same. */
static struct gs_slice large_answer(void)
{
    static uint32_t numbers[FLOOD_BYTES / sizeof(uint32_t)];

    for (uint32_t i = 0; i < GS_COUNT_OF(numbers); i++)
        numbers[i] = i;
    return gs_slice((const char *)numbers, sizeof(numbers));
}

static void on_request(void *ud, struct gs_http_request *r)
{
    struct fixture *f = ud;
    const struct gs_slice path = gs_http_request_head(r)->path;

    if (gs_slice_eq_str(path, "/hold")) {
        gs_http_request_watch(r, held_gone, NULL, f);
        return;
    }
    if (gs_slice_starts(path, GS_SLICE_LIT("/pieces"))) {
        begin_pieces(f, r);
        return;
    }
    if (gs_slice_eq_str(path, "/echo")) {
        gs_http_respond(r, 200, "text/plain", gs_http_request_body(r));
        return;
    }
    if (gs_slice_eq_str(path, "/large")) {
        gs_http_respond(r, 200, "text/plain", large_answer());
        return;
    }
    gs_http_stream_begin(r, 200, "text/plain");
    if (gs_slice_eq_str(path, "/flood")) {
        f->flood = r;
        f->flood_sent = 0;
        gs_http_request_watch(r, held_gone, flood_more, f);
        flood_more(f);
        return;
    }
    if (gs_slice_eq_str(path, "/wait")) {
        gs_http_request_watch(r, held_gone, NULL, f);
        return;
    }
    gs_http_stream_write(r, GS_SLICE_LIT("one"));
    gs_http_stream_write(r, GS_SLICE_LIT("twotwo"));
    if (gs_slice_eq_str(path, "/break"))
        gs_http_stream_break(r, false);
    else if (gs_slice_eq_str(path, "/reset"))
        gs_http_stream_break(r, true);
    else
        gs_http_stream_end(r);
}

static void on_refuse(void *ud, struct gs_http_request *r, int status, const struct gs_error *err)
{
    const struct gs_slice path = gs_http_request_head(r)->path;

    (void)ud;
    gs_http_header(r, "x-path", path);
    gs_http_respond(r, status, "text/plain", gs_slice_str(err->msg));
}

/* ---- server ---- */

static void stop(void *ud)
{
    struct fixture *f = ud;

    gs_http_loop_break(f->loop);
}

static void run(void *arg)
{
    struct fixture *f = arg;

    assert_int_equal(gs_http_loop_run(f->loop, NULL), GS_OK);
}

static void start(struct fixture *f, const struct gs_http_options *opt)
{
    struct gs_http_options o = *opt;

    *f = (struct fixture){0};
    o.handler = (struct gs_http_handler){f, on_request, on_refuse, wants_pieces};
    assert_int_equal(gs_http_loop_create(&f->loop, NULL), GS_OK);
    assert_int_equal(gs_os_event_create(&f->stop_fd, NULL), GS_OK);
    assert_int_equal(gs_os_event_create(&f->gone_fd, NULL), GS_OK);
    assert_int_equal(gs_http_watch_create(f->loop, f->stop_fd, stop, f, &f->stop_watch, NULL),
                     GS_OK);
    assert_int_equal(gs_http_timer_create(f->loop, more_pieces, f, &f->more, NULL), GS_OK);
    assert_int_equal(gs_http_server_create(f->loop, &o, &f->server, NULL), GS_OK);
    f->port = gs_http_server_port(f->server);
    assert_int_equal(gs_thread_start(&f->thread, GS_THREAD_LOOP, run, f, NULL), GS_OK);
}

static void finish(struct fixture *f)
{
    gs_os_event_signal(f->stop_fd);
    pthread_join(f->thread, NULL);
    gs_http_server_free(f->server);
    gs_http_watch_free(f->stop_watch);
    gs_http_timer_free(f->more);
    gs_http_loop_free(f->loop);
    close(f->stop_fd);
    close(f->gone_fd);
}

static struct gs_http_options options(void)
{
    struct gs_http_options o;

    gs_http_options_init(&o);
    o.max_body_bytes = 1 << 20;
    o.linger_ms = 100;
    return o;
}

/* Wait until the server has seen a client leave. */
static void wait_gone(struct fixture *f)
{
    uint64_t n;

    fd_set set;
    struct timeval patience = {.tv_sec = NET_PATIENCE_S};
    FD_ZERO(&set);
    FD_SET(f->gone_fd, &set);
    assert_int_equal(select(f->gone_fd + 1, &set, NULL, NULL, &patience), 1);
    assert_int_equal(read(f->gone_fd, &n, sizeof(n)), sizeof(n));
}

/* Send a text on a connection of its own; everything that comes back. */
static enum net_end ask(struct fixture *f, const char *text, struct gs_buf *out)
{
    const int fd = net_connect(f->port);

    gs_buf_init(out, 64 << 20);
    net_send(fd, text);
    const enum net_end end = net_read_all(fd, out);
    close(fd);
    return end;
}

/* ---- tests ---- */

static void test_refuses_what_is_malformed(void **state)
{
    static const struct {
        const char *text, *status;
    } cases[] = {
        {"GET / HTTP/1.1\nHost: a\n\n", "HTTP/1.1 400 "},
        {"\x16\x03\x01 hello\r\n\r\n", "HTTP/1.1 400 "},
        {"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 "},
        {"GET /x HTTP/3.0\r\nHost: a\r\n\r\n", "HTTP/1.1 505 "},
        {"BREW /x HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 501 "},
        {"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
         "HTTP/1.1 400 "},
        {"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
         "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
         "HTTP/1.1 400 "},
        {"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nnot hex\r\n",
         "HTTP/1.1 400 "},
        {"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n", "HTTP/1.1 413 "},
    };
    struct fixture f;
    const struct gs_http_options o = options();

    (void)state;
    start(&f, &o);
    for (size_t i = 0; i < GS_COUNT_OF(cases); i++) {
        struct gs_buf out;
        const enum net_end end = ask(&f, cases[i].text, &out);
        if (end != NET_EOF || !gs_slice_starts(gs_buf_view(&out), gs_slice_str(cases[i].status)))
            fail_msg("case %zu: end %d, %.*s", i, (int)end, (int)out.len, out.ptr);
        assert_true(net_has(&out, "Connection: close\r\n"));
        assert_int_equal(net_count(&out, "HTTP/1.1 "), 1);
        gs_buf_clear(&out);
    }
    finish(&f);
}

static void test_refuses_a_body_that_grows_too_large(void **state)
{
    static char chunk[65536];
    const struct gs_http_options o = options();
    struct gs_buf out;
    struct fixture f;

    (void)state;
    start(&f, &o);
    const int fd = net_connect(f.port);
    net_send(fd, "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n");
    for (int i = 0; i < 40 && net_send_bytes(fd, chunk, sizeof(chunk)); i++)
        ;
    gs_buf_init(&out, 1 << 20);
    net_read_until(fd, &out, "larger than 1048576 bytes", 0);
    assert_true(gs_slice_starts(gs_buf_view(&out), GS_SLICE_LIT("HTTP/1.1 413 Content Too Large")));
    gs_buf_clear(&out);
    close(fd);
    finish(&f);
}

static void test_bodies_together_have_a_ceiling(void **state)
{
    struct gs_http_options o = options();
    struct gs_buf out;
    struct fixture f;

    (void)state;
    o.max_bodies_bytes = 8;
    start(&f, &o);
    const int held = net_connect(f.port);
    net_send(held, "POST /hold HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n12345678");
    for (int i = 0; i < 3; i++) { /* what was handed over is held no more */
        ask(&f,
            "POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 8\r\n\r\n"
            "12345678",
            &out);
        assert_true(net_has(&out, "\r\n\r\n12345678"));
        gs_buf_clear(&out);
    }
    ask(&f, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n123456789", &out);
    assert_true(net_has(&out, "HTTP/1.1 503 "));
    gs_buf_clear(&out);
    close(held);
    finish(&f);
}

static void test_refuses_a_long_head(void **state)
{
    const struct gs_http_options o = options();
    char line[1024];
    struct gs_buf out;
    struct fixture f;

    (void)state;
    memset(line, 'x', sizeof(line));
    start(&f, &o);
    const int fd = net_connect(f.port);
    net_send(fd, "GET /x HTTP/1.1\r\nHost: a\r\nx: ");
    for (int i = 0; i < 40 && net_send_bytes(fd, line, sizeof(line)); i++)
        ;
    gs_buf_init(&out, 1 << 20);
    net_read_until(fd, &out, "HTTP/1.1 431 ", 0);
    gs_buf_clear(&out);
    close(fd);
    finish(&f);
}

static void test_keeps_alive_and_pipelines(void **state)
{
    const struct gs_http_options o = options();
    struct gs_buf out;
    struct fixture f;

    (void)state;
    start(&f, &o);
    assert_int_equal(ask(&f,
                         "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
                         "\r\nPOST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                         "3\r\ndef\r\n3\r\nghi\r\n0\r\n\r\n"
                         "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n"
                         "HEAD /echo HTTP/1.1\r\nHost: a\r\n\r\n"
                         "GET /stream HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
                         "GET /never HTTP/1.1\r\nHost: a\r\n\r\n",
                         &out),
                     NET_EOF);
    assert_int_equal(net_count(&out, "HTTP/1.1 200 OK"), 5);
    assert_true(net_has(&out, "Content-Length: 3\r\n\r\nabcHTTP"));
    assert_true(net_has(&out, "Content-Length: 6\r\n\r\ndefghiHTTP"));
    assert_int_equal(net_count(&out, "3\r\none\r\n6\r\ntwotwo\r\n0\r\n\r\n"), 2);
    gs_buf_clear(&out);
    finish(&f);
}

static void test_takes_a_request_byte_by_byte(void **state)
{
    static const char text[] = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
    const struct gs_http_options o = options();
    struct gs_buf out;
    struct fixture f;

    (void)state;
    start(&f, &o);
    const int fd = net_connect(f.port);
    for (size_t i = 0; i < sizeof(text) - 1; i++)
        assert_true(net_send_bytes(fd, text + i, 1));
    gs_buf_init(&out, 1 << 20);
    net_read_until(fd, &out, "\r\n\r\nabc", 0);
    gs_buf_clear(&out);
    close(fd);
    finish(&f);
}

static void test_says_continue(void **state)
{
    const struct gs_http_options o = options();
    struct gs_buf out;
    struct fixture f;

    (void)state;
    start(&f, &o);
    const int fd = net_connect(f.port);
    gs_buf_init(&out, 1 << 20);
    net_send(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
                 "Expect: 100-continue\r\n\r\n");
    net_read_until(fd, &out, "HTTP/1.1 100 Continue\r\n\r\n", 0);
    net_send(fd, "ok");
    net_read_until(fd, &out, "\r\n\r\nok", 0);
    close(fd);
    gs_buf_reset(&out);
    const int big = net_connect(f.port);
    net_send(big, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999\r\n"
                  "Expect: 100-continue\r\n\r\n");
    assert_int_equal(net_read_all(big, &out), NET_EOF);
    assert_true(gs_slice_starts(gs_buf_view(&out), GS_SLICE_LIT("HTTP/1.1 413 ")));
    gs_buf_clear(&out);
    close(big);
    finish(&f);
}

static void test_speaks_http10(void **state)
{
    const struct gs_http_options o = options();
    struct gs_buf out;
    struct fixture f;

    (void)state;
    start(&f, &o);
    assert_int_equal(ask(&f, "GET /stream HTTP/1.0\r\n\r\n", &out), NET_EOF);
    assert_true(gs_slice_ends(gs_buf_view(&out), GS_SLICE_LIT("\r\n\r\nonetwotwo")));
    assert_false(net_has(&out, "chunked"));
    gs_buf_clear(&out);
    finish(&f);
}

static void test_a_broken_stream_does_not_end_cleanly(void **state)
{
    const struct gs_http_options o = options();
    struct gs_buf out;
    struct fixture f;

    (void)state;
    start(&f, &o);
    assert_int_equal(ask(&f, "GET /break HTTP/1.1\r\nHost: a\r\n\r\n", &out), NET_EOF);
    assert_true(gs_slice_ends(gs_buf_view(&out), GS_SLICE_LIT("6\r\ntwotwo\r\n")));
    gs_buf_clear(&out);
    assert_int_equal(ask(&f, "GET /reset HTTP/1.1\r\nHost: a\r\n\r\n", &out), NET_RESET);
    gs_buf_clear(&out);
    finish(&f);
}

static void test_slow_requests_end(void **state)
{
    struct gs_http_options o = options();
    struct gs_buf out;
    struct fixture f;

    (void)state;
    o.idle_ms = 30;
    o.head_ms = 30;
    o.body_ms = 30;
    start(&f, &o);
    assert_int_equal(ask(&f, "", &out), NET_EOF); /* said nothing: hears nothing */
    assert_int_equal(out.len, 0);
    gs_buf_clear(&out);
    ask(&f, "GET /echo HTTP/1.1\r\nHo", &out);
    assert_true(net_has(&out, "HTTP/1.1 408 "));
    gs_buf_clear(&out);
    ask(&f, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na", &out);
    assert_true(net_has(&out, "HTTP/1.1 408 "));
    assert_true(net_has(&out, "x-path: /echo\r\n"));
    gs_buf_clear(&out);
    ask(&f, "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n", &out); /* idle afterwards */
    assert_true(gs_slice_ends(gs_buf_view(&out), GS_SLICE_LIT("0\r\n\r\n")));
    gs_buf_clear(&out);
    finish(&f);
}

/* Send a head and what follows it, then read until the server closes. */
static void exchange(struct fixture *f, const char *head, const char *body, size_t body_bytes,
                     struct gs_buf *out)
{
    const int fd = net_connect(f->port);

    gs_buf_init(out, (size_t)1 << 20);
    net_send(fd, head);
    net_send_bytes(fd, body, body_bytes);
    net_read_all(fd, out);
    close(fd);
}

static void test_takes_bodies_in_pieces(void **state)
{
    enum { LARGE = 3 << 20 };
    static const char *const paths[] = {"/pieces", "/pieces/slow"};
    static char body[LARGE];
    struct fixture f;
    struct gs_http_options o;
    struct gs_buf out;
    char head[256];

    (void)state;
    gs_http_options_init(&o);
    o.max_body_bytes = 1024; /* does not matter */
    o.max_bodies_bytes = 1024;
    start(&f, &o);
    for (size_t i = 0; i < GS_COUNT_OF(paths); i++) {
        snprintf(head, sizeof(head),
                 "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\nConnection: close\r\n\r\n",
                 paths[i], LARGE);
        exchange(&f, head, body, LARGE, &out);
        assert_true(net_has(&out, "200 OK") && net_has(&out, "3145728 bytes"));
        gs_buf_clear(&out);
        snprintf(head, sizeof(head),
                 "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"
                 "POST %s HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "5\r\nabcde\r\n3\r\nfgh\r\n0\r\n\r\n"
                 "GET /break HTTP/1.1\r\nHost: h\r\n\r\n",
                 paths[i], paths[i]);
        exchange(&f, head, "", 0, &out);
        assert_true(net_has(&out, "\r\n\r\n0 bytes") && net_has(&out, "\r\n\r\n8 bytes"));
        gs_buf_clear(&out);
    }
    exchange(&f,
             "POST /pieces HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
             "Connection: close\r\nContent-Length: 0\r\n\r\n",
             "", 0, &out);
    assert_true(net_has(&out, "HTTP/1.1 100 Continue\r\n\r\n"));
    gs_buf_clear(&out);
    finish(&f);
}

static void test_pieces_end_early(void **state)
{
    struct fixture f;
    struct gs_http_options o;
    struct gs_buf out;

    (void)state;
    gs_http_options_init(&o);
    o.body_ms = 50;
    start(&f, &o);
    exchange(&f, "POST /pieces/full HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n", "abc", 3,
             &out);
    assert_true(net_has(&out, "500 ") && net_has(&out, "Connection: close\r\n"));
    gs_buf_clear(&out);
    exchange(&f, "POST /pieces/refused HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n", "abc",
             3, &out);
    assert_true(net_has(&out, "403 ") && net_has(&out, "Connection: close\r\n"));
    gs_buf_clear(&out);
    exchange(&f, "POST /pieces HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n",
             "3\r\nabcdef", 9, &out);
    assert_int_equal(out.len, 0); /* malformed */
    gs_buf_clear(&out);
    wait_gone(&f);
    exchange(&f, "POST /pieces HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n", "abc", 3, &out);
    assert_int_equal(out.len, 0); /* too slow */
    gs_buf_clear(&out);
    wait_gone(&f);
    finish(&f);
}

static void test_a_leaving_client_is_noticed(void **state)
{
    static const char *const paths[] = {"hold", "wait", "flood"};
    const struct gs_http_options o = options();
    struct fixture f;

    (void)state;
    start(&f, &o);
    for (size_t i = 0; i < GS_COUNT_OF(paths); i++) {
        char text[100];
        const int fd = net_connect_small(f.port, 4096);
        snprintf(text, sizeof(text), "GET /%s HTTP/1.1\r\nHost: a\r\n\r\n", paths[i]);
        net_send(fd, text);
        if (i > 0) {
            struct gs_buf out;
            gs_buf_init(&out, 1 << 20);
            net_read_until(fd, &out, "\r\n\r\n", 0); /* the head comes before anything else */
            gs_buf_clear(&out);
        }
        close(fd);
        wait_gone(&f);
    }
    finish(&f);
}

/* All that comes, to somebody with little room. */
static void ask_slowly(const struct fixture *f, const char *asked, struct gs_buf *out)
{
    const int fd = net_connect_small(f->port, 4096);

    net_send(fd, asked);
    gs_buf_init(out, 64 << 20);
    assert_int_equal(net_read_all(fd, out), NET_EOF);
    close(fd);
}

static void test_a_slow_reader_holds_little(void **state)
{
    const struct gs_http_options o = options();
    struct gs_buf out;
    struct fixture f;

    (void)state;
    start(&f, &o);
    ask_slowly(&f, "GET /flood HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", &out);
    assert_true(out.len > FLOOD_BYTES);
    assert_true(gs_slice_ends(gs_buf_view(&out), GS_SLICE_LIT("0\r\n\r\n")));
    assert_true(atomic_load(&f.flood_most) < GS_HTTP_HIGH_BYTES + ((size_t)64 << 10));
    assert_true(atomic_load(&f.n_drains) > 2);
    gs_buf_clear(&out);
    finish(&f);
}

static void test_large_answers_arrive_whole(void **state)
{
    static const char asked[] = "GET /large HTTP/1.1\r\nHost: a\r\n\r\n"
                                "GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    const struct gs_http_options o = options();
    struct gs_buf out;
    struct fixture f;

    (void)state;
    start(&f, &o);
    ask_slowly(&f, asked, &out);
    struct gs_slice rest = gs_buf_view(&out);
    for (int i = 0; i < 2; i++) {
        const size_t head = gs_slice_find(rest, GS_SLICE_LIT("\r\n\r\n"), 0) + 4;
        assert_true(rest.len >= head + FLOOD_BYTES);
        assert_memory_equal(rest.ptr + head, large_answer().ptr, FLOOD_BYTES);
        rest = gs_slice_sub(rest, head + FLOOD_BYTES, rest.len);
    }
    assert_int_equal(rest.len, 0);
    gs_buf_clear(&out);
    finish(&f);
}

static void test_a_reader_that_stops_is_dropped(void **state)
{
    struct gs_http_options o = options();
    struct fixture f;

    (void)state;
    o.write_ms = 50;
    start(&f, &o);
    const int fd = net_connect_small(f.port, 4096);
    net_send(fd, "GET /flood HTTP/1.1\r\nHost: a\r\n\r\n");
    wait_gone(&f);
    close(fd);
    finish(&f);
}

static void test_the_oldest_idle_connection_makes_room(void **state)
{
    struct gs_http_options o = options();
    struct gs_buf out;
    struct fixture f;
    int fds[8];

    (void)state;
    o.max_connections = 4;
    start(&f, &o);
    gs_buf_init(&out, 1 << 20);
    for (size_t i = 0; i < GS_COUNT_OF(fds); i++) {
        fds[i] = net_connect(f.port);
        net_send(fds[i], "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
        gs_buf_reset(&out);
        net_read_until(fds[i], &out, "0\r\n\r\n", 0);
    }
    assert_int_equal(net_read_all(fds[0], &out), NET_EOF);
    for (size_t i = 0; i < GS_COUNT_OF(fds); i++)
        close(fds[i]);
    gs_buf_clear(&out);
    finish(&f);
}

static void test_clients_wait_when_none_is_idle(void **state)
{
    struct gs_http_options o = options();
    struct gs_buf out;
    struct fixture f;
    int held[2];

    (void)state;
    o.max_connections = 2;
    start(&f, &o);
    for (int i = 0; i < 2; i++) {
        held[i] = net_connect(f.port);
        net_send(held[i], "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    const int fd = net_connect(f.port);
    net_send(fd, "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
    close(held[0]);
    gs_buf_init(&out, 1 << 20);
    net_read_until(fd, &out, "0\r\n\r\n", 0);
    gs_buf_clear(&out);
    close(fd);
    close(held[1]);
    finish(&f);
}

static void test_listens_once(void **state)
{
    struct gs_http_options o = options();
    struct gs_http_server *second = NULL;
    struct gs_error err = {0};
    struct fixture f;
    bool is_loopback;

    (void)state;
    start(&f, &o);
    o.port = f.port;
    assert_int_equal(gs_http_server_create(f.loop, &o, &second, &err), GS_EIO);
    assert_non_null(strstr(err.msg, "could not listen on 127.0.0.1 port"));
    o.host = "example.com";
    assert_int_equal(gs_http_server_create(f.loop, &o, &second, &err), GS_EINVAL);
    finish(&f);
    assert_int_equal(gs_http_is_loopback("127.9.9.9", &is_loopback, NULL), GS_OK);
    assert_true(is_loopback);
    assert_int_equal(gs_http_is_loopback("::1", &is_loopback, NULL), GS_OK);
    assert_true(is_loopback);
    assert_int_equal(gs_http_is_loopback("0.0.0.0", &is_loopback, NULL), GS_OK);
    assert_false(is_loopback);
    assert_int_equal(gs_http_is_loopback("here", &is_loopback, NULL), GS_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_what_is_malformed),
        cmocka_unit_test(test_refuses_a_body_that_grows_too_large),
        cmocka_unit_test(test_bodies_together_have_a_ceiling),
        cmocka_unit_test(test_refuses_a_long_head),
        cmocka_unit_test(test_keeps_alive_and_pipelines),
        cmocka_unit_test(test_takes_a_request_byte_by_byte),
        cmocka_unit_test(test_says_continue),
        cmocka_unit_test(test_speaks_http10),
        cmocka_unit_test(test_a_broken_stream_does_not_end_cleanly),
        cmocka_unit_test(test_slow_requests_end),
        cmocka_unit_test(test_takes_bodies_in_pieces),
        cmocka_unit_test(test_pieces_end_early),
        cmocka_unit_test(test_a_leaving_client_is_noticed),
        cmocka_unit_test(test_a_slow_reader_holds_little),
        cmocka_unit_test(test_large_answers_arrive_whole),
        cmocka_unit_test(test_a_reader_that_stops_is_dropped),
        cmocka_unit_test(test_the_oldest_idle_connection_makes_room),
        cmocka_unit_test(test_clients_wait_when_none_is_idle),
        cmocka_unit_test(test_listens_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
