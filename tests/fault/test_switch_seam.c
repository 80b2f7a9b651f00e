/* An answer that breaks off is gone on with by another computer: for clients of each API, by
 * providers of each, wherever it breaks, and however they go on. This machine has no model. */
#include "switch_test.h"

static struct fake_provider *one, *two, *three;

static int start_fakes(void **state)
{
    (void)state;
    one = fake_provider_start(&(struct fake_provider_options){.place = 0});
    two = fake_provider_start(&(struct fake_provider_options){.place = 1});
    three = fake_provider_start(&(struct fake_provider_options){.place = 2});
    return one && two && three ? 0 : -1;
}

static int stop_fakes(void **state)
{
    (void)state;
    fake_provider_stop(one);
    fake_provider_stop(two);
    fake_provider_stop(three);
    return 0;
}

#define LONG "say 40"

/* The words of "say 40". */
static const char *all_words(void)
{
    static char words[256];
    size_t n = 0;

    for (int i = 0; i < 40; i++)
        n += (size_t)snprintf(words + n, sizeof(words) - n, "%sw%d", i ? " " : "", i);
    return words;
}

/* One, then two as a provider of this kind, then perhaps three. */
static void start_chain(struct grid *g, const char *kind, const char *apis_of_two, const char *more)
{
    fake_provider_forget(one);
    fake_provider_forget(two);
    fake_provider_forget(three);
    prepare_grid(g);
    g->f.opt.has_local = false;
    start_grid(g,
               "providers:\n"
               "  one: {kind: genset, url: \"http://127.0.0.1:%d\", key: none, " EVERY "}\n"
               "  two: {kind: %s, url: \"http://127.0.0.1:%d%s\", key: none, %s}\n"
               "  three: {kind: genset, url: \"http://127.0.0.1:%d\", key: none, " EVERY "}\n"
               "routes:\n"
               "  - {match: \"*\", targets: [one, two%s], attempts: 20, " PATIENT "}\n",
               fake_provider_port(one), kind, fake_provider_port(two),
               strcmp(kind, "openai") == 0 ? "/v1" : "", apis_of_two, fake_provider_port(three),
               more);
}

static const struct {
    const char *kind, *apis;
    bool has_open_turns;
} kinds[] = {
    {"genset", EVERY, true},
    {"genset", "apis: messages", true},
    {"genset", "apis: chat", true},
    {"openai", "apis: chat", true},
    {"openai", "apis: responses", false},
    {"ollama", "apis: ollama", true},
};

static void check_text(const struct api *api, const char *model, bool stream,
                       const struct gs_buf *out, const char *want)
{
    struct heard h;

    hear_answer(&h, api, stream, out);
    if (h.fault != GS_FAULT_NONE || !h.has_stopped || h.stop != GS_STOP_END ||
        !gs_slice_eq_str(gs_buf_view(&h.text), want))
        fail_heard(api, model, &h, out);
    heard_clear(&h);
}

/* Each request breaks at another place; two does what `words` say. */
static void break_everywhere(const char *words, bool expects_refusals)
{
    for (size_t n = 0; n < GS_COUNT_OF(kinds) * GS_COUNT_OF(apis); n++) {
        const size_t k = n / GS_COUNT_OF(apis);
        const struct api *api = &apis[n % GS_COUNT_OF(apis)];
        struct grid g;
        size_t n_asked = 0;
        start_chain(&g, kinds[k].kind, kinds[k].apis, "");
        for (int after = 1; after <= 40; after += 3) {
            char model[64];
            struct gs_buf out;
            snprintf(model, sizeof(model), "fake@cut-after-%d;%s", after, words);
            ask_api(g.f.port, api, "", model, LONG, true, &out);
            check_text(api, model, true, &out, all_words());
            if (api->client->framing == GS_DIALECT_SSE && !net_has(&out, ": two goes on\n\n"))
                fail_msg("%.*s", (int)out.len, out.ptr);
            gs_buf_clear(&out);
            n_asked++;
        }
        assert_int_equal(fake_provider_count(one, FAKE_REQUESTS), n_asked);
        /* refusals; and where all was said, that is made sure */
        assert_in_range(fake_provider_count(two, FAKE_REQUESTS), n_asked,
                        !kinds[k].has_open_turns ? n_asked
                        : expects_refusals       ? 2 * n_asked
                                                 : n_asked + 1);
        finish_grid(&g);
    }
}

static void by_open_turns(void **state)
{
    (void)state;
    break_everywhere("ok", false);
}

