/* What asking servers of OpenAI's chat APIs shares: tools, formats, settings.
 *
 * Settings of sampling are wishes: what a server cannot be told of them is left out. What would
 * change an answer's meaning, if it were left out, is refused by name. */
#include "dialect/openai_ask.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/slice.h"
#include "dialect/asker.h"
#include "dialect/writer.h"
#include "json/json.h"

/* ---- models ---- */

static bool is_digit(const struct gs_slice s, size_t i)
{
    return i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9';
}

/* What follows the last '/': "openai/gpt-5" is gpt-5. */
static struct gs_slice base_name(struct gs_slice model)
{
    size_t from = 0;

    for (size_t i = 0; i < model.len; i++) {
        if (model.ptr[i] == '/')
            from = i + 1;
    }
    return gs_slice_sub(model, from, model.len);
}

bool gs_dialect_openai_reasons(struct gs_slice model)
{
    const struct gs_slice name = base_name(model);

    if (gs_slice_starts(name, GS_SLICE_LIT("gpt-")) && is_digit(name, 4))
        return name.ptr[4] >= '5' || is_digit(name, 5);
    return gs_slice_starts(name, GS_SLICE_LIT("o")) && is_digit(name, 1);
}

/* Theirs that do not. */
static bool never_reasons(struct gs_slice model)
{
    const struct gs_slice name = base_name(model);

    return gs_slice_starts(name, GS_SLICE_LIT("gpt-3")) ||
           gs_slice_starts(name, GS_SLICE_LIT("gpt-4")) ||
           gs_slice_starts(name, GS_SLICE_LIT("chatgpt-"));
}

/* ---- the whole ---- */

static enum gs_status refuse(struct gs_error *err, const char *what)
{
    return gs_error_set(err, GS_EUNSUPPORTED, "OpenAI's API cannot say %s", what);
}

enum gs_status gs_dialect_openai_ask_check(const struct gs_dialect_openai_asker *k,
                                           struct gs_error *err)
{
    const struct gs_chat *chat = k->chat;
    const struct gs_message *last =
        chat->n_messages > 0 ? &chat->messages[chat->n_messages - 1] : NULL;

    if (chat->is_raw || chat->has_suffix || chat->n_before > 0)
        return refuse(err, "a prompt that is no conversation");
    if (!last)
        return refuse(err, "a conversation without messages");
    if (chat->n_answers > 1 || chat->next)
        return refuse(err, "that several answers are wanted");
    if (chat->format.kind == GS_FORMAT_GBNF)
        return refuse(err, "a grammar of the answer");
    if (chat->format.kind == GS_FORMAT_REGEX)
        return refuse(err, "a regular expression of the answer");
    if (chat->broke_off && (last->role != GS_ROLE_ASSISTANT || last->n_blocks == 0 ||
                            last->blocks[last->n_blocks - 1].kind != GS_BLOCK_TEXT))
        return refuse(err, "how reasoning or a tool call is to go on");
    return GS_OK;
}

enum gs_status gs_dialect_openai_ask_finish(const struct gs_dialect_openai_asker *k,
                                            enum gs_status st, struct gs_error *err)
{
    if (st == GS_OK && !gs_buf_ok(k->b))
        st = gs_error_nomem(err, "write a request");
    if (st != GS_OK)
        k->b->len = k->before;
    return st;
}

/* ---- pieces of messages ---- */

bool gs_dialect_openai_ask_has(const struct gs_block *blocks, size_t n, enum gs_block_kind kind)
{
    for (size_t i = 0; i < n; i++) {
        if (blocks[i].kind == kind)
            return true;
    }
    return false;
}

/* Appends `s` as a JSON string; a failed one fails b. */
static void put_string(struct gs_buf *b, const struct gs_buf *s)
{
    gs_dialect_writer_check(s, b);
    gs_json_write_string(b, gs_buf_view(s));
}

