/* dot_k_x86.inc.h and dot_iq.inc.h on AVX-512 without VNNI. */
#include "compute/cpu/x86/x86.h"

#define SIMD_TILE 8
#include "compute/cpu/x86/simd_avx512.h"

#include "compute/cpu/x86/dot_k_x86.inc.h"

#include "compute/cpu/common/dot_iq.inc.h"

void gs_kernels_init_dot_k_avx512(struct gs_kernels *k)
{
    init_dot_k(k);
    init_dot_iq(k);
}
