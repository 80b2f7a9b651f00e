/* Requests as bytes: the head and the chunked body of HTTP/1.1 (RFC 9112), read strictly. What two
 * readers might understand differently (request smuggling) is refused. */
#ifndef GS_HTTP_PARSE_H
#define GS_HTTP_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "genset/slice.h"
#include "genset/status.h"

#define GS_HTTP_MAX_FIELDS 100

enum gs_http_method {
    GS_HTTP_GET,
    GS_HTTP_HEAD,
    GS_HTTP_POST,
    GS_HTTP_PUT,
    GS_HTTP_PATCH,
    GS_HTTP_DELETE,
    GS_HTTP_OPTIONS,
};

struct gs_http_field {
    struct gs_slice name, value;
};

struct gs_http_head {
    enum gs_http_method method;
    struct gs_slice path;  /* from the first '/', without the query; "*" of OPTIONS */
    struct gs_slice query; /* after '?', may be empty */
    struct gs_slice host;
    bool is_http10;
    bool keep_alive;
    bool expects_continue;
    bool is_chunked;
    uint64_t body_bytes; /* of the Content-Length; 0 without one */
    size_t n_fields;
    struct gs_http_field fields[GS_HTTP_MAX_FIELDS]; /* n_fields of them; the others are not set */
};

/* Where the head that starts `in` ends, empty line included: its length; 0 while it is incomplete;
 * SIZE_MAX if a line does not end in CRLF. *scan is 0 at first and remembers how far we looked. */
size_t gs_http_head_end(struct gs_slice in, size_t *scan);

void gs_http_head_clear(struct gs_http_head *h);
/* Parse a whole head; slices point into `text`. Returns 0, or the status to refuse it with: then
 * err says why, and what was read before the fault (method, path) is in *out. */
int gs_http_head_parse(struct gs_slice text, struct gs_http_head *out, struct gs_error *err);

/* Value of the first field of that name (any case), or an empty slice with NULL ptr. */
struct gs_slice gs_http_head_get(const struct gs_http_head *h, const char *name);

/* Case-insensitive (ASCII) comparison. */
bool gs_http_name_eq(struct gs_slice a, const char *b);

const char *gs_http_method_name(enum gs_http_method m);

/* ---- chunked bodies ---- */

enum gs_http_chunk_state {
    GS_HTTP_CHUNK_SIZE,
    GS_HTTP_CHUNK_EXT,
    GS_HTTP_CHUNK_SIZE_LF,
    GS_HTTP_CHUNK_DATA,
    GS_HTTP_CHUNK_DATA_CR,
    GS_HTTP_CHUNK_DATA_LF,
    GS_HTTP_CHUNK_TRAILER, /* at the start of a line */
    GS_HTTP_CHUNK_TRAILER_LINE,
    GS_HTTP_CHUNK_TRAILER_LF,
    GS_HTTP_CHUNK_LAST_LF,
    GS_HTTP_CHUNK_DONE,
    GS_HTTP_CHUNK_BAD,
};

/* Zero is the beginning of a body. */
struct gs_http_chunks {
    enum gs_http_chunk_state state;
    uint64_t left;     /* of the chunk's data */
    unsigned n_digits; /* of the chunk's size */
    size_t extra;      /* bytes of extensions and trailers, which are read and dropped */
};

/* Decode `in`, appending data to body; returns the bytes used, all of them unless the state became
 * DONE or BAD, or body is full. */
size_t gs_http_chunks_feed(struct gs_http_chunks *c, struct gs_slice in, struct gs_buf *body);

#endif
