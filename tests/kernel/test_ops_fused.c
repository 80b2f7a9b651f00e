/* What products do to their rows on the way: the bits of the same operations one after another. */
#include "kernel_test.h"

#define IN    512
#define OUT   192 /* three heads of 64 */
#define HEAD  64
#define ROWS  40
#define PAGES 4 /* of 32 tokens */
#define EPS   1e-5f

struct fused_case {
    bool fused;
    size_t rows;
    struct gs_tensor w, up;
    uint8_t weights[2][OUT * IN * 4];
    float bias[OUT], norm[IN], head_norm[HEAD];
    float x[ROWS * IN];
    float start[ROWS * OUT]; /* of a sum */
    float normed[ROWS * IN];
    float angles[ROWS * HEAD];
    int32_t pos[ROWS];
    struct gs_rope_params rope;
    float tmp[ROWS * OUT];
    struct {
        float sum[ROWS * OUT], glu[ROWS * OUT], heads[ROWS * OUT];
        uint8_t cache[PAGES * 2 * 3 * 32 * HEAD * 2];
    } out;
    void *q;
};

static struct gs_kv_layer cache_of(struct fused_case *c)
{
    const size_t row = HEAD * 2;

    return (struct gs_kv_layer){.base = c->out.cache,
                                .page_stride = 2 * 3 * 32 * row,
                                .v_off = 3 * 32 * row,
                                .k_row_bytes = row,
                                .v_row_bytes = row,
                                .type = GS_TYPE_F16,
                                .n_head_kv = 3,
                                .d_k = HEAD,
                                .d_v = HEAD};
}

/* One operation for everything. */
static void run_fused(struct gs_lane *lane, struct fused_case *c, const struct gs_kv_layer *kv,
                      const struct gs_kv_run *runs)
{
    struct gs_act x = gs_act(gs_rows(c->x, c->rows, IN), c->q);
    const struct gs_heads heads[] = {
        {.dim = HEAD,
         .stride = HEAD,
         .normed = true,
         .norm = c->head_norm,
         .eps = EPS,
         .rope = &c->rope,
         .angles = c->angles,
         .cache = kv,
         .runs = runs},
        {.dim = HEAD, .stride = HEAD, .cache = kv, .is_v = true, .runs = runs},
    };
    const struct gs_matmul m[] = {
        {.out = gs_rows(c->out.sum, c->rows, OUT), .w = &c->w, .bias = c->bias, .add = 0.5f},
        {.out = gs_rows(c->out.glu, c->rows, OUT), .w = &c->w, .up = &c->up, .up_bias = c->bias},
        {.out = gs_rows(c->out.heads, c->rows, OUT), .w = &c->w, .heads = &heads[0]},
        {.out = gs_rows(c->tmp, c->rows, OUT), .w = &c->up, .heads = &heads[1]},
    };

    x.norm = c->norm;
    x.eps = EPS;
    x.normed = c->normed;
    gs_op_matmul(lane, &x, m, GS_COUNT_OF(m));
}

static void product(struct gs_lane *lane, struct fused_case *c, float *out,
                    const struct gs_tensor *w, const float *bias)
{
    struct gs_act x = gs_act(gs_rows(c->normed, c->rows, IN), c->q);

    gs_op_matmul(lane, &x,
                 &(struct gs_matmul){.out = gs_rows(out, c->rows, OUT), .w = w, .bias = bias}, 1);
}

static void run_apart(struct gs_lane *lane, struct fused_case *c, const struct gs_kv_layer *kv,
                      const struct gs_kv_run *runs)
{
    const struct gs_rows tmp = gs_rows(c->tmp, c->rows, OUT);
    const struct gs_rows y = gs_rows(c->out.heads, c->rows, OUT);
    const struct gs_rows each = gs_rows(c->out.heads, c->rows * 3, HEAD);

    gs_op_rms_norm(lane, gs_rows(c->normed, c->rows, IN), gs_rows(c->x, c->rows, IN), c->norm, EPS);
    product(lane, c, c->tmp, &c->w, c->bias);
    gs_op_scale(lane, tmp, 0.5f);
    gs_op_add(lane, gs_rows(c->out.sum, c->rows, OUT), tmp);
    product(lane, c, c->out.glu, &c->w, NULL);
    product(lane, c, c->tmp, &c->up, c->bias);
    gs_op_glu(lane, GS_GLU_SILU, gs_rows(c->out.glu, c->rows, OUT),
              gs_rows(c->out.glu, c->rows, OUT), tmp);
    product(lane, c, c->out.heads, &c->w, NULL);
    product(lane, c, c->tmp, &c->up, NULL);
    gs_op_rms_norm(lane, each, each, c->head_norm, EPS);
    gs_op_rope(lane, y, 3, HEAD, &c->rope, c->angles);
    gs_op_kv_append(lane, kv, runs, 2, y, tmp);
}

