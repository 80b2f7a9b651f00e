/* Chats to prompts: what the probe finds in templates, and that nothing a client said is lost or
 * moved, whatever the template can say. */
#include "cmocka_headers.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
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
#define SAYS(r, b)                                                                                 \
    {                                                                                              \
        .role = r, .blocks = b, .n_blocks = GS_COUNT_OF(b)                                         \
    }

static const char chatml[] =
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

/* No system role, strict alternation, trimmed content: like Gemma's. */
static const char strict[] =
    "{{ bos_token }}{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}"
    "{% endif %}{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}[{{ m.role }}]{{ m.content | trim }}"
    "{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}";

/* One call per message, arguments as text, tools listed. */
static const char single[] =
    "{% for t in tools or [] %}{{ t | tojson }}{% endfor %}{% for m in messages %}"
    "<{{ m.role }}>{% if m.tool_calls %}{% if m.tool_calls | length != 1 %}"
    "{{ raise_exception('one call only') }}{% endif %}{% set f = m.tool_calls[0].function %}"
    "<tool_call>{{ f.name + ' arguments ' + f.arguments }}{% else %}{{ m.content }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}";

static struct gs_prompter *prompter(const char *source)
{
    struct gs_error err = {.code = GS_OK};
    struct gs_prompter *p = NULL;

    if (gs_prompter_create(gs_slice_str(source), GS_SLICE_LIT("<s>"), GS_SLICE_LIT("</s>"), &p,
                           &err) != GS_OK)
        fail_msg("%s", err.msg);
    return p;
}

static void assert_prompt(const char *source, const struct gs_chat *chat, const char *expected)
{
    struct gs_prompter *p = prompter(source);
    struct gs_error err = {.code = GS_OK};
    struct gs_buf b;
    bool reasoning;

    gs_buf_init(&b, GS_MAX_PROMPT_BYTES);
    if (gs_prompter_render(p, chat, 0, &b, &reasoning, &err) != GS_OK)
        fail_msg("%s", err.msg);
    gs_buf_putc(&b, '\0');
    assert_string_equal(b.ptr, expected);
    gs_buf_clear(&b);
    gs_prompter_free(p);
}

static const struct gs_block sys[] = {TEXT("Be brief.")};
static const struct gs_block hi[] = {TEXT("Hi"), TEXT("there")};
static const struct gs_block hello[] = {TEXT("Hello.")};
static const struct gs_block note[] = {TEXT("Time is short.")};
static const struct gs_block bye[] = {TEXT("Bye")};
static const struct gs_message with_system[] = {
    SAYS(GS_ROLE_SYSTEM, sys),  SAYS(GS_ROLE_USER, hi),  SAYS(GS_ROLE_ASSISTANT, hello),
    SAYS(GS_ROLE_SYSTEM, note), SAYS(GS_ROLE_USER, bye),
};

static void system_messages_stay_in_place(void **state)
{
    const struct gs_chat chat = {.messages = with_system, .n_messages = 5};

    (void)state;
    assert_prompt(chatml, &chat,
                  "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi\n\nthere<|im_end|>"
                  "\n<|im_start|>assistant\nHello.<|im_end|>\n<|im_start|>system\nTime is "
                  "short.<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n");
    assert_prompt(strict, &chat,
                  "<s>[user]Be brief.\n\nHi\n\nthere[assistant]Hello.[user]<system-reminder>\nTime "
                  "is short.\n</system-reminder>\n\nBye[assistant]");
}

static void a_model_without_template_gets_a_play(void **state)
{
    const struct gs_chat chat = {.messages = with_system + 1, .n_messages = 1};

    (void)state;
    assert_prompt("", &chat, "User: Hi\n\nthere\nAssistant:");
}

static const struct gs_block calls[] = {{.kind = GS_BLOCK_TOOL_CALL,
                                         .id = LIT("call_aaaaaaaaa"),
                                         .name = LIT("f"),
                                         .args = LIT("{\"x\":1}")},
                                        {.kind = GS_BLOCK_TOOL_CALL,
                                         .id = LIT("call_bbbbbbbbb"),
                                         .name = LIT("g"),
                                         .args = LIT("{\"y\":2}")}};
