/* The tool-call syntaxes, each a pair of functions: where a region ends, and which calls it holds.
 * All but one carry arguments as a JSON object; Qwen's XML carries bare text whose types the tool's
 * schema tells. Readers are tolerant where models are known to be sloppy (a missing closing tag,
 * "parameters" for "arguments", arguments wrapped in a string), never where it would invent. */
#include "chat/tool_syntax.h"

#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/slice.h"
#include "json/json.h"

#define MAX_CALLS 128 /* of one region */

struct gs_tool_types {
    struct {
        struct gs_slice name;
        const struct gs_json *properties; /* NULL = unknown */
    } * tools;
    size_t n;
};

/* The calls being read from one region. */
struct reader {
    struct gs_arena *a;
    struct gs_tool_call calls[MAX_CALLS];
    size_t n;
};

static size_t find(struct gs_slice s, const char *text, size_t from)
{
    return gs_slice_find(s, gs_slice_str(text), from);
}

/* ---- adding calls ---- */

static bool add_json_call(struct reader *r, struct gs_slice name, const struct gs_json *args)
{
    struct gs_json inner;
    struct gs_buf b;

    name = gs_slice_trim(name);
    if (name.len == 0 || r->n == MAX_CALLS)
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
    struct gs_tool_call *call = &r->calls[r->n];
    const bool ok = gs_buf_ok(&b) && gs_arena_dup(r->a, gs_buf_view(&b), &call->args) &&
                    gs_arena_dup(r->a, name, &call->name);
    gs_buf_clear(&b);
    r->n += ok;
    return ok;
}

static bool add_text_call(struct reader *r, struct gs_slice name, struct gs_slice args)
{
    struct gs_json v;

    args = gs_slice_trim(args);
    if (args.len == 0)
        return add_json_call(r, name, NULL);
    return gs_json_parse(args, r->a, &v, NULL) == GS_OK && add_json_call(r, name, &v);
}

