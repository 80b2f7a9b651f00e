/* OpenAI Completions, answers: the text of each choice, streamed in chunks that come mixed
 * (https://platform.openai.com/docs/api-reference/completions/object). Log-probabilities are four
 * lists side by side; offsets count characters of the answer's text. */
#include "base/limits.h"
#include "base/slice.h"
#include "dialect/openai_completions.h"
#include "dialect/writer.h"
#include "json/json.h"

/* Items of the four lists, comma-separated. */
struct logprobs {
    struct gs_buf tokens, values, tops, offsets;
};

struct choice {
    struct gs_buf text;       /* not streamed: so far */
    struct logprobs logprobs; /* not streamed: so far; streamed: of a chunk */
    uint64_t n_chars;         /* of the tokens so far */
    bool has_begun, has_stopped;
    enum gs_stop_reason stop;
};

struct answer {
    struct gs_dialect_names names;
    struct choice choices[GS_MAX_ANSWERS];
};

static const struct gs_dialect_openai_completion *request_of(const struct gs_dialect_context *ctx)
{
    static const struct gs_dialect_openai_completion plain = {.n_each = 1};

    return ctx->own ? ctx->own : &plain;
}

/* What the answer begins with. */
static struct gs_slice echo_of(const struct gs_dialect_context *ctx, uint32_t idx)
{
    const struct gs_dialect_openai_completion *q = request_of(ctx);

    return q->echo ? q->echo[idx / q->n_each] : gs_slice(NULL, 0);
}

static const char *finish_reason(enum gs_stop_reason stop)
{
    return stop == GS_STOP_LENGTH || stop == GS_STOP_CONTEXT ? "length"
           : stop == GS_STOP_REFUSAL                         ? "content_filter"
                                                             : "stop";
}

/* ---- log-probabilities ---- */

static void put_comma(struct gs_buf *b)
{
    if (b->len > 0)
        gs_buf_putc(b, ',');
}

/* A token's text; of one that is not whole characters its bytes, so that tokens stay distinct. */
static void write_token(struct gs_buf *b, struct gs_slice text)
{
    if (gs_utf8_valid(text)) {
        gs_json_write_string(b, text);
        return;
    }
    gs_buf_puts(b, "\"bytes:");
    for (size_t i = 0; i < text.len; i++)
        gs_buf_printf(b, "\\\\x%02x", (unsigned)(unsigned char)text.ptr[i]);
    gs_buf_putc(b, '"');
}

static void write_pair(struct gs_buf *b, struct gs_slice text, float logprob)
{
    write_token(b, text);
    gs_buf_putc(b, ':');
    gs_json_write_double(b, (double)logprob);
}

/* The alternatives, and the token itself where it is none of them. */
static void write_top(struct gs_buf *b, const struct gs_logprob *lp)
{
    bool is_among = false;

    gs_buf_putc(b, '{');
    for (size_t i = 0; i < lp->n_top; i++) {
        gs_buf_puts(b, i ? "," : "");
        write_pair(b, lp->top[i].text, lp->top[i].logprob);
        is_among |= lp->top[i].token == lp->token;
    }
    if (!is_among) {
        gs_buf_puts(b, lp->n_top ? "," : "");
        write_pair(b, lp->text, lp->logprob);
    }
    gs_buf_putc(b, '}');
}

static uint64_t count_chars(struct gs_slice s)
{
    uint64_t n = 0;

    for (size_t i = 0; i < s.len; i++)
        n += ((unsigned char)s.ptr[i] & 0xC0) != 0x80;
    return n;
}

static void add_logprobs(struct choice *c, const struct gs_event *ev)
{
    struct logprobs *l = &c->logprobs;

    for (size_t i = 0; i < ev->n_logprob; i++) {
        const struct gs_logprob *lp = &ev->logprob[i];
        put_comma(&l->tokens);
        write_token(&l->tokens, lp->text);
        put_comma(&l->values);
        gs_json_write_double(&l->values, (double)lp->logprob);
        put_comma(&l->tops);
        write_top(&l->tops, lp);
        put_comma(&l->offsets);
        gs_buf_printf(&l->offsets, "%llu", (unsigned long long)c->n_chars);
        c->n_chars += count_chars(lp->text);
    }
}

