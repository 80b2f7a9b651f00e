/* One request along its route: who is asked next, what the client gets to see of it, and who goes
 * on with an answer that broke off. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/slice.h"
#include "base/thread.h"
#include "http/loop.h"
#include "ledger/ledger.h"
#include "route/hedge.h"
#include "route/price.h"
#include "switch/switch_call.h"

#define BUDGET_MS    12000 /* until the first token, all attempts but this machine's together */
#define MAX_ATTEMPTS 6
#define LOAD_MS      1 /* to look whether it is done */

/* ---- what is over ---- */

/* What is left to release is done when nobody is at work with it and the backend holds none. */
static void bury_if_done(struct gs_switch_call *c)
{
    if (c->depth > 0 || !c->is_freed || c->is_dead)
        return;
    for (const struct gs_switch_leg *leg = c->legs; leg; leg = leg->next)
        if (leg->is_held)
            return;
    if (c->standby && c->standby->is_held)
        return;
    c->is_dead = true;
    gs_switch_bury(c);
}

void gs_switch_call_enter(struct gs_switch_call *c)
{
    gs_assert_thread(GS_THREAD_LOOP);
    c->depth++;
}

void gs_switch_call_leave(struct gs_switch_call *c)
{
    c->depth--;
    bury_if_done(c);
}

void gs_switch_call_destroy(struct gs_switch_call *c)
{
    while (c->legs) {
        struct gs_switch_leg *leg = c->legs;
        c->legs = leg->next;
        gs_switch_leg_free(leg);
    }
    gs_switch_leg_free(c->standby);
    gs_http_timer_free(c->timer);
    gs_switch_part_clear(&c->part);
    gs_switch_guard_clear(&c->guard);
    gs_buf_clear(&c->refusal);
    gs_switch_generation_unref(c->generation);
    gs_free(c);
}

/* ---- legs ---- */

static void end_all(struct gs_switch_call *c)
{
    gs_http_timer_stop(c->timer);
    gs_switch_standby_stop(c);
    for (struct gs_switch_leg *leg = c->legs; leg; leg = leg->next)
        gs_switch_leg_end(leg, GS_FAULT_CANCELLED);
}

static bool is_alive(const struct gs_switch_call *c)
{
    for (const struct gs_switch_leg *leg = c->legs; leg; leg = leg->next)
        if (!leg->is_over)
            return true;
    return false;
}

/* ---- the next leg ---- */

bool gs_switch_call_is_local(const struct gs_switch_call *c, const struct gs_config_target *t)
{
    return c->generation->routes->providers[t->provider].kind == GS_PROVIDER_LOCAL;
}

bool gs_switch_call_ask(struct gs_switch_call *c, const struct gs_config_target *t, bool continues,
                        bool is_plain)
{
    struct gs_switch_leg *leg = gs_switch_leg_create(c, t);
    enum gs_fault fault = GS_FAULT_OURS;

    if (!leg)
        return false;
    leg->continues = continues;
    leg->is_plain = is_plain;
    gs_trace_span(c->trace, continues ? "continue" : "attempt", "%s/%.*s", leg->provider->name,
                  (int)GS_MIN(leg->who.model.len, (size_t)200), leg->who.model.ptr);
    if (gs_switch_call_is_local(c, t)) {
        gs_switch_standby_stop(c);
        if (gs_switch_leg_local(leg, &fault))
            return true;
    } else if (gs_switch_leg_may_try(leg)) {
        c->outcome.n_attempts++;
        if (gs_switch_leg_upstream(leg, &fault))
            return true;
    } else {
        fault = GS_FAULT_CANCELLED;
    }
    gs_switch_leg_end(leg, fault);
    return false;
}

int64_t gs_switch_budget_ms(const struct gs_switch_call *c)
{
    return c->route && c->route->patience_ms > 0 ? c->route->patience_ms : BUDGET_MS;
}

static int64_t max_attempts(const struct gs_switch_call *c)
{
    return c->route && c->route->attempts > 0 ? c->route->attempts : MAX_ATTEMPTS;
}

bool gs_switch_call_may_ask(struct gs_switch_call *c, int64_t from_us)
{
    const int64_t now_us = gs_clock_mono_us();

    return now_us - from_us <= gs_switch_budget_ms(c) * 1000 &&
           c->outcome.n_attempts < max_attempts(c) && gs_retry_budget_take(&c->sw->retries, now_us);
}

