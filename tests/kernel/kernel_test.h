/* What the kernel tests share: guarded buffers, random weights of every format, every level. */
#ifndef GS_TESTS_KERNEL_TEST_H
#define GS_TESTS_KERNEL_TEST_H

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/os.h"
#include "base/rng.h"
#include "cmocka_headers.h"
#include "compute/blocks.h"
#include "compute/kernels.h"
#include "compute/ops.h"
#include "compute/tensor.h"

/* ---- memory that ends at an unreadable page ---- */

struct guarded {
    uint8_t *base;
    size_t total;
    uint8_t *p; /* n bytes, up to the guard */
};

static inline struct guarded guarded_alloc(size_t n)
{
    const size_t page = gs_os_page_bytes();
    const size_t usable = (n + page - 1) / page * page;
    struct guarded g = {.total = usable + page};

    g.base = gs_os_reserve(g.total);
    assert_non_null(g.base);
    assert_int_equal(mprotect(g.base + usable, page, PROT_NONE), 0);
    g.p = g.base + usable - n;
    return g;
}

static inline void guarded_free(struct guarded *g)
{
    gs_os_release(g->base, g->total);
}

/* ---- random numbers ---- */

static inline void random_floats(struct gs_rng *r, float *x, size_t n, double scale)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(gs_rng_normal(r) * scale);
}

/* ---- weights ---- */

/* Float16 members of a block: their offsets; -1 ends. */
struct format {
    enum gs_type type;
    int halves[3];
};

static const struct format formats[] = {
    {GS_TYPE_F32, {-1}},
    {GS_TYPE_F16, {-1}},
    {GS_TYPE_BF16, {-1}},
    {GS_TYPE_Q4_0, {offsetof(struct gs_block_q4_0, d), -1}},
    {GS_TYPE_Q4_1, {offsetof(struct gs_block_q4_1, d), offsetof(struct gs_block_q4_1, m), -1}},
    {GS_TYPE_Q5_0, {offsetof(struct gs_block_q5_0, d), -1}},
    {GS_TYPE_Q5_1, {offsetof(struct gs_block_q5_1, d), offsetof(struct gs_block_q5_1, m), -1}},
    {GS_TYPE_Q8_0, {offsetof(struct gs_block_q8_0, d), -1}},
    {GS_TYPE_IQ4_NL, {offsetof(struct gs_block_iq4_nl, d), -1}},
    {GS_TYPE_MXFP4, {-1}},
    {GS_TYPE_Q2_K, {offsetof(struct gs_block_q2_k, d), offsetof(struct gs_block_q2_k, dmin), -1}},
    {GS_TYPE_Q3_K, {offsetof(struct gs_block_q3_k, d), -1}},
    {GS_TYPE_Q4_K, {offsetof(struct gs_block_q4_k, d), offsetof(struct gs_block_q4_k, dmin), -1}},
    {GS_TYPE_Q5_K, {offsetof(struct gs_block_q5_k, d), offsetof(struct gs_block_q5_k, dmin), -1}},
    {GS_TYPE_Q6_K, {offsetof(struct gs_block_q6_k, d), -1}},
    {GS_TYPE_IQ4_XS, {offsetof(struct gs_block_iq4_xs, d), -1}},
    {GS_TYPE_IQ2_XXS, {offsetof(struct gs_block_iq2_xxs, d), -1}},
    {GS_TYPE_IQ2_XS, {offsetof(struct gs_block_iq2_xs, d), -1}},
    {GS_TYPE_IQ2_S, {offsetof(struct gs_block_iq2_s, d), -1}},
    {GS_TYPE_IQ3_XXS, {offsetof(struct gs_block_iq3_xxs, d), -1}},
    {GS_TYPE_IQ3_S, {offsetof(struct gs_block_iq3_s, d), -1}},
    {GS_TYPE_IQ1_S, {offsetof(struct gs_block_iq1_s, d), -1}},
    {GS_TYPE_TQ1_0, {offsetof(struct gs_block_tq1_0, d), -1}},
    {GS_TYPE_TQ2_0, {offsetof(struct gs_block_tq2_0, d), -1}},
    {GS_TYPE_IQ1_M, {-1}},
    {GS_TYPE_NVFP4, {-1}},
};

#define N_FORMATS (sizeof(formats) / sizeof(formats[0]))

