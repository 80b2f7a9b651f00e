/* Filters that return a generator: consumed once, always true, without a length, and doing their
 * work only when asked for an item. */
#include <assert.h>
#include <string.h>

#include "base/slice.h"
#include "jinja/jinja_builtin.h"
#include "jinja/jinja_text.h"

struct lazy {
    struct jgen gen;
    struct jcall call; /* the filter's */
    bool started;
    /* map, select */
    struct jpath path;
    struct jval absent;
    const struct jbuiltin *def; /* what is applied to each item, or NULL */
    struct jargs args;
    bool rejects;
    /* the others: all items, made on the first request */
    const struct jlist *items;
    size_t pos;
};

static bool start(struct jrun *r, const struct jcall *c, bool copy_args,
                  enum jnext (*next)(struct jrun *, struct jgen *, struct jval *),
                  struct lazy **out_lazy, struct jval *out)
{
    struct lazy *l = gs_jinja_alloc(r, sizeof(*l));

    if (!l)
        return false;
    *l = (struct lazy){.gen = {.type = "generator", .next = next}, .call = *c};
    if (copy_args) { /* the caller's array may be on its stack */
        const struct jargs *a = &c->raw;
        struct jval *pos = gs_jinja_array(r, a->n_pos, sizeof(*pos));
        struct jkw *kw = pos ? gs_jinja_array(r, a->n_kw, sizeof(*kw)) : NULL;
        if (!kw)
            return false;
        if (a->n_pos)
            memcpy(pos, a->pos, a->n_pos * sizeof(*pos));
        if (a->n_kw)
            memcpy(kw, a->kw, a->n_kw * sizeof(*kw));
        l->call.raw = (struct jargs){pos, a->n_pos, kw, a->n_kw};
    }
    *out_lazy = l;
    *out = (struct jval){.kind = JV_ITER, .u.gen = &l->gen};
    return true;
}

static struct lazy *lazy_of(struct jgen *g)
{
    return (struct lazy *)(void *)g;
}

/* ---- map ---- */

static bool prepare_attribute(struct jrun *r, struct lazy *l)
{
    const struct jargs *a = &l->call.raw;

    for (size_t i = 0; i < a->n_kw; i++) {
        const struct gs_slice name = a->kw[i].name;
        if (gs_slice_eq_str(name, "default"))
            l->absent = a->kw[i].value;
        else if (!gs_slice_eq_str(name, "attribute"))
            return gs_jinja_fail(r, "unexpected keyword argument '%.*s'", (int)name.len, name.ptr);
        else if (!gs_jinja_path(r, a->kw[i].value, &l->path))
            return false;
    }
    return true;
}

static bool has_keyword(const struct jargs *a, const char *name)
{
    for (size_t i = 0; i < a->n_kw; i++) {
        if (gs_slice_eq_str(a->kw[i].name, name))
            return true;
    }
    return false;
}

/* The filter or test named by argument `at`, with the arguments after it. */
static bool prepare_named(struct jrun *r, struct lazy *l, size_t at, const char *kind,
                          const struct jbuiltin *(*find)(struct gs_slice))
{
    const struct jargs *a = &l->call.raw;
    struct gs_slice name;

    if (!gs_jinja_text(r, a->pos[at], &name))
        return false;
    l->def = find(name);
    l->args = (struct jargs){a->pos + at + 1, a->n_pos - at - 1, a->kw, a->n_kw};
    return l->def || gs_jinja_fail(r, "no %s named '%.*s'", kind, (int)name.len, name.ptr);
}

/* First request: nothing is looked at if the value is false. */
static bool begin(struct jrun *r, struct lazy *l, bool *out_empty)
{
    bool truth;

    l->started = true;
    if (!gs_jinja_truth(r, l->call.self, &truth))
        return false;
    *out_empty = !truth;
    return true;
}

