/* Requests written for servers read back as the chat they were written from: those of
 * tests/data/dialect/read and of real clients (shared/captures, skipped where that is absent). And
 * what an API cannot say is refused by name, with nothing written. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

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

static const struct {
    const struct gs_dialect_client *client;
    const char *path;   /* of captures */
    const char *prefix; /* of files in DIR_READ */
} apis[] = {
    {&gs_dialect_client_anthropic, "/v1/messages", "anthropic.messages."},
    {&gs_dialect_client_ollama, "/api/chat", "ollama.chat."},
};

static int n_written;

/* ---- there and back ---- */

static bool read_chat(const struct gs_dialect_client *c, struct gs_slice body, struct gs_arena *a,
                      struct gs_chat *out)
{
    struct gs_dialect_context ctx = {0};

    return c->server->read_request(out, &ctx, body, c->path, a, NULL) == GS_OK && !ctx.errand;
}

/* Samples ask for thinking together with what the API does not let it go with. */
static bool may_think(const struct gs_chat *chat)
{
    return !chat->continue_last && chat->max_tokens > 1024 &&
           (chat->tool_choice == GS_TOOL_CHOICE_AUTO || chat->tool_choice == GS_TOOL_CHOICE_NONE);
}

/* A schema is asked for even where a tool has none. */
static void give_schemas(const struct gs_chat *chat)
{
    for (size_t i = 0; i < chat->n_tools; i++)
        if (chat->tools[i].parameters.len == 0)
            ((struct gs_tool *)chat->tools)[i].parameters =
                GS_SLICE_LIT("{\"type\":\"object\",\"properties\":{}}");
}

/* The first line that differs. */
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

static void round_trip(const char *what, const struct gs_dialect_client *c, struct gs_slice body)
{
    struct gs_arena a;
    struct gs_chat chat, again;
    struct gs_buf written, want, got;
    struct gs_error err = {0};

    gs_arena_init(&a, 0);
    gs_buf_init(&written, MAX_BYTES);
    gs_buf_init(&want, MAX_BYTES);
    gs_buf_init(&got, MAX_BYTES);
    if (read_chat(c, body, &a, &chat)) {
        const struct gs_dialect_to to = {
            .model = chat.model, .is_theirs = signed_by_all, .stream = chat.stream};
        const enum gs_status st = c->write_request(&chat, &to, &written, &err);
        if (st != GS_OK)
            fail_msg("%s: %s", what, err.msg);
        if (!read_chat(c, gs_buf_view(&written), &a, &again))
            fail_msg("%s: not read back: %.*s", what, (int)written.len, written.ptr);
        if (again.thinking == GS_THINKING_OFF && !may_think(&chat)) {
            chat.thinking = GS_THINKING_OFF;
            chat.max_reasoning_tokens = 0;
        }
        chat.max_tokens = chat.max_tokens ? chat.max_tokens : again.max_tokens;
        give_schemas(&chat);
        chat.one_tool_call = chat.one_tool_call && chat.n_tools > 0;
        dump_chat(&want, &chat);
        if (gs_slice_find(gs_buf_view(&want), GS_SLICE_LIT(" cache="), 0) == SIZE_MAX)
            drop_marks(&again); /* those that the asker made up */
        dump_chat(&got, &again);
        if (!gs_slice_eq(gs_buf_view(&want), gs_buf_view(&got)))
            fail_difference(what, gs_buf_view(&want), gs_buf_view(&got));
        assert_int_equal(again.stream, chat.stream);
        n_written++;
    }
    gs_buf_clear(&written);
    gs_buf_clear(&want);
    gs_buf_clear(&got);
    gs_arena_clear(&a);
}

static void read_file(const char *path, struct gs_buf *b)
{
    gs_buf_init(b, MAX_BYTES);
    assert_int_equal(gs_os_read_file(path, b, NULL), GS_OK);
}