/* Two sequences in one batch, the second with a past. */
static void run_case(struct gs_lane *lane, void *arg)
{
    static const uint32_t pages[2][2] = {{2, 0}, {1, 3}};
    struct fused_case *c = arg;
    const struct gs_kv_layer kv = cache_of(c);
    const size_t first = c->rows / 2;
    const struct gs_kv_run runs[] = {
        {.pages = pages[0], .row = 0, .n = first},
        {.pages = pages[1], .n_past = 30, .row = first, .n = c->rows - first},
    };

    gs_op_copy(lane, gs_rows(c->out.sum, c->rows, OUT), gs_rows(c->start, c->rows, OUT));
    gs_op_rope_table(lane, c->angles, &c->rope, c->pos, c->rows);
    (c->fused ? run_fused : run_apart)(lane, c, &kv, runs);
}

static void run_on(struct fused_case *c, bool fused, int n_threads, enum gs_cpu_level level)
{
    struct gs_error err = {0};
    struct gs_compute *pool;

    c->fused = fused;
    memset(&c->out, 0, sizeof(c->out));
    assert_int_equal(gs_compute_create(n_threads, gs_cpu_level_name(level), &pool, &err), GS_OK);
    assert_int_equal(gs_compute_reserve_scratch(pool, gs_op_matmul_scratch_bytes(c->rows), &err),
                     GS_OK);
    gs_compute_run(pool, run_case, c);
    gs_compute_free(pool);
}

static struct fused_case *case_create(struct gs_rng *r, const struct format *f)
{
    struct fused_case *c = calloc(1, sizeof(*c));
    struct gs_tensor *w[2] = {&c->w, &c->up};

    for (size_t i = 0; i < 2; i++) {
        *w[i] = (struct gs_tensor){.type = f->type,
                                   .ne = {IN, OUT, 1, 1},
                                   .row_bytes = IN / gs_type_block_len(f->type) *
                                                gs_type_block_bytes(f->type),
                                   .data = c->weights[i]};
        for (size_t j = 0; j < OUT; j++)
            random_weights(r, f, PATTERN_RANDOM, c->weights[i] + j * w[i]->row_bytes, IN);
    }
    random_floats(r, c->bias, OUT, 1);
    random_floats(r, c->norm, IN, 1);
    random_floats(r, c->head_norm, HEAD, 1);
    random_floats(r, c->x, ROWS * IN, 1);
    random_floats(r, c->start, ROWS * OUT, 1);
    for (int32_t i = 0; i < ROWS; i++)
        c->pos[i] = i;
    c->rope = (struct gs_rope_params){.pairs = GS_ROPE_HALVES,
                                      .n_rot = HEAD,
                                      .freq_base = 10000,
                                      .freq_scale = 1,
                                      .attn_factor = 1};
    c->q = aligned_alloc(64, gs_act_bytes(ROWS, IN));
    return c;
}

static void test_fused(void **state)
{
    static const size_t rows[] = {1, 2, 13, 16, ROWS};
    static const enum gs_type types[] = {GS_TYPE_F32, GS_TYPE_Q8_0, GS_TYPE_Q4_K, GS_TYPE_Q6_K};
    struct gs_rng r;

    (void)state;
    gs_rng_seed(&r, 1);
    for (size_t i = 0; i < N_FORMATS; i++) {
        bool wanted = false;
        for (size_t j = 0; j < GS_COUNT_OF(types); j++)
            wanted |= formats[i].type == types[j];
        if (!wanted)
            continue;
        struct fused_case *c = case_create(&r, &formats[i]);
        for (size_t j = 0; j < GS_COUNT_OF(rows); j++) {
            c->rows = rows[j];
            run_on(c, false, 1, gs_cpu_best((enum gs_cpu_level)(GS_CPU_LIMIT - 1)));
            void *apart = malloc(sizeof(c->out));
            memcpy(apart, &c->out, sizeof(c->out));
            for (int n_threads = 1; n_threads <= 3; n_threads++) {
                run_on(c, true, n_threads, gs_cpu_best((enum gs_cpu_level)(GS_CPU_LIMIT - 1)));
                assert_memory_equal(&c->out, apart, sizeof(c->out));
            }
            free(apart);
        }
        free(c->q);
        free(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fused)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
