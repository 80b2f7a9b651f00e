/* Some agents send a prompt that does not fit again at once, and for ever: opencode 1.18 eight
 * times a second when its first prompt is larger than the context. The first few get their error at
 * once, so that a client that compacts is not held up. */
#include "base/slice.h"
#include "server/state.h"

#define FREE_FAILURES 5.0
#define FADING_US     2000000.0 /* one failure is forgotten in this time */

bool gs_server_repeats_note(struct gs_server_repeats *t, uint64_t who, int64_t now_us)
{
    for (size_t i = 0; i < GS_SERVER_REPEATS; i++) {
        if (t->items[i].who != who)
            continue;
        const double faded = t->items[i].score - (double)(now_us - t->items[i].last_us) / FADING_US;
        t->items[i].score = GS_MIN(GS_MAX(faded, 0.0) + 1.0, FREE_FAILURES + 1.0);
        t->items[i].last_us = now_us;
        return t->items[i].score > FREE_FAILURES;
    }
    t->items[t->oldest].who = who;
    t->items[t->oldest].last_us = now_us;
    t->items[t->oldest].score = 1.0;
    t->oldest = (t->oldest + 1) % GS_SERVER_REPEATS;
    return false;
}
