/* Who is to answer: the route of a request, and its targets in the order in which they are tried,
 * with the reason for each that is left out. Pure: what is known of a target at the moment is
 * asked of the caller. */
#ifndef GS_ROUTE_CHOICE_H
#define GS_ROUTE_CHOICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/routes.h"
#include "genset/slice.h"

#define GS_CHOICE_MAX 17 /* targets of a route that are looked at, and local */

struct gs_choice_question {
    struct gs_slice model;
    int64_t prompt_tokens; /* an estimate: gs_price_tokens() */
    bool has_images, has_tools;
    bool is_on_battery, is_hot; /* this machine */
    enum gs_privacy privacy;    /* what the request asks for or was found in it; the route may be
                                   stricter */
    bool is_hermit;             /* nothing may leave this machine */
    bool is_uplink_down;        /* gs_uplink_look() says DOWN */
    int64_t budget_us;          /* time left until the first token */
    uint64_t turn;              /* counts requests: "fastest" tries another now and then */
};

enum gs_choice_why {
    GS_CHOICE_TAKEN,
    GS_CHOICE_POLICY,  /* the route's policy is local-only */
    GS_CHOICE_PRIVACY, /* the request is stricter than the provider is trusted */
    GS_CHOICE_HERMIT,  /* nothing may */
    GS_CHOICE_KEY,     /* there is no key for it */
    GS_CHOICE_UNFIT,   /* it cannot: too long, images, no such model here */
    GS_CHOICE_BUDGET,  /* its money is spent */
    GS_CHOICE_UPLINK,  /* our network is down */
    GS_CHOICE_BREAKER, /* to be asked again after wait_us */
    GS_CHOICE_TWICE,   /* is in the list before */
    GS_CHOICE_TRIED,   /* this request asked it already */
};
const char *gs_choice_word(enum gs_choice_why w); /* "breaker" */

/* What the caller knows of a target. */
struct gs_choice_facts {
    enum gs_choice_why why; /* TAKEN, or KEY, UNFIT, BUDGET, TRIED, UPLINK */
    int64_t wait_us;        /* of gs_breakers_look() */
    int64_t cost_nanousd;   /* of this request, estimated; negative = unknown */
    int64_t p50_us;         /* time to its first token; negative = unknown */
};
/* Fill `out`, which comes as TAKEN, no wait, nothing known. */
typedef void gs_choice_facts_fn(void *ud, const struct gs_config_target *t,
                                struct gs_choice_facts *out);

struct gs_choice_target {
    struct gs_config_target target; /* model NULL: as the client named it */
    enum gs_choice_why why;
    struct gs_choice_facts facts;
};

struct gs_choice {
    struct gs_choice_target targets[GS_CHOICE_MAX]; /* those to try, in order, then the others */
    size_t n_taken, n;
    int64_t wait_us;         /* not 0: all are benched; the one taken may be asked after so long */
    bool is_in_time;         /* and that is within the request's budget: wait, then ask it */
    bool is_last_resort;     /* who is taken seems out of reach, or benched: nobody else is there */
    bool hedge;              /* the second may start beside the first */
    enum gs_privacy privacy; /* the stricter of the request's and the route's */
};

/* The first route for this request, or NULL: then nobody but local is meant. */
const struct gs_config_route *gs_choice_route(const struct gs_config_routes *routes,
                                              const struct gs_choice_question *q);
/* The route's targets (`route` may be NULL). Local is the last one where the route does not name
 * it. If all that may be asked are benched and local cannot: the one whose wait ends first. */
void gs_choice_make(const struct gs_config_routes *routes, const struct gs_config_route *route,
                    const struct gs_choice_question *q, gs_choice_facts_fn *facts, void *ud,
                    struct gs_choice *out);

#endif
