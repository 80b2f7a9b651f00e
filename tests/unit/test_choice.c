/* Who is to answer: routes, filters, the order of every policy, and who is left when all are out.
 */
#include "cmocka_headers.h"

#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "base/slice.h"
#include "route/choice.h"

#define S ((int64_t)1000000)

enum { LOCAL, CLOUD_A, CLOUD_B, GARAGE, NEAR, N_PROVIDERS };

static const struct gs_config_provider providers[] = {
    [LOCAL] = {.name = "local", .kind = GS_PROVIDER_LOCAL, .is_loopback = true, .is_near = true},
    [CLOUD_A] = {.name = "a"},
    [CLOUD_B] = {.name = "b"},
    [GARAGE] = {.name = "garage", .is_loopback = true, .is_near = true},
    [NEAR] = {.name = "near", .is_near = true},
};
static const struct gs_config_target clouds[] = {{CLOUD_A, NULL}, {CLOUD_B, "big"}};
static const struct gs_config_target mixed[] = {
    {CLOUD_A, NULL}, {LOCAL, "qwen"}, {CLOUD_B, "big"}, {GARAGE, NULL}};
static const struct gs_config_routes routes = {.providers = providers, .n_providers = N_PROVIDERS};

/* What is known of each provider. */
struct world {
    struct gs_choice_facts of[N_PROVIDERS];
    size_t n_asked;
};

static struct world fresh(void)
{
    struct world w = {0};

    for (size_t i = 0; i < N_PROVIDERS; i++)
        w.of[i] = (struct gs_choice_facts){.cost_nanousd = -1, .p50_us = -1};
    return w;
}

static void tell(void *ud, const struct gs_config_target *t, struct gs_choice_facts *out)
{
    struct world *w = ud;

    w->n_asked++;
    *out = w->of[t->provider];
}

static struct gs_config_route route_of(enum gs_policy policy, const struct gs_config_target *t,
                                       size_t n)
{
    return (struct gs_config_route){.match = "*", .targets = t, .n_targets = n, .policy = policy};
}

/* Make the choice and spell it: "a b local", left out ones as "-a:budget". */
static const char *spell(const struct gs_config_route *route, struct gs_choice_question q,
                         struct world *w)
{
    static char text[512];
    struct gs_choice c;
    size_t len = 0;

    gs_choice_make(&routes, route, &q, tell, w, &c);
    text[0] = '\0';
    for (size_t i = 0; i < c.n; i++) {
        const struct gs_choice_target *t = &c.targets[i];
        assert_int_equal(t->why == GS_CHOICE_TAKEN, i < c.n_taken);
        const char *name = providers[t->target.provider].name;
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s%s%s%s", i > 0 ? " " : "",
                                t->why == GS_CHOICE_TAKEN ? "" : "-", name,
                                t->why == GS_CHOICE_TAKEN ? "" : ":",
                                t->why == GS_CHOICE_TAKEN ? "" : gs_choice_word(t->why));
    }
    return text;
}

static const char *spell_policy(enum gs_policy policy, struct world *w)
{
    const struct gs_config_route r = route_of(policy, mixed, 4);

    return spell(&r, (struct gs_choice_question){.turn = 1}, w);
}

/* ---- routes ---- */

static void the_first_route_that_applies_counts(void **state)
{
    static const struct gs_config_route list[] = {
        {.match = "claude-*", .images = GS_CONDITION_NO, .prompt_under = 1000},
        {.match = "claude-*", .tools = GS_CONDITION_YES, .prompt_over = 5000},
        {.match = "CLAUDE-opus|gpt-*"},
        {.match = "*", .tools = GS_CONDITION_NONE},
    };
    const struct gs_config_routes r = {.routes = list, .n_routes = 4};
    struct gs_choice_question q = {.model = GS_SLICE_LIT("claude-opus"), .prompt_tokens = 999};
    (void)state;

    assert_ptr_equal(gs_choice_route(&r, &q), &list[0]);
    q.has_images = true;
    assert_ptr_equal(gs_choice_route(&r, &q), &list[2]);
    q.has_tools = true;
    q.prompt_tokens = 5000;
    assert_ptr_equal(gs_choice_route(&r, &q), &list[2]);
    q.prompt_tokens = 5001;
    assert_ptr_equal(gs_choice_route(&r, &q), &list[1]);
    q.model = GS_SLICE_LIT("mistral");
    assert_ptr_equal(gs_choice_route(&r, &q), &list[3]);
    assert_null(gs_choice_route(&(struct gs_config_routes){.routes = list, .n_routes = 1}, &q));
}

