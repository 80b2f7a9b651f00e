/* The class of a request, and what it means for those who might be asked. The search itself is
 * src/privacy's; here is what is searched, what else counts, and what becomes of an error. */
#include "switch/guard.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/map.h"
#include "base/slice.h"
#include "route/pins.h"
#include "switch/switch_call.h"
#include "json/json.h"

_Static_assert(GS_HTTP_MAX_FIELDS <= 128, "a bit for each");

#define MAX_INLINE_BYTES (256 * GS_KIB) /* of a body read on the loop: at most 5 ms */
#define MAX_SEARCHED_BYTES                                                                         \
    (64 * GS_KIB) /* of one that is searched there as well, which adds 0.5 ms */

const char *gs_switch_privacy_word(enum gs_privacy p)
{
    switch (p) {
    case GS_PRIVACY_ANY:
        break;
    case GS_PRIVACY_REDACT:
        return "redact";
    case GS_PRIVACY_LOCAL_ONLY:
        return "local-only";
    }
    return "any";
}

/* ---- what is searched for ---- */

struct gs_switch_rules gs_switch_rules_of(const struct gs_config_routes *routes)
{
    struct gs_switch_rules r = {routes->rules, routes->n_rules};

    if (r.n == 0)
        r.items = gs_privacy_default_rules(&r.n);
    return r;
}

static const struct gs_chat no_calls; /* what is no chat has none */

static bool has_path_rules(const struct gs_config_routes *routes)
{
    for (size_t i = 0; i < routes->n_rules; i++)
        if (routes->rules[i].path)
            return true;
    return false;
}

/* Whether somebody may be asked who does not get all: also a program of this machine. */
static bool leads_out(const struct gs_config_routes *routes, const struct gs_config_route *route)
{
    for (size_t i = 0; i < route->n_targets; i++) {
        const struct gs_config_provider *p = &routes->providers[route->targets[i].provider];
        if (gs_config_trust(p) != GS_PRIVACY_LOCAL_ONLY &&
            (p->is_loopback || route->policy != GS_POLICY_LOCAL_ONLY))
            return true;
    }
    return false;
}

/* What the route and the client say, before anything is searched. */
static enum gs_privacy said(const struct gs_config_route *route, const struct gs_switch_ask *ask)
{
    return GS_MAX(route->privacy, ask->privacy);
}

/* Whether somebody who does not get all might be asked, and something be found in it. */
static bool is_searched(const struct gs_config_routes *routes, const struct gs_config_route *route,
                        const struct gs_switch_ask *ask)
{
    if (!route || !leads_out(routes, route))
        return false;
    return said(route, ask) != GS_PRIVACY_LOCAL_ONLY &&
           (routes->n_rules > 0 || said(route, ask) == GS_PRIVACY_REDACT);
}

/* ---- the search ---- */

struct gs_switch_judgement *gs_switch_judgement_create(struct gs_switch *sw)
{
    struct gs_switch_judgement *j = gs_alloc_zero(sizeof(*j));

    if (!j)
        return NULL;
    j->generation = sw->generation;
    j->generation->n_refs++;
    j->strain = gs_switch_strain(sw);
    gs_buf_init(&j->body, GS_MAX_REQUEST_BYTES);
    return j;
}

void gs_switch_judgement_free(struct gs_switch_judgement *j)
{
    if (!j)
        return;
    gs_switch_generation_unref(j->generation);
    gs_buf_clear(&j->body);
    gs_privacy_names_free(j->names);
    gs_free(j);
}

/* What is kept of earlier answers goes out with a request that builds on them, and is not in its
 * body. */
static enum gs_status search_kept(struct gs_switch_rules r, const struct gs_switch_ask *ask,
                                  struct gs_privacy_findings *found, struct gs_error *err)
{
    const struct gs_dialect_to whom = {.model = ask->model, .takes_extensions = true};
    struct gs_privacy_findings more;
    struct gs_buf b;

    gs_buf_init(&b, GS_MAX_REQUEST_BYTES);
    enum gs_status st = gs_dialect_client_openai_chat.write_request(ask->chat, &whom, &b, err);
    if (st == GS_OK && !gs_buf_ok(&b))
        st = gs_error_nomem(err, "search the request");
    if (st == GS_OK)
        st = gs_privacy_judge(r.items, r.n, gs_buf_view(&b), ask->chat, &more, err);
    gs_buf_clear(&b);
    if (st != GS_OK)
        return st;
    found->privacy = GS_MAX(found->privacy, more.privacy);
    for (size_t i = 0; i < GS_COUNT_OF(found->n_found); i++)
        found->n_found[i] = GS_MAX(found->n_found[i], more.n_found[i]);
    return GS_OK;
}

