/* OpenAI Responses, requests: POST /v1/responses and /v1/responses/input_tokens
 * (https://platform.openai.com/docs/api-reference/responses/create), as Codex 0.169 and the SDK 7
 * send them.
 *
 * A model knows every tool by one name and calls it with one JSON object. So a tool in a namespace
 * gets a joined name, and a custom tool, whose input is any text, becomes a function with one
 * string; the table in gs_dialect_responses_request tells the writer the way back. */
#include "dialect/openai_responses.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/slice.h"
#include "dialect/openai_chat.h"

static bool type_is(const struct gs_json *v, const char *type)
{
    return gs_slice_eq_str(gs_dialect_peek_string(v, "type"), type);
}

/* ---- tools ---- */

struct tools_reader {
    struct gs_dialect_reader *r;
    struct gs_tool *tools;
    struct gs_dialect_responses_tool *known;
    size_t n;
};

struct gs_slice gs_dialect_responses_flat(struct gs_dialect_reader *r, struct gs_slice space,
                                          struct gs_slice name)
{
    struct gs_buf b;

    if (!space.len)
        return name;
    gs_buf_init(&b, GS_MAX_TEXT_BYTES);
    gs_buf_slice(&b, space);
    gs_buf_puts(&b, "__");
    gs_buf_slice(&b, name);
    const struct gs_slice flat = gs_dialect_keep(r, &b);
    gs_buf_clear(&b);
    return flat;
}

/* A custom tool's grammar is the only word on what its input looks like. */
static struct gs_slice describe_custom(struct gs_dialect_reader *r, const struct gs_json *tool)
{
    const struct gs_json *format = gs_json_get(tool, "format");
    const struct gs_slice grammar = gs_dialect_peek_string(format, "definition");
    struct gs_buf b;

    if (!grammar.len)
        return gs_dialect_peek_string(tool, "description");
    gs_buf_init(&b, GS_MAX_TEXT_BYTES);
    gs_buf_slice(&b, gs_dialect_peek_string(tool, "description"));
    gs_buf_puts(&b, "\n\nThe input follows this grammar (");
    gs_buf_slice(&b, gs_dialect_peek_string(format, "syntax"));
    gs_buf_puts(&b, "):\n");
    gs_buf_slice(&b, grammar);
    const struct gs_slice text = gs_dialect_keep(r, &b);
    gs_buf_clear(&b);
    return text;
}

static void read_tool(struct tools_reader *t, const struct gs_json *tool, struct gs_slice space)
{
    struct gs_dialect_reader *r = t->r;
    struct gs_dialect_responses_tool known = {.space = space, .is_custom = type_is(tool, "custom")};
    struct gs_tool out = {0};

    if (known.is_custom) {
        gs_dialect_get_string(r, tool, "name", &out.name);
        if (!out.name.len)
            gs_dialect_reader_fail(r, "name: a tool needs a name");
        out.description = describe_custom(r, tool);
        out.parameters = gs_dialect_openai_custom_schema(r, gs_json_get(tool, "format"));
    } else if (!type_is(tool, "function") || !gs_dialect_read_function(r, tool, &out)) {
        return; /* what the cloud would run itself */
    }
    known.name = out.name;
    known.flat = gs_dialect_responses_flat(r, space, out.name);
    out.name = known.flat;
    t->tools[t->n] = out;
    t->known[t->n++] = known;
}

/* The tools of a namespace; NULL if it is something else. */
static const struct gs_json *nested_tools(const struct gs_json *tool)
{
    const struct gs_json *nested = type_is(tool, "namespace") ? gs_json_get(tool, "tools") : NULL;

    return nested && nested->kind == GS_JSON_ARRAY ? nested : NULL;
}

static void read_tools(struct gs_dialect_reader *r, const struct gs_json *body,
                       struct gs_chat *chat, struct gs_dialect_responses_request *own)
{
    const struct gs_json *tools = gs_dialect_get_array(r, body, "tools");
    struct tools_reader t = {.r = r};
    size_t n = 0;

