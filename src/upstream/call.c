/* The life of a call: from the pool into libcurl, what is heard there, and back. */
#include "upstream/call.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/slice.h"
#include "http/loop.h"

#define MAX_IDLE_CALLS     128
#define MAX_KEPT_BYTES     ((size_t)64 << 10)  /* of a buffer of an idle call */
#define HIGH_BYTES         ((size_t)256 << 10) /* received in one turn; more waits for the next */
#define MAX_UNTOLD_BYTES   ((size_t)8 << 20)
#define MAX_REQUEST_HEAD   ((size_t)256 << 10)
#define KEEP_NAMES_S       60
#define KEEPALIVE_IDLE_S   60
#define KEEPALIVE_REPEAT_S 20

/* ---- news ---- */

void gs_upstream_call_news(struct gs_upstream_call *c)
{
    struct gs_upstream *up = c->up;

    if (c->has_news)
        return;
    c->has_news = true;
    c->next = NULL;
    c->prev = up->last;
    if (up->last)
        up->last->next = c;
    else
        up->first = c;
    up->last = c;
}

void gs_upstream_call_no_news(struct gs_upstream_call *c)
{
    struct gs_upstream *up = c->up;

    if (!c->has_news)
        return;
    c->has_news = false;
    if (c->prev)
        c->prev->next = c->next;
    else
        up->first = c->next;
    if (c->next)
        c->next->prev = c->prev;
    else
        up->last = c->prev;
}

static void release(struct gs_upstream_call *c);

/* Whether the sink, just called, let the call go or has it pause. */
static bool is_enough(const struct gs_upstream_call *c)
{
    return c->is_freed || c->is_draining || c->is_paused;
}

/* Empty it, and give back what is more than usual. */
static void shrink(struct gs_buf *b)
{
    if (b->cap > MAX_KEPT_BYTES)
        gs_buf_clear(b);
    gs_buf_reset(b);
}

static void tell_sink(struct gs_upstream_call *c)
{
    if (c->has_head && !c->told_head) {
        const struct gs_upstream_head head = {
            .status = c->status, .headers = c->headers, .n_headers = c->n_headers};
        c->told_head = true;
        c->sink.on_head(c->sink.ud, &head);
        if (is_enough(c))
            return;
    }
    if (c->body.len > 0) {
        c->sink.on_bytes(c->sink.ud, gs_buf_view(&c->body));
        shrink(&c->body);
        if (is_enough(c))
            return;
    }
    if (c->phase == GS_UPSTREAM_DONE && !c->told_end) {
        c->told_end = true;
        c->sink.on_end(c->sink.ud, &c->end);
    }
}

static void receive_again(struct gs_upstream_call *c)
{
    c->is_held = false;
    const CURLcode code = c->up->curl.easy_pause(c->easy, CURLPAUSE_CONT);
    if (code != CURLE_OK)
        gs_upstream_call_finish(c, code);
}

static void tell(struct gs_upstream_call *c)
{
    struct gs_upstream *up = c->up;

    up->telling = c;
    if (!c->is_paused)
        tell_sink(c);
    up->telling = NULL;
    if (c->is_freed)
        release(c);
    else if (c->is_held && !c->is_paused && c->phase != GS_UPSTREAM_DONE)
        receive_again(c);
}

void gs_upstream_tell(struct gs_upstream *up)
{
    while (up->first) {
        struct gs_upstream_call *c = up->first;
        gs_upstream_call_no_news(c);
        tell(c);
    }
}

/* ---- deadlines ---- */

static int64_t after(int64_t now_us, int64_t limit_us)
{
    return limit_us > 0 ? now_us + limit_us : INT64_MAX;
}

static int64_t deadline(const struct gs_upstream_call *c)
{
    const int64_t at_us = c->phase == GS_UPSTREAM_CONNECTING ? c->connect_at_us
                          : c->phase == GS_UPSTREAM_ASKING   ? c->head_at_us
                                                             : INT64_MAX;
    return GS_MIN(at_us, c->total_at_us);
}

/* A timer that is due too early costs less than one moved at each step. */
static void arm(struct gs_upstream_call *c, int64_t now_us)
{
    const int64_t at_us = deadline(c);

    if (at_us >= c->armed_us)
        return;
    c->armed_us = at_us;
    gs_http_timer_start(c->timer, at_us > now_us ? (at_us - now_us + 999) / 1000 : 0);
}

