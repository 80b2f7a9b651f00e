/* Told apart by who is out of reach within a few seconds: two hosts mean our network. Where there
 * is only one, such faults as a dead network shows make us suspect it, but are the host's too. */
#include "route/uplink.h"

#include "base/map.h"

#define SECOND_US ((int64_t)1000000)
#define WINDOW_US (5 * SECOND_US)
#define PROBE_US  (5 * SECOND_US)
#define SLEEP_US  (5 * SECOND_US) /* clocks that are set differ by less, most of the time */

void gs_uplink_init(struct gs_uplink *u, size_t n_hosts)
{
    *u = (struct gs_uplink){.n_hosts = n_hosts};
}

/* Drop what is old or of this host, the oldest if there are too many; then add it. */
static void remember(struct gs_uplink *u, uint64_t host, int64_t now_us)
{
    size_t n = 0;

    for (size_t i = 0; i < u->n_faults; i++)
        if (u->faults[i].host != host && now_us - u->faults[i].at_us <= WINDOW_US)
            u->faults[n++] = u->faults[i];
    if (n == GS_UPLINK_FAULTS) {
        n--;
        for (size_t i = 0; i < n; i++)
            u->faults[i] = u->faults[i + 1];
    }
    u->faults[n].host = host;
    u->faults[n].at_us = now_us;
    u->n_faults = n + 1;
}

bool gs_uplink_fault(struct gs_uplink *u, struct gs_slice host, enum gs_fault fault, int64_t now_us)
{
    const bool was_down = u->is_down;

    if (gs_fault_blame(fault) != GS_BLAME_NETWORK)
        return false;
    remember(u, gs_hash_bytes(host.ptr, host.len, 0), now_us);
    u->is_lone = u->n_hosts < 2;
    if (u->n_faults >= 2)
        u->is_down = true;
    else if (u->is_lone && fault != GS_FAULT_REFUSED && fault != GS_FAULT_RESET)
        u->is_down = true;
    if (u->is_down && !was_down)
        u->probed_us = now_us;
    return u->is_down && !u->is_lone;
}

bool gs_uplink_success(struct gs_uplink *u)
{
    const bool was_down = u->is_down;

    u->is_down = false;
    u->n_faults = 0;
    return was_down;
}

enum gs_uplink_verdict gs_uplink_look(const struct gs_uplink *u, int64_t now_us)
{
    if (!u->is_down)
        return GS_UPLINK_UP;
    return now_us - u->probed_us >= PROBE_US ? GS_UPLINK_PROBE : GS_UPLINK_DOWN;
}

enum gs_uplink_verdict gs_uplink_enter(struct gs_uplink *u, int64_t now_us)
{
    const enum gs_uplink_verdict v = gs_uplink_look(u, now_us);

    if (v == GS_UPLINK_PROBE)
        u->probed_us = now_us;
    return v;
}

int64_t gs_uplink_slept_us(struct gs_uplink_clocks *last, int64_t mono_us, int64_t wall_us)
{
    const struct gs_uplink_clocks was = *last;

    *last = (struct gs_uplink_clocks){mono_us, wall_us};
    if (was.mono_us == 0)
        return 0;
    const int64_t slept_us = (wall_us - was.wall_us) - (mono_us - was.mono_us);
    return slept_us > SLEEP_US ? slept_us : 0;
}
