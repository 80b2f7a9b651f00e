/* Times to a first token, of late: counts by quarter octaves, of which every new one makes the
 * others weigh 2 % less. Plain data, zeroed = empty. Private to switch/. */
#ifndef GS_ROUTE_TTFT_H
#define GS_ROUTE_TTFT_H

#include <stdint.h>

#define GS_TTFT_BINS 56 /* from 8 ms to 2 minutes */

struct gs_ttft {
    float weights[GS_TTFT_BINS];
    int32_t n; /* ever added, up to a ceiling */
};

void gs_ttft_add(struct gs_ttft *t, int64_t us);
/* The time below which a part `q` (0 to 1) of them lie; -1: fewer than 5 are known. */
int64_t gs_ttft_quantile(const struct gs_ttft *t, double q);

#endif
