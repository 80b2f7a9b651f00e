/* Linear probing at a load of at most one half. */
#include "token/index.h"

#include <assert.h>

#include "base/alloc.h"
#include "base/map.h"
#include "base/os.h"
#include "base/slice.h"

#define ID_BITS 24

/* The entry of s, or the free one where it belongs. */
static uint32_t *find(const struct gs_token_index *x, struct gs_slice s, uint32_t *out_tag)
{
    const uint64_t hash = gs_hash_bytes(s.ptr, s.len, x->seed);
    const uint32_t tag = (uint32_t)(hash >> 56) << ID_BITS;
    const uint32_t id_mask = ((uint32_t)1 << ID_BITS) - 1;
    size_t i = hash & x->mask;

    for (; x->entries[i] != 0; i = (i + 1) & x->mask) {
        const uint32_t e = x->entries[i];
        if ((e & ~id_mask) == tag && gs_slice_eq(x->spellings[(e & id_mask) - 1], s))
            break;
    }
    *out_tag = tag;
    return &x->entries[i];
}

bool gs_token_index_init(struct gs_token_index *x, const struct gs_slice *spellings, uint32_t n)
{
    size_t cap = 2;

    assert(n <= GS_TOKEN_INDEX_MAX);
    while (cap < 2 * (size_t)n)
        cap *= 2;
    *x = (struct gs_token_index){
        .spellings = spellings,
        .entries = gs_alloc_array(cap, sizeof(*x->entries)),
        .mask = cap - 1,
        .seed = gs_os_random_u64(),
    };
    if (!x->entries)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t tag;
        uint32_t *e = spellings[i].len > 0 ? find(x, spellings[i], &tag) : NULL;
        if (e && *e == 0)
            *e = tag | (i + 1);
    }
    return true;
}

void gs_token_index_clear(struct gs_token_index *x)
{
    gs_free(x->entries);
    x->entries = NULL;
}

int32_t gs_token_index_get(const struct gs_token_index *x, struct gs_slice s)
{
    uint32_t tag;

    if (s.len == 0)
        return -1;
    const uint32_t e = *find(x, s, &tag);
    return (int32_t)(e & (((uint32_t)1 << ID_BITS) - 1)) - 1;
}
