/* A request as another computer gets it. Where that speaks the client's own API it gets the
 * client's own bytes, so that what it keeps of them for later fits the next request too; else its
 * own API's spelling of the chat. Credentials go to whom they are for and nowhere else. */
#include "switch/request.h"

#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/slice.h"
#include "dialect/client.h"
#include "switch/guard.h"
#include "json/json.h"

#define DEFAULT_MAX_TOKENS 32000 /* where the API wants a number and the client gave none */

static const struct {
    unsigned api;
    const struct gs_dialect_client *client;
} clients[] = {
    {GS_PROVIDER_API_MESSAGES, &gs_dialect_client_anthropic},
    {GS_PROVIDER_API_CHAT, &gs_dialect_client_openai_chat},
    {GS_PROVIDER_API_RESPONSES, &gs_dialect_client_openai_responses},
    {GS_PROVIDER_API_OLLAMA, &gs_dialect_client_ollama},
};

/* ---- which API ---- */

/* APIs by the paths under which their whole answers go through unread. */
static unsigned api_of_path(struct gs_slice path)
{
    static const struct {
        const char *path;
        unsigned api;
    } paths[] = {
        {"/v1/messages/count_tokens", GS_PROVIDER_API_MESSAGES},
        {"/v1/embeddings", GS_PROVIDER_API_CHAT},
        {"/v1/completions", GS_PROVIDER_API_CHAT},
        {"/v1/responses/input_tokens", GS_PROVIDER_API_RESPONSES},
        {"/api/embed", GS_PROVIDER_API_OLLAMA},
    };

    for (size_t i = 0; i < GS_COUNT_OF(paths); i++)
        if (gs_slice_eq_str(path, paths[i].path))
            return paths[i].api;
    return 0;
}

/* "/chat/completions" of "/v1/chat/completions": URLs of providers bring the version. */
static struct gs_slice without_version(struct gs_slice path)
{
    return gs_slice_starts(path, GS_SLICE_LIT("/v1/")) ? gs_slice_sub(path, 3, path.len) : path;
}

static bool is_path_of(const struct gs_dialect_client *client, struct gs_slice path)
{
    return gs_slice_eq(without_version(path), without_version(gs_slice_str(client->path)));
}

static bool gets_all(const struct gs_config_provider *p)
{
    return gs_config_trust(p) == GS_PRIVACY_LOCAL_ONLY;
}

/* Whether the client's own bytes may say all that is asked. */
static bool is_self_contained(const struct gs_config_provider *p, const struct gs_switch_ask *ask)
{
    return gets_all(p) || ask->privacy == GS_PRIVACY_ANY || !ask->ctx->builds_on_kept;
}

static bool find_way(const struct gs_config_provider *p, const struct gs_switch_ask *ask,
                     bool continues, struct gs_switch_way *out)
{
    const unsigned plain = api_of_path(ask->path);
    const bool warms_up = ask->chat && ask->chat->prefill_only;
    const struct gs_dialect_client *first = NULL;

    *out = (struct gs_switch_way){.is_whole = !ask->ctx->stream};
    if (ask->ctx->errand)
        return false;
    if (plain & p->apis) {
        out->is_raw = true;
        return out->is_whole && !continues;
    }
    for (size_t i = 0; i < GS_COUNT_OF(clients); i++) {
        if (!(p->apis & clients[i].api))
            continue;
        first = first ? first : clients[i].client;
        if (clients[i].client->server != ask->dialect || !is_self_contained(p, ask) ||
            !is_path_of(clients[i].client, ask->path))
            continue;
        out->client = warms_up ? NULL : clients[i].client; /* its answer may well be empty */
        out->is_raw = !continues;
        out->is_own = continues;
        out->is_whole = out->is_whole || warms_up;
        return true;
    }
    out->client = first;
    out->is_whole = false;
    return first && ask->chat && !warms_up && !ask->ctx->texts && !ask->ctx->is_count;
}

bool gs_switch_request_way(const struct gs_config_provider *p, const struct gs_switch_ask *ask,
                           bool continues, struct gs_switch_way *out)
{
    return find_way(p, ask, continues, out) && gs_switch_guard_way(p, ask, out);
}

