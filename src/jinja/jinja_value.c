/* Making values, comparing them, and the dict. */
#include "jinja/jinja_value.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/map.h"
#include "base/slice.h"
#include "jinja/jinja_run.h"
#include "jinja/jinja_text.h"

#define SMALL_DICT 8 /* entries that are searched without an index */

/* ---- strings ---- */

/* Bytes that strings share and the newest of them may extend. */
struct jgrow {
    char *base;
    size_t used;
    size_t cap;
};

bool gs_jinja_str(struct jrun *r, struct gs_slice s, struct jval *out)
{
    struct jstr *str = gs_jinja_alloc(r, sizeof(*str));

    if (!str)
        return false;
    *str = (struct jstr){.ptr = s.ptr, .len = s.len, .n_chars = SIZE_MAX};
    *out = jv_str(str);
    return true;
}

bool gs_jinja_str_copy(struct jrun *r, struct gs_slice s, struct jval *out)
{
    char *p = gs_jinja_alloc(r, s.len + 1);

    if (!p)
        return false;
    if (s.len)
        memcpy(p, s.ptr, s.len);
    return gs_jinja_str(r, gs_slice(p, s.len), out);
}

bool gs_jinja_strf(struct jrun *r, struct jval *out, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    const int n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return gs_jinja_str_copy(r, gs_slice(text, GS_MIN((size_t)GS_MAX(n, 0), sizeof(text) - 1)),
                             out);
}

bool gs_jinja_concat(struct jrun *r, struct jval a, struct gs_slice b, struct jval *out)
{
    const struct jstr *s = a.u.str;
    struct jgrow *grow = s->grow;
    const bool newest = grow && s->ptr + s->len == grow->base + grow->used;
    const size_t len = s->len + b.len;

    if (!gs_jinja_steps(r, b.len / 64))
        return false;
    if (!newest || grow->cap - grow->used < b.len) {
        const size_t cap = newest ? len * 2 : len + 16;
        if (!gs_jinja_steps(r, s->len / 64))
            return false;
        char *p = gs_jinja_alloc(r, cap);
        grow = gs_jinja_alloc(r, sizeof(*grow));
        if (!p || !grow)
            return false;
        *grow = (struct jgrow){.base = p, .used = s->len, .cap = cap};
        if (s->len)
            memcpy(p, s->ptr, s->len);
    }
    if (b.len)
        memcpy(grow->base + grow->used, b.ptr, b.len);
    grow->used += b.len;
    if (!gs_jinja_str(r, gs_slice(grow->base + grow->used - len, len), out))
        return false;
    out->u.str->grow = grow;
    return true;
}

/* ---- lists, undefined ---- */

bool gs_jinja_list(struct jrun *r, size_t n, struct jlist **out, struct jval **out_items)
{
    struct jlist *l = gs_jinja_alloc(r, sizeof(*l));
    struct jval *items = l ? gs_jinja_array(r, n, sizeof(*items)) : NULL;

    if (!items || !gs_jinja_steps(r, n))
        return false;
    *l = (struct jlist){.items = items, .len = n};
    *out = l;
    *out_items = items;
    return true;
}

bool gs_jinja_pair(struct jrun *r, struct jval a, struct jval b, struct jval *out)
{
    struct jlist *l;
    struct jval *items;

    if (!gs_jinja_list(r, 2, &l, &items))
        return false;
    items[0] = a;
    items[1] = b;
    *out = jv_tuple(l);
    return true;
}

bool gs_jinja_undefined(struct jrun *r, struct jundefined why, struct jval *out)
{
    struct jundefined *u = gs_jinja_alloc(r, sizeof(*u));

    if (!u)
        return false;
    *u = why;
    *out = (struct jval){.kind = JV_UNDEFINED, .u.undefined = u};
    return true;
}

bool gs_jinja_undefined_hint(struct jrun *r, struct gs_slice hint, struct jval *out)
{
    return hint.ptr ? gs_jinja_undefined(r, (struct jundefined){.hint = hint}, out)
                    : gs_jinja_fail_nomem(r);
}

/* ---- types, truth, length ---- */

static const char *view_type(enum jview v)
{
    return v == JVIEW_KEYS ? "dict_keys" : v == JVIEW_VALUES ? "dict_values" : "dict_items";
}

