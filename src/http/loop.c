/* A thin coat over event_base. Other threads reach the loop only through descriptors it watches,
 * so libevent needs no locks of its own. */
#include "http/loop.h"

#include <signal.h>
#include <time.h>

#include <event2/event.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/thread.h"

struct gs_http_loop {
    struct event_base *base;
};

struct gs_http_watch {
    struct event *event;
    gs_http_loop_fn *fn;
    void *ud;
};

struct gs_http_ready {
    struct gs_http_loop *loop;
    struct event *event;
    gs_http_ready_fn *fn;
    void *ud;
};

struct gs_http_timer {
    struct event *event;
    gs_http_loop_fn *fn;
    void *ud;
};

enum gs_status gs_http_loop_create(struct gs_http_loop **out_loop, struct gs_error *err)
{
    struct gs_http_loop *loop = gs_alloc_zero(sizeof(*loop));

    if (!loop)
        return gs_error_nomem(err, "create the event loop");
    loop->base = event_base_new();
    if (!loop->base) {
        gs_free(loop);
        return gs_error_set(err, GS_EIO, "could not create the event loop");
    }
    *out_loop = loop;
    return GS_OK;
}

void gs_http_loop_free(struct gs_http_loop *loop)
{
    if (!loop)
        return;
    event_base_free(loop->base);
    gs_free(loop);
}

struct event_base *gs_http_loop_base(struct gs_http_loop *loop)
{
    return loop->base;
}

enum gs_status gs_http_loop_run(struct gs_http_loop *loop, struct gs_error *err)
{
    static const struct timespec now = {0};
    sigset_t pipe_set;
    sigset_t old;

    sigemptyset(&pipe_set);
    sigaddset(&pipe_set, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_set, &old);
    const enum gs_thread_kind kind = gs_thread_current();
    gs_thread_enter(GS_THREAD_LOOP);
    const int rc = event_base_loop(loop->base, EVLOOP_NO_EXIT_ON_EMPTY);
    gs_thread_enter(kind);
    if (!sigismember(&old, SIGPIPE))
        sigtimedwait(&pipe_set, NULL, &now); /* what came meanwhile must not come later */
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return rc < 0 ? gs_error_set(err, GS_EIO, "the event loop failed") : GS_OK;
}

void gs_http_loop_break(struct gs_http_loop *loop)
{
    event_base_loopbreak(loop->base);
}

static void watch_ready(evutil_socket_t fd, short what, void *arg)
{
    const struct gs_http_watch *w = arg;

    (void)fd;
    (void)what;
    w->fn(w->ud);
}

enum gs_status gs_http_watch_create(struct gs_http_loop *loop, int fd, gs_http_loop_fn *fn,
                                    void *ud, struct gs_http_watch **out_w, struct gs_error *err)
{
    struct gs_http_watch *w = gs_alloc_zero(sizeof(*w));

    if (!w)
        return gs_error_nomem(err, "watch a descriptor");
    *w = (struct gs_http_watch){.fn = fn, .ud = ud};
    w->event = event_new(loop->base, fd, EV_READ | EV_PERSIST, watch_ready, w);
    if (!w->event || event_add(w->event, NULL) != 0) {
        gs_http_watch_free(w);
        return gs_error_nomem(err, "watch a descriptor");
    }
    *out_w = w;
    return GS_OK;
}

void gs_http_watch_free(struct gs_http_watch *w)
{
    if (!w)
        return;
    if (w->event)
        event_free(w->event);
    gs_free(w);
}

static void fd_ready(evutil_socket_t fd, short what, void *arg)
{
    const struct gs_http_ready *r = arg;

    r->fn(r->ud, fd,
          (what & EV_READ ? GS_HTTP_CAN_READ : 0) | (what & EV_WRITE ? GS_HTTP_CAN_WRITE : 0));
}

enum gs_status gs_http_ready_create(struct gs_http_loop *loop, gs_http_ready_fn *fn, void *ud,
                                    struct gs_http_ready **out_r, struct gs_error *err)
{
    struct gs_http_ready *r = gs_alloc_zero(sizeof(*r));

    if (!r)
        return gs_error_nomem(err, "watch a descriptor");
    *r = (struct gs_http_ready){.loop = loop, .fn = fn, .ud = ud};
    r->event = event_new(loop->base, -1, 0, fd_ready, r);
    if (!r->event) {
        gs_free(r);
        return gs_error_nomem(err, "watch a descriptor");
    }
    *out_r = r;
    return GS_OK;
}

void gs_http_ready_set(struct gs_http_ready *r, int fd, unsigned what)
{
    const short events = (short)((what & GS_HTTP_CAN_READ ? EV_READ : 0) |
                                 (what & GS_HTTP_CAN_WRITE ? EV_WRITE : 0));

    event_del(r->event);
    if (events &&
        event_assign(r->event, r->loop->base, fd, (short)(events | EV_PERSIST), fd_ready, r) == 0)
        event_add(r->event, NULL);
}

void gs_http_ready_free(struct gs_http_ready *r)
{
    if (!r)
        return;
    event_free(r->event);
    gs_free(r);
}

static void timer_due(evutil_socket_t fd, short what, void *arg)
{
    const struct gs_http_timer *t = arg;

    (void)fd;
    (void)what;
    t->fn(t->ud);
}

enum gs_status gs_http_timer_create(struct gs_http_loop *loop, gs_http_loop_fn *fn, void *ud,
                                    struct gs_http_timer **out_t, struct gs_error *err)
{
    struct gs_http_timer *t = gs_alloc_zero(sizeof(*t));

    if (!t)
        return gs_error_nomem(err, "create a timer");
    *t = (struct gs_http_timer){.fn = fn, .ud = ud};
    t->event = event_new(loop->base, -1, 0, timer_due, t);
    if (!t->event) {
        gs_free(t);
        return gs_error_nomem(err, "create a timer");
    }
    *out_t = t;
    return GS_OK;
}

void gs_http_timer_start(struct gs_http_timer *t, int64_t after_ms)
{
    const struct timeval tv = {.tv_sec = after_ms / 1000, .tv_usec = after_ms % 1000 * 1000};

    event_add(t->event, &tv); /* a heap already grown: re-arming does not fail */
}

void gs_http_timer_fire(struct gs_http_timer *t)
{
    event_active(t->event, EV_TIMEOUT, 0);
}

void gs_http_timer_stop(struct gs_http_timer *t)
{
    event_del(t->event);
}

void gs_http_timer_free(struct gs_http_timer *t)
{
    if (!t)
        return;
    event_free(t->event);
    gs_free(t);
}
