/* Signed reasoning and calls, through the whole program: what was signed comes back to who signed
 * it, whatever API the client speaks, and is taken out of what goes to anybody else, also where
 * bytes go through as they are. */
#include <sched.h>

#include "ledger_test.h"
#include "switch_test.h"
#include "two_fakes.h"
#include "json/json.h"

static void start_two(struct grid *g)
{
    fake_provider_forget(one);
    fake_provider_forget(two);
    start_grid(g,
               "providers:\n"
               "  one: {kind: genset, url: \"http://127.0.0.1:%d\", key: none, " EVERY "}\n"
               "  two: {kind: genset, url: \"http://127.0.0.1:%d\", key: none, " EVERY "}\n"
               "  claude: {kind: anthropic, url: \"http://127.0.0.1:%d\", key: none}\n"
               "  router: {kind: openai, url: \"http://127.0.0.1:%d/v1\", key: none, "
               "apis: chat}\n"
               "routes:\n"
               "  - {match: \"one@*\", targets: [one, two]}\n"
               "  - {match: \"two@*\", targets: [two, one]}\n"
               "  - {match: \"claude@*\", targets: [claude]}\n"
               "  - {match: \"router@*\", targets: [router]}\n",
               fake_provider_port(one), fake_provider_port(two), fake_provider_port(two),
               fake_provider_port(one));
}

static void ask(struct grid *g, const char *path, struct gs_slice body, struct gs_buf *out)
{
    ask_bytes(g->f.port, path, "", body, out);
    if (!net_has(out, "HTTP/1.1 200 OK"))
        fail_msg("%.*s", (int)out->len, out->ptr);
}

/* A conversation in which Claude thought, as its SDK hands it back. */
#define THOUGHT "{\"type\":\"thinking\",\"thinking\":\"t0\",\"signature\":\"%s\"},"
#define TALK                                                                                       \
    "{\"model\":\"%s\",\"max_tokens\":99, \"messages\":[{\"role\":\"user\",\"content\":\"say "     \
    "1\"},"                                                                                        \
    "{\"role\":\"assistant\",\"content\":[" THOUGHT                                                \
    "{\"type\":\"text\",\"text\":\"w0\"}]},{\"role\":\"user\",\"content\":\"say 2 and think\"}]}"

/* Whether the request that `p` got last holds this signature. */
static bool got(struct fake_provider *p, const char *signature)
{
    struct gs_slice head, body = {NULL, 0}, next;

    for (size_t i = 0; fake_provider_request(p, i, &head, &next); i++)
        body = next;
    assert_true(body.len > 0);
    return gs_slice_find(body, gs_slice_str(signature), 0) != SIZE_MAX;
}

static void tell(struct grid *g, const char *model, const char *signature)
{
    struct gs_buf body, out;

    gs_buf_init(&body, 1 << 20);
    gs_buf_printf(&body, TALK, model, signature);
    ask(g, ANTHROPIC, gs_buf_view(&body), &out);
    gs_buf_clear(&body);
    gs_buf_clear(&out);
}

static void test_bytes_that_go_through(void **state)
{
    struct grid g;

    (void)state;
    prepare_grid(&g);
    start_two(&g);
    tell(&g, "two@ok", "dHdv"); /* nobody knows whose: of whom is asked first */
    assert_true(got(two, "dHdv"));
    tell(&g, "two@ok", "0123456789abcdef0123456789abcdef"); /* this machine's */
    assert_false(got(two, "0123456789abcdef"));
    tell(&g, "one@ok", "c2lnbmVk"); /* one signs its answer so */
    tell(&g, "one@ok", "c2lnbmVk");
    assert_true(got(one, "c2lnbmVk"));
    tell(&g, "two@ok", "c2lnbmVk");
    assert_true(!got(two, "c2lnbmVk") && !got(two, "\"thinking\""));
    tell(&g, "one@ok", "genset:two:c2lnbmVk");
    assert_false(got(one, "c2lnbmVk"));
    finish_grid(&g);
}

#define DETAILS                                                                                    \
    "{\"model\":\"%s\",\"messages\":[{\"role\":\"assistant\",\"content\":\"w0\","                  \
    "\"reasoning_details\":[{\"type\":\"reasoning.text\",\"text\":\"t0\"},{\"type\":"              \
    "\"reasoning.%s\":\"%s\"}]},{\"role\":\"user\",\"content\":\"say 2, think and sign\"}]}"

