/* A chat becomes the variables that templates know from Hugging Face Transformers: `messages` with
 * role, content, tool_calls and reasoning_content, `tools`, and a few flags.
 *
 * Templates differ in what they can say. Two passes make every chat sayable: `flatten` turns the
 * blocks of each message into turns (a tool result is a turn of its own), respelling what the
 * template has no words for; `merge` joins neighbours where roles must alternate. */
#include "chat/vars.h"

#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/slice.h"

/* One entry of `messages` in the making. */
struct turn {
    enum gs_role role;
    struct gs_slice text, reasoning;
    const struct gs_block **calls; /* tool calls */
    size_t n_calls;
    struct gs_slice tool_name, tool_id; /* GS_ROLE_TOOL */
};

struct builder {
    const struct gs_chat_vars *opt;
    const struct gs_chat *chat;
    struct gs_arena *a;
    struct turn *turns;
    size_t n_turns, cap_turns;
    struct gs_slice preamble; /* system text waiting for the next user turn */
    struct gs_buf text;       /* of the turn being written */
    struct gs_buf reasoning;
    bool failed; /* out of memory */
};

/* ---- small JSON builders ---- */

static struct gs_json json_string(struct gs_slice s)
{
    return (struct gs_json){.kind = GS_JSON_STRING, .u.string = s};
}

static struct gs_json json_bool(bool v)
{
    return (struct gs_json){.kind = GS_JSON_BOOL, .u.boolean = v};
}

/* An object under construction; members[cap] is fixed when it is begun. */
struct object {
    struct gs_json_member *members;
    size_t len, cap;
};

static struct object object_begin(struct builder *b, size_t cap)
{
    struct object o = {gs_arena_array(b->a, cap, sizeof(*o.members)), 0, cap};

    b->failed |= o.members == NULL;
    return o;
}

static void object_put(struct object *o, const char *key, struct gs_json value)
{
    if (o->members && o->len < o->cap)
        o->members[o->len++] = (struct gs_json_member){gs_slice_str(key), value};
}

static struct gs_json object_end(const struct object *o)
{
    return (struct gs_json){.kind = GS_JSON_OBJECT,
                            .u.object = {.members = o->members, .len = o->len}};
}

static struct gs_json json_array(const struct gs_json *items, size_t n)
{
    return (struct gs_json){.kind = GS_JSON_ARRAY, .u.array = {.items = items, .len = n}};
}

/* Copy what a buffer holds into the arena and empty it. */
static struct gs_slice settle(struct builder *b, struct gs_buf *buf)
{
    struct gs_slice out = {"", 0};

    if (!gs_buf_ok(buf) || (buf->len > 0 && !gs_arena_dup(b->a, gs_buf_view(buf), &out)))
        b->failed = true;
    gs_buf_reset(buf);
    return out;
}

/* ---- flatten: blocks to turns ---- */

static struct turn *turn_add(struct builder *b, enum gs_role role)
{
    if (b->n_turns == b->cap_turns) {
        const size_t cap = b->cap_turns ? 2 * b->cap_turns : b->chat->n_messages + 8;
        struct turn *bigger = gs_arena_array(b->a, cap, sizeof(*bigger));
        if (!bigger) {
            b->failed = true;
            return NULL;
        }
        if (b->n_turns)
            memcpy(bigger, b->turns, b->n_turns * sizeof(*bigger));
        b->turns = bigger;
        b->cap_turns = cap;
    }
    struct turn *t = &b->turns[b->n_turns++];
    *t = (struct turn){.role = role};
    return t;
}

static void append_part(struct gs_buf *to, struct gs_slice text, const char *separator)
{
    if (to->len > 0 && text.len > 0)
        gs_buf_puts(to, separator);
    gs_buf_slice(to, text);
}

/* The name of the tool that the call with this id named. */
static struct gs_slice call_name(const struct gs_chat *chat, struct gs_slice id)
{
    for (size_t m = chat->n_messages; m-- > 0;) {
        for (size_t i = 0; i < chat->messages[m].n_blocks; i++) {
            const struct gs_block *block = &chat->messages[m].blocks[i];
            if (block->kind == GS_BLOCK_TOOL_CALL && gs_slice_eq(block->id, id))
                return block->name;
        }
    }
    return (struct gs_slice){"", 0};
}

