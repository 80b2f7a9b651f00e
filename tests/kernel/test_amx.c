/* AMX: its model (what it computes, what it refuses), the panels made with that, and the comparison
 * that stands before the real one is used. test_panels.c has the panels of all formats and shapes.
 */
#include <string.h>

#include "base/error.h"
#include "cmocka_headers.h"
#include "compute/kernels.h"
#include "compute/lane.h"

/* ---- choosing ---- */

/* Forced where there is none, it is an error; never named, it is none. */
static void test_forced(void **state)
{
    struct gs_compute *c = NULL;
    struct gs_error err = {0};

    (void)state;
    if (gs_cpu_has(GS_CPU_AMX) && !gs_kernels_amx_problem()) {
        assert_int_equal(gs_compute_create(1, "amx", &c, &err), GS_OK);
        assert_string_equal(gs_compute_cpu_name(c), "amx");
    } else {
        assert_int_equal(gs_compute_create(1, "amx", &c, &err), GS_EUNSUPPORTED);
        assert_non_null(strstr(err.msg, "AMX"));
        assert_int_equal(gs_compute_create(1, NULL, &c, &err), GS_OK);
        assert_true(strcmp(gs_compute_cpu_name(c), "amx") != 0);
    }
    gs_compute_free(c);
    assert_int_equal(gs_compute_create(1, "avx512vnni", &c, &err), GS_OK);
    assert_true(strcmp(gs_compute_cpu_name(c), "amx") != 0);
    gs_compute_free(c);
}

#ifdef GENSET_TILE_MODEL
#include "compute/cpu/x86/tile.h"
#include "tile_model.h"

/* ---- the model ---- */

/* Sums of 3 rows and 2 columns of 8 values. */
static struct tile_shapes shapes_of_products(void)
{
    return (struct tile_shapes){.palette = 1, .row_bytes = {8, 8, 8}, .rows = {3, 3, 2}};
}

static void test_products(void **state)
{
    static const int8_t a[3][8] = {
        {1, 2, 3, 4, 5, 6, 7, 8}, {-128, -128, -128, -128, 0, 0, 0, 127}, {0, 0, 0, 0, 0, 0, 0, 1}};
    static const int8_t b[2][2][4] = {{{1, 1, 1, 1}, {-128, -128, -128, -128}},
                                      {{2, 0, 0, 0}, {-1, -1, -1, 127}}};
    const struct tile_shapes s = shapes_of_products();
    int32_t c[3][4];

    (void)state;
    memset(c, 0xff, sizeof(c));
    tile_configure(&s);
    tile_zero(0);
    tile_load(1, a, sizeof(a[0]));
    tile_load(2, b, sizeof(b[0]));
    tile_dot(0, 1, 2);
    tile_dot(0, 1, 2);
    tile_store(0, c, sizeof(c[0]));
    tile_release();
    for (int m = 0; m < 3; m++) {
        for (int n = 0; n < 2; n++) {
            int32_t want = 0;
            for (int k = 0; k < 8; k++)
                want += 2 * a[m][k] * b[k / 4][n][k % 4];
            assert_int_equal(c[m][n], want);
        }
        assert_int_equal(c[m][2], -1); /* rows are as long as they were said to be */
    }
}

static void test_shapes_refused(void **state)
{
    struct tile_shapes s = shapes_of_products();

    (void)state;
    s.palette = 2;
    expect_assert_failure(tile_configure(&s));
    s = shapes_of_products();
    s.zeros[13] = 1;
    expect_assert_failure(tile_configure(&s));
    s = shapes_of_products();
    s.row_bytes[0] = 65;
    expect_assert_failure(tile_configure(&s));
    s = shapes_of_products();
    s.rows[0] = 17;
    expect_assert_failure(tile_configure(&s));
    s = shapes_of_products();
    s.rows[0] = 0;
    expect_assert_failure(tile_configure(&s));
    s = shapes_of_products();
    s.row_bytes[8] = 8;
    s.rows[8] = 1;
    expect_assert_failure(tile_configure(&s));
}

static void test_uses_refused(void **state)
{
    struct tile_shapes s = shapes_of_products();
    uint8_t memory[64] = {0};

    (void)state;
    tile_release();
    expect_assert_failure(tile_zero(0)); /* nothing is configured */
    tile_configure(&s);
    assert_true(tile_model_in_use());
    expect_assert_failure(tile_zero(3)); /* no shape */
    expect_assert_failure(tile_load(3, memory, 8));
    expect_assert_failure(tile_dot(0, 1, 1));
    expect_assert_failure(tile_dot(0, 2, 1)); /* 3 rows, 2 rows */
    s.rows[2] = 1;
    tile_configure(&s);
    expect_assert_failure(tile_dot(0, 1, 2)); /* 8 values, 4 values */
    s.rows[2] = 2;
    s.row_bytes[0] = 4;
    tile_configure(&s);
    expect_assert_failure(tile_dot(0, 1, 2)); /* 1 column, 2 columns */
    tile_release();
    assert_false(tile_model_in_use());
}

/* ---- comparing ---- */

static struct gs_kernels model;
static gs_panel_fn *right;

/* One bit of one output of the last token is another. */
static void wrong_panel(const struct gs_panel *p)
{
    float *x = p->out + (p->n_tokens - 1) * p->out_stride + p->n_rows - 1;
    uint32_t bits;

    right(p);
    while (*x != *x) /* no number */
        x--;
    memcpy(&bits, x, sizeof(bits));
    bits ^= 1;
    memcpy(x, &bits, sizeof(bits));
}

static void test_agree(void **state)
{
    struct gs_kernels below;

    (void)state;
    if (!gs_cpu_has(GS_CPU_AVX512VNNI))
        skip();
    gs_kernels_init(&below, GS_CPU_AVX512VNNI);
    model = below;
    gs_kernels_init_panel_amx_model(&model);
    assert_ptr_not_equal(model.panel[GS_TYPE_Q4_K], below.panel[GS_TYPE_Q4_K]);
    assert_ptr_equal(model.panel[GS_TYPE_Q6_K], below.panel[GS_TYPE_Q6_K]);
    assert_true(gs_kernels_agree(&model, &below));
    assert_false(tile_model_in_use());
    for (enum gs_type t = 0; t < GS_TYPE_LIMIT; t++) {
        if (model.panel[t] == below.panel[t])
            continue;
        right = model.panel[t];
        model.panel[t] = wrong_panel;
        assert_false(gs_kernels_agree(&model, &below));
        model.panel[t] = right;
    }
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forced),
#ifdef GENSET_TILE_MODEL
        cmocka_unit_test(test_products),     cmocka_unit_test(test_shapes_refused),
        cmocka_unit_test(test_uses_refused), cmocka_unit_test(test_agree),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
