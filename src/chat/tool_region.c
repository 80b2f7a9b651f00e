/* What the readers of tool-call syntaxes share. They are tolerant where models are known to be
 * sloppy (a missing closing tag, "parameters" for "arguments", arguments wrapped in a string),
 * never where it would invent. */
#include "chat/tool_region.h"

#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/slice.h"

/* ---- extents ---- */

size_t gs_chat_find(struct gs_slice s, const char *text, size_t from)
{
    return gs_slice_find(s, gs_slice_str(text), from);
}

size_t gs_chat_len_to(struct gs_slice s, const char *end)
{
    const size_t at = gs_chat_find(s, end, 0);

    return at == SIZE_MAX ? 0 : at + strlen(end);
}

size_t gs_chat_len_past_json(struct gs_slice s, size_t from, const char *end)
{
    const struct gs_slice mark = gs_slice_str(end);
    bool in_string = false;

    for (size_t i = from; i < s.len; i++) {
        const char c = s.ptr[i];
        if (in_string && c == '\\')
            i++;
        else if (c == '"')
            in_string = !in_string;
        else if (!in_string && c == mark.ptr[0] && gs_slice_starts(gs_slice_sub(s, i, s.len), mark))
            return i + mark.len;
    }
    return 0;
}

size_t gs_chat_json_end(struct gs_slice s, size_t from)
{
    size_t depth = 0;
    bool in_string = false;

    for (size_t i = from; i < s.len; i++) {
        const char c = s.ptr[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = depth > 0;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if ((c == '}' || c == ']') && depth > 0 && --depth == 0) {
            return i + 1;
        }
    }
    return 0;
}

struct gs_slice gs_chat_strip(struct gs_slice s, const char *begin, const char *end)
{
    s = gs_slice_trim(s);
    if (gs_slice_starts(s, gs_slice_str(begin)))
        s = gs_slice_sub(s, strlen(begin), s.len);
    s = gs_slice_trim(s);
    if (gs_slice_ends(s, gs_slice_str(end)))
        s.len -= strlen(end);
    return gs_slice_trim(s);
}

/* ---- calls ---- */

bool gs_chat_add_json(struct gs_tool_region *r, struct gs_slice name, const struct gs_json *args)
{
    struct gs_json inner;
    struct gs_buf b;

    name = gs_slice_trim(name);
    if (name.len == 0 || r->n_calls == GS_SYNTAX_MAX_CALLS)
        return false;
    if (args && args->kind == GS_JSON_STRING &&
        gs_json_parse(args->u.string, r->a, &inner, NULL) == GS_OK)
        args = &inner; /* arguments wrapped in a string */
    if (args && args->kind != GS_JSON_OBJECT)
        return false;
    gs_buf_init(&b, GS_MAX_TEXT_BYTES);
    if (args)
        gs_json_write(&b, args);
    else
        gs_buf_puts(&b, "{}");
    struct gs_tool_call *call = &r->calls[r->n_calls];
    const bool ok = gs_buf_ok(&b) && gs_arena_dup(r->a, gs_buf_view(&b), &call->args) &&
                    gs_arena_dup(r->a, name, &call->name);
    gs_buf_clear(&b);
    r->n_calls += ok;
    return ok;
}

bool gs_chat_add_text(struct gs_tool_region *r, struct gs_slice name, struct gs_slice args)
{
    struct gs_json v;

    args = gs_slice_trim(args);
    if (args.len == 0)
        return gs_chat_add_json(r, name, NULL);
    return gs_json_parse(args, r->a, &v, NULL) == GS_OK && gs_chat_add_json(r, name, &v);
}

static bool add_described(struct gs_tool_region *r, const struct gs_json *v)
{
    if (v->kind == GS_JSON_ARRAY) {
        for (size_t i = 0; i < v->u.array.len; i++)
            if (!add_described(r, &v->u.array.items[i]))
                return false;
        return v->u.array.len > 0;
    }
    const struct gs_json *function = gs_json_get(v, "function");
    if (function && function->kind == GS_JSON_OBJECT)
        v = function;
    const struct gs_json *name = gs_json_get(v, "name");
    const struct gs_json *args = gs_json_get(v, "arguments");
    if (!args)
        args = gs_json_get(v, "parameters");
    return name && name->kind == GS_JSON_STRING && gs_chat_add_json(r, name->u.string, args);
}

bool gs_chat_add_described(struct gs_tool_region *r, struct gs_slice text)
{
    struct gs_json v;

    return gs_json_parse(gs_slice_trim(text), r->a, &v, NULL) == GS_OK && add_described(r, &v);
}

/* ---- types of parameters ---- */

struct gs_tool_types {
    struct {
        struct gs_slice name;
        const struct gs_json *properties; /* NULL = unknown */
    } * tools;
    size_t n;
};

static const struct gs_json *property(const struct gs_tool_types *types, struct gs_slice tool,
                                      struct gs_slice key)
{
    for (size_t i = 0; types && i < types->n; i++) {
        const struct gs_json *p = types->tools[i].properties;
        if (!p || !gs_slice_eq(types->tools[i].name, tool))
            continue;
        for (size_t m = 0; m < p->u.object.len; m++)
            if (gs_slice_eq(p->u.object.members[m].key, key))
                return &p->u.object.members[m].value;
    }
    return NULL;
}

bool gs_chat_is_text(const struct gs_tool_types *types, struct gs_slice tool, struct gs_slice key)
{
    const struct gs_json *type = gs_json_get(property(types, tool, key), "type");

    return type && type->kind == GS_JSON_STRING && gs_slice_eq_str(type->u.string, "string");
}

struct gs_json gs_chat_typed_value(const struct gs_tool_types *types, struct gs_slice tool,
                                   struct gs_slice key, struct gs_slice text, struct gs_arena *a)
{
    struct gs_json v;

    if (!gs_chat_is_text(types, tool, key) &&
        gs_json_parse(gs_slice_trim(text), a, &v, NULL) == GS_OK)
        return v;
    return (struct gs_json){.kind = GS_JSON_STRING, .u.string = text};
}

const struct gs_tool_types *gs_chat_tool_types(const struct gs_tool *tools, size_t n,
                                               struct gs_arena *a)
{
    struct gs_tool_types *t = gs_arena_alloc(a, sizeof(*t));

    if (!t)
        return NULL;
    t->tools = gs_arena_array(a, n, sizeof(*t->tools));
    if (!t->tools)
        return NULL;
    t->n = n;
    for (size_t i = 0; i < n; i++) {
        struct gs_json *schema = gs_arena_alloc(a, sizeof(*schema));
        if (!schema || !gs_arena_dup(a, tools[i].name, &t->tools[i].name))
            return NULL;
        if (gs_json_parse(tools[i].parameters, a, schema, NULL) != GS_OK)
            continue;
        const struct gs_json *p = gs_json_get(schema, "properties");
        t->tools[i].properties = p && p->kind == GS_JSON_OBJECT ? p : NULL;
    }
    return t;
}
