/* OpenAI Chat Completions, the other side: a chat becomes the body that asks for it
 * (https://platform.openai.com/docs/api-reference/chat/create).
 *
 * Servers of this API are many, and differ in what they refuse. So texts go as strings, which all
 * take, members that OpenAI does not know only where asked for, and max_tokens but to OpenAI's own
 * newer models, which want max_completion_tokens, which Ollama and others ignore. */
#include "base/error.h"
#include "base/slice.h"
#include "dialect/asker.h"
#include "dialect/details.h"
#include "dialect/openai_ask.h"
#include "dialect/writer.h"
#include "json/json.h"

#define MAX_STOPS 4 /* that OpenAI takes */

/* ---- messages ---- */

/* A message begins after what was written before. */
static void open_message(struct gs_buf *b, const char *role)
{
    if (b->len > 0 && b->ptr[b->len - 1] == '}')
        gs_buf_putc(b, ',');
    gs_buf_printf(b, "{\"role\":\"%s\"", role);
}

/* Texts and images in their order. */
static void write_parts(struct gs_dialect_openai_asker *k, const struct gs_message *m)
{
    const char *between = "";

    gs_buf_putc(k->b, '[');
    for (size_t i = 0; i < m->n_blocks; i++) {
        const struct gs_block *block = &m->blocks[i];
        if (block->kind != GS_BLOCK_TEXT && block->kind != GS_BLOCK_IMAGE)
            continue;
        gs_buf_puts(k->b, between);
        between = ",";
        if (block->kind == GS_BLOCK_TEXT) {
            gs_buf_puts(k->b, "{\"type\":\"text\",");
            gs_dialect_write_member(k->b, "text", block->text);
            gs_buf_putc(k->b, '}');
        } else {
            gs_buf_puts(k->b, "{\"type\":\"image_url\",\"image_url\":{\"url\":");
            gs_dialect_openai_ask_image(k, block);
            gs_buf_puts(k->b, "}}");
        }
    }
    gs_buf_putc(k->b, ']');
}

static void write_content(struct gs_dialect_openai_asker *k, const struct gs_message *m,
                          const char *role)
{
    open_message(k->b, role);
    gs_buf_puts(k->b, ",\"content\":");
    if (gs_dialect_openai_ask_has(m->blocks, m->n_blocks, GS_BLOCK_IMAGE))
        write_parts(k, m);
    else
        gs_dialect_openai_ask_texts(k, m->blocks, m->n_blocks, GS_BLOCK_TEXT);
    gs_buf_putc(k->b, '}');
}

/* Results are messages of their own; images, which they cannot hold, follow as the user's. */
static void write_results(struct gs_dialect_openai_asker *k, const struct gs_message *m)
{
    for (size_t i = 0; i < m->n_blocks; i++) {
        const struct gs_block *block = &m->blocks[i];
        if (block->kind != GS_BLOCK_TOOL_RESULT)
            continue;
        open_message(k->b, "tool");
        gs_buf_putc(k->b, ',');
        gs_dialect_openai_ask_id(k, "tool_call_id", block);
        gs_buf_putc(k->b, ',');
        gs_dialect_write_result(k->b, "content", block);
        gs_buf_putc(k->b, '}');
    }
    if (gs_dialect_openai_ask_has(m->blocks, m->n_blocks, GS_BLOCK_IMAGE) ||
        gs_dialect_openai_ask_has(m->blocks, m->n_blocks, GS_BLOCK_TEXT))
        write_content(k, m, "user");
}

static void write_calls(struct gs_dialect_openai_asker *k, const struct gs_message *m)
{
    bool is_to_sign = gs_dialect_wants_signed_call(k->to);
    const char *between = ",\"tool_calls\":[";

    for (size_t i = 0; i < m->n_blocks; i++) {
        const struct gs_block *block = &m->blocks[i];
        if (block->kind != GS_BLOCK_TOOL_CALL)
            continue;
        gs_buf_puts(k->b, between);
        between = ",";
        gs_buf_putc(k->b, '{');
        gs_dialect_openai_ask_id(k, "id", block);
        gs_buf_puts(k->b, ",\"type\":\"function\",\"function\":{");
        gs_dialect_write_member(k->b, "name", block->name);
        gs_buf_putc(k->b, ',');
        gs_dialect_write_member(k->b, "arguments",
                                block->args.len ? block->args : GS_SLICE_LIT("{}"));
        gs_buf_putc(k->b, '}');
        if (is_to_sign)
            gs_buf_puts(k->b, "," GS_DIALECT_UNSIGNED_CALL);
        is_to_sign = false;
        gs_buf_putc(k->b, '}');
    }
    gs_buf_putc(k->b, ']');
}

