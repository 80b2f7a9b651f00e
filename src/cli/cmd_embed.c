/* genset embed: texts or token ids in, vectors or scores out. */
#include <errno.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/slice.h"
#include "cli/cli.h"
#include "json/json.h"

/* What is embedded, and what holds it. */
struct inputs {
    struct gs_arena a;
    int32_t *ids;
    struct gs_embed_input *items;
    size_t n;
};

static enum gs_status alloc_items(struct inputs *in, size_t n, struct gs_error *err)
{
    in->items = gs_arena_array(&in->a, n, sizeof(*in->items));
    in->n = n;
    return in->items ? GS_OK : gs_error_nomem(err, "hold the texts");
}

static enum gs_status read_ids(const struct gs_config *c, struct inputs *in, struct gs_error *err)
{
    size_t n = 0;
    enum gs_status st = gs_cli_read_tokens(c->tokens_path, &in->ids, &n, err);

    if (st == GS_OK)
        st = alloc_items(in, 1, err);
    if (st == GS_OK)
        in->items[0] = (struct gs_embed_input){.tokens = in->ids, .n_tokens = n};
    return st;
}

static enum gs_status read_texts(const struct gs_config *c, struct inputs *in, struct gs_error *err)
{
    struct gs_json texts;
    enum gs_status st = gs_cli_read_json(c->texts_path, &in->a, &texts, err);

    if (st == GS_OK && texts.kind != GS_JSON_ARRAY)
        st = gs_error_set(err, GS_EINVAL, "file \"%s\": expected an array of strings, found %s",
                          c->texts_path, gs_json_kind_name(texts.kind));
    if (st == GS_OK)
        st = alloc_items(in, texts.u.array.len, err);
    for (size_t i = 0; st == GS_OK && i < in->n; i++) {
        const struct gs_json *text = &texts.u.array.items[i];
        if (text->kind != GS_JSON_STRING)
            return gs_error_set(err, GS_EINVAL,
                                "file \"%s\": expected a string at index %zu, found %s",
                                c->texts_path, i, gs_json_kind_name(text->kind));
        in->items[i].text = text->u.string;
    }
    return st;
}

static enum gs_status read_arguments(const struct gs_config *c, struct inputs *in,
                                     struct gs_error *err)
{
    const enum gs_status st = alloc_items(in, c->args.len - 1, err);

    for (size_t i = 0; st == GS_OK && i < in->n; i++)
        in->items[i].text = gs_slice_str(c->args.items[i + 1]);
    return st;
}

static enum gs_status read_inputs(const struct gs_config *c, struct inputs *in,
                                  struct gs_error *err)
{
    if (c->tokens_path)
        return read_ids(c, in, err);
    return c->texts_path ? read_texts(c, in, err) : read_arguments(c, in, err);
}

static void put_scores(struct gs_buf *out, const struct gs_vectors *v)
{
    for (size_t i = 0; i < v->n; i++)
        gs_buf_printf(out, "%.9g\n", (double)v->values[i]);
}

static void put_vectors(struct gs_buf *out, const struct gs_vectors *v)
{
    for (size_t i = 0; i < v->n; i++) {
        for (size_t j = 0; j < v->dims; j++)
            gs_buf_printf(out, "%s%.9g", j ? "," : "[", (double)v->values[i * v->dims + j]);
        gs_buf_puts(out, "]\n");
    }
}

static enum gs_status write_vectors(const char *path, const struct gs_vectors *v,
                                    struct gs_error *err)
{
    const bool is_stdout = gs_slice_eq_str(gs_slice_str(path), "-");
    const size_t n = v->n * v->dims;

    FILE *fp = is_stdout ? stdout : fopen(path, "wb");
    if (!fp)
        return gs_error_errno(err, GS_EIO, errno, "could not create file \"%s\"", path);
    const bool is_taken = fwrite(v->values, sizeof(*v->values), n, fp) == n;
    const bool is_written = is_stdout ? fflush(fp) == 0 : fclose(fp) == 0;
    if (!is_taken || !is_written)
        return gs_error_errno(err, GS_EIO, errno, "could not write file \"%s\"", path);
    return GS_OK;
}

static enum gs_status compute(const struct gs_config *c, gs_llm *llm, const struct inputs *in,
                              struct gs_vectors *v, struct gs_error *err)
{
    struct gs_embed_options opt;

    gs_embed_options_init(&opt);
    opt.raw = c->raw;
    return c->rerank_query
               ? gs_llm_rerank(llm, gs_slice_str(c->rerank_query), in->items, in->n, &opt, v, err)
               : gs_llm_embed(llm, in->items, in->n, &opt, v, err);
}

static int embed(struct gs_config *c, const struct inputs *in, struct gs_buf *out)
{
    struct gs_llm_options llm_opt;
    struct gs_vectors v = {0};
    struct gs_error err;
    gs_llm *llm = NULL;

    gs_cli_llm_options(c, &llm_opt);
    if (gs_cli_model_open(c, c->args.items[0], &llm_opt, &llm, &err) != GS_OK)
        return gs_cli_fail_model(&err);
    enum gs_status st = compute(c, llm, in, &v, &err);
    if (st == GS_OK && c->out_path)
        st = write_vectors(c->out_path, &v, &err);
    else if (st == GS_OK)
        (c->rerank_query ? put_scores : put_vectors)(out, &v);
    gs_vectors_clear(&v);
    gs_llm_close(llm);
    return st == GS_OK ? GS_EXIT_OK : gs_cli_fail(&err, GS_EXIT_FAILED);
}

int gs_cli_embed(struct gs_config *c, struct gs_buf *out)
{
    const int n_sources = (c->tokens_path != NULL) + (c->texts_path != NULL) + (c->args.len > 1);
    struct inputs in = {.n = 0};
    struct gs_error err;

    if (n_sources != 1)
        return gs_cli_fail_usage("command \"embed\" needs texts, from one source",
                                 "Give TEXT arguments, --texts FILE or --tokens FILE.");
    gs_arena_init(&in.a, 4 * GS_MAX_TEXT_BYTES);
    const enum gs_status st = read_inputs(c, &in, &err);
    const int code = st == GS_OK ? embed(c, &in, out) : gs_cli_fail(&err, GS_EXIT_FAILED);
    gs_free(in.ids);
    gs_arena_clear(&in.a);
    return code;
}
