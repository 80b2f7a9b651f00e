/* llama-server, completions: one JSON object, or a stream of them as events without a last mark:
 * the object that says stop is the last. */
#include "base/slice.h"
#include "dialect/llama.h"
#include "dialect/openai_chat.h"
#include "dialect/writer.h"
#include "json/json.h"

struct answer {
    struct gs_buf text, probs; /* not streamed: so far */
};

/* ---- pieces ---- */

static void write_probs(struct gs_buf *b, struct gs_slice items)
{
    if (!items.len)
        return;
    gs_buf_puts(b, ",\"completion_probabilities\":[");
    gs_buf_slice(b, items);
    gs_buf_putc(b, ']');
}

static void write_number(struct gs_buf *b, const char *key, double value)
{
    gs_buf_printf(b, "\"%s\":%.6g,", key, value);
}

static double per(double a, double b)
{
    return b > 0 ? a / b : 0;
}

/* "PREFIX_n", "PREFIX_ms" and what follows from them. */
static void write_pace(struct gs_buf *b, const char *prefix, int64_t n, int64_t us)
{
    const double ms = (double)us / 1e3;

    gs_buf_printf(b, ",\"%s_n\":%lld,\"%s_ms\":", prefix, (long long)n, prefix);
    gs_json_write_double(b, ms);
    gs_buf_printf(b, ",\"%s_per_token_ms\":", prefix);
    gs_json_write_double(b, per(ms, (double)n));
    gs_buf_printf(b, ",\"%s_per_second\":", prefix);
    gs_json_write_double(b, per((double)n * 1e3, ms));
}

static void write_timings(struct gs_buf *b, const struct gs_usage *u)
{
    gs_buf_printf(b, ",\"timings\":{\"cache_n\":%lld", (long long)u->cached_tokens);
    write_pace(b, "prompt", u->prompt_tokens - u->cached_tokens, u->prefill_us);
    write_pace(b, "predicted", u->answer_tokens, u->decode_us);
    gs_buf_putc(b, '}');
}

static void write_settings(struct gs_buf *b, const struct gs_dialect_context *ctx)
{
    const struct gs_dialect_llama_request *q = ctx->own;
    const struct gs_sampling *s = &q->sampling;

    gs_buf_puts(b, ",\"generation_settings\":{");
    write_number(b, "temperature", (double)s->temperature);
    write_number(b, "top_p", (double)s->top_p);
    write_number(b, "min_p", (double)s->min_p);
    write_number(b, "typical_p", (double)s->typical_p);
    write_number(b, "repeat_penalty", (double)s->repeat_penalty);
    write_number(b, "presence_penalty", (double)s->presence_penalty);
    write_number(b, "frequency_penalty", (double)s->frequency_penalty);
    gs_buf_printf(b, "\"top_k\":%d,\"repeat_last_n\":%d,\"seed\":%lld,", (int)s->top_k,
                  (int)s->repeat_last_n, s->has_seed ? (long long)s->seed : -1);
    gs_buf_printf(b, "\"n_predict\":%lld,\"max_tokens\":%lld,\"n_probs\":%d,\"stream\":%s,",
                  (long long)q->n_predict, (long long)q->n_predict, (int)q->n_probs,
                  ctx->stream ? "true" : "false");
    gs_buf_puts(b, "\"stop\":[");
    for (size_t i = 0; i < q->n_stops; i++) {
        gs_buf_puts(b, i ? "," : "");
        gs_json_write_string(b, q->stops[i]);
    }
    gs_buf_puts(b, "]}");
}

static const char *stop_type(enum gs_stop_reason stop)
{
    switch (stop) {
    case GS_STOP_END:
    case GS_STOP_TOOL_CALL:
    case GS_STOP_REFUSAL:
        return "eos";
    case GS_STOP_LENGTH:
    case GS_STOP_CONTEXT:
        return "limit";
    case GS_STOP_SEQUENCE:
        break;
    }
    return "word";
}

static void write_head(struct gs_buf *b, struct gs_slice text, const struct gs_usage *u)
{
    gs_buf_puts(b, "{\"index\":0,");
    gs_dialect_write_member(b, "content", text);
    gs_buf_printf(b, ",\"id_slot\":0,\"tokens_predicted\":%lld,\"tokens_evaluated\":%lld",
                  (long long)u->answer_tokens, (long long)u->prompt_tokens);
}

