/* A day of outages, compressed: thousands of requests in all APIs, from many
 * clients at once, while the two providers beyond are refused, slow,
 * overloaded, silent, cut, wrong, out of quota, too dear or without a key by
 * turns. Every request is answered, whole and with its own words; what clients
 * were told agrees with the ledger, row by row; memory stays within bounds.
 * Says how long clients waited for the first words where an attempt failed, and
 * how long words failed to come where one went on with another's answer. */
#include <malloc.h>
#include <semaphore.h>

#include "base/clock.h"
#include "ledger_test.h"
#include "switch_test.h"

#if GS_ASAN || defined(__SANITIZE_THREAD__)
#define HOUR 84 /* requests in it */
#else
#define HOUR 420
#endif
#define CLIENTS    48
#define FEW        8          /* breakers open soon */
#define MANY       (HOUR / 2) /* and never */
#define FLAP       60         /* requests while a is there, or is not */
#define HOUR_FLAPS 4
#define MAX_HELD                                                                                   \
    ((size_t)48 << 20) /* bytes of the process when nobody asks                                    \
                        */

/* An hour of the day. What else may be wrong with an attempt: that it took too
 * long. */
static const struct hour {
    const char *name, *route;
    int n_models;                    /* names it asks for: breakers know each by itself */
    const char *a, *b;               /* their faults; NULL: nobody listens */
    const char *a_faults, *b_faults; /* what the ledger may call them */
} day[] = {
    {"all is well", "day", FEW, "ok", "ok", "", ""},
    {"limits that name a wait", "day", FEW, "429-retry-after-1", "ok", "rate-limit", ""},
    {"a storm of 429", "day", FEW, "429", "429-retry-ms-500", "rate-limit", "rate-limit"},
    {"overload", "day", FEW, "529", "503", "overloaded", "overloaded,server-error"},
    {"one comes and goes", "day", FEW, NULL, "ok", "refused,reset,cut", ""},
    {"both stall", "day", FEW, "stall-after-3", "stall-after-0", "", ""},
    {"answers are cut", "day", MANY, "cut-after-2", "503", "cut", "overloaded,server-error"},
    {"connections are reset", "day", FEW, "reset", "rst-after-4", "reset", "cut"},
    {"nobody listens", "day", FEW, NULL, NULL, "refused,reset,cut", "refused,reset,cut"},
    {"names are not found", "dns", FEW, "ok", "ok", "", ""},
    {"quotas are used up", "day", FEW, "429-quota", "429-quota", "quota", "quota"},
    {"a key is dead", "dead", FEW, "401", "ok", "", ""},
    {"errors within answers", "day", MANY, "error-after-1", "error-first", "overloaded,malformed",
     "overloaded"},
    {"web pages for answers", "day", FEW, "portal", "502-html", "portal", "server-error"},
    {"nothing is said", "day", FEW, "empty", "zero", "empty", "empty,malformed"},
    {"nonsense", "day", MANY, "malformed-after-2", "noise", "malformed", "malformed"},
    {"answers stall", "day", MANY, "stall-after-5", "reset", "", "reset"},
    {"signs of life only", "day", FEW, "comments-after-0", "pings-after-3", "", ""},
    {"a model is gone", "day", FEW, "404-model", "ok", "model-gone", ""},
    {"ends are missing", "day", MANY, "end-after-4", "silent", "cut", ""},
    {"tools are cut off", "day", MANY, "rst-after-10", "cut-after-12", "cut", "cut"},
    {"crumbs, then nothing", "day", MANY, "split+crlf+remarks+cut-after-6", "ok", "cut", ""},
    {"the money is spent", "paid", FEW, "ok", "ok", "", ""},
    {"all is well again", "day", FEW, "ok", "ok", "", ""},
};

#define HOURS    ((int)GS_COUNT_OF(day))
#define REQUESTS (HOURS * HOUR)

/* What a client was told of its request. */
struct told {
    char id[64], model[64], served_by[128];
    int64_t first_us, gap_us, answer_tokens;
};

struct outage {
    struct grid g;
    const struct folder *f;
    struct gs_ledger *ledger;
    sem_t answers;
    struct fake_provider *a, *b;
    pthread_mutex_t lock; /* the five next */
    pthread_cond_t changed;
    int n_begun, n_done, n_wrong;
    char wrong[4096];  /* the first answer that is not what it must be */
    size_t held_bytes; /* when an hour began, the most */
    struct told told[REQUESTS];
};

