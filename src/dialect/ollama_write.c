/* Ollama, answers: one JSON object a line, the last with done true and the durations in
 * nanoseconds; not streamed, that object alone. Signatures of reasoning, for which the API has no
 * place, are in a member of our own. A call goes out whole, its arguments as an object.
 * A silent stream is kept alive by objects that say nothing: the official Python client takes each
 * line for one, an empty line too. */
#include "base/clock.h"
#include "base/slice.h"
#include "dialect/ollama.h"
#include "dialect/writer.h"
#include "genset/models.h"
#include "json/json.h"

struct answer {
    struct gs_dialect_names names;
    struct gs_buf text, reasoning; /* not streamed: so far */
    struct gs_buf thought;         /* of the reasoning being told */
    struct gs_buf signatures;      /* not yet written, comma-separated */
    struct gs_buf calls;           /* items of tool_calls not yet written, comma-separated */
    struct gs_buf args;            /* of the call being made */
    struct gs_buf logprobs;        /* not streamed: items so far */
    unsigned n_calls;
};

static void write_head(struct gs_buf *b, const struct answer *s,
                       const struct gs_dialect_context *ctx)
{
    char when[40];

    gs_clock_format_us(ctx->created_us, when, sizeof(when));
    gs_buf_putc(b, '{');
    gs_dialect_write_model(b, &s->names, ctx);
    gs_buf_printf(b, ",\"created_at\":\"%s\",", when);
}

/* "message" of a chat or "response" of a generate. */
static void write_body(struct gs_buf *b, const struct answer *s,
                       const struct gs_dialect_context *ctx, struct gs_slice text,
                       struct gs_slice reasoning, struct gs_slice calls)
{
    if (!ctx->is_generate)
        gs_buf_puts(b, "\"message\":{\"role\":\"assistant\",");
    gs_dialect_write_member(b, ctx->is_generate ? "response" : "content", text);
    if (reasoning.len) {
        gs_buf_putc(b, ',');
        gs_dialect_write_member(b, "thinking", reasoning);
    }
    if (s->signatures.len) {
        gs_buf_putc(b, ',');
        gs_dialect_write_member(b, GS_DIALECT_OLLAMA_SIGNATURE, gs_buf_view(&s->signatures));
    }
    if (calls.len) {
        gs_buf_puts(b, ",\"tool_calls\":[");
        gs_buf_slice(b, calls);
        gs_buf_putc(b, ']');
    }
    if (!ctx->is_generate)
        gs_buf_putc(b, '}');
}

static void write_line(struct gs_buf *b, const struct answer *s,
                       const struct gs_dialect_context *ctx, const struct gs_event *ev,
                       struct gs_slice text, struct gs_slice reasoning, struct gs_slice calls)
{
    write_head(b, s, ctx);
    write_body(b, s, ctx, text, reasoning, calls);
    gs_buf_puts(b, ",\"done\":false");
    if (ev->n_logprob) {
        gs_buf_puts(b, ",\"logprobs\":[");
        gs_dialect_write_logprobs(b, ev, false);
        gs_buf_putc(b, ']');
    }
    gs_buf_puts(b, "}\n");
}

static const char *done_reason(const struct gs_dialect_context *ctx, enum gs_stop_reason stop)
{
    if (ctx->errand)
        return ctx->errand->kind == GS_ERRAND_CLOSE ? "unload" : "load";
    return stop == GS_STOP_LENGTH || stop == GS_STOP_CONTEXT ? "length"
           : stop == GS_STOP_REFUSAL                         ? "refusal" /* a word of our own */
                                                             : "stop";
}

