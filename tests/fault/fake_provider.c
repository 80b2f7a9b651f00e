/* The fake provider's sockets: one thread, epoll, timers in a heap. The control port answers
 *
 *   POST /control           {"script": "500,ok", "default": "ok", "listen": false, "pace_ms": 5,
 *                            "go": true, "forget": true}, all optional
 *   GET /control/requests   [{"fault", "connection", "nth", "head", "body", "sent", "gone"}, ...]
 *   GET /control/counts     {"connections", "open", "requests", "gone", "held", "flowing"}
 *   GET /control/wait?gone=1     the same, once there are so many */
#include "fake_provider.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/slice.h"
#include "fake_answer.h"
#include "json/json.h"

#define OUT_BYTES      ((size_t)64 << 10)
#define MAX_IN_BYTES   ((size_t)128 << 20)
#define MAX_SENT_BYTES ((size_t)1 << 20)
#define MAX_ROUNDS     16 /* of OUT_BYTES, before others have their turn */
#define PACED_US       10000
#define DRIP_US        800000
#define MAX_EVENTS     64
#define ATTEMPT_MODELS 1024
#define BACKLOG        1024

/* What was asked, and what went out. */
struct record {
    struct gs_buf head, body, sent;
    char fault[96];
    size_t connection, nth;
    bool is_gone;
};

struct conn {
    struct conn *next, **link;
    struct fake_provider *provider;
    int fd;
    SSL *ssl;
    bool is_control, is_shaking, is_answering, is_held, is_stalled, is_ended, is_told;
    size_t number, n_requests;
    struct gs_buf in, out;
    struct gs_slice split; /* of the step that leaves byte by byte */
    struct fake_plan plan;
    size_t step;
    int64_t n_repeats; /* of the step, so far */
    size_t record;     /* SIZE_MAX: none */
    int64_t due_us;
    size_t heap_at; /* SIZE_MAX: not in the heap */
    int wait_for;   /* control: enum fake_provider_count, or -1 */
    size_t wait_n;
};

struct attempt {
    char model[128];
    int n;
};

struct fake_provider {
    pthread_t thread;
    pthread_mutex_t lock; /* all below, up to the line */
    pthread_cond_t changed;
    char script[1024], usual[96];
    bool listens, goes, stops;
    size_t n_orders, n_obeyed;
    size_t counts[FAKE_N_COUNTS];
    struct record **records;
    size_t n_records, cap_records;
    struct attempt attempts[ATTEMPT_MODELS];
    size_t n_attempts;
    /* ---- the thread's own ---- */
    int epoll, wake, timer, listener, control;
    int port, control_port, place;
    bool forgets;
    atomic_int pace_ms;
    size_t n_accepted;
    SSL_CTX *tls;
    struct conn *conns;
    struct conn **heap; /* by due_us */
    size_t n_heap, cap_heap;
    uint64_t n_numbers;
};

/* ---- timers ---- */

static void heap_set(struct fake_provider *p, size_t at, struct conn *c)
{
    p->heap[at] = c;
    c->heap_at = at;
}

static void heap_up(struct fake_provider *p, size_t at)
{
    struct conn *c = p->heap[at];

    for (; at > 0 && p->heap[(at - 1) / 2]->due_us > c->due_us; at = (at - 1) / 2)
        heap_set(p, at, p->heap[(at - 1) / 2]);
    heap_set(p, at, c);
}

static void heap_down(struct fake_provider *p, size_t at)
{
    struct conn *c = p->heap[at];

    for (;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < p->n_heap && p->heap[child + 1]->due_us < p->heap[child]->due_us)
            child++;
        if (child >= p->n_heap || p->heap[child]->due_us >= c->due_us)
            break;
        heap_set(p, at, p->heap[child]);
        at = child;
    }
    heap_set(p, at, c);
}

static void timer_remove(struct fake_provider *p, struct conn *c)
{
    const size_t at = c->heap_at;

    if (at == SIZE_MAX)
        return;
    c->heap_at = SIZE_MAX;
    if (at == --p->n_heap)
        return;
    heap_set(p, at, p->heap[p->n_heap]);
    heap_up(p, at);
    heap_down(p, p->heap[at]->heap_at);
}

static void timer_set(struct fake_provider *p, struct conn *c, int64_t us)
{
    if (p->n_heap == p->cap_heap) {
        p->cap_heap = p->cap_heap ? 2 * p->cap_heap : 64;
        p->heap = realloc(p->heap, p->cap_heap * sizeof(struct conn *));
        if (!p->heap)
            abort();
    }
    c->due_us = gs_clock_mono_us() + us;
    heap_set(p, p->n_heap, c);
    heap_up(p, p->n_heap++);
}

static void timer_arm(struct fake_provider *p)
{
    const int64_t us = p->n_heap ? p->heap[0]->due_us : 0;
    const struct itimerspec spec = {
        .it_value = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000}};

    timerfd_settime(p->timer, TFD_TIMER_ABSTIME, &spec, NULL);
}