static void test_samples(void **state)
{
    DIR *dir = opendir(DIR_READ);

    (void)state;
    assert_non_null(dir);
    n_written = 0;
    for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
        for (size_t i = 0; i < GS_COUNT_OF(apis); i++) {
            char path[1024];
            struct gs_buf body;
            if (strncmp(e->d_name, apis[i].prefix, strlen(apis[i].prefix)) != 0 ||
                !gs_slice_ends(gs_slice_str(e->d_name), GS_SLICE_LIT(".json")))
                continue;
            snprintf(path, sizeof(path), "%s/%s", DIR_READ, e->d_name);
            read_file(path, &body);
            round_trip(e->d_name, apis[i].client, gs_buf_view(&body));
            gs_buf_clear(&body);
        }
    }
    closedir(dir);
    assert_true(n_written > 10);
}

static void replay(const char *file)
{
    struct gs_buf text, body;
    struct gs_arena a;
    struct gs_json capture;

    read_file(file, &text);
    gs_buf_init(&body, MAX_BYTES);
    gs_arena_init(&a, 0);
    assert_int_equal(gs_json_parse(gs_buf_view(&text), &a, &capture, NULL), GS_OK);
    const struct gs_json *path = gs_json_get(&capture, "path");
    const struct gs_json *sent = gs_json_get(&capture, "body");
    for (size_t i = 0; path && sent && i < GS_COUNT_OF(apis); i++) {
        const struct gs_slice bare =
            gs_slice_sub(path->u.string, 0, gs_slice_find(path->u.string, GS_SLICE_LIT("?"), 0));
        if (!gs_slice_eq_str(bare, apis[i].path))
            continue;
        gs_json_write(&body, sent);
        round_trip(file, apis[i].client, gs_buf_view(&body));
    }
    gs_arena_clear(&a);
    gs_buf_clear(&body);
    gs_buf_clear(&text);
}

static void test_captures(void **state)
{
    DIR *dir = opendir(DIR_CAPTURES);

    (void)state;
    if (!dir) {
        print_message("no %s: skipped\n", DIR_CAPTURES);
        skip();
    }
    n_written = 0;
    for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
        char folder[512];
        snprintf(folder, sizeof(folder), "%s/%.200s", DIR_CAPTURES, e->d_name);
        DIR *in = e->d_name[0] == '.' ? NULL : opendir(folder);
        for (struct dirent *f = in ? readdir(in) : NULL; f; f = readdir(in)) {
            char file[1024];
            snprintf(file, sizeof(file), "%s/%.300s", folder, f->d_name);
            if (strncmp(f->d_name, "request-", 8) == 0)
                replay(file);
        }
        if (in)
            closedir(in);
    }
    closedir(dir);
    print_message("%d captured requests written again\n", n_written);
    assert_true(n_written > 0);
}

/* ---- spelling ---- */

