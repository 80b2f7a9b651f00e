/* What servers answer, heard: tests/data/dialect/hear.
 *
 *   NAME.DIALECT.sse     a stream as a real server sends it, or .lines; NAME.DIALECT.heard is what
 *                        it means, however the network cuts it
 *   NAME.DIALECT.body    an answer that is not streamed; NAME.DIALECT.whole is what it means
 *
 * GENSET_GOLDEN_UPDATE=1 writes the expected files anew; the review reads the difference. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/os.h"
#include "base/slice.h"
#include "cmocka_headers.h"
#include "dialect/client.h"
#include "json/json.h"

#define DIR_HEAR   GENSET_TEST_DATA "/dialect/hear"
#define MAX_BYTES  ((size_t)1 << 20)
#define PATH_BYTES 512

static const struct gs_dialect_client *const clients[] = {
    &gs_dialect_client_anthropic, &gs_dialect_client_ollama, &gs_dialect_client_openai_chat,
    &gs_dialect_client_openai_responses};

/* ---- files ---- */

static void read_file(const char *name, struct gs_buf *b)
{
    char path[PATH_BYTES];
    struct gs_error err;

    snprintf(path, sizeof(path), "%s/%s", DIR_HEAR, name);
    gs_buf_init(b, MAX_BYTES);
    if (gs_os_read_file(path, b, &err) != GS_OK)
        fail_msg("%s", err.msg);
}

/* Compare with, or write, the file called so but for the ending. */
static void expect_file(const char *name, const char *ending, const struct gs_buf *got)
{
    const size_t stem = gs_slice_str(name).len - gs_slice_str(strrchr(name, '.')).len;
    char path[PATH_BYTES];
    struct gs_buf want;
    struct gs_error err;

    assert_true(gs_buf_ok(got));
    snprintf(path, sizeof(path), "%s/%.*s%s", DIR_HEAR, (int)stem, name, ending);
    if (getenv("GENSET_GOLDEN_UPDATE")) {
        assert_int_equal(gs_os_write_file(path, got->ptr, got->len, &err), GS_OK);
        return;
    }
    gs_buf_init(&want, MAX_BYTES);
    assert_int_equal(gs_os_read_file(path, &want, NULL), GS_OK);
    if (!gs_slice_eq(gs_buf_view(got), gs_buf_view(&want)))
        fail_msg("%s: expected\n%.*s\nfound\n%.*s\n", path, (int)want.len, want.ptr, (int)got->len,
                 got->ptr);
    gs_buf_clear(&want);
}

