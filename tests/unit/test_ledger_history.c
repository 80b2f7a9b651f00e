/* What the ledger tells about providers, on histories whose answers are known: minutes up and down,
 * incidents and who rescued, costs, speed; and the same asked of it as JSON. */
#include "cmocka_headers.h"

#include <pthread.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/limits.h"
#include "ledger/history.h"
#include "ledger_test.h"
#include "json/json.h"

#define MINUTE ((int64_t)60000000)

/* The beginning of a minute some minutes ago. */
static int64_t minutes_ago(int n)
{
    return (gs_clock_wall_us() / MINUTE - n) * MINUTE;
}

/* An attempt that ended in the middle of a minute. */
static void record_at(struct gs_ledger *l, const char *provider, enum gs_fault fault,
                      int64_t minute_us, const char *request)
{
    struct gs_ledger_attempt a = an_attempt(provider, fault);

    a.at_us = minute_us + MINUTE / 2 - a.total_us;
    a.request = gs_slice_str(request);
    gs_ledger_record_attempt(l, &a);
}

/* ---- uptime ---- */

struct uptimes {
    struct {
        char name[32];
        struct gs_ledger_minutes all;
        int64_t n_days_known, last_day_known;
    } items[8];
    size_t n;
};

static bool see_uptime(void *ud, const struct gs_ledger_uptime *u)
{
    struct uptimes *seen = ud;
    int64_t n_known = 0;

    snprintf(seen->items[seen->n].name, 32, "%.*s", (int)u->provider.len, u->provider.ptr);
    seen->items[seen->n].all = u->all;
    for (int i = 0; i < GS_LEDGER_UPTIME_DAYS; i++) {
        seen->items[seen->n].n_days_known += u->days[i].n_known > 0;
        n_known += u->days[i].n_known;
    }
    assert_int_equal(n_known, u->all.n_known);
    seen->n++;
    return true;
}

static void only_minutes_somebody_asked_in_count(void **state)
{
    const struct folder *f = *state;
    struct gs_ledger *l = open_ledger(f, 0, 0);
    struct uptimes seen = {.n = 0};
    const int64_t m = minutes_ago(100);

    record_at(l, "a", GS_FAULT_NONE, m, "1");
    record_at(l, "a", GS_FAULT_OVERLOADED, m, "2"); /* the same minute: up */
    record_at(l, "a", GS_FAULT_STALL, m + MINUTE, "3");
    record_at(l, "a", GS_FAULT_STALL, m + MINUTE, "4");
    record_at(l, "a", GS_FAULT_CANCELLED, m + 2 * MINUTE, "5"); /* tells nothing */
    record_at(l, "a", GS_FAULT_BAD_REQUEST, m + 3 * MINUTE, "6");
    record_at(l, "a", GS_FAULT_AUTH, m + 4 * MINUTE, "7");
    record_at(l, "a", GS_FAULT_DNS, m + 5 * MINUTE, "8");
    record_at(l, "a", GS_FAULT_NONE, m - 30 * US_PER_DAY, "9");
    record_at(l, "a", GS_FAULT_CUT, m - 100 * US_PER_DAY, "10"); /* too long ago */
    struct gs_ledger_attempt a = an_attempt("b", GS_FAULT_DNS);
    a.is_uplink = true;
    gs_ledger_record_attempt(l, &a);
    record_at(l, "b", GS_FAULT_NONE, m, "11");
    gs_ledger_close(l);
    assert_int_equal(gs_ledger_read_uptime(f->path, see_uptime, &seen, NULL), GS_OK);
    assert_int_equal(seen.n, 2);
    assert_string_equal(seen.items[0].name, "a");
    assert_int_equal(seen.items[0].all.n_known, 4);
    assert_int_equal(seen.items[0].all.n_down, 2);
    assert_in_range(seen.items[0].n_days_known, 2, 3); /* midnight may be between */
    assert_int_equal(seen.items[1].all.n_known, 1);
    assert_int_equal(seen.items[1].all.n_down, 0);
}

/* ---- incidents ---- */

struct incidents {
    char text[1024];
    int64_t begins[8];
    size_t n, most;
};

static bool see_incident(void *ud, const struct gs_ledger_incident *i)
{
    struct incidents *seen = ud;
    const size_t len = strlen(seen->text);

    snprintf(seen->text + len, sizeof(seen->text) - len,
             "%.*s %d min%s: %d (%.*s) of %d, %d by %.*s; ", (int)i->provider.len, i->provider.ptr,
             (int)((i->end_us - i->begin_us) / MINUTE), i->is_over ? "" : " so far",
             (int)i->n_failed, (int)i->faults.len, i->faults.ptr, (int)i->n_requests,
             (int)i->n_rescued, (int)i->rescuers.len, i->rescuers.ptr);
    seen->begins[seen->n++] = i->begin_us;
    return true;
}

