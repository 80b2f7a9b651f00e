/* dot_float.inc.h and panel_float.inc.h on AVX2. */
#include "compute/cpu/x86/x86.h"

#define SIMD_TILE 4
#include "compute/cpu/x86/simd_avx2.h"

#include "compute/cpu/common/dot_float.inc.h"
#include "compute/cpu/common/panel_float.inc.h"

void gs_kernels_init_dot_float_avx2(struct gs_kernels *k)
{
    init_dot_float(k);
    init_panel_float(k);
}
