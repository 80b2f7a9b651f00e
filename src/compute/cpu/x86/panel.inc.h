/* Matrix-matrix products: tokens in the lanes of a vector, weights broadcast.
 *
 * Activations lie in panels of 16 tokens and 256 values, [value / 4][token][4], so that one vector
 * holds four values of each token. Weight rows are unpacked to bytes, as many as fit the second
 * cache, and every panel of tokens passes by them: the packed file is read once, the unpacking is
 * paid once per batch. A tile is n_r rows times n_t panels; all tiles do the same operations in the
 * same order for an output, so its bits depend on neither the tile nor the other tokens.
 *
 * Weights are unsigned, those with an offset (or made unsigned by one) start their integer sums at
 * -offset * (sum of x): every sum over a scale's values is exact. */
#include "compute/blocks.h"
#include "compute/cpu/x86/load_32.inc.h"
#include "compute/cpu/x86/load_k.inc.h"

#define LANES 16
_Static_assert(GS_PANEL_TOKENS == LANES, "a panel is as wide as a vector");

struct panel {
    int8_t q[GS_ACT_GROUP / 4][4 * LANES];
    int16_t sums32[4][2 * LANES]; /* of q, per 32 values: two sums side by side */
    union {
        float d[8][LANES]; /* from gs_q8 */
        struct {           /* from gs_q8k */
            float d_k[LANES];
            int16_t sums16[8][2 * LANES]; /* per 16 values */
        };
    };
};
_Static_assert(sizeof(struct panel) <= GS_PANEL_BYTES, "panels fit where the rows lay");

/* 256 values of a weight row. */
struct unpacked {
    uint8_t q[GS_ACT_GROUP];
    float scale[16]; /* per 16 values; blocks of 32: eight scales, then eight minimums */
    int16_t min[16]; /* per 16 or per 32 values */
    float e;         /* factor of the sum of minimums */
    uint8_t pad[28];
};
_Static_assert(sizeof(struct unpacked) == GS_PANEL_ROW_BYTES, "the size that callers count with");

SIMD_INLINE __m512i vi_load(const void *p)
{
    return _mm512_load_si512(p);
}

/* The intrinsic makes gcc 12 copy every accumulator twice per step. */
SIMD_INLINE __m512i dot_4(__m512i acc, __m512i w, __m512i x)
{
    __asm__("vpdpbusd %2, %1, %0" : "+v"(acc) : "v"(w), "v"(x));
    return acc;
}

SIMD_INLINE __m512i broadcast_4(const void *p)
{
    return _mm512_set1_epi32((int)load_u32(p));
}

