/* Each question has what waits written and opens the file anew: it is rare, and sees what was
 * recorded before. */
#include "ledger/ledger_ask.h"

#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/queue.h"
#include "base/slice.h"
#include "base/thread.h"
#include "ledger/history.h"
#include "ledger/ledger_inbox.h"

#define MAX_WAITING  16
#define MAX_ID_BYTES 256

struct question {
    enum gs_ledger_subject subject;
    struct gs_ledger_query query; /* its id is the one below */
    char id[MAX_ID_BYTES];
    gs_ledger_answer_fn *on_answer;
    void *ud;
};

static void answer(const struct gs_ledger_asker *a, const struct question *q)
{
    struct gs_error err;
    struct gs_buf json;

    gs_ledger_inbox_flush(a->inbox);
    gs_buf_init(&json, GS_MAX_RESPONSE_BYTES);
    if (gs_ledger_write_json(a->path, q->subject, &q->query, &json, &err) == GS_OK)
        q->on_answer(q->ud, &json, NULL);
    else
        q->on_answer(q->ud, NULL, &err);
    gs_buf_clear(&json);
}

static void run(void *arg)
{
    struct gs_ledger_asker *a = arg;

    for (struct question *q = gs_queue_pop(a->queue); q; q = gs_queue_pop(a->queue)) {
        answer(a, q);
        gs_free(q);
    }
}

enum gs_status gs_ledger_asker_start(struct gs_ledger_asker *a, const char *path,
                                     struct gs_ledger_inbox *inbox, struct gs_error *err)
{
    a->path = path;
    a->inbox = inbox;
    enum gs_status st = gs_queue_create(MAX_WAITING, &a->queue, err);
    if (st == GS_OK)
        st = gs_thread_start(&a->thread, GS_THREAD_LEDGER, run, a, err);
    a->has_thread = st == GS_OK;
    return st;
}

void gs_ledger_asker_stop(struct gs_ledger_asker *a)
{
    if (a->has_thread) {
        gs_queue_close(a->queue);
        pthread_join(a->thread, NULL);
    }
    gs_queue_free(a->queue);
}

bool gs_ledger_asker_ask(struct gs_ledger_asker *a, enum gs_ledger_subject subject,
                         const struct gs_ledger_query *query, gs_ledger_answer_fn *on_answer,
                         void *ud)
{
    struct question *q = gs_alloc(sizeof(*q));

    if (!q)
        return false;
    *q = (struct question){.subject = subject, .query = *query, .on_answer = on_answer, .ud = ud};
    const size_t len = GS_MIN(query->id.len, sizeof(q->id));
    if (len > 0)
        memcpy(q->id, query->id.ptr, len);
    q->query.id = gs_slice(q->id, len);
    if (gs_queue_push(a->queue, q))
        return true;
    gs_free(q);
    return false;
}
