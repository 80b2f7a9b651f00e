/* genset env: what a tool needs, in the words of a shell. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/os.h"
#include "base/slice.h"
#include "cli/launch.h"

enum shell { SHELL_SH, SHELL_FISH, SHELL_POWERSHELL }; /* as in options.def */

/* A word as it is, where no shell would read it otherwise; else in single quotes, and each shell
 * has its own way to put one inside. */
static void put_word(struct gs_buf *b, struct gs_slice text, enum shell shell)
{
    static const char *const quotes[] = {"'\\''", "\\'", "''"};
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./:-";
    size_t n = 0;

    while (n < text.len && memchr(plain, text.ptr[n], sizeof(plain) - 1))
        n++;
    if (n == text.len && n > 0 && shell != SHELL_POWERSHELL) {
        gs_buf_slice(b, text);
        return;
    }
    gs_buf_putc(b, '\'');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\'')
            gs_buf_puts(b, quotes[shell]);
        else if (text.ptr[i] == '\\' && shell == SHELL_FISH)
            gs_buf_puts(b, "\\\\");
        else
            gs_buf_putc(b, text.ptr[i]);
    }
    gs_buf_putc(b, '\'');
}

void gs_cli_launch_put_env(const struct gs_cli_launch *l, struct gs_buf *out)
{
    static const char *const forms[][2] = {{"export ", "="}, {"set -gx ", " "}, {"$env:", " = "}};
    const enum shell shell = (enum shell)l->config->shell;
    struct gs_slice line, rest;
    struct gs_buf text;

    gs_buf_init(&text, GS_MAX_TEXT_BYTES);
    gs_cli_tool_expand_env(l->tool, &l->place, &text);
    rest = gs_buf_view(&text);
    while (gs_cli_tool_line(&rest, &line)) {
        const size_t mark = gs_slice_find(line, GS_SLICE_LIT("="), 0);
        gs_buf_puts(out, forms[shell][0]);
        gs_buf_slice(out, gs_slice_sub(line, 0, mark));
        gs_buf_puts(out, forms[shell][1]);
        put_word(out, gs_slice_sub(line, mark + 1, line.len), shell);
        gs_buf_putc(out, '\n');
    }
    gs_buf_reset(&text);
    gs_cli_tool_expand(l->tool->args ? l->tool->args : "", &l->place, &text);
    rest = gs_buf_view(&text);
    if (rest.len > 0)
        gs_buf_printf(out, "# then: %s", l->tool->program);
    while (gs_cli_tool_line(&rest, &line)) {
        gs_buf_putc(out, ' ');
        put_word(out, line, shell);
    }
    if (l->tool->args)
        gs_buf_putc(out, '\n');
    out->failed |= text.failed;
    gs_buf_clear(&text);
}

enum gs_status gs_cli_launch_write_files(const struct gs_cli_launch *l, struct gs_error *err)
{
    enum gs_status st = GS_OK;
    char path[4200];
    struct gs_buf text;

    gs_buf_init(&text, GS_MAX_TEXT_BYTES);
    for (size_t i = 0; i < GS_COUNT_OF(l->tool->files) && l->tool->files[i].name; i++) {
        gs_buf_reset(&text);
        gs_cli_tool_expand(l->tool->files[i].text, &l->place, &text);
        snprintf(path, sizeof(path), "%s/%s", l->place.folder, l->tool->files[i].name);
        *strrchr(path, '/') = '\0';
        st = gs_os_make_dirs(path, err);
        path[strlen(path)] = '/';
        if (st == GS_OK && !gs_buf_ok(&text))
            st = gs_error_nomem(err, "write the tool's files");
        if (st == GS_OK)
            st = gs_os_write_file(path, text.ptr, text.len, err);
        if (st != GS_OK)
            break;
    }
    gs_buf_clear(&text);
    return st;
}

int gs_cli_env(struct gs_config *c, struct gs_buf *out)
{
    struct gs_cli_launch l;
    struct gs_error err = {0};
    const int code = gs_cli_launch_prepare(c, c->args.items[0], &l);

    if (code != GS_EXIT_OK)
        return code;
    if (!l.tool->program) {
        gs_error_set(&err, GS_EINVAL, "%s takes its settings from no environment", l.tool->title);
        gs_error_hint(&err, "Run \"genset launch %s\" for what to enter.", l.tool->name);
        return gs_cli_fail(&err, GS_EXIT_USAGE);
    }
    if (gs_cli_launch_write_files(&l, &err) != GS_OK)
        return gs_cli_fail(&err, GS_EXIT_FAILED);
    gs_cli_launch_put_env(&l, out);
    return GS_EXIT_OK;
}
