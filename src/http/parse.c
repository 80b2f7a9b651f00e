/* Head and chunk parser. A head is found first (gs_http_head_end), then parsed whole: no state is
 * kept between reads but how far we looked. */
#include "http/parse.h"

#include <string.h>

#include "base/error.h"
#include "base/slice.h"

#define MAX_TARGET_BYTES 8192
#define MAX_CHUNK_DIGITS 8
#define MAX_CHUNK_EXTRA  ((size_t)16 << 10)

static const char *const method_names[] = {"GET",   "HEAD",   "POST",   "PUT",
                                           "PATCH", "DELETE", "OPTIONS"};

const char *gs_http_method_name(enum gs_http_method m)
{
    return method_names[m];
}

/* RFC 9110, 5.6.2. */
static bool is_token_char(unsigned char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_token(struct gs_slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!is_token_char((unsigned char)s.ptr[i]))
            return false;
    }
    return s.len > 0;
}

static unsigned char lower(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

bool gs_http_name_eq(struct gs_slice a, const char *b)
{
    size_t i = 0;

    for (; i < a.len && b[i]; i++) {
        if (lower(a.ptr[i]) != lower(b[i]))
            return false;
    }
    return i == a.len && !b[i];
}

size_t gs_http_head_end(struct gs_slice in, size_t *scan)
{
    while (*scan < in.len) {
        const char *lf = memchr(in.ptr + *scan, '\n', in.len - *scan);
        if (!lf) {
            *scan = in.len;
            return 0;
        }
        const size_t at = (size_t)(lf - in.ptr);
        if (at == 0 || in.ptr[at - 1] != '\r')
            return SIZE_MAX;
        *scan = at + 1;
        if (at == 1 || (at >= 3 && in.ptr[at - 2] == '\n'))
            return at + 1;
    }
    return 0;
}

static int refuse(struct gs_error *err, int status, const char *why)
{
    gs_error_set(err, GS_EINVAL, "%s", why);
    return status;
}

/* "HTTP/1.1" */
static int parse_version(struct gs_slice v, struct gs_http_head *out, struct gs_error *err)
{
    const bool is_http = v.len == 8 && memcmp(v.ptr, "HTTP/", 5) == 0 && v.ptr[6] == '.' &&
                         v.ptr[5] >= '0' && v.ptr[5] <= '9' && v.ptr[7] >= '0' && v.ptr[7] <= '9';

    if (!is_http)
        return refuse(err, 400, "the request line does not end in an HTTP version");
    if (v.ptr[5] != '1')
        return refuse(err, 505, "this server speaks HTTP/1.1");
    out->is_http10 = v.ptr[7] == '0';
    out->keep_alive = !out->is_http10;
    return 0;
}

/* "/path?query", "http://host/path?query", or "*" of OPTIONS. */
static int parse_target(struct gs_slice t, struct gs_http_head *out, struct gs_error *err)
{
    if (t.len > MAX_TARGET_BYTES)
        return refuse(err, 414, "the request target is too long");
    for (size_t i = 0; i < t.len; i++) {
        const unsigned char c = (unsigned char)t.ptr[i];
        if (c <= 0x20 || c >= 0x7F || c == '#')
            return refuse(err, 400, "the request target has a byte that must be percent-encoded");
    }
    if (t.len > 7 && gs_http_name_eq(gs_slice_sub(t, 0, 7), "http://")) {
        const size_t slash = gs_slice_find(t, GS_SLICE_LIT("/"), 7);
        t = slash == SIZE_MAX ? GS_SLICE_LIT("/") : gs_slice_sub(t, slash, t.len);
    }
    const bool is_star = out->method == GS_HTTP_OPTIONS && gs_slice_eq_str(t, "*");
    if (!is_star && (t.len == 0 || t.ptr[0] != '/'))
        return refuse(err, 400, "the request target is no path");
    const size_t mark = gs_slice_find(t, GS_SLICE_LIT("?"), 0);
    out->path = gs_slice_sub(t, 0, mark);
    out->query = mark == SIZE_MAX ? gs_slice(NULL, 0) : gs_slice_sub(t, mark + 1, t.len);
    return 0;
}

static int parse_method(struct gs_slice m, struct gs_http_head *out, struct gs_error *err)
{
    for (size_t i = 0; i < GS_COUNT_OF(method_names); i++) {
        if (gs_slice_eq_str(m, method_names[i])) {
            out->method = (enum gs_http_method)i;
            return 0;
        }
    }
    return refuse(err, is_token(m) ? 501 : 400, "unknown request method");
}

/* The version is judged first: an HTTP/2 preface is a known method of another protocol. */
static int parse_request_line(struct gs_slice line, struct gs_http_head *out, struct gs_error *err)
{
    const size_t sp1 = gs_slice_find(line, GS_SLICE_LIT(" "), 0);
    const size_t sp2 = sp1 == SIZE_MAX ? SIZE_MAX : gs_slice_find(line, GS_SLICE_LIT(" "), sp1 + 1);

    if (sp2 == SIZE_MAX)
        return refuse(err, 400, "the request line is not: method, target, version");
    int status = parse_version(gs_slice_sub(line, sp2 + 1, line.len), out, err);
    if (status == 0)
        status = parse_method(gs_slice_sub(line, 0, sp1), out, err);
    const int target = parse_target(gs_slice_sub(line, sp1 + 1, sp2), out, status ? NULL : err);
    return status ? status : target;
}

static int parse_field(struct gs_slice line, struct gs_http_head *out, struct gs_error *err)
{
    const size_t colon = gs_slice_find(line, GS_SLICE_LIT(":"), 0);

    if (line.ptr[0] == ' ' || line.ptr[0] == '\t')
        return refuse(err, 400, "a header line is folded");
    if (colon == SIZE_MAX || !is_token(gs_slice_sub(line, 0, colon)))
        return refuse(err, 400, "a header line is not: name, colon, value");
    for (size_t i = colon; i < line.len; i++) {
        const unsigned char c = (unsigned char)line.ptr[i];
        if ((c < 0x20 && c != '\t') || c == 0x7F)
            return refuse(err, 400, "a header value has a control character");
    }
    if (out->n_fields == GS_HTTP_MAX_FIELDS)
        return refuse(err, 431, "too many header lines");
    out->fields[out->n_fields++] = (struct gs_http_field){
        gs_slice_sub(line, 0, colon),
        gs_slice_trim(gs_slice_sub(line, colon + 1, line.len)),
    };
    return 0;
}

struct gs_slice gs_http_head_get(const struct gs_http_head *h, const char *name)
{
    for (size_t i = 0; i < h->n_fields; i++) {
        if (gs_http_name_eq(h->fields[i].name, name))
            return h->fields[i].value;
    }
    return gs_slice(NULL, 0);
}

static size_t count_fields(const struct gs_http_head *h, const char *name)
{
    size_t n = 0;

    for (size_t i = 0; i < h->n_fields; i++)
        n += gs_http_name_eq(h->fields[i].name, name);
    return n;
}

static int parse_host(struct gs_http_head *h, struct gs_error *err)
{
    const size_t n = count_fields(h, "host");

    if (n > 1 || (n == 0 && !h->is_http10))
        return refuse(err, 400, "a request needs exactly one host header");
    h->host = gs_http_head_get(h, "host");
    for (size_t i = 0; i < h->host.len; i++) {
        const char c = h->host.ptr[i];
        if (!is_token_char((unsigned char)c) && !strchr(":[]", c))
            return refuse(err, 400, "the host header is no host name");
    }
    return 0;
}

/* How long the body is must have one answer (RFC 9112, 6.3 and 11.2). */
static int parse_framing(struct gs_http_head *h, struct gs_error *err)
{
    const size_t n_lengths = count_fields(h, "content-length");
    const size_t n_codings = count_fields(h, "transfer-encoding");
    const struct gs_slice length = gs_http_head_get(h, "content-length");
    int64_t bytes;

    if (n_lengths > 1)
        return refuse(err, 400, "a request has more than one content-length");
    if (n_codings > 0 && (n_lengths > 0 || h->is_http10))
        return refuse(err, 400,
                      "a request has both a content-length and a transfer-encoding, or "
                      "a transfer-encoding in HTTP/1.0");
    if (n_codings > 0) {
        if (n_codings > 1 || !gs_http_name_eq(gs_http_head_get(h, "transfer-encoding"), "chunked"))
            return refuse(err, 501, "a transfer-encoding other than chunked is not known here");
        h->is_chunked = true;
        return 0;
    }
    if (n_lengths == 0)
        return 0;
    for (size_t i = 0; i < length.len; i++) {
        if (length.ptr[i] < '0' || length.ptr[i] > '9')
            return refuse(err, 400, "the content-length is no number");
    }
    if (!gs_slice_to_i64(length, &bytes))
        return refuse(err, length.len ? 413 : 400, "the content-length is out of range");
    h->body_bytes = (uint64_t)bytes;
    return 0;
}

/* Whether the comma list `value` has `item`. */
static bool list_has(struct gs_slice value, const char *item)
{
    for (size_t at = 0; at <= value.len;) {
        const size_t comma = gs_slice_find(value, GS_SLICE_LIT(","), at);
        const size_t end = GS_MIN(comma, value.len);
        if (gs_http_name_eq(gs_slice_trim(gs_slice_sub(value, at, end)), item))
            return true;
        at = end + 1;
    }
    return false;
}

static int parse_rest(struct gs_http_head *h, struct gs_error *err)
{
    const struct gs_slice expect = gs_http_head_get(h, "expect");

    for (size_t i = 0; i < h->n_fields; i++) {
        if (!gs_http_name_eq(h->fields[i].name, "connection"))
            continue;
        if (list_has(h->fields[i].value, "close"))
            h->keep_alive = false;
        else if (h->is_http10 && list_has(h->fields[i].value, "keep-alive"))
            h->keep_alive = true;
    }
    if (expect.len > 0) {
        if (!gs_http_name_eq(expect, "100-continue"))
            return refuse(err, 417, "the expect header asks for something not known here");
        h->expects_continue = !h->is_http10;
    }
    return 0;
}

void gs_http_head_clear(struct gs_http_head *h)
{
    memset(h, 0, offsetof(struct gs_http_head, fields)); /* three kilobytes less */
}

int gs_http_head_parse(struct gs_slice text, struct gs_http_head *out, struct gs_error *err)
{
    size_t at = 0;
    int status = 0;

    gs_http_head_clear(out);
    for (bool is_first = true; status == 0 && at < text.len; is_first = false) {
        const size_t end = gs_slice_find(text, GS_SLICE_LIT("\r\n"), at);
        if (end == SIZE_MAX)
            return refuse(err, 400, "the request ends inside a line");
        const struct gs_slice line = gs_slice_sub(text, at, end);
        at = end + 2;
        if (line.len == 0)
            break;
        status = is_first ? parse_request_line(line, out, err) : parse_field(line, out, err);
    }
    if (status == 0 && !out->path.len)
        status = refuse(err, 400, "the request is empty");
    if (status == 0)
        status = parse_host(out, err);
    if (status == 0)
        status = parse_framing(out, err);
    if (status == 0)
        status = parse_rest(out, err);
    return status;
}

/* ---- chunked bodies ---- */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (lower(c) >= 'a' && lower(c) <= 'f')
        return lower(c) - 'a' + 10;
    return -1;
}

