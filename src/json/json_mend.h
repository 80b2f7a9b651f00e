/* What clients send that is JSON and yet refused by jansson. Private to json/. */
#ifndef GS_JSON_JSON_MEND_H
#define GS_JSON_JSON_MEND_H

#include <stdbool.h>

#include "base/buf.h"

/* Append to `out` the document with whole numbers beyond int64 written as reals (".0" appended)
 * and lone surrogate escapes (JavaScript strings may hold them) written as "\ufffd". Returns
 * whether anything changed; check gs_buf_ok(out) too. */
bool gs_json_mend(struct gs_slice text, struct gs_buf *out);

#endif
