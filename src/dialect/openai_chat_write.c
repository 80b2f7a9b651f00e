/* OpenAI Chat Completions, answers: chunks whose deltas add up to one message for each choice, then
 * [DONE] (https://platform.openai.com/docs/api-reference/chat-streaming). Chunks of several choices
 * come mixed. Reasoning goes out as reasoning_content, and if an upstream signed it also in
 * reasoning_details, as OpenRouter's clients hand it back. A silent stream is kept alive by an
 * empty delta: comments do not count as a sign of life for Qwen Code 0.24. */
#include "base/error.h"
#include "base/slice.h"
#include "dialect/custom.h"
#include "dialect/openai_chat.h"
#include "dialect/writer.h"
#include "json/json.h"

enum call_kind { CALL_NONE, CALL_TOOL, CALL_CUSTOM, CALL_FUNCTION };

struct choice {
    struct gs_buf text, reasoning; /* not streamed: so far */
    struct gs_buf thought;         /* of the reasoning being told */
    struct gs_buf details;         /* not streamed: items of reasoning_details */
    unsigned n_details;
    struct gs_buf calls;             /* not streamed: items of tool_calls, comma-separated */
    struct gs_buf args;              /* not streamed: of the call being made */
    struct gs_dialect_custom custom; /* or its input */
    struct gs_buf logprobs;          /* not streamed: items of logprobs.content */
    unsigned n_calls;
    enum call_kind call; /* being made */
    bool has_role;       /* streamed: the first delta was sent */
    bool has_args;       /* streamed: of the call being made */
    bool has_stopped;
    enum gs_stop_reason stop;
};

struct answer {
    struct gs_dialect_names names;
    struct choice choices[GS_DIALECT_OPENAI_MAX_CHOICES];
};

static const struct gs_dialect_openai_request *request_of(const struct gs_dialect_context *ctx)
{
    static const struct gs_dialect_openai_request plain = {.has_functions = false};

    return ctx->own ? ctx->own : &plain;
}

/* ---- pieces ---- */

void gs_dialect_openai_write_head(struct gs_buf *b, const struct gs_dialect_names *names,
                                  const struct gs_dialect_context *ctx, const char *prefix,
                                  const char *object)
{
    gs_buf_puts(b, "{\"id\":");
    gs_dialect_write_id(b, names, ctx, prefix);
    gs_buf_printf(b, ",\"object\":\"%s\",\"created\":%lld,", object,
                  (long long)ctx->created_us / 1000000);
    gs_dialect_write_model(b, names, ctx);
    if (ctx->fingerprint.len) {
        gs_buf_putc(b, ',');
        gs_dialect_write_member(b, "system_fingerprint", ctx->fingerprint);
    }
}

void gs_dialect_openai_write_cached(struct gs_buf *b, const struct gs_usage *u)
{
    gs_buf_printf(b, "{\"cached_tokens\":%lld", (long long)u->cached_tokens);
    if (u->cache_write_tokens > 0)
        gs_buf_printf(b, ",\"cache_write_tokens\":%lld", (long long)u->cache_write_tokens);
    gs_buf_putc(b, '}');
}

void gs_dialect_openai_write_usage(struct gs_buf *b, const struct gs_usage *u)
{
    gs_buf_printf(b,
                  "\"usage\":{\"prompt_tokens\":%lld,\"completion_tokens\":%lld,"
                  "\"total_tokens\":%lld,\"prompt_tokens_details\":",
                  (long long)u->prompt_tokens, (long long)u->answer_tokens,
                  (long long)u->prompt_tokens + u->answer_tokens);
    gs_dialect_openai_write_cached(b, u);
    gs_buf_printf(b, ",\"completion_tokens_details\":{\"reasoning_tokens\":%lld}}",
                  (long long)u->reasoning_tokens);
}

static const char *finish_reason(const struct gs_dialect_context *ctx, enum gs_stop_reason stop)
{
    switch (stop) {
    case GS_STOP_END:
    case GS_STOP_SEQUENCE:
        return "stop";
    case GS_STOP_LENGTH:
    case GS_STOP_CONTEXT:
        return "length";
    case GS_STOP_TOOL_CALL:
        return request_of(ctx)->has_functions ? "function_call" : "tool_calls";
    case GS_STOP_REFUSAL:
        return "content_filter";
    }
    return "stop";
}

