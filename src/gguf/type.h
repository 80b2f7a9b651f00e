/* Tensor element types of GGUF: ids, names and block sizes. The numbers are the file format's
 * (ggml docs/gguf.md, enum ggml_type); the blocks are described in compute/blocks.h. */
#ifndef GS_GGUF_TYPE_H
#define GS_GGUF_TYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* X(enumerator, id, name, values per block, bytes per block) */
#define GS_TYPE_MAP(X)                                                                             \
    X(GS_TYPE_F32, 0, "F32", 1, 4)                                                                 \
    X(GS_TYPE_F16, 1, "F16", 1, 2)                                                                 \
    X(GS_TYPE_Q4_0, 2, "Q4_0", 32, 18)                                                             \
    X(GS_TYPE_Q4_1, 3, "Q4_1", 32, 20)                                                             \
    X(GS_TYPE_Q5_0, 6, "Q5_0", 32, 22)                                                             \
    X(GS_TYPE_Q5_1, 7, "Q5_1", 32, 24)                                                             \
    X(GS_TYPE_Q8_0, 8, "Q8_0", 32, 34)                                                             \
    X(GS_TYPE_Q8_1, 9, "Q8_1", 32, 36)                                                             \
    X(GS_TYPE_Q2_K, 10, "Q2_K", 256, 84)                                                           \
    X(GS_TYPE_Q3_K, 11, "Q3_K", 256, 110)                                                          \
    X(GS_TYPE_Q4_K, 12, "Q4_K", 256, 144)                                                          \
    X(GS_TYPE_Q5_K, 13, "Q5_K", 256, 176)                                                          \
    X(GS_TYPE_Q6_K, 14, "Q6_K", 256, 210)                                                          \
    X(GS_TYPE_Q8_K, 15, "Q8_K", 256, 292)                                                          \
    X(GS_TYPE_IQ2_XXS, 16, "IQ2_XXS", 256, 66)                                                     \
    X(GS_TYPE_IQ2_XS, 17, "IQ2_XS", 256, 74)                                                       \
    X(GS_TYPE_IQ3_XXS, 18, "IQ3_XXS", 256, 98)                                                     \
    X(GS_TYPE_IQ1_S, 19, "IQ1_S", 256, 50)                                                         \
    X(GS_TYPE_IQ4_NL, 20, "IQ4_NL", 32, 18)                                                        \
    X(GS_TYPE_IQ3_S, 21, "IQ3_S", 256, 110)                                                        \
    X(GS_TYPE_IQ2_S, 22, "IQ2_S", 256, 82)                                                         \
    X(GS_TYPE_IQ4_XS, 23, "IQ4_XS", 256, 136)                                                      \
    X(GS_TYPE_I8, 24, "I8", 1, 1)                                                                  \
    X(GS_TYPE_I16, 25, "I16", 1, 2)                                                                \
    X(GS_TYPE_I32, 26, "I32", 1, 4)                                                                \
    X(GS_TYPE_I64, 27, "I64", 1, 8)                                                                \
    X(GS_TYPE_F64, 28, "F64", 1, 8)                                                                \
    X(GS_TYPE_IQ1_M, 29, "IQ1_M", 256, 56)                                                         \
    X(GS_TYPE_BF16, 30, "BF16", 1, 2)                                                              \
    X(GS_TYPE_TQ1_0, 34, "TQ1_0", 256, 54)                                                         \
    X(GS_TYPE_TQ2_0, 35, "TQ2_0", 256, 66)                                                         \
    X(GS_TYPE_MXFP4, 39, "MXFP4", 32, 17)                                                          \
    X(GS_TYPE_NVFP4, 40, "NVFP4", 64, 36)

enum gs_type {
#define GS_TYPE_ENUM(e, id, name, values, bytes) e = id,
    GS_TYPE_MAP(GS_TYPE_ENUM)
#undef GS_TYPE_ENUM
        GS_TYPE_LIMIT = 41 /* one past the largest id */
};

/* false for an id the format does not define. */
bool gs_type_known(uint32_t id);
const char *gs_type_name(enum gs_type t);
size_t gs_type_block_len(enum gs_type t);   /* values per block */
size_t gs_type_block_bytes(enum gs_type t); /* bytes per block */

#endif
