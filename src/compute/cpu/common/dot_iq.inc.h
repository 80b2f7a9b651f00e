/* Products with the formats of load_iq.inc.h; they share the loop of dot_k.inc.h. */
#include "compute/cpu/common/load_iq.inc.h"

DOT_K(iq2_xxs, k_dot)
DOT_K(iq2_xs, k_dot)
DOT_K(iq2_s, k_dot)
DOT_K(iq3_xxs, k_dot)
DOT_K(iq3_s, k_dot)
DOT_K(iq1_s, k_dot)
DOT_K(iq1_m, k_dot)
DOT_K(tq1_0, k_dot)
DOT_K(tq2_0, k_dot)

static void init_dot_iq(struct gs_kernels *k)
{
    k->dot[GS_TYPE_IQ2_XXS] = dot_iq2_xxs;
    k->dot[GS_TYPE_IQ2_XS] = dot_iq2_xs;
    k->dot[GS_TYPE_IQ2_S] = dot_iq2_s;
    k->dot[GS_TYPE_IQ3_XXS] = dot_iq3_xxs;
    k->dot[GS_TYPE_IQ3_S] = dot_iq3_s;
    k->dot[GS_TYPE_IQ1_S] = dot_iq1_s;
    k->dot[GS_TYPE_IQ1_M] = dot_iq1_m;
    k->dot[GS_TYPE_TQ1_0] = dot_tq1_0;
    k->dot[GS_TYPE_TQ2_0] = dot_tq2_0;
}
