/* What model families write, and the events it must become: tests/data/transcripts.json, each text
 * whole, a byte at a time, cut in two at every byte, and broken off. And what their own templates
 * make of a call must read back as that call. */
#include "cmocka_headers.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/os.h"
#include "base/slice.h"
#include "chat/parser.h"
#include "transcripts.h"
#include "json/json.h"

/* ---- events, spelled ---- */

/* "T[text]", "R[reasoning]", "C name[args]"; deltas of one block run together. */
struct record {
    struct gs_buf b;
    bool open;
};

static enum gs_flow on_event(void *ud, const struct gs_event *ev)
{
    struct record *r = ud;

    switch (ev->kind) {
    case GS_EVENT_BEGIN:
        assert_false(r->open);
        r->open = true;
        gs_buf_putc(&r->b, "TRC"[ev->block]);
        if (ev->block == GS_BLOCK_TOOL_CALL) {
            gs_buf_putc(&r->b, ' ');
            gs_buf_slice(&r->b, ev->name);
        }
        gs_buf_putc(&r->b, '[');
        break;
    case GS_EVENT_DELTA:
        assert_true(r->open);
        gs_buf_slice(&r->b, ev->text);
        break;
    case GS_EVENT_END:
        assert_true(r->open);
        r->open = false;
        gs_buf_putc(&r->b, ']');
        break;
    case GS_EVENT_START:
    case GS_EVENT_PROGRESS:
    case GS_EVENT_VECTOR:
    case GS_EVENT_STOP:
    case GS_EVENT_ERROR:
        fail();
    }
    return GS_FLOW_CONTINUE;
}

/* The events of text that comes in `cut` bytes, then in pieces of `piece`. */
static void parse(const struct gs_prompt_traits *traits, bool opens_reasoning, bool with_tools,
                  struct gs_slice text, size_t cut, size_t piece, struct gs_buf *out)
{
    const struct gs_parser_options opt = {.traits = traits,
                                          .opens_reasoning = opens_reasoning,
                                          .tools = with_tools,
                                          .tool = tools,
                                          .n_tools = GS_COUNT_OF(tools)};
    struct record r = {.open = false};
    struct gs_parser *p;

    gs_buf_init(&r.b, GS_MAX_TEXT_BYTES);
    assert_int_equal(gs_parser_create(&opt, on_event, &r, &p, NULL), GS_OK);
    for (size_t at = 0, n = cut; at < text.len; at += n, n = piece)
        gs_parser_feed(p, gs_slice_sub(text, at, at + n), NULL, 0);
    gs_parser_finish(p);
    assert_false(gs_parser_failed(p));
    assert_false(r.open);
    gs_parser_free(p);
    gs_buf_reset(out);
    gs_buf_slice(out, gs_buf_view(&r.b));
    gs_buf_putc(out, '\0');
    assert_true(gs_buf_ok(out));
    gs_buf_clear(&r.b);
}

/* ---- transcripts ---- */

static void check_transcript(const struct gs_json *v)
{
    const struct gs_prompt_traits traits = traits_of(v);
    const bool opens = flag_of(v, "opens_reasoning", false);
    const bool with_tools = flag_of(v, "tools", true);
    const struct gs_slice text = text_of(v, "text");
    const struct gs_slice events = text_of(v, "events");
    const struct gs_json *half = gs_json_get(v, "half");
    struct gs_buf got;

    gs_buf_init(&got, GS_MAX_TEXT_BYTES);
    for (size_t cut = 1; cut <= text.len; cut++) {
        parse(&traits, opens, with_tools, text, cut, text.len, &got);
        assert_string_equal(got.ptr, events.ptr);
    }
    parse(&traits, opens, with_tools, text, 1, 1, &got);
    assert_string_equal(got.ptr, events.ptr);
    for (size_t cut = 1; cut < text.len; cut++) /* no expectation but order */
        parse(&traits, opens, with_tools, gs_slice_sub(text, 0, cut), 1, 1, &got);
    for (size_t i = 0; half && i < half->u.array.len; i++) {
        const struct gs_json *pair = half->u.array.items[i].u.array.items;
        assert_true(gs_slice_starts(text, pair[0].u.string));
        parse(&traits, opens, with_tools, pair[0].u.string, 1, 1, &got);
        assert_string_equal(got.ptr, pair[1].u.string.ptr);
    }
    gs_buf_clear(&got);
}

static void every_family_is_read_however_it_is_cut(void **state)
{
    struct gs_error err = {.code = GS_OK};
    struct gs_json all;
    struct gs_arena a;
    struct gs_buf b;

    (void)state;
    gs_arena_init(&a, 0);
    read_file(GENSET_TEST_DATA "/transcripts.json", &b);
    if (gs_json_parse(gs_buf_view(&b), &a, &all, &err) != GS_OK)
        fail_msg("%s", err.msg);
    assert_true(all.u.array.len > 30);
    for (size_t i = 0; i < all.u.array.len; i++) {
        print_message("%s: %s\n", text_of(&all.u.array.items[i], "family").ptr,
                      text_of(&all.u.array.items[i], "says").ptr);
        check_transcript(&all.u.array.items[i]);
    }
    gs_buf_clear(&b);
    gs_arena_clear(&a);
}

/* ---- templates ---- */

#define ARGS "{\"days\":3,\"zip\":\"0 {1}\"}"
#define LIT(s)                                                                                     \
    {                                                                                              \
        s, sizeof(s) - 1                                                                           \
    }

