/* One connection: private to http/. */
#ifndef GS_HTTP_CONN_H
#define GS_HTTP_CONN_H

#include <event2/util.h>

#include "base/buf.h"
#include "http/http.h"
#include "http/parse.h"

struct bufferevent;
struct event_base;
struct gs_http_conn;
struct gs_http_timer;

/* What a connection does now:
 *
 *     HEAD -> BODY or PIECES -> ANSWER -> HEAD ...     (keep-alive)
 *       \__________\______________\_____ FLUSH -> LINGER -> closed
 */
enum gs_http_phase {
    GS_HTTP_PHASE_HEAD,
    GS_HTTP_PHASE_BODY,
    GS_HTTP_PHASE_PIECES, /* of a body, given to the handler as they come */
    GS_HTTP_PHASE_ANSWER,
    GS_HTTP_PHASE_FLUSH,  /* the last answer is being written */
    GS_HTTP_PHASE_LINGER, /* written; what the client still sends is dropped until it closes */
};

struct gs_http_request {
    struct gs_http_conn *conn;
    struct gs_http_head head;
    struct gs_buf head_text;
    struct gs_buf body;
    struct gs_http_chunks chunks;
    struct gs_buf headers; /* of the answer */
    bool is_streaming;     /* the answer's head was sent, its end not */
    bool sends_chunks;
    void (*on_gone)(void *ud);
    void (*on_drain)(void *ud);
    void *ud;
    bool (*on_piece)(void *ud, struct gs_slice piece, bool is_last);
    void *piece_ud;
    uint64_t piece_bytes;   /* given so far */
    bool is_held;           /* no more pieces for now */
    struct gs_http_tap tap; /* zeroed: none */
};

struct gs_http_conn {
    struct gs_http_server *server;
    struct gs_http_conn *prev, *next; /* newer, older */
    struct bufferevent *bev;
    struct gs_http_timer *timer;
    enum gs_http_phase phase;
    size_t scan;      /* see gs_http_head_end() */
    bool is_stepping; /* inside conn_step(): do not free */
    bool is_dead;     /* free when the step is over */
    bool is_last;     /* close after this answer */
    bool has_answered;
    bool is_torn;        /* output was lost for want of memory: nothing may follow but a reset */
    bool has_first_byte; /* of the head being read */
    bool is_left;        /* by its client; who taps wants the rest of the answer */
    struct gs_http_request request;
};

struct gs_http_server {
    struct gs_http_loop *loop;
    struct gs_http_options opt; /* host and the paths are not kept */
    struct evconnlistener *listener;
    struct gs_http_tls *tls;              /* NULL: plain */
    struct gs_http_timer *retry;          /* accepting again after the system refused */
    struct gs_http_conn *newest, *oldest; /* by the time of opening or of the last answer */
    size_t n_conns;
    size_t bodies_bytes; /* held by bodies being received */
    int port;
    int64_t date_s; /* of `date`, a header line */
    char date[48];
    bool is_draining;
    bool is_closing; /* every connection now */
};

/* Takes fd. false: no memory, fd closed. */
bool gs_http_conn_open(struct gs_http_server *s, evutil_socket_t fd);
/* Close now; on_gone is called if an answer was due. */
void gs_http_conn_close(struct gs_http_conn *c);
/* Waiting for a request that has not begun. */
bool gs_http_conn_is_idle(const struct gs_http_conn *c);
/* Said by a connection when it opens, has answered, and is about to be freed. */
void gs_http_server_add(struct gs_http_server *s, struct gs_http_conn *c);
void gs_http_server_touch(struct gs_http_server *s, struct gs_http_conn *c);
void gs_http_server_forget(struct gs_http_server *s, struct gs_http_conn *c);

#endif
