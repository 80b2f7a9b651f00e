/* Who answers on this machine: the contract of provider/local.h as a table, so that a test can put
 * a script in the engine's place. */
#ifndef GS_SWITCH_BACKEND_H
#define GS_SWITCH_BACKEND_H

#include <stddef.h>

#include "base/compiler.h"
#include "genset/chat.h"

struct gs_errand;
struct gs_local;
struct gs_local_model;

/* A `call` is what the first four return. Events come on any thread. */
struct gs_switch_backend {
    void *self;
    enum gs_status (*answer)(void *self, const struct gs_chat *chat, gs_event_fn *on_event,
                             void *ud, void **out_call, struct gs_error *err);
    enum gs_status (*count)(void *self, const struct gs_chat *chat, gs_event_fn *on_event, void *ud,
                            void **out_call, struct gs_error *err);
    enum gs_status (*embed)(void *self, const struct gs_texts *texts, gs_event_fn *on_event,
                            void *ud, void **out_call, struct gs_error *err);
    enum gs_status (*errand)(void *self, struct gs_errand *errand, gs_event_fn *on_event, void *ud,
                             void **out_call, struct gs_error *err);
    /* Hand over a piece of the body of an errand that takes one; it lives until the next event. */
    void (*feed)(void *call, struct gs_slice piece, bool is_last);
    size_t (*models)(void *self, const struct gs_local_model **out_models);
    void (*resume)(void *call);
    void (*free_call)(void *call, void (*on_free)(void *ud), void *ud); /* cancels too */
};

/* The engine of this machine. `l` must outlive the switch. */
void gs_switch_backend_local(struct gs_switch_backend *out_backend, struct gs_local *l);

#endif
