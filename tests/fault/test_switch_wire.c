/* What only raw sockets show of the switch: bytes that go through as they are, both ways; headers
 * and credentials, and whom they reach; clients that leave, or read slowly; signs of life. */
#include <strings.h>

#include "switch_test.h"
#include "two_fakes.h"

/* "x": one, then this machine, in their own time; "mapped": as "other-model" there. */
static void start_plain(struct grid *g)
{
    const int at_one = fake_provider_port(one), at_two = fake_provider_port(two);

    fake_provider_forget(one);
    fake_provider_forget(two);
    start_grid(
        g,
        "providers:\n"
        "  one: {kind: genset, url: \"http://127.0.0.1:%d\", key: none, " EVERY "}\n"
        "  mine: {kind: genset, url: \"http://127.0.0.1:%d\", key: client, " EVERY "}\n"
        "  two: {kind: genset, url: \"http://127.0.0.1:%d\", key: \"command:echo sk-own\", " EVERY
        "}\n"
        "  bare: {kind: genset, url: \"http://127.0.0.1:%d\", key: none, " EVERY "}\n"
        "routes:\n"
        "  - {match: mapped, targets: [one/other-model], " PATIENT "}\n"
        "  - {match: \"mine@*\", targets: [mine, two, local/words], " PATIENT "}\n"
        "  - {match: \"bare@*\", targets: [bare, local/words], " PATIENT "}\n"
        "  - {match: \"*\", targets: [one, local/words], " PATIENT "}\n",
        at_one, at_one, at_two, at_two);
}

/* ---- bytes ---- */

static void check_body(struct fake_provider *p, size_t i, struct gs_slice want)
{
    struct gs_slice head, body;

    assert_true(fake_provider_request(p, i, &head, &body));
    if (!gs_slice_eq(body, want))
        fail_msg("sent:\n%.*s\nreceived:\n%.*s", (int)want.len, want.ptr, (int)body.len, body.ptr);
}

/* Members in an order of their own, that nobody knows, spelled in odd ways. */
#define ODD                                                                                        \
    "\t\"zz_unknown\" : {\"a\":[1e2, 0.10,\"\\u00e9\\/\"] } ,\r\n "                                \
    "\"metadata\":{\"user_id\":\"u\"}, "                                                           \
    "\"seed\":12345678901234567890,\"store\":false,\"x\":null,"

static void test_requests_go_through_byte_by_byte(void **state)
{
    struct grid g;
    size_t n = 0;

    (void)state;
    prepare_grid(&g);
    start_plain(&g);
    for (size_t i = 0; i < GS_COUNT_OF(apis); i++) {
        for (int stream = 0; stream < 2; stream++) {
            struct gs_buf body, out;
            gs_buf_init(&body, 1 << 20);
            put_body(&body, ODD, "fake", "say 8 \\u00e9\\n", stream);
            ask_bytes(g.f.port, apis[i].path, "", gs_buf_view(&body), &out);
            if (!net_has(&out, "HTTP/1.1 200 OK"))
                fail_msg("%s: %.*s", apis[i].name, (int)out.len, out.ptr);
            check_body(one, n++, gs_buf_view(&body));
            gs_buf_clear(&body);
            gs_buf_clear(&out);
        }
    }
    finish_grid(&g);
}

static void test_only_the_model_is_renamed(void **state)
{
    struct grid g;
    size_t n = 0;

    (void)state;
    prepare_grid(&g);
    start_plain(&g);
    for (size_t i = 0; i < GS_COUNT_OF(apis); i++) {
        struct gs_buf want, out;
        gs_buf_init(&want, 1 << 20);
        put_body(&want, ODD, "other-model", "say 8", true);
        ask_with(g.f.port, &apis[i], "", ODD, "mapped", "say 8", true, &out);
        check_body(one, n++, gs_buf_view(&want));
        gs_buf_clear(&want);
        gs_buf_clear(&out);
    }
    finish_grid(&g);
}

/* What is no part of the stream proper, and how it is cut, may differ; the rest may not. */
static void test_answers_go_through_byte_by_byte(void **state)
{
    static const char *const models[] = {"fake@ok",         "fake@crlf",    "fake@remarks",
                                         "fake@multiline",  "fake@split",   "fake@rename-after-2",
                                         "fake@usage-each", "fake@no-usage"};
    struct grid g;
    size_t n = 0;

    (void)state;
    prepare_grid(&g);
    start_plain(&g);
    for (size_t m = 0; m < GS_COUNT_OF(models); m++) {
        for (size_t i = 0; i < GS_COUNT_OF(apis); i++) {
            for (int stream = 0; stream < 2; stream++) {
                struct gs_buf out, body;
                struct gs_slice sent;
                ask_api(g.f.port, &apis[i], "", models[m], "say 8 and think, call get_weather",
                        stream, &out);
                gs_buf_init(&body, 1 << 20);
                assert_true(body_of(&out, &body));
                assert_true(fake_provider_sent(one, n++, &sent));
                if (!gs_slice_eq(gs_buf_view(&body), sent))
                    fail_msg("%s %s, sent:\n%.*s\nreceived:\n%.*s", apis[i].name, models[m],
                             (int)sent.len, sent.ptr, (int)body.len, body.ptr);
                gs_buf_clear(&out);
                gs_buf_clear(&body);
            }
        }
    }
    finish_grid(&g);
}

