/* Statements: text goes to the output, expressions are printed, names are set. A block whose text
 * is wanted as a value writes to the same output, which is then taken back. */
#include <assert.h>

#include "base/error.h"
#include "base/slice.h"
#include "jinja/jinja_loop.h"
#include "jinja/jinja_run.h"

static enum jflow exec_node(struct jrun *r, struct jscope *s, const struct jnode *n);

enum jflow gs_jinja_exec_body(struct jrun *r, struct jscope *s, struct jnodes body)
{
    for (size_t i = 0; i < body.len; i++) {
        const enum jflow flow = exec_node(r, s, body.items[i]);
        if (flow != JFLOW_NEXT)
            return flow;
    }
    return JFLOW_NEXT;
}

/* ---- scopes and targets ---- */

void gs_jinja_scope_fill(struct jrun *r, struct jscope *s, const struct jframe *f)
{
    for (uint32_t i = 0; i < f->n_loads; i++) {
        const struct jload *load = &f->loads[i];
        struct jval v = {0};
        if (load->kind == JLOAD_CONTEXT) {
            v = r->context[load->from];
        } else if (load->kind == JLOAD_ALIAS) {
            const struct jscope *from = s;
            for (uint32_t hops = 0; hops < load->hops && from; hops++)
                from = from->parent;
            assert(from);
            v = from->slots[load->from];
        }
        s->slots[load->slot] = v;
    }
}

struct jscope *gs_jinja_scope(struct jrun *r, const struct jframe *f, struct jscope *parent)
{
    struct jscope *s = gs_jinja_alloc(r, sizeof(struct jscope) + f->n_slots * sizeof(struct jval));

    if (!s)
        return NULL;
    s->parent = parent;
    gs_jinja_scope_fill(r, s, f);
    return s;
}

static struct jscope *up(struct jscope *s, uint32_t hops)
{
    for (; hops > 0; hops--)
        s = s->parent;
    return s;
}

static bool unpack(struct jrun *r, struct jscope *s, struct jnodes targets, struct jval v)
{
    const struct jlist *items;

    if (!gs_jinja_is_iterable(v))
        return gs_jinja_fail(r, "cannot unpack non-iterable %s object", gs_jinja_type(v));
    if (!gs_jinja_to_list(r, v, &items))
        return false;
    if (items->len > targets.len)
        return gs_jinja_fail(r, "too many values to unpack (expected %zu)", targets.len);
    if (items->len < targets.len)
        return gs_jinja_fail(r, "not enough values to unpack (expected %zu, got %zu)", targets.len,
                             items->len);
    for (size_t i = 0; i < targets.len; i++) {
        if (!gs_jinja_assign(r, s, targets.items[i], items->items[i]))
            return false;
    }
    return true;
}

static bool assign(struct jrun *r, struct jscope *s, const struct jnode *target, struct jval v)
{
    if (target->kind == JN_NAME) {
        up(s, target->u.name.hops)->slots[target->u.name.slot] = v;
        return true;
    }
    if (target->kind == JN_TUPLE)
        return unpack(r, s, target->u.items, v);
    const struct jname *name = &target->u.nsref.object;
    const struct jval ns = up(s, name->hops)->slots[name->slot];
    struct jval key;
    if (ns.kind != JV_NAMESPACE)
        return gs_jinja_fail(r, "cannot assign attribute on non-namespace object");
    return gs_jinja_str(r, target->u.nsref.attr, &key) && gs_jinja_dict_put(r, ns.u.dict, key, v);
}

bool gs_jinja_assign(struct jrun *r, struct jscope *s, const struct jnode *target, struct jval v)
{
    const bool ok = assign(r, s, target, v);

    if (!ok && !r->has_pos) {
        gs_error_pos_in(r->err, r->tpl->name, r->tpl->text, target->off);
        r->has_pos = true;
    }
    return ok;
}

/* ---- capturing ---- */

enum jflow gs_jinja_capture(struct jrun *r, struct jscope *s, struct jnodes body, struct jval *out)
{
    const size_t mark = r->out->len;
    enum jflow flow = gs_jinja_exec_body(r, s, body);

    if (flow == JFLOW_FAIL)
        return flow;
    const struct gs_slice text = gs_slice_sub(gs_buf_view(r->out), mark, r->out->len);
    if (flow == JFLOW_NEXT && !gs_jinja_str_copy(r, text, out))
        flow = JFLOW_FAIL;
    r->out->len = mark;
    return flow;
}

/* ---- statements ---- */

static bool print(struct jrun *r, struct jval v)
{
    if (v.kind == JV_STR)
        return gs_jinja_emit(r, jv_slice(v));
    const size_t mark = gs_jinja_scratch_begin(r);
    if (!gs_jinja_write_str(r, &r->scratch, v))
        return false;
    if (!gs_buf_ok(&r->scratch))
        return gs_jinja_fail_nomem(r);
    const bool ok = gs_jinja_emit(r, gs_slice_sub(gs_buf_view(&r->scratch), mark, r->scratch.len));
    r->scratch.len = mark;
    return ok;
}

static bool exec_print(struct jrun *r, struct jscope *s, struct jnodes items)
{
    for (size_t i = 0; i < items.len; i++) {
        struct jval v;
        if (!gs_jinja_eval(r, s, items.items[i], &v) || !print(r, v))
            return false;
    }
    return true;
}

static enum jflow exec_if(struct jrun *r, struct jscope *s, const struct jnode *n)
{
    const struct jnode *part = n;