/* False: there is nobody left. */
static bool ask_next(struct gs_switch_call *c)
{
    while (c->n_tried < c->choice.n_taken) {
        const struct gs_config_target *t = &c->choice.targets[c->n_tried++].target;
        if (!gs_switch_call_is_local(c, t) && c->n_tried > 1 &&
            !gs_switch_call_may_ask(c, c->started_us))
            continue;
        if (gs_switch_call_ask(c, t, false, false))
            return true;
    }
    return false;
}

static void wait_until_due(struct gs_switch_call *c)
{
    gs_trace_span(c->trace, "wait", "%lld ms", (long long)(c->choice.wait_us / 1000));
    c->is_waiting = true;
    gs_http_timer_start(c->timer, c->choice.wait_us / 1000 + 1);
}

/* Nobody is left, but of those asked one said how soon it may be asked again. */
static bool wait_for_one(struct gs_switch_call *c)
{
    gs_switch_choose(c);
    if (c->choice.n_taken == 0 || !c->choice.is_in_time ||
        !gs_switch_call_may_ask(c, c->started_us))
        return false;
    wait_until_due(c);
    return true;
}

/* ---- the end ---- */

static void tell_error(struct gs_switch_call *c, const struct gs_error *err)
{
    const struct gs_event ev = {.kind = GS_EVENT_ERROR, .error = err};

    c->is_over = true;
    end_all(c);
    if (!c->is_freed)
        c->sink.on_event(c->sink.ud, &ev, false);
}

/* Nobody answered. Who was refused for what it asked is told so by the first who said it. */
static void give_up(struct gs_switch_call *c)
{
    const struct gs_switch_reply r = {
        .status = c->refusal_status,
        .type = GS_SLICE_LIT("application/json"),
        .body = gs_buf_view(&c->refusal),
        .error = gs_slice_str(c->refusal_err.msg),
    };
    struct gs_error err = c->err;

    if (c->refusal_status && gs_buf_ok(&c->refusal) && !c->part.is_open) {
        c->is_over = true;
        end_all(c);
        if (!c->is_freed)
            c->sink.on_reply(c->sink.ud, &r);
    } else if (c->has_refusal_err) {
        tell_error(c, &c->refusal_err);
    } else {
        tell_error(c, &err);
    }
}

/* ---- what legs tell ---- */

bool gs_switch_call_is_last(const struct gs_switch_leg *leg)
{
    const struct gs_switch_call *c = leg->call;

    if (c->n_tried < c->choice.n_taken)
        return false;
    for (const struct gs_switch_leg *other = c->legs; other; other = other->next)
        if (other != leg && !other->is_over)
            return false;
    return true;
}

/* All of them, one behind the other, as long as the head has not left. */
static void set_served_by(struct gs_switch_call *c, const struct gs_switch_leg *leg)
{
    c->outcome.served_by = leg->served_by;
    if (leg->served_by.len && !c->is_freed)
        c->sink.on_header(c->sink.ud, "x-genset-served-by", leg->served_by);
}

/* Whoever looks at the stream itself sees who goes on. */
static void mark(struct gs_switch_leg *leg)
{
    struct gs_switch_call *c = leg->call;
    char text[128];

    c->outcome.was_continued = true;
    if (c->is_freed || !c->ask.ctx->stream || !c->ask.dialect->has_comments)
        return;
    snprintf(text, sizeof(text), ": %s goes on\n\n", leg->provider->name);
    c->sink.on_bytes(c->sink.ud, gs_slice_str(text));
}

bool gs_switch_call_lead(struct gs_switch_leg *leg)
{
    struct gs_switch_call *c = leg->call;

    if (leg->leads)
        return true;
    if (c->lead) {
        gs_switch_leg_end(leg, GS_FAULT_CANCELLED);
        return false;
    }
    c->lead = leg;
    leg->leads = true;
    gs_trace_span(c->trace, "first", "%s", leg->provider->name);
    if (leg->continues)
        mark(leg);
    if (leg->provider->kind != GS_PROVIDER_LOCAL) {
        leg->served_by = gs_arena_printf(&leg->arena, "%s/%.*s", leg->provider->name,
                                         (int)leg->who.model.len, leg->who.model.ptr);
        set_served_by(c, leg);
        for (size_t i = 0; i < leg->n_lines && !c->is_freed; i++)
            c->sink.on_header(c->sink.ud, leg->lines[i].name.ptr, leg->lines[i].value);
    }
    gs_http_timer_stop(c->timer);
    for (struct gs_switch_leg *other = c->legs; other; other = other->next)
        if (other != leg)
            gs_switch_leg_end(other, GS_FAULT_CANCELLED);
    return true;
}