static void on_deadline(void *ud)
{
    struct gs_upstream_call *c = ud;
    struct gs_upstream *up = c->up;
    const int64_t now_us = gs_clock_mono_us();

    c->armed_us = INT64_MAX;
    if (c->is_draining) {
        gs_upstream_drain_end(c);
        return;
    }
    if (c->phase == GS_UPSTREAM_DONE)
        return;
    if (now_us < deadline(c)) {
        arm(c, now_us);
        return;
    }
    gs_upstream_judge_late(c, now_us >= c->total_at_us);
    gs_upstream_call_finish(c, CURLE_OPERATION_TIMEDOUT);
    gs_upstream_tell(up);
}

/* ---- what libcurl says ---- */

/* The way to a new connection begins: at the start, or because an open one was found closed. */
static void connecting(struct gs_upstream_call *c)
{
    if (c->phase != GS_UPSTREAM_ASKING)
        return;
    const int64_t now_us = gs_clock_mono_us();
    c->phase = GS_UPSTREAM_CONNECTING;
    c->connect_at_us = after(now_us, c->connect_us);
    arm(c, now_us);
}

static int on_resolve(void *state, void *reserved, void *ud)
{
    struct gs_upstream_call *c = ud;

    (void)state;
    (void)reserved;
    c->was_resolving = true;
    connecting(c);
    return 0;
}

