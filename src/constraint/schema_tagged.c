/* Arguments that are written in another notation than JSON: each parameter between tags, or strings
 * between marks of their own. Names and demanded ones are those of the schema. Text is free up to
 * the mark behind it; other values are JSON, which their schemas describe. */
#include "constraint/schema.h"

#include <string.h>

#include "base/slice.h"

#define MAX_REFS 8 /* followed to find what a value is */
#define NAME     "[A-Za-z0-9_.$-]{1,64}"

struct writer {
    struct gs_schema *c;
    const struct gs_constraint_notation *n;
    uint32_t text;  /* rule: text, and the mark behind it */
    uint32_t value; /* rule, where strings are quoted: any value */
};

/* ---- text ---- */

/* A rule for any text up to the first `mark`, which is read, too. No character of the mark but its
 * first is like that one, so what has been read of it is forgotten at the first that differs. */
static uint32_t text_until(struct gs_schema *c, const char *mark)
{
    struct gs_grammar *g = &c->g;
    const uint32_t none = gs_grammar_rule(g);  /* nothing of the mark is read */
    const uint32_t first = gs_grammar_rule(g); /* its first character is */
    const size_t n = strlen(mark);
    uint32_t node = GS_GRAMMAR_END;

    for (size_t i = n; i-- > 1;) { /* with i characters read */
        const char others[] = {'[', '^', mark[0], mark[i], ']', '\0'};
        const uint32_t again =
            gs_grammar_byte(g, (uint8_t)mark[0], gs_grammar_call(g, first, GS_GRAMMAR_END));
        const uint32_t miss = gs_schema_regex(c, others, gs_grammar_call(g, none, GS_GRAMMAR_END));
        node = gs_grammar_fork(g, gs_grammar_byte(g, (uint8_t)mark[i], node),
                               gs_grammar_fork(g, again, miss));
    }
    gs_grammar_define(g, first, node);
    const char others[] = {'[', '^', mark[0], ']', '\0'};
    gs_grammar_define(
        g, none,
        gs_grammar_fork(
            g, gs_grammar_byte(g, (uint8_t)mark[0], gs_grammar_call(g, first, GS_GRAMMAR_END)),
            gs_schema_regex(c, others, gs_grammar_call(g, none, GS_GRAMMAR_END))));
    return none;
}

/* ---- what a value is ---- */

enum kind {
    TEXT,
    CHOICE, /* of texts */
    VALUE,  /* never a text */
    ANY
};

static enum kind kind_of_items(const struct gs_json *items, size_t n)
{
    size_t n_texts = 0;

    for (size_t i = 0; i < n; i++)
        n_texts += items[i].kind == GS_JSON_STRING;
    return n_texts == n ? CHOICE : n_texts == 0 ? VALUE : ANY;
}

static bool is_string_type(const struct gs_json *type)
{
    return type->kind == GS_JSON_STRING && gs_slice_eq_str(type->u.string, "string");
}

/* `s` becomes the schema that it refers to. */
static enum kind kind_of(struct gs_schema *c, const struct gs_json **s)
{
    for (int i = 0; i < MAX_REFS && *s; i++) {
        const struct gs_json *ref = gs_json_get(*s, "$ref");
        if (!ref || ref->kind != GS_JSON_STRING)
            break;
        *s = gs_schema_resolve(c, ref->u.string);
    }
    const struct gs_json *options = gs_json_get(*s, "enum");
    const struct gs_json *constant = gs_json_get(*s, "const");
    const struct gs_json *type = gs_json_get(*s, "type");
    if (constant)
        return kind_of_items(constant, 1);
    if (options && options->kind == GS_JSON_ARRAY && options->u.array.len > 0)
        return kind_of_items(options->u.array.items, options->u.array.len);
    if (type && type->kind == GS_JSON_STRING)
        return is_string_type(type) ? TEXT : VALUE;
    if (!type || type->kind != GS_JSON_ARRAY)
        return ANY;
    for (size_t i = 0; i < type->u.array.len; i++)
        if (is_string_type(&type->u.array.items[i]))
            return ANY;
    return VALUE;
}

static void name_ignored(struct gs_schema *c, const struct gs_json *s, const char *const *keywords)
{
    for (; *keywords; keywords++)
        if (gs_json_get(s, *keywords))
            gs_schema_ignore(c, *keywords);
}

/* The texts of "const" or "enum". */
static uint32_t choice(struct gs_schema *c, const struct gs_json *s, uint32_t next)
{
    const struct gs_json *constant = gs_json_get(s, "const");
    const struct gs_json *options = gs_json_get(s, "enum");
    const struct gs_json *items = constant ? constant : options->u.array.items;
    const size_t n = constant ? 1 : options->u.array.len;
    uint32_t node = GS_GRAMMAR_FAIL;

    for (size_t i = 0; i < n; i++)
        node = gs_grammar_fork(&c->g, gs_grammar_text(&c->g, items[i].u.string, next), node);
    return node;
}

/* ---- values ---- */