/* ---- records and counts; the lock is held where it says so ---- */

static void count(struct fake_provider *p, enum fake_provider_count what, size_t n)
{
    pthread_mutex_lock(&p->lock);
    p->counts[what] += n;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
}

/* locked */
static struct record *record_add(struct fake_provider *p)
{
    struct record *r = calloc(1, sizeof(*r));

    if (p->n_records == p->cap_records) {
        p->cap_records = p->cap_records ? 2 * p->cap_records : 64;
        p->records = realloc(p->records, p->cap_records * sizeof(struct record *));
    }
    if (!r || !p->records)
        abort();
    gs_buf_init(&r->head, MAX_IN_BYTES);
    gs_buf_init(&r->body, MAX_IN_BYTES);
    gs_buf_init(&r->sent, MAX_IN_BYTES);
    p->records[p->n_records++] = r;
    return r;
}

/* locked */
static void records_clear(struct fake_provider *p)
{
    for (size_t i = 0; i < p->n_records; i++) {
        gs_buf_clear(&p->records[i]->head);
        gs_buf_clear(&p->records[i]->body);
        gs_buf_clear(&p->records[i]->sent);
        free(p->records[i]);
    }
    p->n_records = 0;
}

static void note_sent(struct conn *c, struct gs_slice bytes)
{
    struct fake_provider *p = c->provider;

    if (c->record == SIZE_MAX)
        return;
    pthread_mutex_lock(&p->lock);
    if (c->record < p->n_records && p->records[c->record]->sent.len < MAX_SENT_BYTES)
        gs_buf_slice(&p->records[c->record]->sent, bytes);
    pthread_mutex_unlock(&p->lock);
}

/* ---- which fault ---- */

/* locked; how often this model was asked for before. */
static int attempts_of(struct fake_provider *p, struct gs_slice model)
{
    for (size_t i = 0; i < p->n_attempts; i++)
        if (gs_slice_eq_str(model, p->attempts[i].model))
            return p->attempts[i].n++;
    if (p->n_attempts == ATTEMPT_MODELS || model.len >= sizeof(p->attempts[0].model))
        return 0;
    struct attempt *a = &p->attempts[p->n_attempts++];
    memcpy(a->model, model.ptr, model.len);
    a->model[model.len] = 0;
    a->n = 1;
    return 0;
}

/* locked; the first word of the script, which is shortened by it. */
static bool next_of_script(struct fake_provider *p, char *out, size_t cap)
{
    const size_t n = strcspn(p->script, ",");

    if (!p->script[0])
        return false;
    snprintf(out, cap, "%.*s", (int)n, p->script);
    memmove(p->script, p->script + n + (p->script[n] == ','),
            strlen(p->script + n + (p->script[n] == ',')) + 1);
    return true;
}

/* locked */
static void choose_fault(struct fake_provider *p, const struct fake_ask *ask, char *out, size_t cap)
{
    const size_t at = gs_slice_find(ask->model, GS_SLICE_LIT("@"), 0);

    if (at != SIZE_MAX) {
        const struct gs_slice all = gs_slice_sub(ask->model, at + 1, ask->model.len);
        const struct gs_slice words =
            gs_slice_sub(all, 0, gs_slice_find(all, GS_SLICE_LIT("#"), 0));
        const struct gs_slice found =
            fake_fault_of_attempt(words, p->place, attempts_of(p, ask->model));
        snprintf(out, cap, "%.*s", (int)found.len, found.ptr ? found.ptr : "");
    } else if (!next_of_script(p, out, cap)) {
        snprintf(out, cap, "%s", p->usual);
    }
}

/* ---- connections ---- */

static void watch(struct conn *c, bool wants_write)
{
    struct epoll_event ev = {.events = EPOLLIN | (wants_write ? (uint32_t)EPOLLOUT : 0),
                             .data = {.ptr = c}};

    epoll_ctl(c->provider->epoll, EPOLL_CTL_MOD, c->fd, &ev);
}

/* A child that is just being started may hold the descriptor for a while, and epoll with it. */
static void remove_fd(struct fake_provider *p, int fd)
{
    epoll_ctl(p->epoll, EPOLL_CTL_DEL, fd, NULL);
    close(fd);
}

