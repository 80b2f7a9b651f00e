/* A tokenizer's creation, and what it tells about its tokens. */
#include "token/token.h"

#include "base/alloc.h"
#include "base/error.h"
#include "gguf/gguf.h"
#include "token/tokenizer.h"

#define KEY(name) "tokenizer.ggml." name

/* ---- models ---- */

/* The ids are those of the vocabulary each model was first published with. */
static void set_spm_defaults(struct gs_tokenizer *t)
{
    t->encode = gs_token_spm_encode;
    t->unk = 0;
    t->bos = 1;
    t->eos = 2;
    t->add_bos = true;
    t->space_prefix = true;
    t->escape_spaces = true;
}

static void set_wordpiece_defaults(struct gs_tokenizer *t)
{
    t->encode = gs_token_wordpiece_encode;
    t->unk = 100;
    t->bos = 101;
    t->sep = 102;
    t->add_bos = true;
    t->add_sep = true;
}

static void set_unigram_defaults(struct gs_tokenizer *t)
{
    t->encode = gs_token_unigram_encode;
    t->eos = 1;
    t->unk = 2;
    t->add_eos = true;
    t->escape_spaces = true;
}

/* `pre` names the pre-tokenizer; it decides how tokens are spelled, so it comes first. */
static enum gs_status set_bpe_defaults(struct gs_tokenizer *t, struct gs_slice pre,
                                       struct gs_error *err)
{
    struct gs_token_pre_traits traits;
    const enum gs_status st = gs_token_splitter_create(pre, &t->splitter, &traits, err);

    if (st != GS_OK)
        return st;
    t->encode = gs_token_bpe_encode;
    t->add_bos = traits.add_bos;
    t->whole_words = traits.whole_words;
    t->escape_spaces = traits.spelled_spaces;
    t->byte_level = !traits.spelled_spaces;
    return GS_OK;
}

static enum gs_status set_defaults(struct gs_tokenizer *t, const struct gs_gguf *f,
                                   struct gs_error *err)
{
    struct gs_slice model = {0};
    struct gs_slice pre = GS_SLICE_LIT("default");

    if (!gs_gguf_get_string(f, KEY("model"), &model, err) ||
        !gs_gguf_get_string(f, KEY("pre"), &pre, err))
        return GS_EFORMAT;
    t->bos = t->eos = t->unk = t->sep = -1;
    if (model.len == 0 || gs_slice_eq_str(model, "none") || gs_slice_eq_str(model, "no_vocab"))
        return gs_error_set(err, GS_ENOTFOUND, "the model file carries no vocabulary");
    if (gs_slice_eq_str(model, "gpt2"))
        return set_bpe_defaults(t, pre, err);
    if (gs_slice_eq_str(model, "gemma4"))
        return set_bpe_defaults(t, GS_SLICE_LIT("gemma4"), err);
    if (gs_slice_eq_str(model, "llama"))
        set_spm_defaults(t);
    else if (gs_slice_eq_str(model, "bert"))
        set_wordpiece_defaults(t);
    else if (gs_slice_eq_str(model, "t5"))
        set_unigram_defaults(t);
    else
        return gs_error_set(err, GS_EUNSUPPORTED,
                            "tokenizer \"%.*s\" is not supported; known are gpt2, gemma4, llama, "
                            "bert and t5",
                            (int)GS_MIN(model.len, 64), model.ptr);
    return GS_OK;
}

/* What the file says goes before the defaults. */
static enum gs_status load_flags(struct gs_tokenizer *t, const struct gs_gguf *f,
                                 struct gs_error *err)
{
    if (!gs_gguf_get_bool(f, KEY("add_eos_token"), &t->add_eos, err) ||
        !gs_gguf_get_bool(f, KEY("add_space_prefix"), &t->space_prefix, err) ||
        !gs_gguf_get_bool(f, KEY("remove_extra_whitespaces"), &t->merge_spaces, err))
        return GS_EFORMAT;
    /* BERT is nothing without [CLS], and Gemma 4's files are known to say the wrong thing. */
    const bool always_bos = t->encode == gs_token_wordpiece_encode ||
                            (t->encode == gs_token_bpe_encode && t->escape_spaces);
    bool add_bos = t->add_bos;
    if (!gs_gguf_get_bool(f, KEY("add_bos_token"), &add_bos, err))
        return GS_EFORMAT;
    t->add_bos = add_bos || always_bos;
    t->drop_first_space = t->space_prefix || t->encode == gs_token_wordpiece_encode;
    return GS_OK;
}

