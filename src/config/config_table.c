/* The tables of commands and options, looking things up in them, and "did you mean". */
#include "config/config_table.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

#include "base/slice.h"

#define MAX_WORD 40 /* longer words get no suggestion */

const struct gs_config_option gs_config_options[GS_OPTION_COUNT] = {
#define GS_OPTION(type_, field, flag_, letter_, key_, commands_, preset_, lo_, hi_, value_, help_) \
    {.type = GS_CONFIG_##type_,                                                                    \
     .field_off = offsetof(struct gs_config, field),                                               \
     .flag = (flag_),                                                                              \
     .letter = (letter_),                                                                          \
     .key = (key_),                                                                                \
     .commands = (commands_),                                                                      \
     .preset = (preset_),                                                                          \
     .lo = (lo_),                                                                                  \
     .hi = (hi_),                                                                                  \
     .value = (value_),                                                                            \
     .help = (help_)},
#include "config/options.def"
};

const struct gs_config_command gs_config_commands[GS_COMMAND_COUNT] = {
#define GS_COMMAND(id, name, args, min, max, summary, text) {name, args, min, max, summary, text},
#include "config/commands.def"
};

bool gs_config_command_find(const char *name, enum gs_command *out_command)
{
    for (int i = 0; i < GS_COMMAND_COUNT; i++) {
        if (strcmp(gs_config_commands[i].name, name) != 0)
            continue;
        *out_command = (enum gs_command)i;
        return true;
    }
    return false;
}

const char *gs_config_command_name(enum gs_command command)
{
    return gs_config_commands[command].name;
}

const char *gs_config_command_suggest(const char *name)
{
    struct gs_config_guess g;

    gs_config_guess_init(&g, gs_slice_str(name));
    for (int i = 0; i < GS_COMMAND_COUNT; i++)
        gs_config_guess_try(&g, gs_slice_str(gs_config_commands[i].name));
    return g.found.ptr;
}

bool gs_config_command_is_configured(enum gs_command command)
{
    return (GS_ON_CONFIGURED & 1u << command) != 0;
}

bool gs_config_command_is_routed(enum gs_command command)
{
    return (GS_ON_ROUTED & 1u << command) != 0;
}

bool gs_config_option_find(enum gs_command command, struct gs_slice flag,
                           enum gs_option *out_option)
{
    for (int i = 0; i < GS_OPTION_COUNT; i++) {
        const struct gs_config_option *o = &gs_config_options[i];
        if (!gs_config_option_applies(o, command) || !gs_slice_eq_str(flag, o->flag))
            continue;
        *out_option = (enum gs_option)i;
        return true;
    }
    return false;
}

void gs_config_env_name(const struct gs_config_option *o, char out[GS_ENV_BYTES])
{
    static const char prefix[] = "GENSET_";
    size_t len = sizeof(prefix) - 1;

    memcpy(out, prefix, len);
    for (const char *p = o->flag; *p && len + 1 < GS_ENV_BYTES; p++)
        out[len++] = *p == '-' ? '_' : (char)toupper((unsigned char)*p);
    out[len] = '\0';
}

struct gs_slice gs_config_words_get(const char *words, size_t idx)
{
    for (;; idx--) {
        const size_t len = strcspn(words, "|");
        if (idx == 0)
            return gs_slice(words, len);
        if (words[len] == '\0')
            return (struct gs_slice){NULL, 0};
        words += len + 1;
    }
}

struct gs_slice gs_config_word(enum gs_option option, int idx)
{
    return gs_config_words_get(gs_config_options[option].value, (size_t)idx);
}

bool gs_config_type_is_list(enum gs_config_type type)
{
    return type == GS_CONFIG_STRINGS || type == GS_CONFIG_PATHS;
}

bool gs_config_option_applies(const struct gs_config_option *o, enum gs_command command)
{
    if (command == GS_COMMAND_HERMIT) /* is serve with one option fixed */
        return o != &gs_config_options[GS_OPTION_hermit] &&
               gs_config_option_applies(o, GS_COMMAND_SERVE);
    return (o->commands & 1u << command) != 0;
}

bool gs_config_option_is_on(const struct gs_config_option *o)
{
    return o->type == GS_CONFIG_BOOL && o->preset && strcmp(o->preset, "true") == 0;
}

/* ---- did you mean ---- */

static char plain(char c)
{
    return c == '-' ? '_' : (char)tolower((unsigned char)c);
}

/* Edits that turn a into b: insert, delete, replace, swap neighbours (Damerau 1964, restricted). */
static size_t distance(struct gs_slice a, struct gs_slice b)
{
    size_t rows[3][MAX_WORD + 1];
    size_t *before = rows[0];
    size_t *last = rows[1];
    size_t *row = rows[2];

    for (size_t j = 0; j <= b.len; j++)
        last[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            const char x = plain(a.ptr[i - 1]);
            const char y = plain(b.ptr[j - 1]);
            row[j] = GS_MIN(GS_MIN(last[j], row[j - 1]) + 1, last[j - 1] + (x != y));
            if (i > 1 && j > 1 && x == plain(b.ptr[j - 2]) && y == plain(a.ptr[i - 2]))
                row[j] = GS_MIN(row[j], before[j - 2] + 1);
        }
        size_t *spare = before;
        before = last;
        last = row;
        row = spare;
    }
    return last[b.len];
}

void gs_config_guess_init(struct gs_config_guess *g, struct gs_slice word)
{
    *g = (struct gs_config_guess){.word = word, .best = GS_MIN(word.len / 3, 2) + 1};
}

void gs_config_guess_try(struct gs_config_guess *g, struct gs_slice candidate)
{
    if (g->word.len == 0 || g->word.len > MAX_WORD || candidate.len > MAX_WORD)
        return;
    const bool begins = g->word.len >= 2 && gs_slice_starts(candidate, g->word);
    const size_t d = begins ? 0 : distance(g->word, candidate);
    if (d >= g->best)
        return;
    g->best = d;
    g->found = candidate;
}
