/* Scores of documents: each goes through the model in a pair with the query.
 *
 *     [CLS] query [SEP] document [SEP]       BERT, ModernBERT; the document is the second segment
 *     <s> query </s></s> document </s>       RoBERTa, XLM-R
 *     the template "rerank" of the file      models made to write, such as Qwen3-Reranker
 *
 * The first two are the pairs of Hugging Face's BertProcessing and RobertaProcessing. Scores of one
 * label come out through a sigmoid, as the rerank APIs of Cohere and Jina have them. */
#include <math.h>
#include <string.h>

#include "api/batch.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/slice.h"
#include "gguf/gguf.h"
#include "model/model.h"

struct pairs {
    const struct gs_llm *llm;
    struct gs_slice query;
    struct gs_slice template; /* ptr NULL: none */
    uint64_t ctx;             /* tokens of a pair that is not cut */
};

/* ---- one pair ---- */

static void render(struct gs_buf *b, const struct pairs *p, struct gs_slice document)
{
    static const struct gs_slice query_mark = GS_SLICE_LIT("{query}");
    static const struct gs_slice document_mark = GS_SLICE_LIT("{document}");
    struct gs_slice rest = p->template;

    while (rest.len > 0) {
        size_t n = 1;
        if (gs_slice_starts(rest, query_mark)) {
            gs_buf_slice(b, p->query);
            n = query_mark.len;
        } else if (gs_slice_starts(rest, document_mark)) {
            gs_buf_slice(b, document);
            n = document_mark.len;
        } else {
            gs_buf_putc(b, rest.ptr[0]);
        }
        rest = gs_slice_sub(rest, n, rest.len);
    }
}

static enum gs_status encode_rendered(const struct pairs *p, struct gs_slice document,
                                      struct gs_token_ids *ids, struct gs_error *err)
{
    struct gs_buf b;
    enum gs_status st;

    gs_buf_init(&b, GS_MAX_PROMPT_BYTES);
    render(&b, p, document);
    st = gs_buf_ok(&b)
             ? gs_token_encode(p->llm->tok, gs_buf_view(&b), GS_TOKEN_PARSE_SPECIAL, ids, err)
             : gs_error_nomem(err, "hold a query with its document");
    gs_buf_clear(&b);
    return st;
}

/* Both texts with their special tokens; the second's first is RoBERTa's second </s>, or none. */
static enum gs_status encode_joined(const struct pairs *p, struct gs_slice document,
                                    struct gs_token_ids *ids, size_t *out_segment_at,
                                    struct gs_error *err)
{
    const struct gs_tokenizer *tok = p->llm->tok;
    const int32_t bos = gs_token_bos(tok);
    const size_t first = ids->len;
    enum gs_status st = gs_token_encode(tok, p->query, GS_TOKEN_ADD_SPECIAL, ids, err);
    const size_t at = ids->len;

    if (st == GS_OK)
        st = gs_token_encode(tok, document, GS_TOKEN_ADD_SPECIAL, ids, err);
    *out_segment_at = at - first;
    if (st != GS_OK || at == ids->len || at == first || ids->ids[at] != bos)
        return st;
    if (gs_slice_eq_str(gs_token_spelling(tok, bos), "<s>")) {
        ids->ids[at] = ids->ids[at - 1];
    } else {
        memmove(ids->ids + at, ids->ids + at + 1, (ids->len - at - 1) * sizeof(*ids->ids));
        ids->len--;
    }
    return GS_OK;
}

/* About as much of a text as `fits` of `n` tokens, but less than the text. */
static struct gs_slice shorter(struct gs_slice text, uint64_t fits, uint64_t n)
{
    size_t len = GS_MIN((size_t)((double)text.len * (double)fits / (double)n), text.len - 1);

    while (len > 0 && ((unsigned char)text.ptr[len] & 0xC0) == 0x80)
        len--; /* whole characters */
    return gs_slice_sub(text, 0, len);
}

static enum gs_status add_pair(struct gs_llm_batch *b, const struct pairs *p,
                               struct gs_slice document, struct gs_error *err)
{
    const size_t first = b->ids.len;
    struct gs_slice shown = document;

