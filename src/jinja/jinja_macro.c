/* Macros, and the callers of call blocks, which are macros without a name. */
#include "base/slice.h"
#include "jinja/jinja_loop.h"

struct jmacro_object {
    struct jobject head;
    const struct jmacro *def;
    struct jscope *outer; /* where it was defined */
};

bool gs_jinja_macro(struct jrun *r, const struct jmacro *def, struct jscope *outer,
                    struct jval *out)
{
    struct jmacro_object *m = gs_jinja_alloc(r, sizeof(*m));

    if (!m)
        return false;
    *m = (struct jmacro_object){.head = {.kind = JV_MACRO}, .def = def, .outer = outer};
    *out = (struct jval){.kind = JV_MACRO, .u.object = &m->head};
    return true;
}

static const struct jmacro *def_of(const struct jobject *macro)
{
    return ((const struct jmacro_object *)(const void *)macro)->def;
}

struct gs_slice gs_jinja_macro_name(const struct jobject *macro)
{
    return def_of(macro)->name.text;
}

/* ---- binding arguments ---- */

/* Keywords that no parameter has taken yet. */
struct keywords {
    const struct jkw *kw;
    size_t n;
    bool *taken;
    size_t left;
};

static bool take(struct keywords *k, struct gs_slice name, struct jval *out)
{
    for (size_t i = 0; i < k->n; i++) {
        if (!k->taken[i] && gs_slice_eq(k->kw[i].name, name)) {
            k->taken[i] = true;
            k->left--;
            *out = k->kw[i].value;
            return true;
        }
    }
    return false;
}

static bool bind_caller(struct jrun *r, const struct jmacro *m, struct jscope *s,
                        struct keywords *k)
{
    struct jval caller;

    if (!m->wants_caller)
        return true;
    if (!take(k, GS_SLICE_LIT("caller"), &caller) &&
        !gs_jinja_undefined_hint(r, GS_SLICE_LIT("No caller defined"), &caller))
        return false;
    s->slots[m->caller_slot] = caller;
    return true;
}

static bool bind_kwargs(struct jrun *r, const struct jmacro *m, struct jscope *s,
                        struct keywords *k)
{
    const struct gs_slice name = m->name.text;
    struct jdict *d;
    struct jval key;

    if (m->wants_kwargs && !gs_jinja_dict(r, k->left, &d))
        return false;
    for (size_t i = 0; i < k->n; i++) {
        const struct gs_slice kw = k->kw[i].name;
        if (k->taken[i])
            continue;
        if (!m->wants_kwargs && gs_slice_eq_str(kw, "caller"))
            return gs_jinja_fail(r, "macro '%.*s' was invoked with a caller it does not use",
                                 (int)name.len, name.ptr);
        if (!m->wants_kwargs)
            return gs_jinja_fail(r, "macro '%.*s' takes no keyword argument '%.*s'", (int)name.len,
                                 name.ptr, (int)kw.len, kw.ptr);
        if (!gs_jinja_str(r, kw, &key) || !gs_jinja_dict_put(r, d, key, k->kw[i].value))
            return false;
    }
    if (m->wants_kwargs)
        s->slots[m->kwargs_slot] = jv_dict(d);
    return true;
}

static bool bind_varargs(struct jrun *r, const struct jmacro *m, struct jscope *s,
                         const struct jargs *args)
{
    const size_t n = m->params.len;
    const size_t more = args->n_pos > n ? args->n_pos - n : 0;
    struct jlist *l;
    struct jval *items;

    if (!m->wants_varargs)
        return more == 0 || gs_jinja_fail(r, "macro '%.*s' takes not more than %zu argument(s)",
                                          (int)m->name.text.len, m->name.text.ptr, n);
    if (!gs_jinja_list(r, more, &l, &items))
        return false;
    for (size_t i = 0; i < more; i++)
        items[i] = args->pos[n + i];
    s->slots[m->varargs_slot] = jv_tuple(l);
    return true;
}

/* Parameters nobody gave: their defaults, in the macro's own scope. */
static bool bind_defaults(struct jrun *r, const struct jmacro *m, struct jscope *s)
{
    const size_t required = m->params.len - m->defaults.len;

    for (size_t i = 0; i < m->params.len; i++) {
        const struct jname *name = &m->params.items[i]->u.name;
        struct jval *slot = &s->slots[name->slot];
        if (slot->kind != JV_MISSING)
            continue;
        if (i >= required) {
            if (!gs_jinja_eval(r, s, m->defaults.items[i - required], slot))
                return false;
            continue;
        }
        const struct gs_slice hint = gs_arena_printf(&r->arena, "parameter '%.*s' was not provided",
                                                     (int)name->text.len, name->text.ptr);
        if (!gs_jinja_undefined_hint(r, hint, slot))
            return false;
    }
    return true;
}

bool gs_jinja_call_macro(struct jrun *r, struct jobject *macro, const struct jargs *args,
                         struct jval *out)
{
    const struct jmacro_object *object = (const struct jmacro_object *)(const void *)macro;
    const struct jmacro *m = object->def;
    struct jscope *s = gs_jinja_scope(r, &m->frame, object->outer);
    struct keywords k = {.kw = args->kw, .n = args->n_kw, .left = args->n_kw};

    k.taken = s ? gs_jinja_array(r, k.n, sizeof(*k.taken)) : NULL;
    if (!k.taken)
        return false;
    for (size_t i = 0; i < m->params.len; i++) {
        const struct jname *name = &m->params.items[i]->u.name;
        if (i < args->n_pos)
            s->slots[name->slot] = args->pos[i];
        else
            (void)take(&k, name->text, &s->slots[name->slot]);
    }
    return bind_caller(r, m, s, &k) && bind_kwargs(r, m, s, &k) && bind_varargs(r, m, s, args) &&
           bind_defaults(r, m, s) && gs_jinja_capture(r, s, m->body, out) == JFLOW_NEXT;
}

/* ---- attributes ---- */

static bool parameter_names(struct jrun *r, const struct jmacro *m, struct jval *out)
{
    struct jlist *l;
    struct jval *items;

    if (!gs_jinja_list(r, m->params.len, &l, &items))
        return false;
    for (size_t i = 0; i < m->params.len; i++) {
        if (!gs_jinja_str(r, m->params.items[i]->u.name.text, &items[i]))
            return false;
    }
    *out = jv_tuple(l);
    return true;
}

bool gs_jinja_macro_attribute(struct jrun *r, struct jobject *macro, struct gs_slice name,
                              struct jval *out)
{
    const struct jmacro *m = def_of(macro);

    if (gs_slice_eq_str(name, "name")) {
        if (m->name.text.len)
            return gs_jinja_str(r, m->name.text, out);
        *out = jv_none();
    } else if (gs_slice_eq_str(name, "arguments")) {
        return parameter_names(r, m, out);
    } else if (gs_slice_eq_str(name, "catch_kwargs")) {
        *out = jv_bool(m->wants_kwargs);
    } else if (gs_slice_eq_str(name, "catch_varargs")) {
        *out = jv_bool(m->wants_varargs);
    } else if (gs_slice_eq_str(name, "caller")) {
        *out = jv_bool(m->wants_caller);
    }
    return true;
}
