/* What outlives a sequence: its pages, which are shared, and snapshots of what cannot be had from
 * pages of the layers that keep every token.
 *
 * A snapshot is a slot of recurrent state and the pages of its window, which it may share. They are
 * paid for in full pages, which stay free and without memory meanwhile: so one number bounds all
 * memory. */
#include <assert.h>

#include "model/arch.h"
#include "model/executor.h"

bool gs_exec_needs_snapshots(const struct gs_exec *e)
{
    return e->model->kv_window > 0 || e->model->params.is_recurrent;
}

uint32_t gs_exec_page_count(const struct gs_exec *e)
{
    return e->kv[GS_KV_FULL].n_pages;
}

uint32_t gs_exec_slot_count(const struct gs_exec *e)
{
    return e->states.n_slots;
}

uint64_t gs_exec_spare_pages(const struct gs_exec *e)
{
    return (uint64_t)e->kv[GS_KV_FULL].n_free + e->kv[GS_KV_FULL].n_spare;
}

/* ---- pages ---- */

uint32_t gs_seq_page(const struct gs_seq *s, uint64_t block)
{
    return s->pages[GS_KV_FULL][block];
}

void gs_seq_keep_page(struct gs_seq *s, uint64_t block)
{
    gs_kv_pool_keep(&s->exec->kv[GS_KV_FULL], s->pages[GS_KV_FULL][block]);
    s->shared = s->len;
}

void gs_exec_drop_page(struct gs_exec *e, uint32_t page)
{
    gs_kv_pool_drop(&e->kv[GS_KV_FULL], page);
}

bool gs_exec_page_is_spare(const struct gs_exec *e, uint32_t page)
{
    return e->kv[GS_KV_FULL].holders[page] == e->kv[GS_KV_FULL].keepers[page];
}

/* ---- snapshots ---- */

static uint32_t *window_of(const struct gs_exec *e, uint32_t slot)
{
    return e->snapshot_pages + (size_t)slot * e->snapshot_window_pages;
}

/* Pages [begin, end) of the window of the token after n others; none without such layers. */
static uint32_t window_range(const struct gs_exec *e, uint64_t n, uint32_t *out_begin)
{
    *out_begin = e->model->kv_window > 0 ? gs_seq_window_begin(e, n) : 0;
    return e->model->kv_window > 0 ? (uint32_t)gs_seq_pages(n) : 0;
}

/* Full pages that have the bytes of so many pages of windows, and states. */
static uint64_t count_pages(const struct gs_exec *e, uint64_t windows, uint64_t states)
{
    const uint64_t page_bytes = GS_MAX(e->kv[GS_KV_FULL].page_stride, GS_KV_PAGE_TOKENS);
    const uint64_t bytes =
        windows * e->kv[GS_KV_WINDOW].page_stride + states * e->states.slot_stride;

    return bytes / page_bytes + (bytes % page_bytes != 0);
}

/* What the place of all snapshots would be, with more of both. */
static uint64_t count_lent(const struct gs_exec *e, uint64_t more_windows, uint64_t more_states)
{
    return count_pages(e, e->kv[GS_KV_WINDOW].n_kept + more_windows, e->n_snapshots + more_states);
}

uint64_t gs_exec_free_pages(const struct gs_exec *e)
{
    return e->kv[GS_KV_FULL].n_free - count_lent(e, 0, 0);
}

uint64_t gs_exec_snapshot_pages(const struct gs_exec *e)
{
    return count_pages(e, e->snapshot_window_pages, 1);
}

static bool can_snapshot(const struct gs_seq *s)
{
    const struct gs_exec *e = s->exec;
    uint64_t n_new = 0;
    uint32_t begin;
    const uint32_t end = window_range(e, s->len, &begin);

    assert(end == 0 || begin >= s->window_begin);
    for (uint32_t i = begin; i < end; i++)
        n_new += e->kv[GS_KV_WINDOW].keepers[s->pages[GS_KV_WINDOW][i]] == 0;
    return e->n_snapshots < e->most_snapshots &&
           count_lent(e, n_new, 1) <= e->kv[GS_KV_FULL].n_free;
}

/* Keep the pages of the window of the next token. */
static void keep_window(struct gs_seq *s, uint32_t slot)
{
    struct gs_exec *e = s->exec;
    uint32_t begin;
    const uint32_t end = window_range(e, s->len, &begin);

    assert(end - begin <= e->snapshot_window_pages);
    for (uint32_t i = begin; i < end; i++) {
        gs_kv_pool_keep(&e->kv[GS_KV_WINDOW], s->pages[GS_KV_WINDOW][i]);
        window_of(e, slot)[i - begin] = s->pages[GS_KV_WINDOW][i];
    }
}

bool gs_seq_snapshot(struct gs_seq *s, bool is_last, uint32_t *out_slot)
{
    struct gs_exec *e = s->exec;

    if (!can_snapshot(s))
        return false;
    uint32_t slot = gs_state_pool_take(&e->states);
    if (is_last) {
        const uint32_t fresh = slot;
        slot = s->slot;
        s->slot = fresh;
    } else {
        gs_state_pool_copy(&e->states, slot, s->slot);
    }
    e->n_snapshots++;
    e->snapshot_lens[slot] = s->len;
    keep_window(s, slot);
    s->shared = s->len;
    *out_slot = slot;
    return true;
}

void gs_exec_drop_snapshot(struct gs_exec *e, uint32_t slot)
{
    uint32_t begin;
    const uint32_t end = window_range(e, e->snapshot_lens[slot], &begin);

    for (uint32_t i = begin; i < end; i++)
        gs_kv_pool_drop(&e->kv[GS_KV_WINDOW], window_of(e, slot)[i - begin]);
    gs_state_pool_give(&e->states, slot);
    e->n_snapshots--;
}

/* ---- going on ---- */

/* Take part in a snapshot's window. Its last page, if not full, is copied: others may write on. */
static void resume_window(struct gs_seq *s, uint32_t slot)
{
    struct gs_exec *e = s->exec;
    struct gs_kv_pool *pool = &e->kv[GS_KV_WINDOW];
    uint32_t *pages = s->pages[GS_KV_WINDOW];

    s->window_end = window_range(e, s->len, &s->window_begin);
    for (uint32_t i = s->window_begin; i < s->window_end; i++) {
        const uint32_t page = window_of(e, slot)[i - s->window_begin];
        if (i < s->len / GS_KV_PAGE_TOKENS) {
            pages[i] = page;
            gs_kv_pool_share(pool, page);
        } else {
            pages[i] = gs_kv_pool_take(pool);
            gs_kv_pool_copy(pool, pages[i], page);
        }
    }
}

void gs_seq_resume(struct gs_seq *s, const uint32_t *pages, uint64_t n_tokens, uint32_t slot)
{
    struct gs_exec *e = s->exec;

    assert(s->len == 0 && s->n_pages == 0);
    for (; s->n_pages < gs_seq_pages(n_tokens); s->n_pages++) {
        s->pages[GS_KV_FULL][s->n_pages] = pages[s->n_pages];
        gs_kv_pool_share(&e->kv[GS_KV_FULL], pages[s->n_pages]);
    }
    s->len = s->reserved = s->shared = n_tokens;
    s->borrows_last = n_tokens % GS_KV_PAGE_TOKENS != 0;
    if (!gs_exec_needs_snapshots(e))
        return;
    gs_state_pool_copy(&e->states, s->slot, slot);
    resume_window(s, slot);
}
