/* What a file says of the whole model: how it was quantised, how many parameters it has. */
#include "base/slice.h"
#include "gguf/gguf.h"

/* general.file_type (llama.cpp include/llama.h, enum llama_ftype). Other numbers are gone or new.
 */
static const char *const file_types[] = {
    [0] = "F32",      [1] = "F16",      [2] = "Q4_0",    [3] = "Q4_1",    [7] = "Q8_0",
    [8] = "Q5_0",     [9] = "Q5_1",     [10] = "Q2_K",   [11] = "Q3_K_S", [12] = "Q3_K_M",
    [13] = "Q3_K_L",  [14] = "Q4_K_S",  [15] = "Q4_K_M", [16] = "Q5_K_S", [17] = "Q5_K_M",
    [18] = "Q6_K",    [19] = "IQ2_XXS", [20] = "IQ2_XS", [21] = "Q2_K_S", [22] = "IQ3_XS",
    [23] = "IQ3_XXS", [24] = "IQ1_S",   [25] = "IQ4_NL", [26] = "IQ3_S",  [27] = "IQ3_M",
    [28] = "IQ2_S",   [29] = "IQ2_M",   [30] = "IQ4_XS", [31] = "IQ1_M",  [32] = "BF16",
    [36] = "TQ1_0",   [37] = "TQ2_0",   [38] = "MXFP4",  [39] = "NVFP4",
};

/* The type that most bytes of tensors have. */
static const char *most_used_type(const struct gs_gguf *f)
{
    uint64_t bytes[GS_TYPE_LIMIT] = {0};
    size_t best = GS_TYPE_F32;

    if (gs_gguf_tensor_count(f) == 0)
        return "";
    for (size_t i = 0; i < gs_gguf_tensor_count(f); i++) {
        const struct gs_gguf_tensor *t = gs_gguf_tensor_at(f, i);
        bytes[t->type] += t->n_bytes;
        if (bytes[t->type] > bytes[best])
            best = t->type;
    }
    return gs_type_name((enum gs_type)best);
}

const char *gs_gguf_quant_name(const struct gs_gguf *f)
{
    uint32_t id = UINT32_MAX;

    if (!gs_gguf_get_u32(f, "general.file_type", &id, NULL) || id >= GS_COUNT_OF(file_types) ||
        !file_types[id])
        return most_used_type(f);
    return file_types[id];
}

uint64_t gs_gguf_param_count(const struct gs_gguf *f)
{
    uint64_t n = 0;

    for (size_t i = 0; i < gs_gguf_tensor_count(f); i++) {
        const struct gs_gguf_tensor *t = gs_gguf_tensor_at(f, i);
        n += t->dims[0] * t->dims[1] * t->dims[2] * t->dims[3];
    }
    return n;
}
