/* From a row of the table to the texts of one launch. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/slice.h"
#include "cli/cli.h"
#include "cli/tools.h"
#include "json/json.h"

#define MAX_ANSWER_TOKENS 32000

const struct gs_cli_tool *gs_cli_tool_find(const char *name)
{
    char msg[128];
    char hint[256];
    size_t len = (size_t)snprintf(hint, sizeof(hint), "Tools:");

    for (const struct gs_cli_tool *t = gs_cli_tools; t->name; t++) {
        if (strcmp(t->name, name) == 0)
            return t;
        len += (size_t)snprintf(hint + len, sizeof(hint) - len, " %s%s", t->name,
                                t[1].name ? "," : ".");
    }
    snprintf(msg, sizeof(msg), "unknown tool \"%.60s\"", name);
    gs_cli_fail_usage(msg, hint);
    return NULL;
}

/* Of a context, what is left to an answer: tools that subtract it from what they may ask would have
 * nothing left of a small one. */
static int64_t answer_tokens(int64_t ctx_tokens)
{
    return GS_MIN(ctx_tokens / 4, MAX_ANSWER_TOKENS);
}

static const char *put_tokens(char number[24], int64_t n)
{
    snprintf(number, 24, "%" PRId64, n);
    return n > 0 ? number : "";
}

/* The value of a placeholder's name; false: it is no placeholder. */
static bool find_value(struct gs_slice name, const struct gs_cli_place *place, char number[24],
                       const char **out)
{
    const int64_t ctx = place->ctx_tokens;
    const struct {
        const char *name, *value;
    } texts[] = {
        {"url", place->url},       {"key", place->key}, {"model", place->model},
        {"folder", place->folder}, {"ca", place->ca},
    };
    const struct {
        const char *name;
        int64_t n;
    } numbers[] = {
        {"ctx", ctx}, {"answer", answer_tokens(ctx)}, {"prompt", ctx - answer_tokens(ctx)}};

    for (size_t i = 0; i < GS_COUNT_OF(texts); i++) {
        *out = texts[i].value;
        if (gs_slice_eq_str(name, texts[i].name))
            return true;
    }
    for (size_t i = 0; i < GS_COUNT_OF(numbers); i++) {
        *out = put_tokens(number, numbers[i].n);
        if (gs_slice_eq_str(name, numbers[i].name))
            return true;
    }
    return false;
}

/* Replace the placeholder that begins at text[0]; its length, 0 if it is none. */
static size_t put_value(struct gs_slice text, const struct gs_cli_place *place, struct gs_buf *b,
                        bool *is_known)
{
    const size_t end = gs_slice_find(text, GS_SLICE_LIT("}"), 0);
    struct gs_slice name = gs_slice_sub(text, 1, end);
    const bool is_json = name.len > 2 && name.ptr[0] == '"' && name.ptr[name.len - 1] == '"';
    const char *value;
    char number[24];

    if (is_json)
        name = gs_slice_sub(name, 1, name.len - 1);
    if (end == SIZE_MAX || !find_value(name, place, number, &value))
        return 0;
    *is_known = *is_known && *value;
    if (is_json)
        gs_json_write_string(b, gs_slice_str(value));
    else
        gs_buf_puts(b, value);
    return end + 1;
}

void gs_cli_tool_expand(const char *text, const struct gs_cli_place *place, struct gs_buf *b)
{
    struct gs_slice rest = gs_slice_str(text);
    size_t part = 0; /* where a part began that may be left out */
    bool is_known = true;

    while (rest.len > 0) {
        size_t n = 0;
        if (gs_slice_starts(rest, GS_SLICE_LIT("{?"))) {
            part = b->len;
            is_known = true;
            n = 2;
        } else if (gs_slice_starts(rest, GS_SLICE_LIT("?}"))) {
            b->len = is_known ? b->len : part;
            n = 2;
        } else if (rest.ptr[0] == '{') {
            n = put_value(rest, place, b, &is_known);
        }
        if (n == 0) {
            gs_buf_putc(b, rest.ptr[0]);
            n = 1;
        }
        rest = gs_slice_sub(rest, n, rest.len);
    }
}

void gs_cli_tool_expand_env(const struct gs_cli_tool *tool, const struct gs_cli_place *place,
                            struct gs_buf *b)
{
    gs_cli_tool_expand(tool->env, place, b);
    gs_cli_tool_expand("{?NODE_EXTRA_CA_CERTS={ca}\n?}", place, b); /* most run on node or Bun */
}

bool gs_cli_tool_line(struct gs_slice *text, struct gs_slice *out_line)
{
    while (text->len > 0) {
        const size_t end = GS_MIN(gs_slice_find(*text, GS_SLICE_LIT("\n"), 0), text->len);
        *out_line = gs_slice_sub(*text, 0, end);
        *text = gs_slice_sub(*text, end + 1, text->len);
        if (out_line->len > 0)
            return true;
    }
    return false;
}
