/* dot_k_x86.inc.h and dot_iq.inc.h on AVX2 with AVX-VNNI. */
#include "compute/cpu/x86/x86.h"

#define SIMD_TILE 4
#define SIMD_VNNI
#include "compute/cpu/x86/simd_avx2.h"

#include "compute/cpu/x86/dot_k_x86.inc.h"

#include "compute/cpu/common/dot_iq.inc.h"

void gs_kernels_init_dot_k_avxvnni(struct gs_kernels *k)
{
    init_dot_k(k);
    init_dot_iq(k);
}
