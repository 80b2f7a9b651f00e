/* OpenAI Responses, the other side: its events become ours
 * (https://platform.openai.com/docs/api-reference/responses-streaming), as OpenAI, vLLM, Ollama,
 * LM Studio and others send them.
 *
 * An item is a block. It is announced, told piece by piece and told whole; what was told in pieces
 * is not heard again, and what was only told whole is heard then. Items that the server uses itself
 * (searches and the like) are passed over, but counted. */
#include "base/error.h"
#include "base/limits.h"
#include "base/slice.h"
#include "dialect/hearing.h"
#include "dialect/openai_ask.h"
#include "dialect/openai_responses.h"
#include "dialect/refusal.h"

#define MAX_ID_BYTES 256 /* of an item */
#define MAX_EVENTS   ((int64_t)1 << 40)

/* A reasoning is told as its text or as a summary, by some servers as both: the first counts. */
enum reasoning { REASONING_UNKNOWN, REASONING_TEXT, REASONING_SUMMARY };

struct heard {
    struct gs_dialect_heard h;
    struct gs_buf item;       /* id of the item heard last; may be empty */
    bool has_text;            /* of it something was told */
    enum reasoning reasoning; /* of it */
};

static struct gs_slice type_of(const struct gs_json *v)
{
    return gs_dialect_peek_string(v, "type");
}

static bool type_is(const struct gs_json *v, const char *type)
{
    return gs_slice_eq_str(type_of(v), type);
}

static size_t len_of(const struct gs_json *v)
{
    return v && v->kind == GS_JSON_ARRAY ? v->u.array.len : 0;
}

/* ---- items ---- */

/* The block an item is; false: it is none of the client's. */
static bool kind_of(const struct gs_json *item, enum gs_block_kind *out)
{
    if (type_is(item, "message"))
        *out = GS_BLOCK_TEXT;
    else if (type_is(item, "reasoning"))
        *out = GS_BLOCK_REASONING;
    else if (type_is(item, "function_call") ||
             (gs_slice_ends(type_of(item), GS_SLICE_LIT("_call")) &&
              gs_dialect_has(item, "call_id")))
        *out = GS_BLOCK_TOOL_CALL;
    else
        return false;
    return true;
}

/* "agents__close" of a tool in a namespace; "local_shell" of a call that says so by its type. */
static struct gs_slice name_of(struct heard *s, const struct gs_json *item)
{
    const struct gs_slice space = gs_dialect_peek_string(item, "namespace");
    const struct gs_slice type = type_of(item);
    struct gs_slice name = gs_dialect_peek_string(item, "name");

    if (!name.len)
        name = gs_slice_sub(type, 0, type.len - (sizeof("_call") - 1));
    if (!space.len || space.len > MAX_ID_BYTES || name.len > MAX_ID_BYTES)
        return name;
    name =
        gs_arena_printf(s->h.a, "%.*s__%.*s", (int)space.len, space.ptr, (int)name.len, name.ptr);
    if (!name.ptr)
        gs_dialect_hear_fail(&s->h, GS_FAULT_OURS, GS_ENOMEM,
                             "not enough memory to hear a tool call");
    return name;
}

/* Whether an id means the item heard last; where one says nothing, it does. */
static bool is_it(const struct heard *s, struct gs_slice id)
{
    return !id.len || !s->item.len || gs_slice_eq(id, gs_buf_view(&s->item));
}

static void begin_block(struct heard *s, struct gs_event ev, struct gs_slice id)
{
    if (s->item.max == 0)
        gs_buf_init(&s->item, MAX_ID_BYTES);
    gs_buf_reset(&s->item);
    gs_buf_slice(&s->item, id);
    if (!gs_buf_ok(&s->item))
        gs_buf_reset(&s->item);
    s->has_text = false;
    s->reasoning = REASONING_UNKNOWN;
    ev.item_id = gs_buf_view(&s->item);
    gs_dialect_hear_start(&s->h, NULL);
    gs_dialect_hear_begin(&s->h, ev);
}

static void begin_item(struct heard *s, const struct gs_json *item, enum gs_block_kind kind)
{
    struct gs_event ev = {.block = kind};

    if (kind == GS_BLOCK_TOOL_CALL) {
        ev.id = gs_dialect_peek_string(item, "call_id");
        ev.name = name_of(s, item);
    }
    begin_block(s, ev, gs_dialect_peek_string(item, "id"));
    if (type_is(item, "custom_tool_call") && !s->h.has_failed)
        gs_dialect_hear_custom(&s->h);
}

