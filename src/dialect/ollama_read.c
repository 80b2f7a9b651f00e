/* Ollama, requests: POST /api/chat and /api/generate
 * (https://github.com/ollama/ollama/blob/main/docs/api.md). Streams unless told not to. A request
 * without messages or prompt only loads the model, or unloads it if it is to stay for no time.
 * num_ctx is the server's own business here: a context smaller than the model's would cut
 * conversations silently. */
#include "dialect/ollama.h"

#include <math.h>

#include "base/error.h"
#include "base/slice.h"
#include "dialect/reader.h"
#include "dialect/writer.h"
#include "genset/models.h"

#define MAX_TOP_LOGPROBS 20
#define MAX_KEEP_MS      1e15 /* beyond it there is no end */

/* ---- messages ---- */

static void read_images(struct gs_dialect_reader *r, const struct gs_json *v)
{
    const struct gs_json *images = gs_dialect_get_array(r, v, "images");

    for (size_t i = 0; images && i < images->u.array.len; i++) {
        if (images->u.array.items[i].kind == GS_JSON_STRING)
            gs_dialect_add_text(r, GS_BLOCK_IMAGE, images->u.array.items[i].u.string);
    }
}

static void read_calls(struct gs_dialect_reader *r, const struct gs_json *message)
{
    const struct gs_json *calls = gs_dialect_get_array(r, message, "tool_calls");

    for (size_t i = 0; calls && i < calls->u.array.len && r->status == GS_OK; i++) {
        const struct gs_json *call = &calls->u.array.items[i];
        const struct gs_json *function = gs_json_get(call, "function");
        const struct gs_slice args = gs_dialect_read_args(r, gs_json_get(function, "arguments"));
        struct gs_block *b = gs_dialect_add_block(r, GS_BLOCK_TOOL_CALL);
        if (!b)
            return;
        b->id = gs_dialect_peek_string(call, "id");
        b->name = gs_dialect_peek_string(function, "name");
        b->args = args;
    }
}

static void read_result(struct gs_dialect_reader *r, const struct gs_json *message,
                        struct gs_slice text)
{
    struct gs_block *b = gs_dialect_add_block(r, GS_BLOCK_TOOL_RESULT);

    if (!b)
        return;
    b->text = text;
    b->id = gs_dialect_peek_string(message, "tool_call_id");
    b->name = gs_dialect_peek_string(message, "tool_name");
    if (!b->name.len)
        b->name = gs_dialect_peek_string(message, "name");
}

/* What was signed brings its text along. */
static void read_reasoning(struct gs_dialect_reader *r, const struct gs_json *message)
{
    struct gs_slice signatures = gs_dialect_peek_string(message, GS_DIALECT_OLLAMA_SIGNATURE);

    if (!signatures.len)
        gs_dialect_add_text(r, GS_BLOCK_REASONING, gs_dialect_peek_string(message, "thinking"));
    while (signatures.len > 0) {
        const size_t comma =
            GS_MIN(gs_slice_find(signatures, GS_SLICE_LIT(","), 0), signatures.len);
        gs_dialect_add_reasoning(r, gs_slice(NULL, 0), gs_slice_sub(signatures, 0, comma));
        signatures = gs_slice_sub(signatures, GS_MIN(comma + 1, signatures.len), signatures.len);
    }
}

static void read_message(struct gs_dialect_reader *r, const struct gs_json *message)
{
    const struct gs_slice role = gs_dialect_peek_string(message, "role");
    struct gs_slice text = {NULL, 0};
    enum gs_role as = GS_ROLE_USER;

    gs_dialect_get_string(r, message, "content", &text);
    if (gs_slice_eq_str(role, "tool")) {
        read_result(r, message, text);
        read_images(r, message);
        gs_dialect_end_message(r, GS_ROLE_TOOL);
        return;
    }
    if (gs_slice_eq_str(role, "assistant"))
        as = GS_ROLE_ASSISTANT;
    else if (gs_slice_eq_str(role, "system") || gs_slice_eq_str(role, "developer"))
        as = GS_ROLE_SYSTEM;
    else if (!gs_slice_eq_str(role, "user"))
        gs_dialect_reader_fail(r, "role: expected \"system\", \"user\", \"assistant\" or \"tool\"");
    read_reasoning(r, message);
    gs_dialect_add_text(r, GS_BLOCK_TEXT, text);
    read_images(r, message);
    read_calls(r, message);
    gs_dialect_end_message(r, as);
}

