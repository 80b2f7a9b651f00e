/* A growing byte buffer with a ceiling. A write that does not fit, or finds no memory, makes it
 * sticky-failed: writers append freely and check once, with gs_buf_ok(), at the end. */
#ifndef GS_BASE_BUF_H
#define GS_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "genset/slice.h"

struct gs_buf {
    char *ptr; /* NULL while empty */
    size_t len;
    size_t cap;
    size_t max; /* ceiling of len */
    bool failed;
    bool
        drops; /* what is written goes nowhere: for a writer that is to take note and say nothing */
};

void gs_buf_init(struct gs_buf *b, size_t max_bytes);
void gs_buf_clear(struct gs_buf *b); /* releases the memory; usable again */
void gs_buf_reset(struct gs_buf *b); /* len = 0 and not failed, memory kept */

void gs_buf_put(struct gs_buf *b, const void *p, size_t n);
void gs_buf_putc(struct gs_buf *b, char c);
void gs_buf_puts(struct gs_buf *b, const char *s);
void gs_buf_slice(struct gs_buf *b, struct gs_slice s);
void gs_buf_printf(struct gs_buf *b, const char *fmt, ...) GS_PRINTF(2, 3);
/* In decimal: a tenth of the time of gs_buf_printf(). */
void gs_buf_int(struct gs_buf *b, int64_t n);
/* Room for n more bytes, written by the caller at the returned address, then gs_buf_grow(b, n).
 * NULL when failed. */
void *gs_buf_reserve(struct gs_buf *b, size_t n);
void gs_buf_grow(struct gs_buf *b, size_t n);
/* Drop the first n bytes. */
void gs_buf_consume(struct gs_buf *b, size_t n);

static inline bool gs_buf_ok(const struct gs_buf *b)
{
    return !b->failed;
}

static inline struct gs_slice gs_buf_view(const struct gs_buf *b)
{
    return (struct gs_slice){b->ptr, b->len};
}

/* Move the bytes out, zero-terminated; the caller releases them with gs_free(). NULL if failed. */
GS_MUST_CHECK char *gs_buf_take(struct gs_buf *b, size_t *out_len);

#endif
