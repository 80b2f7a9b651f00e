/* What to part with first: items used once before items used again, and of each kind the one whose
 * last use is longest ago. Used again are at most so many; beyond that the longest unused of them
 * counts as used once, or else nothing new could ever stay. */
#ifndef GS_ENGINE_LRU_H
#define GS_ENGINE_LRU_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

#define GS_LRU_NONE UINT32_MAX

struct gs_lru_link {
    uint32_t older, newer;
    bool again; /* was used again */
};

struct gs_lru {
    struct gs_lru_link *links; /* [n items, ends of the list of once, of again] */
    uint32_t n;
    uint32_t n_again, most_again;
};

/* For items 0..n - 1, none of which is in it. errors: GS_ENOMEM. */
GS_MUST_CHECK enum gs_status gs_lru_init(struct gs_lru *l, uint32_t n, uint32_t most_again,
                                         struct gs_error *err);
void gs_lru_clear(struct gs_lru *l);

void gs_lru_add(struct gs_lru *l, uint32_t item);   /* used for the first time */
void gs_lru_touch(struct gs_lru *l, uint32_t item); /* the newest of its kind */
void gs_lru_use(struct gs_lru *l, uint32_t item);   /* used again */
void gs_lru_remove(struct gs_lru *l, uint32_t item);
/* Let another item, which is not in it, take an item's place. */
void gs_lru_replace(struct gs_lru *l, uint32_t item, uint32_t by);
uint32_t gs_lru_first(const struct gs_lru *l); /* to part with; or GS_LRU_NONE */

#endif
