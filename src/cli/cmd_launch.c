/* genset launch: prepare a tool's environment and become it, so that its terminal, its signals and
 * its exit status are its own. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/slice.h"
#include "cli/launch.h"

#define EXIT_NOT_FOUND 127 /* as shells have it */

/* ---- the tool ---- */

static bool is_on_path(const char *program)
{
    const char *dirs = getenv("PATH");
    char path[4096];

    while (dirs && *dirs) {
        const size_t len = strcspn(dirs, ":");
        const int n = snprintf(path, sizeof(path), "%.*s/%s", (int)len, dirs, program);
        if (n > 0 && (size_t)n < sizeof(path) && access(path, X_OK) == 0)
            return true;
        dirs += len + (dirs[len] == ':');
    }
    return false;
}

static int fail_missing(const struct gs_cli_tool *tool)
{
    struct gs_error err = {0};

    gs_error_set(&err, GS_ENOTFOUND, "%s is not installed: there is no \"%s\" on the PATH",
                 tool->title, tool->program);
    gs_error_hint(&err, "%s.", tool->install);
    gs_cli_fail(&err, GS_EXIT_FAILED);
    return EXIT_NOT_FOUND;
}

/* Its arguments and the user's, one after the other; NULL when memory is short. The lines of `text`
 * become strings in their place. */
static char **make_argv(const struct gs_cli_launch *l, struct gs_buf *text)
{
    const struct gs_config_list *args = &l->config->args;
    struct gs_slice line, rest;
    size_t n = 0;

    gs_cli_tool_expand(l->tool->args ? l->tool->args : "", &l->place, text);
    gs_buf_putc(text, '\n'); /* a place for the last end */
    if (!gs_buf_ok(text))
        return NULL;
    rest = gs_buf_view(text);
    while (gs_cli_tool_line(&rest, &line))
        n++;
    char **argv = gs_alloc_array(n + args->len + 1, sizeof(*argv));
    if (!argv)
        return NULL;
    n = 0;
    argv[n++] = (char *)(uintptr_t)l->tool->program;
    rest = gs_buf_view(text);
    while (gs_cli_tool_line(&rest, &line)) {
        argv[n] = text->ptr + (line.ptr - text->ptr);
        argv[n++][line.len] = '\0';
    }
    for (size_t i = 1; i < args->len; i++)
        argv[n++] = (char *)(uintptr_t)args->items[i];
    argv[n] = NULL;
    return argv;
}

static bool set_environment(const struct gs_cli_launch *l, struct gs_buf *text)
{
    struct gs_slice line, rest;
    bool fits = true;

    gs_cli_tool_expand_env(l->tool, &l->place, text);
    rest = gs_buf_view(text);
    while (gs_buf_ok(text) && fits && gs_cli_tool_line(&rest, &line)) {
        char *name = text->ptr + (line.ptr - text->ptr);
        char *value = strchr(name, '=');
        name[line.len] = '\0';
        *value++ = '\0';
        fits = setenv(name, value, 1) == 0;
    }
    return gs_buf_ok(text) && fits;
}

/* Comes back only when it failed. */
static int become_tool(const struct gs_cli_launch *l)
{
    struct gs_error err = {0};
    struct gs_buf env, args;

    gs_buf_init(&env, GS_MAX_TEXT_BYTES);
    gs_buf_init(&args, GS_MAX_TEXT_BYTES);
    char **argv = make_argv(l, &args);
    if (!argv || !set_environment(l, &env)) {
        gs_error_nomem(&err, "start the tool");
    } else {
        gs_cli_launch_hold(l);
        signal(SIGPIPE, SIG_DFL);
        execvp(argv[0], argv);
        gs_error_errno(&err, GS_EIO, errno, "could not start \"%s\"", argv[0]);
    }
    gs_free(argv);
    gs_buf_clear(&env);
    gs_buf_clear(&args);
    return gs_cli_fail(&err, GS_EXIT_FAILED);
}

/* ---- saying instead of doing ---- */

