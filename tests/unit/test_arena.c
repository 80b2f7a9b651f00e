/* Arenas. */
#include "cmocka_headers.h"

#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/slice.h"

static void objects_are_zeroed_and_apart(void **state)
{
    struct gs_arena a;
    unsigned char *p[100];
    (void)state;

    gs_arena_init(&a, 0);
    for (size_t i = 0; i < 100; i++) {
        p[i] = gs_arena_alloc(&a, i);
        assert_non_null(p[i]);
        assert_int_equal((uintptr_t)p[i] % 16, 0);
        for (size_t k = 0; k < i; k++)
            assert_int_equal(p[i][k], 0);
        memset(p[i], (int)i, i);
    }
    for (size_t i = 0; i < 100; i++)
        for (size_t k = 0; k < i; k++)
            assert_int_equal(p[i][k], i);
    gs_arena_clear(&a);
    assert_int_equal(a.used_bytes, 0);
    assert_non_null(gs_arena_alloc(&a, 10)); /* usable again */
    gs_arena_clear(&a);
    gs_arena_clear(NULL);
}

static void large_objects_fit(void **state)
{
    struct gs_arena a;
    (void)state;

    gs_arena_init(&a, 0);
    assert_non_null(gs_arena_alloc(&a, 10));
    char *big = gs_arena_alloc(&a, (size_t)5 << 20);
    assert_non_null(big);
    big[((size_t)5 << 20) - 1] = 1;
    assert_non_null(gs_arena_alloc(&a, 10));
    gs_arena_clear(&a);
}

static void ceiling_holds(void **state)
{
    struct gs_arena a;
    size_t n = 0;
    (void)state;

    gs_arena_init(&a, 1000);
    assert_null(gs_arena_alloc(&a, 1001));
    while (gs_arena_alloc(&a, 16))
        n++;
    assert_true(n > 10 && n <= 1000 / 16);
    assert_true(a.used_bytes <= 1000);
    gs_arena_clear(&a);
    assert_non_null(gs_arena_alloc(&a, 500));
    gs_arena_clear(&a);
}

static void absurd_sizes_are_refused(void **state)
{
    struct gs_arena a;
    struct gs_slice out = {NULL, 0};
    (void)state;

    gs_arena_init(&a, 0);
    assert_null(gs_arena_alloc(&a, SIZE_MAX));
    assert_null(gs_arena_alloc(&a, SIZE_MAX - 20));
    assert_null(gs_arena_array(&a, SIZE_MAX / 2, 3));
    assert_non_null(gs_arena_array(&a, 0, 8));
    assert_false(gs_arena_dup(&a, gs_slice("x", SIZE_MAX), &out));
    gs_arena_clear(&a);
}

static void text_is_copied(void **state)
{
    struct gs_arena a;
    struct gs_slice s;
    (void)state;

    gs_arena_init(&a, 0);
    assert_true(gs_arena_dup(&a, gs_slice("hello", 4), &s));
    assert_int_equal(s.len, 4);
    assert_string_equal(s.ptr, "hell");
    assert_true(gs_arena_dup(&a, gs_slice(NULL, 0), &s));
    assert_string_equal(s.ptr, "");
    s = gs_arena_printf(&a, "%d-%s", 7, "x");
    assert_int_equal(s.len, 3);
    assert_string_equal(s.ptr, "7-x");
    gs_alloc_fail_at(1);
    assert_null(gs_arena_printf(&a, "%10000d", 1).ptr);
    gs_alloc_fail_at(0);
    gs_arena_clear(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_are_zeroed_and_apart),
        cmocka_unit_test(large_objects_fit),
        cmocka_unit_test(ceiling_holds),
        cmocka_unit_test(absurd_sizes_are_refused),
        cmocka_unit_test(text_is_copied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
