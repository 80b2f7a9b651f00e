/* OpenAI Chat Completions, requests: tools and which of them to call. A custom tool takes any text;
 * to a model it is a function of one string, `input`. Tools that the cloud would run are ignored.
 */
#include "base/error.h"
#include "base/slice.h"
#include "dialect/openai_chat.h"
#include "dialect/reader.h"

struct list {
    struct gs_tool *tools;
    struct gs_slice *custom;
    size_t n, n_custom;
};

/* ---- custom tools ---- */

struct gs_slice gs_dialect_openai_custom_schema(struct gs_dialect_reader *r,
                                                const struct gs_json *grammar)
{
    struct gs_buf b;

    gs_buf_init(&b, SIZE_MAX / 2);
    gs_buf_puts(&b, "{\"type\":\"object\",\"properties\":{\"input\":{\"type\":\"string\"");
    if (gs_slice_eq_str(gs_dialect_peek_string(grammar, "syntax"), "regex")) {
        struct gs_buf whole;
        gs_buf_init(&whole, SIZE_MAX / 2);
        gs_buf_puts(&whole, "^(?:");
        gs_buf_slice(&whole, gs_dialect_peek_string(grammar, "definition"));
        gs_buf_puts(&whole, ")$");
        gs_buf_puts(&b, ",\"pattern\":");
        gs_json_write_string(&b, gs_dialect_keep(r, &whole));
        gs_buf_clear(&whole);
    }
    gs_buf_puts(&b, "}},\"required\":[\"input\"],\"additionalProperties\":false}");
    const struct gs_slice out = gs_dialect_keep(r, &b);
    gs_buf_clear(&b);
    return out;
}

struct gs_slice gs_dialect_openai_custom_args(struct gs_dialect_reader *r, struct gs_slice input)
{
    const struct gs_json_member member = {.key = GS_SLICE_LIT("input"),
                                          .value = {.kind = GS_JSON_STRING, .u.string = input}};
    const struct gs_json args = {.kind = GS_JSON_OBJECT,
                                 .u.object = {.members = &member, .len = 1}};

    return gs_dialect_json_text(r, &args);
}

/* ---- the list ---- */

static void add_tool(struct gs_dialect_reader *r, struct list *l, const struct gs_json *tool)
{
    const bool is_custom = gs_slice_eq_str(gs_dialect_peek_string(tool, "type"), "custom");
    const struct gs_json *custom = gs_json_get(tool, "custom");
    struct gs_tool t = {0};

    if (is_custom && custom) {
        gs_dialect_get_string(r, custom, "name", &t.name);
        gs_dialect_get_string(r, custom, "description", &t.description);
        t.parameters = gs_dialect_openai_custom_schema(
            r, gs_json_get(gs_json_get(custom, "format"), "grammar"));
        if (!t.name.len)
            gs_dialect_reader_fail(r, "custom.name: a tool needs a name");
        l->custom[l->n_custom++] = t.name;
    } else if (!gs_dialect_read_function(r, gs_json_get(tool, "function"), &t)) {
        return;
    }
    l->tools[l->n++] = t;
}

static void read_list(struct gs_dialect_reader *r, const struct gs_json *body, struct list *l)
{
    const struct gs_json *tools = gs_dialect_get_array(r, body, "tools");
    const struct gs_json *functions = gs_dialect_get_array(r, body, "functions");
    const size_t n_tools = tools ? tools->u.array.len : 0;
    const size_t n_functions = functions ? functions->u.array.len : 0;

    *l = (struct list){.tools = gs_arena_array(r->a, n_tools + n_functions, sizeof(*l->tools)),
                       .custom = gs_arena_array(r->a, n_tools, sizeof(*l->custom))};
    if (!l->tools || !l->custom) {
        gs_dialect_reader_nomem(r);
        return;
    }
    for (size_t i = 0; i < n_tools && r->status == GS_OK; i++) {
        add_tool(r, l, &tools->u.array.items[i]);
        gs_dialect_reader_at(r, "tools", i);
    }
    for (size_t i = 0; i < n_functions && r->status == GS_OK; i++) {
        if (gs_dialect_read_function(r, &functions->u.array.items[i], &l->tools[l->n]))
            l->n++;
        gs_dialect_reader_at(r, "functions", i);
    }
}

/* ---- the choice ---- */

