/* Requests to others, against raw sockets: whole answers of every framing, and every way in which
 * there is none. */
#include <sys/wait.h>

#include "base/alloc.h"
#include "base/os.h"
#include "upstream_test.h"

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
        struct talk t = {0};
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
    struct talk t = {0};

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
        {serve_one, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
         GS_FAULT_MALFORMED, "a length"},
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
        struct talk t = {0};
        other_start(&o, cases[i].serve, cases[i].answer);
        const struct gs_upstream_request r = post(url_of(&o, "/?key=secret"), GS_SLICE_LIT("{}"));
        talk(us, &t, &r);
        check_fault(&t, cases[i].fault, cases[i].msg);
        talk_clear(&t);
        other_join(&o);
        assert_int_equal(o.n_requests, 1);
    }
}

/* ---- connections ---- */

/* One connection: the same answer to each request, for as long as there are any. */
static void serve_all(struct other *o)
{
    const int fd = other_accept(o);

    while (other_hear(o, fd))
        net_send(fd, o->answer);
    close(fd);
}

static void test_reuse(void **state)
{
    struct us *us = *state;
    struct other o;

    other_start(&o, serve_all, OK_HELLO);
    for (int i = 0; i < 20; i++) {
        struct talk t = {0};
        const struct gs_upstream_request r = post(url_of(&o, "/"), GS_SLICE_LIT("{}"));
        talk(us, &t, &r);
        check_fault(&t, GS_FAULT_NONE, "");
        assert_true(gs_slice_eq_str(gs_buf_view(&t.body), "hello"));
        assert_int_equal(t.end.times.connected_us > 0, i == 0);
        talk_clear(&t);
    }
    close_us(state); /* the other side waits for it */
    other_join(&o);
    assert_int_equal(o.n_connections, 1);
    assert_int_equal(o.n_requests, 20);
    open_us(state);
}

/* The connection that stood open dies of the second request, which is then asked on another. */
static void serve_stale(struct other *o)
{
    int fd = other_accept(o);

    assert_true(other_hear(o, fd));
    net_send(fd, OK_HELLO);
    assert_true(other_hear(o, fd));
    if (o->answer)
        hang_up(fd);
    else
        close(fd);
    fd = other_accept(o);
    assert_true(other_hear(o, fd));
    net_send(fd, OK_HELLO);
    close(fd);
}

static void test_stale_connection(void **state)
{
    static const char *const hows[] = {NULL, "reset"};
    struct us *us = *state;

    for (size_t i = 0; i < GS_COUNT_OF(hows); i++) {
        struct other o;
        other_start(&o, serve_stale, hows[i]);
        for (int k = 0; k < 2; k++) {
            struct talk t = {0};
            const struct gs_upstream_request r = post(url_of(&o, "/"), GS_SLICE_LIT("{\"x\": 2}"));
            talk(us, &t, &r);
            check_fault(&t, GS_FAULT_NONE, "");
            assert_true(gs_slice_eq_str(gs_buf_view(&t.body), "hello"));
            talk_clear(&t);
        }
        pthread_join(o.thread, NULL);
        assert_int_equal(o.n_connections, 2);
        assert_int_equal(o.n_requests, 3);
        assert_true(net_has(&o.heard, "\r\n\r\n{\"x\": 2}"));
        close(o.fd);
        gs_buf_clear(&o.heard);
    }
}

/* A connection for each of two requests, though the first stands open. */
static void serve_two(struct other *o)
{
    const int first = other_accept(o);

    assert_true(other_hear(o, first));
    net_send(first, OK_HELLO);
    const int second = other_accept(o);
    assert_true(other_hear(o, second));
    net_send(second, OK_HELLO);
    close(first);
    close(second);
}

