/* What the configuration does not say: what a provider is by its kind, who can be asked and for
 * what, as the environment suggests. */
#ifndef GS_CONFIG_CONFIG_SUGGEST_H
#define GS_CONFIG_CONFIG_SUGGEST_H

#include "config/routes.h"

#define GS_CONFIG_SUGGESTED_MAX 2 /* providers, and routes, at most */

/* A provider whose key was not said. */
#define GS_KEY_UNSET ((enum gs_key_source)(GS_KEY_COMMAND + 1))

/* Fill in what was left open: kind (LOCAL: not said), URL (NULL if its kind has none), APIs, key,
 * is_loopback, is_near. */
void gs_config_provider_complete(struct gs_config_provider *p,
                                 const struct gs_config_routes_source *source);
/* Does a URL lead to the address this program listens at? Requests would go round for ever. */
bool gs_config_url_is_ours(struct gs_slice url, const char *listen);
/* How many were written to `out`. */
size_t gs_config_suggest_providers(const struct gs_config_routes_source *source, struct gs_arena *a,
                                   struct gs_config_provider *out);
/* How many were written to `out`; without memory it is fewer. */
size_t gs_config_suggest_routes(const struct gs_config_provider *providers, size_t n_providers,
                                struct gs_arena *a, struct gs_config_route *out);
/* Write "*" to local after the n routes there are, unless they end so: 0 or 1. */
size_t gs_config_suggest_default(struct gs_arena *a, struct gs_config_route *routes, size_t n);

#endif
