/* One answer: the engine's tokens -> text -> the parser's events -> the caller.
 *
 * Everything below "the engine's thread" runs there; the caller's thread only starts, cancels,
 * resumes and waits. */
#include <stdatomic.h>
#include <string.h>

#include "api/beginnings.h"
#include "api/choices.h"
#include "api/guide.h"
#include "api/heal.h"
#include "api/llm.h"
#include "api/replay.h"
#include "api/suggest.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/os.h"
#include "base/slice.h"
#include "chat/parser.h"
#include "chat/prompt.h"
#include "engine/engine.h"

#define MAX_TOP 20 /* alternatives of one token; the engine checks the request */

struct gs_answer {
    struct gs_choices *choices; /* not NULL: it stands for these, and nothing below is used */
    const struct gs_llm *llm;
    struct gs_job *job;
    gs_event_fn *on_event;
    void *ud;
    atomic_bool cancelled; /* by anybody: no more events */

    /* the engine's thread */
    const struct gs_prompt_traits *traits;
    struct gs_guide *guide; /* NULL: anything goes */
    struct gs_buf ignored;  /* of the format and the tools' schemas */
    struct gs_parser *parser;
    struct gs_replay *replay; /* the answer as it will be kept; NULL: it will not */
    struct gs_heal heal;      /* of an answer that broke off: its last word */
    size_t n_known;           /* bytes of text to come that the receiver has */
    int64_t max_tokens;       /* new ones at most, if some write again what is there; or 0 */
    bool is_full;             /* they are */
    struct gs_detok detok;
    struct gs_buf text; /* of one token */
    struct gs_top_logprob top[MAX_TOP];
    struct gs_usage usage;
    struct gs_buf tokens; /* of prompt and answer, if asked for */
    bool logprobs;
    bool wants_tokens;
    bool has_started;
    bool failed; /* for want of memory: text was lost */
};

/* A raw prompt has no template: its answer is text and nothing else. */
static const struct gs_prompt_traits raw_traits = {.think_begin = "", .think_end = ""};

/* ---- the engine's thread ---- */

static enum gs_flow emit(void *ud, const struct gs_event *ev)
{
    struct gs_answer *a = ud;
    struct gs_event told = *ev;

    if (atomic_load(&a->cancelled))
        return GS_FLOW_CANCEL;
    told.usage = a->usage;
    if (a->replay) {
        gs_replay_take_event(a->replay, ev);
        if (ev->kind == GS_EVENT_END && ev->block == GS_BLOCK_REASONING)
            told.signature = gs_replay_signature(a->replay);
    }
    const enum gs_flow flow = a->on_event(a->ud, &told);
    if (flow == GS_FLOW_CANCEL)
        atomic_store(&a->cancelled, true);
    return flow;
}

static enum gs_flow on_prefill(void *ud, int64_t done, int64_t total)
{
    struct gs_answer *a = ud;

    if (!a->has_started) {
        a->has_started = true;
        a->usage.prompt_tokens = total;
        a->usage.cached_tokens = done; /* as far as one can tell now */
        return emit(
            a, &(struct gs_event){.kind = GS_EVENT_START, .ignored = gs_buf_view(&a->ignored)});
    }
    return emit(a, &(struct gs_event){.kind = GS_EVENT_PROGRESS, .done = done, .total = total});
}

/* Control tokens are scaffolding of the conversation and not text, but for those that some families
 * spell tool calls, reasoning and channels with. */
static bool is_silent(const struct gs_answer *a, int32_t id)
{
    const struct gs_tokenizer *tok = a->llm->tok;

    return gs_token_kind_of(tok, id) == GS_TOKEN_CONTROL &&
           !gs_parser_reads_token(a->traits, gs_token_spelling(tok, id));
}

/* The token's log-probabilities with their texts; its alternatives are in a->top. */
static struct gs_logprob logprob_of(struct gs_answer *a, const struct gs_job_token *token)
{
    for (size_t i = 0; i < token->n_top; i++) {
        a->top[i] = token->top[i];
        a->top[i].text = gs_token_bytes(a->llm->tok, token->top[i].token);
    }
    return (struct gs_logprob){
        .token = token->id,
        .logprob = token->logprob,
        .text = gs_token_bytes(a->llm->tok, token->id),
        .top = a->top,
        .n_top = token->n_top,
    };
}

