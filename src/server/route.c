/* The table of what is served, and the order in which a request is looked at: who asks, what for,
 * how, in which form. Every refusal is worded by the dialect of the path. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/slice.h"
#include "server/state.h"
#include "json/json.h"

/* What clients of Ollama compare with the version they need; not ours. */
#define OLLAMA_VERSION "0.13.4" /* Codex asks for this one at least */
#define HELLO          "genset is running (to those who ask for it: Ollama is running)\n"

#define MAX_PATH_BYTES 1024

enum action {
    ACTION_CHAT,
    ACTION_MODELS,
    ACTION_MODEL,
    ACTION_RESPONSE,
    ACTION_VERSION,
    ACTION_STATUS,
    ACTION_ME,
    ACTION_SIGNOUT,
    ACTION_ADMIN,
    ACTION_HEALTH,
    ACTION_SLOTS,
    ACTION_METRICS,
    ACTION_HELLO,
    ACTION_NOTHING, /* telemetry: taken and dropped */
};

struct route {
    const char *path;           /* one that ends in '/' has any tail, but "/" itself */
    enum gs_http_method method; /* GET answers HEAD too */
    enum action action;
    const struct gs_dialect *dialect;
};

static const struct route routes[] = {
    {"/", GS_HTTP_GET, ACTION_HELLO, &gs_dialect_ollama},
    {"/v1/messages", GS_HTTP_POST, ACTION_CHAT, &gs_dialect_anthropic},
    {"/v1/messages/count_tokens", GS_HTTP_POST, ACTION_CHAT, &gs_dialect_anthropic},
    {"/v1/chat/completions", GS_HTTP_POST, ACTION_CHAT, &gs_dialect_openai_chat},
    {"/v1/completions", GS_HTTP_POST, ACTION_CHAT, &gs_dialect_openai_completions},
    {"/v1/responses", GS_HTTP_POST, ACTION_CHAT, &gs_dialect_openai_responses},
    {"/v1/responses/input_tokens", GS_HTTP_POST, ACTION_CHAT, &gs_dialect_openai_responses},
    {"/v1/responses/", GS_HTTP_GET, ACTION_RESPONSE, &gs_dialect_openai_responses},
    {"/v1/responses/", GS_HTTP_DELETE, ACTION_RESPONSE, &gs_dialect_openai_responses},
    {"/v1/responses/", GS_HTTP_POST, ACTION_RESPONSE, &gs_dialect_openai_responses},
    {"/v1/embeddings", GS_HTTP_POST, ACTION_CHAT, &gs_dialect_openai_embed},
    {"/v1/rerank", GS_HTTP_POST, ACTION_CHAT, &gs_dialect_rerank},
    {"/rerank", GS_HTTP_POST, ACTION_CHAT, &gs_dialect_rerank},
    {"/v1/models", GS_HTTP_GET, ACTION_MODELS, NULL},
    {"/v1/models/", GS_HTTP_GET, ACTION_MODEL, NULL},
    {"/api/chat", GS_HTTP_POST, ACTION_CHAT, &gs_dialect_ollama},
    {"/api/generate", GS_HTTP_POST, ACTION_CHAT, &gs_dialect_ollama},
    {"/api/embed", GS_HTTP_POST, ACTION_CHAT, &gs_dialect_ollama_embed},
    {"/api/embeddings", GS_HTTP_POST, ACTION_CHAT, &gs_dialect_ollama_embed},
    {"/api/tags", GS_HTTP_GET, ACTION_CHAT, &gs_dialect_ollama_models},
    {"/api/ps", GS_HTTP_GET, ACTION_CHAT, &gs_dialect_ollama_models},
    {"/api/show", GS_HTTP_POST, ACTION_CHAT, &gs_dialect_ollama_models},
    {"/api/pull", GS_HTTP_POST, ACTION_CHAT, &gs_dialect_ollama_models},
    {"/api/push", GS_HTTP_POST, ACTION_CHAT, &gs_dialect_ollama_models},
    {"/api/create", GS_HTTP_POST, ACTION_CHAT, &gs_dialect_ollama_models},
    {"/api/copy", GS_HTTP_POST, ACTION_CHAT, &gs_dialect_ollama_models},
    {"/api/delete", GS_HTTP_DELETE, ACTION_CHAT, &gs_dialect_ollama_models},
    {"/api/blobs/", GS_HTTP_HEAD, ACTION_CHAT, &gs_dialect_ollama_models},
    {"/api/blobs/", GS_HTTP_POST, ACTION_CHAT, &gs_dialect_ollama_blob},
    {"/api/version", GS_HTTP_GET, ACTION_VERSION, &gs_dialect_ollama},
    {"/api/status", GS_HTTP_GET, ACTION_STATUS, &gs_dialect_ollama},
    {"/api/genset/", GS_HTTP_GET, ACTION_ADMIN, &gs_dialect_ollama},
    {"/api/me", GS_HTTP_POST, ACTION_ME, &gs_dialect_ollama},
    {"/api/signout", GS_HTTP_POST, ACTION_SIGNOUT, &gs_dialect_ollama},
    {"/completion", GS_HTTP_POST, ACTION_CHAT, &gs_dialect_llama},
    {"/completions", GS_HTTP_POST, ACTION_CHAT, &gs_dialect_llama},
    {"/infill", GS_HTTP_POST, ACTION_CHAT, &gs_dialect_llama},
    {"/tokenize", GS_HTTP_POST, ACTION_CHAT, &gs_dialect_llama_errands},
    {"/detokenize", GS_HTTP_POST, ACTION_CHAT, &gs_dialect_llama_errands},
    {"/apply-template", GS_HTTP_POST, ACTION_CHAT, &gs_dialect_llama_errands},
    {"/props", GS_HTTP_GET, ACTION_CHAT, &gs_dialect_llama_errands},
    {"/health", GS_HTTP_GET, ACTION_HEALTH, &gs_dialect_llama},
    {"/v1/health", GS_HTTP_GET, ACTION_HEALTH, &gs_dialect_llama},
    {"/slots", GS_HTTP_GET, ACTION_SLOTS, &gs_dialect_llama},
    {"/metrics", GS_HTTP_GET, ACTION_METRICS, &gs_dialect_llama},
    {"/api/hello", GS_HTTP_GET, ACTION_HELLO, &gs_dialect_anthropic},
    {"/api/event_logging/batch", GS_HTTP_POST, ACTION_NOTHING, &gs_dialect_anthropic},
};