/* ---- the hours ---- */

static void on_answer(void *ud, struct gs_buf *json, const struct gs_error *err)
{
    (void)json;
    (void)err;
    sem_post(&((struct outage *)ud)->answers);
}

/* Bytes that the process holds when nobody is asked anything and the ledger has
 * written the rows of the first n requests. */
static size_t bytes_after(struct outage *o, int n)
{
    const struct gs_ledger_query all = {0};

    while (ask_number(o->f, "SELECT count(*) FROM request") < n) { /* an answer has them written */
        assert_true(gs_ledger_ask(o->ledger, GS_LEDGER_COST, &all, on_answer, o));
        sem_wait(&o->answers);
    }
    const struct mallinfo2 m = mallinfo2();

    return m.uordblks + m.hblkhd;
}

static void set_fault(struct fake_provider *p, const char *fault)
{
    fake_provider_default(p, fault ? fault : "ok");
    fake_provider_listen(p, fault != NULL);
}

/* What is so from the n-th request on. */
static void change_the_world(struct outage *o, int n)
{
    const struct hour *h = &day[n / HOUR];

    if (n % HOUR == 0)
        o->held_bytes = GS_MAX(o->held_bytes, bytes_after(o, n));
    if (n % HOUR == 0)
        set_fault(o->b, h->b);
    if (n % HOUR == 0)
        set_fault(o->a, h->a);
    if (n / HOUR == HOUR_FLAPS && n % FLAP == 0)
        fake_provider_listen(o->a, n / FLAP % 2 == 0);
}

/* Number of the next request, -1 if there is none. An hour begins when the last
 * is answered. */
static int next_request(struct outage *o)
{
    int n = -1;

    pthread_mutex_lock(&o->lock);
    while (o->n_begun < REQUESTS && o->n_begun % HOUR == 0 && o->n_done < o->n_begun)
        pthread_cond_wait(&o->changed, &o->lock);
    if (o->n_begun < REQUESTS) {
        n = o->n_begun++;
        change_the_world(o, n);
    }
    pthread_mutex_unlock(&o->lock);
    return n;
}

static void request_done(struct outage *o)
{
    pthread_mutex_lock(&o->lock);
    o->n_done++;
    pthread_cond_broadcast(&o->changed);
    pthread_mutex_unlock(&o->lock);
}

/* ---- a request ---- */

/* What request n is about: by its number, so that neighbours differ. */
struct wish {
    const struct api *api;
    const struct hour *hour;
    bool stream, thinks, calls;
    int n_words;
    char model[64];
};

static struct wish wish_of(int n)
{
    const int i = n % HOUR;
    struct wish w = {.api = &apis[(size_t)i % GS_COUNT_OF(apis)],
                     .hour = &day[n / HOUR],
                     .stream = i / 4 % 4 != 0,
                     .thinks = i % 3 == 0,
                     .calls = i % 5 == 0,
                     .n_words = 3 + i % 7};

    snprintf(w.model, sizeof(w.model), "%s-%d-%d", w.hour->route, n / HOUR, i % w.hour->n_models);
    return w;
}

static void put_wish(struct gs_buf *b, const struct wish *w)
{
    char prompt[80];

    snprintf(prompt, sizeof(prompt), "say %d%s%s", w->n_words, w->thinks ? " and think" : "",
             w->calls ? " and call get_weather" : "");
    put_body(b, "", w->model, prompt, w->stream);
}

/* Read an answer to its end, and note when words came. */
static void read_timed(int fd, struct gs_buf *out, struct told *told)
{
    const int64_t begin_us = gs_clock_mono_us();
    int64_t last_us = 0, now_us;

    do {
        now_us = gs_clock_mono_us();
        if (last_us && now_us - last_us > told->gap_us)
            told->gap_us = now_us - last_us;
        if (!last_us && (net_has(out, "w0") || net_has(out, "t0")))
            told->first_us = now_us - begin_us;
        if (told->first_us)
            last_us = now_us;
    } while (net_read(fd, out) == NET_DATA);
}

