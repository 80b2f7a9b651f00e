/* What must not leave the machine does not, whatever way is tried: a provider beyond this machine
 * (its name is nobody's; a proxy on this one stands for it) records every byte that it gets. */
#include <fcntl.h>

#include "base/log.h"
#include "http/loop.h"
#include "ledger_test.h"
#include "switch/switch.h"
#include "switch_test.h"
#include "two_fakes.h"

#define PEM                                                                                        \
    "-----BEGIN EC PRIVATE "                                                                       \
    "KEY-----\\nMHcCAQEEIIrYSSNQFaA2Hwf1duRSxKtLYX5CB04fSeQ6tF1aY/PuoAoGCCqG"                      \
    "SM49\\nAwEHoUQDQgAEPR3tU2Fta9ktY+6P9G0cWO+0kETA6SFs38GecTyudlHz6xvCdz8q\\n-----END EC "       \
    "PRIVATE "                                                                                     \
    "KEY-----"
#define PEM_PART "MHcCAQEEIIrYSSNQFaA2Hwf1duRSxKtLYX5CB04"
#define MAIL     "ann.lee@corp-mail.de"
#define MAIL_TWO "bob@corp-mail.de"
#define KEYS     "privacy: [{find: private-key, class: local-only}]\n"
#define MAILS    "privacy: [{find: email, class: redact}]\n"

/* "one" and "two" are far away, "near" is one on this machine; `rules` are sections, `terms` of the
 * route for every name. */
static void start_far(struct grid *g, const char *rules, const char *terms)
{
    fake_provider_forget(one);
    fake_provider_forget(two);
    start_grid(g,
               "providers:\n"
               "  one: {kind: genset, url: \"http://one.invalid\", key: none, " EVERY
               ", proxy: \"http://127.0.0.1:%d\"}\n"
               "  two: {kind: genset, url: \"http://two.invalid\", key: none, " EVERY
               ", proxy: \"http://127.0.0.1:%d\"}\n"
               "  chat: {kind: genset, url: \"http://one.invalid\", key: none, apis: [chat], "
               "proxy: \"http://127.0.0.1:%d\"}\n"
               "  messages: {kind: genset, url: \"http://one.invalid\", key: none, "
               "apis: [messages], proxy: \"http://127.0.0.1:%d\"}\n"
               "  near: {kind: genset, url: \"http://127.0.0.1:%d\", key: none, " EVERY "}\n"
               "  rig: {kind: genset, url: \"http://one.invalid\", key: none, trust: local-only, "
               "apis: [messages, chat], proxy: \"http://127.0.0.1:%d\"}\n"
               "  spy: {kind: genset, url: \"http://127.0.0.1:%d\", key: none, trust: any}\n"
               "%s"
               "routes:\n"
               "  - {match: \"rig*\", targets: [spy, rig], privacy: redact, " PATIENT "}\n"
               "  - {match: \"told*\", targets: [rig, two], " PATIENT "}\n"
               "  - {match: \"spy*\", targets: [spy, local/words], " PATIENT "}\n"
               "  - {match: \"home*\", targets: spy, policy: local-only, " PATIENT "}\n"
               "  - {match: \"near*\", targets: [near, two, local/words], " PATIENT "}\n"
               "  - {match: \"chat*\", targets: [chat, local/words], " PATIENT "}\n"
               "  - {match: \"messages*\", targets: [messages, local/words], " PATIENT "}\n"
               "  - {match: \"strict*\", targets: [one, local/words], privacy: local-only}\n"
               "  - {match: \"redact*\", targets: [one, local/words], privacy: redact, " PATIENT
               "}\n"
               "  - {match: \"*\", targets: [one, two, local/words], " PATIENT "%s}\n",
               fake_provider_port(one), fake_provider_port(two), fake_provider_port(one),
               fake_provider_port(one), fake_provider_port(one), fake_provider_port(one),
               fake_provider_port(two), rules, terms);
}

static size_t n_asked(void)
{
    return fake_provider_count(one, FAKE_CONNECTIONS) + fake_provider_count(two, FAKE_CONNECTIONS);
}

static void ask_body(struct grid *g, const char *path, const char *headers, const char *body,
                     struct gs_buf *out)
{
    ask_bytes(g->f.port, path, headers, gs_slice_str(body), out);
}

static void expect_answer(struct grid *g, const char *path, const char *headers, const char *body,
                          const char *mark)
{
    struct gs_buf out;

    ask_body(g, path, headers, body, &out);
    if (!net_has(&out, mark))
        fail_msg("no \"%s\" in %.*s", mark, (int)out.len, out.ptr);
    gs_buf_clear(&out);
}

#define SAYS(text) "{\"role\":\"user\",\"content\":\"" text "\"}"
#define CHAT(model, messages)                                                                      \
    "{\"model\":\"" model "\",\"max_tokens\":100,\"messages\":[" messages "]}"

/* ---- nothing leaves ---- */

