/* Both sides of a request to another computer: the other one is raw sockets on a thread, ours the
 * loop on the test's. */
#ifndef GS_TESTS_UPSTREAM_TEST_H
#define GS_TESTS_UPSTREAM_TEST_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "http/loop.h"
#include "net_test.h"
#include "upstream/upstream.h"

#define MAX_BODY_BYTES ((size_t)64 << 20)

/* ---- the other side ---- */

struct other {
    int fd, port;
    pthread_t thread;
    void (*serve)(struct other *o);
    const char *answer;
    void *ud;
    int n_connections, n_requests;
    atomic_size_t n_sent;
    struct gs_buf heard; /* the last request */
};

static inline int listen_any(int backlog, int *out_port)
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

static inline void *run_other(void *ud)
{
    struct other *o = ud;

    o->serve(o);
    return NULL;
}

static inline void other_start_with(struct other *o, void (*serve)(struct other *o),
                                    const char *answer, void *ud)
{
    *o = (struct other){.serve = serve, .answer = answer, .ud = ud};
    gs_buf_init(&o->heard, MAX_BODY_BYTES);
    o->fd = listen_any(64, &o->port);
    assert_int_equal(pthread_create(&o->thread, NULL, run_other, o), 0);
}

static inline void other_start(struct other *o, void (*serve)(struct other *o), const char *answer)
{
    other_start_with(o, serve, answer, NULL);
}

static inline void other_join(struct other *o)
{
    pthread_join(o->thread, NULL);
    close(o->fd);
    gs_buf_clear(&o->heard);
}

static inline int other_accept(struct other *o)
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
static inline bool other_hear(struct other *o, int fd)
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

static inline void hang_up(int fd)
{
    const struct linger now = {.l_onoff = 1, .l_linger = 0};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close(fd);
}

/* One answer, then the end. */
static inline void serve_one(struct other *o)
{
    const int fd = other_accept(o);

    assert_true(other_hear(o, fd));
    net_send(fd, o->answer);
    close(fd);
}

static inline void serve_reset(struct other *o)
{
    const int fd = other_accept(o);

    assert_true(other_hear(o, fd));
    net_send(fd, o->answer);
    hang_up(fd);
}

/* ---- our side ---- */

struct us {
    struct gs_http_loop *loop;
    struct gs_upstream *up;
};

/* One request and what came of it; zeroed before use. The hooks are called last in its sinks. */
struct talk {
    struct us *us;
    struct gs_upstream_call *call;
    void (*at_head)(struct talk *t), (*at_bytes)(struct talk *t), (*at_end)(struct talk *t);
    bool counts_only; /* the body is not kept */
    size_t n_bytes;
    int n_heads, n_ends, status;
    size_t n_pieces;
    char type[64]; /* content-type */
    struct gs_buf body;
    struct gs_upstream_end end;
};

static inline int open_us(void **state)
{
    static struct us us;
    struct gs_upstream_options opt;

    gs_upstream_options_init(&opt);
    opt.wants_http2 = true;
    assert_int_equal(gs_http_loop_create(&us.loop, NULL), GS_OK);
    assert_int_equal(gs_upstream_create(us.loop, &opt, &us.up, NULL), GS_OK);
    *state = &us;
    return 0;
}

static inline int close_us(void **state)
{
    struct us *us = *state;

    gs_upstream_free(us->up);
    gs_http_loop_free(us->loop);
    return 0;
}

static inline void on_head(void *ud, const struct gs_upstream_head *head)
{
    struct talk *t = ud;
    const struct gs_slice type = gs_upstream_head_get(head, "content-type");

    t->n_heads++;
    t->status = head->status;
    snprintf(t->type, sizeof(t->type), "%.*s", (int)type.len, type.ptr ? type.ptr : "");
    if (t->at_head)
        t->at_head(t);
}

static inline void on_bytes(void *ud, struct gs_slice bytes)
{
    struct talk *t = ud;

    assert_int_equal(t->n_heads, 1);
    assert_int_equal(t->n_ends, 0);
    t->n_pieces++;
    t->n_bytes += bytes.len;
    if (!t->counts_only)
        gs_buf_slice(&t->body, bytes);
    if (t->at_bytes)
        t->at_bytes(t);
}

static inline void on_end(void *ud, const struct gs_upstream_end *end)
{
    struct talk *t = ud;

    t->n_ends++;
    t->end = *end;
    if (t->at_end)
        t->at_end(t);
    else
        gs_http_loop_break(t->us->loop);
}

static inline void talk_clear(struct talk *t)
{
    gs_upstream_call_free(t->call);
    gs_buf_clear(&t->body);
    *t = (struct talk){0};
}

static inline void talk_begin(struct us *us, struct talk *t, const struct gs_upstream_request *r)
{
    const struct gs_upstream_sink sink = {
        .ud = t, .on_head = on_head, .on_bytes = on_bytes, .on_end = on_end};
    struct gs_error err = {0};

    t->us = us;
    gs_buf_init(&t->body, MAX_BODY_BYTES);
    if (gs_upstream_call_create(us->up, r, &sink, &t->call, &err) != GS_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(t->n_heads + t->n_ends, 0);
}

/* A request from beginning to end. */
static inline void talk(struct us *us, struct talk *t, const struct gs_upstream_request *r)
{
    talk_begin(us, t, r);
    assert_int_equal(gs_http_loop_run(us->loop, NULL), GS_OK);
    assert_int_equal(t->n_ends, 1);
}

static inline const char *url_of(const struct other *o, const char *path)
{
    static char url[256];

    snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", o->port, path);
    return url;
}

static const struct gs_upstream_header test_headers[] = {
    {{"Content-Type", 12}, {"application/json", 16}},
    {{"Authorization", 13}, {"Bearer sk-secret", 16}},
    {{"X-Empty", 7}, {"", 0}},
    {{"Host", 4}, {"elsewhere", 9}},
};

static inline struct gs_upstream_request post(const char *url, struct gs_slice body)
{
    return (struct gs_upstream_request){.method = "POST",
                                        .url = url,
                                        .headers = test_headers,
                                        .n_headers = GS_COUNT_OF(test_headers),
                                        .body = body,
                                        .connect_ms = 5000,
                                        .headers_ms = 5000,
                                        .total_ms = 20000};
}

#define OK_HEAD  "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
#define OK_HELLO OK_HEAD "Content-Length: 5\r\n\r\nhello"

static inline void check_fault(const struct talk *t, enum gs_fault fault, const char *msg)
{
    if (t->end.fault != fault || !strstr(t->end.err.msg, msg))
        fail_msg("expected %s \"%s\", found %s: %s", gs_fault_word(fault), msg,
                 gs_fault_word(t->end.fault), t->end.err.msg);
    assert_null(strstr(t->end.err.msg, "secret"));
}

#endif
