/* Text against tiny vocabularies of every model and pre-tokenizer. The first byte chooses the
 * vocabulary, the second the flags. Ids must be ids, byte-level vocabularies must lose nothing, and
 * the detokeniser must write characters, never parts of them. */
#include "base/limits.h"
#include "tiny_vocab.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(what)                                                                                \
    do {                                                                                           \
        if (!(what))                                                                               \
            __builtin_trap();                                                                      \
    } while (0)

/* Byte-level vocabularies with these, then one of each model. */
static const char *const pres[] = {
    "default", "gpt-2",  "smollm",       "falcon",         "llama3",      "qwen2", "qwen35",
    "gpt-4o",  "tekken", "deepseek-llm", "deepseek-coder", "deepseek-v3", "bloom", "seed-coder",
};

#define N_VOCABS (GS_COUNT_OF(pres) + VOCAB_MODELS)

static const struct gs_tokenizer *choose(size_t idx)
{
    static struct gs_tokenizer *open[N_VOCABS]; /* kept until the process ends */
    static struct gs_gguf *files[N_VOCABS];

    if (!open[idx]) {
        const bool is_bpe = idx < GS_COUNT_OF(pres);
        const struct vocab_edit pre[] = {
            {"pre", VOCAB_STRING, .text = is_bpe ? pres[idx] : "default"}};
        files[idx] =
            is_bpe ? vocab_open(VOCAB_BPE, "tiny", pre, 1)
                   : vocab_open((enum vocab_model)(idx - GS_COUNT_OF(pres)), "phi-3", NULL, 0);
        CHECK(files[idx]);
        CHECK(gs_token_create(files[idx], &open[idx], NULL) == GS_OK);
    }
    return open[idx];
}

static void check_lossless(const struct gs_tokenizer *t, struct gs_slice text,
                           const struct gs_token_ids *ids)
{
    for (size_t i = 0; i < ids->len; i++) {
        const struct gs_slice bytes = gs_token_bytes(t, ids->ids[i]);
        CHECK(gs_slice_starts(text, bytes));
        text = gs_slice_sub(text, bytes.len, text.len);
    }
    CHECK(text.len == 0);
}

static void check_detok(const struct gs_tokenizer *t, const struct gs_token_ids *ids)
{
    struct gs_detok d;
    struct gs_buf b;

    gs_buf_init(&b, GS_MAX_TEXT_BYTES);
    gs_detok_init(&d, t, ids->len % 2);
    for (size_t i = 0; i < ids->len; i++) {
        const size_t before = b.len;
        gs_detok_feed(&d, ids->ids[i], &b);
        CHECK(gs_utf8_valid(gs_slice_sub(gs_buf_view(&b), before, b.len)));
    }
    gs_detok_finish(&d, &b);
    CHECK(gs_buf_ok(&b));
    gs_buf_clear(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    const size_t idx = data[0] % N_VOCABS;
    const unsigned flags = data[1] & (GS_TOKEN_ADD_SPECIAL | GS_TOKEN_PARSE_SPECIAL);
    const struct gs_slice text = gs_slice((const char *)data + 2, size - 2);
    const struct gs_tokenizer *const t = choose(idx);
    struct gs_token_ids ids = {0};

    CHECK(gs_token_encode(t, text, flags, &ids, NULL) == GS_OK);
    for (size_t i = 0; i < ids.len; i++)
        CHECK(ids.ids[i] >= 0 && ids.ids[i] < gs_token_vocab_len(t));
    if (idx < GS_COUNT_OF(pres) && !(flags & GS_TOKEN_ADD_SPECIAL))
        check_lossless(t, text, &ids);
    check_detok(t, &ids);
    gs_token_ids_clear(&ids);
    return 0;
}
