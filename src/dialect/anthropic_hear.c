/* Anthropic Messages, hearing (https://docs.anthropic.com/en/docs/build-with-claude/streaming):
 *
 *     message_start, (content_block_start, content_block_delta*, content_block_stop)*,
 *     message_delta with the stop reason, message_stop; ping and error anywhere.
 *
 * Blocks of the server's own tools and kinds not known here are passed over: of them is only told
 * that they are there, for our writer to count them too. */
#include "base/error.h"
#include "base/slice.h"
#include "dialect/anthropic.h"
#include "dialect/client.h"
#include "dialect/refusal.h"
#include "dialect/writer.h"
#include "json/json.h"

#define MAX_COUNT ((int64_t)1 << 48) /* of tokens; sums of them fit */

enum phase { WAITING, STARTED, FINISHED, OVER, BROKEN };

struct heard {
    enum phase phase;
    struct gs_arena a; /* of the frame being read */
    bool in_block;     /* a block is open: the last, and if it is told of, of `kind` */
    bool is_told;
    uint32_t n_blocks; /* begun, as they are counted there */
    uint32_t n_told;   /* of them, told of */
    enum gs_block_kind kind;
    struct gs_buf signature; /* of open reasoning */
    struct gs_buf input;     /* arguments an open call began with; deltas replace them */
    bool has_said;           /* text, a call, or what is not told of */
    enum gs_stop_reason stop;
    struct gs_buf stop_sequence;
    int64_t input_tokens, created_tokens, read_tokens, output_tokens;
};

/* A frame or a body on its way to events. */
struct hearing {
    struct heard *s;
    gs_event_fn *on_event;
    void *ud;
    enum gs_fault *out_fault;
    struct gs_error *err;
};

/* ---- pieces ---- */

static enum gs_dialect_effect fail(struct hearing *h, enum gs_fault fault)
{
    h->s->phase = BROKEN;
    *h->out_fault = fault;
    return GS_DIALECT_FAILED;
}

static enum gs_dialect_effect malformed(struct hearing *h, const char *what)
{
    gs_error_set(h->err, GS_EFORMAT, "the answer makes no sense: %s", what);
    return fail(h, GS_FAULT_MALFORMED);
}

static enum gs_dialect_effect no_memory(struct hearing *h)
{
    gs_error_nomem(h->err, "read the answer");
    return fail(h, GS_FAULT_OURS);
}

static void read_count(const struct gs_json *usage, const char *key, int64_t *out)
{
    int64_t n = -1;

    if (gs_json_get_int(usage, key, &n, NULL) && n >= 0)
        *out = GS_MIN(n, MAX_COUNT);
}

/* What was told last counts. */
static void read_usage(struct heard *s, const struct gs_json *usage)
{
    read_count(usage, "input_tokens", &s->input_tokens);
    read_count(usage, "cache_creation_input_tokens", &s->created_tokens);
    read_count(usage, "cache_read_input_tokens", &s->read_tokens);
    read_count(usage, "output_tokens", &s->output_tokens);
}

static void emit(struct hearing *h, struct gs_event ev)
{
    const struct heard *s = h->s;

    ev.block = s->kind;
    ev.block_idx = s->n_told > 0 ? s->n_told - 1 : 0;
    ev.usage.prompt_tokens = s->input_tokens + s->created_tokens + s->read_tokens;
    ev.usage.cached_tokens = s->read_tokens;
    ev.usage.cache_write_tokens = s->created_tokens;
    ev.usage.answer_tokens = s->output_tokens;
    (void)h->on_event(h->ud, &ev);
}

static enum gs_dialect_effect emit_delta(struct hearing *h, struct gs_slice text)
{
    if (text.len == 0)
        return GS_DIALECT_NOTHING;
    h->s->has_said |= h->s->kind != GS_BLOCK_REASONING;
    emit(h, (struct gs_event){.kind = GS_EVENT_DELTA, .text = text});
    return GS_DIALECT_CONTENT;
}

/* ---- blocks ---- */

