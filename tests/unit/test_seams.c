/* Answers put back as they were written: over a conversation of many turns, with reasoning and
 * calls that templates drop or respell, each prompt begins with the one before it and the answer
 * that was given to it. */
#include "cmocka_headers.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/os.h"
#include "base/slice.h"
#include "chat/prompt.h"

#define LIT(s)                                                                                     \
    {                                                                                              \
        s, sizeof(s) - 1                                                                           \
    }
#define TEXT(s)                                                                                    \
    {                                                                                              \
        .kind = GS_BLOCK_TEXT, .text = LIT(s)                                                      \
    }
#define CALL(i, a)                                                                                 \
    {                                                                                              \
        .kind = GS_BLOCK_TOOL_CALL, .id = LIT(i), .name = LIT("weather"), .args = LIT(a)           \
    }
#define RESULT(i, s)                                                                               \
    {                                                                                              \
        .kind = GS_BLOCK_TOOL_RESULT, .id = LIT(i), .name = LIT("weather"), .text = LIT(s)         \
    }
#define MESSAGE(r, b)                                                                              \
    {                                                                                              \
        .role = r, .blocks = b, .n_blocks = GS_COUNT_OF(b)                                         \
    }

static const struct gs_tool tool = {
    .name = LIT("weather"),
    .description = LIT("Tells the weather."),
    .parameters = LIT("{\"type\":\"object\",\"properties\":{\"zip\":{\"type\":\"string\"}}}")};

static const struct gs_block system_says[] = {TEXT("Be brief.")};
static const struct gs_block asks[] = {TEXT("Is it wet?")};
static const struct gs_block calls_one[] = {
    {.kind = GS_BLOCK_REASONING, .text = LIT("Look it up.")},
    TEXT("One moment."),
    CALL("call_aaaaaaaaa", "{\"zip\":\"01\"}")};
static const struct gs_block results_one[] = {RESULT("call_aaaaaaaaa", "rain")};
static const struct gs_block answers[] = {{.kind = GS_BLOCK_REASONING, .text = LIT("Rain is wet.")},
                                          TEXT("Yes.")};
static const struct gs_block asks_more[] = {TEXT("And in both towns?")};
static const struct gs_block calls_two[] = {CALL("call_bbbbbbbbb", "{\"zip\":\"02\"}")};
static const struct gs_block results_two[] = {RESULT("call_bbbbbbbbb", "sun")};
static const struct gs_block calls_three[] = {{.kind = GS_BLOCK_REASONING, .text = LIT("Again.")},
                                              CALL("call_ccccccccc", "{\"zip\":\"03\"}")};
static const struct gs_block results_three[] = {RESULT("call_ccccccccc", "fog")};
static const struct gs_block thanks[] = {TEXT("No, dry.")};
static const struct gs_block asks_last[] = {TEXT("Bye.")};

static const struct gs_block reminds[] = {TEXT("Tokens left: 17.")};

static const struct gs_message talk[] = {
    MESSAGE(GS_ROLE_SYSTEM, system_says),  MESSAGE(GS_ROLE_USER, asks),
    MESSAGE(GS_ROLE_ASSISTANT, calls_one), MESSAGE(GS_ROLE_TOOL, results_one),
    MESSAGE(GS_ROLE_ASSISTANT, answers),   MESSAGE(GS_ROLE_USER, asks_more),
    MESSAGE(GS_ROLE_ASSISTANT, calls_two), MESSAGE(GS_ROLE_TOOL, results_two),
    MESSAGE(GS_ROLE_SYSTEM, reminds),      MESSAGE(GS_ROLE_ASSISTANT, calls_three),
    MESSAGE(GS_ROLE_USER, results_three),  MESSAGE(GS_ROLE_USER, asks_more),
    MESSAGE(GS_ROLE_ASSISTANT, thanks),    MESSAGE(GS_ROLE_USER, asks_last),
    MESSAGE(GS_ROLE_SYSTEM, reminds),      MESSAGE(GS_ROLE_ASSISTANT, thanks),
    MESSAGE(GS_ROLE_USER, asks_last),
};

