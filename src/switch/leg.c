/* Legs, whoever they go to: how they begin, and what their end means to breakers, budgets and the
 * ledger. */
#include <assert.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/slice.h"
#include "ledger/ledger.h"
#include "route/budgets.h"
#include "route/price.h"
#include "switch/switch_call.h"

#define REFETCH_US ((int64_t)60 * 1000000) /* at most once in so long */

/* ---- begin ---- */

bool gs_switch_leg_may_try(struct gs_switch_leg *leg)
{
    struct gs_switch *sw = leg->call->sw;
    const struct gs_budget_who payer = {.provider = leg->who.provider, .key = leg->call->ask.key};
    const int64_t now_us = gs_clock_mono_us();

    if (!leg->provider->is_near && !leg->call->choice.is_last_resort &&
        gs_uplink_look(&sw->uplink, now_us) == GS_UPLINK_DOWN)
        return false;
    if (!gs_budgets_reserve(sw->budgets, payer, GS_MAX(gs_switch_cost(leg->call, &leg->to), 0),
                            gs_clock_wall_us(), &leg->reserved))
        return false;
    if (gs_breakers_enter(sw->breakers, &leg->who, now_us, &leg->pass, &leg->retry_after_us) ==
        GS_BREAKER_WAIT)
        return false;
    if (!leg->provider->is_near)
        gs_uplink_enter(&sw->uplink, now_us); /* last: a probe is taken by who does ask */
    return true;
}

void gs_switch_who_is(const struct gs_switch_call *c, const struct gs_config_target *t,
                      char credential[GS_BREAKER_CREDENTIAL], struct gs_breaker_who *out)
{
    const struct gs_config_provider *p = &c->generation->routes->providers[t->provider];

    gs_breaker_credential(gs_switch_request_key(p, &c->ask), credential);
    *out = (struct gs_breaker_who){
        .provider = gs_slice_str(p->name),
        .model = t->model ? gs_slice_str(t->model) : c->ask.model,
        .credential = gs_slice_str(credential),
    };
}

struct gs_switch_leg *gs_switch_leg_create(struct gs_switch_call *c,
                                           const struct gs_config_target *t)
{
    struct gs_switch_leg *leg = gs_alloc_zero(sizeof(*leg));

    if (!leg) {
        gs_error_nomem(&c->err, "answer the request");
        return NULL;
    }
    leg->call = c;
    leg->to = *t;
    leg->provider = &c->generation->routes->providers[t->provider];
    leg->started_us = gs_clock_mono_us();
    leg->times = (struct gs_upstream_times){.connected_us = -1, .head_us = -1, .end_us = -1};
    leg->is_blocked = c->is_blocked;
    gs_arena_init(&leg->arena, 16 * GS_MAX_REQUEST_BYTES);
    gs_switch_hold_init(&leg->hold);
    gs_switch_who_is(c, t, leg->credential, &leg->who);
    leg->number = c->legs ? c->legs->number + 1 : 1;
    leg->next = c->legs;
    c->legs = leg;
    return leg;
}

/* ---- end ---- */

/* What it cost: by what the provider counted, or by bytes where it said nothing; and of an answer
 * that came to no end by those that it had not counted yet. */
static void settle(struct gs_switch_leg *leg)
{
    struct gs_switch_call *c = leg->call;
    const struct gs_config_price *price =
        gs_price_find(c->generation->routes, leg->to.provider, leg->who.model);

    if (leg->first_us && leg->usage.prompt_tokens == 0) {
        leg->usage.prompt_tokens = gs_price_tokens(leg->sent_bytes);
        leg->usage.answer_tokens = gs_price_tokens(leg->said_bytes);
        leg->is_estimated = true;
    } else if (leg->fault != GS_FAULT_NONE && leg->uncounted_bytes > 0) {
        leg->usage.answer_tokens += gs_price_tokens(leg->uncounted_bytes);
        leg->is_estimated = true;
    }
    const struct gs_price_use use = {
        .prompt_tokens = leg->usage.prompt_tokens,
        .cached_tokens = leg->usage.cached_tokens,
        .cache_write_tokens = leg->usage.cache_write_tokens,
        .answer_tokens = leg->usage.answer_tokens,
    };
    leg->cost_nanousd = gs_price_nanousd(price, &use);
    leg->is_estimated = leg->is_estimated || (!price && use.prompt_tokens > 0);
    gs_budgets_settle(c->sw->budgets, &leg->reserved, leg->cost_nanousd, gs_clock_wall_us());
    c->outcome.cost_nanousd += leg->cost_nanousd;
    c->outcome.is_estimated = c->outcome.is_estimated || leg->is_estimated;
    if (!leg->provider->is_loopback)
        c->outcome.sent_bytes += (int64_t)leg->sent_bytes;
}

/* What answered: this machine may know it by another name than the client. */
static struct gs_slice model_of(const struct gs_switch_leg *leg)
{
    static const struct gs_slice here = {"local/", 6};

