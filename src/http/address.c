#include "http/address.h"

#include <string.h>

#include <event2/util.h>

#include "base/error.h"
#include "http/http.h"

enum gs_status gs_http_address_parse(const char *host, int port, union gs_http_address *out,
                                     socklen_t *out_len, struct gs_error *err)
{
    union gs_http_address a = {0};

    if (port < 0 || port > 65535)
        return gs_error_set(err, GS_EINVAL, "port: expected 0 to 65535, found %d", port);
    if (strcmp(host, "localhost") == 0)
        host = "127.0.0.1";
    if (evutil_inet_pton(AF_INET, host, &a.v4.sin_addr) == 1) {
        a.v4.sin_family = AF_INET;
        a.v4.sin_port = htons((uint16_t)port);
        *out_len = sizeof(a.v4);
    } else if (evutil_inet_pton(AF_INET6, host, &a.v6.sin6_addr) == 1) {
        a.v6.sin6_family = AF_INET6;
        a.v6.sin6_port = htons((uint16_t)port);
        *out_len = sizeof(a.v6);
    } else {
        gs_error_set(err, GS_EINVAL, "listen address: \"%s\" is no IP address", host);
        gs_error_hint(err, "Write an address such as 127.0.0.1, 0.0.0.0 or ::1, or localhost.");
        return GS_EINVAL;
    }
    *out = a;
    return GS_OK;
}

enum gs_status gs_http_is_loopback(const char *host, bool *out_loopback, struct gs_error *err)
{
    union gs_http_address a;
    socklen_t len;
    const enum gs_status st = gs_http_address_parse(host, 0, &a, &len, err);

    if (st != GS_OK)
        return st;
    *out_loopback = a.any.sa_family == AF_INET ? ntohl(a.v4.sin_addr.s_addr) >> 24 == 127
                                               : IN6_IS_ADDR_LOOPBACK(&a.v6.sin6_addr);
    return GS_OK;
}
