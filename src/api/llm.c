/* Opening and closing a model. */
#include "api/llm.h"
#include "api/beginnings.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "api/replay.h"
#include "api/suggest.h"
#include "api/warm.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/os.h"
#include "base/slice.h"
#include "chat/prompt.h"
#include "compute/lane.h"
#include "constraint/constraint.h"
#include "engine/engine.h"
#include "gguf/gguf.h"
#include "model/encoder.h"
#include "model/model.h"

#define MAX_WAITING 256 /* answers queued at most */

const char *gs_version(void)
{
    return GENSET_VERSION;
}

void gs_llm_options_init(struct gs_llm_options *opt)
{
    *opt = (struct gs_llm_options){
        .struct_size = sizeof(*opt),
        .kv_type = GS_KV_F16,
        .max_sequences = GS_MAX_SEQUENCES,
        .batch_tokens = 512,
    };
}

static void report(const struct gs_llm *llm, double done)
{
    if (llm->opt.on_progress)
        llm->opt.on_progress(llm->opt.progress_ud, done);
}

/* The caller may have been compiled with fewer options than we have. */
static enum gs_status copy_options(struct gs_llm *llm, const struct gs_llm_options *opt,
                                   struct gs_error *err)
{
    struct gs_llm_options *o = &llm->opt;
    struct gs_slice cpu;

    gs_llm_options_init(o);
    memcpy(o, opt, GS_MIN(opt->struct_size, sizeof(*o)));
    o->struct_size = sizeof(*o);
    o->max_sequences = GS_MIN(GS_MAX(1, o->max_sequences), GS_MAX_SEQUENCES);
    o->batch_tokens = GS_MIN(GS_MAX(1, o->batch_tokens), 1 << 16);
    o->n_threads = GS_MIN(o->n_threads > 0 ? o->n_threads : gs_os_core_count(), GS_MAX_THREADS);
    if (o->cpu) {
        if (!gs_arena_dup(&llm->a, gs_slice_str(o->cpu), &cpu))
            return gs_error_nomem(err, "open a model");
        o->cpu = cpu.ptr;
    }
    return GS_OK;
}

/* The file's name without folder and ".gguf". */
static struct gs_slice name_of_path(const char *path)
{
    const char *slash = strrchr(path, '/');
    struct gs_slice name = gs_slice_str(slash ? slash + 1 : path);

    if (gs_slice_ends(name, GS_SLICE_LIT(".gguf")))
        name.len -= 5;
    return name;
}

/* A metadata text, zero-terminated; "" if it is absent or no text. */
static bool dup_text(struct gs_llm *llm, const char *key, struct gs_slice fallback,
                     struct gs_slice *out)
{
    struct gs_slice text = {0};

    if (!gs_gguf_get_string(llm->file, key, &text, NULL) || text.len == 0)
        text = fallback;
    return gs_arena_dup(&llm->a, text, out);
}

/* Names lie in the file without a zero at their end. */
static enum gs_status read_names(struct gs_llm *llm, struct gs_error *err)
{
    const size_t n_keys = gs_gguf_value_count(llm->file);
    const size_t n_tensors = gs_gguf_tensor_count(llm->file);

    llm->keys = gs_arena_array(&llm->a, n_keys, sizeof(*llm->keys));
    llm->tensor_names = gs_arena_array(&llm->a, n_tensors, sizeof(*llm->tensor_names));
    if (!llm->keys || !llm->tensor_names)
        return gs_error_nomem(err, "open a model");
    for (size_t i = 0; i < n_keys; i++)
        if (!gs_arena_dup(&llm->a, gs_gguf_value_at(llm->file, i)->key, &llm->keys[i]))
            return gs_error_nomem(err, "open a model");
    for (size_t i = 0; i < n_tensors; i++)
        if (!gs_arena_dup(&llm->a, gs_gguf_tensor_at(llm->file, i)->name, &llm->tensor_names[i]))
            return gs_error_nomem(err, "open a model");
    return GS_OK;
}

static enum gs_status read_texts(struct gs_llm *llm, const char *path, struct gs_error *err)
{
    const struct gs_slice none = {"", 0};
    const struct gs_slice bos =
        llm->tok ? gs_token_spelling(llm->tok, gs_token_bos(llm->tok)) : none;
    const struct gs_slice eos =
        llm->tok ? gs_token_spelling(llm->tok, gs_token_eos(llm->tok)) : none;

