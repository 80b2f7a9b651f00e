/* What holds where two schemas do: references with siblings, allOf, and alternatives beside other
 * keywords. Parts that both have (a property, say) become a slot that stands for the two, so that
 * merging goes no deeper than what is asked for, and recursive schemas end. */
#include "constraint/schema.h"

#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/slice.h"

#define MAX_NESTED  1000 /* slots within slots */
#define PAIR_COST   256  /* a slot, and the schema it will become */
#define MAX_PRODUCT 256  /* alternatives that two lists of them may become */

struct pair {
    const struct gs_json *a, *b;
};

/* ---- references ---- */

/* One step of a JSON pointer (RFC 6901), "~1" and "~0" being "/" and "~". */
static const struct gs_json *descend(const struct gs_json *v, struct gs_slice step, char *text)
{
    size_t n = 0;
    int64_t i;

    for (size_t at = 0; at < step.len; at++) {
        char ch = step.ptr[at];
        if (ch == '~' && at + 1 < step.len)
            ch = step.ptr[++at] == '1' ? '/' : '~';
        text[n++] = ch;
    }
    text[n] = '\0';
    if (v->kind == GS_JSON_ARRAY)
        return gs_slice_to_i64(gs_slice(text, n), &i) && i >= 0 && (size_t)i < v->u.array.len
                   ? &v->u.array.items[i]
                   : NULL;
    return gs_json_get(v, text);
}

const struct gs_json *gs_schema_resolve(struct gs_schema *c, struct gs_slice ref)
{
    const struct gs_json *v = c->root;
    char *text = gs_arena_alloc(&c->a, ref.len + 1);
    size_t at = 1;

    if (!text) {
        gs_schema_nomem(c);
        return NULL;
    }
    if (gs_slice_starts(ref, GS_SLICE_LIT("#"))) {
        while (v && at < ref.len && ref.ptr[at] == '/') {
            const size_t end = GS_MIN(gs_slice_find(ref, GS_SLICE_LIT("/"), at + 1), ref.len);
            v = descend(v, gs_slice_sub(ref, at + 1, end), text);
            at = end;
        }
        if (v && at == ref.len)
            return v;
    }
    gs_schema_ignore(c, "$ref");
    return NULL;
}

/* ---- slots ---- */

static bool remember(struct gs_schema *c, struct gs_map *map, const void *key, size_t n,
                     const void *value)
{
    struct gs_slice copy;

    if (gs_arena_dup(&c->a, gs_slice(key, n), &copy) && gs_map_put(map, copy, (void *)value))
        return true;
    gs_schema_nomem(c);
    return false;
}

/* Make *slot stand for a and b. It is a text of no length, told by its address: slots may be
 * copied. */
static void stand_for(struct gs_schema *c, struct gs_json *slot, const struct gs_json *a,
                      const struct gs_json *b)
{
    struct pair *p = gs_arena_alloc(&c->a, sizeof(*p));

    *slot = (struct gs_json){.kind = GS_JSON_STRING, .u.string = {(const char *)p, 0}};
    if (!p) {
        gs_schema_nomem(c);
        return;
    }
    *p = (struct pair){a, b};
    remember(c, &c->pairs, &p, sizeof(p), p);
}

bool gs_schema_pair(const struct gs_schema *c, const struct gs_json *slot,
                    const struct gs_json **out_a, const struct gs_json **out_b)
{
    const struct pair *p = slot->kind == GS_JSON_STRING && slot->u.string.len == 0
                               ? gs_map_get(&c->pairs, gs_slice((const char *)&slot->u.string.ptr,
                                                                sizeof(slot->u.string.ptr)))
                               : NULL;

    if (p) {
        *out_a = p->a;
        *out_b = p->b;
    }
    return p != NULL;
}

/* ---- objects ---- */

struct object {
    struct gs_json_member *members;
    size_t n;
};

static struct gs_json *put(struct object *o, struct gs_slice key, struct gs_json value)
{
    o->members[o->n] = (struct gs_json_member){key, value};
    return &o->members[o->n++].value;
}

static struct gs_json as_json(const struct object *o)
{
    return (struct gs_json){.kind = GS_JSON_OBJECT,
                            .u.object = {.members = o->members, .len = o->n}};
}

