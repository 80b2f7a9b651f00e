/* Capped buffer: doubles, keeps one byte for a terminator, fails sticky. */
#include "base/buf.h"

#include <stdarg.h>
#include <string.h>

#include "base/alloc.h"
#include "base/format.h"

#define FIRST_CAP ((size_t)256)

void gs_buf_init(struct gs_buf *b, size_t max_bytes)
{
    *b = (struct gs_buf){.max = max_bytes};
}

void gs_buf_clear(struct gs_buf *b)
{
    if (!b)
        return;
    gs_free(b->ptr);
    *b = (struct gs_buf){.max = b->max};
}

void gs_buf_reset(struct gs_buf *b)
{
    b->len = 0;
    b->failed = false;
}

void *gs_buf_reserve(struct gs_buf *b, size_t n)
{
    if (b->drops)
        return NULL;
    if (b->failed || n > b->max - b->len) {
        b->failed = true;
        return NULL;
    }
    const size_t need = b->len + n + 1;
    if (need > b->cap) {
        size_t cap = b->cap ? b->cap * 2 : FIRST_CAP;
        if (cap < need)
            cap = need;
        char *p = gs_realloc(b->ptr, cap);
        if (!p) {
            b->failed = true;
            return NULL;
        }
        b->ptr = p;
        b->cap = cap;
    }
    return b->ptr + b->len;
}

void gs_buf_grow(struct gs_buf *b, size_t n)
{
    if (!b->failed)
        b->len += n;
}

void gs_buf_put(struct gs_buf *b, const void *p, size_t n)
{
    if (n == 0)
        return;
    void *to = gs_buf_reserve(b, n);
    if (!to)
        return;
    memcpy(to, p, n);
    b->len += n;
}

void gs_buf_putc(struct gs_buf *b, char c)
{
    gs_buf_put(b, &c, 1);
}

void gs_buf_puts(struct gs_buf *b, const char *s)
{
    gs_buf_put(b, s, strlen(s));
}

void gs_buf_slice(struct gs_buf *b, struct gs_slice s)
{
    gs_buf_put(b, s.ptr, s.len);
}

void gs_buf_printf(struct gs_buf *b, const char *fmt, ...)
{
    va_list ap;

    if (b->drops)
        return;
    const size_t room = b->failed ? 0 : b->cap - b->len;
    va_start(ap, fmt);
    const int n = gs_format_list(room > 0 ? b->ptr + b->len : NULL, room, fmt, ap);
    va_end(ap);
    if (n < 0) {
        b->failed = true;
        return;
    }
    if ((size_t)n < room && (size_t)n <= b->max - b->len) {
        b->len += (size_t)n;
        return;
    }
    char *to = gs_buf_reserve(b, (size_t)n);
    if (!to)
        return;
    va_start(ap, fmt);
    gs_format_list(to, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->len += (size_t)n;
}

void gs_buf_int(struct gs_buf *b, int64_t n)
{
    char digits[24];
    size_t at = sizeof(digits);
    uint64_t rest = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;

    do
        digits[--at] = (char)('0' + rest % 10);
    while ((rest /= 10) > 0);
    if (n < 0)
        digits[--at] = '-';
    gs_buf_put(b, digits + at, sizeof(digits) - at);
}

void gs_buf_consume(struct gs_buf *b, size_t n)
{
    n = GS_MIN(n, b->len);
    if (n == 0)
        return;
    memmove(b->ptr, b->ptr + n, b->len - n);
    b->len -= n;
}

char *gs_buf_take(struct gs_buf *b, size_t *out_len)
{
    if (!gs_buf_reserve(b, 0)) {
        gs_buf_clear(b);
        return NULL;
    }
    char *p = b->ptr;
    p[b->len] = '\0';
    if (out_len)
        *out_len = b->len;
    *b = (struct gs_buf){.max = b->max};
    return p;
}
