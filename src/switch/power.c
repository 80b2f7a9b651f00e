/* A processor that is held back for heat is so for moments, again and again: it is hot until that
 * has not been seen for a minute. */
#include "switch/power.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/queue.h"
#include "base/thread.h"
#include "config/routes.h"

#define INTERVAL_US ((int64_t)5 * 1000000)
#define HOT_US      ((int64_t)60 * 1000000)

struct gs_switch_power {
    const char *sysfs;
    struct gs_queue *end; /* nothing is ever in it: closed when all is over */
    pthread_t thread;
    bool has_thread;
    atomic_uint state;
};

unsigned gs_switch_power_asked(const struct gs_config_routes *routes)
{
    unsigned asked = 0;

    for (size_t i = 0; i < routes->n_routes; i++) {
        const struct gs_config_route *r = &routes->routes[i];
        asked |= r->battery != GS_CONDITION_NONE ? GS_POWER_BATTERY : 0;
        asked |= r->hot != GS_CONDITION_NONE ? GS_POWER_HOT : 0;
    }
    return asked;
}

const char *gs_switch_power_word(unsigned state)
{
    if (!(state & GS_POWER_BATTERY))
        return state & GS_POWER_HOT ? "hot" : "";
    return state & GS_POWER_HOT ? "on battery, hot" : "on battery";
}

unsigned gs_switch_power_judge(struct gs_switch_power_view *view, const struct gs_os_power *read,
                               int64_t now_us)
{
    const bool is_first = view->hot_until_us == 0; /* how long ago it was throttled is not known */

    if (read->is_cooled || (!is_first && read->n_throttled > view->n_throttled))
        view->hot_until_us = now_us + HOT_US;
    else if (is_first)
        view->hot_until_us = now_us;
    view->n_throttled = read->n_throttled;
    return GS_POWER_KNOWN | (read->on_battery ? GS_POWER_BATTERY : 0) |
           (now_us < view->hot_until_us ? GS_POWER_HOT : 0);
}

static void watch(void *arg)
{
    struct gs_switch_power *p = arg;
    struct gs_switch_power_view view = {0};
    struct gs_os_power read;
    bool is_over = false;

    gs_assert_thread(GS_THREAD_POWER);
    while (!is_over) {
        gs_os_power_read(p->sysfs, &read);
        const int64_t now_us = gs_clock_mono_us();
        atomic_store(&p->state, gs_switch_power_judge(&view, &read, now_us));
        (void)gs_queue_pop_until(p->end, now_us + INTERVAL_US, &is_over);
    }
}

enum gs_status gs_switch_power_start(const char *sysfs, struct gs_switch_power **out_p,
                                     struct gs_error *err)
{
    struct gs_switch_power *p = gs_alloc_zero(sizeof(*p));

    if (!p)
        return gs_error_nomem(err, "watch the battery");
    p->sysfs = sysfs;
    enum gs_status st = gs_queue_create(1, &p->end, err);
    if (st == GS_OK)
        st = gs_thread_start(&p->thread, GS_THREAD_POWER, watch, p, err);
    p->has_thread = st == GS_OK;
    if (st != GS_OK) {
        gs_switch_power_stop(p);
        return st;
    }
    *out_p = p;
    return GS_OK;
}

unsigned gs_switch_power_state(const struct gs_switch_power *p)
{
    return p ? atomic_load(&p->state) : 0;
}

void gs_switch_power_stop(struct gs_switch_power *p)
{
    if (!p)
        return;
    if (p->has_thread) {
        gs_queue_close(p->end);
        pthread_join(p->thread, NULL);
    }
    gs_queue_free(p->end);
    gs_free(p);
}
