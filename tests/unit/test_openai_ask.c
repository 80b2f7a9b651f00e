/* Requests to servers of OpenAI's chat APIs. What real clients sent (shared/captures, skipped where
 * that is absent) and what tests/data/dialect/read has reads back as the same chat when it was
 * written for the same API; written for the other one, as the same conversation. */
#include <dirent.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/os.h"
#include "base/slice.h"
#include "cmocka_headers.h"
#include "dialect/client.h"
#include "dialect_dump.h"
#include "signed_by_all.h"
#include "json/json.h"

#define DIR_CAPTURES GENSET_SHARED "/captures"
#define DIR_READ     GENSET_TEST_DATA "/dialect/read"
#define MAX_BYTES    ((size_t)16 << 20)

#define CHAT      (&gs_dialect_client_openai_chat)
#define RESPONSES (&gs_dialect_client_openai_responses)

static const struct {
    const struct gs_dialect *dialect;
    const char *path, *prefix; /* of captures; of files in DIR_READ */
} apis[] = {
    {&gs_dialect_openai_chat, "/v1/chat/completions", "openai-chat.completions."},
    {&gs_dialect_openai_responses, "/v1/responses", "openai-responses.responses."},
    {&gs_dialect_anthropic, "/v1/messages", "anthropic.messages."},
    {&gs_dialect_ollama, "/api/chat", "ollama.chat."},
};

static int n_same, n_other;

/* ---- one chat and how it comes back ---- */

static bool read_chat(const struct gs_dialect *d, const char *path, struct gs_slice body,
                      struct gs_arena *a, struct gs_chat *out)
{
    struct gs_dialect_context ctx = {0};

    return d->read_request(out, &ctx, body, path, a, NULL) == GS_OK && !ctx.errand && !ctx.texts;
}

/* A message's texts as one, as they go to Chat Completions. */
static void join_texts(struct gs_message *m, struct gs_arena *a)
{
    struct gs_block *blocks = (struct gs_block *)m->blocks;
    struct gs_block *last = NULL;
    size_t n = 0;

    for (size_t i = 0; i < m->n_blocks; i++) {
        if (blocks[i].kind == GS_BLOCK_IMAGE)
            return;
    }
    for (size_t i = 0; i < m->n_blocks; i++) {
        if (blocks[i].kind == GS_BLOCK_TEXT && last) {
            last->text = gs_arena_printf(a, "%.*s\n\n%.*s", (int)last->text.len, last->text.ptr,
                                         (int)blocks[i].text.len, blocks[i].text.ptr);
            continue;
        }
        blocks[n] = blocks[i];
        if (blocks[n].kind == GS_BLOCK_TEXT)
            last = &blocks[n];
        n++;
    }
    m->n_blocks = n;
}

/* What the API has no words for, or its servers no use. */
static void forget(const struct gs_dialect_client *c, struct gs_chat *chat, struct gs_arena *a)
{
    size_t n_tools = 0;

    drop_marks(chat);
    for (size_t i = 0; i < chat->n_messages; i++) {
        struct gs_message *m = (struct gs_message *)&chat->messages[i];
        for (size_t k = 0; k < m->n_blocks; k++) {
            struct gs_block *block = (struct gs_block *)&m->blocks[k];
            if (block->is_error)
                block->text = gs_arena_printf(a, "Error: %.*s", (int)block->text.len,
                                              block->text.len ? block->text.ptr : "");
            block->is_error = false;
            if (block->kind == GS_BLOCK_TOOL_CALL || block->kind == GS_BLOCK_TOOL_RESULT)
                block->id = block->id.len ? block->id : GS_SLICE_LIT("call_0");
            if (block->kind == GS_BLOCK_REASONING && c == CHAT)
                block->signature.len = 0;
        }
        if (c == CHAT)
            join_texts(m, a);
    }
    for (size_t i = 0; i < chat->n_tools; i++) {
        struct gs_tool *tools = (struct gs_tool *)chat->tools;
        bool is_allowed = chat->n_allowed_tools == 0;
        for (size_t k = 0; k < chat->n_allowed_tools; k++)
            is_allowed |= gs_slice_eq(chat->allowed_tools[k], tools[i].name);
        if (!tools[i].parameters.len)
            tools[i].parameters = GS_SLICE_LIT("{\"type\":\"object\",\"properties\":{}}");
        if (is_allowed)
            tools[n_tools++] = tools[i];
    }
    chat->n_tools = n_tools;
    chat->n_allowed_tools = 0;
    if (n_tools == 0) {
        chat->tool_choice = GS_TOOL_CHOICE_AUTO;
        chat->one_tool_call = false;
    }
    if (chat->thinking == GS_THINKING_ON && gs_slice_eq_str(chat->effort, "max"))
        chat->effort = GS_SLICE_LIT("high");
    chat->max_reasoning_tokens = 0;
    chat->keep.is_set = false;
    chat->sampling.repeat_last_n = 64;
}