static const struct gs_json *keep(struct gs_schema *c, struct gs_json v)
{
    struct gs_json *p = gs_arena_alloc(&c->a, sizeof(*p));

    if (p)
        *p = v;
    else
        gs_schema_nomem(c);
    return p;
}

static const struct gs_json *member(const struct gs_json *v, struct gs_slice key)
{
    for (size_t i = 0; v && v->kind == GS_JSON_OBJECT && i < v->u.object.len; i++)
        if (gs_slice_eq(v->u.object.members[i].key, key))
            return &v->u.object.members[i].value;
    return NULL;
}

const struct gs_json *gs_schema_without(struct gs_schema *c, const struct gs_json *schema,
                                        const char *key)
{
    struct object o = {gs_arena_array(&c->a, schema->u.object.len, sizeof(*o.members)), 0};

    if (!o.members) {
        gs_schema_nomem(c);
        return NULL;
    }
    for (size_t i = 0; i < schema->u.object.len; i++)
        if (!gs_slice_eq_str(schema->u.object.members[i].key, key))
            o.members[o.n++] = schema->u.object.members[i];
    return keep(c, as_json(&o));
}

bool gs_schema_says(const struct gs_json *schema)
{
    static const char *const annotations[] = {
        "title",   "description", "default",    "examples",    "$schema",     "$id",
        "$defs",   "$comment",    "deprecated", "definitions", "readOnly",    "writeOnly",
        "$anchor", "example",     "strict",     "id",          "externalDocs"};

    for (size_t i = 0; i < schema->u.object.len; i++) {
        size_t k = 0;
        while (k < GS_COUNT_OF(annotations) &&
               !gs_slice_eq_str(schema->u.object.members[i].key, annotations[k]))
            k++;
        if (k == GS_COUNT_OF(annotations))
            return true;
    }
    return false;
}

/* ---- merging by keyword ---- */

/* Where the properties of one meet a schema: its own property, else what it says of others. */
static const struct gs_json *said_of(const struct gs_json *schema, struct gs_slice name)
{
    const struct gs_json *p = member(gs_json_get(schema, "properties"), name);

    return p ? p : gs_json_get(schema, "additionalProperties");
}

static bool is_false(const struct gs_json *v)
{
    return v && v->kind == GS_JSON_BOOL && !v->u.boolean;
}

/* The properties of `from`, each with what the other says of it, unless `o` has it already. */
static void add_properties(struct gs_schema *c, struct object *o, const struct gs_json *from,
                           const struct gs_json *other)
{
    const struct gs_json *props = gs_json_get(from, "properties");

    for (size_t i = 0; props && props->kind == GS_JSON_OBJECT && i < props->u.object.len; i++) {
        const struct gs_json_member *p = &props->u.object.members[i];
        const struct gs_json *also = said_of(other, p->key);
        const struct gs_json so_far = as_json(o);
        if (member(&so_far, p->key) || is_false(also))
            continue;
        struct gs_json *slot = put(o, p->key, p->value);
        if (also)
            stand_for(c, slot, &p->value, also);
        else /* the schema itself, at its own address */
            stand_for(c, slot, &p->value, &p->value);
    }
}

static size_t count_properties(const struct gs_json *schema)
{
    const struct gs_json *props = gs_json_get(schema, "properties");

    return props && props->kind == GS_JSON_OBJECT ? props->u.object.len : 0;
}

static struct gs_json merged_properties(struct gs_schema *c, const struct gs_json *a,
                                        const struct gs_json *b)
{
    const size_t n = count_properties(a) + count_properties(b);
    if (!gs_schema_afford(c, n * n)) {
        gs_schema_ignore(c, "properties");
        return *gs_json_get(count_properties(a) > 0 ? a : b, "properties");
    }
    struct object o = {gs_arena_array(&c->a, n, sizeof(*o.members)), 0};

    if (!o.members) {
        gs_schema_nomem(c);
        return (struct gs_json){.kind = GS_JSON_OBJECT};
    }
    add_properties(c, &o, a, b);
    add_properties(c, &o, b, a);
    return as_json(&o);
}