/* `"token":"...","logprob":-0.1,"bytes":[...]` */
static void write_token(struct gs_buf *b, struct gs_slice text, float logprob)
{
    gs_dialect_write_member(b, "token", text);
    gs_buf_puts(b, ",\"logprob\":");
    gs_json_write_double(b, (double)logprob);
    gs_buf_puts(b, ",\"bytes\":[");
    for (size_t i = 0; i < text.len; i++)
        gs_buf_printf(b, "%s%u", i ? "," : "", (unsigned)(unsigned char)text.ptr[i]);
    gs_buf_putc(b, ']');
}

static void write_logprobs(struct gs_buf *b, const struct gs_event *ev)
{
    for (size_t i = 0; i < ev->n_logprob; i++) {
        const struct gs_logprob *lp = &ev->logprob[i];
        gs_buf_puts(b, i ? ",{" : "{");
        write_token(b, lp->text, lp->logprob);
        gs_buf_puts(b, ",\"top_logprobs\":[");
        for (size_t t = 0; t < lp->n_top; t++) {
            gs_buf_puts(b, t ? ",{" : "{");
            write_token(b, lp->top[t].text, lp->top[t].logprob);
            gs_buf_putc(b, '}');
        }
        gs_buf_puts(b, "]}");
    }
}

/* They are of the content, so that their tokens add up to it. */
static bool has_logprobs(const struct gs_event *ev)
{
    return ev && ev->n_logprob > 0 && ev->block == GS_BLOCK_TEXT;
}

static bool is_custom(const struct gs_dialect_context *ctx, struct gs_slice name)
{
    const struct gs_dialect_openai_request *q = request_of(ctx);

    for (size_t i = 0; i < q->n_custom; i++)
        if (gs_slice_eq(q->custom[i], name))
            return true;
    return false;
}

static void begin_call(struct choice *s, const struct gs_dialect_context *ctx,
                       const struct gs_event *ev)
{
    s->n_calls++;
    s->has_args = false;
    if (request_of(ctx)->has_functions)
        s->call = s->n_calls == 1 ? CALL_FUNCTION : CALL_NONE; /* there is room for one */
    else
        s->call = is_custom(ctx, ev->name) ? CALL_CUSTOM : CALL_TOOL;
    if (s->call == CALL_CUSTOM)
        gs_dialect_custom_begin(&s->custom);
}

/* `"id":...,"type":"function","function":{"name":...,"arguments":` */
static void write_call_head(struct gs_buf *b, const struct choice *s,
                            const struct gs_dialect_context *ctx, const struct gs_event *ev)
{
    const struct gs_slice tail = gs_dialect_id_tail(ctx->request_id);

    if (ev->id.len)
        gs_dialect_write_member(b, "id", ev->id);
    else
        gs_buf_printf(b, "\"id\":\"call_%.*s_%u\"", (int)tail.len, tail.ptr, ev->block_idx);
    gs_buf_puts(b, s->call == CALL_CUSTOM ? ",\"type\":\"custom\",\"custom\":{"
                                          : ",\"type\":\"function\",\"function\":{");
    gs_dialect_write_member(b, "name", ev->name);
    gs_buf_puts(b, s->call == CALL_CUSTOM ? ",\"input\":" : ",\"arguments\":");
}

/* {"type":"reasoning.encrypted",...}: signature and text of the reasoning that has ended. */
static void write_detail(struct choice *s, struct gs_slice signature, struct gs_buf *b)
{
    gs_dialect_writer_check(&s->thought, b);
    gs_buf_puts(b, "{\"type\":\"reasoning.encrypted\",\"data\":");
    gs_dialect_write_signature(b, signature, gs_buf_view(&s->thought));
    gs_buf_printf(b, ",\"format\":\"unknown\",\"index\":%u}", s->n_details++);
}

/* ---- streamed ---- */

