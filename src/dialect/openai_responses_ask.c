/* OpenAI Responses, the other side: a chat becomes the body that asks for it
 * (https://platform.openai.com/docs/api-reference/responses/create). Messages fall apart into items
 * again. Nothing is kept there ("store": false): every request has the whole conversation. */
#include "base/error.h"
#include "base/slice.h"
#include "dialect/asker.h"
#include "dialect/openai_ask.h"
#include "dialect/writer.h"
#include "json/json.h"

#define MIN_TOKENS 16 /* of an answer, that OpenAI can be asked for */

/* ---- items ---- */

static void open_item(struct gs_buf *b, const char *type)
{
    if (b->len > 0 && b->ptr[b->len - 1] == '}')
        gs_buf_putc(b, ',');
    gs_buf_printf(b, "{\"type\":\"%s\"", type);
}

static void write_text(struct gs_buf *b, const char *type, struct gs_slice text)
{
    gs_buf_printf(b, "{\"type\":\"%s\",", type);
    gs_dialect_write_member(b, "text", text);
    gs_buf_putc(b, '}');
}

static void write_image(struct gs_dialect_openai_asker *k, const struct gs_block *image)
{
    gs_buf_puts(k->b, "{\"type\":\"input_image\",\"image_url\":");
    gs_dialect_openai_ask_image(k, image);
    gs_buf_putc(k->b, '}');
}

/* The texts and images among these blocks as the message of one role. */
static void write_message(struct gs_dialect_openai_asker *k, const char *role,
                          const struct gs_block *blocks, size_t n)
{
    const char *between = "";

    open_item(k->b, "message");
    gs_buf_printf(k->b, ",\"role\":\"%s\",\"content\":[", role);
    for (size_t i = 0; i < n; i++) {
        if (blocks[i].kind != GS_BLOCK_TEXT && blocks[i].kind != GS_BLOCK_IMAGE)
            continue;
        gs_buf_puts(k->b, between);
        between = ",";
        if (blocks[i].kind == GS_BLOCK_TEXT)
            write_text(k->b, "input_text", blocks[i].text);
        else
            write_image(k, &blocks[i]);
    }
    gs_buf_puts(k->b, "]}");
}

/* ---- results ---- */

static bool is_kind(const struct gs_message *m, size_t i, enum gs_block_kind kind)
{
    return i < m->n_blocks && m->blocks[i].kind == kind;
}

/* A result, with the images that stand behind it. Returns the place after them. */
static size_t write_result(struct gs_dialect_openai_asker *k, const struct gs_message *m, size_t at)
{
    const struct gs_block *result = &m->blocks[at++];

    open_item(k->b, "function_call_output");
    gs_buf_putc(k->b, ',');
    gs_dialect_openai_ask_id(k, "call_id", result);
    gs_buf_putc(k->b, ',');
    if (!is_kind(m, at, GS_BLOCK_IMAGE)) {
        gs_dialect_write_result(k->b, "output", result);
    } else {
        gs_buf_puts(k->b, "\"output\":[{\"type\":\"input_text\",");
        gs_dialect_write_result(k->b, "text", result);
        gs_buf_putc(k->b, '}');
        for (; is_kind(m, at, GS_BLOCK_IMAGE); at++) {
            gs_buf_putc(k->b, ',');
            write_image(k, &m->blocks[at]);
        }
        gs_buf_putc(k->b, ']');
    }
    gs_buf_putc(k->b, '}');
    return at;
}

/* What is not a result's follows as the user's. */
static void write_results(struct gs_dialect_openai_asker *k, const struct gs_message *m)
{
    size_t first = 0;

    while (first < m->n_blocks && m->blocks[first].kind != GS_BLOCK_TOOL_RESULT)
        first++;
    for (size_t i = first; i < m->n_blocks;) {
        if (m->blocks[i].kind == GS_BLOCK_TOOL_RESULT) {
            i = write_result(k, m, i);
            continue;
        }
        if (m->blocks[i].kind == GS_BLOCK_TEXT)
            write_message(k, "user", &m->blocks[i], 1);
        i++;
    }
    if (first > 0)
        write_message(k, "user", m->blocks, first);
}

/* ---- what the model said ---- */

/* Reasoning is worth nothing to a server that cannot read its signature, but for one that takes its
 * text. */
static void write_reasoning(struct gs_dialect_openai_asker *k, const struct gs_block *block)
{
    struct gs_slice signature;
    const bool is_signed = gs_dialect_is_theirs(k->to, block, &signature);

    if (!is_signed && (!k->to->takes_extensions || block->text.len == 0))
        return;
    open_item(k->b, "reasoning");
    gs_buf_puts(k->b, ",\"summary\":[");
    if (is_signed && block->text.len > 0)
        write_text(k->b, "summary_text", block->text);
    gs_buf_putc(k->b, ']');
    if (is_signed) {
        gs_buf_putc(k->b, ',');
        gs_dialect_write_member(k->b, "encrypted_content", signature);
    } else {
        gs_buf_puts(k->b, ",\"content\":[");
        write_text(k->b, "reasoning_text", block->text);
        gs_buf_putc(k->b, ']');
    }
    gs_buf_putc(k->b, '}');
}