static bool start_map(struct jrun *r, struct lazy *l)
{
    const struct jargs *a = &l->call.raw;

    if (a->n_pos == 0 && has_keyword(a, "attribute")) {
        if (!prepare_attribute(r, l))
            return false;
    } else if (a->n_pos == 0) {
        return gs_jinja_fail(r, "map requires a filter argument");
    } else if (!prepare_named(r, l, 0, "filter", gs_jinja_find_filter)) {
        return false;
    }
    return gs_jinja_iter(r, l->call.self, &l->gen.src);
}

static enum jnext next_mapped(struct jrun *r, struct jgen *g, struct jval *out)
{
    struct lazy *l = lazy_of(g);
    struct jval item;
    bool empty = false;

    if (!l->started) {
        if (!begin(r, l, &empty))
            return JNEXT_FAIL;
        if (empty)
            return JNEXT_END;
        if (!start_map(r, l))
            return JNEXT_FAIL;
    }
    const enum jnext next = gs_jinja_next(r, &g->src, &item);
    if (next != JNEXT_ITEM)
        return next;
    const bool ok = l->def ? gs_jinja_call_builtin(r, l->def, item, &l->args, out)
                           : gs_jinja_path_get(r, &l->path, l->absent, item, out);
    return ok ? JNEXT_ITEM : JNEXT_FAIL;
}

static bool f_map(struct jrun *r, const struct jcall *c, struct jval *out)
{
    struct lazy *l;

    return start(r, c, true, next_mapped, &l, out);
}

/* ---- select, reject, selectattr, rejectattr ---- */

static bool start_select(struct jrun *r, struct lazy *l)
{
    const struct jargs *a = &l->call.raw;
    const bool by_attribute = gs_slice_ends(gs_slice_str(l->call.def->name), GS_SLICE_LIT("attr"));
    const size_t at = by_attribute ? 1 : 0;

    if (by_attribute && a->n_pos == 0)
        return gs_jinja_fail(r, "missing parameter for attribute name");
    if (by_attribute && !gs_jinja_path(r, a->pos[0], &l->path))
        return false;
    if (a->n_pos > at && !prepare_named(r, l, at, "test", gs_jinja_find_test))
        return false;
    return gs_jinja_iter(r, l->call.self, &l->gen.src);
}

static bool passes(struct jrun *r, struct lazy *l, struct jval item, bool *out)
{
    struct jval v;

    if (!gs_jinja_path_get(r, &l->path, (struct jval){0}, item, &v))
        return false;
    if (l->def) {
        const struct jval value = v;
        if (!gs_jinja_call_builtin(r, l->def, value, &l->args, &v))
            return false;
    }
    if (!gs_jinja_truth(r, v, out))
        return false;
    *out = *out != l->rejects;
    return true;
}

static enum jnext next_selected(struct jrun *r, struct jgen *g, struct jval *out)
{
    struct lazy *l = lazy_of(g);
    bool empty = false;

    if (!l->started) {
        if (!begin(r, l, &empty))
            return JNEXT_FAIL;
        if (empty)
            return JNEXT_END;
        if (!start_select(r, l))
            return JNEXT_FAIL;
    }
    for (;;) {
        bool yes;
        const enum jnext next = gs_jinja_next(r, &g->src, out);
        if (next != JNEXT_ITEM)
            return next;
        if (!passes(r, l, *out, &yes))
            return JNEXT_FAIL;
        if (yes)
            return JNEXT_ITEM;
    }
}

static bool f_select(struct jrun *r, const struct jcall *c, struct jval *out)
{
    struct lazy *l;

    if (!start(r, c, true, next_selected, &l, out))
        return false;
    l->rejects = gs_slice_starts(gs_slice_str(c->def->name), GS_SLICE_LIT("reject"));
    return true;
}

/* ---- generators that make all their items at once ---- */

typedef bool maker(struct jrun *r, const struct jcall *c, const struct jlist **out);

static enum jnext next_made(struct jrun *r, struct lazy *l, maker *make, struct jval *out)
{
    if (!l->items && !make(r, &l->call, &l->items))
        return JNEXT_FAIL;
    assert(l->items);
    if (l->pos == l->items->len)
        return JNEXT_END;
    *out = l->items->items[l->pos++];
    return JNEXT_ITEM;
}

