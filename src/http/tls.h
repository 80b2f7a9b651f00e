/* TLS of the listening socket: private to http/, the one place that knows OpenSSL's server side. */
#ifndef GS_HTTP_TLS_H
#define GS_HTTP_TLS_H

#include "base/compiler.h"
#include "genset/status.h"

struct bufferevent;
struct event_base;
struct gs_http_tls;

/* The certificate (with those between it and a known authority, leaf first) and its key, in PEM.
 * errors: GS_ENOTFOUND, GS_EIO, GS_EFORMAT (no such thing in the file, a key of something else, a
 *         passphrase, expired), GS_ENOMEM. */
GS_MUST_CHECK enum gs_status gs_http_tls_create(const char *cert_path, const char *key_path,
                                                struct gs_http_tls **out_tls, struct gs_error *err);
void gs_http_tls_free(struct gs_http_tls *tls);

/* The buffered side of an accepted socket, about to shake hands; it closes fd when freed. NULL: no
 * memory, fd stays open. */
struct bufferevent *gs_http_tls_accept(struct gs_http_tls *tls, struct event_base *base, int fd);
/* Everything was written: say that nothing follows. Of no effect without TLS. */
void gs_http_tls_end(struct bufferevent *bev);

#endif
