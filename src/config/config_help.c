/* Help for people: the overview, one command, the manual page. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/slice.h"
#include "config/config_routes.h"

#define WIDTH      88 /* columns of help */
#define FLAG_WIDTH 28 /* of them for "-t, --threads N" */

struct note {
    const char *name;
    const char *text;
};

static const struct note exit_codes[] = {
    {"0", "all went well"},
    {"1", "it failed: input or output, memory, a template, a limit"},
    {"2", "the command line or the configuration is wrong"},
    {"3", "the model was not found, is damaged, or is not supported"},
    {"130", "interrupted with Ctrl-C"},
};

static const struct note files[] = {
    {"$XDG_CONFIG_HOME/genset/config.yaml", "configuration, if there is one (~/.config)"},
    {"$XDG_DATA_HOME/genset/models/", "models, found by their name (~/.local/share)"},
    {"$XDG_STATE_HOME/genset/history", "lines typed in conversations (~/.local/state)"},
    {"$XDG_STATE_HOME/genset/serve-PORT.log", "log of the server that launch started"},
    {"$XDG_STATE_HOME/genset/launch/", "what launch writes for tools that read only files"},
};

/* "-t, --threads N"; a BOOL that is on by default is shown as the flag that switches it off. */
static void put_flag(struct gs_buf *b, const struct gs_config_option *o)
{
    const bool is_bool = o->type == GS_CONFIG_BOOL;
    const bool is_on = gs_config_option_is_on(o);
    const char *no = is_on ? "no-" : is_bool && !o->preset ? "[no-]" : "";

    if (o->letter)
        gs_buf_printf(b, "-%c, --%s%s", o->letter, no, o->flag);
    else
        gs_buf_printf(b, "    --%s%s", no, o->flag);
    if (!is_bool)
        gs_buf_printf(b, " %s", o->value);
}

static void put_help(struct gs_buf *b, const struct gs_config_option *o)
{
    gs_buf_printf(b, "%s%s", gs_config_option_is_on(o) ? "do not " : "", o->help);
    if (o->type != GS_CONFIG_BOOL && o->preset)
        gs_buf_printf(b, " [%s]", o->preset);
}

/* Words from column `indent` on, the first line continued where the cursor is. */
static void put_wrapped(struct gs_buf *b, struct gs_slice text, size_t indent)
{
    size_t col = indent;

    while (text.len > 0) {
        const char *space = memchr(text.ptr, ' ', text.len);
        const size_t len = space ? (size_t)(space - text.ptr) : text.len;
        if (col > indent && col + 1 + len > WIDTH) {
            gs_buf_printf(b, "\n%*s", (int)indent, "");
            col = indent;
        } else if (col > indent) {
            gs_buf_putc(b, ' ');
            col++;
        }
        gs_buf_slice(b, gs_slice_sub(text, 0, len));
        col += len;
        text = gs_slice_sub(text, len + 1, text.len);
    }
    gs_buf_putc(b, '\n');
}

static void put_option(struct gs_buf *b, const struct gs_config_option *o)
{
    const size_t start = b->len;
    struct gs_buf help;

    gs_buf_puts(b, "  ");
    put_flag(b, o);
    if (b->len - start >= FLAG_WIDTH + 2)
        gs_buf_printf(b, "\n%*s", FLAG_WIDTH + 4, "");
    else
        gs_buf_printf(b, "%*s", (int)(FLAG_WIDTH + 4 - (b->len - start)), "");
    gs_buf_init(&help, b->max);
    put_help(&help, o);
    put_wrapped(b, gs_buf_view(&help), FLAG_WIDTH + 4);
    b->failed |= help.failed;
    gs_buf_clear(&help);
}

void gs_config_write_overview(struct gs_buf *b)
{
    gs_buf_puts(b, "genset: language models on your own machine\n\n"
                   "usage: genset COMMAND [OPTION...] [ARGUMENT...]\n\ncommands:\n");
    for (int i = 0; i < GS_COMMAND_COUNT; i++)
        gs_buf_printf(b, "  %-12s%s\n", gs_config_commands[i].name, gs_config_commands[i].summary);
    gs_buf_puts(b, "\nMODEL is a GGUF file, or the name of one in the models folders.\n"
                   "\"genset help COMMAND\" explains a command.\n\nexit status:\n");
    for (size_t i = 0; i < GS_COUNT_OF(exit_codes); i++)
        gs_buf_printf(b, "  %-12s%s\n", exit_codes[i].name, exit_codes[i].text);
}

void gs_config_write_help(enum gs_command command, struct gs_buf *b)
{
    const struct gs_config_command *c = &gs_config_commands[command];

    gs_buf_printf(b, "genset %s: %s\n\nusage: genset %s [OPTION...]%s%s\n\n", c->name, c->summary,
                  c->name, c->args[0] ? " " : "", c->args);
    put_wrapped(b, gs_slice_str(c->text), 0);
    gs_buf_puts(b, "\noptions:\n");
    for (int i = 0; i < GS_OPTION_COUNT; i++)
        if (gs_config_option_applies(&gs_config_options[i], command))
            put_option(b, &gs_config_options[i]);
}

/* ---- the manual page: roff with the man macros, see groff_man(7) ---- */

