/* The rest of a call's arguments, of which somebody else wrote the beginning.
 *
 * What is there need not be as the schema would have us write it: names in another order, names it
 * does not know, other white space. So if it does not follow the schema, it is told again: every
 * value that is complete becomes an empty string, and each object and list that is open gets a
 * schema of its own, in which those come first and what is still missing follows. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/slice.h"
#include "constraint/schema.h"

#define MAX_REFS 16
#define TOLD     "{\"const\":\"\"}" /* a value that is complete */

/* An object or list that is open. */
struct level {
    bool is_object;
    size_t at;      /* in the told text, of its bracket */
    size_t n_items; /* complete ones, of a list */
    struct gs_slice *keys;
    size_t n_keys, cap_keys;
    bool has_key;                 /* the last key's value is not complete */
    struct gs_slice half;         /* as told: the key that is not complete; may be empty */
    const struct gs_json *schema; /* NULL: any */
};

struct begun {
    struct gs_schema c; /* for its arena and references */
    struct gs_buf told;
    struct level levels[GS_MAX_JSON_DEPTH];
    size_t depth;
    size_t token_at; /* in the told text, of the string or word that is open; SIZE_MAX: none */
    bool in_string, is_escaped;
    bool ok;    /* it can be the beginning of JSON */
    bool nomem; /* it is not, for want of memory */
};

/* ---- telling again ---- */

static struct level *top(struct begun *b)
{
    return b->depth > 0 ? &b->levels[b->depth - 1] : NULL;
}

/* The value that begins at `at` is complete. Of a list's items one is told. */
static void end_value(struct begun *b, size_t at)
{
    struct level *l = top(b);

    b->token_at = SIZE_MAX;
    if (!l) {
        b->ok = false;
        return;
    }
    b->told.len = l->is_object ? at : l->at + 1;
    gs_buf_puts(&b->told, "\"\"");
    l->has_key = false;
    l->n_items++;
}

/* Parse one. */
static bool read(struct begun *b, struct gs_slice text, struct gs_json *out)
{
    const enum gs_status st = gs_json_parse(text, &b->c.a, out, NULL);

    b->nomem |= st == GS_ENOMEM;
    return st == GS_OK;
}

static bool is_value(struct begun *b, struct gs_slice text)
{
    struct gs_json v;

    return read(b, text, &v);
}

static void end_word(struct begun *b)
{
    if (b->token_at == SIZE_MAX)
        return;
    b->ok &= is_value(b, gs_slice_sub(gs_buf_view(&b->told), b->token_at, b->told.len));
    end_value(b, b->token_at);
}

static bool awaits_key(struct begun *b)
{
    return top(b) && top(b)->is_object && !top(b)->has_key;
}

static void end_string(struct begun *b)
{
    b->in_string = false;
    if (awaits_key(b))
        return; /* until its colon */
    b->ok &= is_value(b, gs_slice_sub(gs_buf_view(&b->told), b->token_at, b->told.len));
    end_value(b, b->token_at);
}

/* The key before a colon. */
static void end_key(struct begun *b)
{
    struct level *l = top(b);
    struct gs_json key;

    if (b->token_at == SIZE_MAX || !awaits_key(b) ||
        !read(b, gs_slice_sub(gs_buf_view(&b->told), b->token_at, b->told.len), &key) ||
        key.kind != GS_JSON_STRING) {
        b->ok = false;
        return;
    }
    if (l->n_keys == l->cap_keys) {
        const size_t cap = l->cap_keys ? 2 * l->cap_keys : 8;
        struct gs_slice *keys = gs_arena_array(&b->c.a, cap, sizeof(*keys));
        if (!keys) {
            b->nomem = true;
            b->ok = false;
            return;
        }
        if (l->n_keys > 0)
            memcpy(keys, l->keys, l->n_keys * sizeof(*keys));
        l->keys = keys;
        l->cap_keys = cap;
    }
    l->keys[l->n_keys++] = key.u.string;
    b->told.len = b->token_at;
    b->token_at = SIZE_MAX;
    gs_json_write_string(&b->told, key.u.string);
    gs_buf_putc(&b->told, ':');
    l->has_key = true;
}