static void test_forget(void **state)
{
    struct us *us = *state;
    struct other o;

    other_start(&o, serve_two, NULL);
    for (int i = 0; i < 2; i++) {
        struct talk t = {0};
        const struct gs_upstream_request r = post(url_of(&o, "/"), GS_SLICE_LIT("{}"));
        talk(us, &t, &r);
        check_fault(&t, GS_FAULT_NONE, "");
        talk_clear(&t);
        gs_upstream_forget(us->up);
    }
    other_join(&o);
}

static void test_nobody_there(void **state)
{
    struct us *us = *state;
    struct talk t = {0};
    char url[64];
    int port;

    close(listen_any(1, &port));
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/?key=secret", port);
    struct gs_upstream_request r = post(url, GS_SLICE_LIT("{}"));
    talk(us, &t, &r);
    check_fault(&t, GS_FAULT_REFUSED, "Connection refused");
    assert_int_equal(t.end.times.connected_us, -1);
    assert_int_equal(t.end.times.head_us, -1);
    talk_clear(&t);
    r.url = "http://nobody.invalid/?key=secret";
    talk(us, &t, &r);
    check_fault(&t, GS_FAULT_DNS, "\"nobody.invalid\"");
    talk_clear(&t);
}

/* A listening socket whose queue is full answers nothing. */
static void test_black_hole(void **state)
{
    struct us *us = *state;
    struct talk t = {0};
    struct sockaddr_in a = {.sin_family = AF_INET};
    int fillers[4];
    char url[64];
    int port;
    const int fd = listen_any(0, &port);

    a.sin_port = htons((uint16_t)port);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (size_t i = 0; i < GS_COUNT_OF(fillers); i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)!connect(fillers[i], (const struct sockaddr *)&a, sizeof(a));
    }
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/", port);
    struct gs_upstream_request r = post(url, GS_SLICE_LIT("{}"));
    r.connect_ms = 60;
    talk(us, &t, &r);
    check_fault(&t, GS_FAULT_CONNECT_TIMEOUT, "in 60 ms");
    talk_clear(&t);
    r.connect_ms = 0;
    r.total_ms = 60;
    talk(us, &t, &r);
    check_fault(&t, GS_FAULT_TOTAL_TIMEOUT, "not complete in time");
    talk_clear(&t);
    for (size_t i = 0; i < GS_COUNT_OF(fillers); i++)
        close(fillers[i]);
    close(fd);
}

/* Says what it has to say and then nothing, until the connection is closed. */
static void serve_silence(struct other *o)
{
    const int fd = other_accept(o);
    struct gs_buf more;

    assert_true(other_hear(o, fd));
    net_send(fd, o->answer);
    gs_buf_init(&more, 1000);
    net_read_all(fd, &more);
    gs_buf_clear(&more);
    close(fd);
}

static void test_silence(void **state)
{
    static const struct {
        const char *answer;
        int64_t headers_ms, total_ms;
        enum gs_fault fault;
        const char *msg;
    } cases[] = {
        {"", 60, 9000, GS_FAULT_HEADERS_TIMEOUT, "did not answer in 60 ms"},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nA: b\r\n", 60, 0,
         GS_FAULT_HEADERS_TIMEOUT, "did not answer in 60 ms"},
        {"", 0, 60, GS_FAULT_TOTAL_TIMEOUT, "not complete in time"},
        {"", 9000, 60, GS_FAULT_TOTAL_TIMEOUT, "not complete in time"},
        {OK_HEAD "Content-Length: 9\r\n\r\nhello", 9000, 60, GS_FAULT_TOTAL_TIMEOUT, "in time"},
    };
    struct us *us = *state;

    for (size_t i = 0; i < GS_COUNT_OF(cases); i++) {
        struct talk t = {0};
        struct other o;
        other_start(&o, serve_silence, cases[i].answer);
        struct gs_upstream_request r = post(url_of(&o, "/"), GS_SLICE_LIT("{}"));
        r.headers_ms = cases[i].headers_ms;
        r.total_ms = cases[i].total_ms;
        talk(us, &t, &r);
        check_fault(&t, cases[i].fault, cases[i].msg);
        other_join(&o); /* the connection is closed already */
        talk_clear(&t);
    }
}

