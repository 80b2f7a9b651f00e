/* A leg to this machine: the backend's events come through a mailbox from whatever thread. */
#include <assert.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/map.h"
#include "base/queue.h"
#include "base/slice.h"
#include "dialect/dialect.h"
#include "switch/switch_call.h"

/* ---- on any thread ---- */

static void wake(struct gs_switch_leg *leg)
{
    const bool fits = gs_queue_push(leg->call->sw->wake, leg); /* each leg at most once */

    assert(fits);
    (void)fits;
}

static enum gs_flow on_event(void *ud, const struct gs_event *ev)
{
    struct gs_switch_leg *leg = ud;
    bool is_due;
    const enum gs_flow flow = gs_switch_mailbox_put(&leg->mailbox, ev, &is_due);

    if (is_due)
        wake(leg);
    return flow;
}

/* The backend's last word. */
static void released(void *ud)
{
    struct gs_switch_leg *leg = ud;

    if (gs_switch_mailbox_release(&leg->mailbox))
        wake(leg);
}

/* ---- on the loop ---- */

static enum gs_fault fault_of(const struct gs_error *err)
{
    switch (err->code) {
    case GS_ECONTEXT:
        return GS_FAULT_CONTEXT;
    case GS_ECANCELLED:
        return GS_FAULT_CANCELLED;
    case GS_EUNSUPPORTED:
        return GS_FAULT_UNFIT;
    case GS_EINVAL:
    case GS_EFORMAT:
    case GS_ENOTFOUND:
    case GS_ETEMPLATE:
        return GS_FAULT_BAD_REQUEST;
    default:
        return GS_FAULT_OURS;
    }
}

/* Whether the client is to hear of it even if another might still answer. */
static bool is_content(const struct gs_event *ev)
{
    return ev->kind != GS_EVENT_START &&
           (ev->kind != GS_EVENT_BEGIN || ev->block == GS_BLOCK_TOOL_CALL);
}

static void flush(struct gs_switch_leg *leg)
{
    for (const struct gs_switch_mail *m = leg->hold.first; m && !leg->is_over; m = m->next)
        gs_switch_call_event(leg, &m->event, false);
    gs_switch_hold_reset(&leg->hold);
}

/* To the trace each time; to the log when it is new, or a model was opened so. */
static void tell_shortage(const struct gs_switch_leg *leg, const struct gs_event *ev)
{
    struct gs_switch *sw = leg->call->sw;
    const struct gs_slice what = ev->short_of;
    const uint64_t hash = gs_hash_bytes(what.ptr, what.len, 0);

    gs_trace_span(leg->call->trace, "memory", "is short: %.*s", (int)what.len, what.ptr);
    if (ev->usage.load_us > 0 || hash != sw->short_of)
        gs_log_write(sw->opt.log, GS_LOG_WARN, "memory", "memory is short: %.*s", (int)what.len,
                     what.ptr);
    sw->short_of = hash;
}

static void handle_event(struct gs_switch_leg *leg, const struct gs_event *ev)
{
    struct gs_error err = {0};

    if (ev->kind == GS_EVENT_ERROR) {
        gs_switch_call_failed(leg, fault_of(ev->error), ev->error);
        return;
    }
    if (ev->usage.prompt_tokens > 0 || ev->kind == GS_EVENT_STOP)
        leg->usage = ev->usage;
    if (ev->short_of.len)
        tell_shortage(leg, ev);
    if (!leg->first_us && is_content(ev))
        leg->first_us = gs_clock_mono_us();
    if (!leg->leads && !is_content(ev) && !gs_switch_call_is_last(leg)) {
        if (gs_switch_hold_event(&leg->hold, ev))
            return;
        gs_error_nomem(&err, "hold the answer");
        gs_switch_call_failed(leg, GS_FAULT_OURS, &err);
        return;
    }
    if (!leg->leads && !gs_switch_call_lead(leg))
        return;
    flush(leg);
    if (leg->is_over)
        return;
    gs_switch_call_event(leg, ev, false);
    if (!leg->is_over && ev->kind == GS_EVENT_STOP && ev->n_left == 0)
        gs_switch_call_done(leg);
}

