/* genset-bench-kernels [LEVEL...] [TYPE...]: what each product kernel of each instruction set does
 * on one core of this machine, and how much of what the core can do at most.
 *
 * one:   one token; weights stream from memory (GB/s of weights, of the bandwidth of one thread).
 * few:   GS_DOT_TOKENS tokens; weights and activations in cache (GMAC/s, of the multiply peak).
 * panel: a prompt's tokens from panels, weights unpacked once for all of them (the same). */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/rng.h"
#include "bench_peak.h"
#include "compute/kernels.h"

#define DECODE_BYTES (256u << 20) /* of weights: larger than any cache */
#define K            2560
#define K_GROUPS     (K / GS_ACT_GROUP)
#define PANEL_TOKENS 512 /* of the prompt */
#define ROUNDS       3   /* the best one counts */

static const enum gs_type types[] = {
    GS_TYPE_F32,     GS_TYPE_F16,    GS_TYPE_BF16,   GS_TYPE_Q8_0,    GS_TYPE_Q4_0,  GS_TYPE_Q4_1,
    GS_TYPE_Q5_0,    GS_TYPE_Q5_1,   GS_TYPE_IQ4_NL, GS_TYPE_MXFP4,   GS_TYPE_Q2_K,  GS_TYPE_Q3_K,
    GS_TYPE_Q4_K,    GS_TYPE_Q5_K,   GS_TYPE_Q6_K,   GS_TYPE_IQ4_XS,  GS_TYPE_IQ1_S, GS_TYPE_IQ1_M,
    GS_TYPE_IQ2_XXS, GS_TYPE_IQ2_XS, GS_TYPE_IQ2_S,  GS_TYPE_IQ3_XXS, GS_TYPE_IQ3_S, GS_TYPE_TQ1_0,
    GS_TYPE_TQ2_0,   GS_TYPE_NVFP4,
};

struct memory {
    uint8_t *weights;
    float *x;       /* [GS_DOT_TOKENS][K] */
    void *q8, *q8k; /* the same, quantised */
    uint8_t *panels, *scratch;
    float *out;
    double read_rate; /* bytes per second */
};

static size_t row_bytes(enum gs_type t)
{
    return K / gs_type_block_len(t) * gs_type_block_bytes(t);
}

static const void *activations(const struct memory *m, enum gs_type t, size_t token)
{
    switch (gs_kernels_act_form(t)) {
    case GS_ACT_Q8:
        return (const struct gs_q8 *)m->q8 + token * K_GROUPS;
    case GS_ACT_Q8K:
        return (const struct gs_q8k *)m->q8k + token * K_GROUPS;
    case GS_ACT_F32:
        break;
    }
    return m->x + token * K;
}

/* ---- timing ---- */

/* Best seconds of `times` products. */
static double time_dot(const struct gs_kernels *k, const struct memory *m, enum gs_type t,
                       size_t rows, size_t tokens, size_t times)
{
    struct gs_dot d = {.w = m->weights, .n_rows = rows, .n = K, .n_tokens = tokens};
    double best = 1e9;

    d.w_stride = row_bytes(t);
    for (size_t i = 0; i < tokens; i++) {
        d.x[i] = activations(m, t, i);
        d.out[i] = m->out + i * rows;
    }
    for (int round = 0; round < ROUNDS; round++) {
        const int64_t start = gs_clock_mono_us();
        for (size_t i = 0; i < times; i++)
            k->dot[t](&d);
        const double s = (double)(gs_clock_mono_us() - start) * 1e-6;
        best = GS_MIN(best, s);
    }
    return best;
}

/* Panels of the same few tokens again and again. */
static void make_panels(const struct gs_kernels *k, const struct memory *m, enum gs_type t)
{
    const bool q8 = gs_kernels_act_form(t) == GS_ACT_Q8;
    const size_t bytes = q8 ? sizeof(struct gs_q8) : sizeof(struct gs_q8k);
    uint8_t *rows = m->scratch;

    for (size_t i = 0; i < PANEL_TOKENS / GS_PANEL_TOKENS * K_GROUPS; i++) {
        for (size_t j = 0; j < GS_PANEL_TOKENS; j++) {
            const uint8_t *x = activations(m, t, j % GS_DOT_TOKENS);
            memcpy(rows + j * bytes, x + i % K_GROUPS * bytes, bytes);
        }
        (q8 ? k->panel_of_q8 : k->panel_of_q8k)(rows, m->panels + i * GS_PANEL_BYTES);
    }
}

static double time_panel(const struct gs_kernels *k, const struct memory *m, enum gs_type t,
                         size_t times)
{
    const struct gs_panel p = {
        .w = m->weights,
        .w_stride = row_bytes(t),
        .n_rows = GS_PANEL_MAX_ROWS,
        .n = K,
        .n_tokens = PANEL_TOKENS,
        .x = m->panels,
        .out = m->out,
        .out_stride = GS_PANEL_MAX_ROWS,
        .scratch = m->scratch,
    };
    double best = 1e9;

    make_panels(k, m, t);
    for (int round = 0; round < ROUNDS; round++) {
        const int64_t start = gs_clock_mono_us();
        for (size_t i = 0; i < times; i++)
            k->panel[t](&p);
        const double s = (double)(gs_clock_mono_us() - start) * 1e-6;
        best = GS_MIN(best, s);
    }
    return best;
}