static void conn_open(struct fake_provider *p, int listener)
{
    const int fd = accept(listener, NULL, NULL);
    const int on = 1;
    struct conn *c = fd < 0 ? NULL : calloc(1, sizeof(*c));
    struct epoll_event ev = {.events = EPOLLIN, .data = {.ptr = c}};

    if (!c)
        return;
    fcntl(fd, F_SETFL, O_NONBLOCK);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    c->provider = p;
    c->fd = fd;
    c->is_control = listener == p->control;
    c->record = c->heap_at = SIZE_MAX;
    c->wait_for = -1;
    gs_buf_init(&c->in, MAX_IN_BYTES);
    gs_buf_init(&c->out, MAX_IN_BYTES);
    if (p->tls && !c->is_control) {
        c->ssl = SSL_new(p->tls);
        SSL_set_fd(c->ssl, fd);
        c->is_shaking = true;
    }
    if (!c->is_control) {
        count(p, FAKE_CONNECTIONS, 1);
        count(p, FAKE_OPEN, 1);
        c->number = ++p->n_accepted;
    }
    c->next = p->conns;
    c->link = &p->conns;
    if (c->next)
        c->next->link = &c->next;
    p->conns = c;
    epoll_ctl(p->epoll, EPOLL_CTL_ADD, fd, &ev);
}

static void conn_close(struct conn *c, bool resets)
{
    struct fake_provider *p = c->provider;
    const struct linger now = {.l_onoff = 1, .l_linger = 0};

    timer_remove(p, c);
    if (resets)
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    SSL_free(c->ssl);
    remove_fd(p, c->fd);
    if (!c->is_control)
        count(p, FAKE_OPEN, (size_t)-1);
    if (c->is_answering)
        count(p, FAKE_FLOWING, (size_t)-1);
    fake_plan_clear(&c->plan);
    gs_buf_clear(&c->in);
    gs_buf_clear(&c->out);
    *c->link = c->next;
    if (c->next)
        c->next->link = c->link;
    free(c);
}

/* The client left. */
static void conn_lost(struct conn *c)
{
    struct fake_provider *p = c->provider;

    if (c->is_answering && !c->is_ended) {
        pthread_mutex_lock(&p->lock);
        if (c->record < p->n_records)
            p->records[c->record]->is_gone = true;
        p->counts[FAKE_GONE]++;
        pthread_cond_broadcast(&p->changed);
        pthread_mutex_unlock(&p->lock);
    }
    conn_close(c, false);
}

enum io { IO_DONE, IO_AGAIN, IO_GONE };

static enum io conn_send(struct conn *c, const char *bytes, size_t n, size_t *out_n)
{
    if (!c->ssl) {
        const ssize_t sent = send(c->fd, bytes, n, MSG_NOSIGNAL);
        *out_n = sent > 0 ? (size_t)sent : 0;
        return sent >= 0 ? IO_DONE : errno == EAGAIN ? IO_AGAIN : IO_GONE;
    }
    const int sent = SSL_write(c->ssl, bytes, (int)n);
    const int why = sent > 0 ? 0 : SSL_get_error(c->ssl, sent);
    *out_n = sent > 0 ? (size_t)sent : 0;
    return !why                                                        ? IO_DONE
           : why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? IO_AGAIN
                                                                       : IO_GONE;
}

/* Read what there is. */
static enum io conn_receive(struct conn *c)
{
    for (;;) {
        char *room = gs_buf_reserve(&c->in, OUT_BYTES);
        if (!room)
            return IO_GONE;
        if (!c->ssl) {
            const ssize_t n = recv(c->fd, room, OUT_BYTES, 0);
            if (n <= 0)
                return n < 0 && errno == EAGAIN ? IO_AGAIN : IO_GONE;
            gs_buf_grow(&c->in, (size_t)n);
            continue;
        }
        const int n = SSL_read(c->ssl, room, (int)OUT_BYTES);
        if (n <= 0)
            return SSL_get_error(c->ssl, n) == SSL_ERROR_WANT_READ ? IO_AGAIN : IO_GONE;
        gs_buf_grow(&c->in, (size_t)n);
    }
}

/* Send what stands in `out`. */
static enum io conn_flush(struct conn *c)
{
    size_t at = 0;
    enum io io = IO_DONE;

    while (at < c->out.len && io == IO_DONE) {
        size_t n;
        io = conn_send(c, c->out.ptr + at, c->out.len - at, &n);
        at += n;
    }
    gs_buf_consume(&c->out, at);
    return io;
}

/* ---- answering ---- */

static void put_body(struct conn *c, struct gs_slice bytes)
{
    if (bytes.len == 0)
        return;
    if (c->plan.is_chunked)
        gs_buf_printf(&c->out, "%zx\r\n", bytes.len);
    gs_buf_slice(&c->out, bytes);
    if (c->plan.is_chunked)
        gs_buf_puts(&c->out, "\r\n");
    note_sent(c, bytes);
}

/* What comes behind a step: END and those after it, that `out` holds the rest of the answer. */
enum turn { TURN_ON, TURN_WAIT, TURN_END, TURN_FIN, TURN_RST };

static int64_t pace_us(struct conn *c)
{
    return (int64_t)atomic_load(&c->provider->pace_ms) * 1000;
}

