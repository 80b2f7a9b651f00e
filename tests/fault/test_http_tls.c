/* HTTPS: answers small and large, clients that send garbage, stop half-way or go, certificates that
 * are none. The certificates are made here. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/os.h"
#include "base/rng.h"
#include "base/thread.h"
#include "http/ask.h"
#include "http/http.h"
#include "http/loop.h"
#include "net_test.h"

#define FLOOD_BYTES ((size_t)4 << 20)

static struct {
    char dir[64];
    char cert[96], key[96], other_key[96], old_cert[96], locked_key[96], junk[96];
} files;

struct fixture {
    struct gs_http_loop *loop;
    struct gs_http_server *server;
    struct gs_http_watch *stop_watch;
    int stop_fd;
    pthread_t thread;
    int port;
    struct gs_http_request *flood;
    size_t flood_sent;
};

/* ---- certificates ---- */

static EVP_PKEY *make_key(const char *path, const char *passphrase)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    FILE *fp = fopen(path, "w");

    assert_non_null(key);
    assert_non_null(fp);
    assert_int_equal(PEM_write_PrivateKey(fp, key, passphrase ? EVP_aes_128_cbc() : NULL,
                                          (const unsigned char *)passphrase,
                                          passphrase ? (int)strlen(passphrase) : 0, NULL, NULL),
                     1);
    fclose(fp);
    return key;
}

static void make_cert(const char *path, EVP_PKEY *key, long from_s, long to_s)
{
    X509 *cert = X509_new();
    X509_NAME *name = X509_get_subject_name(cert);
    FILE *fp = fopen(path, "w");

    assert_non_null(fp);
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), from_s);
    X509_gmtime_adj(X509_getm_notAfter(cert), to_s);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1, -1,
                               0);
    X509_set_issuer_name(cert, name);
    X509_set_pubkey(cert, key);
    assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
    assert_int_equal(PEM_write_X509(fp, cert), 1);
    fclose(fp);
    X509_free(cert);
}

static int make_files(void **state)
{
    struct gs_error err;

    (void)state;
    snprintf(files.dir, sizeof(files.dir), "/tmp/genset-tls-XXXXXX");
    assert_non_null(mkdtemp(files.dir));
    snprintf(files.cert, sizeof(files.cert), "%s/cert.pem", files.dir);
    snprintf(files.key, sizeof(files.key), "%s/key.pem", files.dir);
    snprintf(files.other_key, sizeof(files.other_key), "%s/other.pem", files.dir);
    snprintf(files.old_cert, sizeof(files.old_cert), "%s/old.pem", files.dir);
    snprintf(files.locked_key, sizeof(files.locked_key), "%s/locked.pem", files.dir);
    snprintf(files.junk, sizeof(files.junk), "%s/junk.pem", files.dir);
    EVP_PKEY *key = make_key(files.key, NULL);
    make_cert(files.cert, key, -3600, 3600);
    make_cert(files.old_cert, key, -7200, -3600);
    EVP_PKEY_free(key);
    EVP_PKEY_free(make_key(files.other_key, NULL));
    EVP_PKEY_free(make_key(files.locked_key, "sesame"));
    return gs_os_write_file(files.junk, "-----BEGIN", 10, &err) == GS_OK ? 0 : -1;
}

static int remove_files(void **state)
{
    const char *const all[] = {files.cert,     files.key,        files.other_key,
                               files.old_cert, files.locked_key, files.junk};

    (void)state;
    for (size_t i = 0; i < GS_COUNT_OF(all); i++)
        unlink(all[i]);
    return rmdir(files.dir);
}

/* ---- server ---- */

static void flood_more(void *ud)
{
    struct fixture *f = ud;
    static char block[16384];

    while (f->flood_sent < FLOOD_BYTES) {
        if (gs_http_stream_waiting_bytes(f->flood) >= GS_HTTP_HIGH_BYTES)
            return;
        memset(block, 'a' + (int)(f->flood_sent / sizeof(block) % 26), sizeof(block));
        gs_http_stream_write(f->flood, gs_slice(block, sizeof(block)));
        f->flood_sent += sizeof(block);
    }
    gs_http_stream_end(f->flood);
}

