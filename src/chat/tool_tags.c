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

static const struct gs_tool_notation qwen_pairs = {"<parameter=", ">", "", "</parameter>", NULL};
static const struct gs_tool_notation glm_pairs = {"<arg_key>", "</arg_key>", "<arg_value>",
                                                  "</arg_value>", NULL};

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
static bool read_pair(struct gs_tool_region *r, const struct gs_tool_notation *t,
                      struct gs_slice tool, struct gs_slice body, size_t at,
                      struct gs_json_member *out, size_t *out_next)
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
    out->value = gs_chat_typed_value(r->types, tool, out->key,
                                     unwrap_lines(gs_slice_sub(body, value_at, end)), r->a);
    *out_next = next;
    return true;
}

/* A call whose arguments are the pairs in `body`. */
static bool read_pairs(struct gs_tool_region *r, const struct gs_tool_notation *t,
                       struct gs_slice name, struct gs_slice body)
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

/* ---- pairs that are still being written ---- */

/* The first of `marks` at or after `at`, or SIZE_MAX. */
static size_t find_any(struct gs_slice s, const char *const *marks, size_t at)
{
    size_t first = SIZE_MAX;

    for (; *marks; marks++)
        first = GS_MIN(first, gs_chat_find(s, *marks, at));
    return first;
}

/* Where the tail of s[at, ) begins that may still grow into one of `marks`, or may be white space
 * in front of it. */
static size_t settled_end(struct gs_slice s, size_t at, const char *const *marks)
{
    size_t end = s.len - gs_utf8_incomplete_tail(gs_slice_sub(s, at, s.len));

    for (; *marks; marks++) {
        const struct gs_slice mark = gs_slice_str(*marks);
        for (size_t n = GS_MIN(mark.len - 1, s.len - at); n > 0 && s.len - n < end; n--)
            if (gs_slice_starts(mark, gs_slice_sub(s, s.len - n, s.len)))
                end = s.len - n;
    }
    return end > at && s.ptr[end - 1] == '\n' ? end - 1 : end;
}

static void put_value(struct gs_tool_stream *s, struct gs_slice region, struct gs_slice text,
                      struct gs_buf *b)
{
    const struct gs_slice tool = gs_slice_sub(region, s->name_at, s->name_at + s->name_len);
    const struct gs_slice key = gs_slice_sub(region, s->key_at, s->key_at + s->key_len);
    struct gs_arena a;

    gs_arena_init(&a, GS_MAX_TEXT_BYTES);
    const struct gs_json v =
        gs_chat_typed_value(s->types, tool, gs_slice_trim(key), unwrap_lines(text), &a);
    gs_json_write(b, &v);
    gs_arena_clear(&a);
}

/* A value up to one of `ends`. Text is written as it comes, all else when it is complete. False
 * when more is needed. */
static bool feed_value(struct gs_tool_stream *s, const struct gs_tool_notation *t,
                       struct gs_slice region, const char *const *ends, struct gs_buf *b)
{
    const size_t end = find_any(region, ends, s->at);

    if (!s->in_string) {
        if (end == SIZE_MAX)
            return false;
        put_value(s, region, gs_slice_sub(region, s->at, end), b);
        s->at = end;
    } else {
        if (!s->has_begun && s->at < region.len) {
            s->has_begun = true;
            s->at += region.ptr[s->at] == '\n';
        }
        size_t to = end == SIZE_MAX ? settled_end(region, s->at, ends) : end;
        if (end != SIZE_MAX && to > s->at && region.ptr[to - 1] == '\n')
            to--;
        gs_chat_write_piece(b, gs_slice_sub(region, s->at, to));
        s->at = end == SIZE_MAX ? to : end;
        if (end == SIZE_MAX)
            return false;
        gs_buf_putc(b, '"');
    }
    if (gs_slice_starts(gs_slice_sub(region, s->at, region.len), gs_slice_str(t->value_end)))
        s->at += strlen(t->value_end);
    s->in_value = s->has_begun = s->in_string = false;
    return true;
}

/* The first pair at or after `at` in a call that goes on until one of `call_ends`. False while it
 * is not certain where its value begins. */
static bool find_pair(const struct gs_tool_notation *t, struct gs_slice s,
                      const char *const *call_ends, size_t at, struct gs_slice *out_key,
                      size_t *out_value_at)
{
    const size_t tag = gs_chat_find(s, t->key_begin, at);
    const size_t key_at = tag == SIZE_MAX ? tag : tag + strlen(t->key_begin);
    const size_t key_end = tag == SIZE_MAX ? tag : gs_chat_find(s, t->key_end, key_at);

    if (key_end == SIZE_MAX)
        return false;
    const size_t value = gs_chat_find(s, t->value_begin, key_end + strlen(t->key_end));
    if (value == SIZE_MAX || gs_chat_find(s, t->key_begin, key_end) < value ||
        find_any(s, call_ends, at) < value)
        return false;
    *out_key = gs_slice_sub(s, key_at, key_end);
    *out_value_at = value + strlen(t->value_begin);
    return true;
}

/* From behind a value to the beginning of the next, or to the end of the call. False when more is
 * needed. */
