/* What providers say when they refuse, as they say it, and which fault it is. */
#include "cmocka_headers.h"

#include "base/arena.h"
#include "base/slice.h"
#include "dialect/refusal.h"
#include "json/json.h"

#define ANTHROPIC(type, message)                                                                   \
    "{\"type\":\"error\",\"error\":{\"type\":\"" type "\",\"message\":\"" message "\"}}"
#define OPENAI(type, code, message)                                                                \
    "{\"error\":{\"message\":\"" message "\",\"type\":\"" type "\",\"param\":null,\"code\":" code  \
    "}}"

static const struct {
    int status;
    const char *body;
    enum gs_fault fault;
    long long needed, available;
} refusals[] = {
    /* too many, and too much */
    {429,
     ANTHROPIC("rate_limit_error", "This request would exceed your organization's rate limit of "
                                   "40,000 input tokens per minute"),
     GS_FAULT_RATE_LIMIT, 0, 0},
    {429,
     OPENAI("requests", "\"rate_limit_exceeded\"",
            "Rate limit reached for gpt-4o on tokens per min (TPM): Limit 30000, Used 29000"),
     GS_FAULT_RATE_LIMIT, 0, 0},
    {429,
     OPENAI("requests", "\"rate_limit_exceeded\"",
            "Rate limit reached for m on requests per day (RPD): Limit 200"),
     GS_FAULT_QUOTA, 0, 0},
    {429,
     OPENAI("insufficient_quota", "\"insufficient_quota\"",
            "You exceeded your current quota, please check your plan and billing details."),
     GS_FAULT_QUOTA, 0, 0},
    {429, ANTHROPIC("rate_limit_error", "You have reached your usage limit"), GS_FAULT_QUOTA, 0, 0},
    {429,
     "[{\"error\":{\"code\":429,\"message\":\"Quota exceeded for quota metric 'Requests' and limit "
     "'Requests per minute'\",\"status\":\"RESOURCE_EXHAUSTED\"}}]",
     GS_FAULT_RATE_LIMIT, 0, 0},
    {429,
     "{\"error\":{\"code\":429,\"message\":\"Resource has been exhausted (e.g. check "
     "quota).\",\"status\":\"RESOURCE_EXHAUSTED\"}}",
     GS_FAULT_QUOTA, 0, 0},
    {429,
     OPENAI("engine_overloaded_error", "null",
            "The engine is currently overloaded, please try again later"),
     GS_FAULT_OVERLOADED, 0, 0},
    {429, "", GS_FAULT_RATE_LIMIT, 0, 0},
    {429, "<html><title>429 Too Many Requests</title></html>", GS_FAULT_RATE_LIMIT, 0, 0},
    {529, ANTHROPIC("overloaded_error", "Overloaded"), GS_FAULT_OVERLOADED, 0, 0},
    {503, "{\"error\":\"server busy, please try again.  maximum pending requests exceeded\"}",
     GS_FAULT_OVERLOADED, 0, 0},
    {503, "<html><head><title>503 Service Temporarily Unavailable</title></head>",
     GS_FAULT_OVERLOADED, 0, 0},
    {500, OPENAI("server_error", "null", "The server is overloaded or not ready yet"),
     GS_FAULT_OVERLOADED, 0, 0},
    /* it fails; what it says of contexts is no finding */
    {500, ANTHROPIC("api_error", "Internal server error"), GS_FAULT_SERVER_ERROR, 0, 0},
    {500,
     OPENAI("server_error", "\"context_length_exceeded\"",
            "prompt is too long: 2 tokens > 1 maximum"),
     GS_FAULT_SERVER_ERROR, 0, 0},
    {502, "<html>\r\n<head><title>502 Bad Gateway</title></head>", GS_FAULT_SERVER_ERROR, 0, 0},
    {504, "upstream request timeout", GS_FAULT_SERVER_ERROR, 0, 0},
    {520, "error code: 520", GS_FAULT_SERVER_ERROR, 0, 0},
    {599, "", GS_FAULT_SERVER_ERROR, 0, 0},
    {408, "", GS_FAULT_SERVER_ERROR, 0, 0},
    {409, "{\"error\":{\"message\":\"conflict\"}}", GS_FAULT_SERVER_ERROR, 0, 0},
    {424, "{\"error\":{\"message\":\"model dependency failed\"}}", GS_FAULT_SERVER_ERROR, 0, 0},
    {425, "", GS_FAULT_SERVER_ERROR, 0, 0},
    /* keys and money */
    {401, ANTHROPIC("authentication_error", "invalid x-api-key"), GS_FAULT_AUTH, 0, 0},
    {401,
     OPENAI("invalid_request_error", "\"invalid_api_key\"", "Incorrect API key provided: sk-***."),
     GS_FAULT_AUTH, 0, 0},
    {403, ANTHROPIC("permission_error", "Your API key does not have permission"), GS_FAULT_AUTH, 0,
     0},
    {403,
     "{\"error\":{\"code\":403,\"message\":\"Your chosen model requires moderation and your input "
     "was flagged for x\"}}",
     GS_FAULT_POLICY, 0, 0},
    {403,
     OPENAI("invalid_request_error", "\"model_not_found\"",
            "Project p does not have access to model gpt-x"),
     GS_FAULT_MODEL_GONE, 0, 0},
    {403, "<!DOCTYPE html><html><title>Just a moment...</title>", GS_FAULT_PORTAL, 0, 0},
    {400,
     "{\"error\":{\"code\":400,\"message\":\"API key not valid. Please pass a valid API "
     "key.\",\"status\":\"INVALID_ARGUMENT\"}}",
     GS_FAULT_AUTH, 0, 0},
    {402,
     "{\"error\":{\"message\":\"This request requires more credits, or fewer "
     "max_tokens\",\"code\":402}}",
     GS_FAULT_BILLING, 0, 0},
    {402, OPENAI("unknown_error", "\"invalid_request_error\"", "Insufficient Balance"),
     GS_FAULT_BILLING, 0, 0},
    {400,
     ANTHROPIC("invalid_request_error",
               "Your credit balance is too low to access the Anthropic API. Please go to Plans & "
               "Billing to upgrade or purchase credits."),
     GS_FAULT_BILLING, 0, 0},
    /* models and paths */
    {404, ANTHROPIC("not_found_error", "model: claude-old-1"), GS_FAULT_MODEL_GONE, 0, 0},
    {404,
     OPENAI("invalid_request_error", "\"model_not_found\"",
            "The model `x` does not exist or you do not have access to it."),
     GS_FAULT_MODEL_GONE, 0, 0},
    {404, "{\"error\":\"model 'x' not found\"}", GS_FAULT_MODEL_GONE, 0, 0},
    {404,
     "{\"error\":{\"code\":\"DeploymentNotFound\",\"message\":\"The API deployment for this "
     "resource does not exist.\"}}",
     GS_FAULT_MODEL_GONE, 0, 0},
    {404, "{\"error\":{\"message\":\"No endpoints found for a/b.\",\"code\":404}}",
     GS_FAULT_MODEL_GONE, 0, 0},
    {400, "{\"error\":{\"message\":\"a/b is not a valid model ID\",\"code\":400}}",
     GS_FAULT_MODEL_GONE, 0, 0},
    {410, "", GS_FAULT_MODEL_GONE, 0, 0},
    {404, ANTHROPIC("not_found_error", "Not Found"), GS_FAULT_SERVER_ERROR, 0, 0},
    {404, "404 page not found", GS_FAULT_SERVER_ERROR, 0, 0},
    {404, "{\"detail\":\"Not Found\"}", GS_FAULT_SERVER_ERROR, 0, 0},
    {404, "<html><title>No such model page</title>", GS_FAULT_SERVER_ERROR, 0, 0},
    {405, "{\"detail\":\"Method Not Allowed\"}", GS_FAULT_SERVER_ERROR, 0, 0},
    /* too long */
    {400, ANTHROPIC("invalid_request_error", "prompt is too long: 200001 tokens > 200000 maximum"),
     GS_FAULT_CONTEXT, 200001, 200000},
    {400,
     ANTHROPIC("invalid_request_error",
               "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000, "
               "decrease input length or `max_tokens` and try again"),
     GS_FAULT_CONTEXT, 210000, 200000},
    {400,
     OPENAI("invalid_request_error", "\"context_length_exceeded\"",
            "This model's maximum context length is 8192 tokens. However, your messages resulted "
            "in 10000 tokens. Please reduce the length of the messages."),
     GS_FAULT_CONTEXT, 10000, 8192},
    {400,
     OPENAI("invalid_request_error", "\"context_length_exceeded\"",
            "Your input exceeds the context window of this model. Please adjust your input and try "
            "again."),
     GS_FAULT_CONTEXT, 0, 0},
    {400,
     "{\"error\":{\"code\":400,\"message\":\"the request exceeds the available context size, try "
     "increasing "
     "it\",\"type\":\"exceed_context_size_error\",\"n_prompt_tokens\":5000,\"n_ctx\":4096}}",
     GS_FAULT_CONTEXT, 5000, 4096},
    {400,
     "{\"object\":\"error\",\"message\":\"This model's maximum context length is 4,096 tokens. "
     "However, you requested 5,000 tokens\",\"type\":\"BadRequestError\",\"code\":400}",
     GS_FAULT_CONTEXT, 5000, 4096},
    {400,
     "{\"error\":{\"code\":400,\"message\":\"The input token count (1048577) exceeds the maximum "
     "number of tokens allowed (1048576).\",\"status\":\"INVALID_ARGUMENT\"}}",
     GS_FAULT_CONTEXT, 1048577, 1048576},
    {422,
     "{\"error\":\"This gpt-4-32k model's maximum prompt length is 131072 but the request contains "
     "200000 tokens.\"}",
     GS_FAULT_CONTEXT, 200000, 131072},
    {413, OPENAI("tokens", "\"context_length_exceeded\"", "Prompt too long"), GS_FAULT_CONTEXT, 0,
     0},
    {413, ANTHROPIC("request_too_large", "Request exceeds the maximum size"), GS_FAULT_TOO_LARGE, 0,
     0},
    {413, "<html><title>413 Request Entity Too Large</title>", GS_FAULT_TOO_LARGE, 0, 0},
    {431, "", GS_FAULT_TOO_LARGE, 0, 0},
    {400, "<html><title>400 Request Header Or Cookie Too Large</title>", GS_FAULT_TOO_LARGE, 0, 0},
    {400,
     OPENAI("invalid_request_error", "\"string_above_max_length\"",
            "Invalid 'input': string too long. Expected a string with maximum length 10485760"),
     GS_FAULT_TOO_LARGE, 0, 0},
    /* it cannot */
    {400,
     ANTHROPIC("invalid_request_error",
               "This model does not support assistant message prefill. The conversation must end "
               "with a user message."),
     GS_FAULT_UNFIT, 0, 0},
    {500,
     OPENAI("server_error", "500",
            "image input is not supported - hint: if this is unexpected, you may need to provide "
            "the mmproj"),
     GS_FAULT_UNFIT, 0, 0},
    {404, "{\"error\":{\"message\":\"No endpoints found that support image input\",\"code\":404}}",
     GS_FAULT_UNFIT, 0, 0},
    {404,
     "{\"error\":{\"message\":\"No endpoints found that support tool use. Try disabling "
     "\\\"x\\\".\",\"code\":404}}",
     GS_FAULT_UNFIT, 0, 0},
    {400, "{\"error\":\"registry.ollama.ai/library/gemma:2b does not support tools\"}",
     GS_FAULT_UNFIT, 0, 0},
    {400,
     "{\"object\":\"error\",\"message\":\"\\\"auto\\\" tool choice requires "
     "--enable-auto-tool-choice and --tool-call-parser to be set\",\"code\":400}",
     GS_FAULT_UNFIT, 0, 0},
    {400, "{\"object\":\"error\",\"message\":\"a/b is not a multimodal model\",\"code\":400}",
     GS_FAULT_UNFIT, 0, 0},
    {400,
     OPENAI("invalid_request_error", "\"unsupported_parameter\"",
            "Unsupported parameter: 'temperature' is not supported with this model."),
     GS_FAULT_UNFIT, 0, 0},
    {422,
     "{\"error\":{\"message\":\"Failed to deserialize: messages[0]: unknown variant `image_url`, "
     "expected `text`\"}}",
     GS_FAULT_UNFIT, 0, 0},
    {400,
     OPENAI("invalid_request_error", "null", "'x' is not supported: use a JSON schema instead"),
     GS_FAULT_BAD_REQUEST, 0, 0},
    /* what it says */
    {400, ANTHROPIC("invalid_request_error", "Output blocked by content filtering policy"),
     GS_FAULT_POLICY, 0, 0},
    {400,
     OPENAI("null", "\"content_filter\"",
            "The response was filtered due to the prompt triggering Azure OpenAI's content "
            "management policy."),
     GS_FAULT_POLICY, 0, 0},
    {400,
     OPENAI("invalid_request_error", "\"invalid_prompt\"",
            "Invalid prompt: your prompt was flagged as potentially violating our usage policy."),
     GS_FAULT_POLICY, 0, 0},
    /* wrong, or said to be */
    {400, ANTHROPIC("invalid_request_error", "messages.0.content: Field required"),
     GS_FAULT_BAD_REQUEST, 0, 0},
    {400,
     "{\"error\":{\"message\":\"Provider returned "
     "error\",\"code\":400,\"metadata\":{\"raw\":\"ERROR\",\"provider_name\":\"X\"}}}",
     GS_FAULT_SERVER_ERROR, 0, 0},
    {400,
     "{\"error\":{\"message\":\"Provider returned "
     "error\",\"code\":400,\"metadata\":{\"raw\":\"{\\\"error\\\":\\\"prompt is too long\\\"}\"}}}",
     GS_FAULT_CONTEXT, 0, 0},
    {422,
     "{\"detail\":[{\"loc\":[\"body\",\"n\"],\"msg\":\"field "
     "required\",\"type\":\"value_error.missing\"}]}",
     GS_FAULT_BAD_REQUEST, 0, 0},
    {418, "", GS_FAULT_SERVER_ERROR, 0, 0},
    {415, "", GS_FAULT_BAD_REQUEST, 0, 0},
    {307, "", GS_FAULT_REDIRECT, 0, 0},
    {407, "<html></html>", GS_FAULT_PROXY, 0, 0},
    {511, "<html></html>", GS_FAULT_PORTAL, 0, 0},
    {200, "<html><title>Welcome to the hotel</title></html>", GS_FAULT_PORTAL, 0, 0},
    {204, "", GS_FAULT_MALFORMED, 0, 0},
};