static bool read_kind(struct gs_slice type, enum gs_block_kind *out_kind)
{
    static const struct {
        const char *type;
        enum gs_block_kind kind;
    } kinds[] = {{"text", GS_BLOCK_TEXT},
                 {"thinking", GS_BLOCK_REASONING},
                 {"redacted_thinking", GS_BLOCK_REASONING},
                 {"tool_use", GS_BLOCK_TOOL_CALL}};

    for (size_t i = 0; i < GS_COUNT_OF(kinds); i++) {
        if (gs_slice_eq_str(type, kinds[i].type)) {
            *out_kind = kinds[i].kind;
            return true;
        }
    }
    return false;
}

/* Of a call's input as it begins, the text: in streams it is empty and comes piece by piece. */
static void keep_input(struct heard *s, const struct gs_json *input)
{
    gs_buf_reset(&s->input);
    if (input && input->kind == GS_JSON_OBJECT && input->u.object.len > 0)
        gs_json_write(&s->input, input);
}

static void keep_signature(struct heard *s, const struct gs_json *block)
{
    gs_buf_reset(&s->signature);
    if (gs_dialect_anthropic_is(block, "redacted_thinking"))
        gs_buf_slice(&s->signature, GS_DIALECT_REDACTED);
    gs_buf_slice(&s->signature,
                 gs_dialect_peek_string(block, s->signature.len > 0 ? "data" : "signature"));
}

static enum gs_dialect_effect begin_block(struct hearing *h, const struct gs_json *block)
{
    struct heard *s = h->s;
    const struct gs_slice name = gs_dialect_peek_string(block, "name");

    s->in_block = true;
    s->n_blocks++;
    s->is_told = read_kind(gs_dialect_peek_string(block, "type"), &s->kind);
    if (!s->is_told) {
        s->has_said = true;
        emit(h, (struct gs_event){
                    .kind = GS_EVENT_PROGRESS, .done = 1, .total = 1, .is_passed_over = true});
        return GS_DIALECT_NOTHING;
    }
    if (s->kind == GS_BLOCK_TOOL_CALL && name.len == 0)
        return malformed(h, "a tool call without a name");
    s->n_told++;
    keep_signature(s, block);
    keep_input(s, gs_json_get(block, "input"));
    emit(h, (struct gs_event){
                .kind = GS_EVENT_BEGIN, .id = gs_dialect_peek_string(block, "id"), .name = name});
    return emit_delta(
        h, gs_dialect_peek_string(block, s->kind == GS_BLOCK_REASONING ? "thinking" : "text"));
}

/* A whole call is content even where it has no arguments. */
static enum gs_dialect_effect end_block(struct hearing *h, bool is_whole)
{
    struct heard *s = h->s;
    const bool is_call = s->kind == GS_BLOCK_TOOL_CALL;

    if (!s->in_block || !s->is_told) {
        s->in_block = false;
        return GS_DIALECT_NOTHING;
    }
    if (!gs_buf_ok(&s->signature) || !gs_buf_ok(&s->input))
        return no_memory(h);
    if (is_call)
        emit_delta(h, gs_buf_view(&s->input));
    s->in_block = false;
    s->has_said |= is_call;
    emit(h, (struct gs_event){.kind = GS_EVENT_END,
                              .signature = gs_buf_view(&s->signature),
                              .is_whole = is_whole});
    return is_call ? GS_DIALECT_CONTENT : GS_DIALECT_NOTHING;
}

static bool is_index(const struct gs_json *v, uint32_t expected)
{
    int64_t index = expected;

    return gs_json_get_int(v, "index", &index, NULL) && index == expected;
}

/* ---- events of the stream ---- */

static enum gs_dialect_effect on_message_start(struct hearing *h, const struct gs_json *v)
{
    const struct gs_json *message = gs_json_get(v, "message");

    if (h->s->phase != WAITING)
        return malformed(h, "it starts twice");
    h->s->phase = STARTED;
    read_usage(h->s, gs_json_get(message, "usage"));
    emit(h, (struct gs_event){.kind = GS_EVENT_START,
                              .answer_id = gs_dialect_peek_string(message, "id"),
                              .model = gs_dialect_peek_string(message, "model")});
    return GS_DIALECT_NOTHING;
}