    return leg->provider->kind == GS_PROVIDER_LOCAL && gs_slice_starts(leg->served_by, here)
               ? gs_slice_sub(leg->served_by, here.len, leg->served_by.len)
               : leg->who.model;
}

/* For the ledger. */
static void record(const struct gs_switch_leg *leg, enum gs_fault fault, bool is_uplink)
{
    const struct gs_switch_call *c = leg->call;
    const bool is_local = leg->provider->kind == GS_PROVIDER_LOCAL;
    const int64_t took_us = gs_clock_mono_us() - leg->started_us;
    const struct gs_ledger_attempt row = {
        .request = c->ask.id,
        .number = leg->number,
        .provider = gs_slice_str(leg->provider->name),
        .model = model_of(leg),
        .key = c->ask.key,
        .at_us = gs_clock_wall_us() - took_us,
        .connected_us = leg->times.connected_us,
        .head_us = leg->times.head_us,
        .first_us = leg->first_us ? leg->first_us - leg->started_us : -1,
        .total_us = took_us,
        .fault = fault,
        .is_uplink = is_uplink,
        .is_continuation = leg->continues,
        .status = leg->status,
        .sent_bytes = (int64_t)leg->sent_bytes,
        .received_bytes = leg->times.received_bytes,
        .prompt_tokens = leg->usage.prompt_tokens,
        .cached_tokens = leg->usage.cached_tokens,
        .answer_tokens = leg->usage.answer_tokens,
        .cache_write_tokens = leg->usage.cache_write_tokens,
        .cost_nanousd = leg->cost_nanousd,
        .is_estimated = leg->is_estimated,
        .retry_after_us = is_local ? -1 : leg->retry_after_us,
    };

    if (c->sw->opt.ledger && leg->is_sent && !c->ask.ctx->is_count && !c->ask.ctx->errand)
        gs_ledger_record_attempt(c->sw->opt.ledger, &row);
}

/* A key that is fetched from somewhere may have been replaced there. The one that was refused is
 * benched, so this is seldom. */
static void refetch_key(const struct gs_switch_leg *leg, int64_t now_us)
{
    struct gs_switch *sw = leg->call->sw;
    const bool is_fetched =
        leg->provider->key_source == GS_KEY_FILE || leg->provider->key_source == GS_KEY_COMMAND;

    if (!is_fetched || !sw->opt.read_routes || (sw->read_us && now_us - sw->read_us < REFETCH_US))
        return;
    sw->read_us = now_us;
    sw->opt.read_routes(sw->opt.routes_ud);
}

static void report(struct gs_switch_leg *leg, enum gs_fault fault)
{
    struct gs_switch *sw = leg->call->sw;
    const int64_t now_us = gs_clock_mono_us();
    struct gs_breaker_report r = {
        .fault = fault,
        .retry_after_us = leg->retry_after_us,
        .ttft_us = leg->first_us && !leg->is_whole ? leg->first_us - leg->started_us : -1,
        .talk = leg->call->talk,
    };

    if (gs_fault_blame(fault) == GS_BLAME_NETWORK && !leg->provider->is_near)
        r.is_uplink = gs_uplink_fault(&sw->uplink, gs_slice_str(leg->provider->url), fault, now_us);
    if (fault == GS_FAULT_AUTH)
        refetch_key(leg, now_us);
    if (leg->provider->kind != GS_PROVIDER_LOCAL) {
        gs_breakers_report(sw->breakers, &leg->who, &leg->pass, &r, now_us);
        settle(leg);
    }
    record(leg, fault, r.is_uplink);
}

/* Whoever is asked to go on and says nothing may have found the answer complete. */
static enum gs_fault counted(const struct gs_switch_leg *leg, enum gs_fault fault)
{
    return fault == GS_FAULT_EMPTY && leg->continues && !leg->leads ? GS_FAULT_DIVERGED : fault;
}

/* It says no more, for this reason. */
void gs_switch_leg_end(struct gs_switch_leg *leg, enum gs_fault fault)
{
    if (leg->is_over)
        return;
    leg->is_over = true;
    leg->fault = fault;
    if (leg->provider->kind == GS_PROVIDER_LOCAL)
        gs_switch_leg_local_end(leg);
    else
        gs_switch_leg_upstream_end(leg);
    report(leg, counted(leg, fault));
    gs_trace_span(leg->call->trace, "end", "%s: %s, %lld tokens", leg->provider->name,
                  fault == GS_FAULT_NONE ? "answered" : gs_fault_word(fault),
                  (long long)leg->usage.answer_tokens);
}

void gs_switch_leg_free(struct gs_switch_leg *leg)
{
    if (!leg)
        return;
    if (leg->provider->kind == GS_PROVIDER_LOCAL) {
        gs_switch_mailbox_clear(&leg->mailbox);
        gs_arena_clear(&leg->mail);
    } else {
        gs_switch_leg_upstream_clear(leg);
    }
    gs_switch_hold_clear(&leg->hold);
    gs_arena_clear(&leg->arena);
    gs_free(leg);
}
