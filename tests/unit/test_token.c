/* Tokenizers over tiny vocabularies: the rules that the golden files do not show, and what is said
 * about vocabularies that are wrong. */
#include "cmocka_headers.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "base/thread.h"
#include "tiny_vocab.h"

#define BOTH (GS_TOKEN_ADD_SPECIAL | GS_TOKEN_PARSE_SPECIAL)

struct open_vocab {
    struct gs_gguf *file;
    struct gs_tokenizer *tok;
};

static struct open_vocab open_named(enum vocab_model model, const char *name,
                                    const struct vocab_edit *edits, size_t n_edits)
{
    struct open_vocab v = {.file = vocab_open(model, name, edits, n_edits)};
    struct gs_error err = {0};

    assert_non_null(v.file);
    if (gs_token_create(v.file, &v.tok, &err) != GS_OK)
        fail_msg("%s", err.msg);
    return v;
}

static struct open_vocab open_vocab(enum vocab_model model)
{
    return open_named(model, "tiny", NULL, 0);
}

static void close_vocab(struct open_vocab *v)
{
    gs_token_free(v->tok);
    gs_gguf_close(v->file);
}

static void check_ids(const struct gs_tokenizer *t, struct gs_slice text, unsigned flags,
                      const int32_t *want, size_t n)
{
    struct gs_token_ids got = {0};
    struct gs_error err = {0};

    assert_int_equal(gs_token_encode(t, text, flags, &got, &err), GS_OK);
    for (size_t i = 0; i < got.len || i < n; i++)
        if (i >= got.len || i >= n || got.ids[i] != want[i])
            fail_msg("\"%.*s\": id %zu is %d, not %d", (int)text.len, text.ptr, i,
                     i < got.len ? got.ids[i] : -1, i < n ? want[i] : -1);
    gs_token_ids_clear(&got);
}

#define IDS(...) ((const int32_t[]){__VA_ARGS__})
#define CHECK(v, text, flags, ...)                                                                 \
    check_ids((v).tok, GS_SLICE_LIT(text), flags, IDS(__VA_ARGS__),                                \
              sizeof(IDS(__VA_ARGS__)) / sizeof(int32_t))

static void test_bpe(void **state)
{
    struct open_vocab v = open_vocab(VOCAB_BPE);

    (void)state;
    CHECK(v, "hello world", BOTH, 259, 264);
    CHECK(v, "hellx", 0, 258, 'x');
    CHECK(v, "he he", 0, 256, ' ', 256);
    CHECK(v, "nope", 0, 'n', 'o', 'p', 'e'); /* its merge names no tokens */
    CHECK(v, "\xF0\x9F", 0, 265);
    CHECK(v, "\xFFhe\xC3", 0, 0xFF, 256, 0xC3); /* bytes that are no text pass through */
    check_ids(v.tok, GS_SLICE_LIT(""), BOTH, NULL, 0);
    close_vocab(&v);
}

static void test_specials(void **state)
{
    struct open_vocab v = open_vocab(VOCAB_BPE);

    (void)state;
    CHECK(v, "he<|im_end|>he", BOTH, 256, 267, 256);
    CHECK(v, "<tool><tool>s<|endoftext|>", BOTH, 268, 269, 266);
    CHECK(v, "<tool>", 0, 268); /* a user-defined token is text of the user's own */
    CHECK(v, "<|a", BOTH, '<', '|', 'a');
    struct gs_token_ids ids = {0};
    assert_int_equal(gs_token_encode(v.tok, GS_SLICE_LIT("<|im_end|>"), 0, &ids, NULL), GS_OK);
    assert_int_equal(ids.len, 10);
    gs_token_ids_clear(&ids);
    close_vocab(&v);
}

