/* Ring under one leaf lock; the eventfd is signalled on the empty -> non-empty edge only. */
#include "base/queue.h"

#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/os.h"

struct gs_queue {
    pthread_mutex_t lock; /* guards everything below but fd */
    pthread_cond_t filled;
    void **items; /* ring of cap */
    size_t cap;
    size_t first;
    size_t len;
    bool closed;
    int fd;
};

enum gs_status gs_queue_create(size_t cap, struct gs_queue **out_q, struct gs_error *err)
{
    struct gs_queue *q = gs_alloc_zero(sizeof(*q));
    pthread_condattr_t attr;
    enum gs_status st;

    if (!q)
        return gs_error_nomem(err, "create a queue");
    q->fd = -1;
    q->cap = cap;
    pthread_mutex_init(&q->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&q->filled, &attr);
    pthread_condattr_destroy(&attr);
    q->items = gs_alloc_array(cap, sizeof(*q->items));
    if (!q->items) {
        st = gs_error_nomem(err, "create a queue");
        goto fail;
    }
    st = gs_os_event_create(&q->fd, err);
    if (st != GS_OK)
        goto fail;
    *out_q = q;
    return GS_OK;
fail:
    gs_queue_free(q);
    return st;
}

void gs_queue_free(struct gs_queue *q)
{
    if (!q)
        return;
    if (q->fd >= 0)
        close(q->fd);
    pthread_cond_destroy(&q->filled);
    pthread_mutex_destroy(&q->lock);
    gs_free(q->items);
    gs_free(q);
}

bool gs_queue_push(struct gs_queue *q, void *item)
{
    pthread_mutex_lock(&q->lock);
    const bool fits = !q->closed && q->len < q->cap;
    const bool was_empty = q->len == 0;
    if (fits) {
        q->items[(q->first + q->len++) % q->cap] = item;
        pthread_cond_signal(&q->filled);
        if (was_empty) /* under the lock: the receiver drains the event under it too */
            gs_os_event_signal(q->fd);
    }
    pthread_mutex_unlock(&q->lock);
    return fits;
}

static void *take_locked(struct gs_queue *q)
{
    void *item = NULL;

    if (q->len > 0) {
        item = q->items[q->first];
        q->first = (q->first + 1) % q->cap;
        q->len--;
    }
    if (q->len == 0 && !q->closed) /* who polls a closed queue must not sleep */
        gs_os_event_drain(q->fd);
    return item;
}

void *gs_queue_try_pop(struct gs_queue *q)
{
    pthread_mutex_lock(&q->lock);
    void *item = take_locked(q);
    pthread_mutex_unlock(&q->lock);
    return item;
}

void *gs_queue_pop(struct gs_queue *q)
{
    bool is_over;

    return gs_queue_pop_until(q, INT64_MAX, &is_over);
}

void *gs_queue_pop_until(struct gs_queue *q, int64_t until_us, bool *out_over)
{
    const struct timespec until = {.tv_sec = (time_t)(until_us / 1000000),
                                   .tv_nsec = (long)(until_us % 1000000) * 1000};
    int rc = 0;

    pthread_mutex_lock(&q->lock);
    while (q->len == 0 && !q->closed && rc == 0) {
        if (until_us == INT64_MAX)
            pthread_cond_wait(&q->filled, &q->lock);
        else
            rc = pthread_cond_timedwait(&q->filled, &q->lock, &until);
    }
    void *item = take_locked(q);
    *out_over = !item && q->closed;
    pthread_mutex_unlock(&q->lock);
    return item;
}

void gs_queue_close(struct gs_queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->closed = true;
    pthread_cond_broadcast(&q->filled);
    gs_os_event_signal(q->fd);
    pthread_mutex_unlock(&q->lock);
}

int gs_queue_fd(const struct gs_queue *q)
{
    return q->fd;
}
