/* SentencePiece's byte-pair model: the text, its spaces spelled U+2581, starts as characters, and
 * the neighbours that join to the token of the highest score are joined, until none do. What is no
 * token then is spelled in byte tokens (google/sentencepiece, bpe_model.cc). */
#include "base/error.h"
#include "token/tokenizer.h"

/* Floats as integers of the reverse order, so that the highest score is the lowest. */
static uint32_t order_of(float score)
{
    uint32_t bits;

    memcpy(&bits, &score, sizeof(bits));
    return bits >> 31 ? bits : ~bits & 0x7FFFFFFFu;
}

static bool may_merge(const void *ctx, const struct gs_token_symbol *left,
                      const struct gs_token_symbol *right, struct gs_token_candidate *out)
{
    const struct gs_token_job *const job = ctx;
    const struct gs_slice text = {job->merging.ptr + left->off, left->len + right->len};

    if (text.len > GS_TOKEN_MAX_SPELLING_BYTES)
        return false;
    out->id = gs_token_plain(job->t, text);
    if (out->id < 0)
        return false;
    out->order = order_of(job->t->scores ? job->t->scores[out->id] : 0.0f);
    return true;
}

enum gs_status gs_token_spm_encode(struct gs_token_job *job, struct gs_slice fragment)
{
    enum gs_status st = GS_OK;

    gs_buf_reset(&job->text);
    if (job->t->space_prefix && job->after_special)
        gs_buf_slice(&job->text, GS_SLICE_LIT(GS_TOKEN_SPACE));
    gs_token_escape_spaces(&job->text, fragment);
    if (!gs_buf_ok(&job->text))
        return gs_error_nomem(job->err, "tokenise");
    for (struct gs_slice rest = gs_buf_view(&job->text); st == GS_OK && rest.len > 0;)
        st = gs_token_job_merge(job, gs_token_next_word(job->t, &rest), may_merge);
    return st;
}