static void fail_difference(const char *what, struct gs_slice want, struct gs_slice got)
{
    size_t at = 0;

    for (size_t i = 0; i < want.len && i < got.len && want.ptr[i] == got.ptr[i]; i++)
        at = want.ptr[i] == '\n' ? i + 1 : at;
    want = gs_slice_sub(want, at, at + 300);
    got = gs_slice_sub(got, at, at + 300);
    fail_msg("%s: expected\n%.*s\nfound\n%.*s", what, (int)want.len, want.ptr, (int)got.len,
             got.ptr);
}

static void compare(const char *what, const struct gs_chat *want, const struct gs_chat *got)
{
    struct gs_buf a, b;

    gs_buf_init(&a, MAX_BYTES);
    gs_buf_init(&b, MAX_BYTES);
    dump_chat(&a, want);
    dump_chat(&b, got);
    if (!gs_slice_eq(gs_buf_view(&a), gs_buf_view(&b)))
        fail_difference(what, gs_buf_view(&a), gs_buf_view(&b));
    gs_buf_clear(&a);
    gs_buf_clear(&b);
}

/* All that is said, role by role, without what APIs group as they like. */
static void dump_said(struct gs_buf *b, const struct gs_chat *c)
{
    static const enum gs_block_kind kinds[] = {GS_BLOCK_TEXT, GS_BLOCK_TOOL_CALL,
                                               GS_BLOCK_TOOL_RESULT, GS_BLOCK_IMAGE};

    for (size_t k = 0; k < GS_COUNT_OF(kinds); k++) {
        for (size_t i = 0; i < c->n_messages; i++) {
            for (size_t n = 0; n < c->messages[i].n_blocks; n++) {
                const struct gs_block *block = &c->messages[i].blocks[n];
                if (block->kind != kinds[k])
                    continue;
                for (size_t t = 0; t < block->text.len; t++) {
                    if (block->text.ptr[t] != '\n')
                        gs_buf_putc(b, block->text.ptr[t]);
                }
                dump_slice(b, "name",
                           kinds[k] == GS_BLOCK_TOOL_CALL ? block->name : gs_slice(NULL, 0));
                dump_slice(b, "args", block->args);
            }
        }
    }
    for (size_t i = 0; i < c->n_tools; i++)
        dump_slice(b, "tool", c->tools[i].name);
}

static void compare_said(const char *what, const struct gs_chat *want, const struct gs_chat *got)
{
    struct gs_buf a, b;

    gs_buf_init(&a, MAX_BYTES);
    gs_buf_init(&b, MAX_BYTES);
    dump_said(&a, want);
    dump_said(&b, got);
    if (!gs_slice_eq(gs_buf_view(&a), gs_buf_view(&b)))
        fail_difference(what, gs_buf_view(&a), gs_buf_view(&b));
    gs_buf_clear(&a);
    gs_buf_clear(&b);
}

