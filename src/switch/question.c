/* What is asked, as the choice of who answers it needs to know: the request in figures, and what is
 * known of each target at the moment. */
#include <assert.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/slice.h"
#include "switch/budgets.h"
#include "switch/price.h"
#include "switch/switch_call.h"

#define USUAL_ANSWER_TOKENS 4096 /* where the client sets no limit */

/* What asking this target may cost at most; negative: no price is known. */
int64_t gs_switch_cost(const struct gs_switch_call *c, const struct gs_config_target *t)
{
    const struct gs_chat *chat = c->ask.chat;
    const struct gs_config_price *price = gs_price_find(
        c->generation->routes, t->provider, t->model ? gs_slice_str(t->model) : c->ask.model);
    const struct gs_price_use use = {
        .prompt_tokens = gs_price_prompt_tokens(c->ask.body.len, c->ask.chat),
        .answer_tokens = chat && chat->max_tokens > 0
                             ? GS_MIN(chat->max_tokens, (int64_t)USUAL_ANSWER_TOKENS)
                             : USUAL_ANSWER_TOKENS,
    };

    return price ? gs_price_nanousd(price, &use) : -1;
}

static bool means_others(const struct gs_switch_call *c)
{
    for (size_t i = 0; c->route && i < c->route->n_targets; i++)
        if (c->route->targets[i].provider > 0)
            return true;
    return false;
}

/* What is known of a target before it is asked. */
static void look_at(void *ud, const struct gs_config_target *t, struct gs_choice_facts *out)
{
    const struct gs_switch_call *c = ud;
    const struct gs_config_provider *p = &c->generation->routes->providers[t->provider];
    char credential[GS_BREAKER_CREDENTIAL];
    struct gs_breaker_who who;
    struct gs_switch_way way;
    int64_t p95_us;

    if (p->kind == GS_PROVIDER_LOCAL) {
        if (c->ask.unread || (!c->sw->opt.has_local && means_others(c)))
            out->why = GS_CHOICE_UNFIT;
        return;
    }
    if (!gs_switch_request_way(p, &c->ask, false, &way)) {
        out->why = GS_CHOICE_UNFIT;
        return;
    }
    if (p->key_source != GS_KEY_NONE && !gs_switch_request_key(p, &c->ask).len) {
        out->why = GS_CHOICE_KEY;
        return;
    }
    gs_switch_who_is(c, t, credential, &who);
    if (gs_breakers_look(c->sw->breakers, &who, gs_clock_mono_us(), &out->wait_us) !=
        GS_BREAKER_WAIT)
        out->wait_us = 0;
    if (!gs_breakers_ttft(c->sw->breakers, &who, &out->p50_us, &p95_us))
        out->p50_us = -1;
    out->cost_nanousd = gs_switch_cost(c, t);
    if (!gs_budgets_allow(c->sw->budgets, who.provider, GS_MAX(out->cost_nanousd, 0),
                          gs_clock_wall_us()) ||
        (out->cost_nanousd < 0 && gs_budgets_has_limit(c->sw->budgets, who.provider)))
        out->why = GS_CHOICE_BUDGET;
}

uint64_t gs_switch_talk_of(const struct gs_chat *chat)
{
    uint64_t h = 1;

    for (size_t i = 0; chat && i < GS_MIN(chat->n_messages, (size_t)2); i++)
        for (size_t b = 0; b < chat->messages[i].n_blocks; b++)
            h = gs_hash_bytes(chat->messages[i].blocks[b].text.ptr,
                              chat->messages[i].blocks[b].text.len, h);
    return h;
}

static bool has_images(const struct gs_chat *chat)
{
    for (size_t i = 0; i < chat->n_messages; i++)
        for (size_t b = 0; b < chat->messages[i].n_blocks; b++)
            if (chat->messages[i].blocks[b].kind == GS_BLOCK_IMAGE)
                return true;
    return false;
}

static void trace_choice(const struct gs_switch_call *c)
{
    char text[400] = "";
    size_t len = 0;

    for (size_t i = 0; i < c->choice.n && len < sizeof(text); i++) {
        const struct gs_choice_target *t = &c->choice.targets[i];
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s%s%s%s%s", i ? ", " : "",
                                c->generation->routes->providers[t->target.provider].name,
                                t->target.model ? "/" : "", t->target.model ? t->target.model : "",
                                t->why == GS_CHOICE_TAKEN ? "" : " not: ",
                                t->why == GS_CHOICE_TAKEN ? "" : gs_choice_word(t->why));
    }
    gs_trace_span(c->trace, "route", "%s: %s", c->route ? c->route->match : "none", text);
}

/* Nobody here can tell secrets from other words yet. So where some are to be kept back, all of the
 * request is. */
static enum gs_privacy privacy_of(const struct gs_config_routes *routes,
                                  const struct gs_config_route *route)
{
    const bool is_asked_to_look =
        routes->n_rules > 0 || (route && route->privacy == GS_PRIVACY_REDACT);

    return is_asked_to_look ? GS_PRIVACY_LOCAL_ONLY : GS_PRIVACY_ANY;
}

void gs_switch_choose(struct gs_switch_call *c)
{
    const struct gs_config_routes *routes = c->generation->routes;
    const struct gs_chat *chat = c->ask.chat;
    const int64_t now_us = gs_clock_mono_us();
    struct gs_choice_question q = {
        .model = c->ask.model,
        .prompt_tokens = gs_price_prompt_tokens(c->ask.body.len, c->ask.chat),
        .has_images = chat && has_images(chat),
        .has_tools = chat && chat->n_tools > 0,
        .is_uplink_down = gs_uplink_look(&c->sw->uplink, now_us) == GS_UPLINK_DOWN,
        .budget_us = gs_switch_budget_ms(c) * 1000 - (now_us - c->started_us),
        .turn = c->sw->n_asked++,
    };

    c->route = c->ask.ctx->errand ? NULL : gs_choice_route(routes, &q);
    q.privacy = privacy_of(routes, c->route);
    gs_choice_make(routes, c->route, &q, look_at, c, &c->choice);
    trace_choice(c);
}
