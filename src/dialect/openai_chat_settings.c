/* OpenAI, requests: sampling, formats and streams, as Chat Completions and Completions share them,
 * with what vLLM and llama-server added: top_k, min_p, repetition_penalty; guided_json and its kin,
 * structured_outputs, grammar, json_schema. */
#include "base/error.h"
#include "base/slice.h"
#include "dialect/openai_chat.h"
#include "dialect/reader.h"

#define MAX_LOGIT_BIAS 1024

/* ---- sampling ---- */

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
        gs_dialect_reader_nomem(r);
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

void gs_dialect_openai_read_sampling(struct gs_dialect_reader *r, const struct gs_json *body,
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
    s->open = gs_dialect_left_open(body);
    read_logit_bias(r, body, s);
}

void gs_dialect_openai_read_limit(struct gs_dialect_reader *r, const struct gs_json *body,
                                  const char *key, int64_t *out)
{
    int64_t n = *out > 0 ? *out : -1;

    gs_dialect_get_int(r, body, key, -1, INT32_MAX, &n);
    if (n == 0)
        gs_dialect_reader_fail(r, "%s: expected a whole number from 1 to %d, found 0", key,
                               INT32_MAX);
    *out = GS_MAX(n, 0);
}

/* ---- thinking ---- */

/* A switch, wherever a server's clients came to look for it. */
static void read_switch(const struct gs_json *v, const char *key, struct gs_chat *chat)
{
    const struct gs_json *on = gs_json_get(v, key);

    if (on && on->kind == GS_JSON_BOOL)
        chat->thinking = on->u.boolean ? GS_THINKING_ON : GS_THINKING_OFF;
}

/* Tokens of reasoning at most: 0 is none, -1 no limit. */
static void read_budget(struct gs_dialect_reader *r, const struct gs_json *v, const char *key,
                        struct gs_chat *chat)
{
    int64_t n = -1;

    gs_dialect_get_int(r, v, key, -1, INT32_MAX, &n);
    if (n == 0)
        chat->thinking = GS_THINKING_OFF;
    else if (n > 0)
        chat->max_reasoning_tokens = n;
}

void gs_dialect_openai_read_thinking(struct gs_dialect_reader *r, const struct gs_json *body,
                                     struct gs_chat *chat)
{
    const struct gs_json *reasoning = gs_json_get(body, "reasoning");
    const struct gs_json *kwargs = gs_json_get(body, "chat_template_kwargs");
    const struct gs_slice type = gs_dialect_peek_string(gs_json_get(body, "thinking"), "type");

    gs_dialect_set_effort(chat, gs_dialect_peek_string(kwargs, "reasoning_effort"));
    gs_dialect_set_effort(chat, gs_dialect_peek_string(reasoning, "effort"));
    gs_dialect_set_effort(chat, gs_dialect_peek_string(body, "reasoning_effort"));
    read_switch(reasoning, "enabled", chat);
    read_switch(body, "enable_thinking", chat);
    read_switch(kwargs, "enable_thinking", chat);
    read_switch(kwargs, "thinking", chat);
    if (gs_slice_eq_str(type, "enabled") || gs_slice_eq_str(type, "disabled"))
        chat->thinking = gs_slice_eq_str(type, "enabled") ? GS_THINKING_ON : GS_THINKING_OFF;
    read_budget(r, reasoning, "max_tokens", chat);
    read_budget(r, body, "thinking_budget", chat);
    read_budget(r, kwargs, "thinking_budget", chat);
}

/* ---- formats ---- */

enum spelling { AS_SCHEMA, AS_REGEX, AS_GRAMMAR, AS_CHOICE, AS_OBJECT };

static const struct {
    const char *in, *key; /* in = NULL: the body */
    enum spelling as;
} spellings[] = {
    {NULL, "guided_json", AS_SCHEMA},
    {NULL, "guided_regex", AS_REGEX},
    {NULL, "guided_grammar", AS_GRAMMAR},
    {NULL, "guided_choice", AS_CHOICE},
    {"structured_outputs", "json", AS_SCHEMA},
    {"structured_outputs", "regex", AS_REGEX},
    {"structured_outputs", "grammar", AS_GRAMMAR},
    {"structured_outputs", "choice", AS_CHOICE},
    {"structured_outputs", "json_object", AS_OBJECT},
    {NULL, "json_schema", AS_SCHEMA},
    {NULL, "grammar", AS_GRAMMAR},
};

/* A text as GBNF has it in quotes. */
static void quote(struct gs_buf *b, struct gs_slice s)
{
    gs_buf_putc(b, '"');
    for (size_t i = 0; i < s.len; i++) {
        const unsigned char c = (unsigned char)s.ptr[i];
        if (c == '"' || c == '\\')
            gs_buf_printf(b, "\\%c", c);
        else if (c < ' ')
            gs_buf_printf(b, "\\x%02X", c);
        else
            gs_buf_putc(b, (char)c);
    }
    gs_buf_putc(b, '"');
}

