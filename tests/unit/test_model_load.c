/* Loading: every architecture loads, and a file that is wrong is refused by a message that names
 * what is wrong. */
#include "cmocka_headers.h"

#include "compute/tensor.h"
#include "gguf/gguf.h"
#include "model/exec.h"
#include "model/model.h"
#include "tiny_gguf.h"

static const struct tiny_shape *find_shape(const char *arch)
{
    for (size_t i = 0; i < GS_COUNT_OF(tiny_shapes); i++) {
        if (strcmp(tiny_shapes[i].arch, arch) == 0)
            return &tiny_shapes[i];
    }
    return NULL;
}

static void test_every_architecture(void **state)
{
    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(tiny_shapes); i++) {
        const struct tiny_shape *s = &tiny_shapes[i];
        struct gs_gguf *f = tiny_open(s, NULL, 0);
        struct gs_model *m = NULL;
        struct gs_error err = {0};

        assert_non_null(f);
        if (gs_model_load(f, &m, &err) != GS_OK)
            fail_msg("%s: %s", s->arch, err.msg);
        const struct gs_model_params *p = gs_model_params(m);
        assert_true(gs_slice_eq_str(p->arch, s->arch));
        assert_int_equal(p->n_vocab, s->n_vocab);
        assert_int_equal(p->n_embd, s->n_embd);
        assert_int_equal(p->n_layers, s->n_layers);
        assert_int_equal(p->n_head, s->n_head);
        assert_int_equal(p->n_head_kv, s->n_head_kv);
        assert_int_equal(p->ctx_train_tokens, 256);
        assert_true(p->n_params > (uint64_t)s->n_vocab * s->n_embd);
        assert_int_equal(p->is_recurrent, tiny_is_qwen35(s));
        assert_int_equal(gs_exec_state_bytes(m) > 0, tiny_is_qwen35(s));
        gs_model_free(m);
        gs_gguf_close(f);
    }
}

struct refusal {
    const char *arch;
    struct tiny_edit edit;
    enum gs_status st;
    const char *msg; /* in the message */
};

