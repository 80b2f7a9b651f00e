/* Requests that are sent again under the same key: the backend is asked once. */
#include "server_test.h"

#define KEY(k) "Idempotency-Key: " k "\r\nConnection: close\r\n"

static const char *const paths[] = {ANTHROPIC, OPENAI, RESPONSES, OLLAMA};

static int ask(struct fixture *f, const char *path, const char *headers, const char *script,
               bool stream)
{
    const int fd = net_connect(f->port);
    char body[512];

    snprintf(body, sizeof(body),
             "{\"model\":\"%s\",\"stream\":%s,\"max_tokens\":9,\"input\":\"hi\","
             "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}",
             script, stream ? "true" : "false");
    send_post(fd, path, headers, body);
    return fd;
}

static enum net_end hear(int fd, struct gs_buf *out)
{
    gs_buf_init(out, 64 << 20);
    const enum net_end end = net_read_all(fd, out);
    close(fd);
    return end;
}

static struct gs_slice body_of(const struct gs_buf *answer)
{
    const size_t at = gs_slice_find(gs_buf_view(answer), GS_SLICE_LIT("\r\n\r\n"), 0);

    assert_int_not_equal(at, SIZE_MAX);
    return gs_slice_sub(gs_buf_view(answer), at, answer->len);
}

static size_t n_asked(struct fixture *f)
{
    return atomic_load(&f->fake.n_answers);
}

/* While it is answered, with the first client there or gone, and when it was. */
static void the_second_hears_the_first(void **state)
{
    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(paths); i++) {
        for (int leaves = 0; leaves < 2; leaves++) {
            struct fixture f;
            struct gs_buf out[3];
            prepare(&f);
            start(&f);
            int fd = ask(&f, paths[i], KEY("k1"), "later", true);
            gs_buf_init(&out[0], 1 << 20);
            net_read_until(fd, &out[0], "\r\n\r\n", 0);
            const int again = ask(&f, paths[i], KEY("k1"), "later", true);
            gs_buf_clear(&out[0]);
            if (leaves)
                close(fd);
            gs_buf_init(&out[1], 1 << 20);
            net_read_until(again, &out[1], "x-genset-same-as: req_", 0);
            gs_buf_clear(&out[1]);
            fake_let_go(&f.fake);
            assert_int_equal(hear(again, &out[1]), NET_EOF);
            fd = leaves ? ask(&f, paths[i], KEY("k1"), "later", true) : fd;
            assert_int_equal(hear(fd, &out[0]), NET_EOF);
            assert_int_equal(hear(ask(&f, paths[i], KEY("k1"), "later", true), &out[2]), NET_EOF);
            assert_true(net_has(&out[1], "world"));
            assert_true(gs_slice_ends(gs_buf_view(&out[1]), GS_SLICE_LIT("0\r\n\r\n")));
            assert_true(net_has(&out[0], "world") && net_has(&out[2], "world"));
            assert_true(net_has(&out[2], "x-genset-same-as: req_"));
            assert_int_equal(n_asked(&f), 1);
            for (size_t k = 0; k < 3; k++)
                gs_buf_clear(&out[k]);
            finish(&f);
        }
    }
}

/* An answer in one piece; a connection that stays. */
static void a_whole_answer_is_heard_again(void **state)
{
    struct fixture f;

    (void)state;
    prepare(&f);
    start(&f);
    for (size_t i = 0; i < GS_COUNT_OF(paths); i++) {
        struct gs_buf first, second;
        hear(ask(&f, paths[i], KEY("w"), "hello", false), &first);
        const int fd = ask(&f, paths[i], "Idempotency-Key: w\r\n", "hello", false);
        gs_buf_init(&second, 1 << 20);
        net_read_until(fd, &second, "world", 0);
        net_read_until(fd, &second, "}", second.len - 1);
        assert_true(gs_slice_starts(body_of(&first), body_of(&second)));
        assert_true(net_has(&second, "Content-Length: "));
        send_post(fd, paths[i], KEY("w2"), "{");
        net_read_until(fd, &second, "HTTP/1.1 400 ", 0);
        gs_buf_clear(&first);
        gs_buf_clear(&second);
        close(fd);
        assert_int_equal(n_asked(&f), i + 1);
    }
    finish(&f);
}

