/* Ollama, asking: POST /api/chat (https://github.com/ollama/ollama/blob/main/docs/api.md). Every
 * sampling setting is sent, for what is left out is sampled by defaults of its own. Its texts and
 * reasoning are one string each: those of a user are joined by empty lines, as templates have them
 * here, an assistant's as they are. An open assistant turn is a last message of the assistant's. */
#include "base/error.h"
#include "base/limits.h"
#include "base/slice.h"
#include "dialect/asker.h"
#include "dialect/client.h"
#include "dialect/ollama.h"
#include "dialect/writer.h"
#include "json/json.h"

struct asker {
    const struct gs_chat *chat;
    struct gs_buf *b;
    const char *lacks; /* what the API cannot say */
    const char *comma; /* before the next message */
};

/* ---- what cannot be said ---- */

static const char *lacks_of_turn(const struct gs_chat *chat)
{
    if (!chat->continue_last || chat->n_messages == 0)
        return NULL;
    const struct gs_message *last = &chat->messages[chat->n_messages - 1];
    const enum gs_block_kind kind =
        last->n_blocks > 0 ? last->blocks[last->n_blocks - 1].kind : GS_BLOCK_TEXT;
    return kind == GS_BLOCK_REASONING   ? "place for reasoning that broke off"
           : kind == GS_BLOCK_TOOL_CALL ? "place for a tool call that broke off"
                                        : NULL;
}

static const char *lacks_of(const struct gs_chat *chat)
{
    if (chat->is_raw || chat->has_suffix)
        return "chat without a template";
    if (chat->n_before > 0)
        return "prompt of tokens";
    if (chat->n_answers > 1 || chat->next)
        return "several answers";
    if (chat->logprobs)
        return "log-probabilities in events";
    if (chat->sampling.n_logit_bias > 0)
        return "bias of tokens";
    if (chat->tool_choice == GS_TOOL_CHOICE_ANY || chat->tool_choice == GS_TOOL_CHOICE_NAMED)
        return "tool call that must be made";
    if (chat->one_tool_call && chat->n_tools > 0)
        return "limit of one tool call";
    if (chat->format.kind == GS_FORMAT_GBNF || chat->format.kind == GS_FORMAT_REGEX)
        return "grammar";
    return lacks_of_turn(chat);
}

/* ---- messages ---- */

static void begin_message(struct asker *s, const char *role)
{
    gs_buf_printf(s->b, "%s{\"role\":\"%s\",", s->comma, role);
    s->comma = ",";
}

/* `"key":"..."` of all blocks of a kind; nothing where there is no text and it need not be there.
 */
static bool write_texts(struct asker *s, const struct gs_message *m, const char *key,
                        enum gs_block_kind kind, const char *separator)
{
    struct gs_buf text;

    gs_buf_init(&text, GS_MAX_TEXT_BYTES);
    for (size_t i = 0; i < m->n_blocks; i++) {
        if (m->blocks[i].kind != kind || m->blocks[i].text.len == 0)
            continue;
        gs_buf_puts(&text, text.len > 0 ? separator : "");
        gs_buf_slice(&text, m->blocks[i].text);
    }
    gs_dialect_writer_check(&text, s->b);
    const bool is_written = text.len > 0 || kind == GS_BLOCK_TEXT;
    if (is_written)
        gs_dialect_write_member(s->b, key, gs_buf_view(&text));
    gs_buf_clear(&text);
    return is_written;
}

/* Those of m from block `from` on; of a result only those that follow it at once. */
static void write_images(struct asker *s, const struct gs_message *m, size_t from, bool at_once)
{
    const char *comma = ",\"images\":[";

    for (size_t i = from; i < m->n_blocks; i++) {
        const struct gs_block *block = &m->blocks[i];
        if (block->kind != GS_BLOCK_IMAGE && at_once)
            break;
        if (block->kind != GS_BLOCK_IMAGE)
            continue;
        if (gs_slice_starts(block->text, GS_SLICE_LIT("http")) ||
            gs_slice_starts(block->text, GS_SLICE_LIT("data:")))
            s->lacks = "image by its address";
        gs_buf_puts(s->b, comma);
        gs_json_write_string(s->b, block->text);
        comma = ",";
    }
    if (comma[1] == '\0')
        gs_buf_putc(s->b, ']');
}