/* H1: by no API, streamed or whole, and in no order of asking. */
static void test_a_secret_reaches_nobody(void **state)
{
    static const char *const terms[] = {"", ", policy: hedge, hedge_after: 10ms",
                                        ", policy: fastest", ", policy: cloud-first"};

    (void)state;
    for (size_t t = 0; t < GS_COUNT_OF(terms); t++) {
        struct grid g;
        prepare_grid(&g);
        start_far(&g, KEYS, terms[t]);
        for (size_t i = 0; i < GS_COUNT_OF(apis); i++) {
            for (int stream = 0; stream < 2; stream++) {
                struct gs_buf out;
                struct heard h;
                ask_api(g.f.port, &apis[i], "", "fake", "say 3 " PEM, stream, &out);
                hear_answer(&h, &apis[i], stream, &out);
                if (h.fault != GS_FAULT_NONE || !gs_slice_eq_str(gs_buf_view(&h.text), "w0 w1 w2"))
                    fail_heard(&apis[i], terms[t], &h, &out);
                assert_true(net_has(&out, "x-genset-privacy: local-only; private-key=2\r\n"));
                heard_clear(&h);
                gs_buf_clear(&out);
            }
        }
        expect_answer(&g, "/v1/messages/count_tokens", "", CHAT("fake", SAYS(PEM)), "HTTP/1.1 200");
        expect_answer(&g, "/v1/embeddings", "",
                      "{\"model\":\"fake\",\"input\":[\"a\",\"" PEM "\"]}", "HTTP/1.1 200");
        expect_answer(&g, "/v1/completions", "", "{\"model\":\"fake\",\"prompt\":\"" PEM "\"}",
                      "HTTP/1.1 200");
        assert_int_equal(n_asked(), 0);
        finish_grid(&g);
    }
}

/* What is clean goes out as ever. */
static void test_others_are_asked_as_ever(void **state)
{
    struct grid g;
    struct gs_buf out;

    (void)state;
    prepare_grid(&g);
    start_far(&g, KEYS, "");
    for (size_t i = 0; i < GS_COUNT_OF(apis); i++) {
        ask_api(g.f.port, &apis[i], "x-note: all is well\r\n", "fake", "say 3", true, &out);
        assert_true(net_has(&out, "x-genset-served-by: one/fake"));
        assert_false(net_has(&out, "x-genset-privacy"));
        gs_buf_clear(&out);
    }
    assert_true(has_got(one, "x-note: all is well"));
    finish_grid(&g);
}

/* H2: also when the client has cut it out of the history, and by the session alone. */
static void test_a_conversation_stays(void **state)
{
    static const char first[] = SAYS("first of all, say 3");
    struct grid g;
    char body[4096];

    (void)state;
    prepare_grid(&g);
    start_far(&g, KEYS, "");
    for (int turn = 1; turn <= 9; turn++) {
        snprintf(body, sizeof(body),
                 CHAT("fake", "%s,{\"role\":\"assistant\",\"content\":\"well\"},%s"), first,
                 turn == 7 ? SAYS("say 3 " PEM) : SAYS("say 3"));
        expect_answer(&g, ANTHROPIC, turn == 7 ? "x-claude-code-session-id: s-7\r\n" : "", body,
                      turn < 7 ? "x-genset-served-by: one/fake" : "x-genset-privacy: local-only");
    }
    assert_int_equal(fake_provider_count(one, FAKE_REQUESTS), 6);
    expect_answer(&g, ANTHROPIC, "", CHAT("fake", SAYS("another one")), "served-by: one/fake");
    expect_answer(&g, ANTHROPIC, "x-claude-code-session-id: s-7\r\n",
                  CHAT("fake", SAYS("what was it?")), "x-genset-privacy: local-only\r\n");
    assert_int_equal(fake_provider_count(one, FAKE_REQUESTS), 7);
    assert_false(has_got(one, PEM_PART));
    finish_grid(&g);
}

/* The client may be stricter than the routes, never looser; in words that are known. */
static void test_clients_say_so(void **state)
{
    struct grid g;

    (void)state;
    prepare_grid(&g);
    start_far(&g, "", "");
    expect_answer(&g, OPENAI, "x-genset-privacy: Local-Only\r\n", CHAT("fake", SAYS("one")),
                  "x-genset-privacy: local-only\r\n");
    expect_answer(&g, OPENAI, "x-genset-privacy: any\r\nx-genset-privacy: local-only\r\n",
                  CHAT("fake", SAYS("two")), "HTTP/1.1 200");
    expect_answer(&g, OPENAI, "x-genset-privacy: none\r\n", CHAT("fake", SAYS("three")),
                  "HTTP/1.1 400");
    expect_answer(&g, OPENAI, "x-genset-privacy: any\r\n", CHAT("strict", SAYS("four")),
                  "x-genset-privacy: local-only\r\n");
    assert_int_equal(n_asked(), 0);
    expect_answer(&g, OPENAI, "x-genset-privacy: any\r\n", CHAT("fake", SAYS("five")),
                  "served-by: one/fake");
    finish_grid(&g);
}

#define CALL(path)                                                                                 \
    SAYS("look")                                                                                   \
    ",{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":"         \
    "\"Read\","                                                                                    \
    "\"input\":{\"file_path\":\"" path "\"}}]},{\"role\":\"user\",\"content\":[{\"type\":"         \
    "\"tool_result\",\"tool_use_id\":\"t1\",\"content\":\"x\"}]}"

