/* Events on their way from the engine's thread to the loop: copied into an arena by the one,
 * taken whole by the other. Private to server/.
 *
 * Bounded: when GS_SERVER_MAILBOX_HIGH bytes wait, the sender is told to pause, and the receiver
 * learns when it takes them that somebody waits to be resumed. */
#ifndef GS_SERVER_MAILBOX_H
#define GS_SERVER_MAILBOX_H

#include <pthread.h>
#include <stdbool.h>

#include "base/arena.h"
#include "genset/chat.h"

#define GS_SERVER_MAILBOX_HIGH ((size_t)128 << 10)

struct gs_server_mail {
    struct gs_event event;
    struct gs_server_mail *next;
};

struct gs_server_mailbox {
    pthread_mutex_t lock; /* guards everything below */
    struct gs_arena arena;
    struct gs_server_mail *first;
    struct gs_server_mail **last;
    bool is_queued;   /* its owner stands in the loop's queue already */
    bool is_paused;   /* the sender was told so */
    bool is_closed;   /* nobody reads any more */
    bool is_released; /* no event comes any more */
    bool has_failed;  /* an event was lost: no memory, or the sender would not pause */
};

/* What one take finds. */
struct gs_server_post {
    struct gs_server_mail *first; /* oldest; lives in the arena given */
    bool was_paused;
    bool has_failed;
};

void gs_server_mailbox_init(struct gs_server_mailbox *m);
void gs_server_mailbox_clear(struct gs_server_mailbox *m);

/* Copy an event in. *out_wake: put the owner in the loop's queue. thread: any. */
enum gs_flow gs_server_mailbox_put(struct gs_server_mailbox *m, const struct gs_event *ev,
                                   bool *out_wake);
/* No event comes any more. True: put the owner in the loop's queue. thread: any. */
bool gs_server_mailbox_release(struct gs_server_mailbox *m);
/* The loop took the owner out of its queue. Returns whether no event comes any more. */
bool gs_server_mailbox_unqueue(struct gs_server_mailbox *m);
/* Everything that waits, moved with its arena into *arena, whose content is dropped. */
struct gs_server_post gs_server_mailbox_take(struct gs_server_mailbox *m, struct gs_arena *arena);
/* Nobody reads any more: the sender is told to cancel. */
void gs_server_mailbox_close(struct gs_server_mailbox *m);

#endif
