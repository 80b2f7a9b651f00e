/* The only caller of malloc. Tests make the n-th allocation fail. */
#ifndef GS_BASE_ALLOC_H
#define GS_BASE_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

/* All return NULL when memory is short; gs_free accepts NULL. n == 0 allocates one byte. */
GS_MUST_CHECK void *gs_alloc(size_t n);
GS_MUST_CHECK void *gs_alloc_zero(size_t n);
GS_MUST_CHECK void *gs_alloc_array(size_t n, size_t item_bytes); /* zeroed; checks n * item_bytes */
GS_MUST_CHECK void *gs_realloc(void *p, size_t n);
GS_MUST_CHECK void *gs_alloc_aligned(size_t align, size_t n); /* released with gs_free */
GS_MUST_CHECK char *gs_alloc_str(const char *s);              /* a copy of s */
void gs_free(void *p);
/* Give memory that is free back to the system, where the C library does not by itself. Takes
 * milliseconds: for times when there is nothing to do. */
void gs_alloc_trim(void);

/* Make the n-th allocation from now fail (1 = the next), once; 0 switches the fault off.
 * thread: process-wide, atomic. */
void gs_alloc_fail_at(long n);
long gs_alloc_count(void); /* allocations since the last gs_alloc_fail_at() */

/* false on overflow, *out untouched. */
bool gs_mul_size(size_t a, size_t b, size_t *out);
bool gs_add_size(size_t a, size_t b, size_t *out);

#endif
