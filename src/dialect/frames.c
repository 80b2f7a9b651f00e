/* Streams cut into frames, in two looks at each byte: feeding finds where frames end and so keeps
 * what is not whole below its limit; handing over reads the fields of one that is whole.
 *
 *     in:  | handed over | whole | whole | begun...  |
 *                        pos             whole   scan
 */
#include "dialect/frames.h"

#include <string.h>

#include "base/error.h"
#include "base/slice.h"

#define BYTE_ORDER_MARK GS_SLICE_LIT("\xef\xbb\xbf")
#define STEP_BYTES      ((size_t)64) /* looked at for one end of a line, then for the other */

void gs_dialect_frames_init(struct gs_dialect_frames *f, enum gs_dialect_framing framing,
                            size_t max_bytes)
{
    *f = (struct gs_dialect_frames){.framing = framing, .max_bytes = max_bytes};
    gs_buf_init(&f->in, 0);
    gs_buf_init(&f->data, 0);
}

void gs_dialect_frames_clear(struct gs_dialect_frames *f)
{
    gs_buf_clear(&f->in);
    gs_buf_clear(&f->data);
    gs_dialect_frames_init(f, f->framing, f->max_bytes);
}

/* ---- ends ---- */

/* The first line end of s at or after `from`: its place, *out_len its length; SIZE_MAX if there is
 * none, or only a CR that may be half of one. */
static size_t find_line_end(struct gs_slice s, size_t from, bool is_last, size_t *out_len)
{
    size_t i = from;

    for (size_t n = 0; i < s.len; i += n) {
        n = GS_MIN(s.len - i, STEP_BYTES);
        const char *const lf = memchr(s.ptr + i, '\n', n);
        const char *const cr = memchr(s.ptr + i, '\r', lf ? (size_t)(lf - s.ptr) - i : n);
        if (lf || cr) {
            i = (size_t)((cr ? cr : lf) - s.ptr);
            break;
        }
    }
    if (i == s.len || (s.ptr[i] == '\r' && i + 1 == s.len && !is_last))
        return SIZE_MAX;
    *out_len = s.ptr[i] == '\r' && i + 1 < s.len && s.ptr[i + 1] == '\n' ? 2 : 1;
    return i;
}

/* Where the frame that begins at `start` ends, or SIZE_MAX; *scan is how far that is known. */
static size_t find_end(enum gs_dialect_framing framing, struct gs_slice s, size_t start,
                       size_t *scan, bool is_last)
{
    size_t at, n;

    if (framing == GS_DIALECT_LINES) {
        const char *lf = *scan < s.len ? memchr(s.ptr + *scan, '\n', s.len - *scan) : NULL;
        *scan = lf ? (size_t)(lf - s.ptr) + 1 : s.len;
        return lf ? *scan : SIZE_MAX;
    }
    for (;;) {
        at = find_line_end(s, *scan, is_last, &n);
        if (at == SIZE_MAX)
            break;
        *scan = at + n;
        if (at == start || s.ptr[at - 1] == '\n' || s.ptr[at - 1] == '\r')
            return *scan;
    }
    *scan = s.len > *scan && s.ptr[s.len - 1] == '\r' ? s.len - 1 : s.len;
    return SIZE_MAX;
}

static enum gs_status too_big(const struct gs_dialect_frames *f, struct gs_error *err)
{
    return gs_error_set(err, GS_ELIMIT, "a frame of the stream is larger than %zu bytes",
                        f->max_bytes);
}

