/* genset help: the overview, one command, or the manual page. */
#include <stdio.h>

#include "cli/cli.h"

int gs_cli_fail_command(const char *name)
{
    const char *like = gs_config_command_suggest(name);
    char msg[128];
    char hint[64] = "Run \"genset help\" for the list.";

    if (like)
        snprintf(hint, sizeof(hint), "Did you mean \"%s\"?", like);
    snprintf(msg, sizeof(msg), "unknown command \"%.80s\"", name);
    return gs_cli_fail_usage(msg, hint);
}

int gs_cli_help(struct gs_config *c, struct gs_buf *out)
{
    enum gs_command command;

    if (c->man)
        gs_config_write_man(out);
    else if (c->args.len == 0)
        gs_config_write_overview(out);
    else if (gs_config_command_find(c->args.items[0], &command))
        gs_config_write_help(command, out);
    else
        return gs_cli_fail_command(c->args.items[0]);
    return GS_EXIT_OK;
}
