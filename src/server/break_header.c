/* "x-genset-on-break: error": what a client wants to become of its answer if that breaks off, which
 * makes the route's word stricter, never looser. */
#include "base/error.h"
#include "base/slice.h"
#include "server/state.h"

bool gs_server_break_read(const struct gs_http_head *head, bool *out_ends, struct gs_error *err)
{
    bool ends = false;

    for (size_t i = 0; i < head->n_fields; i++) {
        const struct gs_http_field *f = &head->fields[i];
        if (!gs_http_name_eq(f->name, "x-genset-on-break"))
            continue;
        const struct gs_slice word = gs_slice_trim(f->value);
        const bool is_error = gs_http_name_eq(word, "error");
        if (!is_error && !gs_http_name_eq(word, "continue")) {
            gs_error_set(err, GS_EINVAL, "x-genset-on-break: expected continue or error");
            return false;
        }
        ends = ends || is_error;
    }
    *out_ends = ends;
    return true;
}