static void open_level(struct begun *b, char bracket)
{
    if (b->depth == GS_MAX_JSON_DEPTH || b->token_at != SIZE_MAX) {
        b->ok = false;
        return;
    }
    b->levels[b->depth++] = (struct level){.is_object = bracket == '{', .at = b->told.len};
    gs_buf_putc(&b->told, bracket);
}

static void close_level(struct begun *b, char bracket)
{
    end_word(b);
    if (!b->ok || !top(b) || top(b)->is_object != (bracket == '}')) {
        b->ok = false;
        return;
    }
    const size_t at = top(b)->at;
    b->depth--;
    end_value(b, at);
}

static void take_outside(struct begun *b, char c)
{
    switch (c) {
    case '{':
    case '[':
        open_level(b, c);
        break;
    case '}':
    case ']':
        close_level(b, c);
        break;
    case ':':
        end_key(b);
        break;
    case ',':
        end_word(b);
        gs_buf_putc(&b->told, c);
        break;
    case ' ':
    case '\t':
    case '\r':
    case '\n':
        if (b->token_at == SIZE_MAX || b->told.ptr[b->token_at] == '"')
            break;
        end_word(b);
        break;
    default:
        if (b->token_at == SIZE_MAX)
            b->token_at = b->told.len;
        b->in_string = c == '"';
        gs_buf_putc(&b->told, c);
    }
}

/* False if `text` is no beginning of a JSON object, or memory is short. */
static bool tell(struct begun *b, struct gs_slice text)
{
    for (size_t i = 0; i < text.len && b->ok; i++) {
        const char c = text.ptr[i];
        if (!b->in_string) {
            take_outside(b, c);
            continue;
        }
        gs_buf_putc(&b->told, c);
        if (!b->is_escaped && c == '"')
            end_string(b);
        b->is_escaped = !b->is_escaped && c == '\\';
    }
    b->nomem |= !gs_buf_ok(&b->told);
    return b->ok && !b->nomem;
}

/* ---- schemas of what is open ---- */

static bool has_type(const struct gs_json *s, const char *name)
{
    const struct gs_json *type = gs_json_get(s, "type");

    if (!type)
        return true;
    if (type->kind == GS_JSON_STRING)
        return gs_slice_eq_str(type->u.string, name);
    for (size_t i = 0; type->kind == GS_JSON_ARRAY && i < type->u.array.len; i++)
        if (type->u.array.items[i].kind == GS_JSON_STRING &&
            gs_slice_eq_str(type->u.array.items[i].u.string, name))
            return true;
    return false;
}

/* The only one of the alternatives that has the type; NULL: none, or several. */
static const struct gs_json *choose(const struct gs_json *list, const char *type)
{
    const struct gs_json *only = NULL;

    for (size_t i = 0; list->kind == GS_JSON_ARRAY && i < list->u.array.len; i++) {
        if (!has_type(&list->u.array.items[i], type))
            continue;
        if (only)
            return NULL;
        only = &list->u.array.items[i];
    }
    return only;
}

/* The schema of an object or list that says it itself; NULL: any. */
static const struct gs_json *plain(struct begun *b, const struct gs_json *s, const char *type)
{
    static const char *const lists[] = {"anyOf", "oneOf", "allOf"};

    for (int i = 0; i < MAX_REFS && s && s->kind == GS_JSON_OBJECT; i++) {
        const struct gs_json *ref = gs_json_get(s, "$ref");
        const struct gs_json *list = NULL;
        for (size_t k = 0; k < GS_COUNT_OF(lists) && !list; k++)
            list = gs_json_get(s, lists[k]);
        if (ref)
            s = ref->kind == GS_JSON_STRING ? gs_schema_resolve(&b->c, ref->u.string) : NULL;
        else if (list)
            s = choose(list, type);
        else
            return has_type(s, type) ? s : NULL;
    }
    return NULL;
}