/* ---- hostile heads ---- */

static void serve_flood_of_heads(struct other *o)
{
    const int fd = other_accept(o);

    assert_true(other_hear(o, fd));
    for (int i = 0; i < 100000 && net_send(fd, o->answer); i++)
        o->n_sent += strlen(o->answer);
    hang_up(fd);
}

static void test_endless_heads(void **state)
{
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\nServer: x\r\n",
        "HTTP/1.1 103 Early\r\nLink: x\r\n\r\n",
        "HTTP/1.1 200 OK and on and on ",
    };
    struct us *us = *state;

    for (size_t i = 0; i < GS_COUNT_OF(answers); i++) {
        struct talk t = {0};
        struct other o;
        other_start(&o, serve_flood_of_heads, answers[i]);
        const struct gs_upstream_request r = post(url_of(&o, "/"), GS_SLICE_LIT("{}"));
        talk(us, &t, &r);
        check_fault(&t, GS_FAULT_MALFORMED, "");
        talk_clear(&t);
        other_join(&o);
    }
}

static void serve_bytes(struct other *o)
{
    const struct gs_buf *b = o->ud;
    const int fd = other_accept(o);

    assert_true(other_hear(o, fd));
    net_send_bytes(fd, b->ptr, b->len);
    close(fd);
}

/* An answer with n headers "name: value". */
static void check_head(struct us *us, size_t n, struct gs_slice name, struct gs_slice value,
                       enum gs_fault fault)
{
    struct gs_buf b;
    struct other o;
    struct talk t = {0};

    gs_buf_init(&b, (size_t)1 << 20);
    gs_buf_puts(&b, "HTTP/1.1 200 OK\r\n");
    for (size_t i = 0; i < n; i++) {
        gs_buf_slice(&b, name);
        gs_buf_puts(&b, ": ");
        gs_buf_slice(&b, value);
        gs_buf_puts(&b, "\r\n");
    }
    gs_buf_puts(&b, "\r\n");
    other_start_with(&o, serve_bytes, NULL, &b);
    const struct gs_upstream_request r = post(url_of(&o, "/"), GS_SLICE_LIT("{}"));
    talk(us, &t, &r);
    if (t.end.fault != fault)
        fail_msg("%zu of \"%.*s\": \"%.*s\": %s", n, (int)GS_MIN(name.len, 10), name.ptr,
                 (int)GS_MIN(value.len, 10), value.ptr, gs_fault_word(t.end.fault));
    assert_int_equal(t.n_heads, fault == GS_FAULT_NONE);
    talk_clear(&t);
    other_join(&o);
    gs_buf_clear(&b);
}

static void test_hostile_heads(void **state)
{
    struct us *us = *state;
    static char big[200000];

    memset(big, 'x', sizeof(big));
    check_head(us, 128, GS_SLICE_LIT("A"), GS_SLICE_LIT("b"), GS_FAULT_NONE);
    check_head(us, 129, GS_SLICE_LIT("A"), GS_SLICE_LIT("b"), GS_FAULT_MALFORMED);
    check_head(us, 1, GS_SLICE_LIT("A"), gs_slice(big, 60000), GS_FAULT_NONE);
    check_head(us, 1, GS_SLICE_LIT("A"), gs_slice(big, 70000), GS_FAULT_MALFORMED);
    check_head(us, 1, GS_SLICE_LIT("A"), gs_slice(big, sizeof(big)), GS_FAULT_MALFORMED);
    check_head(us, 1, gs_slice(big, sizeof(big)), GS_SLICE_LIT("b"), GS_FAULT_MALFORMED);
    check_head(us, 1, GS_SLICE_LIT("A"), gs_slice("a\0b", 3), GS_FAULT_MALFORMED);
    check_head(us, 1, GS_SLICE_LIT("A"), GS_SLICE_LIT("a\x1b[2J"), GS_FAULT_MALFORMED);
    check_head(us, 1, GS_SLICE_LIT("A"), GS_SLICE_LIT("a\rb"), GS_FAULT_MALFORMED);
    check_head(us, 1, GS_SLICE_LIT("A b"), GS_SLICE_LIT("c"), GS_FAULT_MALFORMED);
    check_head(us, 1, GS_SLICE_LIT(""), GS_SLICE_LIT("c"), GS_FAULT_MALFORMED);
    check_head(us, 1, GS_SLICE_LIT("A"), GS_SLICE_LIT("a\r\n b"), GS_FAULT_MALFORMED);
    check_head(us, 2, GS_SLICE_LIT("Content-Length"), GS_SLICE_LIT("0"), GS_FAULT_NONE);
    check_head(us, 1, GS_SLICE_LIT("Content-Length"), GS_SLICE_LIT("99999999999999999999"),
               GS_FAULT_MALFORMED);
}

