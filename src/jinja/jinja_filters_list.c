/* Filters over sequences that answer at once. */
#include <string.h>

#include "base/slice.h"
#include "jinja/jinja_builtin.h"
#include "jinja/jinja_text.h"

static bool first_of(struct jrun *r, struct jiter *it, struct gs_slice hint, struct jval *out)
{
    const enum jnext next = gs_jinja_next(r, it, out);

    if (next == JNEXT_END)
        return gs_jinja_undefined_hint(r, hint, out);
    return next == JNEXT_ITEM;
}

static bool f_first(struct jrun *r, const struct jcall *c, struct jval *out)
{
    struct jiter it;

    return gs_jinja_iter(r, c->self, &it) &&
           first_of(r, &it, GS_SLICE_LIT("No first item, sequence was empty."), out);
}

static bool f_last(struct jrun *r, const struct jcall *c, struct jval *out)
{
    struct jiter it;
    bool can;

    if (!gs_jinja_iter_reversed(r, c->self, &can, &it))
        return false;
    if (!can)
        return gs_jinja_fail(r, "'%s' object is not reversible", gs_jinja_type(c->self));
    return first_of(r, &it, GS_SLICE_LIT("No last item, sequence was empty."), out);
}

static bool f_list(struct jrun *r, const struct jcall *c, struct jval *out)
{
    const struct jlist *l;

    if (!gs_jinja_to_list(r, c->self, &l))
        return false;
    *out = jv_list(l);
    return true;
}

static bool f_join(struct jrun *r, const struct jcall *c, struct jval *out)
{
    struct gs_slice separator = {0};
    struct jpath path;
    struct jiter it;
    struct jval item;
    bool first = true;
    enum jnext next = JNEXT_END;

    if ((c->a[0].kind != JV_MISSING && !gs_jinja_text(r, c->a[0], &separator)) ||
        !gs_jinja_path(r, c->a[1], &path) || !gs_jinja_iter(r, c->self, &it))
        return false;
    const size_t mark = gs_jinja_scratch_begin(r);
    for (next = gs_jinja_next(r, &it, &item); next == JNEXT_ITEM;
         next = gs_jinja_next(r, &it, &item)) {
        struct jval v;
        if (!first)
            gs_buf_slice(&r->scratch, separator);
        first = false;
        if (!gs_jinja_path_get(r, &path, (struct jval){0}, item, &v) ||
            !gs_jinja_write_str(r, &r->scratch, v))
            return false;
    }
    return next == JNEXT_END && gs_jinja_scratch_end(r, mark, out);
}

/* ---- sorting ---- */

/* How items compare: by what is at the path, strings without regard to case. */
struct key_maker {
    struct jpath path;
    struct jval absent;
    bool case_sensitive;
};

static bool make_key(struct jrun *r, const struct key_maker *k, struct jval item, struct jval *out)
{
    struct jval v;

    if (!gs_jinja_path_get(r, &k->path, k->absent, item, &v))
        return false;
    *out = v;
    return k->case_sensitive || gs_jinja_fold_case(r, v, out);
}

static bool make_keys(struct jrun *r, const struct key_maker *k, const struct jlist *l,
                      struct jval **out)
{
    struct jval *keys = gs_jinja_array(r, l->len, sizeof(*keys));

    if (!keys)
        return false;
    for (size_t i = 0; i < l->len; i++) {
        if (!make_key(r, k, l->items[i], &keys[i]))
            return false;
    }
    *out = keys;
    return true;
}

static bool reorder(struct jrun *r, const struct jlist *l, const size_t *order, struct jval *out)
{
    struct jlist *sorted;
    struct jval *items;

    if (!gs_jinja_list(r, l->len, &sorted, &items))
        return false;
    for (size_t i = 0; i < l->len; i++)
        items[i] = l->items[order[i]];
    *out = jv_list(sorted);
    return true;
}

