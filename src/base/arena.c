/* Arena of chained blocks. A block begins with its header; objects follow, each preceded by a
 * redzone that AddressSanitizer knows as poisoned:
 *
 *     | header | red | object | red | object | ... free |
 */
#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "base/format.h"
#include "base/slice.h"

#if GS_ASAN
#include <sanitizer/asan_interface.h>
#define REDZONE_BYTES  ((size_t)16)
#define POISON(p, n)   ASAN_POISON_MEMORY_REGION(p, n)
#define UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#else
#define REDZONE_BYTES  ((size_t)0)
#define POISON(p, n)   ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
#endif

#define ALIGN_BYTES       ((size_t)16)
#define FIRST_BLOCK_BYTES ((size_t)4096)
#define MAX_BLOCK_BYTES   ((size_t)1 << 20)

struct gs_arena_block {
    struct gs_arena_block *next;
    size_t cap; /* bytes after the header */
    size_t used;
    size_t pad; /* keeps the data aligned to 16 */
};

static unsigned char *block_data(struct gs_arena_block *b)
{
    return (unsigned char *)(b + 1);
}

void gs_arena_init(struct gs_arena *a, size_t max_bytes)
{
    *a = (struct gs_arena){.max_bytes = max_bytes};
}

void gs_arena_clear(struct gs_arena *a)
{
    if (!a)
        return;
    for (struct gs_arena_block *b = a->head; b;) {
        struct gs_arena_block *next = b->next;
        UNPOISON(block_data(b), b->cap);
        gs_free(b);
        b = next;
    }
    a->head = NULL;
    a->used_bytes = 0;
}

void gs_arena_reset(struct gs_arena *a)
{
    struct gs_arena_block *keep = a->head; /* blocks grow: the newest is seldom too small */

    if (!keep)
        return;
    a->head = keep->next;
    gs_arena_clear(a);
    keep->next = NULL;
    keep->used = 0;
    POISON(block_data(keep), keep->cap);
    a->head = keep;
}

/* Blocks double up to a megabyte, so that a small request costs one and a large one few. */
static bool add_block(struct gs_arena *a, size_t need)
{
    size_t cap = a->head ? GS_MIN(a->head->cap * 2, MAX_BLOCK_BYTES) : FIRST_BLOCK_BYTES;
    size_t bytes;

    if (cap < need)
        cap = need;
    if (!gs_add_size(cap, sizeof(struct gs_arena_block), &bytes))
        return false;
    struct gs_arena_block *b = gs_alloc(bytes);
    if (!b)
        return false;
    *b = (struct gs_arena_block){.next = a->head, .cap = cap};
    POISON(block_data(b), cap);
    a->head = b;
    return true;
}

static void *take(struct gs_arena *a, size_t n)
{
    size_t need;

    if (!gs_add_size(n, ALIGN_BYTES - 1 + REDZONE_BYTES, &need))
        return NULL;
    need &= ~(ALIGN_BYTES - 1);
    if (a->max_bytes && need > a->max_bytes - a->used_bytes)
        return NULL;
    if ((!a->head || a->head->cap - a->head->used < need) && !add_block(a, need))
        return NULL;
    unsigned char *p = block_data(a->head) + a->head->used + REDZONE_BYTES;
    a->head->used += need;
    a->used_bytes += need;
    UNPOISON(p, n);
    return p;
}

void *gs_arena_alloc(struct gs_arena *a, size_t n)
{
    void *p = take(a, n);

    return p ? memset(p, 0, n) : NULL;
}

void *gs_arena_array(struct gs_arena *a, size_t n, size_t item_bytes)
{
    size_t bytes;

    return gs_mul_size(n, item_bytes, &bytes) ? gs_arena_alloc(a, bytes) : NULL;
}

bool gs_arena_dup(struct gs_arena *a, struct gs_slice s, struct gs_slice *out)
{
    size_t bytes;
    char *p = gs_add_size(s.len, 1, &bytes) ? take(a, bytes) : NULL;

    if (!p)
        return false;
    if (s.len)
        memcpy(p, s.ptr, s.len);
    p[s.len] = '\0';
    *out = (struct gs_slice){p, s.len};
    return true;
}

struct gs_slice gs_arena_printf(struct gs_arena *a, const char *fmt, ...)
{
    const struct gs_slice none = {NULL, 0};
    struct gs_slice whole = none;
    char text[256]; /* most are shorter */
    va_list ap;

    va_start(ap, fmt);
    const int n = gs_format_list(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < sizeof(text))
        return gs_arena_dup(a, gs_slice(text, (size_t)n), &whole) ? whole : none;
    char *p = n < 0 ? NULL : gs_arena_alloc(a, (size_t)n + 1);
    if (!p)
        return none;
    va_start(ap, fmt);
    gs_format_list(p, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return (struct gs_slice){p, (size_t)n};
}
