/* Constraints: what schemas, regular expressions and grammars allow, and the masks of tokens. */
#include "cmocka_headers.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/limits.h"
#include "base/slice.h"
#include "constraint/constraint.h"

struct row {
    const char *source;
    const char *output;
    bool allowed;
};

static bool allows(struct gs_constraint *c, const char *output)
{
    gs_constraint_restart(c);
    return gs_constraint_advance(c, gs_slice_str(output)) && gs_constraint_may_end(c);
}

static void check(struct gs_constraint *c, const struct row *row)
{
    if (allows(c, row->output) != row->allowed)
        fail_msg("%s: %s %s", row->source, row->allowed ? "refuses" : "allows", row->output);
    gs_constraint_free(c);
}

static const struct row schemas[] = {
    {"{}", "{\"a\":[1,2.5e3,\"x\\n\",null,{}]}", true},
    {"{}", "{\"a\":}", false},
    {"true", "[]", true},
    {"{\"type\":\"object\"}", "[]", false},
    {"{\"type\":\"integer\",\"minimum\":3,\"maximum\":120}", "120", true},
    {"{\"type\":\"integer\",\"minimum\":3,\"maximum\":120}", "121", false},
    {"{\"type\":\"integer\",\"minimum\":3,\"maximum\":120}", "2", false},
    {"{\"type\":\"integer\",\"minimum\":3,\"maximum\":120}", "99", true},
    {"{\"type\":\"number\",\"minimum\":-1.5,\"maximum\":2}", "-1.5", false},
    {"{\"type\":\"number\",\"minimum\":-1.5,\"maximum\":2}", "-1.400000", true},
    {"{\"type\":\"number\",\"minimum\":-1.5,\"maximum\":2}", "-1.6", false},
    {"{\"type\":\"number\",\"minimum\":-1.5,\"maximum\":2}", "2.1", false},
    {"{\"type\":\"number\",\"minimum\":-1.5,\"maximum\":2}", "1.999", true},
    {"{\"type\":\"number\",\"exclusiveMinimum\":0}", "0", false},
    {"{\"type\":\"number\",\"exclusiveMinimum\":0}", "0.5", true},
    {"{\"type\":\"number\",\"exclusiveMinimum\":0}", "-0.5", false},
    {"{\"type\":\"number\",\"minimum\":0.1,\"maximum\":0.9}", "0.500000", true},
    {"{\"type\":\"number\",\"minimum\":0.1,\"maximum\":0.9}", "0.950000", false},
    {"{\"type\":\"string\",\"minLength\":2,\"maxLength\":3}", "\"a\\n\"", true},
    {"{\"type\":\"string\",\"minLength\":2,\"maxLength\":3}", "\"a\"", false},
    {"{\"type\":\"string\",\"minLength\":2,\"maxLength\":3}",
     "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"", true},
    {"{\"type\":\"string\",\"maxLength\":3}", "\"abcd\"", false},
    {"{\"type\":\"string\",\"pattern\":\"^a+\\\"$\"}", "\"aa\\\"\"", true},
    {"{\"type\":\"string\",\"pattern\":\"b\"}", "\"abc\"", true},
    {"{\"type\":\"string\",\"pattern\":\"b\"}", "\"ac\"", false},
    {"{\"type\":\"string\",\"format\":\"date-time\"}", "\"2024-02-28T10:00:00Z\"", true},
    {"{\"type\":\"string\",\"format\":\"date\"}", "\"2024-13-01\"", false},
    {"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"},\"b\":{\"type\":\"string\"}"
     ",\"c\":{\"enum\":[1,\"x\",null]}},\"required\":[\"b\"]}",
     "{\"b\":\"\"}", true},
    {"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"},\"b\":{\"type\":\"string\"}"
     ",\"c\":{\"enum\":[1,\"x\",null]}},\"required\":[\"b\"]}",
     "{}", false},
    {"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"},\"b\":{\"type\":\"string\"}"
     ",\"c\":{\"enum\":[1,\"x\",null]}},\"required\":[\"b\"]}",
     "{\"a\": 1, \"b\": \"x\", \"c\": null}", true},
    {"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"},\"b\":{\"type\":\"string\"}"
     ",\"c\":{\"enum\":[1,\"x\",null]}},\"required\":[\"b\"]}",
     "{\"a\":1}", false},
    {"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"},\"b\":{\"type\":\"string\"}"
     ",\"c\":{\"enum\":[1,\"x\",null]}},\"required\":[\"b\"]}",
     "{\"b\":\"x\",\"d\":1}", false},
    {"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"},\"b\":{\"type\":\"string\"}"
     ",\"c\":{\"enum\":[1,\"x\",null]}},\"required\":[\"b\"]}",
     "{\n  \"a\": 1,\n  \"b\": \"x\"\n}", true},
    {"{\"type\":\"object\",\"properties\":{\"ab\":{\"type\":\"integer\"}},\"additionalProperties\":"
     "{\"type\":\"boolean\"}}",
     "{\"ab\":1,\"abc\":true,\"a\":false,\"x\":true}", true},
    {"{\"type\":\"object\",\"properties\":{\"ab\":{\"type\":\"integer\"}},\"additionalProperties\":"
     "{\"type\":\"boolean\"}}",
     "{\"ab\":true}", false},
    {"{\"type\":\"object\",\"properties\":{\"ab\":{\"type\":\"integer\"}},\"additionalProperties\":"
     "{\"type\":\"boolean\"}}",
     "{\"x\":1}", false},
    {"{\"type\":\"object\",\"properties\":{\"ab\":{\"type\":\"integer\"}},\"additionalProperties\":"
     "{\"type\":\"boolean\"}}",
     "{}", true},
    {"{\"$ref\":\"#/$defs/"
     "n\",\"$defs\":{\"n\":{\"type\":\"object\",\"properties\":{\"v\":{\"type\":\"integer\"},\"k\":"
     "{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/"
     "n\"}}},\"required\":[\"v\"],\"additionalProperties\":false}}}",
     "{\"v\":1,\"k\":[{\"v\":2},{\"v\":3,\"k\":[]}]}", true},
    {"{\"$ref\":\"#/$defs/"
     "n\",\"$defs\":{\"n\":{\"type\":\"object\",\"properties\":{\"v\":{\"type\":\"integer\"},\"k\":"
     "{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/"
     "n\"}}},\"required\":[\"v\"],\"additionalProperties\":false}}}",
     "{\"v\":1,\"k\":[{}]}", false},
    {"{\"allOf\":[{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"number\"}},\"required\":["
     "\"a\"]},{\"properties\":{\"a\":{\"type\":\"integer\"},\"b\":{\"const\":true}},\"required\":["
     "\"b\"]}]}",
     "{\"a\":1,\"b\":true}", true},
    {"{\"allOf\":[{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"number\"}},\"required\":["
     "\"a\"]},{\"properties\":{\"a\":{\"type\":\"integer\"},\"b\":{\"const\":true}},\"required\":["
     "\"b\"]}]}",
     "{\"a\":1.5,\"b\":true}", false},
    {"{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"null\"}]}", "null", true},
    {"{\"type\":[\"string\",\"null\"]}", "\"\"", true},
    {"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"},\"b\":{\"type\":"
     "\"integer\"}},\"anyOf\":[{\"required\":[\"a\"]},{\"required\":[\"b\"]}]}",
     "{\"b\":1}", true},
    {"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"},\"b\":{\"type\":"
     "\"integer\"}},\"anyOf\":[{\"required\":[\"a\"]},{\"required\":[\"b\"]}]}",
     "{}", false},
    {"{\"type\":\"array\",\"items\":{\"type\":\"integer\"},\"minItems\":1,\"maxItems\":2}",
     "[1, 2]", true},
    {"{\"type\":\"array\",\"items\":{\"type\":\"integer\"},\"minItems\":1,\"maxItems\":2}", "[]",
     false},
    {"{\"type\":\"array\",\"items\":{\"type\":\"integer\"},\"minItems\":1,\"maxItems\":2}",
     "[1,2,3]", false},
    {"{\"type\":\"array\",\"prefixItems\":[{\"type\":\"integer\"},{\"type\":\"string\"}],\"items\":"
     "false}",
     "[1,\"\"]", true},
    {"{\"type\":\"array\",\"prefixItems\":[{\"type\":\"integer\"},{\"type\":\"string\"}],\"items\":"
     "false}",
     "[1]", true},
    {"{\"type\":\"array\",\"prefixItems\":[{\"type\":\"integer\"},{\"type\":\"string\"}],\"items\":"
     "false}",
     "[]", true},
    {"{\"type\":\"array\",\"prefixItems\":[{\"type\":\"integer\"}],\"items\":false}", "[1,2]",
     false},
    {"{\"type\":\"object\",\"additionalProperties\":{\"type\":\"integer\"},\"minProperties\":1,"
     "\"maxProperties\":2}",
     "{\"x\":1,\"y\":2}", true},
    {"{\"type\":\"object\",\"additionalProperties\":{\"type\":\"integer\"},\"minProperties\":1}",
     "{}", false},
    {"{\"type\":\"object\",\"patternProperties\":{\"^x-\":{\"type\":\"integer\"}}}", "{\"x-a\":1}",
     true},
    {"{\"type\":\"object\",\"patternProperties\":{\"^x-\":{\"type\":\"integer\"}}}", "{\"y\":1}",
     false},
    {"{\"type\":\"number\",\"exclusiveMaximum\":1.1}", "1.100000", false},
    {"{\"type\":\"number\",\"exclusiveMaximum\":100}", "99.999999999999999", false},
    {"{\"enum\":[1,5,\"x\"],\"minimum\":3}", "5", true},
    {"{\"enum\":[1,5,\"x\"],\"minimum\":3}", "1", false},
    {"{\"enum\":[1,\"x\"],\"anyOf\":[{\"type\":\"string\"}]}", "1", false},
    {"{\"const\":1,\"enum\":[2,1]}", "1", true},
    {"{\"type\":\"object\",\"properties\":{\"a\":false,\"b\":{\"type\":\"null\"}}}", "{\"a\":1}",
     false},
    {"{\"type\":\"object\",\"properties\":{\"xa\":{}},\"patternProperties\":{\"^x\":{\"type\":"
     "\"null\"}}}",
     "{\"xa\":1}", false},
    {"{\"type\":\"object\",\"required\":[\"xa\"],\"patternProperties\":{\"^x\":{\"type\":"
     "\"null\"}}}",
     "{\"xa\":1}", false},
    {"{\"type\":\"object\",\"propertyNames\":{\"enum\":[1,\"a\"]}}", "{1:2}", false},
    {"{\"type\":\"object\",\"required\":[\"a\"],\"maxProperties\":1}", "{\"a\":1,\"b\":2}", false},
    {"{\"allOf\":[{\"type\":\"array\",\"prefixItems\":[{}]},{\"items\":{\"type\":\"null\"}}]}",
     "[1]", false},
    {"{\"allOf\":[{\"type\":\"string\",\"nullable\":true},{\"type\":\"string\"}]}", "null", false},
    {"{\"allOf\":[{\"properties\":{\"a\":{\"type\":\"number\"}}},{\"properties\":{\"a\":{"
     "\"minimum\":1}}},{\"properties\":{\"a\":{\"maximum\":3}}}]}",
     "{\"a\":2}", true},
};

