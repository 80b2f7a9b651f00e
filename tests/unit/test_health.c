/* Answers that drip, and answers that repeat themselves. */
#include <stdio.h>
#include <string.h>

#include "base/slice.h"
#include "cmocka_headers.h"
#include "switch/health.h"

#define SECOND_US ((int64_t)1000000)
#define WINDOW_US (15 * SECOND_US)

static void say(struct gs_health *h, const char *text, size_t times, int64_t now_us)
{
    for (size_t i = 0; i < times; i++)
        gs_health_note(h, gs_slice_str(text), now_us);
}

static void test_loops(void **state)
{
    static const char *const loops[] = {"a", "again and again, ", "one\ntwo\nthree\n", "\xc3\xbc-"};
    struct gs_health h;

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        const size_t n = GS_HEALTH_LOOP_BYTES / strlen(loops[i]);
        h = (struct gs_health){0};
        say(&h, "It began well. ", 1, 1);
        say(&h, loops[i], n - 10, 1);
        assert_false(gs_health_is_loop(&h));
        say(&h, loops[i], 60, 1);
        assert_true(gs_health_is_loop(&h));
    }
}

/* Much repetition, but each time something is new. */
static void test_lists_are_no_loops(void **state)
{
    struct gs_health h = {0};
    char line[64];

    (void)state;
    for (int i = 0; i < 4000; i++) {
        snprintf(line, sizeof(line), "| %d | 0.00 | 0.00 | 0.00 |\n", i);
        say(&h, line, 1, 1);
        assert_false(gs_health_is_loop(&h));
    }
}

static void test_drips(void **state)
{
    struct gs_health h = {0};
    int64_t now_us = SECOND_US;

    (void)state;
    for (int i = 0; i < 29; i++, now_us += SECOND_US) {
        say(&h, "ab", 1, now_us);
        assert_false(gs_health_is_slow(&h, WINDOW_US, now_us));
    }
    for (int i = 0; i < 3; i++, now_us += SECOND_US)
        say(&h, "ab", 1, now_us);
    assert_true(gs_health_is_slow(&h, WINDOW_US, now_us));
    h = (struct gs_health){0};
    for (int i = 0; i < 100; i++, now_us += SECOND_US) { /* slow, but a reader's pace */
        say(&h, "abcde", 1, now_us);
        assert_false(gs_health_is_slow(&h, WINDOW_US, now_us));
    }
    h = (struct gs_health){0};
    for (int i = 0; i < 100; i++, now_us += SECOND_US) {
        say(&h, "a", 1, now_us);
        assert_false(gs_health_is_slow(&h, 0, now_us)); /* nothing is */
    }
    h = (struct gs_health){0};
    for (int i = 0; i < 7; i++, now_us += SECOND_US) {
        say(&h, "abc", 1, now_us);
        assert_int_equal(gs_health_is_slow(&h, 2 * SECOND_US, now_us), i == 6);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loops),
        cmocka_unit_test(test_lists_are_no_loops),
        cmocka_unit_test(test_drips),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