static enum turn pause_for(struct conn *c, int64_t us)
{
    if (us == 0)
        return TURN_ON;
    timer_set(c->provider, c, us);
    return TURN_WAIT;
}

static enum turn hold(struct conn *c, bool is_stall)
{
    c->is_held = !is_stall;
    c->is_stalled = is_stall;
    count(c->provider, FAKE_HELD, 1);
    return TURN_WAIT;
}

/* The next step of the plan goes to `out`. */
static enum turn take_step(struct conn *c)
{
    const struct fake_step *s = &c->plan.steps[c->step];

    switch (s->kind) {
    case FAKE_STEP_OPEN:
    case FAKE_STEP_CONTENT:
    case FAKE_STEP_FINISH:
        if (c->plan.splits && s->bytes.len > 0) {
            put_body(c, gs_slice(s->bytes.ptr + c->n_repeats, 1));
            if ((size_t)++c->n_repeats < s->bytes.len)
                return TURN_ON;
            c->n_repeats = 0;
            c->step++;
            return TURN_ON;
        }
        put_body(c, s->bytes);
        c->step++;
        return s->kind == FAKE_STEP_CONTENT ? pause_for(c, pace_us(c)) : TURN_ON;
    case FAKE_STEP_REPEAT:
    case FAKE_STEP_PACED:
        put_body(c, s->bytes);
        if (++c->n_repeats == s->n) {
            c->n_repeats = 0;
            c->step++;
        }
        return pause_for(c, s->kind == FAKE_STEP_REPEAT ? pace_us(c) : PACED_US);
    case FAKE_STEP_DRIP:
        put_body(c, s->bytes);
        c->step++;
        return pause_for(c, DRIP_US);
    case FAKE_STEP_STALL:
        return hold(c, true);
    case FAKE_STEP_HOLD:
        c->step++;
        return hold(c, false);
    case FAKE_STEP_FIN:
        return TURN_FIN;
    case FAKE_STEP_RST:
        return TURN_RST;
    case FAKE_STEP_BODY_END:
        if (c->plan.is_chunked)
            gs_buf_puts(&c->out, "0\r\n\r\n");
        return c->plan.closes ? TURN_FIN : TURN_END;
    }
    return TURN_RST;
}

/* Write until nothing can be written; false: the connection is no more. */
static bool pump(struct conn *c)
{
    enum turn turn = TURN_ON;
    int n_rounds = 0;

    while (turn == TURN_ON) {
        const size_t most = c->plan.splits ? 1 : OUT_BYTES;
        while (turn == TURN_ON && c->out.len < most && c->is_answering && !c->is_ended)
            turn = c->heap_at != SIZE_MAX || c->is_held || c->is_stalled ? TURN_WAIT : take_step(c);
        if (!c->is_answering || c->is_ended)
            turn = TURN_WAIT;
        if (turn >= TURN_END)
            c->is_ended = true;
        const enum io io = conn_flush(c);
        if (io == IO_GONE) {
            conn_lost(c);
            return false;
        }
        if (turn == TURN_FIN || turn == TURN_RST) {
            conn_close(c, turn == TURN_RST);
            return false;
        }
        if (io == IO_AGAIN || (turn == TURN_ON && ++n_rounds == MAX_ROUNDS && !c->plan.splits)) {
            watch(c, true);
            return true;
        }
    }
    watch(c, false);
    if (c->is_ended) {
        count(c->provider, FAKE_FLOWING, (size_t)-1);
        c->is_answering = c->is_ended = false;
        c->record = SIZE_MAX;
        fake_plan_clear(&c->plan);
    }
    return true;
}

/* ---- requests ---- */

/* The value of a header, in any case; empty if there is none. */
static struct gs_slice header(struct gs_slice head, const char *name)
{
    const size_t n = strlen(name);

    for (size_t at = 0; at < head.len;) {
        size_t end = gs_slice_find(head, GS_SLICE_LIT("\r\n"), at);
        end = end == SIZE_MAX ? head.len : end;
        if (end - at > n && head.ptr[at + n] == ':' && strncasecmp(head.ptr + at, name, n) == 0)
            return gs_slice_trim(gs_slice_sub(head, at + n + 1, end));
        at = end + 2;
    }
    return gs_slice(NULL, 0);
}

/* Decode a chunked body: its bytes in `in` that belong to it, 0 if it is not all there. */
static size_t read_chunked(struct gs_slice in, struct gs_buf *body)
{
    size_t at = 0;

    for (;;) {
        const size_t line = gs_slice_find(in, GS_SLICE_LIT("\r\n"), at);
        if (line == SIZE_MAX)
            return 0;
        const size_t n = strtoul(in.ptr + at, NULL, 16);
        if (n > in.len || line + 2 + n + 2 > in.len)
            return 0;
        gs_buf_put(body, in.ptr + line + 2, n);
        at = line + 2 + n + 2;
        if (n == 0)
            return at;
    }
}

