/* Layout of a page, the stack of free ones, and who holds the others. */
#include "model/kv_pool.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/os.h"
#include "model/arch.h"

/* Memory that free pages may keep, so that short requests in a row do not fault it in anew. */
#define STOCK_BYTES (32 * GS_MIB)

static size_t align_up(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

static size_t row_bytes(enum gs_type type, uint32_t d)
{
    return d / gs_type_block_len(type) * gs_type_block_bytes(type);
}

/* Place a layer at `off` in the page; where the next one begins. */
static size_t place(struct gs_kv_layer *l, const struct gs_kv_shape *s, enum gs_type type,
                    size_t off)
{
    const size_t rows = (size_t)s->n_head_kv * GS_KV_PAGE_TOKENS;

    *l = (struct gs_kv_layer){
        .k_off = off,
        .k_row_bytes = row_bytes(type, s->d_k),
        .v_row_bytes = row_bytes(type, s->d_v),
        .type = type,
        .n_head_kv = s->n_head_kv,
        .d_k = s->d_k,
        .d_v = s->d_v,
    };
    if (s->v_in_k) {
        l->v_off = off;
        l->v_row_bytes = l->k_row_bytes;
        return align_up(off + rows * l->k_row_bytes, 64);
    }
    l->v_off = align_up(off + rows * l->k_row_bytes, 64);
    return align_up(l->v_off + rows * l->v_row_bytes, 64);
}

size_t gs_kv_page_bytes(const struct gs_kv_layers *layers, enum gs_type type)
{
    struct gs_kv_layer l;
    size_t off = 0;

    for (size_t i = 0; i < layers->n; i++)
        off = place(&l, &layers->shapes[i], type, off);
    return align_up(off, gs_os_page_bytes());
}

static enum gs_status reserve(struct gs_kv_pool *p, const struct gs_kv_layers *layers,
                              enum gs_type type, struct gs_error *err)
{
    size_t off = 0;

    p->page_stride = gs_kv_page_bytes(layers, type);
    p->layers = gs_alloc_array(layers->n, sizeof(*p->layers));
    p->free = gs_alloc_array(p->n_pages, sizeof(*p->free));
    p->holders = gs_alloc_array(p->n_pages, sizeof(*p->holders));
    p->keepers = gs_alloc_array(p->n_pages, sizeof(*p->keepers));
    if (!p->layers || !p->free || !p->holders || !p->keepers ||
        !gs_mul_size(p->n_pages, p->page_stride, &p->bytes))
        return gs_error_nomem(err, "hold the cache of keys and values");
    if (p->bytes > 0) { /* there may be no layer of the kind */
        p->base = gs_os_reserve(p->bytes);
        if (!p->base)
            return gs_error_nomem(err, "reserve the cache of keys and values");
    }
    for (size_t i = 0; i < layers->n; i++) {
        off = place(&p->layers[i], &layers->shapes[i], type, off);
        p->layers[i].base = p->base;
        p->layers[i].page_stride = p->page_stride;
    }
    for (uint32_t i = 0; i < p->n_pages; i++)
        p->free[i] = p->n_pages - 1 - i;
    p->n_free = p->n_clean = p->n_pages;
    return GS_OK;
}

enum gs_status gs_kv_pool_init(struct gs_kv_pool *p, const struct gs_kv_layers *layers,
                               enum gs_type type, uint32_t n_pages, struct gs_error *err)
{
    *p = (struct gs_kv_pool){.n_pages = n_pages};

    const enum gs_status st = reserve(p, layers, type, err);
    if (st != GS_OK)
        gs_kv_pool_clear(p);
    return st;
}

void gs_kv_pool_clear(struct gs_kv_pool *p)
{
    if (!p)
        return;
    if (p->base)
        gs_os_release(p->base, p->bytes);
    gs_free(p->layers);
    gs_free(p->free);
    gs_free(p->holders);
    gs_free(p->keepers);
    *p = (struct gs_kv_pool){0};
}

uint32_t gs_kv_pool_take(struct gs_kv_pool *p)
{
    assert(p->n_free > 0);
    p->n_free--;
    p->n_clean = GS_MIN(p->n_clean, p->n_free);
    const uint32_t page = p->free[p->n_free];
    p->holders[page] = 1;
    return page;
}

static void put_free(struct gs_kv_pool *p, uint32_t page)
{
    p->free[p->n_free++] = page;
    while ((p->n_free - p->n_clean) * p->page_stride > STOCK_BYTES) {
        gs_os_discard(p->base + p->free[p->n_clean] * p->page_stride, p->page_stride);
        p->n_clean++;
    }
}

static uint32_t is_spare(const struct gs_kv_pool *p, uint32_t page)
{
    return p->keepers[page] > 0 && p->holders[page] == p->keepers[page];
}

void gs_kv_pool_share(struct gs_kv_pool *p, uint32_t page)
{
    assert(p->holders[page] > 0);
    p->n_spare -= is_spare(p, page);
    p->holders[page]++;
}

void gs_kv_pool_give(struct gs_kv_pool *p, uint32_t page)
{
    assert(p->holders[page] > 0);
    p->holders[page]--;
    p->n_spare += is_spare(p, page);
    if (p->holders[page] == 0)
        put_free(p, page);
}

void gs_kv_pool_keep(struct gs_kv_pool *p, uint32_t page)
{
    gs_kv_pool_share(p, page);
    p->n_kept += p->keepers[page] == 0;
    p->keepers[page]++;
    p->n_spare += is_spare(p, page);
}

void gs_kv_pool_drop(struct gs_kv_pool *p, uint32_t page)
{
    assert(p->keepers[page] > 0);
    p->n_spare -= is_spare(p, page);
    p->keepers[page]--;
    p->n_kept -= p->keepers[page] == 0;
    gs_kv_pool_give(p, page);
}

void gs_kv_pool_copy(const struct gs_kv_pool *p, uint32_t to, uint32_t from)
{
    if (p->base)
        memcpy(p->base + to * p->page_stride, p->base + from * p->page_stride, p->page_stride);
}