void gs_switch_call_bytes(struct gs_switch_leg *leg, struct gs_slice bytes)
{
    struct gs_switch_call *c = leg->call;

    if (!c->is_freed)
        c->sink.on_bytes(c->sink.ud, bytes);
}

/* Whether anybody but this machine could go on. */
static bool has_others(const struct gs_switch_call *c)
{
    for (size_t i = 0; i < c->choice.n_taken; i++)
        if (!gs_switch_call_is_local(c, &c->choice.targets[i].target))
            return true;
    return false;
}

void gs_switch_call_tell(struct gs_switch_leg *leg, const struct gs_event *ev, bool is_spelled)
{
    struct gs_switch_call *c = leg->call;

    if (c->is_freed)
        return;
    if (ev->usage.prompt_tokens > 0 || ev->kind == GS_EVENT_STOP)
        c->part.usage = ev->usage;
    if (has_others(c) && gs_switch_may_carry_on(c))
        gs_switch_part_note(&c->part, ev);
    c->part.is_open = c->part.is_open || ev->kind == GS_EVENT_START;
    if (ev->kind == GS_EVENT_STOP && ev->n_left == 0) { /* before the client can be done with it */
        c->is_over = true;
        gs_switch_leg_end(leg, GS_FAULT_NONE);
    }
    c->sink.on_event(c->sink.ud, ev, is_spelled);
}

/* What another computer has not counted, or was stopped before it did, is estimated. */
static void count(const struct gs_switch_leg *leg, struct gs_event *ev)
{
    const struct gs_switch_call *c = leg->call;

    if (ev->kind != GS_EVENT_STOP || ev->n_left > 0 || ev->usage.prompt_tokens > 0 ||
        leg->provider->kind == GS_PROVIDER_LOCAL)
        return;
    ev->usage.prompt_tokens = gs_price_prompt_tokens(c->ask.n_bytes, c->ask.chat);
    ev->usage.answer_tokens = gs_price_tokens(leg->said_bytes);
}

void gs_switch_call_event(struct gs_switch_leg *leg, const struct gs_event *ev, bool is_spelled)
{
    struct gs_switch_call *c = leg->call;
    struct gs_event all = *ev;
    struct gs_event told[2];
    size_t n = 1;

    count(leg, &all);
    if (c->is_opened) /* by another name than the upstream's */
        all.answer_id.len = all.item_id.len = 0;
    if (leg->provider->kind == GS_PROVIDER_LOCAL && !leg->served_by.len && ev->served_by.len &&
        gs_arena_dup(&leg->arena, ev->served_by, &leg->served_by))
        set_served_by(c, leg);
    if (leg->continues)
        n = gs_switch_part_adopt(&c->part, &all, told);
    else
        told[0] = all;
    for (size_t i = 0; i < n; i++)
        gs_switch_call_tell(leg, &told[i], is_spelled);
}

void gs_switch_call_reply(struct gs_switch_leg *leg, const struct gs_switch_reply *reply)
{
    struct gs_switch_call *c = leg->call;
    struct gs_switch_reply r = *reply;

    gs_switch_leg_end(leg, GS_FAULT_NONE);
    c->is_over = true;
    r.served_by = leg->served_by;
    if (!c->is_freed)
        c->sink.on_reply(c->sink.ud, &r);
}

void gs_switch_call_paused(struct gs_switch_leg *leg)
{
    struct gs_switch_call *c = leg->call;

    if (leg->leads && !c->is_freed && !c->is_over)
        c->sink.on_pause(c->sink.ud);
}

void gs_switch_call_done(struct gs_switch_leg *leg)
{
    gs_switch_leg_end(leg, GS_FAULT_NONE);
}

void gs_switch_call_reached(struct gs_switch_leg *leg)
{
    struct gs_switch *sw = leg->call->sw;

    gs_trace_span(leg->call->trace, "head", "%s: %d", leg->provider->name, leg->status);
    if (!leg->provider->is_near && gs_uplink_success(&sw->uplink))
        gs_breakers_woke(sw->breakers, 0, gs_clock_mono_us());
}

