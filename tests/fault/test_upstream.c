/* Requests to others, against raw sockets: whole answers of every framing, and every way in which
 * there is none. The other side runs on a thread of its own; the loop on the test's. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/os.h"
#include "base/thread.h"
#include "http/loop.h"
#include "net_test.h"
#include "upstream/upstream.h"

#define MAX_BODY_BYTES ((size_t)64 << 20)

/* ---- the other side ---- */

struct other {
    int fd, port;
    pthread_t thread;
    void (*serve)(struct other *o);
    const char *answer; /* for serve_answer() and its like */
    int n_connections, n_requests;
    struct gs_buf heard; /* the last request */
};

static int listen_any(int backlog, int *out_port)
{
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t n = sizeof(a);

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(fd, backlog), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
    *out_port = ntohs(a.sin_port);
    return fd;
}

static void *run_other(void *ud)
{
    struct other *o = ud;

    o->serve(o);
    return NULL;
}

static void other_start(struct other *o, void (*serve)(struct other *o), const char *answer)
{
    *o = (struct other){.serve = serve, .answer = answer};
    gs_buf_init(&o->heard, MAX_BODY_BYTES);
    o->fd = listen_any(64, &o->port);
    assert_int_equal(pthread_create(&o->thread, NULL, run_other, o), 0);
}

static void other_join(struct other *o)
{
    pthread_join(o->thread, NULL);
    close(o->fd);
    gs_buf_clear(&o->heard);
}

static int other_accept(struct other *o)
{
    const struct timeval patience = {.tv_sec = NET_PATIENCE_S};
    const int fd = accept(o->fd, NULL, NULL);

    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    o->n_connections++;
    return fd;
}

/* One request with its body; false if the connection ended before one began. */
static bool other_hear(struct other *o, int fd)
{
    size_t head_len = SIZE_MAX;
    size_t body_len = 0;

    gs_buf_reset(&o->heard);
    while (head_len == SIZE_MAX || o->heard.len < head_len + body_len) {
        if (net_read(fd, &o->heard) != NET_DATA)
            return false;
        const struct gs_slice all = gs_buf_view(&o->heard);
        head_len = gs_slice_find(all, GS_SLICE_LIT("\r\n\r\n"), 0);
        if (head_len == SIZE_MAX)
            continue;
        head_len += 4;
        const size_t at = gs_slice_find(all, GS_SLICE_LIT("Content-Length: "), 0);
        if (at < head_len)
            body_len = strtoul(all.ptr + at + 16, NULL, 10);
    }
    o->n_requests++;
    return true;
}

static void reset(int fd)
{
    const struct linger now = {.l_onoff = 1, .l_linger = 0};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close(fd);
}

/* One answer, then the end. */
static void serve_one(struct other *o)
{
    const int fd = other_accept(o);

    assert_true(other_hear(o, fd));
    net_send(fd, o->answer);
    close(fd);
}

static void serve_reset(struct other *o)
{
    const int fd = other_accept(o);

    assert_true(other_hear(o, fd));
    net_send(fd, o->answer);
    reset(fd);
}

/* ---- our side ---- */

struct us {
    struct gs_http_loop *loop;
    struct gs_upstream *up;
};

struct talk {
    struct us *us;
    struct gs_upstream_call *call;
    int n_heads, n_ends, status;
    size_t n_pieces;
    char type[64]; /* content-type */
    struct gs_buf body;
    struct gs_upstream_end end;
};

static int open_us(void **state)
{
    static struct us us;
    struct gs_upstream_options opt;

    gs_upstream_options_init(&opt);
    assert_int_equal(gs_http_loop_create(&us.loop, NULL), GS_OK);
    assert_int_equal(gs_upstream_create(us.loop, &opt, &us.up, NULL), GS_OK);
    *state = &us;
    return 0;
}

static int close_us(void **state)
{
    struct us *us = *state;

    gs_upstream_free(us->up);
    gs_http_loop_free(us->loop);
    return 0;
}

static void on_head(void *ud, const struct gs_upstream_head *head)
{
    struct talk *t = ud;
    const struct gs_slice type = gs_upstream_head_get(head, "content-type");

    t->n_heads++;
    t->status = head->status;
    snprintf(t->type, sizeof(t->type), "%.*s", (int)type.len, type.ptr ? type.ptr : "");
}

