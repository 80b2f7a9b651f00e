/* What the configuration says of other computers: providers, routes to them, what they may cost and
 * what must not leave the machine. docs/routes.md is the user's side of it, routes.def has every
 * key. One generation lives in one arena and is replaced whole.
 *
 *     providers:
 *       anthropic: {kind: anthropic, url: https://api.anthropic.com, key: client}
 *       garage:    {kind: openai, url: http://10.0.0.7:8000/v1, key: env:GARAGE_KEY}
 *     routes:
 *       - match: claude-*
 *         targets: [anthropic, garage/qwen3.5-27b, local/qwen3.5-4b]
 *         policy: order
 *         on_break: continue
 *         deadlines: {connect: 3s, headers: 10s, first_token: 10s, stall: 10s}
 *         when: {images: false, prompt_under: 100000}
 *         privacy: any
 *     budgets:
 *       anthropic: {day: 5 USD, month: 60 USD}
 *     keys:                         # of clients, by their names in api_key_file
 *       anna: {budget: {day: 2 USD}, on_break: error}
 *     prices:                       # USD per million tokens
 *       anthropic/claude-opus-*: {in: 5, cached: 0.5, cache_write: 6.25, out: 25}
 *     privacy:
 *       - {find: private-key, class: local-only}
 *       - {find: email, class: redact}
 *       - {path: "**" "/.env", class: local-only}
 */
#ifndef GS_CONFIG_ROUTES_H
#define GS_CONFIG_ROUTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/compiler.h"
#include "genset/slice.h"
#include "genset/status.h"

enum gs_provider_kind {
    GS_PROVIDER_LOCAL, /* this machine's engine: always there, index 0, named "local" */
    GS_PROVIDER_ANTHROPIC,
    GS_PROVIDER_OPENAI,
    GS_PROVIDER_OLLAMA,
    GS_PROVIDER_GENSET,
};

/* APIs a provider speaks, as bits; the lowest one set is used where the client speaks another. */
enum gs_provider_api {
    GS_PROVIDER_API_MESSAGES = 1 << 0,
    GS_PROVIDER_API_CHAT = 1 << 1,
    GS_PROVIDER_API_RESPONSES = 1 << 2,
    GS_PROVIDER_API_OLLAMA = 1 << 3,
};

enum gs_key_source {
    GS_KEY_NONE,    /* none is sent, and the client's is not either */
    GS_KEY_CLIENT,  /* the one the client came with */
    GS_KEY_ENV,     /* env:NAME */
    GS_KEY_FILE,    /* file:PATH, its first line */
    GS_KEY_COMMAND, /* command:WORDS, the first line it prints */
};

enum gs_trust { GS_TRUST_UNSET, GS_TRUST_ANY, GS_TRUST_REDACT, GS_TRUST_LOCAL_ONLY };

struct gs_config_deadlines { /* milliseconds; 0 = the default, negative = none */
    int64_t connect_ms, headers_ms, first_token_ms, stall_ms, total_ms;
};

struct gs_config_provider {
    const char *name;
    enum gs_provider_kind kind;
    const char *url; /* without a '/' at the end */
    unsigned apis;   /* enum gs_provider_api */
    enum gs_key_source key_source;
    const char *key;             /* what follows env:, file:, command: */
    const char *secret;          /* the key itself, of gs_config_load_keys(); NULL: none */
    const char *proxy, *ca_file; /* as of upstream.h */
    enum gs_trust trust;         /* as it was said: ask gs_config_trust() */
    struct gs_config_deadlines deadlines;
    bool is_loopback; /* its URL is of this machine: nothing leaves by it */
    bool is_near;     /* of this machine or the local network: it needs no internet */
    int line;         /* in the file, for messages; 0: not from the file */
};

enum gs_policy {
    GS_POLICY_ORDER,
    GS_POLICY_LOCAL_FIRST,
    GS_POLICY_CLOUD_FIRST,
    GS_POLICY_LOCAL_ONLY,
    GS_POLICY_CHEAPEST,
    GS_POLICY_FASTEST,
    GS_POLICY_HEDGE,
};

enum gs_on_break { GS_ON_BREAK_UNSET, GS_ON_BREAK_CONTINUE, GS_ON_BREAK_ERROR };

/* Rising strictness. */
enum gs_privacy { GS_PRIVACY_ANY, GS_PRIVACY_REDACT, GS_PRIVACY_LOCAL_ONLY };

/* The strictest class of requests that a provider may get; LOCAL_ONLY: all of them, as they came.
 */
enum gs_privacy gs_config_trust(const struct gs_config_provider *p);

struct gs_config_target {
    size_t provider;   /* index */
    const char *model; /* as it is called there; NULL: the name the client gave */
};

enum gs_condition { GS_CONDITION_NONE, GS_CONDITION_NO, GS_CONDITION_YES };

struct gs_config_route {
    const char *match; /* as of gs_config_match(); "*" the default route */
    const struct gs_config_target *targets;
    size_t n_targets;
    enum gs_policy policy;
    enum gs_on_break on_break;
    enum gs_privacy privacy;
    struct gs_config_deadlines deadlines;
    int64_t attempts;    /* of one request at most; 0 = the default */
    int64_t patience_ms; /* until the first token, all attempts together; 0 = the default */
    int64_t hedge_ms;    /* policy hedge: the next starts beside it after so long; 0 = p95 */
    int64_t prompt_over, prompt_under; /* tokens, estimated; 0 = any: when the route applies */
    enum gs_condition images, tools;
    enum gs_condition battery, hot; /* of this machine, at the moment */
    int line;                       /* in the file, for messages */
};