/* There and back. */
static void round_trip(const char *what, size_t api, const struct gs_dialect_client *c,
                       struct gs_slice body)
{
    const struct gs_dialect *from = apis[api].dialect;
    const char *path = c == CHAT ? apis[0].path : apis[1].path;
    struct gs_chat chat, again;
    struct gs_error err = {0};
    struct gs_buf written;
    struct gs_arena a;

    gs_arena_init(&a, 0);
    gs_buf_init(&written, MAX_BYTES);
    if (read_chat(from, apis[api].path, body, &a, &chat)) {
        const struct gs_dialect_to to = {.model = chat.model,
                                         .is_theirs = signed_by_all,
                                         .takes_extensions = true,
                                         .says_continue = true,
                                         .stream = chat.stream};
        const enum gs_status st = c->write_request(&chat, &to, &written, &err);
        if (st != GS_OK && st != GS_EUNSUPPORTED)
            fail_msg("%s: %s", what, err.msg);
        if (st == GS_OK && !read_chat(c->server, path, gs_buf_view(&written), &a, &again))
            fail_msg("%s: not read back: %.*s", what, (int)written.len, written.ptr);
        if (st == GS_OK)
            forget(c, &chat, &a);
        if (st == GS_OK && from == c->server) {
            compare(what, &chat, &again);
            n_same++;
        } else if (st == GS_OK) {
            compare_said(what, &chat, &again);
            n_other++;
        } else {
            assert_int_equal(written.len, 0);
        }
    }
    gs_buf_clear(&written);
    gs_arena_clear(&a);
}

static void round_trips(const char *what, size_t api, struct gs_slice body)
{
    round_trip(what, api, CHAT, body);
    round_trip(what, api, RESPONSES, body);
}

static void test_samples(void **state)
{
    DIR *dir = opendir(DIR_READ);

    (void)state;
    assert_non_null(dir);
    n_same = 0;
    for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
        for (size_t i = 0; i < GS_COUNT_OF(apis); i++) {
            char path[1024];
            struct gs_buf body;
            if (!gs_slice_starts(gs_slice_str(e->d_name), gs_slice_str(apis[i].prefix)) ||
                !gs_slice_ends(gs_slice_str(e->d_name), GS_SLICE_LIT(".json")))
                continue;
            snprintf(path, sizeof(path), "%s/%s", DIR_READ, e->d_name);
            gs_buf_init(&body, MAX_BYTES);
            assert_int_equal(gs_os_read_file(path, &body, NULL), GS_OK);
            round_trips(e->d_name, i, gs_buf_view(&body));
            gs_buf_clear(&body);
        }
    }
    closedir(dir);
    assert_true(n_same > 15);
}

static void replay(const char *file)
{
    struct gs_buf text, body;
    struct gs_arena a;
    struct gs_json capture;

    gs_arena_init(&a, 0);
    gs_buf_init(&text, MAX_BYTES);
    gs_buf_init(&body, MAX_BYTES);
    assert_int_equal(gs_os_read_file(file, &text, NULL), GS_OK);
    assert_int_equal(gs_json_parse(gs_buf_view(&text), &a, &capture, NULL), GS_OK);
    const struct gs_json *path = gs_json_get(&capture, "path");
    const struct gs_json *sent = gs_json_get(&capture, "body");
    if (sent)
        gs_json_write(&body, sent);
    for (size_t i = 0; path && sent && i < GS_COUNT_OF(apis); i++) {
        const size_t end = gs_slice_find(path->u.string, GS_SLICE_LIT("?"), 0);
        if (gs_slice_eq_str(gs_slice_sub(path->u.string, 0, end), apis[i].path))
            round_trips(file, i, gs_buf_view(&body));
    }
    gs_buf_clear(&body);
    gs_buf_clear(&text);
    gs_arena_clear(&a);
}

