/* Iteration over everything Python iterates over, and stable sorting. */
#include <string.h>

#include "base/slice.h"
#include "jinja/jinja_run.h"
#include "jinja/jinja_text.h"

bool gs_jinja_is_iterable(struct jval v)
{
    switch (v.kind) {
    case JV_UNDEFINED:
    case JV_STR:
    case JV_LIST:
    case JV_TUPLE:
    case JV_DICT:
    case JV_VIEW:
    case JV_RANGE:
    case JV_ITER:
        return true;
    default:
        return false;
    }
}

bool gs_jinja_iter(struct jrun *r, struct jval v, struct jiter *out)
{
    *out = (struct jiter){.kind = v.kind, .of = v};
    switch (v.kind) {
    case JV_UNDEFINED:
        out->kind = JV_NONE;
        return true;
    case JV_STR:
        out->len = v.u.str->len;
        return true;
    case JV_LIST:
    case JV_TUPLE:
        out->kind = JV_LIST;
        out->len = v.u.list->len;
        return true;
    case JV_DICT:
    case JV_VIEW:
        out->kind = JV_DICT;
        out->view = v.kind == JV_VIEW ? v.view : JVIEW_KEYS;
        out->len = v.u.dict->len;
        return true;
    case JV_RANGE:
        out->len = (size_t)v.u.range->len;
        return true;
    case JV_ITER:
        return true;
    default:
        return gs_jinja_fail(r, "'%s' object is not iterable", gs_jinja_type(v));
    }
}

bool gs_jinja_iter_reversed(struct jrun *r, struct jval v, bool *out_has, struct jiter *out)
{
    *out_has = v.kind != JV_ITER && gs_jinja_is_iterable(v);
    if (!*out_has)
        return true;
    if (!gs_jinja_iter(r, v, out))
        return false;
    out->reverse = true;
    return true;
}

static bool next_char(struct jrun *r, struct jiter *it, struct jval *out)
{
    const struct gs_slice s = jv_slice(it->of);
    size_t n;
    size_t off = it->pos;
    uint32_t cp;

    if (it->reverse) {
        const size_t end = s.len - it->pos;
        n = gs_jinja_char_before(s, end);
        off = end - n;
    } else {
        n = gs_utf8_decode(s, off, &cp);
    }
    it->pos += n;
    return gs_jinja_str(r, gs_slice(s.ptr + off, n), out);
}

static bool next_entry(struct jrun *r, const struct jiter *it, const struct jentry *e,
                       struct jval *out)
{
    if (it->view == JVIEW_ITEMS)
        return gs_jinja_pair(r, e->key, e->value, out);
    *out = it->view == JVIEW_KEYS ? e->key : e->value;
    return true;
}

enum jnext gs_jinja_next(struct jrun *r, struct jiter *it, struct jval *out)
{
    bool ok = true;

    if (!gs_jinja_steps(r, 1))
        return JNEXT_FAIL;
    if (it->kind == JV_ITER) {
        struct jgen *g = it->of.u.gen;
        if (g->done)
            return JNEXT_END;
        if (!gs_jinja_enter(r))
            return JNEXT_FAIL;
        const enum jnext next = g->next(r, g, out);
        gs_jinja_leave(r);
        g->done = next != JNEXT_ITEM;
        return next;
    }
    if (it->pos >= it->len)
        return JNEXT_END;
    if (it->kind == JV_STR)
        return next_char(r, it, out) ? JNEXT_ITEM : JNEXT_FAIL;
    const size_t i = it->reverse ? it->len - 1 - it->pos : it->pos;
    it->pos++;
    if (it->kind == JV_LIST)
        *out = it->of.u.list->items[i];
    else if (it->kind == JV_DICT)
        ok = next_entry(r, it, &it->of.u.dict->entries[i], out);
    else
        *out = jv_int(it->of.u.range->start + (int64_t)i * it->of.u.range->step);
    return ok ? JNEXT_ITEM : JNEXT_FAIL;
}

bool gs_jinja_collect(struct jrun *r, struct jiter *it, const struct jlist **out)
{
    struct jlist *l = gs_jinja_alloc(r, sizeof(*l));
    struct jval *items = NULL;
    size_t len = 0;
    size_t cap = 0;
    enum jnext next = JNEXT_FAIL;
    struct jval item;

    if (!l)
        return false;
    for (next = gs_jinja_next(r, it, &item); next == JNEXT_ITEM;
         next = gs_jinja_next(r, it, &item)) {
        if (len == cap) {
            cap = cap ? cap * 2 : GS_MAX(it->kind == JV_ITER ? 8 : it->len, (size_t)1);
            struct jval *more = gs_jinja_array(r, cap, sizeof(*more));
            if (!more)
                return false;
            if (len)
                memcpy(more, items, len * sizeof(*items));
            items = more;
        }
        items[len++] = item;
    }
    *l = (struct jlist){.items = items, .len = len};
    *out = l;
    return next == JNEXT_END;
}

bool gs_jinja_to_list(struct jrun *r, struct jval v, const struct jlist **out)
{
    struct jiter it;

    if (jv_is_list(v)) {
        *out = v.u.list;
        return true;
    }
    return gs_jinja_iter(r, v, &it) && gs_jinja_collect(r, &it, out);
}

/* ---- sorting ---- */

/* Should b come before a, which is in front of it? */
static bool is_before(struct jrun *r, struct jval b, struct jval a, bool reverse, bool *out)
{
    int order;

    if (!gs_jinja_steps(r, 1) ||
        !(reverse ? gs_jinja_order(r, a, b, "<", &order) : gs_jinja_order(r, b, a, "<", &order)))
        return false;
    *out = order == -1;
    return true;
}

static bool merge(struct jrun *r, const struct jval *keys, bool reverse, const size_t *from,
                  size_t lo, size_t mid, size_t hi, size_t *to)
{
    size_t a = lo;
    size_t b = mid;

    for (size_t i = lo; i < hi; i++) {
        bool take_b = a == mid;
        if (a < mid && b < hi && !is_before(r, keys[from[b]], keys[from[a]], reverse, &take_b))
            return false;
        to[i] = take_b ? from[b++] : from[a++];
    }
    return true;
}

bool gs_jinja_sort(struct jrun *r, const struct jval *keys, size_t n, bool reverse,
                   const size_t **out_order)
{
    size_t *from = gs_jinja_array(r, n, sizeof(*from));
    size_t *to = from ? gs_jinja_array(r, n, sizeof(*to)) : NULL;

    if (!to)
        return false;
    for (size_t i = 0; i < n; i++)
        from[i] = i;
    for (size_t width = 1; width < n; width *= 2) {
        for (size_t lo = 0; lo < n; lo += 2 * width) {
            if (!merge(r, keys, reverse, from, lo, GS_MIN(lo + width, n), GS_MIN(lo + 2 * width, n),
                       to))
                return false;
        }
        size_t *swap = from;
        from = to;
        to = swap;
    }
    *out_order = from;
    return true;
}
