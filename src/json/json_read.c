/* Reading: jansson parses (RFC 8259, UTF-8 checked), its tree is copied into the arena and dropped.
 * A document that it refuses is mended and tried once more, so that the common case pays nothing.
 */
#include <jansson.h>
#include <pthread.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/slice.h"
#include "json/json.h"
#include "json/json_mend.h"

static pthread_once_t allocator_once = PTHREAD_ONCE_INIT;

/* jansson reports most failed allocations as some other error. */
static _Thread_local bool out_of_memory;

static void *allocate(size_t n)
{
    void *p = gs_alloc(n);

    out_of_memory = out_of_memory || !p;
    return p;
}

static void set_allocator(void)
{
    json_set_alloc_funcs(allocate, gs_free);
}

static enum gs_status too_deep(struct gs_error *err)
{
    return gs_error_set(err, GS_ELIMIT, "JSON is nested deeper than %d levels", GS_MAX_JSON_DEPTH);
}

static enum gs_status no_memory(struct gs_error *err)
{
    return gs_error_nomem(err, "read JSON");
}

/* ---- copying ---- */

static enum gs_status copy(const json_t *from, int depth, struct gs_arena *a, struct gs_json *out,
                           struct gs_error *err);

static enum gs_status copy_array(const json_t *from, int depth, struct gs_arena *a,
                                 struct gs_json *out, struct gs_error *err)
{
    const size_t n = json_array_size(from);
    struct gs_json *items = gs_arena_array(a, n, sizeof(*items));
    enum gs_status st = GS_OK;

    if (!items)
        return no_memory(err);
    for (size_t i = 0; i < n && st == GS_OK; i++)
        st = copy(json_array_get(from, i), depth, a, &items[i], err);
    out->kind = GS_JSON_ARRAY;
    out->u.array.items = items;
    out->u.array.len = n;
    return st;
}

static enum gs_status copy_object(const json_t *from, int depth, struct gs_arena *a,
                                  struct gs_json *out, struct gs_error *err)
{
    json_t *object = (json_t *)(uintptr_t)from; /* iterators want it writable */
    struct gs_json_member *members = gs_arena_array(a, json_object_size(from), sizeof(*members));
    size_t n = 0;
    enum gs_status st = GS_OK;

    if (!members)
        return no_memory(err);
    for (void *it = json_object_iter(object); it && st == GS_OK;
         it = json_object_iter_next(object, it)) {
        struct gs_json_member *m = &members[n++];
        if (!gs_arena_dup(a, gs_slice_str(json_object_iter_key(it)), &m->key))
            return no_memory(err);
        st = copy(json_object_iter_value(it), depth, a, &m->value, err);
    }
    out->kind = GS_JSON_OBJECT;
    out->u.object.members = members;
    out->u.object.len = n;
    return st;
}

static enum gs_status copy(const json_t *from, int depth, struct gs_arena *a, struct gs_json *out,
                           struct gs_error *err)
{
    switch (json_typeof(from)) {
    case JSON_OBJECT:
    case JSON_ARRAY:
        if (depth == GS_MAX_JSON_DEPTH)
            return too_deep(err);
        return json_is_array(from) ? copy_array(from, depth + 1, a, out, err)
                                   : copy_object(from, depth + 1, a, out, err);
    case JSON_STRING:
        out->kind = GS_JSON_STRING;
        return gs_arena_dup(a, gs_slice(json_string_value(from), json_string_length(from)),
                            &out->u.string)
                   ? GS_OK
                   : no_memory(err);
    case JSON_INTEGER:
        *out = (struct gs_json){GS_JSON_INT, .u.integer = json_integer_value(from)};
        break;
    case JSON_REAL:
        *out = (struct gs_json){GS_JSON_REAL, .u.real = json_real_value(from)};
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        *out = (struct gs_json){GS_JSON_BOOL, .u.boolean = json_is_true(from)};
        break;
    case JSON_NULL:
        *out = (struct gs_json){.kind = GS_JSON_NULL};
        break;
    }
    return GS_OK;
}

/* ---- parsing ---- */

static json_t *load(struct gs_slice text, json_error_t *why)
{
    out_of_memory = false;
    return json_loadb(text.len ? text.ptr : "", text.len, JSON_ALLOW_NUL | JSON_DECODE_ANY, why);
}

static json_t *load_mended(struct gs_slice text, json_error_t *why)
{
    struct gs_buf b;
    json_t *tree = NULL;

    gs_buf_init(&b, GS_MAX_TEXT_BYTES);
    if (gs_json_mend(text, &b) && gs_buf_ok(&b))
        tree = load(gs_buf_view(&b), why);
    out_of_memory = out_of_memory || !gs_buf_ok(&b);
    gs_buf_clear(&b);
    return tree;
}

static enum gs_status refuse(const json_error_t *why, struct gs_error *err)
{
    const int col = GS_MAX(why->column, 1);

    if (json_error_code(why) == json_error_stack_overflow)
        return too_deep(err);
    const enum gs_status st = gs_error_set(
        err, GS_EFORMAT, "invalid JSON at line %d, column %d: %s", why->line, col, why->text);
    gs_error_pos(err, "JSON", why->line, col);
    return st;
}

enum gs_status gs_json_parse(struct gs_slice text, struct gs_arena *a, struct gs_json *out,
                             struct gs_error *err)
{
    json_error_t why = {0};
    struct gs_json top = {.kind = GS_JSON_NULL};

    pthread_once(&allocator_once, set_allocator);
    json_t *tree = load(text, &why);
    if (!tree && !out_of_memory)
        tree = load_mended(text, &why);
    if (!tree)
        return out_of_memory ? no_memory(err) : refuse(&why, err);
    const enum gs_status st = copy(tree, 0, a, &top, err);
    json_decref(tree);
    if (st == GS_OK)
        *out = top;
    return st;
}