/* Text with what roff would take for itself escaped. */
static void put_roff(struct gs_buf *b, const char *text)
{
    for (; *text; text++) {
        if (*text == '-')
            gs_buf_puts(b, "\\-");
        else if (*text == '\\')
            gs_buf_puts(b, "\\e");
        else if (*text == '~')
            gs_buf_puts(b, "\\(ti");
        else
            gs_buf_putc(b, *text);
    }
}

static void put_item(struct gs_buf *b, const char *term, const char *text)
{
    gs_buf_puts(b, ".TP\n\\fB");
    put_roff(b, term);
    gs_buf_puts(b, "\\fR\n");
    put_roff(b, text);
    gs_buf_putc(b, '\n');
}

/* What the option does, then where else it can be set, then who takes it. */
static void put_man_option(struct gs_buf *b, const struct gs_config_option *o)
{
    const char *comma = "";
    struct gs_buf text;
    char env[GS_ENV_BYTES];

    gs_buf_init(&text, b->max);
    put_flag(&text, o);
    gs_buf_putc(&text, '\0');
    const size_t at = text.len;
    put_help(&text, o);
    if (o->key) {
        gs_config_env_name(o, env);
        gs_buf_printf(&text, "\n.br\nFile: %s. Environment: %s.", o->key, env);
    }
    gs_buf_puts(&text, "\n.br\nCommands: ");
    for (int i = 0; i < GS_COMMAND_COUNT; i++) {
        if (!gs_config_option_applies(o, (enum gs_command)i))
            continue;
        gs_buf_printf(&text, "%s%s", comma, gs_config_commands[i].name);
        comma = ", ";
    }
    gs_buf_puts(&text, ".");
    gs_buf_putc(&text, '\0');
    if (gs_buf_ok(&text))
        put_item(b, text.ptr + strspn(text.ptr, " "), text.ptr + at);
    b->failed |= text.failed;
    gs_buf_clear(&text);
}

static void put_man_command(struct gs_buf *b, const struct gs_config_command *c)
{
    gs_buf_printf(b, ".TP\n.B genset %s [OPTION...] ", c->name);
    put_roff(b, c->args);
    gs_buf_putc(b, '\n');
    put_roff(b, c->text);
    gs_buf_putc(b, '\n');
}

/* The keys of a part, those of its groups among them. */
static void put_man_keys(struct gs_buf *b, const char *prefix, enum gs_config_part part)
{
    for (size_t i = 0; i < gs_config_n_routes_keys; i++) {
        const struct gs_config_routes_key *k = &gs_config_routes_keys[i];
        char path[64];
        if (k->part != part)
            continue;
        snprintf(path, sizeof(path), "%s.%s", prefix, k->o.key);
        put_item(b, path, k->o.help);
        if (k->o.type == GS_CONFIG_GROUP)
            put_man_keys(b, path, k->group);
    }
}

static void put_man_sections(struct gs_buf *b)
{
    gs_buf_puts(b,
                ".SH CONFIGURATION FILE\nYAML. Options are set by the key that is given with each "
                "above. These sections are about other computers:\n");
    for (size_t i = 0; i < GS_CONFIG_SECTION_COUNT; i++) {
        const struct gs_config_section *s = &gs_config_sections[i];
        char path[64];
        put_item(b, s->key, s->help);
        snprintf(path, sizeof(path), "%s%s%s", s->key, s->is_list ? "[]" : ".",
                 s->is_list ? "" : s->name);
        put_man_keys(b, path, s->part);
    }
}

void gs_config_write_man(struct gs_buf *b)
{
    gs_buf_printf(b, ".TH GENSET 1 \"\" \"genset %s\" \"User Commands\"\n", GENSET_VERSION);
    gs_buf_puts(b,
                ".SH NAME\ngenset \\- language models on your own machine\n"
                ".SH SYNOPSIS\n.B genset\n.I COMMAND\n[OPTION...] [ARGUMENT...]\n"
                ".SH DESCRIPTION\n"
                "Runs language models in GGUF files and serves them through the Anthropic, OpenAI "
                "and Ollama APIs. MODEL is a GGUF file, or the name of one in the models folders. "
                "An option is taken from the command line, else from the environment, else from "
                "the configuration file, else from its default, which is given in brackets.\n"
                ".SH COMMANDS\n");
    for (int i = 0; i < GS_COMMAND_COUNT; i++)
        put_man_command(b, &gs_config_commands[i]);
    gs_buf_puts(b, ".SH OPTIONS\n");
    for (int i = 0; i < GS_OPTION_COUNT; i++)
        put_man_option(b, &gs_config_options[i]);
    put_man_sections(b);
    gs_buf_puts(b, ".SH FILES\n");
    for (size_t i = 0; i < GS_COUNT_OF(files); i++)
        put_item(b, files[i].name, files[i].text);
    gs_buf_puts(b, ".SH EXIT STATUS\n");
    for (size_t i = 0; i < GS_COUNT_OF(exit_codes); i++)
        put_item(b, exit_codes[i].name, exit_codes[i].text);
    gs_buf_puts(b, ".SH EXAMPLES\n.EX\ngenset run model.gguf\n"
                   "genset run model.gguf \"Why is the sky blue?\"\n"
                   "genset serve model.gguf \\-\\-listen 127.0.0.1:8484\n.EE\n");
}
