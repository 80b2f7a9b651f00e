/* quantise.inc.h on AVX-512. */
#include "compute/cpu/x86/x86.h"

#include "compute/cpu/x86/simd_avx512.h"

#include "compute/cpu/common/quantise.inc.h"

void gs_kernels_init_quantise_avx512(struct gs_kernels *k)
{
    init_quantise(k);
}
