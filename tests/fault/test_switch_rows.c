/* Rows of the list of faults that are about state over time and about this machine, as a client of
 * each API sees them. */
#include "switch_test.h"

static struct fake_provider *one;

static int start_fake(void **state)
{
    (void)state;
    one = fake_provider_start(&(struct fake_provider_options){.place = 0});
    return one ? 0 : -1;
}

static int stop_fake(void **state)
{
    (void)state;
    fake_provider_stop(one);
    return 0;
}

/* One, then this machine, in their own time. */
static void start_plain(struct grid *g)
{
    fake_provider_forget(one);
    prepare_grid(g);
    start_grid(g,
               "providers:\n"
               "  one: {kind: genset, url: \"http://127.0.0.1:%d\", key: none, " EVERY "}\n"
               "routes:\n"
               "  - {match: \"*\", targets: [one, local/words], " PATIENT "}\n",
               fake_provider_port(one));
}

/* What one cannot do another may: no request is wrong because of it. */
static void what_one_cannot_another_does(void **state)
{
    struct grid g;

    (void)state;
    start_plain(&g);
    for (size_t i = 0; i < GS_COUNT_OF(apis); i++) {
        for (int stream = 0; stream < 2; stream++) {
            struct gs_buf out;
            struct heard h;
            ask_api(g.f.port, &apis[i], "", "fake@400-prefill", "say 8", stream, &out);
            hear_answer(&h, &apis[i], stream, &out);
            if (h.fault != GS_FAULT_NONE || !gs_slice_eq_str(gs_buf_view(&h.text), WORDS))
                fail_heard(&apis[i], "fake@400-prefill", &h, &out);
            heard_clear(&h);
            gs_buf_clear(&out);
        }
    }
    assert_int_equal(fake_provider_count(one, FAKE_REQUESTS), 2 * GS_COUNT_OF(apis));
    finish_grid(&g);
}

static const struct api *const responses = &apis[2];

/* Codex warms a server up: it asks for no answer, and gets none, from whom it asks. */
static void a_warm_up_is_no_empty_answer(void **state)
{
    struct grid g;

    (void)state;
    start_plain(&g);
    for (int stream = 0; stream < 2; stream++) {
        struct gs_buf out, heard;
        struct gs_slice sent;
        gs_buf_init(&heard, 1 << 20);
        ask_with(g.f.port, responses, "", "\"generate\":false,", "fake@empty", "say 8", stream,
                 &out);
        assert_true(net_has(&out, "HTTP/1.1 200 OK"));
        assert_true(body_of(&out, &heard));
        assert_true(fake_provider_sent(one, (size_t)stream, &sent));
        assert_true(gs_slice_eq(gs_buf_view(&heard), sent));
        gs_buf_clear(&out);
        gs_buf_clear(&heard);
    }
    assert_int_equal(g.f.fake.n_read, 0);
    assert_int_equal(atomic_load(&g.f.fake.n_answers), 0);
    finish_grid(&g);
}

/* Where it is asked itself, this machine reads the prompt. */
static void a_warm_up_here_reads_the_prompt(void **state)
{
    struct grid g;
    struct gs_buf out;

    (void)state;
    start_plain(&g);
    ask_with(g.f.port, responses, "", "\"generate\":false,", "fake@503", "say 8", true, &out);
    assert_true(net_has(&out, "event: response.completed"));
    assert_true(net_has(&out, "\"output\":[]"));
    assert_int_equal(g.f.fake.n_read, 1);
    gs_buf_clear(&out);
    finish_grid(&g);
}

/* What a provider finds wrong with the request within its answer is the client's to hear. */
static void wrong_requests_go_no_further(void **state)
{
    struct grid g;

    (void)state;
    start_plain(&g);
    for (size_t i = 0; i < GS_COUNT_OF(apis); i++) {
        struct gs_buf out;
        ask_api(g.f.port, &apis[i], "", "fake@400-policy", "say 8", true, &out);
        assert_true(net_has(&out, "HTTP/1.1 400 "));
        gs_buf_clear(&out);
    }
    assert_int_equal(atomic_load(&g.f.fake.n_answers), 0);
    finish_grid(&g);
}

