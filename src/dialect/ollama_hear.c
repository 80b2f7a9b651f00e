/* Ollama, hearing: a JSON object a line, each with more of the message, the last with done true and
 * the counts; not streamed, that one alone with all of it. Blocks have no marks there: one begins
 * where the kind of what is said changes, and a call comes whole. */
#include "base/error.h"
#include "base/slice.h"
#include "dialect/client.h"
#include "dialect/ollama.h"
#include "dialect/refusal.h"
#include "dialect/writer.h"
#include "json/json.h"

#define MAX_COUNT ((int64_t)1 << 48) /* of tokens and microseconds; sums of them fit */

enum phase { WAITING, STARTED, OVER, BROKEN };

struct heard {
    enum phase phase;
    struct gs_arena a; /* of the line being read */
    bool in_block;
    enum gs_block_kind kind; /* of the block that is open, or was last */
    uint32_t n_blocks;       /* begun */
    bool has_said;           /* text, or a call */
    bool has_call;
    struct gs_buf args; /* of the call being told */
    struct gs_usage usage;
};

/* A line or a body on its way to events. */
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

static void emit(struct hearing *h, struct gs_event ev)
{
    ev.block = h->s->kind;
    ev.block_idx = h->s->n_blocks > 0 ? h->s->n_blocks - 1 : 0;
    ev.usage = h->s->usage;
    (void)h->on_event(h->ud, &ev);
}

static void end_block(struct hearing *h)
{
    if (h->s->in_block)
        emit(h, (struct gs_event){.kind = GS_EVENT_END});
    h->s->in_block = false;
}

static void begin_block(struct hearing *h, enum gs_block_kind kind, struct gs_slice id,
                        struct gs_slice name)
{
    struct heard *s = h->s;

    if (s->in_block && s->kind == kind && kind != GS_BLOCK_TOOL_CALL)
        return;
    end_block(h);
    s->in_block = true;
    s->kind = kind;
    s->n_blocks++;
    emit(h, (struct gs_event){.kind = GS_EVENT_BEGIN, .id = id, .name = name});
}

static bool tell_text(struct hearing *h, enum gs_block_kind kind, struct gs_slice text)
{
    const struct gs_slice none = {NULL, 0};

    if (text.len == 0)
        return false;
    begin_block(h, kind, none, none);
    h->s->has_said |= kind == GS_BLOCK_TEXT;
    emit(h, (struct gs_event){.kind = GS_EVENT_DELTA, .text = text});
    return true;
}

static enum gs_dialect_effect tell_call(struct hearing *h, const struct gs_json *call)
{
    const struct gs_json *function = gs_json_get(call, "function");
    const struct gs_json *args = gs_json_get(function, "arguments");
    const struct gs_slice name = gs_dialect_peek_string(function, "name");
    struct heard *s = h->s;

    gs_buf_reset(&s->args);
    if (args && args->kind == GS_JSON_STRING)
        gs_buf_slice(&s->args, args->u.string);
    else if (args && args->kind == GS_JSON_OBJECT && args->u.object.len > 0)
        gs_json_write(&s->args, args);
    if (!gs_buf_ok(&s->args))
        return no_memory(h);
    begin_block(h, GS_BLOCK_TOOL_CALL, gs_dialect_peek_string(call, "id"), name);
    if (s->args.len > 0)
        emit(h, (struct gs_event){.kind = GS_EVENT_DELTA, .text = gs_buf_view(&s->args)});
    end_block(h);
    s->has_call = true;
    s->has_said = true;
    return GS_DIALECT_CONTENT;
}

static enum gs_dialect_effect tell_message(struct hearing *h, const struct gs_json *message)
{
    const struct gs_json *calls = gs_json_get(message, "tool_calls");
    const bool has_reasoning =
        tell_text(h, GS_BLOCK_REASONING, gs_dialect_peek_string(message, "thinking"));
    const bool has_text = tell_text(h, GS_BLOCK_TEXT, gs_dialect_peek_string(message, "content"));
    enum gs_dialect_effect effect =
        has_reasoning || has_text ? GS_DIALECT_CONTENT : GS_DIALECT_NOTHING;

    for (size_t i = 0; calls && calls->kind == GS_JSON_ARRAY && i < calls->u.array.len &&
                       effect != GS_DIALECT_FAILED;
         i++)
        effect = tell_call(h, &calls->u.array.items[i]);
    return effect;
}

/* ---- the end ---- */

static void read_count(const struct gs_json *v, const char *key, int64_t unit, int64_t *out)
{
    int64_t n = -1;

    if (gs_json_get_int(v, key, &n, NULL) && n >= 0)
        *out = GS_MIN(n / unit, MAX_COUNT);
}

/* Durations are in nanoseconds. */
static void read_usage(struct gs_usage *u, const struct gs_json *v)
{
    read_count(v, "prompt_eval_count", 1, &u->prompt_tokens);
    read_count(v, "eval_count", 1, &u->answer_tokens);
    read_count(v, "load_duration", 1000, &u->load_us);
    read_count(v, "prompt_eval_duration", 1000, &u->prefill_us);
    read_count(v, "eval_duration", 1000, &u->decode_us);
}

static bool is_done_by(const struct gs_json *v, const char *reason)
{
    return gs_slice_eq_str(gs_dialect_peek_string(v, "done_reason"), reason);
}