static curl_socket_t on_open(void *ud, curlsocktype why, struct curl_sockaddr *a)
{
    struct gs_upstream_call *c = ud;

    (void)why;
    c->was_opening = true;
    if (a->family == AF_INET)
        c->tried_port = ntohs(((const struct sockaddr_in *)(const void *)&a->addr)->sin_port);
    else if (a->family == AF_INET6)
        c->tried_port = ntohs(((const struct sockaddr_in6 *)(const void *)&a->addr)->sin6_port);
    connecting(c);
    return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

static int on_connected(void *ud, char *there, char *here, int port_there, int port_here)
{
    struct gs_upstream_call *c = ud;
    const int64_t now_us = gs_clock_mono_us();

    (void)there;
    (void)here;
    (void)port_there;
    (void)port_here;
    c->phase = GS_UPSTREAM_ASKING;
    c->end.times.connected_us = c->was_opening ? now_us - c->started_us : 0;
    c->head_at_us = after(now_us, c->headers_us);
    arm(c, now_us);
    return CURL_PREREQFUNC_OK;
}

/* ---- the answer ---- */

static bool is_token_char(char ch)
{
    return (ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9') ||
           (ch != '\0' && strchr("!#$%&'*+-.^_`|~", ch));
}

/* "name: value" at p, n bytes. */
static bool read_header(struct gs_upstream_call *c, char *p, size_t n)
{
    char *const colon = memchr(p, ':', n);

    if (!colon || colon == p)
        return false;
    for (char *at = p; at < colon; at++) {
        if (*at >= 'A' && *at <= 'Z')
            *at = (char)(*at - 'A' + 'a');
        if (!is_token_char(*at))
            return false;
    }
    const struct gs_slice value = gs_slice_trim(gs_slice(colon + 1, n - (size_t)(colon + 1 - p)));
    for (size_t i = 0; i < value.len; i++)
        if (((unsigned char)value.ptr[i] < ' ' && value.ptr[i] != '\t') || value.ptr[i] == 0x7f)
            return false;
    c->headers[c->n_headers++] =
        (struct gs_upstream_header){.name = gs_slice(p, (size_t)(colon - p)), .value = value};
    return true;
}

/* The lines taken down, as headers. */
static bool read_head(struct gs_upstream_call *c)
{
    char *at = memchr(c->head.ptr, '\n', c->head.len); /* behind the status line */
    char *const end = c->head.ptr + c->head.len;

    c->n_headers = 0;
    while (at && at + 1 < end) {
        char *const line = at + 1;
        at = memchr(line, '\n', (size_t)(end - line));
        const size_t n = (size_t)((at ? at : end) - line);
        if (c->n_headers == GS_UPSTREAM_MAX_HEADERS) {
            gs_upstream_judge_malformed(c, "too many headers");
            return false;
        }
        if (!read_header(c, line, n)) {
            gs_upstream_judge_malformed(c, "a header line that is none");
            return false;
        }
    }
    return true;
}

static bool end_head(struct gs_upstream_call *c)
{
    long status = 0;

    c->up->curl.easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 100 && status < 200) {
        gs_buf_reset(&c->head);
        return true;
    }
    c->status = (int)status;
    if (!read_head(c) || !gs_upstream_judge_head(c))
        return false;
    c->has_head = true;
    c->phase = GS_UPSTREAM_ANSWERING;
    c->end.times.head_us = gs_clock_mono_us() - c->started_us;
    gs_upstream_call_news(c);
    return true;
}

/* A line of a head; an empty one ends it. What follows the body is not for us. */
static size_t on_line(char *p, size_t size, size_t n, void *ud)
{
    struct gs_upstream_call *c = ud;
    const struct gs_slice line = gs_slice_trim(gs_slice(p, size * n));

    c->end.times.received_bytes += (int64_t)(size * n);
    if (c->is_draining)
        return gs_upstream_drain_may_receive(c) ? n : 0;
    if (c->has_head)
        return n;
    if (c->end.times.received_bytes > (int64_t)GS_UPSTREAM_MAX_HEAD_BYTES) {
        gs_upstream_judge_malformed(c, "too long a head");
        return 0;
    }
    if (line.len == 0 && c->head.len > 0)
        return end_head(c) ? n : 0;
    gs_buf_put(&c->head, p, size * n);
    return gs_buf_ok(&c->head) ? n : 0;
}

static void hold(struct gs_upstream_call *c)
{
    if (c->is_held || c->phase == GS_UPSTREAM_DONE)
        return;
    c->is_held = c->up->curl.easy_pause(c->easy, CURLPAUSE_RECV) == CURLE_OK;
}

static size_t on_body(char *p, size_t size, size_t n, void *ud)
{
    struct gs_upstream_call *c = ud;

    c->end.times.received_bytes += (int64_t)(size * n);
    if (c->is_draining)
        return gs_upstream_drain_may_receive(c) ? n : 0;
    gs_buf_put(&c->body, p, size * n);
    if (!gs_buf_ok(&c->body))
        return 0;
    if (c->is_paused || c->body.len >= HIGH_BYTES)
        hold(c);
    gs_upstream_call_news(c);
    return n;
}

static void take_times(struct gs_upstream_call *c)
{
    struct gs_upstream_times *t = &c->end.times;
    curl_off_t body = 0;
    long request = 0; /* may hold the body's beginning, or all of it */

    t->end_us = gs_clock_mono_us() - c->started_us;
    c->up->curl.easy_getinfo(c->easy, CURLINFO_REQUEST_SIZE, &request);
    c->up->curl.easy_getinfo(c->easy, CURLINFO_SIZE_UPLOAD_T, &body);
    t->sent_bytes = request > body ? request : request + body;
}

void gs_upstream_call_finish(struct gs_upstream_call *c, CURLcode code)
{
    if (c->is_draining) {
        gs_upstream_drain_end(c);
        return;
    }
    if (c->phase == GS_UPSTREAM_DONE)
        return;
    gs_upstream_judge(c, code);
    take_times(c);
    c->phase = GS_UPSTREAM_DONE;
    gs_http_timer_stop(c->timer);
    c->up->curl.multi_remove_handle(c->up->multi, c->easy);
    c->is_added = false;
    gs_upstream_call_news(c);
}

bool gs_upstream_call_retry(struct gs_upstream_call *c, CURLcode code)
{
    const bool is_stale = code != CURLE_OK && c->phase == GS_UPSTREAM_ASKING && !c->was_opening &&
                          c->end.times.received_bytes == 0;

    if (!is_stale || c->was_retried)
        return false;
    c->was_retried = true;
    c->is_held = false;
    c->curl_says[0] = '\0';
    c->up->curl.multi_remove_handle(c->up->multi, c->easy);
    c->is_added = c->up->curl.easy_setopt(c->easy, CURLOPT_FRESH_CONNECT, 1L) == CURLE_OK &&
                  c->up->curl.multi_add_handle(c->up->multi, c->easy) == CURLM_OK;
    return c->is_added;
}

/* ---- the pool ---- */

void gs_upstream_call_destroy(struct gs_upstream_call *c)
{
    if (c->easy)
        c->up->curl.easy_cleanup(c->easy);
    c->up->curl.url_cleanup(c->parts);
    gs_http_timer_free(c->timer);
    gs_free(c->url);
    gs_free(c->proxy);
    gs_free(c->ca_file);
    gs_free(c->lines);
    gs_buf_clear(&c->text);
    gs_buf_clear(&c->head);
    gs_buf_clear(&c->body);
    gs_free(c);
}

static void release(struct gs_upstream_call *c)
{
    struct gs_upstream *up = c->up;

    up->n_calls--;
    if (up->n_idle >= MAX_IDLE_CALLS) {
        gs_upstream_call_destroy(c);
        return;
    }
    shrink(&c->text);
    shrink(&c->head);
    shrink(&c->body);
    c->next = up->idle;
    up->idle = c;
    up->n_idle++;
}

#define SET(option, value)                                                                         \
    if (c->up->curl.easy_setopt(c->easy, option, value) != CURLE_OK)                               \
    return false

/* What is the same for all. */
static bool set_for_ever(struct gs_upstream_call *c)
{
    SET(CURLOPT_PRIVATE, c);
    SET(CURLOPT_CURLU, c->parts);
    SET(CURLOPT_SHARE, c->up->share);
    SET(CURLOPT_ERRORBUFFER, c->curl_says);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L); /* do not wait for a name that nobody waits for any more */
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_HTTP_VERSION,
        c->up->use_http2 ? (long)CURL_HTTP_VERSION_2TLS : (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_CAINFO, c->up->ca_file);
    SET(CURLOPT_CAPATH, NULL); /* the file alone is read once and kept */
    SET(CURLOPT_USERAGENT, c->up->user_agent);
    SET(CURLOPT_PATH_AS_IS, 1L);
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    SET(CURLOPT_TCP_NODELAY, 1L);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_TCP_KEEPIDLE, (long)KEEPALIVE_IDLE_S);
    SET(CURLOPT_TCP_KEEPINTVL, (long)KEEPALIVE_REPEAT_S);
    SET(CURLOPT_DNS_CACHE_TIMEOUT, (long)KEEP_NAMES_S);
    SET(CURLOPT_RESOLVER_START_FUNCTION, on_resolve);
    SET(CURLOPT_RESOLVER_START_DATA, c);
    SET(CURLOPT_OPENSOCKETFUNCTION, on_open);
    SET(CURLOPT_OPENSOCKETDATA, c);
    SET(CURLOPT_PREREQFUNCTION, on_connected);
    SET(CURLOPT_PREREQDATA, c);
    SET(CURLOPT_HEADERFUNCTION, on_line);
    SET(CURLOPT_HEADERDATA, c);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, c);
    return true;
}

