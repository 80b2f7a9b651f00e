/* Signatures of reasoning and of calls: that they come back to who made them through every client's
 * API, and that nobody else gets to read them. */
#include "cmocka_headers.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/slice.h"
#include "dialect/client.h"
#include "switch/signers.h"
#include "json/json.h"

#define MAX_BYTES ((size_t)1 << 20)
#define SIGNED    "genset:acme:Eq+/"

static const struct gs_dialect_client *const apis[] = {
    &gs_dialect_client_anthropic, &gs_dialect_client_openai_chat,
    &gs_dialect_client_openai_responses, &gs_dialect_client_ollama};

/* By acme, whose name is in `ud`, and who is known for "mine". */
static bool is_theirs(void *ud, struct gs_slice signature, struct gs_slice *out_theirs)
{
    const struct gs_switch_signers none = {NULL};
    const bool is_known = gs_slice_eq_str(signature, "mine");

    return gs_switch_signers_is(&none, ud, false, signature, out_theirs) ||
           (is_known && gs_slice_eq_str(gs_slice_str(ud), "acme"));
}

static const struct gs_dialect_to acme = {.is_theirs = is_theirs, .ud = (void *)"acme"};
static const struct gs_dialect_to google = {.model = GS_SLICE_LIT("gemini-3-pro"),
                                            .is_theirs = is_theirs,
                                            .ud = (void *)"acme",
                                            .wants_signed_calls = true};

/* ---- through every API ---- */

/* What a client of each API sends for the answer's message to be made. */
static const char *const asks[] = {
    "{\"model\":\"m\",\"max_tokens\":9,\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}",
    "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}",
    "{\"model\":\"m\",\"input\":\"x\"}",
    "{\"model\":\"m\",\"stream\":false,\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}",
};

static void say(const struct gs_dialect *d, void *state, const struct gs_dialect_context *ctx,
                struct gs_event ev, struct gs_buf *b)
{
    d->write_event(state, ctx, &ev, b);
}

/* The whole answer of the API's server: twice signed reasoning, the second not to be read, then
 * text. */
static void answer(const struct gs_dialect *d, const struct gs_dialect_context *ctx,
                   struct gs_buf *b)
{
    const enum gs_block_kind kinds[] = {GS_BLOCK_REASONING, GS_BLOCK_REASONING, GS_BLOCK_TEXT};
    const char *const texts[] = {"Hm.", "", "Yes."};
    const char *const signatures[] = {SIGNED, "genset:acme:redacted:QUJD", ""};
    void *state = gs_alloc_zero(d->state_bytes);

    assert_non_null(state);
    say(d, state, ctx, (struct gs_event){.kind = GS_EVENT_START}, b);
    for (uint32_t i = 0; i < 3; i++) {
        say(d, state, ctx,
            (struct gs_event){.kind = GS_EVENT_BEGIN, .block = kinds[i], .block_idx = i}, b);
        if (texts[i][0])
            say(d, state, ctx,
                (struct gs_event){.kind = GS_EVENT_DELTA,
                                  .block = kinds[i],
                                  .block_idx = i,
                                  .text = gs_slice_str(texts[i])},
                b);
        say(d, state, ctx,
            (struct gs_event){.kind = GS_EVENT_END,
                              .block = kinds[i],
                              .block_idx = i,
                              .signature = gs_slice_str(signatures[i])},
            b);
    }
    say(d, state, ctx, (struct gs_event){.kind = GS_EVENT_STOP, .stop = GS_STOP_END}, b);
    d->clear_state(state);
    gs_free(state);
    assert_true(gs_buf_ok(b));
}

static const struct gs_json *item(const struct gs_json *v, const char *key)
{
    const struct gs_json *list = gs_json_get(v, key);

    assert_true(list && list->kind == GS_JSON_ARRAY && list->u.array.len > 0);
    return &list->u.array.items[0];
}

