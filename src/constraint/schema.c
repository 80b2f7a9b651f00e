/* JSON Schema to grammar: references, alternatives, enumerations and types. The parts that belong
 * to a type are in schema_object.c, schema_string.c and schema_number.c. */
#include "constraint/schema.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/slice.h"
#include "constraint/compile.h"
#include "constraint/pattern.h"

#define MAX_JOBS   ((size_t)1 << 18)
#define MAX_MEMORY (128 * GS_MIB)
#define MAX_COST   ((size_t)16 << 20)
#define MAX_INDENT 64 /* columns of white space after a line break */
#define MAX_MERGES 64 /* nested references and allOf of one schema */

/* A schema whose rule is to be defined. */
struct gs_schema_job {
    const struct gs_json *schema;
    uint32_t rule;
    struct gs_schema_job *next;
};

/* ---- errors ---- */

enum gs_status gs_schema_fail(struct gs_schema *c, enum gs_status st, const char *fmt, ...)
{
    char text[200];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (c->st == GS_OK)
        c->st = gs_error_set(c->err, st, "JSON schema: %s", text);
    return c->st;
}

void gs_schema_nomem(struct gs_schema *c)
{
    if (c->st == GS_OK)
        c->st = gs_error_nomem(c->err, "read a JSON schema");
}

bool gs_schema_afford(struct gs_schema *c, size_t n)
{
    if (n > MAX_COST - c->spent)
        return false;
    c->spent += n;
    return true;
}

void gs_schema_ignore(struct gs_schema *c, const char *keyword)
{
    const struct gs_slice name = gs_slice_str(keyword);

    if (!c->ignored || gs_slice_find(gs_buf_view(c->ignored), name, 0) != SIZE_MAX)
        return;
    if (c->ignored->len > 0)
        gs_buf_puts(c->ignored, ", ");
    gs_buf_slice(c->ignored, name);
}

/* ---- small nodes ---- */

uint32_t gs_schema_text(struct gs_schema *c, const char *text, uint32_t next)
{
    return gs_grammar_text(&c->g, gs_slice_str(text), next);
}

uint32_t gs_schema_space(struct gs_schema *c, uint32_t next)
{
    return gs_grammar_call(&c->g, c->space, next);
}

uint32_t gs_schema_regex(struct gs_schema *c, const char *regex, uint32_t next)
{
    struct gs_pattern *p;

    if (gs_pattern_from_regex(gs_slice_str(regex), false, &c->a, &p, NULL) != GS_OK) {
        gs_schema_nomem(c);
        return GS_GRAMMAR_FAIL;
    }
    return gs_pattern_emit(&c->g, p, GS_PATTERN_PLAIN, next);
}

uint32_t gs_schema_count(struct gs_schema *c, const struct gs_json *schema, const char *key,
                         uint32_t otherwise)
{
    const struct gs_json *v = gs_json_get(schema, key);
    int64_t n = otherwise;

    if (v && (!gs_json_get_int(schema, key, &n, NULL) || n < 0))
        gs_schema_fail(c, GS_EFORMAT, "%s must be a whole number from 0", key);
    return (uint32_t)GS_MIN(n, (int64_t)GS_GRAMMAR_MANY);
}

/* ---- rules ---- */

static struct gs_slice address_key(struct gs_schema *c, const void *p)
{
    struct gs_slice key = {NULL, 0};

    if (!gs_arena_dup(&c->a, gs_slice((const char *)&p, sizeof(p)), &key))
        gs_schema_nomem(c);
    return key;
}

uint32_t gs_schema_rule(struct gs_schema *c, const struct gs_json *schema)
{
    const struct gs_json *a;
    const struct gs_json *b;
    struct gs_schema_job *job;

    if (schema && gs_schema_pair(c, schema, &a, &b))
        schema = gs_schema_both(c, a, b);
    if (!schema)
        return c->value;
    job = gs_map_get(&c->rules, gs_slice((const char *)&schema, sizeof(schema)));
    if (job)
        return job->rule;
    if (c->n_jobs++ == MAX_JOBS) {
        gs_schema_fail(c, GS_ELIMIT, "it has more than %zu parts", MAX_JOBS);
        return c->value;
    }
    const struct gs_slice key = address_key(c, schema);
    job = gs_arena_alloc(&c->a, sizeof(*job));
    if (!job || !key.ptr || !gs_map_put(&c->rules, key, job)) {
        gs_schema_nomem(c);
        return c->value;
    }
    *job = (struct gs_schema_job){.schema = schema, .rule = gs_grammar_rule(&c->g)};
    if (c->last)
        c->last->next = job;
    else
        c->first = job;
    c->last = job;
    return job->rule;
}

