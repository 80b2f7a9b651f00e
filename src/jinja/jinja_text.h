/* Strings as sequences of characters, the way Python's str does it. */
#ifndef GS_JINJA_TEXT_H
#define GS_JINJA_TEXT_H

#include "base/buf.h"
#include "jinja/jinja_unicode.h"
#include "jinja/jinja_value.h"

/* Characters of a string value; remembered. */
size_t gs_jinja_chars(struct jval s);
/* Byte offset of character idx (0..chars). */
size_t gs_jinja_char_off(struct jval s, size_t idx);
/* Length in bytes of the character before `off`. */
size_t gs_jinja_char_before(struct gs_slice s, size_t off);

/* Offset of the first / last `needle` in `s` at or after `from`, or SIZE_MAX. */
GS_MUST_CHECK bool gs_jinja_find(struct jrun *r, struct gs_slice s, struct gs_slice needle,
                                 size_t from, size_t *out);
GS_MUST_CHECK bool gs_jinja_rfind(struct jrun *r, struct gs_slice s, struct gs_slice needle,
                                  size_t *out);

enum gs_strip { GS_STRIP_LEFT = 1, GS_STRIP_RIGHT = 2, GS_STRIP_BOTH = 3 };

/* Without characters of the set at the ends; an absent set (NULL ptr) is white space. */
struct gs_slice gs_jinja_strip(struct gs_slice s, struct gs_slice set, enum gs_strip sides);

void gs_jinja_put_char(struct gs_buf *b, uint32_t cp);
void gs_jinja_put_case(struct gs_buf *b, struct gs_slice s, enum gs_jinja_case to);
/* The same for s[from, end) only; the letters around matter to a final sigma. */
void gs_jinja_put_case_part(struct gs_buf *b, struct gs_slice s, size_t from, size_t end,
                            enum gs_jinja_case to);
void gs_jinja_put_capitalized(struct gs_buf *b, struct gs_slice s);
/* s with the first `max` (all if negative) `old` replaced. */
GS_MUST_CHECK bool gs_jinja_put_replaced(struct jrun *r, struct gs_buf *b, struct gs_slice s,
                                         struct gs_slice old, struct gs_slice with, int64_t max);
/* &, <, >, ' and " as entities. */
void gs_jinja_put_escaped(struct gs_buf *b, struct gs_slice s);
void gs_jinja_put_fill(struct gs_buf *b, struct gs_slice fill, size_t n);

/* Takes the first line off *s, for Python's splitlines(): false when none is left. *out_end is the
 * line end's length in bytes. */
bool gs_jinja_line(struct gs_slice *s, struct gs_slice *out_line, size_t *out_end);

#endif