static void what_this_machine_is_counts(void **state)
{
    static const struct gs_config_route list[] = {
        {.match = "*", .battery = GS_CONDITION_NO, .hot = GS_CONDITION_NO},
        {.match = "*", .hot = GS_CONDITION_YES},
        {.match = "*"},
    };
    const struct gs_config_routes r = {.routes = list, .n_routes = 3};
    struct gs_choice_question q = {.model = GS_SLICE_LIT("m")};
    (void)state;

    assert_ptr_equal(gs_choice_route(&r, &q), &list[0]);
    q.is_on_battery = true;
    assert_ptr_equal(gs_choice_route(&r, &q), &list[2]);
    q.is_hot = true;
    assert_ptr_equal(gs_choice_route(&r, &q), &list[1]);
    q.is_on_battery = false;
    assert_ptr_equal(gs_choice_route(&r, &q), &list[1]);
}

/* ---- order ---- */

static void local_is_always_the_last(void **state)
{
    const struct gs_config_route r = route_of(GS_POLICY_ORDER, clouds, 2);
    const struct gs_config_route cheapest = route_of(GS_POLICY_CHEAPEST, clouds, 2);
    struct world w = fresh();
    (void)state;

    assert_string_equal(spell(&r, (struct gs_choice_question){0}, &w), "a b local");
    assert_string_equal(spell(NULL, (struct gs_choice_question){0}, &w), "local");
    w.of[LOCAL].cost_nanousd = 0;
    assert_string_equal(spell(&cheapest, (struct gs_choice_question){0}, &w), "a b local");
}

static void policies_order_what_the_route_names(void **state)
{
    struct world w = fresh();
    (void)state;

    assert_string_equal(spell_policy(GS_POLICY_ORDER, &w), "a local b garage");
    assert_string_equal(spell_policy(GS_POLICY_LOCAL_FIRST, &w), "local garage a b");
    assert_string_equal(spell_policy(GS_POLICY_CLOUD_FIRST, &w), "a b local garage");
    assert_string_equal(spell_policy(GS_POLICY_LOCAL_ONLY, &w), "local garage -a:policy -b:policy");
    w.of[CLOUD_A].cost_nanousd = 30;
    w.of[CLOUD_B].cost_nanousd = 20;
    w.of[LOCAL].cost_nanousd = 0;
    assert_string_equal(spell_policy(GS_POLICY_CHEAPEST, &w), "local b a garage");
    w.of[CLOUD_A].p50_us = 800000;
    w.of[CLOUD_B].p50_us = 500000;
    w.of[LOCAL].p50_us = 3 * S;
    assert_string_equal(spell_policy(GS_POLICY_FASTEST, &w), "garage b a local");
}

static void the_fastest_is_not_the_only_one_tried(void **state)
{
    const struct gs_config_route r = route_of(GS_POLICY_FASTEST, clouds, 2);
    struct world w = fresh();
    int n_first = 0;
    (void)state;

    w.of[CLOUD_A].p50_us = 1;
    w.of[CLOUD_B].p50_us = 2;
    for (uint64_t turn = 0; turn < 100; turn++) {
        const char *order = spell(&r, (struct gs_choice_question){.turn = turn}, &w);
        n_first += order[0] == 'b';
        assert_string_equal(order + 4, "local");
    }
    assert_int_equal(n_first, 5);
}

static void a_hedge_takes_two(void **state)
{
    const struct gs_config_route r = route_of(GS_POLICY_HEDGE, clouds, 2);
    struct world w = fresh();
    struct gs_choice c;
    (void)state;

    gs_choice_make(&routes, &r, &(struct gs_choice_question){0}, tell, &w, &c);
    assert_true(c.hedge);
    w.of[CLOUD_B].why = w.of[LOCAL].why = GS_CHOICE_UNFIT;
    gs_choice_make(&routes, &r, &(struct gs_choice_question){0}, tell, &w, &c);
    assert_false(c.hedge);
}

