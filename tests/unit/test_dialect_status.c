/* The HTTP status of each error, where dialects differ and where a client's retry depends on it. */
#include "base/error.h"
#include "cmocka_headers.h"
#include "dialect/dialect.h"

static int status(const struct gs_dialect *d, enum gs_status st, long long needed)
{
    struct gs_error err = {0};

    gs_error_set(&err, st, "test");
    gs_error_amounts(&err, needed, 1);
    return gs_dialect_status(d, &err);
}

static void test_overload(void **state)
{
    (void)state;
    assert_int_equal(status(&gs_dialect_anthropic, GS_EBUSY, 0), 529);
    assert_int_equal(status(&gs_dialect_openai_chat, GS_EBUSY, 0), 503);
    assert_int_equal(status(&gs_dialect_ollama, GS_ECANCELLED, 0), 503);
    assert_int_equal(status(&gs_dialect_anthropic, GS_ENOMEM, 0), 529);
}

static void test_what_will_never_do(void **state)
{
    (void)state;
    assert_int_equal(status(&gs_dialect_anthropic, GS_ENOMEM, 2), 400);
    assert_int_equal(status(&gs_dialect_anthropic, GS_ECONTEXT, 2), 400);
    assert_int_equal(status(&gs_dialect_openai_chat, GS_ETEMPLATE, 0), 400);
    assert_int_equal(status(&gs_dialect_openai_chat, GS_ENOTFOUND, 0), 404);
    assert_int_equal(status(&gs_dialect_openai_chat, GS_ELIMIT, 2), 413);
}

static void test_others_faults(void **state)
{
    static const struct gs_dialect *const all[] = {&gs_dialect_anthropic, &gs_dialect_openai_chat,
                                                   &gs_dialect_openai_responses,
                                                   &gs_dialect_ollama};

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(all); i++) {
        assert_int_equal(status(all[i], GS_EUPSTREAM, 0), 502);
        assert_int_equal(status(all[i], GS_EDENIED, 0), 401);
    }
}

static void test_our_own_faults(void **state)
{
    (void)state;
    assert_int_equal(status(&gs_dialect_ollama, GS_EINTERNAL, 0), 500);
    assert_int_equal(status(&gs_dialect_ollama, GS_EIO, 0), 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_overload),
        cmocka_unit_test(test_what_will_never_do),
        cmocka_unit_test(test_others_faults),
        cmocka_unit_test(test_our_own_faults),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
