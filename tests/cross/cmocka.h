/* The part of cmocka that the tests of the rooms that compute use, for processors for which no
 * cmocka is installed: the same names, each test one function, an assertion that fails ends its
 * test. */
#ifndef GS_TESTS_CROSS_CMOCKA_H
#define GS_TESTS_CROSS_CMOCKA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef int cross_fixture(void **state);

struct CMUnitTest {
    const char *name;
    void (*fn)(void **state);
};

#define cmocka_unit_test(f)                                                                        \
    {                                                                                              \
#f, f                                                                                      \
    }

enum cross_end { CROSS_RUNS, CROSS_FAILED, CROSS_SKIPPED };

static jmp_buf cross_return;

__attribute__((noreturn, format(printf, 3, 4), unused)) static void
cross_fail(const char *file, int line, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    vprintf(format, ap);
    va_end(ap);
    printf("\n%s:%d: error: Failure!\n", file, line);
    longjmp(cross_return, CROSS_FAILED);
}

#define fail_msg(...)      cross_fail(__FILE__, __LINE__, __VA_ARGS__)
#define print_message(...) printf(__VA_ARGS__)
#define skip()             longjmp(cross_return, CROSS_SKIPPED)
#define assert_true(c)     ((c) ? (void)0 : fail_msg("%s", #c))
#define assert_false(c)    assert_true(!(c))
#define assert_null(p)     assert_true((p) == NULL)
#define assert_non_null(p) assert_true((p) != NULL)

#define assert_int_equal(a, b)    cross_assert_int((intmax_t)(a), (intmax_t)(b), __FILE__, __LINE__)
#define assert_string_equal(a, b) (strcmp(a, b) == 0 ? (void)0 : fail_msg("\"%s\" != \"%s\"", a, b))
#define assert_memory_equal(a, b, n)                                                               \
    (memcmp(a, b, n) == 0 ? (void)0 : fail_msg("%s and %s differ", #a, #b))

__attribute__((unused)) static void cross_assert_int(intmax_t a, intmax_t b, const char *file,
                                                     int line)
{
    if (a != b)
        cross_fail(file, line, "%jd != %jd", a, b);
}

static enum cross_end cross_run_one(const struct CMUnitTest *test)
{
    void *state = NULL;
    const int end = setjmp(cross_return);

    if (end == CROSS_RUNS)
        test->fn(&state);
    return (enum cross_end)end;
}

/* The number of tests that fail. */
static int cross_run(const char *group, const struct CMUnitTest *tests, size_t n,
                     cross_fixture *setup, cross_fixture *teardown)
{
    static const char *const ends[] = {"passed", "FAILED", "skipped"};
    void *state = NULL;
    int failed = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (setup && setup(&state) != 0)
        return (int)n;
    for (size_t i = 0; i < n; i++) {
        const enum cross_end end = cross_run_one(&tests[i]);
        printf("%s, %s: %s\n", group, tests[i].name, ends[end]);
        failed += end == CROSS_FAILED;
    }
    return teardown && teardown(&state) != 0 ? failed + 1 : failed;
}

#define cmocka_run_group_tests_name(group, tests, setup, teardown)                                 \
    cross_run(group, tests, sizeof(tests) / sizeof((tests)[0]), setup, teardown)
#define cmocka_run_group_tests(tests, setup, teardown)                                             \
    cmocka_run_group_tests_name(#tests, tests, setup, teardown)

#endif
