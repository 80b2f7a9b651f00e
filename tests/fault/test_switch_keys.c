/* Clients by the names of their keys: what each may spend, also side by side, and what becomes of
 * its answers that break off. */
#include "ledger_test.h"
#include "switch_test.h"
#include "two_fakes.h"

#define ANNA   "x-api-key: key-of-anna\r\n"
#define BEN    "Authorization: Bearer key-of-ben\r\n"
#define NOBODY "x-api-key: key-of-nobody\r\n"

/* A token costs a dollar; that of eight words eight. */
static void start_keys(struct grid *g, struct gs_ledger *ledger)
{
    static const char *const keys[] = {"key-of-nobody", "key-of-anna", "key-of-ben"};
    static const char *const names[] = {NULL, "anna", "ben"};
    const int at_one = fake_provider_port(one), at_two = fake_provider_port(two);

    fake_provider_forget(one);
    fake_provider_forget(two);
    prepare_grid(g);
    g->f.opt.ledger = ledger;
    g->f.opt.api_keys = keys;
    g->f.opt.key_names = names;
    g->f.opt.n_api_keys = GS_COUNT_OF(keys);
    start_grid(g,
               "providers:\n"
               "  one: {kind: genset, url: \"http://127.0.0.1:%d\", key: none, " EVERY "}\n"
               "  two: {kind: genset, url: \"http://127.0.0.1:%d\", key: none, " EVERY "}\n"
               "  free: {kind: genset, url: \"http://127.0.0.1:%d\", key: none, " EVERY "}\n"
               "routes:\n"
               "  - {match: \"on@*\", targets: [free, two], on_break: continue, " PATIENT "}\n"
               "  - {match: \"off@*\", targets: [free, two], on_break: error, " PATIENT "}\n"
               "  - {match: \"unsaid@*\", targets: [free, two], " PATIENT "}\n"
               "  - {targets: [one, local/words], " PATIENT "}\n"
               "keys:\n"
               "  anna: {budget: {day: 12 USD}}\n"
               "  ben: {on_break: error}\n"
               "prices:\n"
               "  \"one/*\": {in: 0, out: 1000000}\n"
               "  \"*\": {in: 0, out: 0}\n",
               at_one, at_two, at_one);
}

static int begin(const struct grid *g, const char *key, const char *model)
{
    const int fd = net_connect(g->f.port);
    struct gs_buf body;
    char lines[256];

    gs_buf_init(&body, GS_MAX_REQUEST_BYTES);
    gs_buf_printf(&body,
                  "{\"model\":\"%s\",\"max_tokens\":8,\"stream\":true,\"messages\":[{\"role\":"
                  "\"user\",\"content\":\"say 8\"}]}",
                  model);
    snprintf(lines, sizeof(lines), "%sConnection: close\r\n", key);
    post(fd, apis[0].path, lines, gs_buf_view(&body));
    gs_buf_clear(&body);
    return fd;
}

static void end(int fd, struct gs_buf *out)
{
    gs_buf_init(out, GS_MAX_RESPONSE_BYTES);
    net_read_all(fd, out);
    close(fd);
}

/* Who answered. */
static void expect_by(const struct grid *g, const char *key, const char *model, const char *who)
{
    char line[64];
    struct gs_buf out;

    end(begin(g, key, model), &out);
    snprintf(line, sizeof(line), "x-genset-served-by: %s", who);
    if (!net_has(&out, line) || !net_has(&out, "w7"))
        fail_msg("%s%s: not by %s\n%.*s", key, model, who, (int)out.len, out.ptr);
    gs_buf_clear(&out);
}

static void each_key_spends_its_own(void **state)
{
    struct gs_buf out, trace;
    struct grid g;

    (void)state;
    start_keys(&g, NULL);
    expect_by(&g, ANNA, "fake@ok#1", "one/");
    for (int i = 0; i < 3; i++) {
        expect_by(&g, ANNA, "fake@ok#2", "local/");
        expect_by(&g, BEN, "fake@ok#3", "one/");
        expect_by(&g, NOBODY, "fake@ok#4", "one/");
    }
    end(begin(&g, ANNA, "fake@ok#5"), &out);
    ask_trace(&g, BEN, &out, &trace);
    assert_true(net_has(&trace, "one not asked (budget)"));
    assert_false(net_has(&trace, "key-of-"));
    gs_buf_clear(&trace);
    gs_buf_clear(&out);
    assert_false(has_got(one, "key-of-"));
    assert_false(has_got(one, "anna"));
    finish_grid(&g);
}

