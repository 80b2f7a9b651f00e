/* JSON: what is read, what is refused and where, and that writing gives back what was read. */
#include "cmocka_headers.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/slice.h"
#include "json/json.h"

static struct gs_arena arena;

static int setup(void **state)
{
    (void)state;
    gs_arena_init(&arena, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    gs_arena_clear(&arena);
    return 0;
}

static struct gs_json parse(const char *text)
{
    struct gs_json v = {.kind = GS_JSON_NULL};
    struct gs_error err = {0};

    if (gs_json_parse(gs_slice_str(text), &arena, &v, &err) != GS_OK)
        fail_msg("%s", err.msg);
    return v;
}

/* Parse and write gives `expected`. */
static void rewrites(const char *text, const char *expected)
{
    const struct gs_json v = parse(text);
    struct gs_buf b;

    gs_buf_init(&b, GS_MIB);
    gs_json_write(&b, &v);
    char *got = gs_buf_take(&b, NULL);
    assert_string_equal(got, expected);
    gs_free(got);
}

static void refused(struct gs_slice text, enum gs_status st, int line, int col, const char *msg)
{
    struct gs_json v = {.kind = GS_JSON_BOOL};
    struct gs_error err = {0};

    assert_int_equal(gs_json_parse(text, &arena, &v, &err), st);
    assert_int_equal(err.code, st);
    assert_string_equal(err.msg, msg);
    assert_int_equal(err.line, line);
    assert_int_equal(err.col, col);
    assert_int_equal(v.kind, GS_JSON_BOOL); /* untouched */
    assert_int_equal(gs_json_parse(text, &arena, &v, NULL), st);
}

static void reads_kinds(void **state)
{
    const struct gs_json v = parse(" {\"n\":null,\"t\":true,\"i\":-7,\"r\":1.5,\"s\":\"x\\u0000y\","
                                   "\"a\":[1,[]],\"o\":{}} ");
    (void)state;

    assert_int_equal(v.kind, GS_JSON_OBJECT);
    assert_int_equal(v.u.object.len, 7);
    assert_int_equal(gs_json_get(&v, "n")->kind, GS_JSON_NULL);
    assert_true(gs_json_get(&v, "t")->u.boolean);
    assert_int_equal(gs_json_get(&v, "i")->u.integer, -7);
    assert_true(gs_json_get(&v, "r")->u.real == 1.5);
    const struct gs_slice s = gs_json_get(&v, "s")->u.string;
    assert_int_equal(s.len, 3);
    assert_memory_equal(s.ptr, "x\0y", 4); /* the terminator too */
    assert_int_equal(gs_json_get(&v, "a")->u.array.len, 2);
    assert_int_equal(gs_json_get(&v, "a")->u.array.items[1].u.array.len, 0);
    assert_int_equal(gs_json_get(&v, "o")->u.object.len, 0);
    assert_null(gs_json_get(&v, "none"));
    assert_null(gs_json_get(NULL, "n"));
    assert_null(gs_json_get(gs_json_get(&v, "a"), "n"));
}

static void keeps_order(void **state)
{
    (void)state;
    rewrites("{\"z\":1,\"a\":2,\"z\":3,\"m\":4}", "{\"z\":3,\"a\":2,\"m\":4}");
    rewrites("\"top\"", "\"top\"");
    rewrites("7", "7");
    rewrites("[ ]", "[]");
}

static void reads_numbers(void **state)
{
    (void)state;
    rewrites("[9223372036854775807,-9223372036854775808,0,-0]",
             "[9223372036854775807,-9223372036854775808,0,0]");
    /* Beyond int64 a number is real; its neighbours keep their kind. */
    rewrites("[9223372036854775808,-9223372036854775809,5,5.0,\"18446744073709551615\"]",
             "[9.223372036854776e+18,-9.223372036854776e+18,5,5.0,\"18446744073709551615\"]");
    rewrites("[1e3,1E-7,0.10000000000000001,-0.0,123456789012345678901234567890]",
             "[1000.0,1e-07,0.1,-0.0,1.2345678901234568e+29]");
}

static void takes_lone_surrogates(void **state)
{
    (void)state;
    rewrites("\"\\ud83d\\ude00\"", "\"\xF0\x9F\x98\x80\"");
    rewrites("\"a\\ud800b\"", "\"a\xEF\xBF\xBD"
                              "b\"");
    rewrites("\"\\udc00\\ud83d\\uDE00\\uD800\"", "\"\xEF\xBF\xBD\xF0\x9F\x98\x80\xEF\xBF\xBD\"");
    rewrites("{\"\\ud800\":[18446744073709551616,\"\\\\ud800\"]}",
             "{\"\xEF\xBF\xBD\":[1.8446744073709552e+19,\"\\\\ud800\"]}");
}

static void refuses_text(void **state)
{
    static const struct {
        const char *text;
        int line, col;
        const char *why;
    } cases[] = {
        {"", 1, 1, "the text ends too early"},
        {"[1,\n 2,\n ]", 3, 2, "expected a value"},
        {"[1,2", 1, 5, "the text ends too early"},
        {"[1 2]", 1, 4, "expected ',' or ']'"},
        {"{\"a\" 1}", 1, 6, "expected ':'"},
        {"{a: 1}", 1, 2, "expected a key in quotes"},
        {"{\"a\":1,}", 1, 8, "expected a key in quotes"},
        {"1 2", 1, 3, "expected the end of the text"},
        {"[1e999]", 1, 2, "a number too large"},
        {"[01]", 1, 2, "expected a value"},
        {"[1.]", 1, 2, "expected a value"},
        {"[-]", 1, 2, "expected a value"},
        {"nul", 1, 1, "expected a value"},
        {"\"a\nb\"", 1, 3, "a control character in a string"},
        {"\"\\x\"", 1, 2, "an escape that JSON does not have"},
        {"\"\\u12g4\"", 1, 2, "an escape that JSON does not have"},
        {"[\"\\ud800", 1, 2, "a string that does not end"},
        {"[\"\\", 1, 2, "a string that does not end"},
        {"\"\xC0\xAF\"", 1, 2, "a string that is not UTF-8"},
    };
    char msg[128];

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(cases); i++) {
        snprintf(msg, sizeof(msg), "invalid JSON at line %d, column %d: %s", cases[i].line,
                 cases[i].col, cases[i].why);
        refused(gs_slice_str(cases[i].text), GS_EFORMAT, cases[i].line, cases[i].col, msg);
    }
    refused(gs_slice(NULL, 0), GS_EFORMAT, 1, 1,
            "invalid JSON at line 1, column 1: the text ends too early");
    refused(GS_SLICE_LIT("1\0"), GS_EFORMAT, 1, 2,
            "invalid JSON at line 1, column 2: expected the end of the text");
}

