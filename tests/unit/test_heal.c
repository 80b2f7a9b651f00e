/* Token healing under real vocabularies: a text cut at any byte, and its last word taken back, is
 * the beginning of the tokens of the whole text, which then may come. */
#include "cmocka_headers.h"

#include <stdio.h>
#include <string.h>

#include "api/heal.h"
#include "base/alloc.h"
#include "base/slice.h"
#include "gguf/gguf.h"

#define FOLDER GENSET_SHARED "/golden/tokenizer/"

static const char *const texts[] = {
    "It was a bright cold day in April, and the clocks were striking thirteen. \"Don't,\" she "
    "said; "
    "\"it isn't 1984 (yet)...\"\n\nHe couldn't have walked 12,345.67 miles -- not in one "
    "well-known afternoon, anyway!  Could he? <tag>\n",
    "static int\tcount_words(const char *s, size_t *out_n)\n{\n    for (size_t i = 0; s[i] != "
    "'\\0'; i++) {\n        if (!is_space(s[i]) && (i == 0 || is_space(s[i - 1])))\n            "
    "(*out_n)++; /* a new one */\n    }\n\n    return 0;\n}\n\n\n#define MAX(a,b) "
    "((a)>(b)?(a):(b))\n",
    "def main():\n    rows = [{\"id\": 17, \"name\": \"x_y-z\", \"tags\": [\"a\", \"b\"]}]\n    "
    "for "
    "row in rows:\n        print(f\"{row['id']:>5} | {row['name']}\")  # noqa: E501\n\n\nif "
    "__name__ == \"__main__\":\n    main()\n",
    "# Heading\n\n| name | value |\n|:-----|------:|\n| `a`  | **1.5** |\n\n- item one\n  - item "
    "two\n\n```sh\n$ curl -fsSL https://example.com/a?b=c&d=%20 | tar -xzf - \\\n    -C /tmp\n```\n"
    "\n$$\\int_0^1 x^2\\,dx = \\tfrac{1}{3}$$\n",
    "{\"command\": \"grep -rn \\\"FIXED\\\" src/ | head -20\", \"timeout\": 120000, \"env\": "
    "{\"PATH\": \"/usr/bin:/bin\", \"LC_ALL\": \"C.UTF-8\"}, \"ok\": true, \"n\": null}",
    "Gr\xc3\xbc\xc3\x9f"
    "e aus K\xc3\xb6ln! \xe4\xbb\x8a\xe5\xa4\xa9\xe5\xa4\xa9\xe6\xb0\x94"
    "\xe5\xbe\x88\xe5\xa5\xbd\xef\xbc\x8c\xe6\x88\x91\xe4\xbb\xac\xe5\x8e\xbb\xe5\x85\xac"
    "\xe5\x9b\xad\xe5\x90\xa7\xe3\x80\x82 \xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82, "
    "\xd0\xbc\xd0\xb8\xd1\x80! \xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb\xf0\x9f\x91\x8d "
    "na\xc3\xafve caf\xc3\xa9 \xe3\x81\x93\xe3\x82\x93\xe3\x81\xab\xe3\x81\xa1\xe3\x81\xaf",
};

struct counts {
    size_t n_cuts, n_others, n_back;
};

static bool allow(void *ud, struct gs_slice text)
{
    (void)ud;
    return text.len > 0;
}

/* The tokens of the whole text may come, from the first that was taken back on. */
static void follow(struct gs_heal *h, const struct gs_token_ids *whole, size_t from)
{
    for (size_t i = from; gs_heal_goes_on(h) && i < whole->len; i++) {
        assert_null(gs_heal_mask(h, whole->ids[i], allow, NULL));
        gs_heal_accept(h, whole->ids[i]);
    }
    assert_false(gs_heal_goes_on(h));
}

static void check_cut(const struct gs_tokenizer *tok, struct gs_slice text, size_t cut,
                      const struct gs_token_ids *whole, struct counts *n)
{
    static const struct gs_prompt_traits traits = {.think_begin = "", .think_end = ""};
    struct gs_token_ids ids = {0};
    struct gs_heal h;

    assert_int_equal(gs_token_encode(tok, gs_slice_sub(text, 0, cut), 0, &ids, NULL), GS_OK);
    assert_int_equal(gs_heal_begin(&h, tok, &traits, &ids, 0, NULL), GS_OK);
    n->n_cuts++;
    n->n_back += h.n_tokens;
    if (ids.len <= whole->len &&
        (ids.len == 0 || memcmp(ids.ids, whole->ids, ids.len * sizeof(*ids.ids)) == 0))
        follow(&h, whole, ids.len);
    else
        n->n_others++;
    gs_heal_clear(&h);
    gs_token_ids_clear(&ids);
}

#define EVERY 5 /* so many cuts one is tried, others for each vocabulary */

static void check_vocabulary(const char *name, size_t first)
{
    struct gs_tokenizer *tok = NULL;
    struct gs_gguf *file = NULL;
    struct counts n = {0};
    char path[512];

    snprintf(path, sizeof(path), FOLDER "%s.gguf", name);
    if (gs_gguf_open(path, &file, NULL) != GS_OK) {
        print_message("no %s: skipped\n", path);
        skip();
    }
    assert_int_equal(gs_token_create(file, &tok, NULL), GS_OK);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const struct gs_slice text = gs_slice_str(texts[i]);
        struct gs_token_ids whole = {0};
        assert_int_equal(gs_token_encode(tok, text, 0, &whole, NULL), GS_OK);
        for (size_t cut = 1 + first % EVERY; cut <= text.len; cut += EVERY)
            if (cut == text.len || ((unsigned char)text.ptr[cut] & 0xc0) != 0x80)
                check_cut(tok, text, cut, &whole, &n);
        gs_token_ids_clear(&whole);
    }
    print_message("%s: %zu of %zu cuts begin otherwise, %.1f tokens taken back\n", name, n.n_others,
                  n.n_cuts, (double)n.n_back / (double)n.n_cuts);
    assert_int_equal(n.n_others, 0);
    gs_token_free(tok);
    gs_gguf_close(file);
}

static void a_cut_text_begins_as_the_whole(void **state)
{
    static const char *const names[] = {"llama-bpe",    "qwen2",     "gpt-4o", "llama-spm",
                                        "deepseek-llm", "starcoder", "falcon"};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        check_vocabulary(names[i], i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cut_text_begins_as_the_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