static void write_logprobs(struct choice *c, struct gs_buf *b)
{
    const struct logprobs *l = &c->logprobs;
    const struct gs_buf *const lists[] = {&l->tokens, &l->values, &l->tops, &l->offsets};
    static const char *const names[] = {"tokens", "token_logprobs", "top_logprobs", "text_offset"};

    gs_buf_puts(b, ",\"logprobs\":");
    for (size_t i = 0; i < GS_COUNT_OF(lists); i++)
        gs_dialect_writer_check(lists[i], b);
    if (l->tokens.len == 0) {
        gs_buf_puts(b, "null");
        return;
    }
    for (size_t i = 0; i < GS_COUNT_OF(lists); i++) {
        gs_buf_printf(b, "%s\"%s\":[", i ? "," : "{", names[i]);
        gs_buf_slice(b, gs_buf_view(lists[i]));
        gs_buf_putc(b, ']');
    }
    gs_buf_putc(b, '}');
}

static void reset_logprobs(struct choice *c)
{
    gs_buf_reset(&c->logprobs.tokens);
    gs_buf_reset(&c->logprobs.values);
    gs_buf_reset(&c->logprobs.tops);
    gs_buf_reset(&c->logprobs.offsets);
}

/* ---- streamed ---- */

/* A chunk of choice `idx` for `ev`, which may be NULL. */
static void write_chunk(struct answer *s, uint32_t idx, const struct gs_dialect_context *ctx,
                        struct gs_slice text, const struct gs_event *ev, struct gs_buf *b)
{
    struct choice *c = &s->choices[idx];

    gs_buf_puts(b, "data: ");
    gs_dialect_openai_write_head(b, &s->names, ctx, "cmpl-", "text_completion");
    gs_buf_printf(b, ",\"choices\":[{\"index\":%u,", idx);
    gs_dialect_write_member(b, "text", text);
    write_logprobs(c, b);
    reset_logprobs(c);
    gs_buf_puts(b, ",\"finish_reason\":");
    if (ev && ev->kind == GS_EVENT_STOP)
        gs_buf_printf(b, "\"%s\"}]", finish_reason(ev->stop));
    else
        gs_buf_puts(b, "null}]");
    if (ctx->include_usage && ev && request_of(ctx)->common.usage_always) {
        gs_buf_putc(b, ',');
        gs_dialect_openai_write_usage(b, &ev->usage);
    } else if (ctx->include_usage) {
        gs_buf_puts(b, ",\"usage\":null");
    }
    gs_buf_puts(b, "}\n\n");
}

static void stream_stop(struct answer *s, const struct gs_dialect_context *ctx,
                        const struct gs_event *ev, struct gs_buf *b)
{
    write_chunk(s, ev->answer_idx, ctx, gs_slice("", 0), ev, b);
    if (ev->n_left > 0)
        return;
    if (ctx->include_usage) {
        gs_buf_puts(b, "data: ");
        gs_dialect_openai_write_head(b, &s->names, ctx, "cmpl-", "text_completion");
        gs_buf_puts(b, ",\"choices\":[],");
        gs_dialect_openai_write_usage(b, &ev->usage);
        gs_buf_puts(b, "}\n\n");
    }
    gs_buf_puts(b, "data: [DONE]\n\n");
}

static void write_keepalive(void *state, const struct gs_dialect_context *ctx, struct gs_buf *b)
{
    struct answer *s = state;
    uint32_t idx = 0;

    while (s->choices[idx].has_stopped && idx + 1 < GS_COUNT_OF(s->choices))
        idx++; /* nothing follows a finish_reason */
    write_chunk(s, idx, ctx, gs_slice("", 0), NULL, b);
}

/* ---- whole ---- */

static void write_whole(struct answer *s, const struct gs_dialect_context *ctx,
                        const struct gs_event *ev, struct gs_buf *b)
{
    gs_dialect_openai_write_head(b, &s->names, ctx, "cmpl-", "text_completion");
    gs_buf_puts(b, ",\"choices\":[");
    for (unsigned i = 0; i < GS_COUNT_OF(s->choices); i++) {
        struct choice *c = &s->choices[i];
        if (!c->has_stopped)
            continue;
        gs_dialect_writer_check(&c->text, b);
        gs_buf_printf(b, "%s{\"index\":%u,", i ? "," : "", i);
        gs_dialect_write_member(b, "text", gs_buf_view(&c->text));
        write_logprobs(c, b);
        gs_buf_printf(b, ",\"finish_reason\":\"%s\"}", finish_reason(c->stop));
    }
    gs_buf_puts(b, "],");
    gs_dialect_openai_write_usage(b, &ev->usage);
    gs_buf_putc(b, '}');
}