uint32_t gs_schema_node(struct gs_schema *c, const struct gs_json *schema, uint32_t next)
{
    return gs_grammar_call(&c->g, gs_schema_rule(c, schema), next);
}

/* space: nothing, a blank, or a line break and the next line's indentation.
 * value, its object and array: any JSON. */
static void define_common(struct gs_schema *c)
{
    struct gs_grammar *g = &c->g;
    const uint32_t blank = gs_grammar_rule(g);
    static const struct gs_json object = {.kind = GS_JSON_OBJECT};

    c->space = gs_grammar_rule(g);
    c->character = gs_grammar_rule(g);
    c->string = gs_grammar_rule(g);
    c->value = gs_grammar_rule(g);
    gs_grammar_define(g, blank,
                      gs_grammar_fork(g, gs_grammar_byte(g, ' ', GS_GRAMMAR_END),
                                      gs_grammar_byte(g, '\t', GS_GRAMMAR_END)));
    const uint32_t line =
        gs_grammar_byte(g, '\n', gs_grammar_repeat(g, blank, 0, MAX_INDENT, GS_GRAMMAR_END));
    gs_grammar_define(
        g, c->space,
        gs_grammar_fork(g, GS_GRAMMAR_END,
                        gs_grammar_fork(g, gs_grammar_byte(g, ' ', GS_GRAMMAR_END), line)));
    gs_grammar_define(
        g, c->character,
        gs_schema_regex(c,
                        "[^\"\\\\\\x00-\\x1f]|\\\\([\"\\\\/bfnrt]|u([0-9abcefABCEF][0-9a-fA-F]|"
                        "[dD][0-7])[0-9a-fA-F]{2}|u[dD][89abAB][0-9a-fA-F]{2}\\\\u[dD][c-fC-F]"
                        "[0-9a-fA-F]{2})",
                        GS_GRAMMAR_END));
    gs_grammar_define(g, c->string,
                      gs_grammar_byte(g, '"',
                                      gs_grammar_repeat(g, c->character, 0, GS_GRAMMAR_MANY,
                                                        gs_grammar_byte(g, '"', GS_GRAMMAR_END))));
    uint32_t any = gs_grammar_fork(g, gs_schema_object(c, &object, GS_GRAMMAR_END),
                                   gs_schema_array(c, &object, GS_GRAMMAR_END));
    any = gs_grammar_fork(g, any, gs_grammar_call(g, c->string, GS_GRAMMAR_END));
    any = gs_grammar_fork(g, any, gs_schema_number(c, &object, false, GS_GRAMMAR_END));
    any = gs_grammar_fork(g, any, gs_schema_regex(c, "true|false|null", GS_GRAMMAR_END));
    gs_grammar_define(g, c->value, any);
}

/* ---- types ---- */

enum {
    NULL_TYPE = 1,
    BOOLEAN_TYPE = 2,
    INTEGER_TYPE = 4,
    NUMBER_TYPE = 8, /* integers among them */
    STRING_TYPE = 16,
    ARRAY_TYPE = 32,
    OBJECT_TYPE = 64,
    ANY_TYPE = 127,
};

static const struct {
    const char *name;
    unsigned type;
} type_names[] = {{"null", NULL_TYPE},     {"boolean", BOOLEAN_TYPE}, {"integer", INTEGER_TYPE},
                  {"number", NUMBER_TYPE}, {"string", STRING_TYPE},   {"array", ARRAY_TYPE},
                  {"object", OBJECT_TYPE}};