struct request {
    struct gs_slice head, method, path;
    struct gs_buf body;
};

/* The next request of `in`, if it is whole; its bytes stay there until *out_n are consumed. */
static bool parse(struct conn *c, struct request *r, size_t *out_n)
{
    const struct gs_slice in = gs_buf_view(&c->in);
    const size_t end = gs_slice_find(in, GS_SLICE_LIT("\r\n\r\n"), 0);
    int64_t length = 0;

    if (end == SIZE_MAX)
        return false;
    r->head = gs_slice_sub(in, 0, end + 4);
    const size_t space = gs_slice_find(r->head, GS_SLICE_LIT(" "), 0);
    const size_t second = gs_slice_find(r->head, GS_SLICE_LIT(" "), space + 1);
    if (space == SIZE_MAX || second == SIZE_MAX)
        return false;
    r->method = gs_slice_sub(r->head, 0, space);
    r->path = gs_slice_sub(r->head, space + 1, second);
    gs_buf_init(&r->body, MAX_IN_BYTES);
    if (header(r->head, "transfer-encoding").len > 0) {
        const size_t n = read_chunked(gs_slice_sub(in, end + 4, in.len), &r->body);
        *out_n = end + 4 + n;
        return n > 0;
    }
    if (!gs_slice_to_i64(header(r->head, "content-length"), &length))
        length = 0;
    if (length < 0 || (uint64_t)length > in.len - end - 4)
        return false;
    gs_buf_put(&r->body, in.ptr + end + 4, (size_t)length);
    *out_n = end + 4 + (size_t)length;
    return true;
}

/* Begin the answer; false: the connection is no more. */
static bool answer(struct conn *c, struct request *r)
{
    struct fake_provider *p = c->provider;
    struct fake_fault fault;
    struct fake_ask ask;
    struct gs_arena a;
    char words[96];

    gs_arena_init(&a, 0);
    fake_ask_read(&ask, r->method, r->path, gs_buf_view(&r->body), &a);
    c->n_requests++;
    pthread_mutex_lock(&p->lock);
    ask.number = ++p->n_numbers;
    choose_fault(p, &ask, words, sizeof(words));
    const bool ok = fake_fault_read(gs_slice_str(words), &fault);
    if (!p->forgets) {
        struct record *rec = record_add(p);
        gs_buf_slice(&rec->head, r->head);
        gs_buf_slice(&rec->body, gs_buf_view(&r->body));
        memcpy(rec->fault, words, sizeof(rec->fault));
        rec->connection = c->number;
        rec->nth = c->n_requests;
        c->record = p->n_records - 1;
    }
    p->counts[FAKE_REQUESTS]++;
    p->counts[FAKE_FLOWING]++;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    if (!ok) {
        fprintf(stderr, "fake provider: no such fault: %s\n", words);
        fault.status = 599;
    }
    if (fault.manners & FAKE_MANNER_NO_PREFILL && ask.partial.len > 0) {
        fault.status = 400;
        fault.refusal = FAKE_REFUSAL_PREFILL;
    }
    if (ask.api == FAKE_API_CONNECT && !fault.status)
        fault.status = 502;
    if (ask.api == FAKE_API_NONE && !fault.status)
        fault.status = 404;
    fake_plan_make(&c->plan, &ask, &fault);
    gs_arena_clear(&a);
    c->is_answering = true;
    c->step = 0;
    c->n_repeats = 0;
    c->is_held = c->is_stalled = false;
    const bool hits = !(fault.manners & FAKE_MANNER_REUSED) || c->n_requests > 1;
    if (hits &&
        (fault.connection == FAKE_CONNECTION_RESET || fault.connection == FAKE_CONNECTION_EOF)) {
        conn_close(c, fault.connection == FAKE_CONNECTION_RESET);
        return false;
    }
    if (fault.connection == FAKE_CONNECTION_SILENT)
        hold(c, true);
    else if (fault.connection == FAKE_CONNECTION_NOISE)
        gs_buf_puts(&c->out, "\x15\x03\x01 220 this is not HTTP\r\n\r\n");
    else
        gs_buf_slice(&c->out, c->plan.head);
    return pump(c);
}

/* ---- control ---- */

static const char *const count_names[FAKE_N_COUNTS] = {"connections", "open", "requests",
                                                       "gone",        "held", "flowing"};

static void reply(struct conn *c, struct gs_slice json)
{
    gs_buf_printf(
        &c->out, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
        json.len);
    gs_buf_slice(&c->out, json);
}

static void reply_counts(struct conn *c)
{
    struct gs_buf b;

    gs_buf_init(&b, MAX_IN_BYTES);
    for (size_t i = 0; i < FAKE_N_COUNTS; i++)
        gs_buf_printf(&b, "%s\"%s\":%zu", i ? "," : "{", count_names[i],
                      fake_provider_count(c->provider, (enum fake_provider_count)i));
    gs_buf_puts(&b, "}");
    reply(c, gs_buf_view(&b));
    gs_buf_clear(&b);
}

