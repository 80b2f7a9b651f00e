/* Ollama, hearing: a JSON object a line, each with more of the message, the last with done true and
 * the counts; not streamed, that one alone with all of it. Blocks have no marks there: one begins
 * where the kind of what is said changes, and a call comes whole. */
#include "base/slice.h"
#include "dialect/hearing.h"
#include "dialect/ollama.h"
#include "dialect/reader.h"
#include "dialect/refusal.h"

struct heard {
    struct gs_dialect_heard h;
    bool has_call;
};

/* ---- what is said ---- */

static void hear_call(struct heard *s, const struct gs_json *call)
{
    const struct gs_json *function = gs_json_get(call, "function");

    gs_dialect_hear_begin(&s->h,
                          (struct gs_event){.block = GS_BLOCK_TOOL_CALL,
                                            .id = gs_dialect_peek_string(call, "id"),
                                            .name = gs_dialect_peek_string(function, "name")});
    gs_dialect_hear_delta(&s->h, gs_dialect_hear_args(&s->h, gs_json_get(function, "arguments")),
                          NULL);
    gs_dialect_hear_end(&s->h, gs_slice(NULL, 0), false);
    s->has_call = true;
}

static const struct gs_json *calls_of(const struct gs_json *message)
{
    const struct gs_json *calls = gs_json_get(message, "tool_calls");

    return calls && calls->kind == GS_JSON_ARRAY && calls->u.array.len > 0 ? calls : NULL;
}

static void hear_message(struct heard *s, const struct gs_json *message)
{
    const struct gs_json *calls = calls_of(message);

    gs_dialect_hear_text(&s->h, GS_BLOCK_REASONING, gs_dialect_peek_string(message, "thinking"),
                         NULL);
    gs_dialect_hear_text(&s->h, GS_BLOCK_TEXT, gs_dialect_peek_string(message, "content"), NULL);
    for (size_t i = 0; calls && i < calls->u.array.len && !s->h.has_failed; i++)
        hear_call(s, &calls->u.array.items[i]);
}

/* ---- the end ---- */

/* In nanoseconds there. */
static void read_duration(const struct gs_json *v, const char *key, int64_t *out_us)
{
    int64_t ns = -1;

    gs_dialect_hear_count(v, key, &ns);
    if (ns >= 0)
        *out_us = ns / 1000;
}

static void read_usage(struct gs_usage *u, const struct gs_json *v)
{
    gs_dialect_hear_count(v, "prompt_eval_count", &u->prompt_tokens);
    gs_dialect_hear_count(v, "eval_count", &u->answer_tokens);
    read_duration(v, "load_duration", &u->load_us);
    read_duration(v, "prompt_eval_duration", &u->prefill_us);
    read_duration(v, "eval_duration", &u->decode_us);
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
    return gs_dialect_peek_string(message, "content").len > 0 || calls_of(message);
}

/* Whether each call says what is called. */
static bool names_calls(const struct gs_json *message)
{
    const struct gs_json *calls = calls_of(message);

    for (size_t i = 0; calls && i < calls->u.array.len; i++)
        if (gs_dialect_peek_string(gs_json_get(&calls->u.array.items[i], "function"), "name").len ==
            0)
            return false;
    return true;
}

/* ---- lines ---- */

static void take(struct heard *s, const struct gs_json *v)
{
    const struct gs_json *message = gs_json_get(v, "message");
    const bool is_done = gs_dialect_peek_bool(v, "done");

    if (gs_dialect_has(v, "error"))
        gs_dialect_hear_error(&s->h, v);
    else if (is_done && !s->h.has_said && !is_cut(v) && !is_done_by(v, "refusal") &&
             !says_something(message))
        gs_dialect_hear_fail(&s->h, GS_FAULT_EMPTY, GS_EUPSTREAM,
                             "the server's answer ended with nothing said");
    else if (!names_calls(message))
        gs_dialect_hear_fail(&s->h, GS_FAULT_MALFORMED, GS_EUPSTREAM,
                             "the server's answer: a tool call without a name");
    if (s->h.has_failed || (!is_done && !gs_dialect_has(v, "message")))
        return;
    s->h.has_frame = true;
    read_usage(&s->h.usage, v);
    gs_dialect_hear_start(&s->h, v);
    hear_message(s, message);
    if (!is_done)
        return;
    s->h.stop = is_cut(v)                  ? GS_STOP_LENGTH
                : is_done_by(v, "refusal") ? GS_STOP_REFUSAL /* our own */
                : s->has_call              ? GS_STOP_TOOL_CALL
                                           : GS_STOP_END;
    gs_dialect_hear_stop(&s->h);
}

static enum gs_dialect_effect read_frame(void *state, const struct gs_dialect_frame *frame,
                                         gs_event_fn *on_event, void *ud, enum gs_fault *out_fault,
                                         struct gs_error *err)
{
    struct heard *s = state;
    struct gs_json v;

    gs_dialect_hear_open(&s->h, on_event, ud, out_fault, err);
    if (frame->data.len == 0 || s->h.is_over)
        return GS_DIALECT_NOTHING;
    if (!gs_slice_ends(frame->raw, GS_SLICE_LIT("\n")) &&
        gs_json_parse(frame->data, s->h.a, &v, NULL) == GS_EFORMAT)
        return GS_DIALECT_NOTHING; /* where the stream was cut */
    if (gs_dialect_hear_object(&s->h, frame->data, &v))
        take(s, &v);
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
}

static enum gs_dialect_effect read_whole(struct gs_slice body, struct gs_arena *a,
                                         gs_event_fn *on_event, void *ud, enum gs_fault *out_fault,
                                         struct gs_error *err)
{
    struct heard s = {.has_call = false};
    struct gs_json v;

    gs_dialect_hear_open(&s.h, on_event, ud, out_fault, err);
    s.h.a = a;
    const bool is_object = gs_dialect_hear_object(&s.h, body, &v);
    if (is_object && (gs_dialect_has(&v, "error") || gs_dialect_peek_bool(&v, "done")))
        take(&s, &v);
    else if (is_object)
        gs_dialect_hear_fail(&s.h, GS_FAULT_MALFORMED, GS_EUPSTREAM,
                             "the server's answer: it is not done");
    clear_state(&s);
    return s.h.effect;
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
    .limits = {"num_predict"},
    .limits_in = "options",
    .takes_open_turn = takes_open_turn,
    .write_request = gs_dialect_ollama_ask,
    .read_frame = read_frame,
    .read_end = read_end,
    .read_whole = read_whole,
    .clear_state = clear_state,
    .read_refusal = gs_dialect_read_refusal,
};
