/* Random weights, written as blocks: no quantiser is needed to measure speed. */
#ifndef GS_BENCH_BLOCKS_H
#define GS_BENCH_BLOCKS_H

#include <stddef.h>

#include "base/rng.h"
#include "gguf/type.h"

/* Fill n_blocks blocks of a type that a mix names with values of mean 0 and standard deviation
 * `sd`. */
void gs_bench_fill_blocks(enum gs_type type, void *out, size_t n_blocks, float sd,
                          struct gs_rng *rng);

#endif