static void reply_requests(struct conn *c)
{
    struct fake_provider *p = c->provider;
    struct gs_buf b;

    gs_buf_init(&b, MAX_IN_BYTES);
    gs_buf_puts(&b, "[");
    pthread_mutex_lock(&p->lock);
    for (size_t i = 0; i < p->n_records; i++) {
        const struct record *r = p->records[i];
        gs_buf_printf(&b, "%s{\"connection\":%zu,\"nth\":%zu,\"gone\":%s,\"fault\":", i ? "," : "",
                      r->connection, r->nth, r->is_gone ? "true" : "false");
        gs_json_write_string(&b, gs_slice_str(r->fault));
        gs_buf_puts(&b, ",\"head\":");
        gs_json_write_string(&b, gs_buf_view(&r->head));
        gs_buf_puts(&b, ",\"body\":");
        gs_json_write_string(&b, gs_buf_view(&r->body));
        gs_buf_puts(&b, ",\"sent\":");
        gs_json_write_string(&b, gs_buf_view(&r->sent));
        gs_buf_puts(&b, "}");
    }
    pthread_mutex_unlock(&p->lock);
    gs_buf_puts(&b, "]");
    reply(c, gs_buf_view(&b));
    gs_buf_clear(&b);
}

static bool obey(struct fake_provider *p);

static void take_orders(struct conn *c, struct gs_slice body)
{
    struct fake_provider *p = c->provider;
    struct gs_json root = {.kind = GS_JSON_NULL};
    struct gs_slice script = {NULL, 0}, usual = {NULL, 0};
    int64_t pace = -1;
    bool listens = true, goes = false, forgets = false;
    struct gs_arena a;

    gs_arena_init(&a, 0);
    if (gs_json_parse(body, &a, &root, NULL) == GS_OK &&
        gs_json_get_string(&root, "script", &script, NULL) &&
        gs_json_get_string(&root, "default", &usual, NULL) &&
        gs_json_get_int(&root, "pace_ms", &pace, NULL) &&
        gs_json_get_bool(&root, "listen", &listens, NULL) &&
        gs_json_get_bool(&root, "go", &goes, NULL) &&
        gs_json_get_bool(&root, "forget", &forgets, NULL)) {
        if (forgets)
            fake_provider_forget(p);
        if (script.ptr)
            fake_provider_script(p, script.ptr);
        if (usual.ptr)
            fake_provider_default(p, usual.ptr);
        if (pace >= 0)
            fake_provider_pace(p, (int)pace);
        pthread_mutex_lock(&p->lock);
        p->goes = goes;
        if (gs_json_get(&root, "listen"))
            p->listens = listens;
        pthread_mutex_unlock(&p->lock);
        obey(p);
    }
    gs_arena_clear(&a);
    reply_counts(c);
}

static void control(struct conn *c, const struct request *r)
{
    const size_t mark = gs_slice_find(r->path, GS_SLICE_LIT("?"), 0);
    const size_t is = gs_slice_find(r->path, GS_SLICE_LIT("="), 0);

    if (gs_slice_eq_str(r->method, "POST")) {
        take_orders(c, gs_buf_view(&r->body));
    } else if (gs_slice_eq_str(r->path, "/control/requests")) {
        reply_requests(c);
    } else if (is != SIZE_MAX) {
        const struct gs_slice name = gs_slice_sub(r->path, mark + 1, is);
        int64_t n = 0;
        for (int i = 0; i < FAKE_N_COUNTS; i++)
            if (gs_slice_eq_str(name, count_names[i]))
                c->wait_for = i;
        if (gs_slice_to_i64(gs_slice_sub(r->path, is + 1, r->path.len), &n) && n > 0)
            c->wait_n = (size_t)n;
    } else {
        reply_counts(c);
    }
}

/* ---- the loop ---- */

static bool shake_hands(struct conn *c)
{
    const int n = SSL_accept(c->ssl);
    const int why = n == 1 ? 0 : SSL_get_error(c->ssl, n);

    c->is_shaking = n != 1;
    return n == 1 || why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE;
}

/* false: the connection is no more. */
static bool serve_requests(struct conn *c)
{
    struct request r;
    size_t n;

    while (!c->is_answering && c->wait_for < 0 && c->in.len > 0) {
        r = (struct request){.body = {.ptr = NULL}};
        if (!parse(c, &r, &n)) {
            gs_buf_clear(&r.body);
            if (c->is_told || header(r.head, "expect").len == 0)
                break;
            c->is_told = true;
            gs_buf_puts(&c->out, "HTTP/1.1 100 Continue\r\n\r\n");
            return pump(c);
        }
        c->is_told = false;
        bool is_there = true;
        if (c->is_control) {
            control(c, &r);
            is_there = pump(c);
        } else {
            is_there = answer(c, &r);
        }
        gs_buf_clear(&r.body);
        if (!is_there)
            return false;
        gs_buf_consume(&c->in, n);
    }
    return true;
}

