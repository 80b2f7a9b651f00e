/* The units of kernels for x86-64: each fills the entries its file defines. */
#ifndef GS_COMPUTE_CPU_X86_X86_H
#define GS_COMPUTE_CPU_X86_X86_H

#include "compute/kernels.h"

/* Overwrite the entries of every instruction set that `level` contains. */
void gs_kernels_init_x86(struct gs_kernels *k, enum gs_cpu_level level);

void gs_kernels_init_dot_k_avx2(struct gs_kernels *k);
void gs_kernels_init_dot_32_avx2(struct gs_kernels *k);
void gs_kernels_init_dot_float_avx2(struct gs_kernels *k);
void gs_kernels_init_panel_avx2(struct gs_kernels *k);
void gs_kernels_init_quantise_avx2(struct gs_kernels *k);
void gs_kernels_init_vector_avx2(struct gs_kernels *k);
void gs_kernels_init_attend_avx2(struct gs_kernels *k);
void gs_kernels_init_delta_avx2(struct gs_kernels *k);

void gs_kernels_init_dot_k_avxvnni(struct gs_kernels *k);
void gs_kernels_init_dot_32_avxvnni(struct gs_kernels *k);
void gs_kernels_init_panel_avxvnni(struct gs_kernels *k);

void gs_kernels_init_dot_k_avx512(struct gs_kernels *k);
void gs_kernels_init_dot_32_avx512(struct gs_kernels *k);
void gs_kernels_init_dot_float_avx512(struct gs_kernels *k);
void gs_kernels_init_panel_avx512(struct gs_kernels *k);
void gs_kernels_init_quantise_avx512(struct gs_kernels *k);
void gs_kernels_init_vector_avx512(struct gs_kernels *k);
void gs_kernels_init_attend_avx512(struct gs_kernels *k);
void gs_kernels_init_delta_avx512(struct gs_kernels *k);

void gs_kernels_init_dot_k_avx512vnni(struct gs_kernels *k);
void gs_kernels_init_dot_32_avx512vnni(struct gs_kernels *k);
void gs_kernels_init_panel_avx512vnni(struct gs_kernels *k);

void gs_kernels_init_panel_amx(struct gs_kernels *k);

#endif
