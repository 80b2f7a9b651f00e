/* Names to slots, by Jinja's own rules (jinja2/idtracking.py), because templates can tell:
 *
 *   - a frame has one variable per name it assigns anywhere, from its beginning; before the
 *     assignment that variable has the value of the frame around it;
 *   - a name the template assigns somewhere, outside of an "if", is not looked up among the
 *     variables of the render call, not even by a loop above the assignment;
 *   - one that it assigns on some branches of an "if" only, is.
 *
 * Each frame is visited twice: first to find its variables (without entering the frames inside),
 * then to bind its names and to do the same for the frames inside. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/slice.h"
#include "jinja/jinja_parse.h"

#define MAX_SLOTS 1024 /* variables of one frame */

struct symbol {
    bool defined;
    bool stored;
    enum jload_kind load;
    uint32_t context; /* JLOAD_CONTEXT: name id */
    uint32_t hops;    /* JLOAD_ALIAS */
    uint32_t from;
};

struct frame {
    struct frame *parent;
    uint32_t *ids; /* of slots; found so far by anybody */
    uint32_t n_ids;
    uint32_t cap;
    struct symbol *symbols; /* of the branch being visited, in slot order */
    uint32_t n_symbols;     /* allocated; those beyond are not defined */
    struct jfor *loop;      /* whose body this is, or NULL */
    struct jmacro *macro;   /* the same */
};

struct resolver {
    struct gs_template *tpl;
    struct frame *root;
    uint32_t *context_index;      /* name id -> index of context name + 1 */
    const struct gs_slice *names; /* name id -> text */
    struct jname loop; /* the special names; id UINT32_MAX if the template has none of that name */
    struct jname caller;
    struct jname kwargs;
    struct jname varargs;
    bool binding;
    bool soft;     /* inside an "if": an unknown filter is an error only when it is reached */
    unsigned fors; /* loops around */
    enum gs_status status;
    struct gs_error *err;
};

static void visit(struct resolver *rs, struct frame *f, struct jnode *n);
static void visit_body(struct resolver *rs, struct frame *f, struct jnodes body);

static void fail_nomem(struct resolver *rs)
{
    if (rs->status == GS_OK)
        rs->status = gs_error_nomem(rs->err, "compile the template");
}

static void fail_at(struct resolver *rs, size_t off)
{
    gs_error_pos_in(rs->err, rs->tpl->name, rs->tpl->text, off);
    rs->status = GS_ETEMPLATE;
}

/* ---- symbols ---- */

static uint32_t slot_of(const struct frame *f, uint32_t id)
{
    uint32_t i = 0;

    while (i < f->n_ids && f->ids[i] != id)
        i++;
    return i;
}

static bool is_defined(const struct frame *f, uint32_t slot)
{
    return slot < f->n_symbols && f->symbols[slot].defined;
}

/* The frame from f outwards that has the name; *out_hops frames away. */
static struct frame *find(struct frame *f, uint32_t id, uint32_t *out_hops, uint32_t *out_slot)
{
    *out_hops = 0;
    for (; f; f = f->parent) {
        *out_slot = slot_of(f, id);
        if (is_defined(f, *out_slot))
            return f;
        (*out_hops)++;
    }
    return NULL;
}

static bool grow_symbols(struct resolver *rs, struct frame *f, uint32_t n)
{
    if (n <= f->n_symbols)
        return true;
    const uint32_t cap = GS_MAX(n, f->n_symbols * 2);
    struct symbol *s = gs_realloc(f->symbols, cap * sizeof(*s));
    if (!s) {
        fail_nomem(rs);
        return false;
    }
    memset(s + f->n_symbols, 0, (cap - f->n_symbols) * sizeof(*s));
    f->symbols = s;
    f->n_symbols = cap;
    return true;
}

static struct symbol *define(struct resolver *rs, struct frame *f, const struct jname *name,
                             enum jload_kind load)
{
    const uint32_t slot = slot_of(f, name->id);