/* ---- finding ---- */

/* As base URLs get combined: "//v1//models/" and "/v1/v1/models" are "/v1/models". Returns an
 * empty string for a path that is too long. */
static void tidy_path(struct gs_slice path, char out[MAX_PATH_BYTES])
{
    size_t n = 0;

    out[0] = '\0';
    if (path.len >= MAX_PATH_BYTES)
        return;
    for (size_t i = 0; i < path.len; i++) {
        if (path.ptr[i] != '/' || n == 0 || out[n - 1] != '/')
            out[n++] = path.ptr[i];
    }
    if (n > 1 && out[n - 1] == '/')
        n--;
    out[n] = '\0';
    while (strncmp(out, "/v1/v1/", 7) == 0) {
        memmove(out, out + 3, n - 3 + 1);
        n -= 3;
    }
}

static bool path_matches(const struct route *route, const char *path)
{
    const size_t n = strlen(route->path);

    if (n > 1 && route->path[n - 1] == '/')
        return strncmp(path, route->path, n) == 0 && path[n] != '\0';
    return strcmp(path, route->path) == 0;
}

static bool method_fits(const struct route *route, enum gs_http_method m)
{
    return m == route->method || (m == GS_HTTP_HEAD && route->method == GS_HTTP_GET);
}

/* Rather one of this method. */
static const struct route *find_route(const char *path, enum gs_http_method m)
{
    const struct route *found = NULL;

    for (size_t i = 0; i < GS_COUNT_OF(routes); i++) {
        if (!path_matches(&routes[i], path))
            continue;
        if (method_fits(&routes[i], m))
            return &routes[i];
        found = found ? found : &routes[i];
    }
    return found;
}

