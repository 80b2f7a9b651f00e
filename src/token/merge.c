/* The chain and the heap of candidates. A candidate is never removed when a merge makes it void:
 * it is recognised by its length when it comes to the top. */
#include "token/merge.h"

#include "base/alloc.h"

#define FIRST_CAP ((size_t)64)

void gs_token_merger_clear(struct gs_token_merger *m)
{
    if (!m)
        return;
    gs_free(m->symbols);
    gs_free(m->heap);
    *m = (struct gs_token_merger){0};
}

bool gs_token_merger_begin(struct gs_token_merger *m, size_t max_symbols)
{
    m->n_symbols = 0;
    m->n_heap = 0;
    if (max_symbols <= m->cap_symbols)
        return true;
    const size_t cap = GS_MAX(max_symbols, GS_MAX(m->cap_symbols * 2, FIRST_CAP));
    gs_free(m->symbols);
    m->symbols = gs_alloc_array(cap, sizeof(*m->symbols));
    m->cap_symbols = m->symbols ? cap : 0;
    return m->symbols != NULL;
}

void gs_token_merger_add(struct gs_token_merger *m, int32_t id, uint32_t off, uint32_t len)
{
    const uint32_t i = (uint32_t)m->n_symbols++;

    m->symbols[i] = (struct gs_token_symbol){
        .prev = i == 0 ? GS_TOKEN_NO_SYMBOL : i - 1,
        .next = GS_TOKEN_NO_SYMBOL,
        .off = off,
        .len = len,
        .id = id,
    };
    if (i > 0)
        m->symbols[i - 1].next = i;
}

static bool before(struct gs_token_candidate a, struct gs_token_candidate b)
{
    return a.order != b.order ? a.order < b.order : a.left < b.left;
}

static bool push(struct gs_token_merger *m, struct gs_token_candidate c)
{
    size_t i = m->n_heap;

    if (m->n_heap == m->cap_heap) {
        const size_t cap = m->cap_heap ? m->cap_heap * 2 : FIRST_CAP;
        struct gs_token_candidate *heap = gs_realloc(m->heap, cap * sizeof(*heap));
        if (!heap)
            return false;
        m->heap = heap;
        m->cap_heap = cap;
    }
    m->n_heap++;
    for (; i > 0 && before(c, m->heap[(i - 1) / 2]); i = (i - 1) / 2)
        m->heap[i] = m->heap[(i - 1) / 2];
    m->heap[i] = c;
    return true;
}

static struct gs_token_candidate pop(struct gs_token_merger *m)
{
    const struct gs_token_candidate top = m->heap[0];
    const struct gs_token_candidate last = m->heap[--m->n_heap];
    size_t i = 0;

    for (size_t child = 1; child < m->n_heap; child = 2 * i + 1) {
        if (child + 1 < m->n_heap && before(m->heap[child + 1], m->heap[child]))
            child++;
        if (!before(m->heap[child], last))
            break;
        m->heap[i] = m->heap[child];
        i = child;
    }
    m->heap[i] = last;
    return top;
}

/* Consider the symbol `left` and its right neighbour. */
static bool consider(struct gs_token_merger *m, uint32_t left, gs_token_pair_fn *pair,
                     const void *ctx)
{
    const struct gs_token_symbol *const l = &m->symbols[left];

    if (l->next == GS_TOKEN_NO_SYMBOL)
        return true;
    const struct gs_token_symbol *const r = &m->symbols[l->next];
    struct gs_token_candidate c = {.left = left, .len = l->len + r->len};
    return !pair(ctx, l, r, &c) || push(m, c);
}

static void merge(struct gs_token_merger *m, struct gs_token_candidate c)
{
    struct gs_token_symbol *const l = &m->symbols[c.left];
    struct gs_token_symbol *const r = &m->symbols[l->next];

    l->len = c.len;
    l->id = c.id;
    l->next = r->next;
    r->len = 0;
    if (r->next != GS_TOKEN_NO_SYMBOL)
        m->symbols[r->next].prev = c.left;
}

bool gs_token_merger_run(struct gs_token_merger *m, gs_token_pair_fn *pair, const void *ctx)
{
    for (uint32_t i = 0; i < m->n_symbols; i++)
        if (!consider(m, i, pair, ctx))
            return false;
    while (m->n_heap > 0) {
        const struct gs_token_candidate c = pop(m);
        const struct gs_token_symbol *const l = &m->symbols[c.left];
        if (l->len == 0 || l->next == GS_TOKEN_NO_SYMBOL ||
            l->len + m->symbols[l->next].len != c.len)
            continue;
        merge(m, c);
        if ((l->prev != GS_TOKEN_NO_SYMBOL && !consider(m, l->prev, pair, ctx)) ||
            !consider(m, c.left, pair, ctx))
            return false;
    }
    return true;
}
