/* OpenAI Responses beyond the golden transcripts: requests and their answers together, what is
 * kept between them, and ends that are none. */
#include <stdio.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/slice.h"
#include "cmocka_headers.h"
#include "dialect/dialect.h"
#include "server/responses.h"
#include "json/json.h"

#define D      (&gs_dialect_openai_responses)
#define MAX_IO ((size_t)1 << 20)

/* One request and its answer, under way. */
struct talk {
    struct gs_arena a;
    struct gs_chat chat;
    struct gs_dialect_context ctx;
    struct gs_error err;
    enum gs_status st;
    void *state;
    struct gs_buf out;
};

/* The id makes it "resp_ID". */
static void ask(struct talk *t, struct gs_server_responses *kept, const char *id, const char *body)
{
    *t = (struct talk){.ctx.store = kept ? &kept->store : NULL};
    gs_arena_init(&t->a, 0);
    gs_buf_init(&t->out, MAX_IO);
    t->st = D->read_request(&t->chat, &t->ctx, gs_slice_str(body), "/v1/responses", &t->a, &t->err);
    t->ctx.request_id = gs_arena_printf(&t->a, "req_%s", id);
    t->state = gs_alloc_zero(D->state_bytes);
    assert_non_null(t->state);
}

static void finish(struct talk *t)
{
    D->clear_state(t->state);
    gs_free(t->state);
    gs_buf_clear(&t->out);
    gs_arena_clear(&t->a);
}

static void say(struct talk *t, struct gs_event ev)
{
    D->write_event(t->state, &t->ctx, &ev, &t->out);
}

static void say_block(struct talk *t, enum gs_block_kind kind, const char *name, const char *text)
{
    struct gs_event ev = {.kind = GS_EVENT_BEGIN, .block = kind, .name = gs_slice_str(name)};

    say(t, ev);
    ev.kind = GS_EVENT_DELTA;
    ev.text = gs_slice_str(text);
    say(t, ev);
    ev.kind = GS_EVENT_END;
    say(t, ev);
}

static void say_stop(struct talk *t, enum gs_stop_reason stop)
{
    say(t, (struct gs_event){.kind = GS_EVENT_STOP, .stop = stop});
}

static bool has(const struct talk *t, const char *text)
{
    return gs_slice_find(gs_buf_view(&t->out), gs_slice_str(text), 0) != SIZE_MAX;
}

#define EXPECT(t, text)                                                                            \
    do {                                                                                           \
        if (!has(t, text))                                                                         \
            fail_msg("no %s in\n%.*s", text, (int)(t)->out.len, (t)->out.ptr);                     \
    } while (0)

/* Ask for something and let the answer be this text. */
static void exchange(struct gs_server_responses *kept, const char *id, const char *body,
                     const char *text)
{
    struct talk t;

    ask(&t, kept, id, body);
    if (t.st != GS_OK)
        fail_msg("%s", t.err.msg);
    say(&t, (struct gs_event){.kind = GS_EVENT_START});
    say_block(&t, GS_BLOCK_TEXT, NULL, text);
    say_stop(&t, GS_STOP_END);
    finish(&t);
}

/* ---- tools ---- */

#define TOOLS                                                                                      \
    "\"tools\":[{\"type\":\"namespace\",\"name\":\"agents\",\"tools\":[{\"type\":\"function\","    \
    "\"name\":\"close\"}]},{\"type\":\"custom\",\"name\":\"apply_patch\"},"                        \
    "{\"type\":\"web_search\"}]"

