/* genset config: the settings in effect, or the schema of the file. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

int gs_cli_config(struct gs_config *c, struct gs_buf *out)
{
    char msg[128];

    if (strcmp(c->args.items[0], "show") == 0) {
        gs_config_write_settings(c, out);
        return GS_EXIT_OK;
    }
    if (strcmp(c->args.items[0], "schema") == 0) {
        gs_config_write_schema(out);
        return GS_EXIT_OK;
    }
    snprintf(msg, sizeof(msg), "expected show or schema, found \"%.80s\"", c->args.items[0]);
    return gs_cli_fail_usage(msg, "Usage: genset config show|schema");
}
