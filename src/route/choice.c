/* Filters first, then the policy's order over what is left. What is left out stays in the list with
 * its reason. */
#include "route/choice.h"

#include <string.h>

#define N_BEFORE_ANOTHER 20 /* "fastest": one request of so many goes to another */

const char *gs_choice_word(enum gs_choice_why w)
{
    switch (w) {
    case GS_CHOICE_TAKEN:
        return "taken";
    case GS_CHOICE_POLICY:
        return "policy";
    case GS_CHOICE_PRIVACY:
        return "privacy";
    case GS_CHOICE_HERMIT:
        return "hermit";
    case GS_CHOICE_KEY:
        return "key";
    case GS_CHOICE_UNFIT:
        return "unfit";
    case GS_CHOICE_BUDGET:
        return "budget";
    case GS_CHOICE_UPLINK:
        return "uplink";
    case GS_CHOICE_BREAKER:
        return "breaker";
    case GS_CHOICE_TWICE:
        return "twice";
    case GS_CHOICE_TRIED:
        return "tried";
    }
    return "taken";
}

/* ---- routes ---- */

static bool holds(enum gs_condition c, bool is)
{
    switch (c) {
    case GS_CONDITION_NONE:
        return true;
    case GS_CONDITION_NO:
        return !is;
    case GS_CONDITION_YES:
        return is;
    }
    return true;
}

static bool applies(const struct gs_config_route *r, const struct gs_choice_question *q)
{
    if (r->prompt_over > 0 && q->prompt_tokens <= r->prompt_over)
        return false;
    if (r->prompt_under > 0 && q->prompt_tokens >= r->prompt_under)
        return false;
    return holds(r->images, q->has_images) && holds(r->tools, q->has_tools) &&
           holds(r->battery, q->is_on_battery) && holds(r->hot, q->is_hot) &&
           gs_config_match(r->match, q->model);
}

const struct gs_config_route *gs_choice_route(const struct gs_config_routes *routes,
                                              const struct gs_choice_question *q)
{
    for (size_t i = 0; i < routes->n_routes; i++)
        if (applies(&routes->routes[i], q))
            return &routes->routes[i];
    return NULL;
}

/* ---- filters ---- */

/* Of this machine: nothing leaves by it. */
static bool is_here(const struct gs_config_routes *routes, const struct gs_config_target *t)
{
    return t->provider == 0 || routes->providers[t->provider].is_loopback;
}

static bool is_same(const struct gs_config_target *a, const struct gs_config_target *b)
{
    if (a->provider != b->provider || !a->model != !b->model)
        return false;
    return !a->model || strcmp(a->model, b->model) == 0;
}

/* Why nobody need be asked about target `i` of the list. */
static enum gs_choice_why forbid(const struct gs_config_routes *routes, enum gs_policy policy,
                                 const struct gs_choice_question *q, const struct gs_choice *c,
                                 size_t i)
{
    const struct gs_config_target *t = &c->targets[i].target;

    for (size_t k = 0; k < i; k++)
        if (is_same(&c->targets[k].target, t))
            return GS_CHOICE_TWICE;
    if (c->privacy > gs_config_trust(&routes->providers[t->provider]))
        return GS_CHOICE_PRIVACY;
    if (is_here(routes, t))
        return GS_CHOICE_TAKEN;
    if (policy == GS_POLICY_LOCAL_ONLY)
        return GS_CHOICE_POLICY;
    if (q->is_hermit)
        return GS_CHOICE_HERMIT;
    return GS_CHOICE_TAKEN;
}

static enum gs_choice_why judge(const struct gs_config_routes *routes,
                                const struct gs_choice_question *q,
                                const struct gs_choice_target *t)
{
    if (t->facts.why != GS_CHOICE_TAKEN)
        return t->facts.why;
    if (q->is_uplink_down && !routes->providers[t->target.provider].is_near)
        return GS_CHOICE_UPLINK;
    return t->facts.wait_us > 0 ? GS_CHOICE_BREAKER : GS_CHOICE_TAKEN;
}

/* ---- order ---- */

