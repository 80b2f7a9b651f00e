/* The switch, where there is nobody else: it leaves a provider alone that fails, and waits for one
 * that asked for a little time. */
#include "bare_switch.h"
#include "base/clock.h"

static const char body[] = "{\"model\":\"m\",\"max_tokens\":9,\"messages\":"
                           "[{\"role\":\"user\",\"content\":\"say 3\"}]}";

static void begin_anew(struct bare *w)
{
    bare_start(w, &(struct gs_switch_options){.max_calls = 4});
}

static int create(void **state)
{
    static struct bare w;

    *state = &w;
    if (bare_init(&w, body, &w) != 0)
        return -1;
    w.targets[1].provider = 2;
    begin_anew(&w);
    return 0;
}

static int destroy(void **state)
{
    bare_clear(*state);
    return 0;
}

static enum gs_status ask(struct bare *w, struct gs_error *err)
{
    return bare_ask(w, NULL, NULL, err);
}

static bool is_waiting(void *ud)
{
    return ((struct bare *)ud)->call->is_waiting;
}

static void leave(void *ud)
{
    bare_leave(ud);
}

static void ask_and_leave(struct bare *w)
{
    assert_int_equal(bare_ask(w, is_waiting, leave, NULL), GS_OK);
    assert_int_equal(w->status, 0);
}

static void a_short_wait_is_waited_for(void **state)
{
    struct bare *w = *state;

    fake_provider_script(w->provider, "429-retry-ms-200");
    assert_int_equal(ask(w, NULL), GS_OK);
    assert_int_equal(w->status, 200);
    assert_int_equal(fake_provider_count(w->provider, FAKE_REQUESTS), 2);
}

static void by_who_comes_next_too(void **state)
{
    struct bare *w = *state;

    fake_provider_script(w->provider, "503-retry-after-1");
    ask_and_leave(w);
    assert_int_equal(ask(w, NULL), GS_OK);
    assert_int_equal(w->status, 200);
    assert_int_equal(fake_provider_count(w->provider, FAKE_REQUESTS), 2);
}

/* Three failures in a row open the breaker, for longer than the request has. */
static void not_without_end(void **state)
{
    struct bare *w = *state;

    fake_provider_default(w->provider, "429-retry-ms-20");
    for (int attempts = 1; attempts < 6; attempts++) {
        const size_t before = fake_provider_count(w->provider, FAKE_REQUESTS);
        w->route.attempts = attempts;
        begin_anew(w);
        assert_int_equal(ask(w, NULL), GS_OK);
        assert_true(w->failed);
        assert_int_equal(fake_provider_count(w->provider, FAKE_REQUESTS) - before,
                         GS_MIN(attempts, 3));
    }
}

/* Whoever names a time is waited for, whoever does not is asked once; and what is wrong with the
 * request itself is the answer. */
static void of_two_who_says_when(void **state)
{
    static const struct {
        const char *script;
        int n_requests, status;
    } rows[] = {
        {"429-retry-ms-100,500", 3, 200},
        {"500,429-retry-ms-100", 3, 200},
        {"429-retry-ms-300,429-retry-ms-50", 3, 200},
        {"429-retry-ms-100,413", 3, 200},
        {"429-retry-ms-50,500,429-retry-ms-50,500", 4, 0},
        {"429-retry-ms-100,400", 2, 400},
        {"413-retry-ms-50,413-retry-ms-50", 2, 413},
        {"500,500", 2, 0},
        {"200-empty-retry-ms-50,500", 2, 0},
    };
    struct bare *w = *state;

    w->route.n_targets = 2;
    for (size_t i = 0; i < GS_COUNT_OF(rows); i++) {
        const size_t before = fake_provider_count(w->provider, FAKE_REQUESTS);
        begin_anew(w);
        fake_provider_script(w->provider, rows[i].script);
        assert_int_equal(ask(w, NULL), GS_OK);
        assert_int_equal(w->status, rows[i].status);
        assert_int_equal(w->failed, rows[i].status == 0);
        assert_int_equal(fake_provider_count(w->provider, FAKE_REQUESTS) - before,
                         rows[i].n_requests);
    }
}

