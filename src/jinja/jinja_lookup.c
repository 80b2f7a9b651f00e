/* Attributes, items and slices, with the sandbox: names that begin with an underscore and methods
 * that would change a list or dict are there, but undefined. */
#include <string.h>

#include "base/slice.h"
#include "jinja/jinja_run.h"
#include "jinja/jinja_text.h"

static bool unsafe(struct jrun *r, struct jval obj, struct gs_slice name, struct jval *out)
{
    const struct gs_slice hint =
        gs_arena_printf(&r->arena, "access to attribute '%.*s' of '%s' object is unsafe.",
                        (int)name.len, name.ptr, gs_jinja_type(obj));

    return gs_jinja_undefined_hint(r, hint, out);
}

static bool method(struct jrun *r, struct jval obj, const struct jbuiltin *def, struct jval *out)
{
    struct jobject *m = gs_jinja_alloc(r, sizeof(*m));

    if (!m)
        return false;
    *m = (struct jobject){.kind = JV_METHOD, .def = def, .self = obj};
    *out = (struct jval){.kind = JV_METHOD, .u.object = m};
    return true;
}

static void number_attribute(struct jval obj, struct gs_slice name, struct jval *out)
{
    const bool whole = jv_is_whole(obj);

    if (gs_slice_eq_str(name, "real"))
        *out = whole ? jv_int(jv_integer(obj)) : obj;
    else if (gs_slice_eq_str(name, "imag"))
        *out = whole ? jv_int(0) : jv_float(0);
    else if (whole && gs_slice_eq_str(name, "numerator"))
        *out = jv_int(jv_integer(obj));
    else if (whole && gs_slice_eq_str(name, "denominator"))
        *out = jv_int(1);
}

static void tuple_attribute(struct jval obj, struct gs_slice name, struct jval *out)
{
    if (!obj.u.list->is_group)
        return;
    if (gs_slice_eq_str(name, "grouper"))
        *out = obj.u.list->items[0];
    else if (gs_slice_eq_str(name, "list"))
        *out = obj.u.list->items[1];
}

static void range_attribute(const struct jrange *range, struct gs_slice name, struct jval *out)
{
    if (gs_slice_eq_str(name, "start"))
        *out = jv_int(range->start);
    else if (gs_slice_eq_str(name, "stop"))
        *out = jv_int(range->stop);
    else if (gs_slice_eq_str(name, "step"))
        *out = jv_int(range->step);
}

/* The attributes that are not methods. */
static bool plain_attribute(struct jrun *r, struct jval obj, struct gs_slice name, struct jval *out)
{
    const struct jval *found;

    switch (obj.kind) {
    case JV_BOOL:
    case JV_INT:
    case JV_FLOAT:
        number_attribute(obj, name, out);
        return true;
    case JV_TUPLE:
        tuple_attribute(obj, name, out);
        return true;
    case JV_RANGE:
        range_attribute(obj.u.range, name, out);
        return true;
    case JV_NAMESPACE:
        found = gs_jinja_dict_text(r, obj.u.dict, name);
        if (found && name.ptr[0] == '_')
            return unsafe(r, obj, name, out);
        if (found)
            *out = *found;
        return true;
    case JV_LOOP:
        return gs_jinja_loop_attribute(r, obj.u.object, name, out);
    case JV_MACRO:
        return gs_jinja_macro_attribute(r, obj.u.object, name, out);
    case JV_CYCLER:
    case JV_JOINER:
        return gs_jinja_object_attribute(r, obj, name, out);
    default:
        return true;
    }
}

bool gs_jinja_attribute(struct jrun *r, struct jval obj, struct gs_slice name,
                        const struct jmethods *methods, struct jval *out)
{
    const struct jbuiltin *def = NULL;

    *out = (struct jval){0};
    if (gs_slice_starts(name, GS_SLICE_LIT("__")) && gs_slice_ends(name, GS_SLICE_LIT("__")) &&
        obj.kind != JV_NAMESPACE)
        return unsafe(r, obj, name, out);
    if ((obj.kind == JV_LIST && methods->mutates_list) ||
        (obj.kind == JV_DICT && methods->mutates_dict))
        return unsafe(r, obj, name, out);
    if (obj.kind == JV_STR)
        def = methods->on_str;
    else if (obj.kind == JV_DICT)
        def = methods->on_dict;
    else if (jv_is_list(obj) || obj.kind == JV_RANGE)
        def = methods->on_list;
    return def ? method(r, obj, def, out) : plain_attribute(r, obj, name, out);
}

