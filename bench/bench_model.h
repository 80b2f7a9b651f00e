/* A model file with the shape of a real model and random weights, to measure speed with. */
#ifndef GS_BENCH_MODEL_H
#define GS_BENCH_MODEL_H

#include "base/compiler.h"
#include "bench_shapes.h"

/* The same arguments give the same bytes. errors: GS_EIO, GS_ENOMEM. */
GS_MUST_CHECK enum gs_status gs_bench_model_write(const struct gs_bench_shape *shape,
                                                  const struct gs_bench_mix *mix, uint64_t seed,
                                                  const char *path, struct gs_error *err);

#endif
