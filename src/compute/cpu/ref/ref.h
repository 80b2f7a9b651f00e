/* The reference kernels, and the list of block formats they cover. */
#ifndef GS_COMPUTE_CPU_REF_REF_H
#define GS_COMPUTE_CPU_REF_REF_H

#include "compute/kernels.h"

/* X(type, name, form of the activations) */
#define GS_KERNEL_TYPE_MAP(X)                                                                      \
    X(GS_TYPE_F32, f32, GS_ACT_F32)                                                                \
    X(GS_TYPE_F16, f16, GS_ACT_F32)                                                                \
    X(GS_TYPE_BF16, bf16, GS_ACT_F32)                                                              \
    X(GS_TYPE_Q4_0, q4_0, GS_ACT_Q8K)                                                              \
    X(GS_TYPE_Q4_1, q4_1, GS_ACT_Q8)                                                               \
    X(GS_TYPE_Q5_0, q5_0, GS_ACT_Q8)                                                               \
    X(GS_TYPE_Q5_1, q5_1, GS_ACT_Q8)                                                               \
    X(GS_TYPE_Q8_0, q8_0, GS_ACT_Q8)                                                               \
    X(GS_TYPE_IQ4_NL, iq4_nl, GS_ACT_Q8K)                                                          \
    X(GS_TYPE_MXFP4, mxfp4, GS_ACT_Q8)                                                             \
    X(GS_TYPE_Q2_K, q2_k, GS_ACT_Q8K)                                                              \
    X(GS_TYPE_Q3_K, q3_k, GS_ACT_Q8K)                                                              \
    X(GS_TYPE_Q4_K, q4_k, GS_ACT_Q8K)                                                              \
    X(GS_TYPE_Q5_K, q5_k, GS_ACT_Q8K)                                                              \
    X(GS_TYPE_Q6_K, q6_k, GS_ACT_Q8K)                                                              \
    X(GS_TYPE_IQ4_XS, iq4_xs, GS_ACT_Q8K)                                                          \
    X(GS_TYPE_IQ2_XXS, iq2_xxs, GS_ACT_Q8K)                                                        \
    X(GS_TYPE_IQ2_XS, iq2_xs, GS_ACT_Q8K)                                                          \
    X(GS_TYPE_IQ2_S, iq2_s, GS_ACT_Q8K)                                                            \
    X(GS_TYPE_IQ3_XXS, iq3_xxs, GS_ACT_Q8K)                                                        \
    X(GS_TYPE_IQ3_S, iq3_s, GS_ACT_Q8K)                                                            \
    X(GS_TYPE_IQ1_S, iq1_s, GS_ACT_Q8K)                                                            \
    X(GS_TYPE_IQ1_M, iq1_m, GS_ACT_Q8K)                                                            \
    X(GS_TYPE_TQ1_0, tq1_0, GS_ACT_Q8K)                                                            \
    X(GS_TYPE_TQ2_0, tq2_0, GS_ACT_Q8K)                                                            \
    X(GS_TYPE_NVFP4, nvfp4, GS_ACT_Q8)

#define GS_KERNEL_DEQUANT_DECL(type, name, form) gs_dequant_fn gs_kernels_dequant_##name##_ref;
GS_KERNEL_TYPE_MAP(GS_KERNEL_DEQUANT_DECL)
#undef GS_KERNEL_DEQUANT_DECL

/* Each fills the entries its file defines. */
void gs_kernels_init_attend_ref(struct gs_kernels *k);
void gs_kernels_init_dot_ref(struct gs_kernels *k);
void gs_kernels_init_quantise_ref(struct gs_kernels *k);
void gs_kernels_init_vector_ref(struct gs_kernels *k);

#endif
