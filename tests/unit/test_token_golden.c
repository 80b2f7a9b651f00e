/* Every row of ../shared/golden/tokenizer: the ids of a text under a real vocabulary, and the text
 * back again. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/slice.h"
#include "cmocka_headers.h"
#include "gguf/gguf.h"
#include "token/token.h"
#include "json/json.h"

#define FOLDER GENSET_SHARED "/golden/tokenizer/"

struct vocab {
    struct gs_gguf *file;
    struct gs_tokenizer *tok;
    char *json;
    struct gs_arena arena;
    const struct gs_json *cases;
    struct gs_json root;
};

static char *read_text(const char *path, size_t *out_len)
{
    FILE *const fp = fopen(path, "rb");
    char *text = NULL;

    if (!fp)
        return NULL;
    assert_int_equal(fseek(fp, 0, SEEK_END), 0);
    const long len = ftell(fp);
    rewind(fp);
    text = gs_alloc((size_t)len);
    assert_non_null(text);
    *out_len = fread(text, 1, (size_t)len, fp);
    assert_int_equal(*out_len, len);
    fclose(fp);
    return text;
}

static void load(struct vocab *v, const char *name)
{
    char path[512];
    struct gs_error err = {0};
    size_t len = 0;

    snprintf(path, sizeof(path), FOLDER "%s.cases.json", name);
    v->json = read_text(path, &len);
    if (!v->json) {
        print_message("%s is absent\n", path);
        skip();
    }
    gs_arena_init(&v->arena, 0);
    assert_int_equal(gs_json_parse(gs_slice(v->json, len), &v->arena, &v->root, &err), GS_OK);
    v->cases = gs_json_get(&v->root, "cases");
    assert_non_null(v->cases);
    snprintf(path, sizeof(path), FOLDER "%s.gguf", name);
    if (gs_gguf_open(path, &v->file, &err) != GS_OK ||
        gs_token_create(v->file, &v->tok, &err) != GS_OK)
        fail_msg("%s: %s", path, err.msg);
}

static void unload(struct vocab *v)
{
    gs_token_free(v->tok);
    gs_gguf_close(v->file);
    gs_arena_clear(&v->arena);
    gs_free(v->json);
}

static void print_ids(const struct gs_tokenizer *t, const char *what, const int32_t *ids, size_t n)
{
    print_message("  %s:", what);
    for (size_t i = 0; i < n; i++) {
        const struct gs_slice s = gs_token_spelling(t, ids[i]);
        print_message(" %d\"%.*s\"", ids[i], (int)s.len, s.ptr);
    }
    print_message("\n");
}

static bool check_case(const struct vocab *v, const struct gs_json *c)
{
    const struct gs_json *const want = gs_json_get(c, "ids");
    struct gs_slice text = {0};
    struct gs_error err = {0};
    bool add = false;
    bool parse = false;
    struct gs_token_ids got = {0};
    int32_t ids[4096];

    assert_true(gs_json_get_string(c, "text", &text, &err));
    assert_true(gs_json_get_bool(c, "add_special", &add, &err));
    assert_true(gs_json_get_bool(c, "parse_special", &parse, &err));
    assert_true(want->u.array.len <= GS_COUNT_OF(ids));
    for (size_t i = 0; i < want->u.array.len; i++)
        ids[i] = (int32_t)want->u.array.items[i].u.integer;
    const unsigned flags =
        (add ? GS_TOKEN_ADD_SPECIAL : 0u) | (parse ? GS_TOKEN_PARSE_SPECIAL : 0u);
    assert_int_equal(gs_token_encode(v->tok, text, flags, &got, &err), GS_OK);
    const bool equal = got.len == want->u.array.len &&
                       (got.len == 0 || memcmp(got.ids, ids, got.len * sizeof(ids[0])) == 0);
    if (!equal) {
        print_message("\"%.*s\" (add %d, parse %d)\n", (int)text.len, text.ptr, add, parse);
        print_ids(v->tok, "want", ids, want->u.array.len);
        print_ids(v->tok, "got ", got.ids, got.len);
    }
    gs_token_ids_clear(&got);
    return equal;
}

/* Without special tokens the ids of a text give that text again, but for BERT's, which has lost
 * case and white space. */
static void check_back(const struct vocab *v, const struct gs_json *c)
{
    const struct gs_json *const ids = gs_json_get(c, "ids");
    struct gs_slice text = {0};
    struct gs_detok d;
    struct gs_buf b;
    bool add = true;

    assert_true(gs_json_get_string(c, "text", &text, NULL));
    assert_true(gs_json_get_bool(c, "add_special", &add, NULL));
    if (add)
        return;
    gs_buf_init(&b, GS_MIB);
    gs_detok_init(&d, v->tok, false);
    for (size_t i = 0; i < ids->u.array.len; i++)
        gs_detok_feed(&d, (int32_t)ids->u.array.items[i].u.integer, &b);
    gs_detok_finish(&d, &b);
    if (!gs_slice_eq(gs_buf_view(&b), text))
        fail_msg("\"%.*s\" comes back as \"%.*s\"", (int)text.len, text.ptr, (int)b.len, b.ptr);
    gs_buf_clear(&b);
}

static void check_vocab(void **state)
{
    struct vocab v = {0};
    size_t n_wrong = 0;

    load(&v, *state);
    for (size_t i = 0; i < v.cases->u.array.len; i++) {
        const struct gs_json *const c = &v.cases->u.array.items[i];
        n_wrong += !check_case(&v, c);
        if (strcmp(*state, "bert-bge") != 0)
            check_back(&v, c);
    }
    assert_true(v.cases->u.array.len > 0);
    assert_int_equal(n_wrong, 0);
    unload(&v);
}

#define VOCAB(name)                                                                                \
    {                                                                                              \
        name, check_vocab, NULL, NULL, name                                                        \
    }

int main(void)
{
    static const struct CMUnitTest tests[] = {
        VOCAB("bert-bge"),  VOCAB("deepseek-coder"), VOCAB("deepseek-llm"), VOCAB("falcon"),
        VOCAB("gpt-2"),     VOCAB("gpt-4o"),         VOCAB("llama-bpe"),    VOCAB("llama-spm"),
        VOCAB("phi-3"),     VOCAB("qwen2"),          VOCAB("qwen35"),       VOCAB("smollm"),
        VOCAB("starcoder"),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
