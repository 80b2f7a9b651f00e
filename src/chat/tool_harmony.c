/* Harmony, the format of gpt-oss (OpenAI, "harmony response format"): an answer is several
 * messages, each with a header that names its channel and maybe a recipient.
 *
 *     <|channel|>analysis<|message|>REASONING<|end|>
 *     <|start|>assistant<|channel|>commentary to=functions.NAME <|constrain|>json<|message|>{...}
 *     <|start|>assistant<|channel|>final<|message|>TEXT
 *
 * A header is a region that says what follows; with a recipient the message belongs to the region
 * and is a call. The recipient may stand before the channel. The answer starts inside a header, of
 * which the prompt holds "<|start|>assistant". */
#include "chat/tool_region.h"

#include <string.h>

#include "base/limits.h"
#include "base/slice.h"

#define START     "<|start|>"
#define CHANNEL   "<|channel|>"
#define MESSAGE   "<|message|>"
#define RECIPIENT "to="
#define FUNCTIONS "functions."

static const char *const ends[] = {"<|end|>", "<|call|>", "<|return|>"};

/* Length of the mark at the start of s that ends a message; 0 if there is none. */
static size_t end_mark_len(struct gs_slice s)
{
    for (size_t i = 0; i < GS_COUNT_OF(ends); i++)
        if (gs_slice_starts(s, gs_slice_str(ends[i])))
            return strlen(ends[i]);
    return 0;
}

/* Offset of `mark` in the message that begins at `from`, or SIZE_MAX; in JSON not one in a string.
 */
static size_t find_mark(struct gs_slice s, size_t from, const char *mark)
{
    const size_t body = gs_chat_skip(s, from, " \t\r\n");

    if (body == s.len || s.ptr[body] != '{')
        return gs_chat_find(s, mark, from);
    const size_t len = gs_chat_len_past_json(s, body, mark);
    return len ? len - strlen(mark) : SIZE_MAX;
}

/* Where the message that begins at `from` is over; SIZE_MAX if it goes on. */
static size_t message_end(struct gs_slice s, size_t from)
{
    size_t end = find_mark(s, from, START);

    for (size_t i = 0; i < GS_COUNT_OF(ends); i++)
        end = GS_MIN(end, find_mark(s, from, ends[i]));
    return end;
}

static size_t region_len(struct gs_slice s)
{
    const size_t mark = end_mark_len(s);
    const size_t at = gs_chat_find(s, MESSAGE, 0);

    if (mark || at == SIZE_MAX)
        return mark;
    const size_t body = at + strlen(MESSAGE);
    if (gs_chat_find(gs_slice_sub(s, 0, at), RECIPIENT, 0) == SIZE_MAX)
        return body;
    const size_t end = message_end(s, body);
    return end == SIZE_MAX ? 0 : end + end_mark_len(gs_slice_sub(s, end, s.len));
}

/* The recipient of a header, without the namespace of tools; empty if there is none. */
static struct gs_slice recipient(struct gs_slice header)
{
    const size_t at = gs_chat_find(header, RECIPIENT, 0);

    if (at == SIZE_MAX)
        return (struct gs_slice){"", 0};
    struct gs_slice name = gs_slice_sub(header, at + strlen(RECIPIENT), header.len);
    name = gs_slice_sub(name, 0, GS_MIN(gs_chat_find(name, " ", 0), gs_chat_find(name, "<|", 0)));
    return gs_chat_strip(name, FUNCTIONS, "");
}

static bool read_region(struct gs_slice s, struct gs_tool_region *r)
{
    const size_t at = gs_chat_find(s, MESSAGE, 0);
    const struct gs_slice header = gs_slice_sub(s, 0, at);
    const struct gs_slice name = recipient(header);

    if (at == SIZE_MAX) /* the end of a message, or a header cut off */
        return true;
    if (name.len == 0) {
        r->opens_reasoning = gs_chat_find(header, CHANNEL "analysis", 0) != SIZE_MAX;
        return true;
    }
    const size_t body = at + strlen(MESSAGE);
    return gs_chat_add_text(r, name, gs_slice_sub(s, body, message_end(s, body)));
}

static bool open_message(struct gs_slice region, struct gs_tool_stream *s)
{
    const size_t at = gs_chat_find(region, MESSAGE, 0);

    if (s->at > 0 || at == SIZE_MAX)
        return false;
    const size_t body = gs_chat_skip(region, at + strlen(MESSAGE), " \t\r\n");
    return body < region.len && region.ptr[body] == '{' &&
           gs_chat_open_json(s, region, recipient(gs_slice_sub(region, 0, at)), body);
}

static const char *const controls[] = {START,     CHANNEL,    MESSAGE,      "<|constrain|>",
                                       "<|end|>", "<|call|>", "<|return|>", NULL};

const struct gs_tool_syntax gs_chat_syntax_harmony = {
    .triggers = {CHANNEL, START, "<|end|>", "<|call|>", "<|return|>"},
    .spellings = {{CHANNEL "commentary " RECIPIENT FUNCTIONS, " <|constrain|>json" MESSAGE, ""},
                  {START "assistant" CHANNEL "commentary " RECIPIENT FUNCTIONS,
                   " <|constrain|>json" MESSAGE, ""},
                  {START "assistant " RECIPIENT FUNCTIONS, CHANNEL "commentary json" MESSAGE, ""},
                  {RECIPIENT FUNCTIONS, CHANNEL "commentary json" MESSAGE, ""}},
    .certain = RECIPIENT,
    .bare = RECIPIENT,
    .channels = true,
    .region_len = region_len,
    .open = open_message,
    .read = read_region,
    .controls = controls,
};
