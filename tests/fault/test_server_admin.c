/* What a server tells of itself at /api/genset/: from its ledger, from what it alone knows, and to
 * whom; also while it ends, and to clients that do not wait. */
#include "cmocka_headers.h"

#include <string.h>

#include "ledger_test.h"
#include "server_test.h"

static void assert_answer(struct fixture *f, const char *path, const char *mark, const char *other)
{
    const char *const marks[] = {mark, other, NULL};
    char request[256];

    snprintf(request, sizeof(request), "GET /api/genset/%s HTTP/1.1\r\nHost: localhost\r\n", path);
    expect(f, request, marks);
}

/* A ledger in which all is written already. */
static struct gs_ledger *make_ledger(const struct folder *f)
{
    struct gs_ledger *l = open_ledger(f, 0, 0);
    const struct gs_ledger_attempt a = an_attempt("cloud", GS_FAULT_STALL);
    const struct gs_ledger_request r = {
        .id = a.request, .at_us = a.at_us, .n_attempts = 1, .outcome = GS_LEDGER_FAILED};

    gs_ledger_record_attempt(l, &a);
    gs_ledger_record(l, &r);
    gs_ledger_close(l);
    return open_ledger(f, 0, 0);
}

static void it_tells_of_itself(void **state)
{
    struct gs_ledger *l = make_ledger(*state);
    struct fixture f;

    prepare(&f);
    f.opt.ledger = l;
    start(&f);
    assert_answer(&f, "status", "{\"providers\":[{\"name\":\"local\"",
                  "\"uptime\":[{\"provider\":\"cloud\"");
    assert_answer(&f, "cost", "{\"days\":[{\"day\":\"2", "\"cost_usd\":5e-06");
    assert_answer(&f, "cost?days=999999999999999999999", "{\"days\":[", "200 OK");
    assert_answer(&f, "log", "{\"requests\":[{\"id\":\"req_1\"", "\"faults\":\"cloud stall\"");
    assert_answer(&f, "log?failed=1&limit=1&days=1", "{\"requests\":[{\"id\":\"req_1\"", "200 OK");
    assert_answer(&f, "log/req_1", "{\"id\":\"req_1\"", "\"attempts\":[{\"number\":1,");
    assert_answer(&f, "log/req_2", "404", "{\"error\":\"no request");
    assert_answer(&f, "trace/req_2", "404", "there is no trace");
    assert_answer(&f, "nothing", "404", "there is nothing at /api/genset/nothing");
    expect(&f, "POST /api/genset/log HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n",
           (const char *const[]){"405", NULL});
    finish(&f);
    gs_ledger_close(l);
}

static void without_a_ledger_little_is_told(void **state)
{
    struct fixture f;

    (void)state;
    prepare(&f);
    start(&f);
    assert_answer(&f, "status", "{\"providers\":[", "]}");
    assert_answer(&f, "cost", "404", "keeps no ledger");
    assert_answer(&f, "trace/x", "404", "there is no trace");
    finish(&f);
}

static void a_key_is_wanted_here_too(void **state)
{
    struct gs_ledger *l = make_ledger(*state);
    const char *const keys[] = {"secret"};
    struct fixture f;

    prepare(&f);
    f.opt.host = "0.0.0.0";
    f.opt.api_keys = keys;
    f.opt.n_api_keys = 1;
    f.opt.ledger = l;
    start(&f);
    assert_answer(&f, "log", "401", "{\"error\":");
    expect(&f,
           "GET /api/genset/log HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer secret\r\n",
           (const char *const[]){"\"requests\":[", NULL});
    finish(&f);
    gs_ledger_close(l);
}

/* Clients that leave, more questions than are taken, and a server that ends meanwhile. */
static void nobody_needs_to_wait(void **state)
{
    struct gs_ledger *l = make_ledger(*state);
    struct fixture f;

    prepare(&f);
    f.opt.ledger = l;
    start(&f);
    for (int i = 0; i < 100; i++) {
        const int fd = net_connect(f.port);
        net_send(fd, "GET /api/genset/status HTTP/1.1\r\nHost: localhost\r\n\r\n");
        close(fd);
    }
    assert_answer(&f, "log", "HTTP/1.1 ", "{");
    finish(&f);
    gs_ledger_close(l);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        TEST(it_tells_of_itself),
        TEST(without_a_ledger_little_is_told),
        TEST(a_key_is_wanted_here_too),
        TEST(nobody_needs_to_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
