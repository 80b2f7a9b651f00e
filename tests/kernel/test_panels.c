/* Products from panels, at every level that has them: the bits of all levels are the same, and they
 * are near the reference's products, for extreme weights and activations, odd shapes, unaligned
 * weights and unreadable memory behind everything. */
#include "compute/pool.h"
#include "kernel_test.h"
#ifdef GENSET_TILE_MODEL
#include "tile_model.h"
#endif

#define MAX_GROUPS 5
#define MAX_ROWS   GS_PANEL_MAX_ROWS

struct products {
    const struct format *f;
    size_t n, rows, tokens;
    size_t groups, row_bytes, stride; /* stride of out: some floats more than rows */
    size_t scratch_bytes;
    struct guarded w, panels, scratch, out;
    struct guarded x; /* activations as floats, n of each token */
    uint8_t *q;       /* and as rows of their form */
};

static struct gs_kernels ref;
static struct gs_kernels best;

/* Tokens that make the sums of products largest come first. */
static void fill_token(struct gs_rng *r, float *x, size_t n, size_t token)
{
    random_floats(r, x, n, 1);
    for (size_t i = 0; token < 3 && i < n; i++)
        x[i] = token == 0 || (token == 2 && i % 2) ? 1 : -1;
}

static void products_init(struct products *p, struct gs_rng *r)
{
    const size_t padded = (p->tokens + GS_PANEL_TOKENS - 1) / GS_PANEL_TOKENS * GS_PANEL_TOKENS;
    const size_t grains = (p->rows + GS_PANEL_GRAIN - 1) / GS_PANEL_GRAIN;
    const enum gs_act_form form = gs_kernels_act_form(p->f->type);

    p->groups = (p->n + GS_ACT_GROUP - 1) / GS_ACT_GROUP;
    p->row_bytes = p->n / gs_type_block_len(p->f->type) * gs_type_block_bytes(p->f->type);
    p->stride = p->rows + 3;
    p->w = guarded_alloc(p->rows * p->row_bytes);
    p->panels = guarded_alloc(padded * p->groups * sizeof(struct gs_q8k));
    p->scratch_bytes = form == GS_ACT_F32
                           ? GS_LANE_MIN_SCRATCH
                           : grains * GS_PANEL_GRAIN * p->groups * GS_PANEL_ROW_BYTES;
    p->scratch = guarded_alloc(p->scratch_bytes);
    p->out = guarded_alloc(((p->tokens - 1) * p->stride + p->rows) * sizeof(float));
    p->q = aligned_alloc(64, padded * p->groups * sizeof(struct gs_q8k));
    memset(p->q, 0, padded * p->groups * sizeof(struct gs_q8k));
    p->x = guarded_alloc(p->tokens * p->n * sizeof(float));
    for (size_t t = 0; t < p->tokens; t++) {
        float *x = (float *)(void *)p->x.p + t * p->n;
        uint8_t *q = p->q + t * p->groups * sizeof(struct gs_q8k);
        fill_token(r, x, p->n, t);
        if (form != GS_ACT_F32)
            (form == GS_ACT_Q8 ? ref.quantise_q8 : ref.quantise_q8k)(x, q, p->n);
    }
}

static void products_clear(struct products *p)
{
    guarded_free(&p->w);
    guarded_free(&p->panels);
    guarded_free(&p->scratch);
    guarded_free(&p->out);
    guarded_free(&p->x);
    free(p->q);
}

/* The panels of a level. */
static void make_panels(const struct products *p, const struct gs_kernels *k)
{
    GS_ALIGNED(64) uint8_t rows[GS_PANEL_BYTES];
    const bool q8 = gs_kernels_act_form(p->f->type) == GS_ACT_Q8;
    const size_t bytes = sizeof(struct gs_q8k);
    uint8_t *panel = p->panels.p;

    for (size_t t = 0; t < p->tokens; t += GS_PANEL_TOKENS) {
        for (size_t g = 0; g < p->groups; g++, panel += GS_PANEL_BYTES) {
            for (size_t i = 0; i < GS_PANEL_TOKENS; i++)
                memcpy(rows + i * bytes, p->q + ((t + i) * p->groups + g) * bytes, bytes);
            (q8 ? k->panel_of_q8 : k->panel_of_q8k)(rows, panel);
        }
    }
}

static void products_run(const struct products *p, const struct gs_kernels *k, const float *bias)
{
    const bool is_float = gs_kernels_act_form(p->f->type) == GS_ACT_F32;
    const struct gs_panel run = {.w = p->w.p,
                                 .w_stride = p->row_bytes,
                                 .n_rows = p->rows,
                                 .n = p->n,
                                 .n_tokens = p->tokens,
                                 .x = is_float ? p->x.p : p->panels.p,
                                 .x_stride = p->n,
                                 .out = (float *)(void *)p->out.p,
                                 .out_stride = p->stride,
                                 .bias = bias,
                                 .scratch = p->scratch.p};

    if (!is_float)
        make_panels(p, k);
    memset(p->scratch.p, 0xff, p->scratch_bytes);
    memset(p->out.p, 0xff, ((p->tokens - 1) * p->stride + p->rows) * sizeof(float));
    k->panel[p->f->type](&run);
}

/* |w| |x| of a row and a token. */
static double norm_product(const struct products *p, size_t row, size_t token)
{
    static float w[MAX_GROUPS * GS_ACT_GROUP];
    const float *x = (const float *)(const void *)p->x.p + token * p->n;
    double ww = 0;
    double xx = 0;

    gs_compute_dequant_row(p->f->type, p->w.p + row * p->row_bytes, w, p->n);
    for (size_t i = 0; i < p->n; i++) {
        ww += (double)w[i] * (double)w[i];
        xx += (double)x[i] * (double)x[i];
    }
    return sqrt(ww * xx);
}

