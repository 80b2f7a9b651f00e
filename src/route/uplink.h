/* Whether it is us: when nobody out there can be reached any more, it is our own uplink that is
 * down, not the providers. Then none of them is asked but one every 5 s, to find out. Providers of
 * this machine and the local network (is_near) are no part of it: they are not asked about, and
 * their faults and answers are not told. Plain data, pure. */
#ifndef GS_ROUTE_UPLINK_H
#define GS_ROUTE_UPLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "genset/fault.h"
#include "genset/slice.h"

#define GS_UPLINK_FAULTS 8

struct gs_uplink {
    size_t n_hosts; /* there are */
    bool is_down, is_lone;
    int64_t probed_us; /* when the last probe went out */
    size_t n_faults;   /* of the last 5 s, since the last success */
    struct {
        uint64_t host; /* hash */
        int64_t at_us;
    } faults[GS_UPLINK_FAULTS];
};

enum gs_uplink_verdict {
    GS_UPLINK_UP,
    GS_UPLINK_PROBE, /* down, but this one may try */
    GS_UPLINK_DOWN,  /* they need not be asked */
};

/* Of `n_hosts` different hosts. Also after the configuration changed. */
void gs_uplink_init(struct gs_uplink *u, size_t n_hosts);
/* An attempt to reach `host` had a NETWORK fault. True: it is our network, not the host. */
bool gs_uplink_fault(struct gs_uplink *u, struct gs_slice host, enum gs_fault fault,
                     int64_t now_us);
/* One of them answered (a head is enough). True: it was down until now. */
bool gs_uplink_success(struct gs_uplink *u);
/* What would be said; takes nothing. */
enum gs_uplink_verdict gs_uplink_look(const struct gs_uplink *u, int64_t now_us);
/* The same before an attempt; PROBE is said once every 5 s. */
enum gs_uplink_verdict gs_uplink_enter(struct gs_uplink *u, int64_t now_us);

/* Tells a sleep of the machine from what the two clocks show: 0 = it did not sleep. */
struct gs_uplink_clocks {
    int64_t mono_us, wall_us;
};
int64_t gs_uplink_slept_us(struct gs_uplink_clocks *last, int64_t mono_us, int64_t wall_us);

#endif