static void schemas_allow_what_is_valid(void **state)
{
    struct gs_error err;
    struct gs_buf ignored;

    (void)state;
    gs_buf_init(&ignored, GS_KIB);
    for (size_t i = 0; i < GS_COUNT_OF(schemas); i++) {
        struct gs_constraint *c;
        if (gs_constraint_from_schema(gs_slice_str(schemas[i].source), &ignored, &c, &err) != GS_OK)
            fail_msg("%s: %s", schemas[i].source, err.msg);
        check(c, &schemas[i]);
    }
    assert_int_equal(ignored.len, 0);
    gs_buf_clear(&ignored);
}

static void what_is_not_enforced_is_named(void **state)
{
    static const char *const rows[][2] = {
        {"{\"not\":{}}", "not"},
        {"{\"$ref\":\"#/nope\"}", "$ref"},
        {"{\"type\":\"array\",\"uniqueItems\":true}", "uniqueItems"},
        {"{\"type\":\"string\",\"pattern\":\"(?=a)\"}", "pattern"},
        {"{\"type\":\"string\",\"format\":\"iri\"}", "format"},
        {"{\"oneOf\":[{\"minimum\":1},{\"maximum\":3}]}", "oneOf"},
    };

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(rows); i++) {
        struct gs_constraint *c;
        struct gs_buf ignored;
        gs_buf_init(&ignored, GS_KIB);
        assert_int_equal(gs_constraint_from_schema(gs_slice_str(rows[i][0]), &ignored, &c, NULL),
                         GS_OK);
        assert_true(gs_slice_eq_str(gs_buf_view(&ignored), rows[i][1]));
        gs_buf_clear(&ignored);
        gs_constraint_free(c);
    }
}

