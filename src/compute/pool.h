/* Inside of the pool, for the operations of this room. */
#ifndef GS_COMPUTE_POOL_H
#define GS_COMPUTE_POOL_H

#include <stddef.h>

#include "compute/lane.h"

/* The next item of this phase, 0, 1, 2...: no two lanes get the same one. The count starts again
 * after every barrier. For work whose items differ in cost; results may not depend on who takes
 * what. */
size_t gs_lane_next(struct gs_lane *lane);

/* Scratch that every lane has from the start: for the unpacked weights of a matrix product. */
#define GS_LANE_MIN_SCRATCH ((size_t)1 << 20)

/* This lane's scratch, at least `bytes` of it (asserted). */
void *gs_lane_scratch(struct gs_lane *lane, size_t bytes);
/* The first lane's, for what all lanes share in a phase. */
void *gs_lane_first_scratch(struct gs_lane *lane);

#endif
