/* Encoding: special tokens are found first, from the left, the longest that fits; the text between
 * goes to the model's own encoder. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/limits.h"
#include "token/tokenizer.h"

#define FIRST_CAP ((size_t)64)
#define MAX_BUF_BYTES                                                                              \
    (4 * GS_MAX_PROMPT_BYTES) /* a space becomes three bytes, and more by NFKC                     \
                               */

void gs_token_ids_clear(struct gs_token_ids *ids)
{
    if (!ids)
        return;
    gs_free(ids->ids);
    *ids = (struct gs_token_ids){0};
}

/* ---- for the encoders ---- */

enum gs_status gs_token_job_put(struct gs_token_job *job, int32_t id)
{
    struct gs_token_ids *const out = job->out;

    if (id < 0)
        return GS_OK;
    if (out->len == out->cap) {
        const size_t cap = GS_MAX(out->cap * 2, FIRST_CAP);
        int32_t *const ids = gs_realloc(out->ids, cap * sizeof(*ids));
        if (!ids)
            return gs_error_nomem(job->err, "tokenise");
        out->ids = ids;
        out->cap = cap;
    }
    out->ids[out->len++] = id;
    return GS_OK;
}

enum gs_status gs_token_job_put_unknown(struct gs_token_job *job, size_t from)
{
    const struct gs_token_ids *const out = job->out;

    if (out->len > from && out->ids[out->len - 1] == job->t->unk)
        return GS_OK;
    return gs_token_job_put(job, job->t->unk);
}

static void add_symbols(struct gs_token_job *job, struct gs_slice word)
{
    const struct gs_tokenizer *const t = job->t;

    for (size_t i = 0; i < word.len;) {
        uint32_t cp;
        const size_t n = t->byte_level ? 1 : gs_utf8_decode(word, i, &cp);
        const int32_t id = t->byte_level ? t->byte_ids[(unsigned char)word.ptr[i]]
                                         : gs_token_plain(t, gs_slice(word.ptr + i, n));
        gs_token_merger_add(&job->merger, id, (uint32_t)i, (uint32_t)n);
        i += n;
    }
}

/* A symbol that is no token: its bytes, as far as there are tokens for them. */
static enum gs_status put_bytes(struct gs_token_job *job, struct gs_slice s)
{
    const struct gs_tokenizer *const t = job->t;
    enum gs_status st = GS_OK;

    for (size_t i = 0; st == GS_OK && i < s.len; i++) {
        const int32_t id = t->byte_ids[(unsigned char)s.ptr[i]];
        if (id < 0)
            return gs_token_job_put(job, t->unk);
        st = gs_token_job_put(job, id);
    }
    return st;
}

enum gs_status gs_token_job_merge(struct gs_token_job *job, struct gs_slice word,
                                  gs_token_pair_fn *pair)
{
    struct gs_token_merger *const m = &job->merger;
    enum gs_status st = GS_OK;

    if (!gs_token_merger_begin(m, word.len))
        return gs_error_nomem(job->err, "tokenise");
    job->merging = word;
    add_symbols(job, word);
    if (!gs_token_merger_run(m, pair, job))
        return gs_error_nomem(job->err, "tokenise");
    for (uint32_t i = 0; st == GS_OK && i != GS_TOKEN_NO_SYMBOL; i = m->symbols[i].next) {
        const struct gs_token_symbol *const s = &m->symbols[i];
        st = s->id >= 0 ? gs_token_job_put(job, s->id)
                        : put_bytes(job, gs_slice(word.ptr + s->off, s->len));
    }
    return st;
}

/* ---- special tokens ---- */

/* Length of the longest special token at the start of `s`, 0 if none. */
static size_t match_special(const struct gs_tokenizer *t, struct gs_slice s, bool parse,
                            int32_t *out_id)
{
    size_t found = 0;
    uint32_t node = 0;

    for (size_t i = 0; i < s.len; i++) {
        node = gs_token_trie_next(&t->specials, node, (unsigned char)s.ptr[i]);
        if (node == 0)
            break;
        const int32_t id = t->specials.ids[node];
        if (id >= 0 && (parse || t->kinds[id] == GS_TOKEN_USER_DEFINED)) {
            *out_id = id;
            found = i + 1;
        }
    }
    return found;
}

