/* How many lanes are used, on machines that are played: no clock is read. */
#include "cmocka_headers.h"

#include "base/compiler.h"
#include "compute/pace.h"

/* What a step takes with some number of lanes, and how much of it is waiting. */
struct machine {
    int64_t took_us[9]; /* by lanes */
    int64_t late_us[9];
};

static const struct machine quiet = {{0, 8000, 4200, 2900, 2300, 2000, 1800, 1700, 1600}, {0}};
static const struct machine one_neighbour = {{0, 12000, 25000}, {0, 0, 14000}};
static const struct machine eight_neighbours = {
    {0, 12000, 13000, 15000, 18000, 21000, 25000, 30000, 40000},
    {0, 0, 5000, 7000, 9000, 11000, 13000, 15000, 17000}};

/* Play for some time; the part of the steps made with the number of lanes of the end. */
static void play(struct gs_pace *p, const struct machine *m, int64_t us, int64_t lanes_us[9])
{
    for (size_t i = 0; lanes_us && i < 9; i++)
        lanes_us[i] = 0;
    for (int64_t t = 0; t < us;) {
        const int lanes = p->lanes;
        assert_in_range(lanes, 1, p->most);
        t += m->took_us[lanes];
        if (lanes_us)
            lanes_us[lanes] += m->took_us[lanes];
        gs_pace_step(p, 1, m->took_us[lanes], m->late_us[lanes]);
    }
}

static void a_quiet_machine_is_left_alone(void **state)
{
    struct gs_pace p;
    int64_t us[9];
    (void)state;

    gs_pace_init(&p, 8);
    play(&p, &quiet, 10000000, us);
    for (int i = 1; i < 8; i++)
        assert_int_equal(us[i], 0);
}

static void one_lane_goes_where_one_is_faster(void **state)
{
    struct gs_pace p;
    int64_t us[9];
    (void)state;

    gs_pace_init(&p, 2);
    play(&p, &one_neighbour, 500000, NULL);
    play(&p, &one_neighbour, 20000000, us);
    assert_true(us[1] > 18500000); /* the rest are trials of two */
    gs_pace_init(&p, 8);
    play(&p, &eight_neighbours, 3000000, NULL);
    play(&p, &eight_neighbours, 20000000, us);
    assert_true(us[1] + us[2] > 18000000);
}

static void lanes_come_back_when_the_neighbour_goes(void **state)
{
    struct gs_pace p;
    int64_t us[9];
    (void)state;

    gs_pace_init(&p, 8);
    play(&p, &eight_neighbours, 30000000, NULL);
    play(&p, &quiet, 14000000, NULL); /* as long as its patience grew */
    play(&p, &quiet, 1000000, us);
    assert_true(us[8] > 900000);
}

static void late_lanes_that_still_pay_stay(void **state)
{
    const struct machine m = {{0, 9000, 7000}, {0, 0, 3000}};
    struct gs_pace p;
    int64_t us[9];
    (void)state;

    gs_pace_init(&p, 2);
    play(&p, &m, 5000000, NULL);
    play(&p, &m, 20000000, us);
    assert_true(us[2] > 19000000);
}

static void steps_of_another_cost_are_not_compared(void **state)
{
    struct gs_pace p;
    (void)state;

    gs_pace_init(&p, 4);
    for (size_t i = 0; i < 1000; i++) /* never two of a kind in a row */
        gs_pace_step(&p, 1 + i % 2, i % 2 ? 900000 : 10000, 9000);
    assert_int_equal(p.lanes, 4);
    while (p.lanes == 4)
        gs_pace_step(&p, 1, 10000, 9000);
    assert_int_equal(p.lanes, 3); /* a trial, */
    gs_pace_step(&p, 2, 1, 0);    /* which something else ends */
    assert_int_equal(p.lanes, 4);
}

static void one_lane_is_the_least(void **state)
{
    struct gs_pace p;
    (void)state;

    gs_pace_init(&p, 1);
    for (int i = 0; i < 1000; i++)
        gs_pace_step(&p, 1, 10000, 9000);
    assert_int_equal(p.lanes, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quiet_machine_is_left_alone),
        cmocka_unit_test(one_lane_goes_where_one_is_faster),
        cmocka_unit_test(lanes_come_back_when_the_neighbour_goes),
        cmocka_unit_test(late_lanes_that_still_pay_stay),
        cmocka_unit_test(steps_of_another_cost_are_not_compared),
        cmocka_unit_test(one_lane_is_the_least),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