static void test_names_find_their_way_back(void **state)
{
    struct talk t;

    (void)state;
    for (int stream = 0; stream < 2; stream++) {
        ask(&t, NULL, "1",
            stream ? "{\"model\":\"m\",\"input\":\"x\",\"stream\":true," TOOLS "}"
                   : "{\"model\":\"m\",\"input\":\"x\"," TOOLS "}");
        assert_int_equal(t.chat.n_tools, 2);
        say(&t, (struct gs_event){.kind = GS_EVENT_START});
        say_block(&t, GS_BLOCK_TOOL_CALL, "agents__close", "{\"id\":1}");
        say_block(&t, GS_BLOCK_TOOL_CALL, "apply_patch", "{\"input\":\"a \\\"b\\\"\\n\"}");
        say_block(&t, GS_BLOCK_TOOL_CALL, "apply_patch", "plain");
        say_block(&t, GS_BLOCK_TOOL_CALL, "unheard_of", "{}");
        say_stop(&t, GS_STOP_TOOL_CALL);
        EXPECT(&t, "{\"id\":\"fc_1_0\",\"status\":\"completed\",\"type\":\"function_call\","
                   "\"call_id\":\"call_1_0\",\"name\":\"close\",\"namespace\":\"agents\","
                   "\"arguments\":\"{\\\"id\\\":1}\"}");
        EXPECT(&t, "{\"id\":\"ctc_1_1\",\"status\":\"completed\",\"type\":\"custom_tool_call\","
                   "\"call_id\":\"call_1_1\",\"name\":\"apply_patch\","
                   "\"input\":\"a \\\"b\\\"\\n\"}");
        EXPECT(&t, "\"input\":\"plain\"");
        EXPECT(&t, "\"name\":\"unheard_of\",\"arguments\":\"{}\"");
        if (stream) {
            EXPECT(&t, "event: response.custom_tool_call_input.delta\n");
            EXPECT(&t, "event: response.custom_tool_call_input.done\n");
            EXPECT(&t, "event: response.function_call_arguments.done\n");
            EXPECT(&t, "event: response.completed\n");
        }
        finish(&t);
    }
}

/* ---- reasoning ---- */

static void test_reasoning_goes_out_as_asked_for(void **state)
{
    struct talk t;

    (void)state;
    ask(&t, NULL, "1",
        "{\"model\":\"m\",\"input\":\"x\",\"stream\":true,\"reasoning\":{\"summary\":\"auto\"}}");
    say_block(&t, GS_BLOCK_REASONING, NULL, "Hm.");
    say_block(&t, GS_BLOCK_TEXT, NULL, "Yes.");
    say_stop(&t, GS_STOP_END);
    EXPECT(&t, "event: response.reasoning_summary_part.added\n");
    EXPECT(&t, "event: response.reasoning_summary_text.delta\n");
    EXPECT(&t, "\"summary\":[{\"type\":\"summary_text\",\"text\":\"Hm.\"}]}");
    assert_false(has(&t, "reasoning_text\""));
    finish(&t);
    ask(&t, NULL, "1", "{\"model\":\"m\",\"input\":\"x\",\"stream\":true}");
    say_block(&t, GS_BLOCK_REASONING, NULL, "Hm.");
    say_stop(&t, GS_STOP_END);
    EXPECT(&t, "event: response.reasoning_text.delta\n");
    EXPECT(&t, "\"summary\":[],\"content\":[{\"type\":\"reasoning_text\",\"text\":\"Hm.\"}]}");
    finish(&t);
}