static const struct gs_block asks[] = {{.kind = GS_BLOCK_TEXT, .text = LIT("Is it wet?")}};
static const struct gs_block calls[] = {{.kind = GS_BLOCK_TOOL_CALL,
                                         .id = LIT("call_aaaaaaaaa"),
                                         .name = LIT("weather"),
                                         .args = LIT(ARGS)}};
static const struct gs_block results[] = {{.kind = GS_BLOCK_TOOL_RESULT,
                                           .id = LIT("call_aaaaaaaaa"),
                                           .name = LIT("weather"),
                                           .text = LIT("rain")}};
static const struct gs_message talk[] = {
    {.role = GS_ROLE_USER, .blocks = asks, .n_blocks = 1},
    {.role = GS_ROLE_ASSISTANT, .blocks = calls, .n_blocks = 1},
    {.role = GS_ROLE_USER, .blocks = results, .n_blocks = 1},
};

static void render(const struct gs_prompter *p, size_t n_messages, struct gs_buf *b)
{
    const struct gs_chat chat = {
        .messages = talk, .n_messages = n_messages, .tools = tools, .n_tools = GS_COUNT_OF(tools)};
    struct gs_error err = {.code = GS_OK};
    bool reasoning;

    gs_buf_init(b, GS_MAX_PROMPT_BYTES);
    if (gs_prompter_render(p, &chat, 0, b, &reasoning, &err) != GS_OK)
        fail_msg("%s", err.msg);
}

/* What follows the prompt's end in the longer conversation is what the model would have written. */
static void check_template(const char *path, enum gs_chat_syntax syntax)
{
    struct gs_prompter *p;
    struct gs_buf source;
    struct gs_buf asked;
    struct gs_buf answered;
    struct gs_buf got;

    print_message("%s\n", strrchr(path, '/') + 1);
    read_file(path, &source);
    assert_int_equal(gs_prompter_create(gs_buf_view(&source), GS_SLICE_LIT("<s>"),
                                        GS_SLICE_LIT("</s>"), &p, NULL),
                     GS_OK);
    assert_int_equal(gs_prompter_traits(p)->syntax, syntax);
    render(p, 1, &asked);
    render(p, 3, &answered);
    size_t same = 0;
    while (same < asked.len && same < answered.len && asked.ptr[same] == answered.ptr[same])
        same++;
    for (size_t i = same; i > 0 && asked.ptr[i - 1] != '>'; i--) /* not within a tag */
        if (asked.ptr[i - 1] == '<')
            same = i - 1;
    gs_buf_init(&got, GS_MAX_TEXT_BYTES);
    parse(gs_prompter_traits(p), false, true, gs_slice_sub(gs_buf_view(&answered), same, SIZE_MAX),
          1, 1, &got);
    if (!strstr(got.ptr, "C weather[" ARGS "]"))
        fail_msg("no call: %s", got.ptr);
    gs_buf_clear(&got);
    gs_buf_clear(&answered);
    gs_buf_clear(&asked);
    gs_prompter_free(p);
    gs_buf_clear(&source);
}

static void templates_write_what_is_read(void **state)
{
    static const struct {
        const char *name;
        enum gs_chat_syntax syntax;
    } rows[] = {
        {"Qwen-Qwen3-0.6B", GS_SYNTAX_HERMES},
        {"Qwen-Qwen2.5-7B-Instruct", GS_SYNTAX_HERMES},
        {"NousResearch-Hermes-3-Llama-3.1-8B-tool_use", GS_SYNTAX_HERMES},
        {"HuggingFaceTB-SmolLM3-3B", GS_SYNTAX_HERMES},
        {"google-gemma-2-2b-it", GS_SYNTAX_HERMES},
        {"microsoft-Phi-3.5-mini-instruct", GS_SYNTAX_HERMES},
        {"Qwen3-Coder", GS_SYNTAX_QWEN_XML},
        {"Qwen3.5-4B", GS_SYNTAX_QWEN_XML},
        {"meta-llama-Llama-3.1-8B-Instruct", GS_SYNTAX_LLAMA_JSON},
        {"meta-llama-Llama-3.2-3B-Instruct", GS_SYNTAX_LLAMA_JSON},
        {"Mistral-Small-3.2-24B-Instruct-2506", GS_SYNTAX_MISTRAL},
        {"mistralai-Ministral-3-14B-Reasoning-2512", GS_SYNTAX_MISTRAL},
        {"llama-cpp-deepseek-r1", GS_SYNTAX_HERMES},
        {"deepseek-ai-DeepSeek-R1-Distill-Qwen-32B", GS_SYNTAX_HERMES},
        {"GLM-4.7-Flash", GS_SYNTAX_GLM},
        {"google-gemma-4-31B-it", GS_SYNTAX_GEMMA},
        {"openai-gpt-oss-120b", GS_SYNTAX_HARMONY},
    };
    char path[512];

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(rows); i++) {
        snprintf(path, sizeof(path), "%s/golden/template/%s.jinja", GENSET_SHARED, rows[i].name);
        FILE *f = fopen(path, "r");
        if (!f) {
            print_message("no %s: skipped\n", path);
            skip();
        }
        fclose(f);
        check_template(path, rows[i].syntax);
    }
}

int main(void)
{
    const struct CMUnitTest tests_of_file[] = {
        cmocka_unit_test(every_family_is_read_however_it_is_cut),
        cmocka_unit_test(templates_write_what_is_read),
    };

    return cmocka_run_group_tests(tests_of_file, NULL, NULL);
}