static void put_indented(struct gs_buf *out, struct gs_slice text)
{
    struct gs_slice line;

    while (gs_cli_tool_line(&text, &line)) {
        gs_buf_puts(out, "    ");
        gs_buf_slice(out, line);
        gs_buf_putc(out, '\n');
    }
}

static void put_server(const struct gs_cli_launch *l, struct gs_buf *out)
{
    const char *argv[GS_CLI_LAUNCH_ARGS];

    if (l->is_running) {
        gs_buf_printf(out, "server: runs at %s\n", l->place.url);
    } else {
        gs_cli_launch_serve_args(l, argv);
        gs_buf_puts(out, "server: would be started with\n    ");
        for (size_t i = 0; argv[i]; i++)
            gs_buf_printf(out, "%s%s", i ? " " : "", argv[i]);
        gs_buf_putc(out, '\n');
    }
    gs_buf_printf(out, "model: %s", l->place.model);
    if (l->place.ctx_tokens > 0)
        gs_buf_printf(out, ", %lld tokens", (long long)l->place.ctx_tokens);
    gs_buf_putc(out, '\n');
}

static int describe(const struct gs_cli_launch *l, struct gs_buf *out)
{
    struct gs_cli_place shown = l->place;
    struct gs_slice line, rest;
    struct gs_buf text;

    if (l->has_key)
        snprintf(shown.key, sizeof(shown.key), "***");
    gs_buf_init(&text, GS_MAX_TEXT_BYTES);
    put_server(l, out);
    for (size_t i = 0; i < GS_COUNT_OF(l->tool->files) && l->tool->files[i].name; i++) {
        gs_buf_printf(out, "file: %s/%s\n", shown.folder, l->tool->files[i].name);
        gs_buf_reset(&text);
        gs_cli_tool_expand(l->tool->files[i].text, &shown, &text);
        put_indented(out, gs_buf_view(&text));
    }
    gs_buf_reset(&text);
    gs_cli_tool_expand_env(l->tool, &shown, &text);
    gs_buf_puts(out, "environment:\n");
    put_indented(out, gs_buf_view(&text));
    gs_buf_reset(&text);
    gs_cli_tool_expand(l->tool->args ? l->tool->args : "", &shown, &text);
    rest = gs_buf_view(&text);
    gs_buf_printf(out, "command: %s", l->tool->program);
    while (gs_cli_tool_line(&rest, &line))
        gs_buf_printf(out, " %.*s", (int)line.len, line.ptr);
    for (size_t i = 1; i < l->config->args.len; i++)
        gs_buf_printf(out, " %s", l->config->args.items[i]);
    gs_buf_putc(out, '\n');
    out->failed |= text.failed;
    gs_buf_clear(&text);
    return GS_EXIT_OK;
}

static int put_settings(const struct gs_cli_launch *l, struct gs_buf *out)
{
    gs_cli_tool_expand(l->tool->settings, &l->place, out);
    if (!l->is_running)
        gs_buf_puts(out, "\nNo server answers there now: run \"genset serve\".\n");
    return GS_EXIT_OK;
}

int gs_cli_launch(struct gs_config *c, struct gs_buf *out)
{
    struct gs_cli_launch l;
    struct gs_error err = {0};
    int code = gs_cli_launch_prepare(c, c->args.items[0], &l);

    if (code != GS_EXIT_OK)
        return code;
    if (!l.tool->program)
        return put_settings(&l, out);
    if (c->dry_run)
        return describe(&l, out);
    if (!c->print_env && !is_on_path(l.tool->program))
        return fail_missing(l.tool);
    if (!l.is_running && !c->print_env)
        code = gs_cli_launch_serve(&l);
    if (code == GS_EXIT_OK && !c->print_env)
        code = gs_cli_launch_load(&l);
    if (code == GS_EXIT_OK && gs_cli_launch_write_files(&l, &err) != GS_OK)
        code = gs_cli_fail(&err, GS_EXIT_FAILED);
    if (code != GS_EXIT_OK || !c->print_env)
        return code == GS_EXIT_OK ? become_tool(&l) : code;
    gs_cli_launch_put_env(&l, out);
    return GS_EXIT_OK;
}
