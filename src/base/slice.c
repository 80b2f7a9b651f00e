/* Slices: search, numbers, UTF-8 (RFC 3629: no surrogates, no overlong forms, at most U+10FFFF). */
#include "base/slice.h"

#include <errno.h>
#include <stdlib.h>

bool gs_slice_starts(struct gs_slice s, struct gs_slice prefix)
{
    return s.len >= prefix.len && gs_slice_eq(gs_slice(s.ptr, prefix.len), prefix);
}

bool gs_slice_ends(struct gs_slice s, struct gs_slice suffix)
{
    return s.len >= suffix.len && gs_slice_eq(gs_slice_sub(s, s.len - suffix.len, s.len), suffix);
}

size_t gs_slice_find(struct gs_slice s, struct gs_slice needle, size_t from)
{
    if (needle.len == 0)
        return from <= s.len ? from : SIZE_MAX;
    while (from < s.len && s.len - from >= needle.len) {
        const char *hit = memchr(s.ptr + from, needle.ptr[0], s.len - from - needle.len + 1);
        if (!hit)
            return SIZE_MAX;
        if (memcmp(hit, needle.ptr, needle.len) == 0)
            return (size_t)(hit - s.ptr);
        from = (size_t)(hit - s.ptr) + 1;
    }
    return SIZE_MAX;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct gs_slice gs_slice_trim(struct gs_slice s)
{
    while (s.len > 0 && is_space(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    while (s.len > 0 && is_space(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

struct gs_slice gs_slice_sub(struct gs_slice s, size_t from, size_t to)
{
    to = GS_MIN(to, s.len);
    from = GS_MIN(from, to);
    return from == to ? (struct gs_slice){s.ptr, 0} : gs_slice(s.ptr + from, to - from);
}

bool gs_slice_to_i64(struct gs_slice s, int64_t *out)
{
    const bool negative = s.len > 0 && s.ptr[0] == '-';
    int64_t v = 0;

    if (s.len == (size_t)negative)
        return false;
    for (size_t i = negative; i < s.len; i++) {
        const int digit = s.ptr[i] - '0';
        if (digit < 0 || digit > 9 || __builtin_mul_overflow(v, 10, &v) ||
            __builtin_sub_overflow(v, digit, &v)) /* downwards, so that INT64_MIN fits */
            return false;
    }
    if (!negative && v == INT64_MIN)
        return false;
    *out = negative ? v : -v;
    return true;
}

bool gs_slice_to_double(struct gs_slice s, double *out)
{
    char text[64];
    char *end;

    if (s.len == 0 || s.len >= sizeof(text) || is_space(s.ptr[0]))
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (!strchr("0123456789+-.eE", s.ptr[i]) || s.ptr[i] == '\0')
            return false;
    memcpy(text, s.ptr, s.len);
    text[s.len] = '\0';
    errno = 0;
    const double v = strtod(text, &end);
    if (*end != '\0' || errno == ERANGE)
        return false;
    *out = v;
    return true;
}

/* ---- UTF-8 ---- */

static size_t sequence_len(unsigned char lead)
{
    if (lead < 0x80)
        return 1;
    if (lead >= 0xC2 && lead <= 0xDF)
        return 2;
    if (lead >= 0xE0 && lead <= 0xEF)
        return 3;
    if (lead >= 0xF0 && lead <= 0xF4)
        return 4;
    return 0;
}

size_t gs_utf8_decode(struct gs_slice s, size_t off, uint32_t *out_cp)
{
    const unsigned char *p = (const unsigned char *)s.ptr + off;
    const size_t n = sequence_len(p[0]);

    *out_cp = 0xFFFD;
    if (n == 0 || n > s.len - off)
        return 1;
    if (n == 1) {
        *out_cp = p[0];
        return 1;
    }
    uint32_t cp = p[0] & (0xFFu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 1;
        cp = cp << 6 | (p[i] & 0x3F);
    }
    if ((n == 3 && (cp < 0x800 || (cp >= 0xD800 && cp <= 0xDFFF))) ||
        (n == 4 && (cp < 0x10000 || cp > 0x10FFFF)))
        return 1;
    *out_cp = cp;
    return n;
}

size_t gs_utf8_encode(uint32_t cp, char out[4])
{
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (char)(0xC0 | cp >> 6);
        out[1] = (char)(0x80 | (cp & 0x3F));
        return 2;
    }
    if (cp < 0x10000) {
        if (cp >= 0xD800 && cp <= 0xDFFF)
            return 0;
        out[0] = (char)(0xE0 | cp >> 12);
        out[1] = (char)(0x80 | (cp >> 6 & 0x3F));
        out[2] = (char)(0x80 | (cp & 0x3F));
        return 3;
    }
    if (cp > 0x10FFFF)
        return 0;
    out[0] = (char)(0xF0 | cp >> 18);
    out[1] = (char)(0x80 | (cp >> 12 & 0x3F));
    out[2] = (char)(0x80 | (cp >> 6 & 0x3F));
    out[3] = (char)(0x80 | (cp & 0x3F));
    return 4;
}

size_t gs_utf8_incomplete_tail(struct gs_slice s)
{
    for (size_t back = 1; back <= 3 && back <= s.len; back++) {
        const unsigned char c = (unsigned char)s.ptr[s.len - back];
        if ((c & 0xC0) == 0x80)
            continue;
        return sequence_len(c) > back ? back : 0;
    }
    return 0;
}

/* The high bit of each byte of w that is zero; higher bytes than the first of them may err. */
static uint64_t zero_bytes(uint64_t w)
{
    return (w - 0x0101010101010101u) & ~w & 0x8080808080808080u;
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7F && c != '"' && c != '\\';
}

size_t gs_slice_plain_end(struct gs_slice s, size_t from)
{
    size_t i = from;

    for (uint64_t w; i < s.len && s.len - i >= sizeof(w); i += sizeof(w)) {
        memcpy(&w, s.ptr + i, sizeof(w));
        const uint64_t other = ((w | (w - 0x2020202020202020u)) & 0x8080808080808080u) |
                               zero_bytes(w ^ 0x2222222222222222u) |
                               zero_bytes(w ^ 0x5C5C5C5C5C5C5C5Cu) |
                               zero_bytes(w ^ 0x7F7F7F7F7F7F7F7Fu);
        if (other) /* its lowest bit is exact; borrowing may have set others above */
            return i + (size_t)__builtin_ctzll(other) / 8;
    }
    while (i < s.len && is_plain((unsigned char)s.ptr[i]))
        i++;
    return i;
}

bool gs_utf8_valid(struct gs_slice s)
{
    for (size_t i = gs_slice_plain_end(s, 0); i < s.len; i = gs_slice_plain_end(s, i)) {
        uint32_t cp;
        const size_t n = gs_utf8_decode(s, i, &cp);
        if (cp == 0xFFFD && n == 1)
            return false;
        i += n;
    }
    return true;
}