static void test_files_keep_a_request_here(void **state)
{
    struct grid g;

    (void)state;
    prepare_grid(&g);
    start_far(&g, "privacy: [{path: \"**/.env\", class: local-only}]\n", "");
    expect_answer(&g, ANTHROPIC, "", CHAT("fake", CALL("/home/ann/x/.env")),
                  "x-genset-privacy: local-only; path=1");
    assert_int_equal(n_asked(), 0);
    /* what is no chat that can be read may hold anything */
    expect_answer(
        &g, ANTHROPIC, "", CHAT("fake", "{\"role\":\"nobody\",\"content\":7}"),
        "nobody may be asked this: it is local-only. This machine cannot read it: messages[0]");
    assert_int_equal(n_asked(), 0);
    expect_answer(&g, ANTHROPIC, "", CHAT("fake", CALL("/home/ann/x/env")), "HTTP/1.1 200");
    expect_answer(&g, "/v1/embeddings", "", "{\"model\":\"fake\",\"input\":\"a\"}", "HTTP/1.1 ");
    finish_grid(&g);
}

static void set_routes(struct gs_switch *sw, const char *yaml)
{
    const struct gs_config_routes_source source = {
        .name = "routes", .text = gs_slice_str(yaml), .env = test_routes_env};
    struct gs_config_routes routes;
    struct gs_arena arena;
    struct gs_buf report;
    struct gs_error err;

    gs_arena_init(&arena, 0);
    gs_buf_init(&report, GS_MAX_CONFIG_BYTES);
    assert_int_equal(gs_config_read_routes(&source, &arena, &routes, &report), GS_OK);
    assert_int_equal(gs_switch_set_routes(sw, &arena, &routes, &err), GS_OK);
    gs_buf_clear(&report);
}

static void no_header(void *ud, const char *name, struct gs_slice value)
{
    (void)ud;
    (void)name;
    (void)value;
}

static void no_event(void *ud, const struct gs_event *ev, bool is_spelled)
{
    (void)ud;
    (void)ev;
    (void)is_spelled;
}

static void no_pause(void *ud)
{
    (void)ud;
}

/* What becomes of a request whose search fails at the n-th allocation (0: at none), and before
 * which the routes become `then` (or NULL). */
static enum gs_privacy class_after(struct gs_switch *sw, long n, const char *body, const char *then)
{
    const struct gs_block block = {.kind = GS_BLOCK_TEXT, .text = GS_SLICE_LIT("say 3 words")};
    const struct gs_message said = {GS_ROLE_USER, &block, 1};
    const struct gs_chat chat = {.model = GS_SLICE_LIT("fake"), .messages = &said, .n_messages = 1};
    const struct gs_dialect_context ctx = {.model = chat.model};
    const struct gs_switch_sink sink = {
        .on_header = no_header, .on_event = no_event, .on_pause = no_pause};
    struct gs_switch_ask ask = {.id = GS_SLICE_LIT("req_1"),
                                .dialect = &gs_dialect_openai_chat,
                                .ctx = &ctx,
                                .chat = &chat,
                                .model = chat.model,
                                .path = gs_slice_str(OPENAI),
                                .body = gs_slice_str(body)};
    struct gs_switch_outcome outcome;
    struct gs_switch_call *call;
    struct gs_error err;

    ask.judgement = gs_switch_judgement_create(sw);
    assert_non_null(ask.judgement);
    gs_alloc_fail_at(n);
    gs_switch_judgement_make(ask.judgement, &ask);
    gs_alloc_fail_at(0);
    if (then)
        set_routes(sw, then);
    assert_int_equal(gs_switch_call_create(sw, &ask, &sink, &call, &err), GS_OK);
    gs_switch_call_outcome(call, &outcome);
    gs_switch_call_free(call, NULL, NULL);
    return outcome.privacy;
}

/* H3: what cannot be searched may hold anything. And what was searched by other routes' rules. */
static void test_no_search_no_leave(void **state)
{
    static const char ruled[] =
        "providers: {one: \"http://one.invalid/v1\"}\n" KEYS "routes: [{targets: one}]\n";
    static const char plain[] =
        "providers: {one: \"http://one.invalid/v1\"}\nroutes: [{targets: one}]\n";
    static const char odd[] = CHAT("fake", SAYS("say \\u0033 words")); /* has to be decoded */
    struct gs_switch_options opt = {.has_local = true, .max_calls = 8};
    struct gs_http_loop *loop;
    struct gs_switch *sw;
    struct gs_error err;
    struct fake fake;

    (void)state;
    const enum gs_thread_kind kind = gs_thread_current();
    gs_thread_enter(GS_THREAD_LOOP);
    fake_init(&fake, &opt.backend);
    assert_int_equal(gs_http_loop_create(&loop, &err), GS_OK);
    assert_int_equal(gs_switch_create(loop, &opt, &sw, &err), GS_OK);
    set_routes(sw, plain);
    assert_int_equal(class_after(sw, 0, CHAT("fake", SAYS(PEM)), NULL), GS_PRIVACY_ANY);
    assert_int_equal(class_after(sw, 0, CHAT("fake", SAYS(PEM)), ruled), GS_PRIVACY_LOCAL_ONLY);
    gs_switch_free(sw);
    assert_int_equal(gs_switch_create(loop, &opt, &sw, &err), GS_OK);
    set_routes(sw, ruled);
    assert_int_equal(class_after(sw, 0, odd, NULL), GS_PRIVACY_ANY);
    assert_int_equal(class_after(sw, 1, odd, NULL), GS_PRIVACY_LOCAL_ONLY);
    assert_int_equal(class_after(sw, 0, odd, NULL), GS_PRIVACY_ANY);
    gs_switch_free(sw);
    gs_http_loop_free(loop);
    fake_clear(&fake);
    gs_thread_enter(kind);
}