static void test_added(void **state)
{
    const struct vocab_edit both[] = {{"add_bos_token", VOCAB_BOOL, .value = 1},
                                      {"add_eos_token", VOCAB_BOOL, .value = 1}};
    const struct vocab_edit no_id[] = {{"add_bos_token", VOCAB_BOOL, .value = 1},
                                       {"bos_token_id", VOCAB_U32, .value = UINT32_MAX}};
    const struct vocab_edit llama3[] = {{"pre", VOCAB_STRING, .text = "llama3"}};
    struct open_vocab v = open_named(VOCAB_BPE, "tiny", both, 2);

    (void)state;
    CHECK(v, "he", BOTH, 266, 256, 266);
    CHECK(v, "he", 0, 256);
    close_vocab(&v);
    v = open_named(VOCAB_BPE, "tiny", no_id, 2);
    CHECK(v, "he", BOTH, 256);
    assert_int_equal(gs_token_bos(v.tok), -1);
    close_vocab(&v);
    v = open_named(VOCAB_BPE, "tiny", llama3, 1);
    CHECK(v, "he", BOTH, 266, 256);
    close_vocab(&v);
}

static void test_spm(void **state)
{
    const struct vocab_edit plain[] = {{"add_space_prefix", VOCAB_BOOL, .value = 0},
                                       {"add_bos_token", VOCAB_BOOL, .value = 0}};
    struct open_vocab v = open_vocab(VOCAB_SPM);

    (void)state;
    CHECK(v, "hello", BOTH, 1, 259);
    check_ids(v.tok, GS_SLICE_LIT(""), BOTH, IDS(1), 1);
    CHECK(v, " hello", 0, 267, 259);
    CHECK(v, "he\xC3\xA9", 0, 260, 274);
    CHECK(v, "\xE4\xB8\xAD", 0, 267, 3 + 0xE4, 3 + 0xB8, 3 + 0xAD);
    CHECK(v, "h<tag>h", 0, 264, 280, 264);
    CHECK(v, "<s>", 0, 267, 278, 277); /* merging never makes a control token */
    CHECK(v, "<s>h</s>", BOTH, 1, 1, 264, 2);
    CHECK(v, "\xFF", 0, 267, 3 + 0xFF);
    close_vocab(&v);
    v = open_named(VOCAB_SPM, "tiny", plain, 2);
    CHECK(v, "hello", BOTH, 263, 261);
    close_vocab(&v);
}

static void test_strips(void **state)
{
    struct open_vocab v = open_named(VOCAB_SPM, "Phi-3-mini", NULL, 0);

    (void)state;
    CHECK(v, "</s> \n h", BOTH, 1, 2, 264);
    CHECK(v, "<s>\nh", BOTH, 1, 1, 267, 3 + '\n', 268);
    close_vocab(&v);
}

static void test_wordpiece(void **state)
{
    const struct vocab_edit cased[] = {{"normalizer.lowercase", VOCAB_BOOL, .value = 0}};
    struct open_vocab v = open_vocab(VOCAB_WORDPIECE);

    (void)state;
    CHECK(v, "Hello, unaffable", BOTH, 2, 4, 8, 5, 6, 7, 3);
    CHECK(v, "unaffablex hello", 0, 1, 4); /* known as a whole, or not at all */
    CHECK(v, "\xC3\x89\xC3\xA9 a\xCC\x81", 0, 10, 11, 12);
    CHECK(v,
          "a\xE4\xB8\xAD"
          "a",
          0, 12, 9, 12);
    CHECK(v, "a\x01\xE2\x80\x8B\xFF", 0, 12); /* control characters and no text at all */
    CHECK(v, "[SEP]", BOTH, 2, 3, 3);
    close_vocab(&v);
    v = open_named(VOCAB_WORDPIECE, "tiny", cased, 1);
    CHECK(v, "hello Hello", 0, 4, 1);
    close_vocab(&v);
}

static void test_unigram(void **state)
{
    const struct vocab_edit merge[] = {{"remove_extra_whitespaces", VOCAB_BOOL, .value = 1}};
    struct open_vocab v = open_vocab(VOCAB_UNIGRAM);

    (void)state;
    CHECK(v, "hello", BOTH, 4, 1);
    CHECK(v, "xyz", 0, 3, 17, 18); /* -15 -16 is better than -14 and an unknown */
    CHECK(v, "hello  q\xE4\xB8\xADhello", 0, 4, 3, 3, 2, 5, 6, 7, 9);
    CHECK(v, "\xEF\xAC\x81", 0, 3, 2); /* nothing tells how to normalise */
    CHECK(v, "\xFF", 0, 3, 2);
    close_vocab(&v);
    v = open_named(VOCAB_UNIGRAM, "tiny", merge, 1);
    CHECK(v, "  hello   hello ", 0, 4, 4);
    close_vocab(&v);
}