/* A chunk up to its delta's first member, and from there to the end. */
static void open_chunk(struct answer *s, uint32_t idx, const struct gs_dialect_context *ctx,
                       struct gs_buf *b)
{
    gs_buf_puts(b, "data: ");
    gs_dialect_openai_write_head(b, &s->names, ctx, "chatcmpl-", "chat.completion.chunk");
    gs_buf_printf(b, ",\"choices\":[{\"index\":%u,\"delta\":{", idx);
    if (!s->choices[idx].has_role)
        gs_buf_puts(b, "\"role\":\"assistant\",");
    s->choices[idx].has_role = true;
}

static void close_chunk(const struct gs_dialect_context *ctx, const struct gs_event *ev,
                        struct gs_buf *b)
{
    gs_buf_putc(b, '}');
    if (has_logprobs(ev)) {
        gs_buf_puts(b, ",\"logprobs\":{\"content\":[");
        write_logprobs(b, ev);
        gs_buf_puts(b, "],\"refusal\":null}");
    }
    gs_buf_puts(b, ",\"finish_reason\":");
    if (ev && ev->kind == GS_EVENT_STOP)
        gs_buf_printf(b, "\"%s\"}]", finish_reason(ctx, ev->stop));
    else
        gs_buf_puts(b, "null}]");
    if (ctx->include_usage && ev && request_of(ctx)->usage_always) {
        gs_buf_putc(b, ',');
        gs_dialect_openai_write_usage(b, &ev->usage);
    } else if (ctx->include_usage) {
        gs_buf_puts(b, ",\"usage\":null");
    }
    gs_buf_puts(b, "}\n\n");
}

static void write_empty(struct answer *s, uint32_t idx, const struct gs_dialect_context *ctx,
                        struct gs_buf *b)
{
    open_chunk(s, idx, ctx, b);
    gs_buf_puts(b, "\"content\":\"\"");
    close_chunk(ctx, NULL, b);
}

static void write_keepalive(void *state, const struct gs_dialect_context *ctx, struct gs_buf *b)
{
    struct answer *s = state;
    uint32_t idx = 0;

    while (s->choices[idx].has_stopped && idx + 1 < GS_COUNT_OF(s->choices))
        idx++; /* nothing follows a finish_reason */
    write_empty(s, idx, ctx, b);
}

static void stream_begin(struct answer *all, const struct gs_dialect_context *ctx,
                         const struct gs_event *ev, struct gs_buf *b)
{
    struct choice *s = &all->choices[ev->answer_idx];

    if (ev->block != GS_BLOCK_TOOL_CALL)
        return;
    begin_call(s, ctx, ev);
    if (s->call == CALL_NONE)
        return;
    open_chunk(all, ev->answer_idx, ctx, b);
    if (s->call != CALL_FUNCTION) {
        gs_buf_printf(b, "\"tool_calls\":[{\"index\":%u,", s->n_calls - 1);
        write_call_head(b, s, ctx, ev);
        gs_buf_puts(b, "\"\"}}]");
    } else {
        gs_buf_puts(b, "\"function_call\":{");
        gs_dialect_write_member(b, "name", ev->name);
        gs_buf_puts(b, ",\"arguments\":\"\"}");
    }
    close_chunk(ctx, ev, b);
}

static void stream_input(struct answer *all, const struct gs_dialect_context *ctx,
                         const struct gs_event *ev, struct gs_slice input, struct gs_buf *b)
{
    if (input.len == 0)
        return;
    open_chunk(all, ev->answer_idx, ctx, b);
    gs_buf_printf(b, "\"tool_calls\":[{\"index\":%u,\"custom\":{",
                  all->choices[ev->answer_idx].n_calls - 1);
    gs_dialect_write_member(b, "input", input);
    gs_buf_puts(b, "}}]");
    close_chunk(ctx, ev, b);
}