static void read_chat(struct gs_dialect_reader *r, const struct gs_json *body, struct gs_chat *chat)
{
    const struct gs_json *messages = gs_dialect_get_array(r, body, "messages");

    for (size_t i = 0; messages && i < messages->u.array.len && r->status == GS_OK; i++) {
        read_message(r, &messages->u.array.items[i]);
        gs_dialect_reader_at(r, "messages", i);
    }
    gs_dialect_read_functions(r, gs_dialect_get_array(r, body, "tools"), chat);
}

/* The tokens of what was said before, as an earlier answer gave them. */
static void read_context(struct gs_dialect_reader *r, const struct gs_json *body,
                         struct gs_chat *chat)
{
    const struct gs_json *context = gs_dialect_get_array(r, body, "context");

    if (!context || context->u.array.len == 0)
        return;
    struct gs_embed_input *before = gs_arena_alloc(r->a, sizeof(*before));
    if (!before) {
        gs_dialect_reader_nomem(r);
        return;
    }
    gs_dialect_read_tokens(r, context, "context", before);
    chat->before = before;
    chat->n_before = 1;
}

static void read_generate(struct gs_dialect_reader *r, const struct gs_json *body,
                          struct gs_chat *chat)
{
    const struct gs_json *images = gs_dialect_get_array(r, body, "images");
    struct gs_slice prompt = {NULL, 0};
    struct gs_slice system = {NULL, 0};

    gs_dialect_get_string(r, body, "prompt", &prompt);
    gs_dialect_get_string(r, body, "system", &system);
    gs_dialect_get_bool(r, body, "raw", &chat->is_raw);
    if (gs_dialect_peek_string(body, "template").len)
        gs_dialect_reader_fail(r, "template: templates of requests are not rendered: send the "
                                  "whole prompt with \"raw\": true");
    gs_dialect_get_string(r, body, "suffix", &chat->raw_suffix);
    chat->has_suffix = chat->raw_suffix.len > 0;
    chat->is_raw |= chat->has_suffix; /* system messages have no place there */
    read_context(r, body, chat);
    if (chat->is_raw && images && images->u.array.len > 0)
        gs_dialect_reader_fail(r, "images: a prompt without a template has no place for them");
    if (chat->is_raw || (prompt.len == 0 && !(images && images->u.array.len > 0))) {
        chat->raw_prompt = prompt;
        return;
    }
    chat->wants_tokens = true;
    if (system.len) {
        gs_dialect_add_text(r, GS_BLOCK_TEXT, system);
        gs_dialect_end_message(r, GS_ROLE_SYSTEM);
    }
    gs_dialect_add_text(r, GS_BLOCK_TEXT, prompt);
    read_images(r, body);
    gs_dialect_end_message(r, GS_ROLE_USER);
}

/* ---- settings ---- */

