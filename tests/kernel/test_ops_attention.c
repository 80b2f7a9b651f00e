/* The paged KV cache and attention against a softmax in double precision. Pages are scattered and
 * full of NaN where nothing was written, so that reading too far shows. */
#include "kernel_test.h"

#define MAX_POS 700
#define MAX_ROW 48

struct attention_case {
    /* shape */
    enum gs_type type;
    uint32_t n_head, n_head_kv, d_k, d_v;
    uint32_t window;
    float softcap;
    bool sinks;
    bool v_in_k;            /* V rows are the beginnings of K rows */
    size_t n_past[3], n[3]; /* of up to three runs */
    size_t n_runs;
    /* memory */
    size_t rows;
    struct gs_kv_layer kv;
    struct gs_kv_run runs[3];
    uint32_t pages[3][MAX_POS / GS_KV_PAGE_TOKENS + 1];
    uint8_t *cache;
    size_t cache_bytes;
    float *past_k[3], *past_v[3]; /* [pos][head_kv][d], all tokens of the run */
    float *q, *k, *v, *out;
    float sink_values[8];
    struct gs_attention a;
};

static size_t row_bytes(enum gs_type t, size_t d)
{
    return d / gs_type_block_len(t) * gs_type_block_bytes(t);
}

static void case_init(struct attention_case *c, struct gs_rng *r)
{
    const size_t kb = row_bytes(c->type, c->d_k);
    const size_t vb = row_bytes(c->type, c->d_v);
    const size_t head_tokens = (size_t)c->n_head_kv * GS_KV_PAGE_TOKENS;
    uint32_t n_pages = 0;

    c->rows = 0;
    for (size_t i = 0; i < c->n_runs; i++) {
        const size_t len = c->n_past[i] + c->n[i];
        c->runs[i] = (struct gs_kv_run){c->pages[i], c->n_past[i], c->rows, c->n[i]};
        c->rows += c->n[i];
        for (size_t p = 0; p * GS_KV_PAGE_TOKENS < len; p++)
            c->pages[i][p] = n_pages++;
        c->past_k[i] = malloc(len * c->n_head_kv * c->d_k * sizeof(float));
        c->past_v[i] = malloc(len * c->n_head_kv * c->d_v * sizeof(float));
        random_floats(r, c->past_k[i], len * c->n_head_kv * c->d_k, 1);
        random_floats(r, c->past_v[i], len * c->n_head_kv * c->d_v, 1);
        for (size_t j = 0; c->v_in_k && j < len * c->n_head_kv; j++)
            memcpy(c->past_v[i] + j * c->d_v, c->past_k[i] + j * c->d_k, c->d_v * sizeof(float));
    }
    for (size_t i = 0; i < c->n_runs; i++) /* last page first */
        for (size_t p = 0; p * GS_KV_PAGE_TOKENS < c->n_past[i] + c->n[i]; p++)
            c->pages[i][p] = n_pages - 1 - c->pages[i][p];
    c->kv = (struct gs_kv_layer){.page_stride = head_tokens * (kb + vb) + 128,
                                 .k_off = 64,
                                 .v_off = 64 + head_tokens * kb,
                                 .k_row_bytes = kb,
                                 .v_row_bytes = vb,
                                 .type = c->type,
                                 .n_head_kv = c->n_head_kv,
                                 .d_k = c->d_k,
                                 .d_v = c->d_v};
    if (c->v_in_k) {
        c->kv.v_off = c->kv.k_off;
        c->kv.v_row_bytes = kb;
    }
    c->cache_bytes = n_pages * c->kv.page_stride;
    c->cache = malloc(c->cache_bytes);
    c->kv.base = c->cache;
    c->q = malloc(c->rows * c->n_head * c->d_k * sizeof(float));
    c->k = malloc(c->rows * c->n_head_kv * c->d_k * sizeof(float));
    c->v = malloc(c->rows * c->n_head_kv * c->d_v * sizeof(float));
    c->out = malloc(c->rows * c->n_head * c->d_v * sizeof(float));
    random_floats(r, c->q, c->rows * c->n_head * c->d_k, 1);
    random_floats(r, c->sink_values, 8, 2);
    c->a = (struct gs_attention){.kv = &c->kv,
                                 .runs = c->runs,
                                 .n_runs = c->n_runs,
                                 .n_head = c->n_head,
                                 .q_head_stride = c->d_k,
                                 .scale = 1 / sqrtf((float)c->d_k),
                                 .softcap = c->softcap,
                                 .window = c->window,
                                 .sinks = c->sinks ? c->sink_values : NULL};
}

static void case_clear(struct attention_case *c)
{
    for (size_t i = 0; i < c->n_runs; i++) {
        free(c->past_k[i]);
        free(c->past_v[i]);
    }
    free(c->cache);
    free(c->q);
    free(c->k);
    free(c->v);
    free(c->out);
}