/* Another key, path, body or login; none at all. */
static void others_are_answered_themselves(void **state)
{
    static const char long_key[] =
        "Idempotency-Key: 0123456789012345678901234567890123456789012345678901234567890123456789"
        "012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
        "012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
        "0123456789012345678901234567890123456789\r\nConnection: close\r\n";
    static const struct {
        const char *path, *headers, *script;
    } asks[] = {
        {ANTHROPIC, KEY("k1"), "hello"},
        {ANTHROPIC, KEY("k2"), "hello"},
        {OPENAI, KEY("k1"), "hello"},
        {ANTHROPIC, KEY("k1"), "think"},
        {ANTHROPIC, "x-api-key: other\r\n" KEY("k1"), "hello"},
        {ANTHROPIC, "Authorization: Bearer other\r\n" KEY("k1"), "hello"},
        {ANTHROPIC, "x-genset-privacy: local-only\r\n" KEY("k1"), "hello"},
        {ANTHROPIC, "x-genset-on-break: error\r\n" KEY("k1"), "hello"},
        {ANTHROPIC, "Connection: close\r\n", "hello"},
        {ANTHROPIC, "Connection: close\r\n", "hello"},
        {ANTHROPIC, KEY(""), "hello"},
        {ANTHROPIC, KEY(""), "hello"},
        {ANTHROPIC, long_key, "hello"},
        {ANTHROPIC, long_key, "hello"},
    };
    struct fixture f;

    (void)state;
    prepare(&f);
    start(&f);
    for (size_t i = 0; i < GS_COUNT_OF(asks); i++) {
        struct gs_buf out;
        hear(ask(&f, asks[i].path, asks[i].headers, asks[i].script, true), &out);
        assert_true(net_has(&out, "HTTP/1.1 200 OK"));
        assert_false(net_has(&out, "x-genset-same-as"));
        gs_buf_clear(&out);
        assert_int_equal(n_asked(&f), i + 1);
    }
    finish(&f);
}

/* Whoever asks again after a failure wants another answer. */
static void failures_are_not_kept(void **state)
{
    static const char *const scripts[] = {"broken", "overlong"};
    struct fixture f;
    size_t n = 0;

    (void)state;
    prepare(&f);
    f.opt.late_ms = 0;
    start(&f);
    for (size_t i = 0; i < GS_COUNT_OF(paths); i++) {
        for (int k = 0; k < 8; k++) {
            struct gs_buf out;
            hear(ask(&f, paths[i], KEY("bad"), scripts[k / 2 % 2], k / 4), &out);
            assert_false(net_has(&out, "x-genset-same-as"));
            gs_buf_clear(&out);
            assert_int_equal(n_asked(&f), ++n);
        }
    }
    finish(&f);
}

/* Nobody comes back. */
static void who_stays_away_is_not_waited_for(void **state)
{
    struct fixture f;
    struct gs_buf out;

    (void)state;
    prepare(&f);
    f.opt.retry_ms = 20;
    start(&f);
    for (int stream = 0; stream < 2; stream++) {
        const int first = ask(&f, ANTHROPIC, KEY("k1"), "hold", true);
        gs_buf_init(&out, 1 << 20);
        net_read_until(first, &out, "message_start", 0);
        gs_buf_clear(&out);
        const int second = ask(&f, ANTHROPIC, KEY("k1"), "hold", true);
        gs_buf_init(&out, 1 << 20);
        net_read_until(second, &out, "message_start", 0);
        gs_buf_clear(&out);
        close(stream ? first : second);
        close(stream ? second : first);
        fake_wait(&f.fake, &f.fake.n_cancelled, stream + 1);
    }
    assert_int_equal(n_asked(&f), 2);
    finish(&f);
}

/* One reads slowly, one has gone, one comes late: each gets all, and the server holds one copy. */
static void slow_listeners_lose_nothing(void **state)
{
    struct fixture f;
    struct gs_buf a, b;

    (void)state;
    prepare(&f);
    start(&f);
    const int slow = net_connect_small(f.port, 4096);
    send_post(slow, ANTHROPIC, KEY("k1"),
              "{\"model\":\"big\",\"stream\":true,\"max_tokens\":9,"
              "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}");
    gs_buf_init(&a, 64 << 20);
    net_read_until(slow, &a, "message_start", 0);
    const int second = net_connect_small(f.port, 4096);
    send_post(second, ANTHROPIC, KEY("k1"),
              "{\"model\":\"big\",\"stream\":true,\"max_tokens\":9,"
              "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}");
    gs_buf_init(&b, 64 << 20);
    net_read_until(second, &b, "message_start", 0);
    gs_buf_clear(&a);
    close(slow);
    assert_int_equal(net_read_all(second, &b), NET_EOF);
    assert_true(b.len > FAKE_BIG_BYTES);
    assert_true(gs_slice_ends(gs_buf_view(&b), GS_SLICE_LIT("0\r\n\r\n")));
    close(second);
    gs_buf_clear(&b);
    assert_int_equal(n_asked(&f), 1);
    finish(&f);
}

