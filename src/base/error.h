/* Filling the error object. The function that detects an error writes it once; callers pass it up,
 * at most with a prefix. `err` may be NULL everywhere. */
#ifndef GS_BASE_ERROR_H
#define GS_BASE_ERROR_H

#include "base/compiler.h"
#include "genset/slice.h"
#include "genset/status.h"

/* Set code and message; return the code, so that `return gs_error_set(err, GS_EIO, ...)` works. */
enum gs_status gs_error_set(struct gs_error *err, enum gs_status st, const char *fmt, ...)
    GS_PRINTF(3, 4);
/* The same, with ": " and strerror(errnum) at the end. */
enum gs_status gs_error_errno(struct gs_error *err, enum gs_status st, int errnum, const char *fmt,
                              ...) GS_PRINTF(4, 5);
/* GS_ENOMEM while `doing`: "not enough memory to %s". */
enum gs_status gs_error_nomem(struct gs_error *err, const char *doing);
/* Put "fmt: " before the message. */
void gs_error_prefix(struct gs_error *err, const char *fmt, ...) GS_PRINTF(2, 3);
/* A sentence with the remedy. */
void gs_error_hint(struct gs_error *err, const char *fmt, ...) GS_PRINTF(2, 3);
void gs_error_pos(struct gs_error *err, const char *source, int line, int col);
/* Line and column (from 1) of byte `off` in `text`; columns count characters. */
void gs_error_pos_in(struct gs_error *err, const char *source, struct gs_slice text, size_t off);
void gs_error_amounts(struct gs_error *err, long long needed, long long available);

#endif