/* H6: somebody further down the route is not asked what the first one was. */
static void test_the_next_is_left_out(void **state)
{
    struct grid g;

    (void)state;
    prepare_grid(&g);
    start_far(&g, KEYS, "");
    expect_answer(&g, ANTHROPIC, "", CHAT("near@500", SAYS("say 3 " PEM)), "w0 w1 w2");
    assert_int_equal(fake_provider_count(one, FAKE_REQUESTS), 1);
    assert_int_equal(fake_provider_count(two, FAKE_CONNECTIONS), 0);
    finish_grid(&g);
}

/* Post a chat of some 400 KB that ends in `text`, which is told what it says beside the loop. */
static void ask_long(struct grid *g, const char *model, const char *text, struct gs_buf *out)
{
    struct gs_buf body;

    gs_buf_init(&body, 1 << 20);
    gs_buf_printf(&body,
                  "{\"model\":\"%s\",\"max_tokens\":9,\"messages\":[{\"role\":\"user\","
                  "\"content\":\"",
                  model);
    for (int i = 0; i < 40000; i++)
        gs_buf_puts(&body, "and so on ");
    gs_buf_printf(&body, "%s\"}]}", text);
    ask_bytes(g->f.port, ANTHROPIC, "", gs_buf_view(&body), out);
    gs_buf_clear(&body);
}

static void test_long_bodies(void **state)
{
    static const struct {
        const char *model, *text, *mark;
    } asked[] = {
        {"fake", "say 3", "served-by: one/fake"},
        {"fake", "say 3 " PEM, "x-genset-privacy: local-only; private-key=1"},
        {"fake", "recite to " MAIL, "\"to " MAIL "\""},
        {"chat", "recite to " MAIL, "\"to " MAIL "\""},
    };
    struct grid g;
    struct gs_buf out;

    (void)state;
    prepare_grid(&g);
    start_far(&g,
              "privacy: [{find: private-key, class: local-only}, {find: email, class: redact}]\n",
              "");
    for (size_t i = 0; i < GS_COUNT_OF(asked); i++) {
        ask_long(&g, asked[i].model, asked[i].text, &out);
        if (!net_has(&out, asked[i].mark))
            fail_msg("no \"%s\" in %.*s", asked[i].mark, (int)out.len, out.ptr);
        gs_buf_clear(&out);
    }
    assert_int_equal(fake_provider_count(one, FAKE_REQUESTS), 3);
    assert_false(has_got(one, MAIL));
    finish_grid(&g);
}

/* Nobody is left: the client is told why, and no model of this machine is made up. */
static void test_who_has_nobody_is_told(void **state)
{
    struct grid g;

    (void)state;
    prepare_grid(&g);
    g.f.opt.has_local = false;
    start_far(&g, KEYS, "");
    expect_answer(&g, ANTHROPIC, "", CHAT("fake", SAYS(PEM)),
                  "nobody may be asked this: it is local-only (found: private-key 1)");
    assert_int_equal(n_asked(), 0);
    finish_grid(&g);
}

/* Header lines and queries in which something is found do not go out, the others do. */
static void test_heads_are_searched(void **state)
{
    struct grid g;

    (void)state;
    prepare_grid(&g);
    start_far(&g, MAILS, "");
    expect_answer(&g, ANTHROPIC "?beta=true", "x-user: " MAIL "\r\nx-team: green\r\n",
                  CHAT("fake", SAYS("say 3")), "served-by: one/fake");
    assert_true(has_got(one, "?beta=true "));
    assert_true(has_got(one, "x-team: green"));
    expect_answer(&g, ANTHROPIC "?user=" MAIL, "", CHAT("fake", SAYS("say 4")), "one/fake");
    expect_answer(&g, ANTHROPIC "?user=ann.lee%40corp-mail.de", "", CHAT("fake", SAYS("say 5")),
                  "one/fake");
    assert_int_equal(fake_provider_count(one, FAKE_REQUESTS), 3);
    assert_false(has_got(one, MAIL));
    assert_false(has_got(one, "ann.lee"));
    finish_grid(&g);
}

/* What somebody here was saying when it broke off is no find yet. */
static void test_half_a_secret_stays(void **state)
{
    struct grid g;

    (void)state;
    prepare_grid(&g);
    start_far(&g, "privacy: [{find: card, class: redact}]\n", "");
    for (size_t i = 0; i < GS_COUNT_OF(apis); i++) {
        for (int after = 1; after <= 4; after++) {
            struct gs_buf out;
            struct heard h;
            char model[64];
            snprintf(model, sizeof(model), "near@cut-after-%d;ok#%zu", after, i);
            ask_api(g.f.port, &apis[i], "", model, "recite 5555 4444 3333 1111 is it.", true, &out);
            hear_answer(&h, &apis[i], true, &out);
            if (h.fault != GS_FAULT_NONE ||
                !gs_slice_eq_str(gs_buf_view(&h.text), "5555 4444 3333 1111 is it."))
                fail_heard(&apis[i], model, &h, &out);
            heard_clear(&h);
            gs_buf_clear(&out);
        }
    }
    assert_true(fake_provider_count(two, FAKE_REQUESTS) >= 4);
    assert_false(has_got(two, "5555"));
    finish_grid(&g);
}

