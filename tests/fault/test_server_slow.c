/* What takes long: large bodies, whole answers that are late, clients that fail again and again. */
#include <sched.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "server/state.h"
#include "server_test.h"

#define LARGE_BYTES (400 * GS_KIB)

/* A chat with `script` whose body has LARGE_BYTES, or is cut off before its end. */
static void make_large(struct gs_buf *b, const char *path, const char *script, bool stream,
                       bool is_whole)
{
    struct gs_buf body;

    gs_buf_init(b, 1 << 20);
    gs_buf_init(&body, 1 << 20);
    gs_buf_printf(&body,
                  "{\"model\":\"%s\",\"stream\":%s,\"max_tokens\":9,\"prompt\":\"hi\","
                  "\"input\":\"hi\",\"messages\":[{\"role\":\"user\",\"content\":\"",
                  script, stream ? "true" : "false");
    while (body.len < LARGE_BYTES)
        gs_buf_puts(&body, "a long question ");
    if (is_whole)
        gs_buf_puts(&body, "\"}]}");
    gs_buf_printf(b,
                  "POST %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                  "Content-Length: %zu\r\n\r\n",
                  path, body.len);
    gs_buf_slice(b, gs_buf_view(&body));
    gs_buf_clear(&body);
}

static void send_large(int fd, const char *path, const char *script, bool stream, bool is_whole)
{
    struct gs_buf b;

    make_large(&b, path, script, stream, is_whole);
    net_send_bytes(fd, b.ptr, b.len);
    gs_buf_clear(&b);
}

static void test_large_bodies(void **state)
{
    static const struct {
        const char *path, *script, *mark;
        bool stream, is_whole;
    } cases[] = {
        {ANTHROPIC, "hello", "event: message_stop\n", true, true},
        {OPENAI, "hello", "data: [DONE]", true, true},
        {OLLAMA, "hello", "\"content\":\"Hello world\"", false, true},
        {RESPONSES, "hello", "event: response.completed\n", true, true},
        {ANTHROPIC "/count_tokens", "hello", "{\"input_tokens\":12}", false, true},
        {OPENAI, "overlong", "maximum context length is 8192", false, true},
        {ANTHROPIC, "busy", "overloaded_error", true, true},
        {ANTHROPIC, "hello", "HTTP/1.1 400 ", true, false},
        {OLLAMA, "hello", "{\"error\":\"request body: ", true, false},
    };
    struct fixture f;

    (void)state;
    prepare(&f);
    start(&f);
    for (size_t i = 0; i < GS_COUNT_OF(cases); i++) {
        const int fd = net_connect(f.port);
        struct gs_buf out;
        gs_buf_init(&out, 1 << 20);
        send_large(fd, cases[i].path, cases[i].script, cases[i].stream, cases[i].is_whole);
        assert_int_equal(net_read_all(fd, &out), NET_EOF);
        if (!net_has(&out, cases[i].mark))
            fail_msg("case %zu: %.*s", i, (int)out.len, out.ptr);
        gs_buf_clear(&out);
        close(fd);
    }
    finish(&f);
}

