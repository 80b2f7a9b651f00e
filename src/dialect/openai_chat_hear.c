/* OpenAI Chat Completions, the other side: chunks become events
 * (https://platform.openai.com/docs/api-reference/chat-streaming), as OpenAI, vLLM, llama-server,
 * DeepSeek, OpenRouter, Mistral and others send them. A whole answer is one chunk whose message is
 * its delta.
 *
 * Of several choices only the first is told; the others are waited for. */
#include "base/error.h"
#include "base/slice.h"
#include "dialect/details.h"
#include "dialect/hearing.h"
#include "dialect/openai_ask.h"
#include "dialect/reader.h"
#include "dialect/refusal.h"

#define MAX_CHOICES 32 /* bits of a mask */

struct heard {
    struct gs_dialect_heard h;
    uint32_t seen, finished;           /* choices, a bit each */
    int64_t call;                      /* open: its number there; -1: it has none */
    struct gs_buf call_id;             /* open */
    struct gs_dialect_details details; /* of reasoning that has not ended */
    bool has_called;
};

/* ---- what a chunk says ---- */

/* Reasoning goes by two names, and by both at once. */
static struct gs_slice reasoning_of(const struct gs_json *delta)
{
    const struct gs_slice text = gs_dialect_peek_string(delta, "reasoning_content");

    return text.len ? text : gs_dialect_peek_string(delta, "reasoning");
}

static const struct gs_json *array_of(const struct gs_json *v, const char *key)
{
    const struct gs_json *m = gs_json_get(v, key);

    return m && m->kind == GS_JSON_ARRAY && m->u.array.len > 0 ? m : NULL;
}

/* There is something that the user would see, or a call. */
static bool says_something(const struct gs_json *delta)
{
    return gs_dialect_peek_string(delta, "content").len || array_of(delta, "content") ||
           gs_dialect_peek_string(delta, "refusal").len || array_of(delta, "tool_calls") ||
           gs_dialect_has(delta, "function_call");
}

/* Parts of a content, as Mistral sends them: {"type": "text", "text": ...} and {"type": "thinking",
 * "thinking": [parts]}. */
static void hear_parts(struct heard *s, const struct gs_json *parts, enum gs_block_kind kind,
                       const struct gs_json *logprobs)
{
    for (size_t i = 0; i < parts->u.array.len; i++) {
        const struct gs_json *part = &parts->u.array.items[i];
        const struct gs_json *thinking = array_of(part, "thinking");
        gs_dialect_hear_text(&s->h, kind, gs_dialect_peek_string(part, "text"), logprobs);
        if (thinking && kind == GS_BLOCK_TEXT)
            hear_parts(s, thinking, GS_BLOCK_REASONING, NULL);
    }
}

/* ---- calls ---- */

/* Which call a piece belongs to is told by its index; where that says nothing (it is left out, or
 * always 0), by a new id with a name. Ids alone change from chunk to chunk with some. */
static bool begins_call(const struct heard *s, int64_t index, struct gs_slice id,
                        struct gs_slice name)
{
    if (!s->h.has_block || s->h.block != GS_BLOCK_TOOL_CALL || index != s->call)
        return true;
    return name.len && id.len && s->call_id.len && !gs_slice_eq(id, gs_buf_view(&s->call_id));
}

static void begin_call(struct heard *s, int64_t index, struct gs_slice id, struct gs_slice name,
                       struct gs_slice signature)
{
    if (!name.len) {
        gs_dialect_hear_fail(&s->h, GS_FAULT_MALFORMED, GS_EUPSTREAM,
                             "the server's answer: a piece of a tool call without its "
                             "beginning");
        return;
    }
    s->has_called = true;
    s->call = index;
    if (s->call_id.max == 0)
        gs_buf_init(&s->call_id, SIZE_MAX / 2);
    gs_buf_reset(&s->call_id);
    gs_buf_slice(&s->call_id, id);
    gs_dialect_hear_begin(
        &s->h, (struct gs_event){
                   .block = GS_BLOCK_TOOL_CALL, .id = id, .name = name, .signature = signature});
}