static enum gs_dialect_effect on_block_start(struct hearing *h, const struct gs_json *v)
{
    if (!is_index(v, h->s->n_blocks))
        return malformed(h, "a block out of order");
    const enum gs_dialect_effect before = end_block(h, false);
    if (before == GS_DIALECT_FAILED)
        return before;
    const enum gs_dialect_effect now = begin_block(h, gs_json_get(v, "content_block"));
    return now == GS_DIALECT_NOTHING ? before : now;
}

static enum gs_dialect_effect on_block_delta(struct hearing *h, const struct gs_json *v)
{
    static const char *const members[] = {[GS_BLOCK_TEXT] = "text",
                                          [GS_BLOCK_REASONING] = "thinking",
                                          [GS_BLOCK_TOOL_CALL] = "partial_json"};
    struct heard *s = h->s;
    const struct gs_json *delta = gs_json_get(v, "delta");

    if (!s->in_block || !is_index(v, s->n_blocks - 1))
        return malformed(h, "a piece of a block that is not open");
    if (!s->is_told)
        return GS_DIALECT_NOTHING;
    if (s->kind == GS_BLOCK_REASONING)
        gs_buf_slice(&s->signature, gs_dialect_peek_string(delta, "signature"));
    const struct gs_slice text = gs_dialect_peek_string(delta, members[s->kind]);
    if (text.len > 0)
        gs_buf_reset(&s->input);
    return emit_delta(h, text);
}

static enum gs_dialect_effect on_block_stop(struct hearing *h, const struct gs_json *v)
{
    if (h->s->n_blocks == 0 || !is_index(v, h->s->n_blocks - 1))
        return malformed(h, "the end of a block that is not open");
    return end_block(h, true);
}

/* ---- the end ---- */

static void read_stop(struct heard *s, struct gs_slice reason, const struct gs_json *v)
{
    static const struct {
        const char *reason;
        enum gs_stop_reason stop;
    } stops[] = {{"max_tokens", GS_STOP_LENGTH},
                 {"model_context_window_exceeded", GS_STOP_CONTEXT},
                 {"stop_sequence", GS_STOP_SEQUENCE},
                 {"tool_use", GS_STOP_TOOL_CALL},
                 {"refusal", GS_STOP_REFUSAL}};

    s->stop = GS_STOP_END;
    for (size_t i = 0; i < GS_COUNT_OF(stops); i++)
        if (gs_slice_eq_str(reason, stops[i].reason))
            s->stop = stops[i].stop;
    gs_buf_reset(&s->stop_sequence);
    gs_buf_slice(&s->stop_sequence, gs_dialect_peek_string(v, "stop_sequence"));
}

/* An answer that ends by itself and says nothing, however much it thought, is none; a refusal says
 * enough. */
static bool is_empty(const struct heard *s)
{
    return !s->has_said && (s->stop == GS_STOP_END || s->stop == GS_STOP_TOOL_CALL);
}

static enum gs_dialect_effect emit_stop(struct hearing *h)
{
    struct heard *s = h->s;

    s->phase = OVER;
    emit(h, (struct gs_event){.kind = GS_EVENT_STOP,
                              .stop = s->stop,
                              .stop_sequence = gs_buf_view(&s->stop_sequence)});
    return GS_DIALECT_END;
}

static enum gs_dialect_effect on_message_delta(struct hearing *h, const struct gs_json *v)
{
    struct heard *s = h->s;
    const struct gs_json *delta = gs_json_get(v, "delta");
    const struct gs_slice reason = gs_dialect_peek_string(delta, "stop_reason");

