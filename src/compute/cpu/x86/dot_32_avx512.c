/* dot_32_x86.inc.h and dot_nvfp4_x86.inc.h on AVX-512 without VNNI. */
#include "compute/cpu/x86/x86.h"

#define SIMD_TILE 8
#include "compute/cpu/x86/simd_avx512.h"

#include "compute/cpu/x86/dot_32_x86.inc.h"

#include "compute/cpu/x86/dot_nvfp4_x86.inc.h"

void gs_kernels_init_dot_32_avx512(struct gs_kernels *k)
{
    init_dot_32(k);
    init_dot_nvfp4(k);
}
