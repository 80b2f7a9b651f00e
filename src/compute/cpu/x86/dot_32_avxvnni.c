/* dot_32_x86.inc.h and dot_nvfp4_x86.inc.h on AVX2 with AVX-VNNI. */
#include "compute/cpu/x86/x86.h"

#define SIMD_TILE 4
#define SIMD_VNNI
#include "compute/cpu/x86/simd_avx2.h"

#include "compute/cpu/x86/dot_32_x86.inc.h"

#include "compute/cpu/x86/dot_nvfp4_x86.inc.h"

void gs_kernels_init_dot_32_avxvnni(struct gs_kernels *k)
{
    init_dot_32(k);
    init_dot_nvfp4(k);
}