static void write_calls(struct asker *s, const struct gs_message *m)
{
    const char *comma = ",\"tool_calls\":[";

    for (size_t i = 0; i < m->n_blocks; i++) {
        const struct gs_block *call = &m->blocks[i];
        if (call->kind != GS_BLOCK_TOOL_CALL)
            continue;
        gs_buf_puts(s->b, comma);
        gs_buf_putc(s->b, '{');
        if (call->id.len) {
            gs_dialect_write_member(s->b, "id", call->id);
            gs_buf_putc(s->b, ',');
        }
        gs_buf_puts(s->b, "\"function\":{");
        gs_dialect_write_member(s->b, "name", call->name);
        gs_buf_puts(s->b, ",\"arguments\":");
        gs_dialect_write_object(s->b, call->args);
        gs_buf_puts(s->b, "}}");
        comma = ",";
    }
    if (comma[1] == '\0')
        gs_buf_putc(s->b, ']');
}

static void write_results(struct asker *s, const struct gs_message *m)
{
    for (size_t i = 0; i < m->n_blocks; i++) {
        const struct gs_block *result = &m->blocks[i];
        if (result->kind != GS_BLOCK_TOOL_RESULT)
            continue;
        begin_message(s, "tool");
        gs_dialect_write_result(s->b, "content", result);
        if (result->name.len) {
            gs_buf_putc(s->b, ',');
            gs_dialect_write_member(s->b, "tool_name", result->name);
        }
        if (result->id.len) {
            gs_buf_putc(s->b, ',');
            gs_dialect_write_member(s->b, "tool_call_id", result->id);
        }
        write_images(s, m, i + 1, true);
        gs_buf_putc(s->b, '}');
    }
}

static void write_message(struct asker *s, const struct gs_message *m)
{
    static const char *const roles[] = {
        [GS_ROLE_SYSTEM] = "system", [GS_ROLE_USER] = "user", [GS_ROLE_ASSISTANT] = "assistant"};

    if (m->role == GS_ROLE_TOOL) {
        write_results(s, m);
        return;
    }
    begin_message(s, roles[m->role]);
    write_texts(s, m, "content", GS_BLOCK_TEXT, m->role == GS_ROLE_ASSISTANT ? "" : "\n\n");
    if (m->role == GS_ROLE_ASSISTANT) {
        const size_t before = s->b->len;
        gs_buf_putc(s->b, ',');
        if (!write_texts(s, m, "thinking", GS_BLOCK_REASONING, "\n") && gs_buf_ok(s->b))
            s->b->len = before;
        write_calls(s, m);
    }
    write_images(s, m, 0, false);
    gs_buf_putc(s->b, '}');
}

/* ---- tools, settings ---- */

static void write_tools(struct asker *s)
{
    const struct gs_chat *chat = s->chat;
    const char *comma = ",\"tools\":[";

    for (size_t i = 0; i < chat->n_tools && chat->tool_choice != GS_TOOL_CHOICE_NONE; i++) {
        const struct gs_tool *tool = &chat->tools[i];
        if (!gs_dialect_is_allowed(chat, tool->name))
            continue;
        gs_buf_puts(s->b, comma);
        gs_buf_puts(s->b, "{\"type\":\"function\",\"function\":{");
        gs_dialect_write_member(s->b, "name", tool->name);
        gs_buf_putc(s->b, ',');
        gs_dialect_write_member(s->b, "description", tool->description);
        gs_buf_puts(s->b, ",\"parameters\":");
        if (tool->parameters.len)
            gs_dialect_write_object(s->b, tool->parameters);
        else
            gs_buf_puts(s->b, "{\"type\":\"object\",\"properties\":{}}");
        gs_buf_puts(s->b, "}}");
        comma = ",";
    }
    if (comma[1] == '\0')
        gs_buf_putc(s->b, ']');
}

