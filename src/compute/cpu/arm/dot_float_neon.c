/* dot_float.inc.h and panel_float.inc.h on NEON. */
#include "compute/cpu/arm/arm.h"

#include "compute/cpu/arm/simd_neon.h"

#include "compute/cpu/common/dot_float.inc.h"
#include "compute/cpu/common/panel_float.inc.h"

void gs_kernels_init_dot_float_neon(struct gs_kernels *k)
{
    init_dot_float(k);
    init_panel_float(k);
}