static void write_done(const struct answer *s, const struct gs_dialect_context *ctx,
                       const struct gs_event *ev, struct gs_buf *b)
{
    const struct gs_usage *u = &ev->usage;

    gs_dialect_writer_check(&s->text, b);
    gs_dialect_writer_check(&s->reasoning, b);
    gs_dialect_writer_check(&s->signatures, b);
    gs_dialect_writer_check(&s->calls, b);
    gs_dialect_writer_check(&s->args, b);
    gs_dialect_writer_check(&s->logprobs, b);
    write_head(b, s, ctx);
    write_body(b, s, ctx, gs_buf_view(&s->text), gs_buf_view(&s->reasoning),
               gs_buf_view(&s->calls));
    gs_buf_printf(b, ",\"done\":true,\"done_reason\":\"%s\"", done_reason(ctx, ev->stop));
    if (!ctx->errand)
        gs_buf_printf(b,
                      ",\"total_duration\":%lld,\"load_duration\":%lld,"
                      "\"prompt_eval_count\":%lld,\"prompt_eval_duration\":%lld,"
                      "\"eval_count\":%lld,\"eval_duration\":%lld",
                      (long long)(u->load_us + u->prefill_us + u->decode_us) * 1000,
                      (long long)u->load_us * 1000, (long long)u->prompt_tokens,
                      (long long)u->prefill_us * 1000, (long long)u->answer_tokens,
                      (long long)u->decode_us * 1000);
    if (ev->n_tokens) {
        gs_buf_puts(b, ",\"context\":");
        gs_dialect_write_tokens(b, ev->tokens, ev->n_tokens);
    }
    if (s->logprobs.len) {
        gs_buf_puts(b, ",\"logprobs\":[");
        gs_buf_slice(b, gs_buf_view(&s->logprobs));
        gs_buf_putc(b, ']');
    }
    gs_buf_puts(b, ctx->stream ? "}\n" : "}");
}

/* ---- calls ---- */

static void call_begin(struct answer *s, const struct gs_event *ev)
{
    gs_buf_puts(&s->calls, s->calls.len ? ",{" : "{");
    if (ev->id.len) {
        gs_dialect_write_member(&s->calls, "id", ev->id);
        gs_buf_putc(&s->calls, ',');
    }
    gs_buf_printf(&s->calls, "\"function\":{\"index\":%u,", s->n_calls++);
    gs_dialect_write_member(&s->calls, "name", ev->name);
    gs_buf_puts(&s->calls, ",\"arguments\":");
    gs_buf_reset(&s->args);
}

static void call_end(struct answer *s, const struct gs_dialect_context *ctx,
                     const struct gs_event *ev, struct gs_buf *b)
{
    const struct gs_slice none = {NULL, 0};

    gs_dialect_write_object(&s->calls, gs_buf_view(&s->args));
    gs_buf_puts(&s->calls, "}}");
    if (!ctx->stream)
        return;
    gs_dialect_writer_check(&s->calls, b);
    write_line(b, s, ctx, ev, none, none, gs_buf_view(&s->calls));
    gs_buf_reset(&s->calls);
}

static void reasoning_end(struct answer *s, const struct gs_dialect_context *ctx,
                          const struct gs_event *ev, struct gs_buf *b)
{
    const struct gs_slice none = {NULL, 0};

    if (!gs_dialect_is_signed(ev->signature))
        return;
    gs_dialect_writer_check(&s->thought, b);
    gs_buf_puts(&s->signatures, s->signatures.len ? "," : "");
    gs_dialect_put_signature(&s->signatures, ev->signature, gs_buf_view(&s->thought));
    if (!ctx->stream)
        return;
    gs_dialect_writer_check(&s->signatures, b);
    write_line(b, s, ctx, ev, none, none, none);
    gs_buf_reset(&s->signatures);
}

/* ---- events ---- */

void gs_dialect_ollama_write_error(int status, const struct gs_error *err,
                                   struct gs_slice request_id, struct gs_buf *b)
{
    (void)status;
    (void)request_id; /* it goes out as a header */
    gs_buf_puts(b, "{\"error\":");
    gs_dialect_write_words(b, err);
    gs_buf_putc(b, '}');
}