static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(refusals); i++) {
        struct gs_error err = {0};
        const enum gs_fault fault =
            gs_dialect_read_refusal(refusals[i].status, gs_slice_str(refusals[i].body), &err);
        if (fault != refusals[i].fault || err.needed != refusals[i].needed ||
            err.available != refusals[i].available)
            fail_msg("%d %s: read as %s (%s), %lld of %lld", refusals[i].status, refusals[i].body,
                     gs_fault_word(fault), err.msg, err.needed, err.available);
        assert_int_not_equal(err.code, GS_OK);
        assert_true(err.msg[0] != '\0');
    }
}

/* The words are the server's own, on one line, cut between characters. */
static void test_words(void **state)
{
    struct gs_error err = {0};
    char body[4096] = "\t";

    (void)state;
    gs_dialect_read_refusal(400, GS_SLICE_LIT("{\"error\":\" a\\r\\n\\u0001b\\u009bc\\u0000d. \"}"),
                            &err);
    assert_string_equal(err.msg, "a b c d");
    assert_int_equal(err.code, GS_EINVAL);
    gs_dialect_read_refusal(502, GS_SLICE_LIT("bad \xff gateway"), &err);
    assert_string_equal(err.msg, "bad ? gateway");
    gs_dialect_read_refusal(503, GS_SLICE_LIT(""), &err);
    assert_string_equal(err.msg, "it is overloaded (HTTP status 503)");
    assert_int_equal(err.code, GS_EBUSY);
    gs_dialect_read_refusal(404, GS_SLICE_LIT("Not Found"), &err);
    assert_string_equal(err.hint, "There is nothing at this address: check the provider's url.");
    for (size_t i = 0; i < 1000; i++)
        memcpy(body + 3 * i, "\xe2\x82\xac", 3);
    gs_dialect_read_refusal(500, gs_slice(body, 3000), &err);
    assert_true(gs_utf8_valid(gs_slice_str(err.msg)));
    assert_in_range(strlen(err.msg), 300, 400);
}

