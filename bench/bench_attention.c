/* genset-bench-attention [-t THREADS] [LEVEL]: what attention over the paged cache and the gated
 * delta rule cost.
 *
 * Attention has the shape of one layer of Qwen3-4B, Qwen3.5-4B or DeepSeek-V2-Lite; decode runs
 * through as many layers as it takes to come from memory. "prefill" is the last PROMPT tokens of a
 * prompt as long as the depth says, "decode" one token at that depth. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/os.h"
#include "base/rng.h"
#include "compute/ops.h"

#define PROMPT       512
#define DECODE_BYTES ((size_t)128 << 20) /* of keys and values: larger than the caches */
#define DELTA_HEADS  32
#define DELTA_D      128

struct shape {
    const char *name;
    uint32_t n_head, n_head_kv, d_k, d_v;
    uint32_t window;
    bool v_in_k;
};

static const struct shape shapes[] = {
    {"32/8 x 128", 32, 8, 128, 128, 0, false},
    {"32/8 x 128", 32, 8, 128, 128, 1024, false},
    {"16/4 x 256", 16, 4, 256, 256, 0, false},
    {"16/1 x 576", 16, 1, 576, 512, 0, true},
};

static size_t row_bytes(enum gs_type t, size_t d)
{
    return d / gs_type_block_len(t) * gs_type_block_bytes(t);
}

/* ---- attention ---- */

struct attention_run {
    struct gs_compute *c;
    struct gs_kv_layer *layers;
    size_t n_layers;
    struct gs_kv_run run;
    struct gs_attention a;
    struct gs_rows q, out;
};

static void run_layers(struct gs_lane *lane, void *arg)
{
    const struct attention_run *r = arg;
    struct gs_attention a = r->a;

    for (size_t i = 0; i < r->n_layers; i++) {
        a.kv = &r->layers[i];
        gs_op_attention(lane, r->out, r->q, &a);
    }
}

/* Best seconds per layer, of three. */
static double time_layers(struct attention_run *r, size_t depth, size_t tokens)
{
    double best = 1e9;

    r->run.n_past = depth - tokens;
    r->run.n = tokens;
    r->q.n = r->out.n = tokens;
    for (int i = 0; i < 3; i++) {
        const int64_t start = gs_clock_mono_us();
        gs_compute_run(r->c, run_layers, r);
        const double s = (double)(gs_clock_mono_us() - start) * 1e-6;
        best = s < best ? s : best;
    }
    return best / (double)r->n_layers;
}

static void report(const struct shape *s, enum gs_type type, size_t depth, size_t keys,
                   double prefill, double decode)
{
    const size_t kb = row_bytes(type, s->d_k);
    const size_t per_key = s->n_head_kv * (s->v_in_k ? kb : kb + row_bytes(type, s->d_v));
    const size_t span = s->window > 0 ? GS_MIN((size_t)s->window, depth) : depth;
    const double macs = (double)s->n_head * (s->d_k + s->d_v) * (double)keys;

    printf("%-10s %-4s window %4u depth %5zu  prefill %8.2f us/token %6.1f GMAC/s", s->name,
           gs_type_name(type), s->window, depth,
           prefill / (double)GS_MIN(depth, (size_t)PROMPT) * 1e6, macs / prefill * 1e-9);
    printf("  decode %8.1f us %5.1f GB/s\n", decode * 1e6,
           (double)(span * per_key) / decode * 1e-9);
    fflush(stdout);
}

static void bench_depth(struct attention_run *r, const struct shape *s, enum gs_type type,
                        size_t depth)
{
    const size_t tokens = GS_MIN(depth, (size_t)PROMPT);
    const size_t layers = r->n_layers;
    size_t keys = 0; /* seen by all tokens */

    for (size_t t = depth - tokens; t < depth; t++)
        keys += s->window > 0 ? GS_MIN((size_t)s->window, t + 1) : t + 1;
    const double decode = time_layers(r, depth, 1);
    r->n_layers = 1;
    const double prefill = time_layers(r, depth, tokens);
    r->n_layers = layers;
    report(s, type, depth, keys, prefill, decode);
}

