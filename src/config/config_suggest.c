/* What goes without saying: the facts of each kind of provider, and what the variables of the
 * vendors' own tools tell of whom the user has an account with. */
#include "config/config_suggest.h"

#include <string.h>

#include "base/slice.h"
#include "config/config_routes.h"

#define MAX_TARGETS 16

struct kind {
    const char *name;
    const char *url; /* where everybody finds it, or NULL */
    unsigned apis;
};

static const struct kind kinds[] = {
    [GS_PROVIDER_LOCAL] = {"local", NULL, 0},
    [GS_PROVIDER_ANTHROPIC] = {"anthropic", "https://api.anthropic.com", GS_PROVIDER_API_MESSAGES},
    [GS_PROVIDER_OPENAI] = {"openai", NULL, GS_PROVIDER_API_CHAT},
    [GS_PROVIDER_OLLAMA] = {"ollama", "http://127.0.0.1:11434", GS_PROVIDER_API_OLLAMA},
    [GS_PROVIDER_GENSET] = {"genset", NULL,
                            GS_PROVIDER_API_MESSAGES | GS_PROVIDER_API_CHAT |
                                GS_PROVIDER_API_RESPONSES | GS_PROVIDER_API_OLLAMA},
};

/* Companies that give out keys, with the variables their own tools read. */
struct vendor {
    const char *name;
    enum gs_provider_kind kind;
    const char *host, *url;
    unsigned apis; /* at its own host */
    const char *key_env, *url_env;
    const char *match;
};

