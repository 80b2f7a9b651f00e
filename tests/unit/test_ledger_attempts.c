/* What the ledger keeps of attempts and breakers: they come back as they went in, sums outlive
 * them, and a ledger of the first genset is brought up to date without losing a row. */
#include "cmocka_headers.h"

#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/slice.h"
#include "ledger/history.h"
#include "ledger_test.h"

/* ---- reading back ---- */

struct seen {
    struct gs_ledger_attempt last; /* but its texts */
    char words[512];
    size_t n;
};

static bool see_attempt(void *ud, const struct gs_ledger_attempt *a)
{
    struct seen *s = ud;
    const size_t len = strlen(s->words);

    snprintf(s->words + len, sizeof(s->words) - len, "%d %.*s/%.*s %s;", a->number,
             (int)a->provider.len, a->provider.ptr, (int)a->model.len, a->model.ptr,
             gs_fault_word(a->fault));
    s->last = *a;
    s->n++;
    return true;
}

static bool see_request(void *ud, const struct gs_ledger_request *r)
{
    struct seen *s = ud;

    assert_int_equal(r->n_attempts, 2);
    assert_int_equal(r->cost_nanousd, 7000);
    assert_true(r->is_estimated);
    assert_int_equal(r->left_bytes, 8000);
    snprintf(s->words, sizeof(s->words), "%.*s|%.*s|%.*s|%.*s", (int)r->key.len, r->key.ptr,
             (int)r->privacy.len, r->privacy.ptr, (int)r->found.len, r->found.ptr,
             (int)r->faults.len, r->faults.ptr);
    s->n++;
    return true;
}

static void attempts_come_back_in_order(void **state)
{
    const struct folder *f = *state;
    struct gs_ledger *l = open_ledger(f, 0, 0);
    struct gs_ledger_attempt a = an_attempt("garage", GS_FAULT_NONE);
    const struct gs_ledger_request r = {
        .id = GS_SLICE_LIT("req_1"),
        .key = GS_SLICE_LIT("anna"),
        .at_us = a.at_us,
        .n_attempts = 2,
        .cost_nanousd = 7000,
        .is_estimated = true,
        .left_bytes = 8000,
        .privacy = GS_SLICE_LIT("redact"),
        .found = GS_SLICE_LIT("email 2"),
    };
    const struct gs_ledger_query one = {.id = GS_SLICE_LIT("req_1"), .since_us = INT64_MAX};
    struct seen s = {.n = 0};

    a.number = 2;
    a.is_continuation = a.is_estimated = true;
    a.retry_after_us = 7;
    gs_ledger_record_attempt(l, &a);
    a = an_attempt("anthropic", GS_FAULT_OVERLOADED);
    gs_ledger_record_attempt(l, &a);
    a.request = GS_SLICE_LIT("req_2");
    gs_ledger_record_attempt(l, &a);
    gs_ledger_record(l, &r);
    gs_ledger_close(l);
    assert_int_equal(gs_ledger_read_attempts(f->path, &one, see_attempt, &s, NULL), GS_OK);
    assert_string_equal(s.words, "1 anthropic/large overloaded;2 garage/large none;");
    assert_int_equal(s.last.connected_us, 1000);
    assert_int_equal(s.last.head_us, 2000);
    assert_int_equal(s.last.first_us, 3000);
    assert_int_equal(s.last.total_us, 2000000);
    assert_int_equal(s.last.status, 200);
    assert_int_equal(s.last.sent_bytes, 4000);
    assert_int_equal(s.last.received_bytes, 500);
    assert_int_equal(s.last.cache_write_tokens, 20);
    assert_int_equal(s.last.cost_nanousd, 5000);
    assert_int_equal(s.last.retry_after_us, 7);
    assert_true(s.last.is_continuation && s.last.is_estimated && !s.last.is_uplink);
    s.n = 0;
    assert_int_equal(gs_ledger_read(f->path, &one, see_request, &s, NULL), GS_OK);
    assert_int_equal(s.n, 1);
    assert_string_equal(s.words, "anna|redact|email 2|anthropic overloaded");
}

/* ---- what a server remembers ---- */

static void see_breaker(void *ud, const struct gs_ledger_breaker *b)
{
    struct seen *s = ud;

    snprintf(s->words, sizeof(s->words), "%.*s %d %d %d %s", (int)b->key.len, b->key.ptr,
             (int)b->n_failures, (int)b->n_opens, (int)b->until_us, gs_fault_word(b->fault));
    s->n++;
}

