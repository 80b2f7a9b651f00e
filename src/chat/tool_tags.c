/* Tool calls between tags: JSON in <tool_call> (Hermes, Qwen), Qwen's XML
 *
 *     <tool_call><function=NAME><parameter=KEY>VALUE</parameter></function></tool_call>
 *
 * and GLM's
 *
 *     <tool_call>NAME<arg_key>KEY</arg_key><arg_value>VALUE</arg_value></tool_call>
 *
 * whose values are bare text: their types the tool's schema tells. */
#include "chat/tool_region.h"

#include <string.h>

#include "base/limits.h"
#include "base/slice.h"

/* The tags around a key and its value. */
struct pair_tags {
    const char *key_begin, *key_end;
    const char *value_begin; /* "" = directly after the key's end */
    const char *value_end;
};

static const struct pair_tags qwen_pairs = {"<parameter=", ">", "", "</parameter>"};
static const struct pair_tags glm_pairs = {"<arg_key>", "</arg_key>", "<arg_value>",
                                           "</arg_value>"};

static size_t count(struct gs_slice s, const char *text)
{
    size_t n = 0;

    for (size_t at = gs_chat_find(s, text, 0); at != SIZE_MAX; at = gs_chat_find(s, text, at + 1))
        n++;
    return n;
}

/* Templates put a line break after the opening and before the closing tag. */
static struct gs_slice unwrap_lines(struct gs_slice s)
{
    if (s.len > 0 && s.ptr[0] == '\n')
        s = gs_slice_sub(s, 1, s.len);
    if (s.len > 0 && s.ptr[s.len - 1] == '\n')
        s.len--;
    return s;
}

/* The pair whose key tag is at `at`; *out_next: the next pair, or SIZE_MAX. A forgotten closing tag
 * of a value ends at the next pair. */
static bool read_pair(struct gs_tool_region *r, const struct pair_tags *t, struct gs_slice tool,
                      struct gs_slice body, size_t at, struct gs_json_member *out, size_t *out_next)
{
    const size_t key_at = at + strlen(t->key_begin);
    const size_t key_end = gs_chat_find(body, t->key_end, key_at);

    if (key_end == SIZE_MAX)
        return false;
    const size_t value_tag = gs_chat_find(body, t->value_begin, key_end + strlen(t->key_end));
    const size_t next = gs_chat_find(body, t->key_begin, key_end);
    if (value_tag >= next)
        return false;
    const size_t value_at = value_tag + strlen(t->value_begin);
    size_t end = gs_chat_find(body, t->value_end, value_at);
    if (end == SIZE_MAX || end > next)
        end = GS_MIN(next, body.len);
    out->key = gs_slice_trim(gs_slice_sub(body, key_at, key_end));
    out->value =
        gs_chat_typed_value(r, tool, out->key, unwrap_lines(gs_slice_sub(body, value_at, end)));
    *out_next = next;
    return true;
}

/* A call whose arguments are the pairs in `body`. */
static bool read_pairs(struct gs_tool_region *r, const struct pair_tags *t, struct gs_slice name,
                       struct gs_slice body)
{
    const size_t n = count(body, t->key_begin);
    struct gs_json_member *members = gs_arena_array(r->a, n, sizeof(*members));
    struct gs_json args = {.kind = GS_JSON_OBJECT, .u.object.members = members};
    size_t at = gs_chat_find(body, t->key_begin, 0);

    name = gs_slice_trim(name);
    if (!members)
        return false;
    while (at != SIZE_MAX && args.u.object.len < n)
        if (!read_pair(r, t, name, body, at, &members[args.u.object.len++], &at))
            return false;
    return gs_chat_add_json(r, name, &args);
}

/* ---- <function=NAME> with JSON or pairs inside ---- */

