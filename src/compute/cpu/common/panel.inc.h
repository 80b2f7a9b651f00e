/* Matrix-matrix products: tokens in the lanes of a vector, weights broadcast.
 *
 * Activations lie in panels of 16 tokens and 256 values, [value / 4][token][4], so that one vector
 * holds four values of each token. Weight rows are unpacked to bytes, as many as fit the second
 * cache, and every panel of tokens passes by them: the packed file is read once, the unpacking is
 * paid once per batch.
 *
 * A unit defines PANEL_PAIR, whether it takes two panels at a time, and brings multiply(), which
 * does the same operations in the same order for an output whatever comes beside it. With
 * PANEL_SIGNED defined it gets all weights as signed bytes, without their offsets; with PANEL_WIDE
 * it gets no formats with scales of 16 values. */
#include "compute/blocks.h"
#include "compute/cpu/common/load_32.inc.h"
#include "compute/cpu/common/load_k.inc.h"

/* after load_k.inc.h */
#include "compute/cpu/common/load_iq.inc.h"

/* ---- activations ---- */

/* Sums of q over `width` values, two side by side. */
SIMD_INLINE void add_up(const struct panel *p, int width, int16_t (*out)[2 * LANES])
{
    const vi ones = vb_add(vi_zero(), 1);

    for (int i = 0; i < GS_ACT_GROUP / width; i += 2) {
        vi even = vi_zero();
        vi odd = even;
        for (int k = 0; k < width / 4; k++) {
            even = vi_add(even, vb_dot(ones, vb_load(p->q[i * width / 4 + k])));
            odd = vi_add(odd, vb_dot(ones, vb_load(p->q[(i + 1) * width / 4 + k])));
        }
        vb_store(out[i / 2], vi_join_16(even, odd));
    }
}

/* The values of 16 rows that begin at q, `stride` bytes apart. */
SIMD_INLINE void interleave(struct panel *p, const int8_t *q, size_t stride)
{
    for (int c = 0; c < 4; c++) {
        vi v[16];
        for (size_t t = 0; t < LANES; t++)
            v[t] = vb_load(q + t * stride + 64 * c);
        vi_transpose(v);
        for (int i = 0; i < 16; i++)
            vb_store(p->q[16 * c + i], v[i]);
    }
    add_up(p, 16, p->sums16);
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
    add_up(p, 32, p->sums32);
    for (int t = 0; t < LANES; t++)
        p->d_k[t] = x[t].d;
}

/* ---- rows of tiles ---- */

typedef void multiply_fn(const struct part *p, int n_t);

#define MULTIPLY(name, ...)                                                                        \
    static void multiply_##name(const struct part *p, int n_t)                                     \
    {                                                                                              \
        const struct kind k = {__VA_ARGS__};                                                       \
        if (PANEL_PAIR && n_t == 2)                                                                \
            multiply(p, k, 2);                                                                     \
        else                                                                                       \
            multiply(p, k, 1);                                                                     \
    }

MULTIPLY(k256_4, false, 0, 256, 4)
MULTIPLY(k256_8, false, 0, 256, 8)
MULTIPLY(k256_min_6, false, 16, 256, 6)
MULTIPLY(k32_min_4, false, 32, 32, 4)
MULTIPLY(k32_min_5, false, 32, 32, 5)
MULTIPLY(k32_4, false, 0, 32, 4)
MULTIPLY(k32_5, false, 0, 32, 5)
MULTIPLY(k32_7, false, 0, 32, 7)
MULTIPLY(k32_8, false, 0, 32, 8)
MULTIPLY(b32_min_4, true, 32, 32, 4)
MULTIPLY(b32_min_5, true, 32, 32, 5)
MULTIPLY(b32_5, true, 0, 32, 5)
MULTIPLY(b32_8, true, 0, 32, 8)
#ifndef PANEL_WIDE
MULTIPLY(k16_5, false, 0, 16, 5)
MULTIPLY(k16_6, false, 0, 16, 6)
MULTIPLY(k16_7, false, 0, 16, 7)
MULTIPLY(b16_5, true, 0, 16, 5)
#endif

/* ---- rows ---- */

/* What is added to a weight. */
#ifdef PANEL_SIGNED
#define STORED(plus, offset) (uint8_t)((plus) - (offset))
#else
#define STORED(plus, offset) (plus)
#endif

SIMD_INLINE void store_values(struct unpacked *out, const vb w[4], uint8_t offset)
{
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        vb_store(out->q + 64 * i, vb_add(w[i], offset));
}

