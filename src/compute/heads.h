/* What is done to one head of one token: the parts of which operations on heads are made. */
#ifndef GS_COMPUTE_HEADS_H
#define GS_COMPUTE_HEADS_H

#include "compute/kernels.h"
#include "compute/ops.h"

/* Turn a head in place by a row of gs_op_rope_table(). */
void gs_op_rope_head(float *head, const struct gs_rope_params *p, const float *angles);

/* Write token t's row of a head, of keys or values, to the cache. */
void gs_op_kv_store(const struct gs_kernels *k, const struct gs_kv_layer *kv, const uint32_t *pages,
                    size_t t, size_t head, bool is_v, const float *x);

/* Finish the heads in columns [begin, end) of all rows of x. */
void gs_op_finish_heads(const struct gs_kernels *k, const struct gs_heads *h, struct gs_rows x,
                        size_t begin, size_t end);

#endif
