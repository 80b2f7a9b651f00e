/* What is asked, as the choice of who answers it needs to know: the request in figures, and what is
 * known of each target at the moment. */
#include <assert.h>

#include "base/clock.h"
#include "base/format.h"
#include "base/map.h"
#include "base/slice.h"
#include "route/budgets.h"
#include "route/price.h"
#include "switch/switch_call.h"

#define USUAL_ANSWER_TOKENS 4096 /* where the client sets no limit */

/* What asking this target may cost at most; negative: no price is known. */
int64_t gs_switch_cost(const struct gs_switch_call *c, const struct gs_config_target *t)
{
    const struct gs_chat *chat = c->ask.chat;
    const struct gs_config_price *price = gs_price_find(
        c->generation->routes, t->provider, t->model ? gs_slice_str(t->model) : c->ask.model);
    const struct gs_price_use use = {
        .prompt_tokens = gs_price_prompt_tokens(c->ask.n_bytes, c->ask.chat),
        .answer_tokens = chat && chat->max_tokens > 0
                             ? GS_MIN(chat->max_tokens, (int64_t)USUAL_ANSWER_TOKENS)
                             : USUAL_ANSWER_TOKENS,
    };

    return price ? gs_price_nanousd(price, &use) : -1;
}

/* Whether it could be asked, at this time or another, but for what the request says. */
static bool could_be_asked(const struct gs_switch_call *c, const struct gs_config_provider *p)
{
    struct gs_switch_way way;

    if (p->kind == GS_PROVIDER_LOCAL)
        return false;
    if (c->choice.privacy != GS_PRIVACY_ANY)
        return true;
    return gs_switch_request_way(p, &c->ask, false, &way) &&
           (p->key_source == GS_KEY_NONE || gs_switch_request_key(p, &c->ask).len);
}

/* Whether somebody is meant whose answer pilot cannot replace. */
static bool means_others(const struct gs_switch_call *c)
{
    if (!c->route || c->route->policy == GS_POLICY_LOCAL_ONLY)
        return false;
    for (size_t i = 0; i < c->route->n_targets; i++)
        if (could_be_asked(c, &c->generation->routes->providers[c->route->targets[i].provider]))
            return true;
    return false;
}

/* This request asked it, and was not told when to ask again, or would hear the same. Whoever says
 * nothing is not waited for by others, so that what he says of a wait does not count. */
static bool was_tried(const struct gs_switch_call *c, const struct gs_config_target *t)
{
    for (const struct gs_switch_leg *leg = c->legs; leg; leg = leg->next) {
        const enum gs_blame blame = gs_fault_blame(leg->fault);
        if (leg->to.provider == t->provider && leg->to.model == t->model)
            return leg->retry_after_us <= 0 || blame == GS_BLAME_TARGET ||
                   blame == GS_BLAME_REQUEST || leg->fault == GS_FAULT_EMPTY;
    }
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

    if (was_tried(c, t)) {
        out->why = GS_CHOICE_TRIED;
        return;
    }
    if (p->kind == GS_PROVIDER_LOCAL) {
        if (c->ask.unread || (!c->sw->opt.has_local && means_others(c)))
            out->why = GS_CHOICE_UNFIT;
        return;
    }
    if (!gs_switch_request_way(p, &c->ask, false, &way)) {
        out->why = way.is_redacted ? GS_CHOICE_PRIVACY : GS_CHOICE_UNFIT;
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
    const struct gs_budget_who payer = {.provider = who.provider, .key = c->ask.key};
    if (!gs_budgets_allow(c->sw->budgets, payer, GS_MAX(out->cost_nanousd, 0),
                          gs_clock_wall_us()) ||
        (out->cost_nanousd < 0 && gs_budgets_has_limit(c->sw->budgets, payer)))
        out->why = GS_CHOICE_BUDGET;
}

/* The first that the user said is there in every turn; before it agents say the time of day. */
uint64_t gs_switch_talk_of(const struct gs_chat *chat, uint64_t seed)
{
    const struct gs_message *first = NULL;
    uint64_t h = seed;

    for (size_t i = 0; chat && !first && i < chat->n_messages; i++)
        if (chat->messages[i].role == GS_ROLE_USER)
            first = &chat->messages[i];
    for (size_t b = 0; first && b < first->n_blocks; b++)
        h = gs_hash_bytes(first->blocks[b].text.ptr, first->blocks[b].text.len, h);
    return first ? h : 0;
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
        len +=
            (size_t)gs_format(text + len, sizeof(text) - len, "%s%s%s%s", i ? ", " : "",
                              c->generation->routes->providers[t->target.provider].name,
                              t->target.model ? "/" : "", t->target.model ? t->target.model : "");
        if (t->why != GS_CHOICE_TAKEN && len < sizeof(text))
            len += (size_t)gs_format(text + len, sizeof(text) - len, " not asked (%s)",
                                     gs_choice_word(t->why));
    }
    gs_trace_span(c->trace, "route", "%s: %s", c->route ? c->route->match : "none", text);
}

