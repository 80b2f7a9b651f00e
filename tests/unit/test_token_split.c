/* Pre-tokenizers: the words of texts that tell the families apart. Words are shown with '|'
 * between them. */
#include "cmocka_headers.h"

#include "base/buf.h"
#include "base/limits.h"
#include "base/slice.h"
#include "token/pretokenize.h"

static enum gs_status add_word(void *ctx, struct gs_slice word)
{
    struct gs_buf *const b = ctx;

    if (b->len > 0)
        gs_buf_putc(b, '|');
    gs_buf_slice(b, word);
    return GS_OK;
}

static void check(const char *pre, struct gs_slice text, const char *want)
{
    struct gs_token_splitter *s = NULL;
    struct gs_token_pre_traits traits;
    struct gs_error err = {0};
    struct gs_buf b;

    gs_buf_init(&b, GS_MIB);
    assert_int_equal(gs_token_splitter_create(gs_slice_str(pre), &s, &traits, &err), GS_OK);
    assert_int_equal(gs_token_split(s, text, add_word, &b, &err), GS_OK);
    if (!gs_slice_eq_str(gs_buf_view(&b), want))
        fail_msg("%s: \"%.*s\", not \"%s\"", pre, (int)b.len, b.ptr, want);
    gs_buf_clear(&b);
    gs_token_splitter_free(s);
}

#define WORDS(pre, text, want) check(pre, GS_SLICE_LIT(text), want)

static void test_contractions(void **state)
{
    (void)state;
    WORDS("gpt-2", "I'll DON'T", "I|'ll| DON|'|T");
    WORDS("llama3", "I'll DON'T", "I|'ll| DON|'T");
    WORDS("gpt-4o", "I'll DON'T", "I'll| DON'T");
    WORDS("tekken", "I'll", "I|'ll");
}

static void test_digits(void **state)
{
    (void)state;
    WORDS("gpt-2", "a 1234", "a| 1234");
    WORDS("smollm", "a 1234", "a| |1|2|3|4");
    WORDS("falcon", "a 1234", "a| |123|4");
    WORDS("default", "a 1234", "a| |123|4");
    WORDS("llama3", "a 1234", "a| |123|4");
    WORDS("glm4", "a 1234", "a| |123|4");
    WORDS("qwen2", "a 1234", "a| |1|2|3|4");
    WORDS("deepseek-v3", "a 1234", "a| |123|4");
    WORDS("deepseek-llm", "a 1234", "a| |1234");
    WORDS("tekken", "a 1234", "a| |1|2|3|4");
    WORDS("viking", "a 12", "a| |1|2");
}

static void test_case(void **state)
{
    (void)state;
    WORDS("gpt-4o", "camelCase HTMLPage", "camel|Case| HTMLPage");
    WORDS("tekken", "camelCase ABC", "camel|Case| ABC");
    WORDS("llama3", "camelCase", "camelCase");
}

static void test_spaces(void **state)
{
    (void)state;
    WORDS("gpt-2", "a   b  \n c", "a|  | b|  \n| c");
    WORDS("llama3", "a   b  \n c", "a|  | b|  \n| c");
    WORDS("qwen2", "x\n\n\n  y ", "x|\n\n\n| | y| ");
    WORDS("deepseek-llm", "a  \n b ", "a|  |\n| b| ");
    WORDS("bloom", "a  b, c", "a| | b|,| c");
    WORDS("gemma4", "a b\n\nc", "a b|\n\n|c");
    /* U+0085 and U+3000 are white space, U+180E is not any more */
    WORDS("llama3", "\xC2\x85\xE3\x80\x80", "\xC2\x85\xE3\x80\x80");
    WORDS("llama3", " \xE1\xA0\x8E", " \xE1\xA0\x8E");
    WORDS("llama3", "  \xE1\xA0\x8E", " | \xE1\xA0\x8E");
}

static void test_punctuation(void **state)
{
    (void)state;
    WORDS("llama3", "a...\n\nb (c)", "a|...\n\n|b| (|c|)");
    WORDS("gpt-4o", "a//\nb", "a|//\n|b");
    WORDS("seed-coder", "a...\nb", "a|...|\n|b");
    WORDS("bailingmoe", "a\n\nb", "a|\n\n|b");
    WORDS("falcon", "a++b", "a|++|b");
    WORDS("deepseek-v3", "(abc d.e", "(abc| d|.e");
    WORDS("deepseek-coder", "a+b, c", "a|+|b|,| c");
}

static void test_scripts(void **state)
{
    (void)state;
    WORDS("qwen2", "e\xCC\x81!", "e|\xCC\x81!");
    WORDS("qwen35", "e\xCC\x81!", "e\xCC\x81|!");
    WORDS("deepseek-v3",
          "a\xE4\xB8\xAD\xE6\x96\x87"
          "b",
          "a|\xE4\xB8\xAD\xE6\x96\x87|b");
    WORDS("llama3",
          "a\xE4\xB8\xAD"
          "b",
          "a\xE4\xB8\xAD"
          "b");
}

static void test_no_text(void **state)
{
    (void)state;
    WORDS("llama3", "", "");
    WORDS("llama3", "a\xFF\xC3 b", "a|\xFF\xC3| b"); /* as punctuation */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_contractions), cmocka_unit_test(test_digits),
        cmocka_unit_test(test_case),         cmocka_unit_test(test_spaces),
        cmocka_unit_test(test_punctuation),  cmocka_unit_test(test_scripts),
        cmocka_unit_test(test_no_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