static void test_captures(void **state)
{
    DIR *dir = opendir(DIR_CAPTURES);

    (void)state;
    if (!dir) {
        print_message("no %s: skipped\n", DIR_CAPTURES);
        skip();
    }
    n_same = n_other = 0;
    for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
        char folder[512];
        snprintf(folder, sizeof(folder), "%s/%.200s", DIR_CAPTURES, e->d_name);
        DIR *in = e->d_name[0] == '.' ? NULL : opendir(folder);
        for (struct dirent *f = in ? readdir(in) : NULL; f; f = readdir(in)) {
            char file[1024];
            snprintf(file, sizeof(file), "%s/%.300s", folder, f->d_name);
            if (gs_slice_starts(gs_slice_str(f->d_name), GS_SLICE_LIT("request-")))
                replay(file);
        }
        if (in)
            closedir(in);
    }
    closedir(dir);
    print_message("%d captured requests written again, %d for another API\n", n_same, n_other);
    assert_true(n_same > 0 && n_other > 0);
}

/* ---- spelling ---- */

#define HI "\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]"
#define ITEM                                                                                       \
    "\"input\":[{\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":\"input_text\","    \
    "\"text\":\"Hi\"}]}]"
#define TOOL(name)                                                                                 \
    "{\"type\":\"function\",\"function\":{\"name\":\"" name "\",\"parameters\":{\"type\":"         \
    "\"object\"}}}"
#define TOOLS "\"tools\":[" TOOL("f") "," TOOL("g") "]"
#define ALLOWED(m)                                                                                 \
    "\"tool_choice\":{\"type\":\"allowed_tools\",\"allowed_tools\":{\"mode\":\"" m                 \
    "\",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"g\"}}]}}"
#define BIG(model) "{\"model\":\"" model "\","

