/* panel_arm.inc.h on NEON with products of matrices of bytes. */
#include "compute/cpu/arm/arm.h"

#define SIMD_DOTPROD
#define SIMD_I8MM
#define PANEL_TILE 4
#define PANEL_PAIR 0
#include "compute/cpu/arm/simd_neon.h"

#include "compute/cpu/arm/panel_arm.inc.h"

static void pairs_of_q8(const void *rows, void *panel)
{
    panel_of_q8(rows, panel);
    pair_up(panel);
}

static void pairs_of_q8k(const void *rows, void *panel)
{
    panel_of_q8k(rows, panel);
    pair_up(panel);
}

void gs_kernels_init_panel_i8mm(struct gs_kernels *k)
{
    init_panel(k);
    k->panel_of_q8 = pairs_of_q8;
    k->panel_of_q8k = pairs_of_q8k;
}
