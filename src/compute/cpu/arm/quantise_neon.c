/* quantise.inc.h on NEON. */
#include "compute/cpu/arm/arm.h"

#include "compute/cpu/arm/simd_neon.h"

#include "compute/cpu/common/quantise.inc.h"

void gs_kernels_init_quantise_neon(struct gs_kernels *k)
{
    init_quantise(k);
}
