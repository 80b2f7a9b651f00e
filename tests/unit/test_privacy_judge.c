/* Judging a body: which class it is of, what was found, and where nothing is looked for. */
#include "cmocka_headers.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/limits.h"
#include "base/slice.h"
#include "privacy/privacy.h"

static const struct gs_config_secret_rule rules[] = {
    {.find = GS_DETECT_PRIVATE_KEY, .privacy = GS_PRIVACY_LOCAL_ONLY},
    {.find = GS_DETECT_API_KEY, .privacy = GS_PRIVACY_REDACT},
    {.find = GS_DETECT_PASSWORD, .privacy = GS_PRIVACY_REDACT},
};

#define KEY "sk-ant-api03-Zx81mQp0vLk2Tn5Rw7Yb-3Hc6Jd9Fg4"

static struct gs_privacy_findings judge(const char *body)
{
    struct gs_privacy_findings found;
    struct gs_error err = {0};

    if (gs_privacy_judge(rules, GS_COUNT_OF(rules), gs_slice_str(body), NULL, &found, &err) !=
        GS_OK)
        fail_msg("%s", err.msg);
    return found;
}

static void is_of(const char *body, enum gs_privacy privacy, enum gs_detector d, unsigned n)
{
    const struct gs_privacy_findings found = judge(body);

    if (found.privacy != privacy || found.n_found[d] != n)
        fail_msg("%s: class %d, %u of %s", body, (int)found.privacy, found.n_found[d],
                 gs_privacy_detector_name(d));
}

static void finds_in_every_string(void **state)
{
    (void)state;
    is_of("{\"messages\": [{\"role\": \"user\", \"content\": \"hello\"}]}", GS_PRIVACY_ANY,
          GS_DETECT_API_KEY, 0);
    is_of("{\"messages\": [{\"role\": \"user\", \"content\": \"use " KEY "\"}]}", GS_PRIVACY_REDACT,
          GS_DETECT_API_KEY, 1);
    is_of("{\"system\": [{\"type\": \"text\", \"text\": \"a " KEY " and " KEY "\"}]}",
          GS_PRIVACY_REDACT, GS_DETECT_API_KEY, 2);
    is_of("[\"\\u0073k-ant-api03-Zx81mQp0vLk2Tn5Rw7Yb-3Hc6Jd9Fg4\"]", GS_PRIVACY_REDACT,
          GS_DETECT_API_KEY, 1);
    is_of("{\"input\": {\"" KEY "\": 1}}", GS_PRIVACY_REDACT, GS_DETECT_API_KEY, 1);
    is_of("{\"input\": {\"password\": \"hunter22\"}}", GS_PRIVACY_REDACT, GS_DETECT_PASSWORD, 1);
    is_of("{\"arguments\": \"{\\\"password\\\": \\\"hun\\\\u0074er22\\\"}\"}", GS_PRIVACY_REDACT,
          GS_DETECT_PASSWORD, 1);
}

static void refuses_what_is_no_json(void **state)
{
    static const char *const bodies[] = {
        "",          "{",     "{\"a\"}", "[1,]",        "{\"a\": \"b}", "[] []",
        "[\"\\x\"]", "[tru]", "{1: 2}",  "[\"\\ud8\"]", "[1 2]",        "[\"a\" \"b\"]"};
    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(bodies); i++) {
        struct gs_privacy_findings found;
        struct gs_error err = {0};
        const enum gs_status st = gs_privacy_judge(rules, GS_COUNT_OF(rules),
                                                   gs_slice_str(bodies[i]), NULL, &found, &err);
        if (st != GS_EFORMAT || err.msg[0] == '\0')
            fail_msg("%s: %d", bodies[i], (int)st);
    }
}

static void passes_over_ids_and_images(void **state)
{
    (void)state;
    is_of("{\"model\": \"" KEY "\", \"id\": \"" KEY "\", \"signature\": \"" KEY "\"}",
          GS_PRIVACY_ANY, GS_DETECT_API_KEY, 0);
    is_of("{\"url\": \"data:image/png;base64," KEY "\", \"images\": [\"" KEY "\"]}", GS_PRIVACY_ANY,
          GS_DETECT_API_KEY, 0);
    is_of("{\"source\": {\"type\": \"text\", \"data\": \"a text: " KEY "\"}}", GS_PRIVACY_REDACT,
          GS_DETECT_API_KEY, 1);
    is_of("{\"source\": {\"data\": \"" KEY "\"}}", GS_PRIVACY_REDACT, GS_DETECT_API_KEY, 1);
    is_of("{\"content\": \"data:image/png;base64,AAAA and " KEY "\"}", GS_PRIVACY_REDACT,
          GS_DETECT_API_KEY, 1);
    is_of("{\"input\": {\"id\": \"" KEY "\"}}", GS_PRIVACY_REDACT, GS_DETECT_API_KEY, 1);
}

static void keeps_here_what_cannot_be_taken_out(void **state)
{
    (void)state;
    is_of("{\"url\": \"https://ann:s3cr3t-x@example.com/a.png\"}", GS_PRIVACY_LOCAL_ONLY,
          GS_DETECT_PASSWORD, 1);
    is_of("{\"" KEY "\": 1}", GS_PRIVACY_LOCAL_ONLY, GS_DETECT_API_KEY, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_in_every_string),
        cmocka_unit_test(refuses_what_is_no_json),
        cmocka_unit_test(passes_over_ids_and_images),
        cmocka_unit_test(keeps_here_what_cannot_be_taken_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
