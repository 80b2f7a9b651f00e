/* vector.inc.h on NEON. */
#include "compute/cpu/arm/arm.h"

#include "compute/cpu/arm/simd_neon.h"

#include "compute/cpu/common/vector.inc.h"

void gs_kernels_init_vector_neon(struct gs_kernels *k)
{
    init_vector(k);
}
