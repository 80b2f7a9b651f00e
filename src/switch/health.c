/* A repetition of period p goes on as long as each byte is the one p bytes before. When it breaks
 * another period is looked for among the bytes kept: the distance to the last place where the
 * latest bytes stood before. */
#include "switch/health.h"

#define SEED      8 /* bytes that must have stood there before */
#define SECOND_US ((int64_t)1000000)

static char at(const struct gs_health *h, size_t back)
{
    return h->tail[(h->n_bytes - back) % GS_HEALTH_PERIOD];
}

static size_t find_period(const struct gs_health *h)
{
    for (size_t p = 1; p + SEED < GS_HEALTH_PERIOD && p + SEED <= h->n_bytes; p++) {
        size_t n = 0;
        while (n < SEED && at(h, 1 + n) == at(h, 1 + n + p))
            n++;
        if (n == SEED)
            return p;
    }
    return 0;
}

static void note_byte(struct gs_health *h, char c)
{
    if (h->period > 0 && at(h, h->period) == c) {
        h->n_same++;
    } else {
        h->period = 0;
        h->n_same = 0;
    }
    h->tail[h->n_bytes++ % GS_HEALTH_PERIOD] = c;
}

void gs_health_note(struct gs_health *h, struct gs_slice text, int64_t now_us)
{
    if (h->window_us == 0)
        h->window_us = now_us;
    h->n_window += text.len;
    for (size_t i = 0; i < text.len; i++)
        note_byte(h, text.ptr[i]);
    if (h->period == 0)
        h->period = find_period(h); /* once a piece: they are small, and a loop is long */
}

bool gs_health_is_slow(struct gs_health *h, int64_t window_us, int64_t now_us)
{
    if (window_us == 0 || h->window_us == 0 || now_us - h->window_us < window_us)
        return false;
    const bool is_slow = (int64_t)h->n_window * SECOND_US < GS_HEALTH_LEAST * window_us;
    const bool was_slow = h->was_slow;
    h->was_slow = is_slow;
    h->window_us = now_us;
    h->n_window = 0;
    return is_slow && was_slow;
}

bool gs_health_is_loop(const struct gs_health *h)
{
    return h->n_same >= GS_HEALTH_LOOP_BYTES;
}