static void bad_schemas_are_refused(void **state)
{
    static const char *const rows[][2] = {
        {"", "JSON schema: "},
        {"3", "JSON schema: expected an object, found a whole number"},
        {"{\"type\":\"text\"}", "JSON schema: unknown type \"text\""},
        {"{\"type\":\"string\",\"minLength\":-1}", "minLength must be a whole number from 0"},
        {"false", "the constraint allows nothing"},
        {"{\"properties\":[]}", "properties must be an object"},
        {"{\"anyOf\":{}}", "anyOf must be an array"},
    };

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(rows); i++) {
        struct gs_constraint *c = NULL;
        struct gs_error err = {.code = GS_OK};
        assert_int_not_equal(gs_constraint_from_schema(gs_slice_str(rows[i][0]), NULL, &c, &err),
                             GS_OK);
        if (!strstr(err.msg, rows[i][1]))
            fail_msg("%s: %s", rows[i][0], err.msg);
    }
}

/* What compiling may cost is bounded: the answer is held to what could be afforded. */
static void check_costly(struct gs_buf *schema, const char *ignored_wanted, const char *valid)
{
    struct gs_constraint *c;
    struct gs_buf ignored;

    assert_true(gs_buf_ok(schema));
    gs_buf_init(&ignored, GS_KIB);
    assert_int_equal(gs_constraint_from_schema(gs_buf_view(schema), &ignored, &c, NULL), GS_OK);
    gs_buf_putc(&ignored, '\0');
    assert_string_equal(ignored.ptr, ignored_wanted);
    assert_true(gs_constraint_advance(c, gs_slice_str(valid)));
    assert_true(gs_constraint_may_end(c));
    gs_constraint_free(c);
    gs_buf_clear(&ignored);
    gs_buf_clear(schema);
}

