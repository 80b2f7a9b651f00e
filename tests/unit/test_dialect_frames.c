/* Streams become the same frames however they are cut, and the bytes of the frames are the
 * stream. */
#include "cmocka_headers.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/slice.h"
#include "dialect/frames.h"

#define MAX_FRAMES 8
#define MAX_BYTES  ((size_t)64)

struct expected {
    const char *raw, *name, *data;
};

static const struct {
    const char *what;
    enum gs_dialect_framing framing;
    struct expected frames[MAX_FRAMES]; /* in a row; what has no data at all and no raw ends it */
    const char *left;                   /* after them, never handed over */
} streams[] = {
    {"events",
     GS_DIALECT_SSE,
     {{"event: a\ndata: {\"x\":1}\n\n", "a", "{\"x\":1}"}, {"data:y\n\n", "", "y"}},
     ""},
    {"crlf",
     GS_DIALECT_SSE,
     {{"event:a\r\ndata: 1\r\n\r\n", "a", "1"}, {"data: 2\r\n\r\n", "", "2"}},
     ""},
    {"cr", GS_DIALECT_SSE, {{"event: a\rdata: 1\r\r", "a", "1"}, {"data: 2\r\r", "", "2"}}, ""},
    {"mixed ends", GS_DIALECT_SSE, {{"data: 1\r\n\n", "", "1"}, {"data: 2\n\r\n", "", "2"}}, ""},
    {"several lines of data",
     GS_DIALECT_SSE,
     {{"data: {\ndata:  \"a\":\r\ndata\ndata:1}\n\n", "", "{\n \"a\":\n\n1}"}},
     ""},
    {"signs of life",
     GS_DIALECT_SSE,
     {{": ping\n\n", "", ""},
      {"\n", "", ""},
      {"\r\n", "", ""},
      {":\ndata: x\n: y\n\n", "", "x"},
      {"event: ping\n\n", "ping", ""}},
     ""},
    {"other fields",
     GS_DIALECT_SSE,
     {{"id: 7\nretry: 5\ndata: x\ndatas: no\nData: no\n\n", "", "x"}},
     ""},
    {"the last event line counts", GS_DIALECT_SSE, {{"event: a\nevent: b\n\n", "b", ""}}, ""},
    {"byte order mark",
     GS_DIALECT_SSE,
     {{"\xef\xbb\xbf"
       "data: x\n\n",
       "", "x"},
      {"\xef\xbb\xbf"
       "data: y\n\n",
       "", ""}},
     ""},
    {"utf-8",
     GS_DIALECT_SSE,
     {{"data: \xc3\xa4\xf0\x9f\x98\x80\n\n", "", "\xc3\xa4\xf0\x9f\x98\x80"}},
     ""},
    {"cut in an event", GS_DIALECT_SSE, {{"data: x\n\n", "", "x"}}, "data: y\n"},
    {"cut in a line", GS_DIALECT_SSE, {{"data: x\n\n", "", "x"}}, "da"},
    {"lines",
     GS_DIALECT_LINES,
     {{"{\"a\":1}\n", "", "{\"a\":1}"}, {"\n", "", ""}, {"{\r}\r\n", "", "{\r}"}, {"{}", "", "{}"}},
     ""},
    {"lines with a byte order mark",
     GS_DIALECT_LINES,
     {{"\xef\xbb\xbf{}\n", "", "{}"}, {"[]\n", "", "[]"}},
     ""},
};

/* ---- reading back ---- */

struct seen {
    const struct expected *next;
    const char *what;
    struct gs_dialect_frames f;
};

static void check(struct seen *s, const struct gs_dialect_frame *frame)
{
    const struct expected *e = s->next++;

    if (!e->raw || !gs_slice_eq_str(frame->raw, e->raw) || !gs_slice_eq_str(frame->name, e->name) ||
        !gs_slice_eq_str(frame->data, e->data))
        fail_msg("%s: found \"%.*s\", named \"%.*s\", of \"%.*s\"", s->what, (int)frame->data.len,
                 frame->data.ptr, (int)frame->name.len, frame->name.ptr, (int)frame->raw.len,
                 frame->raw.ptr);
}

/* The piece is in memory of its own, so that a read beyond it is found. */
static void feed(struct seen *s, struct gs_slice piece)
{
    struct gs_dialect_frame frame;
    char *copy = malloc(piece.len + 1);

    assert_non_null(copy);
    if (piece.len > 0)
        memcpy(copy, piece.ptr, piece.len);
    assert_int_equal(gs_dialect_frames_feed(&s->f, gs_slice(copy, piece.len), NULL), GS_OK);
    free(copy);
    while (gs_dialect_frames_next(&s->f, &frame))
        check(s, &frame);
}

