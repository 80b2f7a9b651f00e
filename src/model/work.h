/* The executor's activation memory, handed out as a stack.
 *
 * Every lane holds its own struct by value and takes the same pieces in the same order, so all
 * lanes agree on the addresses without talking. A block gets a copy: what it takes is free again
 * when it returns. Taking from a struct without base memory only measures: `peak` then ends as the
 * most that was ever in use. */
#ifndef GS_MODEL_WORK_H
#define GS_MODEL_WORK_H

#include <stddef.h>
#include <stdint.h>

#include "compute/ops.h"

struct gs_work {
    uint8_t *base; /* 64-aligned; NULL while measuring */
    size_t used;   /* SIZE_MAX: overflowed */
    size_t *peak;  /* while measuring */
    size_t n_rows; /* of the batch */
};

void *gs_work_bytes(struct gs_work *w, size_t n);
struct gs_rows gs_work_rows(struct gs_work *w, size_t n, size_t dim);
/* Rows as the input of products, with memory for their forms. */
struct gs_act gs_work_act(struct gs_work *w, struct gs_rows x);
struct gs_act gs_work_act_normed(struct gs_work *w, struct gs_normed x);

#endif
