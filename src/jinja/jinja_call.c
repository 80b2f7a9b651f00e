/* Calling: arguments to the parameters of builtins, and the dispatch over what can be called. */
#include <string.h>

#include "base/slice.h"
#include "jinja/jinja_run.h"

/* The next name of a parameter list, "" at the end. Sets *optional from the '?' on. */
static struct gs_slice next_param(const char **at, bool *optional)
{
    const char *p = *at;

    while (*p == ' ' || *p == '?') {
        *optional = *optional || *p == '?';
        p++;
    }
    const size_t n = strcspn(p, " ");
    *at = p + n;
    return gs_slice(p, n);
}

static bool bind_keyword(struct jrun *r, const struct jbuiltin *def, const struct jkw *kw,
                         struct jcall *c)
{
    const char *at = def->params;
    bool optional = false;
    size_t i = 0;

    for (struct gs_slice p = next_param(&at, &optional); p.len;
         p = next_param(&at, &optional), i++) {
        if (!gs_slice_eq(p, kw->name))
            continue;
        if (c->a[i].kind != JV_MISSING)
            return gs_jinja_fail(r, "%s() got multiple values for argument '%.*s'", def->name,
                                 (int)p.len, p.ptr);
        c->a[i] = kw->value;
        return true;
    }
    return gs_jinja_fail(r, "%s() got an unexpected keyword argument '%.*s'", def->name,
                         (int)kw->name.len, kw->name.ptr);
}

static bool bind(struct jrun *r, const struct jbuiltin *def, struct jcall *c)
{
    const char *at = def->params;
    bool optional = false;
    size_t n = 0;
    size_t i = 0;

    while (next_param(&at, &optional).len)
        n++;
    if (c->raw.n_pos > n)
        return gs_jinja_fail(r, "%s() takes at most %zu argument%s (%zu given)", def->name, n,
                             n == 1 ? "" : "s", c->raw.n_pos);
    for (i = 0; i < c->raw.n_pos; i++)
        c->a[i] = c->raw.pos[i];
    for (i = 0; i < c->raw.n_kw; i++) {
        if (!bind_keyword(r, def, &c->raw.kw[i], c))
            return false;
    }
    at = def->params;
    optional = false;
    for (i = 0; i < n; i++) {
        const struct gs_slice p = next_param(&at, &optional);
        if (!optional && c->a[i].kind == JV_MISSING)
            return gs_jinja_fail(r, "%s() missing required argument: '%.*s'", def->name, (int)p.len,
                                 p.ptr);
    }
    return true;
}

bool gs_jinja_call_builtin(struct jrun *r, const struct jbuiltin *def, struct jval self,
                           const struct jargs *args, struct jval *out)
{
    struct jcall c = {.def = def, .self = self, .raw = *args};

    if (strcmp(def->params, "*") != 0 && !bind(r, def, &c))
        return false;
    return def->fn(r, &c, out);
}

static bool no_arguments(struct jrun *r, const char *what, const struct jargs *args)
{
    return (args->n_pos == 0 && args->n_kw == 0) || gs_jinja_fail(r, "%s takes no arguments", what);
}

bool gs_jinja_call(struct jrun *r, struct jval callee, const struct jargs *args, struct jval *out)
{
    bool ok;

    if (!gs_jinja_enter(r))
        return false;
    switch (callee.kind) {
    case JV_MACRO:
        ok = gs_jinja_call_macro(r, callee.u.object, args, out);
        break;
    case JV_LOOP:
        ok = gs_jinja_call_loop(r, callee.u.object, args, out);
        break;
    case JV_FUNCTION:
    case JV_METHOD:
        ok = gs_jinja_call_builtin(r, callee.u.object->def, callee.u.object->self, args, out);
        break;
    case JV_JOINER:
        ok = no_arguments(r, "a joiner", args) && gs_jinja_call_joiner(r, callee.u.object, out);
        break;
    case JV_UNDEFINED:
        ok = gs_jinja_fail_undefined(r, callee);
        break;
    default:
        ok = gs_jinja_fail(r, "'%s' object is not callable", gs_jinja_type(callee));
        break;
    }
    gs_jinja_leave(r);
    return ok;
}
