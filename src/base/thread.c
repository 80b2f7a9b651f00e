/* Threads block all signals: the main thread alone handles them. */
#include "base/thread.h"

#include <signal.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/os.h"

static const char *const kind_names[] = {"genset", "loop",   "engine", "pool",   "local",  "texts",
                                         "disk",   "ledger", "reader", "reload", "loader", "power"};

static _Thread_local enum gs_thread_kind current_kind;

struct start {
    enum gs_thread_kind kind;
    void (*body)(void *arg);
    void *arg;
};

void gs_thread_enter(enum gs_thread_kind kind)
{
    current_kind = kind;
}

enum gs_thread_kind gs_thread_current(void)
{
    return current_kind;
}

static void *run(void *p)
{
    const struct start s = *(struct start *)p;

    gs_free(p);
    gs_thread_enter(s.kind);
    gs_os_thread_name(kind_names[s.kind]);
    s.body(s.arg);
    return NULL;
}

enum gs_status gs_thread_start(pthread_t *out_thread, enum gs_thread_kind kind,
                               void (*body)(void *arg), void *arg, struct gs_error *err)
{
    struct start *s = gs_alloc(sizeof(*s));
    sigset_t all;
    sigset_t old;

    if (!s)
        return gs_error_nomem(err, "start a thread");
    *s = (struct start){kind, body, arg};
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    const int rc = pthread_create(out_thread, NULL, run, s);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc != 0) {
        gs_free(s);
        return gs_error_errno(err, GS_ENOMEM, rc, "could not start a thread");
    }
    return GS_OK;
}