static bool read_functions(struct gs_slice s, struct gs_tool_region *r)
{
    size_t at = gs_chat_find(s, "<function=", 0);

    while (at != SIZE_MAX) {
        const size_t name_at = at + strlen("<function=");
        const size_t name_end = gs_chat_find(s, ">", name_at);
        if (name_end == SIZE_MAX)
            return false;
        const size_t next = gs_chat_find(s, "<function=", name_end);
        size_t end = gs_chat_find(s, "</function>", name_end);
        if (end == SIZE_MAX || end > next)
            end = GS_MIN(next, s.len);
        const struct gs_slice name = gs_slice_sub(s, name_at, name_end);
        const struct gs_slice body = gs_slice_sub(s, name_end + 1, end);
        const bool is_json = gs_slice_starts(gs_slice_trim(body), GS_SLICE_LIT("{"));
        if (is_json ? !gs_chat_add_text(r, name, body) : !read_pairs(r, &qwen_pairs, name, body))
            return false;
        at = next;
    }
    return r->n_calls > 0;
}

static size_t function_len(struct gs_slice s)
{
    return gs_chat_len_to(s, "</function>");
}

/* ---- <tool_call> ---- */

#define BEGIN "<tool_call>"
#define END   "</tool_call>"

/* Whether JSON text stops within a string. */
static bool stops_in_string(struct gs_slice s)
{
    bool inside = false;

    for (size_t i = 0; i < s.len; i++) {
        if (inside && s.ptr[i] == '\\')
            i++;
        else if (s.ptr[i] == '"')
            inside = !inside;
    }
    return inside;
}

/* A closing tag within a JSON string is not the end. */
static size_t tool_call_len(struct gs_slice s)
{
    const struct gs_slice body = gs_slice_trim(gs_slice_sub(s, strlen(BEGIN), s.len));

    if (gs_slice_starts(s, GS_SLICE_LIT("<function=")))
        return function_len(s);
    if (!gs_slice_starts(body, GS_SLICE_LIT("{")))
        return gs_chat_len_to(s, END);
    size_t end = gs_chat_find(s, END, 0);
    while (end != SIZE_MAX && stops_in_string(gs_slice_sub(s, 0, end)))
        end = gs_chat_find(s, END, end + 1);
    return end == SIZE_MAX ? 0 : end + strlen(END);
}

static bool read_tool_call(struct gs_slice s, struct gs_tool_region *r)
{
    const struct gs_slice body = gs_chat_strip(s, BEGIN, END);

    return gs_slice_starts(body, GS_SLICE_LIT("<function=")) ? read_functions(body, r)
                                                             : gs_chat_add_described(r, body);
}

static size_t glm_len(struct gs_slice s)
{
    return gs_chat_len_to(s, END);
}

static bool read_glm(struct gs_slice s, struct gs_tool_region *r)
{
    const struct gs_slice body = gs_chat_strip(s, BEGIN, END);
    const size_t name_end = GS_MIN(gs_chat_find(body, "<arg_key>", 0), body.len);

    if (gs_slice_starts(body, GS_SLICE_LIT("{")))
        return gs_chat_add_described(r, body);
    return read_pairs(r, &glm_pairs, gs_slice_sub(body, 0, name_end), body);
}

const struct gs_tool_syntax gs_chat_syntax_tool_call = {
    .triggers = {BEGIN},
    .spellings = {{BEGIN "\n{\"name\": \"", "\", \"arguments\": ", "}\n" END}},
    .region_len = tool_call_len,
    .read = read_tool_call};
const struct gs_tool_syntax gs_chat_syntax_qwen_xml = {
    .triggers = {BEGIN, "<function="}, .region_len = tool_call_len, .read = read_tool_call};
const struct gs_tool_syntax gs_chat_syntax_function_tag = {
    .triggers = {"<function="},
    .spellings = {{"<function=", ">", "</function>"}},
    .region_len = function_len,
    .read = read_functions};
const struct gs_tool_syntax gs_chat_syntax_glm = {
    .triggers = {BEGIN}, .region_len = glm_len, .read = read_glm};
