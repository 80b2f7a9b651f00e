/* The template engine: every case of data/jinja_cases.json, whose answers are Jinja2's own
 * (tools/jinja_cases.py), then what Jinja2 does not have: positions, limits, lack of memory. */
#include "cmocka_headers.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/os.h"
#include "base/slice.h"
#include "jinja/template.h"
#include "json/json.h"

#define NOW_US 1768469400000000 /* 2026-01-15 09:30:00 UTC */

static const char *const fruit =
    "{\"n\": 5, \"words\": [\"apple\", \"fig\"], \"d\": {\"k\": \"v\"}}";

static struct gs_json parse_json(struct gs_slice text, struct gs_arena *a)
{
    struct gs_json v = {.kind = GS_JSON_NULL};
    struct gs_error err = {0};

    if (gs_json_parse(text, a, &v, &err) != GS_OK)
        fail_msg("%s", err.msg);
    return v;
}

/* ---- cases ---- */

/* Whether the case holds; prints it otherwise. */
static bool check_case(const struct gs_json *row, const struct gs_json *vars)
{
    struct gs_slice source = {0};
    struct gs_slice expected = {0};
    struct gs_template *t = NULL;
    struct gs_error err = {0};
    struct gs_buf b;

    assert_true(gs_json_get_string(row, "template", &source, &err));
    assert_true(gs_json_get_string(row, "expected", &expected, &err));
    const bool fails = gs_json_get(row, "fails") != NULL;
    gs_buf_init(&b, GS_MIB);
    enum gs_status st = gs_template_parse("case", source, &t, &err);
    if (st == GS_OK)
        st = gs_template_render(t, vars, NOW_US, &b, &err);
    const bool holds = fails ? st == GS_ETEMPLATE && err.msg[0] && err.line > 0 && b.len == 0
                             : st == GS_OK && gs_slice_eq(gs_buf_view(&b), expected);
    if (!holds)
        print_error("%.*s\n  wanted: %s%.*s\n  got:    %s%.*s\n", (int)source.len, source.ptr,
                    fails ? "a failure" : "", (int)expected.len, expected.ptr, err.msg, (int)b.len,
                    b.ptr ? b.ptr : "");
    gs_template_free(t);
    gs_buf_clear(&b);
    return holds;
}

static void gives_what_jinja2_gives(void **state)
{
    struct gs_arena a;
    struct gs_error err = {0};
    struct gs_buf text;
    size_t n_bad = 0;

    (void)state;
    gs_arena_init(&a, 0);
    gs_buf_init(&text, GS_MAX_TEXT_BYTES);
    assert_int_equal(gs_os_read_file(GENSET_TEST_DATA "/jinja_cases.json", &text, &err), GS_OK);
    const struct gs_json doc = parse_json(gs_buf_view(&text), &a);
    const struct gs_json *cases = gs_json_get(&doc, "cases");
    assert_non_null(cases);
    assert_true(cases->u.array.len >= 500);
    for (size_t i = 0; i < cases->u.array.len; i++) {
        const struct gs_json *row = &cases->u.array.items[i];
        const struct gs_json *set = gs_json_get(row, "vars");
        assert_non_null(set);
        n_bad += !check_case(row, gs_json_get(gs_json_get(&doc, "vars"), set->u.string.ptr));
    }
    assert_int_equal(n_bad, 0);
    gs_buf_clear(&text);
    gs_arena_clear(&a);
}

/* ---- errors ---- */

static enum gs_status render(const char *source, size_t max_bytes, char **out, struct gs_error *err)
{
    struct gs_template *t = NULL;
    struct gs_arena a;
    struct gs_buf b;

    gs_arena_init(&a, 0);
    gs_buf_init(&b, max_bytes);
    gs_buf_puts(&b, "before:");
    const struct gs_json vars = parse_json(gs_slice_str(fruit), &a);
    enum gs_status st = gs_template_parse("lunch", gs_slice_str(source), &t, err);
    if (st == GS_OK)
        st = gs_template_render(t, &vars, NOW_US, &b, err);
    if (st != GS_OK) /* what was there is there still */
        assert_true(gs_slice_eq_str(gs_buf_view(&b), "before:"));
    *out = st == GS_OK ? gs_buf_take(&b, NULL) : NULL;
    gs_template_free(t);
    gs_buf_clear(&b);
    gs_arena_clear(&a);
    return st;
}