/* A large body that builds on an answer that is kept. */
static void test_large_bodies_build_on_answers(void **state)
{
    static const char *const marks[] = {"HTTP/1.1 200 OK", "previous_response_not_found"};
    struct fixture f;
    struct gs_buf out, b, body;

    (void)state;
    prepare(&f);
    start(&f);
    chat(&f, RESPONSES, "hello", false, &out);
    const size_t at = gs_slice_find(gs_buf_view(&out), GS_SLICE_LIT("\"resp_"), 0);
    const size_t end = gs_slice_find(gs_buf_view(&out), GS_SLICE_LIT(","), at);
    assert_true(at < end);
    for (int i = 0; i < 2; i++) {
        gs_buf_init(&b, 1 << 20);
        gs_buf_init(&body, 1 << 20);
        gs_buf_printf(&body, "{\"model\":\"hello\",\"previous_response_id\":%.*s,\"input\":\"",
                      i ? 11 : (int)(end - at), i ? "\"resp_none\"" : out.ptr + at);
        while (body.len < LARGE_BYTES)
            gs_buf_puts(&body, "a long question ");
        gs_buf_puts(&body, "\"}");
        gs_buf_printf(&b,
                      "POST " RESPONSES " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                      "Content-Length: %zu\r\n\r\n",
                      body.len);
        gs_buf_slice(&b, gs_buf_view(&body));
        const int fd = net_connect(f.port);
        net_send_bytes(fd, b.ptr, b.len);
        gs_buf_reset(&b);
        net_read_all(fd, &b);
        if (!net_has(&b, marks[i]))
            fail_msg("%.*s", (int)b.len, b.ptr);
        close(fd);
        gs_buf_clear(&body);
        gs_buf_clear(&b);
    }
    gs_buf_clear(&out);
    finish(&f);
}

/* Clients leave while their bodies are read, and the server with them. */
static void test_leaving_while_bodies_are_read(void **state)
{
    struct fixture f;
    int fds[16];

    (void)state;
    prepare(&f);
    start(&f);
    for (size_t i = 0; i < GS_COUNT_OF(fds); i++) {
        fds[i] = net_connect(f.port);
        send_large(fds[i], ANTHROPIC, "silent", i % 2, true);
    }
    for (size_t i = 0; i < GS_COUNT_OF(fds) / 2; i++)
        close(fds[i]);
    finish(&f);
    for (size_t i = GS_COUNT_OF(fds) / 2; i < GS_COUNT_OF(fds); i++)
        close(fds[i]);
}

static void test_memory_for_large_bodies(void **state)
{
    struct fixture f;
    char chunk[4096];

    (void)state;
    prepare(&f);
    start(&f);
    for (long n = 1; n < 40; n++) {
        const int fd = net_connect(f.port);
        struct gs_buf b;
        make_large(&b, ANTHROPIC, "hello", n % 2, true);
        gs_alloc_fail_at(n);
        net_send_bytes(fd, b.ptr, b.len);
        while (recv(fd, chunk, sizeof(chunk), 0) > 0)
            ;
        gs_alloc_fail_at(0);
        gs_buf_clear(&b);
        close(fd);
    }
    finish(&f);
}

/* The head leaves, then white space, then the answer. */
static void test_late_answers_come_whole(void **state)
{
    static const char *const late[] = {ANTHROPIC, OPENAI, OLLAMA};
    struct fixture f;

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(late); i++) {
        struct gs_buf out;
        prepare(&f);
        f.opt.keepalive_ms = 1;
        f.opt.patience_ms = 1;
        start(&f);
        const int fd = net_connect(f.port);
        gs_buf_init(&out, 1 << 20);
        send_chat(fd, late[i], "later", false);
        net_read_until(fd, &out, "\r\n\r\n1\r\n \r\n1\r\n \r\n", 0);
        fake_let_go(&f.fake);
        assert_int_equal(net_read_all(fd, &out), NET_EOF);
        assert_true(net_has(&out, "HTTP/1.1 200 OK\r\n"));
        assert_true(net_has(&out, "Content-Type: application/json\r\n"));
        assert_true(net_has(&out, "Hello world"));
        assert_true(net_has(&out, "\r\n0\r\n\r\n"));
        gs_buf_clear(&out);
        close(fd);
        finish(&f);
    }
}

/* When it fails after that, it does not look like an answer. */
static void test_late_answers_break(void **state)
{
    struct fixture f;
    struct gs_buf out;

    (void)state;
    prepare(&f);
    f.opt.keepalive_ms = 1;
    f.opt.patience_ms = 1;
    start(&f);
    const int fd = net_connect(f.port);
    gs_buf_init(&out, 1 << 20);
    send_chat(fd, ANTHROPIC, "laterbad", false);
    net_read_until(fd, &out, "\r\n\r\n1\r\n \r\n", 0);
    fake_let_go(&f.fake);
    assert_int_equal(net_read_all(fd, &out), NET_RESET);
    gs_buf_clear(&out);
    close(fd);
    finish(&f);
}

