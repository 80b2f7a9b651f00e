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
static const struct gs_config_client_key keys[] = {
    {.name = "anna", .budget = {.provider = SIZE_MAX, .day_nanousd = 3 * USD}},
    {.name = "anthropic", .on_break = GS_ON_BREAK_ERROR}};
static const struct gs_config_routes with_keys = {.providers = providers,
                                                  .n_providers = 3,
                                                  .budgets = limits,
                                                  .n_budgets = 2,
                                                  .keys = keys,
                                                  .n_keys = 2};
static const struct gs_budget_who all = {.provider = {NULL, 0}};
static const struct gs_budget_who anthropic = {.provider = GS_SLICE_LIT("anthropic")};
static const struct gs_budget_who openai = {.provider = GS_SLICE_LIT("openai")};
static const struct gs_budget_who of_anna = {.key = GS_SLICE_LIT("anna")}; /* an account alone */
static const struct gs_budget_who of_ben = {.key = GS_SLICE_LIT("ben")};
static const struct gs_budget_who anna = {GS_SLICE_LIT("anthropic"), GS_SLICE_LIT("anna")};
static const struct gs_budget_who anna_openai = {GS_SLICE_LIT("openai"), GS_SLICE_LIT("anna")};
static const struct gs_budget_who ben = {GS_SLICE_LIT("anthropic"), GS_SLICE_LIT("ben")};
static const struct gs_budget_who homonym = {.key = GS_SLICE_LIT("anthropic")};

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
    struct gs_budget_who who;
    struct gs_budget_state state;
};

static void see(void *ud, const struct gs_budget_state *s)
{
    struct seen *seen = ud;

    if (gs_slice_eq(s->who.provider, seen->who.provider) && gs_slice_eq(s->who.key, seen->who.key))
        seen->state = *s;
}

static struct gs_budget_state state_of(struct gs_budgets *b, struct gs_budget_who who, int64_t at)
{
    struct seen seen = {.who = who};

    gs_budgets_walk(b, at, see, &seen);
    return seen.state;
}

static void spend(struct gs_budgets *b, struct gs_budget_who who, int64_t nanousd, int64_t at)
{
    struct gs_budget_hold hold;

    assert_true(gs_budgets_reserve(b, who, nanousd, at, &hold));
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
    assert_int_equal(state_of(b, all, JAN1).day_nanousd, 4 * USD);
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
    static char names[GS_BUDGETS_MAX + 1][4];
    static char large[1000];
    static const struct gs_config_budget every = {.provider = SIZE_MAX, .day_nanousd = USD};
    const struct gs_budget_who first = {.provider = GS_SLICE_LIT("Aab")};
    struct gs_budget_hold hold;
    (void)state;

    for (size_t i = 0; i <= GS_BUDGETS_MAX; i++) {
        memcpy(
            names[i],
            (char[4]){(char)('A' + i / 26 / 26), (char)('a' + i / 26 % 26), (char)('a' + i % 26)},
            4);
        many[i].name = names[i];
    }
    struct gs_budgets *b = gs_budgets_create();
    assert_non_null(b);
    struct gs_config_routes crowded = {
        .providers = many, .n_providers = GS_BUDGETS_MAX, .budgets = &every, .n_budgets = 1};
    assert_true(gs_budgets_configure(b, &crowded));
    assert_false(gs_budgets_allow(b, first, 2 * USD, JAN1));
    crowded.n_providers++;
    assert_false(gs_budgets_configure(b, &crowded)); /* nothing has changed */
    assert_false(gs_budgets_allow(b, first, 2 * USD, JAN1));
    crowded.n_budgets = 0;
    crowded.n_providers--;
    assert_true(gs_budgets_configure(b, &crowded));
    assert_true(gs_budgets_allow(b, first, 2 * USD, JAN1));
    memset(large, 'x', sizeof(large) - 1);
    assert_true(gs_budgets_reserve(b, (struct gs_budget_who){.provider = gs_slice_str(large)}, USD,
                                   JAN1, &hold));
    gs_budgets_settle(b, &hold, USD, JAN1); /* nobody's: not counted */
    hold.provider = 5000;
    gs_budgets_settle(b, &hold, USD, JAN1);
    gs_budgets_free(b);
    gs_alloc_fail_at(1);
    assert_null(gs_budgets_create());
    gs_alloc_fail_at(0);
    gs_budgets_free(NULL);
}