/* Small halves everywhere: harmless as values and as scales. */
static void fill(uint8_t *p, size_t n)
{
    for (size_t i = 0; i + 2 <= n; i += 2) {
        const uint16_t half = (uint16_t)(0x2000 + (i * 2654435761u >> 21) % 0x1000);
        memcpy(p + i, &half, sizeof(half));
    }
}

static void bench_shape(struct gs_compute *c, const struct shape *s, enum gs_type type)
{
    static const size_t depths[] = {512, 2048, 8192, 32768};
    const size_t max_pages = depths[GS_COUNT_OF(depths) - 1] / GS_KV_PAGE_TOKENS;
    const size_t head_tokens = (size_t)s->n_head_kv * GS_KV_PAGE_TOKENS;
    const size_t k_bytes = head_tokens * row_bytes(type, s->d_k);
    const size_t v_bytes = s->v_in_k ? 0 : head_tokens * row_bytes(type, s->d_v);
    const size_t page = k_bytes + v_bytes;
    const size_t bytes = GS_MAX(DECODE_BYTES, max_pages * page);
    const size_t floats = (size_t)PROMPT * s->n_head * s->d_k;
    struct gs_error err = {0};
    struct gs_rng rng;
    uint8_t *cache = gs_alloc_aligned(64, bytes);
    uint32_t *pages = gs_alloc_array(max_pages, sizeof(*pages));
    struct gs_kv_layer *layers = gs_alloc_array(bytes / page, sizeof(*layers));
    float *q = gs_alloc_array(floats, sizeof(float));
    float *out = gs_alloc_array(floats, sizeof(float));

    if (!cache || !pages || !layers || !q || !out ||
        gs_compute_reserve_scratch(c, gs_attention_scratch_bytes(s->n_head, s->d_k, s->d_v),
                                   &err) != GS_OK)
        abort();
    fill(cache, bytes);
    gs_rng_seed(&rng, 1);
    for (size_t i = 0; i < floats; i++)
        q[i] = (float)gs_rng_normal(&rng);
    for (size_t i = 0; i < GS_COUNT_OF(depths); i++) {
        const size_t n_pages = depths[i] / GS_KV_PAGE_TOKENS;
        struct attention_run r = {
            .c = c,
            .layers = layers,
            .n_layers = bytes / page / n_pages,
            .run = {.pages = pages},
            .a = {.n_runs = 1,
                  .n_head = s->n_head,
                  .q_head_stride = s->d_k,
                  .scale = 0.1f,
                  .window = s->window},
            .q = gs_rows(q, PROMPT, (size_t)s->n_head * s->d_k),
            .out = gs_rows(out, PROMPT, (size_t)s->n_head * s->d_v),
        };
        r.a.runs = &r.run;
        for (size_t l = 0; l < r.n_layers; l++) /* as in the model: a page holds all layers */
            layers[l] =
                (struct gs_kv_layer){.base = cache,
                                     .page_stride = r.n_layers * page,
                                     .k_off = l * page,
                                     .v_off = l * page + (s->v_in_k ? 0 : k_bytes),
                                     .k_row_bytes = row_bytes(type, s->d_k),
                                     .v_row_bytes = row_bytes(type, s->v_in_k ? s->d_k : s->d_v),
                                     .type = type,
                                     .n_head_kv = s->n_head_kv,
                                     .d_k = s->d_k,
                                     .d_v = s->d_v};
        for (size_t p = 0; p < n_pages; p++)
            pages[p] = (uint32_t)p;
        bench_depth(&r, s, type, depths[i]);
    }
    gs_free(cache);
    gs_free(pages);
    gs_free(layers);
    gs_free(q);
    gs_free(out);
}

/* ---- delta rule ---- */

struct delta_run {
    struct gs_delta_rule p;
    struct gs_state_run run;
    struct gs_rows out;
    size_t n_layers;
    float *state;
};

