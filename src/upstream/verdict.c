/* What went wrong, in one word and one sentence. libcurl's word for it is a hint only: what counts
 * is how far the call had come. No text here holds more of a URL than its host. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/slice.h"
#include "upstream/call.h"

#define MAX_DETAIL 160

/* What libcurl says of it, which may repeat bytes of the other side. */
static const char *detail(const struct gs_upstream_call *c, CURLcode code, char out[MAX_DETAIL])
{
    const char *const says = c->curl_says[0]    ? c->curl_says
                             : code == CURLE_OK ? "the connection was closed"
                                                : c->up->curl.easy_strerror(code);

    snprintf(out, MAX_DETAIL, "%.*s", MAX_DETAIL - 1, says);
    for (char *p = out; *p; p++)
        if (*p < ' ' || *p > '~')
            *p = '?';
    return out;
}

static bool has_asked(const struct gs_upstream_call *c)
{
    return c->phase != GS_UPSTREAM_CONNECTING;
}

/* The connection that failed was to a proxy: as configured, or told by the port. */
static bool is_proxied(const struct gs_upstream_call *c)
{
    return (c->proxy && *c->proxy) || (c->was_opening && c->tried_port != c->port);
}

static bool is_of_tls(CURLcode code)
{
    switch ((int)code) {
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_ENGINE_SETFAILED:
    case CURLE_SSL_ENGINE_INITFAILED:
    case CURLE_SSL_CLIENTCERT:
    case CURLE_USE_SSL_FAILED:
        return true;
    default:
        return false;
    }
}

/* The other side sent what is not HTTP. For a line that is too long libcurl says that memory is. */
static bool is_malformed(const struct gs_upstream_call *c, CURLcode code)
{
    curl_off_t first_byte_us = 0;

    if (code == CURLE_OUT_OF_MEMORY && c->phase == GS_UPSTREAM_ASKING)
        c->up->curl.easy_getinfo(c->easy, CURLINFO_STARTTRANSFER_TIME_T, &first_byte_us);
    return first_byte_us > 0 || code == CURLE_WEIRD_SERVER_REPLY ||
           code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_FILESIZE_EXCEEDED ||
           code == CURLE_BAD_CONTENT_ENCODING;
}

static bool is_ours(CURLcode code)
{
    return code == CURLE_OUT_OF_MEMORY || code == CURLE_FAILED_INIT ||
           code == CURLE_BAD_FUNCTION_ARGUMENT || code == CURLE_WRITE_ERROR ||
           code == CURLE_ABORTED_BY_CALLBACK || code == CURLE_URL_MALFORMAT ||
           code == CURLE_UNKNOWN_OPTION || code == CURLE_NOT_BUILT_IN;
}

void gs_upstream_judge_malformed(struct gs_upstream_call *c, const char *why)
{
    c->end.fault = GS_FAULT_MALFORMED;
    gs_error_set(&c->end.err, GS_EUPSTREAM, "\"%s\" does not answer in HTTP (%s)", c->where, why);
}

void gs_upstream_judge_late(struct gs_upstream_call *c, bool is_total)
{
    struct gs_error *err = &c->end.err;

    if (is_total) {
        c->end.fault = GS_FAULT_TOTAL_TIMEOUT;
        gs_error_set(err, GS_EUPSTREAM, "the answer of \"%s\" was not complete in time", c->where);
    } else if (has_asked(c)) {
        c->end.fault = GS_FAULT_HEADERS_TIMEOUT;
        gs_error_set(err, GS_EUPSTREAM, "\"%s\" did not answer in %lld ms", c->where,
                     (long long)(c->headers_us / 1000));
    } else if (c->was_opening) {
        c->end.fault = GS_FAULT_CONNECT_TIMEOUT;
        gs_error_set(err, GS_EUPSTREAM, "no connection to \"%s\" in %lld ms", c->where,
                     (long long)(c->connect_us / 1000));
    } else if (c->was_resolving) {
        c->end.fault = GS_FAULT_DNS;
        gs_error_set(err, GS_EUPSTREAM, "the name of \"%s\" was not resolved in %lld ms", c->where,
                     (long long)(c->connect_us / 1000));
    } else {
        c->end.fault = GS_FAULT_OURS;
        gs_error_set(err, GS_EBUSY, "too many requests to \"%s\" are under way", c->where);
    }
}

/* No connection came about. */
static void judge_connect(struct gs_upstream_call *c, CURLcode code, const char *more)
{
    struct gs_error *err = &c->end.err;
    long errnum = 0;
    long connect_status = 0;

    c->up->curl.easy_getinfo(c->easy, CURLINFO_OS_ERRNO, &errnum);
    c->up->curl.easy_getinfo(c->easy, CURLINFO_HTTP_CONNECTCODE, &connect_status);
    if (code == CURLE_COULDNT_RESOLVE_HOST) {
        c->end.fault = GS_FAULT_DNS;
        gs_error_set(err, GS_EUPSTREAM, "could not resolve the name of \"%s\"", c->where);
    } else if (code == CURLE_COULDNT_RESOLVE_PROXY || code == CURLE_PROXY || connect_status != 0 ||
               (is_proxied(c) && !is_of_tls(code) && errnum != ETIMEDOUT)) {
        c->end.fault = GS_FAULT_PROXY;
        gs_error_set(err, GS_EUPSTREAM, "no way through the proxy to \"%s\" (%s)", c->where, more);
    } else if (code == CURLE_COULDNT_CONNECT && errnum == ETIMEDOUT) {
        c->end.fault = GS_FAULT_CONNECT_TIMEOUT;
        gs_error_set(err, GS_EUPSTREAM, "no connection to \"%s\": %s", c->where,
                     strerror((int)errnum));
    } else if (code == CURLE_COULDNT_CONNECT) {
        c->end.fault = GS_FAULT_REFUSED;
        gs_error_set(err, GS_EUPSTREAM, "could not connect to \"%s\": %s", c->where,
                     errnum ? strerror((int)errnum) : "no reason given");
        if (errnum == EPERM || errnum == EACCES)
            gs_error_hint(err, "The system forbids this program connections of its own: a hermit "
                               "has none.");
    } else if (is_of_tls(code) && errnum != ECONNRESET && errnum != EPIPE) {
        c->end.fault = GS_FAULT_TLS;
        gs_error_set(err, GS_EUPSTREAM, "no trusted TLS connection to \"%s\" (%s)", c->where, more);
    } else {
        c->end.fault = GS_FAULT_RESET;
        gs_error_set(err, GS_EUPSTREAM, "the connection to \"%s\" broke (%s)", c->where, more);
    }
}

