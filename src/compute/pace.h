/* How many lanes pay, when other programs use the processors too.
 *
 * A step is as slow as its slowest lane. A lane whose processor is shared with a busy neighbour is
 * descheduled for milliseconds, while a barrier comes every few dozen microseconds; one lane less
 * is then often faster. So whenever lanes wait long for one another a step is tried with fewer of
 * them, and now and then with more again; whichever is faster stays. Results do not depend on the
 * number of lanes. */
#ifndef GS_COMPUTE_PACE_H
#define GS_COMPUTE_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gs_pace {
    int lanes; /* for the next step */
    int most;

    /* the steps of one cost that are being added up */
    size_t cost;
    int64_t n_steps, took_us, late_us;

    bool on_trial;
    int lanes_before; /* the trial, and how long a step took then */
    double us_before;

    int64_t clock_us;                /* time spent in steps */
    int64_t fewer_at_us, more_at_us; /* not to try again before */
    int64_t fewer_gap_us, more_gap_us;
};

void gs_pace_init(struct gs_pace *p, int most_lanes);

/* A step was made with p->lanes lanes. cost: steps of one cost would take as long as each other if
 * nothing was in the way. late_us: of took_us, how long lanes lay waiting for others that were
 * late. Sets p->lanes anew. */
void gs_pace_step(struct gs_pace *p, size_t cost, int64_t took_us, int64_t late_us);

#endif
