/* The ledger: rows come back as they went in, the latest first; totals; what is too old or too much
 * goes; files that are none are left alone. */
#include "cmocka_headers.h"

#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/os.h"
#include "base/slice.h"
#include "ledger/ledger.h"
#include "ledger_test.h"

static struct gs_ledger_request request(int i)
{
    return (struct gs_ledger_request){
        .id = GS_SLICE_LIT("req_1"),
        .at_us = gs_clock_wall_us(),
        .api = GS_SLICE_LIT("anthropic"),
        .model = GS_SLICE_LIT("qwen3:4b"),
        .served_by = GS_SLICE_LIT("local/qwen3-4b"),
        .status = 200,
        .stream = true,
        .prompt_tokens = 100 + i,
        .cached_tokens = 90,
        .answer_tokens = 11,
        .reasoning_tokens = 3,
        .first_us = 1000 * (i + 1),
        .total_us = 1000 * (i + 1) + 1000000,
    };
}

/* ---- reading back ---- */

struct seen {
    int64_t prompts[64];
    size_t n, most;
    struct gs_ledger_request last; /* but its texts */
    char model[600], error[600];
};

static bool see(void *ud, const struct gs_ledger_request *r)
{
    struct seen *s = ud;

    s->prompts[s->n++] = r->prompt_tokens;
    s->last = *r;
    snprintf(s->model, sizeof(s->model), "%.*s", (int)r->model.len, r->model.ptr);
    snprintf(s->error, sizeof(s->error), "%.*s", (int)r->error.len, r->error.ptr);
    return s->most == 0 || s->n < s->most;
}

static struct seen read_back(const struct folder *f, struct gs_ledger_query q, size_t most)
{
    struct seen s = {.most = most};
    struct gs_error err;

    if (gs_ledger_read(f->path, &q, see, &s, &err) != GS_OK)
        fail_msg("%s", err.msg);
    return s;
}

static void rows_come_back_latest_first(void **state)
{
    const struct folder *f = *state;
    struct gs_ledger *l = open_ledger(f, 0, 0);

    for (int i = 0; i < 20; i++) {
        struct gs_ledger_request r = request(i);
        r.outcome = i % 5 == 0 ? GS_LEDGER_FAILED : GS_LEDGER_ANSWERED;
        r.error =
            i % 5 == 0 ? GS_SLICE_LIT("it's \"broken\"; DROP TABLE request") : GS_SLICE_LIT("");
        gs_ledger_record(l, &r);
    }
    gs_ledger_close(l);
    struct seen s = read_back(f, (struct gs_ledger_query){0}, 0);
    assert_int_equal(s.n, 20);
    assert_int_equal(s.prompts[0], 119);
    assert_int_equal(s.prompts[19], 100);
    assert_int_equal(s.last.status, 200);
    assert_true(s.last.stream);
    assert_int_equal(s.last.outcome, GS_LEDGER_FAILED);
    assert_int_equal(s.last.cached_tokens, 90);
    assert_int_equal(s.last.answer_tokens, 11);
    assert_int_equal(s.last.reasoning_tokens, 3);
    assert_int_equal(s.last.first_us, 1000);
    assert_int_equal(s.last.total_us, 1001000);
    assert_string_equal(s.model, "qwen3:4b");
    assert_string_equal(s.error, "it's \"broken\"; DROP TABLE request");
    s = read_back(f, (struct gs_ledger_query){.limit = 3}, 0);
    assert_int_equal(s.n, 3);
    s = read_back(f, (struct gs_ledger_query){.failed = true}, 0);
    assert_int_equal(s.n, 4);
    s = read_back(f, (struct gs_ledger_query){0}, 2); /* the receiver had enough */
    assert_int_equal(s.n, 2);
    s = read_back(f, (struct gs_ledger_query){.since_us = gs_clock_wall_us() + US_PER_DAY}, 0);
    assert_int_equal(s.n, 0);
}

static void a_ledger_goes_on_where_it_was(void **state)
{
    const struct folder *f = *state;

    for (int i = 0; i < 3; i++) {
        struct gs_ledger *l = open_ledger(f, 0, 0);
        const struct gs_ledger_request r = request(i);
        gs_ledger_record(l, &r);
        gs_ledger_close(l);
    }
    assert_int_equal(read_back(f, (struct gs_ledger_query){0}, 0).n, 3);
}

static void two_writers_share_a_file(void **state)
{
    const struct folder *f = *state;
    struct gs_ledger *a = open_ledger(f, 0, 0);
    struct gs_ledger *b = open_ledger(f, 0, 0);

    for (int i = 0; i < 20; i++) {
        const struct gs_ledger_request r = request(i);
        gs_ledger_record(i % 2 ? a : b, &r);
    }
    gs_ledger_close(a);
    gs_ledger_close(b);
    assert_int_equal(read_back(f, (struct gs_ledger_query){0}, 0).n, 20);
}

