/* dot_32_arm.inc.h and dot_nvfp4_arm.inc.h on NEON with dot products. */
#include "compute/cpu/arm/arm.h"

#define SIMD_DOTPROD
#include "compute/cpu/arm/simd_neon.h"

#include "compute/cpu/arm/dot_32_arm.inc.h"

#include "compute/cpu/arm/dot_nvfp4_arm.inc.h"

void gs_kernels_init_dot_32_dotprod(struct gs_kernels *k)
{
    init_dot_32(k);
    init_dot_nvfp4(k);
}