static void note_line(const struct gs_buf *answer, const char *name, char *out, size_t cap)
{
    const struct gs_slice all = gs_buf_view(answer);
    const size_t at = gs_slice_find(all, gs_slice_str(name), 0);
    const struct gs_slice line =
        at == SIZE_MAX
            ? gs_slice(NULL, 0)
            : gs_slice_sub(all, at + strlen(name), gs_slice_find(all, GS_SLICE_LIT("\r\n"), at));

    snprintf(out, cap, "%.*s", (int)line.len, line.ptr ? line.ptr : "");
}

static bool is_right(const struct wish *w, const struct heard *h)
{
    const struct gs_slice words = GS_SLICE_LIT("w0 w1 w2 w3 w4 w5 w6 w7 w8 w9");
    const struct gs_slice text = gs_slice_sub(words, 0, (size_t)(3 * w->n_words - 1));
    const char *args = w->calls ? "{\"city\":\"w0 w1 w2 w3\",\"days\":3}" : "";

    return h->fault == GS_FAULT_NONE && h->has_stopped &&
           h->stop == (w->calls ? GS_STOP_TOOL_CALL : GS_STOP_END) &&
           gs_slice_eq(gs_buf_view(&h->text), text) &&
           gs_slice_eq_str(gs_buf_view(&h->thought), w->thinks ? "t0 t1 t2" : "") &&
           gs_slice_eq_str(gs_buf_view(&h->args), args);
}

static void note_wrong(struct outage *o, const struct wish *w, const struct heard *h,
                       const struct gs_buf *answer)
{
    pthread_mutex_lock(&o->lock);
    if (o->n_wrong++ == 0)
        snprintf(o->wrong, sizeof(o->wrong), "%s %s: %s, text \"%.*s\" args \"%.*s\"\n%.*s",
                 w->api->name, w->model, gs_fault_word(h->fault), (int)h->text.len,
                 h->text.ptr ? h->text.ptr : "", (int)h->args.len, h->args.ptr ? h->args.ptr : "",
                 (int)GS_MIN(answer->len, (size_t)3500), answer->ptr ? answer->ptr : "");
    pthread_mutex_unlock(&o->lock);
}

static void do_request(struct outage *o, int n)
{
    const struct wish w = wish_of(n);
    struct told *told = &o->told[n];
    struct gs_buf body, out;
    struct heard heard;

    gs_buf_init(&body, 1 << 16);
    gs_buf_init(&out, GS_MAX_RESPONSE_BYTES);
    put_wish(&body, &w);
    const int fd = net_connect(o->g.f.port);
    post(fd, w.api->path, "Connection: close\r\n", gs_buf_view(&body));
    read_timed(fd, &out, told);
    close(fd);
    hear_answer(&heard, w.api, w.stream, &out);
    if (!is_right(&w, &heard))
        note_wrong(o, &w, &heard, &out);
    note_line(&out, "x-request-id: ", told->id, sizeof(told->id));
    note_line(&out, "x-genset-served-by: ", told->served_by, sizeof(told->served_by));
    memcpy(told->model, w.model, sizeof(told->model));
    told->answer_tokens = heard.usage.answer_tokens;
    heard_clear(&heard);
    gs_buf_clear(&body);
    gs_buf_clear(&out);
    request_done(o);
}

static void *be_client(void *arg)
{
    struct outage *o = arg;

    for (int n = next_request(o); n >= 0; n = next_request(o))
        do_request(o, n);
    return NULL;
}

/* ---- what the ledger says, beside what clients were told ---- */

