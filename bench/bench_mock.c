/* One thread and epoll. What is due is looked for once a millisecond; a client that does not read
 * holds OUT_BYTES of its answer here. */
#include "bench_mock.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/rng.h"
#include "base/slice.h"

#define MAX_REQUEST_BYTES ((size_t)32 << 20)
#define OUT_BYTES         ((size_t)64 << 10)
#define MAX_EVENTS        256
#define MAX_TEXT_BYTES    4096
#define TICK_NS           1000000

struct api {
    const char *path, *whole, *begin, *before, *after, *end;
};

/* By what the path ends in; a frame's text goes between `before` and `after`. */
static const struct api apis[] = {
    {
        .path = "/chat/completions",
        .whole = "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":1700000000,"
                 "\"model\":\"mock\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
                 "\"content\":\"Good day.\"},\"finish_reason\":\"stop\"}],\"usage\":{"
                 "\"prompt_tokens\":9,\"completion_tokens\":3,\"total_tokens\":12}}",
        .begin = "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":"
                 "1700000000,\"model\":\"mock\",\"choices\":[{\"index\":0,\"delta\":{\"role\":"
                 "\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n",
        .before = "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":"
                  "1700000000,\"model\":\"mock\",\"choices\":[{\"index\":0,\"delta\":{"
                  "\"content\":\"",
        .after = "\"},\"finish_reason\":null}]}\n\n",
        .end = "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":"
               "1700000000,\"model\":\"mock\",\"choices\":[{\"index\":0,\"delta\":{},"
               "\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
    },
    {
        .path = "/messages",
        .whole = "{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"mock\","
                 "\"content\":[{\"type\":\"text\",\"text\":\"Good day.\"}],\"stop_reason\":"
                 "\"end_turn\",\"stop_sequence\":null,\"usage\":{\"input_tokens\":9,"
                 "\"output_tokens\":3}}",
        .begin = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":"
                 "\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"mock\","
                 "\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{"
                 "\"input_tokens\":9,\"output_tokens\":1}}}\n\nevent: content_block_start\ndata: "
                 "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":"
                 "\"text\",\"text\":\"\"}}\n\n",
        .before = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,"
                  "\"delta\":{\"type\":\"text_delta\",\"text\":\"",
        .after = "\"}}\n\n",
        .end = "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n"
               "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":"
               "\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":3}}\n\n"
               "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
    },
};

struct conn {
    struct conn *next, *prev;
    int fd;
    bool wants_out, is_dead;
    struct gs_buf in, out;
    size_t out_sent;
    const struct api *api;
    long n_left; /* frames of the stream; 0: none is due */
    int64_t pace_ns, due_ns;
    size_t text_bytes;
};

struct mock {
    int epoll, listener;
    struct conn *conns;
    size_t n_paced; /* streams under way that have a pace */
    struct gs_rng rng;
};

int64_t gs_bench_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ---- connections ---- */

static void watch(const struct mock *m, struct conn *c, bool out)
{
    struct epoll_event ev = {.events = EPOLLIN | (out ? EPOLLOUT : 0U), .data.ptr = c};

    if (out != c->wants_out)
        epoll_ctl(m->epoll, EPOLL_CTL_MOD, c->fd, &ev);
    c->wants_out = out;
}

