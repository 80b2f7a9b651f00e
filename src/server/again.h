/* Requests that are sent again. A client that names its request by an idempotency-key, and sends it
 * once more because the connection broke or took too long, gets the answer that is being given,
 * from its first byte, or that was given minutes ago: nobody is asked, or paid, twice.
 *
 *     the first  ---> exchange ---> kept answer ---> its client, if it is still there
 *     the second -------------------^     '---> and every other
 *
 * Kept is what was said, in memory, for a while; an answer that failed is not. Who came first and
 * has gone is waited for a little, and not at all without a key. */
#ifndef GS_SERVER_AGAIN_H
#define GS_SERVER_AGAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "genset/status.h"

struct gs_http_request;
struct gs_http_timer;
struct gs_server;
struct gs_server_kept;

struct gs_server_again {
    struct gs_server_kept *newest, *oldest;
    size_t n, n_bytes;
    uint64_t seed;
    struct gs_http_timer *timer; /* the next that is due to be forgotten */
};

/* errors: GS_ENOMEM. */
GS_MUST_CHECK enum gs_status gs_server_again_start(struct gs_server *s, struct gs_error *err);
/* Once no request is left. */
void gs_server_again_stop(struct gs_server *s);

/* From now on nobody is waited for. */
void gs_server_again_drain(struct gs_server *s);

/* In on_request. True: `r` was sent before, to `path`, by the same client, and is answered from
 * here. False: it is to be answered, and if it has a key its answer is kept. */
GS_MUST_CHECK bool gs_server_again_join(struct gs_server *s, struct gs_http_request *r,
                                        const char *path, const char *id);
/* The answer to `r` is an error, whatever it looks like: whoever asks again is to be answered anew.
 */
void gs_server_again_fail(struct gs_server *s, const struct gs_http_request *r);

#endif