/* What is not said is as Ollama's own defaults have it (docs/modelfile.md). */
static void read_options(struct gs_dialect_reader *r, const struct gs_json *o, struct gs_chat *chat)
{
    struct gs_sampling *s = &chat->sampling;
    int64_t top_k = 40;
    int64_t last_n = 64;
    int64_t predict = -1;
    int64_t seed = -1;

    gs_sampling_init(s);
    s->temperature = 0.8f;
    s->top_p = 0.9f;
    s->repeat_penalty = 1.1f;
    gs_dialect_get_float(r, o, "temperature", 0, 10, &s->temperature);
    gs_dialect_get_float(r, o, "top_p", 0, 1, &s->top_p);
    gs_dialect_get_float(r, o, "min_p", 0, 1, &s->min_p);
    gs_dialect_get_float(r, o, "typical_p", 0, 1, &s->typical_p);
    gs_dialect_get_float(r, o, "repeat_penalty", 0, 10, &s->repeat_penalty);
    gs_dialect_get_float(r, o, "frequency_penalty", -2, 2, &s->frequency_penalty);
    gs_dialect_get_float(r, o, "presence_penalty", -2, 2, &s->presence_penalty);
    gs_dialect_get_int(r, o, "top_k", -1, INT32_MAX, &top_k);
    gs_dialect_get_int(r, o, "repeat_last_n", -1, INT32_MAX, &last_n);
    gs_dialect_get_int(r, o, "num_predict", -2, INT32_MAX, &predict);
    gs_dialect_get_int(r, o, "seed", INT64_MIN, INT64_MAX, &seed);
    gs_dialect_read_stops(r, o, "stop", chat);
    s->top_k = (int32_t)GS_MAX(top_k, 0);
    s->repeat_last_n = (int32_t)last_n;
    s->has_seed = seed != -1; /* that draws one */
    s->seed = (uint64_t)seed;
    s->open = gs_dialect_left_open(o);
    chat->max_tokens = GS_MAX(predict, 0);
}

static bool is_empty_string(const struct gs_json *v)
{
    return v->kind == GS_JSON_STRING && v->u.string.len == 0;
}

/* "json", or a schema. */
static void read_format(struct gs_dialect_reader *r, const struct gs_json *body,
                        struct gs_chat *chat)
{
    const struct gs_json *format = gs_json_get(body, "format");

    if (gs_slice_eq_str(gs_dialect_peek_string(body, "format"), "json"))
        gs_dialect_set_schema(r, chat, NULL);
    else if (format && format->kind == GS_JSON_OBJECT)
        gs_dialect_set_schema(r, chat, format);
    else if (format && format->kind != GS_JSON_NULL && !is_empty_string(format))
        gs_dialect_reader_fail(r, "format: expected \"json\" or a JSON Schema");
}

/* `think` is a boolean or a level. */
static void read_think(const struct gs_json *body, struct gs_chat *chat)
{
    const struct gs_json *think = gs_json_get(body, "think");

    if (think && think->kind == GS_JSON_BOOL)
        chat->thinking = think->u.boolean ? GS_THINKING_ON : GS_THINKING_OFF;
    else
        gs_dialect_set_effort(chat, gs_dialect_peek_string(body, "think"));
}

static void read_logprobs(struct gs_dialect_reader *r, const struct gs_json *body,
                          struct gs_chat *chat)
{
    int64_t top = 0;

    gs_dialect_get_bool(r, body, "logprobs", &chat->logprobs);
    gs_dialect_get_int(r, body, "top_logprobs", 0, MAX_TOP_LOGPROBS, &top);
    chat->n_top_logprobs = (int32_t)top;
}

/* ---- how long a model stays ---- */

/* The unit a duration's number is followed by, in milliseconds, or 0. */
static double take_unit(struct gs_slice *s)
{
    static const struct {
        struct gs_slice name;
        double ms;
    } units[] = {{GS_SLICE_LIT("ns"), 1e-6}, {GS_SLICE_LIT("us"), 1e-3}, {GS_SLICE_LIT("ms"), 1},
                 {GS_SLICE_LIT("s"), 1e3},   {GS_SLICE_LIT("m"), 6e4},   {GS_SLICE_LIT("h"), 36e5}};

    for (size_t i = 0; i < GS_COUNT_OF(units); i++) {
        if (gs_slice_starts(*s, units[i].name)) {
            *s = gs_slice_sub(*s, units[i].name.len, s->len);
            return units[i].ms;
        }
    }
    return 0;
}