static void on_conn(struct conn *c, uint32_t events)
{
    if (c->is_shaking && !shake_hands(c)) {
        conn_close(c, false);
        return;
    }
    if (c->is_shaking)
        return;
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR) && conn_receive(c) == IO_GONE) {
        conn_lost(c);
        return;
    }
    if (events & EPOLLOUT && !pump(c))
        return;
    serve_requests(c);
}

static int listen_on(int port, int *out_port)
{
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    const int on = 1;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    socklen_t n = sizeof(a);

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(fd, BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)&a, &n) != 0) {
        perror("fake provider: listen");
        if (fd >= 0)
            close(fd);
        return -1;
    }
    fcntl(fd, F_SETFL, O_NONBLOCK);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    *out_port = ntohs(a.sin_port);
    return fd;
}

static void add_fd(struct fake_provider *p, int *fd)
{
    struct epoll_event ev = {.events = EPOLLIN, .data = {.ptr = fd}};

    epoll_ctl(p->epoll, EPOLL_CTL_ADD, *fd, &ev);
}

/* Do what the lock's fields ask for; false: stop. */
static bool obey(struct fake_provider *p)
{
    pthread_mutex_lock(&p->lock);
    const bool listens = p->listens, goes = p->goes, stops = p->stops;
    const size_t n_orders = p->n_orders;
    p->goes = false;
    pthread_mutex_unlock(&p->lock);
    if (!listens && p->listener >= 0) {
        remove_fd(p, p->listener);
        p->listener = -1;
    }
    if (listens && p->listener < 0) {
        int port = p->port;
        p->listener = listen_on(port, &port);
        add_fd(p, &p->listener);
    }
    for (struct conn *c = p->conns, *next; c; c = next) {
        next = c->next;
        if (!c->is_control && !listens) {
            conn_close(c, true);
        } else if (goes && c->is_held) {
            c->is_held = false;
            if (pump(c))
                serve_requests(c);
        }
    }
    pthread_mutex_lock(&p->lock);
    p->n_obeyed = n_orders;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    return !stops;
}

static void on_due(struct fake_provider *p)
{
    const int64_t now = gs_clock_mono_us();

    while (p->n_heap && p->heap[0]->due_us <= now) {
        struct conn *c = p->heap[0];
        timer_remove(p, c);
        if (pump(c))
            serve_requests(c);
    }
}

/* Those who wait for a count. */
static void tell_waiting(struct fake_provider *p)
{
    for (struct conn *c = p->conns, *next; c; c = next) {
        next = c->next;
        if (c->wait_for >= 0 &&
            fake_provider_count(p, (enum fake_provider_count)c->wait_for) >= c->wait_n) {
            c->wait_for = -1;
            reply_counts(c);
            if (pump(c))
                serve_requests(c);
        }
    }
}

static void *run_loop(void *arg)
{
    struct fake_provider *p = arg;
    struct epoll_event events[MAX_EVENTS];
    uint64_t n_wakes;
    bool goes_on = true;

    while (goes_on) {
        timer_arm(p);
        const int n = epoll_wait(p->epoll, events, MAX_EVENTS, -1);
        bool is_woken = false, is_due = false;
        for (int i = 0; i < n; i++) {
            void *what = events[i].data.ptr;
            if (what == &p->wake)
                is_woken = read(p->wake, &n_wakes, sizeof(n_wakes)) > 0;
            else if (what == &p->timer)
                is_due = read(p->timer, &n_wakes, sizeof(n_wakes)) > 0;
            else if (what == &p->listener || what == &p->control)
                conn_open(p, *(int *)what);
            else
                on_conn(what, events[i].events);
        }
        if (is_due)
            on_due(p);
        if (is_woken)
            goes_on = obey(p);
        tell_waiting(p);
    }
    while (p->conns)
        conn_close(p->conns, true);
    return NULL;
}

/* ---- from other threads ---- */

/* locked: have the thread obey, and wait until it did. */
static void order(struct fake_provider *p)
{
    const uint64_t one = 1;
    const size_t n = ++p->n_orders;

    if (write(p->wake, &one, sizeof(one)) < 0)
        perror("fake provider: wake");
    while (p->n_obeyed < n)
        pthread_cond_wait(&p->changed, &p->lock);
}

void fake_provider_script(struct fake_provider *p, const char *words)
{
    pthread_mutex_lock(&p->lock);
    snprintf(p->script, sizeof(p->script), "%s", words);
    pthread_mutex_unlock(&p->lock);
}