static void write_assistant(struct gs_dialect_openai_asker *k, const struct gs_message *m)
{
    const bool has_calls = gs_dialect_openai_ask_has(m->blocks, m->n_blocks, GS_BLOCK_TOOL_CALL);

    open_message(k->b, "assistant");
    gs_buf_puts(k->b, ",\"content\":");
    if (has_calls && !gs_dialect_openai_ask_has(m->blocks, m->n_blocks, GS_BLOCK_TEXT))
        gs_buf_puts(k->b, "null");
    else
        gs_dialect_openai_ask_texts(k, m->blocks, m->n_blocks, GS_BLOCK_TEXT);
    if (!gs_dialect_write_details(k->to, m, k->b) && k->to->takes_extensions &&
        gs_dialect_openai_ask_has(m->blocks, m->n_blocks, GS_BLOCK_REASONING)) {
        gs_buf_puts(k->b, ",\"reasoning_content\":");
        gs_dialect_openai_ask_texts(k, m->blocks, m->n_blocks, GS_BLOCK_REASONING);
    }
    if (has_calls)
        write_calls(k, m);
    gs_buf_putc(k->b, '}');
}

static void write_message(struct gs_dialect_openai_asker *k, const struct gs_message *m)
{
    switch (m->role) {
    case GS_ROLE_SYSTEM:
        write_content(k, m, "system");
        break;
    case GS_ROLE_USER:
        if (gs_dialect_openai_ask_has(m->blocks, m->n_blocks, GS_BLOCK_TOOL_RESULT))
            write_results(k, m);
        else
            write_content(k, m, "user");
        break;
    case GS_ROLE_ASSISTANT:
        write_assistant(k, m);
        break;
    case GS_ROLE_TOOL:
        write_results(k, m);
        break;
    }
}

/* ---- settings ---- */

static void write_settings(struct gs_dialect_openai_asker *k)
{
    const bool is_new = gs_dialect_openai_reasons(k->to->model);
    const struct gs_slice effort = gs_dialect_openai_ask_effort(k);
    const struct gs_chat *chat = k->chat;

    if (chat->max_tokens > 0)
        gs_buf_printf(k->b, ",\"%s\":%lld", is_new ? "max_completion_tokens" : "max_tokens",
                      (long long)chat->max_tokens);
    gs_dialect_openai_ask_sampling(k);
    gs_dialect_openai_ask_penalties(k);
    for (size_t i = 0; i < chat->n_stops; i++) {
        gs_buf_puts(k->b, i ? "," : ",\"stop\":[");
        gs_json_write_string(k->b, chat->stops[i]);
    }
    if (chat->n_stops > 0)
        gs_buf_putc(k->b, ']');
    if (effort.len) {
        gs_buf_putc(k->b, ',');
        gs_dialect_write_member(k->b, "reasoning_effort", effort);
    }
    gs_dialect_openai_ask_thinking(k);
    if (chat->logprobs && !is_new)
        gs_buf_printf(k->b, ",\"logprobs\":true,\"top_logprobs\":%d", (int)chat->n_top_logprobs);
    if (chat->continue_last && k->to->says_continue)
        gs_buf_puts(k->b, "," GS_DIALECT_OPENAI_GOES_ON);
    if (k->to->stream)
        gs_buf_puts(k->b, ",\"stream\":true,\"stream_options\":{\"include_usage\":true}");
}

/* What only some servers of this API take. */
static enum gs_status check_stops(const struct gs_dialect_openai_asker *k, struct gs_error *err)
{
    if (k->chat->n_stops > 0 && gs_dialect_openai_reasons(k->to->model))
        return gs_error_set(err, GS_EUNSUPPORTED, "the model \"%.*s\" takes no stop strings",
                            (int)GS_MIN(k->to->model.len, (size_t)100), k->to->model.ptr);
    if (k->chat->n_stops > MAX_STOPS && !k->to->takes_extensions)
        return gs_error_set(err, GS_EUNSUPPORTED,
                            "OpenAI's API takes %d stop strings at most, not %zu", MAX_STOPS,
                            k->chat->n_stops);
    return GS_OK;
}

enum gs_status gs_dialect_openai_chat_ask(const struct gs_chat *chat,
                                          const struct gs_dialect_to *to, struct gs_buf *b,
                                          struct gs_error *err)
{
    struct gs_dialect_openai_asker k = {.chat = chat, .to = to, .b = b, .before = b->len};

    enum gs_status st = gs_dialect_openai_ask_check(&k, err);
    if (st == GS_OK)
        st = check_stops(&k, err);
    if (st != GS_OK)
        return st;
    gs_buf_putc(b, '{');
    gs_dialect_write_member(b, "model", to->model);
    gs_buf_puts(b, ",\"messages\":[");
    for (size_t i = 0; i < chat->n_messages; i++)
        write_message(&k, &chat->messages[i]);
    gs_buf_putc(b, ']');
    gs_dialect_openai_ask_tools(&k, true);
    if (chat->format.kind != GS_FORMAT_TEXT) {
        gs_buf_puts(b, ",\"response_format\":");
        st = gs_dialect_openai_ask_format(&k, true, err);
    }
    write_settings(&k);
    gs_buf_putc(b, '}');
    return gs_dialect_openai_ask_finish(&k, st, err);
}
