/* What hearing all APIs shares: blocks that follow each other, usage, log-probabilities.
 *
 * A custom tool's input is any text; here a call's arguments are JSON, so such a text is told as
 * the member `input` of an object, piece by piece. */
#include "dialect/hearing.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/slice.h"
#include "dialect/reader.h"
#include "dialect/refusal.h"

#define MAX_NAME_BYTES 256 /* of what a server calls its answer and its model */
#define MAX_TOP        32  /* alternatives to a token */
#define MAX_COUNT      ((int64_t)1 << 48)

void gs_dialect_hear_open(struct gs_dialect_heard *h, gs_event_fn *on_event, void *ud,
                          enum gs_fault *out_fault, struct gs_error *err)
{
    h->on_event = on_event;
    h->ud = ud;
    h->out_fault = out_fault;
    h->err = err;
    h->effect = GS_DIALECT_NOTHING;
    h->has_told = false;
    h->frame.max_bytes = GS_MAX_TEXT_BYTES;
    gs_arena_reset(&h->frame);
    h->a = &h->frame;
    if (h->stop_sequence.max == 0)
        gs_buf_init(&h->stop_sequence, GS_MAX_TEXT_BYTES);
}

void gs_dialect_hear_clear(struct gs_dialect_heard *h)
{
    gs_arena_clear(&h->frame);
    gs_buf_clear(&h->stop_sequence);
}

/* ---- failures ---- */

static void fail(struct gs_dialect_heard *h, enum gs_fault fault)
{
    *h->out_fault = fault;
    h->effect = GS_DIALECT_FAILED;
    h->is_over = true;
    h->has_failed = true;
}

void gs_dialect_hear_fail(struct gs_dialect_heard *h, enum gs_fault fault, enum gs_status st,
                          const char *fmt, ...)
{
    char text[GS_ERROR_MSG_BYTES];
    va_list ap;

    if (h->has_failed)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    gs_error_set(h->err, st, "%s", text);
    fail(h, fault);
}

void gs_dialect_hear_error(struct gs_dialect_heard *h, const struct gs_json *v)
{
    if (!h->has_failed)
        fail(h, gs_dialect_read_error(v, h->err));
}

static void fail_nomem(struct gs_dialect_heard *h)
{
    gs_dialect_hear_fail(h, GS_FAULT_OURS, GS_ENOMEM, "not enough memory to hear an answer");
}

bool gs_dialect_hear_object(struct gs_dialect_heard *h, struct gs_slice data, struct gs_json *out)
{
    const enum gs_status st = gs_json_parse(data, h->a, out, h->err);

    if (data.len == 0) {
        gs_dialect_hear_fail(h, GS_FAULT_EMPTY, GS_EUPSTREAM, "the server answered nothing");
    } else if (st == GS_ENOMEM) {
        fail_nomem(h);
    } else if (st != GS_OK) {
        fail(h, gs_dialect_read_nonsense(data, h->err));
    } else if (out->kind != GS_JSON_OBJECT) {
        gs_dialect_hear_fail(h, GS_FAULT_MALFORMED, GS_EUPSTREAM,
                             "the server's answer: expected an object, found %s",
                             gs_json_kind_name(out->kind));
    }
    return !h->has_failed;
}

/* ---- events ---- */

static void emit(struct gs_dialect_heard *h, struct gs_event ev)
{
    if (h->has_failed)
        return;
    ev.usage = h->usage;
    ev.n_sent = h->n_sent;
    h->has_told = true;
    h->on_event(h->ud, &ev);
}

static void emit_delta(struct gs_dialect_heard *h, struct gs_slice text,
                       const struct gs_logprob *logprob, size_t n_logprob)
{
    emit(h, (struct gs_event){.kind = GS_EVENT_DELTA,
                              .block = h->block,
                              .block_idx = h->n_blocks - 1,
                              .text = text,
                              .logprob = logprob,
                              .n_logprob = n_logprob});
}