void gs_dialect_openai_ask_texts(struct gs_dialect_openai_asker *k, const struct gs_block *blocks,
                                 size_t n, enum gs_block_kind kind)
{
    struct gs_buf text;

    gs_buf_init(&text, GS_MAX_TEXT_BYTES);
    for (size_t i = 0; i < n; i++) {
        if (blocks[i].kind != kind || blocks[i].text.len == 0)
            continue;
        if (text.len > 0)
            gs_buf_puts(&text, "\n\n");
        gs_buf_slice(&text, blocks[i].text);
    }
    put_string(k->b, &text);
    gs_buf_clear(&text);
}

void gs_dialect_openai_ask_image(struct gs_dialect_openai_asker *k, const struct gs_block *image)
{
    const bool is_url = gs_slice_starts(image->text, GS_SLICE_LIT("http"));
    const struct gs_slice known =
        image->name.len > 0 ? image->name : gs_dialect_image_type(image->text);
    struct gs_buf url;

    gs_buf_init(&url, GS_MAX_TEXT_BYTES);
    if (image->name.len > 0 || !is_url) {
        gs_buf_puts(&url, "data:");
        gs_buf_slice(&url, known.len > 0 ? known : GS_SLICE_LIT("image/png"));
        gs_buf_puts(&url, ";base64,");
    }
    gs_buf_slice(&url, image->text);
    put_string(k->b, &url);
    gs_buf_clear(&url);
}

void gs_dialect_openai_ask_id(struct gs_dialect_openai_asker *k, const char *key,
                              const struct gs_block *block)
{
    unsigned n;

    if (block->id.len) {
        gs_dialect_write_member(k->b, key, block->id);
        return;
    }
    if (block->kind == GS_BLOCK_TOOL_CALL)
        n = k->n_calls++;
    else /* a result too many is another of the last call */
        n = k->n_results < k->n_calls ? k->n_results++ : GS_MAX(k->n_calls, 1u) - 1;
    gs_buf_printf(k->b, "\"%s\":\"call_%u\"", key, n);
}

/* ---- tools ---- */

static void write_tool(struct gs_buf *b, const struct gs_tool *tool, bool is_wrapped)
{
    gs_buf_puts(b, "{\"type\":\"function\",");
    if (is_wrapped)
        gs_buf_puts(b, "\"function\":{");
    gs_dialect_write_member(b, "name", tool->name);
    if (tool->description.len) {
        gs_buf_putc(b, ',');
        gs_dialect_write_member(b, "description", tool->description);
    }
    gs_buf_puts(b, ",\"parameters\":");
    if (tool->parameters.len)
        gs_buf_slice(b, tool->parameters);
    else
        gs_buf_puts(b, "{\"type\":\"object\",\"properties\":{}}");
    gs_buf_puts(b, is_wrapped ? "}}" : ",\"strict\":false}"); /* by default Responses has it */
}

/* {"type":"function","function":{"name":"f"}} or {"type":"function","name":"f"} */
static void write_named(struct gs_buf *b, struct gs_slice name, bool is_wrapped)
{
    gs_buf_puts(b,
                is_wrapped ? "{\"type\":\"function\",\"function\":{" : "{\"type\":\"function\",");
    gs_dialect_write_member(b, "name", name);
    gs_buf_puts(b, is_wrapped ? "}}" : "}");
}

/* All tools stay in the prompt, some may be called. */
static void write_allowed(struct gs_buf *b, const struct gs_chat *chat, bool is_wrapped)
{
    gs_buf_puts(b, is_wrapped ? "{\"type\":\"allowed_tools\",\"allowed_tools\":{"
                              : "{\"type\":\"allowed_tools\",");
    gs_buf_printf(b, "\"mode\":\"%s\",\"tools\":[",
                  chat->tool_choice == GS_TOOL_CHOICE_ANY ? "required" : "auto");
    for (size_t i = 0; i < chat->n_allowed_tools; i++) {
        gs_buf_puts(b, i ? "," : "");
        write_named(b, chat->allowed_tools[i], is_wrapped);
    }
    gs_buf_puts(b, is_wrapped ? "]}}" : "]}");
}