/* ---- the dialect ---- */

static void take_delta(struct answer *s, const struct gs_dialect_context *ctx,
                       const struct gs_event *ev, struct gs_buf *b)
{
    struct choice *c = &s->choices[ev->answer_idx];

    add_logprobs(c, ev);
    if (ctx->stream)
        write_chunk(s, ev->answer_idx, ctx, ev->text, ev, b);
    else
        gs_buf_slice(&c->text, ev->text);
}

static void take_stop(struct answer *s, const struct gs_dialect_context *ctx,
                      const struct gs_event *ev, struct gs_buf *b)
{
    struct choice *c = &s->choices[ev->answer_idx];

    c->stop = ev->stop;
    if (ctx->stream)
        stream_stop(s, ctx, ev, b);
    c->has_stopped = true;
    if (!ctx->stream && ev->n_left == 0)
        write_whole(s, ctx, ev, b);
}

/* Ready the choice's buffers, and put what its text begins with. */
static void begin(struct answer *s, const struct gs_dialect_context *ctx, uint32_t idx,
                  struct gs_buf *b)
{
    struct choice *c = &s->choices[idx];
    const struct gs_slice echo = echo_of(ctx, idx);

    if (c->has_begun)
        return;
    c->has_begun = true;
    gs_dialect_writer_ready(&c->text);
    gs_dialect_writer_ready(&c->logprobs.tokens);
    gs_dialect_writer_ready(&c->logprobs.values);
    gs_dialect_writer_ready(&c->logprobs.tops);
    gs_dialect_writer_ready(&c->logprobs.offsets);
    if (!ctx->stream)
        gs_buf_slice(&c->text, echo);
    else if (echo.len > 0)
        write_chunk(s, idx, ctx, echo, NULL, b);
}

static void write_event(void *state, const struct gs_dialect_context *ctx,
                        const struct gs_event *ev, struct gs_buf *b)
{
    struct answer *s = state;

    if (ev->answer_idx >= GS_COUNT_OF(s->choices))
        return;
    switch (ev->kind) {
    case GS_EVENT_DELTA:
        begin(s, ctx, ev->answer_idx, b);
        take_delta(s, ctx, ev, b);
        break;
    case GS_EVENT_STOP:
        begin(s, ctx, ev->answer_idx, b);
        take_stop(s, ctx, ev, b);
        break;
    case GS_EVENT_ERROR:
        if (ctx->stream)
            gs_dialect_openai_stream_error(ev->error, ctx->request_id, b);
        break;
    case GS_EVENT_START:
        gs_dialect_names_take(&s->names, ev, b);
        break;
    case GS_EVENT_BEGIN:
    case GS_EVENT_END:
    case GS_EVENT_PROGRESS:
    case GS_EVENT_VECTOR:
        break;
    }
}

static void clear_state(void *state)
{
    struct answer *s = state;

    gs_dialect_names_clear(&s->names);
    for (size_t i = 0; i < GS_COUNT_OF(s->choices); i++) {
        struct choice *c = &s->choices[i];
        gs_buf_clear(&c->text);
        gs_buf_clear(&c->logprobs.tokens);
        gs_buf_clear(&c->logprobs.values);
        gs_buf_clear(&c->logprobs.tops);
        gs_buf_clear(&c->logprobs.offsets);
    }
}

const struct gs_dialect gs_dialect_openai_completions = {
    .name = "openai-completions",
    .stream_content_type = "text/event-stream; charset=utf-8",
    .state_bytes = sizeof(struct answer),
    .overload_status = 503,
    .read_request = gs_dialect_openai_completions_read,
    .write_event = write_event,
    .keepalive_opens = true,
    .write_keepalive = write_keepalive,
    .clear_state = clear_state,
    .write_error = gs_dialect_openai_chat_write_error,
};
