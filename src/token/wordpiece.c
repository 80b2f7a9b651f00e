/* WordPiece, as BERT has it (google-research/bert, tokenization.py): the text is lower-cased and
 * its accents are dropped, it is cut at white space and around punctuation and Chinese characters,
 * and each word becomes the longest tokens that fit, from the left, or the unknown token.
 *
 * GGUF spells "word" as U+2581 "word" and "##piece" as "piece". */
#include <utf8proc.h>

#include "base/error.h"
#include "gguf/gguf.h"
#include "token/tokenizer.h"

#define MAX_DECOMPOSED 32 /* characters one character may become; Unicode has 18 at most */

enum gs_status gs_token_wordpiece_load(struct gs_tokenizer *t, const struct gs_gguf *f,
                                       struct gs_error *err)
{
    t->lowercase = true;
    if (!gs_gguf_get_bool(f, "tokenizer.ggml.normalizer.lowercase", &t->lowercase, err))
        return GS_EFORMAT;
    t->strip_accents = t->lowercase;
    if (!gs_gguf_get_bool(f, "tokenizer.ggml.normalizer.strip_accents", &t->strip_accents, err))
        return GS_EFORMAT;
    if (!gs_token_trie_init(&t->pieces, (size_t)t->n_tokens * 8))
        return gs_error_nomem(err, "load the vocabulary");
    for (int32_t i = 0; i < t->n_tokens; i++)
        if (t->spellings[i].len > 0 && gs_token_plain(t, t->spellings[i]) == i &&
            !gs_token_trie_put(&t->pieces, t->spellings[i], i))
            return gs_error_nomem(err, "load the vocabulary");
    return GS_OK;
}

/* Length of the longest token at the start of `s`, 0 if none. */
static size_t longest_piece(const struct gs_token_trie *trie, struct gs_slice s, int32_t *out_id)
{
    size_t found = 0;
    uint32_t node = 0;

    for (size_t i = 0; i < s.len; i++) {
        node = gs_token_trie_next(trie, node, (unsigned char)s.ptr[i]);
        if (node == 0)
            break;
        if (trie->ids[node] >= 0) {
            *out_id = trie->ids[node];
            found = i + 1;
        }
    }
    return found;
}

/* job->word holds U+2581 and the word; empty it. */
static enum gs_status end_word(struct gs_token_job *job)
{
    const size_t from = job->out->len;
    struct gs_slice rest = gs_buf_view(&job->word);
    enum gs_status st = GS_OK;

    if (!gs_buf_ok(&job->word))
        return gs_error_nomem(job->err, "tokenise");
    if (rest.len == 0)
        return GS_OK;
    while (st == GS_OK && rest.len > 0) {
        int32_t id = -1;
        const size_t n = longest_piece(&job->t->pieces, rest, &id);
        if (n == 0)
            break;
        st = gs_token_job_put(job, id);
        rest = gs_slice_sub(rest, n, rest.len);
    }
    if (st == GS_OK && rest.len > 0) { /* a word is known as a whole or not at all */
        job->out->len = from;
        st = gs_token_job_put(job, job->t->unk);
    }
    gs_buf_reset(&job->word);
    return st;
}

/* The blocks that count as Chinese characters, as the reference has them (one of its limits is a
 * slip, and the vocabularies were made with it). */
static bool is_chinese(uint32_t cp)
{
    return (cp >= 0x4E00 && cp <= 0x9FFF) || (cp >= 0x3400 && cp <= 0x4DBF) ||
           (cp >= 0x20000 && cp <= 0x2A6DF) || (cp >= 0x2A700 && cp <= 0x2B73F) ||
           (cp >= 0x2B740 && cp <= 0x2B81F) || (cp >= 0x2B920 && cp <= 0x2CEAF) ||
           (cp >= 0xF900 && cp <= 0xFAFF) || (cp >= 0x2F800 && cp <= 0x2FA1F);
}

/* A word by itself: punctuation, any ASCII symbol, a Chinese character. */
static bool stands_alone(uint32_t cp, utf8proc_category_t category)
{
    return (category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO) ||
           (cp < 0x7F && category >= UTF8PROC_CATEGORY_SM && category <= UTF8PROC_CATEGORY_SO) ||
           is_chinese(cp);
}

/* The character that is left when accents are taken off. Where a character decomposes into several
 * that are no accents (Hangul), only the first is kept, as in the reference. */
static uint32_t base_of(uint32_t cp)
{
    utf8proc_int32_t parts[MAX_DECOMPOSED];
    int boundary = UTF8PROC_BOUNDCLASS_START;
    const utf8proc_ssize_t n = utf8proc_decompose_char((utf8proc_int32_t)cp, parts, MAX_DECOMPOSED,
                                                       UTF8PROC_DECOMPOSE, &boundary);

    return n > 0 && n <= MAX_DECOMPOSED ? (uint32_t)parts[0] : cp;
}

static void add_to_word(struct gs_token_job *job, uint32_t cp)
{
    char text[4];

    if (job->word.len == 0)
        gs_buf_slice(&job->word, GS_SLICE_LIT(GS_TOKEN_SPACE));
    if (job->t->lowercase)
        cp = (uint32_t)utf8proc_tolower((utf8proc_int32_t)cp);
    gs_buf_put(&job->word, text, gs_utf8_encode(cp, text));
}

static enum gs_status encode_char(struct gs_token_job *job, uint32_t cp)
{
    if (cp == 0 || cp == 0xFFFD)
        return GS_OK;
    if (job->t->strip_accents)
        cp = base_of(cp);
    if (gs_token_is_space(cp))
        return end_word(job);
    const utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)cp);
    const bool is_control = category >= UTF8PROC_CATEGORY_CC && category <= UTF8PROC_CATEGORY_CO;
    const bool is_mark = category >= UTF8PROC_CATEGORY_MN && category <= UTF8PROC_CATEGORY_ME;
    if (is_control || (is_mark && job->t->strip_accents))
        return GS_OK;
    if (!stands_alone(cp, category)) {
        add_to_word(job, cp);
        return GS_OK;
    }
    const enum gs_status st = end_word(job);
    if (st != GS_OK)
        return st;
    add_to_word(job, cp);
    return end_word(job);
}

enum gs_status gs_token_wordpiece_encode(struct gs_token_job *job, struct gs_slice fragment)
{
    enum gs_status st = GS_OK;

    gs_buf_reset(&job->word);
    for (size_t i = 0; st == GS_OK && i < fragment.len;) {
        uint32_t cp;
        i += gs_utf8_decode(fragment, i, &cp);
        st = encode_char(job, cp);
    }
    return st == GS_OK ? end_word(job) : st;
}