static void put_node(uint8_t *nodes, uint32_t idx, uint32_t node)
{
    for (int i = 0; i < 4; i++)
        nodes[4 + idx * 4 + (uint32_t)i] = (uint8_t)(node >> 8 * i);
}

/* A map of "A" to "abc" and of "\xC3\x9F" to nothing, laid out by hand. */
static void test_charsmap(void **state)
{
    static uint8_t map[4 + 4096 * 4 + 5];
    const struct vocab_edit edits[] = {
        {"precompiled_charsmap", VOCAB_U8S, .n = sizeof(map), .data = map},
        {"add_space_prefix", VOCAB_BOOL, .value = 0},
    };

    (void)state;
    map[1] = 4096 * 4 >> 8;
    put_node(map, 0, 0x100 << 10);
    put_node(map, 0x100 ^ 'A', 0x400u << 10 | 1 << 8 | 'A');
    put_node(map, 0x100 ^ 'A' ^ 0x400, 1u << 31 | 0);
    put_node(map, 0x100 ^ 0xC3, 0x800u << 10 | 0xC3);
    put_node(map, 0x100 ^ 0xC3 ^ 0x800 ^ 0x9F, 0x200u << 10 | 1 << 8 | 0x9F);
    put_node(map, 0x100 ^ 0xC3 ^ 0x800 ^ 0x9F ^ 0x200, 1u << 31 | 3);
    memcpy(map + sizeof(map) - 5, "abc\0", 5);
    struct open_vocab v = open_named(VOCAB_UNIGRAM, "tiny", edits, 2);
    CHECK(v,
          "A\xC3\x9F"
          "A\xC3",
          0, 14, 14, 2);
    close_vocab(&v);
}

static void test_gemma4(void **state)
{
    struct open_vocab v = open_vocab(VOCAB_GEMMA4);

    (void)state;
    CHECK(v, "he he\n\n\n", BOTH, 1, 261, 262, 265); /* a run of newlines is looked up whole */
    CHECK(v, "\xC3\xA9", BOTH, 1, 2 + 0xC3, 2 + 0xA9);
    assert_int_equal(gs_token_bytes(v.tok, 262).ptr[0], ' ');
    close_vocab(&v);
}

static void check_bytes(const struct gs_tokenizer *t, int32_t id, const char *want)
{
    const struct gs_slice got = gs_token_bytes(t, id);

    if (!gs_slice_eq_str(got, want))
        fail_msg("token %d is \"%.*s\", not \"%s\"", id, (int)got.len, got.ptr, want);
}

static void test_tokens(void **state)
{
    struct open_vocab v = open_vocab(VOCAB_BPE);
    struct open_vocab s = open_vocab(VOCAB_SPM);

    (void)state;
    assert_int_equal(gs_token_vocab_len(v.tok), 270);
    check_bytes(v.tok, 264, " world");
    check_bytes(v.tok, 266, "<|endoftext|>");
    check_bytes(v.tok, 265, "\xF0\x9F");
    check_bytes(v.tok, 270, "");
    check_bytes(v.tok, -1, "");
    check_bytes(s.tok, 259, " hello");
    check_bytes(s.tok, 3 + 'A', "A");
    assert_true(gs_slice_eq_str(gs_token_spelling(s.tok, 259), SP "hello"));
    assert_int_equal(gs_token_find(s.tok, GS_SLICE_LIT(SP "hello")), 259);
    assert_int_equal(gs_token_find(s.tok, GS_SLICE_LIT("hello")), -1);
    assert_int_equal(gs_token_find(s.tok, GS_SLICE_LIT("")), -1);
    assert_int_equal(gs_token_kind_of(s.tok, 0), GS_TOKEN_UNKNOWN);
    assert_int_equal(gs_token_kind_of(s.tok, 3), GS_TOKEN_BYTE);
    assert_int_equal(gs_token_bos(s.tok), 1);
    assert_int_equal(gs_token_eos(s.tok), 2);
    close_vocab(&v);
    close_vocab(&s);
}

