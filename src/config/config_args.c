/* The command line: --flag VALUE, --flag=VALUE, --no-flag, -f VALUE, -fVALUE; "--" ends the flags,
 * "-" is an argument. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/slice.h"
#include "config/config_table.h"

struct args {
    struct gs_config *c;
    const struct gs_config_source *source;
    const char *home;
    struct gs_buf *report;
    size_t next; /* argument to be read */
    bool failed;
};

static void fail(struct args *a, const struct gs_error *err)
{
    gs_config_report(a->report, err);
    a->failed = true;
}

static void set(struct args *a, enum gs_option option, const char *spelled, struct gs_slice value)
{
    struct gs_error err = {0};

    if (a->c->origin[option] != GS_ORIGIN_FLAG)
        gs_config_value_reset(a->c, option);
    if (gs_config_value_parse(a->c, option, value, a->home, &err) != GS_OK) {
        gs_error_prefix(&err, "%s", spelled);
        fail(a, &err);
    }
    a->c->origin[option] = GS_ORIGIN_FLAG;
}

static void fail_unknown(struct args *a, const char *arg, size_t flag_len)
{
    const enum gs_command command = a->source->command;
    struct gs_config_guess g;
    struct gs_error err;

    gs_error_set(&err, GS_ECONFIG, "unknown option \"%.*s\" for command \"%s\"",
                 (int)GS_MIN(flag_len, 80), arg, gs_config_command_name(command));
    gs_config_guess_init(&g, flag_len > 2 ? gs_slice(arg + 2, flag_len - 2) : GS_SLICE_LIT(""));
    for (int i = 0; i < GS_OPTION_COUNT; i++)
        if (gs_config_option_applies(&gs_config_options[i], command))
            gs_config_guess_try(&g, gs_slice_str(gs_config_options[i].flag));
    if (g.found.len)
        gs_error_hint(&err, "Did you mean \"--%.*s\"?", (int)g.found.len, g.found.ptr);
    else
        gs_error_hint(&err, "Run \"genset help %s\" for its options.",
                      gs_config_command_name(command));
    fail(a, &err);
}

/* The argument after a flag, whatever it looks like. */
static bool take_value(struct args *a, const char *spelled, enum gs_option option,
                       struct gs_slice *out)
{
    struct gs_error err;

    if (a->next < a->source->argc) {
        *out = gs_slice_str(a->source->argv[a->next++]);
        return true;
    }
    gs_error_set(&err, GS_ECONFIG, "%s: a value is missing", spelled);
    gs_error_hint(&err, "Write %s %s.", spelled, gs_config_options[option].value);
    fail(a, &err);
    return false;
}

static void read_long(struct args *a, const char *arg)
{
    const size_t len = strcspn(arg, "=");
    const struct gs_slice flag = gs_slice(arg + 2, len - 2);
    const bool has_value = arg[len] == '=';
    const enum gs_command command = a->source->command;
    struct gs_slice value = gs_slice_str(arg + len + has_value);
    enum gs_option option;
    char spelled[GS_ENV_BYTES];

    snprintf(spelled, sizeof(spelled), "%.*s", (int)len, arg);
    if (gs_config_option_find(command, flag, &option)) {
        if (gs_config_options[option].type == GS_CONFIG_BOOL && !has_value)
            value = GS_SLICE_LIT("true");
        else if (!has_value && !take_value(a, spelled, option, &value))
            return;
        set(a, option, spelled, value);
        return;
    }
    const bool is_no = gs_slice_starts(flag, GS_SLICE_LIT("no-"));
    if (is_no && !has_value &&
        gs_config_option_find(command, gs_slice_sub(flag, 3, flag.len), &option) &&
        gs_config_options[option].type == GS_CONFIG_BOOL) {
        set(a, option, spelled, GS_SLICE_LIT("false"));
        return;
    }
    fail_unknown(a, arg, len);
}

static void read_short(struct args *a, const char *arg)
{
    for (int i = 0; i < GS_OPTION_COUNT; i++) {
        const struct gs_config_option *o = &gs_config_options[i];
        const char spelled[] = {'-', arg[1], '\0'};
        struct gs_slice value = gs_slice_str(arg + 2);
        if (o->letter != arg[1] || !gs_config_option_applies(o, a->source->command))
            continue;
        if (o->type == GS_CONFIG_BOOL) {
            if (value.len > 0)
                break;
            value = GS_SLICE_LIT("true");
        } else if (value.len == 0 && !take_value(a, spelled, (enum gs_option)i, &value)) {
            return;
        }
        set(a, (enum gs_option)i, spelled, value);
        return;
    }
    fail_unknown(a, arg, strlen(arg));
}

static void check_count(struct args *a)
{
    const struct gs_config_command *command = &gs_config_commands[a->source->command];
    const size_t n = a->c->args.len;
    struct gs_error err;

    if (n >= command->min_args && n <= command->max_args)
        return;
    if (n < command->min_args)
        gs_error_set(&err, GS_ECONFIG, "command \"%s\" needs %s", command->name, command->args);
    else
        gs_error_set(&err, GS_ECONFIG, "command \"%s\" has no place for \"%.80s\"", command->name,
                     a->c->args.items[command->max_args]);
    gs_error_hint(&err, "Usage: genset %s [OPTION...] %s", command->name, command->args);
    fail(a, &err);
}

enum gs_status gs_config_read_args(struct gs_config *c, const struct gs_config_source *source,
                                   const char *home, struct gs_buf *report)
{
    struct args a = {.c = c, .source = source, .home = home, .report = report};
    bool flags_ended = false;

    while (a.next < source->argc && !c->help) {
        const char *arg = source->argv[a.next++];
        if (flags_ended || arg[0] != '-' || arg[1] == '\0') {
            if (!gs_config_list_add(&c->arena, &c->args, gs_slice_str(arg)))
                return GS_ENOMEM;
        } else if (strcmp(arg, "--") == 0) {
            flags_ended = true;
        } else if (arg[1] == '-') {
            read_long(&a, arg);
        } else {
            read_short(&a, arg);
        }
    }
    if (c->help)
        return GS_OK;
    if (!a.failed)
        check_count(&a);
    return a.failed ? GS_ECONFIG : GS_OK;
}
