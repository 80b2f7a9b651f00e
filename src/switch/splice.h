/* The events of an upstream that was asked to go on with an answer, as the engine would say them of
 * a chat that broke_off: the last block of what the client has goes on, the next ones follow it.
 * Its reasoning is not told: the client has had some already, and who signs it has not seen that.
 * Pure.
 */
#ifndef GS_SWITCH_SPLICE_H
#define GS_SWITCH_SPLICE_H

#include <stdbool.h>
#include <stddef.h>

#include "genset/chat.h"
#include "switch/seam.h"

struct gs_splice {
    struct gs_seam seam;
    const struct gs_chat *chat;
    const struct gs_message *had; /* what the client has */
    bool is_fresh;                /* its last block is one that the client does not have yet */
    size_t at;                    /* block of `had` that is said again */
    uint32_t next;                /* number of the next block */
    uint32_t current;             /* and of the one that is being told */
    bool is_first;                /* that is the last one of `had` */
    bool is_joined;
    bool is_apart;
    bool is_over; /* STOP was told */
    gs_event_fn *on_event;
    void *ud;
};

/* How it can be gone on with; OPEN means any of the three that take an open turn. */
enum gs_seam_kind gs_splice_kind(const struct gs_chat *chat, const struct gs_message *had,
                                 bool is_fresh);
/* `had`: the last message of gs_switch_part_hand_over(), which must outlive it, as must `chat`. */
void gs_splice_init(struct gs_splice *s, enum gs_seam_kind kind, const struct gs_chat *chat,
                    const struct gs_message *had, bool is_fresh, gs_event_fn *on_event, void *ud);
void gs_splice_clear(struct gs_splice *s);
/* What is to be told of it goes to on_event. */
void gs_splice_event(struct gs_splice *s, const struct gs_event *ev);
/* WAITS: nothing was told. */
enum gs_seam_state gs_splice_state(const struct gs_splice *s);

/* Text that an anchor, or an open turn, goes on from: of the last block of text. */
struct gs_slice gs_splice_text(const struct gs_message *had);

#endif
