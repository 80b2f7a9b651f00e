/* Sequences: their pages and state slots. Memory is taken when it is reserved, not when tokens
 * come, so that a forward within the reservation cannot fail for want of it. */
#include "model/executor.h"

#include "base/alloc.h"
#include "base/error.h"
#include "model/arch.h"

uint64_t gs_seq_pages(uint64_t tokens)
{
    return tokens / GS_KV_PAGE_TOKENS + (tokens % GS_KV_PAGE_TOKENS != 0);
}

static struct gs_seq *alloc_seq(const struct gs_exec *e)
{
    const size_t n_pages = (size_t)gs_seq_pages(e->opt.ctx_tokens);
    size_t bytes;

    if (!gs_mul_size(n_pages, GS_KV_KINDS * sizeof(uint32_t), &bytes) ||
        !gs_add_size(bytes, sizeof(struct gs_seq), &bytes))
        return NULL;
    struct gs_seq *s = gs_alloc_zero(bytes);
    for (size_t k = 0; s && k < GS_KV_KINDS; k++)
        s->pages[k] = s->tables + k * n_pages;
    return s;
}

/* One more page of each kind; there are no fewer of the ring's than of the full ones. */
static void add_page(struct gs_seq *s)
{
    struct gs_exec *e = s->exec;
    const uint32_t n = s->n_pages++;
    uint32_t *ring = s->pages[GS_KV_WINDOW];

    s->pages[GS_KV_FULL][n] = gs_kv_pool_take(&e->kv[GS_KV_FULL]);
    ring[n] = n < e->ring_pages ? gs_kv_pool_take(&e->kv[GS_KV_WINDOW]) : ring[n - e->ring_pages];
}

static void drop_page(struct gs_seq *s)
{
    struct gs_exec *e = s->exec;
    const uint32_t n = --s->n_pages;

    gs_kv_pool_give(&e->kv[GS_KV_FULL], s->pages[GS_KV_FULL][n]);
    if (n < e->ring_pages)
        gs_kv_pool_give(&e->kv[GS_KV_WINDOW], s->pages[GS_KV_WINDOW][n]);
}

enum gs_status gs_seq_create(struct gs_exec *e, uint64_t reserve_tokens, struct gs_seq **out_s,
                             struct gs_error *err)
{
    struct gs_seq *s = alloc_seq(e);

    if (!s)
        return gs_error_nomem(err, "start a sequence");
    if (!gs_state_pool_take(&e->states, &s->slot)) {
        gs_free(s);
        gs_error_set(err, GS_ENOMEM, "all %u sequences are in use", e->opt.max_sequences);
        gs_error_amounts(err, (long long)reserve_tokens, 0);
        return GS_ENOMEM;
    }
    s->exec = e;

    const enum gs_status st = gs_seq_reserve(s, reserve_tokens, err);
    if (st != GS_OK) {
        gs_seq_free(s);
        return st;
    }
    *out_s = s;
    return GS_OK;
}

void gs_seq_free(struct gs_seq *s)
{
    if (!s)
        return;
    while (s->n_pages > 0)
        drop_page(s);
    gs_state_pool_give(&s->exec->states, s->slot);
    gs_free(s);
}

enum gs_status gs_seq_reserve(struct gs_seq *s, uint64_t tokens, struct gs_error *err)
{
    struct gs_exec *e = s->exec;

    if (tokens > e->opt.ctx_tokens) {
        gs_error_set(err, GS_ECONTEXT, "%llu tokens do not fit a context of %llu",
                     (unsigned long long)tokens, (unsigned long long)e->opt.ctx_tokens);
        gs_error_amounts(err, (long long)tokens, (long long)e->opt.ctx_tokens);
        return GS_ECONTEXT;
    }
    const uint64_t pages = gs_seq_pages(tokens);
    if (pages > s->n_pages && pages - s->n_pages > e->kv[GS_KV_FULL].n_free) {
        const uint64_t available =
            gs_exec_free_tokens(e) + (uint64_t)s->n_pages * GS_KV_PAGE_TOKENS;
        gs_error_set(err, GS_ENOMEM, "not enough memory for a sequence of %llu tokens, %llu fit",
                     (unsigned long long)tokens, (unsigned long long)available);
        gs_error_amounts(err, (long long)tokens, (long long)available);
        return GS_ENOMEM;
    }
    while (s->n_pages < pages)
        add_page(s);
    s->reserved = GS_MAX(s->reserved, tokens);
    return GS_OK;
}

uint64_t gs_seq_len(const struct gs_seq *s)
{
    return s->len;
}

/* True if no token that the next one after n sees has been written over in a ring. */
static bool ring_reaches(const struct gs_seq *s, uint64_t n)
{
    const uint64_t window = s->exec->model->kv_window;
    const uint64_t first = n + 1 > window ? n + 1 - window : 0;

    return window == 0 || s->written <= first + (uint64_t)s->exec->ring_pages * GS_KV_PAGE_TOKENS;
}

bool gs_seq_truncate(struct gs_seq *s, uint64_t n)
{
    if (n >= s->len)
        return true;
    if (n > 0 && (s->exec->model->params.is_recurrent || !ring_reaches(s, n)))
        return false;
    if (n == 0) {
        gs_state_pool_zero(&s->exec->states, s->slot);
        s->written = 0;
    }
    s->len = n;
    return true;
}

uint64_t gs_exec_free_tokens(const struct gs_exec *e)
{
    return (uint64_t)e->kv[GS_KV_FULL].n_free * GS_KV_PAGE_TOKENS;
}