static const struct gs_block results[] = {
    {.kind = GS_BLOCK_TOOL_RESULT, .id = LIT("call_aaaaaaaaa"), .text = LIT("one")},
    {.kind = GS_BLOCK_TOOL_RESULT,
     .id = LIT("call_bbbbbbbbb"),
     .text = LIT("two"),
     .is_error = true},
    TEXT("Go on.")};
static const struct gs_message with_tools[] = {
    SAYS(GS_ROLE_USER, bye), SAYS(GS_ROLE_ASSISTANT, calls), SAYS(GS_ROLE_USER, results)};
static const struct gs_tool tools[] = {
    {.name = LIT("f"), .description = LIT("does f"), .parameters = LIT("{}")}};

static void calls_and_results_are_spelled(void **state)
{
    const struct gs_chat chat = {
        .messages = with_tools, .n_messages = 3, .tools = tools, .n_tools = 1};
    struct gs_chat no_tools = chat;

    (void)state;
    no_tools.n_tools = 0;
    assert_prompt(single, &chat,
                  "{\"type\": \"function\", \"function\": {\"name\": \"f\", \"description\": "
                  "\"does f\", \"parameters\": {}}}<user>Bye<assistant><tool_call>f arguments "
                  "{\"x\":1}<tool>one<assistant><tool_call>g arguments {\"y\":2}<tool>Error: two"
                  "<user>Go on.<assistant>");
    assert_prompt(strict, &no_tools,
                  "<s>[user]Bye[assistant]<tool_call>\n{\"name\": \"f\", \"arguments\": "
                  "{\"x\":1}}\n</tool_call>\n<tool_call>\n{\"name\": \"g\", \"arguments\": "
                  "{\"y\":2}}\n</tool_call>[user]<tool_response>\none\n</tool_response>\n\n"
                  "<tool_response>\nError: two\n</tool_response>\n\nGo on.[assistant]");
}

/* Only the model may speak behind a result: like Mistral's. */
static const char answering[] =
    "{% for t in tools or [] %}{{ t | tojson }}{% endfor %}{# [TOOL_CALLS] #}"
    "{% for m in messages %}{% if m.role == 'user' and loop.index0 > 0 and "
    "messages[loop.index0 - 1].role == 'tool' %}{{ raise_exception('the model must answer') }}"
    "{% endif %}<{{ m.role }}>{% for c in m.tool_calls or [] %}{{ c.function.name }}"
    "{{ c.function.arguments | tojson }}{% endfor %}{{ m.content }}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}";

static void what_follows_a_result_may_be_part_of_it(void **state)
{
    const struct gs_message messages[] = {with_tools[0], with_tools[1], with_tools[2],
                                          SAYS(GS_ROLE_SYSTEM, note)};
    const struct gs_chat chat = {
        .messages = messages, .n_messages = 4, .tools = tools, .n_tools = 1};

    (void)state;
    assert_prompt(
        answering, &chat,
        "{\"type\": \"function\", \"function\": {\"name\": \"f\", \"description\": "
        "\"does f\", \"parameters\": {}}}<user>Bye<assistant>f{\"x\": 1}g{\"y\": 2}<tool>one"
        "<tool>Error: two\n\nGo on.<system>Time is short.<assistant>");
}

static void an_open_turn_is_left_open(void **state)
{
    static const struct gs_block part[] = {TEXT("The answer is ")};
    static const struct gs_message open[] = {SAYS(GS_ROLE_USER, bye),
                                             SAYS(GS_ROLE_ASSISTANT, part)};
    const struct gs_chat chat = {.messages = open, .n_messages = 2, .continue_last = true};

    (void)state;
    assert_prompt(chatml, &chat,
                  "<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\nThe answer is ");
    assert_prompt(strict, &chat, "<s>[user]Bye[assistant]The answer is ");
}

/* The sign of gpt-oss's channels, and what its template makes of the effort. */
static const char harmony[] =
    "{#<|channel|>analysis#}{{ reasoning_effort|default('medium') }}:{{ messages[0].content }}";

