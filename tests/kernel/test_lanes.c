/* The pool: jobs, barriers, shares, more lanes than cores. */
#include <sched.h>
#include <stdatomic.h>

#include "base/alloc.h"
#include "compute/pool.h"
#include "kernel_test.h"

#define PHASES 200

static struct gs_compute *create(int n)
{
    struct gs_error err = {0};
    struct gs_compute *c;

    assert_int_equal(gs_compute_create(n, "scalar", &c, &err), GS_OK);
    assert_int_equal(gs_compute_threads(c), n);
    assert_string_equal(gs_compute_cpu_name(c), "scalar");
    return c;
}

/* Each lane adds the values all lanes wrote in the phase before: wrong if a barrier leaks. */
struct phases {
    uint64_t value[2][64];
    uint64_t sum;
};

static void run_phases(struct gs_lane *lane, void *arg)
{
    struct phases *p = arg;

    p->value[0][lane->idx] = 1;
    gs_lane_sync(lane);
    for (int i = 0; i < PHASES; i++) {
        uint64_t sum = 0;
        for (int j = 0; j < lane->n; j++)
            sum += p->value[i % 2][j];
        p->value[(i + 1) % 2][lane->idx] = sum % 1000003;
        gs_lane_sync(lane);
    }
    if (lane->idx == lane->n - 1)
        p->sum = p->value[0][0];
}

static void test_barriers(void **state)
{
    (void)state;
    for (int n = 1; n <= 8; n++) {
        struct gs_compute *c = create(n);
        uint64_t want = 1;
        for (int i = 0; i < PHASES; i++)
            want = want * (uint64_t)n % 1000003;
        for (int job = 0; job < 5; job++) {
            struct phases p = {0};
            gs_compute_run(c, run_phases, &p);
            assert_true(p.sum == want);
        }
        gs_compute_free(c);
    }
}

#define ITEMS 1000

struct items {
    int taken[2][ITEMS];
};

static void run_items(struct gs_lane *lane, void *arg)
{
    struct items *it = arg;

    for (int phase = 0; phase < 2; phase++) {
        for (size_t i = gs_lane_next(lane); i < ITEMS; i = gs_lane_next(lane))
            it->taken[phase][i]++;
        gs_lane_sync(lane);
    }
}

static void test_items_are_taken_once(void **state)
{
    (void)state;
    for (int n = 1; n <= 4; n++) {
        struct gs_compute *c = create(n);
        for (int job = 0; job < 3; job++) {
            static struct items it;
            it = (struct items){0};
            gs_compute_run(c, run_items, &it);
            for (size_t i = 0; i < ITEMS; i++) {
                assert_int_equal(it.taken[0][i], 1);
                assert_int_equal(it.taken[1][i], 1);
            }
        }
        gs_compute_free(c);
    }
}

static void test_shares(void **state)
{
    static const size_t sizes[] = {0, 1, 3, 4, 5, 63, 64, 65, 1000};
    static const size_t grains[] = {1, 4, 64};

    (void)state;
    for (int n = 1; n <= 9; n++) {
        for (size_t s = 0; s < GS_COUNT_OF(sizes); s++) {
            for (size_t g = 0; g < GS_COUNT_OF(grains); g++) {
                size_t next = 0;
                for (int i = 0; i < n; i++) {
                    const struct gs_lane lane = {.idx = i, .n = n};
                    size_t begin;
                    size_t end;
                    gs_lane_share(&lane, sizes[s], grains[g], &begin, &end);
                    assert_int_equal(begin, next);
                    assert_true(begin <= end && end <= sizes[s]);
                    assert_true(begin % grains[g] == 0 || begin == sizes[s]);
                    next = end;
                }
                assert_int_equal(next, sizes[s]);
            }
        }
    }
}

/* Jobs of all lanes and of as many as pay, in any order, with lanes that oversleep; every lane of a
 * job takes part in it once. */
struct rush {
    atomic_uint ran, started;
    unsigned n;
    bool sleepy;
};

