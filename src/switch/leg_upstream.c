/* A leg to another computer. Its answer is read as it comes: where it is spelled in the client's
 * own API its frames go through as they are, once it is known that they are no error; else its
 * events are spelled anew. What opens an answer is held until there is content, and what follows
 * the reason of its end until the end mark: a stream that is cut there is ended by our own hand. */
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/format.h"
#include "base/limits.h"
#include "base/slice.h"
#include "http/loop.h"
#include "route/breaker.h"
#include "route/retry.h"
#include "switch/switch_call.h"

#define MAX_REFUSAL_BYTES (256 * GS_KIB)
#define MAX_FRAME_BYTES   (8 * GS_MIB)
#define PIECE_BYTES       (16 * GS_KIB) /* read at once: what is behind it stays small */
#define TAIL_MS           2000          /* for the end mark, once the reason of the end is known */
#define BLOCKED_MS        1000          /* to look again at an answer that nobody takes */
#define CONNECT_MS        3000
#define HEADERS_MS        10000
#define STALL_MS          10000
#define WHOLE_MS          600000 /* as long as SDKs wait */
#define THINKING_FACTOR   6      /* whoever reasons first may be silent for longer */

static int64_t limit_ms(int64_t of_route, int64_t of_provider, int64_t by_default)
{
    const int64_t ms = of_route ? of_route : of_provider ? of_provider : by_default;

    return GS_MAX(ms, 0);
}

static bool reasons(const struct gs_switch_leg *leg)
{
    const struct gs_chat *chat = leg->call->ask.chat;

    return chat && (chat->thinking == GS_THINKING_ON || chat->effort.len > 0);
}

static int64_t stall_ms(const struct gs_switch_leg *leg)
{
    return limit_ms(leg->call->route->deadlines.stall_ms, leg->provider->deadlines.stall_ms,
                    STALL_MS * (reasons(leg) ? THINKING_FACTOR : 1));
}

/* Twice this long it may drip: half as long again as it may be silent. */
static int64_t drip_us(const struct gs_switch_leg *leg)
{
    return limit_ms(leg->call->route->deadlines.stall_ms, leg->provider->deadlines.stall_ms,
                    STALL_MS) *
           1500;
}

static void fail(struct gs_switch_leg *leg, enum gs_fault fault, const char *why)
{
    struct gs_error err = {0};

    gs_error_set(&err, fault == GS_FAULT_OURS ? GS_ENOMEM : GS_EUPSTREAM, "%s", why);
    gs_switch_call_failed(leg, fault, &err);
}

/* Whether the answer goes out in the very bytes that spell it. */
static bool passes_on(const struct gs_switch_leg *leg)
{
    return leg->way.is_raw && !leg->way.is_redacted;
}

/* And that all at once: no event of it is told. */
static bool goes_out_whole(const struct gs_switch_leg *leg)
{
    return passes_on(leg) && leg->way.is_whole;
}

/* ---- out of the hold ---- */

/* Pass on what is held: by the bytes that spelled it, or by its events. */
static void flush(struct gs_switch_leg *leg, bool is_spelled)
{
    const bool by_bytes = is_spelled && passes_on(leg) && !leg->call->is_opened;

    if (by_bytes && leg->hold.bytes.len > 0)
        gs_switch_call_bytes(leg, gs_buf_view(&leg->hold.bytes));
    for (const struct gs_switch_mail *m = leg->hold.first; m && !leg->is_over; m = m->next)
        gs_switch_call_event(leg, &m->event, by_bytes);
    if (!leg->is_over)
        gs_switch_hold_reset(&leg->hold);
}

/* It was asked to go on with an answer, and does that, or may do it yet. False: it is over. */
static bool goes_on(struct gs_switch_leg *leg)
{
    if (!leg->is_spliced || gs_splice_state(&leg->splice) != GS_SEAM_APART)
        return true;
    fail(leg, GS_FAULT_DIVERGED, "what was said is not gone on with");
    return false;
}

static void finish(struct gs_switch_leg *leg, bool is_spelled)
{
    if (!goes_on(leg))
        return;
    if (!leg->leads && !gs_switch_call_lead(leg))
        return;
    flush(leg, is_spelled);
    if (!leg->is_over)
        gs_switch_call_done(leg);
}

/* ---- signatures ---- */