static void a_long_one_is_told_at_once(void **state)
{
    struct bare *w = *state;
    struct gs_error err = {0};

    fake_provider_script(w->provider, "429-retry-after-60");
    assert_int_equal(ask(w, NULL), GS_OK);
    assert_int_equal(ask(w, &err), GS_EBUSY);
    assert_non_null(strstr(err.msg, "nobody can be asked for another"));
    assert_non_null(strstr(err.msg, gs_fault_meaning(GS_FAULT_RATE_LIMIT)));
    assert_in_range(err.needed, 30, 61);
    assert_int_equal(fake_provider_count(w->provider, FAKE_REQUESTS), 1);
}

/* What is told of a wait is about who waits, not about somebody else's key. */
static void the_key_of_another_is_not_blamed(void **state)
{
    struct bare *w = *state;
    const struct gs_breaker_who other = {GS_SLICE_LIT("cloud"), GS_SLICE_LIT("m"),
                                         GS_SLICE_LIT("another")};
    const struct gs_breaker_report refused = {
        .fault = GS_FAULT_AUTH, .retry_after_us = -1, .ttft_us = -1};
    struct gs_error err = {0};

    fake_provider_script(w->provider, "429-retry-after-60");
    assert_int_equal(ask(w, NULL), GS_OK);
    gs_breakers_report(w->sw->breakers, &other, &(struct gs_breaker_pass){0}, &refused,
                       gs_clock_mono_us());
    assert_int_equal(ask(w, &err), GS_EBUSY);
    assert_non_null(strstr(err.msg, gs_fault_meaning(GS_FAULT_RATE_LIMIT)));
}

static void who_fails_three_times_is_left_alone(void **state)
{
    struct bare *w = *state;
    struct gs_error err = {0};

    fake_provider_default(w->provider, "500");
    for (int i = 0; i < 3; i++)
        assert_int_equal(ask(w, NULL), GS_OK);
    for (int i = 0; i < 5; i++)
        assert_int_equal(ask(w, &err), GS_EBUSY);
    assert_int_equal(fake_provider_count(w->provider, FAKE_REQUESTS), 3);
}

static struct gs_switch_call *probe;

static void on_probe_free(void *ud)
{
    (void)ud;
    probe = NULL;
}

static bool is_probing(void *ud)
{
    struct bare *w = ud;

    return fake_provider_count(w->provider, FAKE_REQUESTS) == 4;
}

static void end_probe(void *ud)
{
    gs_switch_call_free(probe, on_probe_free, ud);
}

static void one_probes_and_others_wait(void **state)
{
    struct bare *w = *state;

    fake_provider_script(w->provider, "500,500,500,silent");
    for (int i = 0; i < 3; i++)
        assert_int_equal(ask(w, NULL), GS_OK);
    gs_breakers_woke(w->sw->breakers, 1, gs_clock_mono_us());
    assert_int_equal(gs_switch_call_create(w->sw, &w->question, &w->sink, &probe, NULL), GS_OK);
    assert_int_equal(bare_ask(w, is_probing, end_probe, NULL), GS_OK);
    assert_int_equal(w->status, 200);
    assert_null(probe);
    assert_int_equal(fake_provider_count(w->provider, FAKE_REQUESTS), 5);
}

static void wrong_requests_do_not_count(void **state)
{
    struct bare *w = *state;

    fake_provider_default(w->provider, "400");
    for (int i = 0; i < 12; i++)
        assert_int_equal(ask(w, NULL), GS_OK);
    assert_int_equal(fake_provider_count(w->provider, FAKE_REQUESTS), 12);
}

static void who_leaves_while_it_waits_is_let_go(void **state)
{
    struct bare *w = *state;

    fake_provider_script(w->provider, "429-retry-after-5"); /* within the request's time */
    ask_and_leave(w);
    ask_and_leave(w);
    assert_int_equal(fake_provider_count(w->provider, FAKE_REQUESTS), 1);
}

static bool is_asked(void *ud)
{
    return fake_provider_count(((struct bare *)ud)->provider, FAKE_REQUESTS) > 0;
}

static void leave_and_reap(void *ud)
{
    struct bare *w = ud;

    bare_leave(w);
    assert_int_equal(w->sw->n_calls, 1);
    gs_switch_reap(w->sw);
    assert_int_equal(w->sw->n_calls, 0);
}

/* The place of who is over can be had before the loop's next turn. */
static void who_is_over_is_released_when_asked(void **state)
{
    struct bare *w = *state;

    fake_provider_script(w->provider, "silent");
    assert_int_equal(bare_ask(w, is_asked, leave_and_reap, NULL), GS_OK);
}

