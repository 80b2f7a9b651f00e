/* The switch put together: its routes, what it learned of providers, and the queue through which
 * the backend's threads wake the loop. */
#include "switch/switch.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/os.h"
#include "base/queue.h"
#include "base/slice.h"
#include "http/loop.h"
#include "route/pins.h"
#include "switch/switch_call.h"
#include "json/json.h"

#define LEGS_OF_CALL 4 /* of this machine, waiting to be released, at most */

/* ---- routes ---- */

static const struct gs_config_provider only_local = {
    .name = "local", .kind = GS_PROVIDER_LOCAL, .url = "", .is_loopback = true, .is_near = true};
static const struct gs_config_routes no_routes = {.providers = &only_local, .n_providers = 1};

void gs_switch_generation_unref(struct gs_switch_generation *g)
{
    if (!g || --g->n_refs > 0)
        return;
    gs_arena_clear(&g->arena);
    gs_free(g);
}

static size_t count_hosts(const struct gs_config_routes *routes)
{
    size_t n = 0;

    for (size_t i = 0; i < routes->n_providers; i++)
        n += !routes->providers[i].is_near;
    return n;
}

/* Where that fails, routes that ask take this machine for one at a socket. */
static void watch_power(struct gs_switch *sw)
{
    struct gs_error err;

    if (!sw->opt.sysfs || sw->power || !gs_switch_power_asked(sw->generation->routes))
        return;
    if (gs_switch_power_start(sw->opt.sysfs, &sw->power, &err) != GS_OK)
        gs_log_write(sw->opt.log, GS_LOG_WARN, "power", "nothing is known of it: %s", err.msg);
}

enum gs_status gs_switch_set_routes(struct gs_switch *sw, struct gs_arena *arena,
                                    const struct gs_config_routes *routes, struct gs_error *err)
{
    struct gs_switch_generation *g = gs_alloc_zero(sizeof(*g));
    enum gs_status st = g ? GS_OK : gs_error_nomem(err, "change the routes");

    if (st == GS_OK && !gs_budgets_configure(sw->budgets, routes))
        st = gs_error_set(err, GS_ELIMIT,
                          "more than %d names of providers and keys since the server started",
                          GS_BUDGETS_MAX);
    if (st != GS_OK) {
        gs_free(g);
        gs_arena_clear(arena);
        return st;
    }
    g->n_refs = 1;
    g->arena = *arena;
    g->own = *routes;
    g->routes = &g->own;
    gs_arena_init(arena, 0);
    gs_switch_generation_unref(sw->generation);
    sw->generation = g;
    gs_uplink_init(&sw->uplink, count_hosts(routes));
    watch_power(sw);
    return GS_OK;
}

unsigned gs_switch_strain(struct gs_switch *sw)
{
    const unsigned state =
        gs_switch_power_state(sw->power) & gs_switch_power_asked(sw->generation->routes);

    if (state != sw->strain)
        gs_log_write(sw->opt.log, GS_LOG_INFO, "power", "this machine is %s",
                     state ? gs_switch_power_word(state) : "neither on battery nor hot");
    sw->strain = state;
    return state;
}

/* ---- the loop ---- */

static void woken(void *ud)
{
    struct gs_switch *sw = ud;

    for (struct gs_switch_leg *leg = gs_queue_try_pop(sw->wake); leg;
         leg = gs_queue_try_pop(sw->wake))
        gs_switch_leg_local_wake(leg);
}

void gs_switch_reap(struct gs_switch *sw)
{
    while (sw->dead) {
        struct gs_switch_call *c = sw->dead;
        void (*const on_free)(void *ud) = c->on_free;
        void *const free_ud = c->free_ud;
        sw->dead = c->next;
        sw->n_calls--;
        gs_switch_call_destroy(c);
        if (on_free)
            on_free(free_ud);
    }
}

static void reap(void *ud)
{
    gs_switch_reap(ud);
}

void gs_switch_bury(struct gs_switch_call *c)
{
    struct gs_switch *sw = c->sw;

    if (!sw->dead)
        gs_http_timer_fire(sw->reap);
    c->next = sw->dead;
    sw->dead = c;
}

enum gs_status gs_switch_upstream(struct gs_switch *sw, struct gs_upstream **out_up,
                                  struct gs_error *err)
{
    struct gs_upstream_options opt;
    enum gs_status st = GS_OK;

    gs_upstream_options_init(&opt);
    if (!sw->upstream)
        st = gs_upstream_create(sw->loop, &opt, &sw->upstream, err);
    if (st == GS_OK)
        *out_up = sw->upstream;
    return st;
}

bool gs_switch_wants_bytes(const struct gs_switch *sw)
{
    return sw->generation->routes->n_providers > 1;
}

/* ---- to be shown ---- */

bool gs_switch_write_trace(const struct gs_switch *sw, struct gs_slice id, struct gs_buf *b)
{
    return gs_trace_write(&sw->traces, id, b);
}

