/* Encoders of every family with random weights: a text's vector is its own, whatever is beside it
 * and on however many lanes; what files may not say; memory that runs out; cancelling. */
#include "cmocka_headers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "compute/lane.h"
#include "gguf/gguf.h"
#include "model/encoder.h"
#include "model/model.h"
#include "tiny_gguf.h"

#define DIM     32
#define N_TEXTS 5

struct rig {
    struct gs_gguf *file;
    struct gs_model *model;
    struct gs_compute *compute;
    struct gs_encoder *encoder;
};

static enum gs_status rig_open(struct rig *r, const struct gs_gguf *f, int lanes,
                               struct gs_error *err)
{
    enum gs_status st = gs_model_load(f, &r->model, err);

    if (st == GS_OK)
        st = gs_compute_create(lanes, getenv("GENSET_CPU"), &r->compute, err);
    return st == GS_OK ? gs_encoder_create(r->model, r->compute, &r->encoder, err) : st;
}

static void rig_close(struct rig *r)
{
    gs_encoder_free(r->encoder);
    gs_compute_free(r->compute);
    gs_model_free(r->model);
    gs_gguf_close(r->file);
}

static struct rig rig_create(const struct tiny_shape *shape, const struct tiny_edit *edits,
                             size_t n_edits, int lanes)
{
    struct rig r = {.file = tiny_open(shape, edits, n_edits)};
    struct gs_error err = {0};

    assert_non_null(r.file);
    if (rig_open(&r, r.file, lanes, &err) != GS_OK)
        fail_msg("%s: %s", shape->arch, err.msg);
    return r;
}

static void encode(struct rig *r, const struct gs_encoder_text *texts, size_t n, float *out)
{
    const struct gs_encoder_job job = {.texts = texts, .n = n};
    struct gs_error err = {0};

    if (gs_encoder_run(r->encoder, &job, out, &err) != GS_OK)
        fail_msg("%s", err.msg);
}

/* Texts of 1, 8, 15... tokens. */
static int32_t tokens[2048];
static struct gs_encoder_text texts[N_TEXTS];

static int make_texts(void **state)
{
    struct gs_rng rng;

    (void)state;
    gs_rng_seed(&rng, 3);
    for (size_t i = 0; i < GS_COUNT_OF(tokens); i++)
        tokens[i] = (int32_t)(gs_rng_u64(&rng) % 48);
    for (uint32_t i = 0; i < N_TEXTS; i++)
        texts[i] = (struct gs_encoder_text){.tokens = tokens + 40 * i, .n = 1 + 7 * i};
    return 0;
}

/* ---- vectors ---- */

static void test_a_text_has_its_own_vector(void **state)
{
    (void)state;
    for (size_t s = 0; s < GS_COUNT_OF(tiny_encoder_shapes); s++) {
        float together[N_TEXTS][DIM];
        float alone[DIM];
        for (int lanes = 1; lanes <= 3; lanes++) {
            struct rig r = rig_create(&tiny_encoder_shapes[s], NULL, 0, lanes);

            assert_int_equal(gs_model_params(r.model)->n_pooled, DIM);
            if (lanes == 1)
                encode(&r, texts, N_TEXTS, together[0]);
            for (size_t i = 0; i < N_TEXTS; i++) {
                double off = 0;
                encode(&r, &texts[i], 1, alone);
                for (int j = 0; j < DIM; j++)
                    off = fmax(off, fabs((double)alone[j] - (double)together[i][j]));
                if (!(off < 1e-4))
                    fail_msg("%s, text %zu: off by %g", tiny_encoder_shapes[s].arch, i, off);
            }
            rig_close(&r);
        }
    }
}

/* The first token's state sees the last token. */
static void test_texts_are_read_both_ways(void **state)
{
    const struct tiny_edit first = {.name = "pooling_type", TINY_U32, .u32 = GS_POOLING_FIRST};

    (void)state;
    for (size_t s = 0; s < GS_COUNT_OF(tiny_encoder_shapes); s++) {
        struct rig r = rig_create(&tiny_encoder_shapes[s], &first, 1, 1);
        int32_t other[8];
        float a[DIM];
        float b[DIM];

        memcpy(other, tokens, sizeof(other));
        other[7] = (other[7] + 1) % 48;
        encode(&r, &(struct gs_encoder_text){.tokens = tokens, .n = 8}, 1, a);
        encode(&r, &(struct gs_encoder_text){.tokens = other, .n = 8}, 1, b);
        assert_memory_not_equal(a, b, sizeof(a));
        rig_close(&r);
    }
}