    for (size_t i = 0; tools && i < tools->u.array.len; i++) {
        const struct gs_json *nested = nested_tools(&tools->u.array.items[i]);
        n += nested ? nested->u.array.len : 1;
    }
    if (n == 0 || r->status != GS_OK)
        return;
    t.tools = gs_arena_array(r->a, n, sizeof(*t.tools));
    t.known = gs_arena_array(r->a, n, sizeof(*t.known));
    if (!t.tools || !t.known) {
        gs_dialect_reader_nomem(r);
        return;
    }
    for (size_t i = 0; i < tools->u.array.len && r->status == GS_OK; i++) {
        const struct gs_json *tool = &tools->u.array.items[i];
        const struct gs_json *nested = nested_tools(tool);
        const struct gs_slice space = gs_dialect_peek_string(tool, "name");
        for (size_t k = 0; nested && k < nested->u.array.len && r->status == GS_OK; k++)
            read_tool(&t, &nested->u.array.items[k], space);
        if (!nested)
            read_tool(&t, tool, gs_slice(NULL, 0));
        gs_dialect_reader_at(r, "tools", i);
    }
    chat->tools = t.tools;
    chat->n_tools = t.n;
    own->tools = t.known;
    own->n_tools = t.n;
}

/* Whether {"type": "function", "name": ...} means this tool; with "namespace" or without. */
static bool means(const struct gs_json *entry, const struct gs_dialect_responses_tool *tool)
{
    const struct gs_slice name = gs_dialect_peek_string(entry, "name");
    const struct gs_slice space = gs_dialect_peek_string(entry, "namespace");

    if (type_is(entry, "namespace"))
        return name.len && gs_slice_eq(name, tool->space);
    return gs_slice_eq(name, tool->name) && (!space.len || gs_slice_eq(space, tool->space));
}

static void name_tool(struct gs_dialect_reader *r, const struct gs_json *choice,
                      struct gs_chat *chat, const struct gs_dialect_responses_request *own)
{
    size_t i = 0;

    while (i < own->n_tools && !means(choice, &own->tools[i]))
        i++;
    chat->tool_choice = GS_TOOL_CHOICE_NAMED;
    chat->tool_choice_name =
        i < own->n_tools ? own->tools[i].flat : gs_dialect_peek_string(choice, "name");
    if (!chat->tool_choice_name.len)
        gs_dialect_reader_fail(r, "tool_choice.name: the tool to call must be named");
}

static bool is_allowed(const struct gs_json *allowed, const struct gs_dialect_responses_tool *tool)
{
    for (size_t i = 0; i < allowed->u.array.len; i++) {
        if (means(&allowed->u.array.items[i], tool))
            return true;
    }
    return false;
}

/* {"type": "allowed_tools", "mode": "auto", "tools": [...]}: the model sees all, and calls these.
 */
static void read_allowed(struct gs_dialect_reader *r, const struct gs_json *choice,
                         struct gs_chat *chat, const struct gs_dialect_responses_request *own)
{
    const struct gs_json *allowed = gs_dialect_get_array(r, choice, "tools");
    struct gs_slice *names;

    if (!allowed || own->n_tools == 0)
        return;
    names = gs_arena_array(r->a, own->n_tools, sizeof(*names));
    if (!names) {
        gs_dialect_reader_nomem(r);
        return;
    }
    chat->allowed_tools = names;
    for (size_t i = 0; i < own->n_tools; i++) {
        if (is_allowed(allowed, &own->tools[i]))
            names[chat->n_allowed_tools++] = own->tools[i].flat;
    }
    if (chat->n_allowed_tools == 0)
        chat->tool_choice = GS_TOOL_CHOICE_NONE;
    else if (gs_slice_eq_str(gs_dialect_peek_string(choice, "mode"), "required"))
        chat->tool_choice = GS_TOOL_CHOICE_ANY;
}

static void read_tool_choice(struct gs_dialect_reader *r, const struct gs_json *body,
                             struct gs_chat *chat, const struct gs_dialect_responses_request *own)
{
    const struct gs_json *choice = gs_json_get(body, "tool_choice");
    const struct gs_slice word = gs_dialect_peek_string(body, "tool_choice");

    if (gs_slice_eq_str(word, "none"))
        chat->tool_choice = GS_TOOL_CHOICE_NONE;
    else if (gs_slice_eq_str(word, "required"))
        chat->tool_choice = GS_TOOL_CHOICE_ANY;
    else if (type_is(choice, "function") || type_is(choice, "custom"))
        name_tool(r, choice, chat, own);
    else if (type_is(choice, "allowed_tools"))
        read_allowed(r, choice, chat, own);
}

/* ---- settings ---- */

