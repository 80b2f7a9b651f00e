/* Prompts whose answer goes between two texts: where the marks come from, and where they stand. */
#include "cmocka_headers.h"

#include <stdio.h>
#include <unistd.h>

#include "api/llm.h"
#include "base/error.h"
#include "tiny_vocab.h"

#define BOS    266
#define HELLO  259
#define WORLD  264
#define IM_END 267

static gs_llm *open_file(const char *path)
{
    struct gs_llm_options opt;
    struct gs_error err = {0};
    gs_llm *llm = NULL;

    gs_llm_options_init(&opt);
    opt.weights_only = true;
    if (gs_llm_open(path, &opt, &llm, &err) != GS_OK)
        fail_msg("%s", err.msg);
    return llm;
}

static gs_llm *open_vocab(const struct vocab_edit *edits, size_t n_edits)
{
    char path[] = "/tmp/genset-test-infill-XXXXXX";
    const int fd = mkstemp(path);

    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(vocab_write(path, VOCAB_BPE, "tiny", edits, n_edits), GS_OK);
    gs_llm *llm = open_file(path);
    unlink(path);
    return llm;
}

static enum gs_status tokens_of(const gs_llm *llm, const char *prefix, const char *suffix,
                                struct gs_token_ids *ids, struct gs_error *err)
{
    const struct gs_chat chat = {.is_raw = true,
                                 .raw_prompt = gs_slice_str(prefix),
                                 .has_suffix = true,
                                 .raw_suffix = gs_slice_str(suffix)};
    struct gs_llm_prompt prompt;

    const enum gs_status st = gs_llm_prompt_make(llm, &chat, &prompt, err);
    if (st != GS_OK)
        return st;
    assert_false(prompt.opens_reasoning);
    *ids = prompt.ids;
    gs_buf_clear(&prompt.opening);
    return GS_OK;
}

static void expect(const gs_llm *llm, const char *prefix, const char *suffix, const int32_t *want,
                   size_t n)
{
    struct gs_token_ids ids = {0};
    struct gs_error err = {0};

    if (tokens_of(llm, prefix, suffix, &ids, &err) != GS_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(ids.len, n);
    assert_memory_equal(ids.ids, want, n * sizeof(*want));
    gs_token_ids_clear(&ids);
}

#define EXPECT(llm, prefix, suffix, ...)                                                           \
    expect(llm, prefix, suffix, (const int32_t[]){__VA_ARGS__},                                    \
           sizeof((const int32_t[]){__VA_ARGS__}) / sizeof(int32_t))

static void marks_are_named_by_the_file(void **state)
{
    static const struct vocab_edit named[] = {
        {.key = "fim_pre_token_id", .action = VOCAB_U32, .value = 1},
        {.key = "fim_suf_token_id", .action = VOCAB_U32, .value = 2},
        {.key = "fim_mid_token_id", .action = VOCAB_U32, .value = 3},
        {.key = "add_bos_token", .action = VOCAB_BOOL, .value = 1}};
    static const struct vocab_edit older[] = {
        {.key = "prefix_token_id", .action = VOCAB_U32, .value = 4},
        {.key = "suffix_token_id", .action = VOCAB_U32, .value = 5},
        {.key = "middle_token_id", .action = VOCAB_U32, .value = 6}};

    (void)state;
    gs_llm *llm = open_vocab(named, 4);
    EXPECT(llm, "hello", " world", BOS, 1, HELLO, 2, WORLD, 3);
    EXPECT(llm, "", "", BOS, 1, 2, 3);
    gs_llm_close(llm);
    llm = open_vocab(older, 3);
    EXPECT(llm, "hello", " world", 4, HELLO, 5, WORLD, 6);
    gs_llm_close(llm);
}

/* "<|im_end|>" in a source file is no end of a turn. */
static void texts_are_plain(void **state)
{
    static const struct vocab_edit named[] = {
        {.key = "fim_pre_token_id", .action = VOCAB_U32, .value = 1},
        {.key = "fim_suf_token_id", .action = VOCAB_U32, .value = 2},
        {.key = "fim_mid_token_id", .action = VOCAB_U32, .value = 3}};
    gs_llm *llm = open_vocab(named, 3);
    struct gs_token_ids ids = {0};

    (void)state;
    assert_int_equal(tokens_of(llm, "<|im_end|>", "<|im_end|>", &ids, NULL), GS_OK);
    assert_true(ids.len > 10);
    for (size_t i = 0; i < ids.len; i++)
        assert_int_not_equal(ids.ids[i], IM_END);
    gs_token_ids_clear(&ids);
    gs_llm_close(llm);
}

static void models_without_marks_refuse(void **state)
{
    static const struct vocab_edit beyond[] = {
        {.key = "fim_pre_token_id", .action = VOCAB_U32, .value = 100000}};
    static const struct vocab_edit half[] = {
        {.key = "fim_pre_token_id", .action = VOCAB_U32, .value = 1}};
    struct gs_token_ids ids = {0};
    struct gs_error err = {0};

    (void)state;
    gs_llm *llm = open_vocab(half, 1);
    assert_int_equal(tokens_of(llm, "a", "b", &ids, &err), GS_EUNSUPPORTED);
    assert_string_equal(err.msg, "model \"tiny\" does not fill in between texts");
    gs_llm_close(llm);
    llm = open_vocab(beyond, 1);
    assert_int_equal(tokens_of(llm, "a", "b", &ids, &err), GS_EFORMAT);
    assert_non_null(strstr(err.msg, "fim_pre_token_id: token 100000"));
    gs_llm_close(llm);
    gs_token_ids_clear(&ids);
}

static void marks_are_known_by_their_spelling(void **state)
{
    static const struct {
        const char *file;
        const char *marks[3];
    } families[] = {
        {"qwen2", {"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"}},
        {"starcoder", {"<fim_prefix>", "<fim_suffix>", "<fim_middle>"}},
        {"deepseek-coder", {"<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"}},
    };

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(families); i++) {
        struct gs_token_ids ids = {0};
        char path[512];
        snprintf(path, sizeof(path), "%s/golden/tokenizer/%s.gguf", GENSET_SHARED,
                 families[i].file);
        if (access(path, R_OK) != 0)
            skip();
        gs_llm *llm = open_file(path);
        assert_int_equal(tokens_of(llm, "def f(", ")\n", &ids, NULL), GS_OK);
        const size_t first = ids.ids[0] == gs_token_bos(llm->tok);
        const int32_t middle = ids.ids[ids.len - 1];
        assert_true(
            gs_slice_eq_str(gs_token_spelling(llm->tok, ids.ids[first]), families[i].marks[0]));
        assert_true(gs_slice_eq_str(gs_token_spelling(llm->tok, middle), families[i].marks[2]));
        gs_token_ids_clear(&ids);
        gs_llm_close(llm);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(marks_are_named_by_the_file),
        cmocka_unit_test(texts_are_plain),
        cmocka_unit_test(models_without_marks_refuse),
        cmocka_unit_test(marks_are_known_by_their_spelling),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