/* A call as the model would write it, where the template has no words for it. */
static void write_call_text(struct gs_buf *b, enum gs_chat_syntax syntax,
                            const struct gs_block *call)
{
    const bool pipe = syntax == GS_SYNTAX_PIPE;

    if (b->len)
        gs_buf_putc(b, '\n');
    gs_buf_puts(b, pipe ? "<|tool_call|>[{\"name\": " : "<tool_call>\n{\"name\": ");
    gs_json_write_string(b, call->name);
    gs_buf_puts(b, ", \"arguments\": ");
    gs_buf_slice(b, call->args.len ? call->args : GS_SLICE_LIT("{}"));
    gs_buf_puts(b, pipe ? "}]<|/tool_call|>" : "}\n</tool_call>");
}

static void add_tool_result(struct builder *b, const struct gs_block *block)
{
    const bool native = b->opt->traits->tool_role;
    struct turn *t = turn_add(b, native ? GS_ROLE_TOOL : GS_ROLE_USER);

    if (!t)
        return;
    t->tool_id = block->id;
    t->tool_name = block->name.len ? block->name : call_name(b->chat, block->id);
    if (!native)
        gs_buf_puts(&b->text, "<tool_response>\n");
    if (block->is_error)
        gs_buf_puts(&b->text, "Error: ");
    gs_buf_slice(&b->text, block->text);
    if (!native)
        gs_buf_puts(&b->text, "\n</tool_response>");
    t->text = settle(b, &b->text);
}

/* The calls of a message with nothing but a mark in their arguments; without calls, its text. */
static void flatten_marked(struct builder *b, const struct gs_message *m, struct gs_slice mark)
{
    struct turn *t = turn_add(b, GS_ROLE_ASSISTANT);

    if (!t)
        return;
    const struct gs_slice args = gs_arena_printf(b->a, "{\"%.*s\": \"\"}", (int)mark.len, mark.ptr);
    struct gs_block *blocks = gs_arena_array(b->a, m->n_blocks, sizeof(*blocks));
    t->calls = gs_arena_array(b->a, m->n_blocks, sizeof(*t->calls));
    b->failed |= !args.ptr || !blocks || !t->calls;
    for (size_t i = 0; i < m->n_blocks && !b->failed; i++) {
        if (m->blocks[i].kind != GS_BLOCK_TOOL_CALL || !b->opt->traits->tool_role)
            continue;
        blocks[i] = m->blocks[i];
        blocks[i].args = args;
        t->calls[t->n_calls++] = &blocks[i];
    }
    t->text = t->n_calls > 0 ? gs_slice("", 0) : mark;
    t->reasoning = gs_slice("", 0);
}

static void flatten_assistant(struct builder *b, const struct gs_message *m)
{
    struct turn *t = turn_add(b, GS_ROLE_ASSISTANT);

    if (!t)
        return;
    t->calls = gs_arena_array(b->a, m->n_blocks, sizeof(*t->calls));
    b->failed |= t->calls == NULL;
    for (size_t i = 0; i < m->n_blocks && !b->failed; i++) {
        const struct gs_block *block = &m->blocks[i];
        if (block->kind == GS_BLOCK_TEXT)
            gs_buf_slice(&b->text, block->text);
        else if (block->kind == GS_BLOCK_REASONING)
            append_part(&b->reasoning, block->text, "\n");
        else if (block->kind == GS_BLOCK_TOOL_CALL && b->opt->traits->tool_role)
            t->calls[t->n_calls++] = block;
        else if (block->kind == GS_BLOCK_TOOL_CALL)
            write_call_text(&b->text, b->opt->traits->syntax, block);
    }
    t->text = settle(b, &b->text);
    t->reasoning = settle(b, &b->reasoning);
    for (size_t i = 0; i < m->n_blocks && !b->failed; i++)
        if (m->blocks[i].kind == GS_BLOCK_TOOL_RESULT)
            add_tool_result(b, &m->blocks[i]);
}

