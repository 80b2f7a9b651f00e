/* The state of recurrent layers: one slot for each sequence and each snapshot of one, in one
 * reservation of address space.
 *
 *     slot: | conv, delta of layer 0 | conv, delta of layer 1 | ...
 *
 * A slot that is free holds no memory and so reads as zero, which is the state of an empty
 * sequence. Without recurrent layers a slot is only a number. */
#ifndef GS_MODEL_STATE_POOL_H
#define GS_MODEL_STATE_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

struct gs_model;
struct gs_state_run;

struct gs_state_pool {
    const struct gs_model *model;
    uint8_t *base; /* NULL if slots are empty */
    size_t bytes;
    size_t slot_stride;
    size_t *layer_off; /* [recurrent layer] in the slot */
    uint32_t *free;    /* stack of n_free slots */
    uint32_t n_slots, n_free;
};

/* Bytes of one slot, in whole pages of the system. */
size_t gs_state_slot_bytes(const struct gs_model *m);
/* errors: GS_ENOMEM; the pool is clear then. */
GS_MUST_CHECK enum gs_status gs_state_pool_init(struct gs_state_pool *p, const struct gs_model *m,
                                                uint32_t n_slots, struct gs_error *err);
void gs_state_pool_clear(struct gs_state_pool *p);

uint32_t gs_state_pool_take(struct gs_state_pool *p); /* a zero slot; n_free > 0 */
void gs_state_pool_give(struct gs_state_pool *p, uint32_t slot);
void gs_state_pool_zero(struct gs_state_pool *p, uint32_t slot);
void gs_state_pool_copy(const struct gs_state_pool *p, uint32_t to, uint32_t from);
/* Point `run` at a layer's state in a slot. */
void gs_state_pool_locate(const struct gs_state_pool *p, uint32_t slot, size_t layer,
                          struct gs_state_run *run);

#endif