static struct gs_slice name_of(const struct gs_json *v, const char *key)
{
    const struct gs_slice name = gs_dialect_peek_string(v, key);

    return name.len <= MAX_NAME_BYTES ? name : gs_slice(NULL, 0);
}

void gs_dialect_hear_start(struct gs_dialect_heard *h, const struct gs_json *v)
{
    if (h->has_started)
        return;
    h->has_started = true;
    emit(h, (struct gs_event){.kind = GS_EVENT_START,
                              .answer_id = name_of(v, "id"),
                              .model = name_of(v, "model")});
}

void gs_dialect_hear_begin(struct gs_dialect_heard *h, struct gs_event ev)
{
    gs_dialect_hear_end(h, gs_slice(NULL, 0), false);
    ev.kind = GS_EVENT_BEGIN;
    ev.block_idx = h->n_blocks++;
    h->has_block = true;
    h->block = ev.block;
    h->is_custom = false;
    emit(h, ev);
    if (ev.block != GS_BLOCK_TOOL_CALL || h->has_failed)
        return;
    h->has_said = true;
    h->effect = GS_DIALECT_CONTENT;
}

void gs_dialect_hear_custom(struct gs_dialect_heard *h)
{
    emit_delta(h, GS_SLICE_LIT("{\"input\":\""), NULL, 0);
    h->is_custom = true;
}

static void content_is_there(struct gs_dialect_heard *h)
{
    h->has_said |= h->block != GS_BLOCK_REASONING;
    if (h->effect == GS_DIALECT_NOTHING)
        h->effect = GS_DIALECT_CONTENT;
}

/* The text as it stands within a JSON string. */
static struct gs_slice escape(struct gs_dialect_heard *h, struct gs_slice text)
{
    struct gs_slice out = {NULL, 0};
    struct gs_buf b;

    gs_buf_init(&b, GS_MAX_TEXT_BYTES);
    gs_json_write_string(&b, text);
    if (!gs_buf_ok(&b) || !gs_arena_dup(h->a, gs_slice_sub(gs_buf_view(&b), 1, b.len - 1), &out))
        fail_nomem(h);
    gs_buf_clear(&b);
    return out;
}

void gs_dialect_hear_gap(struct gs_dialect_heard *h, bool begins)
{
    emit(h, (struct gs_event){.kind = GS_EVENT_DELTA,
                              .block = h->block,
                              .block_idx = h->n_blocks - 1,
                              .text = gs_slice_str(begins ? "\n\n" : ""),
                              .is_gap = true});
}

void gs_dialect_hear_silence(struct gs_dialect_heard *h)
{
    if (h->n_sent > 0 && h->has_started && !h->has_told && !h->is_over)
        emit(h, (struct gs_event){.kind = GS_EVENT_PROGRESS, .done = 1, .total = 1});
}

void gs_dialect_hear_opened(struct gs_dialect_heard *h)
{
    if (h->is_custom || !h->has_block)
        return;
    emit_delta(h, gs_slice("", 0), NULL, 0);
}

void gs_dialect_hear_end(struct gs_dialect_heard *h, struct gs_slice signature, bool is_whole)
{
    if (!h->has_block)
        return;
    if (h->is_custom)
        emit_delta(h, GS_SLICE_LIT("\"}"), NULL, 0);
    h->is_custom = false;
    h->has_block = false;
    emit(h, (struct gs_event){.kind = GS_EVENT_END,
                              .block = h->block,
                              .block_idx = h->n_blocks - 1,
                              .signature = signature,
                              .is_whole = is_whole});
}

void gs_dialect_hear_pass(struct gs_dialect_heard *h)
{
    gs_dialect_hear_start(h, NULL);
    gs_dialect_hear_end(h, gs_slice(NULL, 0), false);
    emit(h, (struct gs_event){
                .kind = GS_EVENT_PROGRESS, .done = 1, .total = 1, .is_passed_over = true});
}

