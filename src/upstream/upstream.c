/* libcurl's multi interface on the loop: it says which descriptors and which timer it wants, and is
 * called when they are due (https://curl.se/libcurl/c/curl_multi_socket_action.html). */
#include "upstream/upstream.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "http/loop.h"
#include "upstream/call.h"

#define GOOD_HTTP2_VERSION 0x080500 /* of libcurl: docs/decisions/008-libcurl.md */

void gs_upstream_options_init(struct gs_upstream_options *opt)
{
    *opt = (struct gs_upstream_options){.max_connections = 512,
                                        .max_connections_of_host = 2048,
                                        .user_agent = "genset/" GENSET_VERSION};
}

/* Let libcurl do what is due, and pass on what came of it. */
static void turn(struct gs_upstream *up, curl_socket_t fd, int what)
{
    int n_running;
    int n_left;

    up->curl.multi_socket_action(up->multi, fd, what, &n_running);
    for (;;) {
        struct gs_upstream_call *c = NULL;
        const CURLMsg *m = up->curl.multi_info_read(up->multi, &n_left);
        if (!m)
            break;
        const CURLcode code = m->data.result;
        up->curl.easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &c);
        if (!gs_upstream_call_retry(c, code))
            gs_upstream_call_finish(c, code);
    }
    gs_upstream_tell(up);
}

static void on_ready(void *ud, int fd, unsigned what)
{
    turn(ud, fd,
         (what & GS_HTTP_CAN_READ ? CURL_CSELECT_IN : 0) |
             (what & GS_HTTP_CAN_WRITE ? CURL_CSELECT_OUT : 0));
}

static void on_timer(void *ud)
{
    turn(ud, CURL_SOCKET_TIMEOUT, 0);
}

static void on_soon(void *ud)
{
    gs_upstream_tell(ud);
}

/* ---- what libcurl wants ---- */

static int want_timer(CURLM *multi, long after_ms, void *ud)
{
    struct gs_upstream *up = ud;

    (void)multi;
    if (after_ms < 0)
        gs_http_timer_stop(up->timer);
    else
        gs_http_timer_start(up->timer, after_ms);
    return 0;
}

static void drop_watch(struct gs_upstream *up, struct gs_http_ready *r)
{
    gs_http_ready_set(r, -1, 0);
    if (up->n_spare < GS_UPSTREAM_SPARE_WATCHES)
        up->spare[up->n_spare++] = r;
    else
        gs_http_ready_free(r);
}

/* A failure here is final for libcurl's handle; without memory for a watch the transfer is rather
 * left to its deadlines. */
static int want_watch(CURL *easy, curl_socket_t fd, int what, void *ud, void *of_fd)
{
    struct gs_upstream *up = ud;
    struct gs_http_ready *r = of_fd;
    const unsigned can = (what & CURL_POLL_IN ? GS_HTTP_CAN_READ : 0) |
                         (what & CURL_POLL_OUT ? GS_HTTP_CAN_WRITE : 0);

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (r)
            drop_watch(up, r);
        return 0;
    }
    if (!r && up->n_spare > 0)
        r = up->spare[--up->n_spare];
    if (!r && gs_http_ready_create(up->loop, on_ready, up, &r, NULL) != GS_OK)
        return 0;
    up->curl.multi_assign(up->multi, fd, r);
    gs_http_ready_set(r, fd, can);
    return 0;
}

/* ---- life ---- */

static bool has_proxies(void)
{
    static const char *const names[] = {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy",
                                        "ALL_PROXY"};

    for (size_t i = 0; i < GS_COUNT_OF(names); i++) {
        const char *value = getenv(names[i]);
        if (value && *value)
            return true;
    }
    return false;
}

/* The file of certificates that are trusted: the system's, unless the environment names another. */
static bool find_ca_file(struct gs_upstream *up)
{
    const char *path = getenv("SSL_CERT_FILE");
    CURL *const easy = up->curl.easy_init();

    if (!easy)
        return false;
    if (!path || !*path)
        up->curl.easy_getinfo(easy, CURLINFO_CAINFO, &path);
    if (path)
        up->ca_file = gs_alloc_str(path);
    up->curl.easy_cleanup(easy);
    return !path || up->ca_file;
}

