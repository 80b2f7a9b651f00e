#include "api/heal.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/slice.h"
#include "chat/parser.h"

_Static_assert(GS_HEAL_BYTES <= 64, "places are bits of a word");

/* ---- tokens ---- */

/* The bytes of a token that stands for text; of all others none. */
static struct gs_slice text_of(const struct gs_heal *h, int32_t id)
{
    const enum gs_token_kind kind = gs_token_kind_of(h->tok, id);

    if (kind != GS_TOKEN_NORMAL && kind != GS_TOKEN_BYTE &&
        (kind != GS_TOKEN_USER_DEFINED ||
         gs_parser_reads_token(h->traits, gs_token_spelling(h->tok, id))))
        return gs_slice("", 0);
    return gs_token_bytes(h->tok, id);
}

static bool leads(const struct gs_heal *h, size_t at)
{
    return at == h->n || h->leads >> at & 1;
}

/* Whether a token of this text fits at byte `at`, and what follows it can be written, too. */
static bool fits(const struct gs_heal *h, size_t at, struct gs_slice text)
{
    const struct gs_slice rest = gs_slice(h->bytes + at, h->n - at);

    if (text.len == 0)
        return false;
    return text.len >= rest.len ? gs_slice_starts(text, rest)
                                : gs_slice_starts(rest, text) && leads(h, at + text.len);
}

/* ---- taking back ---- */

/* A word that follows a space is the same tokens whatever comes: vocabularies cut there. */
static bool begins_word(struct gs_slice text, struct gs_slice before)
{
    return text.ptr[0] == ' ' && before.len > 0 &&
           !memchr(" \t\r\n", before.ptr[before.len - 1], 4);
}

static bool begins_character(struct gs_slice text)
{
    return ((unsigned char)text.ptr[0] & 0xc0) != 0x80;
}

/* How many of the last tokens to take back. */
static size_t count_back(const struct gs_heal *h, const struct gs_token_ids *ids, size_t floor)
{
    size_t n_bytes = 0;
    size_t best = 0;

    for (size_t n = 1; n <= GS_HEAL_TOKENS && ids->len - n >= floor && n <= ids->len; n++) {
        const size_t i = ids->len - n;
        const struct gs_slice text = text_of(h, ids->ids[i]);
        n_bytes += text.len;
        if (text.len == 0 || n_bytes > GS_HEAL_BYTES)
            break;
        if (begins_character(text))
            best = n;
        if (i > floor && begins_word(text, text_of(h, ids->ids[i - 1])))
            break;
    }
    return best;
}

/* Mark the places from which tokens lead to the end. `ends[i]`: bit k if a token goes from byte i
 * to byte k + 1. */
static void find_leads(struct gs_heal *h)
{
    uint64_t ends[GS_HEAL_BYTES] = {0};
    uint64_t places[256] = {0};

    for (size_t i = 0; i < h->n; i++)
        places[(unsigned char)h->bytes[i]] |= (uint64_t)1 << i;
    for (int32_t id = 0; id < gs_token_vocab_len(h->tok); id++) {
        const struct gs_slice text = text_of(h, id);
        uint64_t at = text.len > 0 ? places[(unsigned char)text.ptr[0]] : 0;
        for (size_t i = 0; at; i++, at >>= 1) {
            const size_t n = GS_MIN(text.len, h->n - i);
            if (at & 1 && memcmp(h->bytes + i, text.ptr, n) == 0)
                ends[i] |= (uint64_t)1 << (i + n - 1);
        }
    }
    for (size_t i = h->n; i-- > 0;)
        for (size_t k = i; k < h->n; k++)
            if (ends[i] >> k & 1 && leads(h, k + 1))
                h->leads |= (uint64_t)1 << i;
}

enum gs_status gs_heal_begin(struct gs_heal *h, const struct gs_tokenizer *tok,
                             const struct gs_prompt_traits *traits, struct gs_token_ids *ids,
                             size_t floor, struct gs_error *err)
{
    *h = (struct gs_heal){
        .tok = tok, .traits = traits, .n_words = ((size_t)gs_token_vocab_len(tok) + 63) / 64};
    const size_t n = count_back(h, ids, floor);

    if (n == 0)
        return GS_OK;
    h->mask = gs_alloc_array(h->n_words, sizeof(*h->mask));
    if (!h->mask)
        return gs_error_nomem(err, "go on with an answer");
    ids->len -= n;
    h->n_tokens = n;
    memcpy(h->tokens, ids->ids + ids->len, n * sizeof(*h->tokens));
    for (size_t i = 0; i < n; i++) {
        const struct gs_slice text = text_of(h, h->tokens[i]);
        memcpy(h->bytes + h->n, text.ptr, text.len);
        h->n += text.len;
    }
    find_leads(h);
    return GS_OK;
}

void gs_heal_clear(struct gs_heal *h)
{
    gs_free(h->mask);
    *h = (struct gs_heal){.n = 0};
}

/* ---- writing again ---- */

static bool may_come(const struct gs_heal *h, int32_t id, gs_heal_allows *allows, void *ud)
{
    const struct gs_slice text = text_of(h, id);
    const size_t n = h->n - h->at;

    return fits(h, h->at, text) && (text.len <= n || allows(ud, gs_slice_sub(text, n, text.len)));
}

const uint64_t *gs_heal_mask(struct gs_heal *h, int32_t drawn, gs_heal_allows *allows, void *ud)
{
    if (may_come(h, drawn, allows, ud))
        return NULL;
    memset(h->mask, 0, h->n_words * sizeof(*h->mask));
    for (int32_t id = 0; id < gs_token_vocab_len(h->tok); id++)
        if (may_come(h, id, allows, ud))
            h->mask[id / 64] |= (uint64_t)1 << (id % 64);
    return h->mask;
}

struct gs_slice gs_heal_accept(struct gs_heal *h, int32_t id)
{
    const struct gs_slice text = text_of(h, id);
    const size_t n = GS_MIN(text.len, h->n - h->at);

    h->at += n;
    h->n_again += n == text.len;
    return gs_slice_sub(text, n, text.len);
}
