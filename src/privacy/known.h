/* Secrets that were found once, looked for wherever they stand. */
#ifndef GS_PRIVACY_KNOWN_H
#define GS_PRIVACY_KNOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "privacy/scan.h"

#define GS_PRIVACY_KNOWN_MIN 8 /* bytes: less stands in too many other words */
#define GS_PRIVACY_KNOWN_MAX 512

struct gs_privacy_known_item {
    struct gs_slice value;
    size_t parent; /* the longest other one that this begins with, or SIZE_MAX */
    enum gs_detector detector;
};

struct gs_privacy_known {
    struct gs_privacy_known_item *items; /* sorted by their bytes */
    size_t n;
    uint32_t heads[2048]; /* bits: eight bytes that none begins with are told at once */
};

/* May a value be looked for? Not a single word, which structure and sentences have as well. */
bool gs_privacy_is_known_form(struct gs_slice value);
/* Takes `items`, which are in any order, and sorts them; the caller releases them. */
void gs_privacy_known_init(struct gs_privacy_known *k, struct gs_privacy_known_item *items,
                           size_t n);
/* Append what `text` has of them to `hits`, the longest at each place. */
void gs_privacy_known_find(const struct gs_privacy_known *k, struct gs_slice text,
                           struct gs_buf *hits);

#endif
