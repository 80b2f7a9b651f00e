#include "compute/cpu/arm/arm.h"

void gs_kernels_init_arm(struct gs_kernels *k, enum gs_cpu_level level)
{
    if (level >= GS_CPU_NEON) {
        gs_kernels_init_attend_neon(k);
        gs_kernels_init_delta_neon(k);
        gs_kernels_init_dot_k_neon(k);
        gs_kernels_init_dot_32_neon(k);
        gs_kernels_init_dot_float_neon(k);
        gs_kernels_init_quantise_neon(k);
        gs_kernels_init_vector_neon(k);
    }
    if (level >= GS_CPU_DOTPROD) {
        gs_kernels_init_dot_k_dotprod(k);
        gs_kernels_init_dot_32_dotprod(k);
        gs_kernels_init_panel_dotprod(k);
    }
    if (level >= GS_CPU_I8MM)
        gs_kernels_init_panel_i8mm(k);
}
