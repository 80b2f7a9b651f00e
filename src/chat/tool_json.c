/* Tool calls whose arguments are JSON after a mark: Llama 3, Mistral, DeepSeek, and the list
 * between pipes of Phi-4 and Granite. */
#include "chat/tool_region.h"

#include <string.h>

#include "base/limits.h"
#include "base/slice.h"

/* ---- Llama 3: the message is the JSON ---- */

#define LLAMA_BEGIN "<|python_tag|>"

static size_t llama_len(struct gs_slice s)
{
    return gs_chat_json_end(s, 0);
}

static bool read_llama(struct gs_slice s, struct gs_tool_region *r)
{
    return gs_chat_add_described(r, gs_chat_strip(s, LLAMA_BEGIN, ""));
}

static bool open_llama(struct gs_slice region, struct gs_tool_stream *s)
{
    const bool is_marked = gs_slice_starts(region, GS_SLICE_LIT(LLAMA_BEGIN));

    return gs_chat_open_described(s, region, GS_MAX(s->at, is_marked ? strlen(LLAMA_BEGIN) : 0));
}

const struct gs_tool_syntax gs_chat_syntax_llama = {
    .triggers = {LLAMA_BEGIN},
    .spellings = {{"{\"name\": \"", "\", \"parameters\": ", "}"},
                  {LLAMA_BEGIN "{\"name\": \"", "\", \"parameters\": ", "}"}},
    .bare = "{",
    .region_len = llama_len,
    .open = open_llama,
    .read = read_llama};

/* ---- Mistral: [TOOL_CALLS][{...}, ...] or [TOOL_CALLS]NAME[CALL_ID]ID[ARGS]{...} ---- */

#define MISTRAL_BEGIN "[TOOL_CALLS]"

static size_t mistral_len(struct gs_slice s)
{
    const struct gs_slice body = gs_slice_trim(gs_slice_sub(s, strlen(MISTRAL_BEGIN), s.len));

    if (body.len == 0)
        return 0;
    if (body.ptr[0] == '[')
        return gs_chat_json_end(s, strlen(MISTRAL_BEGIN));
    const size_t args = gs_chat_find(s, "{", 0);
    return args == SIZE_MAX ? 0 : gs_chat_json_end(s, args);
}

static bool read_mistral(struct gs_slice s, struct gs_tool_region *r)
{
    const struct gs_slice body = gs_chat_strip(s, MISTRAL_BEGIN, "");

    if (gs_slice_starts(body, GS_SLICE_LIT("[")))
        return gs_chat_add_described(r, body);
    const size_t args = gs_chat_find(body, "{", 0);
    const size_t name_end = GS_MIN(gs_chat_find(body, "[", 0), args);
    return args != SIZE_MAX &&
           gs_chat_add_text(r, gs_slice_sub(body, 0, name_end), gs_slice_sub(body, args, body.len));
}

static bool open_mistral(struct gs_slice region, struct gs_tool_stream *s)
{
    const size_t from = GS_MAX(s->at, strlen(MISTRAL_BEGIN));
    const size_t body = gs_chat_skip(region, strlen(MISTRAL_BEGIN), " \t\r\n");
    const size_t args = gs_chat_find(region, "{", from);

    if (body < region.len && region.ptr[body] == '[')
        return gs_chat_open_described(s, region, from);
    if (s->at > 0 || args == SIZE_MAX)
        return false;
    const size_t name_end = GS_MIN(gs_chat_find(region, "[", from), args);
    return gs_chat_open_json(s, region, gs_slice_sub(region, from, name_end), args);
}

const struct gs_tool_syntax gs_chat_syntax_mistral = {
    .triggers = {MISTRAL_BEGIN},
    .spellings = {{MISTRAL_BEGIN, "[ARGS]", ""},
                  {MISTRAL_BEGIN "[{\"name\": \"", "\", \"arguments\": ", "}]"}},
    .region_len = mistral_len,
    .open = open_mistral,
    .read = read_mistral};

/* ---- DeepSeek: begin "function" sep NAME ```json {...} ``` end, or begin NAME sep {...} end ----
 */

#define DEEPSEEK_CALLS_BEGIN "<｜tool▁calls▁begin｜>"
#define DEEPSEEK_CALLS_END   "<｜tool▁calls▁end｜>"
#define DEEPSEEK_CALL_BEGIN  "<｜tool▁call▁begin｜>"
#define DEEPSEEK_CALL_END    "<｜tool▁call▁end｜>"
#define DEEPSEEK_SEP         "<｜tool▁sep｜>"

static size_t deepseek_len(struct gs_slice s)
{
    return gs_slice_starts(s, GS_SLICE_LIT(DEEPSEEK_CALL_BEGIN))
               ? gs_chat_len_past_json(s, 0, DEEPSEEK_CALL_END)
               : gs_chat_len_past_json(s, 0, DEEPSEEK_CALLS_END);
}