static void many_members_keep_the_last(void **state)
{
    struct gs_buf b;
    (void)state;

    gs_buf_init(&b, GS_MIB);
    for (int i = 0; i < 200; i++)
        gs_buf_printf(&b, "%s\"k%d\":%d", i ? "," : "{", i % 50, i);
    gs_buf_puts(&b, "}");
    char *text = gs_buf_take(&b, NULL);
    const struct gs_json v = parse(text);
    assert_int_equal(v.u.object.len, 50);
    for (int i = 0; i < 50; i++)
        assert_int_equal(v.u.object.members[i].value.u.integer, 150 + i);
    gs_free(text);
}

static void refuses_depth(void **state)
{
    char text[2 * GS_MAX_JSON_DEPTH + 8] = {0};
    struct gs_json v;
    (void)state;

    memset(text, '[', GS_MAX_JSON_DEPTH);
    memset(text + GS_MAX_JSON_DEPTH, ']', GS_MAX_JSON_DEPTH);
    assert_int_equal(gs_json_parse(gs_slice_str(text), &arena, &v, NULL), GS_OK);
    memset(text, '[', GS_MAX_JSON_DEPTH + 1);
    memset(text + GS_MAX_JSON_DEPTH + 1, ']', GS_MAX_JSON_DEPTH + 1);
    refused(gs_slice_str(text), GS_ELIMIT, 0, 0, "JSON is nested deeper than 200 levels");
    char deep[5000];
    memset(deep, '[', sizeof(deep));
    refused(gs_slice(deep, sizeof(deep)), GS_ELIMIT, 0, 0, "JSON is nested deeper than 200 levels");
}