/* What is written of a chat that another API's client sent, or the refusal's words. */
static const struct {
    const struct gs_dialect_client *client;
    const struct gs_dialect *from;
    const char *path, *model, *body, *written;
} spellings[] = {
#define TO_ANTHROPIC(model, body, written)                                                         \
    {                                                                                              \
        &gs_dialect_client_anthropic, &gs_dialect_openai_chat, "/v1/chat/completions", model,      \
            "{\"model\":\"m\"," body "}", written                                                  \
    }
#define TO_OLLAMA(body, written)                                                                   \
    {                                                                                              \
        &gs_dialect_client_ollama, &gs_dialect_openai_chat, "/v1/chat/completions", "m",           \
            "{\"model\":\"m\"," body "}", written                                                  \
    }
#define HI          "\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]"
#define MARK        ",\"cache_control\":{\"type\":\"ephemeral\"}"
#define HEAD(model) "{\"model\":\"" model "\",\"max_tokens\":4096,"
#define OPTIONS                                                                                    \
    ",\"options\":{\"top_k\":0,\"repeat_last_n\":64,\"temperature\":1.0,\"top_p\":1.0,\"min_p\":"  \
    "0.0,\"typical_p\":1.0,\"repeat_penalty\":1.0,\"frequency_penalty\":0.0,"                      \
    "\"presence_penalty\":0.0}"
#define HI_PARTS                                                                                   \
    "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"Hi\"}]}]"
    TO_ANTHROPIC("claude-sonnet-4-5", HI, HEAD("claude-sonnet-4-5") HI_PARTS "}"),
    TO_ANTHROPIC("us.anthropic.claude-sonnet-4-6", HI ",\"reasoning_effort\":\"low\"",
                 HEAD("us.anthropic.claude-sonnet-4-6") HI_PARTS
                 ",\"thinking\":{\"type\":\"adaptive\"},\"output_config\":{\"effort\":\"low\"}}"),
    TO_ANTHROPIC("claude-opus-5", HI ",\"temperature\":0.5,\"top_p\":0.5",
                 HEAD("claude-opus-5") HI_PARTS
                 ",\"thinking\":{\"type\":\"adaptive\",\"display\":\"summarized\"}}"),
    TO_ANTHROPIC("claude-3-5-haiku-20241022", HI ",\"temperature\":1.5,\"top_p\":0.5",
                 HEAD("claude-3-5-haiku-20241022") HI_PARTS ",\"temperature\":1.0}"),
    TO_ANTHROPIC("glm-5", HI ",\"temperature\":0.7,\"top_p\":0.5,\"reasoning_effort\":\"none\"",
                 HEAD("glm-5") HI_PARTS ",\"temperature\":0.7,\"top_p\":0.5}"),
    TO_ANTHROPIC("claude-haiku-4-5", HI ",\"reasoning_effort\":\"high\",\"max_tokens\":10000",
                 "{\"model\":\"claude-haiku-4-5\",\"max_tokens\":10000," HI_PARTS
                 ",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":5000}}"),
    TO_ANTHROPIC("claude-haiku-4-5", HI ",\"reasoning_effort\":\"high\",\"max_tokens\":1000",
                 "{\"model\":\"claude-haiku-4-5\",\"max_tokens\":1000," HI_PARTS "}"),
    /* calls without ids that the API takes, results and what follows them in one message, and the
     * system's words in the middle */
    TO_ANTHROPIC(
        "claude-haiku-4-5",
        "\"messages\":[{\"role\":\"system\",\"content\":\"S\"},{\"role\":\"user\",\"content\":"
        "\"a\"},"
        "{\"role\":\"assistant\",\"content\":\" \",\"tool_calls\":[{\"id\":\"f.x:0\",\"type\":"
        "\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},{\"role\":\"tool\","
        "\"tool_call_id\":\"f.x:0\",\"content\":\"r\"},{\"role\":\"user\",\"content\":\"b\"},"
        "{\"role\":\"system\",\"content\":\"T\"}],\"tools\":[{\"type\":\"function\",\"function\":{"
        "\"name\":\"f\"}}],\"tool_choice\":\"required\",\"parallel_tool_calls\":false",
        HEAD("claude-haiku-4-5") "\"system\":[{\"type\":\"text\",\"text\":\"S\"" MARK
                                 "}],\"messages\":[{"
                                 "\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":"
                                 "\"a\"" MARK "}"
                                 "]},{\"role\":\"assistant\","
                                 "\"content\":[{\"type\":\"tool_use\",\"id\":\"f_x_0\",\"name\":"
                                 "\"f\",\"input\":{}}]},{"
                                 "\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_"
                                 "use_id\":\"f_x_0\","
                                 "\"content\":\"r\"},{\"type\":\"text\",\"text\":\"b\"}]},{"
                                 "\"role\":\"user\",\"content\":[{"
                                 "\"type\":\"text\",\"text\":\"<system-reminder>\\nT\\n</"
                                 "system-reminder>\"" MARK "}]}],\"tools\":[{"
                                 "\"name\":\"f\",\"input_schema\":{\"type\":\"object\","
                                 "\"properties\":{}}" MARK "}],\"tool_choice\":{"
                                 "\"type\":\"any\",\"disable_parallel_tool_use\":true}}"),
    TO_ANTHROPIC(
        "glm-5",
        "\"reasoning_effort\":\"none\",\"messages\":[{\"role\":\"user\",\"content\":[{"
        "\"type\":\"image_url\",\"image_url\":{\"url\":\"https://x/y.png\"}},{\"type\":"
        "\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,AA==\"}}]},{"
        "\"role\":\"system\",\"content\":\"T\"},{\"role\":\"assistant\",\"content\":"
        "\"Once \\n\"}]",
        HEAD("glm-5") "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image\","
                      "\"source\":{\"type\":\"url\",\"url\":\"https://x/"
                      "y.png\"}},{\"type\":\"image\","
                      "\"source\":{\"type\":\"base64\",\"media_type\":\"image/"
                      "png\",\"data\":\"AA==\"}}]"
                      "},{\"role\":\"system\",\"content\":[{\"type\":\"text\",\"text\":\"T\"}]},{"
                      "\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"Once\"}]}]"
                      "}"),
    /* what an OpenRouter client marks is marked, and nothing else */
    TO_ANTHROPIC(
        "claude-haiku-4-5",
        "\"messages\":[{\"role\":\"system\",\"content\":[{\"type\":\"text\",\"text\":\"S\","
        "\"cache_control\":{\"type\":\"ephemeral\",\"ttl\":\"1h\"}}]},{\"role\":\"user\","
        "\"content\":\"Hi\"},{\"role\":\"assistant\",\"content\":\"Yes?\"},{\"role\":"
        "\"user\",\"content\":\"Hi\"}]",
        HEAD("claude-haiku-4-5") "\"system\":[{\"type\":\"text\",\"text\":\"S\",\"cache_"
                                 "control\":{\"type\":\"ephemeral\",\"ttl\":\"1h\"}}],"
                                 "\"messages\":[{\"role\":\"user\",\"content\":[{"
                                 "\"type\":\"text\",\"text\":\"Hi\"}]},{\"role\":"
                                 "\"assistant\",\"content\":[{\"type\":\"text\",\"text\":"
                                 "\"Yes?\"}]},{\"role\":\"user\",\"content\":[{\"type\":"
                                 "\"text\",\"text\":\"Hi\"}]}]}"),
    TO_ANTHROPIC("claude-opus-4-6", "\"messages\":[{\"role\":\"assistant\",\"content\":\"Once\"}]",
                 "Anthropic's API has no open assistant turn with this model"),
    TO_ANTHROPIC("m", HI ",\"n\":2", "Anthropic's API has no several answers"),
    TO_ANTHROPIC("m", HI ",\"logprobs\":true", "Anthropic's API has no log-probabilities"),
    TO_ANTHROPIC("m", HI ",\"logit_bias\":{\"1\":1}", "Anthropic's API has no bias of tokens"),
    TO_ANTHROPIC("m", HI ",\"response_format\":{\"type\":\"json_object\"}",
                 "Anthropic's API has no JSON without a schema"),
    TO_ANTHROPIC("m", HI ",\"stop\":\"\\n\"",
                 "Anthropic's API has no stop sequence of white space"),
    TO_ANTHROPIC("m", HI ",\"guided_regex\":\"a+\"", "Anthropic's API has no regular expression"),
    TO_ANTHROPIC("m", "\"messages\":[{\"role\":\"system\",\"content\":\"S\"}]",
                 "Anthropic's API has no conversation without messages"),
    TO_OLLAMA(
        "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},{"
        "\"type\":\"text\",\"text\":\"b\"},{\"type\":\"image_url\",\"image_url\":{\"url\":"
        "\"data:image/png;base64,AA==\"}}]}],\"reasoning_effort\":\"xhigh\"",
        "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"a\\n\\nb\",\"images\":"
        "[\"AA==\"]}],\"think\":\"high\"" OPTIONS ",\"stream\":false}"),
    TO_OLLAMA(HI ",\"tool_choice\":\"required\",\"tools\":[{\"type\":\"function\",\"function\":{"
                 "\"name\":\"f\"}}]",
              "Ollama's API has no tool call that must be made"),
    TO_OLLAMA(
        "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{"
        "\"url\":\"https://x/y.png\"}}]}]",
        "Ollama's API has no image by its address"),
    TO_OLLAMA(HI ",\"guided_regex\":\"a+\"", "Ollama's API has no grammar"),
};

