/* OpenAI Chat Completions, answers: chunks whose deltas add up to one message, then [DONE]
 * (https://platform.openai.com/docs/api-reference/chat-streaming). Reasoning goes out as
 * reasoning_content. A silent stream is kept alive by an empty delta: comments do not count as a
 * sign of life for Qwen Code 0.24. */
#include "base/error.h"
#include "base/slice.h"
#include "dialect/openai_chat.h"
#include "dialect/writer.h"
#include "json/json.h"

struct answer {
    struct gs_buf text, reasoning; /* not streamed: so far */
    struct gs_buf calls;           /* not streamed: items of tool_calls, comma-separated */
    struct gs_buf args;            /* not streamed: of the call being made */
    struct gs_buf logprobs;        /* not streamed: items of logprobs.content */
    unsigned n_calls;
    bool has_role; /* streamed: the first delta was sent */
    bool has_args; /* streamed: of the call being made */
};

/* ---- pieces ---- */

static void write_head(struct gs_buf *b, const struct gs_dialect_context *ctx, const char *object)
{
    const struct gs_slice tail = gs_dialect_id_tail(ctx->request_id);

    gs_buf_printf(b, "{\"id\":\"chatcmpl-%.*s\",\"object\":\"%s\",\"created\":%lld,", (int)tail.len,
                  tail.ptr, object, (long long)ctx->created_us / 1000000);
    gs_dialect_write_member(b, "model", ctx->model);
}

static void write_usage(struct gs_buf *b, const struct gs_usage *u)
{
    gs_buf_printf(b,
                  "\"usage\":{\"prompt_tokens\":%lld,\"completion_tokens\":%lld,"
                  "\"total_tokens\":%lld,\"prompt_tokens_details\":{\"cached_tokens\":%lld},"
                  "\"completion_tokens_details\":{\"reasoning_tokens\":%lld}}",
                  (long long)u->prompt_tokens, (long long)u->answer_tokens,
                  (long long)u->prompt_tokens + u->answer_tokens, (long long)u->cached_tokens,
                  (long long)u->reasoning_tokens);
}

static const char *finish_reason(enum gs_stop_reason stop)
{
    switch (stop) {
    case GS_STOP_END:
    case GS_STOP_SEQUENCE:
        return "stop";
    case GS_STOP_LENGTH:
    case GS_STOP_CONTEXT:
        return "length";
    case GS_STOP_TOOL_CALL:
        return "tool_calls";
    }
    return "stop";
}

/* `"id":...,"type":"function","function":{"name":...,"arguments":` */
static void write_call_head(struct gs_buf *b, const struct gs_dialect_context *ctx,
                            const struct gs_event *ev)
{
    const struct gs_slice tail = gs_dialect_id_tail(ctx->request_id);

    if (ev->id.len)
        gs_dialect_write_member(b, "id", ev->id);
    else
        gs_buf_printf(b, "\"id\":\"call_%.*s_%u\"", (int)tail.len, tail.ptr, ev->block_idx);
    gs_buf_puts(b, ",\"type\":\"function\",\"function\":{");
    gs_dialect_write_member(b, "name", ev->name);
    gs_buf_puts(b, ",\"arguments\":");
}

/* ---- streamed ---- */

/* A chunk up to its delta's first member, and from there to the end. */
static void open_chunk(struct answer *s, const struct gs_dialect_context *ctx, struct gs_buf *b)
{
    gs_buf_puts(b, "data: ");
    write_head(b, ctx, "chat.completion.chunk");
    gs_buf_puts(b, ",\"choices\":[{\"index\":0,\"delta\":{");
    if (!s->has_role)
        gs_buf_puts(b, "\"role\":\"assistant\",");
    s->has_role = true;
}

static void close_chunk(const struct gs_dialect_context *ctx, const struct gs_event *ev,
                        struct gs_buf *b)
{
    gs_buf_putc(b, '}');
    if (ev && ev->n_logprob) {
        gs_buf_puts(b, ",\"logprobs\":{\"content\":[");
        gs_dialect_write_logprobs(b, ev, false);
        gs_buf_puts(b, "]}");
    }
    gs_buf_puts(b, ",\"finish_reason\":");
    if (ev && ev->kind == GS_EVENT_STOP)
        gs_buf_printf(b, "\"%s\"", finish_reason(ev->stop));
    else
        gs_buf_puts(b, "null");
    gs_buf_puts(b, ctx->include_usage ? "}],\"usage\":null}\n\n" : "}]}\n\n");
}

static void write_keepalive(void *state, const struct gs_dialect_context *ctx, struct gs_buf *b)
{
    open_chunk(state, ctx, b);
    gs_buf_puts(b, "\"content\":\"\"");
    close_chunk(ctx, NULL, b);
}