/* ---- requests that are none ---- */

static void test_bad_requests(void **state)
{
    static const struct gs_upstream_header bad[] = {{{"A b", 3}, {"c", 1}},
                                                    {{"", 0}, {"c", 1}},
                                                    {{"A", 1}, {"b\r\nC: d", 7}},
                                                    {{"A", 1}, {"b\0c", 3}}};
    static const char *const urls[] = {"",
                                       "127.0.0.1:80/x",
                                       "ftp://127.0.0.1/secret",
                                       "file:///etc/passwd",
                                       "http://",
                                       "http://u:secret@h/",
                                       "http://a b/",
                                       "https://u@h/",
                                       "x",
                                       "http://h:99999/secret"};
    const struct gs_upstream_sink sink = {
        .ud = NULL, .on_head = on_head, .on_bytes = on_bytes, .on_end = on_end};
    struct us *us = *state;
    struct gs_upstream_call *call = NULL;
    struct gs_error err;

    for (size_t i = 0; i < GS_COUNT_OF(urls); i++) {
        const struct gs_upstream_request r = post(urls[i], GS_SLICE_LIT("{}"));
        assert_int_equal(gs_upstream_call_create(us->up, &r, &sink, &call, &err), GS_EINVAL);
        assert_null(strstr(err.msg, "secret"));
    }
    for (size_t i = 0; i < GS_COUNT_OF(bad); i++) {
        struct gs_upstream_request r = post("http://127.0.0.1/", GS_SLICE_LIT("{}"));
        r.headers = &bad[i];
        r.n_headers = 1;
        assert_int_equal(gs_upstream_call_create(us->up, &r, &sink, &call, &err), GS_EINVAL);
    }
    assert_null(call);
}

/* ---- pausing ---- */

#define FLOOD_BYTES ((size_t)48 << 20)

static void serve_flood(struct other *o)
{
    static char block[65536];
    char head[100];
    const int fd = other_accept(o);

    assert_true(other_hear(o, fd));
    snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", FLOOD_BYTES);
    net_send(fd, head);
    while (o->n_sent < FLOOD_BYTES && net_send_bytes(fd, block, sizeof(block)))
        o->n_sent += sizeof(block);
    close(fd);
}

struct pause {
    struct talk t;
    struct other o;
    struct gs_http_timer *timer;
    size_t sent_before, n_pieces_before;
    int n_waits;
};

/* Wait until the sender stands still. */
static void pause_waited(void *ud)
{
    struct pause *p = ud;
    const size_t n_sent = p->o.n_sent;

    assert_int_equal(p->t.n_pieces, p->n_pieces_before);
    if (n_sent != p->sent_before || ++p->n_waits < 3) {
        p->sent_before = n_sent;
        gs_http_timer_start(p->timer, 20);
        return;
    }
    assert_true(n_sent < FLOOD_BYTES - ((size_t)16 << 20));
    gs_upstream_call_resume(p->t.call);
}

