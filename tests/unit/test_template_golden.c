/* Every row of ../shared/golden/template: a real chat template over a conversation gives the text,
 * or fails with the message, that Jinja2 gives. */
#include "cmocka_headers.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/os.h"
#include "base/slice.h"
#include "jinja/template.h"
#include "json/json.h"

#define FOLDER GENSET_SHARED "/golden/template"
#define NOW_US 1768469400000000 /* 2026-01-15 09:30:00 UTC */

static bool holds(const struct gs_template *t, enum gs_status compiled, struct gs_error err,
                  const struct gs_json *row)
{
    struct gs_slice expected = {0};
    struct gs_slice error = {0};
    struct gs_buf b;

    assert_true(gs_json_get_string(row, "expected", &expected, NULL));
    assert_true(gs_json_get_string(row, "error", &error, NULL));
    gs_buf_init(&b, GS_MAX_PROMPT_BYTES);
    const enum gs_status st =
        compiled == GS_OK ? gs_template_render(t, gs_json_get(row, "input"), NOW_US, &b, &err)
                          : compiled;
    const bool ok = error.ptr ? st == GS_ETEMPLATE && gs_slice_eq_str(error, err.msg)
                              : st == GS_OK && gs_slice_eq(gs_buf_view(&b), expected);
    if (!ok)
        print_error("%s: %d:%d: %s\n", err.source, err.line, err.col, err.msg);
    gs_buf_clear(&b);
    return ok;
}

/* Failures of one template; *rows counts up. */
static size_t check_template(const char *name, size_t *rows)
{
    struct gs_buf source;
    struct gs_buf text;
    struct gs_arena a;
    struct gs_json doc;
    struct gs_template *t = NULL;
    struct gs_error err = {0};
    char path[512];
    size_t n_bad = 0;

    gs_buf_init(&source, GS_MAX_TEMPLATE_BYTES);
    gs_buf_init(&text, GS_MAX_TEXT_BYTES);
    gs_arena_init(&a, 0);
    snprintf(path, sizeof(path), FOLDER "/%s.jinja", name);
    assert_int_equal(gs_os_read_file(path, &source, &err), GS_OK);
    snprintf(path, sizeof(path), FOLDER "/%s.json", name);
    assert_int_equal(gs_os_read_file(path, &text, &err), GS_OK);
    assert_int_equal(gs_json_parse(gs_buf_view(&text), &a, &doc, &err), GS_OK);
    const enum gs_status st = gs_template_parse(name, gs_buf_view(&source), &t, &err);
    for (size_t i = 0; i < doc.u.array.len; i++) {
        const struct gs_json *row = &doc.u.array.items[i];
        if (!holds(t, st, err, row)) {
            print_error("%s, row %zu differs\n", name, i);
            n_bad++;
        }
    }
    *rows += doc.u.array.len;
    gs_template_free(t);
    gs_arena_clear(&a);
    gs_buf_clear(&text);
    gs_buf_clear(&source);
    return n_bad;
}

static void every_row_is_equal(void **state)
{
    DIR *dir = opendir(FOLDER);
    size_t n_bad = 0;
    size_t rows = 0;

    (void)state;
    if (!dir) {
        print_message(FOLDER " is absent\n");
        skip();
    }
    for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
        const struct gs_slice file = gs_slice_str(e->d_name);
        char name[256];
        if (!gs_slice_ends(file, GS_SLICE_LIT(".jinja")))
            continue;
        snprintf(name, sizeof(name), "%.*s", (int)(file.len - strlen(".jinja")), file.ptr);
        n_bad += check_template(name, &rows);
    }
    closedir(dir);
    print_message("%zu rows\n", rows);
    assert_true(rows > 0);
    assert_int_equal(n_bad, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_row_is_equal)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
