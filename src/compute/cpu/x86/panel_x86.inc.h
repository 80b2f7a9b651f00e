/* The sums of products of panel.inc.h on x86. Weights are unsigned bytes. */
#include "compute/cpu/common/panel_layout.inc.h"
#include "compute/cpu/x86/load_nvfp4_x86.inc.h"

#ifdef SIMD_VNNI

#define SIGNED_OFFSET 128 /* what signed weights are made unsigned by */

SIMD_INLINE int span_of(struct kind k)
{
    return k.width / 4;
}

SIMD_INLINE vi span_begin(vi sum)
{
    return sum;
}

SIMD_INLINE vi span_add(vi part, vb w, vb x, struct kind k)
{
    (void)k;
    return vb_dot_add(part, w, x);
}

SIMD_INLINE vi span_end(vi sum, vi part)
{
    (void)sum;
    return part;
}

#else

#define SIGNED_OFFSET 0

/* Of how many fours the products can be added in pairs of int16: 2 * 127 * 15 * 8 < 2^15. */
SIMD_INLINE int span_of(struct kind k)
{
    const int room = k.bits <= 4 ? 8 : k.bits == 5 ? 4 : k.bits == 6 ? 2 : 1;

    return room < k.width / 4 ? room : k.width / 4;
}

SIMD_INLINE vi span_begin(vi sum)
{
    (void)sum;
    return vi_zero();
}

SIMD_INLINE vi span_add(vi part, vb w, vb x, struct kind k)
{
    if (k.bits == 8)
        return vb_dot_16(vb_abs(w), vb_sign(x, w));
    return vi_keep(vb_add_16(part, vb_dot_16(w, x)));
}

SIMD_INLINE vi span_end(vi sum, vi part)
{
    return vi_keep(vi_add_pairs(sum, part, vi_set(0x00010001)));
}

#endif

/* p, of which all rows of a tile count: gcc 12 keeps an address of each, more than there are
 * registers. */
SIMD_INLINE const uint8_t *keep_address(const uint8_t *p)
{
    __asm__("" : "+r"(p));
    return p;
}

/* s[row][token] += the products of a span of values that begins with four number `first`. */
SIMD_INLINE void tile_span(struct kind k, int n_t, int n_r, const struct unpacked *w,
                           const struct panel *const x[2], int first, vi s[PANEL_TILE])
{
    const uint8_t *q = keep_address(w->q + 4 * first);
    vi part[PANEL_TILE];

#pragma GCC unroll 12
    for (int i = 0; i < n_t * n_r; i++)
        part[i] = span_begin(s[i]);
#pragma GCC unroll 8
    for (int c = 0; c < span_of(k); c++) {
        vb v[2];
#pragma GCC unroll 2
        for (int t = 0; t < n_t; t++)
            v[t] = vb_load(x[t]->q[first + c]);
#pragma GCC unroll 12
        for (int r = 0; r < n_r; r++) {
            const vb b = vb_set_4(q + (size_t)r * sizeof(*w) + 4 * c);
#pragma GCC unroll 2
            for (int t = 0; t < n_t; t++)
                part[r * n_t + t] = span_add(part[r * n_t + t], b, v[t], k);
        }
    }
#pragma GCC unroll 12
    for (int i = 0; i < n_t * n_r; i++)
        s[i] = span_end(s[i], part[i]);
}

#include "compute/cpu/common/panel_tile.inc.h"

/* after panel_tile.inc.h */
#include "compute/cpu/common/panel.inc.h"
