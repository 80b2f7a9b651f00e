/* Looking into objects. */
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/slice.h"
#include "json/json.h"

const char *gs_json_kind_name(enum gs_json_kind kind)
{
    switch (kind) {
    case GS_JSON_NULL:
        return "null";
    case GS_JSON_BOOL:
        return "true or false";
    case GS_JSON_INT:
        return "a whole number";
    case GS_JSON_REAL:
        return "a number";
    case GS_JSON_STRING:
        return "a string";
    case GS_JSON_ARRAY:
        return "an array";
    case GS_JSON_OBJECT:
        return "an object";
    }
    return "nothing";
}

const struct gs_json *gs_json_get(const struct gs_json *v, const char *key)
{
    const struct gs_slice name = gs_slice_str(key);

    if (!v || v->kind != GS_JSON_OBJECT)
        return NULL;
    for (size_t i = 0; i < v->u.object.len; i++)
        if (gs_slice_eq(v->u.object.members[i].key, name))
            return &v->u.object.members[i].value;
    return NULL;
}

/* The member, or NULL where it counts as absent. */
static const struct gs_json *present(const struct gs_json *v, const char *key)
{
    const struct gs_json *m = gs_json_get(v, key);

    return m && m->kind != GS_JSON_NULL ? m : NULL;
}

static bool wrong_kind(const struct gs_json *m, const char *key, const char *expected,
                       struct gs_error *err)
{
    gs_error_set(err, GS_EINVAL, "%s: expected %s, found %s", key, expected,
                 gs_json_kind_name(m->kind));
    return false;
}

bool gs_json_get_bool(const struct gs_json *v, const char *key, bool *out, struct gs_error *err)
{
    const struct gs_json *m = present(v, key);

    if (m && m->kind != GS_JSON_BOOL)
        return wrong_kind(m, key, "true or false", err);
    if (m)
        *out = m->u.boolean;
    return true;
}

bool gs_json_get_int(const struct gs_json *v, const char *key, int64_t *out, struct gs_error *err)
{
    const struct gs_json *m = present(v, key);

    if (!m)
        return true;
    if (m->kind == GS_JSON_INT) {
        *out = m->u.integer;
        return true;
    }
    if (m->kind != GS_JSON_REAL)
        return wrong_kind(m, key, "a whole number", err);
    if (m->u.real != floor(m->u.real) || m->u.real < -0x1p63 || m->u.real >= 0x1p63) {
        gs_error_set(err, GS_EINVAL, "%s: expected a whole number, found %g", key, m->u.real);
        return false;
    }
    *out = (int64_t)m->u.real;
    return true;
}

bool gs_json_get_double(const struct gs_json *v, const char *key, double *out, struct gs_error *err)
{
    const struct gs_json *m = present(v, key);

    if (m && m->kind != GS_JSON_INT && m->kind != GS_JSON_REAL)
        return wrong_kind(m, key, "a number", err);
    if (m)
        *out = m->kind == GS_JSON_INT ? (double)m->u.integer : m->u.real;
    return true;
}

bool gs_json_get_string(const struct gs_json *v, const char *key, struct gs_slice *out,
                        struct gs_error *err)
{
    const struct gs_json *m = present(v, key);

    if (m && m->kind != GS_JSON_STRING)
        return wrong_kind(m, key, "a string", err);
    if (m)
        *out = m->u.string;
    return true;
}