static const struct gs_json *member(const struct gs_json *object, struct gs_slice key)
{
    for (size_t i = 0; object && object->kind == GS_JSON_OBJECT && i < object->u.object.len; i++)
        if (gs_slice_eq(object->u.object.members[i].key, key))
            return &object->u.object.members[i].value;
    return NULL;
}

/* The schema of the value that a level has open; NULL: any. */
static const struct gs_json *schema_of_open(const struct level *l)
{
    const struct gs_json *prefix = gs_json_get(l->schema, "prefixItems");

    if (l->is_object) {
        const struct gs_json *s =
            member(gs_json_get(l->schema, "properties"), l->keys[l->n_keys - 1]);
        return s ? s : gs_json_get(l->schema, "additionalProperties");
    }
    if (prefix && prefix->kind == GS_JSON_ARRAY && l->n_items < prefix->u.array.len)
        return &prefix->u.array.items[l->n_items];
    return gs_json_get(l->schema, "items");
}

static void find_schemas(struct begun *b, const struct gs_json *root)
{
    if (b->token_at != SIZE_MAX && awaits_key(b))
        top(b)->half = gs_slice_sub(gs_buf_view(&b->told), b->token_at, b->told.len);
    const struct gs_json *s = root;

    b->c.root = root;
    for (size_t i = 0; i < b->depth; i++) {
        struct level *l = &b->levels[i];
        l->schema = plain(b, s, l->is_object ? "object" : "array");
        s = i + 1 < b->depth ? schema_of_open(l) : NULL;
    }
}

/* ---- a schema that begins so ---- */

static bool is_given(const struct level *l, struct gs_slice key)
{
    for (size_t i = 0; i < l->n_keys; i++)
        if (gs_slice_eq(l->keys[i], key))
            return true;
    return false;
}

/* Unless nothing stands behind the bracket. */
static void put_comma(struct gs_buf *to)
{
    if (to->len > 0 && to->ptr[to->len - 1] != '{' && to->ptr[to->len - 1] != '[')
        gs_buf_putc(to, ',');
}

static void put_member(struct gs_buf *to, struct gs_slice key)
{
    put_comma(to);
    gs_json_write_string(to, key);
    gs_buf_putc(to, ':');
}

static void put_key(struct gs_buf *to, const char *key)
{
    put_member(to, gs_slice_str(key));
}

/* Whether the key that is not complete may become this one. */
static bool may_become(const struct level *l, struct gs_slice key)
{
    struct gs_buf text;

    gs_buf_init(&text, GS_MAX_TEXT_BYTES);
    gs_json_write_string(&text, key);
    const bool may = l->half.len > 0 && gs_slice_starts(gs_buf_view(&text), l->half);
    gs_buf_clear(&text);
    return may;
}

static void put_schema(struct gs_buf *to, const struct gs_json *s)
{
    if (s)
        gs_json_write(to, s);
    else
        gs_buf_puts(to, "{}");
}

/* `open` is the schema of the value that is open; empty: as the level says. */
static void put_open(struct gs_buf *to, const struct level *l, struct gs_slice open, bool is_loose)
{
    if (open.len > 0)
        gs_buf_slice(to, open);
    else
        put_schema(to, is_loose ? NULL : schema_of_open(l));
}

static void put_required(struct gs_buf *to, const struct level *l)
{
    const struct gs_json *required = gs_json_get(l->schema, "required");

    put_key(to, "required");
    gs_buf_putc(to, '[');
    for (size_t i = 0; i < l->n_keys; i++) {
        put_comma(to);
        gs_json_write_string(to, l->keys[i]);
    }
    for (size_t i = 0; required && required->kind == GS_JSON_ARRAY && i < required->u.array.len;
         i++) {
        const struct gs_json *key = &required->u.array.items[i];
        if (key->kind != GS_JSON_STRING || is_given(l, key->u.string))
            continue;
        put_comma(to);
        gs_json_write_string(to, key->u.string);
    }
    gs_buf_putc(to, ']');
}

/* What the schema knows besides what was given: first what the key that is not complete may become,
 * or all but that. */