/* A refusal that is the client's own affair comes in the provider's words. */
static void test_refusals_go_through(void **state)
{
    struct grid g;

    (void)state;
    prepare_grid(&g);
    start_plain(&g);
    for (size_t i = 0; i < GS_COUNT_OF(apis); i++) {
        struct gs_buf out, body;
        struct gs_slice sent;
        ask_api(g.f.port, &apis[i], "", "fake@422", "say 8", true, &out);
        gs_buf_init(&body, 1 << 20);
        assert_true(net_has(&out, "HTTP/1.1 422 "));
        assert_true(body_of(&out, &body));
        assert_true(fake_provider_sent(one, i, &sent));
        assert_true(gs_slice_eq(gs_buf_view(&body), sent));
        gs_buf_clear(&out);
        gs_buf_clear(&body);
    }
    finish_grid(&g);
}

/* ---- heads ---- */

static bool head_has(struct fake_provider *p, size_t i, const char *line)
{
    struct gs_slice head, body;

    assert_true(fake_provider_request(p, i, &head, &body));
    for (size_t at = 0; at + strlen(line) <= head.len; at++)
        if (strncasecmp(head.ptr + at, line, strlen(line)) == 0)
            return true;
    return false;
}

static void test_headers_that_matter(void **state)
{
    static const char *const pass[] = {"anthropic-version: 2023-06-01\r\n",
                                       "anthropic-beta: first\r\n",
                                       "anthropic-beta: second\r\n",
                                       "user-agent: tester/1\r\n",
                                       "x-app: cli\r\n",
                                       "x-stainless-lang: js\r\n",
                                       "idempotency-key: 7\r\n",
                                       "accept: application/json\r\n"};
    static const char *const stay[] = {"cookie: c=1\r\n",
                                       "x-genset-route: a\r\n",
                                       "x-forwarded-for: 1.2.3.4\r\n",
                                       "origin: http://localhost\r\n",
                                       "te: trailers\r\n",
                                       "connection: close\r\n"};
    struct grid g;
    struct gs_buf headers, out, url;

    (void)state;
    prepare_grid(&g);
    start_plain(&g);
    gs_buf_init(&headers, 1 << 16);
    gs_buf_init(&url, 1 << 16);
    for (size_t i = 0; i < GS_COUNT_OF(pass); i++)
        gs_buf_puts(&headers, pass[i]);
    for (size_t i = 0; i + 1 < GS_COUNT_OF(stay); i++)
        gs_buf_puts(&headers, stay[i]);
    gs_buf_putc(&headers, 0);
    const struct api odd = {"messages", ANTHROPIC "?beta=true&x=%20y", apis[0].client};
    ask_api(g.f.port, &odd, headers.ptr, "fake", "say 8", true, &out);
    gs_buf_printf(&url, "POST " ANTHROPIC "?beta=true&x=%%20y HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n",
                  fake_provider_port(one));
    gs_buf_putc(&url, 0);
    if (!head_has(one, 0, url.ptr))
        fail_msg("%.*s", (int)out.len, out.ptr);
    for (size_t i = 0; i < GS_COUNT_OF(pass); i++)
        if (!head_has(one, 0, pass[i]))
            fail_msg("did not go through: %s", pass[i]);
    for (size_t i = 0; i < GS_COUNT_OF(stay); i++)
        if (head_has(one, 0, stay[i]))
            fail_msg("went through: %s", stay[i]);
    assert_true(net_has(&out, "anthropic-ratelimit-requests-remaining: 7\r\n"));
    assert_false(net_has(&out, "anthropic-ratelimit-requests-limit")); /* ours */
    assert_false(net_has(&out, "et-Cookie"));
    gs_buf_clear(&headers);
    gs_buf_clear(&url);
    gs_buf_clear(&out);
    finish_grid(&g);
}

/* ---- credentials ---- */

#define CLIENT_KEY "sk-ant-api03-the-key-of-the-client-itself"

static bool anything_has(struct fake_provider *p, const char *secret)
{
    struct gs_slice head, body;

    for (size_t i = 0; fake_provider_request(p, i, &head, &body); i++)
        if (gs_slice_find(head, gs_slice_str(secret), 0) != SIZE_MAX ||
            gs_slice_find(body, gs_slice_str(secret), 0) != SIZE_MAX)
            return true;
    return false;
}

