/* Anthropic Messages, answers
 * (https://docs.anthropic.com/en/docs/build-with-claude/streaming): message_start, then per block
 * content_block_start, content_block_delta..., content_block_stop, then message_delta and
 * message_stop; ping anywhere. What Claude Code does when a piece is missing is in the tests.
 *
 * Where the client does not want to see the reasoning, its text goes out in the block's signature
 * only, which comes back with the conversation: the model's next turn knows what it thought. */
#include "base/error.h"
#include "base/slice.h"
#include "dialect/anthropic.h"
#include "dialect/writer.h"
#include "json/json.h"

struct answer {
    struct gs_dialect_names names;
    struct gs_buf content; /* not streamed: the blocks so far, comma-separated */
    struct gs_buf block;   /* raw text of the block being made: not streamed, or not shown */
    int64_t prompt_tokens;
    uint32_t n_passed; /* blocks that the client has of another server, and no event tells of */
};

/* ---- pieces ---- */

/* All that is computed here is kept for later, so of a prompt with marks all of it was "created";
 * of one that was computed elsewhere, what that server says. */
static void write_usage(struct gs_buf *b, const struct gs_dialect_context *ctx,
                        const struct gs_usage *u)
{
    const int64_t computed = u->prompt_tokens - u->cached_tokens;
    const int64_t created = u->cache_write_tokens > 0 ? GS_MIN(u->cache_write_tokens, computed)
                            : ctx->marks_cache        ? computed
                                                      : 0;

    gs_buf_printf(b,
                  "\"usage\":{\"input_tokens\":%lld,\"cache_creation_input_tokens\":%lld,"
                  "\"cache_read_input_tokens\":%lld,\"output_tokens\":%lld}",
                  (long long)(computed - created), (long long)created, (long long)u->cached_tokens,
                  (long long)u->answer_tokens);
}

static const char *stop_reason(enum gs_stop_reason stop)
{
    switch (stop) {
    case GS_STOP_END:
        return "end_turn";
    case GS_STOP_LENGTH:
        return "max_tokens";
    case GS_STOP_CONTEXT:
        return "model_context_window_exceeded";
    case GS_STOP_SEQUENCE:
        return "stop_sequence";
    case GS_STOP_TOOL_CALL:
        return "tool_use";
    case GS_STOP_REFUSAL:
        return "refusal";
    }
    return "end_turn";
}

static void write_stop(struct gs_buf *b, const struct gs_event *ev)
{
    gs_buf_printf(b, "\"stop_reason\":\"%s\",\"stop_sequence\":", stop_reason(ev->stop));
    if (ev->stop == GS_STOP_SEQUENCE)
        gs_json_write_string(b, ev->stop_sequence);
    else
        gs_buf_puts(b, "null");
}

static void write_message_head(struct gs_buf *b, const struct answer *s,
                               const struct gs_dialect_context *ctx)
{
    gs_buf_puts(b, "\"id\":");
    gs_dialect_write_id(b, &s->names, ctx, "msg_");
    gs_buf_puts(b, ",\"type\":\"message\",\"role\":\"assistant\",");
    gs_dialect_write_model(b, &s->names, ctx);
}

/* "type", "id" and "name" of a tool call. */
static void write_call_head(struct gs_buf *b, const struct gs_dialect_context *ctx,
                            const struct gs_event *ev)
{
    const struct gs_slice tail = gs_dialect_id_tail(ctx->request_id);

    gs_buf_puts(b, "{\"type\":\"tool_use\",");
    if (ev->id.len)
        gs_dialect_write_member(b, "id", ev->id);
    else
        gs_buf_printf(b, "\"id\":\"toolu_%.*s_%u\"", (int)tail.len, tail.ptr, ev->block_idx);
    gs_buf_putc(b, ',');
    gs_dialect_write_member(b, "name", ev->name);
}

/* Whether a block's text is not shown. */
static bool hides(const struct gs_dialect_context *ctx, const struct gs_event *ev)
{
    return ctx->omits_reasoning && ev->block == GS_BLOCK_REASONING;
}

/* ---- streamed ---- */

static void open_event(struct gs_buf *b, const char *type)
{
    gs_buf_printf(b, "event: %s\ndata: {\"type\":\"%s\"", type, type);
}

static void close_event(struct gs_buf *b)
{
    gs_buf_puts(b, "}\n\n");
}

static void stream_start(struct answer *s, const struct gs_dialect_context *ctx,
                         const struct gs_event *ev, struct gs_buf *b)
{
    gs_dialect_names_take(&s->names, ev, b);
    open_event(b, "message_start");
    gs_buf_puts(b, ",\"message\":{");
    write_message_head(b, s, ctx);
    gs_buf_puts(b, ",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,");
    write_usage(b, ctx, &ev->usage);
    gs_buf_putc(b, '}');
    close_event(b);
}

/* `,"index":0` */
static void write_index(const struct answer *s, const struct gs_event *ev, struct gs_buf *b)
{
    gs_buf_printf(b, ",\"index\":%u", ev->block_idx + s->n_passed);
}