    for (size_t i = 0;; i++) {
        struct jval v;
        bool yes;
        if (!gs_jinja_eval(r, s, part->u.branch.test, &v) || !gs_jinja_truth(r, v, &yes))
            return JFLOW_FAIL;
        if (yes)
            return gs_jinja_exec_body(r, s, part->u.branch.body);
        if (i == n->u.branch.elifs.len)
            return gs_jinja_exec_body(r, s, n->u.branch.otherwise);
        part = n->u.branch.elifs.items[i];
    }
}

static bool exec_set(struct jrun *r, struct jscope *s, const struct jnode *n)
{
    struct jval v;

    return gs_jinja_eval(r, s, n->u.set.value, &v) && gs_jinja_assign(r, s, n->u.set.target, v);
}

/* The body's text through the filter, if there is one. */
static enum jflow filtered_text(struct jrun *r, struct jscope *s, const struct jnode *n,
                                struct jval *out)
{
    struct jscope *inside = gs_jinja_scope(r, &n->u.set.frame, s);
    struct jval text;

    if (!inside)
        return JFLOW_FAIL;
    const enum jflow flow = gs_jinja_capture(r, inside, n->u.set.body, &text);
    if (flow != JFLOW_NEXT)
        return flow;
    *out = text;
    if (n->u.set.filter && !gs_jinja_eval_filter(r, inside, n->u.set.filter, text, out))
        return JFLOW_FAIL;
    return JFLOW_NEXT;
}

static enum jflow exec_set_block(struct jrun *r, struct jscope *s, const struct jnode *n)
{
    struct jval v;
    const enum jflow flow = filtered_text(r, s, n, &v);

    if (flow != JFLOW_NEXT)
        return flow;
    return gs_jinja_assign(r, s, n->u.set.target, v) ? JFLOW_NEXT : JFLOW_FAIL;
}

static enum jflow exec_filter_block(struct jrun *r, struct jscope *s, const struct jnode *n)
{
    struct jval v;
    const enum jflow flow = filtered_text(r, s, n, &v);

    if (flow != JFLOW_NEXT)
        return flow;
    return print(r, v) ? JFLOW_NEXT : JFLOW_FAIL;
}

static enum jflow exec_with(struct jrun *r, struct jscope *s, const struct jnode *n)
{
    struct jscope *inside = gs_jinja_scope(r, &n->u.with.frame, s);

    if (!inside)
        return JFLOW_FAIL;
    for (size_t i = 0; i < n->u.with.targets.len; i++) {
        struct jval v;
        if (!gs_jinja_eval(r, s, n->u.with.values.items[i], &v) ||
            !gs_jinja_assign(r, inside, n->u.with.targets.items[i], v))
            return JFLOW_FAIL;
    }
    return gs_jinja_exec_body(r, inside, n->u.with.body);
}

static enum jflow exec_scope(struct jrun *r, struct jscope *s, const struct jnode *n)
{
    struct jscope *inside = gs_jinja_scope(r, &n->u.set.frame, n->u.set.is_block ? r->root : s);

    return inside ? gs_jinja_exec_body(r, inside, n->u.set.body) : JFLOW_FAIL;
}

static bool exec_macro(struct jrun *r, struct jscope *s, const struct jnode *n)
{
    const struct jname *name = &n->u.macro->name;

    return gs_jinja_macro(r, n->u.macro, s, &up(s, name->hops)->slots[name->slot]);
}

static bool exec_call_block(struct jrun *r, struct jscope *s, const struct jnode *n)
{
    struct jval caller;
    struct jval v;

    return gs_jinja_macro(r, n->u.call_block.caller, s, &caller) &&
           gs_jinja_eval_call(r, s, n->u.call_block.call, caller, &v) && print(r, v);
}

static enum jflow exec_statement(struct jrun *r, struct jscope *s, const struct jnode *n)
{
    struct jval v;
    bool ok = true;

    switch (n->kind) {
    case JN_TEXT:
        ok = gs_jinja_emit(r, n->u.text);
        break;
    case JN_PRINT:
        ok = exec_print(r, s, n->u.items);
        break;
    case JN_DO:
        ok = gs_jinja_eval(r, s, n->u.binary.left, &v);
        break;
    case JN_IF:
        return exec_if(r, s, n);
    case JN_FOR:
        return gs_jinja_exec_for(r, s, n->u.loop);
    case JN_MACRO:
        ok = exec_macro(r, s, n);
        break;
    case JN_CALL_BLOCK:
        ok = exec_call_block(r, s, n);
        break;
    case JN_FILTER_BLOCK:
        return exec_filter_block(r, s, n);
    case JN_WITH:
        return exec_with(r, s, n);
    case JN_SET:
        ok = exec_set(r, s, n);
        break;
    case JN_SET_BLOCK:
        return exec_set_block(r, s, n);
    case JN_SCOPE:
        return exec_scope(r, s, n);
    case JN_BREAK:
        return JFLOW_BREAK;
    case JN_CONTINUE:
        return JFLOW_CONTINUE;
    default: /* expressions are not statements */
        break;
    }
    return ok ? JFLOW_NEXT : JFLOW_FAIL;
}

static enum jflow exec_node(struct jrun *r, struct jscope *s, const struct jnode *n)
{
    if (!gs_jinja_enter(r))
        return JFLOW_FAIL;
    const enum jflow flow = exec_statement(r, s, n);
    gs_jinja_leave(r);
    if (flow == JFLOW_FAIL && !r->has_pos) {
        gs_error_pos_in(r->err, r->tpl->name, r->tpl->text, n->off);
        r->has_pos = true;
    }
    return flow;
}

bool gs_jinja_exec(struct jrun *r)
{
    r->root = gs_jinja_scope(r, &r->tpl->frame, NULL);
    return r->root && gs_jinja_exec_body(r, r->root, r->tpl->body) != JFLOW_FAIL;
}