/* The name in what follows the beginning of a call, and where its arguments open, or SIZE_MAX. */
static size_t deepseek_head(struct gs_slice call, struct gs_slice *out_name)
{
    const size_t sep = gs_chat_find(call, DEEPSEEK_SEP, 0);

    if (sep == SIZE_MAX)
        return SIZE_MAX;
    const size_t rest = sep + strlen(DEEPSEEK_SEP);
    const size_t brace = gs_chat_find(call, "{", rest);
    *out_name = gs_slice_trim(gs_slice_sub(call, 0, sep));
    if (gs_slice_eq_str(*out_name, "function")) { /* the older form names the kind first */
        const size_t fence =
            GS_MIN(gs_chat_find(call, "```", rest), gs_chat_find(call, "\n", rest));
        *out_name = gs_slice_trim(gs_slice_sub(call, rest, GS_MIN(fence, brace)));
    }
    return brace;
}

static bool read_deepseek_call(struct gs_tool_region *r, struct gs_slice call)
{
    struct gs_slice name;
    const size_t brace = deepseek_head(call, &name);
    const size_t end = brace == SIZE_MAX ? 0 : gs_chat_json_end(call, brace);

    return end && gs_chat_add_text(r, name, gs_slice_sub(call, brace, end));
}

static bool read_deepseek(struct gs_slice s, struct gs_tool_region *r)
{
    size_t at = gs_chat_find(s, DEEPSEEK_CALL_BEGIN, 0);

    while (at != SIZE_MAX) {
        const size_t from = at + strlen(DEEPSEEK_CALL_BEGIN);
        const size_t next = gs_chat_find(s, DEEPSEEK_CALL_BEGIN, from);
        if (!read_deepseek_call(r, gs_slice_sub(s, from, next)))
            return false;
        at = next;
    }
    return r->n_calls > 0;
}

static bool open_deepseek(struct gs_slice region, struct gs_tool_stream *s)
{
    const size_t at = gs_chat_find(region, DEEPSEEK_CALL_BEGIN, s->at);
    const size_t from = at == SIZE_MAX ? region.len : at + strlen(DEEPSEEK_CALL_BEGIN);
    const size_t end = GS_MIN(gs_chat_find(region, DEEPSEEK_CALL_BEGIN, from),
                              gs_chat_find(region, DEEPSEEK_CALL_END, from));
    struct gs_slice name;
    const size_t brace = deepseek_head(gs_slice_sub(region, from, end), &name);

    return brace != SIZE_MAX && gs_chat_open_json(s, region, name, from + brace);
}

const struct gs_tool_syntax gs_chat_syntax_deepseek = {
    .triggers = {DEEPSEEK_CALLS_BEGIN, DEEPSEEK_CALL_BEGIN},
    .spellings = {{DEEPSEEK_CALLS_BEGIN DEEPSEEK_CALL_BEGIN "function" DEEPSEEK_SEP, "\n```json\n",
                   "\n```" DEEPSEEK_CALL_END DEEPSEEK_CALLS_END},
                  {DEEPSEEK_CALLS_BEGIN DEEPSEEK_CALL_BEGIN, DEEPSEEK_SEP,
                   DEEPSEEK_CALL_END DEEPSEEK_CALLS_END}},
    .region_len = deepseek_len,
    .open = open_deepseek,
    .read = read_deepseek};

/* ---- Phi-4, Granite: <|tool_call|>[{...}, ...], Phi closes it ---- */

#define PIPE_BEGIN "<|tool_call|>"
#define PIPE_END   "<|/tool_call|>"

/* The closing mark is a region of its own, which says nothing. */
static size_t pipe_len(struct gs_slice s)
{
    return gs_slice_starts(s, GS_SLICE_LIT(PIPE_END)) ? strlen(PIPE_END)
                                                      : gs_chat_json_end(s, strlen(PIPE_BEGIN));
}

static bool read_pipe(struct gs_slice s, struct gs_tool_region *r)
{
    return gs_slice_starts(s, GS_SLICE_LIT(PIPE_END)) ||
           gs_chat_add_described(r, gs_chat_strip(s, PIPE_BEGIN, ""));
}

static bool open_pipe(struct gs_slice region, struct gs_tool_stream *s)
{
    return gs_chat_open_described(s, region, GS_MAX(s->at, strlen(PIPE_BEGIN)));
}

const struct gs_tool_syntax gs_chat_syntax_pipe = {
    .triggers = {PIPE_BEGIN, PIPE_END},
    .spellings = {{PIPE_BEGIN "[{\"name\": \"", "\", \"arguments\": ", "}]"}},
    .region_len = pipe_len,
    .open = open_pipe,
    .read = read_pipe};
