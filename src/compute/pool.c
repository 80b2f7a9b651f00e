/* The pool: n - 1 threads that wait for a job, run it as lanes, and meet in barriers.
 *
 * Both waits (for a job, for a barrier) are the same: a counter changes, and whoever waits for it
 * spins a little and then sleeps in the kernel. The one who changes it wakes sleepers only if there
 * are any, so lanes that keep pace never enter the kernel. */
#include "compute/pool.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/os.h"
#include "base/thread.h"
#include "compute/kernels.h"

#define CACHE_LINE 64

#define SPIN_BARRIER_US 20
#define SPIN_JOB_US     60

/* A counter that can be waited for. */
struct event {
    GS_ALIGNED(CACHE_LINE) _Atomic uint32_t count;
    _Atomic uint32_t sleepers;
};

struct slot {
    GS_ALIGNED(CACHE_LINE) struct gs_lane lane;
    pthread_t thread;
};

struct gs_compute {
    struct event job;     /* a job was posted */
    struct event barrier; /* all lanes have arrived */
    GS_ALIGNED(CACHE_LINE) _Atomic uint32_t arrived;
    GS_ALIGNED(CACHE_LINE) _Atomic size_t next; /* item of gs_lane_next() */
    gs_lane_fn *fn;                             /* of the job; NULL: the threads end */
    void *arg;
    unsigned spin_barrier, spin_job; /* pauses before sleeping */
    int n;
    int n_started; /* threads, without the caller's */
    struct gs_kernels kernels;
    struct slot slots[];
};

/* ---- waiting ---- */

static inline void cpu_pause(void)
{
#if GS_ARCH_X86
    __builtin_ia32_pause();
#elif GS_ARCH_ARM
    __asm__ volatile("isb");
#endif
}

/* Pauses that fit into `us` on this machine. */
static unsigned pauses_in(unsigned us)
{
    const unsigned probe = 2000;
    const int64_t start = gs_clock_mono_us();

    for (unsigned i = 0; i < probe; i++)
        cpu_pause();
    const int64_t took_us = GS_MAX(gs_clock_mono_us() - start, (int64_t)1);
    return (unsigned)(us * (int64_t)probe / took_us) + 1;
}

/* The kernel's view of a counter. */
static const uint32_t *futex_word(const _Atomic uint32_t *count)
{
    return (const uint32_t *)(const void *)count;
}

/* Wait until the count is no longer `seen`. */
static void event_wait(struct event *e, uint32_t seen, unsigned spin)
{
    for (unsigned i = 0; i < spin; i++) {
        if (atomic_load_explicit(&e->count, memory_order_acquire) != seen)
            return;
        cpu_pause();
    }
    atomic_fetch_add(&e->sleepers, 1);
    while (atomic_load(&e->count) == seen)
        gs_os_futex_wait(futex_word(&e->count), seen);
    atomic_fetch_sub(&e->sleepers, 1);
}

/* Add one and wake. The count and the sleepers are sequentially consistent: either the waiter sees
 * the new count, or we see the waiter. */
static void event_post(struct event *e)
{
    atomic_fetch_add(&e->count, 1);
    if (atomic_load(&e->sleepers) > 0)
        gs_os_futex_wake(futex_word(&e->count), GS_MAX_THREADS);
}

/* ---- lanes ---- */

void gs_lane_sync(struct gs_lane *lane)
{
    struct gs_compute *c = lane->c;

    if (c->n == 1) {
        atomic_store_explicit(&c->next, 0, memory_order_relaxed);
        return;
    }
    const uint32_t seen = atomic_load_explicit(&c->barrier.count, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&c->arrived, 1, memory_order_acq_rel) + 1 < (uint32_t)c->n) {
        event_wait(&c->barrier, seen, c->spin_barrier);
        return;
    }
    atomic_store_explicit(&c->arrived, 0, memory_order_relaxed);
    atomic_store_explicit(&c->next, 0, memory_order_relaxed);
    event_post(&c->barrier);
}

void gs_lane_share(const struct gs_lane *lane, size_t n, size_t grain, size_t *out_begin,
                   size_t *out_end)
{
    const size_t grains = n / grain + (n % grain != 0);
    const size_t lanes = (size_t)lane->n;
    const size_t idx = (size_t)lane->idx;
    const size_t each = grains / lanes;
    const size_t more = grains % lanes; /* the first lanes get one more */
    const size_t begin = idx * each + GS_MIN(idx, more);

    *out_begin = GS_MIN(begin * grain, n);
    *out_end = GS_MIN((begin + each + (idx < more)) * grain, n);
}