static void take_mail(struct gs_switch_leg *leg)
{
    struct gs_switch_call *c = leg->call;
    const struct gs_switch_post post = gs_switch_mailbox_take(&leg->mailbox, &leg->mail);
    struct gs_error err = {0};

    gs_switch_call_enter(c);
    for (const struct gs_switch_mail *m = post.first; m && !leg->is_over; m = m->next)
        handle_event(leg, &m->event);
    if (!leg->is_over && post.has_failed) {
        gs_error_nomem(&err, "hold the answer");
        gs_switch_call_failed(leg, GS_FAULT_OURS, &err);
    }
    gs_switch_call_paused(leg);
    leg->is_paused = leg->is_paused || post.was_paused;
    if (!leg->is_over && leg->is_paused && !leg->is_blocked) {
        leg->is_paused = false;
        c->sw->opt.backend.resume(leg->backend_call);
    }
    gs_switch_call_leave(c);
}

void gs_switch_leg_local_wake(struct gs_switch_leg *leg)
{
    const bool is_released = gs_switch_mailbox_unqueue(&leg->mailbox);

    if (!leg->is_over && leg->is_standby) {
        gs_switch_standby_wake(leg);
    } else if (!leg->is_over && !leg->is_blocked) {
        take_mail(leg);
    } else if (is_released) {
        struct gs_switch_call *c = leg->call;
        gs_switch_call_enter(c);
        leg->is_held = false;
        gs_switch_call_leave(c);
    }
}

void gs_switch_leg_local_block(struct gs_switch_leg *leg, bool is_blocked)
{
    leg->is_blocked = is_blocked;
    if (!is_blocked)
        take_mail(leg);
}

void gs_switch_leg_local_end(struct gs_switch_leg *leg)
{
    void *call = leg->backend_call;

    leg->backend_call = NULL;
    gs_switch_mailbox_close(&leg->mailbox);
    if (!call)
        return;
    leg->call->sw->n_here--;
    leg->call->sw->opt.backend.free_call(call, released, leg);
}

static enum gs_status start(struct gs_switch_leg *leg, struct gs_error *err)
{
    const struct gs_switch_ask *ask = &leg->call->ask;
    const struct gs_switch_backend *backend = &leg->call->sw->opt.backend;
    void **call = &leg->backend_call;

    if (ask->ctx->errand)
        return backend->errand(backend->self, ask->ctx->errand, on_event, leg, call, err);
    if (ask->ctx->texts)
        return backend->embed(backend->self, ask->ctx->texts, on_event, leg, call, err);
    return (ask->ctx->is_count ? backend->count : backend->answer)(backend->self, &leg->chat,
                                                                   on_event, leg, call, err);
}

/* None but this leg's is left to be asked. */
static bool is_last_here(const struct gs_switch_leg *leg)
{
    const struct gs_switch_call *c = leg->call;

    for (size_t i = c->n_tried; i < c->choice.n_taken && !leg->continues; i++)
        if (gs_switch_call_is_local(c, &c->choice.targets[i].target))
            return false;
    return true;
}

bool gs_switch_leg_local(struct gs_switch_leg *leg, enum gs_fault *out_fault)
{
    struct gs_switch_call *c = leg->call;
    const struct gs_chat *chat = c->ask.chat;

    gs_switch_mailbox_init(&leg->mailbox);
    gs_arena_init(&leg->mail, 0);
    leg->is_held = true; /* until it is known that it is not */
    if (chat)
        leg->chat = *chat;
    if (leg->continues && !gs_switch_part_hand_over(&c->part, chat, &leg->arena, &leg->chat)) {
        gs_error_nomem(&c->err, "go on with the answer");
        *out_fault = GS_FAULT_OURS;
        leg->is_held = false;
        return false;
    }
    leg->chat.prefill_only |= leg->is_standby;
    leg->chat.named = c->ask.model;
    leg->chat.takes_smaller = is_last_here(leg);
    if (leg->to.model)
        leg->chat.model = gs_slice_str(leg->to.model);
    leg->is_sent = start(leg, &c->err) == GS_OK;
    leg->call->sw->n_here += leg->is_sent;
    if (leg->is_sent)
        return true;
    leg->is_held = false;
    *out_fault = fault_of(&c->err);
    return false;
}
