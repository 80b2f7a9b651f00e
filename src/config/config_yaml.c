/* The configuration file: YAML 1.1 as libyaml reads it, reduced to what a configuration needs.
 *
 * A mapping of keys; a value is a scalar or a list of scalars; a few keys hold a mapping of keys.
 * Anchors, aliases, tags and further documents are refused, so that no file can grow in memory; the
 * text of a scalar is the value, plain or quoted. Reading goes on after an error, up to
 * MAX_ERRORS, except after one of YAML itself. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "base/error.h"
#include "base/slice.h"
#include "config/config_table.h"

#define MAX_ERRORS 20
#define MAX_DEPTH  32
#define MAX_PATH   96 /* bytes of "sampling.top_k" */

struct reader {
    yaml_parser_t parser;
    yaml_event_t event; /* the one looked at */
    bool has_event;
    struct gs_config *c;
    const char *name;
    struct gs_slice text;
    const char *home;
    struct gs_buf *report;
    int n_errors;
    enum gs_status st;               /* of the whole */
    bool ended;                      /* nothing more can be read */
    int first_line[GS_OPTION_COUNT]; /* where an option was set, 0: not yet */
};

/* Keys that the configuration will have; they are told apart from mistakes. */
static const char *const later_keys[] = {"providers", "routes", "budgets"};

/* ---- errors ---- */

static int one_based(size_t n)
{
    return n < INT_MAX ? (int)n + 1 : INT_MAX;
}

static void report_at(struct reader *r, struct gs_error *err, yaml_mark_t from, size_t n_chars)
{
    if (r->n_errors++ == MAX_ERRORS) {
        gs_buf_printf(r->report, "%s: too many errors, the rest is not shown\n", r->name);
        r->ended = true;
        return;
    }
    gs_error_pos(err, r->name, one_based(from.line), one_based(from.column));
    gs_config_report_in(r->report, err, r->text, n_chars);
    if (r->st != GS_ENOMEM)
        r->st = err->code;
}

/* An error about the event looked at. */
static void report_event(struct reader *r, struct gs_error *err)
{
    const yaml_mark_t from = r->event.start_mark;
    const yaml_mark_t to = r->event.end_mark;

    report_at(r, err, from,
              to.line == from.line && to.column > from.column ? to.column - from.column : 1);
}

static void report_syntax(struct reader *r)
{
    const yaml_parser_t *p = &r->parser;
    yaml_mark_t at = p->problem_mark;
    struct gs_error err;

    r->ended = true;
    if (p->error == YAML_MEMORY_ERROR) {
        gs_error_nomem(&err, "read the configuration");
        gs_config_report(r->report, &err);
        r->st = GS_ENOMEM;
        return;
    }
    gs_error_set(&err, GS_ECONFIG, "not YAML: %s", p->problem ? p->problem : "unreadable");
    if (p->error == YAML_READER_ERROR) {
        gs_error_pos_in(&err, r->name, r->text, p->problem_offset);
        at.line = (size_t)err.line - 1;
        at.column = (size_t)err.col - 1;
    }
    report_at(r, &err, at, 1);
}

/* ---- events ---- */

static const yaml_char_t *event_anchor(const yaml_event_t *e)
{
    if (e->type == YAML_SCALAR_EVENT)
        return e->data.scalar.anchor;
    if (e->type == YAML_SEQUENCE_START_EVENT)
        return e->data.sequence_start.anchor;
    return e->type == YAML_MAPPING_START_EVENT ? e->data.mapping_start.anchor : NULL;
}

static const yaml_char_t *event_tag(const yaml_event_t *e)
{
    if (e->type == YAML_SCALAR_EVENT)
        return e->data.scalar.tag;
    if (e->type == YAML_SEQUENCE_START_EVENT)
        return e->data.sequence_start.tag;
    return e->type == YAML_MAPPING_START_EVENT ? e->data.mapping_start.tag : NULL;
}