/* Both of two hosts beyond are out of reach: so is our uplink. */
static void lose_the_uplink(struct bare *w, int64_t now_us)
{
    w->providers[1].is_near = false;
    gs_uplink_init(&w->sw->uplink, 2);
    gs_uplink_fault(&w->sw->uplink, GS_SLICE_LIT("http://one"), GS_FAULT_DNS, now_us);
    gs_uplink_fault(&w->sw->uplink, GS_SLICE_LIT("http://two"), GS_FAULT_DNS, now_us);
}

/* The breaker keeps the attempt from being made: it does not find out about the uplink. */
static void who_does_not_ask_does_not_probe(void **state)
{
    struct bare *w = *state;
    const int64_t now_us = gs_clock_mono_us();
    const struct gs_dialect_context ctx = {0};
    const struct gs_http_head head = {0};
    struct gs_switch_call c = {.sw = w->sw,
                               .generation = w->sw->generation,
                               .ask = {.ctx = &ctx, .head = &head, .model = GS_SLICE_LIT("m")}};
    const struct gs_breaker_report gone = {
        .fault = GS_FAULT_MODEL_GONE, .retry_after_us = -1, .ttft_us = -1};

    lose_the_uplink(w, now_us - 60 * 1000000);
    struct gs_switch_leg *leg = gs_switch_leg_create(&c, &w->targets[0]);
    gs_breakers_report(w->sw->breakers, &leg->who, &leg->pass, &gone, now_us);
    assert_false(gs_switch_leg_may_try(leg));
    assert_int_equal(gs_uplink_look(&w->sw->uplink, gs_clock_mono_us()), GS_UPLINK_PROBE);
    gs_breakers_woke(w->sw->breakers, (int64_t)3600 * 1000000, now_us);
    assert_true(gs_switch_leg_may_try(leg));
    assert_int_equal(gs_uplink_look(&w->sw->uplink, gs_clock_mono_us()), GS_UPLINK_DOWN);
    gs_switch_leg_free(leg);
}

/* Our uplink seems down, and there is nobody else. */
static void the_only_one_is_asked_all_the_same(void **state)
{
    struct bare *w = *state;

    lose_the_uplink(w, gs_clock_mono_us());
    assert_int_equal(ask(w, NULL), GS_OK);
    assert_int_equal(w->status, 200);
}

/* Pulled out of its socket while the request was read: it goes by the route it was searched for. */
static void the_plug_moves_no_request(void **state)
{
    static struct gs_config_route routes[2];
    struct bare *w = *state;
    struct gs_buf trace;

    routes[0] = routes[1] = w->route;
    routes[0].battery = GS_CONDITION_YES;
    routes[1].targets = &w->targets[1];
    w->routes.routes = routes;
    w->routes.n_routes = 2;
    begin_anew(w);
    for (size_t i = 0; i < 2; i++) {
        gs_buf_init(&trace, 1 << 20);
        w->question.judgement = gs_switch_judgement_create(w->sw);
        assert_non_null(w->question.judgement);
        w->question.judgement->strain = i == 0 ? GS_POWER_BATTERY : 0;
        assert_int_equal(ask(w, NULL), GS_OK);
        assert_int_equal(w->status, 200);
        assert_true(gs_switch_write_trace(w->sw, w->question.id, &trace));
        gs_buf_putc(&trace, '\0');
        assert_non_null(strstr(trace.ptr, i == 0 ? "cloud: answered" : "other: answered"));
        gs_buf_clear(&trace);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, create, destroy)
    const struct CMUnitTest tests[] = {
        TEST(a_short_wait_is_waited_for),
        TEST(by_who_comes_next_too),
        TEST(not_without_end),
        TEST(of_two_who_says_when),
        TEST(a_long_one_is_told_at_once),
        TEST(the_key_of_another_is_not_blamed),
        TEST(who_fails_three_times_is_left_alone),
        TEST(wrong_requests_do_not_count),
        TEST(one_probes_and_others_wait),
        TEST(who_leaves_while_it_waits_is_let_go),
        TEST(who_is_over_is_released_when_asked),
        TEST(who_does_not_ask_does_not_probe),
        TEST(the_only_one_is_asked_all_the_same),
        TEST(the_plug_moves_no_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