bool gs_schema_equal(const struct gs_json *a, const struct gs_json *b)
{
    struct gs_buf x;
    struct gs_buf y;

    gs_buf_init(&x, GS_MAX_TEXT_BYTES);
    gs_buf_init(&y, GS_MAX_TEXT_BYTES);
    gs_json_write(&x, a);
    gs_json_write(&y, b);
    const bool same =
        gs_buf_ok(&x) && gs_buf_ok(&y) && gs_slice_eq(gs_buf_view(&x), gs_buf_view(&y));
    gs_buf_clear(&x);
    gs_buf_clear(&y);
    return same;
}

/* An array's items, or the value itself as the only one. */
static const struct gs_json *items_of(const struct gs_json *v, size_t *out_n)
{
    *out_n = v->kind == GS_JSON_ARRAY ? v->u.array.len : 1;
    return v->kind == GS_JSON_ARRAY ? v->u.array.items : v;
}

/* Items of a that are among those of b (or, `all`, those of both without repeats). */
static struct gs_json merged_items(struct gs_schema *c, const struct gs_json *a,
                                   const struct gs_json *b, bool all)
{
    size_t n_a;
    size_t n_b;
    const struct gs_json *x = items_of(a, &n_a);
    const struct gs_json *y = items_of(b, &n_b);
    size_t n = 0;

    if (!all && !gs_schema_afford(c, n_a * n_b * GS_SCHEMA_EQUAL_COST)) {
        gs_schema_ignore(c, "enum");
        return *a;
    }
    struct gs_json *out = gs_arena_array(&c->a, n_a + n_b, sizeof(*out));
    if (!out)
        gs_schema_nomem(c);
    for (size_t i = 0; out && i < n_a; i++) {
        size_t k = 0;
        while (!all && k < n_b && !gs_schema_equal(&x[i], &y[k]))
            k++;
        if (all || k < n_b)
            out[n++] = x[i];
    }
    for (size_t i = 0; out && all && i < n_b; i++)
        out[n++] = y[i];
    return (struct gs_json){.kind = GS_JSON_ARRAY, .u.array = {.items = out, .len = n}};
}

static bool is_named(const struct gs_json *v, const char *name)
{
    return v->kind == GS_JSON_STRING && gs_slice_eq_str(v->u.string, name);
}

/* Types of both, whole numbers being numbers. */
static struct gs_json merged_types(struct gs_schema *c, const struct gs_json *a,
                                   const struct gs_json *b)
{
    size_t n_a;
    size_t n_b;
    const struct gs_json *x = items_of(a, &n_a);
    const struct gs_json *y = items_of(b, &n_b);
    size_t n = 0;

    if (!gs_schema_afford(c, n_a * n_b * GS_SCHEMA_EQUAL_COST)) {
        gs_schema_ignore(c, "type");
        return *a;
    }
    struct gs_json *out = gs_arena_array(&c->a, n_a * n_b, sizeof(*out));
    if (!out)
        gs_schema_nomem(c);
    for (size_t i = 0; out && i < n_a * n_b; i++) {
        const struct gs_json *p = &x[i / n_b];
        const struct gs_json *q = &y[i % n_b];
        if (gs_schema_equal(p, q) || (is_named(p, "integer") && is_named(q, "number")))
            out[n++] = *p;
        else if (is_named(p, "number") && is_named(q, "integer"))
            out[n++] = *q;
    }
    return (struct gs_json){.kind = GS_JSON_ARRAY, .u.array = {.items = out, .len = n}};
}

static double number_of(const struct gs_json *v)
{
    return v->kind == GS_JSON_INT ? (double)v->u.integer : v->kind == GS_JSON_REAL ? v->u.real : 0;
}

static size_t count_items(const struct gs_json *schema)
{
    const struct gs_json *prefix = gs_json_get(schema, "prefixItems");

    return prefix && prefix->kind == GS_JSON_ARRAY ? prefix->u.array.len : 0;
}