static unsigned type_named(struct gs_schema *c, const struct gs_json *name)
{
    for (size_t i = 0; name->kind == GS_JSON_STRING && i < GS_COUNT_OF(type_names); i++)
        if (gs_slice_eq_str(name->u.string, type_names[i].name))
            return type_names[i].type;
    if (name->kind == GS_JSON_STRING)
        gs_schema_fail(c, GS_EFORMAT, "unknown type \"%.*s\"",
                       (int)GS_MIN(name->u.string.len, (size_t)50), name->u.string.ptr);
    else
        gs_schema_fail(c, GS_EFORMAT, "a type must be a string, found %s",
                       gs_json_kind_name(name->kind));
    return 0;
}

/* The type that keywords imply where none is said. */
static unsigned implied_types(const struct gs_json *s)
{
    static const struct {
        const char *keyword;
        unsigned type;
    } signs[] = {
        {"properties", OBJECT_TYPE},
        {"required", OBJECT_TYPE},
        {"additionalProperties", OBJECT_TYPE},
        {"patternProperties", OBJECT_TYPE},
        {"propertyNames", OBJECT_TYPE},
        {"items", ARRAY_TYPE},
        {"prefixItems", ARRAY_TYPE},
        {"minItems", ARRAY_TYPE},
        {"maxItems", ARRAY_TYPE},
        {"minLength", STRING_TYPE},
        {"maxLength", STRING_TYPE},
        {"pattern", STRING_TYPE},
        {"format", STRING_TYPE},
        {"minimum", NUMBER_TYPE},
        {"maximum", NUMBER_TYPE},
        {"exclusiveMinimum", NUMBER_TYPE},
        {"exclusiveMaximum", NUMBER_TYPE},
    };
    unsigned types = 0;

    for (size_t i = 0; i < GS_COUNT_OF(signs); i++)
        if (gs_json_get(s, signs[i].keyword))
            types |= signs[i].type;
    return types ? types : ANY_TYPE;
}

static unsigned types_of(struct gs_schema *c, const struct gs_json *s)
{
    const struct gs_json *type = gs_json_get(s, "type");
    const struct gs_json *nullable = gs_json_get(s, "nullable"); /* OpenAPI 3.0 */
    unsigned types = 0;

    if (!type)
        return implied_types(s);
    if (type->kind != GS_JSON_ARRAY)
        types = type_named(c, type);
    for (size_t i = 0; type->kind == GS_JSON_ARRAY && i < type->u.array.len; i++)
        types |= type_named(c, &type->u.array.items[i]);
    if (nullable && nullable->kind == GS_JSON_BOOL && nullable->u.boolean)
        types |= NULL_TYPE;
    return types & NUMBER_TYPE ? types & ~(unsigned)INTEGER_TYPE : types;
}

static unsigned type_of_value(const struct gs_json *v)
{
    switch (v->kind) {
    case GS_JSON_NULL:
        return NULL_TYPE;
    case GS_JSON_BOOL:
        return BOOLEAN_TYPE;
    case GS_JSON_INT:
        return INTEGER_TYPE | NUMBER_TYPE;
    case GS_JSON_REAL:
        return NUMBER_TYPE;
    case GS_JSON_STRING:
        return STRING_TYPE;
    case GS_JSON_ARRAY:
        return ARRAY_TYPE;
    case GS_JSON_OBJECT:
        return OBJECT_TYPE;
    }
    return 0;
}

static uint32_t typed(struct gs_schema *c, const struct gs_json *s)
{
    const unsigned types = types_of(c, s);
    uint32_t node = GS_GRAMMAR_FAIL;

    if (types & OBJECT_TYPE)
        node = gs_grammar_fork(&c->g, node, gs_schema_object(c, s, GS_GRAMMAR_END));
    if (types & ARRAY_TYPE)
        node = gs_grammar_fork(&c->g, node, gs_schema_array(c, s, GS_GRAMMAR_END));
    if (types & STRING_TYPE)
        node = gs_grammar_fork(&c->g, node, gs_schema_string(c, s, GS_GRAMMAR_END));
    if (types & NUMBER_TYPE)
        node = gs_grammar_fork(&c->g, node, gs_schema_number(c, s, false, GS_GRAMMAR_END));
    else if (types & INTEGER_TYPE)
        node = gs_grammar_fork(&c->g, node, gs_schema_number(c, s, true, GS_GRAMMAR_END));
    if (types & BOOLEAN_TYPE)
        node = gs_grammar_fork(&c->g, node, gs_schema_regex(c, "true|false", GS_GRAMMAR_END));
    if (types & NULL_TYPE)
        node = gs_grammar_fork(&c->g, node, gs_schema_text(c, "null", GS_GRAMMAR_END));
    return node;
}