static void append(struct gs_lane *lane, struct attention_case *c, const struct gs_kv_run *run,
                   size_t i)
{
    const size_t kd = (size_t)c->n_head_kv * c->d_k;
    const size_t vd = (size_t)c->n_head_kv * c->d_v;
    /* rows of the batch begin at run->row */
    struct gs_rows k = gs_rows(c->past_k[i] + run->n_past * kd - run->row * kd, 0, kd);
    struct gs_rows v = gs_rows(c->past_v[i] + run->n_past * vd - run->row * vd, 0, vd);

    gs_op_kv_append(lane, &c->kv, run, 1, k, v);
}

static void run_case(struct gs_lane *lane, void *arg)
{
    struct attention_case *c = arg;

    if (lane->idx == 0)
        memset(c->cache, 0xff, c->cache_bytes);
    gs_lane_sync(lane);
    for (size_t i = 0; i < c->n_runs; i++) {
        const struct gs_kv_run past = {c->pages[i], 0, 0, c->n_past[i]};
        append(lane, c, &past, i);
        append(lane, c, &c->runs[i], i);
    }
    gs_op_attention(lane, gs_rows(c->out, c->rows, (size_t)c->n_head * c->d_v),
                    gs_rows(c->q, c->rows, (size_t)c->n_head * c->d_k), &c->a);
}

/* One head of one row, in double precision. */
static void expected(const struct attention_case *c, size_t i, size_t t, size_t head, double *out)
{
    const size_t hk = head / (c->n_head / c->n_head_kv);
    const size_t end = c->n_past[i] + t + 1;
    const size_t first = c->window > 0 && end > c->window ? end - c->window : 0;
    const float *q = c->q + ((c->runs[i].row + t) * c->n_head + head) * c->d_k;
    double scores[MAX_POS];
    double max = c->sinks ? (double)c->sink_values[head] : -INFINITY;
    double sum = 0;

    for (size_t j = first; j < end; j++) {
        const float *k = c->past_k[i] + (j * c->n_head_kv + hk) * c->d_k;
        double s = 0;
        for (size_t x = 0; x < c->d_k; x++)
            s += (double)q[x] * (double)k[x];
        s *= (double)c->a.scale;
        scores[j] = c->softcap > 0 ? (double)c->softcap * tanh(s / (double)c->softcap) : s;
        max = fmax(max, scores[j]);
    }
    if (c->sinks)
        sum = exp((double)c->sink_values[head] - max);
    for (size_t x = 0; x < c->d_v; x++)
        out[x] = 0;
    for (size_t j = first; j < end; j++) {
        const float *v = c->past_v[i] + (j * c->n_head_kv + hk) * c->d_v;
        const double p = exp(scores[j] - max);
        sum += p;
        for (size_t x = 0; x < c->d_v; x++)
            out[x] += p * (double)v[x];
    }
    for (size_t x = 0; x < c->d_v; x++)
        out[x] /= sum;
}

static void check_values(const struct attention_case *c)
{
    const double bound = c->type == GS_TYPE_F32 ? 1e-5 : c->type == GS_TYPE_F16 ? 3e-3 : 3e-2;
    double want[128];

    for (size_t i = 0; i < c->n_runs; i++) {
        for (size_t t = 0; t < c->n[i]; t++) {
            for (size_t h = 0; h < c->n_head; h++) {
                const float *got = c->out + ((c->runs[i].row + t) * c->n_head + h) * c->d_v;
                expected(c, i, t, h, want);
                for (size_t x = 0; x < c->d_v; x++)
                    assert_near("attention", x, (double)got[x], want[x], bound);
            }
        }
    }
}

/* Few tokens and many tokens are computed in different ways. */
static bool same_way(size_t a, size_t b)
{
    return (a < 16) == (b < 16);
}

/* The last n tokens of run i, computed alone, have the bits they have in the batch. */
static void check_tail(const struct attention_case *c, size_t i, size_t n, enum gs_cpu_level l)
{
    const size_t row_floats = (size_t)c->n_head * c->d_v;
    const size_t row = c->runs[i].row + c->n[i] - n;
    struct attention_case one = *c;

    one.n_runs = 1;
    one.rows = n;
    one.n_past[0] = c->n_past[i] + c->n[i] - n;
    one.n[0] = n;
    one.runs[0] = (struct gs_kv_run){c->pages[i], one.n_past[0], 0, n};
    memcpy(one.pages[0], c->pages[i], sizeof(one.pages[0]));
    one.past_k[0] = c->past_k[i];
    one.past_v[0] = c->past_v[i];
    one.q = c->q + row * c->n_head * c->d_k;
    one.out = malloc(n * row_floats * sizeof(float));
    one.a.kv = &one.kv;
    one.a.runs = one.runs;
    one.a.n_runs = 1;
    run_lanes(2, l, run_case, &one);
    assert_memory_equal(one.out, c->out + row * row_floats, n * row_floats * sizeof(float));
    free(one.out);
}