static bool make_unique(struct jrun *r, const struct jcall *c, const struct jlist **out)
{
    const struct jlist *all;
    struct jpath path;
    struct jlist *kept;
    struct jval *items;
    struct jdict *seen;
    bool case_sensitive;
    size_t n = 0;

    if (!gs_jinja_arg_bool(r, c, 0, &case_sensitive) || !gs_jinja_path(r, c->a[1], &path) ||
        !gs_jinja_to_list(r, c->self, &all) || !gs_jinja_list(r, all->len, &kept, &items) ||
        !gs_jinja_dict(r, 8, &seen))
        return false;
    for (size_t i = 0; i < all->len; i++) {
        struct jval key;
        const struct jval *found;
        if (!gs_jinja_path_get(r, &path, (struct jval){0}, all->items[i], &key))
            return false;
        const struct jval raw = key;
        if (!case_sensitive && !gs_jinja_fold_case(r, raw, &key))
            return false;
        if (!gs_jinja_dict_get(r, seen, key, &found))
            return false;
        if (found)
            continue;
        if (!gs_jinja_dict_put(r, seen, key, jv_none()))
            return false;
        items[n++] = all->items[i];
    }
    kept->len = n;
    *out = kept;
    return true;
}

/* Rows of `size` items from `from` on, the last filled up. */
static bool make_row(struct jrun *r, const struct jlist *all, size_t from, size_t len, size_t pad,
                     struct jval fill, struct jval *out)
{
    struct jlist *row;
    struct jval *items;

    if (!gs_jinja_list(r, len + pad, &row, &items))
        return false;
    for (size_t i = 0; i < len + pad; i++)
        items[i] = i < len ? all->items[from + i] : fill;
    *out = jv_list(row);
    return true;
}

static bool make_batch(struct jrun *r, const struct jcall *c, const struct jlist **out)
{
    const struct jlist *all;
    struct jlist *rows;
    struct jval *items;
    int64_t wanted;

    if (!gs_jinja_arg_int(r, c, 0, 0, &wanted) || !gs_jinja_to_list(r, c->self, &all))
        return false;
    const size_t size = wanted > 0 ? (size_t)wanted : SIZE_MAX;
    const size_t n = all->len == 0 ? 0 : (all->len - 1) / size + 1;
    if (!gs_jinja_list(r, n, &rows, &items))
        return false;
    for (size_t i = 0; i < n; i++) {
        const size_t len = GS_MIN(all->len - i * size, size);
        const bool pads = gs_jinja_arg_given(c, 1) && wanted > 0;
        if (pads && size - len > 1000000)
            return gs_jinja_fail_limit(r, "a batch would be too long");
        if (!make_row(r, all, i * size, len, pads ? size - len : 0, c->a[1], &items[i]))
            return false;
    }
    *out = rows;
    return true;
}

static bool make_slice(struct jrun *r, const struct jcall *c, const struct jlist **out)
{
    const struct jlist *all;
    struct jlist *columns;
    struct jval *items;
    int64_t n;
    size_t from = 0;

    if (!gs_jinja_arg_int(r, c, 0, 0, &n) || !gs_jinja_to_list(r, c->self, &all))
        return false;
    if (n == 0)
        return gs_jinja_fail(r, "integer division or modulo by zero");
    const size_t slices = n > 0 ? (size_t)n : 0;
    if (!gs_jinja_list(r, slices, &columns, &items))
        return false;
    for (size_t i = 0; i < slices; i++) {
        const bool extra = i < all->len % slices;
        const size_t len = all->len / slices + extra;
        const bool pads = gs_jinja_arg_given(c, 1) && !extra;
        if (!make_row(r, all, from, len, pads, c->a[1], &items[i]))
            return false;
        from += len;
    }
    *out = columns;
    return true;
}