#define UNPACK_K(name, plus, mins)                                                                 \
    SIMD_INLINE void unpack_##name(const uint8_t *w, struct unpacked *out)                         \
    {                                                                                              \
        const struct k_block b = load_##name(w);                                                   \
        store_values(out, b.w, plus);                                                              \
        vf_store(out->scale, vf_mul(vf_set(b.d), vf_from_i8(b.scales)));                           \
        if (mins == 16)                                                                            \
            h16_store(out->min, b.min);                                                            \
        if (mins == 8)                                                                             \
            h16_store_even(out->min, b.min);                                                       \
        if (mins > 0)                                                                              \
            out->e = b.e;                                                                          \
    }

#define UNPACK_32(name, plus, mins)                                                                \
    SIMD_INLINE void unpack_##name(const uint8_t *w, struct unpacked *out)                         \
    {                                                                                              \
        const struct group g = load_##name(w);                                                     \
        store_values(out, g.w, plus);                                                              \
        f8_store(out->scale, g.d);                                                                 \
        if (mins > 0)                                                                              \
            f8_store(out->scale + 8, g.e);                                                         \
    }

/* The same for activations of gs_q8k: scales as those of K formats lie. */
#define UNPACK_32_K(name, plus)                                                                    \
    SIMD_INLINE void unpack_##name(const uint8_t *w, struct unpacked *out)                         \
    {                                                                                              \
        const struct group g = load_##name(w);                                                     \
        store_values(out, g.w, plus);                                                              \
        vf_store(out->scale, f8_twice(g.d));                                                       \
    }

/* Weights times scales, where the products fit a byte: one scale is left. */
#define UNPACK_WHOLE(name, minus, sign, plus, mins)                                                \
    SIMD_INLINE void unpack_##name(const uint8_t *w, struct unpacked *out)                         \
    {                                                                                              \
        const struct k_block b = load_##name(w);                                                   \
        const b16 scales = (sign) < 0 ? b16_negate(b.scales) : b.scales;                           \
        _Pragma("GCC unroll 4") for (int i = 0; i < 4; i++)                                        \
        {                                                                                          \
            const vb v = vb_scale(vb_add(b.w[i], (uint8_t) - (minus)), scales, i);                 \
            vb_store(out->q + 64 * i, vb_add(v, plus));                                            \
        }                                                                                          \
        out->scale[0] = (sign)*b.d;                                                                \
        if (mins > 0) {                                                                            \
            h16_store(out->min, b.min);                                                            \
            out->e = b.e;                                                                          \
        }                                                                                          \
    }

/* How the groups of a format lie, and one is unpacked: constants. */
struct packed {
    void (*unpack)(const uint8_t *w, struct unpacked *out);
    size_t group_bytes;
    size_t block_bytes, block_len;
};

SIMD_INLINE void unpack_part(const struct gs_panel *p, const struct part *part, struct packed f)
{
    const size_t groups = p->n / GS_ACT_GROUP;
    const size_t rest = p->n % GS_ACT_GROUP / f.block_len * f.block_bytes;

    for (size_t r = 0; r < part->n_rows; r++) {
        const uint8_t *row = p->w + (part->row + r) * p->w_stride;
        for (size_t g = 0; g < part->n_groups; g++) {
            const uint8_t *w = row + (part->group + g) * f.group_bytes;
            struct unpacked *to = part->w + g * part->n_rows + r;
            if (part->row + r >= p->n_rows) {
                memset(to, 0, sizeof(*to));
            } else if (part->group + g < groups) {
                f.unpack(w, to);
            } else {
                uint8_t padded[8 * sizeof(struct gs_block_q8_0)] = {0};
                memcpy(padded, w, rest);
                f.unpack(padded, to);
            }
        }
    }
}

/* Up to 16 rows and n tokens of acc, `stride` floats between rows, to out[token][row]. */
SIMD_INLINE void store_16(const struct gs_panel *p, size_t row, size_t token, size_t n,
                          const float *acc, size_t stride)
{
    const size_t n_r = GS_MIN(p->n_rows - row, (size_t)LANES);
    const vf bias = p->bias ? vf_load_n(p->bias + row, n_r) : vf_zero();
    vi v[16];

#pragma GCC unroll 16
    for (size_t r = 0; r < LANES; r++)
        v[r] = vb_load(acc + r * stride);
    vi_transpose(v);
    for (size_t t = 0; t < n; t++) {
        vf y = vf_of_bits(v[t]);
        if (p->bias)
            y = vf_add(y, bias);
        vf_store_n(p->out + (token + t) * p->out_stride + row, y, n_r);
    }
}

/* All rows and n tokens of acc, which lie in n_t panels. */
static void store_rows(const struct gs_panel *p, size_t token, size_t n, const float *acc,
                       size_t n_t)
{
    for (size_t t = 0; t < n_t; t++)
        for (size_t r = 0; r < p->n_rows; r += LANES)
            store_16(p, r, token + t * LANES, GS_MIN(n - t * LANES, (size_t)LANES),
                     acc + (r * n_t + t) * LANES, n_t * LANES);
}