    if (slot == MAX_SLOTS && rs->status == GS_OK)
        rs->status = gs_error_set(rs->err, GS_ELIMIT, "template has too many variables");
    if (rs->status != GS_OK)
        return NULL;
    if (slot == f->n_ids && f->n_ids == f->cap) {
        const uint32_t cap = f->cap ? f->cap * 2 : 8;
        uint32_t *ids = gs_realloc(f->ids, cap * sizeof(*ids));
        if (!ids) {
            fail_nomem(rs);
            return NULL;
        }
        f->ids = ids;
        f->cap = cap;
    }
    if (!grow_symbols(rs, f, slot + 1))
        return NULL;
    if (slot == f->n_ids)
        f->ids[f->n_ids++] = name->id;
    struct symbol *s = &f->symbols[slot];
    s->defined = true;
    s->load = load;
    s->context = name->id;
    return s;
}

static void declare(struct resolver *rs, struct frame *f, const struct jname *name)
{
    struct symbol *s = define(rs, f, name, JLOAD_PARAM);

    if (s)
        s->stored = true;
}

static void store(struct resolver *rs, struct frame *f, const struct jname *name)
{
    uint32_t hops;
    uint32_t from;
    struct symbol *s;

    if (is_defined(f, slot_of(f, name->id)))
        s = &f->symbols[slot_of(f, name->id)];
    else if (find(f->parent, name->id, &hops, &from)) {
        s = define(rs, f, name, JLOAD_ALIAS);
        if (s) {
            s->hops = hops + 1;
            s->from = from;
        }
    } else {
        s = define(rs, f, name, JLOAD_MISSING);
    }
    if (s)
        s->stored = true;
}

static void load(struct resolver *rs, struct frame *f, const struct jname *name)
{
    uint32_t hops;
    uint32_t from;

    if (!find(f, name->id, &hops, &from))
        define(rs, f, name, JLOAD_CONTEXT);
}

static void bind(struct frame *f, struct jname *name)
{
    struct frame *at = find(f, name->id, &name->hops, &name->slot);

    if (!at)
        return; /* only after an error */
    if (at->loop && at->loop->loop_slot == name->slot)
        at->loop->uses_loop = true;
    if (at->macro && name->slot == at->macro->caller_slot)
        at->macro->wants_caller = true;
    if (at->macro && name->slot == at->macro->kwargs_slot)
        at->macro->wants_kwargs = true;
    if (at->macro && name->slot == at->macro->varargs_slot)
        at->macro->wants_varargs = true;
}

/* ---- frames ---- */

static void frame_clear(struct frame *f)
{
    gs_free(f->ids);
    gs_free(f->symbols);
}

static uint32_t context_index(struct resolver *rs, uint32_t id)
{
    if (rs->context_index[id] == 0) {
        rs->tpl->context_names[rs->tpl->n_context_names++] = rs->names[id];
        rs->context_index[id] = (uint32_t)rs->tpl->n_context_names;
    }
    return rs->context_index[id] - 1;
}

/* The analysed frame's loads, for the run time. */
static void finish(struct resolver *rs, const struct frame *f, struct jframe *out)
{
    uint32_t n = 0;

    if (rs->status != GS_OK)
        return;
    out->n_slots = f->n_ids;
    out->loads = gs_arena_array(&rs->tpl->arena, f->n_ids, sizeof(*out->loads));
    if (!out->loads) {
        fail_nomem(rs);
        return;
    }
    for (uint32_t i = 0; i < f->n_ids; i++) {
        const struct symbol *s = &f->symbols[i];
        if (!is_defined(f, i) || s->load == JLOAD_PARAM)
            continue;
        out->loads[n++] = (struct jload){
            .kind = s->load,
            .slot = i,
            .hops = s->hops,
            .from = s->load == JLOAD_CONTEXT ? context_index(rs, s->context) : s->from};
    }
    out->n_loads = n;
}

/* ---- expressions and targets ---- */

