/* The listening socket and the list of connections. Beyond the ceiling the connection longest idle
 * after an answer makes room; when there is none, new clients wait in the system's backlog. */
#include <errno.h>
#include <netinet/tcp.h>

#include <event2/event.h>
#include <event2/listener.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/slice.h"
#include "http/address.h"
#include "http/conn.h"
#include "http/loop.h"
#include "http/tls.h"

#define BACKLOG         512
#define ACCEPT_RETRY_MS 500
#define SECONDS         INT64_C(1000)

void gs_http_options_init(struct gs_http_options *opt)
{
    *opt = (struct gs_http_options){
        .host = "127.0.0.1",
        .max_head_bytes = 32 * GS_KIB,
        .max_body_bytes = GS_MAX_REQUEST_BYTES,
        .max_bodies_bytes = 8 * GS_MAX_REQUEST_BYTES,
        .max_connections = 4096,
        .idle_ms = 120 * SECONDS,
        .head_ms = 15 * SECONDS,
        .body_ms = 30 * SECONDS,
        .write_ms = 300 * SECONDS,
        .linger_ms = 2 * SECONDS,
    };
}

static bool close_oldest_idle(struct gs_http_server *s)
{
    for (struct gs_http_conn *c = s->oldest; c; c = c->prev) {
        if (c->has_answered && gs_http_conn_is_idle(c)) {
            gs_http_conn_close(c);
            return true;
        }
    }
    return false;
}

static void accepted(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *addr, int len,
                     void *ud)
{
    struct gs_http_server *s = ud;
    const int on = 1;

    (void)addr;
    (void)len;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (!gs_http_conn_open(s, fd))
        return;
    if (s->n_conns > s->opt.max_connections && !close_oldest_idle(s))
        evconnlistener_disable(l);
}

static void accept_failed(struct evconnlistener *l, void *ud)
{
    struct gs_http_server *s = ud;

    evconnlistener_disable(l); /* out of descriptors: trying at once would spin */
    gs_http_timer_start(s->retry, ACCEPT_RETRY_MS);
}

static void accept_again(void *ud)
{
    struct gs_http_server *s = ud;

    if (!s->is_draining && s->n_conns <= s->opt.max_connections)
        evconnlistener_enable(s->listener);
}

static void unlink_conn(struct gs_http_server *s, struct gs_http_conn *c)
{
    *(c->prev ? &c->prev->next : &s->newest) = c->next;
    *(c->next ? &c->next->prev : &s->oldest) = c->prev;
}

static void link_conn(struct gs_http_server *s, struct gs_http_conn *c)
{
    c->prev = NULL;
    c->next = s->newest;
    *(c->next ? &c->next->prev : &s->oldest) = c;
    s->newest = c;
}

void gs_http_server_add(struct gs_http_server *s, struct gs_http_conn *c)
{
    link_conn(s, c);
    s->n_conns++;
}

void gs_http_server_touch(struct gs_http_server *s, struct gs_http_conn *c)
{
    unlink_conn(s, c);
    link_conn(s, c);
}

void gs_http_server_forget(struct gs_http_server *s, struct gs_http_conn *c)
{
    unlink_conn(s, c);
    s->n_conns--;
    if (s->listener)
        accept_again(s);
}

static enum gs_status bind_port(struct gs_http_server *s, struct gs_error *err)
{
    union gs_http_address a;
    socklen_t len;
    const enum gs_status st = gs_http_address_parse(s->opt.host, s->opt.port, &a, &len, err);

    if (st != GS_OK)
        return st;
    s->listener =
        evconnlistener_new_bind(gs_http_loop_base(s->loop), accepted, s,
                                LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE,
                                BACKLOG, &a.any, (int)len);
    if (!s->listener) {
        const int errnum = errno;
        gs_error_errno(err, GS_EIO, errnum, "could not listen on %s port %d", s->opt.host,
                       s->opt.port);
        if (errnum == EADDRINUSE)
            gs_error_hint(err, "Another program listens there; choose another port.");
        return GS_EIO;
    }
    evconnlistener_set_error_cb(s->listener, accept_failed);
    if (getsockname(evconnlistener_get_fd(s->listener), &a.any, &len) != 0)
        return gs_error_errno(err, GS_EIO, errno, "could not learn the port");
    s->port = ntohs(a.any.sa_family == AF_INET ? a.v4.sin_port : a.v6.sin6_port);
    return GS_OK;
}

static enum gs_status prepare_tls(struct gs_http_server *s, struct gs_error *err)
{
    if (s->opt.tls_cert && s->opt.tls_key)
        return gs_http_tls_create(s->opt.tls_cert, s->opt.tls_key, &s->tls, err);
    gs_error_set(err, GS_EINVAL, "TLS needs a certificate and its key, of which only one is given");
    gs_error_hint(err, "Give the files of both.");
    return GS_EINVAL;
}

enum gs_status gs_http_server_create(struct gs_http_loop *loop, const struct gs_http_options *opt,
                                     struct gs_http_server **out_s, struct gs_error *err)
{
    struct gs_http_server *s = gs_alloc_zero(sizeof(*s));
    enum gs_status st;

    if (!s)
        return gs_error_nomem(err, "create the HTTP server");
    s->loop = loop;
    s->opt = *opt;
    st = gs_http_timer_create(loop, accept_again, s, &s->retry, err);
    if (st == GS_OK && (opt->tls_cert || opt->tls_key))
        st = prepare_tls(s, err);
    if (st == GS_OK)
        st = bind_port(s, err);
    s->opt.host = s->opt.tls_cert = s->opt.tls_key = NULL;
    if (st != GS_OK) {
        gs_http_server_free(s);
        return st;
    }
    *out_s = s;
    return GS_OK;
}

int gs_http_server_port(const struct gs_http_server *s)
{
    return s->port;
}

size_t gs_http_server_connections(const struct gs_http_server *s)
{
    return s->n_conns;
}

static void stop_listening(struct gs_http_server *s)
{
    s->is_draining = true;
    if (s->listener)
        evconnlistener_free(s->listener);
    s->listener = NULL;
}

void gs_http_server_drain(struct gs_http_server *s)
{
    stop_listening(s);
    for (struct gs_http_conn *c = s->newest; c;) {
        struct gs_http_conn *next = c->next;
        if (gs_http_conn_is_idle(c))
            gs_http_conn_close(c);
        c = next;
    }
}

void gs_http_server_free(struct gs_http_server *s)
{
    if (!s)
        return;
    stop_listening(s);
    s->is_closing = true;
    while (s->newest)
        gs_http_conn_close(s->newest);
    gs_http_timer_free(s->retry);
    gs_http_tls_free(s->tls);
    gs_free(s);
}
