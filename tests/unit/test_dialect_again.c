/* What our own writers spell (tests/data/dialect/write) is heard as what they were told: spelled
 * again it is the same bytes. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/os.h"
#include "base/slice.h"
#include "cmocka_headers.h"
#include "dialect/client.h"

#define DIR_WRITE  GENSET_TEST_DATA "/dialect/write"
#define MAX_BYTES  ((size_t)1 << 20)
#define PATH_BYTES 512

static const struct gs_dialect_client *const clients[] = {
    &gs_dialect_client_anthropic, &gs_dialect_client_ollama, &gs_dialect_client_openai_chat,
    &gs_dialect_client_openai_responses};

/* What is not heard: log-probabilities of Ollama's, errors, empty answers, what the request asked
 * for; that an item of Responses was cut, before the answer's end says so; of OpenAI's chunks
 * whether an empty one keeps alive, of its texts which stop string ended them. */
static const char *const not_again[] = {
    "logprobs.",  "broken.", "overlong.",   "empty.",     "thinking_omitted.",       "choices.",
    "functions.", "custom.", "text.openai", "completion", "refusal.openai-responses"};

/* ---- hearing and spelling ---- */

struct speller {
    const struct gs_dialect_client *client;
    struct gs_dialect_context ctx;
    void *state;
    struct gs_buf out;
};

static enum gs_flow on_event(void *ud, const struct gs_event *ev)
{
    struct speller *s = ud;
    struct gs_event told = *ev;

    told.n_sent = 0; /* who spells all of it counts by himself */
    s->client->server->write_event(s->state, &s->ctx, &told, &s->out);
    return GS_FLOW_CONTINUE;
}

static void hear_stream(struct speller *s, struct gs_slice stream)
{
    const struct gs_dialect_client *c = s->client;
    void *state = gs_alloc_zero(c->state_bytes);
    enum gs_dialect_effect effect = GS_DIALECT_NOTHING;
    struct gs_dialect_frames frames;
    struct gs_dialect_frame frame;
    enum gs_fault fault = GS_FAULT_NONE;

    assert_non_null(state);
    gs_dialect_frames_init(&frames, c->framing, MAX_BYTES);
    assert_int_equal(gs_dialect_frames_feed(&frames, stream, NULL), GS_OK);
    while (gs_dialect_frames_next(&frames, &frame)) {
        assert_int_not_equal(effect, GS_DIALECT_END);
        effect = c->read_frame(state, &frame, on_event, s, &fault, NULL);
        assert_int_equal(fault, GS_FAULT_NONE);
    }
    assert_int_equal(effect, GS_DIALECT_END);
    gs_dialect_frames_clear(&frames);
    c->clear_state(state);
    gs_free(state);
}

static void hear_whole(struct speller *s, struct gs_slice body)
{
    struct gs_arena a;
    enum gs_fault fault = GS_FAULT_NONE;

    gs_arena_init(&a, 0);
    assert_int_equal(s->client->read_whole(body, &a, on_event, s, &fault, NULL), GS_DIALECT_END);
    gs_arena_clear(&a);
}

/* What keeps a stream alive is not spelled again. */
static void drop_keepalives(struct speller *s, struct gs_buf *stream)
{
    struct gs_buf mark;

    gs_buf_init(&mark, MAX_BYTES);
    s->client->server->write_keepalive(s->state, &s->ctx, &mark);
    for (size_t at = 0; at + mark.len <= stream->len;) {
        const bool is_mark = (at == 0 || stream->ptr[at - 1] == '\n') &&
                             memcmp(stream->ptr + at, mark.ptr, mark.len) == 0;
        if (is_mark) {
            stream->len -= mark.len;
            memmove(stream->ptr + at, stream->ptr + at + mark.len, stream->len - at);
        }
        at += !is_mark;
    }
    gs_buf_clear(&mark);
}

/* ---- files ---- */

static const struct gs_dialect_client *client_of(const char *name, bool *out_is_stream)
{
    for (size_t i = 0; i < GS_COUNT_OF(not_again); i++)
        if (strncmp(name, not_again[i], strlen(not_again[i])) == 0)
            return NULL;
    for (size_t i = 0; i < 2 * GS_COUNT_OF(clients); i++) {
        char ending[64];
        *out_is_stream = i % 2 == 0;
        snprintf(ending, sizeof(ending), ".%s.%s", clients[i / 2]->name,
                 *out_is_stream ? "stream" : "whole");
        if (gs_slice_ends(gs_slice_str(name), gs_slice_str(ending)))
            return clients[i / 2];
    }
    return NULL;
}

