/* A server with scripted answers (fake_backend.h) whose switch asks fake providers
 * (fault/fake_provider.h), and answers read as a client of each API reads them. */
#ifndef GS_TESTS_SWITCH_TEST_H
#define GS_TESTS_SWITCH_TEST_H

#include <stdarg.h>

#include "base/arena.h"
#include "dialect/client.h"
#include "fault/fake_provider.h"
#include "routes_test.h"
#include "server_test.h"

#define WORDS "w0 w1 w2 w3 w4 w5 w6 w7"
#define EVERY "apis: [messages, chat, responses, ollama]"
/* of a route: its targets in their own time */
#define PATIENT "deadlines: {connect: 5s, headers: none, first_token: none, stall: none}"

/* ---- the server ---- */

struct grid {
    struct fixture f;
    struct test_routes routes;
};

/* What of g->f.opt a test wants otherwise is set between this and start_grid(). */
static inline void prepare_grid(struct grid *g)
{
    struct gs_error err;

    prepare(&g->f);
    assert_int_equal(test_routes_init(&g->routes, &g->f.opt, &err), GS_OK);
}

static inline void offer_routes(struct grid *g, const char *yaml)
{
    struct gs_buf report;

    gs_buf_init(&report, GS_MAX_CONFIG_BYTES);
    if (test_routes_offer(&g->routes, gs_slice_str(yaml), &report) != GS_OK)
        fail_msg("%.*s", (int)report.len, report.ptr);
    gs_buf_clear(&report);
}

static inline void start_grid(struct grid *g, const char *fmt, ...) GS_PRINTF(2, 3);

static inline void start_grid(struct grid *g, const char *fmt, ...)
{
    char yaml[8192];
    va_list args;

    va_start(args, fmt);
    vsnprintf(yaml, sizeof(yaml), fmt, args);
    va_end(args);
    offer_routes(g, yaml);
    start(&g->f);
}

static inline void finish_grid(struct grid *g)
{
    finish(&g->f);
    test_routes_clear(&g->routes);
}

/* ---- the four APIs ---- */

static const struct api {
    const char *name, *path;
    const struct gs_dialect_client *client;
} apis[] = {
    {"messages", ANTHROPIC, &gs_dialect_client_anthropic},
    {"chat", OPENAI, &gs_dialect_client_openai_chat},
    {"responses", RESPONSES, &gs_dialect_client_openai_responses},
    {"ollama", OLLAMA, &gs_dialect_client_ollama},
};

/* A body that asks for `prompt`; `more` are members of it, each with a comma behind. */
static inline void put_body(struct gs_buf *b, const char *more, const char *model,
                            const char *prompt, bool stream)
{
    gs_buf_printf(b,
                  "{%s\"model\":\"%s\",\"stream\":%s,\"max_tokens\":1000000,\"stream_options\":"
                  "{\"include_usage\":true},\"input\":\"%s\",\"messages\":[{\"role\":\"user\","
                  "\"content\":\"%s\"}]}",
                  more, model, stream ? "true" : "false", prompt, prompt);
}

/* POST it; `headers` are whole lines. */
static inline void post(int fd, const char *path, const char *headers, struct gs_slice body)
{
    struct gs_buf b;

    gs_buf_init(&b, GS_MAX_REQUEST_BYTES);
    gs_buf_printf(&b,
                  "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n%s"
                  "Content-Length: %zu\r\n\r\n",
                  path, headers, body.len);
    gs_buf_slice(&b, body);
    net_send_bytes(fd, b.ptr, b.len);
    gs_buf_clear(&b);
}

/* The body of an HTTP answer, out of its chunks; false: it is not whole. */
static inline bool body_of(const struct gs_buf *answer, struct gs_buf *out)
{
    const struct gs_slice all = gs_buf_view(answer);
    const size_t end = gs_slice_find(all, GS_SLICE_LIT("\r\n\r\n"), 0);
    const size_t chunked = gs_slice_find(all, GS_SLICE_LIT("Transfer-Encoding: chunked"), 0);
    size_t at = end + 4;

    if (end == SIZE_MAX)
        return false;
    if (chunked == SIZE_MAX || chunked > end) {
        gs_buf_slice(out, gs_slice_sub(all, at, all.len));
        return true;
    }
    for (;;) {
        const size_t line = gs_slice_find(all, GS_SLICE_LIT("\r\n"), at);
        if (line == SIZE_MAX)
            return false;
        const size_t n = strtoul(all.ptr + at, NULL, 16);
        if (n == 0)
            return true;
        if (line + 2 + n + 2 > all.len)
            return false;
        gs_buf_put(out, all.ptr + line + 2, n);
        at = line + 2 + n + 2;
    }
}

/* What an answer says. */
struct heard {
    struct gs_buf text, thought, args;
    bool has_stopped;
    enum gs_stop_reason stop;
    struct gs_usage usage;
    enum gs_fault fault; /* NONE: it is well-formed, to its end */
};

static inline enum gs_flow hear(void *ud, const struct gs_event *ev)
{
    struct heard *h = ud;

    if (ev->kind == GS_EVENT_DELTA)
        gs_buf_slice(ev->block == GS_BLOCK_TEXT        ? &h->text
                     : ev->block == GS_BLOCK_REASONING ? &h->thought
                                                       : &h->args,
                     ev->text);
    if (ev->kind == GS_EVENT_STOP) {
        h->has_stopped = true;
        h->stop = ev->stop;
        h->usage = ev->usage;
    }
    return GS_FLOW_CONTINUE;
}