static void test_ends(void **state)
{
    const struct vocab_edit eot[] = {{"eot_token_id", VOCAB_U32, .value = 269}};
    struct open_vocab v = open_named(VOCAB_BPE, "tiny", eot, 1);

    (void)state;
    assert_true(gs_token_is_end(v.tok, 266)); /* EOS */
    assert_true(gs_token_is_end(v.tok, 267)); /* by its text */
    assert_false(gs_token_is_end(v.tok, 268));
    assert_true(gs_token_is_end(v.tok, 269)); /* by the file's word */
    assert_false(gs_token_is_end(v.tok, -1));
    assert_false(gs_token_is_end(v.tok, 270));
    close_vocab(&v);
}

static void test_all_pre_tokenizers(void **state)
{
    static const char *const names[] = {
        "default",     "gpt-2",
        "llama-bpe",   "llama3",
        "llama-v3",    "qwen2",
        "qwen35",      "smollm",
        "tekken",      "gpt-4o",
        "llama4",      "glm4",
        "falcon",      "deepseek-llm",
        "deepseek-v3", "deepseek-coder",
        "chatglm-bpe", "starcoder",
        "bloom",       "viking",
        "bailingmoe",  "seed-coder",
        "command-r",   "pixtral",
        "megrez",      "deepseek-r1-qwen",
    };

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(names); i++) {
        const struct vocab_edit pre[] = {{"pre", VOCAB_STRING, .text = names[i]}};
        struct open_vocab v = open_named(VOCAB_BPE, "tiny", pre, 1);
        CHECK(v, "hello", 0, 259);
        close_vocab(&v);
    }
}

/* ---- long texts ---- */

/* Texts that make careless pre-tokenizers and mergers take quadratic time. */
static void test_long_runs(void **state)
{
    const size_t len = 256 * GS_KIB;
    const char *const runs[] = {"a", " ", "A", "\xC3\xA9", "\n ", "'", "<", "1", "\xFF", "aA"};
    char *const text = gs_alloc(len + 1);

    (void)state;
    assert_non_null(text);
    for (enum vocab_model model = VOCAB_BPE; model < VOCAB_MODELS; model++) {
        struct open_vocab v = open_vocab(model);
        for (size_t r = 0; r < GS_COUNT_OF(runs); r++) {
            struct gs_token_ids ids = {0};
            for (size_t i = 0; i < len; i++)
                text[i] = runs[r][i % strlen(runs[r])];
            assert_int_equal(gs_token_encode(v.tok, gs_slice(text, len), 0, &ids, NULL), GS_OK);
            gs_token_ids_clear(&ids);
        }
        close_vocab(&v);
    }
    gs_free(text);
}

static void test_too_long(void **state)
{
    struct open_vocab v = open_vocab(VOCAB_BPE);
    struct gs_token_ids ids = {0};
    struct gs_error err = {0};

    (void)state;
    assert_int_equal(gs_token_encode(v.tok, gs_slice("", GS_MAX_PROMPT_BYTES + 1), 0, &ids, &err),
                     GS_ELIMIT);
    assert_int_equal(err.available, GS_MAX_PROMPT_BYTES);
    assert_null(ids.ids);
    close_vocab(&v);
}

/* ---- threads ---- */

static void encode_often(void *arg)
{
    const struct open_vocab *const v = arg;

    for (int i = 0; i < 100; i++)
        CHECK(*v, "hello <tool> world", BOTH, 259, ' ', 268, 264);
}

static void test_threads(void **state)
{
    struct open_vocab v = open_vocab(VOCAB_BPE);
    pthread_t threads[4];

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(threads); i++)
        assert_int_equal(gs_thread_start(&threads[i], GS_THREAD_LOCAL, encode_often, &v, NULL),
                         GS_OK);
    for (size_t i = 0; i < GS_COUNT_OF(threads); i++)
        pthread_join(threads[i], NULL);
    close_vocab(&v);
}

/* ---- back to text ---- */

static void check_text(struct gs_detok *d, int32_t id, const char *want)
{
    struct gs_buf b;

    gs_buf_init(&b, GS_MIB);
    gs_detok_feed(d, id, &b);
    assert_true(gs_slice_eq_str(gs_buf_view(&b), want));
    gs_buf_clear(&b);
}

