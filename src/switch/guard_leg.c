/* Where a request leaves this machine without what was found in it, and where its answer comes back
 * to be put together again: before anything else of this room hears it, so that whoever goes on
 * with an answer goes on from what the client has. */
#include "base/error.h"
#include "base/limits.h"
#include "base/slice.h"
#include "switch/seam.h"
#include "switch/switch_call.h"
#include "json/json.h"

#define MAX_ANCHORS 6 /* tried, each some forty characters longer: no key is */

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

/* Whether the end of `text` goes out by itself as it does within it: no find reaches over its
 * begin, nor is known by what stands before. */
static bool stands_alone(const struct gs_switch_call *c, struct gs_slice text, struct gs_slice end)
{
    const struct gs_switch_rules r = gs_switch_rules_of(c->generation->routes);
    const struct gs_slice mark = GS_SLICE_LIT("\",\""); /* is in no string */
    struct gs_privacy_names *names = NULL;
    struct gs_buf b, redacted;
    struct gs_error err;

    gs_buf_init(&b, 16 * GS_MAX_REQUEST_BYTES);
    gs_buf_init(&redacted, 16 * GS_MAX_REQUEST_BYTES);
    gs_buf_putc(&b, '[');
    gs_buf_slice(&b, c->ask.body);
    gs_buf_putc(&b, ',');
    gs_json_write_string(&b, text);
    gs_buf_putc(&b, ',');
    gs_json_write_string(&b, end);
    gs_buf_putc(&b, ']');
    bool does = gs_buf_ok(&b) &&
                gs_privacy_redact(r.items, r.n, gs_buf_view(&b), &redacted, &names, &err) == GS_OK;
    if (does && names) {
        const struct gs_slice out = gs_slice_sub(gs_buf_view(&redacted), 0, redacted.len - 2);
        size_t at = out.len - mark.len;
        while (!gs_slice_eq(gs_slice_sub(out, at, at + mark.len), mark))
            at--;
        does = gs_slice_ends(gs_slice_sub(out, 0, at), gs_slice_sub(out, at + mark.len, out.len));
    }
    gs_privacy_names_free(names);
    gs_buf_clear(&redacted);
    gs_buf_clear(&b);
    return does;
}

struct gs_slice gs_switch_redact_anchor(const struct gs_switch_leg *leg, struct gs_slice text)
{
    const struct gs_slice anchor = gs_seam_anchor(text);

    if (!leg->way.is_redacted || anchor.len == 0)
        return anchor;
    size_t at = (size_t)(anchor.ptr - text.ptr);
    text.len = at + anchor.len; /* without the white space behind */
    for (int i = 0; i < MAX_ANCHORS && !leg->call->ask.ctx->builds_on_kept; i++) {
        if (stands_alone(leg->call, text, gs_slice_sub(text, at, text.len)))
            return gs_slice_sub(text, at, text.len);
        const struct gs_slice before = gs_seam_anchor(gs_slice_sub(text, 0, at));
        at = before.len ? (size_t)(before.ptr - text.ptr) : 0;
    }
    return gs_slice(NULL, 0);
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
