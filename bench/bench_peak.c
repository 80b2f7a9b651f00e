/* Peaks are found by experiment. Arithmetic: the multiply instruction of a set in a loop of twelve
 * independent chains, more than latency and width of any core ask for. Reading: lanes sum up a
 * buffer that no cache holds, in the best of several manners. Rounds end when the last lane does.
 */
#include "bench_peak.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/compiler.h"
#include "base/limits.h"
#include "base/os.h"
#include "compute/kernels.h"
#include "compute/lane.h"

#define ROUNDS      20   /* the best one counts */
#define ROUND_US    5000 /* of arithmetic */
#define READ_BYTES  (512 * GS_MIB)
#define READ_PASSES 5

/* ---- arithmetic ---- */

struct peak {
    const char *isa;
    enum gs_bench_unit unit;
    unsigned macs;               /* of one instruction */
    void (*run)(unsigned times); /* times CHAIN_OPS instructions */
    bool (*there)(void);
};

#define CHAIN_OPS  48
#define TWELVE(OP) OP(0) OP(1) OP(2) OP(3) OP(4) OP(5) OP(6) OP(7) OP(8) OP(9) OP(10) OP(11)
#define LOOP(NAME, CLEAR, OP, ...)                                                                 \
    static void NAME(unsigned times)                                                               \
    {                                                                                              \
        __asm__ volatile(TWELVE(CLEAR) CLEAR(12) CLEAR(13)::: __VA_ARGS__);                        \
        for (unsigned i = 0; i < times; i++)                                                       \
            __asm__ volatile(TWELVE(OP) TWELVE(OP) TWELVE(OP) TWELVE(OP)::: __VA_ARGS__);          \
    }

#if GS_ARCH_X86

#include <cpuid.h>

#include "compute/cpu/x86/tile.h"

#define X86_REGISTERS                                                                              \
    "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",       \
        "xmm11", "xmm12", "xmm13"
#define CLEAR_XMM(i) "vpxor %%xmm" #i ",%%xmm" #i ",%%xmm" #i "\n"
#define MADDUBS_Y(i) "vpmaddubsw %%ymm12,%%ymm13,%%ymm" #i "\n"
#define MADDUBS_Z(i) "vpmaddubsw %%zmm12,%%zmm13,%%zmm" #i "\n"
#define DPBUSD_Y(i)  "%{vex%} vpdpbusd %%ymm12,%%ymm13,%%ymm" #i "\n"
#define DPBUSD_Z(i)  "vpdpbusd %%zmm12,%%zmm13,%%zmm" #i "\n"
#define FMA_Y(i)     "vfmadd231ps %%ymm12,%%ymm13,%%ymm" #i "\n"
#define FMA_Z(i)     "vfmadd231ps %%zmm12,%%zmm13,%%zmm" #i "\n"

LOOP(int8_avx2, CLEAR_XMM, MADDUBS_Y, X86_REGISTERS)
LOOP(int8_avxvnni, CLEAR_XMM, DPBUSD_Y, X86_REGISTERS)
LOOP(int8_avx512, CLEAR_XMM, MADDUBS_Z, X86_REGISTERS)
LOOP(int8_avx512vnni, CLEAR_XMM, DPBUSD_Z, X86_REGISTERS)
LOOP(f32_avx2, CLEAR_XMM, FMA_Y, X86_REGISTERS)
LOOP(f32_avx512, CLEAR_XMM, FMA_Z, X86_REGISTERS)

#define AMX_CLEAR(i) "tilezero %%tmm" #i "\n"
#define AMX_DOT(i)   "tdpbssd %%tmm7,%%tmm6,%%tmm" #i "\n"
#define SIX(OP)      OP(0) OP(1) OP(2) OP(3) OP(4) OP(5)

/* Six chains of whole tiles: again more than their latency asks for. */
static void int8_amx(unsigned times)
{
    const struct tile_shapes whole = {.palette = 1,
                                      .row_bytes = {64, 64, 64, 64, 64, 64, 64, 64},
                                      .rows = {16, 16, 16, 16, 16, 16, 16, 16}};

    tile_configure(&whole);
    __asm__ volatile(SIX(AMX_CLEAR) AMX_CLEAR(6) AMX_CLEAR(7)::);
    for (unsigned i = 0; i < times; i++)
        __asm__ volatile(SIX(AMX_DOT) SIX(AMX_DOT) SIX(AMX_DOT) SIX(AMX_DOT) SIX(AMX_DOT)
                             SIX(AMX_DOT) SIX(AMX_DOT) SIX(AMX_DOT)::);
    tile_release();
}

