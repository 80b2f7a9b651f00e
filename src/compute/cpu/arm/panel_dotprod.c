/* panel_arm.inc.h on NEON with dot products. */
#include "compute/cpu/arm/arm.h"

#define SIMD_DOTPROD
#define PANEL_TILE 4
#define PANEL_PAIR 0
#include "compute/cpu/arm/simd_neon.h"

#include "compute/cpu/arm/panel_arm.inc.h"

void gs_kernels_init_panel_dotprod(struct gs_kernels *k)
{
    init_panel(k);
}
