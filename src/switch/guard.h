/* What may leave this machine of a request: its class, found before anybody is chosen, and held
 * over every attempt.
 *
 *     route, client, conversation, what the rules find  ->  the strictest class
 *         any         the request goes out as it is
 *         redact      without what is found; the answer is put together again for the client
 *         local-only  nobody beyond this machine is asked
 *
 * What cannot be searched is local-only. Private to switch/. */
#ifndef GS_SWITCH_GUARD_H
#define GS_SWITCH_GUARD_H

#include "privacy/privacy.h"
#include "switch/switch.h"

struct gs_switch_call;
struct gs_switch_generation;
struct gs_switch_way;

#define GS_SWITCH_FOUND_BYTES 192

/* What a search found; of the routes that held when it was begun. */
struct gs_switch_judgement {
    struct gs_switch_generation *generation;
    const struct gs_config_route *route;
    unsigned strain;       /* of this machine, which the route depends on */
    enum gs_status status; /* of the search; nothing was searched: GS_OK, and nothing found */
    struct gs_privacy_findings found;
    bool is_redacted;             /* so that what follows is known */
    enum gs_status redact_status; /* GS_OK: */
    struct gs_buf body;           /* as it may leave, if there are */
    struct gs_privacy_names *names;
};

/* Of a call: what its attempts may do. */
struct gs_switch_guard {
    struct gs_switch_judgement *judgement;
    enum gs_privacy privacy;
    char found[GS_SWITCH_FOUND_BYTES]; /* "email 2, api-key 1", for people */
    bool is_judged;
};

/* What is searched for: what the configuration says, or all there is. */
struct gs_switch_rules {
    const struct gs_config_secret_rule *items;
    size_t n;
};
struct gs_switch_rules gs_switch_rules_of(const struct gs_config_routes *routes);

/* Any thread. */
void gs_switch_judgement_redact(struct gs_switch_judgement *j, struct gs_slice body);
/* Find the call's class, and leave out of its ask what no class lets through. */
void gs_switch_guard_judge(struct gs_switch_call *c);
/* Release what it holds. */
void gs_switch_guard_clear(struct gs_switch_guard *g);

/* What the provider may be asked is asked in this way; false: it may not be. */
GS_MUST_CHECK bool gs_switch_guard_way(const struct gs_config_provider *p,
                                       const struct gs_switch_ask *ask, struct gs_switch_way *way);

/* Whether it may be told what the answer that it is to go on with says so far, which others may
 * have found out: in this way, then. */
GS_MUST_CHECK bool gs_switch_guard_answer(const struct gs_switch_call *c,
                                          const struct gs_config_provider *p,
                                          const struct gs_message *had, struct gs_switch_way *way);

/* Say that it keeps the request from everybody. */
void gs_switch_guard_refuse(const struct gs_switch_guard *g, struct gs_error *err);

#endif
