/* Formatting as Python does it: "..." % values, "...".format(values), and format specs. */
#ifndef GS_JINJA_FORMAT_H
#define GS_JINJA_FORMAT_H

#include "jinja/jinja_run.h"

/* format % v: v a tuple of values, a mapping, or one value. Markup escapes what it takes in. */
GS_MUST_CHECK bool gs_jinja_percent(struct jrun *r, struct jval format, struct jval v,
                                    struct jval *out);
/* The same for the values of a call: positional or keywords. */
GS_MUST_CHECK bool gs_jinja_percent_args(struct jrun *r, struct jval format,
                                         const struct jargs *args, struct jval *out);
/* format.format(*args, **kw) */
GS_MUST_CHECK bool gs_jinja_str_format(struct jrun *r, struct jval format, const struct jargs *args,
                                       struct jval *out);

/* ---- presentations: jinja_spec.c ---- */

#define GS_JINJA_MAX_WIDTH     100000
#define GS_JINJA_MAX_PRECISION 300

/* How a value is laid out: "[[fill]align][sign][#][0][width][grouping][.precision][type]". */
struct jspec {
    uint32_t fill; /* 0: a space */
    char align;    /* '<', '>', '^', '=', or 0 */
    char sign;     /* '-', '+', ' ' */
    bool alternate;
    char grouping; /* ',', '_' or 0 */
    int width;
    int precision; /* -1: none */
    char type;     /* 0: none */
};

/* Parse, and refuse what Python refuses for v, a string or a number. */
GS_MUST_CHECK bool gs_jinja_parse_spec(struct jrun *r, struct gs_slice s, struct jval v,
                                       struct jspec *out);
GS_MUST_CHECK bool gs_jinja_put_number(struct jrun *r, struct gs_buf *b, struct jval v,
                                       const struct jspec *spec);
/* Text cut to the precision and padded to the width. */
void gs_jinja_put_padded(struct gs_buf *b, struct gs_slice text, const struct jspec *spec);

#endif