static void stream_args(struct answer *all, const struct gs_dialect_context *ctx,
                        const struct gs_event *ev, struct gs_buf *b)
{
    struct choice *s = &all->choices[ev->answer_idx];

    s->has_args = true;
    if (s->call == CALL_CUSTOM)
        stream_input(all, ctx, ev, gs_dialect_custom_feed(&s->custom, ev->text), b);
    if (s->call != CALL_TOOL && s->call != CALL_FUNCTION)
        return;
    open_chunk(all, ev->answer_idx, ctx, b);
    if (s->call == CALL_TOOL) {
        gs_buf_printf(b, "\"tool_calls\":[{\"index\":%u,\"function\":{", s->n_calls - 1);
        gs_dialect_write_member(b, "arguments", ev->text);
        gs_buf_puts(b, "}}]");
    } else {
        gs_buf_puts(b, "\"function_call\":{");
        gs_dialect_write_member(b, "arguments", ev->text);
        gs_buf_putc(b, '}');
    }
    close_chunk(ctx, ev, b);
}

static void stream_delta(struct answer *s, const struct gs_dialect_context *ctx,
                         const struct gs_event *ev, struct gs_buf *b)
{
    if (ev->block == GS_BLOCK_TOOL_CALL) {
        stream_args(s, ctx, ev, b);
        return;
    }
    if (!ev->text.len && !has_logprobs(ev))
        return;
    if (ev->block == GS_BLOCK_REASONING)
        gs_buf_slice(&s->choices[ev->answer_idx].thought, ev->text);
    open_chunk(s, ev->answer_idx, ctx, b);
    gs_dialect_write_member(b, ev->block == GS_BLOCK_REASONING ? "reasoning_content" : "content",
                            ev->text);
    close_chunk(ctx, ev, b);
}

static void stream_end(struct answer *all, const struct gs_dialect_context *ctx,
                       const struct gs_event *ev, struct gs_buf *b)
{
    struct choice *s = &all->choices[ev->answer_idx];
    struct gs_event none = *ev;

    if (ev->block == GS_BLOCK_REASONING && gs_dialect_is_signed(ev->signature)) {
        open_chunk(all, ev->answer_idx, ctx, b);
        gs_buf_puts(b, "\"reasoning_details\":[");
        write_detail(s, ev->signature, b);
        gs_buf_putc(b, ']');
        close_chunk(ctx, ev, b);
    }
    if (ev->block != GS_BLOCK_TOOL_CALL)
        return;
    if (s->call == CALL_CUSTOM) {
        stream_input(all, ctx, ev, gs_dialect_custom_end(&s->custom), b);
        gs_dialect_writer_check(&s->custom.input, b);
    } else if (!s->has_args) { /* clients parse them as JSON, which nothing is not */
        none.text = GS_SLICE_LIT("{}");
        stream_args(all, ctx, &none, b);
    }
}

static void stream_stop(struct answer *s, const struct gs_dialect_context *ctx,
                        const struct gs_event *ev, struct gs_buf *b)
{
    if (!s->choices[ev->answer_idx].has_role)
        write_empty(s, ev->answer_idx, ctx, b);
    open_chunk(s, ev->answer_idx, ctx, b);
    close_chunk(ctx, ev, b);
    s->choices[ev->answer_idx].has_stopped = true;
    if (ev->n_left > 0)
        return;
    if (ctx->include_usage) {
        gs_buf_puts(b, "data: ");
        gs_dialect_openai_write_head(b, &s->names, ctx, "chatcmpl-", "chat.completion.chunk");
        gs_buf_puts(b, ",\"choices\":[],");
        gs_dialect_openai_write_usage(b, &ev->usage);
        gs_buf_puts(b, "}\n\n");
    }
    gs_buf_puts(b, "data: [DONE]\n\n");
}

static void stream_event(struct answer *s, const struct gs_dialect_context *ctx,
                         const struct gs_event *ev, struct gs_buf *b)
{
    switch (ev->kind) {
    case GS_EVENT_START:
        if (!s->choices[0].has_role)
            write_empty(s, 0, ctx, b);
        break;
    case GS_EVENT_BEGIN:
        stream_begin(s, ctx, ev, b);
        break;
    case GS_EVENT_DELTA:
        stream_delta(s, ctx, ev, b);
        break;
    case GS_EVENT_END:
        stream_end(s, ctx, ev, b);
        break;
    case GS_EVENT_STOP:
        stream_stop(s, ctx, ev, b);
        break;
    case GS_EVENT_ERROR:
        gs_dialect_openai_stream_error(ev->error, ctx->request_id, b);
        break;
    case GS_EVENT_PROGRESS:
    case GS_EVENT_VECTOR:
        break;
    }
}