const char *gs_jinja_type(struct jval v)
{
    switch (v.kind) {
    case JV_MISSING:
    case JV_UNDEFINED:
        return "Undefined";
    case JV_NONE:
        return "NoneType";
    case JV_BOOL:
        return "bool";
    case JV_INT:
        return "int";
    case JV_FLOAT:
        return "float";
    case JV_STR:
        return v.safe ? "Markup" : "str";
    case JV_LIST:
        return "list";
    case JV_TUPLE:
        return "tuple";
    case JV_DICT:
        return "dict";
    case JV_VIEW:
        return view_type(v.view);
    case JV_RANGE:
        return "range";
    case JV_ITER:
        return v.u.gen->type;
    case JV_NAMESPACE:
        return "Namespace";
    case JV_LOOP:
        return "LoopContext";
    case JV_MACRO:
        return "Macro";
    case JV_FUNCTION:
        return "function";
    case JV_METHOD:
        return "builtin_function_or_method";
    case JV_CYCLER:
        return "Cycler";
    case JV_JOINER:
        return "Joiner";
    }
    return "object";
}

bool gs_jinja_len(struct jrun *r, struct jval v, bool *out_has, int64_t *out)
{
    *out_has = true;
    *out = 0;
    switch (v.kind) {
    case JV_MISSING:
    case JV_UNDEFINED:
        return true;
    case JV_STR:
        *out = (int64_t)gs_jinja_chars(v);
        return gs_jinja_steps(r, v.u.str->len / 256);
    case JV_LIST:
    case JV_TUPLE:
        *out = (int64_t)v.u.list->len;
        return true;
    case JV_DICT:
    case JV_VIEW:
        *out = (int64_t)v.u.dict->len;
        return true;
    case JV_RANGE:
        *out = v.u.range->len;
        return true;
    case JV_LOOP: {
        struct jval len;
        if (!gs_jinja_loop_attribute(r, v.u.object, GS_SLICE_LIT("length"), &len))
            return false;
        *out = len.u.integer;
        return true;
    }
    default:
        *out_has = false;
        return true;
    }
}

bool gs_jinja_truth(struct jrun *r, struct jval v, bool *out)
{
    bool has_len;
    int64_t len;

    switch (v.kind) {
    case JV_MISSING:
    case JV_UNDEFINED:
    case JV_NONE:
        *out = false;
        return true;
    case JV_BOOL:
        *out = v.u.boolean;
        return true;
    case JV_INT:
        *out = v.u.integer != 0;
        return true;
    case JV_FLOAT:
        *out = v.u.real != 0;
        return true;
    case JV_STR:
        *out = v.u.str->len != 0;
        return true;
    default:
        if (!gs_jinja_len(r, v, &has_len, &len))
            return false;
        *out = !has_len || len != 0;
        return true;
    }
}

/* ---- equality and order ---- */

bool gs_jinja_same(struct jval a, struct jval b)
{
    if (a.kind != b.kind)
        return false;
    switch (a.kind) {
    case JV_NONE:
        return true;
    case JV_BOOL:
        return a.u.boolean == b.u.boolean;
    case JV_INT: /* Python shares the small ones only; so must a template that relies on it */
        return a.u.integer == b.u.integer;
    case JV_FLOAT:
        return a.u.real == b.u.real;
    case JV_STR:
        return a.u.str == b.u.str || gs_slice_eq(jv_slice(a), jv_slice(b));
    default:
        return a.u.object == b.u.object;
    }
}

/* Exact, however large the whole number. */
static int order_numbers(struct jval a, struct jval b)
{
    if (jv_is_whole(a) && jv_is_whole(b))
        return (jv_integer(a) > jv_integer(b)) - (jv_integer(a) < jv_integer(b));
    const long double x = jv_is_whole(a) ? (long double)jv_integer(a) : a.u.real;
    const long double y = jv_is_whole(b) ? (long double)jv_integer(b) : b.u.real;
    return x < y ? -1 : x > y ? 1 : x == y ? 0 : 2;
}

