/* The pool: n - 1 threads that wait for a job, run it as lanes, and meet in barriers.
 *
 * All waits are the same: a word changes, and whoever waits for it spins a little and then sleeps
 * in the kernel. The one who changes it wakes sleepers only if there are any, so lanes that keep
 * pace never enter the kernel.
 *
 * The word of the job says how many lanes it has. A thread that has no part in it touches nothing
 * else, since nobody waits for it, and rests until a job has more lanes. */
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
#include "compute/pace.h"

#define CACHE_LINE 64

#define SPIN_BARRIER_US 20
#define SPIN_JOB_US     60
#define LATE_US         200 /* a longer wait for another lane is its processor's doing */

/* The word of a job: a number, and in the low bits the lanes. */
#define JOB_LANES_BITS 9
_Static_assert(GS_MAX_THREADS < 1 << JOB_LANES_BITS, "room for the lanes");

/* A word that can be waited for. */
struct event {
    GS_ALIGNED(CACHE_LINE) _Atomic uint32_t word;
    _Atomic uint32_t sleepers;
};

struct slot {
    GS_ALIGNED(CACHE_LINE) struct gs_lane lane;
    _Atomic int64_t late_us; /* of this job: how long it slept for want of other lanes */
    pthread_t thread;
};

struct gs_compute {
    struct event job;     /* a job was posted */
    struct event more;    /* one with more lanes than the last */
    struct event barrier; /* all lanes have arrived */
    GS_ALIGNED(CACHE_LINE) _Atomic uint32_t arrived;
    GS_ALIGNED(CACHE_LINE) _Atomic size_t next; /* item of gs_lane_next() */
    gs_lane_fn *fn;                             /* of the job; NULL: the threads end */
    void *arg;
    unsigned barrier_pauses, job_pauses; /* before sleeping, if every lane has a processor */
    unsigned spin;                       /* pauses in a barrier of this job */
    int cpus;
    int n; /* lanes of this job */
    int n_slots;
    int n_started; /* threads, without the caller's */
    struct gs_pace pace;
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

/* The kernel's view of a word. */
static const uint32_t *futex_word(const _Atomic uint32_t *word)
{
    return (const uint32_t *)(const void *)word;
}

/* Wait until the word is no longer `seen`; true if that took no sleep. */
static bool event_spin(struct event *e, uint32_t seen, unsigned spin)
{
    for (unsigned i = 0; i < spin; i++) {
        if (atomic_load_explicit(&e->word, memory_order_acquire) != seen)
            return true;
        cpu_pause();
    }
    return false;
}

static void event_sleep(struct event *e, uint32_t seen)
{
    atomic_fetch_add(&e->sleepers, 1);
    while (atomic_load(&e->word) == seen)
        gs_os_futex_wait(futex_word(&e->word), seen);
    atomic_fetch_sub(&e->sleepers, 1);
}

/* Change the word and wake. Word and sleepers are sequentially consistent: either the waiter sees
 * the new word, or we see the waiter. */
static void event_post(struct event *e, uint32_t word)
{
    atomic_store(&e->word, word);
    if (atomic_load(&e->sleepers) > 0)
        gs_os_futex_wake(futex_word(&e->word), GS_MAX_THREADS);
}

/* ---- lanes ---- */

/* Wait for the lanes that have not arrived. */
static void wait_for_lanes(struct gs_compute *c, int idx, uint32_t seen, unsigned spin)
{
    if (event_spin(&c->barrier, seen, spin))
        return;
    const int64_t since = gs_clock_mono_us();
    event_sleep(&c->barrier, seen);
    const int64_t us = gs_clock_mono_us() - since;
    if (us > LATE_US) /* perhaps after the job, if the wait was its last: no matter */
        atomic_fetch_add_explicit(&c->slots[idx].late_us, us, memory_order_relaxed);
}

void gs_lane_sync(struct gs_lane *lane)
{
    struct gs_compute *c = lane->c;
    /* All that is read of the job is read before arriving: then the next one may begin. */
    const uint32_t n = (uint32_t)c->n;
    const unsigned spin = c->spin;

    if (n == 1) {
        atomic_store_explicit(&c->next, 0, memory_order_relaxed);
        return;
    }
    const uint32_t seen = atomic_load_explicit(&c->barrier.word, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&c->arrived, 1, memory_order_acq_rel) + 1 < n) {
        wait_for_lanes(c, lane->idx, seen, spin);
        return;
    }
    atomic_store_explicit(&c->arrived, 0, memory_order_relaxed);
    atomic_store_explicit(&c->next, 0, memory_order_relaxed);
    event_post(&c->barrier, seen + 1);
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

void *gs_lane_first_scratch(struct gs_lane *lane)
{
    return lane->c->slots[0].lane.scratch;
}

/* ---- jobs ---- */

static void run_lane(struct gs_compute *c, struct gs_lane *lane)
{
    c->fn(lane, c->arg);
    gs_lane_sync(lane);
}

static int lanes_of(uint32_t job)
{
    return (int)(job & ((1u << JOB_LANES_BITS) - 1));
}

/* Sleep until there is a job with a part for lane `idx`; its word. */
static uint32_t rest(struct gs_compute *c, int idx)
{
    for (;;) {
        const uint32_t more = atomic_load(&c->more.word);
        const uint32_t job = atomic_load(&c->job.word);
        if (idx < lanes_of(job))
            return job;
        event_sleep(&c->more, more);
    }
}

static void worker(void *arg)
{
    struct slot *s = arg;
    struct gs_compute *c = s->lane.c;
    uint32_t job = 0;

    for (;;) {
        if (!event_spin(&c->job, job, c->job_pauses))
            event_sleep(&c->job, job);
        job = atomic_load(&c->job.word);
        if (s->lane.idx >= lanes_of(job))
            job = rest(c, s->lane.idx);
        if (!c->fn)
            return;
        run_lane(c, &s->lane);
    }
}

/* Let the first n lanes run fn; NULL ends all threads. */
static void post_job(struct gs_compute *c, int n, gs_lane_fn *fn, void *arg)
{
    const uint32_t last = atomic_load(&c->job.word);
    const uint32_t next = ((last >> JOB_LANES_BITS) + 1) << JOB_LANES_BITS | (uint32_t)n;

    c->fn = fn;
    c->arg = arg;
    c->n = n;
    c->spin = n > c->cpus ? 0 : c->barrier_pauses;
    for (int i = 0; i < n; i++) {
        c->slots[i].lane.n = n;
        atomic_store_explicit(&c->slots[i].late_us, 0, memory_order_relaxed);
    }
    if (n > 1 || lanes_of(last) > 1)
        event_post(&c->job, next);
    if (n > lanes_of(last))
        event_post(&c->more, atomic_load(&c->more.word) + 1);
}

static void run_on(struct gs_compute *c, int n, gs_lane_fn *fn, void *arg)
{
    post_job(c, n, fn, arg);
    run_lane(c, &c->slots[0].lane);
}

void gs_compute_run(struct gs_compute *c, gs_lane_fn *fn, void *arg)
{
    run_on(c, c->n_slots, fn, arg);
}

void gs_compute_run_step(struct gs_compute *c, gs_lane_fn *fn, void *arg, size_t cost)
{
    const int64_t since = gs_clock_mono_us();
    int64_t late_us = 0;

    run_on(c, c->pace.lanes, fn, arg);
    for (int i = 0; i < c->n; i++) {
        const int64_t us = atomic_load_explicit(&c->slots[i].late_us, memory_order_relaxed);
        late_us = GS_MAX(late_us, us);
    }
    gs_pace_step(&c->pace, cost, gs_clock_mono_us() - since, late_us);
}

/* ---- life ---- */

void gs_compute_free(struct gs_compute *c)
{
    if (!c)
        return;
    post_job(c, c->n_slots, NULL, NULL);
    for (int i = 1; i <= c->n_started; i++)
        pthread_join(c->slots[i].thread, NULL);
    for (int i = 0; i < c->n_slots; i++)
        gs_free(c->slots[i].lane.scratch);
    gs_free(c);
}

enum gs_status gs_compute_create(int n_threads, const char *cpu, struct gs_compute **out_c,
                                 struct gs_error *err)
{
    struct gs_kernels kernels;
    enum gs_status st;