static bool feed_key(struct gs_tool_stream *s, const struct gs_tool_notation *t,
                     struct gs_slice region, const char *const *call_ends, struct gs_buf *b)
{
    struct gs_slice key;

    if (find_any(region, call_ends, s->at) < gs_chat_find(region, t->key_begin, s->at)) {
        gs_buf_puts(b, s->n_pairs ? "}" : "{}");
        s->is_done = true;
        return false;
    }
    if (!find_pair(t, region, call_ends, s->at, &key, &s->at))
        return false;
    s->key_at = (size_t)(key.ptr - region.ptr);
    s->key_len = key.len;
    s->in_value = true;
    key = gs_slice_trim(key);
    gs_buf_putc(b, s->n_pairs++ ? ',' : '{');
    gs_json_write_string(b, key);
    gs_buf_putc(b, ':');
    s->in_string =
        gs_chat_is_text(s->types, gs_slice_sub(region, s->name_at, s->name_at + s->name_len), key);
    if (s->in_string)
        gs_buf_putc(b, '"');
    return true;
}

/* ends[0] and [1] end a value, and all but these a call, too. */
static void feed_pairs(struct gs_tool_stream *s, const struct gs_tool_notation *t,
                       struct gs_slice region, const char *const *ends, struct gs_buf *b)
{
    while (!s->is_done)
        if (!(s->in_value ? feed_value(s, t, region, ends, b)
                          : feed_key(s, t, region, ends + 2, b)))
            return;
}

/* ---- <function=NAME> with JSON or pairs inside ---- */

/* What ends a value, then also a call, without and with an outer tag. */
static const char *const function_ends[] = {"</parameter>", "<parameter=", "</function>",
                                            "<function=", NULL};
static const char *const wrapped_ends[] = {"</parameter>", "<parameter=",  "</function>",
                                           "<function=",   "</tool_call>", NULL};

static void feed_parameters(struct gs_tool_stream *s, struct gs_slice region, struct gs_buf *b)
{
    feed_pairs(s, &qwen_pairs, region, s->is_wrapped ? wrapped_ends : function_ends, b);
}

static bool open_wrapped(struct gs_slice region, struct gs_tool_stream *s, bool is_wrapped)
{
    const char *const *ends = is_wrapped ? wrapped_ends : function_ends;
    const size_t at = gs_chat_find(region, "<function=", s->at);
    const size_t end = at == SIZE_MAX ? at : gs_chat_find(region, ">", at);
    size_t value_at;
    struct gs_slice key;

    if (end == SIZE_MAX)
        return false;
    const struct gs_slice name = gs_slice_sub(region, at + strlen("<function="), end);
    const size_t body = gs_chat_skip(region, end + 1, " \t\r\n");
    const struct gs_slice rest = gs_slice_sub(region, body, region.len);
    if (gs_slice_starts(rest, GS_SLICE_LIT("{")))
        return gs_chat_open_json(s, region, name, body);
    if (!gs_slice_starts(rest, GS_SLICE_LIT("</function>")) &&
        (!gs_slice_starts(rest, GS_SLICE_LIT("<parameter=")) ||
         !find_pair(&qwen_pairs, region, ends + 2, body, &key, &value_at)))
        return false;
    if (!gs_chat_open(s, region, name, body, feed_parameters))
        return false;
    s->is_wrapped = is_wrapped;
    return true;
}

static bool open_function(struct gs_slice region, struct gs_tool_stream *s)
{
    return open_wrapped(region, s, false);
}

static bool read_functions(struct gs_slice s, struct gs_tool_region *r)
{
    size_t at = gs_chat_find(s, "<function=", 0);

    while (at != SIZE_MAX) {
        const size_t name_at = at + strlen("<function=");
        const size_t name_end = gs_chat_find(s, ">", name_at);
        if (name_end == SIZE_MAX)
            return false;
        const size_t body_at = gs_chat_skip(s, name_end + 1, " \t\r\n");
        const bool is_json = body_at < s.len && s.ptr[body_at] == '{';
        const size_t from = GS_MAX(name_end, is_json ? gs_chat_json_end(s, body_at) : 0);
        const size_t next = gs_chat_find(s, "<function=", from);
        size_t end = gs_chat_find(s, "</function>", from);
        if (end == SIZE_MAX || end > next)
            end = GS_MIN(next, s.len);
        const struct gs_slice name = gs_slice_sub(s, name_at, name_end);
        const struct gs_slice body = gs_slice_sub(s, name_end + 1, end);
        if (is_json ? !gs_chat_add_text(r, name, body) : !read_pairs(r, &qwen_pairs, name, body))
            return false;
        at = next;
    }
    return r->n_calls > 0;
}

/* Length of s up to and with the first `end` behind a function, of whose JSON no string is it. */
static size_t len_to_end(struct gs_slice s, const char *end)
{
    const size_t name_end = gs_chat_find(s, ">", GS_MIN(gs_chat_find(s, "<function=", 0), s.len));
    const size_t body = gs_chat_skip(s, GS_MIN(name_end, s.len - 1) + 1, " \t\r\n");

    return body < s.len && s.ptr[body] == '{' ? gs_chat_len_past_json(s, body, end)
                                              : gs_chat_len_to(s, end);
}