/* Codex hands back no more than the encrypted content where no summary was asked for. */
static void test_reasoning_comes_back(void **state)
{
    const struct gs_event begin = {.kind = GS_EVENT_BEGIN, .block = GS_BLOCK_REASONING};
    const struct gs_event delta = {
        .kind = GS_EVENT_DELTA, .block = GS_BLOCK_REASONING, .text = GS_SLICE_LIT("Hm.")};
    const struct gs_event end = {
        .kind = GS_EVENT_END, .block = GS_BLOCK_REASONING, .signature = GS_SLICE_LIT("s1")};
    struct talk t;

    (void)state;
    ask(&t, NULL, "1",
        "{\"model\":\"m\",\"input\":\"x\",\"include\":[\"reasoning.encrypted_content\"]}");
    say(&t, begin);
    say(&t, delta);
    say(&t, end);
    say_block(&t, GS_BLOCK_TEXT, NULL, "Yes.");
    say_stop(&t, GS_STOP_END);
    EXPECT(&t, "\"encrypted_content\":\"genset1czE=.SG0u\"}");
    finish(&t);
    ask(&t, NULL, "2",
        "{\"model\":\"m\",\"input\":[{\"role\":\"user\",\"content\":\"x\"},"
        "{\"type\":\"reasoning\",\"summary\":[],\"encrypted_content\":\"genset1czE=.SG0u\"},"
        "{\"type\":\"reasoning\",\"summary\":[{\"type\":\"summary_text\",\"text\":\"Oh.\"}],"
        "\"encrypted_content\":\"genset1czE=.SG0u\"}]}");
    assert_int_equal(t.chat.n_messages, 2);
    assert_int_equal(t.chat.messages[1].n_blocks, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct gs_block *b = &t.chat.messages[1].blocks[i];
        assert_true(gs_slice_eq_str(b->text, i ? "Oh." : "Hm."));
        assert_true(gs_slice_eq_str(b->signature, "s1"));
    }
    finish(&t);
}

/* ---- ends ---- */

static void test_an_answer_that_is_cut(void **state)
{
    static const struct {
        const char *limit;
        enum gs_stop_reason stop;
        enum gs_block_kind block;
        const char *status, *item;
    } cases[] = {
        {",\"max_output_tokens\":1", GS_STOP_LENGTH, GS_BLOCK_TEXT, "incomplete", "incomplete"},
        {"", GS_STOP_CONTEXT, GS_BLOCK_TEXT, "completed", "incomplete"},
        {",\"max_output_tokens\":9", GS_STOP_CONTEXT, GS_BLOCK_TEXT, "completed", "incomplete"},
        {"", GS_STOP_LENGTH, GS_BLOCK_TEXT, "completed", "incomplete"},
        {"", GS_STOP_CONTEXT, GS_BLOCK_TOOL_CALL, "incomplete", "incomplete"},
        {"", GS_STOP_CONTEXT, GS_BLOCK_REASONING, "incomplete", NULL},
        {"", GS_STOP_SEQUENCE, GS_BLOCK_TEXT, "completed", "completed"},
    };
    char text[256];

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(cases); i++) {
        struct talk t;
        snprintf(text, sizeof(text), "{\"model\":\"m\",\"input\":\"x\",\"stream\":true%s}",
                 cases[i].limit);
        ask(&t, NULL, "1", text);
        say(&t, (struct gs_event){.kind = GS_EVENT_START});
        say_block(&t, cases[i].block, "f", "abc");
        say_stop(&t, cases[i].stop);
        snprintf(text, sizeof(text), "event: response.%s\n", cases[i].status);
        EXPECT(&t, text);
        snprintf(text, sizeof(text), "_1_0\",\"status\":\"%s\"", cases[i].item);
        if (cases[i].item)
            EXPECT(&t, text);
        EXPECT(&t, cases[i].stop == GS_STOP_SEQUENCE
                       ? "\"incomplete_details\":null"
                       : "\"incomplete_details\":{\"reason\":\"max_output_tokens\"}");
        finish(&t);
    }
}

/* Codex stops at these codes, and tries five times more at others. */
static void test_failures_have_codes(void **state)
{
    static const struct {
        enum gs_status code;
        const char *word;
    } cases[] = {
        {GS_ECONTEXT, "\"code\":\"context_length_exceeded\""},
        {GS_EBUSY, "\"code\":\"server_is_overloaded\""},
        {GS_ETEMPLATE, "\"code\":\"invalid_prompt\""},
        {GS_EINTERNAL, "\"code\":\"server_error\""},
    };

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(cases); i++) {
        struct gs_error err = {0};
        struct talk t;
        gs_error_set(&err, cases[i].code, "no");
        ask(&t, NULL, "1", "{\"model\":\"m\",\"input\":\"x\",\"stream\":true}");
        say_block(&t, GS_BLOCK_TEXT, NULL, "said");
        say(&t, (struct gs_event){.kind = GS_EVENT_ERROR, .error = &err});
        EXPECT(&t, "event: response.failed\n");
        EXPECT(&t, cases[i].word);
        EXPECT(&t, "\"text\":\"said\"}]}],");
        finish(&t);
    }
}

