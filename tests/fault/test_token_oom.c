/* Creating a tokenizer and encoding with the n-th allocation failing, for every n: a status, and
 * what was there before is there after. */
#include "cmocka_headers.h"

#include "base/alloc.h"
#include "tiny_vocab.h"

static const struct gs_slice text = {"hello \xEF\xAC\x81\xFF <tool> w", 19};

static enum gs_status use(const struct gs_gguf *f, struct gs_token_ids *ids, struct gs_error *err)
{
    struct gs_tokenizer *t = NULL;
    enum gs_status st = gs_token_create(f, &t, err);

    if (st == GS_OK)
        st = gs_token_encode(t, text, GS_TOKEN_ADD_SPECIAL | GS_TOKEN_PARSE_SPECIAL, ids, err);
    gs_token_free(t);
    return st;
}

static void test_every_allocation(void **state)
{
    (void)state;
    for (enum vocab_model model = VOCAB_BPE; model < VOCAB_MODELS; model++) {
        struct gs_gguf *const f = vocab_open(model, "tiny", NULL, 0);
        enum gs_status st = GS_ENOMEM;

        assert_non_null(f);
        for (long n = 1; st != GS_OK; n++) {
            struct gs_token_ids ids = {0};
            struct gs_error err = {0};
            gs_alloc_fail_at(n);
            st = use(f, &ids, &err);
            gs_alloc_fail_at(0);
            if (st != GS_OK) {
                assert_int_equal(st, GS_ENOMEM);
                assert_int_equal(err.code, GS_ENOMEM);
                assert_int_equal(ids.len, 0);
            }
            gs_token_ids_clear(&ids);
        }
        gs_gguf_close(f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_allocation)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