/* Give the parser what is in a->text. */
static enum gs_flow feed(struct gs_answer *a, const struct gs_logprob *lp, size_t n_lp)
{
    const size_t n_known = GS_MIN(a->n_known, a->text.len);

    a->n_known -= n_known;
    gs_buf_consume(&a->text, n_known);
    const enum gs_flow flow = gs_parser_feed(a->parser, gs_buf_view(&a->text), lp, n_lp);

    a->failed |= !gs_buf_ok(&a->text) || gs_parser_failed(a->parser);
    return a->failed || gs_parser_stopped(a->parser, NULL) ? GS_FLOW_CANCEL : flow;
}

/* Note what was chosen. False: it only wrote again what is there. */
static bool accept(struct gs_answer *a, int32_t id)
{
    if (gs_heal_goes_on(&a->heal)) {
        const struct gs_slice beyond = gs_heal_accept(&a->heal, id);
        if (a->guide && beyond.len > 0)
            gs_guide_accept_text(a->guide, a->parser, beyond);
        return beyond.len > 0;
    }
    if (a->guide)
        gs_guide_accept(a->guide, id);
    return true;
}

static enum gs_flow on_token(void *ud, const struct gs_job_token *token)
{
    struct gs_answer *a = ud;

    if (a->guide && gs_guide_failed(a->guide))
        return GS_FLOW_CANCEL;
    const bool is_new = accept(a, token->id);
    a->usage.answer_tokens += is_new;
    if (a->replay)
        gs_replay_take_token(a->replay, token->id);
    if (a->wants_tokens)
        gs_buf_put(&a->tokens, &token->id, sizeof(token->id));
    if (is_silent(a, token->id))
        return GS_FLOW_CONTINUE;
    a->usage.reasoning_tokens += is_new && gs_parser_in_reasoning(a->parser);
    gs_buf_reset(&a->text);
    gs_detok_feed(&a->detok, token->id, &a->text);
    const bool with_lp = a->logprobs && is_new;
    const struct gs_logprob lp = with_lp ? logprob_of(a, token) : (struct gs_logprob){0};
    const enum gs_flow flow = feed(a, &lp, with_lp ? 1 : 0);
    a->is_full = a->max_tokens > 0 && a->usage.answer_tokens >= a->max_tokens;
    return a->is_full ? GS_FLOW_CANCEL : flow;
}

static bool may_follow(void *ud, struct gs_slice text)
{
    struct gs_answer *a = ud;

    return !a->guide || gs_guide_allows(a->guide, a->parser, text);
}

static const uint64_t *on_mask(void *ud, int32_t drawn)
{
    struct gs_answer *a = ud;

    if (gs_heal_goes_on(&a->heal))
        return gs_heal_mask(&a->heal, drawn, may_follow, a);
    return a->guide ? gs_guide_mask(a->guide, a->parser, drawn) : NULL;
}

static void emit_error(struct gs_answer *a, const struct gs_error *err)
{
    emit(a, &(struct gs_event){.kind = GS_EVENT_ERROR, .error = err});
}

static void emit_stop(struct gs_answer *a, enum gs_stop_reason reason, struct gs_slice sequence)
{
    emit(a, &(struct gs_event){.kind = GS_EVENT_STOP,
                               .stop = reason,
                               .stop_sequence = sequence,
                               .tokens = (const int32_t *)(const void *)a->tokens.ptr,
                               .n_tokens = a->tokens.len / sizeof(int32_t)});
}

/* Release what detokeniser and parser held back. */
static void flush(struct gs_answer *a, bool is_cut)
{
    gs_buf_reset(&a->text);
    gs_detok_finish(&a->detok, &a->text);
    feed(a, NULL, 0);
    if (is_cut)
        gs_parser_break_off(a->parser);
    else
        gs_parser_finish(a->parser);
    a->failed |= gs_parser_failed(a->parser) || !gs_buf_ok(&a->tokens);
}

