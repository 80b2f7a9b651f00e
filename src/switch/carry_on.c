/* An answer broke off in the middle: who goes on with it. The route's targets that were not asked
 * yet, in their order, this machine in its place, the last one if none is named; then those before
 * them once more. What only this machine can go on with exactly, a call's arguments or what a
 * grammar governs, it is asked for first. */
#include "base/clock.h"
#include "base/error.h"
#include "base/slice.h"
#include "route/price.h"
#include "switch/switch_call.h"

bool gs_switch_may_carry_on(const struct gs_switch_call *c)
{
    const struct gs_chat *chat = c->ask.chat;

    return chat && !c->ask.ctx->texts && !c->ask.ctx->errand && chat->n_answers <= 1 &&
           !chat->next && !chat->is_raw && !chat->logprobs && !c->part.is_lost &&
           !c->ask.ends_on_break;
}

/* ---- who is next ---- */

/* This machine, with the model that the route names. */
static struct gs_config_target local_target(const struct gs_switch_call *c)
{
    for (size_t i = 0; i < c->choice.n; i++)
        if (gs_switch_call_is_local(c, &c->choice.targets[i].target))
            return c->choice.targets[i].target;
    return (struct gs_config_target){.provider = 0};
}

static bool has_asked_local(const struct gs_switch_call *c)
{
    for (const struct gs_switch_leg *leg = c->legs; leg; leg = leg->next)
        if (leg->provider->kind == GS_PROVIDER_LOCAL)
            return true;
    return false;
}

static bool ask_local(struct gs_switch_call *c)
{
    const struct gs_config_target local = local_target(c);

    return c->sw->opt.has_local && !has_asked_local(c) &&
           gs_switch_call_ask(c, &local, true, false);
}

static bool ask_upstream(struct gs_switch_call *c, const struct gs_config_target *t, bool is_plain)
{
    return gs_switch_call_may_ask(c, c->broke_us) && gs_switch_call_ask(c, t, true, is_plain);
}

/* It has failed, but not for what it was asked or who asks. */
static bool is_worth_it(const struct gs_switch_call *c, const struct gs_config_target *t)
{
    bool was_asked = false;

    for (const struct gs_switch_leg *leg = c->legs; leg; leg = leg->next) {
        const enum gs_blame blame = gs_fault_blame(leg->fault);
        if (leg->to.provider != t->provider || leg->to.model != t->model)
            continue;
        if (blame != GS_BLAME_PROVIDER && blame != GS_BLAME_NETWORK)
            return false;
        was_asked = true;
    }
    return was_asked;
}

static bool ask_again(struct gs_switch_call *c)
{
    while (c->n_again < c->n_before) {
        const struct gs_config_target *t = &c->choice.targets[c->n_again++].target;
        if (!gs_switch_call_is_local(c, t) && is_worth_it(c, t) && ask_upstream(c, t, false))
            return true;
    }
    return false;
}

static bool ask_next(struct gs_switch_call *c)
{
    while (c->n_tried < c->choice.n_taken) {
        const struct gs_config_target *t = &c->choice.targets[c->n_tried++].target;
        if (gs_switch_call_is_local(c, t) ? ask_local(c) : ask_upstream(c, t, false))
            return true;
    }
    return ask_local(c) || ask_again(c);
}

/* ---- what it has of the answer ---- */

static bool is_for_local(const struct gs_switch_call *c)
{
    const struct gs_switch_part *p = &c->part;

    return c->ask.chat->format.kind != GS_FORMAT_TEXT ||
           (p->n_blocks > 0 && p->blocks[p->n_blocks - 1].kind == GS_BLOCK_TOOL_CALL);
}

/* A call that is there can be made. */
static void finish(struct gs_switch_call *c, struct gs_switch_leg *leg)
{
    struct gs_event told[2];
    const size_t n = gs_switch_part_finish(&c->part, told);

    gs_trace_span(c->trace, "finish", "its calls are complete");
    for (size_t i = 0; i < n && !c->is_freed; i++) {
        if (told[i].usage.prompt_tokens == 0)
            told[i].usage.prompt_tokens = gs_price_prompt_tokens(c->ask.n_bytes, c->ask.chat);
        gs_switch_call_tell(leg, &told[i], false);
    }
}

/* An open turn was not taken for one; or nothing was said to it, and with an anchor it is sure that
 * there is nothing to say. */
static bool has_refused_turn(struct gs_switch_leg *leg)
{
    const bool is_refusal = leg->fault == GS_FAULT_UNFIT || leg->fault == GS_FAULT_BAD_REQUEST ||
                            leg->fault == GS_FAULT_DIVERGED;

    if (leg->leads || !leg->is_spliced || leg->splice.seam.kind > GS_SEAM_GUESSED)
        return false;
    if (is_refusal)
        gs_resume_refused(&leg->call->sw->no_prefill, leg->who.provider, leg->who.model,
                          gs_clock_mono_us());
    return is_refusal || leg->fault == GS_FAULT_EMPTY;
}

bool gs_switch_carry_on(struct gs_switch_call *c, struct gs_switch_leg *leg)
{
    const struct gs_error why = c->err;

    if (!gs_switch_may_carry_on(c))
        return false;
    if (leg->leads) {
        c->lead = NULL;
        c->broke_us = gs_clock_mono_us();
        c->n_again = 0;
        c->n_before = c->n_tried;
        if (gs_switch_part_is_call(&c->part)) {
            finish(c, leg);
            return true;
        }
    }
    const bool is_asked = (has_refused_turn(leg) && ask_upstream(c, &leg->to, true)) ||
                          (is_for_local(c) && ask_local(c)) || ask_next(c);
    c->err = why;
    return is_asked;
}