/* Find the next special token at or after `from`; s.len if there is none. */
static size_t find_special(const struct gs_tokenizer *t, struct gs_slice s, size_t from, bool parse,
                           size_t *out_len, int32_t *out_id)
{
    *out_len = 0;
    for (size_t i = from; i < s.len; i++) {
        if (!t->special_leads[(unsigned char)s.ptr[i]])
            continue;
        *out_len = match_special(t, gs_slice_sub(s, i, s.len), parse, out_id);
        if (*out_len > 0)
            return i;
    }
    return s.len;
}

static bool is_ascii_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static enum gs_status encode_text(struct gs_token_job *job, struct gs_slice text, bool parse)
{
    const struct gs_tokenizer *const t = job->t;
    enum gs_status st = GS_OK;

    for (size_t pos = 0; st == GS_OK && pos < text.len;) {
        int32_t id = -1;
        size_t len;
        const size_t at = find_special(t, text, pos, parse, &len, &id);
        size_t end = at;
        if (id >= 0 && t->attrs[id] & GS_TOKEN_STRIPS_LEFT)
            while (end > pos && is_ascii_space(text.ptr[end - 1]))
                end--;
        if (end > pos) {
            st = t->encode(job, gs_slice_sub(text, pos, end));
            job->after_special = false;
        }
        pos = at + len;
        if (st != GS_OK || id < 0)
            continue;
        st = gs_token_job_put(job, id);
        job->after_special = true;
        if (t->attrs[id] & GS_TOKEN_STRIPS_RIGHT)
            while (pos < text.len && is_ascii_space(text.ptr[pos]))
                pos++;
    }
    return st;
}

static bool ends_in_special(const struct gs_tokenizer *t, const struct gs_token_ids *ids)
{
    const enum gs_token_kind kind =
        ids->len > 0 ? gs_token_kind_of(t, ids->ids[ids->len - 1]) : GS_TOKEN_CONTROL;

    return kind == GS_TOKEN_CONTROL || kind == GS_TOKEN_USER_DEFINED;
}

enum gs_status gs_token_encode(const struct gs_tokenizer *t, struct gs_slice text, unsigned flags,
                               struct gs_token_ids *out, struct gs_error *err)
{
    struct gs_token_job job = {.t = t, .out = out, .err = err};
    const bool add = flags & GS_TOKEN_ADD_SPECIAL;
    const size_t len_before = out->len;
    enum gs_status st = GS_OK;

    if (text.len > GS_MAX_PROMPT_BYTES) {
        st = gs_error_set(err, GS_ELIMIT, "text of %zu bytes is too long to tokenise, at most %zu",
                          text.len, GS_MAX_PROMPT_BYTES);
        gs_error_amounts(err, (long long)text.len, (long long)GS_MAX_PROMPT_BYTES);
        return st;
    }
    gs_buf_init(&job.text, MAX_BUF_BYTES);
    gs_buf_init(&job.word, MAX_BUF_BYTES);
    job.after_special = !(flags & GS_TOKEN_GOES_ON) || ends_in_special(t, out);
    if (add && t->add_bos)
        st = gs_token_job_put(&job, t->bos);
    if (st == GS_OK)
        st = encode_text(&job, text, flags & GS_TOKEN_PARSE_SPECIAL);
    if (st == GS_OK && add && t->add_eos)
        st = gs_token_job_put(&job, t->eos);
    if (st == GS_OK && add && t->add_sep)
        st = gs_token_job_put(&job, t->sep);
    if (st != GS_OK)
        out->len = len_before;
    gs_buf_clear(&job.text);
    gs_buf_clear(&job.word);
    gs_token_merger_clear(&job.merger);
    return st;
}
