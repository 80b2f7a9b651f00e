/* Short answers, and the access log. */
#include <stdio.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/os.h"
#include "base/slice.h"
#include "server/state.h"

#define RETRY_AFTER_S "2"

void gs_server_reply_id(struct gs_http_request *r, char id[GS_SERVER_ID_BYTES])
{
    snprintf(id, GS_SERVER_ID_BYTES, "req_%016llx%08llx", (unsigned long long)gs_os_random_u64(),
             (unsigned long long)gs_os_random_u64() >> 32);
    gs_http_header(r, "request-id", gs_slice_str(id));
    gs_http_header(r, "x-request-id", gs_slice_str(id));
}

void gs_server_reply_log(struct gs_server *s, const struct gs_http_head *head, int status,
                         const char *id, const char *detail)
{
    gs_log_write(s->opt.log, GS_LOG_INFO, "http", "%s %.*s %d %s%s%s",
                 gs_http_method_name(head->method), (int)GS_MIN(head->path.len, 200),
                 head->path.len ? head->path.ptr : "", status, id, *detail ? " " : "", detail);
}

void gs_server_reply_error(struct gs_server *s, struct gs_http_request *r,
                           const struct gs_dialect *dialect, const char *id, int status,
                           const struct gs_error *err)
{
    struct gs_buf b;

    gs_server_reply_log(s, gs_http_request_head(r), status, id, err->msg);
    if (status == 429 || status == 503 || status == 529)
        gs_http_header(r, "Retry-After", GS_SLICE_LIT(RETRY_AFTER_S));
    gs_buf_init(&b, 64 * GS_KIB);
    dialect->write_error(status, err, gs_slice_str(id), &b);
    gs_http_respond(r, status, "application/json",
                    gs_buf_ok(&b) ? gs_buf_view(&b) : GS_SLICE_LIT("{}"));
    gs_buf_clear(&b);
}

void gs_server_reply_json(struct gs_server *s, struct gs_http_request *r, struct gs_buf *body)
{
    const int status = gs_buf_ok(body) ? 200 : 500;

    gs_server_reply_log(s, gs_http_request_head(r), status, "", "");
    gs_http_respond(r, status, "application/json",
                    gs_buf_ok(body) ? gs_buf_view(body) : GS_SLICE_LIT("{}"));
    gs_buf_clear(body);
}

void gs_server_reply_text(struct gs_server *s, struct gs_http_request *r, int status,
                          const char *text)
{
    gs_server_reply_log(s, gs_http_request_head(r), status, "", "");
    gs_http_respond(r, status, *text ? "text/plain; charset=utf-8" : NULL, gs_slice_str(text));
}