static void write_choice(struct gs_buf *b, const struct gs_chat *chat, bool is_wrapped)
{
    switch (chat->tool_choice) {
    case GS_TOOL_CHOICE_AUTO:
        gs_buf_puts(b, "\"auto\"");
        break;
    case GS_TOOL_CHOICE_NONE:
        gs_buf_puts(b, "\"none\"");
        break;
    case GS_TOOL_CHOICE_ANY:
        gs_buf_puts(b, "\"required\"");
        break;
    case GS_TOOL_CHOICE_NAMED:
        write_named(b, chat->tool_choice_name, is_wrapped);
        break;
    }
}

/* Only OpenAI's own newer models know allowed_tools: to others the rest is not shown. */
void gs_dialect_openai_ask_tools(struct gs_dialect_openai_asker *k, bool is_wrapped)
{
    const struct gs_chat *chat = k->chat;
    const bool says_allowed =
        chat->n_allowed_tools > 0 && gs_dialect_openai_reasons(k->to->model) &&
        (chat->tool_choice == GS_TOOL_CHOICE_AUTO || chat->tool_choice == GS_TOOL_CHOICE_ANY);
    size_t n = 0;

    for (size_t i = 0; i < chat->n_tools; i++) {
        if (!says_allowed && !gs_dialect_is_allowed(chat, chat->tools[i].name))
            continue;
        gs_buf_puts(k->b, n++ ? "," : ",\"tools\":[");
        write_tool(k->b, &chat->tools[i], is_wrapped);
    }
    if (n == 0)
        return;
    gs_buf_puts(k->b, "],\"tool_choice\":");
    if (says_allowed)
        write_allowed(k->b, chat, is_wrapped);
    else
        write_choice(k->b, chat, is_wrapped);
    if (chat->one_tool_call)
        gs_buf_puts(k->b, ",\"parallel_tool_calls\":false");
}

/* ---- formats ---- */

static enum gs_status write_schema(struct gs_buf *b, struct gs_slice text, struct gs_error *err)
{
    struct gs_arena a;
    struct gs_json v;

    gs_arena_init(&a, GS_MAX_TEXT_BYTES);
    enum gs_status st = gs_json_parse(text, &a, &v, NULL);
    if (st == GS_OK)
        gs_json_write(b, &v);
    else if (st == GS_ENOMEM)
        gs_error_nomem(err, "write a request");
    else
        st = refuse(err, "a schema that is no JSON");
    gs_arena_clear(&a);
    return st;
}

enum gs_status gs_dialect_openai_ask_format(struct gs_dialect_openai_asker *k, bool is_wrapped,
                                            struct gs_error *err)
{
    const struct gs_format *format = &k->chat->format;

    if (format->kind != GS_FORMAT_SCHEMA) {
        gs_buf_puts(k->b, "{\"type\":\"json_object\"}");
        return GS_OK;
    }
    gs_buf_puts(k->b, is_wrapped ? "{\"type\":\"json_schema\",\"json_schema\":{"
                                 : "{\"type\":\"json_schema\",");
    gs_buf_puts(k->b, "\"name\":\"answer\",\"schema\":");
    const enum gs_status st = write_schema(k->b, format->spec, err);
    gs_buf_puts(k->b, is_wrapped ? "}}" : "}");
    return st;
}

/* ---- settings ---- */

static void write_unless(struct gs_dialect_openai_asker *k, const char *key, float value, float off)
{
    if (value >= off && value <= off)
        return;
    gs_buf_printf(k->b, ",\"%s\":", key);
    gs_dialect_write_setting(k->b, value);
}