/* Ask for a stream by Anthropic's API; the head's status must be this. */
static void expect_status(struct grid *g, const char *headers, const char *model,
                          const char *status)
{
    struct gs_buf out;
    char line[64];

    ask_api(g->f.port, &apis[0], headers, model, "say 8", true, &out);
    snprintf(line, sizeof(line), "HTTP/1.1 %s ", status);
    if (!net_has(&out, line))
        fail_msg("%s: %.*s", model, (int)out.len, out.ptr);
    gs_buf_clear(&out);
}

/* Nobody is left, and the client hears why. */
static void each_is_left_out_for_a_reason(void **state)
{
    struct gs_buf out;
    struct grid g;

    (void)state;
    prepare_grid(&g);
    g.f.opt.has_local = false;
    start_grid(&g,
               "providers:\n"
               "  one: {kind: genset, url: \"http://127.0.0.1:%d\", key: none, " EVERY "}\n"
               "routes:\n"
               "  - {targets: [one]}\n"
               "budgets:\n"
               "  one: {day: 5 USD}\n", /* and no price: nobody knows when it is spent */
               fake_provider_port(one));
    ask_api(g.f.port, &apis[0], "", "fake@ok", "say 8", true, &out);
    if (!net_has(&out, "there is nobody to ask: one (budget), local (unfit)"))
        fail_msg("%.*s", (int)out.len, out.ptr);
    gs_buf_clear(&out);
    finish_grid(&g);
}

/* F5: pilot knows little. It answers where nobody else is meant, or could be asked; in the place
 * of a model that fails it does not. */
static void pilot_replaces_nobody(void **state)
{
    struct grid g;

    (void)state;
    fake_provider_forget(one);
    prepare_grid(&g);
    g.f.opt.has_local = false;
    start_grid(&g,
               "providers:\n"
               "  one: {kind: genset, url: \"http://127.0.0.1:%d\", key: none, " EVERY "}\n"
               "  mine: {kind: genset, url: \"http://127.0.0.1:%d\", key: client, " EVERY "}\n"
               "routes:\n"
               "  - {match: \"mine@*\", targets: [mine, local/words]}\n"
               "  - {match: \"here@*\", targets: [one, local/words], policy: local-only}\n"
               "  - {match: \"words\", targets: [local]}\n"
               "  - {match: \"*\", targets: [one, local/words]}\n",
               fake_provider_port(one), fake_provider_port(one));
    expect_status(&g, "", "fake@500", "502");
    expect_status(&g, "", "fake@ok", "200");
    assert_int_equal(atomic_load(&g.f.fake.n_answers), 0);
    expect_status(&g, "", "words", "200");
    expect_status(&g, "", "here@500", "200");
    expect_status(&g, "", "mine@500", "200");
    assert_int_equal(atomic_load(&g.f.fake.n_answers), 3);
    expect_status(&g, "x-api-key: sk-ant-api03-the-key-of-the-client-itself\r\n", "mine@500",
                  "502");
    assert_int_equal(atomic_load(&g.f.fake.n_answers), 3);
    finish_grid(&g);
}

