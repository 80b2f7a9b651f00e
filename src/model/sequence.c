/* Sequences: their pages and state slots. Memory is taken when it is reserved, not when tokens
 * come, so that a forward within the reservation cannot fail for want of it. Pages of layers with a
 * window come with the tokens: there are always enough for all sequences. */
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

enum gs_status gs_seq_create(struct gs_exec *e, uint64_t reserve_tokens, struct gs_seq **out_s,
                             struct gs_error *err)
{
    if (e->n_sequences == e->opt.max_sequences) {
        gs_error_set(err, GS_ENOMEM, "all %u sequences are in use", e->opt.max_sequences);
        gs_error_amounts(err, (long long)reserve_tokens, 0);
        return GS_ENOMEM;
    }
    struct gs_seq *s = alloc_seq(e);
    if (!s)
        return gs_error_nomem(err, "start a sequence");
    s->exec = e;
    s->slot = gs_state_pool_take(&e->states);
    e->n_sequences++;

    const enum gs_status st = gs_seq_reserve(s, reserve_tokens, err);
    if (st != GS_OK) {
        gs_seq_free(s);
        return st;
    }
    *out_s = s;
    return GS_OK;
}

static void drop_window(struct gs_seq *s)
{
    while (s->window_end > s->window_begin)
        gs_kv_pool_give(&s->exec->kv[GS_KV_WINDOW], s->pages[GS_KV_WINDOW][--s->window_end]);
    s->window_begin = s->window_end = 0;
}

void gs_seq_empty(struct gs_seq *s)
{
    struct gs_exec *e = s->exec;

    while (s->n_pages > 0)
        gs_kv_pool_give(&e->kv[GS_KV_FULL], s->pages[GS_KV_FULL][--s->n_pages]);
    drop_window(s);
    s->len = s->reserved = s->shared = 0;
    gs_state_pool_zero(&e->states, s->slot);
}

void gs_seq_free(struct gs_seq *s)
{
    if (!s)
        return;
    gs_seq_empty(s);
    gs_state_pool_give(&s->exec->states, s->slot);
    s->exec->n_sequences--;
    gs_free(s);
}

/* True if the sequence's next token goes into a page that others hold too. */
static bool needs_copy(const struct gs_seq *s)
{
    const uint64_t at = s->len / GS_KV_PAGE_TOKENS;

    return s->borrows_last && s->exec->kv[GS_KV_FULL].holders[s->pages[GS_KV_FULL][at]] > 1;
}

uint64_t gs_seq_lacks(const struct gs_seq *s, uint64_t tokens)
{
    const uint64_t pages = gs_seq_pages(tokens);

    return (pages > s->n_pages ? pages - s->n_pages : 0) + (tokens > s->len && needs_copy(s));
}

/* Make the page of the next token the sequence's own. */
static void own_last_page(struct gs_seq *s)
{
    struct gs_kv_pool *pool = &s->exec->kv[GS_KV_FULL];
    uint32_t *page = &s->pages[GS_KV_FULL][s->len / GS_KV_PAGE_TOKENS];

    if (needs_copy(s)) {
        const uint32_t copy = gs_kv_pool_take(pool);
        gs_kv_pool_copy(pool, copy, *page);
        gs_kv_pool_give(pool, *page);
        *page = copy;
    }
    s->borrows_last = false;
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
    if (gs_seq_lacks(s, tokens) > gs_exec_free_pages(e)) {
        const uint64_t available =
            gs_exec_free_tokens(e) + (uint64_t)s->n_pages * GS_KV_PAGE_TOKENS;
        gs_error_set(err, GS_ENOMEM, "not enough memory for a sequence of %llu tokens, %llu fit",
                     (unsigned long long)tokens, (unsigned long long)available);
        gs_error_amounts(err, (long long)tokens, (long long)available);
        return GS_ENOMEM;
    }
    if (tokens > s->len)
        own_last_page(s);
    while (s->n_pages < gs_seq_pages(tokens))
        s->pages[GS_KV_FULL][s->n_pages++] = gs_kv_pool_take(&e->kv[GS_KV_FULL]);
    s->reserved = GS_MAX(s->reserved, tokens);
    return GS_OK;
}

uint64_t gs_seq_len(const struct gs_seq *s)
{
    return s->len;
}

void gs_seq_make_window(struct gs_seq *s, uint32_t n_tokens)
{
    struct gs_kv_pool *pool = &s->exec->kv[GS_KV_WINDOW];
    uint32_t *pages = s->pages[GS_KV_WINDOW];
    const uint32_t end = (uint32_t)gs_seq_pages(s->len + n_tokens);

    if (s->exec->model->kv_window == 0)
        return;
    while (s->window_end < end) {
        if (s->window_end - s->window_begin == s->exec->window_pages)
            gs_kv_pool_give(pool, pages[s->window_begin++]);
        pages[s->window_end++] = gs_kv_pool_take(pool);
    }
}

uint32_t gs_seq_window_begin(const struct gs_exec *e, uint64_t n)
{
    const uint64_t window = e->model->kv_window;

    return (uint32_t)((n + 1 > window ? n + 1 - window : 0) / GS_KV_PAGE_TOKENS);
}

bool gs_seq_truncate(struct gs_seq *s, uint64_t n)
{
    const struct gs_model *m = s->exec->model;

    if (n >= s->len)
        return true;
    if (n < s->shared || (n > 0 && m->params.is_recurrent) ||
        (n > 0 && gs_seq_window_begin(s->exec, n) < s->window_begin))
        return false;
    if (n == 0) {
        drop_window(s);
        gs_state_pool_zero(&s->exec->states, s->slot);
    }
    s->len = n;
    return true;
}

uint64_t gs_exec_free_tokens(const struct gs_exec *e)
{
    return gs_exec_free_pages(e) * GS_KV_PAGE_TOKENS;
}
