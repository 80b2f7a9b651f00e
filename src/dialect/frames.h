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
    struct gs_buf in;   /* what is not handed over yet */
    struct gs_buf data; /* of the frame handed over last */
    size_t pos;         /* where in `in` the next frame begins */
    size_t scan;        /* how far we looked for its end */
};

/* A frame may have max_bytes. */
void gs_dialect_frames_init(struct gs_dialect_frames *f, enum gs_dialect_framing framing,
                            size_t max_bytes);
void gs_dialect_frames_clear(struct gs_dialect_frames *f);
/* Take more bytes. errors: GS_ELIMIT (a frame beyond max_bytes), GS_ENOMEM. */
GS_MUST_CHECK enum gs_status gs_dialect_frames_feed(struct gs_dialect_frames *f,
                                                    struct gs_slice bytes, struct gs_error *err);
/* The next whole frame, valid until the next call here; false if there is none (yet). Lines end in
 * LF, CRLF or CR. A byte order mark at the start is passed over but kept in raw. */
GS_MUST_CHECK bool gs_dialect_frames_next(struct gs_dialect_frames *f,
                                          struct gs_dialect_frame *out_frame);
/* The stream has ended: what is left as the last frame, if its data is whole JSON lines may be
 * without a newline; an SSE event without its blank line is not handed over. */
GS_MUST_CHECK bool gs_dialect_frames_rest(struct gs_dialect_frames *f,
                                          struct gs_dialect_frame *out_frame);

#endif
