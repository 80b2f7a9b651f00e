/* A borrowed run of bytes: pointer and length, not zero-terminated. */
#ifndef GENSET_SLICE_H
#define GENSET_SLICE_H

#include <stddef.h>

struct gs_slice {
    const char *ptr; /* may be NULL when len is 0 */
    size_t len;      /* bytes */
};

#endif
