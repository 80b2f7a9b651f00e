/* When memory is short: a smaller context, and then, where nobody asked for the very model, a
 * smaller model. The local thread's. Private to provider/. */
#ifndef GS_PROVIDER_LOCAL_SHORT_H
#define GS_PROVIDER_LOCAL_SHORT_H

#include "base/compiler.h"
#include "genset/chat.h"

struct gs_local_open;
struct gs_local_opened;

/* What is not as it was to be, in words; empty: all is. */
struct gs_local_short_of {
    char text[256];
};

/* gs_local_open_use() for a chat: of the model it asks for, with a context that holds it, or of one
 * that stands in for it (takes_smaller). *out_of is empty when this is called.
 * errors: also GS_ENOMEM, whose hint names models that would fit. */
GS_MUST_CHECK enum gs_status
gs_local_short_use(struct gs_local_opened *o, const struct gs_chat *chat,
                   struct gs_local_open **out_open, int64_t *out_load_us,
                   struct gs_local_short_of *out_of, struct gs_error *err);

#endif