/* What is written of a chat that a client of Chat Completions sent, or why nothing is. */
static const struct {
    const struct gs_dialect_client *client;
    const char *model, *body, *written;
    bool is_lenient;
} spellings[] = {
    {CHAT, "gpt-4o", HI ",\"max_tokens\":5,\"temperature\":0.7,\"top_k\":3,\"seed\":-1",
     BIG("gpt-4o") HI ",\"max_tokens\":5,\"temperature\":0.7,\"seed\":-1}", false},
    {CHAT, "gpt-5-mini",
     HI ",\"max_tokens\":5,\"temperature\":0.7,\"reasoning_effort\":\"low\",\"logprobs\":true",
     BIG("gpt-5-mini") HI ",\"max_completion_tokens\":5,\"reasoning_effort\":\"low\"}", false},
    {CHAT, "openai/o3", HI ",\"max_tokens\":5", BIG("openai/o3") HI ",\"max_completion_tokens\":5}",
     false},
    {CHAT, "gpt-oss-20b", HI ",\"max_tokens\":5,\"reasoning_effort\":\"max\"",
     BIG("gpt-oss-20b") HI ",\"max_tokens\":5,\"reasoning_effort\":\"high\"}", false},
    {CHAT, "gpt-5.2", HI ",\"reasoning_effort\":\"none\"",
     BIG("gpt-5.2") HI ",\"reasoning_effort\":\"none\"}", false},
    {CHAT, "gpt-5-nano", HI ",\"reasoning_effort\":\"minimal\"",
     BIG("gpt-5-nano") HI ",\"reasoning_effort\":\"minimal\"}", false},
    {CHAT, "o4-mini", HI ",\"enable_thinking\":false",
     BIG("o4-mini") HI ",\"reasoning_effort\":\"low\"}", false},
    {CHAT, "gpt-5", HI ",\"reasoning\":{\"max_tokens\":31999,\"enabled\":true}",
     BIG("gpt-5") HI ",\"reasoning_effort\":\"high\"}", false},
    {CHAT, "gpt-4.1", HI ",\"reasoning_effort\":\"low\"", BIG("gpt-4.1") HI "}", false},
    {CHAT, "qwen3", HI ",\"reasoning_effort\":\"none\",\"top_k\":3,\"repeat_penalty\":1.1",
     BIG("qwen3") HI ",\"top_k\":3,\"repetition_penalty\":1.1,\"chat_template_kwargs\":{"
                     "\"enable_thinking\":false}}",
     true},
    {CHAT, "o1", HI ",\"stop\":\"x\"", "the model \"o1\" takes no stop strings", false},
    {CHAT, "m", HI ",\"stop\":[\"a\",\"b\",\"c\",\"d\",\"e\"]",
     "OpenAI's API takes 4 stop strings at most, not 5", false},
    {CHAT, "m", HI ",\"stop\":[\"a\",\"b\",\"c\",\"d\",\"e\"]",
     BIG("m") HI ",\"stop\":[\"a\",\"b\",\"c\",\"d\",\"e\"]}", true},
    {CHAT, "m", HI ",\"n\":2", "OpenAI's API cannot say that several answers are wanted", false},
    {CHAT, "m", HI ",\"guided_regex\":\"a+\"",
     "OpenAI's API cannot say a regular expression of the answer", true},
    {CHAT, "m", HI ",\"guided_json\":\"{\"", "OpenAI's API cannot say a schema that is no JSON",
     false},
    {CHAT, "gpt-5", HI "," TOOLS "," ALLOWED("required"),
     BIG("gpt-5") HI "," TOOLS "," ALLOWED("required") "}", false},
    {CHAT, "m", HI "," TOOLS "," ALLOWED("auto"),
     BIG("m") HI ",\"tools\":[" TOOL("g") "],\"tool_choice\":\"auto\"}", false},
    {CHAT, "m", HI "," TOOLS ",\"tool_choice\":\"none\",\"parallel_tool_calls\":false",
     BIG("m") HI "," TOOLS ",\"tool_choice\":\"none\",\"parallel_tool_calls\":false}", false},
    /* reasoning only where it is taken; an open turn is continued only where that can be said */
    {CHAT, "m",
     "\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":"
     "\"b\",\"reasoning_content\":\"c\"}]",
     BIG("m") "\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\","
              "\"content\":\"b\"}]}",
     false},
    {CHAT, "m",
     "\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":"
     "\"b\",\"reasoning_content\":\"c\"}]",
     BIG("m") "\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\","
              "\"content\":\"b\",\"reasoning_content\":\"c\"}],\"continue_final_message\":true,"
              "\"add_generation_prompt\":false}",
     true},
    /* calls and results without ids get some; images stand beside results */
    {CHAT, "m",
     "\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\","
     "\"function_call\":{\"name\":\"f\",\"arguments\":\"\"}},{\"role\":\"function\",\"name\":"
     "\"f\",\"content\":[{\"type\":\"text\",\"text\":\"r\"},{\"type\":\"image_url\",\"image_url\":"
     "{\"url\":\"https://x/y\"}}]}]",
     BIG("m") "\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\","
              "\"content\":null,\"tool_calls\":[{\"id\":\"call_0\",\"type\":\"function\","
              "\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},{\"role\":\"tool\","
              "\"tool_call_id\":\"call_0\",\"content\":\"r\"},{\"role\":\"user\",\"content\":[{"
              "\"type\":\"image_url\",\"image_url\":{\"url\":\"https://x/y\"}}]}]}",
     false},
    {RESPONSES, "gpt-4o", HI ",\"max_tokens\":20,\"temperature\":0.5,\"seed\":1",
     BIG("gpt-4o") ITEM ",\"max_output_tokens\":20,\"temperature\":0.5,\"store\":false}", false},
    {RESPONSES, "m", HI ",\"max_tokens\":5",
     "OpenAI's Responses API cannot be limited to less than 16 tokens", false},
    {RESPONSES, "m", HI ",\"stop\":\"x\"", "OpenAI's Responses API has no stop strings", false},
    {RESPONSES, "m",
     HI "," TOOLS "," ALLOWED("auto") ",\"response_format\":{\"type\":\"json_object\"}",
     BIG("m") ITEM
     ",\"tools\":[{\"type\":\"function\",\"name\":\"g\",\"parameters\":{\"type\":"
     "\"object\"},\"strict\":false}],\"tool_choice\":\"auto\",\"text\":{\"format\":{\"type\":"
     "\"json_object\"}},\"store\":false}",
     false},
    {RESPONSES, "gpt-5", HI ",\"reasoning_effort\":\"xhigh\",\"logprobs\":true,\"top_logprobs\":2",
     BIG("gpt-5") ITEM ",\"reasoning\":{\"effort\":\"xhigh\"},\"include\":["
                       "\"message.output_text.logprobs\"],\"top_logprobs\":2,\"store\":false}",
     false},
};

