/* The order of what is tried: the model as configured; with less context, but not less than the
 * chat needs; with a smaller KV cache (all of that is gs_llm_open()'s); then, where the client did
 * not name a model of this machine, the next smaller ones. What is open is preferred to another
 * try with a model that got no memory a while ago: each would close what is open. */
#include "provider/local_short.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/os.h"
#include "base/slice.h"
#include "provider/local_open.h"
#include "provider/shelf.h"

#define LEAST_BYTES_PER_TOKEN 3    /* of a prompt, to estimate its tokens */
#define ANSWER_TOKENS         1024 /* of the answer, that there is room for */
#define POOR_US               ((int64_t)300 * 1000000)
#define MAX_NAMED             4

static const enum gs_local_purpose writing = GS_LOCAL_WRITING;

/* ---- how much a chat needs ---- */

static int64_t answer_tokens(const struct gs_chat *chat)
{
    return chat->max_tokens > 0 ? GS_MIN(chat->max_tokens, (int64_t)ANSWER_TOKENS) : ANSWER_TOKENS;
}

static int64_t estimate_tokens(const struct gs_chat *chat)
{
    size_t bytes = chat->raw_prompt.len + chat->raw_suffix.len;

    for (size_t i = 0; i < chat->n_messages; i++)
        for (size_t b = 0; b < chat->messages[i].n_blocks; b++)
            bytes += chat->messages[i].blocks[b].text.len + chat->messages[i].blocks[b].args.len;
    for (size_t i = 0; i < chat->n_tools; i++)
        bytes += chat->tools[i].description.len + chat->tools[i].parameters.len;
    return (int64_t)(bytes / LEAST_BYTES_PER_TOKEN) + answer_tokens(chat);
}

/* ---- a context that was cut short ---- */

/* It was opened when less memory was there than now, and the chat does not fit: how many tokens it
 * needs, else 0. */
static int64_t must_grow(const struct gs_local_opened *o, const struct gs_local_open *m,
                         const struct gs_chat *chat)
{
    struct gs_llm_info info;
    int64_t n_tokens;

    if (m->n_users > 1 || m->fit_tokens >= estimate_tokens(chat))
        return 0;
    gs_llm_info(m->llm, &info);
    const int64_t most = o->llm.ctx_tokens > 0 ? GS_MIN(o->llm.ctx_tokens, info.ctx_train_tokens)
                                               : info.ctx_train_tokens;
    if (m->fit_tokens >= most || gs_llm_count(m->llm, chat, &n_tokens, NULL) != GS_OK)
        return 0;
    n_tokens = GS_MIN(n_tokens + answer_tokens(chat), most);
    const int64_t per_token = GS_MAX(info.kv_bytes_per_token, (int64_t)1);
    const int64_t available = gs_os_memory_available_bytes();
    return n_tokens > m->fit_tokens && n_tokens < available / per_token ? n_tokens : 0;
}

static enum gs_status use(struct gs_local_opened *o, const struct gs_local_model *model,
                          const struct gs_chat *chat, struct gs_local_open **out_open,
                          int64_t *out_load_us, struct gs_error *err)
{
    const struct gs_slice path = gs_slice_str(model->path);
    struct gs_local_open *m;
    int64_t load_us;
    enum gs_status st =
        gs_local_open_use(o, path, &writing, chat->keep, estimate_tokens(chat), &m, &load_us, err);

    if (st != GS_OK)
        return st;
    const int64_t n_tokens = load_us == 0 ? must_grow(o, m, chat) : 0;
    if (n_tokens > 0) {
        gs_local_open_leave(o, m);
        st = gs_local_open_use(o, path, &writing, chat->keep, n_tokens, &m, &load_us, err);
    }
    if (st == GS_OK) {
        *out_open = m;
        *out_load_us = load_us;
    }
    return st;
}

/* ---- another model ---- */

/* For its weights, once idle models are closed; what else it needs is known when it is opened. */
static bool has_room(const struct gs_local_opened *o, const struct gs_local_model *m)
{
    const int64_t available = gs_os_memory_available_bytes();

    return available < 0 || m->file_bytes < available + gs_local_open_idle_bytes(o);
}

/* Nothing is to be gained by trying it now. */
static bool is_poor(const struct gs_local_opened *o, const struct gs_local_model *m)
{
    return !gs_local_open_is(o, m) &&
           (!has_room(o, m) || (o->poor == m->version && gs_clock_mono_us() < o->poor_until_us));
}

