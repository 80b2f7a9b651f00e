/* The server put together: loop, listening socket, switch, the tick that keeps silent streams
 * alive, and the way down.
 *
 * Stopping: at the first call nothing new is accepted and running answers may end; at the second,
 * or when grace_ms is over, what still runs gets an error. Then the last bytes get a moment. */
#include "server/server.h"

#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/os.h"
#include "base/slice.h"
#include "base/thread.h"
#include "http/loop.h"
#include "server/state.h"
#include "switch/switch.h"

#define DRAIN_POLL_MS    10
#define LAST_BYTES_US    250000
#define MAX_STRING_BYTES ((size_t)1 << 20)

void gs_server_options_init(struct gs_server_options *opt)
{
    *opt = (struct gs_server_options){
        .struct_size = sizeof(*opt),
        .host = "127.0.0.1",
        .port = 8484,
        .keepalive_ms = 5000,
        .patience_ms = 60000,
        .late_ms = 2000,
        .retry_ms = 15000,
        .grace_ms = 5000,
        .max_exchanges = 2048,
        .has_local = true,
    };
}

/* ---- events of the loop ---- */

static void ticked(void *ud)
{
    struct gs_server *s = ud;

    for (struct gs_server_exchange *ex = s->exchanges; ex; ex = ex->next)
        gs_server_exchange_tick(ex);
    if (s->exchanges)
        gs_http_timer_start(s->tick, s->opt.keepalive_ms);
}

static void end_all(struct gs_server *s)
{
    struct gs_error err = {0};

    gs_error_set(&err, GS_ECANCELLED, "the server is stopping");
    for (struct gs_server_exchange *ex = s->exchanges; ex; ex = ex->next)
        gs_server_exchange_fail(ex, &err);
}

static void drained(void *ud)
{
    struct gs_server *s = ud;
    const int64_t now = gs_clock_mono_us();

    if (s->exchanges && now >= s->drain_until_us) {
        end_all(s);
        s->drain_until_us = now + LAST_BYTES_US;
    }
    if (!s->exchanges)
        s->drain_until_us = GS_MIN(s->drain_until_us, now + LAST_BYTES_US);
    if (!s->exchanges && (gs_http_server_connections(s->http) == 0 || now >= s->drain_until_us))
        gs_http_loop_break(s->loop);
    else
        gs_http_timer_start(s->drain, DRAIN_POLL_MS);
}

static void stop_asked(void *ud)
{
    struct gs_server *s = ud;
    const int64_t now = gs_clock_mono_us();

    gs_os_event_drain(s->stop_fd);
    if (s->drain_until_us == 0) {
        gs_log_write(s->opt.log, GS_LOG_INFO, "server", "stopping: %zu answers running",
                     s->n_exchanges);
        gs_http_server_drain(s->http);
        gs_server_again_drain(s);
        s->drain_until_us = now + s->opt.grace_ms * 1000;
    }
    if (atomic_load(&s->n_stops) > 1)
        s->drain_until_us = now;
    drained(s);
}

/* The last one ended a while ago. */
static void rested(void *ud)
{
    const struct gs_server *s = ud;

    if (!s->exchanges)
        gs_alloc_trim();
}

/* Nobody asked for long: stop, unless somebody needs us still. */
static void idled(void *ud)
{
    struct gs_server *s = ud;
    const struct gs_server_options *opt = &s->opt;
    const int64_t idle_ms = (gs_clock_mono_us() - s->asked_us) / 1000;

    if (s->exchanges || (opt->is_needed && opt->is_needed(opt->needed_ud)))
        gs_http_timer_start(s->idle, opt->idle_exit_ms);
    else if (idle_ms < opt->idle_exit_ms)
        gs_http_timer_start(s->idle, opt->idle_exit_ms - idle_ms);
    else
        gs_server_stop(s);
}

void gs_server_stop(struct gs_server *s)
{
    atomic_fetch_add(&s->n_stops, 1);
    gs_os_event_signal(s->stop_fd);
}

/* ---- routes ---- */

static void routes_changed(void *ud)
{
    struct gs_server *s = ud;
    struct gs_config_routes routes;
    struct gs_arena arena;
    struct gs_error err;

    if (!s->opt.take_routes(s->opt.routes_ud, &arena, &routes))
        return;
    if (gs_switch_set_routes(s->sw, &arena, &routes, &err) != GS_OK)
        gs_log_write(s->opt.log, GS_LOG_WARN, "config", "the old routes hold: %s", err.msg);
}

/* The first ones are there before the first request is. */
static enum gs_status watch_routes(struct gs_server *s, struct gs_error *err)
{
    if (!s->opt.take_routes)
        return GS_OK;
    routes_changed(s);
    return gs_http_watch_create(s->loop, s->opt.routes_fd, routes_changed, s, &s->routes_watch,
                                err);
}

/* ---- life ---- */

static bool copy_string(struct gs_server *s, const char **str)
{
    struct gs_slice copy;

    if (!*str)
        return true;
    if (!gs_arena_dup(&s->strings, gs_slice_str(*str), &copy))
        return false;
    *str = copy.ptr;
    return true;
}

static bool copy_strings(struct gs_server *s, const char *const **strings, size_t n)
{
    const char **copies = n ? gs_arena_array(&s->strings, n, sizeof(*copies)) : NULL;
    bool fits = n == 0 || copies;

    for (size_t i = 0; fits && i < n; i++) {
        copies[i] = (*strings)[i];
        fits = copy_string(s, &copies[i]);
    }
    *strings = copies;
    return fits;
}

