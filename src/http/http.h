/* HTTP/1.1 server: whole requests in, answers out, whole or streamed. Knows nothing of what is
 * asked; every refusal of its own is worded by the handler, so that it speaks the client's API.
 *
 * thread: everything here belongs to the loop. */
#ifndef GS_HTTP_HTTP_H
#define GS_HTTP_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "genset/slice.h"
#include "genset/status.h"
#include "http/parse.h"

struct gs_http_loop;
struct gs_http_server;
/* One request and its answer; valid from on_request until it is answered, broken or gone. */
struct gs_http_request;

struct gs_http_handler {
    void *ud;
    /* A whole request. Answer it now or later; its body is there during the call only. */
    void (*on_request)(void *ud, struct gs_http_request *r);
    /* A request refused with `status` by this room: answer it now, with gs_http_respond(). Its path
     * may be empty and it has no body. */
    void (*on_refuse)(void *ud, struct gs_http_request *r, int status, const struct gs_error *err);
    /* Whether the body that follows this head is wanted in pieces, however long it is: on_request
     * then comes before it. May be NULL. */
    bool (*wants_pieces)(void *ud, const struct gs_http_head *head);
};

struct gs_http_options {
    const char *host;     /* IP address or "localhost" */
    int port;             /* 0 = any free one */
    const char *tls_cert; /* files in PEM form; both, or neither for plain HTTP */
    const char *tls_key;
    size_t max_head_bytes;
    size_t max_body_bytes;
    size_t max_bodies_bytes; /* of all requests being received together */
    size_t max_connections;  /* and one that waits */
    int64_t idle_ms;         /* between requests */
    int64_t head_ms; /* for the first byte of the first, after which TLS has been agreed on, and for
                      * a whole head from there */
    int64_t body_ms; /* between two pieces of a body */
    int64_t write_ms;  /* with output waiting that the client does not read */
    int64_t linger_ms; /* after the last answer, for the client to close */
    struct gs_http_handler handler;
};

/* Sensible limits, 127.0.0.1, any port. */
void gs_http_options_init(struct gs_http_options *opt);

/* Whether `host` is this machine only. errors: GS_EINVAL if it is no address. */
GS_MUST_CHECK enum gs_status gs_http_is_loopback(const char *host, bool *out_loopback,
                                                 struct gs_error *err);

/* Bind and listen. errors: GS_EINVAL, GS_EIO (port in use), GS_ENOMEM; GS_ENOTFOUND, GS_EFORMAT of
 * the files for TLS. */
GS_MUST_CHECK enum gs_status gs_http_server_create(struct gs_http_loop *loop,
                                                   const struct gs_http_options *opt,
                                                   struct gs_http_server **out_s,
                                                   struct gs_error *err);
int gs_http_server_port(const struct gs_http_server *s);
/* Accept no more, close idle connections, and each other one after its answer. */
void gs_http_server_drain(struct gs_http_server *s);
size_t gs_http_server_connections(const struct gs_http_server *s);
/* Drops every connection (on_gone is called). NULL is allowed. */
void gs_http_server_free(struct gs_http_server *s);

/* ---- requests ---- */

const struct gs_http_head *gs_http_request_head(const struct gs_http_request *r);
struct gs_slice gs_http_request_body(const struct gs_http_request *r);
/* Move the body out, to be read after on_request. It counts among the bodies being received until
 * it is given to gs_http_server_drop_body(). */
void gs_http_request_take_body(struct gs_http_request *r, struct gs_buf *out_body);
void gs_http_server_drop_body(struct gs_http_server *s, struct gs_buf *body);

/* Receive a body in pieces; called in on_request. `on_piece` gets them in their order, the last one
 * perhaps empty; false: no more until gs_http_request_more(). A request that is answered before its
 * last piece is the last of its connection. */
void gs_http_request_receive(struct gs_http_request *r,
                             bool (*on_piece)(void *ud, struct gs_slice piece, bool is_last),
                             void *ud);
void gs_http_request_more(struct gs_http_request *r);

/* Who wants to know that the client went before the answer ended (r is invalid from then on), and
 * that the output waiting fell to GS_HTTP_LOW_BYTES. Both may be NULL. */
void gs_http_request_watch(struct gs_http_request *r, void (*on_gone)(void *ud),
                           void (*on_drain)(void *ud), void *ud);

/* Who keeps what is answered, beside what leaves. With it an answer may outlive its client: nobody
 * is called gone then, and what is written is kept alone, until it ends or is dropped. */
struct gs_http_tap {
    void *ud;
    void (*on_header)(void *ud, const char *name, struct gs_slice value);
    void (*on_head)(void *ud, int status, const char *type, bool is_stream);
    void (*on_bytes)(void *ud, struct gs_slice bytes);
    /* The last word; not clean: it was broken or dropped. */
    void (*on_end)(void *ud, bool is_clean);
    bool (*on_left)(void *ud); /* the client has; false: so the answer is to end */
};
/* Within on_request, before anything is answered. */
void gs_http_request_tap(struct gs_http_request *r, const struct gs_http_tap *tap);
/* End it as if its client left now. Not within the tap. */
void gs_http_request_drop(struct gs_http_request *r);

/* ---- answers ---- */

#define GS_HTTP_HIGH_BYTES ((size_t)256 << 10) /* output waiting at which writers should pause */
#define GS_HTTP_LOW_BYTES  ((size_t)64 << 10)  /* and at which they are called to go on */

/* A header line of the answer to come. Bytes of the value that are not printable ASCII become '?',
 * so that nobody can put a line of his own between ours. */
void gs_http_header(struct gs_http_request *r, const char *name, struct gs_slice value);
/* The whole answer; r is invalid afterwards. `type` may be NULL when body is empty. */
void gs_http_respond(struct gs_http_request *r, int status, const char *type, struct gs_slice body);

/* A streamed answer: the head leaves at once. */
void gs_http_stream_begin(struct gs_http_request *r, int status, const char *type);
void gs_http_stream_write(struct gs_http_request *r, struct gs_slice bytes);
size_t gs_http_stream_waiting_bytes(const struct gs_http_request *r);
/* The clean end; r is invalid afterwards. */
void gs_http_stream_end(struct gs_http_request *r);
/* An end the client cannot take for a clean one: what was written is delivered and the connection
 * closed without the last chunk; or, if `reset`, it is reset and what waits is lost. r is invalid
 * afterwards. */
void gs_http_stream_break(struct gs_http_request *r, bool reset);

#endif
