/* Hash map from byte strings to pointers: open addressing, keys borrowed, insertion order kept by
 * nobody. Hostile keys are why the hash is seeded per map. */
#ifndef GS_BASE_MAP_H
#define GS_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "genset/slice.h"

struct gs_map_entry {
    struct gs_slice key;
    uint64_t hash;
    void *value; /* never NULL in a used entry */
};

struct gs_map {
    struct gs_map_entry *entries;
    size_t cap; /* power of two, or 0 */
    size_t len;
    uint64_t seed;
};

/* Room for `expect` keys before it grows. Allocates on the first put. */
void gs_map_init(struct gs_map *m, size_t expect);
void gs_map_clear(struct gs_map *m);

/* Put or replace; `key` bytes must outlive the map, value must not be NULL. false: no memory. */
GS_MUST_CHECK bool gs_map_put(struct gs_map *m, struct gs_slice key, void *value);
/* The value, or NULL. */
void *gs_map_get(const struct gs_map *m, struct gs_slice key);

/* 64-bit hash of bytes (wyhash-style multiply-fold; not cryptographic). */
uint64_t gs_hash_bytes(const void *p, size_t n, uint64_t seed);

#endif