static const struct gs_dialect_client *client_of(const char *name)
{
    for (size_t i = 0; i < GS_COUNT_OF(clients); i++) {
        if (gs_slice_find(gs_slice_str(name), gs_slice_str(clients[i]->name), 0) != SIZE_MAX)
            return clients[i];
    }
    return NULL;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void for_each(const char *ending,
                     void (*fn)(const char *name, const struct gs_dialect_client *c))
{
    struct dirent **list = NULL;
    const int n = scandir(DIR_HEAR, &list, NULL, by_name);
    int n_run = 0;

    for (int i = 0; i < n; i++) {
        const char *name = list[i]->d_name;
        if (gs_slice_ends(gs_slice_str(name), gs_slice_str(ending)) && client_of(name)) {
            fn(name, client_of(name));
            n_run++;
        }
        free(list[i]);
    }
    free(list);
    assert_true(n_run > 0);
}

/* ---- what is heard, as text ---- */

static void put(struct gs_buf *b, const char *name, struct gs_slice s)
{
    if (!s.len)
        return;
    gs_buf_printf(b, " %s=", name);
    gs_json_write_string(b, s);
}

static void put_usage(struct gs_buf *b, const struct gs_usage *u)
{
    if (u->prompt_tokens || u->answer_tokens)
        gs_buf_printf(b, " usage=%lld(%lld)+%lld(%lld)", (long long)u->prompt_tokens,
                      (long long)u->cached_tokens, (long long)u->answer_tokens,
                      (long long)u->reasoning_tokens);
    if (u->cache_write_tokens)
        gs_buf_printf(b, " kept=%lld", (long long)u->cache_write_tokens);
}

static enum gs_flow on_event(void *ud, const struct gs_event *ev)
{
    static const char *const kinds[] = {"start", "progress", "begin", "delta",
                                        "end",   "vector",   "stop",  "error"};
    static const char *const blocks[] = {"text", "reasoning", "call"};
    static const char *const stops[] = {"end", "length", "context", "sequence", "call", "refusal"};
    struct gs_buf *b = ud;

    gs_buf_printf(b, "  %s", kinds[ev->kind]);
    if (ev->kind == GS_EVENT_BEGIN || ev->kind == GS_EVENT_DELTA || ev->kind == GS_EVENT_END)
        gs_buf_printf(b, " %s %u", blocks[ev->block], ev->block_idx);
    if (ev->is_gap)
        gs_buf_puts(b, " gap");
    else if (ev->kind == GS_EVENT_DELTA && !ev->text.len)
        gs_buf_puts(b, " opened");
    if (ev->kind == GS_EVENT_PROGRESS && ev->n_sent)
        gs_buf_printf(b, " sent=%lld", (long long)ev->n_sent);
    if (ev->kind == GS_EVENT_STOP)
        gs_buf_printf(b, " %s", stops[ev->stop]);
    put(b, "id", ev->id);
    put(b, "name", ev->name);
    put(b, "text", ev->text);
    put(b, "signature", ev->signature);
    put(b, "answer", ev->answer_id);
    put(b, "model", ev->model);
    put(b, "item", ev->is_passed_over ? GS_SLICE_LIT("passed over") : ev->item_id);
    put(b, "sequence", ev->stop_sequence);
    for (size_t i = 0; i < ev->n_logprob; i++) {
        gs_buf_printf(b, " %g", (double)ev->logprob[i].logprob);
        put(b, "token", ev->logprob[i].text);
        for (size_t t = 0; t < ev->logprob[i].n_top; t++)
            put(b, "top", ev->logprob[i].top[t].text);
    }
    if (ev->kind == GS_EVENT_START || ev->kind == GS_EVENT_STOP)
        put_usage(b, &ev->usage);
    gs_buf_puts(b, ev->is_whole ? " whole\n" : "\n");
    return GS_FLOW_CONTINUE;
}

static void put_effect(struct gs_buf *b, size_t at, enum gs_dialect_effect effect,
                       enum gs_fault fault, const struct gs_error *err)
{
    static const char *const effects[] = {"nothing", "content", "finish", "end", "failed"};
    struct gs_buf events;

    gs_buf_init(&events, MAX_BYTES);
    gs_buf_slice(&events, gs_slice_sub(gs_buf_view(b), at, b->len));
    b->len = at;
    gs_buf_puts(b, effects[effect]);
    if (effect == GS_DIALECT_FAILED)
        gs_buf_printf(b, " %s: %s", gs_fault_word(fault), err->msg);
    gs_buf_putc(b, '\n');
    gs_buf_slice(b, gs_buf_view(&events));
    gs_buf_clear(&events);
}

/* ---- streams ---- */

struct hearing {
    const struct gs_dialect_client *client;
    void *state;
    struct gs_dialect_frames frames;
    struct gs_buf got;
};

static void hear_frame(struct hearing *h, const struct gs_dialect_frame *frame)
{
    const size_t at = h->got.len;
    enum gs_fault fault = GS_FAULT_NONE;
    struct gs_error err = {0};
    const enum gs_dialect_effect effect =
        h->client->read_frame(h->state, frame, on_event, &h->got, &fault, &err);

    put_effect(&h->got, at, effect, fault, &err);
}

static void hear_bytes(struct hearing *h, struct gs_slice bytes)
{
    struct gs_dialect_frame frame;

    assert_int_equal(gs_dialect_frames_feed(&h->frames, bytes, NULL), GS_OK);
    while (gs_dialect_frames_next(&h->frames, &frame))
        hear_frame(h, &frame);
}

/* The stream, in two pieces. */
static void hear(const struct gs_dialect_client *c, struct gs_slice stream, size_t split,
                 struct gs_buf *out)
{
    struct hearing h = {.client = c, .state = gs_alloc_zero(c->state_bytes)};
    struct gs_dialect_frame frame;
    enum gs_fault fault = GS_FAULT_NONE;
    struct gs_error err = {0};

    assert_non_null(h.state);
    gs_buf_init(&h.got, MAX_BYTES);
    gs_dialect_frames_init(&h.frames, c->framing, MAX_BYTES);
    hear_bytes(&h, gs_slice_sub(stream, 0, split));
    hear_bytes(&h, gs_slice_sub(stream, split, stream.len));
    if (gs_dialect_frames_rest(&h.frames, &frame))
        hear_frame(&h, &frame);
    gs_buf_puts(&h.got, "-- ");
    const size_t at = h.got.len;
    const enum gs_dialect_effect effect = c->read_end(h.state, on_event, &h.got, &fault, &err);
    put_effect(&h.got, at, effect, fault, &err);
    gs_dialect_frames_clear(&h.frames);
    c->clear_state(h.state);
    gs_free(h.state);
    *out = h.got;
}

static void check_stream(const char *name, const struct gs_dialect_client *c)
{
    struct gs_buf stream;
    struct gs_buf want;

    read_file(name, &stream);
    hear(c, gs_buf_view(&stream), 0, &want);
    expect_file(name, ".heard", &want);
    for (size_t split = 1; split<stream.len; split += stream.len> 4096 ? 37 : 3) {
        struct gs_buf got;
        hear(c, gs_buf_view(&stream), split, &got);
        if (!gs_slice_eq(gs_buf_view(&got), gs_buf_view(&want)))
            fail_msg("%s, cut at %zu: %.*s", name, split, (int)got.len, got.ptr);
        gs_buf_clear(&got);
    }
    gs_buf_clear(&want);
    gs_buf_clear(&stream);
}

static void test_streams(void **state)
{
    (void)state;
    for_each(".sse", check_stream);
    for_each(".lines", check_stream);
}

/* ---- whole answers ---- */

static void check_body(const char *name, const struct gs_dialect_client *c)
{
    enum gs_fault fault = GS_FAULT_NONE;
    struct gs_error err = {0};
    struct gs_arena a;
    struct gs_buf body;
    struct gs_buf got;

    read_file(name, &body);
    gs_arena_init(&a, 0);
    gs_buf_init(&got, MAX_BYTES);
    const enum gs_dialect_effect effect =
        c->read_whole(gs_buf_view(&body), &a, on_event, &got, &fault, &err);
    put_effect(&got, 0, effect, fault, &err);
    expect_file(name, ".whole", &got);
    gs_buf_clear(&got);
    gs_buf_clear(&body);
    gs_arena_clear(&a);
}

static void test_bodies(void **state)
{
    (void)state;
    for_each(".body", check_body);
}

/* ---- memory ---- */

/* Whatever allocation fails, an answer is heard to its end or it fails. */
static void check_memory(const char *name, const struct gs_dialect_client *c)
{
    struct gs_buf stream;

    read_file(name, &stream);
    for (long n = 1; n < 40; n++) {
        struct gs_dialect_frames frames;
        struct gs_dialect_frame frame;
        void *state = gs_alloc_zero(c->state_bytes);
        enum gs_fault fault = GS_FAULT_NONE;
        struct gs_error err = {0};
        struct gs_buf got;
        gs_buf_init(&got, MAX_BYTES);
        gs_dialect_frames_init(&frames, c->framing, MAX_BYTES);
        assert_int_equal(gs_dialect_frames_feed(&frames, gs_buf_view(&stream), NULL), GS_OK);
        gs_alloc_fail_at(n);
        while (gs_dialect_frames_next(&frames, &frame)) {
            if (c->read_frame(state, &frame, on_event, &got, &fault, &err) == GS_DIALECT_FAILED)
                assert_true(fault != GS_FAULT_NONE && err.code != GS_OK);
        }
        (void)c->read_end(state, on_event, &got, &fault, &err);
        gs_alloc_fail_at(0);
        c->clear_state(state);
        gs_free(state);
        gs_dialect_frames_clear(&frames);
        gs_buf_clear(&got);
    }
    gs_buf_clear(&stream);
}

static void test_memory_runs_out(void **state)
{
    (void)state;
    for_each(".sse", check_memory);
    for_each(".lines", check_memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streams),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_memory_runs_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
