/* genset trace: what happened to one request, step by step, from the server that has it in memory.
 */
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/slice.h"
#include "cli/cli.h"
#include "json/json.h"

/* What an id is made of; it goes into a path. */
static bool is_id(const char *id)
{
    const size_t len = strlen(id);

    return len > 0 && len < 200 &&
           strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == len;
}

/* "   12.345 ms  first token: anthropic" */
static void put_span(struct gs_buf *out, const struct gs_json *span)
{
    struct gs_slice what = {"", 0};
    struct gs_slice detail = {"", 0};
    int64_t at_us = 0;

    if (!gs_json_get_int(span, "at_us", &at_us, NULL) ||
        !gs_json_get_string(span, "what", &what, NULL) ||
        !gs_json_get_string(span, "detail", &detail, NULL))
        return;
    gs_buf_printf(out, "%12.3f ms  ", (double)at_us / 1e3);
    gs_cli_put_harmless(out, what);
    gs_buf_puts(out, detail.len ? ": " : "");
    gs_cli_put_harmless(out, detail);
    gs_buf_putc(out, '\n');
}

/* The id, which may have been cut short, and when. */
static void put_head(struct gs_buf *out, const struct gs_json *story)
{
    struct gs_slice id = {"", 0};
    struct gs_slice at = {"", 0};
    int64_t wall_us;

    if (!gs_json_get_string(story, "id", &id, NULL) ||
        !gs_json_get_string(story, "at", &at, NULL) || !gs_clock_parse(at, &wall_us))
        return;
    gs_cli_put_harmless(out, id);
    gs_buf_puts(out, "  ");
    gs_cli_put_when(out, wall_us);
    gs_buf_putc(out, '\n');
}

static enum gs_status put_spans(struct gs_slice text, struct gs_buf *out, struct gs_error *err)
{
    struct gs_arena arena;
    struct gs_json json;

    gs_arena_init(&arena, GS_MAX_TEXT_BYTES);
    const enum gs_status st = gs_json_parse(text, &arena, &json, err);
    if (st == GS_OK)
        put_head(out, &json);
    const struct gs_json *spans = st == GS_OK ? gs_json_get(&json, "spans") : NULL;
    for (size_t i = 0; spans && spans->kind == GS_JSON_ARRAY && i < spans->u.array.len; i++)
        put_span(out, &spans->u.array.items[i]);
    gs_arena_clear(&arena);
    return st;
}

int gs_cli_trace(struct gs_config *c, struct gs_buf *out)
{
    struct gs_error err;
    struct gs_buf text;
    char path[256];
    bool is_running;

    if (!is_id(c->args.items[0]))
        return gs_cli_fail_usage("this is no id of a request",
                                 "Ids are in the head of every answer, and in genset log.");
    snprintf(path, sizeof(path), "/api/genset/trace/%s", c->args.items[0]);
    gs_buf_init(&text, GS_MAX_RESPONSE_BYTES);
    enum gs_status st = gs_cli_server_get(c, path, &text, &is_running, &err);
    if (st != GS_OK && !is_running)
        gs_error_hint(&err, "Traces are kept by the running server alone.");
    if (st == GS_OK && c->json) {
        gs_buf_slice(out, gs_buf_view(&text));
        gs_buf_putc(out, '\n');
    } else if (st == GS_OK) {
        st = put_spans(gs_buf_view(&text), out, &err);
    }
    gs_buf_clear(&text);
    return st == GS_OK ? GS_EXIT_OK : gs_cli_fail(&err, GS_EXIT_FAILED);
}