static void check_finish(struct gs_detok *d, const char *want)
{
    struct gs_buf b;

    gs_buf_init(&b, GS_MIB);
    gs_detok_finish(d, &b);
    assert_true(gs_slice_eq_str(gs_buf_view(&b), want));
    gs_buf_clear(&b);
}

static void test_detok(void **state)
{
    struct open_vocab v = open_vocab(VOCAB_BPE);
    struct gs_detok d;

    (void)state;
    gs_detok_init(&d, v.tok, false);
    check_text(&d, 264, " world");
    check_text(&d, 265, "");
    check_text(&d, 0x98, "");
    check_text(&d, 0x80, "\xF0\x9F\x98\x80");
    check_text(&d, 266, "");
    check_text(&d, 0xC3, "");
    check_text(&d, 'x',
               "\xEF\xBF\xBD"
               "x");
    check_text(&d, 0x80, "\xEF\xBF\xBD");
    check_text(&d, 270, "");
    check_text(&d, 265, "");
    check_finish(&d, "\xEF\xBF\xBD");
    check_finish(&d, "");
    gs_detok_init(&d, v.tok, true);
    check_text(&d, 266, "<|endoftext|>");
    close_vocab(&v);
}

static void test_detok_spaces(void **state)
{
    struct open_vocab s = open_vocab(VOCAB_SPM);
    struct open_vocab w = open_vocab(VOCAB_WORDPIECE);
    struct gs_detok d;

    (void)state;
    gs_detok_init(&d, s.tok, false);
    check_text(&d, 1, "");
    check_text(&d, 259, "hello");
    check_text(&d, 259, " hello");
    gs_detok_init(&d, w.tok, false);
    check_text(&d, 5, "un");
    check_text(&d, 6, "aff");
    check_text(&d, 4, " hello");
    close_vocab(&s);
    close_vocab(&w);
}

/* ---- vocabularies that are wrong ---- */

static void check_refused(enum vocab_model model, struct vocab_edit edit, enum gs_status want,
                          const char *part)
{
    struct gs_gguf *const f = vocab_open(model, "tiny", &edit, 1);
    struct gs_tokenizer *t = NULL;
    struct gs_error err = {0};

    assert_non_null(f);
    assert_int_equal(gs_token_create(f, &t, &err), want);
    assert_null(t);
    if (!strstr(err.msg, part))
        fail_msg("\"%s\" does not say \"%s\"", err.msg, part);
    gs_gguf_close(f);
}

static void test_unsupported(void **state)
{
    (void)state;
    check_refused(VOCAB_BPE, (struct vocab_edit){"model", VOCAB_STRING, .text = "rwkv"},
                  GS_EUNSUPPORTED, "\"rwkv\"");
    check_refused(VOCAB_BPE, (struct vocab_edit){"pre", VOCAB_STRING, .text = "martian"},
                  GS_EUNSUPPORTED, "\"martian\"");
    check_refused(VOCAB_BPE, (struct vocab_edit){"model", VOCAB_DROP, .n = 0}, GS_ENOTFOUND,
                  "no vocabulary");
    check_refused(VOCAB_BPE, (struct vocab_edit){"model", VOCAB_STRING, .text = "no_vocab"},
                  GS_ENOTFOUND, "no vocabulary");
}