static struct gs_upstream_call *take(struct gs_upstream *up)
{
    struct gs_upstream_call *c = up->idle;

    if (c) {
        up->idle = c->next;
        up->n_idle--;
        return c;
    }
    c = gs_alloc_zero(sizeof(*c));
    if (!c)
        return NULL;
    c->up = up;
    gs_buf_init(&c->text, MAX_REQUEST_HEAD);
    gs_buf_init(&c->head, GS_UPSTREAM_MAX_HEAD_BYTES);
    gs_buf_init(&c->body, MAX_UNTOLD_BYTES);
    c->easy = c->up->curl.easy_init();
    c->parts = c->up->curl.url();
    if (!c->easy || !c->parts ||
        gs_http_timer_create(up->loop, on_deadline, c, &c->timer, NULL) != GS_OK ||
        !set_for_ever(c)) {
        gs_upstream_call_destroy(c);
        return NULL;
    }
    return c;
}

/* ---- the request ---- */

/* Let *kept be a copy of s; *out_is_new if it was not. */
static bool keep(char **kept, const char *s, bool *out_is_new)
{
    *out_is_new = !(*kept && s && strcmp(*kept, s) == 0) && (*kept || s);
    if (!*out_is_new)
        return true;
    char *const copy = s ? gs_alloc_str(s) : NULL;
    if (s && !copy)
        return false;
    gs_free(*kept);
    *kept = copy;
    return true;
}

static bool is_loopback(const char *host)
{
    return strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
           strncmp(host, "127.", 4) == 0;
}

