/* Who is asked to go on with an answer that broke off, and who is not: order, calls, formats, what
 * stays here, clients that leave, what is told of it. */
#include "switch_test.h"
#include "two_fakes.h"

#define MAIL "ann.lee@corp-mail.de"

/* The route's targets and further terms by the begin of the model's name; "far" is one and two
 * beyond this machine, of which a proxy on it stands for both. */
static void start_routes(struct grid *g, bool has_local)
{
    const int at_one = fake_provider_port(one), at_two = fake_provider_port(two);

    fake_provider_forget(one);
    fake_provider_forget(two);
    prepare_grid(g);
    g->f.opt.has_local = has_local;
    start_grid(g,
               "providers:\n"
               "  one: {kind: genset, url: \"http://127.0.0.1:%d\", key: none, " EVERY "}\n"
               "  two: {kind: genset, url: \"http://127.0.0.1:%d\", key: none, " EVERY "}\n"
               "  mine: {kind: genset, url: \"http://127.0.0.1:%d\", key: client, " EVERY "}\n"
               "  lines: {kind: ollama, url: \"http://127.0.0.1:%d\", key: none}\n"
               "  far: {kind: genset, url: \"http://one.invalid\", key: none, " EVERY
               ", proxy: \"http://127.0.0.1:%d\"}\n"
               "  away: {kind: genset, url: \"http://two.invalid\", key: none, " EVERY
               ", proxy: \"http://127.0.0.1:%d\"}\n"
               "privacy: [{find: email, class: redact}, {find: api-key, class: redact}]\n"
               "routes:\n"
               "  - {match: \"up@*\", targets: [one, two, local/words], " PATIENT "}\n"
               "  - {match: \"here@*\", targets: [one, local/words, two], " PATIENT "}\n"
               "  - {match: \"error@*\", targets: [one, two], on_break: error, " PATIENT "}\n"
               "  - {match: \"far@*\", targets: [far, away], attempts: 20, " PATIENT "}\n"
               "  - {match: \"crash@*\", targets: [local/broken, one], " PATIENT "}\n"
               "  - {match: \"other@*\", targets: [lines, two], " PATIENT "}\n"
               "  - {match: \"mine@*\", targets: [one, mine], " PATIENT "}\n",
               at_one, at_two, at_two, at_one, at_one, at_two);
}

/* Ask with members `more` before the others, and hear it. */
static void ask_more(struct grid *g, const struct api *api, const char *more, const char *model,
                     const char *prompt, struct gs_buf *out, struct heard *h)
{
    ask_with(g->f.port, api, "", more, model, prompt, true, out);
    hear_answer(h, api, true, out);
}

static void forget(struct gs_buf *out, struct heard *h)
{
    gs_buf_clear(out);
    heard_clear(h);
}

static bool is_whole(const struct heard *h, const char *text)
{
    return h->fault == GS_FAULT_NONE && h->has_stopped &&
           gs_slice_eq_str(gs_buf_view(&h->text), text);
}

/* Ask, and hear all of `text`. */
static void expect_whole(struct grid *g, const struct api *api, const char *more, const char *model,
                         const char *prompt, const char *text)
{
    struct gs_buf out;
    struct heard h;

    ask_more(g, api, more, model, prompt, &out, &h);
    if (!is_whole(&h, text))
        fail_heard(api, model, &h, &out);
    forget(&out, &h);
}

static size_t asked(struct fake_provider *p)
{
    return fake_provider_count(p, FAKE_REQUESTS);
}

/* ---- who ---- */

static void the_order_is_the_routes(void **state)
{
    struct grid g;

    (void)state;
    start_routes(&g, true);
    for (size_t i = 0; i < GS_COUNT_OF(apis); i++) {
        struct gs_buf out;
        struct heard h;
        char model[64];
        snprintf(model, sizeof(model), "up@cut-after-4;ok#%zu", i);
        ask_more(&g, &apis[i], "", model, "say 8", &out, &h);
        if (!is_whole(&h, WORDS) || h.usage.prompt_tokens == 0 || h.usage.answer_tokens < 4)
            fail_heard(&apis[i], model, &h, &out);
        forget(&out, &h);
        assert_int_equal(asked(two), i + 1);
        snprintf(model, sizeof(model), "here@cut-after-4;ok#%zu", i);
        expect_whole(&g, &apis[i], "", model, "say 8", WORDS);
        assert_int_equal(asked(two), i + 1);
    }
    finish_grid(&g);
}

