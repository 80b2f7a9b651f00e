/* Addresses as numbers, private to http/: no name service, for which a loop would wait. */
#ifndef GS_HTTP_ADDRESS_H
#define GS_HTTP_ADDRESS_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/compiler.h"
#include "genset/status.h"

union gs_http_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* An IP address or "localhost", with a port. errors: GS_EINVAL. */
GS_MUST_CHECK enum gs_status gs_http_address_parse(const char *host, int port,
                                                   union gs_http_address *out, socklen_t *out_len,
                                                   struct gs_error *err);

#endif