static void stream_begin(struct answer *s, const struct gs_dialect_context *ctx,
                         const struct gs_event *ev, struct gs_buf *b)
{
    if (ev->block != GS_BLOCK_TOOL_CALL)
        return;
    open_chunk(s, ctx, b);
    gs_buf_printf(b, "\"tool_calls\":[{\"index\":%u,", s->n_calls);
    write_call_head(b, ctx, ev);
    gs_buf_puts(b, "\"\"}}]");
    close_chunk(ctx, NULL, b);
    s->n_calls++;
    s->has_args = false;
}

static void stream_delta(struct answer *s, const struct gs_dialect_context *ctx,
                         const struct gs_event *ev, struct gs_buf *b)
{
    open_chunk(s, ctx, b);
    if (ev->block == GS_BLOCK_TOOL_CALL) {
        s->has_args = true;
        gs_buf_printf(b, "\"tool_calls\":[{\"index\":%u,\"function\":{",
                      s->n_calls ? s->n_calls - 1 : 0);
        gs_dialect_write_member(b, "arguments", ev->text);
        gs_buf_puts(b, "}}]");
    } else {
        gs_dialect_write_member(
            b, ev->block == GS_BLOCK_REASONING ? "reasoning_content" : "content", ev->text);
    }
    close_chunk(ctx, ev, b);
}

/* Clients parse the arguments as JSON, which nothing is not. */
static void stream_end(struct answer *s, const struct gs_dialect_context *ctx,
                       const struct gs_event *ev, struct gs_buf *b)
{
    struct gs_event none = *ev;

    none.text = GS_SLICE_LIT("{}");
    if (ev->block == GS_BLOCK_TOOL_CALL && !s->has_args)
        stream_delta(s, ctx, &none, b);
}

static void stream_stop(struct answer *s, const struct gs_dialect_context *ctx,
                        const struct gs_event *ev, struct gs_buf *b)
{
    if (!s->has_role)
        write_keepalive(s, ctx, b);
    open_chunk(s, ctx, b);
    close_chunk(ctx, ev, b);
    if (ctx->include_usage) {
        gs_buf_puts(b, "data: ");
        write_head(b, ctx, "chat.completion.chunk");
        gs_buf_puts(b, ",\"choices\":[],");
        write_usage(b, &ev->usage);
        gs_buf_puts(b, "}\n\n");
    }
    gs_buf_puts(b, "data: [DONE]\n\n");
}

void gs_dialect_openai_chat_write_error(int status, const struct gs_error *err,
                                        struct gs_slice request_id, struct gs_buf *b)
{
    const char *type = "invalid_request_error";
    const char *code = NULL;
    struct gs_error worded = *err;

    (void)request_id; /* it goes out as a header */
    if (status == 429)
        type = "rate_limit_error";
    else if (status >= 500)
        type = "server_error";
    if (status == 401)
        code = "invalid_api_key";
    else if (err->code == GS_ECONTEXT)
        code = "context_length_exceeded";
    else if (err->code == GS_ENOTFOUND)
        code = "model_not_found";
    gs_buf_puts(b, "{\"error\":{\"message\":");
    if (err->code == GS_ECONTEXT)
        gs_error_set(&worded, err->code,
                     "This model's maximum context length is %lld tokens. However, your messages "
                     "resulted in %lld tokens",
                     err->available, err->needed);
    gs_error_hint(&worded, "%s", err->hint);
    gs_dialect_write_words(b, &worded);
    gs_buf_printf(b, ",\"type\":\"%s\",\"param\":null,\"code\":", type);
    if (code)
        gs_buf_printf(b, "\"%s\"}}", code);
    else
        gs_buf_puts(b, "null}}");
}

static void stream_event(struct answer *s, const struct gs_dialect_context *ctx,
                         const struct gs_event *ev, struct gs_buf *b)
{
    switch (ev->kind) {
    case GS_EVENT_START:
        if (!s->has_role)
            write_keepalive(s, ctx, b);
        break;
    case GS_EVENT_BEGIN:
        stream_begin(s, ctx, ev, b);
        break;
    case GS_EVENT_DELTA:
        stream_delta(s, ctx, ev, b);
        break;
    case GS_EVENT_STOP:
        stream_stop(s, ctx, ev, b);
        break;
    case GS_EVENT_ERROR:
        gs_buf_puts(b, "data: ");
        gs_dialect_openai_chat_write_error(gs_dialect_status(&gs_dialect_openai_chat, ev->error),
                                           ev->error, ctx->request_id, b);
        gs_buf_puts(b, "\n\n");
        break;
    case GS_EVENT_END:
        stream_end(s, ctx, ev, b);
        break;
    case GS_EVENT_PROGRESS:
    case GS_EVENT_VECTOR:
        break;
    }
}

