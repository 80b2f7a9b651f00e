/* The server against raw sockets, with scripted answers: three APIs, errors in the words of each,
 * clients that leave or do not read, silence, overload, access, and the way down. */
#include <sched.h>
#include <stdio.h>

#include "base/alloc.h"
#include "server_test.h"

static const char *const paths[] = {ANTHROPIC, OPENAI, RESPONSES, OLLAMA, "/api/generate"};

/* ---- tests ---- */

static void test_streams(void **state)
{
    static const struct {
        const char *path, *script, *marks[8];
    } cases[] = {
        {ANTHROPIC,
         "hello",
         {"Content-Type: text/event-stream", "request-id: req_", "event: message_start\n",
          "\"text\":\"Hello world\"", "\"stop_reason\":\"end_turn\"", "event: message_stop\n",
          "\r\n0\r\n\r\n"}},
        {ANTHROPIC,
         "tool",
         {"\"type\":\"tool_use\"", "partial_json", "\"stop_reason\":\"tool_use\""}},
        {ANTHROPIC "?beta=true", "think", {"thinking_delta", "text_delta"}},
        {"//v1/v1/messages/", "hello", {"event: message_stop\n"}},
        {OPENAI,
         "hello",
         {"\"role\":\"assistant\"", "\"content\":\"Hello world\"", "\"finish_reason\":\"stop\"",
          "\"total_tokens\":15", "data: [DONE]\n\n\r\n0\r\n\r\n"}},
        {OPENAI, "tool", {"\"tool_calls\":[{\"index\":0,", "\"finish_reason\":\"tool_calls\""}},
        {OPENAI,
         "choices",
         {"\"index\":1,\"delta\":{},\"finish_reason\":\"stop\"",
          "\"index\":0,\"delta\":{\"content\":\"e\"}",
          "\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"", "data: [DONE]\n\n\r\n0\r\n\r\n"}},
        {"/v1/completions",
         "hello",
         {"\"object\":\"text_completion\"", "\"text\":\"Hello world\"", "\"total_tokens\":15",
          "data: [DONE]\n\n\r\n0\r\n\r\n"}},
        {RESPONSES,
         "hello",
         {"event: response.created\n", "\"delta\":\"Hello world\"",
          "event: response.output_item.done\n", "event: response.completed\n", "\r\n0\r\n\r\n"}},
        {RESPONSES,
         "tool",
         {"event: response.function_call_arguments.done\n", "\"call_id\":\"call_1\"",
          "event: response.completed\n"}},
        {OLLAMA,
         "hello",
         {"Content-Type: application/x-ndjson", "\"content\":\"Hello world\"},\"done\":false}\n",
          "\"done_reason\":\"stop\"", "\"eval_count\":3"}},
        {"/api/generate", "think", {"\"thinking\":\"Hm.\"", "\"response\":\"Hello\""}},
    };
    struct fixture f;

    (void)state;
    prepare(&f);
    start(&f);
    for (size_t i = 0; i < GS_COUNT_OF(cases); i++) {
        struct gs_buf out;
        assert_int_equal(chat(&f, cases[i].path, cases[i].script, true, &out), NET_EOF);
        for (size_t m = 0; cases[i].marks[m]; m++) {
            if (!net_has(&out, cases[i].marks[m]))
                fail_msg("case %zu has no %s in\n%.*s", i, cases[i].marks[m], (int)out.len,
                         out.ptr);
        }
        gs_buf_clear(&out);
    }
    finish(&f);
}

static void test_answers_whole(void **state)
{
    static const struct {
        const char *path, *script, *mark;
    } cases[] = {
        {ANTHROPIC, "hello", "\"content\":[{\"type\":\"text\",\"text\":\"Hello world\"}]"},
        {ANTHROPIC, "tool", "\"input\":{\"city\":\"Paris\"}"},
        {ANTHROPIC "/count_tokens?beta=true", "hello", "\r\n\r\n{\"input_tokens\":12}"},
        {OPENAI, "hello", "\"message\":{\"role\":\"assistant\",\"content\":\"Hello world\""},
        {OPENAI, "tool", "\"arguments\":\"{\\\"city\\\":\\\"Paris\\\"}\""},
        {OPENAI, "choices",
         "\"content\":\"two\",\"refusal\":null},\"logprobs\":null,"
         "\"finish_reason\":\"stop\"}],\"usage\""},
        {"/v1/completions", "hello", "\"choices\":[{\"index\":0,\"text\":\"Hello world\""},
        {RESPONSES, "hello",
         "\"type\":\"output_text\",\"annotations\":[],\"logprobs\":[],\"text\":"},
        {RESPONSES "/input_tokens", "hello", "\"object\":\"response.input_tokens\","},
        {OLLAMA, "hello", "\"message\":{\"role\":\"assistant\",\"content\":\"Hello world\"}"},
        {"/api/generate", "hello", "\"response\":\"Hello world\",\"done\":true"},
    };
    struct fixture f;

    (void)state;
    prepare(&f);
    start(&f);
    for (size_t i = 0; i < GS_COUNT_OF(cases); i++) {
        struct gs_buf out;
        assert_int_equal(chat(&f, cases[i].path, cases[i].script, false, &out), NET_EOF);
        if (!net_has(&out, cases[i].mark) || !net_has(&out, "Content-Type: application/json\r\n"))
            fail_msg("case %zu: %.*s", i, (int)out.len, out.ptr);
        gs_buf_clear(&out);
    }
    finish(&f);
}

/* An error before the answer has its own status, streamed or not. */
static void test_errors_before_the_answer(void **state)
{
    static const struct {
        const char *path, *script, *status, *mark;
    } cases[] = {
        {ANTHROPIC, "overlong", "HTTP/1.1 400 ",
         "\"message\":\"prompt is too long: 9000 tokens > 8192 maximum\""},
        {OPENAI, "overlong", "HTTP/1.1 400 ", "maximum context length is 8192 tokens"},
        {OLLAMA, "overlong", "HTTP/1.1 400 ", "{\"error\":\"the prompt has 9000 tokens"},
        {ANTHROPIC, "busy", "HTTP/1.1 529 Overloaded", "\"type\":\"overloaded_error\""},
        {OPENAI, "busy", "HTTP/1.1 503 ", "Retry-After: 2\r\n"},
        {OLLAMA, "busy", "HTTP/1.1 503 ", "{\"error\":\"too many requests are waiting\"}"},
    };
    struct fixture f;

    (void)state;
    prepare(&f);
    start(&f);
    for (size_t i = 0; i < 2 * GS_COUNT_OF(cases); i++) {
        struct gs_buf out;
        assert_int_equal(chat(&f, cases[i / 2].path, cases[i / 2].script, i % 2, &out), NET_EOF);
        if (!net_has(&out, cases[i / 2].status) || !net_has(&out, cases[i / 2].mark))
            fail_msg("case %zu: %.*s", i / 2, (int)out.len, out.ptr);
        gs_buf_clear(&out);
    }
    finish(&f);
}

static void test_errors_in_the_answer(void **state)
{
    static const struct {
        const char *path, *mark, *end;
    } cases[] = {
        {ANTHROPIC, "event: error\ndata: {\"type\":\"error\"", "message_stop"},
        {OPENAI, "data: {\"error\":{\"message\":\"the engine failed\"", "[DONE]"},
        {OLLAMA, "{\"error\":\"the engine failed\"}\n", "\"done\":true"},
    };
    struct fixture f;

    (void)state;
    prepare(&f);
    start(&f);
    for (size_t i = 0; i < GS_COUNT_OF(cases); i++) {
        struct gs_buf out;
        chat(&f, cases[i].path, "broken", true, &out);
        assert_true(net_has(&out, "Hello world"));
        assert_true(net_has(&out, cases[i].mark));
        assert_false(net_has(&out, cases[i].end));
        assert_false(net_has(&out, "\r\n0\r\n")); /* the last chunk of a clean end */
        gs_buf_clear(&out);
        chat(&f, cases[i].path, "broken", false, &out);
        assert_true(net_has(&out, "HTTP/1.1 500 "));
        gs_buf_clear(&out);
    }
    finish(&f);
}

static void test_refusals_speak_the_dialect_of_the_path(void **state)
{
    struct fixture f;

    (void)state;
    prepare(&f);
    start(&f);
    EXPECT(&f, "GET /v1/messages HTTP/1.1\r\nHost: localhost\r\n", "HTTP/1.1 405 ",
           "Allow: POST, OPTIONS\r\n", "{\"type\":\"error\",\"error\":", "\"request_id\":\"req_");
    EXPECT(&f, "DELETE /api/tags HTTP/1.1\r\nHost: localhost\r\n", "HTTP/1.1 405 ",
           "Allow: GET, HEAD, OPTIONS\r\n", "{\"error\":\"DELETE is not allowed");
    EXPECT(&f, "GET /v1/nothing HTTP/1.1\r\nHost: localhost\r\n", "HTTP/1.1 404 ",
           "{\"error\":{\"message\":");
    EXPECT(&f, "GET /v1/x HTTP/1.1\r\nHost: localhost\r\nanthropic-version: 2023-06-01\r\n",
           "HTTP/1.1 404 ", "not_found_error");
    EXPECT(&f, "GET /api/nothing HTTP/1.1\r\nHost: localhost\r\n", "HTTP/1.1 404 ",
           "{\"error\":\"there is nothing");
    EXPECT(&f, "BREW /api/chat HTTP/1.1\r\nHost: localhost\r\n", "HTTP/1.1 501 ", "{\"error\":\"");
    EXPECT(&f, "POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n",
           "HTTP/1.1 413 ", "request_too_large");
    EXPECT(&f,
           "POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n"
           "Content-Type: text/html\r\n",
           "HTTP/1.1 415 ", "invalid_request_error");
    EXPECT(&f,
           "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n"
           "Content-Encoding: gzip\r\n",
           "HTTP/1.1 415 ", "invalid_request_error");
    EXPECT(&f,
           "POST /api/chat HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n"
           "Content-Type: application/x-www-form-urlencoded\r\n",
           "HTTP/1.1 400 ", "{\"error\":\"request body: ");
    EXPECT(&f,
           "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n"
           "Content-Type: text/plain; charset=utf-8\r\n",
           "HTTP/1.1 400 ", "{\"error\":{\"message\":\"request body: ");
    EXPECT(&f, "POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n",
           "HTTP/1.1 400 ", "invalid_request_error");
    finish(&f);
}

static void test_small_answers(void **state)
{
    struct fixture f;

    (void)state;
    prepare(&f);
    start(&f);
    EXPECT(&f, "GET / HTTP/1.1\r\nHost: localhost\r\n", "HTTP/1.1 200 OK", "genset is running",
           "Ollama is running");
    EXPECT(&f, "HEAD / HTTP/1.1\r\nHost: localhost\r\n", "HTTP/1.1 200 OK", "Content-Length: ");
    EXPECT(&f, "HEAD /api/hello HTTP/1.1\r\nHost: localhost\r\n", "HTTP/1.1 200 OK");
    EXPECT(&f, "HEAD /api/tags HTTP/1.1\r\nHost: localhost\r\n", "HTTP/1.1 200 OK");
    EXPECT(&f, "GET /api/version HTTP/1.1\r\nHost: localhost\r\n", "{\"version\":\"0.");
    EXPECT(&f, "GET /v1/models?limit=1000 HTTP/1.1\r\nHost: localhost\r\n",
           "{\"object\":\"list\",\"data\":[{\"id\":\"tiny-q8_0\",\"object\":\"model\"",
           "\"created_at\":\"2026-01-01T00:00:00Z\"", "\"max_input_tokens\":1024",
           "\"max_input_tokens\":32768", "\"id\":\"big \\\"4b\\\"\"",
           "\"has_more\":false,\"first_id\":\"tiny-q8_0\"");
    EXPECT(&f, "GET /v1/models/tiny-q8_0:latest HTTP/1.1\r\nHost: localhost\r\n",
           "\r\n\r\n{\"id\":\"tiny-q8_0\"");
    EXPECT(&f, "GET /v1/models/big%20%224b%22 HTTP/1.1\r\nHost: localhost\r\n", "HTTP/1.1 200 OK");
    EXPECT(&f, "GET /v1/models/none HTTP/1.1\r\nHost: localhost\r\n", "HTTP/1.1 404 ",
           "model_not_found");
    EXPECT(&f, "GET /api/tags HTTP/1.1\r\nHost: localhost\r\n", "\"name\":\"tiny-q8_0\"",
           "\"parameter_size\":\"4.0B\",\"quantization_level\":\"Q4_K_M\"");
    EXPECT(&f, "GET /api/ps HTTP/1.1\r\nHost: localhost\r\n",
           "{\"models\":[{\"name\":\"tiny-q8_0\"", "\"context_length\":1024");
    EXPECT(&f, "POST /api/event_logging/batch HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n",
           "HTTP/1.1 204 No Content");
    finish(&f);
}

/* Anthropic's pages of /v1/models, and the ids that Claude Code's picker shows. */
static void test_pages_of_models(void **state)
{
    struct fixture f;

    (void)state;
    prepare(&f);
    start(&f);
    EXPECT(&f, "GET /v1/models?limit=1 HTTP/1.1\r\nHost: localhost\r\n",
           "\"has_more\":true,\"first_id\":\"tiny-q8_0\",\"last_id\":\"tiny-q8_0\"");
    EXPECT(&f, "GET /v1/models?after_id=tiny-q8_0&limit=1 HTTP/1.1\r\nHost: localhost\r\n",
           "\"data\":[{\"id\":\"big \\\"4b\\\"\"", "\"has_more\":false");
    EXPECT(&f, "GET /v1/models?limit=1&before_id=big%20%224b%22 HTTP/1.1\r\nHost: localhost\r\n",
           "\"data\":[{\"id\":\"tiny-q8_0\"", "\"has_more\":false");
    EXPECT(&f, "GET /v1/models?after_id=none&limit=many HTTP/1.1\r\nHost: localhost\r\n",
           "\"data\":[],\"has_more\":false,\"first_id\":null,\"last_id\":null");
    EXPECT(&f,
           "GET /v1/models?limit=1&after_id=anthropic/tiny-q8_0 HTTP/1.1\r\nHost: localhost\r\n"
           "User-Agent: claude-code/2.1.329\r\nanthropic-version: 2023-06-01\r\n",
           "\"data\":[{\"id\":\"anthropic/big \\\"4b\\\"\"", "\"display_name\":\"big \\\"4b\\\"\"",
           "\"last_id\":\"anthropic/big");
    EXPECT(&f, "GET /v1/models/anthropic%2Ftiny-q8_0 HTTP/1.1\r\nHost: localhost\r\n",
           "\r\n\r\n{\"id\":\"anthropic/tiny-q8_0\"");
    finish(&f);
}

/* What an answer's head tells of the request's cost, and of how many more may be asked. */
static void test_told_in_the_head(void **state)
{
    struct fixture f;
    struct gs_buf out;

    (void)state;
    prepare(&f);
    start(&f);
    chat(&f, "/v1/messages", "hello", false, &out);
    assert_true(net_has(&out, "\r\nx-genset-prompt-tokens: 12\r\nx-genset-cached-tokens: 0\r\n"));
    assert_true(net_has(&out, "\r\nanthropic-ratelimit-requests-limit: 2048\r\n"
                              "anthropic-ratelimit-requests-remaining: 2047\r\n"));
    gs_buf_clear(&out);
    chat(&f, "/v1/messages", "busy", true, &out);
    assert_true(net_has(&out, "HTTP/1.1 529 "));
    assert_true(net_has(&out, "\r\nRetry-After: "));
    assert_true(net_has(&out, "\"type\":\"overloaded_error\""));
    gs_buf_clear(&out);
    finish(&f);
}

static void test_what_is_not_here_is_named(void **state)
{
    struct fixture f;

    (void)state;
    prepare(&f);
    start(&f);
    EXPECT(&f, "POST /v1/messages/batches HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n",
           "HTTP/1.1 404 ", "{\"type\":\"error\",\"error\":{\"type\":\"not_found_error\"",
           "send each to /v1/messages");
    EXPECT(&f, "GET /v1/messages/batches/b/results HTTP/1.1\r\nHost: localhost\r\n",
           "\"type\":\"not_found_error\"", "Message batches are not kept here");
    EXPECT(&f,
           "POST /v1beta/models/m:streamGenerateContent?alt=sse HTTP/1.1\r\nHost: localhost\r\n"
           "Content-Length: 0\r\n",
           "HTTP/1.1 404 ", "Gemini's API is not spoken here");
    finish(&f);
}

static void test_web_pages(void **state)
{
    struct fixture f;
    static const char *const origins[] = {"https://chat.example"};

    (void)state;
    prepare(&f);
    f.opt.origins = origins;
    f.opt.n_origins = 1;
    start(&f);
    EXPECT(&f,
           "OPTIONS /v1/messages HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost:3000\r\n"
           "Access-Control-Request-Headers: x-api-key\r\n"
           "Access-Control-Request-Private-Network: true\r\n",
           "HTTP/1.1 204 ", "Access-Control-Allow-Origin: http://localhost:3000\r\n",
           "Access-Control-Allow-Headers: x-api-key\r\n", "Vary: Origin\r\n",
           "Access-Control-Allow-Private-Network: true\r\n");
    EXPECT(&f, "GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: https://chat.example\r\n",
           "HTTP/1.1 200 ", "Access-Control-Allow-Origin: https://chat.example\r\n");
    EXPECT(&f, "GET / HTTP/1.1\r\nHost: h:8484\r\nOrigin: http://h:8484\r\n", "HTTP/1.1 200 ");
    EXPECT(&f, "GET / HTTP/1.1\r\nHost: 192.168.0.7:8484\r\n", "HTTP/1.1 200 ");
    EXPECT(&f, "GET / HTTP/1.1\r\nHost: host.docker.internal\r\n", "HTTP/1.1 200 ");
    EXPECT(&f, "GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example\r\n",
           "HTTP/1.1 403 ");
    EXPECT(&f, "GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: http://127.0.0.1.evil.example\r\n",
           "HTTP/1.1 403 ");
    EXPECT(&f, "GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: null\r\n", "HTTP/1.1 403 ");
    EXPECT(&f, /* a form of a page, which no browser asks about first */
           "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n"
           "Content-Type: text/plain\r\nOrigin: https://evil.example\r\n",
           "HTTP/1.1 403 ");
    EXPECT(&f, "GET /v1/messages HTTP/1.1\r\nHost: rebound.example\r\n", "HTTP/1.1 403 ",
           "permission_error");
    finish(&f);
}

static void test_keys(void **state)
{
    static const char *const keys[] = {"another", "secret"};
    struct fixture f;
    struct gs_server *refused;
    struct gs_error err = {0};

    (void)state;
    prepare(&f);
    f.opt.host = "0.0.0.0";
    assert_int_equal(gs_server_create(&f.opt, &refused, &err), GS_EINVAL);
    assert_non_null(strstr(err.msg, "needs an API key"));
    f.opt.api_keys = keys;
    f.opt.n_api_keys = 2;
    start(&f);
    EXPECT(&f, "GET /v1/models HTTP/1.1\r\nHost: any.example\r\n", "HTTP/1.1 401 ",
           "WWW-Authenticate: Bearer\r\n", "invalid_api_key");
    EXPECT(&f, "GET /v1/models HTTP/1.1\r\nHost: a\r\nx-api-key: secre\r\n", "HTTP/1.1 401 ");
    EXPECT(&f, "GET /health HTTP/1.1\r\nHost: a\r\n", "HTTP/1.1 200 ");
    EXPECT(&f, "GET /metrics HTTP/1.1\r\nHost: a\r\n", "HTTP/1.1 401 ");
    EXPECT(&f, "POST /api/blobs/sha256:00 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n",
           "HTTP/1.1 401 ", "Connection: close\r\n");
    EXPECT(&f, "GET /v1/models HTTP/1.1\r\nHost: a\r\nx-api-key: secretsecret\r\n", "HTTP/1.1 401 ",
           "x-should-retry: false\r\n");
    EXPECT(&f, "GET /v1/models HTTP/1.1\r\nHost: a\r\nx-api-key: another\r\n", "HTTP/1.1 200 ");
    EXPECT(&f, "GET /v1/models HTTP/1.1\r\nHost: a\r\nAuthorization: another\r\n", "HTTP/1.1 200 ");
    EXPECT(&f, "GET /v1/models HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \r\n", "HTTP/1.1 401 ");
    EXPECT(&f, "GET /v1/models HTTP/1.1\r\nHost: a\r\nx-api-key: secret\r\n", "HTTP/1.1 200 ");
    EXPECT(&f, "GET /v1/models HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer secret\r\n",
           "HTTP/1.1 200 ");
    EXPECT(&f, "GET / HTTP/1.1\r\nHost: a\r\n", "HTTP/1.1 200 ");
    finish(&f);
}

static void test_a_leaving_client_cancels(void **state)
{
    static const char *const scripts[] = {"silent", "hold", "endless"};
    struct fixture f;
    int n = 0;

    (void)state;
    prepare(&f);
    start(&f);
    for (size_t i = 0; i < GS_COUNT_OF(scripts) * GS_COUNT_OF(paths) * 2; i++) {
        const char *script = scripts[i / 2 % GS_COUNT_OF(scripts)];
        const bool stream = i % 2;
        const int fd = net_connect_small(f.port, 4096);
        struct gs_buf out;
        if (!stream && strcmp(script, "endless") == 0) {
            close(fd);
            continue; /* a whole answer of that length fails for its size */
        }
        send_chat(fd, paths[i / 2 / GS_COUNT_OF(scripts)], script, stream);
        gs_buf_init(&out, 1 << 20);
        if (stream && strcmp(script, "silent") != 0)
            net_read_until(fd, &out, "\r\n\r\n", 0); /* the head comes before the prefill */
        else
            while (atomic_load(&f.fake.n_answers) < (size_t)n + 1)
                sched_yield();
        gs_buf_clear(&out);
        close(fd);
        n++;
        fake_wait(&f.fake, &f.fake.n_cancelled, n);
    }
    finish(&f);
}

static void test_a_slow_reader_pauses_the_backend(void **state)
{
    struct fixture f;
    struct gs_buf out;

    (void)state;
    prepare(&f);
    start(&f);
    const int fd = net_connect_small(f.port, 4096);
    send_chat(fd, ANTHROPIC, "big", true);
    fake_wait(&f.fake, &f.fake.n_pauses, 1); /* while nobody reads */
    gs_buf_init(&out, 64 << 20);
    assert_int_equal(net_read_all(fd, &out), NET_EOF);
    assert_true(net_has(&out, "event: message_stop"));
    assert_int_equal(net_count(&out, "text_delta"), FAKE_BIG_BYTES / FAKE_DELTA_BYTES);
    size_t at = 0;
    for (size_t i = 0; i < 26; i++) { /* in order */
        const char mark[] = {(char)('a' + i), (char)('a' + i), (char)('a' + i), '\0'};
        at = gs_slice_find(gs_buf_view(&out), gs_slice_str(mark), at);
        assert_true(at != SIZE_MAX);
    }
    gs_buf_clear(&out);
    close(fd);
    finish(&f);
}

static void test_a_client_that_leaves_while_paused_cancels(void **state)
{
    struct fixture f;

    (void)state;
    prepare(&f);
    start(&f);
    const int fd = net_connect_small(f.port, 4096);
    send_chat(fd, OPENAI, "endless", true);
    fake_wait(&f.fake, &f.fake.n_pauses, 1);
    close(fd);
    fake_wait(&f.fake, &f.fake.n_cancelled, 1);
    finish(&f);
}

static void test_silence_is_filled(void **state)
{
    static const struct {
        const char *path, *script, *mark;
    } cases[] = {
        {ANTHROPIC, "hold", "event: ping\ndata: {\"type\":\"ping\"}\n\n"},
        {ANTHROPIC, "silent", "event: ping\ndata: {\"type\":\"ping\"}\n\n"},
        {OPENAI, "hold", "\"delta\":{\"content\":\"\"}"},
        {OPENAI, "silent", "\"delta\":{\"content\":\"\"}"},
        {OLLAMA, "hold", "\"content\":\"\"},\"done\":false}\n"},
        {RESPONSES, "silent", "event: response.in_progress\n"},
        {RESPONSES, "hold", "event: response.in_progress\n"},
        {OLLAMA, "silent", "\"content\":\"\"},\"done\":false}\n"},
    };
    struct fixture f;

    (void)state;
    prepare(&f);
    f.opt.keepalive_ms = 5;
    start(&f);
    for (size_t i = 0; i < GS_COUNT_OF(cases); i++) {
        const int fd = net_connect(f.port);
        struct gs_buf out;
        gs_buf_init(&out, 1 << 20);
        send_chat(fd, cases[i].path, cases[i].script, true);
        const size_t at = net_read_until(fd, &out, cases[i].mark, 0);
        net_read_until(fd, &out, cases[i].mark, at + 1);
        assert_true(net_has(&out, "HTTP/1.1 200 OK"));
        gs_buf_clear(&out);
        close(fd);
        fake_wait(&f.fake, &f.fake.n_cancelled, (int)i + 1);
    }
    finish(&f);
}

static void test_too_many_requests(void **state)
{
    struct fixture f;
    struct gs_buf out;

    (void)state;
    prepare(&f);
    f.opt.max_exchanges = 2;
    start(&f);
    int fds[2];
    for (size_t i = 0; i < 2; i++) {
        fds[i] = net_connect(f.port);
        send_chat(fds[i], ANTHROPIC, "hold", true);
        gs_buf_init(&out, 1 << 20);
        net_read_until(fds[i], &out, "message_start", 0);
        gs_buf_clear(&out);
    }
    chat(&f, ANTHROPIC, "hello", true, &out);
    assert_true(net_has(&out, "HTTP/1.1 529 "));
    assert_true(net_has(&out, "Retry-After: "));
    gs_buf_clear(&out);
    close(fds[0]);
    close(fds[1]);
    finish(&f);
}

static void test_what_is_ignored_is_named(void **state)
{
    struct fixture f;
    struct gs_buf out;

    (void)state;
    prepare(&f);
    start(&f);
    const int fd = net_connect(f.port);
    gs_buf_init(&out, 1 << 20);
    send_post(fd, OPENAI, "",
              "{\"model\":\"picky\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}");
    net_read_until(fd, &out, "\"usage\"", 0);
    assert_true(net_has(&out, "x-genset-ignored: not\r\n"));
    gs_buf_clear(&out);
    close(fd);
    finish(&f);
}

/* Names of keywords are a client's own: they stay one line of bounded length. */
static void test_names_are_no_headers(void **state)
{
    struct fixture f;

    (void)state;
    prepare(&f);
    start(&f);
    for (int i = 0; i < 2; i++) {
        struct gs_buf out;
        chat(&f, OPENAI, "sly", i, &out);
        const size_t at = gs_slice_find(gs_buf_view(&out), GS_SLICE_LIT("x-genset-ignored: "), 0);
        const size_t end = gs_slice_find(gs_buf_view(&out), GS_SLICE_LIT("\r\n"), at);
        assert_true(net_has(&out, "HTTP/1.1 200 OK\r\n"));
        assert_true(net_has(&out, "x-genset-ignored: a??x-sly: 1????kkk"));
        assert_false(net_has(&out, "\nx-sly"));
        assert_int_equal(end - at, strlen("x-genset-ignored: ") + 512);
        gs_buf_clear(&out);
    }
    finish(&f);
}

/* Four chats on one connection, sent at once. */
static void test_pipelined_chats(void **state)
{
    static const char body[] = "{\"model\":\"hello\",\"max_tokens\":9,\"stream\":true,"
                               "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}";
    struct fixture f;
    struct gs_buf out;

    (void)state;
    prepare(&f);
    start(&f);
    const int fd = net_connect(f.port);
    gs_buf_init(&out, 1 << 20);
    for (int i = 0; i < 4; i++)
        send_post(fd, ANTHROPIC, i == 3 ? "Connection: close\r\n" : "", body);
    assert_int_equal(net_read_all(fd, &out), NET_EOF);
    assert_int_equal(net_count(&out, "event: message_stop\n"), 4);
    gs_buf_clear(&out);
    close(fd);
    finish(&f);
}

static void test_stopping_lets_answers_end(void **state)
{
    struct fixture f;
    struct gs_buf out;

    (void)state;
    prepare(&f);
    f.opt.grace_ms = 60 * 1000;
    start(&f);
    const int fd = net_connect_small(f.port, 4096);
    send_chat(fd, OLLAMA, "big", true);
    fake_wait(&f.fake, &f.fake.n_pauses, 1);
    gs_server_stop(f.server);
    gs_buf_init(&out, 64 << 20);
    net_read_all(fd, &out);
    assert_true(net_has(&out, "\"done\":true"));
    gs_buf_clear(&out);
    close(fd);
    join(&f);
}

static void test_stopping_twice_ends_them(void **state)
{
    struct fixture f;
    struct gs_buf out;

    (void)state;
    prepare(&f);
    f.opt.grace_ms = 60 * 1000;
    start(&f);
    const int fd = net_connect(f.port);
    send_chat(fd, ANTHROPIC, "hold", true);
    gs_buf_init(&out, 1 << 20);
    net_read_until(fd, &out, "message_start", 0);
    gs_server_stop(f.server);
    gs_server_stop(f.server);
    net_read_all(fd, &out);
    assert_true(net_has(&out, "the server is stopping"));
    assert_false(net_has(&out, "message_stop"));
    gs_buf_clear(&out);
    close(fd);
    join(&f);
}

/* ---- vectors ---- */

/* Post `body`; it is answered with each of `marks`, NULL at the end. */
static void expect_post(struct fixture *f, const char *path, const char *body,
                        const char *const *marks)
{
    const int fd = net_connect(f->port);
    struct gs_buf out;

    gs_buf_init(&out, 64 << 20);
    send_post(fd, path, "Connection: close\r\n", body);
    net_read_all(fd, &out);
    for (; *marks; marks++) {
        if (!net_has(&out, *marks))
            fail_msg("%s %s\nhas no \"%s\" in\n%.*s", path, body, *marks,
                     (int)GS_MIN(out.len, 2000), out.ptr);
    }
    gs_buf_clear(&out);
    close(fd);
}

#define EXPECT_POST(f, path, body, ...)                                                            \
    expect_post(f, path, body, (const char *const[]){__VA_ARGS__, NULL})

static void test_errands(void **state)
{
    struct fixture f;

    (void)state;
    prepare(&f);
    start(&f);
    EXPECT_POST(&f, "/api/show", "{\"model\":\"m\"}", "200 OK",
                "\"model_info\":{\"general.architecture\":\"llama\"}",
                "\"template\":\"{{ messages }}\"", "\"capabilities\":[\"completion\"");
    EXPECT_POST(&f, "/api/show", "{\"model\":\"overlong\"}", "400", "{\"error\":\"");
    EXPECT_POST(&f, "/api/show", "{\"model\":\"busy\"}", "503", "Retry-After");
    EXPECT_POST(&f, "/api/pull", "{\"model\":\"m\"}", "application/x-ndjson",
                "{\"status\":\"success\"}\n");
    EXPECT_POST(&f, "/api/pull", "{\"model\":\"overlong\"}", "200 OK",
                "{\"error\":\"the prompt has 9000 tokens, the context 8192\"}\n");
    EXPECT_POST(&f, "/api/pull", "{\"model\":\"busy\"}", "503",
                "{\"error\":\"too many requests are waiting\"}");
    EXPECT_POST(&f, "/api/copy", "{\"source\":\"a\",\"destination\":\"b\"}", "200 OK",
                "Content-Length: 0");
    EXPECT_POST(&f, "/api/chat", "{\"model\":\"m\",\"keep_alive\":0}",
                "\"done_reason\":\"unload\"");
    EXPECT_POST(&f, "/tokenize", "{\"content\":\"x\",\"with_pieces\":true}",
                "{\"tokens\":[{\"id\":1,\"piece\":\"a\"},{\"id\":2,\"piece\":[255]}]}");
    EXPECT_POST(&f, "/detokenize", "{\"tokens\":[1]}", "{\"content\":\"some text\"}");
    EXPECT_POST(&f, "/apply-template", "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}",
                "{\"prompt\":\"some text\"}");
    EXPECT(&f, "GET /props HTTP/1.1\r\nHost: localhost\r\n", "\"n_ctx\":1024", "\"total_slots\":4",
           "\"model_path\":\"tiny-q8_0.gguf\"", "\"build_info\":\"genset-");
    EXPECT(&f, "DELETE /api/delete HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n",
           "HTTP/1.1 400 ", "{\"error\":\"");
    EXPECT(&f, "GET /api/delete HTTP/1.1\r\nHost: localhost\r\n", "HTTP/1.1 405 ",
           "Allow: DELETE, OPTIONS\r\n");
    EXPECT(&f, "HEAD /api/blobs/sha256:00 HTTP/1.1\r\nHost: localhost\r\n", "HTTP/1.1 200 OK");
    finish(&f);
}

static void test_gauges(void **state)
{
    struct fixture f;
    struct gs_buf out;

    (void)state;
    prepare(&f);
    start(&f);
    EXPECT(&f, "GET /health HTTP/1.1\r\nHost: localhost\r\n", "{\"status\":\"ok\"}");
    EXPECT(&f, "GET /v1/health HTTP/1.1\r\nHost: localhost\r\n", "{\"status\":\"ok\"}");
    EXPECT(&f, "GET /slots HTTP/1.1\r\nHost: localhost\r\n",
           "[{\"id\":0,\"n_ctx\":1024,\"speculative\":false,\"is_processing\":false}]");
    chat(&f, OPENAI, "hello", true, &out);
    gs_buf_clear(&out);
    chat(&f, OPENAI, "overlong", true, &out);
    gs_buf_clear(&out);
    chat(&f, OPENAI, "broken", true, &out);
    gs_buf_clear(&out);
    const int fd = net_connect(gs_server_port(f.server));
    net_send(fd, "POST /completion HTTP/1.1\r\nHost: localhost\r\nContent-Length: 43\r\n\r\n"
                 "{\"model\":\"hold\",\"prompt\":\"x\",\"stream\":true}");
    gs_buf_init(&out, 1 << 20);
    net_read_until(fd, &out, "\r\n\r\n", 0); /* it has begun */
    gs_buf_clear(&out);
    EXPECT(&f, "GET /slots HTTP/1.1\r\nHost: localhost\r\n",
           "[{\"id\":0,\"n_ctx\":1024,\"speculative\":false,\"is_processing\":true,"
           "\"id_task\":\"req_");
    EXPECT(&f, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n", "text/plain",
           "# TYPE genset_requests_total counter\ngenset_requests_total 3\n",
           "genset_requests_refused_total 1\n", "genset_requests_failed_total 1\n",
           "genset_answer_tokens_total 3\n");
    close(fd);
    finish(&f);
}

static void test_vectors(void **state)
{
    struct fixture f;

    (void)state;
    prepare(&f);
    start(&f);
    EXPECT_POST(&f, "/v1/embeddings", "{\"model\":\"m\",\"input\":[\"a\",\"b\"]}", "200 OK",
                "Content-Type: application/json", "\"index\":1,\"embedding\":[1,0.25]",
                "\"usage\":{\"prompt_tokens\":12");
    EXPECT_POST(&f, "/v1/v1/embeddings", "{\"model\":\"m\",\"input\":[7]}", "[0,0.25]");
    EXPECT_POST(&f, "/api/embed", "{\"model\":\"cut\",\"input\":\"a\"}", "200 OK",
                "x-genset-truncated: 1", "\"embeddings\":[[0,0.25]]");
    EXPECT_POST(&f, "/api/embeddings", "{\"model\":\"m\",\"prompt\":\"a\"}",
                "{\"embedding\":[0,0.25]}");
    EXPECT_POST(&f, "/rerank", "{\"model\":\"m\",\"query\":\"q\",\"documents\":[\"a\",\"b\"]}",
                "\"results\":[{\"index\":1,\"relevance_score\":0.25},{\"index\":0");
    EXPECT_POST(&f, "/v1/embeddings", "{\"model\":\"m\"}", "400", "\"invalid_request_error\"");
    EXPECT_POST(&f, "/v1/rerank", "{\"model\":\"m\"}", "400", "\"invalid_request_error\"");
    EXPECT_POST(&f, "/api/embed", "{}", "400", "{\"error\":\"model: ");
    EXPECT_POST(&f, "/v1/embeddings", "{\"model\":\"overlong\",\"input\":\"a\"}", "400",
                "\"context_length_exceeded\"", "9000 tokens");
    EXPECT_POST(&f, "/api/embed", "{\"model\":\"busy\",\"input\":\"a\"}", "503", "Retry-After",
                "{\"error\":\"too many requests are waiting\"}");
    EXPECT(&f, "GET /v1/embeddings HTTP/1.1\r\nHost: localhost\r\n", "405", "POST");
    finish(&f);
}

/* More than the mailbox holds: the backend pauses, and nothing is lost. */
static void test_many_vectors(void **state)
{
    struct fixture f;
    struct gs_buf body;

    (void)state;
    prepare(&f);
    start(&f);
    gs_buf_init(&body, 1 << 16);
    gs_buf_puts(&body, "{\"model\":\"many\",\"encoding_format\":\"base64\",\"input\":[\"a\"");
    for (int i = 1; i < 200; i++)
        gs_buf_puts(&body, ",\"a\"");
    gs_buf_puts(&body, "]}");
    gs_buf_putc(&body, '\0');
    EXPECT_POST(&f, "/v1/embeddings", body.ptr, "200 OK", "\"index\":199,", "\"total_tokens\"");
    gs_buf_clear(&body);
    finish(&f);
}

static void test_leaving_cancels_vectors(void **state)
{
    struct fixture f;

    (void)state;
    prepare(&f);
    start(&f);
    const int fd = net_connect(f.port);
    send_post(fd, "/v1/embeddings", "", "{\"model\":\"hold\",\"input\":\"a\"}");
    while (atomic_load(&f.fake.n_answers) < 1)
        sched_yield();
    close(fd);
    fake_wait(&f.fake, &f.fake.n_cancelled, 1);
    finish(&f);
}

/* ---- responses ---- */

static void test_responses_are_kept(void **state)
{
    static const char hello[] = "{\"model\":\"hello\",\"input\":\"hi\"}";
    struct fixture f;
    struct gs_buf out;
    char id[64];
    char text[256];

    (void)state;
    prepare(&f);
    start(&f);
    const int fd = net_connect(f.port);
    gs_buf_init(&out, 1 << 20);
    send_post(fd, RESPONSES, "", hello);
    const size_t at = net_read_until(fd, &out, "\"id\":\"resp_", 0) + 6;
    net_read_until(fd, &out, "\"usage\"", at);
    snprintf(id, sizeof(id), "%.29s", out.ptr + at);
    snprintf(text, sizeof(text), "GET /v1/responses/%s HTTP/1.1\r\nHost: localhost\r\n", id);
    EXPECT(&f, text, "200 OK", id, "\"text\":\"Hello world\"", "\"output_tokens\":3");
    snprintf(text, sizeof(text),
             "GET /v1/responses/%s/input_items?limit=1 HTTP/1.1\r\nHost: localhost\r\n", id);
    EXPECT(&f, text, "200 OK", "\"object\":\"list\"", "\"text\":\"hi\"");
    snprintf(text, sizeof(text), "POST /v1/responses/%s/cancel HTTP/1.1\r\nHost: localhost\r\n",
             id);
    EXPECT(&f, text, "HTTP/1.1 400 ", "background");
    snprintf(text, sizeof(text),
             "{\"model\":\"hello\",\"input\":\"hi\",\"previous_response_id\":\"%s\"}", id);
    EXPECT_POST(&f, RESPONSES, text, "200 OK", "\"previous_response_id\":\"resp_");
    snprintf(text, sizeof(text), "DELETE /v1/responses/%s HTTP/1.1\r\nHost: localhost\r\n", id);
    EXPECT(&f, text, "200 OK", "\"object\":\"response.deleted\",\"deleted\":true");
    EXPECT(&f, text, "HTTP/1.1 404 ", "\"type\":\"invalid_request_error\"", "there is no response");
    EXPECT(&f, "PUT /v1/responses/x HTTP/1.1\r\nHost: localhost\r\n", "HTTP/1.1 405 ",
           "Allow: GET, HEAD, DELETE, POST, OPTIONS\r\n");
    EXPECT(&f, "GET /v1/responses/x/y HTTP/1.1\r\nHost: localhost\r\n", "HTTP/1.1 404 ");
    gs_buf_clear(&out);
    close(fd);
    finish(&f);
}

/* What ends a stream of this API is told in it, and the stream ends cleanly. */
static void test_responses_fail_in_their_stream(void **state)
{
    struct fixture f;
    struct gs_buf out;

    (void)state;
    prepare(&f);
    start(&f);
    assert_int_equal(chat(&f, RESPONSES, "overlong", true, &out), NET_EOF);
    assert_true(net_has(&out, "HTTP/1.1 200 OK"));
    assert_true(net_has(&out, "event: response.failed\n"));
    assert_true(net_has(&out, "\"code\":\"context_length_exceeded\""));
    assert_true(net_has(&out, "\r\n0\r\n\r\n"));
    gs_buf_clear(&out);
    chat(&f, RESPONSES, "overlong", false, &out);
    assert_true(net_has(&out, "HTTP/1.1 400 "));
    assert_true(net_has(&out, "\"code\":\"context_length_exceeded\""));
    gs_buf_clear(&out);
    chat(&f, RESPONSES, "broken", true, &out);
    assert_true(net_has(&out, "Hello world"));
    assert_true(net_has(&out, "\"code\":\"server_error\""));
    assert_false(net_has(&out, "response.completed"));
    assert_true(net_has(&out, "\r\n0\r\n\r\n"));
    gs_buf_clear(&out);
    chat(&f, RESPONSES, "busy", true, &out);
    assert_true(net_has(&out, "HTTP/1.1 503 "));
    assert_true(net_has(&out, "Retry-After: 2\r\n"));
    gs_buf_clear(&out);
    finish(&f);
}

/* Whatever allocation fails, the client gets an end and the server lives. */
static void test_memory_runs_out(void **state)
{
    struct fixture f;
    struct gs_buf out;
    char chunk[4096];

    (void)state;
    prepare(&f);
    start(&f);
    for (long n = 1; n < 40; n++) {
        for (size_t p = 0; p < GS_COUNT_OF(paths) * 2; p++) {
            const int fd = net_connect(f.port);
            char body[256];
            snprintf(body, sizeof(body),
                     "{\"model\":\"tool\",\"stream\":%s,\"prompt\":\"hi\",\"input\":\"hi\","
                     "\"stream_options\":{\"include_usage\":true},"
                     "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}",
                     p % 2 ? "true" : "false");
            gs_alloc_fail_at(n);
            send_post(fd, paths[p / 2], "Connection: close\r\n", body);
            while (recv(fd, chunk, sizeof(chunk), 0) > 0)
                ;
            gs_alloc_fail_at(0);
            close(fd);
        }
    }
    for (long n = 1; n < 40; n++) {
        const int fd = net_connect(f.port);
        gs_alloc_fail_at(n);
        send_post(fd, "/v1/embeddings", "Connection: close\r\n",
                  "{\"model\":\"m\",\"input\":[\"a\",[1]]}");
        while (recv(fd, chunk, sizeof(chunk), 0) > 0)
            ;
        gs_alloc_fail_at(0);
        close(fd);
    }
    chat(&f, ANTHROPIC, "hello", true, &out);
    assert_true(net_has(&out, "event: message_stop"));
    gs_buf_clear(&out);
    finish(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streams),
        cmocka_unit_test(test_answers_whole),
        cmocka_unit_test(test_errors_before_the_answer),
        cmocka_unit_test(test_errors_in_the_answer),
        cmocka_unit_test(test_refusals_speak_the_dialect_of_the_path),
        cmocka_unit_test(test_small_answers),
        cmocka_unit_test(test_pages_of_models),
        cmocka_unit_test(test_told_in_the_head),
        cmocka_unit_test(test_what_is_not_here_is_named),
        cmocka_unit_test(test_web_pages),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_a_leaving_client_cancels),
        cmocka_unit_test(test_a_slow_reader_pauses_the_backend),
        cmocka_unit_test(test_a_client_that_leaves_while_paused_cancels),
        cmocka_unit_test(test_silence_is_filled),
        cmocka_unit_test(test_too_many_requests),
        cmocka_unit_test(test_what_is_ignored_is_named),
        cmocka_unit_test(test_names_are_no_headers),
        cmocka_unit_test(test_pipelined_chats),
        cmocka_unit_test(test_stopping_lets_answers_end),
        cmocka_unit_test(test_stopping_twice_ends_them),
        cmocka_unit_test(test_errands),
        cmocka_unit_test(test_gauges),
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_many_vectors),
        cmocka_unit_test(test_leaving_cancels_vectors),
        cmocka_unit_test(test_responses_are_kept),
        cmocka_unit_test(test_responses_fail_in_their_stream),
        cmocka_unit_test(test_memory_runs_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
