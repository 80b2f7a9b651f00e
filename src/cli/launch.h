/* The server that a tool is launched for: found, or started in the background. */
#ifndef GS_CLI_LAUNCH_H
#define GS_CLI_LAUNCH_H

#include "cli/cli.h"
#include "cli/tools.h"

struct gs_cli_launch {
    const struct gs_config *config;
    const struct gs_cli_tool *tool;
    struct gs_cli_place place;
    char host[256]; /* asked at, never "every address" */
    int port;
    bool has_key; /* place.key is one */
    bool is_running;
    bool is_loaded;        /* the model */
    char model_path[4096]; /* of the model to start with; empty: a server runs already */
};

/* Fill in everything: from the server, if one answers, else from what one would be started with.
 * Says its own errors; the exit code, or 0. */
int gs_cli_launch_prepare(const struct gs_config *c, const char *tool, struct gs_cli_launch *l);
/* Start the server and wait until it answers. */
int gs_cli_launch_serve(struct gs_cli_launch *l);
/* Have the running server load the model, if it has not: it is ready when the tool asks, and what a
 * conversation may use of it is known. */
int gs_cli_launch_load(struct gs_cli_launch *l);
/* The command line of that server, NULL at its end: its strings live in `l` and the configuration.
 */
#define GS_CLI_LAUNCH_ARGS 80
void gs_cli_launch_serve_args(const struct gs_cli_launch *l, const char *argv[GS_CLI_LAUNCH_ARGS]);
/* Hold on to the server: until this process, or the program it becomes, has ended, the server does
 * not end for want of requests. */
void gs_cli_launch_hold(const struct gs_cli_launch *l);
/* Whether anybody holds on to the server at `port`. */
bool gs_cli_launch_is_held(const struct gs_config *c, int port);
/* Write the tool's own files to its folder. */
GS_MUST_CHECK enum gs_status gs_cli_launch_write_files(const struct gs_cli_launch *l,
                                                       struct gs_error *err);
/* The environment in the words of a shell, and as a comment the arguments the tool wants. */
void gs_cli_launch_put_env(const struct gs_cli_launch *l, struct gs_buf *out);

#endif
