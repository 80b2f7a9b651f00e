/* The for loop and its "loop" variable, which looks ahead lazily: an item is taken from what is
 * iterated over only when it is needed, and tested by the loop's "if" only then. */
#include "jinja/jinja_loop.h"

#include "base/slice.h"

struct jloop {
    struct jobject head;
    const struct jfor *def;
    struct jscope *outer;
    struct jscope *test_scope; /* NULL until an item is tested */
    struct jval iterable;
    struct jiter it;
    bool drained; /* `it` is a list of what had been left, already tested */
    struct jval before;
    struct jval current;
    struct jval after;           /* missing unless looked ahead */
    const struct jlist *changed; /* arguments of the last loop.changed() */
    int64_t index0;
    int64_t depth0;
    int64_t length; /* -1 until asked for */
};

static bool passes(struct jrun *r, struct jloop *l, struct jval item, bool *out)
{
    struct jval v;

    if (!l->test_scope)
        l->test_scope = gs_jinja_scope(r, &l->def->test_frame, l->outer);
    return l->test_scope && gs_jinja_assign(r, l->test_scope, l->def->test_target, item) &&
           gs_jinja_eval(r, l->test_scope, l->def->test, &v) && gs_jinja_truth(r, v, out);
}

/* What a target was assigned: a tested item that was unpacked goes on as a tuple. */
static bool repack(struct jrun *r, const struct jscope *s, const struct jnode *target,
                   struct jval *out)
{
    struct jlist *l;
    struct jval *items;

    if (target->kind == JN_NAME) {
        *out = s->slots[target->u.name.slot];
        return true;
    }
    if (!gs_jinja_list(r, target->u.items.len, &l, &items))
        return false;
    for (size_t i = 0; i < l->len; i++) {
        if (!repack(r, s, target->u.items.items[i], &items[i]))
            return false;
    }
    *out = jv_tuple(l);
    return true;
}

/* The next item, not counting one looked ahead. */
static enum jnext pull(struct jrun *r, struct jloop *l, struct jval *out)
{
    enum jnext next = gs_jinja_next(r, &l->it, out);

    while (next == JNEXT_ITEM && l->def->test && !l->drained) {
        bool yes;
        if (!passes(r, l, *out, &yes))
            return JNEXT_FAIL;
        if (yes)
            return repack(r, l->test_scope, l->def->test_target, out) ? next : JNEXT_FAIL;
        next = gs_jinja_next(r, &l->it, out);
    }
    return next;
}

static enum jnext advance(struct jrun *r, struct jloop *l)
{
    struct jval item = l->after;

    if (item.kind == JV_MISSING) {
        const enum jnext next = pull(r, l, &item);
        if (next != JNEXT_ITEM)
            return next;
    }
    l->after = (struct jval){0};
    l->index0++;
    l->before = l->current;
    l->current = item;
    return JNEXT_ITEM;
}

static bool peek(struct jrun *r, struct jloop *l)
{
    if (l->after.kind != JV_MISSING)
        return true;
    const enum jnext next = pull(r, l, &l->after);
    if (next == JNEXT_END)
        l->after = (struct jval){0};
    return next != JNEXT_FAIL;
}

/* What is left, as a generator, so that it can be collected. */
struct rest {
    struct jgen gen;
    struct jloop *loop;
};

static enum jnext next_rest(struct jrun *r, struct jgen *g, struct jval *out)
{
    return pull(r, ((struct rest *)(void *)g)->loop, out);
}

static bool find_length(struct jrun *r, struct jloop *l)
{
    bool has_len = false;

    if (l->length >= 0)
        return true;
    if (!l->def->test && !gs_jinja_len(r, l->iterable, &has_len, &l->length))
        return false;
    if (has_len)
        return true;
    struct rest rest = {.gen = {.type = "generator", .next = next_rest}, .loop = l};
    struct jiter it = {.kind = JV_ITER, .of = {.kind = JV_ITER, .u.gen = &rest.gen}};
    const struct jlist *items;
    if (!gs_jinja_collect(r, &it, &items) || !gs_jinja_iter(r, jv_list(items), &l->it))
        return false;
    l->drained = true;
    l->length = (int64_t)items->len + l->index0 + 1 + (l->after.kind != JV_MISSING);
    return true;
}

