/* Both are guesses of a time after which most answers that are well would have gone on. */
#include "route/hedge.h"

#include "base/compiler.h"

#define SECOND_US  ((int64_t)1000000)
#define UNKNOWN_US (2 * SECOND_US)
#define LEAST_US   (SECOND_US / 10) /* two at once cost twice: not for nothing */
#define SILENCE_US (2 * SECOND_US)

int64_t gs_hedge_after_us(int64_t route_us, int64_t p95_us)
{
    if (route_us > 0)
        return route_us;
    return p95_us < 0 ? UNKNOWN_US : GS_MAX(p95_us, LEAST_US);
}

int64_t gs_hedge_suspect_at_us(const struct gs_hedge_signs *s)
{
    if (s->is_probe)
        return s->started_us;
    if (s->token_us > 0)
        return s->token_us + SILENCE_US;
    return s->started_us + GS_MAX(s->p95_us, SILENCE_US);
}