/* Look at the next event. False when nothing more can be read; then it has been said why. */
static bool next(struct reader *r)
{
    struct gs_error err;

    if (r->has_event)
        yaml_event_delete(&r->event);
    r->has_event = false;
    if (r->ended)
        return false;
    if (!yaml_parser_parse(&r->parser, &r->event)) {
        report_syntax(r);
        return false;
    }
    r->has_event = true;
    if (r->event.type == YAML_ALIAS_EVENT || event_anchor(&r->event)) {
        gs_error_set(&err, GS_ECONFIG, "anchors and aliases are not supported");
        gs_error_hint(&err, "Write the value out where it is used.");
    } else if (event_tag(&r->event)) {
        gs_error_set(&err, GS_ECONFIG, "tags are not supported");
    } else {
        return true;
    }
    report_event(r, &err);
    r->ended = true;
    return false;
}

/* Pass over the node that begins with the event looked at; its last event is looked at then. */
static bool skip_node(struct reader *r)
{
    struct gs_error err;

    for (int depth = 0;;) {
        const yaml_event_type_t type = r->event.type;
        if (type == YAML_SEQUENCE_START_EVENT || type == YAML_MAPPING_START_EVENT)
            depth++;
        if (type == YAML_SEQUENCE_END_EVENT || type == YAML_MAPPING_END_EVENT)
            depth--;
        if (depth > MAX_DEPTH) {
            gs_error_set(&err, GS_ECONFIG, "nested more than %d deep", MAX_DEPTH);
            report_event(r, &err);
            r->ended = true;
            return false;
        }
        if (depth == 0)
            return true;
        if (!next(r))
            return false;
    }
}

static struct gs_slice scalar_text(const struct reader *r)
{
    return gs_slice((const char *)r->event.data.scalar.value, r->event.data.scalar.length);
}

/* ---- values ---- */

static const char *node_name(const struct reader *r)
{
    return r->event.type == YAML_SEQUENCE_START_EVENT ? "a list" : "a mapping";
}

static bool read_scalar(struct reader *r, enum gs_option option, const char *path)
{
    struct gs_error err = {0};

    if (r->event.type != YAML_SCALAR_EVENT) {
        struct gs_buf expected;
        gs_buf_init(&expected, GS_ERROR_MSG_BYTES);
        gs_config_value_expected(&gs_config_options[option], &expected);
        gs_error_set(&err, GS_ECONFIG, "%s: expected %.*s, found %s", path, (int)expected.len,
                     expected.len ? expected.ptr : "", node_name(r));
        gs_buf_clear(&expected);
        report_event(r, &err);
        return skip_node(r);
    }
    if (gs_config_value_parse(r->c, option, scalar_text(r), r->home, &err) != GS_OK) {
        gs_error_prefix(&err, "%s", path);
        report_event(r, &err);
    }
    return true;
}

static bool read_value(struct reader *r, enum gs_option option, const char *path)
{
    const bool is_list = gs_config_type_is_list(gs_config_options[option].type) &&
                         r->event.type == YAML_SEQUENCE_START_EVENT;

    gs_config_value_reset(r->c, option);
    r->c->origin[option] = GS_ORIGIN_FILE;
    if (!is_list)
        return read_scalar(r, option, path);
    for (;;) {
        if (!next(r))
            return false;
        if (r->event.type == YAML_SEQUENCE_END_EVENT)
            return true;
        if (!read_scalar(r, option, path))
            return false;
    }
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

static void report_unknown(struct reader *r, const char *path)
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
    report_event(r, &err);
}

static bool report_later(struct reader *r, const char *path)
{
    struct gs_error err;

    for (size_t i = 0; i < GS_COUNT_OF(later_keys); i++) {
        if (strcmp(path, later_keys[i]) != 0)
            continue;
        gs_error_set(&err, GS_ECONFIG, "key \"%s\" is not supported by this version", path);
        gs_error_hint(&err, "This version answers with local models only; remove the key.");
        report_event(r, &err);
        return true;
    }
    return false;
}

