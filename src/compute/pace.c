/* Hill climbing with a growing patience. Time is counted in steps only: while nothing is computed
 * nothing is learnt. */
#include "compute/pace.h"

#include "base/compiler.h"

#define WINDOW_US    50000  /* over which neighbours' time slices average out */
#define LATE_PART    0.15   /* of the time, from which on fewer lanes are tried */
#define GAIN         0.97   /* of the time before, that a trial must keep below */
#define FIRST_GAP_US 200000 /* between trials in one direction; doubles with each that fails */
#define LAST_GAP_US  6400000

static void start_window(struct gs_pace *p)
{
    p->n_steps = p->took_us = p->late_us = 0;
}

void gs_pace_init(struct gs_pace *p, int most_lanes)
{
    *p = (struct gs_pace){
        .lanes = most_lanes,
        .most = most_lanes,
        .fewer_gap_us = FIRST_GAP_US,
        .more_gap_us = FIRST_GAP_US,
    };
}

static void try_lanes(struct gs_pace *p, int lanes, double step_us)
{
    p->on_trial = true;
    p->lanes_before = p->lanes;
    p->us_before = step_us;
    p->lanes = lanes;
}

/* The gap after a trial: short again after success, longer after failure. */
static void set_gap(int64_t *at_us, int64_t *gap_us, int64_t now_us, bool was_good)
{
    *gap_us = was_good ? FIRST_GAP_US : GS_MIN(*gap_us * 2, (int64_t)LAST_GAP_US);
    *at_us = was_good ? now_us : now_us + *gap_us;
}

static void end_trial(struct gs_pace *p, double step_us)
{
    const bool is_good = step_us < GAIN * p->us_before;
    const bool was_fewer = p->lanes < p->lanes_before;

    p->on_trial = false;
    if (was_fewer)
        set_gap(&p->fewer_at_us, &p->fewer_gap_us, p->clock_us, is_good);
    else
        set_gap(&p->more_at_us, &p->more_gap_us, p->clock_us, is_good);
    if (is_good && was_fewer) /* do not come back at once */
        p->more_at_us = p->clock_us + p->more_gap_us;
    if (!is_good)
        p->lanes = p->lanes_before;
}

void gs_pace_step(struct gs_pace *p, size_t cost, int64_t took_us, int64_t late_us)
{
    p->clock_us += took_us;
    if (cost != p->cost) {
        if (p->on_trial) { /* nothing to compare with any more */
            p->on_trial = false;
            p->lanes = p->lanes_before;
        }
        start_window(p);
        p->cost = cost;
        return; /* the first of a kind finds cold caches */
    }
    p->n_steps++;
    p->took_us += took_us;
    p->late_us += late_us;
    if (p->took_us < WINDOW_US)
        return;
    const double step_us = (double)p->took_us / (double)p->n_steps;
    const bool is_late = (double)p->late_us > LATE_PART * (double)p->took_us;
    start_window(p);
    if (p->on_trial)
        end_trial(p, step_us);
    else if (is_late && p->lanes > 1 && p->clock_us >= p->fewer_at_us)
        try_lanes(p, p->lanes * 3 / 4, step_us);
    else if (p->lanes < p->most && p->clock_us >= p->more_at_us)
        try_lanes(p, GS_MIN(p->lanes + GS_MAX(1, p->lanes / 3), p->most), step_us);
}