static void on_request(void *ud, struct gs_http_request *r)
{
    struct fixture *f = ud;
    const struct gs_slice path = gs_http_request_head(r)->path;

    if (gs_slice_eq_str(path, "/flood")) {
        f->flood = r;
        f->flood_sent = 0;
        gs_http_stream_begin(r, 200, "text/plain");
        gs_http_request_watch(r, NULL, flood_more, f);
        flood_more(f);
    } else if (gs_slice_eq_str(path, "/break")) {
        gs_http_stream_begin(r, 200, "text/plain");
        gs_http_stream_write(r, GS_SLICE_LIT("half"));
        gs_http_stream_break(r, false);
    } else if (gs_http_request_body(r).len > 0) {
        gs_http_respond(r, 200, "text/plain", gs_http_request_body(r));
    } else {
        gs_http_respond(r, 200, "text/plain", GS_SLICE_LIT("hello"));
    }
}

static void on_refuse(void *ud, struct gs_http_request *r, int status, const struct gs_error *err)
{
    (void)ud;
    gs_http_respond(r, status, "text/plain", gs_slice_str(err->msg));
}

static void stop(void *ud)
{
    struct fixture *f = ud;

    gs_http_loop_break(f->loop);
}

static void run(void *arg)
{
    struct fixture *f = arg;

    assert_int_equal(gs_http_loop_run(f->loop, NULL), GS_OK);
}

static void start(struct fixture *f, int64_t head_ms)
{
    struct gs_http_options opt;
    struct gs_error err;

    *f = (struct fixture){.stop_fd = -1};
    gs_http_options_init(&opt);
    opt.tls_cert = files.cert;
    opt.tls_key = files.key;
    opt.head_ms = head_ms;
    opt.handler =
        (struct gs_http_handler){.ud = f, .on_request = on_request, .on_refuse = on_refuse};
    assert_int_equal(gs_http_loop_create(&f->loop, NULL), GS_OK);
    assert_int_equal(gs_os_event_create(&f->stop_fd, NULL), GS_OK);
    assert_int_equal(gs_http_watch_create(f->loop, f->stop_fd, stop, f, &f->stop_watch, NULL),
                     GS_OK);
    if (gs_http_server_create(f->loop, &opt, &f->server, &err) != GS_OK)
        fail_msg("%s", err.msg);
    f->port = gs_http_server_port(f->server);
    assert_int_equal(gs_thread_start(&f->thread, GS_THREAD_LOOP, run, f, NULL), GS_OK);
}

static void finish(struct fixture *f)
{
    gs_os_event_signal(f->stop_fd);
    pthread_join(f->thread, NULL);
    gs_http_server_free(f->server);
    gs_http_watch_free(f->stop_watch);
    gs_http_loop_free(f->loop);
    close(f->stop_fd);
}

/* ---- client ---- */

struct client {
    int fd;
    SSL_CTX *ctx;
    SSL *ssl;
};

static bool client_open(struct client *c, int port, int version)
{
    *c = (struct client){.fd = net_connect(port), .ctx = SSL_CTX_new(TLS_client_method())};
    SSL_CTX_set_min_proto_version(c->ctx, version);
    SSL_CTX_set_max_proto_version(c->ctx, version);
    SSL_CTX_set_security_level(c->ctx, 0); /* to offer what must be refused */
    c->ssl = SSL_new(c->ctx);
    SSL_set_fd(c->ssl, c->fd);
    return SSL_connect(c->ssl) == 1;
}

static void client_close(struct client *c)
{
    SSL_free(c->ssl);
    SSL_CTX_free(c->ctx);
    close(c->fd);
    ERR_clear_error();
}

/* Send, and read until the other side ends; whether it ended as TLS wants it. */
static bool client_ask(struct client *c, const char *request, struct gs_buf *out)
{
    char chunk[16384];
    int n;

    gs_buf_init(out, 64 << 20);
    assert_int_equal(SSL_write(c->ssl, request, (int)strlen(request)), strlen(request));
    while ((n = SSL_read(c->ssl, chunk, sizeof(chunk))) > 0)
        gs_buf_put(out, chunk, (size_t)n);
    return SSL_get_error(c->ssl, n) == SSL_ERROR_ZERO_RETURN;
}

#define GET(path, how) "GET " path " HTTP/1.1\r\nHost: localhost\r\n" how "\r\n"
#define CLOSE          "Connection: close\r\n"

static void check_alive(struct fixture *f)
{
    struct client c;
    struct gs_buf out;

    assert_true(client_open(&c, f->port, TLS1_3_VERSION));
    assert_true(client_ask(&c, GET("/", CLOSE), &out));
    assert_true(net_has(&out, "\r\n\r\nhello"));
    gs_buf_clear(&out);
    client_close(&c);
}

