/* Completion scripts for bash, zsh and fish: commands, the flags of each, words of an ENUM, files.
 */
#include <string.h>

#include "base/slice.h"
#include "config/config_table.h"

static bool is_file(const struct gs_config_option *o)
{
    return o->type == GS_CONFIG_PATH || o->type == GS_CONFIG_PATHS;
}

/* "--no-x" for a switch that is on, "--x" else. */
static void put_flag(struct gs_buf *b, const struct gs_config_option *o)
{
    gs_buf_printf(b, "--%s%s", gs_config_option_is_on(o) ? "no-" : "", o->flag);
}

static void put_words(struct gs_buf *b, const char *words)
{
    for (; *words; words++)
        gs_buf_putc(b, *words == '|' ? ' ' : *words);
}

/* Arguments that are words: "bash|zsh|fish". */
static bool has_words(const struct gs_config_command *c)
{
    return strchr(c->args, '|') != NULL;
}

static void put_commands(struct gs_buf *b)
{
    for (int i = 0; i < GS_COMMAND_COUNT; i++)
        gs_buf_printf(b, "%s%s", i ? " " : "", gs_config_commands[i].name);
}

/* ---- bash ---- */

static void put_bash_values(struct gs_buf *b)
{
    for (int i = 0; i < GS_OPTION_COUNT; i++) {
        const struct gs_config_option *o = &gs_config_options[i];
        if (o->type != GS_CONFIG_ENUM)
            continue;
        gs_buf_printf(b, "    --%s) COMPREPLY=($(compgen -W '", o->flag);
        put_words(b, o->value);
        gs_buf_puts(b, "' -- \"$cur\")); return ;;\n");
    }
}

static void write_bash(struct gs_buf *b)
{
    gs_buf_puts(b, "# bash completion of genset\n_genset()\n{\n"
                   "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
                   "    local flags= words=\n"
                   "    COMPREPLY=()\n"
                   "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
                   "        COMPREPLY=($(compgen -W '");
    put_commands(b);
    gs_buf_puts(b, "' -- \"$cur\"))\n        return\n    fi\n    case $prev in\n");
    put_bash_values(b);
    gs_buf_puts(b, "    esac\n    case ${COMP_WORDS[1]} in\n");
    for (int i = 0; i < GS_COMMAND_COUNT; i++) {
        const struct gs_config_command *c = &gs_config_commands[i];
        gs_buf_printf(b, "    %s) flags='", c->name);
        for (int j = 0; j < GS_OPTION_COUNT; j++) {
            if (!gs_config_option_applies(&gs_config_options[j], (enum gs_command)i))
                continue;
            put_flag(b, &gs_config_options[j]);
            gs_buf_putc(b, ' ');
        }
        gs_buf_puts(b, "'");
        if (has_words(c) || i == GS_COMMAND_HELP) {
            gs_buf_puts(b, " words='");
            if (i == GS_COMMAND_HELP)
                put_commands(b);
            else
                put_words(b, c->args);
            gs_buf_puts(b, "'");
        }
        gs_buf_puts(b, " ;;\n");
    }
    gs_buf_puts(b, "    esac\n    case $cur in\n"
                   "    -*) COMPREPLY=($(compgen -W \"$flags\" -- \"$cur\")) ;;\n"
                   "    *)\n        if [ -n \"$words\" ]; then\n"
                   "            COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
                   "        else\n            COMPREPLY=($(compgen -f -- \"$cur\"))\n"
                   "        fi ;;\n    esac\n}\n"
                   "complete -o filenames -F _genset genset\n");
}

/* ---- zsh ---- */

/* Text inside '...[text]': brackets and colons are escaped for _arguments. */
static void put_zsh_text(struct gs_buf *b, const char *text)
{
    for (; *text; text++) {
        if (strchr("[]:", *text))
            gs_buf_putc(b, '\\');
        if (*text == '\'')
            gs_buf_puts(b, "'\\'");
        gs_buf_putc(b, *text);
    }
}

static void put_zsh_option(struct gs_buf *b, const struct gs_config_option *o)
{
    gs_buf_puts(b, " \\\n            '*");
    put_flag(b, o);
    if (o->type != GS_CONFIG_BOOL)
        gs_buf_putc(b, '=');
    gs_buf_putc(b, '[');
    put_zsh_text(b, o->help);
    gs_buf_putc(b, ']');
    if (o->type == GS_CONFIG_ENUM) {
        gs_buf_printf(b, ":%s:(", o->flag);
        put_words(b, o->value);
        gs_buf_putc(b, ')');
    } else if (o->type != GS_CONFIG_BOOL) {
        gs_buf_printf(b, ":%s:%s", o->flag, is_file(o) ? "_files" : "");
    }
    gs_buf_putc(b, '\'');
}

