/* genset config: the settings in effect, what they mean, or the schema of the file. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/slice.h"
#include "cli/cli.h"
#include "config/config_routes.h"

/* A server would not start so. */
static void doubt_listen(const struct gs_config *c)
{
    char host[256];
    int port;
    struct gs_error err;

    if (gs_config_address_split(c->listen, host, sizeof(host), &port, &err) == GS_OK &&
        !gs_config_host_is_loopback(gs_slice_str(host)) && !c->api_key && !c->api_key_path)
        gs_cli_note("genset: warning: listening on %s needs an API key: api_key_file, api_key or "
                    "GENSET_API_KEY",
                    host);
}

static bool has_name(const struct gs_cli_keys *keys, const char *name)
{
    for (size_t i = 0; i < keys->n; i++)
        if (keys->names[i] && strcmp(keys->names[i], name) == 0)
            return true;
    return false;
}

/* What is said of a key that nobody has. */
static void doubt_keys(const struct gs_config *c)
{
    const struct gs_config_routes *r = &c->routes;
    struct gs_cli_keys keys = {0};
    struct gs_arena a;
    struct gs_error err;

    gs_arena_init(&a, GS_MAX_TEXT_BYTES);
    if (gs_cli_keys(c, &a, &keys, &err) != GS_OK)
        gs_cli_note("genset: warning: %s", err.msg);
    else
        for (size_t i = 0; i < r->n_keys; i++)
            if (!has_name(&keys, r->keys[i].name))
                gs_cli_note("%s:%d: warning: %s names a key \"%s\"", c->file, r->keys[i].line,
                            c->api_key_path ? "no line of api_key_file"
                                            : "without api_key_file nothing",
                            r->keys[i].name);
    gs_arena_clear(&a);
}

/* What is wrong has been told when the command began; here it is right. */
static int check(const struct gs_config *c, struct gs_buf *out)
{
    const struct gs_config_routes *r = &c->routes;
    struct gs_buf doubts;

    gs_buf_init(&doubts, GS_MAX_CONFIG_BYTES);
    gs_config_write_doubts(r, c->file, c->source.env, c->source.env_ud, &doubts);
    for (struct gs_slice text = gs_buf_view(&doubts); text.len > 0;) {
        const size_t end = GS_MIN(gs_slice_find(text, GS_SLICE_LIT("\n"), 0), text.len);
        gs_cli_note("%.*s", (int)end, text.ptr);
        text = gs_slice_sub(text, end + 1, text.len);
    }
    doubt_listen(c);
    doubt_keys(c);
    gs_buf_printf(out, "ok: %s%zu provider%s, %zu route%s\n",
                  c->file ? "" : "no configuration file, ", r->n_providers - 1,
                  r->n_providers == 2 ? "" : "s", r->n_routes, r->n_routes == 1 ? "" : "s");
    gs_config_write_routes(r, out);
    out->failed |= doubts.failed;
    gs_buf_clear(&doubts);
    return GS_EXIT_OK;
}

int gs_cli_config(struct gs_config *c, struct gs_buf *out)
{
    const char *what = c->args.items[0];
    char msg[128];

    if (strcmp(what, "check") == 0)
        return check(c, out);
    if (strcmp(what, "show") == 0) {
        gs_config_write_settings(c, out);
        return GS_EXIT_OK;
    }
    if (strcmp(what, "schema") == 0) {
        gs_config_write_schema(out);
        return GS_EXIT_OK;
    }
    snprintf(msg, sizeof(msg), "expected show, check or schema, found \"%.80s\"", what);
    return gs_cli_fail_usage(msg, "Usage: genset config show|check|schema [FILE]");
}
