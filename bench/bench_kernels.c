/* genset-bench-kernels [LEVEL...]: what each kernel of each instruction set does on this machine,
 * on one core.
 *
 * decode:  one token; weights stream from memory (GB/s of weights).
 * prefill: GS_DOT_TOKENS tokens; weights and activations in cache (GMAC/s). */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/rng.h"
#include "compute/kernels.h"

#define DECODE_BYTES (256u << 20) /* of weights: larger than any cache */
#define K            2560

static const enum gs_type types[] = {
    GS_TYPE_F32,     GS_TYPE_F16,    GS_TYPE_BF16,   GS_TYPE_Q8_0,    GS_TYPE_Q4_0,  GS_TYPE_Q4_1,
    GS_TYPE_Q5_0,    GS_TYPE_Q5_1,   GS_TYPE_IQ4_NL, GS_TYPE_MXFP4,   GS_TYPE_Q2_K,  GS_TYPE_Q3_K,
    GS_TYPE_Q4_K,    GS_TYPE_Q5_K,   GS_TYPE_Q6_K,   GS_TYPE_IQ4_XS,  GS_TYPE_IQ1_S, GS_TYPE_IQ1_M,
    GS_TYPE_IQ2_XXS, GS_TYPE_IQ2_XS, GS_TYPE_IQ2_S,  GS_TYPE_IQ3_XXS, GS_TYPE_IQ3_S, GS_TYPE_TQ1_0,
    GS_TYPE_TQ2_0,   GS_TYPE_NVFP4,
};

struct memory {
    uint8_t *weights;
    float *x;
    void *q8, *q8k;
    float *out;
};

static const void *activations(const struct memory *m, enum gs_type t, size_t token)
{
    const size_t groups = K / GS_ACT_GROUP;

    switch (gs_kernels_act_form(t)) {
    case GS_ACT_Q8:
        return (const struct gs_q8 *)m->q8 + token * groups;
    case GS_ACT_Q8K:
        return (const struct gs_q8k *)m->q8k + token * groups;
    case GS_ACT_F32:
        break;
    }
    return m->x + token * K;
}

/* Best seconds, of three, of `times` products. */
static double time_dot(const struct gs_kernels *k, const struct memory *m, enum gs_type t,
                       size_t rows, size_t tokens, size_t times)
{
    struct gs_dot d = {.w = m->weights, .n_rows = rows, .n = K, .n_tokens = tokens};
    double best = 1e9;

    d.w_stride = K / gs_type_block_len(t) * gs_type_block_bytes(t);
    for (size_t i = 0; i < tokens; i++) {
        d.x[i] = activations(m, t, i);
        d.out[i] = m->out + i * rows;
    }
    for (int run = 0; run < 3; run++) {
        const int64_t start = gs_clock_mono_us();
        for (size_t i = 0; i < times; i++)
            k->dot[t](&d);
        const double s = (double)(gs_clock_mono_us() - start) * 1e-6;
        best = s < best ? s : best;
    }
    return best;
}

static void bench_level(enum gs_cpu_level level, const struct memory *m)
{
    struct gs_kernels k;
    const bool slow = level == GS_CPU_SCALAR;

    gs_kernels_init(&k, level);
    for (size_t i = 0; i < GS_COUNT_OF(types); i++) {
        const enum gs_type t = types[i];
        const size_t row_bytes = K / gs_type_block_len(t) * gs_type_block_bytes(t);
        const size_t all = (slow ? DECODE_BYTES / 32 : DECODE_BYTES) / row_bytes;
        const size_t hot = 16; /* rows that stay in the first two caches */
        const size_t times = slow ? 2 : 500;
        const double decode = time_dot(&k, m, t, all, 1, 1);
        const double prefill = time_dot(&k, m, t, hot, GS_DOT_TOKENS, times);
        printf("%-10s %-7s decode %6.2f GB/s   prefill %6.1f GMAC/s\n", gs_cpu_level_name(level),
               gs_type_name(t), (double)(all * row_bytes) / decode * 1e-9,
               (double)(hot * times * GS_DOT_TOKENS * K) / prefill * 1e-9);
    }
}

/* Random bytes with harmless scales: every 16-bit word is a small float16. */
static void fill(struct memory *m)
{
    struct gs_rng r;
    uint16_t *w = (uint16_t *)(void *)m->weights;

    gs_rng_seed(&r, 1);
    for (size_t i = 0; i < DECODE_BYTES / 2; i++)
        w[i] = (uint16_t)(0x2000 + (i * 2654435761u >> 21));
    for (size_t i = 0; i < GS_DOT_TOKENS * K; i++)
        m->x[i] = (float)gs_rng_normal(&r);
}

int main(int argc, char **argv)
{
    const size_t groups = GS_DOT_TOKENS * K / GS_ACT_GROUP;
    struct gs_kernels ref;
    struct memory m = {
        .weights = gs_alloc_aligned(64, DECODE_BYTES),
        .x = gs_alloc(GS_DOT_TOKENS * K * sizeof(float)),
        .q8 = gs_alloc_aligned(64, groups * sizeof(struct gs_q8)),
        .q8k = gs_alloc_aligned(64, groups * sizeof(struct gs_q8k)),
        .out = gs_alloc(DECODE_BYTES / 64),
    };

    if (!m.weights || !m.x || !m.q8 || !m.q8k || !m.out)
        return 1;
    fill(&m);
    gs_kernels_init_ref(&ref);
    ref.quantise_q8(m.x, m.q8, GS_DOT_TOKENS * K);
    ref.quantise_q8k(m.x, m.q8k, GS_DOT_TOKENS * K);
    for (enum gs_cpu_level l = GS_CPU_SCALAR; l <= gs_cpu_detect(); l++) {
        bool wanted = argc < 2;
        for (int i = 1; i < argc; i++)
            wanted |= strcmp(argv[i], gs_cpu_level_name(l)) == 0;
        if (wanted)
            bench_level(l, &m);
    }
    gs_free(m.weights);
    gs_free(m.x);
    gs_free(m.q8);
    gs_free(m.q8k);
    gs_free(m.out);
    return 0;
}
