/* When to have somebody ready, and which conversations stay on this machine. */
#include "cmocka_headers.h"

#include "base/alloc.h"
#include "route/hedge.h"
#include "route/pins.h"

#define S ((int64_t)1000000)

static void the_first_has_a_time_for_itself(void **state)
{
    (void)state;
    assert_int_equal(gs_hedge_after_us(300000, 5 * S), 300000);
    assert_int_equal(gs_hedge_after_us(0, 5 * S), 5 * S);
    assert_int_equal(gs_hedge_after_us(0, 1), S / 10);
    assert_int_equal(gs_hedge_after_us(0, -1), 2 * S);
}

static void silence_is_suspicious(void **state)
{
    struct gs_hedge_signs s = {.started_us = 100 * S, .p95_us = -1};
    (void)state;

    assert_int_equal(gs_hedge_suspect_at_us(&s), 102 * S);
    s.p95_us = 4 * S;
    assert_int_equal(gs_hedge_suspect_at_us(&s), 104 * S);
    s.token_us = 110 * S;
    assert_int_equal(gs_hedge_suspect_at_us(&s), 112 * S);
    s.is_probe = true;
    assert_int_equal(gs_hedge_suspect_at_us(&s), 100 * S);
}

static void what_was_seen_once_holds(void **state)
{
    struct gs_pins *p = gs_pins_create();
    (void)state;

    assert_non_null(p);
    assert_int_equal(gs_pins_hold(p, 7, GS_PRIVACY_ANY), GS_PRIVACY_ANY);
    assert_int_equal(gs_pins_hold(p, 7, GS_PRIVACY_REDACT), GS_PRIVACY_REDACT);
    assert_int_equal(gs_pins_hold(p, 7, GS_PRIVACY_ANY), GS_PRIVACY_REDACT);
    assert_int_equal(gs_pins_hold(p, 7, GS_PRIVACY_LOCAL_ONLY), GS_PRIVACY_LOCAL_ONLY);
    assert_int_equal(gs_pins_hold(p, 7, GS_PRIVACY_REDACT), GS_PRIVACY_LOCAL_ONLY);
    assert_int_equal(gs_pins_hold(p, 8, GS_PRIVACY_ANY), GS_PRIVACY_ANY);
    assert_int_equal(gs_pins_hold(p, 0, GS_PRIVACY_LOCAL_ONLY), GS_PRIVACY_LOCAL_ONLY);
    assert_int_equal(gs_pins_hold(p, 0, GS_PRIVACY_ANY), GS_PRIVACY_ANY);
    gs_pins_free(p);
}

static void the_longest_unasked_are_forgotten(void **state)
{
    struct gs_pins *p = gs_pins_create();
    const uint64_t n_sets = GS_PINS_MAX / 8;
    (void)state;

    assert_non_null(p);
    for (uint64_t i = 1; i <= 8; i++)
        gs_pins_hold(p, i * n_sets, GS_PRIVACY_LOCAL_ONLY);
    assert_int_equal(gs_pins_hold(p, n_sets, GS_PRIVACY_ANY), GS_PRIVACY_LOCAL_ONLY);
    gs_pins_hold(p, 9 * n_sets, GS_PRIVACY_LOCAL_ONLY);
    assert_int_equal(gs_pins_hold(p, 2 * n_sets, GS_PRIVACY_ANY), GS_PRIVACY_ANY);
    assert_int_equal(gs_pins_hold(p, n_sets, GS_PRIVACY_ANY), GS_PRIVACY_LOCAL_ONLY);
    for (uint64_t i = 1; i <= 100000; i++) /* others are in the way, asking is not */
        assert_int_equal(gs_pins_hold(p, i * n_sets + 1, GS_PRIVACY_ANY), GS_PRIVACY_ANY);
    assert_int_equal(gs_pins_hold(p, n_sets, GS_PRIVACY_ANY), GS_PRIVACY_LOCAL_ONLY);
    gs_pins_free(p);
    gs_alloc_fail_at(1);
    assert_null(gs_pins_create());
    gs_alloc_fail_at(0);
    gs_pins_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_has_a_time_for_itself),
        cmocka_unit_test(silence_is_suspicious),
        cmocka_unit_test(what_was_seen_once_holds),
        cmocka_unit_test(the_longest_unasked_are_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