static enum gs_status copy_options(struct gs_server *s, const struct gs_server_options *opt,
                                   struct gs_error *err)
{
    s->opt = *opt;
    s->opt.host = s->opt.tls_cert = s->opt.tls_key = NULL;
    if (!copy_strings(s, &s->opt.api_keys, opt->n_api_keys) ||
        (opt->key_names && !copy_strings(s, &s->opt.key_names, opt->n_api_keys)) ||
        !copy_strings(s, &s->opt.origins, opt->n_origins) || !copy_string(s, &s->opt.sysfs))
        return gs_error_nomem(err, "create the server");
    for (size_t i = 0; i < opt->n_api_keys; i++) {
        const size_t len = strlen(opt->api_keys[i]);
        if (len == 0 || len > GS_SERVER_KEY_BYTES)
            return gs_error_set(err, GS_EINVAL, "an API key has 1 to %d bytes, one has %zu",
                                GS_SERVER_KEY_BYTES, len);
    }
    return GS_OK;
}

/* Whoever can reach the port can use the machine: beyond loopback that takes a key. */
static enum gs_status check_reach(struct gs_server *s, const struct gs_server_options *opt,
                                  struct gs_error *err)
{
    const enum gs_status st = gs_http_is_loopback(opt->host, &s->is_loopback, err);

    if (st != GS_OK || s->is_loopback || opt->n_api_keys > 0)
        return st;
    gs_error_set(err, GS_EINVAL, "listening on %s needs an API key: other machines can reach it",
                 opt->host);
    gs_error_hint(err, "Set an API key, or listen on 127.0.0.1.");
    return GS_EINVAL;
}

static enum gs_status start_loop(struct gs_server *s, struct gs_error *err)
{
    const struct gs_switch_options sw = {
        .backend = s->opt.backend,
        .has_local = s->opt.has_local,
        .max_calls = s->opt.max_exchanges,
        .ledger = s->opt.ledger,
        .log = s->opt.log,
        .sysfs = s->opt.sysfs,
        .read_routes = s->opt.read_routes,
        .routes_ud = s->opt.routes_ud,
    };
    enum gs_status st = gs_http_loop_create(&s->loop, err);

    if (st == GS_OK)
        st = gs_switch_create(s->loop, &sw, &s->sw, err);
    if (st == GS_OK)
        st = gs_os_event_create(&s->stop_fd, err);
    if (st == GS_OK)
        st = gs_http_watch_create(s->loop, s->stop_fd, stop_asked, s, &s->stop_watch, err);
    if (st == GS_OK)
        st = gs_http_timer_create(s->loop, ticked, s, &s->tick, err);
    if (st == GS_OK)
        st = gs_http_timer_create(s->loop, drained, s, &s->drain, err);
    if (st == GS_OK)
        st = gs_http_timer_create(s->loop, idled, s, &s->idle, err);
    if (st == GS_OK)
        st = gs_http_timer_create(s->loop, rested, s, &s->rest, err);
    if (st == GS_OK)
        st = watch_routes(s, err);
    if (st == GS_OK)
        st = gs_server_reader_start(s, err);
    if (st == GS_OK)
        st = gs_server_admin_start(s, err);
    if (st == GS_OK)
        st = gs_server_again_start(s, err);
    return st;
}

enum gs_status gs_server_create(const struct gs_server_options *opt, struct gs_server **out_s,
                                struct gs_error *err)
{
    struct gs_server *s = gs_alloc_zero(sizeof(*s));
    struct gs_http_options http;
    enum gs_status st;

    if (!s)
        return gs_error_nomem(err, "create the server");
    s->stop_fd = -1;
    gs_arena_init(&s->strings, MAX_STRING_BYTES);
    gs_server_responses_init(&s->responses, GS_MAX_KEPT, GS_MAX_KEPT_BYTES);
    st = copy_options(s, opt, err);
    if (st == GS_OK)
        st = check_reach(s, opt, err);
    if (st == GS_OK)
        st = start_loop(s, err);
    gs_http_options_init(&http);
    http.host = opt->host;
    http.port = opt->port;
    http.tls_cert = opt->tls_cert;
    http.tls_key = opt->tls_key;
    http.handler = (struct gs_http_handler){.ud = s,
                                            .on_request = gs_server_route_request,
                                            .on_refuse = gs_server_route_refuse,
                                            .wants_pieces = gs_server_route_wants_pieces};
    if (st == GS_OK)
        st = gs_http_server_create(s->loop, &http, &s->http, err);
    if (st != GS_OK) {
        gs_server_free(s);
        return st;
    }
    *out_s = s;
    return GS_OK;
}

int gs_server_port(const struct gs_server *s)
{
    return gs_http_server_port(s->http);
}

enum gs_status gs_server_run(struct gs_server *s, struct gs_error *err)
{
    s->asked_us = gs_clock_mono_us();
    if (s->opt.idle_exit_ms > 0)
        gs_http_timer_start(s->idle, s->opt.idle_exit_ms);
    return gs_http_loop_run(s->loop, err);
}

void gs_server_free(struct gs_server *s)
{
    if (!s)
        return;
    const enum gs_thread_kind kind = gs_thread_current();
    gs_thread_enter(GS_THREAD_LOOP); /* for what is left to do in its place */
    gs_http_server_free(s->http);
    s->http = NULL;
    gs_server_reader_stop(s);
    gs_server_admin_stop(s);
    gs_switch_free(s->sw);
    gs_thread_enter(kind);
    gs_server_again_stop(s);
    gs_http_timer_free(s->tick);
    gs_http_timer_free(s->drain);
    gs_http_timer_free(s->idle);
    gs_http_timer_free(s->rest);
    gs_http_watch_free(s->stop_watch);
    gs_http_watch_free(s->routes_watch);
    if (s->stop_fd >= 0)
        close(s->stop_fd);
    gs_http_loop_free(s->loop);
    gs_server_responses_clear(&s->responses);
    gs_arena_clear(&s->strings);
    gs_free(s);
}
