/* OpenAI Chat Completions, requests: POST /v1/chat/completions
 * (https://platform.openai.com/docs/api-reference/chat/create), with what vLLM, llama-server and
 * DeepSeek added and clients came to send: reasoning_content, top_k, min_p, repetition_penalty,
 * chat_template_kwargs.enable_thinking. */
#include "dialect/openai_chat.h"

#include "base/error.h"
#include "base/slice.h"
#include "dialect/reader.h"

#define MAX_LOGIT_BIAS 1024

/* ---- content ---- */

/* "data:image/png;base64,..." becomes media type and data; another URL stays whole. */
static void add_image(struct gs_dialect_reader *r, struct gs_slice url)
{
    const size_t comma = gs_slice_find(url, GS_SLICE_LIT(","), 0);
    const size_t semicolon = gs_slice_find(gs_slice_sub(url, 0, comma), GS_SLICE_LIT(";"), 0);
    struct gs_block *b = gs_dialect_add_block(r, GS_BLOCK_IMAGE);

    if (!b)
        return;
    b->text = url;
    if (gs_slice_starts(url, GS_SLICE_LIT("data:")) && semicolon != SIZE_MAX) {
        b->name = gs_slice_sub(url, 5, semicolon);
        b->text = gs_slice_sub(url, comma + 1, url.len);
    }
}

static void read_part(struct gs_dialect_reader *r, const struct gs_json *part)
{
    const struct gs_slice type = gs_dialect_peek_string(part, "type");
    const struct gs_json *image = gs_json_get(part, "image_url");
    struct gs_slice text = {NULL, 0};

    if (part->kind == GS_JSON_STRING) {
        gs_dialect_add_text(r, GS_BLOCK_TEXT, part->u.string);
    } else if (part->kind != GS_JSON_OBJECT) {
        gs_dialect_reader_fail(r, "expected an object, found %s", gs_json_kind_name(part->kind));
    } else if (gs_slice_eq_str(type, "image_url")) {
        add_image(r, image && image->kind == GS_JSON_STRING ? image->u.string
                                                            : gs_dialect_peek_string(image, "url"));
    } else {
        gs_dialect_get_string(r, part, gs_slice_eq_str(type, "refusal") ? "refusal" : "text",
                              &text);
        gs_dialect_add_text(r, GS_BLOCK_TEXT, text);
    }
}

static void read_content(struct gs_dialect_reader *r, const struct gs_json *content)
{
    if (!content || content->kind == GS_JSON_NULL)
        return;
    if (content->kind == GS_JSON_STRING) {
        gs_dialect_add_text(r, GS_BLOCK_TEXT, content->u.string);
        return;
    }
    if (content->kind != GS_JSON_ARRAY) {
        gs_dialect_reader_fail(r, "content: expected a string or an array, found %s",
                               gs_json_kind_name(content->kind));
        return;
    }
    for (size_t i = 0; i < content->u.array.len && r->status == GS_OK; i++) {
        read_part(r, &content->u.array.items[i]);
        gs_dialect_reader_at(r, "content", i);
    }
}

/* A tool's result is one text, however many parts it came in. */
static void read_result(struct gs_dialect_reader *r, const struct gs_json *message)
{
    const struct gs_json *content = gs_json_get(message, "content");
    struct gs_slice text = {NULL, 0};
    struct gs_buf joined;

    if (content && content->kind == GS_JSON_STRING) {
        text = content->u.string;
    } else if (content && content->kind == GS_JSON_ARRAY) {
        gs_buf_init(&joined, SIZE_MAX / 2);
        for (size_t i = 0; i < content->u.array.len; i++)
            gs_buf_slice(&joined, gs_dialect_peek_string(&content->u.array.items[i], "text"));
        text = gs_dialect_keep(r, &joined);
        gs_buf_clear(&joined);
    }
    struct gs_block *b = gs_dialect_add_block(r, GS_BLOCK_TOOL_RESULT);
    if (!b)
        return;
    b->text = text;
    b->id = gs_dialect_peek_string(message, "tool_call_id");
    b->name = gs_dialect_peek_string(message, "name");
}

/* ---- messages ---- */

static void read_call(struct gs_dialect_reader *r, struct gs_slice id,
                      const struct gs_json *function)
{
    const struct gs_slice args = gs_dialect_read_args(r, gs_json_get(function, "arguments"));
    struct gs_block *b = gs_dialect_add_block(r, GS_BLOCK_TOOL_CALL);

    if (!b)
        return;
    b->id = id;
    b->name = gs_dialect_peek_string(function, "name");
    b->args = args;
}