/* In whose words a path is answered; where two APIs share it, a header tells them apart. */
static const struct gs_dialect *dialect_of(const struct route *route, const char *path,
                                           const struct gs_http_head *head)
{
    if (route && route->dialect)
        return route->dialect;
    if (strncmp(path, "/api", 4) == 0)
        return &gs_dialect_ollama;
    if (strncmp(path, "/v1/messages", 12) == 0 ||
        gs_http_head_get(head, "anthropic-version").ptr != NULL)
        return &gs_dialect_anthropic;
    return &gs_dialect_openai_chat;
}

/* ---- form ---- */

/* What some clients ask for and nobody here has: what to do instead. */
static const char *hint_for(const char *path)
{
    static const struct {
        const char *begin, *hint;
    } hints[] = {
        {"/v1/messages/batches", "Message batches are not kept here: send each to /v1/messages."},
        {"/v1/batches", "Batches are not kept here: send each request by itself."},
        {"/v1/files", "Files are not kept here: send what is in them with the message."},
        {"/v1beta/", "Gemini's API is not spoken here: use that of OpenAI, at /v1."},
    };

    for (size_t i = 0; i < GS_COUNT_OF(hints); i++)
        if (strncmp(path, hints[i].begin, strlen(hints[i].begin)) == 0)
            return hints[i].hint;
    return "";
}

/* Whether the body may be JSON. "curl -d" says that it sends a form, other programs say nothing;
 * web pages, which may send these types without being asked first, are known by their origin. */
static bool type_fits(const struct gs_http_head *head)
{
    static const char *const types[] = {"", "application/json", "text/json", "text/plain",
                                        "application/x-www-form-urlencoded"};
    const struct gs_slice coding = gs_http_head_get(head, "content-encoding");
    struct gs_slice type = gs_http_head_get(head, "content-type");

    if (coding.len && !gs_http_name_eq(coding, "identity"))
        return false;
    type = gs_slice_trim(gs_slice_sub(type, 0, gs_slice_find(type, GS_SLICE_LIT(";"), 0)));
    for (size_t i = 0; i < GS_COUNT_OF(types); i++)
        if (gs_http_name_eq(type, types[i]))
            return true;
    return gs_slice_ends(type, GS_SLICE_LIT("+json"));
}

/* The methods of all routes that share this one's path. */
static void allow(const struct route *route, struct gs_http_request *r)
{
    struct gs_buf b;

    gs_buf_init(&b, GS_KIB);
    for (size_t i = 0; i < GS_COUNT_OF(routes); i++) {
        if (strcmp(routes[i].path, route->path) != 0)
            continue;
        gs_buf_printf(&b, "%s, ", gs_http_method_name(routes[i].method));
        if (routes[i].method == GS_HTTP_GET)
            gs_buf_puts(&b, "HEAD, ");
    }
    gs_buf_puts(&b, "OPTIONS");
    if (gs_buf_ok(&b))
        gs_http_header(r, "Allow", gs_buf_view(&b));
    gs_buf_clear(&b);
}

static bool takes_pieces(const struct route *route)
{
    return route && route->dialect && route->dialect->takes_pieces;
}

/* 0, or the status to refuse with. */
static int check_form(const struct route *route, const char *path, struct gs_http_request *r,
                      struct gs_error *err)
{
    const struct gs_http_head *head = gs_http_request_head(r);

    if (!route) {
        gs_error_set(err, GS_EUNSUPPORTED, "there is nothing at %s %.*s",
                     gs_http_method_name(head->method), (int)GS_MIN(head->path.len, 200),
                     head->path.ptr);
        gs_error_hint(err, "%s", hint_for(path));
        return 404;
    }
    if (!method_fits(route, head->method)) {
        allow(route, r);
        gs_error_set(err, GS_EUNSUPPORTED, "%s is not allowed at %s",
                     gs_http_method_name(head->method), route->path);
        return 405;
    }
    if (route->method == GS_HTTP_POST && !takes_pieces(route) && !type_fits(head)) {
        gs_error_set(err, GS_EUNSUPPORTED, "the body must be JSON, not compressed");
        gs_error_hint(err, "Send \"Content-Type: application/json\".");
        return 415;
    }
    return 0;
}