static bool has_amx(void)
{
    return gs_cpu_has(GS_CPU_AMX);
}

static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool has_avxvnni(void)
{
    unsigned a;
    unsigned b;
    unsigned c;
    unsigned d;

    return has_avx2() && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 4 & 1);
}

static bool has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512bw");
}

static bool has_avx512vnni(void)
{
    return has_avx512() && __builtin_cpu_supports("avx512vnni");
}

static const struct peak peaks[] = {
    {"avx2", GS_BENCH_INT8, 32, int8_avx2, has_avx2},
    {"avx2", GS_BENCH_F32, 8, f32_avx2, has_avx2},
    {"avxvnni", GS_BENCH_INT8, 32, int8_avxvnni, has_avxvnni},
    {"avxvnni", GS_BENCH_F32, 8, f32_avx2, has_avxvnni},
    {"avx512", GS_BENCH_INT8, 64, int8_avx512, has_avx512},
    {"avx512", GS_BENCH_F32, 16, f32_avx512, has_avx512},
    {"avx512vnni", GS_BENCH_INT8, 64, int8_avx512vnni, has_avx512vnni},
    {"avx512vnni", GS_BENCH_F32, 16, f32_avx512, has_avx512vnni},
    {"amx", GS_BENCH_INT8, 16 * 16 * 64, int8_amx, has_amx},
    {"amx", GS_BENCH_F32, 16, f32_avx512, has_amx},
};

#elif GS_ARCH_ARM

#include <sys/auxv.h>

#define ARM_REGISTERS                                                                              \
    "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13"
#define CLEAR_V(i) "movi v" #i ".4s, #0\n"
#define FMLA_V(i)  "fmla v" #i ".4s, v12.4s, v13.4s\n"
#define SDOT_V(i)  ".arch armv8.6-a+dotprod\nsdot v" #i ".4s, v12.16b, v13.16b\n"
#define SMMLA_V(i) ".arch armv8.6-a+i8mm\nsmmla v" #i ".4s, v12.16b, v13.16b\n"

LOOP(f32_neon, CLEAR_V, FMLA_V, ARM_REGISTERS)
LOOP(int8_dotprod, CLEAR_V, SDOT_V, ARM_REGISTERS)
LOOP(int8_i8mm, CLEAR_V, SMMLA_V, ARM_REGISTERS)

static bool has_neon(void)
{
    return true;
}

static bool has_dotprod(void)
{
    return getauxval(AT_HWCAP) >> 20 & 1; /* ASIMDDP */
}

static bool has_i8mm(void)
{
    return getauxval(AT_HWCAP2) >> 13 & 1; /* I8MM */
}

static const struct peak peaks[] = {
    {"neon", GS_BENCH_F32, 4, f32_neon, has_neon},
    {"dotprod", GS_BENCH_INT8, 16, int8_dotprod, has_dotprod},
    {"dotprod", GS_BENCH_F32, 4, f32_neon, has_dotprod},
    {"i8mm", GS_BENCH_INT8, 32, int8_i8mm, has_i8mm},
    {"i8mm", GS_BENCH_F32, 4, f32_neon, has_i8mm},
};

#else
static const struct peak peaks[1]; /* none */
#endif

static const struct peak *find_peak(const char *isa, enum gs_bench_unit unit)
{
    for (size_t i = 0; i < GS_COUNT_OF(peaks); i++)
        if (peaks[i].isa && strcmp(peaks[i].isa, isa) == 0 && peaks[i].unit == unit)
            return &peaks[i];
    return NULL;
}

const char *gs_bench_peak_isa(unsigned idx)
{
    const char *last = "";

    for (size_t i = 0; i < GS_COUNT_OF(peaks); i++) {
        const struct peak *p = &peaks[i];
        if (!p->isa || strcmp(p->isa, last) == 0 || !p->there())
            continue;
        if (idx-- == 0)
            return p->isa;
        last = p->isa;
    }
    return NULL;
}