/* Whoever of the smaller ones is open or can be. GS_ENOMEM: nobody; `err` is not set then. */
static enum gs_status use_smaller(struct gs_local_opened *o, const struct gs_local_model *model,
                                  const struct gs_chat *chat, struct gs_arena *a,
                                  struct gs_local_open **out_open, int64_t *out_load_us,
                                  struct gs_error *err)
{
    const int64_t needed = estimate_tokens(chat);
    struct gs_local_model m = *model;
    struct gs_error why;
    enum gs_status st = GS_ENOMEM;

    if (gs_local_shelf_smaller(o->shelf, m.file_bytes, needed, true, a, &m))
        return use(o, &m, chat, out_open, out_load_us, err);
    while (st == GS_ENOMEM && gs_local_shelf_smaller(o->shelf, m.file_bytes, needed, false, a, &m))
        if (has_room(o, &m))
            st = use(o, &m, chat, out_open, out_load_us, &why);
    if (st != GS_OK && st != GS_ENOMEM && err)
        *err = why;
    return st;
}

static void name_smaller(struct gs_local_opened *o, const struct gs_local_model *model,
                         struct gs_arena *a, struct gs_error *err)
{
    char text[GS_ERROR_HINT_BYTES / 2] = "";
    struct gs_local_model m = *model;
    size_t len = 0;
    int n = 0;

    while (n < MAX_NAMED && len < sizeof(text) &&
           gs_local_shelf_smaller(o->shelf, m.file_bytes, 0, false, a, &m)) {
        if (!has_room(o, &m))
            continue;
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s\"%s\"", n ? ", " : "", m.name);
        n++;
    }
    if (n > 0)
        gs_error_hint(err, "Free memory, or ask for a smaller model, as there is room for: %s.",
                      text);
    else
        gs_error_hint(err, "Free memory: no model here would fit.");
}

/* Say what is not as it was to be. */
static void tell(const struct gs_local_opened *o, const struct gs_local_model *model,
                 const struct gs_local_open *m, struct gs_local_short_of *of)
{
    struct gs_llm_info info;

    gs_llm_info(m->llm, &info);
    if (m->model.version != model->version)
        snprintf(of->text, sizeof(of->text), "\"%.100s\" stands in for \"%.100s\"", m->model.name,
                 model->name);
    else if (info.is_short)
        snprintf(of->text, sizeof(of->text), "\"%.100s\" has a context of %lld tokens%s",
                 m->model.name, (long long)info.ctx_tokens,
                 info.kv_type != o->llm.kv_type ? ", stored as q8_0" : "");
}

static enum gs_status use_found(struct gs_local_opened *o, const struct gs_local_model *model,
                                const struct gs_chat *chat, struct gs_arena *a,
                                struct gs_local_open **out_open, int64_t *out_load_us,
                                struct gs_error *err)
{
    const bool may_differ = chat->takes_smaller && !gs_local_shelf_is_name(o->shelf, chat->named);
    enum gs_status st = GS_ENOMEM;

    if (may_differ && is_poor(o, model))
        st = use_smaller(o, model, chat, a, out_open, out_load_us, err);
    if (st != GS_ENOMEM)
        return st;
    st = use(o, model, chat, out_open, out_load_us, err); /* even slowly, where nobody else can */
    if (st != GS_ENOMEM)
        return st;
    if (may_differ) {
        o->poor = model->version;
        o->poor_until_us = gs_clock_mono_us() + POOR_US;
        st = use_smaller(o, model, chat, a, out_open, out_load_us, err);
    }
    if (st == GS_ENOMEM)
        name_smaller(o, model, a, err);
    return st;
}

enum gs_status gs_local_short_use(struct gs_local_opened *o, const struct gs_chat *chat,
                                  struct gs_local_open **out_open, int64_t *out_load_us,
                                  struct gs_local_short_of *out_of, struct gs_error *err)
{
    struct gs_local_model model;
    struct gs_arena a;

    gs_arena_init(&a, 0);
    enum gs_status st = gs_local_shelf_find(o->shelf, chat->model, writing, &a, &model, err);
    if (st == GS_OK)
        st = use_found(o, &model, chat, &a, out_open, out_load_us, err);
    if (st == GS_OK)
        tell(o, &model, *out_open, out_of);
    gs_arena_clear(&a);
    return st;
}