/* ---- tests ---- */

static void test_answers(void **state)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    struct fixture f;

    (void)state;
    start(&f, 20000);
    for (size_t i = 0; i < GS_COUNT_OF(versions); i++) {
        struct client c;
        struct gs_buf out;
        assert_true(client_open(&c, f.port, versions[i]));
        assert_true(client_ask(&c, GET("/", "") GET("/", "") GET("/", CLOSE), &out));
        assert_int_equal(net_count(&out, "\r\n\r\nhello"), 3);
        gs_buf_clear(&out);
        client_close(&c);
        assert_true(client_open(&c, f.port, versions[i]));
        assert_true(client_ask(&c, GET("/flood", CLOSE), &out));
        assert_true(out.len > FLOOD_BYTES);
        assert_true(net_has(&out, "\r\n0\r\n\r\n"));
        gs_buf_clear(&out);
        client_close(&c);
        assert_true(client_open(&c, f.port, versions[i]));
        client_ask(&c, GET("/break", ""), &out);
        assert_true(net_has(&out, "half"));
        assert_false(net_has(&out, "\r\n0\r\n\r\n"));
        gs_buf_clear(&out);
        client_close(&c);
    }
    finish(&f);
}

static void test_old_versions_are_refused(void **state)
{
    struct fixture f;
    struct client c;

    (void)state;
    start(&f, 20000);
    assert_false(client_open(&c, f.port, TLS1_1_VERSION));
    client_close(&c);
    check_alive(&f);
    finish(&f);
}

/* Plain HTTP, noise, and beginnings of handshakes that are damaged or cut. */
static void test_garbage(void **state)
{
    struct fixture f;
    struct gs_rng rng;
    struct gs_buf hello, out;
    char noise[512];

    (void)state;
    start(&f, 20000);
    gs_rng_seed(&rng, 5);
    gs_buf_init(&hello, 1 << 16);
    BIO *wire = BIO_new(BIO_s_mem());
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(ctx);
    BIO *nothing = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl, nothing, wire);
    SSL_connect(ssl); /* writes its first flight */
    char *bytes;
    const long n_hello = BIO_get_mem_data(wire, &bytes);
    gs_buf_put(&hello, bytes, (size_t)n_hello);
    for (int i = 0; i < 200; i++) {
        const int fd = net_connect(f.port);
        const size_t cut = gs_rng_u64(&rng) % hello.len;
        gs_buf_init(&out, 1 << 16);
        if (i % 4 == 0) {
            net_send(fd, GET("/", ""));
        } else if (i % 4 == 1) {
            for (size_t k = 0; k < sizeof(noise); k++)
                noise[k] = (char)gs_rng_u64(&rng);
            net_send_bytes(fd, noise, sizeof(noise));
        } else if (i % 4 == 2) {
            net_send_bytes(fd, hello.ptr, cut);
        } else {
            hello.ptr[cut] = (char)(hello.ptr[cut] ^ 0x55);
            net_send_bytes(fd, hello.ptr, hello.len);
            hello.ptr[cut] = (char)(hello.ptr[cut] ^ 0x55);
        }
        shutdown(fd, SHUT_WR);
        net_read_all(fd, &out);
        assert_false(net_has(&out, "hello"));
        gs_buf_clear(&out);
        close(fd);
    }
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    gs_buf_clear(&hello);
    check_alive(&f);
    finish(&f);
}

/* Who does not shake hands in time is let go; so is who then asks nothing. */
static void test_slow_handshakes(void **state)
{
    struct fixture f;
    struct client c;
    struct gs_buf out;
    char byte;

    (void)state;
    start(&f, 60);
    const int silent = net_connect(f.port);
    const int half = net_connect(f.port);
    gs_buf_init(&out, 1 << 16);
    net_send_bytes(half, "\x16\x03\x01", 3);
    assert_true(net_read_all(silent, &out) != NET_DATA);
    assert_true(net_read_all(half, &out) != NET_DATA);
    close(silent);
    close(half);
    gs_buf_clear(&out);
    if (client_open(&c, f.port, TLS1_3_VERSION)) /* 60 ms may be short for it */
        assert_true(SSL_read(c.ssl, &byte, 1) <= 0);
    client_close(&c);
    finish(&f);
}

