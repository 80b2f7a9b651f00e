/* Writing, straight into a buffer. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "json/json.h"

static void write_escape(struct gs_buf *b, unsigned char c)
{
    static const char letters[] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f',
                                   ['\r'] = 'r', ['"'] = '"',  ['\\'] = '\\'};

    if (c < sizeof(letters) && letters[c]) {
        gs_buf_putc(b, '\\');
        gs_buf_putc(b, letters[c]);
    } else {
        gs_buf_printf(b, "\\u%04x", c);
    }
}

void gs_json_write_string(struct gs_buf *b, struct gs_slice s)
{
    size_t plain = 0; /* start of what is copied as it is */

    if (b->drops)
        return;
    gs_buf_putc(b, '"');
    for (size_t i = gs_slice_plain_end(s, 0); i < s.len; i = gs_slice_plain_end(s, i)) {
        uint32_t cp;
        const size_t n = gs_utf8_decode(s, i, &cp);
        const bool bad = cp == 0xFFFD && n == 1;
        if (bad || cp < 0x20 || cp == '"' || cp == '\\') {
            gs_buf_put(b, s.ptr + plain, i - plain);
            if (bad)
                gs_buf_puts(b, "\xEF\xBF\xBD");
            else
                write_escape(b, (unsigned char)cp);
            plain = i + n;
        }
        i += n;
    }
    if (plain < s.len)
        gs_buf_put(b, s.ptr + plain, s.len - plain);
    gs_buf_putc(b, '"');
}

void gs_json_write_double(struct gs_buf *b, double v)
{
    char text[32];

    if (!isfinite(v)) {
        gs_buf_puts(b, "null");
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    gs_buf_puts(b, text);
    if (!strpbrk(text, ".e"))
        gs_buf_puts(b, ".0");
}

static void write_array(struct gs_buf *b, const struct gs_json *v)
{
    gs_buf_putc(b, '[');
    for (size_t i = 0; i < v->u.array.len; i++) {
        if (i > 0)
            gs_buf_putc(b, ',');
        gs_json_write(b, &v->u.array.items[i]);
    }
    gs_buf_putc(b, ']');
}

static void write_object(struct gs_buf *b, const struct gs_json *v)
{
    gs_buf_putc(b, '{');
    for (size_t i = 0; i < v->u.object.len; i++) {
        if (i > 0)
            gs_buf_putc(b, ',');
        gs_json_write_string(b, v->u.object.members[i].key);
        gs_buf_putc(b, ':');
        gs_json_write(b, &v->u.object.members[i].value);
    }
    gs_buf_putc(b, '}');
}

void gs_json_write(struct gs_buf *b, const struct gs_json *v)
{
    switch (v->kind) {
    case GS_JSON_NULL:
        gs_buf_puts(b, "null");
        break;
    case GS_JSON_BOOL:
        gs_buf_puts(b, v->u.boolean ? "true" : "false");
        break;
    case GS_JSON_INT:
        gs_buf_printf(b, "%lld", (long long)v->u.integer);
        break;
    case GS_JSON_REAL:
        gs_json_write_double(b, v->u.real);
        break;
    case GS_JSON_STRING:
        gs_json_write_string(b, v->u.string);
        break;
    case GS_JSON_ARRAY:
        write_array(b, v);
        break;
    case GS_JSON_OBJECT:
        write_object(b, v);
        break;
    }
}