/* The next request of a client that hands back what it got. */
static void write_next(size_t api, struct gs_slice body, struct gs_arena *a, struct gs_buf *b)
{
    struct gs_json v;

    assert_int_equal(gs_json_parse(body, a, &v, NULL), GS_OK);
    gs_buf_printf(b, "{\"model\":\"m\",\"max_tokens\":99,\"%s\":[",
                  api == 2 ? "input" : "messages");
    if (api == 0) {
        gs_buf_puts(b, "{\"role\":\"assistant\",\"content\":");
        gs_json_write(b, gs_json_get(&v, "content"));
        gs_buf_putc(b, '}');
    } else if (api == 1) {
        gs_json_write(b, gs_json_get(item(&v, "choices"), "message"));
    } else if (api == 2) {
        const struct gs_json *output = gs_json_get(&v, "output");
        for (size_t i = 0; i < output->u.array.len; i++) {
            gs_buf_puts(b, i ? "," : "");
            gs_json_write(b, &output->u.array.items[i]);
        }
    } else {
        gs_json_write(b, gs_json_get(&v, "message"));
    }
    gs_buf_printf(b, "%s{\"role\":\"user\",\"content\":\"more\"}]}", ",");
}

static bool has(const struct gs_buf *b, const char *what)
{
    return gs_slice_find(gs_buf_view(b), gs_slice_str(what), 0) != SIZE_MAX;
}

/* What both kinds of servers that sign get, or do not get. */
static void expect_asked(const struct gs_chat *chat, const char *whom, bool is_home)
{
    struct gs_dialect_to to = {
        .model = GS_SLICE_LIT("claude-x"), .is_theirs = is_theirs, .ud = (void *)(uintptr_t)whom};
    struct gs_error err = {0};
    struct gs_buf b;

    gs_buf_init(&b, MAX_BYTES);
    if (apis[0]->write_request(chat, &to, &b, &err) != GS_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(has(&b,
                         "{\"type\":\"thinking\",\"thinking\":\"Hm.\",\"signature\":\"Eq+/\"},"
                         "{\"type\":\"redacted_thinking\",\"data\":\"QUJD\"},{\"type\":\"text\""),
                     is_home);
    assert_int_equal(has(&b, "Eq+/") || has(&b, "QUJD") || has(&b, "genset"), is_home);
    gs_buf_reset(&b);
    to.model = GS_SLICE_LIT("gpt-5");
    assert_int_equal(apis[2]->write_request(chat, &to, &b, NULL), GS_OK);
    assert_int_equal(has(&b, "\"encrypted_content\":\"Eq+/\""), is_home);
    assert_int_equal(has(&b, "Eq+/") || has(&b, "QUJD"), is_home);
    assert_false(has(&b, "genset"));
    assert_true(has(&b, "\"include\":[\"reasoning.encrypted_content\"]"));
    gs_buf_clear(&b);
}

static void test_round_trip(void **state)
{
    (void)state;
    for (size_t api = 0; api < GS_COUNT_OF(apis); api++) {
        const struct gs_dialect *d = apis[api]->server;
        struct gs_dialect_context ctx = {.request_id = GS_SLICE_LIT("req_1")};
        struct gs_error err = {0};
        struct gs_buf body, next;
        struct gs_chat chat;
        struct gs_arena a;
        gs_arena_init(&a, 0);
        gs_buf_init(&body, MAX_BYTES);
        gs_buf_init(&next, MAX_BYTES);
        assert_int_equal(
            d->read_request(&chat, &ctx, gs_slice_str(asks[api]), apis[api]->path, &a, &err),
            GS_OK);
        ctx.request_id = GS_SLICE_LIT("req_1");
        answer(d, &ctx, &body);
        write_next(api, gs_buf_view(&body), &a, &next);
        if (d->read_request(&chat, &ctx, gs_buf_view(&next), apis[api]->path, &a, &err) != GS_OK)
            fail_msg("%s: %s", d->name, err.msg);
        assert_int_equal(chat.messages[0].role, GS_ROLE_ASSISTANT);
        if (chat.messages[0].n_blocks != 3)
            fail_msg("%s: read as %zu blocks: %.*s", d->name, chat.messages[0].n_blocks,
                     (int)next.len, next.ptr);
        assert_true(gs_slice_eq_str(chat.messages[0].blocks[0].signature, SIGNED));
        assert_true(gs_slice_eq_str(chat.messages[0].blocks[0].text, "Hm."));
        expect_asked(&chat, "acme", true);
        expect_asked(&chat, "other", false);
        /* and as it came, to another server of the client's API */
        gs_buf_reset(&body);
        const struct gs_dialect_to other = {.is_theirs = is_theirs, .ud = (void *)"other"};
        assert_int_equal(gs_dialect_mend_signed(gs_buf_view(&next), &other, &body, &err), GS_OK);
        assert_true(body.len > 0 && has(&body, "Yes."));
        assert_false(has(&body, "genset") || has(&body, "Eq+/") || has(&body, "QUJD"));
        assert_int_equal(
            d->read_request(&chat, &ctx, gs_buf_view(&body), apis[api]->path, &a, &err), GS_OK);
        assert_int_equal(chat.n_messages, 2);
        gs_buf_clear(&body);
        gs_buf_clear(&next);
        gs_arena_clear(&a);
    }
}

#define DETAIL "{\"type\":\"reasoning.encrypted\",\"data\":\"Eq+/\"}"

/* A list of what was signed is told whoever made it, in the API in which it was made. */
static void test_details(void **state)
{
    static const struct {
        const char *signature;
        bool is_kept;
    } rows[] = {
        {"genset:acme:details:[" DETAIL "," DETAIL "]", true},
        {"genset:acme:details:[]", false},
        {"genset:acme:details:{}", false},
        {"genset:acme:details:[" DETAIL, false},
        {"genset:other:details:[" DETAIL "]", false},
        {"details:[" DETAIL "]", false},
    };

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(rows); i++) {
        const struct gs_slice signature = gs_slice_str(rows[i].signature);
        const struct gs_block blocks[] = {
            {.kind = GS_BLOCK_REASONING, .text = GS_SLICE_LIT("Hm."), .signature = signature},
            {.kind = GS_BLOCK_REASONING, .signature = signature},
            {.kind = GS_BLOCK_TEXT, .text = GS_SLICE_LIT("Yes.")}};
        const struct gs_message messages[] = {
            {GS_ROLE_ASSISTANT, blocks, 3},
            {GS_ROLE_USER, &blocks[2], 1},
        };
        struct gs_chat chat = {.messages = messages, .n_messages = 2};
        const struct gs_dialect_to to = {.model = GS_SLICE_LIT("claude-x"),
                                         .is_theirs = is_theirs,
                                         .ud = (void *)(uintptr_t) "acme",
                                         .takes_extensions = true,
                                         .default_max_tokens = 9};
        gs_sampling_init(&chat.sampling);
        for (size_t api = 0; api < GS_COUNT_OF(apis); api++) {
            struct gs_buf b;
            gs_buf_init(&b, MAX_BYTES);
            assert_int_equal(apis[api]->write_request(&chat, &to, &b, NULL), GS_OK);
            const bool is_said =
                has(&b, ",\"reasoning_details\":[" DETAIL "," DETAIL "," DETAIL "," DETAIL "]");
            assert_int_equal(is_said, rows[i].is_kept && api == 1);
            assert_int_equal(has(&b, "Eq+/"), is_said);
            assert_int_equal(has(&b, "\"reasoning_content\":\"Hm.\""), !is_said && api == 1);
            gs_buf_clear(&b);
        }
    }
}

