/* Anthropic Messages, requests: POST /v1/messages and /v1/messages/count_tokens
 * (https://docs.anthropic.com/en/api/messages), as Claude Code 2.1 and the SDK 1.11 send them.
 *
 * System messages stay where they stand. Tools marked defer_loading are not listed: where a
 * tool_reference names one, its definition stands in the text, so that the prompt before it never
 * changes. Tools that the server would run (web_search...) are ignored; what another server made of
 * them earlier in the conversation reads as calls and results. */
#include "dialect/anthropic.h"

#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/slice.h"
#include "dialect/reader.h"

/* Changes with every conversation and means nothing to a model (Claude Code, 2026-11). */
#define BILLING_MARK GS_SLICE_LIT("x-anthropic-billing-header:")

static bool type_is(const struct gs_json *block, const char *type)
{
    return gs_dialect_anthropic_is(block, type);
}

/* ---- tools ---- */

static bool is_custom(const struct gs_json *tool)
{
    const struct gs_slice type = gs_dialect_peek_string(tool, "type");

    return type.len == 0 || gs_slice_eq_str(type, "custom");
}

static bool is_named(const struct gs_json *tool, struct gs_slice name)
{
    return name.len > 0 && gs_slice_eq(gs_dialect_peek_string(tool, "name"), name);
}

static void map_deferred(struct gs_dialect_messages *m)
{
    for (size_t i = 0; m->tools && i < m->tools->u.array.len; i++) {
        const struct gs_json *tool = &m->tools->u.array.items[i];
        const struct gs_slice name = gs_dialect_peek_string(tool, "name");
        if (name.len && gs_dialect_peek_bool(tool, "defer_loading") &&
            !gs_map_put(&m->by_name, name, (void *)tool))
            m->r.status = gs_error_nomem(m->r.err, "read the tools");
    }
}

static void read_tools(struct gs_dialect_messages *m, struct gs_chat *chat)
{
    struct gs_dialect_reader *r = &m->r;
    const size_t n = m->tools ? m->tools->u.array.len : 0;
    struct gs_tool *out = n ? gs_arena_array(r->a, n, sizeof(*out)) : NULL;
    size_t used = 0;

    if (n && !out)
        r->status = gs_error_nomem(r->err, "read the tools");
    for (size_t i = 0; out && i < n && r->status == GS_OK; i++) {
        const struct gs_json *tool = &m->tools->u.array.items[i];
        const struct gs_json *schema = gs_json_get(tool, "input_schema");
        struct gs_tool t = {0};
        if (!is_custom(tool) || (gs_dialect_peek_bool(tool, "defer_loading") &&
                                 !is_named(tool, chat->tool_choice_name)))
            continue;
        gs_dialect_get_string(r, tool, "name", &t.name);
        gs_dialect_get_string(r, tool, "description", &t.description);
        if (schema && schema->kind == GS_JSON_OBJECT)
            t.parameters = gs_dialect_json_text(r, schema);
        if (gs_dialect_has(tool, "cache_control"))
            t.cache = gs_dialect_json_text(r, gs_json_get(tool, "cache_control"));
        if (!t.name.len)
            gs_dialect_reader_fail(r, "name: a tool needs a name");
        gs_dialect_reader_at(r, "tools", i);
        out[used++] = t;
    }
    chat->tools = out;
    chat->n_tools = used;
}

/* {"type": "json_schema", "schema": {...}}: output_config.format, and as betas had it
 * output_format.
 */
static void read_format(struct gs_dialect_reader *r, const struct gs_json *body,
                        struct gs_chat *chat)
{
    const struct gs_json *format = gs_json_get(gs_json_get(body, "output_config"), "format");
    const struct gs_json *schema;

    if (!format)
        format = gs_json_get(body, "output_format");
    schema = gs_json_get(format, "schema");
    if (gs_slice_eq_str(gs_dialect_peek_string(format, "type"), "json_schema") && schema)
        gs_dialect_set_schema(r, chat, schema);
}

/* Whether the server would run the tool of this name: then no answer calls it. */
static bool is_servers(const struct gs_dialect_messages *m, struct gs_slice name)
{
    for (size_t i = 0; m->tools && i < m->tools->u.array.len; i++)
        if (is_named(&m->tools->u.array.items[i], name))
            return !is_custom(&m->tools->u.array.items[i]);
    return false;
}

static void read_tool_choice(struct gs_dialect_messages *m, const struct gs_json *body,
                             struct gs_chat *chat)
{
    const struct gs_json *choice = gs_json_get(body, "tool_choice");
    struct gs_dialect_reader *r = &m->r;

