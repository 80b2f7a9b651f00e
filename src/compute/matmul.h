/* Parts of the matrix product that the mixture of experts also uses. */
#ifndef GS_COMPUTE_MATMUL_H
#define GS_COMPUTE_MATMUL_H

#include "compute/kernels.h"
#include "compute/ops.h"

#define GS_PANEL_MIN_TOKENS 10 /* measured: fewer do not pay for the unpacking of weights */

/* ---- inputs (act.c) ---- */

/* Make the form of x that products with weights of `type` read, unless it is there. All lanes. */
void gs_act_prepare(struct gs_lane *lane, struct gs_act *x, enum gs_type type);
/* The same, as panels if there are any of this form. */
void gs_act_make(struct gs_lane *lane, struct gs_act *x, enum gs_type type, bool panels);
/* Row `row` of x in that form; the panels; and whether these are what there is. */
const void *gs_act_row(const struct gs_act *x, enum gs_type type, size_t row);
const void *gs_act_panels(const struct gs_act *x, enum gs_type type);
bool gs_act_has_panels(const struct gs_act *x, enum gs_type type);
/* Between the rows of floats. */
size_t gs_act_float_stride(const struct gs_act *x);
/* Bytes of a row in a quantised form. */
size_t gs_act_row_bytes(size_t dim);

/* A lane's own copy of x, a single row, in gs_act_own_bytes() of its scratch memory; its forms are
 * made without the other lanes. */
size_t gs_act_own_bytes(size_t dim);
struct gs_act gs_act_own(const struct gs_act *x, void *memory);
void gs_act_make_own(const struct gs_kernels *k, struct gs_act *x, enum gs_type type);

/* ---- products ---- */

/* Weight rows to take at a time. */
size_t gs_op_matmul_chunk_rows(const struct gs_tensor *w);
/* The same when they are unpacked for panels of n tokens; 0 if not even the least fit. */
size_t gs_op_matmul_panel_rows(size_t dim, size_t n);

#endif
