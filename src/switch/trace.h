/* What happened to the latest requests, step by step, for whoever asks: a ring of stories. Never
 * what was said. */
#ifndef GS_SWITCH_TRACE_H
#define GS_SWITCH_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "genset/slice.h"

#define GS_TRACE_KEPT      256  /* stories */
#define GS_TRACE_MAX_BYTES 8192 /* of one; what happens then is not told */
#define GS_TRACE_ID_BYTES  64

struct gs_trace_ring {
    struct gs_trace_story {
        char id[GS_TRACE_ID_BYTES];
        uint64_t serial;
        int64_t at_us; /* monotonic */
        int64_t wall_us;
        struct gs_buf spans;
    } stories[GS_TRACE_KEPT];
    uint64_t n; /* begun so far */
};

/* A story in the ring, as long as it is there. */
struct gs_trace {
    struct gs_trace_ring *ring;
    uint64_t serial; /* 0: none */
};

void gs_trace_clear(struct gs_trace_ring *ring);
/* The oldest one goes. `ring` may be NULL. */
struct gs_trace gs_trace_begin(struct gs_trace_ring *ring, struct gs_slice id);
/* Add a step: one word for what it is, and what there is to say of it. */
void gs_trace_span(struct gs_trace t, const char *what, const char *fmt, ...) GS_PRINTF(3, 4);
/* The latest whose id begins so: {"id":...,"at":...,"spans":[{"at_us":...,"what":...,"detail":...},
 * ...]}; at_us counts from `at`. False: it is not there (any more). */
GS_MUST_CHECK bool gs_trace_write(const struct gs_trace_ring *ring, struct gs_slice id,
                                  struct gs_buf *b);

#endif
