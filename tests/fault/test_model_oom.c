/* Loading, creating and reserving with the n-th allocation failing, for every n: a status, and
 * nothing is left behind (the sanitizers look). */
#include <stdlib.h>

#include "cmocka_headers.h"

#include "base/alloc.h"
#include "compute/lane.h"
#include "gguf/gguf.h"
#include "model/exec.h"
#include "model/model.h"
#include "tiny_gguf.h"

static const struct gs_exec_options small = {
    .kv_type = GS_TYPE_F16,
    .batch_rows = 4,
    .output_rows = 1,
    .max_sequences = 2,
    .kv_tokens = 64,
    .ctx_tokens = 64,
};

/* Everything up to a forward. */
static enum gs_status use(const struct gs_gguf *f, struct gs_compute *pool, struct gs_error *err)
{
    const int32_t tokens[] = {1, 2};
    struct gs_model *m = NULL;
    struct gs_exec *e = NULL;
    struct gs_seq *s = NULL;
    const float *logits = NULL;

    enum gs_status st = gs_model_load(f, &m, err);
    if (st == GS_OK)
        st = gs_exec_create(m, pool, &small, &e, err);
    if (st == GS_OK)
        st = gs_seq_create(e, 33, &s, err);
    if (st == GS_OK)
        st = gs_exec_forward(e, &(struct gs_run){s, tokens, 2, 1, 0}, 1, &logits, err);
    gs_seq_free(s);
    gs_exec_free(e);
    gs_model_free(m);
    return st;
}

static void test_every_allocation(void **state)
{
    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(tiny_shapes); i++) {
        struct gs_gguf *f = tiny_open(&tiny_shapes[i], NULL, 0);
        enum gs_status st = GS_ENOMEM;
        long n = 0;

        assert_non_null(f);
        while (st == GS_ENOMEM) {
            struct gs_compute *pool = NULL;
            struct gs_error err = {0};
            assert_int_equal(gs_compute_create(1, getenv("GENSET_CPU"), &pool, &err), GS_OK);
            gs_alloc_fail_at(++n);
            st = use(f, pool, &err);
            gs_alloc_fail_at(0);
            assert_int_equal(err.code, st);
            gs_compute_free(pool);
        }
        assert_int_equal(st, GS_OK);
        assert_true(n > 5);
        gs_gguf_close(f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