static void by_anchors(void **state)
{
    (void)state;
    break_everywhere("no-prefill", true);
}

static void by_anchors_of_any_kind(void **state)
{
    static const char *const words[] = {"no-prefill+anchor-quoted", "no-prefill+anchor-led",
                                        "no-prefill+anchor-short",  "no-prefill+anchor-long",
                                        "no-prefill+anchor-anew",   "no-prefill+split"};
    struct grid g;

    (void)state;
    start_chain(&g, "genset", EVERY, "");
    for (size_t w = 0; w < GS_COUNT_OF(words); w++) {
        for (size_t i = 0; i < GS_COUNT_OF(apis); i++) {
            for (int stream = 0; stream < 2; stream++) {
                char model[96];
                struct gs_buf out;
                snprintf(model, sizeof(model), "fake@cut-after-20;%s", words[w]);
                ask_api(g.f.port, &apis[i], "", model, LONG, stream, &out);
                if (stream)
                    check_text(&apis[i], model, stream, &out, all_words());
                gs_buf_clear(&out);
            }
        }
    }
    finish_grid(&g);
}

/* It is not tried again for a while. */
static void refusals_are_remembered(void **state)
{
    struct grid g;

    (void)state;
    start_chain(&g, "genset", EVERY, "");
    for (int i = 0; i < 2; i++) {
        struct gs_buf out;
        ask_api(g.f.port, &apis[0], "", "fake@cut-after-9;no-prefill", LONG, true, &out);
        check_text(&apis[0], "no-prefill", true, &out, all_words());
        gs_buf_clear(&out);
        assert_int_equal(fake_provider_count(two, FAKE_REQUESTS), 2 + i);
    }
    finish_grid(&g);
}

/* Whoever takes an open turn for one that is complete says everything again. */
static void by_turns_that_were_not_open(void **state)
{
    struct grid g;

    (void)state;
    start_chain(&g, "openai", "apis: chat", "");
    for (size_t i = 0; i < GS_COUNT_OF(apis); i++) {
        for (int after = 1; after <= 25; after += 4) {
            struct gs_buf out;
            char model[64];
            snprintf(model, sizeof(model), "fake@cut-after-%d;new-turn#%zu", after, i);
            ask_api(g.f.port, &apis[i], "", model, LONG, true, &out);
            check_text(&apis[i], model, true, &out, all_words());
            gs_buf_clear(&out);
        }
    }
    finish_grid(&g);
}

/* ---- who cannot ---- */

/* Nothing of what does not fit gets out; the third one fits. */
static void the_second_cannot(void **state)
{
    static const char *const words[] = {"no-prefill+anchor-sorry", "500", "empty", "error-first",
                                        "no-prefill+cut-after-0",  "401"};
    struct grid g;

    (void)state;
    start_chain(&g, "genset", EVERY, ", three");
    for (size_t w = 0; w < GS_COUNT_OF(words); w++) {
        for (size_t i = 0; i < GS_COUNT_OF(apis); i++) {
            char model[96];
            struct gs_buf out;
            snprintf(model, sizeof(model), "fake@cut-after-20;%s;ok#%zu", words[w], w * 4 + i);
            ask_api(g.f.port, &apis[i], "", model, LONG, true, &out);
            check_text(&apis[i], model, true, &out, all_words());
            gs_buf_clear(&out);
        }
    }
    finish_grid(&g);
}

/* Three conversations to which somebody has nothing to add do not shut it out. */
static void nothing_to_add_is_no_fault(void **state)
{
    struct gs_buf out;
    struct grid g;

    (void)state;
    start_chain(&g, "genset", EVERY, ", three");
    for (int i = 0; i < 3; i++) {
        char prompt[32];
        snprintf(prompt, sizeof(prompt), LONG " in talk %d", i);
        ask_api(g.f.port, &apis[0], "", "fake@cut-after-20;empty;ok", prompt, true, &out);
        check_text(&apis[0], "empty", true, &out, all_words());
        gs_buf_clear(&out);
    }
    const int fd = net_connect(g.f.port);
    gs_buf_init(&out, GS_MAX_RESPONSE_BYTES);
    net_send(fd, "GET /api/genset/status HTTP/1.1\r\nHost: localhost\r\n"
                 "Connection: close\r\n\r\n");
    net_read_all(fd, &out);
    close(fd);
    assert_true(net_has(&out, "\"one/fake@"));
    assert_false(net_has(&out, "\"two/fake@"));
    gs_buf_clear(&out);
    finish_grid(&g);
}

