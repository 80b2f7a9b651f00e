/* A bounded queue of pointers between threads. Sending moves ownership; a full queue is an answer,
 * not a wait. The receiver may poll the descriptor (eventfd) or block in gs_queue_pop(). */
#ifndef GS_BASE_QUEUE_H
#define GS_BASE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "genset/status.h"

struct gs_queue;

GS_MUST_CHECK enum gs_status gs_queue_create(size_t cap, struct gs_queue **out_q,
                                             struct gs_error *err);
/* Items still inside are not released: drain first. NULL is allowed. */
void gs_queue_free(struct gs_queue *q);

/* false when full or closed: the item stays the caller's. thread: any. */
GS_MUST_CHECK bool gs_queue_push(struct gs_queue *q, void *item);
/* The oldest item, or NULL when empty; never waits. thread: the receiver. */
void *gs_queue_try_pop(struct gs_queue *q);
/* The oldest item, waiting for one; NULL once closed and empty. thread: the receiver. */
void *gs_queue_pop(struct gs_queue *q);
/* The same, until a moment of the monotonic clock: NULL then too, and *out_over tells them apart.
 */
void *gs_queue_pop_until(struct gs_queue *q, int64_t until_us, bool *out_over);
/* Refuse further pushes and wake the receiver. thread: any. */
void gs_queue_close(struct gs_queue *q);
/* Readable while items may be there. The receiver calls gs_queue_try_pop() until NULL, which
 * drains it. */
int gs_queue_fd(const struct gs_queue *q);

#endif