/* What was asked is said again, as it was; else what goes without saying. */
static void test_the_answer_repeats_what_was_asked(void **state)
{
    static const char *const asked[] = {
        "\"instructions\":\"Be brief.\"",
        "\"max_output_tokens\":99",
        "\"metadata\":{\"a\":\"b\"}",
        "\"parallel_tool_calls\":false",
        "\"reasoning\":{\"effort\":\"low\"}",
        "\"temperature\":0.25",
        "\"text\":{\"format\":{\"type\":\"json_object\"},\"verbosity\":\"low\"}",
        "\"tool_choice\":\"required\"",
        "\"tools\":[{\"type\":\"function\",\"name\":\"look\",\"parameters\":{}}]",
        "\"top_p\":0.5",
        "\"store\":false",
    };
    static const char *const unasked[] = {
        "\"instructions\":null", "\"max_output_tokens\":null",
        "\"metadata\":{}",       "\"parallel_tool_calls\":true",
        "\"temperature\":1,",    "\"tool_choice\":\"auto\"",
        "\"tools\":[]",          "\"top_p\":1,",
        "\"store\":true",
    };
    struct gs_buf body;
    struct talk t;

    (void)state;
    gs_buf_init(&body, MAX_IO);
    gs_buf_puts(&body, "{\"model\":\"m\",\"input\":\"x\"");
    for (size_t i = 0; i < GS_COUNT_OF(asked); i++)
        gs_buf_printf(&body, ",%s", asked[i]);
    gs_buf_puts(&body, "}");
    gs_buf_putc(&body, '\0');
    ask(&t, NULL, "1", body.ptr);
    say_block(&t, GS_BLOCK_TEXT, NULL, "Yes.");
    say_stop(&t, GS_STOP_END);
    for (size_t i = 0; i < GS_COUNT_OF(asked); i++)
        EXPECT(&t, asked[i]);
    finish(&t);
    gs_buf_clear(&body);
    ask(&t, NULL, "2", "{\"model\":\"m\",\"input\":\"x\"}");
    say_stop(&t, GS_STOP_END);
    for (size_t i = 0; i < GS_COUNT_OF(unasked); i++)
        EXPECT(&t, unasked[i]);
    finish(&t);
}

static void test_silence_begins_with_created(void **state)
{
    struct talk t;

    (void)state;
    ask(&t, NULL, "1", "{\"model\":\"m\",\"input\":\"x\",\"stream\":true}");
    D->write_keepalive(t.state, &t.ctx, &t.out);
    D->write_keepalive(t.state, &t.ctx, &t.out);
    assert_true(gs_slice_starts(gs_buf_view(&t.out), GS_SLICE_LIT("event: response.created\n")));
    EXPECT(&t, "\"type\":\"response.in_progress\",\"sequence_number\":2,");
    finish(&t);
}

/* ---- what is kept ---- */