static enum gs_status search(struct gs_switch_rules r, const struct gs_switch_ask *ask,
                             struct gs_privacy_findings *out)
{
    struct gs_privacy_findings found;
    struct gs_error err = {0};

    enum gs_status st =
        gs_privacy_judge(r.items, r.n, ask->body, ask->chat ? ask->chat : &no_calls, &found, &err);
    if (st == GS_OK && ask->chat && ask->ctx->builds_on_kept)
        st = search_kept(r, ask, &found, &err);
    if (st == GS_OK)
        *out = found;
    return st;
}

void gs_switch_judgement_redact(struct gs_switch_judgement *j, struct gs_slice body)
{
    const struct gs_switch_rules r = gs_switch_rules_of(j->generation->routes);
    struct gs_error err;

    j->is_redacted = true;
    j->redact_status = gs_privacy_redact(r.items, r.n, body, &j->body, &j->names, &err);
    if (j->redact_status == GS_OK && !gs_buf_ok(&j->body))
        j->redact_status = GS_ENOMEM;
}

void gs_switch_judgement_make(struct gs_switch_judgement *j, const struct gs_switch_ask *ask)
{
    const struct gs_config_routes *routes = j->generation->routes;
    const struct gs_config_route *route = gs_switch_route_of(routes, ask, j->strain);
    const struct gs_switch_rules r = gs_switch_rules_of(routes);

    j->route = route;
    if (!is_searched(routes, route, ask))
        return;
    j->status = search(r, ask, &j->found);
    if (j->status == GS_OK && GS_MAX(said(route, ask), j->found.privacy) == GS_PRIVACY_REDACT)
        gs_switch_judgement_redact(j, ask->body);
}

size_t gs_switch_inline_bytes(const struct gs_switch *sw)
{
    const struct gs_config_routes *routes = sw->generation->routes;
    bool is_searched_for = routes->n_rules > 0;

    for (size_t i = 0; i < routes->n_routes; i++)
        is_searched_for = is_searched_for || routes->routes[i].privacy == GS_PRIVACY_REDACT;
    return is_searched_for && routes->n_providers > 1 ? MAX_SEARCHED_BYTES : MAX_INLINE_BYTES;
}

/* ---- the conversation ---- */

/* By which agents tell their sessions apart. */
static uint64_t session_of(const struct gs_switch *sw, const struct gs_http_head *head)
{
    static const char *const names[] = {"x-claude-code-session-id", "session-id", "session_id",
                                        "x-session-id"};

    for (size_t i = 0; head && i < GS_COUNT_OF(names); i++) {
        const struct gs_slice id = gs_http_head_get(head, names[i]);
        if (id.len)
            return gs_hash_bytes(id.ptr, id.len, ~sw->seed);
    }
    return 0;
}

/* What one request of a conversation has holds for the later ones. */
static enum gs_privacy pin(struct gs_switch_call *c, enum gs_privacy privacy)
{
    const uint64_t talks[] = {c->talk, session_of(c->sw, c->ask.head)};
    enum gs_privacy held = privacy;

    for (size_t i = 0; i < GS_COUNT_OF(talks); i++)
        held = GS_MAX(held, gs_pins_hold(c->sw->pins, talks[i], privacy));
    for (size_t i = 0; held > privacy && i < GS_COUNT_OF(talks); i++)
        (void)gs_pins_hold(c->sw->pins, talks[i], held);
    return held;
}

/* ---- the head ---- */

/* Credentials, which go to whom they are for, and what SDKs say of themselves. */
static bool is_harmless(struct gs_slice name)
{
    static const char *const names[] = {"authorization",  "x-api-key",      "host",
                                        "accept",         "content-type",   "content-length",
                                        "user-agent",     "x-app",          "anthropic-version",
                                        "anthropic-beta", "openai-beta",    "openai-organization",
                                        "openai-project", "accept-language"};
    static const char sdk[] = "x-stainless-";

    for (size_t i = 0; i < GS_COUNT_OF(names); i++)
        if (gs_http_name_eq(name, names[i]))
            return true;
    return gs_http_name_eq(gs_slice_sub(name, 0, strlen(sdk)), sdk);
}

