/* Calls that are still being written: where one has opened, and its arguments as they grow.
 *
 * Arguments that are JSON go on as the model writes them, without the white space around their
 * tokens. Whether they are JSON is not asked: a call that has begun is a call, and what cannot be
 * read in it is for its receiver to say. */
#include <string.h>

#include "base/slice.h"
#include "chat/tool_region.h"

#define SPACE   " \t\r\n"
#define ESCAPES "\"\\/bfnrtu" /* may follow a backslash */

size_t gs_chat_skip(struct gs_slice s, size_t at, const char *chars)
{
    while (at < s.len && s.ptr[at] != '\0' && strchr(chars, s.ptr[at]))
        at++;
    return at;
}

void gs_chat_write_piece(struct gs_buf *b, struct gs_slice text)
{
    const size_t at = b->len;

    gs_json_write_string(b, text);
    if (!gs_buf_ok(b))
        return;
    memmove(b->ptr + at, b->ptr + at + 1, b->len - at - 1);
    b->len -= 2;
}

/* ---- JSON ---- */

/* A byte within a string. Models forget to escape line breaks, and escape what needs it not: there
 * the backslash stands for itself. */
static void feed_string(struct gs_tool_stream *s, char c, struct gs_buf *b)
{
    if (s->is_escaped && !memchr(ESCAPES, c, strlen(ESCAPES))) {
        gs_buf_putc(b, '\\');
        s->is_escaped = false;
    }
    if ((unsigned char)c < 0x20) {
        gs_chat_write_piece(b, gs_slice(&c, 1));
        return;
    }
    gs_buf_putc(b, c);
    s->in_string = s->is_escaped || c != '"';
    s->is_escaped = !s->is_escaped && c == '\\';
}

void gs_chat_feed_json(struct gs_tool_stream *s, struct gs_slice region, struct gs_buf *b)
{
    for (; s->at < region.len && !s->is_done; s->at++) {
        const char c = region.ptr[s->at];
        if (s->in_string) {
            feed_string(s, c, b);
            continue;
        }
        s->in_string = c == '"';
        if (c == '{' || c == '[')
            s->depth++;
        else if (c == '}' || c == ']')
            s->is_done = --s->depth == 0;
        if (c == '\0' || !strchr(SPACE, c))
            gs_buf_putc(b, c);
    }
}

/* ---- openings ---- */

bool gs_chat_open(struct gs_tool_stream *s, struct gs_slice region, struct gs_slice name,
                  size_t args_at,
                  void (*feed)(struct gs_tool_stream *, struct gs_slice, struct gs_buf *))
{
    name = gs_slice_trim(name);
    if (name.len == 0)
        return false;
    *s = (struct gs_tool_stream){.feed = feed,
                                 .types = s->types,
                                 .name_at = (size_t)(name.ptr - region.ptr),
                                 .name_len = name.len,
                                 .at = args_at};
    return true;
}

bool gs_chat_open_json(struct gs_tool_stream *s, struct gs_slice region, struct gs_slice name,
                       size_t args_at)
{
    return gs_chat_open(s, region, name, args_at, gs_chat_feed_json);
}

/* Take `c` after white space. */
static bool take(struct gs_slice s, size_t *at, char c)
{
    *at = gs_chat_skip(s, *at, SPACE);
    if (*at >= s.len || s.ptr[*at] != c)
        return false;
    (*at)++;
    return true;
}

/* A string literal without escapes. */
static bool take_string(struct gs_slice s, size_t *at, struct gs_slice *out)
{
    if (!take(s, at, '"'))
        return false;
    const size_t from = *at;
    while (*at < s.len && s.ptr[*at] != '"' && s.ptr[*at] != '\\')
        (*at)++;
    *out = gs_slice_sub(s, from, *at);
    return take(s, at, '"');
}

bool gs_chat_open_described(struct gs_tool_stream *s, struct gs_slice region, size_t from)
{
    size_t at = gs_chat_skip(region, from, SPACE "[},");
    struct gs_slice name = {"", 0};
    struct gs_slice key;
    struct gs_slice value;

    if (!take(region, &at, '{'))
        return false;
    while (take_string(region, &at, &key) && take(region, &at, ':')) {
        const bool is_args =
            gs_slice_eq_str(key, "arguments") || gs_slice_eq_str(key, "parameters");
        if ((is_args || gs_slice_eq_str(key, "function")) && take(region, &at, '{')) {
            if (is_args)
                return gs_chat_open_json(s, region, name, at - 1);
            continue;
        }
        if (!take_string(region, &at, &value) || !take(region, &at, ','))
            return false;
        if (gs_slice_eq_str(key, "name"))
            name = value;
    }
    return false;
}
