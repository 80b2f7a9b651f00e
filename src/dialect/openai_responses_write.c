/* OpenAI Responses, answers: items, each announced, told piece by piece and told whole, in a
 * response that is repeated with all of them at the end
 * (https://platform.openai.com/docs/api-reference/responses-streaming). What Codex does when a
 * piece is missing is in the tests.
 *
 * An item ends with the event that follows it, unless its END says that it is whole: only then is
 * it known whether it was cut short. Its part is announced with its first text. A silent stream is
 * kept alive by response.in_progress: comments do not count as a sign of life for Codex 0.169. */
#include "base/error.h"
#include "base/limits.h"
#include "base/slice.h"
#include "dialect/custom.h"
#include "dialect/openai_chat.h"
#include "dialect/openai_responses.h"
#include "dialect/writer.h"

struct answer {
    struct gs_dialect_names names;
    struct gs_buf item_id; /* as an upstream calls the item being made; else empty */
    struct gs_buf items;   /* those that have ended, comma-separated */
    struct gs_buf text;    /* of the item being made, raw */
    struct gs_buf head;    /* of the call being made: its id and name; of reasoning its signature */
    struct gs_buf logprobs; /* of the text being made, comma-separated */
    struct gs_buf parts;    /* of the reasoning being made, that have ended, comma-separated */
    size_t part_from;       /* of its text: where the part that is told begins */
    unsigned n_parts;       /* that have ended */
    struct gs_dialect_custom custom; /* that call's input */
    enum gs_block_kind kind;         /* of the item being made */
    bool is_custom;                  /* that call's input is text */
    bool has_item;                   /* one is being made, */
    bool has_part;                   /* its part was announced */
    bool has_ended;                  /* and only its end is to be told */
    bool has_created;
    bool is_usable; /* there was text, or a whole call */
    unsigned n_items;
    int64_t sequence;
    int64_t prompt_tokens;
};

enum end { END_IN_PROGRESS, END_COMPLETED, END_INCOMPLETE, END_FAILED };

static const char *const end_names[] = {"in_progress", "completed", "incomplete", "failed"};

static const struct gs_dialect_responses_request *request_of(const struct gs_dialect_context *ctx)
{
    static const struct gs_dialect_responses_request none;

    return ctx->own ? ctx->own : &none;
}

/* ---- kinds of items ---- */

/* How an item spells itself and its pieces; NULL: it has none such. */
struct spelling {
    const char *prefix;                 /* of its id */
    const char *part, *index;           /* type and number of the one part it has */
    const char *part_added, *part_done; /* told of the part */
    const char *delta, *done;           /* told of the text */
    const char *text;                   /* the member of `done` that is all of it */
};

static const struct spelling message = {
    .prefix = "msg",
    .part = "output_text",
    .index = "content_index",
    .part_added = "response.content_part.added",
    .part_done = "response.content_part.done",
    .delta = "response.output_text.delta",
    .done = "response.output_text.done",
    .text = "text",
};
static const struct spelling reasoning = {
    .prefix = "rs",
    .part = "reasoning_text",
    .index = "content_index",
    .part_added = "response.content_part.added",
    .part_done = "response.content_part.done",
    .delta = "response.reasoning_text.delta",
    .done = "response.reasoning_text.done",
    .text = "text",
};
static const struct spelling summary = {
    .prefix = "rs",
    .part = "summary_text",
    .index = "summary_index",
    .part_added = "response.reasoning_summary_part.added",
    .part_done = "response.reasoning_summary_part.done",
    .delta = "response.reasoning_summary_text.delta",
    .done = "response.reasoning_summary_text.done",
    .text = "text",
};
static const struct spelling function_call = {
    .prefix = "fc",
    .delta = "response.function_call_arguments.delta",
    .done = "response.function_call_arguments.done",
    .text = "arguments",
};
static const struct spelling custom_call = {
    .prefix = "ctc",
    .delta = "response.custom_tool_call_input.delta",
    .done = "response.custom_tool_call_input.done",
    .text = "input",
};