static bool undefined_in(struct jrun *r, struct jval obj, struct jval key, struct jval *out)
{
    struct jval *copies = gs_jinja_array(r, 2, sizeof(*copies));

    if (!copies)
        return false;
    copies[0] = obj;
    copies[1] = key;
    if (key.kind == JV_STR)
        return gs_jinja_undefined(r, (struct jundefined){.obj = &copies[0], .name = jv_slice(key)},
                                  out);
    return gs_jinja_undefined(r, (struct jundefined){.obj = &copies[0], .key = &copies[1]}, out);
}

/* obj[key]; *out is missing where Python raises a TypeError or LookupError. */
static bool item(struct jrun *r, struct jval obj, struct jval key, struct jval *out)
{
    const struct jval *found;
    bool has_len;
    int64_t len;

    *out = (struct jval){0};
    if (obj.kind == JV_DICT) {
        if (key.kind == JV_LIST || key.kind == JV_DICT || key.kind == JV_VIEW)
            return true;
        if (!gs_jinja_dict_get(r, obj.u.dict, key, &found))
            return false;
        if (found)
            *out = *found;
        return true;
    }
    if (!jv_is_whole(key) || (obj.kind != JV_STR && !jv_is_list(obj) && obj.kind != JV_RANGE))
        return true;
    if (!gs_jinja_len(r, obj, &has_len, &len))
        return false;
    int64_t i = jv_integer(key);
    i += i < 0 ? len : 0;
    if (i < 0 || i >= len)
        return true;
    if (jv_is_list(obj)) {
        *out = obj.u.list->items[i];
    } else if (obj.kind == JV_RANGE) {
        *out = jv_int(obj.u.range->start + i * obj.u.range->step);
    } else {
        const size_t from = gs_jinja_char_off(obj, (size_t)i);
        const size_t to = gs_jinja_char_off(obj, (size_t)i + 1);
        if (!gs_jinja_steps(r, gs_jinja_chars(obj) == obj.u.str->len ? 1 : from / 64) ||
            !gs_jinja_str(r, gs_slice_sub(jv_slice(obj), from, to), out))
            return false;
        out->safe = obj.safe;
    }
    return true;
}

bool gs_jinja_getattr(struct jrun *r, struct jval obj, struct gs_slice name,
                      const struct jmethods *methods, struct jval *out)
{
    if (obj.kind == JV_UNDEFINED)
        return gs_jinja_fail_undefined(r, obj);
    if (!gs_jinja_attribute(r, obj, name, methods, out))
        return false;
    if (out->kind != JV_MISSING)
        return true;
    if (obj.kind == JV_DICT) {
        const struct jval *found = gs_jinja_dict_text(r, obj.u.dict, name);
        if (found) {
            *out = *found;
            return true;
        }
    }
    struct jval *copy = gs_jinja_alloc(r, sizeof(*copy));
    if (!copy)
        return false;
    *copy = obj;
    return gs_jinja_undefined(r, (struct jundefined){.obj = copy, .name = name}, out);
}

bool gs_jinja_getitem(struct jrun *r, struct jval obj, struct jval key, struct jval *out)
{
    if (obj.kind == JV_UNDEFINED)
        return gs_jinja_fail_undefined(r, obj);
    if (!item(r, obj, key, out))
        return false;
    if (out->kind == JV_MISSING && key.kind == JV_STR) {
        const struct jmethods methods = gs_jinja_find_methods(jv_slice(key));
        if (!gs_jinja_attribute(r, obj, jv_slice(key), &methods, out))
            return false;
    }
    return out->kind != JV_MISSING || undefined_in(r, obj, key, out);
}

/* ---- slices ---- */

static bool bound(struct jrun *r, struct jval v, int64_t len, int64_t low, int64_t high,
                  int64_t absent, int64_t *out)
{
    *out = absent;
    if (v.kind == JV_MISSING || v.kind == JV_NONE)
        return true;
    if (!jv_is_whole(v))
        return gs_jinja_fail(r, "slice indices must be integers or None, not %s", gs_jinja_type(v));
    int64_t i = jv_integer(v);
    if (i < 0)
        i = i < -len ? low : i + len;
    *out = GS_MIN(GS_MAX(i, low), high);
    return true;
}