/* A provider of each kind of key, by its name: own@401 asks it for a refusal. */
static void start_keyed(struct grid *g)
{
    static const struct {
        const char *name, *key, *apis;
    } keyed_by[] = {
        {"own", "command:echo sk-own", "messages, chat, responses, ollama"},
        {"own-chat", "command:echo sk-own", "chat"},
        {"poor", "command:echo sk-poor", "messages, chat, responses, ollama"},
        {"mine", "client", "messages, chat, responses, ollama"},
        {"plain", "none", "messages, chat, responses, ollama"},
        {"keyless", "none", "messages, chat, responses, ollama"},
    };
    struct gs_buf yaml;

    prepare_grid(g);
    g->f.opt.has_local = false;
    gs_buf_init(&yaml, GS_MAX_CONFIG_BYTES);
    gs_buf_puts(&yaml, "providers:\n");
    for (size_t i = 0; i < GS_COUNT_OF(keyed_by); i++)
        gs_buf_printf(&yaml,
                      "  %s: {kind: genset, url: \"http://127.0.0.1:%d\", key: \"%s\", "
                      "apis: [%s]}\n",
                      keyed_by[i].name, fake_provider_port(one), keyed_by[i].key, keyed_by[i].apis);
    gs_buf_puts(&yaml, "routes:\n");
    for (size_t i = 0; i < GS_COUNT_OF(keyed_by); i++)
        gs_buf_printf(&yaml, "  - {match: \"%s@*\", targets: [%s]}\n", keyed_by[i].name,
                      keyed_by[i].name);
    start_grid(g, "%.*s", (int)yaml.len, yaml.ptr);
    gs_buf_clear(&yaml);
}

/* B9, where nobody else answers: a key of genset's own is no fault of the client's, nor of this
 * machine. Who asks next hears the same. */
static void whose_key_was_refused_is_said(void **state)
{
    static const struct {
        const char *model, *status, *words;
        bool is_final;
    } rows[] = {
        {"own@401", "502", "own does not take genset's own key: ", true},
        {"own@ok", "502", "it does not take the key. Put a valid one where providers.own.key",
         true},
        {"own-chat@403", "502", "Put a valid one where providers.own-chat.key finds it.", true},
        {"keyless@401", "502", "It wants a key: name one in genset's configuration, ", true},
        {"poor@402", "502", "Top up the account of genset's key at ", true},
        {"mine@401", "401", "", false},
        {"plain@500", "502", "plain: ", false},
        {"plain@eof", "502", "plain: ", false},
        {"plain@noise", "502", "plain: ", false},
    };
    static const char client[] = "Authorization: Bearer sk-ant-api03-the-key-of-the-client\r\n";

    (void)state;
    for (size_t i = 0; i < 2 * GS_COUNT_OF(apis); i++) {
        struct grid g;
        start_keyed(&g);
        for (size_t r = 0; r < GS_COUNT_OF(rows); r++) {
            struct gs_buf out;
            char line[64];
            ask_api(g.f.port, &apis[i / 2], client, rows[r].model, "say 8", i % 2, &out);
            snprintf(line, sizeof(line), "HTTP/1.1 %s ", rows[r].status);
            if (!net_has(&out, line) || !net_has(&out, rows[r].words) ||
                (rows[r].is_final && !net_has(&out, "x-should-retry: false\r\n")))
                fail_msg("%s: %s: %.*s", apis[i / 2].name, rows[r].model, (int)out.len, out.ptr);
            gs_buf_clear(&out);
        }
        finish_grid(&g);
    }
}

static void expect_card(struct grid *g, const char *model, const char *mark)
{
    char body[64];
    struct gs_buf out;

    snprintf(body, sizeof(body), "{\"model\":\"%s\"}", model);
    ask_bytes(g->f.port, "/api/show", "", gs_slice_str(body), &out);
    assert_true(net_has(&out, "HTTP/1.1 200 OK"));
    assert_true(net_has(&out, mark));
    gs_buf_clear(&out);
}

