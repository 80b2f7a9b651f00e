/* genset tokens: text in, token ids out. */
#include <inttypes.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/os.h"
#include "base/slice.h"
#include "cli/cli.h"
#include "json/json.h"

static unsigned flags_of(const struct gs_config *c)
{
    return (c->special ? GS_TOKENIZE_ADD_SPECIAL : 0u) |
           (c->parse ? GS_TOKENIZE_PARSE_SPECIAL : 0u);
}

static void put_ids(struct gs_buf *out, const int32_t *ids, size_t n)
{
    gs_buf_putc(out, '[');
    for (size_t i = 0; i < n; i++)
        gs_buf_printf(out, "%s%" PRId32, i ? "," : "", ids[i]);
    gs_buf_putc(out, ']');
}

static void put_table(struct gs_buf *out, const gs_llm *llm, const int32_t *ids, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        gs_buf_printf(out, "%8" PRId32 "  ", ids[i]);
        gs_json_write_string(out, gs_llm_token_text(llm, ids[i]));
        gs_buf_putc(out, '\n');
    }
}

static enum gs_status put_text(const struct gs_config *c, const gs_llm *llm, struct gs_slice text,
                               bool is_json, struct gs_buf *out, struct gs_error *err)
{
    int32_t *ids = NULL;
    size_t n = 0;

    const enum gs_status st = gs_llm_tokenize(llm, text, flags_of(c), &ids, &n, err);
    if (st != GS_OK)
        return st;
    if (is_json)
        put_ids(out, ids, n);
    else
        put_table(out, llm, ids, n);
    gs_free_tokens(ids);
    return GS_OK;
}

static enum gs_status put_file(const struct gs_config *c, const gs_llm *llm, struct gs_buf *out,
                               struct gs_error *err)
{
    struct gs_arena a;
    struct gs_json texts;

    gs_arena_init(&a, 4 * GS_MAX_TEXT_BYTES);
    enum gs_status st = gs_cli_read_json(c->texts_path, &a, &texts, err);
    if (st == GS_OK && texts.kind != GS_JSON_ARRAY)
        st = gs_error_set(err, GS_EINVAL, "file \"%s\": expected an array of strings, found %s",
                          c->texts_path, gs_json_kind_name(texts.kind));
    gs_buf_putc(out, '[');
    for (size_t i = 0; st == GS_OK && i < texts.u.array.len; i++) {
        const struct gs_json *text = &texts.u.array.items[i];
        gs_buf_puts(out, i ? "," : "");
        if (text->kind == GS_JSON_STRING)
            st = put_text(c, llm, text->u.string, true, out, err);
        else
            st = gs_error_set(err, GS_EINVAL,
                              "file \"%s\": expected a string at index %zu, found %s",
                              c->texts_path, i, gs_json_kind_name(text->kind));
    }
    gs_buf_puts(out, "]\n");
    gs_arena_clear(&a);
    return st;
}

/* The words of the command line as one text, or standard input. */
static enum gs_status put_arguments(const struct gs_config *c, const gs_llm *llm,
                                    struct gs_buf *out, struct gs_error *err)
{
    enum gs_status st = GS_OK;
    struct gs_buf text;

    gs_buf_init(&text, GS_MAX_TEXT_BYTES);
    for (size_t i = 1; i < c->args.len; i++)
        gs_buf_printf(&text, "%s%s", i > 1 ? " " : "", c->args.items[i]);
    if (c->args.len == 1)
        st = gs_os_read_file("-", &text, err);
    if (st == GS_OK)
        st = put_text(c, llm, gs_buf_view(&text), c->json, out, err);
    gs_buf_puts(out, c->json ? "\n" : "");
    gs_buf_clear(&text);
    return st;
}

int gs_cli_tokens(struct gs_config *c, struct gs_buf *out)
{
    struct gs_llm_options opt;
    gs_llm *llm = NULL;
    struct gs_error err;

    if (c->texts_path && c->args.len > 1)
        return gs_cli_fail_usage("texts are given twice: as arguments and with --texts",
                                 "Leave one of them out.");
    gs_cli_llm_options(c, &opt);
    opt.weights_only = true;
    if (gs_cli_model_open(c, c->args.items[0], &opt, &llm, &err) != GS_OK)
        return gs_cli_fail_model(&err);
    const enum gs_status st =
        c->texts_path ? put_file(c, llm, out, &err) : put_arguments(c, llm, out, &err);
    gs_llm_close(llm);
    return st == GS_OK ? GS_EXIT_OK : gs_cli_fail(&err, GS_EXIT_FAILED);
}