static void fails_with(const char *source, enum gs_status st, int line, int col, const char *msg)
{
    struct gs_error err = {0};
    char *out = NULL;

    assert_int_equal(render(source, GS_MIB, &out, &err), st);
    assert_string_equal(err.msg, msg);
    assert_int_equal(err.code, st);
    assert_int_equal(err.line, line);
    assert_int_equal(err.col, col);
    assert_string_equal(err.source, "lunch");
}

static void errors_have_a_position(void **state)
{
    (void)state;
    fails_with("a\nb {{ nothing.x }}", GS_ETEMPLATE, 2, 13, "'nothing' is undefined");
    fails_with("{{ d.x.y }}", GS_ETEMPLATE, 1, 7, "'dict object' has no attribute 'x'");
    fails_with("{{ words[7].z }}", GS_ETEMPLATE, 1, 12, "list object has no element 7");
    fails_with("\r\n\r\n{{ n + 'é' }}", GS_ETEMPLATE, 3, 6,
               "unsupported operand type(s) for +: 'int' and 'str'");
    fails_with("{% if n %}\n{{ 'é' ! }}", GS_ETEMPLATE, 2, 8, "unexpected character in a tag");
    fails_with("{% if n %}x", GS_ETEMPLATE, 1, 12,
               "unexpected end of template, 'endif' is missing");
    fails_with("{% for a, b in words %}{% endfor %}", GS_ETEMPLATE, 1, 8,
               "too many values to unpack (expected 2)");
    fails_with("{{ words | nope }}", GS_ETEMPLATE, 1, 12, "no filter named 'nope'");
    fails_with("{{ words.append('x') }}", GS_ETEMPLATE, 1, 9,
               "access to attribute 'append' of 'list' object is unsafe.");
    fails_with("{% include 'x' %}", GS_ETEMPLATE, 1, 4,
               "tag 'include' is not supported: a chat template is one file");
    fails_with("{{ lipsum() }}", GS_ETEMPLATE, 1, 4,
               "function 'lipsum' is not supported: a prompt must be reproducible");
}

static void raised_messages_are_untouched(void **state)
{
    (void)state;
    fails_with("{{ raise_exception('Only 100%s, \"please\"!') }}", GS_ETEMPLATE, 1, 4,
               "Only 100%s, \"please\"!");
    fails_with("{% macro m() %}{{ raise_exception(n) }}{% endmacro %}\n{{ m() }}", GS_ETEMPLATE, 1,
               19, "5");
}

static void refuses_bytes_that_are_not_utf8(void **state)
{
    struct gs_template *t = NULL;
    struct gs_error err = {0};

    (void)state;
    assert_int_equal(gs_template_parse("x", gs_slice("a\xff", 2), &t, &err), GS_ETEMPLATE);
    assert_string_equal(err.msg, "template \"x\" is not UTF-8");
    assert_null(t);
}

static void keeps_the_source(void **state)
{
    const struct gs_slice source = GS_SLICE_LIT("a\r\n");
    struct gs_template *t = NULL;
    struct gs_error err = {0};

    (void)state;
    assert_int_equal(gs_template_parse("x", source, &t, &err), GS_OK);
    assert_true(gs_slice_eq(gs_template_source(t), source));
    gs_template_free(t);
    gs_template_free(NULL);
}

/* ---- limits ---- */

static void exceeds(const char *source, size_t max_bytes, const char *msg)
{
    struct gs_error err = {0};
    char *out = NULL;

    assert_int_equal(render(source, max_bytes, &out, &err), GS_ELIMIT);
    assert_non_null(strstr(err.msg, msg));
}