static void schemas_beyond_enforcing_are_any_json(void **state)
{
    static const char *const vacuous[] = {
        "{\"$ref\":\"#\"}",
        "{\"$defs\":{\"a\":{\"$ref\":\"#/$defs/b\"},\"b\":{\"$ref\":\"#/$defs/a\"}},"
        "\"$ref\":\"#/$defs/a\"}",
        "{\"$defs\":{\"a\":{\"anyOf\":[{\"$ref\":\"#/$defs/a\"},{\"type\":\"string\"}]}},"
        "\"$ref\":\"#/$defs/a\"}",
    };
    struct gs_buf b;

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(vacuous); i++) {
        gs_buf_init(&b, GS_MIB);
        gs_buf_puts(&b, vacuous[i]);
        check_costly(&b, "schema", "[1,{\"a\":null}]");
    }
    gs_buf_init(&b, GS_MIB);
    gs_buf_puts(&b, "{\"properties\":{");
    for (int i = 0; i < 5000; i++)
        gs_buf_printf(&b, "%s\"p%d\":{}", i ? "," : "", i);
    gs_buf_puts(&b, "}}");
    check_costly(&b, "schema", "{\"p7\":1}");
}

static void large_enumerations_are_enforced(void **state)
{
    struct gs_buf b;

    (void)state;
    gs_buf_init(&b, GS_MIB);
    gs_buf_puts(&b, "{\"enum\":[\"\",[],true");
    for (int i = 0; i < 50000; i++)
        gs_buf_printf(&b, ",\"v%d\"", i);
    gs_buf_puts(&b, "]}");
    check_costly(&b, "", "\"v4242\"");
}