/* Every pair of alternatives; only the first one's, where they are too many. */
static struct gs_json merged_alternatives(struct gs_schema *c, const struct gs_json *a,
                                          const struct gs_json *b)
{
    const size_t n = a->u.array.len * b->u.array.len;

    if (n > MAX_PRODUCT || !gs_schema_afford(c, n * PAIR_COST)) {
        gs_schema_ignore(c, "allOf");
        return *a;
    }
    struct gs_json *out = gs_arena_array(&c->a, n, sizeof(*out));
    if (!out)
        gs_schema_nomem(c);
    for (size_t i = 0; out && i < n; i++)
        stand_for(c, &out[i], &a->u.array.items[i / b->u.array.len],
                  &b->u.array.items[i % b->u.array.len]);
    return (struct gs_json){.kind = GS_JSON_ARRAY, .u.array = {.items = out, .len = out ? n : 0}};
}

static bool is_one_of(struct gs_slice key, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (gs_slice_eq_str(key, names[i]))
            return true;
    return false;
}

/* A keyword that both have, as `slot`. */
static void merge_keyword(struct gs_schema *c, struct gs_json *slot, struct gs_slice key,
                          const struct gs_json *x, const struct gs_json *y)
{
    static const char *const mins[] = {"minimum", "exclusiveMinimum", "minLength", "minItems",
                                       "minProperties"};
    static const char *const maxs[] = {"maximum", "exclusiveMaximum", "maxLength", "maxItems",
                                       "maxProperties"};
    static const char *const schemas[] = {"items", "additionalProperties", "propertyNames"};
    static const char *const alternatives[] = {"anyOf", "oneOf"};
    static const char *const enforced[] = {"pattern", "format", "patternProperties"};
    const bool arrays = x->kind == GS_JSON_ARRAY && y->kind == GS_JSON_ARRAY;

    if (is_one_of(key, mins, GS_COUNT_OF(mins)))
        *slot = number_of(x) >= number_of(y) ? *x : *y;
    else if (is_one_of(key, maxs, GS_COUNT_OF(maxs)))
        *slot = number_of(x) <= number_of(y) ? *x : *y;
    else if (is_one_of(key, schemas, GS_COUNT_OF(schemas)))
        stand_for(c, slot, x, y);
    else if (arrays && is_one_of(key, alternatives, GS_COUNT_OF(alternatives)))
        *slot = merged_alternatives(c, x, y);
    else if (gs_slice_eq_str(key, "type"))
        *slot = merged_types(c, x, y);
    else if (gs_slice_eq_str(key, "enum"))
        *slot = merged_items(c, x, y, false);
    else if (arrays && (gs_slice_eq_str(key, "required") || gs_slice_eq_str(key, "allOf")))
        *slot = merged_items(c, x, y, true);
    else if (gs_slice_eq_str(key, "nullable"))
        *slot = is_false(x) ? *x : *y;
    for (size_t i = 0; i < GS_COUNT_OF(enforced); i++) /* the first one's holds */
        if (gs_slice_eq_str(key, enforced[i]) && !gs_schema_equal(x, y))
            gs_schema_ignore(c, enforced[i]);
}

/* Properties of one are not held against the patterns of the other. */
static void name_patterns(struct gs_schema *c, const struct gs_json *a, const struct gs_json *b)
{
    if (gs_json_get(a, "patternProperties") &&
        (gs_json_get(b, "properties") || gs_json_get(b, "additionalProperties")))
        gs_schema_ignore(c, "patternProperties");
}

/* The schema of an array's item i; NULL if nothing is said of it. */
static const struct gs_json *item_at(const struct gs_json *schema, size_t i)
{
    const struct gs_json *prefix = gs_json_get(schema, "prefixItems");

    return i < count_items(schema) ? &prefix->u.array.items[i] : gs_json_get(schema, "items");
}

/* The first items of both, each with what the other says of it. */
static struct gs_json merged_prefix(struct gs_schema *c, const struct gs_json *a,
                                    const struct gs_json *b)
{
    const size_t n = GS_MAX(count_items(a), count_items(b));
    struct gs_json *out = gs_arena_array(&c->a, n, sizeof(*out));

    if (!out)
        gs_schema_nomem(c);
    for (size_t i = 0; out && i < n; i++) {
        const struct gs_json *x = item_at(a, i);
        const struct gs_json *y = item_at(b, i);
        stand_for(c, &out[i], x ? x : y, y ? y : x);
    }
    return (struct gs_json){.kind = GS_JSON_ARRAY, .u.array = {.items = out, .len = out ? n : 0}};
}

