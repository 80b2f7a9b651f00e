/* Queues, alone and between threads. */
#include "cmocka_headers.h"

#include <poll.h>
#include <sched.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/os.h"
#include "base/queue.h"
#include "base/thread.h"

static int items[1000];

static bool readable(const struct gs_queue *q)
{
    struct pollfd p = {gs_queue_fd(q), POLLIN, 0};

    return poll(&p, 1, 0) == 1;
}

static struct gs_queue *new_queue(size_t cap)
{
    struct gs_queue *q = NULL;

    assert_int_equal(gs_queue_create(cap, &q, NULL), GS_OK);
    return q;
}

static void is_first_in_first_out(void **state)
{
    struct gs_queue *q = new_queue(3);
    (void)state;

    assert_null(gs_queue_try_pop(q));
    for (int round = 0; round < 5; round++) { /* around the ring */
        assert_false(readable(q));
        assert_true(gs_queue_push(q, &items[0]) && gs_queue_push(q, &items[1]));
        assert_true(readable(q));
        assert_ptr_equal(gs_queue_pop(q), &items[0]);
        assert_true(gs_queue_push(q, &items[2]) && gs_queue_push(q, &items[3]));
        assert_false(gs_queue_push(q, &items[4])); /* full */
        assert_ptr_equal(gs_queue_try_pop(q), &items[1]);
        assert_ptr_equal(gs_queue_try_pop(q), &items[2]);
        assert_true(readable(q));
        assert_ptr_equal(gs_queue_try_pop(q), &items[3]);
        assert_null(gs_queue_try_pop(q));
    }
    gs_queue_free(q);
    gs_queue_free(NULL);
}

static void closed_drains_and_ends(void **state)
{
    struct gs_queue *q = new_queue(2);
    (void)state;

    assert_true(gs_queue_push(q, &items[0]));
    gs_queue_close(q);
    assert_true(readable(q));
    assert_false(gs_queue_push(q, &items[1]));
    assert_ptr_equal(gs_queue_pop(q), &items[0]);
    assert_null(gs_queue_pop(q));
    assert_null(gs_queue_try_pop(q));
    gs_queue_free(q);
}

static void no_memory_is_told(void **state)
{
    struct gs_queue *q = NULL;
    struct gs_error err = {0};
    (void)state;

    for (long n = 1; n <= 2; n++) {
        gs_alloc_fail_at(n);
        assert_int_equal(gs_queue_create(2, &q, &err), GS_ENOMEM);
        gs_alloc_fail_at(0);
    }
    assert_null(q);
}

/* ---- between threads ---- */

#define SENDERS    4
#define PER_SENDER 250

struct sender {
    struct gs_queue *q;
    int *first;
};

static void send(void *arg)
{
    const struct sender *s = arg;

    for (int i = 0; i < PER_SENDER; i++) {
        s->first[i] = 1; /* the receiver sees what was written before the push */
        while (!gs_queue_push(s->q, &s->first[i]))
            sched_yield();
    }
}

static void receive(struct gs_queue *q, bool by_poll)
{
    for (int n = 0; n < SENDERS * PER_SENDER;) {
        if (by_poll) {
            struct pollfd p = {gs_queue_fd(q), POLLIN, 0};
            assert_int_equal(poll(&p, 1, 10000), 1);
        }
        int *item = by_poll ? gs_queue_try_pop(q) : gs_queue_pop(q);
        while (item) {
            (*item)++;
            n++;
            item = gs_queue_try_pop(q);
        }
    }
}

static void nothing_is_lost(void **state)
{
    (void)state;
    for (int by_poll = 0; by_poll <= 1; by_poll++) {
        struct gs_queue *q = new_queue(7);
        pthread_t threads[SENDERS];
        struct sender senders[SENDERS];
        for (int i = 0; i < SENDERS; i++) {
            senders[i] = (struct sender){q, items + (ptrdiff_t)i * PER_SENDER};
            assert_int_equal(gs_thread_start(&threads[i], GS_THREAD_LOCAL, send, &senders[i], NULL),
                             GS_OK);
        }
        receive(q, by_poll);
        for (int i = 0; i < SENDERS; i++)
            pthread_join(threads[i], NULL);
        for (int i = 0; i < SENDERS * PER_SENDER; i++)
            assert_int_equal(items[i], 2);
        gs_queue_free(q);
    }
}

static void wait_for_close(void *arg)
{
    struct gs_queue *q = arg;

    while (gs_queue_pop(q))
        ;
}

static void close_wakes_the_receiver(void **state)
{
    struct gs_queue *q = new_queue(2);
    pthread_t thread;
    (void)state;

    assert_int_equal(gs_thread_start(&thread, GS_THREAD_ENGINE, wait_for_close, q, NULL), GS_OK);
    assert_true(gs_queue_push(q, &items[0]));
    gs_queue_close(q);
    pthread_join(thread, NULL);
    gs_queue_free(q);
}

static void waits_until_then(void **state)
{
    struct gs_queue *q = new_queue(2);
    bool is_over = true;
    (void)state;

    assert_null(gs_queue_pop_until(q, 0, &is_over)); /* long past */
    assert_false(is_over);
    assert_null(gs_queue_pop_until(q, gs_clock_mono_us() + 1000, &is_over));
    assert_false(is_over);
    assert_true(gs_queue_push(q, &items[0]));
    gs_queue_close(q);
    assert_ptr_equal(gs_queue_pop_until(q, INT64_MAX, &is_over), &items[0]);
    assert_false(is_over);
    assert_null(gs_queue_pop_until(q, INT64_MAX, &is_over));
    assert_true(is_over);
    gs_queue_free(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_first_in_first_out),    cmocka_unit_test(closed_drains_and_ends),
        cmocka_unit_test(no_memory_is_told),        cmocka_unit_test(nothing_is_lost),
        cmocka_unit_test(close_wakes_the_receiver), cmocka_unit_test(waits_until_then),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
