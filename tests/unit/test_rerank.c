/* gs_llm_rerank() with tiny rerankers of each kind: the pair that a query and a document become,
 * cut or not, and the score that the model's logits become. */
#include "cmocka_headers.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "compute/lane.h"
#include "genset/genset.h"
#include "gguf/gguf.h"
#include "model/encoder.h"
#include "model/model.h"
#include "tiny_gguf.h"
#include "tiny_vocab.h"

#define TEMPLATE "<|im_end|>he {query}\n{document}{x}<|endoftext|>"

static void put_vocab(struct gs_gguf_writer *w, enum vocab_model model,
                      const struct vocab_edit *edits, size_t n_edits)
{
    static struct vocab v;

    v = (struct vocab){.w = w, .edits = edits, .n_edits = n_edits};
    vocab_fill(&v, model);
}

static void put_wordpiece(struct gs_gguf_writer *w)
{
    put_vocab(w, VOCAB_WORDPIECE, NULL, 0);
}

/* As XLM-R's: <s> and </s> around a text. */
static void put_roberta(struct gs_gguf_writer *w)
{
    static const struct vocab_edit edits[] = {
        {.key = "add_eos_token", .action = VOCAB_BOOL, .value = 1},
        {.key = "add_bos_token", .action = VOCAB_BOOL, .value = 1},
    };

    put_vocab(w, VOCAB_SPM, edits, GS_COUNT_OF(edits));
}

static void put_bpe(struct gs_gguf_writer *w)
{
    put_vocab(w, VOCAB_BPE, NULL, 0);
    gs_gguf_writer_string(w, "tokenizer.chat_template.rerank", GS_SLICE_LIT(TEMPLATE));
}

static void put_bpe_alone(struct gs_gguf_writer *w)
{
    put_vocab(w, VOCAB_BPE, NULL, 0);
}

static const struct tiny_shape bert = {"bert", false, GS_TYPE_F32, 320, 32, 48, 2,
                                       4,      4,     8,           0,   0,  0};
static const struct tiny_shape qwen3 = {"qwen3", false, GS_TYPE_F32, 288, 32, 48, 2,
                                        4,       2,     8,           0,   0,  0};
static const struct tiny_edit rank = {.name = "pooling_type", TINY_U32, .u32 = 4};

/* ---- a model, opened both ways ---- */

struct rig {
    gs_llm *llm;
    struct gs_gguf *file;
    struct gs_model *model;
    struct gs_compute *compute;
    struct gs_encoder *encoder;
};

static void rig_open(struct rig *r, const struct tiny_shape *shape, const struct tiny_edit *edits,
                     size_t n_edits, tiny_more_fn *more)
{
    char path[] = "/tmp/genset-rerank-XXXXXX";
    const int fd = mkstemp(path);
    struct gs_llm_options opt;
    struct gs_error err = {0};

    *r = (struct rig){.llm = NULL};
    assert_true(fd >= 0);
    close(fd);
    gs_llm_options_init(&opt);
    opt.cpu = getenv("GENSET_CPU");
    opt.n_threads = 1;
    opt.ctx_tokens = 64;
    opt.max_sequences = 1;
    if (tiny_write_more(path, shape, edits, n_edits, more) != GS_OK ||
        gs_llm_open(path, &opt, &r->llm, &err) != GS_OK ||
        gs_gguf_open(path, &r->file, &err) != GS_OK ||
        gs_model_load(r->file, &r->model, &err) != GS_OK ||
        gs_compute_create(1, NULL, &r->compute, &err) != GS_OK ||
        gs_encoder_create(r->model, r->compute, &r->encoder, &err) != GS_OK)
        fail_msg("%s", err.msg);
    unlink(path);
}

static void rig_close(struct rig *r)
{
    gs_encoder_free(r->encoder);
    gs_compute_free(r->compute);
    gs_model_free(r->model);
    gs_gguf_close(r->file);
    gs_llm_close(r->llm);
}

/* The first label's score of these tokens. */
static float score_of(struct rig *r, const int32_t *tokens, size_t n, size_t segment_at)
{
    const struct gs_encoder_text text = {tokens, (uint32_t)n, (uint32_t)segment_at};
    struct gs_error err = {0};
    float out[2];

    if (gs_encoder_run(r->encoder, &(struct gs_encoder_job){.texts = &text, .n = 1}, out, &err) !=
        GS_OK)
        fail_msg("%s", err.msg);
    return out[0];
}

static enum gs_status rerank(struct rig *r, const char *query, const char *document,
                             const struct gs_embed_options *opt, struct gs_vectors *out,
                             struct gs_error *err)
{
    const struct gs_embed_input in[] = {{.text = gs_slice_str(document)},
                                        {.text = gs_slice_str("e")}};

    *err = (struct gs_error){0};
    return gs_llm_rerank(r->llm, gs_slice_str(query), in, 2, opt, out, err);
}