/* The keywords of both, in the first one's order. */
static const struct gs_json *merge(struct gs_schema *c, const struct gs_json *a,
                                   const struct gs_json *b)
{
    static const char *const apart[] = {"properties", "prefixItems"};
    const size_t n = a->u.object.len + b->u.object.len;
    struct object o = {gs_arena_array(&c->a, n + 2, sizeof(*o.members)), 0};
    const struct gs_json *value_a = gs_json_get(a, "const");
    const struct gs_json *value_b = gs_json_get(b, "const");

    if (!o.members) {
        gs_schema_nomem(c);
        return NULL;
    }
    if (value_a && value_b && !gs_schema_equal(value_a, value_b))
        return keep(c, (struct gs_json){.kind = GS_JSON_BOOL});
    for (size_t i = 0; i < n; i++) {
        const bool second = i >= a->u.object.len;
        const struct gs_json_member *m =
            second ? &b->u.object.members[i - a->u.object.len] : &a->u.object.members[i];
        const struct gs_json *other = second ? member(a, m->key) : member(b, m->key);
        if ((second && other) || is_one_of(m->key, apart, GS_COUNT_OF(apart)) ||
            (!other && gs_slice_eq_str(m->key, "nullable") && gs_json_get(second ? a : b, "type")))
            continue;
        struct gs_json *slot = put(&o, m->key, m->value);
        if (other)
            merge_keyword(c, slot, m->key, &m->value, other);
    }
    name_patterns(c, a, b);
    name_patterns(c, b, a);
    if (count_items(a) + count_items(b) > 0)
        put(&o, GS_SLICE_LIT("prefixItems"), merged_prefix(c, a, b));
    if (count_properties(a) + count_properties(b) > 0)
        put(&o, GS_SLICE_LIT("properties"), merged_properties(c, a, b));
    return keep(c, as_json(&o));
}

/* The schema behind a slot or reference, so that keywords can be compared. */
static const struct gs_json *plain(struct gs_schema *c, const struct gs_json *s)
{
    const struct gs_json *a;
    const struct gs_json *b;

    for (size_t i = 0; i < GS_MAX_JSON_DEPTH && s; i++) {
        const struct gs_json *ref = gs_json_get(s, "$ref");
        if (gs_schema_pair(c, s, &a, &b))
            s = gs_schema_both(c, a, b);
        else if (ref && ref->kind == GS_JSON_STRING && s->u.object.len == 1)
            s = gs_schema_resolve(c, ref->u.string);
        else
            return s;
    }
    return s;
}

/* The two, neither being a slot or a mere reference. */
static const struct gs_json *both_plain(struct gs_schema *c, const struct gs_json *a,
                                        const struct gs_json *b)
{
    const struct pair key = {a, b};
    const struct gs_json *out = gs_map_get(&c->merges, gs_slice((const char *)&key, sizeof(key)));

    if (out)
        return out;
    if (a->kind == GS_JSON_BOOL)
        return a->u.boolean ? b : a;
    if (b->kind == GS_JSON_BOOL)
        return b->u.boolean ? a : b;
    if (a->kind != GS_JSON_OBJECT || b->kind != GS_JSON_OBJECT)
        gs_schema_fail(c, GS_EFORMAT, "expected an object");
    else if (!gs_schema_says(a) || !gs_schema_says(b))
        out = gs_schema_says(a) ? a : b;
    else if (gs_json_get(a, "$ref") && gs_json_get(b, "$ref"))
        gs_schema_ignore(c, "$ref");
    else
        out = merge(c, a, b);
    if (out)
        remember(c, &c->merges, &key, sizeof(key), out);
    return out ? out : a;
}

const struct gs_json *gs_schema_both(struct gs_schema *c, const struct gs_json *a,
                                     const struct gs_json *b)
{
    if (c->st != GS_OK)
        return a;
    if (c->n_nested++ == MAX_NESTED)
        gs_schema_fail(c, GS_ELIMIT, "references and allOf are nested too deep");
    a = plain(c, a);
    b = plain(c, b);
    c->n_nested--;
    if (!a || !b)
        return a ? a : b;
    return a == b ? a : both_plain(c, a, b);
}