/* Lane i of v[j] and lane j of v[i] change places. */
SIMD_INLINE void transpose_16(__m512i v[16])
{
    __m512i u[16];

#pragma GCC unroll 8
    for (int i = 0; i < 16; i += 2) {
        u[i] = _mm512_unpacklo_epi32(v[i], v[i + 1]);
        u[i + 1] = _mm512_unpackhi_epi32(v[i], v[i + 1]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 16; i += 4) {
        v[i] = _mm512_unpacklo_epi64(u[i], u[i + 2]);
        v[i + 1] = _mm512_unpackhi_epi64(u[i], u[i + 2]);
        v[i + 2] = _mm512_unpacklo_epi64(u[i + 1], u[i + 3]);
        v[i + 3] = _mm512_unpackhi_epi64(u[i + 1], u[i + 3]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        u[i] = _mm512_shuffle_i32x4(v[i], v[i + 4], 0x88);
        u[i + 4] = _mm512_shuffle_i32x4(v[i], v[i + 4], 0xdd);
        u[i + 8] = _mm512_shuffle_i32x4(v[i + 8], v[i + 12], 0x88);
        u[i + 12] = _mm512_shuffle_i32x4(v[i + 8], v[i + 12], 0xdd);
    }
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) {
        v[i] = _mm512_shuffle_i32x4(u[i], u[i + 8], 0x88);
        v[i + 8] = _mm512_shuffle_i32x4(u[i], u[i + 8], 0xdd);
    }
}

/* ---- activations ---- */

/* Sums of q over `width` values, two side by side. */
SIMD_INLINE void add_up(const struct panel *p, int width, int16_t (*out)[2 * LANES])
{
    const __m512i ones = _mm512_set1_epi8(1);

    for (int i = 0; i < GS_ACT_GROUP / width; i += 2) {
        __m512i even = _mm512_setzero_si512();
        __m512i odd = even;
        for (int k = 0; k < width / 4; k++) {
            even = dot_4(even, ones, vi_load(p->q[i * width / 4 + k]));
            odd = dot_4(odd, ones, vi_load(p->q[(i + 1) * width / 4 + k]));
        }
        _mm512_store_si512(out[i / 2],
                           _mm512_mask_blend_epi16(0xaaaaaaaa, even, _mm512_slli_epi32(odd, 16)));
    }
}

/* The values of 16 rows that begin at q, `stride` bytes apart. */
SIMD_INLINE void interleave(struct panel *p, const int8_t *q, size_t stride)
{
    for (int c = 0; c < 4; c++) {
        __m512i v[16];
        for (size_t t = 0; t < LANES; t++)
            v[t] = vb_load(q + t * stride + 64 * c);
        transpose_16(v);
        for (int i = 0; i < 16; i++)
            _mm512_store_si512(p->q[16 * c + i], v[i]);
    }
    add_up(p, 32, p->sums32);
}

static void panel_of_q8(const void *rows, void *out)
{
    const struct gs_q8 *x = rows;
    struct panel *p = out;

    interleave(p, x->q, sizeof(*x));
    for (int j = 0; j < 8; j++)
        for (int t = 0; t < LANES; t++)
            p->d[j][t] = x[t].d[j];
}

static void panel_of_q8k(const void *rows, void *out)
{
    const struct gs_q8k *x = rows;
    struct panel *p = out;

    interleave(p, x->q, sizeof(*x));
    add_up(p, 16, p->sums16);
    for (int t = 0; t < LANES; t++)
        p->d_k[t] = x[t].d;
}

/* ---- tiles ---- */

/* How the values of a group come together: constants of the code that a kind of formats shares. */
struct kind {
    bool blocks_32; /* activations of gs_q8, and scales of their own per 32 values */
    bool has_min;
    int width; /* values per scale */
};

SIMD_INLINE const void *pair_of_sums(const struct panel *x, struct kind k, int j)
{
    return k.width == 16 ? x->sums16[j / 2] : x->sums32[j / 2];
}

/* factor * the sums of values j, which are the even or odd ones of their pair. */
SIMD_INLINE __m512i scaled_sum(const struct panel *x, struct kind k, int j, int factor)
{
    const int at = j & 1 ? factor * 65536 : factor & 0xffff;

    return _mm512_dpwssd_epi32(_mm512_setzero_si512(), vi_load(pair_of_sums(x, k, j)),
                               _mm512_set1_epi32(at));
}

/* e * the sum of min * sums. */
SIMD_INLINE __m512 min_term(const struct panel *x, const struct unpacked *w, struct kind k)
{
    __m512i sum = _mm512_setzero_si512();

#pragma GCC unroll 8
    for (int j = 0; j < 16; j += 2)
        if (j < GS_ACT_GROUP / k.width)
            sum = _mm512_dpwssd_epi32(sum, vi_load(pair_of_sums(x, k, j)), broadcast_4(w->min + j));
    return _mm512_mul_ps(_mm512_cvtepi32_ps(sum), _mm512_set1_ps(w->e));
}

/* f + what the integer sums of values j are worth. */
SIMD_INLINE __m512 fold(__m512 f, __m512i sum, const struct panel *x, const struct unpacked *w,
                        struct kind k, int j)
{
    const __m512 scale = _mm512_set1_ps(w->scale[k.blocks_32 ? j : j * k.width / 16]);
    const __m512 v = _mm512_cvtepi32_ps(sum);

    if (!k.blocks_32)
        return _mm512_fmadd_ps(v, scale, f);
    __m512 s = _mm512_mul_ps(v, scale);
    if (k.has_min)
        s = _mm512_fmadd_ps(_mm512_cvtepi32_ps(scaled_sum(x, k, j, 1)),
                            _mm512_set1_ps(w->scale[8 + j]), s);
    return _mm512_fmadd_ps(s, _mm512_load_ps(x->d[j]), f);
}

#define MAX_TILE 12

/* acc[row][token] += the products of n_r rows and n_t panels, of one group of values. The rows lie
 * side by side, the panels x_step bytes apart. */
SIMD_INLINE void tile(struct kind k, int offset, int n_t, int n_r, const struct unpacked *w,
                      const uint8_t *x_base, size_t x_step, float *acc)
{
    const struct panel *x[2] = {(const struct panel *)(const void *)x_base,
                                (const struct panel *)(const void *)(x_base + x_step)};
    __m512 f[MAX_TILE];

#pragma GCC unroll 12
    for (int i = 0; i < n_t * n_r; i++)
        f[i] = k.blocks_32 ? _mm512_load_ps(acc + LANES * i)
               : k.has_min ? min_term(x[i % n_t], w + i / n_t, k)
                           : _mm512_setzero_ps();
    for (int j = 0; j < GS_ACT_GROUP / k.width; j++) {
        __m512i s[MAX_TILE];
        __m512i first[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
        if (!k.has_min)
            for (int t = 0; t < n_t; t++)
                first[t] = scaled_sum(x[t], k, j, -offset);
#pragma GCC unroll 12
        for (int i = 0; i < n_t * n_r; i++)
            s[i] = first[i % n_t];
#pragma GCC unroll 8
        for (int c = 0; c < k.width / 4; c++) {
            __m512i v[2];
#pragma GCC unroll 2
            for (int t = 0; t < n_t; t++)
                v[t] = vi_load(x[t]->q[j * k.width / 4 + c]);
#pragma GCC unroll 12
            for (int r = 0; r < n_r; r++) {
                const __m512i b = broadcast_4(w[r].q + j * k.width + 4 * c);
#pragma GCC unroll 2
                for (int t = 0; t < n_t; t++)
                    s[r * n_t + t] = dot_4(s[r * n_t + t], b, v[t]);
            }
        }
#pragma GCC unroll 12
        for (int i = 0; i < n_t * n_r; i++)
            f[i] = fold(f[i], s[i], x[i % n_t], w + i / n_t, k, j);
    }
#pragma GCC unroll 12
    for (int i = 0; i < n_t * n_r; i++) {
        float *to = acc + LANES * i;
        _mm512_store_ps(to, k.blocks_32 ? f[i]
                                        : _mm512_fmadd_ps(f[i], _mm512_load_ps(x[i % n_t]->d_k),
                                                          _mm512_load_ps(to)));
    }
}

/* All values of n_rows rows (a multiple of MAX_TILE) and of one or two panels. */
struct strip {
    const struct unpacked *w; /* [group][row] */
    size_t n_rows, groups;
    const uint8_t *x; /* the groups of a panel, then those of the next */
    int offset;
    float *acc; /* [row][panel][16] */
};

SIMD_INLINE void multiply(const struct strip *s, struct kind k, int n_t)
{
    const int n_r = MAX_TILE / n_t;

    memset(s->acc, 0, s->n_rows * (size_t)n_t * LANES * sizeof(float));
    for (size_t g = 0; g < s->groups; g++)
        for (size_t r = 0; r < s->n_rows; r += (size_t)n_r)
            tile(k, s->offset, n_t, n_r, s->w + g * s->n_rows + r, s->x + g * GS_PANEL_BYTES,
                 s->groups * GS_PANEL_BYTES, s->acc + r * (size_t)n_t * LANES);
}

typedef void multiply_fn(const struct strip *s, int n_t);

#define MULTIPLY(name, ...)                                                                        \
    static void multiply_##name(const struct strip *s, int n_t)                                    \
    {                                                                                              \
        const struct kind k = {__VA_ARGS__};                                                       \
        if (n_t == 2)                                                                              \
            multiply(s, k, 2);                                                                     \
        else                                                                                       \
            multiply(s, k, 1);                                                                     \
    }

MULTIPLY(k32_min, false, true, 32)
MULTIPLY(k32, false, false, 32)
MULTIPLY(k16_min, false, true, 16)
MULTIPLY(k16, false, false, 16)
MULTIPLY(b32_min, true, true, 32)
MULTIPLY(b32, true, false, 32)

/* ---- rows ---- */

typedef void unpack_fn(const uint8_t *w, struct unpacked *out);

/* A format: how its groups are unpacked and multiplied. */
struct panel_format {
    unpack_fn *unpack;
    multiply_fn *multiply;
    size_t group_bytes;
    size_t block_bytes, block_len;
    int offset;
};

SIMD_INLINE void store_values(struct unpacked *out, const vb w[4], uint8_t flip)
{
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        _mm512_store_si512(out->q + 64 * i, _mm512_xor_si512(w[i], _mm512_set1_epi8((char)flip)));
}

#define UNPACK_K(name, flip, mins)                                                                 \
    static void unpack_##name(const uint8_t *w, struct unpacked *out)                              \
    {                                                                                              \
        const struct k_block b = load_##name(w);                                                   \
        store_values(out, b.w, flip);                                                              \
        _mm512_store_ps(out->scale,                                                                \
                        vf_mul(b.d, _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(b.scales))));          \
        if (mins == 16)                                                                            \
            _mm256_store_si256((__m256i *)(void *)out->min, b.min);                                \
        if (mins == 8)                                                                             \
            _mm_store_si128((__m128i *)(void *)out->min, _mm256_cvtepi32_epi16(b.min));            \
        if (mins > 0)                                                                              \
            out->e = _mm256_cvtss_f32(b.e);                                                        \
    }

#define UNPACK_32(name, flip, mins)                                                                \
    static void unpack_##name(const uint8_t *w, struct unpacked *out)                              \
    {                                                                                              \
        const struct group g = load_##name(w);                                                     \
        store_values(out, g.w, flip);                                                              \
        _mm256_store_ps(out->scale, g.d);                                                          \
        if (mins > 0)                                                                              \
            _mm256_store_ps(out->scale + 8, g.e);                                                  \
    }

/* The rows of the call, unpacked to [group][row]; those up to n_padded are zeros. */
SIMD_INLINE void unpack_rows(const struct gs_panel *p, const struct panel_format *f,
                             size_t n_padded, struct unpacked *out)
{
    const size_t groups = p->n / GS_ACT_GROUP;
    const size_t rest = p->n % GS_ACT_GROUP / f->block_len * f->block_bytes;

    for (size_t r = 0; r < p->n_rows; r++) {
        const uint8_t *w = p->w + r * p->w_stride;
        struct unpacked *to = out + r;
        for (size_t g = 0; g < groups; g++, w += f->group_bytes, to += n_padded) {
            prefetch_ahead(w, f->group_bytes);
            f->unpack(w, to);
        }
        if (rest > 0) {
            uint8_t padded[8 * sizeof(struct gs_block_q8_0)] = {0};
            memcpy(padded, w, rest);
            f->unpack(padded, to);
        }
    }
    for (size_t g = 0; g < groups + (rest > 0); g++)
        memset(out + g * n_padded + p->n_rows, 0, (n_padded - p->n_rows) * sizeof(*out));
}

/* Up to 16 rows and n tokens of acc, `stride` floats between rows, to out[token][row]. */
SIMD_INLINE void store_16(const struct gs_panel *p, size_t row, size_t token, size_t n,
                          const float *acc, size_t stride)
{
    const size_t n_r = GS_MIN(p->n_rows - row, (size_t)LANES);
    const __mmask16 mask = (__mmask16)((1u << n_r) - 1);
    const __m512 bias = p->bias ? _mm512_maskz_loadu_ps(mask, p->bias + row) : _mm512_setzero_ps();
    __m512i v[16];

    for (size_t r = 0; r < LANES; r++)
        v[r] = r < n_r ? vi_load(acc + r * stride) : _mm512_setzero_si512();
    transpose_16(v);
    for (size_t t = 0; t < n; t++) {
        __m512 y = _mm512_castsi512_ps(v[t]);
        if (p->bias)
            y = _mm512_add_ps(y, bias);
        _mm512_mask_storeu_ps(p->out + (token + t) * p->out_stride + row, mask, y);
    }
}

static void run_panel(const struct gs_panel *p, const struct panel_format *f)
{
    GS_ALIGNED(64) float acc[GS_PANEL_MAX_ROWS * 2 * LANES];
    const size_t groups = (p->n + GS_ACT_GROUP - 1) / GS_ACT_GROUP;
    const size_t n_padded = (p->n_rows + MAX_TILE - 1) / MAX_TILE * MAX_TILE;
    struct strip s = {.w = p->scratch,
                      .n_rows = n_padded,
                      .groups = groups,
                      .x = p->x,
                      .offset = f->offset,
                      .acc = acc};

    unpack_rows(p, f, n_padded, p->scratch);
    for (size_t token = 0; token < p->n_tokens;) {
        const size_t n_t = p->n_tokens - token > LANES ? 2 : 1;
        f->multiply(&s, (int)n_t);
        for (size_t t = 0; t < n_t; t++, token += LANES)
            for (size_t r = 0; r < p->n_rows; r += LANES)
                store_16(p, r, token, GS_MIN(p->n_tokens - token, (size_t)LANES),
                         acc + (r * n_t + t) * LANES, n_t * LANES);
        s.x += n_t * groups * GS_PANEL_BYTES;
    }
}

/* ---- formats ---- */

#define PANEL(name, kind, groups, len, off)                                                        \
    static void panel_##name(const struct gs_panel *p)                                             \
    {                                                                                              \
        static const struct panel_format f = {.unpack = unpack_##name,                             \
                                              .multiply = multiply_##kind,                         \
                                              .group_bytes =                                       \
                                                  (groups) * sizeof(struct gs_block_##name),       \
                                              .block_bytes = sizeof(struct gs_block_##name),       \
                                              .block_len = (len),                                  \
                                              .offset = (off)};                                    \
        run_panel(p, &f);                                                                          \
    }

#define PANEL_K(name, kind, flip, mins, off)                                                       \
    UNPACK_K(name, flip, mins)                                                                     \
    PANEL(name, kind, 1, GS_BLOCK_K, off)

#define PANEL_32(name, kind, flip, mins, off)                                                      \
    UNPACK_32(name, flip, mins)                                                                    \
    PANEL(name, kind, 8, GS_BLOCK_32, off)

PANEL_K(q2_k, k16_min, 0, 16, 0)
PANEL_K(q3_k, k16, 0, 0, 4)
PANEL_K(q4_k, k32_min, 0, 8, 0)
PANEL_K(q5_k, k32_min, 0, 8, 0)
PANEL_K(q6_k, k16, 0, 0, 32)
PANEL_K(iq4_xs, k32, 0x80, 0, 128)
PANEL_32(q4_0, b32, 0, 0, 8)
PANEL_32(q4_1, b32_min, 0, 8, 0)
PANEL_32(q5_0, b32, 0, 0, 16)
PANEL_32(q5_1, b32_min, 0, 8, 0)
PANEL_32(q8_0, b32, 0x80, 0, 128)
PANEL_32(iq4_nl, b32, 0x80, 0, 128)
PANEL_32(mxfp4, b32, 0x80, 0, 128)

static void init_panel(struct gs_kernels *k)
{
    k->panel_of_q8 = panel_of_q8;
    k->panel_of_q8k = panel_of_q8k;
    k->panel[GS_TYPE_Q2_K] = panel_q2_k;
    k->panel[GS_TYPE_Q3_K] = panel_q3_k;
    k->panel[GS_TYPE_Q4_K] = panel_q4_k;
    k->panel[GS_TYPE_Q5_K] = panel_q5_k;
    k->panel[GS_TYPE_Q6_K] = panel_q6_k;
    k->panel[GS_TYPE_IQ4_XS] = panel_iq4_xs;
    k->panel[GS_TYPE_Q4_0] = panel_q4_0;
    k->panel[GS_TYPE_Q4_1] = panel_q4_1;
    k->panel[GS_TYPE_Q5_0] = panel_q5_0;
    k->panel[GS_TYPE_Q5_1] = panel_q5_1;
    k->panel[GS_TYPE_Q8_0] = panel_q8_0;
    k->panel[GS_TYPE_IQ4_NL] = panel_iq4_nl;
    k->panel[GS_TYPE_MXFP4] = panel_mxfp4;
}