static void write_delta(struct answer *s, const struct gs_dialect_context *ctx,
                        const struct gs_event *ev, struct gs_buf *b)
{
    const struct gs_slice none = {NULL, 0};
    const bool is_reasoning = ev->block == GS_BLOCK_REASONING;

    if (is_reasoning)
        gs_buf_slice(&s->thought, ev->text);
    if (ev->block == GS_BLOCK_TOOL_CALL)
        gs_buf_slice(&s->args, ev->text);
    else if (ctx->stream && (ev->text.len || ev->n_logprob))
        write_line(b, s, ctx, ev, is_reasoning ? none : ev->text, is_reasoning ? ev->text : none,
                   none);
    else if (!ctx->stream)
        gs_buf_slice(is_reasoning ? &s->reasoning : &s->text, ev->text);
    if (ctx->stream || ev->block == GS_BLOCK_TOOL_CALL || !ev->n_logprob)
        return;
    if (s->logprobs.len)
        gs_buf_putc(&s->logprobs, ',');
    gs_dialect_write_logprobs(&s->logprobs, ev, false);
}

static void write_event(void *state, const struct gs_dialect_context *ctx,
                        const struct gs_event *ev, struct gs_buf *b)
{
    struct answer *s = state;

    gs_dialect_writer_ready(&s->text);
    gs_dialect_writer_ready(&s->reasoning);
    gs_dialect_writer_ready(&s->thought);
    gs_dialect_writer_ready(&s->signatures);
    gs_dialect_writer_ready(&s->calls);
    gs_dialect_writer_ready(&s->args);
    gs_dialect_writer_ready(&s->logprobs);
    switch (ev->kind) {
    case GS_EVENT_START:
        gs_dialect_names_take(&s->names, ev, b);
        break;
    case GS_EVENT_PROGRESS:
    case GS_EVENT_VECTOR:
        break;
    case GS_EVENT_BEGIN:
        gs_buf_reset(&s->thought);
        if (ev->block == GS_BLOCK_TOOL_CALL)
            call_begin(s, ev);
        break;
    case GS_EVENT_DELTA:
        write_delta(s, ctx, ev, b);
        break;
    case GS_EVENT_END:
        if (ev->block == GS_BLOCK_TOOL_CALL)
            call_end(s, ctx, ev, b);
        else if (ev->block == GS_BLOCK_REASONING)
            reasoning_end(s, ctx, ev, b);
        break;
    case GS_EVENT_STOP:
        write_done(s, ctx, ev, b);
        break;
    case GS_EVENT_ERROR:
        if (ctx->stream) {
            gs_dialect_ollama_write_error(0, ev->error, ctx->request_id, b);
            gs_buf_putc(b, '\n');
        }
        break;
    }
}

static void write_keepalive(void *state, const struct gs_dialect_context *ctx, struct gs_buf *b)
{
    const struct gs_event nothing = {.kind = GS_EVENT_DELTA};
    const struct gs_slice none = {NULL, 0};

    write_line(b, state, ctx, &nothing, none, none, none);
}

static void clear_state(void *state)
{
    struct answer *s = state;

    gs_dialect_names_clear(&s->names);
    gs_buf_clear(&s->text);
    gs_buf_clear(&s->reasoning);
    gs_buf_clear(&s->thought);
    gs_buf_clear(&s->signatures);
    gs_buf_clear(&s->calls);
    gs_buf_clear(&s->args);
    gs_buf_clear(&s->logprobs);
}

const struct gs_dialect gs_dialect_ollama = {
    .name = "ollama",
    .stream_content_type = "application/x-ndjson",
    .state_bytes = sizeof(struct answer),
    .overload_status = 503,
    .read_request = gs_dialect_ollama_read,
    .write_event = write_event,
    .write_keepalive = write_keepalive,
    .clear_state = clear_state,
    .write_error = gs_dialect_ollama_write_error,
};