/* Three alternatives in each of twenty parts: 3^20 ways. */
static void combinations_are_not_spelled_out(void **state)
{
    struct gs_buf b;

    (void)state;
    gs_buf_init(&b, GS_MIB);
    gs_buf_puts(&b, "{\"allOf\":[");
    for (int i = 0; i < 20; i++) {
        gs_buf_printf(&b, "%s{\"anyOf\":[", i ? "," : "");
        for (int k = 0; k < 3; k++)
            gs_buf_printf(&b, "%s{\"properties\":{\"a%d\":{\"const\":%d}}}", k ? "," : "", i, k);
        gs_buf_puts(&b, "]}");
    }
    gs_buf_puts(&b, "]}");
    check_costly(&b, "allOf", "{\"a0\":1}");
}

static const struct row regexes[] = {
    {"a{2,3}|[^x-z]+\\d", "aaa", true},     {"a{2,3}", "aaaa", false}, {"(?:ab)*c?", "ababc", true},
    {"\\u00e9+", "\xc3\xa9\xc3\xa9", true}, {"a**", "", true},         {"(a*)*", "aaa", true},
};

static const struct row grammars[] = {
    {"root ::= \"yes\" | \"no\" reason? # c\nreason ::= (\n \", \" [a-z ]{1,4} )\n", "no, abc",
     true},
    {"root ::= \"\\u00e9\" .", "\xc3\xa9!", true},
    {"root ::= [^\\n]+ \"\\n\"", "abc\n", true},
};

static void expressions_match_as_a_whole(void **state)
{
    struct gs_error err;

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(regexes); i++) {
        struct gs_constraint *c;
        if (gs_constraint_from_regex(gs_slice_str(regexes[i].source), &c, &err) != GS_OK)
            fail_msg("%s: %s", regexes[i].source, err.msg);
        check(c, &regexes[i]);
    }
}

static void grammars_are_read(void **state)
{
    struct gs_error err;

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(grammars); i++) {
        struct gs_constraint *c;
        if (gs_constraint_from_gbnf(gs_slice_str(grammars[i].source), &c, &err) != GS_OK)
            fail_msg("%s: %s", grammars[i].source, err.msg);
        check(c, &grammars[i]);
    }
}

static void bad_patterns_are_refused(void **state)
{
    static const char *const expressions[] = {"(?=a)", "(a|b",   "a)",  "[a",   "*",
                                              "\\1",   "\\p{L}", "a^b", "[b-a]"};
    static const char *const rules[] = {"root ::= root \"a\"", "root ::= x",  "x ::= \"a\"",
                                        "root ::= (\"a\"",     "root ::= [a", "root = \"a\""};
    struct gs_constraint *c;

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(expressions); i++)
        assert_int_not_equal(gs_constraint_from_regex(gs_slice_str(expressions[i]), &c, NULL),
                             GS_OK);
    for (size_t i = 0; i < GS_COUNT_OF(rules); i++)
        assert_int_not_equal(gs_constraint_from_gbnf(gs_slice_str(rules[i]), &c, NULL), GS_OK);
}