static void runs_of_failures_are_incidents(void **state)
{
    const struct folder *f = *state;
    struct gs_ledger *l = open_ledger(f, 0, 0);
    struct incidents seen = {.n = 0};
    const int64_t m = minutes_ago(600);

    record_at(l, "a", GS_FAULT_NONE, m, "0");
    record_at(l, "a", GS_FAULT_OVERLOADED, m + 1 * MINUTE, "1");
    record_at(l, "local", GS_FAULT_NONE, m + 1 * MINUTE, "1");
    record_at(l, "a", GS_FAULT_OVERLOADED, m + 2 * MINUTE, "2");
    record_at(l, "a", GS_FAULT_STALL, m + 2 * MINUTE, "2");
    record_at(l, "b", GS_FAULT_NONE, m + 2 * MINUTE, "2");
    record_at(l, "a", GS_FAULT_STALL, m + 9 * MINUTE, "3"); /* nobody asked meanwhile */
    record_at(l, "a", GS_FAULT_OVERLOADED, m + 10 * MINUTE, "4");
    record_at(l, "local", GS_FAULT_NONE, m + 11 * MINUTE, "4");
    record_at(l, "a", GS_FAULT_NONE, m + 12 * MINUTE, "5");
    record_at(l, "b", GS_FAULT_REFUSED, m + 20 * MINUTE, "6");
    gs_ledger_close(l);
    assert_int_equal(gs_ledger_read_incidents(f->path, 10, see_incident, &seen, NULL), GS_OK);
    assert_string_equal(seen.text, "b 1 min so far: 1 (refused 1) of 1, 0 by ; "
                                   "a 10 min: 5 (overloaded 3, stall 2) of 4, 3 by local 2, b 1; ");
    assert_int_equal(seen.begins[1], m + MINUTE);
    memset(&seen, 0, sizeof(seen));
    assert_int_equal(gs_ledger_read_incidents(f->path, 1, see_incident, &seen, NULL), GS_OK);
    assert_int_equal(seen.n, 1);
    assert_int_equal(seen.begins[0], m + 20 * MINUTE);
    assert_int_equal(gs_ledger_read_incidents(f->path, 0, see_incident, &seen, NULL), GS_OK);
    assert_int_equal(seen.n, 1);
}

/* More than are told: the latest of them, whatever their provider. */
static void the_latest_incidents_are_told(void **state)
{
    const struct folder *f = *state;
    struct gs_ledger *l = open_ledger(f, 0, 0);
    struct incidents seen = {.n = 0};

    for (int i = 0; i < 30; i++) {
        const int64_t m = minutes_ago(6000 - 10 * i);
        const char *provider = i % 3 ? "a" : "b";
        record_at(l, provider, GS_FAULT_STALL, m, "1");
        record_at(l, provider, GS_FAULT_NONE, m + MINUTE, "2");
    }
    gs_ledger_close(l);
    assert_int_equal(gs_ledger_read_incidents(f->path, 8, see_incident, &seen, NULL), GS_OK);
    assert_int_equal(seen.n, 8);
    for (size_t i = 1; i < seen.n; i++)
        assert_int_equal(seen.begins[i - 1] - seen.begins[i], 10 * MINUTE);
}

/* ---- costs and speed ---- */

struct costs {
    char text[1024];
    size_t n;
};

static bool see_cost(void *ud, const struct gs_ledger_cost *c)
{
    struct costs *seen = ud;
    const size_t len = strlen(seen->text);

    snprintf(seen->text + len, sizeof(seen->text) - len, "%.*s/%.*s %d-%d %d+%d+%d>%d %d~%d; ",
             (int)c->provider.len, c->provider.ptr, (int)c->model.len, c->model.ptr, (int)c->n,
             (int)c->n_failed, (int)c->prompt_tokens, (int)c->cached_tokens,
             (int)c->cache_write_tokens, (int)c->answer_tokens, (int)c->cost_nanousd,
             (int)c->n_estimated);
    seen->n++;
    return true;
}

static struct costs costs_of(const struct folder *f, int64_t since_us, enum gs_ledger_group by)
{
    const struct gs_ledger_query q = {.since_us = since_us};
    struct costs seen = {.n = 0};

    assert_int_equal(gs_ledger_read_costs(f->path, &q, by, see_cost, &seen, NULL), GS_OK);
    return seen;
}

