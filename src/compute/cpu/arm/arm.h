/* The units of kernels for AArch64: each fills the entries its file defines. */
#ifndef GS_COMPUTE_CPU_ARM_ARM_H
#define GS_COMPUTE_CPU_ARM_ARM_H

#include "compute/kernels.h"

/* Overwrite the entries of every instruction set up to `level`. */
void gs_kernels_init_arm(struct gs_kernels *k, enum gs_cpu_level level);

void gs_kernels_init_attend_neon(struct gs_kernels *k);
void gs_kernels_init_delta_neon(struct gs_kernels *k);
void gs_kernels_init_dot_k_neon(struct gs_kernels *k);
void gs_kernels_init_dot_32_neon(struct gs_kernels *k);
void gs_kernels_init_dot_float_neon(struct gs_kernels *k);
void gs_kernels_init_quantise_neon(struct gs_kernels *k);
void gs_kernels_init_vector_neon(struct gs_kernels *k);

void gs_kernels_init_dot_k_dotprod(struct gs_kernels *k);
void gs_kernels_init_dot_32_dotprod(struct gs_kernels *k);
void gs_kernels_init_panel_dotprod(struct gs_kernels *k);

void gs_kernels_init_panel_i8mm(struct gs_kernels *k);

#endif