struct gs_config_budget {
    size_t provider;                    /* index; SIZE_MAX: all together */
    int64_t day_nanousd, month_nanousd; /* 0 = no limit */
    int line;
};

/* One of the keys that clients come with. */
struct gs_config_client_key {
    const char *name;               /* gs_config_is_name() */
    struct gs_config_budget budget; /* of all providers together */
    enum gs_on_break on_break;      /* where a route does not say */
    int line;
};

struct gs_config_price {
    const char *match; /* "provider/model", as of gs_config_match(); the first that fits counts */
    int64_t in_nanousd, cached_nanousd, cache_write_nanousd, out_nanousd; /* for one token */
};

enum gs_detector {
    GS_DETECT_NONE, /* the rule is of a path */
    GS_DETECT_PRIVATE_KEY,
    GS_DETECT_API_KEY,
    GS_DETECT_TOKEN,
    GS_DETECT_PASSWORD,
    GS_DETECT_EMAIL,
    GS_DETECT_CARD,
    GS_DETECT_IBAN,
    GS_DETECT_PHONE,
    GS_DETECT_IP,
};

struct gs_config_secret_rule {
    enum gs_detector find;
    const char *path; /* pattern of a file's path in a tool call, or NULL: * within a name, **
                         across folders */
    enum gs_privacy privacy;
};

struct gs_config_routes {
    const struct gs_config_provider *providers; /* [0] is local */
    size_t n_providers;
    const struct gs_config_route *routes; /* in their order; the last one is "*" */
    size_t n_routes;
    const struct gs_config_budget *budgets;
    size_t n_budgets;
    const struct gs_config_client_key *keys;
    size_t n_keys;
    const struct gs_config_price *prices;
    size_t n_prices;
    const struct gs_config_secret_rule *rules;
    size_t n_rules;
};

/* What the sections are read from. */
struct gs_config_routes_source {
    const char *name; /* of the file, for errors */
    struct gs_slice text;
    const char *home; /* what ~ stands for, or NULL */
    const char *(*env)(void *ud, const char *name);
    void *env_ud;
    const char *listen; /* our own address, which is nobody's upstream; or NULL */
    bool is_hermit;     /* only providers of this machine */
};

/* Read these sections of a configuration file; what is elsewhere in it is not looked at.
 *
 * Where the file has no providers there are those that the environment suggests: "anthropic" and
 * "openai", with the key of ANTHROPIC_API_KEY and OPENAI_API_KEY or else the client's own, at
 * ANTHROPIC_BASE_URL and OPENAI_BASE_URL or else where they are. Where it has no routes: claude-*
 * to the anthropic ones, gpt-*, o1*... to the openai one. The last route is always "*", to local.
 * Everything lives in the arena. All errors go to `report`. errors: GS_ECONFIG, GS_ENOMEM. */
GS_MUST_CHECK enum gs_status gs_config_read_routes(const struct gs_config_routes_source *source,
                                                   struct gs_arena *a,
                                                   struct gs_config_routes *out_routes,
                                                   struct gs_buf *report);

/* Fetch the keys of providers that have their own (env:, file:, command:), in `a`; blocking. One
 * that is not there is a line in `report` and stays NULL. errors: GS_ENOMEM. */
GS_MUST_CHECK enum gs_status gs_config_load_keys(struct gs_config_routes *routes,
                                                 const char *(*env)(void *ud, const char *name),
                                                 void *env_ud, struct gs_arena *a,
                                                 struct gs_buf *report);

/* What every provider and route does, in words and as a table. */
void gs_config_write_routes(const struct gs_config_routes *routes, struct gs_buf *b);
/* What may be meant otherwise, as "NAME:LINE: warning: ...", one a line; without asking anybody. */
void gs_config_write_doubts(const struct gs_config_routes *routes, const char *name,
                            const char *(*env)(void *ud, const char *name), void *env_ud,
                            struct gs_buf *b);

/* Letters, digits, '.', '_' and '-', 64 at most: what providers and keys may be called. */
bool gs_config_is_name(struct gs_slice text);
/* NULL: nothing is said of a key of this name. */
const struct gs_config_client_key *gs_config_find_key(const struct gs_config_routes *routes,
                                                      struct gs_slice name);

/* Does a pattern fit a name? '*' stands for any run of characters, '|' parts patterns of which one
 * has to fit, case does not matter. */
bool gs_config_match(const char *pattern, struct gs_slice name);

/* Is the value of a client's x-api-key or Authorization header a key that somebody gave out, and
 * not a word to fill the place ("ollama", "none", "sk-no-key-required")? */
bool gs_config_is_real_key(struct gs_slice credential);
/* May the client's own credential go to this provider (key: client)? Only a real key, and to the
 * hosts of Anthropic and OpenAI only one of theirs. */
bool gs_config_takes_client_key(const struct gs_config_provider *p, struct gs_slice credential);

#endif
