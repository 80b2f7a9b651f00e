/* Budgets: what is reserved, settled and refused, by day and month. */
#include "cmocka_headers.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "base/slice.h"
#include "route/budgets.h"

#define USD  ((int64_t)1000000000)
#define S    ((int64_t)1000000)
#define DAY  (86400 * S)
#define JAN1 (1767225600 * S) /* 2026-01-01T00:00:00Z */

static const struct gs_config_provider providers[] = {
    {.name = "local"}, {.name = "anthropic"}, {.name = "openai"}};
static const struct gs_config_budget limits[] = {
    {.provider = 1, .day_nanousd = 5 * USD, .month_nanousd = 8 * USD},
    {.provider = SIZE_MAX, .day_nanousd = 6 * USD}};
static const struct gs_config_routes routes = {
    .providers = providers, .n_providers = 3, .budgets = limits, .n_budgets = 2};
static const struct gs_slice anthropic = GS_SLICE_LIT("anthropic");
static const struct gs_slice openai = GS_SLICE_LIT("openai");

static int create(void **state)
{
    setenv("TZ", "UTC", 1);
    tzset();
    *state = gs_budgets_create();
    return *state && gs_budgets_configure(*state, &routes) ? 0 : -1;
}

static int destroy(void **state)
{
    gs_budgets_free(*state);
    return 0;
}

struct seen {
    struct gs_slice provider;
    struct gs_budget_state state;
};

static void see(void *ud, const struct gs_budget_state *s)
{
    struct seen *seen = ud;

    if (gs_slice_eq(s->provider, seen->provider))
        seen->state = *s;
}

static struct gs_budget_state state_of(struct gs_budgets *b, struct gs_slice provider, int64_t at)
{
    struct seen seen = {.provider = provider};

    gs_budgets_walk(b, at, see, &seen);
    return seen.state;
}

static void spend(struct gs_budgets *b, struct gs_slice provider, int64_t nanousd, int64_t at)
{
    struct gs_budget_hold hold;

    assert_true(gs_budgets_reserve(b, provider, nanousd, at, &hold));
    gs_budgets_settle(b, &hold, nanousd, at);
}

static void side_by_side_they_do_not_pass_a_limit(void **state)
{
    struct gs_budgets *b = *state;
    struct gs_budget_hold holds[3];

    assert_true(gs_budgets_reserve(b, anthropic, 2 * USD, JAN1, &holds[0]));
    assert_true(gs_budgets_reserve(b, anthropic, 2 * USD, JAN1, &holds[1]));
    assert_false(gs_budgets_reserve(b, anthropic, 2 * USD, JAN1, &holds[2]));
    assert_false(gs_budgets_allow(b, anthropic, 2 * USD, JAN1));
    assert_int_equal(state_of(b, anthropic, JAN1).reserved_nanousd, 4 * USD);
    gs_budgets_settle(b, &holds[0], USD / 2, JAN1);
    assert_true(gs_budgets_reserve(b, anthropic, 2 * USD, JAN1, &holds[2]));
    gs_budgets_settle(b, &holds[1], 0, JAN1); /* it failed and cost nothing */
    gs_budgets_settle(b, &holds[2], USD, JAN1);
    gs_budgets_settle(b, &holds[2], USD, JAN1); /* said twice */
    const struct gs_budget_state s = state_of(b, anthropic, JAN1);
    assert_int_equal(s.day_nanousd, USD + USD / 2);
    assert_int_equal(s.month_nanousd, USD + USD / 2);
    assert_int_equal(s.reserved_nanousd, 0);
    assert_int_equal(s.day_limit_nanousd, 5 * USD);
}

static void all_together_have_a_limit_too(void **state)
{
    struct gs_budgets *b = *state;

    spend(b, openai, 4 * USD, JAN1);
    assert_false(gs_budgets_allow(b, anthropic, 3 * USD, JAN1));
    assert_true(gs_budgets_allow(b, anthropic, 2 * USD, JAN1));
    assert_true(gs_budgets_has_limit(b, openai));
    assert_int_equal(state_of(b, gs_slice(NULL, 0), JAN1).day_nanousd, 4 * USD);
}

static void what_costs_nothing_is_never_refused(void **state)
{
    struct gs_budgets *b = *state;
    struct gs_budget_hold hold;

    assert_true(gs_budgets_reserve(b, anthropic, USD, JAN1, &hold));
    gs_budgets_settle(b, &hold, 50 * USD, JAN1); /* more than was thought */
    assert_false(gs_budgets_allow(b, anthropic, 1, JAN1));
    assert_true(gs_budgets_allow(b, anthropic, 0, JAN1));
    assert_true(gs_budgets_reserve(b, anthropic, -1, JAN1, &hold));
    assert_int_equal(hold.nanousd, 0);
}

static void days_and_months_begin_anew(void **state)
{
    struct gs_budgets *b = *state;
    struct gs_budget_hold over_midnight;

    spend(b, anthropic, 4 * USD, JAN1 + DAY - S);
    assert_false(gs_budgets_allow(b, anthropic, 2 * USD, JAN1 + DAY - S));
    assert_true(gs_budgets_reserve(b, anthropic, USD, JAN1 + DAY - S, &over_midnight));
    assert_true(gs_budgets_allow(b, anthropic, 2 * USD, JAN1 + DAY));
    gs_budgets_settle(b, &over_midnight, USD, JAN1 + DAY);
    assert_int_equal(state_of(b, anthropic, JAN1 + DAY).day_nanousd, USD);
    assert_int_equal(state_of(b, anthropic, JAN1 + DAY).month_nanousd, 5 * USD);
    assert_false(gs_budgets_allow(b, anthropic, 4 * USD, JAN1 + 2 * DAY)); /* the month's */
    assert_true(gs_budgets_allow(b, anthropic, 4 * USD, JAN1 + 31 * DAY));
    assert_int_equal(state_of(b, anthropic, JAN1 + 31 * DAY).month_nanousd, 0);
}