static void finish(struct seen *s)
{
    struct gs_dialect_frame frame;

    while (gs_dialect_frames_rest(&s->f, &frame))
        check(s, &frame);
    if (s->next->raw)
        fail_msg("%s: \"%s\" is missing", s->what, s->next->raw);
    gs_dialect_frames_clear(&s->f);
}

static void begin(struct seen *s, size_t i)
{
    *s = (struct seen){.next = streams[i].frames, .what = streams[i].what};
    gs_dialect_frames_init(&s->f, streams[i].framing, MAX_BYTES);
}

static struct gs_slice bytes_of(size_t i, char *out)
{
    char *end = out;

    for (const struct expected *e = streams[i].frames; e->raw; e++)
        end += strlen(memcpy(end, e->raw, strlen(e->raw) + 1));
    end += strlen(memcpy(end, streams[i].left, strlen(streams[i].left) + 1));
    return gs_slice(out, (size_t)(end - out));
}

static void test_every_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(streams); i++) {
        char memory[MAX_FRAMES * MAX_BYTES];
        const struct gs_slice bytes = bytes_of(i, memory);
        struct seen s;
        for (size_t at = 0; at <= bytes.len; at++) {
            begin(&s, i);
            feed(&s, gs_slice_sub(bytes, 0, at));
            feed(&s, gs_slice_sub(bytes, at, bytes.len));
            finish(&s);
        }
        begin(&s, i);
        for (size_t at = 0; at < bytes.len; at++)
            feed(&s, gs_slice_sub(bytes, at, at + 1));
        finish(&s);
    }
}

/* ---- limits ---- */

/* A frame as large as allowed is one; a byte more is too much, wherever it is noticed. */
static void test_limit(void **state)
{
    static const char stream[] = "data: 1\n\ndata: 12345\n\ndata: 123456\n\n";
    struct gs_dialect_frames f;
    struct gs_dialect_frame frame;

    (void)state;
    for (size_t at = 0; at < sizeof(stream) - 1; at++) {
        struct gs_error err = {0};
        int n_frames = 0;
        enum gs_status st = GS_OK;
        gs_dialect_frames_init(&f, GS_DIALECT_SSE, 13);
        for (size_t from = 0; from < sizeof(stream) - 1 && st == GS_OK;
             from = at ? from + at : 99) {
            st = gs_dialect_frames_feed(
                &f, gs_slice_sub(gs_slice_str(stream), from, at ? from + at : 99), &err);
            while (gs_dialect_frames_next(&f, &frame))
                n_frames++;
        }
        assert_int_equal(st, GS_ELIMIT);
        assert_string_equal(err.msg, "a frame of the stream is larger than 13 bytes");
        assert_int_equal(n_frames, 2);
        assert_int_equal(gs_dialect_frames_feed(&f, GS_SLICE_LIT("\n\n"), &err), GS_ELIMIT);
        gs_dialect_frames_clear(&f);
    }
}

/* A frame of one byte a time is looked at once: this would take hours otherwise. */
static void test_giant(void **state)
{
    const size_t giant = (size_t)4 << 20;
    struct gs_dialect_frames f;
    struct gs_dialect_frame frame = {0};

    (void)state;
    gs_dialect_frames_init(&f, GS_DIALECT_SSE, giant + 100);
    assert_int_equal(gs_dialect_frames_feed(&f, GS_SLICE_LIT("data: "), NULL), GS_OK);
    for (size_t i = 0; i < giant; i++) {
        assert_int_equal(gs_dialect_frames_feed(&f, GS_SLICE_LIT("x"), NULL), GS_OK);
        assert_false(gs_dialect_frames_next(&f, &frame));
    }
    assert_int_equal(gs_dialect_frames_feed(&f, GS_SLICE_LIT("\n\n"), NULL), GS_OK);
    assert_true(gs_dialect_frames_next(&f, &frame));
    assert_int_equal(frame.data.len, giant);
    gs_dialect_frames_clear(&f);
}

static void test_memory(void **state)
{
    (void)state;
    for (long n = 1;; n++) {
        struct gs_dialect_frames f;
        struct gs_dialect_frame frame = {0};
        struct gs_error err = {0};
        gs_dialect_frames_init(&f, GS_DIALECT_SSE, MAX_BYTES);
        gs_alloc_fail_at(n);
        const enum gs_status st =
            gs_dialect_frames_feed(&f, GS_SLICE_LIT("data: a\ndata: b\n\n"), &err);
        const bool is_there = gs_dialect_frames_next(&f, &frame);
        const bool was_hit = gs_alloc_count() >= n;
        gs_alloc_fail_at(0);
        assert_int_equal(st, was_hit ? GS_ENOMEM : GS_OK);
        assert_int_equal(st, err.code);
        assert_int_equal(is_there, !was_hit);
        if (is_there)
            assert_true(gs_slice_eq_str(frame.data, "a\nb"));
        gs_dialect_frames_clear(&f);
        if (!was_hit)
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_giant),
        cmocka_unit_test(test_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
