/* Anthropic Messages, hearing (https://docs.anthropic.com/en/docs/build-with-claude/streaming):
 *
 *     message_start, (content_block_start, content_block_delta*, content_block_stop)*,
 *     message_delta with the stop reason, message_stop; ping and error anywhere.
 *
 * Blocks of the server's own tools and kinds not known here are passed over: of them is only told
 * that they are there, for our writer to count them too. */
#include "base/slice.h"
#include "dialect/anthropic.h"
#include "dialect/hearing.h"
#include "dialect/refusal.h"
#include "dialect/writer.h"

enum phase { WAITING, STARTED, FINISHED };

struct heard {
    struct gs_dialect_heard h;
    bool in_block;           /* a block is open there, and here too if it is told of */
    uint32_t n_blocks;       /* begun, as they are counted there */
    struct gs_buf signature; /* of open reasoning */
    struct gs_buf input;     /* arguments an open call began with; deltas replace them */
    int64_t input_tokens, created_tokens, read_tokens, output_tokens;
};

/* ---- pieces ---- */

static void malformed(struct heard *s, const char *what)
{
    gs_dialect_hear_fail(&s->h, GS_FAULT_MALFORMED, GS_EUPSTREAM, "the server's answer: %s", what);
}

static void check(struct heard *s, const struct gs_buf *b)
{
    if (!gs_buf_ok(b))
        gs_dialect_hear_fail(&s->h, GS_FAULT_OURS, GS_ENOMEM,
                             "not enough memory to hear an answer");
}

/* What was told last counts. */
static void read_usage(struct heard *s, const struct gs_json *usage)
{
    gs_dialect_hear_count(usage, "input_tokens", &s->input_tokens);
    gs_dialect_hear_count(usage, "cache_creation_input_tokens", &s->created_tokens);
    gs_dialect_hear_count(usage, "cache_read_input_tokens", &s->read_tokens);
    gs_dialect_hear_count(usage, "output_tokens", &s->output_tokens);
    s->h.usage = (struct gs_usage){
        .prompt_tokens = s->input_tokens + s->created_tokens + s->read_tokens,
        .cached_tokens = s->read_tokens,
        .cache_write_tokens = s->created_tokens,
        .answer_tokens = s->output_tokens,
    };
}

/* ---- blocks ---- */

