/* Two rings through one array of links. The end of a ring stands between its newest and its oldest
 * item. */
#include "engine/lru.h"

#include "base/alloc.h"
#include "base/error.h"

static uint32_t end_of(const struct gs_lru *l, bool again)
{
    return l->n + again;
}

enum gs_status gs_lru_init(struct gs_lru *l, uint32_t n, uint32_t most_again, struct gs_error *err)
{
    *l = (struct gs_lru){.n = n, .most_again = most_again};
    l->links = gs_alloc_array((size_t)n + 2, sizeof(*l->links));
    if (!l->links)
        return gs_error_nomem(err, "keep what was computed");
    for (uint32_t i = n; i < n + 2; i++)
        l->links[i] = (struct gs_lru_link){.older = i, .newer = i};
    return GS_OK;
}

void gs_lru_clear(struct gs_lru *l)
{
    gs_free(l->links);
    *l = (struct gs_lru){0};
}

static void insert(struct gs_lru *l, uint32_t item, bool again)
{
    const uint32_t end = end_of(l, again);
    const uint32_t newest = l->links[end].older;

    l->links[item] = (struct gs_lru_link){.older = newest, .newer = end, .again = again};
    l->links[newest].newer = item;
    l->links[end].older = item;
    l->n_again += again;
}

void gs_lru_add(struct gs_lru *l, uint32_t item)
{
    insert(l, item, false);
}

void gs_lru_remove(struct gs_lru *l, uint32_t item)
{
    const struct gs_lru_link at = l->links[item];

    l->links[at.older].newer = at.newer;
    l->links[at.newer].older = at.older;
    l->n_again -= at.again;
}

void gs_lru_replace(struct gs_lru *l, uint32_t item, uint32_t by)
{
    const struct gs_lru_link at = l->links[item];

    l->links[by] = at;
    l->links[at.older].newer = by;
    l->links[at.newer].older = by;
}

void gs_lru_touch(struct gs_lru *l, uint32_t item)
{
    const bool again = l->links[item].again;

    gs_lru_remove(l, item);
    insert(l, item, again);
}

void gs_lru_use(struct gs_lru *l, uint32_t item)
{
    gs_lru_remove(l, item);
    insert(l, item, true);
    while (l->n_again > l->most_again) {
        const uint32_t oldest = l->links[end_of(l, true)].newer;
        gs_lru_remove(l, oldest);
        insert(l, oldest, false);
    }
}

uint32_t gs_lru_first(const struct gs_lru *l)
{
    for (uint32_t end = l->n; end < l->n + 2; end++)
        if (l->links[end].newer != end)
            return l->links[end].newer;
    return GS_LRU_NONE;
}