/* The score of `document` is `want`. */
static void expect_score(struct rig *r, const char *query, const char *document, bool raw,
                         float want, size_t n_cut)
{
    struct gs_embed_options opt;
    struct gs_vectors v;
    struct gs_error err;

    gs_embed_options_init(&opt);
    opt.raw = raw;
    opt.truncate = n_cut > 0;
    if (rerank(r, query, document, &opt, &v, &err) != GS_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(v.n, 2);
    assert_int_equal(v.dims, 1);
    assert_int_equal(v.n_cut, n_cut);
    assert_float_equal(v.values[0], want, 1e-5);
    gs_vectors_clear(&v);
}

/* ---- tests ---- */

static void test_bert_pairs(void **state)
{
    static const int32_t pair[] = {2, 4, 3, 5, 6, 7, 3}; /* [CLS] hello [SEP] un aff able [SEP] */
    struct rig r;

    (void)state;
    rig_open(&r, &bert, &rank, 1, put_wordpiece);
    const float logit = score_of(&r, pair, 7, 3);
    assert_true(fabsf(logit - score_of(&r, pair, 7, 0)) > 1e-4f); /* segments matter */
    expect_score(&r, "hello", "unaffable", true, logit, 0);
    expect_score(&r, "hello", "unaffable", false, 1 / (1 + expf(-logit)), 0);
    rig_close(&r);
}

static void test_roberta_pairs(void **state)
{
    int32_t pair[] = {1, 259, 2, 2, 259, 2}; /* <s> hello </s></s> hello </s> */
    struct rig r;

    (void)state;
    rig_open(&r, &bert, &rank, 1, put_roberta);
    expect_score(&r, "hello", "hello", true, score_of(&r, pair, 6, 3), 0);
    rig_close(&r);
}

static void test_templates(void **state)
{
    /* What a text holds is not looked into for {document}. */
    static const char rendered[] = "<|im_end|>he {document}\nhello{x}<|endoftext|>";
    int32_t *ids = NULL;
    size_t n = 0;
    struct rig r;

    (void)state;
    rig_open(&r, &qwen3, &rank, 1, put_bpe);
    assert_int_equal(
        gs_llm_tokenize(r.llm, gs_slice_str(rendered), GS_TOKENIZE_PARSE_SPECIAL, &ids, &n, NULL),
        GS_OK);
    const float yes = score_of(&r, ids, n, 0);
    assert_true(yes > 0 && yes < 1);
    expect_score(&r, "{document}", "hello", false, yes, 0);
    expect_score(&r, "{document}", "hello", true, yes, 0);
    gs_free_tokens(ids);
    rig_close(&r);
}

static void test_long_documents(void **state)
{
    char document[6 * 80 + 1] = "";
    struct gs_embed_options opt;
    struct gs_vectors v;
    struct gs_error err;
    struct rig r;

    (void)state;
    rig_open(&r, &bert, &rank, 1, put_wordpiece);
    for (int i = 0; i < 80; i++)
        memcpy(document + 6 * i, "hello ", 7);
    gs_embed_options_init(&opt);
    assert_int_equal(rerank(&r, "hello", document, &opt, &v, &err), GS_ECONTEXT);
    assert_int_equal(err.needed, 84);
    assert_int_equal(err.available, 64);
    opt.truncate = true;
    opt.raw = true;
    assert_int_equal(rerank(&r, "hello", document, &opt, &v, &err), GS_OK);
    assert_int_equal(v.n_cut, 1);
    gs_vectors_clear(&v);
    /* The query is never cut. */
    assert_int_equal(rerank(&r, document, "hello", &opt, &v, &err), GS_ECONTEXT);
    rig_close(&r);
}

static bool yes(void *ud)
{
    (void)ud;
    return true;
}

static void test_refusals(void **state)
{
    static const int32_t token = 5;
    const struct gs_embed_input in = {.tokens = &token, .n_tokens = 1};
    struct gs_embed_options opt;
    struct gs_vectors v;
    struct gs_error err;
    struct rig r;

    (void)state;
    gs_embed_options_init(&opt);
    rig_open(&r, &bert, NULL, 0, put_wordpiece);
    assert_int_equal(rerank(&r, "a", "e", &opt, &v, &err), GS_EUNSUPPORTED);
    assert_non_null(strstr(err.msg, "is no reranker"));
    assert_non_null(strstr(err.hint, "bge-reranker-v2-m3"));
    rig_close(&r);
    rig_open(&r, &qwen3, &rank, 1, put_bpe_alone);
    assert_int_equal(rerank(&r, "a", "e", &opt, &v, &err), GS_EFORMAT);
    assert_non_null(strstr(err.msg, "has no template \"rerank\""));
    rig_close(&r);
    rig_open(&r, &bert, &rank, 1, NULL);
    assert_int_equal(rerank(&r, "a", "e", &opt, &v, &err), GS_ENOTFOUND);
    rig_close(&r);
    rig_open(&r, &bert, &rank, 1, put_wordpiece);
    assert_int_equal(gs_llm_rerank(r.llm, GS_SLICE_LIT("a"), &in, 1, &opt, &v, &err), GS_EINVAL);
    opt.is_cancelled = yes;
    assert_int_equal(rerank(&r, "a", "e", &opt, &v, &err), GS_ECANCELLED);
    opt.is_cancelled = NULL;
    assert_int_equal(rerank(&r, "a", "e", &opt, &v, &err), GS_OK);
    gs_vectors_clear(&v);
    rig_close(&r);
}

static void test_every_allocation(void **state)
{
    struct gs_embed_options opt;
    enum gs_status st = GS_ENOMEM;
    struct gs_error err;
    struct rig r;
    long n = 0;

    (void)state;
    gs_embed_options_init(&opt);
    opt.truncate = true;
    rig_open(&r, &qwen3, &rank, 1, put_bpe);
    while (st == GS_ENOMEM) {
        struct gs_vectors v = {0};
        gs_alloc_fail_at(++n);
        st = rerank(&r, "hello", "he", &opt, &v, &err);
        gs_alloc_fail_at(0);
        assert_int_equal(err.code, st);
        gs_vectors_clear(&v);
    }
    assert_int_equal(st, GS_OK);
    assert_true(n > 5);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bert_pairs), cmocka_unit_test(test_roberta_pairs),
        cmocka_unit_test(test_templates),  cmocka_unit_test(test_long_documents),
        cmocka_unit_test(test_refusals),   cmocka_unit_test(test_every_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
