/* attend.inc.h on AVX2. */
#include "compute/cpu/x86/x86.h"

#define ATTEND_QUERIES 1
#define ATTEND_KEYS    4
#define SCORE_VECTORS  4
#define MIX_ROWS       2
#define MIX_PAIRS      1
#include "compute/cpu/x86/simd_avx2.h"

#include "compute/cpu/common/attend.inc.h"

void gs_kernels_init_attend_avx2(struct gs_kernels *k)
{
    init_attend(k);
}
