/* Routes in words: who is asked for what, in which order and on what terms, and what of it the user
 * may not have meant. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/slice.h"
#include "config/config_routes.h"

#define MAX_COLUMN 40 /* bytes of a name that the columns are made for */

/* ---- columns ---- */

static void pad(struct gs_buf *b, size_t from, size_t width)
{
    gs_buf_putc(b, ' ');
    while (gs_buf_ok(b) && b->len - from < width + 2)
        gs_buf_putc(b, ' ');
}

/* A line's first column: "  key anna  " */
static void put_name(struct gs_buf *b, const char *what, const char *name, size_t width)
{
    gs_buf_printf(b, "  %s", what);
    const size_t from = b->len;
    gs_buf_puts(b, name);
    pad(b, from, width);
}

/* A line below the last one's second column. */
static void put_below(struct gs_buf *b, size_t width)
{
    gs_buf_printf(b, "\n%*s", (int)(width + 4), "");
}

static size_t wider(size_t width, const char *text)
{
    return GS_MAX(width, GS_MIN(strlen(text), MAX_COLUMN));
}

/* ---- providers ---- */

static void put_key(struct gs_buf *b, const struct gs_config_provider *p)
{
    switch (p->key_source) {
    case GS_KEY_NONE:
        gs_buf_puts(b, "no key");
        break;
    case GS_KEY_CLIENT:
        gs_buf_puts(b, "the caller's own key");
        break;
    case GS_KEY_ENV:
        gs_buf_printf(b, "the key in $%s", p->key);
        break;
    case GS_KEY_FILE:
        gs_buf_printf(b, "the key in %s", p->key);
        break;
    case GS_KEY_COMMAND:
        gs_buf_printf(b, "the key that \"%s\" prints", p->key);
        break;
    }
}

static void put_providers(struct gs_buf *b, const struct gs_config_routes *r)
{
    static const char *const trusts[] = {
        [GS_TRUST_UNSET] = "",
        [GS_TRUST_ANY] = "; gets requests of class any",
        [GS_TRUST_REDACT] = "; gets requests of class any and redact",
        [GS_TRUST_LOCAL_ONLY] = "; gets all requests, as they come",
    };
    size_t width = 0;

    for (size_t i = 1; i < r->n_providers; i++)
        width = wider(width, r->providers[i].name);
    for (size_t i = 1; i < r->n_providers; i++) {
        const struct gs_config_provider *p = &r->providers[i];
        put_name(b, "", p->name, width);
        gs_buf_printf(b, "%s, with ", p->url);
        put_key(b, p);
        gs_buf_puts(b, p->is_loopback ? "; on this machine" : "");
        gs_buf_printf(b, "%s\n", trusts[p->trust]);
    }
}

/* ---- routes ---- */

static void put_target(struct gs_buf *b, const struct gs_config_routes *r,
                       const struct gs_config_target *t)
{
    gs_buf_puts(b, t->provider == 0 ? "this machine" : r->providers[t->provider].name);
    if (t->model)
        gs_buf_printf(b, " (%s)", t->model);
}

static bool is_here(const struct gs_config_routes *r, const struct gs_config_target *t)
{
    return r->providers[t->provider].is_loopback;
}

/* Targets one after the other; `pass` 0: those of this machine, 1: the others, 2: all. */
static size_t put_targets(struct gs_buf *b, const struct gs_config_routes *r,
                          const struct gs_config_route *route, int pass, const char *between,
                          size_t n_before)
{
    for (size_t i = 0; i < route->n_targets; i++) {
        if (pass != 2 && is_here(r, &route->targets[i]) != (pass == 0))
            continue;
        gs_buf_puts(b, n_before++ ? between : "");
        put_target(b, r, &route->targets[i]);
    }
    return n_before;
}

static void put_order(struct gs_buf *b, const struct gs_config_routes *r,
                      const struct gs_config_route *route)
{
    bool has_local = false;
    size_t n;

    for (size_t i = 0; i < route->n_targets; i++)
        has_local = has_local || route->targets[i].provider == 0;
    switch (route->policy) {
    case GS_POLICY_ORDER:
        put_targets(b, r, route, 2, ", then ", 0);
        break;
    case GS_POLICY_LOCAL_FIRST:
        n = put_targets(b, r, route, 0, ", then ", 0);
        put_targets(b, r, route, 1, ", then ", n);
        break;
    case GS_POLICY_CLOUD_FIRST:
        n = put_targets(b, r, route, 1, ", then ", 0);
        put_targets(b, r, route, 0, ", then ", n);
        break;
    case GS_POLICY_LOCAL_ONLY:
        if (put_targets(b, r, route, 0, ", then ", 0) > 0)
            break;
        gs_buf_puts(b, "this machine");
        return;
    case GS_POLICY_CHEAPEST:
    case GS_POLICY_FASTEST:
        gs_buf_printf(b, "the %s of ",
                      route->policy == GS_POLICY_CHEAPEST ? "cheapest" : "fastest");
        put_targets(b, r, route, 2, ", ", 0);
        break;
    case GS_POLICY_HEDGE:
        put_targets(b, r, route, 2, ", and if it is slow beside it ", 0);
        break;
    }
    if (!has_local)
        gs_buf_puts(b, ", then this machine");
}

