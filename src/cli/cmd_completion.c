/* genset completion: the script of a shell. */
#include <stdio.h>

#include "cli/cli.h"

int gs_cli_completion(struct gs_config *c, struct gs_buf *out)
{
    char msg[128];

    if (gs_config_write_completion(c->args.items[0], out))
        return GS_EXIT_OK;
    snprintf(msg, sizeof(msg), "unknown shell \"%.80s\"", c->args.items[0]);
    return gs_cli_fail_usage(msg, "There are scripts for bash, zsh and fish.");
}