/* In an event, or just before the byte that ends it. */
static void within_an_event(void **state)
{
    static const char *const words[] = {"half", "bare"};
    struct grid g;

    (void)state;
    start_routes(&g, true);
    for (size_t n = 0; n < GS_COUNT_OF(words) * GS_COUNT_OF(apis); n++) {
        const struct api *api = &apis[n / GS_COUNT_OF(words)];
        char model[64];
        snprintf(model, sizeof(model), "up@%s-after-4;ok#%zu", words[n % GS_COUNT_OF(words)], n);
        expect_whole(&g, api, "", model, "say 8", WORDS);
        assert_int_equal(asked(two), n + 1);
    }
    finish_grid(&g);
}

/* It fails in the middle itself. */
static void this_machine_breaks_off(void **state)
{
    struct grid g;

    (void)state;
    start_routes(&g, true);
    for (size_t i = 0; i < GS_COUNT_OF(apis); i++) {
        expect_whole(&g, &apis[i], "", "crash@ok", "recite Hello world and all",
                     "Hello world and all");
        assert_int_equal(asked(one), i + 1);
    }
    finish_grid(&g);
}

/* Of another API's stream, for a client that wants all at once. */
static void whole_answers(void **state)
{
    struct grid g;

    (void)state;
    start_routes(&g, false);
    for (size_t i = 0; i < 3; i++) {
        struct gs_buf out;
        struct heard h;
        char model[64];
        snprintf(model, sizeof(model), "other@cut-after-4;ok#%zu", i);
        ask_api(g.f.port, &apis[i], "", model, "say 8", false, &out);
        hear_answer(&h, &apis[i], false, &out);
        if (!is_whole(&h, WORDS) || !net_has(&out, "x-genset-served-by: lines/") ||
            !net_has(&out, "x-genset-served-by: two/"))
            fail_heard(&apis[i], model, &h, &out);
        forget(&out, &h);
        assert_int_equal(asked(two), i + 1);
    }
    finish_grid(&g);
}

/* Half a call and what a schema governs: to this machine first, wherever it stands. */
static void this_machine_first(void **state)
{
    static const char *const formats =
        "\"output_config\":{\"format\":{\"type\":\"json_schema\",\"schema\":{}}},"
        "\"response_format\":{\"type\":\"json_object\"},\"format\":\"json\","
        "\"text\":{\"format\":{\"type\":\"json_object\"}},";
    struct grid g;

    (void)state;
    start_routes(&g, true);
    for (size_t i = 0; i < GS_COUNT_OF(apis); i++) {
        struct gs_buf out;
        struct heard h;
        char model[64];
        snprintf(model, sizeof(model), "up@cut-after-10;ok#%zu", i);
        ask_more(&g, &apis[i], "", model, "say 8, call get_weather", &out, &h);
        if (!is_whole(&h, WORDS) || h.stop != GS_STOP_TOOL_CALL)
            fail_heard(&apis[i], model, &h, &out);
        forget(&out, &h);
        snprintf(model, sizeof(model), "up@cut-after-4;ok#json%zu", i);
        expect_whole(&g, &apis[i], formats, model, "say 8", WORDS);
    }
    assert_int_equal(asked(two), 0);
    finish_grid(&g);
}

/* Without a model here they are asked for once more, and skipped as far as they are the same. */
static void or_the_same_once_more(void **state)
{
    struct grid g;
    struct gs_slice head, body;

    (void)state;
    start_routes(&g, false);
    for (size_t i = 0; i < 2; i++) {
        struct gs_buf out;
        struct heard h;
        ask_more(&g, &apis[i],
                 "\"output_config\":{\"format\":{\"type\":\"json_schema\",\"schema\":{}}},"
                 "\"response_format\":{\"type\":\"json_object\"},",
                 "up@cut-after-4;ok", "say 8", &out, &h);
        if (!is_whole(&h, WORDS) || h.usage.answer_tokens != 8)
            fail_heard(&apis[i], "json", &h, &out);
        forget(&out, &h);
        assert_true(fake_provider_request(two, i, &head, &body));
        assert_true(gs_slice_find(body, GS_SLICE_LIT("assistant"), 0) == SIZE_MAX);
    }
    finish_grid(&g);
}