void gs_dialect_hear_stop(struct gs_dialect_heard *h)
{
    gs_dialect_hear_end(h, gs_slice(NULL, 0), false);
    emit(h, (struct gs_event){.kind = GS_EVENT_STOP,
                              .stop = h->stop,
                              .stop_sequence = gs_buf_view(&h->stop_sequence)});
    if (h->has_failed)
        return;
    h->is_over = true;
    h->effect = GS_DIALECT_END;
}

enum gs_dialect_effect gs_dialect_hear_cut(struct gs_dialect_heard *h)
{
    if (h->has_failed) {
        *h->out_fault = gs_dialect_fault(GS_FAULT_CUT, h->err);
        return GS_DIALECT_FAILED;
    }
    if (h->is_over)
        return GS_DIALECT_END;
    if (h->is_finished)
        gs_dialect_hear_stop(h);
    else if (h->has_frame)
        gs_dialect_hear_fail(h, GS_FAULT_CUT, GS_EUPSTREAM,
                             "the server's answer broke off before its end");
    else
        gs_dialect_hear_fail(h, GS_FAULT_EMPTY, GS_EUPSTREAM, "the server answered nothing");
    return h->effect;
}

/* ---- log-probabilities ---- */

/* What a token is, from its bytes where its text is no whole character. */
static struct gs_slice token_text(struct gs_dialect_heard *h, const struct gs_json *v)
{
    const struct gs_json *bytes = gs_json_get(v, "bytes");
    const size_t n = bytes && bytes->kind == GS_JSON_ARRAY ? bytes->u.array.len : 0;
    char *text = n > 0 ? gs_arena_alloc(h->a, n) : NULL;

    if (n == 0)
        return gs_dialect_peek_string(v, "token");
    if (!text) {
        fail_nomem(h);
        return gs_slice(NULL, 0);
    }
    for (size_t i = 0; i < n; i++) {
        const struct gs_json *byte = &bytes->u.array.items[i];
        if (byte->kind != GS_JSON_INT || byte->u.integer < 0 || byte->u.integer > 255)
            return gs_dialect_peek_string(v, "token");
        text[i] = (char)byte->u.integer;
    }
    return gs_slice(text, n);
}

static float logprob_of(const struct gs_json *v)
{
    double x = 0;

    return gs_json_get_double(v, "logprob", &x, NULL) ? (float)x : 0;
}

static void read_top(struct gs_dialect_heard *h, const struct gs_json *list, struct gs_logprob *lp)
{
    const size_t n =
        list && list->kind == GS_JSON_ARRAY ? GS_MIN(list->u.array.len, (size_t)MAX_TOP) : 0;
    struct gs_top_logprob *top = gs_arena_array(h->a, n, sizeof(*top));

    if (!top) {
        fail_nomem(h);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const struct gs_json *v = &list->u.array.items[i];
        top[i] = (struct gs_top_logprob){
            .token = (int32_t)i, .logprob = logprob_of(v), .text = token_text(h, v)};
    }
    lp->top = top;
    lp->n_top = n;
}

/* Tokens have no numbers in these APIs: those of a list are told apart by their place, and the one
 * that was taken is not among them, but for its text. */
static const struct gs_logprob *read_logprobs(struct gs_dialect_heard *h,
                                              const struct gs_json *list, size_t *out_n)
{
    const size_t n = list && list->kind == GS_JSON_ARRAY ? list->u.array.len : 0;
    struct gs_logprob *out = n > 0 ? gs_arena_array(h->a, n, sizeof(*out)) : NULL;

    *out_n = 0;
    if (n > 0 && !out)
        fail_nomem(h);
    for (size_t i = 0; out && i < n && !h->has_failed; i++) {
        const struct gs_json *v = &list->u.array.items[i];
        out[i].logprob = logprob_of(v);
        out[i].text = token_text(h, v);
        read_top(h, gs_json_get(v, "top_logprobs"), &out[i]);
        out[i].token = -1;
        for (size_t t = 0; t < out[i].n_top; t++) {
            if (gs_slice_eq(out[i].top[t].text, out[i].text))
                out[i].token = out[i].top[t].token;
        }
        *out_n = i + 1;
    }
    return out;
}

