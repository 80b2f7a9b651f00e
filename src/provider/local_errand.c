/* What is asked of a model's tokenizer and template alone. */
#include "provider/local_errand.h"

#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/slice.h"
#include "genset/genset.h"
#include "provider/catalog.h"
#include "provider/local_open.h"

static enum gs_status no_memory(struct gs_error *err)
{
    return gs_error_nomem(err, "hold the result");
}

static enum gs_status keep_pieces(gs_llm *llm, struct gs_errand *e, struct gs_error *err)
{
    struct gs_slice *pieces = gs_arena_array(e->arena, GS_MAX(e->n_tokens, 1), sizeof(*pieces));

    if (!pieces)
        return no_memory(err);
    for (size_t i = 0; i < e->n_tokens; i++) {
        if (!gs_arena_dup(e->arena, gs_llm_token_text(llm, e->tokens[i]), &pieces[i]))
            return no_memory(err);
    }
    e->pieces = pieces;
    return GS_OK;
}

static enum gs_status tokenize(gs_llm *llm, struct gs_errand *e, struct gs_error *err)
{
    const unsigned flags = (e->add_special ? GS_TOKENIZE_ADD_SPECIAL : 0) |
                           (e->parse_special ? GS_TOKENIZE_PARSE_SPECIAL : 0);
    int32_t *ids = NULL;
    size_t n = 0;
    const enum gs_status st = gs_llm_tokenize(llm, e->text, flags, &ids, &n, err);

    if (st != GS_OK)
        return st;
    int32_t *kept = gs_arena_array(e->arena, GS_MAX(n, 1), sizeof(*kept));
    if (kept && n)
        memcpy(kept, ids, n * sizeof(*kept));
    gs_free_tokens(ids);
    if (!kept)
        return no_memory(err);
    e->tokens = kept;
    e->n_tokens = n;
    return e->wants_pieces ? keep_pieces(llm, e, err) : GS_OK;
}

/* A token outside the vocabulary has no text: that is said, not passed over. */
static enum gs_status detokenize(gs_llm *llm, struct gs_errand *e, struct gs_error *err)
{
    struct gs_llm_info info;
    struct gs_buf b;
    enum gs_status st = GS_OK;

    gs_llm_info(llm, &info);
    gs_buf_init(&b, GS_MAX_RESPONSE_BYTES);
    for (size_t i = 0; i < e->n_tokens && st == GS_OK; i++) {
        if (e->tokens[i] < 0 || e->tokens[i] >= info.n_vocab)
            st = gs_error_set(err, GS_EINVAL, "tokens: %d is not in the vocabulary of %d",
                              (int)e->tokens[i], (int)info.n_vocab);
        gs_buf_slice(&b, gs_llm_token_text(llm, e->tokens[i]));
    }
    if (st == GS_OK && (!gs_buf_ok(&b) || !gs_arena_dup(e->arena, gs_buf_view(&b), &e->text)))
        st = no_memory(err);
    gs_buf_clear(&b);
    return st;
}

static enum gs_status render(gs_llm *llm, struct gs_errand *e, struct gs_error *err)
{
    char *text;
    size_t len;
    const enum gs_status st = gs_llm_render(llm, e->chat, &text, &len, err);

    if (st != GS_OK)
        return st;
    const bool fits = gs_arena_dup(e->arena, gs_slice(text, len), &e->text);
    gs_free_text(text);
    return fits ? GS_OK : no_memory(err);
}

static enum gs_status tell_facts(const struct gs_local_open *m, int32_t n_slots,
                                 struct gs_errand *e, struct gs_error *err)
{
    struct gs_local_model *model = gs_arena_alloc(e->arena, sizeof(*model));
    struct gs_llm_info info;

    gs_llm_info(m->llm, &info);
    if (!model || !gs_local_catalog_copy(e->arena, &m->model, model) ||
        !gs_arena_dup(e->arena, gs_slice_str(info.chat_template), &e->chat_template) ||
        !gs_arena_dup(e->arena, gs_slice_str(info.bos_text), &e->bos_text) ||
        !gs_arena_dup(e->arena, gs_slice_str(info.eos_text), &e->eos_text))
        return no_memory(err);
    model->is_loaded = true;
    model->fit_tokens = m->fit_tokens;
    e->models = model;
    e->n_models = 1;
    e->calls_tools = info.supports_tools;
    e->reasons = info.supports_reasoning;
    e->fills_in = info.supports_infill;
    e->n_slots = n_slots;
    return GS_OK;
}

enum gs_status gs_local_errand_do(const struct gs_local_open *m, int32_t n_slots,
                                  struct gs_errand *e, struct gs_error *err)
{
    switch (e->kind) {
    case GS_ERRAND_TOKENIZE:
        return tokenize(m->llm, e, err);
    case GS_ERRAND_DETOKENIZE:
        return detokenize(m->llm, e, err);
    case GS_ERRAND_RENDER:
        return render(m->llm, e, err);
    case GS_ERRAND_FACTS:
        return tell_facts(m, n_slots, e, err);
    case GS_ERRAND_OPEN:
    case GS_ERRAND_CLOSE:
    case GS_ERRAND_LIST:
    case GS_ERRAND_FIND:
    case GS_ERRAND_SHOW:
    case GS_ERRAND_COPY:
    case GS_ERRAND_DELETE:
    case GS_ERRAND_CREATE:
    case GS_ERRAND_BLOB_FIND:
    case GS_ERRAND_BLOB_ADD:
        break;
    }
    return GS_OK;
}