static void read_assistant(struct gs_dialect_reader *r, const struct gs_json *message)
{
    const struct gs_json *calls = gs_dialect_get_array(r, message, "tool_calls");
    struct gs_slice reasoning = gs_dialect_peek_string(message, "reasoning_content");

    if (!reasoning.len)
        reasoning = gs_dialect_peek_string(message, "reasoning");
    gs_dialect_add_text(r, GS_BLOCK_REASONING, reasoning);
    read_content(r, gs_json_get(message, "content"));
    for (size_t i = 0; calls && i < calls->u.array.len; i++) {
        const struct gs_json *call = &calls->u.array.items[i];
        read_call(r, gs_dialect_peek_string(call, "id"), gs_json_get(call, "function"));
    }
    if (gs_dialect_has(message, "function_call")) /* before 2023-11 */
        read_call(r, gs_slice(NULL, 0), gs_json_get(message, "function_call"));
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
        read_content(r, gs_json_get(message, "content"));
        gs_dialect_end_message(r, GS_ROLE_USER);
    } else if (gs_slice_eq_str(role, "system") || gs_slice_eq_str(role, "developer")) {
        read_content(r, gs_json_get(message, "content"));
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

static void read_tool_choice(struct gs_dialect_reader *r, const struct gs_json *body,
                             struct gs_chat *chat)
{
    const struct gs_json *choice = gs_json_get(body, "tool_choice");
    const struct gs_slice word = gs_dialect_peek_string(body, "tool_choice");
    bool parallel = true;

    gs_dialect_get_bool(r, body, "parallel_tool_calls", &parallel);
    chat->one_tool_call = !parallel;
    if (gs_slice_eq_str(word, "none"))
        chat->tool_choice = GS_TOOL_CHOICE_NONE;
    else if (gs_slice_eq_str(word, "required"))
        chat->tool_choice = GS_TOOL_CHOICE_ANY;
    if (!gs_slice_eq_str(gs_dialect_peek_string(choice, "type"), "function"))
        return;
    chat->tool_choice = GS_TOOL_CHOICE_NAMED;
    chat->tool_choice_name = gs_dialect_peek_string(gs_json_get(choice, "function"), "name");
    if (!chat->tool_choice_name.len)
        gs_dialect_reader_fail(r, "tool_choice.function.name: the tool to call must be named");
}

/* ---- settings ---- */

/* {"50256": -100}, by token id. */
static void read_logit_bias(struct gs_dialect_reader *r, const struct gs_json *body,
                            struct gs_sampling *s)
{
    const struct gs_json *map = gs_json_get(body, "logit_bias");
    const size_t n = map && map->kind == GS_JSON_OBJECT ? map->u.object.len : 0;
    struct gs_logit_bias *out;

    if (r->status != GS_OK || n == 0)
        return;
    if (n > MAX_LOGIT_BIAS) {
        gs_dialect_reader_fail(r, "logit_bias: %zu tokens are more than %d", n, MAX_LOGIT_BIAS);
        return;
    }
    out = gs_arena_array(r->a, n, sizeof(*out));
    if (!out) {
        r->status = gs_error_nomem(r->err, "read the request");
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const struct gs_json_member *m = &map->u.object.members[i];
        const bool is_int = m->value.kind == GS_JSON_INT;
        int64_t token;
        if (!gs_slice_to_i64(m->key, &token) || token < 0 || token > INT32_MAX ||
            (!is_int && m->value.kind != GS_JSON_REAL)) {
            gs_dialect_reader_fail(r, "logit_bias: expected token ids with numbers");
            return;
        }
        const double bias = is_int ? (double)m->value.u.integer : m->value.u.real;
        out[i] = (struct gs_logit_bias){.token = (int32_t)token,
                                        .bias = (float)GS_MAX(-100.0, GS_MIN(bias, 100.0))};
    }
    s->logit_bias = out;
    s->n_logit_bias = n;
}

static void read_sampling(struct gs_dialect_reader *r, const struct gs_json *body,
                          struct gs_sampling *s)
{
    int64_t top_k = 0;
    int64_t seed = 0;

    gs_sampling_init(s);
    gs_dialect_get_float(r, body, "temperature", 0, 2, &s->temperature);
    gs_dialect_get_float(r, body, "top_p", 0, 1, &s->top_p);
    gs_dialect_get_float(r, body, "min_p", 0, 1, &s->min_p);
    gs_dialect_get_float(r, body, "typical_p", 0, 1, &s->typical_p);
    gs_dialect_get_float(r, body, "frequency_penalty", -2, 2, &s->frequency_penalty);
    gs_dialect_get_float(r, body, "presence_penalty", -2, 2, &s->presence_penalty);
    gs_dialect_get_float(r, body, "repeat_penalty", 0, 10, &s->repeat_penalty);
    gs_dialect_get_float(r, body, "repetition_penalty", 0, 10, &s->repeat_penalty);
    gs_dialect_get_int(r, body, "top_k", -1, INT32_MAX, &top_k);
    s->top_k = (int32_t)GS_MAX(top_k, 0);
    gs_dialect_get_int(r, body, "seed", INT64_MIN, INT64_MAX, &seed);
    s->has_seed = gs_dialect_has(body, "seed");
    s->seed = (uint64_t)seed;
    read_logit_bias(r, body, s);
}

static void read_thinking_mode(const struct gs_json *body, struct gs_chat *chat)
{
    const struct gs_json *enable =
        gs_json_get(gs_json_get(body, "chat_template_kwargs"), "enable_thinking");

    gs_dialect_set_effort(chat, gs_dialect_peek_string(gs_json_get(body, "reasoning"), "effort"));
    gs_dialect_set_effort(chat, gs_dialect_peek_string(body, "reasoning_effort"));
    if (enable && enable->kind == GS_JSON_BOOL)
        chat->thinking = enable->u.boolean ? GS_THINKING_ON : GS_THINKING_OFF;
}

static void read_settings(struct gs_dialect_reader *r, const struct gs_json *body,
                          struct gs_chat *chat)
{
    int64_t n_choices = 1;
    int64_t n_top = 0;

    read_sampling(r, body, &chat->sampling);
    gs_dialect_get_int(r, body, "max_tokens", 1, INT32_MAX, &chat->max_tokens);
    gs_dialect_get_int(r, body, "max_completion_tokens", 1, INT32_MAX, &chat->max_tokens);
    gs_dialect_read_stops(r, body, "stop", chat);
    gs_dialect_get_bool(r, body, "logprobs", &chat->logprobs);
    gs_dialect_get_int(r, body, "top_logprobs", 0, 20, &n_top);
    chat->n_top_logprobs = chat->logprobs ? (int32_t)n_top : 0;
    gs_dialect_get_int(r, body, "n", 1, 1, &n_choices);
    read_thinking_mode(body, chat);
}

/* response_format. */
static void read_format(struct gs_dialect_reader *r, const struct gs_json *body,
                        struct gs_chat *chat)
{
    const struct gs_json *format = gs_json_get(body, "response_format");
    const struct gs_slice type = gs_dialect_peek_string(format, "type");
    const struct gs_json *schema = gs_json_get(gs_json_get(format, "json_schema"), "schema");

    if (gs_slice_eq_str(type, "json_object"))
        gs_dialect_set_schema(r, chat, NULL);
    else if (gs_slice_eq_str(type, "json_schema") && !schema)
        gs_dialect_reader_fail(r, "response_format.json_schema.schema: a schema is needed");
    else if (gs_slice_eq_str(type, "json_schema"))
        gs_dialect_set_schema(r, chat, schema);
    else if (type.len && !gs_slice_eq_str(type, "text"))
        gs_dialect_reader_fail(r,
                               "response_format.type: expected text, json_object or json_schema, "
                               "found \"%.*s\"",
                               (int)GS_MIN(type.len, (size_t)100), type.ptr);
}

enum gs_status gs_dialect_openai_chat_read(struct gs_chat *out_chat,
                                           struct gs_dialect_context *out_ctx, struct gs_slice text,
                                           const char *path, struct gs_arena *a,
                                           struct gs_error *err)
{
    struct gs_dialect_reader r = {.a = a, .err = err};
    struct gs_chat chat = {0};
    struct gs_dialect_context ctx = {0};
    struct gs_json body;

    (void)path;
    enum gs_status st = gs_dialect_parse(text, a, &body, err);
    if (st != GS_OK)
        return st;
    gs_dialect_get_string(&r, &body, "model", &chat.model);
    if (!chat.model.len)
        gs_dialect_reader_fail(&r, "model: a model must be named");
    read_messages(&r, &body);
    gs_dialect_read_functions(&r, gs_dialect_get_array(&r, &body, "tools"), &chat);
    read_tool_choice(&r, &body, &chat);
    read_settings(&r, &body, &chat);
    read_format(&r, &body, &chat);
    gs_dialect_get_bool(&r, &body, "stream", &ctx.stream);
    st = gs_dialect_reader_finish(&r, &chat);
    if (st != GS_OK)
        return st;
    ctx.model = chat.model;
    ctx.include_usage = gs_dialect_peek_bool(gs_json_get(&body, "stream_options"), "include_usage");
    chat.stream = ctx.stream;
    *out_chat = chat;
    *out_ctx = ctx;
    return GS_OK;
}
