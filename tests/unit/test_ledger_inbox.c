/* Notes between threads: in order and whole, or refused. */
#include "cmocka_headers.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/slice.h"
#include "base/thread.h"
#include "ledger/ledger_inbox.h"

#define A_MOMENT_US 1000

struct mail {
    struct gs_ledger_inbox in;
    struct gs_ledger_batch batch;
};

static void mail_init(struct mail *m, size_t max)
{
    gs_ledger_inbox_init(&m->in, max);
    gs_ledger_batch_init(&m->batch);
}

static void mail_clear(struct mail *m)
{
    gs_ledger_inbox_clear(&m->in);
    gs_ledger_batch_clear(&m->batch);
}

static bool put_request(struct mail *m, const char *id, const char *error)
{
    struct gs_ledger_note note = {.kind = GS_LEDGER_NOTE_REQUEST};

    note.u.request.id = gs_slice_str(id);
    note.u.request.error = gs_slice_str(error);
    return gs_ledger_inbox_put(&m->in, &note);
}

static bool put_attempt(struct mail *m, const char *id, int64_t at_us)
{
    struct gs_ledger_note note = {.kind = GS_LEDGER_NOTE_ATTEMPT};

    note.u.attempt.request = gs_slice_str(id);
    note.u.attempt.model = GS_SLICE_LIT("m");
    note.u.attempt.at_us = at_us;
    return gs_ledger_inbox_put(&m->in, &note);
}

static bool put_breaker(struct mail *m, const char *key)
{
    struct gs_ledger_note note = {.kind = GS_LEDGER_NOTE_BREAKER};

    note.u.breaker.key = gs_slice_str(key);
    return gs_ledger_inbox_put(&m->in, &note);
}

static void notes_come_in_order(void **state)
{
    struct mail m;
    (void)state;

    mail_init(&m, 10);
    for (int round = 0; round < 3; round++) { /* through both buffers */
        assert_true(put_request(&m, "r1", "why"));
        assert_true(put_attempt(&m, "r2", 7));
        assert_true(put_breaker(&m, "p/m"));
        assert_true(gs_ledger_inbox_take(&m.in, A_MOMENT_US, 3, &m.batch));
        assert_int_equal(m.batch.n, 3);
        const struct gs_ledger_note *note = gs_ledger_batch_next(&m.batch);
        assert_int_equal(note->kind, GS_LEDGER_NOTE_REQUEST);
        assert_true(gs_slice_eq_str(note->u.request.id, "r1"));
        assert_true(gs_slice_eq_str(note->u.request.error, "why"));
        assert_int_equal(note->u.request.model.len, 0);
        note = gs_ledger_batch_next(&m.batch);
        assert_int_equal(note->kind, GS_LEDGER_NOTE_ATTEMPT);
        assert_true(gs_slice_eq_str(note->u.attempt.request, "r2"));
        assert_true(gs_slice_eq_str(note->u.attempt.model, "m"));
        assert_int_equal(note->u.attempt.at_us, 7);
        note = gs_ledger_batch_next(&m.batch);
        assert_true(gs_slice_eq_str(note->u.breaker.key, "p/m"));
        assert_null(gs_ledger_batch_next(&m.batch));
    }
    mail_clear(&m);
}

static void long_texts_are_cut_each(void **state)
{
    char text[2000];
    struct mail m;
    (void)state;

    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    mail_init(&m, 10);
    assert_true(put_request(&m, text, text) && put_breaker(&m, text));
    assert_true(gs_ledger_inbox_take(&m.in, A_MOMENT_US, 1, &m.batch));
    const struct gs_ledger_note *note = gs_ledger_batch_next(&m.batch);
    assert_int_equal(note->u.request.id.len, 256);
    assert_int_equal(note->u.request.error.len, 512);
    assert_int_equal(gs_ledger_batch_next(&m.batch)->u.breaker.key.len, 528);
    mail_clear(&m);
}

static void what_does_not_fit_is_refused(void **state)
{
    struct mail m;
    (void)state;

    mail_init(&m, 2);
    gs_alloc_fail_at(1);
    assert_false(put_request(&m, "r0", ""));
    gs_alloc_fail_at(0);
    assert_true(put_request(&m, "r1", ""));
    gs_alloc_fail_at(1);
    assert_false(put_request(&m, "r2", ""));
    gs_alloc_fail_at(0);
    assert_true(put_request(&m, "r3", ""));
    assert_false(put_request(&m, "r4", ""));
    assert_true(gs_ledger_inbox_take(&m.in, A_MOMENT_US, 100, &m.batch)); /* never so many */
    assert_int_equal(m.batch.n, 2);
    assert_true(gs_slice_eq_str(gs_ledger_batch_next(&m.batch)->u.request.id, "r1"));
    assert_true(gs_slice_eq_str(gs_ledger_batch_next(&m.batch)->u.request.id, "r3"));
    assert_true(put_request(&m, "r5", ""));
    gs_ledger_inbox_close(&m.in);
    assert_false(put_request(&m, "r6", ""));
    assert_true(gs_ledger_inbox_take(&m.in, INT64_MAX / 2, 100, &m.batch)); /* at once */
    assert_int_equal(m.batch.n, 1);
    assert_false(gs_ledger_inbox_take(&m.in, A_MOMENT_US, 1, &m.batch));
    assert_null(gs_ledger_batch_next(&m.batch));
    mail_clear(&m);
}

#define N_SENT 5000

struct sender {
    struct mail *m;
    const char *name;
};

static void send_many(void *arg)
{
    const struct sender *s = arg;

    for (int i = 0; i < N_SENT; i++)
        assert_true(put_attempt(s->m, s->name, i));
}

static void nothing_is_lost_between_threads(void **state)
{
    pthread_t threads[2];
    struct mail m;
    int64_t next[2] = {0};
    (void)state;

    mail_init(&m, 2 * N_SENT);
    struct sender senders[] = {{&m, "a"}, {&m, "b"}};
    for (int i = 0; i < 2; i++)
        assert_int_equal(gs_thread_start(&threads[i], GS_THREAD_POOL, send_many, &senders[i], NULL),
                         GS_OK);
    while (next[0] + next[1] < 2 * N_SENT) {
        assert_true(gs_ledger_inbox_take(&m.in, A_MOMENT_US, 100, &m.batch));
        for (const struct gs_ledger_note *note = gs_ledger_batch_next(&m.batch); note;
             note = gs_ledger_batch_next(&m.batch))
            assert_int_equal(note->u.attempt.at_us, next[note->u.attempt.request.ptr[0] - 'a']++);
    }
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    mail_clear(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(notes_come_in_order),
        cmocka_unit_test(long_texts_are_cut_each),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(nothing_is_lost_between_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
