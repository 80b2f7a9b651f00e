/* Texts are put together where they belong, without a stream in between. Where a format has what is
 * not known here, libc begins it anew. */
#include "base/format.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

_Static_assert(sizeof(long) == sizeof(int64_t) && sizeof(size_t) == sizeof(int64_t),
               "%ld, %lld and %zu are one");

struct text {
    char *to;
    size_t cap, len; /* len goes on behind cap: how long it would be */
};

/* What stands between a mark and its letter: "%-5.3lld" */
struct mark {
    bool is_left, is_zero, is_long, has_precision;
    int width, precision;
    char letter;
};

struct args {
    va_list list; /* so that functions may take of it in turns */
};

static void put(struct text *t, const char *p, size_t n)
{
    if (t->len < t->cap)
        memcpy(t->to + t->len, p, GS_MIN(n, t->cap - t->len));
    t->len += n;
}

static void put_char(struct text *t, char c)
{
    if (t->len < t->cap)
        t->to[t->len] = c;
    t->len++;
}

static void put_spaces(struct text *t, size_t n)
{
    for (size_t i = 0; i < n; i++)
        put_char(t, ' ');
}

/* As wide as the mark wants. */
static void put_wide(struct text *t, const struct mark *m, const char *p, size_t n)
{
    const size_t pad = (size_t)m->width > n ? (size_t)m->width - n : 0;

    if (!m->is_left)
        put_spaces(t, pad);
    put(t, p, n);
    if (m->is_left)
        put_spaces(t, pad);
}

static const char *read_int(const char *p, int *out, struct args *args)
{
    if (*p == '*') {
        *out = va_arg(args->list, int);
        return p + 1;
    }
    for (*out = 0; *p >= '0' && *p <= '9' && *out < 100000; p++)
        *out = *out * 10 + (*p - '0');
    return p;
}

/* Returns what follows the mark. */
static const char *read_mark(const char *p, struct mark *m, struct args *args)
{
    *m = (struct mark){.letter = *p};
    if (*p == 's' || *p == 'd') /* most are as short */
        return p + 1;
    for (; *p == '-' || *p == '0'; p++)
        *(*p == '-' ? &m->is_left : &m->is_zero) = true;
    p = read_int(p, &m->width, args);
    m->has_precision = *p == '.';
    if (m->has_precision)
        p = read_int(p + 1, &m->precision, args);
    for (; *p == 'l' || *p == 'z'; p++)
        m->is_long = true;
    m->letter = *p;
    return *p ? p + 1 : p;
}

static bool put_number(struct text *t, const struct mark *m, uint64_t n, bool is_negative)
{
    char digits[32];
    size_t at = sizeof(digits);

    if (m->has_precision || (m->is_zero && (m->is_left || (size_t)m->width > sizeof(digits))))
        return false;
    if (m->letter == 'x')
        do
            digits[--at] = "0123456789abcdef"[n % 16];
        while ((n /= 16) > 0);
    else
        do
            digits[--at] = (char)('0' + n % 10);
        while ((n /= 10) > 0);
    while (m->is_zero && sizeof(digits) - at + is_negative < (size_t)m->width)
        digits[--at] = '0';
    if (is_negative)
        digits[--at] = '-';
    put_wide(t, m, digits + at, sizeof(digits) - at);
    return true;
}

static bool put_int(struct text *t, const struct mark *m, struct args *args)
{
    const int64_t n = m->is_long ? va_arg(args->list, int64_t) : va_arg(args->list, int);

    return put_number(t, m, n < 0 ? 0 - (uint64_t)n : (uint64_t)n, n < 0);
}

static bool put_unsigned(struct text *t, const struct mark *m, struct args *args)
{
    const uint64_t n = m->is_long ? va_arg(args->list, uint64_t) : va_arg(args->list, unsigned);

    return put_number(t, m, n, false);
}

static bool put_string(struct text *t, const struct mark *m, struct args *args)
{
    const char *const s = va_arg(args->list, const char *);

    if (!s || m->is_zero || m->is_long || m->precision < 0)
        return false;
    const char *const end = m->has_precision ? memchr(s, '\0', (size_t)m->precision) : NULL;
    put_wide(t, m, s,
             end                ? (size_t)(end - s)
             : m->has_precision ? (size_t)m->precision
                                : strlen(s));
    return true;
}

static bool is_bare(const struct mark *m)
{
    return m->width == 0 && !m->is_left && !m->is_zero && !m->is_long && !m->has_precision;
}

/* False: it is not known here. */
static bool put_mark(struct text *t, const struct mark *m, struct args *args)
{
    if (m->width < 0)
        return false;
    switch (m->letter) {
    case 's':
        return put_string(t, m, args);
    case 'd':
        return put_int(t, m, args);
    case 'u':
    case 'x':
        return put_unsigned(t, m, args);
    case 'c':
        put_char(t, (char)va_arg(args->list, int));
        return is_bare(m);
    case '%':
        put_char(t, '%');
        return is_bare(m);
    default:
        return false;
    }
}

/* False: something in it is not known here. */
static bool put_all(struct text *t, const char *fmt, struct args *args)
{
    for (struct mark m; *fmt;) {
        if (*fmt != '%') {
            put_char(t, *fmt++);
            continue;
        }
        fmt = read_mark(fmt + 1, &m, args);
        if (!put_mark(t, &m, args))
            return false;
    }
    return t->len <= INT_MAX;
}

int gs_format_list(char *out, size_t cap, const char *fmt, va_list list)
{
    struct text t = {.to = out, .cap = cap};
    struct args args;

    va_copy(args.list, list);
    const bool is_done = put_all(&t, fmt, &args);
    va_end(args.list);
    if (!is_done)
        return vsnprintf(out, cap, fmt, list);
    if (cap > 0)
        out[GS_MIN(t.len, cap - 1)] = '\0';
    return (int)t.len;
}

int gs_format(char *out, size_t cap, const char *fmt, ...)
{
    va_list list;

    va_start(list, fmt);
    const int len = gs_format_list(out, cap, fmt, list);
    va_end(list);
    return len;
}