static void costs_add_up(void **state)
{
    const struct folder *f = *state;
    struct gs_ledger *l = open_ledger(f, 0, 0);
    struct gs_ledger_attempt a = an_attempt("a", GS_FAULT_NONE);

    for (int i = 0; i < 3; i++)
        gs_ledger_record_attempt(l, &a);
    a.model = GS_SLICE_LIT("small");
    a.cost_nanousd = 70000;
    a.is_estimated = true;
    a.at_us -= 10 * US_PER_DAY;
    gs_ledger_record_attempt(l, &a);
    a = an_attempt("b", GS_FAULT_CUT); /* broken off, and billed all the same */
    gs_ledger_record_attempt(l, &a);
    gs_ledger_close(l);
    assert_string_equal(costs_of(f, 0, GS_LEDGER_BY_PROVIDER).text,
                        "a/ 4-0 400+240+80>40 85000~1; b/ 1-1 100+60+20>10 5000~0; ");
    assert_string_equal(costs_of(f, 0, GS_LEDGER_BY_MODEL).text,
                        "a/small 1-0 100+60+20>10 70000~1; a/large 3-0 300+180+60>30 15000~0; "
                        "b/large 1-1 100+60+20>10 5000~0; ");
    assert_string_equal(costs_of(f, 0, GS_LEDGER_BY_DAY).text,
                        "/ 4-1 400+240+80>40 20000~0; / 1-0 100+60+20>10 70000~1; ");
    assert_int_equal(costs_of(f, 0, GS_LEDGER_BY_ALL).n, 3);
    assert_string_equal(costs_of(f, gs_clock_wall_us() - 5 * US_PER_DAY, GS_LEDGER_BY_DAY).text,
                        "/ 4-1 400+240+80>40 20000~0; ");
}

static bool see_speed(void *ud, const struct gs_ledger_speed *s)
{
    struct costs *seen = ud;
    const size_t len = strlen(seen->text);

    snprintf(seen->text + len, sizeof(seen->text) - len, "%.*s/%.*s %d: %d %d %.1f; ",
             (int)s->provider.len, s->provider.ptr, (int)s->model.len, s->model.ptr, (int)s->n,
             (int)s->first_p50_us, (int)s->first_p95_us, s->tokens_per_s);
    return true;
}

static void speed_is_of_answers(void **state)
{
    const struct folder *f = *state;
    struct gs_ledger *l = open_ledger(f, 0, 0);
    const struct gs_ledger_query all = {0};
    const struct gs_ledger_query recent = {.since_us = gs_clock_wall_us() - US_PER_DAY};
    struct costs seen = {.n = 0};

    for (int i = 0; i < 40; i++) {
        struct gs_ledger_attempt a = an_attempt("a", i % 2 ? GS_FAULT_STALL : GS_FAULT_NONE);
        a.at_us -= i < 20 ? 3 * US_PER_DAY : 0;
        a.first_us = i * 500; /* of answers: 0, 1000... 19000 */
        a.total_us = a.first_us + 900000;
        gs_ledger_record_attempt(l, &a);
    }
    gs_ledger_close(l);
    assert_int_equal(gs_ledger_read_speeds(f->path, &all, see_speed, &seen, NULL), GS_OK);
    assert_string_equal(seen.text, "a/large 20: 9000 18000 10.0; ");
    memset(&seen, 0, sizeof(seen));
    assert_int_equal(gs_ledger_read_speeds(f->path, &recent, see_speed, &seen, NULL), GS_OK);
    assert_string_equal(seen.text, "a/large 10: 14000 19000 10.0; ");
}

/* ---- asking ---- */

struct asked {
    pthread_mutex_t lock;
    pthread_cond_t answered;
    char json[64 * 1024];
    enum gs_status st;
    int n;
};

static void see_answer(void *ud, struct gs_buf *json, const struct gs_error *err)
{
    struct asked *a = ud;

    pthread_mutex_lock(&a->lock);
    a->st = err ? err->code : GS_OK;
    snprintf(a->json, sizeof(a->json), "%.*s", json ? (int)json->len : 0, json ? json->ptr : "");
    a->n++;
    pthread_cond_signal(&a->answered);
    pthread_mutex_unlock(&a->lock);
}

static struct asked asking = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, "", GS_OK, 0};

static void ask(struct gs_ledger *l, enum gs_ledger_subject subject, const char *id)
{
    const struct gs_ledger_query q = {.id = gs_slice_str(id)};

    asking.n = 0;
    assert_true(gs_ledger_ask(l, subject, &q, see_answer, &asking));
    pthread_mutex_lock(&asking.lock);
    while (asking.n == 0)
        pthread_cond_wait(&asking.answered, &asking.lock);
    pthread_mutex_unlock(&asking.lock);
}

static void assert_json(const char *member, size_t n_items)
{
    struct gs_arena arena;
    struct gs_json json;
    struct gs_error err;

    gs_arena_init(&arena, GS_MAX_TEXT_BYTES);
    assert_int_equal(asking.st, GS_OK);
    if (gs_json_parse(gs_slice_str(asking.json), &arena, &json, &err) != GS_OK)
        fail_msg("%s in %s", err.msg, asking.json);
    const struct gs_json *list = gs_json_get(&json, member);
    assert_non_null(list);
    assert_int_equal(list->u.array.len, n_items);
    gs_arena_clear(&arena);
}

