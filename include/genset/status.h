/* Result codes and the error object: every fallible genset function returns an enum gs_status
 * and fills the optional struct gs_error that is its last argument. */
#ifndef GENSET_STATUS_H
#define GENSET_STATUS_H

#if defined(__GNUC__)
#define GS_API        __attribute__((visibility("default")))
#define GS_MUST_CHECK __attribute__((warn_unused_result))
#else
#define GS_API
#define GS_MUST_CHECK
#endif

/* X(code, value, meaning). The meaning is what gs_status_text() returns. */
#define GS_STATUS_MAP(X)                                                                           \
    X(GS_OK, 0, "ok")                                                                              \
    X(GS_EINVAL, -1, "invalid argument or request")                                                \
    X(GS_ENOMEM, -2, "not enough memory")                                                          \
    X(GS_EIO, -3, "input or output failed")                                                        \
    X(GS_EFORMAT, -4, "malformed data")                                                            \
    X(GS_EUNSUPPORTED, -5, "not supported")                                                        \
    X(GS_ENOTFOUND, -6, "not found")                                                               \
    X(GS_ECONTEXT, -7, "prompt does not fit the context")                                          \
    X(GS_ELIMIT, -8, "limit exceeded")                                                             \
    X(GS_EBUSY, -9, "too busy")                                                                    \
    X(GS_ECANCELLED, -10, "cancelled")                                                             \
    X(GS_ETEMPLATE, -11, "chat template failed")                                                   \
    X(GS_ECONFIG, -12, "configuration error")                                                      \
    X(GS_EINTERNAL, -13, "internal error")                                                         \
    X(GS_EUPSTREAM, -14, "another computer failed")                                                \
    X(GS_EDENIED, -15, "the key is not accepted")

enum gs_status {
#define GS_STATUS_ENUM(code, value, text) code = value,
    GS_STATUS_MAP(GS_STATUS_ENUM)
#undef GS_STATUS_ENUM
};

#define GS_ERROR_MSG_BYTES    512
#define GS_ERROR_HINT_BYTES   256
#define GS_ERROR_SOURCE_BYTES 128

/* What went wrong, where, and what to do about it. Embedded by value; zero means "no error".
 * `line` and `col` count from 1; 0 means the error has no position. */
struct gs_error {
    enum gs_status code;
    int line;
    int col;
    long long needed;    /* GS_ECONTEXT, GS_ENOMEM, GS_ELIMIT: amount asked for; GS_EBUSY,
                            GS_EUPSTREAM: seconds until it is worth another try, if they are
                            known; else 0 */
    long long available; /* and the amount there is */
    char source[GS_ERROR_SOURCE_BYTES]; /* file, template or stream the position refers to */
    char msg[GS_ERROR_MSG_BYTES];       /* lower case, no full stop */
    char hint[GS_ERROR_HINT_BYTES];     /* a full sentence with the remedy, or empty */
};

/* One-line meaning of a code; never NULL. */
GS_API const char *gs_status_text(enum gs_status st);

#endif