static void efforts_are_those_a_model_knows(void **state)
{
    static const struct {
        const char *effort;
        enum gs_thinking thinking;
        const char *prompt, *other;
    } cases[] = {
        {"", GS_THINKING_DEFAULT, "medium:Hello.", "-"},
        {"", GS_THINKING_OFF, "low:Hello.", "-"},
        {"low", GS_THINKING_ON, "low:Hello.", "low"},
        {"xhigh", GS_THINKING_ON, "high:Hello.", "xhigh"},
        {"max", GS_THINKING_ON, "high:Hello.", "max"},
    };
    const struct gs_message message = {GS_ROLE_USER, hello, 1};

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(cases); i++) {
        const struct gs_chat chat = {.messages = &message,
                                     .n_messages = 1,
                                     .effort = gs_slice_str(cases[i].effort),
                                     .thinking = cases[i].thinking};
        assert_prompt(harmony, &chat, cases[i].prompt);
        assert_prompt("{{ reasoning_effort|default('-') }}", &chat, cases[i].other);
    }
}

static void images_are_refused(void **state)
{
    static const struct gs_block image[] = {{.kind = GS_BLOCK_IMAGE, .text = LIT("AAAA")}};
    static const struct gs_message messages[] = {SAYS(GS_ROLE_USER, image)};
    const struct gs_chat chat = {.messages = messages, .n_messages = 1};
    struct gs_prompter *p = prompter(chatml);
    struct gs_error err;
    struct gs_buf b;
    bool reasoning;

    (void)state;
    gs_buf_init(&b, GS_MAX_PROMPT_BYTES);
    assert_int_equal(gs_prompter_render(p, &chat, 0, &b, &reasoning, &err), GS_EUNSUPPORTED);
    gs_buf_clear(&b);
    gs_prompter_free(p);
}

/* ---- every real template ---- */

static const struct gs_block w_sys[] = {TEXT("W-SYSTEM")};
static const struct gs_block w_user[] = {TEXT("W-USER")};
static const struct gs_block w_call[] = {{.kind = GS_BLOCK_TOOL_CALL,
                                          .id = LIT("call_aaaaaaaaa"),
                                          .name = LIT("look"),
                                          .args = LIT("{\"at\":\"W-CALL\"}")},
                                         {.kind = GS_BLOCK_TOOL_CALL,
                                          .id = LIT("call_bbbbbbbbb"),
                                          .name = LIT("look"),
                                          .args = LIT("{\"at\":\"W-SECOND\"}")}};
static const struct gs_block w_result[] = {
    {.kind = GS_BLOCK_TOOL_RESULT, .id = LIT("call_aaaaaaaaa"), .text = LIT("W-RESULT")},
    {.kind = GS_BLOCK_TOOL_RESULT, .id = LIT("call_bbbbbbbbb"), .text = LIT("W-OTHER")}};
static const struct gs_block w_count[] = {TEXT("W-COUNTDOWN")}; /* as Claude Code does */
static const struct gs_block w_answer[] = {TEXT("W-ANSWER")};
static const struct gs_block w_mid[] = {TEXT("W-MIDDLE")};
static const struct gs_block w_last[] = {TEXT("W-LAST")};
static const struct gs_message whole[] = {
    SAYS(GS_ROLE_SYSTEM, w_sys),  SAYS(GS_ROLE_USER, w_user),    SAYS(GS_ROLE_ASSISTANT, w_call),
    SAYS(GS_ROLE_USER, w_result), SAYS(GS_ROLE_SYSTEM, w_count), SAYS(GS_ROLE_ASSISTANT, w_answer),
    SAYS(GS_ROLE_SYSTEM, w_mid),  SAYS(GS_ROLE_USER, w_last),
};
static const struct gs_tool look = {
    .name = LIT("look"),
    .description = LIT("W-TOOL"),
    .parameters = LIT("{\"type\":\"object\",\"properties\":{\"at\":{\"type\":\"string\"}}}")};

