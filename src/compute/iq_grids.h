/* The codebooks of the IQ1, IQ2 and IQ3 formats (blocks.h): each entry is 8 or 4 values, one a
 * byte, the first lowest. IQ2 and IQ3 hold magnitudes. IQ1_S and IQ1_M share one: its values -1, 0,
 * 1 are 0, 8, 16 here, as the kernels want them. */
#ifndef GS_COMPUTE_IQ_GRIDS_H
#define GS_COMPUTE_IQ_GRIDS_H

#include <stdint.h>

extern const uint64_t gs_kernels_iq2_xxs_grid[256];
extern const uint64_t gs_kernels_iq2_xs_grid[512];
extern const uint64_t gs_kernels_iq2_s_grid[1024];
extern const uint32_t gs_kernels_iq3_xxs_grid[256];
extern const uint32_t gs_kernels_iq3_s_grid[512];
extern const uint64_t gs_kernels_iq1_grid[2048];

#endif
