/* What clients may ask other computers for by name. A pattern names nothing, but a route that is
 * for one name alone does; and a model that a target names is offered as PROVIDER/MODEL, if that is
 * whom a request for this name would go to first. */
#include <string.h>

#include "base/slice.h"
#include "route/choice.h"
#include "switch/switch_call.h"

struct offers {
    const struct gs_config_routes *routes;
    struct gs_switch_offer *items;
    size_t n, cap;
};

static bool is_askable(const struct gs_config_provider *p)
{
    return p->kind != GS_PROVIDER_LOCAL &&
           (p->key_source == GS_KEY_NONE || p->key_source == GS_KEY_CLIENT || p->secret);
}

static void add(struct offers *o, struct gs_slice name, const struct gs_config_target *to)
{
    const struct gs_choice_question q = {.model = name};
    const struct gs_config_provider *p = &o->routes->providers[to->provider];
    const struct gs_config_route *route = gs_choice_route(o->routes, &q);

    if (!is_askable(p) || name.len == 0 || o->n == o->cap || !route || route->n_targets == 0 ||
        route->targets[0].provider != to->provider || !route->targets[0].model != !to->model ||
        (to->model && strcmp(route->targets[0].model, to->model) != 0))
        return;
    for (size_t i = 0; i < o->n; i++)
        if (gs_slice_eq(o->items[i].name, name))
            return;
    o->items[o->n++] = (struct gs_switch_offer){
        .name = name,
        .provider = p->name,
        .model = to->model ? gs_slice_str(to->model) : name,
        .url = p->url,
    };
}

/* The patterns of a route that are names. */
static void add_names(struct offers *o, const struct gs_config_route *route)
{
    const struct gs_slice match = gs_slice_str(route->match);

    for (size_t at = 0; route->n_targets > 0 && at < match.len;) {
        const size_t end = GS_MIN(gs_slice_find(match, GS_SLICE_LIT("|"), at), match.len);
        const struct gs_slice name = gs_slice_sub(match, at, end);
        if (gs_slice_find(name, GS_SLICE_LIT("*"), 0) == SIZE_MAX)
            add(o, name, &route->targets[0]);
        at = end + 1;
    }
}

size_t gs_switch_offers(const struct gs_switch *sw, struct gs_arena *a,
                        const struct gs_switch_offer **out_offers)
{
    struct offers o = {.routes = sw->generation->routes, .cap = GS_SWITCH_MAX_OFFERS};

    o.items = gs_arena_array(a, o.cap, sizeof(*o.items));
    for (size_t i = 0; o.items && i < o.routes->n_routes; i++)
        add_names(&o, &o.routes->routes[i]);
    for (size_t i = 0; o.items && i < o.routes->n_routes; i++) {
        const struct gs_config_route *route = &o.routes->routes[i];
        for (size_t k = 0; k < route->n_targets; k++) {
            const struct gs_config_target *t = &route->targets[k];
            if (t->model)
                add(&o,
                    gs_arena_printf(a, "%s/%s", o.routes->providers[t->provider].name, t->model),
                    t);
        }
    }
    *out_offers = o.items;
    return o.n;
}