/* Every word is there; those of the turns in the order of the turns. */
static void assert_nothing_lost(const char *name, struct gs_slice text)
{
    static const char *const in_order[] = {"W-USER",   "W-CALL",   "W-RESULT", "W-COUNTDOWN",
                                           "W-ANSWER", "W-MIDDLE", "W-LAST"};
    static const char *const anywhere[] = {"W-SYSTEM", "W-TOOL", "W-SECOND", "W-OTHER"};
    size_t at = 0;

    for (size_t i = 0; i < GS_COUNT_OF(in_order); i++) {
        const size_t found = gs_slice_find(text, gs_slice_str(in_order[i]), at);
        if (found == SIZE_MAX)
            fail_msg("%s: %s is missing or out of order in:\n%.*s", name, in_order[i],
                     (int)text.len, text.ptr);
        at = found;
    }
    for (size_t i = 0; i < GS_COUNT_OF(anywhere); i++)
        if (gs_slice_find(text, gs_slice_str(anywhere[i]), 0) == SIZE_MAX)
            fail_msg("%s: %s is missing", name, anywhere[i]);
}

static void real_templates_lose_nothing(void **state)
{
    const struct gs_chat chat = {
        .messages = whole, .n_messages = GS_COUNT_OF(whole), .tools = &look, .n_tools = 1};
    const struct gs_message turns[] = {whole[1], whole[5], whole[7]};
    const struct gs_chat plain = {.messages = turns, .n_messages = GS_COUNT_OF(turns)};
    DIR *dir = opendir(GENSET_SHARED "/golden/template");
    size_t n = 0;

    (void)state;
    if (!dir) {
        print_message("no templates at %s: skipped\n", GENSET_SHARED);
        skip();
    }
    for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
        struct gs_error err = {.code = GS_OK};
        struct gs_buf source;
        struct gs_buf text;
        char path[1024];
        bool reasoning;

        if (!gs_slice_ends(gs_slice_str(e->d_name), GS_SLICE_LIT(".jinja")))
            continue;
        snprintf(path, sizeof(path), "%s/golden/template/%s", GENSET_SHARED, e->d_name);
        gs_buf_init(&source, GS_MAX_TEMPLATE_BYTES);
        gs_buf_init(&text, GS_MAX_PROMPT_BYTES);
        assert_int_equal(gs_os_read_file(path, &source, &err), GS_OK);
        gs_buf_putc(&source, '\0');
        struct gs_prompter *p = prompter(source.ptr);
        if (gs_prompter_render(p, &plain, 0, &text, &reasoning, &err) == GS_OK) {
            gs_buf_reset(&text);
            if (gs_prompter_render(p, &chat, 0, &text, &reasoning, &err) != GS_OK)
                fail_msg("%s: %s", e->d_name, err.msg);
            assert_nothing_lost(e->d_name, gs_buf_view(&text));
            n++;
        } else { /* cannot say even this: wants variables of its maker's, or writes to messages */
            print_message("%s: %s\n", e->d_name, err.msg);
        }
        gs_prompter_free(p);
        gs_buf_clear(&source);
        gs_buf_clear(&text);
    }
    closedir(dir);
    assert_true(n >= 40);
}

/* Phi-4 Mini's way: the system message carries the tools, calls have no words. */
static const char carried[] =
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% if m.role == 'system' and m.tools %}"
    "<|tool|>{{ m.tools }}<|/tool|>{% endif %}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}";

static void a_system_message_carries_the_tools(void **state)
{
    static const struct gs_block ask[] = {TEXT("Hi")};
    static const struct gs_message messages[] = {SAYS(GS_ROLE_USER, ask)};
    static const struct gs_tool f = {.name = LIT("f"), .parameters = LIT("{}")};
    const struct gs_chat chat = {.messages = messages, .n_messages = 1, .tools = &f, .n_tools = 1};

    (void)state;
    assert_prompt(carried, &chat,
                  "<|system|><|tool|>[{\"type\":\"function\",\"function\":{\"name\":\"f\","
                  "\"description\":\"\",\"parameters\":{}}}]<|/tool|><|end|>"
                  "<|user|>Hi<|end|><|assistant|>");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_system_message_carries_the_tools),
        cmocka_unit_test(system_messages_stay_in_place),
        cmocka_unit_test(a_model_without_template_gets_a_play),
        cmocka_unit_test(calls_and_results_are_spelled),
        cmocka_unit_test(what_follows_a_result_may_be_part_of_it),
        cmocka_unit_test(an_open_turn_is_left_open),
        cmocka_unit_test(efforts_are_those_a_model_knows),
        cmocka_unit_test(images_are_refused),
        cmocka_unit_test(real_templates_lose_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