static void test_leaving(void **state)
{
    struct fixture f;

    (void)state;
    start(&f, 20000);
    for (int i = 0; i < 20; i++) {
        struct client c;
        assert_true(client_open(&c, f.port, TLS1_3_VERSION));
        SSL_write(c.ssl, GET("/flood", ""), (int)strlen(GET("/flood", "")));
        if (i % 2) {
            char chunk[1000];
            SSL_read(c.ssl, chunk, sizeof(chunk));
        }
        if (i % 4 > 1)
            SSL_shutdown(c.ssl);
        client_close(&c);
    }
    check_alive(&f);
    finish(&f);
}

static void test_memory_runs_out(void **state)
{
    struct fixture f;

    (void)state;
    start(&f, 20000);
    for (long n = 1; n < 12; n++) {
        struct client c;
        char chunk[1000];
        gs_alloc_fail_at(n);
        if (client_open(&c, f.port, TLS1_3_VERSION)) {
            SSL_write(c.ssl, GET("/", CLOSE), (int)strlen(GET("/", CLOSE)));
            while (SSL_read(c.ssl, chunk, sizeof(chunk)) > 0)
                ;
        }
        gs_alloc_fail_at(0);
        client_close(&c);
    }
    check_alive(&f);
    finish(&f);
}

static void test_files(void **state)
{
    const struct {
        const char *cert, *key;
        enum gs_status st;
        const char *msg;
    } cases[] = {
        {files.cert, NULL, GS_EINVAL, "TLS needs a certificate and its key"},
        {NULL, files.key, GS_EINVAL, "TLS needs a certificate and its key"},
        {"/nowhere/c.pem", files.key, GS_ENOTFOUND, "could not open certificate file"},
        {files.cert, "/nowhere/k.pem", GS_ENOTFOUND, "could not open key file"},
        {files.junk, files.key, GS_EFORMAT, "holds no certificate in PEM form"},
        {files.key, files.key, GS_EFORMAT, "holds no certificate in PEM form"},
        {files.cert, files.junk, GS_EFORMAT, "holds no private key in PEM form"},
        {files.cert, files.cert, GS_EFORMAT, "holds no private key in PEM form"},
        {files.cert, files.other_key, GS_EFORMAT, "is not that of the certificate in"},
        {files.cert, files.locked_key, GS_EFORMAT, "is protected by a passphrase"},
        {files.old_cert, files.key, GS_EFORMAT, "has expired"},
    };
    struct gs_http_loop *loop;

    (void)state;
    assert_int_equal(gs_http_loop_create(&loop, NULL), GS_OK);
    for (size_t i = 0; i < GS_COUNT_OF(cases); i++) {
        struct gs_http_server *s = NULL;
        struct gs_http_options opt;
        struct gs_error err = {0};
        gs_http_options_init(&opt);
        opt.tls_cert = cases[i].cert;
        opt.tls_key = cases[i].key;
        assert_int_equal(gs_http_server_create(loop, &opt, &s, &err), cases[i].st);
        if (!strstr(err.msg, cases[i].msg))
            fail_msg("case %zu: %s", i, err.msg);
    }
    gs_http_loop_free(loop);
}

/* The other side of it: only the certificate it knows will do. */
static void test_ask(void **state)
{
    static const struct {
        bool is_known;
        enum gs_status st;
    } cases[] = {{true, GS_OK}, {false, GS_EIO}};
    struct fixture f;

    (void)state;
    start(&f, 20000);
    for (size_t i = 0; i < GS_COUNT_OF(cases); i++) {
        struct gs_error err = {0};
        struct gs_buf body;
        int status = 0;
        const struct gs_http_question q = {.host = "127.0.0.1",
                                           .port = f.port,
                                           .path = "/",
                                           .tls_cert =
                                               cases[i].is_known ? files.cert : files.old_cert,
                                           .timeout_ms = 20000};
        gs_buf_init(&body, 1000);
        assert_int_equal(gs_http_ask(&q, &status, &body, &err), cases[i].st);
        assert_int_equal(status, cases[i].is_known ? 200 : 0);
        gs_buf_clear(&body);
    }
    finish(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers), cmocka_unit_test(test_old_versions_are_refused),
        cmocka_unit_test(test_garbage), cmocka_unit_test(test_slow_handshakes),
        cmocka_unit_test(test_leaving), cmocka_unit_test(test_memory_runs_out),
        cmocka_unit_test(test_files),   cmocka_unit_test(test_ask),
    };

    signal(SIGPIPE, SIG_IGN); /* SSL_write() to a server that has closed */
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