void gs_switch_call_failed(struct gs_switch_leg *leg, enum gs_fault fault,
                           const struct gs_error *err)
{
    struct gs_switch_call *c = leg->call;
    const bool led = leg->leads;
    const bool is_refused = !leg->continues && leg->provider->kind != GS_PROVIDER_LOCAL &&
                            gs_fault_blame(fault) == GS_BLAME_REQUEST; /* all would say the same */

    if (leg->is_over)
        return;
    gs_switch_leg_end(leg, fault);
    gs_trace_span(c->trace, "fault", "%s: %s: %s", leg->provider->name, gs_fault_word(fault),
                  err->msg);
    if (led || !leg->continues) { /* of an answer that broke off, why it did */
        c->err = *err;
        if (leg->provider->kind != GS_PROVIDER_LOCAL)
            gs_switch_excuse_leg(leg, fault, &c->err);
    }
    if (is_refused)
        c->n_tried = c->choice.n_taken;
    if (c->is_freed || c->is_over)
        return;
    if (led || leg->continues) {
        if ((led && fault == GS_FAULT_LOOP) || !gs_switch_carry_on(c, leg))
            tell_error(c, &c->err); /* nobody gets out of a loop */
    } else if (!is_alive(c) && !ask_next(c) && (is_refused || !wait_for_one(c))) {
        give_up(c);
    }
}

/* Whether another would say the same, or nobody else may be asked: a login that has run out is
 * renewed by the client when it is told, and by nobody else. */
static bool is_final(const struct gs_switch_leg *leg, enum gs_fault fault)
{
    return gs_fault_blame(fault) == GS_BLAME_REQUEST ||
           (fault == GS_FAULT_AUTH && leg->status == 401 &&
            leg->provider->key_source == GS_KEY_CLIENT);
}

void gs_switch_call_refused(struct gs_switch_leg *leg, enum gs_fault fault,
                            const struct gs_error *err)
{
    struct gs_switch_call *c = leg->call;
    const bool is_final_word = is_final(leg, fault);

    if (leg->continues) { /* it is not the client's request that is refused */
        gs_switch_call_failed(leg, fault, err);
        return;
    }
    if (!c->refusal_status && (is_final_word || gs_fault_blame(fault) == GS_BLAME_TARGET)) {
        c->refusal_err = *err;
        c->has_refusal_err = true;
        if (leg->way.is_raw && !leg->way.is_redacted) {
            gs_buf_slice(&c->refusal, gs_buf_view(&leg->answer));
            c->refusal_status = leg->status;
        }
    }
    gs_switch_call_failed(
        leg, is_final_word && fault == GS_FAULT_AUTH ? GS_FAULT_BAD_REQUEST : fault, err);
}

/* ---- begin ---- */

/* After a sleep of the machine connections are dead and most troubles over. */
static void notice_sleep(struct gs_switch *sw)
{
    const int64_t now_us = gs_clock_mono_us();
    const int64_t slept_us = gs_uplink_slept_us(&sw->clocks, now_us, gs_clock_wall_us());

    if (slept_us == 0)
        return;
    gs_breakers_woke(sw->breakers, slept_us, now_us);
    if (sw->upstream)
        gs_upstream_forget(sw->upstream);
}

static void start_hedge(struct gs_switch_call *c)
{
    int64_t p50_us;
    int64_t p95_us;

    if (!c->choice.hedge || c->n_tried >= c->choice.n_taken)
        return;
    if (!gs_breakers_ttft(c->sw->breakers, &c->legs->who, &p50_us, &p95_us))
        p95_us = -1;
    gs_http_timer_start(c->timer, gs_hedge_after_us(c->route->hedge_ms * 1000, p95_us) / 1000);
}

/* Whether what is needed to ask the first one is not there yet. */
static bool must_load(const struct gs_switch_call *c)
{
    return c->choice.n_taken > 0 && !gs_switch_call_is_local(c, &c->choice.targets[0].target) &&
           !gs_switch_load(c->sw);
}

static enum gs_status begin(struct gs_switch_call *c, struct gs_error *err)
{
    notice_sleep(c->sw);
    gs_switch_choose(c);
    c->n_tried = 0;
    c->is_waiting = must_load(c);
    if (c->is_waiting) {
        gs_http_timer_start(c->timer, LOAD_MS);
        return GS_OK;
    }
    if (c->choice.wait_us > 0 && c->choice.is_in_time) {
        wait_until_due(c);
        return GS_OK;
    }
    if (c->choice.wait_us > 0 || !ask_next(c))
        return gs_switch_excuse(c, err);
    start_hedge(c);
    return GS_OK;
}