static const struct refusal refusals[] = {
    {"llama",
     {.name = "general.architecture", TINY_STRING, .text = "foo"},
     GS_EUNSUPPORTED,
     "architecture \"foo\" is not supported"},
    {"llama",
     {.name = "general.architecture", TINY_DROP},
     GS_EFORMAT,
     "key \"general.architecture\" is missing"},
    {"llama", {.name = "general.architecture", TINY_U32}, GS_EFORMAT, "general.architecture"},
    {"llama",
     {.name = "embedding_length", TINY_DROP},
     GS_EFORMAT,
     "key \"llama.embedding_length\" is missing"},
    {"llama",
     {.name = "embedding_length", TINY_STRING, .text = "32"},
     GS_EFORMAT,
     "key \"llama.embedding_length\": expected a whole number, found"},
    {"llama",
     {.name = "embedding_length", TINY_ARRAY, .u32 = 32},
     GS_EFORMAT,
     "key \"llama.embedding_length\": expected a whole number, found an array"},
    {"llama",
     {.name = "embedding_length", TINY_U32, .u32 = 0},
     GS_EFORMAT,
     "key \"llama.embedding_length\": expected 1 to 4194304, found 0"},
    {"llama",
     {.name = "embedding_length", TINY_U32, .u32 = 31},
     GS_EFORMAT,
     "tensor \"token_embd.weight\": expected shape [31, 48], found [32, 48]"},
    {"llama", {.name = "block_count", TINY_U32, .u32 = 0}, GS_EFORMAT, "found 0"},
    {"llama",
     {.name = "block_count", TINY_U32, .u32 = 4000},
     GS_EFORMAT,
     "4000 blocks, but only 20 tensors"},
    {"llama",
     {.name = "block_count", TINY_U32, .u32 = 3},
     GS_EFORMAT,
     "tensor \"blk.2.attn_norm.weight\" of shape [32] is missing"},
    {"llama",
     {.name = "context_length", TINY_U32, .u32 = UINT32_MAX},
     GS_EFORMAT,
     "found 4294967295"},
    {"llama", {.name = "attention.head_count", TINY_U32, .u32 = 0}, GS_EFORMAT, "found 0"},
    {"llama", {.name = "attention.head_count_kv", TINY_U32, .u32 = 0}, GS_EFORMAT, "found 0"},
    {"llama",
     {.name = "attention.head_count_kv", TINY_U32, .u32 = 3},
     GS_EFORMAT,
     "3 key heads do not divide 4 query heads"},
    {"llama",
     {.name = "attention.head_count", TINY_U32, .u32 = 65536},
     GS_EFORMAT,
     "tensor \"blk.0.attn_q.weight\": expected shape [32, 1048576], found [32, 64]"},
    {"llama",
     {.name = "blk.0.attn_q.scale", TINY_F32, .f32 = 0.5f},
     GS_EUNSUPPORTED,
     "tensor \"blk.0.attn_q.scale\": scales of whole matrices are not supported"},
    {"llama", {.name = "attention.key_length", TINY_U32, .u32 = 0}, GS_EFORMAT, "found 0"},
    {"llama",
     {.name = "attention.value_length", TINY_U32, .u32 = 8},
     GS_EFORMAT,
     "tensor \"blk.0.attn_v.weight\": expected shape [32, 16], found [32, 32]"},
    {"llama",
     {.name = "rope.dimension_count", TINY_U32, .u32 = 7},
     GS_EFORMAT,
     "cannot rotate 7 dimensions"},
    {"llama",
     {.name = "rope.dimension_count", TINY_U32, .u32 = 18},
     GS_EFORMAT,
     "cannot rotate 18 dimensions of heads of 16"},
    {"llama",
     {.name = "rope.freq_base", TINY_F32, .f32 = -1},
     GS_EFORMAT,
     "key \"llama.rope.freq_base\""},
    {"llama", {.name = "rope.freq_base", TINY_F32, .f32 = 0.0f / 1.0f}, GS_EFORMAT, "found 0"},
    {"llama",
     {.name = "attention.layer_norm_rms_epsilon", TINY_STRING, .text = "x"},
     GS_EFORMAT,
     "layer_norm_rms_epsilon"},
    {"llama",
     {.name = "rope.scaling.type", TINY_STRING, .text = "longrope"},
     GS_EUNSUPPORTED,
     "rope scaling type \"longrope\" is not supported"},
    {"llama", {.name = "rope.scaling.factor", TINY_F32, .f32 = -2}, GS_EFORMAT, "found -2"},
    {"llama", {.name = "token_embd.weight", TINY_DROP}, GS_EFORMAT, "tensor \"token_embd.weight\""},
    {"llama",
     {.name = "blk.1.ffn_down.weight", TINY_DROP},
     GS_EFORMAT,
     "tensor \"blk.1.ffn_down.weight\" of shape [48, 32] is missing"},
    {"llama",
     {.name = "blk.1.ffn_down.weight", TINY_U32, .u32 = 33},
     GS_EFORMAT,
     "tensor \"blk.1.ffn_down.weight\": expected shape [48, 32], found [48, 33]"},
    {"llama",
     {.name = "blk.1.attn_q.weight", TINY_TYPE, .u32 = GS_TYPE_I32},
     GS_EUNSUPPORTED,
     "tensor \"blk.1.attn_q.weight\": type I32 is not supported"},
    {"llama",
     {.name = "output_norm.weight", TINY_TYPE, .u32 = GS_TYPE_Q8_0},
     GS_EUNSUPPORTED,
     "tensor \"output_norm.weight\": type Q8_0 is not supported for a vector"},
    {"qwen2",
     {.name = "blk.0.attn_k.bias", TINY_DROP},
     GS_EFORMAT,
     "tensor \"blk.0.attn_k.bias\" of shape [64] is missing"},
    {"qwen3",
     {.name = "blk.0.attn_q_norm.weight", TINY_DROP},
     GS_EFORMAT,
     "tensor \"blk.0.attn_q_norm.weight\" of shape [32] is missing"},
    {"qwen3moe",
     {.name = "expert_used_count", TINY_U32, .u32 = 5},
     GS_EFORMAT,
     "expected 1 to 4, found 5"},
    {"qwen3moe", {.name = "expert_used_count", TINY_U32, .u32 = 0}, GS_EFORMAT, "found 0"},
    {"qwen3moe",
     {.name = "expert_count", TINY_U32, .u32 = 8},
     GS_EFORMAT,
     "tensor \"blk.0.ffn_gate_inp.weight\": expected shape [32, 8], found [32, 4]"},
    {"qwen35", {.name = "full_attention_interval", TINY_U32, .u32 = 0}, GS_EFORMAT, "found 0"},
    {"qwen35", {.name = "ssm.conv_kernel", TINY_U32, .u32 = 1}, GS_EFORMAT, "found 1"},
    {"qwen35",
     {.name = "ssm.conv_kernel", TINY_U32, .u32 = UINT32_MAX},
     GS_EFORMAT,
     "found 4294967295"},
    {"qwen35",
     {.name = "ssm.group_count", TINY_U32, .u32 = 3},
     GS_EFORMAT,
     "3 key heads do not divide 4 value heads"},
    {"qwen35",
     {.name = "ssm.inner_size", TINY_U32, .u32 = 63},
     GS_EFORMAT,
     "inner size 63 is not 4 value heads of 16"},
    {"qwen35",
     {.name = "blk.0.ssm_conv1d.weight", TINY_DROP},
     GS_EFORMAT,
     "tensor \"blk.0.ssm_conv1d.weight\" of shape [4, 128] is missing"},
    {"gemma2", {.name = "attention.sliding_window", TINY_U32, .u32 = 0}, GS_EFORMAT, "found 0"},
    {"gemma2",
     {.name = "blk.0.post_ffw_norm.weight", TINY_DROP},
     GS_EFORMAT,
     "tensor \"blk.0.post_ffw_norm.weight\" of shape [32] is missing"},
    {"gemma4",
     {.name = "attention.shared_kv_layers", TINY_U32, .u32 = 3},
     GS_EFORMAT,
     "block 1 has no keys, nor has one of its kind before it"},
    {"gemma4", {.name = "attention.shared_kv_layers", TINY_U32, .u32 = 4}, GS_EFORMAT, "found 4"},
    {"gemma4",
     {.name = "rope.dimension_count_swa", TINY_U32, .u32 = 18},
     GS_EFORMAT,
     "cannot rotate 18 dimensions of heads of 16"},
    {"phi3",
     {.name = "blk.0.attn_qkv.weight", TINY_U32, .u32 = 127},
     GS_EFORMAT,
     "tensor \"blk.0.attn_qkv.weight\": expected shape [32, 128], found [32, 127]"},
    {"gpt-oss",
     {.name = "blk.0.ffn_up_exps.bias", TINY_U32, .u32 = 5},
     GS_EFORMAT,
     "tensor \"blk.0.ffn_up_exps.bias\": expected shape [32, 4], found [32, 5]"},
    {"deepseek2",
     {.name = "expert_group_count", TINY_U32, .u32 = 3},
     GS_EFORMAT,
     "2 experts cannot be chosen from 1 of 3 groups of 4 experts"},
    {"deepseek2", {.name = "expert_group_count", TINY_U32, .u32 = 65}, GS_EFORMAT, "found 65"},
    {"deepseek2",
     {.name = "attention.key_length_mla", TINY_U32, .u32 = 8},
     GS_EFORMAT,
     "cannot rotate 8 dimensions of heads of 8"},
    {"deepseek2",
     {.name = "blk.1.attn_v_b.weight", TINY_DROP},
     GS_EFORMAT,
     "tensor \"blk.1.attn_v_b.weight\" of shape [16, 8, 4] is missing"},
};

