/* Fill in the middle, in the order all files we know have it: mark, prefix, mark, suffix, mark
 * (Bavarian et al. 2022, "PSM"). The marks are tokens that the file names by id, or else tokens of
 * well-known spellings. Codestral's order is another, and its marks stand in vocabularies of models
 * that never learnt them too: it is not known here. */
#include "api/infill.h"

#include "base/error.h"
#include "base/slice.h"
#include "gguf/gguf.h"

#define KEY(name) "tokenizer.ggml." name

enum { PREFIX, SUFFIX, MIDDLE, N_MARKS };

static const char *const keys[][N_MARKS] = {
    {KEY("fim_pre_token_id"), KEY("fim_suf_token_id"), KEY("fim_mid_token_id")},
    {KEY("prefix_token_id"), KEY("suffix_token_id"), KEY("middle_token_id")}, /* until 2024-10 */
};

static const char *const spellings[][N_MARKS] = {
    {"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"},    /* Qwen, CodeGemma */
    {"<fim_prefix>", "<fim_suffix>", "<fim_middle>"},          /* StarCoder, Granite */
    {"<fim-prefix>", "<fim-suffix>", "<fim-middle>"},          /* SantaCoder */
    {"<|code_prefix|>", "<|code_suffix|>", "<|code_middle|>"}, /* GLM */
    {"<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"},    /* DeepSeek */
    {"▁<PRE>", "▁<SUF>", "▁<MID>"},                            /* CodeLlama */
    {"<PRE>", "<SUF>", "<MID>"},
};

static enum gs_status find_by_key(const struct gs_llm *llm, const char *const names[N_MARKS],
                                  int32_t marks[N_MARKS], struct gs_error *err)
{
    const int32_t n_vocab = gs_token_vocab_len(llm->tok);

    for (int i = 0; i < N_MARKS; i++) {
        uint32_t id = UINT32_MAX; /* none */
        if (!gs_gguf_get_u32(llm->file, names[i], &id, err))
            return GS_EFORMAT;
        if (id != UINT32_MAX && id >= (uint32_t)n_vocab)
            return gs_error_set(err, GS_EFORMAT, "%s: token %u is not in the vocabulary of %d",
                                names[i], id, n_vocab);
        marks[i] = id == UINT32_MAX ? -1 : (int32_t)id;
    }
    return GS_OK;
}

static bool is_complete(const int32_t marks[N_MARKS])
{
    return marks[PREFIX] >= 0 && marks[SUFFIX] >= 0 && marks[MIDDLE] >= 0;
}

static enum gs_status find_marks(const struct gs_llm *llm, int32_t marks[N_MARKS],
                                 struct gs_error *err)
{
    for (size_t i = 0; i < GS_COUNT_OF(keys); i++) {
        const enum gs_status st = find_by_key(llm, keys[i], marks, err);
        if (st != GS_OK || is_complete(marks))
            return st;
    }
    for (size_t i = 0; i < GS_COUNT_OF(spellings); i++) {
        for (int k = 0; k < N_MARKS; k++)
            marks[k] = gs_token_find(llm->tok, gs_slice_str(spellings[i][k]));
        if (is_complete(marks))
            return GS_OK;
    }
    gs_error_set(err, GS_EUNSUPPORTED, "model \"%s\" does not fill in between texts",
                 llm->name.ptr);
    gs_error_hint(err, "Ask without a suffix, or take a model made for completing code.");
    return GS_EUNSUPPORTED;
}

bool gs_llm_can_infill(const struct gs_llm *llm)
{
    int32_t marks[N_MARKS];

    return llm->tok && find_marks(llm, marks, NULL) == GS_OK;
}

enum gs_status gs_llm_infill_tokens(const struct gs_llm *llm, const struct gs_chat *chat,
                                    struct gs_token_ids *ids, struct gs_error *err)
{
    int32_t marks[N_MARKS] = {-1, -1, -1};
    enum gs_status st = find_marks(llm, marks, err);

    if (st == GS_OK)
        st = gs_llm_append_tokens(ids, &marks[PREFIX], 1, err);
    if (st == GS_OK)
        st = gs_token_encode(llm->tok, chat->raw_prompt, 0, ids, err);
    if (st == GS_OK)
        st = gs_llm_append_tokens(ids, &marks[SUFFIX], 1, err);
    if (st == GS_OK)
        st = gs_token_encode(llm->tok, chat->raw_suffix, 0, ids, err);
    if (st == GS_OK)
        st = gs_llm_append_tokens(ids, &marks[MIDDLE], 1, err);
    return st;
}