/* ---- masks ---- */

static const char *const tokens[] = {"{", "{\"", "\"a", "\"", "b\":", " ", "1", "}", "", "{"};

static struct gs_constraint_vocab *small_vocab(void)
{
    struct gs_slice slices[GS_COUNT_OF(tokens)];
    struct gs_constraint_vocab *v;

    for (size_t i = 0; i < GS_COUNT_OF(tokens); i++)
        slices[i] = gs_slice_str(tokens[i]);
    assert_int_equal(gs_constraint_vocab_create(slices, GS_COUNT_OF(slices), &v, NULL), GS_OK);
    return v;
}

/* The tokens of the mask, as digits; each by itself is found to fit as well. */
static void assert_mask(struct gs_constraint *c, const struct gs_constraint_vocab *v,
                        const char *expected)
{
    const uint64_t *mask = gs_constraint_mask(c, v);
    char got[GS_COUNT_OF(tokens) + 1] = "";
    size_t n = 0;

    assert_non_null(mask);
    const uint64_t bits = mask[0];
    for (size_t i = 0; i < GS_COUNT_OF(tokens); i++) {
        const bool fits = bits >> i & 1;
        if (tokens[i][0])
            assert_int_equal(gs_constraint_allows(c, gs_slice_str(tokens[i])), fits);
        if (fits)
            got[n++] = (char)('0' + i);
    }
    assert_string_equal(got, expected);
}

static void masks_hold_the_tokens_that_fit(void **state)
{
    struct gs_constraint_vocab *v = small_vocab();
    struct gs_constraint *c;

    (void)state;
    assert_int_equal(gs_constraint_from_schema(
                         GS_SLICE_LIT("{\"type\":\"object\",\"properties\":{\"ab\":{\"type\":"
                                      "\"integer\"}},\"required\":[\"ab\"]}"),
                         NULL, &c, NULL),
                     GS_OK);
    assert_mask(c, v, "019"); /* two tokens are spelled alike */
    assert_true(gs_constraint_advance(c, GS_SLICE_LIT("{\"a")));
    assert_mask(c, v, "4");
    assert_true(gs_constraint_advance(c, GS_SLICE_LIT("b\":")));
    assert_mask(c, v, "56");
    assert_true(gs_constraint_advance(c, GS_SLICE_LIT("1}")));
    assert_true(gs_constraint_must_end(c));
    assert_false(gs_constraint_advance(c, GS_SLICE_LIT(" ")));
    gs_constraint_free(c);
    gs_constraint_vocab_free(v);
}

/* Far from its bound, a counted string shares its masks: pointers tell. */
static void long_strings_share_masks(void **state)
{
    struct gs_constraint_vocab *v = small_vocab();
    struct gs_constraint *c;

    (void)state;
    assert_int_equal(
        gs_constraint_from_schema(GS_SLICE_LIT("{\"type\":\"string\",\"maxLength\":100000}"), NULL,
                                  &c, NULL),
        GS_OK);
    assert_true(gs_constraint_advance(c, GS_SLICE_LIT("\"xx")));
    const uint64_t *mask = gs_constraint_mask(c, v);
    assert_true(gs_constraint_advance(c, GS_SLICE_LIT("xxxxxxxx")));
    assert_ptr_equal(gs_constraint_mask(c, v), mask);
    for (int i = 0; i < 99990 / 10; i++)
        assert_true(gs_constraint_advance(c, GS_SLICE_LIT("xxxxxxxxxx")) || i == 9998);
    assert_false(gs_constraint_advance(c, GS_SLICE_LIT("x")));
    gs_constraint_free(c);
    gs_constraint_vocab_free(v);
}

