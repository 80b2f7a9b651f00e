/* Events on their way from the engine's thread to the loop: copied into an arena by the one,
 * taken whole by the other. Private to switch/.
 *
 * Bounded: when GS_SWITCH_MAILBOX_HIGH bytes wait, the sender is told to pause, and the receiver
 * learns when it takes them that somebody waits to be resumed. */
#ifndef GS_SWITCH_MAILBOX_H
#define GS_SWITCH_MAILBOX_H

#include <pthread.h>
#include <stdbool.h>

#include "base/arena.h"
#include "genset/chat.h"

#define GS_SWITCH_MAILBOX_HIGH ((size_t)128 << 10)

struct gs_switch_mail {
    struct gs_event event;
    struct gs_switch_mail *next;
};

struct gs_switch_mailbox {
    pthread_mutex_t lock; /* guards everything below */
    struct gs_arena arena;
    struct gs_switch_mail *first;
    struct gs_switch_mail **last;
    bool is_queued;   /* its owner stands in the loop's queue already */
    bool is_paused;   /* the sender was told so */
    bool is_closed;   /* nobody reads any more */
    bool is_released; /* no event comes any more */
    bool has_failed;  /* an event was lost: no memory, or the sender would not pause */
};

/* What one take finds. */
struct gs_switch_post {
    struct gs_switch_mail *first; /* oldest; lives in the arena given */
    bool was_paused;
    bool has_failed;
};

/* A copy of an event and all it points to; NULL: no memory. */
struct gs_switch_mail *gs_switch_mail_copy(struct gs_arena *a, const struct gs_event *ev);

void gs_switch_mailbox_init(struct gs_switch_mailbox *m);
void gs_switch_mailbox_clear(struct gs_switch_mailbox *m);

/* Copy an event in. *out_wake: put the owner in the loop's queue. thread: any. */
enum gs_flow gs_switch_mailbox_put(struct gs_switch_mailbox *m, const struct gs_event *ev,
                                   bool *out_wake);
/* No event comes any more. True: put the owner in the loop's queue. thread: any. */
bool gs_switch_mailbox_release(struct gs_switch_mailbox *m);
/* The loop took the owner out of its queue. Returns whether no event comes any more. */
bool gs_switch_mailbox_unqueue(struct gs_switch_mailbox *m);
/* Everything that waits, moved with its arena into *arena, whose content is dropped. */
struct gs_switch_post gs_switch_mailbox_take(struct gs_switch_mailbox *m, struct gs_arena *arena);
/* Nobody reads any more: the sender is told to cancel. */
void gs_switch_mailbox_close(struct gs_switch_mailbox *m);

#endif
