/* Places where nobody answers, and certificates nobody should trust. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "fake_provider.h"

#define HOLE_FILLERS 8 /* beyond the backlog of 0, which takes one or two */

struct fake_hole {
    int listener, fillers[HOLE_FILLERS];
};

static int bound_socket(struct sockaddr_in *a)
{
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    socklen_t n = sizeof(*a);

    *a = (struct sockaddr_in){.sin_family = AF_INET};
    a->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr *)a, n) != 0 ||
        getsockname(fd, (struct sockaddr *)a, &n) != 0)
        abort();
    return fd;
}

struct fake_hole *fake_hole_open(int *out_port)
{
    struct fake_hole *h = calloc(1, sizeof(*h));
    struct sockaddr_in a;

    if (!h)
        abort();
    h->listener = bound_socket(&a);
    if (listen(h->listener, 0) != 0)
        abort();
    for (int i = 0; i < HOLE_FILLERS; i++) {
        h->fillers[i] = socket(AF_INET, SOCK_STREAM, 0);
        fcntl(h->fillers[i], F_SETFL, O_NONBLOCK);
        if (connect(h->fillers[i], (struct sockaddr *)&a, sizeof(a)) == 0)
            continue; /* taken by the backlog; the others wait for ever */
    }
    *out_port = ntohs(a.sin_port);
    return h;
}

void fake_hole_close(struct fake_hole *h)
{
    if (!h)
        return;
    for (int i = 0; i < HOLE_FILLERS; i++)
        close(h->fillers[i]);
    close(h->listener);
    free(h);
}

int fake_closed_port(void)
{
    struct sockaddr_in a;

    close(bound_socket(&a));
    return ntohs(a.sin_port);
}

static bool write_cert(const char *path, EVP_PKEY *key, long from_s, long to_s)
{
    X509 *cert = X509_new();
    X509_NAME *name = X509_get_subject_name(cert);
    FILE *fp = fopen(path, "w");
    X509_EXTENSION *names =
        X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
    bool ok = fp && names;

    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), from_s);
    X509_gmtime_adj(X509_getm_notAfter(cert), to_s);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1, -1,
                               0);
    X509_set_issuer_name(cert, name);
    X509_set_pubkey(cert, key);
    ok = ok && X509_add_ext(cert, names, -1) == 1 && X509_sign(cert, key, EVP_sha256()) > 0 &&
         PEM_write_X509(fp, cert) == 1;
    X509_EXTENSION_free(names);
    X509_free(cert);
    if (fp)
        fclose(fp);
    return ok;
}

bool fake_certificates(const char *dir)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    char path[512];

    snprintf(path, sizeof(path), "%s/key.pem", dir);
    FILE *fp = fopen(path, "w");
    bool ok = fp && key && PEM_write_PrivateKey(fp, key, NULL, NULL, 0, NULL, NULL) == 1;
    if (fp)
        fclose(fp);
    snprintf(path, sizeof(path), "%s/cert.pem", dir);
    ok = ok && write_cert(path, key, -3600, 3600 * 24);
    snprintf(path, sizeof(path), "%s/expired.pem", dir);
    ok = ok && write_cert(path, key, -7200, -3600);
    EVP_PKEY_free(key);
    return ok;
}