/* Compile, go on and ask for a mask; false if memory ran out anywhere. */
static bool use_once(void)
{
    struct gs_slice slices[GS_COUNT_OF(tokens)];
    struct gs_constraint_vocab *v = NULL;
    struct gs_constraint *c = NULL;
    bool ok;

    for (size_t i = 0; i < GS_COUNT_OF(tokens); i++)
        slices[i] = gs_slice_str(tokens[i]);
    ok = gs_constraint_vocab_create(slices, GS_COUNT_OF(slices), &v, NULL) == GS_OK &&
         gs_constraint_from_schema(
             GS_SLICE_LIT("{\"allOf\":[{\"properties\":{\"a\":{\"maxLength\":9,\"type\":"
                          "\"string\"}}},{\"required\":[\"a\"],\"additionalProperties\":true}]}"),
             NULL, &c, NULL) == GS_OK &&
         gs_constraint_advance(c, GS_SLICE_LIT("{\"a")) && gs_constraint_mask(c, v);
    gs_constraint_free(c);
    gs_constraint_vocab_free(v);
    return ok;
}

static void memory_may_run_out_anywhere(void **state)
{
    bool done = false;

    (void)state;
    for (long n = 1; !done; n++) {
        gs_alloc_fail_at(n);
        done = use_once();
        gs_alloc_fail_at(0);
        assert_true(n < 5000);
    }
}

/* Arguments in other notations, as these families write them. */
static void arguments_are_held_in_their_notation(void **state)
{
    static const struct gs_constraint_notation notations[] = {
        {"<parameter=", ">", "", "</parameter>", NULL},
        {"<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>", NULL},
        {NULL, NULL, NULL, NULL, "<|\"|>"},
    };
    enum { JSON = 3 };
    static const char schema[] =
        "{\"$defs\":{\"u\":{\"type\":\"string\",\"maxLength\":3}},\"type\":\"object\","
        "\"properties\":{\"mode\":{\"enum\":[\"on\",\"off\"]},\"path\":{\"$ref\":\"#/$defs/u\"},"
        "\"n\":{\"type\":\"integer\"},\"l\":{\"type\":\"array\",\"items\":{\"type\":"
        "\"boolean\"}},\"x\":{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"null\"}]}},"
        "\"required\":[\"path\"]}";
    static const struct {
        int notation;
        const char *args;
        bool allowed;
    } rows[] = {
        {0, "\n<parameter=path>\na < b\n</p></paramete </parameter>\n", true},
        {0, "<parameter=path></parameter>", true},
        {0, "", false},
        {0, "<parameter=mode>\non\n</parameter><parameter=path>a</parameter>", true},
        {0, "<parameter=mode>\nof\n</parameter><parameter=path>a</parameter>", false},
        {0, "<parameter=path>a</parameter><parameter=mode>on</parameter>", true},
        {0, "<parameter=path>a</parameter><parameter=n>\n-12\n</parameter>", true},
        {0, "<parameter=path>a</parameter><parameter=n>\nx\n</parameter>", false},
        {0, "<parameter=path>a</parameter><parameter=l>[true, false]</parameter>", true},
        {0, "<parameter=path>a</parameter><parameter=l>[1]</parameter>", false},
        {0, "<parameter=path>a</parameter><parameter=x>\nnull</parameter>", true},
        {0, "<parameter=path>a</parameter><parameter=y>1</parameter>", false},
        {0, "<parameter=path>a</parameter>b", false},
        {1, "<arg_key>path</arg_key>\n<arg_value><<</arg_value>\n", true},
        {1,
         "\n<arg_key>path</arg_key><arg_value></</arg_value><arg_key>n</arg_key>"
         "<arg_value>3</arg_value>",
         true},
        {1, "<arg_key>n</arg_key><arg_value>3</arg_value>", false},
        {2, "{path:<|\"|>{a:,<|\"<|\"|>}", true},
        {2, "{l:[true],mode:<|\"|>off<|\"|>,n:3,path:<|\"|><|\"|>}", true},
        {2, "{path:<|\"|>a<|\"|>,mode:<|\"|>off<|\"|>}", true},
        {2, "{n:<|\"|>3<|\"|>,path:<|\"|>a<|\"|>}", false},
        {2, "{path:<|\"|>a<|\"|>,x:{a:[1.5,<|\"|>b<|\"|>,{}],b:null}}", true},
        {2, "{n:3}", false},
        {2, "{}", false},
        {JSON, "{\"n\": 3, \"path\": \"a\", \"mode\": \"on\", \"l\": [true]}", true},
        {JSON, "{\"path\":\"a\"}", true},
        {JSON, "{\"n\":3,\"l\":[]}", false},
        {JSON, "{\"path\":\"a\",}", false},
        {JSON, "{\"path\":\"a\",\"other\":1}", false},
        {JSON, "{\"path\":\"long\"}", false},
    };
    struct gs_buf ignored;

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(rows); i++) {
        const struct gs_constraint_call call = {
            .begin = GS_SLICE_LIT("<call>"),
            .end = GS_SLICE_LIT("</call>"),
            .notation = rows[i].notation == JSON ? NULL : &notations[rows[i].notation],
            .schema = GS_SLICE_LIT(schema)};
        struct gs_constraint *c;
        char text[256];
        gs_buf_init(&ignored, GS_KIB);
        assert_int_equal(gs_constraint_from_calls(&call, 1, false, &ignored, &c, NULL), GS_OK);
        assert_true((gs_slice_find(gs_buf_view(&ignored), GS_SLICE_LIT("maxLength"), 0) ==
                     SIZE_MAX) == (rows[i].notation == JSON));
        snprintf(text, sizeof(text), "<call>%s</call>", rows[i].args);
        if (allows(c, text) != rows[i].allowed)
            fail_msg("%s %s", rows[i].allowed ? "refuses" : "allows", text);
        gs_constraint_free(c);
        gs_buf_clear(&ignored);
    }
}

