/* Dividing the rows of a step: fair, complete, and nobody waits for ever. */
#include "cmocka_headers.h"

#include "base/compiler.h"
#include "base/rng.h"
#include "engine/share.h"

#define MAX_N 64

static void test_cases(void **state)
{
    static const struct {
        size_t n, first;
        uint32_t rows;
        size_t want[4];
        uint32_t expected[4];
    } cases[] = {
        {1, 0, 512, {100}, {100}},
        {1, 0, 64, {1000}, {64}},
        {3, 0, 64, {1, 1, 1000}, {1, 1, 62}},       /* two answers, one prompt */
        {3, 0, 90, {1000, 10, 1000}, {40, 10, 40}}, /* a short prompt is done at once */
        {4, 0, 2, {1, 1, 1, 1}, {1, 1, 0, 0}},      /* rows are short: in turn */
        {4, 3, 2, {1, 1, 1, 1}, {1, 0, 0, 1}},
        {4, 1, 3, {5, 0, 5, 5}, {1, 0, 1, 1}}, /* who is paused wants nothing */
        {2, 7, 5, {9, 9}, {2, 3}},             /* the remainder goes to whose turn it is */
        {2, 0, 9, {0, 0}, {0, 0}},
    };

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(cases); i++) {
        uint32_t rows[4];
        gs_engine_share_rows(cases[i].want, cases[i].n, cases[i].first, cases[i].rows, rows);
        for (size_t k = 0; k < cases[i].n; k++)
            assert_int_equal(rows[k], cases[i].expected[k]);
    }
    gs_engine_share_rows(NULL, 0, 5, 9, NULL);
}

static void test_invariants(void **state)
{
    struct gs_rng rng;

    (void)state;
    gs_rng_seed(&rng, 1);
    for (int round = 0; round < 2000; round++) {
        const size_t n = 1 + gs_rng_u64(&rng) % MAX_N;
        const uint32_t rows = (uint32_t)(gs_rng_u64(&rng) % 600);
        size_t want[MAX_N];
        uint32_t got[MAX_N];
        size_t wanted = 0;
        size_t given = 0;
        for (size_t i = 0; i < n; i++) {
            want[i] = gs_rng_u64(&rng) % 3 ? gs_rng_u64(&rng) % 2 : gs_rng_u64(&rng) % 400;
            wanted += want[i];
        }
        gs_engine_share_rows(want, n, (size_t)round, rows, got);
        for (size_t i = 0; i < n; i++) {
            assert_true(got[i] <= want[i]);
            given += got[i];
            for (size_t k = 0; k < n; k++) /* nobody has more while another lacks */
                assert_true(got[i] == want[i] || got[k] <= got[i] + 1);
        }
        assert_int_equal(given, GS_MIN(wanted, rows));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_invariants),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
