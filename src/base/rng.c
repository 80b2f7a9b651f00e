/* xoshiro256**, seeded through splitmix64 as its authors advise. */
#include "base/rng.h"

#include <math.h>

static uint64_t splitmix(uint64_t *x)
{
    uint64_t z = (*x += 0x9E3779B97F4A7C15u);

    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

void gs_rng_seed(struct gs_rng *r, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        r->s[i] = splitmix(&seed);
}

static uint64_t rotl(uint64_t x, int k)
{
    return x << k | x >> (64 - k);
}

uint64_t gs_rng_u64(struct gs_rng *r)
{
    uint64_t *s = r->s;
    const uint64_t result = rotl(s[1] * 5, 7) * 9;
    const uint64_t t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

double gs_rng_double(struct gs_rng *r)
{
    return (double)(gs_rng_u64(r) >> 11) * 0x1.0p-53;
}

double gs_rng_normal(struct gs_rng *r)
{
    const double u = 1.0 - gs_rng_double(r); /* (0, 1]: the logarithm is finite */
    const double v = gs_rng_double(r);

    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}