    chat->one_tool_call = gs_dialect_peek_bool(choice, "disable_parallel_tool_use");
    if (type_is(choice, "any"))
        chat->tool_choice = GS_TOOL_CHOICE_ANY;
    else if (type_is(choice, "none"))
        chat->tool_choice = GS_TOOL_CHOICE_NONE;
    if (!type_is(choice, "tool") || is_servers(m, gs_dialect_peek_string(choice, "name")))
        return;
    chat->tool_choice = GS_TOOL_CHOICE_NAMED;
    gs_dialect_get_string(r, choice, "name", &chat->tool_choice_name);
    if (!chat->tool_choice_name.len)
        gs_dialect_reader_fail(r, "tool_choice.name: the tool to call must be named");
}

/* ---- blocks ---- */

/* A type that names what a tool gave back: of a client's tool, or of one that a server ran. */
static bool is_result(const struct gs_json *block)
{
    return gs_slice_ends(gs_dialect_peek_string(block, "type"), GS_SLICE_LIT("tool_result"));
}

static void read_image(struct gs_dialect_reader *r, const struct gs_json *block)
{
    const struct gs_json *source = gs_json_get(block, "source");
    struct gs_block *b = gs_dialect_add_block(r, GS_BLOCK_IMAGE);

    if (!b)
        return;
    b->name = gs_dialect_peek_string(source, "media_type");
    b->text = gs_dialect_peek_string(source, type_is(source, "url") ? "url" : "data");
}

/* The images among blocks. */
static void read_images(struct gs_dialect_reader *r, const struct gs_json *content)
{
    for (size_t i = 0; content && content->kind == GS_JSON_ARRAY && i < content->u.array.len; i++) {
        if (type_is(&content->u.array.items[i], "image"))
            read_image(r, &content->u.array.items[i]);
    }
}

static void read_tool_result(struct gs_dialect_messages *m, const struct gs_json *block)
{
    const struct gs_json *content = gs_json_get(block, "content");
    const struct gs_slice text = gs_dialect_anthropic_result(m, content);
    struct gs_block *b = gs_dialect_add_block(&m->r, GS_BLOCK_TOOL_RESULT);

    if (!b)
        return;
    b->id = gs_dialect_peek_string(block, "tool_use_id");
    b->text = text;
    b->is_error = gs_dialect_peek_bool(block, "is_error");
    read_images(&m->r, content);
}

static void read_tool_use(struct gs_dialect_reader *r, const struct gs_json *block)
{
    const struct gs_slice args = gs_dialect_read_args(r, gs_json_get(block, "input"));
    struct gs_block *b = gs_dialect_add_block(r, GS_BLOCK_TOOL_CALL);

    if (!b)
        return;
    b->id = gs_dialect_peek_string(block, "id");
    b->name = gs_dialect_peek_string(block, "name");
    b->args = args;
}

/* What is no conversation reads as text; types not known here are passed over. */
static void read_other(struct gs_dialect_messages *m, const struct gs_json *block)
{
    struct gs_buf b;

    gs_buf_init(&b, GS_MAX_TEXT_BYTES);
    gs_dialect_anthropic_text(m, block, &b);
    gs_dialect_add_text(&m->r, GS_BLOCK_TEXT, gs_dialect_keep(&m->r, &b));
    gs_buf_clear(&b);
    if (type_is(block, "document"))
        read_images(&m->r, gs_json_get(gs_json_get(block, "source"), "content"));
}

/* Text of a system message without the lines of its client's accounting. */
static struct gs_slice without_billing(struct gs_dialect_reader *r, struct gs_slice text)
{
    size_t at = gs_slice_find(text, BILLING_MARK, 0);
    size_t from = 0;
    struct gs_buf b;

    if (at == SIZE_MAX)
        return text;
    gs_buf_init(&b, GS_MAX_TEXT_BYTES);
    for (; at != SIZE_MAX; at = gs_slice_find(text, BILLING_MARK, at + 1)) {
        if (at > 0 && text.ptr[at - 1] != '\n')
            continue;
        const size_t end = gs_slice_find(text, GS_SLICE_LIT("\n"), at);
        gs_buf_slice(&b, gs_slice_sub(text, from, at));
        from = end == SIZE_MAX ? text.len : end + 1;
    }
    gs_buf_slice(&b, gs_slice_sub(text, from, text.len));
    text = gs_dialect_keep(r, &b);
    gs_buf_clear(&b);
    return text;
}

static void add_text(struct gs_dialect_messages *m, struct gs_slice text)
{
    gs_dialect_add_text(&m->r, GS_BLOCK_TEXT, m->in_system ? without_billing(&m->r, text) : text);
}

