/* The event loop: descriptors and timers on one thread. Hides libevent. */
#ifndef GS_HTTP_LOOP_H
#define GS_HTTP_LOOP_H

#include <stdint.h>

#include "base/compiler.h"
#include "genset/status.h"

struct event_base;
struct gs_http_loop;
struct gs_http_watch;
struct gs_http_ready;
struct gs_http_timer;

typedef void gs_http_loop_fn(void *ud);

GS_MUST_CHECK enum gs_status gs_http_loop_create(struct gs_http_loop **out_loop,
                                                 struct gs_error *err);
/* Watches, timers and servers on it must be gone. NULL is allowed. */
void gs_http_loop_free(struct gs_http_loop *loop);
/* Turn on the calling thread (which becomes GS_THREAD_LOOP) until gs_http_loop_break(). A write
 * to a closed socket is an error there, not a SIGPIPE. */
GS_MUST_CHECK enum gs_status gs_http_loop_run(struct gs_http_loop *loop, struct gs_error *err);
/* thread: the loop's. */
void gs_http_loop_break(struct gs_http_loop *loop);

/* Call fn(ud) whenever fd is readable. */
GS_MUST_CHECK enum gs_status gs_http_watch_create(struct gs_http_loop *loop, int fd,
                                                  gs_http_loop_fn *fn, void *ud,
                                                  struct gs_http_watch **out_w,
                                                  struct gs_error *err);
void gs_http_watch_free(struct gs_http_watch *w);

/* What a descriptor can be ready for. */
#define GS_HTTP_CAN_READ  1u
#define GS_HTTP_CAN_WRITE 2u

typedef void gs_http_ready_fn(void *ud, int fd, unsigned what);

/* A watch that can be moved: it watches nothing until it is set, and then calls fn(ud, fd, what)
 * whenever fd is ready for something of `what`. */
GS_MUST_CHECK enum gs_status gs_http_ready_create(struct gs_http_loop *loop, gs_http_ready_fn *fn,
                                                  void *ud, struct gs_http_ready **out_r,
                                                  struct gs_error *err);
/* From now on this, and nothing else; what == 0: nothing at all. What the system refuses to watch
 * is not watched. */
void gs_http_ready_set(struct gs_http_ready *r, int fd, unsigned what);
void gs_http_ready_free(struct gs_http_ready *r);

/* A stopped timer; each start calls fn(ud) once, `after_ms` later, and replaces the last start. */
GS_MUST_CHECK enum gs_status gs_http_timer_create(struct gs_http_loop *loop, gs_http_loop_fn *fn,
                                                  void *ud, struct gs_http_timer **out_t,
                                                  struct gs_error *err);
void gs_http_timer_start(struct gs_http_timer *t, int64_t after_ms);
/* It is due when what the loop is at work with has returned, before descriptors are looked at. */
void gs_http_timer_fire(struct gs_http_timer *t);
void gs_http_timer_stop(struct gs_http_timer *t);
void gs_http_timer_free(struct gs_http_timer *t);

/* For http/ itself. */
struct event_base *gs_http_loop_base(struct gs_http_loop *loop);

#endif