static void test_credentials_reach_whom_they_are_for(void **state)
{
    static const char *const keys[] = {"x-api-key: " CLIENT_KEY "\r\n",
                                       "Authorization: Bearer " CLIENT_KEY "\r\n"};
    struct grid g;
    struct gs_buf out;

    (void)state;
    prepare_grid(&g);
    start_plain(&g);
    for (size_t k = 0; k < GS_COUNT_OF(keys); k++) {
        for (size_t i = 0; i < GS_COUNT_OF(apis); i++) {
            char model[64];
            snprintf(model, sizeof(model), "mine@503;ok#%zu", k * GS_COUNT_OF(apis) + i);
            ask_api(g.f.port, &apis[i], keys[k], model, "say 8", true, &out);
            assert_true(net_has(&out, "w7"));
            gs_buf_clear(&out);
            snprintf(model, sizeof(model), "bare@ok#%zu", k * GS_COUNT_OF(apis) + i);
            ask_api(g.f.port, &apis[i], keys[k], model, "say 8", true, &out);
            gs_buf_clear(&out);
            assert_true(head_has(one, k * GS_COUNT_OF(apis) + i, keys[k]));
        }
    }
    assert_int_equal(fake_provider_count(two, FAKE_REQUESTS), 4 * GS_COUNT_OF(apis));
    assert_false(anything_has(two, CLIENT_KEY));
    assert_true(anything_has(two, "sk-own"));
    assert_false(anything_has(one, "sk-own"));
    finish_grid(&g);
}

/* A key that opens this server opens nothing else. */
static void test_our_own_key_stays_here(void **state)
{
    static const char *const ours[] = {CLIENT_KEY};
    struct grid g;
    struct gs_buf out;

    (void)state;
    prepare_grid(&g);
    g.f.opt.api_keys = ours;
    g.f.opt.n_api_keys = 1;
    start_plain(&g);
    for (size_t i = 0; i < GS_COUNT_OF(apis); i++) {
        ask_api(g.f.port, &apis[i], "x-api-key: " CLIENT_KEY "\r\n", "mine@ok", "say 8", true,
                &out);
        assert_true(net_has(&out, "HTTP/1.1 200 OK"));
        gs_buf_clear(&out);
        ask_api(g.f.port, &apis[i], "x-api-key: " CLIENT_KEY "\r\n", "bare@ok", "say 8", true,
                &out);
        assert_true(net_has(&out, "HTTP/1.1 200 OK"));
        gs_buf_clear(&out);
    }
    assert_false(anything_has(one, CLIENT_KEY));
    assert_false(anything_has(two, CLIENT_KEY));
    finish_grid(&g);
}

/* ---- clients ---- */

static int begin_asking(struct fixture *f, const struct api *api, const char *model,
                        const char *prompt, bool stream)
{
    const int fd = net_connect(f->port);
    struct gs_buf body;

    gs_buf_init(&body, 1 << 20);
    put_body(&body, "", model, prompt, stream);
    post(fd, api->path, "Connection: close\r\n", gs_buf_view(&body));
    gs_buf_clear(&body);
    return fd;
}

/* J1: before the head, before the first token, in the middle. */
static void test_who_leaves_is_not_answered_for(void **state)
{
    static const char *const models[] = {"fake@silent", "fake@stall-after-0", "fake@stall-after-3"};
    struct grid g;
    size_t n = 0;

    (void)state;
    prepare_grid(&g);
    start_plain(&g);
    for (size_t m = 0; m < GS_COUNT_OF(models); m++) {
        for (size_t i = 0; i < GS_COUNT_OF(apis); i++) {
            const int fd = begin_asking(&g.f, &apis[i], models[m], "say 8", i % 2);
            fake_provider_wait(one, FAKE_HELD, ++n);
            close(fd);
            fake_provider_wait(one, FAKE_GONE, n);
        }
    }
    finish_grid(&g);
}