/* The turn is over, and stands in the next prompt as it was written. */
static void keep(struct gs_answer *a)
{
    if (a->replay && !atomic_load(&a->cancelled) && !gs_parser_dropped_calls(a->parser)) {
        gs_replay_keep(a->llm->replays, a->replay);
        a->replay = NULL;
    }
}

static void on_end(void *ud, enum gs_job_end end, const struct gs_job_stats *stats,
                   const struct gs_error *err)
{
    struct gs_answer *a = ud;
    struct gs_slice sequence = {0};
    struct gs_error own = {0};

    a->usage.prompt_tokens = stats->prompt_tokens;
    a->usage.cached_tokens = stats->cached_tokens;
    a->usage.answer_tokens = stats->answer_tokens - a->heal.n_again;
    a->usage.prefill_us = stats->prefill_us;
    a->usage.decode_us = stats->decode_us;
    if (end == GS_JOB_END_STOPPED && a->is_full)
        end = GS_JOB_END_LENGTH;
    flush(a, end == GS_JOB_END_LENGTH || end == GS_JOB_END_CONTEXT);
    if (end == GS_JOB_END_ERROR) {
        emit_error(a, err);
        return;
    }
    if (a->failed) {
        gs_error_nomem(&own, "hold the answer's text");
        emit_error(a, &own);
        return;
    }
    if (a->guide && gs_guide_failed(a->guide)) {
        gs_error_set(&own, GS_ELIMIT, "the answer can no longer be held to its format");
        gs_error_hint(&own, "Ask for a format that goes on in fewer ways, or free memory.");
        emit_error(a, &own);
        return;
    }
    if (gs_parser_stopped(a->parser, &sequence)) { /* perhaps by the very last token */
        if (sequence.len == 0)
            keep(a);
        emit_stop(a, sequence.len > 0 ? GS_STOP_SEQUENCE : GS_STOP_TOOL_CALL, sequence);
        return;
    }
    switch (end) {
    case GS_JOB_END_TOKEN:
        keep(a);
        emit_stop(a, gs_parser_tool_calls(a->parser) > 0 ? GS_STOP_TOOL_CALL : GS_STOP_END,
                  sequence);
        break;
    case GS_JOB_END_LENGTH:
        emit_stop(a, GS_STOP_LENGTH, sequence);
        break;
    case GS_JOB_END_CONTEXT:
        emit_stop(a, GS_STOP_CONTEXT, sequence);
        break;
    case GS_JOB_END_STOPPED:
    case GS_JOB_END_ERROR:
        gs_error_set(&own, GS_ECANCELLED, "the model was closed before the answer was complete");
        emit_error(a, &own);
        break;
    }
}

/* ---- the caller's thread ---- */

static enum gs_status create_parser(struct gs_answer *a, const struct gs_chat *chat,
                                    bool opens_reasoning, struct gs_error *err)
{
    a->traits = chat->is_raw ? &raw_traits : gs_prompter_traits(a->llm->prompter);
    const struct gs_parser_options opt = {
        .traits = a->traits,
        .opens_reasoning = opens_reasoning,
        .one_call = chat->one_tool_call,
        .tools = gs_llm_chat_has_tools(chat),
        .tool = chat->tools,
        .n_tools = chat->n_tools,
        .stops = chat->stops,
        .n_stops = chat->n_stops,
        .id_seed = gs_os_random_u64(), /* not the seed: ids are unique in a conversation */
        .partial = chat->prefill_only ? NULL : gs_llm_partial(chat),
    };

    return gs_parser_create(&opt, emit, a, &a->parser, err);
}

static bool ends_in_control(const struct gs_llm *llm, const struct gs_token_ids *ids)
{
    return ids->len > 0 && gs_token_kind_of(llm->tok, ids->ids[ids->len - 1]) == GS_TOKEN_CONTROL;
}

/* An answer begins anew; a continuation does where it follows a control token (BOS), while after
 * other text its first space counts. */