/* ---- running ---- */

static enum jflow run_else(struct jrun *r, struct jscope *outer, const struct jfor *f)
{
    struct jscope *s = gs_jinja_scope(r, &f->else_frame, outer);

    return s ? gs_jinja_exec_body(r, s, f->otherwise) : JFLOW_FAIL;
}

static enum jflow run(struct jrun *r, struct jscope *outer, const struct jfor *f,
                      struct jval iterable, int64_t depth0)
{
    struct jloop *l = gs_jinja_alloc(r, sizeof(*l));
    struct jscope *s = l ? gs_jinja_scope(r, &f->frame, outer) : NULL;
    bool completed = false; /* some iteration reached the end of the body */
    enum jnext next = JNEXT_END;

    if (!s)
        return JFLOW_FAIL;
    *l = (struct jloop){.head = {.kind = JV_LOOP},
                        .def = f,
                        .outer = outer,
                        .iterable = iterable,
                        .index0 = -1,
                        .depth0 = depth0,
                        .length = -1};
    if (!gs_jinja_iter(r, iterable, &l->it))
        return JFLOW_FAIL;
    for (next = advance(r, l); next == JNEXT_ITEM; next = advance(r, l)) {
        gs_jinja_scope_fill(r, s, &f->frame);
        if (f->uses_loop)
            s->slots[f->loop_slot] = (struct jval){.kind = JV_LOOP, .u.object = &l->head};
        if (!gs_jinja_assign(r, s, f->target, l->current))
            return JFLOW_FAIL;
        const enum jflow flow = gs_jinja_exec_body(r, s, f->body);
        if (flow == JFLOW_FAIL)
            return flow;
        completed = completed || flow == JFLOW_NEXT;
        if (flow == JFLOW_BREAK)
            break;
    }
    if (next == JNEXT_FAIL)
        return JFLOW_FAIL;
    return completed || f->otherwise.len == 0 ? JFLOW_NEXT : run_else(r, outer, f);
}

enum jflow gs_jinja_exec_for(struct jrun *r, struct jscope *s, const struct jfor *f)
{
    struct jval iterable;

    return gs_jinja_eval(r, s, f->iter, &iterable) ? run(r, s, f, iterable, 0) : JFLOW_FAIL;
}

bool gs_jinja_call_loop(struct jrun *r, struct jobject *loop, const struct jargs *args,
                        struct jval *out)
{
    const struct jloop *l = (const struct jloop *)(const void *)loop;
    const size_t mark = r->out->len;

    if (args->n_pos != 1 || args->n_kw != 0)
        return gs_jinja_fail(r, "loop() takes one argument, what to iterate over");
    if (!l->def->recursive)
        return gs_jinja_fail(r,
                             "the loop must have the 'recursive' marker to be called recursively");
    if (run(r, l->outer, l->def, args->pos[0], l->depth0 + 1) == JFLOW_FAIL)
        return false;
    const struct gs_slice text = gs_slice_sub(gs_buf_view(r->out), mark, r->out->len);
    const bool ok = gs_jinja_str_copy(r, text, out);
    r->out->len = mark;
    return ok;
}

/* ---- the loop variable ---- */

static bool call_cycle(struct jrun *r, const struct jcall *c, struct jval *out)
{
    const struct jloop *l = (const struct jloop *)(const void *)c->self.u.object;

    if (c->raw.n_kw)
        return gs_jinja_fail(r, "cycle() takes no keyword arguments");
    if (c->raw.n_pos == 0)
        return gs_jinja_fail(r, "no items for cycling given");
    *out = c->raw.pos[(size_t)l->index0 % c->raw.n_pos];
    return true;
}

static bool call_changed(struct jrun *r, const struct jcall *c, struct jval *out)
{
    struct jloop *l = (struct jloop *)(void *)c->self.u.object;
    struct jlist *now;
    struct jval *items;
    bool same = false;

    if (c->raw.n_kw)
        return gs_jinja_fail(r, "changed() takes no keyword arguments");
    if (!gs_jinja_list(r, c->raw.n_pos, &now, &items))
        return false;
    for (size_t i = 0; i < c->raw.n_pos; i++)
        items[i] = c->raw.pos[i];
    if (l->changed && !gs_jinja_equal(r, jv_list(l->changed), jv_list(now), &same))
        return false;
    if (!same)
        l->changed = now;
    *out = jv_bool(!same);
    return true;
}