static void long_texts_are_cut(void **state)
{
    const struct folder *f = *state;
    struct gs_ledger *l = open_ledger(f, 0, 0);
    struct gs_ledger_request r = request(0);
    char text[4000];

    memset(text, 'x', sizeof(text));
    r.id = r.api = r.model = r.served_by = r.error = gs_slice(text, sizeof(text));
    gs_ledger_record(l, &r);
    gs_ledger_close(l);
    const struct seen s = read_back(f, (struct gs_ledger_query){0}, 0);
    assert_int_equal(s.n, 1);
    assert_int_equal(strlen(s.model), 256);
    assert_int_equal(strlen(s.error), 512);
}

/* ---- totals ---- */

static bool add(void *ud, const struct gs_ledger_total *t)
{
    struct gs_ledger_total *totals = ud;
    const size_t i = gs_slice_starts(t->served_by, GS_SLICE_LIT("local/")) ? 0 : 1;

    totals[i] = *t;
    return true;
}

static void totals_are_of_each_server(void **state)
{
    const struct folder *f = *state;
    struct gs_ledger *l = open_ledger(f, 0, 0);
    struct gs_ledger_total totals[2] = {{.n = 0}};
    const struct gs_ledger_query all = {0};

    for (int i = 0; i < 20; i++) {
        struct gs_ledger_request r = request(i);
        gs_ledger_record(l, &r);
    }
    struct gs_ledger_request none = request(0);
    none.served_by = GS_SLICE_LIT("");
    none.outcome = GS_LEDGER_FAILED;
    none.first_us = -1;
    gs_ledger_record(l, &none);
    gs_ledger_close(l);
    assert_int_equal(gs_ledger_sum(f->path, &all, add, totals, NULL), GS_OK);
    assert_int_equal(totals[0].n, 20);
    assert_int_equal(totals[0].n_failed, 0);
    assert_int_equal(totals[0].answer_tokens, 220);
    assert_int_equal(totals[0].cached_tokens, 1800);
    assert_int_equal(totals[0].first_p50_us, 10000);
    assert_int_equal(totals[0].first_p95_us, 19000);
    assert_true(totals[0].tokens_per_s > 9.99 && totals[0].tokens_per_s < 10.01);
    assert_int_equal(totals[1].n, 1);
    assert_int_equal(totals[1].n_failed, 1);
    assert_int_equal(totals[1].first_p50_us, -1);
}

/* ---- keeping ---- */

static void old_rows_and_too_many_go(void **state)
{
    const struct folder *f = *state;
    struct gs_ledger *l = open_ledger(f, 0, 0);

    for (int i = 0; i < 30; i++) {
        struct gs_ledger_request r = request(i);
        if (i < 10)
            r.at_us -= 100 * US_PER_DAY;
        gs_ledger_record(l, &r);
    }
    gs_ledger_close(l);
    gs_ledger_close(open_ledger(f, 90, 0));
    assert_int_equal(read_back(f, (struct gs_ledger_query){0}, 0).n, 20);
    gs_ledger_close(open_ledger(f, 90, 5));
    const struct seen s = read_back(f, (struct gs_ledger_query){0}, 0);
    assert_int_equal(s.n, 5);
    assert_int_equal(s.prompts[0], 129);
}

/* ---- what is no ledger ---- */

static void assert_refused(const struct folder *f, enum gs_status expected, const char *why)
{
    const struct gs_ledger_options opt = {.path = f->path, .max_waiting = 1};
    const struct gs_ledger_query all = {0};
    struct gs_ledger *l;
    struct gs_error err;
    struct seen s = {.n = 0};

    assert_int_equal(gs_ledger_open(&opt, &l, &err), expected);
    if (!strstr(err.msg, why))
        fail_msg("%s", err.msg);
    assert_int_equal(gs_ledger_read(f->path, &all, see, &s, &err), expected);
}

static void a_file_that_is_none_is_left_alone(void **state)
{
    const struct folder *f = *state;
    static const char text[] = "this is a text, and a long one, which nobody wants to lose at all, "
                               "and so nobody may write anything over it, whatever its name is....";
    struct gs_buf b;

    assert_int_equal(gs_os_write_file(f->path, text, sizeof(text), NULL), GS_OK);
    assert_refused(f, GS_EFORMAT, "not a database");
    gs_buf_init(&b, 1000);
    assert_int_equal(gs_os_read_file(f->path, &b, NULL), GS_OK);
    assert_int_equal(b.len, sizeof(text));
    gs_buf_clear(&b);
    unlink(f->path);
    run_sql(f, "CREATE TABLE other (x)");
    assert_refused(f, GS_EFORMAT, "no ledger");
}

