/* delta.inc.h on AVX-512. */
#include "compute/cpu/x86/x86.h"

#define DELTA_VECTORS 4
#include "compute/cpu/x86/simd_avx512.h"

#include "compute/cpu/common/delta.inc.h"

void gs_kernels_init_delta_avx512(struct gs_kernels *k)
{
    init_delta(k);
}
