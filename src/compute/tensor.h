/* A weight tensor where it lies: a view into the mapped model file. */
#ifndef GS_COMPUTE_TENSOR_H
#define GS_COMPUTE_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "genset/slice.h"
#include "genset/status.h"
#include "gguf/type.h"

/* ne[0] is the contracted (input) dimension, ne[1] the rows (outputs), ne[2] the experts. */
struct gs_tensor {
    struct gs_slice name;
    enum gs_type type;
    uint64_t ne[4];
    size_t row_bytes;    /* of ne[0] values */
    const uint8_t *data; /* unaligned beyond 32 bytes: use unaligned loads */
    size_t n_bytes;
};

/* True if kernels for the type exist (dequantise and dot). */
bool gs_compute_type_supported(enum gs_type t);

/* Values [0, n) of the row at `row`, n a multiple of the type's block length, to out[n]. */
void gs_compute_dequant_row(enum gs_type t, const void *row, float *out, size_t n);

#endif
