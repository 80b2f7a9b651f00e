/* llama-server, completions: POST /completion (/completions) and /infill
 * (https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md). The prompt is a text,
 * tokens, or both mixed; no template is used. Slots are genset's own business, and so is the cache.
 * What lies before the two texts of /infill (input_extra) is written as that server does for models
 * without marks for files. */
#include "dialect/llama.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/slice.h"
#include "dialect/openai_chat.h"
#include "dialect/reader.h"

#define MAX_PARTS  4096
#define MAX_PROBS  20
#define MAX_EXTRA  256
#define MAX_BIASES 1024
#define BIAS_NEVER (-100.0f)
#define SNIPPET    "\n\n--- snippet ---\n\n"

/* ---- prompts ---- */

static void read_part(struct gs_dialect_reader *r, const struct gs_json *v, size_t idx,
                      struct gs_embed_input *out)
{
    int32_t *token;

    if (v->kind == GS_JSON_STRING) {
        *out = (struct gs_embed_input){.text = v->u.string};
        return;
    }
    token = gs_arena_alloc(r->a, sizeof(*token));
    if (!token) {
        gs_dialect_reader_nomem(r);
    } else if (v->kind != GS_JSON_INT || v->u.integer < 0 || v->u.integer > INT32_MAX) {
        gs_dialect_reader_fail(r, "prompt[%zu]: expected a text or a token", idx);
    } else {
        *token = (int32_t)v->u.integer;
        *out = (struct gs_embed_input){.tokens = token, .n_tokens = 1};
    }
}

static bool has_kind(const struct gs_json *list, enum gs_json_kind kind)
{
    for (size_t i = 0; i < list->u.array.len; i++) {
        if (list->u.array.items[i].kind == kind)
            return true;
    }
    return false;
}

/* Tokens; or texts and tokens, of which there must be one, for texts alone are several prompts. */
static void read_list(struct gs_dialect_reader *r, const struct gs_json *list, struct gs_chat *chat)
{
    const size_t n = list->u.array.len;
    const bool has_text = has_kind(list, GS_JSON_STRING);
    const size_t n_parts = has_text ? n : GS_MIN(n, 1);
    struct gs_embed_input *parts = gs_arena_array(r->a, GS_MAX(n_parts, 1), sizeof(*parts));

    if (!parts) {
        gs_dialect_reader_nomem(r);
        return;
    }
    if ((has_text && !has_kind(list, GS_JSON_INT) && n > 1) || has_kind(list, GS_JSON_ARRAY)) {
        gs_dialect_reader_fail(r, "prompt: ask for several prompts one by one");
        return;
    }
    if (has_text && n > MAX_PARTS) {
        gs_dialect_reader_fail(r, "prompt: %zu parts are more than %d", n, MAX_PARTS);
        return;
    }
    if (!has_text && n > 0)
        gs_dialect_read_tokens(r, list, "prompt", parts);
    for (size_t i = 0; has_text && i < n && r->status == GS_OK; i++)
        read_part(r, &list->u.array.items[i], i, &parts[i]);
    chat->before = parts;
    chat->n_before = n_parts;
}

static void read_prompt(struct gs_dialect_reader *r, const struct gs_json *body,
                        struct gs_chat *chat)
{
    const struct gs_json *prompt = gs_json_get(body, "prompt");

    if (prompt && prompt->kind == GS_JSON_OBJECT) {
        if (gs_dialect_has(prompt, "multimodal_data"))
            gs_dialect_reader_fail(r, "prompt.multimodal_data: models here read text only");
        gs_dialect_get_string(r, prompt, "prompt_string", &chat->raw_prompt);
    } else if (prompt && prompt->kind == GS_JSON_ARRAY) {
        read_list(r, prompt, chat);
    } else {
        gs_dialect_get_string(r, body, "prompt", &chat->raw_prompt);
        if (!prompt)
            gs_dialect_reader_fail(r, "prompt: a text or tokens are needed");
    }
}

/* ---- infill ---- */

static void read_extra(struct gs_dialect_reader *r, const struct gs_json *body,
                       struct gs_chat *chat)
{
    const struct gs_json *extra = gs_dialect_get_array(r, body, "input_extra");
    const size_t n = extra ? extra->u.array.len : 0;
    struct gs_embed_input *before = n ? gs_arena_alloc(r->a, sizeof(*before)) : NULL;
    struct gs_buf b;

