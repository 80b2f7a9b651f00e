/* Helpers over borrowed bytes, and UTF-8. */
#ifndef GS_BASE_SLICE_H
#define GS_BASE_SLICE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/compiler.h"
#include "genset/slice.h"

#define GS_SLICE_LIT(s) ((struct gs_slice){(s), sizeof(s) - 1}) /* of a string literal */

static inline struct gs_slice gs_slice(const char *p, size_t n)
{
    return (struct gs_slice){p, n};
}

static inline struct gs_slice gs_slice_str(const char *s)
{
    return (struct gs_slice){s, s ? strlen(s) : 0};
}

/* Inline: names that are looked up mostly differ in length. */
static inline bool gs_slice_eq(struct gs_slice a, struct gs_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool gs_slice_eq_str(struct gs_slice a, const char *s)
{
    return gs_slice_eq(a, gs_slice_str(s));
}

bool gs_slice_starts(struct gs_slice s, struct gs_slice prefix);
bool gs_slice_ends(struct gs_slice s, struct gs_slice suffix);
/* Offset of the first `needle` at or after `from`, or SIZE_MAX. */
size_t gs_slice_find(struct gs_slice s, struct gs_slice needle, size_t from);
/* Without white space (space, \t \n \v \f \r) at both ends. */
struct gs_slice gs_slice_trim(struct gs_slice s);
/* s[from, to), clamped to s. */
struct gs_slice gs_slice_sub(struct gs_slice s, size_t from, size_t to);

/* Parse a whole slice; false if anything is left over, out of range, or missing. No octal. */
bool gs_slice_to_i64(struct gs_slice s, int64_t *out);
bool gs_slice_to_double(struct gs_slice s, double *out);

/* ---- UTF-8 ---- */

/* Decode one character of s at off: its length in bytes (1..4), *out_cp its code point. A bad byte
 * decodes as length 1, U+FFFD, so that a loop always advances. off < s.len. */
size_t gs_utf8_decode(struct gs_slice s, size_t off, uint32_t *out_cp);
/* Encode cp into out[4]; its length, 0 for an invalid code point. */
size_t gs_utf8_encode(uint32_t cp, char out[4]);
/* Bytes at the end of s that begin a character but do not finish it (0..3). */
size_t gs_utf8_incomplete_tail(struct gs_slice s);
bool gs_utf8_valid(struct gs_slice s);
/* The first byte of s from `from` on that is not plain, or s.len. Plain is what texts are made of
 * and no notation minds: ASCII but for control characters, quotes and backslashes. */
size_t gs_slice_plain_end(struct gs_slice s, size_t from);

#endif