    if (!dup_text(llm, "general.architecture", none, &llm->arch) ||
        !dup_text(llm, "general.name", name_of_path(path), &llm->name) ||
        !dup_text(llm, "tokenizer.chat_template", none, &llm->chat_template) ||
        !gs_arena_dup(&llm->a, bos, &llm->bos_text) || !gs_arena_dup(&llm->a, eos, &llm->eos_text))
        return gs_error_nomem(err, "open a model");
    return GS_OK;
}

static enum gs_status list_end_tokens(struct gs_llm *llm, struct gs_error *err)
{
    const int32_t n_vocab = gs_token_vocab_len(llm->tok);
    size_t n = 0;

    for (int32_t id = 0; id < n_vocab; id++)
        n += gs_token_is_end(llm->tok, id);
    llm->end_tokens = gs_alloc_array(n, sizeof(*llm->end_tokens));
    if (!llm->end_tokens)
        return gs_error_nomem(err, "open a model");
    for (int32_t id = 0; id < n_vocab; id++)
        if (gs_token_is_end(llm->tok, id))
            llm->end_tokens[llm->n_end_tokens++] = id;
    return GS_OK;
}

/* Tokenizer and template. A file without a vocabulary still computes logits, and one whose
 * template fails still answers raw prompts: the reason is kept for whoever asks for more. */
static enum gs_status open_text(struct gs_llm *llm, const char *path, struct gs_error *err)
{
    enum gs_status st = gs_token_create(llm->file, &llm->tok, &llm->tok_err);

    if (st == GS_ENOMEM || (st != GS_OK && st != GS_ENOTFOUND && !llm->opt.weights_only)) {
        if (err)
            *err = llm->tok_err;
        return st;
    }
    if (llm->tok) {
        st = gs_replay_store_create(GS_MAX_REPLAY_BYTES, &llm->replays, err);
        if (st == GS_OK)
            st = list_end_tokens(llm, err);
        if (st != GS_OK)
            return st;
    }
    gs_suggest_read(llm->file, &llm->suggested);
    st = read_texts(llm, path, err);
    if (st != GS_OK)
        return st;
    st = gs_prompter_create(llm->chat_template, llm->bos_text, llm->eos_text, &llm->prompter,
                            &llm->prompter_err);
    if (st == GS_ENOMEM && err)
        *err = llm->prompter_err;
    return st == GS_ENOMEM ? st : GS_OK;
}

/* Memory for the weights is no longer free: what a mapping has is. */
static bool has_its_memory(const struct gs_llm *llm)
{
    return !llm->opt.weights_only && (llm->opt.huge_pages || llm->opt.lock_memory);
}

static enum gs_status plan(struct gs_llm *llm, struct gs_error *err)
{
    return gs_llm_budget_plan(llm->model, has_its_memory(llm) ? 0 : gs_gguf_bytes(llm->file),
                              &llm->opt, &llm->budget, err);
}

static enum gs_status open_weights(struct gs_llm *llm, struct gs_error *err)
{
    struct gs_error why = {0};
    enum gs_status st = gs_model_load(llm->file, &llm->model, &why);

    if (st == GS_OK && llm->opt.weights_only)
        st = plan(llm, &why);
    if (st == GS_OK || (llm->opt.weights_only && (llm->model || st != GS_ENOMEM)))
        return GS_OK;
    if (err)
        *err = why;
    return st;
}

static enum gs_status start_engine(struct gs_llm *llm, struct gs_error *err)
{
    const struct gs_engine_options opt = {
        .kv_type = gs_llm_kv_type(llm->opt.kv_type),
        .batch_tokens = (uint32_t)llm->opt.batch_tokens,
        .max_sequences = llm->budget.max_sequences,
        .max_waiting = MAX_WAITING,
        .kv_tokens = llm->budget.kv_tokens,
        .ctx_tokens = llm->budget.ctx_tokens,
    };

    if (gs_model_params(llm->model)->is_encoder)
        return GS_OK; /* it has no answers to give */
    return gs_engine_create(llm->model, llm->compute, &opt, &llm->engine, err);
}

/* The engine with as much memory as is asked for, or as there is. */
static enum gs_status open_engine(struct gs_llm *llm, struct gs_error *err)
{
    struct gs_error why = {0};
    enum gs_status st = gs_compute_create(llm->opt.n_threads, llm->opt.cpu, &llm->compute, err);

    if (st != GS_OK)
        return st;
    for (;;) {
        st = plan(llm, &why);
        if (st == GS_OK)
            st = start_engine(llm, &why);
        if (st == GS_OK)
            return GS_OK;
        if (err && (st == GS_ENOMEM || !llm->is_short))
            *err = why;
        if ((st != GS_ENOMEM && !llm->is_short) || !gs_llm_budget_shrink(llm->model, &llm->opt))
            return llm->is_short ? GS_ENOMEM : st; /* of less something else may be wrong */
        llm->is_short = true;
    }
}