static size_t function_len(struct gs_slice s)
{
    return len_to_end(s, "</function>");
}

/* ---- <tool_call> ---- */

#define BEGIN "<tool_call>"
#define END   "</tool_call>"

/* A closing tag within a JSON string is not the end. */
static size_t tool_call_len(struct gs_slice s)
{
    const struct gs_slice body = gs_slice_trim(gs_slice_sub(s, strlen(BEGIN), s.len));

    if (gs_slice_starts(s, GS_SLICE_LIT("<function=")))
        return function_len(s);
    return gs_slice_starts(body, GS_SLICE_LIT("{")) ? gs_chat_len_past_json(s, 0, END)
                                                    : len_to_end(s, END);
}

/* A region without its closing tag. White space at its end may be a value's. */
static struct gs_slice without_end(struct gs_slice s)
{
    return gs_slice_sub(s, 0, s.len - (gs_slice_ends(s, GS_SLICE_LIT(END)) ? strlen(END) : 0));
}

static bool read_tool_call(struct gs_slice s, struct gs_tool_region *r)
{
    const struct gs_slice body = gs_chat_strip(s, BEGIN, END);

    return gs_slice_starts(body, GS_SLICE_LIT("<function=")) ? read_functions(without_end(s), r)
                                                             : gs_chat_add_described(r, body);
}

static bool open_tool_call(struct gs_slice region, struct gs_tool_stream *s)
{
    const bool is_wrapped = gs_slice_starts(region, GS_SLICE_LIT(BEGIN));
    const size_t body = gs_chat_skip(region, is_wrapped ? strlen(BEGIN) : 0, " \t\r\n");

    if (body < region.len && region.ptr[body] != '<')
        return gs_chat_open_described(s, region, GS_MAX(s->at, body));
    return open_wrapped(region, s, is_wrapped);
}

static size_t glm_len(struct gs_slice s)
{
    const size_t body = gs_chat_skip(s, strlen(BEGIN), " \t\r\n");

    return body < s.len && s.ptr[body] == '{' ? gs_chat_len_past_json(s, body, END)
                                              : gs_chat_len_to(s, END);
}

static bool read_glm(struct gs_slice s, struct gs_tool_region *r)
{
    const struct gs_slice stripped = gs_chat_strip(s, BEGIN, END);
    const struct gs_slice body = gs_slice_sub(without_end(s), strlen(BEGIN), s.len);
    const size_t name_end = GS_MIN(gs_chat_find(body, "<arg_key>", 0), body.len);

    if (gs_slice_starts(stripped, GS_SLICE_LIT("{")))
        return gs_chat_add_described(r, stripped);
    return read_pairs(r, &glm_pairs, gs_slice_sub(body, 0, name_end), body);
}

static const char *const glm_ends[] = {"</arg_value>", "<arg_key>", END, NULL};

static void feed_args(struct gs_tool_stream *s, struct gs_slice region, struct gs_buf *b)
{
    feed_pairs(s, &glm_pairs, region, glm_ends, b);
}

static bool open_glm(struct gs_slice region, struct gs_tool_stream *s)
{
    const size_t from = GS_MAX(s->at, strlen(BEGIN));
    const size_t body = gs_chat_skip(region, strlen(BEGIN), " \t\r\n");
    size_t value_at;
    struct gs_slice key;

    if (body < region.len && region.ptr[body] == '{')
        return gs_chat_open_described(s, region, from);
    if (s->at > 0 || !find_pair(&glm_pairs, region, glm_ends + 2, from, &key, &value_at))
        return false;
    const size_t args_at = gs_chat_find(region, glm_pairs.key_begin, from);
    return gs_chat_open(s, region, gs_slice_sub(region, from, args_at), args_at, feed_args);
}

const struct gs_tool_syntax gs_chat_syntax_tool_call = {
    .triggers = {BEGIN},
    .spellings = {{BEGIN "\n{\"name\": \"", "\", \"arguments\": ", "}\n" END}},
    .region_len = tool_call_len,
    .open = open_tool_call,
    .read = read_tool_call};
const struct gs_tool_syntax gs_chat_syntax_qwen_xml = {
    .triggers = {BEGIN, "<function="},
    .spellings = {{BEGIN "\n<function=", ">\n", "</function>\n" END},
                  {"<function=", ">\n", "</function>"}},
    .notation = &qwen_pairs,
    .region_len = tool_call_len,
    .open = open_tool_call,
    .read = read_tool_call};
const struct gs_tool_syntax gs_chat_syntax_function_tag = {
    .triggers = {"<function="},
    .spellings = {{"<function=", ">", "</function>"}},
    .region_len = function_len,
    .open = open_function,
    .read = read_functions};
const struct gs_tool_syntax gs_chat_syntax_glm = {.triggers = {BEGIN},
                                                  .spellings = {{BEGIN, "", END}},
                                                  .notation = &glm_pairs,
                                                  .region_len = glm_len,
                                                  .open = open_glm,
                                                  .read = read_glm};