static enum gs_http_chunk_state size_char(struct gs_http_chunks *c, char ch)
{
    const int v = hex_value(ch);

    if (v >= 0 && c->n_digits < MAX_CHUNK_DIGITS) {
        c->left = c->left << 4 | (uint64_t)v;
        c->n_digits++;
        return GS_HTTP_CHUNK_SIZE;
    }
    if (c->n_digits == 0)
        return GS_HTTP_CHUNK_BAD;
    if (ch == '\r')
        return GS_HTTP_CHUNK_SIZE_LF;
    return ch == ';' || ch == ' ' || ch == '\t' ? GS_HTTP_CHUNK_EXT : GS_HTTP_CHUNK_BAD;
}

/* A byte of an extension or trailer line, which nobody reads. */
static enum gs_http_chunk_state extra_char(struct gs_http_chunks *c, char ch,
                                           enum gs_http_chunk_state stay,
                                           enum gs_http_chunk_state lf)
{
    if (ch == '\r')
        return lf;
    const bool is_text = (unsigned char)ch >= 0x20 || ch == '\t';
    return is_text && ++c->extra <= MAX_CHUNK_EXTRA ? stay : GS_HTTP_CHUNK_BAD;
}

static enum gs_http_chunk_state expect_char(char ch, char want, enum gs_http_chunk_state next)
{
    return ch == want ? next : GS_HTTP_CHUNK_BAD;
}