static const struct {
    const char *frame;
    enum gs_fault fault;
} events[] = {
    {ANTHROPIC("overloaded_error", "Overloaded"), GS_FAULT_OVERLOADED},
    {ANTHROPIC("rate_limit_error", "slow down"), GS_FAULT_RATE_LIMIT},
    {ANTHROPIC("api_error", "Internal server error"), GS_FAULT_ERROR_EVENT},
    {ANTHROPIC("invalid_request_error", "bad"), GS_FAULT_BAD_REQUEST},
    {ANTHROPIC("invalid_request_error", "prompt is too long: 3 tokens > 2 maximum"),
     GS_FAULT_CONTEXT},
    {"{\"error\":{\"code\":502,\"message\":\"Provider disconnected\"}}", GS_FAULT_ERROR_EVENT},
    {"{\"error\":{\"code\":429,\"message\":\"x\"}}", GS_FAULT_RATE_LIMIT},
    {"{\"error\":{\"code\":\"server_error\",\"message\":\"x\"}}", GS_FAULT_ERROR_EVENT},
    {"{\"response\":{\"error\":{\"code\":\"rate_limit_exceeded\",\"message\":\"x\"}}}",
     GS_FAULT_RATE_LIMIT},
    {"{\"error\":\"an error was encountered while running the model\"}", GS_FAULT_ERROR_EVENT},
    {"{}", GS_FAULT_ERROR_EVENT},
};

static void test_events(void **state)
{
    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(events); i++) {
        struct gs_error err = {0};
        struct gs_arena a;
        struct gs_json v;
        gs_arena_init(&a, 0);
        assert_int_equal(gs_json_parse(gs_slice_str(events[i].frame), &a, &v, NULL), GS_OK);
        const enum gs_fault fault = gs_dialect_read_error(&v, &err);
        if (fault != events[i].fault)
            fail_msg("%s: read as %s", events[i].frame, gs_fault_word(fault));
        gs_arena_clear(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_events),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
