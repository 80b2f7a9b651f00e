/* Parts of the matrix product that the mixture of experts also uses. */
#ifndef GS_COMPUTE_MATMUL_H
#define GS_COMPUTE_MATMUL_H

#include "compute/kernels.h"
#include "compute/ops.h"

/* Make the form of x that products with weights of `type` read, unless it is there. All lanes. */
void gs_act_prepare(struct gs_lane *lane, struct gs_act *x, enum gs_type type);
/* Row `row` of x in that form. */
const void *gs_act_row(const struct gs_act *x, enum gs_type type, size_t row);
/* Bytes of a row in a quantised form. */
size_t gs_act_row_bytes(size_t dim);
/* Weight rows to take at a time. */
size_t gs_op_matmul_chunk_rows(const struct gs_tensor *w);
/* The same when they are unpacked for panels; 0 if not even the least fit. */
size_t gs_op_matmul_panel_rows(size_t dim);

#endif