static void insert_told(const struct folder *f, const struct outage *o)
{
    sqlite3 *db;
    sqlite3_stmt *s;

    run_sql(f, "CREATE TABLE told (id TEXT, hour INT, api TEXT, model TEXT, stream INT,"
               " calls INT, served_by TEXT, first_us INT, gap_us INT, answer_tokens INT)");
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(db, "INSERT INTO told VALUES (?,?,?,?,?,?,?,?,?,?)", -1, &s, NULL),
        SQLITE_OK);
    for (int n = 0; n < REQUESTS; n++) {
        const struct told *t = &o->told[n];
        const struct wish w = wish_of(n);
        sqlite3_bind_text(s, 1, t->id, -1, SQLITE_STATIC);
        sqlite3_bind_int(s, 2, n / HOUR);
        sqlite3_bind_text(s, 3, w.api->client->name, -1, SQLITE_STATIC);
        sqlite3_bind_text(s, 4, t->model, -1, SQLITE_STATIC);
        sqlite3_bind_int(s, 5, w.stream);
        sqlite3_bind_int(s, 6, w.calls);
        sqlite3_bind_text(s, 7, t->served_by, -1, SQLITE_STATIC);
        sqlite3_bind_int64(s, 8, t->first_us);
        sqlite3_bind_int64(s, 9, t->gap_us);
        sqlite3_bind_int64(s, 10, t->answer_tokens);
        assert_int_equal(sqlite3_step(s), SQLITE_DONE);
        sqlite3_reset(s);
    }
    sqlite3_finalize(s);
    assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    run_sql(f, "CREATE UNIQUE INDEX told_id ON told (id);"
               "CREATE TABLE verdict (hour INT, provider TEXT, faults TEXT)");
    for (int h = 0; h < HOURS; h++) {
        char sql[512];
        snprintf(sql, sizeof(sql), "INSERT INTO verdict VALUES (%d,'a','%s'), (%d,'b','%s')", h,
                 day[h].a_faults, h, day[h].b_faults);
        run_sql(f, sql);
    }
}

/* Of time: "ours" is one who found no way to ask in time. */
#define TIMEOUTS                                                                                   \
    "'ours', 'connect-timeout', 'headers-timeout', 'first-token-timeout', 'stall', "               \
    "'total-timeout'"

/* Rows that there must not be. */
static const struct {
    const char *what, *sql;
} breaches[] = {
    {"requests without a row",
     "SELECT count(*) FROM told t WHERE NOT EXISTS (SELECT 1 FROM request r WHERE r.id = t.id)"},
    {"rows without a request", "SELECT count(*) - (SELECT count(*) FROM told) FROM request"},
    {"rows that say otherwise",
     "SELECT count(*) FROM told t JOIN request r USING (id) WHERE r.api <> t.api OR"
     " r.model <> t.model OR r.stream <> t.stream OR r.status <> 200 OR r.outcome <> 0"},
    {"other numbers of tokens", "SELECT count(*) FROM told t JOIN request r USING (id)"
                                " WHERE r.answer_tokens <> t.answer_tokens"},
    {"answered twice", "SELECT count(*) FROM told t WHERE 1 <"
                       " (SELECT count(*) FROM attempt WHERE request = t.id AND fault = 'none')"},
    {"answered by nobody", /* complete calls need nobody who goes on */
     "SELECT count(*) FROM told t WHERE NOT calls AND NOT EXISTS"
     " (SELECT 1 FROM attempt WHERE request = t.id AND fault = 'none')"},
    {"answered before the last attempt",
     "SELECT count(*) FROM attempt a JOIN attempt later USING (request)"
     " WHERE a.fault = 'none' AND later.number > a.number"},
    {"named another who began",
     "SELECT count(*) FROM told t WHERE NOT EXISTS (SELECT 1 FROM attempt WHERE request = t.id AND"
     " t.served_by = provider || '/' || model AND number ="
     " (SELECT max(number) FROM attempt WHERE request = t.id AND first_us >= 0 AND"
     " NOT is_continuation))"},
    {"went on with nothing",
     "SELECT count(*) FROM attempt c WHERE is_continuation AND NOT EXISTS (SELECT 1 FROM attempt b"
     " WHERE b.request = c.request AND b.number < c.number AND b.first_us >= 0 AND"
     " b.fault <> 'none')"},
    {"other numbers of attempts",
     "SELECT count(*) FROM request r WHERE attempts <>"
     " (SELECT count(*) FROM attempt WHERE request = r.id AND provider <> 'local')"},
    {"other costs", "SELECT count(*) FROM request r WHERE cost_nanousd <>"
                    " (SELECT sum(cost_nanousd) FROM attempt WHERE request = r.id)"},
    {"costs not summed up", "SELECT (SELECT sum(cost_nanousd) FROM attempt) <>"
                            " (SELECT sum(cost_nanousd) FROM spent)"},
    {"answers for nothing", "SELECT count(*) FROM attempt WHERE fault = 'none' AND"
                            " provider <> 'local' AND cost_nanousd <= 0"},
    {"answers without a head", "SELECT count(*) FROM attempt WHERE fault = 'none' AND"
                               " provider <> 'local' AND (head_us < 0 OR received_bytes <= 0)"},
    {"costs of no tokens",
     "SELECT count(*) FROM attempt WHERE cost_nanousd > 0 AND prompt_tokens = 0"},
    {"over budget", "SELECT sum(cost_nanousd) > 20000000 FROM attempt WHERE provider = 'paid'"},
    {"verdicts of another hour", /* who goes on may have nothing to add */
     "SELECT count(*) FROM attempt a JOIN told t ON t.id = a.request"
     " JOIN verdict v USING (hour, provider) WHERE a.fault NOT IN ('none', " TIMEOUTS ")"
     " AND NOT (a.is_continuation AND a.fault = 'diverged')"
     " AND instr(',' || v.faults || ',', ',' || a.fault || ',') = 0"},
};