static bool read_kind(const struct gs_json *block, enum gs_block_kind *out_kind)
{
    static const struct {
        const char *type;
        enum gs_block_kind kind;
    } kinds[] = {{"text", GS_BLOCK_TEXT},
                 {"thinking", GS_BLOCK_REASONING},
                 {"redacted_thinking", GS_BLOCK_REASONING},
                 {"tool_use", GS_BLOCK_TOOL_CALL}};

    for (size_t i = 0; i < GS_COUNT_OF(kinds); i++) {
        if (gs_dialect_anthropic_is(block, kinds[i].type)) {
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

/* What is begun is no content yet. */
static void begin_block(struct heard *s, const struct gs_json *block)
{
    const enum gs_dialect_effect before = s->h.effect;
    struct gs_event ev = {.id = gs_dialect_peek_string(block, "id"),
                          .name = gs_dialect_peek_string(block, "name")};

    s->in_block = true;
    s->n_blocks++;
    if (!read_kind(block, &ev.block)) {
        s->h.has_said = true;
        gs_dialect_hear_pass(&s->h);
        return;
    }
    if (ev.block == GS_BLOCK_TOOL_CALL && ev.name.len == 0) {
        malformed(s, "a tool call without a name");
        return;
    }
    keep_signature(s, block);
    keep_input(s, gs_json_get(block, "input"));
    gs_dialect_hear_begin(&s->h, ev);
    s->h.effect = before;
    gs_dialect_hear_delta(
        &s->h, gs_dialect_peek_string(block, ev.block == GS_BLOCK_REASONING ? "thinking" : "text"),
        NULL);
}

/* A whole call is content even where it has no arguments. */
static void end_block(struct heard *s, bool is_whole)
{
    s->in_block = false;
    if (!s->h.has_block)
        return;
    check(s, &s->signature);
    check(s, &s->input);
    if (s->h.block == GS_BLOCK_TOOL_CALL && !s->h.has_failed) {
        gs_dialect_hear_delta(&s->h, gs_buf_view(&s->input), NULL);
        s->h.effect = GS_DIALECT_CONTENT;
    }
    gs_dialect_hear_end(&s->h, gs_buf_view(&s->signature), is_whole);
}

static bool is_index(const struct gs_json *v, uint32_t expected)
{
    int64_t index = expected;

    return gs_json_get_int(v, "index", &index, NULL) && index == expected;
}

/* ---- events of the stream ---- */

static void start(struct heard *s, const struct gs_json *message)
{
    s->h.has_frame = true;
    read_usage(s, gs_json_get(message, "usage"));
    gs_dialect_hear_start(&s->h, message);
}

static void on_message_start(struct heard *s, const struct gs_json *v)
{
    if (s->h.has_started)
        malformed(s, "it starts twice");
    else
        start(s, gs_json_get(v, "message"));
}

static void on_block_start(struct heard *s, const struct gs_json *v)
{
    if (!is_index(v, s->n_blocks)) {
        malformed(s, "a block out of order");
        return;
    }
    end_block(s, false);
    if (!s->h.has_failed)
        begin_block(s, gs_json_get(v, "content_block"));
}

static void on_block_delta(struct heard *s, const struct gs_json *v)
{
    static const char *const members[] = {[GS_BLOCK_TEXT] = "text",
                                          [GS_BLOCK_REASONING] = "thinking",
                                          [GS_BLOCK_TOOL_CALL] = "partial_json"};
    const struct gs_json *delta = gs_json_get(v, "delta");

    if (!s->in_block || !is_index(v, s->n_blocks - 1))
        malformed(s, "a piece of a block that is not open");
    if (s->h.has_failed || !s->h.has_block)
        return;
    if (s->h.block == GS_BLOCK_REASONING)
        gs_buf_slice(&s->signature, gs_dialect_peek_string(delta, "signature"));
    const struct gs_slice text = gs_dialect_peek_string(delta, members[s->h.block]);
    if (text.len > 0)
        gs_buf_reset(&s->input);
    gs_dialect_hear_delta(&s->h, text, NULL);
}

static void on_block_stop(struct heard *s, const struct gs_json *v)
{
    if (s->n_blocks == 0 || !is_index(v, s->n_blocks - 1))
        malformed(s, "the end of a block that is not open");
    else
        end_block(s, true);
}

/* ---- the end ---- */

/* An answer that ends by itself and says nothing, however much it thought, is none; a refusal says
 * enough. */
static void finish(struct heard *s, struct gs_slice reason, const struct gs_json *v)
{
    static const struct {
        const char *reason;
        enum gs_stop_reason stop;
    } stops[] = {{"max_tokens", GS_STOP_LENGTH},
                 {"model_context_window_exceeded", GS_STOP_CONTEXT},
                 {"stop_sequence", GS_STOP_SEQUENCE},
                 {"tool_use", GS_STOP_TOOL_CALL},
                 {"refusal", GS_STOP_REFUSAL}};

    s->h.stop = GS_STOP_END;
    for (size_t i = 0; i < GS_COUNT_OF(stops); i++)
        if (gs_slice_eq_str(reason, stops[i].reason))
            s->h.stop = stops[i].stop;
    gs_buf_reset(&s->h.stop_sequence);
    gs_buf_slice(&s->h.stop_sequence, gs_dialect_peek_string(v, "stop_sequence"));
    check(s, &s->h.stop_sequence);
    if (!s->h.has_said && (s->h.stop == GS_STOP_END || s->h.stop == GS_STOP_TOOL_CALL))
        gs_dialect_hear_fail(&s->h, GS_FAULT_EMPTY, GS_EUPSTREAM,
                             "the server's answer ended with nothing said");
    s->h.is_finished = !s->h.has_failed;
}

static void on_message_delta(struct heard *s, const struct gs_json *v)
{
    const struct gs_json *delta = gs_json_get(v, "delta");
    const struct gs_slice reason = gs_dialect_peek_string(delta, "stop_reason");

    read_usage(s, gs_json_get(v, "usage"));
    if (reason.len == 0 || s->h.is_finished)
        return;
    end_block(s, false);
    if (!s->h.has_failed)
        finish(s, reason, delta);
    if (!s->h.has_failed)
        s->h.effect = GS_DIALECT_FINISH;
}

static void on_message_stop(struct heard *s, const struct gs_json *v)
{
    (void)v;
    if (s->h.is_finished)
        gs_dialect_hear_stop(&s->h);
    else
        malformed(s, "it stops without a reason");
}

static void on_error(struct heard *s, const struct gs_json *v)
{
    gs_dialect_hear_error(&s->h, v);
}

/* ---- frames ---- */

static const struct {
    const char *type;
    void (*take)(struct heard *s, const struct gs_json *v);
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

static void take(struct heard *s, const struct gs_json *v, struct gs_slice name)
{
    const enum phase phase = s->h.is_finished ? FINISHED : s->h.has_started ? STARTED : WAITING;
    struct gs_slice type = gs_dialect_peek_string(v, "type");

    if (type.len == 0)
        type = gs_dialect_has(v, "error") ? GS_SLICE_LIT("error") : name;
    for (size_t i = 0; i < GS_COUNT_OF(types); i++) {
        if (!gs_slice_eq_str(type, types[i].type))
            continue;
        if (phase < types[i].from)
            malformed(s, "it does not begin with its start");
        else if (phase <= types[i].to)
            types[i].take(s, v);
        return;
    }
}

static struct heard *hear(void *state, gs_event_fn *on_event, void *ud, enum gs_fault *out_fault,
                          struct gs_error *err)
{
    struct heard *s = state;

    gs_dialect_writer_ready(&s->signature);
    gs_dialect_writer_ready(&s->input);
    gs_dialect_hear_open(&s->h, on_event, ud, out_fault, err);
    return s;
}

static enum gs_dialect_effect read_frame(void *state, const struct gs_dialect_frame *frame,
                                         gs_event_fn *on_event, void *ud, enum gs_fault *out_fault,
                                         struct gs_error *err)
{
    struct heard *s = hear(state, on_event, ud, out_fault, err);
    struct gs_json v;

    if (frame->data.len == 0 || s->h.is_over)
        return GS_DIALECT_NOTHING;
    if (gs_slice_eq_str(frame->data, "[DONE]")) /* gateways end every API's streams so */
        return gs_dialect_hear_cut(&s->h);
    if (gs_dialect_hear_object(&s->h, frame->data, &v))
        take(s, &v, frame->name);
    return s->h.effect;
}

static enum gs_dialect_effect read_end(void *state, gs_event_fn *on_event, void *ud,
                                       enum gs_fault *out_fault, struct gs_error *err)
{
    return gs_dialect_hear_cut(&hear(state, on_event, ud, out_fault, err)->h);
}

static void clear_state(void *state)
{
    struct heard *s = state;

    gs_dialect_hear_clear(&s->h);
    gs_buf_clear(&s->signature);
    gs_buf_clear(&s->input);
}

/* ---- whole answers ---- */

/* Whether the block is more than reasoning. */
static bool says_something(const struct gs_json *block)
{
    enum gs_block_kind kind;

    if (!read_kind(block, &kind) || kind == GS_BLOCK_TOOL_CALL)
        return true;
    return kind == GS_BLOCK_TEXT && gs_dialect_peek_string(block, "text").len > 0;
}

static void hear_message(struct heard *s, const struct gs_json *message)
{
    const struct gs_json *content = gs_json_get(message, "content");
    const size_t n = content->u.array.len;

    for (size_t i = 0; i < n; i++) {
        const struct gs_json *block = &content->u.array.items[i];
        if (gs_dialect_anthropic_is(block, "tool_use") &&
            gs_dialect_peek_string(block, "name").len == 0)
            malformed(s, "a tool call without a name");
        s->h.has_said |= says_something(block);
    }
    if (!s->h.has_failed)
        finish(s, gs_dialect_peek_string(message, "stop_reason"), message);
    if (!s->h.has_failed)
        start(s, message);
    for (size_t i = 0; i < n && !s->h.has_failed; i++) {
        begin_block(s, &content->u.array.items[i]);
        end_block(s, true);
    }
    if (!s->h.has_failed)
        gs_dialect_hear_stop(&s->h);
}

static enum gs_dialect_effect read_whole(struct gs_slice body, struct gs_arena *a,
                                         gs_event_fn *on_event, void *ud, enum gs_fault *out_fault,
                                         struct gs_error *err)
{
    struct heard s = {.in_block = false};
    struct gs_json v;

    hear(&s, on_event, ud, out_fault, err);
    s.h.a = a;
    const bool is_object = gs_dialect_hear_object(&s.h, body, &v);
    const struct gs_json *content = is_object ? gs_json_get(&v, "content") : NULL;
    if (content && content->kind == GS_JSON_ARRAY)
        hear_message(&s, &v);
    else if (is_object && gs_dialect_has(&v, "error"))
        gs_dialect_hear_error(&s.h, &v);
    else if (is_object)
        malformed(&s, "it has no content");
    clear_state(&s);
    return s.h.effect;
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