static void write_breaker(void *ud, const struct gs_breaker_state *s)
{
    struct gs_buf *b = ud;

    gs_buf_puts(b, b->len && b->ptr[b->len - 1] == '}' ? ",{\"key\":" : "{\"key\":");
    gs_json_write_string(b, s->key);
    gs_buf_printf(
        b,
        ",\"state\":\"%s\",\"fault\":\"%s\",\"failed_in_row\":%d,\"recent\":%d,"
        "\"recent_failed\":%d,\"wait_ms\":%lld,\"ttft_p50_ms\":%lld,\"ttft_p95_ms\":%lld}",
        gs_breaker_stand_word(s->stand), gs_fault_word(s->why), (int)s->n_failed, (int)s->n_recent,
        (int)s->n_recent_failed, (long long)(s->wait_us / 1000),
        (long long)(s->p50_us < 0 ? -1 : s->p50_us / 1000),
        (long long)(s->p95_us < 0 ? -1 : s->p95_us / 1000));
}

void gs_switch_write_state(const struct gs_switch *sw, struct gs_buf *b)
{
    static const char *const kinds[] = {"local", "anthropic", "openai", "ollama", "genset"};
    const struct gs_config_routes *routes = sw->generation->routes;

    gs_buf_puts(b, "\"providers\":[");
    for (size_t i = 0; i < routes->n_providers; i++) {
        gs_buf_puts(b, i ? ",{\"name\":" : "{\"name\":");
        gs_json_write_string(b, gs_slice_str(routes->providers[i].name));
        gs_buf_printf(b, ",\"kind\":\"%s\",\"url\":", kinds[routes->providers[i].kind]);
        gs_json_write_string(b, gs_slice_str(routes->providers[i].url));
        gs_buf_putc(b, '}');
    }
    gs_buf_printf(b, "],\"uplink\":\"%s\",\"in_flight\":%zu,\"breakers\":[",
                  gs_uplink_look(&sw->uplink, gs_clock_mono_us()) == GS_UPLINK_UP ? "up" : "down",
                  sw->n_calls);
    gs_breakers_walk(sw->breakers, gs_clock_mono_us(), write_breaker, b);
    gs_buf_putc(b, ']');
    const unsigned power = gs_switch_power_state(sw->power);
    if (power & GS_POWER_KNOWN)
        gs_buf_printf(b, ",\"power\":{\"battery\":%s,\"hot\":%s}",
                      power & GS_POWER_BATTERY ? "true" : "false",
                      power & GS_POWER_HOT ? "true" : "false");
}

/* ---- life ---- */

enum gs_status gs_switch_create(struct gs_http_loop *loop, const struct gs_switch_options *opt,
                                struct gs_switch **out_sw, struct gs_error *err)
{
    struct gs_switch *sw = gs_alloc_zero(sizeof(*sw));
    struct gs_arena arena;

    if (!sw)
        return gs_error_nomem(err, "create the switch");
    sw->loop = loop;
    sw->opt = *opt;
    gs_arena_init(&arena, 0);
    sw->breakers = gs_breakers_create(gs_os_random_u64());
    sw->budgets = gs_budgets_create();
    sw->pins = gs_pins_create();
    sw->seed = gs_os_random_u64();
    gs_retry_budget_init(&sw->retries, gs_clock_mono_us());
    enum gs_status st =
        sw->breakers && sw->budgets && sw->pins ? GS_OK : gs_error_nomem(err, "create the switch");
    if (st == GS_OK)
        st = gs_switch_set_routes(sw, &arena, &no_routes, err);
    if (st == GS_OK)
        st = gs_switch_remember(sw, err);
    if (st == GS_OK)
        st = gs_queue_create(LEGS_OF_CALL * opt->max_calls, &sw->wake, err);
    if (st == GS_OK)
        st = gs_http_watch_create(loop, gs_queue_fd(sw->wake), woken, sw, &sw->wake_watch, err);
    if (st == GS_OK)
        st = gs_http_timer_create(loop, reap, sw, &sw->reap, err);
    if (st != GS_OK) {
        gs_switch_free(sw);
        return st;
    }
    *out_sw = sw;
    return GS_OK;
}

void gs_switch_free(struct gs_switch *sw)
{
    if (!sw)
        return;
    for (gs_switch_reap(sw); sw->n_calls > 0;
         gs_switch_reap(sw)) /* until the backend has let go of each */
        gs_switch_leg_local_wake(gs_queue_pop(sw->wake));
    gs_switch_loader_clear(sw);
    gs_switch_power_stop(sw->power);
    gs_upstream_free(sw->upstream);
    gs_http_timer_free(sw->reap);
    gs_http_watch_free(sw->wake_watch);
    gs_queue_free(sw->wake);
    gs_breakers_free(sw->breakers);
    gs_budgets_free(sw->budgets);
    gs_switch_signers_clear(&sw->signers);
    gs_pins_free(sw->pins);
    gs_trace_clear(&sw->traces);
    gs_switch_generation_unref(sw->generation);
    gs_free(sw);
}