    for (;;) {
        size_t segment_at = 0;
        const enum gs_status st = p->template.ptr
                                      ? encode_rendered(p, shown, &b->ids, err)
                                      : encode_joined(p, shown, &b->ids, &segment_at, err);
        if (st != GS_OK)
            return st;
        const uint64_t n = b->ids.len - first;
        if (n <= p->ctx || shown.len == 0) {
            b->n_cut += shown.len < document.len;
            return gs_llm_batch_end_text(b, first, segment_at, err);
        }
        b->ids.len = first;
        shown = shorter(shown, p->ctx, n);
    }
}

/* ---- scores ---- */

static enum gs_status need_ranker(const gs_llm *llm, struct gs_slice *out_template,
                                  struct gs_error *err)
{
    const struct gs_model_params *p = gs_model_params(llm->model);

    *out_template = (struct gs_slice){NULL, 0};
    if (p->pooling != GS_POOLING_RANK) {
        gs_error_set(err, GS_EUNSUPPORTED, "model \"%s\" is no reranker", llm->name.ptr);
        gs_error_hint(err, "Use one, such as bge-reranker-v2-m3 or Qwen3-Reranker, from a file "
                           "with its classifier.");
        return GS_EUNSUPPORTED;
    }
    if (p->n_pooled > (p->is_encoder ? 1 : 2))
        return gs_error_set(err, GS_EUNSUPPORTED,
                            "model \"%s\" has %u labels: none of them alone is a score",
                            llm->name.ptr, p->n_pooled);
    if (!gs_gguf_get_string(llm->file, "tokenizer.chat_template.rerank", out_template, err))
        return GS_EFORMAT;
    if (!p->is_encoder && !out_template->ptr)
        return gs_error_set(err, GS_EFORMAT,
                            "model \"%s\" has no template \"rerank\" for a query and a document",
                            llm->name.ptr);
    return gs_llm_need_tokenizer(llm, err);
}

/* [n][labels] to [n]: the first label's, which is "yes" where there are two. */
static void keep_first(struct gs_vectors *v, size_t n_labels, bool raw)
{
    for (size_t i = 0; i < v->n; i++) {
        const float x = v->values[i * n_labels];
        v->values[i] = raw || n_labels > 1 ? x : 1 / (1 + expf(-x));
    }
    v->dims = 1;
}

enum gs_status gs_llm_rerank(gs_llm *llm, struct gs_slice query,
                             const struct gs_embed_input *documents, size_t n,
                             const struct gs_embed_options *options, struct gs_vectors *out_scores,
                             struct gs_error *err)
{
    const struct gs_embed_options opt = gs_llm_embed_options(options);
    struct pairs p = {.llm = llm, .query = query};
    struct gs_llm_batch b = {.n = 0};
    enum gs_status st = gs_llm_need_model(llm, err);

    if (st == GS_OK)
        st = need_ranker(llm, &p.template, err);
    if (st != GS_OK)
        return st;
    const size_t n_labels = gs_model_params(llm->model)->n_pooled;
    struct gs_vectors v = {.n = n};
    p.ctx = opt.truncate ? gs_model_params(llm->model)->ctx_train_tokens : UINT64_MAX;
    st = gs_llm_batch_init(&b, n, err);
    for (size_t i = 0; i < n && st == GS_OK; i++)
        st = documents[i].tokens ? gs_error_set(err, GS_EINVAL, "a document is a text, not tokens")
                                 : add_pair(&b, &p, documents[i].text, err);
    if (st == GS_OK) {
        v.values = gs_alloc_array(n, n_labels * sizeof(*v.values));
        st = v.values ? gs_llm_batch_run(&b, llm, &opt, v.values, err)
                      : gs_error_nomem(err, "hold the scores");
    }
    if (st == GS_OK) {
        v.n_tokens = (int64_t)b.ids.len;
        v.n_cut = b.n_cut;
        keep_first(&v, n_labels, opt.raw);
        *out_scores = v;
        v.values = NULL;
    }
    gs_free(v.values);
    gs_llm_batch_clear(&b);
    return st;
}
