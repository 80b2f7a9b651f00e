/* The tables. Numbers: the models' published configurations. */
#include "bench_shapes.h"

#include <stddef.h>
#include <string.h>

#include "base/compiler.h"

/* What the members of a family have in common. */
#define QWEN3 .arch = "qwen3", .qk_norm = true, .ctx_tokens = 40960, .rope_base = 1e6F, .eps = 1e-6F
#define QWEN3_MOE                                                                                  \
    .arch = "qwen3moe", .qk_norm = true, .ctx_tokens = 40960, .rope_base = 1e6F, .eps = 1e-6F
#define QWEN35                                                                                     \
    .arch = "qwen35", .qk_norm = true, .n_rope = 64, .ctx_tokens = 262144, .rope_base = 1e7F,      \
    .eps = 1e-6F
#define LLAMA .arch = "llama", .ctx_tokens = 131072, .rope_base = 5e5F, .eps = 1e-5F

#define SHAPE(NAME, FAMILY, LAYERS, EMBD, FF, HEADS, HEADS_KV, HEAD_DIM, VOCAB, ...)               \
    {                                                                                              \
        .name = NAME, FAMILY, .n_layers = LAYERS, .n_embd = EMBD, .n_ff = FF, .n_head = HEADS,     \
        .n_head_kv = HEADS_KV, .head_dim = HEAD_DIM, .n_vocab = VOCAB, __VA_ARGS__                 \
    }
#define TIED     .tied = true
#define NOT_TIED .tied = false

/* name, family, layers, width, width of a feed-forward, heads, of keys, their size, vocabulary */
static const struct gs_bench_shape shapes[] = {
    SHAPE("tiny-qwen3", QWEN3, 4, 256, 512, 4, 2, 64, 1024, TIED),
    SHAPE("tiny-llama", LLAMA, 3, 256, 512, 4, 1, 64, 1024, NOT_TIED, .rope_factor = 8),
    SHAPE("tiny-qwen3moe", QWEN3_MOE, 2, 256, 256, 4, 2, 64, 1024, NOT_TIED, .n_expert = 8,
          .n_expert_used = 2),
    SHAPE("tiny-qwen35", QWEN35, 4, 256, 512, 2, 1, 256, 1024, TIED, .n_delta_k = 2,
          .n_delta_v = 4),
    SHAPE("qwen3-0.6b", QWEN3, 28, 1024, 3072, 16, 8, 128, 151936, TIED),
    SHAPE("qwen3-1.7b", QWEN3, 28, 2048, 6144, 16, 8, 128, 151936, TIED),
    SHAPE("qwen3-4b", QWEN3, 36, 2560, 9728, 32, 8, 128, 151936, TIED),
    SHAPE("qwen3-8b", QWEN3, 36, 4096, 12288, 32, 8, 128, 151936, NOT_TIED),
    /* 4 of 48 layers */
    SHAPE("qwen3-30b-a3b-cut", QWEN3_MOE, 4, 2048, 768, 32, 4, 128, 151936, NOT_TIED,
          .n_expert = 128, .n_expert_used = 8),
    SHAPE("qwen3.5-0.8b", QWEN35, 24, 1024, 3584, 8, 2, 256, 248320, TIED, .n_delta_k = 16,
          .n_delta_v = 16),
    SHAPE("qwen3.5-4b", QWEN35, 32, 2560, 9216, 16, 4, 256, 248320, TIED, .n_delta_k = 16,
          .n_delta_v = 32),
    SHAPE("llama-3.2-1b", LLAMA, 16, 2048, 8192, 32, 8, 64, 128256, TIED, .rope_factor = 32),
    SHAPE("llama-3.2-3b", LLAMA, 28, 3072, 8192, 24, 8, 128, 128256, TIED, .rope_factor = 32),
    SHAPE("llama-3.1-8b", LLAMA, 32, 4096, 14336, 32, 8, 128, 128256, NOT_TIED, .rope_factor = 8),
};

/* One format for all but the output, which is what one measures a format with. */
#define PLAIN(name, file_type, type, output)                                                       \
    {                                                                                              \
        name, file_type, type, type, type, output                                                  \
    }