static void check_tails(const struct attention_case *c, enum gs_cpu_level l)
{
    static const size_t tails[] = {1, 3, 17};

    for (size_t i = 0; i < c->n_runs; i++)
        for (size_t j = 0; j < GS_COUNT_OF(tails); j++)
            if (tails[j] <= c->n[i] && same_way(tails[j], c->n[i]))
                check_tail(c, i, tails[j], l);
}

static void check_case(struct attention_case *c, uint64_t seed)
{
    struct gs_rng r;

    gs_rng_seed(&r, seed);
    case_init(c, &r);
    FOR_LEVELS(l)
    {
        check_threads(l, run_case, c, c->out, c->rows * c->n_head * c->d_v);
        check_values(c);
        check_tails(c, l);
    }
    case_clear(c);
}

static void test_prefill(void **state)
{
    static struct attention_case c = {.type = GS_TYPE_F32,
                                      .n_head = 8,
                                      .n_head_kv = 2,
                                      .d_k = 32,
                                      .d_v = 32,
                                      .n_runs = 1,
                                      .n = {MAX_ROW}};

    (void)state;
    check_case(&c, 1);
}

static void test_several_sequences(void **state)
{
    static const enum gs_type types[] = {GS_TYPE_F32, GS_TYPE_F16, GS_TYPE_Q8_0};

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(types); i++) {
        static struct attention_case c;
        c = (struct attention_case){.type = types[i],
                                    .n_head = 4,
                                    .n_head_kv = 2,
                                    .d_k = 64,
                                    .d_v = 32,
                                    .n_runs = 3,
                                    .n_past = {0, 31, 300},
                                    .n = {5, 1, 9}};
        check_case(&c, 2 + i);
    }
}

/* More splits of more tokens than a round holds. */
static void test_rounds(void **state)
{
    (void)state;
    for (uint32_t window = 0; window <= 300; window += 300) {
        static struct attention_case c;
        c = (struct attention_case){.type = GS_TYPE_F16,
                                    .n_head = 4,
                                    .n_head_kv = 2,
                                    .d_k = 32,
                                    .d_v = 32,
                                    .n_runs = 3,
                                    .n_past = {500, 660, 600},
                                    .n = {15, 14, 10},
                                    .window = window};
        check_case(&c, 6);
    }
}

/* Values are the beginnings of keys; one KV head. */
static void test_latent(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 2; i++) {
        static struct attention_case c;
        c = (struct attention_case){.type = i == 0 ? GS_TYPE_F16 : GS_TYPE_Q8_0,
                                    .n_head = 8,
                                    .n_head_kv = 1,
                                    .d_k = 96,
                                    .d_v = 64,
                                    .v_in_k = true,
                                    .n_runs = 2,
                                    .n_past = {290, 20},
                                    .n = {2, 33}};
        check_case(&c, 7 + i);
    }
}

static void test_window_softcap_sinks(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 8; i++) {
        static struct attention_case c;
        c = (struct attention_case){.type = GS_TYPE_F32,
                                    .n_head = 6,
                                    .n_head_kv = i % 2 ? 6 : 1,
                                    .d_k = 20,
                                    .d_v = 20,
                                    .n_runs = 2,
                                    .n_past = {10, 500},
                                    .n = {30, 17},
                                    .window = i & 1   ? 40
                                              : i & 2 ? 300
                                                      : 0,
                                    .softcap = i & 2 ? 2.0f : 0.0f,
                                    .sinks = i & 4};
        check_case(&c, 10 + i);
    }
}

/* Huge scores neither overflow nor turn into NaN. */
static void test_extreme_scores(void **state)
{
    static struct attention_case c = {.type = GS_TYPE_F32,
                                      .n_head = 2,
                                      .n_head_kv = 1,
                                      .d_k = 16,
                                      .d_v = 16,
                                      .n_runs = 1,
                                      .n_past = {260},
                                      .n = {4}};
    struct gs_rng r;

    (void)state;
    gs_rng_seed(&r, 30);
    case_init(&c, &r);
    for (size_t i = 0; i < c.rows * c.n_head * c.d_k; i++)
        c.q[i] *= 1e4f;
    FOR_LEVELS(l)
    {
        run_lanes(3, l, run_case, &c);
        check_values(&c);
    }
    case_clear(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prefill),
        cmocka_unit_test(test_several_sequences),
        cmocka_unit_test(test_rounds),
        cmocka_unit_test(test_latent),
        cmocka_unit_test(test_window_softcap_sinks),
        cmocka_unit_test(test_extreme_scores),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
