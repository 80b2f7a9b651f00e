/* Two fake providers in two places, for all tests of a file. */
#ifndef GS_TESTS_TWO_FAKES_H
#define GS_TESTS_TWO_FAKES_H

#include "base/slice.h"
#include "fault/fake_provider.h"

static struct fake_provider *one, *two;

static inline int start_fakes(void **state)
{
    (void)state;
    one = fake_provider_start(&(struct fake_provider_options){.place = 0});
    two = fake_provider_start(&(struct fake_provider_options){.place = 1});
    return one && two ? 0 : -1;
}

static inline int stop_fakes(void **state)
{
    (void)state;
    fake_provider_stop(one);
    fake_provider_stop(two);
    return 0;
}

/* Whether it was told this, in a head or a body. */
static inline bool has_got(struct fake_provider *p, const char *what)
{
    struct gs_slice head, body;

    for (size_t i = 0; fake_provider_request(p, i, &head, &body); i++)
        if (gs_slice_find(head, gs_slice_str(what), 0) != SIZE_MAX ||
            gs_slice_find(body, gs_slice_str(what), 0) != SIZE_MAX)
            return true;
    return false;
}

#endif