/* Take the URL apart as far as we need it. */
static enum gs_status read_url(struct gs_upstream_call *c, const char *url, struct gs_error *err)
{
    enum { SCHEME, HOST, PORT, DEFAULT_PORT, USER, N_PARTS };
    static const struct {
        CURLUPart part;
        unsigned flags;
    } parts[N_PARTS] = {{CURLUPART_SCHEME, 0},
                        {CURLUPART_HOST, 0},
                        {CURLUPART_PORT, 0},
                        {CURLUPART_PORT, CURLU_DEFAULT_PORT},
                        {CURLUPART_USER, 0}};
    char *text[N_PARTS] = {0};
    enum gs_status st = GS_OK;

    const CURLUcode code = c->up->curl.url_set(c->parts, CURLUPART_URL, url, CURLU_PATH_AS_IS);
    if (code == CURLUE_OUT_OF_MEMORY) {
        st = gs_error_nomem(err, "read a URL");
        goto out;
    }
    for (size_t i = 0; i < N_PARTS && code == CURLUE_OK; i++)
        if (c->up->curl.url_get(c->parts, parts[i].part, &text[i], parts[i].flags) ==
            CURLUE_OUT_OF_MEMORY)
            st = gs_error_nomem(err, "read a URL");
    if (st != GS_OK)
        goto out;
    if (!text[SCHEME] || !text[HOST] || !text[DEFAULT_PORT] ||
        (strcmp(text[SCHEME], "http") != 0 && strcmp(text[SCHEME], "https") != 0)) {
        st = gs_error_set(err, GS_EINVAL, "the URL of an upstream is no http:// or https:// URL");
        goto out;
    }
    if (text[USER]) {
        st = gs_error_set(err, GS_EINVAL, "the URL of \"%s\" has credentials in it", text[HOST]);
        goto out;
    }
    int64_t port = 0;
    gs_slice_to_i64(gs_slice_str(text[DEFAULT_PORT]), &port);
    c->port = (int)port;
    c->is_loopback = is_loopback(text[HOST]);
    snprintf(c->where, sizeof(c->where), "%s%s%s", text[HOST], text[PORT] ? ":" : "",
             text[PORT] ? text[PORT] : "");
out:
    for (size_t i = 0; i < N_PARTS; i++)
        c->up->curl.free(text[i]);
    return st;
}

/* Headers that are ours to write: they speak of the connection, or of what we can decode. */
static bool is_ours(struct gs_slice name)
{
    static const char *const names[] = {
        "host",   "content-length",  "connection",       "transfer-encoding",
        "te",     "trailer",         "upgrade",          "keep-alive",
        "expect", "accept-encoding", "proxy-connection", "proxy-authorization",
    };

    for (size_t i = 0; i < GS_COUNT_OF(names); i++)
        if (name.len == strlen(names[i]) && strncasecmp(name.ptr, names[i], name.len) == 0)
            return true;
    return false;
}

static enum gs_status check_header(const struct gs_upstream_header *h, struct gs_error *err)
{
    if (h->name.len == 0)
        return gs_error_set(err, GS_EINVAL, "a header without a name");
    for (size_t i = 0; i < h->name.len; i++) {
        const char ch = h->name.ptr[i];
        if (!is_token_char(ch >= 'A' && ch <= 'Z' ? (char)(ch - 'A' + 'a') : ch))
            return gs_error_set(err, GS_EINVAL,
                                "a header's name has a character not allowed there");
    }
    for (size_t i = 0; i < h->value.len; i++) {
        const unsigned char ch = (unsigned char)h->value.ptr[i];
        if ((ch < ' ' && ch != '\t') || ch == 0x7f)
            return gs_error_set(err, GS_EINVAL,
                                "the value of header \"%.*s\" has a control character",
                                (int)h->name.len, h->name.ptr);
    }
    return GS_OK;
}

/* libcurl's own headers that are not wanted unless the request has them, and those that never are.
 */
static const struct {
    const char *name, *line;
} defaults[] = {{"accept", "Accept:"},
                {"content-type", "Content-Type:"},
                {"accept-encoding", "Accept-Encoding: identity"},
                {"expect", "Expect:"}};

static bool has_header(const struct gs_upstream_request *r, const char *name)
{
    for (size_t i = 0; i < r->n_headers; i++)
        if (r->headers[i].name.len == strlen(name) &&
            strncasecmp(r->headers[i].name.ptr, name, r->headers[i].name.len) == 0)
            return !is_ours(r->headers[i].name);
    return false;
}

