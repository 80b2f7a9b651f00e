/* The options in the configuration file: a mapping of keys, some of which hold a mapping of keys.
 * The sections about other computers are read by config_routes.c and passed over here. Reading goes
 * on after an error. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/slice.h"
#include "config/config_routes.h"
#include "config/config_table.h"
#include "config/config_tree.h"

#define MAX_PATH 96 /* bytes of "sampling.top_k" */

struct reader {
    struct gs_config *c;
    const char *home;
    struct gs_config_errors *errors;
    int first_line[GS_OPTION_COUNT]; /* where an option was set, 0: not yet */
};

/* ---- values ---- */

static void read_scalar(struct reader *r, enum gs_option option, const char *path,
                        const struct gs_config_node *n)
{
    struct gs_error err = {0};

    if (n->kind != GS_CONFIG_SCALAR) {
        gs_config_value_unfit(&gs_config_options[option], path, n, &err);
        gs_config_errors_at(r->errors, n, &err);
        return;
    }
    if (gs_config_value_parse(r->c, option, n->text, r->home, &err) == GS_OK)
        return;
    gs_error_prefix(&err, "%s", path);
    gs_config_errors_at(r->errors, n, &err);
}

static void read_value(struct reader *r, enum gs_option option, const char *path,
                       const struct gs_config_node *n)
{
    const bool is_list =
        gs_config_type_is_list(gs_config_options[option].type) && n->kind == GS_CONFIG_LIST;

    gs_config_value_reset(r->c, option);
    r->c->origin[option] = GS_ORIGIN_FILE;
    if (!is_list) {
        read_scalar(r, option, path, n);
        return;
    }
    for (const struct gs_config_node *item = n->first; item; item = item->next)
        read_scalar(r, option, path, item);
}

/* ---- keys ---- */

static bool find_key(const char *path, enum gs_option *out_option)
{
    for (int i = 0; i < GS_OPTION_COUNT; i++) {
        const char *key = gs_config_options[i].key;
        if (!key || strcmp(key, path) != 0)
            continue;
        *out_option = (enum gs_option)i;
        return true;
    }
    return false;
}

/* Is `path` the first part of dotted keys? */
static bool is_group(const char *path)
{
    const size_t len = strlen(path);

    for (int i = 0; i < GS_OPTION_COUNT; i++) {
        const char *key = gs_config_options[i].key;
        if (key && strncmp(key, path, len) == 0 && key[len] == '.')
            return true;
    }
    return false;
}

static void report_unknown(struct reader *r, const char *path, const struct gs_config_node *n)
{
    const char *dot = strrchr(path, '.');
    const struct gs_slice word = gs_slice_str(path);
    struct gs_config_guess g;
    struct gs_error err;
    struct gs_buf quoted;

    gs_buf_init(&quoted, GS_ERROR_MSG_BYTES);
    gs_config_value_quote(word, &quoted);
    gs_error_set(&err, GS_ECONFIG, "unknown key %.*s", (int)quoted.len,
                 quoted.len ? quoted.ptr : "");
    gs_buf_clear(&quoted);
    gs_config_guess_init(&g, word);
    for (int i = 0; i < GS_OPTION_COUNT; i++)
        if (gs_config_options[i].key)
            gs_config_guess_try(&g, gs_slice_str(gs_config_options[i].key));
    for (size_t i = 0; i < GS_CONFIG_SECTION_COUNT; i++)
        gs_config_guess_try(&g, gs_slice_str(gs_config_sections[i].key));
    if (g.found.len) {
        gs_error_hint(&err, "Did you mean \"%.*s\"?", (int)g.found.len, g.found.ptr);
    } else if (!dot) { /* perhaps a key of a group, written at the top */
        for (int i = 0; i < GS_OPTION_COUNT; i++) {
            const char *key = gs_config_options[i].key;
            const char *part = key ? strchr(key, '.') : NULL;
            if (part && gs_slice_eq_str(word, part + 1))
                gs_error_hint(&err, "Write it below \"%.*s:\".", (int)(part - key), key);
        }
    }
    gs_config_errors_at(r->errors, n, &err);
}

static void report_twice(struct reader *r, enum gs_option option, const char *path,
                         const struct gs_config_node *n)
{
    struct gs_error err;

    gs_error_set(&err, GS_ECONFIG, "key \"%s\" is given twice", path);
    gs_error_hint(&err, "It was first set in line %d.", r->first_line[option]);
    gs_config_errors_at(r->errors, n, &err);
}

static void read_mapping(struct reader *r, const char *prefix, const struct gs_config_node *map);

static void read_group(struct reader *r, const char *path, const struct gs_config_node *n)
{
    char inner[MAX_PATH + 1];
    struct gs_error err;

    if (n->kind == GS_CONFIG_MAP) {
        snprintf(inner, sizeof(inner), "%s.", path);
        read_mapping(r, inner, n);
    } else if (!gs_config_node_is_nothing(n)) { /* all its keys may be comments */
        gs_error_set(&err, GS_ECONFIG, "%s: expected a mapping of keys", path);
        gs_config_errors_at(r->errors, n, &err);
    }
}

static void read_pair(struct reader *r, const char *prefix, const struct gs_config_node *key,
                      const struct gs_config_node *value)
{
    char path[MAX_PATH];
    enum gs_option option = GS_OPTION_COUNT;
    struct gs_error err;

    if (key->kind != GS_CONFIG_SCALAR) {
        gs_error_set(&err, GS_ECONFIG, "expected a key, found %s", gs_config_node_word(key));
        gs_config_errors_at(r->errors, key, &err);
        return;
    }
    snprintf(path, sizeof(path), "%s%.*s", prefix, (int)GS_MIN(key->text.len, MAX_PATH),
             key->text.ptr);
    if (gs_config_is_section(path))
        return;
    if (is_group(path)) {
        read_group(r, path, value);
        return;
    }
    if (!find_key(path, &option)) {
        report_unknown(r, path, key);
        return;
    }
    if (r->first_line[option])
        report_twice(r, option, path, key);
    else
        r->first_line[option] = key->line;
    read_value(r, option, path, value);
}

/* The keys of the table have two parts at most, which bounds the recursion. */
static void read_mapping(struct reader *r, const char *prefix, const struct gs_config_node *map)
{
    const struct gs_config_node *key = map->first;

    for (; key && key->next; key = key->next->next)
        read_pair(r, prefix, key, key->next);
}

/* ---- the document ---- */

void gs_config_read_options(struct gs_config *c, const struct gs_config_node *root,
                            const char *home, struct gs_config_errors *errors)
{
    struct reader r = {.c = c, .home = home, .errors = errors};
    struct gs_error err;

    if (!root || gs_config_node_is_nothing(root))
        return;
    if (root->kind == GS_CONFIG_MAP) {
        read_mapping(&r, "", root);
        return;
    }
    gs_error_set(&err, GS_ECONFIG, "expected a mapping of keys at the top of the file");
    gs_error_hint(&err, "Write lines such as \"listen: 127.0.0.1:8484\".");
    gs_config_errors_at(errors, root, &err);
}

enum gs_status gs_config_read_yaml(struct gs_config *c, const char *name, struct gs_slice text,
                                   const char *home, struct gs_buf *report)
{
    struct gs_config_errors errors = {.name = name, .text = text, .report = report};
    struct gs_config_tree tree;

    gs_config_tree_read(&tree, name, text, &c->arena);
    gs_config_read_options(c, tree.root, home, &errors);
    gs_config_errors_tree(&errors, &tree);
    return gs_buf_ok(report) ? errors.st : GS_ENOMEM;
}
