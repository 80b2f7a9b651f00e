/* A kept answer is the head and the bytes of the body, of which everybody who listens has read so
 * many. Told apart are requests by SHA-256 of path, key, credentials, who may see them and what is
 * to become of a break, so that nobody hears an answer to another, and by a hash of their body,
 * which may be large. */
#include "server/again.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/os.h"
#include "base/sha256.h"
#include "base/slice.h"
#include "http/http.h"
#include "http/loop.h"
#include "server/state.h"

#define MAX_KEY_BYTES   255
#define MAX_KEPT        256
#define MAX_KEPT_BYTES  (32 * GS_MIB) /* of all answers */
#define MAX_BYTES       (8 * GS_MIB)  /* of one */
#define MAX_LINES_BYTES (16 * GS_KIB)
#define KEEP_MS         300000

/* A client that hears what another asked for. */
struct listener {
    struct gs_server_kept *kept;
    struct listener *next;
    struct gs_http_request *http;
    size_t n_read;
    bool has_begun;
};

struct gs_server_kept {
    struct gs_server *server;
    struct gs_server_again *table;
    struct gs_server_kept *newer, *older;
    uint8_t who[GS_SHA256_BYTES];
    uint64_t body;
    char id[GS_SERVER_ID_BYTES];  /* of the first request */
    struct gs_http_request *http; /* which is being answered; NULL: it was */
    struct listener *listeners;
    struct gs_buf lines, bytes; /* "name\0value\0..." */
    char type[128];
    int status; /* 0: no head yet */
    bool is_stream, is_clean, has_failed;
    bool is_lost;   /* it was too long to be kept */
    bool is_left;   /* by who asked first */
    int64_t due_us; /* to be forgotten; 0: not while it runs and somebody hears it */
};

static bool is_listed(const struct gs_server_kept *k)
{
    return k->newer || k->older || k->table->newest == k;
}

/* From now on nobody else hears it. */
static void unlist(struct gs_server_kept *k)
{
    struct gs_server_again *t = k->table;

    if (!is_listed(k))
        return;
    *(k->newer ? &k->newer->older : &t->newest) = k->older;
    *(k->older ? &k->older->newer : &t->oldest) = k->newer;
    k->newer = k->older = NULL;
    t->n--;
}

static void free_kept(struct gs_server_kept *k)
{
    unlist(k);
    k->table->n_bytes -= k->bytes.len;
    gs_buf_clear(&k->lines);
    gs_buf_clear(&k->bytes);
    gs_free(k);
}

/* ---- time ---- */

static void schedule(struct gs_server_again *t)
{
    const int64_t now_us = gs_clock_mono_us();
    int64_t due_us = INT64_MAX;

    for (const struct gs_server_kept *k = t->newest; k; k = k->older)
        if (k->due_us)
            due_us = GS_MIN(due_us, k->due_us);
    if (due_us < INT64_MAX)
        gs_http_timer_start(t->timer, GS_MAX(due_us - now_us, 0) / 1000 + 1);
}

/* What is due by then is dropped: nobody came back for it. Who reads what was kept reads on. */
static void drop_due(struct gs_server_again *t, int64_t now_us)
{
    struct gs_server_kept *older;

    for (struct gs_server_kept *k = t->newest; k; k = older) {
        struct gs_http_request *http = k->http;
        older = k->older;
        if (!k->due_us || k->due_us > now_us)
            continue;
        if (k->listeners) {
            unlist(k);
            continue;
        }
        free_kept(k);
        if (http)
            gs_http_request_drop(http);
    }
    schedule(t);
}

static void on_timer(void *ud)
{
    drop_due(ud, gs_clock_mono_us());
}

void gs_server_again_drain(struct gs_server *s)
{
    drop_due(&s->again, INT64_MAX);
}

static void set_due(struct gs_server_kept *k, int64_t after_ms)
{
    k->due_us = gs_clock_mono_us() + after_ms * 1000;
    schedule(k->table);
}

static void drop_if_useless(struct gs_server_kept *k)
{
    if (!k->http && !k->listeners && !is_listed(k))
        free_kept(k);
}

/* ---- who listens ---- */

static void leave(struct listener *l)
{
    struct listener **at = &l->kept->listeners;

    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    gs_free(l);
}

static void listener_gone(void *ud)
{
    struct listener *l = ud;
    struct gs_server_kept *k = l->kept;

    leave(l);
    if (k->http && k->is_left && !k->listeners)
        set_due(k, k->server->drain_until_us ? 0 : k->server->opt.retry_ms);
    drop_if_useless(k);
}