/* Whether this leg's provider is the route's first that is asked in the client's own API. */
static bool is_home(const struct gs_switch_leg *leg)
{
    const struct gs_switch_call *c = leg->call;
    struct gs_switch_way way;

    for (size_t i = 0; c->route && i < c->route->n_targets; i++) {
        const struct gs_config_provider *p =
            &c->generation->routes->providers[c->route->targets[i].provider];
        if (gs_switch_request_way(p, &c->ask, false, &way) && way.is_raw)
            return p == leg->provider;
    }
    return true;
}

static bool is_theirs(void *ud, struct gs_slice signature, struct gs_slice *out_theirs)
{
    const struct gs_switch_leg *leg = ud;

    return gs_switch_signers_is(&leg->call->sw->signers, leg->provider->name,
                                (leg->way.is_raw || leg->way.is_own) && is_home(leg), signature,
                                out_theirs);
}

static void note_signature(void *ud, struct gs_slice signature)
{
    const struct gs_switch_leg *leg = ud;

    gs_switch_note_signed(leg->call->sw, leg->provider->name, signature);
}

/* Who is asked next time is to be told apart from who signed it. */
static void take_signature(struct gs_switch_leg *leg, struct gs_event *ev)
{
    if (leg->way.is_raw)
        gs_dialect_each_signed(ev->signature, note_signature, leg);
    else if (!gs_dialect_sign(leg->provider->name, ev->signature, &leg->arena, &ev->signature))
        leg->is_out_of_memory = true;
}

/* ---- a streamed answer ---- */

static enum gs_flow hold_event(void *ud, const struct gs_event *ev)
{
    struct gs_switch_leg *leg = ud;

    leg->is_out_of_memory = leg->is_out_of_memory || !gs_switch_hold_event(&leg->hold, ev);
    return GS_FLOW_CONTINUE;
}

enum gs_flow gs_switch_leg_upstream_hear(void *ud, const struct gs_event *ev)
{
    struct gs_switch_leg *leg = ud;

    if (leg->is_spliced)
        gs_splice_event(&leg->splice, ev);
    else if (!goes_out_whole(leg))
        return hold_event(leg, ev);
    return GS_FLOW_CONTINUE;
}

static enum gs_flow note_event(void *ud, const struct gs_event *ev)
{
    struct gs_switch_leg *leg = ud;
    struct gs_event told = *ev;

    if (!passes_on(leg)) { /* a client of another API has not seen what the upstream calls it */
        told.answer_id.len = 0;
        told.item_id.len = 0;
        told.is_passed_over = false;
        told.n_sent = 0;
    }
    if (ev->kind == GS_EVENT_END && ev->block == GS_BLOCK_REASONING)
        take_signature(leg, &told);
    else if (ev->kind == GS_EVENT_BEGIN && leg->way.is_raw) /* a call; others' clients keep none */
        note_signature(leg, ev->signature);
    if (ev->usage.answer_tokens != leg->usage.answer_tokens)
        leg->uncounted_bytes = 0;
    if (ev->usage.prompt_tokens > 0 || ev->kind == GS_EVENT_STOP)
        leg->usage = ev->usage;
    if (ev->kind == GS_EVENT_DELTA) {
        leg->said_bytes += ev->text.len;
        leg->uncounted_bytes += ev->text.len;
        gs_health_note(&leg->health, ev->text, gs_clock_mono_us());
    }
    gs_switch_redact_hear(leg, &told);
    return GS_FLOW_CONTINUE;
}

static void moved(struct gs_switch_leg *leg)
{
    leg->moved_us = gs_clock_mono_us();
    if (!leg->first_us)
        leg->first_us = leg->moved_us;
    gs_switch_standby_stop(leg->call);
}

static void take_content(struct gs_switch_leg *leg)
{
    const enum gs_seam_state state =
        leg->is_spliced ? gs_splice_state(&leg->splice) : GS_SEAM_JOINED;

    leg->hold.n_frames = 0;
    if (state == GS_SEAM_STOPPED)
        finish(leg, false);
    else if (goes_on(leg) && state != GS_SEAM_WAITS && (leg->leads || gs_switch_call_lead(leg)))
        flush(leg, true);
}