static void test_wrong_metadata(void **state)
{
    static const struct {
        enum vocab_model model;
        struct vocab_edit edit;
        const char *part;
    } cases[] = {
        {VOCAB_BPE, {"model", VOCAB_U32, .n = 0}, "model"},
        {VOCAB_BPE, {"tokens", VOCAB_DROP, .n = 0}, "tokens is missing"},
        {VOCAB_BPE, {"tokens", VOCAB_U32, .n = 0}, "tokens: expected an array of strings"},
        {VOCAB_BPE, {"tokens", VOCAB_U32S, .n = 270}, "found an array of u32"},
        {VOCAB_BPE, {"tokens", VOCAB_STRINGS, .n = 0, .text = "x"}, "expected 1 to"},
        {VOCAB_BPE, {"tokens", VOCAB_STRINGS, .n = 5, .text = "x"}, "expected 5 items"},
        {VOCAB_BPE, {"token_type", VOCAB_U32S, .n = 3}, "expected 270 items"},
        {VOCAB_BPE, {"token_type", VOCAB_U32S, .n = 270, .value = 7}, "token 0 has type 7"},
        {VOCAB_BPE, {"token_type", VOCAB_F32S, .n = 270}, "array of integers"},
        {VOCAB_BPE, {"scores", VOCAB_F32S, .n = 271}, "expected 270 items"},
        {VOCAB_BPE, {"scores", VOCAB_STRINGS, .n = 270, .text = "1"}, "array of numbers"},
        {VOCAB_BPE, {"scores", VOCAB_F32S, .n = 270, .value = 0x7FC00000}, "no finite score"},
        {VOCAB_BPE, {"bos_token_id", VOCAB_U32, .value = 270}, "id 270 is not one of the 270"},
        {VOCAB_BPE, {"eos_token_id", VOCAB_STRING, .text = "1"}, "expected a token id"},
        {VOCAB_BPE, {"add_bos_token", VOCAB_STRING, .text = "yes"}, "add_bos_token"},
        {VOCAB_BPE, {"merges", VOCAB_DROP, .n = 0}, "merges is missing"},
        {VOCAB_BPE, {"merges", VOCAB_U32S, .n = 3}, "merges: expected an array"},
        {VOCAB_BPE, {"merges", VOCAB_STRINGS, .n = 3, .text = "he"}, "merge 0 has no two parts"},
        {VOCAB_BPE, {"merges", VOCAB_STRINGS, .n = 1, .text = ""}, "merge 0 has no two parts"},
        {VOCAB_UNIGRAM, {"scores", VOCAB_DROP, .n = 0}, "scores is missing"},
        {VOCAB_UNIGRAM, {"precompiled_charsmap", VOCAB_U32, .n = 0}, "array of bytes"},
        {VOCAB_UNIGRAM, {"precompiled_charsmap", VOCAB_U8S, .n = 3, .data = "\0\0"}, "its 3 bytes"},
        {VOCAB_UNIGRAM,
         {"precompiled_charsmap", VOCAB_U8S, .n = 6, .data = "\3\0\0\0ab"},
         "its 6 bytes"},
    };

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(cases); i++)
        check_refused(cases[i].model, cases[i].edit, GS_EFORMAT, cases[i].part);
}

static void test_long_spelling(void **state)
{
    static char text[4098];

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    check_refused(VOCAB_BPE, (struct vocab_edit){"tokens", VOCAB_STRINGS, .n = 1, .text = text},
                  GS_EFORMAT, "token 0 is 4097 bytes long");
}

/* Defaults that the vocabulary is too small for are as good as absent. */
static void test_small_vocabulary(void **state)
{
    const struct vocab_edit edits[] = {
        {"tokens", VOCAB_STRINGS, .n = 1, .text = "h"},
        {"token_type", VOCAB_U32S, .n = 1, .value = 1},
        {"scores", VOCAB_F32S, .n = 1},
    };
    struct open_vocab v = open_named(VOCAB_SPM, "tiny", edits, GS_COUNT_OF(edits));

    (void)state;
    assert_int_equal(gs_token_bos(v.tok), -1);
    CHECK(v, "h", BOTH, 0, 0); /* the space is unknown: token 0 */
    close_vocab(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bpe),
        cmocka_unit_test(test_specials),
        cmocka_unit_test(test_added),
        cmocka_unit_test(test_spm),
        cmocka_unit_test(test_strips),
        cmocka_unit_test(test_wordpiece),
        cmocka_unit_test(test_unigram),
        cmocka_unit_test(test_charsmap),
        cmocka_unit_test(test_gemma4),
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_all_pre_tokenizers),
        cmocka_unit_test(test_long_runs),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_detok),
        cmocka_unit_test(test_detok_spaces),
        cmocka_unit_test(test_unsupported),
        cmocka_unit_test(test_wrong_metadata),
        cmocka_unit_test(test_long_spelling),
        cmocka_unit_test(test_small_vocabulary),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
