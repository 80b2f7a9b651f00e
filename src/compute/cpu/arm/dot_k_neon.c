/* dot_k_arm.inc.h and dot_iq.inc.h on NEON. */
#include "compute/cpu/arm/arm.h"

#include "compute/cpu/arm/simd_neon.h"

#include "compute/cpu/arm/dot_k_arm.inc.h"

#include "compute/cpu/common/dot_iq.inc.h"

void gs_kernels_init_dot_k_neon(struct gs_kernels *k)
{
    init_dot_k(k);
    init_dot_iq(k);
}