static void a_clock_set_back_makes_no_new_day(void **state)
{
    struct gs_budgets *b = *state;

    spend(b, anthropic, 4 * USD, JAN1);
    assert_int_equal(state_of(b, anthropic, JAN1 - S).day_nanousd, 4 * USD);
    spend(b, anthropic, USD, JAN1 + 300 * DAY); /* a clock that was far off, and is set right */
    assert_int_equal(state_of(b, anthropic, JAN1).day_nanousd, 0);
}

static void restarts_and_reloads_keep_the_sums(void **state)
{
    struct gs_budgets *b = *state;
    struct gs_budget_hold hold;
    const struct gs_config_budget less[] = {{.provider = 1, .day_nanousd = 2 * USD}};
    const struct gs_config_provider renamed[] = {{.name = "local"}, {.name = "openai"}};

    gs_budgets_restore(b, anthropic, 3 * USD, 7 * USD, JAN1);
    gs_budgets_restore(b, openai, -1, USD, JAN1);
    assert_false(gs_budgets_allow(b, anthropic, 2 * USD, JAN1));
    assert_true(gs_budgets_reserve(b, anthropic, USD, JAN1, &hold));
    assert_true(gs_budgets_configure(
        b, &(struct gs_config_routes){
               .providers = renamed, .n_providers = 2, .budgets = less, .n_budgets = 1}));
    assert_false(gs_budgets_has_limit(b, anthropic));
    gs_budgets_settle(b, &hold, USD, JAN1); /* of a provider that is not named any more */
    assert_int_equal(state_of(b, anthropic, JAN1).day_nanousd, 4 * USD);
    assert_false(gs_budgets_allow(b, openai, 3 * USD, JAN1));
    assert_true(gs_budgets_configure(b, &routes));
    assert_false(gs_budgets_allow(b, anthropic, 2 * USD, JAN1));
}

static void limits_of_the_table_hold(void **state)
{
    static struct gs_config_provider many[GS_BUDGETS_MAX + 1];
    static char names[GS_BUDGETS_MAX + 1][3];
    static char large[1000];
    struct gs_budget_hold hold;
    (void)state;

    for (size_t i = 0; i <= GS_BUDGETS_MAX; i++) {
        memcpy(names[i], (char[3]){(char)('A' + i / 26), (char)('a' + i % 26), 0}, 3);
        many[i].name = names[i];
    }
    struct gs_budgets *b = gs_budgets_create();
    assert_non_null(b);
    assert_true(gs_budgets_configure(
        b, &(struct gs_config_routes){.providers = many, .n_providers = GS_BUDGETS_MAX}));
    assert_false(gs_budgets_configure(
        b, &(struct gs_config_routes){.providers = many, .n_providers = GS_BUDGETS_MAX + 1}));
    memset(large, 'x', sizeof(large) - 1);
    assert_true(gs_budgets_reserve(b, gs_slice_str(large), USD, JAN1, &hold));
    gs_budgets_settle(b, &hold, USD, JAN1); /* nobody's: not counted */
    hold.account = 5000;
    gs_budgets_settle(b, &hold, USD, JAN1);
    gs_budgets_free(b);
    gs_alloc_fail_at(1);
    assert_null(gs_budgets_create());
    gs_alloc_fail_at(0);
    gs_budgets_free(NULL);
}

/* In any order of requests, what is spent and set aside never passes the limit while nothing costs
 * more than was set aside, and in the end nothing is left set aside. */
static void holds_in_any_order(void **state)
{
    (void)state;

    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct gs_budgets *b = gs_budgets_create();
        struct gs_budget_hold holds[16] = {0};
        struct gs_rng rng;
        assert_true(gs_budgets_configure(b, &routes));
        gs_rng_seed(&rng, seed);
        for (int step = 0; step < 1000; step++) {
            struct gs_budget_hold *h = &holds[gs_rng_u64(&rng) % 16];
            const int64_t amount = (int64_t)(gs_rng_u64(&rng) % (uint64_t)USD);
            const struct gs_slice who = gs_rng_u64(&rng) % 2 ? anthropic : openai;
            if (h->account != 0)
                gs_budgets_settle(b, h, h->nanousd * (int64_t)(gs_rng_u64(&rng) % 3) / 20, JAN1);
            else if (!gs_budgets_reserve(b, who, amount, JAN1, h))
                assert_int_equal(h->account, 0);
            const struct gs_budget_state a = state_of(b, anthropic, JAN1);
            const struct gs_budget_state all = state_of(b, gs_slice(NULL, 0), JAN1);
            assert_true(a.day_nanousd + a.reserved_nanousd <= 5 * USD);
            assert_true(all.day_nanousd + all.reserved_nanousd <= 6 * USD);
        }
        for (size_t i = 0; i < 16; i++)
            gs_budgets_settle(b, &holds[i], 0, JAN1);
        assert_int_equal(state_of(b, gs_slice(NULL, 0), JAN1).reserved_nanousd, 0);
        assert_int_equal(state_of(b, anthropic, JAN1).reserved_nanousd, 0);
        gs_budgets_free(b);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, create, destroy)
    const struct CMUnitTest tests[] = {
        TEST(side_by_side_they_do_not_pass_a_limit),
        TEST(all_together_have_a_limit_too),
        TEST(what_costs_nothing_is_never_refused),
        TEST(days_and_months_begin_anew),
        TEST(a_clock_set_back_makes_no_new_day),
        TEST(restarts_and_reloads_keep_the_sums),
        TEST(limits_of_the_table_hold),
        TEST(holds_in_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