/* A turn from the user text of blocks [from, to), with the waiting system text in front. */
static void add_user_text(struct builder *b, const struct gs_message *m, size_t from, size_t to)
{
    struct turn *t = turn_add(b, GS_ROLE_USER);

    if (!t)
        return;
    append_part(&b->text, b->preamble, "");
    b->preamble.len = 0;
    for (size_t i = from; i < to; i++)
        append_part(&b->text, m->blocks[i].text, "\n\n");
    t->text = settle(b, &b->text);
}

/* Tool results are turns of their own, and so is the text between them. */
static void flatten_user(struct builder *b, const struct gs_message *m)
{
    size_t from = 0;

    for (size_t i = 0; i < m->n_blocks && !b->failed; i++) {
        if (m->blocks[i].kind != GS_BLOCK_TOOL_RESULT && m->role != GS_ROLE_TOOL)
            continue;
        if (from < i)
            add_user_text(b, m, from, i);
        add_tool_result(b, &m->blocks[i]);
        from = i + 1;
    }
    if (from < m->n_blocks || m->n_blocks == 0)
        add_user_text(b, m, from, m->n_blocks);
}

static void flatten_system(struct builder *b, const struct gs_message *m)
{
    const struct gs_prompt_traits *traits = b->opt->traits;
    const bool leading = b->n_turns == 0;
    const bool native = leading || traits->system_mid;

    if (!native)
        gs_buf_puts(&b->text, "<system-reminder>\n");
    else if (leading)
        append_part(&b->text, b->preamble, "");
    const size_t opened = b->text.len;
    for (size_t i = 0; i < m->n_blocks; i++) {
        if (b->text.len > opened || (leading && opened > 0))
            gs_buf_puts(&b->text, "\n\n");
        gs_buf_slice(&b->text, m->blocks[i].text);
    }
    if (leading && !traits->system_role) { /* goes in front of the first user text */
        b->preamble = settle(b, &b->text);
        return;
    }
    if (!native)
        gs_buf_puts(&b->text, "\n</system-reminder>");
    struct turn *t = turn_add(b, native ? GS_ROLE_SYSTEM : GS_ROLE_USER);
    if (t)
        t->text = settle(b, &b->text);
}

static enum gs_status flatten(struct builder *b, struct gs_error *err)
{
    for (size_t m = 0; m < b->chat->n_messages && !b->failed; m++) {
        const struct gs_message *msg = &b->chat->messages[m];
        for (size_t i = 0; i < msg->n_blocks; i++)
            if (msg->blocks[i].kind == GS_BLOCK_IMAGE)
                return gs_error_set(err, GS_EUNSUPPORTED,
                                    "could not process image: it reads text only");
        if (msg->role == GS_ROLE_SYSTEM)
            flatten_system(b, msg);
        else if (msg->role == GS_ROLE_ASSISTANT && b->opt->marks && b->opt->marks[m].len > 0)
            flatten_marked(b, msg, b->opt->marks[m]);
        else if (msg->role == GS_ROLE_ASSISTANT)
            flatten_assistant(b, msg);
        else
            flatten_user(b, msg);
    }
    if (b->preamble.len > 0) /* a system message and no user text after it */
        add_user_text(b, NULL, 0, 0);
    return GS_OK;
}

/* ---- merge ---- */

static struct gs_slice join(struct builder *b, struct gs_slice x, struct gs_slice y)
{
    append_part(&b->text, x, "");
    append_part(&b->text, y, "\n\n");
    return settle(b, &b->text);
}

/* System turns at the start become one; where the template wants alternating roles, so do
 * neighbouring turns of one role, and what a user says behind a tool's result is part of it. */