static void is_bounded(void **state)
{
    (void)state;
    exceeds("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
            GS_MIB, "too many steps");
    exceeds("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", GS_MIB, "recurses too deeply");
    exceeds("{% for a in range(1000) %}0123456789{% endfor %}", 1000, "exceeds 1000 bytes");
    exceeds("{{ 'x' * 1000000000 }}", GS_MIB, "too large");
    exceeds("{% set ns = namespace(l=[0]) %}{% for i in range(100) %}{% set ns.l = ns.l + ns.l %}"
            "{% endfor %}",
            GS_MIB, "");
    exceeds("{% set ns = namespace(l=[]) %}{% for i in range(99999) %}{% set ns.l = [ns.l] %}"
            "{% endfor %}{{ ns.l }}",
            GS_MIB, "recurses too deeply");
}

static void nesting_is_bounded(void **state)
{
    static const char *const pieces[] = {"(", "[", "-", "not ", "1+", "{% if n %}", "x.y["};
    struct gs_error err = {0};
    struct gs_template *t = NULL;
    struct gs_buf b;

    (void)state;
    gs_buf_init(&b, GS_MIB);
    for (size_t i = 0; i < GS_COUNT_OF(pieces); i++) {
        gs_buf_reset(&b);
        gs_buf_puts(&b, pieces[i][0] == '{' ? "" : "{{ ");
        for (int n = 0; n < 5000; n++)
            gs_buf_puts(&b, pieces[i]);
        gs_buf_puts(&b, "1 }}");
        assert_int_equal(gs_template_parse("deep", gs_buf_view(&b), &t, &err), GS_ELIMIT);
        assert_true(err.line > 0);
    }
    gs_buf_clear(&b);
}

/* 2,000 appends of 1,000 characters: the bytes copied must grow with the text, not its square. */
static void builds_strings_in_linear_time(void **state)
{
    struct gs_error err = {0};
    char *out = NULL;

    (void)state;
    assert_int_equal(render("{% set ns = namespace(s='') %}{% set piece = 'x' * 1000 %}"
                            "{% for i in range(2000) %}{% set ns.s = ns.s ~ piece %}{% endfor %}"
                            "{{ ns.s | length }}",
                            GS_MIB, &out, &err),
                     GS_OK);
    assert_string_equal(out, "before:2000000");
    gs_free(out);
}

/* ---- memory ---- */

static void survives_lack_of_memory(void **state)
{
    static const char source[] =
        "{% macro m(a, b=2) %}{{ a }}{{ caller() }}{{ kwargs }}{% endmacro %}"
        "{% set ns = namespace(s='x') %}"
        "{% for w in words if w %}{% set ns.s = ns.s ~ w ~ loop.length %}"
        "{% call m(w, c={'k': [1, 2]}) %}{{ w | upper }}{% endcall %}{% endfor %}"
        "{{ ns.s }}{{ d | tojson(indent=2) }}{{ '%s' | format(n) }}{{ words | sort | join(',') }}";
    struct gs_arena a;
    long n = 1;
    bool done = false;

    (void)state;
    gs_arena_init(&a, 0);
    const struct gs_json vars = parse_json(gs_slice_str(fruit), &a);
    for (; !done; n++) {
        struct gs_error err = {0};
        struct gs_template *t = NULL;
        struct gs_buf b;
        gs_buf_init(&b, GS_MIB);
        gs_alloc_fail_at(n);
        enum gs_status st = gs_template_parse("oom", gs_slice_str(source), &t, &err);
        if (st == GS_OK)
            st = gs_template_render(t, &vars, NOW_US, &b, &err);
        done = gs_alloc_count() < n;
        gs_alloc_fail_at(0);
        assert_int_equal(st, done ? GS_OK : GS_ENOMEM);
        gs_template_free(t);
        gs_buf_clear(&b);
    }
    assert_true(n > 10);
    gs_arena_clear(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_what_jinja2_gives),
        cmocka_unit_test(errors_have_a_position),
        cmocka_unit_test(raised_messages_are_untouched),
        cmocka_unit_test(refuses_bytes_that_are_not_utf8),
        cmocka_unit_test(keeps_the_source),
        cmocka_unit_test(is_bounded),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(builds_strings_in_linear_time),
        cmocka_unit_test(survives_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
