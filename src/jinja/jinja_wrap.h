/* Wrapping a paragraph of text, as Python's textwrap does for the wordwrap filter. */
#ifndef GS_JINJA_WRAP_H
#define GS_JINJA_WRAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "genset/slice.h"

struct jwrap {
    int64_t width;
    bool break_words;
    bool break_hyphens;
    struct gs_slice newline;
};

void gs_jinja_put_wrapped(struct gs_buf *b, struct gs_slice line, const struct jwrap *w);

#endif
