/* Bodies that are received in pieces. Each goes to the backend when that has taken the one before,
 * and waits in ex->out, which is free until there is an answer. */
#include "base/error.h"
#include "server/state.h"
#include "switch/switch.h"

static bool on_piece(void *ud, struct gs_slice piece, bool is_last)
{
    struct gs_server_exchange *ex = ud;
    struct gs_error err = {0};

    gs_buf_slice(&ex->out, piece);
    if (gs_buf_ok(&ex->out)) {
        gs_switch_call_feed(ex->call, gs_buf_view(&ex->out), is_last);
        return false;
    }
    gs_error_nomem(&err, "receive the body");
    gs_server_exchange_fail(ex, &err);
    return false;
}

void gs_server_upload_begin(struct gs_server_exchange *ex)
{
    gs_http_request_receive(ex->http, on_piece, ex);
}

void gs_server_upload_go_on(struct gs_server_exchange *ex)
{
    gs_buf_reset(&ex->out);
    gs_http_request_more(ex->http);
}