static void use(struct resolver *rs, struct frame *f, struct jname *name)
{
    if (rs->binding)
        bind(f, name);
    else
        load(rs, f, name);
}

static void visit_all(struct resolver *rs, struct frame *f, struct jnodes nodes)
{
    for (size_t i = 0; i < nodes.len; i++)
        visit(rs, f, nodes.items[i]);
}

static void visit_args(struct resolver *rs, struct frame *f, struct jcallargs *a)
{
    visit_all(rs, f, a->pos);
    for (size_t i = 0; i < a->n_kw; i++)
        visit(rs, f, a->kw[i].value);
    visit(rs, f, a->dyn_pos);
    visit(rs, f, a->dyn_kw);
}

static void visit_filter(struct resolver *rs, struct frame *f, struct jnode *n)
{
    visit(rs, f, n->u.filter.value);
    visit_args(rs, f, &n->u.filter.args);
    if (rs->binding && !rs->soft && !n->u.filter.def && rs->status == GS_OK) {
        gs_error_set(rs->err, GS_ETEMPLATE, "no %s named '%.*s'",
                     n->kind == JN_FILTER ? "filter" : "test", (int)n->u.filter.name.len,
                     n->u.filter.name.ptr);
        fail_at(rs, n->off);
    }
}

static void visit(struct resolver *rs, struct frame *f, struct jnode *n)
{
    const bool soft = rs->soft;

    if (!n || rs->status != GS_OK)
        return;
    switch (n->kind) {
    case JN_NAME:
        use(rs, f, &n->u.name);
        break;
    case JN_TUPLE:
    case JN_LIST:
    case JN_DICT:
    case JN_CONCAT:
        visit_all(rs, f, n->u.items);
        break;
    case JN_COND:
        rs->soft = true;
        visit(rs, f, n->u.cond.test);
        visit(rs, f, n->u.cond.then);
        visit(rs, f, n->u.cond.otherwise);
        rs->soft = soft;
        break;
    case JN_OR:
    case JN_AND:
    case JN_NOT:
    case JN_UNARY:
    case JN_BINARY:
        visit(rs, f, n->u.binary.left);
        visit(rs, f, n->u.binary.right);
        break;
    case JN_COMPARE:
        visit(rs, f, n->u.compare.first);
        visit_all(rs, f, n->u.compare.rest);
        break;
    case JN_GETATTR:
        visit(rs, f, n->u.getattr.object);
        break;
    case JN_GETITEM:
        visit(rs, f, n->u.getitem.object);
        visit(rs, f, n->u.getitem.index);
        break;
    case JN_SLICE:
        visit(rs, f, n->u.slice.start);
        visit(rs, f, n->u.slice.stop);
        visit(rs, f, n->u.slice.step);
        break;
    case JN_CALL:
        visit(rs, f, n->u.call.callee);
        visit_args(rs, f, &n->u.call.args);
        break;
    case JN_FILTER:
    case JN_TEST:
        visit_filter(rs, f, n);
        break;
    default: /* constants; statements do not come here */
        break;
    }
}

enum target_kind { TARGET_STORE, TARGET_PARAM };

static void visit_target(struct resolver *rs, struct frame *f, struct jnode *n,
                         enum target_kind kind, bool may_be_loop)
{
    if (!n || rs->status != GS_OK)
        return;
    if (n->kind == JN_TUPLE) {
        for (size_t i = 0; i < n->u.items.len; i++)
            visit_target(rs, f, n->u.items.items[i], kind, may_be_loop);
        return;
    }
    if (n->kind == JN_NSREF) {
        use(rs, f, &n->u.nsref.object);
        return;
    }
    if (!may_be_loop && gs_slice_eq_str(n->u.name.text, "loop")) {
        gs_error_set(rs->err, GS_ETEMPLATE, "cannot assign to the special variable 'loop'");
        fail_at(rs, n->off);
        return;
    }
    if (rs->binding)
        bind(f, &n->u.name);
    else if (kind == TARGET_PARAM)
        declare(rs, f, &n->u.name);
    else
        store(rs, f, &n->u.name);
}

