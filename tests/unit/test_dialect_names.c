/* An answer that an upstream began keeps the upstream's names, whoever goes on with it: its id, its
 * model, its items. */
#include "base/alloc.h"
#include "base/slice.h"
#include "cmocka_headers.h"
#include "dialect/dialect.h"

#define MAX_IO ((size_t)1 << 20)

static const struct {
    const struct gs_dialect *dialect;
    bool has_id;
    bool repeats; /* in each frame */
} dialects[] = {
    {&gs_dialect_anthropic, true, false},
    {&gs_dialect_openai_chat, true, true},
    {&gs_dialect_openai_completions, true, true},
    {&gs_dialect_openai_responses, true, false},
    {&gs_dialect_ollama, false, true},
};

static const struct gs_event answer[] = {
    {.kind = GS_EVENT_START,
     .answer_id = {"id-of-\"another\"", 15},
     .model = {"model-of-another", 16}},
    {.kind = GS_EVENT_BEGIN, .block = GS_BLOCK_TEXT, .item_id = {"item-of-another", 15}},
    {.kind = GS_EVENT_DELTA, .block = GS_BLOCK_TEXT, .text = {"Hello", 5}},
    {.kind = GS_EVENT_END, .block = GS_BLOCK_TEXT},
    {.kind = GS_EVENT_STOP},
};

static bool has(const struct gs_buf *b, const char *text)
{
    return gs_slice_find(gs_buf_view(b), gs_slice_str(text), 0) != SIZE_MAX;
}

/* The answer from the event `from` on, after what came before was told by somebody else. */
static void spell(const struct gs_dialect *d, bool stream, size_t from, struct gs_buf *out)
{
    const struct gs_dialect_context ctx = {.model = GS_SLICE_LIT("as-asked"),
                                           .request_id = GS_SLICE_LIT("req_ours"),
                                           .stream = stream};
    void *state = gs_alloc_zero(d->state_bytes);

    assert_non_null(state);
    gs_buf_init(out, MAX_IO);
    for (size_t i = 0; i < GS_COUNT_OF(answer); i++) {
        if (i == from)
            gs_buf_reset(out);
        d->write_event(state, &ctx, &answer[i], out);
    }
    assert_true(gs_buf_ok(out));
    d->clear_state(state);
    gs_free(state);
}

static void test_names_of_another(void **state)
{
    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(dialects); i++) {
        for (int stream = 0; stream < 2; stream++) {
            struct gs_buf out;
            spell(dialects[i].dialect, stream, 0, &out);
            assert_true(has(&out, "model-of-another"));
            assert_int_equal(has(&out, "id-of-\\\"another\\\""), dialects[i].has_id);
            assert_false(has(&out, "ours"));
            assert_false(has(&out, "as-asked"));
            gs_buf_clear(&out);
        }
    }
}

static void test_later_frames_have_them_too(void **state)
{
    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(dialects); i++) {
        struct gs_buf out;
        spell(dialects[i].dialect, true, 2, &out);
        assert_true(!dialects[i].repeats || has(&out, "model-of-another"));
        assert_false(has(&out, "ours"));
        assert_false(has(&out, "as-asked"));
        gs_buf_clear(&out);
    }
}

static void test_items_keep_their_ids(void **state)
{
    struct gs_buf out;

    (void)state;
    spell(&gs_dialect_openai_responses, true, 2, &out);
    assert_true(has(&out, "\"item_id\":\"item-of-another\",\"output_index\":0"));
    assert_true(has(&out, "\"item\":{\"id\":\"item-of-another\""));
    gs_buf_clear(&out);
}

static void test_memory_runs_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(dialects); i++) {
        const struct gs_dialect *d = dialects[i].dialect;
        const struct gs_dialect_context ctx = {.stream = true};
        for (unsigned n = 1; n < 6; n++) {
            void *s = gs_alloc_zero(d->state_bytes);
            struct gs_buf out;
            gs_buf_init(&out, MAX_IO);
            gs_alloc_fail_at(n);
            for (size_t e = 0; e < GS_COUNT_OF(answer); e++)
                d->write_event(s, &ctx, &answer[e], &out);
            gs_alloc_fail_at(0);
            if (gs_buf_ok(&out) && dialects[i].repeats)
                assert_true(has(&out, "model-of-another"));
            d->clear_state(s);
            gs_free(s);
            gs_buf_clear(&out);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_of_another),
        cmocka_unit_test(test_later_frames_have_them_too),
        cmocka_unit_test(test_items_keep_their_ids),
        cmocka_unit_test(test_memory_runs_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