static void test_a_conversation_goes_on(void **state)
{
    struct gs_server_responses kept;
    struct talk t;

    (void)state;
    gs_server_responses_init(&kept, 8, MAX_IO);
    exchange(&kept, "a", "{\"model\":\"m\",\"input\":\"one\",\"instructions\":\"Be kind.\"}",
             "uno");
    exchange(&kept, "b",
             "{\"model\":\"m\",\"input\":[{\"role\":\"user\",\"content\":\"two\"}],"
             "\"previous_response_id\":\"resp_a\"}",
             "due");
    exchange(&kept, "c", "{\"model\":\"m\",\"input\":\"x\",\"store\":false}", "y");
    ask(&t, &kept, "d",
        "{\"model\":\"m\",\"input\":\"three\",\"previous_response_id\":\"resp_b\"}");
    assert_int_equal(t.st, GS_OK);
    assert_int_equal(t.chat.n_messages, 5); /* instructions are not handed on */
    assert_true(gs_slice_eq_str(t.chat.messages[0].blocks[0].text, "one"));
    assert_true(gs_slice_eq_str(t.chat.messages[3].blocks[0].text, "due"));
    assert_true(gs_slice_eq_str(t.chat.messages[4].blocks[0].text, "three"));
    finish(&t);
    ask(&t, &kept, "d", "{\"model\":\"m\",\"input\":\"x\",\"previous_response_id\":\"resp_c\"}");
    assert_int_equal(t.st, GS_EINVAL);
    assert_string_equal(t.err.source, "previous_response_not_found");
    finish(&t);
    assert_true(gs_server_responses_drop(&kept, GS_SLICE_LIT("resp_a")));
    assert_false(gs_server_responses_drop(&kept, GS_SLICE_LIT("resp_a")));
    ask(&t, &kept, "d", "{\"model\":\"m\",\"input\":\"x\",\"previous_response_id\":\"resp_b\"}");
    assert_int_equal(t.st, GS_EINVAL);
    finish(&t);
    gs_server_responses_clear(&kept);
}

static void test_items_are_named(void **state)
{
    struct gs_server_responses kept;
    struct talk t;

    (void)state;
    gs_server_responses_init(&kept, 8, MAX_IO);
    exchange(&kept, "a", "{\"model\":\"m\",\"input\":\"one\"}", "uno");
    exchange(&kept, "b",
             "{\"model\":\"m\",\"input\":[{\"type\":\"item_reference\",\"id\":\"item_a_0\"},"
             "{\"id\":\"msg_a_0\"},{\"role\":\"user\",\"content\":\"two\"}]}",
             "due");
    gs_server_responses_drop(&kept, GS_SLICE_LIT("resp_a")); /* b has copies */
    ask(&t, &kept, "c", "{\"model\":\"m\",\"input\":\"x\",\"previous_response_id\":\"resp_b\"}");
    assert_int_equal(t.chat.n_messages, 5);
    assert_true(gs_slice_eq_str(t.chat.messages[0].blocks[0].text, "one"));
    assert_true(gs_slice_eq_str(t.chat.messages[1].blocks[0].text, "uno"));
    finish(&t);
    ask(&t, &kept, "c",
        "{\"model\":\"m\",\"input\":[{\"type\":\"item_reference\",\"id\":\"msg_a_0\"}]}");
    assert_int_equal(t.st, GS_ENOTFOUND);
    assert_int_equal(gs_dialect_status(D, &t.err), 404);
    finish(&t);
    gs_server_responses_clear(&kept);
}

static void expect_list(struct gs_server_responses *kept, const char *query, const char *want)
{
    struct gs_error err = {0};
    struct gs_buf b;

    gs_buf_init(&b, MAX_IO);
    assert_int_equal(gs_dialect_responses_list(&kept->store, GS_SLICE_LIT("resp_b"),
                                               gs_slice_str(query), &b, &err),
                     GS_OK);
    if (!gs_slice_eq_str(gs_buf_view(&b), want))
        fail_msg("%s:\n%.*s\nis not\n%s", query, (int)b.len, b.ptr, want);
    gs_buf_clear(&b);
}