static void take_effect(struct gs_switch_leg *leg, enum gs_dialect_effect effect)
{
    switch (effect) {
    case GS_DIALECT_NOTHING:
        if (leg->leads && !leg->is_ending)
            flush(leg, true);
        else if (gs_switch_hold_is_full(&leg->hold))
            fail(leg, GS_FAULT_TOO_BIG, "the answer opens without end");
        break;
    case GS_DIALECT_CONTENT:
        moved(leg);
        if (gs_health_is_loop(&leg->health))
            fail(leg, GS_FAULT_LOOP, "the answer repeats itself for ever");
        else if (gs_health_is_slow(&leg->health, drip_us(leg), leg->moved_us))
            fail(leg, GS_FAULT_SLOW, "the answer comes slower than anybody reads");
        else
            take_content(leg);
        break;
    case GS_DIALECT_FINISH:
        moved(leg);
        leg->is_ending = true;
        gs_http_timer_start(leg->timer, TAIL_MS);
        break;
    case GS_DIALECT_END:
        leg->is_ending = true;
        finish(leg, true);
        break;
    case GS_DIALECT_FAILED:
        break;
    }
}

/* Keep the frame's own bytes, for whoever gets them as they are. Of a line that was cut nothing is
 * told but what was heard of it, and then with its end. */
static bool hold_frame(struct gs_switch_leg *leg, const struct gs_dialect_frame *frame,
                       enum gs_dialect_effect effect)
{
    const bool is_cut =
        leg->frames.framing == GS_DIALECT_LINES && !gs_slice_ends(frame->raw, GS_SLICE_LIT("\n"));

    if (!passes_on(leg) || (is_cut && effect == GS_DIALECT_NOTHING))
        return true;
    return gs_switch_hold_bytes(&leg->hold, frame->raw) &&
           (!is_cut || gs_switch_hold_bytes(&leg->hold, GS_SLICE_LIT("\n")));
}

static void take_frame(struct gs_switch_leg *leg, const struct gs_dialect_frame *frame)
{
    enum gs_fault fault = GS_FAULT_MALFORMED;
    struct gs_error err = {0};

    leg->hold.n_frames++;
    const enum gs_dialect_effect effect =
        leg->way.client->read_frame(leg->state, frame, note_event, leg, &fault, &err);
    if (effect == GS_DIALECT_FAILED)
        gs_switch_call_failed(leg, fault, &err);
    else if (leg->is_out_of_memory || !hold_frame(leg, frame, effect))
        fail(leg, GS_FAULT_OURS, "not enough memory to hold the answer");
    else
        take_effect(leg, effect);
}

static void take_piece(struct gs_switch_leg *leg, struct gs_slice bytes)
{
    struct gs_dialect_frame frame;
    struct gs_error err = {0};

    if (gs_dialect_frames_feed(&leg->frames, bytes, &err) != GS_OK) {
        const bool is_ours = err.code == GS_ENOMEM;
        err.code = is_ours ? GS_ENOMEM : GS_EUPSTREAM;
        gs_switch_call_failed(leg, is_ours ? GS_FAULT_OURS : GS_FAULT_TOO_BIG, &err);
        return;
    }
    while (!leg->is_over && gs_dialect_frames_next(&leg->frames, &frame))
        take_frame(leg, &frame);
    gs_switch_call_paused(leg);
}

static void take_stream(struct gs_switch_leg *leg, struct gs_slice bytes)
{
    for (size_t at = 0; at < bytes.len && !leg->is_over; at += PIECE_BYTES)
        take_piece(leg, gs_slice_sub(bytes, at, at + PIECE_BYTES));
}

/* The body has ended, in whatever way. */
static void end_stream(struct gs_switch_leg *leg, const struct gs_upstream_end *end)
{
    struct gs_dialect_frame frame;
    enum gs_fault fault = GS_FAULT_CUT;
    struct gs_error err = {0};

    while (!leg->is_over && gs_dialect_frames_rest(&leg->frames, &frame))
        take_frame(leg, &frame);
    if (leg->is_over)
        return;
    const enum gs_dialect_effect effect =
        leg->way.client->read_end(leg->state, note_event, leg, &fault, &err);
    if (effect == GS_DIALECT_END && !leg->is_out_of_memory)
        finish(leg, false);
    else if (end->fault != GS_FAULT_NONE)
        gs_switch_call_failed(leg, end->fault, &end->err);
    else
        gs_switch_call_failed(leg, fault, &err);
}

/* ---- an answer in one piece ---- */