static void refuses_without_memory(void **state)
{
    struct gs_arena small;
    struct gs_json v;
    struct gs_error err = {0};
    (void)state;

    gs_arena_init(&small, 128);
    assert_int_equal(gs_json_parse(GS_SLICE_LIT("[1,2,3,4,5,6,7,8]"), &small, &v, &err), GS_ENOMEM);
    assert_string_equal(err.msg, "not enough memory to read JSON");
    gs_arena_clear(&small);
}

static void typed_reads(void **state)
{
    const struct gs_json v =
        parse("{\"t\":false,\"i\":5,\"w\":6.0,\"r\":0.5,\"s\":\"x\",\"n\":null,"
              "\"big\":1e300}");
    struct gs_error err = {0};
    bool flag = true;
    int64_t i = 1;
    double d = 1;
    struct gs_slice s = {0};
    (void)state;

    assert_true(gs_json_get_bool(&v, "t", &flag, &err) && !flag);
    assert_true(gs_json_get_int(&v, "i", &i, &err) && i == 5);
    assert_true(gs_json_get_int(&v, "w", &i, &err) && i == 6);
    assert_true(gs_json_get_double(&v, "i", &d, &err) && d == 5.0);
    assert_true(gs_json_get_double(&v, "r", &d, &err) && d == 0.5);
    assert_true(gs_json_get_string(&v, "s", &s, &err) && gs_slice_eq_str(s, "x"));

    static const char *const absent[] = {"n", "none"};
    for (size_t k = 0; k < 2; k++) {
        flag = true;
        assert_true(gs_json_get_bool(&v, absent[k], &flag, &err) && flag);
        assert_true(gs_json_get_int(&v, absent[k], &i, &err) && i == 6);
        assert_true(gs_json_get_double(&v, absent[k], &d, &err) && d == 0.5);
        assert_true(gs_json_get_string(&v, absent[k], &s, &err) && s.len == 1);
    }
    assert_true(gs_json_get_int(NULL, "i", &i, &err));

    assert_false(gs_json_get_bool(&v, "i", &flag, &err));
    assert_string_equal(err.msg, "i: expected true or false, found a whole number");
    assert_int_equal(err.code, GS_EINVAL);
    assert_false(gs_json_get_int(&v, "r", &i, &err));
    assert_string_equal(err.msg, "r: expected a whole number, found 0.5");
    assert_false(gs_json_get_int(&v, "big", &i, &err));
    assert_string_equal(err.msg, "big: expected a whole number, found 1e+300");
    assert_false(gs_json_get_int(&v, "t", &i, &err));
    assert_string_equal(err.msg, "t: expected a whole number, found true or false");
    assert_false(gs_json_get_double(&v, "s", &d, &err));
    assert_string_equal(err.msg, "s: expected a number, found a string");
    assert_false(gs_json_get_string(&v, "r", &s, &err));
    assert_string_equal(err.msg, "r: expected a string, found a number");
}

static void write_is(const char *expected, struct gs_buf *b)
{
    char *got = gs_buf_take(b, NULL);

    assert_string_equal(got, expected);
    gs_free(got);
}

