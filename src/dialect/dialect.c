/* What all dialects agree on. */
#include "dialect/dialect.h"

int gs_dialect_status(const struct gs_dialect *d, const struct gs_error *err)
{
    switch (err->code) {
    case GS_EINVAL:
    case GS_EFORMAT:
    case GS_EUNSUPPORTED:
    case GS_ECONTEXT:
    case GS_ETEMPLATE:
        return 400;
    case GS_EDENIED:
        return 401;
    case GS_ENOTFOUND:
        return 404;
    case GS_ELIMIT:
        return 413;
    case GS_ENOMEM: /* with amounts it will never fit; else another answer's end may make room */
        return err->needed > 0 ? 400 : d->overload_status;
    case GS_EBUSY:
    case GS_ECANCELLED:
        return d->overload_status;
    case GS_EUPSTREAM:
        return 502;
    case GS_OK:
    case GS_EIO:
    case GS_ECONFIG:
    case GS_EINTERNAL:
        break;
    }
    return 500;
}