static void on_bytes(void *ud, struct gs_slice bytes)
{
    struct talk *t = ud;

    assert_int_equal(t->n_heads, 1);
    assert_int_equal(t->n_ends, 0);
    t->n_pieces++;
    gs_buf_slice(&t->body, bytes);
}

static void on_end(void *ud, const struct gs_upstream_end *end)
{
    struct talk *t = ud;

    t->n_ends++;
    t->end = *end;
    gs_http_loop_break(t->us->loop);
}

static void talk_clear(struct talk *t)
{
    gs_upstream_call_free(t->call);
    t->call = NULL;
    gs_buf_clear(&t->body);
}

static void talk_begin(struct us *us, struct talk *t, const struct gs_upstream_request *r)
{
    const struct gs_upstream_sink sink = {
        .ud = t, .on_head = on_head, .on_bytes = on_bytes, .on_end = on_end};
    struct gs_error err = {0};

    *t = (struct talk){.us = us};
    gs_buf_init(&t->body, MAX_BODY_BYTES);
    if (gs_upstream_call_create(us->up, r, &sink, &t->call, &err) != GS_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(t->n_heads + t->n_ends, 0);
}

/* A request from beginning to end. */
static void talk(struct us *us, struct talk *t, const struct gs_upstream_request *r)
{
    talk_begin(us, t, r);
    assert_int_equal(gs_http_loop_run(us->loop, NULL), GS_OK);
    assert_int_equal(t->n_ends, 1);
}

static const char *url_of(const struct other *o, const char *path)
{
    static char url[256];

    snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", o->port, path);
    return url;
}

static const struct gs_upstream_header headers[] = {
    {{"Content-Type", 12}, {"application/json", 16}},
    {{"Authorization", 13}, {"Bearer sk-secret", 16}},
    {{"X-Empty", 7}, {"", 0}},
    {{"Host", 4}, {"elsewhere", 9}},
};

static struct gs_upstream_request post(const char *url, struct gs_slice body)
{
    return (struct gs_upstream_request){.method = "POST",
                                        .url = url,
                                        .headers = headers,
                                        .n_headers = GS_COUNT_OF(headers),
                                        .body = body,
                                        .connect_ms = 5000,
                                        .headers_ms = 5000,
                                        .total_ms = 20000};
}

#define OK_HEAD  "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
#define OK_HELLO OK_HEAD "Content-Length: 5\r\n\r\nhello"

static void check_fault(const struct talk *t, enum gs_fault fault, const char *msg)
{
    if (t->end.fault != fault || !strstr(t->end.err.msg, msg))
        fail_msg("expected %s \"%s\", found %s: %s", gs_fault_word(fault), msg,
                 gs_fault_word(t->end.fault), t->end.err.msg);
    assert_null(strstr(t->end.err.msg, "secret"));
}

/* ---- tests ---- */

static void test_whole_answers(void **state)
{
    static const char *const answers[] = {
        OK_HELLO,
        OK_HEAD
        "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nX-Trailer: a\r\n\r\n",
        OK_HEAD "\r\nhello",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" OK_HELLO,
        "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nhello",
        "HTTP/1.1 200\r\nCONTENT-TYPE:text/plain  \r\nContent-Length: 5\r\n\r\nhello and more",
    };
    struct us *us = *state;

    for (size_t i = 0; i < GS_COUNT_OF(answers); i++) {
        struct other o;
        struct talk t;
        other_start(&o, serve_one, answers[i]);
        const struct gs_upstream_request r =
            post(url_of(&o, "/v1?key=secret"), GS_SLICE_LIT("{\"a\": 1}"));
        talk(us, &t, &r);
        check_fault(&t, GS_FAULT_NONE, "");
        assert_int_equal(t.status, 200);
        assert_string_equal(t.type, "text/plain");
        assert_true(gs_slice_eq_str(gs_buf_view(&t.body), "hello"));
        assert_true(t.end.times.connected_us > 0);
        assert_true(t.end.times.head_us >= t.end.times.connected_us);
        assert_true(t.end.times.end_us >= t.end.times.head_us);
        talk_clear(&t);
        other_join(&o);
    }
}

static void test_request(void **state)
{
    struct us *us = *state;
    struct other o;
    struct talk t;

    other_start(&o, serve_one, OK_HELLO);
    const struct gs_upstream_request r =
        post(url_of(&o, "/a/../b?key=secret"), GS_SLICE_LIT("{\"a\": 1}"));
    talk(us, &t, &r);
    pthread_join(o.thread, NULL);
    assert_true(net_has(&o.heard, "POST /a/../b?key=secret HTTP/1.1\r\nHost: 127.0.0.1:"));
    assert_true(net_has(&o.heard, "\r\nContent-Type: application/json\r\n"));
    assert_true(net_has(&o.heard, "\r\nAuthorization: Bearer sk-secret\r\n"));
    assert_true(net_has(&o.heard, "\r\nX-Empty:\r\n"));
    assert_true(net_has(&o.heard, "\r\nAccept-Encoding: identity\r\n"));
    assert_true(net_has(&o.heard, "\r\nUser-Agent: genset/"));
    assert_true(net_has(&o.heard, "\r\nContent-Length: 8\r\n\r\n{\"a\": 1}"));
    assert_false(net_has(&o.heard, "elsewhere"));
    assert_false(net_has(&o.heard, "Expect"));
    assert_false(net_has(&o.heard, "Accept:"));
    assert_int_equal(t.end.times.sent_bytes, o.heard.len);
    assert_int_equal(t.end.times.received_bytes, strlen(o.answer));
    close(o.fd);
    gs_buf_clear(&o.heard);
    talk_clear(&t);
}

static void test_no_answer(void **state)
{
    static const struct {
        void (*serve)(struct other *o);
        const char *answer;
        enum gs_fault fault;
        const char *msg;
    } cases[] = {
        {serve_one, "", GS_FAULT_RESET, "broke before it answered (Empty reply"},
        {serve_reset, "", GS_FAULT_RESET, "broke before it answered (Recv failure"},
        {serve_one, "HTTP/1.1 200 OK\r\nConte", GS_FAULT_RESET, ""},
        {serve_one, "HTTP/1.1 100 Continue\r\n\r\n", GS_FAULT_RESET, ""},
        {serve_one, OK_HEAD "Content-Length: 9\r\n\r\nhello", GS_FAULT_CUT, "broke off"},
        {serve_reset, OK_HEAD "Content-Length: 9\r\n\r\nhello", GS_FAULT_CUT, "broke off"},
        {serve_reset, OK_HEAD "\r\nhello", GS_FAULT_CUT, "broke off"},
        {serve_one, OK_HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", GS_FAULT_CUT, ""},
        {serve_one, OK_HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nhel", GS_FAULT_CUT, ""},
        {serve_one, OK_HEAD "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", GS_FAULT_CUT, ""},
        {serve_one, OK_HEAD "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", GS_FAULT_CUT,
         ""},
        {serve_one, "HTTP/1.1 OK\r\n\r\n", GS_FAULT_MALFORMED, ""},
        {serve_one, "SSH-2.0-OpenSSH_9.2\r\n", GS_FAULT_MALFORMED, ""},
        {serve_one, "HTTP/1.1 999 What\r\n\r\n", GS_FAULT_MALFORMED, ""},
        {serve_one, "HTTP/1.1 200 OK\r\nno colon\r\n\r\n", GS_FAULT_MALFORMED, ""},
        {serve_one, "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", GS_FAULT_MALFORMED, ""},
        {serve_one, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", GS_FAULT_MALFORMED,
         "compressed"},
        {serve_one, "HTTP/1.1 302 F\r\nLocation: https://evil.test/x?secret\r\n\r\n",
         GS_FAULT_REDIRECT, "\"https://evil.test\" (status 302)"},
        {serve_one, "HTTP/1.1 307 F\r\nLocation: /x\r\n\r\n", GS_FAULT_REDIRECT,
         "http://127.0.0.1"},
        {serve_one, "HTTP/1.1 308 F\r\n\r\n", GS_FAULT_REDIRECT, "elsewhere"},
        {serve_one, "HTTP/1.1 407 F\r\n\r\n", GS_FAULT_PROXY, "407"},
    };
    struct us *us = *state;

    for (size_t i = 0; i < GS_COUNT_OF(cases); i++) {
        struct other o;
        struct talk t;
        other_start(&o, cases[i].serve, cases[i].answer);
        const struct gs_upstream_request r = post(url_of(&o, "/?key=secret"), GS_SLICE_LIT("{}"));
        talk(us, &t, &r);
        check_fault(&t, cases[i].fault, cases[i].msg);
        assert_int_equal(o.n_requests, 1);
        talk_clear(&t);
        other_join(&o);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_whole_answers, open_us, close_us),
        cmocka_unit_test_setup_teardown(test_request, open_us, close_us),
        cmocka_unit_test_setup_teardown(test_no_answer, open_us, close_us),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