static const struct spelling *spelling_of(const struct answer *s,
                                          const struct gs_dialect_context *ctx)
{
    if (s->kind == GS_BLOCK_TEXT)
        return &message;
    if (s->kind == GS_BLOCK_REASONING)
        return request_of(ctx)->has_summary ? &summary : &reasoning;
    return s->is_custom ? &custom_call : &function_call;
}

/* ---- pieces ---- */

/* "0123_4": what makes an item's id unique, and lets it be found again. */
static void write_tail(struct gs_buf *b, const struct answer *s,
                       const struct gs_dialect_context *ctx)
{
    gs_buf_slice(b, gs_dialect_id_tail(ctx->request_id));
    gs_buf_printf(b, "_%u", s->n_items);
}

static void write_item_id(struct gs_buf *b, const struct answer *s,
                          const struct gs_dialect_context *ctx, const char *key)
{
    if (s->item_id.len) {
        gs_dialect_write_member(b, key, gs_buf_view(&s->item_id));
        return;
    }
    gs_buf_printf(b, "\"%s\":\"%s_", key, spelling_of(s, ctx)->prefix);
    write_tail(b, s, ctx);
    gs_buf_putc(b, '"');
}

/* The text of the part that is told. */
static struct gs_slice part_text(const struct answer *s)
{
    return gs_slice_sub(gs_buf_view(&s->text), s->part_from, s->text.len);
}

/* The part of a message or of a reasoning that is told. */
static void write_part(struct gs_buf *b, const struct answer *s,
                       const struct gs_dialect_context *ctx)
{
    gs_buf_printf(b, "{\"type\":\"%s\",", spelling_of(s, ctx)->part);
    if (s->kind == GS_BLOCK_TEXT) {
        gs_buf_puts(b, "\"annotations\":[],\"logprobs\":[");
        gs_buf_slice(b, gs_buf_view(&s->logprobs));
        gs_buf_puts(b, "],");
    }
    gs_dialect_write_member(b, "text", part_text(s));
    gs_buf_putc(b, '}');
}

/* All parts of a reasoning. */
static void write_parts(struct gs_buf *b, const struct answer *s,
                        const struct gs_dialect_context *ctx)
{
    gs_buf_slice(b, gs_buf_view(&s->parts));
    if (part_text(s).len == 0)
        return;
    if (s->parts.len)
        gs_buf_putc(b, ',');
    write_part(b, s, ctx);
}

static struct gs_slice args_of(const struct answer *s)
{
    if (s->is_custom)
        return gs_buf_view(&s->custom.input);
    return s->text.len ? gs_buf_view(&s->text) : GS_SLICE_LIT("{}");
}

/* From after the id to the end of the item. */
static void write_reasoning(struct gs_buf *b, const struct answer *s,
                            const struct gs_dialect_context *ctx, bool is_whole)
{
    const struct gs_dialect_responses_request *own = request_of(ctx);

    gs_buf_puts(b, ",\"type\":\"reasoning\",\"summary\":[");
    if (is_whole && own->has_summary)
        write_parts(b, s, ctx);
    gs_buf_putc(b, ']');
    if (!own->has_summary) {
        gs_buf_puts(b, ",\"content\":[");
        if (is_whole)
            write_parts(b, s, ctx);
        gs_buf_putc(b, ']');
    }
    if (is_whole && (own->has_encrypted || gs_dialect_is_signed(gs_buf_view(&s->head)))) {
        gs_buf_puts(b, ",\"encrypted_content\":");
        gs_dialect_write_signature(b, gs_buf_view(&s->head), gs_buf_view(&s->text));
    }
    gs_buf_putc(b, '}');
}