static bool equal_dicts(struct jrun *r, const struct jdict *a, const struct jdict *b, bool *out)
{
    *out = a->len == b->len;
    for (size_t i = 0; *out && i < a->len; i++) {
        const struct jval *other;
        if (!gs_jinja_dict_get(r, b, a->entries[i].key, &other))
            return false;
        *out = other != NULL;
        if (other && !gs_jinja_equal(r, a->entries[i].value, *other, out))
            return false;
    }
    return true;
}

static bool equal_lists(struct jrun *r, const struct jlist *a, const struct jlist *b, bool *out)
{
    *out = a->len == b->len;
    for (size_t i = 0; *out && i < a->len; i++) {
        if (!gs_jinja_equal(r, a->items[i], b->items[i], out))
            return false;
    }
    return true;
}

static bool equal_strings(struct jrun *r, struct gs_slice a, struct gs_slice b, bool *out)
{
    *out = gs_slice_eq(a, b);
    return a.len != b.len || gs_jinja_steps(r, a.len / 256);
}

static bool equal_ranges(const struct jrange *a, const struct jrange *b)
{
    return a->len == b->len &&
           (a->len == 0 || (a->start == b->start && (a->len == 1 || a->step == b->step)));
}

bool gs_jinja_equal(struct jrun *r, struct jval a, struct jval b, bool *out)
{
    bool ok = true;

    if (!gs_jinja_enter(r))
        return false;
    if (jv_is_number(a) && jv_is_number(b))
        *out = order_numbers(a, b) == 0;
    else if (a.kind != b.kind)
        *out = false;
    else if (a.kind == JV_UNDEFINED)
        *out = true;
    else if (a.kind == JV_STR)
        ok = equal_strings(r, jv_slice(a), jv_slice(b), out);
    else if (jv_is_list(a))
        ok = equal_lists(r, a.u.list, b.u.list, out);
    else if (a.kind == JV_DICT)
        ok = equal_dicts(r, a.u.dict, b.u.dict, out);
    else if (a.kind == JV_RANGE)
        *out = equal_ranges(a.u.range, b.u.range);
    else
        *out = gs_jinja_same(a, b);
    gs_jinja_leave(r);
    return ok;
}

static bool order_strings(struct jrun *r, struct gs_slice a, struct gs_slice b, int *out)
{
    const size_t n = GS_MIN(a.len, b.len);
    const int c = n ? memcmp(a.ptr, b.ptr, n) : 0;

    *out = c ? (c > 0) - (c < 0) : (a.len > b.len) - (a.len < b.len);
    return gs_jinja_steps(r, n / 256);
}

static bool order_lists(struct jrun *r, const struct jlist *a, const struct jlist *b,
                        const char *op, int *out)
{
    for (size_t i = 0; i < a->len && i < b->len; i++) {
        bool equal;
        if (!gs_jinja_equal(r, a->items[i], b->items[i], &equal))
            return false;
        if (!equal)
            return gs_jinja_order(r, a->items[i], b->items[i], op, out);
    }
    *out = (a->len > b->len) - (a->len < b->len);
    return true;
}

bool gs_jinja_order(struct jrun *r, struct jval a, struct jval b, const char *op, int *out)
{
    bool ok = true;

    if (!gs_jinja_enter(r))
        return false;
    if (jv_is_number(a) && jv_is_number(b))
        *out = order_numbers(a, b);
    else if (a.kind == JV_STR && b.kind == JV_STR)
        ok = order_strings(r, jv_slice(a), jv_slice(b), out);
    else if (jv_is_list(a) && a.kind == b.kind)
        ok = order_lists(r, a.u.list, b.u.list, op, out);
    else if (a.kind == JV_UNDEFINED || b.kind == JV_UNDEFINED)
        ok = gs_jinja_fail_undefined(r, a.kind == JV_UNDEFINED ? a : b);
    else
        ok = gs_jinja_fail(r, "'%s' not supported between instances of '%s' and '%s'", op,
                           gs_jinja_type(a), gs_jinja_type(b));
    gs_jinja_leave(r);
    return ok;
}

static bool range_has(const struct jrange *range, struct jval v)
{
    if (!jv_is_number(v) || range->len == 0)
        return false;
    const double f = jv_real(v);
    if (v.kind == JV_FLOAT && (f != floor(f) || fabs(f) > 9e18))
        return false;
    const int64_t i = v.kind == JV_FLOAT ? (int64_t)f : jv_integer(v);
    const int64_t last = range->start + (range->len - 1) * range->step;
    return i >= GS_MIN(range->start, last) && i <= GS_MAX(range->start, last) &&
           (i - range->start) % range->step == 0;
}