static bool is_cut(const struct gs_json *v)
{
    return is_done_by(v, "length");
}

static bool says_something(const struct gs_json *message)
{
    const struct gs_json *calls = gs_json_get(message, "tool_calls");

    return gs_dialect_peek_string(message, "content").len > 0 ||
           (calls && calls->kind == GS_JSON_ARRAY && calls->u.array.len > 0);
}

/* Whether each call says what is called. */
static bool names_calls(const struct gs_json *message)
{
    const struct gs_json *calls = gs_json_get(message, "tool_calls");

    for (size_t i = 0; calls && calls->kind == GS_JSON_ARRAY && i < calls->u.array.len; i++)
        if (gs_dialect_peek_string(gs_json_get(&calls->u.array.items[i], "function"), "name").len ==
            0)
            return false;
    return true;
}

static enum gs_dialect_effect tell_end(struct hearing *h, const struct gs_json *v)
{
    struct heard *s = h->s;

    end_block(h);
    s->phase = OVER;
    emit(h, (struct gs_event){.kind = GS_EVENT_STOP,
                              .stop = is_cut(v)                  ? GS_STOP_LENGTH
                                      : is_done_by(v, "refusal") ? GS_STOP_REFUSAL /* our own */
                                      : s->has_call              ? GS_STOP_TOOL_CALL
                                                                 : GS_STOP_END});
    return GS_DIALECT_END;
}

/* ---- lines ---- */

static enum gs_dialect_effect take(struct hearing *h, const struct gs_json *v)
{
    struct heard *s = h->s;
    const struct gs_json *message = gs_json_get(v, "message");
    const bool is_done = gs_dialect_peek_bool(v, "done");

    if (gs_dialect_has(v, "error"))
        return fail(h, gs_dialect_read_error(v, h->err));
    if (!gs_dialect_has(v, "message") && !is_done)
        return GS_DIALECT_NOTHING;
    if (is_done && !s->has_said && !is_cut(v) && !is_done_by(v, "refusal") &&
        !says_something(message))
        return fail(h, gs_dialect_fault(GS_FAULT_EMPTY, h->err));
    if (!names_calls(message))
        return malformed(h, "a tool call without a name");
    read_usage(&s->usage, v);
    if (s->phase == WAITING)
        emit(h, (struct gs_event){.kind = GS_EVENT_START,
                                  .model = gs_dialect_peek_string(v, "model")});
    s->phase = STARTED;
    const enum gs_dialect_effect effect = tell_message(h, message);
    return is_done && effect != GS_DIALECT_FAILED ? tell_end(h, v) : effect;
}

static struct hearing hear(void *state, gs_event_fn *on_event, void *ud, enum gs_fault *out_fault,
                           struct gs_error *err)
{
    struct heard *s = state;

    gs_dialect_writer_ready(&s->args);
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
    gs_arena_reset(&h.s->a);
    const enum gs_status st = gs_json_parse(frame->data, &h.s->a, &v, NULL);
    if (st == GS_ENOMEM)
        return no_memory(&h);
    if (st != GS_OK && !gs_slice_ends(frame->raw, GS_SLICE_LIT("\n")))
        return GS_DIALECT_NOTHING; /* where the stream was cut */
    if (st != GS_OK)
        return fail(&h, gs_dialect_read_nonsense(frame->data, err));
    return v.kind == GS_JSON_OBJECT ? take(&h, &v) : malformed(&h, "a line is no JSON object");
}

static enum gs_dialect_effect read_end(void *state, gs_event_fn *on_event, void *ud,
                                       enum gs_fault *out_fault, struct gs_error *err)
{
    struct hearing h = hear(state, on_event, ud, out_fault, err);

    if (h.s->phase == OVER)
        return GS_DIALECT_END;
    return fail(&h, gs_dialect_fault(h.s->phase == WAITING ? GS_FAULT_EMPTY : GS_FAULT_CUT, err));
}

static void clear_state(void *state)
{
    struct heard *s = state;

    gs_arena_clear(&s->a);
    gs_buf_clear(&s->args);
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
    if (st == GS_ENOMEM)
        effect = no_memory(&h);
    else if (st != GS_OK)
        effect = fail(&h, body.len ? gs_dialect_read_nonsense(body, err)
                                   : gs_dialect_fault(GS_FAULT_EMPTY, err));
    else if (gs_dialect_has(&v, "error") || gs_dialect_peek_bool(&v, "done"))
        effect = take(&h, &v);
    else
        effect = malformed(&h, "it is not done");
    clear_state(&s);
    return effect;
}

static bool takes_open_turn(struct gs_slice model)
{
    (void)model;
    return true;
}

const struct gs_dialect_client gs_dialect_client_ollama = {
    .name = "ollama",
    .server = &gs_dialect_ollama,
    .path = "/api/chat",
    .framing = GS_DIALECT_LINES,
    .state_bytes = sizeof(struct heard),
    .turns = "messages",
    .takes_open_turn = takes_open_turn,
    .write_request = gs_dialect_ollama_ask,
    .read_frame = read_frame,
    .read_end = read_end,
    .read_whole = read_whole,
    .clear_state = clear_state,
    .read_refusal = gs_dialect_read_refusal,
};
