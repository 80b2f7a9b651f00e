/* Several answers behind one: their events, usage, seeds, pauses and refusals. */
#include "cmocka_headers.h"

#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/limits.h"
#include "base/os.h"
#include "base/slice.h"
#include "genset/genset.h"
#include "standin/standin.h"

#define MAX 4

static char path[] = "/tmp/genset-test-choices-XXXXXX";
static gs_llm *llm;

static int set_up(void **state)
{
    struct gs_llm_options opt;
    const int fd = mkstemp(path);

    (void)state;
    if (fd < 0)
        return -1;
    close(fd);
    if (gs_os_write_file(path, gs_standin_gguf, gs_standin_gguf_bytes, NULL) != GS_OK)
        return -1;
    gs_llm_options_init(&opt);
    opt.n_threads = 1;
    opt.ctx_tokens = 1024;
    opt.max_sequences = 2; /* fewer than answers: the others wait */
    return gs_llm_open(path, &opt, &llm, NULL) == GS_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    gs_llm_close(llm);
    return unlink(path);
}

struct receiver {
    struct gs_buf text[MAX];
    bool open[MAX], stopped[MAX];
    uint32_t n_stopped, n;
    int n_starts, n_events;
    struct gs_usage started, usage;
    enum gs_status code;
    uint32_t cancel_after; /* STOPs; 0 = never */
    bool pauses;
    sem_t paused;
    atomic_bool is_over;
};

static void take_stop(struct receiver *r, const struct gs_event *ev)
{
    assert_false(r->open[ev->answer_idx] || r->stopped[ev->answer_idx]);
    r->stopped[ev->answer_idx] = true;
    r->n_stopped++;
    assert_int_equal(ev->n_left, r->n - r->n_stopped);
    r->usage = ev->usage;
    atomic_store(&r->is_over, ev->n_left == 0);
}

static enum gs_flow on_event(void *ud, const struct gs_event *ev)
{
    struct receiver *r = ud;

    assert_false(r->is_over);
    if (ev->kind != GS_EVENT_ERROR) /* which may come first */
        assert_true((r->n_events == 0) == (ev->kind == GS_EVENT_START));
    r->n_events++;
    assert_true(ev->answer_idx < r->n);
    switch (ev->kind) {
    case GS_EVENT_START:
        r->n_starts++;
        r->started = ev->usage;
        break;
    case GS_EVENT_BEGIN:
    case GS_EVENT_DELTA:
    case GS_EVENT_END:
        assert_int_equal(ev->block_idx, 0);
        assert_true(r->open[ev->answer_idx] == (ev->kind != GS_EVENT_BEGIN));
        r->open[ev->answer_idx] = ev->kind != GS_EVENT_END;
        gs_buf_slice(&r->text[ev->answer_idx], ev->text);
        break;
    case GS_EVENT_STOP:
        take_stop(r, ev);
        break;
    case GS_EVENT_ERROR:
        r->code = ev->error->code;
        atomic_store(&r->is_over, true);
        break;
    case GS_EVENT_PROGRESS:
    case GS_EVENT_VECTOR:
        break;
    }
    if (r->cancel_after > 0 && r->n_stopped >= r->cancel_after)
        return GS_FLOW_CANCEL;
    if (r->pauses)
        sem_post(&r->paused);
    return r->pauses ? GS_FLOW_PAUSE : GS_FLOW_CONTINUE;
}

static void receiver_init(struct receiver *r, uint32_t n)
{
    *r = (struct receiver){.n = n};
    for (int i = 0; i < MAX; i++)
        gs_buf_init(&r->text[i], (size_t)1 << 16);
    sem_init(&r->paused, 0, 0);
}

static void receiver_clear(struct receiver *r)
{
    for (int i = 0; i < MAX; i++)
        gs_buf_clear(&r->text[i]);
    sem_destroy(&r->paused);
}

static gs_answer *start(const struct gs_chat *chat, struct receiver *r, uint32_t n)
{
    struct gs_error err = {0};
    gs_answer *a = NULL;

    receiver_init(r, n);
    if (gs_llm_answer(llm, chat, on_event, r, &a, &err) != GS_OK)
        fail_msg("%s", err.msg);
    return a;
}

static void answer(const struct gs_chat *chat, struct receiver *r, uint32_t n)
{
    gs_answer *a = start(chat, r, n);

    gs_answer_wait(a);
    gs_answer_free(a);
}

static const struct gs_block hello = {.kind = GS_BLOCK_TEXT, .text = {"Hello there", 11}};
static const struct gs_message messages[] = {{GS_ROLE_USER, &hello, 1}};

/* So hot that the stand-in forgets its text. */
static struct gs_chat make_chat(int32_t n)
{
    struct gs_chat chat = {.messages = messages, .n_messages = 1, .n_answers = n, .max_tokens = 12};

    gs_sampling_init(&chat.sampling);
    chat.sampling.temperature = 8;
    chat.sampling.has_seed = true;
    chat.sampling.seed = 5;
    return chat;
}

static bool same(const struct gs_buf *a, const struct gs_buf *b)
{
    return gs_slice_eq(gs_buf_view(a), gs_buf_view(b));
}

static void answers_differ_and_repeat(void **state)
{
    struct gs_chat chat = make_chat(3);
    struct receiver one, three, again;

    (void)state;
    answer(&chat, &three, 3);
    answer(&chat, &again, 3);
    chat.n_answers = 1;
    answer(&chat, &one, 1);
    assert_int_equal(three.n_starts, 1);
    assert_int_equal(three.n_stopped, 3);
    for (int i = 0; i < 3; i++) {
        assert_true(three.text[i].len > 0);
        assert_true(same(&three.text[i], &again.text[i]));
    }
    assert_false(same(&three.text[0], &three.text[1]));
    assert_false(same(&three.text[1], &three.text[2]));
    assert_true(same(&three.text[0], &one.text[0]));
    receiver_clear(&one);
    receiver_clear(&three);
    receiver_clear(&again);
}

