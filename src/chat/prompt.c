/* A model's chat template, and what it can say.
 *
 * Templates announce nothing about themselves: whether they know system messages, tools or results
 * is found by rendering small conversations that contain a mark, and looking whether the mark comes
 * out. Rendering then says the rest in words the template has (chat/vars.c). */
#include "chat/prompt.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/slice.h"
#include "chat/parser.h"
#include "chat/prompter.h"
#include "chat/vars.h"
#include "jinja/template.h"

#define MARK           "xQmarkQx"
#define MARK_2         "yQmarkQy"
#define MARK_TOOL      "zQmarkQz"
#define MAX_VARS_BYTES (4 * GS_MAX_PROMPT_BYTES)

/* For models that bring no template: turns named by role, as in a play. */
static const char plain_template[] =
    "{% for m in messages %}{{ m.role|capitalize }}: {{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}Assistant:{% endif %}";

enum gs_status gs_chat_render(const struct gs_prompter *p, const struct gs_prompt_traits *traits,
                              const struct gs_chat *chat, const struct gs_slice *marks,
                              bool add_prompt, int64_t now_us, struct gs_buf *b,
                              struct gs_error *err)
{
    const struct gs_chat_vars opt = {.traits = traits,
                                     .bos = gs_slice_str(p->bos),
                                     .eos = gs_slice_str(p->eos),
                                     .add_generation_prompt = add_prompt,
                                     .marks = marks};
    struct gs_arena a;
    struct gs_json vars;

    gs_arena_init(&a, MAX_VARS_BYTES);
    enum gs_status st = gs_chat_vars_build(&opt, chat, &a, &vars, err);
    if (st == GS_OK)
        st = gs_template_render(p->tpl, &vars, now_us, b, err);
    gs_arena_clear(&a);
    return st;
}

/* ---- probing ---- */

#define LIT(s)                                                                                     \
    {                                                                                              \
        s, sizeof(s) - 1                                                                           \
    }
#define TEXT_BLOCK(s)                                                                              \
    {                                                                                              \
        .kind = GS_BLOCK_TEXT, .text = { s, sizeof(s) - 1 }                                        \
    }
#define MESSAGE(r, b)                                                                              \
    {                                                                                              \
        .role = r, .blocks = b, .n_blocks = GS_COUNT_OF(b)                                         \
    }

static const struct gs_block say_hello[] = {TEXT_BLOCK("Hello.")};
static const struct gs_block say_mark[] = {TEXT_BLOCK(MARK)};
static const struct gs_block say_answer[] = {TEXT_BLOCK("Good day.")};
static const struct gs_block one_call[] = {{.kind = GS_BLOCK_TOOL_CALL,
                                            .id = LIT("call_0123456789"),
                                            .name = LIT("probe"),
                                            .args = LIT("{\"key\": \"" MARK "\"}")}};
static const struct gs_block two_calls[] = {{.kind = GS_BLOCK_TOOL_CALL,
                                             .id = LIT("call_0123456789"),
                                             .name = LIT("probe"),
                                             .args = LIT("{\"key\": \"" MARK "\"}")},
                                            {.kind = GS_BLOCK_TOOL_CALL,
                                             .id = LIT("call_1123456789"),
                                             .name = LIT("probe"),
                                             .args = LIT("{\"key\": \"" MARK_2 "\"}")}};
static const struct gs_block one_result[] = {{.kind = GS_BLOCK_TOOL_RESULT,
                                              .id = LIT("call_0123456789"),
                                              .name = LIT("probe"),
                                              .text = LIT(MARK_2)}};
static const struct gs_block two_results[] = {{.kind = GS_BLOCK_TOOL_RESULT,
                                               .id = LIT("call_0123456789"),
                                               .name = LIT("probe"),
                                               .text = LIT("one")},
                                              {.kind = GS_BLOCK_TOOL_RESULT,
                                               .id = LIT("call_1123456789"),
                                               .name = LIT("probe"),
                                               .text = LIT("two")}};
static const struct gs_tool probe_tool = {
    .name = LIT("probe"),
    .description = LIT(MARK_TOOL),
    .parameters = LIT("{\"type\":\"object\",\"properties\":{\"key\":{\"type\":\"string\"}}}")};

static const struct gs_message hello[] = {MESSAGE(GS_ROLE_USER, say_mark)};
static const struct gs_message with_system[] = {MESSAGE(GS_ROLE_SYSTEM, say_mark),
                                                MESSAGE(GS_ROLE_USER, say_hello)};
