/* Finding builtins and reading their arguments. */
#include "jinja/jinja_builtin.h"

#include "base/slice.h"
#include "jinja/jinja_text.h"

const struct jbuiltin *gs_jinja_find_builtin(const struct jbuiltins *table, struct gs_slice name)
{
    for (size_t i = 0; i < table->len; i++) {
        if (gs_slice_eq_str(name, table->items[i].name))
            return &table->items[i];
    }
    return NULL;
}

const struct jbuiltin *gs_jinja_find_filter(struct gs_slice name)
{
    const struct jbuiltins *tables[] = {&gs_jinja_text_filters, &gs_jinja_value_filters,
                                        &gs_jinja_list_filters, &gs_jinja_lazy_filters};
    const struct jbuiltin *def = NULL;

    for (size_t i = 0; !def && i < GS_COUNT_OF(tables); i++)
        def = gs_jinja_find_builtin(tables[i], name);
    return def;
}

bool gs_jinja_arg_given(const struct jcall *c, size_t i)
{
    return c->a[i].kind != JV_MISSING && c->a[i].kind != JV_NONE;
}

static bool fail_type(struct jrun *r, const struct jcall *c, size_t i, const char *expected)
{
    if (c->a[i].kind == JV_UNDEFINED)
        return gs_jinja_fail_undefined(r, c->a[i]);
    return gs_jinja_fail(r, "%s() argument %zu must be %s, not %s", c->def->name, i + 1, expected,
                         gs_jinja_type(c->a[i]));
}

bool gs_jinja_arg_int(struct jrun *r, const struct jcall *c, size_t i, int64_t absent, int64_t *out)
{
    *out = absent;
    if (c->a[i].kind == JV_MISSING)
        return true;
    if (!jv_is_whole(c->a[i]))
        return fail_type(r, c, i, "int");
    *out = jv_integer(c->a[i]);
    return true;
}

bool gs_jinja_arg_int_or_none(struct jrun *r, const struct jcall *c, size_t i, int64_t absent,
                              int64_t *out)
{
    *out = absent;
    return c->a[i].kind == JV_NONE || gs_jinja_arg_int(r, c, i, absent, out);
}

bool gs_jinja_arg_bool(struct jrun *r, const struct jcall *c, size_t i, bool *out)
{
    return gs_jinja_truth(r, c->a[i], out);
}

bool gs_jinja_arg_str(struct jrun *r, const struct jcall *c, size_t i, struct gs_slice *out)
{
    if (c->a[i].kind != JV_STR)
        return fail_type(r, c, i, "str");
    *out = jv_slice(c->a[i]);
    return true;
}

bool gs_jinja_arg_str_or_none(struct jrun *r, const struct jcall *c, size_t i, struct gs_slice *out)
{
    *out = (struct gs_slice){0};
    return !gs_jinja_arg_given(c, i) || gs_jinja_arg_str(r, c, i, out);
}

bool gs_jinja_soft_str(struct jrun *r, struct jval v, struct jval *out)
{
    *out = v;
    return v.kind == JV_STR || gs_jinja_to_str(r, v, out);
}

bool gs_jinja_scratch_str(struct jrun *r, size_t mark, bool safe, struct jval *out)
{
    const bool ok = gs_jinja_scratch_end(r, mark, out);

    out->safe = safe;
    return ok;
}

/* ---- paths ---- */

static bool is_index(struct gs_slice s, int64_t *out)
{
    return s.len > 0 && s.ptr[0] >= '0' && s.ptr[0] <= '9' && gs_slice_to_i64(s, out);
}

bool gs_jinja_path(struct jrun *r, struct jval attribute, struct jpath *out)
{
    size_t n = 1;

    *out = (struct jpath){0};
    if (attribute.kind == JV_MISSING || attribute.kind == JV_NONE)
        return true;
    const bool is_str = attribute.kind == JV_STR;
    const struct gs_slice s = is_str ? jv_slice(attribute) : (struct gs_slice){0};
    for (size_t i = 0; i < s.len; i++)
        n += s.ptr[i] == '.';
    struct jval *parts = gs_jinja_array(r, n, sizeof(*parts));
    if (!parts)
        return false;
    *out = (struct jpath){parts, n};
    if (!is_str) {
        parts[0] = attribute;
        return true;
    }
    size_t from = 0;
    for (size_t k = 0; k < n; k++) {
        const size_t dot = gs_slice_find(s, GS_SLICE_LIT("."), from);
        const struct gs_slice part = gs_slice_sub(s, from, dot);
        int64_t index;
        if (is_index(part, &index))
            parts[k] = jv_int(index);
        else if (!gs_jinja_str(r, part, &parts[k]))
            return false;
        from = dot + 1;
    }
    return true;
}

bool gs_jinja_path_get(struct jrun *r, const struct jpath *path, struct jval absent,
                       struct jval item, struct jval *out)
{
    *out = item;
    for (size_t i = 0; i < path->len; i++) {
        const struct jval object = *out;
        if (!gs_jinja_getitem(r, object, path->parts[i], out))
            return false;
        if (out->kind == JV_UNDEFINED && absent.kind != JV_MISSING && absent.kind != JV_NONE)
            *out = absent;
    }
    return true;
}

bool gs_jinja_fold_case(struct jrun *r, struct jval v, struct jval *out)
{
    const size_t mark = gs_jinja_scratch_begin(r);

    *out = v;
    if (v.kind != JV_STR)
        return true;
    gs_jinja_put_case(&r->scratch, jv_slice(v), GS_CASE_LOWER);
    return gs_jinja_scratch_end(r, mark, out);
}