/* "a.b,c": one path per comma. */
static bool make_paths(struct jrun *r, struct jval attribute, struct jpath **out, size_t *out_n)
{
    const bool is_str = attribute.kind == JV_STR;
    const struct gs_slice s = is_str ? jv_slice(attribute) : (struct gs_slice){0};
    size_t n = 1;
    size_t from = 0;

    for (size_t i = 0; i < s.len; i++)
        n += s.ptr[i] == ',';
    struct jpath *paths = gs_jinja_array(r, n, sizeof(*paths));
    if (!paths)
        return false;
    for (size_t k = 0; k < n; k++) {
        struct jval part = attribute;
        const size_t comma = gs_slice_find(s, GS_SLICE_LIT(","), from);
        if (is_str && !gs_jinja_str(r, gs_slice_sub(s, from, comma), &part))
            return false;
        if (!gs_jinja_path(r, part, &paths[k]))
            return false;
        from = comma + 1;
    }
    *out = paths;
    *out_n = n;
    return true;
}

static bool f_sort(struct jrun *r, const struct jcall *c, struct jval *out)
{
    struct key_maker k = {0};
    struct jpath *paths;
    const struct jlist *l;
    const size_t *order;
    size_t n;
    bool reverse;

    if (!gs_jinja_arg_bool(r, c, 0, &reverse) || !gs_jinja_arg_bool(r, c, 1, &k.case_sensitive) ||
        !make_paths(r, c->a[2], &paths, &n) || !gs_jinja_to_list(r, c->self, &l))
        return false;
    struct jval *keys = gs_jinja_array(r, l->len, sizeof(*keys));
    if (!keys)
        return false;
    for (size_t i = 0; i < l->len; i++) { /* a list per item, as it compares by "==" first */
        struct jlist *key;
        struct jval *parts;
        if (!gs_jinja_list(r, n, &key, &parts))
            return false;
        for (size_t p = 0; p < n; p++) {
            k.path = paths[p];
            if (!make_key(r, &k, l->items[i], &parts[p]))
                return false;
        }
        keys[i] = jv_list(key);
    }
    return gs_jinja_sort(r, keys, l->len, reverse, &order) && reorder(r, l, order, out);
}

static bool f_dictsort(struct jrun *r, const struct jcall *c, struct jval *out)
{
    struct key_maker k = {0};
    struct gs_slice by = GS_SLICE_LIT("key");
    const struct jlist *l;
    const size_t *order;
    struct jval index;
    struct jval *keys;
    bool reverse;

    if (!gs_jinja_arg_bool(r, c, 0, &k.case_sensitive) ||
        (c->a[1].kind != JV_MISSING && !gs_jinja_arg_str(r, c, 1, &by)) ||
        !gs_jinja_arg_bool(r, c, 2, &reverse))
        return false;
    if (!gs_slice_eq_str(by, "key") && !gs_slice_eq_str(by, "value"))
        return gs_jinja_fail(r, "you can only sort by either \"key\" or \"value\"");
    if (c->self.kind == JV_UNDEFINED)
        return gs_jinja_fail_undefined(r, c->self);
    if (c->self.kind != JV_DICT)
        return gs_jinja_fail(r, "'%s' object has no attribute 'items'", gs_jinja_type(c->self));
    index = jv_int(gs_slice_eq_str(by, "value"));
    k.path = (struct jpath){&index, 1};
    const struct jval items = {.kind = JV_VIEW, .view = JVIEW_ITEMS, .u.dict = c->self.u.dict};
    return gs_jinja_to_list(r, items, &l) && make_keys(r, &k, l, &keys) &&
           gs_jinja_sort(r, keys, l->len, reverse, &order) && reorder(r, l, order, out);
}

static bool f_groupby(struct jrun *r, const struct jcall *c, struct jval *out)
{
    struct key_maker k = {.absent = c->a[1]};
    const struct jlist *l;
    const size_t *order;
    struct jval *keys;
    struct jlist *groups;
    struct jval *slots;
    size_t n = 0;
    size_t to = 0;

    if (!gs_jinja_arg_bool(r, c, 2, &k.case_sensitive) || !gs_jinja_path(r, c->a[0], &k.path) ||
        !gs_jinja_to_list(r, c->self, &l) || !make_keys(r, &k, l, &keys) ||
        !gs_jinja_sort(r, keys, l->len, false, &order) ||
        !gs_jinja_list(r, l->len, &groups, &slots))
        return false;
    for (size_t from = 0; from < l->len; from = to) {
        struct jlist *members;
        struct jval *items;
        bool same = true;
        for (to = from + 1; to < l->len; to++) {
            if (!gs_jinja_equal(r, keys[order[from]], keys[order[to]], &same))
                return false;
            if (!same)
                break;
        }
        if (!gs_jinja_list(r, to - from, &members, &items))
            return false;
        for (size_t i = from; i < to; i++)
            items[i - from] = l->items[order[i]];
        struct jval key; /* in the case of the group's first item */
        struct jlist *pair;
        struct jval *parts;
        if (!gs_jinja_path_get(r, &k.path, k.absent, items[0], &key) ||
            !gs_jinja_list(r, 2, &pair, &parts))
            return false;
        parts[0] = key;
        parts[1] = jv_list(members);
        pair->is_group = true;
        slots[n++] = jv_tuple(pair);
    }
    groups->len = n;
    *out = jv_list(groups);
    return true;
}