static const struct gs_slice ends[] = {
    LIT("<|im_end|>"),
    LIT("</s>"),
    LIT("<|eot_id|>"),
    LIT("<|eom_id|>"),
    LIT("<end_of_turn>"),
    LIT("<|return|>"),
    LIT("<|call|>"),
    LIT("<|user|>"),
    LIT("<|observation|>"),
    LIT("<turn|>"),
    LIT("<｜end▁of▁sentence｜>"),
    LIT("<|tool_response>"),
    LIT("<|end|>"),
    LIT("<|eom|>"),
};

/* What the model wrote instead of what the client says it did. */
static struct gs_slice raw_answer(size_t message_idx)
{
    static char text[64];
    const int n = snprintf(text, sizeof(text), "{{answer %zu}}", message_idx);

    return gs_slice(text, (size_t)n);
}

#define MAX_ANSWERS 8

struct history {
    struct gs_prompt_replay replays[MAX_ANSWERS];
    size_t n;
    char openings[MAX_ANSWERS][256];
    struct gs_buf last; /* the last prompt, and the answer to it */
};

/* The prompt of the first n messages, with the answers' raw texts in place; how many are. */
static size_t render(const struct gs_prompter *p, size_t n, enum gs_thinking thinking,
                     struct history *h, struct gs_buf *out)
{
    const struct gs_chat chat = {
        .messages = talk, .n_messages = n, .tools = &tool, .n_tools = 1, .thinking = thinking};
    struct gs_prompt_shape shape = {
        .ends = ends, .n_ends = GS_COUNT_OF(ends), .replays = h->replays, .n_replays = h->n};
    struct gs_error err = {.code = GS_OK};
    struct gs_buf b;
    size_t n_placed = 0;
    size_t from = 0;

    gs_buf_init(&b, GS_MAX_PROMPT_BYTES);
    gs_buf_reset(out);
    if (gs_prompter_shape(p, &chat, 0, &shape, &b, &err) != GS_OK)
        fail_msg("%s", err.msg);
    for (size_t i = 0; i < h->n; i++) {
        if (h->replays[i].at == SIZE_MAX)
            continue;
        n_placed++;
        gs_buf_slice(out, gs_slice_sub(gs_buf_view(&b), from, h->replays[i].at));
        gs_buf_slice(out, raw_answer(h->replays[i].message_idx));
        from = h->replays[i].at;
    }
    gs_buf_slice(out, gs_slice_sub(gs_buf_view(&b), from, b.len));
    assert_true(shape.opening_at <= b.len);
    const struct gs_slice opening = gs_slice_sub(gs_buf_view(&b), shape.opening_at, b.len);
    assert_true(opening.len < sizeof(h->openings[0]));
    if (opening.len > 0)
        memcpy(h->openings[h->n], opening.ptr, opening.len);
    h->replays[h->n] = (struct gs_prompt_replay){
        .message_idx = n, .opening = gs_slice(h->openings[h->n], opening.len)};
    gs_buf_clear(&b);
    return n_placed;
}

static void converse(const struct gs_prompter *p, enum gs_thinking thinking)
{
    struct history h = {.n = 0};
    struct gs_buf now;

    gs_buf_init(&now, GS_MAX_PROMPT_BYTES);
    gs_buf_init(&h.last, GS_MAX_PROMPT_BYTES);
    for (size_t n = 2; n <= GS_COUNT_OF(talk); n++) {
        if (n < GS_COUNT_OF(talk) && talk[n].role != GS_ROLE_ASSISTANT)
            continue;
        assert_int_equal(render(p, n, thinking, &h, &now), h.n);
        if (!gs_slice_starts(gs_buf_view(&now), gs_buf_view(&h.last)))
            fail_msg("turn %zu: %.*s\ndoes not begin with %.*s", n, (int)now.len, now.ptr,
                     (int)h.last.len, h.last.ptr);
        h.n++;
        gs_buf_reset(&h.last);
        gs_buf_slice(&h.last, gs_buf_view(&now));
        gs_buf_slice(&h.last, raw_answer(n));
    }
    gs_buf_clear(&h.last);
    gs_buf_clear(&now);
}

