/* Answers kept for requests that name them or build on them: in memory, the latest ones. Private
 * to server/.
 *
 * Records stand in the order of their last use; when there are too many, the last is dropped.
 * Whoever finds a record has found or will find those it builds on after it, and keep() does the
 * same: so none is older than one that builds on it, and no conversation loses its beginning
 * before its end.
 *
 * thread: any; long requests are read beside the loop (body_reader.c). */
#ifndef GS_SERVER_RESPONSES_H
#define GS_SERVER_RESPONSES_H

#include <pthread.h>

#include "dialect/dialect.h"

#define GS_SERVER_RESPONSES_BUCKETS 256

struct gs_server_kept;

struct gs_server_responses {
    struct gs_dialect_store store; /* this, for dialects */
    pthread_mutex_t lock;          /* guards everything below */
    struct gs_server_kept *buckets[GS_SERVER_RESPONSES_BUCKETS];
    struct gs_server_kept *first, *last; /* by last use */
    size_t n, bytes;
    size_t max_n, max_bytes;
    uint64_t seed;
};

void gs_server_responses_init(struct gs_server_responses *rs, size_t max_n, size_t max_bytes);
void gs_server_responses_clear(struct gs_server_responses *rs);
/* False: it is not there. */
bool gs_server_responses_drop(struct gs_server_responses *rs, struct gs_slice id);

#endif