static void run_delta(struct gs_lane *lane, void *arg)
{
    const struct delta_run *d = arg;
    struct gs_delta_rule p = d->p;
    struct gs_state_run run = d->run;

    p.runs = &run;
    for (size_t i = 0; i < d->n_layers; i++) {
        run.delta = d->state + i * DELTA_HEADS * DELTA_D * DELTA_D;
        gs_op_delta_rule(lane, d->out, &p);
    }
}

static void bench_delta(struct gs_compute *c)
{
    const size_t dim = (size_t)DELTA_HEADS * DELTA_D;
    const size_t state = dim * DELTA_D * 24;
    float *x = gs_alloc_array((size_t)PROMPT * dim * 3, sizeof(float));
    float *gates = gs_alloc_array((size_t)PROMPT * DELTA_HEADS * 2, sizeof(float));
    float *s = gs_alloc_array(state, sizeof(float));
    struct gs_rng rng;

    if (!x || !gates || !s)
        abort();
    gs_rng_seed(&rng, 2);
    for (size_t i = 0; i < (size_t)PROMPT * dim * 3; i++)
        x[i] = (float)gs_rng_normal(&rng) * 0.09f;
    for (size_t i = 0; i < (size_t)PROMPT * DELTA_HEADS; i++) {
        gates[i] = -(float)gs_rng_double(&rng) * 0.1f;
        gates[(size_t)PROMPT * DELTA_HEADS + i] = (float)gs_rng_double(&rng);
    }
    memset(s, 0, state * sizeof(float));
    for (size_t n = PROMPT; n >= 1; n = n > 1 ? 1 : 0) {
        struct delta_run d = {.state = s, .n_layers = n > 1 ? 1 : 24, .run = {.n = n}};
        double best = 1e9;
        d.p = (struct gs_delta_rule){
            .n_k = DELTA_HEADS,
            .n_v = DELTA_HEADS,
            .d = DELTA_D,
            .q = gs_rows(x, n, dim),
            .k = gs_rows(x, n, dim),
            .v = gs_rows(x + PROMPT * dim, n, dim),
            .g = gs_rows(gates, n, DELTA_HEADS),
            .beta = gs_rows(gates + (size_t)PROMPT * DELTA_HEADS, n, DELTA_HEADS),
            .n_runs = 1,
        };
        d.out = gs_rows(x + 2 * PROMPT * dim, n, dim);
        for (int i = 0; i < 5; i++) {
            const int64_t start = gs_clock_mono_us();
            gs_compute_run(c, run_delta, &d);
            best = GS_MIN(best, (double)(gs_clock_mono_us() - start));
        }
        best *= gs_compute_threads(c) / (double)(n * d.n_layers * DELTA_HEADS);
        printf("delta rule 128 x 128, %3zu tokens: %.3f us per token and head on one core\n", n,
               best);
    }
    gs_free(x);
    gs_free(gates);
    gs_free(s);
}

int main(int argc, char **argv)
{
    static const enum gs_type types[] = {GS_TYPE_F16, GS_TYPE_Q8_0};
    struct gs_error err = {0};
    struct gs_compute *c;
    int threads = gs_os_core_count();
    const char *level = NULL;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-t") == 0 && i + 1 < argc)
            threads = (int)strtol(argv[++i], NULL, 10);
        else
            level = argv[i];
    }
    if (gs_compute_create(threads, level, &c, &err) != GS_OK) {
        fprintf(stderr, "genset-bench-attention: %s\n", err.msg);
        return 1;
    }
    printf("%d threads, %s\n", threads, gs_compute_cpu_name(c));
    for (size_t i = 0; i < GS_COUNT_OF(shapes); i++)
        for (size_t t = 0; t < GS_COUNT_OF(types); t++)
            bench_shape(c, &shapes[i], types[t]);
    bench_delta(c);
    gs_compute_free(c);
    return 0;
}