/* ---- frames inside ---- */

static struct jname special_name(const struct gs_slice *names, size_t n, const char *text)
{
    for (size_t i = 0; i < n; i++) {
        if (gs_slice_eq_str(names[i], text))
            return (struct jname){.text = names[i], .id = (uint32_t)i};
    }
    return (struct jname){.id = UINT32_MAX};
}

/* A parameter that exists only if the name occurs in the template at all; its slot. */
static uint32_t declare_special(struct resolver *rs, struct frame *f, const struct jname *name)
{
    if (name->id == UINT32_MAX)
        return UINT32_MAX;
    declare(rs, f, name);
    return slot_of(f, name->id);
}

/* Visit a body in a frame of its own: analyse, emit, bind. */
typedef void frame_visitor(struct resolver *rs, struct frame *f, struct jnode *n);

static void in_frame(struct resolver *rs, struct frame *f, struct jnode *n, frame_visitor *visitor,
                     struct jframe *out)
{
    const bool soft = rs->soft;

    rs->soft = false;
    rs->binding = false;
    visitor(rs, f, n);
    finish(rs, f, out);
    rs->binding = true;
    if (rs->status == GS_OK)
        visitor(rs, f, n);
    rs->soft = soft;
    frame_clear(f);
}

static void visit_loop_body(struct resolver *rs, struct frame *f, struct jnode *n)
{
    visit_target(rs, f, n->u.loop->target, TARGET_PARAM, false);
    visit_body(rs, f, n->u.loop->body);
}

static void visit_loop_test(struct resolver *rs, struct frame *f, struct jnode *n)
{
    visit_target(rs, f, n->u.loop->test_target, TARGET_PARAM, false);
    visit(rs, f, n->u.loop->test);
}

static void visit_loop_else(struct resolver *rs, struct frame *f, struct jnode *n)
{
    visit_body(rs, f, n->u.loop->otherwise);
}

static void bind_for(struct resolver *rs, struct frame *f, struct jnode *n)
{
    struct jfor *loop = n->u.loop;
    struct frame body = {.parent = f, .loop = loop};
    struct frame test = {.parent = f};
    struct frame otherwise = {.parent = f};

    visit(rs, f, loop->iter);
    rs->fors++;
    loop->loop_slot = declare_special(rs, &body, &rs->loop);
    in_frame(rs, &body, n, visit_loop_body, &loop->frame);
    if (loop->test)
        in_frame(rs, &test, n, visit_loop_test, &loop->test_frame);
    if (loop->otherwise.len)
        in_frame(rs, &otherwise, n, visit_loop_else, &loop->else_frame);
    rs->fors--;
}

static void visit_macro_inside(struct resolver *rs, struct frame *f, struct jnode *n)
{
    struct jmacro *m = n->kind == JN_MACRO ? n->u.macro : n->u.call_block.caller;

    for (size_t i = 0; i < m->params.len; i++)
        visit_target(rs, f, m->params.items[i], TARGET_PARAM, true);
    visit_all(rs, f, m->defaults);
    visit_body(rs, f, m->body);
}

static bool has_param(const struct jmacro *m, const char *name)
{
    for (size_t i = 0; i < m->params.len; i++) {
        if (gs_slice_eq_str(m->params.items[i]->u.name.text, name))
            return true;
    }
    return false;
}

static void bind_macro(struct resolver *rs, struct frame *f, struct jnode *n, struct jmacro *m)
{
    struct frame inside = {.parent = f, .macro = m};

    for (size_t i = 0; i < m->params.len; i++)
        declare(rs, &inside, &m->params.items[i]->u.name);
    m->explicit_caller = has_param(m, "caller");
    m->caller_slot = m->explicit_caller ? UINT32_MAX : declare_special(rs, &inside, &rs->caller);
    m->kwargs_slot =
        has_param(m, "kwargs") ? UINT32_MAX : declare_special(rs, &inside, &rs->kwargs);
    m->varargs_slot =
        has_param(m, "varargs") ? UINT32_MAX : declare_special(rs, &inside, &rs->varargs);
    in_frame(rs, &inside, n, visit_macro_inside, &m->frame);
}

