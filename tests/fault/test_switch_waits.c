/* The switch, where there is nobody else: it leaves a provider alone that fails, and waits for one
 * that asked for a little time. */
#include "cmocka_headers.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/slice.h"
#include "dialect/dialect.h"
#include "fault/fake_provider.h"
#include "http/loop.h"
#include "http/parse.h"
#include "switch/switch_call.h"

struct world {
    struct gs_http_loop *loop;
    struct gs_http_timer *leave;
    struct gs_switch *sw;
    struct fake_provider *fake;
    char url[64];
    struct gs_config_provider providers[3];
    struct gs_config_target targets[2];
    struct gs_config_route route;
    struct gs_config_routes routes;
    struct gs_switch_call *call;
    int status; /* of the reply; 0: none came */
    bool failed;
    bool leaves; /* the client does not wait */
    bool probes; /* another call asks first, and leaves when it was heard */
    struct gs_switch_call *other;
};

static void on_free(void *ud)
{
    gs_http_loop_break(((struct world *)ud)->loop);
}

static void on_other_free(void *ud)
{
    ((struct world *)ud)->other = NULL;
}

static void on_leave(void *ud)
{
    struct world *w = ud;

    if (!w->probes && !w->call->is_waiting)
        gs_http_timer_start(w->leave, 1);
    else if (!w->probes)
        gs_switch_call_free(w->call, on_free, w);
    else if (fake_provider_count(w->fake, FAKE_REQUESTS) < 4)
        gs_http_timer_start(w->leave, 5);
    else
        gs_switch_call_free(w->other, on_other_free, w);
}

static bool begin_anew(struct world *w)
{
    const struct gs_switch_options opt = {.max_calls = 4};
    struct gs_arena arena;

    gs_arena_init(&arena, 0);
    gs_switch_free(w->sw);
    w->sw = NULL;
    return gs_switch_create(w->loop, &opt, &w->sw, NULL) == GS_OK &&
           gs_switch_set_routes(w->sw, &arena, &w->routes, NULL) == GS_OK;
}

static int create(void **state)
{
    static struct world w;

    w = (struct world){.fake = fake_provider_start(&(struct fake_provider_options){.port = 0})};
    if (!w.fake || gs_http_loop_create(&w.loop, NULL) != GS_OK ||
        gs_http_timer_create(w.loop, on_leave, &w, &w.leave, NULL) != GS_OK)
        return -1;
    snprintf(w.url, sizeof(w.url), "http://127.0.0.1:%d", fake_provider_port(w.fake));
    w.providers[0] = (struct gs_config_provider){.name = "local", .url = "", .is_near = true};
    w.providers[1] = (struct gs_config_provider){.name = "fake",
                                                 .kind = GS_PROVIDER_ANTHROPIC,
                                                 .url = w.url,
                                                 .apis = GS_PROVIDER_API_MESSAGES,
                                                 .key_source = GS_KEY_NONE,
                                                 .is_loopback = true,
                                                 .is_near = true};
    w.providers[2] = w.providers[1];
    w.providers[2].name = "other";
    w.targets[0].provider = 1;
    w.targets[1].provider = 2;
    w.route = (struct gs_config_route){.match = "*", .targets = w.targets, .n_targets = 1};
    w.routes = (struct gs_config_routes){
        .providers = w.providers, .n_providers = 3, .routes = &w.route, .n_routes = 1};
    *state = &w;
    return begin_anew(&w) ? 0 : -1;
}

static int destroy(void **state)
{
    struct world *w = *state;

    gs_switch_free(w->sw);
    gs_http_timer_free(w->leave);
    gs_http_loop_free(w->loop);
    fake_provider_stop(w->fake);
    return 0;
}

static void on_header(void *ud, const char *name, struct gs_slice value)
{
    (void)ud;
    (void)name;
    (void)value;
}

static void on_event(void *ud, const struct gs_event *ev, bool is_spelled)
{
    struct world *w = ud;

    (void)is_spelled;
    w->failed = ev->kind == GS_EVENT_ERROR;
    gs_switch_call_free(w->call, on_free, w);
}