static bool make_items(struct jrun *r, const struct jcall *c, const struct jlist **out)
{
    struct jval items = c->self;

    if (items.kind == JV_UNDEFINED)
        return gs_jinja_to_list(r, items, out);
    if (items.kind != JV_DICT)
        return gs_jinja_fail(r, "can only get item pairs from a mapping");
    items.kind = JV_VIEW;
    items.view = JVIEW_ITEMS;
    return gs_jinja_to_list(r, items, out);
}

static enum jnext next_unique(struct jrun *r, struct jgen *g, struct jval *out)
{
    return next_made(r, lazy_of(g), make_unique, out);
}

static enum jnext next_batch(struct jrun *r, struct jgen *g, struct jval *out)
{
    return next_made(r, lazy_of(g), make_batch, out);
}

static enum jnext next_slice(struct jrun *r, struct jgen *g, struct jval *out)
{
    return next_made(r, lazy_of(g), make_slice, out);
}

static enum jnext next_items(struct jrun *r, struct jgen *g, struct jval *out)
{
    return next_made(r, lazy_of(g), make_items, out);
}

static bool f_unique(struct jrun *r, const struct jcall *c, struct jval *out)
{
    struct lazy *l;

    return start(r, c, false, next_unique, &l, out);
}

static bool f_batch(struct jrun *r, const struct jcall *c, struct jval *out)
{
    struct lazy *l;

    return start(r, c, false, next_batch, &l, out);
}

static bool f_slice(struct jrun *r, const struct jcall *c, struct jval *out)
{
    struct lazy *l;

    return start(r, c, false, next_slice, &l, out);
}

static bool f_items(struct jrun *r, const struct jcall *c, struct jval *out)
{
    struct lazy *l;

    return start(r, c, false, next_items, &l, out);
}

/* ---- reverse ---- */

static enum jnext next_reversed(struct jrun *r, struct jgen *g, struct jval *out)
{
    return gs_jinja_next(r, &g->src, out);
}

static bool reverse_str(struct jrun *r, struct jval v, struct jval *out)
{
    const struct gs_slice s = jv_slice(v);
    const size_t mark = gs_jinja_scratch_begin(r);

    for (size_t end = s.len; end > 0;) {
        const size_t n = gs_jinja_char_before(s, end);
        end -= n;
        gs_buf_put(&r->scratch, s.ptr + end, n);
    }
    return gs_jinja_steps(r, s.len / 16) && gs_jinja_scratch_str(r, mark, v.safe, out);
}

static bool f_reverse(struct jrun *r, const struct jcall *c, struct jval *out)
{
    struct jiter it;
    const struct jlist *all;
    struct jlist *reversed;
    struct jval *items;
    struct lazy *l;
    bool can;

    if (c->self.kind == JV_STR)
        return reverse_str(r, c->self, out);
    if (!gs_jinja_is_iterable(c->self))
        return gs_jinja_fail(r, "argument must be iterable");
    if (!gs_jinja_iter_reversed(r, c->self, &can, &it))
        return false;
    if (can) {
        if (!start(r, c, false, next_reversed, &l, out))
            return false;
        l->gen.type = c->self.kind == JV_LIST ? "list_reverseiterator" : "reversed";
        l->gen.src = it;
        return true;
    }
    if (!gs_jinja_to_list(r, c->self, &all) || !gs_jinja_list(r, all->len, &reversed, &items))
        return false;
    for (size_t i = 0; i < all->len; i++)
        items[i] = all->items[all->len - 1 - i];
    *out = jv_list(reversed);
    return true;
}

static const struct jbuiltin filters[] = {
    {"batch", "linecount ?fill_with", f_batch},
    {"items", "", f_items},
    {"map", "*", f_map},
    {"reject", "*", f_select},
    {"rejectattr", "*", f_select},
    {"reverse", "", f_reverse},
    {"select", "*", f_select},
    {"selectattr", "*", f_select},
    {"slice", "slices ?fill_with", f_slice},
    {"unique", "?case_sensitive attribute", f_unique},
};

const struct jbuiltins gs_jinja_lazy_filters = {filters, GS_COUNT_OF(filters)};
