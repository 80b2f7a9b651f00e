/* panel_x86.inc.h on AVX-512 with VNNI. */
#include "compute/cpu/x86/x86.h"

#define SIMD_VNNI
#define PANEL_TILE 12
#define PANEL_PAIR 1
#include "compute/cpu/x86/simd_avx512.h"

#include "compute/cpu/x86/panel_x86.inc.h"

/* after panel_x86.inc.h */
#include "compute/cpu/x86/panel_slab.inc.h"

void gs_kernels_init_panel_avx512vnni(struct gs_kernels *k)
{
    init_panel(k);
    init_slabs(k);
}