/* Byte patterns of weights: random, all zero bits, all one bits, these with the largest float16 as
 * scales. Scales are finite. */
enum pattern { PATTERN_RANDOM, PATTERN_ZEROS, PATTERN_ONES, PATTERN_LARGEST, N_PATTERNS };

static inline void random_weights(struct gs_rng *r, const struct format *f, enum pattern pattern,
                                  uint8_t *row, size_t n)
{
    const size_t bytes = gs_type_block_bytes(f->type);
    const size_t blocks = n / gs_type_block_len(f->type);

    for (size_t b = 0; b < blocks; b++) {
        uint8_t *block = row + b * bytes;
        const float x = (float)gs_rng_normal(r);
        const uint16_t half = (uint16_t)(0x1800 + (gs_rng_u64(r) & 0x8fff)); /* about 1e-3..1 */
        for (size_t i = 0; i < bytes; i++)
            block[i] = pattern == PATTERN_RANDOM  ? (uint8_t)gs_rng_u64(r)
                       : pattern == PATTERN_ZEROS ? 0
                                                  : 0xff;
        for (const int *h = f->halves; *h >= 0; h++) {
            const uint16_t d = pattern == PATTERN_LARGEST ? 0x7bff : (uint16_t)(half + 17 * *h);
            memcpy(block + *h, &d, sizeof(d));
        }
        if (f->type == GS_TYPE_F32)
            memcpy(block, &x, 4);
        if (f->type == GS_TYPE_BF16)
            memcpy(block, (const uint8_t *)&x + 2, 2);
        if (f->type == GS_TYPE_F16)
            memcpy(block, &half, 2);
        if (f->type == GS_TYPE_MXFP4)
            block[0] = (uint8_t)(118 + (gs_rng_u64(r) & 15));
        if (f->type == GS_TYPE_IQ1_M) /* the top nibble of d, with its exponent */
            block[offsetof(struct gs_block_iq1_m, scales) + 7] &= 0xbf;
    }
}

/* ---- lanes ---- */

/* Under an emulator, where everything takes a hundred times as long, the reference is not compared
 * with itself and one case in THIN is tried. */
#ifdef GENSET_EMULATED
#define THIN        4
#define FIRST_LEVEL (GS_CPU_SCALAR + 1)
static const int thread_counts[] = {1, 3};
#else
#define THIN        1
#define FIRST_LEVEL GS_CPU_SCALAR
static const int thread_counts[] = {1, 2, 3, 4, 8};
#endif

#define N_THREAD_COUNTS (sizeof(thread_counts) / sizeof(thread_counts[0]))

/* Run fn on n lanes of a level, with scratch for attention of 8 heads of 128. */
static inline void run_lanes(int n, enum gs_cpu_level level, gs_lane_fn *fn, void *arg)
{
    struct gs_error err = {0};
    struct gs_compute *c;

    assert_int_equal(gs_compute_create(n, gs_cpu_level_name(level), &c, &err), GS_OK);
    assert_int_equal(gs_compute_reserve_scratch(c, gs_attention_scratch_bytes(8, 128, 128), &err),
                     GS_OK);
    gs_compute_run(c, fn, arg);
    gs_compute_free(c);
}

/* fn fills out[n]: check that every number of threads gives the same bits; leaves out filled. */
static inline void check_threads(enum gs_cpu_level level, gs_lane_fn *fn, void *arg, float *out,
                                 size_t n)
{
    float *first = malloc(n * sizeof(float));

    for (size_t i = 0; i < N_THREAD_COUNTS; i++) {
        memset(out, 0xff, n * sizeof(float));
        run_lanes(thread_counts[i], level, fn, arg);
        if (i == 0)
            memcpy(first, out, n * sizeof(float));
        assert_memory_equal(first, out, n * sizeof(float));
    }
    free(first);
}

/* Every level this machine has. */
#define FOR_LEVELS(l)                                                                              \
    for (enum gs_cpu_level l = FIRST_LEVEL; l < GS_CPU_LIMIT; l++)                                 \
        if (gs_cpu_has(l))

static inline void assert_near(const char *what, size_t i, double got, double want, double bound)
{
    if (!(fabs(got - want) <= bound))
        fail_msg("%s, value %zu: %.9g, not %.9g within %g", what, i, got, want, bound);
}

#endif