/* What is too long to be kept is given to the first alone; the others are told by a reset. */
static void endless_answers_are_not_kept(void **state)
{
    struct fixture f;
    struct gs_buf out;

    (void)state;
    prepare(&f);
    start(&f);
    const int first = ask(&f, OPENAI, KEY("k1"), "endless", true);
    gs_buf_init(&out, 64 << 20);
    net_read_until(first, &out, "data: ", 0);
    gs_buf_clear(&out);
    const int second = ask(&f, OPENAI, KEY("k1"), "endless", true);
    gs_buf_init(&out, 64 << 20);
    net_read_until(second, &out, "data: ", 0);
    gs_buf_clear(&out);
    gs_buf_init(&out, 64 << 20);
    while (out.len < 12 << 20)
        net_read_until(first, &out, "data: ", out.len);
    gs_buf_clear(&out);
    assert_int_not_equal(hear(second, &out), NET_EOF);
    gs_buf_clear(&out);
    close(first);
    fake_wait(&f.fake, &f.fake.n_cancelled, 1);
    finish(&f);
}

/* A stop waits for clients that are there, whoever asked first, and for nobody who is not. */
static void a_stop_waits_for_who_is_there(void **state)
{
    struct fixture f;
    struct gs_buf out;

    (void)state;
    prepare(&f);
    f.opt.grace_ms = 100000;
    start(&f);
    for (int i = 0; i < 2; i++) {
        const int fd = ask(&f, ANTHROPIC, i ? KEY("k1") : KEY("k0"), i ? "later" : "hold", true);
        gs_buf_init(&out, 1 << 20);
        net_read_until(fd, &out, "message_start", 0);
        gs_buf_clear(&out);
        close(fd);
    }
    const int second = ask(&f, ANTHROPIC, KEY("k1"), "later", true);
    gs_buf_init(&out, 1 << 20);
    net_read_until(second, &out, "message_start", 0);
    gs_server_stop(f.server);
    fake_wait(&f.fake, &f.fake.n_cancelled, 1);
    fake_let_go(&f.fake);
    net_read_until(second, &out, "message_stop", 0);
    gs_buf_clear(&out);
    close(second);
    join(&f);
}

/* Nor for fewer: one reads yet what was given to the end. */
static void a_stop_waits_for_who_reads_slowly(void **state)
{
    static const char big[] = "{\"model\":\"big\",\"stream\":true,\"max_tokens\":9,"
                              "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}";
    struct fixture f;
    struct gs_buf first, second;

    (void)state;
    prepare(&f);
    f.opt.grace_ms = 100000;
    start(&f);
    const int fast = net_connect(f.port);
    send_post(fast, ANTHROPIC, KEY("k1"), big);
    const int slow = net_connect_small(f.port, 64 << 10);
    gs_buf_init(&first, 64 << 20);
    gs_buf_init(&second, 64 << 20);
    net_read_until(fast, &first, "message_start", 0);
    send_post(slow, ANTHROPIC, KEY("k1"), big);
    net_read_until(slow, &second, "message_start", 0);
    assert_int_equal(net_read_all(fast, &first), NET_EOF);
    gs_server_stop(f.server);
    assert_int_equal(net_read_all(slow, &second), NET_EOF);
    assert_true(gs_slice_ends(gs_buf_view(&second), GS_SLICE_LIT("0\r\n\r\n")));
    gs_buf_clear(&first);
    gs_buf_clear(&second);
    close(fast);
    close(slow);
    join(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_second_hears_the_first),
        cmocka_unit_test(a_whole_answer_is_heard_again),
        cmocka_unit_test(others_are_answered_themselves),
        cmocka_unit_test(failures_are_not_kept),
        cmocka_unit_test(who_stays_away_is_not_waited_for),
        cmocka_unit_test(slow_listeners_lose_nothing),
        cmocka_unit_test(endless_answers_are_not_kept),
        cmocka_unit_test(a_stop_waits_for_who_is_there),
        cmocka_unit_test(a_stop_waits_for_who_reads_slowly),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