static void merge(struct builder *b)
{
    size_t n = 0;

    for (size_t i = 0; i < b->n_turns; i++) {
        struct turn *t = &b->turns[i];
        struct turn *prev = n ? &b->turns[n - 1] : NULL;
        if (prev && prev->role == GS_ROLE_TOOL && t->role == GS_ROLE_USER &&
            !b->opt->traits->user_after_tool) {
            prev->text = join(b, prev->text, t->text);
            continue;
        }
        const bool joins = prev && prev->role == t->role && prev->n_calls == 0 && t->n_calls == 0 &&
                           ((t->role == GS_ROLE_SYSTEM && n == 1 && !b->opt->traits->system_mid) ||
                            (t->role != GS_ROLE_TOOL && !b->opt->traits->same_role));
        if (!joins) {
            b->turns[n++] = *t;
            continue;
        }
        prev->text = join(b, prev->text, t->text);
        prev->reasoning = join(b, prev->reasoning, t->reasoning);
    }
    b->n_turns = n;
}

/* A template that takes one call per message gets call, result, call, result. */
static void split_parallel_calls(struct builder *b)
{
    const size_t n_old = b->n_turns;
    struct turn *old = b->turns;
    bool *used = gs_arena_array(b->a, n_old, sizeof(*used));

    b->failed |= !used;
    b->turns = NULL;
    b->n_turns = b->cap_turns = 0;
    for (size_t i = 0; i < n_old && !b->failed; i++) {
        if (used[i])
            continue;
        if (old[i].n_calls < 2) {
            struct turn *t = turn_add(b, old[i].role);
            if (t)
                *t = old[i];
            continue;
        }
        for (size_t c = 0; c < old[i].n_calls && !b->failed; c++) {
            struct turn *t = turn_add(b, GS_ROLE_ASSISTANT);
            if (!t)
                return;
            if (c == 0)
                *t = old[i];
            t->calls = old[i].calls + c;
            t->n_calls = 1;
            for (size_t r = i + 1; r < n_old && old[r].role == GS_ROLE_TOOL; r++) {
                if (used[r] || !gs_slice_eq(old[r].tool_id, t->calls[0]->id))
                    continue;
                struct turn *result = turn_add(b, GS_ROLE_TOOL);
                if (result)
                    *result = old[r];
                used[r] = true;
                break;
            }
        }
    }
}

/* ---- turns to JSON ---- */

static struct gs_json content_json(struct builder *b, struct gs_slice text)
{
    if (!b->opt->traits->typed_content)
        return json_string(text);
    struct gs_json *part = gs_arena_alloc(b->a, sizeof(*part));
    struct object o = object_begin(b, 2);
    if (!part) {
        b->failed = true;
        return json_string(text);
    }
    object_put(&o, "type", json_string(GS_SLICE_LIT("text")));
    object_put(&o, "text", json_string(text));
    *part = object_end(&o);
    return json_array(part, 1);
}

#define SHORT_ID_LEN 9

/* The id of a call as the template wants it; equal ids stay equal. */
static struct gs_json id_json(struct builder *b, struct gs_slice id)
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    uint64_t hash = gs_hash_bytes(id.ptr, id.len, 0);
    char text[SHORT_ID_LEN];
    struct gs_slice copy = {"", 0};

    if (!b->opt->traits->short_ids)
        return json_string(id);
    for (size_t i = 0; i < SHORT_ID_LEN; i++, hash /= sizeof(digits) - 1)
        text[i] = digits[hash % (sizeof(digits) - 1)];
    b->failed |= !gs_arena_dup(b->a, gs_slice(text, SHORT_ID_LEN), &copy);
    return json_string(copy);
}

static struct gs_json call_json(struct builder *b, const struct gs_block *call)
{
    const struct gs_slice text = call->args.len ? call->args : GS_SLICE_LIT("{}");
    struct object function = object_begin(b, 2);
    struct object o = object_begin(b, 3);
    struct gs_json args;

    if (b->opt->traits->args_text || gs_json_parse(text, b->a, &args, NULL) != GS_OK)
        args = json_string(text); /* history is never refused for what a model once wrote */
    object_put(&function, "name", json_string(call->name));
    object_put(&function, "arguments", args);
    object_put(&o, "id", id_json(b, call->id));
    object_put(&o, "type", json_string(GS_SLICE_LIT("function")));
    object_put(&o, "function", object_end(&function));
    return object_end(&o);
}

