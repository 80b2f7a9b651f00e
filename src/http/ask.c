/* HTTP/1.0, so that the answer's end is the connection's. Over TLS the server must show the one
 * certificate that is expected: its name does not matter then. */
#include "http/ask.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/slice.h"
#include "http/address.h"

#define MAX_ANSWER_BYTES   (16 * GS_MIB)
#define MAX_QUESTION_BYTES (64 * GS_KIB)

struct link {
    const struct gs_http_question *q;
    int fd;
    SSL_CTX *ctx; /* TLS: both, or neither */
    SSL *ssl;
    int64_t until_us;
};

static enum gs_status wait_for(const struct link *l, short events, struct gs_error *err)
{
    struct pollfd p = {.fd = l->fd, .events = events};

    for (;;) {
        const int64_t left_ms = (l->until_us - gs_clock_mono_us()) / 1000;
        const int n = left_ms > 0 ? poll(&p, 1, (int)GS_MIN(left_ms, 60000)) : 0;
        if (n > 0)
            return GS_OK;
        if (left_ms <= 0)
            return gs_error_set(err, GS_EBUSY, "the server did not answer in time");
        if (n < 0 && errno != EINTR)
            return gs_error_errno(err, GS_EIO, errno, "could not wait for the server");
    }
}

static enum gs_status connect_to(struct link *l, struct gs_error *err)
{
    union gs_http_address a;
    socklen_t len;
    int errnum = 0;
    socklen_t n = sizeof(errnum);
    enum gs_status st = gs_http_address_parse(l->q->host, l->q->port, &a, &len, err);

    if (st != GS_OK)
        return st;
    l->fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (l->fd < 0)
        return gs_error_errno(err, GS_EIO, errno, "could not create a socket");
    if (connect(l->fd, &a.any, len) != 0 && errno != EINPROGRESS) {
        errnum = errno;
    } else {
        st = wait_for(l, POLLOUT, err);
        if (st != GS_OK)
            return st;
        getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &errnum, &n);
    }
    if (errnum)
        return gs_error_errno(err, errnum == ECONNREFUSED ? GS_ENOTFOUND : GS_EIO, errnum,
                              "could not connect to %s port %d", l->q->host, l->q->port);
    return GS_OK;
}

/* ---- TLS ---- */

/* After a call that returned n <= 0: wait until it is worth trying again. */
static enum gs_status wait_for_tls(const struct link *l, int n, struct gs_error *err)
{
    const int why = SSL_get_error(l->ssl, n);

    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
        return wait_for(l, why == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, err);
    const long verdict = SSL_get_verify_result(l->ssl);
    const char *reason = verdict == X509_V_OK ? ERR_reason_error_string(ERR_peek_last_error())
                                              : X509_verify_cert_error_string(verdict);
    gs_error_set(err, GS_EIO, "TLS with %s port %d failed: %s", l->q->host, l->q->port,
                 reason ? reason : "the connection broke off");
    ERR_clear_error();
    return GS_EIO;
}

static enum gs_status start_tls(struct link *l, struct gs_error *err)
{
    l->ctx = SSL_CTX_new(TLS_client_method());
    if (!l->ctx)
        return gs_error_nomem(err, "ask the server");
    SSL_CTX_set_min_proto_version(l->ctx, TLS1_2_VERSION);
    SSL_CTX_set_verify(l->ctx, SSL_VERIFY_PEER, NULL);
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(l->ctx), X509_V_FLAG_PARTIAL_CHAIN);
    if (SSL_CTX_load_verify_locations(l->ctx, l->q->tls_cert, NULL) != 1) {
        ERR_clear_error();
        return gs_error_set(err, GS_EFORMAT, "certificate file \"%s\" holds no certificate",
                            l->q->tls_cert);
    }
    l->ssl = SSL_new(l->ctx);
    if (!l->ssl || SSL_set_fd(l->ssl, l->fd) != 1)
        return gs_error_nomem(err, "ask the server");
    for (int n = SSL_connect(l->ssl); n != 1; n = SSL_connect(l->ssl)) {
        const enum gs_status st = wait_for_tls(l, n, err);
        if (st != GS_OK)
            return st;
    }
    return GS_OK;
}

/* ---- bytes ---- */