static const struct gs_message with_mid_system[] = {
    MESSAGE(GS_ROLE_USER, say_hello), MESSAGE(GS_ROLE_ASSISTANT, say_answer),
    MESSAGE(GS_ROLE_SYSTEM, say_mark), MESSAGE(GS_ROLE_USER, say_hello)};
static const struct gs_message with_two_users[] = {MESSAGE(GS_ROLE_USER, say_hello),
                                                   MESSAGE(GS_ROLE_USER, say_mark)};
static const struct gs_message with_call[] = {MESSAGE(GS_ROLE_USER, say_hello),
                                              MESSAGE(GS_ROLE_ASSISTANT, one_call),
                                              MESSAGE(GS_ROLE_USER, one_result)};
static const struct gs_message with_user_after_tool[] = {
    MESSAGE(GS_ROLE_USER, say_hello), MESSAGE(GS_ROLE_ASSISTANT, one_call),
    MESSAGE(GS_ROLE_USER, one_result), MESSAGE(GS_ROLE_USER, say_answer)};
static const struct gs_message with_two_calls[] = {MESSAGE(GS_ROLE_USER, say_hello),
                                                   MESSAGE(GS_ROLE_ASSISTANT, two_calls),
                                                   MESSAGE(GS_ROLE_USER, two_results)};

/* Render `messages` under the assumptions `t`; true if both marks come out, `first` before
 * `second` (NULL = any). */
static bool says(const struct gs_prompter *p, const struct gs_prompt_traits *t,
                 const struct gs_message *messages, size_t n, bool tools, const char *first,
                 const char *second)
{
    const struct gs_chat chat = {
        .messages = messages, .n_messages = n, .tools = &probe_tool, .n_tools = tools ? 1 : 0};
    struct gs_buf b;

    gs_buf_init(&b, GS_MAX_TEMPLATE_BYTES);
    bool found = gs_chat_render(p, t, &chat, NULL, true, 0, &b, NULL) == GS_OK && gs_buf_ok(&b);
    if (found) {
        const struct gs_slice text = gs_buf_view(&b);
        const size_t at = gs_slice_find(text, gs_slice_str(first), 0);
        found = at != SIZE_MAX &&
                (!second || gs_slice_find(text, gs_slice_str(second), at) != SIZE_MAX);
    }
    gs_buf_clear(&b);
    return found;
}

#define SAYS(p, t, messages, tools, first, second)                                                 \
    says(p, t, messages, GS_COUNT_OF(messages), tools, first, second)

static bool has(struct gs_slice source, const char *text)
{
    return gs_slice_find(source, gs_slice_str(text), 0) != SIZE_MAX;
}

/* The syntax of tool calls that the template's source shows; false if it is none we read. */
static bool find_syntax(struct gs_slice source, enum gs_chat_syntax *out)
{
    static const struct {
        const char *text, *and_text;
        enum gs_chat_syntax syntax;
    } signs[] = {
        {"<|channel|>analysis", NULL, GS_SYNTAX_HARMONY},
        {"<|tool_call>call:", NULL, GS_SYNTAX_GEMMA},
        {"<arg_key>", NULL, GS_SYNTAX_GLM},
        {"<function=", "<parameter=", GS_SYNTAX_QWEN_XML},
        {"<function=", NULL, GS_SYNTAX_FUNCTION_TAG},
        {"[TOOL_CALLS]", NULL, GS_SYNTAX_MISTRAL},
        {"<tool_call>", "arguments", GS_SYNTAX_HERMES},
        {"<｜tool▁call▁begin｜>", NULL, GS_SYNTAX_DEEPSEEK},
        {"<|tool_call|>", NULL, GS_SYNTAX_PIPE},
        {"<|/tool|>", NULL, GS_SYNTAX_PIPE},
        {"<|python_tag|>", NULL, GS_SYNTAX_LLAMA_JSON},
        {"{\"name\": function name, \"parameters\":", NULL, GS_SYNTAX_LLAMA_JSON},
    };

    for (size_t i = 0; i < GS_COUNT_OF(signs); i++) {
        if (has(source, signs[i].text) && (!signs[i].and_text || has(source, signs[i].and_text))) {
            *out = signs[i].syntax;
            return true;
        }
    }
    return false;
}

static void find_reasoning(struct gs_slice source, struct gs_prompt_traits *t)
{
    static const char *const marks[][2] = {
        {"<think>", "</think>"}, {"[THINK]", "[/THINK]"}, {"<|channel>thought", "<channel|>"}};

    t->think_begin = t->think_end = "";
    t->reasoning = t->syntax == GS_SYNTAX_HARMONY;
    for (size_t i = 0; i < GS_COUNT_OF(marks) && !t->reasoning; i++) {
        if (!has(source, marks[i][1]))
            continue;
        t->reasoning = true;
        t->think_begin = marks[i][0];
        t->think_end = marks[i][1];
    }
}

