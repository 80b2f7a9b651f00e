/* Whether this machine runs on battery or is too hot, for routes that ask: read every few seconds
 * on a thread of its own, because what tells of batteries may take its time. */
#ifndef GS_SWITCH_POWER_H
#define GS_SWITCH_POWER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/os.h"
#include "genset/status.h"

struct gs_config_routes;
struct gs_switch_power; /* NULL: no route asks */

/* As bits. */
enum gs_switch_power_bit {
    GS_POWER_KNOWN = 1 << 0, /* it was read once */
    GS_POWER_BATTERY = 1 << 1,
    GS_POWER_HOT = 1 << 2,
};

/* What of it some route asks for. */
unsigned gs_switch_power_asked(const struct gs_config_routes *routes);
/* "on battery", "hot", "on battery, hot", or "" */
const char *gs_switch_power_word(unsigned state);

/* What is made of one reading after the other. Zeroed before the first. */
struct gs_switch_power_view {
    int64_t n_throttled;
    int64_t hot_until_us; /* monotonic */
};
unsigned gs_switch_power_judge(struct gs_switch_power_view *view, const struct gs_os_power *read,
                               int64_t now_us);

/* Begin to read in `sysfs`, which must live on. errors: GS_ENOMEM. */
GS_MUST_CHECK enum gs_status
gs_switch_power_start(const char *sysfs, struct gs_switch_power **out_p, struct gs_error *err);
/* Never waits. NULL: nothing is known. */
unsigned gs_switch_power_state(const struct gs_switch_power *p);
/* NULL is allowed. */
void gs_switch_power_stop(struct gs_switch_power *p);

#endif