    if (n == 0)
        return;
    if (!before) {
        gs_dialect_reader_nomem(r);
        return;
    }
    if (n > MAX_EXTRA)
        gs_dialect_reader_fail(r, "input_extra: %zu texts are more than %d", n, MAX_EXTRA);
    gs_buf_init(&b, GS_MAX_PROMPT_BYTES);
    for (size_t i = 0; i < n && r->status == GS_OK; i++) {
        struct gs_slice text = {NULL, 0};
        gs_dialect_get_string(r, &extra->u.array.items[i], "text", &text);
        gs_dialect_reader_at(r, "input_extra", i);
        gs_buf_puts(&b, SNIPPET);
        gs_buf_slice(&b, text);
    }
    gs_buf_puts(&b, SNIPPET);
    before->text = gs_dialect_keep(r, &b);
    gs_buf_clear(&b);
    chat->before = before;
    chat->n_before = 1;
}

/* `prompt` is what stands on the line of the cursor: the prefix goes on with it. */
static void read_infill(struct gs_dialect_reader *r, const struct gs_json *body,
                        struct gs_chat *chat)
{
    struct gs_slice prefix = {NULL, 0};
    struct gs_slice prompt = {NULL, 0};
    struct gs_buf b;

    if (!gs_dialect_has(body, "input_prefix") || !gs_dialect_has(body, "input_suffix"))
        gs_dialect_reader_fail(r, "input_prefix, input_suffix: both texts are needed");
    gs_dialect_get_string(r, body, "input_prefix", &prefix);
    gs_dialect_get_string(r, body, "input_suffix", &chat->raw_suffix);
    gs_dialect_get_string(r, body, "prompt", &prompt);
    gs_buf_init(&b, GS_MAX_PROMPT_BYTES);
    gs_buf_slice(&b, prefix);
    gs_buf_slice(&b, prompt);
    chat->raw_prompt = gs_dialect_keep(r, &b);
    gs_buf_clear(&b);
    chat->has_suffix = true;
    read_extra(r, body, chat);
}

/* ---- settings ---- */

/* false is never, true is nothing. */
static bool bias_of(const struct gs_json *v, float *out)
{
    switch (v->kind) {
    case GS_JSON_BOOL:
        *out = v->u.boolean ? 0 : BIAS_NEVER;
        return true;
    case GS_JSON_INT:
        *out = (float)GS_MAX(-100, GS_MIN(v->u.integer, 100));
        return true;
    case GS_JSON_REAL:
        *out = (float)GS_MAX(-100.0, GS_MIN(v->u.real, 100.0));
        return true;
    case GS_JSON_NULL:
    case GS_JSON_STRING:
    case GS_JSON_ARRAY:
    case GS_JSON_OBJECT:
        break;
    }
    return false;
}

static bool read_bias(const struct gs_json *item, struct gs_logit_bias *out)
{
    if (item->kind != GS_JSON_ARRAY || item->u.array.len != 2)
        return false;
    const struct gs_json *token = &item->u.array.items[0];
    if (token->kind != GS_JSON_INT || token->u.integer < 0 || token->u.integer > INT32_MAX)
        return false;
    out->token = (int32_t)token->u.integer;
    return bias_of(&item->u.array.items[1], &out->bias);
}

/* [[15043, 1.5], [263, false]]; as an object it is read as OpenAI's. */
static void read_biases(struct gs_dialect_reader *r, const struct gs_json *body,
                        struct gs_sampling *s)
{
    const struct gs_json *list = gs_json_get(body, "logit_bias");
    const size_t n = list && list->kind == GS_JSON_ARRAY ? list->u.array.len : 0;
    struct gs_logit_bias *out = n && n <= MAX_BIASES ? gs_arena_array(r->a, n, sizeof(*out)) : NULL;

    if (n == 0)
        return;
    if (n > MAX_BIASES)
        gs_dialect_reader_fail(r, "logit_bias: %zu tokens are more than %d", n, MAX_BIASES);
    else if (!out)
        gs_dialect_reader_nomem(r);
    for (size_t i = 0; out && i < n && r->status == GS_OK; i++) {
        if (!read_bias(&list->u.array.items[i], &out[i]))
            gs_dialect_reader_fail(r, "logit_bias[%zu]: expected a token and a number or false", i);
    }
    s->logit_bias = out;
    s->n_logit_bias = out ? n : 0;
}

