/* Gemma 4's tool calls: <|tool_call>call:NAME{key:VALUE,...}<tool_call|>. Values are written as in
 * JSON, but strings stand between <|"|> marks and keys without any. They are respelled as JSON. */
#include "chat/tool_region.h"

#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/slice.h"

#define BEGIN "<|tool_call>"
#define END   "<tool_call|>"
#define QUOTE "<|\"|>"

/* End of the word at `at`: what is between quotes, or runs up to a bracket, comma or colon. */
static size_t word_end(struct gs_slice s, size_t at)
{
    const size_t n = strlen(QUOTE);

    if (gs_slice_starts(gs_slice_sub(s, at, s.len), GS_SLICE_LIT(QUOTE))) {
        const size_t end = gs_chat_find(s, QUOTE, at + n);
        return end == SIZE_MAX ? s.len : end + n;
    }
    while (at < s.len && !memchr("{}[],:", s.ptr[at], 6))
        at++;
    return at;
}

/* A word that is no key: a quoted string, a JSON scalar, or a string that lacks its quotes. */
static void write_value(struct gs_buf *b, struct gs_slice word, struct gs_arena *a)
{
    struct gs_json v;

    if (gs_slice_starts(word, GS_SLICE_LIT(QUOTE)))
        gs_json_write_string(b, gs_slice_sub(word, strlen(QUOTE), word.len - strlen(QUOTE)));
    else if (gs_json_parse(word, a, &v, NULL) == GS_OK)
        gs_json_write(b, &v);
    else
        gs_json_write_string(b, word);
}

static void write_key(struct gs_buf *b, struct gs_slice word)
{
    gs_json_write_string(b, gs_chat_strip(word, QUOTE, QUOTE));
}

/* The arguments as JSON; whether their brackets match is for the JSON reader to say. */
static void respell(struct gs_buf *b, struct gs_slice s, struct gs_arena *a)
{
    for (size_t at = 0; at < s.len;) {
        if (memchr("{}[],:", s.ptr[at], 6)) {
            gs_buf_putc(b, s.ptr[at++]);
            continue;
        }
        const size_t end = word_end(s, at);
        const struct gs_slice word = gs_slice_trim(gs_slice_sub(s, at, end));
        const bool is_key = end < s.len && s.ptr[end] == ':';
        if (is_key)
            write_key(b, word);
        else if (word.len > 0)
            write_value(b, word, a);
        at = end;
    }
}

static size_t region_len(struct gs_slice s)
{
    return gs_chat_len_to(s, END);
}

static bool read_call(struct gs_slice s, struct gs_tool_region *r)
{
    const struct gs_slice body = gs_chat_strip(gs_chat_strip(s, BEGIN, END), "call:", "");
    const size_t brace = gs_chat_find(body, "{", 0);
    struct gs_buf b;

    if (brace == SIZE_MAX)
        return false;
    gs_buf_init(&b, GS_MAX_TEXT_BYTES);
    respell(&b, gs_slice_sub(body, brace, body.len), r->a);
    const bool ok =
        gs_buf_ok(&b) && gs_chat_add_text(r, gs_slice_sub(body, 0, brace), gs_buf_view(&b));
    gs_buf_clear(&b);
    return ok;
}

static const char *const controls[] = {"<|channel>", "<channel|>", QUOTE, NULL};

const struct gs_tool_syntax gs_chat_syntax_gemma = {
    .triggers = {BEGIN}, .region_len = region_len, .read = read_call, .controls = controls};
