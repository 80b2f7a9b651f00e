/* One thread and epoll; requests are small or few enough to be sent in one blocking call. Of
 * answers it is looked at where they end and, in streams, at the stamps of bench_mock.h. */
#include "bench_load.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
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
#include "base/slice.h"
#include "bench_mock.h"

#define MAX_EVENTS     256
#define MAX_HEAD_BYTES 8192
#define READ_BYTES     ((size_t)64 << 10)

enum phase { HEAD, BODY, CHUNK_SIZE, CHUNK, CHUNK_END, TRAILER, DONE, BROKEN };

struct client {
    int fd;
    enum phase phase;
    char head[MAX_HEAD_BYTES + 1];
    size_t n_head;  /* bytes of it; of a trailer's line */
    uint64_t left;  /* bytes of the body or chunk */
    size_t n_stamp; /* bytes of a stamp that were seen */
    int64_t stamp_ns;
    int64_t sent_ns;
    bool has_frame;
};

struct samples {
    int64_t *ns;
    size_t n, cap;
};

struct run {
    const struct gs_bench_load *load;
    int epoll;
    struct client *clients;
    struct gs_buf request;
    int64_t from_ns, until_ns; /* what is counted */
    struct samples whole, first, late;
    uint64_t n_bytes;
    size_t n_failed;
};

/* ---- samples ---- */

static void add(const struct run *r, struct samples *s, int64_t now_ns, int64_t ns)
{
    if (now_ns < r->from_ns || now_ns >= r->until_ns)
        return;
    if (s->n == s->cap) {
        const size_t cap = s->cap ? 2 * s->cap : 65536;
        int64_t *const more = gs_realloc(s->ns, cap * sizeof(*more));
        if (!more)
            return;
        s->ns = more;
        s->cap = cap;
    }
    s->ns[s->n++] = ns;
}

static int by_value(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a;
    const int64_t y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static void print_samples(struct samples *s, const char *name)
{
    if (s->n > 0)
        qsort(s->ns, s->n, sizeof(*s->ns), by_value);
    for (int i = 0; s->n > 0 && i < 3; i++) {
        static const struct {
            const char *name;
            double share;
        } points[] = {{"p50", 0.5}, {"p99", 0.99}, {"max", 1.0}};
        const size_t at = GS_MIN(s->n - 1, (size_t)((double)s->n * points[i].share));
        printf(",\"%s_%s_us\":%.1f", name, points[i].name, (double)s->ns[at] / 1e3);
    }
    gs_free(s->ns);
}

/* ---- requests ---- */

static bool write_request(struct run *r)
{
    const struct gs_bench_load *l = r->load;
    struct gs_buf body;

    gs_buf_init(&body, (size_t)32 << 20);
    gs_buf_init(&r->request, (size_t)32 << 20);
    gs_buf_printf(&body,
                  "{\"model\":\"%s\",\"max_tokens\":100000,%s\"messages\":[{\"role\":\"user\","
                  "\"content\":\"Good morning.",
                  l->model, l->is_streamed ? "\"stream\":true," : "");
    for (long i = 0; i < l->prompt_bytes / 8; i++)
        gs_buf_printf(&body, " %07ld", i % 10000000);
    gs_buf_puts(&body, "\"}]}");
    gs_buf_printf(&r->request,
                  "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\n"
                  "%sContent-Length: %zu\r\n\r\n",
                  l->path, l->port, l->headers, body.len);
    gs_buf_slice(&r->request, gs_buf_view(&body));
    const bool is_whole = gs_buf_ok(&body) && gs_buf_ok(&r->request);
    gs_buf_clear(&body);
    return is_whole;
}

static void ask(struct run *r, struct client *c)
{
    c->phase = HEAD;
    c->n_head = 0;
    c->n_stamp = 0;
    c->has_frame = false;
    c->sent_ns = gs_bench_now_ns();
    if (send(c->fd, r->request.ptr, r->request.len, MSG_NOSIGNAL) != (ssize_t)r->request.len)
        c->phase = BROKEN;
}

static bool client_connect(struct run *r, struct client *c)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)r->load->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};
    const int yes = 1;

    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof(to)) != 0 ||
        (!r->load->never_reads && epoll_ctl(r->epoll, EPOLL_CTL_ADD, c->fd, &ev) != 0))
        return false;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    ask(r, c);
    return c->phase != BROKEN;
}