/* J2: the upstream is held by its own pipe, and nothing is lost. */
static void test_slow_readers_hold_the_upstream(void **state)
{
    struct grid g;
    struct gs_buf out, other;
    struct heard h;

    (void)state;
    prepare_grid(&g);
    start_plain(&g);
    for (size_t i = 0; i < GS_COUNT_OF(apis); i++) {
        const int fd = net_connect_small(g.f.port, 4096);
        gs_buf_init(&out, GS_MAX_REQUEST_BYTES);
        put_body(&out, "", "fake", "say 200000", true);
        post(fd, apis[i].path, "Connection: close\r\n", gs_buf_view(&out));
        gs_buf_clear(&out);
        gs_buf_init(&out, GS_MAX_RESPONSE_BYTES);
        net_read_until(fd, &out, "w0", 0);
        for (int k = 0; k < 10; k++) {
            ask_api(g.f.port, &apis[i], "", "fake", "say 8", true, &other);
            assert_true(net_has(&other, "w7"));
            gs_buf_clear(&other);
        }
        assert_int_equal(fake_provider_count(one, FAKE_FLOWING), 1);
        net_read_all(fd, &out);
        hear_answer(&h, &apis[i], true, &out);
        assert_int_equal(h.fault, GS_FAULT_NONE);
        assert_true(gs_slice_ends(gs_buf_view(&h.text), GS_SLICE_LIT(" w199998 w199999")));
        heard_clear(&h);
        gs_buf_clear(&out);
        close(fd);
    }
    finish_grid(&g);
}

/* J3: signs of life while nobody says anything, before the first token and behind it. */
static void test_signs_of_life(void **state)
{
    static const char *const marks[] = {"event: ping\n", "\"choices\":[{\"index\":0,\"delta\":{",
                                        "event: response.in_progress\n",
                                        "\"content\":\"\"},\"done\":false}\n"};
    static const char *const models[] = {"fake@hold-after-0", "fake@hold-after-3"};
    struct grid g;

    (void)state;
    prepare_grid(&g);
    g.f.opt.keepalive_ms = 5;
    start_plain(&g);
    for (size_t m = 0; m < GS_COUNT_OF(models); m++) {
        for (size_t i = 0; i < GS_COUNT_OF(apis); i++) {
            const int fd = begin_asking(&g.f, &apis[i], models[m], "say 8", true);
            struct gs_buf out;
            struct heard h;
            gs_buf_init(&out, GS_MAX_RESPONSE_BYTES);
            fake_provider_wait(one, FAKE_HELD, m * GS_COUNT_OF(apis) + i + 1);
            size_t at = m ? net_read_until(fd, &out, "w2", 0) : 0;
            for (int k = 0; k < 3; k++)
                at = net_read_until(fd, &out, marks[i], at + 1);
            fake_provider_go(one);
            net_read_all(fd, &out);
            hear_answer(&h, &apis[i], true, &out);
            if (h.fault != GS_FAULT_NONE || !gs_slice_eq_str(gs_buf_view(&h.text), WORDS))
                fail_heard(&apis[i], models[m], &h, &out);
            heard_clear(&h);
            gs_buf_clear(&out);
            close(fd);
        }
    }
    finish_grid(&g);
}

/* ---- breaks ---- */

static bool says_all(const struct heard *h)
{
    return h->fault == GS_FAULT_NONE && h->has_stopped && h->stop == GS_STOP_TOOL_CALL &&
           gs_slice_eq_str(gs_buf_view(&h->text), WORDS) &&
           gs_slice_eq_str(gs_buf_view(&h->thought), "t0 t1 t2") &&
           net_has(&h->args, "w0 w1 w2 w3");
}

/* Wherever it breaks, the text is one. */
static void test_breaks_everywhere(void **state)
{
    static const char *const breaks[] = {"cut", "end", "rst", "error", "rate"};
    struct grid g;
    int number = 0;

    (void)state;
    prepare_grid(&g);
    start_plain(&g);
    for (size_t b = 0; b < GS_COUNT_OF(breaks); b++) {
        for (int after = 0; after <= 16; after++) {
            const struct api *api = &apis[(size_t)number % GS_COUNT_OF(apis)];
            struct gs_buf out;
            struct heard h;
            char model[64];
            snprintf(model, sizeof(model), "fake@%s-after-%d#%d", breaks[b], after, number++);
            ask_api(g.f.port, api, "", model, "say 8 and think, call get_weather", true, &out);
            hear_answer(&h, api, true, &out);
            if (!says_all(&h))
                fail_heard(api, model, &h, &out);
            heard_clear(&h);
            gs_buf_clear(&out);
        }
    }
    finish_grid(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests_go_through_byte_by_byte),
        cmocka_unit_test(test_only_the_model_is_renamed),
        cmocka_unit_test(test_answers_go_through_byte_by_byte),
        cmocka_unit_test(test_refusals_go_through),
        cmocka_unit_test(test_headers_that_matter),
        cmocka_unit_test(test_credentials_reach_whom_they_are_for),
        cmocka_unit_test(test_our_own_key_stays_here),
        cmocka_unit_test(test_who_leaves_is_not_answered_for),
        cmocka_unit_test(test_slow_readers_hold_the_upstream),
        cmocka_unit_test(test_signs_of_life),
        cmocka_unit_test(test_breaks_everywhere),
    };

    return cmocka_run_group_tests(tests, start_fakes, stop_fakes);
}
