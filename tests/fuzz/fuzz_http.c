/* Request heads and chunked bodies of any bytes. The same bytes must mean the same however they
 * are cut into pieces. */
#include <stdlib.h>

#include "base/slice.h"
#include "http/parse.h"

#define MAX_BODY_BYTES 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_head(struct gs_slice in)
{
    struct gs_http_head head;
    struct gs_error err = {0};
    size_t scan = 0;
    size_t scan_pieces = 0;
    size_t end_pieces = 0;
    const size_t end = gs_http_head_end(in, &scan);

    for (size_t n = 0; n < in.len && end_pieces == 0; n += 1 + n / 8)
        end_pieces = gs_http_head_end(gs_slice(in.ptr, n), &scan_pieces);
    if (end_pieces != 0 && end_pieces != end)
        abort();
    if (end == 0 || end == SIZE_MAX)
        end_pieces = in.len;
    else
        end_pieces = end;
    const int status = gs_http_head_parse(gs_slice(in.ptr, end_pieces), &head, &err);
    if ((status == 0) != (err.msg[0] == '\0'))
        abort();
    if (status == 0 && (head.path.len == 0 || head.n_fields > GS_HTTP_MAX_FIELDS))
        abort();
    gs_http_head_get(&head, "content-type");
}

static void feed(struct gs_slice in, size_t step, struct gs_http_chunks *c, struct gs_buf *body)
{
    for (size_t at = 0; at < in.len && gs_buf_ok(body); at += step)
        gs_http_chunks_feed(c, gs_slice_sub(in, at, at + step), body);
}

static void fuzz_chunks(struct gs_slice in)
{
    struct gs_http_chunks whole = {0};
    struct gs_http_chunks pieces = {0};
    struct gs_buf a;
    struct gs_buf b;

    gs_buf_init(&a, MAX_BODY_BYTES);
    gs_buf_init(&b, MAX_BODY_BYTES);
    feed(in, in.len + 1, &whole, &a);
    feed(in, 3, &pieces, &b);
    if (gs_buf_ok(&a) && gs_buf_ok(&b) &&
        (whole.state != pieces.state || !gs_slice_eq(gs_buf_view(&a), gs_buf_view(&b))))
        abort();
    gs_buf_clear(&a);
    gs_buf_clear(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct gs_slice in = {(const char *)data, size};

    fuzz_head(in);
    fuzz_chunks(in);
    return 0;
}