/* ---- values and alternatives ---- */

/* Whether a constant is in the enumeration, if there is one. */
static bool is_listed(struct gs_schema *c, const struct gs_json *s, const struct gs_json *v)
{
    const struct gs_json *list = gs_json_get(s, "enum");
    bool found = false;

    if (!list || list->kind != GS_JSON_ARRAY)
        return true;
    const struct gs_json *items = list->u.array.items;
    const size_t n = list->u.array.len;
    if (v >= items && v < items + n)
        return true;
    if (!gs_schema_afford(c, n * GS_SCHEMA_EQUAL_COST)) {
        gs_schema_ignore(c, "enum");
        return true;
    }
    for (size_t i = 0; !found && i < n; i++)
        found = gs_schema_equal(&items[i], v);
    return found;
}

/* Whether a constant is what the schema's other keywords ask for; those that cannot tell are
 * named. */
static bool fits(struct gs_schema *c, const struct gs_json *s, const struct gs_json *v)
{
    static const char *const untold[] = {
        "properties",        "required",      "additionalProperties",
        "patternProperties", "propertyNames", "minProperties",
        "maxProperties",     "items",         "prefixItems",
        "minItems",          "maxItems"};

    if (!is_listed(c, s, v))
        return false;
    if (v->kind == GS_JSON_NULL || v->kind == GS_JSON_BOOL)
        return true;
    if (v->kind == GS_JSON_STRING)
        return gs_schema_string_fits(c, s, v->u.string);
    if (v->kind == GS_JSON_INT || v->kind == GS_JSON_REAL)
        return gs_schema_number_fits(c, s, v);
    for (size_t i = 0; i < GS_COUNT_OF(untold); i++)
        if (gs_json_get(s, untold[i]))
            gs_schema_ignore(c, untold[i]);
    return true;
}

static struct gs_slice json_text(struct gs_schema *c, const struct gs_json *v)
{
    struct gs_slice text = {NULL, 0};
    struct gs_buf b;

    gs_buf_init(&b, GS_MAX_TEXT_BYTES);
    gs_json_write(&b, v);
    if (!gs_buf_ok(&b) || !gs_arena_dup(&c->a, gs_buf_view(&b), &text))
        gs_schema_nomem(c);
    gs_buf_clear(&b);
    return text;
}

/* One of `values`, as far as the schema's other keywords allow them. */
static uint32_t one_of_values(struct gs_schema *c, const struct gs_json *s,
                              const struct gs_json *values, size_t n)
{
    const unsigned types = gs_json_get(s, "type") ? types_of(c, s) : ANY_TYPE;
    struct gs_slice *texts = gs_arena_array(&c->a, n, sizeof(*texts));
    size_t n_texts = 0;

    if (!texts)
        gs_schema_nomem(c);
    for (size_t i = 0; texts && i < n; i++)
        if (type_of_value(&values[i]) & types && fits(c, s, &values[i]))
            texts[n_texts++] = json_text(c, &values[i]);
    return gs_grammar_texts(&c->g, texts, n_texts, GS_GRAMMAR_END);
}

/* Whether no value can be of two of the branches, as far as their types and constants tell. */
static bool exclude_each_other(struct gs_schema *c, const struct gs_json *branches)
{
    unsigned seen = 0;

    for (size_t i = 0; i < branches->u.array.len; i++) {
        const struct gs_json *b = &branches->u.array.items[i];
        const struct gs_json *value = gs_json_get(b, "const");
        unsigned types = value ? type_of_value(value) : gs_json_get(b, "type") ? types_of(c, b) : 0;
        if (types & (NUMBER_TYPE | INTEGER_TYPE))
            types |= NUMBER_TYPE | INTEGER_TYPE;
        if (types == 0 || types & seen)
            return false;
        seen |= types;
    }
    return true;
}