/* A format: how parts of the weights are unpacked and multiplied. */
struct panel_format {
    void (*unpack)(const struct gs_panel *p, const struct part *part);
    multiply_fn *multiply;
    size_t group_bytes;
    int offset;
};

#define AT_ONCE (LANES * (PANEL_PAIR + 1)) /* tokens that pass by */
#define BITE    4 /* groups of GS_PANEL_GRAIN rows that stay in the first cache */

/* Few tokens, which pass by the weights once: these are unpacked in bites. */
static void run_few(const struct gs_panel *p, const struct panel_format *f, struct part all)
{
    const int n_t = p->n_tokens > LANES ? 2 : 1;
    struct part bite = all;

    bite.n_rows = GS_PANEL_GRAIN;
    for (bite.row = 0; bite.row < all.n_rows; bite.row += GS_PANEL_GRAIN) {
        bite.acc = all.acc + bite.row * (size_t)n_t * LANES;
        for (bite.group = 0; bite.group < all.n_groups; bite.group += BITE) {
            bite.n_groups = GS_MIN(all.n_groups - bite.group, (size_t)BITE);
            bite.x = all.x + bite.group * GS_PANEL_BYTES;
            bite.next =
                p->w + (bite.row + GS_PANEL_GRAIN) * p->w_stride + bite.group * f->group_bytes;
            f->unpack(p, &bite);
            f->multiply(&bite, n_t);
        }
    }
    store_rows(p, 0, p->n_tokens, all.acc, (size_t)n_t);
}

/* Many: all weights of the call are unpacked once. */
static void run_many(const struct gs_panel *p, const struct panel_format *f, struct part all)
{
    f->unpack(p, &all);
    for (size_t token = 0; token < p->n_tokens; token += AT_ONCE) {
        const size_t n = GS_MIN(p->n_tokens - token, (size_t)AT_ONCE);
        const int n_t = n > LANES ? 2 : 1;
        if (token > 0)
            memset(all.acc, 0, GS_PANEL_MAX_ROWS * AT_ONCE * sizeof(float));
        f->multiply(&all, n_t);
        store_rows(p, token, n, all.acc, (size_t)n_t);
        all.x += AT_ONCE / LANES * all.x_step;
        all.next_bytes = 0;
    }
}

static void run_panel(const struct gs_panel *p, const struct panel_format *f)
{
    GS_ALIGNED(64) float acc[GS_PANEL_MAX_ROWS * AT_ONCE] = {0};
    const size_t groups = (p->n + GS_ACT_GROUP - 1) / GS_ACT_GROUP;
    const struct part all = {
        .n_rows = (p->n_rows + GS_PANEL_GRAIN - 1) / GS_PANEL_GRAIN * GS_PANEL_GRAIN,
        .n_groups = groups,
        .w = p->scratch,
        .x = p->x,
        .x_step = groups * GS_PANEL_BYTES,
        .offset = f->offset,
        .acc = acc,
        .next = p->w + p->n_rows * p->w_stride,
        .next_stride = p->w_stride,
        .next_bytes = f->group_bytes,
    };

    (p->n_tokens <= AT_ONCE ? run_few : run_many)(p, f, all);
}

/* ---- formats ---- */

