/* Small pieces of JSON that several dialects spell alike. */
#include "dialect/writer.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/limits.h"
#include "base/slice.h"
#include "dialect/dialect.h"
#include "json/json.h"

void gs_dialect_writer_ready(struct gs_buf *b)
{
    if (b->max == 0)
        gs_buf_init(b, GS_MAX_RESPONSE_BYTES);
}

void gs_dialect_writer_check(const struct gs_buf *state, struct gs_buf *b)
{
    if (!gs_buf_ok(state))
        b->failed = true;
}

static void take_name(struct gs_buf *name, struct gs_slice s, struct gs_buf *b)
{
    if (!s.len)
        return;
    gs_dialect_writer_ready(name);
    gs_buf_reset(name);
    gs_buf_slice(name, s);
    gs_dialect_writer_check(name, b);
}

void gs_dialect_names_take(struct gs_dialect_names *n, const struct gs_event *start,
                           struct gs_buf *b)
{
    take_name(&n->id, start->answer_id, b);
    take_name(&n->model, start->model, b);
}

void gs_dialect_names_clear(struct gs_dialect_names *n)
{
    gs_buf_clear(&n->id);
    gs_buf_clear(&n->model);
}

void gs_dialect_write_id(struct gs_buf *b, const struct gs_dialect_names *n,
                         const struct gs_dialect_context *ctx, const char *prefix)
{
    const struct gs_slice tail = gs_dialect_id_tail(ctx->request_id);

    if (n->id.len)
        gs_json_write_string(b, gs_buf_view(&n->id));
    else
        gs_buf_printf(b, "\"%s%.*s\"", prefix, (int)tail.len, tail.ptr);
}

void gs_dialect_write_model(struct gs_buf *b, const struct gs_dialect_names *n,
                            const struct gs_dialect_context *ctx)
{
    gs_dialect_write_member(b, "model", n->model.len ? gs_buf_view(&n->model) : ctx->model);
}

void gs_dialect_write_member(struct gs_buf *b, const char *key, struct gs_slice value)
{
    gs_buf_printf(b, "\"%s\":", key);
    gs_json_write_string(b, value);
}

void gs_dialect_write_object(struct gs_buf *b, struct gs_slice text)
{
    struct gs_arena a;
    struct gs_json v;

    if (text.len == 0) {
        gs_buf_puts(b, "{}");
        return;
    }
    gs_arena_init(&a, GS_MAX_TEXT_BYTES);
    const enum gs_status st = gs_json_parse(text, &a, &v, NULL);
    if (st == GS_OK && v.kind == GS_JSON_OBJECT) {
        gs_json_write(b, &v);
    } else if (st == GS_ENOMEM) {
        b->failed = true;
    } else {
        gs_buf_putc(b, '{');
        gs_dialect_write_member(b, "arguments", text);
        gs_buf_putc(b, '}');
    }
    gs_arena_clear(&a);
}

struct gs_slice gs_dialect_id_tail(struct gs_slice request_id)
{
    const size_t bar = gs_slice_find(request_id, GS_SLICE_LIT("_"), 0);

    return bar == SIZE_MAX ? request_id : gs_slice_sub(request_id, bar + 1, request_id.len);
}

void gs_dialect_write_base64(struct gs_buf *b, const void *p, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *in = p;
    char *out = gs_buf_reserve(b, (n + 2) / 3 * 4);

    if (!out)
        return;
    for (size_t i = 0; i < n; i += 3) {
        const size_t left = n - i;
        const uint32_t bits = (uint32_t)in[i] << 16 | (left > 1 ? (uint32_t)in[i + 1] << 8 : 0) |
                              (left > 2 ? in[i + 2] : 0);
        *out++ = digits[bits >> 18];
        *out++ = digits[bits >> 12 & 63];
        *out++ = left > 1 ? digits[bits >> 6 & 63] : '=';
        *out++ = left > 2 ? digits[bits & 63] : '=';
    }
    gs_buf_grow(b, (n + 2) / 3 * 4);
}

static void write_token(struct gs_buf *b, int32_t id, struct gs_slice text, float logprob,
                        bool with_ids)
{
    if (with_ids)
        gs_buf_printf(b, "\"id\":%d,", id);
    gs_dialect_write_member(b, "token", text);
    gs_buf_puts(b, ",\"logprob\":");
    gs_json_write_double(b, (double)logprob);
    gs_buf_puts(b, ",\"bytes\":[");
    for (size_t i = 0; i < text.len; i++)
        gs_buf_printf(b, "%s%u", i ? "," : "", (unsigned)(unsigned char)text.ptr[i]);
    gs_buf_putc(b, ']');
}

void gs_dialect_write_logprobs(struct gs_buf *b, const struct gs_event *ev, bool with_ids)
{
    for (size_t i = 0; i < ev->n_logprob; i++) {
        const struct gs_logprob *lp = &ev->logprob[i];
        gs_buf_puts(b, i ? ",{" : "{");
        write_token(b, lp->token, lp->text, lp->logprob, with_ids);
        gs_buf_puts(b, ",\"top_logprobs\":[");
        for (size_t t = 0; t < lp->n_top; t++) {
            gs_buf_puts(b, t ? ",{" : "{");
            write_token(b, lp->top[t].token, lp->top[t].text, lp->top[t].logprob, with_ids);
            gs_buf_putc(b, '}');
        }
        gs_buf_puts(b, "]}");
    }
}

void gs_dialect_write_tokens(struct gs_buf *b, const int32_t *tokens, size_t n)
{
    gs_buf_putc(b, '[');
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            gs_buf_putc(b, ',');
        gs_buf_int(b, tokens[i]);
    }
    gs_buf_putc(b, ']');
}

void gs_dialect_put_signature(struct gs_buf *b, struct gs_slice signature,
                              struct gs_slice reasoning)
{
    gs_buf_slice(b, GS_DIALECT_SIGNATURE);
    gs_dialect_write_base64(b, signature.ptr, signature.len);
    gs_buf_putc(b, '.');
    gs_dialect_write_base64(b, reasoning.ptr, reasoning.len);
}

void gs_dialect_write_signature(struct gs_buf *b, struct gs_slice signature,
                                struct gs_slice reasoning)
{
    gs_buf_putc(b, '"');
    gs_dialect_put_signature(b, signature, reasoning);
    gs_buf_putc(b, '"');
}

void gs_dialect_write_words(struct gs_buf *b, const struct gs_error *err)
{
    char words[GS_ERROR_MSG_BYTES + GS_ERROR_HINT_BYTES + 2];

    snprintf(words, sizeof(words), "%s%s%s", err->msg, err->hint[0] ? ". " : "", err->hint);
    gs_json_write_string(b, gs_slice_str(words));
}
