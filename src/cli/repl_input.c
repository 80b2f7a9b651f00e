/* Lines and slash commands, apart from the terminal they come from. */
#include "cli/repl_input.h"

#include "base/limits.h"
#include "base/slice.h"

static const struct gs_slice quotes = {"\"\"\"", 3};

void gs_cli_input_init(struct gs_cli_input *in)
{
    gs_buf_init(&in->text, GS_MAX_PROMPT_BYTES);
    in->is_quoted = false;
}

void gs_cli_input_clear(struct gs_cli_input *in)
{
    gs_buf_clear(&in->text);
}

void gs_cli_input_reset(struct gs_cli_input *in)
{
    gs_buf_reset(&in->text);
    in->is_quoted = false;
}

enum gs_cli_input_state gs_cli_input_line(struct gs_cli_input *in, struct gs_slice line)
{
    if (!in->is_quoted && in->text.len == 0 && gs_slice_starts(line, quotes)) {
        in->is_quoted = true;
        line = gs_slice_sub(line, quotes.len, line.len);
        if (line.len == 0)
            return GS_INPUT_MORE;
    }
    if (in->is_quoted && gs_slice_ends(line, quotes)) {
        gs_buf_slice(&in->text, gs_slice_sub(line, 0, line.len - quotes.len));
        in->is_quoted = false;
        return GS_INPUT_READY;
    }
    const bool goes_on = in->is_quoted || gs_slice_ends(line, GS_SLICE_LIT("\\"));
    gs_buf_slice(&in->text, gs_slice_sub(line, 0, line.len - (goes_on && !in->is_quoted)));
    if (!goes_on)
        return GS_INPUT_READY;
    gs_buf_putc(&in->text, '\n');
    return GS_INPUT_MORE;
}

enum gs_cli_slash gs_cli_slash_parse(struct gs_slice text, struct gs_slice *out_rest)
{
    static const struct {
        const char *name;
        enum gs_cli_slash slash;
    } names[] = {
        {"/help", GS_SLASH_HELP}, {"/?", GS_SLASH_HELP},    {"/clear", GS_SLASH_CLEAR},
        {"/set", GS_SLASH_SET},   {"/info", GS_SLASH_INFO}, {"/system", GS_SLASH_SYSTEM},
        {"/bye", GS_SLASH_BYE},   {"/exit", GS_SLASH_BYE},  {"/quit", GS_SLASH_BYE},
    };
    size_t len = 0;

    text = gs_slice_trim(text);
    if (text.len == 0 || text.ptr[0] != '/')
        return GS_SLASH_NONE;
    while (len < text.len && text.ptr[len] != ' ' && text.ptr[len] != '\n')
        len++;
    const struct gs_slice name = gs_slice_sub(text, 0, len);
    for (size_t i = 0; i < GS_COUNT_OF(names); i++) {
        if (!gs_slice_eq_str(name, names[i].name))
            continue;
        *out_rest = gs_slice_trim(gs_slice_sub(text, len, text.len));
        return names[i].slash;
    }
    /* "/usr/bin/env is..." is a message about a path */
    return memchr(name.ptr + 1, '/', name.len - 1) ? GS_SLASH_NONE : GS_SLASH_UNKNOWN;
}