static void read_format(struct gs_dialect_reader *r, const struct gs_json *body,
                        struct gs_chat *chat)
{
    const struct gs_json *format = gs_json_get(gs_json_get(body, "text"), "format");
    const struct gs_slice type = gs_dialect_peek_string(format, "type");
    const struct gs_json *schema = gs_json_get(format, "schema");

    if (gs_slice_eq_str(type, "json_object"))
        gs_dialect_set_schema(r, chat, NULL);
    else if (gs_slice_eq_str(type, "json_schema") && !schema)
        gs_dialect_reader_fail(r, "text.format.schema: a schema is needed");
    else if (gs_slice_eq_str(type, "json_schema"))
        gs_dialect_set_schema(r, chat, schema);
    else if (type.len && !gs_slice_eq_str(type, "text"))
        gs_dialect_reader_fail(r,
                               "text.format.type: expected text, json_object or json_schema, "
                               "found \"%.*s\"",
                               (int)GS_MIN(type.len, (size_t)100), type.ptr);
}

static bool includes(const struct gs_json *body, const char *what)
{
    const struct gs_json *include = gs_json_get(body, "include");

    for (size_t i = 0; include && include->kind == GS_JSON_ARRAY && i < include->u.array.len; i++) {
        const struct gs_json *entry = &include->u.array.items[i];
        if (entry->kind == GS_JSON_STRING && gs_slice_eq_str(entry->u.string, what))
            return true;
    }
    return false;
}

static void read_settings(struct gs_dialect_reader *r, const struct gs_json *body,
                          struct gs_chat *chat, struct gs_dialect_responses_request *own)
{
    const struct gs_json *reasoning = gs_json_get(body, "reasoning");
    int64_t n_top = 0;
    bool parallel = true;
    bool generate = true;

    gs_dialect_openai_read_sampling(r, body, &chat->sampling);
    gs_dialect_openai_read_thinking(r, body, chat);
    gs_dialect_get_bool(r, body, "generate", &generate); /* false: Codex warms up */
    chat->prefill_only = !generate;
    gs_dialect_openai_read_limit(r, body, "max_output_tokens", &chat->max_tokens);
    gs_dialect_get_int(r, body, "top_logprobs", 0, 20, &n_top);
    gs_dialect_get_bool(r, body, "parallel_tool_calls", &parallel);
    chat->one_tool_call = !parallel;
    chat->logprobs = includes(body, "message.output_text.logprobs");
    chat->n_top_logprobs = chat->logprobs ? (int32_t)n_top : 0;
    own->has_limit = chat->max_tokens > 0;
    own->has_encrypted = includes(body, "reasoning.encrypted_content");
    own->has_summary = gs_dialect_has(reasoning, "summary");
}

/* ---- what the answer repeats ---- */

/* "text" always has a format. */
static void echo_text(struct gs_buf *b, const struct gs_json *text)
{
    const struct gs_json *format = gs_json_get(text, "format");
    const struct gs_json *verbosity = gs_json_get(text, "verbosity");

    gs_buf_puts(b, ",\"text\":{\"format\":");
    if (gs_dialect_has(text, "format"))
        gs_json_write(b, format);
    else
        gs_buf_puts(b, "{\"type\":\"text\"}");
    if (gs_dialect_has(text, "verbosity")) {
        gs_buf_puts(b, ",\"verbosity\":");
        gs_json_write(b, verbosity);
    }
    gs_buf_putc(b, '}');
}

static struct gs_slice echo_of(struct gs_dialect_reader *r, const struct gs_json *body,
                               bool is_kept)
{
    static const struct {
        const char *key, *none;
    } members[] = {
        {"instructions", "null"},
        {"max_output_tokens", "null"},
        {"max_tool_calls", "null"},
        {"metadata", "{}"},
        {"parallel_tool_calls", "true"},
        {"previous_response_id", "null"},
        {"prompt_cache_key", "null"},
        {"reasoning", "{\"effort\":null,\"summary\":null}"},
        {"safety_identifier", "null"},
        {"temperature", "1"},
        {"tool_choice", "\"auto\""},
        {"tools", "[]"},
        {"top_logprobs", "0"},
        {"top_p", "1"},
        {"user", "null"},
    };
    struct gs_buf b;

    gs_buf_init(&b, GS_MAX_TEXT_BYTES);
    gs_buf_puts(&b, "\"background\":false,\"service_tier\":\"default\",\"store\":");
    gs_buf_puts(&b, is_kept ? "true" : "false");
    gs_buf_puts(&b, ",\"truncation\":\"disabled\"");
    echo_text(&b, gs_json_get(body, "text"));
    for (size_t i = 0; i < GS_COUNT_OF(members); i++) {
        gs_buf_printf(&b, ",\"%s\":", members[i].key);
        if (gs_dialect_has(body, members[i].key))
            gs_json_write(&b, gs_json_get(body, members[i].key));
        else
            gs_buf_puts(&b, members[i].none);
    }
    const struct gs_slice echo = gs_dialect_keep(r, &b);
    gs_buf_clear(&b);
    return echo;
}