static void conn_open(struct mock *m)
{
    const int fd = accept4(m->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct conn *c = fd < 0 ? NULL : gs_alloc_zero(sizeof(*c));
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};
    const int yes = 1;

    if (!c || epoll_ctl(m->epoll, EPOLL_CTL_ADD, fd, &ev) != 0) {
        gs_free(c);
        if (fd >= 0)
            close(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    c->fd = fd;
    gs_buf_init(&c->in, MAX_REQUEST_BYTES);
    gs_buf_init(&c->out, 4 * OUT_BYTES);
    c->next = m->conns;
    if (c->next)
        c->next->prev = c;
    m->conns = c;
}

static void conn_free(struct mock *m, struct conn *c)
{
    m->n_paced -= c->n_left > 0 && c->pace_ns;
    *(c->prev ? &c->prev->next : &m->conns) = c->next;
    if (c->next)
        c->next->prev = c->prev;
    close(c->fd);
    gs_buf_clear(&c->in);
    gs_buf_clear(&c->out);
    gs_free(c);
}

/* ---- answers ---- */

static void put_chunk(struct conn *c, const char *a, const char *b, size_t n, const char *z)
{
    gs_buf_printf(&c->out, "%zx\r\n", strlen(a) + n + strlen(z));
    gs_buf_puts(&c->out, a);
    gs_buf_put(&c->out, b, n);
    gs_buf_puts(&c->out, z);
    gs_buf_puts(&c->out, "\r\n");
}

static void put_frame(struct mock *m, struct conn *c, int64_t due_ns)
{
    char text[MAX_TEXT_BYTES + 1];
    size_t n = (size_t)snprintf(text, sizeof(text), GS_BENCH_STAMP "%0*lld ", GS_BENCH_STAMP_DIGITS,
                                (long long)due_ns);

    while (n < c->text_bytes)
        text[n++] = (char)('a' + gs_rng_u64(&m->rng) % 26);
    put_chunk(c, c->api->before, text, n, c->api->after);
}

/* Write what is due, as far as there is room. */
static void produce(struct mock *m, struct conn *c, int64_t now_ns)
{
    while (c->n_left > 0 && c->out.len < OUT_BYTES && (c->pace_ns == 0 || c->due_ns <= now_ns)) {
        put_frame(m, c, c->pace_ns ? c->due_ns : now_ns);
        c->due_ns += c->pace_ns;
        if (--c->n_left == 0) {
            m->n_paced -= c->pace_ns > 0;
            put_chunk(c, c->api->end, "", 0, "");
            gs_buf_puts(&c->out, "0\r\n\r\n");
        }
    }
}

static void answer_whole(struct conn *c)
{
    gs_buf_printf(&c->out,
                  "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                  "Content-Length: %zu\r\n\r\n",
                  strlen(c->api->whole));
    gs_buf_puts(&c->out, c->api->whole);
}

/* The numbers behind "mock" that the model's name has; false: it has none. */
static bool read_model(struct gs_slice body, long numbers[3])
{
    static const char mark[] = "\"mock-";
    const char *at = memmem(body.ptr, body.len, mark, sizeof(mark) - 1);

    if (!at)
        return false;
    at += sizeof(mark) - 2;
    for (int i = 0; i < 3; i++) {
        char *end;
        numbers[i] = *at == '-' ? strtol(at + 1, &end, 10) : -1;
        if (numbers[i] < 0)
            return false;
        at = end;
    }
    return true;
}

static void answer(struct mock *m, struct conn *c, struct gs_slice body)
{
    long numbers[3];

    if (!read_model(body, numbers)) {
        answer_whole(c);
        return;
    }
    c->n_left = numbers[0];
    c->pace_ns = (int64_t)numbers[1] * 1000;
    c->text_bytes = (size_t)GS_MIN(numbers[2], MAX_TEXT_BYTES);
    c->due_ns = gs_bench_now_ns();
    m->n_paced += c->n_left > 0 && c->pace_ns;
    gs_buf_puts(&c->out, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                         "Transfer-Encoding: chunked\r\n\r\n");
    put_chunk(c, c->api->begin, "", 0, "");
    produce(m, c, c->due_ns);
}

/* ---- requests ---- */

/* The value of Content-Length in a head that ends in a zero byte. */
static size_t body_bytes(const char *head)
{
    for (const char *line = head; line; line = strstr(line, "\r\n")) {
        line += line == head ? 0 : 2;
        if (strncasecmp(line, "content-length:", 15) == 0)
            return (size_t)strtoul(line + 15, NULL, 10);
    }
    return 0;
}

static const struct api *find_api(struct gs_slice head)
{
    for (size_t i = 0; i < GS_COUNT_OF(apis); i++)
        if (memmem(head.ptr, head.len, apis[i].path, strlen(apis[i].path)))
            return &apis[i];
    return NULL;
}

/* Answer the request that is there whole; false: none is, or it is nothing for us. */
static bool take_request(struct mock *m, struct conn *c)
{
    char *const end = c->in.len ? memmem(c->in.ptr, c->in.len, "\r\n\r\n", 4) : NULL;

    if (!end)
        return false;
    const size_t head_len = (size_t)(end - c->in.ptr) + 4;
    end[2] = '\0';
    const size_t n = body_bytes(c->in.ptr);
    end[2] = '\r';
    if (c->in.len - head_len < n)
        return false;
    c->api = find_api(gs_slice(c->in.ptr, head_len));
    c->is_dead = !c->api;
    if (c->api)
        answer(m, c, gs_slice(c->in.ptr + head_len, n));
    gs_buf_consume(&c->in, head_len + n);
    return c->api;
}

static void conn_read(struct mock *m, struct conn *c)
{
    char *const to = gs_buf_reserve(&c->in, OUT_BYTES);
    const ssize_t n = to ? recv(c->fd, to, OUT_BYTES, 0) : 0;

    if (n <= 0) {
        c->is_dead = true;
        return;
    }
    gs_buf_grow(&c->in, (size_t)n);
    while (!c->is_dead && c->n_left == 0 && take_request(m, c))
        ;
}

static void conn_write(struct mock *m, struct conn *c)
{
    while (!c->is_dead && c->out.len > c->out_sent) {
        const ssize_t n =
            send(c->fd, c->out.ptr + c->out_sent, c->out.len - c->out_sent, MSG_NOSIGNAL);
        if (n < 0) {
            watch(m, c, true);
            return;
        }
        c->out_sent += (size_t)n;
        if (c->out_sent == c->out.len) {
            gs_buf_reset(&c->out);
            c->out_sent = 0;
            produce(m, c, gs_bench_now_ns());
        }
    }
    watch(m, c, false);
}

/* ---- the loop ---- */

static void tick(struct mock *m, int64_t now_ns)
{
    for (struct conn *c = m->conns; c; c = c->next) {
        if (c->n_left > 0 && c->pace_ns && c->due_ns <= now_ns && !c->wants_out) {
            produce(m, c, now_ns);
            conn_write(m, c);
        }
    }
}

int gs_bench_listen(int *out_port)
{
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);

    if (fd < 0 || bind(fd, (struct sockaddr *)&at, len) != 0 || listen(fd, 4096) != 0 ||
        getsockname(fd, (struct sockaddr *)&at, &len) != 0)
        return -1;
    *out_port = ntohs(at.sin_port);
    return fd;
}

static void on_event(struct mock *m, struct conn *c, uint32_t events)
{
    if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
        conn_read(m, c);
    conn_write(m, c);
    if (c->is_dead)
        conn_free(m, c);
}

static void serve(struct mock *m)
{
    struct epoll_event evs[MAX_EVENTS];
    int64_t ticked_ns = 0;

    for (;;) {
        const int n = epoll_wait(m->epoll, evs, MAX_EVENTS, m->n_paced > 0 ? 1 : -1);
        for (int i = 0; i < n; i++) {
            if (!evs[i].data.ptr)
                return; /* the end of standard input */
            if (evs[i].data.ptr == m)
                conn_open(m);
            else
                on_event(m, evs[i].data.ptr, evs[i].events);
        }
        const int64_t now_ns = gs_bench_now_ns();
        if (now_ns - ticked_ns >= TICK_NS) {
            ticked_ns = now_ns;
            tick(m, now_ns);
        }
    }
}

int gs_bench_mock(void)
{
    struct mock m = {.epoll = epoll_create1(EPOLL_CLOEXEC)};
    struct epoll_event input = {.events = EPOLLIN | EPOLLHUP, .data.ptr = NULL};
    struct epoll_event listener = {.events = EPOLLIN, .data.ptr = &m};
    int port;

    gs_rng_seed(&m.rng, 1);
    m.listener = gs_bench_listen(&port);
    if (m.epoll < 0 || m.listener < 0 || epoll_ctl(m.epoll, EPOLL_CTL_ADD, 0, &input) != 0 ||
        epoll_ctl(m.epoll, EPOLL_CTL_ADD, m.listener, &listener) != 0) {
        perror("genset-bench-gateway: mock");
        return 1;
    }
    printf("%d\n", port);
    fflush(stdout);
    serve(&m);
    while (m.conns)
        conn_free(&m, m.conns);
    close(m.listener);
    close(m.epoll);
    return 0;
}