/* What a request that runs may cost counts, and at its end what it did. */
static void side_by_side_they_share_it(void **state)
{
    struct gs_buf out;
    struct grid g;

    (void)state;
    start_keys(&g, NULL);
    const int held = begin(&g, ANNA, "fake@hold-after-2");
    fake_provider_wait(one, FAKE_HELD, 1);
    expect_by(&g, ANNA, "fake@ok#1", "local/");
    expect_by(&g, BEN, "fake@ok#2", "one/");
    fake_provider_go(one);
    end(held, &out);
    assert_true(net_has(&out, "w7"));
    gs_buf_clear(&out);
    expect_by(&g, ANNA, "fake@ok#3", "local/");
    finish_grid(&g);

    start_keys(&g, NULL); /* what failed cost nothing */
    expect_by(&g, ANNA, "fake@500#4", "local/");
    expect_by(&g, ANNA, "fake@ok#5", "one/");
    finish_grid(&g);
}

/* What was said before an answer broke off, or its client left, is billed, told or not. */
static void broken_answers_cost_what_was_said(void **state)
{
    struct gs_buf out;
    struct grid g;

    (void)state;
    start_keys(&g, NULL);
    expect_by(&g, ANNA, "fake@cut-after-7#1", "one/");
    expect_by(&g, ANNA, "fake@ok#2", "local/");
    finish_grid(&g);

    start_keys(&g, NULL);
    const int held = begin(&g, ANNA, "fake@hold-after-7#3");
    gs_buf_init(&out, GS_MAX_RESPONSE_BYTES);
    net_read_until(held, &out, "w6", 0);
    gs_buf_clear(&out);
    close(held);
    fake_provider_wait(one, FAKE_GONE, 1);
    expect_by(&g, ANNA, "fake@ok#4", "local/");
    fake_provider_go(one);
    finish_grid(&g);
}

static void a_restart_forgets_no_spending(void **state)
{
    struct folder *f;
    struct grid g;

    (void)state;
    make_folder((void **)&f);
    for (int i = 0; i < 2; i++) {
        struct gs_ledger *l = open_ledger(f, 0, 0);
        start_keys(&g, l);
        expect_by(&g, ANNA, "fake@ok#1", i == 0 ? "one/" : "local/");
        expect_by(&g, BEN, "fake@ok#2", "one/");
        finish_grid(&g);
        gs_ledger_close(l);
    }
    assert_int_equal(ask_number(f, "SELECT count(*) FROM request WHERE key = 'anna'"), 2);
    assert_int_equal(ask_number(f, "SELECT sum(cost_nanousd) FROM spent_key WHERE key = 'ben'"),
                     ask_number(f, "SELECT sum(cost_nanousd) FROM request WHERE key = 'ben'"));
    assert_int_equal(ask_number(f, "SELECT sum(cost_nanousd > 0) FROM spent_key"), 2);
    remove_folder((void **)&f);
}

/* F9: nor who said when to come again, though nothing else is held against him. */
static void a_restart_forgets_no_wait(void **state)
{
    struct folder *f;
    struct grid g;

    (void)state;
    make_folder((void **)&f);
    for (int i = 0; i < 2; i++) {
        struct gs_ledger *l = open_ledger(f, 0, 0);
        start_keys(&g, l);
        expect_by(&g, BEN, "fake@429-retry-after-60", "local/");
        assert_int_equal(fake_provider_count(one, FAKE_REQUESTS), i == 0 ? 1 : 0);
        finish_grid(&g);
        gs_ledger_close(l);
    }
    remove_folder((void **)&f);
}

/* The request's word before the route's, the route's before the key's. */
static void what_breaks_off_by_key(void **state)
{
    static const struct {
        const char *headers, *model;
        bool ends;
    } rows[] = {
        {BEN, "unsaid@cut-after-4;ok#1", true},
        {BEN, "on@cut-after-4;ok#2", false},
        {BEN "x-genset-on-break: continue\r\n", "unsaid@cut-after-4;ok#3", true},
        {ANNA, "unsaid@cut-after-4;ok#4", false},
        {ANNA "x-genset-on-break: error\r\n", "unsaid@cut-after-4;ok#5", true},
        {ANNA, "off@cut-after-4;ok#6", true},
        {NOBODY, "unsaid@cut-after-4;ok#7", false},
    };
    struct grid g;

    (void)state;
    start_keys(&g, NULL);
    for (size_t i = 0; i < GS_COUNT_OF(rows); i++) {
        struct gs_buf out;
        struct heard h;
        end(begin(&g, rows[i].headers, rows[i].model), &out);
        hear_answer(&h, &apis[0], true, &out);
        if (rows[i].ends == (h.fault == GS_FAULT_NONE))
            fail_heard(&apis[0], rows[i].model, &h, &out);
        gs_buf_clear(&out);
        heard_clear(&h);
    }
    finish_grid(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_key_spends_its_own),
        cmocka_unit_test(side_by_side_they_share_it),
        cmocka_unit_test(broken_answers_cost_what_was_said),
        cmocka_unit_test(a_restart_forgets_no_spending),
        cmocka_unit_test(a_restart_forgets_no_wait),
        cmocka_unit_test(what_breaks_off_by_key),
    };
    return cmocka_run_group_tests(tests, start_fakes, stop_fakes);
}
