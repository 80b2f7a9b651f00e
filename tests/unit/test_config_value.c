/* Values of every type, and the things printed from the table. */
#include <string.h>

#include "base/arena.h"
#include "base/limits.h"
#include "base/slice.h"
#include "cmocka_headers.h"
#include "config/config.h"
#include "json/json.h"

static struct gs_config c;

static int setup(void **state)
{
    (void)state;
    return gs_config_init(&c) == GS_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    gs_config_clear(&c);
    return 0;
}

static bool set(enum gs_option option, const char *text)
{
    struct gs_error err;

    return gs_config_set(&c, option, gs_slice_str(text), &err) == GS_OK;
}

static void test_sizes(void **state)
{
    static const struct {
        const char *text;
        int64_t bytes; /* -1: refused */
    } rows[] = {
        {"8GiB", INT64_C(8) << 30},
        {"512MiB", INT64_C(512) << 20},
        {"1GB", 1000000000},
        {"4096", 4096},
        {"7 KiB", 7168},
        {"0", 0},
        {"1TiB", INT64_C(1) << 40},
        {"1.5GiB", -1},
        {"-1", -1},
        {"8gib", -1},
        {"GiB", -1},
        {"", -1},
        {"08GiB", -1},
        {"9999999TiB", -1},
        {"99999999999999999999", -1},
    };

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(rows); i++) {
        assert_int_equal(set(GS_OPTION_kv_bytes, rows[i].text), rows[i].bytes >= 0);
        if (rows[i].bytes >= 0)
            assert_int_equal(c.kv_bytes, rows[i].bytes);
    }
}

static void test_durations(void **state)
{
    (void)state;
    assert_true(set(GS_OPTION_keepalive_ms, "500ms"));
    assert_int_equal(c.keepalive_ms, 500);
    assert_true(set(GS_OPTION_keepalive_ms, "30s"));
    assert_int_equal(c.keepalive_ms, 30000);
    assert_true(set(GS_OPTION_keepalive_ms, "2m"));
    assert_int_equal(c.keepalive_ms, 120000);
    assert_false(set(GS_OPTION_keepalive_ms, "1h")); /* beyond the range */
    assert_false(set(GS_OPTION_keepalive_ms, "30"));
    assert_false(set(GS_OPTION_keepalive_ms, "1e3s"));
    assert_int_equal(c.keepalive_ms, 120000); /* untouched by errors */
}

static void test_numbers(void **state)
{
    (void)state;
    assert_true(set(GS_OPTION_seed, "9223372036854775807"));
    assert_int_equal(c.seed, INT64_MAX);
    assert_false(set(GS_OPTION_seed, "9223372036854775808"));
    assert_false(set(GS_OPTION_seed, "0x10"));
    assert_false(set(GS_OPTION_seed, " 1"));
    assert_true(set(GS_OPTION_repeat_last_n, "-1"));
    assert_false(set(GS_OPTION_repeat_last_n, "-01"));
    assert_true(set(GS_OPTION_temperature, "0.5"));
    assert_true(c.temperature == 0.5);
    assert_true(set(GS_OPTION_temperature, "1e-3"));
    assert_false(set(GS_OPTION_temperature, "nan"));
    assert_false(set(GS_OPTION_temperature, "11"));
    assert_false(set(GS_OPTION_temperature, "1,5"));
}

static void test_words(void **state)
{
    (void)state;
    assert_true(set(GS_OPTION_any_name, "off"));
    assert_false(c.any_name);
    assert_true(set(GS_OPTION_any_name, "1"));
    assert_true(c.any_name);
    assert_false(set(GS_OPTION_any_name, "True"));
    assert_true(set(GS_OPTION_cpu, "avx512"));
    assert_true(gs_slice_eq_str(gs_config_word(GS_OPTION_cpu, c.cpu), "avx512"));
    assert_int_equal(gs_config_word(GS_OPTION_cpu, 99).len, 0);
}

