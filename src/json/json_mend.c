/* One pass that knows just enough of JSON: strings, escapes, and where a number ends. It does not
 * check anything; the parser does that afterwards. */
#include "json/json_mend.h"

#include <stdint.h>

#include "base/slice.h"

#define ESCAPE_BYTES 6 /* \uXXXX */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* The code unit of the \uXXXX escape at off, or -1. */
static int32_t code_unit(struct gs_slice s, size_t off)
{
    int32_t unit = 0;

    if (off > s.len || s.len - off < ESCAPE_BYTES || s.ptr[off] != '\\' || s.ptr[off + 1] != 'u')
        return -1;
    for (size_t i = 2; i < ESCAPE_BYTES; i++) {
        const int digit = hex_digit(s.ptr[off + i]);
        if (digit < 0)
            return -1;
        unit = unit * 16 + digit;
    }
    return unit;
}

static bool is_high(int32_t unit)
{
    return unit >= 0xD800 && unit <= 0xDBFF;
}

static bool is_low(int32_t unit)
{
    return unit >= 0xDC00 && unit <= 0xDFFF;
}

/* Copy the escape at off; its length. */
static size_t mend_escape(struct gs_slice s, size_t off, struct gs_buf *out, bool *changed)
{
    const int32_t unit = code_unit(s, off);
    size_t len = GS_MIN(s.len - off, 2);

    if (is_high(unit) && is_low(code_unit(s, off + ESCAPE_BYTES)))
        len = (size_t)2 * ESCAPE_BYTES;
    if (len == 2 && (is_high(unit) || is_low(unit))) {
        gs_buf_puts(out, "\\ufffd");
        *changed = true;
        return ESCAPE_BYTES;
    }
    gs_buf_put(out, s.ptr + off, len);
    return len;
}

/* Copy the string whose opening quote is at off; its length, quotes included. */
static size_t mend_string(struct gs_slice s, size_t off, struct gs_buf *out, bool *changed)
{
    size_t at = off;
    size_t plain = off; /* start of what is copied as it is */

    for (at++; at < s.len && s.ptr[at] != '"';) {
        if (s.ptr[at] != '\\') {
            at++;
            continue;
        }
        gs_buf_put(out, s.ptr + plain, at - plain);
        at += mend_escape(s, at, out, changed);
        plain = at;
    }
    at += at < s.len;
    gs_buf_put(out, s.ptr + plain, at - plain);
    return at - off;
}

static bool is_number_char(char c)
{
    return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

static size_t mend_number(struct gs_slice s, size_t off, struct gs_buf *out, bool *changed)
{
    size_t len = 0;
    bool whole = true;
    int64_t ignored;

    for (; off + len < s.len && is_number_char(s.ptr[off + len]); len++) {
        const char c = s.ptr[off + len];
        whole = whole && ((c >= '0' && c <= '9') || (c == '-' && len == 0));
    }
    gs_buf_put(out, s.ptr + off, len);
    if (whole && len > 1 && !gs_slice_to_i64(gs_slice(s.ptr + off, len), &ignored)) {
        gs_buf_puts(out, ".0");
        *changed = true;
    }
    return len;
}

bool gs_json_mend(struct gs_slice text, struct gs_buf *out)
{
    bool changed = false;

    for (size_t i = 0; i < text.len && gs_buf_ok(out);) {
        const char c = text.ptr[i];
        if (c == '"') {
            i += mend_string(text, i, out, &changed);
        } else if (c == '-' || (c >= '0' && c <= '9')) {
            i += mend_number(text, i, out, &changed);
        } else {
            gs_buf_putc(out, c);
            i++;
        }
    }
    return changed;
}
