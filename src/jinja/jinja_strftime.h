/* strftime() in the C locale, for a clock that is UTC. */
#ifndef GS_JINJA_STRFTIME_H
#define GS_JINJA_STRFTIME_H

#include <stdint.h>

#include "base/buf.h"
#include "genset/slice.h"

void gs_jinja_strftime(struct gs_buf *b, struct gs_slice format, int64_t now_us);

#endif