/* The lines, one behind the other; how many. An empty value is written with a semicolon. */
static size_t write_lines(struct gs_buf *b, const struct gs_upstream_request *r)
{
    size_t n = 0;

    for (size_t i = 0; i < r->n_headers; i++) {
        const struct gs_slice value = gs_slice_trim(r->headers[i].value);
        if (is_ours(r->headers[i].name))
            continue;
        gs_buf_slice(b, r->headers[i].name);
        gs_buf_puts(b, value.len > 0 ? ": " : ";");
        gs_buf_slice(b, value);
        gs_buf_putc(b, '\0');
        n++;
    }
    for (size_t i = 0; i < GS_COUNT_OF(defaults); i++) {
        if (has_header(r, defaults[i].name))
            continue;
        gs_buf_put(b, defaults[i].line, strlen(defaults[i].line) + 1);
        n++;
    }
    return n;
}

/* The list that libcurl reads, in memory of ours. */
static enum gs_status make_lines(struct gs_upstream_call *c, const struct gs_upstream_request *r,
                                 struct gs_error *err)
{
    for (size_t i = 0; i < r->n_headers; i++) {
        const enum gs_status st = check_header(&r->headers[i], err);
        if (st != GS_OK)
            return st;
    }
    gs_buf_reset(&c->text);
    const size_t n = write_lines(&c->text, r);
    if (n > c->lines_cap) {
        struct curl_slist *lines = gs_alloc_array(n, sizeof(*lines));
        if (!lines)
            return gs_error_nomem(err, "write a request's head");
        gs_free(c->lines);
        c->lines = lines;
        c->lines_cap = n;
    }
    if (!gs_buf_ok(&c->text))
        return gs_error_nomem(err, "write a request's head");
    char *at = c->text.ptr;
    for (size_t i = 0; i < n; i++) {
        c->lines[i] = (struct curl_slist){.data = at, .next = i + 1 < n ? &c->lines[i + 1] : NULL};
        at += strlen(at) + 1;
    }
    return GS_OK;
}

/* A connection older than what was to be forgotten is not taken again. libcurl counts seconds. */
static bool set_ages(struct gs_upstream_call *c)
{
    const int64_t age_s = (gs_clock_mono_us() - c->up->forgot_us) / 1000000;

    SET(CURLOPT_FRESH_CONNECT, c->up->forgot_us > 0 && age_s < 2 ? 1L : 0L);
    if (c->up->forgot_us == 0)
        return true;
    SET(CURLOPT_MAXLIFETIME_CONN, (long)GS_MAX(age_s - 1, 1));
    SET(CURLOPT_DNS_CACHE_TIMEOUT, (long)GS_MIN(age_s, KEEP_NAMES_S));
    return true;
}

static bool set_method(struct gs_upstream_call *c, const struct gs_upstream_request *r)
{
    const bool is_get = strcmp(r->method, "GET") == 0;
    const bool is_head = strcmp(r->method, "HEAD") == 0;
    const bool is_post = strcmp(r->method, "POST") == 0;

    if (is_head) {
        SET(CURLOPT_NOBODY, 1L);
    } else if (r->body.len == 0 && !is_post) {
        SET(CURLOPT_HTTPGET, 1L);
    } else {
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDS, r->body.len > 0 ? r->body.ptr : "");
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.len);
    }
    SET(CURLOPT_CUSTOMREQUEST,
        is_head || is_post || (is_get && r->body.len == 0) ? NULL : r->method);
    return true;
}

static bool set_request(struct gs_upstream_call *c, const struct gs_upstream_request *r,
                        bool is_new_url)
{
    const char *proxy = r->proxy;
    bool is_new;

    if (!proxy && (!c->up->has_proxies || c->is_loopback))
        proxy = "";
    if (is_new_url)
        SET(CURLOPT_URL, c->url);
    if (!keep(&c->proxy, proxy, &is_new))
        return false;
    if (is_new) {
        SET(CURLOPT_PROXY, c->proxy);
        SET(CURLOPT_NOPROXY,
            c->proxy ? "" : NULL); /* the environment's exceptions are for its own */
    }
    if (!keep(&c->ca_file, r->ca_file, &is_new))
        return false;
    if (is_new)
        SET(CURLOPT_CAINFO, c->ca_file ? c->ca_file : c->up->ca_file);
    SET(CURLOPT_CONNECTTIMEOUT_MS,
        r->connect_ms > 0 ? (long)GS_MIN(r->connect_ms, INT32_MAX) : (long)INT32_MAX);
    SET(CURLOPT_HTTPHEADER, c->lines);
    return set_method(c, r) && set_ages(c);
}