/* ---- what is found goes out as something else, and comes back ---- */

#define SECRETS "mail " MAIL " and " MAIL_TWO ", " MAIL " again"

static void expect_restored(struct grid *g, const struct api *api, const char *model, bool stream,
                            bool has_all)
{
    struct gs_buf out;
    struct heard h;

    ask_api(g->f.port, api, "", model,
            has_all ? "think, call get_weather recite " SECRETS : "recite " SECRETS, stream, &out);
    hear_answer(&h, api, stream, &out);
    if (h.fault != GS_FAULT_NONE || !gs_slice_eq_str(gs_buf_view(&h.text), SECRETS) ||
        (has_all && (!gs_slice_eq_str(gs_buf_view(&h.thought), SECRETS) ||
                     !net_has(&h.args, "\"" SECRETS "\""))))
        fail_heard(api, model, &h, &out);
    assert_false(net_has(&out, "REDACTED"));
    heard_clear(&h);
    gs_buf_clear(&out);
}

static void assert_veiled(struct fake_provider *p)
{
    struct gs_slice head, body;

    assert_false(has_got(p, MAIL));
    assert_false(has_got(p, MAIL_TWO));
    assert_false(has_got(p, "ann"));
    for (size_t i = 0; fake_provider_request(p, i, &head, &body); i++)
        assert_true(gs_slice_find(body, GS_SLICE_LIT("[REDACTED_EMAIL_2]"), 0) != SIZE_MAX);
}

/* H1, H5: in every API, as the client's own bytes and translated, streamed and whole. */
static void test_what_is_found_goes_out_veiled(void **state)
{
    static const char *const models[] = {"fake", "chat", "messages", "fake@split", "redact"};
    struct grid g;

    (void)state;
    prepare_grid(&g);
    start_far(&g, MAILS, "");
    for (size_t m = 0; m < GS_COUNT_OF(models); m++)
        for (size_t i = 0; i < GS_COUNT_OF(apis); i++)
            for (int stream = 0; stream < 2; stream++)
                expect_restored(&g, &apis[i], models[m], stream, true);
    assert_int_equal(fake_provider_count(one, FAKE_REQUESTS),
                     GS_COUNT_OF(models) * GS_COUNT_OF(apis) * 2);
    assert_veiled(one);
    finish_grid(&g);
}

/* Whoever is on this machine gets it as it is, and byte by byte. */
static void test_who_is_here_sees_all(void **state)
{
    struct grid g;
    struct gs_buf want;
    struct gs_slice head, body;

    (void)state;
    prepare_grid(&g);
    start_far(&g, MAILS, "");
    gs_buf_init(&want, 1 << 20);
    put_body(&want, "", "near", "recite " SECRETS, true);
    expect_restored(&g, &apis[0], "near", true, false);
    assert_true(fake_provider_request(one, 0, &head, &body));
    assert_true(gs_slice_eq(body, gs_buf_view(&want)));
    gs_buf_clear(&want);
    finish_grid(&g);
}

/* H6: who is trusted like this machine gets all as it came, and nobody gets more than he is trusted
 * with, though he be on this machine. */
static void test_trust(void **state)
{
    static const char secret[] = CHAT("rig", SAYS("say 3 " PEM " " MAIL));
    struct grid g;
    struct gs_slice head, body;

    (void)state;
    prepare_grid(&g);
    start_far(&g,
              "privacy: [{find: private-key, class: local-only}, {find: email, class: redact}]\n",
              "");
    expect_answer(&g, ANTHROPIC, "x-note: " MAIL "\r\n", secret, "served-by: rig/rig");
    assert_true(fake_provider_request(one, 0, &head, &body));
    assert_true(gs_slice_eq_str(body, secret));
    assert_true(has_got(one, "x-note: " MAIL));
    assert_true(has_got(one, "x-genset-privacy: local-only"));
    expect_answer(&g, OLLAMA, "", secret, "served-by: rig/rig");
    assert_int_equal(fake_provider_count(one, FAKE_REQUESTS), 2);
    assert_int_equal(fake_provider_count(two, FAKE_CONNECTIONS), 0);
    expect_answer(&g, ANTHROPIC, "", CHAT("spy", SAYS("to " MAIL)), "x-genset-privacy: redact");
    expect_answer(&g, ANTHROPIC, "", CHAT("spy", SAYS(PEM)), "x-genset-privacy: local-only");
    expect_answer(&g, ANTHROPIC, "", CHAT("home", SAYS("at home " PEM)), "; private-key=1");
    assert_int_equal(fake_provider_count(two, FAKE_CONNECTIONS), 0);
    expect_answer(&g, ANTHROPIC, "", CHAT("spy", SAYS("good day")), "served-by: spy/spy");
    expect_answer(&g, ANTHROPIC, "", CHAT("home", SAYS("good night")), "served-by: spy/home");
    finish_grid(&g);
}

