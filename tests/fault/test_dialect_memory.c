/* Any allocation that fails while a request is read or its answer written fails that alone: the
 * reader says so, the answer's buffer has failed, nothing leaks. The same of asking other servers
 * and of hearing what they answer. */
#include "cmocka_headers.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/slice.h"
#include "dialect/client.h"
#include "signed_by_all.h"

#define MAX_BYTES ((size_t)16 << 20)

static const struct {
    const struct gs_dialect *dialect;
    const char *path, *body;
} requests[] = {
    {&gs_dialect_anthropic, "/v1/messages",
     "{\"model\":\"m\",\"stop_sequences\":[\"a\"],\"thinking\":{\"type\":\"enabled\","
     "\"budget_tokens\":9,\"display\":\"omitted\"},\"output_config\":{\"format\":{\"type\":"
     "\"json_schema\",\"schema\":{}}},\"tools\":[{\"name\":\"run\",\"input_schema\":{}},{\"name\":"
     "\"late\",\"defer_loading\":true,\"input_schema\":{}}],\"system\":[{\"type\":\"text\","
     "\"text\":\"s\",\"cache_control\":{}}],\"messages\":[{\"role\":\"user\",\"content\":[{"
     "\"type\":\"document\",\"title\":\"t\",\"source\":{\"type\":\"text\",\"data\":\"d\"}}]},{"
     "\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":"
     "\"genset1YQ==.Yg==\"},{\"type\":\"tool_use\",\"id\":\"c\",\"name\":\"run\",\"input\":{"
     "\"a\":1}},{\"type\":\"server_tool_use\",\"id\":\"s\",\"name\":\"web_search\",\"input\":{}},"
     "{\"type\":\"web_search_tool_result\",\"tool_use_id\":\"s\",\"content\":[{\"title\":\"x\"}]}"
     "]},{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"c\","
     "\"content\":[{\"type\":\"text\",\"text\":\"ok\"},{\"type\":\"tool_reference\","
     "\"tool_name\":\"late\"}]}]}]}"},
    {&gs_dialect_openai_chat, "/v1/chat/completions",
     "{\"model\":\"m\",\"n\":2,\"logprobs\":true,\"stop\":[\"a\",\"b\"],\"logit_bias\":{\"1\":2},"
     "\"tools\":[{\"type\":\"custom\",\"custom\":{\"name\":\"run\",\"format\":{\"grammar\":{"
     "\"syntax\":\"regex\",\"definition\":\"a+\"}}}},{\"type\":\"function\",\"function\":{"
     "\"name\":\"f\",\"parameters\":{\"type\":\"object\"}}}],"
     "\"tool_choice\":{\"type\":\"allowed_tools\",\"allowed_tools\":{\"mode\":\"auto\",\"tools\":["
     "{\"function\":{\"name\":\"f\"}}]}},\"guided_choice\":[\"x\",\"y\"],"
     "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"hi\"}]},"
     "{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"c\",\"custom\":{\"name\":\"run\","
     "\"input\":\"ls\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"c\",\"content\":[{\"type\":"
     "\"text\",\"text\":\"ok\"}]}]}"},
    {&gs_dialect_openai_completions, "/v1/completions",
     "{\"model\":\"m\",\"prompt\":[\"one\",\"two\"],\"n\":2,\"echo\":true,"
     "\"guided_choice\":[\"x\"]}"},
    {&gs_dialect_openai_completions, "/v1/completions",
     "{\"model\":\"m\",\"prompt\":[[1,2],[3]],\"logprobs\":2}"},
};

static const struct gs_top_logprob top = {1, -2, {"y", 1}};
static const struct gs_logprob logprob = {0, -1, {"x", 1}, &top, 1};