/* A key's account is charged with the provider's and that of all, or none of them is. */
static void keys_have_accounts_of_their_own(void **state)
{
    struct gs_budgets *b = *state;
    struct gs_budget_hold holds[3];

    assert_true(gs_budgets_configure(b, &with_keys));
    assert_true(gs_budgets_reserve(b, anna, USD, JAN1, &holds[0]));
    assert_true(gs_budgets_reserve(b, anna_openai, 2 * USD, JAN1, &holds[1]));
    assert_false(gs_budgets_reserve(b, anna, USD, JAN1, &holds[2]));
    assert_int_equal(state_of(b, anthropic, JAN1).reserved_nanousd, USD);
    assert_int_equal(state_of(b, all, JAN1).reserved_nanousd, 3 * USD);
    assert_int_equal(state_of(b, of_anna, JAN1).reserved_nanousd, 3 * USD);
    assert_true(gs_budgets_reserve(b, ben, 3 * USD, JAN1, &holds[2])); /* another's goes on */
    gs_budgets_settle(b, &holds[0], USD, JAN1);
    gs_budgets_settle(b, &holds[1], USD, JAN1);
    gs_budgets_settle(b, &holds[2], USD, JAN1);
    gs_budgets_settle(b, &holds[2], USD, JAN1); /* said twice */
    assert_int_equal(state_of(b, of_anna, JAN1).day_nanousd, 2 * USD);
    assert_int_equal(state_of(b, of_anna, JAN1).reserved_nanousd, 0);
    assert_int_equal(state_of(b, anthropic, JAN1).day_nanousd, 2 * USD);
    assert_int_equal(state_of(b, homonym, JAN1).day_nanousd, 0);
    assert_int_equal(state_of(b, all, JAN1).day_nanousd, 3 * USD);
    assert_true(gs_budgets_allow(b, anna, USD, JAN1));
    assert_false(gs_budgets_allow(b, anna, USD + 1, JAN1));
    assert_true(gs_budgets_allow(b, anna, 0, JAN1));
    assert_true(gs_budgets_allow(b, anna, 3 * USD, JAN1 + DAY));
}

/* What was spent before there was a limit counts, in this program and, by the ledger, before it. */
static void keys_get_their_limits_later(void **state)
{
    static const struct gs_config_budget none[] = {{.provider = 2, .day_nanousd = USD}};
    const struct gs_config_routes without = {
        .providers = providers, .n_providers = 3, .budgets = none, .n_budgets = 1};
    struct gs_budgets *b = *state;

    assert_true(gs_budgets_configure(b, &without));
    gs_budgets_restore(b, of_anna, USD, 5 * USD, JAN1);
    assert_int_equal(state_of(b, all, JAN1).day_nanousd, 0); /* its providers' sums are told too */
    spend(b, anna, USD, JAN1);
    spend(b, ben, USD, JAN1);
    assert_false(gs_budgets_has_limit(b, anna));
    assert_true(gs_budgets_has_limit(b, anna_openai));
    assert_true(gs_budgets_configure(b, &with_keys));
    assert_true(gs_budgets_has_limit(b, anna));
    assert_true(gs_budgets_allow(b, anna, USD, JAN1));
    assert_false(gs_budgets_allow(b, anna, USD + 1, JAN1));
    assert_int_equal(state_of(b, of_anna, JAN1).month_nanousd, 6 * USD);
    assert_int_equal(state_of(b, of_ben, JAN1).day_nanousd, USD);
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
        assert_true(gs_budgets_configure(b, &with_keys));
        gs_rng_seed(&rng, seed);
        for (int step = 0; step < 1000; step++) {
            struct gs_budget_hold *h = &holds[gs_rng_u64(&rng) % 16];
            const int64_t amount = (int64_t)(gs_rng_u64(&rng) % (uint64_t)USD);
            struct gs_budget_who who = gs_rng_u64(&rng) % 2 ? anthropic : openai;
            who.key = gs_rng_u64(&rng) % 2 ? of_anna.key : gs_slice(NULL, 0);
            if (h->provider != 0)
                gs_budgets_settle(b, h, h->nanousd * (int64_t)(gs_rng_u64(&rng) % 3) / 20, JAN1);
            else if (!gs_budgets_reserve(b, who, amount, JAN1, h))
                assert_int_equal(h->provider, 0);
            const struct gs_budget_state a = state_of(b, anthropic, JAN1);
            const struct gs_budget_state sum = state_of(b, all, JAN1);
            assert_true(a.day_nanousd + a.reserved_nanousd <= 5 * USD);
            const struct gs_budget_state k = state_of(b, of_anna, JAN1);
            assert_true(k.day_nanousd + k.reserved_nanousd <= 3 * USD);
            assert_true(sum.day_nanousd + sum.reserved_nanousd <= 6 * USD);
        }
        for (size_t i = 0; i < 16; i++)
            gs_budgets_settle(b, &holds[i], 0, JAN1);
        assert_int_equal(state_of(b, all, JAN1).reserved_nanousd, 0);
        assert_int_equal(state_of(b, anthropic, JAN1).reserved_nanousd, 0);
        assert_int_equal(state_of(b, of_anna, JAN1).reserved_nanousd, 0);
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
        TEST(keys_have_accounts_of_their_own),
        TEST(keys_get_their_limits_later),
        TEST(limits_of_the_table_hold),
        TEST(holds_in_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