static void reply(struct gs_switch_leg *leg)
{
    const struct gs_switch_reply r = {
        .status = leg->status,
        .type = gs_slice_str(leg->type),
        .body = gs_buf_view(&leg->answer),
        .usage = leg->usage,
    };

    if (gs_switch_call_lead(leg))
        gs_switch_call_reply(leg, &r);
}

static void end_whole(struct gs_switch_leg *leg)
{
    enum gs_fault fault = GS_FAULT_MALFORMED;
    struct gs_error err = {0};

    moved(leg);
    if (!leg->way.client) {
        reply(leg);
        return;
    }
    const enum gs_dialect_effect effect = leg->way.client->read_whole(
        gs_buf_view(&leg->answer), &leg->arena, note_event, leg, &fault, &err);
    if (effect != GS_DIALECT_END)
        gs_switch_call_failed(leg, fault, &err);
    else if (leg->is_out_of_memory)
        fail(leg, GS_FAULT_OURS, "not enough memory to hold the answer");
    else if (goes_out_whole(leg))
        reply(leg);
    else
        finish(leg, false);
}

/* ---- a refusal ---- */

static const struct gs_dialect_client *refusal_reader(const struct gs_switch_leg *leg)
{
    return leg->way.client ? leg->way.client : &gs_dialect_client_openai_chat;
}

static void end_refused(struct gs_switch_leg *leg)
{
    struct gs_error err = {0};
    enum gs_fault fault = GS_FAULT_PORTAL;

    if (leg->is_html && leg->status < 400)
        gs_error_set(&err, GS_EUPSTREAM, "a web page answered instead of the API");
    else
        fault = refusal_reader(leg)->read_refusal(leg->status, gs_buf_view(&leg->answer), &err);
    if (err.code == GS_EBUSY && leg->retry_after_us > 0)
        err.needed = leg->retry_after_us / 1000000 + 1;
    gs_switch_call_refused(leg, fault, &err);
}

/* ---- what the upstream tells ---- */

static void keep_line(struct gs_switch_leg *leg, struct gs_slice name, struct gs_slice value)
{
    struct gs_http_field line;

    if (leg->n_lines < GS_SWITCH_MAX_LINES && gs_arena_dup(&leg->arena, name, &line.name) &&
        gs_arena_dup(&leg->arena, value, &line.value))
        leg->lines[leg->n_lines++] = line;
}

/* Of its answer's head, what clients look at. */
static void keep_lines(struct gs_switch_leg *leg, const struct gs_upstream_head *head)
{
    static const char *const prefixes[] = {"anthropic-", "openai-", "x-ratelimit-"};

    for (size_t i = 0; i < head->n_headers; i++) {
        const struct gs_upstream_header *h = &head->headers[i];
        for (size_t p = 0; p < GS_COUNT_OF(prefixes); p++)
            if (gs_slice_starts(h->name, gs_slice_str(prefixes[p])))
                keep_line(leg, h->name, h->value);
    }
    const struct gs_slice id = gs_upstream_head_get(head, "request-id");
    const struct gs_slice other_id = gs_upstream_head_get(head, "x-request-id");
    if (id.len || other_id.len)
        keep_line(leg, GS_SLICE_LIT("x-genset-upstream-request-id"), id.len ? id : other_id);
}

static struct gs_slice get_header(void *ud, const char *name)
{
    return gs_upstream_head_get(ud, name);
}

static bool is_refused(const struct gs_switch_leg *leg)
{
    return leg->status != 200 || leg->is_html;
}

static void on_head(void *ud, const struct gs_upstream_head *head)
{
    struct gs_switch_leg *leg = ud;
    const struct gs_slice type = gs_upstream_head_get(head, "content-type");

    leg->status = head->status;
    gs_format(leg->type, sizeof(leg->type), "%.*s", (int)GS_MIN(type.len, (size_t)100),
              type.len ? type.ptr : "");
    leg->is_html = gs_slice_starts(type, GS_SLICE_LIT("text/html"));
    gs_switch_call_reached(leg);
    if (is_refused(leg)) {
        leg->retry_after_us =
            gs_retry_after_us(get_header, (void *)(uintptr_t)head, gs_clock_wall_us());
        return;
    }
    /* who was asked for a stream and answers in one piece is read so */
    leg->is_whole = leg->way.is_whole || gs_slice_starts(type, GS_SLICE_LIT("application/json"));
    if (leg->way.is_raw)
        keep_lines(leg, head);
}