static void put_others(struct gs_buf *to, const struct level *l, bool is_first)
{
    const struct gs_json *props = gs_json_get(l->schema, "properties");

    for (size_t i = 0; props && props->kind == GS_JSON_OBJECT && i < props->u.object.len; i++) {
        const struct gs_json_member *m = &props->u.object.members[i];
        if (is_given(l, m->key) || may_become(l, m->key) != is_first)
            continue;
        put_member(to, m->key);
        put_schema(to, &m->value);
    }
}

/* Names that were given come first, in that order. */
static void put_object(struct gs_buf *to, const struct level *l, struct gs_slice open,
                       bool is_loose)
{
    const struct gs_json *props = gs_json_get(l->schema, "properties");
    const struct gs_json *others = gs_json_get(l->schema, "additionalProperties");
    const bool is_free = is_loose || gs_json_get(l->schema, "patternProperties") ||
                         (!others && (!props || props->kind != GS_JSON_OBJECT));

    gs_buf_puts(to, "\"type\":\"object\",\"properties\":{");
    for (size_t i = 0; i < l->n_keys; i++) {
        put_member(to, l->keys[i]);
        if (i + 1 == l->n_keys && l->has_key)
            put_open(to, l, open, is_loose);
        else
            gs_buf_puts(to, TOLD);
    }
    put_others(to, l, true);
    put_others(to, l, false);
    gs_buf_putc(to, '}');
    put_required(to, l);
    if (!is_free && !others)
        return;
    put_key(to, "additionalProperties");
    if (is_free)
        gs_buf_puts(to, "true");
    else
        put_schema(to, others);
}

/* However many items are there, one was told. */
static void put_array(struct gs_buf *to, const struct level *l, struct gs_slice open, bool is_loose)
{
    const struct gs_json *prefix = gs_json_get(l->schema, "prefixItems");
    const int64_t n_more = l->n_items > 1 ? (int64_t)l->n_items - 1 : 0;
    int64_t min = 0;
    int64_t max = INT64_MAX;

    gs_buf_puts(to, "\"type\":\"array\",\"prefixItems\":[");
    if (l->n_items > 0)
        gs_buf_puts(to, TOLD);
    if (open.len > 0) {
        put_comma(to);
        gs_buf_slice(to, open);
    }
    for (size_t i = l->n_items + (open.len > 0);
         prefix && prefix->kind == GS_JSON_ARRAY && i < prefix->u.array.len; i++) {
        put_comma(to);
        put_schema(to, is_loose ? NULL : &prefix->u.array.items[i]);
    }
    gs_buf_puts(to, "]");
    if (gs_json_get(l->schema, "items")) {
        put_key(to, "items");
        put_schema(to, is_loose ? NULL : gs_json_get(l->schema, "items"));
    }
    if (gs_json_get_int(l->schema, "minItems", &min, NULL) && min > n_more) {
        put_key(to, "minItems");
        gs_buf_int(to, min - n_more);
    }
    if (!is_loose && gs_json_get_int(l->schema, "maxItems", &max, NULL) && max != INT64_MAX) {
        put_key(to, "maxItems");
        gs_buf_int(to, GS_MAX(max - n_more, 1));
    }
}

/* The schema of what is told, from the innermost level outwards. Loose: what is not complete may
 * be anything, under any name. False: no memory. */
static bool write_schema(struct begun *b, const struct gs_json *root, bool is_loose,
                         struct gs_buf *out)
{
    static const char *const kept[] = {"$defs", "definitions"};
    struct gs_buf inner;

    gs_buf_init(&inner, out->max);
    for (size_t i = b->depth; i-- > 0;) {
        const struct level *l = &b->levels[i];
        gs_buf_reset(out);
        gs_buf_putc(out, '{');
        (l->is_object ? put_object : put_array)(out, l, gs_buf_view(&inner), is_loose);
        for (size_t k = 0; i == 0 && k < GS_COUNT_OF(kept); k++) {
            const struct gs_json *defs = gs_json_get(root, kept[k]);
            if (!defs)
                continue;
            put_key(out, kept[k]);
            gs_json_write(out, defs);
        }
        gs_buf_putc(out, '}');
        gs_buf_reset(&inner);
        gs_buf_slice(&inner, gs_buf_view(out));
    }
    const bool ok = gs_buf_ok(&inner);
    gs_buf_clear(&inner);
    return ok && gs_buf_ok(out);
}