static uint32_t alternatives(struct gs_schema *c, const struct gs_json *s, const char *key)
{
    const struct gs_json *branches = gs_json_get(s, key);
    const struct gs_json *rest = gs_schema_without(c, s, key);
    const bool says = rest && gs_schema_says(rest);

    if (branches->kind != GS_JSON_ARRAY) {
        gs_schema_fail(c, GS_EFORMAT, "%s must be an array", key);
        return GS_GRAMMAR_FAIL;
    }
    const size_t n = branches->u.array.len;
    uint32_t *nodes = gs_arena_array(&c->a, n, sizeof(*nodes));
    if (n > GS_SCHEMA_MAX_WAYS)
        gs_schema_fail(c, GS_ELIMIT, "%s has more than %d schemas", key, GS_SCHEMA_MAX_WAYS);
    if (!nodes) {
        gs_schema_nomem(c);
        return GS_GRAMMAR_FAIL;
    }
    if (strcmp(key, "oneOf") == 0 && !exclude_each_other(c, branches))
        gs_schema_ignore(c, "oneOf");
    for (size_t i = 0; i < n && c->st == GS_OK; i++) {
        const struct gs_json *branch = &branches->u.array.items[i];
        if (says)
            branch = gs_schema_both(c, rest, branch);
        nodes[i] = gs_schema_node(c, branch, GS_GRAMMAR_END);
    }
    return c->st == GS_OK ? gs_grammar_any(&c->g, nodes, n) : GS_GRAMMAR_FAIL;
}

static const struct gs_json *merge_all(struct gs_schema *c, const struct gs_json *s)
{
    const struct gs_json *all = gs_json_get(s, "allOf");
    const struct gs_json *out = gs_schema_without(c, s, "allOf");

    if (all->kind != GS_JSON_ARRAY) {
        gs_schema_fail(c, GS_EFORMAT, "allOf must be an array");
        return NULL;
    }
    for (size_t i = 0; i < all->u.array.len && out; i++)
        out = gs_schema_both(c, out, &all->u.array.items[i]);
    return out;
}

static const struct gs_json *follow_ref(struct gs_schema *c, const struct gs_json *s,
                                        const struct gs_json *ref)
{
    const struct gs_json *target = NULL;
    const struct gs_json *rest = gs_schema_without(c, s, "$ref");

    if (ref->kind == GS_JSON_STRING)
        target = gs_schema_resolve(c, ref->u.string);
    else
        gs_schema_fail(c, GS_EFORMAT, "$ref must be a string");
    if (!target || !rest)
        return rest;
    return gs_schema_says(rest) ? gs_schema_both(c, rest, target) : target;
}

static void name_ignored(struct gs_schema *c, const struct gs_json *s)
{
    static const char *const keywords[] = {"not",
                                           "if",
                                           "then",
                                           "else",
                                           "dependentSchemas",
                                           "dependencies",
                                           "contains",
                                           "uniqueItems",
                                           "multipleOf",
                                           "unevaluatedProperties",
                                           "dependentRequired",
                                           "$dynamicRef",
                                           "unevaluatedItems"};

    for (size_t i = 0; i < GS_COUNT_OF(keywords); i++)
        if (gs_json_get(s, keywords[i]))
            gs_schema_ignore(c, keywords[i]);
}