static void test_addresses(void **state)
{
    static const char *const good[] = {"127.0.0.1:0", "[::1]:65535", "localhost:80"};
    static const char *const bad[] = {"8484",  ":8484", "a:65536",    "a:-1",       "::1:80",
                                      "[]:80", "a b:1", "http://a:1", "127.0.0.1:", ""};
    char host[64];
    int port = -1;

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(good); i++)
        assert_true(set(GS_OPTION_listen, good[i]));
    for (size_t i = 0; i < GS_COUNT_OF(bad); i++)
        assert_false(set(GS_OPTION_listen, bad[i]));
    assert_int_equal(gs_config_address_split("[::1]:65535", host, sizeof(host), &port, NULL),
                     GS_OK);
    assert_string_equal(host, "::1");
    assert_int_equal(port, 65535);
    assert_int_equal(gs_config_address_split("localhost:80", host, 4, &port, NULL), GS_EINVAL);
}

static void test_suggestions(void **state)
{
    (void)state;
    assert_string_equal(gs_config_command_suggest("serv"), "serve");
    assert_string_equal(gs_config_command_suggest("rnu"), "run");
    assert_null(gs_config_command_suggest("frobnicate"));
    assert_null(gs_config_command_suggest(""));
}

static void test_schema_is_json_and_knows_each_key(void **state)
{
    struct gs_arena a;
    struct gs_buf b;
    struct gs_json v;

    (void)state;
    gs_arena_init(&a, 0);
    gs_buf_init(&b, GS_MAX_CONFIG_BYTES);
    gs_config_write_schema(&b);
    assert_true(gs_buf_ok(&b));
    assert_int_equal(gs_json_parse(gs_buf_view(&b), &a, &v, NULL), GS_OK);
    const struct gs_json *properties = gs_json_get(&v, "properties");
    assert_non_null(gs_json_get(properties, "kv_type"));
    const struct gs_json *sampling = gs_json_get(properties, "sampling");
    assert_non_null(gs_json_get(gs_json_get(sampling, "properties"), "top_k"));
    assert_null(gs_json_get(properties, "json"));
    gs_buf_clear(&b);
    gs_arena_clear(&a);
}

static void test_settings_read_back_and_keep_secrets(void **state)
{
    struct gs_buf b;
    struct gs_buf report;

    (void)state;
    gs_buf_init(&b, GS_MAX_CONFIG_BYTES);
    gs_buf_init(&report, GS_MAX_CONFIG_BYTES);
    assert_true(set(GS_OPTION_api_key, "hunter2"));
    assert_true(set(GS_OPTION_system, "say \"a\\b\"\n\x1b"));
    assert_true(set(GS_OPTION_stop, "one"));
    assert_true(set(GS_OPTION_stop, "two"));
    gs_config_write_settings(&c, &b);
    assert_true(gs_buf_ok(&b));
    const struct gs_slice text = gs_buf_view(&b);
    assert_true(gs_slice_find(text, GS_SLICE_LIT("hunter2"), 0) == SIZE_MAX);
    assert_int_equal(gs_config_read_yaml(&c, "settings", text, NULL, &report), GS_OK);
    assert_string_equal(c.system, "say \"a\\b\"\n\x1b");
    assert_int_equal(c.stop.len, 2);
    gs_buf_clear(&b);
    gs_buf_clear(&report);
}

static void test_everything_is_printed(void **state)
{
    struct gs_buf b;

    (void)state;
    gs_buf_init(&b, GS_MAX_CONFIG_BYTES);
    gs_config_write_overview(&b);
    for (int i = 0; i < GS_COMMAND_COUNT; i++)
        gs_config_write_help((enum gs_command)i, &b);
    gs_config_write_man(&b);
    assert_true(gs_config_write_completion("bash", &b));
    assert_true(gs_config_write_completion("zsh", &b));
    assert_true(gs_config_write_completion("fish", &b));
    assert_false(gs_config_write_completion("tcsh", &b));
    assert_true(gs_buf_ok(&b));
    gs_buf_clear(&b);
    gs_buf_init(&b, 100); /* a full buffer is noticed, not overrun */
    gs_config_write_man(&b);
    gs_config_write_help(GS_COMMAND_RUN, &b);
    assert_false(gs_buf_ok(&b));
    gs_buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sizes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_durations, setup, teardown),
        cmocka_unit_test_setup_teardown(test_numbers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_words, setup, teardown),
        cmocka_unit_test_setup_teardown(test_addresses, setup, teardown),
        cmocka_unit_test(test_suggestions),
        cmocka_unit_test(test_schema_is_json_and_knows_each_key),
        cmocka_unit_test_setup_teardown(test_settings_read_back_and_keep_secrets, setup, teardown),
        cmocka_unit_test(test_everything_is_printed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
