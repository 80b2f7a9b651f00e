/* The tables. Numbers: the models' published configurations. */
#include "bench_shapes.h"

#include <stddef.h>
#include <string.h>

#include "base/compiler.h"

static const struct gs_bench_shape shapes[] = {
    {"tiny-qwen3", "qwen3", 4, 256, 512, 4, 2, 64, 1024, 2048, true, true, 1e6F, 0, 1e-6F},
    {"tiny-llama", "llama", 3, 256, 512, 4, 1, 64, 1024, 2048, false, false, 1e4F, 8, 1e-5F},
    {"qwen3-0.6b", "qwen3", 28, 1024, 3072, 16, 8, 128, 151936, 40960, true, true, 1e6F, 0, 1e-6F},
    {"qwen3-1.7b", "qwen3", 28, 2048, 6144, 16, 8, 128, 151936, 40960, true, true, 1e6F, 0, 1e-6F},
    {"qwen3-4b", "qwen3", 36, 2560, 9728, 32, 8, 128, 151936, 40960, true, true, 1e6F, 0, 1e-6F},
    {"qwen3-8b", "qwen3", 36, 4096, 12288, 32, 8, 128, 151936, 40960, false, true, 1e6F, 0, 1e-6F},
    {"llama-3.2-1b", "llama", 16, 2048, 8192, 32, 8, 64, 128256, 131072, true, false, 5e5F, 32,
     1e-5F},
    {"llama-3.2-3b", "llama", 28, 3072, 8192, 24, 8, 128, 128256, 131072, true, false, 5e5F, 32,
     1e-5F},
    {"llama-3.1-8b", "llama", 32, 4096, 14336, 32, 8, 128, 128256, 131072, false, false, 5e5F, 8,
     1e-5F},
};

static const struct gs_bench_mix mixes[] = {
    {"Q4_K_M", 15, GS_TYPE_Q4_K, GS_TYPE_Q6_K, GS_TYPE_Q6_K},
    {"Q5_K_M", 17, GS_TYPE_Q5_K, GS_TYPE_Q6_K, GS_TYPE_Q6_K},
    {"Q6_K", 18, GS_TYPE_Q6_K, GS_TYPE_Q6_K, GS_TYPE_Q6_K},
    {"Q8_0", 7, GS_TYPE_Q8_0, GS_TYPE_Q8_0, GS_TYPE_Q8_0},
    {"Q4_0", 2, GS_TYPE_Q4_0, GS_TYPE_Q4_0, GS_TYPE_Q6_K},
    {"IQ4_XS", 30, GS_TYPE_IQ4_XS, GS_TYPE_IQ4_XS, GS_TYPE_Q6_K},
    {"F16", 1, GS_TYPE_F16, GS_TYPE_F16, GS_TYPE_F16},
    {"F32", 0, GS_TYPE_F32, GS_TYPE_F32, GS_TYPE_F32},
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
