/* Allocator front with fault injection: one countdown shared by all threads. */
#include "base/alloc.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

static atomic_long fail_at;
static atomic_long count;

static bool should_fail(void)
{
    const long n = atomic_fetch_add_explicit(&count, 1, memory_order_relaxed) + 1;
    return n == atomic_load_explicit(&fail_at, memory_order_relaxed);
}

void gs_alloc_fail_at(long n)
{
    atomic_store(&count, 0);
    atomic_store(&fail_at, n);
}

long gs_alloc_count(void)
{
    return atomic_load(&count);
}

void *gs_alloc(size_t n)
{
    return should_fail() ? NULL : malloc(n ? n : 1);
}

void *gs_alloc_zero(size_t n)
{
    return should_fail() ? NULL : calloc(1, n ? n : 1);
}

void *gs_alloc_array(size_t n, size_t item_bytes)
{
    size_t bytes;

    return gs_mul_size(n, item_bytes, &bytes) ? gs_alloc_zero(bytes) : NULL;
}

void *gs_realloc(void *p, size_t n)
{
    return should_fail() ? NULL : realloc(p, n ? n : 1);
}

void *gs_alloc_aligned(size_t align, size_t n)
{
    void *p = NULL;

    if (should_fail() || posix_memalign(&p, align, n ? n : 1) != 0)
        return NULL;
    return p;
}

char *gs_alloc_str(const char *s)
{
    const size_t n = strlen(s) + 1;
    char *p = gs_alloc(n);

    if (p)
        memcpy(p, s, n);
    return p;
}

void gs_free(void *p)
{
    free(p);
}

void gs_alloc_trim(void)
{
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

bool gs_mul_size(size_t a, size_t b, size_t *out)
{
    size_t product;

    if (__builtin_mul_overflow(a, b, &product))
        return false;
    *out = product;
    return true;
}

bool gs_add_size(size_t a, size_t b, size_t *out)
{
    size_t sum;

    if (__builtin_add_overflow(a, b, &sum))
        return false;
    *out = sum;
    return true;
}