static void on_bytes(void *ud, struct gs_slice bytes)
{
    struct gs_switch_leg *leg = ud;
    struct gs_switch_call *c = leg->call;

    if (leg->is_over)
        return;
    gs_switch_call_enter(c);
    if (is_refused(leg)) {
        gs_buf_slice(&leg->answer,
                     gs_slice_sub(bytes, 0,
                                  GS_MIN(bytes.len, MAX_REFUSAL_BYTES - GS_MIN(MAX_REFUSAL_BYTES,
                                                                               leg->answer.len))));
    } else if (leg->is_whole) {
        gs_buf_slice(&leg->answer, bytes);
        if (!gs_buf_ok(&leg->answer))
            fail(leg, GS_FAULT_TOO_BIG, "the answer is larger than any should be");
    } else {
        take_stream(leg, bytes);
    }
    gs_switch_call_leave(c);
}

static void on_end(void *ud, const struct gs_upstream_end *end)
{
    struct gs_switch_leg *leg = ud;
    struct gs_switch_call *c = leg->call;

    if (leg->is_over)
        return;
    gs_switch_call_enter(c);
    leg->times = end->times;
    if (!leg->status || (end->fault != GS_FAULT_NONE && (leg->is_whole && !is_refused(leg))))
        gs_switch_call_failed(leg, end->fault, &end->err);
    else if (is_refused(leg))
        end_refused(leg);
    else if (leg->is_whole)
        end_whole(leg);
    else
        end_stream(leg, end);
    gs_switch_call_paused(leg);
    gs_switch_call_leave(c);
}

/* ---- time ---- */

static int64_t first_token_ms(const struct gs_switch_leg *leg)
{
    const struct gs_config_deadlines *route = &leg->call->route->deadlines;
    const struct gs_config_deadlines *own = &leg->provider->deadlines;
    const int64_t learned_ms = gs_breakers_first_token_us(leg->call->sw->breakers, &leg->who) /
                               1000 * (reasons(leg) ? THINKING_FACTOR : 1);

    return limit_ms(route->first_token_ms, own->first_token_ms, learned_ms);
}

/* Of the wait that goes on; INT64_MAX: it has no end. */
static int64_t left_ms(const struct gs_switch_leg *leg)
{
    const int64_t limit = leg->first_us ? stall_ms(leg) : first_token_ms(leg);
    const int64_t since_us = leg->first_us ? leg->moved_us : leg->started_us;

    return limit > 0 ? limit - (gs_clock_mono_us() - since_us) / 1000 : INT64_MAX;
}

/* For the end of the wait that goes on, or what is to be done before: one timer for all. When it
 * fires early it is set again. */
static void set_timer(struct gs_switch_leg *leg)
{
    const int64_t look_ms = gs_switch_standby_look(leg);
    int64_t ms = left_ms(leg);

    if (!leg->first_us && stall_ms(leg) > 0)
        ms = GS_MIN(ms, stall_ms(leg));
    if (look_ms >= 0)
        ms = GS_MIN(ms, look_ms);
    if (ms < INT64_MAX)
        gs_http_timer_start(leg->timer, GS_MAX(ms, 0));
}

static void on_timer(void *ud)
{
    struct gs_switch_leg *leg = ud;
    struct gs_switch_call *c = leg->call;

    if (leg->is_over)
        return;
    gs_switch_call_enter(c);
    if (leg->is_ending) {
        const struct gs_upstream_end end = {.fault = GS_FAULT_STALL};
        end_stream(leg, &end);
    } else if (left_ms(leg) > 0) {
        set_timer(leg);
    } else if (leg->is_blocked) { /* it is we who do not read */
        if (leg->first_us)
            leg->moved_us = gs_clock_mono_us();
        gs_http_timer_start(leg->timer, BLOCKED_MS);
    } else if (leg->first_us) {
        fail(leg, GS_FAULT_STALL, "the answer stopped coming");
    } else {
        fail(leg, GS_FAULT_FIRST_TOKEN_TIMEOUT, "no first token came in time");
    }
    gs_switch_call_paused(leg);
    gs_switch_call_leave(c);
}

/* ---- begin and end ---- */

static enum gs_status make_request(struct gs_switch_leg *leg, const struct gs_chat *chat,
                                   struct gs_upstream_request *out, struct gs_error *err)
{
    const struct gs_switch_readable readable = {is_theirs, leg};
    struct gs_switch_ask ask = leg->call->ask;
    enum gs_status st = GS_OK;