    read_usage(s, gs_json_get(v, "usage"));
    if (reason.len == 0 || s->phase == FINISHED)
        return GS_DIALECT_NOTHING;
    if (end_block(h, false) == GS_DIALECT_FAILED)
        return GS_DIALECT_FAILED;
    read_stop(s, reason, delta);
    if (!gs_buf_ok(&s->stop_sequence))
        return no_memory(h);
    if (is_empty(s))
        return fail(h, gs_dialect_fault(GS_FAULT_EMPTY, h->err));
    s->phase = FINISHED;
    return GS_DIALECT_FINISH;
}

static enum gs_dialect_effect on_message_stop(struct hearing *h, const struct gs_json *v)
{
    (void)v;
    return h->s->phase == FINISHED ? emit_stop(h) : malformed(h, "it stops without a reason");
}

static enum gs_dialect_effect on_error(struct hearing *h, const struct gs_json *v)
{
    return fail(h, gs_dialect_read_error(v, h->err));
}

/* ---- frames ---- */

static const struct {
    const char *type;
    enum gs_dialect_effect (*take)(struct hearing *h, const struct gs_json *v);
    enum phase from, to; /* in these phases; before them it makes no sense, after them nothing */
} types[] = {
    {"message_start", on_message_start, WAITING, FINISHED},
    {"content_block_start", on_block_start, STARTED, STARTED},
    {"content_block_delta", on_block_delta, STARTED, STARTED},
    {"content_block_stop", on_block_stop, STARTED, STARTED},
    {"message_delta", on_message_delta, STARTED, FINISHED},
    {"message_stop", on_message_stop, STARTED, FINISHED},
    {"error", on_error, WAITING, STARTED},
};

static enum gs_dialect_effect take(struct hearing *h, const struct gs_json *v, struct gs_slice name)
{
    struct gs_slice type = gs_dialect_peek_string(v, "type");

    if (type.len == 0)
        type = gs_dialect_has(v, "error") ? GS_SLICE_LIT("error") : name;
    for (size_t i = 0; i < GS_COUNT_OF(types); i++) {
        if (!gs_slice_eq_str(type, types[i].type))
            continue;
        if (h->s->phase < types[i].from)
            return malformed(h, "it does not begin with its start");
        return h->s->phase > types[i].to ? GS_DIALECT_NOTHING : types[i].take(h, v);
    }
    return GS_DIALECT_NOTHING;
}

static enum gs_dialect_effect finish(struct hearing *h)
{
    if (h->s->phase == FINISHED)
        return emit_stop(h);
    return fail(h,
                gs_dialect_fault(h->s->phase == WAITING ? GS_FAULT_EMPTY : GS_FAULT_CUT, h->err));
}

static struct hearing hear(void *state, gs_event_fn *on_event, void *ud, enum gs_fault *out_fault,
                           struct gs_error *err)
{
    struct heard *s = state;

    gs_dialect_writer_ready(&s->signature);
    gs_dialect_writer_ready(&s->input);
    gs_dialect_writer_ready(&s->stop_sequence);
    return (struct hearing){s, on_event, ud, out_fault, err};
}

static enum gs_dialect_effect read_frame(void *state, const struct gs_dialect_frame *frame,
                                         gs_event_fn *on_event, void *ud, enum gs_fault *out_fault,
                                         struct gs_error *err)
{
    struct hearing h = hear(state, on_event, ud, out_fault, err);
    struct gs_json v;

    if (frame->data.len == 0 || h.s->phase >= OVER)
        return GS_DIALECT_NOTHING;
    if (gs_slice_eq_str(frame->data, "[DONE]")) /* gateways end every API's streams so */
        return finish(&h);
    gs_arena_reset(&h.s->a);
    const enum gs_status st = gs_json_parse(frame->data, &h.s->a, &v, NULL);
    if (st == GS_ENOMEM)
        return no_memory(&h);
    if (st != GS_OK || v.kind != GS_JSON_OBJECT)
        return malformed(&h, "an event is no JSON object");
    return take(&h, &v, frame->name);
}

static enum gs_dialect_effect read_end(void *state, gs_event_fn *on_event, void *ud,
                                       enum gs_fault *out_fault, struct gs_error *err)
{
    struct hearing h = hear(state, on_event, ud, out_fault, err);