/* ---- answers ---- */

/* The value of a header in a head that ends in a zero byte; NULL: it has none. */
static const char *header(const char *head, const char *name)
{
    for (const char *line = strstr(head, "\r\n"); line; line = strstr(line + 2, "\r\n"))
        if (strncasecmp(line + 2, name, strlen(name)) == 0 && line[2 + strlen(name)] == ':')
            return line + 3 + strlen(name);
    return NULL;
}

static void end_head(struct client *c)
{
    c->head[c->n_head] = '\0';
    const char *const bytes = header(c->head, "content-length");

    if (strncmp(c->head, "HTTP/1.1 200 ", 13) != 0) {
        c->phase = BROKEN;
    } else if (bytes) {
        c->left = strtoull(bytes, NULL, 10);
        c->phase = c->left ? BODY : DONE;
    } else {
        c->left = 0;
        c->phase = header(c->head, "transfer-encoding") ? CHUNK_SIZE : BROKEN;
    }
}

static size_t read_head(struct client *c, const char *p, size_t n)
{
    const size_t before = c->n_head;
    const size_t copied = GS_MIN(n, MAX_HEAD_BYTES - c->n_head);

    memcpy(c->head + before, p, copied);
    c->n_head += copied;
    const char *const end = memmem(c->head, c->n_head, "\r\n\r\n", 4);
    if (!end) {
        c->phase = c->n_head == MAX_HEAD_BYTES ? BROKEN : HEAD;
        return copied;
    }
    c->n_head = (size_t)(end - c->head) + 4;
    const size_t used = c->n_head - before;
    end_head(c);
    return used;
}

static void found_stamp(struct run *r, struct client *c)
{
    const int64_t now_ns = gs_bench_now_ns();

    if (!c->has_frame)
        add(r, &r->first, now_ns, now_ns - c->sent_ns);
    c->has_frame = true;
    add(r, &r->late, now_ns, now_ns - c->stamp_ns);
}

/* Stamps may be cut anywhere. */
static void read_stamps(struct run *r, struct client *c, const char *p, size_t n)
{
    static const char mark[] = GS_BENCH_STAMP;
    const size_t n_mark = sizeof(mark) - 1;

    for (size_t i = 0; i < n; i++) {
        if (c->n_stamp < n_mark) {
            c->n_stamp = p[i] == mark[c->n_stamp] ? c->n_stamp + 1 : p[i] == mark[0];
            c->stamp_ns = 0;
        } else if (p[i] < '0' || p[i] > '9') {
            c->n_stamp = 0;
        } else {
            c->stamp_ns = 10 * c->stamp_ns + (p[i] - '0');
            if (++c->n_stamp == n_mark + GS_BENCH_STAMP_DIGITS) {
                found_stamp(r, c);
                c->n_stamp = 0;
            }
        }
    }
}

static size_t read_data(struct run *r, struct client *c, const char *p, size_t n)
{
    const size_t used = (size_t)GS_MIN((uint64_t)n, c->left);

    if (r->load->is_streamed)
        read_stamps(r, c, p, used);
    c->left -= used;
    if (c->left == 0)
        c->phase = c->phase == BODY ? DONE : CHUNK_END;
    return used;
}

static unsigned hex(char ch)
{
    return (unsigned)(ch <= '9' ? ch - '0' : (ch | 0x20) - 'a' + 10);
}