/* ---- requests that go out as they came ---- */

#define GOOGLE(signature) "\"extra_content\":{\"google\":{\"thought_signature\":\"" signature "\"}}"
#define UNSIGNED          GOOGLE("skip_thought_signature_validator")
#define CALLS(calls)      "{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[" calls "]}]}"

static const struct passed {
    const char *body, *left; /* NULL: it may go as it is */
} passed[] = {
    {"{\"model\":\"m\"}", NULL},
    {"{\"messages\":[{\"role\":\"user\",\"content\":\"redacted_thinking\"}]}", NULL},
    {"{\"messages\":[{\"content\":[{\"type\":\"thinking\",\"thinking\":\"a\"}]}]}", NULL},
    {"{\"messages\":[{\"content\":[{\"type\":\"thinking\",\"signature\":\"\"}]}]}", NULL},
    {"{\"messages\":[{\"content\":[{\"type\":\"text\",\"signature\":\"genset:b:c\"}]}]}", NULL},
    {"{ \"a\" : 1.0 , \"messages\":[ {\"role\":\"assistant\" , \"content\":[ "
     "{\"type\":\"thinking\","
     "\"thinking\":\"a\",\"signature\":\"genset:b:c\"} , {\"type\" : \"text\", "
     "\"text\":\"\\u00e9\"} ]"
     "} ] }",
     "{\"a\":1.0 ,\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\" : \"text\", "
     "\"text\":\"\\u00e9\"}]}]}"},
    {"{\"messages\":[{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\",\"content\":[{"
     "\"type\":\"thinking\",\"thinking\":\"a\",\"signature\":\"genset1Z2Vuc2V0OmI6Yw==.\"}]}]}",
     "{\"messages\":[{\"role\":\"user\",\"content\":\"q\"}]}"},
    {"{\"messages\":[{\"content\":[{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":"
     "\"genset1Z2Vuc2V0OmFjbWU6Yw==.SG0u\"}]}]}",
     "{\"messages\":[{\"content\":[{\"type\":\"thinking\",\"thinking\":\"Hm.\",\"signature\":\"c\"}"
     "]}]}"},
    {"{\"messages\":[{\"content\":[{\"type\":\"redacted_thinking\",\"data\":\"c\"},{\"type\":"
     "\"text\",\"text\":\"a\"}]}]}",
     "{\"messages\":[{\"content\":[{\"type\":\"text\",\"text\":\"a\"}]}]}"},
    {"{\"input\":[{\"type\":\"reasoning\",\"id\":\"rs_1_0\",\"summary\":[]},{\"type\":"
     "\"reasoning\","
     "\"id\":\"rs_1\",\"summary\":[]},{\"type\":\"reasoning\",\"encrypted_content\":\"genset:acme:"
     "d\""
     ",\"id\":\"rs_2\"},{\"type\":\"reasoning\",\"encrypted_content\":\"else\"}]}",
     "{\"input\":[{\"type\":\"reasoning\",\"id\":\"rs_1\",\"summary\":[]},{\"type\":\"reasoning\","
     "\"encrypted_content\":\"d\",\"id\":\"rs_2\"}]}"},
    {"{\"messages\":[{\"role\":\"assistant\",\"content\":\"a\",\"reasoning_details\":[{\"type\":"
     "\"reasoning.encrypted\",\"data\":\"mine\"},{\"data\":\"genset1Yg==.YQ==\"},{\"data\":"
     "\"genset:acme:b\"},"
     "{\"data\":\"else\"},{\"type\":\"reasoning.text\",\"signature\":\"else\"}]}]}",
     "{\"messages\":[{\"role\":\"assistant\",\"content\":\"a\",\"reasoning_details\":[{\"type\":"
     "\"reasoning.encrypted\",\"data\":\"mine\"}]}]}"},
    {"{\"messages\":[{\"content\":[{\"type\":\"redacted_thinking\",\"data\":\"c\"}", NULL},
    {"[1]", NULL},
    {CALLS("{\"id\":\"1\"}"), NULL},
    {CALLS("{\"id\":\"1\"," GOOGLE("mine") "},{\"id\":\"2\"}"), NULL},
    {CALLS("{\"id\":\"1\"," GOOGLE("else") "}"), CALLS("{\"id\":\"1\"}")},
    {CALLS("{" GOOGLE("else") ",\"id\" : \"1\"},{" GOOGLE("else") "},{" GOOGLE("mine") "}"),
     CALLS("{\"id\":\"1\"},{},{" GOOGLE("mine") "}")},
    {CALLS("{\"id\":\"1\"," GOOGLE("genset:acme:mine") "}"), CALLS("{\"id\":\"1\"}")},
};