static void pause_at_bytes(struct talk *t)
{
    struct pause *p = (struct pause *)(void *)t;

    if (t->n_pieces != 1 && t->n_pieces != 5)
        return;
    gs_upstream_call_pause(t->call);
    p->n_pieces_before = t->n_pieces;
    p->n_waits = 0;
    gs_http_timer_start(p->timer, 20);
}

static void pause_at_head(struct talk *t)
{
    gs_upstream_call_pause(t->call);
    gs_upstream_call_resume(t->call);
}

static void test_pause(void **state)
{
    struct us *us = *state;
    static struct pause p;

    p = (struct pause){
        .t = {.at_head = pause_at_head, .at_bytes = pause_at_bytes, .counts_only = true}};
    other_start(&p.o, serve_flood, NULL);
    assert_int_equal(gs_http_timer_create(us->loop, pause_waited, &p, &p.timer, NULL), GS_OK);
    const struct gs_upstream_request r = post(url_of(&p.o, "/"), GS_SLICE_LIT("{}"));
    talk(us, &p.t, &r);
    check_fault(&p.t, GS_FAULT_NONE, "");
    assert_int_equal(p.t.n_bytes, FLOOD_BYTES);
    talk_clear(&p.t);
    other_join(&p.o);
    gs_http_timer_free(p.timer);
}

static void pause_done(void *ud)
{
    struct pause *p = ud;

    if (p->n_waits++ == 0) {
        assert_int_equal(p->t.n_heads + p->t.n_ends, 0);
        gs_upstream_call_resume(p->t.call);
    }
}

/* From the beginning: nothing is told, the end neither. */
static void test_pause_at_once(void **state)
{
    struct us *us = *state;
    static struct pause p;

    p = (struct pause){0};
    other_start(&p.o, serve_one, OK_HELLO);
    assert_int_equal(gs_http_timer_create(us->loop, pause_done, &p, &p.timer, NULL), GS_OK);
    const struct gs_upstream_request r = post(url_of(&p.o, "/"), GS_SLICE_LIT("{}"));
    talk_begin(us, &p.t, &r);
    gs_upstream_call_pause(p.t.call);
    gs_http_timer_start(p.timer, 100);
    assert_int_equal(gs_http_loop_run(us->loop, NULL), GS_OK);
    check_fault(&p.t, GS_FAULT_NONE, "");
    assert_true(gs_slice_eq_str(gs_buf_view(&p.t.body), "hello"));
    talk_clear(&p.t);
    other_join(&p.o);
    gs_http_timer_free(p.timer);
}

/* ---- letting go, and asking again, within a sink ---- */

static void let_go(struct talk *t)
{
    gs_upstream_call_free(t->call);
    t->call = NULL;
    gs_http_loop_break(t->us->loop);
}

static void serve_and_wait(struct other *o)
{
    const int fd = other_accept(o);

    if (other_hear(o, fd)) {
        net_send(fd, o->answer);
        other_hear(o, fd);
    }
    close(fd);
}

static void test_free_in_sinks(void **state)
{
    static const struct {
        struct talk t;
        int n_heads, n_pieces, n_ends;
    } cases[] = {
        {{.at_head = let_go}, 1, 0, 0},
        {{.at_bytes = let_go}, 1, 1, 0},
        {{.at_end = let_go}, 1, 1, 1},
    };
    struct us *us = *state;

    for (size_t i = 0; i < GS_COUNT_OF(cases); i++) {
        struct talk t = cases[i].t;
        struct other o;
        other_start(&o, serve_and_wait, OK_HELLO);
        const struct gs_upstream_request r = post(url_of(&o, "/"), GS_SLICE_LIT("{}"));
        talk_begin(us, &t, &r);
        assert_int_equal(gs_http_loop_run(us->loop, NULL), GS_OK);
        assert_int_equal(t.n_heads, cases[i].n_heads);
        assert_int_equal(t.n_pieces, cases[i].n_pieces);
        assert_int_equal(t.n_ends, cases[i].n_ends);
        talk_clear(&t);
        close_us(state);
        other_join(&o);
        open_us(state);
    }
}

