/* Whether it is our own network: who was out of reach, when, and who is asked meanwhile. */
#include "cmocka_headers.h"

#include "base/slice.h"
#include "route/uplink.h"

#define S  ((int64_t)1000000)
#define T0 (1000 * S)

static const struct gs_slice one = GS_SLICE_LIT("api.anthropic.com");
static const struct gs_slice two = GS_SLICE_LIT("api.openai.com");

static void two_hosts_at_once_are_our_network(void **state)
{
    struct gs_uplink u;
    (void)state;

    gs_uplink_init(&u, 2);
    for (int i = 0; i < 9; i++)
        assert_false(gs_uplink_fault(&u, one, GS_FAULT_DNS, T0)); /* one of them is not */
    assert_int_equal(gs_uplink_look(&u, T0), GS_UPLINK_UP);
    assert_true(gs_uplink_fault(&u, two, GS_FAULT_REFUSED, T0 + 4 * S));
    assert_int_equal(gs_uplink_look(&u, T0 + 5 * S), GS_UPLINK_DOWN);
}

static void far_apart_they_are_not(void **state)
{
    struct gs_uplink u;
    (void)state;

    gs_uplink_init(&u, 2);
    gs_uplink_fault(&u, one, GS_FAULT_DNS, T0);
    assert_false(gs_uplink_fault(&u, two, GS_FAULT_DNS, T0 + 6 * S));
    gs_uplink_success(&u);
    assert_false(gs_uplink_fault(&u, one, GS_FAULT_DNS, T0 + 7 * S));
    gs_uplink_success(&u); /* somebody answered between */
    assert_false(gs_uplink_fault(&u, two, GS_FAULT_DNS, T0 + 7 * S));
    assert_false(gs_uplink_fault(&u, two, GS_FAULT_SERVER_ERROR, T0 + 7 * S));
    assert_int_equal(gs_uplink_look(&u, T0 + 7 * S), GS_UPLINK_UP);
}

static void one_finds_out_every_five_seconds(void **state)
{
    struct gs_uplink u;
    (void)state;

    gs_uplink_init(&u, 3);
    gs_uplink_fault(&u, one, GS_FAULT_CONNECT_TIMEOUT, T0);
    gs_uplink_fault(&u, two, GS_FAULT_CONNECT_TIMEOUT, T0);
    for (int64_t t = T0 + 5 * S; t < T0 + 50 * S; t += 5 * S) {
        assert_int_equal(gs_uplink_enter(&u, t - 1), GS_UPLINK_DOWN);
        assert_int_equal(gs_uplink_look(&u, t), GS_UPLINK_PROBE);
        assert_int_equal(gs_uplink_enter(&u, t), GS_UPLINK_PROBE);
        assert_int_equal(gs_uplink_enter(&u, t), GS_UPLINK_DOWN);
        assert_true(gs_uplink_fault(&u, one, GS_FAULT_DNS, t + S));
    }
    assert_true(gs_uplink_success(&u));
    assert_false(gs_uplink_success(&u));
    assert_int_equal(gs_uplink_enter(&u, T0 + 60 * S), GS_UPLINK_UP);
}

static void the_only_host_is_suspected_too(void **state)
{
    struct gs_uplink u;
    (void)state;

    gs_uplink_init(&u, 1);
    assert_false(gs_uplink_fault(&u, one, GS_FAULT_RESET, T0));
    assert_int_equal(gs_uplink_look(&u, T0), GS_UPLINK_UP);
    assert_false(gs_uplink_fault(&u, one, GS_FAULT_CONNECT_TIMEOUT, T0));
    assert_int_equal(gs_uplink_look(&u, T0), GS_UPLINK_DOWN);
}

static void many_hosts_are_no_matter(void **state)
{
    struct gs_uplink u;
    (void)state;

    gs_uplink_init(&u, 100);
    for (int i = 0; i < 100; i++) {
        const char name[2] = {(char)('A' + i % 50), (char)('a' + i / 50)};
        gs_uplink_fault(&u, gs_slice(name, 2), GS_FAULT_DNS, T0 + i);
    }
    assert_int_equal(u.n_faults, GS_UPLINK_FAULTS);
    assert_true(gs_uplink_success(&u));
}

static void a_sleep_is_seen_by_the_clocks(void **state)
{
    struct gs_uplink_clocks c = {0};
    (void)state;

    assert_int_equal(gs_uplink_slept_us(&c, 10 * S, 1700000000 * S), 0);
    assert_int_equal(gs_uplink_slept_us(&c, 20 * S, 1700000010 * S), 0);
    assert_int_equal(gs_uplink_slept_us(&c, 21 * S, 1700000611 * S), 600 * S);
    assert_int_equal(gs_uplink_slept_us(&c, 22 * S, 1700000612 * S), 0);
    assert_int_equal(gs_uplink_slept_us(&c, 23 * S, 1690000000 * S), 0); /* set back */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_hosts_at_once_are_our_network),
        cmocka_unit_test(far_apart_they_are_not),
        cmocka_unit_test(one_finds_out_every_five_seconds),
        cmocka_unit_test(the_only_host_is_suspected_too),
        cmocka_unit_test(many_hosts_are_no_matter),
        cmocka_unit_test(a_sleep_is_seen_by_the_clocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
