/* What a tool's texts become, and who holds on to a server. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/slice.h"
#include "cli/launch.h"
#include "cmocka_headers.h"
#include "config/config_table.h"

static const struct gs_cli_place place = {
    .url = "http://h:1", .key = "k'\"", .model = "m", .folder = "/f"};

static void check_text(const struct gs_cli_place *p, const char *text, const char *expected)
{
    struct gs_buf b;

    gs_buf_init(&b, GS_MAX_TEXT_BYTES);
    gs_cli_tool_expand(text, p, &b);
    if (!gs_slice_eq_str(gs_buf_view(&b), expected))
        fail_msg("%s -> %.*s", text, (int)b.len, b.ptr);
    gs_buf_clear(&b);
}

static void test_placeholders(void **state)
{
    struct gs_cli_place known = place;

    (void)state;
    known.ctx_tokens = 4096;
    check_text(&place, "{url}/v1 {model} {folder}", "http://h:1/v1 m /f");
    check_text(&place, "{\"key\":{\"key\"},\"a\":{}}", "{\"key\":\"k'\\\"\",\"a\":{}}");
    check_text(&place, "a{?,{ctx}?}b", "ab");
    check_text(&known, "a{?,{ctx}?}b", "a,4096b");
    check_text(&known, "{answer} {prompt}", "1024 3072");
    check_text(&place, "{?{answer}?}{?{prompt}?}", "");
    known.ctx_tokens = 1000000;
    check_text(&known, "{answer} {prompt}", "32000 968000");
    check_text(&place, "a{?{model}?}b{?{ctx}?}", "amb");
    check_text(&place, "{nothing} { {\"\"} {", "{nothing} { {\"\"} {");
}

static void test_table(void **state)
{
    const char *launched = gs_config_commands[GS_COMMAND_LAUNCH].args;
    const char *printed = gs_config_commands[GS_COMMAND_ENV].args;
    size_t n_printed = 0;

    (void)state;
    for (const struct gs_cli_tool *t = gs_cli_tools; t->name; t++) {
        assert_true(
            gs_slice_eq_str(gs_config_words_get(launched, (size_t)(t - gs_cli_tools)), t->name));
        if (t->program)
            assert_true(gs_slice_eq_str(gs_config_words_get(printed, n_printed++), t->name));
        assert_ptr_equal(gs_cli_tool_find(t->name), t);
        assert_non_null(t->title);
        assert_int_equal((t->program != NULL) + (t->settings != NULL) + (t->refusal != NULL), 1);
        if (t->program) {
            assert_non_null(t->install);
            assert_non_null(t->env);
        }
    }
}

/* The lock is the process's that launched, and gone with it. */
static void test_hold(void **state)
{
    char dir[] = "/tmp/genset-launch-XXXXXX";
    char path[64];
    struct gs_config c = {0};
    int up[2], down[2];
    char byte = 0;

    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(pipe(up), 0);
    assert_int_equal(pipe(down), 0);
    c.state_dir = dir;
    assert_false(gs_cli_launch_is_held(&c, 7));
    const pid_t tool = fork();
    if (tool == 0) {
        const struct gs_cli_launch l = {.config = &c, .port = 7};
        gs_cli_launch_hold(&l);
        const bool told = write(up[1], "x", 1) == 1;
        close(down[1]);
        _exit(told && read(down[0], &byte, 1) == 0 ? 0 : 1);
    }
    assert_int_equal(read(up[0], &byte, 1), 1);
    assert_true(gs_cli_launch_is_held(&c, 7));
    assert_false(gs_cli_launch_is_held(&c, 8));
    close(down[1]);
    assert_int_equal(waitpid(tool, NULL, 0), tool);
    assert_false(gs_cli_launch_is_held(&c, 7));
    close(up[0]);
    close(up[1]);
    close(down[0]);
    snprintf(path, sizeof(path), "%s/serve-7.lock", dir);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_placeholders),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