static void stream_begin(const struct answer *s, const struct gs_dialect_context *ctx,
                         const struct gs_event *ev, struct gs_buf *b)
{
    open_event(b, "content_block_start");
    write_index(s, ev, b);
    gs_buf_puts(b, ",\"content_block\":");
    if (ev->block == GS_BLOCK_TOOL_CALL) {
        write_call_head(b, ctx, ev);
        gs_buf_puts(b, ",\"input\":{}}");
    } else if (ev->block == GS_BLOCK_REASONING) {
        gs_buf_puts(b, "{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}");
    } else {
        gs_buf_puts(b, "{\"type\":\"text\",\"text\":\"\"}");
    }
    close_event(b);
}

static void stream_delta(const struct answer *s, const struct gs_event *ev, struct gs_buf *b)
{
    open_event(b, "content_block_delta");
    write_index(s, ev, b);
    gs_buf_puts(b, ",\"delta\":");
    if (ev->block == GS_BLOCK_TOOL_CALL)
        gs_buf_puts(b, "{\"type\":\"input_json_delta\",\"partial_json\":");
    else if (ev->block == GS_BLOCK_REASONING)
        gs_buf_puts(b, "{\"type\":\"thinking_delta\",\"thinking\":");
    else
        gs_buf_puts(b, "{\"type\":\"text_delta\",\"text\":");
    gs_json_write_string(b, ev->text);
    gs_buf_putc(b, '}');
    close_event(b);
}

static void stream_end(const struct answer *s, const struct gs_dialect_context *ctx,
                       const struct gs_event *ev, struct gs_buf *b)
{
    if (hides(ctx, ev)) {
        gs_dialect_writer_check(&s->block, b);
        open_event(b, "content_block_delta");
        write_index(s, ev, b);
        gs_buf_puts(b, ",\"delta\":{\"type\":\"signature_delta\",\"signature\":");
        gs_dialect_write_signature(b, ev->signature, gs_buf_view(&s->block));
        gs_buf_putc(b, '}');
        close_event(b);
    } else if (ev->signature.len > 0) {
        open_event(b, "content_block_delta");
        write_index(s, ev, b);
        gs_buf_puts(b, ",\"delta\":{\"type\":\"signature_delta\",");
        gs_dialect_write_member(b, "signature", ev->signature);
        gs_buf_putc(b, '}');
        close_event(b);
    }
    open_event(b, "content_block_stop");
    write_index(s, ev, b);
    close_event(b);
}

static void stream_stop(const struct gs_dialect_context *ctx, const struct gs_event *ev,
                        struct gs_buf *b)
{
    open_event(b, "message_delta");
    gs_buf_puts(b, ",\"delta\":{");
    write_stop(b, ev);
    gs_buf_puts(b, "},");
    write_usage(b, ctx, &ev->usage);
    close_event(b);
    open_event(b, "message_stop");
    close_event(b);
}

static const char *error_type(int status)
{
    switch (status) {
    case 401:
        return "authentication_error";
    case 403:
        return "permission_error";
    case 404:
        return "not_found_error";
    case 413:
        return "request_too_large";
    case 429:
        return "rate_limit_error";
    case 503:
    case 529:
        return "overloaded_error";
    default:
        return status < 500 ? "invalid_request_error" : "api_error";
    }
}

/* Claude Code reads both numbers and compacts the conversation. */
static void write_error_body(int status, const struct gs_error *err, struct gs_slice request_id,
                             struct gs_buf *b)
{
    struct gs_error worded = *err;

    gs_buf_printf(b, ",\"error\":{\"type\":\"%s\",\"message\":", error_type(status));
    if (err->code == GS_ECONTEXT && err->needed > 0)
        gs_error_set(&worded, err->code, "prompt is too long: %lld tokens > %lld maximum",
                     err->needed, err->available);
    else if (err->code == GS_ECONTEXT)
        gs_error_set(&worded, err->code, "prompt is too long");
    gs_error_hint(&worded, "%s", err->hint);
    gs_dialect_write_words(b, &worded);
    if (err->code == GS_EUNSUPPORTED && err->source[0])
        gs_buf_printf(b,
                      ",\"details\":{\"error_code\":\"%s_unsupported_request\","
                      "\"unsupported\":[\"%s\"]}",
                      err->source, err->source);
    gs_buf_puts(b, "},");
    gs_dialect_write_member(b, "request_id", request_id);
}

static void stream_event(struct answer *s, const struct gs_dialect_context *ctx,
                         const struct gs_event *ev, struct gs_buf *b)
{
    gs_dialect_writer_ready(&s->block);
    switch (ev->kind) {
    case GS_EVENT_START:
        stream_start(s, ctx, ev, b);
        break;
    case GS_EVENT_PROGRESS:
        s->n_passed += ev->is_passed_over;
        break;
    case GS_EVENT_VECTOR:
        break;
    case GS_EVENT_BEGIN:
        stream_begin(s, ctx, ev, b);
        gs_buf_reset(&s->block);
        break;
    case GS_EVENT_DELTA:
        if (hides(ctx, ev))
            gs_buf_slice(&s->block, ev->text);
        else if (ev->text.len)
            stream_delta(s, ev, b);
        break;
    case GS_EVENT_END:
        stream_end(s, ctx, ev, b);
        break;
    case GS_EVENT_STOP:
        stream_stop(ctx, ev, b);
        break;
    case GS_EVENT_ERROR:
        open_event(b, "error");
        write_error_body(gs_dialect_status(&gs_dialect_anthropic, ev->error), ev->error,
                         ctx->request_id, b);
        close_event(b);
        break;
    }
}