/* {"type": "function", "function": {"name": ...}}, and the same of a custom tool. */
static struct gs_slice named(const struct gs_json *v)
{
    const struct gs_slice name = gs_dialect_peek_string(gs_json_get(v, "function"), "name");

    return name.len ? name : gs_dialect_peek_string(gs_json_get(v, "custom"), "name");
}

static void choose_by_word(struct gs_chat *chat, struct gs_slice word)
{
    if (gs_slice_eq_str(word, "none"))
        chat->tool_choice = GS_TOOL_CHOICE_NONE;
    else if (gs_slice_eq_str(word, "required"))
        chat->tool_choice = GS_TOOL_CHOICE_ANY;
}

static void choose(struct gs_dialect_reader *r, struct gs_chat *chat, struct gs_slice name,
                   const char *where)
{
    chat->tool_choice = GS_TOOL_CHOICE_NAMED;
    chat->tool_choice_name = name;
    if (!name.len)
        gs_dialect_reader_fail(r, "%s.name: the tool to call must be named", where);
}

static bool is_offered(const struct gs_chat *chat, struct gs_slice name)
{
    for (size_t i = 0; i < chat->n_tools; i++)
        if (gs_slice_eq(chat->tools[i].name, name))
            return true;
    return false;
}

/* {"mode": "auto", "tools": [...]}: all tools stay in the prompt, which so stays the same. */
static void read_allowed(struct gs_dialect_reader *r, const struct gs_json *allowed,
                         struct gs_chat *chat)
{
    const struct gs_json *tools = gs_dialect_get_array(r, allowed, "tools");
    const size_t n = tools ? tools->u.array.len : 0;
    struct gs_slice *names = gs_arena_array(r->a, n, sizeof(*names));

    if (!names) {
        gs_dialect_reader_nomem(r);
        return;
    }
    if (n == 0)
        gs_dialect_reader_fail(r, "tool_choice.allowed_tools.tools: at least one must be named");
    for (size_t i = 0; i < n && r->status == GS_OK; i++) {
        names[i] = named(&tools->u.array.items[i]);
        if (!is_offered(chat, names[i]))
            gs_dialect_reader_fail(r,
                                   "tool_choice.allowed_tools.tools[%zu]: there is no tool "
                                   "\"%.*s\"",
                                   i, (int)GS_MIN(names[i].len, 100), names[i].ptr);
    }
    choose_by_word(chat, gs_dialect_peek_string(allowed, "mode"));
    chat->allowed_tools = names;
    chat->n_allowed_tools = n;
}

static void read_choice(struct gs_dialect_reader *r, const struct gs_json *body,
                        struct gs_chat *chat)
{
    const struct gs_json *choice = gs_json_get(body, "tool_choice");
    const struct gs_slice type = gs_dialect_peek_string(choice, "type");
    const struct gs_json *function = gs_json_get(body, "function_call");

    choose_by_word(chat, gs_dialect_peek_string(body, "tool_choice"));
    choose_by_word(chat, gs_dialect_peek_string(body, "function_call"));
    if (gs_slice_eq_str(type, "function"))
        choose(r, chat, named(choice), "tool_choice.function");
    else if (gs_slice_eq_str(type, "custom"))
        choose(r, chat, named(choice), "tool_choice.custom");
    else if (gs_slice_eq_str(type, "allowed_tools"))
        read_allowed(r, gs_json_get(choice, "allowed_tools"), chat);
    else if (function && function->kind == GS_JSON_OBJECT)
        choose(r, chat, gs_dialect_peek_string(function, "name"), "function_call");
}

void gs_dialect_openai_read_tools(struct gs_dialect_reader *r, const struct gs_json *body,
                                  struct gs_chat *chat, struct gs_dialect_openai_request *q)
{
    bool parallel = true;
    struct list l;

    read_list(r, body, &l);
    chat->tools = l.tools;
    chat->n_tools = l.n;
    q->custom = l.custom;
    q->n_custom = l.n_custom;
    q->has_functions = gs_dialect_has(body, "functions") && !gs_dialect_has(body, "tools");
    gs_dialect_get_bool(r, body, "parallel_tool_calls", &parallel);
    chat->one_tool_call = !parallel || q->has_functions;
    if (r->status == GS_OK)
        read_choice(r, body, chat);
}