/* The same, for Google. */
static const struct passed to_google[] = {
    {CALLS("{" GOOGLE("mine") "},{}"), NULL},
    {CALLS("{\"id\":\"1\"},{}"), CALLS("{" UNSIGNED ",\"id\":\"1\"},{}")},
    {CALLS("{},{" GOOGLE("mine") "}"), CALLS("{" UNSIGNED "},{" GOOGLE("mine") "}")},
    {CALLS("{" GOOGLE("else") "},{" GOOGLE("else") "}"), CALLS("{" UNSIGNED "},{}")},
    {CALLS("{" UNSIGNED "}"), CALLS("{" UNSIGNED "}")}, /* of who asks there for the first time */
};

static void expect_passed(const struct passed *row, const struct gs_dialect_to *to)
{
    struct gs_error err = {0};
    struct gs_buf b;

    gs_buf_init(&b, MAX_BYTES);
    assert_int_equal(gs_dialect_mend_signed(gs_slice_str(row->body), to, &b, &err), GS_OK);
    if (!gs_slice_eq_str(gs_buf_view(&b), row->left ? row->left : ""))
        fail_msg("%s: left as %.*s", row->body, (int)b.len, b.len ? b.ptr : "");
    gs_buf_clear(&b);
}

static void test_passed(void **state)
{
    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(passed); i++)
        expect_passed(&passed[i], &acme);
    for (size_t i = 0; i < GS_COUNT_OF(to_google); i++)
        expect_passed(&to_google[i], &google);
}