static void test_input_items_are_listed(void **state)
{
    struct gs_server_responses kept;

    (void)state;
    gs_server_responses_init(&kept, 8, MAX_IO);
    exchange(&kept, "a", "{\"model\":\"m\",\"input\":[{\"role\":\"user\",\"content\":\"one\"}]}",
             "");
    exchange(&kept, "b",
             "{\"model\":\"m\",\"input\":[{\"id\":\"mine\",\"role\":\"user\",\"content\":\"two\"}],"
             "\"previous_response_id\":\"resp_a\"}",
             "due");
    expect_list(&kept, "limit=1",
                "{\"object\":\"list\",\"data\":[{\"id\":\"mine\",\"role\":\"user\",\"content\":"
                "\"two\"}],\"first_id\":\"mine\",\"last_id\":\"mine\",\"has_more\":true}");
    expect_list(&kept, "x=1&after=msg_a_0&limit=9999&order=desc",
                "{\"object\":\"list\",\"data\":[{\"id\":\"item_a_0\",\"role\":\"user\",\"content\":"
                "\"one\"}],\"first_id\":\"item_a_0\",\"last_id\":\"item_a_0\",\"has_more\":false}");
    expect_list(&kept, "order=asc&limit=1",
                "{\"object\":\"list\",\"data\":[{\"id\":\"item_a_0\",\"role\":\"user\",\"content\":"
                "\"one\"}],\"first_id\":\"item_a_0\",\"last_id\":\"item_a_0\",\"has_more\":true}");
    expect_list(&kept, "order=asc&after=mine",
                "{\"object\":\"list\",\"data\":[],\"first_id\":null,\"last_id\":null,"
                "\"has_more\":false}");
    gs_server_responses_drop(&kept, GS_SLICE_LIT("resp_a"));
    expect_list(&kept, "",
                "{\"object\":\"list\",\"data\":[{\"id\":\"mine\",\"role\":\"user\",\"content\":"
                "\"two\"}],\"first_id\":\"mine\",\"last_id\":\"mine\",\"has_more\":false}");
    gs_server_responses_clear(&kept);
}

/* ---- the bounds of what is kept ---- */

static void keep(struct gs_server_responses *kept, const char *id, const char *previous,
                 const char *body)
{
    const struct gs_dialect_record record = {.id = gs_slice_str(id),
                                             .previous = gs_slice_str(previous),
                                             .input = GS_SLICE_LIT("[]"),
                                             .body = gs_slice_str(body)};

    kept->store.keep(kept->store.self, &record);
}

static bool is_kept(struct gs_server_responses *kept, const char *id)
{
    struct gs_dialect_record record;
    struct gs_arena a;

    gs_arena_init(&a, 0);
    const enum gs_status st = kept->store.find(kept->store.self, gs_slice_str(id), &a, &record);
    gs_arena_clear(&a);
    return st == GS_OK;
}

static void test_the_oldest_go_first_and_ends_before_beginnings(void **state)
{
    struct gs_server_responses kept;

    (void)state;
    gs_server_responses_init(&kept, 3, MAX_IO);
    keep(&kept, "a", "", "{}");
    keep(&kept, "x", "", "{}");
    keep(&kept, "b", "a", "{}"); /* keeps a young */
    keep(&kept, "c", "b", "{}");
    assert_false(is_kept(&kept, "x"));
    keep(&kept, "d", "c", "{}"); /* four in a row are one too many: the end goes */
    assert_false(is_kept(&kept, "d"));
    assert_true(is_kept(&kept, "c"));
    assert_true(is_kept(&kept, "b"));
    assert_true(is_kept(&kept, "a"));
    keep(&kept, "y", "", "{}");
    assert_false(is_kept(&kept, "c"));
    assert_int_equal(kept.n, 3);
    gs_server_responses_clear(&kept);
    assert_int_equal(kept.n, 0);
    assert_int_equal(kept.bytes, 0);
}

static void test_bytes_are_bounded(void **state)
{
    char body[600];
    struct gs_server_responses kept;

    (void)state;
    memset(body, ' ', sizeof(body));
    body[sizeof(body) - 1] = '\0';
    gs_server_responses_init(&kept, 100, 2000);
    keep(&kept, "a", "", body);
    keep(&kept, "b", "", body);
    keep(&kept, "c", "", body);
    assert_false(is_kept(&kept, "a"));
    assert_true(is_kept(&kept, "c"));
    assert_true(kept.bytes <= 2000);
    gs_server_responses_clear(&kept);
    gs_server_responses_init(&kept, 100, 500);
    keep(&kept, "a", "", body); /* larger than all there is */
    assert_false(is_kept(&kept, "a"));
    gs_server_responses_clear(&kept);
}