/* H6: every attempt is veiled: the second, and one beside it. */
static void test_every_attempt_is_veiled(void **state)
{
    static const struct {
        const char *terms, *model;
    } ways[] = {{"", "fake@500;ok"},
                {"", "fake@empty;ok"},
                {"", "fake@error-first;ok"},
                {", policy: hedge, hedge_after: 10ms", "fake@stall-after-0;ok"}};

    (void)state;
    for (size_t w = 0; w < GS_COUNT_OF(ways); w++) {
        size_t n_first = 0; /* a hedge may answer before the first one was told anything */
        for (size_t i = 0; i < GS_COUNT_OF(apis); i++) {
            struct grid g;
            prepare_grid(&g);
            start_far(&g, MAILS, ways[w].terms);
            expect_restored(&g, &apis[i], ways[w].model, true, true);
            assert_int_equal(fake_provider_count(two, FAKE_REQUESTS), 1);
            finish_grid(&g);
            n_first += fake_provider_count(one, FAKE_REQUESTS);
            assert_veiled(one);
            assert_veiled(two);
        }
        assert_true(n_first > 0);
    }
}

/* This machine goes on from what the client has, wherever the answer breaks. */
static void test_breaks_are_gone_on_with(void **state)
{
    struct grid g;

    (void)state;
    prepare_grid(&g);
    start_far(&g, MAILS, "");
    for (size_t i = 0; i < GS_COUNT_OF(apis); i++) {
        for (int after = 0; after <= 16; after++) {
            char model[64];
            snprintf(model, sizeof(model), "%s@cut-after-%d", after % 2 ? "redact" : "chat", after);
            expect_restored(&g, &apis[i], model, true, false);
        }
    }
    assert_true(fake_provider_count(one, FAKE_REQUESTS) > 0);
    assert_veiled(one);
    finish_grid(&g);
}

/* Another goes on from what the client has, and is not told more than the first. */
static void test_others_go_on_veiled(void **state)
{
    struct grid g;
    size_t n_continued = 0;

    (void)state;
    prepare_grid(&g);
    start_far(&g, MAILS, "");
    for (size_t i = 0; i < GS_COUNT_OF(apis); i++) {
        for (int after = 0; after <= 12; after++) {
            char model[64];
            snprintf(model, sizeof(model), "fake@cut-after-%d;ok", after);
            expect_restored(&g, &apis[i], model, true, false);
        }
    }
    n_continued = fake_provider_count(two, FAKE_REQUESTS);
    assert_true(n_continued >= GS_COUNT_OF(apis) * 8);
    assert_veiled(one);
    assert_veiled(two);
    finish_grid(&g);
}

#define TORN "to " MAIL ", 5555 4444 3333 1111"

/* Wherever it breaks: the client gets no part of a placeholder, and nobody beyond this machine a
 * part of what stands for it. The first is far away, or near, and another far one goes on, or this
 * machine does. */
static void test_breaks_at_any_letter(void **state)
{
    static const struct {
        const char *model, *next;
    } ways[] = {{"fake", ";letters"}, {"near", ";letters"}, {"redact", ""}};

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(ways) * GS_COUNT_OF(apis); i++) {
        const struct api *api = &apis[i % GS_COUNT_OF(apis)];
        const size_t way = i / GS_COUNT_OF(apis);
        struct grid g;
        prepare_grid(&g);
        start_far(&g, "privacy: [{find: email, class: redact}, {find: card, class: redact}]\n", "");
        for (int after = 0; after < 60; after++) {
            struct gs_buf out;
            struct heard h;
            char model[64];
            snprintf(model, sizeof(model), "%s@letters+cut-after-%d%s", ways[way].model, after,
                     ways[way].next);
            ask_api(g.f.port, api, "", model, "recite " TORN, true, &out);
            hear_answer(&h, api, true, &out);
            if (h.fault != GS_FAULT_NONE || !gs_slice_eq_str(gs_buf_view(&h.text), TORN))
                fail_heard(api, model, &h, &out);
            heard_clear(&h);
            gs_buf_clear(&out);
        }
        assert_false(has_got(two, "ann.") || has_got(two, "5555"));
        assert_true(way == 1 || !(has_got(one, "ann.") || has_got(one, "5555")));
        finish_grid(&g);
    }
}

/* What is found in an answer only is not told to who goes on with it either: that one is asked
 * anew, or goes on from what stands for it. */
static void test_answers_are_searched(void **state)
{
    static const char *const rules[] = {MAILS, "privacy: [{find: email, class: local-only}]\n"};

    (void)state;
    for (size_t r = 0; r < GS_COUNT_OF(rules); r++) {
        struct grid g;
        prepare_grid(&g);
        start_far(&g, rules[r], "");
        for (size_t i = 0; i < GS_COUNT_OF(apis); i++) {
            char model[64];
            struct gs_buf out;
            struct heard h;
            snprintf(model, sizeof(model), "told@cut-after-6;ok#%zu", i);
            ask_api(g.f.port, &apis[i], "", model, "confide it", true, &out);
            hear_answer(&h, &apis[i], true, &out);
            if (h.fault != GS_FAULT_NONE || net_has(&out, "REDACTED") ||
                !gs_slice_ends(gs_buf_view(&h.text), GS_SLICE_LIT(FAKE_CONFIDED)) ||
                (r > 0 && !gs_slice_eq_str(gs_buf_view(&h.text), FAKE_CONFIDED)))
                fail_heard(&apis[i], model, &h, &out);
            heard_clear(&h);
            gs_buf_clear(&out);
        }
        assert_int_equal(fake_provider_count(two, FAKE_REQUESTS), GS_COUNT_OF(apis));
        assert_false(has_got(two, "ann.lee"));
        assert_int_equal(has_got(two, "it is [REDACTED_EMAIL_1] and"), r == 0);
        finish_grid(&g);
    }
}

