/* Request heads and chunked bodies: what is read, and what is refused with which status. */
#include "http/parse.h"

#include <stdio.h>

#include "base/slice.h"
#include "cmocka_headers.h"

static int parse(const char *text, struct gs_http_head *head)
{
    struct gs_error err = {0};
    size_t scan = 0;
    const struct gs_slice in = gs_slice_str(text);

    assert_int_equal(gs_http_head_end(in, &scan), in.len);
    const int status = gs_http_head_parse(in, head, &err);
    assert_int_equal(status != 0, err.msg[0] != '\0');
    return status;
}

static void test_reads_a_request(void **state)
{
    struct gs_http_head h;

    (void)state;
    assert_int_equal(parse("POST /v1/messages?beta=true HTTP/1.1\r\nHost: a:1\r\n"
                           "content-LENGTH:  12 \r\nX-Api-Key: k\r\n\r\n",
                           &h),
                     0);
    assert_int_equal(h.method, GS_HTTP_POST);
    assert_true(gs_slice_eq_str(h.path, "/v1/messages"));
    assert_true(gs_slice_eq_str(h.query, "beta=true"));
    assert_true(gs_slice_eq_str(h.host, "a:1"));
    assert_int_equal(h.body_bytes, 12);
    assert_true(h.keep_alive);
    assert_true(gs_slice_eq_str(gs_http_head_get(&h, "x-api-key"), "k"));
    assert_null(gs_http_head_get(&h, "x-api-ke").ptr);
}

static void test_connection_and_target_forms(void **state)
{
    struct gs_http_head h;

    (void)state;
    assert_int_equal(parse("GET / HTTP/1.0\r\n\r\n", &h), 0);
    assert_false(h.keep_alive);
    assert_int_equal(parse("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", &h), 0);
    assert_true(h.keep_alive);
    assert_int_equal(parse("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n", &h), 0);
    assert_false(h.keep_alive);
    assert_int_equal(parse("GET http://h:1/p?q HTTP/1.1\r\nHost: a\r\n\r\n", &h), 0);
    assert_true(gs_slice_eq_str(h.path, "/p"));
    assert_int_equal(parse("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", &h), 0);
    assert_true(gs_slice_eq_str(h.path, "*"));
    assert_int_equal(parse("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n"
                           "Expect: 100-Continue\r\n\r\n",
                           &h),
                     0);
    assert_true(h.is_chunked && h.expects_continue);
}

static void test_refuses(void **state)
{
    static const struct {
        int status;
        const char *text;
    } cases[] = {
        {400, "\r\n"},
        {400, "GET /\r\n\r\n"},
        {400, "GET / FTP/1.1\r\n\r\n"},
        {505, "PRI * HTTP/2.0\r\n\r\n"},
        {501, "BREW / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "GE T / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "GET /\xC3\xA9 HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "GET a HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "GET * HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: a\r\nname : v\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: a\r\n: v\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: a\r\nx: a\rb\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: a\r\nx: \x7F\r\n\r\n"},
        {400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n"},
        {400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n"},
        {400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n"},
        {400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"},
        {400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \r\n\r\n"},
        {413, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n"},
        {400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n"
              "\r\n"},
        {501, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"},
        {501, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n"
              "\r\n"},
        {400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {417, "POST / HTTP/1.1\r\nHost: a\r\nExpect: miracles\r\n\r\n"},
    };
    struct gs_http_head h;

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(cases); i++) {
        if (parse(cases[i].text, &h) != cases[i].status)
            fail_msg("case %zu is not refused with %d: %s", i, cases[i].status, cases[i].text);
    }
}

static void test_refused_heads_keep_their_path(void **state)
{
    struct gs_http_head h;

    (void)state;
    assert_int_equal(parse("BREW /api/chat HTTP/1.1\r\nHost: a\r\n\r\n", &h), 501);
    assert_true(gs_slice_eq_str(h.path, "/api/chat"));
}

static void test_counts_fields(void **state)
{
    char text[8192] = "GET / HTTP/1.1\r\nHost: a\r\n";
    struct gs_http_head h;
    size_t n = strlen(text);

    (void)state;
    for (int i = 0; i < GS_HTTP_MAX_FIELDS; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "x%d: y\r\n", i);
    snprintf(text + n, sizeof(text) - n, "\r\n");
    assert_int_equal(parse(text, &h), 431);
}

static void test_finds_the_end_in_pieces(void **state)
{
    const char text[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\nrest";
    const size_t head = sizeof(text) - 1 - 4;
    size_t scan = 0;

    (void)state;
    for (size_t n = 0; n < head; n++)
        assert_int_equal(gs_http_head_end(gs_slice(text, n), &scan), 0);
    assert_int_equal(gs_http_head_end(gs_slice(text, sizeof(text) - 1), &scan), head);
    scan = 0;
    assert_int_equal(gs_http_head_end(GS_SLICE_LIT("GET / HTTP/1.1\n"), &scan), SIZE_MAX);
    scan = 0;
    assert_int_equal(gs_http_head_end(GS_SLICE_LIT("\r\nGET"), &scan), 2);
}

/* Feed `text` in pieces of `step` bytes; the final state. */
static enum gs_http_chunk_state feed(const char *text, size_t step, struct gs_buf *body)
{
    const struct gs_slice in = gs_slice_str(text);
    struct gs_http_chunks c = {0};

    for (size_t at = 0; at < in.len; at += step)
        gs_http_chunks_feed(&c, gs_slice_sub(in, at, at + step), body);
    return c.state;
}

static void test_chunks(void **state)
{
    static const char text[] = "4;ext=\"1\"\r\nWiki\r\n5 \r\npedia\r\nA\r\n0123456789\r\n"
                               "0\r\nTrailer: x\r\n\r\n";

    (void)state;
    for (size_t step = 1; step < sizeof(text); step++) {
        struct gs_buf body;
        gs_buf_init(&body, 100);
        assert_int_equal(feed(text, step, &body), GS_HTTP_CHUNK_DONE);
        assert_true(gs_slice_eq_str(gs_buf_view(&body), "Wikipedia0123456789"));
        gs_buf_clear(&body);
    }
}

static void test_bad_chunks(void **state)
{
    static const char *const bad[] = {
        "x\r\n",         "\r\n",        "-1\r\n",   "4\nWiki",  "4\r\nWikiX",  "0x4\r\n",
        "123456789\r\n", "4\r\nWiki\n", "0\r\nx\n", "0\r\n\rX", "4;a\x01\r\n",
    };

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(bad); i++) {
        struct gs_buf body;
        gs_buf_init(&body, 100);
        if (feed(bad[i], 1, &body) != GS_HTTP_CHUNK_BAD)
            fail_msg("not refused: %s", bad[i]);
        gs_buf_clear(&body);
    }
}

static void test_chunks_stop_at_the_ceiling(void **state)
{
    struct gs_http_chunks c = {0};
    struct gs_buf body;

    (void)state;
    gs_buf_init(&body, 8);
    gs_http_chunks_feed(&c, GS_SLICE_LIT("ffffffff\r\n0123456789"), &body);
    assert_false(gs_buf_ok(&body));
    gs_buf_clear(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_a_request),
        cmocka_unit_test(test_connection_and_target_forms),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_refused_heads_keep_their_path),
        cmocka_unit_test(test_counts_fields),
        cmocka_unit_test(test_finds_the_end_in_pieces),
        cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_bad_chunks),
        cmocka_unit_test(test_chunks_stop_at_the_ceiling),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