/* ---- events ---- */

static void write_delta(struct answer *s, const struct gs_dialect_context *ctx,
                        const struct gs_event *ev, struct gs_buf *b)
{
    struct gs_buf *probs = ctx->stream ? b : &s->probs;

    if (ctx->stream) {
        gs_buf_puts(b, "data: ");
        write_head(b, ev->text, &ev->usage);
        gs_buf_puts(b, ",\"tokens\":[],\"stop\":false");
    } else {
        gs_buf_slice(&s->text, ev->text);
    }
    if (ev->n_logprob) {
        gs_buf_puts(probs, ctx->stream    ? ",\"completion_probabilities\":["
                           : s->probs.len ? ","
                                          : "");
        gs_dialect_write_logprobs(probs, ev, true);
        gs_buf_puts(probs, ctx->stream ? "]" : "");
    }
    if (ctx->stream)
        gs_buf_puts(b, "}\n\n");
}

static void write_stop(struct answer *s, const struct gs_dialect_context *ctx,
                       const struct gs_event *ev, struct gs_buf *b)
{
    const struct gs_dialect_llama_request *q = ctx->own;
    const size_t n_prompt = GS_MIN((size_t)ev->usage.prompt_tokens, ev->n_tokens);

    gs_dialect_writer_check(&s->text, b);
    gs_dialect_writer_check(&s->probs, b);
    gs_buf_puts(b, ctx->stream ? "data: " : "");
    write_head(b, gs_buf_view(&s->text), &ev->usage);
    gs_buf_puts(b, ",\"tokens\":");
    gs_dialect_write_tokens(b, ev->tokens + n_prompt, ev->n_tokens - n_prompt);
    gs_buf_puts(b, ",\"stop\":true,");
    gs_dialect_write_member(b, "model", ctx->model);
    gs_buf_printf(b, ",\"stop_type\":\"%s\",", stop_type(ev->stop));
    gs_dialect_write_member(b, "stopping_word", ev->stop_sequence);
    gs_buf_putc(b, ',');
    gs_dialect_write_member(b, "prompt", q->prompt);
    gs_buf_printf(b, ",\"truncated\":false,\"tokens_cached\":%lld",
                  (long long)(ev->usage.prompt_tokens + ev->usage.answer_tokens));
    write_settings(b, ctx);
    write_probs(b, gs_buf_view(&s->probs));
    write_timings(b, &ev->usage);
    gs_buf_puts(b, ctx->stream ? "}\n\n" : "}");
}

static void write_event(void *state, const struct gs_dialect_context *ctx,
                        const struct gs_event *ev, struct gs_buf *b)
{
    struct answer *s = state;

    gs_dialect_writer_ready(&s->text);
    gs_dialect_writer_ready(&s->probs);
    switch (ev->kind) {
    case GS_EVENT_START:
    case GS_EVENT_PROGRESS:
    case GS_EVENT_BEGIN:
    case GS_EVENT_END:
    case GS_EVENT_VECTOR:
        break;
    case GS_EVENT_DELTA:
        write_delta(s, ctx, ev, b);
        break;
    case GS_EVENT_STOP:
        write_stop(s, ctx, ev, b);
        break;
    case GS_EVENT_ERROR:
        if (ctx->stream)
            gs_dialect_openai_stream_error(ev->error, ctx->request_id, b);
        break;
    }
}

static void write_keepalive(void *state, const struct gs_dialect_context *ctx, struct gs_buf *b)
{
    (void)state;
    (void)ctx;
    gs_buf_puts(b, ":\n\n");
}

static void clear_state(void *state)
{
    struct answer *s = state;

    gs_buf_clear(&s->text);
    gs_buf_clear(&s->probs);
}

const struct gs_dialect gs_dialect_llama = {
    .name = "llama",
    .stream_content_type = "text/event-stream",
    .state_bytes = sizeof(struct answer),
    .overload_status = 503,
    .read_request = gs_dialect_llama_read,
    .write_event = write_event,
    .write_keepalive = write_keepalive,
    .clear_state = clear_state,
    .write_error = gs_dialect_openai_chat_write_error,
};
