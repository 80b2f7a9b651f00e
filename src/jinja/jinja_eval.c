/* Expressions: a walk over the tree. */
#include <string.h>

#include "base/error.h"
#include "base/slice.h"
#include "jinja/jinja_run.h"

static struct jval *slot(struct jscope *s, const struct jname *name)
{
    for (uint32_t i = 0; i < name->hops; i++)
        s = s->parent;
    return &s->slots[name->slot];
}

static bool eval_name(struct jrun *r, struct jscope *s, const struct jname *name, struct jval *out)
{
    *out = *slot(s, name);
    return out->kind != JV_MISSING ||
           gs_jinja_undefined(r, (struct jundefined){.name = name->text}, out);
}

static bool eval_items(struct jrun *r, struct jscope *s, const struct jnode *n, struct jval *out)
{
    struct jlist *l;
    struct jval *items;

    if (!gs_jinja_list(r, n->u.items.len, &l, &items))
        return false;
    for (size_t i = 0; i < n->u.items.len; i++) {
        if (!gs_jinja_eval(r, s, n->u.items.items[i], &items[i]))
            return false;
    }
    *out = n->kind == JN_LIST ? jv_list(l) : jv_tuple(l);
    return true;
}

static bool eval_dict(struct jrun *r, struct jscope *s, const struct jnode *n, struct jval *out)
{
    struct jdict *d;
    struct jval key;
    struct jval value;

    if (!gs_jinja_dict(r, n->u.items.len / 2, &d))
        return false;
    for (size_t i = 0; i + 1 < n->u.items.len; i += 2) {
        if (!gs_jinja_eval(r, s, n->u.items.items[i], &key) ||
            !gs_jinja_eval(r, s, n->u.items.items[i + 1], &value) ||
            !gs_jinja_dict_put(r, d, key, value))
            return false;
    }
    *out = jv_dict(d);
    return true;
}

static bool eval_truth(struct jrun *r, struct jscope *s, const struct jnode *n, bool *out)
{
    struct jval v;

    return gs_jinja_eval(r, s, n, &v) && gs_jinja_truth(r, v, out);
}

static bool eval_cond(struct jrun *r, struct jscope *s, const struct jnode *n, struct jval *out)
{
    bool yes;

    if (!eval_truth(r, s, n->u.cond.test, &yes))
        return false;
    if (yes)
        return gs_jinja_eval(r, s, n->u.cond.then, out);
    if (n->u.cond.otherwise)
        return gs_jinja_eval(r, s, n->u.cond.otherwise, out);
    return gs_jinja_undefined_hint(
        r, GS_SLICE_LIT("the inline if-expression evaluated to false and has no else"), out);
}

/* "and", "or": the operand that decides. */
static bool eval_logic(struct jrun *r, struct jscope *s, const struct jnode *n, struct jval *out)
{
    bool left;

    if (!gs_jinja_eval(r, s, n->u.binary.left, out) || !gs_jinja_truth(r, *out, &left))
        return false;
    return left == (n->kind == JN_OR) || gs_jinja_eval(r, s, n->u.binary.right, out);
}

static bool eval_binary(struct jrun *r, struct jscope *s, const struct jnode *n, struct jval *out)
{
    struct jval left;
    struct jval right;

    return gs_jinja_eval(r, s, n->u.binary.left, &left) &&
           gs_jinja_eval(r, s, n->u.binary.right, &right) &&
           gs_jinja_binary(r, n->u.binary.op, left, right, out);
}

static bool eval_concat(struct jrun *r, struct jscope *s, const struct jnode *n, struct jval *out)
{
    const size_t len = n->u.items.len;
    struct jval first;
    struct jval v;

    if (!gs_jinja_eval(r, s, n->u.items.items[0], &v) || !gs_jinja_to_str(r, v, &first))
        return false;
    if (len == 2) {
        struct gs_slice text;
        return gs_jinja_eval(r, s, n->u.items.items[1], &v) && gs_jinja_text(r, v, &text) &&
               gs_jinja_concat(r, first, text, out);
    }
    const size_t mark = gs_jinja_scratch_begin(r);
    for (size_t i = 1; i < len; i++) {
        if (!gs_jinja_eval(r, s, n->u.items.items[i], &v) || !gs_jinja_write_str(r, &r->scratch, v))
            return false;
    }
    if (!gs_buf_ok(&r->scratch))
        return gs_jinja_fail_nomem(r);
    const bool ok = gs_jinja_concat(
        r, first, gs_slice_sub(gs_buf_view(&r->scratch), mark, r->scratch.len), out);
    r->scratch.len = mark;
    return ok;
}