/* "only while this machine is not on battery, and not hot" */
static void put_strain(struct gs_buf *b, const struct gs_config_route *route, size_t width)
{
    const struct {
        enum gs_condition condition;
        const char *word;
    } is[] = {{route->battery, "on battery"}, {route->hot, "hot"}};
    const char *start = "only while this machine is";

    if (route->battery != GS_CONDITION_NONE || route->hot != GS_CONDITION_NONE)
        put_below(b, width);
    for (size_t i = 0; i < GS_COUNT_OF(is); i++) {
        if (is[i].condition == GS_CONDITION_NONE)
            continue;
        gs_buf_printf(b, "%s %s%s", start, is[i].condition == GS_CONDITION_YES ? "" : "not ",
                      is[i].word);
        start = ", and";
    }
}

static void put_conditions(struct gs_buf *b, const struct gs_config_route *route, size_t width)
{
    const struct {
        enum gs_condition condition;
        const char *word;
    } has[] = {{route->images, "images"}, {route->tools, "tools"}};
    const char *start = "only requests";
    const size_t before = b->len;

    put_below(b, width);
    const size_t after = b->len;
    for (size_t i = 0; i < GS_COUNT_OF(has); i++) {
        if (has[i].condition == GS_CONDITION_NONE)
            continue;
        gs_buf_printf(b, "%s %s %s", start,
                      has[i].condition == GS_CONDITION_YES ? "with" : "without", has[i].word);
        start = ",";
    }
    if (route->prompt_over > 0) {
        gs_buf_printf(b, "%s of more than %" PRId64 " tokens", start, route->prompt_over);
        start = ",";
    }
    if (route->prompt_under > 0)
        gs_buf_printf(b, "%s of less than %" PRId64 " tokens", start, route->prompt_under);
    if (b->len == after && gs_buf_ok(b))
        b->len = before;
}

/* Whether the route leads to another computer that gets what is to stay here. */
static bool trusts_others(const struct gs_config_routes *r, const struct gs_config_route *route)
{
    for (size_t i = 0; i < route->n_targets; i++)
        if (!is_here(r, &route->targets[i]) &&
            gs_config_trust(&r->providers[route->targets[i].provider]) == GS_PRIVACY_LOCAL_ONLY)
            return true;
    return false;
}

static void put_terms(struct gs_buf *b, const struct gs_config_routes *r,
                      const struct gs_config_route *route, size_t width)
{
    put_conditions(b, route, width);
    put_strain(b, route, width);
    if (route->privacy != GS_PRIVACY_ANY) {
        put_below(b, width);
        gs_buf_puts(b, route->privacy == GS_PRIVACY_REDACT
                           ? r->n_rules > 0
                                 ? "what the privacy rules find is taken out before it leaves"
                                 : "whatever looks secret is taken out before it leaves"
                       : trusts_others(r, route) ? "only who gets all requests is asked"
                                                 : "nothing leaves this machine");
    }
    if (route->on_break == GS_ON_BREAK_ERROR) {
        put_below(b, width);
        gs_buf_puts(b, "an answer that breaks off ends with an error");
    }
}

/* ---- privacy ---- */

static struct gs_slice detector_word(enum gs_detector find)
{
    for (size_t i = 0; i < gs_config_n_routes_keys; i++) {
        const struct gs_config_option *o = &gs_config_routes_keys[i].o;
        if (gs_config_routes_keys[i].part == GS_PART_RULE && strcmp(o->key, "find") == 0)
            return gs_config_words_get(o->value, (size_t)((int)find - (int)o->lo));
    }
    return gs_slice("", 0);
}

/* "PATTERN" of a file, or what a detector finds. */
static struct gs_slice rule_name(const struct gs_config_secret_rule *rule)
{
    return rule->path ? gs_slice_str(rule->path) : detector_word(rule->find);
}

