/* The local model reads the prompt of a suspicious answer ahead: when it does, when it does not,
 * and what a takeover has left to read. */
#include "bare_switch.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/os.h"
#include "fake_backend.h"
#include "standin/standin.h"

#define PROMPT                                                                                     \
    "Many words stand here, so that there is something to read which takes longer than the "       \
    "last of them; whoever takes over has read them, and begins with what is new. say 8"

static const char body[] = "{\"model\":\"m\",\"max_tokens\":40,\"stream\":true,\"messages\":"
                           "[{\"role\":\"user\",\"content\":\"" PROMPT "\"}]}";

struct world {
    struct bare bare;
    struct fake fake;
    struct gs_local *local; /* the real one, or NULL */
};

static char sysfs[] = "/tmp/genset-test-standby-sys-XXXXXX";
static char standin_path[] = "/tmp/genset-test-standby-XXXXXX";

static void start_switch(struct world *w, bool is_real)
{
    struct gs_switch_options opt = {.max_calls = 4, .has_local = true};
    const char *const paths[] = {standin_path};
    struct gs_local_options local = {.paths = paths, .n_paths = 1, .any_name = true};
    struct gs_error err;

    fake_init(&w->fake, &opt.backend);
    if (is_real) {
        gs_llm_options_init(&local.llm);
        local.llm.n_threads = 1;
        local.llm.ctx_tokens = 1024;
        if (gs_local_create(&local, &w->local, &err) != GS_OK)
            fail_msg("%s", err.msg);
        gs_switch_backend_local(&opt.backend, w->local);
    }
    w->bare.targets[1] = (struct gs_config_target){0, is_real ? NULL : "words"};
    w->bare.route.n_targets = 2;
    bare_start(&w->bare, &opt);
}

static int create(void **state)
{
    static struct world w;

    w = (struct world){0};
    *state = &w;
    return bare_init(&w.bare, body, &w);
}

static int destroy(void **state)
{
    struct world *w = *state;

    bare_clear(&w->bare);
    gs_local_free(w->local);
    fake_clear(&w->fake);
    return 0;
}

static void ask(struct world *w, bool (*is_time)(void *ud), void (*then)(void *ud))
{
    assert_int_equal(bare_ask(&w->bare, is_time, then, NULL), GS_OK);
}

/* The next one asked is a probe, whose script this is. */
static void make_probe(struct world *w, const char *script)
{
    fake_provider_script(w->bare.provider, "500,500,500");
    for (int i = 0; i < 3; i++) {
        ask(w, NULL, NULL);
        assert_true(w->bare.has_stopped);
    }
    gs_breakers_woke(w->bare.sw->breakers, 1, gs_clock_mono_us());
    fake_provider_script(w->bare.provider, script);
}

static int read_so_far(struct world *w)
{
    pthread_mutex_lock(&w->fake.lock);
    const int n = w->fake.n_read;
    pthread_mutex_unlock(&w->fake.lock);
    return n;
}

static bool is_reading(void *ud)
{
    struct world *w = ud;

    return read_so_far(w) > 0;
}

static bool is_in_trace(struct world *w, const char *words)
{
    struct gs_buf b;

    gs_buf_init(&b, 1 << 20);
    const bool is = gs_switch_write_trace(w->bare.sw, gs_slice_str(w->bare.id), &b) &&
                    gs_slice_find(gs_buf_view(&b), gs_slice_str(words), 0) != SIZE_MAX;
    gs_buf_clear(&b);
    return is;
}

static bool has_read(void *ud)
{
    struct world *w = ud;

    return is_in_trace(w, "\"has read ");
}

static bool is_asked(void *ud)
{
    struct world *w = ud;

    return fake_provider_count(w->bare.provider, FAKE_HELD) > 0;
}

static void let_it_go_on(void *ud)
{
    struct world *w = ud;

    fake_provider_go(w->bare.provider);
}

static void break_it(void *ud)
{
    struct world *w = ud;

    fake_provider_listen(w->bare.provider, false);
}

/* ---- when ---- */

/* Whoever probes is suspicious from the start. It answers; what was read was read for nothing. */
static void a_probe_is_read_at_once(void **state)
{
    struct world *w = *state;

    start_switch(w, false);
    make_probe(w, "hold-after-0");
    ask(w, has_read, let_it_go_on);
    assert_true(w->bare.has_stopped);
    assert_int_equal(read_so_far(w), 1);
    assert_true(is_in_trace(w, "\"standby\""));
    assert_true(gs_slice_eq_str(gs_buf_view(&w->bare.text), "w0 w1 w2 w3 w4 w5 w6 w7"));
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
    assert_true(w->bare.has_stopped);
    fake_wait(&w->fake, &w->fake.n_cancelled, n_before + 1);
    assert_true(is_in_trace(w, "\"stops\""));
    assert_int_equal(read_so_far(w), 1);
}