void gs_dialect_hear_delta(struct gs_dialect_heard *h, struct gs_slice text,
                           const struct gs_json *logprobs)
{
    size_t n_logprob;

    if (!text.len || h->has_failed)
        return;
    if (h->is_custom)
        text = escape(h, text);
    const struct gs_logprob *logprob = read_logprobs(h, logprobs, &n_logprob);
    emit_delta(h, text, logprob, n_logprob);
    content_is_there(h);
}

void gs_dialect_hear_text(struct gs_dialect_heard *h, enum gs_block_kind kind, struct gs_slice text,
                          const struct gs_json *logprobs)
{
    if (!text.len)
        return;
    if (!h->has_block || h->block != kind)
        gs_dialect_hear_begin(h, (struct gs_event){.block = kind});
    gs_dialect_hear_delta(h, text, logprobs);
}

struct gs_slice gs_dialect_hear_args(struct gs_dialect_heard *h, const struct gs_json *args)
{
    struct gs_slice text = {NULL, 0};
    struct gs_buf b;

    if (!args || args->kind == GS_JSON_STRING)
        return args ? args->u.string : text;
    if (args->kind != GS_JSON_OBJECT)
        return text;
    gs_buf_init(&b, GS_MAX_TEXT_BYTES);
    gs_json_write(&b, args);
    if (!gs_buf_ok(&b) || !gs_arena_dup(h->a, gs_buf_view(&b), &text))
        fail_nomem(h);
    gs_buf_clear(&b);
    return text;
}

/* ---- usage ---- */

void gs_dialect_hear_count(const struct gs_json *v, const char *key, int64_t *out)
{
    int64_t n = *out;

    if (gs_json_get_int(v, key, &n, NULL) && n >= 0)
        *out = GS_MIN(n, MAX_COUNT);
}

void gs_dialect_hear_usage(struct gs_dialect_heard *h, const struct gs_json *usage)
{
    struct gs_usage u = {.prompt_tokens = 0};

    if (!usage || usage->kind != GS_JSON_OBJECT)
        return;
    gs_dialect_hear_count(usage, "prompt_tokens", &u.prompt_tokens);
    gs_dialect_hear_count(usage, "input_tokens", &u.prompt_tokens);
    gs_dialect_hear_count(usage, "completion_tokens", &u.answer_tokens);
    gs_dialect_hear_count(usage, "output_tokens", &u.answer_tokens);
    gs_dialect_hear_count(usage, "cached_tokens", &u.cached_tokens);           /* Moonshot */
    gs_dialect_hear_count(usage, "prompt_cache_hit_tokens", &u.cached_tokens); /* DeepSeek */
    gs_dialect_hear_count(gs_json_get(usage, "prompt_tokens_details"), "cached_tokens",
                          &u.cached_tokens);
    gs_dialect_hear_count(gs_json_get(usage, "input_tokens_details"), "cached_tokens",
                          &u.cached_tokens);
    gs_dialect_hear_count(gs_json_get(usage, "completion_tokens_details"), "reasoning_tokens",
                          &u.reasoning_tokens);
    gs_dialect_hear_count(gs_json_get(usage, "output_tokens_details"), "reasoning_tokens",
                          &u.reasoning_tokens);
    gs_dialect_hear_count(gs_json_get(usage, "prompt_tokens_details"), "cache_write_tokens",
                          &u.cache_write_tokens); /* OpenRouter */
    gs_dialect_hear_count(gs_json_get(usage, "input_tokens_details"), "cache_write_tokens",
                          &u.cache_write_tokens);
    u.cached_tokens = GS_MIN(u.cached_tokens, u.prompt_tokens);
    u.cache_write_tokens = GS_MIN(u.cache_write_tokens, u.prompt_tokens - u.cached_tokens);
    h->usage = u;
}
