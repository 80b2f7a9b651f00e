/* printf() into memory. A request writes some thirty short texts (ids, what its trace and the log
 * tell of it), and libc takes a thousand instructions for each. */
#ifndef GS_BASE_FORMAT_H
#define GS_BASE_FORMAT_H

#include <stdarg.h>
#include <stddef.h>

#include "base/compiler.h"

/* As snprintf() and vsnprintf(), in half the time for strings and whole numbers; a format
 * that has something else in it goes to libc. */
int gs_format(char *out, size_t cap, const char *fmt, ...) GS_PRINTF(3, 4);
int gs_format_list(char *out, size_t cap, const char *fmt, va_list list) GS_PRINTF(3, 0);

#endif
