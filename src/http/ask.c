/* HTTP/1.0, so that the answer's end is the connection's. Over TLS the server must show the one
 * certificate that is expected: its name does not matter then. */
#include "http/get.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/slice.h"
#include "http/address.h"

#define MAX_ANSWER_BYTES (16 * GS_MIB)

struct get {
    const struct gs_http_get *q;
    int fd;
    SSL_CTX *ctx; /* TLS: both, or neither */
    SSL *ssl;
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

/* ---- TLS ---- */

/* After a call that returned n <= 0: wait until it is worth trying again. */
static enum gs_status wait_for_tls(const struct get *g, int n, struct gs_error *err)
{
    const int why = SSL_get_error(g->ssl, n);

    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
        return wait_for(g, why == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, err);
    const long verdict = SSL_get_verify_result(g->ssl);
    const char *reason = verdict == X509_V_OK ? ERR_reason_error_string(ERR_peek_last_error())
                                              : X509_verify_cert_error_string(verdict);
    gs_error_set(err, GS_EIO, "TLS with %s port %d failed: %s", g->q->host, g->q->port,
                 reason ? reason : "the connection broke off");
    ERR_clear_error();
    return GS_EIO;
}

static enum gs_status start_tls(struct get *g, struct gs_error *err)
{
    g->ctx = SSL_CTX_new(TLS_client_method());
    if (!g->ctx)
        return gs_error_nomem(err, "ask the server");
    SSL_CTX_set_min_proto_version(g->ctx, TLS1_2_VERSION);
    SSL_CTX_set_verify(g->ctx, SSL_VERIFY_PEER, NULL);
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(g->ctx), X509_V_FLAG_PARTIAL_CHAIN);
    if (SSL_CTX_load_verify_locations(g->ctx, g->q->tls_cert, NULL) != 1) {
        ERR_clear_error();
        return gs_error_set(err, GS_EFORMAT, "certificate file \"%s\" holds no certificate",
                            g->q->tls_cert);
    }
    g->ssl = SSL_new(g->ctx);
    if (!g->ssl || SSL_set_fd(g->ssl, g->fd) != 1)
        return gs_error_nomem(err, "ask the server");
    for (int n = SSL_connect(g->ssl); n != 1; n = SSL_connect(g->ssl)) {
        const enum gs_status st = wait_for_tls(g, n, err);
        if (st != GS_OK)
            return st;
    }
    return GS_OK;
}

/* ---- bytes ---- */

/* Send some, or wait; *n is 0 then. */
static enum gs_status send_some(const struct get *g, struct gs_slice bytes, size_t *n,
                                struct gs_error *err)
{
    *n = 0;
    if (g->ssl) {
        const int sent = SSL_write(g->ssl, bytes.ptr, (int)bytes.len);
        *n = sent > 0 ? (size_t)sent : 0;
        return sent > 0 ? GS_OK : wait_for_tls(g, sent, err);
    }
    const ssize_t sent = send(g->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR)
        return gs_error_errno(err, GS_EIO, errno, "could not send the request");
    *n = sent > 0 ? (size_t)sent : 0;
    return sent > 0 ? GS_OK : wait_for(g, POLLOUT, err);
}

/* Read some, find the end, or wait; *n is 0 then. */
static enum gs_status read_some(const struct get *g, char *chunk, size_t cap, size_t *n,
                                bool *is_end, struct gs_error *err)
{
    *n = 0;
    if (g->ssl) {
        const int got = SSL_read(g->ssl, chunk, (int)cap);
        *n = got > 0 ? (size_t)got : 0;
        *is_end = got <= 0 && SSL_get_error(g->ssl, got) == SSL_ERROR_ZERO_RETURN;
        return got > 0 || *is_end ? GS_OK : wait_for_tls(g, got, err);
    }
    const ssize_t got = recv(g->fd, chunk, cap, 0);
    if (got < 0 && errno != EAGAIN && errno != EINTR)
        return gs_error_errno(err, GS_EIO, errno, "could not read the server's answer");
    *n = got > 0 ? (size_t)got : 0;
    *is_end = got == 0;
    return got >= 0 ? GS_OK : wait_for(g, POLLIN, err);
}

static enum gs_status send_all(const struct get *g, struct gs_slice bytes, struct gs_error *err)
{
    while (bytes.len > 0) {
        size_t n;
        const enum gs_status st = send_some(g, bytes, &n, err);
        if (st != GS_OK)
            return st;
        bytes = gs_slice_sub(bytes, n, bytes.len);
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
    bool is_end = false;

    while (!is_end) {
        size_t n;
        const enum gs_status st = read_some(g, chunk, sizeof(chunk), &n, &is_end, err);
        if (st != GS_OK)
            return st;
        gs_buf_put(b, chunk, n);
    }
    return gs_buf_ok(b) ? GS_OK : gs_error_nomem(err, "hold the server's answer");
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
    if (st == GS_OK && q->tls_cert)
        st = start_tls(&g, err);
    if (st == GS_OK)
        st = send_request(&g, err);
    if (st == GS_OK)
        st = read_all(&g, &answer, err);
    if (st == GS_OK)
        st = take_body(gs_buf_view(&answer), out_status, body, err);
    SSL_free(g.ssl);
    SSL_CTX_free(g.ctx);
    if (g.fd >= 0)
        close(g.fd);
    gs_buf_clear(&answer);
    return st;
}