static enum gs_status load_specials(struct gs_tokenizer *t, struct gs_error *err)
{
    if (!gs_token_trie_init(&t->specials, 0))
        return gs_error_nomem(err, "load the vocabulary");
    for (int32_t i = 0; i < t->n_tokens; i++) {
        const struct gs_slice s = t->spellings[i];
        if (s.len == 0 || (t->kinds[i] != GS_TOKEN_CONTROL && t->kinds[i] != GS_TOKEN_UNKNOWN &&
                           t->kinds[i] != GS_TOKEN_USER_DEFINED))
            continue;
        if (!gs_token_trie_put(&t->specials, s, i))
            return gs_error_nomem(err, "load the vocabulary");
        t->special_leads[(unsigned char)s.ptr[0]] = true;
    }
    return GS_OK;
}

static enum gs_status load(struct gs_tokenizer *t, const struct gs_gguf *f, struct gs_error *err)
{
    enum gs_status st = set_defaults(t, f, err);

    if (st == GS_OK)
        st = load_flags(t, f, err);
    if (st == GS_OK)
        st = gs_token_vocab_load(t, f, err);
    if (st == GS_OK)
        st = load_specials(t, err);
    if (st != GS_OK)
        return st;
    if (t->encode == gs_token_bpe_encode)
        return gs_token_bpe_load(t, f, err);
    if (t->encode == gs_token_wordpiece_encode)
        return gs_token_wordpiece_load(t, f, err);
    if (t->encode == gs_token_unigram_encode)
        return gs_token_unigram_load(t, f, err);
    return GS_OK;
}

enum gs_status gs_token_create(const struct gs_gguf *f, struct gs_tokenizer **out_tok,
                               struct gs_error *err)
{
    struct gs_tokenizer *const t = gs_alloc_zero(sizeof(*t));

    if (!t)
        return gs_error_nomem(err, "load the vocabulary");
    const enum gs_status st = load(t, f, err);
    if (st != GS_OK) {
        gs_token_free(t);
        return st;
    }
    *out_tok = t;
    return GS_OK;
}

void gs_token_free(struct gs_tokenizer *t)
{
    if (!t)
        return;
    gs_free(t->kinds);
    gs_free(t->attrs);
    gs_free(t->scores);
    gs_free(t->bytes);
    gs_free(t->byte_offs);
    gs_token_index_clear(&t->by_spelling);
    gs_token_trie_clear(&t->specials);
    gs_token_trie_clear(&t->pieces);
    gs_token_splitter_free(t->splitter);
    gs_free(t->merges.rules);
    gs_free(t->merges.slots);
    gs_free(t);
}

/* ---- tokens ---- */

static bool is_id(const struct gs_tokenizer *t, int32_t id)
{
    return id >= 0 && id < t->n_tokens;
}

int32_t gs_token_vocab_len(const struct gs_tokenizer *t)
{
    return t->n_tokens;
}

int32_t gs_token_bos(const struct gs_tokenizer *t)
{
    return t->bos;
}

int32_t gs_token_eos(const struct gs_tokenizer *t)
{
    return t->eos;
}

bool gs_token_is_end(const struct gs_tokenizer *t, int32_t id)
{
    return is_id(t, id) && t->attrs[id] & GS_TOKEN_ENDS_TURN;
}

enum gs_token_kind gs_token_kind_of(const struct gs_tokenizer *t, int32_t id)
{
    return is_id(t, id) ? (enum gs_token_kind)t->kinds[id] : GS_TOKEN_UNKNOWN;
}

struct gs_slice gs_token_spelling(const struct gs_tokenizer *t, int32_t id)
{
    return is_id(t, id) ? t->spellings[id] : (struct gs_slice){0};
}

struct gs_slice gs_token_bytes(const struct gs_tokenizer *t, int32_t id)
{
    if (!is_id(t, id))
        return (struct gs_slice){0};
    return gs_slice(t->bytes + t->byte_offs[id], t->byte_offs[id + 1] - t->byte_offs[id]);
}
