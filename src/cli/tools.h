/* The tools that genset launches, one row each, and what their texts become for one server.
 *
 * A text holds placeholders: {url} {key} {model} {folder} {ca}, the context's tokens {ctx} and of
 * them those of a {prompt} and of an {answer}; in quotes ({"model"}) as a JSON string. "{?" begins
 * a part that is left out when a value in it is not known, "?}" ends it.
 */
#ifndef GS_CLI_TOOLS_H
#define GS_CLI_TOOLS_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "genset/slice.h"

struct gs_cli_file {
    const char *name; /* in the tool's folder under the state folder; NULL: none */
    const char *text;
};

struct gs_cli_tool {
    const char *name;    /* "claude" */
    const char *title;   /* "Claude Code" */
    const char *program; /* found on PATH; NULL: nothing to start, only `settings` */
    const char *install; /* how to get it: a full sentence */
    const char *env;     /* "NAME=VALUE", one a line */
    const char *args;    /* before the user's, one a line */
    struct gs_cli_file files[2];
    const char *settings; /* what a person enters */
    const char *refusal;  /* why it cannot be used, or NULL */
};

/* Ends with a row without name. */
extern const struct gs_cli_tool gs_cli_tools[];

/* What the placeholders stand for. Nothing here holds a control character. */
struct gs_cli_place {
    char url[300]; /* "http://127.0.0.1:8484" */
    char key[256]; /* some word where the server asks for none */
    char model[256];
    int64_t ctx_tokens; /* 0 = not known */
    char folder[4096];
    char ca[PATH_MAX]; /* the server's certificate, where it speaks HTTPS */
};

/* NULL: there is none, which has been told. */
const struct gs_cli_tool *gs_cli_tool_find(const char *name);
/* Append a text of the table with its placeholders replaced. */
void gs_cli_tool_expand(const char *text, const struct gs_cli_place *place, struct gs_buf *b);
/* The tool's environment, and what every tool gets. */
void gs_cli_tool_expand_env(const struct gs_cli_tool *tool, const struct gs_cli_place *place,
                            struct gs_buf *b);
/* Take the next line off `text`; false at its end. Empty lines are passed over. */
bool gs_cli_tool_line(struct gs_slice *text, struct gs_slice *out_line);

#endif
