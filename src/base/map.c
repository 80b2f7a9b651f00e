/* Linear probing at a load of at most one half. */
#include "base/map.h"

#include <string.h>

#include "base/alloc.h"
#include "base/os.h"
#include "base/slice.h"

#define MIN_CAP ((size_t)16)

static uint64_t fold(uint64_t a, uint64_t b)
{
    uint64_t hi = (a >> 32) * (b >> 32);
    uint64_t lo = (a & 0xFFFFFFFFu) * (b & 0xFFFFFFFFu);
    uint64_t mid = (a >> 32) * (b & 0xFFFFFFFFu) + (a & 0xFFFFFFFFu) * (b >> 32);

    return hi ^ lo ^ (mid << 32 | mid >> 32);
}

uint64_t gs_hash_bytes(const void *p, size_t n, uint64_t seed)
{
    const unsigned char *s = p;
    uint64_t h = seed ^ (n * 0x9E3779B97F4A7C15u);

    for (; n >= 8; n -= 8, s += 8) {
        uint64_t w;
        memcpy(&w, s, 8);
        h = fold(h ^ w, 0xA0761D6478BD642Fu) + 0xE7037ED1A0B428DBu;
    }
    if (n > 0) {
        uint64_t w = 0;
        memcpy(&w, s, n);
        h = fold(h ^ w, 0x8EBC6AF09C88C6E3u) + 0x589965CC75374CC3u;
    }
    h ^= h >> 32;
    h *= 0xD6E8FEB86659FD93u;
    return h ^ h >> 32;
}

void gs_map_init(struct gs_map *m, size_t expect)
{
    size_t cap = MIN_CAP;

    while (cap / 2 < expect)
        cap *= 2;
    *m = (struct gs_map){.cap = cap};
}

void gs_map_clear(struct gs_map *m)
{
    if (!m)
        return;
    gs_free(m->entries);
    m->entries = NULL;
    m->len = 0;
}

static struct gs_map_entry *find(const struct gs_map *m, struct gs_slice key, uint64_t hash)
{
    size_t i = hash & (m->cap - 1);

    while (m->entries[i].value &&
           (m->entries[i].hash != hash || !gs_slice_eq(m->entries[i].key, key)))
        i = (i + 1) & (m->cap - 1);
    return &m->entries[i];
}

static bool grow(struct gs_map *m)
{
    struct gs_map bigger = {.cap = m->entries ? m->cap * 2 : m->cap,
                            .seed = m->entries ? m->seed : gs_os_random_u64()};

    bigger.entries = gs_alloc_array(bigger.cap, sizeof(*bigger.entries));
    if (!bigger.entries)
        return false;
    for (size_t i = 0; m->entries && i < m->cap; i++) {
        const struct gs_map_entry *e = &m->entries[i];
        if (e->value)
            *find(&bigger, e->key, e->hash) = *e;
    }
    bigger.len = m->len;
    gs_free(m->entries);
    *m = bigger;
    return true;
}

bool gs_map_put(struct gs_map *m, struct gs_slice key, void *value)
{
    if ((!m->entries || m->len + 1 > m->cap / 2) && !grow(m))
        return false;
    const uint64_t hash = gs_hash_bytes(key.ptr, key.len, m->seed);
    struct gs_map_entry *e = find(m, key, hash);
    m->len += e->value == NULL;
    *e = (struct gs_map_entry){key, hash, value};
    return true;
}

void *gs_map_get(const struct gs_map *m, struct gs_slice key)
{
    if (!m->entries)
        return NULL;
    return find(m, key, gs_hash_bytes(key.ptr, key.len, m->seed))->value;
}
