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