/* {"index": 0, "id": ..., "function": {"name": ..., "arguments": ...}} or a piece of it. */
static void hear_call(struct heard *s, const struct gs_json *call)
{
    const struct gs_json *custom = gs_json_get(call, "custom");
    const struct gs_json *function = custom ? custom : gs_json_get(call, "function");
    const struct gs_slice id = gs_dialect_peek_string(call, "id");
    const struct gs_slice name = gs_dialect_peek_string(function, "name");
    int64_t index = -1;

    if (!gs_json_get_int(call, "index", &index, NULL))
        index = -1;
    if (begins_call(s, index, id, name)) {
        begin_call(s, index, id, name, gs_dialect_call_signature(call));
        if (custom && !s->h.has_failed)
            gs_dialect_hear_custom(&s->h);
    }
    gs_dialect_hear_delta(
        &s->h, gs_dialect_hear_args(&s->h, gs_json_get(function, custom ? "input" : "arguments")),
        NULL);
}

/* As before 2023-11: one call, without an id. */
static void hear_function(struct heard *s, const struct gs_json *function)
{
    const struct gs_slice name = gs_dialect_peek_string(function, "name");

    if (!s->h.has_block || s->h.block != GS_BLOCK_TOOL_CALL)
        begin_call(s, -1, gs_slice(NULL, 0), name, gs_slice(NULL, 0));
    gs_dialect_hear_delta(&s->h, gs_dialect_hear_args(&s->h, gs_json_get(function, "arguments")),
                          NULL);
}

/* ---- the delta ---- */

/* What was signed may have been told in no words. */
static void end_reasoning(struct heard *s)
{
    struct gs_slice signature;

    if (!gs_dialect_details_take(&s->details, &signature))
        return;
    if (!s->h.has_block || s->h.block != GS_BLOCK_REASONING)
        gs_dialect_hear_begin(&s->h, (struct gs_event){.block = GS_BLOCK_REASONING});
    gs_dialect_hear_end(&s->h, signature, false);
}

static void hear_delta(struct heard *s, const struct gs_json *choice, const struct gs_json *delta)
{
    const struct gs_json *logprobs = gs_json_get(gs_json_get(choice, "logprobs"), "content");
    const struct gs_json *parts = array_of(delta, "content");
    const struct gs_json *calls = array_of(delta, "tool_calls");

    gs_dialect_hear_text(&s->h, GS_BLOCK_REASONING, reasoning_of(delta), NULL);
    gs_dialect_details_add(&s->details, gs_json_get(delta, "reasoning_details"));
    if (says_something(delta))
        end_reasoning(s);
    gs_dialect_hear_text(&s->h, GS_BLOCK_TEXT, gs_dialect_peek_string(delta, "content"), logprobs);
    if (parts)
        hear_parts(s, parts, GS_BLOCK_TEXT, NULL);
    gs_dialect_hear_text(&s->h, GS_BLOCK_TEXT, gs_dialect_peek_string(delta, "refusal"), NULL);
    for (size_t i = 0; calls && i < calls->u.array.len && !s->h.has_failed; i++)
        hear_call(s, &calls->u.array.items[i]);
    if (gs_dialect_has(delta, "function_call"))
        hear_function(s, gs_json_get(delta, "function_call"));
}

/* ---- the reason of the end ---- */

struct reason {
    const char *word;
    enum gs_stop_reason stop;
    enum gs_fault fault; /* NONE: it is an end like any other */
};

static const struct reason reasons[] = {
    {"stop", GS_STOP_END, GS_FAULT_NONE},
    {"length", GS_STOP_LENGTH, GS_FAULT_NONE},
    {"max_tokens", GS_STOP_LENGTH, GS_FAULT_NONE},
    {"model_length", GS_STOP_CONTEXT, GS_FAULT_NONE}, /* Mistral */
    {"model_context_window_exceeded", GS_STOP_CONTEXT, GS_FAULT_NONE},
    {"tool_calls", GS_STOP_TOOL_CALL, GS_FAULT_NONE},
    {"function_call", GS_STOP_TOOL_CALL, GS_FAULT_NONE},
    {"stop_sequence", GS_STOP_SEQUENCE, GS_FAULT_NONE}, /* TGI */
    {"content_filter", GS_STOP_REFUSAL, GS_FAULT_NONE},
    {"sensitive", GS_STOP_REFUSAL, GS_FAULT_NONE}, /* GLM */
    {"error", GS_STOP_END, GS_FAULT_ERROR_EVENT},
    {"abort", GS_STOP_END, GS_FAULT_ERROR_EVENT}, /* vLLM, SGLang */
    {"network_error", GS_STOP_END, GS_FAULT_ERROR_EVENT},
    {"malformed_function_call", GS_STOP_END, GS_FAULT_ERROR_EVENT},
    {"insufficient_system_resource", GS_STOP_END, GS_FAULT_OVERLOADED}, /* DeepSeek */
};

