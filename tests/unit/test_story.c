/* Real weights: stories260K tells its story, token for token, from BOS alone (greedy, 200 tokens).
 * The text is that of shared/models/README.md. */
#include "cmocka_headers.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/slice.h"
#include "genset/genset.h"

#define MODEL GENSET_SHARED "/models/stories260K.gguf"

static const char story[] =
    "Once upon a time, there was a little girl named Lily. She loved to play outside in the park. "
    "One day, she saw a big, red ball. She wanted to play with it, but it was too high.\n"
    "Lily's mom said, \"Lily, let's go to the park.\" Lily was sad and didn't know what to do. She "
    "said, \"I want to play with your ball, but I can't find it.\"\n"
    "Lily was sad and didn't know what to do. She said, \"I'm sorry, Lily. I didn't know what to "
    "do.\"\n"
    "Lily didn't want to help her mom, so she";

struct listener {
    struct gs_buf text;
    struct gs_usage usage;
    enum gs_stop_reason stop;
    int n_errors;
};

static enum gs_flow on_event(void *ud, const struct gs_event *ev)
{
    struct listener *l = ud;

    if (ev->kind == GS_EVENT_DELTA)
        gs_buf_slice(&l->text, ev->text);
    if (ev->kind == GS_EVENT_STOP) {
        l->usage = ev->usage;
        l->stop = ev->stop;
    }
    l->n_errors += ev->kind == GS_EVENT_ERROR;
    return GS_FLOW_CONTINUE;
}

static void test_story(void **state)
{
    struct gs_chat chat = {.is_raw = true, .max_tokens = 200};
    struct gs_llm_options opt;
    struct listener l = {0};
    struct gs_error err = {0};
    gs_answer *a;
    gs_llm *llm;

    (void)state;
    if (access(MODEL, R_OK) != 0) {
        print_message("%s is absent: skipped\n", MODEL);
        skip();
    }
    gs_llm_options_init(&opt);
    opt.cpu = getenv("GENSET_CPU");
    opt.n_threads = 2;
    if (gs_llm_open(MODEL, &opt, &llm, &err) != GS_OK)
        fail_msg("%s", err.msg);
    gs_buf_init(&l.text, (size_t)1 << 16);
    gs_sampling_init(&chat.sampling);
    chat.sampling.temperature = 0;
    if (gs_llm_answer(llm, &chat, on_event, &l, &a, &err) != GS_OK)
        fail_msg("%s", err.msg);
    gs_answer_wait(a);
    gs_answer_free(a);
    gs_llm_close(llm);
    assert_int_equal(l.n_errors, 0);
    gs_buf_putc(&l.text, '\0');
    assert_string_equal(l.text.ptr, story);
    assert_int_equal(l.usage.prompt_tokens, 1);
    assert_int_equal(l.usage.answer_tokens, 200);
    assert_int_equal(l.stop, GS_STOP_LENGTH);
    gs_buf_clear(&l.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_story)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
