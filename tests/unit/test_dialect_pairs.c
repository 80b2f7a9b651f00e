/* One dense conversation, and all that a request may say besides, written for a server of every API
 * and read as that server reads it: tests/data/dialect/pairs has what is left of it, and what is
 * refused. And every end of an answer with its counts, written and heard.
 *
 * GENSET_GOLDEN_UPDATE=1 writes the expected files anew; the review reads the difference. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/os.h"
#include "base/slice.h"
#include "cmocka_headers.h"
#include "dialect/client.h"
#include "dialect_dump.h"
#include "signed_by_all.h"

#define DIR_PAIRS GENSET_TEST_DATA "/dialect/pairs"
#define MAX_BYTES ((size_t)1 << 20)
#define S(text)   GS_SLICE_LIT(text)
#define PNG       "iVBORw0KGgo="
#define SCHEMA    "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"}}}"

static const struct gs_block system_blocks[] = {
    {.kind = GS_BLOCK_TEXT, .text = S("You are terse.")},
    {.kind = GS_BLOCK_TEXT, .text = S("Speak \xc3\xa9nglish.")}};
static const struct gs_block user_blocks[] = {
    {.kind = GS_BLOCK_TEXT, .text = S("What is this?")},
    {.kind = GS_BLOCK_IMAGE, .name = S("image/png"), .text = S(PNG)},
    {.kind = GS_BLOCK_TEXT, .text = S("And that?")},
    {.kind = GS_BLOCK_IMAGE, .text = S("https://x/y.png")}};
static const struct gs_block said_blocks[] = {
    {.kind = GS_BLOCK_REASONING, .text = S("Hm."), .signature = S("Eq+/")},
    {.kind = GS_BLOCK_TEXT, .text = S("I look.")},
    {.kind = GS_BLOCK_TOOL_CALL,
     .id = S("call_1"),
     .name = S("look"),
     .args = S("{\"b\":1,\"a\":\"\\u00e9\"}")},
    {.kind = GS_BLOCK_TOOL_CALL, .id = S("call_2"), .name = S("read"), .args = S("{}")}};
static const struct gs_block result_blocks[] = {
    {.kind = GS_BLOCK_TOOL_RESULT, .id = S("call_1"), .name = S("look"), .text = S("a picture")},
    {.kind = GS_BLOCK_IMAGE, .name = S("image/png"), .text = S(PNG)},
    {.kind = GS_BLOCK_TOOL_RESULT,
     .id = S("call_2"),
     .name = S("read"),
     .text = S("no such file"),
     .is_error = true}};
static const struct gs_block more_blocks[] = {{.kind = GS_BLOCK_TEXT, .text = S("Go on.")}};
static const struct gs_message messages[] = {
    {GS_ROLE_SYSTEM, system_blocks, GS_COUNT_OF(system_blocks)},
    {GS_ROLE_USER, user_blocks, GS_COUNT_OF(user_blocks)},
    {GS_ROLE_ASSISTANT, said_blocks, GS_COUNT_OF(said_blocks)},
    {GS_ROLE_TOOL, result_blocks, GS_COUNT_OF(result_blocks)},
    {GS_ROLE_USER, more_blocks, GS_COUNT_OF(more_blocks)}};
static const struct gs_tool tools[] = {
    {.name = S("look"), .description = S("Looks."), .parameters = S(SCHEMA)},
    {.name = S("read"), .parameters = S(SCHEMA)}};
static const struct gs_slice stops[] = {S("END"), S("###")};

static const struct gs_dialect_client *const apis[] = {
    &gs_dialect_client_anthropic, &gs_dialect_client_openai_chat,
    &gs_dialect_client_openai_responses, &gs_dialect_client_ollama};

static void compare(const char *path, const struct gs_buf *got)
{
    struct gs_buf want;

    if (getenv("GENSET_GOLDEN_UPDATE")) {
        assert_int_equal(gs_os_write_file(path, got->ptr, got->len, NULL), GS_OK);
        return;
    }
    gs_buf_init(&want, MAX_BYTES);
    assert_int_equal(gs_os_read_file(path, &want, NULL), GS_OK);
    if (!gs_slice_eq(gs_buf_view(&want), gs_buf_view(got)))
        fail_msg("%s: found\n%.*s", path, (int)got->len, got->ptr);
    gs_buf_clear(&want);
}

/* ---- requests ---- */

