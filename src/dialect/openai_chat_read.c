/* OpenAI Chat Completions, requests: POST /v1/chat/completions
 * (https://platform.openai.com/docs/api-reference/chat/create), with what vLLM, llama-server and
 * others added and clients came to send: reasoning_content, switches and budgets of thinking,
 * continue_final_message. */
#include "dialect/details.h"
#include "dialect/openai_chat.h"

#include <string.h>

#include "base/error.h"
#include "base/slice.h"
#include "dialect/reader.h"
#include "dialect/writer.h"

/* ---- content ---- */

/* What no text model can take; kinds of parts that nobody knows are passed over instead. */
static bool is_media(struct gs_slice type)
{
    static const char *const types[] = {"input_audio", "audio_url", "video_url", "input_video",
                                        "file"};

    for (size_t i = 0; i < GS_COUNT_OF(types); i++)
        if (gs_slice_eq_str(type, types[i]))
            return true;
    return false;
}

static void read_part(struct gs_dialect_reader *r, const struct gs_json *part)
{
    const struct gs_slice type = gs_dialect_peek_string(part, "type");
    const struct gs_json *image = gs_json_get(part, "image_url");
    struct gs_slice text = {NULL, 0};
    const size_t first = r->n_blocks;

    if (part->kind == GS_JSON_STRING) {
        gs_dialect_add_text(r, GS_BLOCK_TEXT, part->u.string);
    } else if (part->kind != GS_JSON_OBJECT) {
        gs_dialect_reader_fail(r, "expected an object, found %s", gs_json_kind_name(part->kind));
    } else if (gs_slice_eq_str(type, "image_url")) {
        gs_dialect_add_image(r, image && image->kind == GS_JSON_STRING
                                    ? image->u.string
                                    : gs_dialect_peek_string(image, "url"));
    } else if (is_media(type)) {
        gs_dialect_reader_fail(r, "models here do not take %.*s", (int)type.len, type.ptr);
    } else {
        gs_dialect_get_string(r, part, gs_slice_eq_str(type, "refusal") ? "refusal" : "text",
                              &text);
        gs_dialect_add_text(r, GS_BLOCK_TEXT, text);
    }
    gs_dialect_mark_block(r, first, part); /* OpenRouter's */
}

/* A tool's result is one text, however many parts it came in; images stand beside it. */
static void read_result(struct gs_dialect_reader *r, const struct gs_json *message)
{
    const size_t first = r->n_blocks;
    struct gs_buf joined;
    size_t kept = first;

    gs_dialect_read_content(r, gs_json_get(message, "content"), read_part);
    gs_buf_init(&joined, SIZE_MAX / 2);
    for (size_t i = first; i < r->n_blocks; i++) {
        if (r->blocks[i].kind == GS_BLOCK_TEXT)
            gs_buf_slice(&joined, r->blocks[i].text);
        else
            r->blocks[kept++] = r->blocks[i];
    }
    r->n_blocks = kept;
    const struct gs_slice text = gs_dialect_keep(r, &joined);
    gs_buf_clear(&joined);
    struct gs_block *b = gs_dialect_add_block(r, GS_BLOCK_TOOL_RESULT);
    if (!b)
        return;
    b->text = text;
    b->id = gs_dialect_peek_string(message, "tool_call_id");
    b->name = gs_dialect_peek_string(message, "name");
}

/* ---- messages ---- */

static void add_call(struct gs_dialect_reader *r, struct gs_slice id, const struct gs_json *named,
                     struct gs_slice args)
{
    struct gs_block *b = gs_dialect_add_block(r, GS_BLOCK_TOOL_CALL);

    if (!b)
        return;
    b->id = id;
    b->name = gs_dialect_peek_string(named, "name");
    b->args = args;
}