static void see_spent(void *ud, const struct gs_ledger_spent *spent)
{
    struct seen *s = ud;

    s->last.cost_nanousd = spent->day_nanousd;
    s->last.sent_bytes = spent->month_nanousd;
    s->n++;
}

static void see_key(void *ud, const struct gs_ledger_spent *spent)
{
    struct seen *s = ud;
    char line[100];

    assert_int_equal(spent->provider.len, 0);
    snprintf(line, sizeof(line), "%.*s %d %d;", (int)spent->key.len, spent->key.ptr,
             (int)spent->day_nanousd, (int)spent->month_nanousd);
    strncat(s->words, line, sizeof(s->words) - strlen(s->words) - 1);
    s->n++;
}

/* What keys cost is summed apart: their rows may be gone before the month is. */
static void keys_costs_are_remembered(void **state)
{
    const struct folder *f = *state;
    struct seen s = {.n = 0};
    const struct gs_ledger_memory m = {.on_key = see_key, .ud = &s};
    struct gs_ledger *l = open_ledger(f, 0, 0);
    struct gs_ledger_attempt a = an_attempt("anthropic", GS_FAULT_NONE);

    a.at_us = gs_clock_wall_us() - a.total_us;
    gs_ledger_record_attempt(l, &a); /* of a key without a name */
    a.key = GS_SLICE_LIT("anna");
    gs_ledger_record_attempt(l, &a);
    gs_ledger_record_attempt(l, &a);
    a.key = GS_SLICE_LIT("ben");
    a.provider = GS_SLICE_LIT("other");
    a.fault = GS_FAULT_CUT;
    gs_ledger_record_attempt(l, &a);
    a.at_us -= (int64_t)40 * US_PER_DAY;
    gs_ledger_record_attempt(l, &a);
    a.key = GS_SLICE_LIT("free");
    a.cost_nanousd = 0;
    gs_ledger_record_attempt(l, &a);
    gs_ledger_close(l);
    assert_int_equal(gs_ledger_recall(f->path, &m, NULL), GS_OK);
    assert_string_equal(s.words, "anna 10000 10000;ben 5000 5000;");
    run_sql(f, "DELETE FROM attempt; DELETE FROM request");
    l = open_ledger(f, 90, 0);
    s.words[0] = '\0';
    assert_int_equal(gs_ledger_restore(l, &m, NULL), GS_OK);
    assert_string_equal(s.words, "anna 10000 10000;ben 5000 5000;");
    gs_ledger_close(l);
}

static void breakers_and_costs_are_remembered(void **state)
{
    const struct folder *f = *state;
    struct gs_ledger *l = open_ledger(f, 0, 0);
    struct seen s = {.n = 0};
    struct gs_ledger_breaker b = {.key = GS_SLICE_LIT("a/b"),
                                  .n_failures = 3,
                                  .n_opens = 1,
                                  .until_us = 77,
                                  .fault = GS_FAULT_STALL};
    struct gs_ledger_attempt a = an_attempt("anthropic", GS_FAULT_NONE);

    a.at_us = gs_clock_wall_us() - a.total_us;
    gs_ledger_save_breaker(l, &b);
    b.n_opens = 2;
    gs_ledger_save_breaker(l, &b);
    b.key = GS_SLICE_LIT("closed");
    gs_ledger_save_breaker(l, &b);
    b = (struct gs_ledger_breaker){.key = b.key};
    gs_ledger_save_breaker(l, &b);
    gs_ledger_record_attempt(l, &a);
    gs_ledger_record_attempt(l, &a);
    a.at_us -= (int64_t)40 * US_PER_DAY; /* neither today nor this month */
    gs_ledger_record_attempt(l, &a);
    gs_ledger_close(l);
    l = open_ledger(f, 0, 0);
    struct gs_ledger_memory m = {.on_breaker = see_breaker, .ud = &s};
    assert_int_equal(gs_ledger_restore(l, &m, NULL), GS_OK);
    assert_int_equal(s.n, 1);
    assert_string_equal(s.words, "a/b 3 2 77 stall");
    m = (struct gs_ledger_memory){.on_spent = see_spent, .ud = &s};
    assert_int_equal(gs_ledger_restore(l, &m, NULL), GS_OK);
    assert_int_equal(s.n, 2);
    assert_int_equal(s.last.cost_nanousd, 10000);
    assert_int_equal(s.last.sent_bytes, 10000);
    gs_ledger_close(l);
}

