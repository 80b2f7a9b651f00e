/* xoshiro256** (Blackman, Vigna 2018): deterministic by seed, not for secrets. */
#ifndef GS_BASE_RNG_H
#define GS_BASE_RNG_H

#include <stdint.h>

struct gs_rng {
    uint64_t s[4];
};

void gs_rng_seed(struct gs_rng *r, uint64_t seed);
uint64_t gs_rng_u64(struct gs_rng *r);
/* Uniform in [0, 1), 53 bits. */
double gs_rng_double(struct gs_rng *r);
/* Standard normal (Box-Muller). */
double gs_rng_normal(struct gs_rng *r);

#endif