static void visit_block_inside(struct resolver *rs, struct frame *f, struct jnode *n)
{
    visit_body(rs, f, n->u.set.body);
    visit(rs, f, n->u.set.filter);
}

static void visit_with_inside(struct resolver *rs, struct frame *f, struct jnode *n)
{
    for (size_t i = 0; i < n->u.with.targets.len; i++)
        visit_target(rs, f, n->u.with.targets.items[i], TARGET_PARAM, true);
    visit_body(rs, f, n->u.with.body);
}

/* ---- statements ---- */

/* What a statement means for the variables of its own frame. */
static void analyse(struct resolver *rs, struct frame *f, struct jnode *n);

struct branch {
    struct symbol *symbols;
    uint32_t n;
};

/* Visit one branch of an "if" on a copy of the symbols, which become the result. */
static struct branch analyse_branch(struct resolver *rs, struct frame *f, struct jnodes body)
{
    const struct branch before = {f->symbols, f->n_symbols};
    struct branch result = {0};

    f->symbols = NULL;
    f->n_symbols = 0;
    if (before.n && grow_symbols(rs, f, before.n))
        memcpy(f->symbols, before.symbols, before.n * sizeof(*before.symbols));
    for (size_t i = 0; i < body.len; i++)
        analyse(rs, f, body.items[i]);
    result = (struct branch){f->symbols, f->n_symbols};
    f->symbols = before.symbols;
    f->n_symbols = before.n;
    return result;
}

/* Put the three branches together: what only some of them assign keeps its outer value. */
static void merge_slot(struct frame *f, uint32_t slot, const struct branch branches[3])
{
    struct symbol *s = &f->symbols[slot];
    const bool was_stored = s->stored;
    unsigned stores = 0;
    uint32_t hops;
    uint32_t from;

    for (int b = 0; b < 3; b++) {
        if (slot >= branches[b].n || !branches[b].symbols[slot].defined)
            continue;
        const bool stored = s->stored || branches[b].symbols[slot].stored;
        stores += branches[b].symbols[slot].stored;
        *s = branches[b].symbols[slot];
        s->stored = stored;
    }
    if (was_stored || stores == 0 || stores == 3)
        return;
    if (find(f->parent, f->ids[slot], &hops, &from)) {
        s->load = JLOAD_ALIAS;
        s->hops = hops + 1;
        s->from = from;
    } else {
        s->load = JLOAD_CONTEXT;
        s->context = f->ids[slot];
    }
}

static void analyse_if(struct resolver *rs, struct frame *f, struct jnode *n)
{
    visit(rs, f, n->u.branch.test);
    const struct branch branches[3] = {
        analyse_branch(rs, f, n->u.branch.body),
        analyse_branch(rs, f, n->u.branch.elifs),
        analyse_branch(rs, f, n->u.branch.otherwise),
    };
    if (rs->status == GS_OK && grow_symbols(rs, f, f->n_ids)) {
        for (uint32_t slot = 0; slot < f->n_ids; slot++)
            merge_slot(f, slot, branches);
    }
    for (int b = 0; b < 3; b++)
        gs_free(branches[b].symbols);
}

static void analyse(struct resolver *rs, struct frame *f, struct jnode *n)
{
    const bool may_be_loop = rs->fors == 0;

    if (rs->status != GS_OK)
        return;
    switch (n->kind) {
    case JN_PRINT:
        visit_all(rs, f, n->u.items);
        break;
    case JN_DO:
        visit(rs, f, n->u.binary.left);
        break;
    case JN_IF:
        analyse_if(rs, f, n);
        break;
    case JN_FOR:
        visit(rs, f, n->u.loop->iter);
        break;
    case JN_MACRO:
        store(rs, f, &n->u.macro->name);
        break;
    case JN_CALL_BLOCK:
        visit(rs, f, n->u.call_block.call);
        break;
    case JN_FILTER_BLOCK:
        visit(rs, f, n->u.set.filter);
        break;
    case JN_WITH:
        visit_all(rs, f, n->u.with.values);
        break;
    case JN_SET:
        visit(rs, f, n->u.set.value);
        visit_target(rs, f, n->u.set.target, TARGET_STORE, may_be_loop);
        break;
    case JN_SET_BLOCK:
        visit_target(rs, f, n->u.set.target, TARGET_STORE, may_be_loop);
        break;
    default: /* text, break, continue; a scope is all inside */
        break;
    }
}