static void test_spellings(void **state)
{
    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(spellings); i++) {
        const struct gs_dialect_to to = {.model = gs_slice_str(spellings[i].model),
                                         .takes_extensions = spellings[i].is_lenient,
                                         .says_continue = spellings[i].is_lenient};
        struct gs_error err = {0};
        struct gs_chat chat;
        struct gs_arena a;
        struct gs_buf got;
        gs_arena_init(&a, 0);
        gs_buf_init(&got, MAX_BYTES);
        const struct gs_slice body =
            gs_arena_printf(&a, "{\"model\":\"as-asked\",%s}", spellings[i].body);
        assert_true(read_chat(&gs_dialect_openai_chat, apis[0].path, body, &a, &chat));
        const enum gs_status st = spellings[i].client->write_request(&chat, &to, &got, &err);
        assert_true(st == GS_OK || (st == GS_EUNSUPPORTED && got.len == 0));
        const struct gs_slice said = st == GS_OK ? gs_buf_view(&got) : gs_slice_str(err.msg);
        if (!gs_slice_eq_str(said, spellings[i].written))
            fail_msg("%s: written as\n%.*s\ninstead of\n%s", spellings[i].body, (int)said.len,
                     said.ptr, spellings[i].written);
        gs_buf_clear(&got);
        gs_arena_clear(&a);
    }
}

/* Google's takes no call of Gemini 3 that nobody signed; of several the first is. */
static void test_signed_calls(void **state)
{
    static const struct {
        const char *model;
        bool is_google, is_signed;
    } rows[] = {{"gemini-3-pro-preview", true, true},
                {"google/gemini-3.1-flash", true, true},
                {"gemini-pro-latest", true, true},
                {"gemini-2.5-pro", true, false},
                {"gemini-", true, false},
                {"gemini-3-pro-preview", false, false}};
    const struct gs_slice mark =
        GS_SLICE_LIT(",\"arguments\":\"{}\"},\"extra_content\":{\"google\":{"
                     "\"thought_signature\":\"skip_thought_signature_validator\"}}},{\"id\":\"b\"");
    const struct gs_block blocks[] = {
        {.kind = GS_BLOCK_TOOL_CALL, .id = GS_SLICE_LIT("a"), .name = GS_SLICE_LIT("f")},
        {.kind = GS_BLOCK_TOOL_CALL, .id = GS_SLICE_LIT("b"), .name = GS_SLICE_LIT("f")}};
    const struct gs_message message = {GS_ROLE_ASSISTANT, blocks, 2};
    struct gs_chat chat = {.messages = &message, .n_messages = 1};

    (void)state;
    gs_sampling_init(&chat.sampling);
    for (size_t i = 0; i < GS_COUNT_OF(rows); i++) {
        const struct gs_dialect_to to = {.model = gs_slice_str(rows[i].model),
                                         .wants_signed_calls = rows[i].is_google};
        struct gs_error err = {0};
        struct gs_buf got;
        gs_buf_init(&got, MAX_BYTES);
        assert_int_equal(gs_dialect_client_openai_chat.write_request(&chat, &to, &got, &err),
                         GS_OK);
        const size_t at = gs_slice_find(gs_buf_view(&got), mark, 0);
        assert_int_equal(at != SIZE_MAX, rows[i].is_signed);
        assert_int_equal(gs_slice_find(gs_buf_view(&got), GS_SLICE_LIT("extra_content"),
                                       rows[i].is_signed ? at + mark.len : 0),
                         SIZE_MAX);
        gs_buf_clear(&got);
    }
}