/* The lower the earlier; equal ones stay as the route has them. */
static int64_t rank_of(const struct gs_config_routes *routes, enum gs_policy policy,
                       const struct gs_choice_target *t)
{
    switch (policy) {
    case GS_POLICY_LOCAL_FIRST:
        return !is_here(routes, &t->target);
    case GS_POLICY_CLOUD_FIRST:
        return is_here(routes, &t->target);
    case GS_POLICY_CHEAPEST:
        return t->facts.cost_nanousd < 0 ? INT64_MAX : t->facts.cost_nanousd;
    case GS_POLICY_FASTEST:
        return t->facts.p50_us; /* who is not known yet comes first, and so becomes known */
    case GS_POLICY_ORDER:
    case GS_POLICY_LOCAL_ONLY:
    case GS_POLICY_HEDGE:
        break;
    }
    return 0;
}

static void move(struct gs_choice *c, size_t from, size_t to)
{
    const struct gs_choice_target t = c->targets[from];

    for (; from > to; from--)
        c->targets[from] = c->targets[from - 1];
    c->targets[to] = t;
}

/* Bring those taken to the front, in the policy's order. The last `n_last` keep their place behind
 * the others: local, where the route does not name it. */
static void arrange(const struct gs_config_routes *routes, enum gs_policy policy, size_t n_last,
                    struct gs_choice *c)
{
    for (size_t i = 0; i < c->n; i++) {
        const struct gs_choice_target *t = &c->targets[i];
        size_t to = c->n_taken;
        if (t->why != GS_CHOICE_TAKEN)
            continue;
        const int64_t rank = rank_of(routes, policy, t);
        while (i < c->n - n_last && to > 0 && rank_of(routes, policy, &c->targets[to - 1]) > rank)
            to--;
        move(c, i, to);
        c->n_taken++;
    }
}

/* Nobody is left: rather one that we believe out of reach than nobody, else the one whose wait ends
 * first. */
static void take_last_resort(const struct gs_choice_question *q, struct gs_choice *c)
{
    size_t best = c->n;

    for (size_t i = 0; i < c->n && c->n_taken == 0; i++) {
        const struct gs_choice_target *t = &c->targets[i];
        if (t->why != GS_CHOICE_UPLINK && t->why != GS_CHOICE_BREAKER)
            continue;
        if (best == c->n || t->facts.wait_us < c->targets[best].facts.wait_us)
            best = i;
    }
    if (best == c->n)
        return;
    move(c, best, 0);
    c->n_taken = 1;
    c->targets[0].why = GS_CHOICE_TAKEN;
    c->is_last_resort = true;
    c->wait_us = c->targets[0].facts.wait_us;
    c->is_in_time = c->wait_us <= q->budget_us;
}

void gs_choice_make(const struct gs_config_routes *routes, const struct gs_config_route *route,
                    const struct gs_choice_question *q, gs_choice_facts_fn *facts, void *ud,
                    struct gs_choice *out)
{
    const enum gs_policy policy = route ? route->policy : GS_POLICY_ORDER;
    bool has_local = false;

    *out = (struct gs_choice){.is_in_time = true, .privacy = q->privacy};
    if (route && route->privacy > out->privacy)
        out->privacy = route->privacy;
    for (size_t i = 0; route && i < route->n_targets && i < GS_CHOICE_MAX - 1; i++) {
        out->targets[out->n++].target = route->targets[i];
        has_local = has_local || route->targets[i].provider == 0;
    }
    if (!has_local)
        out->n++; /* zeroed: local, the model the client named */
    for (size_t i = 0; i < out->n; i++) {
        struct gs_choice_target *t = &out->targets[i];
        t->facts = (struct gs_choice_facts){.cost_nanousd = -1, .p50_us = -1};
        t->why = forbid(routes, policy, q, out, i);
        if (t->why != GS_CHOICE_TAKEN)
            continue;
        facts(ud, &t->target, &t->facts);
        t->why = judge(routes, q, t);
    }
    arrange(routes, policy, !has_local, out);
    const size_t n_last =
        !has_local && out->n_taken > 0 && out->targets[out->n_taken - 1].target.provider == 0;
    const size_t n_ranked = out->n_taken - n_last;
    if (policy == GS_POLICY_FASTEST && n_ranked > 1 && q->turn % N_BEFORE_ANOTHER == 0)
        move(out, 1 + q->turn / N_BEFORE_ANOTHER % (n_ranked - 1), 0);
    out->hedge = policy == GS_POLICY_HEDGE && out->n_taken > 1;
    take_last_resort(q, out);
}