static void write_zsh(struct gs_buf *b)
{
    gs_buf_puts(b, "#compdef genset\n_genset()\n{\n"
                   "    if (( CURRENT == 2 )); then\n        local -a commands\n"
                   "        commands=(");
    for (int i = 0; i < GS_COMMAND_COUNT; i++)
        gs_buf_printf(b, "\n            '%s:%s'", gs_config_commands[i].name,
                      gs_config_commands[i].summary);
    gs_buf_puts(b, ")\n        _describe command commands\n        return\n    fi\n"
                   "    local command=$words[2]\n    shift words\n    (( CURRENT-- ))\n"
                   "    case $command in\n");
    for (int i = 0; i < GS_COMMAND_COUNT; i++) {
        const struct gs_config_command *c = &gs_config_commands[i];
        gs_buf_printf(b, "    %s)\n        _arguments", c->name);
        for (int j = 0; j < GS_OPTION_COUNT; j++)
            if (gs_config_option_applies(&gs_config_options[j], (enum gs_command)i))
                put_zsh_option(b, &gs_config_options[j]);
        if (has_words(c) || i == GS_COMMAND_HELP) {
            gs_buf_puts(b, " \\\n            '1:argument:(");
            if (i == GS_COMMAND_HELP)
                put_commands(b);
            else
                put_words(b, c->args);
            gs_buf_puts(b, ")'");
        } else if (c->max_args > 0) {
            gs_buf_puts(b, " \\\n            '*:argument:_files'");
        }
        gs_buf_puts(b, " ;;\n");
    }
    gs_buf_puts(b, "    esac\n}\ncompdef _genset genset\n");
}

/* ---- fish ---- */

static void put_fish_text(struct gs_buf *b, const char *text)
{
    gs_buf_putc(b, '\'');
    for (; *text; text++) {
        if (*text == '\'')
            gs_buf_putc(b, '\\');
        gs_buf_putc(b, *text);
    }
    gs_buf_putc(b, '\'');
}

static void put_fish_option(struct gs_buf *b, const char *command, const struct gs_config_option *o)
{
    gs_buf_printf(b, "complete -c genset -n '__fish_seen_subcommand_from %s' -l %s%s", command,
                  gs_config_option_is_on(o) ? "no-" : "", o->flag);
    if (o->letter)
        gs_buf_printf(b, " -s %c", o->letter);
    if (o->type == GS_CONFIG_ENUM) {
        gs_buf_puts(b, " -x -a '");
        put_words(b, o->value);
        gs_buf_putc(b, '\'');
    } else if (o->type != GS_CONFIG_BOOL) {
        gs_buf_puts(b, is_file(o) ? " -r -F" : " -x");
    }
    gs_buf_puts(b, " -d ");
    put_fish_text(b, o->help);
    gs_buf_putc(b, '\n');
}

static void write_fish(struct gs_buf *b)
{
    gs_buf_puts(b, "# fish completion of genset\n");
    for (int i = 0; i < GS_COMMAND_COUNT; i++) {
        const struct gs_config_command *c = &gs_config_commands[i];
        gs_buf_printf(b, "complete -c genset -n __fish_use_subcommand -f -a %s -d ", c->name);
        put_fish_text(b, c->summary);
        gs_buf_putc(b, '\n');
        for (int j = 0; j < GS_OPTION_COUNT; j++)
            if (gs_config_option_applies(&gs_config_options[j], (enum gs_command)i))
                put_fish_option(b, c->name, &gs_config_options[j]);
        if (!has_words(c) && i != GS_COMMAND_HELP)
            continue;
        gs_buf_printf(b, "complete -c genset -n '__fish_seen_subcommand_from %s' -f -a '", c->name);
        if (i == GS_COMMAND_HELP)
            put_commands(b);
        else
            put_words(b, c->args);
        gs_buf_puts(b, "'\n");
    }
}

bool gs_config_write_completion(const char *shell, struct gs_buf *b)
{
    static const struct {
        const char *shell;
        void (*write)(struct gs_buf *b);
    } writers[] = {{"bash", write_bash}, {"zsh", write_zsh}, {"fish", write_fish}};

    for (size_t i = 0; i < GS_COUNT_OF(writers); i++) {
        if (strcmp(writers[i].shell, shell) != 0)
            continue;
        writers[i].write(b);
        return true;
    }
    return false;
}
