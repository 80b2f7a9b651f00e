/* HTTP/1.0, so that the answer's end is the connection's. */
#include "http/get.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/slice.h"
#include "http/address.h"

#define MAX_ANSWER_BYTES (16 * GS_MIB)

struct get {
    const struct gs_http_get *q;
    int fd;
    int64_t until_us;
};

static enum gs_status wait_for(const struct get *g, short events, struct gs_error *err)
{
    struct pollfd p = {.fd = g->fd, .events = events};

    for (;;) {
        const int64_t left_ms = (g->until_us - gs_clock_mono_us()) / 1000;
        const int n = left_ms > 0 ? poll(&p, 1, (int)GS_MIN(left_ms, 60000)) : 0;
        if (n > 0)
            return GS_OK;
        if (left_ms <= 0)
            return gs_error_set(err, GS_EBUSY, "the server did not answer in time");
        if (n < 0 && errno != EINTR)
            return gs_error_errno(err, GS_EIO, errno, "could not wait for the server");
    }
}

static enum gs_status connect_to(struct get *g, struct gs_error *err)
{
    union gs_http_address a;
    socklen_t len;
    int errnum = 0;
    socklen_t n = sizeof(errnum);
    enum gs_status st = gs_http_address_parse(g->q->host, g->q->port, &a, &len, err);

    if (st != GS_OK)
        return st;
    g->fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (g->fd < 0)
        return gs_error_errno(err, GS_EIO, errno, "could not create a socket");
    if (connect(g->fd, &a.any, len) != 0 && errno != EINPROGRESS) {
        errnum = errno;
    } else {
        st = wait_for(g, POLLOUT, err);
        if (st != GS_OK)
            return st;
        getsockopt(g->fd, SOL_SOCKET, SO_ERROR, &errnum, &n);
    }
    if (errnum)
        return gs_error_errno(err, errnum == ECONNREFUSED ? GS_ENOTFOUND : GS_EIO, errnum,
                              "could not connect to %s port %d", g->q->host, g->q->port);
    return GS_OK;
}

static enum gs_status send_all(const struct get *g, struct gs_slice bytes, struct gs_error *err)
{
    while (bytes.len > 0) {
        const ssize_t n = send(g->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
        if (n >= 0) {
            bytes = gs_slice_sub(bytes, (size_t)n, bytes.len);
            continue;
        }
        if (errno != EAGAIN && errno != EINTR)
            return gs_error_errno(err, GS_EIO, errno, "could not send the request");
        const enum gs_status st = wait_for(g, POLLOUT, err);
        if (st != GS_OK)
            return st;
    }
    return GS_OK;
}

static enum gs_status send_request(const struct get *g, struct gs_error *err)
{
    const char *key = g->q->key;
    struct gs_buf b;
    enum gs_status st;

    gs_buf_init(&b, 64 * GS_KIB);
    gs_buf_printf(&b, "GET %s HTTP/1.0\r\nHost: localhost\r\n%s%s%s\r\n", g->q->path,
                  key ? "Authorization: Bearer " : "", key ? key : "", key ? "\r\n" : "");
    st = gs_buf_ok(&b) ? send_all(g, gs_buf_view(&b), err) : gs_error_nomem(err, "ask the server");
    gs_buf_clear(&b);
    return st;
}

static enum gs_status read_all(const struct get *g, struct gs_buf *b, struct gs_error *err)
{
    char chunk[8192];

    for (;;) {
        const ssize_t n = recv(g->fd, chunk, sizeof(chunk), 0);
        if (n == 0)
            return gs_buf_ok(b) ? GS_OK : gs_error_nomem(err, "hold the server's answer");
        if (n > 0) {
            gs_buf_put(b, chunk, (size_t)n);
            continue;
        }
        if (errno != EAGAIN && errno != EINTR)
            return gs_error_errno(err, GS_EIO, errno, "could not read the server's answer");
        const enum gs_status st = wait_for(g, POLLIN, err);
        if (st != GS_OK)
            return st;
    }
}

/* "HTTP/1.1 200 OK", header lines, an empty line, the body. */
static enum gs_status take_body(struct gs_slice answer, int *out_status, struct gs_buf *body,
                                struct gs_error *err)
{
    const size_t end = gs_slice_find(answer, GS_SLICE_LIT("\r\n\r\n"), 0);
    int64_t status = 0;

    if (end == SIZE_MAX || !gs_slice_starts(answer, GS_SLICE_LIT("HTTP/1.")) ||
        !gs_slice_to_i64(gs_slice_sub(answer, 9, 12), &status) || status < 100 || status > 999)
        return gs_error_set(err, GS_EFORMAT, "the server's answer is no HTTP");
    gs_buf_slice(body, gs_slice_sub(answer, end + 4, answer.len));
    if (!gs_buf_ok(body))
        return gs_error_nomem(err, "hold the server's answer");
    *out_status = (int)status;
    return GS_OK;
}

enum gs_status gs_http_get(const struct gs_http_get *q, int *out_status, struct gs_buf *body,
                           struct gs_error *err)
{
    struct get g = {.q = q, .fd = -1, .until_us = gs_clock_mono_us() + q->timeout_ms * 1000};
    struct gs_buf answer;

    gs_buf_init(&answer, MAX_ANSWER_BYTES);
    enum gs_status st = connect_to(&g, err);
    if (st == GS_OK)
        st = send_request(&g, err);
    if (st == GS_OK)
        st = read_all(&g, &answer, err);
    if (st == GS_OK)
        st = take_body(gs_buf_view(&answer), out_status, body, err);
    if (g.fd >= 0)
        close(g.fd);
    gs_buf_clear(&answer);
    return st;
}