static void usage_is_summed(void **state)
{
    struct gs_chat chat = make_chat(4);
    struct receiver r;
    int64_t n_prompt;

    (void)state;
    chat.sampling.temperature = 0;
    chat.max_tokens = 3;
    assert_int_equal(gs_llm_count(llm, &chat, &n_prompt, NULL), GS_OK);
    answer(&chat, &r, 4);
    assert_int_equal(r.started.prompt_tokens, n_prompt);
    assert_int_equal(r.usage.prompt_tokens, n_prompt);
    assert_int_equal(r.usage.answer_tokens, 12);
    receiver_clear(&r);
}

static void chats_are_answered_side_by_side(void **state)
{
    struct gs_chat second = make_chat(2);
    struct gs_chat first = make_chat(2);
    struct receiver r, alone;
    int64_t n_first, n_second;

    (void)state;
    second.is_raw = true;
    second.raw_prompt = GS_SLICE_LIT("Once upon a time there was");
    first.next = &second;
    answer(&first, &r, 4);
    assert_int_equal(r.n_stopped, 4);
    assert_int_equal(gs_llm_count(llm, &first, &n_first, NULL), GS_OK);
    assert_int_equal(gs_llm_count(llm, &second, &n_second, NULL), GS_OK);
    assert_int_equal(r.usage.prompt_tokens, n_first + n_second);
    answer(&second, &alone, 2);
    assert_true(same(&r.text[2], &alone.text[0]));
    assert_true(same(&r.text[3], &alone.text[1]));
    receiver_clear(&alone);
    receiver_clear(&r);
}

static void all_pause_resume_and_end(void **state)
{
    struct gs_chat chat = make_chat(3);
    struct receiver r;
    gs_answer *a;

    (void)state;
    receiver_init(&r, 3);
    r.pauses = true;
    assert_int_equal(gs_llm_answer(llm, &chat, on_event, &r, &a, NULL), GS_OK);
    while (!atomic_load(&r.is_over)) {
        sem_wait(&r.paused);
        gs_answer_resume(a);
    }
    gs_answer_wait(a);
    gs_answer_free(a);
    assert_int_equal(r.n_stopped, 3);
    receiver_clear(&r);

    chat.max_tokens = 0;
    receiver_init(&r, 3); /* one wants no more: none goes on */
    r.cancel_after = 1;
    chat.max_tokens = 8;
    assert_int_equal(gs_llm_answer(llm, &chat, on_event, &r, &a, NULL), GS_OK);
    gs_answer_wait(a);
    gs_answer_free(a);
    assert_int_equal(r.n_stopped, 1);
    receiver_clear(&r);

    receiver_init(&r, 3); /* cancelled by the caller while paused */
    r.pauses = true;
    assert_int_equal(gs_llm_answer(llm, &chat, on_event, &r, &a, NULL), GS_OK);
    sem_wait(&r.paused);
    gs_answer_cancel(a);
    gs_answer_free(a);
    assert_true(r.n_stopped < 3);
    receiver_clear(&r);
}

static void what_is_refused_was_not_heard_of(void **state)
{
    struct gs_chat second = make_chat(1);
    struct gs_chat first = make_chat(1);
    struct receiver r;
    struct gs_error err = {0};
    gs_answer *a = NULL;

    (void)state;
    receiver_init(&r, 2);
    second.is_raw = true; /* and empty */
    first.next = &second;
    assert_int_equal(gs_llm_answer(llm, &first, on_event, &r, &a, &err), GS_EINVAL);
    assert_int_equal(r.n_events, 0);
    first = make_chat(GS_MAX_ANSWERS + 1);
    assert_int_equal(gs_llm_answer(llm, &first, on_event, &r, &a, &err), GS_ELIMIT);
    first.n_answers = INT32_MAX;
    first.next = &second;
    assert_int_equal(gs_llm_answer(llm, &first, on_event, &r, &a, &err), GS_ELIMIT);
    assert_int_equal(r.n_events, 0);
    assert_null(a);
    receiver_clear(&r);
}

static void no_memory_refuses_or_ends_all(void **state)
{
    struct gs_chat chat = make_chat(2);
    int n_failed = 0;

    (void)state;
    for (long n = 1;; n++) {
        struct receiver r;
        gs_answer *a = NULL;
        receiver_init(&r, 2);
        gs_alloc_fail_at(n);
        const enum gs_status st = gs_llm_answer(llm, &chat, on_event, &r, &a, NULL);
        if (a)
            gs_answer_wait(a);
        const bool was_hit = gs_alloc_count() >= n;
        gs_alloc_fail_at(0);
        gs_answer_free(a);
        assert_true(st == GS_OK ? r.is_over : st == GS_ENOMEM && r.n_events == 0);
        n_failed += st != GS_OK || r.code != GS_OK;
        receiver_clear(&r);
        if (!was_hit)
            break;
    }
    assert_true(n_failed > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_differ_and_repeat),
        cmocka_unit_test(usage_is_summed),
        cmocka_unit_test(chats_are_answered_side_by_side),
        cmocka_unit_test(all_pause_resume_and_end),
        cmocka_unit_test(what_is_refused_was_not_heard_of),
        cmocka_unit_test(no_memory_refuses_or_ends_all),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