static void on_bytes(void *ud, struct gs_slice bytes)
{
    (void)ud;
    (void)bytes;
}

static void on_reply(void *ud, const struct gs_switch_reply *reply)
{
    struct world *w = ud;

    w->status = reply->status;
    gs_switch_call_free(w->call, on_free, w);
}

static void on_pause(void *ud)
{
    (void)ud;
}

static enum gs_status ask(struct world *w, struct gs_error *err)
{
    static const char text[] = "{\"model\":\"m\",\"max_tokens\":9,\"messages\":"
                               "[{\"role\":\"user\",\"content\":\"say 3\"}]}";
    const struct gs_slice body = gs_slice_str(text);
    const struct gs_http_head head = {0};
    struct gs_chat chat = {0};
    struct gs_dialect_context ctx = {0};
    struct gs_arena a;
    const struct gs_switch_sink sink = {w, on_header, on_event, on_bytes, on_reply, on_pause};

    w->status = 0;
    w->failed = false;
    gs_arena_init(&a, 0);
    assert_int_equal(gs_dialect_anthropic.read_request(&chat, &ctx, body, "/v1/messages", &a, NULL),
                     GS_OK);
    const struct gs_switch_ask question = {.id = GS_SLICE_LIT("req_1"),
                                           .dialect = &gs_dialect_anthropic,
                                           .ctx = &ctx,
                                           .chat = &chat,
                                           .model = GS_SLICE_LIT("m"),
                                           .path = GS_SLICE_LIT("/v1/messages"),
                                           .body = body,
                                           .head = &head};
    if (w->probes)
        assert_int_equal(gs_switch_call_create(w->sw, &question, &sink, &w->other, NULL), GS_OK);
    const enum gs_status st = gs_switch_call_create(w->sw, &question, &sink, &w->call, err);
    if (st == GS_OK && (w->leaves || w->probes))
        gs_http_timer_start(w->leave, 1);
    if (st == GS_OK)
        assert_int_equal(gs_http_loop_run(w->loop, NULL), GS_OK);
    gs_arena_clear(&a);
    return st;
}

static void a_short_wait_is_waited_for(void **state)
{
    struct world *w = *state;

    fake_provider_script(w->fake, "429-retry-ms-200");
    assert_int_equal(ask(w, NULL), GS_OK);
    assert_int_equal(w->status, 200);
    assert_int_equal(fake_provider_count(w->fake, FAKE_REQUESTS), 2);
}

static void by_who_comes_next_too(void **state)
{
    struct world *w = *state;

    fake_provider_script(w->fake, "503-retry-after-1");
    w->leaves = true;
    assert_int_equal(ask(w, NULL), GS_OK);
    w->leaves = false;
    assert_int_equal(ask(w, NULL), GS_OK);
    assert_int_equal(w->status, 200);
    assert_int_equal(fake_provider_count(w->fake, FAKE_REQUESTS), 2);
}

/* Three failures in a row open the breaker, for longer than the request has. */
static void not_without_end(void **state)
{
    struct world *w = *state;

    fake_provider_default(w->fake, "429-retry-ms-20");
    for (int attempts = 1; attempts < 6; attempts++) {
        const size_t before = fake_provider_count(w->fake, FAKE_REQUESTS);
        w->route.attempts = attempts;
        assert_true(begin_anew(w));
        assert_int_equal(ask(w, NULL), GS_OK);
        assert_true(w->failed);
        assert_int_equal(fake_provider_count(w->fake, FAKE_REQUESTS) - before, GS_MIN(attempts, 3));
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
        {"500,500", 2, 0},
    };
    struct world *w = *state;

    w->route.n_targets = 2;
    for (size_t i = 0; i < GS_COUNT_OF(rows); i++) {
        const size_t before = fake_provider_count(w->fake, FAKE_REQUESTS);
        assert_true(begin_anew(w));
        fake_provider_script(w->fake, rows[i].script);
        assert_int_equal(ask(w, NULL), GS_OK);
        assert_int_equal(w->status, rows[i].status);
        assert_int_equal(w->failed, rows[i].status == 0);
        assert_int_equal(fake_provider_count(w->fake, FAKE_REQUESTS) - before, rows[i].n_requests);
    }
}

