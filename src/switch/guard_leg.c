/* Where a request leaves this machine without what was found in it, and where its answer comes back
 * to be put together again: before anything else of this room hears it, so that whoever goes on
 * with an answer goes on from what the client has. */
#include "base/error.h"
#include "base/limits.h"
#include "base/slice.h"
#include "switch/switch_call.h"

static struct gs_switch_judgement *judgement_of(struct gs_switch_call *c)
{
    struct gs_switch_judgement *j = c->guard.judgement;

    if (!j || j->generation != c->generation) {
        gs_switch_judgement_free(j);
        c->guard.judgement = gs_switch_judgement_create(c->sw);
    }
    return c->guard.judgement;
}

enum gs_status gs_switch_redact_own(struct gs_switch_call *c)
{
    struct gs_switch_judgement *j = judgement_of(c);

    if (!j)
        return GS_ENOMEM;
    if (!j->is_redacted)
        gs_switch_judgement_redact(j, c->ask.body);
    c->ask.withheld.nothing_in_body =
        j->redact_status == GS_OK && !j->names && !c->ask.ctx->builds_on_kept;
    return j->redact_status;
}

static enum gs_status listen(struct gs_switch_leg *leg, const struct gs_privacy_names *names,
                             struct gs_error *err)
{
    return names ? gs_privacy_restorer_create(names, &leg->restorer, err) : GS_OK;
}

enum gs_status gs_switch_redact_ask(struct gs_switch_leg *leg, struct gs_switch_ask *ask,
                                    struct gs_error *err)
{
    const struct gs_switch_judgement *j = leg->call->guard.judgement;

    if (j->names)
        ask->body = gs_buf_view(&j->body);
    return listen(leg, j->names, err);
}

enum gs_status gs_switch_redact_body(struct gs_switch_leg *leg, struct gs_upstream_request *request,
                                     struct gs_error *err)
{
    const struct gs_switch_rules r = gs_switch_rules_of(leg->call->generation->routes);
    struct gs_buf b;

    gs_buf_init(&b, GS_MAX_REQUEST_BYTES);
    enum gs_status st = gs_privacy_redact(r.items, r.n, request->body, &b, &leg->names, err);
    if (st == GS_OK && !gs_buf_ok(&b))
        st = gs_error_nomem(err, "redact the request");
    if (st != GS_OK || !leg->names) {
        gs_buf_clear(&b);
        return st;
    }
    gs_buf_clear(&leg->body);
    leg->body = b;
    request->body = gs_buf_view(&leg->body);
    return listen(leg, leg->names, err);
}

void gs_switch_redact_hear(struct gs_switch_leg *leg, const struct gs_event *ev)
{
    struct gs_error err;

    if (!leg->restorer)
        gs_switch_leg_upstream_hear(leg, ev);
    else if (gs_privacy_restorer_take(leg->restorer, ev, gs_switch_leg_upstream_hear, leg, &err) !=
             GS_OK)
        leg->is_out_of_memory = true;
}

void gs_switch_redact_clear(struct gs_switch_leg *leg)
{
    gs_privacy_restorer_free(leg->restorer);
    gs_privacy_names_free(leg->names);
}