static void dense(struct gs_chat *chat)
{
    *chat = (struct gs_chat){.model = S("m"),
                             .messages = messages,
                             .n_messages = GS_COUNT_OF(messages),
                             .tools = tools,
                             .n_tools = GS_COUNT_OF(tools),
                             .max_tokens = 4000,
                             .thinking = GS_THINKING_ON,
                             .effort = S("high")};
    gs_sampling_init(&chat->sampling);
}

/* What else a request may say, each alone, of the last message. */
static void vary(struct gs_chat *chat, int n)
{
    static const struct gs_slice allowed[] = {S("read")};

    chat->messages = &messages[GS_COUNT_OF(messages) - 1];
    chat->n_messages = 1;
    chat->stops = stops;
    chat->n_stops = n == 0 ? GS_COUNT_OF(stops) : 0;
    chat->format.kind = n == 1 ? GS_FORMAT_SCHEMA : n == 2 ? GS_FORMAT_JSON : GS_FORMAT_TEXT;
    chat->format.spec = n == 1 ? S(SCHEMA) : gs_slice(NULL, 0);
    chat->tool_choice = n == 3   ? GS_TOOL_CHOICE_NONE
                        : n == 4 ? GS_TOOL_CHOICE_ANY
                        : n == 5 ? GS_TOOL_CHOICE_NAMED
                                 : GS_TOOL_CHOICE_AUTO;
    chat->tool_choice_name = n == 5 ? S("read") : gs_slice(NULL, 0);
    chat->one_tool_call = n == 6;
    chat->allowed_tools = allowed;
    chat->n_allowed_tools = n == 7;
    if (n == 8)
        chat->thinking = GS_THINKING_OFF;
    if (n == 8 || n == 9)
        chat->effort.len = 0;
    chat->max_reasoning_tokens = n == 9 ? 2000 : 0;
    if (n != 10)
        return;
    chat->thinking = GS_THINKING_OFF;
    chat->effort.len = 0;
    chat->sampling.temperature = 0.5f;
    chat->sampling.top_p = 0.5f;
    chat->sampling.has_seed = true;
    chat->sampling.seed = 7;
}

static const char *const variations[] = {"stop strings", "a schema",       "JSON",     "no call",
                                         "any call",     "a call by name", "one call", "one tool",
                                         "no reasoning", "a budget",       "sampling"};

/* What the API's server reads of it, or why it is not written. */
static void put_pair(const struct gs_dialect_client *c, const struct gs_chat *chat,
                     struct gs_buf *out)
{
    const struct gs_dialect_to to = {
        .model = S("m"), .is_theirs = signed_by_all, .takes_extensions = true, .stream = true};
    struct gs_dialect_context ctx = {0};
    struct gs_error err = {0};
    struct gs_chat again;
    struct gs_buf body;
    struct gs_arena a;

    gs_arena_init(&a, 0);
    gs_buf_init(&body, MAX_BYTES);
    if (c->write_request(chat, &to, &body, &err) == GS_OK) {
        if (c->server->read_request(&again, &ctx, gs_buf_view(&body), c->path, &a, &err) != GS_OK)
            fail_msg("%s: %s", c->name, err.msg);
        assert_true(ctx.stream);
        drop_marks(&again);
        dump_chat(out, &again);
    } else {
        assert_int_equal(err.code, GS_EUNSUPPORTED);
        gs_buf_printf(out, "refused: %s\n", err.msg);
    }
    gs_buf_clear(&body);
    gs_arena_clear(&a);
}

static void test_requests(void **state)
{
    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(apis); i++) {
        struct gs_message without_url[GS_COUNT_OF(messages)];
        struct gs_chat chat;
        struct gs_buf got;
        char path[512];
        gs_buf_init(&got, MAX_BYTES);
        dense(&chat);
        gs_buf_puts(&got, "== all\n");
        put_pair(apis[i], &chat, &got);
        memcpy(without_url, messages, sizeof(messages));
        without_url[1].n_blocks--;
        chat.messages = without_url;
        gs_buf_puts(&got, "== without the image's address\n");
        put_pair(apis[i], &chat, &got);
        for (int n = 0; n < (int)GS_COUNT_OF(variations); n++) {
            dense(&chat);
            vary(&chat, n);
            gs_buf_printf(&got, "== %s\n", variations[n]);
            put_pair(apis[i], &chat, &got);
        }
        snprintf(path, sizeof(path), "%s/%s.chats", DIR_PAIRS, apis[i]->name);
        compare(path, &got);
        gs_buf_clear(&got);
    }
}