static void read_block(struct gs_dialect_messages *m, const struct gs_json *block)
{
    struct gs_dialect_reader *r = &m->r;

    if (block->kind != GS_JSON_OBJECT) {
        gs_dialect_reader_fail(r, "expected an object, found %s", gs_json_kind_name(block->kind));
    } else if (type_is(block, "text")) {
        struct gs_slice text = {NULL, 0};
        gs_dialect_get_string(r, block, "text", &text);
        add_text(m, text);
    } else if (type_is(block, "tool_use") || type_is(block, "server_tool_use") ||
               type_is(block, "mcp_tool_use")) {
        read_tool_use(r, block);
    } else if (is_result(block)) {
        read_tool_result(m, block);
    } else if (type_is(block, "thinking")) {
        gs_dialect_add_reasoning(r, gs_dialect_peek_string(block, "thinking"),
                                 gs_dialect_peek_string(block, "signature"));
    } else if (type_is(block, "redacted_thinking")) {
        const struct gs_slice data = gs_dialect_peek_string(block, "data");
        gs_dialect_add_reasoning(r, gs_slice(NULL, 0), gs_dialect_anthropic_redacted(r, data));
    } else if (type_is(block, "image")) {
        read_image(r, block);
    } else {
        read_other(m, block);
    }
}

/* ---- messages ---- */

/* A system message that says nothing is none. */
static void end_message(struct gs_dialect_reader *r, enum gs_role role)
{
    if (r->n_blocks > 0 || role != GS_ROLE_SYSTEM)
        gs_dialect_end_message(r, role);
}

/* Tool results become a turn of their own, wherever they stand: templates know them by role. */
static void read_blocks(struct gs_dialect_messages *m, enum gs_role role,
                        const struct gs_json *content)
{
    struct gs_dialect_reader *r = &m->r;
    enum gs_role current = role;

    for (size_t i = 0; i < content->u.array.len && r->status == GS_OK; i++) {
        const struct gs_json *block = &content->u.array.items[i];
        const enum gs_role next = is_result(block) ? GS_ROLE_TOOL : role;
        if (next != current && r->n_blocks > 0)
            end_message(r, current);
        current = next;
        const size_t first = r->n_blocks;
        read_block(m, block);
        gs_dialect_mark_block(r, first, block);
        gs_dialect_reader_at(r, "content", i);
    }
    end_message(r, current);
}

static void read_content(struct gs_dialect_messages *m, enum gs_role role,
                         const struct gs_json *content)
{
    struct gs_dialect_reader *r = &m->r;

    m->in_system = role == GS_ROLE_SYSTEM;
    if (content && content->kind == GS_JSON_ARRAY) {
        read_blocks(m, role, content);
    } else if (!content || content->kind == GS_JSON_NULL || content->kind == GS_JSON_STRING) {
        add_text(m, content && content->kind == GS_JSON_STRING ? content->u.string
                                                               : gs_slice(NULL, 0));
        end_message(r, role);
    } else {
        gs_dialect_reader_fail(r, "content: expected a string or an array, found %s",
                               gs_json_kind_name(content->kind));
    }
}

static void read_message(struct gs_dialect_messages *m, const struct gs_json *message)
{
    const struct gs_slice role = gs_dialect_peek_string(message, "role");
    const struct gs_json *content = gs_json_get(message, "content");

    if (gs_slice_eq_str(role, "user"))
        read_content(m, GS_ROLE_USER, content);
    else if (gs_slice_eq_str(role, "assistant"))
        read_content(m, GS_ROLE_ASSISTANT, content);
    else if (gs_slice_eq_str(role, "system"))
        read_content(m, GS_ROLE_SYSTEM, content);
    else
        gs_dialect_reader_fail(&m->r, "role: expected \"user\", \"assistant\" or \"system\"");
}

static void read_messages(struct gs_dialect_messages *m, const struct gs_json *body)
{
    const struct gs_json *messages = gs_dialect_get_array(&m->r, body, "messages");

    if (!messages || messages->u.array.len == 0)
        gs_dialect_reader_fail(&m->r, "messages: at least one message is required");
    for (size_t i = 0; messages && i < messages->u.array.len && m->r.status == GS_OK; i++) {
        read_message(m, &messages->u.array.items[i]);
        gs_dialect_reader_at(&m->r, "messages", i);
    }
}

static void read_system(struct gs_dialect_messages *m, const struct gs_json *body)
{
    const struct gs_json *system = gs_json_get(body, "system");

    if (!system || system->kind == GS_JSON_NULL)
        return;
    read_content(m, GS_ROLE_SYSTEM, system);
    if (m->r.status == GS_EINVAL)
        gs_error_prefix(m->r.err, "system");
}

/* ---- settings ---- */

/* Without `thinking` an answer begins with its text: that is what clients that do not ask expect
 * to find in content[0]. "adaptive" and what is new leave it to the model. */
static void read_thinking_mode(struct gs_dialect_reader *r, const struct gs_json *body,
                               struct gs_chat *chat, struct gs_dialect_context *ctx)
{
    const struct gs_json *thinking = gs_json_get(body, "thinking");
    const bool was_ok = r->status == GS_OK;
    int64_t budget = -1;