/* Half of it is found by nobody: what may be half of it is not told, if one who knows it said it.
 */
static void test_half_an_answer_is_not_told(void **state)
{
    struct grid g;

    (void)state;
    prepare_grid(&g);
    start_far(&g, MAILS, "");
    for (int after = 1; after < (int)strlen(FAKE_CONFIDED); after++) {
        struct gs_buf out;
        struct heard h;
        char model[64];
        snprintf(model, sizeof(model), "told@letters+cut-after-%d;ok", after);
        ask_api(g.f.port, &apis[0], "", model, "confide it", true, &out);
        hear_answer(&h, &apis[0], true, &out);
        if (h.fault != GS_FAULT_NONE ||
            !gs_slice_ends(gs_buf_view(&h.text), GS_SLICE_LIT(FAKE_CONFIDED)))
            fail_heard(&apis[0], model, &h, &out);
        heard_clear(&h);
        gs_buf_clear(&out);
    }
    assert_false(has_got(two, "ann.l"));
    assert_true(has_got(two, "it is [REDACTED_EMAIL_1] and"));
    finish_grid(&g);
}

/* A refusal that quotes the request quotes what it got. */
static void test_refusals_hold_nothing(void **state)
{
    struct grid g;
    struct gs_buf out;

    (void)state;
    prepare_grid(&g);
    start_far(&g, MAILS, "");
    for (size_t i = 0; i < GS_COUNT_OF(apis); i++) {
        ask_api(g.f.port, &apis[i], "", "fake@422", "recite " SECRETS, true, &out);
        assert_true(net_has(&out, "HTTP/1.1 4"));
        assert_true(net_has(&out, "not this: mail [REDACTED_EMAIL_1]"));
        gs_buf_clear(&out);
    }
    assert_veiled(one);
    finish_grid(&g);
}

/* Tokens are counted of the same words; what cannot be put together again is answered here. */
static void test_other_ways_out(void **state)
{
    struct grid g;

    (void)state;
    prepare_grid(&g);
    start_far(&g, MAILS, "");
    expect_answer(&g, "/v1/messages/count_tokens", "", CHAT("fake", SAYS(SECRETS)),
                  "{\"input_tokens\":");
    expect_answer(&g, "/v1/responses/input_tokens", "",
                  "{\"model\":\"fake\",\"input\":\"" SECRETS "\"}", "HTTP/1.1 ");
    expect_answer(&g, "/v1/embeddings", "", "{\"model\":\"fake\",\"input\":\"" SECRETS "\"}",
                  "HTTP/1.1 ");
    assert_true(fake_provider_count(one, FAKE_REQUESTS) >= 2);
    assert_veiled(one);
    fake_provider_forget(one);
    fake_provider_forget(two);
    expect_answer(&g, "/v1/completions", "", "{\"model\":\"fake\",\"prompt\":\"" SECRETS "\"}",
                  "HTTP/1.1 200");
    expect_answer(&g, OPENAI, "", "{\"model\":\"fake\",\"n\":2,\"messages\":[" SAYS(SECRETS) "]}",
                  "x-genset-privacy: redact; email=3");
    expect_answer(&g, OPENAI, "",
                  "{\"model\":\"fake\",\"logprobs\":true,\"messages\":[" SAYS(SECRETS) "]}",
                  "x-genset-privacy: redact; email=3");
    expect_answer(&g, ANTHROPIC, "",
                  CHAT("fake", SAYS(SECRETS) ",{\"role\":\"nobody\",\"content\":7}"),
                  "nobody may be asked this: it is redact (found: email 3)");
    assert_int_equal(fake_provider_count(one, FAKE_REQUESTS), 0);
    assert_int_equal(fake_provider_count(two, FAKE_REQUESTS), 0);
    finish_grid(&g);
}

/* What an answer builds on is kept here, and goes out veiled as one with the rest. */
static void test_kept_answers(void **state)
{
    struct grid g;
    struct gs_buf out;
    struct gs_slice head, body;
    char second[512];

    (void)state;
    prepare_grid(&g);
    start_far(&g, MAILS, "");
    ask_body(&g, RESPONSES, "", "{\"model\":\"fake\",\"input\":\"recite " MAIL "\"}", &out);
    const struct gs_slice all = gs_buf_view(&out);
    const size_t at = gs_slice_find(all, GS_SLICE_LIT("\"id\":\"resp_"), 0);
    assert_true(at != SIZE_MAX);
    const struct gs_slice id =
        gs_slice_sub(all, at + 6, gs_slice_find(all, GS_SLICE_LIT("\","), at));
    snprintf(second, sizeof(second),
             "{\"model\":\"fake\",\"previous_response_id\":\"%.*s\",\"input\":\"recite " MAIL_TWO
             "\"}",
             (int)id.len, id.ptr);
    gs_buf_clear(&out);
    expect_answer(&g, RESPONSES, "", second, MAIL_TWO);
    assert_true(fake_provider_request(one, 1, &head, &body));
    assert_true(gs_slice_find(body, GS_SLICE_LIT("[REDACTED_EMAIL_1]"), 0) != SIZE_MAX);
    assert_true(gs_slice_find(body, GS_SLICE_LIT("recite [REDACTED_EMAIL_2]"), 0) != SIZE_MAX);
    assert_false(has_got(one, "corp-mail"));
    finish_grid(&g);
}