static void begin_text(struct gs_answer *a, const struct gs_chat *chat,
                       const struct gs_llm_prompt *p)
{
    const bool goes_on =
        gs_llm_partial(chat) ? p->ids.len > p->answer_at : chat->is_raw || chat->continue_last;

    gs_detok_init(&a->detok, a->llm->tok, true);
    a->detok.at_start = !goes_on || ends_in_control(a->llm, &p->ids);
    struct gs_detok again = a->detok;
    gs_buf_reset(&a->text);
    for (size_t i = 0; i < a->heal.n_tokens; i++)
        gs_detok_feed(&again, a->heal.tokens[i], &a->text);
    a->n_known = a->text.len;
}

static enum gs_status submit(struct gs_answer *a, const struct gs_chat *chat,
                             const struct gs_token_ids *ids, struct gs_error *err)
{
    const struct gs_llm *llm = a->llm;
    size_t marks[GS_TURN_MARKS];
    size_t n_marks;

    gs_llm_turn_marks(llm, ids, marks, &n_marks);
    if (n_marks > 0 && chat->n_messages > 1 && chat->messages[0].role == GS_ROLE_SYSTEM)
        gs_beginnings_note(llm->beginnings, ids->ids, marks[0]); /* its system's turn */
    if (a->wants_tokens)
        gs_buf_put(&a->tokens, ids->ids, ids->len * sizeof(*ids->ids));
    struct gs_job_options opt = {
        .prompt = ids->ids,
        .n_prompt = ids->len,
        .sampling = chat->sampling,
        .max_tokens = chat->max_tokens > 0 && chat->max_tokens < INT64_MAX - GS_HEAL_BYTES
                          ? chat->max_tokens + (int64_t)a->heal.n
                          : chat->max_tokens,
        .end_tokens = llm->end_tokens,
        .n_end_tokens = llm->n_end_tokens,
        .marks = marks,
        .n_marks = n_marks,
        .prefill_only = chat->prefill_only,
        .logprobs = chat->logprobs,
        .n_top_logprobs = chat->logprobs ? chat->n_top_logprobs : 0,
        .on = {.on_prefill = on_prefill,
               .on_token = on_token,
               .on_mask = a->guide || a->heal.n > 0 ? on_mask : NULL,
               .on_end = on_end,
               .ud = a},
    };

    gs_suggest_fill(&llm->suggested, &opt.sampling);
    return gs_engine_submit(llm->engine, &opt, &a->job, err);
}

static enum gs_status check_stops(const struct gs_chat *chat, struct gs_error *err)
{
    if (chat->n_stops > GS_MAX_STOPS) {
        gs_error_set(err, GS_ELIMIT, "stop: %zu strings are more than %d", chat->n_stops,
                     GS_MAX_STOPS);
        gs_error_amounts(err, (long long)chat->n_stops, GS_MAX_STOPS);
        return GS_ELIMIT;
    }
    return GS_OK;
}

static enum gs_status check_partial(const struct gs_chat *chat, struct gs_error *err)
{
    if (!chat->broke_off)
        return GS_OK;
    if (chat->is_raw)
        return gs_error_set(err, GS_EUNSUPPORTED,
                            "an answer to a raw prompt cannot be gone on with");
    if (chat->n_messages == 0 || chat->messages[chat->n_messages - 1].role != GS_ROLE_ASSISTANT)
        return gs_error_set(err, GS_EINVAL, "the last message is not the answer that broke off");
    return GS_OK;
}