static void write_number(struct gs_buf *b, const char *key, float value)
{
    gs_buf_printf(b, ",\"%s\":", key);
    gs_dialect_write_setting(b, value);
}

static void write_options(struct asker *s)
{
    const struct gs_sampling *o = &s->chat->sampling;

    gs_buf_printf(s->b, ",\"options\":{\"top_k\":%d,\"repeat_last_n\":%d", (int)o->top_k,
                  (int)o->repeat_last_n);
    write_number(s->b, "temperature", o->temperature);
    write_number(s->b, "top_p", o->top_p);
    write_number(s->b, "min_p", o->min_p);
    write_number(s->b, "typical_p", o->typical_p);
    write_number(s->b, "repeat_penalty", o->repeat_penalty);
    write_number(s->b, "frequency_penalty", o->frequency_penalty);
    write_number(s->b, "presence_penalty", o->presence_penalty);
    if (o->has_seed)
        gs_buf_printf(s->b, ",\"seed\":%lld", (long long)o->seed);
    if (s->chat->max_tokens > 0)
        gs_buf_printf(s->b, ",\"num_predict\":%lld", (long long)s->chat->max_tokens);
    for (size_t i = 0; i < s->chat->n_stops; i++) {
        gs_buf_puts(s->b, i ? "," : ",\"stop\":[");
        gs_json_write_string(s->b, s->chat->stops[i]);
    }
    gs_buf_puts(s->b, s->chat->n_stops > 0 ? "]}" : "}");
}

static void write_format(struct asker *s)
{
    if (s->chat->format.kind == GS_FORMAT_JSON)
        gs_buf_puts(s->b, ",\"format\":\"json\"");
    if (s->chat->format.kind != GS_FORMAT_SCHEMA)
        return;
    gs_buf_puts(s->b, ",\"format\":");
    gs_dialect_write_object(s->b, s->chat->format.spec);
}

/* It knows three efforts; others are close to one of them. */
static void write_think(struct asker *s)
{
    static const struct {
        const char *effort, *think;
    } efforts[] = {{"low", "\"low\""},
                   {"medium", "\"medium\""},
                   {"high", "\"high\""},
                   {"xhigh", "\"high\""},
                   {"max", "\"high\""}};
    const char *think = s->chat->thinking == GS_THINKING_ON ? "true" : "false";

    if (s->chat->thinking == GS_THINKING_DEFAULT)
        return;
    for (size_t i = 0; i < GS_COUNT_OF(efforts); i++)
        if (s->chat->thinking == GS_THINKING_ON &&
            gs_slice_eq_str(s->chat->effort, efforts[i].effort))
            think = efforts[i].think;
    gs_buf_printf(s->b, ",\"think\":%s", think);
}

enum gs_status gs_dialect_ollama_ask(const struct gs_chat *chat, const struct gs_dialect_to *to,
                                     struct gs_buf *b, struct gs_error *err)
{
    struct asker s = {.chat = chat, .b = b, .lacks = lacks_of(chat), .comma = ""};
    const size_t start = b->len;

    if (!s.lacks) {
        gs_buf_putc(b, '{');
        gs_dialect_write_member(b, "model", to->model);
        gs_buf_puts(b, ",\"messages\":[");
        for (size_t i = 0; i < chat->n_messages; i++)
            write_message(&s, &chat->messages[i]);
        gs_buf_putc(b, ']');
        write_tools(&s);
        write_format(&s);
        write_think(&s);
        write_options(&s);
        if (chat->keep.is_set)
            gs_buf_printf(b, ",\"keep_alive\":\"%lldms\"", (long long)chat->keep.ms);
        gs_buf_puts(b, to->stream ? ",\"stream\":true}" : ",\"stream\":false}");
    }
    if (!gs_buf_ok(b))
        return gs_error_nomem(err, "write the request");
    if (!s.lacks)
        return GS_OK;
    b->len = start;
    return gs_error_set(err, GS_EUNSUPPORTED, "Ollama's API has no %s", s.lacks);
}