/* Nothing that must not leave is in it; false also where nobody can tell. */
static bool is_clean(struct gs_switch_rules r, struct gs_slice text)
{
    struct gs_privacy_findings found;
    struct gs_error err;
    struct gs_buf b;

    gs_buf_init(&b, 16 * GS_MAX_RESPONSE_BYTES);
    gs_buf_puts(&b, "{\"content\":");
    gs_json_write_string(&b, text);
    gs_buf_putc(&b, '}');
    const bool is =
        gs_buf_ok(&b) &&
        gs_privacy_judge(r.items, r.n, gs_buf_view(&b), &no_calls, &found, &err) == GS_OK &&
        found.privacy == GS_PRIVACY_ANY;
    gs_buf_clear(&b);
    return is;
}

/* What of the client's head must not leave. A query in code cannot be searched. */
static void withhold(struct gs_switch_call *c, struct gs_switch_rules r)
{
    const struct gs_slice query = c->ask.query;
    const size_t n_fields = c->ask.head ? c->ask.head->n_fields : 0;
    struct gs_switch_withheld *w = &c->ask.withheld;

    w->query = query.len > 0 &&
               (gs_slice_find(query, GS_SLICE_LIT("%"), 0) != SIZE_MAX || !is_clean(r, query));
    for (size_t i = 0; i < n_fields; i++) {
        const struct gs_http_field *f = &c->ask.head->fields[i];
        if (!is_harmless(f->name) && !is_clean(r, f->value))
            w->fields[i / 64] |= UINT64_C(1) << i % 64;
    }
}

/* ---- the class ---- */

static void note_found(struct gs_switch_guard *g, const struct gs_privacy_findings *found)
{
    size_t len = 0;

    for (size_t i = 0; i < GS_PRIVACY_DETECTORS && len < sizeof(g->found); i++)
        if (found->n_found[i] > 0)
            len += (size_t)snprintf(g->found + len, sizeof(g->found) - len, "%s%s %u",
                                    len ? ", " : "", gs_privacy_detector_name((enum gs_detector)i),
                                    (unsigned)found->n_found[i]);
}

static void warn(struct gs_switch_call *c, enum gs_status st)
{
    gs_trace_span(c->trace, "privacy", "could not be searched: %s", gs_status_text(st));
    if (!c->sw->has_warned)
        gs_log_write(c->sw->opt.log, GS_LOG_WARN, "privacy",
                     "a request could not be searched, and stays on this machine: %s",
                     gs_status_text(st));
    c->sw->has_warned = true;
}

/* The judgement that came with the request, if it was made by the route that holds; else one made
 * now. */
static enum gs_status search_now(struct gs_switch_call *c)
{
    struct gs_switch_judgement *j = c->guard.judgement;

    if (!j || j->generation != c->generation || j->route != c->route) {
        gs_switch_judgement_free(j);
        j = c->guard.judgement = gs_switch_judgement_create(c->sw);
        if (!j)
            return GS_ENOMEM;
        j->strain = c->strain;
        gs_switch_judgement_make(j, &c->ask);
    }
    note_found(&c->guard, &j->found);
    return j->status;
}

void gs_switch_guard_judge(struct gs_switch_call *c)
{
    const struct gs_config_routes *routes = c->generation->routes;
    struct gs_switch_guard *g = &c->guard;
    enum gs_privacy own = c->ask.privacy; /* of the conversation, not of the route */
    const bool is_due = is_searched(routes, c->route, &c->ask);

    g->is_judged = true;
    if (!c->route)
        return;
    if (is_due) {
        const enum gs_status st = search_now(c);
        if (st != GS_OK) {
            warn(c, st);
            g->privacy = GS_PRIVACY_LOCAL_ONLY;
        } else {
            own = GS_MAX(own, g->judgement->found.privacy);
        }
        if (c->ask.unread && has_path_rules(routes))
            g->privacy = GS_PRIVACY_LOCAL_ONLY;
    }
    const enum gs_privacy held = pin(c, own);
    g->privacy = GS_MAX(g->privacy, GS_MAX(held, c->route->privacy));
    if (g->privacy == GS_PRIVACY_REDACT && leads_out(routes, c->route)) {
        const enum gs_status st = gs_switch_redact_own(c);
        if (st != GS_OK) {
            warn(c, st);
            g->privacy = GS_PRIVACY_LOCAL_ONLY;
        }
    }
    if (is_due || g->privacy == GS_PRIVACY_REDACT)
        withhold(c, gs_switch_rules_of(routes));
    c->ask.privacy = g->privacy;
    if (g->privacy != GS_PRIVACY_ANY)
        gs_trace_span(c->trace, "privacy", "%s%s%s%s", gs_switch_privacy_word(g->privacy),
                      g->found[0] ? ": " : "", g->found,
                      held > own ? ", as the conversation was before" : "");
}

