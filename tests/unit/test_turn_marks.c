/* Where the turns of a prompt are seen: at control tokens like its first. */
#include "cmocka_headers.h"

#include "api/llm.h"
#include "gguf/gguf.h"
#include "tiny_vocab.h"

#define BOS  266
#define TURN 267
#define WORD 259

static void expect(const struct gs_llm *llm, const int32_t *tokens, size_t n, const size_t *marks,
                   size_t n_marks)
{
    int32_t copy[32];
    struct gs_token_ids ids = {.ids = copy, .len = n, .cap = n};
    size_t found[GS_TURN_MARKS];
    size_t n_found = 77;

    memcpy(copy, tokens, n * sizeof(*tokens));
    gs_llm_turn_marks(llm, &ids, found, &n_found);
    assert_int_equal(n_found, n_marks);
    assert_memory_equal(found, marks, n_marks * sizeof(*marks));
}

static void test_marks(void **state)
{
    static const int32_t talk[] = {TURN, WORD, WORD, TURN, WORD, TURN, WORD, WORD,
                                   TURN, WORD, TURN, WORD, WORD, TURN, WORD};
    static const int32_t with_bos[] = {BOS, TURN, WORD, TURN, WORD};
    static const int32_t plain[] = {WORD, WORD, WORD, TURN, WORD};
    struct gs_gguf *f = vocab_open(VOCAB_BPE, "tiny", NULL, 0);
    struct gs_llm llm = {0};

    (void)state;
    assert_non_null(f);
    assert_int_equal(gs_token_create(f, &llm.tok, NULL), GS_OK);
    assert_int_equal(gs_token_bos(llm.tok), BOS);
    expect(&llm, talk, 15, (const size_t[]){3, 5, 10, 13}, 4);
    expect(&llm, talk, 10, (const size_t[]){3, 5, 8}, 3);
    expect(&llm, talk, 4, (const size_t[]){3}, 1);
    expect(&llm, talk, 3, (const size_t[]){2}, 1);
    expect(&llm, with_bos, 5, (const size_t[]){3}, 1);
    expect(&llm, plain, 5, (const size_t[]){4}, 1);
    expect(&llm, plain, 1, NULL, 0);
    expect(&llm, with_bos, 1, NULL, 0);
    expect(&llm, with_bos, 2, (const size_t[]){1}, 1);
    expect(&llm, plain, 0, NULL, 0);
    gs_token_free(llm.tok);
    gs_gguf_close(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_marks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