/* ---- aggregates ---- */

static bool extreme(struct jrun *r, const struct jcall *c, bool largest, struct jval *out)
{
    struct key_maker k = {0};
    struct jiter it;
    struct jval item;
    struct jval best_key;
    bool any = false;
    enum jnext next = JNEXT_END;

    if (!gs_jinja_arg_bool(r, c, 0, &k.case_sensitive) || !gs_jinja_path(r, c->a[1], &k.path) ||
        !gs_jinja_iter(r, c->self, &it))
        return false;
    for (next = gs_jinja_next(r, &it, &item); next == JNEXT_ITEM;
         next = gs_jinja_next(r, &it, &item)) {
        struct jval key;
        int order = largest ? 1 : -1;
        if (!make_key(r, &k, item, &key))
            return false;
        if (any && !gs_jinja_order(r, key, best_key, largest ? ">" : "<", &order))
            return false;
        if (order == (largest ? 1 : -1)) {
            best_key = key;
            *out = item;
        }
        any = true;
    }
    if (next == JNEXT_FAIL)
        return false;
    return any ||
           gs_jinja_undefined_hint(r, GS_SLICE_LIT("No aggregated item, sequence was empty."), out);
}

static bool f_max(struct jrun *r, const struct jcall *c, struct jval *out)
{
    return extreme(r, c, true, out);
}

static bool f_min(struct jrun *r, const struct jcall *c, struct jval *out)
{
    return extreme(r, c, false, out);
}

static bool f_sum(struct jrun *r, const struct jcall *c, struct jval *out)
{
    struct jpath path;
    struct jiter it;
    struct jval item;
    enum jnext next = JNEXT_END;
    struct jval sum = c->a[1].kind == JV_MISSING ? jv_int(0) : c->a[1];

    if (sum.kind == JV_STR)
        return gs_jinja_fail(r, "sum() can't sum strings [use ''.join(seq) instead]");
    if (!gs_jinja_path(r, c->a[0], &path) || !gs_jinja_iter(r, c->self, &it))
        return false;
    for (next = gs_jinja_next(r, &it, &item); next == JNEXT_ITEM;
         next = gs_jinja_next(r, &it, &item)) {
        struct jval v;
        const struct jval before = sum;
        if (!gs_jinja_path_get(r, &path, (struct jval){0}, item, &v) ||
            !gs_jinja_binary(r, JOP_ADD, before, v, &sum))
            return false;
    }
    *out = sum;
    return next == JNEXT_END;
}

static bool f_random(struct jrun *r, const struct jcall *c, struct jval *out)
{
    (void)out;
    return gs_jinja_fail(r, "filter '%s' is not supported: a prompt must be reproducible",
                         c->def->name);
}

static const struct jbuiltin filters[] = {
    {"dictsort", "?case_sensitive by reverse", f_dictsort},
    {"first", "", f_first},
    {"groupby", "attribute ?default case_sensitive", f_groupby},
    {"join", "?d attribute", f_join},
    {"last", "", f_last},
    {"list", "", f_list},
    {"max", "?case_sensitive attribute", f_max},
    {"min", "?case_sensitive attribute", f_min},
    {"random", "*", f_random},
    {"sort", "?reverse case_sensitive attribute", f_sort},
    {"sum", "?attribute start", f_sum},
};

const struct jbuiltins gs_jinja_list_filters = {filters, GS_COUNT_OF(filters)};