/* Content and reasoning. Beside a call, gpt-oss's template takes one text: its `thinking`. */
static void put_texts(struct builder *b, struct object *o, const struct turn *t)
{
    const bool harmony = b->opt->traits->syntax == GS_SYNTAX_HARMONY;
    struct gs_slice text = t->text;
    struct gs_slice reasoning = t->reasoning;

    if (harmony && t->n_calls > 0) {
        reasoning = join(b, reasoning, text);
        text.len = 0;
    }
    object_put(o, "content", content_json(b, text));
    if (reasoning.len > 0)
        object_put(o, harmony ? "thinking" : "reasoning_content", json_string(reasoning));
}

/* `tools`: to be carried by this turn as a text; or NULL. */
static struct gs_json turn_json(struct builder *b, const struct turn *t,
                                const struct gs_json *tools)
{
    static const char *const role_names[] = {"system", "user", "assistant", "tool"};
    struct object o = object_begin(b, 5);

    object_put(&o, "role", json_string(gs_slice_str(role_names[t->role])));
    put_texts(b, &o, t);
    if (tools) {
        gs_json_write(&b->text, tools);
        object_put(&o, "tools", json_string(settle(b, &b->text)));
    }
    if (t->n_calls > 0) {
        struct gs_json *calls = gs_arena_array(b->a, t->n_calls, sizeof(*calls));
        b->failed |= calls == NULL;
        for (size_t i = 0; calls && i < t->n_calls; i++)
            calls[i] = call_json(b, t->calls[i]);
        object_put(&o, "tool_calls", json_array(calls, calls ? t->n_calls : 0));
    }
    if (t->role == GS_ROLE_TOOL) {
        object_put(&o, "name", json_string(t->tool_name));
        object_put(&o, "tool_call_id", id_json(b, t->tool_id));
    }
    return object_end(&o);
}

static enum gs_status tool_json(struct builder *b, const struct gs_tool *tool, struct gs_json *out,
                                struct gs_error *err)
{
    struct object function = object_begin(b, 3);
    struct object o = object_begin(b, 2);
    struct gs_json schema;
    const struct gs_slice text = tool->parameters.len
                                     ? tool->parameters
                                     : GS_SLICE_LIT("{\"type\":\"object\",\"properties\":{}}");

    const enum gs_status st = gs_json_parse(text, b->a, &schema, err);
    if (st != GS_OK) {
        gs_error_prefix(err, "schema of tool \"%.*s\"", (int)GS_MIN(tool->name.len, 100),
                        tool->name.ptr);
        return st;
    }
    object_put(&function, "name", json_string(tool->name));
    object_put(&function, "description", json_string(tool->description));
    object_put(&function, "parameters", schema);
    object_put(&o, "type", json_string(GS_SLICE_LIT("function")));
    object_put(&o, "function", object_end(&function));
    *out = object_end(&o);
    return GS_OK;
}

static enum gs_status tools_json(struct builder *b, struct gs_json *out, struct gs_error *err)
{
    struct gs_json *tools = gs_arena_array(b->a, b->chat->n_tools, sizeof(*tools));

    if (!tools)
        return gs_error_nomem(err, "describe the tools");
    for (size_t i = 0; i < b->chat->n_tools; i++) {
        const enum gs_status st = tool_json(b, &b->chat->tools[i], &tools[i], err);
        if (st != GS_OK)
            return st;
    }
    *out = json_array(tools, b->chat->n_tools);
    return GS_OK;
}

/* For templates without words for tools: a system text that teaches the Hermes form. */
static void explain_tools(struct builder *b, const struct gs_json *tools)
{
    struct turn *t = b->n_turns > 0 ? &b->turns[0] : turn_add(b, GS_ROLE_USER);

    if (!t)
        return;
    gs_buf_puts(&b->text, "You can call these tools. Each line describes one as JSON:\n<tools>\n");
    for (size_t i = 0; i < tools->u.array.len; i++) {
        gs_json_write(&b->text, &tools->u.array.items[i]);
        gs_buf_putc(&b->text, '\n');
    }
    gs_buf_puts(&b->text, "</tools>\nTo call a tool, write exactly this, once for each call:\n"
                          "<tool_call>\n{\"name\": \"TOOL\", \"arguments\": {\"KEY\": VALUE}}\n"
                          "</tool_call>\n"
                          "The results come back between <tool_response> and "
                          "</tool_response>.");
    append_part(&b->text, t->text, "\n\n");
    t->text = settle(b, &b->text);
}