/* A text, a call of "run", reasoning and an end, of two answers. */
static const struct gs_event events[] = {
    {.kind = GS_EVENT_START},
    {.kind = GS_EVENT_BEGIN},
    {.kind = GS_EVENT_DELTA, .text = {"x", 1}, .logprob = &logprob, .n_logprob = 1},
    {.kind = GS_EVENT_END},
    {.kind = GS_EVENT_BEGIN, .block = GS_BLOCK_TOOL_CALL, .block_idx = 1, .name = {"run", 3}},
    {.kind = GS_EVENT_DELTA,
     .block = GS_BLOCK_TOOL_CALL,
     .block_idx = 1,
     .text = {"{\"input\":\"ls\"}", 14}},
    {.kind = GS_EVENT_END, .block = GS_BLOCK_TOOL_CALL, .block_idx = 1},
    {.kind = GS_EVENT_BEGIN, .block = GS_BLOCK_REASONING, .block_idx = 2},
    {.kind = GS_EVENT_DELTA, .block = GS_BLOCK_REASONING, .block_idx = 2, .text = {"hm", 2}},
    {.kind = GS_EVENT_END, .block = GS_BLOCK_REASONING, .block_idx = 2, .signature = {"sig", 3}},
    {.kind = GS_EVENT_BEGIN, .answer_idx = 1},
    {.kind = GS_EVENT_DELTA, .answer_idx = 1, .text = {"z", 1}},
    {.kind = GS_EVENT_END, .answer_idx = 1},
    {.kind = GS_EVENT_STOP, .answer_idx = 1, .n_left = 1},
    {.kind = GS_EVENT_STOP},
};

static void test_reading(void **state)
{
    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(requests); i++) {
        int n_failed = 0;
        for (long n = 1;; n++) {
            struct gs_chat chat;
            struct gs_dialect_context ctx;
            struct gs_arena a;
            struct gs_error err = {0};
            gs_arena_init(&a, 0);
            gs_alloc_fail_at(n);
            const enum gs_status st = requests[i].dialect->read_request(
                &chat, &ctx, gs_slice_str(requests[i].body), requests[i].path, &a, &err);
            const bool was_hit = gs_alloc_count() >= n;
            gs_alloc_fail_at(0);
            gs_arena_clear(&a);
            assert_int_equal(st, err.code);
            assert_int_equal(st, was_hit ? GS_ENOMEM : GS_OK);
            n_failed += was_hit;
            if (!was_hit)
                break;
        }
        assert_true(n_failed > 0);
    }
}

/* The answer in *out; its length. */
static size_t write_answer(const struct gs_dialect *d, const struct gs_dialect_context *ctx,
                           struct gs_buf *out)
{
    void *state = calloc(1, d->state_bytes);

    assert_non_null(state);
    gs_buf_init(out, MAX_BYTES);
    for (size_t i = 0; i < GS_COUNT_OF(events); i++)
        d->write_event(state, ctx, &events[i], out);
    d->clear_state(state);
    free(state);
    return out->len;
}

static void test_writing(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * GS_COUNT_OF(requests); i++) {
        const struct gs_dialect *d = requests[i / 2].dialect;
        struct gs_chat chat;
        struct gs_dialect_context ctx;
        struct gs_arena a;
        struct gs_buf out;
        gs_arena_init(&a, 0);
        assert_int_equal(d->read_request(&chat, &ctx, gs_slice_str(requests[i / 2].body),
                                         requests[i / 2].path, &a, NULL),
                         GS_OK);
        ctx.stream = i % 2;
        ctx.request_id = GS_SLICE_LIT("req_1");
        const size_t whole = write_answer(d, &ctx, &out);
        gs_buf_clear(&out);
        for (long n = 1;; n++) {
            gs_alloc_fail_at(n);
            const size_t len = write_answer(d, &ctx, &out);
            const bool was_hit = gs_alloc_count() >= n;
            gs_alloc_fail_at(0);
            assert_true(gs_buf_ok(&out) ? len == whole : was_hit);
            gs_buf_clear(&out);
            if (!was_hit)
                break;
        }
        gs_arena_clear(&a);
    }
}

/* ---- the other side ---- */

static const struct gs_dialect_client *const clients[] = {
    &gs_dialect_client_anthropic, &gs_dialect_client_ollama, &gs_dialect_client_openai_chat,
    &gs_dialect_client_openai_responses};

static void ask(const struct gs_dialect_client *c, const struct gs_chat *chat)
{
    const struct gs_dialect_to to = {.model = GS_SLICE_LIT("m"), .is_theirs = signed_by_all};
    struct gs_buf out;

    gs_buf_init(&out, MAX_BYTES);
    const enum gs_status whole = c->write_request(chat, &to, &out, NULL);
    const size_t len = out.len;
    gs_buf_clear(&out);
    for (long n = 1;; n++) {
        struct gs_error err = {0};
        gs_alloc_fail_at(n);
        const enum gs_status st = c->write_request(chat, &to, &out, &err);
        const bool was_hit = gs_alloc_count() >= n;
        gs_alloc_fail_at(0);
        assert_int_equal(st, err.code);
        assert_int_equal(st, was_hit ? GS_ENOMEM : whole);
        if (!was_hit)
            assert_int_equal(out.len, len);
        gs_buf_clear(&out);
        if (!was_hit)
            break;
    }
}