static void it_answers_in_json(void **state)
{
    const struct folder *f = *state;
    struct gs_ledger *l = open_ledger(f, 0, 0);
    const struct gs_ledger_request r = {.id = GS_SLICE_LIT("1"),
                                        .at_us = gs_clock_wall_us(),
                                        .api = GS_SLICE_LIT("anthropic"),
                                        .model = GS_SLICE_LIT("\"\x1b[31m\xff"),
                                        .served_by = GS_SLICE_LIT("b/large"),
                                        .n_attempts = 2};
    const struct gs_ledger_breaker br = {
        .key = GS_SLICE_LIT("a/large"), .n_opens = 1, .until_us = 1000000};

    record_at(l, "a", GS_FAULT_OVERLOADED, minutes_ago(9), "1");
    record_at(l, "a", GS_FAULT_OVERLOADED, minutes_ago(8), "1");
    record_at(l, "b", GS_FAULT_NONE, minutes_ago(8), "1");
    gs_ledger_save_breaker(l, &br);
    gs_ledger_record(l, &r);
    ask(l, GS_LEDGER_HISTORY, ""); /* not all is written yet */
    assert_json("uptime", 2);
    assert_json("incidents", 1);
    assert_json("speed", 1);
    assert_json("remembered", 1);
    ask(l, GS_LEDGER_COST, "");
    assert_json("days", 2);
    assert_json("spent", 2);
    ask(l, GS_LEDGER_LOG, "");
    assert_json("requests", 1);
    ask(l, GS_LEDGER_LOG, "1");
    assert_json("attempts", 3);
    assert_non_null(
        strstr(asking.json, "\"faults\":\"a overloaded, a overloaded\",\"rescued\":true"));
    ask(l, GS_LEDGER_LOG, "2");
    assert_int_equal(asking.st, GS_ENOTFOUND);
    gs_ledger_close(l);
}

/* Writers and askers at once; every question is answered before it is closed. */
static void *record_many(void *arg)
{
    for (int i = 0; i < 500; i++) {
        const struct gs_ledger_attempt a = an_attempt("a", i % 3 ? GS_FAULT_NONE : GS_FAULT_STALL);
        gs_ledger_record_attempt(arg, &a);
    }
    return NULL;
}

static void it_is_asked_while_it_writes(void **state)
{
    const struct folder *f = *state;
    struct gs_ledger *l = open_ledger(f, 0, 0);
    const struct gs_ledger_query all = {0};
    pthread_t threads[3];
    int n_asked = 0;

    asking.n = 0;
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, record_many, l), 0);
    for (int i = 0; i < 40; i++)
        n_asked += gs_ledger_ask(l, (enum gs_ledger_subject)(i % 3), &all, see_answer, &asking);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    gs_ledger_close(l);
    assert_true(n_asked >= 16);
    assert_int_equal(asking.n, n_asked);
    assert_int_equal(asking.st, GS_OK);
    assert_int_equal(ask_number(f, "SELECT count(*) FROM attempt"), 1500);
    assert_int_equal(ask_number(f, "SELECT sum(n) FROM spent"), 1500);
}

/* More providers, models and minutes than are gathered at once, each of them twice. */
static void many_names_are_summed_each(void **state)
{
    const struct folder *f = *state;
    struct gs_ledger *l = open_ledger(f, 0, 0);
    struct gs_ledger_attempt a = an_attempt("", GS_FAULT_NONE);
    const int64_t day_us = minutes_ago(0) - 10 * US_PER_DAY;
    char name[16];

    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof(name), "name-%d", i % 100);
        a.provider = a.model = gs_slice_str(name);
        a.at_us = day_us + (i % 50) * MINUTE;
        gs_ledger_record_attempt(l, &a);
    }
    gs_ledger_close(l);
    assert_int_equal(ask_number(f, "SELECT count(DISTINCT model) FROM spent"), 100);
    assert_int_equal(ask_number(f, "SELECT min(n) FROM spent"), 2);
    assert_int_equal(ask_number(f, "SELECT sum(n) FROM spent"), 200);
    assert_int_equal(ask_number(f, "SELECT count(DISTINCT provider) FROM uptime"), 100);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        TEST(only_minutes_somebody_asked_in_count),
        TEST(runs_of_failures_are_incidents),
        TEST(the_latest_incidents_are_told),
        TEST(costs_add_up),
        TEST(speed_is_of_answers),
        TEST(many_names_are_summed_each),
        TEST(it_answers_in_json),
        TEST(it_is_asked_while_it_writes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
