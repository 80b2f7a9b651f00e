/* The corpus of fuzz_model is what tiny_gguf.h writes for these shapes: as small as the formats
 * allow, one per path through the loaders. With GENSET_UPDATE set it is written anew. */
#include "cmocka_headers.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/os.h"
#include "tiny_gguf.h"

#define CORPUS    GENSET_TEST_DATA "/../fuzz/corpus/fuzz_model"
#define MAX_BYTES ((size_t)1 << 20)

static const struct {
    const char *name;
    struct tiny_shape shape;
    struct tiny_edit edit;
} files[] = {
    {"llama", {"llama", false, GS_TYPE_F32, 8, 8, 8, 1, 2, 1, 4, 0, 0, 0}, {0}},
    {"llama_q8_0", {"llama", false, GS_TYPE_Q8_0, 8, 32, 32, 1, 1, 1, 32, 0, 0, 0}, {0}},
    {"llama_yarn",
     {"llama", false, GS_TYPE_F32, 8, 8, 8, 1, 2, 1, 4, 0, 0, 0},
     {.name = "rope.scaling.type", TINY_STRING, .text = "yarn"}},
    {"mixtral", {"llama", true, GS_TYPE_F32, 8, 8, 8, 1, 2, 1, 4, 0, 0, 0}, {0}},
    {"qwen2", {"qwen2", false, GS_TYPE_F32, 8, 8, 8, 1, 2, 2, 4, 0, 0, 0}, {0}},
    {"qwen3",
     {"qwen3", false, GS_TYPE_F32, 8, 8, 8, 2, 2, 1, 4, 0, 0, 0},
     {.name = "feed_forward_length", TINY_ARRAY, .u32 = 8}},
    {"qwen3moe", {"qwen3moe", true, GS_TYPE_Q8_0, 8, 32, 32, 1, 1, 1, 32, 0, 0, 0}, {0}},
    {"granite", {"granite", false, GS_TYPE_F32, 8, 8, 8, 1, 2, 1, 4, 0, 0, 0}, {0}},
    {"mistral3", {"mistral3", false, GS_TYPE_F32, 8, 8, 8, 1, 2, 1, 4, 0, 0, 0}, {0}},
    {"phi3", {"phi3", false, GS_TYPE_F32, 8, 8, 8, 1, 2, 1, 4, 0, 0, 0}, {0}},
    {"glm4", {"glm4", false, GS_TYPE_F32, 8, 8, 8, 1, 2, 1, 4, 0, 0, 0}, {0}},
    {"glm4moe", {"glm4moe", true, GS_TYPE_F32, 8, 8, 8, 2, 2, 1, 4, 0, 0, 0}, {0}},
    {"gpt_oss", {"gpt-oss", true, GS_TYPE_F32, 8, 8, 8, 1, 2, 1, 4, 0, 0, 0}, {0}},
    {"gemma2", {"gemma2", false, GS_TYPE_F32, 8, 8, 8, 2, 2, 1, 4, 0, 0, 0}, {0}},
    {"gemma3", {"gemma3", false, GS_TYPE_F32, 8, 8, 8, 1, 2, 1, 4, 0, 0, 0}, {0}},
    {"gemma4", {"gemma4", false, GS_TYPE_F32, 8, 8, 8, 4, 2, 1, 4, 0, 0, 0}, {0}},
    {"gemma4_moe", {"gemma4", true, GS_TYPE_F32, 8, 8, 8, 1, 2, 1, 4, 0, 0, 0}, {0}},
    {"deepseek2",
     {"deepseek2", true, GS_TYPE_F32, 8, 8, 8, 2, 2, 1, 16, 0, 0, 0},
     {.name = "attention.key_length_mla", TINY_U32, .u32 = 16}},
    {"qwen35", {"qwen35", false, GS_TYPE_F32, 8, 8, 8, 2, 2, 1, 4, 1, 2, 4}, {0}},
    {"qwen3_last",
     {"qwen3", false, GS_TYPE_F32, 8, 8, 8, 1, 2, 1, 4, 0, 0, 0},
     {.name = "pooling_type", TINY_U32, .u32 = 3}},
    {"bert_rank",
     {"bert", false, GS_TYPE_F32, 8, 8, 8, 1, 2, 2, 4, 0, 0, 0},
     {.name = "pooling_type", TINY_U32, .u32 = 4}},
    {"nomic_bert", {"nomic-bert", false, GS_TYPE_F32, 8, 8, 8, 1, 2, 2, 4, 0, 0, 0}, {0}},
    {"jina_bert", {"jina-bert-v2", false, GS_TYPE_F32, 8, 8, 8, 1, 2, 2, 4, 0, 0, 0}, {0}},
    {"modern_bert", {"modern-bert", false, GS_TYPE_F32, 8, 8, 8, 2, 2, 2, 4, 0, 0, 0}, {0}},
    {"gemma_embedding", {"gemma-embedding", false, GS_TYPE_F32, 8, 8, 8, 1, 2, 1, 4, 0, 0, 0}, {0}},
    {"qwen35moe", {"qwen35moe", true, GS_TYPE_F32, 8, 8, 8, 2, 2, 1, 4, 1, 2, 4}, {0}},
};

static void read_all(const char *path, struct gs_buf *b)
{
    struct gs_error err = {0};

    gs_buf_init(b, MAX_BYTES);
    if (gs_os_read_file(path, b, &err) != GS_OK)
        fail_msg("%s", err.msg);
}

static void check_file(const char *expected_path, const char *found_path)
{
    struct gs_buf expected;
    struct gs_buf found;

    read_all(expected_path, &expected);
    read_all(found_path, &found);
    assert_int_equal(expected.len, found.len);
    assert_memory_equal(expected.ptr, found.ptr, found.len);
    gs_buf_clear(&expected);
    gs_buf_clear(&found);
}

static void test_corpus(void **state)
{
    char dir[] = "/tmp/genset-corpus-XXXXXX";

    (void)state;
    assert_non_null(mkdtemp(dir));
    for (size_t i = 0; i < GS_COUNT_OF(files); i++) {
        char kept[512];
        char fresh[512];
        const size_t n_edits = files[i].edit.name ? 1 : 0;

        snprintf(kept, sizeof(kept), CORPUS "/%s.gguf", files[i].name);
        snprintf(fresh, sizeof(fresh), "%s/%s.gguf", dir, files[i].name);
        if (getenv("GENSET_UPDATE"))
            assert_int_equal(tiny_write(kept, &files[i].shape, &files[i].edit, n_edits), GS_OK);
        assert_int_equal(tiny_write(fresh, &files[i].shape, &files[i].edit, n_edits), GS_OK);
        check_file(kept, fresh);
        unlink(fresh);
    }
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_corpus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
