/* Threads, and which one we are on. */
#ifndef GS_BASE_THREAD_H
#define GS_BASE_THREAD_H

#include <pthread.h>

#include "base/compiler.h"
#include "genset/status.h"

enum gs_thread_kind {
    GS_THREAD_NONE,
    GS_THREAD_LOOP,
    GS_THREAD_ENGINE,
    GS_THREAD_POOL,
    GS_THREAD_LOCAL,
    GS_THREAD_TEXTS,
    GS_THREAD_DISK,
    GS_THREAD_LEDGER,
    GS_THREAD_READER,
    GS_THREAD_RELOAD,
    GS_THREAD_LOADER,
    GS_THREAD_POWER
};

/* Start a thread of a kind; its name is the kind's. The body gets `arg`.
 * errors: GS_ENOMEM when the system refuses. */
GS_MUST_CHECK enum gs_status gs_thread_start(pthread_t *out_thread, enum gs_thread_kind kind,
                                             void (*body)(void *arg), void *arg,
                                             struct gs_error *err);
/* Declare the calling thread to be of a kind (for the main thread running the loop). */
void gs_thread_enter(enum gs_thread_kind kind);
enum gs_thread_kind gs_thread_current(void);

/* Assert that the caller runs on a thread of `kind`. */
#define gs_assert_thread(kind) assert(gs_thread_current() == (kind))

#endif
