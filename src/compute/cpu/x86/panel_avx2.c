/* panel_x86.inc.h on AVX2. */
#include "compute/cpu/x86/x86.h"

#define PANEL_TILE 4
#define PANEL_PAIR 0
#include "compute/cpu/x86/simd_avx2.h"

#include "compute/cpu/x86/panel_x86.inc.h"

void gs_kernels_init_panel_avx2(struct gs_kernels *k)
{
    init_panel(k);
}
