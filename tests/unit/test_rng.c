/* Random numbers and the allocator front. */
#include "cmocka_headers.h"

#include <math.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/rng.h"

/* By the authors' C code: xoshiro256** with the state splitmix64 makes of the seed. */
static void sequence_is_the_published_one(void **state)
{
    struct gs_rng r = {{1, 2, 3, 4}};
    static const uint64_t expected[] = {11520, 0, 1509978240, 1215971899390074240u};
    (void)state;

    for (int i = 0; i < 4; i++)
        assert_true(gs_rng_u64(&r) == expected[i]);
    gs_rng_seed(&r, 0);
    assert_true(r.s[0] == 0xE220A8397B1DCDAFu && r.s[1] == 0x6E789E6AA1B965F4u);
}

static void seed_decides(void **state)
{
    struct gs_rng a;
    struct gs_rng b;
    (void)state;

    gs_rng_seed(&a, 7);
    gs_rng_seed(&b, 7);
    for (int i = 0; i < 100; i++)
        assert_true(gs_rng_u64(&a) == gs_rng_u64(&b));
    gs_rng_seed(&b, 8);
    assert_true(gs_rng_u64(&a) != gs_rng_u64(&b));
}

static void distributions_have_their_moments(void **state)
{
    struct gs_rng r;
    double sum = 0;
    double normal_sum = 0;
    double normal_squares = 0;
    const int n = 20000;
    (void)state;

    gs_rng_seed(&r, 1);
    for (int i = 0; i < n; i++) {
        const double u = gs_rng_double(&r);
        const double g = gs_rng_normal(&r);
        assert_true(u >= 0 && u < 1 && isfinite(g));
        sum += u;
        normal_sum += g;
        normal_squares += g * g;
    }
    assert_true(fabs(sum / n - 0.5) < 0.01);
    assert_true(fabs(normal_sum / n) < 0.03);
    assert_true(fabs(normal_squares / n - 1) < 0.05);
}

static void allocations_can_fail(void **state)
{
    (void)state;
    gs_alloc_fail_at(2);
    void *p = gs_alloc(0);
    assert_non_null(p);
    assert_null(gs_alloc_zero(10));
    gs_free(p);
    p = gs_alloc_aligned(64, 100); /* fails once only */
    assert_non_null(p);
    assert_int_equal((uintptr_t)p % 64, 0);
    gs_free(p);
    assert_int_equal(gs_alloc_count(), 3);
    gs_alloc_fail_at(0);
    assert_null(gs_alloc_array(SIZE_MAX / 2, 3));
    p = gs_alloc_str("text");
    assert_string_equal(p, "text");
    p = gs_realloc(p, 100);
    assert_string_equal(p, "text");
    gs_free(p);
    gs_free(NULL);
}

static void sizes_are_checked(void **state)
{
    size_t n = 7;
    (void)state;

    assert_true(gs_mul_size(6, 7, &n) && n == 42);
    assert_true(gs_add_size(SIZE_MAX - 1, 1, &n) && n == SIZE_MAX);
    n = 7;
    assert_false(gs_mul_size(SIZE_MAX / 2 + 1, 2, &n) || gs_add_size(SIZE_MAX, 1, &n));
    assert_int_equal(n, 7); /* untouched */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sequence_is_the_published_one),
        cmocka_unit_test(seed_decides),
        cmocka_unit_test(distributions_have_their_moments),
        cmocka_unit_test(allocations_can_fail),
        cmocka_unit_test(sizes_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