/* A line break, or none: readers take one away. */
static uint32_t line_break(struct gs_schema *c, uint32_t next)
{
    return gs_grammar_fork(&c->g, gs_grammar_byte(&c->g, '\n', next), next);
}

/* Any value where strings are quoted, with its mark. */
static void define_value(struct writer *w)
{
    struct gs_schema *c = w->c;
    struct gs_grammar *g = &c->g;
    const uint32_t more_items = gs_grammar_rule(g);
    const uint32_t more_pairs = gs_grammar_rule(g);
    const uint32_t pair = gs_grammar_rule(g);
    const uint32_t call = gs_grammar_call(g, w->value, GS_GRAMMAR_END);
    const uint32_t end_list = gs_grammar_byte(g, ']', GS_GRAMMAR_END);
    const uint32_t end_pairs = gs_grammar_byte(g, '}', GS_GRAMMAR_END);

    gs_grammar_define(g, more_items, gs_grammar_byte(g, ',', call));
    gs_grammar_define(g, pair, gs_schema_regex(c, NAME, gs_grammar_byte(g, ':', call)));
    gs_grammar_define(g, more_pairs,
                      gs_grammar_byte(g, ',', gs_grammar_call(g, pair, GS_GRAMMAR_END)));
    const uint32_t items = gs_grammar_call(
        g, w->value, gs_grammar_repeat(g, more_items, 0, GS_GRAMMAR_MANY, end_list));
    const uint32_t pairs =
        gs_grammar_call(g, pair, gs_grammar_repeat(g, more_pairs, 0, GS_GRAMMAR_MANY, end_pairs));
    const uint32_t all[] = {
        gs_schema_text(c, w->n->quote, gs_grammar_call(g, w->text, GS_GRAMMAR_END)),
        gs_schema_regex(c, "-?(0|[1-9][0-9]{0,17})(\\.[0-9]{1,17})?|true|false|null",
                        GS_GRAMMAR_END),
        gs_grammar_byte(g, '[', gs_grammar_fork(g, items, end_list)),
        gs_grammar_byte(g, '{', gs_grammar_fork(g, pairs, end_pairs)),
    };
    gs_grammar_define(g, w->value, gs_grammar_any(g, all, sizeof(all) / sizeof(all[0])));
}

static uint32_t quoted_value(struct writer *w, const struct gs_json *s, enum kind kind,
                             uint32_t next)
{
    static const char *const nested[] = {"properties", "items", "prefixItems", "anyOf",
                                         "oneOf",      "allOf", NULL};
    struct gs_schema *c = w->c;
    const struct gs_json *type = gs_json_get(s, "type");
    const bool nests =
        type && type->kind == GS_JSON_STRING &&
        (gs_slice_eq_str(type->u.string, "object") || gs_slice_eq_str(type->u.string, "array"));

    if (kind == TEXT)
        return gs_schema_text(c, w->n->quote, gs_grammar_call(&c->g, w->text, next));
    if (kind == CHOICE)
        return gs_schema_text(c, w->n->quote, choice(c, s, gs_schema_text(c, w->n->quote, next)));
    if (kind == VALUE && type && type->kind == GS_JSON_STRING && !nests)
        return gs_schema_node(c, s, next);
    if (s)
        name_ignored(c, s, nested);
    return gs_grammar_call(&c->g, w->value, next);
}

/* A value and the tag behind it. */
static uint32_t tagged_value(struct writer *w, const struct gs_json *s, enum kind kind,
                             uint32_t next)
{
    static const char *const nested[] = {"anyOf", "oneOf", "allOf", NULL};
    struct gs_schema *c = w->c;

    if (kind == CHOICE)
        return line_break(c, choice(c, s, line_break(c, gs_schema_text(c, w->n->value_end, next))));
    if (kind == VALUE)
        return gs_schema_space(
            c, gs_schema_node(c, s, gs_schema_space(c, gs_schema_text(c, w->n->value_end, next))));
    if (s)
        name_ignored(c, s, nested);
    return gs_grammar_call(&c->g, w->text, next);
}

/* The rule of a parameter; `name` NULL: any. */
static uint32_t parameter(struct writer *w, const struct gs_slice *name, const struct gs_json *s)
{
    static const char *const of_text[] = {"pattern", "format", "minLength", "maxLength", NULL};
    struct gs_schema *c = w->c;
    const uint32_t rule = gs_grammar_rule(&c->g);
    const enum kind kind = s ? kind_of(c, &s) : ANY;
    uint32_t node;

    if (kind == TEXT)
        name_ignored(c, s, of_text);
    if (w->n->quote) {
        node = gs_grammar_byte(&c->g, ':', quoted_value(w, s, kind, GS_GRAMMAR_END));
    } else {
        node = tagged_value(w, s, kind, gs_schema_space(c, GS_GRAMMAR_END));
        if (w->n->value_begin[0] != '\0') /* else white space is the value's */
            node = gs_schema_space(c, gs_schema_text(c, w->n->value_begin, node));
        node = gs_schema_text(c, w->n->key_end, node);
    }
    node = name ? gs_grammar_text(&c->g, *name, node) : gs_schema_regex(c, NAME, node);
    gs_grammar_define(&c->g, rule, w->n->quote ? node : gs_schema_text(c, w->n->key_begin, node));
    return rule;
}

