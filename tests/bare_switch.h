/* A switch without a server, and a fake provider: one request after the other in Anthropic's API,
 * of which a test can look into the call while it runs. */
#ifndef GS_TESTS_BARE_SWITCH_H
#define GS_TESTS_BARE_SWITCH_H

#include "cmocka_headers.h"

#include <stdio.h>

#include "base/slice.h"
#include "dialect/dialect.h"
#include "fault/fake_provider.h"
#include "http/loop.h"
#include "http/parse.h"
#include "switch/switch_call.h"

struct bare {
    void *ud; /* the test's own */
    struct gs_http_loop *loop;
    struct gs_http_timer *poll;
    struct gs_switch *sw;
    struct fake_provider *provider;
    char url[64];
    struct gs_config_provider providers[3]; /* this machine, and the fake one by two names */
    struct gs_config_target targets[2];     /* the fake one, at first alone */
    struct gs_config_route route;
    struct gs_config_routes routes;

    /* what is asked */
    struct gs_arena arena;
    struct gs_chat chat;
    struct gs_dialect_context ctx;
    struct gs_http_head head;
    struct gs_switch_ask question;
    struct gs_switch_sink sink;
    char id[16];
    int n_asked;

    /* one request */
    struct gs_switch_call *call;
    bool (*is_time)(void *ud); /* asked every few ms while it runs */
    void (*then)(void *ud);    /* once, when it is */
    struct gs_buf text;
    struct gs_usage usage;
    int status; /* of a reply; 0: none came */
    bool has_stopped, failed;
};

/* ---- what it hears ---- */

static inline void bare_on_poll(void *ud)
{
    struct bare *b = ud;

    if (!b->is_time(b->ud))
        gs_http_timer_start(b->poll, 2);
    else
        b->then(b->ud);
}

static inline void bare_on_free(void *ud)
{
    gs_http_loop_break(((struct bare *)ud)->loop);
}

/* The client has had its answer, or leaves. */
static inline void bare_leave(struct bare *b)
{
    gs_switch_call_free(b->call, bare_on_free, b);
}

static inline void bare_on_header(void *ud, const char *name, struct gs_slice value)
{
    (void)ud;
    (void)name;
    (void)value;
}

static inline void bare_on_event(void *ud, const struct gs_event *ev, bool is_spelled)
{
    struct bare *b = ud;

    (void)is_spelled;
    if (ev->kind == GS_EVENT_DELTA)
        gs_buf_slice(&b->text, ev->text);
    b->failed = ev->kind == GS_EVENT_ERROR;
    b->has_stopped = ev->kind == GS_EVENT_STOP;
    b->usage = b->call->legs->usage; /* of who answered last alone */
    if (b->failed || b->has_stopped)
        bare_leave(b);
}

static inline void bare_on_bytes(void *ud, struct gs_slice bytes)
{
    (void)ud;
    (void)bytes;
}

static inline void bare_on_reply(void *ud, const struct gs_switch_reply *reply)
{
    struct bare *b = ud;

    b->status = reply->status;
    bare_leave(b);
}

static inline void bare_on_pause(void *ud)
{
    (void)ud;
}

/* ---- a switch ---- */

/* All but the switch itself. `body` is what is asked, `ud` what the functions of a request get. */
static inline int bare_init(struct bare *b, const char *body, void *ud)
{
    *b = (struct bare){.ud = ud,
                       .provider = fake_provider_start(&(struct fake_provider_options){.port = 0})};
    if (!b->provider || gs_http_loop_create(&b->loop, NULL) != GS_OK ||
        gs_http_timer_create(b->loop, bare_on_poll, b, &b->poll, NULL) != GS_OK)
        return -1;
    snprintf(b->url, sizeof(b->url), "http://127.0.0.1:%d", fake_provider_port(b->provider));
    b->providers[0] = (struct gs_config_provider){.name = "local", .url = "", .is_near = true};
    b->providers[1] = (struct gs_config_provider){.name = "cloud",
                                                  .kind = GS_PROVIDER_ANTHROPIC,
                                                  .url = b->url,
                                                  .apis = GS_PROVIDER_API_MESSAGES,
                                                  .key_source = GS_KEY_NONE,
                                                  .is_near = true};
    b->providers[2] = b->providers[1];
    b->providers[2].name = "other";
    b->targets[0].provider = 1;
    b->route = (struct gs_config_route){.match = "*", .targets = b->targets, .n_targets = 1};
    b->routes = (struct gs_config_routes){
        .providers = b->providers, .n_providers = 3, .routes = &b->route, .n_routes = 1};
    gs_arena_init(&b->arena, 0);
    b->question = (struct gs_switch_ask){.dialect = &gs_dialect_anthropic,
                                         .ctx = &b->ctx,
                                         .chat = &b->chat,
                                         .model = GS_SLICE_LIT("m"),
                                         .path = GS_SLICE_LIT("/v1/messages"),
                                         .body = gs_slice_str(body),
                                         .n_bytes = strlen(body),
                                         .head = &b->head};
    b->sink = (struct gs_switch_sink){
        b, bare_on_header, bare_on_event, bare_on_bytes, bare_on_reply, bare_on_pause};
    return gs_dialect_anthropic.read_request(&b->chat, &b->ctx, b->question.body, "/v1/messages",
                                             &b->arena, NULL) == GS_OK
               ? 0
               : -1;
}

static inline void bare_clear(struct bare *b)
{
    gs_switch_free(b->sw);
    gs_http_timer_free(b->poll);
    gs_http_loop_free(b->loop);
    gs_arena_clear(&b->arena);
    gs_buf_clear(&b->text);
    fake_provider_stop(b->provider);
}

/* A switch that knows nothing yet, by b->routes. */
static inline void bare_start(struct bare *b, const struct gs_switch_options *opt)
{
    struct gs_arena arena;

    gs_arena_init(&arena, 0);
    gs_switch_free(b->sw);
    b->sw = NULL;
    assert_int_equal(gs_switch_create(b->loop, opt, &b->sw, NULL), GS_OK);
    assert_int_equal(gs_switch_set_routes(b->sw, &arena, &b->routes, NULL), GS_OK);
}

/* ---- a request ---- */

/* Ask and hear the answer; when `is_time` says so (NULL: never), do `then`. */
static inline enum gs_status bare_ask(struct bare *b, bool (*is_time)(void *ud),
                                      void (*then)(void *ud), struct gs_error *err)
{
    snprintf(b->id, sizeof(b->id), "req_%d", ++b->n_asked);
    b->question.id = gs_slice_str(b->id);
    b->is_time = is_time;
    b->then = then;
    b->status = 0;
    b->has_stopped = b->failed = false;
    gs_buf_clear(&b->text);
    gs_buf_init(&b->text, 1 << 20);
    const enum gs_status st = gs_switch_call_create(b->sw, &b->question, &b->sink, &b->call, err);
    if (st == GS_OK && is_time)
        gs_http_timer_start(b->poll, 2);
    if (st == GS_OK)
        assert_int_equal(gs_http_loop_run(b->loop, NULL), GS_OK);
    return st;
}

#endif
