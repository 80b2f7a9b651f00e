/* attend.inc.h on AVX-512. */
#include "compute/cpu/x86/x86.h"

#define ATTEND_QUERIES 2
#define ATTEND_KEYS    8
#define SCORE_VECTORS  16
#define MIX_ROWS       4
#define MIX_PAIRS      2
#include "compute/cpu/x86/simd_avx512.h"

#include "compute/cpu/common/attend.inc.h"

void gs_kernels_init_attend_avx512(struct gs_kernels *k)
{
    init_attend(k);
}
