/* The error object. */
#include "cmocka_headers.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/slice.h"

static void messages_are_built(void **state)
{
    struct gs_error err;
    (void)state;

    assert_int_equal(gs_error_set(&err, GS_EFORMAT, "bad %s", "thing"), GS_EFORMAT);
    assert_int_equal(err.code, GS_EFORMAT);
    assert_string_equal(err.msg, "bad thing");
    assert_string_equal(err.hint, "");
    gs_error_prefix(&err, "file \"%s\"", "x");
    assert_string_equal(err.msg, "file \"x\": bad thing");
    gs_error_hint(&err, "Use %d.", 7);
    assert_string_equal(err.hint, "Use 7.");
    gs_error_amounts(&err, 10, 5);
    assert_true(err.needed == 10 && err.available == 5);
    assert_int_equal(gs_error_errno(&err, GS_EIO, ENOENT, "no %s", "file"), GS_EIO);
    assert_string_equal(err.msg, "no file: No such file or directory");
    assert_string_equal(err.hint, ""); /* a new error starts afresh */
    assert_int_equal(gs_error_nomem(&err, "sing"), GS_ENOMEM);
    assert_string_equal(err.msg, "not enough memory to sing");
}

static void long_messages_are_cut(void **state)
{
    struct gs_error err;
    char text[2000];
    (void)state;

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    gs_error_set(&err, GS_EIO, "%s", text);
    assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
    gs_error_prefix(&err, "%s", text);
    gs_error_errno(&err, GS_EIO, EIO, "%s", text);
    gs_error_hint(&err, "%s", text);
    gs_error_pos(&err, text, 1, 2);
    assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
    assert_int_equal(strlen(err.hint), sizeof(err.hint) - 1);
    assert_int_equal(strlen(err.source), sizeof(err.source) - 1);
}

static void no_object_is_fine(void **state)
{
    (void)state;
    assert_int_equal(gs_error_set(NULL, GS_EIO, "x"), GS_EIO);
    assert_int_equal(gs_error_errno(NULL, GS_EIO, EIO, "x"), GS_EIO);
    assert_int_equal(gs_error_nomem(NULL, "x"), GS_ENOMEM);
    gs_error_prefix(NULL, "x");
    gs_error_hint(NULL, "x");
    gs_error_pos(NULL, "x", 1, 1);
    gs_error_pos_in(NULL, "x", GS_SLICE_LIT("x"), 0);
    gs_error_amounts(NULL, 1, 1);
}

static void positions_count_characters(void **state)
{
    const struct gs_slice text = GS_SLICE_LIT("a\xC3\xA9z\n\nb");
    static const struct {
        size_t off;
        int line;
        int col;
    } rows[] = {{0, 1, 1}, {1, 1, 2}, {3, 1, 3}, {5, 2, 1}, {6, 3, 1}, {7, 3, 2}, {100, 3, 2}};
    (void)state;

    for (size_t i = 0; i < GS_COUNT_OF(rows); i++) {
        struct gs_error err = {0};
        gs_error_pos_in(&err, "t", text, rows[i].off);
        assert_int_equal(err.line, rows[i].line);
        assert_int_equal(err.col, rows[i].col);
        assert_string_equal(err.source, "t");
    }
}

static void every_status_has_a_text(void **state)
{
    (void)state;
#define CHECK(code, value, text) assert_string_equal(gs_status_text(code), text);
    GS_STATUS_MAP(CHECK)
#undef CHECK
    assert_string_equal(gs_status_text((enum gs_status)(-1000)), "unknown status");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_built),      cmocka_unit_test(long_messages_are_cut),
        cmocka_unit_test(no_object_is_fine),       cmocka_unit_test(positions_count_characters),
        cmocka_unit_test(every_status_has_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