/* A call that is complete can be made. */
static void complete_calls_need_nobody(void **state)
{
    struct grid g;

    (void)state;
    start_routes(&g, true);
    for (size_t i = 0; i < GS_COUNT_OF(apis); i++) {
        struct gs_buf out;
        struct heard h;
        char model[64];
        snprintf(model, sizeof(model), "up@rst-after-99;ok#%zu", i);
        ask_more(&g, &apis[i], "", model, "say 8, call get_weather", &out, &h);
        if (!is_whole(&h, WORDS) || h.stop != GS_STOP_TOOL_CALL || h.usage.answer_tokens == 0 ||
            !gs_slice_eq_str(gs_buf_view(&h.args), "{\"city\":\"w0 w1 w2 w3\",\"days\":3}") ||
            net_has(&out, " goes on\n"))
            fail_heard(&apis[i], model, &h, &out);
        forget(&out, &h);
    }
    assert_int_equal(asked(two), 0);
    finish_grid(&g);
}

/* ---- who is not ---- */

static void check_broken(struct grid *g, const struct api *api, const char *more, const char *model)
{
    struct gs_buf out;
    struct heard h;

    ask_more(g, api, more, model, "say 8", &out, &h);
    if (h.fault == GS_FAULT_NONE || h.has_stopped || !net_has(&out, "w3") || net_has(&out, "w4"))
        fail_heard(api, model, &h, &out);
    forget(&out, &h);
    assert_int_equal(asked(two), 0);
}

static void what_is_not_gone_on_with(void **state)
{
    struct grid g;

    (void)state;
    start_routes(&g, true);
    check_broken(&g, &apis[0], "", "error@cut-after-4;ok#0");
    check_broken(&g, &apis[1], "", "error@cut-after-4;ok#1");
    check_broken(&g, &apis[2], "", "error@cut-after-4;ok#2");
    check_broken(&g, &apis[3], "", "error@cut-after-4;ok#3");
    check_broken(&g, &apis[1], "\"n\":2,", "up@cut-after-4;ok#n");
    check_broken(&g, &apis[1], "\"logprobs\":true,", "up@cut-after-4;ok#logprobs");
    finish_grid(&g);
}

/* Whoever would rather be told says so with the request. */
static void who_wants_no_other(void **state)
{
    static const struct {
        const char *header;
        bool ends;
    } rows[] = {{"X-Genset-On-Break: Error\r\n", true},
                {"x-genset-on-break: continue\r\nx-genset-on-break: error\r\n", true},
                {"x-genset-on-break: continue\r\n", false}};
    struct grid g;
    struct gs_buf out;

    (void)state;
    start_routes(&g, true);
    for (size_t i = 0; i < GS_COUNT_OF(rows); i++) {
        struct heard h;
        char model[64];
        snprintf(model, sizeof(model), "up@cut-after-4;ok#own%zu", i);
        ask_api(g.f.port, &apis[0], rows[i].header, model, "say 8", true, &out);
        hear_answer(&h, &apis[0], true, &out);
        if (rows[i].ends ? h.fault == GS_FAULT_NONE || h.has_stopped : !is_whole(&h, WORDS))
            fail_heard(&apis[0], rows[i].header, &h, &out);
        assert_int_equal(has_got(one, "x-genset-on-break: error"), rows[i].ends);
        fake_provider_forget(one);
        forget(&out, &h);
    }
    ask_api(g.f.port, &apis[0], "", "error@ok", "say 8", true, &out); /* the route's word */
    assert_true(has_got(one, "x-genset-on-break: error"));
    gs_buf_clear(&out);
    fake_provider_forget(one);
    ask_api(g.f.port, &apis[0], "x-genset-on-break: error\r\n", "other@ok", "say 8", true, &out);
    assert_false(has_got(one, "on-break")); /* who is no genset would not know it */
    gs_buf_clear(&out);
    ask_api(g.f.port, &apis[0], "x-genset-on-break: maybe\r\n", "up@ok", "say 8", true, &out);
    assert_true(net_has(&out, "HTTP/1.1 400 "));
    assert_true(net_has(&out, "x-genset-on-break: expected continue or error"));
    gs_buf_clear(&out);
    finish_grid(&g);
}