static void read_call(struct gs_dialect_reader *r, const struct gs_json *call)
{
    const struct gs_slice id = gs_dialect_peek_string(call, "id");
    const struct gs_json *function = gs_json_get(call, "function");
    const struct gs_json *custom = gs_json_get(call, "custom");
    const size_t before = r->n_blocks;

    if (custom)
        add_call(r, id, custom,
                 gs_dialect_openai_custom_args(r, gs_dialect_peek_string(custom, "input")));
    else
        add_call(r, id, function, gs_dialect_read_args(r, gs_json_get(function, "arguments")));
    if (r->n_blocks > before)
        r->blocks[before].signature = gs_dialect_call_signature(call);
}

/* What was signed here brings its text along; what elsewhere was, stands beside it. */
static void read_reasoning(struct gs_dialect_reader *r, const struct gs_json *message)
{
    const struct gs_json *details = gs_json_get(message, "reasoning_details");
    struct gs_slice text = gs_dialect_peek_string(message, "reasoning_content");
    const size_t before = r->n_blocks;

    for (size_t i = 0; details && details->kind == GS_JSON_ARRAY && i < details->u.array.len; i++) {
        const struct gs_slice data = gs_dialect_peek_string(&details->u.array.items[i], "data");
        if (gs_slice_starts(data, GS_DIALECT_SIGNATURE))
            gs_dialect_add_reasoning(r, gs_slice(NULL, 0), data);
    }
    if (!text.len)
        text = gs_dialect_peek_string(message, "reasoning");
    if (r->n_blocks == before)
        gs_dialect_add_text(r, GS_BLOCK_REASONING, text);
    for (size_t i = 0; details && details->kind == GS_JSON_ARRAY && i < details->u.array.len; i++) {
        const struct gs_slice theirs = gs_dialect_detail_signature(&details->u.array.items[i]);
        if (!gs_slice_starts(theirs, GS_DIALECT_SIGNATURE))
            gs_dialect_add_reasoning(r, gs_slice(NULL, 0), theirs);
    }
}

static void read_assistant(struct gs_dialect_reader *r, const struct gs_json *message)
{
    const struct gs_json *calls = gs_dialect_get_array(r, message, "tool_calls");

    read_reasoning(r, message);
    gs_dialect_read_content(r, gs_json_get(message, "content"), read_part);
    for (size_t i = 0; calls && i < calls->u.array.len; i++)
        read_call(r, &calls->u.array.items[i]);
    if (gs_dialect_has(message, "function_call")) { /* before 2023-11 */
        const struct gs_json *function = gs_json_get(message, "function_call");
        add_call(r, gs_slice(NULL, 0), function,
                 gs_dialect_read_args(r, gs_json_get(function, "arguments")));
    }
    gs_dialect_end_message(r, GS_ROLE_ASSISTANT);
}

static void read_message(struct gs_dialect_reader *r, const struct gs_json *message)
{
    const struct gs_slice role = gs_dialect_peek_string(message, "role");

    if (gs_slice_eq_str(role, "assistant")) {
        read_assistant(r, message);
    } else if (gs_slice_eq_str(role, "tool") || gs_slice_eq_str(role, "function")) {
        read_result(r, message);
        gs_dialect_end_message(r, GS_ROLE_TOOL);
    } else if (gs_slice_eq_str(role, "user")) {
        gs_dialect_read_content(r, gs_json_get(message, "content"), read_part);
        gs_dialect_end_message(r, GS_ROLE_USER);
    } else if (gs_slice_eq_str(role, "system") || gs_slice_eq_str(role, "developer")) {
        gs_dialect_read_content(r, gs_json_get(message, "content"), read_part);
        gs_dialect_end_message(r, GS_ROLE_SYSTEM);
    } else {
        gs_dialect_reader_fail(r, "role: expected \"system\", \"developer\", \"user\", "
                                  "\"assistant\" or \"tool\"");
    }
}

static void read_messages(struct gs_dialect_reader *r, const struct gs_json *body)
{
    const struct gs_json *messages = gs_dialect_get_array(r, body, "messages");

    if (!messages || messages->u.array.len == 0)
        gs_dialect_reader_fail(r, "messages: at least one message is required");
    for (size_t i = 0; messages && i < messages->u.array.len && r->status == GS_OK; i++) {
        read_message(r, &messages->u.array.items[i]);
        gs_dialect_reader_at(r, "messages", i);
    }
}

