/* One request, blocking: how a program asks a server of this machine. */
#ifndef GS_HTTP_ASK_H
#define GS_HTTP_ASK_H

#include <stdint.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "genset/status.h"

struct gs_http_question {
    const char *host; /* IP address or "localhost" */
    int port;
    const char *path;     /* as it is sent: "/v1/models" */
    const char *json;     /* POSTed; NULL: GET */
    const char *key;      /* sent as a bearer's, or NULL */
    const char *tls_cert; /* HTTPS, with whoever shows the certificate in this file, or NULL */
    int64_t timeout_ms;   /* for all of it */
};

/* Append the body of the answer to `body`, and give its status.
 * errors: GS_ENOTFOUND (nobody listens there), GS_EBUSY (no answer in time), GS_EFORMAT (what
 *         answered is no HTTP), GS_EINVAL, GS_EIO, GS_ENOMEM. */
GS_MUST_CHECK enum gs_status gs_http_ask(const struct gs_http_question *q, int *out_status,
                                         struct gs_buf *body, struct gs_error *err);

#endif