/* The item being made: as announced (END_IN_PROGRESS) without what it says. */
static void write_item(struct gs_buf *b, const struct answer *s,
                       const struct gs_dialect_context *ctx, enum end end)
{
    const bool is_whole = end != END_IN_PROGRESS;

    gs_buf_putc(b, '{');
    write_item_id(b, s, ctx, "id");
    if (s->kind == GS_BLOCK_REASONING) {
        write_reasoning(b, s, ctx, is_whole);
        return;
    }
    gs_buf_printf(b, ",\"status\":\"%s\",", end_names[end]);
    if (s->kind == GS_BLOCK_TEXT) {
        gs_buf_puts(b, "\"type\":\"message\",\"role\":\"assistant\",\"content\":[");
        if (is_whole)
            write_part(b, s, ctx);
        gs_buf_puts(b, "]}");
        return;
    }
    gs_buf_printf(b, "\"type\":\"%s\",", s->is_custom ? "custom_tool_call" : "function_call");
    gs_buf_slice(b, gs_buf_view(&s->head));
    gs_buf_putc(b, ',');
    gs_dialect_write_member(b, s->is_custom ? "input" : "arguments",
                            is_whole ? args_of(s) : gs_slice(NULL, 0));
    gs_buf_putc(b, '}');
}

static void write_usage(struct gs_buf *b, const struct gs_usage *u)
{
    gs_buf_printf(b,
                  "{\"input_tokens\":%lld,\"input_tokens_details\":", (long long)u->prompt_tokens);
    gs_dialect_openai_write_cached(b, u);
    gs_buf_printf(b,
                  ",\"output_tokens\":%lld,\"output_tokens_details\":{\"reasoning_tokens\":%lld},"
                  "\"total_tokens\":%lld}",
                  (long long)u->answer_tokens, (long long)u->reasoning_tokens,
                  (long long)u->prompt_tokens + u->answer_tokens);
}

static const char *error_code(const struct gs_error *err)
{
    const int status = gs_dialect_status(&gs_dialect_openai_responses, err);

    if (err->code == GS_ECONTEXT)
        return "context_length_exceeded";
    if (status == gs_dialect_openai_responses.overload_status)
        return "server_is_overloaded";
    return status < 500 ? "invalid_prompt" : "server_error";
}

static void write_failure(struct gs_buf *b, const struct gs_error *err)
{
    gs_buf_printf(b, "{\"code\":\"%s\",\"message\":", error_code(err));
    gs_dialect_write_words(b, err);
    gs_buf_putc(b, '}');
}

/* Why an answer is not whole; NULL: it is. */
static const char *cut_by(const struct gs_event *ev)
{
    if (!ev || ev->kind != GS_EVENT_STOP)
        return NULL;
    return ev->stop == GS_STOP_REFUSAL                                 ? "content_filter"
           : ev->stop == GS_STOP_LENGTH || ev->stop == GS_STOP_CONTEXT ? "max_output_tokens"
                                                                       : NULL;
}

/* The response; ev is the event that ended it, or NULL. */
static void write_response(struct gs_buf *b, const struct answer *s,
                           const struct gs_dialect_context *ctx, enum end end,
                           const struct gs_event *ev)
{
    const struct gs_dialect_responses_request *own = request_of(ctx);

    gs_buf_puts(b, "{\"id\":");
    gs_dialect_write_id(b, &s->names, ctx, "resp_");
    gs_buf_printf(b, ",\"object\":\"response\",\"created_at\":%lld,",
                  (long long)ctx->created_us / 1000000);
    gs_buf_printf(b, "\"status\":\"%s\",\"error\":", end_names[end]);
    if (ev && ev->error)
        write_failure(b, ev->error);
    else
        gs_buf_puts(b, "null");
    if (cut_by(ev))
        gs_buf_printf(b, ",\"incomplete_details\":{\"reason\":\"%s\"},", cut_by(ev));
    else
        gs_buf_puts(b, ",\"incomplete_details\":null,");
    gs_dialect_write_model(b, &s->names, ctx);
    gs_buf_puts(b, ",\"output\":[");
    gs_buf_slice(b, gs_buf_view(&s->items));
    gs_buf_puts(b, "],");
    gs_buf_slice(b, own->echo);
    gs_buf_puts(b, own->echo.len ? ",\"usage\":" : "\"usage\":");
    if (ev && ev->kind == GS_EVENT_STOP)
        write_usage(b, &ev->usage);
    else
        gs_buf_puts(b, "null");
    gs_buf_putc(b, '}');
}

/* ---- events of a stream ---- */

static void open_event(struct answer *s, const char *type, struct gs_buf *b)
{
    gs_buf_printf(b, "event: %s\ndata: {\"type\":\"%s\",\"sequence_number\":%lld,", type, type,
                  (long long)s->sequence++);
}