/* ---- whole ---- */

static void collect_begin(struct choice *s, const struct gs_dialect_context *ctx,
                          const struct gs_event *ev)
{
    if (ev->block != GS_BLOCK_TOOL_CALL)
        return;
    begin_call(s, ctx, ev);
    gs_buf_reset(&s->args);
    if (s->call == CALL_FUNCTION) {
        gs_buf_putc(&s->calls, '{');
        gs_dialect_write_member(&s->calls, "name", ev->name);
        gs_buf_puts(&s->calls, ",\"arguments\":");
    } else if (s->call != CALL_NONE) {
        gs_buf_puts(&s->calls, s->calls.len ? ",{" : "{");
        write_call_head(&s->calls, s, ctx, ev);
    }
}

static void collect_delta(struct choice *s, const struct gs_event *ev)
{
    if (ev->block == GS_BLOCK_TOOL_CALL && s->call == CALL_CUSTOM)
        (void)gs_dialect_custom_feed(&s->custom, ev->text);
    else if (ev->block == GS_BLOCK_TOOL_CALL)
        gs_buf_slice(&s->args, ev->text);
    else
        gs_buf_slice(ev->block == GS_BLOCK_REASONING ? &s->reasoning : &s->text, ev->text);
    if (ev->block == GS_BLOCK_REASONING)
        gs_buf_slice(&s->thought, ev->text);
    if (has_logprobs(ev)) {
        if (s->logprobs.len)
            gs_buf_putc(&s->logprobs, ',');
        write_logprobs(&s->logprobs, ev);
    }
}

static void collect_end(struct choice *s, const struct gs_event *ev)
{
    if (ev->block == GS_BLOCK_REASONING && gs_dialect_is_signed(ev->signature)) {
        gs_buf_puts(&s->details, s->details.len ? "," : "");
        write_detail(s, ev->signature, &s->details);
    }
    if (ev->block != GS_BLOCK_TOOL_CALL || s->call == CALL_NONE)
        return;
    gs_dialect_writer_check(&s->args, &s->calls);
    if (s->call == CALL_CUSTOM) {
        (void)gs_dialect_custom_end(&s->custom);
        gs_dialect_writer_check(&s->custom.input, &s->calls);
        gs_json_write_string(&s->calls, gs_buf_view(&s->custom.input));
    } else {
        gs_json_write_string(&s->calls, s->args.len ? gs_buf_view(&s->args) : GS_SLICE_LIT("{}"));
    }
    gs_buf_puts(&s->calls, s->call == CALL_FUNCTION ? "}" : "}}");
}

static void write_choice(const struct choice *s, unsigned idx, const struct gs_dialect_context *ctx,
                         struct gs_buf *b)
{
    const bool has_functions = request_of(ctx)->has_functions;

    gs_buf_printf(b, "{\"index\":%u,\"message\":{\"role\":\"assistant\",\"content\":", idx);
    if (s->calls.len && !s->text.len)
        gs_buf_puts(b, "null");
    else
        gs_json_write_string(b, gs_buf_view(&s->text));
    gs_buf_puts(b, ",\"refusal\":null");
    if (s->reasoning.len) {
        gs_buf_putc(b, ',');
        gs_dialect_write_member(b, "reasoning_content", gs_buf_view(&s->reasoning));
    }
    if (s->details.len) {
        gs_buf_puts(b, ",\"reasoning_details\":[");
        gs_buf_slice(b, gs_buf_view(&s->details));
        gs_buf_putc(b, ']');
    }
    if (s->calls.len) {
        gs_buf_puts(b, has_functions ? ",\"function_call\":" : ",\"tool_calls\":[");
        gs_buf_slice(b, gs_buf_view(&s->calls));
        gs_buf_puts(b, has_functions ? "" : "]");
    }
    gs_buf_puts(b, "},\"logprobs\":");
    if (s->logprobs.len) {
        gs_buf_puts(b, "{\"content\":[");
        gs_buf_slice(b, gs_buf_view(&s->logprobs));
        gs_buf_puts(b, "],\"refusal\":null}");
    } else {
        gs_buf_puts(b, "null");
    }
    gs_buf_printf(b, ",\"finish_reason\":\"%s\"}", finish_reason(ctx, s->stop));
}