static void say(struct heard *s, struct gs_slice text, const struct gs_json *logprobs)
{
    if (!text.len)
        return;
    s->has_text = true;
    gs_dialect_hear_delta(&s->h, text, logprobs);
}

/* All parts of a list, a gap between those of a summary. */
static void say_parts(struct heard *s, const struct gs_json *parts)
{
    for (size_t i = 0; i < len_of(parts); i++) {
        const struct gs_json *part = &parts->u.array.items[i];
        if (s->has_text && s->h.block == GS_BLOCK_REASONING)
            gs_dialect_hear_gap(&s->h, true);
        say(s, gs_dialect_peek_string(part, type_is(part, "refusal") ? "refusal" : "text"),
            gs_json_get(part, "logprobs"));
    }
}

/* A call's arguments, as text or, of kinds that say what to do in a member of their own, as an
 * object. */
static void say_args(struct heard *s, const struct gs_json *item)
{
    static const char *const keys[] = {"arguments", "input", "action", "operation"};
    const struct gs_json *args = NULL;

    for (size_t i = 0; i < GS_COUNT_OF(keys) && !args; i++)
        args = gs_json_get(item, keys[i]);
    say(s, gs_dialect_hear_args(&s->h, args), NULL);
}

/* The item is told whole. */
static void end_item(struct heard *s, const struct gs_json *item)
{
    const struct gs_slice signature = gs_dialect_peek_string(item, "encrypted_content");

    if (!s->has_text && s->h.block == GS_BLOCK_TOOL_CALL)
        say_args(s, item);
    else if (!s->has_text)
        say_parts(s, gs_json_get(item, "content"));
    if (!s->has_text && s->h.block == GS_BLOCK_REASONING)
        say_parts(s, gs_json_get(item, "summary"));
    gs_dialect_hear_end(&s->h, signature, true);
}

/* ---- events of items ---- */

static void hear_added(struct heard *s, const struct gs_json *event)
{
    const struct gs_json *item = gs_json_get(event, "item");
    enum gs_block_kind kind;

    if (kind_of(item, &kind))
        begin_item(s, item, kind);
    else
        gs_dialect_hear_pass(&s->h);
}

/* What was not announced is heard now, unless it has ended before. */
static void hear_item_done(struct heard *s, const struct gs_json *event)
{
    const struct gs_json *item = gs_json_get(event, "item");
    const struct gs_slice id = gs_dialect_peek_string(item, "id");
    enum gs_block_kind kind;

    if (!kind_of(item, &kind))
        return;
    const bool is_open = s->h.has_block && s->h.block == kind && is_it(s, id);
    if (!is_open && !s->h.has_block && id.len && gs_slice_eq(id, gs_buf_view(&s->item)))
        return;
    if (!is_open)
        begin_item(s, item, kind);
    end_item(s, item);
}

static void hear_part(struct heard *s, const struct gs_json *event)
{
    if (!s->h.has_block || !is_it(s, gs_dialect_peek_string(event, "item_id")))
        return;
    if (s->has_text && s->h.block == GS_BLOCK_REASONING)
        gs_dialect_hear_gap(&s->h, true);
    if (!s->has_text || s->h.block == GS_BLOCK_REASONING)
        gs_dialect_hear_opened(&s->h);
}

static void hear_part_done(struct heard *s, const struct gs_json *event)
{
    if (s->h.has_block && s->h.block == GS_BLOCK_REASONING && s->has_text &&
        is_it(s, gs_dialect_peek_string(event, "item_id")))
        gs_dialect_hear_gap(&s->h, false);
}

/* A piece belongs to the item that was announced last; false: to none, the answer has failed. A
 * text that was not announced begins with its first piece, a call has no name then. */
static bool find_item(struct heard *s, const struct gs_json *event, enum gs_block_kind kind)
{
    const struct gs_slice id = gs_dialect_peek_string(event, "item_id");

    if (s->h.has_block && s->h.block == kind && is_it(s, id))
        return true;
    if (kind == GS_BLOCK_TOOL_CALL)
        gs_dialect_hear_fail(&s->h, GS_FAULT_MALFORMED, GS_EUPSTREAM,
                             "the server's answer: a piece of a tool call that is not "
                             "being made");
    else
        begin_block(s, (struct gs_event){.block = kind}, id);
    return !s->h.has_failed;
}

static void hear_text(struct heard *s, const struct gs_json *event)
{
    if (find_item(s, event, GS_BLOCK_TEXT))
        say(s, gs_dialect_peek_string(event, "delta"), gs_json_get(event, "logprobs"));
}