/* ---- trying ---- */

/* A constraint of the schema, gone on to the end of `text`; *out_c is NULL if it does not fit. */
static enum gs_status try(struct gs_slice schema, struct gs_slice text, struct gs_slice end,
                          struct gs_buf *ignored, struct gs_constraint **out_c,
                          struct gs_error *err)
{
    const struct gs_constraint_call call = {.begin = gs_slice("", 0), .end = end, .schema = schema};
    struct gs_constraint *c = NULL;

    *out_c = NULL;
    const enum gs_status st = gs_constraint_from_calls(&call, 1, false, ignored, &c, err);
    if (st != GS_OK)
        return st;
    if (gs_constraint_advance(c, text)) {
        *out_c = c;
        return GS_OK;
    }
    const bool failed = gs_constraint_failed(c);
    gs_constraint_free(c);
    return failed ? gs_error_nomem(err, "go on with a call") : GS_OK;
}

/* As the schema says, with what is there told again. */
static enum gs_status try_told(struct begun *b, struct gs_slice schema, struct gs_slice end,
                               struct gs_buf *ignored, struct gs_constraint **out_c,
                               struct gs_error *err)
{
    enum gs_status st = GS_OK;
    struct gs_json root;
    struct gs_buf text;

    if (gs_slice_find(schema, GS_SLICE_LIT("\"#/properties"), 0) != SIZE_MAX ||
        gs_slice_find(schema, GS_SLICE_LIT("\"#\""), 0) != SIZE_MAX)
        return GS_OK; /* it refers to what is told otherwise */
    if (schema.len == 0 || !read(b, schema, &root))
        return b->nomem ? gs_error_nomem(err, "go on with a call") : GS_OK;
    find_schemas(b, &root);
    gs_buf_init(&text, GS_MAX_TEXT_BYTES);
    for (int is_loose = 0; is_loose < 2 && st == GS_OK && !*out_c; is_loose++) {
        st = write_schema(b, &root, is_loose, &text)
                 ? try(gs_buf_view(&text), gs_buf_view(&b->told), end, ignored, out_c, err)
                 : gs_error_nomem(err, "go on with a call");
    }
    gs_buf_clear(&text);
    return st;
}

enum gs_status gs_constraint_from_begun_call(struct gs_slice schema, struct gs_slice args,
                                             struct gs_slice end, struct gs_buf *ignored,
                                             struct gs_constraint **out_c, struct gs_error *err)
{
    struct gs_constraint *c = NULL;
    enum gs_status st = try(schema, args, end, ignored, &c, err);

    if (st != GS_OK || c) {
        *out_c = c;
        return st;
    }
    struct begun *b = gs_alloc_zero(sizeof(*b));
    if (!b)
        return gs_error_nomem(err, "go on with a call");
    gs_arena_init(&b->c.a, GS_MAX_TEXT_BYTES);
    gs_buf_init(&b->told, GS_MAX_TEXT_BYTES);
    b->token_at = SIZE_MAX;
    b->ok = true;
    if (tell(b, args) && b->depth > 0) {
        st = try_told(b, schema, end, ignored, &c, err);
        if (st == GS_OK && !c)
            st = try(gs_slice("", 0), gs_buf_view(&b->told), end, ignored, &c, err);
    }
    gs_arena_clear(&b->c.a);
    gs_buf_clear(&b->told);
    const bool nomem = b->nomem;
    gs_free(b);
    if (st == GS_OK && nomem)
        st = gs_error_nomem(err, "go on with a call");
    if (st == GS_OK && !c)
        return gs_error_set(err, GS_EFORMAT,
                            "the arguments of the call that broke off are no beginning of a JSON "
                            "object");
    *out_c = c;
    return st;
}
