/* delta.inc.h on NEON. */
#include "compute/cpu/arm/arm.h"

#define DELTA_VECTORS 2
#include "compute/cpu/arm/simd_neon.h"

#include "compute/cpu/common/delta.inc.h"

void gs_kernels_init_delta_neon(struct gs_kernels *k)
{
    init_delta(k);
}
