/* Quantisation of activations and of KV rows: symmetric, the largest magnitude becomes 127. */
#include "compute/cpu/ref/ref.h"

#include <math.h>

#include "compute/blocks.h"
#include "compute/cpu/ref/half.h"

static float max_magnitude(const float *x, size_t n)
{
    float m = 0;

    for (size_t i = 0; i < n; i++)
        m = fabsf(x[i]) > m ? fabsf(x[i]) : m;
    return m;
}

/* q = round(127 x / m); returns their sum. */
static int quantise(const float *x, int8_t *q, size_t n, float m)
{
    const float scale = m > 0 ? 127 / m : 0;
    int sum = 0;

    for (size_t i = 0; i < n; i++) {
        q[i] = (int8_t)lrintf(scale * x[i]);
        sum += q[i];
    }
    return sum;
}

static void quantise_q8(const float *x, void *out, size_t n)
{
    struct gs_q8 *b = out;

    for (size_t i = 0; i < n; i += GS_ACT_GROUP, b++) {
        *b = (struct gs_q8){0};
        for (size_t j = 0; j < 8 && i + 32 * j < n; j++) {
            const size_t len = GS_MIN((size_t)32, n - i - 32 * j);
            const float *from = x + i + 32 * j;
            const float m = max_magnitude(from, len);
            b->d[j] = m / 127;
            b->s[j] = b->d[j] * (float)quantise(from, b->q + 32 * j, len, m);
        }
    }
}

static void quantise_q8k(const float *x, void *out, size_t n)
{
    struct gs_q8k *b = out;

    for (size_t i = 0; i < n; i += GS_ACT_GROUP, b++) {
        const size_t len = GS_MIN((size_t)GS_ACT_GROUP, n - i);
        const float m = max_magnitude(x + i, len);
        *b = (struct gs_q8k){.d = m / 127};
        for (size_t j = 0; 16 * j < len; j++)
            b->sums[j] = (int16_t)quantise(x + i + 16 * j, b->q + 16 * j,
                                           GS_MIN((size_t)16, len - 16 * j), m);
    }
}

static void to_f16(const float *x, void *out, size_t n)
{
    uint8_t *to = out;

    for (size_t i = 0; i < n; i++) {
        const uint16_t h = float_to_half(x[i]);
        memcpy(to + 2 * i, &h, sizeof(h));
    }
}

static void to_q8_0(const float *x, void *out, size_t n)
{
    struct gs_block_q8_0 *b = out;

    for (; n > 0; n -= 32, x += 32, b++) {
        const float m = max_magnitude(x, 32);
        const uint16_t d = float_to_half(m / 127);
        memcpy(b->d, &d, sizeof(d));
        quantise(x, b->qs, 32, m);
    }
}

void gs_kernels_init_quantise_ref(struct gs_kernels *k)
{
    k->quantise_q8 = quantise_q8;
    k->quantise_q8k = quantise_q8k;
    k->to_f16 = to_f16;
    k->to_q8_0 = to_q8_0;
}