static void bind_if(struct resolver *rs, struct frame *f, struct jnode *n)
{
    const bool soft = rs->soft;

    rs->soft = true;
    visit(rs, f, n->u.branch.test);
    visit_body(rs, f, n->u.branch.body);
    visit_body(rs, f, n->u.branch.elifs);
    visit_body(rs, f, n->u.branch.otherwise);
    rs->soft = soft;
}

/* Bind a statement's names and deal with the frames in it. */
static void bind_statement(struct resolver *rs, struct frame *f, struct jnode *n)
{
    struct frame inside = {.parent = f};

    if (rs->status != GS_OK)
        return;
    switch (n->kind) {
    case JN_IF:
        bind_if(rs, f, n);
        break;
    case JN_FOR:
        bind_for(rs, f, n);
        break;
    case JN_MACRO:
        bind(f, &n->u.macro->name);
        bind_macro(rs, f, n, n->u.macro);
        break;
    case JN_CALL_BLOCK:
        visit(rs, f, n->u.call_block.call);
        bind_macro(rs, f, n, n->u.call_block.caller);
        break;
    case JN_FILTER_BLOCK:
        in_frame(rs, &inside, n, visit_block_inside, &n->u.set.frame);
        break;
    case JN_WITH:
        visit_all(rs, f, n->u.with.values);
        in_frame(rs, &inside, n, visit_with_inside, &n->u.with.frame);
        break;
    case JN_SET_BLOCK:
        visit_target(rs, f, n->u.set.target, TARGET_STORE, rs->fors == 0);
        in_frame(rs, &inside, n, visit_block_inside, &n->u.set.frame);
        break;
    case JN_SCOPE:
        inside.parent = n->u.set.is_block ? rs->root : f;
        in_frame(rs, &inside, n, visit_block_inside, &n->u.set.frame);
        break;
    default:
        analyse(rs, f, n); /* binds, as everything in it is a plain expression or target */
        break;
    }
}

static void visit_body(struct resolver *rs, struct frame *f, struct jnodes body)
{
    for (size_t i = 0; i < body.len; i++) {
        if (rs->binding)
            bind_statement(rs, f, body.items[i]);
        else
            analyse(rs, f, body.items[i]);
    }
}

static void visit_template(struct resolver *rs, struct frame *f, struct jnode *n)
{
    (void)n;
    visit_body(rs, f, rs->tpl->body);
}

enum gs_status gs_jinja_resolve(struct gs_template *tpl, const struct gs_slice *names,
                                size_t n_names, struct gs_error *err)
{
    struct frame root = {0};
    struct resolver rs = {
        .tpl = tpl,
        .root = &root,
        .names = names,
        .loop = special_name(names, n_names, "loop"),
        .caller = special_name(names, n_names, "caller"),
        .kwargs = special_name(names, n_names, "kwargs"),
        .varargs = special_name(names, n_names, "varargs"),
        .err = err,
    };

    rs.context_index = gs_alloc_array(n_names, sizeof(*rs.context_index));
    tpl->context_names = gs_arena_array(&tpl->arena, n_names, sizeof(*tpl->context_names));
    if (!rs.context_index || !tpl->context_names)
        fail_nomem(&rs);
    else
        in_frame(&rs, &root, NULL, visit_template, &tpl->frame);
    gs_free(rs.context_index);
    return rs.status;
}
