/* Byte-pair encoding: a word starts as bytes (or, in vocabularies that spell spaces as
 * SentencePiece does, as characters), and the pair of tokens whose merge was learnt first is joined
 * until no merge is left (Sennrich et al. 2016). */
#include "base/alloc.h"
#include "base/error.h"
#include "base/os.h"
#include "gguf/gguf.h"
#include "token/tokenizer.h"

#define MERGES_KEY "tokenizer.ggml.merges"
#define MAX_MERGES ((uint64_t)1 << 24)

/* ---- the table of merges ---- */

/* The slot of a pair's rank, or the free one where it belongs. */
static uint32_t *find_slot(const struct gs_token_merges *m, int32_t left, int32_t right)
{
    const uint64_t key = ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) ^ m->seed;
    uint64_t h = key * 0x9E3779B97F4A7C15u;

    for (h = (h ^ h >> 32) & m->mask; m->slots[h] != 0; h = (h + 1) & m->mask) {
        const struct gs_token_merge *rule = &m->rules[m->slots[h] - 1];
        if (rule->left == left && rule->right == right)
            break;
    }
    return &m->slots[h];
}

/* A merge that names what is no token can never happen, and is left out. */
static enum gs_status add_merge(struct gs_tokenizer *t, struct gs_slice rule, uint32_t rank,
                                struct gs_error *err)
{
    char joined[GS_TOKEN_MAX_SPELLING_BYTES];
    const size_t space = rule.len > 1 ? gs_slice_find(rule, GS_SLICE_LIT(" "), 1) : SIZE_MAX;

    if (space == SIZE_MAX)
        return gs_error_set(err, GS_EFORMAT, MERGES_KEY ": merge %u has no two parts", rank);
    if (rule.len - 1 > sizeof(joined))
        return GS_OK;
    const struct gs_slice left = gs_slice_sub(rule, 0, space);
    const struct gs_slice right = gs_slice_sub(rule, space + 1, rule.len);
    const int32_t left_id = gs_token_plain(t, left);
    const int32_t right_id = gs_token_plain(t, right);
    if (left_id < 0 || right_id < 0)
        return GS_OK;
    memcpy(joined, left.ptr, left.len);
    memcpy(joined + left.len, right.ptr, right.len);
    const int32_t id = gs_token_plain(t, gs_slice(joined, left.len + right.len));
    uint32_t *const slot = find_slot(&t->merges, left_id, right_id);
    if (id >= 0 && *slot == 0) {
        *slot = rank + 1;
        t->merges.rules[rank] = (struct gs_token_merge){left_id, right_id, id};
    }
    return GS_OK;
}

static enum gs_status load_merges(struct gs_tokenizer *t, const struct gs_gguf *f,
                                  struct gs_error *err)
{
    const struct gs_gguf_value *const v = gs_gguf_find(f, MERGES_KEY);
    uint64_t cap = 2;

    if (!v)
        return gs_error_set(err, GS_EFORMAT, MERGES_KEY " is missing");
    if (v->kind != GS_GGUF_ARRAY || v->item_kind != GS_GGUF_STRING || v->n_items > MAX_MERGES)
        return gs_error_set(err, GS_EFORMAT,
                            MERGES_KEY ": expected an array of at most %llu strings",
                            (unsigned long long)MAX_MERGES);
    while (cap < 2 * v->n_items)
        cap *= 2;
    t->merges = (struct gs_token_merges){
        .rules = gs_alloc_array((size_t)v->n_items, sizeof(*t->merges.rules)),
        .slots = gs_alloc_array(cap, sizeof(*t->merges.slots)),
        .mask = cap - 1,
        .seed = gs_os_random_u64(),
    };
    if (!t->merges.rules || !t->merges.slots)
        return gs_error_nomem(err, "load the merges");
    for (uint64_t i = 0; i < v->n_items; i++) {
        const enum gs_status st = add_merge(t, v->strings[i], (uint32_t)i, err);
        if (st != GS_OK)
            return st;
    }
    return GS_OK;
}

enum gs_status gs_token_bpe_load(struct gs_tokenizer *t, const struct gs_gguf *f,
                                 struct gs_error *err)
{
    return load_merges(t, f, err);
}

/* ---- encoding ---- */

static bool may_merge(const void *ctx, const struct gs_token_symbol *left,
                      const struct gs_token_symbol *right, struct gs_token_candidate *out)
{
    const struct gs_token_job *const job = ctx;

    if (left->id < 0 || right->id < 0)
        return false;
    const uint32_t rank = *find_slot(&job->t->merges, left->id, right->id);
    if (rank == 0)
        return false;
    out->order = rank;
    out->id = job->t->merges.rules[rank - 1].id;
    return true;
}

/* The token that is this whole word, or -1. */
static int32_t find_whole(struct gs_token_job *job, struct gs_slice word)
{
    char text[GS_TOKEN_MAX_SPELLING_BYTES];
    size_t len = 0;

    if (!job->t->byte_level)
        return gs_token_plain(job->t, word);
    for (size_t i = 0; i < word.len; i++) {
        if (sizeof(text) - len < 4)
            return -1; /* no token is so long */
        len += gs_utf8_encode(job->t->alphabet[(unsigned char)word.ptr[i]], text + len);
    }
    return gs_token_plain(job->t, gs_slice(text, len));
}

static enum gs_status encode_word(void *ctx, struct gs_slice word)
{
    struct gs_token_job *const job = ctx;
    enum gs_status st = GS_OK;

    if (job->t->whole_words || (job->t->escape_spaces && word.ptr[0] == '\n')) {
        const int32_t id = find_whole(job, word);
        if (id >= 0)
            return gs_token_job_put(job, id);
    }
    while (st == GS_OK && word.len > 0)
        st = gs_token_job_merge(job, gs_token_next_word(job->t, &word), may_merge);
    return st;
}

enum gs_status gs_token_bpe_encode(struct gs_token_job *job, struct gs_slice fragment)
{
    if (job->t->escape_spaces) {
        gs_buf_reset(&job->text);
        gs_token_escape_spaces(&job->text, fragment);
        if (!gs_buf_ok(&job->text))
            return gs_error_nomem(job->err, "tokenise");
        fragment = gs_buf_view(&job->text);
    }
    return gs_token_split(job->t->splitter, fragment, encode_word, job, job->err);
}
