/* The server: route table, dialects and a backend that answers, on one loop thread.
 *
 *     struct gs_server_options opt;
 *     gs_server_options_init(&opt);
 *     opt.port = 8484;
 *     gs_server_backend_local(&opt.backend, local);
 *     gs_server_create(&opt, &server, &err);   // listening from here on
 *     printf("listening on http://127.0.0.1:%d\n", gs_server_port(server));
 *     gs_server_run(server, &err);             // until gs_server_stop(), e.g. from a signal
 *     gs_server_free(server);                  // before gs_local_free(local)
 */
#ifndef GS_SERVER_SERVER_H
#define GS_SERVER_SERVER_H

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "genset/chat.h"

struct gs_errand;
struct gs_local;
struct gs_ledger;
struct gs_local_model;
struct gs_log;
struct gs_server;

/* Who answers chats and turns texts into vectors: the contract of provider/local.h as a table, so
 * that a test can put a script in the engine's place. A `call` is what the first four return. */
struct gs_server_backend {
    void *self;
    enum gs_status (*answer)(void *self, const struct gs_chat *chat, gs_event_fn *on_event,
                             void *ud, void **out_call, struct gs_error *err);
    enum gs_status (*count)(void *self, const struct gs_chat *chat, gs_event_fn *on_event, void *ud,
                            void **out_call, struct gs_error *err);
    enum gs_status (*embed)(void *self, const struct gs_texts *texts, gs_event_fn *on_event,
                            void *ud, void **out_call, struct gs_error *err);
    enum gs_status (*errand)(void *self, struct gs_errand *errand, gs_event_fn *on_event, void *ud,
                             void **out_call, struct gs_error *err);
    /* Hand over a piece of the body of an errand that takes one; it lives until the next event. */
    void (*feed)(void *call, struct gs_slice piece, bool is_last);
    size_t (*models)(void *self, const struct gs_local_model **out_models);
    void (*resume)(void *call);
    void (*free_call)(void *call, void (*on_free)(void *ud), void *ud); /* cancels too */
};

/* The engine of this machine. `l` must outlive the server. */
void gs_server_backend_local(struct gs_server_backend *out_backend, struct gs_local *l);

#define GS_SERVER_KEY_BYTES 256

struct gs_server_options {
    size_t struct_size;
    const char *host;     /* IP address or "localhost"; default "127.0.0.1" */
    int port;             /* 0 = any free one */
    const char *tls_cert; /* files in PEM form; both, or neither for plain HTTP */
    const char *tls_key;
    const char *const *api_keys; /* one of them is asked of every client, if there is any; needed
                                  * beyond loopback; GS_SERVER_KEY_BYTES at most each */
    size_t n_api_keys;
    const char *const *origins; /* browser origins allowed besides those of this machine */
    size_t n_origins;
    struct gs_server_backend backend;
    const struct gs_log *log; /* may be NULL; must outlive the server */
    struct gs_ledger *ledger; /* as log: requests are recorded in it */
    int64_t keepalive_ms;     /* a silent stream gets a sign of life; default 5000 */
    int64_t patience_ms;  /* after it, silence before a whole answer is filled too; default 60000 */
    int64_t late_ms;      /* errors of clients that fail again and again wait; default 2000 */
    int64_t grace_ms;     /* given to running answers at the first stop; default 5000 */
    size_t max_exchanges; /* requests answered at once; default 256 */
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