void gs_upstream_judge(struct gs_upstream_call *c, CURLcode code)
{
    struct gs_error *err = &c->end.err;
    char more[MAX_DETAIL];

    if (c->end.fault != GS_FAULT_NONE || (code == CURLE_OK && c->has_head))
        return;
    detail(c, code, more);
    if (code == CURLE_OPERATION_TIMEDOUT) {
        gs_upstream_judge_late(c, false);
    } else if (!c->has_head && is_malformed(c, code)) {
        gs_upstream_judge_malformed(c, more);
    } else if (is_ours(code)) {
        c->end.fault = GS_FAULT_OURS;
        gs_error_set(err, code == CURLE_OUT_OF_MEMORY ? GS_ENOMEM : GS_EINTERNAL,
                     "the request to \"%s\" failed here (%s)", c->where, more);
    } else if (c->has_head) {
        c->end.fault = GS_FAULT_CUT;
        gs_error_set(err, GS_EUPSTREAM, "the answer of \"%s\" broke off (%s)", c->where, more);
    } else if (!has_asked(c)) {
        judge_connect(c, code, more);
    } else {
        c->end.fault = GS_FAULT_RESET;
        gs_error_set(err, GS_EUPSTREAM, "the connection to \"%s\" broke before it answered (%s)",
                     c->where, more);
    }
}

/* "https://host" of where a redirect leads; false if that cannot be told. */
static bool find_target(const struct gs_upstream_call *c, struct gs_slice location, char *out,
                        size_t cap)
{
    const struct gs_upstream_libcurl *const curl = &c->up->curl;
    char text[2048];
    char *scheme = NULL;
    char *host = NULL;
    CURLU *const u = curl->url();
    bool is_found = false;

    if (u && location.len > 0 && location.len < sizeof(text)) {
        memcpy(text, location.ptr, location.len);
        text[location.len] = '\0';
        is_found = curl->url_set(u, CURLUPART_URL, c->url, 0) == CURLUE_OK &&
                   curl->url_set(u, CURLUPART_URL, text, 0) == CURLUE_OK &&
                   curl->url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                   curl->url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK;
        if (is_found)
            snprintf(out, cap, "%s://%s", scheme, host);
    }
    curl->free(scheme);
    curl->free(host);
    curl->url_cleanup(u);
    return is_found;
}

/* libcurl reads a length too large as none, and takes the last of several. */
static bool is_length_clear(const struct gs_upstream_call *c)
{
    int64_t first = -1;
    int64_t length;

    for (size_t i = 0; i < c->n_headers; i++) {
        if (!gs_slice_eq_str(c->headers[i].name, "content-length"))
            continue;
        if (!gs_slice_to_i64(c->headers[i].value, &length) || length < 0 ||
            (first >= 0 && first != length))
            return false;
        first = length;
    }
    return true;
}

bool gs_upstream_judge_head(struct gs_upstream_call *c)
{
    const struct gs_upstream_head head = {
        .status = c->status, .headers = c->headers, .n_headers = c->n_headers};
    struct gs_error *err = &c->end.err;
    const struct gs_slice coding = gs_upstream_head_get(&head, "content-encoding");
    char target[300];

    if (c->status < 200 || c->status > 599) {
        gs_upstream_judge_malformed(c, "a status that is none");
    } else if (!is_length_clear(c)) {
        gs_upstream_judge_malformed(c, "a length that is none");
    } else if (c->status == 407) {
        c->end.fault = GS_FAULT_PROXY;
        gs_error_set(err, GS_EUPSTREAM, "the proxy to \"%s\" demands credentials (status 407)",
                     c->where);
    } else if (c->status >= 300 && c->status < 400 && c->status != 304) {
        c->end.fault = GS_FAULT_REDIRECT;
        if (find_target(c, gs_upstream_head_get(&head, "location"), target, sizeof(target)))
            gs_error_set(err, GS_EUPSTREAM, "\"%s\" sends us to \"%s\" (status %d)", c->where,
                         target, c->status);
        else
            gs_error_set(err, GS_EUPSTREAM, "\"%s\" sends us elsewhere (status %d)", c->where,
                         c->status);
        gs_error_hint(err, "Requests carry credentials, so they follow nobody: if the new address "
                           "is right, configure it.");
    } else if (coding.len > 0 && !gs_slice_eq_str(coding, "identity")) {
        gs_upstream_judge_malformed(c, "a compressed body, which was not asked for");
    }
    return c->end.fault == GS_FAULT_NONE;
}