/* Who lists models is offered those that the routes name. */
static void models_of_others_are_listed(void **state)
{
    struct grid g;

    (void)state;
    prepare_grid(&g);
    start_grid(&g, "providers:\n"
                   "  one: {kind: genset, url: \"http://127.0.0.1:9\", key: none}\n"
                   "  mute: {kind: genset, url: \"http://127.0.0.1:9\", key: \"env:NONE\"}\n"
                   "routes:\n"
                   "  - {match: [sonnet, \"opus-*\"], targets: [one/claude-sonnet, local/words]}\n"
                   "  - {match: quiet, targets: [mute]}\n"
                   "  - {match: mine, targets: [local/words, one]}\n"
                   "  - {match: \"*\", targets: [one/a/b, one/second, local/words]}\n");
    EXPECT(&g.f, "GET /v1/models HTTP/1.1\r\nHost: localhost\r\n", "{\"id\":\"tiny-q8_0\",",
           "\"owned_by\":\"genset\"", "{\"id\":\"sonnet\",\"object\":\"model\"",
           "\"owned_by\":\"one\"", "{\"id\":\"one/a/b\",", "\"last_id\":\"one/a/b\"}");
    EXPECT(&g.f, "GET /v1/models/one/a/b HTTP/1.1\r\nHost: localhost\r\n", "HTTP/1.1 200 OK",
           "\"display_name\":\"one/a/b\"");
    EXPECT(&g.f, "GET /v1/models?limit=1&after_id=sonnet HTTP/1.1\r\nHost: localhost\r\n",
           "\"data\":[{\"id\":\"one/a/b\"", "\"has_more\":false");
    EXPECT(&g.f, "GET /v1/models/quiet HTTP/1.1\r\nHost: localhost\r\n", "HTTP/1.1 404 ");
    EXPECT(&g.f, "GET /v1/models/mine HTTP/1.1\r\nHost: localhost\r\n", "HTTP/1.1 404 ");
    EXPECT(&g.f, "GET /v1/models/one/second HTTP/1.1\r\nHost: localhost\r\n", "HTTP/1.1 404 ");
    EXPECT(&g.f, "GET /v1/models/one/claude-sonnet HTTP/1.1\r\nHost: localhost\r\n",
           "HTTP/1.1 404 ");
    EXPECT(&g.f, "GET /api/tags HTTP/1.1\r\nHost: localhost\r\n", "{\"name\":\"tiny-q8_0\",",
           "{\"name\":\"sonnet\",\"model\":\"sonnet\",",
           "\"remote_model\":\"claude-sonnet\",\"remote_host\":\"http://127.0.0.1:9\"",
           "{\"name\":\"one/a/b\",");
    expect_card(&g, "sonnet:latest", "\"capabilities\":[\"completion\",\"tools\"]");
    expect_card(&g, "tiny-q8_0", "\"model_info\":{\"general.architecture\"");
    finish_grid(&g);
}

/* B9: a key that somebody replaced is fetched again when the old one is refused. */
static char key_path[] = "/tmp/genset-test-rows-XXXXXX";
static char keyed[512];
static atomic_int n_read;

static void read_again(void *ud)
{
    struct gs_buf report;

    atomic_fetch_add(&n_read, 1);
    gs_buf_init(&report, GS_MAX_CONFIG_BYTES);
    assert_int_equal(test_routes_offer(ud, gs_slice_str(keyed), &report), GS_OK);
    gs_buf_clear(&report);
}

static void a_new_key_is_fetched(void **state)
{
    const int fd = mkstemp(key_path);
    struct grid g;
    struct gs_slice head, body;

    (void)state;
    assert_true(fd >= 0);
    close(fd);
    fake_provider_forget(one);
    atomic_store(&n_read, 0);
    assert_int_equal(gs_os_write_file(key_path, "sk-old\n", 7, NULL), GS_OK);
    prepare_grid(&g);
    g.f.opt.read_routes = read_again;
    snprintf(keyed, sizeof(keyed),
             "providers: {one: {kind: genset, url: \"http://127.0.0.1:%d\", key: \"file:%s\", "
             "apis: messages}}\nroutes: [{targets: [one, local/words]}]\n",
             fake_provider_port(one), key_path);
    start_grid(&g, "%s", keyed);
    assert_int_equal(gs_os_write_file(key_path, "sk-new\n", 7, NULL), GS_OK);
    expect_status(&g, "", "fake@401", "200");
    expect_status(&g, "", "fake@401", "200");
    expect_status(&g, "", "fake@ok", "200");
    assert_int_equal(atomic_load(&n_read), 1);
    assert_int_equal(fake_provider_count(one, FAKE_REQUESTS), 2);
    for (size_t i = 0; i < 2; i++) {
        assert_true(fake_provider_request(one, i, &head, &body));
        assert_int_not_equal(gs_slice_find(head, gs_slice_str(i ? "sk-new" : "sk-old"), 0),
                             SIZE_MAX);
    }
    finish_grid(&g);
    unlink(key_path);
}