/* The same with lists of them, and with calls. */
static void tell_details(struct grid *g, const char *model, const char *kind, const char *signature)
{
    struct gs_buf body, out;

    gs_buf_init(&body, 1 << 20);
    gs_buf_printf(&body, DETAILS, model, kind, signature);
    ask(g, OPENAI, gs_buf_view(&body), &out);
    gs_buf_clear(&body);
    gs_buf_clear(&out);
}

static void test_lists_that_go_through(void **state)
{
    static const char *const kinds[] = {"encrypted\",\"data", "text\",\"signature"};

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(kinds); i++) {
        struct grid g;
        prepare_grid(&g);
        start_two(&g);
        tell_details(&g, "two@ok", kinds[i], "dHdv"); /* nobody knows whose */
        assert_true(got(two, "dHdv"));
        tell_details(&g, "two@500;ok#1", kinds[i], "dHdv");
        assert_true(got(two, "dHdv"));
        tell_details(&g, "one@500;ok#2", kinds[i], "dHdv");
        assert_true(got(one, "dHdv") && !got(two, "dHdv") && got(two, "t0"));
        tell_details(&g, "one@ok", kinds[i], "c2lnbmVk"); /* one signs its answer so */
        tell_details(&g, "one@ok", kinds[i], "c2lnbmVk");
        assert_true(got(one, "c2lnbmVk"));
        tell_details(&g, "two@ok", kinds[i], "c2lnbmVk");
        assert_false(got(two, "c2lnbmVk"));
        finish_grid(&g);
    }
}

#define CALLED                                                                                     \
    "{\"model\":\"%s\",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}],"         \
    "\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"1\",\"type\":\"function\","   \
    "\"function\":{\"name\":\"f\",\"arguments\":\"{}\"},\"extra_content\":{\"google\":{"           \
    "\"thought_signature\":\"%s\"}}}]},{\"role\":\"tool\",\"tool_call_id\":\"1\",\"content\":"     \
    "\"r\"},{\"role\":\"user\",\"content\":\"call f and sign\"}]}"

static void tell_call(struct grid *g, const char *model, const char *signature)
{
    struct gs_buf body, out;

    gs_buf_init(&body, 1 << 20);
    gs_buf_printf(&body, CALLED, model, signature);
    ask(g, OPENAI, gs_buf_view(&body), &out);
    gs_buf_clear(&body);
    gs_buf_clear(&out);
}

static void test_calls_that_go_through(void **state)
{
    struct grid g;

    (void)state;
    prepare_grid(&g);
    start_two(&g);
    tell_call(&g, "two@ok", "dHdv"); /* nobody knows whose */
    assert_true(got(two, "dHdv"));
    tell_call(&g, "one@500;ok#2", "dHdv");
    assert_true(got(one, "dHdv") && !got(two, "dHdv") && got(two, "\"tool_calls\""));
    tell_call(&g, "one@ok", "c2lnbmVk"); /* one signs its call so */
    tell_call(&g, "one@ok", "c2lnbmVk");
    assert_true(got(one, "c2lnbmVk"));
    tell_call(&g, "two@ok", "c2lnbmVk");
    assert_false(got(two, "c2lnbmVk") || got(two, "extra_content"));
    finish_grid(&g);
}

/* An answer, and a conversation that goes on from it. */
struct history {
    struct gs_buf body, out, answer;
    struct gs_json said; /* of the answer's bytes */
    struct gs_arena arena;
};

static void history_begin(struct grid *g, const char *path, struct gs_slice body, struct history *h)
{
    gs_arena_init(&h->arena, 0);
    gs_buf_init(&h->body, 1 << 20);
    gs_buf_init(&h->answer, 1 << 20);
    ask(g, path, body, &h->out);
    assert_true(body_of(&h->out, &h->answer));
    assert_int_equal(gs_json_parse(gs_buf_view(&h->answer), &h->arena, &h->said, NULL), GS_OK);
}

/* Asks what h->body holds. */
static void history_ask(struct grid *g, const char *path, struct history *h)
{
    gs_buf_clear(&h->out);
    ask(g, path, gs_buf_view(&h->body), &h->out);
    gs_buf_reset(&h->body);
}

static void history_clear(struct history *h)
{
    gs_buf_clear(&h->body);
    gs_buf_clear(&h->out);
    gs_buf_clear(&h->answer);
    gs_arena_clear(&h->arena);
}

