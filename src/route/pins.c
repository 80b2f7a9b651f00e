/* Sets of eight, the newest first: a conversation's hash says which set it is in. */
#include "route/pins.h"

#include <string.h>

#include "base/alloc.h"

#define N_WAYS 8
#define N_SETS (GS_PINS_MAX / N_WAYS)

struct pin {
    uint64_t talk; /* 0: free */
    enum gs_privacy privacy;
};

struct gs_pins {
    struct pin sets[N_SETS][N_WAYS];
};

struct gs_pins *gs_pins_create(void)
{
    return gs_alloc_zero(sizeof(struct gs_pins));
}

void gs_pins_free(struct gs_pins *p)
{
    gs_free(p);
}

enum gs_privacy gs_pins_hold(struct gs_pins *p, uint64_t talk, enum gs_privacy privacy)
{
    struct pin *set = p->sets[talk % N_SETS];
    struct pin pin = {talk, privacy};
    size_t i = 0;

    while (i < N_WAYS && set[i].talk != talk)
        i++;
    if (i < N_WAYS && set[i].privacy > privacy)
        pin.privacy = set[i].privacy;
    if (talk == 0 || pin.privacy == GS_PRIVACY_ANY)
        return privacy;
    if (i == N_WAYS)
        i--; /* the oldest makes room */
    memmove(set + 1, set, i * sizeof(*set));
    set[0] = pin;
    return pin.privacy;
}