static void hear_args(struct heard *s, const struct gs_json *event)
{
    if (find_item(s, event, GS_BLOCK_TOOL_CALL))
        say(s, gs_dialect_peek_string(event, "delta"), NULL);
}

static void hear_reasoning(struct heard *s, const struct gs_json *event)
{
    const enum reasoning kind =
        gs_slice_find(type_of(event), GS_SLICE_LIT("summary"), 0) == SIZE_MAX ? REASONING_TEXT
                                                                              : REASONING_SUMMARY;

    if (!find_item(s, event, GS_BLOCK_REASONING))
        return;
    if (s->reasoning == REASONING_UNKNOWN)
        s->reasoning = kind;
    if (s->reasoning == kind)
        say(s, gs_dialect_peek_string(event, "delta"), NULL);
}

/* ---- events of the response ---- */

static void hear_created(struct heard *s, const struct gs_json *event)
{
    gs_dialect_hear_start(&s->h, gs_json_get(event, "response"));
}

static void hear_failed(struct heard *s, const struct gs_json *event)
{
    gs_dialect_hear_error(&s->h, event);
}

static enum gs_stop_reason stop_of(const struct heard *s, const struct gs_json *response)
{
    const struct gs_slice reason =
        gs_dialect_peek_string(gs_json_get(response, "incomplete_details"), "reason");
    const bool is_incomplete =
        gs_slice_eq_str(gs_dialect_peek_string(response, "status"), "incomplete");

    if (gs_slice_eq_str(reason, "content_filter"))
        return GS_STOP_REFUSAL;
    if (gs_slice_eq_str(reason, "max_output_tokens"))
        return is_incomplete ? GS_STOP_LENGTH : GS_STOP_CONTEXT;
    return s->h.n_blocks > 0 && s->h.block == GS_BLOCK_TOOL_CALL ? GS_STOP_TOOL_CALL : GS_STOP_END;
}

static bool has_text(const struct gs_json *parts)
{
    for (size_t i = 0; i < len_of(parts); i++) {
        const struct gs_json *part = &parts->u.array.items[i];
        if (gs_dialect_peek_string(part, "text").len || gs_dialect_peek_string(part, "refusal").len)
            return true;
    }
    return false;
}

/* Whether there is something in the output that the user would see, or a call. */
static bool says_something(const struct gs_json *output)
{
    for (size_t i = 0; i < len_of(output); i++) {
        const struct gs_json *item = &output->u.array.items[i];
        enum gs_block_kind kind;
        if (kind_of(item, &kind) &&
            (kind == GS_BLOCK_TOOL_CALL ||
             (kind == GS_BLOCK_TEXT && has_text(gs_json_get(item, "content")))))
            return true;
    }
    return false;
}

/* An end is none if it is a failure by another name, or if nothing was said and nothing says why:
 * what ran into its limit may have spent all of it on reasoning that nobody sees, and a refusal
 * says enough. */
static bool ends_badly(struct heard *s, const struct gs_json *response)
{
    const struct gs_slice status = gs_dialect_peek_string(response, "status");
    const struct gs_slice reason =
        gs_dialect_peek_string(gs_json_get(response, "incomplete_details"), "reason");

    if (gs_dialect_has(response, "error") || gs_slice_eq_str(status, "failed") ||
        gs_slice_eq_str(status, "cancelled"))
        gs_dialect_hear_error(&s->h, response);
    else if (s->h.has_said || says_something(gs_json_get(response, "output")) ||
             gs_slice_eq_str(reason, "max_output_tokens") ||
             gs_slice_eq_str(reason, "content_filter"))
        return s->h.has_failed;
    else
        gs_dialect_hear_fail(&s->h, GS_FAULT_EMPTY, GS_EUPSTREAM,
                             "the server's answer ended with nothing said");
    return s->h.has_failed;
}

/* What no event told of. */
static void hear_output(struct heard *s, const struct gs_json *output)
{
    for (size_t i = 0; i < len_of(output) && !s->h.has_failed; i++) {
        const struct gs_json *item = &output->u.array.items[i];
        enum gs_block_kind kind;
        if (!kind_of(item, &kind))
            continue;
        begin_item(s, item, kind);
        end_item(s, item);
    }
}

static void hear_response(struct heard *s, const struct gs_json *response)
{
    gs_dialect_hear_usage(&s->h, gs_json_get(response, "usage"));
    if (ends_badly(s, response))
        return;
    gs_dialect_hear_start(&s->h, response);
    if (s->h.n_blocks == 0)
        hear_output(s, gs_json_get(response, "output"));
    s->h.stop = stop_of(s, response);
    gs_dialect_hear_stop(&s->h);
}

