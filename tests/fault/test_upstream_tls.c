/* Requests to others through TLS, HTTP/2 and proxies. The certificates are made here, and so are
 * the frames of HTTP/2 (RFC 9113), one by one. */
#include <signal.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/os.h"
#include "upstream_test.h"

static struct {
    char dir[64];
    char good[96], other[96], old[96], elsewhere[96];
    EVP_PKEY *key;
    X509 *cert_good, *cert_old, *cert_elsewhere;
} files;

/* ---- certificates ---- */

static X509 *make_cert(const char *path, EVP_PKEY *key, const char *names, long to_s)
{
    X509 *cert = X509_new();
    X509_NAME *name = X509_get_subject_name(cert);
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);
    FILE *fp = fopen(path, "w");

    assert_non_null(fp);
    assert_non_null(ext);
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -7200);
    X509_gmtime_adj(X509_getm_notAfter(cert), to_s);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"other", -1, -1, 0);
    X509_set_issuer_name(cert, name);
    X509_set_pubkey(cert, key);
    X509_add_ext(cert, ext, -1);
    X509_EXTENSION_free(ext);
    assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
    assert_int_equal(PEM_write_X509(fp, cert), 1);
    fclose(fp);
    return cert;
}

static int make_files(void **state)
{
    static const char here[] = "IP:127.0.0.1,DNS:localhost";

    (void)state;
    snprintf(files.dir, sizeof(files.dir), "/tmp/genset-upstream-XXXXXX");
    assert_non_null(mkdtemp(files.dir));
    snprintf(files.good, sizeof(files.good), "%s/good.pem", files.dir);
    snprintf(files.other, sizeof(files.other), "%s/other.pem", files.dir);
    snprintf(files.old, sizeof(files.old), "%s/old.pem", files.dir);
    snprintf(files.elsewhere, sizeof(files.elsewhere), "%s/elsewhere.pem", files.dir);
    files.key = EVP_EC_gen("P-256");
    EVP_PKEY *key = EVP_EC_gen("P-256");
    files.cert_good = make_cert(files.good, files.key, here, 3600);
    files.cert_old = make_cert(files.old, files.key, here, -3600);
    files.cert_elsewhere = make_cert(files.elsewhere, files.key, "DNS:elsewhere.test", 3600);
    X509_free(make_cert(files.other, key, here, 3600));
    EVP_PKEY_free(key);
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    unlink(files.good);
    unlink(files.other);
    unlink(files.old);
    unlink(files.elsewhere);
    X509_free(files.cert_good);
    X509_free(files.cert_old);
    X509_free(files.cert_elsewhere);
    EVP_PKEY_free(files.key);
    return rmdir(files.dir);
}

/* ---- the other side of TLS ---- */

struct tls {
    int fd;
    SSL_CTX *ctx;
    SSL *ssl;
};

