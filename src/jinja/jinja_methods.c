/* Methods of lists, tuples, ranges and dicts, and the lookup over all types. */
#include "base/slice.h"
#include "jinja/jinja_builtin.h"

/* ---- lists ---- */

static bool m_count(struct jrun *r, const struct jcall *c, struct jval *out)
{
    struct jiter it;
    struct jval item;
    int64_t n = 0;
    enum jnext next = JNEXT_END;

    if (!gs_jinja_iter(r, c->self, &it))
        return false;
    for (next = gs_jinja_next(r, &it, &item); next == JNEXT_ITEM;
         next = gs_jinja_next(r, &it, &item)) {
        bool equal;
        if (!gs_jinja_equal(r, item, c->a[0], &equal))
            return false;
        n += equal;
    }
    *out = jv_int(n);
    return next == JNEXT_END;
}

static bool m_index(struct jrun *r, const struct jcall *c, struct jval *out)
{
    const struct jlist *l;
    int64_t start;
    int64_t stop;

    if (!gs_jinja_to_list(r, c->self, &l))
        return false;
    const int64_t len = (int64_t)l->len;
    if (!gs_jinja_arg_int(r, c, 1, 0, &start) || !gs_jinja_arg_int(r, c, 2, len, &stop))
        return false;
    start = GS_MAX(start < 0 ? start + len : start, (int64_t)0);
    stop = GS_MIN(stop < 0 ? stop + len : stop, len);
    for (int64_t i = start; i < stop; i++) {
        bool equal;
        if (!gs_jinja_equal(r, l->items[i], c->a[0], &equal))
            return false;
        if (equal) {
            *out = jv_int(i);
            return true;
        }
    }
    return gs_jinja_fail(r, "value is not in %s", gs_jinja_type(c->self));
}

static bool m_copy(struct jrun *r, const struct jcall *c, struct jval *out)
{
    (void)r;
    *out = c->self; /* nothing can change it */
    return true;
}

/* ---- dicts ---- */

static bool m_get(struct jrun *r, const struct jcall *c, struct jval *out)
{
    const struct jval *found;

    if (!gs_jinja_dict_get(r, c->self.u.dict, c->a[0], &found))
        return false;
    *out = found ? *found : c->a[1].kind == JV_MISSING ? jv_none() : c->a[1];
    return true;
}

static bool view(const struct jcall *c, enum jview v, struct jval *out)
{
    *out = c->self;
    out->kind = JV_VIEW;
    out->view = v;
    return true;
}

static bool m_items(struct jrun *r, const struct jcall *c, struct jval *out)
{
    (void)r;
    return view(c, JVIEW_ITEMS, out);
}

static bool m_keys(struct jrun *r, const struct jcall *c, struct jval *out)
{
    (void)r;
    return view(c, JVIEW_KEYS, out);
}

static bool m_values(struct jrun *r, const struct jcall *c, struct jval *out)
{
    (void)r;
    return view(c, JVIEW_VALUES, out);
}

static const struct jbuiltin list_methods[] = {
    {"copy", "", m_copy},
    {"count", "value", m_count},
    {"index", "value ?start stop", m_index},
};

static const struct jbuiltin dict_methods[] = {
    {"copy", "", m_copy}, {"get", "key ?default", m_get}, {"items", "", m_items},
    {"keys", "", m_keys}, {"values", "", m_values},
};

static bool is_one_of(struct gs_slice name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (gs_slice_eq_str(name, names[i]))
            return true;
    }
    return false;
}

struct jmethods gs_jinja_find_methods(struct gs_slice name)
{
    static const struct jbuiltins on_list = {list_methods, GS_COUNT_OF(list_methods)};
    static const struct jbuiltins on_dict = {dict_methods, GS_COUNT_OF(dict_methods)};
    static const char *const list_mutators[] = {"append", "clear",  "extend",  "insert",
                                                "pop",    "remove", "reverse", "sort"};
    static const char *const dict_mutators[] = {"clear", "pop", "popitem", "setdefault", "update"};
    struct jmethods m = {
        .on_str = gs_jinja_find_builtin(&gs_jinja_str_methods, name),
        .on_list = gs_jinja_find_builtin(&on_list, name),
        .on_dict = gs_jinja_find_builtin(&on_dict, name),
        .mutates_list = is_one_of(name, list_mutators, GS_COUNT_OF(list_mutators)),
        .mutates_dict = is_one_of(name, dict_mutators, GS_COUNT_OF(dict_mutators)),
    };

    if (!m.on_str)
        m.on_str = gs_jinja_find_builtin(&gs_jinja_str_predicates, name);
    return m;
}