static int check_ledger(const struct folder *f)
{
    int n_wrong = 0;

    for (size_t i = 0; i < GS_COUNT_OF(breaches); i++) {
        const int64_t n = ask_number(f, breaches[i].sql);
        if (n != 0)
            fprintf(stderr, "%s: %lld\n", breaches[i].what, (long long)n);
        n_wrong += n != 0;
    }
    return n_wrong;
}

/* ---- the report ---- */

/* The share `percent` of this column's values, in ms; 0 if there are none. */
static double share_ms(const struct folder *f, const char *column, const char *where, int percent)
{
    char sql[1024];

    snprintf(sql, sizeof(sql),
             "SELECT %s FROM told WHERE %s ORDER BY 1 LIMIT 1 OFFSET max(0,"
             " (SELECT (count(*) * %d + 99) / 100 - 1 FROM told WHERE %s))",
             column, where, percent, where);
    return (double)GS_MAX(ask_number(f, sql), 0) / 1000;
}

static int64_t count_told(const struct folder *f, const char *where)
{
    char sql[512];

    snprintf(sql, sizeof(sql), "SELECT count(*) FROM told WHERE %s", where);
    return ask_number(f, sql);
}

static void tell_line(const struct folder *f, const char *name, const char *where)
{
    static const int percents[] = {50, 95, 99, 100};
    char rescued[256], continued[256];

    snprintf(rescued, sizeof(rescued), "%s AND rescued", where);
    snprintf(continued, sizeof(continued), "%s AND continued", where);
    printf("| %-26s | %5lld | %5lld | %5lld |", name, (long long)count_told(f, where),
           (long long)count_told(f, rescued), (long long)count_told(f, continued));
    for (size_t i = 0; i < GS_COUNT_OF(percents); i++)
        printf(" %6.1f |", share_ms(f, "first_us", rescued, percents[i]));
    for (size_t i = 0; i < GS_COUNT_OF(percents); i++)
        printf(" %5.1f |", share_ms(f, "gap_us", continued, percents[i]));
    printf("\n");
}

static void report(const struct folder *f)
{
    run_sql(f, "ALTER TABLE told ADD COLUMN rescued INT;" /* an attempt for it failed */
               "ALTER TABLE told ADD COLUMN continued INT;"
               "UPDATE told SET rescued = EXISTS"
               " (SELECT 1 FROM attempt WHERE request = id AND fault <> 'none'),"
               " continued = EXISTS"
               " (SELECT 1 FROM attempt WHERE request = id AND is_continuation)");
    printf("| %-26s | asked | resc. | cont. | first words, ms: p50, p95, p99, max "
           "| silence at the seam, ms   |\n",
           "hour");
    for (int h = 0; h < HOURS; h++) {
        char where[32];
        snprintf(where, sizeof(where), "hour = %d", h);
        tell_line(f, day[h].name, where);
    }
    tell_line(f, "the whole day", "1");
    printf("gone on with elsewhere %lld times, here %lld times\n",
           (long long)ask_number(f, "SELECT count(*) FROM attempt WHERE is_continuation AND fault ="
                                    " 'none' AND provider <> 'local'"),
           (long long)ask_number(f, "SELECT count(*) FROM attempt WHERE is_continuation AND fault ="
                                    " 'none' AND provider = 'local'"));
}

