/* What a leg says before it leads, and what follows the reason of an answer's end before its end
 * mark: bytes and events, in two heaps, for they leave together. */
#include "base/limits.h"
#include "switch/switch_call.h"

#define MAX_FRAMES 64
#define MAX_BYTES  (256 * GS_KIB) /* of openings; an answer's end is smaller */

void gs_switch_hold_init(struct gs_switch_hold *h)
{
    *h = (struct gs_switch_hold){.last = &h->first};
    gs_arena_init(&h->arena, GS_MAX_RESPONSE_BYTES);
    gs_buf_init(&h->bytes, GS_MAX_RESPONSE_BYTES);
}

void gs_switch_hold_clear(struct gs_switch_hold *h)
{
    gs_arena_clear(&h->arena);
    gs_buf_clear(&h->bytes);
    gs_switch_hold_init(h);
}

void gs_switch_hold_reset(struct gs_switch_hold *h)
{
    gs_arena_reset(&h->arena);
    gs_buf_reset(&h->bytes);
    h->first = NULL;
    h->last = &h->first;
    h->n_frames = 0;
}

bool gs_switch_hold_event(struct gs_switch_hold *h, const struct gs_event *ev)
{
    struct gs_switch_mail *mail = gs_switch_mail_copy(&h->arena, ev);

    if (!mail)
        return false;
    *h->last = mail;
    h->last = &mail->next;
    return true;
}

bool gs_switch_hold_bytes(struct gs_switch_hold *h, struct gs_slice bytes)
{
    gs_buf_slice(&h->bytes, bytes);
    return gs_buf_ok(&h->bytes);
}

bool gs_switch_hold_is_full(const struct gs_switch_hold *h)
{
    return h->n_frames > MAX_FRAMES || h->bytes.len > MAX_BYTES;
}
