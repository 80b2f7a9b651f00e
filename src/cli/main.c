/* The program: a command, its configuration, its answer. */
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/slice.h"
#include "cli/cli.h"

static gs_cli_command_fn *const commands[GS_COMMAND_COUNT] = {
    [GS_COMMAND_RUN] = gs_cli_run,
    [GS_COMMAND_SERVE] = gs_cli_serve,
    [GS_COMMAND_HERMIT] = gs_cli_serve,
    [GS_COMMAND_LAUNCH] = gs_cli_launch,
    [GS_COMMAND_ENV] = gs_cli_env,
    [GS_COMMAND_SHOW] = gs_cli_show,
    [GS_COMMAND_TOKENS] = gs_cli_tokens,
    [GS_COMMAND_PROMPT] = gs_cli_prompt,
    [GS_COMMAND_LOGITS] = gs_cli_logits,
    [GS_COMMAND_EMBED] = gs_cli_embed,
    [GS_COMMAND_DEQUANT] = gs_cli_dequant,
    [GS_COMMAND_BENCH] = gs_cli_bench,
    [GS_COMMAND_DOCTOR] = gs_cli_doctor,
    [GS_COMMAND_LOG] = gs_cli_log,
    [GS_COMMAND_STATUS] = gs_cli_status,
    [GS_COMMAND_COST] = gs_cli_cost,
    [GS_COMMAND_TRACE] = gs_cli_trace,
    [GS_COMMAND_CONFIG] = gs_cli_config,
    [GS_COMMAND_COMPLETION] = gs_cli_completion,
    [GS_COMMAND_VERSION] = gs_cli_version,
    [GS_COMMAND_HELP] = gs_cli_help,
};

static const char *get_env(void *ud, const char *name)
{
    (void)ud;
    return getenv(name);
}

/* Print the answer of a command that went well. On a terminal nothing that came from a file or a
 * model may steer it; elsewhere bytes are bytes. */
static int print(const struct gs_buf *out)
{
    struct gs_error err;
    struct gs_buf shown;
    int code = GS_EXIT_OK;

    if (!gs_buf_ok(out)) {
        gs_error_nomem(&err, "hold the output");
        return gs_cli_fail(&err, GS_EXIT_FAILED);
    }
    gs_buf_init(&shown, 3 * GS_MAX_TEXT_BYTES); /* one byte may become three */
    struct gs_slice text = gs_buf_view(out);
    if (isatty(STDOUT_FILENO)) {
        gs_cli_put_harmless(&shown, text);
        text = gs_buf_view(&shown);
    }
    if (text.len > 0 && !gs_cli_write(text))
        code = GS_EXIT_FAILED;
    gs_buf_clear(&shown);
    return code;
}

static int fail_config(const struct gs_buf *report)
{
    struct gs_error err;

    if (report->len == 0) {
        gs_error_nomem(&err, "read the configuration");
        return gs_cli_fail(&err, GS_EXIT_FAILED);
    }
    fwrite(report->ptr, 1, report->len, stderr);
    return GS_EXIT_USAGE;
}

static int run_command(enum gs_command command, int argc, char **argv)
{
    const struct gs_config_source source = {
        .command = command,
        .argv = (const char *const *)argv,
        .argc = (size_t)argc,
        .env = get_env,
    };
    struct gs_config config;
    struct gs_buf out;
    int code = GS_EXIT_OK;

    gs_buf_init(&out, GS_MAX_TEXT_BYTES);
    if (gs_config_load(&config, &source, &out) != GS_OK) {
        code = fail_config(&out);
    } else {
        if (config.help)
            gs_config_write_help(command, &out);
        else
            code = commands[command](&config, &out);
        if (code == GS_EXIT_OK)
            code = print(&out);
    }
    gs_config_clear(&config);
    gs_buf_clear(&out);
    return code;
}

/* For line editing: terminals speak UTF-8, also where nobody set the locale. */
static void use_utf8(void)
{
    if (!setlocale(LC_CTYPE, "") || strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
        setlocale(LC_CTYPE, "C.UTF-8");
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    enum gs_command command;

    use_utf8();
    signal(SIGPIPE, SIG_IGN); /* a closed pipe is a failed write */
    if (strcmp(name, "--version") == 0)
        return run_command(GS_COMMAND_VERSION, argc - 2, argv + 2);
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return run_command(GS_COMMAND_HELP, argc - 2, argv + 2);
    if (argc < 2)
        return gs_cli_fail_usage("a command is missing", "Run \"genset help\" for the list.");
    if (!gs_config_command_find(name, &command))
        return gs_cli_fail_command(name);
    return run_command(command, argc - 2, argv + 2);
}
