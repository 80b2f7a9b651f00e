/* The models that the bench measures can be opened and computed, in every mix of formats. */
#include "cmocka_headers.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/os.h"
#include "base/slice.h"
#include "bench_model.h"
#include "compute/lane.h"
#include "gguf/gguf.h"
#include "model/exec.h"
#include "model/model.h"
#include "token/token.h"

static const char path[] = "model.gguf";
static char folder[] = "/tmp/genset-test-XXXXXX";

static int enter_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? chdir(folder) : -1;
}

static int leave_folder(void **state)
{
    (void)state;
    unlink(path);
    return chdir("/") == 0 ? rmdir(folder) : -1;
}

static void write_model(const char *shape, const struct gs_bench_mix *mix, uint64_t seed)
{
    struct gs_error err = {0};

    if (gs_bench_model_write(gs_bench_shape_find(shape), mix, seed, path, &err) != GS_OK)
        fail_msg("%s", err.msg);
}

static struct gs_token_ids tokenize(const struct gs_gguf *f)
{
    struct gs_tokenizer *t = NULL;
    struct gs_token_ids ids = {0};
    struct gs_error err = {0};

    if (gs_token_create(f, &t, &err) != GS_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(gs_token_encode(t, GS_SLICE_LIT("<|im_start|>so it goes, na\xC3\xAFvely"),
                                     GS_TOKEN_PARSE_SPECIAL, &ids, &err),
                     GS_OK);
    assert_true(gs_slice_eq_str(gs_token_bytes(t, ids.ids[0]), "<|im_start|>"));
    assert_true(gs_slice_eq_str(gs_token_bytes(t, ids.ids[1]), "so"));
    assert_true(gs_token_is_end(t, gs_token_eos(t)));
    gs_token_free(t);
    return ids;
}

/* The last row of logits must be numbers of a sane spread. */
static void check_logits(const float *logits, uint32_t n)
{
    double squares = 0;

    for (uint32_t i = 0; i < n; i++) {
        assert_true(isfinite(logits[i]));
        squares += (double)logits[i] * (double)logits[i];
    }
    const double sd = sqrt(squares / n);
    assert_true(sd > 0.05 && sd < 5);
}

static void compute(const struct gs_gguf *f, const struct gs_token_ids *ids)
{
    const struct gs_exec_options opt = {.kv_type = GS_TYPE_F16,
                                        .batch_rows = 64,
                                        .output_rows = 1,
                                        .max_sequences = 1,
                                        .kv_tokens = 256,
                                        .ctx_tokens = 256};
    struct gs_model *m = NULL;
    struct gs_compute *pool = NULL;
    struct gs_exec *e = NULL;
    struct gs_seq *s = NULL;
    const float *logits;
    struct gs_error err = {0};

    if (gs_model_load(f, &m, &err) != GS_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(gs_compute_create(1, NULL, &pool, &err), GS_OK);
    assert_int_equal(gs_exec_create(m, pool, &opt, &e, &err), GS_OK);
    assert_int_equal(gs_seq_create(e, 256, &s, &err), GS_OK);
    const struct gs_run run = {
        .seq = s, .tokens = ids->ids, .n_tokens = (uint32_t)ids->len, .n_logits = 1};
    assert_int_equal(gs_exec_forward(e, &run, 1, &logits, &err), GS_OK);
    check_logits(logits, gs_model_params(m)->n_vocab);
    gs_seq_free(s);
    gs_exec_free(e);
    gs_compute_free(pool);
    gs_model_free(m);
}

static const char *const tiny[] = {"tiny-qwen3", "tiny-llama", "tiny-qwen3moe", "tiny-qwen35"};

static void check_model(const char *shape, const struct gs_bench_mix *mix)
{
    struct gs_gguf *f = NULL;
    struct gs_error err = {0};

    write_model(shape, mix, 1);
    if (gs_gguf_open(path, &f, &err) != GS_OK)
        fail_msg("%s", err.msg);
    struct gs_token_ids ids = tokenize(f);
    compute(f, &ids);
    gs_token_ids_clear(&ids);
    gs_gguf_close(f);
}

static void every_mix_computes(void **state)
{
    (void)state;
    for (unsigned i = 0; gs_bench_mix_at(i); i++)
        check_model(tiny[i % GS_COUNT_OF(tiny)], gs_bench_mix_at(i));
}

static void every_family_computes(void **state)
{
    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(tiny); i++)
        check_model(tiny[i], gs_bench_mix_find("Q4_K_M"));
}

static struct gs_buf content(uint64_t seed)
{
    struct gs_buf b;
    struct gs_error err = {0};

    gs_buf_init(&b, 64 * GS_MIB);
    write_model("tiny-qwen3", gs_bench_mix_find("Q4_K_M"), seed);
    assert_int_equal(gs_os_read_file(path, &b, &err), GS_OK);
    return b;
}

static void seed_decides_the_bytes(void **state)
{
    struct gs_buf a = content(1);
    struct gs_buf b = content(1);
    struct gs_buf c = content(2);
    (void)state;

    assert_true(gs_slice_eq(gs_buf_view(&a), gs_buf_view(&b)));
    assert_false(gs_slice_eq(gs_buf_view(&a), gs_buf_view(&c)));
    gs_buf_clear(&a);
    gs_buf_clear(&b);
    gs_buf_clear(&c);
}

/* As llama.cpp's quantise chooses for 28 layers. */
static void layers_that_need_more(void **state)
{
    uint32_t mask = 0;
    (void)state;

    for (uint32_t i = 0; i < 28; i++)
        mask |= (uint32_t)gs_bench_layer_needs_more(i, 28) << i;
    assert_int_equal(mask, 0xF924927);
    assert_null(gs_bench_shape_find("none"));
    assert_null(gs_bench_mix_find("q4_k_m"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_mix_computes),
        cmocka_unit_test(every_family_computes),
        cmocka_unit_test(seed_decides_the_bytes),
        cmocka_unit_test(layers_that_need_more),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
