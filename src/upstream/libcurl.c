/* The library stays loaded: its threads may outlive those who asked for a name. */
#include "upstream/libcurl.h"

#include <dlfcn.h>
#include <string.h>

#include "base/error.h"

#define LIBRARY "libcurl.so.4"

enum gs_status gs_upstream_libcurl_load(struct gs_upstream_libcurl *out_curl, struct gs_error *err)
{
    struct gs_upstream_libcurl curl;
    void *const lib = dlopen(LIBRARY, RTLD_LAZY | RTLD_LOCAL);

    if (!lib) {
        gs_error_set(err, GS_ENOTFOUND, "could not load " LIBRARY ": %s", dlerror());
        gs_error_hint(err, "Requests to other computers need libcurl: install libcurl4.");
        return GS_ENOTFOUND;
    }
    /* a pointer to data is how functions are found, too: POSIX, dlsym() */
#define FIND(name)                                                                                 \
    {                                                                                              \
        void *const at = dlsym(lib, "curl_" #name);                                                \
        if (!at)                                                                                   \
            return gs_error_set(err, GS_ENOTFOUND, LIBRARY " has no curl_" #name);                 \
        memcpy(&curl.name, &at, sizeof(at));                                                       \
    }
    GS_UPSTREAM_LIBCURL_MAP(FIND)
#undef FIND
    if (curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return gs_error_set(err, GS_EINTERNAL, "libcurl could not be initialised");
    *out_curl = curl;
    return GS_OK;
}