static struct gs_prompter *open_template(struct gs_slice source)
{
    struct gs_error err = {.code = GS_OK};
    struct gs_prompter *p;

    if (gs_prompter_create(source, GS_SLICE_LIT("<s>"), GS_SLICE_LIT("</s>"), &p, &err) != GS_OK)
        fail_msg("%s", err.msg);
    return p;
}

static void prompts_begin_with_those_before_them(void **state)
{
    static const char *const names[] = {
        "Apriel-1.6-15b-Thinker-fixed",
        "GLM-4.7-Flash",
        "GLM-5.2",
        "HuggingFaceTB-SmolLM3-3B",
        "Kimi-K2-Thinking",
        "MiMo-VL",
        "NousResearch-Hermes-2-Pro-Llama-3-8B-tool_use",
        "NousResearch-Hermes-3-Llama-3.1-8B-tool_use",
        "Qwen-QwQ-32B",
        "Qwen-Qwen2.5-7B-Instruct",
        "Qwen-Qwen3-0.6B",
        "Qwen3-Coder",
        "Qwen3.5-4B",
        "deepseek-ai-DeepSeek-R1-Distill-Llama-8B",
        "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B",
        "deepseek-ai-DeepSeek-V3.2",
        "deepseek-ai-DeepSeek-V4",
        "google-gemma-2-2b-it",
        "google-gemma-4-31B-it",
        "llama-cpp-deepseek-r1",
        "meetkai-functionary-medium-v3.1",
        "meta-llama-Llama-3.1-8B-Instruct",
        "meta-llama-Llama-3.2-3B-Instruct",
        "microsoft-Phi-3.5-mini-instruct",
        "mistralai-Ministral-3-14B-Reasoning-2512",
        "moonshotai-Kimi-K2",
        "openai-gpt-oss-120b",
    };
    static const enum gs_thinking modes[] = {GS_THINKING_DEFAULT, GS_THINKING_ON, GS_THINKING_OFF};
    char path[512];

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(names); i++) {
        struct gs_buf source;
        snprintf(path, sizeof(path), "%s/golden/template/%s.jinja", GENSET_SHARED, names[i]);
        gs_buf_init(&source, GS_MAX_TEMPLATE_BYTES);
        if (gs_os_read_file(path, &source, NULL) != GS_OK) {
            print_message("no %s: skipped\n", path);
            skip();
        }
        print_message("%s\n", names[i]);
        struct gs_prompter *p = open_template(gs_buf_view(&source));
        for (size_t k = 0; k < GS_COUNT_OF(modes); k++)
            converse(p, modes[k]);
        gs_prompter_free(p);
        gs_buf_clear(&source);
    }
}