/* Its stop sequence has begun before the seam. */
static void a_stop_sequence_across_the_seam(void **state)
{
    struct grid g;

    (void)state;
    start_routes(&g, true);
    for (size_t i = 0; i < 2; i++) {
        struct gs_buf out;
        struct heard h;
        ask_more(&g, &apis[i], "\"stop\":[\"w3 w4 w5\"],\"stop_sequences\":[\"w3 w4 w5\"],",
                 "up@cut-after-4;ok", "say 8", &out, &h);
        if (!is_whole(&h, "w0 w1 w2 w3") || (i == 0 && !net_has(&out, "\"stop_sequence\":\"w3 w4")))
            fail_heard(&apis[i], "stop", &h, &out);
        forget(&out, &h);
    }
    finish_grid(&g);
}

static void who_leaves_is_not_gone_on_for(void **state)
{
    struct grid g;

    (void)state;
    start_routes(&g, false);
    for (size_t i = 0; i < GS_COUNT_OF(apis); i++) {
        const int fd = net_connect(g.f.port);
        struct gs_buf body;
        gs_buf_init(&body, GS_MAX_REQUEST_BYTES);
        put_body(&body, "", "up@cut-after-4;silent", "say 8", true);
        post(fd, apis[i].path, "Connection: close\r\n", gs_buf_view(&body));
        fake_provider_wait(two, FAKE_HELD, i + 1);
        close(fd);
        fake_provider_wait(two, FAKE_GONE, i + 1);
        gs_buf_clear(&body);
    }
    finish_grid(&g);
}

/* ---- what leaves ---- */

/* What was taken out of the request, and came back into the answer, is taken out of that too. */
static void what_stays_here_stays_here(void **state)
{
    static const char *const text =
        "Please do write to " MAIL " about it, then wait for an answer.";
    static const char *const words[] = {"ok", "no-prefill"};
    struct grid g;

    (void)state;
    for (size_t w = 0; w < GS_COUNT_OF(words); w++) {
        for (size_t i = 0; i < GS_COUNT_OF(apis); i++) {
            start_routes(&g, false);
            for (int after = 1; after <= 12; after++) {
                char model[64], prompt[128];
                snprintf(model, sizeof(model), "far@cut-after-%d;%s", after, words[w]);
                snprintf(prompt, sizeof(prompt), "recite %s", text);
                expect_whole(&g, &apis[i], "", model, prompt, text);
            }
            assert_false(has_got(one, "ann.lee") || has_got(two, "ann.lee"));
            assert_true(asked(two) >= 11);
            finish_grid(&g);
        }
    }
}

#define LONG_KEY                                                                                   \
    "sk-ant-api03-Q7mZ2xWv9LrT4nBc8KpD1sHf6JgY3aEuXo5RiVqNwMtClSbPzUdGkFhAjOeTyIx0vBn2m4Qw8Er6"    \
    "Ty1Ui3Op5As7Df9"

/* An anchor does not begin within what must not leave. */
static void no_piece_of_a_secret_leaves(void **state)
{
    static const char *const text = "It is " LONG_KEY " and nothing else.";
    struct grid g;

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(apis); i++) {
        start_routes(&g, false);
        for (int after = 1; after <= 8; after++) {
            char model[64], prompt[256];
            snprintf(model, sizeof(model), "far@cut-after-%d;no-prefill", after);
            snprintf(prompt, sizeof(prompt), "recite %s", text);
            expect_whole(&g, &apis[i], "", model, prompt, text);
        }
        assert_false(has_got(one, "As7Df9") || has_got(two, "As7Df9"));
        assert_true(asked(two) >= 7);
        finish_grid(&g);
    }
}

#define CLIENT_KEY "sk-ant-api03-the-key-of-the-client-itself"