static void say_head(struct listener *l)
{
    const struct gs_server_kept *k = l->kept;
    const char *at = k->lines.ptr;
    const char *const end = at + k->lines.len;

    while (at < end) {
        const char *const value = at + strlen(at) + 1;
        gs_http_header(l->http, at, gs_slice_str(value));
        at = value + strlen(value) + 1;
    }
    gs_http_header(l->http, "x-genset-same-as", gs_slice_str(k->id));
    l->has_begun = k->is_stream;
    if (k->is_stream)
        gs_http_stream_begin(l->http, k->status, k->type);
}

/* Pass on what it has not read. False: it is done with, and `l` gone. */
static bool feed(struct listener *l)
{
    const struct gs_server_kept *k = l->kept;
    struct gs_http_request *r = l->http;

    if (!k->status || (!k->is_stream && k->http))
        return true;
    if (!l->has_begun)
        say_head(l);
    if (!k->is_stream) {
        leave(l);
        gs_http_respond(r, k->status, *k->type ? k->type : NULL, gs_buf_view(&k->bytes));
        return false;
    }
    while (l->n_read < k->bytes.len && gs_http_stream_waiting_bytes(r) < GS_HTTP_HIGH_BYTES) {
        const struct gs_slice piece = gs_slice_sub(
            gs_buf_view(&k->bytes), l->n_read,
            l->n_read + GS_MIN(k->bytes.len - l->n_read, (size_t)GS_HTTP_HIGH_BYTES / 4));
        gs_http_stream_write(r, piece);
        l->n_read += piece.len;
    }
    if (k->http || l->n_read < k->bytes.len)
        return true;
    const bool is_clean = k->is_clean;
    leave(l);
    if (is_clean)
        gs_http_stream_end(r);
    else
        gs_http_stream_break(r, false);
    return false;
}

static void listener_drained(void *ud)
{
    struct listener *l = ud;
    struct gs_server_kept *k = l->kept;

    if (!feed(l))
        drop_if_useless(k);
}

static void feed_all(struct gs_server_kept *k)
{
    struct listener *next;

    for (struct listener *l = k->listeners; l; l = next) {
        next = l->next;
        feed(l);
    }
}

/* It cannot be kept, or has come to no end: who listens is to see that. */
static void break_all(struct gs_server_kept *k)
{
    while (k->listeners) {
        struct gs_http_request *r = k->listeners->http;
        leave(k->listeners);
        gs_http_stream_break(r, true);
    }
}

/* ---- what is kept ---- */

/* Room for n_more answers and n more bytes, at the cost of those that were kept first. */
static bool make_room(struct gs_server_again *t, size_t n_more, size_t n)
{
    struct gs_server_kept *newer;

    for (struct gs_server_kept *k = t->oldest;
         k && (t->n + n_more > MAX_KEPT || t->n_bytes + n > MAX_KEPT_BYTES); k = newer) {
        newer = k->newer;
        if (!k->http && !k->listeners)
            free_kept(k);
    }
    return t->n + n_more <= MAX_KEPT && t->n_bytes + n <= MAX_KEPT_BYTES;
}

static void on_header(void *ud, const char *name, struct gs_slice value)
{
    struct gs_server_kept *k = ud;

    gs_buf_put(&k->lines, name, strlen(name) + 1);
    for (size_t i = 0; i < value.len; i++)
        gs_buf_putc(&k->lines, value.ptr[i] ? value.ptr[i] : '?');
    gs_buf_putc(&k->lines, '\0');
}

static void on_head(void *ud, int status, const char *type, bool is_stream)
{
    struct gs_server_kept *k = ud;

    k->status = status;
    k->is_stream = is_stream;
    k->has_failed = k->has_failed || status != 200 || !gs_buf_ok(&k->lines);
    if (!gs_buf_ok(&k->lines))
        gs_buf_reset(&k->lines);
    if (type && strlen(type) < sizeof(k->type))
        memcpy(k->type, type, strlen(type) + 1);
    feed_all(k);
}

static void on_bytes(void *ud, struct gs_slice bytes)
{
    struct gs_server_kept *k = ud;
    const size_t before = k->bytes.len;

    if (k->is_lost || bytes.len == 0)
        return;
    if (make_room(k->table, 0, bytes.len))
        gs_buf_slice(&k->bytes, bytes);
    if (gs_buf_ok(&k->bytes) && k->bytes.len > before) {
        k->table->n_bytes += bytes.len;
        feed_all(k);
        return;
    }
    k->is_lost = true;
    k->table->n_bytes -= before;
    gs_buf_clear(&k->bytes);
    break_all(k);
    if (k->is_left)
        set_due(k, 0);
}

static void on_end(void *ud, bool is_clean)
{
    struct gs_server_kept *k = ud;

    k->http = NULL;
    k->is_clean = is_clean;
    if (!is_clean || k->has_failed || k->is_lost)
        unlist(k);
    else
        set_due(k, KEEP_MS);
    if (k->status)
        feed_all(k);
    else
        break_all(k);
    drop_if_useless(k);
}

