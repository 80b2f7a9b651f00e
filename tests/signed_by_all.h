/* Whoever is asked signed everything. */
#ifndef GS_TESTS_SIGNED_BY_ALL_H
#define GS_TESTS_SIGNED_BY_ALL_H

#include "dialect/client.h"

static bool signed_by_all(void *ud, struct gs_slice signature, struct gs_slice *out_theirs)
{
    (void)ud;
    *out_theirs = signature;
    return true;
}

#endif
