/* The local model reads the prompt of a suspicious answer ahead: when it does, when it does not,
 * and what a takeover has left to read. */
#include "cmocka_headers.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/os.h"
#include "dialect/dialect.h"
#include "fake_backend.h"
#include "fault/fake_provider.h"
#include "http/loop.h"
#include "http/parse.h"
#include "standin/standin.h"
#include "switch/switch_call.h"

#define PROMPT                                                                                     \
    "Many words stand here, so that there is something to read which takes longer than the "       \
    "last of them; whoever takes over has read them, and begins with what is new. say 8"

struct world {
    struct gs_http_loop *loop;
    struct gs_http_timer *poll;
    struct gs_switch *sw;
    struct fake_provider *provider;
    struct fake fake;
    struct gs_local *local; /* the real one, or NULL */
    char url[64];
    struct gs_config_provider providers[2];
    struct gs_config_target targets[2];
    struct gs_config_route route;
    struct gs_config_routes routes;

    /* one request */
    struct gs_switch_call *call;
    char id[16];
    int n_asked;
    bool (*is_time)(struct world *w); /* asked every few ms while it runs */
    void (*then)(struct world *w);    /* once, when it is */
    struct gs_buf text;
    struct gs_usage usage;
    bool has_stopped, failed;
};

static char standin_path[] = "/tmp/genset-test-standby-XXXXXX";

/* ---- a switch ---- */

static void on_poll(void *ud)
{
    struct world *w = ud;

    if (!w->is_time(w))
        gs_http_timer_start(w->poll, 2);
    else
        w->then(w);
}

static void start_switch(struct world *w, bool is_real)
{
    struct gs_switch_options opt = {.max_calls = 4, .has_local = true};
    const char *const paths[] = {standin_path};
    struct gs_local_options local = {.paths = paths, .n_paths = 1, .any_name = true};
    struct gs_arena arena;
    struct gs_error err;

    gs_arena_init(&arena, 0);
    fake_init(&w->fake, &opt.backend);
    if (is_real) {
        gs_llm_options_init(&local.llm);
        local.llm.n_threads = 1;
        local.llm.ctx_tokens = 1024;
        if (gs_local_create(&local, &w->local, &err) != GS_OK)
            fail_msg("%s", err.msg);
        gs_switch_backend_local(&opt.backend, w->local);
    }
    w->targets[1] = (struct gs_config_target){0, is_real ? NULL : "words"};
    assert_int_equal(gs_switch_create(w->loop, &opt, &w->sw, NULL), GS_OK);
    assert_int_equal(gs_switch_set_routes(w->sw, &arena, &w->routes, NULL), GS_OK);
}

static int create(void **state)
{
    static struct world w;

    w = (struct world){.provider = fake_provider_start(&(struct fake_provider_options){.port = 0})};
    if (!w.provider || gs_http_loop_create(&w.loop, NULL) != GS_OK ||
        gs_http_timer_create(w.loop, on_poll, &w, &w.poll, NULL) != GS_OK)
        return -1;
    snprintf(w.url, sizeof(w.url), "http://127.0.0.1:%d", fake_provider_port(w.provider));
    w.providers[0] = (struct gs_config_provider){.name = "local", .url = "", .is_near = true};
    w.providers[1] = (struct gs_config_provider){.name = "cloud",
                                                 .kind = GS_PROVIDER_ANTHROPIC,
                                                 .url = w.url,
                                                 .apis = GS_PROVIDER_API_MESSAGES,
                                                 .key_source = GS_KEY_NONE,
                                                 .is_near = true};
    w.targets[0] = (struct gs_config_target){1, NULL};
    w.route = (struct gs_config_route){.match = "*", .targets = w.targets, .n_targets = 2};
    w.routes = (struct gs_config_routes){
        .providers = w.providers, .n_providers = 2, .routes = &w.route, .n_routes = 1};
    *state = &w;
    return 0;
}

static int destroy(void **state)
{
    struct world *w = *state;

    gs_switch_free(w->sw);
    gs_http_timer_free(w->poll);
    gs_http_loop_free(w->loop);
    gs_local_free(w->local);
    fake_clear(&w->fake);
    fake_provider_stop(w->provider);
    return 0;
}

/* ---- a request ---- */

