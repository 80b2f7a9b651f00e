/* Arena: many small objects with one lifetime, dropped whole. Under AddressSanitizer the gaps
 * between objects are poisoned, so that an overrun is found. */
#ifndef GS_BASE_ARENA_H
#define GS_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "genset/slice.h"

struct gs_arena_block;

struct gs_arena {
    struct gs_arena_block *head;
    size_t used_bytes; /* of all blocks */
    size_t max_bytes;
};

/* An arena that never holds more than max_bytes (0 = no ceiling). Allocates nothing yet. */
void gs_arena_init(struct gs_arena *a, size_t max_bytes);
/* Drop everything; the arena can be used again. */
void gs_arena_clear(struct gs_arena *a);
/* The same, but keep the newest block for what comes next. */
void gs_arena_reset(struct gs_arena *a);

/* `n` zeroed bytes, aligned for any type; NULL when memory or the ceiling is reached. */
GS_MUST_CHECK void *gs_arena_alloc(struct gs_arena *a, size_t n);
/* `n` zeroed items; checks the product. */
GS_MUST_CHECK void *gs_arena_array(struct gs_arena *a, size_t n, size_t item_bytes);
/* A zero-terminated copy; *out gets the slice. Returns false when memory is short. */
GS_MUST_CHECK bool gs_arena_dup(struct gs_arena *a, struct gs_slice s, struct gs_slice *out);
/* printf into the arena; a slice with NULL ptr when memory is short. Zero-terminated. */
struct gs_slice gs_arena_printf(struct gs_arena *a, const char *fmt, ...) GS_PRINTF(2, 3);

#endif