/* ---- credentials ---- */

static struct gs_slice field(const struct gs_switch_ask *ask, const char *name)
{
    return ask->head ? gs_http_head_get(ask->head, name) : (struct gs_slice){NULL, 0};
}

static struct gs_slice client_key(const struct gs_switch_ask *ask)
{
    const struct gs_slice key = field(ask, "x-api-key");

    return key.len ? key : field(ask, "authorization");
}

struct gs_slice gs_switch_request_key(const struct gs_config_provider *p,
                                      const struct gs_switch_ask *ask)
{
    struct gs_switch_way way;

    if (p->key_source != GS_KEY_CLIENT)
        return gs_slice_str(p->secret);
    if (ask->is_key_ours || !gs_switch_request_way(p, ask, false, &way) || !way.is_raw)
        return (struct gs_slice){NULL, 0};
    const struct gs_slice key = client_key(ask);
    return gs_config_takes_client_key(p, key) ? key : (struct gs_slice){NULL, 0};
}

/* ---- head ---- */

/* Of one connection, of this program, or a secret. */
static bool stays_here(struct gs_slice name)
{
    static const char *const names[] = {
        "host",
        "connection",
        "keep-alive",
        "content-length",
        "transfer-encoding",
        "te",
        "trailer",
        "upgrade",
        "expect",
        "accept-encoding",
        "authorization",
        "x-api-key",
        "api-key",
        "x-goog-api-key",
        "cookie",
        "origin",
        "referer",
        "content-encoding",
        "forwarded",
        "x-real-ip",
        "via",
    };
    static const char *const prefixes[] = {"proxy-", "sec-", "access-control-", "x-genset-",
                                           "x-forwarded-"};

    for (size_t i = 0; i < GS_COUNT_OF(names); i++)
        if (gs_http_name_eq(name, names[i]))
            return true;
    for (size_t i = 0; i < GS_COUNT_OF(prefixes); i++)
        if (gs_http_name_eq(gs_slice_sub(name, 0, GS_MIN(name.len, strlen(prefixes[i]))),
                            prefixes[i]))
            return true;
    return false;
}

struct head_lines {
    struct gs_upstream_header *items;
    size_t n, cap;
};

static void add(struct head_lines *h, struct gs_slice name, struct gs_slice value)
{
    if (h->n < h->cap)
        h->items[h->n++] = (struct gs_upstream_header){name, value};
}

/* As the client sent it, so that what it is (an API key, a login) is told in its own way. */
static void add_client_key(struct head_lines *h, const struct gs_switch_ask *ask)
{
    const struct gs_slice auth = field(ask, "authorization");
    const struct gs_slice key = field(ask, "x-api-key");

    if (auth.len)
        add(h, GS_SLICE_LIT("authorization"), auth);
    if (key.len)
        add(h, GS_SLICE_LIT("x-api-key"), key);
}

static bool add_own_key(struct head_lines *h, const struct gs_config_provider *p,
                        struct gs_arena *a)
{
    const struct gs_slice secret = gs_slice_str(p->secret);
    const bool is_login = gs_slice_starts(secret, GS_SLICE_LIT("sk-ant-oat"));

    if (!secret.len)
        return true;
    if (p->kind == GS_PROVIDER_ANTHROPIC && !is_login) {
        add(h, GS_SLICE_LIT("x-api-key"), secret);
        return true;
    }
    const struct gs_slice value = gs_arena_printf(a, "Bearer %s", p->secret);
    add(h, GS_SLICE_LIT("authorization"), value);
    return value.ptr != NULL;
}

static void add_own_words(struct head_lines *h, const struct gs_config_provider *p)
{
    add(h, GS_SLICE_LIT("content-type"), GS_SLICE_LIT("application/json"));
    if (p->apis & GS_PROVIDER_API_MESSAGES)
        add(h, GS_SLICE_LIT("anthropic-version"), GS_SLICE_LIT("2023-06-01"));
}

/* The client's own request, or most of it. */
static bool is_as_it_came(const struct gs_switch_way *way)
{
    return way->is_raw || way->is_own;
}

