/* delta.inc.h on AVX2. */
#include "compute/cpu/x86/x86.h"

#define DELTA_VECTORS 2
#include "compute/cpu/x86/simd_avx2.h"

#include "compute/cpu/common/delta.inc.h"

void gs_kernels_init_delta_avx2(struct gs_kernels *k)
{
    init_delta(k);
}
