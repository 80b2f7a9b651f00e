/* The server: route table, dialects and a backend that answers, on one loop thread.
 *
 *     struct gs_server_options opt;
 *     gs_server_options_init(&opt);
 *     opt.port = 8484;
 *     gs_switch_backend_local(&opt.backend, local);
 *     gs_server_create(&opt, &server, &err);   // listening from here on
 *     printf("listening on http://127.0.0.1:%d\n", gs_server_port(server));
 *     gs_server_run(server, &err);             // until gs_server_stop(), e.g. from a signal
 *     gs_server_free(server);                  // before gs_local_free(local)
 */
#ifndef GS_SERVER_SERVER_H
#define GS_SERVER_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "genset/chat.h"
#include "switch/backend.h"

struct gs_arena;
struct gs_config_routes;
struct gs_ledger;
struct gs_log;
struct gs_server;

#define GS_SERVER_KEY_BYTES 256

struct gs_server_options {
    size_t struct_size;
    const char *host;     /* IP address or "localhost"; default "127.0.0.1" */
    int port;             /* 0 = any free one */
    const char *tls_cert; /* files in PEM form; both, or neither for plain HTTP */
    const char *tls_key;
    const char *const *api_keys;  /* one of them is asked of every client, if there is any; needed
                                   * beyond loopback; GS_SERVER_KEY_BYTES at most each */
    const char *const *key_names; /* of each of them, or NULL; NULL: none has one */
    size_t n_api_keys;
    /* Whom requests are passed to: whenever the descriptor is readable, take_routes() hands over
     * the newest routes with the arena they live in. NULL: all are answered by the backend. */
    int routes_fd;
    bool (*take_routes)(void *ud, struct gs_arena *out_arena, struct gs_config_routes *out_routes);
    void (*read_routes)(
        void *ud); /* have them, and their keys, read again; or NULL. Not blocking */
    void *routes_ud;
    const char *const *origins; /* browser origins allowed besides those of this machine */
    size_t n_origins;
    struct gs_switch_backend backend;
    bool has_local; /* it has a model worth answering with where others were meant; default true */
    const struct gs_log *log; /* may be NULL; must outlive the server */
    const char *sysfs; /* where the kernel tells of battery and heat; NULL (default): not asked */
    struct gs_ledger *ledger; /* as log: requests are recorded in it */
    int64_t keepalive_ms;     /* a silent stream gets a sign of life; default 5000 */
    int64_t patience_ms;  /* after it, silence before a whole answer is filled too; default 60000 */
    int64_t late_ms;      /* errors of clients that fail again and again wait; default 2000 */
    int64_t retry_ms;     /* an answer is given on for so long after its client went, if it may come
                             back for it; default 15000: SDKs wait for at most 8 s */
    int64_t grace_ms;     /* given to running answers at the first stop; default 5000 */
    size_t max_exchanges; /* requests answered at once; default 2048 */
    int64_t idle_exit_ms; /* stop after so long without a request; 0 = never */
    bool (*is_needed)(void *ud); /* asked before: true goes on for as long again; may be NULL */
    void *needed_ud;
};

void gs_server_options_init(struct gs_server_options *opt);

/* Bind and listen. Strings of `opt` are copied.
 * errors: GS_EINVAL (host that is no address; beyond loopback without a key), GS_EIO (port in
 *         use), GS_ENOMEM. */
GS_MUST_CHECK enum gs_status gs_server_create(const struct gs_server_options *opt,
                                              struct gs_server **out_s, struct gs_error *err);
/* The port bound. */
int gs_server_port(const struct gs_server *s);
/* Serve on the calling thread, which becomes the loop, until stopped. */
GS_MUST_CHECK enum gs_status gs_server_run(struct gs_server *s, struct gs_error *err);
/* First call: accept no more, let running answers end within grace_ms. Second call: end now.
 * thread: any; async-signal-safe. */
void gs_server_stop(struct gs_server *s);
/* Not while gs_server_run() runs. NULL is allowed. */
void gs_server_free(struct gs_server *s);

#endif
