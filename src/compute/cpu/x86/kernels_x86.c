#include "compute/cpu/x86/x86.h"

void gs_kernels_init_x86(struct gs_kernels *k, enum gs_cpu_level level)
{
    if (level >= GS_CPU_AVX2) {
        gs_kernels_init_dot_k_avx2(k);
        gs_kernels_init_dot_32_avx2(k);
        gs_kernels_init_dot_float_avx2(k);
        gs_kernels_init_panel_avx2(k);
        gs_kernels_init_quantise_avx2(k);
        gs_kernels_init_vector_avx2(k);
        gs_kernels_init_attend_avx2(k);
        gs_kernels_init_delta_avx2(k);
    }
    if (level == GS_CPU_AVXVNNI) {
        gs_kernels_init_dot_k_avxvnni(k);
        gs_kernels_init_dot_32_avxvnni(k);
        gs_kernels_init_panel_avxvnni(k);
    }
    if (level >= GS_CPU_AVX512) {
        gs_kernels_init_dot_k_avx512(k);
        gs_kernels_init_dot_32_avx512(k);
        gs_kernels_init_dot_float_avx512(k);
        gs_kernels_init_panel_avx512(k);
        gs_kernels_init_quantise_avx512(k);
        gs_kernels_init_vector_avx512(k);
        gs_kernels_init_attend_avx512(k);
        gs_kernels_init_delta_avx512(k);
    }
    if (level >= GS_CPU_AVX512VNNI) {
        gs_kernels_init_dot_k_avx512vnni(k);
        gs_kernels_init_dot_32_avx512vnni(k);
        gs_kernels_init_panel_avx512vnni(k);
    }
    if (level >= GS_CPU_AMX)
        gs_kernels_init_panel_amx(k);
}
