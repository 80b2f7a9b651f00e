/* Asking a server: what it may answer, and how long it may take. */
#include "http/ask.h"

#include <pthread.h>

#include "base/thread.h"
#include "net_test.h"

struct peer {
    int listener;
    int port;
    const char *answer; /* NULL: none, and the connection is held */
    struct gs_buf asked;
    pthread_t thread;
};

static void answer_once(void *arg)
{
    struct peer *p = arg;
    const int fd = accept(p->listener, NULL, NULL);

    net_read_until(fd, &p->asked, "\r\n\r\n", 0);
    if (p->answer)
        net_send(fd, p->answer);
    else
        net_read_all(fd, &p->asked);
    close(fd);
}

static void peer_start(struct peer *p, const char *answer)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t len = sizeof(a);

    *p = (struct peer){.listener = socket(AF_INET, SOCK_STREAM, 0), .answer = answer};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    gs_buf_init(&p->asked, 1 << 20);
    assert_int_equal(bind(p->listener, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(p->listener, 1), 0);
    getsockname(p->listener, (struct sockaddr *)&a, &len);
    p->port = ntohs(a.sin_port);
    assert_int_equal(gs_thread_start(&p->thread, GS_THREAD_NONE, answer_once, p, NULL), GS_OK);
}

/* It has heard all that it will. */
static void peer_wait(struct peer *p)
{
    pthread_join(p->thread, NULL);
}

static void peer_clear(struct peer *p)
{
    close(p->listener);
    gs_buf_clear(&p->asked);
}

static void test_answers(void **state)
{
    static const struct {
        const char *answer;
        enum gs_status st;
        int status;
        const char *body;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nA: b\r\n\r\nhello", GS_OK, 200, "hello"},
        {"HTTP/1.0 404 Not Found\r\n\r\n", GS_OK, 404, ""},
        {"HTTP/1.1 200\r\n\r\n", GS_OK, 200, ""},
        {"HTTP/1.1 2x0 OK\r\n\r\n", GS_EFORMAT, 0, ""},
        {"HTTP/1.1 -10 OK\r\n\r\n", GS_EFORMAT, 0, ""},
        {"HTTP/1.1 200 OK\r\nA: b\r\n", GS_EFORMAT, 0, ""},
        {"SSH-2.0-OpenSSH\r\n\r\n", GS_EFORMAT, 0, ""},
        {"HTTP/1.\r\n\r\n", GS_EFORMAT, 0, ""},
        {"", GS_EFORMAT, 0, ""},
    };

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(cases); i++) {
        struct gs_error err = {0};
        struct gs_buf body;
        struct peer p;
        int status = 0;
        peer_start(&p, cases[i].answer);
        gs_buf_init(&body, 100);
        const struct gs_http_question q = {.host = "127.0.0.1",
                                           .port = p.port,
                                           .path = "/v1/models",
                                           .key = i % 2 ? "secret" : NULL,
                                           .timeout_ms = 20000};
        assert_int_equal(gs_http_ask(&q, &status, &body, &err), cases[i].st);
        peer_wait(&p);
        assert_int_equal(status, cases[i].status);
        assert_true(gs_slice_eq_str(gs_buf_view(&body), cases[i].body));
        assert_true(net_has(&p.asked, "GET /v1/models HTTP/1.0\r\nHost: localhost\r\n"));
        assert_int_equal(net_has(&p.asked, "Authorization: Bearer secret\r\n"), i % 2);
        gs_buf_clear(&body);
        peer_clear(&p);
    }
}

static void test_posts(void **state)
{
    struct gs_error err = {0};
    struct gs_buf body;
    struct peer p;
    int status;

    (void)state;
    peer_start(&p, "HTTP/1.1 200 OK\r\n\r\n{}");
    gs_buf_init(&body, 100);
    const struct gs_http_question q = {
        .host = "127.0.0.1", .port = p.port, .path = "/x", .json = "", .timeout_ms = 20000};
    assert_int_equal(gs_http_ask(&q, &status, &body, &err), GS_OK);
    peer_wait(&p);
    assert_true(net_has(&p.asked, "POST /x HTTP/1.0\r\n"));
    assert_true(net_has(&p.asked, "Content-Length: 0\r\n"));
    gs_buf_clear(&body);
    peer_clear(&p);
}

static void test_silence_ends(void **state)
{
    struct gs_error err = {0};
    struct gs_buf body;
    struct peer p;
    int status;

    (void)state;
    peer_start(&p, NULL);
    gs_buf_init(&body, 100);
    const struct gs_http_question q = {
        .host = "localhost", .port = p.port, .path = "/", .timeout_ms = 50};
    assert_int_equal(gs_http_ask(&q, &status, &body, &err), GS_EBUSY);
    peer_wait(&p);
    peer_clear(&p);
}

static void test_nobody_listens(void **state)
{
    struct gs_http_question q = {.host = "::1", .port = 1, .path = "/", .timeout_ms = 20000};
    struct gs_error err = {0};
    struct gs_buf body;
    int status;

    (void)state;
    gs_buf_init(&body, 100);
    const enum gs_status st = gs_http_ask(&q, &status, &body, &err);
    assert_true(st == GS_ENOTFOUND || st == GS_EIO); /* or there is no IPv6 */
    q.host = "127.0.0.1";
    assert_int_equal(gs_http_ask(&q, &status, &body, &err), GS_ENOTFOUND);
    q.host = "example.org";
    assert_int_equal(gs_http_ask(&q, &status, &body, &err), GS_EINVAL);
    q.host = "127.0.0.1";
    q.port = 65536;
    assert_int_equal(gs_http_ask(&q, &status, &body, &err), GS_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_posts),
        cmocka_unit_test(test_silence_ends),
        cmocka_unit_test(test_nobody_listens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