enum gs_status gs_dialect_frames_feed(struct gs_dialect_frames *f, struct gs_slice bytes,
                                      struct gs_error *err)
{
    if (f->pos > 0) {
        gs_buf_consume(&f->in, f->pos);
        f->whole -= f->pos;
        f->scan -= f->pos;
        f->pos = 0;
    }
    if (f->in.len > f->max_bytes)
        return too_big(f, err);
    f->in.max = f->in.len + bytes.len;
    gs_buf_slice(&f->in, bytes);
    gs_buf_reset(&f->data);
    f->data.max = f->in.max;
    if (!gs_buf_ok(&f->in) || !gs_buf_reserve(&f->data, f->in.len))
        return gs_error_nomem(err, "read the stream");
    for (;;) {
        const size_t end = find_end(f->framing, gs_buf_view(&f->in), f->whole, &f->scan, false);
        if ((end == SIZE_MAX ? f->in.len : end) - f->whole > f->max_bytes)
            return too_big(f, err);
        if (end == SIZE_MAX)
            return GS_OK;
        f->whole = end;
    }
}

/* ---- fields ---- */

/* The field's value if the line is of this field. */
static bool is_field(struct gs_slice line, struct gs_slice name, struct gs_slice *out_value)
{
    if (!gs_slice_starts(line, name) || (line.len > name.len && line.ptr[name.len] != ':'))
        return false;
    struct gs_slice value = gs_slice_sub(line, name.len + 1, line.len);
    if (value.len > 0 && value.ptr[0] == ' ')
        value = gs_slice_sub(value, 1, value.len);
    *out_value = value;
    return true;
}

/* One line of data stays where it is; several are joined in memory that feeding made sure of. */
static void add_data(struct gs_dialect_frames *f, struct gs_slice value, size_t n_before,
                     struct gs_slice *data)
{
    if (n_before == 0) {
        *data = value;
        return;
    }
    if (n_before == 1)
        gs_buf_slice(&f->data, *data);
    gs_buf_putc(&f->data, '\n');
    gs_buf_slice(&f->data, value);
    *data = gs_buf_view(&f->data);
}

static void read_event(struct gs_dialect_frames *f, struct gs_slice text,
                       struct gs_dialect_frame *frame)
{
    size_t n_data = 0;

    gs_buf_reset(&f->data);
    for (size_t from = 0, n = 0; from < text.len; from += n) {
        const size_t end = find_line_end(text, from, true, &n);
        const struct gs_slice line = gs_slice_sub(text, from, end);
        struct gs_slice value;
        if (is_field(line, GS_SLICE_LIT("data"), &value))
            add_data(f, value, n_data++, &frame->data);
        else if (is_field(line, GS_SLICE_LIT("event"), &value))
            frame->name = value;
        from = end;
    }
}

/* Hand over what ends at `end`. */
static void take(struct gs_dialect_frames *f, size_t end, struct gs_dialect_frame *out_frame)
{
    struct gs_dialect_frame frame = {.raw = gs_slice_sub(gs_buf_view(&f->in), f->pos, end)};
    struct gs_slice text = frame.raw;

    if (!f->is_begun && gs_slice_starts(text, BYTE_ORDER_MARK))
        text = gs_slice_sub(text, BYTE_ORDER_MARK.len, text.len);
    if (f->framing == GS_DIALECT_LINES)
        frame.data = gs_slice_trim(text);
    else
        read_event(f, text, &frame);
    f->is_begun = true;
    f->pos = end;
    *out_frame = frame;
}

bool gs_dialect_frames_next(struct gs_dialect_frames *f, struct gs_dialect_frame *out_frame)
{
    size_t scan = f->pos;

    if (f->pos >= f->whole)
        return false;
    take(f, find_end(f->framing, gs_buf_view(&f->in), f->pos, &scan, false), out_frame);
    return true;
}

bool gs_dialect_frames_rest(struct gs_dialect_frames *f, struct gs_dialect_frame *out_frame)
{
    size_t scan = f->pos;

    if (f->pos >= f->in.len)
        return false;
    size_t end = find_end(f->framing, gs_buf_view(&f->in), f->pos, &scan, true);
    if (end == SIZE_MAX && f->framing == GS_DIALECT_LINES)
        end = f->in.len;
    if (end == SIZE_MAX)
        return false;
    take(f, end, out_frame);
    if (f->whole < end)
        f->whole = f->scan = end;
    return true;
}
