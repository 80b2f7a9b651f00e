/* vector.inc.h on AVX-512. */
#include "compute/cpu/x86/x86.h"

#include "compute/cpu/x86/simd_avx512.h"

#include "compute/cpu/common/vector.inc.h"

void gs_kernels_init_vector_avx512(struct gs_kernels *k)
{
    init_vector(k);
}