    return h.s->phase == OVER ? GS_DIALECT_END : finish(&h);
}

static void clear_state(void *state)
{
    struct heard *s = state;

    gs_arena_clear(&s->a);
    gs_buf_clear(&s->signature);
    gs_buf_clear(&s->input);
    gs_buf_clear(&s->stop_sequence);
}

/* ---- whole answers ---- */

/* Whether the block is more than reasoning. */
static bool says_something(const struct gs_json *block)
{
    enum gs_block_kind kind;

    if (!read_kind(gs_dialect_peek_string(block, "type"), &kind))
        return true;
    if (kind == GS_BLOCK_TOOL_CALL)
        return true;
    return kind == GS_BLOCK_TEXT && gs_dialect_peek_string(block, "text").len > 0;
}

static enum gs_dialect_effect hear_message(struct hearing *h, const struct gs_json *message)
{
    const struct gs_json *content = gs_json_get(message, "content");
    enum gs_dialect_effect effect = GS_DIALECT_NOTHING;

    for (size_t i = 0; i < content->u.array.len; i++) {
        const struct gs_json *block = &content->u.array.items[i];
        if (gs_dialect_anthropic_is(block, "tool_use") &&
            gs_dialect_peek_string(block, "name").len == 0)
            return malformed(h, "a tool call without a name");
        h->s->has_said |= says_something(block);
    }
    read_stop(h->s, gs_dialect_peek_string(message, "stop_reason"), message);
    if (is_empty(h->s))
        return fail(h, gs_dialect_fault(GS_FAULT_EMPTY, h->err));
    const struct gs_json_member wrapped = {.key = GS_SLICE_LIT("message"), .value = *message};
    on_message_start(
        h, &(struct gs_json){.kind = GS_JSON_OBJECT, .u.object = {.members = &wrapped, .len = 1}});
    for (size_t i = 0; i < content->u.array.len && effect != GS_DIALECT_FAILED; i++) {
        effect = begin_block(h, &content->u.array.items[i]);
        if (effect != GS_DIALECT_FAILED)
            effect = end_block(h, true);
    }
    if (effect == GS_DIALECT_FAILED)
        return effect;
    return gs_buf_ok(&h->s->stop_sequence) ? emit_stop(h) : no_memory(h);
}

static enum gs_dialect_effect read_whole(struct gs_slice body, struct gs_arena *a,
                                         gs_event_fn *on_event, void *ud, enum gs_fault *out_fault,
                                         struct gs_error *err)
{
    struct heard s = {0};
    struct hearing h = hear(&s, on_event, ud, out_fault, err);
    struct gs_json v;
    enum gs_dialect_effect effect;

    const enum gs_status st = gs_json_parse(body, a, &v, NULL);
    const struct gs_json *content = st == GS_OK ? gs_json_get(&v, "content") : NULL;
    if (st == GS_ENOMEM)
        effect = no_memory(&h);
    else if (st != GS_OK)
        effect = fail(&h, body.len ? gs_dialect_read_nonsense(body, err)
                                   : gs_dialect_fault(GS_FAULT_EMPTY, err));
    else if (content && content->kind == GS_JSON_ARRAY)
        effect = hear_message(&h, &v);
    else if (gs_dialect_has(&v, "error"))
        effect = on_error(&h, &v);
    else
        effect = malformed(&h, "it has no content");
    clear_state(&s);
    return effect;
}

const struct gs_dialect_client gs_dialect_client_anthropic = {
    .name = "anthropic",
    .server = &gs_dialect_anthropic,
    .path = "/v1/messages",
    .framing = GS_DIALECT_SSE,
    .state_bytes = sizeof(struct heard),
    .turns = "messages",
    .limits = {"max_tokens"},
    .takes_open_turn = gs_dialect_anthropic_takes_open_turn,
    .trims_open_turn = true,
    .write_request = gs_dialect_anthropic_ask,
    .read_frame = read_frame,
    .read_end = read_end,
    .read_whole = read_whole,
    .clear_state = clear_state,
    .read_refusal = gs_dialect_read_refusal,
};
