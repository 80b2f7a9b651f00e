/* Intel's AMX in plain C, and the panels of src/compute/cpu/x86/panel_amx.c made with it. What
 * would fault on a processor fails an assertion of cmocka's (mock_assert). */
#ifndef GS_TESTS_TILE_MODEL_H
#define GS_TESTS_TILE_MODEL_H

#include <stdbool.h>

#include "compute/kernels.h"

/* Overwrite the panels of a table for AVX-512 VNNI. */
void gs_kernels_init_panel_amx_model(struct gs_kernels *k);
/* Whether the registers were left in use. */
bool tile_model_in_use(void);

#endif