/* Tools as a variable, or as a text that the system message carries (Phi-4). */
static void probe_tools(const struct gs_prompter *p, struct gs_prompt_traits *t)
{
    t->tools = true;
    if (SAYS(p, t, hello, true, MARK_TOOL, NULL))
        return;
    t->tools_in_system = true;
    if (!SAYS(p, t, with_system, true, MARK, MARK_TOOL))
        t->tools = t->tools_in_system = false;
}

/* Calls and results: with arguments as an object or as text, and with any ids or short ones. */
static void probe_calls(const struct gs_prompter *p, struct gs_prompt_traits *t)
{
    t->tool_role = true;
    for (int i = 0; i < 4; i++) {
        t->args_text = i & 1;
        t->short_ids = i & 2;
        if (SAYS(p, t, with_call, true, MARK, MARK_2))
            return;
    }
    t->tool_role = t->args_text = t->short_ids = false;
}

/* Which of its family's spellings of a call the template writes: the longest that comes out. */
static void probe_spelling(const struct gs_prompter *p, struct gs_prompt_traits *t)
{
    size_t n, len = 0;
    const struct gs_tool_spelling *spellings = gs_parser_spellings(t, &n);

    for (size_t i = 0; i < n; i++) {
        char text[200];
        const int text_len =
            snprintf(text, sizeof(text), "%sprobe%s", spellings[i].begin, spellings[i].between);
        if ((size_t)text_len <= len || (size_t)text_len >= sizeof(text) ||
            !SAYS(p, t, with_call, true, text, NULL))
            continue;
        len = (size_t)text_len;
        t->spelling = i;
    }
}

/* Each question is asked with what the earlier ones found. */
static void probe(struct gs_prompter *p)
{
    const struct gs_slice source = gs_template_source(p->tpl);
    struct gs_prompt_traits t = {.system_role = true,
                                 .system_mid = true,
                                 .same_role = true,
                                 .user_after_tool = true,
                                 .parallel = true};

    const bool is_known = find_syntax(source, &t.syntax);
    find_reasoning(source, &t);
    if (!SAYS(p, &t, hello, false, MARK, NULL)) {
        t.typed_content = true;
        t.typed_content = SAYS(p, &t, hello, false, MARK, NULL);
    }
    t.system_role = SAYS(p, &t, with_system, false, MARK, NULL);
    t.system_mid = SAYS(p, &t, with_mid_system, false, "Good day.", MARK);
    t.same_role = SAYS(p, &t, with_two_users, false, "Hello.", MARK);
    if (is_known)
        probe_tools(p, &t);
    if (!t.tools && t.syntax != GS_SYNTAX_HARMONY)
        t.syntax = GS_SYNTAX_HERMES; /* the one we teach */
    if (t.tools)
        probe_calls(p, &t);
    t.user_after_tool =
        !t.tool_role || SAYS(p, &t, with_user_after_tool, true, MARK_2, "Good day.");
    t.parallel = !t.tool_role || SAYS(p, &t, with_two_calls, true, MARK, MARK_2);
    if (t.tool_role)
        probe_spelling(p, &t);
    p->traits = t;
}

/* ---- life ---- */

static char *copy_slice(struct gs_slice s)
{
    char *p = gs_alloc(s.len + 1);

    if (!p)
        return NULL;
    if (s.len)
        memcpy(p, s.ptr, s.len);
    p[s.len] = '\0';
    return p;
}

enum gs_status gs_prompter_create(struct gs_slice source, struct gs_slice bos, struct gs_slice eos,
                                  struct gs_prompter **out_p, struct gs_error *err)
{
    struct gs_prompter *p = gs_alloc_zero(sizeof(*p));
    enum gs_status st = GS_OK;

    if (!p)
        return gs_error_nomem(err, "prepare the chat template");
    p->bos = copy_slice(bos);
    p->eos = copy_slice(eos);
    if (!p->bos || !p->eos)
        st = gs_error_nomem(err, "prepare the chat template");
    if (st == GS_OK && source.len == 0)
        source = gs_slice_str(plain_template);
    if (st == GS_OK)
        st = gs_template_parse("chat template", source, &p->tpl, err);
    if (st != GS_OK) {
        gs_prompter_free(p);
        return st;
    }
    probe(p);
    gs_chat_seams_learn(p);
    *out_p = p;
    return GS_OK;
}