/* "5m", "1h30m", "-1s", as Go spells durations; or a number of seconds. */
static bool parse_duration(struct gs_slice s, double *out_ms)
{
    const bool is_negative = gs_slice_starts(s, GS_SLICE_LIT("-"));
    double sum = 0;
    double seconds;

    if (gs_slice_to_double(s, &seconds)) {
        *out_ms = seconds * 1e3;
        return true;
    }
    s = gs_slice_sub(s, is_negative ? 1 : 0, s.len);
    if (s.len == 0)
        return false;
    while (s.len > 0) {
        size_t n = 0;
        double number;
        while (n < s.len && (s.ptr[n] == '.' || (s.ptr[n] >= '0' && s.ptr[n] <= '9')))
            n++;
        if (!gs_slice_to_double(gs_slice_sub(s, 0, n), &number))
            return false;
        s = gs_slice_sub(s, n, s.len);
        const double unit = take_unit(&s);
        if (unit <= 0)
            return false;
        sum += number * unit;
    }
    *out_ms = is_negative ? -sum : sum;
    return true;
}

void gs_dialect_ollama_read_keep(struct gs_dialect_reader *r, const struct gs_json *body,
                                 struct gs_keep *keep)
{
    const struct gs_json *v = gs_json_get(body, "keep_alive");
    double ms = 0;
    bool is_fine = true;

    if (!v || v->kind == GS_JSON_NULL || is_empty_string(v))
        return;
    if (v->kind == GS_JSON_INT)
        ms = (double)v->u.integer * 1e3;
    else if (v->kind == GS_JSON_REAL)
        ms = v->u.real * 1e3;
    else
        is_fine = v->kind == GS_JSON_STRING && parse_duration(v->u.string, &ms);
    if (!is_fine || !isfinite(ms))
        gs_dialect_reader_fail(
            r, "keep_alive: expected seconds, or a duration such as \"5m\" or \"-1s\"");
    keep->is_set = true;
    keep->ms = ms < 0 || ms > MAX_KEEP_MS ? -1 : (int64_t)ms;
}

/* Nothing is asked: the model is to be there, or to go. */
static struct gs_errand *errand_of(struct gs_dialect_reader *r, const struct gs_chat *chat)
{
    struct gs_errand *e = gs_arena_alloc(r->a, sizeof(*e));

    if (!e) {
        gs_dialect_reader_nomem(r);
        return NULL;
    }
    *e = (struct gs_errand){
        .kind = chat->keep.is_set && chat->keep.ms == 0 ? GS_ERRAND_CLOSE : GS_ERRAND_OPEN,
        .arena = r->a,
        .model = chat->model,
        .keep = chat->keep,
    };
    return e;
}

enum gs_status gs_dialect_ollama_read(struct gs_chat *out_chat, struct gs_dialect_context *out_ctx,
                                      struct gs_slice text, const char *path, struct gs_arena *a,
                                      struct gs_error *err)
{
    struct gs_dialect_reader r = {.a = a, .err = err};
    struct gs_chat chat = {0};
    struct gs_dialect_context ctx = {.stream = true};
    struct gs_json body;

    enum gs_status st = gs_dialect_parse(text, a, &body, err);
    if (st != GS_OK)
        return st;
    ctx.is_generate = gs_slice_ends(gs_slice_str(path), GS_SLICE_LIT("/generate"));
    gs_dialect_get_string(&r, &body, "model", &chat.model);
    if (!chat.model.len)
        gs_dialect_reader_fail(&r, "model: a model must be named");
    if (ctx.is_generate)
        read_generate(&r, &body, &chat);
    else
        read_chat(&r, &body, &chat);
    read_options(&r, gs_json_get(&body, "options"), &chat);
    read_think(&body, &chat);
    read_format(&r, &body, &chat);
    read_logprobs(&r, &body, &chat);
    gs_dialect_ollama_read_keep(&r, &body, &chat.keep);
    gs_dialect_get_bool(&r, &body, "stream", &ctx.stream);
    st = gs_dialect_reader_finish(&r, &chat);
    if (st != GS_OK)
        return st;
    if (chat.n_messages == 0 && chat.raw_prompt.len == 0)
        ctx.errand = errand_of(&r, &chat);
    ctx.model = chat.model;
    chat.stream = ctx.stream;
    *out_chat = chat;
    *out_ctx = ctx;
    return r.status;
}