void fake_provider_default(struct fake_provider *p, const char *words)
{
    pthread_mutex_lock(&p->lock);
    snprintf(p->usual, sizeof(p->usual), "%s", words);
    pthread_mutex_unlock(&p->lock);
}

void fake_provider_pace(struct fake_provider *p, int pace_ms)
{
    atomic_store(&p->pace_ms, pace_ms);
}

void fake_provider_listen(struct fake_provider *p, bool listens)
{
    pthread_mutex_lock(&p->lock);
    p->listens = listens;
    order(p);
    pthread_mutex_unlock(&p->lock);
}

void fake_provider_go(struct fake_provider *p)
{
    pthread_mutex_lock(&p->lock);
    p->goes = true;
    order(p);
    pthread_mutex_unlock(&p->lock);
}

size_t fake_provider_count(struct fake_provider *p, enum fake_provider_count what)
{
    pthread_mutex_lock(&p->lock);
    const size_t n = p->counts[what];
    pthread_mutex_unlock(&p->lock);
    return n;
}

void fake_provider_wait(struct fake_provider *p, enum fake_provider_count what, size_t n)
{
    pthread_mutex_lock(&p->lock);
    while (p->counts[what] < n)
        pthread_cond_wait(&p->changed, &p->lock);
    pthread_mutex_unlock(&p->lock);
}

bool fake_provider_request(struct fake_provider *p, size_t i, struct gs_slice *out_head,
                           struct gs_slice *out_body)
{
    pthread_mutex_lock(&p->lock);
    const bool is_there = i < p->n_records;
    if (is_there) {
        *out_head = gs_buf_view(&p->records[i]->head);
        *out_body = gs_buf_view(&p->records[i]->body);
    }
    pthread_mutex_unlock(&p->lock);
    return is_there;
}

bool fake_provider_sent(struct fake_provider *p, size_t i, struct gs_slice *out_bytes)
{
    pthread_mutex_lock(&p->lock);
    const bool is_there = i < p->n_records;
    if (is_there)
        *out_bytes = gs_buf_view(&p->records[i]->sent);
    pthread_mutex_unlock(&p->lock);
    return is_there;
}

void fake_provider_forget(struct fake_provider *p)
{
    pthread_mutex_lock(&p->lock);
    records_clear(p);
    for (size_t i = 0; i < FAKE_N_COUNTS; i++)
        if (i != FAKE_OPEN && i != FAKE_FLOWING)
            p->counts[i] = 0;
    p->n_attempts = 0;
    p->script[0] = 0;
    snprintf(p->usual, sizeof(p->usual), "ok");
    pthread_mutex_unlock(&p->lock);
}

int fake_provider_port(const struct fake_provider *p)
{
    return p->port;
}

int fake_provider_control_port(const struct fake_provider *p)
{
    return p->control_port;
}

static bool load_tls(struct fake_provider *p, const struct fake_provider_options *opt)
{
    if (!opt->tls_cert)
        return true;
    p->tls = SSL_CTX_new(TLS_server_method());
    SSL_CTX_set_mode(p->tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return SSL_CTX_use_certificate_file(p->tls, opt->tls_cert, SSL_FILETYPE_PEM) == 1 &&
           SSL_CTX_use_PrivateKey_file(p->tls, opt->tls_key, SSL_FILETYPE_PEM) == 1;
}

static void release(struct fake_provider *p)
{
    const int fds[] = {p->epoll, p->wake, p->timer, p->listener, p->control};

    for (size_t i = 0; i < GS_COUNT_OF(fds); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    records_clear(p);
    free(p->records);
    free(p->heap);
    SSL_CTX_free(p->tls);
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

struct fake_provider *fake_provider_start(const struct fake_provider_options *opt)
{
    struct fake_provider *p = calloc(1, sizeof(*p));

    if (!p)
        return NULL;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->changed, NULL);
    snprintf(p->usual, sizeof(p->usual), "ok");
    p->listens = true;
    atomic_init(&p->pace_ms, opt->pace_ms);
    p->place = opt->place;
    p->forgets = opt->forgets;
    p->epoll = epoll_create1(EPOLL_CLOEXEC);
    p->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    p->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    p->listener = listen_on(opt->port, &p->port);
    p->control = listen_on(0, &p->control_port);
    if (p->epoll < 0 || p->wake < 0 || p->timer < 0 || p->listener < 0 || p->control < 0 ||
        !load_tls(p, opt)) {
        release(p);
        return NULL;
    }
    add_fd(p, &p->wake);
    add_fd(p, &p->timer);
    add_fd(p, &p->listener);
    add_fd(p, &p->control);
    if (pthread_create(&p->thread, NULL, run_loop, p) != 0) {
        release(p);
        return NULL;
    }
    return p;
}

void fake_provider_stop(struct fake_provider *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stops = true;
    order(p);
    pthread_mutex_unlock(&p->lock);
    pthread_join(p->thread, NULL);
    release(p);
}
