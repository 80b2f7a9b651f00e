/* Short answers, and the access log. */

#include "base/alloc.h"
#include "base/clock.h"
#include "base/format.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/map.h"
#include "base/os.h"
#include "base/slice.h"
#include "http/loop.h"
#include "server/state.h"

#define RETRY_AFTER_S     2
#define MAX_RETRY_AFTER_S 60 /* longer ones SDKs do not heed, and agents sit out */

/* An error that is told a little later; gone with its client. */
struct late {
    struct gs_server *server;
    struct gs_http_request *http;
    struct gs_http_timer *timer;
    const struct gs_dialect *dialect;
    char id[GS_SERVER_ID_BYTES];
    struct gs_error err;
};

void gs_server_reply_id(struct gs_http_request *r, char id[GS_SERVER_ID_BYTES])
{
    /* 11 digits of milliseconds: what is near in time is near in the ledger's indexes; 52 bits that
     * nobody guesses: who knows the id of a response may read it */
    gs_format(id, GS_SERVER_ID_BYTES, "req_%011llx%013llx",
              (unsigned long long)(gs_clock_wall_us() / 1000) & 0xfffffffffff,
              (unsigned long long)gs_os_random_u64() >> 12);
    gs_http_header(r, "request-id", gs_slice_str(id));
    gs_http_header(r, "x-request-id", gs_slice_str(id));
}

void gs_server_reply_log(struct gs_server *s, enum gs_http_method method, struct gs_slice path,
                         int status, const char *id, const char *detail)
{
    gs_log_write(s->opt.log, GS_LOG_INFO, "http", "%s %.*s %d %s%s%s", gs_http_method_name(method),
                 (int)GS_MIN(path.len, 200), path.len ? path.ptr : "", status, id,
                 *detail ? " " : "", detail);
}

static void log_head(struct gs_server *s, const struct gs_http_request *r, int status,
                     const char *id, const char *detail)
{
    const struct gs_http_head *head = gs_http_request_head(r);

    gs_server_reply_log(s, head->method, head->path, status, id, detail);
}

static void tell_wait(struct gs_http_request *r, const struct gs_error *err)
{
    const bool is_known = err->code == GS_EBUSY && err->needed > 0;
    char text[24];

    gs_format(text, sizeof(text), "%lld",
              is_known ? GS_MIN(err->needed, MAX_RETRY_AFTER_S) : RETRY_AFTER_S);
    gs_http_header(r, "Retry-After", gs_slice_str(text));
}

void gs_server_reply_error(struct gs_server *s, struct gs_http_request *r,
                           const struct gs_dialect *dialect, const char *id, int status,
                           const struct gs_error *err)
{
    struct gs_buf b;

    log_head(s, r, status, id, err->msg);
    gs_server_gauges_count(s, &(struct gs_usage){0}, status);
    if (status == 429 || status == 503 || status == 529)
        tell_wait(r, err);
    if (status == 401 || err->code == GS_EIO || err->code == GS_ECONFIG ||
        (err->code == GS_EUPSTREAM && err->needed > 0))
        gs_http_header(r, "x-should-retry",
                       GS_SLICE_LIT("false")); /* Anthropic's clients heed it */
    gs_buf_init(&b, 64 * GS_KIB);
    dialect->write_error(status, err, gs_slice_str(id), &b);
    gs_http_respond(r, status, "application/json",
                    gs_buf_ok(&b) ? gs_buf_view(&b) : GS_SLICE_LIT("{}"));
    gs_buf_clear(&b);
}

static void late_free(struct late *l)
{
    gs_http_timer_free(l->timer);
    gs_free(l);
}

static void late_gone(void *ud)
{
    late_free(ud);
}

static void late_due(void *ud)
{
    struct late *l = ud;

    gs_http_request_watch(l->http, NULL, NULL, NULL);
    gs_server_reply_error(l->server, l->http, l->dialect, l->id,
                          gs_dialect_status(l->dialect, &l->err), &l->err);
    late_free(l);
}

static bool reply_late(const struct late *what)
{
    struct late *l = gs_alloc(sizeof(*l));

    if (!l)
        return false;
    *l = *what;
    if (gs_http_timer_create(l->server->loop, late_due, l, &l->timer, NULL) != GS_OK) {
        gs_free(l);
        return false;
    }
    gs_http_request_watch(l->http, late_gone, NULL, l);
    gs_http_timer_start(l->timer, l->server->opt.late_ms);
    return true;
}

/* As far as the server can tell clients of one machine apart. */
static uint64_t who_asks(const struct gs_http_head *head)
{
    const struct gs_slice agent = gs_http_head_get(head, "user-agent");

    return gs_hash_bytes(agent.ptr, agent.len, gs_hash_bytes(head->path.ptr, head->path.len, 0));
}

void gs_server_reply_failure(struct gs_server *s, struct gs_http_request *r,
                             const struct gs_dialect *dialect, const char *id,
                             const struct gs_error *err)
{
    struct late late = {.server = s, .http = r, .dialect = dialect, .err = *err};

    gs_format(late.id, sizeof(late.id), "%s", id);
    if (err->code == GS_ECONTEXT &&
        gs_server_repeats_note(&s->repeats, who_asks(gs_http_request_head(r)),
                               gs_clock_mono_us()) &&
        reply_late(&late))
        return;
    gs_server_reply_error(s, r, dialect, id, gs_dialect_status(dialect, err), err);
}

void gs_server_reply_json(struct gs_server *s, struct gs_http_request *r, struct gs_buf *body)
{
    const int status = gs_buf_ok(body) ? 200 : 500;

    log_head(s, r, status, "", "");
    gs_http_respond(r, status, "application/json",
                    gs_buf_ok(body) ? gs_buf_view(body) : GS_SLICE_LIT("{}"));
    gs_buf_clear(body);
}

void gs_server_reply_text(struct gs_server *s, struct gs_http_request *r, int status,
                          const char *text)
{
    log_head(s, r, status, "", "");
    gs_http_respond(r, status, *text ? "text/plain; charset=utf-8" : NULL, gs_slice_str(text));
}
