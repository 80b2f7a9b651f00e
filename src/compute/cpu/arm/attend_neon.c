/* attend.inc.h on NEON. */
#include "compute/cpu/arm/arm.h"

#define ATTEND_QUERIES 1
#define ATTEND_KEYS    4
#define SCORE_VECTORS  4
#define MIX_ROWS       2
#define MIX_PAIRS      1
#include "compute/cpu/arm/simd_neon.h"

#include "compute/cpu/common/attend.inc.h"

void gs_kernels_init_attend_neon(struct gs_kernels *k)
{
    init_attend(k);
}
