/* The fake provider itself: what tests of the switch rely on. */
#include <stdio.h>

#include "fault/fake_fault.h"
#include "fault/fake_provider.h"
#include "net_test.h"

static void ask(int fd, const char *path, const char *model, bool stream)
{
    char body[256], text[512];

    snprintf(body, sizeof(body),
             "{\"model\":\"%s\",\"stream\":%s,\"messages\":[{\"role\":\"user\",\"content\":"
             "\"say 3\"}],\"input\":\"say 3\"}",
             model, stream ? "true" : "false");
    snprintf(text, sizeof(text), "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n%s",
             path, strlen(body), body);
    net_send(fd, text);
}

/* What comes until `mark`, or until the connection ends if that is NULL. */
static void expect(struct fake_provider *p, const char *path, const char *model, bool stream,
                   const char *mark, enum net_end end)
{
    const int fd = net_connect(fake_provider_port(p));
    struct gs_buf b;

    gs_buf_init(&b, 64 << 20);
    ask(fd, path, model, stream);
    if (mark)
        net_read_until(fd, &b, mark, 0);
    else
        assert_int_equal(net_read_all(fd, &b), end);
    gs_buf_clear(&b);
    close(fd);
}

static void test_words(void **state)
{
    struct fake_fault f;

    (void)state;
    assert_true(fake_fault_read(GS_SLICE_LIT("429-quota-retry-ms-250+interim"), &f));
    assert_int_equal(f.status, 429);
    assert_int_equal(f.refusal, FAKE_REFUSAL_QUOTA);
    assert_int_equal(f.wait, FAKE_WAIT_MS);
    assert_int_equal(f.wait_n, 250);
    assert_int_equal(f.manners, FAKE_MANNER_INTERIM);
    assert_true(fake_fault_read(GS_SLICE_LIT("crlf+finish-error-after-2"), &f));
    assert_int_equal(f.broken, FAKE_BREAK_FINISH_ERROR);
    assert_int_equal(f.after, 2);
    assert_false(fake_fault_read(GS_SLICE_LIT("ok+nonsense"), &f));
    assert_false(fake_fault_read(GS_SLICE_LIT("cut-after-x"), &f));
    static const struct {
        int place, n;
        const char *words;
    } attempts[] = {{0, 0, "500"}, {0, 1, "ok"}, {0, 9, "ok"}, {1, 0, "429"}, {7, 3, "429"}};
    for (size_t i = 0; i < GS_COUNT_OF(attempts); i++)
        assert_true(gs_slice_eq_str(
            fake_fault_of_attempt(GS_SLICE_LIT("500,ok;429"), attempts[i].place, attempts[i].n),
            attempts[i].words));
}

static void test_answers(void **state)
{
    static const struct {
        const char *path, *whole, *end;
    } apis[] = {
        {"/v1/messages", "\"text\":\"w0 w1 w2\"", "event: message_stop"},
        {"/v1/chat/completions", "\"content\":\"w0 w1 w2\"", "data: [DONE]"},
        {"/v1/responses", "\"text\":\"w0 w1 w2\"", "event: response.completed"},
        {"/api/chat", "\"content\":\"w0 w1 w2\"", "\"done\":true"},
    };
    struct fake_provider *p = fake_provider_start(&(struct fake_provider_options){.port = 0});

    (void)state;
    assert_non_null(p);
    for (size_t i = 0; i < GS_COUNT_OF(apis); i++) {
        expect(p, apis[i].path, "fake", false, apis[i].whole, NET_EOF);
        expect(p, apis[i].path, "fake@crlf+remarks", true, apis[i].end, NET_EOF);
        expect(p, apis[i].path, "fake@split", true, "\r\n0\r\n\r\n", NET_EOF);
        expect(p, apis[i].path, "fake@cut-after-2", true, NULL, NET_EOF);
        expect(p, apis[i].path, "fake@rst-after-2", true, NULL, NET_RESET);
        expect(p, apis[i].path, "fake@529", true, "HTTP/1.1 529 ", NET_EOF);
        expect(p, apis[i].path, "fake@giant-after-1", true, apis[i].end, NET_EOF);
    }
    fake_provider_stop(p);
}

static void test_scripts_and_records(void **state)
{
    struct fake_provider *p = fake_provider_start(&(struct fake_provider_options){.place = 1});
    struct gs_slice head, body, sent;

    (void)state;
    assert_non_null(p);
    fake_provider_script(p, "503,reset");
    fake_provider_default(p, "404-model");
    expect(p, "/v1/messages", "any", false, " 503 ", NET_EOF);
    expect(p, "/v1/messages", "any", false, NULL, NET_RESET);
    expect(p, "/v1/messages", "any", false, " 404 ", NET_EOF);
    expect(p, "/v1/messages", "fake@ok;401,402", false, " 401 ", NET_EOF);
    expect(p, "/v1/messages", "fake@ok;401,402", false, " 402 ", NET_EOF);
    assert_int_equal(fake_provider_count(p, FAKE_REQUESTS), 5);
    assert_true(fake_provider_request(p, 4, &head, &body));
    assert_true(gs_slice_starts(head, GS_SLICE_LIT("POST /v1/messages HTTP/1.1\r\n")));
    assert_true(gs_slice_starts(body, GS_SLICE_LIT("{\"model\":\"fake@ok;401,402\"")));
    assert_true(fake_provider_sent(p, 4, &sent));
    assert_true(gs_slice_starts(sent, GS_SLICE_LIT("{\"type\":\"error\"")));
    assert_false(fake_provider_request(p, 5, &head, &body));
    fake_provider_forget(p);
    assert_int_equal(fake_provider_count(p, FAKE_REQUESTS), 0);
    fake_provider_stop(p);
}

static void test_holds_and_leaving(void **state)
{
    struct fake_provider *p = fake_provider_start(&(struct fake_provider_options){.port = 0});
    struct gs_buf b;

    (void)state;
    assert_non_null(p);
    int fd = net_connect(fake_provider_port(p));
    gs_buf_init(&b, 1 << 20);
    ask(fd, "/v1/messages", "fake@hold-after-1", true);
    net_read_until(fd, &b, "\"w0\"", 0);
    fake_provider_wait(p, FAKE_HELD, 1);
    fake_provider_go(p);
    net_read_until(fd, &b, "message_stop", 0);
    close(fd);
    fd = net_connect(fake_provider_port(p));
    ask(fd, "/v1/messages", "fake@stall-after-1", true);
    fake_provider_wait(p, FAKE_HELD, 2);
    close(fd);
    fake_provider_wait(p, FAKE_GONE, 1);
    fake_provider_listen(p, false);
    const struct sockaddr_in a = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)fake_provider_port(p)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&a, sizeof(a)), -1);
    close(fd);
    fake_provider_listen(p, true);
    expect(p, "/v1/messages", "fake", false, "w0 w1 w2", NET_EOF);
    gs_buf_clear(&b);
    fake_provider_stop(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_scripts_and_records),
        cmocka_unit_test(test_holds_and_leaving),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