    if (leg->way.is_redacted && leg->way.is_raw)
        st = gs_switch_redact_ask(leg, &ask, err);
    if (st == GS_OK)
        st = gs_switch_request_make(&leg->to, leg->provider, &ask, chat, &leg->way, &readable,
                                    &leg->arena, &leg->body, out, err);
    if (st == GS_OK && leg->way.is_redacted && !leg->way.is_raw)
        st = gs_switch_redact_body(leg, out, err);
    return st;
}

/* Where the client's own request has no place for more turns it is spelled anew, but for a login,
 * which holds for the client's own requests only. */
static enum gs_status make_resumed_by(struct gs_switch_leg *leg, enum gs_seam_kind kind,
                                      struct gs_slice anchor, struct gs_upstream_request *out,
                                      struct gs_error *err)
{
    struct gs_resume *r = &leg->resume;

    if (!gs_resume_make(kind, leg->call->ask.chat, &leg->chat, anchor, &leg->arena, r))
        return gs_error_nomem(err, "go on with an answer");
    leg->way.turns = r->has_turns && leg->way.is_own ? &r->turns : NULL;
    enum gs_status st = make_request(leg, &r->chat, out, err);
    if (st == GS_EUNSUPPORTED && leg->way.is_own && leg->provider->key_source != GS_KEY_CLIENT) {
        leg->way.is_own = leg->way.is_whole = false;
        gs_buf_reset(&leg->body);
        st = make_request(leg, &r->chat, out, err);
    }
    return st;
}

/* How it is asked to go on with what the client has; `by_words` where no open turn will do. */
static enum gs_seam_kind choose_kind(const struct gs_switch_leg *leg, const struct gs_message *had,
                                     enum gs_seam_kind by_words)
{
    const struct gs_switch_call *c = leg->call;
    const struct gs_slice said = gs_splice_text(had);
    const bool is_refused =
        leg->is_plain || gs_resume_is_refused(&c->sw->no_prefill, leg->who.provider, leg->who.model,
                                              gs_clock_mono_us());

    if (gs_splice_kind(c->ask.chat, had, c->part.is_fresh) == GS_SEAM_SKIP ||
        (leg->way.is_redacted && gs_privacy_names_tear(c->guard.judgement->names, said)))
        return GS_SEAM_SKIP;
    const enum gs_seam_kind kind =
        gs_resume_kind(leg->provider, leg->way.client, leg->who.model, is_refused);
    const bool is_unsure = kind == GS_SEAM_GUESSED && said.len < GS_SEAM_SURE;
    return kind == GS_SEAM_ANCHOR || is_unsure ? by_words : kind;
}

static enum gs_status make_resumed(struct gs_switch_leg *leg, struct gs_upstream_request *out,
                                   struct gs_error *err)
{
    struct gs_switch_call *c = leg->call;

    if (!leg->way.is_own && leg->provider->key_source == GS_KEY_CLIENT)
        return gs_error_set(err, GS_EUNSUPPORTED, "a login holds for the client's own requests");
    if (!gs_switch_part_hand_over(&c->part, c->ask.chat, &leg->arena, &leg->chat))
        return gs_error_nomem(err, "go on with an answer");
    const struct gs_message *had = &leg->chat.messages[leg->chat.n_messages - 1];
    const bool may_know = gs_switch_guard_answer(c, leg->provider, had, &leg->way);
    const struct gs_slice anchor = gs_switch_redact_anchor(leg, gs_splice_text(had));
    const enum gs_seam_kind by_words = anchor.len ? GS_SEAM_ANCHOR : GS_SEAM_SKIP;
    enum gs_seam_kind kind = may_know ? choose_kind(leg, had, by_words) : GS_SEAM_SKIP;
    enum gs_status st = make_resumed_by(leg, kind, anchor, out, err);
    if (st == GS_EUNSUPPORTED && kind != GS_SEAM_SKIP && kind != by_words) {
        kind = by_words;
        gs_buf_reset(&leg->body);
        st = make_resumed_by(leg, kind, anchor, out, err);
    }
    if (kind == GS_SEAM_SKIP)
        c->part.answer_tokens = 0; /* they are said, and counted, once more */
    gs_splice_init(&leg->splice, kind, c->ask.chat, had, c->part.is_fresh, hold_event, leg);
    leg->is_spliced = true;
    gs_trace_span(c->trace, "seam", "%s: %s", leg->provider->name, gs_seam_word(kind));
    return st;
}