static inline void heard_init(struct heard *h)
{
    *h = (struct heard){.fault = GS_FAULT_CUT};
    gs_buf_init(&h->text, GS_MAX_RESPONSE_BYTES);
    gs_buf_init(&h->thought, GS_MAX_RESPONSE_BYTES);
    gs_buf_init(&h->args, GS_MAX_RESPONSE_BYTES);
}

static inline void heard_clear(struct heard *h)
{
    gs_buf_clear(&h->text);
    gs_buf_clear(&h->thought);
    gs_buf_clear(&h->args);
}

static inline void hear_stream(struct heard *h, const struct gs_dialect_client *c,
                               struct gs_slice body)
{
    enum gs_dialect_effect effect = GS_DIALECT_NOTHING;
    struct gs_dialect_frames frames;
    struct gs_dialect_frame frame;
    struct gs_error err;
    void *state = calloc(1, c->state_bytes);

    gs_dialect_frames_init(&frames, c->framing, GS_MAX_RESPONSE_BYTES);
    assert_int_equal(gs_dialect_frames_feed(&frames, body, &err), GS_OK);
    while (effect != GS_DIALECT_FAILED && gs_dialect_frames_next(&frames, &frame))
        effect = c->read_frame(state, &frame, hear, h, &h->fault, &err);
    if (effect == GS_DIALECT_END)
        h->fault = GS_FAULT_NONE;
    gs_dialect_frames_clear(&frames);
    c->clear_state(state);
    free(state);
}

/* Read what a client of this API would of its answer (head and all). */
static inline void hear_answer(struct heard *h, const struct api *api, bool stream,
                               const struct gs_buf *answer)
{
    struct gs_buf body;
    struct gs_arena a;
    struct gs_error err;

    heard_init(h);
    gs_buf_init(&body, GS_MAX_RESPONSE_BYTES);
    gs_arena_init(&a, 0);
    if (!body_of(answer, &body) || !net_has(answer, "HTTP/1.1 200 "))
        h->fault = GS_FAULT_CUT;
    else if (stream)
        hear_stream(h, api->client, gs_buf_view(&body));
    else if (api->client->read_whole(gs_buf_view(&body), &a, hear, h, &h->fault, &err) ==
             GS_DIALECT_END)
        h->fault = GS_FAULT_NONE;
    gs_arena_clear(&a);
    gs_buf_clear(&body);
}

/* Fail, with all of an answer on stderr (a message of cmocka's is cut). */
static inline void fail_heard(const struct api *api, const char *model, const struct heard *h,
                              const struct gs_buf *answer)
{
    fprintf(stderr, "%s %s: %s, stopped %d\n%.*s\nthought \"%.*s\" text \"%.*s\" args \"%.*s\"\n",
            api->name, model, gs_fault_word(h->fault), h->has_stopped ? (int)h->stop : -1,
            (int)answer->len, answer->ptr, (int)h->thought.len, h->thought.ptr, (int)h->text.len,
            h->text.ptr, (int)h->args.len, h->args.ptr);
    fail_msg("%s %s", api->name, model);
}

/* POST a body by a connection of its own and read all of the answer. */
static inline void ask_bytes(int port, const char *path, const char *headers, struct gs_slice body,
                             struct gs_buf *out)
{
    const int fd = net_connect(port);
    char all[1024];

    gs_buf_init(out, GS_MAX_RESPONSE_BYTES);
    snprintf(all, sizeof(all), "%sConnection: close\r\n", headers);
    post(fd, path, all, body);
    net_read_all(fd, out);
    close(fd);
}

/* The same of put_body()'s. */
static inline void ask_with(int port, const struct api *api, const char *headers, const char *more,
                            const char *model, const char *prompt, bool stream, struct gs_buf *out)
{
    struct gs_buf body;

    gs_buf_init(&body, GS_MAX_REQUEST_BYTES);
    put_body(&body, more, model, prompt, stream);
    ask_bytes(port, api->path, headers, gs_buf_view(&body), out);
    gs_buf_clear(&body);
}

static inline void ask_api(int port, const struct api *api, const char *headers, const char *model,
                           const char *prompt, bool stream, struct gs_buf *out)
{
    ask_with(port, api, headers, "", model, prompt, stream, out);
}

/* The trace of the request that got this answer; `headers` are whole lines. */
static inline void ask_trace(const struct grid *g, const char *headers, const struct gs_buf *answer,
                             struct gs_buf *out)
{
    const struct gs_slice all = gs_buf_view(answer);
    const size_t at = gs_slice_find(all, GS_SLICE_LIT("request-id: "), 0) + 12;
    const int fd = net_connect(g->f.port);
    char request[512];

    assert_true(at < all.len);
    snprintf(request, sizeof(request),
             "GET /api/genset/trace/%.*s HTTP/1.1\r\nHost: localhost\r\n%s"
             "Connection: close\r\n\r\n",
             (int)(gs_slice_find(all, GS_SLICE_LIT("\r"), at) - at), all.ptr + at, headers);
    net_send(fd, request);
    gs_buf_init(out, GS_MAX_RESPONSE_BYTES);
    net_read_all(fd, out);
    close(fd);
}

#endif