/* Where the seams are not certain, the prompt is the one without replays. */
static void answers_without_a_place_are_rendered(void **state)
{
    static const char *const sources[] = {
        /* no header to tell the answer by */
        "{% for m in messages %}{{ m.content }}\n{% endfor %}",
        /* the mark is not recognised */
        "{% for m in messages %}<|{{ m.role }}|>{{ m.content | upper }}</s>{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>{% endif %}",
        /* no token that ends a turn */
        "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
        "{% if add_generation_prompt %}assistant: {% endif %}",
        /* marks do not come out in later turns */
        "{% for m in messages %}<|{{ m.role }}|>{% if m.role != 'assistant' or loop.index < 4 %}"
        "{{ m.content }}{% else %}said{% endif %}</s>{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>{% endif %}",
        /* some content is refused */
        "{% for m in messages %}<|{{ m.role }}|>{% if 'xQ' in m.content and 'mark' not in "
        "m.content %}"
        "{{ raise_exception('a mark') }}{% endif %}{{ m.content }}</s>{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>{% endif %}",
    };
    static const struct gs_message messages[] = {
        MESSAGE(GS_ROLE_USER, asks),      MESSAGE(GS_ROLE_ASSISTANT, thanks),
        MESSAGE(GS_ROLE_USER, asks_more), MESSAGE(GS_ROLE_ASSISTANT, thanks),
        MESSAGE(GS_ROLE_USER, asks_last), MESSAGE(GS_ROLE_ASSISTANT, thanks),
        MESSAGE(GS_ROLE_USER, asks_last)};
    const struct gs_chat chat = {.messages = messages, .n_messages = GS_COUNT_OF(messages)};

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(sources); i++) {
        struct gs_prompter *p = open_template(gs_slice_str(sources[i]));
        struct gs_prompt_replay replay = {.message_idx = 5};
        struct gs_prompt_shape shape = {
            .ends = ends, .n_ends = GS_COUNT_OF(ends), .replays = &replay, .n_replays = 1};
        struct gs_buf with, without;
        bool reasoning;

        gs_buf_init(&with, GS_MAX_PROMPT_BYTES);
        gs_buf_init(&without, GS_MAX_PROMPT_BYTES);
        assert_int_equal(gs_prompter_shape(p, &chat, 0, &shape, &with, NULL), GS_OK);
        assert_int_equal(gs_prompter_render(p, &chat, 0, &without, &reasoning, NULL), GS_OK);
        if (replay.at != SIZE_MAX)
            fail_msg("%s: %.*s", sources[i], (int)with.len, with.ptr);
        assert_true(gs_slice_eq(gs_buf_view(&with), gs_buf_view(&without)));
        gs_buf_clear(&with);
        gs_buf_clear(&without);
        gs_prompter_free(p);
    }
}

/* An answer without a known place does not take that of the others. */
static void one_answer_of_several_is_put_back(void **state)
{
    static const char source[] =
        "{% for m in messages %}<|{{ m.role }}|>{{ m.content | trim }}</s>{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>go:{% endif %}";
    static const struct gs_message messages[] = {
        MESSAGE(GS_ROLE_USER, asks), MESSAGE(GS_ROLE_ASSISTANT, thanks),
        MESSAGE(GS_ROLE_USER, asks_more), MESSAGE(GS_ROLE_ASSISTANT, thanks),
        MESSAGE(GS_ROLE_USER, asks_last)};
    const struct gs_chat chat = {.messages = messages, .n_messages = GS_COUNT_OF(messages)};
    struct gs_prompt_replay replay = {.message_idx = 3, .opening = GS_SLICE_LIT("go:")};
    struct gs_prompt_shape shape = {
        .ends = ends, .n_ends = GS_COUNT_OF(ends), .replays = &replay, .n_replays = 1};
    struct gs_prompter *p = open_template(GS_SLICE_LIT(source));
    struct gs_buf b;

    (void)state;
    gs_buf_init(&b, GS_MAX_PROMPT_BYTES);
    assert_int_equal(gs_prompter_shape(p, &chat, 0, &shape, &b, NULL), GS_OK);
    assert_true(gs_slice_eq_str(gs_buf_view(&b),
                                "<|user|>Is it wet?</s><|assistant|>No, dry.</s>"
                                "<|user|>And in both towns?</s><|assistant|>go:</s>"
                                "<|user|>Bye.</s><|assistant|>go:"));
    assert_true(gs_slice_ends(gs_slice_sub(gs_buf_view(&b), 0, replay.at), replay.opening));
    assert_int_equal(b.len - shape.opening_at, strlen("go:"));
    gs_buf_clear(&b);
    gs_prompter_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prompts_begin_with_those_before_them),
        cmocka_unit_test(answers_without_a_place_are_rendered),
        cmocka_unit_test(one_answer_of_several_is_put_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