static void a_long_one_is_told_at_once(void **state)
{
    struct world *w = *state;
    struct gs_error err = {0};

    fake_provider_script(w->fake, "429-retry-after-60");
    assert_int_equal(ask(w, NULL), GS_OK);
    assert_int_equal(ask(w, &err), GS_EBUSY);
    assert_non_null(strstr(err.msg, "nobody can be asked for another"));
    assert_non_null(strstr(err.msg, gs_fault_meaning(GS_FAULT_RATE_LIMIT)));
    assert_in_range(err.needed, 30, 61);
    assert_int_equal(fake_provider_count(w->fake, FAKE_REQUESTS), 1);
}

static void who_fails_three_times_is_left_alone(void **state)
{
    struct world *w = *state;
    struct gs_error err = {0};

    fake_provider_default(w->fake, "500");
    for (int i = 0; i < 3; i++)
        assert_int_equal(ask(w, NULL), GS_OK);
    for (int i = 0; i < 5; i++)
        assert_int_equal(ask(w, &err), GS_EBUSY);
    assert_int_equal(fake_provider_count(w->fake, FAKE_REQUESTS), 3);
}

static void one_probes_and_others_wait(void **state)
{
    struct world *w = *state;

    fake_provider_script(w->fake, "500,500,500,silent");
    for (int i = 0; i < 3; i++)
        assert_int_equal(ask(w, NULL), GS_OK);
    gs_breakers_woke(w->sw->breakers, 1, gs_clock_mono_us());
    w->probes = true;
    assert_int_equal(ask(w, NULL), GS_OK);
    assert_int_equal(w->status, 200);
    assert_null(w->other);
    assert_int_equal(fake_provider_count(w->fake, FAKE_REQUESTS), 5);
}

static void wrong_requests_do_not_count(void **state)
{
    struct world *w = *state;

    fake_provider_default(w->fake, "400");
    for (int i = 0; i < 12; i++)
        assert_int_equal(ask(w, NULL), GS_OK);
    assert_int_equal(fake_provider_count(w->fake, FAKE_REQUESTS), 12);
}

static void who_leaves_while_it_waits_is_let_go(void **state)
{
    struct world *w = *state;

    fake_provider_script(w->fake, "429-retry-after-5"); /* within the request's time */
    w->leaves = true;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ask(w, NULL), GS_OK);
        assert_int_equal(w->status, 0);
    }
    assert_int_equal(fake_provider_count(w->fake, FAKE_REQUESTS), 1);
}

/* Both of two hosts beyond are out of reach: so is our uplink. */
static void lose_the_uplink(struct world *w, int64_t now_us)
{
    w->providers[1].is_near = false;
    gs_uplink_init(&w->sw->uplink, 2);
    gs_uplink_fault(&w->sw->uplink, GS_SLICE_LIT("http://one"), GS_FAULT_DNS, now_us);
    gs_uplink_fault(&w->sw->uplink, GS_SLICE_LIT("http://two"), GS_FAULT_DNS, now_us);
}

/* The breaker keeps the attempt from being made: it does not find out about the uplink. */
static void who_does_not_ask_does_not_probe(void **state)
{
    struct world *w = *state;
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
    struct world *w = *state;

    lose_the_uplink(w, gs_clock_mono_us());
    assert_int_equal(ask(w, NULL), GS_OK);
    assert_int_equal(w->status, 200);
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
        TEST(who_fails_three_times_is_left_alone),
        TEST(wrong_requests_do_not_count),
        TEST(one_probes_and_others_wait),
        TEST(who_leaves_while_it_waits_is_let_go),
        TEST(who_does_not_ask_does_not_probe),
        TEST(the_only_one_is_asked_all_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