    if (n_threads < 1 || n_threads > GS_MAX_THREADS)
        return gs_error_set(err, GS_EINVAL, "number of threads is %d, must be 1 to %d", n_threads,
                            GS_MAX_THREADS);
    st = gs_kernels_choose(&kernels, cpu, err);
    if (st != GS_OK)
        return st;

    const size_t bytes = sizeof(struct gs_compute) + (size_t)n_threads * sizeof(struct slot);
    struct gs_compute *c = gs_alloc_aligned(CACHE_LINE, bytes);
    if (!c)
        return gs_error_nomem(err, "start the compute threads");
    *c = (struct gs_compute){.n = n_threads, .n_slots = n_threads, .kernels = kernels};
    c->cpus = gs_os_cpu_count();
    gs_pace_init(&c->pace, GS_MIN(n_threads, c->cpus));
    c->barrier_pauses = pauses_in(SPIN_BARRIER_US);
    c->job_pauses = pauses_in(SPIN_JOB_US);
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
    return c->n_slots;
}

const char *gs_compute_cpu_name(const struct gs_compute *c)
{
    return gs_cpu_level_name(c->kernels.level);
}

const struct gs_kernels *gs_compute_kernels(const struct gs_compute *c)
{
    return &c->kernels;
}

size_t gs_compute_scratch_missing(const struct gs_compute *c, size_t bytes)
{
    size_t sum = 0;

    for (int i = 0; i < c->n_slots; i++)
        if (c->slots[i].lane.scratch_bytes < bytes && !gs_add_size(sum, bytes, &sum))
            return SIZE_MAX;
    return sum;
}

enum gs_status gs_compute_reserve_scratch(struct gs_compute *c, size_t bytes, struct gs_error *err)
{
    for (int i = 0; i < c->n_slots; i++) {
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