static bool slice_list(struct jrun *r, struct jval obj, int64_t start, int64_t step, size_t n,
                       struct jval *out)
{
    struct jlist *l;
    struct jval *items;

    if (!gs_jinja_list(r, n, &l, &items))
        return false;
    for (size_t i = 0; i < n; i++)
        items[i] = obj.u.list->items[start + (int64_t)i * step];
    *out = obj.kind == JV_LIST ? jv_list(l) : jv_tuple(l);
    return true;
}

static bool slice_str(struct jrun *r, struct jval obj, int64_t start, int64_t step, size_t n,
                      struct jval *out)
{
    const struct gs_slice s = jv_slice(obj);
    bool ok;

    if (step == 1 || n == 0) {
        const size_t from = n ? gs_jinja_char_off(obj, (size_t)start) : 0;
        const size_t to = n ? gs_jinja_char_off(obj, (size_t)start + n) : 0;
        ok = gs_jinja_str(r, gs_slice_sub(s, from, to), out);
    } else {
        const size_t mark = gs_jinja_scratch_begin(r);
        size_t off = gs_jinja_char_off(obj, (size_t)start);
        uint32_t cp;
        for (size_t i = 0; i < n; i++) {
            gs_buf_put(&r->scratch, s.ptr + off, gs_utf8_decode(s, off, &cp));
            if (i + 1 == n)
                break;
            for (int64_t k = 0; k < step; k++)
                off += gs_utf8_decode(s, off, &cp);
            for (int64_t k = 0; k > step; k--)
                off -= gs_jinja_char_before(s, off);
        }
        ok = gs_jinja_scratch_end(r, mark, out);
    }
    out->safe = obj.safe;
    return ok && gs_jinja_steps(r, s.len / 64);
}

static bool slice_range(struct jrun *r, const struct jrange *range, int64_t start, int64_t stop,
                        int64_t step, size_t n, struct jval *out)
{
    struct jrange *sub = gs_jinja_alloc(r, sizeof(*sub));

    if (!sub)
        return false;
    *sub = (struct jrange){.start = range->start + start * range->step,
                           .stop = range->start + stop * range->step,
                           .step = range->step * step,
                           .len = (int64_t)n};
    *out = (struct jval){.kind = JV_RANGE, .u.range = sub};
    return true;
}

bool gs_jinja_slice(struct jrun *r, struct jval obj, struct jval start, struct jval stop,
                    struct jval step, struct jval *out)
{
    bool has_len;
    int64_t len;
    int64_t from;
    int64_t to;
    int64_t by = 1;

    if (obj.kind == JV_UNDEFINED)
        return gs_jinja_fail_undefined(r, obj);
    if (obj.kind == JV_DICT)
        return gs_jinja_fail(r, "unhashable type: 'slice'");
    if (obj.kind != JV_STR && !jv_is_list(obj) && obj.kind != JV_RANGE)
        return gs_jinja_fail(r, "'%s' object is not subscriptable", gs_jinja_type(obj));
    if (jv_is_whole(step))
        by = jv_integer(step);
    else if (step.kind != JV_MISSING && step.kind != JV_NONE)
        return gs_jinja_fail(r, "slice indices must be integers or None, not %s",
                             gs_jinja_type(step));
    if (by == 0)
        return gs_jinja_fail(r, "slice step cannot be zero");
    if (!gs_jinja_len(r, obj, &has_len, &len))
        return false;
    by = GS_MIN(GS_MAX(by, -len - 1), len + 1); /* the same result, without overflow */
    const int64_t low = by > 0 ? 0 : -1;
    const int64_t high = by > 0 ? len : len - 1;
    if (!bound(r, start, len, low, high, by > 0 ? low : high, &from) ||
        !bound(r, stop, len, low, high, by > 0 ? high : low, &to))
        return false;
    const int64_t n = by > 0 ? (to - from + by - 1) / by : (from - to - by - 1) / -by;
    const size_t count = (by > 0 ? to > from : from > to) ? (size_t)n : 0;
    if (obj.kind == JV_STR)
        return slice_str(r, obj, from, by, count, out);
    if (obj.kind == JV_RANGE)
        return slice_range(r, obj.u.range, from, to, by, count, out);
    return slice_list(r, obj, from, by, count, out);
}
