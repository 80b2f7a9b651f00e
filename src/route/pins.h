/* Conversations of which something must not leave this machine: what was seen once in one of them
 * holds for all that follows in it, also where a client has cut it out of the history since.
 *
 * A conversation is a hash, with a seed that clients do not know, of what identifies it. A table of
 * fixed size: where too many are pinned, those that were not asked about for longest are forgotten;
 * what is still in their history is then found again by the detectors.
 *
 * thread: one at a time. */
#ifndef GS_ROUTE_PINS_H
#define GS_ROUTE_PINS_H

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "config/routes.h"

#define GS_PINS_MAX 16384 /* conversations */

struct gs_pins;

/* NULL: no memory. */
GS_MUST_CHECK struct gs_pins *gs_pins_create(void);
void gs_pins_free(struct gs_pins *p); /* NULL is allowed */
/* The stricter of `privacy` and what the conversation was pinned to, which it is pinned to from now
 * on. GS_PRIVACY_ANY only asks. `talk` 0 is nobody's: nothing is kept. */
enum gs_privacy gs_pins_hold(struct gs_pins *p, uint64_t talk, enum gs_privacy privacy);

#endif
