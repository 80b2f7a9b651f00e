/* Bin i holds times up to 8 ms * 2^((i + 1) / 4); the last one holds the rest too. */
#include "route/ttft.h"

#include <math.h>

#define FIRST_US  8000.0
#define KEEP      0.98F
#define N_ENOUGH  5
#define N_CEILING 1000

static int bin_of(int64_t us)
{
    if ((double)us <= FIRST_US)
        return 0;
    const int i = (int)(4 * log2((double)us / FIRST_US));
    return i < GS_TTFT_BINS ? i : GS_TTFT_BINS - 1;
}

void gs_ttft_add(struct gs_ttft *t, int64_t us)
{
    for (int i = 0; i < GS_TTFT_BINS; i++)
        t->weights[i] *= KEEP;
    t->weights[bin_of(us)] += 1;
    if (t->n < N_CEILING)
        t->n++;
}

int64_t gs_ttft_quantile(const struct gs_ttft *t, double q)
{
    double sum = 0;
    double below = 0;

    if (t->n < N_ENOUGH)
        return -1;
    for (int i = 0; i < GS_TTFT_BINS; i++)
        sum += t->weights[i];
    for (int i = 0; i < GS_TTFT_BINS; i++) {
        const double weight = t->weights[i];
        if (weight > 0 && below + weight >= q * sum) {
            const double part = (q * sum - below) / weight;
            return (int64_t)(FIRST_US * exp2((i + part) / 4));
        }
        below += weight;
    }
    return (int64_t)(FIRST_US * exp2(GS_TTFT_BINS / 4.0)); /* rounding lost the last bin */
}