/* ---- the request ---- */

/* What cannot be had here, and would be missed without a word. */
static enum gs_status refuse(const struct gs_json *body, struct gs_error *err)
{
    if (gs_dialect_peek_bool(body, "background"))
        return gs_error_set(err, GS_EUNSUPPORTED,
                            "background: responses are not made in the background here; stream "
                            "them, or wait");
    if (gs_dialect_has(body, "conversation"))
        return gs_error_set(err, GS_EUNSUPPORTED,
                            "conversation: conversations are not kept here; use "
                            "previous_response_id, or send all items");
    if (gs_dialect_has(gs_json_get(body, "prompt"), "id"))
        return gs_error_set(err, GS_EUNSUPPORTED,
                            "prompt: prompt templates are not kept here; send instructions and "
                            "input");
    return GS_OK;
}

static void read_instructions(struct gs_dialect_reader *r, const struct gs_json *body)
{
    struct gs_slice text = {NULL, 0};

    gs_dialect_get_string(r, body, "instructions", &text);
    if (!text.len)
        return;
    gs_dialect_add_text(r, GS_BLOCK_TEXT, text);
    gs_dialect_end_message(r, GS_ROLE_SYSTEM);
}

static void read_body(struct gs_dialect_reader *r, const struct gs_json *body,
                      const struct gs_dialect_store *store, struct gs_chat *chat,
                      struct gs_dialect_responses_request *own)
{
    own->is_kept = true;
    gs_dialect_get_bool(r, body, "store", &own->is_kept);
    gs_dialect_get_string(r, body, "previous_response_id", &own->previous);
    gs_dialect_get_string(r, body, "model", &chat->model);
    if (!chat->model.len)
        gs_dialect_reader_fail(r, "model: a model must be named");
    read_instructions(r, body);
    gs_dialect_responses_items(r, store, body, own);
    read_tools(r, body, chat, own);
    read_tool_choice(r, body, chat, own);
    read_settings(r, body, chat, own);
    read_format(r, body, chat);
    own->echo = echo_of(r, body, own->is_kept);
}

enum gs_status gs_dialect_openai_responses_read(struct gs_chat *out_chat,
                                                struct gs_dialect_context *out_ctx,
                                                struct gs_slice text, const char *path,
                                                struct gs_arena *a, struct gs_error *err)
{
    struct gs_dialect_reader r = {.a = a, .err = err};
    struct gs_dialect_responses_request *own;
    struct gs_chat chat = {0};
    struct gs_dialect_context ctx = {.store = out_ctx->store};
    struct gs_json body;

    enum gs_status st = gs_dialect_parse(text, a, &body, err);
    if (st == GS_OK)
        st = refuse(&body, err);
    if (st != GS_OK)
        return st;
    own = gs_arena_alloc(a, sizeof(*own));
    if (!own)
        return gs_error_nomem(err, "read the request");
    read_body(&r, &body, ctx.store, &chat, own);
    gs_dialect_get_bool(&r, &body, "stream", &ctx.stream);
    st = gs_dialect_reader_finish(&r, &chat);
    if (st == GS_OK && chat.n_messages == 0)
        st = gs_error_set(err, GS_EINVAL, "input: at least one item is required");
    if (st != GS_OK)
        return st;
    ctx.own = own;
    ctx.model = chat.model;
    ctx.builds_on_kept = own->builds_on;
    ctx.is_count = gs_slice_ends(gs_slice_str(path), GS_SLICE_LIT("/input_tokens"));
    ctx.stream = ctx.stream && !ctx.is_count;
    own->is_kept = own->is_kept && !ctx.is_count;
    chat.stream = ctx.stream;
    *out_chat = chat;
    *out_ctx = ctx;
    return GS_OK;
}
