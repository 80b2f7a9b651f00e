/* Turns put behind those of a request: all its other bytes stay as they are. */
#include "base/alloc.h"
#include "base/slice.h"
#include "cmocka_headers.h"
#include "dialect/client.h"

static const struct gs_dialect_to whom = {.model = {"m2", 2}, .says_continue = true};
static const struct gs_dialect_to strict = {.model = {"m2", 2}};
static const struct gs_dialect_turns both = {
    .said = {"a\"b", 3}, .reply = {"go on\n", 6}, .max_tokens = 7};
static const struct gs_dialect_turns open = {.said = {"ab", 2}};

#define ASSISTANT ",{\"role\":\"assistant\",\"content\":\"a\\\"b\"}"
#define USER      ",{\"role\":\"user\",\"content\":\"go on\\n\"}"
#define OPEN      ",{\"role\":\"assistant\",\"content\":\"ab\"}"

static void check(const struct gs_dialect_client *c, const struct gs_dialect_to *to,
                  const struct gs_dialect_turns *turns, const char *body, const char *want)
{
    struct gs_buf b;

    gs_buf_init(&b, 1 << 16);
    const bool is_said = gs_dialect_add_turns(c, gs_slice_str(body), to, turns, &b);
    if (is_said != (want != NULL) || !gs_slice_eq_str(gs_buf_view(&b), want ? want : ""))
        fail_msg("%s became\n%.*s", body, (int)b.len, b.ptr ? b.ptr : "");
    gs_buf_clear(&b);
}

static void bytes_stay(void **state)
{
    (void)state;
    check(&gs_dialect_client_anthropic, &whom, &both,
          " {\"x\": 1e2 ,\"messages\" : [ {\"a\":[]} ] , \"max_tokens\" :100,\"model\":\"m\"}\n",
          " {\"x\": 1e2 ,\"messages\" : [ {\"a\":[]} " ASSISTANT USER
          "] , \"max_tokens\" :7,\"model\":\"m2\"}\n");
    check(&gs_dialect_client_anthropic, &whom, &open,
          "{\"model\":\"m\",\"max_tokens\":9,\"messages\":[1]}",
          "{\"model\":\"m2\",\"max_tokens\":9,\"messages\":[1" OPEN "]}");
    check(&gs_dialect_client_ollama, &whom, &both, "{\"messages\":[1],\"model\":\"m\"}",
          "{\"messages\":[1" ASSISTANT USER "],\"model\":\"m2\"}");
    check(&gs_dialect_client_openai_responses, &whom, &both,
          "{\"model\":\"m\",\"input\":[1],\"max_output_tokens\":10}",
          "{\"model\":\"m2\",\"input\":[1" ASSISTANT USER "],\"max_output_tokens\":7}");
}

/* vLLM has to be told that a turn is open; a strict server cannot be. */
static void open_turns(void **state)
{
    (void)state;
    check(&gs_dialect_client_openai_chat, &whom, &open, "{\"model\":\"m\",\"messages\":[1]}",
          "{\"continue_final_message\":true,\"add_generation_prompt\":false,"
          "\"model\":\"m2\",\"messages\":[1" OPEN "]}");
    check(&gs_dialect_client_openai_chat, &strict, &open, "{\"model\":\"m\",\"messages\":[1]}",
          "{\"model\":\"m2\",\"messages\":[1" OPEN "]}");
}

/* A budget of thinking is part of the limit. */
static void limits(void **state)
{
    (void)state;
    check(&gs_dialect_client_anthropic, &whom, &both,
          "{\"max_tokens\":9,\"thinking\":{},\"messages\":[1]}",
          "{\"max_tokens\":9,\"thinking\":{},\"messages\":[1" ASSISTANT USER "]}");
    check(&gs_dialect_client_openai_chat, &whom, &both,
          "{\"max_completion_tokens\":9,\"messages\":[1]}",
          "{\"max_completion_tokens\":7,\"messages\":[1" ASSISTANT USER "]}");
    check(&gs_dialect_client_ollama, &whom, &both,
          "{\"messages\":[1],\"options\":{\"num_ctx\":4096,\"num_predict\": 9}}",
          "{\"messages\":[1" ASSISTANT USER
          "],\"options\":{\"num_ctx\":4096,\"num_predict\": 7}}");
}

static void no_place(void **state)
{
    static const char *const bodies[] = {"",
                                         "{}",
                                         "[]",
                                         "{\"messages\":\"hello\"}",
                                         "{\"messages\":[]}",
                                         "{\"messages\":[ ]}",
                                         "{\"messages\":[1",
                                         "{\"messages\":null}"};

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(bodies); i++)
        check(&gs_dialect_client_anthropic, &whom, &both, bodies[i], NULL);
    check(&gs_dialect_client_openai_responses, &whom, &both, "{\"input\":\"hello\"}", NULL);
}

static void memory_runs_out(void **state)
{
    const struct gs_slice body = GS_SLICE_LIT("{\"model\":\"m\",\"messages\":[1]}");
    bool is_whole = false;

    (void)state;
    for (long n = 1; !is_whole; n++) {
        struct gs_buf b;
        gs_buf_init(&b, 1 << 16);
        gs_alloc_fail_at(n);
        assert_true(gs_dialect_add_turns(&gs_dialect_client_anthropic, body, &whom, &both, &b));
        gs_alloc_fail_at(0);
        is_whole = gs_buf_ok(&b);
        gs_buf_clear(&b);
        assert_true(n < 20);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_stay), cmocka_unit_test(open_turns),      cmocka_unit_test(limits),
        cmocka_unit_test(no_place),   cmocka_unit_test(memory_runs_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
