/* The pool of compute threads: every lane runs the same function (SPMD), each op divides its work
 * by lane. Lane 0 is the calling thread. */
#ifndef GS_COMPUTE_LANE_H
#define GS_COMPUTE_LANE_H

#include <stddef.h>

#include "base/compiler.h"
#include "genset/status.h"

struct gs_compute; /* the pool, its kernels and its scratch memory */
struct gs_kernels;

struct gs_lane {
    int idx; /* 0..n-1 */
    int n;
    struct gs_compute *c;
    const struct gs_kernels *k;
    void *scratch; /* this lane's own, scratch_bytes, 64-aligned */
    size_t scratch_bytes;
};

/* n_threads >= 1. `cpu` caps the instruction set ("scalar", "avx2", "avx512"...), NULL = best;
 * GS_EINVAL for a name it does not know, GS_EUNSUPPORTED for "amx" where that cannot be had. */
GS_MUST_CHECK enum gs_status gs_compute_create(int n_threads, const char *cpu,
                                               struct gs_compute **out_c, struct gs_error *err);
void gs_compute_free(struct gs_compute *c);
int gs_compute_threads(const struct gs_compute *c);
const char *gs_compute_cpu_name(const struct gs_compute *c); /* "avx512vnni" */
const struct gs_kernels *gs_compute_kernels(const struct gs_compute *c);

/* Memory that gs_compute_reserve_scratch() of so much would add. */
size_t gs_compute_scratch_missing(const struct gs_compute *c, size_t bytes);
/* Give every lane at least `bytes` of scratch. Not while a job runs. */
GS_MUST_CHECK enum gs_status gs_compute_reserve_scratch(struct gs_compute *c, size_t bytes,
                                                        struct gs_error *err);

typedef void gs_lane_fn(struct gs_lane *lane, void *arg);

/* Run fn on all lanes; returns when all have returned. No allocation, no system call while the
 * lanes are awake. thread: one caller at a time. */
void gs_compute_run(struct gs_compute *c, gs_lane_fn *fn, void *arg);

/* The same for one of many steps of which those with the same cost (in any unit) have the same
 * work: on as many lanes as the machine has processors at most, and on fewer where lanes keep
 * waiting for others whose processors are busy with something else (pace.h). */
void gs_compute_run_step(struct gs_compute *c, gs_lane_fn *fn, void *arg, size_t cost);

/* Barrier of all lanes: what any lane wrote before it, every lane sees after it. */
void gs_lane_sync(struct gs_lane *lane);

/* This lane's part [*begin, *end) of n items, in multiples of grain (but for the tail). The parts
 * depend on the number of lanes, so no result may depend on the parts. */
void gs_lane_share(const struct gs_lane *lane, size_t n, size_t grain, size_t *out_begin,
                   size_t *out_end);

#endif
