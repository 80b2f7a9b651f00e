/* Memory, limits and errors of one render call. */
#include "jinja/jinja_run.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/error.h"
#include "base/slice.h"

#define MAX_DEPTH 1500 /* nested evaluations; a macro that calls itself reaches about 300 */

void *gs_jinja_alloc(struct jrun *r, size_t n)
{
    const size_t left = r->arena.max_bytes - r->arena.used_bytes;
    void *p = gs_arena_alloc(&r->arena, n);

    if (!p && n > left / 2)
        gs_jinja_fail_limit(r, "template needs more than %zu bytes of memory", r->arena.max_bytes);
    else if (!p)
        gs_jinja_fail_nomem(r);
    return p;
}

void *gs_jinja_array(struct jrun *r, size_t n, size_t item_bytes)
{
    if (n > r->arena.max_bytes / item_bytes) {
        gs_jinja_fail_limit(r, "template needs more than %zu bytes of memory", r->arena.max_bytes);
        return NULL;
    }
    return gs_jinja_alloc(r, n * item_bytes);
}

bool gs_jinja_fail(struct jrun *r, const char *fmt, ...)
{
    char msg[GS_ERROR_MSG_BYTES];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(msg, sizeof(msg), fmt, ap);
    va_end(ap);
    r->status = gs_error_set(r->err, GS_ETEMPLATE, "%s", msg);
    return false;
}

bool gs_jinja_fail_limit(struct jrun *r, const char *fmt, ...)
{
    char msg[GS_ERROR_MSG_BYTES];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(msg, sizeof(msg), fmt, ap);
    va_end(ap);
    r->status = gs_error_set(r->err, GS_ELIMIT, "%s", msg);
    return false;
}

bool gs_jinja_fail_nomem(struct jrun *r)
{
    r->status = gs_error_nomem(r->err, "render the template");
    return false;
}

bool gs_jinja_fail_undefined(struct jrun *r, struct jval v)
{
    const struct jundefined *u = v.u.undefined;
    const int name_len = (int)u->name.len;
    struct gs_slice key;

    if (u->hint.len)
        return gs_jinja_fail(r, "%.*s", (int)u->hint.len, u->hint.ptr);
    if (!u->obj)
        return gs_jinja_fail(r, "'%.*s' is undefined", name_len, u->name.ptr);
    const bool is_none = u->obj->kind == JV_NONE;
    const char *module = u->obj->kind == JV_NAMESPACE ? "jinja2.utils." : "";
    const char *type = is_none ? "None" : gs_jinja_type(*u->obj);
    const char *object = is_none ? "" : " object";
    if (!u->key)
        return gs_jinja_fail(r, "'%s%s%s' has no attribute '%.*s'", module, type, object, name_len,
                             u->name.ptr);
    if (!gs_jinja_repr(r, *u->key, &key))
        return false;
    return gs_jinja_fail(r, "%s%s%s has no element %.*s", module, type, object, (int)key.len,
                         key.ptr);
}

bool gs_jinja_steps(struct jrun *r, size_t n)
{
    if (n <= r->steps_left) {
        r->steps_left -= n;
        return true;
    }
    return gs_jinja_fail_limit(r, "template takes too many steps");
}

bool gs_jinja_enter(struct jrun *r)
{
    if (r->depth >= MAX_DEPTH)
        return gs_jinja_fail_limit(r, "template recurses too deeply");
    if (!gs_jinja_steps(r, 1))
        return false;
    r->depth++;
    return true;
}

bool gs_jinja_emit(struct jrun *r, struct gs_slice s)
{
    if (s.len > r->max_out - r->out->len)
        return gs_jinja_fail_limit(r, "rendered text exceeds %zu bytes", r->max_out);
    gs_buf_slice(r->out, s);
    return gs_buf_ok(r->out) || gs_jinja_fail_nomem(r);
}

size_t gs_jinja_scratch_begin(struct jrun *r)
{
    return r->scratch.len;
}

bool gs_jinja_scratch_end(struct jrun *r, size_t mark, struct jval *out)
{
    if (!gs_buf_ok(&r->scratch))
        return gs_jinja_fail_nomem(r);
    const struct gs_slice text = gs_slice_sub(gs_buf_view(&r->scratch), mark, r->scratch.len);
    const bool ok = gs_jinja_str_copy(r, text, out);
    r->scratch.len = mark;
    return ok;
}