/* Freed at once, and at a time when nobody says anything. */
static void stop(void *ud)
{
    struct us *us = ud;

    gs_http_loop_break(us->loop);
}

static void test_free_any_time(void **state)
{
    struct us *us = *state;
    struct gs_http_timer *timer;

    assert_int_equal(gs_http_timer_create(us->loop, stop, us, &timer, NULL), GS_OK);
    for (int i = 0; i < 12; i++) {
        struct talk t = {0};
        struct other o;
        other_start(&o, serve_silence, i % 2 ? OK_HEAD "\r\nhello" : "");
        struct gs_upstream_request r = post(url_of(&o, "/"), GS_SLICE_LIT("{}"));
        if (i == 10)
            r.url = "http://nobody.invalid/";
        talk_begin(us, &t, &r);
        if (i >= 2) {
            gs_http_timer_start(timer, i / 2);
            assert_int_equal(gs_http_loop_run(us->loop, NULL), GS_OK);
        }
        talk_clear(&t);
        const int fd = net_connect(o.port); /* so that an accept that waits comes back */
        net_send(fd, "GET / HTTP/1.1\r\n\r\n");
        close(fd);
        other_join(&o);
    }
    gs_http_timer_free(timer);
}

struct crowd {
    struct us *us;
    struct talk talks[40];
    size_t n_begun, n_done, n_wanted;
    struct gs_upstream_request r;
};

static struct crowd crowd;

static void crowd_more(struct talk *t)
{
    struct talk *next;

    crowd.n_done++;
    talk_clear(t);
    if (crowd.n_done == crowd.n_wanted)
        gs_http_loop_break(crowd.us->loop);
    if (crowd.n_begun == crowd.n_wanted)
        return;
    crowd.n_begun++;
    next = t;
    next->at_end = crowd_more;
    talk_begin(crowd.us, next, &crowd.r);
}

/* As many connections as come, each until it is closed, on one thread. */
static void serve_crowd(struct other *o)
{
    int fds[GS_COUNT_OF(crowd.talks)];
    size_t n = 0;

    for (; n < GS_COUNT_OF(fds); n++)
        fds[n] = other_accept(o);
    for (size_t n_open = n; n_open > 0;) {
        for (size_t i = 0; i < n; i++) {
            if (fds[i] < 0)
                continue;
            if (other_hear(o, fds[i])) {
                net_send(fds[i], OK_HELLO);
                continue;
            }
            close(fds[i]);
            fds[i] = -1;
            n_open--;
        }
    }
}

/* Each that ends begins another, until there were 2000. */
static void test_crowd(void **state)
{
    struct us *us = *state;
    struct other o;

    other_start(&o, serve_crowd, NULL);
    crowd = (struct crowd){.us = us, .n_wanted = GS_COUNT_OF(crowd.talks) * 50};
    crowd.r = post(url_of(&o, "/"), GS_SLICE_LIT("{}"));
    for (size_t i = 0; i < GS_COUNT_OF(crowd.talks); i++) {
        crowd.n_begun++;
        crowd.talks[i].at_end = crowd_more;
        talk_begin(us, &crowd.talks[i], &crowd.r);
    }
    assert_int_equal(gs_http_loop_run(us->loop, NULL), GS_OK);
    assert_int_equal(crowd.n_done, crowd.n_wanted);
    close_us(state);
    other_join(&o);
    assert_int_equal(o.n_connections, GS_COUNT_OF(crowd.talks));
    assert_int_equal(o.n_requests, crowd.n_wanted);
    open_us(state);
}