/* F10: a request has so many attempts, and all of them together a share of the requests. */
static void attempts_are_rationed(void **state)
{
    struct grid g;

    (void)state;
    fake_provider_forget(one);
    prepare_grid(&g);
    start_grid(&g,
               "providers:\n"
               "  one: {kind: genset, url: \"http://127.0.0.1:%d\", key: none, " EVERY "}\n"
               "routes:\n"
               "  - {match: two, attempts: 2, targets: [one/fake@400-prefill, one/fake@413, "
               "one/fake@400-context, local/words]}\n"
               "  - {match: \"*\", targets: [one/fake@400-prefill, one/fake@413, "
               "one/fake@400-context, local/words]}\n",
               fake_provider_port(one));
    expect_status(&g, "", "two", "200");
    assert_int_equal(fake_provider_count(one, FAKE_REQUESTS), 2);
    for (int i = 0; i < 200; i++)
        expect_status(&g, "", "many", "200");
    assert_int_equal(atomic_load(&g.f.fake.n_answers), 201);
    /* 600 without rations */
    assert_in_range(fake_provider_count(one, FAKE_REQUESTS), 2 + 200, 2 + 200 + 300);
    finish_grid(&g);
}

/* I7: the engine fails in the middle. Another goes on where the route lets the request leave; else
 * it ends in an error, and nobody hears of it. */
static void an_engine_that_fails_is_gone_on_for(void **state)
{
    static const char *const models[] = {"fake", "kept", "told"};
    struct grid g;

    (void)state;
    fake_provider_forget(one);
    prepare_grid(&g);
    start_grid(&g,
               "providers:\n"
               "  one: {kind: genset, url: \"http://one.invalid\", key: none, "
               "apis: messages, proxy: \"http://127.0.0.1:%d\"}\n"
               "routes:\n"
               "  - {match: kept, targets: [local/broken, one], privacy: local-only}\n"
               "  - {match: told, targets: [local/broken, one], on_break: error}\n"
               "  - {match: \"*\", targets: [local/broken, one], " PATIENT "}\n",
               fake_provider_port(one));
    for (size_t m = GS_COUNT_OF(models); m-- > 0;) {
        for (size_t i = 0; i < GS_COUNT_OF(apis); i++) {
            struct gs_buf out;
            struct heard h;
            ask_api(g.f.port, &apis[i], "", models[m], "say 8", true, &out);
            hear_answer(&h, &apis[i], true, &out);
            if ((h.fault == GS_FAULT_NONE) != (m == 0) || !net_has(&out, "Hello world") ||
                net_has(&out, "the engine failed") == (m == 0))
                fail_heard(&apis[i], models[m], &h, &out);
            heard_clear(&h);
            gs_buf_clear(&out);
        }
        assert_true((fake_provider_count(one, FAKE_CONNECTIONS) > 0) == (m == 0));
    }
    finish_grid(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_one_cannot_another_does),
        cmocka_unit_test(a_warm_up_is_no_empty_answer),
        cmocka_unit_test(a_warm_up_here_reads_the_prompt),
        cmocka_unit_test(wrong_requests_go_no_further),
        cmocka_unit_test(each_is_left_out_for_a_reason),
        cmocka_unit_test(pilot_replaces_nobody),
        cmocka_unit_test(whose_key_was_refused_is_said),
        cmocka_unit_test(models_of_others_are_listed),
        cmocka_unit_test(a_new_key_is_fetched),
        cmocka_unit_test(attempts_are_rationed),
        cmocka_unit_test(an_engine_that_fails_is_gone_on_for),
    };

    return cmocka_run_group_tests(tests, start_fake, stop_fake);
}