static void test_asking(void **state)
{
    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(requests); i++) {
        struct gs_chat chat;
        struct gs_dialect_context ctx = {0};
        struct gs_arena a;
        gs_arena_init(&a, 0);
        assert_int_equal(requests[i].dialect->read_request(&chat, &ctx,
                                                           gs_slice_str(requests[i].body),
                                                           requests[i].path, &a, NULL),
                         GS_OK);
        chat.n_answers = 0; /* whatever else of the chat can be said, is */
        chat.logprobs = false;
        chat.sampling.n_logit_bias = 0;
        chat.format.kind = GS_FORMAT_TEXT;
        for (size_t c = 0; c < GS_COUNT_OF(clients); c++)
            ask(clients[c], &chat);
        gs_arena_clear(&a);
    }
}

static enum gs_flow on_event(void *ud, const struct gs_event *ev)
{
    *(int *)ud += ev->kind == GS_EVENT_STOP;
    return GS_FLOW_CONTINUE;
}

/* How the stream ends; the fault in *out_fault. */
static enum gs_dialect_effect hear(const struct gs_dialect_client *c, struct gs_slice stream,
                                   void *state, enum gs_fault *out_fault, struct gs_error *err)
{
    struct gs_dialect_frames frames;
    struct gs_dialect_frame frame;
    enum gs_dialect_effect effect = GS_DIALECT_NOTHING;
    int n_stops = 0;

    gs_dialect_frames_init(&frames, c->framing, MAX_BYTES);
    if (gs_dialect_frames_feed(&frames, stream, err) != GS_OK) {
        *out_fault = GS_FAULT_OURS;
        effect = GS_DIALECT_FAILED;
    }
    while (effect != GS_DIALECT_FAILED && effect != GS_DIALECT_END &&
           gs_dialect_frames_next(&frames, &frame))
        effect = c->read_frame(state, &frame, on_event, &n_stops, out_fault, err);
    assert_int_equal(n_stops, effect == GS_DIALECT_END);
    gs_dialect_frames_clear(&frames);
    return effect;
}

/* Log-probabilities are let go where there is no memory for them; nothing else is. */
static void test_hearing(void **state)
{
    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(clients); i++) {
        const struct gs_dialect_client *c = clients[i];
        const struct gs_dialect_context ctx = {.model = GS_SLICE_LIT("m"), .stream = true};
        void *written = calloc(1, c->server->state_bytes);
        struct gs_buf stream;
        assert_non_null(written);
        gs_buf_init(&stream, MAX_BYTES);
        for (size_t e = 0; e < GS_COUNT_OF(events); e++)
            if (events[e].answer_idx == 0)
                c->server->write_event(written, &ctx, &events[e], &stream);
        c->server->clear_state(written);
        free(written);
        for (long n = 1;; n++) {
            void *heard = calloc(1, c->state_bytes);
            enum gs_fault fault = GS_FAULT_NONE;
            struct gs_error err = {0};
            assert_non_null(heard);
            gs_alloc_fail_at(n);
            const enum gs_dialect_effect effect =
                hear(c, gs_buf_view(&stream), heard, &fault, &err);
            const bool was_hit = gs_alloc_count() >= n;
            gs_alloc_fail_at(0);
            c->clear_state(heard);
            free(heard);
            assert_true(effect == GS_DIALECT_END || (was_hit && effect == GS_DIALECT_FAILED));
            assert_int_equal(fault, effect == GS_DIALECT_END ? GS_FAULT_NONE : GS_FAULT_OURS);
            assert_int_equal(err.code, effect == GS_DIALECT_END ? GS_OK : GS_ENOMEM);
            if (!was_hit)
                break;
        }
        gs_buf_clear(&stream);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reading),
        cmocka_unit_test(test_writing),
        cmocka_unit_test(test_asking),
        cmocka_unit_test(test_hearing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