/* An answer that broke off goes on only where the last thing said is a text. */
static void test_what_broke_off(void **state)
{
    struct gs_block blocks[] = {{.kind = GS_BLOCK_TEXT, .text = GS_SLICE_LIT("Half an ans")},
                                {.kind = GS_BLOCK_REASONING, .text = GS_SLICE_LIT("Hm")}};
    struct gs_message messages[] = {{GS_ROLE_ASSISTANT, blocks, 1}};
    struct gs_chat chat = {.messages = messages, .n_messages = 1, .broke_off = true};
    const struct gs_dialect_to to = {.model = GS_SLICE_LIT("m")};
    struct gs_buf b;
    struct gs_error err;

    (void)state;
    gs_sampling_init(&chat.sampling);
    gs_buf_init(&b, MAX_BYTES);
    assert_int_equal(CHAT->write_request(&chat, &to, &b, &err), GS_OK);
    assert_int_equal(RESPONSES->write_request(&chat, &to, &b, &err), GS_EUNSUPPORTED);
    messages[0].n_blocks = 2;
    assert_int_equal(CHAT->write_request(&chat, &to, &b, &err), GS_EUNSUPPORTED);
    gs_buf_clear(&b);
}

static void test_signatures_go_home_only(void **state)
{
    const struct gs_block blocks[] = {{.kind = GS_BLOCK_REASONING,
                                       .text = GS_SLICE_LIT("Hm"),
                                       .signature = GS_SLICE_LIT("gAAA")}};
    const struct gs_message messages[] = {{GS_ROLE_ASSISTANT, blocks, 1}};
    struct gs_chat chat = {.messages = messages, .n_messages = 1};
    struct gs_dialect_to to = {.model = GS_SLICE_LIT("gpt-5")};
    struct gs_error err;

    (void)state;
    gs_sampling_init(&chat.sampling);
    for (int sends = 0; sends < 2; sends++) {
        struct gs_buf b;
        gs_buf_init(&b, MAX_BYTES);
        to.is_theirs = sends ? signed_by_all : NULL;
        assert_int_equal(RESPONSES->write_request(&chat, &to, &b, &err), GS_OK);
        assert_int_equal(gs_slice_find(gs_buf_view(&b), GS_SLICE_LIT("gAAA"), 0) != SIZE_MAX,
                         sends);
        assert_int_equal(CHAT->write_request(&chat, &to, &b, &err), GS_OK);
        gs_buf_clear(&b);
    }
}

static void test_memory_runs_out(void **state)
{
    struct gs_error err = {0};
    struct gs_chat chat;
    struct gs_arena a;

    (void)state;
    gs_arena_init(&a, 0);
    assert_true(read_chat(
        &gs_dialect_openai_chat, apis[0].path,
        GS_SLICE_LIT("{\"model\":\"m\"," HI "," TOOLS ",\"guided_json\":{\"type\":\"object\"}}"),
        &a, &chat));
    for (int c = 0; c < 2; c++) {
        const struct gs_dialect_client *client = c ? RESPONSES : CHAT;
        const struct gs_dialect_to to = {.model = GS_SLICE_LIT("m")};
        enum gs_status st = GS_ENOMEM;
        for (long n = 1; n < 100 && st != GS_OK; n++) {
            struct gs_buf b;
            gs_buf_init(&b, MAX_BYTES);
            gs_alloc_fail_at(n);
            st = client->write_request(&chat, &to, &b, &err);
            gs_alloc_fail_at(0);
            assert_true(st == GS_OK || (st == GS_ENOMEM && err.code == GS_ENOMEM && b.len == 0));
            gs_buf_clear(&b);
        }
        assert_int_equal(st, GS_OK);
    }
    gs_arena_clear(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples),         cmocka_unit_test(test_captures),
        cmocka_unit_test(test_spellings),       cmocka_unit_test(test_signed_calls),
        cmocka_unit_test(test_what_broke_off),  cmocka_unit_test(test_signatures_go_home_only),
        cmocka_unit_test(test_memory_runs_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