static enum gs_status prepare(struct gs_upstream_call *c, const struct gs_upstream_request *r,
                              struct gs_error *err)
{
    bool is_new = !c->url || strcmp(c->url, r->url) != 0;
    enum gs_status st = is_new ? read_url(c, r->url, err) : GS_OK;

    if (st == GS_OK && !keep(&c->url, r->url, &is_new))
        st = gs_error_nomem(err, "send a request");
    if (st == GS_OK)
        st = make_lines(c, r, err);
    if (st == GS_OK && !set_request(c, r, is_new))
        st = gs_error_nomem(err, "send a request");
    return st;
}

static void begin(struct gs_upstream_call *c, const struct gs_upstream_request *r)
{
    const int64_t now_us = gs_clock_mono_us();

    c->phase = GS_UPSTREAM_CONNECTING;
    c->started_us = now_us;
    c->connect_us = r->connect_ms * 1000;
    c->headers_us = r->headers_ms * 1000;
    c->connect_at_us = after(now_us, c->connect_us);
    c->head_at_us = INT64_MAX;
    c->total_at_us = after(now_us, r->total_ms * 1000);
    c->armed_us = INT64_MAX;
    c->was_resolving = c->was_opening = c->was_retried = false;
    c->tried_port = 0;
    gs_buf_reset(&c->head);
    gs_buf_reset(&c->body);
    c->n_headers = 0;
    c->status = 0;
    c->has_head = false;
    c->end = (struct gs_upstream_end){.times = {.connected_us = -1, .head_us = -1, .end_us = -1}};
    c->curl_says[0] = '\0';
    c->has_news = c->is_paused = c->is_held = c->told_head = c->told_end = c->is_freed = false;
    c->is_draining = false;
    c->request_bytes = r->body.len;
    arm(c, now_us);
}

enum gs_status gs_upstream_call_create(struct gs_upstream *up, const struct gs_upstream_request *r,
                                       const struct gs_upstream_sink *sink,
                                       struct gs_upstream_call **out_call, struct gs_error *err)
{
    struct gs_upstream_call *c = take(up);

    if (!c)
        return gs_error_nomem(err, "send a request");
    enum gs_status st = prepare(c, r, err);
    if (st == GS_OK && c->up->curl.multi_add_handle(up->multi, c->easy) != CURLM_OK)
        st = gs_error_nomem(err, "send a request");
    if (st != GS_OK) { /* who knows what is set in it */
        gs_upstream_call_destroy(c);
        return st;
    }
    c->is_added = true;
    c->sink = *sink;
    up->n_calls++;
    begin(c, r);
    *out_call = c;
    return GS_OK;
}

void gs_upstream_call_pause(struct gs_upstream_call *c)
{
    c->is_paused = true;
    hold(c); /* or, where that is too early, when the first bytes come */
}

void gs_upstream_call_resume(struct gs_upstream_call *c)
{
    c->is_paused = false;
    gs_upstream_call_news(c);
    gs_http_timer_start(c->up->soon, 0);
}

struct gs_upstream_times gs_upstream_call_times(const struct gs_upstream_call *c)
{
    return c->end.times;
}

void gs_upstream_call_free(struct gs_upstream_call *c)
{
    if (!c)
        return;
    if (c->is_added) {
        gs_http_timer_stop(c->timer);
        c->up->curl.multi_remove_handle(c->up->multi, c->easy);
        c->is_added = false;
    }
    gs_upstream_call_no_news(c);
    if (c->up->telling == c)
        c->is_freed = true;
    else
        release(c);
}

struct gs_slice gs_upstream_head_get(const struct gs_upstream_head *h, const char *name)
{
    const struct gs_slice wanted = gs_slice_str(name);

    for (size_t i = 0; i < h->n_headers; i++)
        if (gs_slice_eq(h->headers[i].name, wanted))
            return h->headers[i].value;
    return gs_slice(NULL, 0);
}
