/* What the machine itself can do, to hold measurements against. */
#ifndef GS_BENCH_PEAK_H
#define GS_BENCH_PEAK_H

#define GS_BENCH_MAX_THREADS 64

enum gs_bench_unit { GS_BENCH_INT8, GS_BENCH_F32 };

/* By index, NULL past the end: instruction sets this machine has that multiply faster than those
 * before, named as the levels of kernels are. */
const char *gs_bench_peak_isa(unsigned idx);
/* Multiply-accumulates per second of n threads together, doing nothing else; 0 if the machine has
 * no such instructions. */
double gs_bench_peak_macs(const char *isa, enum gs_bench_unit unit, int n_threads);
/* Bytes per second that n threads read from memory; 0 when there is too little of it. */
double gs_bench_peak_read(int n_threads);

#endif