static enum gs_status start(struct gs_switch_leg *leg, struct gs_error *err)
{
    struct gs_switch_call *c = leg->call;
    const struct gs_config_deadlines *route = &c->route->deadlines;
    const struct gs_config_deadlines *own = &leg->provider->deadlines;
    const struct gs_upstream_sink sink = {
        .ud = leg, .on_head = on_head, .on_bytes = on_bytes, .on_end = on_end};
    struct gs_upstream_request request;

    if (!gs_switch_request_way(leg->provider, &c->ask, leg->continues, &leg->way))
        return gs_error_set(err, GS_EUNSUPPORTED, "\"%s\" cannot be asked this",
                            leg->provider->name);
    if (leg->way.client) {
        leg->state = gs_alloc_zero(leg->way.client->state_bytes);
        if (!leg->state)
            return gs_error_nomem(err, "read an upstream's answer");
    }
    gs_dialect_frames_init(
        &leg->frames, leg->way.client ? leg->way.client->framing : GS_DIALECT_SSE, MAX_FRAME_BYTES);
    enum gs_status st = leg->continues ? make_resumed(leg, &request, err)
                                       : make_request(leg, c->ask.chat, &request, err);
    if (st == GS_OK)
        st = gs_http_timer_create(c->sw->loop, on_timer, leg, &leg->timer, err);
    if (st != GS_OK)
        return st;
    request.connect_ms = limit_ms(route->connect_ms, own->connect_ms, CONNECT_MS);
    request.headers_ms =
        leg->way.is_whole ? 0 : limit_ms(route->headers_ms, own->headers_ms, HEADERS_MS);
    request.total_ms = limit_ms(route->total_ms, own->total_ms, leg->way.is_whole ? WHOLE_MS : 0);
    st = gs_switch_upstream(c->sw, &leg->upstream, err);
    if (st == GS_OK)
        st = gs_upstream_call_create(leg->upstream, &request, &sink, &leg->up, err);
    leg->is_sent = st == GS_OK;
    leg->sent_bytes = leg->is_sent ? request.body.len : 0;
    if (st == GS_OK && !leg->way.is_whole)
        set_timer(leg);
    return st;
}

bool gs_switch_leg_upstream(struct gs_switch_leg *leg, enum gs_fault *out_fault)
{
    leg->retry_after_us = -1;
    gs_buf_init(&leg->body, GS_MAX_REQUEST_BYTES);
    gs_buf_init(&leg->answer, GS_MAX_RESPONSE_BYTES);
    const enum gs_status st = start(leg, &leg->call->err);
    if (st == GS_OK)
        return true;
    *out_fault = st == GS_ENOMEM ? GS_FAULT_OURS : GS_FAULT_UNFIT;
    return false;
}

void gs_switch_leg_upstream_block(struct gs_switch_leg *leg, bool is_blocked)
{
    leg->is_blocked = is_blocked;
    leg->health.window_us = 0; /* what we do not take does not come */
    if (leg->moved_us)
        leg->moved_us = gs_clock_mono_us();
    if (leg->up)
        (is_blocked ? gs_upstream_call_pause : gs_upstream_call_resume)(leg->up);
}

void gs_switch_leg_upstream_end(struct gs_switch_leg *leg)
{
    const bool has_ended = leg->is_ending && leg->fault == GS_FAULT_NONE;

    if (leg->up) /* an answer may be complete before its transfer is */
        leg->times = gs_upstream_call_times(leg->up);
    (has_ended ? gs_upstream_call_let_end : gs_upstream_call_free)(leg->up);
    leg->up = NULL;
    if (leg->timer)
        gs_http_timer_stop(leg->timer);
}

void gs_switch_leg_upstream_clear(struct gs_switch_leg *leg)
{
    gs_http_timer_free(leg->timer);
    if (leg->state)
        leg->way.client->clear_state(leg->state);
    gs_free(leg->state);
    if (leg->is_spliced)
        gs_splice_clear(&leg->splice);
    gs_dialect_frames_clear(&leg->frames);
    gs_switch_redact_clear(leg);
    gs_buf_clear(&leg->body);
    gs_buf_clear(&leg->answer);
}