/* ---- the report ---- */

static void print_rate(const char *name, double rate, const char *unit, double peak)
{
    printf("  %s %6.1f %s", name, rate * 1e-9, unit);
    if (peak > 0)
        printf(" %3.0f%%", rate / peak * 100);
}

static void bench_type(const struct gs_kernels *k, const struct memory *m, enum gs_type t)
{
    const bool slow = k->level == GS_CPU_SCALAR;
    const enum gs_bench_unit unit =
        gs_kernels_act_form(t) == GS_ACT_F32 ? GS_BENCH_F32 : GS_BENCH_INT8;
    const double peak = gs_bench_peak_macs(gs_cpu_level_name(k->level), unit, 1);
    const size_t all = (slow ? DECODE_BYTES / 32 : DECODE_BYTES) / row_bytes(t);
    const size_t hot = 16; /* rows that stay in the first two caches */
    const size_t times = slow ? 2 : 500;
    const size_t panels = 20;

    const double one = time_dot(k, m, t, all, 1, 1);
    const double few = time_dot(k, m, t, hot, GS_DOT_TOKENS, times);
    printf("%-10s %-7s", gs_cpu_level_name(k->level), gs_type_name(t));
    print_rate("one", (double)(all * row_bytes(t)) / one, "GB/s", m->read_rate);
    print_rate("few", (double)(hot * times * GS_DOT_TOKENS * K) / few, "GMAC/s", peak);
    if (k->panel[t]) {
        const double s = time_panel(k, m, t, panels);
        print_rate("panel", (double)(GS_PANEL_MAX_ROWS * panels * PANEL_TOKENS * K) / s, "GMAC/s",
                   peak);
    }
    printf("\n");
}

/* Is `name` among the arguments, or no name of its kind? */
static bool wanted(char **args, const char *name, bool (*is_kind)(const char *name))
{
    bool any = false;

    for (; *args; args++) {
        if (strcmp(*args, name) == 0)
            return true;
        any = any || is_kind(*args);
    }
    return !any;
}

static bool is_level(const char *name)
{
    enum gs_cpu_level level;

    return gs_cpu_level_parse(name, &level, NULL) == GS_OK;
}

static bool is_type(const char *name)
{
    return !is_level(name);
}

static void bench_level(enum gs_cpu_level level, const struct memory *m, char **args)
{
    struct gs_kernels k;

    gs_kernels_init(&k, level);
    for (size_t i = 0; i < GS_COUNT_OF(types); i++)
        if (wanted(args, gs_type_name(types[i]), is_type))
            bench_type(&k, m, types[i]);
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

static bool alloc(struct memory *m)
{
    m->weights = gs_alloc_aligned(64, DECODE_BYTES);
    m->x = gs_alloc(GS_DOT_TOKENS * K * sizeof(float));
    m->q8 = gs_alloc_aligned(64, GS_DOT_TOKENS * K_GROUPS * sizeof(struct gs_q8));
    m->q8k = gs_alloc_aligned(64, GS_DOT_TOKENS * K_GROUPS * sizeof(struct gs_q8k));
    m->panels = gs_alloc_aligned(64, PANEL_TOKENS / GS_PANEL_TOKENS * K_GROUPS * GS_PANEL_BYTES);
    m->scratch = gs_alloc_aligned(64, GS_PANEL_MAX_ROWS * K_GROUPS * GS_PANEL_ROW_BYTES);
    m->out = gs_alloc(DECODE_BYTES / 64);
    return m->weights && m->x && m->q8 && m->q8k && m->panels && m->scratch && m->out;
}

int main(int argc, char **argv)
{
    struct gs_kernels ref;
    struct memory m = {0};

    (void)argc;
    if (!alloc(&m))
        return 1;
    fill(&m);
    m.read_rate = gs_bench_peak_read(1);
    gs_kernels_init_ref(&ref);
    ref.quantise_q8(m.x, m.q8, GS_DOT_TOKENS * K);
    ref.quantise_q8k(m.x, m.q8k, GS_DOT_TOKENS * K);
    for (enum gs_cpu_level l = GS_CPU_SCALAR; l < GS_CPU_LIMIT; l++)
        if (gs_cpu_has(l) && wanted(argv + 1, gs_cpu_level_name(l), is_level))
            bench_level(l, &m, argv + 1);
    gs_free(m.weights);
    gs_free(m.x);
    gs_free(m.q8);
    gs_free(m.q8k);
    gs_free(m.panels);
    gs_free(m.scratch);
    gs_free(m.out);
    return 0;
}