static void hear_ended(struct heard *s, const struct gs_json *event)
{
    hear_response(s, gs_json_get(event, "response"));
}

/* ---- the stream ---- */

static const struct {
    const char *type;
    void (*hear)(struct heard *s, const struct gs_json *event);
} events[] = {
    {"response.output_text.delta", hear_text},
    {"response.function_call_arguments.delta", hear_args},
    {"response.reasoning_summary_text.delta", hear_reasoning},
    {"response.reasoning_text.delta", hear_reasoning},
    {"response.custom_tool_call_input.delta", hear_args},
    {"response.refusal.delta", hear_text},
    {"response.output_item.added", hear_added},
    {"response.content_part.added", hear_part},
    {"response.reasoning_summary_part.added", hear_part},
    {"response.content_part.done", hear_part_done},
    {"response.reasoning_summary_part.done", hear_part_done},
    {"response.output_item.done", hear_item_done},
    {"response.queued", hear_created},
    {"response.created", hear_created},
    {"response.in_progress", hear_created},
    {"response.completed", hear_ended},
    {"response.incomplete", hear_ended},
    {"response.failed", hear_failed},
    {"response.cancelled", hear_failed},
    {"error", hear_failed},
};

static void hear_event(struct heard *s, const struct gs_dialect_frame *frame,
                       const struct gs_json *event)
{
    const struct gs_slice type = type_of(event).len ? type_of(event) : frame->name;

    for (size_t i = 0; i < GS_COUNT_OF(events); i++) {
        if (gs_slice_eq_str(type, events[i].type)) {
            events[i].hear(s, event);
            return;
        }
    }
    if (!type.len && gs_dialect_has(event, "error"))
        hear_failed(s, event);
}

static enum gs_dialect_effect read_frame(void *state, const struct gs_dialect_frame *frame,
                                         gs_event_fn *on_event, void *ud, enum gs_fault *out_fault,
                                         struct gs_error *err)
{
    struct heard *s = state;
    const struct gs_slice data = gs_slice_trim(frame->data);
    struct gs_json event;
    int64_t number = -1;

    gs_dialect_hear_open(&s->h, on_event, ud, out_fault, err);
    if (!data.len || s->h.is_over)
        return GS_DIALECT_NOTHING;
    s->h.has_frame = true;
    if (gs_slice_eq_str(data, "[DONE]")) /* of gateways that end every stream so */
        return gs_dialect_hear_cut(&s->h);
    if (!gs_dialect_hear_object(&s->h, data, &event))
        return s->h.effect;
    if (gs_json_get_int(&event, "sequence_number", &number, NULL) && number >= s->h.n_sent &&
        number < MAX_EVENTS)
        s->h.n_sent = number + 1;
    hear_event(s, frame, &event);
    gs_dialect_hear_silence(&s->h);
    return s->h.effect;
}

static enum gs_dialect_effect read_end(void *state, gs_event_fn *on_event, void *ud,
                                       enum gs_fault *out_fault, struct gs_error *err)
{
    struct heard *s = state;

    gs_dialect_hear_open(&s->h, on_event, ud, out_fault, err);
    return gs_dialect_hear_cut(&s->h);
}

static void clear_state(void *state)
{
    struct heard *s = state;

    gs_dialect_hear_clear(&s->h);
    gs_buf_clear(&s->item);
}

static enum gs_dialect_effect read_whole(struct gs_slice body, struct gs_arena *a,
                                         gs_event_fn *on_event, void *ud, enum gs_fault *out_fault,
                                         struct gs_error *err)
{
    struct heard s = {.has_text = false};
    struct gs_json response;

    gs_dialect_hear_open(&s.h, on_event, ud, out_fault, err);
    s.h.a = a;
    if (gs_dialect_hear_object(&s.h, body, &response))
        hear_response(&s, &response);
    clear_state(&s);
    return s.h.effect;
}

const struct gs_dialect_client gs_dialect_client_openai_responses = {
    .name = "openai-responses",
    .server = &gs_dialect_openai_responses,
    .path = "/responses",
    .framing = GS_DIALECT_SSE,
    .state_bytes = sizeof(struct heard),
    .turns = "input",
    .limits = {"max_output_tokens"},
    .write_request = gs_dialect_openai_responses_ask,
    .read_frame = read_frame,
    .read_end = read_end,
    .read_whole = read_whole,
    .clear_state = clear_state,
    .read_refusal = gs_dialect_read_refusal,
};