/* One connection at a time: who waits too long for it was not refused by the other side. */
static void test_too_many(void **state)
{
    struct gs_upstream_options opt;
    struct us us;
    struct other o;
    struct talk first = {0};
    struct talk second = {0};

    (void)state;
    gs_upstream_options_init(&opt);
    opt.max_connections_of_host = 1;
    assert_int_equal(gs_http_loop_create(&us.loop, NULL), GS_OK);
    assert_int_equal(gs_upstream_create(us.loop, &opt, &us.up, NULL), GS_OK);
    other_start(&o, serve_silence, "");
    struct gs_upstream_request r = post(url_of(&o, "/"), GS_SLICE_LIT("{}"));
    talk_begin(&us, &first, &r);
    r.connect_ms = 60;
    talk(&us, &second, &r);
    check_fault(&second, GS_FAULT_OURS, "too many requests");
    talk_clear(&second);
    talk_clear(&first);
    other_join(&o);
    gs_upstream_free(us.up);
    gs_http_loop_free(us.loop);
}

/* ---- what this machine cannot ---- */

static void test_memory_runs_out(void **state)
{
    int n_answered = 0;

    for (long n = 1; n < 40; n++) {
        struct us us = {0};
        struct talk t = {0};
        struct other o;
        struct gs_upstream_options opt;
        const struct gs_upstream_sink sink = {
            .ud = &t, .on_head = on_head, .on_bytes = on_bytes, .on_end = on_end};
        other_start(&o, serve_all, OK_HELLO);
        struct gs_upstream_request r = post(url_of(&o, "/"), GS_SLICE_LIT("{}"));
        r.total_ms = 500; /* a socket that could not be watched */
        gs_upstream_options_init(&opt);
        assert_int_equal(gs_http_loop_create(&us.loop, NULL), GS_OK);
        gs_alloc_fail_at(n);
        t.us = &us;
        gs_buf_init(&t.body, MAX_BODY_BYTES);
        if (gs_upstream_create(us.loop, &opt, &us.up, NULL) == GS_OK &&
            gs_upstream_call_create(us.up, &r, &sink, &t.call, NULL) == GS_OK) {
            assert_int_equal(gs_http_loop_run(us.loop, NULL), GS_OK);
            assert_int_equal(t.n_ends, 1);
            n_answered += t.end.fault == GS_FAULT_NONE;
        }
        gs_alloc_fail_at(0);
        talk_clear(&t);
        gs_upstream_free(us.up);
        gs_http_loop_free(us.loop);
        if (t.n_ends == 0) {
            const int fd = net_connect(o.port);
            close(fd);
        }
        other_join(&o);
    }
    assert_true(n_answered > 0);
    (void)state;
}

/* A process without a network, in a child since there is no way back. */
static void test_hermit(void **state)
{
    struct us *us = *state;

    close_us(state);
    const pid_t child = fork();
    if (child == 0) {
        struct talk t = {0};
        open_us(state);
        if (gs_os_forbid_network(NULL) != GS_OK)
            _exit(77);
        struct gs_upstream_request r = post("http://127.0.0.1:9/", GS_SLICE_LIT("{}"));
        talk(us, &t, &r);
        const bool is_refused = t.end.fault == GS_FAULT_REFUSED &&
                                strstr(t.end.err.msg, "not permitted") && t.end.err.hint[0];
        talk_clear(&t);
        r.url = "http://nobody.invalid/";
        talk(us, &t, &r);
        const bool is_unknown = t.end.fault == GS_FAULT_DNS;
        talk_clear(&t);
        close_us(state);
        _exit(is_refused && is_unknown ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 77);
    open_us(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_us, close_us)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_hermit), /* before there are threads */
        TEST(test_whole_answers),
        TEST(test_request),
        TEST(test_no_answer),
        TEST(test_reuse),
        TEST(test_stale_connection),
        TEST(test_forget),
        TEST(test_nobody_there),
        TEST(test_black_hole),
        TEST(test_silence),
        TEST(test_endless_heads),
        TEST(test_hostile_heads),
        TEST(test_bad_requests),
        TEST(test_pause),
        TEST(test_pause_at_once),
        TEST(test_free_in_sinks),
        TEST(test_free_any_time),
        TEST(test_crowd),
        TEST(test_too_many),
        TEST(test_memory_runs_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
