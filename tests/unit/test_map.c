/* Hash maps. */
#include "cmocka_headers.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/map.h"
#include "base/slice.h"

#define N 5000

static char keys[N][16];

static struct gs_slice key(size_t i)
{
    snprintf(keys[i], sizeof(keys[i]), "key %zu", i);
    return gs_slice_str(keys[i]);
}

static void puts_and_gets(void **state)
{
    struct gs_map m;
    static int values[N];
    (void)state;

    gs_map_init(&m, 0);
    assert_null(gs_map_get(&m, GS_SLICE_LIT("x")));
    for (size_t i = 0; i < N; i++)
        assert_true(gs_map_put(&m, key(i), &values[i]));
    assert_int_equal(m.len, N);
    for (size_t i = 0; i < N; i++)
        assert_ptr_equal(gs_map_get(&m, key(i)), &values[i]);
    assert_null(gs_map_get(&m, GS_SLICE_LIT("key")));
    assert_null(gs_map_get(&m, GS_SLICE_LIT("key 5000")));
    assert_true(gs_map_put(&m, key(7), &values[0]));
    assert_ptr_equal(gs_map_get(&m, key(7)), &values[0]);
    assert_int_equal(m.len, N);
    gs_map_clear(&m);
    assert_null(gs_map_get(&m, key(7)));
    assert_true(gs_map_put(&m, key(7), &values[1])); /* usable again */
    assert_ptr_equal(gs_map_get(&m, key(7)), &values[1]);
    gs_map_clear(&m);
    gs_map_clear(NULL);
}

static void takes_any_bytes(void **state)
{
    struct gs_map m;
    int a;
    int b;
    (void)state;

    gs_map_init(&m, 2);
    assert_true(gs_map_put(&m, gs_slice(NULL, 0), &a));
    assert_true(gs_map_put(&m, gs_slice("\0", 1), &b));
    assert_ptr_equal(gs_map_get(&m, GS_SLICE_LIT("")), &a);
    assert_ptr_equal(gs_map_get(&m, gs_slice("\0", 1)), &b);
    assert_null(gs_map_get(&m, gs_slice("\0\0", 2)));
    gs_map_clear(&m);
}

static void survives_no_memory(void **state)
{
    struct gs_map m;
    int value;
    (void)state;

    gs_map_init(&m, 0);
    gs_alloc_fail_at(1);
    assert_false(gs_map_put(&m, key(0), &value));
    gs_alloc_fail_at(0);
    for (size_t i = 0; i < 8; i++)
        assert_true(gs_map_put(&m, key(i), &value));
    gs_alloc_fail_at(1);
    assert_false(gs_map_put(&m, key(8), &value)); /* would have to grow */
    gs_alloc_fail_at(0);
    assert_int_equal(m.len, 8);
    assert_ptr_equal(gs_map_get(&m, key(3)), &value);
    gs_map_clear(&m);
}

/* Similar keys must not fall together, or a hostile file makes look-ups slow. */
static void hash_spreads(void **state)
{
    unsigned buckets[256] = {0};
    (void)state;

    for (size_t i = 0; i < N; i++) {
        const struct gs_slice k = key(i);
        buckets[gs_hash_bytes(k.ptr, k.len, 1) & 255]++;
    }
    for (size_t i = 0; i < 256; i++)
        assert_in_range(buckets[i], 1, 60); /* 20 expected */
    assert_true(gs_hash_bytes("abc", 3, 1) != gs_hash_bytes("abc", 3, 2));
    assert_true(gs_hash_bytes("", 0, 1) != gs_hash_bytes("\0", 1, 1));
    assert_true(gs_hash_bytes("\0\0\0\0\0\0\0", 7, 1) != gs_hash_bytes("\0\0\0\0\0\0\0", 8, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(puts_and_gets),
        cmocka_unit_test(takes_any_bytes),
        cmocka_unit_test(survives_no_memory),
        cmocka_unit_test(hash_spreads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