/* ---- whole ---- */

static void collect_begin(struct answer *s, const struct gs_dialect_context *ctx,
                          const struct gs_event *ev)
{
    if (s->content.len)
        gs_buf_putc(&s->content, ',');
    if (ev->block == GS_BLOCK_TOOL_CALL) {
        write_call_head(&s->content, ctx, ev);
        gs_buf_puts(&s->content, ",\"input\":");
    } else if (ev->block == GS_BLOCK_REASONING) {
        gs_buf_puts(&s->content, "{\"type\":\"thinking\",");
    } else {
        gs_buf_puts(&s->content, "{\"type\":\"text\",");
    }
    gs_buf_reset(&s->block);
}

static void collect_end(struct answer *s, const struct gs_dialect_context *ctx,
                        const struct gs_event *ev)
{
    const struct gs_slice text = gs_buf_view(&s->block);

    gs_dialect_writer_check(&s->block, &s->content);
    if (ev->block == GS_BLOCK_TOOL_CALL) {
        gs_dialect_write_object(&s->content, text);
    } else if (hides(ctx, ev)) {
        gs_buf_puts(&s->content, "\"thinking\":\"\",\"signature\":");
        gs_dialect_write_signature(&s->content, ev->signature, text);
    } else if (ev->block == GS_BLOCK_REASONING) {
        gs_dialect_write_member(&s->content, "thinking", text);
        gs_buf_putc(&s->content, ',');
        gs_dialect_write_member(&s->content, "signature", ev->signature);
    } else {
        gs_dialect_write_member(&s->content, "text", text);
    }
    gs_buf_putc(&s->content, '}');
}

static void write_whole(const struct answer *s, const struct gs_dialect_context *ctx,
                        const struct gs_event *ev, struct gs_buf *b)
{
    gs_dialect_writer_check(&s->content, b);
    gs_buf_putc(b, '{');
    write_message_head(b, s, ctx);
    gs_buf_puts(b, ",\"content\":[");
    gs_buf_slice(b, gs_buf_view(&s->content));
    gs_buf_puts(b, "],");
    write_stop(b, ev);
    gs_buf_putc(b, ',');
    write_usage(b, ctx, &ev->usage);
    gs_buf_putc(b, '}');
}

static void collect_event(struct answer *s, const struct gs_dialect_context *ctx,
                          const struct gs_event *ev, struct gs_buf *b)
{
    gs_dialect_writer_ready(&s->content);
    gs_dialect_writer_ready(&s->block);
    switch (ev->kind) {
    case GS_EVENT_START:
        s->prompt_tokens = ev->usage.prompt_tokens;
        gs_dialect_names_take(&s->names, ev, &s->content);
        break;
    case GS_EVENT_BEGIN:
        collect_begin(s, ctx, ev);
        break;
    case GS_EVENT_DELTA:
        gs_buf_slice(&s->block, ev->text);
        break;
    case GS_EVENT_END:
        collect_end(s, ctx, ev);
        break;
    case GS_EVENT_STOP:
        if (ctx->is_count)
            gs_buf_printf(b, "{\"input_tokens\":%lld}", (long long)s->prompt_tokens);
        else
            write_whole(s, ctx, ev, b);
        break;
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

static void write_keepalive(void *state, const struct gs_dialect_context *ctx, struct gs_buf *b)
{
    (void)state;
    (void)ctx;
    open_event(b, "ping");
    close_event(b);
}

static void clear_state(void *state)
{
    struct answer *s = state;

    gs_dialect_names_clear(&s->names);
    gs_buf_clear(&s->content);
    gs_buf_clear(&s->block);
}

static void write_error(int status, const struct gs_error *err, struct gs_slice request_id,
                        struct gs_buf *b)
{
    gs_buf_puts(b, "{\"type\":\"error\"");
    write_error_body(status, err, request_id, b);
    gs_buf_putc(b, '}');
}

const struct gs_dialect gs_dialect_anthropic = {
    .name = "anthropic",
    .stream_content_type = "text/event-stream; charset=utf-8",
    .has_comments = true,
    .state_bytes = sizeof(struct answer),
    .overload_status = 529,
    .limit_header = "anthropic-ratelimit-requests-limit",
    .remaining_header = "anthropic-ratelimit-requests-remaining",
    .read_request = gs_dialect_anthropic_read,
    .write_event = write_event,
    .write_keepalive = write_keepalive,
    .clear_state = clear_state,
    .write_error = write_error,
};
