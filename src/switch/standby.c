/* The local model reads a prompt ahead while the upstream that answers it is suspicious, so that a
 * takeover begins with what is new. At most one reads at a time, none while this machine answers
 * anybody, or runs on battery or hot where routes ask for that, and it gives way to whoever comes.
 * What was read stays read, so one that is cancelled loses nothing, and once one has read all of it
 * the request has no more. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "route/hedge.h"
#include "switch/switch_call.h"

#define AGAIN_MS 1000 /* to look again, while it cannot or need not begin */

/* The place of this machine among those yet to be asked; NULL: it is not. */
static const struct gs_config_target *find_local(const struct gs_switch_call *c)
{
    const struct gs_config_provider *providers = c->generation->routes->providers;

    for (size_t i = c->lead ? 0 : c->n_tried; i < c->choice.n_taken; i++)
        if (providers[c->choice.targets[i].target.provider].kind == GS_PROVIDER_LOCAL)
            return &c->choice.targets[i].target;
    return NULL;
}

/* Whether this machine is who would take over. */
static bool is_next(const struct gs_switch_leg *leg)
{
    const struct gs_switch_call *c = leg->call;
    const struct gs_chat *chat = c->ask.chat;

    return c->sw->opt.has_local && !c->was_read_ahead && !leg->way.is_whole && !leg->is_blocked &&
           chat && !chat->next && !c->ask.ctx->is_count && !c->ask.ctx->texts &&
           !c->ask.ctx->errand && find_local(c) && (!c->lead || gs_switch_may_carry_on(c));
}

static int64_t left_us(const struct gs_switch_leg *leg)
{
    const struct gs_breaker_pass *pass = &leg->pass;
    struct gs_hedge_signs signs = {
        .started_us = leg->started_us,
        .token_us = leg->moved_us,
        .is_probe = !leg->moved_us && (pass->probes[0] || pass->probes[1] || pass->probes[2]),
    };
    int64_t p50_us;

    if (!gs_breakers_ttft(leg->call->sw->breakers, &leg->who, &p50_us, &signs.p95_us))
        signs.p95_us = -1;
    return gs_hedge_suspect_at_us(&signs) - gs_clock_mono_us();
}

static struct gs_switch_leg *create(struct gs_switch_call *c)
{
    struct gs_switch_leg *s = gs_alloc_zero(sizeof(*s));

    if (!s)
        return NULL;
    s->call = c;
    s->provider = &c->generation->routes->providers[0];
    s->is_standby = true;
    gs_arena_init(&s->arena, 16 * GS_MAX_REQUEST_BYTES);
    gs_switch_hold_init(&s->hold);
    return s;
}

/* It has read all, or cannot. */
static void finish(struct gs_switch_leg *s)
{
    s->call->was_read_ahead = true;
    s->is_over = true;
    gs_switch_leg_local_end(s);
}

/* What the client has of the answer is read too. */
static void begin(struct gs_switch_call *c)
{
    struct gs_error before = c->err;
    enum gs_fault fault;

    gs_switch_leg_free(c->standby);
    c->standby = create(c);
    if (!c->standby)
        return;
    c->standby->to = *find_local(c);
    c->standby->continues = c->lead && !c->lead->continues;
    gs_trace_span(c->trace, "standby", "reads ahead");
    if (!gs_switch_leg_local(c->standby, &fault)) {
        gs_trace_span(c->trace, "standby", "%s", c->err.msg);
        finish(c->standby);
    }
    c->err = before; /* it is no attempt */
}

int64_t gs_switch_standby_look(struct gs_switch_leg *leg)
{
    struct gs_switch_call *c = leg->call;

    if (!is_next(leg))
        return -1;
    const int64_t us = left_us(leg);
    if (us > 0)
        return us / 1000 + 1;
    if (c->sw->n_here == 0 && !gs_switch_strain(c->sw) && !(c->standby && c->standby->is_held))
        begin(c);
    return AGAIN_MS;
}

void gs_switch_standby_stop(struct gs_switch_call *c)
{
    if (!c->standby || c->standby->is_over)
        return;
    gs_trace_span(c->trace, "standby", "stops");
    c->standby->is_over = true;
    gs_switch_leg_local_end(c->standby);
}

void gs_switch_standby_wake(struct gs_switch_leg *s)
{
    struct gs_switch_call *c = s->call;
    const struct gs_switch_post post = gs_switch_mailbox_take(&s->mailbox, &s->mail);

    gs_switch_call_enter(c);
    for (const struct gs_switch_mail *m = post.first; m && !s->is_over; m = m->next) {
        if (m->event.kind == GS_EVENT_ERROR)
            gs_trace_span(c->trace, "standby", "%s", m->event.error->msg);
        else if (m->event.kind == GS_EVENT_STOP)
            gs_trace_span(c->trace, "standby", "has read %lld tokens, %lld of them before",
                          (long long)m->event.usage.prompt_tokens,
                          (long long)m->event.usage.cached_tokens);
        else
            continue;
        finish(s);
    }
    if (!s->is_over && post.has_failed)
        finish(s);
    gs_switch_call_leave(c);
}