static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(refusals); i++) {
        const struct refusal *r = &refusals[i];
        struct gs_gguf *f = tiny_open(find_shape(r->arch), &r->edit, 1);
        struct gs_model *m = NULL;
        struct gs_error err = {0};

        assert_non_null(f);
        const enum gs_status st = gs_model_load(f, &m, &err);
        if (st != r->st || !strstr(err.msg, r->msg))
            fail_msg("%s: expected \"%s\", found %d \"%s\"", r->edit.name, r->msg, st, err.msg);
        assert_null(m);
        assert_int_equal(err.code, st);
        gs_gguf_close(f);
    }
}

/* The last blocks may be there for speculation: they are not computed, and need not be complete. */
static void test_blocks_for_speculation(void **state)
{
    static const char *const archs[] = {"qwen35", "qwen35moe", "glm4moe", "deepseek2"};

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(archs); i++) {
        struct tiny_shape shape = *find_shape(archs[i]);
        const uint32_t n = shape.n_layers;
        char norm[64];
        const struct tiny_edit edits[] = {{.name = "nextn_predict_layers", TINY_U32, .u32 = 1},
                                          {.name = norm, TINY_DROP}};
        struct gs_model *m = NULL;
        struct gs_error err = {0};

        shape.n_layers = n + 1;
        snprintf(norm, sizeof(norm), "blk.%u.attn_norm.weight", n);
        struct gs_gguf *f = tiny_open(&shape, edits, 2);
        assert_non_null(f);
        if (gs_model_load(f, &m, &err) != GS_OK)
            fail_msg("%s: %s", archs[i], err.msg);
        assert_int_equal(gs_model_params(m)->n_layers, n);
        gs_model_free(m);
        gs_gguf_close(f);

        const struct tiny_edit all = {.name = "nextn_predict_layers", TINY_U32, .u32 = n};
        f = tiny_open(find_shape(archs[i]), &all, 1);
        m = NULL;
        assert_int_equal(gs_model_load(f, &m, &err), GS_EFORMAT);
        gs_gguf_close(f);
    }
}

