/* From the model argument to an open model: a path, a name in the models folders, or pilot.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/os.h"
#include "base/slice.h"
#include "cli/cli.h"
#include "provider/local.h"
#include "json/json.h"

#define MAX_SUGGESTED 5

/* ---- options ---- */

void gs_cli_llm_options(const struct gs_config *c, struct gs_llm_options *opt)
{
    static const char *const cpus[] = {/* as in options.def */
                                       NULL,         "scalar", "avx2", "avxvnni", "avx512",
                                       "avx512vnni", "amx",    "neon", "dotprod", "i8mm"};

    gs_llm_options_init(opt);
    opt->n_threads = (int32_t)c->threads;
    opt->ctx_tokens = c->ctx_tokens;
    opt->kv_bytes = c->kv_bytes;
    opt->kv_type = (enum gs_kv_type)c->kv_type;
    opt->max_sequences = (int32_t)c->max_sequences;
    opt->batch_tokens = (int32_t)c->batch_tokens;
    opt->cpu = cpus[c->cpu];
    opt->lock_memory = c->mlock;
    opt->huge_pages = c->huge_pages;
    opt->numa_spread = c->numa;
}

/* ---- names ---- */

enum gs_status gs_cli_local_create(const struct gs_config *c, const struct gs_llm_options *llm,
                                   const char *extra, const char *default_model,
                                   struct gs_local **out_l, struct gs_error *err)
{
    char own[4096];
    size_t n = 0;

    const char **paths = gs_alloc_array(c->models.len + 1, sizeof(*paths));
    if (!paths)
        return gs_error_nomem(err, "list models");
    if (extra)
        paths[n++] = extra;
    for (size_t i = 0; i < c->models.len; i++)
        paths[n++] = c->models.items[i];
    snprintf(own, sizeof(own), "%s/models", c->data_dir ? c->data_dir : "");
    const struct gs_local_options opt = {
        .paths = paths,
        .n_paths = n,
        .own_folder = c->data_dir ? own : NULL,
        .default_model = default_model,
        .llm = *llm,
        .any_name = c->any_name,
    };
    const enum gs_status st = gs_local_create(&opt, out_l, err);
    gs_free(paths);
    return st;
}

static enum gs_status copy_path(const char *from, char *path, size_t cap, struct gs_error *err)
{
    if ((size_t)snprintf(path, cap, "%s", from) < cap)
        return GS_OK;
    return gs_error_set(err, GS_EINVAL, "path of model is longer than %zu bytes", cap);
}

static enum gs_status not_found(const struct gs_local_model *models, size_t n, const char *name,
                                struct gs_error *err)
{
    char hint[GS_ERROR_HINT_BYTES] = "";
    size_t len = 0;

    gs_error_set(err, GS_ENOTFOUND, "model \"%s\" not found", name);
    for (size_t i = 0; i < n && i < MAX_SUGGESTED && len < sizeof(hint); i++)
        len += (size_t)snprintf(hint + len, sizeof(hint) - len, "%s%s",
                                i ? ", " : "Models found: ", models[i].name);
    if (n > 0)
        gs_error_hint(err, "%.*s.", (int)sizeof(hint) - 2, hint);
    else
        gs_error_hint(err, "Give the path of a GGUF file, or set --models to the folder it is in.");
    return GS_ENOTFOUND;
}

enum gs_status gs_cli_model_find(const struct gs_config *c, const char *name, char *path,
                                 size_t cap, struct gs_error *err)
{
    const struct gs_local_model *models = NULL;
    struct gs_local *local = NULL;
    struct gs_llm_options llm;

    if (!name)
        name = c->model;
    if (name && access(name, F_OK) == 0 && !gs_os_is_dir(name))
        return copy_path(name, path, cap, err);
    if (name && strcmp(name, "pilot") == 0)
        return gs_cli_pilot_path(c, path, cap, err);
    if (name && strcmp(name, "standin") == 0)
        return gs_cli_standin_path(c, path, cap, err);
    gs_cli_llm_options(c, &llm);
    enum gs_status st = gs_cli_local_create(c, &llm, NULL, NULL, &local, err);
    if (st != GS_OK)
        return st;
    const size_t n = gs_local_models(local, &models);
    if (!name && n == 0) {
        gs_cli_note("genset: no model found: using pilot, the very small model inside genset");
        st = gs_cli_pilot_path(c, path, cap, err);
    } else if (!name) {
        st = copy_path(models[0].path, path, cap, err);
    } else {
        size_t i = 0;
        while (i < n && strcmp(models[i].name, name) != 0)
            i++;
        st = i < n ? copy_path(models[i].path, path, cap, err) : not_found(models, n, name, err);
    }
    gs_local_free(local);
    return st;
}

/* ---- opening ---- */

static void show_progress(void *ud, double done)
{
    (void)ud;
    if (done < 1)
        fprintf(stderr, "\rloading the model: %d%%", (int)(done * 100));
    else
        fputs("\r\033[K", stderr);
    fflush(stderr);
}

enum gs_status gs_cli_model_open(const struct gs_config *c, const char *name,
                                 struct gs_llm_options *opt, gs_llm **out_llm, struct gs_error *err)
{
    char path[4096];
    const enum gs_status st = gs_cli_model_find(c, name, path, sizeof(path), err);

    if (st != GS_OK)
        return st;
    const bool is_shown = isatty(STDERR_FILENO) && !opt->weights_only;
    if (is_shown)
        opt->on_progress = show_progress;
    const enum gs_status opened = gs_llm_open(path, opt, out_llm, err);
    if (opened != GS_OK && is_shown)
        show_progress(NULL, 1);
    return opened;
}

/* ---- files ---- */

enum gs_status gs_cli_read_json(const char *path, struct gs_arena *a, struct gs_json *out,
                                struct gs_error *err)
{
    struct gs_buf text;

    gs_buf_init(&text, GS_MAX_TEXT_BYTES);
    enum gs_status st = gs_os_read_file(path, &text, err);
    if (st == GS_OK) {
        st = gs_json_parse(gs_buf_view(&text), a, out, err);
        if (st != GS_OK) {
            gs_error_prefix(err, "file \"%s\"", path);
            gs_error_pos(err, NULL, 0, 0); /* the message tells the place */
        }
    }
    gs_buf_clear(&text);
    return st;
}