static enum gs_status open_file(struct gs_llm *llm, const char *path, struct gs_error *err)
{
    const bool huge = llm->opt.huge_pages && !llm->opt.weights_only;
    enum gs_status st =
        huge ? gs_gguf_open_huge(path, &llm->file, err) : gs_gguf_open(path, &llm->file, err);

    if (st == GS_OK && llm->opt.lock_memory && !llm->opt.weights_only)
        st = gs_gguf_lock(llm->file, err);
    return st;
}

/* What takes time besides the file's bytes. */
static enum gs_status open_parts(struct gs_llm *llm, const char *path, struct gs_error *err)
{
    enum gs_status st = read_names(llm, err);

    if (st == GS_OK)
        st = open_text(llm, path, err);
    report(llm, 0.1);
    if (st == GS_OK)
        st = open_weights(llm, err);
    if (st == GS_OK && !llm->opt.weights_only)
        st = open_engine(llm, err);
    return st;
}

/* The bytes are what takes long, when they come from disk. */
static void report_bytes(void *ud, double part)
{
    report(ud, 0.1 + 0.9 * part);
}

static enum gs_status open_all(struct gs_llm *llm, const char *path, struct gs_error *err)
{
    struct gs_llm_warm warm = {0};
    enum gs_status st = open_file(llm, path, err);

    if (st != GS_OK)
        return st;
    if (!llm->opt.weights_only && !has_its_memory(llm))
        gs_llm_warm_start(&warm, llm->file);
    st = open_parts(llm, path, err);
    if (st == GS_OK)
        gs_llm_warm_finish(&warm, report_bytes, llm);
    gs_llm_warm_stop(&warm);
    return st;
}

/* The file is named after the model's. Where it cannot be, there is none. */
static enum gs_status open_beginnings(struct gs_llm *llm, const char *path, struct gs_error *err)
{
    const char *dir = llm->opt.beginnings_dir;
    const size_t n_vocab = llm->tok ? (size_t)gs_token_vocab_len(llm->tok) : 0;
    char name[4096];

    llm->opt.beginnings_dir = NULL; /* the caller's */
    if (!dir || gs_os_make_dirs(dir, NULL) != GS_OK ||
        (size_t)snprintf(name, sizeof(name), "%s/%016" PRIx64 ".json", dir,
                         gs_hash_bytes(path, strlen(path), n_vocab)) >= sizeof(name))
        return GS_OK;
    return gs_beginnings_create(name, n_vocab, llm->engine, &llm->beginnings, err);
}

enum gs_status gs_llm_open(const char *path, const struct gs_llm_options *opt, gs_llm **out_llm,
                           struct gs_error *err)
{
    struct gs_llm *llm = gs_alloc_zero(sizeof(*llm));
    bool spread = false;

    if (!llm)
        return gs_error_nomem(err, "open a model");
    gs_arena_init(&llm->a, 0);
    pthread_mutex_init(&llm->embed_lock, NULL);
    pthread_mutex_init(&llm->vocab_lock, NULL);
    enum gs_status st = copy_options(llm, opt, err);
    report(llm, 0);
    if (st == GS_OK && llm->opt.numa_spread && !llm->opt.weights_only) {
        st = gs_os_memory_spread(err); /* threads started from here on inherit it */
        spread = st == GS_OK;
    }
    if (st == GS_OK)
        st = open_all(llm, path, err);
    if (spread)
        gs_os_memory_gather();
    if (st == GS_OK && llm->engine)
        st = open_beginnings(llm, path, err);
    if (st != GS_OK) {
        gs_llm_close(llm);
        return st;
    }
    report(llm, 1);
    *out_llm = llm;
    return GS_OK;
}

void gs_llm_close(gs_llm *llm)
{
    if (!llm)
        return;
    gs_beginnings_free(llm->beginnings);
    gs_engine_free(llm->engine); /* before the rest, which its jobs use */
    gs_encoder_free(llm->encoder);
    gs_compute_free(llm->embed_compute);
    gs_compute_free(llm->compute);
    pthread_mutex_destroy(&llm->embed_lock);
    pthread_mutex_destroy(&llm->vocab_lock);
    gs_constraint_vocab_free(llm->vocab);
    gs_model_free(llm->model);
    gs_replay_store_free(llm->replays);
    gs_prompter_free(llm->prompter);
    gs_token_free(llm->tok);
    gs_free(llm->end_tokens);
    gs_gguf_close(llm->file);
    gs_arena_clear(&llm->a);
    gs_free(llm);
}