/* Whoever brings a model we do not have learns which we have, all of them. */
static void test_the_hint_has_all_architectures(void **state)
{
    const struct tiny_edit arch = {.name = "general.architecture", TINY_STRING, .text = "mamba"};
    struct gs_gguf *f = tiny_open(&tiny_shapes[0], &arch, 1);
    struct gs_model *m = NULL;
    struct gs_error err = {0};

    (void)state;
    assert_int_equal(gs_model_load(f, &m, &err), GS_EUNSUPPORTED);
    assert_string_equal(err.msg, "architecture \"mamba\" is not supported");
    for (size_t i = 0; i < GS_COUNT_OF(tiny_shapes); i++)
        assert_non_null(strstr(err.hint, tiny_shapes[i].arch));
    for (size_t i = 0; i < GS_COUNT_OF(tiny_encoder_shapes); i++)
        assert_non_null(strstr(err.hint, tiny_encoder_shapes[i].arch));
    gs_gguf_close(f);
}

/* The hints say what would work. */
static void test_hints(void **state)
{
    const struct tiny_edit arch = {.name = "general.architecture", TINY_STRING, .text = "mamba"};
    const struct tiny_edit type = {.name = "output_norm.weight", TINY_TYPE, .u32 = GS_TYPE_I8};
    struct gs_gguf *f = tiny_open(&tiny_shapes[0], &arch, 1);
    struct gs_model *m = NULL;
    struct gs_error err = {0};

    (void)state;
    assert_int_equal(gs_model_load(f, &m, &err), GS_EUNSUPPORTED);
    assert_non_null(strstr(err.hint, "llama, qwen2, qwen3, qwen3moe, qwen35, qwen35moe"));
    assert_int_equal(gs_model_load(f, &m, NULL), GS_EUNSUPPORTED);
    gs_gguf_close(f);

    f = tiny_open(&tiny_shapes[0], &type, 1);
    assert_int_equal(gs_model_load(f, &m, &err), GS_EUNSUPPORTED);
    assert_non_null(strstr(err.hint, "F32, F16, BF16"));
    gs_gguf_close(f);
}

/* A number may be given once for all layers or for each. */
static void test_values_per_layer(void **state)
{
    const struct tiny_edit good = {.name = "feed_forward_length", TINY_ARRAY, .u32 = 48};
    const struct tiny_edit edits[] = {
        good,
        {.name = "block_count", TINY_U32, .u32 = 3},
    };
    struct tiny_shape three = tiny_shapes[0];
    struct gs_gguf *f = tiny_open(&tiny_shapes[0], &good, 1);
    struct gs_model *m = NULL;
    struct gs_error err = {0};

    (void)state;
    assert_int_equal(gs_model_load(f, &m, &err), GS_OK);
    gs_model_free(m);
    gs_gguf_close(f);

    three.n_layers = 3;
    m = NULL;
    f = tiny_open(&three, edits, 2);
    assert_int_equal(gs_model_load(f, &m, &err), GS_EFORMAT);
    assert_string_equal(err.msg, "key \"llama.feed_forward_length\": expected a value for block 2, "
                                 "found 2 values");
    gs_gguf_close(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_architecture),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_blocks_for_speculation),
        cmocka_unit_test(test_the_hint_has_all_architectures),
        cmocka_unit_test(test_hints),
        cmocka_unit_test(test_values_per_layer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
