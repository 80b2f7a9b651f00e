/* Moments as text, there and back. */
#include "cmocka_headers.h"

#include "base/clock.h"
#include "base/slice.h"

static void moments_come_back(void **state)
{
    static const int64_t seconds[] = {0, 951782399, 951782400, 1799622245, 4102444800};
    char text[40];
    int64_t us;

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(seconds); i++) {
        gs_clock_format_us(seconds[i] * 1000000 + 123000, text, sizeof(text));
        assert_true(gs_clock_parse(gs_slice_str(text), &us));
        assert_int_equal(us, seconds[i] * 1000000);
    }
}

static void what_is_no_moment_is_refused(void **state)
{
    static const char *const texts[] = {"",
                                        "2026-01-15",
                                        "2026-01-15T09:30:00",
                                        "2026-13-15T09:30:00Z",
                                        "2026-00-15T09:30:00Z",
                                        "2026-01-00T09:30:00Z",
                                        "2026-01-32T09:30:00Z",
                                        "2026-01-15 09:30:00Z",
                                        "2026-01-1xT09:30:00Z"};
    int64_t us = 7;

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(texts); i++)
        assert_false(gs_clock_parse(gs_slice_str(texts[i]), &us));
    assert_int_equal(us, 7);
}

static void days_are_counted(void **state)
{
    (void)state;
    assert_int_equal(gs_clock_day(1970, 1, 1), 0);
    assert_int_equal(gs_clock_day(1969, 12, 31), -1);
    assert_int_equal(gs_clock_day(2000, 3, 1) - gs_clock_day(2000, 2, 28), 2);
    assert_int_equal(gs_clock_day(2100, 3, 1) - gs_clock_day(2100, 2, 28), 1);
    assert_int_equal(gs_clock_day(2026, 11, 21), 20778);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments_come_back),
        cmocka_unit_test(what_is_no_moment_is_refused),
        cmocka_unit_test(days_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
