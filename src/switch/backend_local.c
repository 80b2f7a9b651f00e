/* The engine of this machine as a backend: provider/local.h behind the table of backend.h. */
#include "provider/local.h"
#include "switch/backend.h"

static enum gs_status answer(void *self, const struct gs_chat *chat, gs_event_fn *on_event,
                             void *ud, void **out_call, struct gs_error *err)
{
    struct gs_local_call *call;
    const enum gs_status st = gs_local_answer(self, chat, on_event, ud, &call, err);

    if (st == GS_OK)
        *out_call = call;
    return st;
}

static enum gs_status count(void *self, const struct gs_chat *chat, gs_event_fn *on_event, void *ud,
                            void **out_call, struct gs_error *err)
{
    struct gs_local_call *call;
    const enum gs_status st = gs_local_count(self, chat, on_event, ud, &call, err);

    if (st == GS_OK)
        *out_call = call;
    return st;
}

static enum gs_status embed(void *self, const struct gs_texts *texts, gs_event_fn *on_event,
                            void *ud, void **out_call, struct gs_error *err)
{
    struct gs_local_call *call;
    const enum gs_status st = gs_local_embed(self, texts, on_event, ud, &call, err);

    if (st == GS_OK)
        *out_call = call;
    return st;
}

static enum gs_status errand(void *self, struct gs_errand *e, gs_event_fn *on_event, void *ud,
                             void **out_call, struct gs_error *err)
{
    struct gs_local_call *call;
    const enum gs_status st = gs_local_errand(self, e, on_event, ud, &call, err);

    if (st == GS_OK)
        *out_call = call;
    return st;
}

static void feed(void *call, struct gs_slice piece, bool is_last)
{
    gs_local_call_feed(call, piece, is_last);
}

static size_t models(void *self, const struct gs_local_model **out_models)
{
    return gs_local_models(self, out_models);
}

static void resume(void *call)
{
    gs_local_call_resume(call);
}

static void free_call(void *call, void (*on_free)(void *ud), void *ud)
{
    gs_local_call_free(call, on_free, ud);
}

void gs_switch_backend_local(struct gs_switch_backend *out_backend, struct gs_local *l)
{
    *out_backend = (struct gs_switch_backend){
        .self = l,
        .answer = answer,
        .count = count,
        .embed = embed,
        .errand = errand,
        .feed = feed,
        .models = models,
        .resume = resume,
        .free_call = free_call,
    };
}