/* And of a client of another API, which hands back what it got. */
static void test_lists_that_are_written_anew(void **state)
{
    static const char *const models[] = {"router@ok", "claude@ok"};
    struct gs_slice signature;
    struct history h;
    struct grid g;

    (void)state;
    prepare_grid(&g);
    start_two(&g);
    history_begin(&g, ANTHROPIC,
                  GS_SLICE_LIT("{\"model\":\"router@ok\",\"max_tokens\":99,\"messages\":[{\"role\":"
                               "\"user\",\"content\":\"think and sign\"}]}"),
                  &h);
    const struct gs_json *first = &gs_json_get(&h.said, "content")->u.array.items[0];
    assert_true(gs_json_get_string(first, "signature", &signature, NULL));
    assert_true(gs_slice_starts(signature, GS_SLICE_LIT("genset:router:details:[{")));
    for (size_t i = 0; i < GS_COUNT_OF(models); i++) {
        gs_buf_printf(&h.body,
                      "{\"model\":\"%s\",\"max_tokens\":99,\"messages\":[{\"role\":\"assistant\","
                      "\"content\":[",
                      models[i]);
        gs_json_write(&h.body, first);
        gs_buf_puts(&h.body, ",{\"type\":\"text\",\"text\":\"w0\"}]},{\"role\":\"user\","
                             "\"content\":\"say 1\"}]}");
        history_ask(&g, ANTHROPIC, &h);
        if (i == 0)
            assert_true(got(one, "\"reasoning_details\":[{\"type\":\"reasoning.encrypted\","
                                 "\"data\":\"c2lnbmVk\"}]"));
        else
            assert_false(got(two, "c2lnbmVk") || got(two, "genset:"));
    }
    history_clear(&h);
    finish_grid(&g);
}

/* Of a client of another API. */
static void test_bytes_that_are_written_anew(void **state)
{
    struct gs_slice content;
    struct history h;
    struct grid g;

    (void)state;
    prepare_grid(&g);
    start_two(&g);
    history_begin(
        &g, RESPONSES,
        GS_SLICE_LIT("{\"model\":\"claude@ok\",\"input\":\"say 2 and think\",\"include\":["
                     "\"reasoning.encrypted_content\"]}"),
        &h);
    const struct gs_json *first = &gs_json_get(&h.said, "output")->u.array.items[0];
    assert_true(gs_json_get_string(first, "encrypted_content", &content, NULL));
    for (int home = 0; home < 2; home++) {
        gs_buf_printf(&h.body, "{\"model\":\"%s\",\"input\":[", home ? "claude@ok" : "one@ok");
        gs_json_write(&h.body, first);
        gs_buf_puts(&h.body, ",{\"role\":\"user\",\"content\":\"say 1\"}]}");
        history_ask(&g, RESPONSES, &h);
        if (home)
            assert_true(got(two, "\"signature\":\"c2lnbmVk\""));
        else
            assert_false(got(one, "reasoning"));
    }
    history_clear(&h);
    finish_grid(&g);
}

/* Who signed is known to who comes after a server that was killed: to another one, that has the
 * ledger of one that never ended. */
static void test_a_kill(void **state)
{
    const struct folder *f = *state;
    struct gs_ledger *ledgers[2];
    struct grid servers[2];

    for (size_t i = 0; i < GS_COUNT_OF(servers); i++) {
        ledgers[i] = open_ledger(f, 0, 0);
        prepare_grid(&servers[i]);
        servers[i].f.opt.ledger = ledgers[i];
        start_two(&servers[i]);
        tell(&servers[i], "two@ok", "c2lnbmVk"); /* one will sign its answer so */
        assert_int_equal(got(two, "c2lnbmVk"), i == 0);
        tell(&servers[i], "one@ok", "b25l");
        while (ask_number(f, "SELECT count(*) FROM request") < 2)
            sched_yield();
    }
    for (size_t i = 0; i < GS_COUNT_OF(servers); i++) {
        finish_grid(&servers[i]);
        gs_ledger_close(ledgers[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_that_go_through),
        cmocka_unit_test(test_bytes_that_are_written_anew),
        cmocka_unit_test(test_lists_that_go_through),
        cmocka_unit_test(test_calls_that_go_through),
        cmocka_unit_test(test_lists_that_are_written_anew),
        cmocka_unit_test_setup_teardown(test_a_kill, make_folder, remove_folder),
    };

    return cmocka_run_group_tests(tests, start_fakes, stop_fakes);
}