static bool eval_compare(struct jrun *r, struct jscope *s, const struct jnode *n, struct jval *out)
{
    struct jval left;
    bool holds = true;

    if (!gs_jinja_eval(r, s, n->u.compare.first, &left))
        return false;
    for (size_t i = 0; holds && i < n->u.compare.rest.len; i++) {
        struct jval right;
        if (!gs_jinja_eval(r, s, n->u.compare.rest.items[i], &right) ||
            !gs_jinja_compare(r, n->u.compare.ops[i], left, right, &holds))
            return false;
        left = right;
    }
    *out = jv_bool(holds);
    return true;
}

static bool eval_optional(struct jrun *r, struct jscope *s, const struct jnode *n, struct jval *out)
{
    *out = (struct jval){0};
    return !n || gs_jinja_eval(r, s, n, out);
}

static bool eval_getitem(struct jrun *r, struct jscope *s, const struct jnode *n, struct jval *out)
{
    const struct jnode *index = n->u.getitem.index;
    struct jval object;
    struct jval parts[3];

    if (!gs_jinja_eval(r, s, n->u.getitem.object, &object))
        return false;
    if (index->kind == JN_SLICE)
        return eval_optional(r, s, index->u.slice.start, &parts[0]) &&
               eval_optional(r, s, index->u.slice.stop, &parts[1]) &&
               eval_optional(r, s, index->u.slice.step, &parts[2]) &&
               gs_jinja_slice(r, object, parts[0], parts[1], parts[2], out);
    return gs_jinja_eval(r, s, index, &parts[0]) && gs_jinja_getitem(r, object, parts[0], out);
}

/* ---- calls ---- */

struct arg_list {
    struct jval *pos;
    size_t n_pos;
    struct jkw *kw;
    size_t n_kw;
};

/* *args: everything it iterates over, after the `n` in front. */
static bool add_positional(struct jrun *r, struct arg_list *l, struct jval v)
{
    const struct jlist *more;

    if (!gs_jinja_to_list(r, v, &more))
        return false;
    struct jval *pos = gs_jinja_array(r, l->n_pos + more->len, sizeof(*pos));
    if (!pos)
        return false;
    if (l->n_pos)
        memcpy(pos, l->pos, l->n_pos * sizeof(*pos));
    if (more->len)
        memcpy(pos + l->n_pos, more->items, more->len * sizeof(*pos));
    l->pos = pos;
    l->n_pos += more->len;
    return true;
}

/* **kwargs: the entries of a dict. */
static bool add_keywords(struct jrun *r, struct arg_list *l, struct jval v)
{
    if (v.kind != JV_DICT)
        return gs_jinja_fail(r, "argument after ** must be a mapping, not %s", gs_jinja_type(v));
    const struct jdict *d = v.u.dict;
    struct jkw *kw = gs_jinja_array(r, l->n_kw + d->len + 1, sizeof(*kw)); /* and a caller */
    if (!kw)
        return false;
    if (l->n_kw)
        memcpy(kw, l->kw, l->n_kw * sizeof(*kw));
    const size_t own = l->n_kw;
    l->kw = kw;
    for (size_t i = 0; i < d->len; i++) {
        const struct jentry *e = &d->entries[i];
        if (e->key.kind != JV_STR)
            return gs_jinja_fail(r, "keywords must be strings");
        for (size_t k = 0; k < own; k++) {
            if (gs_slice_eq(kw[k].name, jv_slice(e->key)))
                return gs_jinja_fail(r, "got multiple values for keyword argument '%.*s'",
                                     (int)kw[k].name.len, kw[k].name.ptr);
        }
        kw[l->n_kw++] = (struct jkw){jv_slice(e->key), e->value};
    }
    return true;
}

static bool eval_args(struct jrun *r, struct jscope *s, const struct jcallargs *a,
                      struct jval caller, struct jargs *out)
{
    struct arg_list l = {0};
    struct jval v = {0};

    *out = (struct jargs){0};
    if (a->pos.len + a->n_kw == 0 && !a->dyn_pos && !a->dyn_kw && caller.kind == JV_MISSING)
        return true;
    l.pos = gs_jinja_array(r, a->pos.len, sizeof(*l.pos));
    l.kw = l.pos ? gs_jinja_array(r, a->n_kw + 1, sizeof(*l.kw)) : NULL;
    if (!l.kw)
        return false;
    for (; l.n_pos < a->pos.len; l.n_pos++) {
        if (!gs_jinja_eval(r, s, a->pos.items[l.n_pos], &l.pos[l.n_pos]))
            return false;
    }
    for (; l.n_kw < a->n_kw; l.n_kw++) {
        l.kw[l.n_kw].name = a->kw[l.n_kw].name;
        if (!gs_jinja_eval(r, s, a->kw[l.n_kw].value, &l.kw[l.n_kw].value))
            return false;
    }
    if (a->dyn_pos && (!gs_jinja_eval(r, s, a->dyn_pos, &v) || !add_positional(r, &l, v)))
        return false;
    if (a->dyn_kw && (!gs_jinja_eval(r, s, a->dyn_kw, &v) || !add_keywords(r, &l, v)))
        return false;
    if (caller.kind != JV_MISSING)
        l.kw[l.n_kw++] = (struct jkw){GS_SLICE_LIT("caller"), caller};
    *out = (struct jargs){l.pos, l.n_pos, l.kw, l.n_kw};
    return true;
}