/* A word that nobody knows is an end. */
static const struct reason *find_reason(struct gs_slice word)
{
    for (size_t i = 0; i < GS_COUNT_OF(reasons); i++) {
        if (gs_slice_eq_str(word, reasons[i].word))
            return &reasons[i];
    }
    return &reasons[0];
}

/* Whether the answer failed by its end: with an error, or with nothing said. What ran into its
 * limit may have spent all of it on reasoning that nobody sees, and a refusal says enough. */
static bool ends_badly(struct heard *s, const struct gs_json *choice, const struct gs_json *delta,
                       struct gs_slice word)
{
    const struct gs_slice native = gs_dialect_peek_string(choice, "native_finish_reason");
    const struct reason *r = find_reason(word);
    const bool says = s->h.has_said || says_something(delta);

    if (r->fault == GS_FAULT_NONE && find_reason(native)->fault == GS_FAULT_ERROR_EVENT) {
        r = find_reason(native);
        word = native;
    }
    if (r->fault == GS_FAULT_NONE && !says && r->stop != GS_STOP_LENGTH &&
        r->stop != GS_STOP_CONTEXT && r->stop != GS_STOP_REFUSAL)
        gs_dialect_hear_fail(&s->h, GS_FAULT_EMPTY, GS_EUPSTREAM,
                             "the server's answer ended with nothing said");
    else if (r->fault != GS_FAULT_NONE)
        gs_dialect_hear_fail(&s->h, r->fault, GS_EUPSTREAM, "the server's answer ended in \"%.*s\"",
                             (int)GS_MIN(word.len, (size_t)60), word.ptr);
    return s->h.has_failed;
}

/* vLLM says which stop string it was. */
static void finish(struct heard *s, const struct gs_json *choice, struct gs_slice word)
{
    const struct gs_slice stop = gs_dialect_peek_string(choice, "stop_reason");

    s->h.stop = find_reason(word)->stop;
    gs_buf_slice(&s->h.stop_sequence, stop);
    if (s->h.stop == GS_STOP_END && s->has_called)
        s->h.stop = GS_STOP_TOOL_CALL; /* Ollama and Gemini say "stop" */
    else if (s->h.stop == GS_STOP_END && stop.len)
        s->h.stop = GS_STOP_SEQUENCE;
}

/* ---- chunks ---- */

/* What failed is told beside the choices or within one, as an object or a text. */
static bool has_error(struct heard *s, const struct gs_json *chunk, const struct gs_json *choice)
{
    if (gs_dialect_has(chunk, "error") || /* the second: vLLM before 0.10 */
        gs_slice_eq_str(gs_dialect_peek_string(chunk, "object"), "error"))
        gs_dialect_hear_error(&s->h, chunk);
    else if (gs_dialect_has(choice, "error"))
        gs_dialect_hear_error(&s->h, choice);
    return s->h.has_failed;
}

/* Moonshot counts within the choice, Groq aside. */
static void hear_usage(struct heard *s, const struct gs_json *chunk, const struct gs_json *choice)
{
    gs_dialect_hear_usage(&s->h, gs_json_get(gs_json_get(chunk, "x_groq"), "usage"));
    gs_dialect_hear_usage(&s->h, gs_json_get(choice, "usage"));
    gs_dialect_hear_usage(&s->h, gs_json_get(chunk, "usage"));
}

/* One of the choices: its number, and whether it is the one that is told. */
static void hear_choice(struct heard *s, const struct gs_json *chunk, const struct gs_json *choice,
                        const char *message)
{
    const struct gs_slice word = gs_dialect_peek_string(choice, "finish_reason");
    const struct gs_json *delta = gs_json_get(choice, message);
    int64_t idx = 0;

    if (!gs_json_get_int(choice, "index", &idx, NULL) || idx < 0 || idx >= MAX_CHOICES)
        return;
    s->seen |= (uint32_t)1 << idx;
    if (word.len)
        s->finished |= (uint32_t)1 << idx;
    if (idx != 0 && says_something(delta) && s->h.effect == GS_DIALECT_NOTHING)
        s->h.effect = GS_DIALECT_CONTENT;
    if (idx != 0 || (word.len && ends_badly(s, choice, delta, word)))
        return;
    gs_dialect_hear_start(&s->h, chunk);
    hear_delta(s, choice, delta);
    if (word.len)
        finish(s, choice, word);
}