static const char *rule_outcome(const struct gs_config_secret_rule *rule)
{
    switch (rule->privacy) {
    case GS_PRIVACY_ANY:
        return rule->path ? "may be sent" : "may be sent, wherever it is";
    case GS_PRIVACY_REDACT:
        return "is taken out before a request leaves, and put back into the answer";
    case GS_PRIVACY_LOCAL_ONLY:
        break;
    }
    return "keeps its conversation on this machine";
}

static void put_rules(struct gs_buf *b, const struct gs_config_routes *r)
{
    size_t width = 0;

    for (size_t i = 0; i < r->n_rules; i++)
        width = GS_MAX(width, GS_MIN(rule_name(&r->rules[i]).len, MAX_COLUMN));
    gs_buf_puts(b, r->n_rules > 0 ? "\n" : "");
    for (size_t i = 0; i < r->n_rules; i++) {
        const size_t from = b->len + 2;
        gs_buf_puts(b, "  ");
        gs_buf_slice(b, rule_name(&r->rules[i]));
        pad(b, from, width);
        gs_buf_printf(b, "%s\n", rule_outcome(&r->rules[i]));
    }
}

/* ---- budgets ---- */

static const char *budget_name(const struct gs_config_routes *r, const struct gs_config_budget *g)
{
    return g->provider == SIZE_MAX ? "all" : r->providers[g->provider].name;
}

/* "5 USD a day, 60 USD a month at most" */
static void put_limits(struct gs_buf *b, const struct gs_config_budget *g)
{
    if (g->day_nanousd > 0)
        gs_buf_printf(b, "%.9g USD a day", (double)g->day_nanousd / 1e9);
    gs_buf_puts(b, g->day_nanousd > 0 && g->month_nanousd > 0 ? ", " : "");
    if (g->month_nanousd > 0)
        gs_buf_printf(b, "%.9g USD a month", (double)g->month_nanousd / 1e9);
    gs_buf_puts(b, g->day_nanousd > 0 || g->month_nanousd > 0 ? " at most" : "");
}

/* "  router  5 USD a day at most" */
static void put_budgets(struct gs_buf *b, const struct gs_config_routes *r)
{
    size_t width = 0;

    for (size_t i = 0; i < r->n_budgets; i++)
        width = wider(width, budget_name(r, &r->budgets[i]));
    gs_buf_puts(b, r->n_budgets > 0 ? "\n" : "");
    for (size_t i = 0; i < r->n_budgets; i++) {
        const struct gs_config_budget *g = &r->budgets[i];
        put_name(b, "", budget_name(r, g), width);
        put_limits(b, g);
        gs_buf_putc(b, '\n');
    }
}

/* "  key anna  2 USD a day at most, an answer that breaks off ends with an error" */
static void put_keys(struct gs_buf *b, const struct gs_config_routes *r)
{
    static const char *const words[] = {
        [GS_ON_BREAK_UNSET] = "",
        [GS_ON_BREAK_CONTINUE] = "another goes on with an answer that breaks off",
        [GS_ON_BREAK_ERROR] = "an answer that breaks off ends with an error",
    };
    size_t width = 0;

    for (size_t i = 0; i < r->n_keys; i++)
        width = wider(width, r->keys[i].name);
    gs_buf_puts(b, r->n_keys > 0 ? "\n" : "");
    for (size_t i = 0; i < r->n_keys; i++) {
        const struct gs_config_client_key *k = &r->keys[i];
        put_name(b, "key ", k->name, width);
        const size_t start = b->len;
        put_limits(b, &k->budget);
        gs_buf_printf(b, "%s%s\n", b->len > start && k->on_break ? ", " : "", words[k->on_break]);
    }
}

void gs_config_write_routes(const struct gs_config_routes *r, struct gs_buf *b)
{
    size_t width = 0;

    put_providers(b, r);
    gs_buf_puts(b, r->n_providers > 1 ? "\n" : "");
    for (size_t i = 0; i < r->n_routes; i++)
        width = wider(width, r->routes[i].match);
    for (size_t i = 0; i < r->n_routes; i++) {
        put_name(b, "", r->routes[i].match, width);
        put_order(b, r, &r->routes[i]);
        put_terms(b, r, &r->routes[i], width);
        gs_buf_putc(b, '\n');
    }
    put_budgets(b, r);
    put_keys(b, r);
    put_rules(b, r);
}

/* ---- doubts ---- */

struct doubts {
    const struct gs_config_routes *routes;
    const char *name; /* of the file */
    struct gs_buf *b;
};

static void doubt(const struct doubts *d, int line, const char *fmt, ...) GS_PRINTF(3, 4);

static void doubt(const struct doubts *d, int line, const char *fmt, ...)
{
    char msg[GS_ERROR_MSG_BYTES];
    va_list args;

    va_start(args, fmt);
    vsnprintf(msg, sizeof(msg), fmt, args);
    va_end(args);
    if (line > 0)
        gs_buf_printf(d->b, "%s:%d: warning: %s\n", d->name, line, msg);
    else
        gs_buf_printf(d->b, "genset: warning: %s\n", msg);
}

