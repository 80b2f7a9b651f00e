/* Questions put to a server's ledger, answered one after the other on a thread of their own, so
 * that a long answer keeps no row waiting. Private to ledger/. */
#ifndef GS_LEDGER_LEDGER_ASK_H
#define GS_LEDGER_LEDGER_ASK_H

#include <pthread.h>

#include "ledger/ledger.h"

struct gs_ledger_inbox;
struct gs_queue;

struct gs_ledger_asker {
    const char *path;
    struct gs_ledger_inbox *inbox;
    struct gs_queue *queue;
    pthread_t thread;
    bool has_thread;
};

/* Of the file `path`, with what is in `inbox`; both must outlive it. *a is cleared by
 * gs_ledger_asker_stop() after an error too. */
GS_MUST_CHECK enum gs_status gs_ledger_asker_start(struct gs_ledger_asker *a, const char *path,
                                                   struct gs_ledger_inbox *inbox,
                                                   struct gs_error *err);
/* Answers what waits first. */
void gs_ledger_asker_stop(struct gs_ledger_asker *a);
/* gs_ledger_ask(). */
GS_MUST_CHECK bool gs_ledger_asker_ask(struct gs_ledger_asker *a, enum gs_ledger_subject subject,
                                       const struct gs_ledger_query *q,
                                       gs_ledger_answer_fn *on_answer, void *ud);

#endif