/* ---- an older ledger ---- */

static bool sum_prompts(void *ud, const struct gs_ledger_request *r)
{
    struct seen *s = ud;

    assert_int_equal(r->cost_nanousd, 0);
    assert_int_equal(r->privacy.len, 0);
    assert_int_equal(r->key.len, 0);
    s->last.prompt_tokens += r->prompt_tokens;
    s->n++;
    return true;
}

static void an_old_ledger_is_brought_up_to_date(void **state)
{
    const struct folder *f = *state;
    const struct gs_ledger_query all = {0};
    struct stat sb;

    for (int by_reading = 0; by_reading < 2; by_reading++) {
        struct seen s = {.n = 0};
        run_sql(f, first_ledger_sql);
        assert_int_equal(chmod(f->path, 0644), 0);
        if (!by_reading) {
            struct gs_ledger *l = open_ledger(f, 0, 0);
            const struct gs_ledger_attempt a = an_attempt("a", GS_FAULT_NONE);
            gs_ledger_record_attempt(l, &a);
            gs_ledger_close(l);
            assert_int_equal(stat(f->path, &sb), 0);
            assert_int_equal(sb.st_mode & 0777, 0600);
        }
        assert_int_equal(gs_ledger_read(f->path, &all, sum_prompts, &s, NULL), GS_OK);
        assert_int_equal(s.n, 500);
        assert_int_equal(s.last.prompt_tokens, 500 * 501 / 2);
        assert_int_equal(unlink(f->path), 0);
    }
}

/* Of the version before keys had names: rows and sums stay. */
static void a_ledger_without_keys_gets_them(void **state)
{
    const struct folder *f = *state;
    const struct gs_ledger_query all = {0};
    struct gs_ledger_attempt a = an_attempt("a", GS_FAULT_NONE);
    struct seen s = {.n = 0};

    run_sql(f, first_ledger_sql);
    struct gs_ledger *l = open_ledger(f, 0, 0);
    gs_ledger_record_attempt(l, &a);
    gs_ledger_close(l);
    run_sql(f, "ALTER TABLE request DROP COLUMN key; DROP TABLE spent_key; DROP TABLE signed;"
               "PRAGMA user_version=2");
    l = open_ledger(f, 0, 0);
    a.key = GS_SLICE_LIT("anna");
    gs_ledger_record_attempt(l, &a);
    gs_ledger_close(l);
    assert_int_equal(gs_ledger_read(f->path, &all, sum_prompts, &s, NULL), GS_OK);
    assert_int_equal(s.n, 500);
    assert_int_equal(ask_number(f, "SELECT sum(n) FROM spent"), 2);
    assert_int_equal(ask_number(f, "SELECT sum(cost_nanousd) FROM spent_key"), 5000);
}

/* Somebody is writing for good: nothing is changed, and it is said. */
static void a_failed_migration_changes_nothing(void **state)
{
    const struct folder *f = *state;
    const struct gs_ledger_query all = {0};
    struct gs_error err;
    struct seen s = {.n = 0};

    run_sql(f, first_ledger_sql);
    run_sql(f, "CREATE TABLE spent (x)"); /* in the way of the last steps */
    assert_int_equal(gs_ledger_read(f->path, &all, sum_prompts, &s, &err), GS_EIO);
    assert_non_null(strstr(err.msg, "up to date"));
    run_sql(f, "DROP TABLE spent");
    assert_int_equal(gs_ledger_read(f->path, &all, sum_prompts, &s, &err), GS_OK);
    assert_int_equal(s.n, 500);
}

/* ---- signatures ---- */

struct signatures {
    uint64_t last[2]; /* makers of the two latest */
    uint64_t second;  /* of the signature 2 */
    int n;
};

static void see_signed(void *ud, const struct gs_ledger_signed *made)
{
    struct signatures *s = ud;

    s->last[0] = s->last[1];
    s->last[1] = made->maker;
    s->second = made->signature == 2 ? made->maker : s->second;
    s->n++;
}