/* ---- the day ---- */

#if defined(__SANITIZE_THREAD__)
/* libcurl closes sockets before it says that they need not be watched: by then the number may be of
 * a socket of the fake's. In a process of one loop nothing comes between. */
GS_API const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "race:drop_watch\n";
}
#endif

#define DEADLINES                                                                                  \
    "deadlines: {connect: 100ms, headers: 300ms, first_token: 300ms, stall: 300ms, total: 600ms}"

static void start_day(struct outage *o)
{
    const int a = fake_provider_port(o->a), b = fake_provider_port(o->b);

    start_grid(&o->g,
               "providers:\n"
               "  a: {kind: genset, url: \"http://127.0.0.1:%d\", key: none, " EVERY "}\n"
               "  b: {kind: genset, url: \"http://127.0.0.1:%d\", key: none, " EVERY "}\n"
               "  paid: {kind: genset, url: \"http://127.0.0.1:%d\", key: none, " EVERY "}\n"
               "  dead: {kind: genset, url: \"http://127.0.0.1:%d\", " EVERY ","
               " key: \"command:echo sk-dead\"}\n"
               "  dns: {kind: genset, url: \"http://nowhere.invalid\", key: none, " EVERY "}\n"
               "routes:\n"
               "  - {match: \"day-*\", targets: [a, b, local/words], " DEADLINES "}\n"
               "  - {match: \"dead-*\", targets: [dead, local/words], " DEADLINES "}\n"
               "  - {match: \"dns-*\", targets: [dns, local/words], " DEADLINES "}\n"
               "  - {match: \"paid-*\", targets: [paid, local/words], " DEADLINES "}\n"
               "prices:\n"
               "  \"paid/*\": {in: 1, out: 1}\n"
               "  \"*\": {in: 3, out: 15}\n"
               "budgets:\n"
               "  paid: {day: 0.02 USD}\n",
               a, b, b, a);
}

static void play(struct outage *o)
{
    pthread_t clients[CLIENTS];

    start_day(o);
    for (size_t i = 0; i < CLIENTS; i++)
        assert_int_equal(pthread_create(&clients[i], NULL, be_client, o), 0);
    for (size_t i = 0; i < CLIENTS; i++)
        pthread_join(clients[i], NULL);
}

static void test_a_day_of_outages(void **state)
{
    static struct outage o;
    const struct folder *f = *state;
    const struct gs_ledger_options opt = {.path = f->path, .max_waiting = 4 * REQUESTS};

    pthread_mutex_init(&o.lock, NULL);
    pthread_cond_init(&o.changed, NULL);
    o.a = fake_provider_start(&(struct fake_provider_options){.forgets = true});
    o.b = fake_provider_start(&(struct fake_provider_options){.forgets = true});
    assert_true(o.a && o.b);
    o.f = f;
    assert_int_equal(sem_init(&o.answers, 0, 0), 0);
    assert_int_equal(gs_ledger_open(&opt, &o.ledger, NULL), GS_OK);
    prepare_grid(&o.g);
    o.g.f.opt.ledger = o.ledger;
    play(&o);
    o.held_bytes = GS_MAX(o.held_bytes, bytes_after(&o, REQUESTS));
    finish_grid(&o.g);
    gs_ledger_close(o.ledger);
    sem_destroy(&o.answers);
    printf("%d requests, %d answered; beyond: %zu and %zu, here: %zu; at most "
           "%zu MiB held\n",
           REQUESTS, REQUESTS - o.n_wrong, fake_provider_count(o.a, FAKE_REQUESTS),
           fake_provider_count(o.b, FAKE_REQUESTS), atomic_load(&o.g.f.fake.n_answers),
           o.held_bytes >> 20);
    fake_provider_stop(o.a);
    fake_provider_stop(o.b);
    if (o.wrong[0])
        fprintf(stderr, "%s\n", o.wrong);
    insert_told(f, &o);
    const int n_breaches = check_ledger(f);
    report(f);
    assert_int_equal(o.n_wrong, 0);
    assert_int_equal(n_breaches, 0);
    assert_true(o.held_bytes < MAX_HELD);
    pthread_cond_destroy(&o.changed);
    pthread_mutex_destroy(&o.lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_day_of_outages, make_folder, remove_folder)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