static bool is_withheld(const struct gs_config_provider *p, const struct gs_switch_ask *ask,
                        size_t field)
{
    return !gets_all(p) && ask->withheld.fields[field / 64] >> field % 64 & 1;
}

static bool make_head(const struct gs_config_provider *p, const struct gs_switch_ask *ask,
                      const struct gs_switch_way *way, struct gs_arena *a,
                      struct gs_upstream_request *out)
{
    const size_t n_fields = ask->head ? ask->head->n_fields : 0;
    struct head_lines h = {.cap = n_fields + 8};

    h.items = gs_arena_array(a, h.cap, sizeof(*h.items));
    if (!h.items)
        return false;
    for (size_t i = 0; is_as_it_came(way) && i < n_fields; i++)
        if (!stays_here(ask->head->fields[i].name) && !is_withheld(p, ask, i) &&
            !(way->is_own && gs_http_name_eq(ask->head->fields[i].name, "idempotency-key")))
            add(&h, ask->head->fields[i].name, ask->head->fields[i].value);
    if (!is_as_it_came(way))
        add_own_words(&h, p);
    if (p->kind == GS_PROVIDER_GENSET && ask->privacy != GS_PRIVACY_ANY) /* what it may pass on */
        add(&h, GS_SLICE_LIT("x-genset-privacy"),
            gs_slice_str(gs_switch_privacy_word(ask->privacy)));
    if (p->kind == GS_PROVIDER_GENSET && ask->ends_on_break)
        add(&h, GS_SLICE_LIT("x-genset-on-break"), GS_SLICE_LIT("error"));
    if (p->key_source == GS_KEY_CLIENT)
        add_client_key(&h, ask);
    else if (!add_own_key(&h, p, a))
        return false;
    out->headers = h.items;
    out->n_headers = h.n;
    return true;
}

/* ---- body ---- */

/* The client's bytes with another name of the model. */
static bool rename_model(struct gs_slice body, const char *model, struct gs_buf *b)
{
    struct gs_slice old;

    if (!gs_json_find_member(body, "model", &old))
        return false;
    const size_t begin = (size_t)(old.ptr - body.ptr);
    gs_buf_slice(b, gs_slice_sub(body, 0, begin));
    gs_json_write_string(b, gs_slice_str(model));
    gs_buf_slice(b, gs_slice_sub(body, begin + old.len, body.len));
    return true;
}

/* OpenAI's own service, and others as strict, refuse members that they do not know; what is run at
 * home knows more, or passes it over. */
static bool is_strict(const struct gs_config_provider *p)
{
    static const char *const hosts[] = {"//api.openai.com",  ".openai.azure.com",
                                        "//api.groq.com",    "//api.mistral.ai",
                                        "//api.cerebras.ai", "//generativelanguage.googleapis.com"};

    for (size_t i = 0; i < GS_COUNT_OF(hosts); i++)
        if (gs_slice_find(gs_slice_str(p->url), gs_slice_str(hosts[i]), 0) != SIZE_MAX)
            return true;
    return false;
}

static bool is_google(const struct gs_config_provider *p)
{
    static const char *const hosts[] = {"//generativelanguage.googleapis.com",
                                        "aiplatform.googleapis.com"};

    for (size_t i = 0; i < GS_COUNT_OF(hosts); i++)
        if (gs_slice_find(gs_slice_str(p->url), gs_slice_str(hosts[i]), 0) != SIZE_MAX)
            return true;
    return false;
}

/* The client's bytes, but for what others signed, the model's name, and turns behind them. */
static enum gs_status make_raw(const struct gs_config_target *to, const struct gs_switch_ask *ask,
                               const struct gs_switch_way *way, const struct gs_dialect_to *whom,
                               struct gs_buf *b, struct gs_error *err)
{
    const bool is_renamed = to->model && !gs_slice_eq_str(ask->model, to->model);
    enum gs_status st = GS_OK;
    struct gs_buf kept;

