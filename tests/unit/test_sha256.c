/* SHA-256 against FIPS 180-4's examples, whole and in pieces. */
#include "cmocka_headers.h"

#include <stdio.h>
#include <string.h>

#include "base/sha256.h"

static void check(const char *text, size_t piece, const char *want)
{
    const size_t len = strlen(text);
    struct gs_sha256 s;
    uint8_t digest[GS_SHA256_BYTES];
    char hex[2 * GS_SHA256_BYTES + 1];

    gs_sha256_init(&s);
    for (size_t at = 0; at < len; at += piece)
        gs_sha256_feed(&s, text + at, len - at < piece ? len - at : piece);
    gs_sha256_finish(&s, digest);
    for (size_t i = 0; i < sizeof(digest); i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    assert_string_equal(hex, want);
}

static void test_examples(void **state)
{
    static const char two_blocks[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";

    (void)state;
    for (size_t piece = 1; piece < 70; piece += 7) {
        check("", piece, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        check("abc", piece, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        check(two_blocks, piece,
              "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    }
}

static void test_long(void **state)
{
    struct gs_sha256 s;
    uint8_t digest[GS_SHA256_BYTES];
    char a[1000];

    (void)state;
    memset(a, 'a', sizeof(a));
    gs_sha256_init(&s);
    for (int i = 0; i < 1000; i++)
        gs_sha256_feed(&s, a, sizeof(a));
    gs_sha256_finish(&s, digest);
    assert_int_equal(digest[0], 0xcd);
    assert_int_equal(digest[1], 0xc7);
    assert_int_equal(digest[31], 0xd0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
