/* Slices: search, numbers, UTF-8. */
#include "cmocka_headers.h"

#include <math.h>
#include <stdint.h>

#include "base/slice.h"

static void compares(void **state)
{
    const struct gs_slice s = GS_SLICE_LIT("hello");
    const struct gs_slice none = {NULL, 0};
    (void)state;

    assert_true(gs_slice_eq(s, gs_slice_str("hello")) && gs_slice_eq_str(s, "hello"));
    assert_false(gs_slice_eq_str(s, "hell") || gs_slice_eq_str(s, "hellp"));
    assert_true(gs_slice_eq(none, GS_SLICE_LIT("")) && gs_slice_eq(none, gs_slice_str(NULL)));
    assert_true(gs_slice_starts(s, GS_SLICE_LIT("he")) && gs_slice_starts(s, none));
    assert_false(gs_slice_starts(s, GS_SLICE_LIT("el")) ||
                 gs_slice_starts(s, GS_SLICE_LIT("hello!")));
    assert_true(gs_slice_ends(s, GS_SLICE_LIT("lo")) && gs_slice_ends(s, none));
    assert_true(gs_slice_ends(s, s) && gs_slice_ends(none, none));
    assert_false(gs_slice_ends(s, GS_SLICE_LIT("ll")) || gs_slice_ends(s, GS_SLICE_LIT("xhello")));
}

static void finds(void **state)
{
    const struct gs_slice s = GS_SLICE_LIT("abcabcabd");
    (void)state;

    assert_int_equal(gs_slice_find(s, GS_SLICE_LIT("abc"), 0), 0);
    assert_int_equal(gs_slice_find(s, GS_SLICE_LIT("abc"), 1), 3);
    assert_int_equal(gs_slice_find(s, GS_SLICE_LIT("abd"), 0), 6);
    assert_int_equal(gs_slice_find(s, GS_SLICE_LIT("d"), 8), 8);
    assert_true(gs_slice_find(s, GS_SLICE_LIT("abx"), 0) == SIZE_MAX);
    assert_true(gs_slice_find(s, GS_SLICE_LIT("abcabcabdd"), 0) == SIZE_MAX);
    assert_true(gs_slice_find(s, GS_SLICE_LIT("a"), 9) == SIZE_MAX);
    assert_true(gs_slice_find(s, GS_SLICE_LIT("a"), 100) == SIZE_MAX);
    assert_int_equal(gs_slice_find(s, GS_SLICE_LIT(""), 9), 9);
    assert_true(gs_slice_find(s, GS_SLICE_LIT(""), 10) == SIZE_MAX);
    assert_true(gs_slice_find(gs_slice(NULL, 0), GS_SLICE_LIT("a"), 0) == SIZE_MAX);
}

static void cuts(void **state)
{
    const struct gs_slice s = GS_SLICE_LIT("hello");
    (void)state;

    assert_true(gs_slice_eq_str(gs_slice_trim(GS_SLICE_LIT(" \t\n a b \v\f\r")), "a b"));
    assert_int_equal(gs_slice_trim(GS_SLICE_LIT("  ")).len, 0);
    assert_int_equal(gs_slice_trim(gs_slice(NULL, 0)).len, 0);
    assert_true(gs_slice_eq_str(gs_slice_sub(s, 1, 3), "el"));
    assert_true(gs_slice_eq_str(gs_slice_sub(s, 3, 100), "lo"));
    assert_int_equal(gs_slice_sub(s, 4, 2).len, 0);
    assert_int_equal(gs_slice_sub(gs_slice(NULL, 0), 1, 2).len, 0);
}

static void reads_integers(void **state)
{
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {{"0", 0},
                {"-0", 0},
                {"007", 7},
                {"-12", -12},
                {"9223372036854775807", INT64_MAX},
                {"-9223372036854775808", INT64_MIN}};
    static const char *const bad[] = {"",        "-",   "+1",  " 1",
                                      "1 ",      "0x1", "1.0", "9223372036854775808",
                                      "--1",     "1e3", "abc", "-9223372036854775809",
                                      "\xD9\xA1"};
    int64_t v;
    (void)state;

    for (size_t i = 0; i < GS_COUNT_OF(good); i++) {
        assert_true(gs_slice_to_i64(gs_slice_str(good[i].text), &v));
        assert_true(v == good[i].value);
    }
    v = 42;
    for (size_t i = 0; i < GS_COUNT_OF(bad); i++)
        assert_false(gs_slice_to_i64(gs_slice_str(bad[i]), &v));
    assert_int_equal(v, 42);
}