/* Silence of two seconds in the middle: what the client has is read too, and the takeover waits for
 * nobody who reads. */
static void silence_is_suspicious(void **state)
{
    struct world *w = *state;

    start_switch(w, false);
    w->fake.is_slow = true;
    fake_provider_script(w->bare.provider, "hold-after-3");
    ask(w, is_reading, break_it);
    assert_true(w->bare.has_stopped);
    assert_int_equal(read_so_far(w), 1);
    assert_int_equal(w->fake.n_read_on, 1);
    assert_true(gs_slice_eq_str(gs_buf_view(&w->bare.text), "w0 w1 w2 w3 w4 w5 w6 w7"));
}

/* ---- when not ---- */

static void nobody_reads(void *ud)
{
    struct world *w = ud;

    make_probe(w, "hold-after-0");
    ask(w, is_asked, let_it_go_on);
    assert_true(w->bare.has_stopped);
    assert_int_equal(read_so_far(w), 0);
}

/* This machine answers somebody: he is not to be slowed down. */
static void who_is_busy_does_not_read(void **state)
{
    struct world *w = *state;

    start_switch(w, false);
    w->bare.sw->n_here = 1;
    nobody_reads(w);
    w->bare.sw->n_here = 0;
}

/* Nor whoever runs on battery, where a route asks for that. */
static void on_battery_nothing_is_read(void **state)
{
    struct world *w = *state;

    start_switch(w, false);
    assert_int_equal(gs_switch_power_start(sysfs, &w->bare.sw->power, NULL), GS_OK);
    while (!gs_switch_power_state(w->bare.sw->power))
        sched_yield();
    make_probe(w, "hold-after-0");
    ask(w, has_read, let_it_go_on);
    w->fake.n_read = 0;
    w->bare.route.battery = GS_CONDITION_YES;
    nobody_reads(w);
    assert_true(is_in_trace(w, "\"on battery\""));
}

/* Pilot takes over from nobody. */
static void pilot_does_not_read(void **state)
{
    struct world *w = *state;

    start_switch(w, false);
    make_probe(w, "hold-after-0");
    w->bare.sw->opt.has_local = false;
    ask(w, is_asked, let_it_go_on);
    assert_int_equal(read_so_far(w), 0);
}

/* ---- what is left to read ---- */

static void a_takeover_begins_with_what_is_new(void **state)
{
    static const char *const scripts[] = {"hold-after-0", "hold-after-3"};
    struct world *w = *state;

    start_switch(w, true);
    for (size_t i = 0; i < GS_COUNT_OF(scripts); i++) {
        fake_provider_listen(w->bare.provider, true);
        fake_provider_script(w->bare.provider, scripts[i]);
        ask(w, has_read, break_it);
        assert_true(w->bare.has_stopped);
        assert_true(is_in_trace(w, "\"standby\""));
        print_message("%s: %lld tokens, %lld of them there\n", scripts[i],
                      (long long)w->bare.usage.prompt_tokens,
                      (long long)w->bare.usage.cached_tokens);
        assert_true(w->bare.usage.cached_tokens > 40);
        assert_true(w->bare.usage.prompt_tokens - w->bare.usage.cached_tokens <= 3);
    }
}

/* A battery that gives power, or nothing. */
static int put_battery(bool is_there)
{
    static const char *const files[][2] = {{"type", "Battery\n"}, {"status", "Discharging\n"}};
    char path[128];
    int failed = 0;

    snprintf(path, sizeof(path), "%s/class/power_supply/BAT0", sysfs);
    if (is_there && gs_os_make_dirs(path, NULL) != GS_OK)
        return -1;
    for (size_t i = 0; i < GS_COUNT_OF(files); i++) {
        snprintf(path, sizeof(path), "%s/class/power_supply/BAT0/%s", sysfs, files[i][0]);
        failed |= is_there ? gs_os_write_file(path, files[i][1], strlen(files[i][1]), NULL) != GS_OK
                           : unlink(path);
    }
    while (!is_there && strlen(path) > strlen(sysfs)) { /* its folders, from within */
        *strrchr(path, '/') = '\0';
        failed |= rmdir(path);
    }
    return failed;
}

static int set_up(void **state)
{
    const int fd = mkstemp(standin_path);

    (void)state;
    if (fd < 0 || !mkdtemp(sysfs) || put_battery(true) != 0)
        return -1;
    close(fd);
    return gs_os_write_file(standin_path, gs_standin_gguf, gs_standin_gguf_bytes, NULL) == GS_OK
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return put_battery(false) | unlink(standin_path);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, create, destroy)
    const struct CMUnitTest tests[] = {
        TEST(a_probe_is_read_at_once),
        TEST(who_goes_on_needs_nobody),
        TEST(silence_is_suspicious),
        TEST(who_is_busy_does_not_read),
        TEST(on_battery_nothing_is_read),
        TEST(pilot_does_not_read),
        TEST(a_takeover_begins_with_what_is_new),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
