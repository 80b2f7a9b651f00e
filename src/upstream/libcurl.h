/* libcurl, loaded when somebody first needs it: it and the thirty libraries that it needs cost 4 MB
 * of memory and as many milliseconds, and who runs models on this machine only has no use for them.
 * Its functions are called by their names, through the table. */
#ifndef GS_UPSTREAM_LIBCURL_H
#define GS_UPSTREAM_LIBCURL_H

#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

#include "base/compiler.h"
#include "genset/status.h"

#undef curl_easy_setopt /* macros for compilers that must not see the functions */
#undef curl_easy_getinfo
#undef curl_multi_setopt
#undef curl_share_setopt

#define GS_UPSTREAM_LIBCURL_MAP(X)                                                                 \
    X(easy_cleanup)                                                                                \
    X(easy_getinfo)                                                                                \
    X(easy_init)                                                                                   \
    X(easy_pause)                                                                                  \
    X(easy_setopt)                                                                                 \
    X(easy_strerror)                                                                               \
    X(free)                                                                                        \
    X(global_cleanup)                                                                              \
    X(global_init)                                                                                 \
    X(multi_add_handle)                                                                            \
    X(multi_assign)                                                                                \
    X(multi_cleanup)                                                                               \
    X(multi_info_read)                                                                             \
    X(multi_init)                                                                                  \
    X(multi_remove_handle)                                                                         \
    X(multi_setopt)                                                                                \
    X(multi_socket_action)                                                                         \
    X(share_cleanup)                                                                               \
    X(share_init)                                                                                  \
    X(share_setopt)                                                                                \
    X(url)                                                                                         \
    X(url_cleanup)                                                                                 \
    X(url_get)                                                                                     \
    X(url_set)                                                                                     \
    X(version_info)

struct gs_upstream_libcurl {
#define GS_UPSTREAM_LIBCURL_FIELD(name) GS_TYPEOF(curl_##name) * name;
    GS_UPSTREAM_LIBCURL_MAP(GS_UPSTREAM_LIBCURL_FIELD)
#undef GS_UPSTREAM_LIBCURL_FIELD
};

/* Load it, for good, and initialise it once more. errors: GS_ENOTFOUND, GS_EINTERNAL. */
GS_MUST_CHECK enum gs_status gs_upstream_libcurl_load(struct gs_upstream_libcurl *out_curl,
                                                      struct gs_error *err);

#endif