/* Nobody's patience is tried before the prompt was accepted: an error keeps its status. */
static void test_no_head_before_the_start(void **state)
{
    struct fixture f;
    struct gs_buf out;

    (void)state;
    prepare(&f);
    f.opt.keepalive_ms = 1;
    f.opt.patience_ms = 1;
    start(&f);
    const int fd = net_connect(f.port);
    gs_buf_init(&out, 1 << 20);
    send_chat(fd, ANTHROPIC, "silent", false);
    while (atomic_load(&f.fake.n_answers) < 1)
        sched_yield();
    struct gs_buf hello;
    chat(&f, OPENAI, "hello", true, &hello);
    gs_buf_clear(&hello);
    gs_server_stop(f.server);
    net_read_all(fd, &out);
    assert_true(net_has(&out, "HTTP/1.1 529 "));
    gs_buf_clear(&out);
    close(fd);
    join(&f);
}

static void test_repeats(void **state)
{
    struct gs_server_repeats t = {0};
    int64_t now = 1000000;

    (void)state;
    for (int i = 0; i < 5; i++)
        assert_false(gs_server_repeats_note(&t, 7, now));
    assert_true(gs_server_repeats_note(&t, 7, now));
    assert_false(gs_server_repeats_note(&t, 8, now));
    for (int i = 0; i < 100; i++) /* at the pace it is slowed down to */
        assert_true(gs_server_repeats_note(&t, 7, now += 1900000));
    assert_false(gs_server_repeats_note(&t, 7, now += 5000000));
    now += 3600000000;
    for (int i = 0; i < 5; i++)
        assert_false(gs_server_repeats_note(&t, 7, now));
    for (uint64_t who = 100; who < 100 + GS_SERVER_REPEATS; who++)
        assert_false(gs_server_repeats_note(&t, who, now));
    assert_false(gs_server_repeats_note(&t, 7, now)); /* forgotten for others */
}

/* The sixth is answered late: not while nobody waits for it, and its client may leave. */
static void test_failing_again_and_again(void **state)
{
    struct fixture f;
    struct gs_buf out;

    (void)state;
    prepare(&f);
    f.opt.late_ms = 20;
    start(&f);
    for (int i = 0; i < 5; i++) {
        chat(&f, OPENAI, "overlong", true, &out);
        assert_true(net_has(&out, "HTTP/1.1 400 "));
        gs_buf_clear(&out);
    }
    const int left = net_connect(f.port);
    const int waits = net_connect(f.port);
    send_chat(left, OPENAI, "overlong", true);
    send_chat(waits, OPENAI, "overlong", false);
    fake_wait(&f.fake, &f.fake.n_cancelled, 7);
    chat(&f, ANTHROPIC, "overlong", true, &out); /* somebody else */
    assert_true(net_has(&out, "HTTP/1.1 400 "));
    gs_buf_clear(&out);
    close(left);
    gs_buf_init(&out, 1 << 20);
    net_read_all(waits, &out);
    assert_true(net_has(&out, "HTTP/1.1 400 "));
    assert_true(net_has(&out, "maximum context length is 8192 tokens"));
    gs_buf_clear(&out);
    close(waits);
    finish(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_large_bodies),
        cmocka_unit_test(test_large_bodies_build_on_answers),
        cmocka_unit_test(test_leaving_while_bodies_are_read),
        cmocka_unit_test(test_memory_for_large_bodies),
        cmocka_unit_test(test_late_answers_come_whole),
        cmocka_unit_test(test_late_answers_break),
        cmocka_unit_test(test_no_head_before_the_start),
        cmocka_unit_test(test_repeats),
        cmocka_unit_test(test_failing_again_and_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