/* ---- settings ---- */

/* What cannot be had is refused rather than left out. */
static void refuse_audio(struct gs_dialect_reader *r, const struct gs_json *body)
{
    const struct gs_json *modalities = gs_dialect_get_array(r, body, "modalities");

    for (size_t i = 0; modalities && i < modalities->u.array.len; i++) {
        const struct gs_json *m = &modalities->u.array.items[i];
        if (m->kind != GS_JSON_STRING || !gs_slice_eq_str(m->u.string, "text"))
            gs_dialect_reader_fail(r, "modalities[%zu]: models here answer in \"text\" only", i);
    }
    if (gs_dialect_has(body, "audio"))
        gs_dialect_reader_fail(r, "audio: models here answer in text only");
}

static void read_settings(struct gs_dialect_reader *r, const struct gs_json *body,
                          struct gs_chat *chat)
{
    int64_t n = 1;
    int64_t n_top = 0;

    gs_dialect_openai_read_sampling(r, body, &chat->sampling);
    gs_dialect_openai_read_limit(r, body, "max_tokens", &chat->max_tokens);
    gs_dialect_openai_read_limit(r, body, "max_completion_tokens", &chat->max_tokens);
    gs_dialect_read_stops(r, body, "stop", chat);
    gs_dialect_get_bool(r, body, "logprobs", &chat->logprobs);
    gs_dialect_get_int(r, body, "top_logprobs", 0, 20, &n_top);
    chat->n_top_logprobs = chat->logprobs ? (int32_t)n_top : 0;
    gs_dialect_get_int(r, body, "n", 1, GS_DIALECT_OPENAI_MAX_CHOICES, &n);
    chat->n_answers = (int32_t)n;
    gs_dialect_openai_read_thinking(r, body, chat);
    refuse_audio(r, body);
}

/* A last message of the assistant is continued (opencode sends one after a stream that broke off),
 * unless the client says in vLLM's words that it wants another. */
static bool wants_another(const struct gs_json *body)
{
    const struct gs_json *v = gs_json_get(body, "continue_final_message");

    return gs_dialect_peek_bool(body, "add_generation_prompt") ||
           (v && v->kind == GS_JSON_BOOL && !v->u.boolean);
}

enum gs_status gs_dialect_openai_chat_read(struct gs_chat *out_chat,
                                           struct gs_dialect_context *out_ctx, struct gs_slice text,
                                           const char *path, struct gs_arena *a,
                                           struct gs_error *err)
{
    struct gs_dialect_reader r = {.a = a, .err = err};
    struct gs_dialect_openai_request *q = gs_arena_alloc(a, sizeof(*q));
    struct gs_chat chat = {0};
    struct gs_dialect_context ctx = {.own = q};
    struct gs_json body;

    if (!q)
        return gs_error_nomem(err, "read the request");
    enum gs_status st = gs_dialect_parse(text, a, &body, err);
    if (st != GS_OK)
        return st;
    gs_dialect_get_string(&r, &body, "model", &chat.model);
    if (!chat.model.len && strcmp(path, "/apply-template") != 0)
        gs_dialect_reader_fail(&r, "model: a model must be named");
    read_messages(&r, &body);
    gs_dialect_openai_read_tools(&r, &body, &chat, q);
    read_settings(&r, &body, &chat);
    gs_dialect_openai_read_format(&r, &body, &chat);
    gs_dialect_openai_read_stream(&r, &body, &ctx, q);
    st = gs_dialect_reader_finish(&r, &chat);
    if (st != GS_OK)
        return st;
    chat.continue_last = chat.continue_last && !wants_another(&body);
    ctx.model = chat.model;
    chat.stream = ctx.stream;
    *out_chat = chat;
    *out_ctx = ctx;
    return GS_OK;
}