static bool contains_by_iterating(struct jrun *r, struct jval haystack, struct jval needle,
                                  bool *out)
{
    struct jiter it;
    struct jval item;

    *out = false;
    if (!gs_jinja_is_iterable(haystack))
        return gs_jinja_fail(r, "argument of type '%s' is not iterable", gs_jinja_type(haystack));
    if (!gs_jinja_iter(r, haystack, &it))
        return false;
    while (!*out) {
        const enum jnext next = gs_jinja_next(r, &it, &item);
        if (next != JNEXT_ITEM)
            return next == JNEXT_END;
        if (!gs_jinja_equal(r, item, needle, out))
            return false;
    }
    return true;
}

bool gs_jinja_contains(struct jrun *r, struct jval haystack, struct jval needle, bool *out)
{
    const struct jval *found;

    if (haystack.kind == JV_STR) {
        size_t off;
        if (needle.kind != JV_STR)
            return gs_jinja_fail(r, "'in <string>' requires string as left operand, not %s",
                                 gs_jinja_type(needle));
        if (!gs_jinja_find(r, jv_slice(haystack), jv_slice(needle), 0, &off))
            return false;
        *out = off != SIZE_MAX;
        return true;
    }
    if (haystack.kind == JV_DICT || (haystack.kind == JV_VIEW && haystack.view == JVIEW_KEYS)) {
        if (!gs_jinja_dict_get(r, haystack.u.dict, needle, &found))
            return false;
        *out = found != NULL;
        return true;
    }
    if (haystack.kind == JV_RANGE) {
        *out = range_has(haystack.u.range, needle);
        return true;
    }
    return contains_by_iterating(r, haystack, needle, out);
}

/* ---- dicts ---- */

static uint64_t hash_number(struct jval v, uint64_t seed)
{
    int64_t i = 0;

    if (v.kind == JV_FLOAT) { /* equal numbers, equal hashes */
        const double f = v.u.real;
        if (f != floor(f) || fabs(f) >= 9.2e18)
            return gs_hash_bytes(&f, sizeof(f), seed);
        i = (int64_t)f;
    } else {
        i = jv_integer(v);
    }
    return gs_hash_bytes(&i, sizeof(i), seed);
}

bool gs_jinja_hash(struct jrun *r, struct jval v, uint64_t *out)
{
    uint64_t h = r->seed;

    if (!gs_jinja_enter(r))
        return false;
    bool ok = true;
    if (v.kind == JV_STR) {
        h = gs_hash_bytes(v.u.str->ptr, v.u.str->len, r->seed);
        ok = gs_jinja_steps(r, v.u.str->len / 256);
    } else if (jv_is_number(v)) {
        h = hash_number(v, r->seed);
    } else if (v.kind == JV_TUPLE) {
        for (size_t i = 0; ok && i < v.u.list->len; i++) {
            uint64_t item = 0;
            ok = gs_jinja_hash(r, v.u.list->items[i], &item);
            h = gs_hash_bytes(&item, sizeof(item), h);
        }
    } else if (v.kind == JV_LIST || v.kind == JV_DICT || v.kind == JV_VIEW) {
        ok = gs_jinja_fail(r, "unhashable type: '%s'", gs_jinja_type(v));
    } else if (v.kind > JV_RANGE) { /* by identity */
        const uintptr_t identity = (uintptr_t)v.u.object;
        h = gs_hash_bytes(&identity, sizeof(identity), r->seed);
    }
    gs_jinja_leave(r);
    *out = h;
    return ok;
}

bool gs_jinja_dict(struct jrun *r, size_t cap, struct jdict **out)
{
    struct jdict *d = gs_jinja_alloc(r, sizeof(*d));
    struct jentry *entries = d ? gs_jinja_array(r, GS_MAX(cap, (size_t)1), sizeof(*entries)) : NULL;

    if (!entries)
        return false;
    *d = (struct jdict){.entries = entries, .cap = GS_MAX(cap, (size_t)1)};
    *out = d;
    return true;
}

