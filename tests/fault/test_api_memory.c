/* Any allocation that fails while a model is opened or an answer is started fails that alone: a
 * status, nothing leaked, and the model goes on answering. */
#include "cmocka_headers.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/os.h"
#include "genset/genset.h"
#include "standin/standin.h"

static char path[] = "/tmp/genset-test-memory-XXXXXX";

static int set_up(void **state)
{
    const int fd = mkstemp(path);

    (void)state;
    if (fd < 0)
        return -1;
    close(fd);
    return gs_os_write_file(path, gs_standin_gguf, gs_standin_gguf_bytes, NULL) == GS_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return unlink(path);
}

static enum gs_flow on_event(void *ud, const struct gs_event *ev)
{
    enum gs_status *last = ud;

    if (ev->kind == GS_EVENT_STOP)
        *last = GS_OK;
    if (ev->kind == GS_EVENT_ERROR)
        *last = ev->error->code;
    return GS_FLOW_CONTINUE;
}

static enum gs_status open_model(gs_llm **out_llm, struct gs_error *err)
{
    struct gs_llm_options opt;

    gs_llm_options_init(&opt);
    opt.cpu = getenv("GENSET_CPU");
    opt.n_threads = 1;
    opt.max_sequences = 2;
    opt.batch_tokens = 32;
    return gs_llm_open(path, &opt, out_llm, err);
}

static void test_open(void **state)
{
    gs_llm *llm = NULL;
    long total = 0;

    (void)state;
    gs_alloc_fail_at(0);
    assert_int_equal(open_model(&llm, NULL), GS_OK);
    total = gs_alloc_count();
    gs_llm_close(llm);
    const long stride = total > 300 ? total / 300 : 1; /* every one of a few, some of many */
    for (long n = 1; n <= total; n += n < 100 ? 1 : stride) {
        struct gs_error err = {0};
        llm = NULL;
        gs_alloc_fail_at(n);
        const enum gs_status st = open_model(&llm, &err);
        gs_alloc_fail_at(0);
        assert_true(st == GS_OK || st == GS_ENOMEM);
        assert_int_equal(err.code, st);
        assert_true((st == GS_OK) == (llm != NULL));
        gs_llm_close(llm);
    }
}

static void test_answer(void **state)
{
    const struct gs_block block = {.kind = GS_BLOCK_TEXT, .text = {"Hello", 5}};
    const struct gs_message message = {GS_ROLE_USER, &block, 1};
    struct gs_chat chat = {.messages = &message, .n_messages = 1, .max_tokens = 4};
    gs_llm *llm;
    int n_failed = 0;

    (void)state;
    gs_sampling_init(&chat.sampling);
    chat.logprobs = true;
    chat.n_top_logprobs = 2;
    assert_int_equal(open_model(&llm, NULL), GS_OK);
    for (long n = 1;; n++) {
        enum gs_status last = GS_EINTERNAL;
        gs_answer *a = NULL;
        gs_alloc_fail_at(n);
        const enum gs_status st = gs_llm_answer(llm, &chat, on_event, &last, &a, NULL);
        if (a)
            gs_answer_wait(a);
        const bool was_hit = gs_alloc_count() >= n;
        gs_alloc_fail_at(0);
        gs_answer_free(a);
        assert_true(st == GS_ENOMEM || (st == GS_OK && (last == GS_OK || last == GS_ENOMEM)));
        n_failed += st != GS_OK || last != GS_OK;
        if (!was_hit)
            break;
    }
    assert_true(n_failed > 5);
    gs_llm_close(llm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open),
        cmocka_unit_test(test_answer),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