static void close_event(struct gs_buf *b)
{
    gs_buf_puts(b, "}\n\n");
}

static void stream_response(struct answer *s, const struct gs_dialect_context *ctx,
                            const char *type, enum end end, const struct gs_event *ev,
                            struct gs_buf *b)
{
    open_event(s, type, b);
    gs_buf_puts(b, "\"response\":");
    write_response(b, s, ctx, end, ev);
    close_event(b);
}

/* The SDK's helper expects this before anything else. */
static void stream_created(struct answer *s, const struct gs_dialect_context *ctx, struct gs_buf *b)
{
    if (s->has_created)
        return;
    s->has_created = true;
    stream_response(s, ctx, "response.created", END_IN_PROGRESS, NULL, b);
    stream_response(s, ctx, "response.in_progress", END_IN_PROGRESS, NULL, b);
}

static void stream_item(struct answer *s, const struct gs_dialect_context *ctx, const char *type,
                        enum end end, struct gs_buf *b)
{
    open_event(s, type, b);
    gs_buf_printf(b, "\"output_index\":%u,\"item\":", s->n_items);
    write_item(b, s, ctx, end);
    close_event(b);
}

/* Up to where an event about a piece of the item differs from others. */
static void open_piece(struct answer *s, const struct gs_dialect_context *ctx, const char *type,
                       const char *index, struct gs_buf *b)
{
    open_event(s, type, b);
    write_item_id(b, s, ctx, "item_id");
    gs_buf_printf(b, ",\"output_index\":%u,", s->n_items);
    if (index)
        gs_buf_printf(b, "\"%s\":%u,", index, s->n_parts);
}

static void stream_part(struct answer *s, const struct gs_dialect_context *ctx, const char *type,
                        struct gs_buf *b)
{
    open_piece(s, ctx, type, spelling_of(s, ctx)->index, b);
    gs_buf_puts(b, "\"part\":");
    write_part(b, s, ctx);
    close_event(b);
}

/* Once for each item that has one. */
static void stream_part_added(struct answer *s, const struct gs_dialect_context *ctx,
                              struct gs_buf *b)
{
    if (!s->has_part && spelling_of(s, ctx)->part_added)
        stream_part(s, ctx, spelling_of(s, ctx)->part_added, b);
    s->has_part = true;
}

static void stream_delta(struct answer *s, const struct gs_dialect_context *ctx,
                         struct gs_slice text, struct gs_slice logprobs, struct gs_buf *b)
{
    const struct spelling *p = spelling_of(s, ctx);

    open_piece(s, ctx, p->delta, p->index, b);
    if (s->kind == GS_BLOCK_TEXT) {
        gs_buf_puts(b, "\"logprobs\":[");
        gs_buf_slice(b, logprobs);
        gs_buf_puts(b, "],");
    }
    gs_dialect_write_member(b, "delta", text);
    close_event(b);
}

/* ---- items, streamed or not ---- */

/* What the client calls the tool, and how it wants its input. */
static void begin_call(struct answer *s, const struct gs_dialect_context *ctx,
                       const struct gs_event *ev)
{
    const struct gs_dialect_responses_request *own = request_of(ctx);
    struct gs_dialect_responses_tool tool = {.name = ev->name};

    for (size_t i = 0; i < own->n_tools; i++) {
        if (gs_slice_eq(own->tools[i].flat, ev->name)) {
            tool = own->tools[i];
            break;
        }
    }
    s->is_custom = tool.is_custom;
    if (s->is_custom)
        gs_dialect_custom_begin(&s->custom);
    if (ev->id.len) {
        gs_dialect_write_member(&s->head, "call_id", ev->id);
    } else {
        gs_buf_puts(&s->head, "\"call_id\":\"call_");
        write_tail(&s->head, s, ctx);
        gs_buf_putc(&s->head, '"');
    }
    gs_buf_putc(&s->head, ',');
    gs_dialect_write_member(&s->head, "name", tool.name);
    if (tool.space.len) {
        gs_buf_putc(&s->head, ',');
        gs_dialect_write_member(&s->head, "namespace", tool.space);
    }
}

