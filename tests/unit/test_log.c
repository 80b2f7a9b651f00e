/* The log, read back through a pipe. */
#include "cmocka_headers.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/slice.h"

static char text[8192];
static int pipe_ends[2];

static int setup(void **state)
{
    (void)state;
    return pipe(pipe_ends);
}

static int teardown(void **state)
{
    (void)state;
    close(pipe_ends[0]);
    return close(pipe_ends[1]);
}

/* What was written, without the time at its start. */
static const char *written(size_t time_len)
{
    const ssize_t n = read(pipe_ends[0], text, sizeof(text) - 1);

    assert_true(n > (ssize_t)time_len);
    text[n] = '\0';
    return text + time_len;
}

#define TEXT_TIME (sizeof("2026-01-15T09:30:00.123Z") - 1)

static void writes_text(void **state)
{
    struct gs_log log = {GS_LOG_INFO, GS_LOG_TEXT, pipe_ends[1]};
    (void)state;

    gs_log_write(&log, GS_LOG_WARN, "http", "slow \"%s\"", "client");
    const char *line = strchr(written(20), ' ');
    assert_string_equal(line, " warn  http: slow \"client\"\n");
    gs_log_write(&log, GS_LOG_INFO, "x", "a\nb\x1B[0m\x7F");
    assert_string_equal(strchr(written(20), ' '), " info  x: a\\u000ab\\u001b[0m\\u007f\n");
}

static void writes_json(void **state)
{
    struct gs_log log = {GS_LOG_DEBUG, GS_LOG_JSON, pipe_ends[1]};
    (void)state;

    gs_log_write(&log, GS_LOG_DEBUG, "http", "a \"b\" \\ \t");
    const char *line = strstr(written(0), "\"level\"");
    assert_string_equal(
        line, "\"level\":\"debug\",\"area\":\"http\",\"msg\":\"a \\\"b\\\" \\\\ \\u0009\"}\n");
    assert_memory_equal(text, "{\"time\":\"2", 10);
}

static void drops_what_is_below_the_level(void **state)
{
    struct gs_log log = {GS_LOG_ERROR, GS_LOG_TEXT, pipe_ends[1]};
    (void)state;

    gs_log_write(&log, GS_LOG_WARN, "x", "not this");
    gs_log_write(NULL, GS_LOG_ERROR, "x", "nor this");
    gs_log_write(&log, GS_LOG_ERROR, "x", "but this");
    assert_string_equal(strchr(written(20), ' '), " error x: but this\n");
    log.fd = -1;
    gs_log_write(&log, GS_LOG_ERROR, "x", "nowhere to go");
}

static void long_lines_end(void **state)
{
    struct gs_log log = {GS_LOG_INFO, GS_LOG_JSON, pipe_ends[1]};
    char raw[4000];
    (void)state;

    memset(raw, '\x01', sizeof(raw) - 1); /* each becomes six bytes */
    raw[sizeof(raw) - 1] = '\0';
    gs_log_write(&log, GS_LOG_INFO, "x", "%s", raw);
    const char *line = written(0);
    const size_t len = strlen(line);
    assert_string_equal(line + len - 3, "\"}\n");
    for (size_t i = 1; i + 3 < sizeof(raw); i += 3) /* cut within a character */
        memcpy(raw + i, "\xE4\xB8\xAD", 3);
    gs_log_write(&log, GS_LOG_INFO, "x", "%s", raw);
    line = written(0);
    assert_true(gs_utf8_valid(gs_slice_str(line)));
    gs_log_write(&log, GS_LOG_INFO, "x", "a\xFFz");
    assert_non_null(strstr(written(0), "\"a\xEF\xBF\xBDz\""));
}

static void parses_levels(void **state)
{
    enum gs_log_level level = GS_LOG_DEBUG;
    (void)state;

    assert_true(gs_log_level_parse("error", &level));
    assert_int_equal(level, GS_LOG_ERROR);
    assert_true(gs_log_level_parse("debug", &level));
    assert_int_equal(level, GS_LOG_DEBUG);
    assert_false(gs_log_level_parse("loud", &level));
    assert_int_equal(level, GS_LOG_DEBUG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(writes_text, setup, teardown),
        cmocka_unit_test_setup_teardown(writes_json, setup, teardown),
        cmocka_unit_test_setup_teardown(drops_what_is_below_the_level, setup, teardown),
        cmocka_unit_test_setup_teardown(long_lines_end, setup, teardown),
        cmocka_unit_test(parses_levels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