/* {"name": ..., "arguments" or "parameters": {...}}, or an array of such. */
static bool add_described_calls(struct reader *r, const struct gs_json *v)
{
    if (v->kind == GS_JSON_ARRAY) {
        for (size_t i = 0; i < v->u.array.len; i++)
            if (!add_described_calls(r, &v->u.array.items[i]))
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
    return name && name->kind == GS_JSON_STRING && add_json_call(r, name->u.string, args);
}

static bool add_described_text(struct reader *r, struct gs_slice text)
{
    struct gs_json v;

    return gs_json_parse(gs_slice_trim(text), r->a, &v, NULL) == GS_OK &&
           add_described_calls(r, &v);
}

static bool hand_over(const struct reader *r, struct gs_tool_call **out_calls, size_t *out_n)
{
    if (r->n == 0)
        return false;
    *out_calls = gs_arena_array(r->a, r->n, sizeof(**out_calls));
    if (!*out_calls)
        return false;
    memcpy(*out_calls, r->calls, r->n * sizeof(**out_calls));
    *out_n = r->n;
    return true;
}

/* ---- JSON extents ---- */

/* Length of the JSON object or array at the start of s, 0 if it does not end in s. */
static size_t json_len(struct gs_slice s)
{
    size_t depth = 0;
    bool in_string = false;

    for (size_t i = 0; i < s.len; i++) {
        const char c = s.ptr[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if ((c == '}' || c == ']') && depth > 0 && --depth == 0) {
            return i + 1;
        }
    }
    return 0;
}

/* End of the JSON value whose first bracket is at or after `from`; 0 if unfinished. */
static size_t json_end(struct gs_slice s, size_t from)
{
    while (from < s.len && s.ptr[from] != '{' && s.ptr[from] != '[')
        from++;
    const size_t len = json_len(gs_slice_sub(s, from, s.len));
    return len ? from + len : 0;
}

static size_t len_to(struct gs_slice s, const char *end)
{
    const size_t at = find(s, end, 0);

    return at == SIZE_MAX ? 0 : at + strlen(end);
}

/* s without `begin` in front and `end` behind, where they are there. */
static struct gs_slice strip(struct gs_slice s, const char *begin, const char *end)
{
    s = gs_slice_trim(s);
    if (gs_slice_starts(s, gs_slice_str(begin)))
        s = gs_slice_sub(s, strlen(begin), s.len);
    s = gs_slice_trim(s);
    if (gs_slice_ends(s, gs_slice_str(end)))
        s.len -= strlen(end);
    return gs_slice_trim(s);
}

/* ---- Qwen's XML: <function=NAME><parameter=KEY>VALUE</parameter></function> ---- */

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

static bool type_is_string(const struct gs_json *type)
{
    return type && type->kind == GS_JSON_STRING && gs_slice_eq_str(type->u.string, "string");
}

/* Bare text to JSON: as it stands where the schema says string, else what it parses to. */
static struct gs_json typed_value(struct reader *r, const struct gs_json *schema,
                                  struct gs_slice text)
{
    struct gs_json v;

    if (!type_is_string(gs_json_get(schema, "type")) &&
        gs_json_parse(gs_slice_trim(text), r->a, &v, NULL) == GS_OK)
        return v;
    return (struct gs_json){.kind = GS_JSON_STRING, .u.string = text};
}

/* The template puts a line break after the opening and before the closing tag. */
static struct gs_slice unwrap_lines(struct gs_slice s)
{
    if (s.len > 0 && s.ptr[0] == '\n')
        s = gs_slice_sub(s, 1, s.len);
    if (s.len > 0 && s.ptr[s.len - 1] == '\n')
        s.len--;
    return s;
}

/* One <function=...> body after its name. */
static bool read_parameters(struct reader *r, const struct gs_tool_types *types,
                            struct gs_slice name, struct gs_slice body)
{
    struct gs_json args = {.kind = GS_JSON_OBJECT};
    struct gs_json_member *members;
    size_t n = 0;

    name = gs_slice_trim(name);
    for (size_t at = find(body, "<parameter=", 0); at != SIZE_MAX;
         at = find(body, "<parameter=", at + 1))
        n++;
    members = gs_arena_array(r->a, n, sizeof(*members));
    if (!members)
        return false;
    size_t at = find(body, "<parameter=", 0);
    for (size_t i = 0; i < n; i++) {
        const size_t key_at = at + strlen("<parameter=");
        const size_t key_end = find(body, ">", key_at);
        if (key_end == SIZE_MAX)
            return false;
        const size_t next = find(body, "<parameter=", key_end);
        size_t end = find(body, "</parameter>", key_end);
        if (end == SIZE_MAX || end > next) /* a forgotten closing tag ends at the next one */
            end = next == SIZE_MAX ? body.len : next;
        members[i].key = gs_slice_trim(gs_slice_sub(body, key_at, key_end));
        members[i].value = typed_value(r, property(types, name, members[i].key),
                                       unwrap_lines(gs_slice_sub(body, key_end + 1, end)));
        at = next;
        if (next == SIZE_MAX) {
            n = i + 1;
            break;
        }
    }
    args.u.object.members = members;
    args.u.object.len = n;
    return add_json_call(r, name, &args);
}

static bool read_functions(struct gs_slice s, const struct gs_tool_types *types, struct reader *r)
{
    for (size_t at = find(s, "<function=", 0); at != SIZE_MAX;) {
        const size_t name_at = at + strlen("<function=");
        const size_t name_end = find(s, ">", name_at);
        if (name_end == SIZE_MAX)
            return false;
        const size_t next = find(s, "<function=", name_end);
        size_t end = find(s, "</function>", name_end);
        if (end == SIZE_MAX || end > next)
            end = GS_MIN(next, s.len);
        const struct gs_slice name = gs_slice_sub(s, name_at, name_end);
        const struct gs_slice body = gs_slice_sub(s, name_end + 1, end);
        const struct gs_slice first = gs_slice_trim(body);
        const bool is_json = first.len > 0 && first.ptr[0] == '{';
        if (is_json ? !add_text_call(r, name, body) : !read_parameters(r, types, name, body))
            return false;
        at = next;
    }
    return true;
}

static size_t function_len(struct gs_slice s)
{
    return len_to(s, "</function>");
}

static bool read_function_tag(struct gs_slice region, const struct gs_tool_types *types,
                              struct gs_arena *a, struct gs_tool_call **out_calls, size_t *out_n)
{
    struct reader r = {.a = a};

    return read_functions(region, types, &r) && hand_over(&r, out_calls, out_n);
}

/* ---- <tool_call>, with JSON or XML inside ---- */

static size_t tool_call_len(struct gs_slice s)
{
    if (gs_slice_starts(s, GS_SLICE_LIT("<function=")))
        return function_len(s);
    return len_to(s, "</tool_call>");
}

static bool read_tool_call(struct gs_slice region, const struct gs_tool_types *types,
                           struct gs_arena *a, struct gs_tool_call **out_calls, size_t *out_n)
{
    struct reader r = {.a = a};
    const struct gs_slice body = strip(region, "<tool_call>", "</tool_call>");
    const bool is_xml = gs_slice_starts(body, GS_SLICE_LIT("<function="));

    return (is_xml ? read_functions(body, types, &r) : add_described_text(&r, body)) &&
           hand_over(&r, out_calls, out_n);
}

/* ---- Llama 3: the message is the JSON ---- */

static size_t llama_len(struct gs_slice s)
{
    return json_end(s, 0);
}

static bool read_llama(struct gs_slice region, const struct gs_tool_types *types,
                       struct gs_arena *a, struct gs_tool_call **out_calls, size_t *out_n)
{
    struct reader r = {.a = a};

    (void)types;
    return add_described_text(&r, strip(region, "<|python_tag|>", "")) &&
           hand_over(&r, out_calls, out_n);
}

/* ---- Mistral: [TOOL_CALLS][{...}, ...] or [TOOL_CALLS]NAME[CALL_ID]ID[ARGS]{...} ---- */

#define MISTRAL_BEGIN "[TOOL_CALLS]"

static size_t mistral_len(struct gs_slice s)
{
    const struct gs_slice rest = gs_slice_sub(s, strlen(MISTRAL_BEGIN), s.len);
    const struct gs_slice trimmed = gs_slice_trim(rest);

    if (trimmed.len == 0)
        return 0;
    if (trimmed.ptr[0] == '[')
        return json_end(s, strlen(MISTRAL_BEGIN));
    const size_t args = find(s, "{", 0);
    return args == SIZE_MAX ? 0 : json_end(s, args);
}

static bool read_mistral(struct gs_slice region, const struct gs_tool_types *types,
                         struct gs_arena *a, struct gs_tool_call **out_calls, size_t *out_n)
{
    struct reader r = {.a = a};
    const struct gs_slice body = strip(region, MISTRAL_BEGIN, "");
    bool ok;

    (void)types;
    if (body.len > 0 && body.ptr[0] == '[') {
        ok = add_described_text(&r, body);
    } else {
        const size_t args = find(body, "{", 0);
        const size_t name_end = GS_MIN(find(body, "[", 0), args);
        ok = args != SIZE_MAX &&
             add_text_call(&r, gs_slice_sub(body, 0, name_end), gs_slice_sub(body, args, body.len));
    }
    return ok && hand_over(&r, out_calls, out_n);
}

/* ---- DeepSeek: begin [function] sep NAME ```json {...} ``` end, or begin NAME sep {...} end ----
 */

#define DEEPSEEK_CALLS_BEGIN "<｜tool▁calls▁begin｜>"
#define DEEPSEEK_CALLS_END   "<｜tool▁calls▁end｜>"
#define DEEPSEEK_CALL_BEGIN  "<｜tool▁call▁begin｜>"
#define DEEPSEEK_CALL_END    "<｜tool▁call▁end｜>"
#define DEEPSEEK_SEP         "<｜tool▁sep｜>"

static size_t deepseek_len(struct gs_slice s)
{
    return gs_slice_starts(s, GS_SLICE_LIT(DEEPSEEK_CALL_BEGIN)) ? len_to(s, DEEPSEEK_CALL_END)
                                                                 : len_to(s, DEEPSEEK_CALLS_END);
}

static bool read_deepseek_call(struct reader *r, struct gs_slice call)
{
    const size_t sep = find(call, DEEPSEEK_SEP, 0);

    if (sep == SIZE_MAX)
        return false;
    struct gs_slice name = gs_slice_trim(gs_slice_sub(call, 0, sep));
    struct gs_slice rest = gs_slice_sub(call, sep + strlen(DEEPSEEK_SEP), call.len);
    const size_t brace = find(rest, "{", 0);
    const size_t end = brace == SIZE_MAX ? 0 : json_end(rest, brace);
    if (gs_slice_eq_str(name, "function")) { /* the older form names the kind first */
        const size_t fence = GS_MIN(find(rest, "```", 0), find(rest, "\n", 0));
        name = gs_slice_trim(gs_slice_sub(rest, 0, GS_MIN(fence, brace)));
    }
    return end && add_text_call(r, name, gs_slice_sub(rest, brace, end));
}

static bool read_deepseek(struct gs_slice region, const struct gs_tool_types *types,
                          struct gs_arena *a, struct gs_tool_call **out_calls, size_t *out_n)
{
    struct reader r = {.a = a};

    (void)types;
    for (size_t at = find(region, DEEPSEEK_CALL_BEGIN, 0); at != SIZE_MAX;) {
        const size_t from = at + strlen(DEEPSEEK_CALL_BEGIN);
        const size_t next = find(region, DEEPSEEK_CALL_BEGIN, from);
        if (!read_deepseek_call(&r, gs_slice_sub(region, from, next)))
            return false;
        at = next;
    }
    return hand_over(&r, out_calls, out_n);
}

/* ---- the table ---- */

static const struct gs_tool_syntax syntaxes[] = {
    [GS_SYNTAX_HERMES] = {{"<tool_call>", NULL}, false, tool_call_len, read_tool_call},
    [GS_SYNTAX_QWEN_XML] = {{"<tool_call>", "<function="}, false, tool_call_len, read_tool_call},
    [GS_SYNTAX_FUNCTION_TAG] = {{"<function=", NULL}, false, function_len, read_function_tag},
    [GS_SYNTAX_LLAMA_JSON] = {{"<|python_tag|>", NULL}, true, llama_len, read_llama},
    [GS_SYNTAX_MISTRAL] = {{MISTRAL_BEGIN, NULL}, false, mistral_len, read_mistral},
    [GS_SYNTAX_DEEPSEEK] = {{DEEPSEEK_CALLS_BEGIN, DEEPSEEK_CALL_BEGIN},
                            false,
                            deepseek_len,
                            read_deepseek},
};

const struct gs_tool_syntax *gs_chat_tool_syntax(enum gs_chat_syntax syntax)
{
    return &syntaxes[syntax];
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