/* ---- answers ---- */

static enum gs_flow keep_stop(void *ud, const struct gs_event *ev)
{
    if (ev->kind == GS_EVENT_STOP)
        *(struct gs_event *)ud = *ev;
    return GS_FLOW_CONTINUE;
}

/* The answer of an API's server, streamed or not, as its client hears the end of it. */
static void hear_stop(const struct gs_dialect_client *c, enum gs_stop_reason stop, bool stream,
                      struct gs_event *out)
{
    const struct gs_usage usage = {.prompt_tokens = 100,
                                   .cached_tokens = 60,
                                   .cache_write_tokens = 30,
                                   .answer_tokens = 9,
                                   .reasoning_tokens = 4};
    const enum gs_block_kind kind = stop == GS_STOP_TOOL_CALL ? GS_BLOCK_TOOL_CALL : GS_BLOCK_TEXT;
    const struct gs_event events[] = {
        {.kind = GS_EVENT_START, .usage = {.prompt_tokens = 100}},
        {.kind = GS_EVENT_BEGIN, .block = kind, .name = S("f")},
        {.kind = GS_EVENT_DELTA, .block = kind, .text = S("{}")},
        {.kind = GS_EVENT_END, .block = kind},
        {.kind = GS_EVENT_STOP, .stop = stop, .stop_sequence = S("END"), .usage = usage}};
    const struct gs_dialect_context ctx = {
        .model = S("m"), .request_id = S("req_1"), .stream = stream, .include_usage = true};
    void *written = gs_alloc_zero(c->server->state_bytes);
    void *heard = gs_alloc_zero(c->state_bytes);
    struct gs_dialect_frames frames;
    struct gs_dialect_frame frame;
    enum gs_fault fault = GS_FAULT_NONE;
    struct gs_error err = {0};
    struct gs_arena a;
    struct gs_buf b;

    gs_arena_init(&a, 0);
    gs_buf_init(&b, MAX_BYTES);
    for (size_t i = 0; i < GS_COUNT_OF(events); i++)
        c->server->write_event(written, &ctx, &events[i], &b);
    gs_dialect_frames_init(&frames, c->framing, MAX_BYTES);
    if (stream) {
        assert_int_equal(gs_dialect_frames_feed(&frames, gs_buf_view(&b), &err), GS_OK);
        while (gs_dialect_frames_next(&frames, &frame))
            (void)c->read_frame(heard, &frame, keep_stop, out, &fault, &err);
    } else {
        (void)c->read_whole(gs_buf_view(&b), &a, keep_stop, out, &fault, &err);
    }
    if (fault != GS_FAULT_NONE)
        fail_msg("%s: %s", c->name, err.msg);
    gs_dialect_frames_clear(&frames);
    c->server->clear_state(written);
    c->clear_state(heard);
    gs_free(written);
    gs_free(heard);
    gs_arena_clear(&a);
    gs_buf_clear(&b);
}

/* By enum gs_stop_reason: END, LENGTH, CONTEXT, SEQUENCE, TOOL_CALL, REFUSAL. */
static const enum gs_stop_reason heard_as[][6] = {
    {0, 1, 2, 3, 4, 5}, /* Anthropic has a word for each */
    {0, 1, 1, 0, 4, 5},
    {0, 2, 2, 0, 4, 5}, /* nobody asked for a limit */
    {0, 1, 1, 0, 4, 5},
};

static void test_stops(void **state)
{
    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(apis); i++) {
        for (int stop = GS_STOP_END; stop <= GS_STOP_REFUSAL; stop++) {
            for (int stream = 0; stream < 2; stream++) {
                const bool is_ollama = apis[i] == &gs_dialect_client_ollama;
                struct gs_event ev = {.kind = GS_EVENT_START};
                hear_stop(apis[i], (enum gs_stop_reason)stop, stream, &ev);
                if (ev.kind != GS_EVENT_STOP || ev.stop != heard_as[i][stop])
                    fail_msg("%s: stop %d is heard as %d", apis[i]->name, stop, (int)ev.stop);
                assert_int_equal(ev.usage.prompt_tokens, 100);
                assert_int_equal(ev.usage.answer_tokens, 9);
                assert_int_equal(ev.usage.cached_tokens, is_ollama ? 0 : 60);
                assert_int_equal(ev.usage.cache_write_tokens, is_ollama ? 0 : 30);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_requests),
                                       cmocka_unit_test(test_stops)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
