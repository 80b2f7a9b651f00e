/* The server's insides, shared by the files of this room. All of it belongs to the loop. */
#ifndef GS_SERVER_STATE_H
#define GS_SERVER_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "base/buf.h"
#include "dialect/dialect.h"
#include "http/http.h"
#include "server/again.h"
#include "server/responses.h"
#include "server/server.h"
#include "switch/switch.h"

struct gs_queue;
struct gs_http_loop;
struct gs_http_watch;
struct gs_http_timer;

#define GS_SERVER_ID_BYTES 32 /* "req_" and 24 hexadecimal digits */

/* One chat, or texts, on its way: from the request to the last byte of the answer, and on until the
 * switch has let go of it. */
struct gs_server_exchange {
    struct gs_server *server;
    struct gs_server_exchange *prev, *next;
    struct gs_http_request *http; /* NULL once answered or gone */
    const struct gs_dialect *dialect;
    enum gs_http_method method;
    const char *path;
    const char *key_name; /* of the key it came with, or NULL */
    char id[GS_SERVER_ID_BYTES];
    int64_t started_us; /* monotonic */
    int64_t first_us;   /* of the answer; 0: there was none */

    struct gs_arena arena; /* the request */
    struct gs_chat chat;
    struct gs_dialect_context ctx;
    struct gs_buf body;                    /* as it came, where the switch wants it; else empty */
    size_t n_bytes;                        /* of it, wanted or not */
    struct gs_error unread;                /* why it could not be read, but may be by others */
    enum gs_privacy privacy;               /* as the client wants it */
    bool ends_on_break;                    /* the same */
    struct gs_switch_judgement *judgement; /* made beside the loop; or NULL */
    struct gs_server_reading *reading;     /* not NULL: the arena is its thread's, the rest empty */

    void *state; /* of the dialect's writer */
    struct gs_buf out;
    struct gs_usage usage;
    size_t n_told;     /* bytes of the answer, as far as it left; not of an error of ours */
    bool has_started;  /* it was accepted */
    bool is_streaming; /* the answer's head was sent */
    bool has_limits;   /* an upstream has said how many more it may be asked */
    bool is_silent;    /* nothing was written since the last tick */
    bool is_blocked;   /* the client reads slower than we write */

    struct gs_switch_call *call;
};

/* Prompts that do not fit, by who sent them: what is asked again at once is answered slowly. */
#define GS_SERVER_REPEATS 16
struct gs_server_repeats {
    struct {
        uint64_t who;
        int64_t last_us;
        double score; /* failures, fading by one in two seconds */
    } items[GS_SERVER_REPEATS];
    size_t oldest; /* replaced next */
};

/* A body being read on the reader's thread. */
struct gs_server_reading {
    struct gs_server *server;
    struct gs_server_exchange *exchange;
    struct gs_buf body;
    struct gs_chat chat;
    struct gs_dialect_context ctx;
    enum gs_status status;
    struct gs_error err;
    struct gs_switch_judgement *judgement;
};

/* Since the start; of chats, texts and errands, and of all that was refused. */
struct gs_server_counts {
    int64_t n_requests, n_refused, n_failed;
    int64_t prompt_tokens, cached_tokens, answer_tokens;
    int64_t prefill_us, decode_us;
};

/* Questions put to the ledger. */
struct gs_server_admin {
    struct gs_queue *told; /* those that were answered */
    struct gs_http_watch *watch;
    size_t n_pending;
};

struct gs_server {
    struct gs_server_options opt; /* host is not kept; the other strings are copies */
    struct gs_arena strings;
    bool is_loopback;
    struct gs_http_loop *loop;
    struct gs_http_server *http;
    struct gs_switch *sw;
    int stop_fd;
    struct gs_http_watch *stop_watch;
    struct gs_http_watch *routes_watch;
    atomic_int n_stops;
    struct gs_http_timer *tick;
    struct gs_http_timer *drain;
    struct gs_http_timer *idle;
    struct gs_http_timer *rest; /* runs while nothing is answered */
    int64_t asked_us;           /* the last request, monotonic */
    int64_t drain_until_us;     /* 0 = not stopping */
    struct gs_server_exchange *exchanges;
    size_t n_exchanges;
    struct gs_server_responses responses;
    struct gs_server_repeats repeats;
    struct gs_server_again again;

    /* the reader: large bodies in, bodies that were read out, each exchange at most once */
    struct gs_queue *unread, *read;
    struct gs_http_watch *read_watch;
    pthread_t reader;
    bool has_reader;
    atomic_bool is_leaving; /* read no more */
    struct gs_server_counts counts;
    struct gs_server_admin admin;
};

/* ---- exchange.c ---- */

/* Answer a request of `dialect`. */
void gs_server_exchange_begin(struct gs_server *s, struct gs_http_request *r,
                              const struct gs_dialect *dialect, const char *path, const char *id,
                              const char *key_name);
/* A sign of life, if it was silent since the last call. */
void gs_server_exchange_tick(struct gs_server_exchange *ex);
/* End it with an error. */
void gs_server_exchange_fail(struct gs_server_exchange *ex, const struct gs_error *err);

/* Its body was read; the reader has let go of it. */
void gs_server_exchange_read(struct gs_server_exchange *ex);

/* What is asked, in the switch's words, but for its head. `unread`: why it could not be read; or
 * NULL. */
struct gs_switch_ask gs_server_ask_of(const struct gs_server_exchange *ex,
                                      const struct gs_dialect_context *ctx,
                                      const struct gs_chat *chat, const struct gs_error *unread,
                                      struct gs_slice body);