static enum gs_http_chunk_state next_state(struct gs_http_chunks *c, char ch)
{
    switch (c->state) {
    case GS_HTTP_CHUNK_SIZE:
        return size_char(c, ch);
    case GS_HTTP_CHUNK_EXT:
        return extra_char(c, ch, GS_HTTP_CHUNK_EXT, GS_HTTP_CHUNK_SIZE_LF);
    case GS_HTTP_CHUNK_SIZE_LF:
        c->n_digits = 0;
        return expect_char(ch, '\n', c->left ? GS_HTTP_CHUNK_DATA : GS_HTTP_CHUNK_TRAILER);
    case GS_HTTP_CHUNK_DATA_CR:
        return expect_char(ch, '\r', GS_HTTP_CHUNK_DATA_LF);
    case GS_HTTP_CHUNK_DATA_LF:
        return expect_char(ch, '\n', GS_HTTP_CHUNK_SIZE);
    case GS_HTTP_CHUNK_TRAILER:
        return ch == '\r' ? GS_HTTP_CHUNK_LAST_LF
                          : extra_char(c, ch, GS_HTTP_CHUNK_TRAILER_LINE, GS_HTTP_CHUNK_BAD);
    case GS_HTTP_CHUNK_TRAILER_LINE:
        return extra_char(c, ch, GS_HTTP_CHUNK_TRAILER_LINE, GS_HTTP_CHUNK_TRAILER_LF);
    case GS_HTTP_CHUNK_TRAILER_LF:
        return expect_char(ch, '\n', GS_HTTP_CHUNK_TRAILER);
    case GS_HTTP_CHUNK_LAST_LF:
        return expect_char(ch, '\n', GS_HTTP_CHUNK_DONE);
    case GS_HTTP_CHUNK_DATA:
    case GS_HTTP_CHUNK_DONE:
    case GS_HTTP_CHUNK_BAD:
        break;
    }
    return GS_HTTP_CHUNK_BAD;
}

size_t gs_http_chunks_feed(struct gs_http_chunks *c, struct gs_slice in, struct gs_buf *body)
{
    size_t at = 0;

    while (at < in.len && c->state != GS_HTTP_CHUNK_DONE && c->state != GS_HTTP_CHUNK_BAD) {
        if (c->state != GS_HTTP_CHUNK_DATA) {
            c->state = next_state(c, in.ptr[at++]);
            continue;
        }
        const size_t n = GS_MIN(in.len - at, (size_t)c->left);
        gs_buf_put(body, in.ptr + at, n);
        if (!gs_buf_ok(body))
            break;
        at += n;
        c->left -= n;
        if (c->left == 0)
            c->state = GS_HTTP_CHUNK_DATA_CR;
    }
    return at;
}