/* What may pass is what is left as it is. */
static void test_may_pass(void **state)
{
    const struct gs_dialect *d = apis[1]->server;

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(to_google); i++) {
        struct gs_dialect_context ctx = {.request_id = GS_SLICE_LIT("req_1")};
        struct gs_chat chat;
        struct gs_arena a;
        struct gs_buf b;
        gs_arena_init(&a, 0);
        gs_buf_init(&b, MAX_BYTES);
        gs_buf_puts(&b, "{\"model\":\"m\",");
        gs_buf_puts(&b, to_google[i].body + 1);
        assert_int_equal(d->read_request(&chat, &ctx, gs_buf_view(&b), apis[1]->path, &a, NULL),
                         GS_OK);
        assert_int_equal(gs_dialect_may_pass(&chat, &google), to_google[i].left == NULL);
        gs_buf_clear(&b);
        gs_arena_clear(&a);
    }
}

static void test_memory_runs_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(passed); i++) {
        enum gs_status st = GS_ENOMEM;
        for (long n = 1; st == GS_ENOMEM; n++) {
            struct gs_error err = {0};
            struct gs_buf b;
            gs_buf_init(&b, MAX_BYTES);
            gs_alloc_fail_at(n);
            st = gs_dialect_mend_signed(gs_slice_str(passed[i].body), &acme, &b, &err);
            gs_alloc_fail_at(0);
            assert_true(st == GS_OK || st == GS_ENOMEM);
            gs_buf_clear(&b);
            assert_true(n < 100);
        }
    }
}

/* ---- who signed ---- */

static bool is(const struct gs_switch_signers *s, const char *maker, bool is_home,
               const char *signature)
{
    struct gs_slice theirs;

    return gs_switch_signers_is(s, maker, is_home, gs_slice_str(signature), &theirs);
}

static void note(struct gs_switch_signers *s, const char *maker, struct gs_slice signature)
{
    const struct gs_ledger_signed made = gs_switch_signers_digest(maker, signature);

    gs_switch_signers_note(s, &made);
}

static void test_signers(void **state)
{
    struct gs_switch_signers s = {NULL};

    (void)state;
    assert_true(is(&s, "a", true, "Eq+/"));
    assert_false(is(&s, "a", false, "Eq+/"));
    assert_false(is(&s, "a", true, "0123456789abcdef0123456789abcdef"));
    note(&s, "a", GS_SLICE_LIT("Eq+/"));
    note(&s, "b", GS_SLICE_LIT("0123456789abcdef0123456789abcdef"));
    assert_true(is(&s, "a", false, "Eq+/"));
    assert_false(is(&s, "b", true, "Eq+/"));
    assert_true(is(&s, "b", false, "0123456789abcdef0123456789abcdef"));
    note(&s, "b", GS_SLICE_LIT("Eq+/"));
    assert_true(is(&s, "b", false, "Eq+/"));
    assert_true(is(&s, "a", false, SIGNED) == false && is(&s, "acme", false, SIGNED));
    for (int i = 0; i < 100000; i++) { /* the latest are kept */
        const uint64_t x = (uint64_t)i;
        note(&s, "c", gs_slice((const char *)&x, sizeof(x)));
        struct gs_slice theirs;
        assert_true(
            gs_switch_signers_is(&s, "c", false, gs_slice((const char *)&x, sizeof(x)), &theirs));
    }
    gs_switch_signers_clear(&s);
    assert_false(is(&s, "b", false, "Eq+/"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_details),
        cmocka_unit_test(test_passed),     cmocka_unit_test(test_may_pass),
        cmocka_unit_test(test_signers),    cmocka_unit_test(test_memory_runs_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