/* ---- filters ---- */

static void nobody_is_asked_about_who_is_forbidden(void **state)
{
    struct gs_config_route r = route_of(GS_POLICY_CLOUD_FIRST, mixed, 4);
    struct world w = fresh();
    (void)state;

    assert_string_equal(
        spell(&r, (struct gs_choice_question){.privacy = GS_PRIVACY_LOCAL_ONLY}, &w),
        "local garage -a:privacy -b:privacy");
    assert_int_equal(w.n_asked, 2);
    assert_string_equal(spell(&r, (struct gs_choice_question){.is_hermit = true}, &w),
                        "local garage -a:hermit -b:hermit");
    assert_string_equal(spell(&r, (struct gs_choice_question){.privacy = GS_PRIVACY_REDACT}, &w),
                        "a b local garage");
    r.privacy = GS_PRIVACY_LOCAL_ONLY; /* the stricter of the two counts */
    assert_string_equal(spell(&r, (struct gs_choice_question){.privacy = GS_PRIVACY_ANY}, &w),
                        "local garage -a:privacy -b:privacy");
}

static void reasons_are_kept(void **state)
{
    struct world w = fresh();
    static const struct gs_config_target twice[] = {
        {CLOUD_B, "big"}, {CLOUD_B, NULL}, {CLOUD_B, "big"}, {CLOUD_B, "small"}, {CLOUD_B, NULL}};
    const struct gs_config_route r = route_of(GS_POLICY_ORDER, twice, 5);
    (void)state;

    w.of[CLOUD_A].why = GS_CHOICE_KEY;
    w.of[CLOUD_B].why = GS_CHOICE_BUDGET;
    w.of[GARAGE].wait_us = 5 * S;
    assert_string_equal(spell_policy(GS_POLICY_ORDER, &w),
                        "local -a:key -b:budget -garage:breaker");
    w = fresh();
    assert_string_equal(spell(&r, (struct gs_choice_question){0}, &w),
                        "b b b local -b:twice -b:twice");
}

static void a_dead_uplink_leaves_the_local_network(void **state)
{
    static const struct gs_config_target all[] = {
        {CLOUD_A, NULL}, {NEAR, NULL}, {LOCAL, "qwen"}, {CLOUD_B, "big"}, {GARAGE, NULL}};
    const struct gs_config_route r = route_of(GS_POLICY_ORDER, all, 5);
    struct world w = fresh();
    (void)state;

    assert_string_equal(spell(&r, (struct gs_choice_question){.is_uplink_down = true}, &w),
                        "near local garage -a:uplink -b:uplink");
}

/* ---- nobody is left ---- */

static void the_shortest_wait_is_the_last_resort(void **state)
{
    const struct gs_config_route r = route_of(GS_POLICY_ORDER, clouds, 2);
    struct gs_choice_question q = {.budget_us = 12 * S};
    struct world w = fresh();
    struct gs_choice c;
    (void)state;

    w.of[CLOUD_A].wait_us = 9 * S;
    w.of[CLOUD_B].wait_us = 2 * S;
    assert_string_equal(spell(&r, q, &w), "local -a:breaker -b:breaker");
    w.of[LOCAL].why = GS_CHOICE_UNFIT;
    assert_string_equal(spell(&r, q, &w), "b -a:breaker -local:unfit");
    gs_choice_make(&routes, &r, &q, tell, &w, &c);
    assert_int_equal(c.wait_us, 2 * S);
    assert_true(c.is_in_time);
    q.budget_us = S;
    gs_choice_make(&routes, &r, &q, tell, &w, &c);
    assert_int_equal(c.n_taken, 1);
    assert_false(c.is_in_time);
    q.is_uplink_down = true; /* we may be wrong about it: try */
    gs_choice_make(&routes, &r, &q, tell, &w, &c);
    assert_int_equal(c.n_taken, 1);
    q.privacy = GS_PRIVACY_LOCAL_ONLY; /* but never this */
    assert_string_equal(spell(&r, q, &w), "-a:privacy -b:privacy -local:unfit");
}