static void write_whole(struct answer *s, const struct gs_dialect_context *ctx,
                        const struct gs_event *ev, struct gs_buf *b)
{
    gs_dialect_openai_write_head(b, &s->names, ctx, "chatcmpl-", "chat.completion");
    gs_buf_puts(b, ",\"choices\":[");
    for (unsigned i = 0; i < GS_COUNT_OF(s->choices); i++) {
        const struct choice *c = &s->choices[i];
        if (!c->has_stopped)
            continue;
        gs_dialect_writer_check(&c->text, b);
        gs_dialect_writer_check(&c->reasoning, b);
        gs_dialect_writer_check(&c->details, b);
        gs_dialect_writer_check(&c->calls, b);
        gs_dialect_writer_check(&c->logprobs, b);
        gs_buf_puts(b, i ? "," : "");
        write_choice(c, i, ctx, b);
    }
    gs_buf_puts(b, "],");
    gs_dialect_openai_write_usage(b, &ev->usage);
    gs_buf_putc(b, '}');
}

static void collect_event(struct answer *all, const struct gs_dialect_context *ctx,
                          const struct gs_event *ev, struct gs_buf *b)
{
    struct choice *s = &all->choices[ev->answer_idx];

    switch (ev->kind) {
    case GS_EVENT_BEGIN:
        collect_begin(s, ctx, ev);
        break;
    case GS_EVENT_DELTA:
        collect_delta(s, ev);
        break;
    case GS_EVENT_END:
        collect_end(s, ev);
        break;
    case GS_EVENT_STOP:
        s->stop = ev->stop;
        s->has_stopped = true;
        if (ev->n_left == 0)
            write_whole(all, ctx, ev, b);
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
    struct answer *s = state;

    if (ev->answer_idx >= GS_COUNT_OF(s->choices))
        return;
    struct choice *c = &s->choices[ev->answer_idx];
    gs_dialect_writer_ready(&c->text);
    gs_dialect_writer_ready(&c->reasoning);
    gs_dialect_writer_ready(&c->thought);
    gs_dialect_writer_ready(&c->details);
    gs_dialect_writer_ready(&c->calls);
    gs_dialect_writer_ready(&c->args);
    gs_dialect_writer_ready(&c->logprobs);
    if (ev->kind == GS_EVENT_START)
        gs_dialect_names_take(&s->names, ev, b);
    if (ev->kind == GS_EVENT_BEGIN)
        gs_buf_reset(&c->thought);
    if (ctx->stream)
        stream_event(s, ctx, ev, b);
    else
        collect_event(s, ctx, ev, b);
}

static void clear_state(void *state)
{
    struct answer *s = state;

    gs_dialect_names_clear(&s->names);
    for (size_t i = 0; i < GS_COUNT_OF(s->choices); i++) {
        gs_buf_clear(&s->choices[i].text);
        gs_buf_clear(&s->choices[i].reasoning);
        gs_buf_clear(&s->choices[i].thought);
        gs_buf_clear(&s->choices[i].details);
        gs_buf_clear(&s->choices[i].calls);
        gs_buf_clear(&s->choices[i].args);
        gs_dialect_custom_clear(&s->choices[i].custom);
        gs_buf_clear(&s->choices[i].logprobs);
    }
}

const struct gs_dialect gs_dialect_openai_chat = {
    .name = "openai-chat",
    .stream_content_type = "text/event-stream; charset=utf-8",
    .has_comments = true,
    .state_bytes = sizeof(struct answer),
    .overload_status = 503,
    .limit_header = "x-ratelimit-limit-requests",
    .remaining_header = "x-ratelimit-remaining-requests",
    .read_request = gs_dialect_openai_chat_read,
    .write_event = write_event,
    .keepalive_opens = true,
    .write_keepalive = write_keepalive,
    .clear_state = clear_state,
    .write_error = gs_dialect_openai_chat_write_error,
};