static void test_segments(void **state)
{
    const struct tiny_edit rank = {.name = "pooling_type", TINY_U32, .u32 = GS_POOLING_RANK};

    (void)state;
    for (size_t s = 0; s < 2; s++) { /* bert has two segments, nomic-bert here has none */
        struct rig r = rig_create(&tiny_encoder_shapes[s], &rank, 1, 1);
        float one, two;

        encode(&r, &(struct gs_encoder_text){.tokens = tokens, .n = 8}, 1, &one);
        encode(&r, &(struct gs_encoder_text){.tokens = tokens, .n = 8, .segment_at = 5}, 1, &two);
        assert_int_equal(one == two, s == 1);
        rig_close(&r);
    }
}

/* Longer than a batch: whole where a text is read both ways, in pieces where it is not. */
static void test_long_texts(void **state)
{
    static const struct tiny_edit edits[] = {
        {.name = "context_length", TINY_U32, .u32 = 2048},
        {.name = "pooling_type", TINY_U32, .u32 = GS_POOLING_MEAN},
    };
    const struct gs_encoder_text mixed[] = {
        {.tokens = tokens, .n = 5}, {.tokens = tokens, .n = 1200}, {.tokens = tokens, .n = 600}};
    const struct tiny_shape *shapes[] = {&tiny_encoder_shapes[1], &tiny_shapes[3]};

    (void)state;
    for (size_t s = 0; s < GS_COUNT_OF(shapes); s++) {
        struct rig r = rig_create(shapes[s], edits, 2, 2);
        float together[3 * 64];
        float alone[64];
        const size_t dim = gs_model_params(r.model)->n_pooled;

        encode(&r, mixed, 3, together);
        for (size_t i = 0; i < 3; i++) {
            encode(&r, &mixed[i], 1, alone);
            for (size_t j = 0; j < dim; j++)
                assert_float_equal(alone[j], together[i * dim + j], 1e-3);
        }
        rig_close(&r);
    }
}

/* ---- refusals ---- */

static void test_wrong_texts(void **state)
{
    static const int32_t outside[] = {3, 48};
    const struct gs_encoder_text wrong[] = {
        {.tokens = tokens, .n = 0}, {.tokens = tokens, .n = 65}, {.tokens = outside, .n = 2}};
    static const char *const words[] = {
        "a text has no tokens", "a text of 65 tokens does not fit the model's context of 64",
        "token 48 is outside the vocabulary of 48"};
    struct rig r = rig_create(&tiny_encoder_shapes[0], NULL, 0, 1);
    float out[DIM];

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(wrong); i++) {
        struct gs_error err = {0};
        const enum gs_status st = gs_encoder_run(
            r.encoder, &(struct gs_encoder_job){.texts = &wrong[i], .n = 1}, out, &err);
        assert_int_equal(st, i == 1 ? GS_ECONTEXT : GS_EINVAL);
        assert_string_equal(err.msg, words[i]);
    }
    encode(&r, texts, 1, out);
    rig_close(&r);
}

struct refusal {
    size_t shape;
    struct tiny_edit edit;
    const char *msg;
};

static const struct refusal refusals[] = {
    {0, {.name = "attention.head_count", TINY_U32, .u32 = 0}, "found 0"},
    {0,
     {.name = "attention.head_count_kv", TINY_U32, .u32 = 3},
     "3 key heads do not divide 4 query heads"},
    {0, {.name = "attention.layer_norm_epsilon", TINY_F32, .f32 = -1}, "found -1"},
    {0, {.name = "pooling_type", TINY_U32, .u32 = 5}, "found 5"},
    {0, {.name = "position_embd.weight", TINY_DROP}, "tensor \"position_embd.weight\" is missing"},
    {0, {.name = "token_types.weight", TINY_TYPE, .u32 = GS_TYPE_I8}, "I8"},
    {0, {.name = "blk.0.attn_q.bias", TINY_TYPE, .u32 = GS_TYPE_I8}, "I8"},
    {0,
     {.name = "blk.1.layer_output_norm.weight", TINY_DROP},
     "tensor \"blk.1.layer_output_norm.weight\""},
    {0, {.name = "blk.0.ffn_up.weight", TINY_U32, .u32 = 47}, "blk.0.ffn_up.weight"},
    {1,
     {.name = "rope.dimension_count", TINY_U32, .u32 = 16},
     "cannot rotate 16 dimensions of heads of 8"},
    {1,
     {.name = "blk.0.attn_qkv.weight", TINY_U32, .u32 = 95},
     "tensor \"blk.0.attn_qkv.weight\": expected shape [32, 96], found [32, 95]"},
    {1, {.name = "blk.0.ffn_gate.weight", TINY_DROP}, "blk.0.ffn_gate.weight"},
    {2, {.name = "attention.max_alibi_bias", TINY_F32, .f32 = 1e9f}, "found 1e+09"},
    {3, {.name = "attention.sliding_window", TINY_U32, .u32 = 1}, "found 1"},
    {3, {.name = "output_norm.weight", TINY_DROP}, "tensor \"output_norm.weight\""},
    {4, {.name = "blk.0.attn_q_norm.weight", TINY_DROP}, "tensor \"blk.0.attn_q_norm.weight\""},
    {4,
     {.name = "dense_2.weight", TINY_U32, .u32 = 63},
     "tensor \"dense_3.weight\": expected shape [63"},
};