static void long_lists_are_cut(void **state)
{
    static struct gs_config_target many[100];
    static char names[100][4];
    struct gs_config_route r = route_of(GS_POLICY_ORDER, many, 100);
    struct world w = fresh();
    struct gs_choice c;
    (void)state;

    for (size_t i = 0; i < 100; i++) {
        snprintf(names[i], sizeof(names[i]), "%zu", i);
        many[i] = (struct gs_config_target){CLOUD_A, names[i]};
    }
    gs_choice_make(&routes, &r, &(struct gs_choice_question){0}, tell, &w, &c);
    assert_int_equal(c.n, GS_CHOICE_MAX);
    assert_int_equal(c.targets[c.n_taken - 1].target.provider, LOCAL);
}

/* Whatever is known and asked: every target is in the list once, those taken are allowed, and
 * nobody beyond this machine is taken where nothing may leave it. */
static void holds_in_any_world(void **state)
{
    static const enum gs_choice_why refusals[] = {GS_CHOICE_KEY, GS_CHOICE_UNFIT, GS_CHOICE_BUDGET};
    struct gs_rng rng;
    (void)state;

    gs_rng_seed(&rng, 3);
    for (int round = 0; round < 20000; round++) {
        const uint64_t bits = gs_rng_u64(&rng);
        const struct gs_config_route r =
            route_of((enum gs_policy)(bits % 7), bits & 8 ? mixed : clouds, bits & 8 ? 4 : 2);
        const struct gs_choice_question q = {.privacy = (enum gs_privacy)(bits >> 4 & 3) % 3,
                                             .is_hermit = bits >> 6 & 1,
                                             .is_uplink_down = bits >> 7 & 1,
                                             .turn = bits >> 8 & 63};
        struct world w = fresh();
        struct gs_choice c;
        unsigned seen = 0;
        for (size_t i = 0; i < N_PROVIDERS; i++) {
            const uint64_t b = gs_rng_u64(&rng);
            w.of[i].why = b % 3 ? GS_CHOICE_TAKEN : refusals[(b >> 8) % 3];
            w.of[i].wait_us = b >> 16 & 1 ? (int64_t)(b >> 32 & 0xFF) : 0;
            w.of[i].cost_nanousd = (int64_t)(b >> 40 & 7) - 1;
            w.of[i].p50_us = (int64_t)(b >> 44 & 7) - 1;
        }
        gs_choice_make(&routes, &r, &q, tell, &w, &c);
        assert_int_equal(c.n, bits & 8 ? 4 : 3);
        for (size_t i = 0; i < c.n; i++) {
            const size_t p = c.targets[i].target.provider;
            assert_int_equal(seen >> p & 1, 0);
            seen |= 1u << p;
            if (i >= c.n_taken)
                continue;
            assert_int_equal(w.of[p].why, GS_CHOICE_TAKEN);
            assert_true(providers[p].is_loopback ||
                        (!q.is_hermit && q.privacy != GS_PRIVACY_LOCAL_ONLY &&
                         r.policy != GS_POLICY_LOCAL_ONLY));
            assert_true(w.of[p].wait_us == 0 || c.n_taken == 1);
        }
        assert_int_equal(c.hedge && c.n_taken < 2, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_route_that_applies_counts),
        cmocka_unit_test(what_this_machine_is_counts),
        cmocka_unit_test(local_is_always_the_last),
        cmocka_unit_test(policies_order_what_the_route_names),
        cmocka_unit_test(the_fastest_is_not_the_only_one_tried),
        cmocka_unit_test(a_hedge_takes_two),
        cmocka_unit_test(nobody_is_asked_about_who_is_forbidden),
        cmocka_unit_test(reasons_are_kept),
        cmocka_unit_test(a_dead_uplink_leaves_the_local_network),
        cmocka_unit_test(the_shortest_wait_is_the_last_resort),
        cmocka_unit_test(long_lists_are_cut),
        cmocka_unit_test(holds_in_any_world),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
