/* Reading large bodies away from the loop: a tree of 30 MB of JSON takes half a second to build, in
 * which no other stream would move. Small ones are read where they arrive, unless they build on
 * answers that are kept. */
#include <assert.h>

#include "base/alloc.h"
#include "base/queue.h"
#include "base/thread.h"
#include "http/loop.h"
#include "server/state.h"

static void judge(struct gs_server_reading *r)
{
    if (r->status != GS_OK && !gs_server_peek(gs_buf_view(&r->body), &r->exchange->arena, &r->ctx))
        return;
    const struct gs_switch_ask ask = gs_server_ask_of(
        r->exchange, &r->ctx, &r->chat, r->status == GS_OK ? NULL : &r->err, gs_buf_view(&r->body));

    gs_switch_judgement_make(r->judgement, &ask);
}

static void read_one(struct gs_server_reading *r)
{
    struct gs_server_exchange *ex = r->exchange;

    r->ctx.store = &r->server->responses.store;
    r->status = ex->dialect->read_request(&r->chat, &r->ctx, gs_buf_view(&r->body), ex->path,
                                          &ex->arena, &r->err);
    judge(r);
}

static void read_bodies(void *arg)
{
    struct gs_server *s = arg;

    for (struct gs_server_reading *r = gs_queue_pop(s->unread); r; r = gs_queue_pop(s->unread)) {
        if (!atomic_load(&s->is_leaving)) /* else nobody waits for it any more */
            read_one(r);
        const bool fits = gs_queue_push(s->read, r); /* no more than there are exchanges */
        assert(fits);
        (void)fits;
    }
}

static void take_read(void *ud)
{
    struct gs_server *s = ud;

    for (struct gs_server_reading *r = gs_queue_try_pop(s->read); r; r = gs_queue_try_pop(s->read))
        gs_server_exchange_read(r->exchange);
}

enum gs_status gs_server_reader_start(struct gs_server *s, struct gs_error *err)
{
    enum gs_status st = gs_queue_create(s->opt.max_exchanges, &s->unread, err);

    if (st == GS_OK)
        st = gs_queue_create(s->opt.max_exchanges, &s->read, err);
    if (st == GS_OK)
        st = gs_http_watch_create(s->loop, gs_queue_fd(s->read), take_read, s, &s->read_watch, err);
    if (st == GS_OK)
        st = gs_thread_start(&s->reader, GS_THREAD_READER, read_bodies, s, err);
    s->has_reader = st == GS_OK;
    return st;
}

void gs_server_reader_stop(struct gs_server *s)
{
    atomic_store(&s->is_leaving, true);
    if (s->has_reader) {
        gs_queue_close(s->unread);
        pthread_join(s->reader, NULL);
        take_read(s);
    }
    gs_http_watch_free(s->read_watch);
    gs_queue_free(s->unread);
    gs_queue_free(s->read);
}

void gs_server_reading_free(struct gs_server_reading *r)
{
    struct gs_server *s = r->server;

    if (s->http)
        gs_http_server_drop_body(s->http, &r->body);
    gs_buf_clear(&r->body);
    gs_switch_judgement_free(r->judgement);
    gs_free(r);
}

bool gs_server_reader_give(struct gs_server_exchange *ex)
{
    struct gs_server_reading *r = gs_alloc_zero(sizeof(*r));

    if (r)
        r->judgement = gs_switch_judgement_create(ex->server->sw);
    if (!r || !r->judgement) {
        gs_free(r);
        return false;
    }
    r->server = ex->server;
    r->exchange = ex;
    gs_http_request_take_body(ex->http, &r->body);
    ex->reading = r;
    const bool fits = gs_queue_push(ex->server->unread, r);
    assert(fits);
    (void)fits;
    return true;
}