static void write_call(struct gs_dialect_openai_asker *k, const struct gs_block *block)
{
    open_item(k->b, "function_call");
    gs_buf_putc(k->b, ',');
    gs_dialect_openai_ask_id(k, "call_id", block);
    gs_buf_putc(k->b, ',');
    gs_dialect_write_member(k->b, "name", block->name);
    gs_buf_putc(k->b, ',');
    gs_dialect_write_member(k->b, "arguments", block->args.len ? block->args : GS_SLICE_LIT("{}"));
    gs_buf_putc(k->b, '}');
}

static void write_said(struct gs_dialect_openai_asker *k, const struct gs_block *block)
{
    open_item(k->b, "message");
    gs_buf_puts(k->b, ",\"role\":\"assistant\",\"content\":[");
    write_text(k->b, "output_text", block->text);
    gs_buf_puts(k->b, "]}");
}

static void write_assistant(struct gs_dialect_openai_asker *k, const struct gs_message *m)
{
    for (size_t i = 0; i < m->n_blocks; i++) {
        switch (m->blocks[i].kind) {
        case GS_BLOCK_TEXT:
            write_said(k, &m->blocks[i]);
            break;
        case GS_BLOCK_REASONING:
            write_reasoning(k, &m->blocks[i]);
            break;
        case GS_BLOCK_TOOL_CALL:
            write_call(k, &m->blocks[i]);
            break;
        case GS_BLOCK_TOOL_RESULT:
        case GS_BLOCK_IMAGE:
            break;
        }
    }
}

static void write_turn(struct gs_dialect_openai_asker *k, const struct gs_message *m)
{
    switch (m->role) {
    case GS_ROLE_SYSTEM:
        write_message(k, "system", m->blocks, m->n_blocks);
        break;
    case GS_ROLE_USER:
        if (gs_dialect_openai_ask_has(m->blocks, m->n_blocks, GS_BLOCK_TOOL_RESULT))
            write_results(k, m);
        else
            write_message(k, "user", m->blocks, m->n_blocks);
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

static void write_include(struct gs_dialect_openai_asker *k)
{
    const bool wants_signature = k->to->is_theirs && gs_dialect_openai_reasons(k->to->model);

    if (!wants_signature && !k->chat->logprobs)
        return;
    gs_buf_puts(k->b, ",\"include\":[");
    if (wants_signature)
        gs_buf_puts(k->b, "\"reasoning.encrypted_content\"");
    if (k->chat->logprobs)
        gs_buf_printf(k->b, "%s\"message.output_text.logprobs\"],\"top_logprobs\":%d",
                      wants_signature ? "," : "", (int)k->chat->n_top_logprobs);
    else
        gs_buf_putc(k->b, ']');
}

static void write_settings(struct gs_dialect_openai_asker *k)
{
    const struct gs_slice effort = gs_dialect_openai_ask_effort(k);

    if (k->chat->max_tokens > 0)
        gs_buf_printf(k->b, ",\"max_output_tokens\":%lld", (long long)k->chat->max_tokens);
    gs_dialect_openai_ask_sampling(k);
    if (k->to->takes_extensions)
        gs_dialect_openai_ask_penalties(k);
    if (effort.len) {
        gs_buf_puts(k->b, ",\"reasoning\":{");
        gs_dialect_write_member(k->b, "effort", effort);
        gs_buf_putc(k->b, '}');
    }
    gs_dialect_openai_ask_thinking(k);
    write_include(k);
    gs_buf_puts(k->b, ",\"store\":false");
    if (k->to->stream)
        gs_buf_puts(k->b, ",\"stream\":true");
}

static enum gs_status check(const struct gs_dialect_openai_asker *k, struct gs_error *err)
{
    const struct gs_chat *chat = k->chat;
    const enum gs_status st = gs_dialect_openai_ask_check(k, err);

    if (st != GS_OK)
        return st;
    if (chat->n_stops > 0)
        return gs_error_set(err, GS_EUNSUPPORTED, "OpenAI's Responses API has no stop strings");
    if (chat->broke_off)
        return gs_error_set(err, GS_EUNSUPPORTED,
                            "OpenAI's Responses API cannot go on with an answer");
    if (chat->max_tokens > 0 && chat->max_tokens < MIN_TOKENS && !k->to->takes_extensions)
        return gs_error_set(err, GS_EUNSUPPORTED,
                            "OpenAI's Responses API cannot be limited to less than %d tokens",
                            MIN_TOKENS);
    return GS_OK;
}

enum gs_status gs_dialect_openai_responses_ask(const struct gs_chat *chat,
                                               const struct gs_dialect_to *to, struct gs_buf *b,
                                               struct gs_error *err)
{
    struct gs_dialect_openai_asker k = {.chat = chat, .to = to, .b = b, .before = b->len};

    enum gs_status st = check(&k, err);
    if (st != GS_OK)
        return st;
    gs_buf_putc(b, '{');
    gs_dialect_write_member(b, "model", to->model);
    gs_buf_puts(b, ",\"input\":[");
    for (size_t i = 0; i < chat->n_messages; i++)
        write_turn(&k, &chat->messages[i]);
    gs_buf_putc(b, ']');
    gs_dialect_openai_ask_tools(&k, false);
    if (chat->format.kind != GS_FORMAT_TEXT) {
        gs_buf_puts(b, ",\"text\":{\"format\":");
        st = gs_dialect_openai_ask_format(&k, false, err);
        gs_buf_putc(b, '}');
    }
    write_settings(&k);
    gs_buf_putc(b, '}');
    return gs_dialect_openai_ask_finish(&k, st, err);
}