/* ---- lanes ---- */

/* What all lanes do in one round. */
struct round {
    const struct peak *peak; /* multiply */
    unsigned times;
    const uint64_t *words; /* or read */
    size_t n_words;
    size_t n_streams, ahead;
    uint64_t sums[GS_BENCH_MAX_THREADS]; /* of what was read, so that reading cannot be left out */
};

/* Microseconds until the last lane has done it. */
static int64_t time_round(struct gs_compute *c, gs_lane_fn *body, struct round *r)
{
    const int64_t start = gs_clock_mono_us();

    gs_compute_run(c, body, r);
    return GS_MAX(gs_clock_mono_us() - start, 1);
}

static void multiply(struct gs_lane *lane, void *arg)
{
    const struct round *r = arg;

    (void)lane;
    r->peak->run(r->times);
}

double gs_bench_peak_macs(const char *isa, enum gs_bench_unit unit, int n_threads)
{
    struct round r = {.peak = find_peak(isa, unit), .times = 1000};
    const int n = GS_MIN(n_threads, GS_BENCH_MAX_THREADS);
    struct gs_compute *c;
    int64_t best = INT64_MAX;

    if (!r.peak || !r.peak->there() || gs_compute_create(n, NULL, &c, NULL) != GS_OK)
        return 0;
    while (time_round(c, multiply, &r) < ROUND_US)
        r.times *= 2;
    for (int i = 0; i < ROUNDS; i++) {
        const int64_t us = time_round(c, multiply, &r);
        best = GS_MIN(best, us);
    }
    gs_compute_free(c);
    return (double)n * r.times * CHAIN_OPS * r.peak->macs * 1e6 / (double)best;
}

/* ---- reading ---- */

/* `n_streams` places are read in turns, each with the line `ahead` words further on asked for. */
static uint64_t sum_words(const uint64_t *words, size_t n, size_t n_streams, size_t ahead)
{
    const size_t part = n / n_streams;
    uint64_t sums[8] = {0};

    for (size_t i = 0; i + 8 <= part; i += 8) {
        for (size_t s = 0; s < n_streams; s++) {
            const uint64_t *at = words + s * part + i;
            __builtin_prefetch(at + ahead);
            for (size_t j = 0; j < 8; j++)
                sums[j] += at[j];
        }
    }
    for (size_t j = 1; j < 8; j++)
        sums[0] += sums[j];
    return sums[0];
}

static void read_words(struct gs_lane *lane, void *arg)
{
    struct round *r = arg;
    size_t begin;
    size_t end;

    gs_lane_share(lane, r->n_words, 8, &begin, &end);
    r->sums[lane->idx] = sum_words(r->words + begin, end - begin, r->n_streams, r->ahead);
}

static double read_best(struct gs_compute *c, const uint64_t *words)
{
    static const size_t streams[] = {1, 2, 4};
    static const size_t aheads[] = {0, 128, 512}; /* words */
    struct round r = {.words = words, .n_words = READ_BYTES / sizeof(*words)};
    int64_t best = INT64_MAX;

    for (size_t i = 0; i < GS_COUNT_OF(streams) * GS_COUNT_OF(aheads) * READ_PASSES; i++) {
        const size_t manner = i / READ_PASSES;
        r.n_streams = streams[manner / GS_COUNT_OF(aheads)];
        r.ahead = aheads[manner % GS_COUNT_OF(aheads)];
        const int64_t us = time_round(c, read_words, &r);
        best = GS_MIN(best, us);
    }
    return (double)READ_BYTES * 1e6 / (double)best;
}

double gs_bench_peak_read(int n_threads)
{
    const int64_t available = gs_os_memory_available_bytes();
    struct gs_compute *c;
    double rate = 0;

    if (available >= 0 && (size_t)available < 2 * READ_BYTES)
        return 0;
    if (gs_compute_create(GS_MIN(n_threads, GS_BENCH_MAX_THREADS), NULL, &c, NULL) != GS_OK)
        return 0;
    uint64_t *words = gs_alloc(READ_BYTES);
    if (words) {
        memset(words, 1, READ_BYTES); /* or every page is the same page of zeros */
        rate = read_best(c, words);
    }
    gs_free(words);
    gs_compute_free(c);
    return rate;
}
