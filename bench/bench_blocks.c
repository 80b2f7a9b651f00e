/* Every bit of a block is random, so its small integers are uniform over their range; then the
 * scale d of each block is set. How wide values spread for d = 1 is found by decoding some. */
#include "bench_blocks.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "base/compiler.h"
#include "compute/blocks.h"
#include "compute/cpu/ref/half.h"
#include "compute/kernels.h"

#define SAMPLE_BLOCKS 64

/* Where a block has its scale as a float16, and what is taken off: min = d min_per_d makes the
 * values' mean 0. Without a min the scale is of either sign, because the middle of the integers is
 * not quite 0. */
struct place {
    uint16_t d_at, min_at;
    float min_per_d; /* 0: there is none */
};

#define D_AT(block)                                                                                \
    {                                                                                              \
        offsetof(struct gs_block_##block, d), 0, 0                                                 \
    }
#define D_AND_MIN(block, m, per)                                                                   \
    {                                                                                              \
        offsetof(struct gs_block_##block, d), m, per                                               \
    }
static const struct place places[GS_TYPE_LIMIT] = {
    [GS_TYPE_Q4_0] = D_AT(q4_0),
    [GS_TYPE_Q4_1] = D_AND_MIN(q4_1, offsetof(struct gs_block_q4_1, m), -7.5F),
    [GS_TYPE_Q5_0] = D_AT(q5_0),
    [GS_TYPE_Q5_1] = D_AND_MIN(q5_1, offsetof(struct gs_block_q5_1, m), -15.5F),
    [GS_TYPE_Q8_0] = D_AT(q8_0),
    [GS_TYPE_Q2_K] = D_AND_MIN(q2_k, offsetof(struct gs_block_q2_k, dmin), 1.5F),
    [GS_TYPE_Q3_K] = D_AT(q3_k),
    [GS_TYPE_Q4_K] = D_AND_MIN(q4_k, offsetof(struct gs_block_q4_k, dmin), 7.5F),
    [GS_TYPE_Q5_K] = D_AND_MIN(q5_k, offsetof(struct gs_block_q5_k, dmin), 15.5F),
    [GS_TYPE_Q6_K] = D_AT(q6_k),
    [GS_TYPE_IQ1_S] = D_AT(iq1_s),
    [GS_TYPE_IQ2_XXS] = D_AT(iq2_xxs),
    [GS_TYPE_IQ2_XS] = D_AT(iq2_xs),
    [GS_TYPE_IQ2_S] = D_AT(iq2_s),
    [GS_TYPE_IQ3_XXS] = D_AT(iq3_xxs),
    [GS_TYPE_IQ3_S] = D_AT(iq3_s),
    [GS_TYPE_IQ4_NL] = D_AT(iq4_nl),
    [GS_TYPE_IQ4_XS] = D_AT(iq4_xs),
    [GS_TYPE_TQ1_0] = D_AT(tq1_0),
    [GS_TYPE_TQ2_0] = D_AT(tq2_0),
};

static void fill_random(void *out, size_t n, struct gs_rng *rng)
{
    uint8_t *at = out;

    while (n > 0) {
        const uint64_t word = gs_rng_u64(rng);
        const size_t len = GS_MIN(n, sizeof(word));
        memcpy(at, &word, len);
        at += len;
        n -= len;
    }
}

/* ---- scales ---- */

static void put_half(uint8_t *out, float v)
{
    const uint16_t h = float_to_half(v);

    memcpy(out, &h, sizeof(h));
}

static void set_place(const struct place *p, uint8_t *block, float d)
{
    if (p->min_per_d == 0) {
        put_half(block + p->d_at, block[p->d_at] & 1 ? -d : d);
        return;
    }
    put_half(block + p->d_at, d);
    put_half(block + p->min_at, d * p->min_per_d);
}

/* A nibble of d is on top of each of four words. */
static void set_iq1_m(struct gs_block_iq1_m *b, float d)
{
    const uint16_t h = float_to_half(d);

    for (size_t i = 0; i < 4; i++)
        b->scales[2 * i + 1] = (uint8_t)((b->scales[2 * i + 1] & 15) | (h >> (4 * i) & 15) << 4);
}

/* Powers of two, 127 for 1. */
static void set_mxfp4(struct gs_block_mxfp4 *b, float d)
{
    b->e = (uint8_t)(127 + lroundf(log2f(d)));
}

/* Steps of an eighth of a power of two, from 2^-6 downwards of 2^-9. */
static void set_nvfp4(struct gs_block_nvfp4 *b, float d)
{
    const int exponent = GS_MAX((int)floorf(log2f(d)), -6);
    const long steps = lroundf(ldexpf(d, 3 - exponent));

    memset(b->d, (int)((exponent + 6) * 8 + GS_MAX(steps, 1)), sizeof(b->d));
}

static void set_scale(enum gs_type type, uint8_t *block, float d)
{
    if (type == GS_TYPE_IQ1_M)
        set_iq1_m((struct gs_block_iq1_m *)block, d);
    else if (type == GS_TYPE_MXFP4)
        set_mxfp4((struct gs_block_mxfp4 *)block, d);
    else if (type == GS_TYPE_NVFP4)
        set_nvfp4((struct gs_block_nvfp4 *)block, d);
    else
        set_place(&places[type], block, d);
}

/* Standard deviation of what n blocks say. */
static float spread_of(enum gs_type type, const uint8_t *blocks, size_t n)
{
    const size_t len = gs_type_block_len(type);
    struct gs_kernels ref;
    float values[GS_BLOCK_K];
    double squares = 0;

    gs_kernels_init_ref(&ref);
    for (size_t i = 0; i < n; i++) {
        ref.dequant[type](blocks + i * gs_type_block_bytes(type), values, len);
        for (size_t j = 0; j < len; j++)
            squares += (double)values[j] * (double)values[j];
    }
    return (float)sqrt(squares / (double)(n * len));
}

static void fill_quantised(enum gs_type type, uint8_t *out, size_t n, float sd, struct gs_rng *rng)
{
    const size_t block_bytes = gs_type_block_bytes(type);
    const size_t n_sample = GS_MIN(n, SAMPLE_BLOCKS);

    fill_random(out, n * block_bytes, rng);
    for (size_t i = 0; i < n_sample; i++)
        set_scale(type, out + i * block_bytes, 1);
    const float d = sd / spread_of(type, out, n_sample);
    for (size_t i = 0; i < n; i++)
        set_scale(type, out + i * block_bytes, d);
}

/* ---- floats ---- */

/* About normal: the sum of four uniform numbers out of one random word. */
static float spread(struct gs_rng *rng, float sd)
{
    const uint64_t word = gs_rng_u64(rng);
    const int32_t sum = (int32_t)(word & 0xFFFF) + (int32_t)(word >> 16 & 0xFFFF) +
                        (int32_t)(word >> 32 & 0xFFFF) + (int32_t)(word >> 48);

    return sd * ((float)sum - 2 * 65535.0F) / 37837.0F; /* 65536 sqrt(4 / 12) */
}

static void fill_float(enum gs_type type, uint8_t *at, float sd, struct gs_rng *rng)
{
    const float v = spread(rng, sd);
    uint32_t bits;

    memcpy(&bits, &v, sizeof(bits));
    const uint16_t upper = (uint16_t)(bits >> 16);
    if (type == GS_TYPE_F16)
        put_half(at, v);
    else if (type == GS_TYPE_BF16)
        memcpy(at, &upper, sizeof(upper));
    else
        memcpy(at, &v, sizeof(v));
}

void gs_bench_fill_blocks(enum gs_type type, void *out, size_t n_blocks, float sd,
                          struct gs_rng *rng)
{
    const size_t block_bytes = gs_type_block_bytes(type);

    if (gs_type_block_len(type) > 1) {
        fill_quantised(type, out, n_blocks, sd, rng);
        return;
    }
    for (size_t i = 0; i < n_blocks; i++)
        fill_float(type, (uint8_t *)out + i * block_bytes, sd, rng);
}