static enum gs_status start_one(gs_llm *llm, const struct gs_chat *chat, gs_event_fn *on_event,
                                void *ud, gs_answer **out_answer, struct gs_error *err)
{
    struct gs_llm_prompt prompt = {.opens_reasoning = false};
    enum gs_status st;

    if (llm->compute && !llm->engine) {
        gs_error_set(err, GS_EUNSUPPORTED, "model \"%s\" does not write text", llm->name.ptr);
        gs_error_hint(err, "It turns texts into vectors: ask for embeddings.");
        return GS_EUNSUPPORTED;
    }
    if (!llm->engine)
        return gs_error_set(err, GS_EINVAL, "model \"%s\" was opened without its weights",
                            llm->name.ptr);
    struct gs_answer *a = gs_alloc_zero(sizeof(*a));
    if (!a)
        return gs_error_nomem(err, "start an answer");
    *a = (struct gs_answer){.llm = llm,
                            .on_event = on_event,
                            .ud = ud,
                            .logprobs = chat->logprobs,
                            .wants_tokens = chat->wants_tokens};
    gs_buf_init(&a->text, GS_MAX_TEXT_BYTES);
    gs_buf_init(&a->tokens, GS_MAX_TEXT_BYTES);
    gs_buf_init(&a->ignored, GS_MAX_TEXT_BYTES);
    st = check_stops(chat, err);
    if (st == GS_OK)
        st = check_partial(chat, err);
    if (st == GS_OK)
        st = gs_llm_prompt_make(llm, chat, &prompt, err);
    if (st == GS_OK)
        st = create_parser(a, chat, prompt.opens_reasoning, err);
    if (st == GS_OK && prompt.knows_opening && !chat->prefill_only)
        st = gs_replay_begin(llm->replays, chat, gs_buf_view(&prompt.opening), &a->replay, err);
    if (st == GS_OK && !chat->prefill_only)
        st = gs_guide_create(llm, chat, a->traits, &a->ignored, &a->guide, err);
    if (st == GS_OK) {
        a->heal = prompt.heal;
        prompt.heal = (struct gs_heal){.n = 0};
        a->max_tokens = a->heal.n > 0 ? chat->max_tokens : 0;
        begin_text(a, chat, &prompt);
        st = submit(a, chat, &prompt.ids, err);
    }
    gs_llm_prompt_clear(&prompt);
    if (st != GS_OK) {
        gs_answer_free(a);
        return st;
    }
    *out_answer = a;
    return GS_OK;
}

static enum gs_status start_several(gs_llm *llm, const struct gs_chat *chat, gs_event_fn *on_event,
                                    void *ud, gs_answer **out_answer, struct gs_error *err)
{
    if (chat->broke_off)
        return gs_error_set(err, GS_EUNSUPPORTED, "of several answers none can be gone on with");
    struct gs_answer *a = gs_alloc_zero(sizeof(*a));
    if (!a)
        return gs_error_nomem(err, "start answers");
    const enum gs_status st = gs_choices_create(llm, chat, on_event, ud, &a->choices, err);
    if (st != GS_OK) {
        gs_free(a);
        return st;
    }
    *out_answer = a;
    return GS_OK;
}

enum gs_status gs_llm_answer(gs_llm *llm, const struct gs_chat *chat, gs_event_fn *on_event,
                             void *ud, gs_answer **out_answer, struct gs_error *err)
{
    return (gs_choices_wanted(chat) && !chat->prefill_only ? start_several : start_one)(
        llm, chat, on_event, ud, out_answer, err);
}

void gs_answer_cancel(gs_answer *a)
{
    if (a->choices) {
        gs_choices_cancel(a->choices);
        return;
    }
    atomic_store(&a->cancelled, true);
    gs_job_cancel(a->job);
}

void gs_answer_resume(gs_answer *a)
{
    if (a->choices)
        gs_choices_resume(a->choices);
    else
        gs_job_resume(a->job);
}

void gs_answer_wait(gs_answer *a)
{
    if (a->choices)
        gs_choices_wait(a->choices);
    else
        gs_job_wait(a->job);
}

void gs_answer_free(gs_answer *a)
{
    if (!a)
        return;
    if (a->job) {
        gs_answer_cancel(a);
        gs_job_free(a->job);
    }
    gs_choices_free(a->choices);
    gs_parser_free(a->parser);
    gs_replay_free(a->replay);
    gs_guide_free(a->guide);
    gs_heal_clear(&a->heal);
    gs_buf_clear(&a->text);
    gs_buf_clear(&a->tokens);
    gs_buf_clear(&a->ignored);
    gs_free(a);
}