static void on_free(void *ud)
{
    gs_http_loop_break(((struct world *)ud)->loop);
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
    if (ev->kind == GS_EVENT_DELTA)
        gs_buf_slice(&w->text, ev->text);
    w->failed = ev->kind == GS_EVENT_ERROR;
    w->has_stopped = ev->kind == GS_EVENT_STOP;
    w->usage = w->call->legs->usage; /* of who answered last alone */
    if (w->failed || w->has_stopped)
        gs_switch_call_free(w->call, on_free, w);
}

static void on_bytes(void *ud, struct gs_slice bytes)
{
    (void)ud;
    (void)bytes;
}

static void on_reply(void *ud, const struct gs_switch_reply *reply)
{
    (void)ud;
    fail_msg("%.*s", (int)reply->body.len, reply->body.ptr);
}

static void on_pause(void *ud)
{
    (void)ud;
}

/* Ask for a stream; when `is_time` says so (NULL: never), do `then`. */
static void ask(struct world *w, bool (*is_time)(struct world *w), void (*then)(struct world *w))
{
    const struct gs_slice body =
        GS_SLICE_LIT("{\"model\":\"m\",\"max_tokens\":40,\"stream\":true,\"messages\":"
                     "[{\"role\":\"user\",\"content\":\"" PROMPT "\"}]}");
    const struct gs_http_head head = {0};
    struct gs_chat chat = {0};
    struct gs_dialect_context ctx = {0};
    struct gs_arena a;
    const struct gs_switch_sink sink = {w, on_header, on_event, on_bytes, on_reply, on_pause};

    snprintf(w->id, sizeof(w->id), "req_%d", ++w->n_asked);
    w->is_time = is_time;
    w->then = then;
    w->has_stopped = w->failed = false;
    gs_buf_init(&w->text, 1 << 20);
    gs_arena_init(&a, 0);
    assert_int_equal(gs_dialect_anthropic.read_request(&chat, &ctx, body, "/v1/messages", &a, NULL),
                     GS_OK);
    const struct gs_switch_ask question = {.id = gs_slice_str(w->id),
                                           .dialect = &gs_dialect_anthropic,
                                           .ctx = &ctx,
                                           .chat = &chat,
                                           .model = GS_SLICE_LIT("m"),
                                           .path = GS_SLICE_LIT("/v1/messages"),
                                           .body = body,
                                           .head = &head};
    assert_int_equal(gs_switch_call_create(w->sw, &question, &sink, &w->call, NULL), GS_OK);
    if (is_time)
        gs_http_timer_start(w->poll, 2);
    assert_int_equal(gs_http_loop_run(w->loop, NULL), GS_OK);
    gs_arena_clear(&a);
}

/* The next one asked is a probe, whose script this is. */
static void make_probe(struct world *w, const char *script)
{
    fake_provider_script(w->provider, "500,500,500");
    for (int i = 0; i < 3; i++) {
        ask(w, NULL, NULL);
        assert_true(w->has_stopped);
        gs_buf_clear(&w->text);
    }
    gs_breakers_woke(w->sw->breakers, 1, gs_clock_mono_us());
    fake_provider_script(w->provider, script);
}

static int read_so_far(struct world *w)
{
    pthread_mutex_lock(&w->fake.lock);
    const int n = w->fake.n_read;
    pthread_mutex_unlock(&w->fake.lock);
    return n;
}

static bool is_reading(struct world *w)
{
    return read_so_far(w) > 0;
}

static bool is_in_trace(struct world *w, const char *words)
{
    struct gs_buf b;

    gs_buf_init(&b, 1 << 20);
    const bool is = gs_switch_write_trace(w->sw, gs_slice_str(w->id), &b) &&
                    gs_slice_find(gs_buf_view(&b), gs_slice_str(words), 0) != SIZE_MAX;
    gs_buf_clear(&b);
    return is;
}

static bool has_read(struct world *w)
{
    return is_in_trace(w, "\"has read ");
}

static bool is_asked(struct world *w)
{
    return fake_provider_count(w->provider, FAKE_HELD) > 0;
}

static void let_it_go_on(struct world *w)
{
    fake_provider_go(w->provider);
}

static void break_it(struct world *w)
{
    fake_provider_listen(w->provider, false);
}

/* ---- when ---- */