static void run_rush(struct gs_lane *lane, void *arg)
{
    struct rush *r = arg;

    atomic_fetch_add(&r->started, 1);
    if (r->sleepy && lane->idx % 3 == 1)
        sched_yield();
    gs_lane_sync(lane);
    if (atomic_load(&r->started) == (unsigned)lane->n)
        atomic_fetch_add(&r->ran, 1);
    if (lane->idx == 0)
        r->n = (unsigned)lane->n;
}

static void test_jobs_of_changing_lanes(void **state)
{
    (void)state;
    for (int n = 1; n <= 8; n++) {
        struct gs_compute *c = create(n);
        for (unsigned job = 0; job < 300; job++) {
            struct rush r = {.sleepy = job % 7 < 2};
            if (job / 8 % 2)
                gs_compute_run(c, run_rush, &r);
            else
                gs_compute_run_step(c, run_rush, &r, 1 + job % 2);
            assert_true(r.n >= 1 && r.n <= (unsigned)n);
            assert_true(job / 8 % 2 == 0 || r.n == (unsigned)n);
            assert_int_equal(atomic_load(&r.ran), r.n);
        }
        gs_compute_free(c);
    }
}

/* A pool may end before its threads have got anywhere, or while they rest. */
static void test_pools_come_and_go(void **state)
{
    (void)state;
    for (int i = 0; i < 60; i++) {
        struct gs_compute *c = create(1 + i % 8);
        for (int job = 0; job < i % 4; job++) {
            struct rush r = {0};
            if (i % 2)
                gs_compute_run_step(c, run_rush, &r, 1);
            else
                gs_compute_run(c, run_rush, &r);
        }
        gs_compute_free(c);
    }
}

static void use_scratch(struct gs_lane *lane, void *arg)
{
    assert_true(lane->scratch_bytes >= 1000);
    memset(gs_lane_scratch(lane, 1000), lane->idx, 1000);
    (void)arg;
}

static void test_scratch(void **state)
{
    struct gs_compute *c = create(3);
    struct gs_error err = {0};

    (void)state;
    assert_int_equal(gs_compute_reserve_scratch(c, 10, &err), GS_OK);
    assert_int_equal(gs_compute_reserve_scratch(c, 1000, &err), GS_OK);
    assert_int_equal(gs_compute_reserve_scratch(c, 500, &err), GS_OK);
    assert_int_equal(gs_compute_scratch_missing(c, 1000), 0);
    assert_int_equal(gs_compute_scratch_missing(c, 5 << 20), 3 * (5 << 20));
    assert_int_equal(gs_compute_scratch_missing(c, SIZE_MAX / 2), SIZE_MAX);
    gs_compute_run(c, use_scratch, NULL);
    gs_compute_free(c);
}

static void test_errors(void **state)
{
    struct gs_error err = {0};
    struct gs_compute *c = NULL;

    (void)state;
    assert_int_equal(gs_compute_create(0, NULL, &c, &err), GS_EINVAL);
    assert_int_equal(gs_compute_create(100000, NULL, &c, &err), GS_EINVAL);
    assert_int_equal(gs_compute_create(1, "sse", &c, &err), GS_EINVAL);
    assert_null(c);
    for (long n = 1; n <= 7; n++) {
        gs_alloc_fail_at(n);
        const enum gs_status st = gs_compute_create(3, NULL, &c, &err);
        gs_alloc_fail_at(0);
        assert_int_equal(st, n <= 6 ? GS_ENOMEM : GS_OK);
    }
    gs_alloc_fail_at(2);
    assert_int_equal(gs_compute_reserve_scratch(c, 2 << 20, &err), GS_ENOMEM);
    gs_alloc_fail_at(0);
    assert_int_equal(gs_compute_reserve_scratch(c, 2 << 20, &err), GS_OK);
    gs_compute_free(c);
    gs_compute_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_barriers),
        cmocka_unit_test(test_items_are_taken_once),
        cmocka_unit_test(test_shares),
        cmocka_unit_test(test_scratch),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_jobs_of_changing_lanes),
        cmocka_unit_test(test_pools_come_and_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