static void begin_item(struct answer *s, const struct gs_dialect_context *ctx,
                       const struct gs_event *ev, struct gs_buf *b)
{
    s->kind = ev->block;
    s->has_item = true;
    s->has_ended = false;
    s->has_part = false;
    gs_buf_reset(&s->item_id);
    gs_buf_slice(&s->item_id, ev->item_id);
    gs_buf_reset(&s->text);
    gs_buf_reset(&s->logprobs);
    gs_buf_reset(&s->head);
    gs_buf_reset(&s->parts);
    s->part_from = 0;
    s->n_parts = 0;
    s->is_custom = false;
    if (ev->block == GS_BLOCK_TOOL_CALL)
        begin_call(s, ctx, ev);
    if (ctx->stream)
        stream_item(s, ctx, "response.output_item.added", END_IN_PROGRESS, b);
}

/* What the item says is told whole. */
static void stream_done(struct answer *s, const struct gs_dialect_context *ctx, struct gs_buf *b)
{
    const struct spelling *p = spelling_of(s, ctx);
    const bool is_call = s->kind == GS_BLOCK_TOOL_CALL;

    stream_part_added(s, ctx, b);
    if (is_call && !s->is_custom && !s->text.len)
        stream_delta(s, ctx, args_of(s), gs_slice(NULL, 0), b);
    open_piece(s, ctx, p->done, p->index, b);
    if (s->kind == GS_BLOCK_TEXT) {
        gs_buf_puts(b, "\"logprobs\":[");
        gs_buf_slice(b, gs_buf_view(&s->logprobs));
        gs_buf_puts(b, "],");
    }
    gs_dialect_write_member(b, p->text, is_call ? args_of(s) : part_text(s));
    close_event(b);
    if (p->part_done)
        stream_part(s, ctx, p->part_done, b);
}

/* The reasoning goes on in another part. */
static void next_part(struct answer *s, const struct gs_dialect_context *ctx,
                      const struct gs_event *ev, struct gs_buf *b)
{
    if (s->has_part) {
        if (ctx->stream)
            stream_done(s, ctx, b);
        gs_buf_puts(&s->parts, s->n_parts ? "," : "");
        write_part(&s->parts, s, ctx);
        s->n_parts++;
    }
    gs_buf_slice(&s->text, ev->text);
    s->part_from = s->text.len;
    s->has_part = false;
}

static void add_input(struct answer *s, const struct gs_dialect_context *ctx, struct gs_slice input,
                      struct gs_buf *b)
{
    if (ctx->stream && input.len > 0)
        stream_delta(s, ctx, input, gs_slice(NULL, 0), b);
}

static void add_delta(struct answer *s, const struct gs_dialect_context *ctx,
                      const struct gs_event *ev, struct gs_buf *b)
{
    const size_t before = s->logprobs.len;

    if (s->is_custom) {
        add_input(s, ctx, gs_dialect_custom_feed(&s->custom, ev->text), b);
        return;
    }
    if (ev->is_gap) {
        next_part(s, ctx, ev, b);
        return;
    }
    if (ctx->stream)
        stream_part_added(s, ctx, b);
    gs_buf_slice(&s->text, ev->text);
    if (ev->n_logprob && s->kind == GS_BLOCK_TEXT) {
        if (before)
            gs_buf_putc(&s->logprobs, ',');
        gs_dialect_write_logprobs(&s->logprobs, ev, false);
    }
    if (ctx->stream && (ev->text.len || s->logprobs.len > before)) {
        const size_t from = before + (before && s->logprobs.len > before);
        stream_delta(s, ctx, ev->text, gs_slice_sub(gs_buf_view(&s->logprobs), from, SIZE_MAX), b);
    }
}

/* Reasoning that nobody may read has no part. */
static void stream_item_end(struct answer *s, const struct gs_dialect_context *ctx, enum end end,
                            struct gs_buf *b)
{
    if (s->kind != GS_BLOCK_REASONING || s->has_part)
        stream_done(s, ctx, b);
    stream_item(s, ctx, "response.output_item.done", end, b);
}

