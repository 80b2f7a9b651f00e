/* "x-genset-privacy: redact": what a client says of its own request, which makes its class
 * stricter, never looser; and what it is told of it, "redact; email=2". */
#include "base/error.h"
#include "base/limits.h"
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

void gs_server_privacy_tell(struct gs_http_request *r, const struct gs_switch_call *call)
{
    struct gs_switch_outcome of;
    struct gs_buf b;

    gs_switch_call_outcome(call, &of);
    if (of.privacy == GS_PRIVACY_ANY)
        return;
    gs_buf_init(&b, GS_KIB);
    gs_buf_puts(&b, gs_switch_privacy_word(of.privacy));
    gs_buf_puts(&b, of.found.len ? "; " : "");
    for (size_t i = 0; i < of.found.len; i++) /* "email 2, api-key 1" */
        gs_buf_putc(&b, i > 0 && of.found.ptr[i] == ' ' && of.found.ptr[i - 1] != ','
                            ? '='
                            : of.found.ptr[i]);
    gs_http_header(r, "x-genset-privacy", gs_buf_view(&b));
    gs_buf_clear(&b);
}
