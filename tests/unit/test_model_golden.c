/* Logits of the golden models against the reference's: every architecture and block format that we
 * have. Each case names its tokens; in one prefill, in steps of few rows, token by token; f32
 * cache. */
#include "cmocka_headers.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/limits.h"
#include "base/os.h"
#include "base/slice.h"
#include "compute/lane.h"
#include "gguf/gguf.h"
#include "model/exec.h"
#include "model/model.h"
#include "json/json.h"

#define GOLDEN     GENSET_SHARED "/golden/"
#define MAX_TOKENS 512

static const char *const arch_cases[] = {
    "deepseek2",
    "gemma2",
    "gemma3",
    "gemma4-dense",
    "gemma4-moe",
    "glm4",
    "glm4moe",
    "gpt-oss",
    "granite",
    "llama",
    "llama-rope-freqs",
    "llama-rope-linear",
    "llama-tied",
    "llama-yarn",
    "mistral3",
    "mixtral",
    "phi3",
    "phi3-longrope",
    "qwen2",
    "qwen3",
    "qwen3-yarn",
    "qwen3moe",
    "qwen35",
    "qwen35-eqheads",
    "qwen35-mtp",
    "qwen35moe",
    "smollm3",
};

static const char *const quant_cases[] = {
    "f16",    "bf16",    "q8_0",   "q4_0",  "q4_1",    "q5_0",   "q5_1",  "q2_k",
    "q3_k_m", "q4_k_m",  "q5_k_m", "q6_k",  "iq4_nl",  "iq4_xs", "mxfp4", "iq1_s",
    "iq1_m",  "iq2_xxs", "iq2_xs", "iq2_s", "iq3_xxs", "iq3_s",  "tq1_0", "tq2_0",
};

static struct gs_arena arena;
static struct gs_json manifest;

static bool load_manifest(void)
{
    struct gs_error err = {0};
    struct gs_buf text;

    gs_buf_init(&text, 16 * GS_MIB);
    if (gs_os_read_file(GOLDEN "manifest.json", &text, &err) != GS_OK) {
        print_message("golden data skipped: %s\n", err.msg);
        gs_buf_clear(&text);
        return false;
    }
    gs_arena_init(&arena, 0);
    assert_int_equal(gs_json_parse(gs_buf_view(&text), &arena, &manifest, &err), GS_OK);
    gs_buf_clear(&text);
    return true;
}

static const struct gs_json *find_case(const char *folder, const char *name)
{
    const struct gs_json *cases = gs_json_get(&manifest, "cases");

    for (size_t i = 0; i < cases->u.array.len; i++) {
        const struct gs_json *c = &cases->u.array.items[i];
        if (gs_slice_eq_str(gs_json_get(c, "name")->u.string, name) &&
            gs_slice_starts(gs_json_get(c, "model")->u.string, gs_slice_str(folder)))
            return c;
    }
    return NULL;
}

static double relative_error(const float *a, const float *b, size_t n)
{
    double diff = 0;
    double norm = 0;

    for (size_t i = 0; i < n; i++) {
        diff += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        norm += (double)b[i] * (double)b[i];
    }
    return sqrt(diff / norm);
}

/* Relative error of all positions against `expected`, computed `chunk` at a time. */
static double chunked_error(struct gs_exec *e, const int32_t *tokens, uint32_t n, uint32_t chunk,
                            const float *expected, size_t n_vocab)
{
    float *all = gs_alloc_array(n * n_vocab, sizeof(*all));
    struct gs_seq *s = NULL;
    const float *logits = NULL;

    assert_non_null(all);
    assert_int_equal(gs_seq_create(e, n, &s, NULL), GS_OK);
    for (uint32_t at = 0; at < n; at += chunk) {
        const uint32_t part = GS_MIN(chunk, n - at);
        const struct gs_run run = {s, tokens + at, part, part, 0};
        assert_int_equal(gs_exec_forward(e, &run, 1, &logits, NULL), GS_OK);
        memcpy(all + at * n_vocab, logits, part * n_vocab * sizeof(*all));
    }
    const double error = relative_error(all, expected, n * n_vocab);
    gs_seq_free(s);
    gs_free(all);
    return error;
}

/* The largest error of one prefill, of steps of few rows, and of single tokens, which are computed
 * in different ways: each against the file of the case. */
static double run_model(const struct gs_model *m, const struct gs_json *c)
{
    const struct gs_json *list = gs_json_get(c, "tokens");
    const struct gs_slice file = gs_json_get(c, "logits")->u.string;
    const uint32_t n = (uint32_t)list->u.array.len;
    const size_t n_floats = (size_t)n * gs_model_params(m)->n_vocab;
    const struct gs_exec_options opt = {GS_TYPE_F32, n, n, 1, n, MAX_TOKENS, false};
    struct gs_compute *pool = NULL;
    struct gs_exec *e = NULL;
    struct gs_buf expected;
    int32_t tokens[MAX_TOKENS];
    double error = 0;
    char path[512];

    assert_true(n <= MAX_TOKENS);
    for (uint32_t i = 0; i < n; i++)
        tokens[i] = (int32_t)list->u.array.items[i].u.integer;
    snprintf(path, sizeof(path), GOLDEN "%.*s", (int)file.len, file.ptr);
    gs_buf_init(&expected, 16 * GS_MIB);
    assert_int_equal(gs_os_read_file(path, &expected, NULL), GS_OK);
    assert_int_equal(expected.len, n_floats * sizeof(float));

    assert_int_equal(gs_compute_create(2, getenv("GENSET_CPU"), &pool, NULL), GS_OK);
    assert_int_equal(gs_exec_create(m, pool, &opt, &e, NULL), GS_OK);
    const uint32_t chunks[] = {n, 7, 1};
    for (size_t i = 0; i < GS_COUNT_OF(chunks); i++)
        error =
            fmax(error, chunked_error(e, tokens, n, chunks[i], (const float *)(void *)expected.ptr,
                                      gs_model_params(m)->n_vocab));
    gs_exec_free(e);
    gs_compute_free(pool);
    gs_buf_clear(&expected);
    return error;
}

static void check_case(const char *folder, const char *name)
{
    const struct gs_json *c = find_case(folder, name);
    struct gs_gguf *f = NULL;
    struct gs_model *m = NULL;
    struct gs_error err = {0};
    char path[512];
    double limit = 0;

    assert_non_null(c);
    snprintf(path, sizeof(path), GOLDEN "%s%s.gguf", folder, name);
    assert_int_equal(gs_gguf_open(path, &f, &err), GS_OK);
    if (gs_model_load(f, &m, &err) != GS_OK)
        fail_msg("%s: %s", name, err.msg);
    assert_true(gs_json_get_double(c, "max_rel_l2", &limit, &err));
    const double error = run_model(m, c);
    print_message("%-20s relative error %.3g (at most %.3g)\n", name, error, limit);
    assert_true(error <= limit);
    gs_model_free(m);
    gs_gguf_close(f);
}

static void test_architectures(void **state)
{
    (void)state;
    if (!load_manifest())
        skip();
    for (size_t i = 0; i < GS_COUNT_OF(arch_cases); i++)
        check_case("arch/", arch_cases[i]);
    gs_arena_clear(&arena);
}

static void test_block_formats(void **state)
{
    (void)state;
    if (!load_manifest())
        skip();
    for (size_t i = 0; i < GS_COUNT_OF(quant_cases); i++)
        check_case("quant/", quant_cases[i]);
    gs_arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_architectures),
        cmocka_unit_test(test_block_formats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