static int choose_h2(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                     const unsigned char *in, unsigned in_len, void *ud)
{
    static const unsigned char h2[] = "\x02h2";
    unsigned char *chosen = NULL;

    (void)ssl;
    (void)ud;
    const int rc = SSL_select_next_proto(&chosen, out_len, h2, 3, in, in_len);
    *out = chosen;
    return rc == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* Shake hands on a connection that was accepted; false if that fails. */
static bool tls_open(struct tls *t, int fd, X509 *cert, bool is_h2)
{
    *t = (struct tls){.fd = fd, .ctx = SSL_CTX_new(TLS_server_method())};
    assert_int_equal(SSL_CTX_use_certificate(t->ctx, cert), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(t->ctx, files.key), 1);
    if (is_h2)
        SSL_CTX_set_alpn_select_cb(t->ctx, choose_h2, NULL);
    t->ssl = SSL_new(t->ctx);
    SSL_set_fd(t->ssl, fd);
    return SSL_accept(t->ssl) == 1;
}

static void tls_close(struct tls *t)
{
    SSL_free(t->ssl);
    SSL_CTX_free(t->ctx);
    close(t->fd);
    ERR_clear_error();
}

static void serve_tls(struct other *o)
{
    struct tls t;
    char head[4096];

    if (tls_open(&t, other_accept(o), o->ud, false)) {
        for (;;) {
            const int n = SSL_read(t.ssl, head, sizeof(head)); /* one record, one request */
            if (n <= 0)
                break;
            o->n_requests++;
            SSL_write(t.ssl, o->answer, (int)strlen(o->answer));
            if (!strstr(o->answer, "Content-Length: 5"))
                break;
        }
        if (strstr(o->answer, "polite"))
            SSL_shutdown(t.ssl);
    }
    tls_close(&t);
}

static const char *secure_url(const struct other *o, const char *host)
{
    static char url[128];

    snprintf(url, sizeof(url), "https://%s:%d/?key=secret", host, o->port);
    return url;
}

static void test_trust(void **state)
{
    const struct {
        X509 *cert;
        const char *ca_file, *host;
        enum gs_fault fault;
        const char *msg;
    } cases[] = {
        {files.cert_good, files.good, "127.0.0.1", GS_FAULT_NONE, ""},
        {files.cert_good, files.good, "localhost", GS_FAULT_NONE, ""},
        {files.cert_good, NULL, "127.0.0.1", GS_FAULT_TLS, "self-signed"},
        {files.cert_good, files.other, "127.0.0.1", GS_FAULT_TLS, "no trusted TLS connection"},
        {files.cert_old, files.old, "127.0.0.1", GS_FAULT_TLS, "expired"},
        {files.cert_elsewhere, files.elsewhere, "127.0.0.1", GS_FAULT_TLS, "no alternative"},
        {files.cert_good, "/nowhere/ca.pem", "127.0.0.1", GS_FAULT_TLS, "certificate"},
    };

    for (size_t i = 0; i < GS_COUNT_OF(cases); i++) {
        struct us *us = *state;
        struct other o;
        struct talk t = {0};
        other_start_with(&o, serve_tls, OK_HELLO, cases[i].cert);
        struct gs_upstream_request r = post(secure_url(&o, cases[i].host), GS_SLICE_LIT("{}"));
        r.ca_file = cases[i].ca_file;
        talk(us, &t, &r);
        check_fault(&t, cases[i].fault, cases[i].msg);
        talk_clear(&t);
        close_us(state); /* a connection that stands open */
        other_join(&o);
        assert_int_equal(o.n_requests, cases[i].fault == GS_FAULT_NONE);
        open_us(state);
    }
}

static void test_tls_reuse(void **state)
{
    struct us *us = *state;
    struct other o;

    other_start_with(&o, serve_tls, OK_HELLO, files.cert_good);
    for (int i = 0; i < 5; i++) {
        struct talk t = {0};
        struct gs_upstream_request r = post(secure_url(&o, "127.0.0.1"), GS_SLICE_LIT("{}"));
        r.ca_file = files.good;
        talk(us, &t, &r);
        check_fault(&t, GS_FAULT_NONE, "");
        talk_clear(&t);
    }
    close_us(state);
    other_join(&o);
    assert_int_equal(o.n_connections, 1);
    assert_int_equal(o.n_requests, 5);
    open_us(state);
}

static void test_tls_ends(void **state)
{
    static const struct {
        const char *answer;
        enum gs_fault fault;
    } cases[] = {{OK_HEAD "\r\npolite", GS_FAULT_NONE},
                 {OK_HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", GS_FAULT_CUT},
                 {OK_HEAD "Content-Length: 90\r\n\r\npolite", GS_FAULT_CUT},
                 {"", GS_FAULT_RESET}};
    struct us *us = *state;

    for (size_t i = 0; i < GS_COUNT_OF(cases); i++) {
        struct other o;
        struct talk t = {0};
        other_start_with(&o, serve_tls, cases[i].answer, files.cert_good);
        struct gs_upstream_request r = post(secure_url(&o, "127.0.0.1"), GS_SLICE_LIT("{}"));
        r.ca_file = files.good;
        talk(us, &t, &r);
        check_fault(&t, cases[i].fault, "");
        talk_clear(&t);
        other_join(&o);
    }
}

/* What is no handshake: another protocol's words, a reset, nothing at all. */
static void serve_no_handshake(struct other *o)
{
    const int fd = other_accept(o);
    struct gs_buf hello;

    gs_buf_init(&hello, 1 << 16);
    net_read(fd, &hello);
    net_send(fd, o->answer);
    if (!o->answer[0])
        hang_up(fd);
    else if (strcmp(o->answer, "\x16") == 0)
        net_read_all(fd, &hello);
    gs_buf_clear(&hello);
    if (o->answer[0])
        close(fd);
}

static void test_no_handshake(void **state)
{
    static const struct {
        const char *says;
        enum gs_fault fault;
        const char *msg;
    } cases[] = {{"HTTP/1.1 400 Bad Request\r\n\r\n", GS_FAULT_TLS, "no trusted TLS"},
                 {"", GS_FAULT_RESET, "broke"},
                 {"\x16", GS_FAULT_CONNECT_TIMEOUT, "in 100 ms"}};
    struct us *us = *state;

    for (size_t i = 0; i < GS_COUNT_OF(cases); i++) {
        struct other o;
        struct talk t = {0};
        other_start(&o, serve_no_handshake, cases[i].says);
        struct gs_upstream_request r = post(secure_url(&o, "127.0.0.1"), GS_SLICE_LIT("{}"));
        r.connect_ms = i == 2 ? 100 : 5000;
        talk(us, &t, &r);
        check_fault(&t, cases[i].fault, cases[i].msg);
        talk_clear(&t);
        other_join(&o);
    }
}

/* ---- HTTP/2 ---- */

enum frame_type { F_DATA, F_HEADERS, F_RST = 3, F_SETTINGS, F_PING = 6, F_GOAWAY, F_WINDOW };

#define END_STREAM  0x1
#define ACK         0x1
#define END_HEADERS 0x4

/* Of a response: ":status: 200" and "content-type: text/plain" in HPACK. */
#define HPACK_OK "\x88\x0f\x10\x0atext/plain"

static bool h2_read(struct tls *t, void *p, size_t n)
{
    for (size_t at = 0; at < n;) {
        const int got = SSL_read(t->ssl, (char *)p + at, (int)(n - at));
        if (got <= 0)
            return false;
        at += (size_t)got;
    }
    return true;
}

static void h2_send(struct tls *t, enum frame_type type, int flags, unsigned stream, const void *p,
                    size_t n)
{
    unsigned char frame[9 + 16384] = {(unsigned char)(n >> 16),
                                      (unsigned char)(n >> 8),
                                      (unsigned char)n,
                                      (unsigned char)type,
                                      (unsigned char)flags,
                                      0,
                                      0,
                                      (unsigned char)(stream >> 8),
                                      (unsigned char)stream};

    assert_true(n <= 16384);
    if (n)
        memcpy(frame + 9, p, n);
    SSL_write(t->ssl, frame, (int)(9 + n));
}

#define PING_ANSWERED 0xffffffffu

/* Frames until a request is complete: its stream; 0 if the connection ended. Or until a ping of
 * ours was answered. */
static unsigned h2_hear(struct other *o, struct tls *t)
{
    static _Thread_local unsigned char payload[1 << 17];
    unsigned char head[9];

    while (h2_read(t, head, sizeof(head))) {
        const size_t n = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
        const unsigned stream = (unsigned)head[7] << 8 | head[8];
        if (n > sizeof(payload) || !h2_read(t, payload, n))
            return 0;
        if (head[3] == F_SETTINGS && !(head[4] & ACK))
            h2_send(t, F_SETTINGS, ACK, 0, NULL, 0);
        if (head[3] == F_PING && !(head[4] & ACK))
            h2_send(t, F_PING, ACK, 0, payload, n);
        if (head[3] == F_PING && (head[4] & ACK))
            return PING_ANSWERED;
        if (head[3] == F_DATA && n > 0) {
            const unsigned char more[] = {(unsigned char)(n >> 24), (unsigned char)(n >> 16),
                                          (unsigned char)(n >> 8), (unsigned char)n};
            h2_send(t, F_WINDOW, 0, 0, more, 4);
            h2_send(t, F_WINDOW, 0, stream, more, 4);
            gs_buf_put(&o->heard, payload, n);
        }
        if ((head[3] == F_DATA || head[3] == F_HEADERS) && (head[4] & END_STREAM)) {
            o->n_requests++;
            return stream;
        }
    }
    return 0;
}

static bool h2_open(struct other *o, struct tls *t)
{
    char preface[24];

    if (!tls_open(t, other_accept(o), files.cert_good, true) ||
        !h2_read(t, preface, sizeof(preface)))
        return false;
    assert_memory_equal(preface, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
    h2_send(t, F_SETTINGS, 0, 0, NULL, 0);
    return true;
}

static void h2_answer(struct tls *t, unsigned stream)
{
    h2_send(t, F_HEADERS, END_HEADERS, stream, HPACK_OK, sizeof(HPACK_OK) - 1);
    h2_send(t, F_DATA, END_STREAM, stream, "hello", 5);
}

static void serve_h2(struct other *o)
{
    struct tls t;

    assert_true(h2_open(o, &t));
    for (unsigned stream = h2_hear(o, &t); stream; stream = h2_hear(o, &t))
        h2_answer(&t, stream);
    tls_close(&t);
}

static struct gs_upstream_request h2_post(const struct other *o, struct gs_slice body)
{
    struct gs_upstream_request r = post(secure_url(o, "127.0.0.1"), body);

    r.ca_file = files.good;
    return r;
}

static void test_h2(void **state)
{
    static char big[3000000]; /* the windows must be moved for it */
    struct us *us = *state;
    struct other o;

    memset(big, 'b', sizeof(big));
    other_start(&o, serve_h2, NULL);
    for (int i = 0; i < 6; i++) {
        struct talk t = {0};
        const struct gs_slice body = i ? GS_SLICE_LIT("{}") : gs_slice(big, sizeof(big));
        const struct gs_upstream_request r = h2_post(&o, body);
        talk(us, &t, &r);
        check_fault(&t, GS_FAULT_NONE, "");
        assert_int_equal(t.status, 200);
        assert_string_equal(t.type, "text/plain");
        assert_true(gs_slice_eq_str(gs_buf_view(&t.body), "hello"));
        assert_int_equal(t.end.times.connected_us > 0, i == 0);
        talk_clear(&t);
    }
    close_us(state);
    pthread_join(o.thread, NULL);
    assert_int_equal(o.n_connections, 1);
    assert_int_equal(o.n_requests, 6);
    assert_int_equal(o.heard.len, sizeof(big) + 5 * 2);
    close(o.fd);
    gs_buf_clear(&o.heard);
    open_us(state);
}

/* One request, and what o->answer names instead of an answer. */
static void serve_h2_fault(struct other *o)
{
    static const unsigned char internal_error[] = {0, 0, 0, 2};
    static const unsigned char goaway[] = {0, 0, 0, 1, 0, 0, 0, 0};
    struct tls t;

    assert_true(h2_open(o, &t));
    const unsigned stream = h2_hear(o, &t);
    if (strstr(o->answer, "late")) {
        h2_send(&t, F_HEADERS, END_HEADERS, stream, HPACK_OK, sizeof(HPACK_OK) - 1);
        h2_send(&t, F_DATA, 0, stream, "hel", 3);
        h2_send(&t, F_PING, 0, 0, "pingpong", 8);
        assert_true(h2_hear(o, &t) == PING_ANSWERED);
    }
    if (strstr(o->answer, "rst"))
        h2_send(&t, F_RST, 0, stream, internal_error, 4);
    if (strstr(o->answer, "goaway"))
        h2_send(&t, F_GOAWAY, 0, 0, goaway, 8);
    if (strstr(o->answer, "garbage"))
        SSL_write(t.ssl, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 39);
    if (strstr(o->answer, "hpack"))
        h2_send(&t, F_HEADERS, END_HEADERS, stream, "\xff\xff\xff\xff\xff\xff", 6);
    if (strstr(o->answer, "empty"))
        h2_send(&t, F_DATA, END_STREAM, stream, "x", 1);
    if (strstr(o->answer, "reset"))
        hang_up(dup(t.fd));
    else if (!strstr(o->answer, "close"))
        h2_hear(o, &t);
    tls_close(&t);
}

static void test_h2_faults(void **state)
{
    static const struct {
        const char *what;
        enum gs_fault fault;
    } cases[] = {
        {"rst", GS_FAULT_RESET},
        {"late rst", GS_FAULT_CUT},
        {"close", GS_FAULT_RESET},
        {"late close", GS_FAULT_CUT},
        {"reset", GS_FAULT_RESET},
        {"late reset", GS_FAULT_CUT},
        {"late goaway, close", GS_FAULT_CUT},
        {"goaway, close", GS_FAULT_RESET},
        {"garbage", GS_FAULT_RESET},
        {"hpack", GS_FAULT_RESET},
        {"empty", GS_FAULT_RESET},
    };

    for (size_t i = 0; i < GS_COUNT_OF(cases); i++) {
        struct us *us = *state;
        struct other o;
        struct talk t = {0};
        other_start(&o, serve_h2_fault, cases[i].what);
        const struct gs_upstream_request r = h2_post(&o, GS_SLICE_LIT("{}"));
        talk(us, &t, &r);
        check_fault(&t, cases[i].fault, "");
        talk_clear(&t);
        close_us(state);
        other_join(&o);
        open_us(state);
    }
}

/* The connection that stood open is given up while the next request is on its way. */
static void serve_h2_stale(struct other *o)
{
    static const unsigned char refused[] = {0, 0, 0, 7};
    struct tls t;

    assert_true(h2_open(o, &t));
    h2_answer(&t, h2_hear(o, &t));
    const unsigned stream = h2_hear(o, &t);
    if (strcmp(o->answer, "refused") == 0)
        h2_send(&t, F_RST, 0, stream, refused, 4);
    tls_close(&t);
    assert_true(h2_open(o, &t));
    h2_answer(&t, h2_hear(o, &t));
    h2_hear(o, &t);
    tls_close(&t);
}

static void test_h2_stale(void **state)
{
    static const char *const hows[] = {"refused", "closed"};

    for (size_t i = 0; i < GS_COUNT_OF(hows); i++) {
        struct us *us = *state;
        struct other o;
        other_start(&o, serve_h2_stale, hows[i]);
        for (int k = 0; k < 2; k++) {
            struct talk t = {0};
            const struct gs_upstream_request r = h2_post(&o, GS_SLICE_LIT("{}"));
            talk(us, &t, &r);
            check_fault(&t, GS_FAULT_NONE, "");
            assert_true(gs_slice_eq_str(gs_buf_view(&t.body), "hello"));
            talk_clear(&t);
        }
        close_us(state);
        other_join(&o);
        assert_int_equal(o.n_requests, 3);
        open_us(state);
    }
}

/* Many frames to a client that pauses: all arrive, in order. */
#define H2_FLOOD_BYTES ((size_t)12 << 20)

static void serve_h2_flood(struct other *o)
{
    static char block[16384];
    struct tls t;

    assert_true(h2_open(o, &t));
    const unsigned stream = h2_hear(o, &t);
    h2_send(&t, F_HEADERS, END_HEADERS, stream, HPACK_OK, sizeof(HPACK_OK) - 1);
    for (size_t n = 0; n < H2_FLOOD_BYTES; n += sizeof(block))
        h2_send(&t, F_DATA, n + sizeof(block) < H2_FLOOD_BYTES ? 0 : END_STREAM, stream, block,
                sizeof(block));
    h2_hear(o, &t);
    tls_close(&t);
}

static void resume_now(void *ud)
{
    struct talk *const *t = ud;

    gs_upstream_call_resume((*t)->call);
}

static struct gs_http_timer *resume_timer;
static struct talk *resumed;

static void pause_now(struct talk *t)
{
    if (t->n_pieces % 8 != 1)
        return;
    gs_upstream_call_pause(t->call);
    gs_http_timer_start(resume_timer, 1);
}

static void test_h2_pause(void **state)
{
    struct us *us = *state;
    struct other o;
    struct talk t = {.at_bytes = pause_now, .counts_only = true};

    resumed = &t;
    other_start(&o, serve_h2_flood, NULL);
    assert_int_equal(gs_http_timer_create(us->loop, resume_now, &resumed, &resume_timer, NULL),
                     GS_OK);
    const struct gs_upstream_request r = h2_post(&o, GS_SLICE_LIT("{}"));
    talk(us, &t, &r);
    check_fault(&t, GS_FAULT_NONE, "");
    assert_int_equal(t.n_bytes, H2_FLOOD_BYTES);
    talk_clear(&t);
    gs_http_timer_free(resume_timer);
    close_us(state);
    other_join(&o);
    open_us(state);
}

/* ---- proxies ---- */

/* Says o->answer to whatever is asked of it first. */
static void serve_proxy(struct other *o)
{
    const int fd = other_accept(o);

    other_hear(o, fd);
    net_send(fd, o->answer);
    close(fd);
}

static void test_proxy(void **state)
{
    static const struct {
        const char *url, *answer;
        enum gs_fault fault;
        const char *asked;
    } cases[] = {
        {"http://far.test/x?key=secret", OK_HELLO, GS_FAULT_NONE,
         "POST http://far.test/x?key=secret HTTP/1.1\r\n"},
        {"http://far.test/", "HTTP/1.1 407 No\r\n\r\n", GS_FAULT_PROXY, "POST http://far.test/"},
        {"https://far.test/", "HTTP/1.1 407 No\r\n\r\n", GS_FAULT_PROXY,
         "CONNECT far.test:443 HTTP/1.1\r\n"},
        {"https://far.test/", "HTTP/1.1 502 No\r\n\r\n", GS_FAULT_PROXY,
         "CONNECT far.test:443 HTTP/1.1\r\n"},
        {"https://far.test/", "", GS_FAULT_PROXY, "CONNECT far.test:443 HTTP/1.1\r\n"},
    };
    struct us *us = *state;

    for (size_t i = 0; i < GS_COUNT_OF(cases); i++) {
        char proxy[64];
        struct other o;
        struct talk t = {0};
        other_start(&o, serve_proxy, cases[i].answer);
        snprintf(proxy, sizeof(proxy), "http://me:sesame@127.0.0.1:%d", o.port);
        struct gs_upstream_request r = post(cases[i].url, GS_SLICE_LIT("{}"));
        r.proxy = proxy;
        talk(us, &t, &r);
        check_fault(&t, cases[i].fault, "");
        assert_null(strstr(t.end.err.msg, "sesame"));
        pthread_join(o.thread, NULL);
        assert_true(gs_slice_starts(gs_buf_view(&o.heard), gs_slice_str(cases[i].asked)));
        assert_true(net_has(&o.heard, "Proxy-Authorization: Basic"));
        assert_int_equal(net_has(&o.heard, "Bearer sk-secret"), cases[i].asked[0] == 'P');
        talk_clear(&t);
        close(o.fd);
        gs_buf_clear(&o.heard);
    }
}

static void test_no_proxy_there(void **state)
{
    struct us *us = *state;
    char proxy[64];
    int port;

    close(listen_any(1, &port));
    snprintf(proxy, sizeof(proxy), "http://me:sesame@127.0.0.1:%d", port);
    const char *const proxies[] = {proxy, "http://me:sesame@nobody.invalid:3128"};
    for (size_t i = 0; i < GS_COUNT_OF(proxies); i++) {
        struct talk t = {0};
        struct gs_upstream_request r = post("http://far.test/", GS_SLICE_LIT("{}"));
        r.proxy = proxies[i];
        talk(us, &t, &r);
        check_fault(&t, GS_FAULT_PROXY, "no way through the proxy to \"far.test\"");
        assert_null(strstr(t.end.err.msg, "sesame"));
        talk_clear(&t);
    }
}

/* What the environment says is for others, not for this machine. */
static void test_proxy_of_environment(void **state)
{
    struct other o;
    struct talk t = {0};
    char proxy[64];
    int port;

    close(listen_any(1, &port));
    snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%d", port);
    setenv("http_proxy", proxy, 1);
    close_us(state);
    open_us(state);
    other_start(&o, serve_one, OK_HELLO);
    struct gs_upstream_request r = post(url_of(&o, "/"), GS_SLICE_LIT("{}"));
    talk(*state, &t, &r);
    check_fault(&t, GS_FAULT_NONE, "");
    talk_clear(&t);
    other_join(&o);
    r.url = "http://far.test/";
    talk(*state, &t, &r);
    check_fault(&t, GS_FAULT_PROXY, "far.test");
    talk_clear(&t);
    unsetenv("http_proxy");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_us, close_us)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_trust),
        TEST(test_tls_reuse),
        TEST(test_tls_ends),
        TEST(test_no_handshake),
        TEST(test_h2),
        TEST(test_h2_faults),
        TEST(test_h2_stale),
        TEST(test_h2_pause),
        TEST(test_proxy),
        TEST(test_no_proxy_there),
        TEST(test_proxy_of_environment),
    };

    signal(SIGPIPE, SIG_IGN); /* SSL_write() to a client that has closed */
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