static bool bound(struct jrun *r, struct jobject *loop, const struct jbuiltin *def,
                  struct jval *out)
{
    struct jobject *m = gs_jinja_alloc(r, sizeof(*m));

    if (!m)
        return false;
    *m = (struct jobject){
        .kind = JV_METHOD, .def = def, .self = {.kind = JV_LOOP, .u.object = loop}};
    *out = (struct jval){.kind = JV_METHOD, .u.object = m};
    return true;
}

enum attribute {
    ATTR_INDEX,
    ATTR_INDEX0,
    ATTR_FIRST,
    ATTR_LAST,
    ATTR_LENGTH,
    ATTR_REVINDEX,
    ATTR_REVINDEX0,
    ATTR_PREVITEM,
    ATTR_NEXTITEM,
    ATTR_DEPTH,
    ATTR_DEPTH0,
    ATTR_CYCLE,
    ATTR_CHANGED,
};

static const char *const attribute_names[] = {
    [ATTR_INDEX] = "index",         [ATTR_INDEX0] = "index0",     [ATTR_FIRST] = "first",
    [ATTR_LAST] = "last",           [ATTR_LENGTH] = "length",     [ATTR_REVINDEX] = "revindex",
    [ATTR_REVINDEX0] = "revindex0", [ATTR_PREVITEM] = "previtem", [ATTR_NEXTITEM] = "nextitem",
    [ATTR_DEPTH] = "depth",         [ATTR_DEPTH0] = "depth0",     [ATTR_CYCLE] = "cycle",
    [ATTR_CHANGED] = "changed",
};

static bool neighbour(struct jrun *r, struct jval item, struct gs_slice hint, struct jval *out)
{
    *out = item;
    return item.kind != JV_MISSING || gs_jinja_undefined_hint(r, hint, out);
}

bool gs_jinja_loop_attribute(struct jrun *r, struct jobject *loop, struct gs_slice name,
                             struct jval *out)
{
    static const struct jbuiltin cycle = {"cycle", "*", call_cycle};
    static const struct jbuiltin changed = {"changed", "*", call_changed};
    struct jloop *l = (struct jloop *)(void *)loop;
    size_t a = 0;

    while (a < GS_COUNT_OF(attribute_names) && !gs_slice_eq_str(name, attribute_names[a]))
        a++;
    if ((a == ATTR_LAST || a == ATTR_NEXTITEM) && !peek(r, l))
        return false;
    if ((a == ATTR_LENGTH || a == ATTR_REVINDEX || a == ATTR_REVINDEX0) && !find_length(r, l))
        return false;
    switch (a) {
    case ATTR_INDEX:
        *out = jv_int(l->index0 + 1);
        return true;
    case ATTR_INDEX0:
        *out = jv_int(l->index0);
        return true;
    case ATTR_FIRST:
        *out = jv_bool(l->index0 == 0);
        return true;
    case ATTR_LAST:
        *out = jv_bool(l->after.kind == JV_MISSING);
        return true;
    case ATTR_LENGTH:
        *out = jv_int(l->length);
        return true;
    case ATTR_REVINDEX:
        *out = jv_int(l->length - l->index0);
        return true;
    case ATTR_REVINDEX0:
        *out = jv_int(l->length - l->index0 - 1);
        return true;
    case ATTR_PREVITEM:
        return neighbour(r, l->index0 == 0 ? (struct jval){0} : l->before,
                         GS_SLICE_LIT("there is no previous item"), out);
    case ATTR_NEXTITEM:
        return neighbour(r, l->after, GS_SLICE_LIT("there is no next item"), out);
    case ATTR_DEPTH:
        *out = jv_int(l->depth0 + 1);
        return true;
    case ATTR_DEPTH0:
        *out = jv_int(l->depth0);
        return true;
    case ATTR_CYCLE:
        return bound(r, loop, &cycle, out);
    case ATTR_CHANGED:
        return bound(r, loop, &changed, out);
    default:
        return true;
    }
}