static void test_spellings(void **state)
{
    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(spellings); i++) {
        const struct gs_dialect_to to = {.model = gs_slice_str(spellings[i].model)};
        struct gs_dialect_context ctx = {0};
        struct gs_chat chat;
        struct gs_arena a;
        struct gs_buf got;
        struct gs_error err = {0};
        gs_arena_init(&a, 0);
        gs_buf_init(&got, MAX_BYTES);
        gs_buf_puts(&got, "before:");
        if (spellings[i].from->read_request(&chat, &ctx, gs_slice_str(spellings[i].body),
                                            spellings[i].path, &a, &err) != GS_OK)
            fail_msg("%s: %s", spellings[i].body, err.msg);
        const enum gs_status st = spellings[i].client->write_request(&chat, &to, &got, &err);
        assert_int_equal(st, err.code);
        if (st == GS_OK)
            gs_buf_consume(&got, 7);
        else
            assert_true(gs_slice_eq_str(gs_buf_view(&got), "before:"));
        const struct gs_slice said = st == GS_OK ? gs_buf_view(&got) : gs_slice_str(err.msg);
        if (!gs_slice_eq_str(said, spellings[i].written))
            fail_msg("%s: written as\n%.*s\ninstead of\n%s", spellings[i].body, (int)said.len,
                     said.ptr, spellings[i].written);
        gs_buf_clear(&got);
        gs_arena_clear(&a);
    }
}

