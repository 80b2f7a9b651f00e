/* Two arenas change places at each take, so that a running answer allocates nothing. */
#include "switch/mailbox.h"

#include <string.h>

#include "base/limits.h"

#define MAX_BYTES (128 * GS_SWITCH_MAILBOX_HIGH) /* one event may be large */

void gs_switch_mailbox_init(struct gs_switch_mailbox *m)
{
    *m = (struct gs_switch_mailbox){.last = &m->first};
    pthread_mutex_init(&m->lock, NULL);
    gs_arena_init(&m->arena, MAX_BYTES);
}

void gs_switch_mailbox_clear(struct gs_switch_mailbox *m)
{
    gs_arena_clear(&m->arena);
    pthread_mutex_destroy(&m->lock);
}

static bool dup(struct gs_arena *a, struct gs_slice *s)
{
    if (s->len > 0)
        return gs_arena_dup(a, *s, s);
    *s = (struct gs_slice){NULL, 0};
    return true;
}

static bool dup_logprobs(struct gs_arena *a, struct gs_event *ev)
{
    struct gs_logprob *copy =
        ev->n_logprob ? gs_arena_array(a, ev->n_logprob, sizeof(*copy)) : NULL;

    if (ev->n_logprob && !copy)
        return false;
    for (size_t i = 0; i < ev->n_logprob; i++) {
        copy[i] = ev->logprob[i];
        struct gs_top_logprob *top =
            copy[i].n_top ? gs_arena_array(a, copy[i].n_top, sizeof(*top)) : NULL;
        if (!dup(a, &copy[i].text) || (copy[i].n_top && !top))
            return false;
        for (size_t t = 0; t < copy[i].n_top; t++) {
            top[t] = copy[i].top[t];
            if (!dup(a, &top[t].text))
                return false;
        }
        copy[i].top = top;
    }
    ev->logprob = copy;
    return true;
}

static bool dup_values(struct gs_arena *a, struct gs_event *ev)
{
    float *copy = ev->n_values ? gs_arena_array(a, ev->n_values, sizeof(*copy)) : NULL;

    if (ev->n_values && !copy)
        return false;
    for (size_t i = 0; i < ev->n_values; i++)
        copy[i] = ev->values[i];
    ev->values = copy;
    return true;
}

static bool dup_tokens(struct gs_arena *a, struct gs_event *ev)
{
    int32_t *copy = ev->n_tokens ? gs_arena_array(a, ev->n_tokens, sizeof(*copy)) : NULL;

    if (ev->n_tokens && !copy)
        return false;
    if (copy)
        memcpy(copy, ev->tokens, ev->n_tokens * sizeof(*copy));
    ev->tokens = copy;
    return true;
}

static bool dup_error(struct gs_arena *a, struct gs_event *ev)
{
    struct gs_error *copy = ev->error ? gs_arena_alloc(a, sizeof(*copy)) : NULL;

    if (ev->error && !copy)
        return false;
    if (copy)
        *copy = *ev->error;
    ev->error = copy;
    return true;
}

struct gs_switch_mail *gs_switch_mail_copy(struct gs_arena *a, const struct gs_event *ev)
{
    struct gs_switch_mail *mail = gs_arena_alloc(a, sizeof(*mail));

    if (!mail)
        return NULL;
    mail->event = *ev;
    const bool fits = dup(a, &mail->event.text) && dup(a, &mail->event.id) &&
                      dup(a, &mail->event.name) && dup(a, &mail->event.stop_sequence) &&
                      dup(a, &mail->event.ignored) && dup(a, &mail->event.served_by) &&
                      dup(a, &mail->event.short_of) && dup(a, &mail->event.answer_id) &&
                      dup(a, &mail->event.model) && dup(a, &mail->event.signature) &&
                      dup(a, &mail->event.item_id) && dup_logprobs(a, &mail->event) &&
                      dup_values(a, &mail->event) && dup_tokens(a, &mail->event) &&
                      dup_error(a, &mail->event);
    return fits ? mail : NULL;
}

enum gs_flow gs_switch_mailbox_put(struct gs_switch_mailbox *m, const struct gs_event *ev,
                                   bool *out_wake)
{
    enum gs_flow flow = GS_FLOW_CONTINUE;

    *out_wake = false;
    if (ev->kind == GS_EVENT_PROGRESS && ev->total > 0)
        return flow; /* no dialect has words for it */
    pthread_mutex_lock(&m->lock);
    struct gs_switch_mail *mail =
        m->is_closed || m->has_failed ? NULL : gs_switch_mail_copy(&m->arena, ev);
    if (mail) {
        *m->last = mail;
        m->last = &mail->next;
        m->is_paused = m->arena.used_bytes >= GS_SWITCH_MAILBOX_HIGH;
        flow = m->is_paused ? GS_FLOW_PAUSE : GS_FLOW_CONTINUE;
    } else {
        m->has_failed = true;
        flow = GS_FLOW_CANCEL;
    }
    *out_wake = !m->is_queued;
    m->is_queued = true;
    pthread_mutex_unlock(&m->lock);
    return flow;
}

bool gs_switch_mailbox_release(struct gs_switch_mailbox *m)
{
    pthread_mutex_lock(&m->lock);
    const bool wake = !m->is_queued;
    m->is_queued = true;
    m->is_released = true;
    pthread_mutex_unlock(&m->lock);
    return wake;
}

struct gs_switch_post gs_switch_mailbox_take(struct gs_switch_mailbox *m, struct gs_arena *arena)
{
    gs_arena_reset(arena);
    pthread_mutex_lock(&m->lock);
    const struct gs_switch_post post = {
        .first = m->first,
        .was_paused = m->is_paused,
        .has_failed = m->has_failed && !m->is_closed,
    };
    const struct gs_arena full = m->arena;
    m->arena = *arena;
    m->arena.max_bytes = MAX_BYTES;
    *arena = full;
    m->first = NULL;
    m->last = &m->first;
    m->is_paused = false;
    pthread_mutex_unlock(&m->lock);
    return post;
}

bool gs_switch_mailbox_unqueue(struct gs_switch_mailbox *m)
{
    pthread_mutex_lock(&m->lock);
    const bool is_released = m->is_released;
    m->is_queued = false;
    pthread_mutex_unlock(&m->lock);
    return is_released;
}

void gs_switch_mailbox_close(struct gs_switch_mailbox *m)
{
    pthread_mutex_lock(&m->lock);
    m->is_closed = true;
    pthread_mutex_unlock(&m->lock);
}
