/* panel_x86.inc.h on AVX2 with AVX-VNNI. */
#include "compute/cpu/x86/x86.h"

#define SIMD_VNNI
#define PANEL_TILE 6
#define PANEL_PAIR 0
#include "compute/cpu/x86/simd_avx2.h"

#include "compute/cpu/x86/panel_x86.inc.h"

void gs_kernels_init_panel_avxvnni(struct gs_kernels *k)
{
    init_panel(k);
}