/* A byte of what stands between the data of chunks. */
static void read_framing(struct client *c, char ch)
{
    if (c->phase == CHUNK_END) {
        c->phase = ch == '\n' ? CHUNK_SIZE : CHUNK_END;
    } else if (c->phase == TRAILER) {
        c->n_head += ch != '\r' && ch != '\n';
        if (ch == '\n')
            c->phase = c->n_head == 0 ? DONE : TRAILER;
        if (ch == '\n')
            c->n_head = 0;
    } else if (ch == '\n') {
        c->phase = c->left > 0 ? CHUNK : TRAILER;
        c->n_head = 0;
    } else if (ch != '\r') {
        c->left = 16 * c->left + hex(ch);
    }
}

static void feed(struct run *r, struct client *c, const char *p, size_t n)
{
    while (n > 0 && c->phase < DONE) {
        size_t used = 1;
        if (c->phase == HEAD)
            used = read_head(c, p, n);
        else if (c->phase == BODY || c->phase == CHUNK)
            used = read_data(r, c, p, n);
        else
            read_framing(c, *p);
        p += used;
        n -= used;
    }
}

/* So that processors fall asleep between requests. */
static void rest(const struct run *r)
{
    const struct timespec pause = {.tv_sec = r->load->pause_us / 1000000,
                                   .tv_nsec = r->load->pause_us % 1000000 * 1000};

    if (r->load->pause_us > 0)
        nanosleep(&pause, NULL);
}

static bool on_ready(struct run *r, struct client *c)
{
    char bytes[READ_BYTES];
    const ssize_t n = recv(c->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

    if (n > 0) {
        feed(r, c, bytes, (size_t)n);
        r->n_bytes += (uint64_t)n;
    }
    if (c->phase == DONE) {
        const int64_t now_ns = gs_bench_now_ns();
        add(r, &r->whole, now_ns, now_ns - c->sent_ns);
        rest(r);
        ask(r, c);
    }
    if (n > 0 && c->phase != BROKEN)
        return true;
    r->n_failed++;
    close(c->fd);
    return client_connect(r, c);
}

/* ---- the run ---- */

static bool answer_all(struct run *r)
{
    struct epoll_event evs[MAX_EVENTS];

    for (;;) {
        const int64_t left_ns = r->until_ns - gs_bench_now_ns();
        if (left_ns <= 0)
            return true;
        const int n = epoll_wait(r->epoll, evs, MAX_EVENTS, (int)(left_ns / 1000000) + 1);
        for (int i = 0; i < n; i++)
            if (!on_ready(r, evs[i].data.ptr))
                return false;
    }
}

static bool run_all(struct run *r)
{
    const struct gs_bench_load *l = r->load;

    r->epoll = epoll_create1(EPOLL_CLOEXEC);
    r->clients = gs_alloc_array((size_t)l->n_clients, sizeof(*r->clients));
    if (r->epoll < 0 || !r->clients || !write_request(r))
        return false;
    r->from_ns = gs_bench_now_ns() + (int64_t)(l->warm_s * 1e9);
    r->until_ns = r->from_ns + (int64_t)(l->seconds * 1e9);
    for (long i = 0; i < l->n_clients; i++)
        if (!client_connect(r, &r->clients[i]))
            return false;
    return answer_all(r);
}

int gs_bench_load_run(const struct gs_bench_load *load)
{
    struct run r = {.load = load};
    const bool ok = run_all(&r);

    if (!ok) {
        perror("genset-bench-gateway: load");
    } else {
        printf("{\"answers\":%zu,\"failed\":%zu,\"frames\":%zu,\"per_s\":%.1f,"
               "\"frames_per_s\":%.1f,\"bytes\":%llu",
               r.whole.n, r.n_failed, r.late.n, (double)r.whole.n / load->seconds,
               (double)r.late.n / load->seconds, (unsigned long long)r.n_bytes);
        print_samples(&r.whole, "whole");
        print_samples(&r.first, "first");
        print_samples(&r.late, "late");
        printf("}\n");
    }
    gs_buf_clear(&r.request);
    gs_free(r.clients);
    return ok ? 0 : 1;
}