/* A stop sequence that ends within what the second says, and ends it before it has counted: the
 * prompt is that of the first, or is estimated. */
static void who_is_stopped_has_not_counted(void **state)
{
    struct grid g;

    (void)state;
    start_chain(&g, "openai", "apis: chat", "");
    for (size_t i = 0; i < 2; i++) {
        struct gs_buf out;
        struct heard h;
        ask_with(g.f.port, &apis[i], "", "\"stop\":[\"2 w3\"],\"stop_sequences\":[\"2 w3\"],",
                 "fake@cut-after-3;ok", "say 8", true, &out);
        hear_answer(&h, &apis[i], true, &out);
        if (h.fault != GS_FAULT_NONE || !gs_slice_eq_str(gs_buf_view(&h.text), "w0 w1 w2") ||
            h.usage.prompt_tokens == 0)
            fail_heard(&apis[i], "stop", &h, &out);
        heard_clear(&h);
        gs_buf_clear(&out);
    }
    finish_grid(&g);
}

/* E4: nor has who tells no usage at all; a client of another API reads how full its context is. */
static void who_counts_nothing(void **state)
{
    struct grid g;

    (void)state;
    start_chain(&g, "openai", "apis: chat", "");
    for (int n = 0; n < 2 * (int)GS_COUNT_OF(apis); n++) {
        const struct api *api = &apis[n / 2];
        struct gs_buf out;
        struct heard h;
        ask_api(g.f.port, api, "", "fake@500;no-usage", "say 8", n % 2, &out);
        hear_answer(&h, api, n % 2, &out);
        if (h.fault != GS_FAULT_NONE ||
            (strcmp(api->name, "chat") != 0 &&
             (h.usage.prompt_tokens == 0 || h.usage.answer_tokens == 0)))
            fail_heard(api, "no usage", &h, &out);
        heard_clear(&h);
        gs_buf_clear(&out);
    }
    finish_grid(&g);
}

/* It dies too, in the middle. */
static void several_go_on(void **state)
{
    struct grid g;

    (void)state;
    start_chain(&g, "genset", EVERY, ", three");
    for (size_t i = 0; i < GS_COUNT_OF(apis); i++) {
        for (int after = 1; after < 30; after += 4) {
            char model[96];
            struct gs_buf out;
            snprintf(model, sizeof(model), "fake@error-after-7;rst-after-%d;ok", after);
            ask_api(g.f.port, &apis[i], "", model, LONG, true, &out);
            check_text(&apis[i], model, true, &out, all_words());
            gs_buf_clear(&out);
        }
    }
    finish_grid(&g);
}

/* Nobody can: an error, and no end. */
static void nobody_goes_on(void **state)
{
    struct grid g;

    (void)state;
    start_chain(&g, "genset", EVERY, "");
    for (size_t i = 0; i < GS_COUNT_OF(apis); i++) {
        struct gs_buf out;
        struct heard h;
        char model[96];
        snprintf(model, sizeof(model), "fake@cut-after-20,503;503#%zu", i);
        ask_api(g.f.port, &apis[i], "", model, LONG, true, &out);
        hear_answer(&h, &apis[i], true, &out);
        if (h.fault == GS_FAULT_NONE || h.has_stopped ||
            !gs_slice_starts(gs_slice_str(all_words()), gs_buf_view(&h.text)))
            fail_heard(&apis[i], model, &h, &out);
        heard_clear(&h);
        gs_buf_clear(&out);
    }
    finish_grid(&g);
}

/* Nobody else is there, but the one that broke off is back. */
static void the_first_once_more(void **state)
{
    struct grid g;

    (void)state;
    start_chain(&g, "genset", EVERY, "");
    for (size_t i = 0; i < GS_COUNT_OF(apis); i++) {
        struct gs_buf out;
        char model[96];
        snprintf(model, sizeof(model), "fake@rst-after-20,ok;500#%zu", i);
        ask_api(g.f.port, &apis[i], "", model, LONG, true, &out);
        check_text(&apis[i], model, true, &out, all_words());
        gs_buf_clear(&out);
    }
    finish_grid(&g);
}

/* ---- thinking and calls ---- */