/* Some tokens against the reference's products. */
static void check_reference(const struct products *p, const float *bias)
{
    const float *out = (const float *)(const void *)p->out.p;
    const bool is_float = gs_kernels_act_form(p->f->type) == GS_ACT_F32;
    float want[MAX_ROWS];

    for (size_t t = 0; t < p->tokens; t += t < 4 ? 1 : GS_MAX(p->tokens / 7, (size_t)1)) {
        const uint8_t *q = p->q + t * p->groups * sizeof(struct gs_q8k);
        const struct gs_dot d = {.w = p->w.p,
                                 .w_stride = p->row_bytes,
                                 .n_rows = p->rows,
                                 .n = p->n,
                                 .n_tokens = 1,
                                 .x = {is_float ? p->x.p + t * p->n * sizeof(float) : q},
                                 .out = {want}};
        ref.dot[p->f->type](&d);
        for (size_t r = 0; r < p->rows; r++)
            assert_near(gs_type_name(p->f->type), r,
                        (double)out[t * p->stride + r] - (double)bias[r], (double)want[r],
                        2e-6 * norm_product(p, r, t) + 1e-5);
    }
}

static void check_gaps(const struct products *p)
{
    static const uint8_t untouched[3 * sizeof(float)] = {255, 255, 255, 255, 255, 255,
                                                         255, 255, 255, 255, 255, 255};

    for (size_t t = 0; t + 1 < p->tokens; t++)
        assert_memory_equal(p->out.p + (t * p->stride + p->rows) * sizeof(float), untouched,
                            sizeof(untouched));
}

/* The products by k have the bits of `first`, which the first level fills. */
static void check_bits(const struct products *p, const struct gs_kernels *k, const char *level,
                       const float *bias, uint8_t **first)
{
    const size_t bytes = ((p->tokens - 1) * p->stride + p->rows) * sizeof(float);

    if (!k->panel[p->f->type])
        return;
    products_run(p, k, bias);
    if (!*first) {
        check_reference(p, bias);
        check_gaps(p);
        *first = malloc(bytes);
        memcpy(*first, p->out.p, bytes);
    }
    if (memcmp(*first, p->out.p, bytes) != 0)
        fail_msg("%s, %zu rows, %zu tokens, %zu values: %s has other bits than those below",
                 gs_type_name(p->f->type), p->rows, p->tokens, p->n, level);
}

static void check_levels(struct products *p, const float *bias)
{
    uint8_t *first = NULL;
    struct gs_kernels k;

    FOR_LEVELS(l)
    {
        gs_kernels_init(&k, l);
        check_bits(p, &k, gs_cpu_level_name(l), bias, &first);
    }
#ifdef GENSET_TILE_MODEL
    if (gs_cpu_has(GS_CPU_AVX512VNNI)) {
        gs_kernels_init(&k, GS_CPU_AVX512VNNI);
        gs_kernels_init_panel_amx_model(&k);
        check_bits(p, &k, "the model of amx", bias, &first);
        assert_false(tile_model_in_use());
    }
#endif
    free(first);
}

struct shape {
    size_t rows, tokens, units; /* units: blocks, or 37 values */
};

static void check_shape(struct gs_rng *r, const struct format *f, const struct shape *s,
                        enum pattern pattern)
{
    struct products p = {.f = f, .rows = s->rows, .tokens = s->tokens};
    float bias[MAX_ROWS];

    p.n = s->units * (gs_type_block_len(f->type) == 1 ? 37 : gs_type_block_len(f->type));
    products_init(&p, r);
    for (size_t i = 0; i < s->rows; i++) {
        random_weights(r, f, pattern, p.w.p + i * p.row_bytes, p.n);
        bias[i] = (float)(i % 5);
    }
    check_levels(&p, bias);
    products_clear(&p);
}

static void test_shapes(void **state)
{
    static const struct shape shapes[] = {{1, 1, 1},   {11, 16, 3}, {12, 17, 5}, {13, 31, 1},
                                          {16, 32, 3}, {17, 33, 5}, {47, 40, 3}, {48, 15, 1}};
    struct gs_rng r;

    (void)state;
    gs_rng_seed(&r, 1);
    for (size_t f = 0; f < N_FORMATS; f++)
        for (size_t i = 0; i < GS_COUNT_OF(shapes); i++)
            for (enum pattern pat = PATTERN_RANDOM; pat < N_PATTERNS; pat++)
                if (best.panel[formats[f].type])
                    check_shape(&r, &formats[f], &shapes[i], pat);
}

static void test_many_tokens(void **state)
{
    static const struct shape shapes[] = {{13, 511, 1}, {5, 512, 3}, {12, 513, 1}};
    struct gs_rng r;

    (void)state;
    gs_rng_seed(&r, 2);
    for (size_t f = 0; f < N_FORMATS; f++)
        for (size_t i = 0; i < GS_COUNT_OF(shapes); i++)
            if (best.panel[formats[f].type])
                check_shape(&r, &formats[f], &shapes[i], PATTERN_RANDOM);
}

/* Tails of groups of small blocks. */
static void test_tails(void **state)
{
    struct gs_rng r;

    (void)state;
    gs_rng_seed(&r, 3);
    for (size_t f = 0; f < N_FORMATS; f++)
        for (size_t units = 1; units <= 19 && gs_type_block_len(formats[f].type) < GS_BLOCK_K;
             units += 2)
            check_shape(&r, &formats[f], &(struct shape){7, 19, units}, PATTERN_RANDOM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_many_tokens),
        cmocka_unit_test(test_tails),
    };

    gs_kernels_init_ref(&ref);
    gs_kernels_init(&best, gs_cpu_best((enum gs_cpu_level)(GS_CPU_LIMIT - 1)));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