void gs_prompter_free(struct gs_prompter *p)
{
    if (!p)
        return;
    gs_template_free(p->tpl);
    gs_arena_clear(&p->seams.a);
    gs_free(p->bos);
    gs_free(p->eos);
    gs_free(p);
}

const struct gs_prompt_traits *gs_prompter_traits(const struct gs_prompter *p)
{
    return &p->traits;
}

/* ---- rendering ---- */

/* The text that an open last turn ends with, in the arena's spelling of the last message. */
static struct gs_slice last_text(const struct gs_chat *chat)
{
    const struct gs_message *m = &chat->messages[chat->n_messages - 1];

    for (size_t i = m->n_blocks; i-- > 0;)
        if (m->blocks[i].kind == GS_BLOCK_TEXT && m->blocks[i].text.len > 0)
            return m->blocks[i].text;
    return (struct gs_slice){NULL, 0};
}

/* Templates close a turn and may trim its text. To leave the last one open, render a mark in place
 * of its last text, cut there, and append the text itself. */
static enum gs_status render_open(const struct gs_prompter *p, const struct gs_chat *chat,
                                  int64_t now_us, struct gs_buf *b, struct gs_error *err)
{
    const size_t n = chat->n_messages;
    const struct gs_slice text = last_text(chat);
    struct gs_chat open = *chat;
    struct gs_arena a;
    enum gs_status st = GS_OK;

    gs_arena_init(&a, 0);
    struct gs_message *messages = gs_arena_array(&a, n, sizeof(*messages));
    struct gs_block *blocks = gs_arena_array(&a, chat->messages[n - 1].n_blocks, sizeof(*blocks));
    const size_t start = b->len;
    if (!messages || !blocks) {
        st = gs_error_nomem(err, "build the prompt");
        goto out;
    }
    memcpy(messages, chat->messages, n * sizeof(*messages));
    memcpy(blocks, messages[n - 1].blocks, messages[n - 1].n_blocks * sizeof(*blocks));
    for (size_t i = 0; i < messages[n - 1].n_blocks; i++)
        if (blocks[i].kind == GS_BLOCK_TEXT && blocks[i].text.ptr == text.ptr)
            blocks[i].text = GS_SLICE_LIT(MARK);
    messages[n - 1].blocks = blocks;
    open.messages = messages;
    st = gs_chat_render(p, &p->traits, &open, NULL, false, now_us, b, err);
    if (st != GS_OK)
        goto out;
    size_t cut = SIZE_MAX;
    for (size_t at = gs_slice_find(gs_buf_view(b), GS_SLICE_LIT(MARK), start); at != SIZE_MAX;
         at = gs_slice_find(gs_buf_view(b), GS_SLICE_LIT(MARK), at + 1))
        cut = at;
    if (cut == SIZE_MAX) {
        st = gs_error_set(err, GS_ETEMPLATE, "the chat template cannot leave the last turn open");
        goto out;
    }
    b->len = cut;
    gs_buf_slice(b, text);
out:
    gs_arena_clear(&a);
    return st;
}

enum gs_status gs_prompter_shape(const struct gs_prompter *p, const struct gs_chat *chat,
                                 int64_t now_us, struct gs_prompt_shape *shape, struct gs_buf *b,
                                 struct gs_error *err)
{
    const size_t n = chat->n_messages;
    const bool open = chat->continue_last && n > 0 &&
                      chat->messages[n - 1].role == GS_ROLE_ASSISTANT && last_text(chat).len > 0;

    shape->opening_at = SIZE_MAX;
    for (size_t i = 0; i < shape->n_replays; i++)
        shape->replays[i].at = SIZE_MAX;
    const enum gs_status st = open ? render_open(p, chat, now_us, b, err)
                                   : gs_chat_seams_render(p, chat, now_us, shape, b, err);
    if (st != GS_OK)
        return st;
    if (!gs_buf_ok(b))
        return gs_error_set(err, GS_ELIMIT, "the prompt is larger than %zu bytes", b->max);
    shape->opens_reasoning =
        p->traits.think_begin[0] && !open &&
        gs_slice_ends(gs_slice_trim(gs_buf_view(b)), gs_slice_str(p->traits.think_begin));
    return GS_OK;
}

enum gs_status gs_prompter_render(const struct gs_prompter *p, const struct gs_chat *chat,
                                  int64_t now_us, struct gs_buf *b, bool *out_opens_reasoning,
                                  struct gs_error *err)
{
    struct gs_prompt_shape shape = {.ends = NULL};
    const enum gs_status st = gs_prompter_shape(p, chat, now_us, &shape, b, err);

    if (st == GS_OK)
        *out_opens_reasoning = shape.opens_reasoning;
    return st;
}