/* ---- memory ---- */

/* Whatever allocation fails: a status, or a buffer that says so; nothing leaks. */
static void test_memory_runs_out(void **state)
{
    static const char body[] =
        "{\"model\":\"m\",\"stream\":true,\"input\":[{\"type\":\"item_reference\",\"id\":"
        "\"msg_a_0\"},{\"type\":\"function_call\",\"call_id\":\"c\",\"name\":\"f\",\"namespace\":"
        "\"s\",\"arguments\":\"{}\"},{\"type\":\"function_call_output\",\"call_id\":\"c\","
        "\"output\":[{\"type\":\"input_text\",\"text\":\"t\"}]}]," TOOLS
        ",\"previous_response_id\":\"resp_a\",\"tool_choice\":{\"type\":\"allowed_tools\","
        "\"tools\":[{\"name\":\"close\"}]}}";
    bool is_done = false;

    (void)state;
    for (long n = 1; !is_done; n++) {
        struct gs_server_responses kept;
        struct gs_chat chat;
        struct gs_dialect_context ctx = {0};
        struct gs_error err = {0};
        struct gs_arena a;
        gs_server_responses_init(&kept, 8, MAX_IO);
        exchange(&kept, "a", "{\"model\":\"m\",\"input\":\"one\"}", "uno");
        gs_arena_init(&a, 0);
        ctx.store = &kept.store;
        gs_alloc_fail_at(n);
        const enum gs_status st =
            D->read_request(&chat, &ctx, gs_slice_str(body), "/v1/responses", &a, &err);
        is_done = gs_alloc_count() < n;
        gs_alloc_fail_at(0);
        assert_int_equal(st, is_done ? GS_OK : GS_ENOMEM);
        gs_arena_clear(&a);
        gs_server_responses_clear(&kept);
    }
    is_done = false;
    for (long n = 1; !is_done; n++) {
        struct gs_server_responses kept;
        struct talk t;
        gs_server_responses_init(&kept, 8, MAX_IO);
        ask(&t, &kept, "b", "{\"model\":\"m\",\"input\":\"x\"," TOOLS "}");
        gs_alloc_fail_at(n);
        say(&t, (struct gs_event){.kind = GS_EVENT_START});
        say_block(&t, GS_BLOCK_TEXT, NULL, "a");
        say_block(&t, GS_BLOCK_TOOL_CALL, "apply_patch", "{\"input\":\"b\"}");
        say_stop(&t, GS_STOP_TOOL_CALL);
        is_done = gs_alloc_count() < n;
        gs_alloc_fail_at(0);
        if (gs_buf_ok(&t.out)) {
            EXPECT(&t, "\"text\":\"a\"}]},");
            EXPECT(&t, "\"name\":\"apply_patch\",\"input\":\"b\"}]");
        }
        finish(&t);
        gs_server_responses_clear(&kept);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_find_their_way_back),
        cmocka_unit_test(test_reasoning_goes_out_as_asked_for),
        cmocka_unit_test(test_reasoning_comes_back),
        cmocka_unit_test(test_an_answer_that_is_cut),
        cmocka_unit_test(test_failures_have_codes),
        cmocka_unit_test(test_the_answer_repeats_what_was_asked),
        cmocka_unit_test(test_silence_begins_with_created),
        cmocka_unit_test(test_a_conversation_goes_on),
        cmocka_unit_test(test_items_are_named),
        cmocka_unit_test(test_input_items_are_listed),
        cmocka_unit_test(test_the_oldest_go_first_and_ends_before_beginnings),
        cmocka_unit_test(test_bytes_are_bounded),
        cmocka_unit_test(test_memory_runs_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