/* Their signs of life are what opens an answer. */
static bool is_openai(const struct gs_dialect_client *c)
{
    return c == &gs_dialect_client_openai_chat || c == &gs_dialect_client_openai_responses;
}

static bool spell_again(const char *name)
{
    struct speller s = {.ctx = {.include_usage = true,
                                .model = GS_SLICE_LIT("test-model"),
                                .request_id = GS_SLICE_LIT("req_0123"),
                                .created_us = 1767225600000000}};
    char path[PATH_BYTES];
    struct gs_buf bytes;

    s.client = client_of(name, &s.ctx.stream);
    if (!s.client)
        return false;
    snprintf(path, sizeof(path), "%s/%s", DIR_WRITE, name);
    gs_buf_init(&bytes, MAX_BYTES);
    assert_int_equal(gs_os_read_file(path, &bytes, NULL), GS_OK);
    s.state = gs_alloc_zero(s.client->server->state_bytes);
    assert_non_null(s.state);
    gs_buf_init(&s.out, MAX_BYTES);
    if (s.ctx.stream && !is_openai(s.client))
        drop_keepalives(&s, &bytes);
    if (s.ctx.stream)
        hear_stream(&s, gs_buf_view(&bytes));
    else
        hear_whole(&s, gs_buf_view(&bytes));
    if (!gs_slice_eq(gs_buf_view(&s.out), gs_buf_view(&bytes)))
        fail_msg("%s: spelled again it is\n%.*s", name, (int)s.out.len, s.out.ptr);
    s.client->server->clear_state(s.state);
    gs_free(s.state);
    gs_buf_clear(&s.out);
    gs_buf_clear(&bytes);
    return true;
}

static void test_writers(void **state)
{
    DIR *dir = opendir(DIR_WRITE);
    int n_spelled = 0;

    (void)state;
    assert_non_null(dir);
    for (struct dirent *e = readdir(dir); e; e = readdir(dir))
        n_spelled += spell_again(e->d_name);
    closedir(dir);
    assert_true(n_spelled >= 8);
}

/* Where the client has blocks of another server that no event tells of, ours are counted on from
 * them. */
static void test_passed_over(void **state)
{
    static const char begun[] =
        "data: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\"}}\n\n"
        "data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":"
        "\"text\",\"text\":\"I search.\"}}\n\n"
        "data: {\"type\":\"content_block_stop\",\"index\":0}\n\n"
        "data: {\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":"
        "\"server_tool_use\",\"id\":\"s\",\"name\":\"web_search\"}}\n\n"
        "data: {\"type\":\"content_block_stop\",\"index\":1}\n\n";
    struct speller s = {.client = &gs_dialect_client_anthropic, .ctx = {.stream = true}};
    struct gs_dialect_frames frames;
    struct gs_dialect_frame frame;
    enum gs_fault fault = GS_FAULT_NONE;
    void *heard = gs_alloc_zero(s.client->state_bytes);

    (void)state;
    s.state = gs_alloc_zero(s.client->server->state_bytes);
    assert_true(heard && s.state);
    gs_buf_init(&s.out, MAX_BYTES);
    gs_dialect_frames_init(&frames, GS_DIALECT_SSE, MAX_BYTES);
    assert_int_equal(gs_dialect_frames_feed(&frames, gs_slice_str(begun), NULL), GS_OK);
    while (gs_dialect_frames_next(&frames, &frame))
        s.client->read_frame(heard, &frame, on_event, &s, &fault, NULL);
    assert_int_equal(fault, GS_FAULT_NONE);
    gs_buf_reset(&s.out);
    on_event(&s, &(struct gs_event){.kind = GS_EVENT_BEGIN, .block_idx = 1});
    on_event(&s, &(struct gs_event){
                     .kind = GS_EVENT_DELTA, .block_idx = 1, .text = GS_SLICE_LIT("Found.")});
    assert_true(gs_slice_eq_str(
        gs_buf_view(&s.out),
        "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":2,"
        "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":2,"
        "\"delta\":{\"type\":\"text_delta\",\"text\":\"Found.\"}}\n\n"));
    gs_dialect_frames_clear(&frames);
    s.client->clear_state(heard);
    gs_free(heard);
    s.client->server->clear_state(s.state);
    gs_free(s.state);
    gs_buf_clear(&s.out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writers),
        cmocka_unit_test(test_passed_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