static void writes_strings(void **state)
{
    struct gs_buf b;
    (void)state;

    gs_buf_init(&b, GS_MIB);
    gs_json_write_string(&b, GS_SLICE_LIT("a\"\\/\b\f\n\r\t\x01\x1F\x7F\0z"));
    write_is("\"a\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7F\\u0000z\"", &b);
    gs_json_write_string(&b, GS_SLICE_LIT("\xC3\xA9\xE4\xB8"
                                          "x\xFF\xF0\x9F\x98\x80\xED\xA0\x80"));
    write_is("\"\xC3\xA9\xEF\xBF\xBD\xEF\xBF\xBDx\xEF\xBF\xBD\xF0\x9F\x98\x80"
             "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"",
             &b);
    gs_json_write_string(&b, gs_slice(NULL, 0));
    write_is("\"\"", &b);
}

static void writes_doubles(void **state)
{
    static const struct {
        double value;
        const char *text;
    } rows[] = {{0.1, "0.1"},
                {1.0 / 3, "0.3333333333333333"},
                {5, "5.0"},
                {-0.0, "-0.0"},
                {1e22, "1e+22"},
                {123456789.125, "123456789.125"},
                {5e-324, "4.94065645841247e-324"},
                {1.7976931348623157e308, "1.7976931348623157e+308"},
                {NAN, "null"},
                {-INFINITY, "null"},
                {0.1 + 0.2, "0.30000000000000004"}};
    struct gs_buf b;
    (void)state;

    gs_buf_init(&b, GS_MIB);
    for (size_t i = 0; i < GS_COUNT_OF(rows); i++) {
        gs_json_write_double(&b, rows[i].value);
        write_is(rows[i].text, &b);
    }
}

static void finds_members(void **state)
{
    static const struct {
        const char *text, *value; /* NULL: not found */
    } rows[] = {
        {"{\"model\":\"a\"}", "\"a\""},
        {" { \"x\" : [1,{\"model\":2}] , \"model\" : {\"a\":\"}\\\"\"} , \"y\":1}",
         "{\"a\":\"}\\\"\"}"},
        {"{\"model\":1,\"model\":true}", "true"},
        {"{\"x\":\"\\\"model\\\":1\",\"model\":12 }", "12 "},
        {"{\"model\":\"a\" garbage", "\"a\""},
        {"{\"mode\":1,\"models\":2}", NULL},
        {"{\"x\":{\"model\":1}}", NULL},
        {"{\"model\":\"a", NULL},
        {"{\"model\":[1", NULL},
        {"{\"model\"", NULL},
        {"{\"mod", NULL},
        {"[\"model\",1]", NULL},
        {"{}", NULL},
        {"", NULL},
    };
    struct gs_slice value;

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(rows); i++) {
        const bool is_found = gs_json_find_member(gs_slice_str(rows[i].text), "model", &value);
        assert_int_equal(is_found, rows[i].value != NULL);
        if (is_found)
            assert_true(gs_slice_eq_str(value, rows[i].value));
    }
}

static void names_kinds(void **state)
{
    (void)state;
    assert_string_equal(gs_json_kind_name(GS_JSON_NULL), "null");
    assert_string_equal(gs_json_kind_name(GS_JSON_ARRAY), "an array");
    assert_string_equal(gs_json_kind_name(GS_JSON_OBJECT), "an object");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_kinds, setup, teardown),
        cmocka_unit_test_setup_teardown(keeps_order, setup, teardown),
        cmocka_unit_test_setup_teardown(reads_numbers, setup, teardown),
        cmocka_unit_test_setup_teardown(takes_lone_surrogates, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_text, setup, teardown),
        cmocka_unit_test_setup_teardown(many_members_keep_the_last, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_depth, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_without_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(typed_reads, setup, teardown),
        cmocka_unit_test(writes_strings),
        cmocka_unit_test(writes_doubles),
        cmocka_unit_test(finds_members),
        cmocka_unit_test(names_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