/* Who was waited for may be asked now, or somebody else; or the first was asked long enough ago. */
static void on_timer(void *ud)
{
    struct gs_switch_call *c = ud;
    struct gs_error err;
    bool is_lost = false;

    gs_switch_call_enter(c);
    const bool is_due = !c->lead && !c->is_over && !c->is_freed;
    if (is_due && c->is_waiting && must_load(c))
        gs_http_timer_start(c->timer, LOAD_MS);
    else if (is_due && c->is_waiting)
        is_lost = begin(c, &err) != GS_OK;
    else if (is_due && c->n_tried < 2)
        is_lost = !ask_next(c) && !is_alive(c);
    if (is_lost)
        give_up(c);
    gs_switch_call_leave(c);
}

static enum gs_status call_init(struct gs_switch_call *c, struct gs_switch *sw,
                                const struct gs_switch_ask *question,
                                const struct gs_switch_sink *sink, struct gs_error *err)
{
    c->sw = sw;
    c->ask = *question;
    c->sink = *sink;
    c->started_us = gs_clock_mono_us();
    c->guard.judgement = question->judgement;
    c->talk = gs_switch_talk_of(question->chat, sw->seed);
    c->generation = sw->generation;
    c->generation->n_refs++;
    gs_switch_part_init(&c->part);
    gs_buf_init(&c->refusal, GS_MAX_RESPONSE_BYTES);
    gs_retry_budget_request(&sw->retries);
    if (!question->ctx->errand)
        c->trace = gs_trace_begin(&sw->traces, question->id);
    gs_trace_span(c->trace, "request", "%s %.*s, %zu bytes", question->dialect->name,
                  (int)GS_MIN(question->model.len, (size_t)200), question->model.ptr,
                  question->n_bytes);
    if (question->chat)
        gs_trace_span(c->trace, "chat", "%zu messages, %zu tools, some %lld tokens",
                      question->chat->n_messages, question->chat->n_tools,
                      (long long)gs_price_prompt_tokens(question->n_bytes, question->chat));
    return gs_http_timer_create(sw->loop, on_timer, c, &c->timer, err);
}

enum gs_status gs_switch_call_create(struct gs_switch *sw, const struct gs_switch_ask *question,
                                     const struct gs_switch_sink *sink,
                                     struct gs_switch_call **out_call, struct gs_error *err)
{
    struct gs_switch_call *c = sw->n_calls < sw->opt.max_calls ? gs_alloc_zero(sizeof(*c)) : NULL;

    if (!c) {
        gs_switch_judgement_free(question->judgement);
        return sw->n_calls < sw->opt.max_calls
                   ? gs_error_nomem(err, "answer the request")
                   : gs_error_set(err, GS_EBUSY, "%zu requests are being answered already",
                                  sw->n_calls);
    }
    enum gs_status st = call_init(c, sw, question, sink, err);
    if (st == GS_OK)
        st = begin(c, err);
    if (st != GS_OK) {
        gs_switch_call_destroy(c);
        return st;
    }
    sw->n_calls++;
    *out_call = c;
    return GS_OK;
}

void gs_switch_call_opened(struct gs_switch_call *c)
{
    c->is_opened = c->is_opened || !c->lead;
}

void gs_switch_call_block(struct gs_switch_call *c, bool is_blocked)
{
    gs_switch_call_enter(c);
    c->is_blocked = is_blocked;
    for (struct gs_switch_leg *leg = c->legs; leg; leg = leg->next) {
        if (leg->is_over || leg->is_blocked == is_blocked)
            continue;
        if (leg->provider->kind == GS_PROVIDER_LOCAL)
            gs_switch_leg_local_block(leg, is_blocked);
        else
            gs_switch_leg_upstream_block(leg, is_blocked);
    }
    gs_switch_call_leave(c);
}

void gs_switch_call_told(struct gs_switch_call *c, int status, size_t n_bytes)
{
    gs_trace_span(c->trace, "told", "%d, %zu bytes", status, n_bytes);
}

void gs_switch_call_feed(struct gs_switch_call *c, struct gs_slice piece, bool is_last)
{
    if (c->legs && c->legs->backend_call)
        c->sw->opt.backend.feed(c->legs->backend_call, piece, is_last);
}

void gs_switch_call_free(struct gs_switch_call *c, void (*on_free)(void *ud), void *ud)
{
    gs_switch_call_enter(c);
    c->is_freed = true;
    c->on_free = on_free;
    c->free_ud = ud;
    end_all(c);
    gs_switch_call_leave(c);
}

void gs_switch_call_outcome(const struct gs_switch_call *c, struct gs_switch_outcome *out)
{
    *out = c->outcome;
    out->privacy = c->guard.privacy;
    out->found = gs_slice_str(c->guard.found);
}