static void set_choice(struct gs_dialect_reader *r, struct gs_chat *chat,
                       const struct gs_json *list, const char *key)
{
    const size_t n = list->kind == GS_JSON_ARRAY ? list->u.array.len : 0;
    struct gs_buf b;

    gs_buf_init(&b, SIZE_MAX / 2);
    gs_buf_puts(&b, "root ::=");
    for (size_t i = 0; i < n; i++) {
        const struct gs_json *s = &list->u.array.items[i];
        if (s->kind != GS_JSON_STRING)
            gs_dialect_reader_fail(r, "%s[%zu]: expected a string, found %s", key, i,
                                   gs_json_kind_name(s->kind));
        gs_buf_puts(&b, i ? " | " : " ");
        quote(&b, s->kind == GS_JSON_STRING ? s->u.string : gs_slice(NULL, 0));
    }
    if (n == 0)
        gs_dialect_reader_fail(r, "%s: expected an array of strings", key);
    chat->format = (struct gs_format){GS_FORMAT_GBNF, gs_dialect_keep(r, &b)};
    gs_buf_clear(&b);
}

static void set_text(struct gs_dialect_reader *r, struct gs_chat *chat, enum gs_format_kind kind,
                     const struct gs_json *v, const char *key)
{
    if (v->kind == GS_JSON_STRING)
        chat->format = (struct gs_format){kind, v->u.string};
    else
        gs_dialect_reader_fail(r, "%s: expected a string, found %s", key,
                               gs_json_kind_name(v->kind));
}

static void set_spelled(struct gs_dialect_reader *r, struct gs_chat *chat, enum spelling as,
                        const struct gs_json *v, const char *key)
{
    switch (as) {
    case AS_SCHEMA:
        if (v->kind == GS_JSON_STRING)
            set_text(r, chat, GS_FORMAT_SCHEMA, v, key);
        else
            gs_dialect_set_schema(r, chat, v);
        break;
    case AS_REGEX:
        set_text(r, chat, GS_FORMAT_REGEX, v, key);
        break;
    case AS_GRAMMAR:
        set_text(r, chat, GS_FORMAT_GBNF, v, key);
        break;
    case AS_CHOICE:
        set_choice(r, chat, v, key);
        break;
    case AS_OBJECT:
        if (v->kind == GS_JSON_BOOL && v->u.boolean)
            gs_dialect_set_schema(r, chat, NULL);
        break;
    }
}

static void read_response_format(struct gs_dialect_reader *r, const struct gs_json *body,
                                 struct gs_chat *chat)
{
    const struct gs_json *format = gs_json_get(body, "response_format");
    const struct gs_slice type = gs_dialect_peek_string(format, "type");
    const struct gs_json *schema = gs_json_get(gs_json_get(format, "json_schema"), "schema");

    if (!schema) /* as llama-server has it */
        schema = gs_json_get(format, "schema");
    if (gs_slice_eq_str(type, "json_schema") && !schema)
        gs_dialect_reader_fail(r, "response_format.json_schema.schema: a schema is needed");
    else if (gs_slice_eq_str(type, "json_schema") || gs_slice_eq_str(type, "json_object"))
        gs_dialect_set_schema(r, chat, schema);
    else if (type.len && !gs_slice_eq_str(type, "text"))
        gs_dialect_reader_fail(r,
                               "response_format.type: expected text, json_object or json_schema, "
                               "found \"%.*s\"",
                               (int)GS_MIN(type.len, (size_t)100), type.ptr);
}

void gs_dialect_openai_read_format(struct gs_dialect_reader *r, const struct gs_json *body,
                                   struct gs_chat *chat)
{
    const char *first = "response_format";

    read_response_format(r, body, chat);
    for (size_t i = 0; i < GS_COUNT_OF(spellings) && r->status == GS_OK; i++) {
        const char *key = spellings[i].key;
        const struct gs_json *in = spellings[i].in ? gs_json_get(body, spellings[i].in) : body;
        const struct gs_json *v = gs_json_get(in, key);
        const bool was_set = chat->format.kind != GS_FORMAT_TEXT;
        if (!gs_dialect_has(in, key) || (v->kind == GS_JSON_STRING && v->u.string.len == 0))
            continue;
        if (was_set)
            gs_dialect_reader_fail(r, "%s: the answer has a format by \"%s\" already", key, first);
        first = key;
        set_spelled(r, chat, spellings[i].as, v, key);
    }
}

/* ---- streams ---- */

void gs_dialect_openai_read_stream(struct gs_dialect_reader *r, const struct gs_json *body,
                                   struct gs_dialect_context *ctx,
                                   struct gs_dialect_openai_request *q)
{
    const struct gs_json *options = gs_json_get(body, "stream_options");

    gs_dialect_get_bool(r, body, "stream", &ctx->stream);
    ctx->include_usage = gs_dialect_peek_bool(options, "include_usage");
    q->usage_always = gs_dialect_peek_bool(options, "continuous_usage_stats");
}