static struct gs_choice_question question_of(const struct gs_switch_ask *ask, unsigned strain)
{
    return (struct gs_choice_question){
        .model = ask->model,
        .prompt_tokens = gs_price_prompt_tokens(ask->n_bytes, ask->chat),
        .has_images = ask->chat && has_images(ask->chat),
        .has_tools = ask->chat && ask->chat->n_tools > 0,
        .is_on_battery = strain & GS_POWER_BATTERY,
        .is_hot = strain & GS_POWER_HOT,
    };
}

const struct gs_config_route *gs_switch_route_of(const struct gs_config_routes *routes,
                                                 const struct gs_switch_ask *ask, unsigned strain)
{
    const struct gs_choice_question q = question_of(ask, strain);

    return ask->ctx->errand ? NULL : gs_choice_route(routes, &q);
}

/* The request's word counts, else the route's, else that of the client's key. */
static bool ends_on_break(const struct gs_switch_call *c)
{
    const enum gs_on_break of_route = c->route ? c->route->on_break : GS_ON_BREAK_UNSET;

    if (c->ask.ends_on_break || of_route != GS_ON_BREAK_UNSET)
        return c->ask.ends_on_break || of_route == GS_ON_BREAK_ERROR;
    const struct gs_config_client_key *key = gs_config_find_key(c->generation->routes, c->ask.key);
    return key && key->on_break == GS_ON_BREAK_ERROR;
}

void gs_switch_choose(struct gs_switch_call *c)
{
    const struct gs_config_routes *routes = c->generation->routes;
    const int64_t now_us = gs_clock_mono_us();
    const struct gs_switch_judgement *j = c->guard.judgement;
    const bool is_new = !c->guard.is_judged; /* else it keeps its route, by which it was judged */

    if (is_new) /* what was searched for one route is not searched again, on the loop */
        c->strain = j && j->generation == c->generation ? j->strain : gs_switch_strain(c->sw);
    if (is_new && c->strain)
        gs_trace_span(c->trace, "power", "%s", gs_switch_power_word(c->strain));
    struct gs_choice_question q = question_of(&c->ask, c->strain);
    c->route = gs_switch_route_of(routes, &c->ask, c->strain);
    c->ask.ends_on_break = ends_on_break(c);
    if (is_new)
        gs_switch_guard_judge(c);
    q.privacy = c->guard.privacy;
    q.is_uplink_down = gs_uplink_look(&c->sw->uplink, now_us) == GS_UPLINK_DOWN;
    q.budget_us = gs_switch_budget_ms(c) * 1000 - (now_us - c->started_us);
    q.turn = c->sw->n_asked++;
    gs_choice_make(routes, c->route, &q, look_at, c, &c->choice);
    trace_choice(c);
}