/* Thought begins anew and is not told twice; a call is said again to the letter, or complete. */
static void thinking_and_calls(void **state)
{
    static const char *const words[] = {"ok", "no-prefill"};
    struct grid g;

    (void)state;
    start_chain(&g, "genset", EVERY, "");
    for (size_t w = 0; w < GS_COUNT_OF(words); w++) {
        for (size_t i = 0; i < GS_COUNT_OF(apis); i++) {
            for (int after = 1; after <= 20; after++) {
                char model[96];
                struct gs_buf out;
                struct heard h;
                snprintf(model, sizeof(model), "fake@cut-after-%d;%s", after, words[w]);
                ask_api(g.f.port, &apis[i], "", model, "say 8 and think, call get_weather", true,
                        &out);
                hear_answer(&h, &apis[i], true, &out);
                if (h.fault != GS_FAULT_NONE || h.stop != GS_STOP_TOOL_CALL ||
                    !gs_slice_eq_str(gs_buf_view(&h.text), WORDS) ||
                    !gs_slice_starts(GS_SLICE_LIT("t0 t1 t2"), gs_buf_view(&h.thought)) ||
                    h.thought.len == 0 ||
                    !gs_slice_eq_str(gs_buf_view(&h.args), "{\"city\":\"w0 w1 w2 w3\",\"days\":3}"))
                    fail_heard(&apis[i], model, &h, &out);
                heard_clear(&h);
                gs_buf_clear(&out);
            }
        }
    }
    finish_grid(&g);
}

/* ---- what two gets to read ---- */

static struct gs_slice last_body(struct fake_provider *p)
{
    struct gs_slice head = {NULL, 0}, body = {NULL, 0};

    for (size_t i = 0; fake_provider_request(p, i, &head, &body);)
        i++;
    return body;
}

/* The client's own bytes, as far as they go. */
static void the_request_is_the_clients(void **state)
{
    static const char before[] = "{\"zz\" : [1e2,\"\\u00e9\"] ,\"model\":\"fake@cut-after-3;ok\","
                                 "\"stream\":true,\"max_tokens\":100,\"messages\":"
                                 "[{\"role\":\"user\",\"content\":\"say 8\"}";
    struct grid g;
    struct gs_buf body, out, want;

    (void)state;
    start_chain(&g, "genset", EVERY, "");
    gs_buf_init(&body, 1 << 20);
    gs_buf_init(&want, 1 << 20);
    gs_buf_printf(&body, "%s ],\"z\":0}", before);
    ask_bytes(g.f.port, ANTHROPIC, "anthropic-beta: mine\r\nidempotency-key: 7\r\n",
              gs_buf_view(&body), &out);
    check_text(&apis[0], "own", true, &out, WORDS);
    gs_buf_puts(&want, "{\"zz\" : [1e2,\"\\u00e9\"] ,\"model\":\"fake@cut-after-3;ok\","
                       "\"stream\":true,\"max_tokens\":98,\"messages\":"
                       "[{\"role\":\"user\",\"content\":\"say 8\"} ,{\"role\":\"assistant\","
                       "\"content\":\"w0 w1 w2\"}],\"z\":0}");
    if (!gs_slice_eq(last_body(two), gs_buf_view(&want)))
        fail_msg("%.*s", (int)last_body(two).len, last_body(two).ptr);
    struct gs_slice head, sent;
    assert_true(fake_provider_request(two, 0, &head, &sent));
    assert_true(gs_slice_find(head, GS_SLICE_LIT("anthropic-beta: mine"), 0) != SIZE_MAX);
    assert_true(gs_slice_find(head, GS_SLICE_LIT("idempotency-key"), 0) == SIZE_MAX);
    gs_buf_clear(&body);
    gs_buf_clear(&out);
    gs_buf_clear(&want);
    finish_grid(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_open_turns),
        cmocka_unit_test(by_anchors),
        cmocka_unit_test(by_anchors_of_any_kind),
        cmocka_unit_test(refusals_are_remembered),
        cmocka_unit_test(by_turns_that_were_not_open),
        cmocka_unit_test(the_second_cannot),
        cmocka_unit_test(nothing_to_add_is_no_fault),
        cmocka_unit_test(who_is_stopped_has_not_counted),
        cmocka_unit_test(who_counts_nothing),
        cmocka_unit_test(several_go_on),
        cmocka_unit_test(nobody_goes_on),
        cmocka_unit_test(the_first_once_more),
        cmocka_unit_test(thinking_and_calls),
        cmocka_unit_test(the_request_is_the_clients),
    };

    return cmocka_run_group_tests(tests, start_fakes, stop_fakes);
}
