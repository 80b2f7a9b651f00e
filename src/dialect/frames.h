/* Streams cut into frames: server-sent events (WHATWG HTML, 9.2) and lines of JSON. Bytes come as
 * the network cuts them; a frame is handed over when it is whole, with the very bytes that spelled
 * it, so that the frames of a stream put together are the stream. */
#ifndef GS_DIALECT_FRAMES_H
#define GS_DIALECT_FRAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "genset/slice.h"
#include "genset/status.h"

enum gs_dialect_framing { GS_DIALECT_SSE, GS_DIALECT_LINES };

struct gs_dialect_frame {
    struct gs_slice raw;  /* every byte, the blank line included */
    struct gs_slice name; /* SSE: of the last "event:" line; may be empty */
    struct gs_slice data; /* SSE: the "data:" lines, joined by newlines; else the line. Empty of
                             comments and other signs of life */
};

/* Zeroed is not enough: gs_dialect_frames_init(). */
struct gs_dialect_frames {
    enum gs_dialect_framing framing;
    size_t max_bytes;
    struct gs_buf in;   /* what is not handed over yet */
    struct gs_buf data; /* of the frame handed over last, where it has several lines */
    size_t pos;         /* where in `in` the next frame begins */
    size_t whole;       /* where its last whole frame ends */
    size_t scan;        /* how far we looked for the end of the one that is not whole */
    bool is_begun;      /* the stream's first bytes were handed over */
};

/* A frame may have max_bytes, its end included. */
void gs_dialect_frames_init(struct gs_dialect_frames *f, enum gs_dialect_framing framing,
                            size_t max_bytes);
void gs_dialect_frames_clear(struct gs_dialect_frames *f);
/* Take more bytes; the whole frames in them are there for gs_dialect_frames_next(), which should
 * have been called until there was none: what is left counts as part of a frame.
 * errors: GS_ELIMIT (a frame beyond max_bytes), GS_ENOMEM; what came before it can still be had. */
GS_MUST_CHECK enum gs_status gs_dialect_frames_feed(struct gs_dialect_frames *f,
                                                    struct gs_slice bytes, struct gs_error *err);
/* The next whole frame, valid until the next call here; false if there is none (yet). Where a
 * stream is cut makes no difference: a CR that came last waits for what follows it. Lines of SSE
 * end in LF, CRLF or CR, those of JSON in LF or CRLF. A byte order mark at the start is passed over
 * but kept in raw. */
GS_MUST_CHECK bool gs_dialect_frames_next(struct gs_dialect_frames *f,
                                          struct gs_dialect_frame *out_frame);
/* The stream has ended: what is left of it, if that is a frame: a line needs no line end, an event
 * of SSE its blank line. */
GS_MUST_CHECK bool gs_dialect_frames_rest(struct gs_dialect_frames *f,
                                          struct gs_dialect_frame *out_frame);

#endif