/* Where nothing is found nothing changes. */
static void test_what_is_clean_goes_by(void **state)
{
    struct grid g;
    struct gs_buf out, body;
    struct gs_slice sent;

    (void)state;
    prepare_grid(&g);
    start_far(&g, MAILS, "");
    ask_api(g.f.port, &apis[0], "", "redact@crlf", "say 8 and think", true, &out);
    gs_buf_init(&body, 1 << 20);
    assert_true(net_has(&out, "x-genset-privacy: redact\r\n"));
    assert_true(body_of(&out, &body));
    assert_true(fake_provider_sent(one, 0, &sent));
    assert_true(gs_slice_eq(sent, gs_buf_view(&body)));
    gs_buf_clear(&body);
    gs_buf_clear(&out);
    finish_grid(&g);
}

/* ---- what is remembered ---- */

struct told {
    char row[256];
};

static bool take_row(void *ud, const struct gs_ledger_request *r)
{
    struct told *t = ud;

    snprintf(t->row, sizeof(t->row), "%.*s|%.*s", (int)r->privacy.len, r->privacy.ptr,
             (int)r->found.len, r->found.ptr);
    return true;
}

static bool file_has(const char *path, const char *what)
{
    FILE *fp = fopen(path, "rb");
    struct gs_buf b;
    int c;

    assert_non_null(fp);
    gs_buf_init(&b, 64 << 20);
    while ((c = getc(fp)) != EOF)
        gs_buf_putc(&b, (char)c);
    fclose(fp);
    const bool has = gs_slice_find(gs_buf_view(&b), gs_slice_str(what), 0) != SIZE_MAX;
    gs_buf_clear(&b);
    return has;
}

/* How many, never what. */
static void test_what_is_remembered(void **state)
{
    const struct folder *f = *state;
    const struct gs_ledger_query q = {.limit = 1};
    struct gs_ledger *l = open_ledger(f, 0, 0);
    struct gs_error err;
    struct gs_buf out, trace;
    struct told t = {""};
    struct grid g;
    char log_path[128];

    snprintf(log_path, sizeof(log_path), "%s/log", f->dir);
    const struct gs_log log = {.level = GS_LOG_DEBUG, .fd = open(log_path, O_CREAT | O_RDWR, 0600)};
    assert_true(log.fd >= 0);
    prepare_grid(&g);
    g.f.opt.ledger = l;
    g.f.opt.log = &log;
    start_far(&g, MAILS, "");
    ask_body(&g, ANTHROPIC, "", CHAT("fake", SAYS("recite " SECRETS)), &out);
    assert_true(net_has(&out, "x-genset-privacy: redact; email=3\r\n"));
    ask_trace(&g, "", &out, &trace);
    assert_true(net_has(&trace, "\"what\":\"privacy\",\"detail\":\"redact: email 3\""));
    gs_buf_clear(&trace);
    gs_buf_clear(&out);
    expect_answer(&g, ANTHROPIC, "", CHAT("fake@422", SAYS("recite " SECRETS)), "not this");
    finish_grid(&g);
    gs_ledger_close(l);
    assert_int_equal(gs_ledger_read(f->path, &q, take_row, &t, &err), GS_OK);
    assert_string_equal(t.row, "redact|email 3");
    assert_true(file_has(log_path, "POST /v1/messages 400"));
    assert_false(file_has(log_path, "corp-mail"));
    assert_false(file_has(f->path, "corp-mail"));
    close(log.fd);
    unlink(log_path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_secret_reaches_nobody),
        cmocka_unit_test(test_others_are_asked_as_ever),
        cmocka_unit_test(test_a_conversation_stays),
        cmocka_unit_test(test_clients_say_so),
        cmocka_unit_test(test_files_keep_a_request_here),
        cmocka_unit_test(test_no_search_no_leave),
        cmocka_unit_test(test_the_next_is_left_out),
        cmocka_unit_test(test_trust),
        cmocka_unit_test(test_long_bodies),
        cmocka_unit_test(test_who_has_nobody_is_told),
        cmocka_unit_test(test_heads_are_searched),
        cmocka_unit_test(test_half_a_secret_stays),
        cmocka_unit_test(test_what_is_found_goes_out_veiled),
        cmocka_unit_test(test_who_is_here_sees_all),
        cmocka_unit_test(test_every_attempt_is_veiled),
        cmocka_unit_test(test_breaks_are_gone_on_with),
        cmocka_unit_test(test_others_go_on_veiled),
        cmocka_unit_test(test_breaks_at_any_letter),
        cmocka_unit_test(test_answers_are_searched),
        cmocka_unit_test(test_half_an_answer_is_not_told),
        cmocka_unit_test(test_refusals_hold_nothing),
        cmocka_unit_test(test_other_ways_out),
        cmocka_unit_test(test_kept_answers),
        cmocka_unit_test(test_what_is_clean_goes_by),
        cmocka_unit_test_setup_teardown(test_what_is_remembered, make_folder, remove_folder),
    };

    return cmocka_run_group_tests(tests, start_fakes, stop_fakes);
}