void gs_dialect_openai_ask_sampling(struct gs_dialect_openai_asker *k)
{
    const struct gs_sampling *s = &k->chat->sampling;

    if (gs_dialect_openai_reasons(k->to->model))
        return;
    write_unless(k, "temperature", s->temperature, 1);
    write_unless(k, "top_p", s->top_p, 1);
    if (!k->to->takes_extensions)
        return;
    if (s->top_k > 0)
        gs_buf_printf(k->b, ",\"top_k\":%d", (int)s->top_k);
    write_unless(k, "min_p", s->min_p, 0);
    write_unless(k, "typical_p", s->typical_p, 1);
    write_unless(k, "repetition_penalty", s->repeat_penalty, 1);
}

void gs_dialect_openai_ask_penalties(struct gs_dialect_openai_asker *k)
{
    const struct gs_sampling *s = &k->chat->sampling;

    if (s->has_seed)
        gs_buf_printf(k->b, ",\"seed\":%lld", (long long)s->seed);
    if (gs_dialect_openai_reasons(k->to->model))
        return;
    write_unless(k, "frequency_penalty", s->frequency_penalty, 0);
    write_unless(k, "presence_penalty", s->presence_penalty, 0);
    for (size_t i = 0; i < s->n_logit_bias; i++) {
        gs_buf_puts(k->b, i ? "," : ",\"logit_bias\":{");
        gs_buf_printf(k->b, "\"%d\":", (int)s->logit_bias[i].token);
        gs_json_write_double(k->b, (double)s->logit_bias[i].bias);
    }
    if (s->n_logit_bias > 0)
        gs_buf_putc(k->b, '}');
}

/* The least that one of OpenAI's models that reason takes for an effort (2026-11). */
static struct gs_slice least_effort(struct gs_slice model)
{
    const struct gs_slice name = base_name(model);

    if (name.ptr[0] == 'o' || gs_slice_find(name, GS_SLICE_LIT("codex"), 0) != SIZE_MAX)
        return GS_SLICE_LIT("low");
    if (gs_slice_find(name, GS_SLICE_LIT("-pro"), 0) != SIZE_MAX)
        return gs_slice(NULL, 0);
    if (gs_slice_eq_str(name, "gpt-5") || gs_slice_starts(name, GS_SLICE_LIT("gpt-5-")))
        return GS_SLICE_LIT("minimal");
    return GS_SLICE_LIT("none");
}

/* The effort that comes closest to a budget. */
static struct gs_slice effort_of(int64_t budget)
{
    return budget <= 0      ? gs_slice(NULL, 0)
           : budget <= 4096 ? GS_SLICE_LIT("low")
           : budget < 16384 ? GS_SLICE_LIT("medium")
                            : GS_SLICE_LIT("high");
}

/* "max" is Anthropic's. */
struct gs_slice gs_dialect_openai_ask_effort(const struct gs_dialect_openai_asker *k)
{
    const struct gs_slice effort = k->chat->effort;
    const bool is_theirs = gs_dialect_openai_reasons(k->to->model);

    if (k->chat->thinking == GS_THINKING_OFF && is_theirs)
        return least_effort(k->to->model);
    if (k->chat->thinking != GS_THINKING_ON || never_reasons(k->to->model))
        return gs_slice(NULL, 0);
    if (!effort.len && is_theirs)
        return effort_of(k->chat->max_reasoning_tokens);
    return gs_slice_eq_str(effort, "max") ? GS_SLICE_LIT("high") : effort;
}

void gs_dialect_openai_ask_thinking(struct gs_dialect_openai_asker *k)
{
    if (!k->to->takes_extensions || k->chat->thinking == GS_THINKING_DEFAULT ||
        gs_dialect_openai_ask_effort(k).len > 0)
        return;
    gs_buf_printf(k->b, ",\"chat_template_kwargs\":{\"enable_thinking\":%s}",
                  k->chat->thinking == GS_THINKING_ON ? "true" : "false");
}