static void reads_doubles(void **state)
{
    static const struct {
        const char *text;
        double value;
    } good[] = {{"0", 0}, {"-1.5", -1.5}, {"1e3", 1000}, {".5", 0.5}, {"+2.", 2}, {"0.1", 0.1}};
    static const char *const bad[] = {"",  " 1",  "1 ",    "0x10", "inf",   "nan", "1e",
                                      "-", "1,5", "1.2.3", "e5",   "1e999", "1f"};
    double v;
    (void)state;

    for (size_t i = 0; i < GS_COUNT_OF(good); i++) {
        assert_true(gs_slice_to_double(gs_slice_str(good[i].text), &v));
        assert_true(v == good[i].value);
    }
    v = 42;
    for (size_t i = 0; i < GS_COUNT_OF(bad); i++)
        assert_false(gs_slice_to_double(gs_slice_str(bad[i]), &v));
    assert_false(gs_slice_to_double(gs_slice("1\0", 2), &v));
    assert_true(v == 42);
}

/* ---- UTF-8 ---- */

static void decodes_every_code_point(void **state)
{
    char bytes[4];
    (void)state;

    for (uint32_t cp = 0; cp <= 0x10FFFF; cp++) {
        uint32_t back;
        const size_t n = gs_utf8_encode(cp, bytes);
        if (cp >= 0xD800 && cp <= 0xDFFF) {
            if (n != 0)
                fail();
            continue;
        }
        if (gs_utf8_decode(gs_slice(bytes, n), 0, &back) != n || back != cp)
            fail();
    }
    assert_int_equal(gs_utf8_encode(0x110000, bytes), 0);
}

static void refuses_bad_sequences(void **state)
{
    static const char *const bad[] = {"\x80",
                                      "\xBF",
                                      "\xC0\x80",
                                      "\xC1\xBF",
                                      "\xC3",
                                      "\xE0\x80\x80",
                                      "\xE0\x9F\xBF",
                                      "\xED\xA0\x80",
                                      "\xED\xBF\xBF",
                                      "\xE4\xB8",
                                      "\xE4X\x80",
                                      "\xF0\x80\x80\x80",
                                      "\xF0\x8F\xBF\xBF",
                                      "\xF4\x90\x80\x80",
                                      "\xF5\x80\x80\x80",
                                      "\xFF",
                                      "\xFE"};
    (void)state;

    for (size_t i = 0; i < GS_COUNT_OF(bad); i++) {
        uint32_t cp = 0;
        assert_int_equal(gs_utf8_decode(gs_slice_str(bad[i]), 0, &cp), 1);
        assert_int_equal(cp, 0xFFFD);
        assert_false(gs_utf8_valid(gs_slice_str(bad[i])));
    }
    assert_true(gs_utf8_valid(GS_SLICE_LIT("a\xC3\xA9\xE4\xB8\xAD\xF0\x9F\x98\x80\xEF\xBF\xBD")));
    assert_true(gs_utf8_valid(gs_slice(NULL, 0)));
}

/* Every byte at every place of a word and its neighbours. */
static void finds_where_plain_text_ends(void **state)
{
    char text[24];

    (void)state;
    for (int c = 0; c < 256; c++) {
        const bool is_plain = c >= ' ' && c < 0x7F && c != '"' && c != '\\';
        for (size_t at = 0; at < sizeof(text); at++) {
            memset(text, 'x', sizeof(text));
            text[at] = (char)c;
            const struct gs_slice s = gs_slice(text, sizeof(text));
            const size_t end = is_plain ? sizeof(text) : at;
            assert_int_equal(gs_slice_plain_end(s, 0), end);
            assert_int_equal(gs_slice_plain_end(s, at), end);
            assert_int_equal(gs_slice_plain_end(gs_slice(text, at), 0), at);
            assert_int_equal(gs_slice_plain_end(s, at + 1), sizeof(text));
        }
    }
    assert_int_equal(gs_slice_plain_end(gs_slice(NULL, 0), 0), 0);
}

static void measures_incomplete_tails(void **state)
{
    static const struct {
        const char *text;
        size_t tail;
    } rows[] = {{"", 0},
                {"abc", 0},
                {"a\xC3", 1},
                {"a\xC3\xA9", 0},
                {"\xE4", 1},
                {"\xE4\xB8", 2},
                {"\xE4\xB8\xAD", 0},
                {"x\xF0\x9F", 2},
                {"\xF0\x9F\x98", 3},
                {"\xF0\x9F\x98\x80", 0},
                {"a\x80", 0},
                {"\x80\x80\x80\x80", 0},
                {"\xFF", 0}};
    (void)state;

    for (size_t i = 0; i < GS_COUNT_OF(rows); i++)
        assert_int_equal(gs_utf8_incomplete_tail(gs_slice_str(rows[i].text)), rows[i].tail);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compares),
        cmocka_unit_test(finds),
        cmocka_unit_test(cuts),
        cmocka_unit_test(reads_integers),
        cmocka_unit_test(reads_doubles),
        cmocka_unit_test(decodes_every_code_point),
        cmocka_unit_test(refuses_bad_sequences),
        cmocka_unit_test(finds_where_plain_text_ends),
        cmocka_unit_test(measures_incomplete_tails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
