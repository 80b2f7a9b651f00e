/* A request as another computer gets it. Private to switch/. */
#ifndef GS_SWITCH_REQUEST_H
#define GS_SWITCH_REQUEST_H

#include "base/arena.h"
#include "base/buf.h"
#include "config/routes.h"
#include "switch/switch.h"
#include "upstream/upstream.h"

struct gs_dialect_client;
struct gs_dialect_turns;

/* How a provider is asked. */
struct gs_switch_way {
    const struct gs_dialect_client *client; /* NULL: what it says is passed on unread */
    bool is_raw;                            /* the client's bytes go there, and its bytes back */
    bool is_whole;                          /* the answer comes in one piece */
    bool is_redacted; /* what is found stays here, and the answer is put together again: even one
                         in the client's own API is spelled anew */
    bool is_own;      /* the client's bytes go there, and what it says is spelled anew */
    const struct gs_dialect_turns *turns; /* is_own: behind those that the request has, or NULL */
};

/* False: it cannot be asked this. `continues`: an answer that broke off is to be gone on with. */
GS_MUST_CHECK bool gs_switch_request_way(const struct gs_config_provider *p,
                                         const struct gs_switch_ask *ask, bool continues,
                                         struct gs_switch_way *out);
/* The credential that would be sent; empty: none is there. */
struct gs_slice gs_switch_request_key(const struct gs_config_provider *p,
                                      const struct gs_switch_ask *ask);
/* Whose signatures go there. */
struct gs_switch_readable {
    bool (*is_theirs)(void *ud, struct gs_slice signature, struct gs_slice *out_theirs);
    void *ud;
};

/* Everything lives in `a`, `body` and the ask. errors: GS_EUNSUPPORTED (its API cannot say it),
 * GS_ENOMEM. */
GS_MUST_CHECK enum gs_status
gs_switch_request_make(const struct gs_config_target *to, const struct gs_config_provider *p,
                       const struct gs_switch_ask *ask, const struct gs_chat *chat,
                       const struct gs_switch_way *way, const struct gs_switch_readable *readable,
                       struct gs_arena *a, struct gs_buf *body, struct gs_upstream_request *out,
                       struct gs_error *err);

#endif
