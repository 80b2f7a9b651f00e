/* One configuration from its sources: the flags say which file is read; then the file, the
 * environment and the flags are laid over the defaults, in this order. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/os.h"
#include "base/slice.h"
#include "config/config_routes.h"
#include "config/config_table.h"
#include "config/config_tree.h"

#define MAX_ARENA_BYTES (16 * GS_MIB)

struct places {
    const char *home;        /* NULL: unknown */
    const char *config_file; /* the user's own, NULL: unknown */
};

enum gs_status gs_config_init(struct gs_config *c)
{
    struct gs_error err;

    *c = (struct gs_config){0};
    gs_arena_init(&c->arena, MAX_ARENA_BYTES);
    for (int i = 0; i < GS_OPTION_COUNT; i++) {
        const char *preset = gs_config_options[i].preset;
        if (!preset)
            continue;
        const enum gs_status st =
            gs_config_value_parse(c, (enum gs_option)i, gs_slice_str(preset), NULL, &err);
        if (st != GS_OK)
            return st;
    }
    return GS_OK;
}

void gs_config_clear(struct gs_config *c)
{
    if (!c)
        return;
    gs_arena_clear(&c->arena);
    *c = (struct gs_config){0};
}

static const char *get_env(const struct gs_config_source *source, const char *name)
{
    const char *value = source->env ? source->env(source->env_ud, name) : NULL;

    return value && value[0] ? value : NULL;
}

/* $NAME/genset, or ~/FALLBACK/genset; relative paths in the variables do not count (XDG Base
 * Directory Specification 0.8). NULL when neither is known or memory is short. */
static const char *find_dir(struct gs_config *c, const struct gs_config_source *source,
                            const char *home, const char *name, const char *fallback)
{
    const char *dir = get_env(source, name);

    if (dir && dir[0] == '/')
        return gs_arena_printf(&c->arena, "%s/genset", dir).ptr;
    return home ? gs_arena_printf(&c->arena, "%s/%s/genset", home, fallback).ptr : NULL;
}

static void find_places(struct gs_config *c, const struct gs_config_source *source,
                        struct places *p)
{
    p->home = get_env(source, "HOME");
    c->data_dir = find_dir(c, source, p->home, "XDG_DATA_HOME", ".local/share");
    c->state_dir = find_dir(c, source, p->home, "XDG_STATE_HOME", ".local/state");
    c->cache_dir = find_dir(c, source, p->home, "XDG_CACHE_HOME", ".cache");
    const char *dir = find_dir(c, source, p->home, "XDG_CONFIG_HOME", ".config");
    p->config_file = dir ? gs_arena_printf(&c->arena, "%s/config.yaml", dir).ptr : NULL;
}

/* The file while it is read: what is in it, and what is wrong with it. */
struct sheet {
    struct gs_buf text;
    struct gs_config_tree tree;
    struct gs_config_errors errors;
};

/* The options; sheet->tree keeps the rest. */
static enum gs_status read_file(struct gs_config *c, const struct places *places,
                                const char *chosen, struct sheet *s)
{
    const char *path = chosen ? chosen : places->config_file;
    struct gs_error err = {0};

    c->file_wanted = path ? gs_arena_printf(&c->arena, "%s", path).ptr : NULL;
    if (!path || (!chosen && access(path, F_OK) != 0))
        return GS_OK;
    if (!c->file_wanted)
        return GS_ENOMEM;
    if (gs_os_read_file(path, &s->text, &err) != GS_OK) {
        gs_config_report(s->errors.report, &err);
        return GS_ECONFIG;
    }
    c->file = c->file_wanted;
    s->errors.name = c->file;
    s->errors.text = gs_buf_view(&s->text);
    gs_config_tree_read(&s->tree, c->file, s->errors.text, &c->arena);
    gs_config_read_options(c, s->tree.root, places->home, &s->errors);
    return GS_OK;
}

/* The sections about other computers, and what there is of the file still to be told. */
static void read_rest(struct gs_config *c, const struct gs_config_source *source,
                      const struct places *places, struct sheet *s)
{
    const struct gs_config_routes_source from = {
        .name = s->errors.name,
        .text = s->errors.text,
        .home = places->home,
        .env = source->env,
        .env_ud = source->env_ud,
        .listen = c->listen,
        .is_hermit = c->hermit,
    };

    if (gs_config_command_is_routed(source->command))
        gs_config_routes_of_tree(&from, s->tree.root, &c->arena, &c->routes, &s->errors);
    gs_config_errors_tree(&s->errors, &s->tree);
}