/* The first node of a schema's rule. */
static uint32_t compile(struct gs_schema *c, const struct gs_json *s)
{
    const struct gs_json *v;

    for (size_t i = 0; s && s->kind == GS_JSON_OBJECT && c->st == GS_OK; i++) {
        if (i == MAX_MERGES)
            gs_schema_fail(c, GS_ELIMIT, "references and allOf are nested too deep");
        v = gs_json_get(s, "$ref");
        if (v)
            s = follow_ref(c, s, v);
        else if (gs_json_get(s, "allOf"))
            s = merge_all(c, s);
        else
            break;
        if (s && gs_map_get(&c->rules, gs_slice((const char *)&s, sizeof(s))))
            return gs_schema_node(c, s, GS_GRAMMAR_END);
    }
    if (c->st != GS_OK || !s)
        return GS_GRAMMAR_FAIL;
    if (s->kind == GS_JSON_BOOL)
        return s->u.boolean ? gs_grammar_call(&c->g, c->value, GS_GRAMMAR_END) : GS_GRAMMAR_FAIL;
    if (s->kind != GS_JSON_OBJECT) {
        gs_schema_fail(c, GS_EFORMAT, "expected an object, found %s", gs_json_kind_name(s->kind));
        return GS_GRAMMAR_FAIL;
    }
    name_ignored(c, s);
    if (gs_json_get(s, "anyOf"))
        return alternatives(c, s, "anyOf");
    if (gs_json_get(s, "oneOf"))
        return alternatives(c, s, "oneOf");
    v = gs_json_get(s, "const");
    if (v)
        return one_of_values(c, s, v, 1);
    v = gs_json_get(s, "enum");
    if (v && v->kind == GS_JSON_ARRAY)
        return one_of_values(c, s, v->u.array.items, v->u.array.len);
    return typed(c, s);
}

/* ---- life ---- */

static void clear(struct gs_schema *c)
{
    gs_map_clear(&c->rules);
    gs_map_clear(&c->merges);
    gs_map_clear(&c->pairs);
    gs_arena_clear(&c->a);
}

static void compile_waiting(struct gs_schema *c)
{
    for (; c->first && c->st == GS_OK; c->first = c->first->next)
        gs_grammar_define(&c->g, c->first->rule, compile(c, c->first->schema));
    c->first = c->last = NULL;
}

/* The rule of a whole document (NULL: any value), and all it leads to. */
static uint32_t compile_document(struct gs_schema *c, const struct gs_json *schema)
{
    c->root = schema;
    const uint32_t rule = gs_schema_rule(c, schema);
    compile_waiting(c);
    return rule;
}

/* The rule of arguments in their notation. */
static uint32_t compile_arguments(struct gs_schema *c, const struct gs_json *schema,
                                  const struct gs_constraint_notation *notation)
{
    c->arguments = schema;
    if (!notation)
        return compile_document(c, schema);
    c->root = schema;
    const uint32_t rule = gs_grammar_rule(&c->g);
    gs_grammar_define(&c->g, rule, gs_schema_tagged(c, schema, notation, GS_GRAMMAR_END));
    compile_waiting(c);
    return rule;
}

static enum gs_status finish(struct gs_schema *c, struct gs_constraint **out_c)
{
    enum gs_status st = c->st;

    if (st == GS_OK)
        st = gs_constraint_create(&c->g, out_c, c->err);
    else
        gs_grammar_clear(&c->g);
    clear(c);
    return st;
}

/* Whether a schema is right, but more than can be enforced: too large, or a part of it means
 * itself. */
static bool is_beyond(enum gs_status st)
{
    return st == GS_ELIMIT || st == GS_EUNSUPPORTED;
}

static void init(struct gs_schema *c, struct gs_buf *ignored, struct gs_error *err)
{
    *c = (struct gs_schema){.ignored = ignored, .err = err};
    gs_arena_init(&c->a, MAX_MEMORY);
    gs_map_init(&c->rules, 256);
    gs_map_init(&c->merges, 16);
    gs_map_init(&c->pairs, 16);
    gs_grammar_init(&c->g);
    define_common(c);
}

static const struct gs_json_member object_members[] = {
    {GS_SLICE_LIT("type"), {.kind = GS_JSON_STRING, .u.string = GS_SLICE_LIT("object")}}};
static const struct gs_json any_object = {.kind = GS_JSON_OBJECT,
                                          .u.object = {.members = object_members, .len = 1}};

static enum gs_status from_value(const struct gs_json *schema, struct gs_constraint **out_c,
                                 struct gs_error *err)
{
    struct gs_schema c;

    init(&c, NULL, err);
    c.g.root = compile_document(&c, schema);
    return finish(&c, out_c);
}