/* A system turn in front, for the tools, if there is none. */
static void lead_with_system(struct builder *b)
{
    if (b->n_turns > 0 && b->turns[0].role == GS_ROLE_SYSTEM)
        return;
    if (!turn_add(b, GS_ROLE_SYSTEM))
        return;
    memmove(b->turns + 1, b->turns, (b->n_turns - 1) * sizeof(*b->turns));
    b->turns[0] = (struct turn){.role = GS_ROLE_SYSTEM, .text = {"", 0}};
}

/* gpt-oss knows "low", which is the least, to "high"; other templates get the client's own word. */
static struct gs_slice effort_word(const struct builder *b)
{
    const struct gs_slice effort = b->chat->effort;

    if (b->opt->traits->syntax != GS_SYNTAX_HARMONY)
        return effort;
    if (!effort.len && b->chat->thinking == GS_THINKING_OFF)
        return GS_SLICE_LIT("low");
    if (gs_slice_eq_str(effort, "xhigh") || gs_slice_eq_str(effort, "max"))
        return GS_SLICE_LIT("high");
    return effort;
}

static void put_flags(struct builder *b, struct object *vars)
{
    const struct gs_chat *chat = b->chat;

    object_put(vars, "bos_token", json_string(b->opt->bos));
    object_put(vars, "eos_token", json_string(b->opt->eos));
    object_put(vars, "add_generation_prompt", json_bool(b->opt->add_generation_prompt));
    if (chat->thinking != GS_THINKING_DEFAULT) {
        const struct gs_json on = json_bool(chat->thinking == GS_THINKING_ON);
        object_put(vars, "enable_thinking", on); /* Qwen, GLM */
        object_put(vars, "thinking", on);        /* DeepSeek */
    }
    const struct gs_slice effort = effort_word(b);
    if (effort.len)
        object_put(vars, "reasoning_effort", json_string(effort));
}

enum gs_status gs_chat_vars_build(const struct gs_chat_vars *opt, const struct gs_chat *chat,
                                  struct gs_arena *a, struct gs_json *out_vars,
                                  struct gs_error *err)
{
    struct builder b = {.opt = opt, .chat = chat, .a = a};
    struct gs_json tools = {.kind = GS_JSON_NULL};
    const bool with_tools = chat->n_tools > 0 && chat->tool_choice != GS_TOOL_CHOICE_NONE;

    gs_buf_init(&b.text, GS_MAX_PROMPT_BYTES);
    gs_buf_init(&b.reasoning, GS_MAX_PROMPT_BYTES);
    enum gs_status st = flatten(&b, err);
    if (st == GS_OK && with_tools)
        st = tools_json(&b, &tools, err);
    if (st != GS_OK)
        goto out;
    if (with_tools && !opt->traits->tools) {
        explain_tools(&b, &tools);
        tools = (struct gs_json){.kind = GS_JSON_NULL};
    }
    const bool carried = with_tools && opt->traits->tools_in_system;
    if (carried)
        lead_with_system(&b);
    merge(&b);
    if (!opt->traits->parallel)
        split_parallel_calls(&b);

    struct gs_json *messages = gs_arena_array(a, b.n_turns, sizeof(*messages));
    struct object vars = object_begin(&b, 8);
    b.failed |= messages == NULL;
    for (size_t i = 0; !b.failed && i < b.n_turns; i++)
        messages[i] = turn_json(&b, &b.turns[i], carried && i == 0 ? &tools : NULL);
    object_put(&vars, "messages", json_array(messages, messages ? b.n_turns : 0));
    if (tools.kind != GS_JSON_NULL)
        object_put(&vars, "tools", tools);
    put_flags(&b, &vars);
    *out_vars = object_end(&vars);
    if (b.failed)
        st = gs_error_nomem(err, "build the prompt");
out:
    gs_buf_clear(&b.text);
    gs_buf_clear(&b.reasoning);
    return st;
}