static bool on_left(void *ud)
{
    struct gs_server_kept *k = ud;

    k->is_left = true;
    if (k->listeners)
        return true;
    set_due(k, k->server->opt.retry_ms);
    return !k->is_lost && k->server->drain_until_us == 0;
}

/* ---- requests ---- */

static void hash_part(struct gs_sha256 *h, struct gs_slice s)
{
    const uint64_t len = s.len;

    gs_sha256_feed(h, &len, sizeof(len));
    gs_sha256_feed(h, s.ptr, s.len);
}

/* Who asks what. False: the request has no key. */
static bool identify(const struct gs_server_again *t, const struct gs_http_request *r,
                     const char *path, struct gs_server_kept *out)
{
    const struct gs_http_head *head = gs_http_request_head(r);
    const struct gs_slice key = gs_http_head_get(head, "idempotency-key");
    const struct gs_slice body = gs_http_request_body(r);
    struct gs_sha256 h;

    if (key.len == 0 || key.len > MAX_KEY_BYTES)
        return false;
    gs_sha256_init(&h);
    hash_part(&h, gs_slice_str(path));
    hash_part(&h, head->query);
    hash_part(&h, key);
    hash_part(&h, gs_http_head_get(head, "authorization"));
    hash_part(&h, gs_http_head_get(head, "x-api-key"));
    hash_part(&h, gs_http_head_get(head, "x-genset-privacy"));
    hash_part(&h, gs_http_head_get(head, "x-genset-on-break"));
    gs_sha256_finish(&h, out->who);
    out->body = gs_hash_bytes(body.ptr, body.len, t->seed);
    return true;
}

static struct gs_server_kept *find(const struct gs_server_again *t,
                                   const struct gs_server_kept *what)
{
    for (struct gs_server_kept *k = t->newest; k; k = k->older)
        if (!k->is_lost && k->body == what->body && memcmp(k->who, what->who, sizeof(k->who)) == 0)
            return k;
    return NULL;
}

static bool listen_to(struct gs_server_kept *k, struct gs_http_request *r)
{
    struct listener *l = gs_alloc_zero(sizeof(*l));

    if (!l)
        return false;
    l->kept = k;
    l->http = r;
    l->next = k->listeners;
    k->listeners = l;
    if (k->http)
        k->due_us = 0;
    gs_http_request_watch(r, listener_gone, listener_drained, l);
    return true;
}

/* Where there is no room the answer is given and not kept. */
static void keep(struct gs_server *s, const struct gs_server_kept *what, struct gs_http_request *r,
                 const char *id)
{
    struct gs_server_again *t = &s->again;
    struct gs_server_kept *k = make_room(t, 1, 0) ? gs_alloc_zero(sizeof(*k)) : NULL;

    if (!k)
        return;
    *k = *what;
    k->server = s;
    k->table = t;
    k->http = r;
    snprintf(k->id, sizeof(k->id), "%s", id);
    gs_buf_init(&k->lines, MAX_LINES_BYTES);
    gs_buf_init(&k->bytes, MAX_BYTES);
    k->older = t->newest;
    *(k->older ? &k->older->newer : &t->oldest) = k;
    t->newest = k;
    t->n++;
    const struct gs_http_tap tap = {k, on_header, on_head, on_bytes, on_end, on_left};
    gs_http_request_tap(r, &tap);
}

bool gs_server_again_join(struct gs_server *s, struct gs_http_request *r, const char *path,
                          const char *id)
{
    struct gs_server_kept what = {0};
    char detail[64];

    if (!identify(&s->again, r, path, &what))
        return false;
    struct gs_server_kept *k = find(&s->again, &what);
    if (!k)
        keep(s, &what, r, id);
    if (!k || !listen_to(k, r))
        return false;
    snprintf(detail, sizeof(detail), "same as %s", k->id);
    gs_server_reply_log(s, gs_http_request_head(r)->method, gs_slice_str(path),
                        k->status ? k->status : 200, id, detail);
    gs_server_gauges_count(s, &(struct gs_usage){0}, 200);
    feed(k->listeners);
    return true;
}

void gs_server_again_fail(struct gs_server *s, const struct gs_http_request *r)
{
    for (struct gs_server_kept *k = s->again.newest; k; k = k->older)
        k->has_failed = k->has_failed || k->http == r;
}

/* ---- life ---- */

enum gs_status gs_server_again_start(struct gs_server *s, struct gs_error *err)
{
    s->again.seed = gs_os_random_u64();
    return gs_http_timer_create(s->loop, on_timer, &s->again, &s->again.timer, err);
}

void gs_server_again_stop(struct gs_server *s)
{
    while (s->again.newest)
        free_kept(s->again.newest);
    gs_http_timer_free(s->again.timer);
}
