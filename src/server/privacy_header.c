/* What a client says of its own request: "x-genset-privacy: redact". It makes a route's class
 * stricter, never looser. */
#include "base/error.h"
#include "base/slice.h"
#include "server/state.h"

bool gs_server_privacy_read(const struct gs_http_head *head, enum gs_privacy *out_privacy,
                            struct gs_error *err)
{
    static const char *const words[] = {"any", "redact", "local-only"}; /* as of the enum */
    enum gs_privacy privacy = GS_PRIVACY_ANY;

    for (size_t i = 0; i < head->n_fields; i++) {
        const struct gs_http_field *f = &head->fields[i];
        size_t w = 0;
        if (!gs_http_name_eq(f->name, "x-genset-privacy"))
            continue;
        while (w < GS_COUNT_OF(words) && !gs_http_name_eq(gs_slice_trim(f->value), words[w]))
            w++;
        if (w == GS_COUNT_OF(words)) {
            gs_error_set(err, GS_EINVAL, "x-genset-privacy: expected any, redact or local-only");
            return false;
        }
        privacy = GS_MAX(privacy, (enum gs_privacy)w);
    }
    *out_privacy = privacy;
    return true;
}