void gs_switch_guard_clear(struct gs_switch_guard *g)
{
    gs_switch_judgement_free(g->judgement);
}

/* ---- whom it may reach, and how ---- */

/* Answers in which nothing can be put together again: numbers. */
static bool says_numbers(const struct gs_switch_ask *ask)
{
    return ask->ctx->is_count || ask->ctx->texts;
}

bool gs_switch_guard_way(const struct gs_config_provider *p, const struct gs_switch_ask *ask,
                         struct gs_switch_way *way)
{
    const struct gs_chat *chat = ask->chat;

    if (gs_config_trust(p) == GS_PRIVACY_LOCAL_ONLY || ask->privacy == GS_PRIVACY_ANY)
        return true;
    way->is_redacted = !way->is_raw || !ask->withheld.nothing_in_body;
    if (ask->privacy > gs_config_trust(p))
        return false;
    if (ask->withheld.nothing_in_body)
        return true;
    if (ask->unread)
        return false;
    if (!way->client)
        return says_numbers(ask);
    return chat && chat->n_answers <= 1 && !chat->next && !chat->logprobs;
}

/* What an answer says so far: its texts, and arguments as the JSON they are. */
static enum gs_status search_answer(struct gs_switch_rules r, const struct gs_message *had,
                                    struct gs_privacy_findings *out)
{
    const struct gs_chat chat = {.messages = had, .n_messages = 1};
    struct gs_error err;
    struct gs_buf b;

    gs_buf_init(&b, 16 * GS_MAX_RESPONSE_BYTES);
    gs_buf_puts(&b, "{\"content\":[\"\"");
    for (size_t i = 0; i < had->n_blocks; i++) {
        gs_buf_putc(&b, ',');
        gs_json_write_string(&b, had->blocks[i].text);
        gs_buf_puts(&b, ",{\"arguments\":");
        gs_json_write_string(&b, had->blocks[i].args);
        gs_buf_putc(&b, '}');
    }
    gs_buf_puts(&b, "]}");
    const enum gs_status st =
        gs_buf_ok(&b) ? gs_privacy_judge(r.items, r.n, gs_buf_view(&b), &chat, out, &err)
                      : GS_ENOMEM;
    gs_buf_clear(&b);
    return st;
}

/* Somebody who gets all, and may say it, has said some of it. */
static bool was_trusted(const struct gs_switch_call *c)
{
    for (const struct gs_switch_leg *leg = c->legs; leg; leg = leg->next)
        if (leg->leads && gs_config_trust(leg->provider) == GS_PRIVACY_LOCAL_ONLY)
            return true;
    return false;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (unsigned char)c >= 0x80;
}

/* Whether it broke off in a word of more than letters, or behind a number, which may go on: half of
 * what is found once it is whole. */
static bool is_torn(struct gs_slice said)
{
    size_t end = said.len;

    while (end > 0 && is_space(said.ptr[end - 1]))
        end--;
    if (end > 0 && said.ptr[end - 1] >= '0' && said.ptr[end - 1] <= '9')
        return true;
    if (end == 0 || end < said.len)
        return false;
    size_t at = end - 1; /* but for the sign behind a word */
    while (at > 0 && is_letter(said.ptr[at - 1]))
        at--;
    return at > 0 && !is_space(said.ptr[at - 1]);
}

bool gs_switch_guard_answer(const struct gs_switch_call *c, const struct gs_config_provider *p,
                            const struct gs_message *had, struct gs_switch_way *way)
{
    const struct gs_config_routes *routes = c->generation->routes;
    struct gs_privacy_findings found = {0};

    if (gs_config_trust(p) == GS_PRIVACY_LOCAL_ONLY || !is_searched(routes, c->route, &c->ask))
        return true;
    if (search_answer(gs_switch_rules_of(routes), had, &found) != GS_OK ||
        found.privacy > gs_config_trust(p) || (was_trusted(c) && is_torn(gs_splice_text(had))))
        return false;
    way->is_redacted = way->is_redacted || found.privacy == GS_PRIVACY_REDACT;
    return true;
}

/* ---- nobody ---- */

void gs_switch_guard_refuse(const struct gs_switch_guard *g, struct gs_error *err)
{
    gs_error_set(err, GS_EUNSUPPORTED, "nobody may be asked this: it is %s%s%s%s",
                 gs_switch_privacy_word(g->privacy), g->found[0] ? " (found: " : "", g->found,
                 g->found[0] ? ")" : "");
    gs_error_hint(err, "Add a model of this machine to the route, or change its privacy rules.");
}