    gs_dialect_get_int(r, thinking, "budget_tokens", 0, INT32_MAX, &budget);
    if (was_ok && r->status == GS_EINVAL)
        gs_error_prefix(r->err, "thinking");
    if (!thinking || thinking->kind == GS_JSON_NULL || type_is(thinking, "disabled") ||
        (type_is(thinking, "enabled") && budget == 0))
        chat->thinking = GS_THINKING_OFF;
    else if (type_is(thinking, "enabled"))
        chat->thinking = GS_THINKING_ON;
    if (budget > 0)
        chat->max_reasoning_tokens = budget;
    chat->effort = gs_dialect_peek_string(gs_json_get(body, "output_config"), "effort");
    ctx->omits_reasoning = gs_slice_eq_str(gs_dialect_peek_string(thinking, "display"), "omitted");
}

/* Whether a part of the prompt is marked to be cached. */
static bool has_cache_mark(const struct gs_json *v)
{
    if (v && v->kind == GS_JSON_ARRAY) {
        for (size_t i = 0; i < v->u.array.len; i++)
            if (has_cache_mark(&v->u.array.items[i]))
                return true;
        return false;
    }
    return gs_dialect_has(v, "cache_control") ||
           (gs_json_get(v, "content") && has_cache_mark(gs_json_get(v, "content")));
}

static void read_settings(struct gs_dialect_reader *r, const struct gs_json *body,
                          struct gs_chat *chat, struct gs_dialect_context *ctx)
{
    int64_t top_k = 0;

    gs_sampling_init(&chat->sampling);
    gs_dialect_get_int(r, body, "max_tokens", 1, INT32_MAX, &chat->max_tokens);
    gs_dialect_get_float(r, body, "temperature", 0, 2, &chat->sampling.temperature);
    gs_dialect_get_float(r, body, "top_p", 0, 1, &chat->sampling.top_p);
    gs_dialect_get_int(r, body, "top_k", 0, INT32_MAX, &top_k);
    chat->sampling.top_k = (int32_t)top_k;
    chat->sampling.open = gs_dialect_left_open(body);
    gs_dialect_read_stops(r, body, "stop_sequences", chat);
    read_thinking_mode(r, body, chat, ctx);
    ctx->marks_cache = has_cache_mark(body) || has_cache_mark(gs_json_get(body, "system")) ||
                       has_cache_mark(gs_json_get(body, "tools")) ||
                       has_cache_mark(gs_json_get(body, "messages"));
}

/* Only the server that made a thread can continue it. A client told so in these words (`source`
 * names the field, see anthropic_write.c) sends the whole conversation instead. */
static enum gs_status refuse_thread(const struct gs_json *body, struct gs_error *err)
{
    if (!gs_dialect_has(body, "thread"))
        return GS_OK;
    gs_error_set(err, GS_EUNSUPPORTED,
                 "thread: message threads are not kept here; send the whole conversation");
    gs_error_pos(err, "thread", 0, 0);
    return GS_EUNSUPPORTED;
}

enum gs_status gs_dialect_anthropic_read(struct gs_chat *out_chat,
                                         struct gs_dialect_context *out_ctx, struct gs_slice text,
                                         const char *path, struct gs_arena *a, struct gs_error *err)
{
    struct gs_dialect_messages m = {.r = {.a = a, .err = err}};
    struct gs_chat chat = {0};
    struct gs_dialect_context ctx = {0};
    struct gs_json body;

    enum gs_status st = gs_dialect_parse(text, a, &body, err);
    if (st == GS_OK)
        st = refuse_thread(&body, err);
    if (st != GS_OK)
        return st;
    gs_map_init(&m.by_name, 0);
    gs_dialect_get_string(&m.r, &body, "model", &chat.model);
    if (!chat.model.len)
        gs_dialect_reader_fail(&m.r, "model: a model must be named");
    m.tools = gs_dialect_get_array(&m.r, &body, "tools");
    map_deferred(&m);
    read_system(&m, &body);
    read_messages(&m, &body);
    read_tool_choice(&m, &body, &chat);
    read_tools(&m, &chat);
    read_settings(&m.r, &body, &chat, &ctx);
    read_format(&m.r, &body, &chat);
    gs_dialect_get_bool(&m.r, &body, "stream", &ctx.stream);
    st = gs_dialect_reader_finish(&m.r, &chat);
    gs_map_clear(&m.by_name);
    if (st != GS_OK)
        return st;
    ctx.model = chat.model;
    ctx.is_count = gs_slice_ends(gs_slice_str(path), GS_SLICE_LIT("/count_tokens"));
    ctx.stream = ctx.stream && !ctx.is_count;
    chat.stream = ctx.stream;
    *out_chat = chat;
    *out_ctx = ctx;
    return GS_OK;
}