static bool set_up(struct gs_upstream *up)
{
    const struct gs_upstream_libcurl *const curl = &up->curl;
    const long n_host = (long)up->opt.max_connections_of_host;
    const long n_kept = (long)up->opt.max_connections;
    CURLM *const m = up->multi;

    /* One stream to a connection, of HTTP/2 too: our clients' pace is not to be each other's. */
    return curl->multi_setopt(m, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING) == CURLM_OK &&
           curl->multi_setopt(m, CURLMOPT_MAXCONNECTS, n_kept) == CURLM_OK &&
           curl->multi_setopt(m, CURLMOPT_MAX_HOST_CONNECTIONS, n_host) == CURLM_OK &&
           curl->multi_setopt(m, CURLMOPT_TIMERFUNCTION, want_timer) == CURLM_OK &&
           curl->multi_setopt(m, CURLMOPT_TIMERDATA, up) == CURLM_OK &&
           curl->multi_setopt(m, CURLMOPT_SOCKETFUNCTION, want_watch) == CURLM_OK &&
           curl->multi_setopt(m, CURLMOPT_SOCKETDATA, up) == CURLM_OK &&
           curl->share_setopt(up->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION) == CURLSHE_OK;
}

enum gs_status gs_upstream_load(struct gs_error *err)
{
    struct gs_upstream_libcurl curl;

    return gs_upstream_libcurl_load(&curl, err);
}

enum gs_status gs_upstream_create(struct gs_http_loop *loop, const struct gs_upstream_options *opt,
                                  struct gs_upstream **out_up, struct gs_error *err)
{
    struct gs_upstream *up = gs_alloc_zero(sizeof(*up));

    if (!up)
        return gs_error_nomem(err, "prepare requests to other computers");
    up->loop = loop;
    up->opt = *opt;
    up->has_proxies = has_proxies();
    const enum gs_status st = gs_upstream_libcurl_load(&up->curl, err);
    if (st != GS_OK) {
        gs_free(up);
        return st;
    }
    up->use_http2 = opt->wants_http2 ||
                    up->curl.version_info(CURLVERSION_NOW)->version_num >= GOOD_HTTP2_VERSION;
    up->user_agent = gs_alloc_str(opt->user_agent);
    up->multi = up->curl.multi_init();
    up->share = up->curl.share_init();
    if (!up->user_agent || !up->multi || !up->share ||
        gs_http_timer_create(loop, on_timer, up, &up->timer, NULL) != GS_OK ||
        gs_http_timer_create(loop, on_soon, up, &up->soon, NULL) != GS_OK || !find_ca_file(up) ||
        !set_up(up)) {
        gs_upstream_free(up);
        return gs_error_nomem(err, "prepare requests to other computers");
    }
    *out_up = up;
    return GS_OK;
}

void gs_upstream_free(struct gs_upstream *up)
{
    if (!up)
        return;
    while (up->draining)
        gs_upstream_drain_end(up->draining);
    assert(up->n_calls == 0);
    while (up->idle) {
        struct gs_upstream_call *c = up->idle;
        up->idle = c->next;
        gs_upstream_call_destroy(c);
    }
    up->curl.multi_cleanup(up->multi); /* closes connections: watches come back */
    up->curl.share_cleanup(up->share);
    while (up->n_spare > 0)
        gs_http_ready_free(up->spare[--up->n_spare]);
    gs_http_timer_free(up->timer);
    gs_http_timer_free(up->soon);
    gs_free(up->user_agent);
    gs_free(up->ca_file);
    up->curl.global_cleanup();
    gs_free(up);
}

void gs_upstream_forget(struct gs_upstream *up)
{
    up->forgot_us = gs_clock_mono_us();
}