static const struct gs_bench_mix mixes[] = {
    {"Q4_K_M", 15, GS_TYPE_Q4_K, GS_TYPE_Q6_K, GS_TYPE_Q5_K, GS_TYPE_Q6_K},
    {"Q5_K_M", 17, GS_TYPE_Q5_K, GS_TYPE_Q6_K, GS_TYPE_Q6_K, GS_TYPE_Q6_K},
    PLAIN("Q6_K", 18, GS_TYPE_Q6_K, GS_TYPE_Q6_K),
    PLAIN("Q8_0", 7, GS_TYPE_Q8_0, GS_TYPE_Q8_0),
    PLAIN("Q4_0", 2, GS_TYPE_Q4_0, GS_TYPE_Q6_K),
    PLAIN("IQ4_XS", 30, GS_TYPE_IQ4_XS, GS_TYPE_Q6_K),
    PLAIN("IQ4_NL", 25, GS_TYPE_IQ4_NL, GS_TYPE_Q6_K),
    PLAIN("Q4_K_S", 14, GS_TYPE_Q4_K, GS_TYPE_Q6_K),
    PLAIN("Q5_K_S", 16, GS_TYPE_Q5_K, GS_TYPE_Q6_K),
    PLAIN("Q2_K", 10, GS_TYPE_Q2_K, GS_TYPE_Q6_K),
    PLAIN("Q3_K_S", 11, GS_TYPE_Q3_K, GS_TYPE_Q6_K),
    PLAIN("Q4_1", 3, GS_TYPE_Q4_1, GS_TYPE_Q6_K),
    PLAIN("Q5_0", 8, GS_TYPE_Q5_0, GS_TYPE_Q6_K),
    PLAIN("Q5_1", 9, GS_TYPE_Q5_1, GS_TYPE_Q6_K),
    PLAIN("IQ1_S", 24, GS_TYPE_IQ1_S, GS_TYPE_Q6_K),
    PLAIN("IQ1_M", 31, GS_TYPE_IQ1_M, GS_TYPE_Q6_K),
    PLAIN("IQ2_XXS", 19, GS_TYPE_IQ2_XXS, GS_TYPE_Q6_K),
    PLAIN("IQ2_XS", 20, GS_TYPE_IQ2_XS, GS_TYPE_Q6_K),
    PLAIN("IQ2_S", 28, GS_TYPE_IQ2_S, GS_TYPE_Q6_K),
    PLAIN("IQ3_XXS", 23, GS_TYPE_IQ3_XXS, GS_TYPE_Q6_K),
    PLAIN("IQ3_S", 26, GS_TYPE_IQ3_S, GS_TYPE_Q6_K),
    PLAIN("TQ1_0", 36, GS_TYPE_TQ1_0, GS_TYPE_Q6_K),
    PLAIN("TQ2_0", 37, GS_TYPE_TQ2_0, GS_TYPE_Q6_K),
    PLAIN("MXFP4", 38, GS_TYPE_MXFP4, GS_TYPE_Q6_K),
    PLAIN("NVFP4", 39, GS_TYPE_NVFP4, GS_TYPE_Q6_K),
    PLAIN("BF16", 32, GS_TYPE_BF16, GS_TYPE_BF16),
    PLAIN("F16", 1, GS_TYPE_F16, GS_TYPE_F16),
    PLAIN("F32", 0, GS_TYPE_F32, GS_TYPE_F32),
};

const struct gs_bench_shape *gs_bench_shape_at(unsigned idx)
{
    return idx < GS_COUNT_OF(shapes) ? &shapes[idx] : NULL;
}

const struct gs_bench_mix *gs_bench_mix_at(unsigned idx)
{
    return idx < GS_COUNT_OF(mixes) ? &mixes[idx] : NULL;
}

const struct gs_bench_shape *gs_bench_shape_find(const char *name)
{
    for (size_t i = 0; i < GS_COUNT_OF(shapes); i++)
        if (strcmp(shapes[i].name, name) == 0)
            return &shapes[i];
    return NULL;
}

const struct gs_bench_mix *gs_bench_mix_find(const char *name)
{
    for (size_t i = 0; i < GS_COUNT_OF(mixes); i++)
        if (strcmp(mixes[i].name, name) == 0)
            return &mixes[i];
    return NULL;
}

bool gs_bench_layer_needs_more(uint32_t idx, uint32_t n_layers)
{
    const uint32_t eighth = n_layers / 8;

    return idx < eighth || idx >= 7 * n_layers / 8 || (idx - eighth) % 3 == 2;
}