/* Whoever probes is suspicious from the start. It answers; what was read was read for nothing. */
static void a_probe_is_read_at_once(void **state)
{
    struct world *w = *state;

    start_switch(w, false);
    make_probe(w, "hold-after-0");
    ask(w, has_read, let_it_go_on);
    assert_true(w->has_stopped);
    assert_int_equal(read_so_far(w), 1);
    assert_true(is_in_trace(w, "\"standby\""));
    assert_true(gs_slice_eq_str(gs_buf_view(&w->text), "w0 w1 w2 w3 w4 w5 w6 w7"));
    gs_buf_clear(&w->text);
}

/* The answer goes on: nobody reads any more. */
static void who_goes_on_needs_nobody(void **state)
{
    struct world *w = *state;

    start_switch(w, false);
    make_probe(w, "hold-after-0");
    w->fake.is_slow = true;
    const int n_before = w->fake.n_cancelled;
    ask(w, is_reading, let_it_go_on);
    assert_true(w->has_stopped);
    fake_wait(&w->fake, &w->fake.n_cancelled, n_before + 1);
    assert_true(is_in_trace(w, "\"stops\""));
    assert_int_equal(read_so_far(w), 1);
    gs_buf_clear(&w->text);
}

/* Silence of two seconds in the middle: what the client has is read too, and the takeover waits for
 * nobody who reads. */
static void silence_is_suspicious(void **state)
{
    struct world *w = *state;

    start_switch(w, false);
    w->fake.is_slow = true;
    fake_provider_script(w->provider, "hold-after-3");
    ask(w, is_reading, break_it);
    assert_true(w->has_stopped);
    assert_int_equal(read_so_far(w), 1);
    assert_int_equal(w->fake.n_read_on, 1);
    assert_true(gs_slice_eq_str(gs_buf_view(&w->text), "w0 w1 w2 w3 w4 w5 w6 w7"));
    gs_buf_clear(&w->text);
}

/* ---- when not ---- */

static void nobody_reads(struct world *w)
{
    make_probe(w, "hold-after-0");
    ask(w, is_asked, let_it_go_on);
    assert_true(w->has_stopped);
    assert_int_equal(read_so_far(w), 0);
    gs_buf_clear(&w->text);
}

/* This machine answers somebody: he is not to be slowed down. */
static void who_is_busy_does_not_read(void **state)
{
    struct world *w = *state;

    start_switch(w, false);
    w->sw->n_here = 1;
    nobody_reads(w);
    w->sw->n_here = 0;
}

/* The stand-in takes over from nobody. */
static void a_stand_in_does_not_read(void **state)
{
    struct world *w = *state;

    start_switch(w, false);
    make_probe(w, "hold-after-0");
    w->sw->opt.has_local = false;
    ask(w, is_asked, let_it_go_on);
    assert_int_equal(read_so_far(w), 0);
    gs_buf_clear(&w->text);
}

/* ---- what is left to read ---- */

static void a_takeover_begins_with_what_is_new(void **state)
{
    static const char *const scripts[] = {"hold-after-0", "hold-after-3"};
    struct world *w = *state;

    start_switch(w, true);
    for (size_t i = 0; i < GS_COUNT_OF(scripts); i++) {
        fake_provider_listen(w->provider, true);
        fake_provider_script(w->provider, scripts[i]);
        ask(w, has_read, break_it);
        assert_true(w->has_stopped);
        assert_true(is_in_trace(w, "\"standby\""));
        print_message("%s: %lld tokens, %lld of them there\n", scripts[i],
                      (long long)w->usage.prompt_tokens, (long long)w->usage.cached_tokens);
        assert_true(w->usage.cached_tokens > 40);
        assert_true(w->usage.prompt_tokens - w->usage.cached_tokens <= 3);
        gs_buf_clear(&w->text);
    }
}

static int set_up(void **state)
{
    const int fd = mkstemp(standin_path);

    (void)state;
    if (fd < 0)
        return -1;
    close(fd);
    return gs_os_write_file(standin_path, gs_standin_gguf, gs_standin_gguf_bytes, NULL) == GS_OK
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return unlink(standin_path);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, create, destroy)
    const struct CMUnitTest tests[] = {
        TEST(a_probe_is_read_at_once),  TEST(who_goes_on_needs_nobody),
        TEST(silence_is_suspicious),    TEST(who_is_busy_does_not_read),
        TEST(a_stand_in_does_not_read), TEST(a_takeover_begins_with_what_is_new),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