#define PANEL(name, kind, groups, len, off)                                                        \
    static void unpack_part_##name(const struct gs_panel *p, const struct part *part)              \
    {                                                                                              \
        unpack_part(p, part,                                                                       \
                    (struct packed){unpack_##name, (groups) * sizeof(struct gs_block_##name),      \
                                    sizeof(struct gs_block_##name), len});                         \
    }                                                                                              \
    static void panel_##name(const struct gs_panel *p)                                             \
    {                                                                                              \
        static const struct panel_format f = {.unpack = unpack_part_##name,                        \
                                              .multiply = multiply_##kind,                         \
                                              .group_bytes =                                       \
                                                  (groups) * sizeof(struct gs_block_##name),       \
                                              .offset = (off)};                                    \
        run_panel(p, &f);                                                                          \
    }

#define PANEL_K(name, kind, plus, mins, off)                                                       \
    UNPACK_K(name, STORED(plus, off), mins)                                                        \
    PANEL(name, kind, 1, GS_BLOCK_K, off)

#define PANEL_32(name, kind, plus, mins, off)                                                      \
    UNPACK_32(name, STORED(plus, off), mins)                                                       \
    PANEL(name, kind, 8, GS_BLOCK_32, off)

#define PANEL_32_K(name, kind, plus, off)                                                          \
    UNPACK_32_K(name, STORED(plus, off))                                                           \
    PANEL(name, kind, 8, GS_BLOCK_32, off)

/* Q2_K: 3 * 15 at most. Q3_K: -4..3 times -32..31, of which the negative fits. */
UNPACK_WHOLE(q2_k, 0, 1, 0, 16)
PANEL(q2_k, k256_min_6, 1, GS_BLOCK_K, 0)
UNPACK_WHOLE(q3_k, 4, -1, SIGNED_OFFSET, 0)
PANEL(q3_k, k256_8, 1, GS_BLOCK_K, SIGNED_OFFSET)
PANEL_K(q4_k, k32_min_4, 0, 8, 0)
PANEL_K(q5_k, k32_min_5, 0, 8, 0)
PANEL_K(iq4_xs, k32_8, SIGNED_OFFSET, 0, SIGNED_OFFSET)
PANEL_K(iq2_xxs, k32_7, 0, 0, IQ2_OFFSET)
PANEL_K(iq3_xxs, k32_7, 0, 0, IQ3_XXS_OFFSET)
PANEL_K(iq3_s, k32_5, 0, 0, IQ3_S_OFFSET)
PANEL_K(iq1_s, k32_min_5, 0, 8, 0)
PANEL_K(tq1_0, k256_4, 0, 0, 1)
PANEL_K(tq2_0, k256_4, 0, 0, 1)
PANEL_32_K(q4_0, k32_4, 0, 8)
PANEL_32(q4_1, b32_min_4, 0, 8, 0)
PANEL_32(q5_0, b32_5, 0, 0, 16)
PANEL_32(q5_1, b32_min_5, 0, 8, 0)
PANEL_32(q8_0, b32_8, SIGNED_OFFSET, 0, SIGNED_OFFSET)
PANEL_32_K(iq4_nl, k32_8, SIGNED_OFFSET, SIGNED_OFFSET)
PANEL_32(mxfp4, b32_5, 12, 0, 12)

#ifndef PANEL_WIDE
SIMD_INLINE void unpack_nvfp4(const uint8_t *w, struct unpacked *out)
{
    const struct gs_block_nvfp4 *b = (const struct gs_block_nvfp4 *)w;

    for (int i = 0; i < 4; i++) {
        vb_store(out->q + 64 * i, vb_add(nvfp4_values(b + i), 12));
        f4_store(out->scale + 4 * i, load_4_e4m3(b[i].d));
    }
}

PANEL_K(q6_k, k16_6, 0, 0, 32)
PANEL_K(iq2_xs, k16_7, 0, 0, IQ2_OFFSET)
PANEL_K(iq2_s, k16_7, 0, 0, IQ2_OFFSET)
PANEL_K(iq1_m, k16_5, 0, 0, 9)
PANEL(nvfp4, b16_5, 4, 64, 12)
#endif

static void init_panel(struct gs_kernels *k)
{
    k->panel_of_q8 = panel_of_q8;
    k->panel_of_q8k = panel_of_q8k;
    k->panel[GS_TYPE_Q2_K] = panel_q2_k;
    k->panel[GS_TYPE_Q3_K] = panel_q3_k;
    k->panel[GS_TYPE_Q4_K] = panel_q4_k;
    k->panel[GS_TYPE_Q5_K] = panel_q5_k;
    k->panel[GS_TYPE_IQ4_XS] = panel_iq4_xs;
    k->panel[GS_TYPE_Q4_0] = panel_q4_0;
    k->panel[GS_TYPE_Q4_1] = panel_q4_1;
    k->panel[GS_TYPE_Q5_0] = panel_q5_0;
    k->panel[GS_TYPE_Q5_1] = panel_q5_1;
    k->panel[GS_TYPE_Q8_0] = panel_q8_0;
    k->panel[GS_TYPE_IQ4_NL] = panel_iq4_nl;
    k->panel[GS_TYPE_MXFP4] = panel_mxfp4;
    k->panel[GS_TYPE_IQ2_XXS] = panel_iq2_xxs;
    k->panel[GS_TYPE_IQ3_XXS] = panel_iq3_xxs;
    k->panel[GS_TYPE_IQ3_S] = panel_iq3_s;
    k->panel[GS_TYPE_IQ1_S] = panel_iq1_s;
    k->panel[GS_TYPE_TQ1_0] = panel_tq1_0;
    k->panel[GS_TYPE_TQ2_0] = panel_tq2_0;
#ifndef PANEL_WIDE
    k->panel[GS_TYPE_Q6_K] = panel_q6_k;
    k->panel[GS_TYPE_IQ2_XS] = panel_iq2_xs;
    k->panel[GS_TYPE_IQ2_S] = panel_iq2_s;
    k->panel[GS_TYPE_IQ1_M] = panel_iq1_m;
    k->panel[GS_TYPE_NVFP4] = panel_nvfp4;
#endif
}
