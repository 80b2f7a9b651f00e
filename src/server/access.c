/* Who may ask. On this machine any program may, with any credential or none; a web page in its
 * browser may not, unless it was served from this machine too or its origin is allowed. Browsers
 * put the origin on every POST that a page sends elsewhere, also where they do not ask first
 * (forms, text/plain), so that no other mark of a page is looked for. Beyond loopback a key is
 * asked for. */
#include <string.h>

#include "base/error.h"
#include "base/slice.h"
#include "server/state.h"

/* "host", "host:port", "[v6]:port" -> host */
static struct gs_slice host_name(struct gs_slice host)
{
    if (host.len && host.ptr[0] == '[')
        return gs_slice_sub(host, 0, gs_slice_find(host, GS_SLICE_LIT("]"), 0) + 1);
    return gs_slice_sub(host, 0, gs_slice_find(host, GS_SLICE_LIT(":"), 0));
}

static bool is_address(struct gs_slice host)
{
    if (host.len && host.ptr[0] == '[')
        return true;
    for (size_t i = 0; i < host.len; i++) {
        if (host.ptr[i] != '.' && (host.ptr[i] < '0' || host.ptr[i] > '9'))
            return false;
    }
    return host.len > 0;
}

/* A name that public DNS can point at us would let any web page in (DNS rebinding). Addresses,
 * names without a dot and names under reserved suffixes cannot be rebound. */
static bool is_local_name(struct gs_slice host)
{
    static const char *const suffixes[] = {".localhost", ".local", ".internal", ".lan",
                                           ".home.arpa"};
    const struct gs_slice name = host_name(host);

    if (!name.len || is_address(name) || gs_slice_find(name, GS_SLICE_LIT("."), 0) == SIZE_MAX)
        return true;
    for (size_t i = 0; i < GS_COUNT_OF(suffixes); i++) {
        if (gs_slice_ends(name, gs_slice_str(suffixes[i])))
            return true;
    }
    return false;
}

/* Pages of this machine, of desktop programs, and of the server itself. */
static bool is_local_origin(struct gs_slice origin, struct gs_slice host)
{
    static const char *const schemes[] = {"app://", "tauri://", "vscode-webview://",
                                          "vscode-file://"};
    const size_t mark = gs_slice_find(origin, GS_SLICE_LIT("://"), 0);

    for (size_t i = 0; i < GS_COUNT_OF(schemes); i++) {
        if (gs_slice_starts(origin, gs_slice_str(schemes[i])))
            return true;
    }
    if (mark == SIZE_MAX || !gs_slice_starts(origin, GS_SLICE_LIT("http")))
        return false;
    const struct gs_slice rest = gs_slice_sub(origin, mark + 3, origin.len);
    const struct gs_slice name = host_name(rest);
    return gs_slice_eq(rest, host) || gs_slice_eq_str(name, "localhost") ||
           gs_slice_ends(name, GS_SLICE_LIT(".localhost")) || gs_slice_eq_str(name, "[::1]") ||
           (is_address(name) && gs_slice_starts(name, GS_SLICE_LIT("127.")));
}

static bool is_allowed_origin(const struct gs_server *s, struct gs_slice origin,
                              struct gs_slice host)
{
    for (size_t i = 0; i < s->opt.n_origins; i++) {
        const char *allowed = s->opt.origins[i];
        if (strcmp(allowed, "*") == 0 || gs_slice_eq_str(origin, allowed))
            return true;
    }
    return is_local_origin(origin, host);
}

int gs_server_access_check(const struct gs_server *s, struct gs_http_request *r,
                           struct gs_error *err)
{
    const struct gs_http_head *head = gs_http_request_head(r);
    const struct gs_slice origin = gs_http_head_get(head, "origin");

    if (s->is_loopback && !is_local_name(head->host)) {
        gs_error_set(err, GS_EUNSUPPORTED, "host \"%.*s\" is no name of this machine",
                     (int)GS_MIN(head->host.len, 100), head->host.ptr);
        gs_error_hint(err, "Use localhost or an address.");
        return 403;
    }
    if (!origin.len)
        return 0;
    gs_http_header(r, "Vary", GS_SLICE_LIT("Origin"));
    if (!is_allowed_origin(s, origin, head->host)) {
        gs_error_set(err, GS_EUNSUPPORTED, "web pages of \"%.*s\" may not use this server",
                     (int)GS_MIN(origin.len, 100), origin.ptr);
        gs_error_hint(err, "Allow the origin when starting the server.");
        return 403;
    }
    gs_http_header(r, "Access-Control-Allow-Origin", origin);
    gs_http_header(r, "Access-Control-Expose-Headers",
                   GS_SLICE_LIT("request-id, x-request-id, retry-after, x-genset-ignored, "
                                "x-genset-prompt-tokens, x-genset-cached-tokens, "
                                "x-genset-truncated, x-genset-served-by, x-genset-privacy"));
    return 0;
}

/* 1 or 0, in a time that depends on what was given alone: neither on where it differs from the key,
 * nor on how long the key is. */
static unsigned key_eq(struct gs_slice given, const char *key)
{
    char padded[GS_SERVER_KEY_BYTES] = {0};
    char tried[GS_SERVER_KEY_BYTES] = {0};
    const size_t len = GS_MIN(strlen(key), sizeof(padded));
    unsigned diff = given.len != len;

    memcpy(padded, key, len);
    if (given.len)
        memcpy(tried, given.ptr, GS_MIN(given.len, sizeof(tried)));
    for (size_t i = 0; i < sizeof(padded); i++)
        diff |= (unsigned char)padded[i] ^ (unsigned char)tried[i];
    return diff == 0;
}

/* The number of the key, from 1; 0: it is none. Every key is looked at, whichever fits. */
static size_t find_key(const struct gs_server *s, struct gs_slice given)
{
    size_t found = 0;

    for (size_t i = 0; i < s->opt.n_api_keys; i++)
        found = key_eq(given, s->opt.api_keys[i]) ? i + 1 : found;
    return given.len > 0 ? found : 0;
}

int gs_server_access_key(const struct gs_server *s, const struct gs_http_head *head,
                         const char **out_name, struct gs_error *err)
{
    const struct gs_slice scheme = GS_SLICE_LIT("bearer ");
    struct gs_slice given = gs_http_head_get(head, "authorization");

    *out_name = NULL;
    if (s->opt.n_api_keys == 0)
        return 0;
    if (given.len > scheme.len && gs_http_name_eq(gs_slice_sub(given, 0, scheme.len), scheme.ptr))
        given = gs_slice_trim(gs_slice_sub(given, scheme.len, given.len));
    const size_t bearer = find_key(s, given);
    const size_t other = find_key(s, gs_http_head_get(head, "x-api-key"));
    const size_t key = bearer > 0 ? bearer : other;
    if (key > 0) {
        *out_name = s->opt.key_names ? s->opt.key_names[key - 1] : NULL;
        return 0;
    }
    gs_error_set(err, GS_EDENIED, "the API key is missing or wrong");
    gs_error_hint(err, "Send it as \"Authorization: Bearer KEY\" or \"x-api-key: KEY\".");
    return 401;
}