/* ---- whole ---- */

static void collect_begin(struct answer *s, const struct gs_dialect_context *ctx,
                          const struct gs_event *ev)
{
    if (ev->block != GS_BLOCK_TOOL_CALL)
        return;
    gs_buf_puts(&s->calls, s->calls.len ? ",{" : "{");
    write_call_head(&s->calls, ctx, ev);
    gs_buf_reset(&s->args);
}

static void collect_delta(struct answer *s, const struct gs_event *ev)
{
    if (ev->block == GS_BLOCK_TOOL_CALL)
        gs_buf_slice(&s->args, ev->text);
    else
        gs_buf_slice(ev->block == GS_BLOCK_REASONING ? &s->reasoning : &s->text, ev->text);
    if (ev->n_logprob) {
        if (s->logprobs.len)
            gs_buf_putc(&s->logprobs, ',');
        gs_dialect_write_logprobs(&s->logprobs, ev, false);
    }
}

static void write_whole(const struct answer *s, const struct gs_dialect_context *ctx,
                        const struct gs_event *ev, struct gs_buf *b)
{
    write_head(b, ctx, "chat.completion");
    gs_buf_puts(b, ",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":");
    if (s->calls.len && !s->text.len)
        gs_buf_puts(b, "null");
    else
        gs_json_write_string(b, gs_buf_view(&s->text));
    gs_buf_puts(b, ",\"refusal\":null");
    if (s->reasoning.len) {
        gs_buf_putc(b, ',');
        gs_dialect_write_member(b, "reasoning_content", gs_buf_view(&s->reasoning));
    }
    if (s->calls.len) {
        gs_buf_puts(b, ",\"tool_calls\":[");
        gs_buf_slice(b, gs_buf_view(&s->calls));
        gs_buf_putc(b, ']');
    }
    gs_buf_puts(b, "},\"logprobs\":");
    if (s->logprobs.len) {
        gs_buf_puts(b, "{\"content\":[");
        gs_buf_slice(b, gs_buf_view(&s->logprobs));
        gs_buf_puts(b, "]}");
    } else {
        gs_buf_puts(b, "null");
    }
    gs_buf_printf(b, ",\"finish_reason\":\"%s\"}],", finish_reason(ev->stop));
    write_usage(b, &ev->usage);
    gs_buf_putc(b, '}');
}

static void collect_event(struct answer *s, const struct gs_dialect_context *ctx,
                          const struct gs_event *ev, struct gs_buf *b)
{
    struct gs_buf *const all[] = {&s->text, &s->reasoning, &s->calls, &s->args, &s->logprobs};

    for (size_t i = 0; i < GS_COUNT_OF(all); i++)
        gs_dialect_writer_ready(all[i]);
    switch (ev->kind) {
    case GS_EVENT_BEGIN:
        collect_begin(s, ctx, ev);
        break;
    case GS_EVENT_DELTA:
        collect_delta(s, ev);
        break;
    case GS_EVENT_END:
        if (ev->block == GS_BLOCK_TOOL_CALL) {
            gs_json_write_string(&s->calls,
                                 s->args.len ? gs_buf_view(&s->args) : GS_SLICE_LIT("{}"));
            gs_buf_puts(&s->calls, "}}");
        }
        break;
    case GS_EVENT_STOP:
        for (size_t i = 0; i < GS_COUNT_OF(all); i++)
            gs_dialect_writer_check(all[i], b);
        write_whole(s, ctx, ev, b);
        break;
    case GS_EVENT_START:
    case GS_EVENT_PROGRESS:
    case GS_EVENT_VECTOR:
    case GS_EVENT_ERROR:
        break;
    }
}

/* ---- the dialect ---- */

static void write_event(void *state, const struct gs_dialect_context *ctx,
                        const struct gs_event *ev, struct gs_buf *b)
{
    if (ctx->stream)
        stream_event(state, ctx, ev, b);
    else
        collect_event(state, ctx, ev, b);
}

static void clear_state(void *state)
{
    struct answer *s = state;

    gs_buf_clear(&s->text);
    gs_buf_clear(&s->reasoning);
    gs_buf_clear(&s->calls);
    gs_buf_clear(&s->args);
    gs_buf_clear(&s->logprobs);
}

const struct gs_dialect gs_dialect_openai_chat = {
    .name = "openai-chat",
    .stream_content_type = "text/event-stream; charset=utf-8",
    .state_bytes = sizeof(struct answer),
    .overload_status = 503,
    .read_request = gs_dialect_openai_chat_read,
    .write_event = write_event,
    .write_keepalive = write_keepalive,
    .clear_state = clear_state,
    .write_error = gs_dialect_openai_chat_write_error,
};