static bool is_used(const struct gs_config_routes *r, size_t provider)
{
    for (size_t i = 0; i < r->n_routes; i++)
        for (size_t t = 0; t < r->routes[i].n_targets; t++)
            if (r->routes[i].targets[t].provider == provider)
                return true;
    return false;
}

static void doubt_provider(const struct doubts *d, size_t i,
                           const char *(*env)(void *ud, const char *name), void *env_ud)
{
    const struct gs_config_provider *p = &d->routes->providers[i];
    const char *value = p->key_source == GS_KEY_ENV && env ? env(env_ud, p->key) : NULL;

    if (p->key_source == GS_KEY_ENV && (!value || !value[0]))
        doubt(d, p->line, "provider \"%s\" has no key: the variable %s is not set", p->name,
              p->key);
    if (p->key_source == GS_KEY_FILE && access(p->key, R_OK) != 0)
        doubt(d, p->line, "provider \"%s\" has no key: the file \"%s\" cannot be read", p->name,
              p->key);
    if (p->ca_file && access(p->ca_file, R_OK) != 0)
        doubt(d, p->line, "provider \"%s\": the file \"%s\" cannot be read", p->name, p->ca_file);
    if (!is_used(d->routes, i))
        doubt(d, p->line, "provider \"%s\" is a target of no route", p->name);
}

/* Is any price for the provider's models? */
static bool is_priced(const struct gs_config_routes *r, size_t provider)
{
    for (size_t i = 0; i < r->n_prices; i++) {
        const struct gs_slice match = gs_slice_str(r->prices[i].match);
        const size_t slash = gs_slice_find(match, GS_SLICE_LIT("/"), 0);
        char name[MAX_COLUMN * 4];
        const struct gs_slice part = gs_slice_sub(match, 0, slash);
        if (part.len >= sizeof(name))
            continue;
        memcpy(name, part.ptr, part.len);
        name[part.len] = '\0';
        if (gs_config_match(name, gs_slice_str(r->providers[provider].name)))
            return true;
    }
    return false;
}

static void doubt_budget(const struct doubts *d, const struct gs_config_budget *budget)
{
    const struct gs_config_routes *r = d->routes;

    for (size_t i = 1; i < r->n_providers; i++) {
        const bool is_meant =
            budget->provider == i || (budget->provider == SIZE_MAX && !r->providers[i].is_loopback);
        if (is_meant && !is_priced(r, i))
            doubt(d, budget->line,
                  "a budget is kept for \"%s\", but none of its models has a price",
                  r->providers[i].name);
    }
}

/* One is enough: they all ask the same providers. */
static void doubt_keys(const struct doubts *d)
{
    for (size_t i = 0; i < d->routes->n_keys; i++) {
        const struct gs_config_budget *budget = &d->routes->keys[i].budget;
        if (budget->day_nanousd == 0 && budget->month_nanousd == 0)
            continue;
        doubt_budget(d, budget);
        return;
    }
}

static void doubt_route(const struct doubts *d, const struct gs_config_route *route)
{
    for (size_t i = 0; i < route->n_targets; i++) {
        const struct gs_config_provider *p = &d->routes->providers[route->targets[i].provider];
        const bool is_strict = route->privacy > gs_config_trust(p);
        const bool is_local_only = route->privacy == GS_PRIVACY_LOCAL_ONLY;
        if ((route->policy == GS_POLICY_LOCAL_ONLY && !p->is_loopback) ||
            (is_strict && is_local_only && !trusts_others(d->routes, route)))
            doubt(d, route->line,
                  "nothing leaves this machine by this route: \"%s\" is never asked", p->name);
        else if (is_strict)
            doubt(d, route->line,
                  "this route is of class %s, which \"%s\" does not get: it is never asked",
                  is_local_only ? "local-only" : "redact", p->name);
    }
}

void gs_config_write_doubts(const struct gs_config_routes *r, const char *name,
                            const char *(*env)(void *ud, const char *name), void *env_ud,
                            struct gs_buf *b)
{
    const struct doubts d = {r, name, b};

    for (size_t i = 1; i < r->n_providers; i++)
        doubt_provider(&d, i, env, env_ud);
    for (size_t i = 0; i < r->n_routes; i++)
        doubt_route(&d, &r->routes[i]);
    for (size_t i = 0; i < r->n_budgets; i++)
        doubt_budget(&d, &r->budgets[i]);
    doubt_keys(&d);
}