/* ---- all parameters ---- */

static bool is_required(const struct gs_json *required, struct gs_slice name)
{
    for (size_t i = 0; i < required->u.array.len; i++)
        if (required->u.array.items[i].kind == GS_JSON_STRING &&
            gs_slice_eq(required->u.array.items[i].u.string, name))
            return true;
    return false;
}

/* The places before a parameter: with nothing before it, and behind others, which only commas tell
 * apart. */
struct places {
    uint32_t first, more;
};

static struct places before(struct writer *w, uint32_t rule, struct places then)
{
    const uint32_t here = gs_grammar_call(&w->c->g, rule, then.more);

    return (struct places){here, w->n->quote ? gs_grammar_byte(&w->c->g, ',', here) : here};
}

/* Any number of parameters before what follows. */
static struct places with_any(struct writer *w, uint32_t rule, struct places then)
{
    struct gs_grammar *g = &w->c->g;
    const uint32_t next = gs_grammar_rule(g);

    gs_grammar_define(g, next,
                      before(w, rule, (struct places){GS_GRAMMAR_END, GS_GRAMMAR_END}).more);
    const uint32_t more = gs_grammar_repeat(g, next, 0, GS_GRAMMAR_MANY, then.more);
    return (struct places){gs_grammar_fork(g, gs_grammar_call(g, rule, more), then.first), more};
}

/* The declared parameters: those that are required in their order, the others anywhere. */
static uint32_t declared(struct writer *w, const struct gs_json *schema,
                         const struct gs_json *props, uint32_t end)
{
    struct gs_grammar *g = &w->c->g;
    const struct gs_json *required = gs_json_get(schema, "required");
    const size_t n = props->u.object.len;
    const uint32_t optional = gs_grammar_rule(g);
    uint32_t node = GS_GRAMMAR_FAIL;
    size_t n_required = 0;

    if (required &&
        (required->kind != GS_JSON_ARRAY || !gs_schema_afford(w->c, n * required->u.array.len))) {
        gs_schema_ignore(w->c, "required");
        required = NULL;
    }
    if (n > GS_SCHEMA_MAX_WAYS)
        gs_schema_fail(w->c, GS_ELIMIT, "an object has more than %d properties",
                       GS_SCHEMA_MAX_WAYS);
    struct places at = with_any(w, optional, (struct places){end, end});
    for (size_t i = n; i-- > 0 && w->c->st == GS_OK;) {
        const struct gs_json_member *m = &props->u.object.members[i];
        const uint32_t rule = parameter(w, &m->key, &m->value);
        if (required && is_required(required, m->key)) {
            at = with_any(w, optional, before(w, rule, at));
            n_required++;
        } else {
            node = gs_grammar_fork(g, gs_grammar_call(g, rule, GS_GRAMMAR_END), node);
        }
    }
    gs_grammar_define(g, optional, node);
    if (required && n_required < required->u.array.len) /* some are not declared */
        gs_schema_ignore(w->c, "required");
    return at.first;
}

/* Parameters of any name, from none on. */
static uint32_t undeclared(struct writer *w, uint32_t end)
{
    return with_any(w, parameter(w, NULL, NULL), (struct places){end, end}).first;
}

uint32_t gs_schema_tagged(struct gs_schema *c, const struct gs_json *schema,
                          const struct gs_constraint_notation *notation, uint32_t next)
{
    static const char *const keywords[] = {"anyOf",
                                           "oneOf",
                                           "allOf",
                                           "not",
                                           "if",
                                           "minProperties",
                                           "maxProperties",
                                           "patternProperties",
                                           "propertyNames",
                                           "dependentRequired",
                                           "dependentSchemas",
                                           NULL};
    struct writer w = {.c = c, .n = notation};
    uint32_t first;

    kind_of(c, &schema); /* follows references */
    const struct gs_json *props = gs_json_get(schema, "properties");
    if (c->notation != notation) {
        c->notation = notation;
        w.text = text_until(c, notation->quote ? notation->quote : notation->value_end);
        w.value = gs_grammar_rule(&c->g);
        if (notation->quote)
            define_value(&w);
        else
            gs_grammar_define(&c->g, w.value, GS_GRAMMAR_FAIL);
        c->notation_text = w.text;
        c->notation_value = w.value;
    }
    w.text = c->notation_text;
    w.value = c->notation_value;
    if (notation->quote)
        next = gs_grammar_byte(&c->g, '}', next);
    name_ignored(c, schema, keywords);
    if (props && props->kind == GS_JSON_OBJECT && props->u.object.len > 0)
        first = declared(&w, schema, props, next);
    else
        first = undeclared(&w, next);
    return notation->quote ? gs_grammar_byte(&c->g, '{', first) : gs_schema_space(c, first);
}
