/* TLS 1.2 and later through OpenSSL, between the socket and the same buffers that conn.c has
 * without it. */
#include "http/tls.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "base/alloc.h"
#include "base/error.h"

struct gs_http_tls {
    SSL_CTX *ctx;
};

/* Nobody is asked for a passphrase. */
static int no_passphrase(char *buf, int size, int rwflag, void *ud)
{
    bool *const was_asked = ud;

    (void)buf;
    (void)size;
    (void)rwflag;
    *was_asked = true;
    return -1;
}

static enum gs_status check_file(const char *what, const char *path, struct gs_error *err)
{
    if (access(path, R_OK) == 0)
        return GS_OK;
    return gs_error_errno(err, errno == ENOENT ? GS_ENOTFOUND : GS_EIO, errno,
                          "could not open %s file \"%s\"", what, path);
}

/* What OpenSSL says of a file, in brackets. */
static enum gs_status fail(struct gs_error *err, const char *what, const char *path,
                           const char *problem)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    gs_error_set(err, GS_EFORMAT, "%s file \"%s\" %s%s%s%s", what, path, problem,
                 reason ? " (" : "", reason ? reason : "", reason ? ")" : "");
    ERR_clear_error();
    return GS_EFORMAT;
}

static enum gs_status load_cert(SSL_CTX *ctx, const char *path, struct gs_error *err)
{
    const enum gs_status st = check_file("certificate", path, err);

    if (st != GS_OK)
        return st;
    if (SSL_CTX_use_certificate_chain_file(ctx, path) != 1) {
        fail(err, "certificate", path, "holds no certificate in PEM form");
        return GS_EFORMAT;
    }
    if (X509_cmp_current_time(X509_get0_notAfter(SSL_CTX_get0_certificate(ctx))) < 0) {
        gs_error_set(err, GS_EFORMAT, "the certificate in file \"%s\" has expired", path);
        gs_error_hint(err, "Clients would refuse it: put a new one in its place.");
        return GS_EFORMAT;
    }
    return GS_OK;
}

static enum gs_status load_key(SSL_CTX *ctx, const char *path, const char *cert_path,
                               struct gs_error *err)
{
    bool was_asked = false;
    const enum gs_status st = check_file("key", path, err);

    if (st != GS_OK)
        return st;
    SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
    SSL_CTX_set_default_passwd_cb_userdata(ctx, &was_asked);
    const bool is_loaded = SSL_CTX_use_PrivateKey_file(ctx, path, SSL_FILETYPE_PEM) == 1;
    SSL_CTX_set_default_passwd_cb_userdata(ctx, NULL);
    SSL_CTX_set_default_passwd_cb(ctx, NULL);
    if (was_asked) {
        ERR_clear_error();
        gs_error_set(err, GS_EFORMAT, "key file \"%s\" is protected by a passphrase", path);
        gs_error_hint(err, "Write it without one: openssl pkey -in FILE -out NEW.");
        return GS_EFORMAT;
    }
    if (is_loaded && SSL_CTX_check_private_key(ctx) == 1)
        return GS_OK;
    if (!is_loaded && ERR_GET_REASON(ERR_peek_last_error()) != X509_R_KEY_VALUES_MISMATCH)
        return fail(err, "key", path, "holds no private key in PEM form");
    ERR_clear_error();
    return gs_error_set(err, GS_EFORMAT,
                        "the key in file \"%s\" is not that of the certificate in \"%s\"", path,
                        cert_path);
}

enum gs_status gs_http_tls_create(const char *cert_path, const char *key_path,
                                  struct gs_http_tls **out_tls, struct gs_error *err)
{
    struct gs_http_tls *tls = gs_alloc_zero(sizeof(*tls));

    if (!tls)
        return gs_error_nomem(err, "prepare TLS");
    ERR_clear_error();
    tls->ctx = SSL_CTX_new(TLS_server_method());
    enum gs_status st = tls->ctx ? GS_OK : gs_error_nomem(err, "prepare TLS");
    if (st == GS_OK) {
        SSL_CTX_set_min_proto_version(tls->ctx, TLS1_2_VERSION);
        SSL_CTX_set_options(tls->ctx, SSL_OP_NO_RENEGOTIATION);
        SSL_CTX_set_mode(tls->ctx, SSL_MODE_RELEASE_BUFFERS); /* of connections that wait */
        st = load_cert(tls->ctx, cert_path, err);
    }
    if (st == GS_OK)
        st = load_key(tls->ctx, key_path, cert_path, err);
    if (st != GS_OK) {
        gs_http_tls_free(tls);
        return st;
    }
    *out_tls = tls;
    return GS_OK;
}

void gs_http_tls_free(struct gs_http_tls *tls)
{
    if (!tls)
        return;
    SSL_CTX_free(tls->ctx);
    gs_free(tls);
}

struct bufferevent *gs_http_tls_accept(struct gs_http_tls *tls, struct event_base *base, int fd)
{
    SSL *ssl = SSL_new(tls->ctx);

    if (!ssl)
        return NULL;
    struct bufferevent *bev = bufferevent_openssl_socket_new(
        base, fd, ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
    if (!bev) /* which has released ssl */
        return NULL;
    /* A length or a last chunk ends each of our messages: an end of file tells enough of a client.
     */
    bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
    return bev;
}

void gs_http_tls_end(struct bufferevent *bev)
{
    SSL *ssl = bufferevent_openssl_get_ssl(bev);

    if (ssl && SSL_is_init_finished(ssl))
        SSL_shutdown(ssl);
    ERR_clear_error();
}