/* Of a body that this program cannot read: who is meant, and whether the answer comes in pieces.
 * False: it does not say. */
GS_MUST_CHECK bool gs_server_peek(struct gs_slice body, struct gs_arena *a,
                                  struct gs_dialect_context *ctx);

/* ---- privacy_header.c ---- */

/* x-genset-privacy of a request. False: it says something else. */
GS_MUST_CHECK bool gs_server_privacy_read(const struct gs_http_head *head,
                                          enum gs_privacy *out_privacy, struct gs_error *err);
/* The same of the answer. */
void gs_server_privacy_tell(struct gs_http_request *r, const struct gs_switch_call *call);

/* ---- break_header.c ---- */

/* x-genset-on-break of a request: whether an answer that breaks off ends there. False: it says
 * something else. */
GS_MUST_CHECK bool gs_server_break_read(const struct gs_http_head *head, bool *out_ends,
                                        struct gs_error *err);

/* ---- body_reader.c ---- */

GS_MUST_CHECK enum gs_status gs_server_reader_start(struct gs_server *s, struct gs_error *err);
/* Ends the thread and hands back what it had. */
void gs_server_reader_stop(struct gs_server *s);
/* Read the exchange's body there. False: no memory. */
GS_MUST_CHECK bool gs_server_reader_give(struct gs_server_exchange *ex);
void gs_server_reading_free(struct gs_server_reading *r);

/* ---- repeats.c ---- */

/* Note one more failure of `who`; whether to answer it slowly. */
GS_MUST_CHECK bool gs_server_repeats_note(struct gs_server_repeats *t, uint64_t who,
                                          int64_t now_us);

/* ---- reply.c ---- */

/* "req_0123...": and the header lines that name it. */
void gs_server_reply_id(struct gs_http_request *r, char id[GS_SERVER_ID_BYTES]);
/* Answer with an error in the words of a dialect, and log it. */
void gs_server_reply_error(struct gs_server *s, struct gs_http_request *r,
                           const struct gs_dialect *dialect, const char *id, int status,
                           const struct gs_error *err);
/* The same for a request that failed, with the status of the error; later than asked for, if this
 * client fails in the same way again and again. */
void gs_server_reply_failure(struct gs_server *s, struct gs_http_request *r,
                             const struct gs_dialect *dialect, const char *id,
                             const struct gs_error *err);
void gs_server_reply_json(struct gs_server *s, struct gs_http_request *r, struct gs_buf *body);
void gs_server_reply_text(struct gs_server *s, struct gs_http_request *r, int status,
                          const char *text);
/* One line of the access log; detail may be empty. */
void gs_server_reply_log(struct gs_server *s, enum gs_http_method method, struct gs_slice path,
                         int status, const char *id, const char *detail);

/* ---- models.c: /v1/models ---- */

void gs_server_models_list(const struct gs_server *s, const struct gs_http_head *head,
                           struct gs_buf *b);
/* Those of other computers, into an errand that is about them. */
void gs_server_models_remote(const struct gs_server *s, struct gs_errand *e);
/* False if there is no such model. */
bool gs_server_models_one(const struct gs_server *s, struct gs_slice id, struct gs_buf *b);

/* ---- query.c: what clients write in URLs ---- */

/* "a%2Fb" -> "a/b", in place. */
void gs_server_percent_decode(char *s);
/* The value of `key` in the query, zero-terminated; false if it is not there, or too long. */
bool gs_server_query_get(const struct gs_http_head *head, const char *key, char *out, size_t cap);

/* ---- responses.c ---- */

/* GET and DELETE of a response that was kept, and what hangs on it; `of` is the path after
 * "/v1/responses/". */
void gs_server_responses_request(struct gs_server *s, struct gs_http_request *r, struct gs_slice of,
                                 const char *id);

/* ---- admin.c: what genset tells of itself ---- */

GS_MUST_CHECK enum gs_status gs_server_admin_start(struct gs_server *s, struct gs_error *err);
/* Waits for what was asked. */
void gs_server_admin_stop(struct gs_server *s);
/* `what` is the path after "/api/genset/". */
void gs_server_admin_request(struct gs_server *s, struct gs_http_request *r, struct gs_slice what,
                             const char *id);

/* ---- upload.c ---- */

/* Receive the body of an errand that takes one, and go on after a piece was taken. */
void gs_server_upload_begin(struct gs_server_exchange *ex);
void gs_server_upload_go_on(struct gs_server_exchange *ex);

/* ---- gauges.c: what the server is doing ---- */

/* One request was answered with `status`. */
void gs_server_gauges_count(struct gs_server *s, const struct gs_usage *u, int status);
void gs_server_gauges_slots(const struct gs_server *s, struct gs_buf *b);
void gs_server_gauges_metrics(const struct gs_server *s, struct gs_buf *b);

/* ---- access.c: who may ask ---- */

/* 0, or the status to refuse with. Adds the header lines a browser wants. */
int gs_server_access_check(const struct gs_server *s, struct gs_http_request *r,
                           struct gs_error *err);
/* 0, or 401. *out_name is what the key is called, or NULL; it lives as long as the server. */
int gs_server_access_key(const struct gs_server *s, const struct gs_http_head *head,
                         const char **out_name, struct gs_error *err);

/* ---- route.c: the handler of http/ ---- */

void gs_server_route_request(void *server, struct gs_http_request *r);
/* Whether the body after this head is received in pieces. */
bool gs_server_route_wants_pieces(void *server, const struct gs_http_head *head);
void gs_server_route_refuse(void *server, struct gs_http_request *r, int status,
                            const struct gs_error *err);

#endif