static void report_twice(struct reader *r, enum gs_option option, const char *path)
{
    struct gs_error err;

    gs_error_set(&err, GS_ECONFIG, "key \"%s\" is given twice", path);
    gs_error_hint(&err, "It was first set in line %d.", r->first_line[option]);
    report_event(r, &err);
}

static bool is_nothing(const struct reader *r)
{
    return r->event.type == YAML_SCALAR_EVENT && r->event.data.scalar.length == 0 &&
           r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

static bool read_mapping(struct reader *r, const char *prefix);

/* The key is looked at. */
static bool read_pair(struct reader *r, const char *prefix)
{
    char path[MAX_PATH];
    enum gs_option option = GS_OPTION_COUNT;
    struct gs_error err;

    if (r->event.type != YAML_SCALAR_EVENT) {
        gs_error_set(&err, GS_ECONFIG, "expected a key, found %s", node_name(r));
        report_event(r, &err);
        return skip_node(r) && next(r) && skip_node(r);
    }
    const struct gs_slice key = scalar_text(r);
    snprintf(path, sizeof(path), "%s%.*s", prefix, (int)GS_MIN(key.len, MAX_PATH), key.ptr);
    const bool group = is_group(path);
    if (!group && !find_key(path, &option)) {
        if (!report_later(r, path))
            report_unknown(r, path);
        return next(r) && skip_node(r);
    }
    if (group) {
        if (!next(r))
            return false;
        if (r->event.type == YAML_MAPPING_START_EVENT) {
            char inner[MAX_PATH + 1];
            snprintf(inner, sizeof(inner), "%s.", path);
            return read_mapping(r, inner);
        }
        if (!is_nothing(r)) { /* all its keys may be comments */
            gs_error_set(&err, GS_ECONFIG, "%s: expected a mapping of keys", path);
            report_event(r, &err);
        }
        return skip_node(r);
    }
    if (r->first_line[option])
        report_twice(r, option, path);
    else
        r->first_line[option] = one_based(r->event.start_mark.line);
    return next(r) && read_value(r, option, path);
}

/* The start of the mapping is looked at; its end is when this returns. The keys of the table have
 * two parts at most, which bounds the recursion. */
static bool read_mapping(struct reader *r, const char *prefix)
{
    for (;;) {
        if (!next(r))
            return false;
        if (r->event.type == YAML_MAPPING_END_EVENT)
            return true;
        if (!read_pair(r, prefix))
            return false;
    }
}

/* ---- the document ---- */

static void read_stream(struct reader *r)
{
    struct gs_error err;

    /* stream start, then the start of a document or the end of an empty stream */
    if (!next(r) || !next(r) || r->event.type == YAML_STREAM_END_EVENT || !next(r))
        return;
    if (r->event.type == YAML_MAPPING_START_EVENT) {
        if (!read_mapping(r, ""))
            return;
    } else if (!is_nothing(r)) {
        gs_error_set(&err, GS_ECONFIG, "expected a mapping of keys at the top of the file");
        gs_error_hint(&err, "Write lines such as \"listen: 127.0.0.1:8484\".");
        report_event(r, &err);
        return;
    }
    if (!next(r) || !next(r) || r->event.type == YAML_STREAM_END_EVENT)
        return;
    gs_error_set(&err, GS_ECONFIG, "a configuration file holds one document");
    report_event(r, &err);
}

enum gs_status gs_config_read_yaml(struct gs_config *c, const char *name, struct gs_slice text,
                                   const char *home, struct gs_buf *report)
{
    struct reader r = {.c = c, .name = name, .text = text, .home = home, .report = report};

    if (!yaml_parser_initialize(&r.parser))
        return GS_ENOMEM;
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)(text.len ? text.ptr : ""),
                                 text.len);
    read_stream(&r);
    if (r.has_event)
        yaml_event_delete(&r.event);
    yaml_parser_delete(&r.parser);
    return gs_buf_ok(report) ? r.st : GS_ENOMEM;
}
