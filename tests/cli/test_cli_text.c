/* What is typed and what is shown, without a terminal. */
#include "base/buf.h"
#include "base/slice.h"
#include "cli/cli.h"
#include "cli/repl_input.h"
#include "cmocka_headers.h"

static void assert_harmless(const char *text, const char *expected)
{
    struct gs_buf b;

    gs_buf_init(&b, 1 << 16);
    gs_cli_put_harmless(&b, gs_slice_str(text));
    assert_true(gs_slice_eq_str(gs_buf_view(&b), expected));
    gs_buf_clear(&b);
}

static void test_harmless_text(void **state)
{
    (void)state;
    assert_harmless("tab\there\nnext", "tab\there\nnext");
    assert_harmless("\033]0;title\007", "\xEF\xBF\xBD]0;title\xEF\xBF\xBD");
    assert_harmless("a\rb\x7F", "a\xEF\xBF\xBD"
                                "b\xEF\xBF\xBD");
    assert_harmless("\xC2\x9B"
                    "31m",
                    "\xEF\xBF\xBD"
                    "31m"); /* CSI as one character */
    assert_harmless("\x9B"
                    "31m",
                    "\xEF\xBF\xBD"
                    "31m"); /* and as one byte */
    assert_harmless("\xC3\xA9\xE4\xBD\xA0", "\xC3\xA9\xE4\xBD\xA0");
    assert_harmless("", "");
}

static void assert_size(int64_t n, const char *expected)
{
    struct gs_buf b;

    gs_buf_init(&b, 64);
    gs_cli_put_size(&b, n);
    assert_true(gs_slice_eq_str(gs_buf_view(&b), expected));
    gs_buf_clear(&b);
}

static void test_sizes(void **state)
{
    (void)state;
    assert_size(0, "0 B");
    assert_size(1023, "1023 B");
    assert_size(1536, "1.5 KiB");
    assert_size(INT64_C(200) << 20, "200 MiB");
    assert_size(INT64_C(3) << 30, "3.0 GiB");
}

/* Feed lines (ended by NULL); every line but the last asks for more. */
static void assert_message(const char *const *lines, const char *expected)
{
    struct gs_cli_input in;

    gs_cli_input_init(&in);
    for (size_t i = 0; lines[i]; i++)
        assert_int_equal(gs_cli_input_line(&in, gs_slice_str(lines[i])),
                         lines[i + 1] ? GS_INPUT_MORE : GS_INPUT_READY);
    assert_true(gs_slice_eq_str(gs_buf_view(&in.text), expected));
    gs_cli_input_clear(&in);
}

static void test_messages_of_several_lines(void **state)
{
    static const char *const one[] = {"hello", NULL};
    static const char *const empty[] = {"", NULL};
    static const char *const backslash[] = {"a\\", "b\\", "c", NULL};
    static const char *const quoted[] = {"\"\"\"", "a \\", "", "b", "\"\"\"", NULL};
    static const char *const inline_quoted[] = {"\"\"\"a", "b\"\"\"", NULL};
    static const char *const one_quoted[] = {"\"\"\"a\"\"\"", NULL};

    (void)state;
    assert_message(one, "hello");
    assert_message(empty, "");
    assert_message(backslash, "a\nb\nc");
    assert_message(quoted, "a \\\n\nb\n");
    assert_message(inline_quoted, "a\nb");
    assert_message(one_quoted, "a");
}

static void assert_slash(const char *text, enum gs_cli_slash slash, const char *rest)
{
    struct gs_slice got = {NULL, 0};

    assert_int_equal(gs_cli_slash_parse(gs_slice_str(text), &got), slash);
    assert_true(gs_slice_eq_str(got, rest));
}

static void test_slash_commands(void **state)
{
    (void)state;
    assert_slash("hello", GS_SLASH_NONE, "");
    assert_slash("  /bye ", GS_SLASH_BYE, "");
    assert_slash("/system  be terse\nalways ", GS_SLASH_SYSTEM, "be terse\nalways");
    assert_slash("/set temperature 0", GS_SLASH_SET, "temperature 0");
    assert_slash("/frobnicate", GS_SLASH_UNKNOWN, "");
    assert_slash("/usr/bin/env is what?", GS_SLASH_NONE, "");
    assert_slash("/", GS_SLASH_UNKNOWN, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_harmless_text),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_messages_of_several_lines),
        cmocka_unit_test(test_slash_commands),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