/* ---- doing ---- */

static void reply_model(struct gs_server *s, struct gs_http_request *r, char *name,
                        const struct gs_dialect *dialect, const char *id)
{
    struct gs_error err = {0};
    struct gs_buf b;

    gs_server_percent_decode(name);
    gs_buf_init(&b, GS_MAX_RESPONSE_BYTES);
    if (gs_server_models_one(s, gs_slice_str(name), &b)) {
        gs_server_reply_json(s, r, &b);
        return;
    }
    gs_error_set(&err, GS_ENOTFOUND, "model \"%s\" not found", name);
    gs_server_reply_error(s, r, dialect, id, 404, &err);
}

static void reply_list(struct gs_server *s, struct gs_http_request *r,
                       void (*write)(const struct gs_server *s, struct gs_buf *b))
{
    struct gs_buf b;

    gs_buf_init(&b, GS_MAX_RESPONSE_BYTES);
    write(s, &b);
    gs_server_reply_json(s, r, &b);
}

static void reply_models(struct gs_server *s, struct gs_http_request *r)
{
    struct gs_buf b;

    gs_buf_init(&b, GS_MAX_RESPONSE_BYTES);
    gs_server_models_list(s, gs_http_request_head(r), &b);
    gs_server_reply_json(s, r, &b);
}

static void write_version(const struct gs_server *s, struct gs_buf *b)
{
    (void)s;
    gs_buf_puts(b, "{\"version\":\"" OLLAMA_VERSION "\"}");
}

/* No models but those of this machine. */
static void write_status(const struct gs_server *s, struct gs_buf *b)
{
    (void)s;
    gs_buf_puts(b, "{\"cloud\":{\"disabled\":true,\"source\":\"genset\"}}");
}

static void write_nothing(const struct gs_server *s, struct gs_buf *b)
{
    (void)s;
    gs_buf_puts(b, "{}");
}

static void write_health(const struct gs_server *s, struct gs_buf *b)
{
    (void)s;
    gs_buf_puts(b, "{\"status\":\"ok\"}");
}

static void reply_metrics(struct gs_server *s, struct gs_http_request *r)
{
    struct gs_buf b;

    gs_buf_init(&b, GS_MAX_RESPONSE_BYTES);
    gs_server_gauges_metrics(s, &b);
    gs_buf_putc(&b, '\0');
    gs_server_reply_text(s, r, gs_buf_ok(&b) ? 200 : 500, gs_buf_ok(&b) ? b.ptr : "");
    gs_buf_clear(&b);
}

/* As Ollama answers when nobody has signed in. */
static void reply_nobody(struct gs_server *s, struct gs_http_request *r,
                         const struct gs_dialect *dialect, const char *id)
{
    struct gs_error err = {0};

    gs_error_set(&err, GS_EUNSUPPORTED, "nobody is signed in: genset has no accounts");
    gs_server_reply_error(s, r, dialect, id, 401, &err);
}

static void reply_preflight(struct gs_server *s, struct gs_http_request *r)
{
    const struct gs_slice wanted =
        gs_http_head_get(gs_http_request_head(r), "access-control-request-headers");

    gs_http_header(r, "Access-Control-Allow-Methods",
                   GS_SLICE_LIT("GET, HEAD, POST, DELETE, OPTIONS"));
    if (wanted.len && wanted.len < 2048)
        gs_http_header(r, "Access-Control-Allow-Headers", wanted);
    if (gs_http_head_get(gs_http_request_head(r), "access-control-request-private-network").len)
        gs_http_header(r, "Access-Control-Allow-Private-Network", GS_SLICE_LIT("true"));
    gs_http_header(r, "Access-Control-Max-Age", GS_SLICE_LIT("86400"));
    gs_http_header(r, "Allow", GS_SLICE_LIT("GET, HEAD, POST, DELETE, OPTIONS"));
    gs_server_reply_text(s, r, 204, "");
}