static void end_item(struct answer *s, const struct gs_dialect_context *ctx, enum end end,
                     struct gs_buf *b)
{
    const bool is_call = s->kind == GS_BLOCK_TOOL_CALL;

    if (!s->has_item)
        return;
    if (s->is_custom)
        add_input(s, ctx, gs_dialect_custom_end(&s->custom), b);
    if (ctx->stream)
        stream_item_end(s, ctx, end, b);
    if (s->items.len)
        gs_buf_putc(&s->items, ',');
    write_item(&s->items, s, ctx, end);
    gs_dialect_writer_check(&s->text, &s->items);
    gs_dialect_writer_check(&s->head, &s->items);
    gs_dialect_writer_check(&s->parts, &s->items);
    gs_dialect_writer_check(&s->custom.input, &s->items);
    gs_dialect_writer_check(&s->item_id, &s->items);
    gs_dialect_writer_check(&s->logprobs, &s->items);
    if (is_call ? end == END_COMPLETED : s->kind == GS_BLOCK_TEXT && s->text.len)
        s->is_usable = true;
    s->n_items++;
    s->has_item = false;
}

/* An item that the client has of somebody else has this place. */
static void pass_over(struct answer *s, const struct gs_dialect_context *ctx, struct gs_buf *b)
{
    end_item(s, ctx, END_COMPLETED, b);
    s->n_items++;
}

/* ---- the end ---- */

/* An answer that was cut because the client limited it is incomplete. One that filled the context
 * is that only if there is nothing in it to go on with: Codex drops an incomplete turn, but makes
 * room by itself after a complete one. */
static enum end end_of(const struct answer *s, const struct gs_dialect_context *ctx,
                       const struct gs_event *ev)
{
    switch (ev->stop) {
    case GS_STOP_END:
    case GS_STOP_SEQUENCE:
    case GS_STOP_TOOL_CALL:
        return END_COMPLETED;
    case GS_STOP_LENGTH:
        if (request_of(ctx)->has_limit)
            return END_INCOMPLETE;
        break;
    case GS_STOP_REFUSAL:
        return END_INCOMPLETE;
    case GS_STOP_CONTEXT:
        break;
    }
    return s->is_usable ? END_COMPLETED : END_INCOMPLETE;
}

static void keep(const struct answer *s, const struct gs_dialect_context *ctx,
                 const struct gs_buf *whole)
{
    const struct gs_dialect_responses_request *own = request_of(ctx);
    struct gs_buf id;

    if (!own->is_kept || !ctx->store || !gs_buf_ok(whole))
        return;
    gs_buf_init(&id, GS_MAX_TEXT_BYTES);
    if (s->names.id.len) {
        gs_buf_slice(&id, gs_buf_view(&s->names.id));
    } else {
        gs_buf_puts(&id, "resp_");
        gs_buf_slice(&id, gs_dialect_id_tail(ctx->request_id));
    }
    if (gs_buf_ok(&id))
        ctx->store->keep(ctx->store->self, &(struct gs_dialect_record){.id = gs_buf_view(&id),
                                                                       .previous = own->previous,
                                                                       .input = own->input,
                                                                       .body = gs_buf_view(whole)});
    gs_buf_clear(&id);
}

static void write_end(struct answer *s, const struct gs_dialect_context *ctx,
                      const struct gs_event *ev, struct gs_buf *b)
{
    static const char *const types[] = {"", "response.completed", "response.incomplete", ""};
    struct gs_buf whole;

    end_item(s, ctx, cut_by(ev) ? END_INCOMPLETE : END_COMPLETED, b);
    const enum end end = end_of(s, ctx, ev);
    gs_dialect_writer_check(&s->items, b);
    gs_buf_init(&whole, b->max);
    write_response(&whole, s, ctx, end, ev);
    gs_dialect_writer_check(&whole, b);
    if (ctx->stream) {
        open_event(s, types[end], b);
        gs_buf_puts(b, "\"response\":");
    }
    gs_buf_slice(b, gs_buf_view(&whole));
    if (ctx->stream)
        close_event(b);
    keep(s, ctx, &whole);
    gs_buf_clear(&whole);
}