/* The method that `object.name(...)` calls, without making a bound method first; or NULL. */
static const struct jbuiltin *direct_method(const struct jnode *callee, struct jval object)
{
    const struct jmethods *m = &callee->u.getattr.methods;

    if (object.kind == JV_STR)
        return m->on_str;
    return object.kind == JV_DICT ? m->on_dict : NULL;
}

bool gs_jinja_eval_call(struct jrun *r, struct jscope *s, const struct jnode *n, struct jval caller,
                        struct jval *out)
{
    const struct jnode *callee = n->u.call.callee;
    const struct jbuiltin *def = NULL;
    struct jval object;
    struct jargs args;

    if (callee->kind == JN_GETATTR) {
        if (!gs_jinja_eval(r, s, callee->u.getattr.object, &object))
            return false;
        def = direct_method(callee, object);
        if (!def && !gs_jinja_getattr(r, object, callee->u.getattr.name, &callee->u.getattr.methods,
                                      &object))
            return false;
    } else if (!gs_jinja_eval(r, s, callee, &object)) {
        return false;
    }
    if (!eval_args(r, s, &n->u.call.args, caller, &args))
        return false;
    return def ? gs_jinja_call_builtin(r, def, object, &args, out)
               : gs_jinja_call(r, object, &args, out);
}

static bool apply(struct jrun *r, struct jscope *s, const struct jnode *n, struct jval value,
                  struct jval *out)
{
    const struct jval none = {0};
    struct jargs args;

    if (!n->u.filter.def)
        return gs_jinja_fail(r, "no %s named '%.*s'", n->kind == JN_FILTER ? "filter" : "test",
                             (int)n->u.filter.name.len, n->u.filter.name.ptr);
    return eval_args(r, s, &n->u.filter.args, none, &args) &&
           gs_jinja_call_builtin(r, n->u.filter.def, value, &args, out);
}

bool gs_jinja_eval_filter(struct jrun *r, struct jscope *s, const struct jnode *n, struct jval text,
                          struct jval *out)
{
    struct jval value = text;

    if (n->u.filter.value && !gs_jinja_eval_filter(r, s, n->u.filter.value, text, &value))
        return false;
    return apply(r, s, n, value, out);
}

/* ---- the walk ---- */

static bool eval_node(struct jrun *r, struct jscope *s, const struct jnode *n, struct jval *out)
{
    const struct jval none = {0};
    struct jval v;
    bool truth;

    switch (n->kind) {
    case JN_CONST:
        *out = n->u.constant;
        return true;
    case JN_NAME:
        return eval_name(r, s, &n->u.name, out);
    case JN_TUPLE:
    case JN_LIST:
        return eval_items(r, s, n, out);
    case JN_DICT:
        return eval_dict(r, s, n, out);
    case JN_COND:
        return eval_cond(r, s, n, out);
    case JN_OR:
    case JN_AND:
        return eval_logic(r, s, n, out);
    case JN_NOT:
        if (!eval_truth(r, s, n->u.binary.left, &truth))
            return false;
        *out = jv_bool(!truth);
        return true;
    case JN_UNARY:
        return gs_jinja_eval(r, s, n->u.binary.left, &v) &&
               gs_jinja_unary(r, n->u.binary.op, v, out);
    case JN_BINARY:
        return eval_binary(r, s, n, out);
    case JN_CONCAT:
        return eval_concat(r, s, n, out);
    case JN_COMPARE:
        return eval_compare(r, s, n, out);
    case JN_GETATTR:
        return gs_jinja_eval(r, s, n->u.getattr.object, &v) &&
               gs_jinja_getattr(r, v, n->u.getattr.name, &n->u.getattr.methods, out);
    case JN_GETITEM:
        return eval_getitem(r, s, n, out);
    case JN_CALL:
        return gs_jinja_eval_call(r, s, n, none, out);
    case JN_FILTER:
    case JN_TEST:
        return gs_jinja_eval(r, s, n->u.filter.value, &v) && apply(r, s, n, v, out);
    default:
        return gs_jinja_fail(r, "a slice cannot be part of a tuple");
    }
}

/* The innermost expression that fails gives the error its position. */
bool gs_jinja_eval(struct jrun *r, struct jscope *s, const struct jnode *n, struct jval *out)
{
    if (!gs_jinja_enter(r))
        return false;
    const bool ok = eval_node(r, s, n, out);
    gs_jinja_leave(r);
    if (!ok && !r->has_pos) {
        gs_error_pos_in(r->err, r->tpl->name, r->tpl->text, n->off);
        r->has_pos = true;
    }
    return ok;
}