static void test_refused_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(refusals); i++) {
        const struct refusal *r = &refusals[i];
        struct gs_gguf *f = tiny_open(&tiny_encoder_shapes[r->shape], &r->edit, 1);
        struct gs_model *m = NULL;
        struct gs_error err = {0};

        assert_non_null(f);
        if (gs_model_load(f, &m, &err) == GS_OK || !strstr(err.msg, r->msg))
            fail_msg("%s: expected \"%s\", found \"%s\"", r->edit.name, r->msg, err.msg);
        gs_gguf_close(f);
    }
}

/* ---- memory, cancelling ---- */

static void test_every_allocation(void **state)
{
    (void)state;
    for (size_t s = 0; s < GS_COUNT_OF(tiny_encoder_shapes); s++) {
        struct gs_gguf *f = tiny_open(&tiny_encoder_shapes[s], NULL, 0);
        enum gs_status st = GS_ENOMEM;
        long n = 0;

        assert_non_null(f);
        while (st == GS_ENOMEM) {
            struct rig r = {.file = NULL};
            struct gs_error err = {0};
            float out[2][DIM];
            gs_alloc_fail_at(++n);
            st = rig_open(&r, f, 1, &err);
            if (st == GS_OK)
                st = gs_encoder_run(r.encoder, &(struct gs_encoder_job){.texts = texts, .n = 2},
                                    out[0], &err);
            gs_alloc_fail_at(0);
            assert_int_equal(err.code, st);
            rig_close(&r);
        }
        assert_int_equal(st, GS_OK);
        assert_true(n > 8);
        gs_gguf_close(f);
    }
}

static bool count_down(void *ud)
{
    int *left = ud;

    return (*left)-- == 0;
}

static void test_cancelling(void **state)
{
    static const struct tiny_edit edits[] = {
        {.name = "context_length", TINY_U32, .u32 = 2048},
        {.name = "pooling_type", TINY_U32, .u32 = GS_POOLING_LAST},
    };
    const struct gs_encoder_text two[] = {{.tokens = tokens, .n = 400},
                                          {.tokens = tokens, .n = 1200}};
    struct rig r = rig_create(&tiny_shapes[3], edits, 2, 1); /* reads one way: in pieces of 512 */
    enum gs_status st = GS_ECANCELLED;
    float out[2][64];
    int asked = 0;

    (void)state;
    for (; st == GS_ECANCELLED; asked++) {
        int left = asked;
        const struct gs_encoder_job job = {
            .texts = two, .n = 2, .is_cancelled = count_down, .ud = &left};
        struct gs_error err = {0};
        st = gs_encoder_run(r.encoder, &job, out[0], &err);
        assert_int_equal(err.code, st);
    }
    assert_int_equal(st, GS_OK);
    assert_int_equal(asked, 1 + 1 + 1 + 3); /* before each batch and piece, and then no more */
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_text_has_its_own_vector),
        cmocka_unit_test(test_texts_are_read_both_ways),
        cmocka_unit_test(test_segments),
        cmocka_unit_test(test_long_texts),
        cmocka_unit_test(test_wrong_texts),
        cmocka_unit_test(test_refused_files),
        cmocka_unit_test(test_every_allocation),
        cmocka_unit_test(test_cancelling),
    };

    return cmocka_run_group_tests(tests, make_texts, NULL);
}