static void act(struct gs_server *s, struct gs_http_request *r, const struct route *route,
                char *path, const char *id, const char *key_name)
{
    switch (route->action) {
    case ACTION_CHAT:
        if (route->dialect->takes_pieces || !gs_server_again_join(s, r, path, id))
            gs_server_exchange_begin(s, r, route->dialect, path, id, key_name);
        break;
    case ACTION_MODELS:
        reply_models(s, r);
        break;
    case ACTION_MODEL:
        reply_model(s, r, path + strlen(route->path),
                    dialect_of(route, path, gs_http_request_head(r)), id);
        break;
    case ACTION_RESPONSE:
        gs_server_responses_request(s, r, gs_slice_str(path + strlen(route->path)), id);
        break;
    case ACTION_VERSION:
        reply_list(s, r, write_version);
        break;
    case ACTION_STATUS:
        reply_list(s, r, write_status);
        break;
    case ACTION_ME:
        reply_nobody(s, r, route->dialect, id);
        break;
    case ACTION_SIGNOUT:
        reply_list(s, r, write_nothing);
        break;
    case ACTION_ADMIN:
        gs_server_admin_request(s, r, gs_slice_str(path + strlen(route->path)), id);
        break;
    case ACTION_HEALTH:
        reply_list(s, r, write_health);
        break;
    case ACTION_SLOTS:
        reply_list(s, r, gs_server_gauges_slots);
        break;
    case ACTION_METRICS:
        reply_metrics(s, r);
        break;
    case ACTION_HELLO:
        gs_server_reply_text(s, r, 200, HELLO);
        break;
    case ACTION_NOTHING:
        gs_server_reply_text(s, r, 204, "");
        break;
    }
}

/* What tells nothing is told to anybody: whoever looks after the process has no key. */
static bool is_open(const struct route *route)
{
    return route && (route->action == ACTION_HELLO || route->action == ACTION_HEALTH);
}

void gs_server_route_request(void *server, struct gs_http_request *r)
{
    struct gs_server *s = server;
    const struct gs_http_head *head = gs_http_request_head(r);
    char path[MAX_PATH_BYTES];
    char id[GS_SERVER_ID_BYTES];
    const char *key_name = NULL;
    struct gs_error err = {0};

    s->asked_us = gs_clock_mono_us();
    tidy_path(head->path, path);
    const struct route *route = find_route(path, head->method);
    gs_server_reply_id(r, id);
    int status = gs_server_access_check(s, r, &err);
    if (status == 0 && head->method == GS_HTTP_OPTIONS) {
        reply_preflight(s, r);
        return;
    }
    if (status == 0 && !is_open(route)) {
        status = gs_server_access_key(s, head, &key_name, &err);
        if (status)
            gs_http_header(r, "WWW-Authenticate", GS_SLICE_LIT("Bearer"));
    }
    if (status == 0)
        status = check_form(route, path, r, &err);
    if (status)
        gs_server_reply_error(s, r, dialect_of(route, path, head), id, status, &err);
    else
        act(s, r, route, path, id, key_name);
}

bool gs_server_route_wants_pieces(void *server, const struct gs_http_head *head)
{
    char path[MAX_PATH_BYTES];

    (void)server;
    tidy_path(head->path, path);
    return head->method == GS_HTTP_POST && takes_pieces(find_route(path, head->method));
}

void gs_server_route_refuse(void *server, struct gs_http_request *r, int status,
                            const struct gs_error *err)
{
    const struct gs_http_head *head = gs_http_request_head(r);
    char path[MAX_PATH_BYTES];
    char id[GS_SERVER_ID_BYTES];

    tidy_path(head->path, path);
    gs_server_reply_id(r, id);
    gs_server_reply_error(server, r, dialect_of(find_route(path, head->method), path, head), id,
                          status, err);
}