static void write_stop(struct answer *s, const struct gs_dialect_context *ctx,
                       const struct gs_event *ev, struct gs_buf *b)
{
    if (ctx->is_count)
        gs_buf_printf(b, "{\"object\":\"response.input_tokens\",\"input_tokens\":%lld}",
                      (long long)s->prompt_tokens);
    else
        write_end(s, ctx, ev, b);
}

/* Only streamed; otherwise an error is an HTTP answer. */
static void write_failed(struct answer *s, const struct gs_dialect_context *ctx,
                         const struct gs_event *ev, struct gs_buf *b)
{
    stream_created(s, ctx, b);
    if (s->has_ended)
        end_item(s, ctx, END_COMPLETED, b);
    stream_response(s, ctx, "response.failed", END_FAILED, ev, b);
}

/* ---- the dialect ---- */

static void ready(struct answer *s)
{
    gs_dialect_writer_ready(&s->items);
    gs_dialect_writer_ready(&s->item_id);
    gs_dialect_writer_ready(&s->text);
    gs_dialect_writer_ready(&s->head);
    gs_dialect_writer_ready(&s->logprobs);
    gs_dialect_writer_ready(&s->parts);
}

static void write_event(void *state, const struct gs_dialect_context *ctx,
                        const struct gs_event *ev, struct gs_buf *b)
{
    struct answer *s = state;

    ready(s);
    switch (ev->kind) {
    case GS_EVENT_START:
        s->prompt_tokens = ev->usage.prompt_tokens;
        gs_dialect_names_take(&s->names, ev, b);
        if (ctx->stream)
            stream_created(s, ctx, b);
        break;
    case GS_EVENT_BEGIN:
        end_item(s, ctx, END_COMPLETED, b);
        begin_item(s, ctx, ev, b);
        break;
    case GS_EVENT_DELTA:
        add_delta(s, ctx, ev, b);
        break;
    case GS_EVENT_END:
        s->has_ended = true;
        if (ev->block == GS_BLOCK_REASONING)
            gs_buf_slice(&s->head, ev->signature);
        if (ev->is_whole)
            end_item(s, ctx, END_COMPLETED, b);
        break;
    case GS_EVENT_STOP:
        write_stop(s, ctx, ev, b);
        break;
    case GS_EVENT_ERROR:
        if (ctx->stream)
            write_failed(s, ctx, ev, b);
        break;
    case GS_EVENT_PROGRESS:
        if (ev->is_passed_over)
            pass_over(s, ctx, b);
        break;
    case GS_EVENT_VECTOR:
        break;
    }
    /* what went out as it came has numbers of its own */
    s->sequence = b->drops && ev->n_sent > 0 ? ev->n_sent : GS_MAX(s->sequence, ev->n_sent);
}

static void write_keepalive(void *state, const struct gs_dialect_context *ctx, struct gs_buf *b)
{
    struct answer *s = state;

    ready(s);
    if (s->has_created)
        stream_response(s, ctx, "response.in_progress", END_IN_PROGRESS, NULL, b);
    else
        stream_created(s, ctx, b);
}

static void clear_state(void *state)
{
    struct answer *s = state;

    gs_dialect_names_clear(&s->names);
    gs_buf_clear(&s->item_id);
    gs_buf_clear(&s->items);
    gs_buf_clear(&s->text);
    gs_buf_clear(&s->head);
    gs_buf_clear(&s->logprobs);
    gs_buf_clear(&s->parts);
    gs_dialect_custom_clear(&s->custom);
}

const struct gs_dialect gs_dialect_openai_responses = {
    .name = "openai-responses",
    .stream_content_type = "text/event-stream; charset=utf-8",
    .has_comments = true,
    .state_bytes = sizeof(struct answer),
    .overload_status = 503,
    .limit_header = "x-ratelimit-limit-requests",
    .remaining_header = "x-ratelimit-remaining-requests",
    .fails_in_stream = true,
    .read_request = gs_dialect_openai_responses_read,
    .write_event = write_event,
    .keepalive_opens = true,
    .write_keepalive = write_keepalive,
    .clear_state = clear_state,
    .write_error = gs_dialect_openai_chat_write_error,
};