/* Of the flag, or the one that "config" is to look at. */
static const char *chosen_file(const struct gs_config *flags, const struct gs_config_source *source)
{
    if (!flags->config_path && source->command == GS_COMMAND_CONFIG && flags->args.len > 1)
        return flags->args.items[1];
    return flags->config_path;
}

/* A list in a variable: paths are parted as in PATH, other texts by commas. */
static enum gs_status parse_env_list(struct gs_config *c, enum gs_option option,
                                     struct gs_slice text, const char *home, struct gs_error *err)
{
    const char mark = gs_config_options[option].type == GS_CONFIG_PATHS ? ':' : ',';

    while (text.len > 0) {
        const char *end = memchr(text.ptr, mark, text.len);
        const size_t len = end ? (size_t)(end - text.ptr) : text.len;
        const enum gs_status st =
            len ? gs_config_value_parse(c, option, gs_slice_sub(text, 0, len), home, err) : GS_OK;
        if (st != GS_OK)
            return st;
        text = gs_slice_sub(text, len + 1, text.len);
    }
    return GS_OK;
}

static enum gs_status read_env(struct gs_config *c, const struct gs_config_source *source,
                               const char *home, struct gs_buf *report)
{
    enum gs_status result = GS_OK;

    for (int i = 0; i < GS_OPTION_COUNT; i++) {
        const struct gs_config_option *o = &gs_config_options[i];
        struct gs_error err = {0};
        char name[GS_ENV_BYTES];
        if (!o->key)
            continue;
        gs_config_env_name(o, name);
        const struct gs_slice text = gs_slice_str(get_env(source, name));
        if (text.len == 0)
            continue;
        gs_config_value_reset(c, (enum gs_option)i);
        const enum gs_status st =
            gs_config_type_is_list(o->type)
                ? parse_env_list(c, (enum gs_option)i, text, home, &err)
                : gs_config_value_parse(c, (enum gs_option)i, text, home, &err);
        c->origin[i] = GS_ORIGIN_ENV;
        if (st == GS_OK)
            continue;
        gs_error_prefix(&err, "environment variable %s", name);
        gs_config_report(report, &err);
        result = GS_ECONFIG;
    }
    return result;
}

enum gs_status gs_config_load(struct gs_config *c, const struct gs_config_source *source,
                              struct gs_buf *report)
{
    struct sheet sheet = {.errors = {.name = "", .report = report}};
    struct places places = {0};
    struct gs_config flags;
    struct gs_buf unused;

    /* The flags are read twice: alone, to learn of --help and --config, and at the end, over
     * everything else. */
    gs_buf_init(&unused, GS_MAX_CONFIG_BYTES);
    gs_buf_init(&sheet.text, GS_MAX_CONFIG_BYTES);
    enum gs_status st = gs_config_init(c);
    enum gs_status st_flags = gs_config_init(&flags);
    if (st != GS_OK || st_flags != GS_OK) {
        st = GS_ENOMEM;
        goto out;
    }
    c->source = *source;
    find_places(c, source, &places);
    if (gs_config_read_args(&flags, source, places.home, &unused) == GS_ENOMEM) {
        st = GS_ENOMEM;
        goto out;
    }
    if (flags.help) {
        c->help = true;
        goto out;
    }
    if (gs_config_command_is_configured(source->command)) {
        const enum gs_status st_file = read_file(c, &places, chosen_file(&flags, source), &sheet);
        const enum gs_status st_env = read_env(c, source, places.home, report);
        st = st_file != GS_OK ? st_file : st_env;
    }
    st_flags = gs_config_read_args(c, source, places.home, report);
    if (st == GS_OK)
        st = st_flags;
    c->hermit |= source->command == GS_COMMAND_HERMIT;
    read_rest(c, source, &places, &sheet);
    if (st == GS_OK)
        st = sheet.errors.st;
    if (st == GS_OK && !gs_buf_ok(report))
        st = GS_ENOMEM;
out:
    gs_buf_clear(&sheet.text);
    gs_buf_clear(&unused);
    gs_config_clear(&flags);
    return st;
}
