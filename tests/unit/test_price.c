/* Prices: which one counts, and what an answer costs by it. */
#include "cmocka_headers.h"

#include <string.h>

#include "base/slice.h"
#include "route/price.h"

static const struct gs_config_provider providers[] = {
    {.name = "local"}, {.name = "anthropic"}, {.name = "openai"}};
static const struct gs_config_price prices[] = {
    {.match = "anthropic/claude-opus-*",
     .in_nanousd = 5000,
     .cached_nanousd = 500,
     .cache_write_nanousd = 6250,
     .out_nanousd = 25000},
    {.match = "anthropic/*", .in_nanousd = 1000, .out_nanousd = 5000},
};
static const struct gs_config_routes priced = {
    .providers = providers, .n_providers = 3, .prices = prices, .n_prices = 2};

static void the_first_price_that_fits_counts(void **state)
{
    static char large[4000];
    (void)state;

    assert_ptr_equal(gs_price_find(&priced, 1, GS_SLICE_LIT("Claude-Opus-5")), &prices[0]);
    assert_ptr_equal(gs_price_find(&priced, 1, GS_SLICE_LIT("claude-haiku")), &prices[1]);
    assert_null(gs_price_find(&priced, 2, GS_SLICE_LIT("claude-opus-5")));
    memset(large, 'x', sizeof(large));
    assert_ptr_equal(gs_price_find(&priced, 1, gs_slice(large, sizeof(large))), &prices[1]);
    assert_ptr_equal(gs_price_find(&priced, 1, gs_slice(NULL, 0)), &prices[1]);
}

static void tokens_cost_by_their_kind(void **state)
{
    const struct gs_price_use use = {.prompt_tokens = 1000,
                                     .cached_tokens = 600,
                                     .cache_write_tokens = 300,
                                     .answer_tokens = 10};
    (void)state;

    assert_int_equal(gs_price_nanousd(&prices[0], &use),
                     100 * 5000 + 600 * 500 + 300 * 6250 + 10 * 25000);
    assert_int_equal(gs_price_nanousd(NULL, &use), 0);
}

static void nonsense_costs_within_range(void **state)
{
    (void)state;
    assert_int_equal(
        gs_price_nanousd(&prices[0], &(struct gs_price_use){.prompt_tokens = -5,
                                                            .cached_tokens = 7,
                                                            .answer_tokens = INT64_MIN}),
        0);
    const int64_t most =
        gs_price_nanousd(&prices[0], &(struct gs_price_use){.answer_tokens = INT64_MAX});
    assert_true(most > (int64_t)1000000 * 1000000000); /* a million dollars; and sums of them fit */
    assert_true(most < INT64_MAX / 4096);
    assert_int_equal(gs_price_nanousd(&prices[0], &(struct gs_price_use){.prompt_tokens = 10,
                                                                         .cached_tokens = 99}),
                     10 * 500);
    assert_int_equal(gs_price_tokens(0), 1);
    assert_int_equal(gs_price_tokens(4000), 1001);
}

static void images_do_not_count_by_their_bytes(void **state)
{
    static char data[4000];
    const struct gs_block blocks[] = {
        {.kind = GS_BLOCK_TEXT, .text = GS_SLICE_LIT("what is this?")},
        {.kind = GS_BLOCK_IMAGE, .text = {data, sizeof(data)}},
    };
    const struct gs_message message = {.blocks = blocks, .n_blocks = 2};
    const struct gs_chat chat = {.messages = &message, .n_messages = 1};
    (void)state;

    assert_int_equal(gs_price_prompt_tokens(4400, NULL), 1101);
    assert_int_equal(gs_price_prompt_tokens(4400, &chat), 101 + 1600);
    assert_int_equal(gs_price_prompt_tokens(0, &chat), 1 + 1600);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_price_that_fits_counts),
        cmocka_unit_test(tokens_cost_by_their_kind),
        cmocka_unit_test(nonsense_costs_within_range),
        cmocka_unit_test(images_do_not_count_by_their_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