static void the_latest_signatures_are_remembered(void **state)
{
    const struct folder *f = *state;
    struct signatures s = {.n = 0};
    const struct gs_ledger_memory m = {.on_signed = see_signed, .ud = &s};
    struct gs_ledger *l = open_ledger(f, 0, 0);

    for (uint64_t i = 1; i <= 4000; i++)
        gs_ledger_save_signed(l, &(struct gs_ledger_signed){i, ~i});
    gs_ledger_save_signed(l, &(struct gs_ledger_signed){2, UINT64_MAX}); /* by another one */
    gs_ledger_close(l);
    l = open_ledger(f, 0, 0);
    assert_int_equal(gs_ledger_restore(l, &m, NULL), GS_OK);
    assert_int_equal(s.n, 4000);
    assert_true(s.last[0] == ~UINT64_C(4000) && s.last[1] == UINT64_MAX);
    for (uint64_t i = 5000; i < 5000 + 4096; i++)
        gs_ledger_save_signed(l, &(struct gs_ledger_signed){i, 1});
    gs_ledger_close(l);
    l = open_ledger(f, 0, 0);
    for (uint64_t i = 10000; i < 10000 + 4095; i++)
        gs_ledger_save_signed(l, &(struct gs_ledger_signed){i, 1});
    gs_ledger_close(l);
    gs_ledger_close(open_ledger(f, 0, 0));
    s = (struct signatures){.n = 0};
    l = open_ledger(f, 0, 0);
    assert_int_equal(gs_ledger_restore(l, &m, NULL), GS_OK);
    assert_int_equal(s.n, 8192);
    assert_true(s.second == UINT64_MAX); /* the oldest of them, because it was said anew */
    gs_ledger_close(l);
}

/* ---- keeping ---- */

static void old_attempts_go_and_their_sums_stay(void **state)
{
    const struct folder *f = *state;
    struct gs_ledger *l = open_ledger(f, 0, 0);
    const struct gs_ledger_query one = {.id = GS_SLICE_LIT("req_1")};
    struct seen s = {.n = 0};

    for (int i = 0; i < 20; i++) {
        struct gs_ledger_attempt a = an_attempt("a", GS_FAULT_NONE);
        a.at_us -= i < 12 ? 100 * US_PER_DAY : 0;
        gs_ledger_record_attempt(l, &a);
    }
    gs_ledger_close(l);
    gs_ledger_close(open_ledger(f, 90, 0));
    assert_int_equal(gs_ledger_read_attempts(f->path, &one, see_attempt, &s, NULL), GS_OK);
    assert_int_equal(s.n, 8);
    gs_ledger_close(open_ledger(f, 90, 2));
    s.n = 0;
    assert_int_equal(gs_ledger_read_attempts(f->path, &one, see_attempt, &s, NULL), GS_OK);
    assert_int_equal(s.n, 4); /* two a request */
    assert_int_equal(ask_number(f, "SELECT sum(n) FROM spent"), 20);
    assert_int_equal(ask_number(f, "SELECT count(*) FROM uptime"), 2);
}

/* Only names that somebody answered to have sums of their own. */
static void made_up_names_do_not_add_up(void **state)
{
    const struct folder *f = *state;
    struct gs_ledger *l = open_ledger(f, 0, 0);
    char name[32];

    for (int i = 0; i < 50; i++) {
        struct gs_ledger_attempt a = an_attempt("a", GS_FAULT_MODEL_GONE);
        snprintf(name, sizeof(name), "made-up-%d", i);
        a.model = gs_slice_str(name);
        a.cost_nanousd = 0;
        gs_ledger_record_attempt(l, &a);
    }
    gs_ledger_close(l);
    assert_true(ask_number(f, "SELECT count(*) FROM spent") <= 2); /* midnight */
    assert_int_equal(ask_number(f, "SELECT sum(n_failed) FROM spent"), 50);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        TEST(attempts_come_back_in_order),          TEST(breakers_and_costs_are_remembered),
        TEST(an_old_ledger_is_brought_up_to_date),  TEST(a_failed_migration_changes_nothing),
        TEST(a_ledger_without_keys_gets_them),      TEST(keys_costs_are_remembered),
        TEST(old_attempts_go_and_their_sums_stay),  TEST(made_up_names_do_not_add_up),
        TEST(the_latest_signatures_are_remembered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
