/* Every bit of a block is random, so its small integers are uniform over their range; then the
 * scales are overwritten so that x = d scale (q - middle) has the wanted spread. A uniform integer
 * of n values has the standard deviation sqrt((n^2 - 1) / 12). */
#include "bench_blocks.h"

#include <string.h>

#include "base/compiler.h"
#include "compute/blocks.h"
#include "compute/cpu/ref/half.h"

#define SD_OF_16   4.61F  /* of q uniform in 0..15 */
#define SD_OF_32   9.23F  /* 0..31 */
#define SD_OF_64   18.47F /* 0..63 */
#define SD_OF_256  73.9F  /* -128..127 */
#define SD_OF_IQ4  69.5F  /* of the 16 values of IQ4 */
#define K_SCALE    32     /* six-bit group scales are K_SCALE + 0..15 */
#define MEAN_SCALE 39.5F

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

static void put_half(uint8_t out[2], float v)
{
    const uint16_t h = float_to_half(v);

    memcpy(out, &h, sizeof(h));
}

/* Either sign, by the random bits that were there: the middle of q is not quite 0. */
static void put_scale(uint8_t out[2], float v)
{
    put_half(out, out[0] & 1 ? -v : v);
}

/* About normal: the sum of four uniform numbers out of one random word. */
static float spread(struct gs_rng *rng, float sd)
{
    const uint64_t word = gs_rng_u64(rng);
    const int32_t sum = (int32_t)(word & 0xFFFF) + (int32_t)(word >> 16 & 0xFFFF) +
                        (int32_t)(word >> 32 & 0xFFFF) + (int32_t)(word >> 48);

    return sd * ((float)sum - 2 * 65535.0F) / 37837.0F; /* 65536 sqrt(4 / 12) */
}

static void fill_f32(uint8_t *out, float sd, struct gs_rng *rng)
{
    const float v = spread(rng, sd);

    memcpy(out, &v, sizeof(v));
}

static void fill_q4_0(struct gs_block_q4_0 *b, float sd)
{
    put_scale(b->d, sd / SD_OF_16);
}

static void fill_q8_0(struct gs_block_q8_0 *b, float sd)
{
    put_scale(b->d, sd / SD_OF_256);
}

/* The twelve bytes of Q4_K and Q5_K: for every group scale = min = 32 + a random nibble. In bytes
 * 0..7 the top bits belong to groups 4..7, in bytes 8..11 lie their low nibbles. */
static void fill_k_scales(uint8_t scales[12])
{
    for (size_t j = 0; j < 4; j++) {
        const unsigned low = K_SCALE | (scales[j] & 15);
        const unsigned high = K_SCALE | (scales[j] >> 4);
        scales[j] = (uint8_t)(low | (high >> 4) << 6);
        scales[j + 4] = scales[j];
        scales[j + 8] = (uint8_t)((high & 15) | (high & 15) << 4);
    }
}

static void fill_q4_k(struct gs_block_q4_k *b, float sd)
{
    const float d = sd / (SD_OF_16 * MEAN_SCALE);

    fill_k_scales(b->scales);
    put_half(b->d, d);
    put_half(b->dmin, d * 7.5F); /* the middle of 0..15 */
}

static void fill_q5_k(struct gs_block_q5_k *b, float sd)
{
    const float d = sd / (SD_OF_32 * MEAN_SCALE);

    fill_k_scales(b->scales);
    put_half(b->d, d);
    put_half(b->dmin, d * 15.5F);
}

static void fill_q6_k(struct gs_block_q6_k *b, float sd)
{
    for (size_t j = 0; j < sizeof(b->scales); j++)
        b->scales[j] = (int8_t)(K_SCALE | (b->scales[j] & 15));
    put_scale(b->d, sd / (SD_OF_64 * MEAN_SCALE));
}

/* Scale j is 48 + a random nibble, so that scale - 32 is 16..31. */
static void fill_iq4_xs(struct gs_block_iq4_xs *b, float sd)
{
    b->scales_h[0] = 0xFF;
    b->scales_h[1] = 0xFF;
    put_scale(b->d, sd / (SD_OF_IQ4 * 23.5F));
}

void gs_bench_fill_blocks(enum gs_type type, void *out, size_t n_blocks, float sd,
                          struct gs_rng *rng)
{
    const size_t block_bytes = gs_type_block_bytes(type);
    uint8_t *at = out;

    if (type != GS_TYPE_F32 && type != GS_TYPE_F16)
        fill_random(out, n_blocks * block_bytes, rng);
    for (size_t i = 0; i < n_blocks; i++, at += block_bytes) {
        if (type == GS_TYPE_F32)
            fill_f32(at, sd, rng);
        else if (type == GS_TYPE_F16)
            put_half(at, spread(rng, sd));
        else if (type == GS_TYPE_Q4_0)
            fill_q4_0((struct gs_block_q4_0 *)at, sd);
        else if (type == GS_TYPE_Q8_0)
            fill_q8_0((struct gs_block_q8_0 *)at, sd);
        else if (type == GS_TYPE_Q4_K)
            fill_q4_k((struct gs_block_q4_k *)at, sd);
        else if (type == GS_TYPE_Q5_K)
            fill_q5_k((struct gs_block_q5_k *)at, sd);
        else if (type == GS_TYPE_Q6_K)
            fill_q6_k((struct gs_block_q6_k *)at, sd);
        else if (type == GS_TYPE_IQ4_XS)
            fill_iq4_xs((struct gs_block_iq4_xs *)at, sd);
    }
}