/* ---- what comes from no request ---- */

static bool signed_by_them(void *ud, struct gs_slice signature, struct gs_slice *out_theirs)
{
    (void)ud;
    *out_theirs = signature;
    return gs_slice_eq_str(signature, "Eq+/");
}

/* An answer that broke off, and reasoning of our own or somebody else's. */
static void test_open_turns(void **state)
{
    const struct gs_block says = {.kind = GS_BLOCK_TEXT, .text = GS_SLICE_LIT("Hi")};
    struct gs_block blocks[] = {
        {.kind = GS_BLOCK_REASONING,
         .text = GS_SLICE_LIT("ours"),
         .signature = GS_SLICE_LIT("0123456789abcdef0123456789abcdef")},
        {.kind = GS_BLOCK_REASONING, .text = GS_SLICE_LIT("theirs"), .signature = {"Eq+/", 4}},
        {.kind = GS_BLOCK_TEXT, .text = GS_SLICE_LIT("Once ")},
    };
    struct gs_message messages[] = {{GS_ROLE_USER, &says, 1}, {GS_ROLE_ASSISTANT, blocks, 3}};
    struct gs_chat chat = {
        .messages = messages, .n_messages = 2, .continue_last = true, .broke_off = true};
    const struct gs_dialect_client *const c = &gs_dialect_client_anthropic;
    struct gs_dialect_to to = {
        .model = GS_SLICE_LIT("m"), .is_theirs = signed_by_them, .stream = true};
    struct gs_buf b;

    (void)state;
    gs_sampling_init(&chat.sampling);
    gs_buf_init(&b, MAX_BYTES);
    assert_int_equal(c->write_request(&chat, &to, &b, NULL), GS_OK);
    assert_true(gs_slice_ends(
        gs_buf_view(&b),
        GS_SLICE_LIT("{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":"
                     "\"theirs\",\"signature\":\"Eq+/\"},{\"type\":\"text\",\"text\":\"Once\"}]}],"
                     "\"stream\":true}")));
    to.is_theirs = NULL;
    gs_buf_reset(&b);
    assert_int_equal(c->write_request(&chat, &to, &b, NULL), GS_OK);
    assert_int_equal(gs_slice_find(gs_buf_view(&b), GS_SLICE_LIT("theirs"), 0), SIZE_MAX);
    for (size_t i = 0; i < 2; i++) {
        blocks[2].kind = i ? GS_BLOCK_TOOL_CALL : GS_BLOCK_REASONING;
        assert_int_equal(c->write_request(&chat, &to, &b, NULL), GS_EUNSUPPORTED);
        assert_int_equal(gs_dialect_client_ollama.write_request(&chat, &to, &b, NULL),
                         GS_EUNSUPPORTED);
    }
    gs_buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_captures),
        cmocka_unit_test(test_spellings),
        cmocka_unit_test(test_open_turns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
