/* The input of a custom tool: any text, which a model tells as the member `input` of a call's
 * arguments, and a client wants as it is, piece by piece. Private to dialect/. */
#ifndef GS_DIALECT_CUSTOM_H
#define GS_DIALECT_CUSTOM_H

#include "base/buf.h"

/* Zeroed before its first use. */
struct gs_dialect_custom {
    struct gs_buf args;  /* so far */
    struct gs_buf input; /* what of it they tell */
    size_t at;           /* of args, told; 0: the input has not begun */
    bool is_over;        /* its closing quote was seen */
};

void gs_dialect_custom_begin(struct gs_dialect_custom *c);
/* More of the arguments, and the end of them. Returned is what more of the input that tells; it is
 * valid until the next call. */
struct gs_slice gs_dialect_custom_feed(struct gs_dialect_custom *c, struct gs_slice args);
struct gs_slice gs_dialect_custom_end(struct gs_dialect_custom *c);
void gs_dialect_custom_clear(struct gs_dialect_custom *c);

#endif