/* What is not said is as llama-server's own defaults have it. */
static void read_sampling(struct gs_dialect_reader *r, const struct gs_json *body,
                          struct gs_sampling *s)
{
    int64_t top_k = 40;
    int64_t last_n = 64;
    int64_t seed = -1;

    gs_sampling_init(s);
    s->temperature = 0.8f;
    s->top_p = 0.95f;
    s->min_p = 0.05f;
    gs_dialect_get_float(r, body, "temperature", -1, 100, &s->temperature);
    gs_dialect_get_float(r, body, "top_p", 0, 1, &s->top_p);
    gs_dialect_get_float(r, body, "min_p", 0, 1, &s->min_p);
    gs_dialect_get_float(r, body, "typical_p", 0, 1, &s->typical_p);
    gs_dialect_get_float(r, body, "repeat_penalty", 0, 10, &s->repeat_penalty);
    gs_dialect_get_float(r, body, "frequency_penalty", -2, 2, &s->frequency_penalty);
    gs_dialect_get_float(r, body, "presence_penalty", -2, 2, &s->presence_penalty);
    gs_dialect_get_int(r, body, "top_k", -1, INT32_MAX, &top_k);
    gs_dialect_get_int(r, body, "repeat_last_n", -1, INT32_MAX, &last_n);
    gs_dialect_get_int(r, body, "seed", INT64_MIN, INT64_MAX, &seed);
    s->temperature = GS_MAX(s->temperature, 0); /* below it is greedy too */
    s->top_k = (int32_t)GS_MAX(top_k, 0);
    s->repeat_last_n = (int32_t)last_n;
    s->has_seed = seed != -1 && seed != UINT32_MAX; /* these draw one */
    s->seed = (uint64_t)seed;
    s->open = gs_dialect_left_open(body);
    read_biases(r, body, s);
}

static void read_settings(struct gs_dialect_reader *r, const struct gs_json *body,
                          struct gs_chat *chat)
{
    int64_t predict = -1;
    int64_t probs = 0;

    read_sampling(r, body, &chat->sampling);
    gs_dialect_get_int(r, body, "max_tokens", -2, INT32_MAX, &predict);
    gs_dialect_get_int(r, body, "n_predict", -2, INT32_MAX, &predict);
    gs_dialect_get_int(r, body, "n_probs", 0, MAX_PROBS, &probs);
    gs_dialect_get_bool(r, body, "return_tokens", &chat->wants_tokens);
    gs_dialect_read_stops(r, body, "stop", chat);
    gs_dialect_openai_read_format(r, body, chat);
    chat->max_tokens = GS_MAX(predict, 0);
    chat->logprobs = probs > 0;
    chat->n_top_logprobs = (int32_t)probs;
}

enum gs_status gs_dialect_llama_read(struct gs_chat *out_chat, struct gs_dialect_context *out_ctx,
                                     struct gs_slice text, const char *path, struct gs_arena *a,
                                     struct gs_error *err)
{
    struct gs_dialect_reader r = {.a = a, .err = err};
    struct gs_dialect_llama_request *q = gs_arena_alloc(a, sizeof(*q));
    struct gs_chat chat = {.is_raw = true};
    struct gs_dialect_context ctx = {.own = q};
    struct gs_json body;

    if (!q)
        return gs_error_nomem(err, "read the request");
    const enum gs_status st = gs_dialect_parse(text, a, &body, err);
    if (st != GS_OK)
        return st;
    gs_dialect_get_string(&r, &body, "model", &chat.model);
    if (gs_slice_eq_str(gs_slice_str(path), "/infill"))
        read_infill(&r, &body, &chat);
    else
        read_prompt(&r, &body, &chat);
    read_settings(&r, &body, &chat);
    gs_dialect_get_bool(&r, &body, "stream", &ctx.stream);
    *q = (struct gs_dialect_llama_request){
        .prompt = chat.raw_prompt,
        .sampling = chat.sampling,
        .n_predict = chat.max_tokens > 0 ? chat.max_tokens : -1,
        .stops = chat.stops,
        .n_stops = chat.n_stops,
        .n_probs = chat.n_top_logprobs,
    };
    ctx.model = chat.model;
    chat.stream = ctx.stream;
    *out_chat = chat;
    *out_ctx = ctx;
    return r.status;
}