    gs_buf_init(&kept, GS_MAX_REQUEST_BYTES);
    if (!ask->chat || !gs_dialect_may_pass(ask->chat, whom))
        st = gs_dialect_mend_signed(ask->body, whom, &kept, err);
    if (st == GS_OK && way->turns &&
        !gs_dialect_add_turns(way->client, kept.len ? gs_buf_view(&kept) : ask->body, whom,
                              way->turns, b))
        st = gs_error_set(err, GS_EUNSUPPORTED, "the request has no place for more turns");
    else if (st == GS_OK && !way->turns && is_renamed &&
             !rename_model(kept.len ? gs_buf_view(&kept) : ask->body, to->model, b))
        st = gs_error_set(err, GS_EINVAL, "the request names no model");
    else if (st == GS_OK && !way->turns && !is_renamed)
        gs_buf_slice(b, gs_buf_view(&kept));
    gs_buf_clear(&kept);
    return st;
}

static enum gs_status make_body(const struct gs_config_target *to,
                                const struct gs_config_provider *p, const struct gs_switch_ask *ask,
                                const struct gs_chat *chat, const struct gs_switch_way *way,
                                const struct gs_switch_readable *readable, struct gs_buf *b,
                                struct gs_error *err)
{
    const bool takes_all = !is_strict(p);
    const struct gs_dialect_to whom = {
        .model = to->model ? gs_slice_str(to->model) : ask->model,
        .is_theirs = readable->is_theirs,
        .ud = readable->ud,
        .stream = true,
        .takes_extensions = takes_all,
        .says_continue = takes_all,
        .wants_signed_calls = is_google(p),
        .default_max_tokens = DEFAULT_MAX_TOKENS,
    };

    return is_as_it_came(way) ? make_raw(to, ask, way, &whom, b, err)
                              : way->client->write_request(chat, &whom, b, err);
}

/* ---- together ---- */

static bool ends_in_version(struct gs_slice url)
{
    const size_t slash = url.len > 3 ? url.len - 3 : 0;

    return gs_slice_eq_str(gs_slice_sub(url, slash, url.len), "/v1");
}

/* "https://host/v1" and "/v1/messages" make one URL, with one version in it; an OpenAI-like
 * provider's URL has its own idea of one ("/v1beta/openai"). */
static const char *make_url(const struct gs_config_provider *p, const struct gs_switch_ask *ask,
                            const struct gs_switch_way *way, struct gs_arena *a)
{
    const struct gs_slice path = is_as_it_came(way) ? ask->path : gs_slice_str(way->client->path);
    const bool has_version = p->kind == GS_PROVIDER_OPENAI || ends_in_version(gs_slice_str(p->url));
    struct gs_slice tail = path;

    if (has_version)
        tail = without_version(path);
    else if (!gs_slice_starts(path, GS_SLICE_LIT("/v1/")) &&
             !gs_slice_starts(path, GS_SLICE_LIT("/api/")))
        return gs_arena_printf(a, "%s/v1%.*s", p->url, (int)path.len, path.ptr).ptr;
    const bool has_query =
        is_as_it_came(way) && ask->query.len > 0 && (gets_all(p) || !ask->withheld.query);
    return gs_arena_printf(a, "%s%.*s%s%.*s", p->url, (int)tail.len, tail.ptr, has_query ? "?" : "",
                           has_query ? (int)ask->query.len : 0, has_query ? ask->query.ptr : "")
        .ptr;
}

enum gs_status gs_switch_request_make(const struct gs_config_target *to,
                                      const struct gs_config_provider *p,
                                      const struct gs_switch_ask *ask, const struct gs_chat *chat,
                                      const struct gs_switch_way *way,
                                      const struct gs_switch_readable *readable, struct gs_arena *a,
                                      struct gs_buf *body, struct gs_upstream_request *out,
                                      struct gs_error *err)
{
    const enum gs_status st = make_body(to, p, ask, chat, way, readable, body, err);

    if (st != GS_OK)
        return st;
    *out = (struct gs_upstream_request){
        .method = "POST",
        .url = make_url(p, ask, way, a),
        .body = body->len ? gs_buf_view(body) : ask->body,
        .proxy = p->proxy,
        .ca_file = p->ca_file,
    };
    if (!gs_buf_ok(body) || !out->url || !make_head(p, ask, way, a, out))
        return gs_error_nomem(err, "ask an upstream");
    return GS_OK;
}
