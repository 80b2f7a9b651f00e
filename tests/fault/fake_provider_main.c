/* genset-fake-provider [--place N] [--pace MS] [--tls DIR]: fake providers until standard input
 * ends. Prints where, in one line of JSON: "port" and its "control"; "hole", which swallows
 * connections; "closed"; with --tls "tls" and "tls_expired", whose certificates (and the authority,
 * DIR/cert.pem) are made there, each with a control of its own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake_provider.h"

static struct fake_provider *start(struct fake_provider_options opt, const char *dir,
                                   const char *cert)
{
    char cert_path[512], key_path[512];

    if (dir) {
        snprintf(cert_path, sizeof(cert_path), "%s/%s", dir, cert);
        snprintf(key_path, sizeof(key_path), "%s/key.pem", dir);
        opt.tls_cert = cert_path;
        opt.tls_key = key_path;
    }
    return fake_provider_start(&opt);
}

int main(int argc, char **argv)
{
    struct fake_provider_options opt = {.port = 0};
    struct fake_provider *plain, *tls = NULL, *expired = NULL;
    const char *dir = NULL;
    int hole_port;
    char byte;

    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--port") == 0)
            opt.port = (int)strtol(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--place") == 0)
            opt.place = (int)strtol(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--pace") == 0)
            opt.pace_ms = (int)strtol(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--tls") == 0)
            dir = argv[i + 1];
    }
    if (dir && !fake_certificates(dir)) {
        fprintf(stderr, "genset-fake-provider: could not write certificates to %s\n", dir);
        return 1;
    }
    plain = start(opt, NULL, NULL);
    if (dir) {
        tls = start(opt, dir, "cert.pem");
        expired = start(opt, dir, "expired.pem");
    }
    struct fake_hole *hole = fake_hole_open(&hole_port);
    if (plain && (!dir || (tls && expired))) {
        printf("{\"port\":%d,\"control\":%d,\"hole\":%d,\"closed\":%d", fake_provider_port(plain),
               fake_provider_control_port(plain), hole_port, fake_closed_port());
        if (dir)
            printf(",\"tls\":%d,\"tls_control\":%d,\"tls_expired\":%d", fake_provider_port(tls),
                   fake_provider_control_port(tls), fake_provider_port(expired));
        printf("}\n");
        fflush(stdout);
        while (read(0, &byte, 1) > 0)
            ;
    }
    fake_hole_close(hole);
    fake_provider_stop(expired);
    fake_provider_stop(tls);
    fake_provider_stop(plain);
    return 0;
}
