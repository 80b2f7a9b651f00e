/* genset version. */
#include "cli/cli.h"

int gs_cli_version(struct gs_config *c, struct gs_buf *out)
{
    gs_buf_printf(out, c->json ? "{\"version\":\"%s\"}\n" : "genset %s\n", gs_version());
    return GS_EXIT_OK;
}