static void hear_chunk(struct heard *s, const struct gs_json *chunk, const char *message)
{
    const struct gs_json *choices = array_of(chunk, "choices");
    const size_t n = choices ? choices->u.array.len : 0;
    const struct gs_json *first = n > 0 ? &choices->u.array.items[0] : NULL;

    hear_usage(s, chunk, first);
    if (has_error(s, chunk, first))
        return;
    if (s->h.is_finished)
        return; /* what comes now is counted only */
    for (size_t i = 0; i < n && !s->h.has_failed; i++)
        hear_choice(s, chunk, &choices->u.array.items[i], message);
    if (s->h.has_failed || !(s->seen & 1) || s->finished != s->seen)
        return;
    s->h.is_finished = true;
    end_reasoning(s);
    gs_dialect_hear_end(&s->h, gs_slice(NULL, 0), false);
    s->h.effect = GS_DIALECT_FINISH;
}

static void hear_done(struct heard *s)
{
    if (s->h.is_finished)
        gs_dialect_hear_stop(&s->h);
    else if (s->h.n_blocks > 0)
        gs_dialect_hear_fail(&s->h, GS_FAULT_CUT, GS_EUPSTREAM,
                             "the server's answer ended without a reason");
    else
        gs_dialect_hear_fail(&s->h, GS_FAULT_EMPTY, GS_EUPSTREAM, "the server answered nothing");
}

static enum gs_dialect_effect read_frame(void *state, const struct gs_dialect_frame *frame,
                                         gs_event_fn *on_event, void *ud, enum gs_fault *out_fault,
                                         struct gs_error *err)
{
    struct heard *s = state;
    const struct gs_slice data = gs_slice_trim(frame->data);
    struct gs_json chunk;

    gs_dialect_hear_open(&s->h, on_event, ud, out_fault, err);
    if (!data.len || s->h.is_over)
        return GS_DIALECT_NOTHING;
    s->h.has_frame = true;
    if (gs_slice_eq_str(data, "[DONE]"))
        hear_done(s);
    else if (gs_dialect_hear_object(&s->h, data, &chunk))
        hear_chunk(s, &chunk, "delta");
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
    gs_buf_clear(&s->call_id);
    gs_dialect_details_clear(&s->details);
}

/* ---- whole ---- */

static enum gs_dialect_effect read_whole(struct gs_slice body, struct gs_arena *a,
                                         gs_event_fn *on_event, void *ud, enum gs_fault *out_fault,
                                         struct gs_error *err)
{
    struct heard s = {.seen = 0};
    struct gs_json chunk;

    gs_dialect_hear_open(&s.h, on_event, ud, out_fault, err);
    s.h.a = a;
    if (gs_dialect_hear_object(&s.h, body, &chunk)) {
        hear_chunk(&s, &chunk, "message");
        s.h.is_finished |= s.h.has_said; /* some give no reason */
    }
    if (!s.h.has_failed)
        hear_done(&s);
    clear_state(&s);
    return s.h.effect;
}

/* Those of OpenAI that reason do not. */
static bool takes_open_turn(struct gs_slice model)
{
    return !gs_dialect_openai_reasons(model);
}

const struct gs_dialect_client gs_dialect_client_openai_chat = {
    .name = "openai-chat",
    .server = &gs_dialect_openai_chat,
    .path = "/chat/completions",
    .framing = GS_DIALECT_SSE,
    .state_bytes = sizeof(struct heard),
    .turns = "messages",
    .limits = {"max_completion_tokens", "max_tokens"},
    .goes_on = GS_DIALECT_OPENAI_GOES_ON ",",
    .takes_open_turn = takes_open_turn,
    .write_request = gs_dialect_openai_chat_ask,
    .read_frame = read_frame,
    .read_end = read_end,
    .read_whole = read_whole,
    .clear_state = clear_state,
    .read_refusal = gs_dialect_read_refusal,
};