/* Could the keys be equal, by kind? Then gs_jinja_equal decides. */
static bool same_text(struct jval key, struct gs_slice text)
{
    return key.kind == JV_STR && gs_slice_eq(jv_slice(key), text);
}

static size_t probe(const struct jdict *d, uint64_t hash)
{
    return (size_t)hash & (d->index_cap - 1);
}

static bool add_to_index(struct jrun *r, struct jdict *d, size_t entry)
{
    uint64_t hash;

    if (!gs_jinja_hash(r, d->entries[entry].key, &hash))
        return false;
    size_t i = probe(d, hash);
    while (d->index[i])
        i = (i + 1) & (d->index_cap - 1);
    d->index[i] = (uint32_t)(entry + 1);
    return true;
}

static bool build_index(struct jrun *r, struct jdict *d)
{
    size_t cap = (size_t)4 * SMALL_DICT;

    while (cap < d->cap * 2)
        cap *= 2;
    d->index = gs_jinja_array(r, cap, sizeof(*d->index));
    if (!d->index)
        return false;
    d->index_cap = cap;
    for (size_t i = 0; i < d->len; i++) {
        if (!add_to_index(r, d, i))
            return false;
    }
    return true;
}

static struct jentry *find_text(struct jrun *r, const struct jdict *d, struct gs_slice key)
{
    if (!d->index) {
        for (size_t i = 0; i < d->len; i++) {
            if (same_text(d->entries[i].key, key))
                return &d->entries[i];
        }
        return NULL;
    }
    for (size_t i = probe(d, gs_hash_bytes(key.ptr, key.len, r->seed)); d->index[i];
         i = (i + 1) & (d->index_cap - 1)) {
        struct jentry *e = &d->entries[d->index[i] - 1];
        if (same_text(e->key, key))
            return e;
    }
    return NULL;
}

/* *out is NULL if there is none. */
static bool find_entry(struct jrun *r, const struct jdict *d, struct jval key, struct jentry **out)
{
    uint64_t hash;
    bool equal = false;

    *out = NULL;
    if (key.kind == JV_STR) {
        *out = find_text(r, d, jv_slice(key));
        return true;
    }
    if (!gs_jinja_hash(r, key, &hash))
        return false;
    for (size_t i = 0; !d->index && i < d->len && !equal; i++) {
        if (!gs_jinja_equal(r, d->entries[i].key, key, &equal))
            return false;
        *out = equal ? &d->entries[i] : NULL;
    }
    if (!d->index)
        return true;
    for (size_t i = probe(d, hash); d->index[i] && !equal; i = (i + 1) & (d->index_cap - 1)) {
        struct jentry *e = &d->entries[d->index[i] - 1];
        if (!gs_jinja_equal(r, e->key, key, &equal))
            return false;
        *out = equal ? e : NULL;
    }
    return true;
}

const struct jval *gs_jinja_dict_text(struct jrun *r, const struct jdict *d, struct gs_slice key)
{
    const struct jentry *e = find_text(r, d, key);

    return e ? &e->value : NULL;
}

bool gs_jinja_dict_get(struct jrun *r, const struct jdict *d, struct jval key,
                       const struct jval **out)
{
    struct jentry *e;

    if (!find_entry(r, d, key, &e))
        return false;
    *out = e ? &e->value : NULL;
    return true;
}

static bool grow_dict(struct jrun *r, struct jdict *d)
{
    struct jentry *entries = gs_jinja_array(r, d->cap * 2, sizeof(*entries));

    if (!entries)
        return false;
    memcpy(entries, d->entries, d->len * sizeof(*entries));
    d->entries = entries;
    d->cap *= 2;
    return !d->index || build_index(r, d);
}

bool gs_jinja_dict_put(struct jrun *r, struct jdict *d, struct jval key, struct jval value)
{
    struct jentry *old;

    if (!find_entry(r, d, key, &old))
        return false;
    if (old) {
        old->value = value;
        return true;
    }
    if (d->len == d->cap && !grow_dict(r, d))
        return false;
    d->entries[d->len++] = (struct jentry){key, value};
    if (d->index)
        return add_to_index(r, d, d->len - 1);
    return d->len <= SMALL_DICT || build_index(r, d);
}