/* Without declared parameters any may come; what is no schema is taken for one that says nothing.
 */
static void undeclared_arguments_are_free(void **state)
{
    static const struct gs_constraint_notation tags = {"<parameter=", ">", "", "</parameter>",
                                                       NULL};
    static const char *const sources[] = {"{\"type\":\"object\"}", "", "{"};

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(sources); i++) {
        const struct gs_constraint_call calls[] = {
            {.begin = GS_SLICE_LIT("<a>"),
             .end = GS_SLICE_LIT("</a>"),
             .notation = &tags,
             .schema = gs_slice_str(sources[i])},
            {.begin = GS_SLICE_LIT("<b>"),
             .end = GS_SLICE_LIT("</b>"),
             .notation = &tags,
             .schema = GS_SLICE_LIT("{\"properties\":{\"k\":{\"type\":\"null\"}}}")}};
        struct gs_constraint *c;
        assert_int_equal(gs_constraint_from_calls(calls, 2, true, NULL, &c, NULL), GS_OK);
        assert_true(allows(c, "<a></a>"));
        assert_true(allows(c, "<a><parameter=x>1</parameter><parameter=y.z>a</parameter></a>"));
        assert_true(allows(c, "<b></b>\n<b><parameter=k>null</parameter></b>"));
        assert_false(allows(c, "<b><parameter=x>1</parameter></b>"));
        gs_constraint_free(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(schemas_allow_what_is_valid),
        cmocka_unit_test(what_is_not_enforced_is_named),
        cmocka_unit_test(bad_schemas_are_refused),
        cmocka_unit_test(schemas_beyond_enforcing_are_any_json),
        cmocka_unit_test(large_enumerations_are_enforced),
        cmocka_unit_test(combinations_are_not_spelled_out),
        cmocka_unit_test(expressions_match_as_a_whole),
        cmocka_unit_test(grammars_are_read),
        cmocka_unit_test(bad_patterns_are_refused),
        cmocka_unit_test(masks_hold_the_tokens_that_fit),
        cmocka_unit_test(long_strings_share_masks),
        cmocka_unit_test(memory_may_run_out_anywhere),
        cmocka_unit_test(arguments_are_held_in_their_notation),
        cmocka_unit_test(undeclared_arguments_are_free),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