/* Send some, or wait; *n is 0 then. */
static enum gs_status send_some(const struct link *l, struct gs_slice bytes, size_t *n,
                                struct gs_error *err)
{
    *n = 0;
    if (l->ssl) {
        const int sent = SSL_write(l->ssl, bytes.ptr, (int)bytes.len);
        *n = sent > 0 ? (size_t)sent : 0;
        return sent > 0 ? GS_OK : wait_for_tls(l, sent, err);
    }
    const ssize_t sent = send(l->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR)
        return gs_error_errno(err, GS_EIO, errno, "could not send the request");
    *n = sent > 0 ? (size_t)sent : 0;
    return sent > 0 ? GS_OK : wait_for(l, POLLOUT, err);
}

/* Read some, find the end, or wait; *n is 0 then. */
static enum gs_status read_some(const struct link *l, char *chunk, size_t cap, size_t *n,
                                bool *is_end, struct gs_error *err)
{
    *n = 0;
    if (l->ssl) {
        const int got = SSL_read(l->ssl, chunk, (int)cap);
        *n = got > 0 ? (size_t)got : 0;
        *is_end = got <= 0 && SSL_get_error(l->ssl, got) == SSL_ERROR_ZERO_RETURN;
        return got > 0 || *is_end ? GS_OK : wait_for_tls(l, got, err);
    }
    const ssize_t got = recv(l->fd, chunk, cap, 0);
    if (got < 0 && errno != EAGAIN && errno != EINTR)
        return gs_error_errno(err, GS_EIO, errno, "could not read the server's answer");
    *n = got > 0 ? (size_t)got : 0;
    *is_end = got == 0;
    return got >= 0 ? GS_OK : wait_for(l, POLLIN, err);
}

static enum gs_status send_all(const struct link *l, struct gs_slice bytes, struct gs_error *err)
{
    while (bytes.len > 0) {
        size_t n;
        const enum gs_status st = send_some(l, bytes, &n, err);
        if (st != GS_OK)
            return st;
        bytes = gs_slice_sub(bytes, n, bytes.len);
    }
    return GS_OK;
}

static enum gs_status send_request(const struct link *l, struct gs_error *err)
{
    const struct gs_http_question *q = l->q;
    struct gs_buf b;

    gs_buf_init(&b, MAX_QUESTION_BYTES);
    gs_buf_printf(&b, "%s %s HTTP/1.0\r\nHost: localhost\r\n", q->json ? "POST" : "GET", q->path);
    if (q->key)
        gs_buf_printf(&b, "Authorization: Bearer %s\r\n", q->key);
    if (q->json)
        gs_buf_printf(&b, "Content-Type: application/json\r\nContent-Length: %zu\r\n",
                      strlen(q->json));
    gs_buf_printf(&b, "\r\n%s", q->json ? q->json : "");
    const enum gs_status st =
        gs_buf_ok(&b) ? send_all(l, gs_buf_view(&b), err) : gs_error_nomem(err, "ask the server");
    gs_buf_clear(&b);
    return st;
}

static enum gs_status read_all(const struct link *l, struct gs_buf *b, struct gs_error *err)
{
    char chunk[8192];
    bool is_end = false;

    while (!is_end) {
        size_t n;
        const enum gs_status st = read_some(l, chunk, sizeof(chunk), &n, &is_end, err);
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

enum gs_status gs_http_ask(const struct gs_http_question *q, int *out_status, struct gs_buf *body,
                           struct gs_error *err)
{
    struct link l = {.q = q, .fd = -1, .until_us = gs_clock_mono_us() + q->timeout_ms * 1000};
    struct gs_buf answer;

    gs_buf_init(&answer, MAX_ANSWER_BYTES);
    enum gs_status st = connect_to(&l, err);
    if (st == GS_OK && q->tls_cert)
        st = start_tls(&l, err);
    if (st == GS_OK)
        st = send_request(&l, err);
    if (st == GS_OK)
        st = read_all(&l, &answer, err);
    if (st == GS_OK)
        st = take_body(gs_buf_view(&answer), out_status, body, err);
    SSL_free(l.ssl);
    SSL_CTX_free(l.ctx);
    if (l.fd >= 0)
        close(l.fd);
    gs_buf_clear(&answer);
    return st;
}
