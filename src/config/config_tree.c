/* YAML 1.1 as libyaml reads it, reduced to what a configuration needs.
 *
 * Mappings, lists and scalars; the text of a scalar is the value, plain or quoted. Anchors,
 * aliases, tags and further documents are refused, so that no file can grow in memory. */
#include "config/config_tree.h"

#include <limits.h>
#include <yaml.h>

#include "base/error.h"
#include "base/slice.h"

#define MAX_DEPTH 32

struct builder {
    yaml_parser_t parser;
    yaml_event_t event; /* the one looked at */
    bool has_event;
    const char *name;
    struct gs_slice text;
    struct gs_config_tree *tree;
    struct gs_arena *a;
    struct gs_config_node **tail[MAX_DEPTH + 1]; /* where the next node of a depth goes */
};

static int one_based(size_t n)
{
    return n < INT_MAX ? (int)n + 1 : INT_MAX;
}

static size_t event_chars(const yaml_event_t *e)
{
    const yaml_mark_t from = e->start_mark;
    const yaml_mark_t to = e->end_mark;

    return to.line == from.line && to.column > from.column ? to.column - from.column : 1;
}

/* The problem is set; it is about the event looked at. */
static bool fail_event(struct builder *b)
{
    const yaml_mark_t from = b->event.start_mark;

    gs_error_pos(&b->tree->problem, b->name, one_based(from.line), one_based(from.column));
    b->tree->problem_chars = event_chars(&b->event);
    return false;
}

static bool fail_memory(struct builder *b)
{
    gs_error_nomem(&b->tree->problem, "read the configuration");
    return false;
}

static bool fail_syntax(struct builder *b)
{
    const yaml_parser_t *p = &b->parser;
    struct gs_error *err = &b->tree->problem;

    if (p->error == YAML_MEMORY_ERROR)
        return fail_memory(b);
    gs_error_set(err, GS_ECONFIG, "not YAML: %s", p->problem ? p->problem : "unreadable");
    if (p->problem && strstr(p->problem, "cannot start any token"))
        gs_error_hint(err, "Indent with spaces, not tabs, and quote what begins with @, ` or %%.");
    if (p->error == YAML_READER_ERROR)
        gs_error_pos_in(err, b->name, b->text, p->problem_offset);
    else
        gs_error_pos(err, b->name, one_based(p->problem_mark.line),
                     one_based(p->problem_mark.column));
    b->tree->problem_chars = 1;
    return false;
}

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

/* Look at the next event. False when nothing more can be read; then the problem is set. */
static bool next(struct builder *b)
{
    struct gs_error *err = &b->tree->problem;

    if (b->has_event)
        yaml_event_delete(&b->event);
    b->has_event = false;
    if (!yaml_parser_parse(&b->parser, &b->event))
        return fail_syntax(b);
    b->has_event = true;
    if (b->event.type == YAML_ALIAS_EVENT || event_anchor(&b->event)) {
        gs_error_set(err, GS_ECONFIG, "anchors and aliases are not supported");
        gs_error_hint(err, "Write the value out where it is used.");
    } else if (event_tag(&b->event)) {
        gs_error_set(err, GS_ECONFIG, "tags are not supported");
    } else {
        return true;
    }
    return fail_event(b);
}

static struct gs_config_node *add_node(struct builder *b, size_t depth)
{
    struct gs_config_node *n = gs_arena_alloc(b->a, sizeof(*n));

    if (!n) {
        fail_memory(b);
        return NULL;
    }
    n->line = one_based(b->event.start_mark.line);
    n->col = one_based(b->event.start_mark.column);
    n->n_chars = event_chars(&b->event);
    *b->tail[depth] = n;
    b->tail[depth] = &n->next;
    return n;
}

static bool add_scalar(struct builder *b, size_t depth)
{
    struct gs_config_node *n = add_node(b, depth);
    const struct gs_slice text =
        gs_slice((const char *)b->event.data.scalar.value, b->event.data.scalar.length);

    if (!n)
        return false;
    n->is_plain = b->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    return gs_arena_dup(b->a, text, &n->text) || fail_memory(b);
}

static bool open_node(struct builder *b, size_t depth)
{
    if (depth == MAX_DEPTH) {
        gs_error_set(&b->tree->problem, GS_ECONFIG, "nested more than %d deep", MAX_DEPTH);
        return fail_event(b);
    }
    struct gs_config_node *n = add_node(b, depth);
    if (!n)
        return false;
    n->kind = b->event.type == YAML_MAPPING_START_EVENT ? GS_CONFIG_MAP : GS_CONFIG_LIST;
    b->tail[depth + 1] = &n->first;
    return true;
}

static bool read_document(struct builder *b)
{
    for (size_t depth = 0;;) {
        bool good = next(b);
        if (!good)
            return false;
        switch (b->event.type) {
        case YAML_SCALAR_EVENT:
            good = add_scalar(b, depth);
            break;
        case YAML_MAPPING_START_EVENT:
        case YAML_SEQUENCE_START_EVENT:
            good = open_node(b, depth++);
            break;
        case YAML_MAPPING_END_EVENT:
        case YAML_SEQUENCE_END_EVENT:
            depth--;
            break;
        default:
            return b->event.type == YAML_DOCUMENT_END_EVENT;
        }
        if (!good)
            return false;
    }
}

static void read_stream(struct builder *b)
{
    /* stream start, then the start of a document or the end of an empty stream */
    if (!next(b) || !next(b) || b->event.type == YAML_STREAM_END_EVENT || !read_document(b))
        return;
    if (!next(b) || b->event.type == YAML_STREAM_END_EVENT)
        return;
    gs_error_set(&b->tree->problem, GS_ECONFIG, "a configuration file holds one document");
    fail_event(b);
}

void gs_config_tree_read(struct gs_config_tree *t, const char *name, struct gs_slice text,
                         struct gs_arena *a)
{
    struct builder b = {.name = name, .text = text, .tree = t, .a = a};

    *t = (struct gs_config_tree){0};
    b.tail[0] = &t->root;
    if (!yaml_parser_initialize(&b.parser)) {
        fail_memory(&b);
        return;
    }
    yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&b.parser, (const unsigned char *)(text.len ? text.ptr : ""),
                                 text.len);
    read_stream(&b);
    if (b.has_event)
        yaml_event_delete(&b.event);
    yaml_parser_delete(&b.parser);
}

bool gs_config_node_is_nothing(const struct gs_config_node *n)
{
    return n->kind == GS_CONFIG_SCALAR && n->is_plain && n->text.len == 0;
}

const char *gs_config_node_word(const struct gs_config_node *n)
{
    static const char *const words[] = {"a value", "a list", "a mapping"};

    return words[n->kind];
}
