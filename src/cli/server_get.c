/* Asking the running server for what it knows of itself. */
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/slice.h"
#include "cli/cli.h"
#include "http/ask.h"
#include "json/json.h"

#define ASK_MS 5000

enum gs_status gs_cli_server_address(const char *listen, char *host, size_t cap, int *out_port,
                                     struct gs_error *err)
{
    const enum gs_status st = gs_config_address_split(listen, host, cap, out_port, err);

    if (st != GS_OK)
        return st;
    if (strcmp(host, "0.0.0.0") == 0 || strcmp(host, "localhost") == 0)
        snprintf(host, cap, "127.0.0.1");
    else if (strcmp(host, "::") == 0)
        snprintf(host, cap, "::1");
    return GS_OK;
}

/* In the words of its error: every API has them at "error.message", Ollama's at "error". */
static enum gs_status refuse(const struct gs_config *c, int status, struct gs_slice body,
                             struct gs_error *err)
{
    struct gs_slice why = {"", 0};
    struct gs_arena arena;
    struct gs_json json;

    if (status == 401) {
        gs_error_set(err, GS_EINVAL, "the server at %s wants another API key", c->listen);
        gs_error_hint(err, "Set GENSET_API_KEY, --api-key-file, or api_key in the configuration.");
        return GS_EINVAL;
    }
    gs_arena_init(&arena, GS_MAX_RESPONSE_BYTES);
    if (gs_json_parse(body, &arena, &json, NULL) == GS_OK) {
        const struct gs_json *told = gs_json_get(&json, "error");
        if (told && told->kind == GS_JSON_STRING)
            why = told->u.string;
    }
    gs_error_set(err, status == 404 ? GS_ENOTFOUND : GS_EIO, "the server at %s refuses: %.*s (%d)",
                 c->listen, (int)GS_MIN(why.len, 300), why.ptr, status);
    gs_arena_clear(&arena);
    return err->code;
}

static enum gs_status get(const struct gs_config *c, struct gs_http_question *q,
                          struct gs_buf *out_text, bool *out_is_running, struct gs_error *err)
{
    const size_t before = out_text->len;
    int status;
    const enum gs_status st = gs_http_ask(q, &status, out_text, err);

    *out_is_running = st != GS_ENOTFOUND;
    if (st != GS_OK || status == 200)
        return st;
    const enum gs_status refusal =
        refuse(c, status, gs_slice_sub(gs_buf_view(out_text), before, out_text->len), err);
    out_text->len = before;
    return refusal;
}

enum gs_status gs_cli_server_get(const struct gs_config *c, const char *path,
                                 struct gs_buf *out_text, bool *out_is_running,
                                 struct gs_error *err)
{
    struct gs_cli_keys keys = {0};
    struct gs_arena arena;
    char host[256];
    struct gs_http_question q = {
        .host = host, .path = path, .tls_cert = c->tls_cert, .timeout_ms = ASK_MS};

    *out_is_running = false;
    gs_arena_init(&arena, GS_MAX_TEXT_BYTES);
    enum gs_status st = gs_cli_server_address(c->listen, host, sizeof(host), &q.port, err);
    if (st == GS_OK)
        st = gs_cli_keys(c, &arena, &keys, err);
    if (st == GS_OK) {
        q.key = keys.n > 0 ? keys.keys[0] : NULL;
        st = get(c, &q, out_text, out_is_running, err);
    }
    gs_arena_clear(&arena);
    return st;
}
