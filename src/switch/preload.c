/* The client of other computers is loaded beside the loop when somebody is asked first: its library
 * and all that it needs take milliseconds, in which no answer would go on, and 6 MB. */
#include "base/thread.h"
#include "switch/switch_call.h"

static void load(void *arg)
{
    struct gs_switch_loader *l = arg;
    const enum gs_status st = gs_upstream_load(NULL);

    (void)st; /* whoever asks finds out why */
    atomic_store(&l->is_done, true);
}

bool gs_switch_load(struct gs_switch *sw)
{
    struct gs_switch_loader *l = &sw->loader;

    if (!l->has_begun) {
        l->has_begun = true;
        l->has_thread = gs_thread_start(&l->thread, GS_THREAD_LOADER, load, l, NULL) == GS_OK;
        if (!l->has_thread)
            atomic_store(&l->is_done, true);
    }
    return atomic_load(&l->is_done);
}

void gs_switch_loader_clear(struct gs_switch *sw)
{
    if (sw->loader.has_thread)
        pthread_join(sw->loader.thread, NULL);
    sw->loader.has_thread = false;
}
