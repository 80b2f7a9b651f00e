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

#define MARKS "{}[],:"

/* A word that is no key: a quoted string, a JSON scalar, or a string that lacks its quotes. */
static void write_value(struct gs_buf *b, struct gs_slice word)
{
    struct gs_arena a;
    struct gs_json v;

    gs_arena_init(&a, GS_MAX_TEXT_BYTES);
    if (gs_slice_starts(word, GS_SLICE_LIT(QUOTE)))
        gs_json_write_string(b, gs_chat_strip(word, QUOTE, QUOTE));
    else if (gs_json_parse(word, &a, &v, NULL) == GS_OK)
        gs_json_write(b, &v);
    else
        gs_json_write_string(b, word);
    gs_arena_clear(&a);
}

/* Text up to a quote. False when more is needed. */
static bool feed_string(struct gs_tool_stream *s, struct gs_slice region, struct gs_buf *b)
{
    const size_t end = gs_chat_find(region, QUOTE, s->at);
    size_t to = end;

    if (end == SIZE_MAX) {
        to = region.len - gs_utf8_incomplete_tail(gs_slice_sub(region, s->at, region.len));
        for (size_t n = GS_MIN(strlen(QUOTE) - 1, region.len - s->at); n > 0; n--)
            if (gs_slice_starts(GS_SLICE_LIT(QUOTE),
                                gs_slice_sub(region, region.len - n, region.len)))
                to = GS_MIN(to, region.len - n);
    }
    gs_chat_write_piece(b, gs_slice_sub(region, s->at, to));
    s->at = to;
    if (end == SIZE_MAX)
        return false;
    gs_buf_putc(b, '"');
    s->at += strlen(QUOTE);
    s->in_string = false;
    return true;
}

/* A key or a value without quotes, up to a mark; behind a key, a colon is none. False when more is
 * needed. */
static bool feed_word(struct gs_tool_stream *s, struct gs_slice region, struct gs_buf *b)
{
    const bool has_key = b->len > 0 && b->ptr[b->len - 1] == ':';
    const size_t n_marks = strlen(MARKS) - has_key; /* the colon is the last */
    size_t end = s->at;

    while (end < region.len && !memchr(MARKS, region.ptr[end], n_marks))
        end++;
    if (end == region.len)
        return false;
    const struct gs_slice word = gs_slice_trim(gs_slice_sub(region, s->at, end));
    if (region.ptr[end] == ':')
        gs_json_write_string(b, gs_chat_strip(word, QUOTE, QUOTE));
    else if (word.len > 0)
        write_value(b, word);
    s->at = end;
    return true;
}

/* The arguments as JSON; whether their brackets match is for the JSON reader to say. */
static void respell(struct gs_tool_stream *s, struct gs_slice region, struct gs_buf *b)
{
    while (!s->is_done && s->at < region.len) {
        const char c = region.ptr[s->at];
        const struct gs_slice rest = gs_slice_sub(region, s->at, region.len);
        if (s->in_string) {
            if (!feed_string(s, region, b))
                return;
        } else if (memchr(MARKS, c, strlen(MARKS))) {
            s->depth += c == '{' || c == '[';
            if (c == '}' || c == ']')
                s->is_done = --s->depth == 0;
            gs_buf_putc(b, c);
            s->at++;
        } else if (gs_slice_starts(rest, GS_SLICE_LIT(QUOTE))) {
            gs_buf_putc(b, '"');
            s->at += strlen(QUOTE);
            s->in_string = true;
        } else if (gs_slice_starts(GS_SLICE_LIT(QUOTE), rest) || !feed_word(s, region, b)) {
            return;
        }
    }
}

/* <|tool_call> call:NAME{: the name in what stands before `brace`. */
static struct gs_slice name_before(struct gs_slice region, size_t brace)
{
    return gs_chat_strip(gs_chat_strip(gs_slice_sub(region, 0, brace), BEGIN, ""), "call:", "");
}

static bool open_call(struct gs_slice region, struct gs_tool_stream *s)
{
    const size_t brace = gs_chat_find(region, "{", 0);

    return s->at == 0 && brace != SIZE_MAX &&
           gs_chat_open(s, region, name_before(region, brace), brace, respell);
}

/* A closing mark between quotes is not the end. */
static size_t region_len(struct gs_slice s)
{
    size_t end = gs_chat_find(s, END, 0);
    size_t quote = gs_chat_find(s, QUOTE, 0);

    while (end != SIZE_MAX && quote < end) {
        const size_t closing = gs_chat_find(s, QUOTE, quote + strlen(QUOTE));
        if (closing == SIZE_MAX)
            return 0;
        if (end < closing)
            end = gs_chat_find(s, END, closing);
        quote = gs_chat_find(s, QUOTE, closing + strlen(QUOTE));
    }
    return end == SIZE_MAX ? 0 : end + strlen(END);
}

static bool read_call(struct gs_slice region, struct gs_tool_region *r)
{
    const size_t brace = gs_chat_find(region, "{", 0);
    struct gs_tool_stream s = {.at = brace};
    struct gs_buf b;

    if (brace == SIZE_MAX)
        return false;
    gs_buf_init(&b, GS_MAX_TEXT_BYTES);
    respell(&s, region, &b);
    const bool ok =
        gs_buf_ok(&b) && gs_chat_add_text(r, name_before(region, brace), gs_buf_view(&b));
    gs_buf_clear(&b);
    return ok;
}

static const char *const controls[] = {"<|channel>", "<channel|>", QUOTE, NULL};

static const struct gs_tool_notation notation = {.quote = QUOTE};

const struct gs_tool_syntax gs_chat_syntax_gemma = {.triggers = {BEGIN},
                                                    .spellings = {{BEGIN "call:", "", END}},
                                                    .notation = &notation,
                                                    .region_len = region_len,
                                                    .open = open_call,
                                                    .read = read_call,
                                                    .controls = controls};