/* A client's login goes with the client's own request only. */
static void a_login_goes_on(void **state)
{
    struct grid g;

    (void)state;
    start_routes(&g, false);
    for (size_t i = 0; i < GS_COUNT_OF(apis); i++) {
        struct gs_buf out;
        struct heard h;
        struct gs_slice head, body;
        const bool has_list = i != 2; /* Responses: put_body() gives a string */
        ask_api(g.f.port, &apis[i], "x-api-key: " CLIENT_KEY "\r\n",
                "mine@cut-after-4,cut-after-0;ok", "say 8", true, &out);
        hear_answer(&h, &apis[i], true, &out);
        if (has_list && !is_whole(&h, WORDS))
            fail_heard(&apis[i], "mine", &h, &out);
        forget(&out, &h);
        for (size_t k = 0; fake_provider_request(two, k, &head, &body); k++)
            assert_true(gs_slice_find(head, GS_SLICE_LIT(CLIENT_KEY), 0) != SIZE_MAX);
        assert_int_equal(asked(two), has_list ? 1 : 0);
        fake_provider_forget(one);
        fake_provider_forget(two);
    }
    finish_grid(&g);
}

/* ---- what is told of it ---- */

static void expect_trace(const struct grid *g, const struct gs_buf *answer, const char *what,
                         const char *other)
{
    struct gs_buf out;

    ask_trace(g, "", answer, &out);
    if (!net_has(&out, what) || !net_has(&out, other))
        fail_msg("no \"%s\", \"%s\" in\n%.*s", what, other, (int)out.len, out.ptr);
    gs_buf_clear(&out);
}

static void a_trace_names_the_way(void **state)
{
    static const struct {
        const char *words, *way;
    } rows[] = {{"ok", "two: prefill"}, {"no-prefill", "two: anchor"}};
    struct grid g;

    (void)state;
    start_routes(&g, true);
    for (size_t i = 0; i < GS_COUNT_OF(rows); i++) {
        struct gs_buf out;
        struct heard h;
        char model[64];
        snprintf(model, sizeof(model), "up@cut-after-4;%s", rows[i].words);
        ask_more(&g, &apis[0], "", model, "say 8", &out, &h);
        expect_trace(&g, &out, "\"what\":\"chat\",\"detail\":\"1 messages, 0 tools, some ",
                     "\"what\":\"told\",\"detail\":\"200, ");
        expect_trace(&g, &out, "\"what\":\"continue\"", "\"what\":\"seam\"");
        EXPECT(&g.f, "GET /api/genset/trace/req_ HTTP/1.1\r\nHost: localhost\r\n", rows[i].way);
        forget(&out, &h);
    }
    finish_grid(&g);
}

/* Its size is known where nobody but this machine is there to be asked. */
static void this_machine_alone(void **state)
{
    char prompt[2000];
    struct gs_buf out;
    struct heard h;
    struct grid g;

    (void)state;
    prepare_grid(&g);
    g.routes.is_hermit = true;
    start_grid(&g, "routes:\n"
                   "  - {when: {prompt_over: 400}, targets: local/words}\n"
                   "  - {targets: local/hello}\n");
    snprintf(prompt, sizeof(prompt), "say 3%*s", 1900, "");
    ask_more(&g, &apis[0], "", "any", prompt, &out, &h);
    assert_true(is_whole(&h, "w0 w1 w2"));
    expect_trace(&g, &out, "any, 3953 bytes", "1 messages, 0 tools, some 989 tokens");
    forget(&out, &h);
    ask_more(&g, &apis[0], "", "any", "say 3", &out, &h);
    assert_false(is_whole(&h, "w0 w1 w2"));
    forget(&out, &h);
    finish_grid(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_order_is_the_routes),
        cmocka_unit_test(within_an_event),
        cmocka_unit_test(this_machine_breaks_off),
        cmocka_unit_test(whole_answers),
        cmocka_unit_test(this_machine_first),
        cmocka_unit_test(or_the_same_once_more),
        cmocka_unit_test(complete_calls_need_nobody),
        cmocka_unit_test(what_is_not_gone_on_with),
        cmocka_unit_test(who_wants_no_other),
        cmocka_unit_test(a_stop_sequence_across_the_seam),
        cmocka_unit_test(who_leaves_is_not_gone_on_for),
        cmocka_unit_test(what_stays_here_stays_here),
        cmocka_unit_test(no_piece_of_a_secret_leaves),
        cmocka_unit_test(a_login_goes_on),
        cmocka_unit_test(a_trace_names_the_way),
        cmocka_unit_test(this_machine_alone),
    };

    return cmocka_run_group_tests(tests, start_fakes, stop_fakes);
}
