/* Capped buffers. */
#include "cmocka_headers.h"

#include <inttypes.h>

#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/slice.h"

static void writes_whole_numbers(void **state)
{
    static const int64_t numbers[] = {0, 7, -1, 10, -1234567, 999999999999, INT64_MAX, INT64_MIN};
    struct gs_buf b;
    struct gs_buf expected;

    (void)state;
    gs_buf_init(&b, 1000);
    gs_buf_init(&expected, 1000);
    for (size_t i = 0; i < GS_COUNT_OF(numbers); i++) {
        gs_buf_int(&b, numbers[i]);
        gs_buf_putc(&b, ' ');
        gs_buf_printf(&expected, "%" PRId64 " ", numbers[i]);
    }
    assert_true(gs_slice_eq(gs_buf_view(&b), gs_buf_view(&expected)));
    gs_buf_clear(&b);
    gs_buf_clear(&expected);
}

static void appends(void **state)
{
    struct gs_buf b;
    size_t len;
    (void)state;

    gs_buf_init(&b, 10000);
    gs_buf_put(&b, NULL, 0);
    gs_buf_puts(&b, "ab");
    gs_buf_putc(&b, 'c');
    gs_buf_slice(&b, gs_slice("defg", 2));
    gs_buf_printf(&b, "%d%s", 12, "!");
    gs_buf_printf(&b, "%s", "");
    memcpy(gs_buf_reserve(&b, 3), "xyz", 3);
    gs_buf_grow(&b, 2);
    assert_true(gs_slice_eq_str(gs_buf_view(&b), "abcde12!xy"));
    gs_buf_consume(&b, 3);
    assert_true(gs_slice_eq_str(gs_buf_view(&b), "de12!xy"));
    gs_buf_consume(&b, 100);
    assert_int_equal(b.len, 0);
    gs_buf_consume(&b, 1);
    for (int i = 0; i < 1000; i++)
        gs_buf_printf(&b, "%d", i % 10);
    assert_int_equal(b.len, 1000);
    char *p = gs_buf_take(&b, &len);
    assert_int_equal(len, 1000);
    assert_int_equal(strlen(p), 1000);
    gs_free(p);
    assert_null(b.ptr);
    p = gs_buf_take(&b, NULL);
    assert_string_equal(p, "");
    gs_free(p);
    gs_buf_clear(&b);
    gs_buf_clear(NULL);
}

static void ceiling_is_sticky(void **state)
{
    struct gs_buf b;
    (void)state;

    gs_buf_init(&b, 4);
    gs_buf_puts(&b, "abcd");
    assert_true(gs_buf_ok(&b));
    gs_buf_putc(&b, 'e');
    assert_false(gs_buf_ok(&b));
    gs_buf_reset(&b);
    gs_buf_puts(&b, "abc");
    gs_buf_printf(&b, "%d", 12);
    assert_false(gs_buf_ok(&b));
    assert_null(gs_buf_reserve(&b, 0));
    gs_buf_grow(&b, 100);
    assert_int_equal(b.len, 3);
    assert_null(gs_buf_take(&b, NULL));
    assert_true(gs_buf_ok(&b)); /* taking empties it */
    assert_null(gs_buf_reserve(&b, SIZE_MAX));
    gs_buf_clear(&b);
}

static void no_memory_is_sticky(void **state)
{
    struct gs_buf b;
    (void)state;

    gs_buf_init(&b, 1000);
    gs_alloc_fail_at(1);
    gs_buf_puts(&b, "abc");
    gs_alloc_fail_at(0);
    assert_false(gs_buf_ok(&b));
    gs_buf_puts(&b, "abc");
    assert_int_equal(b.len, 0);
    gs_buf_reset(&b);
    gs_buf_puts(&b, "abc");
    assert_true(gs_slice_eq_str(gs_buf_view(&b), "abc"));
    gs_buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_whole_numbers),
        cmocka_unit_test(appends),
        cmocka_unit_test(ceiling_is_sticky),
        cmocka_unit_test(no_memory_is_sticky),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
