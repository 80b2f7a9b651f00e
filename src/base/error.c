/* The error object: formatted in place, never allocated, so that out-of-memory can be told too. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *gs_status_text(enum gs_status st)
{
    switch (st) {
#define CASE(code, value, text)                                                                    \
    case code:                                                                                     \
        return text;
        GS_STATUS_MAP(CASE)
#undef CASE
    }
    return "unknown status";
}

enum gs_status gs_error_set(struct gs_error *err, enum gs_status st, const char *fmt, ...)
{
    va_list ap;

    if (!err)
        return st;
    *err = (struct gs_error){.code = st};
    va_start(ap, fmt);
    vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
    va_end(ap);
    return st;
}

enum gs_status gs_error_errno(struct gs_error *err, enum gs_status st, int errnum, const char *fmt,
                              ...)
{
    va_list ap;

    if (!err)
        return st;
    *err = (struct gs_error){.code = st};
    va_start(ap, fmt);
    vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
    va_end(ap);

    const size_t len = strlen(err->msg);
    char text[128];
    if (strerror_r(errnum, text, sizeof(text)) == 0) /* the POSIX form */
        snprintf(err->msg + len, sizeof(err->msg) - len, ": %s", text);
    return st;
}

enum gs_status gs_error_nomem(struct gs_error *err, const char *doing)
{
    return gs_error_set(err, GS_ENOMEM, "not enough memory to %s", doing);
}

void gs_error_prefix(struct gs_error *err, const char *fmt, ...)
{
    char old[GS_ERROR_MSG_BYTES];
    va_list ap;

    if (!err)
        return;
    memcpy(old, err->msg, sizeof(old));
    va_start(ap, fmt);
    vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
    va_end(ap);

    const size_t len = strlen(err->msg);
    snprintf(err->msg + len, sizeof(err->msg) - len, ": %s", old);
}

void gs_error_hint(struct gs_error *err, const char *fmt, ...)
{
    va_list ap;

    if (!err)
        return;
    va_start(ap, fmt);
    vsnprintf(err->hint, sizeof(err->hint), fmt, ap);
    va_end(ap);
}

void gs_error_pos(struct gs_error *err, const char *source, int line, int col)
{
    if (!err)
        return;
    snprintf(err->source, sizeof(err->source), "%s", source ? source : "");
    err->line = line;
    err->col = col;
}

void gs_error_pos_in(struct gs_error *err, const char *source, struct gs_slice text, size_t off)
{
    int line = 1;
    int col = 1;

    for (size_t i = 0; i < off && i < text.len; i++) {
        const unsigned char c = (unsigned char)text.ptr[i];
        if (c == '\n') {
            line++;
            col = 1;
        } else if ((c & 0xC0) != 0x80) {
            col++;
        }
    }
    gs_error_pos(err, source, line, col);
}

void gs_error_amounts(struct gs_error *err, long long needed, long long available)
{
    if (!err)
        return;
    err->needed = needed;
    err->available = available;
}