static void a_newer_ledger_is_left_alone(void **state)
{
    const struct folder *f = *state;

    gs_ledger_close(open_ledger(f, 0, 0));
    run_sql(f, "PRAGMA user_version=99");
    assert_refused(f, GS_EUNSUPPORTED, "newer genset");
}

static void a_missing_ledger_is_not_made_by_reading(void **state)
{
    const struct folder *f = *state;
    const struct gs_ledger_query all = {0};
    struct gs_error err;
    struct seen s = {.n = 0};

    assert_int_equal(gs_ledger_read(f->path, &all, see, &s, &err), GS_ENOTFOUND);
    assert_int_not_equal(access(f->path, F_OK), 0);
}

/* ---- failing ---- */

struct loss {
    int n_told;
    uint64_t n_lost;
};

static void count_loss(void *ud, const struct gs_error *err, uint64_t n_lost)
{
    struct loss *loss = ud;

    assert_int_not_equal(err->code, GS_OK);
    loss->n_told++;
    loss->n_lost = n_lost;
}

/* The disk is full: files may not grow. What was written before stays. */
static void a_full_disk_loses_rows_and_says_so(void **state)
{
    const struct folder *f = *state;
    struct rlimit before;
    struct loss loss = {0};
    const struct gs_ledger_options opt = {
        .path = f->path, .max_waiting = 100, .on_loss = count_loss, .ud = &loss};
    struct gs_ledger *l = open_ledger(f, 0, 0);
    const struct gs_ledger_request r = request(0);

    gs_ledger_record(l, &r);
    gs_ledger_close(l);
    assert_int_equal(gs_ledger_open(&opt, &l, NULL), GS_OK);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max});
    for (int i = 0; i < 10; i++)
        gs_ledger_record(l, &r);
    gs_ledger_close(l);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(loss.n_told, 1);
    assert_true(loss.n_lost >= 1 && loss.n_lost <= 10); /* when it was told: the rest came later */
    assert_int_equal(read_back(f, (struct gs_ledger_query){0}, 0).n, 1);
}

struct ender {
    struct gs_ledger *l;
    struct loss loss;
    sem_t has_ended;
};

static void note_loss(void *ud, const struct gs_error *err, uint64_t n_lost)
{
    struct ender *e = ud;

    count_loss(&e->loss, err, n_lost);
}

/* The row that cannot be written comes when shortening the file is about to fail. */
static void end_with_a_bad_one(void *ud, uint64_t n_written)
{
    const struct gs_ledger_attempt bad = an_attempt("a", GS_FAULT_NONE);
    struct ender *e = ud;

    if (n_written < 1000)
        return;
    gs_ledger_record_attempt(e->l, &bad);
    sem_post(&e->has_ended);
}

/* A file that could not be shortened does not keep a loss that follows from being told. */
static void a_loss_is_told_whatever_failed_before(void **state)
{
    const struct folder *f = *state;
    struct ender e = {.l = NULL};
    const struct gs_ledger_options opt = {.path = f->path,
                                          .max_waiting = 1000, /* so many are not waited for */
                                          .on_loss = note_loss,
                                          .on_written = end_with_a_bad_one,
                                          .ud = &e};
    const struct gs_ledger_request r = request(0);

    assert_int_equal(sem_init(&e.has_ended, 0, 0), 0);
    assert_int_equal(gs_ledger_open(&opt, &e.l, NULL), GS_OK);
    run_sql(f, "DROP TABLE uptime"); /* which only attempts and shortening have to do with */
    for (int i = 0; i < 1000; i++)
        gs_ledger_record(e.l, &r);
    sem_wait(&e.has_ended);
    gs_ledger_close(e.l);
    sem_destroy(&e.has_ended);
    assert_int_equal(e.loss.n_told, 1);
    assert_int_equal(e.loss.n_lost, 1);
}

static void nobody_else_may_read_it(void **state)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    const struct folder *f = *state;
    struct gs_ledger *l = open_ledger(f, 0, 0);
    char path[160];
    struct stat sb;

    for (size_t i = 0; i < GS_COUNT_OF(ends); i++) {
        snprintf(path, sizeof(path), "%s%s", f->path, ends[i]);
        assert_int_equal(stat(path, &sb), 0);
        assert_int_equal(sb.st_mode & 0777, 0600);
    }
    gs_ledger_close(l);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        TEST(rows_come_back_latest_first),
        TEST(a_ledger_goes_on_where_it_was),
        TEST(two_writers_share_a_file),
        TEST(long_texts_are_cut),
        TEST(totals_are_of_each_server),
        TEST(old_rows_and_too_many_go),
        TEST(a_file_that_is_none_is_left_alone),
        TEST(a_newer_ledger_is_left_alone),
        TEST(a_missing_ledger_is_not_made_by_reading),
        TEST(a_full_disk_loses_rows_and_says_so),
        TEST(a_loss_is_told_whatever_failed_before),
        TEST(nobody_else_may_read_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
