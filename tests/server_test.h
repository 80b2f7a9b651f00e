/* A server with scripted answers (fake_backend.h) on a free port, and requests to it. */
#ifndef GS_TESTS_SERVER_TEST_H
#define GS_TESTS_SERVER_TEST_H

#include <stdio.h>

#include "base/thread.h"
#include "fake_backend.h"
#include "net_test.h"

struct fixture {
    struct fake fake;
    struct gs_server_options opt;
    struct gs_server *server;
    pthread_t thread;
    int port;
};

static inline void run(void *arg)
{
    struct fixture *f = arg;

    assert_int_equal(gs_server_run(f->server, NULL), GS_OK);
}

static inline void prepare(struct fixture *f)
{
    gs_server_options_init(&f->opt);
    f->opt.port = 0;
    f->opt.grace_ms = 0;
    fake_init(&f->fake, &f->opt.backend);
}

static inline void start(struct fixture *f)
{
    struct gs_error err;

    if (gs_server_create(&f->opt, &f->server, &err) != GS_OK)
        fail_msg("%s", err.msg);
    f->port = gs_server_port(f->server);
    assert_int_equal(gs_thread_start(&f->thread, GS_THREAD_LOOP, run, f, NULL), GS_OK);
}

static inline void join(struct fixture *f)
{
    pthread_join(f->thread, NULL);
    gs_server_free(f->server);
    fake_clear(&f->fake);
}

static inline void finish(struct fixture *f)
{
    gs_server_stop(f->server);
    join(f);
}

/* ---- requests ---- */

static inline void send_post(int fd, const char *path, const char *headers, const char *body)
{
    char text[2048];

    snprintf(text, sizeof(text),
             "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n%s"
             "Content-Length: %zu\r\n\r\n%s",
             path, headers, strlen(body), body);
    net_send(fd, text);
}

/* A chat with the model `script`. */
static inline void send_chat(int fd, const char *path, const char *script, bool stream)
{
    char body[512];

    snprintf(body, sizeof(body),
             "{\"model\":\"%s\",\"stream\":%s,\"max_tokens\":9,\"prompt\":\"hi\","
             "\"stream_options\":{\"include_usage\":true},\"input\":\"hi\","
             "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}",
             script, stream ? "true" : "false");
    send_post(fd, path, "Connection: close\r\n", body);
}

static inline enum net_end chat(struct fixture *f, const char *path, const char *script,
                                bool stream, struct gs_buf *out)
{
    const int fd = net_connect(f->port);

    gs_buf_init(out, 64 << 20);
    send_chat(fd, path, script, stream);
    const enum net_end end = net_read_all(fd, out);
    close(fd);
    return end;
}

/* Send `request` (a head without the empty line) and expect each of `marks`, NULL at the end. */
static inline void expect(struct fixture *f, const char *request, const char *const *marks)
{
    const int fd = net_connect(f->port);
    char text[2048];
    struct gs_buf out;

    gs_buf_init(&out, 1 << 20);
    snprintf(text, sizeof(text), "%sConnection: close\r\n\r\n", request);
    net_send(fd, text);
    net_read_all(fd, &out);
    for (; *marks; marks++) {
        if (!net_has(&out, *marks))
            fail_msg("%s\nhas no \"%s\" in\n%.*s", request, *marks, (int)out.len, out.ptr);
    }
    gs_buf_clear(&out);
    close(fd);
}

#define EXPECT(f, request, ...) expect(f, request, (const char *const[]){__VA_ARGS__, NULL})

#define ANTHROPIC "/v1/messages"
#define OPENAI    "/v1/chat/completions"
#define RESPONSES "/v1/responses"
#define OLLAMA    "/api/chat"

#endif
