/* Notes on their way to the ledger's thread, one behind the other in one piece of memory: nothing
 * is allocated for a note and freed by another thread, so that none waits for the other's
 * allocator. Private to ledger/. */
#ifndef GS_LEDGER_LEDGER_INBOX_H
#define GS_LEDGER_LEDGER_INBOX_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "ledger/ledger.h"

enum gs_ledger_note_kind {
    GS_LEDGER_NOTE_REQUEST,
    GS_LEDGER_NOTE_ATTEMPT,
    GS_LEDGER_NOTE_BREAKER,
    GS_LEDGER_NOTE_SIGNED
};

/* One thing to write. Its texts follow it. */
struct gs_ledger_note {
    enum gs_ledger_note_kind kind;
    size_t bytes; /* of it with its texts; those of a whole number of notes' alignments */
    union {
        struct gs_ledger_request request;
        struct gs_ledger_attempt attempt;
        struct gs_ledger_breaker breaker;
        struct gs_ledger_signed made;
    } u;
};

struct gs_ledger_inbox {
    pthread_mutex_t lock; /* guards everything below */
    pthread_cond_t changed;
    struct gs_buf notes;
    size_t n;
    size_t max;
    size_t enough; /* who gathers is woken */
    bool is_urgent;
    bool is_closed;
    uint64_t n_put, n_done;
    pthread_cond_t done;
};

/* What was taken. */
struct gs_ledger_batch {
    struct gs_buf notes;
    size_t n;
    size_t at; /* of the next */
};

void gs_ledger_inbox_init(struct gs_ledger_inbox *in, size_t max);
/* What is in it is dropped. */
void gs_ledger_inbox_clear(struct gs_ledger_inbox *in);
/* Copy a note and its texts. False: full, closed or no memory. thread: any. */
GS_MUST_CHECK bool gs_ledger_inbox_put(struct gs_ledger_inbox *in, struct gs_ledger_note *note);
/* Wait for a note, then for `gather_us` or until there are `enough` or somebody waits for them, and
 * take all there are in the place of what the batch had, which is done with then. False: closed and
 * empty. thread: the receiver. */
GS_MUST_CHECK bool gs_ledger_inbox_take(struct gs_ledger_inbox *in, int64_t gather_us,
                                        size_t enough, struct gs_ledger_batch *batch);
/* Wait until the receiver is done with all that was put before. thread: any but the receiver. */
void gs_ledger_inbox_flush(struct gs_ledger_inbox *in);
/* Refuse further notes and wake the receiver. thread: any. */
void gs_ledger_inbox_close(struct gs_ledger_inbox *in);

void gs_ledger_batch_init(struct gs_ledger_batch *b);
void gs_ledger_batch_clear(struct gs_ledger_batch *b);
/* The next note, valid until the batch is filled anew; NULL: there is none. */
const struct gs_ledger_note *gs_ledger_batch_next(struct gs_ledger_batch *b);

#endif