enum gs_status gs_constraint_from_json(struct gs_constraint **out_c, struct gs_error *err)
{
    return from_value(&any_object, out_c, err);
}

enum gs_status gs_constraint_from_schema(struct gs_slice schema, struct gs_buf *ignored,
                                         struct gs_constraint **out_c, struct gs_error *err)
{
    struct gs_schema c;
    struct gs_json v;

    init(&c, ignored, err);
    if (gs_json_parse(schema, &c.a, &v, err) == GS_OK) {
        c.g.root = compile_document(&c, &v);
    } else {
        c.st = err ? err->code : GS_EFORMAT;
        gs_error_prefix(err, "JSON schema");
    }
    const enum gs_status st = finish(&c, out_c);
    if (!is_beyond(st))
        return st;
    gs_schema_ignore(&c, "schema");
    return from_value(NULL, out_c, err);
}

/* The rule of a tool's arguments. */
static uint32_t arguments_rule(struct gs_schema *c, struct gs_slice schema,
                               const struct gs_constraint_notation *notation)
{
    struct gs_json *v = gs_arena_alloc(&c->a, sizeof(*v));
    struct gs_error *err = c->err;

    if (!v) {
        gs_schema_nomem(c);
        return c->value;
    }
    c->err = NULL;
    if (schema.len == 0)
        *v = any_object;
    else if (gs_json_parse(schema, &c->a, v, NULL) != GS_OK)
        c->st = GS_EFORMAT;
    uint32_t rule = c->st == GS_OK ? compile_arguments(c, v, notation) : c->value;
    if (c->st == GS_EFORMAT) {
        c->st = GS_OK;
        gs_schema_ignore(c, "input_schema");
        rule = compile_arguments(c, &any_object, notation);
    }
    c->err = err;
    return rule;
}

/* Any number of calls from one on, or exactly one; of any arguments, if not of their schemas. */
static enum gs_status from_calls(const struct gs_constraint_call *calls, size_t n, bool several,
                                 bool any, struct gs_buf *ignored, struct gs_constraint **out_c,
                                 struct gs_error *err)
{
    uint32_t node = GS_GRAMMAR_FAIL;
    struct gs_schema c;

    init(&c, ignored, err);
    const uint32_t one = gs_grammar_rule(&c.g);
    uint32_t rule = 0;
    for (size_t i = 0; i < n && c.st == GS_OK; i++) {
        const struct gs_slice schema = any ? gs_slice(NULL, 0) : calls[i].schema;
        const bool is_same = i > 0 && calls[i].schema.ptr == calls[i - 1].schema.ptr &&
                             calls[i].notation == calls[i - 1].notation; /* spelled otherwise */
        const uint32_t end = gs_grammar_text(&c.g, calls[i].end, GS_GRAMMAR_END);
        if (!is_same)
            rule = arguments_rule(&c, schema, calls[i].notation);
        node = gs_grammar_fork(
            &c.g, node, gs_grammar_text(&c.g, calls[i].begin, gs_grammar_call(&c.g, rule, end)));
    }
    gs_grammar_define(&c.g, one, node);
    const uint32_t more = gs_grammar_rule(&c.g);
    gs_grammar_define(&c.g, more, gs_schema_space(&c, gs_grammar_call(&c.g, one, GS_GRAMMAR_END)));
    c.g.root = gs_grammar_rule(&c.g);
    gs_grammar_define(
        &c.g, c.g.root,
        gs_grammar_call(
            &c.g, one,
            gs_grammar_repeat(&c.g, more, 0, several ? GS_GRAMMAR_MANY : 0, GS_GRAMMAR_END)));
    return finish(&c, out_c);
}

enum gs_status gs_constraint_from_calls(const struct gs_constraint_call *calls, size_t n,
                                        bool several, struct gs_buf *ignored,
                                        struct gs_constraint **out_c, struct gs_error *err)
{
    const enum gs_status st = from_calls(calls, n, several, false, ignored, out_c, err);

    if (!is_beyond(st))
        return st;
    gs_schema_ignore(&(struct gs_schema){.ignored = ignored}, "input_schema");
    return from_calls(calls, n, several, true, NULL, out_c, err);
}
