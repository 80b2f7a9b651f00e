/* The front of the engine: normalise and compile the source; hand variables to a render call. */
#include "jinja/template.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/os.h"
#include "base/slice.h"
#include "jinja/jinja_parse.h"
#include "jinja/jinja_run.h"
#include "json/json.h"

#define MAX_STEPS                      ((uint64_t)20000000) /* and some for every byte of the variables */
#define STEPS_PER_BYTE                 8
#define COMPILED_BYTES_PER_SOURCE_BYTE 256

/* ---- compiling ---- */

/* '\n' is the only line end, and the one at the very end is dropped. */
static bool normalise(struct gs_template *t)
{
    const struct gs_slice text = t->source;
    char *p = gs_arena_alloc(&t->arena, text.len + 1);
    size_t n = 0;

    if (!p)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        const bool cr = text.ptr[i] == '\r';
        if (cr && i + 1 < text.len && text.ptr[i + 1] == '\n')
            i++;
        p[n++] = cr ? '\n' : text.ptr[i];
    }
    if (n > 0 && p[n - 1] == '\n')
        n--;
    p[n] = '\0';
    t->text = gs_slice(p, n);
    return true;
}

static enum gs_status check_source(const char *name, struct gs_slice source, struct gs_error *err)
{
    if (source.len > GS_MAX_TEMPLATE_BYTES) {
        gs_error_set(err, GS_ELIMIT, "template \"%s\" has more than %zu bytes", name,
                     GS_MAX_TEMPLATE_BYTES);
        gs_error_amounts(err, (long long)source.len, (long long)GS_MAX_TEMPLATE_BYTES);
        return GS_ELIMIT;
    }
    if (!gs_utf8_valid(source))
        return gs_error_set(err, GS_ETEMPLATE, "template \"%s\" is not UTF-8", name);
    return GS_OK;
}

enum gs_status gs_template_parse(const char *name, struct gs_slice source,
                                 struct gs_template **out_tpl, struct gs_error *err)
{
    enum gs_status st = check_source(name, source, err);

    if (st != GS_OK)
        return st;
    struct gs_template *t = gs_alloc_zero(sizeof(*t));
    if (!t)
        return gs_error_nomem(err, "compile the template");
    gs_arena_init(&t->arena, (source.len + GS_KIB) * COMPILED_BYTES_PER_SOURCE_BYTE);
    t->name = gs_alloc_str(name);
    if (!t->name || !gs_arena_dup(&t->arena, source, &t->source) || !normalise(t))
        st = gs_error_nomem(err, "compile the template");
    else
        st = gs_jinja_compile(t, err);
    if (st != GS_OK) {
        gs_template_free(t);
        return st;
    }
    *out_tpl = t;
    return GS_OK;
}

void gs_template_free(struct gs_template *t)
{
    if (!t)
        return;
    gs_arena_clear(&t->arena);
    gs_free(t->name);
    gs_free(t);
}

struct gs_slice gs_template_source(const struct gs_template *t)
{
    return t->source;
}

/* ---- variables ---- */

static bool from_json(struct jrun *r, const struct gs_json *j, struct jval *out);

static bool from_array(struct jrun *r, const struct gs_json *j, struct jval *out)
{
    struct jlist *l;
    struct jval *items;

    if (!gs_jinja_list(r, j->u.array.len, &l, &items))
        return false;
    for (size_t i = 0; i < l->len; i++) {
        if (!from_json(r, &j->u.array.items[i], &items[i]))
            return false;
    }
    *out = jv_list(l);
    return true;
}

static bool from_object(struct jrun *r, const struct gs_json *j, struct jval *out)
{
    struct jdict *d;

    if (!gs_jinja_dict(r, j->u.object.len, &d))
        return false;
    for (size_t i = 0; i < j->u.object.len; i++) {
        const struct gs_json_member *m = &j->u.object.members[i];
        struct jval key;
        struct jval value;
        if (!gs_jinja_str(r, m->key, &key) || !from_json(r, &m->value, &value) ||
            !gs_jinja_dict_put(r, d, key, value))
            return false;
    }
    *out = jv_dict(d);
    return true;
}

static bool from_json_kind(struct jrun *r, const struct gs_json *j, struct jval *out)
{
    switch (j->kind) {
    case GS_JSON_NULL:
        *out = jv_none();
        return true;
    case GS_JSON_BOOL:
        *out = jv_bool(j->u.boolean);
        return true;
    case GS_JSON_INT:
        *out = jv_int(j->u.integer);
        return true;
    case GS_JSON_REAL:
        *out = jv_float(j->u.real);
        return true;
    case GS_JSON_STRING:
        r->steps_left += j->u.string.len * STEPS_PER_BYTE;
        return gs_jinja_str(r, j->u.string, out);
    case GS_JSON_ARRAY:
        return from_array(r, j, out);
    case GS_JSON_OBJECT:
        return from_object(r, j, out);
    }
    return false;
}

/* Strings are borrowed from the JSON tree. */
static bool from_json(struct jrun *r, const struct gs_json *j, struct jval *out)
{
    if (!gs_jinja_enter(r))
        return false;
    const bool ok = from_json_kind(r, j, out);
    gs_jinja_leave(r);
    return ok;
}

static const struct gs_json *find_var(const struct gs_json *vars, struct gs_slice name)
{
    const size_t n = vars && vars->kind == GS_JSON_OBJECT ? vars->u.object.len : 0;

    for (size_t i = n; i > 0; i--) {
        if (gs_slice_eq(vars->u.object.members[i - 1].key, name))
            return &vars->u.object.members[i - 1].value;
    }
    return NULL;
}

static bool global(struct jrun *r, struct gs_slice name, struct jval *out)
{
    const struct jbuiltin *def = gs_jinja_find_global(name);

    if (!def)
        return true;
    struct jobject *f = gs_jinja_alloc(r, sizeof(*f));
    if (!f)
        return false;
    *f = (struct jobject){.kind = JV_FUNCTION, .def = def};
    *out = (struct jval){.kind = JV_FUNCTION, .u.object = f};
    return true;
}

/* What the template can see from outside: variables, and globals they do not hide. */
static bool fill_context(struct jrun *r, const struct gs_json *vars)
{
    r->context = gs_jinja_array(r, r->tpl->n_context_names, sizeof(*r->context));
    if (!r->context)
        return false;
    for (size_t i = 0; i < r->tpl->n_context_names; i++) {
        const struct gs_slice name = r->tpl->context_names[i];
        const struct gs_json *var = find_var(vars, name);
        if (var ? !from_json(r, var, &r->context[i]) : !global(r, name, &r->context[i]))
            return false;
    }
    return true;
}

enum gs_status gs_template_render(const struct gs_template *t, const struct gs_json *vars,
                                  int64_t now_us, struct gs_buf *b, struct gs_error *err)
{
    const size_t before = b->len;
    struct jrun r = {.tpl = t,
                     .out = b,
                     .max_out = b->max,
                     .steps_left = MAX_STEPS,
                     .seed = gs_os_random_u64(),
                     .now_us = now_us,
                     .err = err};

    if (!gs_buf_ok(b))
        return gs_error_nomem(err, "render the template");
    gs_arena_init(&r.arena, GS_MAX_TEXT_BYTES);
    gs_buf_init(&r.scratch, GS_MAX_TEXT_BYTES);
    if (!fill_context(&r, vars) || !gs_jinja_exec(&r)) {
        gs_buf_reset(b);
        b->len = before;
    }
    gs_buf_clear(&r.scratch);
    gs_arena_clear(&r.arena);
    return r.status;
}
