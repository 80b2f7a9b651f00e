/* What is typed in a conversation: lines joined to messages, commands taken apart. */
#ifndef GS_CLI_REPL_INPUT_H
#define GS_CLI_REPL_INPUT_H

#include "base/buf.h"
#include "genset/slice.h"

/* A message may go over several lines: each but the last ends with a backslash, or all stand
 * between
 * """ and """. */
struct gs_cli_input {
    struct gs_buf text;
    bool is_quoted;
};

enum gs_cli_input_state {
    GS_INPUT_READY, /* text is a whole message, perhaps empty */
    GS_INPUT_MORE,  /* another line belongs to it */
};

void gs_cli_input_init(struct gs_cli_input *in);
void gs_cli_input_clear(struct gs_cli_input *in);
/* Drop what was typed and begin again. */
void gs_cli_input_reset(struct gs_cli_input *in);
/* Take one line, without its newline. */
enum gs_cli_input_state gs_cli_input_line(struct gs_cli_input *in, struct gs_slice line);

enum gs_cli_slash {
    GS_SLASH_NONE, /* a message */
    GS_SLASH_HELP,
    GS_SLASH_CLEAR,
    GS_SLASH_SYSTEM,
    GS_SLASH_SET,
    GS_SLASH_INFO,
    GS_SLASH_BYE,
    GS_SLASH_UNKNOWN,
};

/* Which command a message is; of a known one *out_rest is what follows its name,
 * trimmed. */
enum gs_cli_slash gs_cli_slash_parse(struct gs_slice text, struct gs_slice *out_rest);

#endif
