/* Slots of recurrent state. Zeroing is giving the memory back to the system. */
#include "model/state_pool.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/os.h"
#include "model/arch.h"

static size_t align_up(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

static size_t conv_bytes(const struct gs_state_shape *s)
{
    return align_up(s->conv_floats * sizeof(float), 64);
}

static size_t layer_bytes(const struct gs_state_shape *s)
{
    return conv_bytes(s) + align_up(s->delta_floats * sizeof(float), 64);
}

size_t gs_state_slot_bytes(const struct gs_model *m)
{
    size_t n = 0;

    for (size_t i = 0; i < m->n_states; i++)
        n += layer_bytes(&m->states[i]);
    return align_up(n, gs_os_page_bytes());
}

enum gs_status gs_state_pool_init(struct gs_state_pool *p, const struct gs_model *m,
                                  uint32_t n_slots, struct gs_error *err)
{
    *p = (struct gs_state_pool){
        .model = m,
        .slot_stride = gs_state_slot_bytes(m),
        .n_slots = n_slots,
        .free = gs_alloc_array(n_slots, sizeof(*p->free)),
        .layer_off = gs_alloc_array(m->n_states, sizeof(*p->layer_off)),
    };
    bool ok = p->free && p->layer_off && gs_mul_size(n_slots, p->slot_stride, &p->bytes);

    if (ok && p->bytes > 0) {
        p->base = gs_os_reserve(p->bytes);
        ok = p->base != NULL;
    }
    if (!ok) {
        gs_state_pool_clear(p);
        return gs_error_nomem(err, "reserve the state of sequences");
    }
    for (size_t i = 1; i < m->n_states; i++)
        p->layer_off[i] = p->layer_off[i - 1] + layer_bytes(&m->states[i - 1]);
    for (uint32_t i = 0; i < n_slots; i++)
        p->free[i] = n_slots - 1 - i;
    p->n_free = n_slots;
    return GS_OK;
}

void gs_state_pool_clear(struct gs_state_pool *p)
{
    if (!p)
        return;
    if (p->base)
        gs_os_release(p->base, p->bytes);
    gs_free(p->free);
    gs_free(p->layer_off);
    *p = (struct gs_state_pool){0};
}

uint32_t gs_state_pool_take(struct gs_state_pool *p)
{
    assert(p->n_free > 0);
    return p->free[--p->n_free];
}

void gs_state_pool_zero(struct gs_state_pool *p, uint32_t slot)
{
    if (p->base)
        gs_os_discard(p->base + slot * p->slot_stride, p->slot_stride);
}

void gs_state_pool_copy(const struct gs_state_pool *p, uint32_t to, uint32_t from)
{
    if (p->base)
        memcpy(p->base + to * p->slot_stride, p->base + from * p->slot_stride, p->slot_stride);
}

void gs_state_pool_give(struct gs_state_pool *p, uint32_t slot)
{
    gs_state_pool_zero(p, slot);
    p->free[p->n_free++] = slot;
}

void gs_state_pool_locate(const struct gs_state_pool *p, uint32_t slot, size_t layer,
                          struct gs_state_run *run)
{
    uint8_t *at = p->base + slot * p->slot_stride + p->layer_off[layer];

    run->conv = (float *)(void *)at;
    run->delta = (float *)(void *)(at + conv_bytes(&p->model->states[layer]));
}