size_t gs_lane_next(struct gs_lane *lane)
{
    return atomic_fetch_add_explicit(&lane->c->next, 1, memory_order_relaxed);
}

void *gs_lane_scratch(struct gs_lane *lane, size_t bytes)
{
    assert(bytes <= lane->scratch_bytes);
    (void)bytes;
    return lane->scratch;
}

/* ---- jobs ---- */

static void run_lane(struct gs_compute *c, struct gs_lane *lane)
{
    c->fn(lane, c->arg);
    gs_lane_sync(lane);
}

static void worker(void *arg)
{
    struct slot *s = arg;
    struct gs_compute *c = s->lane.c;

    for (uint32_t jobs = 0;; jobs++) {
        event_wait(&c->job, jobs, c->spin_job);
        if (!c->fn)
            return;
        run_lane(c, &s->lane);
    }
}

void gs_compute_run(struct gs_compute *c, gs_lane_fn *fn, void *arg)
{
    c->fn = fn;
    c->arg = arg;
    if (c->n > 1)
        event_post(&c->job);
    run_lane(c, &c->slots[0].lane);
}

/* ---- life ---- */

void gs_compute_free(struct gs_compute *c)
{
    if (!c)
        return;
    c->fn = NULL;
    event_post(&c->job);
    for (int i = 1; i <= c->n_started; i++)
        pthread_join(c->slots[i].thread, NULL);
    for (int i = 0; i < c->n; i++)
        gs_free(c->slots[i].lane.scratch);
    gs_free(c);
}

static enum gs_status pick_level(const char *cpu, enum gs_cpu_level *out_level,
                                 struct gs_error *err)
{
    enum gs_cpu_level cap = gs_cpu_detect();

    if (cpu) {
        enum gs_cpu_level asked;
        const enum gs_status st = gs_cpu_level_parse(cpu, &asked, err);
        if (st != GS_OK)
            return st;
        cap = GS_MIN(cap, asked);
    }
    *out_level = cap;
    return GS_OK;
}

enum gs_status gs_compute_create(int n_threads, const char *cpu, struct gs_compute **out_c,
                                 struct gs_error *err)
{
    enum gs_cpu_level level;
    enum gs_status st;

    if (n_threads < 1 || n_threads > GS_MAX_THREADS)
        return gs_error_set(err, GS_EINVAL, "number of threads is %d, must be 1 to %d", n_threads,
                            GS_MAX_THREADS);
    st = pick_level(cpu, &level, err);
    if (st != GS_OK)
        return st;

    const size_t bytes = sizeof(struct gs_compute) + (size_t)n_threads * sizeof(struct slot);
    struct gs_compute *c = gs_alloc_aligned(CACHE_LINE, bytes);
    if (!c)
        return gs_error_nomem(err, "start the compute threads");
    *c = (struct gs_compute){.n = n_threads};
    gs_kernels_init(&c->kernels, level);
    const bool crowded = n_threads > gs_os_core_count();
    c->spin_barrier = crowded ? 10 : pauses_in(SPIN_BARRIER_US);
    c->spin_job = crowded ? 10 : pauses_in(SPIN_JOB_US);
    for (int i = 0; i < n_threads; i++)
        c->slots[i] = (struct slot){.lane = {.idx = i, .n = n_threads, .c = c, .k = &c->kernels}};
    st = gs_compute_reserve_scratch(c, GS_LANE_MIN_SCRATCH, err);
    if (st != GS_OK) {
        gs_compute_free(c);
        return st;
    }
    for (int i = 1; i < n_threads; i++) {
        st = gs_thread_start(&c->slots[i].thread, GS_THREAD_POOL, worker, &c->slots[i], err);
        if (st != GS_OK) {
            gs_compute_free(c);
            return st;
        }
        c->n_started = i;
    }
    *out_c = c;
    return GS_OK;
}

int gs_compute_threads(const struct gs_compute *c)
{
    return c->n;
}

const char *gs_compute_cpu_name(const struct gs_compute *c)
{
    return gs_cpu_level_name(c->kernels.level);
}

enum gs_status gs_compute_reserve_scratch(struct gs_compute *c, size_t bytes, struct gs_error *err)
{
    for (int i = 0; i < c->n; i++) {
        struct gs_lane *lane = &c->slots[i].lane;
        if (lane->scratch_bytes >= bytes)
            continue;
        void *p = gs_alloc_aligned(CACHE_LINE, bytes);
        if (!p)
            return gs_error_nomem(err, "reserve scratch memory for the compute threads");
        gs_free(lane->scratch);
        lane->scratch = p;
        lane->scratch_bytes = bytes;
    }
    return GS_OK;
}
