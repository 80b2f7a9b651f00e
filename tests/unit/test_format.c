/* gs_format() writes what snprintf() writes, in every room. */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "base/format.h"
#include "cmocka_headers.h"

#define SAME(...)                                                                                  \
    for (size_t cap = 0; cap <= sizeof(got); cap++) {                                              \
        memset(got, '#', sizeof(got));                                                             \
        memset(want, '#', sizeof(want));                                                           \
        assert_int_equal(gs_format(got, cap, __VA_ARGS__), snprintf(want, cap, __VA_ARGS__));      \
        assert_memory_equal(got, want, sizeof(got));                                               \
    }

static void strings(void **state)
{
    const char cut[] = {'a', 'b', 'c'}; /* without a zero */
    char got[24];
    char want[24];

    (void)state;
    SAME("%s", "");
    SAME("plain");
    SAME("%s and %s", "one", "another");
    SAME("%.*s|", 3, cut);
    SAME("%.*s|", 0, cut);
    SAME("%.2s|%.9s|%.s|", "abc", "def", "ghi");
    SAME("%-5s|%5s|%-2s|", "abc", "def", "ghi");
    SAME("%*s|%-*s|", 4, "a", 3, "b");
    SAME("%c%3c%-3c|%%", 'x', 'y', 'z');
}

static void numbers(void **state)
{
    char got[80];
    char want[80];

    (void)state;
    SAME("%d %d %d", 0, INT_MAX, INT_MIN);
    SAME("%lld %lld", LLONG_MAX, LLONG_MIN);
    SAME("%ld %zu %u", LONG_MIN, SIZE_MAX, UINT_MAX);
    SAME("%x %llx %08x %016llx", 0xabcU, ULLONG_MAX, 0xfU, 1ULL);
    SAME("%02d:%02d %5d %-5d|%05lld", 7, 12, -3, -3, -3LL);
}

/* What goes to libc goes there whole. */
static void others(void **state)
{
    char got[80];
    char want[80];

    (void)state;
    SAME("%s %d %.2f %s", "a", 3, 1.5, "b");
    SAME("%g %X %+d %#x % d", 0.25, 255U, 3, 255U, 4);
    SAME("%.3d %5.1f %hhu %" PRIu8, 7, 2.25, 3, (uint8_t)4);
    SAME("%*s %.*s|", -4, "a", -1, "b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings),
        cmocka_unit_test(numbers),
        cmocka_unit_test(others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
