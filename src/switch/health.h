/* Whether an answer that comes is still one: it may drip, or repeat itself for ever. Pure. */
#ifndef GS_SWITCH_HEALTH_H
#define GS_SWITCH_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "genset/slice.h"

#define GS_HEALTH_LEAST      4     /* bytes a second: slower than anybody reads */
#define GS_HEALTH_PERIOD     512   /* bytes that may repeat, at most */
#define GS_HEALTH_LOOP_BYTES 16384 /* of nothing but repetition make a loop */

/* Zero is the beginning of an answer. */
struct gs_health {
    int64_t window_us; /* when the window began */
    size_t n_window;   /* bytes in it */
    bool was_slow;     /* the window before it was */
    char tail[GS_HEALTH_PERIOD];
    size_t n_bytes; /* all so far; tail is a ring */
    size_t period;  /* of the repetition that goes on; 0: none */
    size_t n_same;  /* bytes of it */
};

/* More text came. */
void gs_health_note(struct gs_health *h, struct gs_slice text, int64_t now_us);
/* Two windows of next to nothing. 0: nothing is too slow. */
bool gs_health_is_slow(struct gs_health *h, int64_t window_us, int64_t now_us);
bool gs_health_is_loop(const struct gs_health *h);

#endif