static const struct vendor vendors[GS_CONFIG_SUGGESTED_MAX] = {
    {"anthropic", GS_PROVIDER_ANTHROPIC, "api.anthropic.com", "https://api.anthropic.com",
     GS_PROVIDER_API_MESSAGES, "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "claude-*"},
    {"openai", GS_PROVIDER_OPENAI, "api.openai.com", "https://api.openai.com/v1",
     GS_PROVIDER_API_CHAT | GS_PROVIDER_API_RESPONSES, "OPENAI_API_KEY", "OPENAI_BASE_URL",
     "gpt-*|chatgpt-*|codex-*|o1*|o3*|o4*"},
};

static const char *get_env(const struct gs_config_routes_source *source, const char *name)
{
    const char *value = source->env ? source->env(source->env_ud, name) : NULL;

    return value && value[0] ? value : NULL;
}

static const struct vendor *vendor_of_host(struct gs_slice host)
{
    for (size_t i = 0; i < GS_COUNT_OF(vendors); i++)
        if (gs_slice_eq_str(host, vendors[i].host))
            return &vendors[i];
    return NULL;
}

/* By its name, else by its host; else it is one of the many that speak as OpenAI does. */
static enum gs_provider_kind kind_of(const char *name, const struct vendor *v)
{
    for (size_t i = GS_PROVIDER_ANTHROPIC; i < GS_COUNT_OF(kinds); i++)
        if (strcmp(name, kinds[i].name) == 0)
            return (enum gs_provider_kind)i;
    return v ? v->kind : GS_PROVIDER_OPENAI;
}

/* Whether a proxy is, or may be, beyond this machine. */
static bool leads_away(const char *proxy)
{
    struct gs_config_url url;

    return proxy && *proxy &&
           !(gs_config_url_split(gs_slice_str(proxy), &url) &&
             gs_config_host_is_loopback(url.host));
}

void gs_config_provider_complete(struct gs_config_provider *p,
                                 const struct gs_config_routes_source *source)
{
    struct gs_config_url url;
    const struct vendor *v = NULL;

    if (p->url && gs_config_url_split(gs_slice_str(p->url), &url))
        v = vendor_of_host(url.host);
    if (p->kind == GS_PROVIDER_LOCAL)
        p->kind = kind_of(p->name, v);
    for (size_t i = 0; i < GS_COUNT_OF(vendors) && !p->url; i++)
        if (p->kind == vendors[i].kind && strcmp(p->name, vendors[i].name) == 0)
            p->url = vendors[i].url;
    if (!p->url)
        p->url = kinds[p->kind].url;
    if (p->url && gs_config_url_split(gs_slice_str(p->url), &url)) {
        p->is_loopback = gs_config_host_is_loopback(url.host) && !leads_away(p->proxy);
        p->is_near = gs_config_host_is_near(url.host);
        v = vendor_of_host(url.host);
    }
    if (!p->apis)
        p->apis = v && v->kind == p->kind ? v->apis : kinds[p->kind].apis;
    if (p->key_source != GS_KEY_UNSET)
        return;
    p->key_source = GS_KEY_NONE;
    if (!v)
        return;
    p->key_source = GS_KEY_CLIENT;
    if (gs_config_is_real_key(gs_slice_str(get_env(source, v->key_env)))) {
        p->key_source = GS_KEY_ENV;
        p->key = v->key_env;
    }
}

enum gs_privacy gs_config_trust(const struct gs_config_provider *p)
{
    switch (p->trust) {
    case GS_TRUST_UNSET:
        break;
    case GS_TRUST_ANY:
        return GS_PRIVACY_ANY;
    case GS_TRUST_REDACT:
        return GS_PRIVACY_REDACT;
    case GS_TRUST_LOCAL_ONLY:
        return GS_PRIVACY_LOCAL_ONLY;
    }
    return p->is_loopback ? GS_PRIVACY_LOCAL_ONLY : GS_PRIVACY_REDACT;
}

bool gs_config_url_is_ours(struct gs_slice text, const char *listen)
{
    struct gs_config_url url;
    char host[256];
    int port;
    struct gs_error err;

    return listen && gs_config_url_split(text, &url) &&
           gs_config_address_split(listen, host, sizeof(host), &port, &err) == GS_OK &&
           url.port == port &&
           (gs_config_host_is_loopback(url.host) || gs_slice_eq_str(url.host, host));
}

/* A URL of the environment; NULL for none, for one that is none, and for our own. */
static const char *url_of_env(const struct gs_config_routes_source *source, const char *name,
                              struct gs_arena *a)
{
    struct gs_slice text = gs_slice_str(get_env(source, name));
    struct gs_config_url url;

    while (text.len > 0 && text.ptr[text.len - 1] == '/')
        text.len--;
    if (!gs_config_url_split(text, &url) || gs_config_url_is_ours(text, source->listen) ||
        !gs_arena_dup(a, text, &text))
        return NULL;
    return text.ptr;
}

size_t gs_config_suggest_providers(const struct gs_config_routes_source *source, struct gs_arena *a,
                                   struct gs_config_provider *out)
{
    size_t n = 0;

    for (size_t i = 0; i < GS_COUNT_OF(vendors); i++) {
        struct gs_config_provider *p = &out[n];
        const char *url = url_of_env(source, vendors[i].url_env, a);
        *p = (struct gs_config_provider){.name = vendors[i].name,
                                         .kind = vendors[i].kind,
                                         .url = url ? url : vendors[i].url,
                                         .key_source = GS_KEY_UNSET};
        if (url && get_env(source, vendors[i].key_env)) { /* that is the key of this URL */
            p->key_source = GS_KEY_ENV;
            p->key = vendors[i].key_env;
        }
        gs_config_provider_complete(p, source);
        n += !source->is_hermit || p->is_loopback;
    }
    return n;
}

/* Is it the vendor, or what the environment says to ask in its place? */
static bool stands_for(const struct gs_config_provider *p, const struct vendor *v)
{
    struct gs_config_url url;

    if (p->kind != v->kind)
        return false;
    return v->kind == GS_PROVIDER_ANTHROPIC || strcmp(p->name, v->name) == 0 ||
           (p->url && gs_config_url_split(gs_slice_str(p->url), &url) &&
            gs_slice_eq_str(url.host, v->host));
}

size_t gs_config_suggest_routes(const struct gs_config_provider *providers, size_t n_providers,
                                struct gs_arena *a, struct gs_config_route *out)
{
    size_t n = 0;

    for (size_t i = 0; i < GS_COUNT_OF(vendors); i++) {
        struct gs_config_target *targets = gs_arena_array(a, MAX_TARGETS, sizeof(*targets));
        size_t n_targets = 0;
        for (size_t p = 1; p < n_providers && targets && n_targets + 1 < MAX_TARGETS; p++)
            if (stands_for(&providers[p], &vendors[i]))
                targets[n_targets++] = (struct gs_config_target){.provider = p};
        if (n_targets == 0)
            continue;
        targets[n_targets++] = (struct gs_config_target){.provider = 0};
        out[n++] = (struct gs_config_route){
            .match = vendors[i].match, .targets = targets, .n_targets = n_targets};
    }
    return n;
}

size_t gs_config_suggest_default(struct gs_arena *a, struct gs_config_route *routes, size_t n)
{
    const struct gs_config_route *last = n > 0 ? &routes[n - 1] : NULL;
    const bool is_there = last && strcmp(last->match, "*") == 0 && !gs_config_is_conditional(last);
    struct gs_config_target *targets = is_there ? NULL : gs_arena_array(a, 1, sizeof(*targets));

    if (!targets)
        return 0;
    routes[n] = (struct gs_config_route){.match = "*", .targets = targets, .n_targets = 1};
    return 1;
}
